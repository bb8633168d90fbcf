//! What became of a node, a pod or a budget, in words: the same for people and in CSV.

use std::fmt::Write as _;

use crate::aggregate::disruptions::evictions::{BudgetStory, Eviction};
use crate::aggregate::disruptions::nodes::{Episode, Kind, Undone};
use crate::aggregate::disruptions::terminations::{End, Termination};
use crate::event::Timestamp;
use crate::render::TimeZoneChoice;
use crate::render::human::{counted, duration, time_seconds};

/// How long it lasted: a drain to the last pod, anything else until it was undone.
pub(super) fn lasted(episode: &Episode) -> Option<i64> {
    let until = match episode.what {
        Kind::Drain | Kind::Evictions => episode.until,
        _ => episode.undone.as_ref().map(|(_, _, time)| *time),
    };
    Some((until?.0 - episode.from.0).max(0))
}

/// What a cordon, a drain or a taint led to, and how it was undone.
pub(super) fn node_result(episode: &Episode, last: Option<Timestamp>, zone: TimeZoneChoice) -> String {
    let mut parts = Vec::new();
    if let Some(taint) = &episode.taint {
        parts.push(format!("taint {taint}"));
    }
    if let Some((pod, budget)) = episode.blocked.first() {
        parts.push(blocked(episode, pod, budget.as_ref()));
    } else if episode.what == Kind::Drain && episode.evicted > 0 {
        parts.push("all evicted".to_owned());
    }
    if episode.deleted > 0 {
        parts.push(format!("{} deleted without eviction", counted(episode.deleted, "pod")));
    }
    match &episode.undone {
        Some((how, user, time)) => parts.push(format!("{} by {user} at {}", undone(*how), time_seconds(*time, zone))),
        None => parts.extend(still(episode, last)),
    }
    parts.join("; ")
}

/// The first of the pods that stayed, and how many others did.
fn blocked(episode: &Episode, pod: &str, budget: Option<&String>) -> String {
    let by = budget.map(|budget| format!(" refused by {budget}")).unwrap_or_default();
    let others = episode.blocked.len() - 1;
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    let how = if episode.hangs { "hangs" } else { "given up" };
    format!("{how}: {pod}{by}{others}")
}

const fn undone(how: Undone) -> &'static str {
    match how {
        Undone::Uncordoned => "uncordoned",
        Undone::PresumablyUncordoned => "probably uncordoned",
        Undone::Untainted => "taint removed",
        Undone::NodeDeleted => "node deleted",
    }
}

/// What holds to the end of the log.
fn still(episode: &Episode, last: Option<Timestamp>) -> Option<String> {
    let since = || last.map(|last| duration((last.0 - episode.from.0).max(0))).unwrap_or_default();
    match episode.what {
        Kind::Cordon | Kind::Drain if episode.taint.is_none() => Some(format!("still cordoned {} later", since())),
        Kind::Taint | Kind::Drain => Some(format!("still tainted {} later", since())),
        Kind::Evictions => Some("no cordon seen".to_owned()),
        Kind::Uncordon => Some("no cordon seen".to_owned()),
        Kind::Write => Some("what it changed was not logged".to_owned()),
        Kind::Cordon | Kind::Deletion => None,
    }
}

/// `db (minAvailable 100%): needs 3 healthy, has 3`.
pub(super) fn budget_text(one: &Eviction) -> Option<String> {
    let mut text = one.budget.clone()?;
    if let Some(limit) = &one.limit {
        text += &format!(" ({limit})");
    }
    if let (Some(needs), Some(has)) = (one.needs, one.has) {
        text += &format!(": needs {needs} healthy, had {has}");
    }
    Some(text)
}

/// How a pod ended, and the reason where one is known.
pub(super) fn termination_result(one: &Termination, zone: TimeZoneChoice) -> String {
    let assumed = if one.is_assumed() { ", which is assumed" } else { "" };
    let result = match one.end {
        End::InTime => "in time".to_owned(),
        End::Past => format!("past its grace period{assumed}: likely killed"),
        End::Forced => match &one.forced_by {
            Some(user) if user.ends_with(":pod-garbage-collector") => "removed by the pod garbage collector".to_owned(),
            Some(user) if *user != one.user => format!("forced by {user}"),
            _ => "forced".to_owned(),
        },
        End::AtOnce => "gone at once".to_owned(),
        End::Gone => "gone, when is not known".to_owned(),
        End::Running => "still ending, in time".to_owned(),
        End::Stuck => format!("not gone, due at {}", time_seconds(one.due, zone)),
        End::Unknown => "how it ended was not logged".to_owned(),
    };
    match &one.reason {
        Some(reason) => format!("{result}; {reason}"),
        None => result,
    }
}

/// `2 of 3, needs 2`.
pub(super) fn healthy(story: &BudgetStory) -> Option<String> {
    let budget = story.budget.as_ref()?;
    let mut text = format!("{} of {}", budget.current?, budget.expected?);
    if let Some(desired) = budget.desired {
        _ = write!(text, ", needs {desired}");
    }
    Some(text)
}

/// What is wrong with a budget, and what happened to it; nothing of a plain one.
pub(super) fn remarks(story: &BudgetStory, zone: TimeZoneChoice) -> Option<String> {
    let mut remarks = story.findings.clone();
    for (user, time, message) in &story.rejected {
        remarks.push(format!("a write by {user} at {} was rejected: {message}", time_seconds(*time, zone)));
    }
    if let Some((user, time)) = &story.deleted {
        remarks.push(format!("deleted by {user} at {}", time_seconds(*time, zone)));
    }
    (!remarks.is_empty()).then(|| remarks.join("; "))
}
