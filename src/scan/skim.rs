//! Looks through bytes for a few requests only.
//!
//! Before and behind the window nothing matters but the other stages of requests in the answer, and
//! those carry their audit ids. A line without one of these ids is passed over without being parsed;
//! that it held an event is all that is noted, because how long a request is waited for is counted
//! in events.

use std::ops::Range;

use hashbrown::HashSet;
use memchr::memchr2;

use crate::parse::landmarks::{Guide, KEY, look_through};
use crate::parse::records::is_definite_start;

/// The audit ids that matter, as they are written.
#[derive(Debug)]
pub(super) struct Skim {
    ids: HashSet<Box<[u8]>>,
    /// One bit for how each of them begins, so that hardly any other must be looked up; none where one is
    /// shorter than that.
    beginnings: Option<Box<[u64; BITS / 64]>>,
}

/// What a stretch of bytes holds: events that are passed over, then a line to be read, if it is not the last.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Piece {
    /// Events of no concern.
    pub(super) passed: u32,
    /// Where the audit id of the last of them stands.
    pub(super) last: usize,
    /// Line feeds before the line.
    pub(super) feeds: u64,
    pub(super) line: Option<Range<usize>>,
}

/// So many ways of beginning are told apart.
const BITS: usize = 1 << 15;

/// The bit for a beginning: the upper bits of a product, which depend on all of it.
const fn bit_of(beginning: [u8; 8]) -> usize {
    (u64::from_le_bytes(beginning).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49) as usize
}

impl Skim {
    pub(super) fn new(ids: impl IntoIterator<Item = Box<[u8]>>) -> Self {
        let ids: HashSet<Box<[u8]>> = ids.into_iter().collect();
        let mut beginnings = Some(Box::new([0; BITS / 64]));
        for id in &ids {
            match (id.first_chunk(), &mut beginnings) {
                (Some(beginning), Some(bits)) => bits[bit_of(*beginning) / 64] |= 1 << (bit_of(*beginning) % 64),
                _ => beginnings = None,
            }
        }
        Skim { ids, beginnings }
    }

    /// The events passed over and the lines to read in bytes that begin and end at records; none if
    /// what matters is not one line by itself, so that all of it must be parsed.
    pub(super) fn pieces(&self, bytes: &[u8]) -> Option<Vec<Piece>> {
        let mut look = Look { skim: self, bytes, pieces: Vec::new(), piece: Piece::default(), line: Line::default() };
        let is_whole = look_through(bytes, &mut look) && (look.line.start == bytes.len() || look.end_line(bytes.len()));
        look.pieces.push(look.piece);
        is_whole.then_some(look.pieces)
    }

    /// Whether the value behind a key is an id that matters, or cannot be told from one.
    fn matters(&self, rest: &[u8]) -> bool {
        if let Some(beginning) = rest.strip_prefix(b":\"").and_then(|id| id.first_chunk::<8>())
            && self.none_begins(*beginning)
        {
            return false;
        }
        let value = rest.trim_ascii_start();
        let Some(value) = value.strip_prefix(b":").map(<[u8]>::trim_ascii_start) else { return false };
        let Some(value) = value.strip_prefix(b"\"") else { return true };
        match memchr2(b'"', b'\\', value) {
            Some(end) if value[end] == b'"' => self.ids.contains(&value[..end]),
            _ => true,
        }
    }

    /// Whether these are the first bytes of an id and no id that matters begins with them.
    fn none_begins(&self, beginning: [u8; 8]) -> bool {
        let is_plain = beginning.iter().all(|byte| !matches!(byte, b'"' | b'\\'));
        let bit = bit_of(beginning);
        is_plain && self.beginnings.as_ref().is_some_and(|bits| bits[bit / 64] & 1 << (bit % 64) == 0)
    }
}

/// A stretch of bytes being looked through.
struct Look<'s> {
    skim: &'s Skim,
    bytes: &'s [u8],
    pieces: Vec<Piece>,
    /// What comes next.
    piece: Piece,
    line: Line,
}

/// What is known of the line at hand.
#[derive(Default)]
struct Line {
    start: usize,
    /// Events on it, and where the audit id of the last stands.
    events: u32,
    last: usize,
    matters: bool,
}

impl Look<'_> {
    /// Takes the line that ends before `end` for what it turned out to be; false if it is to be read and is
    /// no record by itself.
    fn end_line(&mut self, end: usize) -> bool {
        let line = std::mem::replace(&mut self.line, Line { start: end, ..Line::default() });
        if !line.matters {
            if line.events > 0 {
                self.piece.passed += line.events;
                self.piece.last = line.last;
            }
            self.piece.feeds += u64::from(self.bytes[end - 1] == b'\n');
            return true;
        }
        self.piece.line = Some(line.start..end);
        self.pieces.push(std::mem::take(&mut self.piece));
        let next = &self.bytes[end..];
        is_definite_start(&self.bytes[line.start..]) && (next.is_empty() || is_definite_start(next))
    }
}

impl Guide for Look<'_> {
    #[inline]
    fn key(&mut self, at: usize) {
        if self.line.matters {
            return;
        }
        // The first event is read in any case: its time tells how far the log has come. (The last
        // would do as well, but a long line is more likely to be the last than another.)
        let is_first = self.pieces.is_empty() && self.piece.passed + self.line.events == 0;
        self.line.matters = is_first || self.skim.matters(&self.bytes[at + KEY.len()..]);
        self.line.events += 1;
        self.line.last = at;
    }

    #[inline]
    fn line_feed(&mut self, at: usize) -> bool {
        self.end_line(at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_with_these_ids_are_read() {
        let skim = Skim::new([Box::from(&b"two"[..])]);
        let one = &b"{\"auditID\":\"one\"}\n"[..];
        let two = &b"{\"a\":{\"auditID\" : \"no\"},\"auditID\": \"two\"}\n"[..];
        let log = [one, one, two, one].concat();
        let line = 2 * one.len()..log.len() - one.len();
        let first = Piece { line: Some(0..one.len()), ..Piece::default() };
        let second = Piece { passed: 1, last: one.len() + 1, feeds: 1, line: Some(line.clone()) };
        let rest = Piece { passed: 1, last: line.end + 1, feeds: 1, line: None };
        assert_eq!(skim.pieces(&log), Some(vec![first.clone(), second, rest.clone()]));
        let unfinished = Piece { feeds: 0, ..rest };
        let pieces = skim.pieces(&log[..log.len() - 1]).unwrap();
        assert_eq!(pieces.last(), Some(&unfinished));
        let escaped = [one, b"{\"auditID\":\"tw\\u006f\"}\n"].concat();
        let second = Piece { line: Some(one.len()..escaped.len()), ..Piece::default() };
        assert_eq!(skim.pieces(&escaped), Some(vec![first, second, Piece::default()]));
        assert_eq!(skim.pieces(b"{\n  \"auditID\": \"two\"\n}\n"), None, "a value over several lines");
        assert_eq!(skim.pieces(b"\n\n"), Some(vec![Piece { feeds: 2, ..Piece::default() }]));
        assert_eq!(skim.pieces(b""), Some(vec![Piece::default()]));
    }

    #[test]
    fn ids_that_begin_otherwise_are_not_looked_up() {
        let long = Skim::new([Box::from(&b"0123456789"[..]), Box::from(&b"01234567-8"[..])]);
        let short = Skim::new([Box::from(&b"0123456789"[..]), Box::from(&b"0123"[..])]);
        for (value, is_long, is_short) in [
            (&b":\"0123456789\""[..], true, true),
            (b":\"01234567\"", false, false),
            (b":\"0123\"", false, true),
            (b": \"01234567-8\"", true, false),
            (b":\"76543210\\u0030\"", false, true),
            (b":\"7654\\u0030\"", true, true),
            (b":\"0123456", true, true),
            (b":null", true, true),
            (b",", false, false),
        ] {
            let told = String::from_utf8_lossy(value);
            assert_eq!((long.matters(value), short.matters(value)), (is_long, is_short), "{told}");
        }
    }
}
