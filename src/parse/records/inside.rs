//! What stands inside a record: events, lists of them, and whatever collectors wrapped around lines.
//!
//! A record is charged as a whole to one bucket, but for the parts of it that cannot be read and the
//! pieces of lines whose rest stands elsewhere. An event is charged with the bytes it had in the log
//! its server wrote, so that an answer does not depend on the road the log came by.

use std::borrow::Cow;

use bumpalo::Bump;
use memchr::memmem;

use super::torn::{RESYNC, RESYNC_TRIES, behind_object, may_begin};
use super::{Bucket, Reader, Reason, Visitor, is_meant_as_event, lost_events, reason, skip_separators};
use crate::event::{Event, Format, Origin, RawJson, compact_length};
use crate::parse::convert::convert;
use crate::parse::envelope::{self, decoded};
use crate::parse::json::Scanner;
use crate::parse::legacy;
use crate::parse::object::{self, Object};
use crate::parse::pieces::{Piece, Pieced};
use crate::parse::prefix;

/// What was found inside a record.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Inside {
    /// Events, and lists of none, which are the server's own too.
    pub(super) events: usize,
    /// Halves of two-line pairs.
    halves: usize,
    /// Bytes that should have been an event.
    damaged: usize,
    /// How often.
    faults: u64,
    /// Bytes that are accounted for elsewhere, with the line they are a piece of.
    kept: usize,
    /// Bytes of earlier records that belong to this one's line.
    joined: usize,
}

impl Inside {
    fn event() -> Self {
        Inside { events: 1, ..Inside::default() }
    }

    pub(super) fn add(&mut self, other: Inside) {
        self.events += other.events;
        self.halves += other.halves;
        self.damaged += other.damaged;
        self.faults += other.faults;
        self.kept += other.kept;
        self.joined += other.joined;
    }

    /// Whether it was anything of ours.
    pub(super) const fn is_something(&self) -> bool {
        self.events > 0 || self.halves > 0 || self.faults > 0 || self.kept > 0
    }
}

/// The record that something stands in.
#[derive(Clone, Copy)]
pub(super) struct Within<'a> {
    /// All of it.
    pub(super) record: &'a [u8],
    /// Its offset in the region.
    pub(super) at: usize,
    /// What is known of where it came from.
    pub(super) origin: Origin<'a>,
    /// How many wrappings are around it.
    pub(super) depth: usize,
    /// Whether it was packed in text.
    pub(super) unpacked: bool,
    /// Whether it was put together again from what a collector kept.
    pub(super) rebuilt: bool,
}

impl<'a> Within<'a> {
    /// Directly in a record.
    pub(super) const fn record(record: &'a [u8], at: usize) -> Self {
        Within { record, at, origin: Origin::NONE, depth: 0, unpacked: false, rebuilt: false }
    }

    pub(super) const fn inner(self, origin: Origin<'a>) -> Self {
        Within { origin, depth: self.depth + 1, ..self }
    }
}

/// Wrappings within wrappings are followed this far. A line in OpenTelemetry's protocol has eight, its lists counted.
const MOST_WRAPPINGS: usize = 16;

impl<'a, V: Visitor<'a>> Reader<'a, '_, V> {
    /// Hands on what an object holds that takes `bytes` of its record.
    #[inline]
    pub(super) fn object(&mut self, object: Object<'a>, within: Within<'a>, bytes: usize) -> Inside {
        match object {
            Object::Event(event) => self.event(event, within, own_length(event.raw)),
            Object::List(items, format) => self.items(items, format, within),
            Object::Reshipped(event) => {
                let rebuilt = self.converted(RawJson(event.raw), within);
                if rebuilt.events > 0 { rebuilt } else { self.reshipped(event, within) }
            }
            Object::Other(raw) => self.wrapped(raw, within, bytes),
        }
    }

    /// An event with members of a collector's own among its own.
    fn reshipped(&mut self, event: Event<'a>, within: Within<'a>) -> Inside {
        let origin = envelope::parts(RawJson(event.raw), self.arena).origin.or(within.origin);
        let within = Within { origin, ..within };
        match object::read(object::bare(RawJson(event.raw), self.arena), 0, self.arena) {
            Ok((Object::Event(event) | Object::Reshipped(event), _)) => {
                self.event(event, within, own_length(event.raw))
            }
            _ => self.event(event, within, own_length(event.raw)),
        }
    }

    fn event(&mut self, mut event: Event<'a>, within: Within<'a>, bytes: usize) -> Inside {
        let origin = event.origin.map_or(within.origin, |origin| origin.or(within.origin));
        if within.rebuilt && event.stage_timestamp == event.request_received {
            // A collector that keeps one time gives it for both; their difference says nothing.
            event.exact_times = false;
        }
        if origin.is_named() {
            event.origin = Some(self.arena.alloc(origin));
        }
        self.visitor.event(&event, within.record, within.at, bytes);
        Inside::event()
    }

    /// Hands on the events of a list. An empty list is still the server's own, and counts as one.
    fn items(&mut self, items: RawJson<'a>, format: Format, within: Within<'a>) -> Inside {
        let (mut inside, mut empty) = (Inside::default(), true);
        if within.depth >= MOST_WRAPPINGS {
            return inside;
        }
        for item in items.elements() {
            empty = false;
            // The list was proved sound, so an item can only fail by being no object.
            if let Ok((object, _)) = object::read(item.0, 0, self.arena) {
                inside.add(self.item(object, format, within.inner(within.origin), item.0.len()));
            }
        }
        inside.events = inside.events.max(usize::from(empty));
        inside
    }

    /// Hands on what an item of a list holds. Items carry no version of their own; theirs is the list's.
    pub(super) fn item(&mut self, object: Object<'a>, format: Format, within: Within<'a>, bytes: usize) -> Inside {
        match object {
            Object::Event(event) if event.format == Format::Unversioned => {
                self.event(Event { format, ..event }, within, own_length(event.raw) + versioning(format))
            }
            _ => self.object(object, within, bytes),
        }
    }

    /// Looks into an object that is no event.
    fn wrapped(&mut self, raw: RawJson<'a>, within: Within<'a>, bytes: usize) -> Inside {
        if within.depth >= MOST_WRAPPINGS {
            let holds = is_meant_as_event(raw.0) || memmem::find(raw.0, b"auditID").is_some();
            return if holds { self.fault("wrapped too deeply".into(), bytes, within.at) } else { Inside::default() };
        }
        match envelope::line(raw, self.arena) {
            Some(envelope::Line::Withheld) => return self.fault(WITHHELD.into(), bytes, within.at),
            Some(envelope::Line::Text { stream, text, more, origin }) => {
                let inner = within.inner(origin.or(within.origin));
                // Only the lines of a stream come in pieces, not what is wrapped in them.
                let piece = Piece { stream, text, more, bytes, origin: inner.origin };
                let pieced = if within.depth == 0 { self.piece(&piece, within.at) } else { Pieced::Whole };
                return match pieced {
                    Pieced::Whole => self.text(text, inner),
                    Pieced::Ends(line) => self.joined_line(line.text, line.bytes - bytes, inner),
                    Pieced::Kept | Pieced::Loose(_) => Inside { kept: bytes, ..Inside::default() },
                };
            }
            None => {}
        }
        let parts = envelope::parts(raw, self.arena);
        let within = within.inner(parts.origin.or(within.origin));
        let rebuilt = self.converted(raw, within);
        if rebuilt.is_something() {
            return rebuilt;
        }
        for holder in parts.holders {
            let inside = self.holder(holder, within);
            if inside.is_something() {
                return inside;
            }
        }
        Inside::default()
    }

    /// A line whose last piece stands in this record, and the bytes of those before it.
    pub(super) fn joined_line(&mut self, text: Vec<u8>, before: usize, within: Within<'a>) -> Inside {
        let text = self.arena.alloc_slice_copy(&text);
        let mut inside = self.text(text, Within { record: text, ..within }.inner(within.origin));
        inside.joined += before;
        inside
    }

    /// The events of an object that a collector made by taking events apart.
    fn converted(&mut self, raw: RawJson<'a>, within: Within<'a>) -> Inside {
        let mut inside = Inside::default();
        let arena = self.arena;
        convert(raw, arena, &mut |text, origin| {
            let within = Within { rebuilt: true, ..within.inner(origin.or(within.origin)) };
            inside.add(self.text(text, within));
        });
        inside
    }

    /// A member that may hold events: text, an object, or a list of such.
    fn holder(&mut self, value: RawJson<'a>, within: Within<'a>) -> Inside {
        let mut inside = Inside::default();
        if within.depth >= MOST_WRAPPINGS {
            return inside;
        }
        match value.0.first() {
            Some(b'"') => {
                if let Some(text) = value.as_text() {
                    inside = self.text(decoded(text, self.arena), within);
                }
            }
            Some(b'{') => {
                if let Ok((object, _)) = object::read(value.0, 0, self.arena) {
                    inside = self.object(object, within, value.0.len());
                }
            }
            Some(b'[') => {
                for element in value.elements() {
                    inside.add(self.holder(element, within.inner(within.origin)));
                }
            }
            _ => {}
        }
        inside
    }

    /// Reads text that a collector carried: what would have been a line, or several.
    pub(super) fn text(&mut self, text: &'a [u8], within: Within<'a>) -> Inside {
        let start = skip_separators(text, 0, text.len());
        match text.get(start) {
            None => Inside::default(),
            Some(b'{') => self.values(text, start, within),
            Some(_) => self.other_text(text.trim_ascii_end(), within),
        }
    }

    /// Reads one JSON value after the other.
    fn values(&mut self, text: &'a [u8], mut at: usize, within: Within<'a>) -> Inside {
        let mut inside = Inside::default();
        while text.get(at) == Some(&b'{') {
            let mut event = Event::empty(&[], Format::V1);
            if let Some(end) = self.canonical.read(text, at, text.len(), self.arena, &mut event) {
                inside.add(self.event(event, within, end - at + 1));
                at = skip_separators(text, end, text.len());
                continue;
            }
            match object::read(text, at, self.arena) {
                Ok((object, end)) => {
                    inside.add(self.object(object, within, end - at));
                    at = skip_separators(text, end, text.len());
                }
                Err(broken) => {
                    inside.add(self.cut_short(&text[at..], reason(&broken), within));
                    break;
                }
            }
        }
        inside
    }

    /// Reads what stands behind a prefix if the tool that wrote the prefix altered it too: put times into a
    /// long line, or cut it off.
    pub(super) fn altered(&mut self, text: &'a [u8], within: Within<'a>) -> Option<Inside> {
        if within.origin.time.is_some()
            && let Some(mended) = prefix::without_times(text, self.arena)
        {
            return Some(self.values(mended, 0, within));
        }
        text.trim_ascii_end().ends_with(TRUNCATED).then(|| self.values(text, 0, within))
    }

    /// An event that does not end: what its head says is worth keeping, and so is a whole one behind it.
    fn cut_short(&mut self, text: &'a [u8], why: Reason, within: Within<'a>) -> Inside {
        let truncated = text.trim_ascii_end().ends_with(TRUNCATED);
        if !truncated && !is_meant_as_event(text) {
            return Inside::default();
        }
        let mut inside = Inside::default();
        let behind = memmem::find_iter(&text[1..], RESYNC).take(RESYNC_TRIES).find_map(|found| {
            let start = found + 1;
            let (object, end) = object::read(text, start, self.arena).ok()?;
            let is_whole = may_begin(text, 0, start, false) && behind_object(text, end, false) == text.len();
            is_whole.then_some((start, object))
        });
        let torn = behind.as_ref().map_or(text.len(), |(start, _)| *start);
        if let Some((start, object)) = behind {
            inside.add(self.object(object, within, text.len() - start));
        } else if truncated && let Some(event) = object::salvage(text, self.arena) {
            self.event(event, within, text.len() + 1);
        }
        let why = if truncated { Cow::Borrowed(IN_TRANSIT) } else { why };
        inside.add(self.fault(why, torn, within.at));
        inside
    }

    fn fault(&mut self, why: Reason, bytes: usize, at: usize) -> Inside {
        let place = self.place(at);
        self.visitor.damage(why, at, place);
        Inside { damaged: bytes, faults: 1, ..Inside::default() }
    }

    /// Reads text that is no JSON: a record of the text formats, events behind a prefix, or foreign.
    fn other_text(&mut self, text: &'a [u8], within: Within<'a>) -> Inside {
        if text.first() == Some(&b'[') {
            if let Ok(list) = Scanner::new(text, 0).value()
                && list.0.len() == text.len()
            {
                return self.holder(list, within);
            }
        } else if !within.unpacked
            && let Some(unpacked) = envelope::unpacked(text, self.arena)
        {
            return self.text(unpacked, Within { unpacked: true, ..within.inner(within.origin) });
        } else if memmem::find(text, b"AUDIT:").is_some() {
            match self.legacy.read(text, self.arena) {
                Some(Ok(found)) => return self.legacy_line(found, within, text.len() + 1),
                Some(Err(problem)) => return self.fault(problem.reason.into(), text.len(), within.at),
                None => {}
            }
        }
        if let Some(at) = memmem::find(text, b"{\"").filter(|at| *at > 0 && prefix::is_prefix(&text[..*at])) {
            let origin = prefix::origin(&text[..at], self.arena).or(within.origin);
            return self.values(text, at, within.inner(origin));
        }
        self.note_losses(text, within.at);
        Inside::default()
    }

    /// Takes note of what the API server says in its own log about events it lost.
    pub(super) fn note_losses(&mut self, text: &'a [u8], at: usize) {
        if let Some(events) = lost_events(text) {
            self.visitor.lost(events);
            let place = self.place(at);
            self.visitor.loss(text, place);
        }
    }

    /// Hands on a record of the text formats.
    pub(super) fn legacy_line(&mut self, found: legacy::Line<'a>, within: Within<'a>, bytes: usize) -> Inside {
        match found {
            legacy::Line::Event(parts) => {
                let mut event = Event::empty(parts.line, Format::OneLine);
                parts.event(&mut event, None, self.arena);
                self.event(event, within, bytes)
            }
            legacy::Line::Request(half) => {
                self.visitor.request_half(half, within.record, within.at, bytes);
                Inside { halves: 1, ..Inside::default() }
            }
            legacy::Line::Response(half) => {
                self.visitor.response_half(half, within.record, within.at, bytes);
                Inside { halves: 1, ..Inside::default() }
            }
        }
    }

    /// Asks what becomes of a piece of a line.
    pub(super) fn piece(&mut self, piece: &Piece<'_>, at: usize) -> Pieced {
        let place = self.place(at);
        self.visitor.piece(piece, at, place)
    }

    /// Charges a record of `bytes` bytes with what was found in it.
    #[inline]
    pub(super) fn charge(&mut self, inside: Inside, bytes: usize) {
        let bucket = match inside {
            Inside { events: 1.., .. } => Bucket::Event,
            Inside { halves: 1.., .. } => Bucket::Half,
            _ => Bucket::Other,
        };
        let damaged = inside.damaged.min(bytes + inside.joined);
        let rest = (bytes + inside.joined - damaged).saturating_sub(inside.kept);
        if inside.faults > 0 {
            // What is around the damaged text is of no use either if there is nothing else in it.
            let all = bucket == Bucket::Other;
            self.visitor.record(Bucket::Damaged, if all { damaged + rest } else { damaged }, true);
            if all {
                return;
            }
        }
        if rest > 0 {
            self.visitor.record(bucket, rest, true);
        }
    }
}

/// Reads a line that was joined from pieces elsewhere, and charges `bytes` for it.
pub fn read_joined<'a>(
    text: &'a [u8],
    bytes: usize,
    origin: Origin<'a>,
    arena: &'a Bump,
    visitor: &mut impl Visitor<'a>,
) {
    let mut carry = super::Carry::default();
    let mut reader = Reader::over(text, super::RegionEnd::Source, &mut carry, arena, visitor);
    let mut inside = reader.text(text, Within::record(text, 0).inner(origin));
    inside.joined += bytes;
    reader.charge(inside, 0);
}

/// What CloudWatch puts at the end of what it cut off.
const TRUNCATED: &[u8] = b"[Truncated...]";

/// The reason of an event that was whole until somebody cut it.
pub(super) const IN_TRANSIT: &str = "truncated in transit";

/// Where an object begins of which nothing was left.
pub(super) fn cut_at_once(line: &[u8]) -> Option<usize> {
    line.trim_ascii_end().strip_suffix(TRUNCATED)?.strip_suffix(b" {").map(<[u8]>::len)
}

const WITHHELD: &str = "journalctl without --all holds back long lines";

/// The bytes an event would have as a line of a server's log.
pub(super) fn own_length(event: &[u8]) -> usize {
    compact_length(event) + 1
}

/// The bytes that an event of a list lacks, because the list says it for all of them.
fn versioning(format: Format) -> usize {
    match format {
        Format::V1 | Format::V1beta1 | Format::V1alpha1 => {
            r#""kind":"Event","apiVersion":"","#.len() + format.name().len()
        }
        _ => 0,
    }
}
