//! Counts over time without knowing the span beforehand.
//!
//! Periods start at one second and double whenever there would be too many of them. The final
//! width depends only on what was counted, not on the order, because a part never needs wider
//! periods than the whole.

use std::collections::BTreeMap;

use crate::event::Timestamp;

const SECOND: i64 = 1_000_000_000;

/// Counts per period, aligned to the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeBuckets {
    width: i64,
    counts: BTreeMap<i64, u64>,
    /// The period counted last: times come nearly in order.
    recent: Option<(i64, u64)>,
}

impl Default for TimeBuckets {
    fn default() -> Self {
        TimeBuckets { width: SECOND, counts: BTreeMap::new(), recent: None }
    }
}

impl TimeBuckets {
    /// No more periods than this are kept.
    pub const LIMIT: usize = 4096;

    /// Counts one at a time.
    #[inline]
    pub fn add(&mut self, time: Timestamp) {
        let period = time.0.div_euclid(self.width);
        match &mut self.recent {
            Some((recent, count)) if *recent == period => *count += 1,
            _ => {
                self.flush();
                // Flushing may have widened the periods.
                self.recent = Some((time.0.div_euclid(self.width), 1));
            }
        }
    }

    fn flush(&mut self) {
        if let Some((period, count)) = self.recent.take() {
            *self.counts.entry(period).or_default() += count;
            while self.counts.len() > Self::LIMIT {
                self.widen();
            }
        }
    }

    fn widen(&mut self) {
        self.width *= 2;
        let mut wider = BTreeMap::new();
        for (period, count) in std::mem::take(&mut self.counts) {
            *wider.entry(period.div_euclid(2)).or_default() += count;
        }
        self.counts = wider;
    }

    /// Joins two.
    pub fn merge(&mut self, mut other: TimeBuckets) {
        self.flush();
        other.flush();
        while self.width < other.width {
            self.widen();
        }
        while other.width < self.width {
            other.widen();
        }
        for (period, count) in other.counts {
            *self.counts.entry(period).or_default() += count;
        }
        while self.counts.len() > Self::LIMIT {
            self.widen();
        }
    }

    /// Period width in nanoseconds, and the periods that are not empty, in order.
    pub fn finish(mut self) -> (i64, Vec<(Timestamp, u64)>) {
        self.flush();
        let width = self.width;
        (width, self.counts.into_iter().map(|(period, count)| (Timestamp(period * width), count)).collect())
    }

    /// At most `most` periods of a round width that cover everything, empty ones included.
    pub fn rate(self, most: usize) -> (i64, Vec<(Timestamp, u64)>) {
        let (fine, counts) = self.finish();
        let (Some(&(first, _)), Some(&(last, _))) = (counts.first(), counts.last()) else { return (fine, Vec::new()) };
        let width = round_width(fine, last.0 - first.0 + fine, most);
        let start = first.floor(width).0;
        let periods = ((last.0 - start) / width + 1) as usize;
        let mut rate: Vec<(Timestamp, u64)> = (0..periods as i64).map(|i| (Timestamp(start + i * width), 0)).collect();
        for (time, count) in counts {
            if let Some(period) = rate.get_mut(((time.0 - start) / width) as usize) {
                period.1 += count;
            }
        }
        (width, rate)
    }
}

/// A round width of at least `fine` of which at most `most` periods cover so long a span.
pub fn round_width(fine: i64, span: i64, most: usize) -> i64 {
    let most = most.max(1) as i64;
    let width = ROUND.iter().map(|s| s * SECOND).find(|w| *w >= fine && span / w < most);
    width.unwrap_or_else(|| ((span / most) / (86_400 * SECOND) + 1) * 86_400 * SECOND)
}

/// Widths people read easily, in seconds.
const ROUND: [i64; 17] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seconds: impl IntoIterator<Item = i64>) -> TimeBuckets {
        let mut buckets = TimeBuckets::default();
        seconds.into_iter().for_each(|s| buckets.add(Timestamp(s * SECOND)));
        buckets
    }

    #[test]
    fn splits_do_not_matter() {
        let times: Vec<i64> = (0..20_000).map(|i| (i * 7919) % 100_003).collect();
        let whole = of(times.iter().copied()).finish();
        for cut in [1, 100, 5000, 19_999] {
            let (left, right) = times.split_at(cut);
            let mut merged = of(right.iter().copied());
            merged.merge(of(left.iter().copied()));
            assert_eq!(merged.finish(), whole);
        }
        assert!(whole.1.len() <= TimeBuckets::LIMIT);
        assert_eq!(whole.1.iter().map(|(_, count)| count).sum::<u64>(), 20_000);
    }

    #[test]
    fn a_rate_has_every_period() {
        let (width, rate) = of([10, 11, 11, 500]).rate(60);
        assert_eq!(width, 10 * SECOND);
        assert_eq!(rate.len(), 50);
        assert_eq!((rate[0].1, rate[1].1, rate[49].1), (3, 0, 1));
    }
}
