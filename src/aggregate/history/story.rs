//! All changes of each object in order, cut into the lives it had.

use std::collections::BTreeMap;

use super::Note;
use super::act::{Act, Name, ObjectKey};
use super::cause::{Cause, Kind, Link, is_near};
use super::compare::Compared;
use super::note::Change;
use super::what::what;
use super::world::{Rank, World, is_end};
use crate::aggregate::Position;

/// What happened to the objects that were asked for.
#[derive(Debug, Default)]
pub struct Stories {
    /// Each object, by type, namespace and name.
    pub objects: Vec<Story>,
    /// Deletions of whole collections that may have held an object nothing else names, and why they were.
    pub collections: Vec<Cause>,
}

/// What happened to one object.
#[derive(Debug)]
pub struct Story {
    /// Which object.
    pub key: ObjectKey,
    /// Its changes in order of time, then of the input.
    pub changes: Vec<Told>,
    /// Its lives in order: a name can be given anew after a deletion.
    pub lives: Vec<Life>,
    /// Of changes left out for a field, those that may have changed it: what they changed is not known.
    pub untold: usize,
}

/// One change, told.
#[derive(Debug)]
pub struct Told {
    /// Who did what.
    pub act: Act,
    /// What else is known of it.
    pub change: Box<Change>,
    /// What it was, in one line.
    pub what: String,
    /// In which life, counted from 0.
    pub life: usize,
    /// What comparing its versions tells, where that was asked for.
    pub compared: Option<Compared>,
}

/// From one beginning to one end.
#[derive(Debug, Default)]
pub struct Life {
    /// The uid, where the log shows it.
    pub uid: Option<Box<str>>,
    /// How it came to be.
    pub origin: Option<Cause>,
    /// How it ended; none if it was there at the end of the log.
    pub end: Option<Cause>,
    /// The request that removed it in the end, where the one that asked for it left it standing.
    pub removed: Option<Act>,
    /// Whether anything in the log was done to it, or only tried.
    pub touched: bool,
    /// The deletion was asked for, and nothing shows that the object is gone.
    pub lingers: bool,
}

/// A change with its place among all that was noted.
struct Ranked {
    rank: Rank,
    change: Box<Change>,
}

impl Stories {
    /// Puts the notes in order and tells them.
    pub(super) fn new(mut notes: Vec<(Position, Note)>) -> Self {
        // Stable: what has the same time stays in the order of the input.
        notes.sort_by_key(|(_, note)| note.act.time);
        let (mut acts, mut changes) = (Vec::with_capacity(notes.len()), Vec::new());
        for (rank, (_, note)) in notes.into_iter().enumerate() {
            changes.extend(note.change.map(|change| Ranked { rank, change }));
            acts.push(note.act);
        }
        let world = World::new(acts.iter());
        let (mut objects, collections) = by_object(&acts, changes);
        let mut used = vec![false; collections.len()];
        for (key, changes) in &mut objects {
            for (collection, used) in collections.iter().zip(&mut used) {
                if let Some(part) = part_of(key, &acts, collection) {
                    changes.push(part);
                    *used = true;
                }
            }
            changes.sort_by_key(|ranked| ranked.rank);
        }
        // Where the answer lists what was deleted, it held nothing but what has a story now.
        let rest = collections.iter().zip(used).filter(|(part, used)| !used && part.change.items.is_none());
        let collections = rest.filter_map(|(part, _)| world.collection(part.rank, &part.change.uri)).collect();
        let objects = objects.into_iter().map(|(key, changes)| Story::new(&world, key, changes)).collect();
        Stories { objects, collections }
    }
}

type Grouped = BTreeMap<ObjectKey, Vec<Ranked>>;

/// Changes by object, and deletions of collections apart.
fn by_object(acts: &[Act], changes: Vec<Ranked>) -> (Grouped, Vec<Ranked>) {
    let (mut objects, mut collections) = (Grouped::new(), Vec::new());
    for ranked in changes {
        let Some(act) = acts.get(ranked.rank) else { continue };
        if act.object.name.is_empty() {
            for name in ranked.change.items.iter().flat_map(|items| items.iter()) {
                objects.entry(act.object.sibling(&act.object.resource, &act.object.group, name)).or_default();
            }
            collections.push(ranked);
        } else {
            objects.entry(act.object.clone()).or_default().push(ranked);
        }
    }
    (objects, collections)
}

/// Whether an object of which nothing was seen before a deletion of its collection shows afterwards that it had
/// been in it: it went without another reason, or went on in a namespace that is emptied.
fn was_there(world: &World<'_>, collection: &Act, rest: &[Ranked]) -> bool {
    let emptied = collection.is_by(&["namespace-controller"]);
    let mut seen = false;
    for ranked in rest {
        let Some(act) = world.act(ranked.rank).filter(|act| act.succeeded()) else { continue };
        if &*act.verb == "deletecollection" {
            continue;
        }
        if !is_near(collection, act) || act.is_new() || &*act.subresource == "binding" {
            break;
        }
        if ranked.change.terminating || &*act.verb == "delete" && act.user.starts_with("system:node:") {
            return collection.succeeded();
        }
        seen = true;
        if !emptied && (is_end(act) || act.changes_spec()) {
            return false;
        }
    }
    emptied && seen && collection.succeeded()
}

/// The deletion of a collection as a change of one object that was, or may have been, in it.
fn part_of(key: &ObjectKey, acts: &[Act], collection: &Ranked) -> Option<Ranked> {
    let of = &acts.get(collection.rank)?.object;
    let covers = of.resource == key.resource
        && of.group == key.group
        && (of.namespace.is_empty() || of.namespace == key.namespace);
    let held = collection.change.items.as_ref().is_none_or(|items| items.contains(&*key.name));
    // The response is a list of all of them.
    let change = || Box::new(Change { response: None, ..(*collection.change).clone() });
    (covers && held).then(|| Ranked { rank: collection.rank, change: change() })
}

impl Story {
    fn new(world: &World<'_>, key: ObjectKey, changes: Vec<Ranked>) -> Self {
        let mut told = Vec::with_capacity(changes.len());
        let mut lives = Vec::new();
        let mut current = Current::default();
        let mut replicas = None;
        let mut rest = changes.into_iter();
        while let Some(ranked) = rest.next() {
            let Some(act) = world.act(ranked.rank) else { continue };
            if &*act.verb == "deletecollection" && !current.may_end() {
                let listed = act.succeeded() && ranked.change.items.is_some();
                let unseen = lives.is_empty() && current.first.is_none();
                let held = listed || unseen && was_there(world, act, rest.as_slice());
                if !held {
                    continue;
                }
            }
            if current.is_over(act, &ranked.change) {
                lives.push(std::mem::take(&mut current).finish(world, &key, ranked.rank));
            }
            current.add(act, &ranked);
            let what = what(act, &ranked.change, replicas);
            if act.succeeded() && act.replicas.is_some() {
                replicas = act.replicas;
            }
            told.push(Told { act: act.clone(), change: ranked.change, what, life: lives.len(), compared: None });
        }
        lives.push(current.finish(world, &key, world.end()));
        Story { key, changes: told, lives, untold: 0 }
    }

    /// Leaves only the life with this uid; false if there is none.
    pub fn keep_uid(&mut self, uid: &str) -> bool {
        let of = self.lives.iter().position(|life| life.uid.as_deref() == Some(uid));
        let Some(of) = of else { return false };
        self.changes.retain(|told| told.life == of);
        self.changes.iter_mut().for_each(|told| told.life = 0);
        self.lives = self.lives.drain(of..=of).collect();
        true
    }
}

/// A life that is being told.
#[derive(Default)]
struct Current {
    first: Option<Rank>,
    created: Option<Rank>,
    uid: Option<Box<str>>,
    node: Option<Name>,
    /// Requests that deleted it, in order, and whether each was surely about it.
    deaths: Vec<(Rank, bool)>,
    /// Whether it was still there after the last of them.
    stayed: bool,
    /// What took it away after it had been marked.
    removed: Option<Rank>,
}

impl Current {
    /// Whether a request may have ended it: it was there and nothing had ended it.
    fn may_end(&self) -> bool {
        self.first.is_some() && self.removed.is_none()
    }

    /// Whether an act belongs to the next object of the same name.
    fn is_over(&self, act: &Act, change: &Change) -> bool {
        if self.first.is_none() || !act.succeeded() {
            return false;
        }
        let other = self.uid.as_ref().zip(change.uid.as_ref()).is_some_and(|(one, other)| one != other);
        act.is_new() || other
    }

    fn add(&mut self, act: &Act, ranked: &Ranked) {
        if act.succeeded() {
            self.first.get_or_insert(ranked.rank);
        }
        let change = &ranked.change;
        if self.uid.is_none() && act.succeeded() && &*act.verb != "deletecollection" {
            self.uid.clone_from(&change.uid);
        }
        if change.node.is_some() && act.succeeded() {
            self.node.clone_from(&change.node);
        }
        if !act.succeeded() {
            return;
        }
        if is_end(act) {
            self.died(act, ranked);
        } else if &*act.subresource == "finalize" && !self.deaths.is_empty() {
            self.removed = Some(ranked.rank);
        } else if act.changes_spec() {
            self.changed(act, ranked);
        }
    }

    fn died(&mut self, act: &Act, ranked: &Ranked) {
        let change = &ranked.change;
        let sure = &*act.verb != "deletecollection" || change.items.is_some();
        let by_kubelet = act.user.starts_with("system:node:");
        // Pod garbage collection gives no grace either.
        let removes = by_kubelet || act.is_by(&["pod-garbage-collector"]);
        if !self.deaths.is_empty() && (removes || change_shows_end(change)) && &*act.verb == "delete" {
            self.removed = Some(ranked.rank);
        }
        // A pod that runs is given its grace; what has finalizers waits for them.
        let pod = &*act.object.resource == "pods" && !by_kubelet && change.grace != Some(0);
        self.stayed = change.terminating || &*act.subresource == "eviction" || pod && !change_shows_end(change);
        self.deaths.push((ranked.rank, sure));
    }

    fn changed(&mut self, act: &Act, ranked: &Ranked) {
        if act.is_new() {
            self.created = Some(ranked.rank);
        }
        if self.deaths.is_empty() {
            return;
        }
        if ranked.change.terminating && !ranked.change.finalizers {
            self.removed = Some(ranked.rank);
        } else if !ranked.change.terminating {
            // Somebody still writes to it: a collection that may have held it did not.
            self.deaths.retain(|(_, sure)| *sure);
        }
    }

    fn finish(self, world: &World<'_>, key: &ObjectKey, next: Rank) -> Life {
        let node = self.node.as_deref();
        let mut life = Life {
            uid: self.uid,
            origin: match (self.created, self.first) {
                (Some(created), _) => Some(world.why_created(key, created)),
                (None, Some(first)) => Some(world.before_log(key, first)),
                (None, None) => None,
            },
            touched: self.first.is_some(),
            ..Life::default()
        };
        let by_person = |rank: &Rank| world.act(*rank).is_some_and(|act| !act.user.starts_with("system:node:"));
        let first = self.deaths.iter().find(|(rank, _)| by_person(rank)).or(self.deaths.first());
        match first.copied() {
            Some((death, sure)) => {
                let cause = world.why_deleted(key, death, node);
                life.end = Some(if sure { cause } else { cause.doubted() });
                let removed = self.removed.filter(|removed| *removed != death);
                life.removed = removed.and_then(|removed| world.act(removed)).cloned();
                life.lingers = removed.is_none() && self.stayed;
            }
            None if !key.namespace.is_empty() => {
                life.end = namespace_took_it(world, key, self.first, self.created.is_some(), next);
            }
            None => {}
        }
        life
    }
}

/// Whether a deletion's answer shows that nothing is left: a Status instead of the object.
fn change_shows_end(change: &Change) -> bool {
    change.response.is_some() && !change.terminating
}

/// The end of an object of whose deletion the log has nothing, but whose namespace was deleted.
fn namespace_took_it(
    world: &World<'_>,
    key: &ObjectKey,
    first: Option<Rank>,
    created: bool,
    next: Rank,
) -> Option<Cause> {
    let namespace = ObjectKey::cluster("namespaces", &key.namespace);
    let (rank, deletion) = world.last_before(&namespace, next, |act| &*act.verb == "delete")?;
    // What is seen first in a namespace that is going, and is not made then, was in it.
    let was_in_it = |first| {
        let again = world.last_before(&namespace, first, Act::is_new).is_some_and(|(made, _)| made > rank);
        let act = world.act(first).filter(|act| is_near(deletion, act) && &*act.subresource != "binding");
        !created && !again && act.is_some()
    };
    (Some(rank) > first || first.is_some_and(was_in_it)).then_some(())?;
    let mut because = world.namespace_gone(key, next);
    because.joint = "; ";
    let text = "went with its namespace: its own deletion is not in the log".to_owned();
    let first = Link { act: None, clause: vec![super::Part::Text(text)], joint: "", rests_on: super::Certainty::Order };
    Some(Cause { kind: Kind::NamespaceDeleted, links: vec![first, because] })
}
