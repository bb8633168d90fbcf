//! Filters: what the flags said, checked and compiled once, then asked of every event.
//!
//! [`check`] turns values as typed into a [`Filter`] or an error that points at the fault, before
//! any file is opened. This room knows no command line, no clock and no file; it looks at one event
//! at a time and says yes or no.
//!
//! A flag given twice or a comma list means "or", different flags mean "and". `!x` negates: a value
//! must match one of the positive items, if there are any, and none of the negative ones. `*` and
//! `?` are globs, `~re` is a regular expression (and keeps its commas), `<none>` is absence. An
//! absent value matches nothing else, and satisfies every negation.

mod address;
mod annotation;
mod cel;
mod code;
mod error;
mod filter;
mod items;
mod pattern;
mod resource;
mod resource_table;
pub mod suggest;
mod when;
mod words;

use crate::event::Timestamp;

pub use error::QueryError;
pub use filter::Filter;
pub use resource::known as known_resources;
pub use resource_table::{RESOURCES, Resource, SUBRESOURCES};
pub use when::{AroundRequest, parse_duration};
pub use words::{DECISIONS, LEVELS, STAGES, VERBS};

/// What the filter flags said, as typed: each `Vec` holds the values of all uses of that flag, not
/// yet split at commas.
#[derive(Default, Clone, Debug)]
pub struct FilterSpec {
    /// `--user`: `user.username`.
    pub user: Vec<String>,
    /// `--group`: any of `user.groups`.
    pub group: Vec<String>,
    /// `--as`: `impersonatedUser.username`.
    pub as_user: Vec<String>,
    /// `--verb`.
    pub verb: Vec<String>,
    /// `--resource`, in kubectl's words: `po`, `deployments.apps`, `pods/exec`, `deploy/nginx`.
    /// A type alone matches with any subresource or none, `pods/` only without.
    pub resource: Vec<String>,
    /// `--namespace`: the object's, or the namespace object itself; empty means without namespace.
    pub namespace: Vec<String>,
    /// `--name`: `objectRef.name`.
    pub name: Vec<String>,
    /// `--stage`, as the API spells it.
    pub stage: Vec<String>,
    /// `--level`, as the API spells it.
    pub level: Vec<String>,
    /// `--code`: `403`, `4xx`, `500-599`, `>=400`.
    pub code: Vec<String>,
    /// `--decision`: `allow` or `forbid`.
    pub decision: Vec<String>,
    /// `--source-ip`: address, network or text; any of `sourceIPs`.
    pub source_ip: Vec<String>,
    /// `--user-agent`.
    pub user_agent: Vec<String>,
    /// `--source`.
    pub source: Vec<String>,
    /// `--uri`: `requestURI`, path and query.
    pub uri: Vec<String>,
    /// `--audit-id`.
    pub audit_id: Vec<String>,
    /// `--annotation`: `KEY` or `KEY=VALUE`, not split at commas.
    pub annotation: Vec<String>,
    /// `--latency`: bounds that must all hold, `>1s,<5s`; `1s` is `>=1s`.
    pub latency: Vec<String>,
    /// `--since`: first moment.
    pub since: Option<String>,
    /// `--until`: the moment after the last.
    pub until: Option<String>,
    /// `--around`: middle of a window, a time or the audit id of a request.
    pub around: Option<String>,
    /// `--window`: how far the window reaches to either side, five minutes by default.
    pub window: Option<String>,
    /// `--last`: how far back from the newest event; resolved by whoever knows that event.
    pub last: Option<String>,
    /// `--where`: expressions in CEL, all of which must be true.
    pub expressions: Vec<String>,
    /// `--failed`: code 400 or above, or a panic.
    pub failed: bool,
}

/// A filter that was understood, and what its author may want to know.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The compiled filter.
    pub filter: Filter,
    /// Lines for standard error: words that nothing will match and what may have been meant.
    pub hints: Vec<String>,
}

/// Checks and compiles what the flags said. Relative times count back from `now`.
pub fn check(spec: &FilterSpec, now: Timestamp) -> Result<Checked, QueryError> {
    let mut hints = Vec::new();
    let filter = Filter::compile(spec, now, &mut hints)?;
    // Kept in their order: they follow the flags, and each is worth saying once.
    let mut said = Vec::new();
    for hint in hints {
        if !said.contains(&hint) {
            said.push(hint);
        }
    }
    Ok(Checked { filter, hints: said })
}
