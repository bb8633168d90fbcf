//! All that was noted, by object and in order: what came before what.

use std::collections::BTreeMap;

use super::act::{Act, ObjectKey};

/// The place of an act among all, in order of time.
pub(super) type Rank = usize;

/// All acts in order.
#[derive(Default)]
pub(super) struct World<'a> {
    acts: Vec<&'a Act>,
    by_object: BTreeMap<&'a ObjectKey, Vec<Rank>>,
    /// Deletions and evictions of pods, and evictions alone.
    ended_pods: Vec<Rank>,
}

impl<'a> World<'a> {
    /// Of acts in order of time.
    pub(super) fn new(acts: impl Iterator<Item = &'a Act>) -> Self {
        let mut world = World::default();
        for (rank, act) in acts.enumerate() {
            world.acts.push(act);
            if !act.object.name.is_empty() {
                world.by_object.entry(&act.object).or_default().push(rank);
            }
            if &*act.object.resource == "pods" && act.succeeded() && is_end(act) {
                world.ended_pods.push(rank);
            }
        }
        world
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
        self.acts_on(key).rev().find(|(rank, act)| *rank < at && act.succeeded() && wanted(act))
    }

    /// Objects of a type in the namespace of another, with what was done to them.
    pub(super) fn of_type<'s>(
        &'s self,
        resource: &'s str,
        beside: &'s ObjectKey,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'s [Rank])> {
        let of = move |key: &ObjectKey| &*key.resource == resource && key.namespace == beside.namespace;
        self.by_object.iter().filter(move |(key, _)| of(key)).map(|(key, ranks)| (*key, ranks.as_slice()))
    }

    /// Deletions and evictions of pods before `at`, the last first.
    pub(super) fn ended_pods_before(&self, at: Rank) -> impl Iterator<Item = (Rank, &'a Act)> {
        let upto = self.ended_pods.partition_point(|&rank| rank < at);
        self.ended_pods.iter().take(upto).rev().filter_map(|&rank| Some((rank, self.act(rank)?)))
    }

    /// Those behind `at`, in order.
    pub(super) fn ended_pods_after(&self, at: Rank) -> impl Iterator<Item = (Rank, &'a Act)> {
        let from = self.ended_pods.partition_point(|&rank| rank <= at);
        self.ended_pods.iter().skip(from).filter_map(|&rank| Some((rank, self.act(rank)?)))
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
