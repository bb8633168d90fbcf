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

mod prefix;
mod quoted;

use std::sync::LazyLock;

use bumpalo::Bump;
use memchr::memmem;

use crate::event::{
    Event, Format, Method, ObjectReference, ResponseStatus, Rules, Stage, Text, Timestamp, User, request_info,
};

use prefix::Prefix;
use quoted::{Quoted, single};

const MARK: &[u8] = b"AUDIT:";

/// Searching is done on every line that is not JSON, so the searcher is made once.
static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(MARK));

/// The reason given when the rest of a line holds another record: the newline between them was lost.
/// [`Problem::at`] is then where the second begins, so both can be read by cutting the line there.
pub const JOINED: &str = "two audit records on one line";

/// What one line holds.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "events are the common case, and a box each costs more than the copy")]
pub enum Line<'a> {
    /// A whole event: one stage of a request in the one-line format. Development builds of 1.7
    /// wrote no stage; their lines were written on completion.
    Event(Event<'a>),
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
    /// The whole line, which [`event_of_pair`] reads again.
    pub line: &'a [u8],
    /// When the request arrived.
    pub time: Option<Timestamp>,
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
    let start = record_start(line)?;
    Some(Record::read(line, start).and_then(|record| record.classify(arena)))
}

/// The event of a request line alone (it arrived, no response is known), or with the code and time
/// of its response line (it is complete). None when `request` is no request line.
pub fn event_of_pair<'a>(
    request: &'a [u8],
    response: Option<(Option<i32>, Option<Timestamp>)>,
    arena: &'a Bump,
) -> Option<Event<'a>> {
    let record = Record::read(request, record_start(request)?).ok()?;
    if record.fields.stage.is_some() || record.fields.response.is_some() {
        return None;
    }
    let method = Method::Http(record.fields.method?.text(arena));
    let mut event = record.event(Format::TwoLine, method, Rules::UpTo1_7, arena)?;
    event.stage = Stage::RequestReceived;
    if let Some((code, time)) = response {
        event.stage = Stage::ResponseComplete;
        event.response_status = status(code);
        event.stage_timestamp = time;
        event.exact_times = event.request_received.is_some() && time.is_some();
    }
    Some(event)
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

fn key_length(text: &[u8]) -> usize {
    text.iter().position(|b| !matches!(b, b'a'..=b'z' | b'-')).unwrap_or(text.len())
}

/// The values of a record that mean something to us; of several with one key the first counts.
#[derive(Clone, Copy, Default)]
struct Fields<'a> {
    id: Option<Quoted<'a>>,
    stage: Option<Quoted<'a>>,
    ip: Option<Quoted<'a>>,
    method: Option<Quoted<'a>>,
    user: Option<Quoted<'a>>,
    groups: Option<Quoted<'a>>,
    as_user: Option<Quoted<'a>>,
    as_groups: Option<Quoted<'a>>,
    user_agent: Option<Quoted<'a>>,
    namespace: Option<Quoted<'a>>,
    uri: Option<Quoted<'a>>,
    response: Option<Quoted<'a>>,
}

/// Every key that a server writes.
const KEYS: [&[u8]; 12] = [
    b"id",
    b"stage",
    b"ip",
    b"method",
    b"user",
    b"groups",
    b"as",
    b"asgroups",
    b"user-agent",
    b"namespace",
    b"uri",
    b"response",
];

impl<'a> Fields<'a> {
    fn slot(&mut self, key: &[u8]) -> Option<&mut Option<Quoted<'a>>> {
        Some(match key {
            b"id" => &mut self.id,
            b"stage" => &mut self.stage,
            b"ip" => &mut self.ip,
            b"method" => &mut self.method,
            b"user" => &mut self.user,
            b"groups" => &mut self.groups,
            b"as" => &mut self.as_user,
            b"asgroups" => &mut self.as_groups,
            b"user-agent" => &mut self.user_agent,
            b"namespace" => &mut self.namespace,
            b"uri" => &mut self.uri,
            b"response" => &mut self.response,
            _ => return None,
        })
    }

    /// Reads pairs from `at` on and tells where they end.
    fn read(line: &'a [u8], mut at: usize) -> Result<(Self, usize), Problem> {
        let mut fields = Fields::default();
        loop {
            let rest = line.get(at..).unwrap_or_default();
            let start = at + rest.len() - rest.trim_ascii_start().len();
            let rest = rest.trim_ascii_start();
            let (key, after) = rest.split_at(key_length(rest));
            let Some(value) = after.strip_prefix(b"=\"").filter(|_| !key.is_empty()) else {
                // A cut line can end in half a key; other words behind the record are not ours.
                if matches!(after, b"" | b"=") && KEYS.iter().any(|k| !key.is_empty() && k.starts_with(key)) {
                    return Err(Problem { reason: "audit line ends inside a key", at: start });
                }
                return Ok((fields, at));
            };
            let open = start + key.len() + 1;
            let Some((quoted, used)) = Quoted::read(value) else {
                return Err(Problem { reason: "quoted value is not closed", at: open });
            };
            at = open + 1 + used;
            if let Some(slot) = fields.slot(key) {
                slot.get_or_insert(quoted);
            }
        }
    }
}

/// One record of the line, its values still quoted.
struct Record<'a> {
    line: &'a [u8],
    start: usize,
    prefix: Prefix<'a>,
    fields: Fields<'a>,
}

impl<'a> Record<'a> {
    fn read(line: &'a [u8], start: usize) -> Result<Self, Problem> {
        let (fields, end) = Fields::read(line, start + MARK.len())?;
        if line.get(end..).is_some_and(|rest| rest.len() > MARK.len() && record_start(rest).is_some()) {
            return Err(Problem { reason: JOINED, at: end });
        }
        Ok(Record { line, start, prefix: Prefix::read(line.get(..start).unwrap_or_default()), fields })
    }

    fn problem<T>(&self, reason: &'static str) -> Result<T, Problem> {
        Err(Problem { reason, at: self.start })
    }

    fn classify(self, arena: &'a Bump) -> Result<Line<'a>, Problem> {
        let fields = &self.fields;
        let Some(id) = fields.id.map(|id| id.text(arena)) else {
            return self.problem("audit line without id");
        };
        match (fields.method, fields.response) {
            (None, None) => self.problem("audit line has neither method nor response"),
            (None, Some(_)) if fields.stage.is_some() => self.problem("audit line without method"),
            (None, Some(response)) => {
                let (code, time) = (code(response), self.prefix.time);
                Ok(Line::Response(ResponseHalf { id, line: self.line, code, time }))
            }
            (Some(_), _) if fields.uri.is_none() => self.problem("audit line without uri"),
            (Some(method), response) if response.is_some() || fields.stage.is_some() => {
                let method = Method::Verb(method.text(arena));
                match self.event(Format::OneLine, method, Rules::Modern, arena) {
                    Some(event) => Ok(Line::Event(event)),
                    None => self.problem("audit line without uri"),
                }
            }
            (Some(_), _) => Ok(Line::Request(RequestHalf { id, line: self.line, time: self.prefix.time })),
        }
    }

    /// The event that the values make; none without the id or URL that every version writes.
    fn event(&self, format: Format, method: Method<'a>, rules: Rules, arena: &'a Bump) -> Option<Event<'a>> {
        let fields = &self.fields;
        let uri = fields.uri?.text(arena);
        let info = request_info(method, uri, rules, arena);
        let namespace = present(fields.namespace, &[b"<none>"]);
        let object = info.is_resource.then(|| ObjectReference {
            namespace: info.object.namespace.or_else(|| namespace.map(|name| name.text(arena))),
            ..info.object
        });
        let stage = fields.stage.map_or(Stage::ResponseComplete, |stage| Stage::from_text(stage.text(arena)));
        let ip = present(fields.ip, &[b"<nil>", b"<unknown>"]);
        Some(Event {
            level: Some("Metadata".into()),
            audit_id: Some(fields.id?.text(arena)),
            stage,
            request_uri: Some(uri),
            verb: Some(info.verb),
            user: user(fields.user, &[b"<none>"], fields.groups, arena),
            impersonated_user: present(fields.as_user, &[b"<self>"])
                .map(|name| user(Some(name), &[], fields.as_groups, arena)),
            source_ips: ip.map(|ip| single(ip.bytes(arena), arena)),
            user_agent: fields.user_agent.map(|agent| agent.text(arena)).filter(|agent| !agent.is_empty()),
            object_ref: object,
            object_ref_derived: object.is_some(),
            response_status: status(fields.response.and_then(code)),
            request_received: self.prefix.time,
            host: self.prefix.host,
            ..Event::empty(self.line, format)
        })
    }
}

fn user<'a>(name: Option<Quoted<'a>>, placeholders: &[&[u8]], groups: Option<Quoted<'a>>, arena: &'a Bump) -> User<'a> {
    User {
        username: present(name, placeholders).map(|name| name.text(arena)),
        groups: present(groups, &[b"<none>", b"<lookup>"]).and_then(|groups| groups.list(arena)),
        ..User::default()
    }
}

/// The value, unless it is empty or one of the words that stand for absence.
fn present<'a>(value: Option<Quoted<'a>>, placeholders: &[&[u8]]) -> Option<Quoted<'a>> {
    value.filter(|value| !value.raw.is_empty() && !placeholders.contains(&value.raw))
}

/// The status code; none for `<deferred>` and whatever else is no number.
fn code(response: Quoted<'_>) -> Option<i32> {
    std::str::from_utf8(response.raw).ok()?.parse().ok()
}

fn status<'a>(code: Option<i32>) -> Option<ResponseStatus<'a>> {
    code.map(|code| ResponseStatus { code: Some(code), ..ResponseStatus::default() })
}

#[cfg(test)]
mod tests;
