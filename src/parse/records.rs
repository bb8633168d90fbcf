//! Cuts bytes into records and says what each one is.
//!
//! A record is a line, or a JSON value where values span lines. Recognition is per record: streams
//! mix formats. The reader walks a *region*: bytes that begin at a record and whose end is known to
//! be a record start, the end of input, or not known yet. Which bytes are records depends on the
//! bytes alone, never on how the input was cut into regions; [`is_definite_start`] is what makes
//! that possible: at such a line no value can still be open, whatever came before.

mod inside;
mod text;
mod torn;

use std::borrow::Cow;

use bumpalo::Bump;
use memchr::{memchr, memmem};

use super::canonical::{Canonical, HEAD};
use super::json::Fault;
use super::legacy::{self, RequestHalf, ResponseHalf};
use super::object::{self, Broken};
use super::pieces::{Piece, Pieced};
use super::sieve::Sieve;
use crate::event::{Event, Format};

pub use inside::read_joined;
use inside::{Inside, Within};

/// What a record's bytes are counted as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bucket {
    /// One event or several.
    Event,
    /// Half of a two-line pair.
    Half,
    /// Something sound or foreign that is no audit record.
    Other,
    /// What should have been an audit record but cannot be read.
    Damaged,
    /// White space, NUL bytes, and punctuation between values.
    Blank,
}

/// What stands behind a region's last byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegionEnd {
    /// Nobody knows yet; leave what is incomplete.
    More,
    /// A line at which a record must begin.
    RecordStart,
    /// The end of the source.
    Source,
}

/// Why a record counts as damaged.
pub type Reason = Cow<'static, str>;

/// The reason of an incomplete last line, which in a live file is no fault.
pub const UNFINISHED_LAST_LINE: &str = "unfinished last line";

/// Receives what a region holds, in order. Offsets count from the region's first byte.
pub trait Visitor<'a> {
    /// An event; `record` is the whole record it was read from, `bytes` its size in the log of its server.
    fn event(&mut self, event: &Event<'a>, record: &'a [u8], offset: usize, bytes: usize);
    /// The request line of a two-line pair.
    fn request_half(&mut self, half: RequestHalf<'a>, record: &'a [u8], offset: usize, bytes: usize);
    /// The response line of a two-line pair.
    fn response_half(&mut self, half: ResponseHalf<'a>, record: &'a [u8], offset: usize, bytes: usize);
    /// A line, or a piece of one, of a stream whose long lines come in pieces. Whatever is not a whole line
    /// is the visitor's to account for.
    fn piece(&mut self, _piece: &Piece<'_>, _offset: usize, _place: Place) -> Pieced {
        Pieced::Whole
    }
    /// Accounts for a record of `bytes` bytes; `counted` is false for the later pieces of one record.
    fn record(&mut self, bucket: Bucket, bytes: usize, counted: bool);
    /// The API server says in its own log that it dropped this many events.
    fn lost(&mut self, events: u64);
    /// The line in which it says so, and where that is.
    fn loss(&mut self, _line: &'a [u8], _place: Place) {}
    /// What lines must hold to matter; none if all do.
    fn sieve(&self) -> Option<&Sieve> {
        None
    }
    /// So many lines, `bytes` bytes together, are events that do not matter, as [`Visitor::sieve`] has it; the
    /// last of them is at `last`.
    fn passed(&mut self, _lines: u32, _bytes: usize, _last: usize) {}
    /// A damaged record that begins at `offset`; `place` is where reading failed.
    fn damage(&mut self, reason: Reason, offset: usize, place: Place);
}

/// A place within the bytes that one [`Carry`] has walked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Line feeds before it.
    pub line: u64,
    /// Bytes before it on its line.
    pub byte: u64,
}

/// What a reader must remember between two regions that follow each other.
#[derive(Clone, Copy, Default, Debug)]
pub struct Carry {
    /// Line feeds so far.
    pub lines: u64,
    /// Bytes since the last of them, where a region begins within a line.
    column: u64,
    /// Whether a run of NUL bytes was cut in two, so that its rest is no record of its own.
    in_nul_run: bool,
    /// Whether the line at hand begins as a list does.
    in_list: bool,
}

impl Carry {
    /// The state at a cut, `column` bytes behind the start of its line, and perhaps within a run of
    /// NUL bytes.
    pub const fn at_cut(column: u64, in_nul_run: bool, in_list: bool) -> Self {
        Carry { lines: 0, column, in_nul_run, in_list }
    }

    /// Whether the line that `stretch` ends in begins as a list does, given how the line at its beginning does.
    pub fn list_behind(stretch: &[u8], column: u64, in_list: bool) -> bool {
        let line = match memchr::memrchr(b'\n', stretch) {
            Some(feed) => &stretch[feed + 1..],
            None if column > 0 => return in_list,
            None => stretch,
        };
        line.first() == Some(&b'[')
    }

    /// How far behind the start of its line a stretch ends that begins `column` bytes behind one.
    pub fn column_behind(stretch: &[u8], column: u64) -> u64 {
        match memchr::memrchr(b'\n', stretch) {
            Some(feed) => (stretch.len() - feed - 1) as u64,
            None => column + stretch.len() as u64,
        }
    }
}

/// Whether the line that `line` starts with begins a record whatever came before it.
///
/// True where no pretty-printed JSON value can continue: a compact object, a letter that starts no
/// JSON literal, a year, a log prefix. Inside a value such a line is proof of a tear.
pub fn is_definite_start(line: &[u8]) -> bool {
    match line {
        [b'{', b'"', ..] => true,
        [b'A'..=b'Z' | b'<', ..] => true,
        // Where the bytes end too early to tell, it may still become a literal.
        [b'a'..=b'z', ..] => {
            [&b"true"[..], b"false", b"null"].iter().all(|w| !line.starts_with(w) && !w.starts_with(line))
        }
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-' | b'/', ..] => true,
        [b'[', b'p', ..] => true,
        _ => false,
    }
}

/// Reads the records of a region and returns how many bytes were used: all of them unless the
/// region's end is [`RegionEnd::More`].
pub fn read_region<'a>(
    region: &'a [u8],
    end: RegionEnd,
    carry: &mut Carry,
    arena: &'a Bump,
    visitor: &mut impl Visitor<'a>,
) -> usize {
    let mut reader = Reader::over(region, end, carry, arena, visitor);
    let mut at = 0;
    while at < region.len() {
        if let Some(next) = reader.sifted(at) {
            at = next;
            continue;
        }
        if let Some(next) = reader.own_line(at) {
            reader.carry.lines += 1;
            at = next;
            continue;
        }
        match reader.record(at) {
            Some(next) => at = next,
            None => break,
        }
    }
    reader.carry.in_list = Carry::list_behind(&region[..at], reader.carry.column, reader.carry.in_list);
    reader.carry.column = Carry::column_behind(&region[..at], reader.carry.column);
    at
}

/// Counts line feeds; nearly always there is one, and it is the last byte.
fn line_feeds(record: &[u8]) -> u64 {
    match memchr(b'\n', record) {
        None => 0,
        Some(at) if at + 1 == record.len() => 1,
        Some(_) => memchr::memchr_iter(b'\n', record).count() as u64,
    }
}

struct Reader<'a, 'r, V> {
    region: &'a [u8],
    end: RegionEnd,
    carry: &'r mut Carry,
    arena: &'a Bump,
    visitor: &'r mut V,
    /// Where the record at hand begins; `carry.lines` counts up to here.
    origin: usize,
    /// So many line feeds stand between `origin` and this offset. A torn value can have a damaged
    /// record on every line, and counting from its start each time would take for ever.
    counted: (usize, u64),
    canonical: Canonical,
    /// No line feed stands at this offset or behind it.
    feedless: usize,
    /// The physical line last looked for. A line can hold a million records, and its end is far.
    physical: Option<Line>,
    /// Reads lines of the text formats.
    legacy: legacy::Reader,
}

/// One physical line: where it starts, where its content ends, where the next one starts.
#[derive(Clone, Copy)]
struct Line {
    start: usize,
    end: usize,
    next: usize,
}

/// What a line, read by itself, turned out to be.
enum Read {
    /// Accounted for.
    Done,
    /// Accounted for up to here, where another record begins on the same line.
    Next(usize),
    /// Not yet: its JSON goes on behind the line's end.
    Open { value: usize },
    /// Damaged from here to the line's end.
    Broken(Tear),
}

/// A stretch of a line that cannot be read.
struct Tear {
    from: usize,
    at: usize,
    reason: Reason,
    /// Whether the bytes merely end too early.
    cut: bool,
}

impl<'a, 'r, V: Visitor<'a>> Reader<'a, 'r, V> {
    fn over(region: &'a [u8], end: RegionEnd, carry: &'r mut Carry, arena: &'a Bump, visitor: &'r mut V) -> Self {
        Reader {
            region,
            end,
            carry,
            arena,
            visitor,
            origin: 0,
            counted: (0, 0),
            canonical: Canonical::default(),
            physical: None,
            feedless: usize::MAX,
            legacy: legacy::Reader::default(),
        }
    }

    /// Passes over the line at `at` if it cannot matter, and over those behind it that cannot either.
    #[inline]
    fn sifted(&mut self, at: usize) -> Option<usize> {
        let sieve = self.visitor.sieve()?;
        // Looking ahead costs more than reading what is short and no event.
        if !self.region[at..].starts_with(HEAD) {
            return None;
        }
        // Of a line with many records only the first is at its start: so none is searched twice.
        let starts_line = if at == 0 { self.carry.column == 0 } else { self.region[at - 1] == b'\n' };
        if self.carry.in_nul_run || !starts_line {
            return None;
        }
        let canonical = &self.canonical;
        let has_user = |line: &[u8]| canonical.user(line, 0, line.len()).is_some_and(|user| !user.is_escaped());
        let passed = sieve.pass(self.region, at, &has_user);
        if passed.lines == 0 {
            return None;
        }
        self.carry.lines += u64::from(passed.lines);
        self.visitor.passed(passed.lines, passed.end - at, passed.last);
        Some(passed.end)
    }

    /// Reads the line at `at` if it is as a server writes it, and tells where it ends, which is found by
    /// reading it. None says nothing about the line.
    #[inline]
    fn own_line(&mut self, at: usize) -> Option<usize> {
        match self.region[at] {
            _ if self.carry.in_nul_run => None,
            b'{' => self.canonical_line(at),
            b'0'..=b'9' => self.text_line(at),
            _ => None,
        }
    }

    /// Reads the line at `at` if it is one canonical event.
    #[inline]
    fn canonical_line(&mut self, at: usize) -> Option<usize> {
        let mut event = Event::empty(&[], Format::V1);
        let end = self.canonical.read(self.region, at, self.region.len(), self.arena, &mut event)?;
        if self.region.get(end) != Some(&b'\n') {
            return None;
        }
        self.visitor.event(&event, &self.region[at..=end], at, end + 1 - at);
        self.visitor.record(Bucket::Event, end + 1 - at, true);
        Some(end + 1)
    }

    /// Reads the line at `at` if it is a text record in the server's own layout.
    #[inline]
    fn text_line(&mut self, at: usize) -> Option<usize> {
        let text = &self.region[at..];
        let (found, length) = self.legacy.read_own(text, self.arena)?;
        let record = &text[..=length];
        match found {
            legacy::Line::Request(half) => self.visitor.request_half(half, record, at, record.len()),
            legacy::Line::Response(half) => self.visitor.response_half(half, record, at, record.len()),
            legacy::Line::Event(_) => {
                self.legacy(found, record, at);
                return Some(at + record.len());
            }
        }
        self.visitor.record(Bucket::Half, record.len(), true);
        Some(at + record.len())
    }

    /// Reads the record at `at`, counts its line feeds and tells where it ends; none when it needs bytes
    /// that are not there yet.
    fn record(&mut self, at: usize) -> Option<usize> {
        self.origin = at;
        self.counted = (at, 0);
        if self.region[at] == 0 || self.carry.in_nul_run {
            return Some(self.nul_run(at));
        }
        let Some(line) = self.line(at) else { return self.one_of_many(at) };
        match self.read_line(line) {
            Read::Done => {}
            Read::Next(next) => return Some(next),
            Read::Open { value } => {
                let next = self.spanning(line, value)?;
                self.carry.lines += line_feeds(&self.region[at..next]);
                return Some(next);
            }
            Read::Broken(tear) => self.broken(line, tear),
        }
        self.carry.lines += (line.next - line.end) as u64;
        Some(line.next)
    }

    /// Counts a run of NUL bytes, of which only a whole one is a record.
    fn nul_run(&mut self, at: usize) -> usize {
        let rest = &self.region[at..];
        let zero_pages = rest.chunks_exact(4096).take_while(|page| page.iter().all(|&b| b == 0)).count();
        let tail = rest[zero_pages * 4096..].iter().take_while(|&&b| b == 0).count();
        let length = zero_pages * 4096 + tail;
        self.visitor.record(Bucket::Blank, length, !self.carry.in_nul_run);
        self.carry.in_nul_run = at + length == self.region.len() && self.end == RegionEnd::More;
        at + length
    }

    #[inline]
    fn line(&mut self, start: usize) -> Option<Line> {
        if let Some(line) = self.physical.filter(|line| (line.start..line.next).contains(&start)) {
            return Some(Line { start, ..line });
        }
        let rest = &self.region[start..];
        let feed = if start >= self.feedless { None } else { memchr(b'\n', rest) };
        if feed.is_none() {
            self.feedless = self.feedless.min(start);
        }
        let line = match feed {
            Some(length) => Line { start, end: start + length, next: start + length + 1 },
            None if self.end == RegionEnd::More => return None,
            None => Line { start, end: self.region.len(), next: self.region.len() },
        };
        let is_first = start == 0 || self.region[start - 1] == b'\n';
        let physical = if is_first { start } else { self.line_start(start) };
        self.physical = Some(Line { start: physical, ..line });
        Some(line)
    }

    fn line_start(&self, at: usize) -> usize {
        memchr::memrchr(b'\n', &self.region[..at]).map_or(0, |feed| feed + 1)
    }

    #[inline]
    fn read_line(&mut self, line: Line) -> Read {
        let value = skip_separators(self.region, line.start, line.end);
        if value == line.end {
            self.visitor.record(Bucket::Blank, line.next - line.start, true);
            return Read::Done;
        }
        if self.region[value] == b'{'
            && matches!(self.region[value + 1..line.end].first(), None | Some(b'"' | b'}' | b' ' | b'\t' | b'\r'))
        {
            return self.read_values(line, value);
        }
        self.read_text(line)
    }

    /// Reads the JSON object that a line begins with.
    fn read_values(&mut self, line: Line, first: usize) -> Read {
        let mut event = Event::empty(&[], Format::V1);
        if self.canonical.read(self.region, first, line.end, self.arena, &mut event) == Some(line.end) {
            let bytes = line.next - line.start;
            self.visitor.event(&event, &self.region[line.start..line.next], first, line.end - first + 1);
            self.visitor.record(Bucket::Event, bytes, true);
            return Read::Done;
        }
        match object::read(&self.region[..line.end], first, self.arena) {
            Ok((object, end)) => {
                let next = skip_separators(self.region, end, line.end);
                let bytes = if next == line.end { line.next - line.start } else { next - line.start };
                let record = &self.region[line.start..line.start + bytes];
                let inside = self.object(object, Within::record(record, first), bytes);
                if next < line.end && self.region[next] != b'{' {
                    return self.trailing(line, next, inside);
                }
                self.charge(inside, bytes);
                // What follows on the line is a record of its own.
                if next == line.end { Read::Done } else { Read::Next(next) }
            }
            Err(broken) if matches!(broken.fault, Fault::EndsInValue(_)) => Read::Open { value: first },
            Err(broken) => Read::Broken(Tear::of(line.start, &broken)),
        }
    }

    /// Reads a value that ends where another begins, on a line whose end is not there yet: a file can be one
    /// line of a million values.
    fn one_of_many(&mut self, at: usize) -> Option<usize> {
        let first = skip_separators(self.region, at, self.region.len());
        if self.region.get(first) != Some(&b'{') {
            return None;
        }
        let (object, end) = object::read(self.region, first, self.arena).ok()?;
        let next = skip_separators(self.region, end, self.region.len());
        if self.region.get(next) != Some(&b'{') {
            return None;
        }
        let within = Within::record(&self.region[at..next], first);
        let inside = self.object(object, within, next - at);
        self.charge(inside, next - at);
        Some(next)
    }

    /// Text behind a value on its line: damage if it follows an event, else all of it is foreign.
    fn trailing(&mut self, line: Line, next: usize, inside: Inside) -> Read {
        if !inside.is_something() {
            self.visitor.record(Bucket::Other, line.next - line.start, true);
            return Read::Done;
        }
        self.charge(inside, next - line.start);
        Read::Broken(Tear { from: next, at: next, reason: Cow::Borrowed("text behind an event"), cut: false })
    }
}

impl Tear {
    fn of(from: usize, broken: &Broken) -> Self {
        let cut = matches!(broken.fault, Fault::EndsInString(_) | Fault::EndsInValue(_));
        Tear { from, at: broken.fault.at(), reason: reason(broken), cut }
    }
}

/// Skips white space, the punctuation of arrays and streams, a byte order mark, and the record
/// separator of JSON text sequences. `[` counts only where no log prefix can begin with it.
#[inline]
fn skip_separators(text: &[u8], start: usize, end: usize) -> usize {
    let mut at = start;
    while at < end {
        match text[at] {
            b'{' => return at,
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' | b'}' | 0x1e | 0 => at += 1,
            b'[' if matches!(text.get(at + 1), None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'{' | b'[' | b']')) => {
                at += 1
            }
            0xef if text[at..end].starts_with(b"\xef\xbb\xbf") => at += 3,
            b'-' if &text[at..end] == b"---" => return end,
            _ => return at,
        }
    }
    at
}

fn trim_line(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// How many events the API server says it dropped, when the line is its message about that:
/// `Error in audit plugin 'log' affecting 1 audit events: …`.
fn lost_events(line: &[u8]) -> Option<u64> {
    let at = memmem::find(line, b"Error in audit plugin '")?;
    let rest = &line[at..];
    let number = &rest[memmem::find(rest, b"' affecting ")? + 12..];
    let digits = number.iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&number[..digits]).ok()?.parse().ok()
}

/// Whether text that is no sound JSON was meant to be an audit event.
pub fn is_meant_as_event(text: &[u8]) -> bool {
    text.starts_with(b"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/")
        || memmem::find(text, b"\"auditID\"").is_some()
}

/// The reason in words; grouped by it, so it never quotes the log.
fn reason(broken: &Broken) -> Reason {
    let what = match broken.fault {
        Fault::EndsInString(_) | Fault::EndsInValue(_) => "event ends inside",
        Fault::Malformed(_) => "not valid JSON in",
        Fault::TooDeep(_) => "nested too deeply in",
    };
    match (broken.member, broken.fault) {
        (Some(member), _) => Cow::Owned(format!("{what} `{member}`")),
        (None, Fault::Malformed(_)) => Cow::Borrowed("not valid JSON"),
        (None, _) => Cow::Borrowed("event ends early"),
    }
}
