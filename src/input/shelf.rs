//! The decoders of one compressed tar archive.
//!
//! A decoder only goes forward, so each is put back when a member has been read, and the next
//! member takes the one that is furthest along without being past it. Members that are wanted in
//! the order of the archive are so read with a single decoder.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::decompress::{Stream, told, unpack_all};

/// So many decoders wait for a member at most; each holds a few hundred kilobytes.
const MOST_IDLE: usize = 16;

/// The decoders of one archive.
#[derive(Debug)]
pub(super) struct Shelf {
    path: PathBuf,
    idle: Mutex<Vec<Decoder>>,
    /// How many members are being read.
    out: AtomicUsize,
}

struct Decoder {
    stream: Stream,
    /// How far it has come.
    position: u64,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Decoder").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Shelf {
    pub(super) const fn new(path: PathBuf) -> Self {
        Shelf { path, idle: Mutex::new(Vec::new()), out: AtomicUsize::new(0) }
    }

    /// A decoder that is not past that place, the furthest along of them.
    fn take(&self, place: u64) -> io::Result<Decoder> {
        let mut idle = lock(&self.idle);
        let usable = idle.iter().enumerate().filter(|(_, decoder)| decoder.position <= place);
        if let Some((index, _)) = usable.max_by_key(|(_, decoder)| decoder.position) {
            return Ok(idle.swap_remove(index));
        }
        drop(idle);
        let (stream, _) = unpack_all(Box::new(File::open(&self.path)?))?;
        Ok(Decoder { stream, position: 0 })
    }

    /// Puts a decoder back. Of too many, the one furthest along serves the fewest members.
    fn put_back(&self, decoder: Decoder) {
        let mut idle = lock(&self.idle);
        idle.push(decoder);
        if idle.len() > MOST_IDLE
            && let Some((index, _)) = idle.iter().enumerate().max_by_key(|(_, decoder)| decoder.position)
        {
            idle.swap_remove(index);
        }
    }
}

fn lock(idle: &Mutex<Vec<Decoder>>) -> MutexGuard<'_, Vec<Decoder>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A member of a compressed tar archive.
#[derive(Clone, Debug)]
pub struct Unpacked {
    shelf: Arc<Shelf>,
    start: u64,
    length: u64,
}

impl PartialEq for Unpacked {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shelf, &other.shelf) && (self.start, self.length) == (other.start, other.length)
    }
}

impl Eq for Unpacked {}

impl Unpacked {
    pub(super) fn new(shelf: &Arc<Shelf>, start: u64, length: u64) -> Self {
        Unpacked { shelf: Arc::clone(shelf), start, length }
    }

    /// Its length in bytes.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Whether a member of the same archive is being read.
    pub(super) fn is_busy(&self) -> bool {
        self.shelf.out.load(Ordering::Relaxed) > 0
    }

    /// Reads it. Nothing is unpacked before the first byte is wanted.
    pub(super) fn open(&self) -> MemberReader {
        self.shelf.out.fetch_add(1, Ordering::Relaxed);
        MemberReader { member: self.clone(), decoder: None, left: self.length, failed: false }
    }
}

/// Reads one member.
pub(super) struct MemberReader {
    member: Unpacked,
    decoder: Option<Decoder>,
    left: u64,
    failed: bool,
}

impl MemberReader {
    fn decoder(&mut self) -> io::Result<&mut Decoder> {
        if self.decoder.is_none() {
            let mut decoder = self.member.shelf.take(self.member.start)?;
            let ahead = self.member.start - decoder.position;
            let passed = io::copy(&mut (&mut decoder.stream).take(ahead), &mut io::sink())?;
            if passed < ahead {
                return Err(told("the archive ends early"));
            }
            decoder.position = self.member.start;
            self.decoder = Some(decoder);
        }
        self.decoder.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn read_on(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let wanted = target.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let decoder = self.decoder()?;
        let count = decoder.stream.read(&mut target[..wanted])?;
        if count == 0 {
            return Err(told("the archive ends inside this file"));
        }
        decoder.position += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

impl Read for MemberReader {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let result = self.read_on(target);
        self.failed |= result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        result
    }
}

impl Drop for MemberReader {
    fn drop(&mut self) {
        if let Some(decoder) = self.decoder.take().filter(|_| !self.failed) {
            self.member.shelf.put_back(decoder);
        }
        self.member.shelf.out.fetch_sub(1, Ordering::Relaxed);
    }
}
