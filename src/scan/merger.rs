//! Absorbs what chunks gave, in input order.

mod listen;
mod mail;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

pub(super) use mail::Mailbox;

use super::observer::{ChunkState, Observer, Texts};
use super::sought::{Early, Open, ReadOn, Sought, Wanted};
use super::{Finished, Outcome, Ticket, Unit, observer};
use crate::aggregate::evidence::{Account, Evidence, Part, SourceAccount};
use crate::aggregate::requests::{Journal, Kind, Owner, Requests, Totals, Waiting};
use crate::aggregate::{Amendment, Measured, Question, Slot, SourceInfo};
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
