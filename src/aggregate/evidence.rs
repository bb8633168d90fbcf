//! The account of the evidence: where every byte went.
//!
//! Each record is counted in exactly one bucket, with its bytes; what could not be read is counted
//! by reason, with its first place. Partial accounts of neighbouring stretches merge in input
//! order, which is when line numbers become absolute. The sum of the buckets is the input.

use std::collections::BTreeMap;

use super::losses::Losses;
use crate::event::{Event, Format, Timestamp};
use crate::parse::records::{Bucket, Place, Reason, UNFINISHED_LAST_LINE, is_meant_as_event};

/// How many records and bytes went into one bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Records: lines, or JSON values where values span lines.
    pub records: u64,
    /// Bytes, line feeds included.
    pub bytes: u64,
}

/// One reason for damage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damage {
    /// How many records.
    pub count: u64,
    /// Where the first one could not be read on.
    pub first: Place,
}

/// The account of a contiguous stretch of one source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Evidence {
    /// By [`Bucket`], in its order.
    pub buckets: [Count; 5],
    /// Events read (a record can hold several; a two-line pair is one).
    pub events: u64,
    /// Events by [`Format`], in its order; two-line halves count once each.
    pub formats: [u64; 6],
    /// JSON and one-line events by the rank of their [`Stage`](crate::event::Stage); unknown stages come first.
    pub stages: [u64; 5],
    /// Line feeds.
    pub lines: u64,
    /// What could not be read.
    pub damage: BTreeMap<Reason, Damage>,
    /// Failures of reading or decompressing, in words.
    pub failures: Vec<String>,
    /// Events that the API server said, in its own log, it had to drop.
    pub lost: u64,
    /// Which plugin dropped them, and why.
    pub losses: Losses,
    /// Earliest event time.
    pub first: Option<Timestamp>,
    /// Latest event time.
    pub last: Option<Timestamp>,
    /// Time of the first and of the last record, for counting inversions across stretches.
    pub(crate) edges: Option<(Timestamp, Timestamp)>,
    /// Events whose time is earlier than that of the event before.
    pub inversions: u64,
    /// The longest way back among them, in nanoseconds.
    pub backward_ns_max: i64,
    /// Events that repeat one seen before: the same stage of the same request.
    pub repeats: u64,
    /// Events of which no more was read than that they cannot be in the answer.
    pub passed: u64,
}

impl Evidence {
    /// Counts a record, or a further piece of one.
    #[inline]
    pub fn record(&mut self, bucket: Bucket, bytes: usize, counted: bool) {
        let count = &mut self.buckets[bucket as usize];
        count.records += u64::from(counted);
        count.bytes += bytes as u64;
    }

    /// Counts an event's format and time.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) {
        self.events += 1;
        self.formats[event.format as usize] += 1;
        self.stages[usize::from(event.stage.rank())] += 1;
        if let Some(time) = event.time() {
            self.time(time);
        }
    }

    /// Counts lines of so many bytes that are events of the server's own format and no more was read of.
    #[inline]
    pub fn passed(&mut self, lines: u64, bytes: usize) {
        self.passed += lines;
        self.events += lines;
        self.formats[Format::V1 as usize] += lines;
        let count = &mut self.buckets[Bucket::Event as usize];
        count.records += lines;
        count.bytes += bytes as u64;
    }

    /// Counts half of a two-line pair; the pair is one event, which the request line stands for.
    pub fn half(&mut self, is_request: bool, time: Option<Timestamp>) {
        self.events += u64::from(is_request);
        self.formats[Format::TwoLine as usize] += 1;
        if let Some(time) = time {
            self.time(time);
        }
    }

    /// Takes note of a record's time.
    #[inline]
    pub fn time(&mut self, time: Timestamp) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        let opening = match self.edges {
            Some((opening, closing)) => {
                self.step(closing, time);
                opening
            }
            None => time,
        };
        self.edges = Some((opening, time));
    }

    /// Two records follow each other.
    #[inline]
    fn step(&mut self, before: Timestamp, after: Timestamp) {
        if after < before {
            self.inversions += 1;
            self.backward_ns_max = self.backward_ns_max.max(before.0.saturating_sub(after.0));
        }
    }

    /// Counts a damaged record.
    pub fn damaged(&mut self, reason: Reason, place: Place) {
        self.damage.entry(reason).or_insert(Damage { count: 0, first: place }).count += 1;
    }

    /// Counts a line in pieces of which the last never came.
    pub fn unfinished(&mut self, text: &[u8], bytes: usize) {
        if !is_meant_as_event(text) {
            return self.record(Bucket::Other, bytes, true);
        }
        self.record(Bucket::Damaged, bytes, true);
        self.damaged(UNFINISHED_LAST_LINE.into(), Place { line: self.lines.saturating_sub(1), byte: 0 });
    }

    /// The count of one bucket.
    pub const fn bucket(&self, bucket: Bucket) -> Count {
        self.buckets[bucket as usize]
    }

    /// All bytes.
    pub fn bytes(&self) -> u64 {
        self.buckets.iter().map(|count| count.bytes).sum()
    }

    /// Joins the account of the stretch that follows in the same source.
    pub fn append(&mut self, next: Evidence) {
        for (mine, theirs) in self.damage_of(&next) {
            let entry = self.damage.entry(mine).or_insert(Damage { count: 0, first: theirs.first });
            entry.count += theirs.count;
        }
        if let (Some((_, before)), Some((after, _))) = (self.edges, next.edges) {
            self.step(before, after);
        }
        self.edges = match (self.edges, next.edges) {
            (Some((opening, _)), Some((_, closing))) => Some((opening, closing)),
            (mine, theirs) => mine.or(theirs),
        };
        self.losses.append(&next.losses, self.lines);
        self.lines += next.lines;
        self.add(next);
    }

    /// Places were told from so many lines before this stretch.
    pub(crate) fn begin_behind(&mut self, lines: u64) {
        for damage in self.damage.values_mut() {
            damage.first.line = damage.first.line.saturating_sub(lines);
        }
    }

    /// So many line feeds stand before what was read.
    pub fn shift_lines(&mut self, feeds: u64) {
        self.lines += feeds;
        self.losses.shift_lines(feeds);
        for damage in self.damage.values_mut() {
            damage.first.line += feeds;
        }
    }

    /// The next stretch's damage with its places counted from this one's start.
    fn damage_of(&self, next: &Evidence) -> Vec<(Reason, Damage)> {
        let shift = |place: Place| Place { line: place.line + self.lines, ..place };
        next.damage.iter().map(|(reason, d)| (reason.clone(), Damage { first: shift(d.first), ..*d })).collect()
    }

    /// Adds everything that does not depend on order.
    fn add(&mut self, other: Evidence) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            mine.records += theirs.records;
            mine.bytes += theirs.bytes;
        }
        for (mine, theirs) in self.formats.iter_mut().zip(other.formats) {
            *mine += theirs;
        }
        for (mine, theirs) in self.stages.iter_mut().zip(other.stages) {
            *mine += theirs;
        }
        self.backward_ns_max = self.backward_ns_max.max(other.backward_ns_max);
        self.events += other.events;
        self.lost += other.lost;
        self.repeats += other.repeats;
        self.passed += other.passed;
        self.inversions += other.inversions;
        // One that every further block of a file meets is told once.
        let new = other.failures.into_iter().filter(|reason| !self.failures.contains(reason)).collect::<Vec<_>>();
        self.failures.extend(new);
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
    }

    /// Settles what an incomplete last line means: in a live file it is no fault; elsewhere it is.
    pub fn close(&mut self, live: bool) {
        if live {
            return;
        }
        if let Some(damage) = self.damage.remove(UNFINISHED_LAST_LINE) {
            self.damage.insert(Reason::Borrowed("last line is cut off"), damage);
        }
    }

    /// Whether everything was read.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.damage.keys().all(|reason| reason == UNFINISHED_LAST_LINE)
    }
}

/// The account of a whole run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Account {
    /// By source, in input order.
    pub sources: Vec<SourceAccount>,
    /// Requests without a final stage at the end of the input.
    pub unfinished_requests: u64,
    /// Halves of two-line pairs whose other half was not found.
    pub unpaired_halves: u64,
    /// Further response lines of a request that already had one.
    pub extra_responses: u64,
    /// Requests that have two rows: given up after a very long wait, they ended after all.
    pub twice_in_rows: u64,
    /// Whether reading stopped early because the answer was complete (`--limit`).
    pub stopped: bool,
    /// Whether the run was told to end before all was read.
    pub interrupted: bool,
}

/// One source and its account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceAccount {
    /// The path as given or found; `-` for standard input.
    pub name: String,
    /// What was read of it.
    pub evidence: Evidence,
    /// Whether nothing of it could be read at all.
    pub unreadable: bool,
    /// `gzip`, `zstd`, `bzip2`, `xz`, or nothing.
    pub compression: Option<&'static str>,
    /// Of a file in time order of which only a part was read, what was found out about it.
    pub part: Option<Part>,
    /// Whether that part shows that the file is not in order of time, so that more of it may matter.
    pub out_of_order: bool,
}

/// What is known of a file of which only the part was read that can hold the time window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// The file's length.
    pub length: u64,
    /// Offset of the first byte that was read.
    pub start: u64,
    /// How many places were looked at to prove its order.
    pub probes: u64,
}

/// One row of the damage list: a reason with its count and first place.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct DamageRow {
    /// In words; never quotes the log.
    pub reason: String,
    /// How many records.
    pub count: u64,
    /// `file:line:byte`, counted from 1.
    pub first: String,
}

impl Account {
    /// Whether all input was read and understood.
    pub fn is_complete(&self) -> bool {
        !self.interrupted && self.sources.iter().all(|source| !source.unreadable && source.evidence.is_complete())
    }

    /// Takes in the account of another input, read apart from this one.
    pub fn join(&mut self, other: Account) {
        self.sources.extend(other.sources);
        self.unfinished_requests += other.unfinished_requests;
        self.unpaired_halves += other.unpaired_halves;
        self.extra_responses += other.extra_responses;
        self.twice_in_rows += other.twice_in_rows;
        self.stopped |= other.stopped;
        self.interrupted |= other.interrupted;
    }

    /// Whether there were sources and none could be read.
    pub fn nothing_read(&self) -> bool {
        !self.sources.is_empty() && self.sources.iter().all(|source| source.unreadable)
    }

    /// The account with nothing but the sources that could not be read at all; the others are empty.
    pub fn only_unreadable(&self) -> Account {
        let bare = |source: &SourceAccount| SourceAccount { name: source.name.clone(), ..SourceAccount::default() };
        let sources = self.sources.iter().map(|s| if s.unreadable { s.clone() } else { bare(s) }).collect();
        Account { sources, stopped: self.stopped, ..Account::default() }
    }

    /// The sum of one bucket.
    pub fn bucket(&self, bucket: Bucket) -> Count {
        self.sources.iter().map(|source| source.evidence.bucket(bucket)).fold(Count::default(), |sum, count| Count {
            records: sum.records + count.records,
            bytes: sum.bytes + count.bytes,
        })
    }

    /// All bytes, decompressed.
    pub fn bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.evidence.bytes()).sum()
    }

    /// Bytes that were left out because the order of their file shows that they lie outside the time
    /// window. Together with [`Account::bytes`] this is the input.
    pub fn not_read(&self) -> u64 {
        self.sources.iter().map(SourceAccount::not_read).sum()
    }

    /// All events.
    pub fn events(&self) -> u64 {
        self.sources.iter().map(|source| source.evidence.events).sum()
    }

    /// Whether all was read and no event was in it, so that there is nothing else to say.
    pub fn is_void(&self) -> bool {
        self.events() == 0 && self.not_read() == 0 && !self.nothing_read() && self.is_complete() && !self.stopped
    }

    /// Events seen before: the same stage of the same request.
    pub fn repeats(&self) -> u64 {
        self.sources.iter().map(|source| source.evidence.repeats).sum()
    }

    /// Events of which no more was read than that they cannot be in the answer.
    pub fn passed(&self) -> u64 {
        self.sources.iter().map(|source| source.evidence.passed).sum()
    }

    /// Events the API server said it dropped.
    pub fn lost(&self) -> u64 {
        self.sources.iter().map(|source| source.evidence.lost).sum()
    }

    /// The damage by reason, most frequent first; each with the first place in input order.
    pub fn damage(&self) -> Vec<DamageRow> {
        let mut rows: Vec<DamageRow> = Vec::new();
        for source in &self.sources {
            for row in source.damage() {
                match rows.iter_mut().find(|mine| mine.reason == row.reason) {
                    Some(mine) => mine.count += row.count,
                    None => rows.push(row),
                }
            }
        }
        rows.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
        rows
    }
}

impl SourceAccount {
    /// Whether only a part was read because the file seemed to be in order of time, and events of that part
    /// go back by more than this many nanoseconds.
    pub fn goes_back(&self, slack: i64) -> bool {
        self.part.is_some() && self.evidence.backward_ns_max > slack
    }

    /// Bytes that were left out on purpose.
    pub fn not_read(&self) -> u64 {
        self.part.map_or(0, |part| part.length.saturating_sub(self.evidence.bytes()))
    }

    /// The damage of this source by reason, failures of reading included.
    pub fn damage(&self) -> Vec<DamageRow> {
        let place = |place: Place| format!("{}:{}:{}", self.name, place.line + 1, place.byte + 1);
        let records = self.evidence.damage.iter().map(|(reason, damage)| DamageRow {
            reason: reason.to_string(),
            count: damage.count,
            first: place(damage.first),
        });
        let end = Place { line: self.evidence.lines, byte: 0 };
        let failures = self.evidence.failures.iter().map(|reason| DamageRow {
            reason: reason.clone(),
            count: 1,
            first: place(end),
        });
        records.chain(failures).collect()
    }
}
