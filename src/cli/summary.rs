//! `summary`: flags as typed, and the checked configuration they make.

use clap::Args;

use super::answer::{AnswerArgs, Form, LogArgs};
use super::config::{Command, Config, bad_value, unknown};
use super::filter::unit;
use super::follow::{FollowArgs, refuse_around, refuse_last};
use super::views::{ViewArgs, refuse_top, refuse_with_view};
use crate::aggregate::key::Key;
use crate::aggregate::summary::Order;
use crate::aggregate::views::View;
use crate::query::{Filter, parse_duration};

pub(super) const SUMMARY_EXAMPLES: &str = "\
Examples:
  auditq summary audit.log                                         one screen that names what dominates
  auditq summary --brief audit.log                                 the same in a few sentences
  auditq summary --by user,verb,code --decision forbid audit.log   who is refused what, how often
  auditq summary --by sourceIP,userAgent --code 401 audit.log      who fails to log in, from where
  auditq summary --every 5m --by code -o csv audit.log             over time, for a spreadsheet
  auditq summary --by user,verb --sort-by size audit.log           who fills the disk
  auditq summary -f --by user,verb audit.log                       live, until interrupted
  auditq summary --trackers audit.log                              where the time of slow requests goes
  auditq summary --slowest 10 --verb list audit.log                which lists took longest
  auditq summary --deprecated --removed-in 1.32 audit.log          who breaks when the cluster is upgraded";

#[derive(Args, Debug)]
pub(super) struct SummaryArgs {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    follow: FollowArgs,
    /// Group by these keys, most requests first (for rows in order of time use --every): user, group, as, verb, resource, subresource, apiGroup, namespace, name, code, decision,
    /// stage, level, userAgent, sourceIP, uri, path, node, source, host, pod, stream, cluster, file, format,
    /// minute, hour, day
    #[arg(long, value_name = "KEYS", value_delimiter = ',', help_heading = "Output")]
    by: Vec<String>,
    /// A few plain sentences: what dominates, and what stands out
    #[arg(long, conflicts_with_all = ["by", "every", "top"], help_heading = "Output")]
    brief: bool,
    /// Over time: one row per period of this length (5m, 1h), for each group
    #[arg(long, value_name = "PERIOD", help_heading = "Output")]
    every: Option<String>,
    /// Show this many groups (default: 20 in tables, all in JSON and CSV)
    #[arg(long, value_name = "N", help_heading = "Output")]
    top: Option<usize>,
    /// With --by, which groups come first: those with the largest requests (default), size, p50, p90, p99 or max
    #[arg(long, value_name = "COLUMN", help_heading = "Output")]
    sort_by: Option<String>,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    answer: AnswerArgs,
}

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

pub(super) fn summary(args: SummaryArgs) -> Result<Config, String> {
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

fn order(word: &str) -> Result<Order, String> {
    Order::parse(word).ok_or_else(|| unknown("--sort-by", word, Order::names()))
}
