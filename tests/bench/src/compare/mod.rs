//! auditq beside the tools people use today: the same questions, the same files, the same answers.
//!
//! ```text
//!   options ──► files ──► tasks ──────────► check ─────────────► duel ──────────► targets ──► report
//!   what to     made      what is asked,    every answer is      A B A B, warm,   promises    tables,
//!   run         once      of whom, how      the same, or stop    medians, memory  kept?       JSON
//!               peers: who is installed     answer: rows of a group or a hit      measure: one process
//! ```
//!
//! No time is taken before every answer has been found equal: a fast wrong answer is worth nothing.

pub mod answer;
pub mod check;
pub mod command;
pub mod duel;
pub mod files;
pub mod machine;
pub mod measure;
pub mod options;
pub mod peers;
pub mod questions;
pub mod report;
pub mod targets;
pub mod tasks;

use files::Files;
use options::Options;
use peers::Peers;
use report::Report;
use tasks::Bench;

/// What went wrong, in words for the person who ran the command.
pub type Fallible<T> = Result<T, String>;

/// Checks, times and reports.
///
/// # Errors
///
/// When answers differ, when a tool fails, or when files cannot be made.
pub fn run(options: &Options) -> Fallible<()> {
    let machine = machine::Machine::here()?;
    let files = Files::in_folder(&options.folder, options.size)?;
    let bench = Bench { files, peers: Peers::find(options.peers.as_deref()), auditq: options.auditq()? };
    let plans = options.tasks.iter().map(|task| task.plan(&bench)).collect::<Fallible<Vec<_>>>()?;
    let agreed = check::all(&plans)?;
    let perf = measure::perf_counts();
    let results = plans.iter().flat_map(|plan| &plan.duels).map(|duel| duel.fight(options.runs, perf));
    let results = results.collect::<Fallible<Vec<_>>>()?;
    let report = Report::new(machine, &bench, options, perf, agreed, results);
    print!("{}", report.text());
    report.write(options)
}
