//! What was done to nodes: cordons, drains, taints that evict, deletions, and who wrote them how often.
//!
//! A drain is a cordon (or a taint) followed by evictions of the node's pods by the same user. Where bodies were
//! not logged, a write of the node by somebody who then evicts its pods is taken for the cordon, and marked so.
//! What an episode is stands here; `teller` tells episodes from requests, and `writes` counts who wrote.

mod teller;
mod writes;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::teller::Teller;
pub use self::writes::NodeWrites;
pub(super) use self::writes::{StatusWrites, writes};
use super::note::{Note, PodName};
use super::pods::Pods;
use super::terminations::Termination;
use crate::aggregate::Position;
use crate::event::Timestamp;

/// Attempts that ended less than this before the log does are taken to go on.
const RETRIES: i64 = 60_000_000_000;

/// A stretch of time in which a node was cordoned, drained or tainted, or a moment in which it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The node.
    pub node: String,
    /// What was done.
    pub what: Kind,
    /// By whom.
    pub user: String,
    /// When it began.
    pub from: Timestamp,
    /// When the last pod was evicted, or was gone.
    pub until: Option<Timestamp>,
    /// Whether a body says so, rather than what followed.
    pub sure: bool,
    /// The taint, where that was what began it.
    pub taint: Option<String>,
    /// How many pods were evicted.
    pub evicted: u64,
    /// How many pods were deleted without asking a budget.
    pub deleted: u64,
    /// How many attempts to evict were refused.
    pub refused: u64,
    /// Pods that could not be evicted to the last, with the budget that refused.
    pub blocked: Vec<(String, Option<String>)>,
    /// Whether attempts went on to the end of the log.
    pub hangs: bool,
    /// How it was undone, by whom, when.
    pub undone: Option<(Undone, String, Timestamp)>,
    /// Whether a request of it is among those asked about.
    pub(super) wanted: bool,
}

/// What was done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Closed to new pods.
    Cordon,
    /// Closed to new pods, and emptied.
    Drain,
    /// Opened again, though the log does not show it closed.
    Uncordon,
    /// Given a taint that evicts.
    Taint,
    /// Pods were evicted from it, though the log does not show it closed.
    Evictions,
    /// Deleted.
    Deletion,
    /// Changed, and what was changed was not logged.
    Write,
}

impl Kind {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Cordon => "cordon",
            Kind::Drain => "drain",
            Kind::Uncordon => "uncordon",
            Kind::Taint => "taint",
            Kind::Evictions => "evictions",
            Kind::Deletion => "deletion",
            Kind::Write => "write",
        }
    }
}

/// How a cordon or a taint was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The node was opened again.
    Uncordoned,
    /// Probably so: the write's body was not logged.
    PresumablyUncordoned,
    /// The taint was removed.
    Untainted,
    /// The node was deleted.
    NodeDeleted,
}

impl Undone {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Undone::Uncordoned => "uncordoned",
            Undone::PresumablyUncordoned => "presumably-uncordoned",
            Undone::Untainted => "untainted",
            Undone::NodeDeleted => "node-deleted",
        }
    }
}

/// Whether a write of a node whose body was not logged may be somebody's cordon.
pub(super) fn may_cordon(note: &Note) -> bool {
    !note.user.starts_with("system:")
}

/// Tells what was done to nodes, by when it began.
pub(super) fn tell(
    notes: &[(Position, Note)],
    pods: &Pods,
    terminations: &[Termination],
    last: Option<Timestamp>,
) -> Vec<Episode> {
    let mut teller = Teller::new(pods);
    for (_, note) in notes {
        teller.take(note);
    }
    teller.finish(terminations, last)
}

/// A write of a node whose body was not logged.
struct Write {
    time: Timestamp,
    user: Arc<str>,
    wanted: bool,
}

impl Write {
    fn of(note: &Note) -> Write {
        Write { time: note.time, user: note.user.clone(), wanted: note.wanted }
    }
}

/// How a pod of an episode was answered last.
struct Tried {
    time: Timestamp,
    result: Result<(), Option<String>>,
}

impl Episode {
    fn begin(what: Kind, node: &str, by: &Write) -> Episode {
        Episode {
            node: node.to_owned(),
            what,
            user: by.user.to_string(),
            from: by.time,
            until: None,
            sure: true,
            taint: None,
            evicted: 0,
            deleted: 0,
            refused: 0,
            blocked: Vec::new(),
            hangs: false,
            undone: None,
            wanted: by.wanted,
        }
    }

    /// Counts how its pods were answered in the end.
    fn conclude(
        &mut self,
        tried: &BTreeMap<&PodName, Tried>,
        ends: &BTreeMap<(&str, &str, Timestamp), Timestamp>,
        last: Option<Timestamp>,
    ) {
        if tried.is_empty() && (self.what != Kind::Cordon || self.deleted == 0) {
            return;
        }
        if matches!(self.what, Kind::Cordon | Kind::Taint) {
            self.what = Kind::Drain;
        }
        for (pod, tried) in tried {
            let ended = ends.get(&(&*pod.namespace, &*pod.name, tried.time)).copied();
            self.until = self.until.max(Some(tried.time)).max(ended);
            match &tried.result {
                Ok(()) => self.evicted += 1,
                Err(budget) => self.blocked.push((format!("{}/{}", pod.namespace, pod.name), budget.clone())),
            }
        }
        let blocked = tried.values().filter(|tried| tried.result.is_err()).map(|tried| tried.time).max();
        let recent = blocked.zip(last).is_some_and(|(blocked, last)| last.0 - blocked.0 <= RETRIES);
        self.hangs = recent && self.undone.is_none();
    }

    /// Single evictions from open nodes are told as evictions, and harmless taints not at all.
    fn is_told(&self) -> bool {
        match self.what {
            Kind::Evictions => self.evicted as usize + self.blocked.len() > 1,
            Kind::Taint => self.taint.as_ref().is_some_and(|taint| taint.ends_with(":NoExecute")),
            _ => true,
        }
    }
}
