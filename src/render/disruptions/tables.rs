//! The tables that people see, one for each kind of disruption.

use super::words::{budget_text, healthy, lasted, node_result, remarks, termination_result};
use crate::aggregate::disruptions::DisruptionsAnswer;
use crate::aggregate::disruptions::evictions::{BudgetStory, Eviction};
use crate::aggregate::disruptions::nodes::{Episode, Kind, NodeWrites};
use crate::aggregate::disruptions::terminations::Termination;
use crate::render::TimeZoneChoice;
use crate::render::table::{Cell, Column, Kind as Holds, Table};

pub(super) fn node_table(answer: &DisruptionsAnswer, zone: TimeZoneChoice) -> Table {
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

pub(super) fn eviction_table(evictions: &[&Eviction], wide: bool) -> Table {
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

pub(super) fn termination_table(terminations: &[&Termination], wide: bool, zone: TimeZoneChoice) -> Table {
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

pub(super) fn budget_table(budgets: &[&BudgetStory], wide: bool, zone: TimeZoneChoice) -> Table {
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

/// What is counted of who writes a node.
pub(super) const WRITES: [&str; 8] = ["create", "update", "patch", "delete", "status", "cordon", "uncordon", "evict"];

pub(super) fn writes_table(writes: &[NodeWrites]) -> Table {
    let mut columns = vec![Column::text("written"), Column::text("by")];
    columns.extend(WRITES.map(Column::number));
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

/// How often of each, in the order of [`WRITES`].
pub(super) fn write_counts(one: &NodeWrites) -> [u64; 8] {
    [one.create, one.update, one.patch, one.delete, one.status, one.cordon, one.uncordon, one.evict]
}

/// Rows have no more cells than there are columns.
fn cut(mut table: Table) -> Table {
    let columns = table.columns.len();
    table.rows.iter_mut().for_each(|row| row.truncate(columns));
    table
}
