//! What one chunk saw of requests, in order, joined as far as the chunk goes.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use super::waiting::{Buffers, Held, Kind, Pending, Response, Stages, Waiting};
use super::{Identity, PATIENCE};
use crate::aggregate::{Measure, Measured, Position, Slot};
use crate::event::{Stage, Timestamp};
use crate::hash;

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

    /// Makes an empty journal of one that was absorbed, but for what was settled. The next chunk will hold much
    /// the same, and a list that grows is copied; so it keeps its room, and for what waits the `buffers` of what
    /// does no more.
    pub(super) fn empty(&mut self, buffers: &mut Buffers) {
        self.entries.clear();
        self.waiting.clear();
        self.free.clear();
        self.responses.clear();
        self.halves.clear();
        self.regions = Arc::default();
        self.in_regions = 0;
        self.buffers.take_over(buffers);
    }
}

/// Earlier stages that were taken out of a journal.
#[derive(Debug)]
pub struct Taken(u32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Amendment;

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
