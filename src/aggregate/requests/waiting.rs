//! Stages and halves that wait for the rest of their request.

use crate::aggregate::{Amendment, Position};
use crate::event::{Origin, OwnedOrigin, Timestamp};

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
    pub(super) rank: u8,
    pub(super) stages: Stages,
    pub(super) bytes: u64,
    pub(super) events: u64,
    pub(super) position: Position,
    pub(super) text: Held,
    pub(super) origin: Option<Box<OwnedOrigin>>,
    /// Whether the request may well last: it is never given up.
    pub(super) lasting: bool,
    /// Whether it waits no more: its place in the journal is free.
    pub(super) gone: bool,
    /// Index of its entry in the journal.
    pub(super) order: usize,
    /// Its place in the order of all events: of the chunk, then, once absorbed, of the input.
    pub(super) sequence: u64,
}

/// Where a waiting stage's bytes are: still in the region being read, or kept. Those of a pair that met
/// within its chunk stay in a region all the while: the journal keeps that.
#[derive(Clone, Debug)]
pub(super) enum Held {
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

    /// Takes those of others.
    pub(super) fn take_over(&mut self, others: &mut Buffers) {
        self.0.append(&mut others.0);
        self.0.truncate(Self::KEPT);
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
    pub(super) fn into_waiting(self, order: usize, sequence: u64) -> Waiting {
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
