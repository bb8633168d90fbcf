//! The query API of Azure Log Analytics: tables of columns and rows, each row an event.

use bumpalo::Bump;

use super::Take;
use super::row::Row;
use super::values::{decoded, text};
use crate::event::{Origin, RawJson, Text};

/// Rebuilds the events of all rows of all tables.
pub(super) fn convert<'a>(answer: RawJson<'a>, arena: &'a Bump, take: Take<'_, 'a>) -> bool {
    let Some(tables) = answer.get(b"tables").filter(|tables| tables.elements().any(is_table)) else { return false };
    for table in tables.elements() {
        let (Some(columns), Some(rows)) = (table.get(b"columns"), table.get(b"rows")) else { continue };
        let names: Vec<Text<'a>> = columns.elements().map(|column| name_of(column)).collect();
        for row in rows.elements() {
            convert_row(&names, row, arena, take);
        }
    }
    true
}

fn is_table(table: RawJson<'_>) -> bool {
    table.get(b"columns").is_some() && table.get(b"rows").is_some()
}

/// A column without a name holds nothing of an event, but it keeps its place.
fn name_of(column: RawJson<'_>) -> Text<'_> {
    text(column.get(b"name")).unwrap_or(Text::plain(b"_"))
}

fn convert_row<'a>(names: &[Text<'a>], row: RawJson<'a>, arena: &'a Bump, take: Take<'_, 'a>) {
    if row.0.first() != Some(&b'[') {
        return;
    }
    let cell = |name: &[u8]| {
        let cells = names.iter().zip(row.elements());
        cells.filter(|(column, _)| column.eq_bytes(name)).map(|(_, cell)| cell).last()
    };
    // The older table holds the event's text as a whole, beside the logs of other components.
    if let Some(log) = text(cell(b"log_s")) {
        let category = text(cell(b"Category"));
        if category.is_none_or(|category| category.raw().starts_with(b"kube-audit")) {
            let origin = Origin { pod: text(cell(b"pod_s")), cluster: text(cell(b"_ResourceId")), ..Origin::NONE };
            take(decoded(log, arena).trim_ascii(), origin);
        }
        return;
    }
    let mut event = Row::new(arena);
    for (name, cell) in names.iter().zip(row.elements()) {
        event.column(*name, cell);
    }
    if let Some((event, origin)) = event.finish() {
        take(event, origin);
    }
}
