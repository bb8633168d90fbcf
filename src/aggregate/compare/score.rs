//! How surprising two counts are.
//!
//! The score of counts A and B is G², twice the logarithm of a likelihood ratio: how much better
//! they are explained by the rates that were seen than by rates that differ by no more than half,
//! whichever way. So drift scores nothing, however many requests drift, and of changes of one size
//! the one that concerns more requests comes first. A score of 10 is one in a thousand by chance.

use std::cmp::Ordering;

use super::Pair;

/// Rates that differ by no more than this factor are the same.
pub const TOLERANCE: f64 = 1.5;

/// From this score on, a combination of values is worth telling.
pub const NOTABLE: i64 = 10 * THOUSAND;

/// Below this score two counts are not told apart: by chance one pair in twenty differs as much. It is the 5 % point of
/// chi-square with one degree of freedom.
pub const LEAST: i64 = 3841;

/// Scores are whole thousandths, so that their order is total and the same everywhere.
pub const THOUSAND: i64 = 1000;

/// How long the sides are, which is what counts are measured by.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    /// How much longer the second side is than the first.
    ratio: f64,
}

/// The sum of two pairs.
pub fn add(a: Pair<u64>, b: Pair<u64>) -> Pair<u64> {
    [a[0] + b[0], a[1] + b[1]]
}

/// What is left of a pair without another.
pub fn without(a: Pair<u64>, b: Pair<u64>) -> Pair<u64> {
    [a[0].saturating_sub(b[0]), a[1].saturating_sub(b[1])]
}

impl Lengths {
    /// Of sides that are so long.
    pub fn of(lengths: Pair<i64>) -> Self {
        Lengths { ratio: lengths[1].max(1) as f64 / lengths[0].max(1) as f64 }
    }

    /// By what factor the rate grew, in hundredths; none where there was nothing before.
    pub fn growth(self, [before, after]: Pair<u64>) -> Option<u64> {
        (before > 0).then(|| (after as f64 / before as f64 / self.ratio * 100.0).round() as u64)
    }

    /// Whether the rate rose.
    pub fn rose(self, [before, after]: Pair<u64>) -> bool {
        after as f64 > before as f64 * self.ratio
    }

    /// How both counts together would divide, had the rate changed as it did but by half at most.
    pub fn expected(self, [before, after]: Pair<u64>) -> Pair<f64> {
        let growth = after as f64 / before as f64 / self.ratio;
        let bounded = if before == 0 { TOLERANCE } else { growth.clamp(1.0 / TOLERANCE, TOLERANCE) };
        let share = bounded * self.ratio / (1.0 + bounded * self.ratio);
        let all = (before + after) as f64;
        [all * (1.0 - share), all * share]
    }

    /// The score of two counts, in thousandths.
    pub fn score(self, counts: Pair<u64>) -> i64 {
        thousandths(g2(counts, self.expected(counts)))
    }
}

/// How differently the parts of a whole changed, in thousandths: G² against all of them changing alike.
pub fn unlikeness(whole: Pair<u64>, parts: impl Iterator<Item = Pair<u64>>) -> i64 {
    let all = (whole[0] + whole[1]) as f64;
    let sum: f64 = parts
        .map(|part| {
            let own = (part[0] + part[1]) as f64;
            g2(part, whole.map(|side| own * side as f64 / all))
        })
        .sum();
    thousandths(sum)
}

/// Whether parts of something with that score, so unlike each other, are better told one by one.
pub fn falls_apart(unlikeness: i64, score: i64) -> bool {
    unlikeness > NOTABLE.max(score / 10)
}

/// G² of counts against those expected: 2·Σ n·ln(n/e).
pub fn g2(counts: Pair<u64>, expected: Pair<f64>) -> f64 {
    let term = |count: u64, expected: f64| if count == 0 { 0.0 } else { count as f64 * (count as f64 / expected).ln() };
    (2.0 * (term(counts[0], expected[0]) + term(counts[1], expected[1]))).max(0.0)
}

/// A score in thousandths.
pub fn thousandths(score: f64) -> i64 {
    (score * THOUSAND as f64).round() as i64
}

/// Larger first.
pub fn by_score(a: i64, b: i64) -> Ordering {
    b.cmp(&a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_scores_nothing_however_large() {
        let lengths = Lengths::of([600, 600]);
        assert_eq!(lengths.score([100_000, 149_000]), 0);
        assert_eq!(lengths.score([149_000, 100_000]), 0);
        assert_eq!(lengths.score([0, 0]), 0);
    }

    #[test]
    fn more_of_the_same_change_is_more_surprising() {
        let lengths = Lengths::of([600, 600]);
        assert!(lengths.score([200, 1000]) > lengths.score([20, 100]));
        assert!(lengths.score([20, 100]) > lengths.score([20, 60]));
        // 40 new requests: 2·40·ln(1/0.6)
        assert_eq!(lengths.score([0, 40]), 40_866);
        assert_eq!(lengths.score([40, 0]), 40_866);
    }

    #[test]
    fn counts_are_measured_by_the_length_of_their_side() {
        let lengths = Lengths::of([600, 1200]);
        assert_eq!(lengths.score([100, 200]), 0);
        assert_eq!(lengths.growth([100, 1000]), Some(500));
        assert!(lengths.score([100, 100]) > 0 && !lengths.rose([100, 100]));
        let expected = lengths.expected([100, 1000]);
        assert!((expected[0] - 275.0).abs() < 1e-6 && (expected[1] - 825.0).abs() < 1e-6, "{expected:?}");
    }

    #[test]
    fn parts_that_changed_alike_are_one() {
        let alike = unlikeness([30, 150], [[10, 50], [20, 100]].into_iter());
        let apart = unlikeness([220, 1220], [[200, 1000], [0, 200], [20, 20]].into_iter());
        assert_eq!(alike, 0);
        assert!(falls_apart(apart, Lengths::of([1, 1]).score([220, 1220])));
    }
}
