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

/// No more members of one archive are read, so that a small archive cannot fill the memory.
pub(super) const MOST_MEMBERS: usize = 100_000;

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
                    continue;
                }
                if listing.is_full() {
                    break;
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
    /// Whether a member is to be read; notes why not.
    pub(super) fn admits(&mut self, name: &str, kind: Kind) -> bool {
        match (Skip::of(name), kind) {
            (None, Kind::File) => return true,
            (None, Kind::Link) => {
                self.links += 1;
                self.first_link.get_or_insert_with(|| name.to_owned());
            }
            (None, Kind::Sparse) => self.unreadable.push((name.to_owned(), "a sparse file is not read".to_owned())),
            (Some(Skip::Because(why)), Kind::File) => self.skipped.push((name.to_owned(), why.to_owned())),
            _ => {}
        }
        false
    }

    /// Whether no further member is read; notes that there was one.
    pub(super) fn is_full(&mut self) -> bool {
        let full = self.members.len() >= MOST_MEMBERS;
        if full {
            self.failure = Some(format!("the archive has more than {MOST_MEMBERS} files; the others are not read"));
        }
        full
    }
}
