//! What every command that answers a question about a log has in common: its input, filters and output.

use clap::Args;

use super::args::{CommonArgs, FilterArgs, InputArgs};
use super::config::{Command, Config, finish, format};
use super::filter::{filter, unit};
use crate::query::Filter;
use crate::render::answer::AnswerFormat;

/// Where the log is, which of its requests matter, and how the run goes.
#[derive(Args, Debug)]
pub(super) struct LogArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

/// How the answer is printed.
#[derive(Args, Debug)]
pub(super) struct AnswerArgs {
    /// Output format: table, wide, json, csv
    #[arg(short, long, default_value = "table", value_name = "FORMAT", help_heading = "Output")]
    pub(super) output: String,
    /// Leave out the header row
    #[arg(long, help_heading = "Output")]
    pub(super) no_headers: bool,
}

/// How an answer is printed, checked.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The format.
    pub format: AnswerFormat,
    /// Whether there is a header.
    pub headers: bool,
}

impl AnswerArgs {
    /// Checks what was typed.
    pub(super) fn resolve(&self) -> Result<Form, String> {
        let known = [
            ("table", AnswerFormat::Table),
            ("wide", AnswerFormat::Wide),
            ("json", AnswerFormat::Json),
            ("csv", AnswerFormat::Csv),
        ];
        Ok(Form { format: format(&self.output, &known)?, headers: !self.no_headers })
    }
}

impl LogArgs {
    /// The configuration of a command that is made from the checked filter.
    pub(super) fn resolve(self, command: impl FnOnce(Filter) -> Result<Command, String>) -> Result<Config, String> {
        let (unit, read_all) = (unit(&self.filter), self.filter.read_all);
        let (filter, hints) = filter(self.filter)?;
        finish(command(filter)?, self.input.files, &self.common, unit, read_all, hints)
    }
}
