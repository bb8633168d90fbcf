//! One file of a followed log: growing, or read to its end.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::decompress::{self, Packing, Stream};
use super::super::feed::{StreamChunk, StreamFeed};
use super::super::pipe::Pipe;
use super::super::source::plain_reason;
use super::head::{Head, open};
use super::siblings::{FileId, find};
use super::{Buffers, Chunk, FileName};

/// So many bytes before the place that was read up to are remembered, to see that it is still there.
const BEFORE: usize = 256;

/// So much may be left of a file that is being written.
const MUCH: u64 = 1 << 20;

/// What is read at once grows up to this, for records that are longer than a chunk.
const MOST: usize = 64 << 20;

/// A file, and how far it was read.
pub(super) struct Part {
    /// Tells it from other parts of the log, also those before it that had its name.
    pub(super) number: u64,
    pub(super) name: Arc<FileName>,
    pub(super) head: Head,
    pub(super) reading: Reading,
    pub(super) packing: Packing,
    /// How often nothing was found to be new in any part of the log.
    pub(super) quiet: u32,
    /// How often the copy of what was here was looked for in vain.
    pub(super) tries: u32,
    /// Why it could not be read to its end, in words.
    pub(super) failure: Option<String>,
    feed: StreamFeed,
    /// How much to read at once, if that is more than a chunk.
    more: usize,
}

/// Where the bytes come from.
pub(super) enum Reading {
    /// Not opened yet.
    Path(PathBuf),
    /// Read to its end.
    Finite(Stream),
    Growing(Growing),
    Pipe(Pipe),
    /// Nothing follows.
    Ended,
}

/// A file that is being written to.
pub(super) struct Growing {
    pub(super) file: File,
    pub(super) id: FileId,
    /// Read up to here.
    pub(super) at: u64,
    /// The bytes before that.
    pub(super) before: Vec<u8>,
    /// How it begins, as far as it was made sure that nothing before that is missing.
    pub(super) expected: Option<Head>,
}

/// What came of looking at a part.
pub(super) enum Step {
    Chunk(StreamChunk),
    /// The last chunk; it may be empty.
    Ended(StreamChunk),
    /// Nothing new.
    Idle,
    /// Its first bytes have come. What was there before them may have been rotated away unseen.
    First,
    /// What was read is not there any more: the file was emptied in place, and perhaps written anew.
    Emptied,
}

/// What came of reading.
enum Got {
    /// So much; and whether there may be more at once.
    Bytes(usize, bool),
    Nothing,
    First,
    Emptied,
    End,
}

impl Part {
    pub(super) fn new(number: u64, name: Arc<FileName>, reading: Reading) -> Self {
        Part {
            number,
            name,
            head: Head::default(),
            reading,
            packing: Packing::Plain,
            quiet: 0,
            tries: 0,
            failure: None,
            feed: StreamFeed::offered(),
            more: 0,
        }
    }

    /// The file being written to.
    pub(super) const fn growing(&self) -> Option<&Growing> {
        if let Reading::Growing(growing) = &self.reading { Some(growing) } else { None }
    }

    /// Whether more is left of it than comes between two looks at a file that is written.
    pub(super) fn is_behind(&self) -> bool {
        match &self.reading {
            Reading::Path(_) | Reading::Finite(_) => true,
            Reading::Growing(growing) => growing.file.metadata().is_ok_and(|data| data.len() > growing.at + MUCH),
            Reading::Pipe(_) | Reading::Ended => false,
        }
    }

    /// The pipe to wait for.
    pub(super) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        if let Reading::Pipe(pipe) = &self.reading { Some(pipe.as_fd()) } else { None }
    }

    /// Reads what has arrived, up to a chunk. `live` is the path of the log.
    pub(super) fn step(&mut self, live: &Path, buffers: &mut Buffers, size: usize) -> Step {
        loop {
            let got = match self.read(live, &mut buffers.read, size.max(self.more)) {
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.failure = Some(decompress::reason(&error));
                    Got::End
                }
            };
            match got {
                Got::Nothing => return Step::Idle,
                Got::First => return Step::First,
                Got::Emptied => return Step::Emptied,
                Got::End => return Step::Ended(self.end(buffers)),
                Got::Bytes(length, more) => {
                    if let Some(chunk) = self.feed.offer(&buffers.read[..length], !more, &mut buffers.chunk) {
                        self.more = 0;
                        return Step::Chunk(chunk);
                    }
                    if more {
                        self.more = (size.max(self.more) * 2).min(MOST);
                    }
                }
            }
        }
    }

    /// What is left when nothing follows.
    pub(super) fn end(&mut self, buffers: &mut Buffers) -> StreamChunk {
        self.reading = Reading::Ended;
        self.feed.end(&mut buffers.chunk)
    }

    /// Its last chunk, with what there is to say about all of it.
    pub(super) fn into_chunk(self, chunk: StreamChunk) -> Chunk {
        Chunk { file: (0, self.number), name: self.name, chunk, packing: self.packing, failure: self.failure }
    }

    fn read(&mut self, live: &Path, target: &mut Vec<u8>, size: usize) -> io::Result<Got> {
        if let Reading::Path(path) = &self.reading {
            let path = path.clone();
            self.open(live, &path);
        }
        let room = size + BEFORE;
        if target.len() < room {
            target.resize(room, 0);
        }
        let got = match &mut self.reading {
            Reading::Ended | Reading::Path(_) => return Ok(Got::End),
            Reading::Growing(growing) => return growing.read(target, size, &mut self.head),
            Reading::Pipe(pipe) => return read_pipe(pipe, &mut target[..size]).map(|got| self.unpack(target, got)),
            Reading::Finite(stream) => stream.read(&mut target[..size])?,
        };
        self.head.read(self.feed.taken(), &target[..got]);
        Ok(if got == 0 { Got::End } else { Got::Bytes(got, true) })
    }

    /// Opens a file that waited for its turn. It may have been renamed or compressed by now, so it is
    /// known by how it begins.
    fn open(&mut self, live: &Path, path: &Path) {
        let same = self.head.is_empty() || self.head.begins(&Head::of(path));
        let opened = match open(path, 0) {
            Ok(opened) if same => Ok(opened),
            Ok(_) => find(live, &self.head).ok_or_else(|| "no such file or directory".to_owned()),
            Err(error) => find(live, &self.head).ok_or_else(|| plain_reason(&error)),
        };
        match opened {
            Ok((stream, packing)) => (self.reading, self.packing) = (Reading::Finite(stream), packing),
            Err(reason) => {
                self.failure = Some(format!("{reason}; it was rotated away before it was read"));
                self.reading = Reading::Ended;
            }
        }
    }

    /// A pipe that begins like something compressed is unpacked from then on.
    fn unpack(&mut self, target: &[u8], got: Got) -> Got {
        let Got::Bytes(length, _) = got else { return got };
        let bytes = &target[..length];
        if self.feed.taken() > 0 || decompress::is_plain(bytes) {
            return got;
        }
        let Reading::Pipe(pipe) = std::mem::replace(&mut self.reading, Reading::Ended) else { return got };
        match decompress::open(io::Cursor::new(bytes.to_vec()).chain(pipe)) {
            Ok((stream, packing)) => (self.reading, self.packing) = (Reading::Finite(stream), packing),
            Err(error) => self.failure = Some(decompress::reason(&error)),
        }
        Got::Bytes(0, true)
    }
}

/// Reads what is in a pipe, without waiting.
fn read_pipe(pipe: &mut Pipe, target: &mut [u8]) -> io::Result<Got> {
    let mut filled = 0;
    while filled < target.len() && pipe.is_ready() {
        let got = pipe.read(&mut target[filled..])?;
        if got == 0 {
            return Ok(if filled == 0 { Got::End } else { Got::Bytes(filled, false) });
        }
        filled += got;
    }
    Ok(if filled == 0 { Got::Nothing } else { Got::Bytes(filled, filled == target.len()) })
}

impl Growing {
    pub(super) fn new(file: File, id: FileId) -> Self {
        Growing { file, id, at: 0, before: Vec::new(), expected: None }
    }

    /// Reads on, and only then proves that it was still the same file: one that is emptied in place may
    /// have grown beyond our place again.
    fn read(&mut self, target: &mut [u8], size: usize, head: &mut Head) -> io::Result<Got> {
        let known = self.before.len();
        let got = self.file.read_at(&mut target[..known + size], self.at - known as u64)?;
        if !target[..got].starts_with(&self.before) || !head.is_of(&self.file) {
            return Ok(Got::Emptied);
        }
        if got == known {
            return Ok(Got::Nothing);
        }
        if head.is_empty() && !self.is_expected(&target[known..got]) {
            return Ok(Got::First);
        }
        target.copy_within(known..got, 0);
        let fresh = got - known;
        head.read(self.at, &target[..fresh]);
        self.at += fresh as u64;
        self.remember(&target[..fresh]);
        Ok(Got::Bytes(fresh, fresh == size))
    }

    /// Whether these bytes, the first that say something, are the ones that were looked at when it was
    /// made sure that nothing before them is missing.
    fn is_expected(&self, fresh: &[u8]) -> bool {
        let mut found = Head::default();
        found.read(self.at, fresh);
        let same = |expected: &Head| expected.begins(&found) || found.begins(expected);
        found.is_empty() || self.expected.as_ref().is_some_and(same)
    }

    fn remember(&mut self, fresh: &[u8]) {
        let kept = BEFORE.saturating_sub(fresh.len());
        self.before.drain(..self.before.len().saturating_sub(kept));
        self.before.extend_from_slice(&fresh[fresh.len().saturating_sub(BEFORE)..]);
    }
}
