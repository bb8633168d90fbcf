//! The flags of `summary` that ask for a closer look at one side of the log.

use clap::Args;

use super::args::FilterArgs;
use super::config::bad_value;
use crate::aggregate::key::Key;
use crate::aggregate::views::deprecated::Release;
use crate::aggregate::views::{View, churn, pollers};
use crate::scan::Unit;

/// One of them at most.
#[derive(Args, Debug)]
#[command(next_help_heading = "Views (one of them; all filters apply)")]
pub(super) struct ViewArgs {
    /// Where the time goes: latency by group (--by, default verb,resource) and the API server's own latency trackers
    #[arg(long, group = "view")]
    trackers: bool,
    /// The N slowest requests
    #[arg(long, value_name = "N", group = "view", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    slowest: Option<u32>,
    /// Objects written most: by whom, how often, which writes change nothing, which writers take turns (leases and
    /// events only with --resource)
    #[arg(long, group = "view")]
    churn: bool,
    /// Watches by group (--by, default resource,user): how many, how long they last, which end early
    #[arg(long, group = "view")]
    watches: bool,
    /// Lists by group (--by, default user,userAgent,resource): which ask for everything, from etcd or the cache
    #[arg(long, group = "view")]
    lists: bool,
    /// Clients that get or list the same at regular times (leases only with --resource)
    #[arg(long, group = "view")]
    pollers: bool,
    /// Uses of deprecated and removed API versions by group (--by, default user,userAgent)
    #[arg(long, group = "view")]
    deprecated: bool,
    /// With --churn and --pollers: at least so many requests (default: 2, 5)
    #[arg(long, value_name = "N")]
    min: Option<u64>,
    /// With --deprecated: only what Kubernetes of this release does not serve any more, such as 1.25
    #[arg(long, value_name = "RELEASE", requires = "deprecated")]
    removed_in: Option<String>,
}

impl ViewArgs {
    /// The view that was asked for, if any.
    pub(super) fn resolve(&self, filter: &FilterArgs) -> Result<Option<View>, String> {
        if self.min.is_some() && !(self.churn || self.pollers) {
            return Err("--min: it goes with --churn or --pollers\n  help: leave it out".to_owned());
        }
        let all = !filter.resource.is_empty();
        let release = |text: &String| {
            let wanted = "a release such as 1.25";
            Release::parse(text).ok_or_else(|| bad_value("--removed-in", text, wanted))
        };
        let removed_in = self.removed_in.as_ref().map(release).transpose()?;
        let wanted = [
            (self.trackers, View::Trackers),
            (self.churn, View::Churn { least: self.min.unwrap_or(churn::LEAST), all }),
            (self.watches, View::Watches),
            (self.lists, View::Lists),
            (self.pollers, View::Pollers { least: self.min.unwrap_or(pollers::LEAST), all }),
            (self.deprecated, View::Deprecated(removed_in)),
        ];
        let flagged = wanted.into_iter().find(|(given, _)| *given).map(|(_, view)| view);
        Ok(flagged.or(self.slowest.map(|count| View::Slowest(count as usize))))
    }
}

/// What does not go with a view.
pub(super) fn refuse_with_view(view: &View, keys: &[Key], follow: bool, unit: Unit) -> Result<(), String> {
    let flag = view.flag();
    if follow {
        return Err(format!("{flag} with --follow: a view is told when all is read\n  help: leave one of them out"));
    }
    if unit == Unit::Event {
        return Err(format!(
            "{flag} with --events or --stage: a view is about requests, not their single events\n  \
             help: leave one of them out"
        ));
    }
    if !keys.is_empty() && view.keys().is_empty() {
        return Err(format!("{flag} with --by or --every: it has rows of its own\n  help: leave one of them out"));
    }
    if keys.contains(&Key::Group) {
        return Err(format!("{flag} with --by group: a request is in several groups of users\n  help: use --by user"));
    }
    Ok(())
}

/// The slowest requests say themselves how many they are.
pub(super) fn refuse_top(view: &View, top: Option<usize>) -> Result<(), String> {
    if matches!(view, View::Slowest(_)) && top.is_some() {
        return Err("--top with --slowest: both say how many rows\n  help: leave --top out".to_owned());
    }
    Ok(())
}
