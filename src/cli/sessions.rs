//! `sessions`: flags as typed, and the checked configuration they make.

use clap::Args;

use super::answer::{AnswerArgs, Form, LogArgs};
use super::config::{Command, Config};
use crate::query::Filter;

pub(super) const SESSIONS_EXAMPLES: &str = "\
Examples:
  auditq sessions audit.log                          who was inside which container, and ran what
  auditq sessions -u 'mallory*' -o wide audit.log    with addresses, agents and audit ids
  auditq sessions --open /var/log/kubernetes/audit/  what has no end yet
  auditq sessions --cp audit.log                     files copied out of and into containers
  auditq sessions --code 403 audit.log               who tried";

#[derive(Args, Debug)]
pub(super) struct SessionsArgs {
    #[command(flatten)]
    log: LogArgs,
    /// Only sessions whose end is not in the log
    #[arg(long)]
    open: bool,
    /// Only copies out of and into containers (kubectl cp), with what was copied
    #[arg(long)]
    cp: bool,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// What `sessions` was asked.
pub struct SessionsConfig {
    /// Which sessions matter.
    pub filter: Filter,
    /// Only those without an end.
    pub open: bool,
    /// Only copies.
    pub copies: bool,
    /// How it is printed.
    pub form: Form,
}

pub(super) fn sessions(args: SessionsArgs) -> Result<Config, String> {
    let form = args.answer.resolve()?;
    let (open, copies) = (args.open, args.cp);
    args.log.resolve(|filter| Ok(Command::Sessions(SessionsConfig { filter, open, copies, form })))
}
