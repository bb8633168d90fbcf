//! The figures as tables and as JSON.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::Fallible;
use super::check::Agreed;
use super::command::Command;
use super::duel::{Outcome, Side};
use super::files::Log;
use super::machine::Machine;
use super::options::Options;
use super::peers::{Peer, Road};
use super::targets::{Verdict, verdicts};
use super::tasks::{Bench, Task};

/// Where `--markdown` writes in a file that has these marks.
pub const BEGIN: &str = "<!-- figures begin: written by compare --markdown -->";
/// The other mark.
pub const END: &str = "<!-- figures end -->";

/// Everything there is to tell.
#[derive(Serialize)]
pub struct Report {
    machine: Machine,
    auditq: String,
    bytes_per_log: u64,
    runs: usize,
    peers: Vec<PeerVersion>,
    missing: Vec<&'static str>,
    left_out: Vec<&'static str>,
    instructions_counted: bool,
    conversions: Vec<Conversion>,
    agreed: Vec<Agreed>,
    outcomes: Vec<Outcome>,
    verdicts: Vec<Verdict>,
}

#[derive(Serialize)]
struct PeerVersion {
    name: &'static str,
    version: String,
    own_clock: bool,
}

#[derive(Serialize)]
struct Conversion {
    log: &'static str,
    to: &'static str,
    seconds: f64,
}

impl Report {
    /// Puts the figures together.
    pub fn new(
        machine: Machine,
        bench: &Bench,
        options: &Options,
        perf: bool,
        agreed: Vec<Agreed>,
        outcomes: Vec<Outcome>,
    ) -> Report {
        let names = |peers: &[Peer]| peers.iter().map(|peer| peer.name()).collect();
        let version = Command::new(&bench.auditq, ["--version"]).answer().unwrap_or_default();
        let peers = bench.peers.installed.iter().map(|installed| PeerVersion {
            name: installed.peer.name(),
            version: installed.version.clone(),
            own_clock: installed.road == Road::Module,
        });
        Report {
            machine,
            auditq: String::from_utf8_lossy(&version).trim().to_owned(),
            bytes_per_log: options.size,
            runs: options.runs,
            peers: peers.collect(),
            missing: names(&bench.peers.missing),
            left_out: names(&bench.peers.left_out),
            instructions_counted: perf,
            conversions: conversions(bench, options),
            agreed,
            verdicts: verdicts(&outcomes),
            outcomes,
        }
    }

    /// The tables, in Markdown that is readable as it is.
    pub fn text(&self) -> String {
        [self.head(), self.verdict_table(), self.outcome_table(), self.notes()].join("\n")
    }

    /// Writes the files that were asked for.
    ///
    /// # Errors
    ///
    /// When one cannot be written.
    pub fn write(&self, options: &Options) -> Fallible<()> {
        if let Some(path) = &options.json {
            let json = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
            save(path, &format!("{json}\n"))?;
        }
        if let Some(path) = &options.markdown {
            let before = fs::read_to_string(path).unwrap_or_default();
            save(path, &between_marks(&before, &self.text()))?;
        }
        Ok(())
    }

    fn head(&self) -> String {
        let Machine { date, processor, processors, memory_gib, system, load_before } = &self.machine;
        format!(
            "{date}, {processors} processors ({processor}), {memory_gib} GiB, {system}, load {load_before} before.\n\
             {}, logs of {} MB, medians of {} pairs.\n",
            self.auditq,
            self.bytes_per_log / 1_000_000,
            self.runs
        )
    }

    fn verdict_table(&self) -> String {
        let row = |verdict: &Verdict| {
            let kept = match verdict.kept {
                Some(true) => "pass",
                Some(false) => "FAIL",
                None => "not measured",
            };
            let measured = verdict.measured.map_or_else(String::new, figure);
            vec![verdict.promise.clone(), verdict.target.clone(), measured, kept.to_owned()]
        };
        table(&["promise", "target", "measured", "verdict"], self.verdicts.iter().map(row).collect())
    }

    fn outcome_table(&self) -> String {
        let mut header = vec!["task", "against", "auditq s", "its s", "ratio", "least–most", "auditq MB", "its MB"];
        if self.instructions_counted {
            header.extend(["auditq ins/byte", "its ins/byte"]);
        }
        header.push("same answer");
        table(&header, self.outcomes.iter().map(|outcome| self.outcome_row(outcome)).collect())
    }

    fn outcome_row(&self, outcome: &Outcome) -> Vec<String> {
        let theirs = |of: fn(&Side) -> String| outcome.theirs.as_ref().map_or_else(String::new, of);
        let mut row = vec![
            outcome.task.clone(),
            outcome.rival.clone() + if outcome.scaled.is_some() { " (scaled)" } else { "" },
            seconds(&outcome.mine),
            theirs(seconds),
            outcome.ratio.map_or_else(String::new, figure),
            outcome.spread.map_or_else(String::new, |(least, most)| format!("{}–{}", figure(least), figure(most))),
            megabytes(&outcome.mine),
            theirs(megabytes),
        ];
        if self.instructions_counted {
            row.extend([instructions(&outcome.mine), theirs(instructions)]);
        }
        let agreed = self.agreed.iter().find(|one| one.task == outcome.task && one.rival == outcome.rival);
        row.push(agreed.map_or_else(String::new, |one| one.what.clone()));
        row
    }

    fn notes(&self) -> String {
        let mut notes =
            vec![format!("{} answers were compared before anything was timed; all are equal.", self.agreed.len())];
        if self.machine.was_busy() {
            notes.push("The machine was busy with other work: take the figures again when it is quiet.".to_owned());
        }
        if !self.instructions_counted {
            notes.push("Instructions are not told: perf is missing, or this machine does not let it count.".to_owned());
        }
        if let Some(scale) = self.outcomes.iter().filter_map(|outcome| outcome.scaled).reduce(f64::max) {
            notes.push(format!("jq read a smaller log of the same kind; its time is scaled by {scale:.1}."));
        }
        for Conversion { log, to, seconds } in &self.conversions {
            notes.push(format!("Converting the {log} log to {to} took {seconds:.1} s, which no figure includes."));
        }
        if self.peers.iter().any(|peer| peer.own_clock) {
            notes.push("A Python module tells the time of its query; starting Python is not charged to it.".to_owned());
        }
        if !self.missing.is_empty() {
            notes.push(format!("Missing on this machine: {}.", self.missing.join(", ")));
        }
        if !self.left_out.is_empty() {
            notes.push(format!("Left out by --peers: {}.", self.left_out.join(", ")));
        }
        let versions = self.peers.iter().map(|peer| format!("{}: {}", peer.name, peer.version));
        notes.push(format!("Versions: {}.", versions.collect::<Vec<_>>().join("; ")));
        notes.iter().map(|note| format!("- {note}\n")).collect()
    }
}

/// What it took to make Parquet, of the logs that were asked.
fn conversions(bench: &Bench, options: &Options) -> Vec<Conversion> {
    let Some(road) = bench.peers.road(Peer::Parquet) else { return Vec::new() };
    let asked = |log: &Log| options.tasks.iter().any(|task| matches!(task, Task::Ask(of, _) if of == log));
    let logs = [Log::Metadata, Log::Rr].into_iter().filter(asked);
    let told = logs.filter_map(|log| Some((log, bench.parquet(log, road).ok()?.1)));
    told.map(|(log, seconds)| Conversion { log: log.name(), to: "Parquet", seconds }).collect()
}

fn seconds(side: &Side) -> String {
    format!("{:.3}", side.seconds)
}

fn megabytes(side: &Side) -> String {
    format!("{:.0}", side.peak_bytes as f64 / 1e6)
}

fn instructions(side: &Side) -> String {
    side.instructions_per_byte.map_or_else(String::new, |count| format!("{count:.2}"))
}

/// Three digits that count.
fn figure(value: f64) -> String {
    let digits = match value {
        _ if value >= 100.0 => 0,
        _ if value >= 10.0 => 1,
        _ if value >= 1.0 => 2,
        _ if value >= 0.1 => 3,
        _ => 4,
    };
    format!("{value:.digits$}")
}

/// A Markdown table whose columns stand below each other; the first two are text.
fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let header = header.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let all = || std::iter::once(&header).chain(&rows);
    let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| match at {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule = widths.iter().enumerate().map(|(at, &width)| match at {
        0 | 1 => "-".repeat(width),
        _ => format!("{}:", "-".repeat(width - 1)),
    });
    let rule = format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
    std::iter::once(line(&header)).chain([rule]).chain(rows.iter().map(line)).collect()
}

/// Puts `text` between the marks of a document, or makes it the document.
fn between_marks(document: &str, text: &str) -> String {
    match (document.find(BEGIN), document.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}\n{text}{}", &document[..begin + BEGIN.len()], &document[end..])
        }
        _ => text.to_owned(),
    }
}

fn save(path: &Path, text: &str) -> Fallible<()> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let rows = vec![vec!["wc -l".to_owned(), "≤ 1".to_owned(), "0.98".to_owned()]];
        assert_eq!(
            table(&["promise", "t", "m"], rows),
            "| promise | t   |    m |\n| ------- | --- | ---: |\n| wc -l   | ≤ 1 | 0.98 |\n"
        );
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        assert_eq!(between_marks(&document, "new\n"), format!("before\n{BEGIN}\nnew\n{END}\nafter\n"));
        assert_eq!(between_marks("no marks", "new\n"), "new\n");
    }
}
