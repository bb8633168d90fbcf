//! What each thread does: takes the next piece of work, reads and parses it, lays down what it gave, and absorbs what
//! is due.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bumpalo::Bump;

use super::desk::{Behind, Task, Work};
use super::observer::{ChunkState, Observer, Passage, Texts};
use super::reel::Batch;
use super::skim::Piece;
use super::{Finished, Pause, Run, Ticket, lock};
use crate::aggregate::requests::{Journal, Owner};
use crate::aggregate::{Position, Question};
use crate::input::block::Region;
use crate::input::feed::StreamFeed;
use crate::input::source::Source;
use crate::parse::records::{Carry, RegionEnd, read_region};
use crate::parse::sieve::Sieve;

impl<Q: Question> Run<'_, '_, Q> {
    /// Starts the threads and returns their partials.
    pub(super) fn work(&self, threads: usize) -> Vec<Q::Partial> {
        if threads == 1 {
            return vec![self.worker(Owner(0))];
        }
        let mut partials: Vec<Option<Q::Partial>> = (0..threads).map(|_| None).collect();
        rayon::scope(|scope| {
            for (index, slot) in partials.iter_mut().enumerate() {
                scope.spawn(move |_| *slot = Some(self.worker(Owner(index as u16))));
            }
        });
        partials.into_iter().flatten().collect()
    }

    fn worker(&self, owner: Owner) -> Q::Partial {
        let mut bench = Bench::new(self.question, owner);
        let mut next = None;
        while let Some(task) = next.take().or_else(|| self.next_task()) {
            next = self.run_task(task, &mut bench);
            let spare = self.mail[owner.0 as usize].open(self.question, &mut bench.partial);
            bench.state.journal.reuse(spare);
        }
        bench.partial
    }

    /// The next piece of work, in input order where that is free; none when all is done.
    fn next_task(&self) -> Option<Task> {
        let mut desk = lock(&self.desk);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if desk.is_empty() {
                return None;
            }
            if self.progress.stop.load(Ordering::Relaxed) && !desk.is_closed() {
                desk.close();
                self.wake.notify_all();
            }
            if let Some(task) = desk.take(self.sources, self.options.chunk) {
                return Some(task);
            }
            if desk.is_closed() {
                return None;
            }
            desk = self.wake.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the run was told to end before all was read. Of a pipe that is never known.
    pub(super) fn is_interrupted(&self, sources: &[Source]) -> bool {
        let pipe = || sources.iter().any(|source| !source.is_rereadable());
        lock(&self.desk).is_closed() || (self.progress.stop.load(Ordering::Relaxed) && pipe())
    }

    /// Does a piece of work and tells what the same thread shall do next, if that is certain.
    fn run_task(&self, task: Task, bench: &mut Bench<Q::Partial>) -> Option<Task> {
        match task {
            Task::Block(ticket, work) => {
                let (mut finished, reached) = self.run_block(ticket, &work, bench);
                finished.last = work.behind() == Behind::End;
                finished.pause = match work.behind() {
                    Behind::Pause => Pause::Always,
                    // What other threads have read further on counts for nothing then, and of rows that can be said.
                    Behind::More if Q::IN_ORDER && work.skim.is_some() => Pause::IfAllWasFound,
                    _ => Pause::Never,
                };
                finished.file = work.found.map(|_| Arc::clone(&work.block.file));
                finished.found = work.found;
                self.shelve(ticket, finished);
                let next = work.next(reached).filter(|_| self.is_wanted(ticket));
                return next.map(|work| Task::Block(Ticket { chunk: ticket.chunk + 1, ..ticket }, work));
            }
            Task::Stream(ticket, feed, buffer) => return self.read_stream(ticket, feed, buffer),
            Task::Parse(batch) => self.run_batch(batch, bench),
            Task::Empty(ticket) => self.shelve(ticket, Finished::nothing(bench.owner)),
            Task::Broken(ticket, reason) => {
                let mut finished = Finished::nothing(bench.owner);
                finished.evidence.failures.push(reason);
                finished.unreadable = true;
                self.shelve(ticket, finished);
            }
        }
        None
    }

    /// Whether anything behind that chunk of its source is still wanted.
    fn is_wanted(&self, ticket: Ticket) -> bool {
        !self.stop.load(Ordering::Relaxed) && lock(&self.desk).due.source <= ticket.source
    }

    /// What a block gives, and how far its records reach.
    fn run_block(
        &self,
        ticket: Ticket,
        work: &Work,
        bench: &mut Bench<Q::Partial>,
    ) -> (Finished<Q::Partial>, Option<u64>) {
        let (block, skim) = (&work.block, work.skim.as_deref());
        let mut buffer = std::mem::take(&mut bench.buffer);
        let mut carry = Carry::default();
        let sieve = self.sieve.as_ref().filter(|_| self.options.sift.is_some_and(|least| block.length >= least));
        // Where the only region is in the buffer. With several, the buffer does not keep the first.
        let (mut only, mut several) = (None, false);
        let result = block.read_behind(work.reached, &mut buffer, |region| {
            let pieces = skim.filter(|_| region.end != RegionEnd::More).and_then(|skim| skim.pieces(region.bytes));
            if let Some(pieces) = pieces {
                return self.parse_pieces(ticket, region, &pieces, &mut carry, bench);
            }
            several |= region.end == RegionEnd::More;
            let (start, bytes) = ((region.offset - block.base(work.reached)) as usize, region.bytes);
            let used = self.parse(ticket, region, sieve, &mut carry, bench);
            if several {
                bench.state.keep_halves(bytes);
            } else {
                only = Some(start..start + bytes.len());
            }
            used
        });
        if let Some(region) = only {
            bench.state.journal.adopt(&mut buffer, region);
        }
        bench.buffer = if buffer.is_empty() { lock(&self.spare).buffers.pop().unwrap_or_default() } else { buffer };
        self.progress.bytes.fetch_add(block.end - block.start, Ordering::Relaxed);
        let mut finished = bench.clear(self.question, carry, self.journal());
        let reached = result.unwrap_or_else(|error| {
            finished.evidence.failures.push(crate::input::source::plain_reason(&error));
            None
        });
        (finished, reached)
    }

    /// Reads a batch of a stream and puts the stream back, so that another thread may read on.
    fn read_stream(&self, ticket: Ticket, mut feed: Box<StreamFeed>, buffer: Vec<u8>) -> Option<Task> {
        let batch = Batch::read(ticket, &mut feed, buffer, self.options.chunk);
        let next = lock(&self.desk).put_back(feed, batch);
        self.wake.notify_all();
        if self.stop.load(Ordering::Relaxed) { None } else { Some(next) }
    }

    /// Parses a batch of a stream.
    fn run_batch(&self, batch: Batch, bench: &mut Bench<Q::Partial>) {
        let (ticket, last) = (batch.ticket, batch.is_last());
        let mut carry = Carry::default();
        if let Some(chunk) = batch.chunk {
            carry = chunk.carry;
            self.progress.bytes.fetch_add(chunk.length as u64, Ordering::Relaxed);
            let region = chunk.region(&batch.buffer);
            self.parse(ticket, region, None, &mut carry, bench);
            bench.state.keep_halves(region.bytes);
        }
        lock(&self.desk).recycle(batch.buffer);
        let mut finished = bench.clear(self.question, carry, self.journal());
        finished.unreadable = batch.failure.is_some() && ticket.chunk == 0 && finished.evidence.bytes() == 0;
        finished.evidence.failures.extend(batch.failure.filter(|_| last));
        finished.packing = batch.packing;
        finished.last = last;
        self.shelve(ticket, finished);
    }

    /// Parses the lines of a region that matter, and notes that there were others.
    fn parse_pieces(
        &self,
        ticket: Ticket,
        region: Region<'_>,
        pieces: &[Piece],
        carry: &mut Carry,
        bench: &mut Bench<Q::Partial>,
    ) -> usize {
        for piece in pieces {
            if piece.passed > 0 {
                let position = Position { source: ticket.source as u32, offset: region.offset + piece.last as u64 };
                bench.state.journal.pass(position, piece.passed);
            }
            carry.lines += piece.feeds;
            if let Some(line) = &piece.line {
                let bytes = &region.bytes[line.clone()];
                let offset = region.offset + line.start as u64;
                self.parse(ticket, Region { bytes, end: RegionEnd::RecordStart, offset }, None, carry, bench);
                bench.state.keep_halves(bytes);
            }
        }
        region.bytes.len()
    }

    /// Parses a region. For the halves of pairs that met in it the caller must keep it.
    fn parse(
        &self,
        ticket: Ticket,
        region: Region<'_>,
        sieve: Option<&Sieve>,
        carry: &mut Carry,
        bench: &mut Bench<Q::Partial>,
    ) -> usize {
        bench.arena.reset();
        let mut observer = Observer {
            question: self.question,
            partial: &mut bench.partial,
            state: &mut bench.state,
            passages: &mut bench.passages,
            source: &self.infos[ticket.source],
            index: ticket.source as u32,
            region: region.bytes,
            offset: region.offset,
            unit: self.options.unit,
            since: self.sought.and_then(|sought| sought.seek.since),
            sieve,
            arena: &bench.arena,
            texts: Texts::default(),
        };
        let used = read_region(region.bytes, region.end, carry, &bench.arena, &mut observer);
        bench.state.keep(region.bytes);
        used
    }

    /// Lays a chunk's result down and absorbs whatever is next in order, unless another thread is
    /// already doing that.
    fn shelve(&self, ticket: Ticket, finished: Finished<Q::Partial>) {
        lock(&self.desk).lay(ticket, finished.weight);
        lock(&self.shelf).insert(ticket, finished);
        // The shelf is looked at again after the merger is let go: another thread may have laid
        // down the next chunk in between and found the merger busy.
        while let Ok(mut merger) = self.merger.try_lock() {
            if merger.stopped {
                // Another thread's chunk completed the answer while this one was being read.
                return;
            }
            while let Some(finished) = self.take_due(merger.due) {
                let (source, pause, regions) = (merger.due.source, finished.pause, finished.journal.regions());
                if merger.absorb(finished).is_break() {
                    return self.stop();
                }
                self.reuse(regions, merger.spent.take());
                if pause == Pause::Always || (pause == Pause::IfAllWasFound && merger.has_found_all()) {
                    let Some(more) = merger.read_on() else { return self.stop() };
                    lock(&self.desk).resume(source, more, self.options.chunk);
                }
                lock(&self.desk).due = merger.due;
                self.wake.notify_all();
            }
            drop(merger);
            if !self.has_due() {
                return;
            }
        }
    }

    /// A journal that was absorbed may be written again, and the buffer it held be read into: a new one would
    /// have to be cleared.
    fn reuse(&self, regions: Arc<Vec<u8>>, journal: Option<Journal>) {
        let mut spare = lock(&self.spare);
        if let Some(buffer) = Arc::into_inner(regions).filter(|buffer| !buffer.is_empty())
            && spare.buffers.len() < self.options.threads
        {
            spare.buffers.push(buffer);
        }
        if spare.journals.len() < self.options.threads {
            spare.journals.extend(journal);
        }
    }

    /// An empty journal.
    fn journal(&self) -> Journal {
        lock(&self.spare).journals.pop().unwrap_or_default()
    }

    /// Nothing more is wanted. Said under the lock that idle threads wait with, so that none misses it.
    fn stop(&self) {
        let _desk = lock(&self.desk);
        self.stop.store(true, Ordering::Relaxed);
        self.wake.notify_all();
    }

    fn take_due(&self, due: Ticket) -> Option<Finished<Q::Partial>> {
        let finished = lock(&self.shelf).remove(&due)?;
        lock(&self.desk).lift(due, finished.weight);
        Some(finished)
    }

    fn has_due(&self) -> bool {
        let due = lock(&self.desk).due;
        lock(&self.shelf).contains_key(&due)
    }
}

/// What a thread keeps from chunk to chunk.
pub(super) struct Bench<P> {
    buffer: Vec<u8>,
    pub(super) arena: Bump,
    pub(super) partial: P,
    pub(super) state: ChunkState,
    pub(super) passages: Vec<Passage<P>>,
    owner: Owner,
}

impl<P> Bench<P> {
    pub(super) fn new<Q: Question<Partial = P>>(question: &Q, owner: Owner) -> Self {
        let (partial, state) = (question.empty(), ChunkState::default());
        Bench { buffer: Vec::new(), arena: Bump::new(), passages: Vec::new(), partial, state, owner }
    }

    /// Takes what a chunk gave off the bench, and puts an empty journal there.
    pub(super) fn clear<Q: Question<Partial = P>>(
        &mut self,
        question: &Q,
        carry: Carry,
        empty: Journal,
    ) -> Finished<P> {
        let evidence = self.state.close_evidence(carry.lines);
        let (passages, open) = (std::mem::take(&mut self.passages), self.state.end());
        let early = std::mem::take(&mut self.state.early);
        let journal = self.state.journal.hand_on(empty);
        self.state.count(question, &mut self.partial);
        let partial = Q::IN_ORDER.then(|| std::mem::replace(&mut self.partial, question.empty()));
        let weight = journal.weight() + partial.as_ref().map_or(0, |partial| question.weight(partial));
        let loose = open.iter().chain(passages.iter().map(|passage| &passage.loose));
        let weight = weight + loose.map(|line| line.text.len()).sum::<usize>();
        Finished { passages, evidence, journal, partial, open, weight, early, ..Finished::nothing(self.owner) }
    }
}
