//! The rotated files of a log, found beside it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::decompress::{Packing, Stream};
use super::super::rotation::{RotationKey, without_compression};
use super::head::{Head, open};

/// Which file it is, for as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

impl FileId {
    pub(super) fn of(data: &fs::Metadata) -> Self {
        FileId(data.dev(), data.ino())
    }
}

/// A rotated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sibling {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    key: RotationKey,
}

/// The path of a rotated file leads to another one by now: the next rotation has begun.
#[derive(Debug)]
pub(super) struct Moved;

impl Sibling {
    /// How it begins.
    pub(super) fn head(&self) -> Result<Head, Moved> {
        let head = Head::of(&self.path);
        self.is_there().then_some(head).ok_or(Moved)
    }

    /// Whether its path leads to it. Asked after reading, that proves what was read.
    fn is_there(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|data| FileId::of(&data) == self.id)
    }
}

/// So often what a rotation disturbs is tried again at once.
const ATTEMPTS: u32 = 16;

/// Tries something with the rotated files of a log until no rotation interferes.
pub(super) fn undisturbed<T>(live: &Path, mut attempt: impl FnMut(Vec<Sibling>) -> Result<T, Moved>) -> Option<T> {
    (0..ATTEMPTS).find_map(|_| attempt(siblings(live)).ok())
}

/// The rotated files of the log with this live file, oldest first. Empty ones, and compressed ones
/// beside the file they were made from, which may not be complete yet, are left out.
pub(super) fn siblings(live: &Path) -> Vec<Sibling> {
    let mut last = listed(live);
    for _ in 0..ATTEMPTS {
        // A file that is renamed meanwhile may not be listed at all.
        let next = listed(live);
        if next == last {
            break;
        }
        last = next;
    }
    last
}

fn listed(live: &Path) -> Vec<Sibling> {
    // A link leads to where the files are rotated.
    let real = live.canonicalize().unwrap_or_else(|_| live.to_owned());
    let (Some(name), Some(folder)) = (real.file_name(), real.parent()) else { return Vec::new() };
    let family = RotationKey::of(&name.to_string_lossy()).family;
    let Ok(entries) = fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }) else {
        return Vec::new();
    };
    let mut found: Vec<Sibling> =
        entries.filter_map(Result::ok).filter_map(|entry| sibling(entry.path(), &family)).collect();
    let plain: Vec<PathBuf> = found.iter().map(|sibling| sibling.path.clone()).collect();
    found.retain(|sibling| {
        let name = sibling.path.file_name().unwrap_or_default().to_string_lossy();
        let twin = without_compression(&name);
        twin.len() == name.len() || !plain.contains(&sibling.path.with_file_name(twin))
    });
    found.sort_by(|a, b| (&a.key, &a.path).cmp(&(&b.key, &b.path)));
    found
}

fn sibling(path: PathBuf, family: &str) -> Option<Sibling> {
    let key = RotationKey::of(&path.file_name()?.to_string_lossy());
    if key.family != family || key.is_live() {
        return None;
    }
    let data = fs::metadata(&path).ok().filter(|data| data.is_file() && data.len() > 0)?;
    Some(Sibling { id: FileId::of(&data), path, key })
}

/// The rotated file that begins like this, wherever it is by now.
pub(super) fn find(live: &Path, head: &Head) -> Option<(Stream, Packing)> {
    undisturbed(live, |found| {
        for sibling in found.iter().rev() {
            if head.begins(&sibling.head()?) {
                let opened = open(&sibling.path, 0).map_err(|_| Moved)?;
                return sibling.is_there().then_some(Some(opened)).ok_or(Moved);
            }
        }
        Ok(None)
    })?
}

/// What the newest rotated copy holds behind a place: one that begins like what was read up to there,
/// with these bytes before the place.
pub(super) fn rest_of_copy(live: &Path, head: &Head, at: u64, before: &[u8]) -> Option<Stream> {
    undisturbed(live, |found| {
        for sibling in found.iter().rev() {
            if !head.begins(&sibling.head()?) {
                continue;
            }
            let (mut stream, _) = open(&sibling.path, at - before.len() as u64).map_err(|_| Moved)?;
            let mut known = vec![0; before.len()];
            let same = stream.read_exact(&mut known).is_ok() && known == before;
            if !sibling.is_there() {
                return Err(Moved);
            }
            if same {
                return Ok(Some(stream));
            }
        }
        Ok(None)
    })?
}
