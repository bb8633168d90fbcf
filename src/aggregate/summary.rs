//! Requests grouped by any combination of keys.

mod order;

use std::cmp::Reverse;
use std::hint::black_box;

use hashbrown::HashMap;

pub use order::Order;

use super::groups::Groups;
use super::key::Key;
use super::stats::Stats;
use super::{Amendment, Measured, Question, Seen, Slot};
use crate::event::{RawJson, Text};
use crate::query::Filter;

/// A group: its key values, and what was counted.
pub type Group = (Vec<Option<Vec<u8>>>, Stats);

/// The question: how many requests per combination of keys.
pub struct Summary {
    /// Which requests count.
    pub filter: Filter,
    /// What they are grouped by.
    pub keys: Vec<Key>,
}

/// A partial answer to [`Summary`].
#[derive(Clone, Default)]
pub struct SummaryPartial {
    /// Whether requests can be in several groups.
    several: bool,
    /// Everything together, if they can; else it is the sum of the groups.
    total: Stats,
    groups: Groups<Stats>,
    /// Sets of groups that requests belong to at once, when grouped by user group.
    sets: Vec<Box<[u32]>>,
    set_index: HashMap<Box<[u32]>, u32>,
    /// Long-running requests, which have no latency.
    pub long_running: u64,
}

/// So many requests are counted at once. Each waits for the counts of its group, which are a miss of the
/// cache; when all are asked for before the first is needed, the memory answers several at once.
const AT_ONCE: usize = 32;

impl SummaryPartial {
    /// Counts requests in their groups.
    fn count(&mut self, requests: &[Measured]) {
        let groups = || {
            let known = |request: &Measured| self.groups.get(request.slot.0);
            requests.iter().filter_map(move |request| Some((known(request)?, &request.measure)))
        };
        // The sums mean nothing; they are made so that everything is read.
        black_box(groups().fold(0, |sum, (group, _)| sum ^ group.visit()));
        black_box(groups().fold(0, |sum, (group, measure)| sum ^ group.visit_behind(measure)));
        for Measured { slot, measure } in requests {
            if let Some(group) = self.groups.get_mut(slot.0) {
                group.count(measure);
            }
        }
    }

    /// Counts requests of which each is in all groups of a set.
    fn count_in_sets(&mut self, requests: &[Measured]) {
        for Measured { slot, measure } in requests {
            let Some(set) = self.sets.get(slot.0 as usize) else { continue };
            self.total.count(measure);
            for &index in set {
                if let Some(stats) = self.groups.get_mut(index) {
                    stats.count(measure);
                }
            }
        }
    }

    /// Everything together, without codes and latencies; and key values and counts of every group that
    /// counts anything, most requests first, then by key.
    pub fn finish(self) -> (Stats, Vec<Group>) {
        let mut total = self.total;
        if !self.several {
            self.groups.each().for_each(|group| total.add_sums(group));
        }
        let mut groups: Vec<Group> = self.groups.into_groups().filter(|(_, stats)| stats.count > 0).collect();
        // What is counted is large: it is moved once, not while sorting.
        groups.sort_by_cached_key(|(key, stats)| (Reverse(stats.count), key.clone()));
        (total, groups)
    }

    fn set(&mut self, members: Vec<u32>) -> Slot {
        let members = members.into_boxed_slice();
        if let Some(&index) = self.set_index.get(&members) {
            return Slot(index);
        }
        let index = self.sets.len() as u32;
        self.sets.push(members.clone());
        self.set_index.insert(members, index);
        Slot(index)
    }
}

impl Summary {
    fn members(&self, partial: &SummaryPartial, slot: Slot) -> Vec<u32> {
        if partial.several {
            return partial.sets.get(slot.0 as usize).map(|set| set.to_vec()).unwrap_or_default();
        }
        vec![slot.0]
    }

    /// A request counts once in every group of its user; without any, in the absent one.
    fn observe_groups(&self, partial: &mut SummaryPartial, seen: &Seen<'_, '_>) -> Slot {
        let mut names: Vec<Text<'_>> = seen
            .event
            .user
            .groups
            .map(|groups| groups.elements().filter_map(RawJson::as_text).collect())
            .unwrap_or_default();
        names.sort_by(|a, b| a.decode().cmp(&b.decode()));
        names.dedup();
        let mut members: Vec<u32> =
            names.iter().map(|&name| partial.groups.find(&self.keys, seen, Some(name))).collect();
        if members.is_empty() {
            members.push(partial.groups.find(&self.keys, seen, None));
        }
        partial.set(members)
    }
}

impl Question for Summary {
    type Partial = SummaryPartial;

    const IN_ORDER: bool = false;

    const COUNTS: bool = true;

    fn empty(&self) -> SummaryPartial {
        SummaryPartial { several: self.keys.contains(&Key::Group), ..SummaryPartial::default() }
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    #[inline]
    fn observe(&self, partial: &mut SummaryPartial, seen: &Seen<'_, '_>) -> Slot {
        if !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        if partial.several {
            return self.observe_groups(partial, seen);
        }
        Slot(partial.groups.find(&self.keys, seen, None))
    }

    fn amend(&self, partial: &mut SummaryPartial, slot: Slot, amendment: Amendment) {
        if partial.several {
            partial.total.amend(amendment);
        }
        for index in self.members(partial, slot) {
            if let Some(stats) = partial.groups.get_mut(index) {
                stats.amend(amendment);
            }
        }
    }

    fn count(&self, partial: &mut SummaryPartial, requests: &[Measured]) {
        let matching = requests.iter().filter(|request| request.slot != Slot::NONE);
        partial.long_running += matching.filter(|request| request.measure.long_running).count() as u64;
        if partial.several {
            return partial.count_in_sets(requests);
        }
        requests.chunks(AT_ONCE).for_each(|requests| partial.count(requests));
    }

    fn merge(&self, into: &mut SummaryPartial, from: SummaryPartial) {
        into.total.merge(from.total);
        into.long_running += from.long_running;
        into.groups.merge(from.groups, Stats::merge);
    }
}
