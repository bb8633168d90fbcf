//! `history`: which object, and what of its life.

use clap::Args;

use super::answer::{AnswerArgs, Form, LogArgs};
use super::config::{Command, Config, checked, shown, spec};
use crate::query::{Filter, FilterSpec, Objects};

pub(super) const HISTORY_EXAMPLES: &str = "\
Examples:
  auditq history deploy/nginx -n default audit.log          every change, who made it, and what ended it
  auditq history 'po/web-*' -n shop audit.log               several objects, each with its own story
  auditq history po/x --verb create,delete /var/log/audit/  who created it and who deleted it, and why";

#[derive(Args, Debug)]
pub(super) struct HistoryArgs {
    /// The objects: TYPE/NAME in kubectl's words, a comma list, with * and ? in names; files come after it
    #[arg(value_name = "OBJECT")]
    object: String,
    #[command(flatten)]
    log: LogArgs,
    /// Only the object with this uid, where a name was given again after a deletion
    #[arg(long, value_name = "UID", help_heading = "History")]
    uid: Option<String>,
    /// Leave out changes of status, which controllers and nodes report
    #[arg(long, help_heading = "History")]
    no_status: bool,
    /// Also requests that change nothing: reads, exec, logs, tokens
    #[arg(long, help_heading = "History")]
    reads: bool,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// What `history` was asked.
pub struct HistoryConfig {
    /// The objects.
    pub objects: Objects,
    /// Where they live.
    pub place: Filter,
    /// What is read at all: times and sources.
    pub span: Filter,
    /// Which changes are shown.
    pub shown: Filter,
    /// Only the object with this uid.
    pub uid: Option<String>,
    /// Whether changes of status are left out.
    pub no_status: bool,
    /// Whether requests that change nothing are part of it.
    pub reads: bool,
    /// How it is printed.
    pub form: Form,
}

/// Checks what was typed.
pub(super) fn history(args: HistoryArgs) -> Result<Config, String> {
    let form = args.answer.resolve()?;
    let mut hints = Vec::new();
    let objects = Objects::parse(&args.object, &mut hints).map_err(|error| shown(&error))?;
    let LogArgs { input, filter, common } = args.log;
    let (unit, read_all) = (super::config::unit(&filter), filter.read_all);
    let spec = spec(filter);
    let (shown, said) = checked(&spec)?;
    hints.extend(said);
    // What led to a change is looked for among all requests, so only when and where is decided before.
    let (place, _) = checked(&FilterSpec { namespace: spec.namespace.clone(), ..FilterSpec::default() })?;
    let (span, _) = checked(&times_and_sources(spec))?;
    let (uid, no_status, reads) = (args.uid, args.no_status, args.reads);
    let config = HistoryConfig { objects, place, span, shown, uid, no_status, reads, form };
    super::config::finish(Command::History(Box::new(config)), input.files, &common, unit, read_all, hints)
}

fn times_and_sources(spec: FilterSpec) -> FilterSpec {
    FilterSpec {
        since: spec.since,
        until: spec.until,
        around: spec.around,
        window: spec.window,
        last: spec.last,
        source: spec.source,
        ..FilterSpec::default()
    }
}
