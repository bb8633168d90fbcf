//! Standard input and named pipes, read so that one can stop waiting for them.
//!
//! A read of a silent pipe blocks, and the run could not be told to end. So it is first asked whether
//! there is something to read, and between two questions whether the run goes on.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// How long a stop may go unnoticed.
const STEP: Duration = Duration::from_millis(100);

/// A pipe that ends when the run is stopped.
pub(super) struct Pipe {
    file: File,
    stop: Arc<AtomicBool>,
}

impl Pipe {
    /// Standard input.
    pub(super) fn stdin(stop: &Arc<AtomicBool>) -> io::Result<Self> {
        let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Pipe { file, stop: Arc::clone(stop) })
    }

    /// A named pipe, or whatever else is no plain file.
    pub(super) fn open(path: &Path, stop: &Arc<AtomicBool>) -> io::Result<Self> {
        Ok(Pipe::of(File::open(path)?, stop))
    }

    /// A pipe that is open.
    pub(super) fn of(file: File, stop: &Arc<AtomicBool>) -> Self {
        Pipe { file, stop: Arc::clone(stop) }
    }

    /// Whether a read would not block: there are bytes, or the end.
    pub(super) fn is_ready(&self) -> bool {
        is_ready(&[self.file.as_fd()], Duration::ZERO)
    }

    /// Lets as much wait in the pipe as the system allows, so that it need not be read so often, and
    /// tells how much that is.
    pub(super) fn widen(&self) -> usize {
        #[cfg(target_os = "linux")]
        if let Ok(size) = rustix::pipe::fcntl_setpipe_size(&self.file, WIDE) {
            return size;
        }
        NARROW
    }
}

/// What an unprivileged process may ask for.
#[cfg(target_os = "linux")]
const WIDE: usize = 1 << 20;

/// What a pipe holds at least on the systems we know.
const NARROW: usize = 16 << 10;

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Read for Pipe {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        while !self.stop.load(Ordering::Relaxed) {
            if is_ready(&[self.file.as_fd()], STEP) {
                return self.file.read(target);
            }
        }
        Ok(0)
    }
}

/// Waits until one of these can be read (or reading would tell what is wrong), or for so long, or for
/// a signal. `longest` is less than a second.
pub(super) fn is_ready(files: &[BorrowedFd<'_>], longest: Duration) -> bool {
    let mut waiting: Vec<PollFd<'_>> =
        files.iter().map(|file| PollFd::from_borrowed_fd(*file, PollFlags::IN)).collect();
    let longest = Timespec { tv_sec: 0, tv_nsec: i64::from(longest.subsec_nanos()) };
    match poll(&mut waiting, Some(&longest)) {
        Ok(ready) => ready > 0,
        Err(error) => error != Errno::INTR,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_pipe_gives_what_is_there_and_ends_when_stopped() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let stop = Arc::new(AtomicBool::new(false));
        let mut pipe = Pipe::of(File::from(std::os::fd::OwnedFd::from(reader)), &stop);
        assert!(!pipe.is_ready());
        writer.write_all(b"some").expect("the pipe takes it");
        assert!(pipe.is_ready());
        let mut target = [0; 8];
        assert_eq!(pipe.read(&mut target).expect("bytes"), 4);
        stop.store(true, Ordering::Relaxed);
        writer.write_all(b"more").expect("the pipe takes it");
        assert_eq!(pipe.read(&mut target).expect("the end"), 0);
    }
}
