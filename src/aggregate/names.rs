//! Whom and what a log is about: the users, addresses, agents and objects of the requests that match, to be
//! looked at next.
//!
//! Requests are grouped by all of these at once, so that it is counted once what each of them is in; the names are
//! told apart at the end. Memory follows the number of combinations.

use std::collections::BTreeMap;

use super::groups::Groups;
use super::key::Key;
use super::{Amendment, Measured, Question, Seen, Slot};
use crate::event::Timestamp;
use crate::query::Filter;

/// What one name stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// An authenticated user.
    User(String),
    /// An impersonated user.
    As(String),
    /// The first source address: what the client claims to be.
    Ip(String),
    /// A user agent.
    Agent(String),
    /// An object, or objects of a type.
    Object(ObjectName),
}

impl Name {
    /// Which of the kinds it is, in the order they are shown: users first, objects last.
    pub const fn place(&self) -> usize {
        match self {
            Name::User(_) => 0,
            Name::As(_) => 1,
            Name::Ip(_) => 2,
            Name::Agent(_) => 3,
            Name::Object(_) => 4,
        }
    }
}

/// An object by its type, namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// `deployments.apps`.
    pub resource: String,
    /// Empty where there is none.
    pub namespace: String,
    /// Empty where a request is about all of a type.
    pub name: String,
}

/// How often something was named, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests.
    pub count: u64,
    /// When the first of them arrived.
    pub first: Option<Timestamp>,
    /// The latest event time of them.
    pub last: Option<Timestamp>,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.count += other.count;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
    }
}

/// The question.
pub struct Names {
    /// Which requests it is about.
    pub filter: Filter,
}

/// Combinations of names: a partial answer.
#[derive(Clone, Default)]
pub struct NamesPartial {
    groups: Groups<Tally>,
}

const KEYS: [Key; 8] =
    [Key::User, Key::As, Key::SourceIp, Key::UserAgent, Key::Resource, Key::ApiGroup, Key::Namespace, Key::Name];

impl Question for Names {
    type Partial = NamesPartial;

    const IN_ORDER: bool = false;

    const COUNTS: bool = true;

    fn empty(&self) -> NamesPartial {
        NamesPartial::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut NamesPartial, seen: &Seen<'_, '_>) -> Slot {
        if !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        Slot(partial.groups.find(&KEYS, seen, None))
    }

    fn amend(&self, _: &mut NamesPartial, _: Slot, _: Amendment) {}

    fn count(&self, partial: &mut NamesPartial, requests: &[Measured]) {
        for Measured { slot, measure } in requests {
            if let Some(tally) = partial.groups.get_mut(slot.0) {
                tally.add(Tally { count: 1, first: measure.start, last: measure.time });
            }
        }
    }

    fn merge(&self, into: &mut NamesPartial, from: NamesPartial) {
        into.groups.merge(from.groups, |mine, other| mine.add(other));
    }
}

impl NamesPartial {
    /// The names, by kind, those of most requests first.
    pub fn finish(self) -> Vec<(Name, Tally)> {
        let mut names: BTreeMap<Name, Tally> = BTreeMap::new();
        for (values, tally) in self.groups.into_groups().filter(|(_, tally)| tally.count > 0) {
            for name in names_of(values) {
                names.entry(name).or_default().add(tally);
            }
        }
        let mut names: Vec<_> = names.into_iter().collect();
        // Stable, and the map was sorted: equals stay in the order of their names.
        names.sort_by_key(|(name, tally)| (name.place(), std::cmp::Reverse(tally.count)));
        names
    }
}

/// The names in one combination, in the order of [`KEYS`].
fn names_of(values: Vec<Option<Vec<u8>>>) -> Vec<Name> {
    let mut values = values.into_iter().map(|value| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned());
    let mut next = || values.next().unwrap_or_default();
    let (user, acting, ip, agent) = (next(), next(), next(), next());
    let (resource, group, namespace, name) = (next(), next(), next(), next());
    let simple = [(Name::User as fn(String) -> Name, user), (Name::As, acting), (Name::Ip, ip), (Name::Agent, agent)];
    let mut names: Vec<Name> =
        simple.into_iter().filter(|(_, text)| !text.is_empty()).map(|(of, text)| of(text)).collect();
    if !resource.is_empty() {
        let resource = if group.is_empty() { resource } else { format!("{resource}.{group}") };
        names.push(Name::Object(ObjectName { resource, namespace, name }));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Measure, Position, SourceInfo};
    use crate::event::{Event, Format, ObjectReference, RawJson};

    fn observe(names: &Names, partial: &mut NamesPartial, user: &'static str, name: &'static str) -> Measured {
        let mut event = Event::empty(b"", Format::V1);
        event.user.username = Some(user.into());
        event.source_ips = Some(RawJson(br#"["203.0.113.9"]"#));
        event.object_ref = Some(ObjectReference {
            resource: Some("deployments".into()),
            api_group: Some("apps".into()),
            name: Some(name.into()),
            ..ObjectReference::default()
        });
        let (source, position) = (SourceInfo::default(), Position::default());
        let seen = Seen { event: &event, record: b"", source: &source, position, bytes: 0, events: 1 };
        Measured { slot: names.observe(partial, &seen), measure: Measure::of(&event, Amendment::default()) }
    }

    #[test]
    fn names_are_counted_once_and_repeats_are_not() {
        let names = Names { filter: Filter::default() };
        let (mut one, mut other) = (names.empty(), names.empty());
        let requests = [observe(&names, &mut one, "alice", "web"), observe(&names, &mut one, "bob", "web")];
        observe(&names, &mut one, "carol", "web");
        names.count(&mut one, &requests);
        let request = observe(&names, &mut other, "bob", "db");
        names.count(&mut other, &[request]);
        names.merge(&mut one, other);
        names.merge(&mut one, names.empty());
        let shown: Vec<String> = one
            .finish()
            .into_iter()
            .map(|(name, tally)| match name {
                Name::Object(object) => format!("{}/{} {}", object.resource, object.name, tally.count),
                Name::User(text) | Name::As(text) | Name::Ip(text) | Name::Agent(text) => {
                    format!("{text} {}", tally.count)
                }
            })
            .collect();
        assert_eq!(shown, ["bob 2", "alice 1", "203.0.113.9 3", "deployments.apps/web 2", "deployments.apps/db 1"]);
    }
}
