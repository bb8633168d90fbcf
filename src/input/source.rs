//! The inputs: what each is called, where its bytes are, whose log it is. `walk` finds them.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

use super::decompress::{self, Stream};
use super::gzip::Members;
use super::rotation::RotationKey;
use super::section::{Section, SectionReader};
use super::shelf::Unpacked;
use super::zip::Deflated;
use crate::event::OwnedOrigin;

pub use super::walk::discover;

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is called in answers: the path as given or found, `-` for standard input. A member of
    /// an archive is `archive:path/inside`.
    pub name: String,
    /// The file that holds it; none for standard input.
    pub path: Option<PathBuf>,
    /// Where in that file it is.
    pub inside: Inside,
    /// Whether its last line may still be being written.
    pub live: bool,
    /// Whose log it is, as far as its path tells.
    pub origin: OwnedOrigin,
}

/// Where in a file a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inside {
    /// It is the file.
    Whole,
    /// So many bytes from a place on: a member of an archive that is not packed.
    Range {
        /// Offset of the first byte.
        start: u64,
        /// How many there are.
        length: u64,
    },
    /// A packed member of a zip archive.
    Deflated(Deflated),
    /// A member of a compressed tar archive.
    Unpacked(Unpacked),
}

impl Source {
    /// A file.
    pub fn file(name: &str, path: PathBuf, live: bool) -> Self {
        let (name, origin) = (name.to_owned(), OwnedOrigin::default());
        Source { name, path: Some(path), inside: Inside::Whole, live, origin }
    }

    /// Whether it can be read a second time: files can, pipes and standard input cannot.
    pub fn is_rereadable(&self) -> bool {
        self.path.as_ref().is_some_and(|path| fs::metadata(path).is_ok_and(|data| data.is_file()))
    }

    /// How many bytes there are to read, before decompression; none for what is no file.
    pub fn size(&self) -> Option<u64> {
        match &self.inside {
            Inside::Whole => {
                let data = fs::metadata(self.path.as_ref()?).ok()?;
                data.is_file().then_some(data.len())
            }
            Inside::Range { length, .. } => Some(*length),
            Inside::Deflated(member) => Some(member.length),
            Inside::Unpacked(member) => Some(member.length()),
        }
    }

    /// Whether something else is being read that would have to be unpacked once more to read this too.
    pub fn is_busy(&self) -> bool {
        matches!(&self.inside, Inside::Unpacked(member) if member.is_busy())
    }

    /// Its bytes as the file or archive has them.
    pub(super) fn raw(&self) -> io::Result<Stream> {
        let Some(path) = &self.path else { return Err(io::ErrorKind::NotFound.into()) };
        let section = |start, length| -> io::Result<SectionReader> {
            Ok(SectionReader::new(Arc::new(Section::from(File::open(path)?, start)), length))
        };
        Ok(match &self.inside {
            Inside::Whole => Box::new(section(0, None)?),
            Inside::Range { start, length } => Box::new(section(*start, Some(*length))?),
            Inside::Deflated(member) => {
                let packed = BufReader::with_capacity(PACKED, section(member.start, Some(member.length))?);
                Box::new(Members::bare(packed, member.checksum, member.size))
            }
            Inside::Unpacked(member) => Box::new(member.open()),
        })
    }

    /// Its bytes as they are read.
    pub(super) fn content(&self) -> io::Result<Stream> {
        Ok(decompress::open(self.raw()?)?.0)
    }
}

impl Source {
    /// The lines that begin at or hold these offsets, which rise; none where it cannot be read once more.
    pub fn lines_at(&self, offsets: &[u64]) -> Option<Vec<u64>> {
        if !self.is_rereadable() {
            return None;
        }
        let mut content = BufReader::new(self.content().ok()?);
        let (mut at, mut line, mut lines) = (0, 1, Vec::with_capacity(offsets.len()));
        for &offset in offsets {
            while at < offset {
                let block = content.fill_buf().ok().filter(|block| !block.is_empty())?;
                let length = usize::try_from(offset - at).map_or(block.len(), |left| left.min(block.len()));
                line += memchr::memchr_iter(b'\n', block.get(..length)?).count() as u64;
                content.consume(length);
                at += length as u64;
            }
            lines.push(line);
        }
        Some(lines)
    }
}

/// Packed bytes that are read at once; see [`decompress`].
const PACKED: usize = 128 * 1024;

impl Source {
    /// Whether it is the next file of the log that `before` is a file of, so that a line may begin there and
    /// end here.
    pub fn continues(&self, before: &Source) -> bool {
        let log = |source: &Source| {
            let path = match source.inside {
                Inside::Whole => source.path.clone()?,
                // Members of an archive are told apart by their names.
                _ => PathBuf::from(&source.name),
            };
            let family = RotationKey::of(&path.file_name()?.to_string_lossy()).family;
            Some((path.parent()?.to_owned(), family))
        };
        log(self).is_some_and(|mine| log(before) == Some(mine))
    }
}

/// The inputs of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// In reading order.
    pub sources: Vec<Source>,
    /// What could not even be looked at: path and reason.
    pub unreadable: Vec<(String, String)>,
    /// Files left out because they are no logs or another file has the same content: path and reason.
    pub skipped: Vec<(String, String)>,
}

/// An I/O error in words, without the number.
pub(crate) fn plain_reason(error: &io::Error) -> String {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
