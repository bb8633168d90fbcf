//! Everything in one flat table, as CSV has it: a row for each happening, of whatever kind it is.

use super::tables::{WRITES, write_counts};
use super::words::{budget_text, lasted, node_result, remarks, termination_result};
use crate::aggregate::disruptions::DisruptionsAnswer;
use crate::aggregate::disruptions::evictions::{BudgetStory, Eviction};
use crate::aggregate::disruptions::nodes::{Episode, Kind, NodeWrites};
use crate::aggregate::disruptions::terminations::Termination;
use crate::event::Timestamp;
use crate::render::TimeZoneChoice;
use crate::render::table::{Cell, Column, Kind as Holds, Table};

/// All happenings, kind by kind.
pub(super) fn happenings(answer: &DisruptionsAnswer) -> Table {
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
    let counts = WRITES.iter().zip(write_counts(one)).filter(|(_, count)| *count > 0);
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

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn optional(value: Option<&String>) -> Cell {
    value.cloned().map_or(Cell::Missing, Cell::Text)
}
