//! `show`: flags as typed, and the checked configuration they make.

use std::path::PathBuf;

use clap::Args;

use super::args::{CommonArgs, FilterArgs};
use super::config::{Command, Config, finish, unknown};
use super::filter::filter;
use crate::query::Filter;
use crate::scan::Unit;

pub(super) const SHOW_EXAMPLES: &str = "\
Examples:
  auditq show 1dc07bf9-b995-4fd6-8865-a3798e079387 audit.log   one request read aloud
  auditq show 1dc07 /var/log/kubernetes/audit/                 the beginning of the id is enough
  auditq show 1dc07 --bodies audit.log                         with its bodies, secrets hidden
  auditq show 1dc07 -o yaml audit.log                          the events as they are";

#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// The audit id of the request, or how it begins (4 characters or more)
    #[arg(value_name = "AUDIT-ID")]
    id: String,
    /// Files or directories; none, or `-`, is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    common: CommonArgs,
    /// Output format: text, json, yaml
    #[arg(short, long, default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    output: String,
    /// Show the bodies of request and response, as far as they were logged; without managedFields
    #[arg(long, help_heading = "Output")]
    bodies: bool,
    /// With --bodies, show the values of secrets and tokens too
    #[arg(long, requires = "bodies", help_heading = "Output")]
    show_secrets: bool,
}

/// What `show` was asked.
pub struct ShowConfig {
    /// Which events matter.
    pub filter: Filter,
    /// The audit id, or how it begins.
    pub id: String,
    /// How it is printed.
    pub format: ShowFormat,
    /// Whether bodies are read aloud.
    pub bodies: bool,
    /// Whether their secrets are.
    pub secrets: bool,
}

/// How a request is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShowFormat {
    /// Read aloud.
    Text,
    /// Its events as one line of JSON each.
    Json,
    /// Its events as YAML documents.
    Yaml,
}

pub(super) fn show(args: ShowArgs) -> Result<Config, String> {
    let format = match args.output.as_str() {
        "text" => ShowFormat::Text,
        "json" => ShowFormat::Json,
        "yaml" => ShowFormat::Yaml,
        other => return Err(unknown("--output", other, ["text", "json", "yaml"].into_iter())),
    };
    if args.bodies && format != ShowFormat::Text {
        return Err(
            "--bodies with --output: json and yaml are whole events, bodies and all\n  help: leave one of them out"
                .to_owned(),
        );
    }
    if args.id.is_empty() {
        return Err("the audit id is empty\n  help: give one, or how one begins; query -o wide shows them".to_owned());
    }
    let read_all = args.filter.read_all;
    let (filter, hints) = filter(args.filter)?;
    let config = ShowConfig { filter, id: args.id, format, bodies: args.bodies, secrets: args.show_secrets };
    // All stages are wanted, whatever stands for the request elsewhere.
    finish(Command::Show(config), args.files, &args.common, Unit::Event, read_all, hints)
}
