//! `summary --pollers`.

use serde_json::{Map, Value, json};

use super::{Shown, hidden, note, text_cell};
use crate::aggregate::views::pollers::{Poller, PollersAnswer};
use crate::render::answer::Answer;
use crate::render::document::share;
use crate::render::table::{Cell, Column, Kind, Table};

impl Shown<PollersAnswer> {
    /// What the table does not say by itself.
    pub fn notes(&self) -> String {
        let mut notes = hidden(self.answer.rows.len(), self.grouped.top, "poller");
        if self.answer.rows.is_empty() {
            notes += &note("nobody asks the same at regular times");
        }
        notes
    }

    fn shown(&self) -> impl Iterator<Item = &Poller> {
        self.answer.rows.iter().take(self.grouped.top)
    }
}

fn cells(row: &Poller, wide: bool) -> Vec<Cell> {
    let mut cells = vec![
        text_cell(row.user.as_deref()),
        text_cell(row.user_agent.as_deref()),
        Cell::Number(row.requests),
        Cell::DurationNs(row.every_ns),
        Cell::Share { part: row.regular, whole: row.requests - 1 },
        text_cell(row.verb.as_deref()),
        text_cell(row.uri.as_deref()),
    ];
    if wide {
        cells.push(text_cell(row.source_ip.as_deref()));
        cells.extend([row.first, row.last].map(Cell::Time));
    }
    cells
}

fn members(row: &Poller) -> Value {
    json!({
        "user": row.user,
        "userAgent": row.user_agent,
        "sourceIP": row.source_ip,
        "verb": row.verb,
        "requestURI": row.uri,
        "requests": row.requests,
        "everyUs": row.every_ns / 1000,
        "regular": share(row.regular, row.requests - 1),
        "first": row.first.to_rfc3339(),
        "last": row.last.to_rfc3339(),
    })
}

impl Answer for Shown<PollersAnswer> {
    const KIND: &'static str = "Pollers";

    fn table(&self, wide: bool) -> Table {
        let mut columns = vec![Column::text("user"), Column::text("userAgent"), Column::number("requests")];
        columns.push(Column::new("every", Kind::Duration));
        columns.push(Column::new("regular", Kind::Share));
        columns.extend(["verb", "uri"].map(Column::text));
        if wide {
            columns.push(Column::text("sourceIP"));
            columns.extend(["first", "last"].map(|name| Column::new(name, Kind::Time)));
        }
        let mut table = Table::new(columns);
        table.rows = self.shown().map(|row| cells(row, wide)).collect();
        table
    }

    fn members(&self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("lookedAt".to_owned(), json!(self.answer.looked_at));
        document.insert("pollers".to_owned(), self.shown().map(members).collect());
        document
    }
}
