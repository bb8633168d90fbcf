//! How far the clocks of two hosts differ, as far as requests that both have seen tell.
//!
//! An API server that hands a request on to another (an aggregated API, `openshift-apiserver`) hands its
//! audit id on too, and both log it. The inner request lies within the outer one, so each such pair
//! bounds the difference of the clocks from both sides. Nothing is corrected: only the bounds are told.
//! Audit ids are looked at up to a bound; which ones depends on their hashes alone.

use std::collections::BTreeMap;

use super::capped::Sum;
use crate::event::{Event, Stage, Text};
use crate::hash;

/// One request as one server saw it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Sighting {
    /// Hash of the audit id.
    id: u64,
    /// Where it was read.
    source: u32,
    /// Hash of the host that the event names; 0 if it names none.
    host: u64,
    received: i64,
    completed: i64,
    /// Hash of what was asked.
    what: u64,
    /// Hash of who asked.
    who: u64,
    /// The audit id, cut off.
    name: [u8; 40],
}

/// Sightings of a bounded number of audit ids.
#[derive(Clone, Debug, Default)]
pub struct Sightings {
    all: Vec<Sighting>,
    /// Ids with hashes from here on are not looked at.
    bound: Option<u64>,
}

/// So many audit ids are looked at.
const IDS: usize = 4096;

/// And of each so many sightings.
const EACH: usize = 8;

/// The hash of a host's name.
pub fn host_hash(host: &[u8]) -> u64 {
    hash::for_samples(host).max(1)
}

impl Sightings {
    /// Takes a request into account.
    pub fn observe(&mut self, event: &Event<'_>, source: u32, host: Option<&[u8]>) {
        let (Some(received), Some(completed), Some(id)) =
            (event.request_received, event.stage_timestamp, event.audit_id)
        else {
            return;
        };
        if event.format.is_legacy() || !event.exact_times || event.stage != Stage::ResponseComplete {
            return;
        }
        let id = id.decode();
        let hash = hash::for_samples(&id);
        if self.bound.is_some_and(|bound| hash >= bound) {
            return;
        }
        let text = |text: Option<Text<'_>>| text.map_or(0, |text| hash::for_samples(&text.decode()));
        // To the inner server the impersonated user is the user.
        let who = text(event.impersonated_user.unwrap_or(event.user).username);
        let what = text(event.request_uri) ^ text(event.verb).rotate_left(17);
        let mut name = [0; 40];
        name.iter_mut().zip(&*id).for_each(|(to, from)| *to = *from);
        let host = host.map_or(0, host_hash);
        self.all.push(Sighting {
            id: hash,
            source,
            host,
            received: received.0,
            completed: completed.0,
            what,
            who,
            name,
        });
    }

    /// Memory held, in bytes.
    pub fn weight(&self) -> usize {
        self.all.len() * size_of::<Sighting>()
    }

    fn prune(&mut self) {
        self.all.sort_unstable();
        self.all.dedup();
        let (mut kept, mut ids) = (Vec::new(), 0usize);
        for group in self.all.chunk_by(|a, b| a.id == b.id) {
            ids += 1;
            if ids > IDS {
                self.bound = group.first().map(|first| first.id).into_iter().chain(self.bound).min();
                break;
            }
            kept.extend(group.iter().take(EACH));
        }
        self.all = kept;
    }
}

impl Sum for Sightings {
    fn add(&mut self, other: Self) {
        self.bound = self.bound.into_iter().chain(other.bound).min();
        let bound = self.bound;
        let within = |sighting: &Sighting| bound.is_none_or(|bound| sighting.id < bound);
        self.all.extend(other.all.into_iter().filter(within));
        if self.all.len() > IDS * EACH {
            self.all.retain(within);
            self.prune();
        }
    }
}

/// What two clocks have in common.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skew {
    /// One host, or log where the host is not known.
    pub a: String,
    /// The other.
    pub b: String,
    /// The clock of `b` is ahead of that of `a` by at least so many nanoseconds.
    pub least: i64,
    /// And by at most so many. Less than `least` if the pairs contradict each other.
    pub most: i64,
    /// How many requests both have seen.
    pub pairs: u64,
}

impl Skew {
    /// Whether the bounds contradict each other: the difference changed, or ids were used again.
    pub const fn is_contradictory(&self) -> bool {
        self.least > self.most
    }
}

/// What audit ids tell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IdFindings {
    /// How many audit ids were looked at.
    pub looked_at: u64,
    /// Whether there were more.
    pub sampled: bool,
    /// By pair of hosts that share requests.
    pub skews: Vec<Skew>,
    /// Audit ids that requests of different users have.
    pub of_several_users: u64,
    /// Some of them.
    pub examples: Vec<String>,
}

/// What the sightings tell; `clock` names the clock of a source and host.
pub fn findings(mut sightings: Sightings, clock: impl Fn(u32, u64) -> Option<String>) -> IdFindings {
    if let Some(bound) = sightings.bound {
        sightings.all.retain(|sighting| sighting.id < bound);
    }
    sightings.prune();
    let mut found = IdFindings { sampled: sightings.bound.is_some(), ..IdFindings::default() };
    let mut bounds: BTreeMap<(String, String), (i64, i64, u64)> = BTreeMap::new();
    for group in sightings.all.chunk_by(|a, b| a.id == b.id) {
        found.looked_at += 1;
        if let [first, rest @ ..] = group
            && rest.iter().any(|other| other.who != first.who)
        {
            found.of_several_users += 1;
            let name = String::from_utf8_lossy(&first.name).trim_end_matches('\0').to_owned();
            if found.examples.len() < 3 {
                found.examples.push(name);
            }
        }
        compare(group, &clock, &mut bounds);
    }
    found.skews = bounds.into_iter().map(|((a, b), (least, most, pairs))| Skew { a, b, least, most, pairs }).collect();
    found
}

/// Compares the clocks of those who saw a request once each. An id that a client sends again and again
/// says nothing.
fn compare(
    group: &[Sighting],
    clock: &impl Fn(u32, u64) -> Option<String>,
    bounds: &mut BTreeMap<(String, String), (i64, i64, u64)>,
) {
    if group.len() < 2 {
        return;
    }
    let mut by_clock: BTreeMap<String, Vec<&Sighting>> = BTreeMap::new();
    for sighting in group {
        if let Some(name) = clock(sighting.source, sighting.host) {
            by_clock.entry(name).or_default().push(sighting);
        }
    }
    let once: Vec<(String, &Sighting)> = by_clock
        .into_iter()
        .filter_map(|(name, seen)| if let [only] = *seen { Some((name, only)) } else { None })
        .collect();
    for (at, (a, seen_by_a)) in once.iter().enumerate() {
        for (b, seen_by_b) in once.iter().skip(at + 1) {
            if let Some((least, most)) = difference(seen_by_a, seen_by_b) {
                let bound = bounds.entry((a.clone(), b.clone())).or_insert((i64::MIN, i64::MAX, 0));
                *bound = (bound.0.max(least), bound.1.min(most), bound.2 + 1);
            }
        }
    }
}

/// By how much the clock of `b` is ahead, at least and at most, given that the shorter of the two lies
/// within the longer. The same times are a copy of the same event.
fn difference(a: &Sighting, b: &Sighting) -> Option<(i64, i64)> {
    if (a.what, a.who) != (b.what, b.who) || (a.received, a.completed) == (b.received, b.completed) {
        return None;
    }
    let (start, end) = (b.received.saturating_sub(a.received), b.completed.saturating_sub(a.completed));
    Some((start.min(end), start.max(end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Format, Timestamp};

    fn sighting(sightings: &mut Sightings, id: &str, source: u32, user: &str, from: i64, to: i64) {
        let mut event = Event::empty(b"", Format::V1);
        event.stage = Stage::ResponseComplete;
        event.audit_id = Some(Text::plain(id.as_bytes()));
        event.user.username = Some(Text::plain(user.as_bytes()));
        event.request_uri = Some(Text::from("/apis/x"));
        (event.request_received, event.stage_timestamp) = (Some(Timestamp(from)), Some(Timestamp(to)));
        event.exact_times = true;
        sightings.observe(&event, source, None);
    }

    fn clock(source: u32, _: u64) -> Option<String> {
        Some(format!("host-{source}"))
    }

    #[test]
    fn what_lies_within_bounds_the_difference() {
        let mut seen = Sightings::default();
        // The clock of host 1 is 1000 ahead. The inner request begins 20 later and ends 30 earlier.
        sighting(&mut seen, "a", 0, "u", 0, 100);
        sighting(&mut seen, "a", 1, "u", 1020, 1070);
        // Here host 1 is the outer one.
        sighting(&mut seen, "b", 1, "u", 5000, 5200);
        sighting(&mut seen, "b", 0, "u", 4010, 4190);
        // A copy of a log says nothing about clocks.
        (0..2).for_each(|source| sighting(&mut seen, "copy", source, "u", 9000, 9100));
        // A client that sends one id again and again says nothing.
        for n in 0..5 {
            sighting(&mut seen, "again", n % 2, "u", i64::from(n) * 777, i64::from(n) * 777 + 10);
        }
        let found = findings(seen, clock);
        let skew = Skew { a: "host-0".to_owned(), b: "host-1".to_owned(), least: 990, most: 1010, pairs: 2 };
        assert_eq!(found.skews, [skew]);
        assert_eq!((found.looked_at, found.sampled, found.of_several_users), (4, false, 0));
    }

    #[test]
    fn contradictions_are_told() {
        let mut seen = Sightings::default();
        sighting(&mut seen, "a", 0, "u", 0, 100);
        sighting(&mut seen, "a", 1, "u", 1020, 1070);
        sighting(&mut seen, "b", 0, "u", 0, 100);
        sighting(&mut seen, "b", 1, "u", 20, 70);
        assert!(findings(seen, clock).skews[0].is_contradictory());
    }

    #[test]
    fn one_id_of_two_users() {
        let mut seen = Sightings::default();
        sighting(&mut seen, "a", 0, "u", 0, 100);
        sighting(&mut seen, "a", 0, "v", 0, 100);
        let found = findings(seen, clock);
        assert_eq!((found.of_several_users, found.examples), (1, vec!["a".to_owned()]));
    }

    #[test]
    fn which_ids_are_looked_at_does_not_depend_on_order() {
        let of = |numbers: &mut dyn Iterator<Item = u32>| {
            let mut all = Sightings::default();
            for number in numbers {
                let mut one = Sightings::default();
                sighting(&mut one, &format!("id-{}", number % 50_000), 0, "u", 0, i64::from(number));
                all.add(one);
            }
            all
        };
        let (mut forwards, mut backwards) = (of(&mut (0..60_000)), of(&mut (0..60_000).rev()));
        assert!(forwards.bound.is_some());
        (0..2).for_each(|_| [&mut forwards, &mut backwards].into_iter().for_each(Sightings::prune));
        assert_eq!(forwards.all, backwards.all);
        let found = findings(forwards, clock);
        assert_eq!((found.looked_at, found.sampled), (IDS as u64, true));
    }
}
