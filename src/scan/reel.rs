//! A stream on the desk, and the batches read of it.
//!
//! Of a stream a few batches are kept in stock, read but not parsed: whoever comes while another thread
//! reads takes one and need not wait, and where unpacking takes longer than parsing, one thread
//! unpacks all the time.

use std::collections::VecDeque;

use super::Ticket;
use crate::input::decompress::Packing;
use crate::input::feed::{StreamChunk, StreamFeed};
use crate::parse::records::RegionEnd;

/// A stream, and how far it was given out.
pub(super) struct Reel {
    /// Taken out while a thread reads from it, and for good when it has ended.
    pub(super) feed: Option<Box<StreamFeed>>,
    pub(super) ended: bool,
    pub(super) next: u64,
    /// How it is packed, once something was read.
    pub(super) packing: Packing,
    /// What was read and waits to be parsed, in input order.
    pub(super) stock: VecDeque<Batch>,
}

/// What was read of a stream, to be parsed.
pub(super) struct Batch {
    pub(super) ticket: Ticket,
    pub(super) chunk: Option<StreamChunk>,
    pub(super) buffer: Vec<u8>,
    pub(super) packing: Packing,
    /// Why reading ended early, in words.
    pub(super) failure: Option<String>,
}

/// So many batches are kept in stock. Both reading and parsing take now more, now less time than the other, and
/// with one alone a thread would wait now and then.
const STOCK: usize = 3;

/// A batch that takes more is the only one in stock: its records are so long that there is time.
const LARGE: usize = 4 << 20;

/// When its stream is this many chunks ahead, a batch in stock is parsed in any case: all that is
/// parsed of what stands behind it waits on the shelf.
const STOCK_LAG: u64 = 8;

impl Reel {
    pub(super) fn new(feed: Box<StreamFeed>) -> Self {
        Reel { feed: Some(feed), ended: false, next: 0, packing: Packing::Plain, stock: VecDeque::new() }
    }

    pub(super) const fn next_ticket(&mut self, source: usize) -> Ticket {
        let ticket = Ticket { source, chunk: self.next };
        self.next += 1;
        ticket
    }

    /// Whether this batch may be kept in stock too.
    pub(super) fn has_room(&self, batch: &Batch) -> bool {
        self.stock.is_empty() || (self.stock.len() < STOCK && batch.buffer.len() <= LARGE)
    }

    /// The first batch in stock, if it may be worked on and the stream is in other hands, far ahead, or may
    /// not be read on.
    pub(super) fn take_stock(&mut self, full: bool, allowed: impl Fn(u64) -> bool) -> Option<Batch> {
        let chunk = self.stock.front()?.ticket.chunk;
        let wanted = full || self.feed.is_none() || self.next > chunk + STOCK_LAG;
        if wanted && allowed(chunk) { self.stock.pop_front() } else { None }
    }
}

impl Batch {
    /// Reads the next batch of a stream.
    pub(super) fn read(ticket: Ticket, feed: &mut StreamFeed, mut buffer: Vec<u8>, size: usize) -> Self {
        let chunk = feed.next(&mut buffer, size);
        Batch { ticket, chunk, buffer, packing: feed.packing, failure: feed.failure.clone() }
    }

    /// Whether nothing of the stream stands behind it.
    pub(super) fn is_last(&self) -> bool {
        self.chunk.is_none_or(|chunk| chunk.end == RegionEnd::Source)
    }
}
