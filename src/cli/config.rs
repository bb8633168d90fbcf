//! The checked configuration: every flag resolved once, before any file is opened.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::Utc;
use clap::{ColorChoice, Parser};
use clap_complete::Shell;

use super::answer::Form;
use super::args::{Cli, CommonArgs, FilterArgs, InspectArgs, QueryArgs, Sub, SummaryArgs};
use super::compare::{CompareConfig, compare};
use super::denied::{DeniedConfig, denied};
use super::disruptions::{DisruptionsConfig, disruptions};
use super::history::{HistoryConfig, history};
use super::rbac::{RbacConfig, rbac};
use super::receive::receive;
use super::sessions::{SessionsConfig, sessions};
use super::show::{ShowConfig, show};
use super::views::{refuse_top, refuse_with_view};
use crate::aggregate::context::Reach;
use crate::aggregate::summary::{Key, Order};
use crate::aggregate::views::View;
use crate::event::Timestamp;
use crate::input::seek::STEP;
use crate::query::suggest::closest;
use crate::query::{Filter, FilterSpec, QueryError, check, parse_duration};
use crate::receive::ReceiveConfig;
use crate::receive::kubeconfig::Target;
use crate::render::answer::AnswerFormat;
use crate::render::{Path, RowFormat, TimeZoneChoice};
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

/// What `query` was asked.
pub struct QueryConfig {
    /// Which requests.
    pub filter: Filter,
    /// How a row looks.
    pub format: RowFormat,
    /// What rows are sorted by.
    pub sort: Option<Sort>,
    /// Whether the order is reversed.
    pub reverse: bool,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Only the last rows.
    pub tail: Option<usize>,
    /// How many neighbours of a match are printed with it.
    pub context: Option<Reach>,
    /// Whether there is a header.
    pub headers: bool,
    /// Whether no match means status 1.
    pub exit_status: bool,
}

/// What `query -o names` was asked.
pub struct NamesConfig {
    /// Which requests.
    pub filter: Filter,
    /// How it is printed.
    pub form: Form,
    /// Whether no match means status 1.
    pub exit_status: bool,
}

/// What rows can be sorted by.
#[derive(Clone, Debug)]
pub enum Sort {
    /// Event time.
    Time,
    /// When the request arrived.
    Start,
    /// User name.
    User,
    /// Verb.
    Verb,
    /// Resource.
    Resource,
    /// Namespace.
    Namespace,
    /// Object name.
    Name,
    /// Status code.
    Code,
    /// Latency.
    Latency,
    /// A path into the event.
    Path(Path),
}

const SORTS: [&str; 9] = ["time", "start", "user", "verb", "resource", "namespace", "name", "code", "latency"];

/// What `summary` was asked.
pub struct SummaryConfig {
    /// Which requests.
    pub filter: Filter,
    /// Grouped by what; empty is the overview.
    pub keys: Vec<Key>,
    /// Whether periods of `--every` come first.
    pub over_time: bool,
    /// So many groups.
    pub top: Option<usize>,
    /// Which groups come first.
    pub order: Order,
    /// A closer look at one side, rather than counts.
    pub view: Option<View>,
    /// Of the overview only the sentences and what they are about.
    pub brief: bool,
    /// How it is printed.
    pub form: Form,
}

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

fn plain(command: Command) -> Config {
    let options = Options { threads: 1, chunk: CHUNK, unit: Unit::Request, seek: None, sift: None };
    let zone = TimeZoneChoice::Utc;
    let output = Output { zone, terminal: false, color: false, progress: false, notes: false, screen: None };
    Config { command, files: Vec::new(), follow: false, stop: Arc::default(), options, output, hints: Vec::new() }
}

fn query(args: QueryArgs) -> Result<Config, String> {
    let follow = args.follow.follow;
    if follow {
        refuse_with_follow(&args)?;
    }
    if let Some(format) = names_format(&args.output)? {
        return names(args, format);
    }
    let format = RowFormat::parse(&args.output)?;
    let sort = args.sort_by.as_deref().map(sort).transpose()?;
    // Reversing input order alone would need all of it; by time it means something.
    let sort = sort.or_else(|| args.reverse.then_some(Sort::Time));
    let context = context(&args)?;
    let (unit, read_all) = (unit(&args.filter), args.filter.read_all);
    let context_hint = args.filter.all_namespaces.then(|| after_hint(&args.input.files)).flatten();
    let (filter, mut hints) = filter(args.filter)?;
    hints.extend(context_hint);
    if follow {
        refuse_around(&filter)?;
    }
    let command = Command::Query(QueryConfig {
        filter,
        format,
        sort,
        reverse: args.reverse,
        limit: args.limit,
        tail: args.tail,
        context,
        headers: !args.no_headers,
        exit_status: args.exit_status,
    });
    let config = finish(command, args.input.files, &args.common, unit, read_all, hints)?;
    Ok(Config { follow, ..config })
}

/// What `-A 2` was meant for, where 2 is no file.
fn after_hint(files: &[PathBuf]) -> Option<String> {
    let number = |file: &&PathBuf| file.to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
    let number = files.iter().find(|file| number(file) && !file.exists())?.display();
    Some(format!(
        "-A is --all-namespaces, as in kubectl, so {number} is a file; did you mean --after-context {number}?"
    ))
}

/// How many neighbours of a match are wanted. They are those in the input, so its order must stay.
fn context(args: &QueryArgs) -> Result<Option<Reach>, String> {
    let given = [
        ("--before-context", args.before_context),
        ("--after-context", args.after_context),
        ("--context", args.context),
    ];
    let Some((flag, _)) = given.into_iter().find(|(_, rows)| rows.is_some()) else { return Ok(None) };
    let others = [
        ("--sort-by", args.sort_by.is_some()),
        ("--reverse", args.reverse),
        ("--tail", args.tail.is_some()),
        ("--follow", args.follow.follow),
    ];
    if let Some((other, _)) = others.into_iter().find(|(_, given)| *given) {
        let why = "what stands around a match is known in the order of the input alone";
        return Err(format!("{flag} with {other}: {why}\n  help: leave one of them out"));
    }
    let rows = |own: Option<u16>| usize::from(own.or(args.context).unwrap_or(0));
    Ok(Some(Reach { before: rows(args.before_context), after: rows(args.after_context) }))
}

/// How names are wanted, if they are: `names`, `names=json`, `names=csv`.
fn names_format(output: &str) -> Result<Option<AnswerFormat>, String> {
    let Some(rest) = output.strip_prefix("names") else { return Ok(None) };
    let known = [("names", AnswerFormat::Table), ("names=json", AnswerFormat::Json), ("names=csv", AnswerFormat::Csv)];
    if rest.is_empty() || rest.starts_with('=') { format(output, &known).map(Some) } else { Ok(None) }
}

/// Names are counted over all requests that match, so nothing about rows applies to them.
fn names(args: QueryArgs, format: AnswerFormat) -> Result<Config, String> {
    let given = [
        ("--follow", args.follow.follow),
        ("--sort-by", args.sort_by.is_some()),
        ("--reverse", args.reverse),
        ("--limit", args.limit.is_some()),
        ("--tail", args.tail.is_some()),
        ("--before-context", args.before_context.is_some()),
        ("--after-context", args.after_context.is_some()),
        ("--context", args.context.is_some()),
    ];
    if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
        return Err(format!(
            "{flag} with -o names: names are counted over all requests that match\n  \
             help: leave {flag} out"
        ));
    }
    let form = Form { format, headers: !args.no_headers };
    let (unit, read_all) = (unit(&args.filter), args.filter.read_all);
    let (filter, hints) = filter(args.filter)?;
    let command = Command::Names(NamesConfig { filter, form, exit_status: args.exit_status });
    finish(command, args.input.files, &args.common, unit, read_all, hints)
}

fn summary(args: SummaryArgs) -> Result<Config, String> {
    let form = args.answer.resolve()?;
    let mut keys = Vec::new();
    if let Some(period) = &args.every {
        let width = parse_duration(period).filter(|&width| width > 0);
        keys.push(Key::Every(width.ok_or_else(|| bad_value("--every", period, "a length such as 30s, 5m or 1h"))?));
    }
    add_keys(&args.by, &mut keys)?;
    let view = args.view.resolve(&args.log.filter)?;
    let order = args.sort_by.as_deref().map(order).transpose()?;
    if order.is_some() && (keys.is_empty() || view.is_some()) {
        return Err("--sort-by: it sorts groups of --by or --every\n  help: say what to group by".to_owned());
    }
    let follow = args.follow.follow;
    if let Some(view) = &view {
        refuse_with_view(view, &keys, follow, unit(&args.log.filter))?;
        refuse_top(view, args.top)?;
    }
    if follow {
        refuse_last(&args.log.filter)?;
    }
    if args.brief && !form.format.is_for_people() {
        return Err("--brief is for people\n  help: -o json has the sentences in `sentences`".to_owned());
    }
    let (over_time, top, brief, order) = (args.every.is_some(), args.top, args.brief, order.unwrap_or_default());
    let command = |filter| {
        if follow {
            refuse_around(&filter)?;
        }
        Ok(Command::Summary(SummaryConfig { filter, keys, over_time, top, order, view, brief, form }))
    };
    Ok(Config { follow, ..args.log.resolve(command)? })
}

/// Adds the keys that `--by` names.
pub(super) fn add_keys(words: &[String], keys: &mut Vec<Key>) -> Result<(), String> {
    for word in words.iter().filter(|word| !word.is_empty()) {
        let key = Key::parse(word).ok_or_else(|| unknown("--by", word, Key::names()))?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(())
}

fn inspect(args: InspectArgs) -> Result<Config, String> {
    let format = format(
        &args.output,
        &[("table", AnswerFormat::Table), ("json", AnswerFormat::Json), ("csv", AnswerFormat::Csv)],
    )?;
    finish(Command::Inspect(format), args.input.files, &args.common, Unit::Request, true, Vec::new())
}

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
    let zone = if common.local { Some(TimeZoneChoice::Local) } else { TimeZoneChoice::parse(&common.tz) };
    let zone = zone.ok_or_else(|| bad_value("--tz", &common.tz, "UTC, local, or an offset such as +05:30"))?;
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
    let output = Output {
        zone,
        terminal: std::io::stdout().is_terminal(),
        color: wants_color(common.color),
        progress: !common.quiet && std::io::stderr().is_terminal(),
        notes: !common.quiet,
        screen: paints().then_some(screen_height),
    };
    Ok(Config { command, files, follow: false, stop: Arc::default(), options, output, hints })
}

/// A live run has no last rows, and none that come first.
fn refuse_with_follow(args: &QueryArgs) -> Result<(), String> {
    let never = "rows are printed as they come, and the log does not end";
    if args.sort_by.is_some() || args.reverse {
        let flag = if args.sort_by.is_some() { "--sort-by" } else { "--reverse" };
        return Err(format!("{flag} with --follow: {never}\n  help: leave one of them out"));
    }
    if args.tail.is_some() {
        return Err(format!("--tail with --follow: {never}\n  help: give --since to leave out what is older"));
    }
    refuse_last(&args.filter)
}

/// The newest event of a live log is always another one.
fn refuse_last(args: &FilterArgs) -> Result<(), String> {
    if args.last.is_some() {
        return Err("--last with --follow: the log has no newest event yet to count back from\n  \
             help: give --since, which counts back from now"
            .to_owned());
    }
    Ok(())
}

/// A request must be found before what is around it, and a live log is read once.
fn refuse_around(filter: &Filter) -> Result<(), String> {
    if filter.around().is_some() {
        return Err("--around with an audit id and --follow: the request would have to be found first\n  \
             help: give --around with its time"
            .to_owned());
    }
    Ok(())
}

/// Whether standard output is a terminal that can paint over what it shows.
fn paints() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|kind| kind != "dumb" && !kind.is_empty())
}

/// How many lines the terminal has.
fn screen_height() -> usize {
    let usual = 24;
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(usual, |size| match size.ws_row {
        0 => usual,
        lines => usize::from(lines),
    })
}

/// Whether to colour: as told, else on a terminal where `NO_COLOR` is not set.
fn wants_color(choice: ColorChoice) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}

/// More threads than this only cost memory.
const MOST_THREADS: usize = 256;

/// `--stage` and `--events` ask for single events.
pub(super) fn unit(args: &FilterArgs) -> Unit {
    if args.events || !args.stage.is_empty() { Unit::Event } else { Unit::Request }
}

pub(super) fn filter(args: FilterArgs) -> Result<(Filter, Vec<String>), String> {
    checked(&spec(args))
}

/// What the filter flags say.
pub(super) fn spec(args: FilterArgs) -> FilterSpec {
    FilterSpec {
        user: args.user,
        group: args.group,
        as_user: args.as_user,
        verb: args.verb,
        resource: args.resource,
        namespace: args.namespace,
        name: args.name,
        stage: args.stage,
        level: args.level,
        code: args.code,
        decision: args.decision,
        source_ip: args.source_ip,
        user_agent: args.user_agent,
        source: args.source,
        uri: args.uri,
        audit_id: args.audit_id,
        annotation: args.annotation,
        latency: args.latency,
        since: args.since,
        until: args.until,
        around: args.around,
        window: args.window,
        last: args.last,
        failed: args.failed,
        expressions: args.expressions,
    }
}

/// Checks and compiles what filter flags say.
pub(super) fn checked(spec: &FilterSpec) -> Result<(Filter, Vec<String>), String> {
    let checked = check(spec, now()).map_err(|error| shown(&error))?;
    Ok((checked.filter, checked.hints))
}

/// The present, which nothing but the command line knows.
pub(super) fn now() -> Timestamp {
    Timestamp(Utc::now().timestamp_nanos_opt().unwrap_or_default())
}

/// A fault in a value, for a terminal.
pub(super) fn shown(error: &QueryError) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(crate::render::sanitize::text_for_terminal).collect();
    lines.join("\n")
}

fn order(word: &str) -> Result<Order, String> {
    Order::parse(word).ok_or_else(|| unknown("--sort-by", word, Order::names()))
}

fn sort(word: &str) -> Result<Sort, String> {
    Ok(match word.to_ascii_lowercase().as_str() {
        "time" => Sort::Time,
        "start" => Sort::Start,
        "user" => Sort::User,
        "verb" => Sort::Verb,
        "resource" => Sort::Resource,
        "namespace" => Sort::Namespace,
        "name" => Sort::Name,
        "code" => Sort::Code,
        "latency" => Sort::Latency,
        _ if word.starts_with(['.', '{', '[']) => {
            Sort::Path(Path::parse(word).map_err(|error| format!("--sort-by: {error}"))?)
        }
        _ => return Err(unknown("--sort-by", word, SORTS.into_iter())),
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
    let shown = crate::render::sanitize::text_for_terminal(value);
    format!("{flag} {shown}: not understood\n  help: give {wanted}")
}

pub(super) fn unknown<'a>(flag: &str, word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = known.collect();
    let help = match closest(word, names.iter().copied()) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("one of {}", names.join(", ")),
    };
    format!("{flag}: unknown value `{}`\n  help: {help}", crate::render::sanitize::text_for_terminal(word))
}
