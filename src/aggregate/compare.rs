//! Two sides of a log, or two logs: what is new, gone, more, less and slower.
//!
//! Requests are counted by all keys at once, once for each side; [`contrasts`] looks for what
//! explains the difference with the fewest words, [`slower`] for what takes longer. The sides are
//! two inputs, scanned one after the other, or two windows of one input, scanned once.

pub mod contrasts;
pub mod score;
pub mod slower;

use super::evidence::Account;
use super::groups::Groups;
use super::key::Key;
use super::stats::Latencies;
use super::{Amendment, Measured, Question, Seen, Slot};
use crate::event::Timestamp;
use crate::query::Filter;
use contrasts::{Contrast, Leaf, Search};
use score::Lengths;
use slower::{Pace, Slower};

/// A value of something on both sides: before and after.
pub type Pair<T> = [T; 2];

/// What is compared unless told otherwise.
pub const COMPARED: [Key; 6] = [Key::User, Key::Verb, Key::Resource, Key::Code, Key::UserAgent, Key::SourceIp];

/// What latencies are told apart by.
const PACED: [Key; 3] = [Key::Verb, Key::Resource, Key::Subresource];

/// So many differences that chance may have made are counted.
pub const WEAKER: usize = 100;

/// No side is shorter than this: a few events at once would make a rate beyond all measure.
const SECOND: i64 = 1_000_000_000;

/// A stretch of time, `[since, until)`; an end that is not there is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// First moment inside.
    pub since: Option<Timestamp>,
    /// First moment after it.
    pub until: Option<Timestamp>,
}

impl Window {
    fn has(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    /// The part of it that a log covers: rates are of what could have been seen.
    pub fn covered(&self, account: &Account) -> Window {
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for source in account.sources.iter().filter(|source| source.evidence.first.is_some()) {
            // What was left out of a file lies beyond the window, so the log reaches farther than that.
            let head = source.part.is_some_and(|part| part.start > 0);
            let tail = source.part.is_some_and(|part| source.not_read() > part.start);
            first.push(if head { None } else { source.evidence.first });
            last.push(if tail { None } else { source.evidence.last });
        }
        let whole = |ends: &[Option<Timestamp>]| !ends.contains(&None);
        let first = whole(&first).then(|| first.into_iter().flatten().min()).flatten();
        let last = whole(&last).then(|| last.into_iter().flatten().max()).flatten();
        let later = self.since.into_iter().chain(first).max();
        // The last event belongs to the log.
        let end = last.map(|last| Timestamp(last.0.saturating_add(1)));
        Window { since: later, until: self.until.into_iter().chain(end).min() }
    }

    /// Its length in nanoseconds; none of one that is open or holds nothing.
    pub fn length(&self) -> Option<i64> {
        let length = self.until?.0.checked_sub(self.since?.0)?;
        (length > 0).then_some(length)
    }
}

/// Which side a request is on.
#[derive(Clone, Copy, Debug)]
pub enum Sides {
    /// All of the input is this side: 0 before, 1 after.
    Whole(usize),
    /// The windows of one input.
    Windows(Pair<Window>),
}

impl Sides {
    fn of(&self, time: Option<Timestamp>) -> Option<usize> {
        match self {
            Sides::Whole(side) => Some(*side),
            Sides::Windows(windows) => windows.iter().position(|window| time.is_some_and(|time| window.has(time))),
        }
    }
}

/// The question: how do the sides differ.
pub struct Compare {
    /// Which requests count.
    pub filter: Filter,
    /// What is compared.
    pub keys: Vec<Key>,
    /// Which side is which.
    pub sides: Sides,
    /// What requests are grouped by: what is compared, and what latencies are told apart by.
    groups: Vec<Key>,
}

impl Compare {
    /// The question about requests that match.
    pub fn new(filter: Filter, keys: Vec<Key>, sides: Sides) -> Self {
        let paced = PACED.into_iter().filter(|key| !keys.contains(key));
        let groups = keys.iter().copied().chain(paced).collect();
        Compare { filter, keys, sides, groups }
    }
}

/// What is counted about a group.
#[derive(Clone, Debug, Default)]
struct Both {
    count: Pair<u64>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// Where its latencies are, once there are any; counted from one.
    pace: u32,
}

impl Both {
    fn merge(&mut self, other: Both) {
        self.count.iter_mut().zip(other.count).for_each(|(mine, theirs)| *mine += theirs);
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
    }
}

/// A partial answer to [`Compare`].
#[derive(Clone, Default)]
pub struct ComparePartial {
    keys: Vec<Key>,
    groups: Groups<Both>,
    paces: Groups<Pair<Latencies>>,
}

/// The answer to [`Compare`].
#[derive(Debug)]
pub struct Comparison {
    /// What was compared.
    pub keys: Vec<Key>,
    /// How many requests there are on each side.
    pub count: Pair<u64>,
    /// The time they cover.
    pub windows: Pair<Window>,
    /// The differences, most surprising first.
    pub contrasts: Vec<Contrast>,
    /// Whether the search ended with differences left.
    pub more: bool,
    /// How many differences are left that chance may have made, [`WEAKER`] at most; not counted while there are more.
    pub weaker: usize,
    /// What takes longer, most surprising first.
    pub slower: Vec<Slower>,
}

impl Comparison {
    /// How long the sides are, a second at least; none if that is not known of both.
    pub fn lengths(&self) -> Option<Pair<i64>> {
        lengths(&self.windows)
    }
}

fn lengths(windows: &Pair<Window>) -> Option<Pair<i64>> {
    Some([windows[0].length()?.max(SECOND), windows[1].length()?.max(SECOND)])
}

impl ComparePartial {
    /// The answer, with so many differences at most.
    pub fn finish(self, windows: Pair<Window>, most: usize) -> Comparison {
        let paces = self.paces.into_groups().map(|(values, latencies)| Pace { values, latencies });
        let slower = slower::slower(paces.collect());
        let leaves: Vec<Leaf> = self
            .groups
            .into_groups()
            .filter(|(_, both)| both.count != [0, 0])
            .map(|(mut values, both)| {
                values.truncate(self.keys.len());
                Leaf { values, count: both.count, first: both.first, last: both.last }
            })
            .collect();
        let count = leaves.iter().fold([0, 0], |sum, leaf| score::add(sum, leaf.count));
        // Where there is no time, counts are compared as they are.
        let scale = Lengths::of(lengths(&windows).unwrap_or([1, 1]));
        let mut search = Search::new(self.keys.clone(), leaves, scale);
        let contrasts = search.contrasts(most);
        let more = search.next().is_some();
        let weaker = if more { 0 } else { search.weaker(WEAKER) };
        Comparison { keys: self.keys, count, windows, contrasts, more, weaker, slower }
    }
}

impl Question for Compare {
    type Partial = ComparePartial;

    const IN_ORDER: bool = false;

    const COUNTS: bool = true;

    fn empty(&self) -> ComparePartial {
        ComparePartial { keys: self.keys.clone(), ..ComparePartial::default() }
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut ComparePartial, seen: &Seen<'_, '_>) -> Slot {
        let event = seen.event;
        if self.sides.of(event.time()).is_none() || !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        let index = partial.groups.find(&self.groups, seen, None);
        let Some(both) = partial.groups.get_mut(index) else { return Slot::NONE };
        if both.pace == 0 && event.latency_us().is_some() {
            both.pace = partial.paces.find(&PACED, seen, None) + 1;
        }
        Slot(index)
    }

    fn amend(&self, _: &mut ComparePartial, _: Slot, _: Amendment) {}

    fn count(&self, partial: &mut ComparePartial, requests: &[Measured]) {
        for Measured { slot, measure } in requests {
            let Some((side, both)) = self.sides.of(measure.time).zip(partial.groups.get_mut(slot.0)) else { continue };
            both.count[side] += 1;
            both.first = both.first.into_iter().chain(measure.start).min();
            both.last = both.last.into_iter().chain(measure.time).max();
            if let Some((us, latencies)) = measure.latency_us.zip(partial.paces.get_mut(both.pace.wrapping_sub(1))) {
                latencies[side].record(us);
            }
        }
    }

    fn merge(&self, into: &mut ComparePartial, from: ComparePartial) {
        into.paces.merge(from.paces, |mine, theirs| {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.merge(theirs));
        });
        // Where latencies are is known by the partial that took them in; joined, nobody asks any more.
        into.groups.merge(from.groups, Both::merge);
    }
}
