//! When the requests of each group came, and which objects they wrote.
//!
//! Each group has its own short list of periods, so that a peak can be told by who made it. Periods
//! begin at one second and double whenever there are too many of all groups together; the final
//! length depends only on what was counted, because a part never needs longer periods than the whole.

use super::RANKED;
use super::incidents::Group;
use crate::aggregate::groups::Groups;
use crate::aggregate::views::churn::ACTIONS;
use crate::aggregate::{Seen, Slot};
use crate::event::{Text, Timestamp};

const SECOND: i64 = 1_000_000_000;

/// So many periods of all groups are kept at most.
const LIMIT: usize = 1 << 19;

/// Periods grow no longer than this, however many groups there are.
const WIDEST: i64 = SECOND << 17;

/// Of a group that writes more objects than this, none is told by name.
const OBJECTS: usize = 15;

/// A group's number and its object's are one slot.
const OBJECT_SHIFT: u32 = 28;

/// All groups.
#[derive(Clone)]
pub(super) struct Lanes {
    width: i64,
    /// Periods of all groups.
    periods: usize,
    groups: Groups<Lane>,
}

impl Default for Lanes {
    fn default() -> Self {
        Lanes { width: SECOND, periods: 0, groups: Groups::default() }
    }
}

/// What is known of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    /// Its requests.
    pub(super) count: u64,
    /// Periods with requests, in order.
    pub(super) periods: Vec<(i64, u64)>,
    written: Option<Box<Written>>,
}

/// The objects that a group writes, as long as they are few.
#[derive(Clone, Debug, Default)]
struct Written {
    many: bool,
    objects: Vec<Object>,
}

/// An object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    /// Its name, and behind a slash the subresource.
    pub(super) name: Vec<u8>,
    /// How often.
    pub(super) count: u64,
    /// First and last time.
    pub(super) times: Option<(Timestamp, Timestamp)>,
}

impl Lanes {
    /// Finds a request's group, and the object that it writes.
    #[inline]
    pub(super) fn place(&mut self, seen: &Seen<'_, '_>) -> Slot {
        let index = self.groups.find(&RANKED, seen, None);
        let Some(lane) = self.groups.get_mut(index) else { return Slot::NONE };
        let mut object = 0;
        if seen.event.time().is_some() && is_telling_write(seen) {
            object = lane.written.get_or_insert_default().place(seen);
        }
        Slot(index | object << OBJECT_SHIFT)
    }

    /// Counts a request in its place.
    #[inline]
    pub(super) fn count(&mut self, slot: Slot, time: Option<Timestamp>) {
        let Some(lane) = self.groups.get_mut(slot.0 & ((1 << OBJECT_SHIFT) - 1)) else { return };
        lane.count += 1;
        let Some(time) = time else { return };
        self.periods += usize::from(lane.add(time.0.div_euclid(self.width)));
        let object = (slot.0 >> OBJECT_SHIFT).checked_sub(1);
        if let Some((object, written)) = object.zip(lane.written.as_mut())
            && let Some(object) = written.objects.get_mut(object as usize)
        {
            object.count += 1;
            object.widen(Some((time, time)));
        }
        if self.periods > LIMIT {
            self.narrow_down();
        }
    }

    /// Joins two.
    pub(super) fn merge(&mut self, mut other: Lanes) {
        while self.width < other.width {
            self.widen();
        }
        while other.width < self.width {
            other.widen();
        }
        self.groups.merge(other.groups, Lane::merge);
        self.periods = self.groups.each_mut().map(|lane| lane.periods.len()).sum();
        self.narrow_down();
    }

    /// Length of a period, and the groups that count anything with the values of [`RANKED`].
    pub(super) fn finish(self) -> (i64, Vec<Group>) {
        (self.width, self.groups.into_groups().filter(|(_, lane)| lane.count > 0).collect())
    }

    #[cold]
    fn narrow_down(&mut self) {
        while self.periods > LIMIT && self.width < WIDEST {
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.width *= 2;
        self.periods = 0;
        for lane in self.groups.each_mut() {
            lane.periods.iter_mut().for_each(|(period, _)| *period = period.div_euclid(2));
            lane.join_periods();
            self.periods += lane.periods.len();
        }
    }
}

impl Lane {
    /// Counts one; gives whether the period is new. Times come nearly in order.
    #[inline]
    fn add(&mut self, period: i64) -> bool {
        match self.periods.last_mut() {
            Some((last, count)) if *last == period => {
                *count += 1;
                false
            }
            Some((last, _)) if *last > period => self.add_before(period),
            _ => {
                self.periods.push((period, 1));
                true
            }
        }
    }

    fn add_before(&mut self, period: i64) -> bool {
        match self.periods.binary_search_by_key(&period, |known| known.0) {
            Ok(at) => {
                self.periods[at].1 += 1;
                false
            }
            Err(at) => {
                self.periods.insert(at, (period, 1));
                true
            }
        }
    }

    /// Makes one of equal neighbours.
    fn join_periods(&mut self) {
        self.periods.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
    }

    fn merge(&mut self, other: Lane) {
        self.count += other.count;
        self.periods.extend(other.periods);
        self.periods.sort_unstable();
        self.join_periods();
        match (&mut self.written, other.written) {
            (Some(mine), Some(theirs)) => mine.merge(*theirs),
            (mine @ None, theirs) => *mine = theirs,
            (Some(_), None) => {}
        }
    }

    /// The objects it writes, where they are few.
    pub(super) fn objects(&self) -> &[Object] {
        self.written.as_ref().map_or(&[], |written| &written.objects)
    }
}

impl Written {
    /// The number of the object that is written, counted from one; 0 if there are too many.
    fn place(&mut self, seen: &Seen<'_, '_>) -> u32 {
        let object = seen.event.object_ref.unwrap_or_default();
        if self.many {
            return 0;
        }
        let known = |known: &Object| is_named(&known.name, object.name, object.subresource);
        let at = match self.objects.iter().position(known) {
            Some(at) => at,
            None => {
                let name = name_of(object.name, object.subresource);
                self.objects.push(Object { name, count: 0, times: None });
                self.objects.len() - 1
            }
        };
        self.bound();
        if self.many { 0 } else { at as u32 + 1 }
    }

    fn merge(&mut self, other: Written) {
        self.many |= other.many;
        for theirs in other.objects {
            match self.objects.iter_mut().find(|mine| mine.name == theirs.name) {
                Some(mine) => {
                    mine.count += theirs.count;
                    mine.widen(theirs.times);
                }
                None => self.objects.push(theirs),
            }
        }
        self.bound();
    }

    fn bound(&mut self) {
        self.many |= self.objects.len() > OBJECTS;
        if self.many {
            self.objects = Vec::new();
        }
    }
}

impl Object {
    /// Takes in further times.
    pub(super) fn widen(&mut self, times: Option<(Timestamp, Timestamp)>) {
        self.times = match (self.times, times) {
            (Some((first, last)), Some((other, later))) => Some((first.min(other), last.max(later))),
            (mine, theirs) => mine.or(theirs),
        };
    }
}

/// Whether a request writes an object of which one expects that it rests now and then: leases are renewed
/// and nodes report on themselves for ever, and events are no objects anybody minds.
#[inline]
fn is_telling_write(seen: &Seen<'_, '_>) -> bool {
    let verb = seen.event.verb.map_or(&b""[..], Text::raw);
    matches!(verb, b"update" | b"patch" | b"create" | b"delete")
        && seen.event.object_ref.is_some_and(|object| {
            let resource = object.resource.map_or(&b""[..], Text::raw);
            let rests = !matches!(resource, b"leases" | b"events");
            let part = object.subresource.map_or(&b""[..], Text::raw);
            let writes = object.name.is_some() && rests && !ACTIONS.contains(&part);
            writes && !(resource == b"nodes" && part == b"status" && is_node(seen)) && has_succeeded(seen)
        })
}

fn is_node(seen: &Seen<'_, '_>) -> bool {
    seen.event.user.username.is_some_and(|user| user.raw().starts_with(b"system:node:"))
}

/// What failed wrote nothing.
fn has_succeeded(seen: &Seen<'_, '_>) -> bool {
    seen.event.code().is_some_and(|code| (200..300).contains(&code))
}

/// Whether an object's name is this one, without making it.
fn is_named(known: &[u8], name: Option<Text<'_>>, subresource: Option<Text<'_>>) -> bool {
    let plain = !name.is_some_and(Text::is_escaped) && !subresource.is_some_and(Text::is_escaped);
    if !plain {
        return known == name_of(name, subresource);
    }
    let rest = known.strip_prefix(name.map_or(&b""[..], Text::raw));
    match (rest, subresource) {
        (Some(rest), None) => rest.is_empty(),
        (Some(rest), Some(subresource)) => rest.strip_prefix(b"/") == Some(subresource.raw()),
        (None, _) => false,
    }
}

fn name_of(name: Option<Text<'_>>, subresource: Option<Text<'_>>) -> Vec<u8> {
    let mut full = name.map(|name| name.decode().into_owned()).unwrap_or_default();
    if let Some(subresource) = subresource {
        full.push(b'/');
        full.extend_from_slice(&subresource.decode());
    }
    full
}

#[cfg(test)]
impl Lane {
    /// A group with so many requests in these periods.
    pub(super) fn of(periods: Vec<(i64, u64)>) -> Self {
        Lane { count: periods.iter().map(|(_, count)| count).sum(), periods, written: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(periods: impl IntoIterator<Item = i64>) -> Lane {
        let mut lane = Lane::default();
        for period in periods {
            lane.add(period);
        }
        lane
    }

    #[test]
    fn periods_are_in_order_whatever_comes_first() {
        let mut one = lane([5, 5, 3, 9]);
        assert_eq!(one.periods, [(3, 1), (5, 2), (9, 1)]);
        one.merge(lane([4, 9]));
        assert_eq!(one.periods, [(3, 1), (4, 1), (5, 2), (9, 2)]);
    }

    #[test]
    fn few_objects_are_known_by_name_and_many_are_not() {
        let object = |name: usize| Object { name: name.to_string().into_bytes(), count: 1, times: None };
        let written = |names: std::ops::Range<usize>| Written { many: false, objects: names.map(object).collect() };
        let mut few = written(0..10);
        few.merge(written(5..15));
        assert_eq!((few.many, few.objects.len(), few.objects[5].count), (false, 15, 2));
        few.merge(written(20..21));
        assert!(few.many && few.objects.is_empty());
    }

    #[test]
    fn names_are_compared_with_their_subresource() {
        let (name, status) = (Some(Text::from("web")), Some(Text::from("status")));
        assert!(is_named(b"web", name, None) && is_named(b"web/status", name, status));
        assert!(!is_named(b"web/status", name, None) && !is_named(b"webstatus", name, status));
        assert_eq!(name_of(name, status), b"web/status");
    }
}
