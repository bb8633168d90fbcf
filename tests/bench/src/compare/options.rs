//! The flags of `compare`.

use std::path::{Path, PathBuf};

use super::Fallible;
use super::peers::Peer;
use super::tasks::Task;
use crate::size;

/// Shown for `--help` and after a wrong flag.
pub const USAGE: &str = "\
usage: compare [--size 2GB] [--runs 5] [--dir DIR] [--auditq PROGRAM] [--tasks LIST] [--peers LIST]
               [--json FILE] [--markdown FILE]

  --size      bytes of each log, before compression (default 2GB)
  --runs      timed runs of each pair, one after the other in turn (default 5)
  --dir       where logs are kept between runs (default: target/compare beside the manifest)
  --auditq    the program to measure (default: the release build of this repository)
  --tasks     names or beginnings of names, separated by commas: metadata, rr-rare, gzip (default: all)
  --peers     compare with these only (default: all that are installed)
  --json      write the figures to this file
  --markdown  write the tables to this file; if it has the two marks, between them

It ends with status 1 if any answer differs, before anything is timed.
";

/// What to run.
pub struct Options {
    /// Bytes of each log.
    pub size: u64,
    /// Timed runs of each pair.
    pub runs: usize,
    /// Where logs are kept.
    pub folder: PathBuf,
    /// What is measured.
    pub tasks: Vec<Task>,
    /// The only peers wanted, or all.
    pub peers: Option<Vec<Peer>>,
    /// Where the figures go as JSON.
    pub json: Option<PathBuf>,
    /// Where the tables go as Markdown.
    pub markdown: Option<PathBuf>,
    auditq: PathBuf,
}

impl Options {
    /// Reads the flags.
    ///
    /// # Errors
    ///
    /// When a flag is unknown or its value makes no sense.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Fallible<Options> {
        let mut options = Options::default();
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value, or is unknown\n{USAGE}"))?;
            options.set(&flag, &value)?;
        }
        Ok(options)
    }

    fn set(&mut self, flag: &str, value: &str) -> Fallible<()> {
        match flag {
            "--size" => self.size = size::parse(value).ok_or_else(|| format!("--size {value} is not a size"))?,
            "--runs" => self.runs = value.parse().map_err(|_| format!("--runs {value} is not a number"))?,
            "--dir" => self.folder = PathBuf::from(value),
            "--auditq" => self.auditq = PathBuf::from(value),
            "--tasks" => self.tasks = tasks(value)?,
            "--peers" => self.peers = Some(value.split(',').map(peer).collect::<Fallible<_>>()?),
            "--json" => self.json = Some(PathBuf::from(value)),
            "--markdown" => self.markdown = Some(PathBuf::from(value)),
            _ => return Err(format!("{flag} is unknown\n{USAGE}")),
        }
        if self.runs == 0 { Err("--runs 0 measures nothing".to_owned()) } else { Ok(()) }
    }

    /// The program to measure.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn auditq(&self) -> Fallible<String> {
        match self.auditq.canonicalize() {
            Ok(path) => Ok(path.display().to_string()),
            Err(_) => Err(format!(
                "{} is missing; build it with `cargo build --release`, or name it with --auditq",
                self.auditq.display()
            )),
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        Options {
            size: 2_000_000_000,
            runs: 5,
            folder: here.join("target/compare"),
            tasks: Task::all(),
            peers: None,
            json: None,
            markdown: None,
            auditq: here.join("../../target/release/auditq"),
        }
    }
}

fn tasks(list: &str) -> Fallible<Vec<Task>> {
    let wanted: Vec<&str> = list.split(',').collect();
    let named = |task: &Task| wanted.iter().any(|name| task.name().starts_with(name));
    if let Some(unknown) = wanted.iter().find(|name| !Task::all().iter().any(|task| task.name().starts_with(**name))) {
        let names = Task::all().iter().map(Task::name).collect::<Vec<_>>().join(", ");
        return Err(format!("--tasks {unknown} is none of {names}"));
    }
    Ok(Task::all().into_iter().filter(named).collect())
}

fn peer(name: &str) -> Fallible<Peer> {
    let known = || Peer::ALL.map(Peer::flag).join(", ");
    Peer::ALL
        .into_iter()
        .find(|peer| peer.flag() == name)
        .ok_or_else(|| format!("--peers {name} is none of {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Fallible<Options> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn tasks_are_chosen_by_how_their_names_begin() {
        let names = |line| read(line).unwrap().tasks.iter().map(Task::name).collect::<Vec<_>>();
        assert_eq!(names("--tasks rr,version"), ["rr-group-by", "rr-rare", "rr-window", "version"]);
        assert_eq!(names("--tasks gzip-four"), ["gzip-four"]);
        assert!(read("--tasks yaml").is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["--size big", "--runs 0", "--runs", "--peers cat", "--fast yes"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
