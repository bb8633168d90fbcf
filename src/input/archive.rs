//! What an archive that is a file holds: its members, each to be read as a source of its own.
//!
//! Of a tar archive a member is a stretch of the file; of a zip archive too, perhaps packed. The
//! members of a compressed tar archive can only be reached through everything before them: it is
//! unpacked once to find them, which keeps nothing, and then once more to read them ([`super::shelf`]).

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::copies;
use super::decompress::{self, Packing, Stream, reason, unpack_all};
use super::section::{Section, SectionReader};
use super::shelf::{Shelf, Unpacked};
use super::skip::Skip;
use super::source::Inside;
use super::tar::{BLOCK, Frame, Frames, Kind, Pass, is_header};
use super::zip::{self, is_zip};

/// No more members of one archive are told of, so that a small archive cannot fill the memory.
const MOST_MEMBERS: usize = 100_000;

/// Nor are more bytes of their names.
const MOST_NAMES: usize = 32 << 20;

/// What an archive holds.
#[derive(Default)]
pub(super) struct Listing {
    /// In the order of the archive.
    pub(super) members: Vec<Member>,
    /// Members that cannot be read: name and reason.
    pub(super) unreadable: Vec<(String, String)>,
    /// Members that are no logs, where that needs words.
    pub(super) skipped: Vec<(String, String)>,
    /// How many links there are, and the name of the first.
    pub(super) links: u64,
    pub(super) first_link: Option<String>,
    /// Why the list ends early.
    pub(super) failure: Option<String>,
    /// How many members were told of, and the bytes of their names.
    told: usize,
    names: usize,
}

/// One file in an archive.
pub(super) struct Member {
    /// Its path in there.
    pub(super) name: String,
    pub(super) inside: Inside,
    /// How its content begins, where finding out later would cost much.
    pub(super) head: Option<u64>,
}

/// What the file holds if it is an archive; none if it is not, or cannot be opened, which it will say
/// when it is read.
pub(super) fn list(path: &Path) -> Option<Listing> {
    let file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let section = Arc::new(Section::whole(file));
    let mut head = [0; BLOCK];
    let count = section.fill_at(&mut head, 0).ok()?;
    let head = &head[..count];
    if is_zip(head) {
        return Some(zip::list(File::open(path).ok()?));
    }
    let reader = SectionReader::new(section, None);
    if is_header(head) {
        let inside = |frame: &Frame| Inside::Range { start: frame.start, length: frame.length };
        return Some(list_tar(Frames::new(reader), Some(length), inside));
    }
    match Packing::of(head) {
        Packing::Plain => None,
        // Nothing comes out of bzip2 before a whole block is unpacked, which for every rotated log in a
        // directory would be felt. An archive with another name is still read, as one stream.
        Packing::Bzip2 if !is_named_tar(path) => None,
        _ => list_compressed(reader, path),
    }
}

fn list_compressed(reader: SectionReader, path: &Path) -> Option<Listing> {
    let (stream, _) = unpack_all(Box::new(reader)).ok()?;
    let (head, stream) = decompress::peek(stream, BLOCK, |_| false).ok()?;
    if !is_header(&head) {
        return None;
    }
    let shelf = Arc::new(Shelf::new(path.to_owned()));
    let inside = |frame: &Frame| Inside::Unpacked(Unpacked::new(&shelf, frame.start, frame.length));
    Some(list_tar(Frames::<Stream>::new(stream), None, inside))
}

fn is_named_tar(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains(".tar.") || name.contains(".tb")
}

/// Lists a tar archive: a file of that length, or a stream.
fn list_tar<R: Pass>(mut frames: Frames<R>, length: Option<u64>, inside: impl Fn(&Frame) -> Inside) -> Listing {
    let mut listing = Listing::default();
    // Where the last member ends, if it is to be read.
    let mut last = None;
    loop {
        match frames.next() {
            Ok(None) => break,
            Ok(Some(frame)) => {
                last = None;
                if !listing.admits(&frame.name, frame.kind) {
                    if listing.failure.is_some() {
                        break;
                    }
                    continue;
                }
                last = Some(frame.start.saturating_add(frame.length));
                // Of a file the beginning is found again by its place.
                let head = if length.is_none() { copies::head_of(&frames.beginning()) } else { None };
                let inside = inside(&frame);
                listing.members.push(Member { name: frame.name, inside, head });
            }
            Err(error) => {
                // A member that is cut off says so itself when it is read.
                let is_cut_off = |end| length.map_or(!frames.is_behind_body(), |length| end > length);
                if !last.is_some_and(is_cut_off) {
                    listing.failure = Some(reason(&error));
                }
                break;
            }
        }
    }
    listing
}

impl Listing {
    /// Whether a member is to be read; notes why not. The list ends with a failure when it is full.
    pub(super) fn admits(&mut self, name: &str, kind: Kind) -> bool {
        let skip = Skip::of(name);
        if skip == Some(Skip::Hidden) || kind == Kind::Other || self.is_full(name) {
            return false;
        }
        match (skip, kind) {
            (Some(Skip::Because(why)), Kind::File) => self.skipped.push((name.to_owned(), why.to_owned())),
            (None, Kind::File) => return true,
            (None, Kind::Sparse) => self.unreadable.push((name.to_owned(), "a sparse file is not read".to_owned())),
            (None, Kind::Link) => {
                self.links += 1;
                self.first_link.get_or_insert_with(|| name.to_owned());
            }
            _ => {}
        }
        false
    }

    /// Whether there is no room for one more name.
    fn is_full(&mut self, name: &str) -> bool {
        self.told += 1;
        self.names += name.len();
        let full = self.told > MOST_MEMBERS || self.names > MOST_NAMES;
        if full {
            let room = format!("{MOST_MEMBERS} files, or {} MiB of names", MOST_NAMES >> 20);
            self.failure = Some(format!("the archive has more than {room}; the others are not read"));
        }
        full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_an_archive_is_bounded() {
        let mut listing = Listing::default();
        assert!((0..MOST_MEMBERS).all(|_| listing.admits("audit.log", Kind::File)));
        assert!(!listing.admits(".hidden", Kind::File) && listing.failure.is_none(), "what is not told takes no room");
        assert!(!listing.admits("audit.log", Kind::File) && listing.failure.is_some());
        let mut listing = Listing::default();
        let name = "x".repeat(MOST_NAMES / 100);
        assert!((0..100).all(|_| listing.admits(&name, Kind::File)));
        assert!(!listing.admits(&name, Kind::File) && listing.failure.is_some());
    }
}
