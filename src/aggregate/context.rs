//! Matching requests with their neighbours: rows, and so many of the rows before and after each.
//!
//! What is a neighbour is known only when chunks are put in order, so every request of a chunk becomes a
//! row, marked if it matches ([`InContext`]), and [`Surroundings`] picks from the rows in their order. It
//! holds the last rows that may still be wanted, and no more.
//!
//! Neighbours stand in the same log, one after the other in the input. A request that comes late (it never
//! ended, or was given up) has left its place, so it has none.

use std::collections::VecDeque;

use super::rows::WriteRow;
use super::{Amendment, Position, Question, Seen, Slot};
use crate::query::Filter;

/// The question: all requests as rows, and which of them match.
pub struct InContext {
    /// Which requests match.
    pub filter: Filter,
    /// How a row is written.
    pub write: Box<WriteRow>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    position: Position,
    start: usize,
    end: usize,
    matched: bool,
    repeat: bool,
    /// Whether its source goes on where the one before ends.
    continues: bool,
}

/// The rows of one chunk.
#[derive(Clone, Default)]
pub struct ContextPartial {
    text: Vec<u8>,
    rows: Vec<Row>,
}

impl Question for InContext {
    type Partial = ContextPartial;

    const IN_ORDER: bool = true;

    fn empty(&self) -> ContextPartial {
        ContextPartial::default()
    }

    // It is about all requests: no filter is told, so that nothing is passed over.

    fn observe(&self, partial: &mut ContextPartial, seen: &Seen<'_, '_>) -> Slot {
        let start = partial.text.len();
        (self.write)(seen, &mut partial.text);
        let (end, matched) = (partial.text.len(), seen.matches(&self.filter));
        let continues = seen.source.continues;
        partial.rows.push(Row { position: seen.position, start, end, matched, repeat: false, continues });
        Slot(partial.rows.len() as u32 - 1)
    }

    fn amend(&self, _: &mut ContextPartial, _: Slot, _: Amendment) {}

    fn retract(&self, partial: &mut ContextPartial, slot: Slot) {
        if let Some(row) = partial.rows.get_mut(slot.0 as usize) {
            row.repeat = true;
        }
    }

    fn merge(&self, into: &mut ContextPartial, from: ContextPartial) {
        let shift = into.text.len();
        into.text.extend_from_slice(&from.text);
        let moved = |row: Row| Row { start: row.start + shift, end: row.end + shift, ..row };
        into.rows.extend(from.rows.into_iter().map(moved));
    }

    fn weight(&self, partial: &ContextPartial) -> usize {
        partial.text.len() + partial.rows.len() * size_of::<Row>()
    }
}

/// How many neighbours are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Rows before each match.
    pub before: usize,
    /// Rows behind it.
    pub after: usize,
}

/// What comes next in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Rows were left out here.
    Gap,
    /// A row that matches.
    Match(&'t [u8]),
    /// A neighbour.
    Neighbour(&'t [u8]),
}

/// Picks matches and their neighbours from rows in their order.
pub struct Surroundings {
    reach: Reach,
    /// Matches that may still come.
    left: u64,
    /// Rows before the next one that are not written and may be wanted, the oldest first.
    held: VecDeque<Vec<u8>>,
    /// So many of the next rows are wanted, whether they match or not.
    due: usize,
    /// Whether rows were left out since the last one that was written.
    gap: bool,
    /// Whether anything was written.
    begun: bool,
    last: Option<Position>,
    matched: u64,
}

impl Surroundings {
    /// Nothing seen yet; `limit` matches are wanted.
    pub fn new(reach: Reach, limit: Option<u64>) -> Self {
        let left = limit.unwrap_or(u64::MAX);
        let held = VecDeque::new();
        Surroundings { reach, left, held, due: 0, gap: false, begun: false, last: None, matched: 0 }
    }

    /// How many matched.
    pub const fn matched(&self) -> u64 {
        self.matched
    }

    /// Whether all that is wanted was given.
    pub const fn is_done(&self) -> bool {
        self.left == 0 && self.due == 0
    }

    /// Takes the next rows, and gives what is to be written.
    pub fn take(&mut self, mut partial: ContextPartial, give: &mut dyn FnMut(Piece<'_>)) {
        partial.rows.retain(|row| !row.repeat);
        // Stable: events of one record share its position and keep their order.
        partial.rows.sort_by_key(|row| row.position);
        for row in &partial.rows {
            if self.is_done() {
                return;
            }
            self.take_row(row, &partial.text[row.start..row.end], give);
        }
    }

    fn take_row(&mut self, row: &Row, text: &[u8], give: &mut dyn FnMut(Piece<'_>)) {
        if self.last.is_some_and(|last| row.position < last) {
            return self.take_late(row, text, give);
        }
        if self.last.is_some_and(|last| last.source != row.position.source) && !row.continues {
            self.part();
        }
        self.last = Some(row.position);
        if row.matched && self.left > 0 {
            self.mind_the_gap(give);
            self.held.drain(..).for_each(|text| give(Piece::Neighbour(&text)));
            give(Piece::Match(text));
            (self.due, self.begun) = (self.reach.after, true);
            self.left -= 1;
            self.matched += 1;
        } else if self.due > 0 {
            give(Piece::Neighbour(text));
            self.due -= 1;
        } else {
            self.held.push_back(text.to_vec());
            if self.held.len() > self.reach.before {
                self.held.pop_front();
                self.gap = true;
            }
        }
    }

    /// A row that has left its place stands by itself.
    fn take_late(&mut self, row: &Row, text: &[u8], give: &mut dyn FnMut(Piece<'_>)) {
        if !row.matched || self.left == 0 {
            return;
        }
        self.gap = true;
        self.mind_the_gap(give);
        give(Piece::Match(text));
        (self.gap, self.begun) = (true, true);
        self.left -= 1;
        self.matched += 1;
    }

    /// What comes next is no neighbour of what came.
    fn part(&mut self) {
        self.held.clear();
        (self.due, self.gap) = (0, true);
    }

    fn mind_the_gap(&mut self, give: &mut dyn FnMut(Piece<'_>)) {
        if self.gap && self.begun {
            give(Piece::Gap);
        }
        self.gap = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows at these offsets, of which those in capitals match; cut into chunks of so many.
    fn shown(rows: &[(u32, u64, &str)], chunk: usize, reach: Reach, limit: Option<u64>) -> String {
        let (mut around, mut out) = (Surroundings::new(reach, limit), String::new());
        for rows in rows.chunks(chunk) {
            let mut partial = ContextPartial::default();
            for &(source, offset, text) in rows {
                let (start, position) = (partial.text.len(), Position { source, offset });
                partial.text.extend_from_slice(text.as_bytes());
                let matched = text.chars().all(char::is_uppercase);
                let (end, continues) = (partial.text.len(), source == 2);
                partial.rows.push(Row { position, start, end, matched, repeat: text == "x", continues });
            }
            around.take(partial, &mut |piece| match piece {
                Piece::Gap => out.push('-'),
                Piece::Match(text) | Piece::Neighbour(text) => out += std::str::from_utf8(text).unwrap(),
            });
        }
        out
    }

    fn line(text: &str) -> Vec<(u32, u64, &str)> {
        text.char_indices().map(|(at, c)| (0, at as u64, text.get(at..at + c.len_utf8()).unwrap())).collect()
    }

    #[test]
    fn neighbours_and_gaps_whatever_the_chunks() {
        for (rows, before, after, expected) in [
            ("abCdefGhij", 1, 1, "bCd-fGh"),
            ("abCdeFgh", 1, 1, "bCdeFg"),
            ("abCdefGhij", 0, 2, "Cde-Ghi"),
            ("abCDe", 2, 0, "abCD"),
            ("abCxxDe", 0, 1, "CDe"),
            ("axxxB", 1, 0, "aB"),
            ("abc", 5, 5, ""),
            ("ABC", 0, 0, "ABC"),
            ("AbC", 0, 0, "A-C"),
        ] {
            for chunk in 1..=rows.len() {
                assert_eq!(shown(&line(rows), chunk, Reach { before, after }, None), expected, "{rows} {chunk}");
            }
        }
    }

    #[test]
    fn other_logs_and_late_rows_are_no_neighbours() {
        let reach = Reach { before: 2, after: 2 };
        let logs = [(0, 0, "a"), (0, 9, "B"), (1, 0, "c"), (1, 9, "D"), (2, 0, "e"), (2, 1, "f")];
        assert_eq!(shown(&logs, 1, reach, None), "aB-cDef");
        let late = [(0, 5, "a"), (0, 9, "B"), (0, 1, "c"), (0, 2, "L"), (0, 10, "d")];
        assert_eq!(shown(&late, 1, reach, None), "aB-Ld");
    }

    #[test]
    fn a_limit_counts_matches() {
        let reach = Reach { before: 1, after: 1 };
        assert_eq!(shown(&line("aBcdEfgH"), 3, reach, Some(2)), "aBcdEf");
        assert_eq!(shown(&line("aBCD"), 1, reach, Some(2)), "aBCD");
        assert_eq!(shown(&line("aBCD"), 1, reach, Some(1)), "aBC");
    }
}
