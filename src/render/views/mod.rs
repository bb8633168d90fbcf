//! The views of `summary`, in every form.

mod churn;
mod deprecated;
mod lists;
mod pollers;
mod slowest;
mod trackers;
mod watches;

use serde_json::{Map, Value, json};

use super::document::KeyValue;
use super::human::counted;
use super::summary::{key_cell, key_column};
use super::table::{Cell, Column};
use crate::aggregate::key::Key;
use crate::aggregate::views::Values;
use crate::event::Timestamp;

/// An answer by group, and how it is wanted.
pub struct Shown<A> {
    /// The answer.
    pub answer: A,
    /// How it is grouped.
    pub grouped: Grouped,
}

/// What an answer is grouped by, and how many groups are shown.
pub struct Grouped {
    /// The keys.
    pub keys: Vec<Key>,
    /// At most so many groups.
    pub top: usize,
}

impl Grouped {
    fn columns(&self) -> Vec<Column> {
        self.keys.iter().map(|key| key_column(*key)).collect()
    }

    fn cells(&self, values: &Values) -> Vec<Cell> {
        self.keys.iter().zip(values).map(|(key, value)| key_cell(*key, value.as_deref())).collect()
    }

    fn members(&self, values: &Values) -> Map<String, Value> {
        let pairs = self.keys.iter().zip(values);
        pairs.map(|(key, value)| (key.name().to_owned(), json!(KeyValue(*key, value.as_deref())))).collect()
    }

    fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.name()).collect()
    }

    /// How many of so many groups are not shown.
    fn hidden(&self, groups: usize, noun: &str) -> String {
        hidden(groups, self.top, noun)
    }
}

/// A note about rows that are not shown.
fn hidden(rows: usize, top: usize, noun: &str) -> String {
    match rows.saturating_sub(top) {
        0 => String::new(),
        more => format!("auditq: note: {}; --top {rows} shows all\n", counted(more as u64, &format!("more {noun}"))),
    }
}

/// A note.
fn note(text: &str) -> String {
    format!("auditq: note: {text}\n")
}

/// Text that may be absent.
fn text_cell(text: Option<&str>) -> Cell {
    text.map_or(Cell::Missing, |text| Cell::Text(text.to_owned()))
}

/// Microseconds.
fn us_cell(us: Option<u64>) -> Cell {
    us.map_or(Cell::Missing, |us| Cell::DurationNs(i64::try_from(us.saturating_mul(1000)).unwrap_or(i64::MAX)))
}

/// A rate in tenths: so many in `span_ns`, per `per_ns`. Less than a sixtieth of that tells no rate.
fn rate(count: u64, span_ns: i64, per_ns: u64) -> Option<u64> {
    let span = u128::try_from(span_ns).ok().filter(|span| *span > 0 && *span * 60 >= u128::from(per_ns))?;
    let tenths = (u128::from(count) * 10 * u128::from(per_ns) + span / 2) / span;
    u64::try_from(tenths).ok()
}

fn rate_cell(tenths: Option<u64>) -> Cell {
    tenths.map_or(Cell::Missing, |tenths| Cell::Text(format!("{}.{}", tenths / 10, tenths % 10)))
}

fn rate_value(tenths: Option<u64>) -> Value {
    json!(tenths.map(|tenths| tenths as f64 / 10.0))
}

/// A time, or nothing.
fn time_cell(time: Option<Timestamp>) -> Cell {
    time.map_or(Cell::Missing, Cell::Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_need_time() {
        const SECOND: i64 = 1_000_000_000;
        assert_eq!(rate(14, 245 * SECOND, 60_000_000_000), Some(34));
        assert_eq!(rate(14, SECOND / 2, 60_000_000_000), None);
        assert_eq!(rate(u64::MAX, i64::MAX, 60_000_000_000), Some(1_200_000_000_000));
        assert_eq!(rate(1, 0, 60), None);
    }
}
