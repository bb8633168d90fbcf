//! `summary --churn`.

use serde_json::{Map, Value, json};

use super::{Shown, hidden, note, rate, rate_cell, rate_value, text_cell, time_cell};
use crate::aggregate::views::churn::{ChurnAnswer, ChurnRow, Writer};
use crate::render::answer::Answer;
use crate::render::document::time;
use crate::render::human::counted;
use crate::render::summary::codes_cell;
use crate::render::table::{Cell, Column, Kind, Table};

const MINUTE: u64 = 60_000_000_000;

impl Shown<ChurnAnswer> {
    /// What the table does not say by itself.
    pub fn notes(&self, all: bool) -> String {
        let rows = &self.answer.rows;
        let mut notes = hidden(rows.len(), self.grouped.top, "object");
        if self.answer.writes == 0 {
            notes += &note("no write to an object that has a name matches");
        } else if rows.is_empty() {
            notes += &note("no object was written so often; --min 1 shows all that were written");
        }
        if !all {
            notes += &note("leases and events are left out; --resource leases,events looks at them");
        }
        if !rows.is_empty() && rows.iter().all(|row| row.judged == 0) {
            notes += &note("which writes change nothing cannot be told: neither responses nor versions are recorded");
        }
        notes
    }

    fn shown(&self) -> impl Iterator<Item = &ChurnRow> {
        self.answer.rows.iter().take(self.grouped.top)
    }
}

/// `user (manager)`, or the one of them that says something.
fn name(writer: &Writer) -> String {
    match (&writer.user, &writer.manager) {
        (Some(user), Some(manager)) => format!("{user} ({manager})"),
        (user, manager) => user.clone().or(manager.clone()).unwrap_or_else(|| "<none>".to_owned()),
    }
}

/// `system:serviceaccount:a:b` is long, and its parts are what tells writers apart.
fn writers(row: &ChurnRow) -> String {
    let mut shown: Vec<String> = row.writers.iter().take(2).map(|w| format!("{}:{}", name(w), w.writes)).collect();
    if row.writers.len() > 2 {
        shown.push(format!("and {} more", row.writers.len() - 2));
    }
    shown.join(", ")
}

fn remarks(row: &ChurnRow) -> Cell {
    let mut remarks = Vec::new();
    if let Some(turns) = &row.turns {
        remarks.push(format!("two writers take turns ({} of {})", turns.turns, turns.of));
    }
    if row.unchanged > 0 {
        remarks.push(format!("{} of {} changed nothing", row.unchanged, counted(row.writes, "write")));
    }
    if row.refused > 0 {
        remarks.push(format!("{} refused besides", row.refused));
    }
    if row.conflicts > 0 {
        remarks.push(counted(row.conflicts, "conflict"));
    }
    Cell::Text(remarks.join("; "))
}

/// `deployments.apps/web/status`.
fn object(row: &ChurnRow) -> String {
    match row.resource.split_once('/') {
        Some((resource, subresource)) => format!("{resource}/{}/{subresource}", row.name),
        None => format!("{}/{}", row.resource, row.name),
    }
}

fn cells(row: &ChurnRow, wide: bool) -> Vec<Cell> {
    let mut cells = vec![
        text_cell(row.namespace.as_deref()),
        Cell::Text(object(row)),
        Cell::Number(row.writes),
        rate_cell(rate(row.writes, row.span_ns(), MINUTE)),
        row.gap_ns.map_or(Cell::Missing, Cell::DurationNs),
        Cell::Text(writers(row)),
        remarks(row),
    ];
    if wide {
        cells.push(if row.judged > 0 { Cell::Number(row.unchanged) } else { Cell::Missing });
        cells.push(Cell::Number(row.conflicts));
        cells.push(codes_cell(row.codes.clone()));
        cells.extend([row.first, row.last].map(time_cell));
    }
    cells
}

fn members(row: &ChurnRow) -> Value {
    let writer = |writer: &Writer| {
        json!({
            "user": writer.user,
            "fieldManager": writer.manager,
            "writes": writer.writes,
            "conflicts": writer.conflicts,
            "unchanged": writer.unchanged,
        })
    };
    let turns = row.turns.as_ref().map(|turns| {
        let between = [turns.between.0, turns.between.1];
        json!({"writers": between, "turns": turns.turns, "of": turns.of})
    });
    json!({
        "namespace": row.namespace,
        "resource": row.resource,
        "name": row.name,
        "writes": row.writes,
        "refused": row.refused,
        "perMinute": rate_value(rate(row.writes, row.span_ns(), MINUTE)),
        "gapUs": row.gap_ns.map(|gap| gap / 1000),
        "compared": row.judged,
        "unchanged": row.unchanged,
        "conflicts": row.conflicts,
        "codes": row.codes,
        "writers": row.writers.iter().map(writer).collect::<Vec<_>>(),
        "takingTurns": turns,
        "first": time(row.first),
        "last": time(row.last),
    })
}

impl Answer for Shown<ChurnAnswer> {
    const KIND: &'static str = "Churn";

    fn table(&self, wide: bool) -> Table {
        let mut columns = vec![Column::text("namespace"), Column::text("object"), Column::number("writes")];
        columns.push(Column::number("per-minute"));
        columns.push(Column::new("gap", Kind::Duration));
        columns.extend(["writers", "remarks"].map(Column::text));
        if wide {
            columns.extend(["unchanged", "conflicts"].map(Column::number));
            columns.push(Column::text("codes"));
            columns.extend(["first", "last"].map(|name| Column::new(name, Kind::Time)));
        }
        let mut table = Table::new(columns);
        table.rows = self.shown().map(|row| cells(row, wide)).collect();
        table
    }

    fn members(&self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("writes".to_owned(), json!(self.answer.writes));
        document.insert("objectsWritten".to_owned(), json!(self.answer.objects));
        document.insert("objects".to_owned(), self.shown().map(members).collect());
        document
    }
}
