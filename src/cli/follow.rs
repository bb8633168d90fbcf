//! `--follow`, and what cannot go with it: a live log has no end, and is read once.

use clap::Args;

use super::args::FilterArgs;
use crate::query::Filter;

#[derive(Args, Debug)]
pub(super) struct FollowArgs {
    /// Read on while the logs are written, through rotation, and new logs in directories, until interrupted
    #[arg(short, long)]
    pub(super) follow: bool,
}

/// The newest event of a live log is always another one.
pub(super) fn refuse_last(args: &FilterArgs) -> Result<(), String> {
    if args.last.is_some() {
        return Err("--last with --follow: the log has no newest event yet to count back from\n  \
             help: give --since, which counts back from now"
            .to_owned());
    }
    Ok(())
}

/// A request must be found before what is around it, and a live log is read once.
pub(super) fn refuse_around(filter: &Filter) -> Result<(), String> {
    if filter.around().is_some() {
        return Err("--around with an audit id and --follow: the request would have to be found first\n  \
             help: give --around with its time"
            .to_owned());
    }
    Ok(())
}
