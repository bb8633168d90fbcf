//! Where answers and messages leave the program: the only writer.

use std::io::{self, Write};
use std::ops::ControlFlow;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whether nobody reads standard output any more, so that nothing that is written will be seen.
pub fn reader_is_gone() -> bool {
    let output = io::stdout();
    let mut output = [PollFd::new(&output, PollFlags::empty())];
    // Errors are reported without being asked for.
    poll(&mut output, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

/// Standard output or standard error.
#[derive(Debug)]
pub struct Sink<W> {
    writer: W,
    /// Why nothing more can be written.
    closed: Option<io::Error>,
    /// What stands before the first bytes, once there are any.
    heading: Vec<u8>,
}

impl Sink<io::Stdout> {
    /// Where answers go.
    pub fn answers() -> Self {
        Sink { writer: io::stdout(), closed: None, heading: Vec::new() }
    }
}

impl Sink<io::Stderr> {
    /// Where notes and errors go.
    pub fn messages() -> Self {
        Sink { writer: io::stderr(), closed: None, heading: Vec::new() }
    }
}

impl<W: Write> Sink<W> {
    /// Keeps bytes back until the first are written: a header belongs to an answer.
    pub fn head(&mut self, bytes: Vec<u8>) {
        self.heading = bytes;
    }

    /// Writes what [`Sink::head`] kept back, for an answer without rows.
    pub fn release(&mut self) -> ControlFlow<()> {
        let heading = std::mem::take(&mut self.heading);
        self.write(&heading)
    }

    /// Writes and flushes; after a failure everything else is dropped and `Break` comes back.
    pub fn write(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        if self.closed.is_some() {
            return ControlFlow::Break(());
        }
        if bytes.is_empty() {
            return ControlFlow::Continue(());
        }
        let heading = std::mem::take(&mut self.heading);
        match self
            .writer
            .write_all(&heading)
            .and_then(|()| self.writer.write_all(bytes))
            .and_then(|()| self.writer.flush())
        {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.closed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// What went wrong, if it was more than the reader going away (`| head` is no error).
    pub fn failure(&self) -> Option<String> {
        let error = self.closed.as_ref()?;
        (error.kind() != io::ErrorKind::BrokenPipe).then(|| error.to_string())
    }
}
