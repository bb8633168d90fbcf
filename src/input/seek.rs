//! Finds where in a plain file a time window lies, without reading the file.
//!
//! An API server writes its log as stages are reached, so event times hardly ever go back. That is
//! not taken for granted: the file is *probed* at regular places, each probe being an event
//! whose line begins between its place and the next. Only where all probes are in order, but for a jitter that is
//! measured and bounded, is anything left out, and then only what lies beyond a probe that is
//! outside the window by more than the slack, with one more stretch between probes kept on either
//! side. What is proved is the order of the probes; that what stands between two of them is in
//! order too, within the slack, is the one thing that is assumed.
//!
//! This module reads and plans. What a question needs besides the window is `scan`'s business.

use std::io;

use bumpalo::Bump;
use memchr::{memchr, memchr_iter};

use super::section::Section;
use crate::event::{Event, Timestamp};
use crate::parse::legacy::{RequestHalf, ResponseHalf};
use crate::parse::pieces::{Piece, Pieced};
use crate::parse::records::{Bucket, Carry, Place, Reason, RegionEnd, Visitor, is_definite_start, read_region};

/// The least distance of two probes unless told otherwise. Files of less than eight such steps
/// are read whole.
pub const STEP: u64 = 1 << 20;

/// About so many probes show whether a file is in order, and where the window is, roughly; there the
/// steps are taken. More would cost: the line that a probe falls into is likely to be a long one.
const ROUGHLY: u64 = 256;

/// A file that has fewer steps than this is not probed, and fewer probes prove nothing.
const FEWEST: u64 = 8;

/// Events are taken to stand no further than this from where their time puts them, as long as the
/// probes say nothing else. An arrival is written once the client is known, and asking who it is may
/// take a webhook ten seconds.
pub const SLACK: i64 = 30_000_000_000;

/// The slack is so many times what the worst probe goes back.
const SLACK_PER_DISORDER: i64 = 8;

/// Probes that go back further than this are no log in order.
const MOST_DISORDER: i64 = 10_000_000_000;

/// What a probe reads first. Most lines are shorter.
const FIRST_READ: usize = 4 * 1024;

/// Where a probe falls into a line that is longer than what it reads first, it tries again so much further on,
/// or a part of the way to where the next probe falls: most bytes are in long lines, but most lines are short.
const STRIDE: u64 = 32 * 1024;

/// That part. With fewer tries a probe may see nothing between lines of a megabyte.
const STRIDES: u64 = 64;

/// Lines longer than this are read by a probe only if nothing else is there.
const LONG: usize = 64 * 1024;

/// Bytes in which line feeds are counted at once.
const COUNTED_AT_ONCE: usize = 256 * 1024;

/// Which times are wanted, and how closely to look for them.
#[derive(Clone, Copy, Debug)]
pub struct Seek {
    /// The least distance of two probes.
    pub step: u64,
    /// Every event from this time on is wanted.
    pub since: Option<Timestamp>,
    /// Every event before this time is wanted.
    pub until: Option<Timestamp>,
}

/// The part of a file that holds a window. It begins at a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// Offset of its first byte.
    pub start: u64,
    /// No event that begins here or behind is inside the window.
    pub stop: u64,
    /// How many places were looked at.
    pub probes: u64,
}

impl Seek {
    /// The part of the file that must be read; none when that is all of it, or nothing is proved.
    pub fn find(&self, file: &Section, length: u64) -> Option<Stretch> {
        let step = self.step.max(1);
        if length / step < FEWEST {
            return None;
        }
        let mut probe = Probe { file, length, buffer: Vec::new(), arena: Bump::new() };
        let rough = step.max(length.div_ceil(ROUGHLY));
        let mut seen = probe.every(rough, 0, length)?;
        let mut probes = length.div_ceil(rough);
        // A place shows no event where a line is longer than a step, or where there are none. If most
        // are like that, the others prove little.
        if (seen.len() as u64) < FEWEST.max(probes / 2) {
            return None;
        }
        let (start, stop) = self.stretch(&seen, length)?;
        if rough > step {
            // Both ends were kept a stretch away from the window; closer probes bring them nearer.
            let reach = 3 * rough;
            for (from, to) in [(start, start + reach), (stop.saturating_sub(reach), stop)] {
                let (from, to) = (from.max(1), to.min(length));
                probes += to.saturating_sub(from).div_ceil(step);
                seen.extend(probe.every(step, from, to)?);
            }
            seen.sort_by_key(|found| found.offset);
            seen.dedup();
        }
        let (start, stop) = self.stretch(&seen, length)?;
        Some(Stretch { start, stop, probes })
    }

    /// Where to begin and where to stop, given what the probes saw.
    fn stretch(&self, seen: &[Found], length: u64) -> Option<(u64, u64)> {
        let disorder = disorder(seen);
        if disorder > MOST_DISORDER {
            return None;
        }
        let slack = SLACK.max(disorder * SLACK_PER_DISORDER);
        let is_early = |found: &&Found| self.since.is_some_and(|since| found.time.saturating_add(slack) < since.0);
        let is_late = |found: &&Found| self.until.is_some_and(|until| found.time.saturating_sub(slack) >= until.0);
        let early = seen.iter().take_while(is_early).count();
        let late = seen.len() - seen.iter().rev().take_while(is_late).count();
        let start = early.checked_sub(2).map_or(0, |at| seen[at].offset);
        let stop = seen.get(late + 1).map_or(length, |found| found.offset);
        (start > 0 || stop < length).then_some((start, stop))
    }
}

/// Counts the line feeds before `end`.
///
/// # Errors
/// Fails when the file cannot be read.
pub fn line_feeds(file: &Section, end: u64) -> io::Result<u64> {
    let mut buffer = vec![0; COUNTED_AT_ONCE];
    let (mut at, mut feeds) = (0, 0);
    while at < end {
        let wanted = (end - at).min(COUNTED_AT_ONCE as u64) as usize;
        let count = file.read_at(&mut buffer[..wanted], at)?;
        if count == 0 {
            break;
        }
        feeds += memchr_iter(b'\n', &buffer[..count]).count() as u64;
        at += count as u64;
    }
    Ok(feeds)
}

/// How far the probes go back, at worst, in nanoseconds.
fn disorder(seen: &[Found]) -> i64 {
    let mut newest = i64::MIN;
    let back = seen.iter().map(|found| {
        newest = newest.max(found.time);
        newest - found.time
    });
    back.max().unwrap_or(0)
}

/// An event that a probe saw: where its record begins, and its time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Found {
    offset: u64,
    time: i64,
}

/// What a probe saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sight {
    Event(Found),
    /// Half of a two-line pair.
    Half,
    /// No event with a time, up to the next probe.
    Nothing,
}

/// Looks at places of a file.
struct Probe<'f> {
    file: &'f Section,
    length: u64,
    buffer: Vec<u8>,
    arena: Bump,
}

impl Probe<'_> {
    /// What is seen at every `step` of a stretch; none if nothing can be proved of the file.
    fn every(&mut self, step: u64, from: u64, to: u64) -> Option<Vec<Found>> {
        let mut seen = Vec::new();
        for at in (from..to).step_by(step as usize) {
            match self.look(at, (at + step).min(to)) {
                Ok(Sight::Event(found)) => seen.push(found),
                Ok(Sight::Nothing) => {}
                // Halves meet at any distance, and a file that cannot be read says so when it is read.
                Ok(Sight::Half) | Err(_) => return None,
            }
        }
        Some(seen)
    }

    /// An event whose line begins in `at..end`: the first whose line is short where a probe falls, or if there
    /// is none, the first of all, however long it is, within reason.
    fn look(&mut self, at: u64, end: u64) -> io::Result<Sight> {
        let (mut place, mut unread) = (at, None);
        let stride = STRIDE.max((end - at) / STRIDES);
        while place < end {
            let (sight, reached) = self.look_for(place, end, LONG)?;
            if sight != Sight::Nothing {
                return Ok(sight);
            }
            // Lines that are no events are read once; only what is too long is passed over.
            if reached == place {
                unread = unread.or(Some(place));
            }
            place = if reached > place { reached } else { place + stride };
        }
        let most = 2 * (end - at) as usize + FIRST_READ;
        match unread.filter(|_| most > LONG) {
            Some(from) => Ok(self.look_for(from, end, most)?.0),
            None => Ok(Sight::Nothing),
        }
    }

    /// The first event whose line begins in `at..end`, if `most` bytes are enough to find it, and how far all
    /// lines are read. If `most` is little, a line must begin in what is read first.
    fn look_for(&mut self, at: u64, end: u64, most: usize) -> io::Result<(Sight, u64)> {
        // The byte before tells whether a line begins at the place itself.
        let base = at.saturating_sub(1);
        self.buffer.clear();
        let mut line = (at == 0).then_some(0);
        let mut wanted = FIRST_READ;
        loop {
            let ended = self.fill(base, wanted)?;
            line = line.or_else(|| memchr(b'\n', &self.buffer).map(|feed| feed + 1));
            while let Some(start) = line.filter(|&start| base + (start as u64) < end)
                && let Some(feed) = memchr(b'\n', &self.buffer[start..])
            {
                let sight = self.read(start, feed + 1, base);
                if sight != Sight::Nothing {
                    return Ok((sight, at));
                }
                line = Some(start + feed + 1);
            }
            let reached = line.map_or(at, |line| base + line as u64);
            let hopeless = line.is_none() && (most <= LONG || base + self.buffer.len() as u64 >= end);
            if ended || reached >= end || wanted >= most || hopeless {
                return Ok((Sight::Nothing, reached));
            }
            wanted *= 4;
        }
    }

    /// Reads on until `wanted` bytes from `base` on are at hand; whether that is the end of the file.
    fn fill(&mut self, base: u64, wanted: usize) -> io::Result<bool> {
        let mut filled = self.buffer.len();
        self.buffer.resize(wanted.min(self.length.saturating_sub(base) as usize), 0);
        while filled < self.buffer.len() {
            match self.file.read_at(&mut self.buffer[filled..], base + filled as u64) {
                Ok(0) => self.buffer.truncate(filled),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled < wanted)
    }

    /// What the line at `line` of the buffer holds, if a record begins there whatever came before.
    fn read(&mut self, line: usize, length: usize, base: u64) -> Sight {
        let bytes = &self.buffer[line..line + length];
        if !is_definite_start(bytes) {
            return Sight::Nothing;
        }
        self.arena.reset();
        let mut first = First { sight: Sight::Nothing, offset: base + line as u64 };
        read_region(bytes, RegionEnd::RecordStart, &mut Carry::default(), &self.arena, &mut first);
        first.sight
    }
}

/// Keeps the first event of a line.
struct First {
    sight: Sight,
    offset: u64,
}

impl<'a> Visitor<'a> for First {
    fn event(&mut self, event: &Event<'a>, record: &'a [u8], _: usize, _: usize) {
        // One that had to be unwrapped cannot be found by its bytes again, and may stand on several lines.
        if !record.as_ptr_range().contains(&event.raw.as_ptr()) {
            self.sight = Sight::Half;
        }
        if let (Sight::Nothing, Some(time)) = (self.sight, event.time()) {
            self.sight = Sight::Event(Found { offset: self.offset, time: time.0 });
        }
    }

    fn piece(&mut self, _: &Piece<'_>, _: usize, _: Place) -> Pieced {
        self.sight = Sight::Half;
        Pieced::Whole
    }

    fn request_half(&mut self, _: RequestHalf<'a>, _: &'a [u8], _: usize, _: usize) {
        self.sight = Sight::Half;
    }

    fn response_half(&mut self, _: ResponseHalf<'a>, _: &'a [u8], _: usize, _: usize) {
        self.sight = Sight::Half;
    }

    fn record(&mut self, _: Bucket, _: usize, _: bool) {}
    fn lost(&mut self, _: u64) {}
    fn damage(&mut self, _: Reason, _: usize, _: Place) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// Probes a kilobyte apart, at these seconds.
    fn seen(times: impl IntoIterator<Item = i64>) -> Vec<Found> {
        times.into_iter().zip(0u64..).map(|(time, at)| Found { offset: at * 1024, time: time * SECOND }).collect()
    }

    fn seek(since: Option<i64>, until: Option<i64>) -> Seek {
        let time = |seconds: i64| Timestamp(seconds * SECOND);
        Seek { step: 1024, since: since.map(time), until: until.map(time) }
    }

    #[test]
    fn one_stretch_more_than_the_slack_is_kept_on_either_side() {
        let log = seen((0..100).map(|at| at * 10));
        // 460 is the last that is more than 30 s before 500; 620 the first 30 s behind 590.
        assert_eq!(seek(Some(500), Some(590)).stretch(&log, 102_400), Some((45 * 1024, 63 * 1024)));
        assert_eq!(seek(Some(500), None).stretch(&log, 102_400), Some((45 * 1024, 102_400)));
        assert_eq!(seek(None, Some(590)).stretch(&log, 102_400), Some((0, 63 * 1024)));
        assert_eq!(seek(Some(5000), None).stretch(&log, 102_400), Some((98 * 1024, 102_400)));
        assert_eq!(seek(Some(-90), Some(-80)).stretch(&log, 102_400), Some((0, 1024)));
        assert_eq!(seek(Some(0), Some(990)).stretch(&log, 102_400), None);
    }

    #[test]
    fn what_goes_back_widens_the_slack_and_too_far_forbids_it() {
        let jitter = |back: i64| seen((0..100).map(move |at| if at == 80 { 790 - back } else { at * 10 }));
        let start = |back| seek(Some(500), Some(590)).stretch(&jitter(back), 102_400).map(|(start, _)| start);
        assert_eq!(start(0), Some(45 * 1024));
        assert_eq!(start(5), Some(44 * 1024), "eight times 5 s");
        assert_eq!(start(11), None);
    }

    #[test]
    fn an_event_is_seen_behind_any_lines() {
        let event = "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"auditID\":\"a\",\
                     \"stageTimestamp\":\"1970-01-01T00:00:07.000000Z\"}\n";
        let (foreign, long) = ("klog says what it says\n".repeat(9000), "x".repeat(90_000) + "\n");
        for before in ["", "\n", "klog\n", &foreign, &long, &(foreign.clone() + &long), &(long.clone() + &foreign)] {
            let text = ["cut\n", before, event, &long].concat();
            let path = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(path.path(), &text).unwrap();
            let (file, length) = (Section::whole(path.reopen().unwrap()), text.len() as u64);
            let mut probe = Probe { file: &file, length, buffer: Vec::new(), arena: Bump::new() };
            let offset = 4 + before.len() as u64;
            let seen = Sight::Event(Found { offset, time: 7 * SECOND });
            assert_eq!(probe.look(1, length).unwrap(), seen, "{}", before.len());
            assert_eq!(probe.look(offset, offset + 1).unwrap(), seen);
            assert_eq!(probe.look(1, offset).unwrap(), Sight::Nothing);
        }
    }
}
