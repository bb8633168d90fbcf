//! `query -o names`: whom and what to look at next.

use super::answer::Form;
use super::config::{Command, Config, finish, format};
use super::filter::{filter, unit};
use super::query::QueryArgs;
use crate::query::Filter;
use crate::render::answer::AnswerFormat;

/// What `query -o names` was asked.
pub struct NamesConfig {
    /// Which requests.
    pub filter: Filter,
    /// How it is printed.
    pub form: Form,
    /// Whether no match means status 1.
    pub exit_status: bool,
}

/// How names are wanted, if they are: `names`, `names=json`, `names=csv`.
pub(super) fn names_format(output: &str) -> Result<Option<AnswerFormat>, String> {
    let Some(rest) = output.strip_prefix("names") else { return Ok(None) };
    let known = [("names", AnswerFormat::Table), ("names=json", AnswerFormat::Json), ("names=csv", AnswerFormat::Csv)];
    if rest.is_empty() || rest.starts_with('=') { format(output, &known).map(Some) } else { Ok(None) }
}

/// Names are counted over all requests that match, so nothing about rows applies to them.
pub(super) fn names(args: QueryArgs, format: AnswerFormat) -> Result<Config, String> {
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
