//! Flags as typed: the commands, and the flags that several of them have.

use std::path::PathBuf;

use clap::{Args, ColorChoice, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::compare::{COMPARE_EXAMPLES, CompareArgs};
use super::denied::{DENIED_EXAMPLES, DeniedArgs};
use super::disruptions::{DISRUPTIONS_EXAMPLES, DisruptionsArgs};
use super::history::{HISTORY_EXAMPLES, HistoryArgs};
use super::inspect::{INSPECT_EXAMPLES, InspectArgs};
use super::query::{QUERY_EXAMPLES, QueryArgs};
use super::rbac::{RBAC_EXAMPLES, RbacArgs};
use super::receive::{RECEIVE_EXAMPLES, ReceiveArgs};
use super::sessions::{SESSIONS_EXAMPLES, SessionsArgs};
use super::show::{SHOW_EXAMPLES, ShowArgs};
use super::summary::{SUMMARY_EXAMPLES, SummaryArgs};

/// Fast, truthful analysis of Kubernetes audit logs.
///
/// Reads audit logs as people have them: JSON events of any version, lists, the legacy text
/// formats, rotated and compressed files, directories, and `kubectl logs` piped in. Formats are
/// recognised record by record; no flag says which.
#[derive(Parser, Debug)]
#[command(name = "auditq", version, about, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Exit status: 0 answered from complete evidence; 1 a yes/no question was answered no; \
2 wrong usage, or nothing could be read; 3 answered, but some input could not be read, or reading was interrupted.")]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Sub,
}

#[derive(Subcommand, Debug)]
pub(super) enum Sub {
    /// Which requests match? One row each, as they are read
    #[command(after_help = QUERY_EXAMPLES)]
    Query(QueryArgs),
    /// What happened overall? Or, with --by: how much of what
    #[command(after_help = SUMMARY_EXAMPLES)]
    Summary(SummaryArgs),
    /// One request read aloud: what, who, from where, the answer, when, and why it was allowed or denied
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// What happened to an object? Every change with its author, and what ended it
    #[command(after_help = HISTORY_EXAMPLES)]
    History(Box<HistoryArgs>),
    /// Who was inside: exec, attach, port-forward, debug containers, and proxies to nodes, pods and services
    #[command(after_help = SESSIONS_EXAMPLES)]
    Sessions(SessionsArgs),
    /// What was refused, to whom, why, and the smallest rule that would allow it
    #[command(after_help = DENIED_EXAMPLES)]
    Denied(DeniedArgs),
    /// Access control: generate roles from use, find missing and unused rights, and who changed what
    #[command(after_help = RBAC_EXAMPLES)]
    Rbac(RbacArgs),
    /// Evictions and what refused them, drains and cordons, pods that ran past their grace period
    #[command(after_help = DISRUPTIONS_EXAMPLES)]
    Disruptions(DisruptionsArgs),
    /// Two logs, or two stretches of one: what is new, gone, more, less, slower?
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(CompareArgs),
    /// The evidence itself: files, formats, coverage, damage, gaps
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(InspectArgs),
    /// Receive audit events from an API server (audit webhook) and write them to files
    #[command(after_help = RECEIVE_EXAMPLES)]
    Receive(ReceiveArgs),
    /// Print a completion script for a shell
    Completion {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// The completion script of a shell.
pub fn completion_script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "auditq", &mut script);
    script
}

#[derive(Args, Debug)]
pub(super) struct InputArgs {
    /// Files or directories; none, or `-`, is standard input
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct CommonArgs {
    /// Show times in this zone: UTC, local, or an offset such as +05:30
    #[arg(long, value_name = "ZONE", default_value = "UTC", help_heading = "Output", allow_hyphen_values = true)]
    pub(super) tz: String,
    /// Show times in the machine's zone
    #[arg(long, help_heading = "Output", conflicts_with = "tz")]
    pub(super) local: bool,
    /// Bold headers: auto is on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto, help_heading = "Output")]
    pub(super) color: ColorChoice,
    /// No notes, hints or progress on standard error; errors still show
    #[arg(short, long, help_heading = "Output")]
    pub(super) quiet: bool,
    /// Threads that read and parse (default: one per processor)
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub(super) threads: Option<usize>,
    /// Bytes per chunk
    #[arg(long, value_name = "BYTES", hide = true)]
    pub(super) chunk_size: Option<usize>,
    /// Least distance of the places that are looked at to find a time window; small files are searched and sifted too
    #[arg(long, value_name = "BYTES", hide = true)]
    pub(super) seek_step: Option<u64>,
}

/// The filter flags. A flag given twice or a comma list means OR, different flags mean AND; `!x` negates, `*` and `?`
/// are globs, `~re` is a regular expression.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Filters (twice or a,b: OR; !x: not; * ?: glob; ~re: regular expression)")]
pub(super) struct FilterArgs {
    /// The authenticated user
    #[arg(short, long, value_name = "USER", allow_hyphen_values = true)]
    pub(super) user: Vec<String>,
    /// One of the user's groups
    #[arg(long, value_name = "GROUP", allow_hyphen_values = true)]
    pub(super) group: Vec<String>,
    /// The impersonated user
    #[arg(long = "as", value_name = "USER", allow_hyphen_values = true)]
    pub(super) as_user: Vec<String>,
    /// The verb: get, list, watch, create, update, patch, delete, deletecollection, …
    #[arg(long, value_name = "VERB", allow_hyphen_values = true)]
    pub(super) verb: Vec<String>,
    /// Resource, as kubectl names it: po, deploy, deployments.apps, pods/exec, deploy/nginx, *.config.openshift.io
    #[arg(short, long, value_name = "RESOURCE", allow_hyphen_values = true)]
    pub(super) resource: Vec<String>,
    /// Namespace, the namespace object itself included
    #[arg(short, long, value_name = "NAMESPACE", allow_hyphen_values = true)]
    pub(super) namespace: Vec<String>,
    /// All namespaces: the default, accepted for kubectl's sake
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(super) all_namespaces: bool,
    /// Object name
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(super) name: Vec<String>,
    /// Stage; selects single events instead of whole requests
    #[arg(long, value_name = "STAGE", allow_hyphen_values = true)]
    pub(super) stage: Vec<String>,
    /// Single events instead of whole requests
    #[arg(long)]
    pub(super) events: bool,
    /// Audit level
    #[arg(long, value_name = "LEVEL", allow_hyphen_values = true)]
    pub(super) level: Vec<String>,
    /// Status code: 403, 4xx, 500-599, '>=400'
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    pub(super) code: Vec<String>,
    /// What the authorizer said: allow, forbid
    #[arg(long, value_name = "DECISION", allow_hyphen_values = true)]
    pub(super) decision: Vec<String>,
    /// Only requests that failed: code 400 or above, or a panic
    #[arg(long)]
    pub(super) failed: bool,
    /// From this time on: RFC 3339, a date, 15m (ago), yesterday; UTC unless it names a zone
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) since: Option<String>,
    /// Before this time; written as for --since
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) until: Option<String>,
    /// Around this time, or around the request with this audit id (files only)
    #[arg(long, value_name = "TIME|AUDIT-ID", allow_hyphen_values = true, conflicts_with_all = ["since", "until", "last"])]
    pub(super) around: Option<String>,
    /// How far --around reaches, both ways (default 5m)
    #[arg(long, value_name = "DURATION")]
    pub(super) window: Option<String>,
    /// The last stretch of the log, counted back from its newest event (files only)
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["since", "until"])]
    pub(super) last: Option<String>,
    /// Read every event in full, even where the order of a file in time, or a line's bytes, show that it cannot match
    #[arg(long)]
    pub(super) read_all: bool,
    /// Source address or network: 10.0.0.7, 10.0.0.0/8
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    pub(super) source_ip: Vec<String>,
    /// User agent
    #[arg(long, value_name = "AGENT", allow_hyphen_values = true)]
    pub(super) user_agent: Vec<String>,
    /// Where the log came from: a file, host, pod, stream or cluster, by its path or what its lines are wrapped in
    #[arg(long, value_name = "SOURCE", allow_hyphen_values = true)]
    pub(super) source: Vec<String>,
    /// Request URI, query included
    #[arg(long, value_name = "URI", allow_hyphen_values = true)]
    pub(super) uri: Vec<String>,
    /// Audit id
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(super) audit_id: Vec<String>,
    /// Annotation, present or with this value
    #[arg(long, value_name = "KEY[=VALUE]", allow_hyphen_values = true)]
    pub(super) annotation: Vec<String>,
    /// An expression in CEL that must be true, given twice both: 'user.username.startsWith("system:") &&
    /// responseStatus.code >= 400'; body fields too: 'requestObject.spec.replicas == 0'
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true)]
    pub(super) expressions: Vec<String>,
    /// Latency: '>1s', '>=500ms', '<10us'; never matches long-running requests
    #[arg(long, value_name = "LATENCY", allow_hyphen_values = true)]
    pub(super) latency: Vec<String>,
}
