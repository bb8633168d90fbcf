//! `inspect`: flags as typed, and the checked configuration they make.

use clap::Args;

use super::args::{CommonArgs, InputArgs};
use super::config::{Command, Config, finish, format};
use crate::render::answer::AnswerFormat;
use crate::scan::Unit;

pub(super) const INSPECT_EXAMPLES: &str = "\
Examples:
  auditq inspect /var/log/kubernetes/audit/    what each file covers, and what could not be read
  auditq inspect -o json *.gz | jq .evidence   where every byte went";

#[derive(Args, Debug)]
pub(super) struct InspectArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    common: CommonArgs,
    /// Output format: table, json, csv
    #[arg(short, long, default_value = "table", value_name = "FORMAT", help_heading = "Output")]
    output: String,
}

pub(super) fn inspect(args: InspectArgs) -> Result<Config, String> {
    let format = format(
        &args.output,
        &[("table", AnswerFormat::Table), ("json", AnswerFormat::Json), ("csv", AnswerFormat::Csv)],
    )?;
    finish(Command::Inspect(format), args.input.files, &args.common, Unit::Request, true, Vec::new())
}
