//! `denied`: flags as typed, and the checked configuration they make.

use clap::Args;

use super::answer::{Form, LogArgs};
use super::config::{Command, Config, format};
use crate::query::Filter;
use crate::render::answer::AnswerFormat;

pub(super) const DENIED_EXAMPLES: &str = "\
Examples:
  auditq denied audit.log                                  what is refused to whom, most often first
  auditq denied -u 'system:serviceaccount:shop:*' -o wide audit.log
  auditq denied --code 401 audit.log                       failed authentication, by address and client
  auditq denied --user carol@example.com --rules audit.log the smallest rules that would allow it, as manifests";

#[derive(Args, Debug)]
pub(super) struct DeniedArgs {
    #[command(flatten)]
    log: LogArgs,
    /// Output format: table, wide, json, csv, yaml (the manifests of --rules)
    #[arg(short, long, default_value = "table", value_name = "FORMAT", help_heading = "Output")]
    output: String,
    /// For each cause the smallest role and binding that would have allowed exactly that, as manifests
    #[arg(long, help_heading = "Output")]
    rules: bool,
    /// Rules for the objects that were asked for, instead of all of their type
    #[arg(long, help_heading = "Output")]
    names: bool,
    /// Show this many causes (default: 20 in tables, all otherwise)
    #[arg(long, value_name = "N", help_heading = "Output")]
    top: Option<usize>,
    /// Leave out the header row
    #[arg(long, help_heading = "Output")]
    no_headers: bool,
}

/// What `denied` was asked.
pub struct DeniedConfig {
    /// Which requests.
    pub filter: Filter,
    /// Whether manifests are wanted instead of the answer.
    pub rules: bool,
    /// Whether rules name objects.
    pub names: bool,
    /// So many causes.
    pub top: Option<usize>,
    /// How it is printed.
    pub form: Form,
}

pub(super) fn denied(args: DeniedArgs) -> Result<Config, String> {
    let yaml = args.output == "yaml";
    let known = [
        ("table", AnswerFormat::Table),
        ("wide", AnswerFormat::Wide),
        ("json", AnswerFormat::Json),
        ("csv", AnswerFormat::Csv),
        // The format of manifests; what else is said is for people.
        ("yaml", AnswerFormat::Table),
    ];
    let format = format(&args.output, &known)?;
    if args.rules && !yaml && format != AnswerFormat::Table {
        return Err(format!(
            "--rules with -o {}: rules are manifests\n  help: leave -o out; in -o json every cause has its rules",
            args.output
        ));
    }
    let (rules, names, top) = (args.rules || yaml, args.names, args.top);
    let form = Form { format, headers: !args.no_headers };
    args.log.resolve(|filter| Ok(Command::Denied(DeniedConfig { filter, rules, names, top, form })))
}
