//! One request in full: every event of it, found by its audit id or the beginning of one.
//!
//! Events are kept whole, as one line of JSON each beside the facts that the JSON may lack (an object that
//! was read from the URL). Clients choose audit ids, so one id can stand for any number of requests, and
//! many ids can begin alike: both are bounded. Nothing here puts anything into words.

use std::collections::BTreeMap;

use super::{Amendment, Position, Question, Seen, Slot};
use crate::event::{Event, Text, Timestamp, write_json};
use crate::query::Filter;

/// Beginnings of audit ids shorter than this would meet by chance; they are compared whole.
pub const SHORTEST: usize = 4;

/// So many events are kept of one audit id, the first in the order of the input.
const EVENTS: usize = 256;

/// So many audit ids are told of those that begin alike, the first in order of the alphabet.
pub const IDS: usize = 20;

/// The question: which events have this audit id.
pub struct Show {
    /// Which of them matter.
    pub filter: Filter,
    /// The audit id, or how it begins.
    pub id: String,
}

/// An event that outlives the bytes it was read from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Specimen {
    /// `auditID`.
    pub id: String,
    /// Where it stands.
    pub position: Position,
    /// The source it was read from.
    pub source: String,
    /// The host or pod it came from, as far as its line or the path of its file tells.
    pub origin: Option<String>,
    /// The event as one line of JSON.
    pub json: Vec<u8>,
    /// The format it was read from.
    pub format: &'static str,
    /// `stage`.
    pub stage: String,
    /// Which of several stages stands for the request: the highest.
    pub rank: u8,
    /// When this stage was reached.
    pub time: Option<Timestamp>,
    /// When the request arrived.
    pub received: Option<Timestamp>,
    /// Time from arrival to this stage in nanoseconds.
    pub latency_ns: Option<i64>,
    /// Whether the server treats the request as long-running.
    pub long_running: bool,
    /// `verb`.
    pub verb: String,
    /// `requestURI`.
    pub uri: String,
    /// The user's name; empty after failed authentication.
    pub user: String,
    /// The object, recorded or read from the URL.
    pub object: Option<Object>,
}

/// An object reference that outlives its event; what is absent is empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the fields are those of the API")]
pub struct Object {
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub api_group: String,
    pub api_version: String,
    pub resource_version: String,
    pub subresource: String,
}

/// All events of one request, in the order of their stages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Its audit id.
    pub id: String,
    /// Its events; at least one.
    pub events: Vec<Specimen>,
    /// How many events were left out because they repeat one of these.
    pub repeats: u64,
}

impl Request {
    /// The event that stands for the request: the highest stage.
    pub fn last(&self) -> &Specimen {
        self.events.last().unwrap_or_else(|| unreachable!("a request has an event"))
    }
}

/// Events by their audit id: those with exactly the id asked for, and one other that begins with it.
#[derive(Clone, Default)]
pub struct ShowPartial {
    exact: Found,
    begun: Found,
    /// All ids that begin with what was asked for, bounded.
    ids: BTreeMap<String, u64>,
    /// Whether there are more ids than are kept.
    more_ids: bool,
}

#[derive(Clone, Default)]
struct Found {
    events: Vec<Specimen>,
    total: u64,
}

impl Found {
    fn add(&mut self, event: Specimen) {
        self.events.push(event);
        self.total += 1;
        self.bound(2 * EVENTS);
    }

    fn merge(&mut self, from: Found) {
        self.events.extend(from.events);
        self.total += from.total;
        self.bound(EVENTS);
    }

    /// Keeps the first of too many. Stable: events of one record keep the order they were read in.
    fn bound(&mut self, most: usize) {
        if self.events.len() > most {
            self.events.sort_by_key(|event| event.position);
            self.events.truncate(EVENTS);
        }
    }
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ShowAnswer {
    /// No event has the id.
    Nothing,
    /// Several ids begin like that: the first of them, each with its number of events, and whether there are more.
    Ambiguous(Vec<(String, u64)>, bool),
    /// The requests with the id, in the order of their arrival, and how many events were too many to keep.
    Requests(Vec<Request>, u64),
}

impl Question for Show {
    type Partial = ShowPartial;

    const IN_ORDER: bool = false;

    fn empty(&self) -> ShowPartial {
        ShowPartial::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut ShowPartial, seen: &Seen<'_, '_>) -> Slot {
        let Some(id) = seen.event.audit_id.map(Text::decode) else { return Slot::NONE };
        if !id.starts_with(self.id.as_bytes()) || !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        if *id == *self.id.as_bytes() {
            partial.exact.add(Specimen::of(seen));
        } else if self.id.len() >= SHORTEST {
            partial.begun(&String::from_utf8_lossy(&id), seen);
        }
        Slot::NONE
    }

    fn amend(&self, _: &mut ShowPartial, _: Slot, _: Amendment) {}

    /// Events are compared with each other in the end, so a repeat needs not be taken back.
    fn merge(&self, into: &mut ShowPartial, from: ShowPartial) {
        into.exact.merge(from.exact);
        for (id, events) in from.ids {
            into.count(&id, events);
        }
        into.more_ids |= from.more_ids;
        into.begun.merge(from.begun);
        into.forget();
    }
}

impl ShowPartial {
    fn begun(&mut self, id: &str, seen: &Seen<'_, '_>) {
        self.count(id, 1);
        if self.ids.len() == 1 {
            self.begun.add(Specimen::of(seen));
        }
        self.forget();
    }

    fn count(&mut self, id: &str, events: u64) {
        match self.ids.get_mut(id) {
            Some(count) => *count += events,
            None => {
                self.ids.insert(id.to_owned(), events);
            }
        }
        if self.ids.len() > IDS {
            self.ids.pop_last();
            self.more_ids = true;
        }
    }

    /// With a second id nothing is shown of the first.
    fn forget(&mut self) {
        if self.ids.len() > 1 || self.exact.total > 0 {
            self.begun = Found::default();
        }
    }

    /// What was found.
    pub fn finish(self) -> ShowAnswer {
        if self.exact.total == 0 && (self.ids.len() > 1 || self.more_ids) {
            return ShowAnswer::Ambiguous(self.ids.into_iter().collect(), self.more_ids);
        }
        let mut found = if self.exact.total > 0 { self.exact } else { self.begun };
        if found.total == 0 {
            return ShowAnswer::Nothing;
        }
        found.bound(EVENTS);
        let left_out = found.total - found.events.len() as u64;
        let mut requests: Vec<Request> = Vec::new();
        found.events.sort_by(|a, b| {
            (a.identity(), a.rank, a.time, a.position).cmp(&(b.identity(), b.rank, b.time, b.position))
        });
        for event in found.events {
            match requests.last_mut().filter(|request| request.last().identity() == event.identity()) {
                Some(request) if request.last().json == event.json => request.repeats += 1,
                Some(request) => request.events.push(event),
                None => requests.push(Request { id: event.id.clone(), events: vec![event], repeats: 0 }),
            }
        }
        ShowAnswer::Requests(requests, left_out)
    }
}

impl Specimen {
    fn of(seen: &Seen<'_, '_>) -> Self {
        let event = seen.event;
        let mut json = Vec::with_capacity(event.raw.len());
        write_json(event, &mut json);
        Specimen {
            id: owned(event.audit_id),
            position: seen.position,
            source: seen.source.name.clone(),
            origin: seen.origin().host.or(seen.origin().pod).map(|name| name.to_str_lossy().into_owned()),
            json,
            format: event.format.name(),
            stage: owned(Some(event.stage.text())),
            rank: event.stage.rank(),
            time: event.time(),
            received: event.request_received,
            latency_ns: event.latency_ns(),
            long_running: event.is_long_running(),
            verb: owned(event.verb),
            uri: owned(event.request_uri),
            user: owned(event.user.username),
            object: object(event),
        }
    }

    /// What all stages of a request agree on.
    fn identity(&self) -> (Option<i64>, &str, &str, &str) {
        let received = self.received.map(|time| time.0.div_euclid(1000));
        (received, &self.uri, &self.verb, &self.user)
    }
}

fn object(event: &Event<'_>) -> Option<Object> {
    let object = event.object_ref?;
    Some(Object {
        resource: owned(object.resource),
        namespace: owned(object.namespace),
        name: owned(object.name),
        uid: owned(object.uid),
        api_group: owned(object.api_group),
        api_version: owned(object.api_version),
        resource_version: owned(object.resource_version),
        subresource: owned(object.subresource),
    })
}

fn owned(text: Option<Text<'_>>) -> String {
    text.map(|text| text.to_str_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::SourceInfo;
    use super::*;
    use crate::event::{Format, Stage};

    /// One partial of events by audit id, offset and URI, and one for each event, merged from the right.
    fn answers(asked: &str, events: &[(&'static str, u64, &'static str)]) -> [ShowAnswer; 2] {
        let question = Show { filter: Filter::default(), id: asked.to_owned() };
        let (mut whole, mut pieces) = (question.empty(), question.empty());
        for &(id, offset, uri) in events.iter().rev() {
            let mut event = Event::empty(if offset % 2 == 0 { b"{}" } else { b"[]" }, Format::V1);
            (event.audit_id, event.request_uri) = (Some(id.into()), Some(uri.into()));
            event.stage = if offset % 2 == 0 { Stage::RequestReceived } else { Stage::ResponseComplete };
            let (source, position) = (SourceInfo::default(), Position { source: 0, offset });
            let seen = Seen { event: &event, record: b"", source: &source, position, bytes: 2, events: 1 };
            question.observe(&mut whole, &seen);
            let mut piece = question.empty();
            question.observe(&mut piece, &seen);
            question.merge(&mut piece, pieces);
            pieces = piece;
        }
        [whole.finish(), pieces.finish()]
    }

    fn shape(answer: &ShowAnswer) -> String {
        match answer {
            ShowAnswer::Nothing => "nothing".to_owned(),
            ShowAnswer::Ambiguous(ids, more) => format!("{} ids, more: {more}", ids.len()),
            ShowAnswer::Requests(requests, left_out) => {
                let of = |r: &Request| r.events.iter().map(|event| event.position.offset).collect::<Vec<_>>();
                let offsets: Vec<_> = requests.iter().map(|request| (of(request), request.repeats)).collect();
                format!("{offsets:?}, left out: {left_out}")
            }
        }
    }

    #[test]
    fn ids_and_beginnings() {
        let events = [("abcd-1", 0, "/a"), ("abcd-1", 1, "/a"), ("abcd", 3, "/b"), ("abxx", 5, "/c")];
        for (asked, expected) in [
            ("abcd", "[([3], 0)], left out: 0"),
            ("abcd-", "[([0, 1], 0)], left out: 0"),
            ("abc", "nothing"),
            ("ab", "nothing"),
            ("x", "nothing"),
        ] {
            assert_eq!(answers(asked, &events).map(|answer| shape(&answer)), [expected, expected], "{asked}");
        }
        let alike = [("abcd-1", 0, "/a"), ("abcd-2", 1, "/a"), ("abcd-2", 2, "/a")];
        assert_eq!(answers("abcd", &alike).map(|answer| shape(&answer)), ["2 ids, more: false"; 2]);
    }

    #[test]
    fn requests_repeats_and_bounds() {
        let events = [("id", 0, "/b"), ("id", 1, "/b"), ("id", 2, "/a"), ("id", 4, "/a")];
        let expected = "[([2], 1), ([0, 1], 0)], left out: 0";
        assert_eq!(answers("id", &events).map(|answer| shape(&answer)), [expected, expected]);
        let many: Vec<_> = (0..700).map(|at| ("id", at * 2, if at % 3 == 0 { "/a" } else { "/b" })).collect();
        let [whole, pieces] = answers("id", &many);
        assert_eq!(whole, pieces);
        assert!(shape(&whole).ends_with("left out: 444"), "{}", shape(&whole));
        const NAMES: [&str; 3] = ["same-a", "same-b", "same-c"];
        let ids: Vec<_> = (0..90).map(|at| (NAMES[at % 3], at as u64, "/a")).collect();
        let [whole, pieces] = answers("same", &ids);
        assert_eq!(whole, pieces);
        assert_eq!(shape(&whole), "3 ids, more: false");
    }
}
