//! What takes longer than before, by verb and resource.
//!
//! Quantiles of the one side are the measure of the other: of the requests after, a tenth should
//! take longer than nine tenths did before, and half longer than half did.

use super::Pair;
use super::score::{NOTABLE, TOLERANCE, g2, thousandths};
use crate::aggregate::stats::{Latencies, LatencySummary};

/// With fewer requests on a side, quantiles say little.
pub const LEAST: u64 = 20;

/// Latencies of requests of one kind.
pub(super) struct Pace {
    /// Verb, resource, subresource.
    pub(super) values: Vec<Option<Vec<u8>>>,
    /// Before and after.
    pub(super) latencies: Pair<Latencies>,
}

/// Requests of one kind that take longer than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slower {
    /// Verb, resource, subresource.
    pub values: Vec<Option<Vec<u8>>>,
    /// Requests with a latency on each side.
    pub count: Pair<u64>,
    /// How long they took.
    pub latency: Pair<LatencySummary>,
    /// The quantile before that tells the most, in percent.
    pub percent: u64,
    /// Requests after that took longer than that.
    pub longer: u64,
    /// How surprising that is, in thousandths.
    pub score: i64,
}

/// What takes longer, the most surprising first.
pub(super) fn slower(paces: Vec<Pace>) -> Vec<Slower> {
    let mut all: Vec<Slower> = paces.into_iter().filter_map(of).collect();
    all.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.values.cmp(&b.values)));
    all
}

fn of(pace: Pace) -> Option<Slower> {
    let count = [pace.latencies[0].count(), pace.latencies[1].count()];
    if count.iter().any(|&count| count < LEAST) {
        return None;
    }
    let latency = [pace.latencies[0].summary()?, pace.latencies[1].summary()?];
    let tests = [(50, latency[0].p50, latency[1].p50), (90, latency[0].p90, latency[1].p90)];
    let told = tests.into_iter().filter(|(_, before, after)| *after as f64 >= *before as f64 * TOLERANCE);
    let scored = told.map(|(percent, before, _)| {
        let longer = pace.latencies[1].above(before);
        (score(longer, count[1], percent), percent, longer)
    });
    let (score, percent, longer) = scored.max_by_key(|(score, percent, _)| (*score, *percent))?;
    (score >= NOTABLE).then_some(Slower { values: pace.values, count, latency, percent, longer, score })
}

/// How surprising it is that so many of all took longer than a quantile.
fn score(longer: u64, all: u64, percent: u64) -> i64 {
    let expected = all as f64 * (100 - percent) as f64 / 100.0;
    if longer as f64 <= expected {
        return 0;
    }
    thousandths(g2([all - longer, longer], [all as f64 - expected, expected]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(before: impl Iterator<Item = u64>, after: impl Iterator<Item = u64>) -> Vec<Pace> {
        let mut latencies: Pair<Latencies> = Default::default();
        before.for_each(|us| latencies[0].record(us));
        after.for_each(|us| latencies[1].record(us));
        vec![Pace { values: vec![Some(b"list".to_vec())], latencies }]
    }

    #[test]
    fn what_takes_longer_is_told_with_its_arithmetic() {
        let found = slower(pace((0..50).map(|i| 1000 + i), (0..40).map(|i| 5000 + i)));
        assert_eq!((found[0].percent, found[0].longer, found[0].count), (90, 40, [50, 40]));
        // 2·40·ln(40/4)
        assert_eq!(found[0].score, 184_207);
    }

    #[test]
    fn a_slow_tail_is_enough_and_a_few_samples_are_not() {
        let tail = |i: u64| if i.is_multiple_of(3) { 9000 } else { 1000 };
        assert_eq!(slower(pace((0..60).map(|i| 1000 + i % 7), (0..60).map(tail))).len(), 1);
        assert!(slower(pace((0..19).map(|_| 10), (0..60).map(|_| 1000))).is_empty());
        assert!(slower(pace((0..60).map(|_| 1000), (0..60).map(|_| 1100))).is_empty());
        assert!(slower(pace((0..60).map(|_| 1000), (0..60).map(|_| 10))).is_empty());
    }
}
