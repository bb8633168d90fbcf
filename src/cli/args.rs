//! Flags as typed.

use std::path::PathBuf;

use clap::{Args, ColorChoice, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::answer::{AnswerArgs, LogArgs};
use super::compare::{COMPARE_EXAMPLES, CompareArgs};
use super::denied::{DENIED_EXAMPLES, DeniedArgs};
use super::disruptions::{DISRUPTIONS_EXAMPLES, DisruptionsArgs};
use super::history::{HISTORY_EXAMPLES, HistoryArgs};
use super::rbac::{RBAC_EXAMPLES, RbacArgs};
use super::receive::{RECEIVE_EXAMPLES, ReceiveArgs};
use super::sessions::{SESSIONS_EXAMPLES, SessionsArgs};
use super::show::{SHOW_EXAMPLES, ShowArgs};
use super::views::ViewArgs;

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

const QUERY_EXAMPLES: &str = "\
Examples:
  auditq query --verb delete -r deploy/nginx -n shop audit.log     who deleted it, and when
  auditq query -u 'bob*' --since 2026-03-09T08:00Z /var/log/kubernetes/audit/
  kubectl -n kube-system logs kube-apiserver-cp1 | auditq query --failed
  auditq query -f --verb delete /var/log/kubernetes/audit/         as it happens, through rotation
  auditq query -r pods/exec -o wide audit.log                      also the sessions still open
  auditq query --code 5xx --sort-by latency --reverse --limit 20 audit.log
  auditq query -r secrets -o json audit.log | jq .user.username    the original events";

const SUMMARY_EXAMPLES: &str = "\
Examples:
  auditq summary audit.log                                         one screen that names what dominates
  auditq summary --brief audit.log                                 the same in a few sentences
  auditq summary --by user,verb,code --decision forbid audit.log   who is refused what, how often
  auditq summary --by sourceIP,userAgent --code 401 audit.log      who fails to log in, from where
  auditq summary --every 5m --by code -o csv audit.log             over time, for a spreadsheet
  auditq summary --by user,verb --sort-by size audit.log           who fills the disk
  auditq summary -f --by user,verb audit.log                       live, until interrupted
  auditq summary --trackers audit.log                              where the time of slow requests goes
  auditq summary --slowest 10 --verb list audit.log                which lists took longest
  auditq summary --deprecated --removed-in 1.32 audit.log          who breaks when the cluster is upgraded";

const INSPECT_EXAMPLES: &str = "\
Examples:
  auditq inspect /var/log/kubernetes/audit/    what each file covers, and what could not be read
  auditq inspect -o json *.gz | jq .evidence   where every byte went";

/// The completion script of a shell.
pub fn completion_script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "auditq", &mut script);
    script
}

#[derive(Args, Debug)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) follow: FollowArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
    /// Output format: table, wide, json, yaml, csv, raw, name, custom-columns=HEADER:.path,…, jsonpath=TEMPLATE;
    /// names (names=json, names=csv): the users, addresses, agents and objects to look at next
    #[arg(short, long, default_value = "table", value_name = "FORMAT", help_heading = "Output")]
    pub(super) output: String,
    /// Sort rows by time, start, user, verb, resource, namespace, name, code, latency, or a path such as .userAgent;
    /// without it rows come in input order, as they are read
    #[arg(long, value_name = "KEY", help_heading = "Output")]
    pub(super) sort_by: Option<String>,
    /// Reverse the order of --sort-by (time, if that is not given)
    #[arg(long, help_heading = "Output")]
    pub(super) reverse: bool,
    /// Stop after this many rows
    #[arg(long, value_name = "N", help_heading = "Output", conflicts_with = "tail", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) limit: Option<u64>,
    /// Print only the last N rows; in input order requests that never ended come last
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub(super) tail: Option<usize>,
    /// Also print N requests before each that matches, whether they match or not (files and pipes, in input order)
    #[arg(short = 'B', long, value_name = "N", help_heading = "Output", value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(super) before_context: Option<u16>,
    /// Also print N requests after each that matches; -A is --all-namespaces, as in kubectl
    #[arg(long, value_name = "N", help_heading = "Output", value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(super) after_context: Option<u16>,
    /// Also print N requests before and after each that matches
    #[arg(short = 'C', long, value_name = "N", help_heading = "Output", value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(super) context: Option<u16>,
    /// Leave out the header row
    #[arg(long, help_heading = "Output")]
    pub(super) no_headers: bool,
    /// Exit with status 1 when nothing matches
    #[arg(long, help_heading = "Output")]
    pub(super) exit_status: bool,
}

#[derive(Args, Debug)]
pub(super) struct SummaryArgs {
    #[command(flatten)]
    pub(super) log: LogArgs,
    #[command(flatten)]
    pub(super) follow: FollowArgs,
    /// Group by these keys, most requests first (for rows in order of time use --every): user, group, as, verb, resource, subresource, apiGroup, namespace, name, code, decision,
    /// stage, level, userAgent, sourceIP, uri, path, node, source, host, pod, stream, cluster, file, format,
    /// minute, hour, day
    #[arg(long, value_name = "KEYS", value_delimiter = ',', help_heading = "Output")]
    pub(super) by: Vec<String>,
    /// A few plain sentences: what dominates, and what stands out
    #[arg(long, conflicts_with_all = ["by", "every", "top"], help_heading = "Output")]
    pub(super) brief: bool,
    /// Over time: one row per period of this length (5m, 1h), for each group
    #[arg(long, value_name = "PERIOD", help_heading = "Output")]
    pub(super) every: Option<String>,
    /// Show this many groups (default: 20 in tables, all in JSON and CSV)
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub(super) top: Option<usize>,
    /// With --by, which groups come first: those with the largest requests (default), size, p50, p90, p99 or max
    #[arg(long, value_name = "COLUMN", help_heading = "Output")]
    pub(super) sort_by: Option<String>,
    #[command(flatten)]
    pub(super) view: ViewArgs,
    #[command(flatten)]
    pub(super) answer: AnswerArgs,
}

#[derive(Args, Debug)]
pub(super) struct InspectArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
    /// Output format: table, json, csv
    #[arg(short, long, default_value = "table", value_name = "FORMAT", help_heading = "Output")]
    pub(super) output: String,
}

#[derive(Args, Debug)]
pub(super) struct InputArgs {
    /// Files or directories; none, or `-`, is standard input
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct FollowArgs {
    /// Read on while the logs are written, through rotation, and new logs in directories, until interrupted
    #[arg(short, long)]
    pub(super) follow: bool,
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
