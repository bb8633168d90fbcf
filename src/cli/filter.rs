//! The filter flags, checked and compiled: which requests matter, in every command.

use chrono::Utc;

use super::args::FilterArgs;
use crate::event::Timestamp;
use crate::query::{Filter, FilterSpec, QueryError, check};
use crate::scan::Unit;

/// `--stage` and `--events` ask for single events.
pub(super) fn unit(args: &FilterArgs) -> Unit {
    if args.events || !args.stage.is_empty() { Unit::Event } else { Unit::Request }
}

pub(super) fn filter(args: FilterArgs) -> Result<(Filter, Vec<String>), String> {
    checked(&spec(args))
}

/// What the filter flags say.
pub(super) fn spec(args: FilterArgs) -> FilterSpec {
    FilterSpec {
        user: args.user,
        group: args.group,
        as_user: args.as_user,
        verb: args.verb,
        resource: args.resource,
        namespace: args.namespace,
        name: args.name,
        stage: args.stage,
        level: args.level,
        code: args.code,
        decision: args.decision,
        source_ip: args.source_ip,
        user_agent: args.user_agent,
        source: args.source,
        uri: args.uri,
        audit_id: args.audit_id,
        annotation: args.annotation,
        latency: args.latency,
        since: args.since,
        until: args.until,
        around: args.around,
        window: args.window,
        last: args.last,
        failed: args.failed,
        expressions: args.expressions,
    }
}

/// Checks and compiles what filter flags say.
pub(super) fn checked(spec: &FilterSpec) -> Result<(Filter, Vec<String>), String> {
    let checked = check(spec, now()).map_err(|error| shown(&error))?;
    Ok((checked.filter, checked.hints))
}

/// The present, which nothing but the command line knows.
pub(super) fn now() -> Timestamp {
    Timestamp(Utc::now().timestamp_nanos_opt().unwrap_or_default())
}

/// A fault in a value, for a terminal.
pub(super) fn shown(error: &QueryError) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(crate::render::sanitize::text_for_terminal).collect();
    lines.join("\n")
}
