//! One process, measured: how long, how much memory, how many instructions.
//!
//! Linux counts the memory of the parent at the moment of starting a child as the child's own
//! (`ru_maxrss` survives `exec`), and `compare` holds whole answers. So a command is not started by
//! `compare` itself but by a second, small copy of it ([`HELPER`]), which has about 3 MB and tells
//! what it saw in one line of JSON.

use std::fs;
use std::process::{Command as Process, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use super::Fallible;
use super::command::{Clock, Command, Sink};

/// The first argument that makes `compare` the helper.
pub const HELPER: &str = "measure-one";

/// What one run took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Elapsed time.
    pub seconds: f64,
    /// Processor time of all threads, user and system.
    pub cpu_seconds: f64,
    /// Most memory held at a time, pages of files included where they are mapped.
    pub peak_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Seen {
    measured: Measured,
    success: bool,
    stderr: String,
}

impl Command {
    /// Runs it once.
    ///
    /// # Errors
    ///
    /// When it does not run or ends with a status other than 0.
    pub fn measure(&self) -> Fallible<Measured> {
        let itself = std::env::current_exe().map_err(|error| format!("compare cannot find itself: {error}"))?;
        let sink = if self.sink == Sink::Pipe { "pipe" } else { "null" };
        let output = Process::new(itself).args([HELPER, sink, &self.program]).args(&self.arguments).output();
        let output = output.map_err(|error| format!("the helper does not start: {error}"))?;
        let seen: Seen = serde_json::from_slice(&output.stdout)
            .map_err(|_| format!("{}: {}", self.program, String::from_utf8_lossy(&output.stderr).trim()))?;
        match self.clock {
            _ if !seen.success => Err(format!("{} failed: {}", self.program, seen.stderr.trim())),
            Clock::Process => Ok(seen.measured),
            Clock::Own => {
                let seconds = own_seconds(&seen.stderr).ok_or_else(|| format!("{} told no time", self.program))?;
                Ok(Measured { seconds, ..seen.measured })
            }
        }
    }

    /// Instructions in user space of one run, if `perf` can count them.
    pub fn instructions(&self) -> Option<u64> {
        let notes = std::env::temp_dir().join(format!("auditq-compare-{}.perf", std::process::id()));
        let mut perf = Process::new("perf");
        perf.args(["stat", "-x,", "-e", "instructions:u", "-o"]).arg(&notes).arg("--");
        perf.arg(&self.program).args(&self.arguments);
        perf.stdout(if self.sink == Sink::Pipe { Stdio::piped() } else { Stdio::null() }).stderr(Stdio::null());
        let ran = perf.spawn().and_then(std::process::Child::wait_with_output);
        let text = fs::read_to_string(&notes).unwrap_or_default();
        // Nothing is lost if it stays: it is a few bytes in the folder for such files.
        let _ = fs::remove_file(&notes);
        ran.ok().and_then(|_| count(&text))
    }
}

/// Whether `perf` is there and this machine lets it count.
pub fn perf_counts() -> bool {
    Command::new("true", [""; 0]).instructions().is_some()
}

/// The helper: runs the command that `arguments` name and returns what it saw as JSON.
///
/// # Errors
///
/// When the command does not start.
pub fn help(mut arguments: impl Iterator<Item = String>) -> Fallible<String> {
    let (Some(sink), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err(format!("{HELPER} needs a sink and a program"));
    };
    let stdout = if sink == "pipe" { Stdio::piped() } else { Stdio::null() };
    let start = Instant::now();
    let child = Process::new(&program).args(arguments).stdout(stdout).stderr(Stdio::piped()).spawn();
    let output =
        child.and_then(std::process::Child::wait_with_output).map_err(|error| format!("{program}: {error}"))?;
    let seconds = start.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| format!("getrusage: {error}"))?;
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let peak_bytes = usage.max_rss().unsigned_abs() * unit;
    let measured = Measured { seconds, cpu_seconds: cpu as f64 / 1e6, peak_bytes };
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::to_string(&Seen { measured, success: output.status.success(), stderr }).map_err(|e| e.to_string())
}

fn own_seconds(stderr: &str) -> Option<f64> {
    stderr.lines().rev().find_map(|line| line.strip_prefix("seconds=")?.parse().ok())
}

/// Reads `perf stat -x,`: the count comes first and the event third; `<not supported>` is no count.
fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut fields = line.split(',');
        let count = fields.next()?.parse().ok()?;
        fields.nth(1)?.starts_with("instructions").then_some(count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_perf_are_read() {
        let counted = "# started on Sun Mar  1 00:00:00 2026\n\n1234567,,instructions:u,998,100.00,,\n";
        assert_eq!(count(counted), Some(1_234_567));
        assert_eq!(count("<not supported>,,instructions:u,0,100.00,,\n"), None);
    }

    #[test]
    fn the_last_time_told_counts() {
        assert_eq!(own_seconds("warning: x\nseconds=0.5\nseconds=1.25\n"), Some(1.25));
        assert_eq!(own_seconds("Traceback"), None);
    }
}
