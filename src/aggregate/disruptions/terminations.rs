//! How pods ended: the grace period each was given, against the time until its kubelet let it go.
//!
//! A pod begins to end with the first deletion or eviction that is allowed, and is gone when its kubelet deletes
//! it with a grace period of zero, or somebody else does. What took the whole grace period was probably killed.
//! What a termination is stands here, how it is told from requests in `life`.

mod life;

use std::collections::BTreeMap;

use self::life::{Known, Step, collect};
use super::note::{Note, PodName};
use super::pods::Pods;
use crate::aggregate::Position;
use crate::event::Timestamp;

/// A pod that was told to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its node.
    pub node: Option<String>,
    /// When it was told to end.
    pub began: Timestamp,
    /// By whom.
    pub user: String,
    /// Why.
    pub cause: Cause,
    /// What is known of the reason beyond that.
    pub reason: Option<String>,
    /// Its grace period in seconds.
    pub grace: i64,
    /// How the grace period is known.
    pub grace_from: GraceFrom,
    /// When that is over.
    pub due: Timestamp,
    /// When it was gone.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub end: End,
    /// Who forced it.
    pub forced_by: Option<String>,
    /// Whether it was a controller that mostly deletes what has finished.
    automatic: bool,
    /// Whether a request for its end is among those asked about.
    pub(super) wanted: bool,
}

/// Why a pod ends, by who asked for it and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Evicted through the API.
    Eviction,
    /// Deleted.
    Deletion,
    /// Its node has a taint that it does not tolerate.
    Taint,
    /// Cleared away by the pod garbage collector.
    PodGarbageCollection,
    /// Made way for a more important pod.
    Preemption,
    /// Its owner is gone.
    GarbageCollection,
    /// Its namespace was deleted.
    NamespaceDeletion,
}

impl Cause {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Eviction => "eviction",
            Cause::Deletion => "deletion",
            Cause::Taint => "taint",
            Cause::PodGarbageCollection => "pod-garbage-collection",
            Cause::Preemption => "preemption",
            Cause::GarbageCollection => "garbage-collection",
            Cause::NamespaceDeletion => "namespace-deletion",
        }
    }

    /// Why somebody deletes a pod.
    pub(super) fn of_deletion(controller: Option<&str>) -> Cause {
        match controller {
            Some("taint-eviction-controller" | "node-controller") => Cause::Taint,
            Some("pod-garbage-collector") => Cause::PodGarbageCollection,
            Some("kube-scheduler") => Cause::Preemption,
            Some("generic-garbage-collector") => Cause::GarbageCollection,
            Some("namespace-controller") => Cause::NamespaceDeletion,
            _ => Cause::Deletion,
        }
    }
}

/// How a grace period is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraceFrom {
    /// The server said so in its response.
    Response,
    /// The request asked for it.
    Request,
    /// The pod's own, seen elsewhere in the log; none if it had finished or had no node.
    Pod,
    /// Not known; the default.
    Default,
}

impl GraceFrom {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            GraceFrom::Response => "response",
            GraceFrom::Request => "request",
            GraceFrom::Pod => "pod",
            GraceFrom::Default => "assumed",
        }
    }
}

/// How a pod ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Within its grace period.
    InTime,
    /// It took its grace period or longer.
    Past,
    /// Somebody deleted it with a grace period of zero.
    Forced,
    /// At once: it did not run.
    AtOnce,
    /// It was gone when somebody asked again, or another pod of its name was there.
    Gone,
    /// Not yet, and there is time left.
    Running,
    /// Not yet, though its grace period is over.
    Stuck,
    /// The log does not tell: it has no kubelets' deletions, or the pod may have finished before, when none is due.
    Unknown,
}

impl End {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            End::InTime => "in-time",
            End::Past => "past-grace",
            End::Forced => "forced",
            End::AtOnce => "at-once",
            End::Gone => "gone",
            End::Running => "terminating",
            End::Stuck => "stuck",
            End::Unknown => "unknown",
        }
    }
}

impl Termination {
    /// From the first request until it was gone, in nanoseconds.
    pub fn took(&self) -> Option<i64> {
        Some((self.ended?.0 - self.began.0).max(0))
    }

    /// Whether it took its grace period or longer.
    pub fn is_past(&self) -> bool {
        self.end == End::Past
    }

    /// Whether its grace period is not known.
    pub fn is_assumed(&self) -> bool {
        self.grace_from == GraceFrom::Default
    }

    /// Whether somebody should look at it.
    pub fn is_remarkable(&self) -> bool {
        matches!(self.end, End::Past | End::Forced | End::Stuck)
            || matches!(self.cause, Cause::Taint | Cause::PodGarbageCollection | Cause::Preemption)
    }
}

/// What was seen beside the terminations.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) ends_only: u64,
    pub(super) unnamed_collections: u64,
    /// Whether any kubelet let a pod go.
    pub(super) kubelets: bool,
}

/// Tells how pods ended.
pub(super) fn tell(notes: &[(Position, Note)], pods: &Pods, last: Option<Timestamp>) -> (Vec<Termination>, Tally) {
    let mut tally = Tally::default();
    let mut steps: BTreeMap<&PodName, Vec<Step<'_>>> = BTreeMap::new();
    for (_, note) in notes {
        collect(note, &mut steps, &mut tally);
    }
    let known = Known::of(notes, pods, last, tally.kubelets);
    let mut told = Vec::new();
    for (pod, steps) in steps {
        tally.ends_only += known.life(pod, &steps, &mut told);
    }
    told.sort_by(|a, b| (a.began, &a.namespace, &a.pod).cmp(&(b.began, &b.namespace, &b.pod)));
    (told, tally)
}

#[cfg(test)]
mod tests;
