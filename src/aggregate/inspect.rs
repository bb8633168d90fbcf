//! What each source holds: requests, and silence.
//!
//! Bytes, records and damage are in the account every run keeps; this question adds what only the
//! requests tell.

use std::collections::BTreeMap;

use super::time_buckets::TimeBuckets;
use super::{Amendment, Question, Repeat, Seen, Slot};
use crate::event::Timestamp;

/// The question: how many requests each source holds, and when it was silent.
pub struct Inspect;

/// What is known of one source.
#[derive(Clone, Debug, Default)]
pub struct SourceSpan {
    /// Requests settled in it.
    pub requests: u64,
    /// When.
    pub times: TimeBuckets,
}

/// A silence in a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// End of the last period with a request before it.
    pub from: Timestamp,
    /// Start of the first period with a request after it.
    pub to: Timestamp,
}

/// A silence is worth telling from this length on.
const LEAST_GAP: i64 = 60_000_000_000;

/// And when it is this many times the source's mean interval.
const RHYTHMS: i64 = 50;

impl SourceSpan {
    /// Silences that are long against the source's own rhythm, in order.
    pub fn gaps(self) -> Vec<Gap> {
        let requests = self.requests.max(1) as i64;
        let (width, periods) = self.times.finish();
        let (Some(&(first, _)), Some(&(last, _))) = (periods.first(), periods.last()) else { return Vec::new() };
        let mean = (last.0 - first.0) / requests;
        let least = LEAST_GAP.max(mean.saturating_mul(RHYTHMS)).max(width * 2);
        let pairs = periods.iter().zip(periods.iter().skip(1));
        pairs
            .map(|(before, after)| Gap { from: Timestamp(before.0.0 + width), to: after.0 })
            .filter(|gap| gap.to.0 - gap.from.0 >= least)
            .collect()
    }
}

impl Question for Inspect {
    type Partial = BTreeMap<u32, SourceSpan>;

    const IN_ORDER: bool = false;

    fn empty(&self) -> Self::Partial {
        BTreeMap::new()
    }

    fn observe(&self, partial: &mut Self::Partial, seen: &Seen<'_, '_>) -> Slot {
        let source = partial.entry(seen.position.source).or_default();
        source.requests += 1;
        if let Some(time) = seen.event.time() {
            source.times.add(time);
        }
        Slot(seen.position.source)
    }

    fn amend(&self, _: &mut Self::Partial, _: Slot, _: Amendment) {}

    fn retract(&self, partial: &mut Self::Partial, slot: Slot, _: Repeat) {
        if let Some(source) = partial.get_mut(&slot.0) {
            source.requests = source.requests.saturating_sub(1);
        }
    }

    fn merge(&self, into: &mut Self::Partial, from: Self::Partial) {
        for (index, span) in from {
            let mine = into.entry(index).or_default();
            mine.requests += span.requests;
            mine.times.merge(span.times);
        }
    }
}
