//! Where the time goes: latency by group, and what the API server's own trackers say of slow requests.
//!
//! The server adds `apiserver.latency.k8s.io/…` annotations, Go durations, to requests that took more than
//! half a second. `total` is all of it. The others are parts, but for `response-write`, which is part of
//! `serialize-response-object`: the server writes while it serializes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Picked, Values, quantile};
use crate::aggregate::groups::Groups;
use crate::aggregate::key::Key;
use crate::aggregate::stats::Stats;
use crate::aggregate::{Amendment, Measured, Question, Seen, Slot};
use crate::event::{Event, Text};
use crate::query::{Filter, parse_duration};

/// What the keys of all trackers begin with.
pub const PREFIX: &str = "apiserver.latency.k8s.io/";

/// The tracker of the whole request.
pub const TOTAL: &str = "total";

/// The tracker that is inside another one.
const NESTED: &str = "response-write";

/// The latency trackers of a request, in nanoseconds.
pub fn trackers<'a>(event: &Event<'a>) -> impl Iterator<Item = (Text<'a>, i64)> {
    let members = event.annotations.into_iter().flat_map(|annotations| annotations.members());
    members.filter_map(|(key, value)| {
        let name = key.raw().strip_prefix(PREFIX.as_bytes())?;
        let length = parse_duration(&value.as_text()?.to_str_lossy())?;
        Some((Text::json(name, key.is_escaped()), length))
    })
}

/// The question: latencies by group, and the trackers of slow requests.
pub struct Trackers {
    /// Which requests count.
    pub filter: Filter,
    /// What they are grouped by.
    pub keys: Vec<Key>,
}

/// A request with trackers: its group, and which of the facts are its own.
#[derive(Clone, Debug)]
struct Tracked {
    group: u32,
    facts: std::ops::Range<u32>,
}

/// A partial answer to [`Trackers`].
#[derive(Clone, Default)]
pub struct TrackersPartial {
    groups: Groups<Group>,
    /// Times by keys and the tracker's name.
    times: Picked<i64>,
    tracked: Vec<Tracked>,
}

#[derive(Clone, Default)]
struct Group {
    stats: Stats,
    tracked: u64,
}

/// The slots of requests with trackers have this bit; the others are those of groups.
const OF_TRACKED: u32 = 1 << 31;

impl TrackersPartial {
    fn track(&mut self, keys: &[Key], group: u32, seen: &Seen<'_, '_>) -> Slot {
        let first = self.times.facts.len() as u32;
        for (name, time) in trackers(seen.event) {
            self.times.names.encoded.clear();
            self.times.names.keys(keys, seen);
            self.times.names.push(Some(name));
            self.times.push(time);
        }
        let facts = first..self.times.facts.len() as u32;
        if facts.is_empty() {
            return Slot(group);
        }
        self.tracked.push(Tracked { group, facts });
        Slot(OF_TRACKED | (self.tracked.len() as u32 - 1))
    }

    /// The group of a slot, and the facts of its request.
    fn of_slot(&self, slot: Slot) -> (u32, std::ops::Range<u32>) {
        if slot.0 & OF_TRACKED == 0 {
            return (slot.0, 0..0);
        }
        let tracked = self.tracked.get((slot.0 & !OF_TRACKED) as usize).cloned();
        tracked.map_or((u32::MAX, 0..0), |tracked| (tracked.group, tracked.facts))
    }

    /// The answer: groups by the time their tracked requests took together.
    pub fn finish(self) -> TrackersAnswer {
        let mut rows: BTreeMap<Values, TrackerRow> = BTreeMap::new();
        for (values, group) in self.groups.into_groups().filter(|(_, group)| group.stats.count > 0) {
            let stats = group.stats;
            let row = TrackerRow { values: values.clone(), stats, tracked: group.tracked, times: Vec::new() };
            rows.insert(values, row);
        }
        let mut all: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (mut values, times) in self.times.finish() {
            let name = String::from_utf8_lossy(&values.pop().flatten().unwrap_or_default()).into_owned();
            if let Some(row) = rows.get_mut(&values) {
                row.times.push(Times::of(name.clone(), &times));
            }
            all.entry(name).or_default().extend(times);
        }
        let mut trackers: Vec<Times> = all
            .into_iter()
            .map(|(name, mut times)| {
                times.sort_unstable();
                Times::of(name, &times)
            })
            .collect();
        trackers.sort_by_key(|times| (times.name != TOTAL, Reverse(times.sum), times.name.clone()));
        let mut rows: Vec<TrackerRow> = rows.into_values().collect();
        rows.sort_by_cached_key(|row| (Reverse(row.total()), Reverse(row.stats.count), row.values.clone()));
        let requests = rows.iter().map(|row| row.stats.count).sum();
        let tracked = rows.iter().map(|row| row.tracked).sum();
        TrackersAnswer { requests, tracked, trackers, rows }
    }
}

/// What a tracker says of some requests, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// The tracker, without its prefix.
    pub name: String,
    /// Requests that have it.
    pub requests: u64,
    /// Of all of them together.
    pub sum: i64,
    /// Quantiles by nearest rank.
    pub p50: i64,
    /// Nine of ten took no longer.
    pub p90: i64,
    /// The longest.
    pub max: i64,
}

impl Times {
    fn of(name: String, sorted: &[i64]) -> Self {
        let at = |percent| quantile(sorted, percent).unwrap_or(0);
        let sum = sorted.iter().fold(0i64, |sum, time| sum.saturating_add(*time));
        Times { name, requests: sorted.len() as u64, sum, p50: at(50), p90: at(90), max: at(100) }
    }
}

/// A group of requests.
#[derive(Clone, Debug)]
pub struct TrackerRow {
    /// Its key values.
    pub values: Values,
    /// What is counted about all its requests.
    pub stats: Stats,
    /// How many of them have trackers.
    pub tracked: u64,
    /// What each tracker says, by name.
    pub times: Vec<Times>,
}

impl TrackerRow {
    /// What a tracker says of the group.
    pub fn time(&self, name: &str) -> Option<&Times> {
        self.times.iter().find(|times| times.name == name)
    }

    fn total(&self) -> i64 {
        self.time(TOTAL).map_or(0, |times| times.sum)
    }
}

/// Where the time goes.
#[derive(Clone, Debug)]
pub struct TrackersAnswer {
    /// Requests that match.
    pub requests: u64,
    /// Requests that have trackers.
    pub tracked: u64,
    /// What each tracker says of all of them: the total first, then most time first.
    pub trackers: Vec<Times>,
    /// By group, most tracked time first.
    pub rows: Vec<TrackerRow>,
}

impl TrackersAnswer {
    /// The time of all tracked requests together, where the server says it.
    pub fn total(&self) -> Option<i64> {
        self.trackers.iter().find(|times| times.name == TOTAL).map(|times| times.sum)
    }

    /// What of the total no tracker accounts for.
    pub fn rest(&self) -> Option<i64> {
        let parts = self.trackers.iter().filter(|times| times.name != TOTAL && times.name != NESTED);
        let known = parts.fold(0i64, |sum, times| sum.saturating_add(times.sum));
        Some(self.total()?.saturating_sub(known).max(0))
    }
}

impl Question for Trackers {
    type Partial = TrackersPartial;

    const IN_ORDER: bool = false;

    const COUNTS: bool = true;

    fn empty(&self) -> TrackersPartial {
        TrackersPartial::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut TrackersPartial, seen: &Seen<'_, '_>) -> Slot {
        if !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        let index = partial.groups.find(&self.keys, seen, None);
        partial.track(&self.keys, index, seen)
    }

    fn amend(&self, _: &mut TrackersPartial, _: Slot, _: Amendment) {}

    fn count(&self, partial: &mut TrackersPartial, requests: &[Measured]) {
        for Measured { slot, measure } in requests.iter().filter(|request| request.slot != Slot::NONE) {
            let (index, facts) = partial.of_slot(*slot);
            if let Some(group) = partial.groups.get_mut(index) {
                group.stats.count(measure);
                group.tracked += u64::from(!facts.is_empty());
            }
        }
    }

    fn retract(&self, partial: &mut TrackersPartial, slot: Slot) {
        let (_, facts) = partial.of_slot(slot);
        facts.for_each(|fact| partial.times.drop(Slot(fact)));
    }

    fn merge(&self, into: &mut TrackersPartial, from: TrackersPartial) {
        into.groups.merge(from.groups, |mine, theirs| {
            mine.stats.merge(theirs.stats);
            mine.tracked += theirs.tracked;
        });
        into.times.merge(from.times);
    }
}

/// What a view is grouped by unless told otherwise.
pub const KEYS: [Key; 2] = [Key::Verb, Key::Resource];

/// The longest part of a request, if it has trackers.
pub fn longest_part(event: &Event<'_>) -> Option<(String, i64)> {
    let parts =
        trackers(event).filter(|(name, _)| !name.eq_bytes(TOTAL.as_bytes()) && !name.eq_bytes(NESTED.as_bytes()));
    let named = parts.map(|(name, time)| (name.to_str_lossy().into_owned(), time));
    named.min_by_key(|(name, time)| (Reverse(*time), name.clone()))
}
