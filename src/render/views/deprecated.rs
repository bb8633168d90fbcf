//! `summary --deprecated`.

use serde_json::{Map, Value, json};

use super::{Shown, note, text_cell, time_cell};
use crate::aggregate::views::deprecated::{DeprecatedAnswer, DeprecatedRow, Known};
use crate::render::answer::Answer;
use crate::render::document::time;
use crate::render::summary::codes_cell;
use crate::render::table::{Cell, Column, Kind, Table};

impl Shown<DeprecatedAnswer> {
    /// What the table does not say by itself.
    pub fn notes(&self) -> String {
        let rows = &self.answer.rows;
        let mut notes = self.grouped.hidden(rows.len(), "group");
        if rows.is_empty() {
            notes += &note("no request uses an API version that is known to be deprecated");
        }
        if rows.iter().any(|row| row.known == Known::Version) {
            notes += &note("KNOWN-BY version: the server did not say so, the Kubernetes deprecation guide does");
        }
        notes
    }

    fn shown(&self) -> impl Iterator<Item = &DeprecatedRow> {
        self.answer.rows.iter().take(self.grouped.top)
    }

    fn cells(&self, row: &DeprecatedRow, wide: bool) -> Vec<Cell> {
        let mut cells = vec![
            Cell::Text(api_version(row)),
            Cell::Text(row.resource.clone()),
            row.removed_in.map_or(Cell::Missing, |release| Cell::Text(release.to_string())),
            Cell::Text(row.known.name().to_owned()),
        ];
        cells.extend(self.grouped.cells(&row.values));
        cells.push(Cell::Number(row.stats.count));
        cells.push(codes_cell(row.stats.codes.sorted()));
        if wide {
            cells.push(time_cell(row.stats.span.first()));
        }
        cells.push(time_cell(row.stats.span.last()));
        if wide {
            cells.push(text_cell(row.instead));
        }
        cells
    }

    fn row_members(&self, row: &DeprecatedRow) -> Value {
        let mut members = Map::new();
        let own = [
            ("deprecatedAPIVersion", json!(api_version(row))),
            ("deprecatedResource", json!(row.resource)),
            ("removedIn", json!(row.removed_in.map(|release| release.to_string()))),
            ("knownBy", json!(row.known.name())),
            ("instead", json!(row.instead)),
        ];
        members.extend(own.map(|(name, value)| (name.to_owned(), value)));
        members.extend(self.grouped.members(&row.values));
        let rest = [
            ("requests", json!(row.stats.count)),
            ("codes", json!(row.stats.codes.sorted())),
            ("first", time(row.stats.span.first())),
            ("last", time(row.stats.span.last())),
        ];
        members.extend(rest.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(members)
    }
}

/// `policy/v1beta1`, `v1`.
fn api_version(row: &DeprecatedRow) -> String {
    if row.group.is_empty() { row.version.clone() } else { format!("{}/{}", row.group, row.version) }
}

impl Answer for Shown<DeprecatedAnswer> {
    const KIND: &'static str = "DeprecatedAPIs";

    fn table(&self, wide: bool) -> Table {
        let mut columns: Vec<Column> = ["api-version", "resource", "removed-in", "known-by"].map(Column::text).into();
        columns.extend(self.grouped.columns());
        columns.push(Column::number("requests"));
        columns.push(Column::text("codes"));
        if wide {
            columns.push(Column::new("first", Kind::Time));
        }
        columns.push(Column::new("last", Kind::Time));
        if wide {
            columns.push(Column::text("instead"));
        }
        let mut table = Table::new(columns);
        table.rows = self.shown().map(|row| self.cells(row, wide)).collect();
        table
    }

    fn members(&self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("by".to_owned(), json!(self.grouped.names()));
        document.insert("requests".to_owned(), json!(self.answer.requests));
        document.insert("groups".to_owned(), self.shown().map(|row| self.row_members(row)).collect());
        document
    }
}
