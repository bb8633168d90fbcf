//! What absorbing a journal brings to light, and what becomes of it.

use bumpalo::Bump;

use super::{LATE, Merger};
use crate::aggregate::requests::{Journal, Kind, Listener, Observed, Owner, Response, Waiting};
use crate::aggregate::{Amendment, Measure, Measured, Position, Question, Slot, SourceInfo};
use crate::scan::{Unit, observer};

impl<Q: Question> Merger<'_, '_, Q> {
    /// Has the requests counted that were settled in a journal, by the thread that observed them.
    pub(super) fn send(&mut self, owner: Owner, journal: &mut Journal) {
        if !Q::COUNTS {
            return;
        }
        let settled = journal.take_settled();
        match self.mail.get(owner.0 as usize) {
            Some(mailbox) => mailbox.settled(settled),
            None => self.question.count(&mut self.late, &settled),
        }
    }

    fn retract(&mut self, owner: Owner, slot: Slot) {
        match self.mail.get(owner.0 as usize) {
            Some(mailbox) => mailbox.repeat(slot),
            None => self.question.retract(&mut self.late, slot),
        }
    }

    pub(super) fn in_order<'l>(&'l self, partial: &'l mut Q::Partial) -> InOrder<'l, Q> {
        let (question, infos, arena) = (self.question, &self.infos, Bump::new());
        InOrder { question, infos, unit: self.unit, partial, arena, repeats: 0 }
    }
}

impl<Q: Question> Listener for Merger<'_, '_, Q> {
    fn amend(&mut self, owner: Owner, slot: Slot, amendment: Amendment) {
        if slot != Slot::NONE {
            self.amendments.entry((owner, slot)).or_default().add(amendment);
        }
    }

    fn repeat(&mut self, owner: Owner, slot: Slot) {
        if slot != Slot::NONE {
            self.retract(owner, slot);
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
        Observed { owner: LATE, slot, own, stages: request.stages() }
    }

    fn count(&mut self, observed: &Observed) {
        self.question.count(&mut self.late, &[Measured { slot: observed.slot, measure: observed.own }]);
    }

    fn void(&mut self, observed: &Observed) {
        if observed.slot != Slot::NONE {
            self.retract(observed.owner, observed.slot);
        }
    }
}

/// Listens for a question answered in order: what is late goes to the chunk at hand.
pub(super) struct InOrder<'l, Q: Question> {
    question: &'l Q,
    infos: &'l [SourceInfo],
    unit: Unit,
    partial: &'l mut Q::Partial,
    arena: Bump,
    pub(super) repeats: u64,
}

impl<Q: Question> Listener for InOrder<'_, Q> {
    fn amend(&mut self, _: Owner, _: Slot, _: Amendment) {}

    fn repeat(&mut self, _: Owner, slot: Slot) {
        if slot != Slot::NONE {
            self.question.retract(self.partial, slot);
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
        Observed { owner: LATE, slot: Slot::NONE, own: Measure::default(), stages: request.stages() }
    }

    /// It was counted where it was observed.
    fn count(&mut self, _: &Observed) {}

    /// Its row has been handed on already; it stands beside the later one.
    fn void(&mut self, _: &Observed) {}
}
