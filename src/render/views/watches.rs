//! `summary --watches`.

use serde_json::{Map, Value, json};

use super::{Shown, note, rate, rate_cell, rate_value, time_cell, us_cell};
use crate::aggregate::views::watches::{WatchRow, WatchesAnswer};
use crate::render::answer::Answer;
use crate::render::document::time;
use crate::render::human::number;
use crate::render::summary::codes_cell;
use crate::render::table::{Cell, Column, Kind, Table};

const HOUR: u64 = 3_600_000_000_000;

impl Shown<WatchesAnswer> {
    /// What the table does not say by itself.
    pub fn notes(&self) -> String {
        let answer = &self.answer;
        let mut notes = self.grouped.hidden(answer.rows.len(), "group");
        if answer.watches == 0 {
            notes += &note("no watch matches");
        } else if answer.rows.iter().all(|row| row.lasted.is_none()) {
            notes += &note("no watch has ended in this log, or it does not record when");
        }
        let early: u64 = answer.rows.iter().map(|row| row.early).sum();
        if early > 0 {
            let asking: u64 = answer.rows.iter().map(|row| row.asking).sum();
            let (early, asking) = (number(early), number(asking));
            notes += &note(&format!("of {asking} watches whose client asked for a time, {early} ended early"));
        }
        notes
    }

    fn shown(&self) -> impl Iterator<Item = &WatchRow> {
        self.answer.rows.iter().take(self.grouped.top)
    }

    fn per_hour(&self, row: &WatchRow) -> Option<u64> {
        rate(row.watches, self.answer.span_ns, HOUR)
    }

    fn cells(&self, row: &WatchRow, wide: bool) -> Vec<Cell> {
        let mut cells = self.grouped.cells(&row.values);
        cells.push(Cell::Number(row.watches));
        cells.push(rate_cell(self.per_hour(row)));
        cells.push(Cell::Number(row.open));
        cells.extend(
            [row.lasted.map(|of| of.p50), row.lasted.map(|of| of.p90), row.lasted.map(|of| of.max)].map(us_cell),
        );
        cells.push(row.asked_s.map_or(Cell::Missing, |asked| {
            Cell::DurationNs(i64::try_from(asked).unwrap_or(i64::MAX).saturating_mul(1_000_000_000))
        }));
        cells.push(Cell::Number(row.early));
        cells.push(codes_cell(row.codes.clone()));
        if wide {
            cells.push(us_cell(row.lasted.map(|of| of.min)));
            cells.extend([row.first, row.last].map(time_cell));
        }
        cells
    }

    fn row_members(&self, row: &WatchRow) -> Value {
        let mut members = self.grouped.members(&row.values);
        let rest = [
            ("watches", json!(row.watches)),
            ("perHour", rate_value(self.per_hour(row))),
            ("open", json!(row.open)),
            ("early", json!(row.early)),
            ("asking", json!(row.asking)),
            ("askedSeconds", json!(row.asked_s)),
            ("lastedUs", json!(row.lasted)),
            ("codes", json!(row.codes)),
            ("first", time(row.first)),
            ("last", time(row.last)),
        ];
        members.extend(rest.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(members)
    }
}

impl Answer for Shown<WatchesAnswer> {
    const KIND: &'static str = "Watches";

    fn table(&self, wide: bool) -> Table {
        let mut columns = self.grouped.columns();
        columns.extend(["watches", "per-hour", "open"].map(Column::number));
        columns.extend(["p50", "p90", "max"].map(|name| Column::new(name, Kind::Duration)));
        columns.push(Column::new("asked", Kind::Duration));
        columns.push(Column::number("early"));
        columns.push(Column::text("codes"));
        if wide {
            columns.push(Column::new("min", Kind::Duration));
            columns.extend(["first", "last"].map(|name| Column::new(name, Kind::Time)));
        }
        let mut table = Table::new(columns);
        table.rows = self.shown().map(|row| self.cells(row, wide)).collect();
        table
    }

    fn members(&self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("by".to_owned(), json!(self.grouped.names()));
        document.insert("watches".to_owned(), json!(self.answer.watches));
        document.insert("spanSeconds".to_owned(), json!(self.answer.span_ns / 1_000_000_000));
        document.insert("groups".to_owned(), self.shown().map(|row| self.row_members(row)).collect());
        document
    }
}
