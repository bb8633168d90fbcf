//! How many values fell into each bucket: 128 buckets per doubling, so that a bucket's end is less than
//! one percent above any value in it.
//!
//! The buckets are those of an HDR histogram with two significant digits, and so are the answers. It keeps
//! a number for every bucket from zero to the largest value, though, and thousands of groups cannot
//! afford that: a group of a few hundred values is smaller as the list of their buckets.

/// Counts by bucket, and buckets that are not counted yet. Counting many at once brings the counts into
/// the cache once for all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    fresh: Vec<u16>,
    /// The bucket of the first count.
    base: usize,
    counts: Vec<u32>,
}

impl Histogram {
    /// So many buckets are listed before they are counted: half of the memory that counts over a range
    /// of 1:100 take.
    const FRESH: usize = 1024;

    /// Takes a value in.
    pub(super) fn record(&mut self, value: u64) {
        self.list(bucket(value));
    }

    fn list(&mut self, bucket: u16) {
        if self.fresh.len() == Self::FRESH {
            self.count();
        }
        self.fresh.push(bucket);
    }

    /// Counts what is listed.
    fn count(&mut self) {
        let (Some(&low), Some(&high)) = (self.fresh.iter().min(), self.fresh.iter().max()) else { return };
        self.widen(low.into(), usize::from(high) + 1);
        for bucket in self.fresh.drain(..) {
            let count = &mut self.counts[usize::from(bucket) - self.base];
            *count = count.saturating_add(1);
        }
    }

    /// Makes room for counts of these buckets.
    fn widen(&mut self, low: usize, end: usize) {
        if self.counts.is_empty() {
            self.base = low;
        }
        let (before, length) = (self.base.saturating_sub(low), end.saturating_sub(self.base));
        let behind = length.saturating_sub(self.counts.len());
        self.counts.reserve_exact(before + behind);
        self.counts.resize(self.counts.len() + before + behind, 0);
        self.counts.rotate_right(before);
        // What was appended for the front has come there; the counts behind it keep their order.
        self.base -= before;
    }

    /// Joins two.
    pub(super) fn merge(&mut self, other: Histogram) {
        if !other.counts.is_empty() {
            self.widen(other.base, other.base + other.counts.len());
            for (mine, theirs) in self.counts[other.base - self.base..].iter_mut().zip(&other.counts) {
                *mine = mine.saturating_add(*theirs);
            }
        }
        other.fresh.into_iter().for_each(|bucket| self.list(bucket));
    }

    /// How many values are in buckets above that of this one.
    pub(super) fn above(&self, value: u64) -> u64 {
        let bucket = bucket(value);
        let listed = self.fresh.iter().filter(|&&listed| listed > bucket).count() as u64;
        let counts = self.counts.get((usize::from(bucket) + 1).saturating_sub(self.base)..).unwrap_or_default();
        listed + counts.iter().map(|&count| u64::from(count)).sum::<u64>()
    }

    /// The values at these percentages, which rise, by nearest rank: of each the largest that its bucket
    /// holds.
    pub(super) fn percentiles<const N: usize>(&mut self, percents: [u64; N]) -> [u64; N] {
        self.count();
        let total: u64 = self.counts.iter().map(|&count| u64::from(count)).sum();
        let mut places = self.counts.iter().enumerate();
        let (mut at, mut sum) = (self.base, 0);
        percents.map(|percent| {
            let rank = (total * percent).div_ceil(100).max(1);
            while sum < rank
                && let Some((next, &count)) = places.next()
            {
                at = self.base + next;
                sum += u64::from(count);
            }
            end_of(at)
        })
    }
}

/// The bucket of a value: up to 255 each its own, then 128 for every doubling. Zero counts as one.
fn bucket(value: u64) -> u16 {
    let value = value.max(1);
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(8);
    // At most 56 * 128 + 255.
    (shift * 128 + (value >> shift) as u32) as u16
}

/// The largest value of a bucket.
const fn end_of(bucket: usize) -> u64 {
    let shift = (bucket / 128).saturating_sub(1);
    let step = (bucket - shift * 128) as u64;
    (step << shift) | ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for number in 1..7423_u16 {
            let end = end_of(number.into());
            assert_eq!((bucket(end), bucket(end + 1)), (number, number + 1), "{end}");
        }
        assert_eq!((bucket(0), bucket(u64::MAX), end_of(7423)), (1, 7423, u64::MAX));
    }

    #[test]
    fn answers_are_those_of_an_hdr_histogram_with_two_digits() {
        let mut seed = 7_u64;
        for (size, bits) in [(1, 20), (200, 3), (1024, 24), (1025, 30), (5000, 17), (20_000, 40)] {
            let (mut ours, mut theirs) = (Histogram::default(), hdrhistogram::Histogram::<u32>::new(2).unwrap());
            for _ in 0..size {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let value = (seed >> 20) >> (44 - (seed >> 8) % bits);
                ours.record(value);
                theirs.record(value.max(1)).unwrap();
            }
            for value in [0, 1, 255, 256, 1000, 77_777, 1 << 30] {
                assert_eq!(ours.above(value), theirs.len() - theirs.count_between(0, value.max(1)), "{value}");
            }
            ours.count();
            let expected = [1, 50, 90, 99, 100].map(|percent| theirs.value_at_quantile(percent as f64 / 100.0));
            assert_eq!(ours.percentiles([1, 50, 90, 99, 100]), expected, "{size} of {bits} bits");
        }
    }

    #[test]
    fn what_is_joined_leaves_no_trace_of_how() {
        let values = |from: u64| (0..3000).map(move |i| from + i * i);
        let (mut whole, mut left, mut right) = <(Histogram, Histogram, Histogram)>::default();
        values(1).chain(values(90_000)).for_each(|value| whole.record(value));
        values(90_000).for_each(|value| left.record(value));
        values(1).for_each(|value| right.record(value));
        left.merge(right);
        whole.count();
        left.count();
        assert_eq!(left.percentiles([1, 50, 99]), whole.percentiles([1, 50, 99]));
    }
}
