//! Which times each file and each log covers.
//!
//! A log is what one API server writes: the files that share a directory and, but for what rotation adds,
//! a name; or the events that say which host they are from. A file that ends where the next begins is no gap.

use std::collections::BTreeMap;

use super::capped::{Kept, Sum};
use super::gaps::{Gap, Member, MissingFile, Silences, missing_files, silences};
use crate::aggregate::Measure;
use crate::aggregate::evidence::Account;
use crate::aggregate::time_buckets::{TimeBuckets, round_width};
use crate::event::{Event, Timestamp};

/// Requests over time.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// How many.
    pub requests: u64,
    /// When.
    pub times: TimeBuckets,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Span {
    /// Counts a request.
    pub fn count(&mut self, measure: &Measure) {
        self.requests += 1;
        if let Some(time) = measure.time {
            self.times.add(time);
        }
    }

    /// Notes a request, which may be a repeat: what holds only copies of others covers their time all the same.
    pub fn observe(&mut self, event: &Event<'_>) {
        if event.time().is_some() {
            // What times of a pair are seen depends on which response comes first; when it arrived does not.
            let start = event.start();
            self.first = self.first.into_iter().chain(start).min();
            self.last = self.last.into_iter().chain(start).max();
        }
    }
}

impl Sum for Span {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.times.merge(other.times);
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
    }
}

/// A file of a log, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFile {
    /// What all files of the log share: the path of the live one.
    pub log: String,
    /// The host whose log it is, as far as the path tells.
    pub host: Option<String>,
    /// The number in the name, which grows with age.
    pub number: Option<u64>,
    /// When the file ended, as the time in its name says; of a date, the end of that day.
    pub ended: Option<Timestamp>,
    /// Whether it is the one being written.
    pub live: bool,
}

/// What one file covers.
#[derive(Clone, Debug, Default)]
pub struct FileCoverage {
    /// Requests settled in it.
    pub requests: u64,
    /// How much of the input's time it covers, silences left out, in nanoseconds.
    pub covered: i64,
    /// Its own silences.
    pub gaps: Vec<Gap>,
    /// Requests per period of the timeline.
    pub timeline: Vec<u64>,
}

/// What one log covers.
#[derive(Clone, Debug, Default)]
pub struct LogCoverage {
    /// The path of the live file; of a log known by its host only, the host.
    pub name: String,
    /// The host, where it is known.
    pub host: Option<String>,
    /// Its files, by their place among the inputs.
    pub files: Vec<usize>,
    /// Requests.
    pub requests: u64,
    /// Events; none where its files hold other logs' events too.
    pub events: Option<u64>,
    /// Earliest event, or where files are shared, earliest arrival.
    pub first: Option<Timestamp>,
    /// Latest event, or where files are shared, latest arrival.
    pub last: Option<Timestamp>,
    /// As for files.
    pub covered: i64,
    /// Its silences, with the file before and behind where they lie between two.
    pub gaps: Vec<(Gap, Option<(usize, usize)>)>,
    /// Requests per period of the timeline.
    pub timeline: Vec<u64>,
}

/// The periods of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// When the first begins.
    pub start: Timestamp,
    /// How long each is, in nanoseconds.
    pub width: i64,
    /// How many there are.
    pub periods: usize,
}

impl Default for Timeline {
    fn default() -> Self {
        Timeline { start: Timestamp(0), width: 1_000_000_000, periods: 0 }
    }
}

/// Which times the input covers.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// From the earliest event to the latest.
    pub span: Option<(Timestamp, Timestamp)>,
    /// By file, in input order.
    pub files: Vec<FileCoverage>,
    /// By log, in order of appearance.
    pub logs: Vec<LogCoverage>,
    /// What the rows of both mean.
    pub timeline: Timeline,
    /// Rotated files that seem to be missing.
    pub missing: Vec<MissingFile>,
    /// Whether there were more hosts than are told apart.
    pub more_hosts: bool,
    /// The log of each file's events that name no host.
    pub log_of_file: Vec<usize>,
    /// The log of each host.
    pub log_of_host: BTreeMap<Vec<u8>, usize>,
}

/// So many hosts are told apart, by file.
pub const HOSTS: usize = 512;

/// No more periods than this has the timeline.
pub const PERIODS: usize = 60;

/// The name under which a host's requests in a file are counted.
pub fn host_key(source: u32, host: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&source.to_be_bytes());
    out.extend_from_slice(host);
}

/// Requests of a file whose host is not named, and of all hosts in it.
#[derive(Clone, Debug, Default)]
struct Parts {
    own: Span,
    hosts: Vec<(Vec<u8>, Span)>,
}

/// Puts together what each file and log covers.
pub fn coverage(own: BTreeMap<u32, Span>, hosts: Kept<Span>, account: &Account, files: &[LogFile]) -> Coverage {
    let mut parts: Vec<Parts> = account.sources.iter().map(|_| Parts::default()).collect();
    for (source, span) in own {
        if let Some(part) = parts.get_mut(source as usize) {
            part.own = span;
        }
    }
    for (key, span) in hosts.entries {
        let Some((source, host)) = key.split_first_chunk::<4>() else { continue };
        if let Some(part) = parts.get_mut(u32::from_be_bytes(*source) as usize) {
            part.hosts.push((host.to_vec(), span));
        }
    }
    let span = |pick: fn(&crate::aggregate::evidence::Evidence) -> Option<Timestamp>| {
        account.sources.iter().filter_map(move |source| pick(&source.evidence))
    };
    let (first, last) = (span(|evidence| evidence.first).min(), span(|evidence| evidence.last).max());
    let mut coverage = Coverage { span: first.zip(last), more_hosts: hosts.rest.is_some(), ..Coverage::default() };
    let spans = coverage.group(parts, account, files);
    coverage.timeline = timeline(&spans.files);
    coverage.measure_files(&spans.files);
    coverage.measure_logs(&spans.logs, account, files);
    coverage
}

/// Requests over time, by file and by log.
#[derive(Default)]
struct Spans {
    files: Vec<Span>,
    logs: Vec<Span>,
}

impl Coverage {
    /// Sums up by file and by log.
    fn group(&mut self, parts: Vec<Parts>, account: &Account, files: &[LogFile]) -> Spans {
        let mut spans = Spans::default();
        let mut known: BTreeMap<(String, Option<String>), usize> = BTreeMap::new();
        for (index, part) in parts.into_iter().enumerate() {
            let mut whole = part.own.clone();
            let unknown = || account.sources.get(index).map(|source| source.name.clone()).unwrap_or_default();
            let file = files.get(index).cloned().unwrap_or_else(|| LogFile { log: unknown(), ..LogFile::default() });
            let shared = !part.hosts.is_empty();
            if part.own.requests > 0 || !shared {
                let log = self.log(&mut known, &mut spans, file.log, file.host);
                self.log_of_file.push(log);
                self.join(&mut spans, log, index, part.own, account, shared);
            } else {
                self.log_of_file.push(usize::MAX);
            }
            for (host, span) in part.hosts {
                let name = String::from_utf8_lossy(&host).into_owned();
                let log = self.log(&mut known, &mut spans, String::new(), Some(name));
                self.log_of_host.insert(host, log);
                whole.add(span.clone());
                self.join(&mut spans, log, index, span, account, true);
            }
            spans.files.push(whole);
        }
        spans
    }

    fn log(
        &mut self,
        known: &mut BTreeMap<(String, Option<String>), usize>,
        spans: &mut Spans,
        name: String,
        host: Option<String>,
    ) -> usize {
        *known.entry((name, host)).or_insert_with_key(|(name, host)| {
            let shown = if name.is_empty() { host.clone().unwrap_or_default() } else { name.clone() };
            let log = LogCoverage { name: shown, host: host.clone(), events: Some(0), ..LogCoverage::default() };
            self.logs.push(log);
            spans.logs.push(Span::default());
            self.logs.len() - 1
        })
    }

    fn join(&mut self, spans: &mut Spans, log: usize, index: usize, span: Span, account: &Account, shared: bool) {
        let (Some(log), Some(sum), Some(source)) =
            (self.logs.get_mut(log), spans.logs.get_mut(log), account.sources.get(index))
        else {
            return;
        };
        let evidence = &source.evidence;
        let (first, last) = if shared { (span.first, span.last) } else { (evidence.first, evidence.last) };
        log.files.push(index);
        log.events = log.events.filter(|_| !shared).map(|events| events + evidence.events);
        log.first = log.first.into_iter().chain(first).min();
        log.last = log.last.into_iter().chain(last).max();
        sum.add(span);
    }

    fn measure_files(&mut self, spans: &[Span]) {
        for span in spans {
            let Silences { gaps, .. } = silences(&span.times);
            let covered = covered(span.times.clone(), &gaps);
            let timeline = self.timeline.row(span);
            self.files.push(FileCoverage { requests: span.requests, covered, gaps, timeline });
        }
    }

    fn measure_logs(&mut self, spans: &[Span], account: &Account, files: &[LogFile]) {
        for (log, span) in self.logs.iter_mut().zip(spans) {
            let Silences { gaps, least } = silences(&span.times);
            log.requests = span.requests;
            log.covered = covered(span.times.clone(), &gaps);
            log.timeline = self.timeline.row(span);
            log.gaps = gaps.into_iter().map(|gap| (gap, between(gap, &log.files, account))).collect();
            let members: Vec<Member<'_>> = log
                .files
                .iter()
                .filter_map(|&index| {
                    let first = account.sources.get(index)?.evidence.first;
                    Some(Member { index, file: files.get(index)?, first })
                })
                .filter(|member| member.file.log == log.name)
                .collect();
            self.missing.extend(missing_files(&log.name, &members, least));
        }
    }
}

/// How long requests were recorded, silences left out.
fn covered(times: TimeBuckets, gaps: &[Gap]) -> i64 {
    let (width, periods) = filled(times);
    let (Some((first, _)), Some((last, _))) = (periods.first(), periods.last()) else { return 0 };
    let silent = gaps.iter().fold(0i64, |sum, gap| sum.saturating_add(gap.length()));
    last.0.saturating_sub(first.0).saturating_add(width).saturating_sub(silent)
}

/// The width of periods, and those with requests.
fn filled(times: TimeBuckets) -> (i64, Vec<(Timestamp, u64)>) {
    let (width, mut periods) = times.finish();
    periods.retain(|(_, count)| *count > 0);
    (width, periods)
}

/// The files before and behind a silence that lies within none.
fn between(gap: Gap, files: &[usize], account: &Account) -> Option<(usize, usize)> {
    let times = |index: &usize| {
        let evidence = &account.sources.get(*index)?.evidence;
        Some((*index, evidence.first?, evidence.last?))
    };
    let known: Vec<_> = files.iter().filter_map(times).collect();
    if known.iter().any(|&(_, first, last)| first <= gap.from && gap.to <= last) {
        return None;
    }
    let before = known.iter().filter(|&&(_, first, _)| first <= gap.from).max_by_key(|&&(_, _, last)| last)?.0;
    let after = known.iter().filter(|&&(_, _, last)| last >= gap.to).min_by_key(|&&(_, first, _)| first)?.0;
    (before != after).then_some((before, after))
}

/// Periods that cover all of these.
fn timeline(spans: &[Span]) -> Timeline {
    let all: Vec<_> = spans.iter().map(|span| filled(span.times.clone())).filter(|(_, p)| !p.is_empty()).collect();
    let fine = all.iter().map(|(width, _)| *width).max().unwrap_or(1_000_000_000);
    let first = all.iter().filter_map(|(_, periods)| periods.first()).map(|(at, _)| at.0).min();
    let last = all.iter().filter_map(|(width, periods)| Some(periods.last()?.0.0.saturating_add(*width))).max();
    let (Some(first), Some(last)) = (first, last) else { return Timeline::default() };
    let width = round_width(fine, last.saturating_sub(first), PERIODS);
    let start = Timestamp(first).floor(width);
    let periods = last.saturating_sub(start.0).saturating_sub(1) / width + 1;
    Timeline { start, width, periods: usize::try_from(periods).unwrap_or(1) }
}

impl Timeline {
    fn row(&self, span: &Span) -> Vec<u64> {
        let mut row = vec![0; self.periods];
        for (at, count) in span.times.clone().finish().1 {
            let period = at.0.saturating_sub(self.start.0) / self.width.max(1);
            if let Some(sum) = usize::try_from(period).ok().and_then(|period| row.get_mut(period)) {
                *sum += count;
            }
        }
        row
    }

    /// The periods with the counts of one row.
    pub fn with(&self, row: &[u64]) -> Vec<(Timestamp, u64)> {
        (0i64..).zip(row).map(|(at, &count)| (Timestamp(self.start.0 + at * self.width), count)).collect()
    }
}
