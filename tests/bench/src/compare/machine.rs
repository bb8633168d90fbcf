//! Where and when the figures were taken.

use std::fs;

use serde::Serialize;

use super::Fallible;
use super::command::Command;

/// The shape of a machine, without its name.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Day, UTC.
    pub date: String,
    /// What the processor calls itself.
    pub processor: String,
    /// Processors that may be used.
    pub processors: usize,
    /// Gibibytes of memory.
    pub memory_gib: u64,
    /// Operating system and its version.
    pub system: String,
    /// Processes that wanted to run in the minute before: figures from a busy machine are worth little.
    pub load_before: String,
}

impl Machine {
    /// This machine, now.
    ///
    /// # Errors
    ///
    /// When `date` or `uname` do not run.
    pub fn here() -> Fallible<Machine> {
        Ok(Machine {
            date: line_of(&Command::new("date", ["-u", "+%Y-%m-%d"]))?,
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_gib().unwrap_or_default(),
            system: line_of(&Command::new("uname", ["-srm"]))?,
            load_before: first_word("/proc/loadavg").unwrap_or_else(|| "unknown".to_owned()),
        })
    }

    /// Whether others wanted more than a quarter of the processors before.
    pub fn was_busy(&self) -> bool {
        self.load_before.parse::<f64>().is_ok_and(|load| load > self.processors as f64 / 4.0)
    }
}

fn line_of(command: &Command) -> Fallible<String> {
    Ok(String::from_utf8_lossy(&command.answer()?).trim().to_owned())
}

fn memory_gib() -> Option<u64> {
    let kib: u64 = field("/proc/meminfo", "MemTotal")?.split(' ').next()?.parse().ok()?;
    Some((kib + (1 << 19)) >> 20)
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn first_word(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()?.split(' ').next().map(str::to_owned)
}
