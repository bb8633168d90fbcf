//! Questions asked of the log, answered from partial results.
//!
//! A [`Question`] makes an empty partial, lets it observe requests and count those that are no repeats,
//! merges partials and leaves it to each question's own `finish` to give the plain answer. Empty is neutral
//! and grouping is irrelevant, so the same code serves threads, files and machines. [`requests`] joins stages and
//! halves into requests; [`evidence`] accounts for every byte. Nothing here reads or prints.

pub mod access;
pub mod denied;
pub mod disruptions;
pub mod compare;
pub mod context;
pub mod evidence;
pub mod groups;
pub mod history;
pub mod inspect;
pub mod key;
pub mod losses;
pub mod names;
pub mod newest;
pub mod notes;
pub mod overview;
pub mod rbac_changes;
pub mod requests;
pub mod rows;
pub mod sessions;
pub mod show;
pub mod stats;
pub mod summary;
pub mod time_buckets;
pub mod views;

use crate::event::{Event, Origin, OwnedOrigin, Text, Timestamp};
use crate::query::Filter;

/// Where a record begins: which source, and the offset of its first byte in the decompressed source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Position {
    /// Index into the run's sources.
    pub source: u32,
    /// Offset in bytes.
    pub offset: u64,
}

/// What a question is told about a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceInfo {
    /// The path as given or found; `-` for standard input.
    pub name: String,
    /// Whose log it is, as far as the path tells.
    pub origin: OwnedOrigin,
    /// Whether it goes on where the source before it ends.
    pub continues: bool,
}

/// One request (or one event, in the event view) as a question sees it.
pub struct Seen<'e, 'a> {
    /// The stage that stands for the request.
    pub event: &'e Event<'a>,
    /// The record it was read from, with its prefix and line feed.
    pub record: &'e [u8],
    /// Where it was read from.
    pub source: &'e SourceInfo,
    /// Where its record begins.
    pub position: Position,
    /// The bytes of all its stages that are known so far.
    pub bytes: u64,
    /// How many events that is.
    pub events: u64,
}

impl<'e> Seen<'e, '_> {
    /// Where it came from: what its line says, else what the path does.
    pub fn origin(&self) -> Origin<'e> {
        let of_path = self.source.origin.get();
        self.event.origin.map_or(of_path, |origin| origin.or(of_path))
    }

    /// The names of where it was read from, the most telling first; the file's path and its last part are
    /// always among them.
    pub fn source_names(&self) -> impl Iterator<Item = Text<'e>> + Clone {
        let path = self.source.name.as_str();
        let file = path.rsplit(['/', ':']).next().unwrap_or(path);
        self.origin().names().chain([Text::from(path), Text::from(file)])
    }

    /// Whether it matches a filter.
    #[inline]
    pub fn matches(&self, filter: &Filter) -> bool {
        filter.matches(self.event) && (filter.is_any_source() || filter.matches_source(self.source_names()))
    }
}

/// A question's handle on a request it has observed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

impl Default for Slot {
    fn default() -> Self {
        Slot::NONE
    }
}

impl Slot {
    /// The request did not match, or is not kept.
    pub const NONE: Slot = Slot(u32::MAX);
}

/// What became known about a request after it was observed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Amendment {
    /// Bytes of stages found elsewhere in the input.
    pub bytes: u64,
    /// How many events those were.
    pub events: u64,
}

impl Amendment {
    /// Adds another.
    pub(crate) const fn add(&mut self, other: Amendment) {
        self.bytes += other.bytes;
        self.events += other.events;
    }
}

/// What can be counted of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Measure {
    /// Its bytes and events.
    pub sum: Amendment,
    /// Its status code.
    pub code: Option<i32>,
    /// Its latency, where it has one.
    pub latency_us: Option<u64>,
    /// Whether it is a long-running request.
    pub long_running: bool,
    /// When it arrived.
    pub start: Option<Timestamp>,
    /// Its event time.
    pub time: Option<Timestamp>,
}

impl Measure {
    /// Of an event that stands for a request of so many bytes and events.
    #[inline]
    pub fn of(event: &Event<'_>, sum: Amendment) -> Self {
        let long_running = event.is_long_running();
        let latency_us = if long_running { None } else { event.taken_us() };
        Measure { sum, code: event.code(), latency_us, long_running, start: event.start(), time: event.time() }
    }
}

/// A request that a question has observed, and what can be counted of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measured {
    /// The question's handle; [`Slot::NONE`] for a request that does not count after all.
    pub slot: Slot,
    /// What can be counted.
    pub measure: Measure,
}

/// A question asked of the log.
///
/// Whether a request repeats an earlier one is not known when it is observed. What is added up can be taken
/// back then, but not a longest latency or a latest time; so these are counted later, in
/// [`count`](Self::count).
pub trait Question: Sync {
    /// Its partial answer.
    type Partial: Send;

    /// Whether partials belong to one chunk each and are handed on in input order, rather than
    /// collected by thread and merged at the end.
    const IN_ORDER: bool;

    /// Whether it counts requests once it is known that they are no repeats.
    const COUNTS: bool = false;

    /// An empty partial: neutral in [`Question::merge`].
    fn empty(&self) -> Self::Partial;

    /// Which requests it is about; none is all of them. What [`Question::observe`] keeps, this matches.
    fn filter(&self) -> Option<&Filter> {
        None
    }

    /// Takes a request into the partial if it matches.
    fn observe(&self, partial: &mut Self::Partial, seen: &Seen<'_, '_>) -> Slot;

    /// Adds what became known about an observed request later.
    fn amend(&self, partial: &mut Self::Partial, slot: Slot, amendment: Amendment);

    /// Counts requests that were observed and are no repeats of earlier ones, each of them once. Asked only of
    /// those with [`COUNTS`](Self::COUNTS).
    fn count(&self, _partial: &mut Self::Partial, _requests: &[Measured]) {}

    /// Takes back what was noted of a request that turned out to be a repeat of an earlier one. It is not
    /// counted.
    fn retract(&self, _partial: &mut Self::Partial, _slot: Slot) {}

    /// Joins two partials. Associative; commutative unless [`Question::IN_ORDER`].
    fn merge(&self, into: &mut Self::Partial, from: Self::Partial);

    /// Memory the partial holds, in bytes, for those that wait to be handed on in order.
    fn weight(&self, _partial: &Self::Partial) -> usize {
        0
    }
}
