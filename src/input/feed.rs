//! Cuts sources into chunks that begin and end at records, and hands them to whoever is free.
//!
//! A plain file is cut into blocks that every thread reads for itself by position. Everything else
//! (pipes, compressed files) is a stream: whoever holds it reads the next chunk, then lets it go
//! and parses while another reads on. A cut is only made before a line at which a record must
//! begin ([`is_definite_start`]), or where the records before it are known to be complete, so
//! chunks mean the same as the whole.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bumpalo::Bump;
use memchr::memrchr_iter;

use super::block::{MAX_RECORD, Region};
use super::decompress::{self, Packing, Stream};
use super::pipe::Pipe;
use super::section::{Section, SectionReader};
use super::source::{Inside, Source, plain_reason};
use super::tar::BLOCK;
use crate::event::Event;
use crate::parse::legacy::{RequestHalf, ResponseHalf};
use crate::parse::records::{Bucket, Carry, Place, Reason, RegionEnd, Visitor, is_definite_start, read_region};

/// An opened source.
pub enum Opened {
    /// A plain file, or a plain stretch of one, cut into blocks.
    File(Arc<Section>, u64),
    /// Anything else.
    Stream(Box<StreamFeed>),
}

/// Opens a source. Pipes end when `stop` is set.
///
/// # Errors
/// Fails, in words, when it cannot be opened or its first bytes cannot be read.
pub fn open(source: &Source, stop: &Arc<AtomicBool>) -> Result<Opened, String> {
    let stream = |stream, live| Opened::Stream(Box::new(StreamFeed::new(stream, live)));
    let Some(path) = &source.path else {
        let pipe = Pipe::stdin(stop).map_err(|error| plain_reason(&error))?;
        return Ok(stream(Box::new(pipe), true));
    };
    if let Inside::Unpacked(_) | Inside::Deflated(_) = source.inside {
        return Ok(stream(source.raw().map_err(|error| plain_reason(&error))?, false));
    }
    let file = File::open(path).map_err(|error| plain_reason(&error))?;
    let data = file.metadata().map_err(|error| plain_reason(&error))?;
    if !data.is_file() {
        return Ok(stream(Box::new(Pipe::of(file, stop)), true));
    }
    let (section, part) = match source.inside {
        Inside::Range { start, length } => (Section::from(file, start), Some((start, length))),
        _ => (Section::whole(file), None),
    };
    let (start, length) = part.unwrap_or((0, data.len()));
    let mut head = [0; BLOCK];
    let wanted = usize::try_from(length).map_or(BLOCK, |length| length.min(BLOCK));
    let count = section.fill_at(&mut head[..wanted], 0).map_err(|error| plain_reason(&error))?;
    // A stretch that the file does not hold is a stream too: it says so where it ends.
    if start.saturating_add(length) <= data.len() && decompress::is_plain(&head[..count]) {
        return Ok(Opened::File(Arc::new(section), length));
    }
    let reader = SectionReader::new(Arc::new(section), part.map(|(_, length)| length));
    Ok(stream(Box::new(reader), false))
}

/// When to look again for a cut in a buffer that grows by what a pipe gives, a few kilobytes at a
/// time. Looking means reading it all from its start, so for a value of megabytes it must not be
/// done for every piece.
#[derive(Default)]
struct Trial {
    /// Length of the buffer when it was last looked at.
    last: usize,
    /// Length up to which a line feed was looked for.
    searched: usize,
    /// Whether there was one.
    has_feed: bool,
}

impl Trial {
    fn is_due(&mut self, buffer: &[u8]) -> bool {
        let fresh = buffer.get(self.searched..).unwrap_or_default();
        let first_feed = !self.has_feed && memchr::memchr(b'\n', fresh).is_some();
        self.searched = buffer.len();
        self.has_feed |= first_feed;
        // Without a line feed no record is complete; with the first one the line at hand is.
        let due = first_feed || buffer.len() < EAGER || buffer.len() / 4 * 3 >= self.last || buffer.len() >= MAX_RECORD;
        if due {
            self.last = buffer.len();
        }
        due
    }
}

/// A buffer up to this length is looked at whenever something arrives.
const EAGER: usize = 1 << 20;

/// A chunk of a stream: the first bytes of the buffer it was read into.
#[derive(Clone, Copy, Debug)]
pub struct StreamChunk {
    /// How many bytes of the buffer are its own.
    pub length: usize,
    /// Offset of its first byte in the decompressed stream.
    pub offset: u64,
    /// What stands behind it.
    pub end: RegionEnd,
    /// State of the reader at its first byte.
    pub carry: Carry,
}

impl StreamChunk {
    /// What is to be parsed, in the buffer it was read into.
    pub fn region<'b>(&self, buffer: &'b [u8]) -> Region<'b> {
        Region { bytes: &buffer[..self.length], end: self.end, offset: self.offset }
    }
}

/// Reads a stream chunk by chunk.
pub struct StreamFeed {
    raw: Option<Stream>,
    stream: Option<Stream>,
    live: bool,
    rest: Vec<u8>,
    offset: u64,
    /// Bytes since the last line feed.
    column: u64,
    in_nul_run: bool,
    /// Whether the line at hand begins as a list does.
    in_list: bool,
    ended: bool,
    arena: Bump,
    /// When to look at what was offered.
    trial: Trial,
    /// How the stream was packed, once known.
    pub packing: Packing,
    /// Why reading ended early, in words.
    pub failure: Option<String>,
}

impl StreamFeed {
    /// A feed over a stream whose packing is not known yet. A live stream is handed on as it arrives.
    pub fn new(raw: Stream, live: bool) -> Self {
        StreamFeed {
            raw: Some(raw),
            stream: None,
            live,
            rest: Vec::new(),
            offset: 0,
            column: 0,
            in_nul_run: false,
            in_list: false,
            ended: false,
            arena: Bump::new(),
            trial: Trial::default(),
            packing: Packing::Plain,
            failure: None,
        }
    }

    /// A feed of plain bytes that are read elsewhere and [offered](StreamFeed::offer).
    pub(super) fn offered() -> Self {
        let mut feed = StreamFeed::new(Box::new(io::empty()), true);
        feed.raw = None;
        feed
    }

    /// Takes bytes that follow those before and gives a chunk in `buffer` if records are complete.
    /// Where more bytes can be had at once, `starved` is false, and the last records may wait for them.
    pub(super) fn offer(&mut self, bytes: &[u8], starved: bool, buffer: &mut Vec<u8>) -> Option<StreamChunk> {
        self.rest.extend_from_slice(bytes);
        if !self.trial.is_due(&self.rest) {
            return None;
        }
        std::mem::swap(&mut self.rest, buffer);
        let cut = self.cut(buffer, starved);
        self.rest.clear();
        self.rest.extend_from_slice(&buffer[cut..]);
        if cut == 0 {
            return None;
        }
        self.trial = Trial::default();
        Some(self.chunk(&buffer[..cut], RegionEnd::RecordStart))
    }

    /// How many bytes were offered.
    pub(super) const fn taken(&self) -> u64 {
        self.offset + self.rest.len() as u64
    }

    /// Nothing follows the bytes offered: gives what is left of them.
    pub(super) fn end(&mut self, buffer: &mut Vec<u8>) -> StreamChunk {
        let filled = self.take_rest(buffer);
        self.chunk(&buffer[..filled], RegionEnd::Source)
    }

    /// Whether it may stay silent for long: it is handed on as it arrives.
    pub const fn is_live(&self) -> bool {
        self.live
    }

    /// Reads the next chunk of about `size` bytes into `buffer`, whose length only grows, so that it
    /// is not cleared for every chunk. None at the end of the stream.
    pub fn next(&mut self, buffer: &mut Vec<u8>, size: usize) -> Option<StreamChunk> {
        if self.ended {
            return None;
        }
        let mut filled = self.take_rest(buffer);
        let mut wanted = size.max(1);
        let mut trial = Trial::default();
        loop {
            let starved = self.fill(buffer, &mut filled, wanted);
            let bytes = &buffer[..filled];
            if self.ended {
                return Some(self.chunk(bytes, RegionEnd::Source));
            }
            let cut = if trial.is_due(bytes) { self.cut(bytes, starved) } else { 0 };
            if cut > 0 {
                self.rest.extend_from_slice(&bytes[cut..]);
                return Some(self.chunk(&bytes[..cut], RegionEnd::RecordStart));
            }
            if !starved {
                wanted = filled * 2;
            }
        }
    }

    /// Begins a buffer with what the last cut left over, and tells how much that was.
    fn take_rest(&mut self, buffer: &mut Vec<u8>) -> usize {
        let length = self.rest.len();
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        buffer[..length].copy_from_slice(&self.rest);
        self.rest.clear();
        length
    }

    fn chunk(&mut self, bytes: &[u8], end: RegionEnd) -> StreamChunk {
        let carry = Carry::at_cut(self.column, self.in_nul_run, self.in_list);
        let chunk = StreamChunk { length: bytes.len(), offset: self.offset, end, carry };
        self.offset += bytes.len() as u64;
        self.in_list = Carry::list_behind(bytes, self.column, self.in_list);
        self.column = Carry::column_behind(bytes, self.column);
        self.in_nul_run = bytes.last() == Some(&0);
        chunk
    }

    /// Reads until `wanted` bytes of `buffer` are filled; a live stream is content with what arrives
    /// at once, and then `true` comes back.
    fn fill(&mut self, buffer: &mut Vec<u8>, filled: &mut usize, wanted: usize) -> bool {
        let before = *filled;
        while *filled < wanted || *filled == before {
            let step = wanted.saturating_sub(*filled).max(READ_STEP);
            let end = *filled + step;
            if buffer.len() < end {
                buffer.resize(end, 0);
            }
            match self.read(&mut buffer[*filled..end]) {
                Ok(0) => {
                    self.ended = true;
                    return false;
                }
                Ok(got) => {
                    *filled += got;
                    if self.live && got < step {
                        return true;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(decompress::reason(&error));
                    self.ended = true;
                    return false;
                }
            }
        }
        false
    }

    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if let Some(raw) = self.raw.take() {
            let (stream, packing) = decompress::open(raw)?;
            self.packing = packing;
            self.live &= packing == Packing::Plain;
            self.stream = Some(stream);
        }
        match &mut self.stream {
            Some(stream) => stream.read(target),
            None => Ok(0),
        }
    }

    /// Where to cut: before the last definite start, or behind what is known to be complete.
    fn cut(&mut self, buffer: &[u8], starved: bool) -> usize {
        let sure = last_start(buffer);
        if sure > 0 && !starved {
            return sure;
        }
        let mut cut = sure + self.complete(&buffer[sure..]);
        if cut == 0 && buffer.len() >= MAX_RECORD {
            return MAX_RECORD;
        }
        // What stands behind a text record on its line tells where the record ends.
        let line = memchr::memrchr(b'\n', &buffer[..cut]).map_or(0, |feed| feed + 1);
        let is_value = buffer[line..].iter().find(|byte| !b" \t\r\n[],".contains(byte)) == Some(&b'{');
        let begins_there = !is_value && (line == 0 || is_definite_start(&buffer[line..]));
        if line < cut && begins_there && memchr::memmem::find(&buffer[line..cut], b"AUDIT:").is_some() {
            cut = line;
        }
        // A run of NUL bytes that may go on is one record only if it is not cut, unless it is all
        // there is. Where another byte stands behind it, it is whole, or no record but a separator.
        if cut == buffer.len() && buffer.iter().any(|&byte| byte != 0) {
            let zeros = buffer[..cut].iter().rev().take_while(|&&byte| byte == 0).count();
            if zeros < cut {
                cut -= zeros;
            }
        }
        cut
    }

    /// How many bytes of complete records `bytes` begins with.
    fn complete(&mut self, bytes: &[u8]) -> usize {
        self.arena.reset();
        read_region(bytes, RegionEnd::More, &mut Carry::default(), &self.arena, &mut Nobody)
    }
}

/// The least that is asked of a stream at once.
const READ_STEP: usize = 64 * 1024;

/// The last offset that stands behind a line feed and is a definite start; 0 when there is none.
fn last_start(buffer: &[u8]) -> usize {
    memrchr_iter(b'\n', buffer).map(|feed| feed + 1).find(|&at| is_definite_start(&buffer[at..])).unwrap_or(0)
}

/// Visits without looking, to learn only where records end.
struct Nobody;

impl<'a> Visitor<'a> for Nobody {
    fn event(&mut self, _: &Event<'a>, _: &'a [u8], _: usize, _: usize) {}
    fn request_half(&mut self, _: RequestHalf<'a>, _: &'a [u8], _: usize, _: usize) {}
    fn response_half(&mut self, _: ResponseHalf<'a>, _: &'a [u8], _: usize, _: usize) {}
    fn record(&mut self, _: Bucket, _: usize, _: bool) {}
    fn lost(&mut self, _: u64) {}
    fn damage(&mut self, _: Reason, _: usize, _: Place) {}
}
