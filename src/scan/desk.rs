//! Gives out work: blocks of files, and streams to read the next chunk of.
//!
//! Work comes in input order where it is free. Sources beyond the first are opened ahead, so that
//! several compressed files are read at once; how far ahead is bounded by what waits for its turn.

use std::sync::Arc;

use super::Ticket;
use super::reel::{Batch, Reel};
use crate::input::feed::{self, Block, Opened, StreamFeed};
use crate::input::source::Source;

/// Work to be given out.
pub(super) struct Desk {
    states: Vec<State>,
    /// First source that may still have work.
    front: usize,
    /// The next chunk the merger waits for.
    pub(super) due: Ticket,
    /// Weight of finished chunks that wait for their turn, by source.
    shelved: Vec<usize>,
    threads: usize,
    /// Buffers of batches that were parsed.
    buffers: Vec<Vec<u8>>,
}

enum State {
    New,
    File { file: Arc<std::fs::File>, length: u64, next: u64 },
    Stream(Reel),
    Done,
}

/// Finished chunks that wait for their turn may weigh this much for each thread before threads pause.
const SHELF_LIMIT: usize = 3 << 20;

/// How many sources are open at once.
const OPEN_SOURCES: usize = 16;

impl Desk {
    pub(super) fn new(sources: usize, threads: usize) -> Self {
        Desk {
            states: (0..sources).map(|_| State::New).collect(),
            front: 0,
            due: Ticket { source: 0, chunk: 0 },
            shelved: vec![0; sources],
            threads,
            buffers: Vec::new(),
        }
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
        let charged = if source == due { due..due + 1 } else { 0..self.shelved.len() };
        self.shelved.get(charged).is_some_and(|waiting| waiting.iter().sum::<usize>() > SHELF_LIMIT * self.threads)
    }

    /// Puts a stream back with what was read of it. If nothing is in stock, that is kept there and
    /// the stream comes back to be read on; else it comes back itself, to be parsed.
    pub(super) fn put_back(&mut self, feed: Box<StreamFeed>, batch: Batch) -> Task {
        let source = batch.ticket.source;
        let stocks = self.threads > 1 && source == self.front && !feed.is_live() && !self.is_full(source);
        let State::Stream(reel) = &mut self.states[source] else { return Task::Parse(batch) };
        if batch.is_last() {
            reel.ended = true;
            if reel.stock.is_none() {
                self.states[source] = State::Done;
            }
            return Task::Parse(batch);
        }
        if reel.stock.is_some() || !stocks {
            reel.feed = Some(feed);
            return Task::Parse(batch);
        }
        reel.stock = Some(batch);
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
        if matches!(self.states[source], State::New) {
            if !allowed(0) {
                return None;
            }
            return self.open(sources, source, size);
        }
        match &mut self.states[source] {
            State::File { next, .. } if !allowed(*next) => None,
            State::File { file, length, next } => {
                let (block, last) = block_of(file, *length, *next, size as u64);
                let ticket = Ticket { source, chunk: *next };
                *next += 1;
                if last {
                    self.states[source] = State::Done;
                }
                Some(Task::Block(ticket, block, last))
            }
            State::Stream(reel) => {
                if let Some(batch) = reel.take_stock(full, allowed) {
                    if reel.ended {
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

    fn open(&mut self, sources: &[Source], source: usize, size: usize) -> Option<Task> {
        let ticket = Ticket { source, chunk: 0 };
        match feed::open(&sources[source]) {
            Ok(Opened::File(_, 0)) => {
                self.states[source] = State::Done;
                Some(Task::Empty(ticket))
            }
            Ok(Opened::File(file, length)) => {
                self.states[source] = State::File { file, length, next: 0 };
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
    Block(Ticket, Block, bool),
    /// A stream to be read into a buffer.
    Stream(Ticket, Box<StreamFeed>, Vec<u8>),
    /// What was read of a stream, to be parsed.
    Parse(Batch),
    /// The source cannot be opened: reason.
    Broken(Ticket, String),
    /// A file without a byte.
    Empty(Ticket),
}

/// A block of a plain file, and whether it is the last.
fn block_of(file: &Arc<std::fs::File>, length: u64, index: u64, size: u64) -> (Block, bool) {
    let size = size.max(1);
    let start = index * size;
    let end = (start + size).min(length);
    (Block { file: Arc::clone(file), start, end, length }, end == length)
}
