//! `summary --lists`.

use serde_json::{Map, Value, json};

use super::{Shown, note, time_cell, us_cell};
use crate::aggregate::views::lists::{ListRow, ListsAnswer};
use crate::render::answer::Answer;
use crate::render::document::time;
use crate::render::summary::codes_cell;
use crate::render::table::{Cell, Column, Kind, Table};

impl Shown<ListsAnswer> {
    /// What the table does not say by itself.
    pub fn notes(&self) -> String {
        let mut notes = self.grouped.hidden(self.answer.rows.len(), "group");
        if self.answer.lists == 0 {
            notes += &note("no list matches");
        } else if self.answer.rows.iter().all(|row| row.size_max.is_none()) {
            notes += &note("how large the lists are is not recorded: no response bodies");
        }
        notes
    }

    fn shown(&self) -> impl Iterator<Item = &ListRow> {
        self.answer.rows.iter().take(self.grouped.top)
    }

    fn cells(&self, row: &ListRow, wide: bool) -> Vec<Cell> {
        let mut cells = self.grouped.cells(&row.values);
        cells.extend([row.lists, row.whole, row.cached, row.paged].map(Cell::Number));
        let times = row.latency.map(|latency| [latency.p50, latency.p99, latency.max]);
        (0..3).for_each(|at| cells.push(us_cell(times.map(|times| times[at]))));
        cells.push(row.size_max.map_or(Cell::Missing, Cell::Bytes));
        cells.push(codes_cell(row.codes.clone()));
        if wide {
            cells.push(Cell::Number(row.selected));
            cells.extend([row.first, row.last].map(time_cell));
        }
        cells
    }

    fn row_members(&self, row: &ListRow) -> Value {
        let mut members = self.grouped.members(&row.values);
        let rest = [
            ("lists", json!(row.lists)),
            ("whole", json!(row.whole)),
            ("fromCache", json!(row.cached)),
            ("paged", json!(row.paged)),
            ("selected", json!(row.selected)),
            ("responseBytesMax", json!(row.size_max)),
            ("latencyUs", json!(row.latency)),
            ("codes", json!(row.codes)),
            ("first", time(row.first)),
            ("last", time(row.last)),
        ];
        members.extend(rest.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(members)
    }
}

impl Answer for Shown<ListsAnswer> {
    const KIND: &'static str = "Lists";

    fn table(&self, wide: bool) -> Table {
        let mut columns = self.grouped.columns();
        columns.extend(["lists", "whole", "from-cache", "paged"].map(Column::number));
        columns.extend(["p50", "p99", "max"].map(|name| Column::new(name, Kind::Duration)));
        columns.push(Column::new("largest", Kind::Bytes));
        columns.push(Column::text("codes"));
        if wide {
            columns.push(Column::number("selected"));
            columns.extend(["first", "last"].map(|name| Column::new(name, Kind::Time)));
        }
        let mut table = Table::new(columns);
        table.rows = self.shown().map(|row| self.cells(row, wide)).collect();
        table
    }

    fn members(&self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("by".to_owned(), json!(self.grouped.names()));
        document.insert("lists".to_owned(), json!(self.answer.lists));
        document.insert("groups".to_owned(), self.shown().map(|row| self.row_members(row)).collect());
        document
    }
}
