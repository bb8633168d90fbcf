//! Counts by name, of which only so many are kept.
//!
//! Clients choose user agents and much of the URI, so a log can hold any number of names. What is kept
//! of too many is decided by a hash of the name, never by which came first: a name that is in the
//! final answer was kept by every part from the start, so its count is exact, and all others are
//! counted together.

use hashbrown::HashTable;

use crate::hash;

/// What can be counted in parts.
pub trait Sum: Default {
    /// Adds the other part.
    fn add(&mut self, other: Self);
}

/// Counts by name.
#[derive(Clone, Debug)]
pub struct Capped<V> {
    limit: usize,
    entries: Vec<(Box<[u8]>, V)>,
    index: HashTable<u32>,
    rest: V,
    /// Names from here on, in order of their hashes, are counted in the rest.
    bound: Option<(u64, Box<[u8]>)>,
}

/// The answer: what was kept, and the rest.
#[derive(Clone, Debug)]
pub struct Kept<V> {
    /// In order of the names.
    pub entries: Vec<(Box<[u8]>, V)>,
    /// All others together; none if there are none.
    pub rest: Option<V>,
}

/// No name is kept longer than this.
const NAME: usize = 256;

impl<V: Sum> Capped<V> {
    /// Keeps no more than `limit` names.
    pub fn new(limit: usize) -> Self {
        Capped { limit, entries: Vec::new(), index: HashTable::new(), rest: V::default(), bound: None }
    }

    /// The place of that name, new if it must be. Nothing is left out before partials merge, so places stay.
    pub fn place(&mut self, name: &[u8]) -> u32 {
        let name = name.get(..NAME).unwrap_or(name);
        let (hash, entries) = (hash::of_bytes(name), &self.entries);
        if let Some(&at) = self.index.find(hash, |&at| *entries[at as usize].0 == *name) {
            return at;
        }
        let at = self.entries.len() as u32;
        self.entries.push((name.into(), V::default()));
        let entries = &self.entries;
        self.index.insert_unique(hash, at, |&at| hash::of_bytes(&entries[at as usize].0));
        at
    }

    /// What is counted at a place.
    pub fn get_mut(&mut self, place: u32) -> Option<&mut V> {
        self.entries.get_mut(place as usize).map(|(_, value)| value)
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Joins two.
    pub fn merge(&mut self, other: Capped<V>) {
        let bounded = other.bound.is_some();
        self.bound = [self.bound.take(), other.bound].into_iter().flatten().min();
        self.rest.add(other.rest);
        for (name, value) in other.entries {
            if self.bound.as_ref().is_some_and(|bound| is_beyond(&name, bound)) {
                self.rest.add(value);
                continue;
            }
            let place = self.place(&name);
            if let Some(mine) = self.get_mut(place) {
                mine.add(value);
            }
        }
        // Twice as many as wanted, so that leaving out is rare.
        if bounded || self.entries.len() > self.limit * 2 {
            self.prune();
        }
    }

    /// Counts what is too much in the rest.
    fn prune(&mut self) {
        let mut ranked: Vec<_> = std::mem::take(&mut self.entries)
            .into_iter()
            .map(|(name, value)| (hash::for_samples(&name), name, value))
            .collect();
        ranked.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        if let Some((hash, name, _)) = ranked.get(self.limit) {
            let bound = Some((*hash, name.clone()));
            self.bound = [self.bound.take(), bound].into_iter().flatten().min();
        }
        self.index.clear();
        for (hash, name, value) in ranked {
            if self.bound.as_ref().is_some_and(|bound| (hash, &name) >= (bound.0, &bound.1)) {
                self.rest.add(value);
                continue;
            }
            let place = self.place(&name);
            if let Some(mine) = self.get_mut(place) {
                *mine = value;
            }
        }
    }

    /// What was kept, and the rest.
    pub fn finish(mut self) -> Kept<V> {
        if self.entries.len() > self.limit {
            self.prune();
        }
        self.entries.sort_by(|a, b| a.0.cmp(&b.0));
        Kept { entries: self.entries, rest: self.bound.map(|_| self.rest) }
    }
}

fn is_beyond(name: &[u8], bound: &(u64, Box<[u8]>)) -> bool {
    (hash::for_samples(name), name) >= (bound.0, &bound.1)
}

/// A few audit ids as examples, the same whatever came first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examples(Vec<(u64, Box<[u8]>)>);

/// So many are shown.
const EXAMPLES: usize = 3;

impl Examples {
    /// Takes an audit id into account.
    pub fn observe(&mut self, id: &[u8]) {
        let id = id.get(..NAME).unwrap_or(id);
        let rank = hash::for_samples(id);
        if self.0.len() == EXAMPLES && self.0.last().is_some_and(|last| (rank, id) > (last.0, &*last.1)) {
            return;
        }
        self.insert((rank, id.into()));
    }

    fn insert(&mut self, example: (u64, Box<[u8]>)) {
        if let Err(at) = self.0.binary_search(&example) {
            self.0.insert(at, example);
            self.0.truncate(EXAMPLES);
        }
    }

    /// The audit ids.
    pub fn ids(&self) -> Vec<String> {
        self.0.iter().map(|(_, id)| String::from_utf8_lossy(id).into_owned()).collect()
    }
}

impl Sum for Examples {
    fn add(&mut self, other: Self) {
        other.0.into_iter().for_each(|example| self.insert(example));
    }
}

impl Sum for u64 {
    fn add(&mut self, other: Self) {
        *self += other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[String]) -> Capped<u64> {
        let mut counts = Capped::new(10);
        for name in names {
            let place = counts.place(name.as_bytes());
            *counts.get_mut(place).unwrap() += 1;
        }
        counts
    }

    #[test]
    fn what_is_kept_is_exact_and_does_not_depend_on_order() {
        let names: Vec<String> = (0..5000).map(|n| format!("name {}", n * 7919 % 131)).collect();
        let whole = of(&names).finish();
        assert_eq!(whole.entries.len(), 10);
        let kept: u64 = whole.entries.iter().map(|(_, count)| count).sum();
        assert_eq!(kept + whole.rest.unwrap(), 5000);
        for size in [1, 3, 50, 4999] {
            let parts = names.chunks(size).map(of);
            for parts in [parts.clone().collect::<Vec<_>>(), parts.rev().collect()] {
                let mut merged = Capped::new(10);
                parts.into_iter().for_each(|part| merged.merge(part));
                let merged = merged.finish();
                assert_eq!(merged.entries, whole.entries, "in parts of {size}");
                assert_eq!(merged.rest, whole.rest, "in parts of {size}");
            }
        }
    }

    #[test]
    fn few_names_leave_no_rest() {
        let few = of(&["b".to_owned(), "a".to_owned(), "b".to_owned()]).finish();
        assert_eq!(few.rest, None);
        let shown: Vec<_> = few.entries.iter().map(|(name, count)| (&**name, *count)).collect();
        assert_eq!(shown, [(&b"a"[..], 1), (b"b", 2)]);
    }

    #[test]
    fn examples_do_not_depend_on_order() {
        let ids: Vec<String> = (0..100).map(|n| format!("id-{n}")).collect();
        let of = |ids: &mut dyn Iterator<Item = &String>| {
            let mut examples = Examples::default();
            ids.for_each(|id| examples.observe(id.as_bytes()));
            examples
        };
        let forwards = of(&mut ids.iter());
        let mut halves = of(&mut ids[50..].iter());
        halves.add(of(&mut ids[..50].iter()));
        assert_eq!(forwards, of(&mut ids.iter().rev().chain(&ids)));
        assert_eq!(forwards, halves);
        assert_eq!(forwards.ids().len(), 3);
    }
}
