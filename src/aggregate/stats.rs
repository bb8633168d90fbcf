//! Counts of requests: how many, how large, how answered, how long they took, when.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::{Amendment, Repeat, Seen};
use crate::event::{Event, Timestamp};

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
    /// Earliest start.
    pub first: Option<Timestamp>,
    /// Latest event time.
    pub last: Option<Timestamp>,
}

impl Stats {
    /// Counts a request.
    #[inline]
    pub fn observe(&mut self, seen: &Seen<'_, '_>, latency_us: Option<u64>) {
        self.count += 1;
        self.events += seen.events;
        self.bytes += seen.bytes;
        if let Some(code) = seen.event.code() {
            self.codes.add(code, 1);
        }
        if let Some(us) = latency_us {
            self.latency.record(us);
        }
        self.times(seen.event);
    }

    /// Adds another count without its codes and latencies.
    pub fn add_sums(&mut self, other: &Stats) {
        self.count += other.count;
        self.events += other.events;
        self.bytes += other.bytes;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
    }

    #[inline]
    fn times(&mut self, event: &Event<'_>) {
        if let Some(start) = event.start() {
            self.first = Some(self.first.map_or(start, |first| first.min(start)));
        }
        if let Some(end) = event.time() {
            self.last = Some(self.last.map_or(end, |last| last.max(end)));
        }
    }

    /// Adds stages found elsewhere.
    pub fn amend(&mut self, amendment: Amendment) {
        self.events += amendment.events;
        self.bytes += amendment.bytes;
    }

    /// Takes back a request that was a repeat.
    pub fn retract(&mut self, repeat: Repeat) {
        self.count = self.count.saturating_sub(1);
        self.events = self.events.saturating_sub(repeat.sum.events);
        self.bytes = self.bytes.saturating_sub(repeat.sum.bytes);
        if let Some(code) = repeat.code {
            self.codes.take(code);
        }
        if let Some(us) = repeat.latency_us {
            self.latency.retract(us);
        }
    }

    /// Joins two counts.
    pub fn merge(&mut self, other: Stats) {
        self.add_sums(&other);
        self.codes.merge(&other.codes);
        self.latency.merge(other.latency);
    }
}

/// Counts by status code: a handful of them, so a short list beats a table. The code seen first is mostly
/// the only one, and stands here beside the other counts.
#[derive(Clone, Debug, Default)]
pub struct Codes {
    first: Option<(i32, u64)>,
    others: Vec<(i32, u64)>,
}

impl Codes {
    /// Counts a code.
    #[inline]
    pub fn add(&mut self, code: i32, count: u64) {
        match &mut self.first {
            Some((known, sum)) if *known == code => *sum += count,
            Some(_) => self.add_other(code, count),
            first => *first = Some((code, count)),
        }
    }

    fn add_other(&mut self, code: i32, count: u64) {
        match self.others.iter_mut().find(|(known, _)| *known == code) {
            Some((_, sum)) => *sum += count,
            None => self.others.push((code, count)),
        }
    }

    fn take(&mut self, code: i32) {
        if let Some((_, sum)) = self.first.iter_mut().chain(&mut self.others).find(|(known, _)| *known == code) {
            *sum = sum.saturating_sub(1);
        }
    }

    fn merge(&mut self, other: &Codes) {
        for &(code, count) in other.all() {
            self.add(code, count);
        }
    }

    fn all(&self) -> impl Iterator<Item = &(i32, u64)> {
        self.first.iter().chain(&self.others)
    }

    /// In order of code.
    pub fn sorted(&self) -> BTreeMap<i32, u64> {
        self.all().copied().filter(|&(_, count)| count > 0).collect()
    }
}

/// Latencies in microseconds: exact for small groups, within 1 % for large ones.
///
/// Whether a group is small is decided by how many values were ever recorded, over all partials, so
/// the answer does not depend on how the input was split. The histogram is log-linear (128 steps per
/// doubling); quantiles are nearest-rank and never exceed the exact maximum.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    recorded: u64,
    retracted: u64,
    /// All values of a small group; of a large one those that wait for being put into the histogram.
    /// One by one, each would bring the histogram into the cache again.
    few: Vec<u64>,
    many: Option<Box<Histogram<u32>>>,
    max: u64,
}

impl Latencies {
    /// Groups of up to this many values are exact.
    pub const EXACT: usize = 128;

    /// So many values are put into a histogram at once.
    const BATCH: usize = 32;

    /// Records a latency.
    #[inline]
    pub fn record(&mut self, us: u64) {
        self.recorded += 1;
        self.max = self.max.max(us);
        self.few.push(us);
        if self.few.len() >= Self::BATCH && (self.many.is_some() || self.few.len() > Self::EXACT) {
            self.settle();
        }
    }

    /// Puts all values of a large group into its histogram.
    pub fn settle(&mut self) {
        if self.recorded > Self::EXACT as u64 {
            let many = self.many.get_or_insert_with(new_histogram);
            self.few.drain(..).for_each(|us| record(many, us));
            self.few.shrink_to(Self::BATCH);
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.recorded.saturating_sub(self.retracted)
    }

    /// How many exceed a value, to the histogram's precision; [`Latencies::settle`] comes first.
    pub fn above(&self, us: u64) -> u64 {
        let few = self.few.iter().filter(|&&value| value > us).count() as u64;
        few + self.many.as_ref().map_or(0, |many| many.len().saturating_sub(many.count_between(0, us.max(1))))
    }

    /// Takes back a latency that was recorded.
    pub(super) fn retract(&mut self, us: u64) {
        self.retracted += 1;
        if let Some(at) = self.few.iter().position(|&value| value == us) {
            self.few.swap_remove(at);
        } else if let Some(many) = &mut self.many {
            let mut one = new_histogram();
            record(&mut one, us);
            // Only what was recorded is taken back, so there is always one to subtract from.
            let _ = many.subtract(&*one);
        }
    }

    /// Joins two.
    pub fn merge(&mut self, other: Latencies) {
        self.recorded += other.recorded;
        self.retracted += other.retracted;
        self.max = self.max.max(other.max);
        self.few.extend(other.few);
        match (&mut self.many, other.many) {
            (Some(mine), Some(theirs)) => {
                let _ = mine.add(&*theirs);
            }
            (mine @ None, theirs) => *mine = theirs,
            (Some(_), None) => {}
        }
        self.settle();
    }

    /// The quantiles asked for, and the maximum; none when there is no value.
    pub fn summary(&self) -> Option<LatencySummary> {
        if self.recorded == self.retracted {
            return None;
        }
        if self.recorded > Self::EXACT as u64 && !self.few.is_empty() {
            let mut settled = self.clone();
            settled.settle();
            return settled.summary();
        }
        let mut few = self.few.clone();
        few.sort_unstable();
        let quantile = |parts: u64| match &self.many {
            Some(many) => many.value_at_quantile(parts as f64 / 100.0).min(self.max),
            None => nearest_rank(&few, parts),
        };
        Some(LatencySummary { p50: quantile(50), p90: quantile(90), p99: quantile(99), max: self.max })
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

/// Records a value; the histogram grows to hold it.
fn record(histogram: &mut Histogram<u32>, us: u64) {
    // It only refuses values beyond what it may grow to, and it may grow to all of u64.
    let _ = histogram.record(us.max(1));
}

/// Two significant digits, growing with its largest value.
#[expect(clippy::unwrap_used, reason = "two digits are within the histogram's documented range of zero to five")]
fn new_histogram() -> Box<Histogram<u32>> {
    Box::new(Histogram::new(2).unwrap())
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

    #[test]
    fn a_repeat_taken_back_leaves_no_trace_whatever_the_split() {
        let mut one = of((0..129).map(|i| i * 10));
        one.retract(50);
        let mut left = of((0..64).map(|i| i * 10));
        left.retract(50);
        left.merge(of((64..129).map(|i| i * 10)));
        assert_eq!(one.summary(), left.summary());
        let mut single = of([5]);
        single.retract(5);
        assert_eq!(single.summary(), None);
    }
}
