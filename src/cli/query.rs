//! `query`: flags as typed, and the checked configuration they make.

use std::path::PathBuf;

use clap::Args;

use super::args::{CommonArgs, FilterArgs, InputArgs};
use super::config::{Command, Config, finish, unknown};
use super::filter::{filter, unit};
use super::follow::{FollowArgs, refuse_around, refuse_last};
use super::names::{names, names_format};
use crate::aggregate::context::Reach;
use crate::query::Filter;
use crate::render::{Path, RowFormat};

pub(super) const QUERY_EXAMPLES: &str = "\
Examples:
  auditq query --verb delete -r deploy/nginx -n shop audit.log     who deleted it, and when
  auditq query -u 'bob*' --since 2026-03-09T08:00Z /var/log/kubernetes/audit/
  kubectl -n kube-system logs kube-apiserver-cp1 | auditq query --failed
  auditq query -f --verb delete /var/log/kubernetes/audit/         as it happens, through rotation
  auditq query -r pods/exec -o wide audit.log                      also the sessions still open
  auditq query --code 5xx --sort-by latency --reverse --limit 20 audit.log
  auditq query -r secrets -o json audit.log | jq .user.username    the original events";

#[derive(Args, Debug)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) follow: FollowArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
    /// Output format: table, wide, json, yaml, csv, raw, name, custom-columns=HEADER:.path,…, jsonpath=TEMPLATE;
    /// names (names=json, names=csv): the users, addresses, agents and objects to look at next
    #[arg(short, long, default_value = "table", value_name = "FORMAT", help_heading = "Output")]
    pub(super) output: String,
    /// Sort rows by time, start, user, verb, resource, namespace, name, code, latency, or a path such as .userAgent;
    /// without it rows come in input order, as they are read
    #[arg(long, value_name = "KEY", help_heading = "Output")]
    pub(super) sort_by: Option<String>,
    /// Reverse the order of --sort-by (time, if that is not given)
    #[arg(long, help_heading = "Output")]
    pub(super) reverse: bool,
    /// Stop after this many rows
    #[arg(long, value_name = "N", help_heading = "Output", conflicts_with = "tail", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) limit: Option<u64>,
    /// Print only the last N rows; in input order requests that never ended come last
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub(super) tail: Option<usize>,
    /// Also print N requests before each that matches, whether they match or not (files and pipes, in input order)
    #[arg(short = 'B', long, value_name = "N", help_heading = "Output", value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(super) before_context: Option<u16>,
    /// Also print N requests after each that matches; -A is --all-namespaces, as in kubectl
    #[arg(long, value_name = "N", help_heading = "Output", value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(super) after_context: Option<u16>,
    /// Also print N requests before and after each that matches
    #[arg(short = 'C', long, value_name = "N", help_heading = "Output", value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(super) context: Option<u16>,
    /// Leave out the header row
    #[arg(long, help_heading = "Output")]
    pub(super) no_headers: bool,
    /// Exit with status 1 when nothing matches
    #[arg(long, help_heading = "Output")]
    pub(super) exit_status: bool,
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

pub(super) fn query(args: QueryArgs) -> Result<Config, String> {
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
