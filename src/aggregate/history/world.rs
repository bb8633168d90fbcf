//! All that was noted, by object and in order: what came before what.

use std::collections::BTreeMap;

use super::act::{Act, ObjectKey};
use crate::event::Timestamp;

/// The place of an act among all, in order of time.
pub(super) type Rank = usize;

/// All acts in order.
#[derive(Default)]
pub(super) struct World<'a> {
    acts: Vec<&'a Act>,
    by_object: BTreeMap<&'a ObjectKey, Vec<Rank>>,
    /// Deletions and evictions of pods by their owners, where others may take their places.
    ended_pods: BTreeMap<ObjectKey, Vec<Rank>>,
    /// Evictions, by who asked for them.
    evictions: BTreeMap<&'a str, Vec<Rank>>,
}

impl<'a> World<'a> {
    /// Of acts in order of time.
    pub(super) fn new(acts: impl Iterator<Item = &'a Act>) -> Self {
        let mut world = World::default();
        let mut ended = Vec::new();
        for (rank, act) in acts.enumerate() {
            world.acts.push(act);
            if !act.object.name.is_empty() {
                world.by_object.entry(&act.object).or_default().push(rank);
            }
            if &*act.object.resource == "pods" && act.succeeded() && is_end(act) {
                ended.push((rank, act));
            }
        }
        for (rank, act) in ended {
            world.note_end(rank, act);
        }
        world
    }

    fn note_end(&mut self, rank: Rank, act: &'a Act) {
        if &*act.subresource == "eviction" {
            self.evictions.entry(act.acting()).or_default().push(rank);
        }
        // The kubelet ends what was ended already, and what goes with its owner or namespace is not replaced.
        let replaceable = !act.acting().starts_with("system:node:")
            && !act.is_by(&["generic-garbage-collector", "namespace-controller"]);
        if let Some((owner, _)) = self.owner(&act.object).filter(|_| replaceable) {
            self.ended_pods.entry(owner).or_default().push(rank);
        }
    }

    pub(super) fn act(&self, rank: Rank) -> Option<&'a Act> {
        self.acts.get(rank).copied()
    }

    /// How many there are: the rank of the end.
    pub(super) fn end(&self) -> Rank {
        self.acts.len()
    }

    /// Everything about one object, in order.
    pub(super) fn acts_on(&self, key: &ObjectKey) -> impl DoubleEndedIterator<Item = (Rank, &'a Act)> {
        let ranks = self.by_object.get(key).map(Vec::as_slice).unwrap_or_default();
        ranks.iter().filter_map(|&rank| Some((rank, self.act(rank)?)))
    }

    /// Whether anything is known of an object.
    pub(super) fn knows(&self, key: &ObjectKey) -> bool {
        self.by_object.contains_key(key)
    }

    /// The last successful act on an object before `at` that is one of those wanted.
    pub(super) fn last_before(
        &self,
        key: &ObjectKey,
        at: Rank,
        wanted: impl Fn(&Act) -> bool,
    ) -> Option<(Rank, &'a Act)> {
        let ranks = self.by_object.get(key).map(Vec::as_slice).unwrap_or_default();
        let earlier = ranks.iter().take(ranks.partition_point(|&rank| rank < at)).rev();
        earlier.filter_map(|&rank| Some((rank, self.act(rank)?))).find(|(_, act)| act.succeeded() && wanted(act))
    }

    /// Objects of a type in the namespace of another, with what was done to them.
    pub(super) fn of_type(
        &self,
        resource: &str,
        group: &str,
        beside: &ObjectKey,
    ) -> impl Iterator<Item = (&'a ObjectKey, &[Rank])> {
        let first = beside.sibling(resource, group, "");
        let from = self.by_object.range::<ObjectKey, _>(first.clone()..);
        let of = move |key: &ObjectKey| {
            key.resource == first.resource && key.group == first.group && key.namespace == first.namespace
        };
        from.take_while(move |(key, _)| of(key)).map(|(key, ranks)| (*key, ranks.as_slice()))
    }

    /// Deletions and evictions of pods of one owner before `at`, the last first.
    pub(super) fn ended_pods_before(&self, owner: &ObjectKey, at: Rank) -> impl Iterator<Item = (Rank, &'a Act)> {
        let ranks = self.ended_pods.get(owner).map(Vec::as_slice).unwrap_or_default();
        let earlier = ranks.iter().take(ranks.partition_point(|&rank| rank < at)).rev();
        earlier.filter_map(|&rank| Some((rank, self.act(rank)?)))
    }

    /// How many times somebody evicted a pod from one moment to another.
    pub(super) fn evictions_by(&self, user: &str, from: Timestamp, to: Timestamp) -> usize {
        let ranks = self.evictions.get(user).map(Vec::as_slice).unwrap_or_default();
        let before = |earlier: &dyn Fn(Timestamp) -> bool| {
            ranks.partition_point(|&rank| self.act(rank).and_then(|act| act.time).is_none_or(earlier))
        };
        before(&|time| time <= to).saturating_sub(before(&|time| time < from))
    }
}

/// Whether an act is meant to end its object.
pub(super) fn is_end(act: &Act) -> bool {
    match &*act.verb {
        "delete" => act.subresource.is_empty(),
        "create" => &*act.subresource == "eviction",
        "deletecollection" => true,
        _ => false,
    }
}
