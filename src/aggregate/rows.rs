//! Matching requests as rows, in input order.
//!
//! A chunk's rows are formatted by the thread that read them and handed on whole. They are ordered
//! by the place of the record that settled each request, so a pair that met across chunks stands
//! where it belongs.

use super::{Amendment, Position, Question, Seen, Slot};
use crate::event::{Event, Timestamp};
use crate::query::Filter;

/// Writes one event as one row of output.
pub type WriteRow = dyn Fn(&Seen<'_, '_>, &mut Vec<u8>) + Sync;

/// Gives the value rows are sorted by.
pub type SortKey = dyn Fn(&Event<'_>) -> SortValue + Sync;

/// What rows are sorted by: absent values last, numbers before text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SortValue {
    /// A moment.
    Time(Timestamp),
    /// A number.
    Number(i64),
    /// Text.
    Text(Vec<u8>),
    /// Nothing there.
    Absent,
}

/// The question: which requests match.
pub struct Rows<'q> {
    /// Which requests match.
    pub filter: Filter,
    /// How a row is written.
    pub write: Box<WriteRow>,
    /// What rows are sorted by, if they are.
    pub sort: Option<&'q SortKey>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Place of the record that settled the request.
    pub position: Position,
    /// What it is sorted by.
    pub key: SortValue,
    start: usize,
    end: usize,
    repeat: bool,
}

/// The rows of one chunk.
#[derive(Clone, Default)]
pub struct RowsPartial {
    text: Vec<u8>,
    rows: Vec<Row>,
}

impl RowsPartial {
    /// Calls `take` with each row in order of position, without repeats, and its text.
    ///
    /// # Errors
    /// Stops at the first error of `take`.
    pub fn take_each<E>(self, mut take: impl FnMut(Position, SortValue, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let RowsPartial { text, rows } = self.ordered();
        rows.into_iter().try_for_each(|row| take(row.position, row.key, &text[row.start..row.end]))
    }

    /// Calls `take` with the text of each row in order, until it says stop.
    pub fn each(self, mut take: impl FnMut(&[u8]) -> std::ops::ControlFlow<()>) -> std::ops::ControlFlow<()> {
        let RowsPartial { text, rows } = self.ordered();
        rows.iter().try_for_each(|row| take(&text[row.start..row.end]))
    }

    fn ordered(mut self) -> Self {
        self.rows.retain(|row| !row.repeat);
        // Stable: events of one record share its position and keep their order.
        self.rows.sort_by_key(|row| row.position);
        self
    }
}

impl Question for Rows<'_> {
    type Partial = RowsPartial;

    const IN_ORDER: bool = true;

    fn empty(&self) -> RowsPartial {
        RowsPartial::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut RowsPartial, seen: &Seen<'_, '_>) -> Slot {
        if !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        let start = partial.text.len();
        (self.write)(seen, &mut partial.text);
        let key = self.sort.map_or(SortValue::Absent, |sort| sort(seen.event));
        let end = partial.text.len();
        partial.rows.push(Row { position: seen.position, key, start, end, repeat: false });
        Slot(partial.rows.len() as u32 - 1)
    }

    fn amend(&self, _: &mut RowsPartial, _: Slot, _: Amendment) {}

    fn retract(&self, partial: &mut RowsPartial, slot: Slot) {
        if let Some(row) = partial.rows.get_mut(slot.0 as usize) {
            row.repeat = true;
        }
    }

    fn merge(&self, into: &mut RowsPartial, from: RowsPartial) {
        let shift = into.text.len();
        into.text.extend_from_slice(&from.text);
        into.rows.extend(from.rows.into_iter().map(|row| Row {
            start: row.start + shift,
            end: row.end + shift,
            ..row
        }));
    }

    fn weight(&self, partial: &RowsPartial) -> usize {
        partial.text.len() + partial.rows.len() * size_of::<Row>()
    }
}
