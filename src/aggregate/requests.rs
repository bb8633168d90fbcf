//! Joins stages, and halves of legacy pairs, into requests.
//!
//! A stage that settles its request (ResponseComplete, Panic, or a ResponseStarted that nothing
//! will follow) is observed where it stands. Earlier stages wait. Within a chunk they meet in the
//! chunk's own [`Journal`]; what is left of a journal is absorbed into [`Requests`] in input order.
//! So the answer never depends on where the chunks were cut, and memory follows the requests in
//! flight. A settled request is remembered within a window, so that a repeat of it, or a stage that
//! comes late, is not taken for another request. A stage whose request is not settled for very long
//! is given up: it is shown as unfinished there and then, and forgotten but for its identity.
//!
//! A request is known by its audit id and the time it was received, to the microsecond, with its user,
//! verb and URI. The audit id alone is chosen by clients and proves nothing.

mod far;
mod journal;
mod waiting;
mod window;

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::{Amendment, Measure, Measured, Position, Slot};
use crate::event::{Event, Stage, Text};
use crate::hash;

use journal::{Entry, Noted};
pub use journal::{Journal, Taken};
use waiting::Buffers;
pub use waiting::{Kind, Pending, Response, Stages, Waiting};
use window::{Settled, Window};

/// A request's identity, hashed. Good for one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Identity(u64);

/// Keeps two-line ids apart from those of events.
const TWO_LINE: u64 = 0x0061_7564_6974_7132;

impl Identity {
    /// Of a JSON or one-line event; none without an audit id, which nothing can be joined to.
    /// `scratch` is for resolving escapes, and holds nothing worth keeping.
    #[inline]
    pub fn of(event: &Event<'_>, scratch: &mut Vec<u8>) -> Option<Self> {
        let mut hash = |text: Option<Text<'_>>| text.map_or(0, |text| hash::of_text(text, scratch));
        let id = hash(Some(event.audit_id?));
        // The one-line format has nanoseconds where JSON has microseconds.
        let received = event.request_received.map_or(0, |time| time.0.div_euclid(1000));
        // All stages of a request agree on these. A client that sends one audit id with two requests
        // in the same microsecond must not hide one behind the other.
        let (what, how, who) = (hash(event.request_uri), hash(event.verb), hash(event.user.username));
        Some(Identity([received as u64, what, how, who].into_iter().fold(id, hash::fold)))
    }

    /// Of a two-line half.
    pub fn of_half(id: Text<'_>) -> Self {
        Identity(hash::fold(hash::of_text(id, &mut Vec::new()), TWO_LINE))
    }
}

/// Whether no further stage will follow this one.
///
/// ResponseStarted settles a request that failed authentication (401, or 400 for a malformed timeout,
/// and then without a user) or was refused before it reached a long-running handler: those get no
/// ResponseComplete. Any other watch or exec gets one, refused or not.
pub fn settles(event: &Event<'_>) -> bool {
    match event.stage {
        Stage::ResponseComplete | Stage::Panic => true,
        Stage::ResponseStarted => match event.code() {
            Some(400 | 401) if event.user.username.is_none_or(Text::is_empty) => true,
            Some(code) => code >= 400 && !event.is_long_running(),
            None => false,
        },
        Stage::RequestReceived | Stage::Other(_) => false,
    }
}

/// Whose slot it is: the collecting thread, for questions that collect by thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub struct Owner(pub u16);

/// Is told what absorbing a journal brings to light.
pub trait Listener {
    /// More is known about an observed request.
    fn amend(&mut self, owner: Owner, slot: Slot, amendment: Amendment);
    /// An observed request is a repeat of one before, and does not count.
    fn repeat(&mut self, owner: Owner, slot: Slot);
    /// So many stages were seen before.
    fn repeated_stages(&mut self, count: u64);
    /// A two-line pair has met: observe and count it now, and tell where. `position` is that of the half that
    /// came last.
    fn pair(&mut self, request: &Waiting, response: &Response, position: Position) -> (Owner, Slot);
    /// This request is not settled: the input has ended, or it was given up at `position`. It counts when that is
    /// said.
    fn unfinished(&mut self, request: &Waiting, position: Position) -> Observed;
    /// A request that is not settled counts as it is.
    fn count(&mut self, observed: &Observed);
    /// A request that was given up has been settled after all: what was observed then is void, and does not
    /// count.
    fn void(&mut self, observed: &Observed);
}

/// What was observed of a request, enough to take it back.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// Where.
    pub owner: Owner,
    /// Its handle.
    pub slot: Slot,
    /// Its measure.
    pub own: Measure,
    /// The stages it consists of.
    pub stages: Stages,
}

/// So many entries later a stage that should have been followed by another is given up. It bounds
/// what a log can make us hold that never finishes its requests.
const PATIENCE: usize = 1 << 18;

/// So many of those given up can still be settled; then they are forgotten, and a late end counts as
/// a repeat.
const GIVEN_UP_KEPT: usize = (1 << 16) / 8 * 7;

/// So many entries are looked for at once before they are absorbed.
const AHEAD: usize = 64;

/// All requests of the input, as far as absorbed.
#[derive(Default)]
pub struct Requests {
    waiting: HashMap<u64, Waiting, hash::AsIs>,
    settled: Window,
    /// Of stages that wait no more.
    buffers: Buffers,
    responses: HashMap<u64, Response, hash::AsIs>,
    response_order: VecDeque<u64>,
    /// Entries absorbed so far.
    sequence: u64,
    /// Stages that may be given up, oldest first.
    aging: VecDeque<(u64, Identity)>,
    /// What was given up and may still be settled.
    given_up: HashMap<u64, Observed, hash::AsIs>,
    revived: u64,
    unfinished: u64,
    unpaired: u64,
    extra_responses: u64,
}

/// How many orphan response lines are kept for a request line that comes later (files in the
/// wrong order). Beyond it the oldest is given up and counted.
const RESPONSES_KEPT: usize = 1 << 19;

impl Requests {
    /// Joins the requests of several logs, which may be captures of the same one: what was seen is remembered
    /// for longer.
    pub fn of_several_logs() -> Self {
        Requests { settled: Window::of_several_logs(), ..Requests::default() }
    }

    /// Takes over what the next chunk saw, and leaves nothing in the journal but what was observed of settled
    /// requests: those that are repeats have no slot any more.
    pub fn absorb(&mut self, journal: &mut Journal, owner: Owner, listener: &mut impl Listener) {
        let entries = std::mem::take(&mut journal.entries);
        let (mut settled, mut halves) = (0, 0);
        for batch in entries.chunks(AHEAD) {
            self.settled.look_ahead(batch);
            for &Noted { identity, offset, entry } in batch {
                let position = Position { source: journal.source, offset };
                self.sequence += if let Entry::Passed(count) = entry { u64::from(count) } else { 1 };
                self.give_up(position, listener);
                match entry {
                    Entry::Gone | Entry::Passed(_) => {}
                    Entry::Settled(stages) => {
                        let Measured { slot, measure } = &mut journal.settled[settled];
                        if !self.settle(identity, Settled { owner, slot: *slot, stages }, measure, listener) {
                            *slot = Slot::NONE;
                        }
                        settled += 1;
                    }
                    Entry::Pair => {
                        let Measured { slot, .. } = &mut journal.settled[settled];
                        if !self.settle_pair(identity, Settled::pair(owner, *slot), listener) {
                            *slot = Slot::NONE;
                            self.join_anew(identity, journal, (settled, halves), position, listener);
                        }
                        (settled, halves) = (settled + 1, halves + 1);
                    }
                    Entry::Waiting(index) => {
                        if let Some(stage) = journal.unfinished(index) {
                            self.wait(identity, stage, listener);
                        }
                    }
                    Entry::Response(index) => self.respond(identity, journal.responses[index as usize], listener),
                }
            }
        }
        journal.entries = entries;
        journal.empty(&mut self.buffers);
    }

    /// Gives up what has waited for too many entries. Checked at every entry, so that it depends on
    /// the order of the input alone.
    #[inline]
    fn give_up(&mut self, position: Position, listener: &mut impl Listener) {
        if self.is_one_too_old() {
            self.give_up_old(position, listener);
        }
    }

    #[inline]
    fn is_one_too_old(&self) -> bool {
        self.aging.front().is_some_and(|&(sequence, _)| sequence + (PATIENCE as u64) < self.sequence)
    }

    /// Apart from the question whether there are any, which is asked at every entry.
    #[cold]
    fn give_up_old(&mut self, position: Position, listener: &mut impl Listener) {
        while self.is_one_too_old()
            && let Some((sequence, identity)) = self.aging.pop_front()
        {
            if self.waiting.get(&identity.0).is_none_or(|stage| stage.sequence != sequence || stage.lasting) {
                continue;
            }
            let Some(stage) = self.waiting.remove(&identity.0) else { continue };
            let observed = listener.unfinished(&stage, position);
            self.unfinished += 1;
            self.unpaired += u64::from(stage.kind == Kind::RequestLine);
            let settled = Settled { owner: observed.owner, slot: observed.slot, stages: stage.stages };
            self.settled.insert(identity, settled);
            self.buffers.give(stage);
            if self.given_up.len() >= GIVEN_UP_KEPT {
                self.count_given_up(listener);
            }
            self.given_up.insert(identity.0, observed);
        }
    }

    /// What was given up so far stays so.
    fn count_given_up(&mut self, listener: &mut impl Listener) {
        // In any order: they are added.
        self.given_up.drain().for_each(|(_, observed)| listener.count(&observed));
    }

    /// Settles a request after all if it was given up, and tells whether it was.
    fn revive(&mut self, identity: Identity, mut settled: Settled, listener: &mut impl Listener) -> bool {
        let Some(observed) = self.given_up.remove(&identity.0) else { return false };
        listener.repeated_stages(observed.stages.shared(settled.stages));
        settled.stages = settled.stages.and(observed.stages);
        listener.void(&observed);
        self.revived += 1;
        listener.amend(settled.owner, settled.slot, observed.own.sum);
        self.unfinished -= 1;
        match self.settled.get_mut(identity) {
            Some(known) => *known = settled,
            None => self.settled.insert(identity, settled),
        }
        true
    }

    /// Settles a request, and tells whether it counts: it does unless it is a repeat.
    fn settle(
        &mut self,
        identity: Identity,
        mut settled: Settled,
        own: &Measure,
        listener: &mut impl Listener,
    ) -> bool {
        let earlier = if self.waiting.is_empty() { None } else { self.waiting.remove(&identity.0) };
        let is_given_up = !self.given_up.is_empty() && self.given_up.contains_key(&identity.0);
        if !is_given_up && self.settled.is_far(identity) {
            let before = earlier.map_or(Stages::default(), |stage| stage.stages());
            listener.repeated_stages(settled.stages.and(before).count());
            listener.repeat(settled.owner, settled.slot);
            return false;
        }
        if let Some(stage) = earlier {
            listener.repeated_stages(settled.stages.shared(stage.stages));
            settled.stages = settled.stages.and(stage.stages);
            listener.amend(settled.owner, settled.slot, stage.sum());
            self.buffers.give(stage);
        }
        if is_given_up && self.revive(identity, settled, listener) || self.settled.insert_new(identity, settled) {
            return true;
        }
        let Some(first) = self.settled.get_mut(identity) else { return true };
        listener.repeated_stages(first.stages.shared(settled.stages));
        first.stages = first.stages.and(settled.stages);
        let first = *first;
        listener.repeat(settled.owner, settled.slot);
        // What was read of the request stays with it.
        listener.amend(first.owner, first.slot, own.sum);
        false
    }

    /// Settles a two-line pair that met within its chunk, and tells whether it counts: it does not if it is a repeat,
    /// or its halves belong to others.
    #[inline]
    fn settle_pair(&mut self, identity: Identity, settled: Settled, listener: &mut impl Listener) -> bool {
        let counts = !self.settled.is_far(identity) && self.settle_new(identity, settled);
        if !counts {
            listener.repeat(settled.owner, settled.slot);
        }
        counts
    }

    /// Joins the halves of a pair that met within its chunk and does not count, as if they had not met there. `places`
    /// are its own among those settled in the journal and that of its halves.
    #[cold]
    fn join_anew(
        &mut self,
        identity: Identity,
        journal: &Journal,
        places: (usize, usize),
        position: Position,
        listener: &mut impl Listener,
    ) {
        if self.settled.is_far(identity) {
            return listener.repeated_stages(1);
        }
        let own = &journal.settled[places.0].measure;
        if let Some((request, response)) = journal.part(places.1, own, position) {
            self.wait(identity, request, listener);
            self.respond(identity, response, listener);
        }
    }

    /// Settles a two-line pair that met within its chunk, unless what came before the chunk has a say
    /// in it.
    #[inline]
    fn settle_new(&mut self, identity: Identity, settled: Settled) -> bool {
        let is_known = self.responses.contains_key(&identity.0)
            || self.waiting.contains_key(&identity.0)
            || self.given_up.contains_key(&identity.0);
        !is_known && self.settled.insert_new(identity, settled)
    }

    /// A handler may write its header twice; the first response is the one that was sent.
    fn extra_response(&mut self, settled: Settled, response: Response, listener: &mut impl Listener) {
        self.extra_responses += 1;
        listener.amend(settled.owner, settled.slot, Amendment { bytes: response.bytes, events: 0 });
    }

    fn wait(&mut self, identity: Identity, mut stage: Waiting, listener: &mut impl Listener) {
        if let Some(observed) = self.given_up.get_mut(&identity.0) {
            // It goes where the request will be counted.
            listener.repeated_stages(observed.stages.shared(stage.stages));
            observed.stages = observed.stages.and(stage.stages);
            return observed.own.sum.add(stage.sum());
        }
        if let Some(settled) = self.settled.get_mut(identity) {
            // Its request is settled: a stage that comes late, or one that was there before.
            listener.repeated_stages(settled.stages.shared(stage.stages));
            settled.stages = settled.stages.and(stage.stages);
            let settled = *settled;
            return listener.amend(settled.owner, settled.slot, stage.sum());
        }
        if self.settled.is_far(identity) {
            return listener.repeated_stages(stage.stages.count());
        }
        if stage.kind == Kind::RequestLine
            && let Some(response) = self.responses.remove(&identity.0)
        {
            return self.pair(identity, &stage, &response, stage.position, listener);
        }
        if let Some(earlier) = self.waiting.get_mut(&identity.0) {
            return listener.repeated_stages(earlier.join(stage, &mut self.buffers));
        }
        if !stage.lasting {
            self.aging.push_back((self.sequence, identity));
        }
        stage.sequence = self.sequence;
        self.waiting.insert(identity.0, stage);
    }

    fn pair(
        &mut self,
        identity: Identity,
        request: &Waiting,
        response: &Response,
        position: Position,
        listener: &mut impl Listener,
    ) {
        let (owner, slot) = listener.pair(request, response, position);
        self.settled.insert(identity, Settled { owner, slot, stages: request.stages });
    }

    fn respond(&mut self, identity: Identity, response: Response, listener: &mut impl Listener) {
        if let Some(request) = self.waiting.remove(&identity.0) {
            return self.pair(identity, &request, &response, response.position, listener);
        }
        if let Some(&mut settled) = self.settled.get_mut(identity) {
            return self.extra_response(settled, response, listener);
        }
        if self.settled.is_far(identity) {
            // So was its request line.
            return;
        }
        if let Some(first) = self.responses.get_mut(&identity.0) {
            // Its bytes belong to the request, wherever the request line turns up.
            first.bytes += response.bytes;
            self.extra_responses += 1;
            return;
        }
        self.responses.insert(identity.0, response);
        self.response_order.push_back(identity.0);
        if self.response_order.len() > RESPONSES_KEPT
            && let Some(oldest) = self.response_order.pop_front()
            && self.responses.remove(&oldest).is_some()
        {
            self.unpaired += 1;
        }
    }

    /// The requests that have not ended as far as absorbed, in no order that means anything.
    pub fn open(&self) -> impl Iterator<Item = (Identity, &Waiting)> {
        self.waiting.iter().map(|(identity, stage)| (Identity(*identity), stage))
    }

    /// What was observed of requests that were given up and may still be settled.
    pub fn given_up(&self) -> impl Iterator<Item = &Observed> {
        self.given_up.values()
    }

    /// Whether that request waits for its end.
    pub fn is_open(&self, identity: Identity) -> bool {
        self.waiting.contains_key(&identity.0)
    }

    /// The input has ended: reports every request that was never settled, in input order.
    pub fn finish(mut self, listener: &mut impl Listener) -> Totals {
        let totals = self.totals();
        let mut left: Vec<Waiting> = self.waiting.drain().map(|(_, stage)| stage).collect();
        // Of one record there may be several.
        left.sort_by_key(|stage| (stage.position, stage.sequence));
        for stage in &left {
            let observed = listener.unfinished(stage, stage.position);
            listener.count(&observed);
        }
        self.count_given_up(listener);
        totals
    }

    /// What would be left over if the input ended here.
    pub fn totals(&self) -> Totals {
        let lines = self.waiting.values().filter(|stage| stage.kind == Kind::RequestLine).count() as u64;
        Totals {
            unfinished_requests: self.unfinished + self.waiting.len() as u64,
            unpaired_halves: lines + self.unpaired + self.responses.len() as u64,
            extra_responses: self.extra_responses,
            revived: self.revived,
        }
    }
}

/// What is left over at the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Requests without a settling stage.
    pub unfinished_requests: u64,
    /// Two-line halves without their other half.
    pub unpaired_halves: u64,
    /// Response lines beyond the first of their request.
    pub extra_responses: u64,
    /// Requests that ended after they had been given up.
    pub revived: u64,
}

#[cfg(test)]
mod tests;
