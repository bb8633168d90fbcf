//! Drives a run over logs that are being written.
//!
//! One thread reads what has arrived, parses it and absorbs it at once, so a row is out before it is
//! waited for anything. What is not known when the run starts is which files there will be: each gets
//! its place among the sources when its first bytes come.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hashbrown::HashMap;

use super::merger::{Mailbox, Merger};
use super::observer::{Observer, Texts};
use super::work::Bench;
use super::{Options, Outcome, Progress, Ticket};
use crate::aggregate::requests::Owner;
use crate::aggregate::{Question, SourceInfo};
use crate::input::block::Region;
use crate::input::follow::{Buffers, Chunk, FileName, Follow};
use crate::parse::records::{RegionEnd, read_region};

/// Whoever a live run is for.
pub trait Company<P> {
    /// Is told what happens to a file, for a person.
    fn hear(&mut self, file: &str, note: &str);

    /// Whether the run goes on, as far as they know; asked whenever nothing is new.
    fn goes_on(&mut self) -> bool;

    /// Whether they want to see the answer so far; asked when it may have changed.
    fn wants_answer(&mut self) -> bool;

    /// Is shown the answer so far.
    fn see(&mut self, so_far: Outcome<P>);
}

/// Runs a question over logs as they are written, until the run is stopped, the rows are enough or
/// all pipes have ended.
pub fn scan_live<Q: Question<Partial: Clone>>(
    follow: &mut Follow,
    options: &Options,
    question: &Q,
    progress: &Progress,
    company: &mut dyn Company<Q::Partial>,
    emit: &mut (dyn FnMut(Q::Partial) -> ControlFlow<()> + Send),
) -> Outcome<Q::Partial> {
    let mail = [Mailbox::default()];
    let mut live = Live {
        options,
        question,
        merger: Merger::new(question, &[], options.unit, None, &mail, emit),
        mail: &mail[0],
        bench: Bench::new(question, Owner(0)),
        places: Vec::new(),
        files: HashMap::new(),
    };
    let interrupted = live.run(follow, progress, company);
    let (mut outcome, _) = live.merger.finish(vec![live.bench.partial]);
    outcome.account.interrupted = interrupted;
    for account in &mut outcome.account.sources {
        account.evidence.close(true);
    }
    outcome
}

struct Live<'r, 'e, Q: Question> {
    options: &'r Options,
    question: &'r Q,
    merger: Merger<'r, 'e, Q>,
    mail: &'r Mailbox,
    bench: Bench<Q::Partial>,
    /// The sources.
    places: Vec<Place>,
    /// The place of each file that is being read.
    files: HashMap<(usize, u64), usize>,
}

/// A source: one file after the other of the same name.
struct Place {
    info: SourceInfo,
    /// Bytes of the files before.
    base: u64,
    /// Bytes of all.
    read: u64,
    /// Whether a file is being read.
    taken: bool,
}

impl<Q: Question<Partial: Clone>> Live<'_, '_, Q> {
    /// Reads until there is reason to end, and tells whether much was left unread then.
    fn run(&mut self, follow: &mut Follow, progress: &Progress, company: &mut dyn Company<Q::Partial>) -> bool {
        let mut buffers = Buffers::default();
        let (mut fresh, mut changed) = (0, false);
        while !progress.stop.load(Ordering::Relaxed) {
            let chunk = follow.next(&mut buffers, self.options.chunk);
            let idle = chunk.is_none();
            if let Some(chunk) = chunk {
                let length = chunk.chunk.length;
                progress.bytes.fetch_add(length as u64, Ordering::Relaxed);
                (fresh, changed) = (fresh + length, true);
                if self.take(chunk, &buffers, true).is_break() {
                    return false;
                }
            }
            if changed && company.wants_answer() {
                company.see(self.merger.so_far(&self.bench.partial));
                changed = false;
            }
            if idle {
                for (file, note) in follow.notes() {
                    company.hear(&file, &note);
                    changed = true;
                }
                if follow.has_ended() || !company.goes_on() {
                    break;
                }
                follow.wait(std::mem::take(&mut fresh));
            }
        }
        let behind = follow.is_behind();
        while let Some(chunk) = follow.close(&mut buffers) {
            if self.take(chunk, &buffers, false).is_break() {
                return false;
            }
        }
        behind
    }

    /// Parses and absorbs a chunk. A last line without an end is a fault in a file that was left, and
    /// none in one that is being written.
    fn take(&mut self, chunk: Chunk, buffers: &Buffers, left: bool) -> ControlFlow<()> {
        let source = self.place(&chunk);
        let place = &mut self.places[source];
        let region = chunk.chunk.region(&buffers.chunk);
        let offset = place.base + region.offset;
        place.read = offset + region.bytes.len() as u64;
        let last = region.end == RegionEnd::Source;
        let mut carry = chunk.chunk.carry;
        self.parse(source, Region { offset, ..region }, &mut carry);
        let mut finished = self.bench.clear(self.question, carry, self.merger.spent.take().unwrap_or_default());
        finished.last = false;
        finished.packing = chunk.packing;
        if last {
            finished.evidence.close(!left);
            finished.unreadable = chunk.failure.is_some() && self.places[source].read == 0;
            finished.evidence.failures.extend(chunk.failure);
            self.files.remove(&chunk.file);
            self.places[source].taken = false;
        }
        self.merger.due = Ticket { source, chunk: 0 };
        let flow = self.merger.absorb(finished);
        let spare = self.mail.open(self.question, &mut self.bench.partial);
        self.bench.state.journal.reuse(spare);
        flow
    }

    fn parse(&mut self, source: usize, region: Region<'_>, carry: &mut crate::parse::records::Carry) {
        let bench = &mut self.bench;
        bench.arena.reset();
        let mut observer = Observer {
            question: self.question,
            partial: &mut bench.partial,
            state: &mut bench.state,
            passages: &mut bench.passages,
            source: &self.places[source].info,
            index: source as u32,
            region: region.bytes,
            offset: region.offset,
            unit: self.options.unit,
            since: None,
            sieve: None,
            arena: &bench.arena,
            texts: Texts::default(),
        };
        read_region(region.bytes, region.end, carry, &bench.arena, &mut observer);
        bench.state.keep(region.bytes);
        bench.state.keep_halves(region.bytes);
    }

    /// The source a chunk belongs to. A file takes the place of an earlier one of its name, so that
    /// what is held does not grow with every rotation.
    fn place(&mut self, chunk: &Chunk) -> usize {
        if let Some(&place) = self.files.get(&chunk.file) {
            return place;
        }
        let free = self.places.iter().position(|place| !place.taken && place.info.name == chunk.name.name);
        let source = match free {
            Some(source) => {
                self.merger.restart(source);
                source
            }
            None => self.add_place(&chunk.name),
        };
        let place = &mut self.places[source];
        (place.base, place.taken) = (place.read, true);
        self.files.insert(chunk.file, source);
        source
    }

    fn add_place(&mut self, name: &Arc<FileName>) -> usize {
        let info = SourceInfo { name: name.name.clone(), origin: name.origin.clone(), continues: false };
        self.merger.add_source(info.clone());
        self.places.push(Place { info, base: 0, read: 0, taken: false });
        self.places.len() - 1
    }
}
