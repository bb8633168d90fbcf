//! A stretch of a file, read by position: a whole file, or the bytes that a member of an archive
//! occupies in it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::decompress::told;
use super::tar::Pass;

/// A file from some byte on. Offsets count from there.
#[derive(Debug)]
pub struct Section {
    file: File,
    base: u64,
}

impl Section {
    /// The whole file.
    pub const fn whole(file: File) -> Self {
        Section { file, base: 0 }
    }

    /// The file from `base` on.
    pub(super) const fn from(file: File, base: u64) -> Self {
        Section { file, base }
    }

    /// Reads what stands at an offset; fewer bytes than asked for where the file ends, or at any time.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, self.base.saturating_add(offset))
    }

    /// Fills as much of the buffer as there is, and tells how much that is.
    pub(super) fn fill_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// Reads a section from its first byte on.
#[derive(Debug)]
pub(super) struct SectionReader {
    section: Arc<Section>,
    at: u64,
    /// Where the section ends, if that is not where the file does.
    end: Option<u64>,
}

impl SectionReader {
    /// Reads so many bytes, which the file should have, or to its end.
    pub(super) const fn new(section: Arc<Section>, length: Option<u64>) -> Self {
        SectionReader { section, at: 0, end: length }
    }
}

impl Read for SectionReader {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let left = self.end.map_or(u64::MAX, |end| end.saturating_sub(self.at));
        let wanted = target.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.section.read_at(&mut target[..wanted], self.at)?;
        if count == 0 && wanted > 0 && self.end.is_some() {
            return Err(told("the archive ends inside this file"));
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Pass for SectionReader {
    fn pass(&mut self, count: u64) -> io::Result<()> {
        self.at = self.at.saturating_add(count);
        Ok(())
    }
}
