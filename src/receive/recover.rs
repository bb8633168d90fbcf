//! What the last run left: the directory is taken over, a torn end cut off, and what was written
//! lately is remembered again.
//!
//! A receiver that is killed may have written a part of a batch, or all of it without having
//! answered; either way the API server sends the batch again. Half a line at the end is cut off.
//! Whole lines stay, and are known when they come again.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

use super::list::key;
use super::recent::{GENERATION, Key, Recent};
use super::rotate::{LIVE, backups, remove_parts};
use super::store::open_live;
use crate::input::decompress;

/// So many bytes of the log are read to remember what was written lately.
const READ_BACK: u64 = 1 << 30;

/// JSON lines are compressed about so many times.
const GZIP_FACTOR: u64 = 10;

/// What was found.
pub(super) struct Found {
    pub(super) live: File,
    pub(super) length: u64,
    /// When the newest rotated file was rotated.
    pub(super) newest: Option<i64>,
    pub(super) recent: Recent,
    /// So many bytes of half a line were cut off.
    pub(super) torn: u64,
    /// Rotated files that could not be read back.
    pub(super) unread: Vec<(PathBuf, io::Error)>,
    /// Held as long as the receiver runs.
    pub(super) lock: File,
}

/// Takes over a directory, making it if need be.
///
/// # Errors
/// Fails when it cannot be made or written, or when another receiver has it.
pub(super) fn take_over(directory: &Path) -> Result<Found, String> {
    let told = |error: io::Error| error.to_string();
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(told)?;
    let lock = File::open(directory).map_err(told)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err("another receiver writes there".to_owned()),
        Err(std::fs::TryLockError::Error(error)) => return Err(format!("cannot be locked: {error}")),
    }
    recover(directory, lock).map_err(told)
}

fn recover(directory: &Path, lock: File) -> io::Result<Found> {
    remove_parts(directory)?;
    let live = open_live(directory)?;
    let whole = whole_lines(&live)?;
    let torn = live.metadata()?.len() - whole;
    if torn > 0 {
        live.set_len(whole)?;
    }
    // What is there may never have reached the disk, and repeats of it will be answered at once.
    live.sync_all()?;
    let newest = backups(directory)?.last().map(|backup| backup.stamp);
    let (recent, unread) = remember(directory, whole)?;
    Ok(Found { live, length: whole, newest, recent, torn, unread, lock })
}

/// The length of the file up to its last line feed.
fn whole_lines(file: &File) -> io::Result<u64> {
    const BLOCK: u64 = 1 << 16;
    let mut end = file.metadata()?.len();
    let mut block = vec![0; BLOCK as usize];
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let part = &mut block[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Remembers the lines written last, from as many files as it takes.
fn remember(directory: &Path, live: u64) -> io::Result<(Recent, Vec<(PathBuf, io::Error)>)> {
    let mut files = vec![(directory.join(LIVE), live.saturating_sub(READ_BACK))];
    let mut bytes = live;
    for backup in backups(directory)?.into_iter().rev() {
        if bytes >= READ_BACK {
            break;
        }
        let size = std::fs::metadata(&backup.path)?.len();
        let packed = backup.is_compressed();
        let text = if packed { size.saturating_mul(GZIP_FACTOR) } else { size };
        let skipped = if packed { 0 } else { (bytes + text).saturating_sub(READ_BACK) };
        files.push((backup.path, skipped));
        bytes += text;
    }
    let (mut keys, mut unread) = (VecDeque::new(), Vec::new());
    for (path, skipped) in files.into_iter().rev() {
        if let Err(error) = keys_of(&path, skipped, &mut keys) {
            unread.push((path, error));
        }
    }
    let mut recent = Recent::default();
    keys.into_iter().for_each(|key| recent.insert(key));
    Ok((recent, unread))
}

/// Reads the lines of a file that end behind `skipped`.
fn keys_of(path: &Path, skipped: u64, keys: &mut VecDeque<Key>) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(skipped))?;
    let stream: Box<dyn Read> = if skipped == 0 { decompress::open(file)?.0 } else { Box::new(file) };
    let mut reader = BufReader::with_capacity(1 << 18, stream);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.pop_if(|last| *last == b'\n').is_some() {
            keys.push_back(key(&line));
        }
        if keys.len() > GENERATION {
            keys.pop_front();
        }
        line.clear();
    }
    Ok(())
}
