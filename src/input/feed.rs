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
use memchr::{memchr_iter, memrchr_iter};

use super::decompress::{self, Packing, Stream};
use super::pipe::Pipe;
use super::section::{Section, SectionReader};
use super::source::{Inside, Source, plain_reason};
use super::tar::BLOCK;
use crate::event::Event;
use crate::parse::legacy::{RequestHalf, ResponseHalf};
use crate::parse::records::{Bucket, Carry, Place, Reason, RegionEnd, Visitor, is_definite_start, read_region};

/// No record is held that is longer than this; what follows is read as if it began anew, and the
/// first part is reported as damaged.
pub const MAX_RECORD: usize = 1 << 30;

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

/// A stretch of bytes to parse, and what stands behind it.
#[derive(Clone, Copy, Debug)]
pub struct Region<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// What stands behind them.
    pub end: RegionEnd,
    /// Offset of the first byte in the source.
    pub offset: u64,
}

/// One block of a plain file: the records that begin in `start..end`.
#[derive(Clone, Debug)]
pub struct Block {
    /// The file.
    pub file: Arc<Section>,
    /// First offset.
    pub start: u64,
    /// Offset behind the last.
    pub end: u64,
    /// The file's length when it was opened.
    pub length: u64,
}

impl Block {
    /// Reads the block's records into `buffer` and gives them to `parse` in regions; `parse` returns
    /// how many bytes it used. Records that begin in the block are read to their end, however far.
    ///
    /// # Errors
    /// Fails when the file cannot be read any more.
    pub fn read(&self, buffer: &mut Vec<u8>, parse: impl FnMut(Region<'_>) -> usize) -> io::Result<()> {
        self.read_behind(None, buffer, parse).map(drop)
    }

    /// The same where it may be known how far the records before reach: not less far than to `start`, and
    /// a record begins there. Tells how far this block's records reach; none if none begins in it.
    ///
    /// # Errors
    /// Fails when the file cannot be read any more, or was cut: what was still there has been parsed then.
    pub fn read_behind(
        &self,
        reached: Option<u64>,
        buffer: &mut Vec<u8>,
        mut parse: impl FnMut(Region<'_>) -> usize,
    ) -> io::Result<Option<u64>> {
        if reached.is_some_and(|reached| reached >= self.end) {
            return Ok(reached);
        }
        let base = self.base(reached);
        let mut window =
            Window { file: &self.file, length: self.length, buffer, filled: 0, base, at_line_start: false };
        window.fill((self.end - base) as usize + MARGIN)?;
        let limit = (self.end - base) as usize;
        let first = match reached {
            Some(reached) => Some((reached - base) as usize),
            None if self.start == 0 => Some(0),
            None => window.first_start(1, limit),
        };
        // The file may have been cut meanwhile.
        let first = first.filter(|first| *first <= window.filled);
        let reached = first.map(|first| self.read_on(&mut window, first, &mut parse)).transpose()?;
        if window.length < self.length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut while it was read"));
        }
        Ok(reached)
    }

    /// The offset that is read first: that of the byte that tells whether a line begins at the next one.
    pub fn base(&self, reached: Option<u64>) -> u64 {
        reached.unwrap_or(self.start).saturating_sub(1)
    }

    /// The block of up to `size` bytes behind this one.
    #[must_use]
    pub fn next(self, size: u64) -> Block {
        Block { start: self.end, end: (self.end + size).min(self.length), ..self }
    }

    /// From the record start at `first`: finds the first record start at or behind the block's end,
    /// reading on as far as it takes.
    fn read_on(
        &self,
        window: &mut Window<'_>,
        mut first: usize,
        parse: &mut impl FnMut(Region<'_>) -> usize,
    ) -> io::Result<u64> {
        let mut searched = first + 1;
        loop {
            let limit = self.end.saturating_sub(window.base) as usize;
            if let Some(cut) = window.first_start(searched.max(limit), window.filled) {
                parse(window.region(first..cut, RegionEnd::RecordStart));
                return Ok(window.base + cut as u64);
            }
            if window.at_end() {
                parse(window.region(first..window.filled, RegionEnd::Source));
                return Ok(self.length);
            }
            searched = window.filled.saturating_sub(MARGIN).max(limit).max(first + 1);
            if window.filled - first >= PATIENCE {
                let used = first + window.parse_some(first, parse);
                window.drop_front(used);
                searched = searched.saturating_sub(used);
                first = 0;
            }
            let more = window.filled.max(MARGIN);
            window.fill(more)?;
        }
    }
}

/// How far beyond a block's end is read at once to find where its last record ends.
const MARGIN: usize = 16 * 1024;

/// A buffer that grew this large without a sure cut is parsed piece by piece.
const PATIENCE: usize = 8 << 20;

/// A stretch of a plain file in memory. The buffer's length only grows, so that it is not cleared
/// for every block; what counts is `filled`.
struct Window<'w> {
    file: &'w Section,
    length: u64,
    buffer: &'w mut Vec<u8>,
    filled: usize,
    base: u64,
    /// Whether a line feed stood before the first byte, which is gone.
    at_line_start: bool,
}

impl Window<'_> {
    fn region(&self, range: std::ops::Range<usize>, end: RegionEnd) -> Region<'_> {
        Region { offset: self.base + range.start as u64, bytes: &self.buffer[range], end }
    }

    /// Reads up to `more` further bytes.
    fn fill(&mut self, more: usize) -> io::Result<()> {
        let from = self.base + self.filled as u64;
        let more = more.min(self.length.saturating_sub(from) as usize);
        if self.buffer.len() < self.filled + more {
            self.buffer.resize(self.filled + more, 0);
        }
        let end = self.filled + more;
        while self.filled < end {
            let from = self.base + self.filled as u64;
            match self.file.read_at(&mut self.buffer[self.filled..end], from) {
                // The file was cut while being read; what is there is still read.
                Ok(0) => {
                    self.length = from;
                    break;
                }
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    const fn at_end(&self) -> bool {
        self.base + self.filled as u64 >= self.length
    }

    /// The first offset in `from..to` that stands behind a line feed and is a definite start.
    fn first_start(&self, from: usize, to: usize) -> Option<usize> {
        if from == 0 && self.at_line_start && is_definite_start(&self.buffer[..self.filled]) {
            return Some(0);
        }
        let (from, to) = (from.max(1), to.min(self.filled));
        let bytes = self.buffer.get(from.checked_sub(1)?..to.saturating_sub(1).max(from - 1))?;
        memchr_iter(b'\n', bytes).map(|feed| from + feed).find(|&at| is_definite_start(&self.buffer[at..self.filled]))
    }

    fn drop_front(&mut self, count: usize) {
        if let Some(last) = count.checked_sub(1) {
            self.at_line_start = self.buffer[last] == b'\n';
        }
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
        self.base += count as u64;
    }

    /// Parses what is complete from `first` on, and tells how much that was.
    fn parse_some(&mut self, first: usize, parse: &mut impl FnMut(Region<'_>) -> usize) -> usize {
        let used = parse(self.region(first..self.filled, RegionEnd::More));
        let rest = first + used;
        if self.filled - rest < MAX_RECORD {
            return used;
        }
        parse(self.region(rest..rest + MAX_RECORD, RegionEnd::RecordStart));
        used + MAX_RECORD
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is parsed of a file whose blocks are read one behind the other, each knowing how far those before
    /// reach or not: where each stretch begins, and its bytes.
    fn stretches(text: &[u8], size: u64, knows: bool) -> Vec<(u64, Vec<u8>)> {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), text).unwrap();
        let (file, length) = (Arc::new(Section::whole(path.reopen().unwrap())), text.len() as u64);
        let mut block = Block { file, start: 0, end: size.min(length), length };
        let (mut reached, mut buffer, mut found) = (None, Vec::new(), Vec::new());
        loop {
            let next = block.read_behind(reached, &mut buffer, |region| {
                found.push((region.offset, region.bytes.to_vec()));
                region.bytes.len()
            });
            if block.end == length {
                return found;
            }
            reached = next.unwrap().filter(|_| knows);
            block = block.next(size);
        }
    }

    #[test]
    fn of_a_file_that_was_cut_meanwhile_nothing_is_there() {
        let file = Arc::new(Section::whole(tempfile::tempfile().unwrap()));
        let mut buffer = b"{\"a\":1}\n".repeat(99);
        for (start, reached) in [(0, None), (0, Some(9)), (400, None), (400, Some(400)), (400, Some(450))] {
            let block = Block { file: Arc::clone(&file), start, end: start + 200, length: 900 };
            let read = block.read_behind(reached, &mut buffer, |region| region.bytes.len());
            assert!(read.is_err(), "{start} {reached:?}");
        }
    }

    #[test]
    fn what_is_left_of_a_file_that_was_cut_is_read_and_the_rest_is_missed() {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &b"{\"a\":1}\n".repeat(9)).unwrap();
        let block = Block { file: Arc::new(Section::whole(file)), start: 0, end: 50, length: 900 };
        let (mut lines, mut buffer) = (0, Vec::new());
        let read = block.read_behind(None, &mut buffer, |region| {
            lines += memchr_iter(b'\n', region.bytes).count();
            region.bytes.len()
        });
        assert!(read.is_err() && lines > 0, "{lines}");
    }

    #[test]
    fn a_block_that_knows_how_far_others_reach_holds_the_same() {
        let lines = |lengths: &[usize]| -> Vec<u8> {
            lengths.iter().flat_map(|length| [b"{\"a\":\"", &vec![b'x'; *length][..], b"\"}\n"].concat()).collect()
        };
        for text in [
            lines(&[5, 7, 90, 3, 3, 250, 0, 1, 40_000, 2]),
            lines(&[3; 40]),
            lines(&[40_000]),
            [&lines(&[9, 100]), &b"}\n ]\n1\n{\n\"a\": 2\n}\n"[..], &lines(&[80, 3])].concat(),
        ] {
            for size in [1, 2, 9, 10, 11, 64, 100, 1000, 100_000] {
                assert_eq!(stretches(&text, size, true), stretches(&text, size, false), "blocks of {size}");
            }
        }
    }
}
