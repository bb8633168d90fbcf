//! Rotated files: their names, which of them go, and their compression.
//!
//! Names are those of the API server's own rotation, so that everything that reads its logs reads
//! these: `audit-2026-11-21T23-19-53.655.log`, where the time is that of the rotation, in UTC. In
//! order of their names files are in order of time, whatever the clock does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use chrono::NaiveDateTime;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::event::Timestamp;

/// The live file.
pub(super) const LIVE: &str = "audit.log";

const STAMP: &str = "%Y-%m-%dT%H-%M-%S%.3f";
const MILLISECOND: i64 = 1_000_000;
const DAY: i64 = 86_400_000 * MILLISECOND;

/// When files are rotated, and what becomes of them.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// A file grows no further than this, in bytes; `None` is without limit.
    pub max_size: Option<u64>,
    /// So many rotated files are kept; 0 is all.
    pub max_backups: usize,
    /// Rotated files older than so many days are deleted; 0 is never.
    pub max_age_days: u32,
    /// Whether rotated files are compressed.
    pub compress: bool,
}

/// A rotated file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Backup {
    /// When it was rotated.
    pub(super) stamp: i64,
    pub(super) path: PathBuf,
}

impl Backup {
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let name = name.strip_suffix(".gz").unwrap_or(name);
        let stamp = name.strip_prefix("audit-")?.strip_suffix(".log")?;
        let time = NaiveDateTime::parse_from_str(stamp, STAMP).ok()?;
        // What has the shape of a stamp only by chance or has another precision is not ours.
        (time.format(STAMP).to_string() == stamp).then_some(())?;
        Some(Backup { stamp: time.and_utc().timestamp_nanos_opt()?, path })
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "gz")
    }
}

/// The rotated files of a directory, oldest first.
///
/// # Errors
/// Fails when the directory cannot be read.
pub(super) fn backups(directory: &Path) -> io::Result<Vec<Backup>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        found.extend(Backup::of(entry?.path()));
    }
    found.sort();
    Ok(found)
}

/// Where the live file goes now: behind every file rotated before, even if the clock was set back.
pub(super) fn next_name(directory: &Path, now: Timestamp, newest: Option<i64>) -> (PathBuf, i64) {
    let floor = |time: i64| time - time.rem_euclid(MILLISECOND);
    let stamp = floor(now.0).max(newest.map_or(i64::MIN, |newest| newest + MILLISECOND));
    let name = format!("audit-{}.log", Timestamp(stamp).to_utc().format(STAMP));
    (directory.join(name), stamp)
}

/// Looks after rotated files in a thread of its own: nobody waits for compression.
pub(super) struct Keeper {
    pub(super) directory: PathBuf,
    pub(super) rotation: Rotation,
    pub(super) now: fn() -> Timestamp,
}

impl Keeper {
    /// Looks after what is there at the start, then again after each rotation.
    pub(super) fn run(&self, rotations: &Receiver<()>, complain: &dyn Fn(&Path, &io::Error)) {
        loop {
            if let Err(error) = self.tidy(complain) {
                complain(&self.directory, &error);
            }
            if rotations.recv().is_err() {
                return;
            }
        }
    }

    fn tidy(&self, complain: &dyn Fn(&Path, &io::Error)) -> io::Result<()> {
        for backup in self.surplus(&backups(&self.directory)?) {
            if let Err(error) = fs::remove_file(&backup.path) {
                complain(&backup.path, &error);
            }
        }
        if !self.rotation.compress {
            return Ok(());
        }
        for backup in backups(&self.directory)?.iter().filter(|backup| !backup.is_compressed()) {
            if let Err(error) = compress(&backup.path) {
                complain(&backup.path, &error);
            }
        }
        Ok(())
    }

    /// The files that are too many or too old.
    fn surplus<'a>(&self, all: &'a [Backup]) -> Vec<&'a Backup> {
        let Rotation { max_backups, max_age_days, .. } = self.rotation;
        let oldest = (self.now)().0.saturating_sub(i64::from(max_age_days).saturating_mul(DAY));
        // A file and its compressed twin, which stand side by side for a moment, count once.
        let mut stamps: Vec<i64> = all.iter().map(|backup| backup.stamp).collect();
        stamps.dedup();
        let first_kept = match max_backups {
            0 => i64::MIN,
            most => stamps.iter().rev().nth(most - 1).copied().unwrap_or(i64::MIN),
        };
        let goes = |backup: &&Backup| backup.stamp < first_kept || max_age_days > 0 && backup.stamp < oldest;
        all.iter().filter(goes).collect()
    }
}

/// Compresses a file. The `.gz` appears under its name only when it is whole and on the disk, so that
/// a kill in between leaves the file as it was.
fn compress(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!(".{name}.gz.part"));
    let target = path.with_file_name(format!("{name}.gz"));
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    let mut encoder = GzEncoder::new(BufWriter::new(file), Compression::default());
    io::copy(&mut BufReader::with_capacity(1 << 18, File::open(path)?), &mut encoder)?;
    let mut buffer = encoder.finish()?;
    buffer.flush()?;
    buffer.get_ref().sync_all()?;
    fs::rename(&part, &target)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))?;
    fs::remove_file(path)
}

/// Deletes what an interrupted compression left.
pub(super) fn remove_parts(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(".audit-") && name.ends_with(".log.gz.part") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Makes new names last: a file's own sync does not cover the directory that names it.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_773_043_200 * 1_000_000_000;

    fn noon() -> Timestamp {
        Timestamp(NOON)
    }

    fn backup(stamp: i64, ending: &str) -> Backup {
        let (path, stamp) = next_name(Path::new("d"), Timestamp(stamp), None);
        Backup { stamp, path: PathBuf::from(format!("{}{ending}", path.display())) }
    }

    fn keeper(max_backups: usize, max_age_days: u32) -> Keeper {
        let rotation = Rotation { max_size: None, max_backups, max_age_days, compress: false };
        Keeper { directory: PathBuf::from("d"), rotation, now: noon }
    }

    #[test]
    fn names_are_those_of_the_server() {
        let (path, stamp) = next_name(Path::new("d"), Timestamp(NOON + 655_999_999), None);
        assert_eq!(path, Path::new("d/audit-2026-03-09T08-00-00.655.log"));
        assert_eq!(Backup::of(path.clone()), Some(Backup { stamp, path }));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_turn_the_order() {
        let (_, first) = next_name(Path::new("d"), Timestamp(NOON), None);
        let (path, second) = next_name(Path::new("d"), Timestamp(NOON - DAY), Some(first));
        assert_eq!(path, Path::new("d/audit-2026-03-09T08-00-00.001.log"));
        assert!(second > first);
    }

    #[test]
    fn foreign_names_are_left_alone() {
        for name in [
            "audit.log",
            "audit-x.log",
            "audit-2026-03-09.log",
            "audit-2026-03-09T08-00-00.log",
            "other-2026-03-09T08-00-00.655.log",
        ] {
            assert_eq!(Backup::of(PathBuf::from(name)), None, "{name}");
        }
    }

    #[test]
    fn too_many_and_too_old_files_go() {
        let all = [
            backup(NOON - 3 * DAY, ".gz"),
            backup(NOON - 2 * DAY, ""),
            backup(NOON - 2 * DAY, ".gz"),
            backup(NOON - 1, ""),
        ];
        assert_eq!(keeper(0, 0).surplus(&all), Vec::<&Backup>::new());
        assert_eq!(keeper(2, 0).surplus(&all), [&all[0]]);
        assert_eq!(keeper(1, 0).surplus(&all), [&all[0], &all[1], &all[2]]);
        assert_eq!(keeper(9, 1).surplus(&all), [&all[0], &all[1], &all[2]]);
    }
}
