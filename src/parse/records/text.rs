//! Lines that do not begin with JSON: records of the text formats, pieces of longer lines, events behind a
//! prefix, and what is foreign.

use std::borrow::Cow;

use memchr::memmem;

use super::inside::{self, Within};
use super::{Bucket, Line, Read, Reader, Tear, Visitor, is_meant_as_event, trim_line};
use crate::event::Origin;
use crate::parse::object;
use crate::parse::pieces::{Piece, Pieced};
use crate::parse::{cri, legacy, prefix};

impl<'a, V: Visitor<'a>> Reader<'a, '_, V> {
    /// Reads a line that does not begin with JSON: legacy text, JSON behind a prefix, or foreign.
    pub(super) fn read_text(&mut self, line: Line) -> Read {
        if let Some(read) = self.piece_of_line(line) {
            return read;
        }
        let record = &self.region[line.start..line.next];
        let text = trim_line(&self.region[line.start..line.end]);
        match self.legacy.read(text, self.arena) {
            Some(Ok(found)) => {
                self.legacy(found, record, line.start);
                return Read::Done;
            }
            Some(Err(problem)) if problem.reason == legacy::JOINED && problem.at > 0 => {
                return self.joined(line, problem.at);
            }
            Some(Err(problem)) => {
                let at = line.start + problem.at;
                return Read::Broken(Tear { from: line.start, at, reason: Cow::Borrowed(problem.reason), cut: true });
            }
            None => {}
        }
        self.read_prefixed(line)
    }

    /// Two text records stand on one line because a line feed was lost: the first ends where the
    /// second begins, and is read as if the line ended there.
    fn joined(&mut self, line: Line, length: usize) -> Read {
        let end = line.start + length;
        let first = Line { start: line.start, end, next: end };
        if let Read::Broken(tear) = self.read_text(first) {
            self.broken(first, tear);
        }
        Read::Next(end)
    }

    pub(super) fn legacy(&mut self, found: legacy::Line<'a>, record: &'a [u8], offset: usize) {
        let inside = self.legacy_line(found, Within::record(record, offset), record.len());
        self.charge(inside, record.len());
    }

    /// Reads a line of a container runtime's own log, where that is not simply a line with a prefix: a piece
    /// of a longer one.
    fn piece_of_line(&mut self, line: Line) -> Option<Read> {
        let bytes = line.next - line.start;
        let found = cri::split(trim_line(&self.region[line.start..line.end]))?;
        // What the last line lacks is still being written, or another file has it.
        let more = found.more || line.next == line.end;
        let piece = Piece { stream: found.stream, text: found.text, more, bytes, origin: Origin::NONE };
        let within = Within::record(&self.region[line.start..line.next], line.start);
        match self.piece(&piece, line.start) {
            Pieced::Whole => {
                let inside = self.text(found.text, within.inner(Origin::NONE));
                self.charge(inside, bytes);
            }
            Pieced::Kept | Pieced::Loose(_) => {}
            Pieced::Ends(joined) => {
                let inside = self.joined_line(joined.text, joined.bytes - bytes, within);
                self.charge(inside, bytes);
            }
        }
        Some(Read::Done)
    }

    /// Tries the first `{"` of the line as an event, or what holds some, behind a prefix.
    fn read_prefixed(&mut self, line: Line) -> Read {
        let text = &self.region[..line.end];
        let bytes = line.next - line.start;
        let found = memmem::find(&text[line.start..], b"{\"").map(|at| line.start + at);
        let found =
            found.filter(|&at| prefix::is_prefix(&text[line.start..at]) || at > line.start && text[at - 1] == b'"');
        let record = Within::record(&self.region[line.start..line.next], line.start);
        if let Some(at) = found {
            let within = Within { origin: prefix::origin(&text[line.start..at], self.arena), ..record };
            if let Some(cell) = prefix::quoted_cell(&text[line.start..], at - line.start, self.arena) {
                let inside = self.text(cell, record);
                self.charge(inside, bytes);
                return Read::Done;
            }
            if let Some(inside) = self.altered(&text[at..], within) {
                self.charge(inside, bytes);
                return Read::Done;
            }
            match object::read(text, at, self.arena) {
                Ok((object, _)) => {
                    let inside = self.object(object, within, bytes);
                    if inside.is_something() {
                        self.charge(inside, bytes);
                        return Read::Done;
                    }
                }
                Err(broken) if is_meant_as_event(&text[at..]) => {
                    return Read::Broken(Tear::of(line.start, &broken));
                }
                Err(_) => {}
            }
        } else if let Some(value) = prefix::opening(&text[line.start..]) {
            return Read::Open { value: line.start + value };
        } else if let Some(at) = inside::cut_at_once(&text[line.start..]) {
            let reason = Cow::Borrowed(inside::IN_TRANSIT);
            return Read::Broken(Tear { from: line.start, at: line.start + at, reason, cut: false });
        }
        if is_meant_as_event(&text[line.start..]) && self.behind_tear(line, line.start).is_some() {
            let reason = Cow::Borrowed("the beginning of the line is missing");
            return Read::Broken(Tear { from: line.start, at: line.start, reason, cut: false });
        }
        self.note_losses(&text[line.start..], line.start);
        self.visitor.record(Bucket::Other, bytes, true);
        Read::Done
    }
}
