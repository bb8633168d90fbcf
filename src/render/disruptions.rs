//! Disruptions for people, as CSV and as a document.
//!
//! People see what is remarkable and how much else there is; `wide` shows all. A node's answer begins with what
//! was done to it, so that who cordoned it is in the first lines.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::answer::{Answer, AnswerFormat, Look};
use super::human::{counted, duration, time_seconds};
use super::sanitize::text_for_terminal;
use super::table::{Cell, Column, Kind as Holds, Table, render_table};
use crate::aggregate::disruptions::DisruptionsAnswer;
use crate::aggregate::disruptions::evictions::{BudgetStory, Eviction, EvictionResult};
use crate::aggregate::disruptions::nodes::{Episode, Kind, NodeWrites, Undone};
use crate::aggregate::disruptions::terminations::{End, Termination};
use crate::event::Timestamp;
use crate::render::TimeZoneChoice;

impl Answer for DisruptionsAnswer {
    const KIND: &'static str = "Disruptions";

    fn table(&self, _: bool) -> Table {
        happenings(self)
    }

    fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut set = |key: &str, value| _ = members.insert(key.to_owned(), value);
        set("node", json!(self.node));
        set("totals", totals(self));
        set("nodes", self.nodes.iter().map(node_json).collect());
        set("evictions", self.evictions.iter().map(eviction_json).collect());
        set("terminations", self.terminations.iter().map(termination_json).collect());
        set("budgets", self.budgets.iter().map(budget_json).collect());
        set("writes", self.writes.iter().map(writes_json).collect());
        set("limits", json!(self.limits));
        members
    }

    fn people(&self, look: &Look, out: &mut Vec<u8>) {
        let wide = look.format == AnswerFormat::Wide;
        let mut parts: Vec<Vec<u8>> = Vec::new();
        if self.node.is_none() {
            parts.push(sentence(self).into_bytes());
        }
        let mut show = |table: Table, more: Option<String>| {
            let mut text = Vec::new();
            if !table.rows.is_empty() {
                render_table(&table, look.headers, look.zone, &mut text);
            }
            text.extend(more.unwrap_or_default().into_bytes());
            if !text.is_empty() {
                parts.push(text);
            }
        };
        show(node_table(self, look.zone), None);
        if self.node.is_some() && !wide {
            show(writes_table(&self.writes), None);
        }
        let (shown, more) = choose(&self.evictions, wide, Eviction::is_remarkable);
        let more = more.map(|more| rest(&shown, more, "eviction", "evictions") + ", allowed at once\n");
        show(eviction_table(&shown, wide), more);
        let (shown, more) = choose(&self.terminations, wide, Termination::is_remarkable);
        let unknown = self.terminations.iter().any(|one| one.end == End::Unknown);
        let more = more.map(|more| match (unknown, more) {
            (false, 1) => rest(&shown, more, "pod", "pods") + " that ended as it should, or may still\n",
            (false, _) => rest(&shown, more, "pod", "pods") + " that ended as they should, or may still\n",
            (true, _) => rest(&shown, more, "pod", "pods") + " with nothing wrong that was logged\n",
        });
        show(termination_table(&shown, wide, look.zone), more);
        let (shown, more) = choose(&self.budgets, wide, BudgetStory::is_remarkable);
        let more = more.map(|more| rest(&shown, more, "budget", "budgets") + " that refused nothing\n");
        show(budget_table(&shown, wide, look.zone), more);
        if wide {
            show(writes_table(&self.writes), None);
        }
        out.extend(parts.join(&b'\n'));
    }
}

/// `… and 2 more evictions` below a table, `2 evictions` where there is none.
fn rest<T>(shown: &[T], more: u64, one: &str, many: &str) -> String {
    let noun = if more == 1 { one } else { many };
    if shown.is_empty() { format!("{more} {noun}") } else { format!("… and {more} more {noun}") }
}

/// The rows to show, and how many there are besides.
fn choose<T>(all: &[T], wide: bool, remarkable: fn(&T) -> bool) -> (Vec<&T>, Option<u64>) {
    let shown: Vec<&T> = all.iter().filter(|one| wide || remarkable(one)).collect();
    let more = (all.len() - shown.len()) as u64;
    (shown, (more > 0).then_some(more))
}

/// What is said on standard error: what the log cannot tell, and where nothing was found.
pub fn notes(answer: &DisruptionsAnswer) -> String {
    let mut notes = String::new();
    let [is, are] =
        if answer.restricted { ["matches", "match"] } else { ["is in what was read", "are in what was read"] };
    if let (Some(node), true) = (&answer.node, answer.nodes.is_empty() && answer.writes.is_empty()) {
        let known = if answer.evictions.is_empty() && answer.terminations.is_empty() { "nothing" } else { "no write" };
        notes += &format!("auditq: note: {known} of node {} {is}\n", text_for_terminal(node));
    } else if answer.node.is_none() && answer.is_empty() {
        notes += &format!("auditq: note: no evictions, drains, deletions of pods or PodDisruptionBudgets {are}\n");
    }
    for limit in &answer.limits {
        notes += &format!("auditq: note: {limit}\n");
    }
    notes
}

/// The totals in one sentence, without what there is nothing of.
fn sentence(answer: &DisruptionsAnswer) -> String {
    let kind = |kind: Kind| answer.nodes.iter().filter(move |episode| episode.what == kind);
    let end = |end: End| answer.terminations.iter().filter(|one| one.end == end).count();
    let open = kind(Kind::Drain).filter(|drain| !drain.blocked.is_empty()).count();
    let cordons = kind(Kind::Cordon).count() as u64;
    let evicted = answer.evictions.iter().filter(|one| one.result == EvictionResult::Allowed).count();
    let refused = answer.evictions.iter().filter(|one| one.refused > 0).count();
    let wrong = answer.budgets.iter().filter(|story| !story.findings.is_empty()).count();
    let tried = answer.evictions.len() as u64;
    let ended = answer.terminations.len() as u64;
    let parts = [
        part(kind(Kind::Drain).count() as u64, "drain", &[(open, "not finished")]),
        (cordons > 0).then(|| format!("{} without a drain", counted(cordons, "cordon"))),
        part(tried, "eviction", &[(evicted, "allowed in the end"), (refused, "refused at least once")]),
        part(
            ended,
            "termination",
            &[(end(End::Past), "past the grace period"), (end(End::Forced), "forced"), (end(End::Stuck), "not gone")],
        ),
        part(answer.budgets.len() as u64, "budget", &[(wrong, "questionable")]),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "No disruptions.\n".to_owned() } else { format!("{}.\n", parts.join("; ")) }
}

/// `3 drains, 1 not finished`; nothing of nothing.
fn part(count: u64, noun: &str, of_them: &[(usize, &str)]) -> Option<String> {
    let mut text = (count > 0).then(|| counted(count, noun))?;
    for (part, what) in of_them.iter().filter(|(part, _)| *part > 0) {
        _ = write!(text, ", {part} {what}");
    }
    Some(text)
}

fn node_table(answer: &DisruptionsAnswer, zone: TimeZoneChoice) -> Table {
    let mut table = Table::new(vec![
        Column::text("node"),
        Column::new("from", Holds::Time),
        Column::text("what"),
        Column::text("by"),
        Column::new("for", Holds::Duration),
        Column::number("evicted"),
        Column::number("refused"),
        Column::text("result"),
    ]);
    let last = answer.last;
    table.rows = answer
        .nodes
        .iter()
        .map(|episode| {
            let what = if episode.sure { episode.what.name().to_owned() } else { unsure(episode) };
            vec![
                Cell::Text(episode.node.clone()),
                Cell::Time(episode.from),
                Cell::Text(what),
                Cell::Text(episode.user.clone()),
                lasted(episode).map_or(Cell::Missing, Cell::DurationNs),
                Cell::Number(episode.evicted),
                Cell::Number(episode.refused),
                Cell::Text(node_result(episode, last, zone)),
            ]
        })
        .collect();
    table
}

fn unsure(episode: &Episode) -> String {
    match episode.what {
        Kind::Write => "write".to_owned(),
        what => format!("{}, likely", what.name()),
    }
}

/// How long it lasted: a drain to the last pod, anything else until it was undone.
fn lasted(episode: &Episode) -> Option<i64> {
    let until = match episode.what {
        Kind::Drain | Kind::Evictions => episode.until,
        _ => episode.undone.as_ref().map(|(_, _, time)| *time),
    };
    Some((until?.0 - episode.from.0).max(0))
}

fn node_result(episode: &Episode, last: Option<Timestamp>, zone: TimeZoneChoice) -> String {
    let mut parts = Vec::new();
    if let Some(taint) = &episode.taint {
        parts.push(format!("taint {taint}"));
    }
    if let Some((pod, budget)) = episode.blocked.first() {
        let by = budget.as_ref().map(|budget| format!(" refused by {budget}")).unwrap_or_default();
        let others = episode.blocked.len() - 1;
        let others = if others > 0 { format!(" and {others} more") } else { String::new() };
        let how = if episode.hangs { "hangs" } else { "given up" };
        parts.push(format!("{how}: {pod}{by}{others}"));
    } else if episode.what == Kind::Drain && episode.evicted > 0 {
        parts.push("all evicted".to_owned());
    }
    if episode.deleted > 0 {
        parts.push(format!("{} deleted without eviction", counted(episode.deleted, "pod")));
    }
    match &episode.undone {
        Some((how, user, time)) => {
            let how = match how {
                Undone::Uncordoned => "uncordoned",
                Undone::PresumablyUncordoned => "probably uncordoned",
                Undone::Untainted => "taint removed",
                Undone::NodeDeleted => "node deleted",
            };
            parts.push(format!("{how} by {user} at {}", time_seconds(*time, zone)));
        }
        None => parts.extend(still(episode, last)),
    }
    parts.join("; ")
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

fn eviction_table(evictions: &[&Eviction], wide: bool) -> Table {
    let mut columns = vec![
        Column::text("eviction"),
        Column::text("node"),
        Column::new("first", Holds::Time),
        Column::new("last", Holds::Time),
        Column::text("by"),
        Column::number("attempts"),
        Column::number("refused"),
        Column::text("result"),
        Column::text("budget"),
    ];
    if wide {
        columns.push(Column::text("budget-from"));
    }
    let mut table = Table::new(columns);
    table.rows = evictions
        .iter()
        .map(|one| {
            let result = match &one.message {
                Some(message) => format!("{}: {message}", one.result.name()),
                None => one.result.name().to_owned(),
            };
            vec![
                Cell::Text(format!("{}/{}", one.namespace, one.pod)),
                one.node.clone().map_or(Cell::Missing, Cell::Text),
                Cell::Time(one.first),
                Cell::Time(one.last),
                Cell::Text(one.user.clone()),
                Cell::Number(one.attempts),
                Cell::Number(one.refused),
                Cell::Text(result),
                budget_text(one).map_or(Cell::Missing, Cell::Text),
                one.budget_from.map_or(Cell::Missing, |from| Cell::Text(from.name().to_owned())),
            ]
        })
        .collect();
    cut(table)
}

/// Rows have no more cells than there are columns.
fn cut(mut table: Table) -> Table {
    let columns = table.columns.len();
    table.rows.iter_mut().for_each(|row| row.truncate(columns));
    table
}

/// `db (minAvailable 100%): needs 3 healthy, has 3`.
fn budget_text(one: &Eviction) -> Option<String> {
    let mut text = one.budget.clone()?;
    if let Some(limit) = &one.limit {
        text += &format!(" ({limit})");
    }
    if let (Some(needs), Some(has)) = (one.needs, one.has) {
        text += &format!(": needs {needs} healthy, had {has}");
    }
    Some(text)
}

fn termination_table(terminations: &[&Termination], wide: bool, zone: TimeZoneChoice) -> Table {
    let mut columns = vec![
        Column::text("termination"),
        Column::text("node"),
        Column::new("began", Holds::Time),
        Column::text("by"),
        Column::text("cause"),
        Column::new("grace", Holds::Duration),
        Column::new("took", Holds::Duration),
        Column::text("result"),
    ];
    if wide {
        columns.push(Column::text("grace-from"));
    }
    let mut table = Table::new(columns);
    table.rows = terminations
        .iter()
        .map(|one| {
            vec![
                Cell::Text(format!("{}/{}", one.namespace, one.pod)),
                one.node.clone().map_or(Cell::Missing, Cell::Text),
                Cell::Time(one.began),
                Cell::Text(one.user.clone()),
                Cell::Text(one.cause.name().to_owned()),
                Cell::DurationNs(one.grace.saturating_mul(1_000_000_000)),
                one.took().map_or(Cell::Missing, Cell::DurationNs),
                Cell::Text(termination_result(one, zone)),
                Cell::Text(one.grace_from.name().to_owned()),
            ]
        })
        .collect();
    cut(table)
}

fn termination_result(one: &Termination, zone: TimeZoneChoice) -> String {
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

fn budget_table(budgets: &[&BudgetStory], wide: bool, zone: TimeZoneChoice) -> Table {
    let mut columns = vec![
        Column::text("budget"),
        Column::text("min-available"),
        Column::text("max-unavailable"),
        Column::text("healthy"),
        Column::number("evictions"),
        Column::number("refused"),
        Column::text("remarks"),
    ];
    if wide {
        columns.push(Column::text("selector"));
    }
    let mut table = Table::new(columns);
    let text = |text: Option<String>| text.map_or(Cell::Missing, Cell::Text);
    table.rows = budgets
        .iter()
        .map(|story| {
            let budget = story.budget.as_ref();
            vec![
                Cell::Text(format!("{}/{}", story.namespace, story.name)),
                text(budget.and_then(|budget| budget.min_available.clone())),
                text(budget.and_then(|budget| budget.max_unavailable.clone())),
                text(healthy(story)),
                Cell::Number(story.evictions),
                Cell::Number(story.refused),
                text(remarks(story, zone)),
                text(budget.and_then(|budget| Some(budget.selector.as_ref()?.shown()))),
            ]
        })
        .collect();
    cut(table)
}

/// `2 of 3, needs 2`.
fn healthy(story: &BudgetStory) -> Option<String> {
    let budget = story.budget.as_ref()?;
    let mut text = format!("{} of {}", budget.current?, budget.expected?);
    if let Some(desired) = budget.desired {
        _ = write!(text, ", needs {desired}");
    }
    Some(text)
}

fn remarks(story: &BudgetStory, zone: TimeZoneChoice) -> Option<String> {
    let mut remarks = story.findings.clone();
    for (user, time, message) in &story.rejected {
        remarks.push(format!("a write by {user} at {} was rejected: {message}", time_seconds(*time, zone)));
    }
    if let Some((user, time)) = &story.deleted {
        remarks.push(format!("deleted by {user} at {}", time_seconds(*time, zone)));
    }
    (!remarks.is_empty()).then(|| remarks.join("; "))
}

fn writes_table(writes: &[NodeWrites]) -> Table {
    let counts = ["create", "update", "patch", "delete", "status", "cordon", "uncordon", "evict"];
    let mut columns = vec![Column::text("written"), Column::text("by")];
    columns.extend(counts.map(Column::number));
    let mut table = Table::new(columns);
    table.rows = writes
        .iter()
        .map(|one| {
            let mut row = vec![Cell::Text(one.node.clone()), Cell::Text(one.user.clone())];
            row.extend(write_counts(one).map(Cell::Number));
            row
        })
        .collect();
    table
}

fn write_counts(one: &NodeWrites) -> [u64; 8] {
    [one.create, one.update, one.patch, one.delete, one.status, one.cordon, one.uncordon, one.evict]
}

/// Everything in one flat table, a row for each happening.
fn happenings(answer: &DisruptionsAnswer) -> Table {
    let time = |name: &str| Column::new(name, Holds::Time);
    let mut table = Table::new(vec![
        Column::text("kind"),
        time("from"),
        time("until"),
        Column::text("node"),
        Column::text("namespace"),
        Column::text("name"),
        Column::text("by"),
        Column::text("what"),
        Column::text("result"),
        Column::number("attempts"),
        Column::number("refused"),
        Column::text("budget"),
        Column::new("grace", Holds::Duration),
        Column::new("took", Holds::Duration),
        Column::text("detail"),
    ]);
    table.rows.extend(answer.nodes.iter().map(|one| node_row(one, answer.last)));
    table.rows.extend(answer.evictions.iter().map(eviction_row));
    table.rows.extend(answer.terminations.iter().map(termination_row));
    table.rows.extend(answer.budgets.iter().map(budget_row));
    table.rows.extend(answer.writes.iter().map(writes_row));
    table
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn optional(value: Option<&String>) -> Cell {
    value.cloned().map_or(Cell::Missing, Cell::Text)
}

fn node_row(one: &Episode, last: Option<Timestamp>) -> Vec<Cell> {
    let result = match (&one.undone, one.blocked.is_empty()) {
        (Some((how, ..)), _) => how.name(),
        (None, false) if one.hangs => "hangs",
        (None, false) => "given-up",
        (None, true) if one.what == Kind::Drain => "finished",
        (None, true) => "",
    };
    vec![
        text("node"),
        Cell::Time(one.from),
        one.until.or(one.undone.as_ref().map(|(_, _, time)| *time)).map_or(Cell::Missing, Cell::Time),
        text(&one.node),
        Cell::Missing,
        text(&one.node),
        text(&one.user),
        text(one.what.name()),
        text(result),
        Cell::Number(one.evicted + one.deleted),
        Cell::Number(one.refused),
        optional(one.blocked.first().and_then(|(_, budget)| budget.as_ref())),
        Cell::Missing,
        lasted(one).map_or(Cell::Missing, Cell::DurationNs),
        Cell::Text(node_result(one, last, TimeZoneChoice::Utc)),
    ]
}

fn eviction_row(one: &Eviction) -> Vec<Cell> {
    vec![
        text("eviction"),
        Cell::Time(one.first),
        Cell::Time(one.last),
        optional(one.node.as_ref()),
        text(&one.namespace),
        text(&one.pod),
        text(&one.user),
        text("eviction"),
        text(one.result.name()),
        Cell::Number(one.attempts),
        Cell::Number(one.refused),
        optional(one.budget.as_ref()),
        Cell::Missing,
        Cell::Missing,
        one.message.clone().or_else(|| budget_text(one)).map_or(Cell::Missing, Cell::Text),
    ]
}

fn termination_row(one: &Termination) -> Vec<Cell> {
    vec![
        text("termination"),
        Cell::Time(one.began),
        one.ended.map_or(Cell::Missing, Cell::Time),
        optional(one.node.as_ref()),
        text(&one.namespace),
        text(&one.pod),
        text(&one.user),
        text(one.cause.name()),
        text(one.end.name()),
        Cell::Missing,
        Cell::Missing,
        Cell::Missing,
        Cell::DurationNs(one.grace.saturating_mul(1_000_000_000)),
        one.took().map_or(Cell::Missing, Cell::DurationNs),
        Cell::Text(termination_result(one, TimeZoneChoice::Utc)),
    ]
}

fn budget_row(story: &BudgetStory) -> Vec<Cell> {
    let limit = story.budget.as_ref().and_then(|budget| budget.limit());
    vec![
        text("budget"),
        Cell::Missing,
        Cell::Missing,
        Cell::Missing,
        text(&story.namespace),
        text(&story.name),
        Cell::Missing,
        limit.map_or(Cell::Missing, Cell::Text),
        text(if story.findings.is_empty() { "" } else { "questionable" }),
        Cell::Number(story.evictions),
        Cell::Number(story.refused),
        text(&story.name),
        Cell::Missing,
        Cell::Missing,
        remarks(story, TimeZoneChoice::Utc).map_or(Cell::Missing, Cell::Text),
    ]
}

fn writes_row(one: &NodeWrites) -> Vec<Cell> {
    let names = ["create", "update", "patch", "delete", "status", "cordon", "uncordon", "evict"];
    let counts = names.iter().zip(write_counts(one)).filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(name, count)| format!("{name} {count}")).collect();
    let mut row = vec![Cell::Missing; 15];
    row[0] = text("writes");
    row[3] = text(&one.node);
    row[5] = text(&one.node);
    row[6] = text(&one.user);
    row[9] = Cell::Number(one.create + one.update + one.patch + one.delete + one.status);
    row[14] = Cell::Text(counts.join(", "));
    row
}

fn stamp(time: Option<Timestamp>) -> Value {
    time.map_or(Value::Null, |time| Value::from(time.to_rfc3339()))
}

fn totals(answer: &DisruptionsAnswer) -> Value {
    json!({
        "nodes": answer.nodes.len(),
        "evictions": answer.evictions.len(),
        "terminations": answer.terminations.len(),
        "endsWithoutBeginning": answer.ends_only,
        "collectionsWithoutNames": answer.unnamed_collections,
        "budgets": answer.budgets.len(),
    })
}

fn node_json(one: &Episode) -> Value {
    let blocked = |(pod, budget): &(String, Option<String>)| json!({"pod": pod, "budget": budget});
    let undone = one
        .undone
        .as_ref()
        .map(|(how, user, time)| json!({"how": how.name(), "user": user, "time": time.to_rfc3339()}));
    json!({
        "node": one.node,
        "what": one.what.name(),
        "sure": one.sure,
        "user": one.user,
        "from": one.from.to_rfc3339(),
        "until": stamp(one.until),
        "taint": one.taint,
        "evicted": one.evicted,
        "deleted": one.deleted,
        "refused": one.refused,
        "blocked": one.blocked.iter().map(blocked).collect::<Vec<_>>(),
        "hangs": one.hangs,
        "undone": undone,
    })
}

fn eviction_json(one: &Eviction) -> Value {
    json!({
        "namespace": one.namespace,
        "pod": one.pod,
        "node": one.node,
        "user": one.user,
        "first": one.first.to_rfc3339(),
        "last": one.last.to_rfc3339(),
        "attempts": one.attempts,
        "refused": one.refused,
        "result": one.result.name(),
        "message": one.message,
        "budget": one.budget,
        "budgetFrom": one.budget_from.map(|from| from.name()),
        "limit": one.limit,
        "needs": one.needs,
        "has": one.has,
    })
}

fn termination_json(one: &Termination) -> Value {
    json!({
        "namespace": one.namespace,
        "pod": one.pod,
        "node": one.node,
        "user": one.user,
        "cause": one.cause.name(),
        "reason": one.reason,
        "began": one.began.to_rfc3339(),
        "ended": stamp(one.ended),
        "graceSeconds": one.grace,
        "graceFrom": one.grace_from.name(),
        "tookUs": one.took().map(|took| took / 1000),
        "end": one.end.name(),
        "forcedBy": one.forced_by,
    })
}

fn budget_json(story: &BudgetStory) -> Value {
    let budget = story.budget.as_ref();
    let rejected = |(user, time, message): &(String, Timestamp, String)| json!({"user": user, "time": time.to_rfc3339(), "message": message});
    let deleted = story.deleted.as_ref().map(|(user, time)| json!({"user": user, "time": time.to_rfc3339()}));
    json!({
        "namespace": story.namespace,
        "name": story.name,
        "minAvailable": budget.and_then(|budget| budget.min_available.clone()),
        "maxUnavailable": budget.and_then(|budget| budget.max_unavailable.clone()),
        "selector": budget.and_then(|budget| Some(budget.selector.as_ref()?.shown())),
        "unhealthyPodEvictionPolicy": budget.and_then(|budget| budget.unhealthy_policy.clone()),
        "disruptionsAllowed": budget.and_then(|budget| budget.allowed),
        "currentHealthy": budget.and_then(|budget| budget.current),
        "desiredHealthy": budget.and_then(|budget| budget.desired),
        "expectedPods": budget.and_then(|budget| budget.expected),
        "evictions": story.evictions,
        "refused": story.refused,
        "findings": story.findings,
        "rejected": story.rejected.iter().map(rejected).collect::<Vec<_>>(),
        "deleted": deleted,
    })
}

fn writes_json(one: &NodeWrites) -> Value {
    json!({
        "node": one.node,
        "user": one.user,
        "create": one.create,
        "update": one.update,
        "patch": one.patch,
        "delete": one.delete,
        "status": one.status,
        "cordon": one.cordon,
        "uncordon": one.uncordon,
        "evict": one.evict,
    })
}
