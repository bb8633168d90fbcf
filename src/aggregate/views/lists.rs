//! Lists: which ask for everything at once, which are served from the watch cache, which are read in pages.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Names, Values, quantile};
use crate::aggregate::Seen;
use crate::aggregate::key::Key;
use crate::aggregate::stats::LatencySummary;
use crate::event::{Event, Timestamp};

/// What lists are grouped by unless told otherwise.
pub const KEYS: [Key; 3] = [Key::User, Key::UserAgent, Key::Resource];

/// A list request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct List {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    latency_us: Option<u64>,
    /// Bytes of the response as recorded.
    size: Option<u64>,
    code: Option<i32>,
    shape: Shape,
}

/// What a list asks for, by its URI.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
struct Shape {
    /// No namespace is named.
    everywhere: bool,
    /// A selector narrows it.
    selected: bool,
    /// `limit` is given and not 0.
    limited: bool,
    /// `resourceVersion=0`: any version will do, so it comes from the watch cache.
    cached: bool,
    /// `continue` is given: a further page.
    page: bool,
}

impl List {
    /// Whether everything was asked for, and given.
    fn is_whole(&self) -> bool {
        self.shape.is_whole() && self.code.is_none_or(|code| code < 400)
    }
}

impl Shape {
    fn of(event: &Event<'_>, everywhere: bool) -> Self {
        let has = |name| event.parameter(name).is_some_and(|value| !value.is_empty());
        let number = |name| event.parameter(name).filter(|value| !value.is_empty());
        Shape {
            everywhere,
            selected: has("labelSelector") || has("fieldSelector"),
            limited: number("limit").is_some_and(|value| value != "0"),
            cached: number("resourceVersion").is_some_and(|value| value == "0"),
            page: has("continue"),
        }
    }

    /// Whether it asks for all objects of its type in one answer. The limit of a list from the cache is
    /// ignored, so it makes no difference there.
    fn is_whole(self) -> bool {
        self.everywhere && !self.selected && !self.page && (!self.limited || self.cached)
    }
}

/// Picks lists.
pub fn pick(seen: &Seen<'_, '_>, _: &mut Names) -> Option<List> {
    let event = seen.event;
    event.verb.filter(|verb| verb.raw() == b"list")?;
    let object = event.object_ref?;
    let everywhere = object.namespace.is_none_or(|namespace| namespace.is_empty());
    Some(List {
        start: event.start(),
        end: event.time(),
        latency_us: event.latency_us(),
        size: event.response_object.map(|body| body.0.len() as u64),
        code: event.code(),
        shape: Shape::of(event, everywhere),
    })
}

/// Lists of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRow {
    /// Its key values.
    pub values: Values,
    /// How many.
    pub lists: u64,
    /// How many ask for all objects of all namespaces in one answer.
    pub whole: u64,
    /// How many come from the watch cache.
    pub cached: u64,
    /// How many have a limit that counts, or are further pages.
    pub paged: u64,
    /// How many are narrowed by a selector.
    pub selected: u64,
    /// Bytes of the largest response recorded.
    pub size_max: Option<u64>,
    /// How long they took, in microseconds.
    pub latency: Option<LatencySummary>,
    /// How they were answered.
    pub codes: BTreeMap<i32, u64>,
    /// When the first arrived.
    pub first: Option<Timestamp>,
    /// The last event of any.
    pub last: Option<Timestamp>,
}

/// Lists by group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListsAnswer {
    /// All lists that match.
    pub lists: u64,
    /// Those that ask for everything, first by how many of them there are.
    pub rows: Vec<ListRow>,
}

/// The answer.
pub fn finish(groups: Vec<(Values, Vec<List>)>) -> ListsAnswer {
    let mut rows: Vec<ListRow> = groups.into_iter().map(|(values, lists)| row(values, &lists)).collect();
    rows.sort_by_cached_key(|row| (Reverse(row.whole), Reverse(row.lists), row.values.clone()));
    ListsAnswer { lists: rows.iter().map(|row| row.lists).sum(), rows }
}

fn row(values: Values, lists: &[List]) -> ListRow {
    let count = |is: fn(Shape) -> bool| lists.iter().filter(|list| is(list.shape)).count() as u64;
    let mut codes = BTreeMap::new();
    lists.iter().filter_map(|list| list.code).for_each(|code| *codes.entry(code).or_default() += 1);
    let mut times: Vec<u64> = lists.iter().filter_map(|list| list.latency_us).collect();
    times.sort_unstable();
    let at = |percent| quantile(&times, percent).unwrap_or(0);
    let latency = LatencySummary { p50: at(50), p90: at(90), p99: at(99), max: at(100) };
    ListRow {
        values,
        lists: lists.len() as u64,
        whole: lists.iter().filter(|list| list.is_whole()).count() as u64,
        cached: count(|shape| shape.cached),
        paged: count(|shape| shape.page || shape.limited && !shape.cached),
        selected: count(|shape| shape.selected),
        size_max: lists.iter().filter_map(|list| list.size).max(),
        latency: (!times.is_empty()).then_some(latency),
        codes,
        first: lists.iter().filter_map(|list| list.start).min(),
        last: lists.iter().filter_map(|list| list.end).max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Format, Text};

    fn shape(uri: Text<'_>, everywhere: bool) -> Shape {
        let mut event = Event::empty(b"", Format::V1);
        event.request_uri = Some(uri);
        Shape::of(&event, everywhere)
    }

    #[test]
    fn what_asks_for_everything() {
        let cases = [
            ("/api/v1/pods", true, true),
            ("/api/v1/pods?limit=0", true, true),
            ("/api/v1/pods?limit=500", true, false),
            ("/api/v1/pods?limit=500&resourceVersion=0", true, true),
            ("/api/v1/pods?continue=abc", true, false),
            ("/api/v1/pods?labelSelector=app%3Dweb", true, false),
            ("/api/v1/pods?fieldSelector=", true, true),
            ("/api/v1/namespaces/shop/pods", false, false),
        ];
        for (uri, everywhere, whole) in cases {
            assert_eq!(shape(Text::from(uri), everywhere).is_whole(), whole, "{uri}");
        }
        let escaped = Text::json(br"/api/v1/pods?limit=500\u0026resourceVersion=0", true);
        assert!(shape(escaped, true).cached);
    }
}
