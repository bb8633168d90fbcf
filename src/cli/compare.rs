//! `compare`: flags as typed, and the checked configuration they make.

use std::path::PathBuf;

use clap::Args;

use super::answer::{AnswerArgs, Form, LogArgs};
use super::config::{Command, Config};
use super::filter::{now, shown};
use super::summary::add_keys;
use crate::aggregate::compare::{COMPARED, Window};
use crate::aggregate::key::Key;
use crate::query::{Filter, QueryError, parse_span};

pub(super) const COMPARE_EXAMPLES: &str = "\
Examples:
  auditq compare monday.log tuesday.log                            what is different on Tuesday
  auditq compare --last 1h --previous audit.log                    the last hour against the hour before
  auditq compare --before 2026-03-09T07:00..2026-03-09T08:00 --after 2026-03-09T08:00..2026-03-09T08:10 audit.log
  auditq compare --baseline week/ today.log                        a directory against a file
  auditq compare --by user,verb,namespace before.log after.log";

#[derive(Args, Debug)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    log: LogArgs,
    /// What to compare with: a file or directory, and again for more; all FILEs are then the other side
    #[arg(long, value_name = "FILE", help_heading = "Sides", conflicts_with_all = ["previous", "before", "after"])]
    baseline: Vec<PathBuf>,
    /// Compare the time asked for (--last or --window 1h, --since and --until, --around) with as much time before it
    #[arg(long, help_heading = "Sides", conflicts_with_all = ["before", "after"])]
    previous: bool,
    /// Compare this time, T1..T2, …
    #[arg(long, value_name = "SPAN", help_heading = "Sides", requires = "after", conflicts_with_all = ["since", "until", "last", "around"])]
    before: Option<String>,
    /// … with this one
    #[arg(long, value_name = "SPAN", help_heading = "Sides", requires = "before")]
    after: Option<String>,
    /// Compare by these keys (as for summary; default: user,verb,resource,code,userAgent,sourceIP)
    #[arg(long, value_name = "KEYS", value_delimiter = ',', help_heading = "Output")]
    by: Vec<String>,
    /// Look for this many differences (default: 20 in tables, 100 in JSON and CSV)
    #[arg(long, value_name = "N", help_heading = "Output")]
    top: Option<usize>,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// What `compare` was asked.
pub struct CompareConfig {
    /// Which requests.
    pub filter: Filter,
    /// By what.
    pub keys: Vec<Key>,
    /// What the sides are.
    pub division: Division,
    /// So many differences.
    pub top: usize,
    /// How it is printed.
    pub form: Form,
}

/// What the sides are; the side after is in the inputs.
pub enum Division {
    /// The side before is in these files.
    Files(Vec<PathBuf>),
    /// The side before is as long as the time that the filter asks for, and ends where that begins.
    Previous,
    /// Both are stretches of time.
    Windows([Window; 2]),
}

pub(super) fn compare(mut args: CompareArgs) -> Result<Config, String> {
    let division = division(&mut args)?;
    let form = args.answer.resolve()?;
    let keys = keys(&args.by)?;
    let top = args.top.unwrap_or(if form.format.is_for_people() { 20 } else { 100 });
    args.log.resolve(|filter| {
        if matches!(division, Division::Previous) && filter.last().is_none() {
            check_previous(&filter)?;
        }
        Ok(Command::Compare(CompareConfig { filter, keys, division, top, form }))
    })
}

/// What the sides are, going by the flags; of two files the first is taken off.
fn division(args: &mut CompareArgs) -> Result<Division, String> {
    if let Some((before, after)) = args.before.as_ref().zip(args.after.as_ref()) {
        let window = |flag, text: &String| {
            let (since, until) = parse_span(flag, text, now()).map_err(|error| shown(&error))?;
            Ok::<_, String>(Window { since: Some(since), until: Some(until) })
        };
        let sides = [window("--before", before)?, window("--after", after)?];
        if sides[0].since < sides[1].until && sides[1].since < sides[0].until {
            let wrong = QueryError::new("--after", after, 0, format!("overlaps --before {before}"));
            return Err(shown(&wrong.with_help("a request is on one side only; the end of a span is outside of it")));
        }
        return Ok(Division::Windows(sides));
    }
    let filter = &mut args.log.filter;
    if args.previous {
        let stretch = filter.since.is_none() && filter.until.is_none() && filter.around.is_none();
        if stretch && filter.last.is_none() {
            filter.last = filter.window.take();
        }
        return Ok(Division::Previous);
    }
    if filter.last.is_some() {
        return Err("--last: two inputs have two ends to count back from\n  \
             help: add --previous for the time before in one input, or give --since"
            .to_owned());
    }
    let files = &mut args.log.input.files;
    if files.iter().chain(&args.baseline).filter(|file| file.as_os_str() == "-").count() > 1 {
        return Err("standard input can be one side only\n  help: name files".to_owned());
    }
    match (args.baseline.is_empty(), files.len()) {
        (false, 1..) => Ok(Division::Files(std::mem::take(&mut args.baseline))),
        (true, 2) => Ok(Division::Files(vec![files.remove(0)])),
        _ => Err("two sides are needed\n  \
             help: compare BEFORE AFTER; or --baseline BEFORE… AFTER…; or one input with --last 1h --previous, \
             or with --before T1..T2 --after T2..T3"
            .to_owned()),
    }
}

fn check_previous(filter: &Filter) -> Result<(), String> {
    match (filter.since(), filter.until()) {
        (Some(_), Some(_)) => Ok(()),
        _ => Err("--previous: previous to what?\n  help: add --last 1h, --since and --until, or --around".to_owned()),
    }
}

fn keys(words: &[String]) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    add_keys(words, &mut keys)?;
    let manifold = |key: &&Key| matches!(key, Key::Group | Key::Time(_) | Key::Every(_));
    if let Some(key) = keys.iter().find(manifold) {
        return Err(format!(
            "--by {}: not a key to compare by\n  help: {}",
            key.name(),
            "a request has one value of each key, and the same values can come again later"
        ));
    }
    Ok(if keys.is_empty() { COMPARED.to_vec() } else { keys })
}
