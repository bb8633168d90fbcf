//! One log, through all its rotations.
//!
//! Its parts are read in the order they were written. Usually there is one: the file that grows. When
//! its path leads to another file, the one at hand is read to its end, then what was rotated away in
//! between, then the new one. When it was emptied in place, the copy that was made before holds what
//! we had not read yet. Rotated files are known by how they begin ([`Head`]), because names move on
//! and compression makes other files of them.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::super::decompress;
use super::super::origin;
use super::super::pipe::Pipe;
use super::head::{Head, is_packed};
use super::part::{Growing, Part, Reading, Step};
use super::siblings::{FileId, Sibling, rest_of_copy, siblings, undisturbed};
use super::{Buffers, Chunk, FileName};

/// A followed log.
pub(super) struct Log {
    pub(super) path: PathBuf,
    /// Whether rotated files are looked for.
    pub(super) rotates: bool,
    /// Whether nothing can follow.
    pub(super) finished: bool,
    /// What must be said, for a person.
    pub(super) notes: Vec<String>,
    parts: VecDeque<Part>,
    /// How the newest rotated files that need not be read begin.
    seen: VecDeque<Head>,
    /// Whether the path was found to lead to another file; the one at hand is read to its end first.
    turned: bool,
    folder: Folder,
    /// How many parts there have been.
    parts_made: u64,
}

/// How many of those are remembered. Files are deleted oldest first.
const SEEN: usize = 64;

/// A file whose path leads elsewhere is read on until nothing was new so often: its writer may not
/// have noticed yet.
const LINGER: u32 = 50;

/// So many files are held open.
const PARTS: usize = 6;

/// The copy of an emptied file is looked for so often. It is there before the file is emptied, but may
/// just be being renamed or compressed.
const TRIES: u32 = 5;

impl Log {
    fn new(path: &Path, rotates: bool) -> Self {
        Log {
            path: path.to_owned(),
            rotates,
            finished: false,
            notes: Vec::new(),
            parts: VecDeque::new(),
            seen: VecDeque::new(),
            turned: false,
            folder: Folder::default(),
            parts_made: 0,
        }
    }

    /// Follows the log whose live file this is, from its beginning; of its rotated files that are there
    /// already, those are read first that are `wanted`.
    pub(super) fn start(path: &Path, rotates: bool, wanted: &dyn Fn(&OsStr) -> bool) -> Self {
        let mut log = Log::new(path, rotates);
        let live = open_live(path);
        let mut older = if rotates { siblings(path) } else { Vec::new() };
        if let Some(at) = live.as_ref().and_then(|(_, id)| older.iter().position(|sibling| sibling.id == *id)) {
            // It was rotated just now, and is read by what was opened; what came later is found again.
            older.truncate(at);
        }
        for sibling in &older {
            let head = Head::of(&sibling.path);
            if wanted(sibling.path.file_name().unwrap_or_default()) {
                log.add_sibling(log.parts.len(), sibling, head);
            } else {
                log.remember(head);
            }
        }
        match live {
            Some((file, id)) => log.add_live(file, id),
            None if !log.parts.is_empty() => {}
            None => log.notes.push("does not exist yet; waiting for it".to_owned()),
        }
        log
    }

    /// Follows a pipe, to its end.
    pub(super) fn of_pipe(name: &str, pipe: Pipe) -> Self {
        let mut log = Log::new(Path::new(name), false);
        log.add(0, Path::new(name), Reading::Pipe(pipe));
        log
    }

    /// A log of which nothing can be read.
    pub(super) fn broken(name: &str, reason: String) -> Self {
        let mut log = Log::new(Path::new(name), false);
        log.add(0, Path::new(name), Reading::Ended).failure = Some(reason);
        log
    }

    /// The next chunk; none if nothing is new.
    pub(super) fn next(&mut self, buffers: &mut Buffers, size: usize) -> Option<Chunk> {
        while !self.finished {
            if let Some(chunk) = self.read(buffers, size) {
                return Some(chunk);
            }
            if !self.look() {
                break;
            }
        }
        None
    }

    /// Nothing more is wanted: gives what is left of a part, part by part.
    pub(super) fn close(&mut self, buffers: &mut Buffers) -> Option<Chunk> {
        let mut part = self.parts.pop_front()?;
        let chunk = part.end(buffers);
        Some(part.into_chunk(chunk))
    }

    /// Whether parts wait for others, or the last is far from read.
    pub(super) fn is_behind(&self) -> bool {
        self.parts.iter().any(Part::is_behind)
    }

    /// The pipe to wait for.
    pub(super) fn pipe(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.parts.front()?.pipe()
    }

    fn read(&mut self, buffers: &mut Buffers, size: usize) -> Option<Chunk> {
        let mut index = 0;
        while let Some(part) = self.parts.get_mut(index) {
            let chunk = match part.step(&self.path, buffers, size) {
                Step::Chunk(chunk) => {
                    part.quiet = 0;
                    chunk
                }
                Step::Ended(chunk) => {
                    let part = self.parts.remove(index)?;
                    self.remember(part.head.clone());
                    self.finished = self.parts.is_empty() && !self.goes_on(&part);
                    return Some(part.into_chunk(chunk));
                }
                Step::Idle => {
                    index += 1;
                    continue;
                }
                Step::First => {
                    self.begin(index)?;
                    continue;
                }
                Step::Emptied => {
                    self.emptied(index)?;
                    continue;
                }
            };
            let (file, name, packing) = ((0, part.number), Arc::clone(&part.name), part.packing);
            return Some(Chunk { file, name, chunk, packing, failure: None });
        }
        None
    }

    /// Whether something may follow when the last part has ended: the path of a log that rotates may
    /// lead to a new file. What is packed is complete, and so is a pipe that has ended.
    fn goes_on(&self, last: &Part) -> bool {
        self.rotates && Path::new(&last.name.name) != self.path
    }

    /// Everything that was there has been read: finds out whether there is more elsewhere. True if it
    /// is worth reading again.
    fn look(&mut self) -> bool {
        if self.pipe().is_some() {
            return false;
        }
        self.retire();
        let found = open_live(&self.path);
        let held = self.parts.back().and_then(Part::growing).map(|growing| growing.id);
        if held.is_some() && found.as_ref().map(|(_, id)| *id) == held {
            self.turned = false;
            return self.find_missed();
        }
        if !self.turned && !self.parts.is_empty() {
            // Between our last look and the rotation something may have been written.
            self.turned = true;
            return true;
        }
        self.turned = false;
        let Some((file, id)) = found else { return self.find_missed() };
        let Some(unread) = self.unread(Some(id), &Head::of_open(&file)) else { return false };
        self.add_siblings(self.parts.len(), &unread);
        self.add_live(file, id);
        true
    }

    /// Files that were left behind by their writer end.
    fn retire(&mut self) {
        let goes_on = self.parts.back().and_then(Part::growing).is_some_and(|growing| growing.at > 0);
        let last = self.parts.len().saturating_sub(1);
        let many = self.parts.len() > PARTS;
        for (index, part) in self.parts.iter_mut().take(last).enumerate() {
            part.quiet += 1;
            if part.growing().is_some() && (part.quiet > LINGER && goes_on || many && index == 0) {
                part.reading = Reading::Ended;
            }
        }
    }

    /// Finds what was rotated away before we saw anything of it: while the path led nowhere, or while
    /// all we knew was an empty file. True if there is something.
    fn find_missed(&mut self) -> bool {
        let growing = self.parts.back().and_then(Part::growing);
        let unseen = self.parts.back().is_some_and(|part| part.head.is_empty());
        let (at, now) = match growing {
            Some(_) if !unseen && self.path.exists() => return false,
            Some(growing) if unseen && self.path.exists() => (self.parts.len() - 1, Head::of_open(&growing.file)),
            _ => (self.parts.len(), Head::default()),
        };
        if !self.rotates || !self.folder.has_changed(&self.path) {
            return false;
        }
        let unread = self.unread(None, &now).unwrap_or_default();
        self.add_siblings(at, &unread);
        !unread.is_empty()
    }

    /// A file was emptied in place. What had not been read of it is in the copy that was made before;
    /// then comes what was rotated since, then the file from its beginning. None if the copy must be
    /// looked for again.
    fn emptied(&mut self, index: usize) -> Option<()> {
        let Part { reading: Reading::Growing(growing), head, .. } = self.parts.get(index)? else { return None };
        let copy = match self.rotates && !head.is_empty() {
            true => rest_of_copy(&self.path, head, growing.at, &growing.before),
            false => None,
        };
        let unread = self.unread(Some(growing.id), &Head::of_open(&growing.file));
        let part = self.parts.get_mut(index)?;
        let unseen = part.head.is_empty();
        if (copy.is_none() && !unseen || unread.is_none()) && self.rotates && part.tries < TRIES {
            part.tries += 1;
            return None;
        }
        if copy.is_none() && !unseen {
            let note = "emptied in place, and no copy of it was found: what was written last may be missing";
            self.notes.push(note.to_owned());
        }
        let rest = copy.map_or(Reading::Ended, Reading::Finite);
        let Reading::Growing(Growing { file, id, .. }) = std::mem::replace(&mut part.reading, rest) else {
            return None;
        };
        let unread = unread.unwrap_or_default();
        self.add_siblings(index + 1, &unread);
        let path = self.path.clone();
        self.add(index + 1 + unread.len(), &path, Reading::Growing(Growing::new(file, id)));
        Some(())
    }

    /// The first bytes of a file have come: what was rotated away before they were written comes first.
    /// None if that cannot be told yet, because files are being renamed.
    fn begin(&mut self, index: usize) -> Option<()> {
        let growing = self.parts.get(index)?.growing()?;
        let now = Head::of_open(&growing.file);
        let unread = self.unread(Some(growing.id), &now)?;
        let moved = open_live(&self.path).is_none_or(|(_, id)| id != growing.id);
        let known = moved && self.knows_head(&now);
        let Part { reading, .. } = self.parts.get_mut(index)?;
        match reading {
            // It was empty when it was opened, and has been rotated, compressed and read under its new name.
            reading if known => *reading = Reading::Ended,
            Reading::Growing(growing) => growing.expected = Some(now),
            _ => {}
        }
        self.add_siblings(index, &unread);
        Some(())
    }

    /// The rotated files that are newer than what is known, and not newer than a file that may be among
    /// them by now; none if they are being renamed. `now` is how that file begins if nothing was read of it
    /// yet: a copy of it is not to be read.
    fn unread(&self, file: Option<FileId>, now: &Head) -> Option<Vec<(Sibling, Head)>> {
        if !self.rotates {
            return Some(Vec::new());
        }
        undisturbed(&self.path, |mut found| {
            if let Some(at) = file.and_then(|id| found.iter().position(|sibling| sibling.id == id)) {
                found.truncate(at);
            }
            let mut unread = Vec::new();
            for sibling in found.into_iter().rev() {
                let head = sibling.head()?;
                if self.knows(&sibling, &head) {
                    break;
                }
                if now.begins(&head) {
                    // What is newer than the copy is newer than the file.
                    unread.clear();
                } else if !head.is_empty() {
                    unread.push((sibling, head));
                }
            }
            unread.reverse();
            Ok(unread)
        })
    }

    /// Whether a rotated file is one that was read, is being read, or need not be.
    fn knows(&self, sibling: &Sibling, head: &Head) -> bool {
        self.parts.iter().filter_map(Part::growing).any(|growing| growing.id == sibling.id) || self.knows_head(head)
    }

    fn knows_head(&self, head: &Head) -> bool {
        self.parts.iter().map(|part| &part.head).chain(&self.seen).any(|known| known.begins(head))
    }

    fn remember(&mut self, head: Head) {
        if !head.is_empty() && !self.seen.contains(&head) {
            self.seen.push_back(head);
        }
        if self.seen.len() > SEEN {
            self.seen.pop_front();
        }
    }

    fn add_siblings(&mut self, at: usize, siblings: &[(Sibling, Head)]) {
        for (index, (sibling, head)) in siblings.iter().enumerate() {
            self.add_sibling(at + index, sibling, head.clone());
        }
    }

    fn add_sibling(&mut self, at: usize, sibling: &Sibling, head: Head) {
        let shown = self.path.with_file_name(sibling.path.file_name().unwrap_or_default());
        self.add(at, &shown, Reading::Path(sibling.path.clone())).head = head;
    }

    fn add_live(&mut self, file: File, id: FileId) {
        let path = self.path.clone();
        let reading = match is_packed(&file) {
            false => Ok((Reading::Growing(Growing::new(file, id)), decompress::Packing::Plain)),
            true => decompress::open(file).map(|(stream, packing)| (Reading::Finite(stream), packing)),
        };
        let at = self.parts.len();
        match reading {
            Ok((reading, packing)) => self.add(at, &path, reading).packing = packing,
            Err(error) => self.add(at, &path, Reading::Ended).failure = Some(decompress::reason(&error)),
        }
    }

    fn add(&mut self, at: usize, path: &Path, reading: Reading) -> &mut Part {
        let name = path.to_string_lossy().into_owned();
        let origin = origin::of_all(std::slice::from_ref(&name)).pop().unwrap_or_default();
        let name = FileName { name, origin };
        self.parts_made += 1;
        self.parts.insert(at, Part::new(self.parts_made, Arc::new(name), reading));
        &mut self.parts[at]
    }
}

/// The file a path leads to, and which one that is.
fn open_live(path: &Path) -> Option<(File, FileId)> {
    let file = File::open(path).ok()?;
    let data = file.metadata().ok().filter(fs::Metadata::is_file)?;
    Some((file, FileId::of(&data)))
}

/// Tells whether names in a folder may have changed.
#[derive(Default)]
struct Folder {
    changed: Option<SystemTime>,
    /// Clocks of file systems are coarse: so often it is looked at again.
    again: u32,
}

/// See [`Folder::again`].
const AGAIN: u32 = 3;

impl Folder {
    fn has_changed(&mut self, live: &Path) -> bool {
        let real = live.canonicalize().unwrap_or_else(|_| live.to_owned());
        let folder = real.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let changed = fs::metadata(folder).and_then(|data| data.modified()).ok();
        if changed != self.changed {
            self.changed = changed;
            self.again = AGAIN;
            return true;
        }
        self.again = self.again.saturating_sub(1);
        self.again > 0
    }
}
