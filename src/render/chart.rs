//! A small bar chart of a rate over time, for a terminal.

use super::human::{self, TimeZoneChoice};
use crate::event::Timestamp;

const BARS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Draws counts per period as bars, at most `width` of them, with the ends and the peak below.
///
/// The periods are those of the answer: in order, equally long, none left out. When there are more
/// than fit, each bar sums as many periods; the last may sum fewer. A bar is blank only for nothing.
pub fn rate_chart(buckets: &[(Timestamp, u64)], width: usize, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let (Some(&(start, _)), Some(&(last, _))) = (buckets.first(), buckets.last()) else { return };
    let group = buckets.len().div_ceil(width.max(1));
    let bars: Vec<(Timestamp, u64)> = buckets.chunks(group).map(sum).collect();
    // The first of equal peaks is the one named.
    let (peak_at, peak) = bars.iter().copied().rev().max_by_key(|&(_, count)| count).unwrap_or((start, 0));
    let drawn: String = bars.iter().map(|&(_, count)| BARS[height(count, peak)]).collect();
    let period = buckets.get(1).map_or(0, |next| next.0.0.saturating_sub(start.0));
    let end = Timestamp(last.0.saturating_add(period));
    let each = period.saturating_mul(i64::try_from(group).unwrap_or(i64::MAX));
    let per_bar = if each > 0 { format!(", {} per bar", human::duration(each)) } else { String::new() };
    let text = format!(
        "{}\n{} to {}{per_bar}\npeak {} at {}\n",
        drawn.trim_end(),
        human::time_seconds(start, zone),
        human::time_seconds(end, zone),
        human::number(peak),
        human::time_seconds(peak_at, zone),
    );
    out.extend_from_slice(text.as_bytes());
}

/// Counts as bars against a common peak; a dot is nothing at all.
pub fn bars(counts: &[u64], peak: u64) -> String {
    counts.iter().map(|&count| if count == 0 { "·" } else { BARS[height(count, peak)] }).collect()
}

fn sum(periods: &[(Timestamp, u64)]) -> (Timestamp, u64) {
    let total = periods.iter().fold(0u64, |total, &(_, count)| total.saturating_add(count));
    (periods.first().map_or(Timestamp(0), |&(at, _)| at), total)
}

/// Eighths of the peak, rounded up so that anything at all is seen.
fn height(count: u64, peak: u64) -> usize {
    let eighths = (u128::from(count) * 8).div_ceil(u128::from(peak.max(1)));
    usize::try_from(eighths).unwrap_or(8).min(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(counts: &[u64], width: usize) -> String {
        let buckets = (0i64..)
            .zip(counts)
            .map(|(at, &count)| (Timestamp(1_714_564_800_000_000_000 + at * 60_000_000_000), count));
        let mut out = Vec::new();
        rate_chart(&buckets.collect::<Vec<_>>(), width, TimeZoneChoice::Utc, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn bars_and_labels() {
        assert_eq!(
            chart(&[1, 0, 4000, 8000, 8000, 0], 80),
            "▁ ▄██\n2024-05-01T12:00:00Z to 2024-05-01T12:06:00Z, 1m per bar\npeak 8,000 at 2024-05-01T12:03:00Z\n"
        );
    }

    #[test]
    fn many_periods_share_bars() {
        let shown = chart(&[1, 1, 2, 2, 4], 3);
        assert!(shown.starts_with("▄██\n"), "{shown}");
        assert!(shown.contains("2m per bar\npeak 4 at 2024-05-01T12:02:00Z"), "{shown}");
    }

    #[test]
    fn little_or_nothing() {
        assert_eq!(chart(&[], 10), "");
        assert_eq!(chart(&[5], 0), "█\n2024-05-01T12:00:00Z to 2024-05-01T12:00:00Z\npeak 5 at 2024-05-01T12:00:00Z\n");
        assert!(chart(&[0, 0], 10).starts_with('\n'));
        assert!(chart(&[u64::MAX, u64::MAX], 1).starts_with('█'));
    }
}
