//! What happens where a record is not whole, or may not be: values that span lines, torn lines, and
//! good events beside the damage.

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::inside::{Inside, Within};
use super::{
    Bucket, Line, Place, Read, Reader, RegionEnd, Tear, UNFINISHED_LAST_LINE, Visitor, is_definite_start,
    is_meant_as_event, line_feeds, reason, skip_separators, trim_line,
};
use crate::event::Format;
use crate::parse::envelope::decoded;
use crate::parse::json::{Depth, LineEnd, Scanner};
use crate::parse::object::{self, Object, known_name};
use crate::parse::prefix;

impl<'a, V: Visitor<'a>> Reader<'a, '_, V> {
    /// Counts the torn part of the line as damaged, but saves a whole event behind the tear: two
    /// writers, or a crash, leave half an event and a whole one on one line.
    pub(super) fn broken(&mut self, line: Line, mut tear: Tear) {
        let is_list = self.is_list(line, tear.from);
        tear.from = self.items_before(line, tear.from);
        let Some(start) = self.behind(line, tear.from, is_list) else {
            if self.save_carried(tear.from, line.next, &tear) {
                return;
            }
            let at_end = line.end == self.region.len() && self.end == RegionEnd::Source;
            let unfinished = tear.cut && at_end;
            let reason = if unfinished { Cow::Borrowed(UNFINISHED_LAST_LINE) } else { tear.reason };
            let place = self.place(tear.at);
            self.visitor.damage(reason, tear.from, place);
            self.visitor.record(Bucket::Damaged, line.next - tear.from, true);
            return;
        };
        let place = self.place(tear.at.min(start));
        self.visitor.damage(tear.reason, tear.from, place);
        self.visitor.record(Bucket::Damaged, start - tear.from, true);
        let (text, mut at) = (&self.region[..line.end], start);
        let mut inside = Inside::default();
        while let Ok((object, end)) = object::read(text, at, self.arena) {
            let next = skip_separators(self.region, end, line.end);
            let bytes = if next == line.end { line.next - at } else { next - at };
            inside.add(self.object(object, Within::record(&self.region[line.start..line.next], at), bytes));
            at = next;
        }
        self.charge(inside, line.next - start);
    }

    /// Hands on the items of a torn list that stand before the tear, and tells where they end.
    fn items_before(&mut self, line: Line, from: usize) -> usize {
        let text = &self.region[..line.end];
        let start = skip_separators(self.region, from, line.end);
        let Some((mut at, format)) = first_item(text, start) else { return from };
        let (record, mut inside) = (&self.region[line.start..line.next], Inside::default());
        let mut end = from;
        while let Ok((object, close)) = object::read(text, at, self.arena) {
            let bytes = close - at;
            inside.add(self.item(object, format, Within::record(record, start), bytes));
            end = close;
            at = skip_separators(self.region, close, line.end);
        }
        // Something is wrong with the list even if every item is whole.
        let end = end.min((line.end - 1).max(from));
        self.charge(inside, end - from);
        end
    }

    /// Where the whole events begin that end the line behind a tear at `from`, if there are any.
    ///
    /// They must end the line: what stands in the middle of something else is a client's text made to
    /// look like an event. The number of tries is bounded, since a hostile line can hold many.
    pub(super) fn behind_tear(&self, line: Line, from: usize) -> Option<usize> {
        self.behind(line, from, self.is_list(line, from))
    }

    /// Whether the line is a list of records, or the record at `from` is.
    fn is_list(&self, line: Line, from: usize) -> bool {
        let text = &self.region[..line.end];
        let begins_as_list = match self.line_start(from) {
            0 if self.carry.column > 0 => self.carry.in_list,
            start => text.get(start) == Some(&b'['),
        };
        begins_as_list || first_item(text, skip_separators(text, from, line.end)).is_some()
    }

    fn behind(&self, line: Line, from: usize, is_list: bool) -> Option<usize> {
        let text = &self.region[..line.end];
        let rest = text.get(from + 1..)?;
        // Other objects of a collector's begin as the torn one does.
        let name = self.first_name(from, line.end).filter(|name| known_name(name).is_none());
        let alike = name.and_then(|name| {
            let start = skip_separators(self.region, from, line.end);
            text.get(start..start + name.len() + 3).filter(|head| head.ends_with(b"\""))
        });
        let marks = [Some(RESYNC), Some(RESYNC_ITEM), alike].into_iter().flatten();
        let found = |mark| memmem::find_iter(rest, mark).take(RESYNC_TRIES).map(|found| from + 1 + found);
        let whole = |start: &usize| may_begin(text, from, *start, is_list) && self.all_whole(*start, line.end, is_list);
        marks.filter_map(|mark| found(mark).find(whole)).min()
    }

    /// Whether nothing but whole objects stands from `at` on to the end of the line.
    fn all_whole(&self, mut at: usize, end: usize, is_list: bool) -> bool {
        let text = &self.region[..end];
        while let Ok((_, close)) = object::read(text, at, self.arena) {
            at = behind_object(text, close, is_list);
            if at == end {
                return true;
            }
        }
        false
    }

    /// Saves the events that a torn object of a collector's carries as text. Those are whole as long as their
    /// text is. Of an event itself nothing is taken this way: what it carries as text is a client's.
    fn save_carried(&mut self, from: usize, end: usize, tear: &Tear) -> bool {
        let text = &self.region[..end];
        let Some(name) = self.first_name(from, end).filter(|name| known_name(name).is_none()) else { return false };
        // Where the event's own members stand among the collector's, the strings are its client's.
        if API_NAMES.iter().any(|name| memmem::find(&text[from..], name).is_some()) {
            return false;
        }
        let within = Within::record(&self.region[from..end], from);
        let (mut inside, mut saved, mut at) = (Inside::default(), 0, from + name.len());
        while let Some(found) = memmem::find(&text[at..], CARRIED).map(|found| at + found) {
            let mut scanner = Scanner::new(text, found);
            let Ok(carried) = scanner.string() else { break };
            at = scanner.position();
            let text = decoded(carried, self.arena);
            if let Ok((Object::Event(_) | Object::Reshipped(_) | Object::List(..), _)) =
                object::read(text, 0, self.arena)
            {
                inside.add(self.text(text, within));
                saved += at - found;
            }
        }
        if !inside.is_something() {
            return false;
        }
        let place = self.place(tear.at);
        self.visitor.damage(tear.reason.clone(), from, place);
        self.visitor.record(Bucket::Damaged, end - from - saved, true);
        self.charge(inside, saved);
        true
    }

    /// The name of the first member of the object at or behind `from`.
    fn first_name(&self, from: usize, end: usize) -> Option<&'a [u8]> {
        let start = skip_separators(self.region, from, end);
        let mut scanner = Scanner::new(&self.region[..end], start);
        scanner.expect(b'{').ok()?;
        scanner.string().ok().map(|name| name.raw())
    }

    /// The place of an offset within the record at hand.
    pub(super) fn place(&mut self, at: usize) -> Place {
        let at = at.min(self.region.len());
        let known = self.physical.filter(|line| (line.start..=line.end).contains(&at));
        let line_start = known.map_or_else(|| self.line_start(at), |line| line.start);
        let (from, feeds) = if at >= self.counted.0 { self.counted } else { (self.origin, 0) };
        self.counted = (at, feeds + line_feeds(&self.region[from..at]));
        let before = if line_start == 0 { self.carry.column } else { 0 };
        Place { line: self.carry.lines + self.counted.1, byte: before + (at - line_start) as u64 }
    }

    /// Reads a JSON value that goes on behind its first line.
    pub(super) fn spanning(&mut self, first: Line, value: usize) -> Option<usize> {
        let mut depth = Depth::default();
        let mut content = value;
        let mut line = first;
        loop {
            match depth.line(&self.region[content..line.end]) {
                LineEnd::Closed(length) => return Some(self.spanned(first, value, line, content + length)),
                LineEnd::InString => return Some(self.torn(first, line.next)),
                LineEnd::Open => {}
            }
            if line.next == self.region.len() {
                return match self.end {
                    RegionEnd::More => None,
                    RegionEnd::RecordStart | RegionEnd::Source => Some(self.torn(first, line.next)),
                };
            }
            if is_definite_start(&self.region[line.next..]) {
                return Some(self.torn(first, line.next));
            }
            let rest = &self.region[line.next..];
            if self.end == RegionEnd::More && rest.len() < START_WIDTH && memchr(b'\n', rest).is_none() {
                return None;
            }
            line = self.line(line.next)?;
            content = line.start;
        }
    }

    /// A value that spans lines has closed at `close`; the rest of its last line must be separators.
    fn spanned(&mut self, first: Line, value: usize, last: Line, close: usize) -> usize {
        let whole = Line { start: first.start, end: last.end, next: last.next };
        let rest = skip_separators(self.region, close, last.end);
        let prefix = prefix::origin(&self.region[first.start..value], self.arena);
        let within = Within { origin: prefix, ..Within::record(&self.region[whole.start..whole.next], value) };
        match object::read(&self.region[..close], value, self.arena) {
            Ok((object, _)) if rest == last.end => {
                let bytes = whole.next - whole.start;
                let inside = self.object(object, within, bytes);
                self.charge(inside, bytes);
                last.next
            }
            Ok((object, _)) if self.region[rest] == b'{' => {
                // `}{` or `}, {`: the next value begins on this one's last line.
                let bytes = rest - whole.start;
                let inside = self.object(object, within, bytes);
                self.charge(inside, bytes);
                rest
            }
            _ => self.torn(first, last.next),
        }
    }

    /// Lines from `first` up to `end` that make no JSON value together: each is read by itself, or as
    /// the first line of a whole value, and what stays unreadable between two good ones is one
    /// damaged record.
    fn torn(&mut self, first: Line, end: usize) -> usize {
        let mut at = first.start;
        let mut bad: Option<usize> = None;
        let mut tries = WHOLE_TRIES;
        while at < end {
            let line = self.line(at).unwrap_or(Line { start: at, end, next: end });
            let mut next = line.next;
            if bad.is_none() || self.stands_alone(line) {
                self.close_torn(bad.take(), at);
                match self.read_line(line) {
                    Read::Done => {}
                    Read::Next(behind) => next = behind,
                    Read::Open { value } if self.behind_tear(line, value).is_some() => {
                        let reason = Cow::Borrowed("event ends early");
                        self.broken(line, Tear { from: at, at: value, reason, cut: true });
                    }
                    // That the first line begins nothing whole is how this stretch was found.
                    Read::Open { .. } if at == first.start => bad = Some(at),
                    Read::Open { value } => match self.whole_value(line, value, end, &mut tries) {
                        Some((last, close)) => next = self.spanned(line, value, last, close),
                        None => bad = Some(at),
                    },
                    Read::Broken(tear) => self.broken(line, tear),
                }
            } else if let Some(value) = self.opens_alike(first, line)
                && let Some((last, close)) = self.whole_value(line, value, end, &mut tries)
            {
                self.close_torn(bad.take(), at);
                next = self.spanned(line, value, last, close);
            }
            at = next;
        }
        self.close_torn(bad, end);
        end
    }

    /// Where a line opens a value of the same depth as the torn one: printers indent all that lies deeper.
    fn opens_alike(&self, first: Line, line: Line) -> Option<usize> {
        let text = |line: Line| trim_line(&self.region[line.start..line.end]);
        let indent = |line: Line| text(line).iter().take_while(|byte| **byte == b' ').count();
        let (deep, text) = (indent(line), text(line));
        let alike = deep == 0 || deep == indent(first);
        (alike && text.get(deep..) == Some(b"{")).then_some(line.start + deep)
    }

    /// Where the event that begins at `value` and spans lines closes, if it is whole and lies before
    /// `end`: damage to one pretty-printed event must not cost the ones behind it. A lone brace at
    /// the start of a line begins one, as pretty-printers indent all that lies deeper. The number of
    /// failures is bounded, since each may read to the end.
    fn whole_value(&mut self, first: Line, value: usize, end: usize, tries: &mut usize) -> Option<(Line, usize)> {
        *tries = tries.checked_sub(1)?;
        let mut depth = Depth::default();
        let (mut line, mut content) = (first, value);
        loop {
            match depth.line(&self.region[content..line.end]) {
                LineEnd::Closed(length) => {
                    let close = content + length;
                    let rest = skip_separators(self.region, close, line.end);
                    let read = object::read(&self.region[..close], value, self.arena);
                    let whole = matches!(read, Ok((object, _)) if is_ours(&object));
                    if !whole || !(rest == line.end || self.region[rest] == b'{') {
                        return None;
                    }
                    *tries += 1;
                    return Some((line, close));
                }
                LineEnd::InString => return None,
                LineEnd::Open if line.next >= end => return None,
                LineEnd::Open => line = self.line(line.next)?,
            }
            content = line.start;
        }
    }

    /// Whether a line inside a torn value is a record of its own.
    fn stands_alone(&self, line: Line) -> bool {
        let text = &self.region[..line.end];
        let value = skip_separators(self.region, line.start, line.end);
        if text.get(value) == Some(&b'{') {
            let whole = matches!(object::read(text, value, self.arena), Ok((object, _)) if is_ours(&object));
            return whole || self.behind_tear(line, line.start).is_some();
        }
        memmem::find(&text[line.start..], b"AUDIT:").is_some()
    }

    fn close_torn(&mut self, bad: Option<usize>, end: usize) {
        let Some(start) = bad else { return };
        let bytes = &self.region[start..end];
        if is_list_head(bytes) {
            self.visitor.record(Bucket::Other, bytes.len(), true);
            return;
        }
        let read = object::read(bytes, skip_separators(bytes, 0, bytes.len()), self.arena);
        let (reason, at) = match read {
            Err(broken) => (reason(&broken), broken.fault.at()),
            Ok((_, at)) => (Cow::Borrowed("not valid JSON"), at),
        };
        let tear = Tear { from: start, at: start + at, reason: reason.clone(), cut: false };
        if self.save_carried(start, end, &tear) {
            return;
        }
        let unfinished = self.end == RegionEnd::Source && end == self.region.len() && !bytes.ends_with(b"\n");
        let reason = if unfinished { Cow::Borrowed(UNFINISHED_LAST_LINE) } else { reason };
        let place = self.place(start + at);
        self.visitor.damage(reason, start, place);
        self.visitor.record(Bucket::Damaged, bytes.len(), true);
    }
}

/// Whether an object is an event, or surely holds one.
fn is_ours(object: &Object<'_>) -> bool {
    match object {
        Object::Event(_) | Object::Reshipped(_) | Object::List(..) => true,
        Object::Other(raw) => is_meant_as_event(raw.0) || memmem::find(raw.0, b"\\\"auditID\\\"").is_some(),
    }
}

/// Whether a torn value is only the head of a list whose items stand on lines of their own, as in
/// `{"kind":"EventList","items":[`: then nothing is lost.
fn is_list_head(bytes: &[u8]) -> bool {
    let head = bytes.trim_ascii_end().strip_suffix(b"[").map(<[u8]>::trim_ascii_end);
    let before_items = head.and_then(|head| head.strip_suffix(b":")).map(<[u8]>::trim_ascii_end);
    before_items.is_some_and(|head| head.ends_with(b"\"items\"")) && memmem::find(bytes, b"List\"").is_some()
}

/// How many beginnings of events are tried behind a tear.
pub(super) const RESYNC_TRIES: usize = 64;

/// How many values that turn out not to be whole are followed within one torn value.
const WHOLE_TRIES: usize = 8;

/// The bytes needed to tell a definite start.
const START_WIDTH: usize = 5;

/// Whether a record may begin at `start`, behind a tear of the one that begins at `from`. A value in a body
/// is no record, however much it looks like one: a client has written it. An element is one only in a list of
/// records. Elsewhere no client's objects can stand, only strings.
pub(super) fn may_begin(text: &[u8], from: usize, start: usize, is_list: bool) -> bool {
    match text[from..start].trim_ascii_end().last() {
        Some(b':') => !is_in_body(text, from, start),
        Some(b',' | b'[') => is_list || !is_in_body(text, from, start),
        _ => true,
    }
}

/// Whether `start` lies in a body of the event that begins at `from`, as far as can be told.
fn is_in_body(text: &[u8], from: usize, start: usize) -> bool {
    let begin = skip_separators(text, from, start);
    let mut scanner = Scanner::new(&text[..start], begin);
    if scanner.expect(b'{').is_err() {
        return true;
    }
    let mut first = true;
    while let Ok(Some(key)) = scanner.key(first) {
        first = false;
        if scanner.value().is_err() {
            let name = key.raw();
            return known_name(name).is_none() || matches!(name, b"requestObject" | b"responseObject" | b"items");
        }
    }
    // Between two members, where nothing but a name can stand.
    false
}

/// Skips what may stand behind an object that no tear is in: the closing brace of an object around it would
/// mean that it is a value.
pub(super) fn behind_object(text: &[u8], close: usize, is_list: bool) -> usize {
    let fits = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',' || (is_list && matches!(byte, b']' | b'}'));
    close + text[close..].iter().take_while(|byte| fits(byte)).count()
}

/// Names of an event's members.
const API_NAMES: [&[u8]; 8] = [
    b"\"auditID\"",
    b"\"requestURI\"",
    b"\"annotations\"",
    b"\"userAgent\"",
    b"\"requestObject\"",
    b"\"responseObject\"",
    b"\"apiVersion\"",
    b"\"objectRef\"",
];

/// How an object begins that stands in another as text.
const CARRIED: &[u8] = b"\"{\\\"";

/// Where the first item of the list that begins at `start` stands, if it is one of events, and the format its
/// version gives them.
fn first_item(text: &[u8], start: usize) -> Option<(usize, Format)> {
    let mut scanner = Scanner::new(text, start);
    scanner.expect(b'{').ok()?;
    let (mut first, mut is_list, mut format) = (true, false, Format::Unversioned);
    while let Ok(Some(key)) = scanner.key(first) {
        first = false;
        if key.raw() == b"items" {
            scanner.expect(b'[').ok()?;
            return is_list.then_some((scanner.position(), format));
        }
        let value = scanner.value().ok()?;
        match key.raw() {
            b"kind" => is_list = value.0 == b"\"EventList\"",
            b"apiVersion" => format = object::format_of(value.as_text()),
            _ => {}
        }
    }
    None
}

/// How an item of a list begins, which says for all of them what they are.
const RESYNC_ITEM: &[u8] = b"{\"level\":\"";

/// Where a whole event may begin behind a tear.
pub(super) const RESYNC: &[u8] = b"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/";
