//! The framing of tar archives: where each file of one begins and ends.
//!
//! Headers and their extensions are read by the tar crate. Its own walk is not used: it holds an
//! extension of any length in memory, and stops at the first end mark. Here an extension is bounded,
//! and archives one behind the other are read on.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tar::{Header, PaxExtensions};

use super::copies;
use super::decompress::{Stream, open_within, reason, told};
use super::skip::Skip;

/// Bytes of a header, and what the length of everything is a multiple of.
pub(super) const BLOCK: usize = 512;

/// Longer names and extensions are passed over: no path is that long.
const MOST_EXTENSION: u64 = 64 * 1024;

/// Passes over bytes, which a file need not read for that.
pub(super) trait Pass: Read {
    /// Goes on so many bytes further along.
    fn pass(&mut self, count: u64) -> io::Result<()>;
}

impl Pass for Stream {
    fn pass(&mut self, count: u64) -> io::Result<()> {
        if io::copy(&mut self.take(count), &mut io::sink())? < count {
            return Err(cut());
        }
        Ok(())
    }
}

fn cut() -> io::Error {
    told("the archive ends early")
}

fn damaged() -> io::Error {
    told("the archive is damaged: no header where one must be")
}

/// Whether a block is the header of a file in a tar archive: its checksum is right.
pub(super) fn is_header(block: &[u8]) -> bool {
    let Ok(block) = <&[u8; BLOCK]>::try_from(block) else { return false };
    let header = Header::from_byte_slice(block);
    // The checksum is made with blanks in its own place.
    let (before, rest) = block.split_at(148);
    let sum: u32 = before.iter().chain(&[b' '; 8]).chain(&rest[8..]).copied().map(u32::from).sum();
    block[0] != 0 && header.cksum().is_ok_and(|wanted| wanted == sum)
}

/// What a file in an archive is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    File,
    /// A link, which has no content of its own.
    Link,
    /// A file whose blocks of NUL bytes were left out.
    Sparse,
    /// A directory, a device, or what else is no log.
    Other,
}

/// One file of an archive.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Offset of its first byte in the archive.
    pub(super) start: u64,
    pub(super) length: u64,
}

/// Walks through an archive.
pub(super) struct Frames<R> {
    reader: R,
    /// How far it was read.
    position: u64,
    /// Where the content of the file at hand ends, and the next header stands.
    body_end: u64,
    next: u64,
    /// Whether an end mark was seen.
    marked: bool,
    ended: bool,
}

/// What stands before a header and is about the file behind it.
#[derive(Default)]
struct Extension {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl<R: Pass> Frames<R> {
    pub(super) const fn new(reader: R) -> Self {
        Frames { reader, position: 0, body_end: 0, next: 0, marked: false, ended: false }
    }

    /// Whether the content of the file at hand has been read or passed over.
    pub(super) const fn is_behind_body(&self) -> bool {
        self.position >= self.body_end
    }

    /// The next file; none behind the last. After an error there is none either.
    pub(super) fn next(&mut self) -> io::Result<Option<Frame>> {
        if self.ended {
            return Ok(None);
        }
        let result = self.walk();
        self.ended = !matches!(result, Ok(Some(_)));
        result
    }

    fn walk(&mut self) -> io::Result<Option<Frame>> {
        let mut extension = Extension::default();
        loop {
            self.pass_to(self.body_end)?;
            self.pass_to(self.next)?;
            let Some(block) = self.block()? else {
                // Without an end mark nobody knows whether more was to come.
                return if self.marked { Ok(None) } else { Err(cut()) };
            };
            if block.iter().all(|&byte| byte == 0) {
                self.marked = true;
                self.next = self.position;
                continue;
            }
            if !is_header(&block) {
                return if self.marked { Ok(None) } else { Err(damaged()) };
            }
            self.marked = false;
            let header = Header::from_byte_slice(&block);
            self.set_body(header.entry_size().map_err(|_| damaged())?)?;
            let kind = header.entry_type();
            if kind.is_gnu_longname() {
                extension.name =
                    self.extension()?.map(|name| name.split(|&b| b == 0).next().unwrap_or_default().to_vec());
            } else if kind.is_pax_local_extensions() {
                extension.read(&self.extension()?.unwrap_or_default());
            } else if !kind.is_gnu_longlink() && !kind.is_pax_global_extensions() {
                return self.frame(header, extension).map(Some);
            }
        }
    }

    fn frame(&mut self, header: &Header, extension: Extension) -> io::Result<Frame> {
        let name = extension.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let entry = header.entry_type();
        if entry.is_gnu_sparse() {
            self.pass_sparse_maps(header)?;
        }
        self.set_body(extension.size.map_or_else(|| header.entry_size(), Ok).map_err(|_| damaged())?)?;
        let kind = match entry {
            _ if entry.is_gnu_sparse() || extension.sparse => Kind::Sparse,
            _ if entry.is_symlink() || entry.is_hard_link() => Kind::Link,
            // An old archive has directories that only the slash tells.
            _ if (entry.is_file() || entry.is_contiguous()) && !name.ends_with(b"/") => Kind::File,
            _ => Kind::Other,
        };
        let name = String::from_utf8_lossy(&name).into_owned();
        Ok(Frame { name, kind, start: self.position, length: self.body_end - self.position })
    }

    /// Of an old sparse file, the rest of the map stands between header and content.
    fn pass_sparse_maps(&mut self, header: &Header) -> io::Result<()> {
        let mut more = header.as_gnu().is_some_and(tar::GnuHeader::is_extended);
        while more {
            let block = self.block()?.ok_or_else(cut)?;
            more = block.get(504) == Some(&1);
        }
        Ok(())
    }

    /// From the place at hand on, so many bytes are content.
    fn set_body(&mut self, size: u64) -> io::Result<()> {
        self.body_end = self.position.checked_add(size).ok_or_else(damaged)?;
        self.next = self.body_end.checked_next_multiple_of(BLOCK as u64).ok_or_else(damaged)?;
        Ok(())
    }

    /// The content at hand, if it is short enough for an extension.
    fn extension(&mut self) -> io::Result<Option<Vec<u8>>> {
        let length = self.body_end - self.position;
        if length > MOST_EXTENSION {
            return Ok(None);
        }
        let mut content = Vec::new();
        self.position += self.reader.by_ref().take(length).read_to_end(&mut content)? as u64;
        if self.position < self.body_end { Err(cut()) } else { Ok(Some(content)) }
    }

    fn pass_to(&mut self, place: u64) -> io::Result<()> {
        if place > self.position {
            self.reader.pass(place - self.position)?;
            self.position = place;
        }
        Ok(())
    }

    /// The next block; none where the archive ends.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.reader.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(cut()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.position += BLOCK as u64;
        Ok(Some(block))
    }

    /// How the content at hand begins.
    pub(super) fn beginning(&mut self) -> Vec<u8> {
        let mut head = vec![0; copies::RAW_HEAD];
        let mut filled = 0;
        while let Ok(count @ 1..) = self.read_body(&mut head[filled..]) {
            filled += count;
        }
        head.truncate(filled);
        head
    }

    /// Reads of the content at hand.
    fn read_body(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.body_end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = target.len().min(left);
        let count = self.reader.read(&mut target[..wanted])?;
        if count == 0 && wanted > 0 {
            return Err(told("the archive ends inside this file"));
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Extension {
    fn read(&mut self, records: &[u8]) {
        for record in PaxExtensions::new(records).flatten() {
            match record.key_bytes() {
                b"path" => self.name = Some(record.value_bytes().to_vec()),
                b"size" => self.size = record.value().ok().and_then(|size| size.parse().ok()),
                key => self.sparse |= key.starts_with(b"GNU.sparse."),
            }
        }
    }
}

/// The contents of all logs of an archive that is a stream, one behind the other, unpacked. A file
/// that is damaged costs no other; what is wrong is told at the end.
pub(super) struct Contents {
    frames: Arc<Mutex<Frames<Stream>>>,
    current: Option<(Stream, String)>,
    /// Archives that may be inside this one.
    archives: usize,
    failure: Option<String>,
    last_byte: u8,
}

impl Contents {
    pub(super) fn new(stream: Stream, archives: usize) -> Self {
        let frames = Arc::new(Mutex::new(Frames::new(stream)));
        Contents { frames, current: None, archives, failure: None, last_byte: b'\n' }
    }

    /// Opens the next log; false behind the last.
    fn open_next(&mut self) -> bool {
        let next = lock(&self.frames).next();
        match next {
            Ok(None) => return false,
            Err(error) => self.fail(reason(&error)),
            Ok(Some(frame)) => match (Skip::of(&frame.name), frame.kind) {
                (None, Kind::File) => match open_within(Box::new(Body(Arc::clone(&self.frames))), self.archives) {
                    Ok((stream, _)) => self.current = Some((stream, frame.name)),
                    Err(error) => self.fail(in_file(&error, &frame.name)),
                },
                (None, Kind::Sparse) => self.fail(in_file(&told("a sparse file is not read"), &frame.name)),
                _ => {}
            },
        }
        true
    }

    fn fail(&mut self, words: String) {
        self.failure.get_or_insert(words);
    }
}

/// So much of a name is told.
const TOLD_NAME: usize = 200;

fn in_file(error: &io::Error, name: &str) -> String {
    let name: String = name.chars().take(TOLD_NAME).collect();
    format!("{} (in {name})", reason(error))
}

impl Read for Contents {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if target.is_empty() {
            return Ok(0);
        }
        loop {
            let Some((stream, name)) = &mut self.current else {
                if self.open_next() {
                    continue;
                }
                return self.failure.take().map_or(Ok(0), |words| Err(told(words)));
            };
            match stream.read(target) {
                Ok(0) => self.current = None,
                Ok(count) => {
                    self.last_byte = target[count - 1];
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    let words = in_file(&error, name);
                    self.current = None;
                    self.fail(words);
                }
            }
            // The last line of one file must not run into the first of the next.
            if self.current.is_none() && self.last_byte != b'\n' {
                self.last_byte = b'\n';
                target[0] = b'\n';
                return Ok(1);
            }
        }
    }
}

fn lock(frames: &Mutex<Frames<Stream>>) -> MutexGuard<'_, Frames<Stream>> {
    frames.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The content of the file at hand.
struct Body(Arc<Mutex<Frames<Stream>>>);

impl Read for Body {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        lock(&self.0).read_body(target)
    }
}
