//! By what a file is known again after it was renamed, copied or compressed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::super::decompress::{self, Packing, Stream};
use super::super::tar::BLOCK;

/// So many bytes are compared. Events begin with their audit id and end with their time, and of two
/// files of one log no two begin with the same one.
const LENGTH: usize = 1024;

/// The first bytes of a file that say something: NUL bytes, which an emptied file begins with when its
/// writer goes on at its old place, are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    at: u64,
    bytes: Vec<u8>,
}

impl Head {
    /// Takes note of bytes that were read at an offset, if they follow what it holds.
    pub(super) fn read(&mut self, offset: u64, bytes: &[u8]) {
        let mut fresh = bytes;
        if self.bytes.is_empty() {
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
            (self.at, fresh) = (offset + zeros as u64, &bytes[zeros..]);
        } else if offset != self.at + self.bytes.len() as u64 {
            return;
        }
        let missing = LENGTH - self.bytes.len();
        self.bytes.extend_from_slice(&fresh[..fresh.len().min(missing)]);
    }

    /// Whether nothing was read that says something.
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// That of a file, whatever it is packed with; empty if there is nothing to know it by.
    pub(super) fn of(path: &Path) -> Head {
        match open(path, 0) {
            Ok((mut stream, _)) => Head::of_bytes(|target, _| stream.read(target)),
            Err(_) => Head::default(),
        }
    }

    /// That of an open plain file as it is now.
    pub(super) fn of_open(file: &File) -> Head {
        Head::of_bytes(|target, at| file.read_at(target, at))
    }

    fn of_bytes(mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>) -> Head {
        let (mut head, mut at, mut buffer) = (Head::default(), 0, vec![0; 64 * LENGTH]);
        // What was decoded before an error is a beginning, too.
        while head.bytes.len() < LENGTH
            && let Ok(got) = read(&mut buffer, at)
            && got > 0
        {
            head.read(at, &buffer[..got]);
            at += got as u64;
        }
        head
    }

    /// Whether an open plain file still begins like that.
    pub(super) fn is_of(&self, file: &File) -> bool {
        let mut found = [0; LENGTH];
        let found = &mut found[..self.bytes.len()];
        read_at(file, found, self.at) && *found == self.bytes
    }

    /// Whether this is the beginning of what another head is of.
    pub(super) fn begins(&self, other: &Head) -> bool {
        !self.is_empty() && self.at == other.at && other.bytes.starts_with(&self.bytes)
    }
}

/// Fills `target` with what stands at an offset, if there is so much.
pub(super) fn read_at(file: &File, target: &mut [u8], offset: u64) -> bool {
    file.read_exact_at(target, offset).is_ok()
}

/// Opens a file from an offset of its content on, however it is packed.
pub(super) fn open(path: &Path, from: u64) -> io::Result<(Stream, Packing)> {
    let mut file = File::open(path)?;
    if !is_packed(&file) {
        file.seek(SeekFrom::Start(from))?;
        return Ok((Box::new(file), Packing::Plain));
    }
    let (mut stream, packing) = decompress::open(file)?;
    io::copy(&mut stream.by_ref().take(from), &mut io::sink())?;
    Ok((stream, packing))
}

/// Whether an open file is compressed, or text of another encoding: read once, and not followed.
pub(super) fn is_packed(file: &File) -> bool {
    let mut head = [0; BLOCK];
    let got = file.read_at(&mut head, 0).unwrap_or_default();
    !decompress::is_plain(&head[..got])
}
