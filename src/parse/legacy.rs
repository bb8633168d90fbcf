//! The text formats: two lines per request (Kubernetes 1.4 to 1.7), and one line per stage
//! (`--audit-log-format=legacy`, 1.7 to today).
//!
//! A record is `AUDIT:` followed by `key="value"` pairs, with Go quoting and any prefix. Values are
//! scanned as quoted strings and never searched: a user agent may hold `AUDIT: id=\"x\"`, and clients
//! choose it. Keys may come in any order, unknown ones are passed over, and lost spaces between pairs
//! are forgiven. What the line lacks (object, and for two lines the verb) follows from the URL.
//!
//! The halves of a two-line pair come back apart; whoever sees all lines joins them by `id` and asks
//! [`event_of_pair`] for the event.

mod clock;
mod fields;
mod prefix;
mod quoted;

use std::sync::LazyLock;

use bumpalo::Bump;
use memchr::memmem;

use crate::event::{Event, Format, Method, Origin, ResponseStatus, Rules, Stage, Text, Timestamp, User, request_info};

use super::simd::{self, Isa, Job, Level};
use clock::Clock;
use fields::{Fields, Key, key_length};
use prefix::Prefix;
use quoted::{Quoted, single};

pub use quoted::Lists;

const MARK: &[u8] = b"AUDIT:";

/// Searching is done on every line that is not JSON, so the searcher is made once.
static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(MARK));

/// The reason given when the rest of a line holds another record: the newline between them was lost.
/// [`Problem::at`] is then where the second begins, so both can be read by cutting the line there.
pub const JOINED: &str = "two audit records on one line";

/// What one line holds.
#[derive(Clone, Copy, Debug)]
pub enum Line<'a> {
    /// A whole event: one stage of a request in the one-line format. Development builds of 1.7
    /// wrote no stage; their lines were written on completion.
    Event(Record<'a>),
    /// The first half of a two-line pair.
    Request(RequestHalf<'a>),
    /// The second half of a two-line pair.
    Response(ResponseHalf<'a>),
}

/// The request line of a two-line pair.
#[derive(Clone, Copy, Debug)]
pub struct RequestHalf<'a> {
    /// What joins the halves: a UUID that the server made.
    pub id: Text<'a>,
    /// The line taken apart, of which [`Record::pair`] makes the event.
    pub record: Record<'a>,
}

/// The response line of a two-line pair.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHalf<'a> {
    /// What joins the halves.
    pub id: Text<'a>,
    /// The whole line.
    pub line: &'a [u8],
    /// The HTTP status code.
    pub code: Option<i32>,
    /// When the response headers were sent.
    pub time: Option<Timestamp>,
}

/// What a pair's event takes from its response line: code and time.
pub type Answer = (Option<i32>, Option<Timestamp>);

/// Why a record could not be read, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, in a few words.
    pub reason: &'static str,
    /// The byte offset within the line.
    pub at: usize,
}

/// Reads a line of a text format. None when it holds no `AUDIT:` record at all.
pub fn read<'a>(line: &'a [u8], arena: &'a Bump) -> Option<Result<Line<'a>, Problem>> {
    Reader::default().read(line, arena)
}

/// Reads lines one after the other, each by itself; what it remembers only makes it faster.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    clock: Clock,
    level: Level,
}

impl Default for Reader {
    fn default() -> Self {
        Reader { clock: Clock::default(), level: Level::best() }
    }
}

impl Reader {
    /// Reads a line, as [`read`] does.
    #[inline]
    pub fn read<'a>(&mut self, line: &'a [u8], arena: &'a Bump) -> Option<Result<Line<'a>, Problem>> {
        let (start, prefix) = match self.server_prefix(line) {
            Some((start, time)) => (start, Prefix { time: Some(time), host: None }),
            None => {
                let start = record_start(line)?;
                (start, Prefix::read(line.get(..start).unwrap_or_default()))
            }
        };
        Some(Record::read(self.level, line, start, prefix).and_then(|record| record.classify(start, arena)))
    }

    /// Reads the line that `text` starts with, if it is in the server's own layout, and tells its length
    /// without the line feed. None says nothing about the line.
    #[inline(always)]
    pub fn read_own<'a>(&mut self, text: &'a [u8], arena: &'a Bump) -> Option<(Line<'a>, usize)> {
        let (start, time) = self.server_prefix(text)?;
        if let Some((half, end)) = self.response(text, start, time) {
            return Some((Line::Response(half), end));
        }
        let mut fields = Fields::default();
        let end = fields.read_in_order(self.level, text, start + MARK.len())?;
        if text.get(end) != Some(&b'\n') {
            return None;
        }
        let prefix = Prefix { time: Some(time), host: None };
        let record = Record { line: text.get(..end)?, prefix, fields };
        record.classify(start, arena).ok().map(|line| (line, end))
    }

    /// The response line whose record begins at `start`: every second line is one, and nearly all are alike.
    #[inline(always)]
    fn response<'a>(&self, text: &'a [u8], start: usize, time: Timestamp) -> Option<(ResponseHalf<'a>, usize)> {
        let id = start + SERVER_ID.len();
        let (length, code) = simd::at(self.level, Answered(text.get(id..)?.first_chunk()?))?;
        let end = id + length + ANSWER.len() + 4;
        let id = Text::plain(text.get(id..id + length)?);
        Some((ResponseHalf { id, line: text.get(..end)?, code: Some(code), time: Some(time) }, end))
    }

    /// The server's own line has its time and a space before the record, and nothing else.
    #[inline]
    fn server_prefix(&mut self, line: &[u8]) -> Option<(usize, Timestamp)> {
        let (time, used) = self.clock.read(line)?;
        let is_record = line.get(used..)?.starts_with(b" AUDIT: id=\"");
        is_record.then_some((used + 1, time))
    }
}

/// The event of a request line alone (it arrived, no response is known), or with the code and time
/// of its response line (it is complete). None when `request` is no request line.
pub fn event_of_pair<'a>(request: &'a [u8], response: Option<Answer>, arena: &'a Bump) -> Option<Event<'a>> {
    match read(request, arena)?.ok()? {
        Line::Request(half) => {
            let mut event = Event::empty(request, Format::TwoLine);
            half.record.pair(response, &mut event, None, arena);
            Some(event)
        }
        Line::Event(_) | Line::Response(_) => None,
    }
}

/// Where the line's first record begins: at an `AUDIT:` with a key and a quoted value behind it, or
/// one with a time before it and the line cut behind it. Text that merely mentions the word is no record.
fn record_start(line: &[u8]) -> Option<usize> {
    FINDER.find_iter(line).find(|&at| {
        let after = line.get(at + MARK.len()..).unwrap_or_default().trim_ascii_start();
        match after.get(key_length(after)..) {
            Some([b'=', b'"', ..]) => key_length(after) > 0,
            Some([] | [b'=']) => {
                b"id=".starts_with(after) && Prefix::read(line.get(..at).unwrap_or_default()).time.is_some()
            }
            _ => false,
        }
    })
}

/// One record of a line, its values still quoted.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The whole line.
    pub line: &'a [u8],
    prefix: Prefix<'a>,
    fields: Fields,
}

impl<'a> Record<'a> {
    #[inline]
    fn read(level: Level, line: &'a [u8], start: usize, prefix: Prefix<'a>) -> Result<Self, Problem> {
        let (fields, end) = Fields::read(level, line, start + MARK.len())?;
        if line.get(end..).is_some_and(|rest| rest.len() > MARK.len() && record_start(rest).is_some()) {
            return Err(Problem { reason: JOINED, at: end });
        }
        Ok(Record { line, prefix, fields })
    }

    /// What the record, which begins at `start`, says: by the keys it has.
    #[inline(always)]
    fn classify(self, start: usize, arena: &'a Bump) -> Result<Line<'a>, Problem> {
        let problem = |reason| Err(Problem { reason, at: start });
        let Some(id) = self.get(Key::Id) else { return problem("audit line without id") };
        let id = id.text(arena);
        let has = |key| self.fields.has(key);
        if !has(Key::Method) {
            return match self.get(Key::Response) {
                None => problem("audit line has neither method nor response"),
                Some(_) if has(Key::Stage) => problem("audit line without method"),
                Some(response) => {
                    let (code, time) = (code(response), self.prefix.time);
                    Ok(Line::Response(ResponseHalf { id, line: self.line, code, time }))
                }
            };
        }
        if !has(Key::Uri) {
            return problem("audit line without uri");
        }
        if has(Key::Response) || has(Key::Stage) {
            return Ok(Line::Event(self));
        }
        Ok(Line::Request(RequestHalf { id, record: self }))
    }

    /// When the record was written, as its line says.
    pub const fn time(&self) -> Option<Timestamp> {
        self.prefix.time
    }

    /// The event of a line of the one-line format. `event` must be empty. (An event is large: returning
    /// it would copy it twice.) `lists` pay off where many events are made.
    pub fn event(&self, event: &mut Event<'a>, lists: Option<&mut Lists>, arena: &'a Bump) {
        event.format = Format::OneLine;
        let verb = self.text(Key::Method, arena).map_or(Method::Verb(Text::plain(b"")), Method::Verb);
        self.fill(event, verb, Rules::Modern, lists, arena);
        let stage = self.get(Key::Stage);
        event.stage = stage.map_or(Stage::ResponseComplete, |stage| Stage::from_text(stage.text(arena)));
        event.response_status = status(self.get(Key::Response).and_then(code));
    }

    /// The event of a request line, alone or with its response. `event` must be empty.
    #[inline]
    pub fn pair(&self, response: Option<Answer>, event: &mut Event<'a>, lists: Option<&mut Lists>, arena: &'a Bump) {
        event.format = Format::TwoLine;
        let method = self.text(Key::Method, arena).map_or(Method::Http(Text::plain(b"")), Method::Http);
        self.fill(event, method, Rules::UpTo1_7, lists, arena);
        event.stage = Stage::RequestReceived;
        if let Some((code, time)) = response {
            event.stage = Stage::ResponseComplete;
            event.response_status = status(code);
            event.stage_timestamp = time;
            event.exact_times = event.request_received.is_some() && time.is_some();
        }
    }

    /// Fills in what the values make, in either format.
    #[inline]
    fn fill(
        &self,
        event: &mut Event<'a>,
        method: Method<'a>,
        rules: Rules,
        lists: Option<&mut Lists>,
        arena: &'a Bump,
    ) {
        let uri = self.text(Key::Uri, arena).unwrap_or(Text::plain(b""));
        let info = request_info(method, uri, rules, arena);
        event.raw = self.line;
        event.level = Some(Text::plain(b"Metadata"));
        event.audit_id = self.text(Key::Id, arena);
        event.request_uri = Some(uri);
        event.verb = Some(info.verb);
        if info.is_resource {
            let namespace = || Some(self.present(Key::Namespace, &[b"<none>"])?.text(arena));
            let object = event.object_ref.insert(info.object);
            object.namespace = object.namespace.or_else(namespace);
            event.object_ref_derived = true;
        }
        event.user.username = self.present(Key::User, &[b"<none>"]).map(|name| name.text(arena));
        if let Some(name) = self.present(Key::As, &[b"<self>"]) {
            let groups = self.groups(Key::AsGroups).and_then(|groups| groups.list(arena));
            event.impersonated_user = Some(User { username: Some(name.text(arena)), groups, ..User::default() });
        }
        event.user.groups = self.groups(Key::Groups).and_then(|groups| match lists {
            Some(lists) => lists.list(groups, arena),
            None => groups.list(arena),
        });
        let ip = self.present(Key::Ip, &[b"<nil>", b"<unknown>"]);
        event.source_ips = ip.map(|ip| single(ip.bytes(arena), arena));
        event.user_agent = self.text(Key::UserAgent, arena).filter(|agent| !agent.is_empty());
        event.request_received = self.prefix.time;
        event.origin = self.prefix.host.map(|host| &*arena.alloc(Origin { host: Some(host), ..Origin::NONE }));
    }

    #[inline(always)]
    fn get(&self, key: Key) -> Option<Quoted<'a>> {
        self.fields.get(self.line, key)
    }

    #[inline(always)]
    fn text(&self, key: Key, arena: &'a Bump) -> Option<Text<'a>> {
        self.get(key).map(|value| value.text(arena))
    }

    /// The value, unless it is empty or one of the words that stand for absence.
    #[inline(always)]
    fn present(&self, key: Key, placeholders: &[&[u8]]) -> Option<Quoted<'a>> {
        self.get(key).filter(|value| !value.raw.is_empty() && !placeholders.contains(&value.raw))
    }

    #[inline(always)]
    fn groups(&self, key: Key) -> Option<Quoted<'a>> {
        self.present(key, &[b"<none>", b"<lookup>"])
    }
}

/// How a record of the server begins.
const SERVER_ID: &[u8; 11] = b"AUDIT: id=\"";

/// What stands between the id and the code of a response line.
const ANSWER: &[u8; 12] = b"\" response=\"";

/// A response line from its id on: the id without escapes, a code of three digits, a line feed.
struct Answered<'a>(&'a [u8; 64]);

impl Job for Answered<'_> {
    /// The length of the id, and the code.
    type Output = Option<(usize, i32)>;

    #[inline(always)]
    fn run<I: Isa>(self) -> Self::Output {
        let text = self.0;
        let stops = I::marks(text);
        let length = stops.trailing_zeros() as usize;
        // The quote that ends the id, the two around the code, and the line feed; nothing between them.
        if stops >> (length & 63) & 0x1_ffff != 0b1_1000_1000_0000_0001 {
            return None;
        }
        let rest = text.get(length..)?;
        let code = rest.get(ANSWER.len()..ANSWER.len() + 3)?;
        if !rest.starts_with(ANSWER) || !rest.get(ANSWER.len() + 3..)?.starts_with(b"\"\n") {
            return None;
        }
        three_digits(code).map(|code| (length, code))
    }
}

/// The status code; none for `<deferred>` and whatever else is no number.
#[inline]
fn code(response: Quoted<'_>) -> Option<i32> {
    three_digits(response.raw).or_else(|| std::str::from_utf8(response.raw).ok()?.parse().ok())
}

#[inline]
fn three_digits(text: &[u8]) -> Option<i32> {
    let &[hundreds @ b'0'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = text else { return None };
    let [hundreds, tens, ones] = [hundreds, tens, ones].map(|digit| i32::from(digit - b'0'));
    Some(hundreds * 100 + tens * 10 + ones)
}

fn status<'a>(code: Option<i32>) -> Option<ResponseStatus<'a>> {
    code.map(|code| ResponseStatus { code: Some(code), ..ResponseStatus::default() })
}

#[cfg(test)]
mod tests;
