//! Rows that can only be printed when all are known: sorted ones, and the last ones.
//!
//! Memory is bounded. Rows are held up to a size; a full hold is a *run*, which is sorted and put
//! aside ([`Spill`]), and at the end the runs are merged. Nothing is put aside when the rows fit. Of
//! `--limit` and `--tail` only rows are kept that can still be printed.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io::{self, Read};
use std::ops::ControlFlow;

use crate::aggregate::Position;
use crate::aggregate::rows::SortValue;
use crate::event::Timestamp;
use crate::input::spill::{Spill, Spilled};

/// Rows that weigh more than this, in bytes, are put aside.
const RUN: usize = 32 << 20;

/// So many runs of one size are merged into one that is as large as all of them: each run that is read
/// takes about a megabyte, so they must not become too many.
const FAN_IN: usize = 24;

/// Bytes that are written at once.
const WRITE: usize = 64 * 1024;

/// Which of the rows are printed, and in which order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// By their keys, or as they come.
    pub(super) sorted: bool,
    pub(super) reverse: bool,
    /// Only so many, from the first.
    pub(super) first: Option<u64>,
    /// Only so many, to the last. Not with `first`.
    pub(super) last: Option<u64>,
}

impl Wanted {
    /// What is left out of so many rows in their order: before, and how many are left in.
    fn part(self, rows: u64) -> (u64, u64) {
        let taken = self.first.or(self.last).map_or(rows, |wanted| wanted.min(rows));
        (if self.last.is_some() { rows - taken } else { 0 }, taken)
    }

    /// The order of two rows: what has no value comes last, in both directions.
    fn order(self, a: &Row, b: &Row) -> Ordering {
        if !self.sorted {
            return Ordering::Equal;
        }
        let absent = |row: &Row| row.key == SortValue::Absent;
        let order = (&a.key, a.position).cmp(&(&b.key, b.position));
        absent(a).cmp(&absent(b)).then(if self.reverse { order.reverse() } else { order })
    }
}

#[derive(Debug)]
struct Row {
    key: SortValue,
    position: Position,
    /// Where its text is.
    start: usize,
    end: usize,
}

/// Rows that were put aside.
struct Run {
    spilled: Spilled,
    rows: u64,
    /// How often they were merged.
    level: u32,
}

/// Rows held until all are known.
pub(super) struct Kept {
    wanted: Wanted,
    rows: Vec<Row>,
    text: Vec<u8>,
    /// Bytes of keys, which are held by the rows themselves.
    keys: usize,
    /// In the order of the rows in them, as they came.
    runs: Vec<Run>,
    most: usize,
}

impl Kept {
    pub(super) const fn new(wanted: Wanted) -> Self {
        Kept::with_runs_of(RUN, wanted)
    }

    const fn with_runs_of(most: usize, wanted: Wanted) -> Self {
        Kept { wanted, rows: Vec::new(), text: Vec::new(), keys: 0, runs: Vec::new(), most }
    }

    /// Takes a row.
    ///
    /// # Errors
    /// Fails when rows cannot be put aside.
    pub(super) fn push(&mut self, position: Position, key: SortValue, text: &[u8]) -> io::Result<()> {
        self.keys += key_weight(&key);
        let start = self.text.len();
        self.text.extend_from_slice(text);
        self.rows.push(Row { key, position, start, end: self.text.len() });
        // Twice as many as wanted, so that each row is moved a few times at most.
        let wanted = self.wanted.first.or(self.wanted.last).unwrap_or(u64::MAX);
        if self.rows.len() as u64 > wanted.saturating_mul(2).max(1024) {
            self.prune();
        }
        if self.text.len() + self.keys + self.rows.len() * size_of::<Row>() > self.most {
            self.put_aside()?;
        }
        Ok(())
    }

    /// Sorts what is held, and drops what will not be printed.
    fn prune(&mut self) {
        // Stable, so rows of one record keep their order.
        self.rows.sort_by(|a, b| self.wanted.order(a, b));
        let (before, taken) = self.wanted.part(self.rows.len() as u64);
        if taken == self.rows.len() as u64 {
            return;
        }
        self.rows.truncate((before + taken) as usize);
        self.rows.drain(..before as usize);
        let mut text = Vec::new();
        for row in &mut self.rows {
            let start = text.len();
            text.extend_from_slice(&self.text[row.start..row.end]);
            (row.start, row.end) = (start, text.len());
        }
        self.text = text;
        self.keys = self.rows.iter().map(|row| key_weight(&row.key)).sum();
    }

    /// Makes a run of what is held.
    fn put_aside(&mut self) -> io::Result<()> {
        self.prune();
        let mut spill = Spill::new()?;
        for row in &self.rows {
            write_row(&mut spill, row, &self.text[row.start..row.end])?;
        }
        let rows = self.rows.len() as u64;
        self.runs.push(Run { spilled: spill.finish()?, rows, level: 0 });
        self.rows.clear();
        self.text.clear();
        self.keys = 0;
        self.drop_early();
        while let Some(from) = self.runs.len().checked_sub(FAN_IN)
            && let Some(level) = self.runs.get(from).map(|run| run.level)
            && self.runs.iter().skip(from).all(|run| run.level == level)
        {
            let run = merge_to_run(self.wanted, self.runs.split_off(from), level + 1)?;
            self.runs.push(run);
        }
        Ok(())
    }

    /// Of rows that are printed as they came, drops runs behind which there are enough.
    fn drop_early(&mut self) {
        let Some(last) = self.wanted.last.filter(|_| !self.wanted.sorted) else { return };
        let mut rows: u64 = self.runs.iter().map(|run| run.rows).sum();
        while let Some(run) = self.runs.first()
            && rows - run.rows >= last
        {
            rows -= run.rows;
            self.runs.remove(0);
        }
    }

    /// Gives the rows out, in stretches, until `write` says stop.
    ///
    /// # Errors
    /// Fails when rows cannot be put aside or read back.
    pub(super) fn finish(mut self, mut write: impl FnMut(&[u8]) -> ControlFlow<()>) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(WRITE);
        let mut give = |text: &[u8]| {
            buffer.extend_from_slice(text);
            if buffer.len() < WRITE {
                return ControlFlow::Continue(());
            }
            let flow = write(&buffer);
            buffer.clear();
            flow
        };
        let flow = if self.runs.is_empty() {
            self.prune();
            self.rows.iter().try_for_each(|row| give(&self.text[row.start..row.end]))
        } else {
            self.put_aside()?;
            // What it was held in must not stand beside what the runs are read with.
            (self.rows, self.text) = Default::default();
            merge(self.wanted, self.runs, |_, text| Ok(give(text)))?
        };
        if flow.is_continue() {
            let _ = write(&buffer);
        }
        Ok(())
    }
}

/// Bytes a key holds beside itself.
fn key_weight(key: &SortValue) -> usize {
    if let SortValue::Text(text) = key { text.len() } else { 0 }
}

/// Merges runs into one.
fn merge_to_run(wanted: Wanted, runs: Vec<Run>, level: u32) -> io::Result<Run> {
    let mut spill = Spill::new()?;
    let mut rows = 0;
    let _ = merge(wanted, runs, |row, text| {
        rows += 1;
        write_row(&mut spill, row, text).map(ControlFlow::Continue)
    })?;
    Ok(Run { spilled: spill.finish()?, rows, level })
}

/// Calls `take` with the wanted rows of all runs, in order.
fn merge(
    wanted: Wanted,
    runs: Vec<Run>,
    mut take: impl FnMut(&Row, &[u8]) -> io::Result<ControlFlow<()>>,
) -> io::Result<ControlFlow<()>> {
    let (mut before, mut taken) = wanted.part(runs.iter().map(|run| run.rows).sum());
    let mut readers = Vec::new();
    let mut heads = BinaryHeap::new();
    for (run, put_aside) in runs.into_iter().enumerate() {
        let mut reader = put_aside.spilled.read()?;
        let mut head = Head { wanted, run, row: Row::nowhere(), text: Vec::new() };
        let mut left = put_aside.rows;
        if read_row(&mut reader, &mut left, &mut head)? {
            heads.push(head);
        }
        readers.push((reader, left));
    }
    while taken > 0
        && let Some(mut head) = heads.pop()
    {
        if before > 0 {
            before -= 1;
        } else {
            taken -= 1;
            if take(&head.row, &head.text)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if let Some((reader, left)) = readers.get_mut(head.run)
            && read_row(reader, left, &mut head)?
        {
            heads.push(head);
        }
    }
    Ok(ControlFlow::Continue(()))
}

impl Row {
    const fn nowhere() -> Self {
        Row { key: SortValue::Absent, position: Position { source: 0, offset: 0 }, start: 0, end: 0 }
    }
}

/// The next row of a run.
struct Head {
    wanted: Wanted,
    run: usize,
    row: Row,
    text: Vec<u8>,
}

impl Ord for Head {
    /// The heap gives out the greatest: that is the row that comes first, and of equals that of the
    /// earlier run.
    fn cmp(&self, other: &Self) -> Ordering {
        self.wanted.order(&self.row, &other.row).then(self.run.cmp(&other.run)).reverse()
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

/// How a row is put aside: the kind of its key, a number or the length of a text, where it is from, the
/// length of its text; then the texts.
fn write_row(spill: &mut Spill, row: &Row, text: &[u8]) -> io::Result<()> {
    let (kind, number, key): (u8, i64, &[u8]) = match &row.key {
        SortValue::Time(time) => (0, time.0, &[]),
        SortValue::Number(number) => (1, *number, &[]),
        SortValue::Text(key) => (2, key.len() as i64, key),
        SortValue::Absent => (3, 0, &[]),
    };
    let mut fixed = [0; FIXED];
    fixed[0] = kind;
    fixed[1..9].copy_from_slice(&number.to_le_bytes());
    fixed[9..13].copy_from_slice(&row.position.source.to_le_bytes());
    fixed[13..21].copy_from_slice(&row.position.offset.to_le_bytes());
    fixed[21..].copy_from_slice(&(text.len() as u64).to_le_bytes());
    spill.write(&fixed)?;
    spill.write(key)?;
    spill.write(text)
}

/// Bytes of a row before its texts.
const FIXED: usize = 29;

/// Reads the next row of a run into `head`; false behind the last.
fn read_row(reader: &mut impl Read, left: &mut u64, head: &mut Head) -> io::Result<bool> {
    if *left == 0 {
        return Ok(false);
    }
    *left -= 1;
    let kind = number::<1>(reader)?[0];
    let value = i64::from_le_bytes(number(reader)?);
    let source = u32::from_le_bytes(number(reader)?);
    let offset = u64::from_le_bytes(number(reader)?);
    let length = u64::from_le_bytes(number(reader)?);
    head.row.position = Position { source, offset };
    head.row.key = match kind {
        0 => SortValue::Time(Timestamp(value)),
        1 => SortValue::Number(value),
        2 => {
            let mut key = Vec::new();
            fill(reader, value as u64, &mut key)?;
            SortValue::Text(key)
        }
        _ => SortValue::Absent,
    };
    fill(reader, length, &mut head.text)?;
    Ok(true)
}

fn number<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn fill(reader: &mut impl Read, length: u64, text: &mut Vec<u8>) -> io::Result<()> {
    text.clear();
    text.resize(length as usize, 0);
    reader.read_exact(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with few keys, so that many are equal, and with two rows of one record.
    fn rows(count: u64) -> Vec<(Position, SortValue, Vec<u8>)> {
        let mut state = 1u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut row = |at: u64| {
            let key = match random(4) {
                0 => SortValue::Time(Timestamp(random(5) as i64)),
                1 => SortValue::Number(random(5) as i64 - 2),
                2 => SortValue::Text(b"abcd"[random(4) as usize..].to_vec()),
                _ => SortValue::Absent,
            };
            let position = Position { source: (at / 500) as u32, offset: at / 2 % 250 };
            (position, key, format!("{at} {}\n", "x".repeat(random(40) as usize)).into_bytes())
        };
        (0..count).map(&mut row).collect()
    }

    fn printed(rows: &[(Position, SortValue, Vec<u8>)], run: usize, wanted: Wanted) -> (String, usize) {
        let mut kept = Kept::with_runs_of(run, wanted);
        for (position, key, text) in rows {
            kept.push(*position, key.clone(), text).expect("a temporary file");
        }
        let (runs, mut all) = (kept.runs.len(), Vec::new());
        let write = |text: &[u8]| {
            all.extend_from_slice(text);
            ControlFlow::Continue(())
        };
        kept.finish(write).expect("a temporary file");
        (String::from_utf8(all).expect("rows are text"), runs)
    }

    #[test]
    fn what_was_put_aside_comes_back_in_the_same_order() {
        let rows = rows(3000);
        let all = Wanted { sorted: true, reverse: false, first: None, last: None };
        let mut cases = Vec::new();
        for (sorted, reverse) in [(true, false), (true, true), (false, false)] {
            for (first, last) in
                [(None, None), (Some(7), None), (None, Some(7)), (Some(2500), None), (None, Some(2500))]
            {
                cases.push(Wanted { sorted, reverse, first, last });
            }
        }
        for wanted in cases {
            let (whole, runs) = printed(&rows, usize::MAX, wanted);
            assert_eq!(runs, 0, "{wanted:?}");
            assert_eq!(whole.lines().count() as u64, wanted.part(3000).1, "{wanted:?}");
            for run in [2000, 30_000, 250_000] {
                assert_eq!(printed(&rows, run, wanted).0, whole, "{wanted:?} in runs of {run} bytes");
            }
        }
        assert!(printed(&rows, 30_000, all).1 > 1, "several runs");
        let (merged, runs) = printed(&rows, 300, all);
        assert!(runs < 3 * FAN_IN, "runs are merged, and merged ones too: {runs}");
        assert_eq!(merged, printed(&rows, usize::MAX, all).0);
    }

    #[test]
    fn the_order_is_that_of_key_and_place_and_what_has_no_key_comes_last() {
        let at = |offset| Position { source: 0, offset };
        let rows = [
            (at(0), SortValue::Absent, b"absent\n".to_vec()),
            (at(1), SortValue::Number(2), b"two\n".to_vec()),
            (at(2), SortValue::Number(1), b"one\n".to_vec()),
            (at(2), SortValue::Number(1), b"one again\n".to_vec()),
            (at(3), SortValue::Number(2), b"two later\n".to_vec()),
        ];
        let order = |reverse| printed(&rows, 1, Wanted { sorted: true, reverse, first: None, last: None }).0;
        assert_eq!(order(false), "one\none again\ntwo\ntwo later\nabsent\n");
        assert_eq!(order(true), "two later\ntwo\none\none again\nabsent\n");
    }

    #[test]
    fn writing_stops_when_nobody_reads_on() {
        let rows = rows(20_000);
        let wanted = Wanted { sorted: true, reverse: false, first: None, last: None };
        for run in [usize::MAX, 100_000] {
            let mut kept = Kept::with_runs_of(run, wanted);
            for (position, key, text) in &rows {
                kept.push(*position, key.clone(), text).expect("a temporary file");
            }
            let mut written = 0;
            let write = |_: &[u8]| {
                written += 1;
                ControlFlow::Break(())
            };
            kept.finish(write).expect("a temporary file");
            assert_eq!(written, 1);
        }
    }
}
