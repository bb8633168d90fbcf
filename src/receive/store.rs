//! The log on disk: batches are appended whole, and what could not be kept is cut off again.
//!
//! `append` returns only when everything it was given is on the disk, so whoever called it may answer
//! the API server. When anything goes wrong, the file is cut back to where it was, nothing is
//! remembered as written, and the API server, which saw no success, sends the batches again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::list::Lines;
use super::recent::{Key, Recent};
use super::rotate::{LIVE, Rotation, next_name, sync_directory};
use crate::event::Timestamp;

/// The live file and what is known of it.
pub(super) struct Store {
    directory: PathBuf,
    live: File,
    /// How long the live file is when all is well.
    length: u64,
    /// Whether the file may be longer than that, because it could not be cut back.
    ragged: bool,
    rotation: Rotation,
    /// When the newest rotated file was rotated.
    newest: Option<i64>,
    sync: bool,
    now: fn() -> Timestamp,
    recent: Recent,
    /// What was kept so far.
    pub(super) totals: Totals,
}

/// What was kept so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Totals {
    /// Batches answered with success.
    pub batches: u64,
    /// Events written.
    pub events: u64,
    /// Events not written because they had been written before.
    pub repeats: u64,
    /// Bytes written.
    pub bytes: u64,
    /// How often the disk was waited for.
    pub syncs: u64,
}

/// What a call of [`Store::append`] did besides.
#[derive(Default, Debug)]
pub(super) struct Rotated {
    /// The live file was rotated.
    pub(super) done: bool,
    /// It should have been, and could not.
    pub(super) failure: Option<io::Error>,
}

/// How a store is made.
pub(super) struct Setup {
    pub(super) directory: PathBuf,
    pub(super) live: File,
    pub(super) length: u64,
    pub(super) newest: Option<i64>,
    pub(super) recent: Recent,
    pub(super) rotation: Rotation,
    pub(super) sync: bool,
    pub(super) now: fn() -> Timestamp,
}

impl Store {
    pub(super) fn new(setup: Setup) -> Self {
        let Setup { directory, live, length, newest, recent, rotation, sync, now } = setup;
        let totals = Totals::default();
        Store { directory, live, length, ragged: false, rotation, newest, sync, now, recent, totals }
    }

    /// Appends batches and waits until they are on the disk.
    ///
    /// # Errors
    /// Fails when not all of them could be kept; then none is.
    pub(super) fn append(&mut self, batches: &[&Lines]) -> io::Result<Rotated> {
        self.look()?;
        let bytes: usize = batches.iter().map(|lines| lines.text.len()).sum();
        let rotated = self.rotate_for(bytes as u64);
        let start = self.length;
        let mut fresh = Vec::new();
        let mut kept = Totals { batches: batches.len() as u64, ..Totals::default() };
        let written = batches.iter().try_for_each(|lines| self.write(lines, &mut fresh, &mut kept));
        if let Err(error) = written.and_then(|()| self.settle(&mut kept)) {
            self.recent.forget(&fresh);
            self.cut_back(start);
            return Err(error);
        }
        self.totals.add(&kept);
        Ok(rotated)
    }

    /// Waits for the disk once more, where that is not done for every batch.
    ///
    /// # Errors
    /// Fails when the file cannot be synced.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.live.sync_data()
    }

    /// Writes what is new of a batch, with one call.
    fn write(&mut self, lines: &Lines, fresh: &mut Vec<Key>, kept: &mut Totals) -> io::Result<()> {
        // Against what was written before this batch: two equal events in one batch are two events.
        let repeats = lines.keys.iter().filter(|&&key| self.recent.contains(key)).count();
        let mut rest = Vec::new();
        let text = if repeats == 0 {
            lines.text.as_slice()
        } else {
            let new = lines.each().filter(|&(_, key)| !self.recent.contains(key));
            new.for_each(|(line, _)| rest.extend_from_slice(line));
            rest.as_slice()
        };
        self.live.write_all(text)?;
        for &key in &lines.keys {
            if !self.recent.contains(key) {
                fresh.push(key);
            }
            self.recent.insert(key);
        }
        self.length += text.len() as u64;
        kept.repeats += repeats as u64;
        kept.events += (lines.keys.len() - repeats) as u64;
        kept.bytes += text.len() as u64;
        Ok(())
    }

    fn settle(&mut self, kept: &mut Totals) -> io::Result<()> {
        if self.sync && kept.bytes > 0 {
            self.live.sync_data()?;
            kept.syncs += 1;
        }
        Ok(())
    }

    /// Takes back what was appended behind `start`.
    ///
    /// After a failed sync as well: what the kernel then still shows of the file need not be on the
    /// disk, and a second sync would report success without having written it.
    fn cut_back(&mut self, start: u64) {
        self.length = start;
        self.ragged = self.live.set_len(start).is_err();
    }

    /// Makes sure that the live file is the one under its name and ends where it should: others may
    /// have moved, deleted or truncated it.
    fn look(&mut self) -> io::Result<()> {
        if self.ragged {
            self.live.set_len(self.length)?;
            self.ragged = false;
        }
        let ours = self.live.metadata()?;
        self.length = ours.len();
        let named = fs::metadata(self.directory.join(LIVE));
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            return Ok(());
        }
        self.live = open_live(&self.directory)?;
        self.length = self.live.metadata()?.len();
        Ok(())
    }

    /// Rotates when so many bytes more would be too many. Failing to is no reason to lose events:
    /// the file then grows on.
    fn rotate_for(&mut self, bytes: u64) -> Rotated {
        let full = self.rotation.max_size.is_some_and(|most| self.length + bytes > most);
        if !full || self.length == 0 || bytes == 0 {
            return Rotated::default();
        }
        match self.rotate() {
            Ok(()) => Rotated { done: true, failure: None },
            Err(error) => Rotated { done: false, failure: Some(error) },
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.live.sync_all()?;
        let live = self.directory.join(LIVE);
        let (target, stamp) = next_name(&self.directory, (self.now)(), self.newest);
        fs::rename(&live, &target)?;
        match open_live(&self.directory) {
            Ok(file) => {
                (self.live, self.length, self.newest) = (file, 0, Some(stamp));
                Ok(())
            }
            Err(error) => {
                fs::rename(&target, &live)?;
                Err(error)
            }
        }
    }
}

impl Totals {
    fn add(&mut self, other: &Totals) {
        self.batches += other.batches;
        self.events += other.events;
        self.repeats += other.repeats;
        self.bytes += other.bytes;
        self.syncs += other.syncs;
    }
}

/// Opens or makes the live file. Only its owner may read it: logs hold secrets.
pub(super) fn open_live(directory: &Path) -> io::Result<File> {
    let path = directory.join(LIVE);
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    sync_directory(directory)?;
    Ok(file)
}
