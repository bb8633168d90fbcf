//! Looks through bytes for a few requests only.
//!
//! Before and behind the window nothing matters but the other stages of requests in the answer, and
//! those carry their audit ids. A line without one of these ids is passed over without being parsed;
//! that it held an event is all that is noted, because how long a request is waited for is counted
//! in events.

use std::ops::Range;

use hashbrown::HashSet;
use memchr::{memchr, memchr2, memmem, memrchr};

use crate::parse::records::is_definite_start;

/// The audit ids that matter, as they are written.
#[derive(Debug, Default)]
pub(super) struct Skim {
    ids: HashSet<Box<[u8]>>,
}

/// What a stretch of bytes holds, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    /// An event of no concern, whose audit id stands here.
    Passed(usize),
    /// A line to be read.
    Line(Range<usize>),
}

const KEY: &[u8] = b"\"auditID\"";

impl Skim {
    pub(super) fn new(ids: impl IntoIterator<Item = Box<[u8]>>) -> Self {
        Skim { ids: ids.into_iter().collect() }
    }

    /// The events passed over and the lines to read in bytes that begin and end at records; none if
    /// what matters is not one line by itself, so that all of it must be parsed.
    pub(super) fn pieces(&self, bytes: &[u8]) -> Option<Vec<Piece>> {
        let mut pieces = Vec::new();
        let finder = memmem::Finder::new(KEY);
        let mut at = 0;
        while let Some(found) = finder.find(&bytes[at..]).map(|found| at + found) {
            at = found + KEY.len();
            // The first event is read in any case: its time tells how far the log has come. (The last
            // would do as well, but a long line is more likely to be the last than another.)
            if pieces.is_empty() || self.matters(&bytes[at..]) {
                at = read_line(bytes, found, &mut pieces)?;
            } else {
                pieces.push(Piece::Passed(found));
            }
        }
        Some(pieces)
    }

    /// Whether the value behind a key is an id that matters, or cannot be told from one.
    fn matters(&self, rest: &[u8]) -> bool {
        let value = rest.trim_ascii_start();
        let Some(value) = value.strip_prefix(b":").map(<[u8]>::trim_ascii_start) else { return false };
        let Some(value) = value.strip_prefix(b"\"") else { return true };
        match memchr2(b'"', b'\\', value) {
            Some(end) if value[end] == b'"' => self.ids.contains(&value[..end]),
            _ => true,
        }
    }
}

/// Has the line around an offset read, whatever of it was passed over, and tells where it ends.
fn read_line(bytes: &[u8], at: usize, pieces: &mut Vec<Piece>) -> Option<usize> {
    let line = line_around(bytes, at)?;
    while matches!(pieces.last(), Some(Piece::Passed(earlier)) if line.contains(earlier)) {
        pieces.pop();
    }
    let end = line.end;
    pieces.push(Piece::Line(line));
    Some(end)
}

/// The line around an offset, if a record begins there and another one, or nothing, behind it.
fn line_around(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = memrchr(b'\n', &bytes[..at]).map_or(0, |feed| feed + 1);
    let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |feed| at + feed + 1);
    let next = &bytes[end..];
    (is_definite_start(&bytes[start..]) && (next.is_empty() || is_definite_start(next))).then_some(start..end)
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
        let passed = |line: usize| Piece::Passed(line + 1);
        let pieces = vec![Piece::Line(0..one.len()), passed(one.len()), Piece::Line(line.clone()), passed(line.end)];
        assert_eq!(skim.pieces(&log), Some(pieces));
        let escaped = [one, b"{\"auditID\":\"tw\\u006f\"}\n"].concat();
        assert_eq!(skim.pieces(&escaped), Some(vec![Piece::Line(0..one.len()), Piece::Line(one.len()..escaped.len())]));
        assert_eq!(skim.pieces(b"{\n  \"auditID\": \"two\"\n}\n"), None, "a value over several lines");
        assert_eq!(skim.pieces(b"\n\n"), Some(Vec::new()));
    }
}
