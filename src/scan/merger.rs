//! Absorbs what chunks gave, in input order.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use super::observer::{ChunkState, Observer, Texts};
use super::sought::{Early, Open, ReadOn, Sought, Wanted};
use super::{Finished, Outcome, Ticket, Unit, lock, observer};
use crate::aggregate::evidence::{Account, Evidence, Part, SourceAccount};
use crate::aggregate::requests::{Journal, Kind, Listener, Observed, Owner, Requests, Response, Totals, Waiting};
use crate::aggregate::{Amendment, Measure, Measured, Position, Question, Slot, SourceInfo};
use crate::input::section::Section;
use crate::input::seek::line_feeds;
use crate::parse::object;
use crate::parse::pieces::{Joined, Pieces};
use crate::parse::records::read_joined;

use bumpalo::Bump;
use hashbrown::HashMap;

/// Absorbs chunks in input order.
pub(super) struct Merger<'r, 'e, Q: Question> {
    question: &'r Q,
    infos: Vec<SourceInfo>,
    unit: Unit,
    emit: &'e mut (dyn FnMut(Q::Partial) -> ControlFlow<()> + Send),
    pub(super) due: Ticket,
    requests: Requests,
    /// Lines of which the end has not come, by source.
    pieces: BTreeMap<usize, Pieces>,
    accounts: Vec<SourceAccount>,
    /// Requests that only became known here.
    late: Q::Partial,
    /// For reading what became known here.
    arena: Bump,
    /// What became known about requests that threads observed.
    amendments: HashMap<(Owner, Slot), Amendment>,
    mail: &'r [Mailbox],
    repeats: u64,
    sought: Option<&'r Sought>,
    /// The file at hand, if its beginning was not read.
    file: Option<Arc<Section>>,
    /// Requests in the answer that arrived before what is read.
    early: Vec<Early>,
    /// The journal absorbed last, empty now: to be written again.
    pub(super) spent: Option<Journal>,
    /// The requests whose ends are looked for behind the window; none as long as that is not known.
    wanted: Option<Wanted>,
    /// Bytes absorbed.
    read: u64,
    /// Whether the answer is complete before the input is: nothing is absorbed any more.
    pub(super) stopped: bool,
}

/// What the merger tells a thread about requests it observed: they were repeats, or they count. The thread reads it
/// after every chunk, so it never grows long.
#[derive(Default)]
pub(super) struct Mailbox(Mutex<Mail>);

#[derive(Default)]
struct Mail {
    repeats: Vec<(Slot, Measure)>,
    settled: Vec<Vec<Measured>>,
}

impl Mailbox {
    /// Counts what counts, and gives one of the lists it stood in, to be written again.
    pub(super) fn open<Q: Question>(&self, question: &Q, partial: &mut Q::Partial) -> Vec<Measured> {
        let Mail { repeats, mut settled } = std::mem::take(&mut *lock(&self.0));
        for (slot, repeat) in &repeats {
            question.retract(partial, *slot, repeat);
        }
        for requests in &settled {
            question.count(partial, requests);
        }
        let mut spare = settled.pop().unwrap_or_default();
        spare.clear();
        spare
    }
}

/// The owner of what the merger itself observed.
const LATE: Owner = Owner(u16::MAX);

impl<'r, 'e, Q: Question> Merger<'r, 'e, Q> {
    pub(super) fn new(
        question: &'r Q,
        infos: &'r [SourceInfo],
        unit: Unit,
        sought: Option<&'r Sought>,
        mail: &'r [Mailbox],
        emit: &'e mut (dyn FnMut(Q::Partial) -> ControlFlow<()> + Send),
    ) -> Self {
        let is_several = infos.iter().skip(1).any(|info| !info.continues);
        let accounts =
            infos.iter().map(|i| SourceAccount { name: i.name.clone(), ..SourceAccount::default() }).collect();
        Merger {
            question,
            infos: infos.to_vec(),
            unit,
            mail,
            emit,
            due: Ticket { source: 0, chunk: 0 },
            requests: if is_several { Requests::of_several_logs() } else { Requests::default() },
            pieces: BTreeMap::new(),
            accounts,
            late: question.empty(),
            arena: Bump::new(),
            amendments: HashMap::new(),
            repeats: 0,
            sought,
            file: None,
            early: Vec::new(),
            spent: None,
            wanted: None,
            read: 0,
            stopped: false,
        }
    }

    pub(super) fn absorb(&mut self, finished: Finished<Q::Partial>) -> ControlFlow<()> {
        let source = self.due.source;
        let mut flow = ControlFlow::Continue(());
        for passage in finished.passages {
            if flow.is_continue() {
                flow = self.absorb_stretch(passage.evidence, passage.journal, passage.partial, finished.owner);
            }
            if flow.is_continue() {
                flow = self.absorb_line(passage.loose, passage.offset);
            }
        }
        if flow.is_continue() {
            flow = self.absorb_stretch(finished.evidence, finished.journal, finished.partial, finished.owner);
        }
        for line in finished.open {
            if flow.is_continue() {
                flow = self.absorb_line(line, 0);
            }
        }
        let account = &mut self.accounts[source];
        account.compression = finished.packing.name();
        account.unreadable |= finished.unreadable;
        if let Some((length, found)) = finished.found {
            account.part = Some(Part { length, start: found.start, probes: found.probes });
            self.file = finished.file;
        }
        self.early.extend(finished.early);
        if finished.last {
            self.leave_source();
        } else {
            self.due.chunk += 1;
        }
        let again = self.sought.is_some_and(|sought| sought.is_too_much(self.read)) && self.must_read_again();
        self.stopped |= flow.is_break() || again;
        if again { ControlFlow::Break(()) } else { flow }
    }

    /// Absorbs a stretch of the source at hand.
    fn absorb_stretch(
        &mut self,
        evidence: Evidence,
        mut journal: Journal,
        partial: Option<Q::Partial>,
        owner: Owner,
    ) -> ControlFlow<()> {
        let source = self.due.source;
        self.read += evidence.bytes();
        self.accounts[source].evidence.append(evidence);
        let mut requests = std::mem::take(&mut self.requests);
        let flow = match partial {
            Some(mut partial) => {
                let mut listener = self.in_order(&mut partial);
                requests.absorb(&mut journal, owner, &mut listener);
                let repeats = listener.repeats;
                self.repeats += repeats;
                self.question.count(&mut partial, &journal.take_settled());
                (self.emit)(partial)
            }
            None => {
                requests.absorb(&mut journal, owner, self);
                self.send(owner, &mut journal);
                ControlFlow::Continue(())
            }
        };
        journal.clear_settled();
        self.spent = Some(journal);
        self.requests = requests;
        self.accounts[source].evidence.repeats += std::mem::take(&mut self.repeats);
        flow
    }

    /// Has the requests counted that were settled in a journal, by the thread that observed them.
    fn send(&mut self, owner: Owner, journal: &mut Journal) {
        if !Q::COUNTS {
            return;
        }
        let settled = journal.take_settled();
        match self.mail.get(owner.0 as usize) {
            Some(mailbox) => lock(&mailbox.0).settled.push(settled),
            None => self.question.count(&mut self.late, &settled),
        }
    }

    /// Joins what is known of a line to what stands before it, and reads it when it is whole. `offset` is
    /// that of the record that ends it.
    fn absorb_line(&mut self, line: Joined, offset: u64) -> ControlFlow<()> {
        let source = self.due.source;
        let Some(line) = self.pieces.entry(source).or_default().join(line) else { return ControlFlow::Continue(()) };
        self.read_line(&line, offset)
    }

    /// Reads a line that was put together.
    fn read_line(&mut self, line: &Joined, offset: u64) -> ControlFlow<()> {
        let source = self.due.source;
        let (arena, mut state, mut passages) = (Bump::new(), ChunkState::default(), Vec::new());
        let mut partial = self.question.empty();
        let mut observer = Observer {
            question: self.question,
            partial: if Q::IN_ORDER { &mut partial } else { &mut self.late },
            state: &mut state,
            passages: &mut passages,
            source: &self.infos[source],
            index: source as u32,
            region: &line.text,
            offset,
            unit: self.unit,
            since: self.sought.and_then(|sought| sought.seek.since),
            sieve: None,
            arena: &arena,
            texts: Texts::default(),
        };
        read_joined(&line.text, line.bytes, line.origin.get(), &arena, &mut observer);
        state.count(self.question, if Q::IN_ORDER { &mut partial } else { &mut self.late });
        state.keep(&line.text);
        state.keep_halves(&line.text);
        let journal = state.journal.hand_on(Journal::default());
        self.early.append(&mut state.early);
        self.absorb_stretch(state.close_evidence(0), journal, Q::IN_ORDER.then_some(partial), LATE)
    }

    /// Absorbs what was finished behind a chunk that never came, because the run was told to end.
    pub(super) fn absorb_rest(&mut self, shelf: BTreeMap<Ticket, Finished<Q::Partial>>) {
        for (ticket, finished) in shelf {
            self.due = ticket;
            let _ = self.absorb(finished);
        }
    }

    /// A further source, for a run whose inputs are not known when it starts.
    pub(super) fn add_source(&mut self, info: SourceInfo) {
        self.accounts.push(SourceAccount { name: info.name.clone(), ..SourceAccount::default() });
        self.infos.push(info);
    }

    /// What is absorbed next of a source is another file of that name: its lines count from one.
    pub(super) fn restart(&mut self, source: usize) {
        self.accounts[source].evidence.lines = 0;
    }

    /// The answer as it would be if the input ended here; `partial` is what the only thread observed.
    pub(super) fn so_far(&self, partial: &Q::Partial) -> Outcome<Q::Partial>
    where
        Q::Partial: Clone,
    {
        let (mut whole, mut late) = (partial.clone(), self.late.clone());
        self.amendments.iter().for_each(|((owner, slot), amendment)| {
            self.question.amend(if *owner == LATE { &mut late } else { &mut whole }, *slot, *amendment);
        });
        let mut open: Vec<&Waiting> = self.requests.open().map(|(_, request)| request).collect();
        open.sort_by_key(|request| (request.position(), request.sequence()));
        for request in open.into_iter().filter(|r| self.unit == Unit::Request || r.kind() == Kind::RequestLine) {
            let (infos, arena) = (&self.infos, Bump::new());
            let (slot, measure) =
                observer::observe_waiting(self.question, &mut late, infos, request, request.position(), &arena);
            self.question.count(&mut late, &[Measured { slot, measure }]);
        }
        for observed in self.requests.given_up() {
            self.question.count(&mut late, &[Measured { slot: observed.slot, measure: observed.own }]);
        }
        self.question.merge(&mut late, whole);
        Outcome { partial: late, account: self.account(self.accounts.clone(), self.requests.totals()) }
    }

    fn account(&self, sources: Vec<SourceAccount>, totals: Totals) -> Account {
        Account {
            sources,
            unfinished_requests: totals.unfinished_requests,
            unpaired_halves: totals.unpaired_halves,
            extra_responses: totals.extra_responses,
            twice_in_rows: if Q::IN_ORDER { totals.revived } else { 0 },
            stopped: self.stopped,
            interrupted: false,
        }
    }

    fn in_order<'l>(&'l self, partial: &'l mut Q::Partial) -> InOrder<'l, Q> {
        let (question, infos, arena) = (self.question, &self.infos, Bump::new());
        InOrder { question, infos, unit: self.unit, partial, arena, repeats: 0 }
    }

    /// Goes on to the next source. Places of damage are told by line, so if there is any, the lines
    /// before what was read are counted after all.
    fn leave_source(&mut self) {
        self.leave_lines();
        let account = &mut self.accounts[self.due.source];
        let told = !account.evidence.damage.is_empty() || !account.evidence.failures.is_empty();
        if let (Some(file), Some(part), true) = (self.file.take(), account.part, told) {
            account.evidence.shift_lines(line_feeds(&file, part.start).unwrap_or_default());
        }
        self.due = Ticket { source: self.due.source + 1, chunk: 0 };
    }

    /// Lines of the source at hand that have not ended go on in the next file of its log, or never end.
    fn leave_lines(&mut self) {
        let source = self.due.source;
        let Some(mut pieces) = self.pieces.remove(&source) else { return };
        if self.infos.get(source + 1).is_some_and(|next| next.continues) {
            self.pieces.insert(source + 1, pieces);
            return;
        }
        self.end_lines(pieces.rest());
    }

    /// Of the lines of the source at hand that have not ended, one is whole if only its line feed is missing.
    fn end_lines(&mut self, lines: Vec<Joined>) {
        let source = self.due.source;
        for line in lines {
            let text = line.text.trim_ascii();
            if object::read(text, 0, &Bump::new()).is_ok_and(|(_, end)| end == text.len()) {
                let offset = self.accounts[source].evidence.bytes();
                let _ = self.read_line(&line, offset);
            } else {
                self.accounts[source].evidence.unfinished(&line.text, line.bytes);
            }
        }
    }

    /// Whether the source at hand is read on behind the window, because the end of a request in it
    /// may stand there; if not, the next source is due. None if all must be read again anyway.
    pub(super) fn read_on(&mut self) -> Option<ReadOn> {
        let last = self.due.source + 1 >= self.accounts.len();
        let mut open = self.open(last);
        self.early.append(&mut open.early);
        if last && self.sought.is_some_and(|sought| !sought.is_second()) && self.must_read_again() {
            self.stopped = true;
            return None;
        }
        let (more, wanted) = open.read_on(last);
        self.wanted = wanted;
        if matches!(more, ReadOn::No) {
            self.leave_source();
        }
        Some(more)
    }

    /// Whether all ends that are looked for behind the window have been found.
    pub(super) fn has_found_all(&mut self) -> bool {
        self.wanted.as_mut().is_some_and(|wanted| wanted.have_ended(&self.requests))
    }

    /// Whether earlier stages of requests in the answer may have been left out.
    fn must_read_again(&self) -> bool {
        let left_out = |account: &SourceAccount| account.part.is_some_and(|part| part.start > 0);
        !self.early.is_empty() && self.accounts.iter().any(left_out)
    }

    /// The requests of the window that have not ended, which only matters where requests are shown.
    fn open(&self, last: bool) -> Open {
        let newest = self.accounts.get(self.due.source).and_then(|account| account.evidence.last);
        let since = self.sought.filter(|_| !Q::IN_ORDER).and_then(|sought| sought.seek.since);
        match self.question.filter() {
            Some(filter) if self.unit == Unit::Request => {
                let may_match = |identity| self.wanted.as_ref().is_none_or(|wanted| wanted.holds(identity));
                let waiting = self.requests.open().filter(|(identity, _)| may_match(*identity));
                Open::of(waiting, filter, since, newest.filter(|_| last))
            }
            _ => Open::default(),
        }
    }

    pub(super) fn finish(mut self, partials: Vec<Q::Partial>) -> (Outcome<Q::Partial>, Vec<Early>) {
        for (source, mut pieces) in std::mem::take(&mut self.pieces) {
            self.due.source = source;
            self.end_lines(pieces.rest());
        }
        let mut early = std::mem::take(&mut self.early);
        if self.sought.is_some() && !self.stopped {
            early.append(&mut self.open(false).early);
        }
        let requests = std::mem::take(&mut self.requests);
        let totals = if self.stopped {
            Default::default()
        } else if Q::IN_ORDER {
            let mut partial = self.question.empty();
            let mut listener = self.in_order(&mut partial);
            let totals = requests.finish(&mut listener);
            let _ = (self.emit)(partial);
            totals
        } else {
            requests.finish(&mut self)
        };
        let sources = std::mem::take(&mut self.accounts);
        let account = self.account(sources, totals);
        (Outcome { partial: self.collect(partials), account }, early)
    }

    fn retract(&mut self, owner: Owner, slot: Slot, repeat: &Measure) {
        match self.mail.get(owner.0 as usize) {
            Some(mailbox) => lock(&mailbox.0).repeats.push((slot, *repeat)),
            None => self.question.retract(&mut self.late, slot, repeat),
        }
    }

    /// Applies what became known late, and joins the threads' partials.
    fn collect(mut self, mut partials: Vec<Q::Partial>) -> Q::Partial {
        // In any order: they are added.
        std::mem::take(&mut self.amendments).into_iter().for_each(|((owner, slot), amendment)| {
            let partial = if owner == LATE { Some(&mut self.late) } else { partials.get_mut(owner.0 as usize) };
            if let Some(partial) = partial {
                self.question.amend(partial, slot, amendment);
            }
        });
        for (mailbox, partial) in self.mail.iter().zip(&mut partials) {
            mailbox.open(self.question, partial);
        }
        let mut whole = self.late;
        for partial in partials {
            self.question.merge(&mut whole, partial);
        }
        whole
    }
}

impl<Q: Question> Listener for Merger<'_, '_, Q> {
    fn amend(&mut self, owner: Owner, slot: Slot, amendment: Amendment) {
        if slot != Slot::NONE {
            let sum = self.amendments.entry((owner, slot)).or_default();
            sum.bytes += amendment.bytes;
            sum.events += amendment.events;
        }
    }

    fn repeat(&mut self, owner: Owner, slot: Slot, repeat: &Measure) {
        if slot != Slot::NONE {
            self.retract(owner, slot, repeat);
        }
    }

    fn repeated_stages(&mut self, count: u64) {
        self.repeats += count;
    }

    fn pair(&mut self, request: &Waiting, response: &Response, position: Position) -> (Owner, Slot) {
        self.arena.reset();
        let (question, late, infos) = (self.question, &mut self.late, &self.infos);
        let (slot, measure) =
            observer::observe_pair(question, late, infos, request, Some(response), position, &self.arena);
        question.count(late, &[Measured { slot, measure }]);
        (LATE, slot)
    }

    fn unfinished(&mut self, request: &Waiting, position: Position) -> Observed {
        let (slot, own) = if self.unit == Unit::Request || request.kind() == Kind::RequestLine {
            self.arena.reset();
            let (question, late, infos) = (self.question, &mut self.late, &self.infos);
            observer::observe_waiting(question, late, infos, request, position, &self.arena)
        } else {
            Default::default()
        };
        Observed { owner: LATE, slot, own }
    }

    fn count(&mut self, observed: &Observed) {
        self.question.count(&mut self.late, &[Measured { slot: observed.slot, measure: observed.own }]);
    }

    fn void(&mut self, observed: &Observed) {
        if observed.slot != Slot::NONE {
            self.retract(observed.owner, observed.slot, &observed.own);
        }
    }
}

/// Listens for a question answered in order: what is late goes to the chunk at hand.
struct InOrder<'l, Q: Question> {
    question: &'l Q,
    infos: &'l [SourceInfo],
    unit: Unit,
    partial: &'l mut Q::Partial,
    arena: Bump,
    repeats: u64,
}

impl<Q: Question> Listener for InOrder<'_, Q> {
    fn amend(&mut self, _: Owner, _: Slot, _: Amendment) {}

    fn repeat(&mut self, _: Owner, slot: Slot, repeat: &Measure) {
        if slot != Slot::NONE {
            self.question.retract(self.partial, slot, repeat);
        }
    }

    fn repeated_stages(&mut self, count: u64) {
        self.repeats += count;
    }

    fn pair(&mut self, request: &Waiting, response: &Response, position: Position) -> (Owner, Slot) {
        self.arena.reset();
        let (question, partial, infos) = (self.question, &mut *self.partial, self.infos);
        let (slot, measure) =
            observer::observe_pair(question, partial, infos, request, Some(response), position, &self.arena);
        question.count(partial, &[Measured { slot, measure }]);
        // Nothing is amended in rows that are handed on.
        (LATE, Slot::NONE)
    }

    fn unfinished(&mut self, request: &Waiting, position: Position) -> Observed {
        if self.unit == Unit::Request || request.kind() == Kind::RequestLine {
            self.arena.reset();
            let (question, partial, infos) = (self.question, &mut *self.partial, self.infos);
            let (slot, measure) = observer::observe_waiting(question, partial, infos, request, position, &self.arena);
            question.count(partial, &[Measured { slot, measure }]);
        }
        Observed { owner: LATE, slot: Slot::NONE, own: Measure::default() }
    }

    /// It was counted where it was observed.
    fn count(&mut self, _: &Observed) {}

    /// Its row has been handed on already; it stands beside the later one.
    fn void(&mut self, _: &Observed) {}
}
