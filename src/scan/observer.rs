//! What happens to each record of a chunk: counted, joined, shown to the question.

use bumpalo::Bump;

use super::sought::Early;
use super::{Unit, alone};
use crate::aggregate::evidence::Evidence;
use crate::aggregate::requests::{Identity, Journal, Kind, Pending, Response, Stages, Taken, Waiting, settles};
use crate::aggregate::{Amendment, Measure, Measured, Position, Question, Slot, SourceInfo};
use crate::event::{Event, Format, Stage, Timestamp};
use crate::parse::legacy::{self, Lists, Record, RequestHalf, ResponseHalf};
use crate::parse::object::{self, Object};
use crate::parse::pieces::{Joined, Piece, Pieced, Pieces};
use crate::parse::records::{Bucket, Place, Reason, Visitor};
use crate::parse::sieve::Sieve;

/// What a chunk has given so far.
#[derive(Default)]
pub(super) struct ChunkState {
    pub(super) evidence: Evidence,
    pub(super) journal: Journal,
    /// For resolving escapes.
    scratch: Vec<u8>,
    /// Outlives the chunk: it only makes the next one faster.
    lists: Lists,
    /// Requests that the question kept and that arrived before what is read.
    pub(super) early: Vec<Early>,
    /// Bytes of events that are not as they stand in the region.
    unwrapped: Vec<u8>,
    /// Lines that come in pieces.
    pub(super) pieces: Pieces,
    /// What was observed and is no repeat, to be counted soon.
    counted: Vec<Measured>,
    /// Line feeds before the stretch at hand.
    lines: u64,
}

/// So many requests are counted at once, at least.
const AT_ONCE: usize = 64;

impl ChunkState {
    /// Counts what is no repeat.
    pub(super) fn count<Q: Question>(&mut self, question: &Q, partial: &mut Q::Partial) {
        question.count(partial, &self.counted);
        self.counted.clear();
    }

    /// The region is about to go: copies what still waits in it.
    pub(super) fn keep(&mut self, region: &[u8]) {
        self.journal.keep(region, &self.unwrapped);
        self.unwrapped.clear();
    }

    /// Copies the region for the halves of pairs that met in it.
    pub(super) fn keep_halves(&mut self, region: &[u8]) {
        self.journal.keep_halves(region, &[]);
    }

    /// The account of the stretch that ends `lines` line feeds behind the chunk's beginning.
    pub(super) fn close_evidence(&mut self, lines: u64) -> Evidence {
        let mut evidence = std::mem::take(&mut self.evidence);
        evidence.begin_behind(self.lines);
        evidence.lines = lines - self.lines;
        self.lines = lines;
        evidence
    }

    /// Makes ready for the next chunk, and gives what is left of lines that come in pieces.
    pub(super) fn end(&mut self) -> Vec<Joined> {
        self.lines = 0;
        self.pieces.rest()
    }
}

/// A stretch of a chunk, and behind it the end of a line of which the beginning may stand before the chunk.
pub(super) struct Passage<P> {
    pub(super) evidence: Evidence,
    pub(super) journal: Journal,
    pub(super) partial: Option<P>,
    pub(super) loose: Joined,
    /// Offset of the loose end's last record.
    pub(super) offset: u64,
}

/// Watches a region being read on behalf of a question.
pub(super) struct Observer<'o, 'a, Q: Question> {
    pub(super) question: &'o Q,
    pub(super) partial: &'o mut Q::Partial,
    pub(super) state: &'o mut ChunkState,
    pub(super) passages: &'o mut Vec<Passage<Q::Partial>>,
    pub(super) source: &'o SourceInfo,
    pub(super) index: u32,
    pub(super) region: &'a [u8],
    pub(super) offset: u64,
    pub(super) unit: Unit,
    /// From when on everything is read, if that is not all.
    pub(super) since: Option<Timestamp>,
    pub(super) sieve: Option<&'o Sieve>,
    pub(super) arena: &'a Bump,
    pub(super) texts: Texts<'a>,
}

/// What is remembered of a region's text records while it is at hand.
#[derive(Default)]
pub(super) struct Texts<'a> {
    /// Request lines taken apart that wait for their response, and places that are free again.
    requests: Vec<Record<'a>>,
    free: Vec<u32>,
}

impl<'a> Texts<'a> {
    /// Remembers a request line; the note finds it again.
    #[inline]
    fn keep(&mut self, record: Record<'a>) -> u32 {
        if let Some(note) = self.free.pop() {
            self.requests[note as usize] = record;
            return note;
        }
        self.requests.push(record);
        self.requests.len() as u32 - 1
    }

    #[inline]
    fn take(&mut self, note: u32) -> Option<&Record<'a>> {
        self.free.push(note);
        self.requests.get(note as usize)
    }
}

impl<'a, Q: Question> Observer<'_, 'a, Q> {
    fn position(&self, offset: usize) -> Position {
        Position { source: self.index, offset: self.offset + offset as u64 }
    }

    /// Offset and length of a part of the region, or behind it of what was unwrapped.
    #[inline]
    fn part(&mut self, text: &[u8]) -> (usize, usize) {
        let at = (text.as_ptr() as usize).wrapping_sub(self.region.as_ptr() as usize);
        if at.checked_add(text.len()).is_some_and(|end| end <= self.region.len()) {
            return (at, text.len());
        }
        let at = self.region.len() + self.state.unwrapped.len();
        self.state.unwrapped.extend_from_slice(text);
        (at, text.len())
    }

    /// Ends a passage before a loose end of a line.
    fn cut(&mut self, loose: Joined, offset: usize, lines: u64) {
        let evidence = self.state.close_evidence(lines);
        self.state.keep(self.region);
        self.state.keep_halves(self.region);
        let journal = self.state.journal.hand_on(Journal::default());
        self.state.count(self.question, self.partial);
        let partial = Q::IN_ORDER.then(|| std::mem::replace(self.partial, self.question.empty()));
        let offset = self.offset + offset as u64;
        self.passages.push(Passage { evidence, journal, partial, loose, offset });
    }

    fn observe(&mut self, event: &Event<'a>, record: &[u8], position: Position, sum: Amendment) -> Slot {
        let slot = self.question.observe(self.partial, &alone(event, record, self.source, position, sum));
        if slot != Slot::NONE {
            self.state.early.extend(Early::of(event, self.since));
        }
        slot
    }

    /// Observes what cannot be a repeat.
    fn observe_and_count(&mut self, event: &Event<'a>, record: &[u8], position: Position, sum: Amendment) {
        let slot = self.observe(event, record, position, sum);
        if Q::COUNTS && slot != Slot::NONE {
            self.state.counted.push(Measured { slot, measure: Measure::of(event, sum) });
            if self.state.counted.len() >= AT_ONCE {
                self.state.count(self.question, self.partial);
            }
        }
    }

    /// Observes a two-line pair whose response line has just been read.
    #[inline]
    fn pair(&mut self, request: &Taken, response: &Response) -> Option<(Slot, Measure)> {
        let ChunkState { journal, lists, .. } = &mut *self.state;
        let request = journal.taken(request);
        let answer = Some((response.code, response.time));
        let sum = Amendment { bytes: request.sum().bytes + response.bytes, events: request.sum().events };
        let Some(note) = request.note() else {
            // It stood in an earlier region of this chunk.
            let event = legacy::event_of_pair(request.text(), answer, self.arena)?;
            let seen = alone(&event, request.text(), self.source, response.position, sum);
            return Some((self.question.observe(self.partial, &seen), Measure::of(&event, sum)));
        };
        let record = self.texts.take(note)?;
        let mut event = Event::empty(record.line, Format::TwoLine);
        record.pair(answer, &mut event, Some(lists), self.arena);
        let seen = alone(&event, record.line, self.source, response.position, sum);
        Some((self.question.observe(self.partial, &seen), Measure::of(&event, sum)))
    }

    /// An event that ends its request: observed with what was joined to it.
    fn settle(&mut self, event: &Event<'a>, identity: Identity, record: &[u8], position: Position, own: Amendment) {
        let mut sum = own;
        let mut stages = Stages::of(event.stage.rank());
        let ChunkState { journal, evidence, .. } = &mut *self.state;
        if let Some(earlier) = journal.take(identity) {
            let earlier = journal.taken(&earlier);
            sum.bytes += earlier.sum().bytes;
            sum.events += earlier.sum().events;
            evidence.repeats += stages.shared(earlier.stages());
            stages = stages.and(earlier.stages());
        }
        let slot = match self.unit {
            Unit::Request => self.observe(event, record, position, sum),
            Unit::Event => Slot::NONE,
        };
        self.state.journal.settle(identity, position, slot, stages, Measure::of(event, sum));
    }
}

impl<'a, Q: Question> Visitor<'a> for Observer<'_, 'a, Q> {
    #[inline]
    fn event(&mut self, event: &Event<'a>, record: &'a [u8], offset: usize, bytes: usize) {
        self.state.evidence.event(event);
        let position = self.position(offset);
        let own = Amendment { bytes: bytes as u64, events: 1 };
        if self.unit == Unit::Event {
            self.observe_and_count(event, record, position, own);
        }
        let Some(identity) = Identity::of(event, &mut self.state.scratch) else {
            // Without an audit id nothing can be joined to it: it is a request by itself.
            if self.unit == Unit::Request {
                self.observe_and_count(event, record, position, own);
            }
            return;
        };
        if settles(event) {
            return self.settle(event, identity, record, position, own);
        }
        let pending = Pending {
            kind: Kind::Event,
            rank: event.stage.rank(),
            text: self.part(event.raw),
            note: 0,
            origin: event.origin,
            bytes: own.bytes,
            position,
            lasting: event.is_long_running(),
        };
        self.state.evidence.repeats += self.state.journal.wait(identity, pending);
    }

    #[inline]
    fn request_half(&mut self, half: RequestHalf<'a>, _: &'a [u8], offset: usize, bytes: usize) {
        self.state.evidence.half(true, half.record.time());
        let pending = Pending {
            kind: Kind::RequestLine,
            rank: Stage::RequestReceived.rank(),
            text: self.part(half.record.line),
            note: self.texts.keep(half.record),
            origin: None,
            bytes: bytes as u64,
            position: self.position(offset),
            lasting: false,
        };
        self.state.evidence.repeats += self.state.journal.wait(Identity::of_half(half.id), pending);
    }

    #[inline]
    fn response_half(&mut self, half: ResponseHalf<'a>, _: &'a [u8], offset: usize, bytes: usize) {
        self.state.evidence.half(false, half.time);
        let identity = Identity::of_half(half.id);
        let position = self.position(offset);
        let response = Response { code: half.code, time: half.time, bytes: bytes as u64, position };
        let Some(request) = self.state.journal.take(identity) else {
            return self.state.journal.respond(identity, response);
        };
        let Some((slot, own)) = self.pair(&request, &response) else { return };
        self.state.journal.pair(identity, slot, request, &response, own);
    }

    fn piece(&mut self, piece: &Piece<'_>, offset: usize, place: Place) -> Pieced {
        match self.state.pieces.add(piece) {
            Pieced::Loose(line) => {
                self.cut(line, offset, place.line);
                Pieced::Kept
            }
            other => other,
        }
    }

    #[inline]
    fn record(&mut self, bucket: Bucket, bytes: usize, counted: bool) {
        self.state.evidence.record(bucket, bytes, counted);
    }

    fn lost(&mut self, events: u64) {
        self.state.evidence.lost += events;
    }

    fn loss(&mut self, line: &'a [u8], place: Place) {
        self.state.evidence.losses.observe(line, place);
    }

    fn sieve(&self) -> Option<&Sieve> {
        self.sieve
    }

    #[inline]
    fn passed(&mut self, lines: u32, bytes: usize, last: usize) {
        self.state.evidence.passed(lines.into(), bytes);
        self.state.journal.pass(self.position(last), lines);
    }

    fn damage(&mut self, reason: Reason, _offset: usize, place: Place) {
        self.state.evidence.damaged(reason, place);
    }
}

/// Shows a question a two-line pair whose halves met across chunks, or a request line alone.
/// `position` is where the row belongs.
pub(super) fn observe_pair<Q: Question>(
    question: &Q,
    partial: &mut Q::Partial,
    infos: &[SourceInfo],
    request: &Waiting,
    response: Option<&Response>,
    position: Position,
    arena: &Bump,
) -> (Slot, Measure) {
    let answer = response.map(|response| (response.code, response.time));
    let Some(event) = legacy::event_of_pair(request.text(), answer, arena) else { return Default::default() };
    let bytes = request.sum().bytes + response.map_or(0, |response| response.bytes);
    let source = &infos[request.position().source as usize];
    let sum = Amendment { bytes, events: request.sum().events };
    let seen = alone(&event, request.text(), source, position, sum);
    (question.observe(partial, &seen), Measure::of(&event, sum))
}

/// Shows a question a request that was not settled, by its latest stage.
pub(super) fn observe_waiting<Q: Question>(
    question: &Q,
    partial: &mut Q::Partial,
    infos: &[SourceInfo],
    request: &Waiting,
    position: Position,
    arena: &Bump,
) -> (Slot, Measure) {
    if request.kind() == Kind::RequestLine {
        return observe_pair(question, partial, infos, request, None, position, arena);
    }
    let Some(event) = event_of_waiting(request, arena) else { return Default::default() };
    let source = &infos[request.position().source as usize];
    let seen = alone(&event, request.text(), source, position, request.sum());
    (question.observe(partial, &seen), Measure::of(&event, request.sum()))
}

/// The latest stage of a request that has not ended, read again.
pub(super) fn event_of_waiting<'w>(request: &'w Waiting, arena: &'w Bump) -> Option<Event<'w>> {
    let text = request.text();
    let read = match text.first() {
        Some(b'{') => object::read(text, 0, arena).ok().map(|(object, _)| object),
        _ => match legacy::read(text, arena) {
            Some(Ok(legacy::Line::Event(record))) => {
                let mut event = Event::empty(text, Format::OneLine);
                record.event(&mut event, None, arena);
                Some(Object::Event(event))
            }
            _ => None,
        },
    };
    let Some(Object::Event(mut event) | Object::Reshipped(mut event)) = read else { return None };
    event.origin = request.origin().map(|origin| &*arena.alloc(origin));
    Some(event)
}
