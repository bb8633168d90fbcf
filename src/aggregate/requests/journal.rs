//! What one chunk saw of requests, in order, joined as far as the chunk goes.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use super::{Identity, PATIENCE};
use crate::aggregate::{Amendment, Measure, Measured, Position, Slot};
use crate::event::{Origin, OwnedOrigin, Stage, Timestamp};
use crate::hash;

/// How an unsettled stage can be read again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The bytes of one event: JSON, or a one-line record.
    Event,
    /// The request line of a two-line pair.
    RequestLine,
}

/// Which stages of a request were seen, one bit each. Counting repeats by what two sets share gives
/// the same count however the stages were grouped on their way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stages(u8);

impl Stages {
    /// The stage of that [rank](crate::event::Stage::rank).
    pub const fn of(rank: u8) -> Self {
        Stages(1 << (rank & 7))
    }

    /// These and those.
    pub const fn and(self, other: Stages) -> Self {
        Stages(self.0 | other.0)
    }

    /// How many they are.
    pub const fn count(self) -> u64 {
        self.0.count_ones() as u64
    }

    /// How many stages are in both.
    pub const fn shared(self, other: Stages) -> u64 {
        (self.0 & other.0).count_ones() as u64
    }
}

/// A stage that waits for its request to be settled.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub(super) kind: Kind,
    rank: u8,
    pub(super) stages: Stages,
    bytes: u64,
    events: u64,
    pub(super) position: Position,
    text: Held,
    origin: Option<Box<OwnedOrigin>>,
    /// Whether the request may well last: it is never given up.
    pub(super) lasting: bool,
    /// Whether it waits no more: its place in the journal is free.
    gone: bool,
    /// Index of its entry in the journal.
    order: usize,
    /// Its place in the order of all events: of the chunk, then, once absorbed, of the input.
    pub(super) sequence: u64,
}

/// Where a waiting stage's bytes are: still in the region being read, or kept. Those of a pair that met
/// within its chunk stay in a region all the while: the journal keeps that.
#[derive(Clone, Debug)]
enum Held {
    Region { at: usize, length: usize, note: u32 },
    Kept(Vec<u8>),
}

impl Default for Held {
    fn default() -> Self {
        Held::Kept(Vec::new())
    }
}

/// Buffers of stages that wait no more, for those that begin to: they go from thread to thread, and what one
/// thread has allocated another frees slowly.
#[derive(Debug, Default)]
pub(super) struct Buffers(Vec<Vec<u8>>);

impl Buffers {
    /// So many are kept, and none that is larger.
    const KEPT: usize = 64;
    const LARGE: usize = 4096;

    /// A copy of these bytes.
    fn copy(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = self.0.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// Takes the buffer of a stage that waits no more.
    pub(super) fn give(&mut self, stage: Waiting) {
        if let Held::Kept(buffer) = stage.text
            && self.0.len() < Self::KEPT
            && (1..=Self::LARGE).contains(&buffer.capacity())
        {
            self.0.push(buffer);
        }
    }
}

impl Waiting {
    /// The latest stage's bytes, once kept.
    pub fn text(&self) -> &[u8] {
        match &self.text {
            Held::Kept(text) => text,
            Held::Region { .. } => &[],
        }
    }

    /// [`Pending::note`] of the latest stage, while its region is still at hand.
    pub const fn note(&self) -> Option<u32> {
        match self.text {
            Held::Kept(_) => None,
            Held::Region { note, .. } => Some(note),
        }
    }

    /// Copies its bytes out of the region, or of what is held behind it.
    pub(super) fn keep(&mut self, region: &[u8], behind: &[u8], buffers: &mut Buffers) {
        if let Held::Region { at, length, .. } = self.text {
            let (bytes, at) = at.checked_sub(region.len()).map_or((region, at), |at| (behind, at));
            self.text = Held::Kept(buffers.copy(bytes.get(at..at + length).unwrap_or_default()));
        }
    }

    /// The stages joined so far.
    pub const fn stages(&self) -> Stages {
        self.stages
    }

    /// Where its line came from, as far as its prefix or envelope told.
    pub fn origin(&self) -> Option<Origin<'_>> {
        self.origin.as_deref().map(OwnedOrigin::get)
    }

    /// Whether the request may well last: it is never given up.
    pub const fn lasting(&self) -> bool {
        self.lasting
    }

    /// How to read it.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Where its record begins.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Its place in the order of all events.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Bytes and number of the stages joined so far.
    pub const fn sum(&self) -> Amendment {
        Amendment { bytes: self.bytes, events: self.events }
    }
}

/// A response line that found no request line before it.
#[derive(Clone, Copy, Debug)]
pub struct Response {
    /// Status code.
    pub code: Option<i32>,
    /// When the response headers were sent.
    pub time: Option<Timestamp>,
    /// Bytes of the line.
    pub bytes: u64,
    /// Where it begins.
    pub position: Position,
}

/// A two-line pair that met within its chunk: what its measure and entry do not tell of the halves.
#[derive(Debug)]
pub(super) struct Halves {
    /// The request line.
    text: Held,
    /// Offset at which its record begins.
    begins: u64,
    /// Bytes of the response line; the others are the request's.
    bytes: u64,
    /// Time of the response line.
    time: Option<Timestamp>,
}

/// One entry of a journal: whose request, at which offset, and what. One thread writes it and another reads
/// it, so it is small.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted {
    pub(super) identity: Identity,
    pub(super) offset: u64,
    pub(super) entry: Entry,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    /// Joined within the journal after all.
    Gone,
    /// So many events that were passed over, the last of them here.
    Passed(u32),
    /// It is the next one of those settled.
    Settled(Stages),
    /// A two-line pair that met within the chunk and was observed: the next one of those settled, and its halves
    /// are the next ones too.
    Pair,
    Waiting(u32),
    Response(u32),
}

/// What one chunk saw of requests, in order.
#[derive(Debug, Default)]
pub struct Journal {
    /// The source that all of it is about.
    pub(super) source: u32,
    pub(super) entries: Vec<Noted>,
    pub(super) waiting: Vec<Waiting>,
    /// Places in `waiting` that are free again.
    free: Vec<u32>,
    pub(super) responses: Vec<Response>,
    halves: Vec<Halves>,
    /// The regions that the bytes of `halves` are in, one behind the other.
    regions: Arc<Vec<u8>>,
    /// So many of `halves` are in them.
    in_regions: usize,
    /// What was observed of requests that were settled here.
    pub(super) settled: Vec<Measured>,
    pub(super) buffers: Buffers,
    open: HashMap<u64, u32, hash::AsIs>,
    /// Events passed over that have no entry of their own.
    passed: usize,
}

impl Journal {
    #[inline]
    fn note(&mut self, identity: Identity, position: Position, entry: Entry) {
        self.source = position.source;
        self.entries.push(Noted { identity, offset: position.offset, entry });
    }

    /// Notes a settled request with all of its stages that were joined.
    #[inline]
    pub fn settle(&mut self, identity: Identity, position: Position, slot: Slot, stages: Stages, measure: Measure) {
        self.settled.push(Measured { slot, measure });
        self.note(identity, position, Entry::Settled(stages));
    }

    /// Notes a two-line pair of a request line that was [taken](Self::take). Its halves are handed on too: if a
    /// response line stood in an earlier chunk already, or the request was settled there, they must be joined
    /// anew.
    #[inline]
    pub fn pair(&mut self, identity: Identity, slot: Slot, request: Taken, response: &Response, measure: Measure) {
        self.settled.push(Measured { slot, measure });
        let request = &mut self.waiting[request.0 as usize];
        let (text, begins) = (std::mem::take(&mut request.text), request.position.offset);
        self.halves.push(Halves { text, begins, bytes: response.bytes, time: response.time });
        self.note(identity, response.position, Entry::Pair);
    }

    /// The halves of a pair that was noted at `position` with that measure.
    pub(super) fn part(&self, halves: usize, own: &Measure, position: Position) -> Option<(Waiting, Response)> {
        let halves = self.halves.get(halves)?;
        let rank = Stage::RequestReceived.rank();
        let mut request = Waiting {
            kind: Kind::RequestLine,
            rank,
            stages: Stages::of(rank),
            bytes: own.sum.bytes.saturating_sub(halves.bytes),
            events: own.sum.events,
            position: Position { offset: halves.begins, ..position },
            text: halves.text.clone(),
            origin: None,
            lasting: false,
            gone: false,
            order: 0,
            sequence: 0,
        };
        request.keep(&self.regions, &[], &mut Buffers::default());
        Some((request, Response { code: own.code, time: halves.time, bytes: halves.bytes, position }))
    }

    /// Takes out the earlier stages of a request that is about to be settled. They stay where they are until the
    /// next stage waits: moving them takes longer than reading what is wanted of them.
    #[inline]
    pub fn take(&mut self, identity: Identity) -> Option<Taken> {
        let index = self.open.remove(&identity.0)?;
        let count = self.count();
        let stage = self.waiting.get_mut(index as usize)?;
        // What waited too long within one chunk is given up when the journal is absorbed.
        if !stage.lasting && count - stage.sequence as usize > PATIENCE {
            return None;
        }
        stage.gone = true;
        self.free.push(index);
        self.entries[stage.order].entry = Entry::Gone;
        Some(Taken(index))
    }

    /// The earlier stages that were taken out last.
    #[inline]
    pub fn taken(&self, request: &Taken) -> &Waiting {
        &self.waiting[request.0 as usize]
    }

    /// Takes out a stage that still waits at the end.
    pub(super) fn unfinished(&mut self, index: u32) -> Option<Waiting> {
        let stage = self.waiting.get_mut(index as usize)?;
        Some(Waiting { text: std::mem::take(&mut stage.text), origin: stage.origin.take(), ..*stage })
    }

    /// Notes a stage that does not settle its request; returns how many stages it repeats.
    #[inline]
    pub fn wait(&mut self, identity: Identity, stage: Pending<'_>) -> u64 {
        let count = self.count();
        let position = stage.position;
        if let Some(&index) = self.open.get(&identity.0)
            && let Some(earlier) = self.waiting.get_mut(index as usize)
            && (earlier.lasting || count - earlier.sequence as usize <= PATIENCE)
        {
            let repeats = earlier.join(stage.into_waiting(earlier.order, earlier.sequence), &mut self.buffers);
            // An entry all the same: how long a stage waits is counted in entries, wherever chunks end.
            self.note(identity, position, Entry::Gone);
            return repeats;
        }
        let index = self.place(stage.into_waiting(self.entries.len(), count as u64));
        self.open.insert(identity.0, index);
        self.note(identity, position, Entry::Waiting(index));
        0
    }

    /// Finds a place for a waiting stage. Most are taken soon, so the places stay few and in the cache.
    #[inline]
    fn place(&mut self, stage: Waiting) -> u32 {
        if let Some(index) = self.free.pop()
            && let Some(place) = self.waiting.get_mut(index as usize)
        {
            *place = stage;
            return index;
        }
        self.waiting.push(stage);
        self.waiting.len() as u32 - 1
    }

    /// Notes a response line without a request line before it in the chunk.
    pub fn respond(&mut self, identity: Identity, response: Response) {
        let entry = Entry::Response(self.responses.len() as u32);
        self.note(identity, response.position, entry);
        self.responses.push(response);
    }

    /// Events are passed over that have nothing to do with the answer, the last of them here. Each counts as
    /// an entry all the same, as it would if it were read.
    pub fn pass(&mut self, position: Position, events: u32) {
        if let Some(Noted { offset, entry: Entry::Passed(count), .. }) = self.entries.last_mut() {
            (*offset, *count) = (position.offset, *count + events);
            self.passed += events as usize;
            return;
        }
        self.passed += (events as usize).saturating_sub(1);
        self.note(Identity(0), position, Entry::Passed(events));
    }

    /// Events so far, whatever became of them.
    const fn count(&self) -> usize {
        self.entries.len() + self.passed
    }

    /// The region is about to go: copies what still waits in it, or in what is held behind it. What is
    /// held behind it goes too, so with any of that the halves of pairs are copied at once.
    pub fn keep(&mut self, region: &[u8], behind: &[u8]) {
        let Journal { waiting, buffers, .. } = self;
        waiting.iter_mut().filter(|stage| !stage.gone).for_each(|stage| stage.keep(region, behind, buffers));
        if !behind.is_empty() {
            self.keep_halves(region, behind);
        }
    }

    /// Copies the region for the halves of pairs that are in it. Hardly ever does anybody ask for them
    /// again, so copying one by one what nearly every byte belongs to is not worth its while.
    pub fn keep_halves(&mut self, region: &[u8], behind: &[u8]) {
        if self.is_held() {
            return;
        }
        self.shift_halves(self.regions.len());
        let regions = Arc::make_mut(&mut self.regions);
        regions.extend_from_slice(region);
        regions.extend_from_slice(behind);
    }

    /// Takes over the buffer in which the region is if the halves of pairs are in it, and leaves an empty one.
    /// A buffer that is much larger than the region, or comes after another region, is copied from instead.
    pub fn adopt(&mut self, buffer: &mut Vec<u8>, region: Range<usize>) {
        if self.is_held() {
            return;
        }
        if !self.regions.is_empty() || region.len() < buffer.len() / 2 {
            return self.keep_halves(buffer.get(region).unwrap_or_default(), &[]);
        }
        self.shift_halves(region.start);
        self.regions = Arc::new(std::mem::take(buffer));
    }

    /// Whether the bytes of all halves are held.
    const fn is_held(&self) -> bool {
        self.in_regions == self.halves.len()
    }

    /// The region of the newest halves will stand so far behind the first one's beginning.
    fn shift_halves(&mut self, by: usize) {
        let new = self.halves.get_mut(self.in_regions..).unwrap_or_default();
        for halves in new.iter_mut().filter(|_| by > 0) {
            if let Held::Region { at, .. } = &mut halves.text {
                *at += by;
            }
        }
        self.in_regions = self.halves.len();
    }

    /// The buffer that was taken over or copied to: whoever holds it when the journal is gone may use it again.
    pub fn regions(&self) -> Arc<Vec<u8>> {
        Arc::clone(&self.regions)
    }

    /// Takes out what was observed of requests that were settled here; once absorbed, those that are repeats
    /// have no slot any more.
    pub fn take_settled(&mut self) -> Vec<Measured> {
        std::mem::take(&mut self.settled)
    }

    /// Forgets them.
    pub fn clear_settled(&mut self) {
        self.settled.clear();
    }

    /// Gives an empty list for those that will be settled here, to be written again.
    pub fn reuse(&mut self, spare: Vec<Measured>) {
        if self.settled.capacity() < spare.capacity() && self.settled.is_empty() {
            self.settled = spare;
        }
    }

    /// Memory held, roughly.
    pub fn weight(&self) -> usize {
        let kept: usize = self.waiting.iter().map(|waiting| waiting.text().len() + 128).sum();
        let kept = kept + self.regions.len() + self.halves.len() * size_of::<Halves>();
        let settled = self.settled.len() * size_of::<Measured>();
        self.entries.len() * size_of::<Noted>() + settled + kept + self.responses.len() * size_of::<Response>()
    }

    /// Hands the journal on and goes on with an empty one. What is handed on has no open table; it is only needed
    /// while reading.
    pub fn hand_on(&mut self, mut empty: Journal) -> Journal {
        self.open.clear();
        self.passed = 0;
        std::mem::swap(&mut self.open, &mut empty.open);
        std::mem::replace(self, empty)
    }

    /// Makes an empty journal of one that was absorbed, but for what was settled. The next chunk will hold much the same, and a list that
    /// grows is copied; so it keeps its room, and for what waits the `buffers` of what does no more.
    pub(super) fn empty(&mut self, buffers: &mut Buffers) {
        self.entries.clear();
        self.waiting.clear();
        self.free.clear();
        self.responses.clear();
        self.halves.clear();
        self.regions = Arc::default();
        self.in_regions = 0;
        self.buffers.0.append(&mut buffers.0);
        self.buffers.0.truncate(Buffers::KEPT);
    }
}

/// Earlier stages that were taken out of a journal.
#[derive(Debug)]
pub struct Taken(u32);

/// A stage that does not settle its request, still in its region.
pub struct Pending<'a> {
    /// How to read it again.
    pub kind: Kind,
    /// [`Stage::rank`](crate::event::Stage::rank).
    pub rank: u8,
    /// Offset and length of its bytes in the region.
    pub text: (usize, usize),
    /// What its reader remembers it by as long as the region is at hand.
    pub note: u32,
    /// Where its line came from, as far as its prefix or envelope told.
    pub origin: Option<&'a Origin<'a>>,
    /// Bytes it is charged with.
    pub bytes: u64,
    /// Where its record begins.
    pub position: Position,
    /// Whether the request may well last (a watch, an exec): it is waited for without limit.
    pub lasting: bool,
}

impl Pending<'_> {
    fn into_waiting(self, order: usize, sequence: u64) -> Waiting {
        Waiting {
            kind: self.kind,
            rank: self.rank,
            stages: Stages::of(self.rank),
            bytes: self.bytes,
            events: 1,
            position: self.position,
            text: Held::Region { at: self.text.0, length: self.text.1, note: self.note },
            origin: self.origin.map(|origin| Box::new((*origin).into())),
            lasting: self.lasting,
            gone: false,
            order,
            sequence,
        }
    }
}

impl Waiting {
    /// Joins a later stage of the same request; the higher one stands for it. Returns how many
    /// stages are repeats.
    pub(super) fn join(&mut self, mut later: Waiting, buffers: &mut Buffers) -> u64 {
        let repeats = self.stages.shared(later.stages);
        self.bytes += later.bytes;
        self.events += later.events;
        self.stages = self.stages.and(later.stages);
        self.lasting |= later.lasting;
        if later.rank > self.rank {
            self.rank = later.rank;
            std::mem::swap(&mut self.text, &mut later.text);
            std::mem::swap(&mut self.origin, &mut later.origin);
            self.position = later.position;
            self.kind = later.kind;
        }
        buffers.give(later);
        repeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal_of_a_pair(own: Measure, position: impl Fn(u64) -> Position) -> Journal {
        let mut journal = Journal::default();
        let pending = Pending {
            kind: Kind::RequestLine,
            rank: Stage::RequestReceived.rank(),
            text: (2, 7),
            note: 0,
            origin: None,
            bytes: 8,
            position: position(2),
            lasting: false,
        };
        assert_eq!(journal.wait(Identity(1), pending), 0);
        let request = journal.take(Identity(1)).expect("a request line");
        let response = Response { code: own.code, time: own.time, bytes: 5, position: position(9) };
        journal.pair(Identity(1), Slot(0), request, &response, own);
        journal
    }

    #[test]
    fn halves_are_found_again_however_their_bytes_are_held() {
        let position = |offset| Position { source: 3, offset };
        let sum = Amendment { bytes: 13, events: 1 };
        let own = Measure { sum, code: Some(200), time: Some(Timestamp(7)), ..Measure::default() };
        let ways: [fn(&mut Journal); 4] = [
            |journal| journal.keep_halves(b"..REQUEST..", b""),
            |journal| journal.keep_halves(b"..", b"REQUEST"),
            |journal| journal.adopt(&mut b"--..REQUEST..".to_vec(), 2..13),
            |journal| journal.adopt(&mut [b"--..REQUEST..".as_slice(), &[b' '; 99]].concat(), 2..13),
        ];
        for way in ways {
            let mut journal = journal_of_a_pair(own, position);
            way(&mut journal);
            let (request, response) = journal.hand_on(Journal::default()).part(0, &own, position(9)).expect("a pair");
            assert_eq!((request.text(), request.position), (&b"REQUEST"[..], position(2)));
            assert_eq!((request.sum().bytes, request.sum().events, request.stages.count()), (8, 1, 1));
            let of = |response: Response| (response.code, response.time, response.bytes, response.position);
            assert_eq!(of(response), (Some(200), Some(Timestamp(7)), 5, position(9)));
        }
    }
}
