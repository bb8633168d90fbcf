//! The checked configuration: every flag resolved once, before any file is opened.
//!
//! What is the same for all commands is here. What each was asked it resolves in a file of its own, beside the flags
//! it has.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use clap_complete::Shell;

use super::args::{Cli, CommonArgs, Sub};
use super::compare::{CompareConfig, compare};
use super::denied::{DeniedConfig, denied};
use super::disruptions::{DisruptionsConfig, disruptions};
use super::history::{HistoryConfig, history};
use super::inspect::inspect;
use super::names::NamesConfig;
use super::query::{QueryConfig, query};
use super::rbac::{RbacConfig, rbac};
use super::receive::receive;
use super::sessions::{SessionsConfig, sessions};
use super::show::{ShowConfig, show};
use super::summary::{SummaryConfig, summary};
use super::terminal::{paints, screen_height, wants_color};
use crate::input::seek::STEP;
use crate::query::suggest::closest;
use crate::receive::ReceiveConfig;
use crate::receive::kubeconfig::Target;
use crate::render::TimeZoneChoice;
use crate::render::answer::AnswerFormat;
use crate::render::sanitize::text_for_terminal;
use crate::scan::{CHUNK, Options, SIFT, Unit};

/// A run, fully decided.
pub struct Config {
    /// What to do.
    pub command: Command,
    /// Files and directories as named.
    pub files: Vec<PathBuf>,
    /// Whether they are followed while they are written.
    pub follow: bool,
    /// Ends the run early when set.
    pub stop: Arc<AtomicBool>,
    /// How the scan is driven.
    pub options: Options,
    /// How and where the answer is shown.
    pub output: Output,
    /// What the flags gave reason to say, for standard error.
    pub hints: Vec<String>,
}

/// How and where the answer is shown.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// The zone times are shown in.
    pub zone: TimeZoneChoice,
    /// Whether standard output is a terminal.
    pub terminal: bool,
    /// Whether headers are bold.
    pub color: bool,
    /// Whether to show a progress bar when work is long.
    pub progress: bool,
    /// Whether notes and hints are wanted.
    pub notes: bool,
    /// On a terminal that can paint over what it shows, how many lines it has.
    pub screen: Option<fn() -> usize>,
}

/// What to do.
pub enum Command {
    /// Rows.
    Query(QueryConfig),
    /// Whom and what to look at next.
    Names(NamesConfig),
    /// Counts.
    Summary(SummaryConfig),
    /// The life of objects.
    History(Box<HistoryConfig>),
    /// Refusals.
    Denied(DeniedConfig),
    /// Access control.
    Rbac(Box<RbacConfig>),
    /// Differences.
    Compare(CompareConfig),
    /// The evidence.
    Inspect(AnswerFormat),
    /// One request.
    Show(ShowConfig),
    /// Evictions, drains, terminations, budgets.
    Disruptions(DisruptionsConfig),
    /// Who was inside.
    Sessions(SessionsConfig),
    /// Events from an API server.
    Receive(Box<ReceiveConfig>),
    /// What the API server must be told to send them.
    Kubeconfig(Target),
    /// A completion script.
    Completion(Shell),
}

/// More threads than this only cost memory.
const MOST_THREADS: usize = 256;

/// Reads the command line.
///
/// # Errors
/// Gives the text to print and whether it is help that was asked for rather than a mistake.
pub fn resolve(arguments: impl Iterator<Item = OsString>) -> Result<Config, (String, bool)> {
    let cli = Cli::try_parse_from(arguments).map_err(|error| (error.render().to_string(), !error.use_stderr()))?;
    let config = match cli.command {
        Sub::Query(args) => query(args),
        Sub::Summary(args) => summary(args),
        Sub::History(args) => history(*args),
        Sub::Denied(args) => denied(args),
        Sub::Rbac(args) => rbac(args),
        Sub::Compare(args) => compare(args),
        Sub::Inspect(args) => inspect(args),
        Sub::Show(args) => show(args),
        Sub::Disruptions(args) => disruptions(args),
        Sub::Sessions(args) => sessions(args),
        Sub::Receive(args) => receive(args).map(plain),
        Sub::Completion { shell } => Ok(plain(Command::Completion(shell))),
    };
    config.map_err(|message| (format!("auditq: {message}\n"), false))
}

/// The configuration of a command that reads none.
fn plain(command: Command) -> Config {
    let options = Options { threads: 1, chunk: CHUNK, unit: Unit::Request, seek: None, sift: None };
    let zone = TimeZoneChoice::Utc;
    let output = Output { zone, terminal: false, color: false, progress: false, notes: false, screen: None };
    Config { command, files: Vec::new(), follow: false, stop: Arc::default(), options, output, hints: Vec::new() }
}

/// The configuration of a command that reads a log.
pub(super) fn finish(
    command: Command,
    files: Vec<PathBuf>,
    common: &CommonArgs,
    unit: Unit,
    read_all: bool,
    hints: Vec<String>,
) -> Result<Config, String> {
    if files.is_empty() && std::io::stdin().is_terminal() {
        return Err(
            "no input\n  help: name files or directories, or pipe a log in: kubectl logs … | auditq …".to_owned()
        );
    }
    let output = output(common)?;
    if common.threads == Some(0) {
        return Err(bad_value("--threads", "0", "one thread or more"));
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options {
        threads: common.threads.unwrap_or(processors).min(MOST_THREADS),
        chunk: common.chunk_size.unwrap_or(CHUNK).max(1),
        unit,
        seek: (!read_all).then(|| common.seek_step.unwrap_or(STEP)),
        sift: (!read_all).then(|| common.seek_step.map_or(SIFT, |_| 0)),
    };
    Ok(Config { command, files, follow: false, stop: Arc::default(), options, output, hints })
}

fn output(common: &CommonArgs) -> Result<Output, String> {
    let zone = if common.local { Some(TimeZoneChoice::Local) } else { TimeZoneChoice::parse(&common.tz) };
    Ok(Output {
        zone: zone.ok_or_else(|| bad_value("--tz", &common.tz, "UTC, local, or an offset such as +05:30"))?,
        terminal: std::io::stdout().is_terminal(),
        color: wants_color(common.color),
        progress: !common.quiet && std::io::stderr().is_terminal(),
        notes: !common.quiet,
        screen: paints().then_some(screen_height),
    })
}

pub(super) fn format(word: &str, known: &[(&str, AnswerFormat)]) -> Result<AnswerFormat, String> {
    known
        .iter()
        .find(|(name, _)| *name == word)
        .map(|&(_, format)| format)
        .ok_or_else(|| unknown("--output", word, known.iter().map(|&(name, _)| name)))
}

pub(super) fn bad_value(flag: &str, value: &str, wanted: &str) -> String {
    let shown = text_for_terminal(value);
    format!("{flag} {shown}: not understood\n  help: give {wanted}")
}

pub(super) fn unknown<'a>(flag: &str, word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = known.collect();
    let help = match closest(word, names.iter().copied()) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("one of {}", names.join(", ")),
    };
    format!("{flag}: unknown value `{}`\n  help: {help}", text_for_terminal(word))
}
