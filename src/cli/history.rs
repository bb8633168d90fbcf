//! `history`: which object, and what of its life.

use clap::Args;

use super::answer::{AnswerArgs, Form, LogArgs};
use super::config::{Command, Config};
use super::filter::{checked, now, shown, spec};
use crate::aggregate::history::Compare;
use crate::event::Timestamp;
use crate::object::Path;
use crate::query::{Filter, FilterSpec, Objects, read_moment};

pub(super) const HISTORY_EXAMPLES: &str = "\
Examples:
  auditq history deploy/nginx -n default audit.log          every change, who made it, and what ended it
  auditq history deploy/nginx --brief audit.log             no more than who made it, who deleted it, and why
  auditq history cm/settings --diff audit.log               what each change changed
  auditq history deploy/web --field spec.replicas audit.log who scaled it, from what to what
  auditq history deploy/web --at 2026-03-09T08:00Z audit.log  as it stood then, as YAML
  auditq history 'po/web-*' -n shop audit.log               several objects, each with its own story
  auditq history po/x --verb create,delete /var/log/audit/  who created it and who deleted it, and why";

#[derive(Args, Debug)]
pub(super) struct HistoryArgs {
    /// The objects: TYPE/NAME in kubectl's words, a comma list, with * and ? in names; files come after it
    #[arg(value_name = "OBJECT")]
    object: String,
    #[command(flatten)]
    log: LogArgs,
    /// What each change changed, field by field, from the bodies that were logged
    #[arg(long, help_heading = "History")]
    diff: bool,
    /// Only changes of this field, with what it was and what it became: spec.replicas, data["app.conf"]
    #[arg(long, value_name = "PATH", help_heading = "History", conflicts_with = "at")]
    field: Option<String>,
    /// The object as it stood at this time, as YAML, or with -o json; written as for --since
    #[arg(long, value_name = "TIME", help_heading = "History", allow_hyphen_values = true, conflicts_with = "diff")]
    at: Option<String>,
    /// With --diff and --at: also metadata.managedFields
    #[arg(long, help_heading = "History")]
    managed_fields: bool,
    /// With --diff, --field and --at: also the contents of Secrets, and tokens
    #[arg(long, help_heading = "History")]
    show_secrets: bool,
    /// Only the object with this uid, where a name was given again after a deletion
    #[arg(long, value_name = "UID", help_heading = "History")]
    uid: Option<String>,
    /// Only how it began and how it ended: who, when and why
    #[arg(long, help_heading = "History", conflicts_with_all = ["diff", "field", "at"])]
    brief: bool,
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
    /// What is read at all: sources.
    pub span: Filter,
    /// Which changes are shown.
    pub shown: Filter,
    /// Only the object with this uid.
    pub uid: Option<String>,
    /// Whether only the beginning and the end are told.
    pub brief: bool,
    /// Whether changes of status are left out.
    pub no_status: bool,
    /// Whether requests that change nothing are part of it.
    pub reads: bool,
    /// What is compared.
    pub compare: Compare,
    /// The moment at which the object is wanted, instead of its changes.
    pub at: Option<Timestamp>,
    /// How it is printed.
    pub form: Form,
}

/// Checks what was typed.
pub(super) fn history(mut args: HistoryArgs) -> Result<Config, String> {
    let at = args.at.as_deref().map(|text| read_moment("--at", text, now())).transpose();
    let at = at.map_err(|error| shown(&error))?;
    if at.is_some() && args.answer.output == "yaml" {
        // What people are shown of an object is YAML.
        args.answer.output = "table".to_owned();
    }
    let form = args.answer.resolve()?;
    if args.brief && !form.format.is_for_people() {
        return Err("--brief is for people\n  help: -o json has beginnings and ends in `objects[].lives`".to_owned());
    }
    let field = args.field.as_deref().map(Path::parse).transpose();
    let field = field.map_err(|fault| format!("--field: {}", sanitized(&fault)))?;
    let compare =
        Compare { differences: args.diff, field, managed_fields: args.managed_fields, secrets: args.show_secrets };
    let mut hints = Vec::new();
    let objects = Objects::parse(&args.object, &mut hints).map_err(|error| shown(&error))?;
    let LogArgs { input, filter, common } = args.log;
    let (unit, read_all) = (super::filter::unit(&filter), filter.read_all);
    let spec = spec(filter);
    let (shown, said) = checked(&spec)?;
    hints.extend(said);
    // What led to a change is looked for among all requests, and a version follows from those before it,
    // so times choose what is shown: only sources and namespaces are decided before.
    let (place, _) = checked(&FilterSpec { namespace: spec.namespace.clone(), ..FilterSpec::default() })?;
    let (span, _) = checked(&FilterSpec { source: spec.source, ..FilterSpec::default() })?;
    let (uid, brief, no_status, reads) = (args.uid, args.brief, args.no_status, args.reads);
    let config = HistoryConfig { objects, place, span, shown, uid, brief, no_status, reads, compare, at, form };
    super::config::finish(Command::History(Box::new(config)), input.files, &common, unit, read_all, hints)
}

fn sanitized(fault: &str) -> String {
    crate::render::sanitize::text_for_terminal(fault).into_owned()
}
