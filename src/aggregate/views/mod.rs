//! Closer looks at one side of the log: each a view of `summary`, in a file of its own.
//!
//! Most of them need a few numbers of every request they are about, side by side: gaps between writes,
//! how long watches lasted. [`Picking`] collects them by group, in any order; the answer of each view is a
//! pure function of what was picked. Memory follows the requests picked, at some 50 bytes each.

pub mod churn;
pub mod deprecated;
pub mod lists;
pub mod pollers;
pub mod slowest;
pub mod trackers;
pub mod watches;

use super::groups::{Groups, encode};
use super::key::Key;
use super::{Amendment, Question, Seen, Slot};
use crate::event::{Event, Text, Timestamp};
use crate::query::Filter;

/// A closer look at one side of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    /// Where the time of slow requests goes.
    Trackers,
    /// So many of the slowest requests.
    Slowest(usize),
    /// Objects that are written most.
    Churn {
        /// With at least so many writes.
        least: u64,
        /// Leases and events, too.
        all: bool,
    },
    /// How many watches, and how long they last.
    Watches,
    /// What lists ask for.
    Lists,
    /// Clients that ask the same at regular times.
    Pollers {
        /// With at least so many requests.
        least: u64,
        /// Leases, too.
        all: bool,
    },
    /// Who uses deprecated versions of the API, of those removed by a release.
    Deprecated(Option<deprecated::Release>),
}

impl View {
    /// The flag that asks for it.
    pub const fn flag(self) -> &'static str {
        match self {
            View::Trackers => "--trackers",
            View::Slowest(_) => "--slowest",
            View::Churn { .. } => "--churn",
            View::Watches => "--watches",
            View::Lists => "--lists",
            View::Pollers { .. } => "--pollers",
            View::Deprecated(_) => "--deprecated",
        }
    }

    /// What it is grouped by unless told otherwise; nothing where it has rows of its own.
    pub const fn keys(self) -> &'static [Key] {
        match self {
            View::Trackers => &trackers::KEYS,
            View::Watches => &watches::KEYS,
            View::Lists => &lists::KEYS,
            View::Deprecated(_) => &deprecated::KEYS,
            View::Slowest(_) | View::Churn { .. } | View::Pollers { .. } => &[],
        }
    }
}

/// The key values of a group, in their order; absent is `None`.
pub type Values = Vec<Option<Vec<u8>>>;

/// The key values of the group that a request belongs to, while they are collected.
#[derive(Clone, Debug, Default)]
pub struct Names {
    encoded: Vec<u8>,
    scratch: String,
}

impl Names {
    fn clear(&mut self) {
        self.encoded.clear();
    }

    /// Adds a value; empty text counts as absent.
    pub fn push(&mut self, value: Option<Text<'_>>) {
        encode(value.filter(|text| !text.is_empty()), &mut self.encoded);
    }

    /// Adds the values of keys.
    fn keys(&mut self, keys: &[Key], seen: &Seen<'_, '_>) {
        for key in keys {
            encode(key.value(seen, &mut self.scratch), &mut self.encoded);
        }
    }
}

/// Picks a fact of a request, if the view is about it, and says what it is grouped by before the keys.
pub type Pick<'q, T> = dyn Fn(&Seen<'_, '_>, &mut Names) -> Option<T> + Sync + 'q;

/// The question: facts of the requests that match, by group.
pub struct Picking<'q, T> {
    /// Which requests it is about.
    pub filter: Filter,
    /// What they are grouped by besides.
    pub keys: Vec<Key>,
    /// What is picked.
    pub pick: &'q Pick<'q, T>,
}

/// Facts of requests by group: a partial answer.
#[derive(Clone, Debug)]
pub struct Picked<T> {
    names: Names,
    groups: Groups<()>,
    facts: Vec<(u32, Option<T>)>,
}

impl<T> Default for Picked<T> {
    fn default() -> Self {
        Picked { names: Names::default(), groups: Groups::default(), facts: Vec::new() }
    }
}

impl<T: Ord> Picked<T> {
    /// Adds a fact about the group named last.
    fn push(&mut self, fact: T) -> Slot {
        let group = self.groups.find_encoded(&self.names.encoded);
        self.facts.push((group, Some(fact)));
        Slot(self.facts.len() as u32 - 1)
    }

    fn drop(&mut self, slot: Slot) {
        if let Some((_, fact)) = self.facts.get_mut(slot.0 as usize) {
            *fact = None;
        }
    }

    fn merge(&mut self, from: Picked<T>) {
        let Picked { groups, facts, .. } = from;
        let places: Vec<u32> = groups.encoded().map(|key| self.groups.find_encoded(key)).collect();
        let moved = facts.into_iter().filter_map(|(group, fact)| Some((*places.get(group as usize)?, fact)));
        self.facts.extend(moved);
    }

    /// The facts of every group that has any, in their own order; groups in the order of their values.
    pub fn finish(self) -> Vec<(Values, Vec<T>)> {
        let mut groups: Vec<(Values, Vec<T>)> =
            self.groups.into_groups().map(|(values, ())| (values, Vec::new())).collect();
        for (group, fact) in self.facts {
            if let (Some((_, facts)), Some(fact)) = (groups.get_mut(group as usize), fact) {
                facts.push(fact);
            }
        }
        groups.retain(|(_, facts)| !facts.is_empty());
        groups.iter_mut().for_each(|(_, facts)| facts.sort_unstable());
        groups.sort_by(|(a, _), (b, _)| a.cmp(b));
        groups
    }
}

impl<T: Send + Ord> Question for Picking<'_, T> {
    type Partial = Picked<T>;

    const IN_ORDER: bool = false;

    fn empty(&self) -> Picked<T> {
        Picked::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut Picked<T>, seen: &Seen<'_, '_>) -> Slot {
        if !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        partial.names.clear();
        let Some(fact) = (self.pick)(seen, &mut partial.names) else { return Slot::NONE };
        partial.names.keys(&self.keys, seen);
        partial.push(fact)
    }

    fn amend(&self, _: &mut Picked<T>, _: Slot, _: Amendment) {}

    fn retract(&self, partial: &mut Picked<T>, slot: Slot) {
        partial.drop(slot);
    }

    fn merge(&self, into: &mut Picked<T>, from: Picked<T>) {
        into.merge(from);
    }
}

/// The first `count` rows, and how many more there are.
pub fn first_rows<T>(mut rows: Vec<T>, count: usize) -> (Vec<T>, usize) {
    let hidden = rows.len().saturating_sub(count);
    rows.truncate(count);
    (rows, hidden)
}

/// What part of values a quantile of them is, by nearest rank; `sorted` ascends.
pub fn quantile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// From the earliest to the latest of some times, in nanoseconds.
fn span_of(times: impl Iterator<Item = Timestamp>) -> i64 {
    let ends = times.fold(None, |ends: Option<(Timestamp, Timestamp)>, time| {
        Some(ends.map_or((time, time), |(first, last)| (first.min(time), last.max(time))))
    });
    ends.map_or(0, |(first, last)| last.0.saturating_sub(first.0))
}

/// The times between neighbours, in nanoseconds.
fn gaps(sorted: &[Timestamp]) -> Vec<i64> {
    let pairs = sorted.iter().zip(sorted.iter().skip(1));
    pairs.map(|(earlier, later)| later.0.saturating_sub(earlier.0)).collect()
}

/// The middle of some values: of an even number the smaller one.
fn median(values: &[i64]) -> Option<i64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    quantile(&sorted, 50)
}

/// A resource as kubectl writes it: `pods/status`, `deployments.apps`; none for requests that are about none.
pub fn resource_text(event: &Event<'_>) -> Option<String> {
    let object = event.object_ref?;
    let said =
        |text: Option<Text<'_>>| text.filter(|text| !text.is_empty()).map(|text| text.to_str_lossy().into_owned());
    let mut text = said(object.resource)?;
    if let Some(group) = said(object.api_group) {
        text = format!("{text}.{group}");
    }
    if let Some(subresource) = said(object.subresource) {
        text = format!("{text}/{subresource}");
    }
    Some(text)
}

/// The object of a request as kubectl writes it, or its path.
fn object_text(event: &Event<'_>) -> String {
    let Some(resource) = resource_text(event) else {
        let uri = event.request_uri.map(|uri| uri.to_str_lossy().into_owned()).unwrap_or_default();
        return uri.split_once('?').map_or(uri.clone(), |(path, _)| path.to_owned());
    };
    let name = event.object_ref.and_then(|object| object.name).filter(|name| !name.is_empty());
    name.map_or(resource.clone(), |name| format!("{resource}/{}", name.to_str_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(facts: &[(&str, u32)]) -> Picked<u32> {
        let mut picked = Picked::default();
        for (name, fact) in facts {
            picked.names.clear();
            picked.names.push(Some(Text::from(*name)));
            picked.push(*fact);
        }
        picked
    }

    #[test]
    fn any_split_gives_the_same_groups() {
        let all = [("b", 3), ("a", 2), ("b", 1), ("", 9), ("a", 2)];
        let whole = of(&all).finish();
        assert_eq!(whole.len(), 3);
        assert_eq!(whole.last(), Some(&(vec![Some(b"b".to_vec())], vec![1, 3])));
        for cut in 0..=all.len() {
            let (left, right) = all.split_at(cut);
            let mut joined = of(right);
            joined.merge(of(left));
            assert_eq!(joined.finish(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn repeats_leave_no_trace() {
        let mut picked = of(&[("a", 1), ("b", 2)]);
        picked.drop(Slot(1));
        picked.drop(Slot::NONE);
        assert_eq!(picked.finish(), [(vec![Some(b"a".to_vec())], vec![1])]);
    }

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let values: Vec<u32> = (1..=100).collect();
        assert_eq!(
            (quantile(&values, 50), quantile(&values, 90), quantile(&values, 100)),
            (Some(50), Some(90), Some(100))
        );
        assert_eq!(quantile::<u32>(&[], 50), None);
    }
}
