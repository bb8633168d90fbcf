//! Gives out work: blocks of files, and streams to read the next chunk of.
//!
//! Work comes in input order where it is free. Sources beyond the first are opened ahead, so that
//! several compressed files are read at once; how far ahead is bounded by what waits for its turn.
//!
//! Of a file in time order only the part that holds the wanted window is given out, and then the
//! merger says whether to read on.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Ticket;
use super::reel::{Batch, Reel};
use super::skim::Skim;
use super::sought::{ReadOn, Sought};
use crate::input::block::Block;
use crate::input::feed::{self, Opened, StreamFeed};
use crate::input::section::Section;
use crate::input::seek::Stretch;
use crate::input::source::Source;

/// Work to be given out.
pub(super) struct Desk {
    states: Vec<State>,
    /// The time window to look for, if that may be done.
    sought: Option<Sought>,
    /// First source that may still have work.
    front: usize,
    /// The next chunk the merger waits for.
    pub(super) due: Ticket,
    /// Weight of finished chunks that wait for their turn, by source.
    shelved: Vec<usize>,
    /// About what a finished chunk weighs.
    weight: usize,
    threads: usize,
    /// Buffers of batches that were parsed.
    buffers: Vec<Vec<u8>>,
    /// Set when the run is to end early: pipes end then.
    stop: Arc<AtomicBool>,
    /// Whether nothing more is read.
    closed: bool,
}

enum State {
    New,
    File { file: Arc<Section>, length: u64, next: u64, part: Part },
    Stream(Reel),
    Done,
}

/// How much of a file is given out.
struct Part {
    /// Where the first block begins.
    start: u64,
    /// Nothing is given out that begins here or behind, for now.
    stop: u64,
    /// By how many blocks to go on when the merger wants more; half as many again each time.
    more: u64,
    /// What was found out about the file, if it was probed.
    found: Option<Stretch>,
    /// What ends before this offset is only looked through, for these requests.
    before: Option<(u64, Arc<Skim>)>,
    /// The same for what is read on.
    behind: Option<Arc<Skim>>,
}

impl Part {
    /// How many blocks from this one on the same thread should read. At the end all threads should have something.
    fn run(&self, block: &Block, threads: usize, weight: usize) -> u64 {
        if self.before.is_some() {
            return 1;
        }
        let left = self.stop.min(block.length).saturating_sub(block.start) / (block.end - block.start);
        let most = (RUN_WEIGHT / weight.max(1)).clamp(1, RUN);
        (left / (4 * threads.max(1) as u64)).clamp(1, most as u64)
    }

    fn skim_of(&self, block: &Block) -> Option<Arc<Skim>> {
        let before = self.before.as_ref().filter(|(end, _)| block.end <= *end).map(|(_, skim)| skim);
        before.or(self.behind.as_ref()).cloned()
    }
}

/// Blocks that are given out first when reading goes on behind the window.
const READ_ON: u64 = 8;

/// Finished chunks that wait for their turn may weigh this much for each thread before threads pause.
const SHELF_LIMIT: usize = 3 << 20;

/// What is read ahead of later sources may weigh this much for each of the two threads that the source
/// that is due keeps busy by itself, reading and parsing: enough for the end of one source and the
/// beginning of the next.
const AHEAD_LIMIT: usize = 256 << 10;

/// The same for each thread where unpacking is so slow that it alone counts: reading ahead is then
/// the only way to use a second thread.
const SLOW_AHEAD_LIMIT: usize = 12 << 20;

/// Of a file a thread is given so many blocks one behind the other, if it is long: where the last record of one
/// goes on far beyond its end, the next begins behind it, and what is between is not read again.
const RUN: usize = 8;

/// What a thread finds in such a run should weigh no more, since it may all wait for its turn.
const RUN_WEIGHT: usize = 256 << 10;

/// How many sources are open at once.
const OPEN_SOURCES: usize = 16;

impl Desk {
    pub(super) fn new(sources: usize, threads: usize, sought: Option<Sought>, stop: &Arc<AtomicBool>) -> Self {
        Desk {
            states: (0..sources).map(|_| State::New).collect(),
            sought,
            front: 0,
            due: Ticket { source: 0, chunk: 0 },
            shelved: vec![0; sources],
            weight: RUN_WEIGHT,
            threads,
            buffers: Vec::new(),
            stop: Arc::clone(stop),
            closed: false,
        }
    }

    /// From now on nothing more is read; what was read is still given out to be parsed.
    pub(super) const fn close(&mut self) {
        self.closed = true;
    }

    /// Whether nothing more is read.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether nothing is left to give out.
    pub(super) fn is_empty(&mut self) -> bool {
        while matches!(self.states.get(self.front), Some(State::Done)) {
            self.front += 1;
        }
        self.front >= self.states.len()
    }

    /// A finished chunk of that weight waits for its turn.
    pub(super) fn lay(&mut self, ticket: Ticket, weight: usize) {
        self.shelved[ticket.source] += weight;
        self.weight = weight.max(self.weight / 2);
    }

    /// Its turn has come.
    pub(super) fn lift(&mut self, ticket: Ticket, weight: usize) {
        self.shelved[ticket.source] -= weight;
    }

    /// Whether so much waits for its turn that nothing of this source may be added. The source that
    /// is due is not charged with what was read ahead of others: it would be left to one thread
    /// until it ends.
    fn is_full(&self, source: usize) -> bool {
        let due = self.due.source;
        if source == due {
            return self.shelved[due] > SHELF_LIMIT * self.threads;
        }
        let limit = match self.states.get(due) {
            Some(State::Stream(reel)) if reel.packing.is_slow() => SLOW_AHEAD_LIMIT * self.threads,
            _ => AHEAD_LIMIT * self.threads.min(2) + SHELF_LIMIT * self.threads.saturating_sub(2),
        };
        self.shelved.iter().sum::<usize>() > limit
    }

    /// Puts a stream back with what was read of it. While there is room in stock, that is kept there and
    /// the stream comes back to be read on; else it comes back itself, to be parsed.
    pub(super) fn put_back(&mut self, feed: Box<StreamFeed>, batch: Batch) -> Task {
        let source = batch.ticket.source;
        let stocks =
            !self.closed && self.threads > 1 && source == self.front && !feed.is_live() && !self.is_full(source);
        let State::Stream(reel) = &mut self.states[source] else { return Task::Parse(batch) };
        reel.packing = batch.packing;
        if batch.is_last() {
            reel.ended = true;
            if reel.stock.is_empty() {
                self.states[source] = State::Done;
            }
            return Task::Parse(batch);
        }
        if !stocks || !reel.has_room(&batch) {
            reel.feed = Some(feed);
            return Task::Parse(batch);
        }
        reel.stock.push_back(batch);
        Task::Stream(reel.next_ticket(source), feed, self.buffers.pop().unwrap_or_default())
    }

    /// Takes back the buffer of a batch that was parsed.
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        self.buffers.push(buffer);
    }

    /// The next piece of work that is free, in input order.
    pub(super) fn take(&mut self, sources: &[Source], size: usize) -> Option<Task> {
        let end = sources.len().min(self.front + OPEN_SOURCES);
        for source in self.front..end {
            // What is inside one compressed archive is unpacked one behind the other: a second decoder
            // would do the work of the first once more. The first source is never kept waiting.
            if source > self.front && matches!(self.states[source], State::New) && sources[source].is_busy() {
                continue;
            }
            let full = self.is_full(source);
            if let Some(task) = self.take_from(sources, source, size, full) {
                return Some(task);
            }
        }
        None
    }

    /// Work from one source. When the shelf is full, only the chunk the merger waits for is given
    /// out: it must come, or nothing would ever move.
    fn take_from(&mut self, sources: &[Source], source: usize, size: usize, full: bool) -> Option<Task> {
        let due = self.due;
        let allowed = |chunk: u64| !full || due == Ticket { source, chunk };
        if self.closed {
            return self.take_read(source);
        }
        if matches!(self.states[source], State::New) {
            if !allowed(0) {
                return None;
            }
            return self.open(sources, source, size);
        }
        match &mut self.states[source] {
            State::File { next, .. } if !allowed(*next) => None,
            State::File { file, length, next, part } => {
                let block = block_of(file, *length, part.start, *next, size as u64)?;
                if block.start >= part.stop {
                    return None;
                }
                let ticket = Ticket { source, chunk: *next };
                let count = if full { 1 } else { part.run(&block, self.threads, self.weight) };
                *next += count;
                let behind = match block.start + count * (block.end - block.start) {
                    end if end >= *length => Behind::End,
                    end if end >= part.stop => Behind::Pause,
                    _ => Behind::More,
                };
                let found = part.found.filter(|_| ticket.chunk == 0).map(|stretch| (*length, stretch));
                let skim = part.skim_of(&block);
                if behind == Behind::End {
                    self.states[source] = State::Done;
                }
                Some(Task::Block(ticket, Work { block, reached: None, behind, found, skim, more: count - 1 }))
            }
            State::Stream(reel) => {
                if let Some(batch) = reel.take_stock(full, allowed) {
                    if reel.ended && reel.stock.is_empty() {
                        self.states[source] = State::Done;
                    }
                    return Some(Task::Parse(batch));
                }
                let feed = if allowed(reel.next) { reel.feed.take()? } else { return None };
                Some(Task::Stream(reel.next_ticket(source), feed, self.buffers.pop().unwrap_or_default()))
            }
            State::Done | State::New => None,
        }
    }

    /// What was read of a source and not parsed.
    fn take_read(&mut self, source: usize) -> Option<Task> {
        let State::Stream(reel) = &mut self.states[source] else { return None };
        reel.stock.pop_front().map(Task::Parse)
    }

    /// What was wanted of a file has been absorbed: gives out more of it, or leaves the rest.
    pub(super) fn resume(&mut self, source: usize, more: ReadOn, size: usize) {
        match &mut self.states[source] {
            State::File { next, part, .. } if !matches!(more, ReadOn::No) => {
                part.behind = if let ReadOn::Skim(skim) = more { Some(skim) } else { None };
                part.stop = part.start + (*next + part.more) * size.max(1) as u64;
                part.more += part.more / 2;
            }
            state => *state = State::Done,
        }
    }

    fn open(&mut self, sources: &[Source], source: usize, size: usize) -> Option<Task> {
        let ticket = Ticket { source, chunk: 0 };
        match feed::open(&sources[source], &self.stop) {
            Ok(Opened::File(_, 0)) => {
                self.states[source] = State::Done;
                Some(Task::Empty(ticket))
            }
            Ok(Opened::File(file, length)) => {
                let found = self.sought.as_ref().and_then(|sought| sought.seek.find(&file, length));
                let (start, stop) = found.map_or((0, length), |found| (found.start, found.stop));
                let early = self.sought.as_ref().and_then(|sought| sought.before.as_ref());
                let before = early.map(|(starts, skim)| (starts[source], Arc::clone(skim)));
                let part = Part { start, stop, more: READ_ON, found, before, behind: None };
                self.states[source] = State::File { file, length, next: 0, part };
                self.take_from(sources, source, size, false)
            }
            Ok(Opened::Stream(feed)) => {
                self.states[source] = State::Stream(Reel::new(feed));
                self.take_from(sources, source, size, false)
            }
            Err(reason) => {
                self.states[source] = State::Done;
                Some(Task::Broken(ticket, reason))
            }
        }
    }
}

/// A piece of work.
pub(super) enum Task {
    Block(Ticket, Work),
    /// A stream to be read into a buffer.
    Stream(Ticket, Box<StreamFeed>, Vec<u8>),
    /// What was read of a stream, to be parsed.
    Parse(Batch),
    /// The source cannot be opened: reason.
    Broken(Ticket, String),
    /// A file without a byte.
    Empty(Ticket),
}

/// A block to read.
pub(super) struct Work {
    pub(super) block: Block,
    /// How far the records before the block reach, if that is known.
    pub(super) reached: Option<u64>,
    /// What stands behind the last of the blocks.
    behind: Behind,
    /// So many blocks of the same size follow that the same thread is to read.
    more: u64,
    /// With the first block of a file that is not read whole, its length and the part that holds the window.
    pub(super) found: Option<(u64, Stretch)>,
    /// Look through it for these requests only.
    pub(super) skim: Option<Arc<Skim>>,
}

impl Work {
    /// What stands behind the block at hand.
    pub(super) const fn behind(&self) -> Behind {
        if self.more > 0 { Behind::More } else { self.behind }
    }

    /// The block that follows, if it is to be read by the same thread; the records of this one reach that far.
    pub(super) fn next(self, reached: Option<u64>) -> Option<Self> {
        let more = self.more.checked_sub(1)?;
        let size = self.block.end - self.block.start;
        Some(Work { block: self.block.next(size), reached, more, found: None, ..self })
    }
}

/// What stands behind a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Behind {
    /// More blocks.
    More,
    /// More blocks, which are only given out if the merger wants them.
    Pause,
    /// The end of the file.
    End,
}

/// A block of a plain file that is read from `from` on; none behind its end.
fn block_of(file: &Arc<Section>, length: u64, from: u64, index: u64, size: u64) -> Option<Block> {
    let size = size.max(1);
    let start = from + index * size;
    let end = (start + size).min(length);
    (start < length).then(|| Block { file: Arc::clone(file), start, end, length })
}
