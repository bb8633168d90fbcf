//! Silences of a log against its own rhythm, and rotated files that are not there.

use super::coverage::LogFile;
use crate::aggregate::time_buckets::TimeBuckets;
use crate::event::Timestamp;

/// A silence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// End of the last period with a request before it.
    pub from: Timestamp,
    /// Start of the first period with a request after it.
    pub to: Timestamp,
}

impl Gap {
    /// How long it is, in nanoseconds.
    pub const fn length(self) -> i64 {
        self.to.0.saturating_sub(self.from.0)
    }
}

/// A silence is worth telling from this length on.
const LEAST_GAP: i64 = 60_000_000_000;

/// And when it is this many times the median interval between periods with requests. A mean would grow with
/// the silences it is to find.
const RHYTHMS: i64 = 50;

/// The silences of a log, and from which length on one is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silences {
    /// In order.
    pub gaps: Vec<Gap>,
    /// What is shorter is the log's own rhythm.
    pub least: i64,
}

/// Silences that are long against the log's own rhythm.
pub fn silences(times: &TimeBuckets) -> Silences {
    let (width, periods) = times.clone().finish();
    let periods: Vec<Timestamp> = periods.into_iter().filter(|(_, count)| *count > 0).map(|(at, _)| at).collect();
    let pairs = || periods.iter().zip(periods.iter().skip(1));
    let mut intervals: Vec<i64> = pairs().map(|(before, after)| after.0.saturating_sub(before.0)).collect();
    intervals.sort_unstable();
    let median = intervals.get(intervals.len() / 2).copied().unwrap_or_default();
    let least = LEAST_GAP.max(median.saturating_mul(RHYTHMS)).max(width * 2);
    let gaps = pairs().map(|(before, after)| Gap { from: Timestamp(before.0.saturating_add(width)), to: *after });
    Silences { gaps: gaps.filter(|gap| gap.length() >= least).collect(), least }
}

/// A hole in the names or times of a log's rotated files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MissingFile {
    /// Numbers that no file has, from the first to the last of them.
    Numbers {
        /// The log.
        log: String,
        /// The lowest, the newest file.
        from: u64,
        /// The highest.
        to: u64,
    },
    /// The first event behind a rotation comes long after it.
    Between {
        /// The log.
        log: String,
        /// The file that ends with the rotation, by its place among the inputs.
        before: usize,
        /// The next file.
        after: usize,
        /// The hole.
        gap: Gap,
    },
}

/// What is known of one file of a log.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its place among the inputs.
    pub index: usize,
    /// Its name taken apart.
    pub file: &'a LogFile,
    /// Earliest event time.
    pub first: Option<Timestamp>,
}

/// Files that seem to be missing among those of one log, which come oldest first.
pub fn missing_files(log: &str, members: &[Member<'_>], least: i64) -> Vec<MissingFile> {
    let mut missing = missing_numbers(log, members);
    let pairs = members.iter().zip(members.iter().skip(1));
    missing.extend(pairs.filter_map(|(before, after)| {
        let gap = Gap { from: before.file.ended?, to: after.first? };
        let hole = MissingFile::Between { log: log.to_owned(), before: before.index, after: after.index, gap };
        (gap.length() >= least.max(LEAST_GAP)).then_some(hole)
    }));
    missing
}

fn missing_numbers(log: &str, members: &[Member<'_>]) -> Vec<MissingFile> {
    let mut numbers: Vec<u64> = members.iter().filter_map(|member| member.file.number).collect();
    if numbers.is_empty() {
        return Vec::new();
    }
    if members.iter().any(|member| member.file.live) {
        // The live file comes before number 1; some tools begin with 0.
        numbers.push(0);
    }
    numbers.sort_unstable();
    let pairs = numbers.iter().zip(numbers.iter().skip(1));
    let holes = pairs.filter(|(low, high)| *low + 1 < **high);
    holes.map(|(low, high)| MissingFile::Numbers { log: log.to_owned(), from: low + 1, to: high - 1 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp(second * 1_000_000_000)
    }

    fn of(seconds: impl IntoIterator<Item = i64>) -> Silences {
        let mut times = TimeBuckets::default();
        seconds.into_iter().for_each(|second| times.add(at(second)));
        silences(&times)
    }

    #[test]
    fn a_silence_is_long_against_the_rhythm() {
        let busy = of((0..600).chain(720..1320));
        assert_eq!(busy.gaps, [Gap { from: at(600), to: at(720) }]);
        assert_eq!(of((0..600).map(|n| n * 10)).gaps, [], "every ten seconds is a rhythm");
        assert_eq!(of((0..100).chain(130..200)).gaps, [], "half a minute is nothing");
        let slow = of((0..20).chain(200..220).map(|n| n * 5));
        assert_eq!(slow.gaps, [Gap { from: at(96), to: at(1000) }], "a silence is not part of the rhythm");
        assert_eq!(of([]).gaps, []);
    }

    fn file(number: Option<u64>, ended: Option<Timestamp>) -> LogFile {
        LogFile {
            log: "audit.log".to_owned(),
            number,
            ended,
            live: number.is_none() && ended.is_none(),
            ..LogFile::default()
        }
    }

    fn missing(files: &[(LogFile, Option<Timestamp>)]) -> Vec<MissingFile> {
        let members: Vec<_> =
            files.iter().enumerate().map(|(index, (file, first))| Member { index, file, first: *first }).collect();
        missing_files("audit.log", &members, LEAST_GAP)
    }

    #[test]
    fn numbers_that_no_file_has() {
        let numbered = |numbers: &[u64], live: bool| {
            let mut files: Vec<_> = numbers.iter().map(|&n| (file(Some(n), None), None)).collect();
            if live {
                files.push((file(None, None), None));
            }
            missing(&files)
        };
        let hole = |from, to| MissingFile::Numbers { log: "audit.log".to_owned(), from, to };
        assert_eq!(numbered(&[4, 2, 1], true), [hole(3, 3)]);
        assert_eq!(numbered(&[10, 3], true), [hole(1, 2), hole(4, 9)]);
        assert_eq!(numbered(&[10, 3], false), [hole(4, 9)]);
        assert_eq!(numbered(&[2, 1, 0], true), []);
        assert_eq!(numbered(&[], true), []);
    }

    #[test]
    fn a_stamp_is_the_end_of_its_file() {
        let files =
            |next: i64| [(file(None, Some(at(1000))), Some(at(0))), (file(None, Some(at(5000))), Some(at(next)))];
        assert_eq!(missing(&files(1001)), []);
        let gap = Gap { from: at(1000), to: at(4000) };
        assert_eq!(
            missing(&files(4000)),
            [MissingFile::Between { log: "audit.log".to_owned(), before: 0, after: 1, gap }]
        );
    }
}
