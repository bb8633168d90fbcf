//! A program and its arguments, as they will be run and as they are shown.

use std::process;

use super::Fallible;

/// Where the answer goes while time is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sink {
    /// Nowhere: what printing to a terminal or a disk costs is not the question.
    Null,
    /// A pipe that is read. GNU grep stops at the first match when nobody can see the count.
    Pipe,
}

/// Whose clock tells the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// From the start of the process to its end.
    Process,
    /// The program says `seconds=…` on standard error: an engine in a Python module is not charged
    /// with the start of Python.
    Own,
}

/// One program run.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where its output goes while it is timed.
    pub sink: Sink,
    /// Whose clock counts.
    pub clock: Clock,
}

impl Command {
    /// A command that is timed from start to end with its output thrown away.
    pub fn new<S: Into<String>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Command { program: program.to_owned(), arguments, sink: Sink::Null, clock: Clock::Process }
    }

    /// The same with more arguments.
    pub fn and(&self, more: &[&str]) -> Command {
        let mut command = self.clone();
        command.arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        command
    }

    /// The same, its output read from a pipe while it is timed.
    pub fn piped(self) -> Command {
        Command { sink: Sink::Pipe, ..self }
    }

    /// The same, timed by what it says itself.
    pub fn own_clock(self) -> Command {
        Command { clock: Clock::Own, ..self }
    }

    /// What it prints.
    ///
    /// # Errors
    ///
    /// When it does not run or ends with a status other than 0.
    pub fn answer(&self) -> Fallible<Vec<u8>> {
        let output = process::Command::new(&self.program).args(&self.arguments).output();
        let output = output.map_err(|error| format!("{}: {error}", self.program))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{} failed ({}): {}", self.program, output.status, said.trim()))
    }
}
