//! Pollers: clients that ask the same thing again and again, at regular times, where a watch would tell them.

use std::cmp::Reverse;

use super::{Names, Values, gaps, median};
use crate::aggregate::Seen;
use crate::event::{Text, Timestamp};

/// So many requests it takes to be a poller, unless told otherwise.
pub const LEAST: u64 = 5;

/// Picks reads of resources. Leases are read at regular times by design; they are only looked at with `all`.
/// Further pages belong to the list before them.
pub fn pick(all: bool, seen: &Seen<'_, '_>, names: &mut Names) -> Option<Timestamp> {
    let event = seen.event;
    event.verb.filter(|verb| matches!(verb.raw(), b"get" | b"list"))?;
    let resource = event.object_ref?.resource?;
    let uri = event.request_uri?;
    if event.is_long_running() || !all && resource.raw() == b"leases" {
        return None;
    }
    if memchr::memmem::find(uri.raw(), b"continue=").is_some() {
        return None;
    }
    names.push(event.user.username);
    names.push(event.user_agent);
    names.push(event.client_ip());
    names.push(event.verb);
    names.push(Some(uri));
    event.start()
}

/// A client that polls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poller {
    /// Its user.
    pub user: Option<String>,
    /// Its agent.
    pub user_agent: Option<String>,
    /// Its address, as it says.
    pub source_ip: Option<String>,
    /// `get` or `list`.
    pub verb: Option<String>,
    /// What it asks.
    pub uri: Option<String>,
    /// How often it did.
    pub requests: u64,
    /// The median of the times between two requests, in nanoseconds.
    pub every_ns: i64,
    /// How many of the times between are within a quarter of it.
    pub regular: u64,
    /// The first request.
    pub first: Timestamp,
    /// The last one.
    pub last: Timestamp,
}

/// Clients that poll, most requests first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollersAnswer {
    /// How many different clients and questions were looked at.
    pub looked_at: u64,
    /// Those that poll.
    pub rows: Vec<Poller>,
}

/// The answer, of those with at least so many requests.
pub fn finish(groups: Vec<(Values, Vec<Timestamp>)>, least: u64) -> PollersAnswer {
    let looked_at = groups.len() as u64;
    let mut rows: Vec<Poller> = groups
        .into_iter()
        .filter(|(_, times)| times.len() as u64 >= least.max(3))
        .filter_map(|(values, times)| poller(&values, &times))
        .collect();
    rows.sort_by_cached_key(|row| {
        (Reverse(row.requests), row.user.clone(), row.uri.clone(), row.user_agent.clone(), row.source_ip.clone())
    });
    PollersAnswer { looked_at, rows }
}

/// Of a poller four of five times between two requests are within a quarter of their median.
fn poller(values: &Values, times: &[Timestamp]) -> Option<Poller> {
    let between = gaps(times);
    let every_ns = median(&between).filter(|&every| every > 0)?;
    let regular = between.iter().filter(|&&gap| (gap - every_ns).abs() <= every_ns / 4).count();
    if regular * 5 < between.len() * 4 {
        return None;
    }
    let text =
        |at: usize| values.get(at).cloned().flatten().map(|value| Text::plain(&value).to_str_lossy().into_owned());
    Some(Poller {
        user: text(0),
        user_agent: text(1),
        source_ip: text(2),
        verb: text(3),
        uri: text(4),
        requests: times.len() as u64,
        every_ns,
        regular: regular as u64,
        first: *times.first()?,
        last: *times.last()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(seconds: &[i64]) -> Vec<Timestamp> {
        seconds.iter().map(|second| Timestamp(second * 1_000_000_000)).collect()
    }

    #[test]
    fn regular_questions_are_polls() {
        let every = |seconds: &[i64]| poller(&vec![], &times(seconds)).map(|row| row.every_ns / 1_000_000_000);
        assert_eq!(every(&[0, 30, 60, 91, 120]), Some(30));
        // One time in five may be missed.
        assert_eq!(every(&[0, 30, 60, 120, 150, 180]), Some(30));
        assert_eq!(every(&[0, 1, 60, 61, 200]), None);
        assert_eq!(every(&[5, 5, 5, 5]), None);
    }
}
