//! The whole log on one screen: who, what, where, how answered, when, and what dominates.
//!
//! One table keyed by seven fields at once is cheaper than seven tables, and holds what the plain
//! sentences need: how the busiest user's requests divide by verb and code, and when they came.

use std::collections::BTreeMap;

pub mod incidents;
mod lanes;

use super::key::Key;
use super::stats::Stats;
use super::time_buckets::TimeBuckets;
use super::{Amendment, Measured, Question, Seen, Slot};
use crate::event::Timestamp;
use crate::query::Filter;
use incidents::{Group, Incidents};
use lanes::Lanes;

/// What the overview ranks, in the order shown.
pub const RANKED: [Key; 7] =
    [Key::User, Key::Verb, Key::Resource, Key::Namespace, Key::Code, Key::UserAgent, Key::SourceIp];

/// The question: what happened overall.
pub struct Overview {
    /// Which requests count.
    pub filter: Filter,
}

/// A partial answer to [`Overview`].
#[derive(Clone, Default)]
pub struct OverviewPartial {
    total: Stats,
    lanes: Lanes,
    rate: TimeBuckets,
    long_running: u64,
}

/// The answer to [`Overview`].
#[derive(Debug)]
pub struct OverviewAnswer {
    /// Everything together.
    pub total: Stats,
    /// Long-running requests, which have no latency.
    pub long_running: u64,
    /// For each of [`RANKED`], its values with their counts, most first, then by value.
    pub ranks: Vec<Vec<(Option<Vec<u8>>, u64)>>,
    /// Period width in nanoseconds and requests per period.
    pub rate: (i64, Vec<(Timestamp, u64)>),
    /// What dominates, if anything does.
    pub dominant: Option<Dominant>,
    /// What stands out.
    pub incidents: Incidents,
}

/// A user who makes a large part of the requests, and what those are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dominant {
    /// The user; none for requests without one.
    pub user: Option<Vec<u8>>,
    /// How many requests the user made.
    pub requests: u64,
    /// The commonest verb among them, and how many.
    pub verb: Option<(Vec<u8>, u64)>,
    /// The commonest resource among them, and how many.
    pub resource: Option<(Vec<u8>, u64)>,
    /// The commonest status code among them, and how many.
    pub code: Option<(Vec<u8>, u64)>,
}

type Ranking = BTreeMap<Option<Vec<u8>>, u64>;

impl OverviewPartial {
    /// The answer; the rate has at most `periods` periods.
    pub fn finish(self, periods: usize) -> OverviewAnswer {
        let (width, groups) = self.lanes.finish();
        let ranks: Vec<_> = (0..RANKED.len()).map(|at| ranked(groups.iter(), at)).collect();
        let dominant = ranks.first().and_then(|users| users.first()).map(|(user, requests)| {
            let theirs = || groups.iter().filter(|(values, _)| values.first() == Some(user));
            let top = |at| ranked(theirs(), at).into_iter().find_map(|(value, n)| value.map(|value| (value, n)));
            Dominant { user: user.clone(), requests: *requests, verb: top(1), resource: top(2), code: top(4) }
        });
        OverviewAnswer {
            total: self.total,
            long_running: self.long_running,
            ranks,
            rate: self.rate.rate(periods),
            dominant,
            incidents: incidents::incidents(&groups, width),
        }
    }
}

fn ranked<'g>(groups: impl Iterator<Item = &'g Group>, at: usize) -> Vec<(Option<Vec<u8>>, u64)> {
    let mut counts = Ranking::new();
    for (values, lane) in groups {
        *counts.entry(values.get(at).cloned().flatten()).or_default() += lane.count;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    counts
}

impl Question for Overview {
    type Partial = OverviewPartial;

    const IN_ORDER: bool = false;

    const COUNTS: bool = true;

    fn empty(&self) -> OverviewPartial {
        OverviewPartial::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut OverviewPartial, seen: &Seen<'_, '_>) -> Slot {
        if !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        partial.lanes.place(seen)
    }

    fn amend(&self, partial: &mut OverviewPartial, _: Slot, amendment: Amendment) {
        partial.total.amend(amendment);
    }

    fn count(&self, partial: &mut OverviewPartial, requests: &[Measured]) {
        for Measured { slot, measure } in requests.iter().filter(|request| request.slot != Slot::NONE) {
            partial.total.count(measure);
            partial.long_running += u64::from(measure.long_running);
            if let Some(time) = measure.time {
                partial.rate.add(time);
            }
            partial.lanes.count(*slot, measure.time);
        }
    }

    fn merge(&self, into: &mut OverviewPartial, from: OverviewPartial) {
        into.total.merge(from.total);
        into.long_running += from.long_running;
        into.rate.merge(from.rate);
        into.lanes.merge(from.lanes);
    }
}
