//! Logs read while they are written, in many files at once.
//!
//! [`Follow`] gives chunks as they arrive and never waits while it does: whoever drives it decides when
//! to wait ([`Follow::wait`]). Nothing is asked of the system but to look, several times a second, so
//! it works on every file system. A log goes on through rotation (`log`): renamed, copied and emptied,
//! deleted, compressed; directories are looked through for new logs.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

mod head;
mod log;
mod part;
mod siblings;
#[cfg(test)]
mod tests;

use super::decompress::Packing;
use super::feed::StreamChunk;
use super::pipe::{Pipe, is_ready};
use super::rotation::{RotationKey, without_compression};
use super::source::{Source, discover, plain_reason};
use crate::event::OwnedOrigin;
use log::Log;

/// What a file is called in answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// Its path; `-` for standard input. A live file that is rotated is followed by another of that name.
    pub name: String,
    /// Whose log it is, as far as the path tells.
    pub origin: OwnedOrigin,
}

/// Room to read into. The chunk is what [`Follow::next`] gives last.
#[derive(Default)]
pub struct Buffers {
    read: Vec<u8>,
    /// What the [`StreamChunk`] is of.
    pub chunk: Vec<u8>,
}

/// Some records of a file.
pub struct Chunk {
    /// Which log, and which file of it.
    pub file: (usize, u64),
    /// What it is called.
    pub name: Arc<FileName>,
    /// Where they stand; with [`RegionEnd::Source`](crate::parse::records::RegionEnd) nothing of the
    /// file follows.
    pub chunk: StreamChunk,
    /// How the file is packed.
    pub packing: Packing,
    /// Why it was not read to its end, in words.
    pub failure: Option<String>,
}

/// Everything that is followed.
#[derive(Default)]
pub struct Follow {
    logs: Vec<Log>,
    directories: Vec<PathBuf>,
    /// Paths and families of logs that are followed, or need not be.
    known: HashSet<PathBuf>,
    /// What was left out because other files have the same content: path and reason.
    pub skipped: Vec<(String, String)>,
    /// Whose turn it is, and how many chunks it has had.
    turn: (usize, u32),
    /// How often nothing was new.
    rounds: u32,
    /// How much may wait in a pipe.
    room: Option<usize>,
}

/// So many chunks one log gives while others wait.
const TURN: u32 = 64;

/// Directories are looked through for new logs every so many rounds.
const LOOK_ROUND: u32 = 8;

/// How long to wait where nothing is new.
const WAIT: Duration = Duration::from_millis(100);

/// How long to wait after something was: what arrives in small pieces is then read in fewer, larger
/// ones, and costs a tenth.
const NAP: Duration = Duration::from_millis(20);

/// The same where not much can wait in the pipe.
const SHORT_NAP: Duration = Duration::from_millis(2);

/// If more than this has come at once, there is no nap.
const PLENTY: usize = 256 << 10;

impl Follow {
    /// Begins to follow what `arguments` name; none of them means standard input. Pipes end when `stop`
    /// is set.
    pub fn start(arguments: &[PathBuf], stop: &Arc<AtomicBool>) -> Self {
        let mut follow = Follow::default();
        let stdin = [PathBuf::from("-")];
        let mut files = Vec::new();
        for argument in if arguments.is_empty() { &stdin[..] } else { arguments } {
            follow.argument(argument, stop, &mut files);
        }
        let named = files.len();
        files.extend(follow.directories.iter().cloned());
        if !files.is_empty() {
            let found = discover(&files);
            follow.skipped.extend(found.skipped);
            for (name, reason) in found.unreadable {
                follow.logs.push(Log::broken(&name, reason));
            }
            let (files, directories) = files.split_at(named);
            let is_named = |path: &Path| files.iter().any(|file| file == path);
            let whole = |path: &Path| directories.iter().any(|directory| path.starts_with(directory));
            follow.add_found(&found.sources, &is_named, &whole);
        }
        follow
    }

    fn argument(&mut self, argument: &Path, stop: &Arc<AtomicBool>, files: &mut Vec<PathBuf>) {
        let name = argument.to_string_lossy();
        if argument.as_os_str() == "-" {
            return self.pipe("-", Pipe::stdin(stop));
        }
        match fs::metadata(argument) {
            Ok(data) if data.is_dir() => self.directories.push(argument.to_owned()),
            Ok(data) if data.is_file() => files.push(argument.to_owned()),
            Ok(_) => self.pipe(&name, Pipe::open(argument, stop)),
            Err(error) if error.kind() == ErrorKind::NotFound => self.add_log(argument, &|_| false),
            Err(error) => self.logs.push(Log::broken(&name, plain_reason(&error))),
        }
    }

    fn pipe(&mut self, name: &str, pipe: std::io::Result<Pipe>) {
        match pipe {
            Ok(pipe) => {
                let room = pipe.widen();
                self.room = Some(self.room.map_or(room, |least| least.min(room)));
                self.logs.push(Log::of_pipe(name, pipe));
            }
            Err(error) => self.logs.push(Log::broken(name, plain_reason(&error))),
        }
    }

    /// Follows the logs that these files are of. A rotated file is part of the log whose live file is
    /// there too; without one it is followed by itself.
    fn add_found(&mut self, sources: &[Source], is_named: &dyn Fn(&Path) -> bool, whole: &dyn Fn(&Path) -> bool) {
        let paths = || sources.iter().filter_map(|source| source.path.as_deref());
        let with_live: HashSet<PathBuf> = paths().filter(|path| live_of(path) == **path).map(Path::to_owned).collect();
        for path in paths() {
            let live = live_of(path);
            if live != path && (with_live.contains(&live) || self.known.contains(&live)) {
                continue;
            }
            // Of a rotated log that was followed file by file, and of which the live file appeared later,
            // what is followed already is not read again.
            let followed: HashSet<OsString> = self
                .known
                .iter()
                .filter(|known| live_of(known) == live)
                .filter_map(|known| Some(known.file_name()?.to_owned()))
                .collect();
            let in_whole = whole(path);
            let wanted = |name: &OsStr| (in_whole || is_named(&path.with_file_name(name))) && !followed.contains(name);
            self.add_log(path, &wanted);
        }
    }

    fn add_log(&mut self, path: &Path, wanted: &dyn Fn(&OsStr) -> bool) {
        if self.known.insert(path.to_owned()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let rotates = live_of(path) == path && without_compression(&name).len() == name.len();
            self.logs.push(Log::start(path, rotates, wanted));
        }
    }

    /// The next chunk, in `buffers.chunk`; none if nothing is new.
    pub fn next(&mut self, buffers: &mut Buffers, size: usize) -> Option<Chunk> {
        for _ in 0..=self.logs.len() {
            let (at, had) = self.turn;
            // A file that is not expected to be written to is not looked at every time.
            let rests =
                |log: &Log| !log.rotates && had == 0 && !self.rounds.is_multiple_of(LOOK_ROUND) && log.pipe().is_none();
            if had < TURN
                && let Some(log) = self.logs.get_mut(at)
                && !rests(log)
                && let Some(chunk) = log.next(buffers, size)
            {
                self.turn.1 += 1;
                return Some(Chunk { file: (at, chunk.file.1), ..chunk });
            }
            self.turn = ((at + 1) % self.logs.len().max(1), 0);
        }
        self.rounds = self.rounds.wrapping_add(1);
        if self.rounds.is_multiple_of(LOOK_ROUND) && !self.directories.is_empty() {
            let found = discover(&self.directories);
            self.add_found(&found.sources, &|_| false, &|_| true);
        }
        None
    }

    /// Nothing more is wanted: gives what is left of each file, incomplete last lines.
    pub fn close(&mut self, buffers: &mut Buffers) -> Option<Chunk> {
        let rest = |(at, log): (usize, &mut Log)| {
            let chunk = log.close(buffers)?;
            Some(Chunk { file: (at, chunk.file.1), ..chunk })
        };
        self.logs.iter_mut().enumerate().find_map(rest)
    }

    /// Whether there is much that was not read, or files of which nothing was.
    pub fn is_behind(&self) -> bool {
        self.logs.iter().any(Log::is_behind)
    }

    /// Whether nothing can follow: there were only pipes, and they have ended.
    pub fn has_ended(&self) -> bool {
        self.directories.is_empty() && self.logs.iter().all(|log| log.finished)
    }

    /// Waits for a moment; `fresh` bytes have come since it was last waited. A signal ends it.
    pub fn wait(&self, fresh: usize) {
        let pipes: Vec<BorrowedFd<'_>> = self.logs.iter().filter_map(Log::pipe).collect();
        let plenty = self.room.map_or(PLENTY, |room| room / 2);
        if fresh == 0 {
            is_ready(&pipes, WAIT);
        } else if fresh < plenty {
            is_ready(&[], if plenty < PLENTY { SHORT_NAP } else { NAP });
        }
    }

    /// What there is to say, once: path and what.
    pub fn notes(&mut self) -> Vec<(String, String)> {
        let of = |log: &mut Log| {
            let name = log.path.to_string_lossy().into_owned();
            std::mem::take(&mut log.notes).into_iter().map(move |note| (name.clone(), note))
        };
        self.logs.iter_mut().flat_map(of).collect()
    }
}

/// The live file of the log that a file is part of; a compressed file is part of none but its own.
fn live_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let key = RotationKey::of(&name);
    if key.is_live() { path.to_owned() } else { path.with_file_name(key.family) }
}
