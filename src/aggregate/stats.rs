//! Counts of requests: how many, how large, how answered, how long they took, when.

mod histogram;

use std::collections::BTreeMap;

use histogram::Histogram;

use super::{Amendment, Measure};
use crate::event::Timestamp;

/// What is counted about a group of requests.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Requests (or events, in the event view).
    pub count: u64,
    /// Events these requests consist of.
    pub events: u64,
    /// Bytes of those events.
    pub bytes: u64,
    /// By status code; requests without one are not in it.
    pub codes: Codes,
    /// Latencies of requests that have one.
    pub latency: Latencies,
    /// From the earliest start to the latest event time.
    pub span: Span,
}

impl Stats {
    /// Counts a request.
    #[inline]
    pub fn count(&mut self, measure: &Measure) {
        self.count += 1;
        self.amend(measure.sum);
        if let Some(code) = measure.code {
            self.codes.add(code, 1);
        }
        if let Some(us) = measure.latency_us {
            self.latency.record(us);
        }
        self.span.widen(measure.start, measure.time);
    }

    /// Reads a word of each line of the cache that counts are in, and nothing else.
    #[inline]
    pub(super) fn visit(&self) -> u64 {
        self.count ^ self.latency.max ^ u64::from(self.latency.held)
    }

    /// Reads of what lies behind the counts as much as counting this request will need.
    #[inline]
    pub(super) fn visit_behind(&self, measure: &Measure) -> u64 {
        let others = self.codes.others.as_ref().filter(|_| measure.code != self.codes.first);
        let earlier = self.latency.earlier.as_ref().filter(|_| self.latency.is_full());
        others.map_or(0, |others| others.0.len() as u64) ^ earlier.map_or(0, |earlier| earlier.recorded)
    }

    /// Adds another count without its codes and latencies.
    pub fn add_sums(&mut self, other: &Stats) {
        self.count += other.count;
        self.events += other.events;
        self.bytes += other.bytes;
        self.span.widen(other.span.first(), other.span.last());
    }

    /// Adds stages found elsewhere.
    pub fn amend(&mut self, amendment: Amendment) {
        self.events += amendment.events;
        self.bytes += amendment.bytes;
    }

    /// Joins two counts.
    pub fn merge(&mut self, other: Stats) {
        self.add_sums(&other);
        self.codes.merge(&other.codes);
        self.latency.merge(other.latency);
    }
}

/// An earliest and a latest time.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    first: Timestamp,
    last: Timestamp,
    /// Whether there is a first, and a last: in a byte each, so that what is counted of a group fills two
    /// lines of the cache and no more.
    begun: bool,
    ended: bool,
}

impl Default for Span {
    fn default() -> Self {
        Span { first: Timestamp(i64::MAX), last: Timestamp(i64::MIN), begun: false, ended: false }
    }
}

impl Span {
    #[inline]
    fn widen(&mut self, first: Option<Timestamp>, last: Option<Timestamp>) {
        if let Some(first) = first {
            self.first = self.first.min(first);
            self.begun = true;
        }
        if let Some(last) = last {
            self.last = self.last.max(last);
            self.ended = true;
        }
    }

    /// The earliest start.
    pub fn first(&self) -> Option<Timestamp> {
        self.begun.then_some(self.first)
    }

    /// The latest event time.
    pub fn last(&self) -> Option<Timestamp> {
        self.ended.then_some(self.last)
    }
}

/// Counts by status code: a handful of them, so a short list beats a table. The code seen first is mostly
/// the only one, and stands here beside the other counts.
#[derive(Clone, Debug, Default)]
pub struct Codes {
    first: Option<i32>,
    firsts: u64,
    others: Option<Box<Others>>,
}

#[derive(Clone, Debug, Default)]
struct Others(Vec<(i32, u64)>);

impl Codes {
    /// Counts a code.
    #[inline]
    pub fn add(&mut self, code: i32, count: u64) {
        if *self.first.get_or_insert(code) == code {
            self.firsts += count;
        } else {
            self.add_other(code, count);
        }
    }

    fn add_other(&mut self, code: i32, count: u64) {
        let Others(others) = &mut **self.others.get_or_insert_default();
        match others.iter_mut().find(|(known, _)| *known == code) {
            Some((_, sum)) => *sum += count,
            None => others.push((code, count)),
        }
    }

    fn merge(&mut self, other: &Codes) {
        for (code, count) in other.all() {
            self.add(code, count);
        }
    }

    fn all(&self) -> impl Iterator<Item = (i32, u64)> {
        let others = self.others.iter().flat_map(|others| others.0.iter().copied());
        self.first.map(|code| (code, self.firsts)).into_iter().chain(others)
    }

    /// In order of code.
    pub fn sorted(&self) -> BTreeMap<i32, u64> {
        self.all().collect()
    }
}

/// Latencies in microseconds: exact for small groups, within 1 % for large ones.
///
/// Whether a group is small is decided by how many values there are, over all partials, so
/// the answer does not depend on how the input was split. The histogram is log-linear (128 steps per
/// doubling); quantiles are nearest-rank and never exceed the exact maximum.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    max: u64,
    /// The latest values, beside the other counts of their group: one by one, each would bring more than
    /// that into the cache.
    latest: [u32; Self::LATEST],
    /// How many they are.
    held: u32,
    earlier: Option<Box<Earlier>>,
}

/// The values before the latest ones.
#[derive(Clone, Debug, Default)]
struct Earlier {
    /// How many they are.
    recorded: u64,
    /// Those of a small group.
    few: Vec<u64>,
    /// Those of a large one.
    many: Histogram,
}

impl Latencies {
    /// Groups of up to this many values are exact.
    pub const EXACT: usize = 128;

    /// So many values fill a group of counts up to two lines of the cache.
    const LATEST: usize = 9;

    const fn is_full(&self) -> bool {
        self.held as usize == Self::LATEST
    }

    /// Records a latency.
    #[inline]
    pub fn record(&mut self, us: u64) {
        self.max = self.max.max(us);
        match (self.latest.get_mut(self.held as usize), u32::try_from(us)) {
            (Some(place), Ok(short)) => {
                *place = short;
                self.held += 1;
            }
            _ => drop(self.put_away(Some(us))),
        }
    }

    /// Puts the latest values, and this one, to the earlier ones.
    #[inline(never)]
    fn put_away(&mut self, us: Option<u64>) -> &mut Earlier {
        let earlier = self.earlier.get_or_insert_default();
        let held = std::mem::take(&mut self.held) as usize;
        let latest = self.latest.iter().take(held).map(|&short| u64::from(short)).chain(us);
        earlier.recorded += held as u64 + u64::from(us.is_some());
        if earlier.is_large() {
            latest.for_each(|us| earlier.many.record(us));
            earlier.settle();
        } else {
            earlier.few.extend(latest);
        }
        earlier
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        u64::from(self.held) + self.earlier.as_ref().map_or(0, |earlier| earlier.recorded)
    }

    /// How many exceed a value, to the histogram's precision.
    pub fn above(&self, us: u64) -> u64 {
        let mut all = self.clone();
        let earlier = all.put_away(None);
        earlier.few.iter().filter(|&&value| value > us).count() as u64 + earlier.many.above(us)
    }

    /// Joins two.
    pub fn merge(&mut self, mut other: Latencies) {
        if other.earlier.is_none() {
            other.latest.iter().take(other.held as usize).for_each(|&short| self.record(short.into()));
            return;
        }
        self.max = self.max.max(other.max);
        let theirs = std::mem::take(other.put_away(None));
        let mine = self.put_away(None);
        mine.recorded += theirs.recorded;
        mine.few.extend(theirs.few);
        mine.many.merge(theirs.many);
        mine.settle();
    }

    /// The quantiles asked for, and the maximum; none when there is no value.
    pub fn summary(&self) -> Option<LatencySummary> {
        const ASKED: [u64; 3] = [50, 90, 99];
        if self.count() == 0 {
            return None;
        }
        let mut all = self.clone();
        let earlier = all.put_away(None);
        let [p50, p90, p99] = if earlier.is_large() {
            earlier.many.percentiles(ASKED).map(|us| us.min(self.max))
        } else {
            earlier.few.sort_unstable();
            ASKED.map(|percent| nearest_rank(&earlier.few, percent))
        };
        Some(LatencySummary { p50, p90, p99, max: self.max })
    }
}

impl Earlier {
    const fn is_large(&self) -> bool {
        self.recorded > Latencies::EXACT as u64
    }

    /// Puts the values of a group that has become large into its histogram.
    fn settle(&mut self) {
        if self.is_large() && self.few.capacity() > 0 {
            std::mem::take(&mut self.few).into_iter().for_each(|us| self.many.record(us));
        }
    }
}

/// Latency quantiles in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct LatencySummary {
    /// Half of the requests took no longer.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

fn nearest_rank(sorted: &[u64], percent: u64) -> u64 {
    let rank = (sorted.len() as u64 * percent).div_ceil(100).max(1) as usize;
    sorted.get(rank - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        values.into_iter().for_each(|us| latencies.record(us));
        latencies
    }

    #[test]
    fn counts_fill_two_lines_of_the_cache() {
        assert_eq!(size_of::<Stats>(), 128);
    }

    #[test]
    fn small_groups_are_exact() {
        let summary = of([1561]).summary().unwrap();
        assert_eq!((summary.p50, summary.p99, summary.max), (1561, 1561, 1561));
        let summary = of(1..=100).summary().unwrap();
        assert_eq!((summary.p50, summary.p90, summary.p99, summary.max), (50, 90, 99, 100));
    }

    #[test]
    fn large_groups_are_within_a_percent() {
        let summary = of(1..=100_000).summary().unwrap();
        for (found, exact) in [(summary.p50, 50_000), (summary.p90, 90_000), (summary.p99, 99_000)] {
            assert!(found >= exact && found - exact <= exact / 100, "{found} for {exact}");
        }
        assert_eq!(summary.max, 100_000);
    }

    #[test]
    fn any_split_equals_the_whole() {
        for count in [0, 1, 64, 127, 128, 129, 200, 1000] {
            let values: Vec<u64> = (0..count).map(|i| (i * 7919) % 50_000).collect();
            let whole = of(values.iter().copied()).summary();
            for cut in [0, count.min(1), count / 3, count / 2, count] {
                let (left, right) = values.split_at(cut as usize);
                let mut merged = of(left.iter().copied());
                merged.merge(of(right.iter().copied()));
                assert_eq!(merged.summary(), whole, "{count} cut at {cut}");
            }
        }
    }
}
