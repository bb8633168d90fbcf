//! Answers as tables: one plain answer, shown to people or as CSV.
//!
//! Only bounded answers become tables; rows of events stream through [`super::RowFormat`]. The look
//! is kubectl's: no borders, upper-case headers, three spaces between columns, `<none>` for absence.
//! Everything is escaped and bounded before the table library sees it, because it forwards escape bytes.

use std::borrow::Cow;

use comfy_table::{Cell as ShownCell, CellAlignment, Row, Table as ShownTable, presets};
use serde_json::Value;

use super::csv::csv_row;
use super::human::{self, TimeZoneChoice};
use super::sanitize;
use crate::event::Timestamp;

/// What `<none>` looks like.
pub(super) const ABSENT: &str = "<none>";

/// What a column holds, so that programs get its values in a stated unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text, or numbers that are names (`403`).
    Text,
    /// Counts.
    Number,
    /// Moments.
    Time,
    /// Durations: `1.567ms` for people, microseconds for programs.
    Duration,
    /// Sizes: `1.2 GiB` for people, bytes for programs.
    Bytes,
    /// Shares: `81%` for people, percent with two decimals for programs.
    Share,
}

/// A column of a [`Table`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// The header, upper-case without spaces.
    pub name: String,
    /// What the column holds.
    pub kind: Kind,
    /// Whether cells align at the right edge.
    pub right: bool,
}

impl Column {
    /// A column of that name; everything but text and times aligns at the right.
    pub fn new(name: &str, kind: Kind) -> Self {
        Column { name: name.to_uppercase(), kind, right: !matches!(kind, Kind::Text | Kind::Time) }
    }

    /// A column of text.
    pub fn text(name: &str) -> Self {
        Column::new(name, Kind::Text)
    }

    /// A column of counts.
    pub fn number(name: &str) -> Self {
        Column::new(name, Kind::Number)
    }

    /// The header for programs: `P99-US`, `SIZE-BYTES`, `SHARE-PERCENT`.
    fn machine_name(&self) -> String {
        let unit = match self.kind {
            Kind::Duration => "-US",
            Kind::Bytes => "-BYTES",
            Kind::Share => "-PERCENT",
            Kind::Text | Kind::Number | Kind::Time => "",
        };
        format!("{}{unit}", self.name)
    }
}

/// One value of a [`Table`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cell {
    /// Text, as the log has it; escaping is the renderer's work. Empty text shows as absence.
    Text(String),
    /// A count.
    Number(u64),
    /// A difference of counts.
    Signed(i64),
    /// A moment.
    Time(Timestamp),
    /// A duration in nanoseconds.
    DurationNs(i64),
    /// A size in bytes.
    Bytes(u64),
    /// A part of a whole.
    Share {
        /// The part.
        part: u64,
        /// The whole.
        whole: u64,
    },
    /// Nothing to show.
    Missing,
}

impl Cell {
    fn for_people(&self, zone: TimeZoneChoice) -> Cow<'_, str> {
        Cow::Owned(match self {
            Cell::Text(text) if !text.is_empty() => return sanitize::cell(text),
            Cell::Text(_) | Cell::Missing => return Cow::Borrowed(ABSENT),
            Cell::Number(value) => human::number(*value),
            Cell::Signed(value) if *value < 0 => format!("-{}", human::number(value.unsigned_abs())),
            Cell::Signed(value) => human::number(value.unsigned_abs()),
            Cell::Time(time) => human::time_seconds(*time, zone),
            Cell::DurationNs(value) => human::duration(*value),
            Cell::Bytes(value) => human::bytes(*value),
            Cell::Share { part, whole } => human::percent(*part, *whole),
        })
    }

    /// The value without its unit, not yet escaped.
    fn for_programs(&self, zone: TimeZoneChoice) -> Cow<'_, str> {
        Cow::Owned(match self {
            Cell::Text(text) => return Cow::Borrowed(text),
            Cell::Missing => return Cow::Borrowed(""),
            Cell::Number(value) | Cell::Bytes(value) => value.to_string(),
            Cell::Signed(value) => value.to_string(),
            Cell::Time(time) => human::time_micros(*time, zone),
            Cell::DurationNs(value) => (value / 1000).to_string(),
            Cell::Share { part, whole } => {
                let hundredths = hundredths_of_percent(*part, *whole);
                format!("{}.{:02}", hundredths / 100, hundredths % 100)
            }
        })
    }

    /// The value for a JSON answer: durations in microseconds, times in UTC, shares in percent.
    pub fn to_json(&self) -> Value {
        match self {
            Cell::Text(text) => Value::from(text.as_str()),
            Cell::Missing => Value::Null,
            Cell::Number(value) | Cell::Bytes(value) => Value::from(*value),
            Cell::Signed(value) => Value::from(*value),
            Cell::Time(time) => Value::from(time.to_rfc3339()),
            Cell::DurationNs(value) => Value::from(value / 1000),
            Cell::Share { part, whole } => Value::from(hundredths_of_percent(*part, *whole) as f64 / 100.0),
        }
    }
}

fn hundredths_of_percent(part: u64, whole: u64) -> u64 {
    let whole = u128::from(whole.max(1));
    let share = (u128::from(part) * 20_000 + whole) / (whole * 2);
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// A plain answer that every renderer understands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows; a row that is too short ends in absence.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table of these columns.
    pub fn new(columns: Vec<Column>) -> Self {
        Table { columns, rows: Vec::new() }
    }
}

/// Writes the table for people.
pub fn render_table(table: &Table, headers: bool, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let mut shown = ShownTable::new();
    shown.load_style(presets::NOTHING);
    if headers {
        shown.set_header(shown_row(table.columns.iter().map(|column| sanitize::cell(&column.name))));
    }
    for row in &table.rows {
        let missing = std::iter::repeat(&Cell::Missing);
        let cells = row.iter().chain(missing).take(table.columns.len());
        shown.add_row(shown_row(cells.map(|cell| cell.for_people(zone))));
    }
    for (at, column) in table.columns.iter().enumerate() {
        let Some(shown_column) = shown.column_mut(at) else { continue };
        shown_column.set_padding((0, if at + 1 < table.columns.len() { 3 } else { 0 }));
        if column.right {
            shown_column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in shown.lines() {
        out.extend_from_slice(line.trim_end().as_bytes());
        out.push(b'\n');
    }
}

fn shown_row<'a>(cells: impl Iterator<Item = Cow<'a, str>>) -> Row {
    cells.map(|cell| ShownCell::new_owned(cell.into_owned())).collect::<Vec<_>>().into()
}

/// Writes the table as CSV: values in one unit, which the header names.
pub fn render_csv(table: &Table, headers: bool, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    if headers {
        csv_row(table.columns.iter().map(Column::machine_name), out);
    }
    for row in &table.rows {
        let missing = std::iter::repeat(&Cell::Missing);
        let cells = row.iter().chain(missing).take(table.columns.len());
        csv_row(cells.map(|cell| cell.for_programs(zone)), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(vec![
            Column::text("user"),
            Column::number("count"),
            Column::new("share", Kind::Share),
            Column::new("p99", Kind::Duration),
            Column::new("last", Kind::Time),
        ]);
        table.rows.push(vec![
            Cell::Text("system:node:a".into()),
            Cell::Number(1_234_567),
            Cell::Share { part: 999, whole: 1000 },
            Cell::DurationNs(1_567_000),
            Cell::Time(Timestamp(1_714_564_800_000_000_000)),
        ]);
        table.rows.push(vec![Cell::Text("\x1b[31mé\nx".into()), Cell::Number(3)]);
        table
    }

    fn text(render: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        render(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_align() {
        let expected = "\
USER                COUNT    SHARE       P99   LAST
system:node:a   1,234,567     >99%   1.567ms   2024-05-01T12:00:00Z
\\x1b[31mé\\nx            3   <none>    <none>   <none>
";
        assert_eq!(text(|out| render_table(&sample(), true, TimeZoneChoice::Utc, out)), expected);
        let bare = text(|out| render_table(&sample(), false, TimeZoneChoice::Utc, out));
        assert!(bare.starts_with("system:node:a   1,234,567     >99%"), "{bare}");
    }

    #[test]
    fn nothing_but_headers() {
        let table = Table::new(vec![Column::text("A"), Column::number("B")]);
        assert_eq!(text(|out| render_table(&table, true, TimeZoneChoice::Utc, out)), "A   B\n");
        assert_eq!(text(|out| render_table(&table, false, TimeZoneChoice::Utc, out)), "");
    }

    #[test]
    fn programs_get_units() {
        let expected = "\
USER,COUNT,SHARE-PERCENT,P99-US,LAST
system:node:a,1234567,99.90,1567,2024-05-01T12:00:00.000000Z
\\x1b[31mé\\nx,3,,,
";
        assert_eq!(text(|out| render_csv(&sample(), true, TimeZoneChoice::Utc, out)), expected);
        assert_eq!(Cell::DurationNs(1_567_000).to_json(), Value::from(1567));
    }
}
