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
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

mod desk;
pub mod live;
mod merger;
mod observer;
mod reel;
mod skim;
mod sought;
mod work;

use crate::aggregate::evidence::{Account, Evidence, SourceAccount};
use crate::aggregate::requests::{Journal, Owner};
use crate::aggregate::{Amendment, Position, Question, Seen, SourceInfo};
use crate::input::decompress::Packing;
use crate::input::section::Section;
use crate::input::seek::{SLACK, Stretch};
use crate::input::source::{Discovery, Source};
use crate::parse::pieces::Joined;
use crate::parse::sieve::Sieve;
use desk::Desk;
use merger::{Mailbox, Merger};
use observer::Passage;
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
