//! Groups of requests by the values of any keys.

use hashbrown::HashTable;

use super::Seen;
use super::key::Key;
use crate::event::Text;
use crate::hash;

/// Where a value of a group key stands in its encoding: absent, or so many bytes.
const ABSENT: u32 = u32::MAX;

/// Groups of requests, found by their key values: by a hash of them, that is, as requests are told
/// apart. So only the table and the counts are touched for each request, not the keys.
#[derive(Clone, Debug)]
pub struct Groups<S> {
    /// Indexes alone: with the hashes beside them it would take twice the lines of the cache.
    table: HashTable<u32>,
    /// The hash of each group's key values, apart from what is counted: so nobody waits for that yet.
    sums: Vec<u64>,
    /// The key values of each group, encoded.
    keys: Vec<Box<[u8]>>,
    counted: Vec<Counted<S>>,
    scratch: Vec<u8>,
    text: String,
}

/// What is counted about a group, in as few lines of the cache as that takes.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Counted<S>(S);

impl<S> Default for Groups<S> {
    fn default() -> Self {
        let (table, sums, keys, counted) = (HashTable::new(), Vec::new(), Vec::new(), Vec::new());
        Groups { table, sums, keys, counted, scratch: Vec::new(), text: String::new() }
    }
}

impl<S: Default> Groups<S> {
    /// The group a request belongs to. `group` stands for [`Key::Group`], which has many values.
    #[inline]
    pub fn find(&mut self, keys: &[Key], seen: &Seen<'_, '_>, group: Option<Text<'_>>) -> u32 {
        let mut sum = 0;
        for &key in keys {
            let value = key.value_or(group, seen, &mut self.text);
            sum = hash::fold(sum, value.map_or(0, |value| hash::of_text(value, &mut self.scratch)));
        }
        match self.index_of(sum) {
            Some(index) => index,
            None => self.add(sum, keys, seen, group),
        }
    }

    /// The group of these values, for questions that have keys of their own.
    pub(super) fn find_values(&mut self, values: &[Option<Text<'_>>]) -> u32 {
        let mut sum = 0;
        for value in values {
            sum = hash::fold(sum, value.map_or(0, |value| hash::of_text(value, &mut self.scratch)));
        }
        if let Some(index) = self.index_of(sum) {
            return index;
        }
        self.scratch.clear();
        values.iter().for_each(|&value| encode(value, &mut self.scratch));
        let key = self.scratch.as_slice().into();
        self.push(sum, key, S::default())
    }

    /// A new group.
    #[cold]
    fn add(&mut self, sum: u64, keys: &[Key], seen: &Seen<'_, '_>, group: Option<Text<'_>>) -> u32 {
        self.scratch.clear();
        for &key in keys {
            encode(key.value_or(group, seen, &mut self.text), &mut self.scratch);
        }
        let key = self.scratch.as_slice().into();
        self.push(sum, key, S::default())
    }

    #[inline]
    fn index_of(&self, sum: u64) -> Option<u32> {
        self.table.find(sum, |&index| self.sums.get(index as usize) == Some(&sum)).copied()
    }

    fn push(&mut self, sum: u64, key: Box<[u8]>, stats: S) -> u32 {
        let index = self.counted.len() as u32;
        self.keys.push(key);
        self.counted.push(Counted(stats));
        self.sums.push(sum);
        self.table.insert_unique(sum, index, |&index| self.sums[index as usize]);
        index
    }

    /// What is counted about a group.
    #[inline]
    pub fn get(&self, index: u32) -> Option<&S> {
        self.counted.get(index as usize).map(|group| &group.0)
    }

    /// The same, to be changed.
    #[inline]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut S> {
        self.counted.get_mut(index as usize).map(|group| &mut group.0)
    }

    /// The group of these encoded key values.
    pub(super) fn find_encoded(&mut self, key: &[u8]) -> u32 {
        let sum = hash_of_encoded(key);
        match self.index_of(sum) {
            Some(index) => index,
            None => self.push(sum, key.into(), S::default()),
        }
    }

    /// The encoded key values of all groups, by index.
    pub(super) fn encoded(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|key| &**key)
    }

    /// What is counted about all groups.
    pub fn each(&self) -> impl Iterator<Item = &S> {
        self.counted.iter().map(|group| &group.0)
    }

    /// The same, to be changed.
    pub fn each_mut(&mut self) -> impl Iterator<Item = &mut S> {
        self.counted.iter_mut().map(|group| &mut group.0)
    }

    /// The key values of a group.
    pub fn values(&self, index: u32) -> Vec<Option<Vec<u8>>> {
        self.keys.get(index as usize).map(|key| decode(key)).unwrap_or_default()
    }

    /// Joins two sets of groups.
    pub fn merge(&mut self, other: Groups<S>, join: impl Fn(&mut S, S)) {
        for ((key, Counted(stats)), sum) in other.keys.into_iter().zip(other.counted).zip(other.sums) {
            match self.index_of(sum).and_then(|index| self.get_mut(index)) {
                Some(mine) => join(mine, stats),
                None => drop(self.push(sum, key, stats)),
            }
        }
    }

    /// All groups with their key values, in no order that means anything.
    pub fn into_groups(self) -> impl Iterator<Item = (Vec<Option<Vec<u8>>>, S)> {
        self.keys.into_iter().zip(self.counted).map(|(key, group)| (decode(&key), group.0))
    }
}

/// Appends a value of a group key.
pub(super) fn encode(value: Option<Text<'_>>, out: &mut Vec<u8>) {
    let Some(value) = value else { return out.extend_from_slice(&ABSENT.to_le_bytes()) };
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    if value.is_escaped() {
        crate::event::unescape_json(value.raw(), out);
    } else {
        out.extend_from_slice(value.raw());
    }
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// The values of an encoded key, one after the other.
struct Values<'k>(&'k [u8]);

impl<'k> Iterator for Values<'k> {
    type Item = Option<&'k [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = u32::from_le_bytes(*length);
        if length == ABSENT {
            self.0 = rest;
            return Some(None);
        }
        let (value, rest) = rest.split_at_checked(length as usize)?;
        self.0 = rest;
        Some(Some(value))
    }
}

fn decode(key: &[u8]) -> Vec<Option<Vec<u8>>> {
    Values(key).map(|value| value.map(<[u8]>::to_vec)).collect()
}

fn hash_of_encoded(key: &[u8]) -> u64 {
    Values(key).fold(0, |sum, value| hash::fold(sum, value.map_or(0, hash::of_bytes)))
}
