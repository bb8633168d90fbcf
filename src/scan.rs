//! Drives a run: hands chunks to threads, joins what they saw in input order, collects the answer.
//!
//! Every thread takes the next piece of work, reads and parses it, lets the question observe what it
//! finds, and then lays the chunk's evidence and journal on the shelf. Whoever finds the next chunk
//! in order on the shelf absorbs it; nobody waits for a turn. Nothing but the order of the input
//! decides the answer. Only this module knows about threads.
//!
//! Where a time window is wanted, only the parts of files are read that hold it ([`seek`](crate::input::seek)), and what
//! else the requests in it need: their ends, and for what is counted of them their beginnings.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bumpalo::Bump;

mod desk;
pub mod live;
mod merger;
mod observer;
mod reel;
mod skim;
mod sought;

use crate::aggregate::evidence::{Account, Evidence, SourceAccount};
use crate::aggregate::requests::{Journal, Owner};
use crate::aggregate::{Amendment, Position, Question, Seen, SourceInfo};
use crate::input::decompress::Packing;
use crate::input::feed::{Region, StreamFeed};
use crate::input::section::Section;
use crate::input::seek::{SLACK, Stretch};
use crate::input::source::{Discovery, Source};
use crate::parse::pieces::Joined;
use crate::parse::records::{Carry, RegionEnd, read_region};
use crate::parse::sieve::Sieve;
use desk::{Behind, Desk, Task, Work};
use merger::{Mailbox, Merger};
use observer::{ChunkState, Observer, Passage, Texts};
use reel::Batch;
use skim::Piece;
use sought::{Early, Sought};

/// What one row of the answer stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A request: all its stages.
    Request,
    /// A single event.
    Event,
}

/// How a run is driven. None of it changes the answer, but for `unit`.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that read and parse; fewer than 65,535.
    pub threads: usize,
    /// Bytes per chunk.
    pub chunk: usize,
    /// What one row stands for.
    pub unit: Unit,
    /// Look for the time window that the question is about by steps of at least so many bytes, and
    /// leave out what lies outside it. None reads everything.
    pub seek: Option<u64>,
    /// In plain files of at least so many bytes, pass over the lines whose bytes show that they cannot
    /// be in the answer. None reads every line.
    pub sift: Option<u64>,
}

/// Files of this size are worth passing over lines that cannot be in the answer. In smaller ones nothing
/// is gained that would be felt, and every line is proved.
pub const SIFT: u64 = 64 << 20;

/// Bytes per chunk unless told otherwise: large enough that a chunk's overhead vanishes, small
/// enough that it stays in the second-level cache.
pub const CHUNK: usize = 512 * 1024;

/// What a run gives back.
pub struct Outcome<P> {
    /// The merged partial; empty for questions answered in order.
    pub partial: P,
    /// Where every byte went.
    pub account: Account,
}

/// Progress of a run, read by whoever shows it, and the way to end it.
#[derive(Default)]
pub struct Progress {
    /// Bytes taken from sources so far, before decompression where that is known.
    pub bytes: AtomicU64,
    /// Set by whoever wants the run to end early, with the answer so far.
    pub stop: Arc<AtomicBool>,
}

/// Runs a question over the inputs. `emit` receives the partials of a question answered in order,
/// chunk by chunk, and may break off.
pub fn scan<Q: Question>(
    inputs: &Discovery,
    options: &Options,
    question: &Q,
    progress: &Progress,
    emit: &mut (dyn FnMut(Q::Partial) -> ControlFlow<()> + Send),
) -> Outcome<Q::Partial> {
    let sought = sought::sought(inputs, options, question);
    let (outcome, early) = scan_part(inputs, options, question, progress, emit, sought.as_ref());
    let sought = sought.filter(|_| !outcome.account.interrupted);
    // What was read shows that the file is not in order after all. (Rows that are printed cannot be taken back;
    // a note says it.)
    if sought.is_some() && !Q::IN_ORDER && outcome.account.sources.iter().any(|source| source.out_of_order) {
        return scan_part(inputs, options, question, progress, emit, None).0;
    }
    match sought.and_then(|sought| sought.further_back(early, &outcome.account)) {
        Some(sought) => scan_part(inputs, options, question, progress, emit, Some(&sought)).0,
        None => outcome,
    }
}

/// Scans what is sought of the inputs; also gives the requests in the answer of which earlier stages
/// may be missing, where that matters.
fn scan_part<Q: Question>(
    inputs: &Discovery,
    options: &Options,
    question: &Q,
    progress: &Progress,
    emit: &mut (dyn FnMut(Q::Partial) -> ControlFlow<()> + Send),
    sought: Option<&Sought>,
) -> (Outcome<Q::Partial>, Vec<Early>) {
    let before = std::iter::once(None).chain(inputs.sources.iter().map(Some));
    let info = |(source, before): (&Source, Option<&Source>)| SourceInfo {
        name: source.name.clone(),
        origin: source.origin.clone(),
        continues: before.is_some_and(|before| source.continues(before)),
    };
    let infos: Vec<SourceInfo> = inputs.sources.iter().zip(before).map(info).collect();
    let mail: Vec<Mailbox> = (0..options.threads.max(1)).map(|_| Mailbox::default()).collect();
    let run = Run {
        mail: &mail,
        sources: &inputs.sources,
        infos: &infos,
        options,
        question,
        progress,
        sought: sought.filter(|_| sought::counts_requests::<Q>(options)),
        // What is counted, rather than shown, is told with an account of all events.
        sieve: question.filter().filter(|_| Q::IN_ORDER).and_then(|filter| Sieve::new(&filter.users()?)),
        desk: Mutex::new(Desk::new(inputs.sources.len(), options.threads, sought.cloned(), &progress.stop)),
        wake: Condvar::new(),
        shelf: Mutex::new(BTreeMap::new()),
        spare: Mutex::new(Spare::default()),
        merger: Mutex::new(Merger::new(question, &infos, options.unit, sought, &mail, emit)),
        stop: AtomicBool::new(false),
    };
    let partials = match rayon::ThreadPoolBuilder::new().num_threads(options.threads.max(1)).build() {
        Ok(pool) if options.threads > 1 => pool.install(|| run.work(options.threads)),
        // One thread, or a system that gives no more: the caller's own does the work.
        _ => run.work(1),
    };
    let interrupted = run.is_interrupted(&inputs.sources);
    let mut merger = run.merger.into_inner().unwrap_or_else(PoisonError::into_inner);
    if interrupted && !Q::IN_ORDER {
        // What threads have observed is in the answer already, so it must be in the account.
        merger.absorb_rest(run.shelf.into_inner().unwrap_or_else(PoisonError::into_inner));
    }
    let (mut outcome, early) = merger.finish(partials);
    outcome.account.interrupted = interrupted;
    for (name, reason) in &inputs.unreadable {
        outcome.account.sources.push(unreadable(name, reason));
    }
    for (source, account) in inputs.sources.iter().zip(&mut outcome.account.sources) {
        account.out_of_order = account.goes_back(SLACK);
        account.evidence.close(source.live && account.compression.is_none());
    }
    (outcome, early)
}

fn unreadable(name: &str, reason: &str) -> SourceAccount {
    let evidence = Evidence { failures: vec![reason.to_owned()], ..Evidence::default() };
    SourceAccount { name: name.to_owned(), evidence, unreadable: true, ..SourceAccount::default() }
}

struct Run<'r, 'e, Q: Question> {
    sources: &'r [Source],
    infos: &'r [SourceInfo],
    options: &'r Options,
    question: &'r Q,
    /// What is sought, where requests that arrived before it matter.
    sought: Option<&'r Sought>,
    /// What lines must hold to matter.
    sieve: Option<Sieve>,
    progress: &'r Progress,
    desk: Mutex<Desk>,
    wake: Condvar,
    shelf: Mutex<BTreeMap<Ticket, Finished<Q::Partial>>>,
    /// What was used for chunks that are absorbed.
    spare: Mutex<Spare>,
    merger: Mutex<Merger<'r, 'e, Q>>,
    mail: &'r [Mailbox],
    stop: AtomicBool,
}

/// What may be used again: to take it from memory anew costs more than to fill it.
#[derive(Default)]
struct Spare {
    /// Buffers that journals held.
    buffers: Vec<Vec<u8>>,
    /// Empty ones.
    journals: Vec<Journal>,
}

/// A chunk's place in the input.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Ticket {
    source: usize,
    chunk: u64,
}

/// Whether the merger must say if the source is read on, once it has absorbed a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pause {
    Never,
    /// If every request has ended that is looked for.
    IfAllWasFound,
    Always,
}

/// What a chunk gave.
struct Finished<P> {
    /// Stretches that end with a line of which the beginning may stand before the chunk.
    passages: Vec<Passage<P>>,
    /// Of what is behind them, like the next two.
    evidence: Evidence,
    journal: Journal,
    partial: Option<P>,
    /// Lines of which the end stands behind the chunk.
    open: Vec<Joined>,
    owner: Owner,
    last: bool,
    packing: Packing,
    unreadable: bool,
    weight: usize,
    pause: Pause,
    /// With the first chunk of a file that is not read whole, its length and the part read.
    found: Option<(u64, Stretch)>,
    /// That file.
    file: Option<Arc<Section>>,
    /// Requests that were kept and arrived before what is read.
    early: Vec<Early>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<Q: Question> Run<'_, '_, Q> {
    /// Starts the threads and returns their partials.
    fn work(&self, threads: usize) -> Vec<Q::Partial> {
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
    fn is_interrupted(&self, sources: &[Source]) -> bool {
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
struct Bench<P> {
    buffer: Vec<u8>,
    arena: Bump,
    partial: P,
    state: ChunkState,
    passages: Vec<Passage<P>>,
    owner: Owner,
}

impl<P> Bench<P> {
    fn new<Q: Question<Partial = P>>(question: &Q, owner: Owner) -> Self {
        let (partial, state) = (question.empty(), ChunkState::default());
        Bench { buffer: Vec::new(), arena: Bump::new(), passages: Vec::new(), partial, state, owner }
    }

    /// Takes what a chunk gave off the bench, and puts an empty journal there.
    fn clear<Q: Question<Partial = P>>(&mut self, question: &Q, carry: Carry, empty: Journal) -> Finished<P> {
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

impl<P> Finished<P> {
    fn nothing(owner: Owner) -> Self {
        Finished {
            passages: Vec::new(),
            evidence: Evidence::default(),
            journal: Journal::default(),
            partial: None,
            open: Vec::new(),
            owner,
            last: true,
            packing: Packing::Plain,
            unreadable: false,
            weight: 0,
            pause: Pause::Never,
            found: None,
            file: None,
            early: Vec::new(),
        }
    }
}

/// What a question sees of an event with nothing joined to it.
fn alone<'e, 'a>(
    event: &'e crate::event::Event<'a>,
    record: &'e [u8],
    source: &'e SourceInfo,
    position: Position,
    sum: Amendment,
) -> Seen<'e, 'a> {
    Seen { event, record, source, position, bytes: sum.bytes, events: sum.events }
}
