//! Why an object came or went: from the request that did it back to whoever started it.
//!
//! Controllers act because something else changed. Which controller it was says what that must have been:
//! the garbage collector follows owners, the ReplicaSet controller what was written to the ReplicaSet,
//! pod garbage collection nodes that are gone. Each step back is a [`Link`], with what it rests on: an
//! owner reference or the request itself, the name of the owner, or no more than the order of time.
//!
//! What a cause is stands here; ends are followed back in `ends`, those that come from a pod's node in `nodes`,
//! beginnings in `beginnings`, and what was written to owners in `changes`.

mod beginnings;
mod changes;
mod ends;
mod nodes;

use super::act::Act;
pub use super::owners::Certainty;
use crate::event::Timestamp;

/// What brought about the beginning or the end of an object.
#[derive(Clone, Debug)]
pub struct Cause {
    /// In one word.
    pub kind: Kind,
    /// From the request that did it to whoever started it.
    pub links: Vec<Link>,
}

/// One step of the way back.
#[derive(Clone, Debug)]
pub struct Link {
    /// The request, where there is one.
    pub act: Option<Act>,
    /// What it did, as a part of a sentence.
    pub clause: Vec<Part>,
    /// How it goes on from the step before.
    pub joint: &'static str,
    /// What the step rests on.
    pub rests_on: Certainty,
}

/// A piece of a sentence. Times are shown in the reader's zone, so they stay times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// Text, with what the log says in it.
    Text(String),
    /// A moment.
    Time(Timestamp),
}

/// Beginnings and ends, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Somebody created it.
    Created,
    /// A controller created it for its owner.
    CreatedForOwner,
    /// A controller created it in place of another.
    Replaced,
    /// It was there before the log, or the log does not name its creation.
    NotInLog,
    /// Somebody deleted it.
    Deleted,
    /// Somebody deleted it with all others of its type.
    CollectionDeleted,
    /// It was evicted.
    Evicted,
    /// It was evicted because its node was drained.
    Drained,
    /// A pod of higher priority needed its place.
    Preempted,
    /// Its node was deleted.
    NodeDeleted,
    /// Its node was tainted or did not answer.
    NodeLost,
    /// Pod garbage collection, for another reason.
    PodCollected,
    /// Its owner was deleted.
    OwnerDeleted,
    /// Its namespace was deleted.
    NamespaceDeleted,
    /// The time it was to stay after it had finished was over.
    Ttl,
    /// Its owner got another template.
    Rollout,
    /// Its owner was scaled down.
    ScaledDown,
    /// Its owner was changed.
    OwnerChanged,
    /// Its owner keeps no more old ones.
    HistoryLimit,
    /// The kubelet removed it; who asked for that is not in the log.
    Removed,
}

impl Kind {
    /// The word in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Created => "created",
            Kind::CreatedForOwner => "created-for-owner",
            Kind::Replaced => "replacement",
            Kind::NotInLog => "not-in-log",
            Kind::Deleted => "deleted",
            Kind::CollectionDeleted => "collection-deleted",
            Kind::Evicted => "evicted",
            Kind::Drained => "drained",
            Kind::Preempted => "preempted",
            Kind::NodeDeleted => "node-deleted",
            Kind::NodeLost => "node-lost",
            Kind::PodCollected => "pod-collected",
            Kind::OwnerDeleted => "owner-deleted",
            Kind::NamespaceDeleted => "namespace-deleted",
            Kind::Ttl => "ttl",
            Kind::Rollout => "rollout",
            Kind::ScaledDown => "scaled-down",
            Kind::OwnerChanged => "owner-changed",
            Kind::HistoryLimit => "history-limit",
            Kind::Removed => "removed",
        }
    }
}

impl Cause {
    fn new(kind: Kind, first: Link) -> Self {
        Cause { kind, links: vec![first] }
    }

    fn then(mut self, links: impl IntoIterator<Item = Link>) -> Self {
        self.links.extend(links);
        self
    }

    /// The same, where the log does not show that the object was in the collection.
    pub(super) fn doubted(mut self) -> Self {
        if self.kind == Kind::CollectionDeleted
            && let Some(first) = self.links.first_mut()
        {
            first.clause.insert(0, Part::Text("probably ".to_owned()));
            first.rests_on = Certainty::Order;
        }
        self
    }

    /// The whole way as one sentence.
    pub fn sentence(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        for link in &self.links {
            parts.push(Part::Text(link.joint.to_owned()));
            parts.extend(link.clause.iter().cloned());
        }
        parts
    }
}

impl Link {
    /// A step that is a request: `{before}{who}`, its time.
    fn of(act: &Act, joint: &'static str, before: String, rests_on: Certainty) -> Self {
        let mut clause = vec![Part::Text(before)];
        clause.extend(at(act));
        Link { act: Some(act.clone()), clause, joint, rests_on }
    }

    /// A step of which the log has no request.
    fn missing(joint: &'static str, text: String) -> Self {
        Link { act: None, clause: vec![Part::Text(text)], joint, rests_on: Certainty::Order }
    }
}

fn at(act: &Act) -> Vec<Part> {
    act.time.map_or(Vec::new(), |time| vec![Part::Text(" at ".to_owned()), Part::Time(time)])
}

fn unknown(kind: Kind, text: &str) -> Cause {
    Cause::new(kind, Link::missing("", text.to_owned()))
}

/// How far back a chain is followed: pod, ReplicaSet, Deployment, and owners of other kinds above it.
const DEPTH: usize = 8;

/// Longer ago than this, a change is not called the reason: nanoseconds.
const SOON: i64 = 15 * 60 * 1_000_000_000;

fn apart(one: &Act, other: &Act) -> i64 {
    one.time.zip(other.time).map_or(0, |(one, other)| one.0.abs_diff(other.0).min(i64::MAX as u64) as i64)
}

/// Whether one of two acts may be the reason for the other, as far as the time between them goes.
pub(super) fn is_near(one: &Act, other: &Act) -> bool {
    apart(one, other) <= SOON
}
