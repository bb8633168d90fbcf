//! The flags of `disruptions`.

use clap::Args;

use super::answer::{AnswerArgs, Form, LogArgs};
use super::config::{Command, Config};
use crate::query::Filter;

pub(super) const DISRUPTIONS_EXAMPLES: &str = "\
Examples:
  auditq disruptions audit.log                      drains, refused evictions, pods that were killed, impossible budgets
  auditq disruptions --node worker-2 audit.log      who cordoned the node and when, and who wrote it how often
  auditq disruptions -n shop -o wide audit.log      every eviction and every pod's end in a namespace
  auditq disruptions -o csv /var/log/kubernetes/audit/ > disruptions.csv";

#[derive(Args, Debug)]
pub(super) struct DisruptionsArgs {
    #[command(flatten)]
    log: LogArgs,
    /// Only what happened on this node
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    node: Option<String>,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// What `disruptions` was asked.
pub struct DisruptionsConfig {
    /// Which requests.
    pub filter: Filter,
    /// The only node.
    pub node: Option<String>,
    /// How it is printed.
    pub form: Form,
}

/// Checks what was typed.
pub(super) fn disruptions(args: DisruptionsArgs) -> Result<Config, String> {
    let (form, node) = (args.answer.resolve()?, args.node);
    args.log.resolve(|filter| Ok(Command::Disruptions(DisruptionsConfig { filter, node, form })))
}
