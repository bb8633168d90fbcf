//! Gives out work: blocks of files, and streams to read the next chunk of.
//!
//! Work comes in input order where it is free. Sources beyond the first are opened ahead, so that
//! several compressed files are read at once; how far ahead is bounded by what waits for its turn.

use std::sync::Arc;

use super::Ticket;
use crate::input::feed::{self, Block, Opened, StreamFeed};
use crate::input::source::Source;

/// Work to be given out.
pub(super) struct Desk {
    states: Vec<State>,
    /// First source that may still have work.
    front: usize,
    /// The next chunk the merger waits for.
    pub(super) due: Ticket,
    /// Weight of finished chunks that wait for their turn.
    pub(super) shelved: usize,
}

enum State {
    New,
    File {
        file: Arc<std::fs::File>,
        length: u64,
        next: u64,
    },
    /// Taken out while a thread reads from it.
    Stream {
        feed: Option<Box<StreamFeed>>,
        next: u64,
    },
    Done,
}

/// Finished chunks that wait for their turn may weigh this much before threads pause.
const SHELF_LIMIT: usize = 24 << 20;

/// How many sources are open at once.
const OPEN_SOURCES: usize = 16;

impl Desk {
    pub(super) fn new(sources: usize) -> Self {
        let states = (0..sources).map(|_| State::New).collect();
        Desk { states, front: 0, due: Ticket { source: 0, chunk: 0 }, shelved: 0 }
    }

    /// Whether nothing is left to give out.
    pub(super) fn is_empty(&mut self) -> bool {
        while matches!(self.states.get(self.front), Some(State::Done)) {
            self.front += 1;
        }
        self.front >= self.states.len()
    }

    /// Puts a stream back for the next thread, or closes its source.
    pub(super) fn put_back(&mut self, source: usize, feed: Box<StreamFeed>, last: bool) {
        match &mut self.states[source] {
            State::Stream { feed: place, .. } if !last => *place = Some(feed),
            state => *state = State::Done,
        }
    }

    /// The next piece of work that is free, in input order.
    pub(super) fn take(&mut self, sources: &[Source], size: usize) -> Option<Task> {
        let full = self.shelved > SHELF_LIMIT;
        let end = sources.len().min(self.front + OPEN_SOURCES);
        for source in self.front..end {
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
            State::Stream { feed, next } if allowed(*next) => {
                let feed = feed.take()?;
                let ticket = Ticket { source, chunk: *next };
                *next += 1;
                Some(Task::Stream(ticket, feed))
            }
            State::Stream { .. } | State::Done | State::New => None,
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
                self.states[source] = State::Stream { feed: Some(feed), next: 0 };
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
    Stream(Ticket, Box<StreamFeed>),
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
