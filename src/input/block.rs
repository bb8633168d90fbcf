//! Blocks of plain files: every thread reads its own by position.

use std::io;
use std::sync::Arc;

use memchr::memchr_iter;

use super::section::Section;
use crate::parse::records::{RegionEnd, is_definite_start};

/// No record is held that is longer than this; what follows is read as if it began anew, and the
/// first part is reported as damaged.
pub const MAX_RECORD: usize = 1 << 30;

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
