//! The slowest requests: exactly the first so many by latency, wherever they stand.
//!
//! Only so many are held at a time. Copies of a request are one row: requests are told apart here as everywhere,
//! by what identifies them, and rank by latency, then by arrival and audit id, which all copies share. Those of
//! which is not known yet whether they are repeats stand apart, so that they push out none that counts.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use hashbrown::HashMap;

use super::trackers::{longest_part, trackers};
use crate::aggregate::{Amendment, Measured, Position, Question, Seen, Slot};
use crate::event::{Event, Text, Timestamp};
use crate::query::Filter;

/// The question: which requests took longest.
pub struct Slowest {
    /// Which requests count.
    pub filter: Filter,
    /// How many are wanted.
    pub count: usize,
}

/// Where a request ranks: the same for all its copies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    latency_us: Reverse<u64>,
    start: Option<Timestamp>,
    audit_id: Vec<u8>,
    user: Vec<u8>,
    verb: Vec<u8>,
    uri: Vec<u8>,
}

/// A request among the slowest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowRequest {
    /// When it arrived.
    pub start: Option<Timestamp>,
    /// How long it took.
    pub latency_us: u64,
    /// Its user.
    pub user: Option<String>,
    /// Its verb.
    pub verb: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// What it was about: `deployments.apps/web`, or a path.
    pub object: String,
    /// How it was answered.
    pub code: Option<i32>,
    /// Its audit id.
    pub audit_id: Option<String>,
    /// Who asked, as the client says.
    pub user_agent: Option<String>,
    /// The request as it was written.
    pub uri: Option<String>,
    /// The longest part of it, and its nanoseconds.
    pub mostly: Option<(String, i64)>,
    /// What all trackers say, in nanoseconds.
    pub trackers: BTreeMap<String, i64>,
}

/// A request, and where it stands.
#[derive(Clone, Debug)]
struct Kept {
    position: Position,
    request: SlowRequest,
}

/// A row that may be a repeat, so many times.
#[derive(Clone, Debug)]
struct Pending {
    kept: Kept,
    copies: u64,
}

/// So many of those are held at least: more than the rows wanted, since some may be repeats.
const PENDING: usize = 4096;

/// A partial answer to [`Slowest`].
#[derive(Clone, Debug, Default)]
pub struct SlowestPartial {
    kept: BTreeMap<Rank, Kept>,
    /// Those that may be repeats of others. What is none is counted soon.
    pending: BTreeMap<Arc<Rank>, Pending>,
    /// Which of them has which slot; it may be held no more.
    slots: HashMap<u32, Weak<Rank>>,
    next: u32,
    /// Requests that have a latency.
    timed: u64,
}

/// The slowest requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowestAnswer {
    /// Slowest first.
    pub requests: Vec<SlowRequest>,
    /// How many requests have a latency.
    pub timed: u64,
}

impl SlowestPartial {
    /// Whether a request of this latency may be among the slowest.
    fn has_place(&self, latency_us: u64, count: usize) -> bool {
        self.kept.len() < count || self.kept.last_key_value().is_some_and(|(last, _)| latency_us >= last.latency_us.0)
    }

    fn add(&mut self, rank: Rank, kept: Kept, count: usize) {
        match self.kept.get_mut(&rank) {
            Some(known) if kept.position < known.position => *known = kept,
            Some(_) => {}
            None => drop(self.kept.insert(rank, kept)),
        }
        while self.kept.len() > count {
            self.kept.pop_last();
        }
    }

    /// Holds a row that may be a repeat, and lets go of the fastest of too many.
    fn hold(&mut self, rank: Rank, kept: Kept, count: usize) -> Slot {
        let rank = Arc::new(rank);
        let slot = Slot(self.next);
        self.next = self.next.wrapping_add(1) % UNRANKED.0;
        let known = self.pending.get_key_value(&rank).map(|(known, _)| Arc::clone(known));
        self.slots.insert(slot.0, Arc::downgrade(known.as_ref().unwrap_or(&rank)));
        let pending = self.pending.entry(rank).or_insert_with(|| Pending { kept: kept.clone(), copies: 0 });
        pending.copies += 1;
        if kept.position < pending.kept.position {
            pending.kept = kept;
        }
        while self.pending.len() > count.max(PENDING) {
            self.pending.pop_last();
        }
        slot
    }

    /// The row of that slot, which is held for it no more.
    fn release(&mut self, slot: Slot) -> Option<(Arc<Rank>, Kept)> {
        let rank = self.slots.remove(&slot.0)?.upgrade()?;
        let pending = self.pending.get_mut(&rank)?;
        pending.copies -= 1;
        let kept = match pending.copies {
            0 => self.pending.remove(&rank)?.kept,
            _ => pending.kept.clone(),
        };
        Some((rank, kept))
    }

    /// The answer: the first `count`.
    pub fn finish(self, count: usize) -> SlowestAnswer {
        let requests = self.kept.into_values().take(count).map(|kept| kept.request).collect();
        SlowestAnswer { requests, timed: self.timed }
    }
}

impl Question for Slowest {
    type Partial = SlowestPartial;

    const IN_ORDER: bool = false;

    const COUNTS: bool = true;

    fn empty(&self) -> SlowestPartial {
        SlowestPartial::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut SlowestPartial, seen: &Seen<'_, '_>) -> Slot {
        if !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        let Some(latency_us) = seen.event.latency_us() else { return Slot::NONE };
        if !partial.has_place(latency_us, self.count) {
            return UNRANKED;
        }
        let kept = Kept { position: seen.position, request: request(seen.event, latency_us) };
        partial.hold(rank(seen.event, latency_us), kept, self.count)
    }

    fn amend(&self, _: &mut SlowestPartial, _: Slot, _: Amendment) {}

    fn count(&self, partial: &mut SlowestPartial, requests: &[Measured]) {
        for Measured { slot, .. } in requests.iter().filter(|request| request.slot != Slot::NONE) {
            partial.timed += 1;
            if let Some((rank, kept)) = partial.release(*slot) {
                partial.add(Arc::unwrap_or_clone(rank), kept, self.count);
            }
        }
    }

    fn retract(&self, partial: &mut SlowestPartial, slot: Slot) {
        partial.release(slot);
    }

    fn merge(&self, into: &mut SlowestPartial, from: SlowestPartial) {
        into.timed += from.timed;
        for (rank, kept) in from.kept {
            into.add(rank, kept, self.count);
        }
    }
}

/// The slot of a request with a latency that is not among the slowest.
const UNRANKED: Slot = Slot(u32::MAX - 1);

fn rank(event: &Event<'_>, latency_us: u64) -> Rank {
    let bytes = |text: Option<Text<'_>>| text.map(|text| text.decode().into_owned()).unwrap_or_default();
    Rank {
        latency_us: Reverse(latency_us),
        start: event.start(),
        audit_id: bytes(event.audit_id),
        user: bytes(event.user.username),
        verb: bytes(event.verb),
        uri: bytes(event.request_uri),
    }
}

fn request(event: &Event<'_>, latency_us: u64) -> SlowRequest {
    let text =
        |text: Option<Text<'_>>| text.filter(|text| !text.is_empty()).map(|text| text.to_str_lossy().into_owned());
    SlowRequest {
        start: event.start(),
        latency_us,
        user: text(event.user.username),
        verb: text(event.verb),
        namespace: text(event.object_ref.and_then(|object| object.namespace)),
        object: super::object_text(event),
        code: event.code(),
        audit_id: text(event.audit_id),
        user_agent: text(event.user_agent),
        uri: text(event.request_uri),
        mostly: longest_part(event),
        trackers: trackers(event).map(|(name, time)| (name.to_str_lossy().into_owned(), time)).collect(),
    }
}
