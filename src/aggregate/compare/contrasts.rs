//! The differences between two sides, in as few words as possible.
//!
//! One client that asks more often shows as a user, an agent, an address and as part of a verb, all
//! at once. So the most surprising value is found, narrowed down as long as its parts changed in
//! different ways and widened as long as what comes in changed alike; its requests are taken out,
//! and what is left is looked at again. Who asks (user, agent, address) goes before what is asked,
//! for a client is the cause of its requests.

use std::cmp::Reverse;

use super::Pair;
use super::score::{LEAST, Lengths, NOTABLE, add, by_score, falls_apart, unlikeness};
use crate::aggregate::key::Key;
use crate::event::Timestamp;

/// A value of a key.
pub type Value = Option<Vec<u8>>;

/// Requests that are alike in all keys.
pub(super) struct Leaf {
    /// By key.
    pub(super) values: Vec<Value>,
    /// Before and after.
    pub(super) count: Pair<u64>,
    /// Earliest start, on whichever side.
    pub(super) first: Option<Timestamp>,
    /// Latest event time.
    pub(super) last: Option<Timestamp>,
}

/// Which way requests changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// There were none before.
    New,
    /// There are none after.
    Gone,
    /// They come at a higher rate.
    More,
    /// They come at a lower rate.
    Less,
}

impl Change {
    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Gone => "gone",
            Change::More => "more",
            Change::Less => "less",
        }
    }
}

/// What a value has to do with the requests of a [`Contrast`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// They are the requests with this value, and whatever else defines them.
    Defines,
    /// All of them have it and no other request has: the same thing by another name.
    Same,
    /// All of them have it.
    All,
    /// Half of them or more have it.
    Most,
    /// It is the commonest, but less than half have it.
    Varied,
}

impl Role {
    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Defines => "defines",
            Role::Same => "same",
            Role::All => "all",
            Role::Most => "most",
            Role::Varied => "varied",
        }
    }
}

/// The commonest value of a key among the requests of a [`Contrast`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trait {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Value,
    /// What it has to do with them.
    pub role: Role,
    /// How many have it, on both sides together.
    pub count: u64,
    /// How many values there are.
    pub distinct: usize,
}

/// Requests whose rate changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Contrast {
    /// Which way.
    pub change: Change,
    /// How surprising that is, in thousandths.
    pub score: i64,
    /// How many, before and after.
    pub count: Pair<u64>,
    /// How many of both would be on each side, had the rate changed by half at most.
    pub expected: Pair<f64>,
    /// By what factor the rate grew, in hundredths.
    pub growth: Option<u64>,
    /// Earliest start.
    pub first: Option<Timestamp>,
    /// Latest event time.
    pub last: Option<Timestamp>,
    /// What they have in common, for every key; nothing defines them where they are all requests.
    pub traits: Vec<Trait>,
    /// Whether other contrasts have requests of that definition, which are not counted again.
    pub besides: bool,
}

/// A leaf with numbers for values.
struct Row {
    values: Box<[u32]>,
    count: Pair<u64>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    explained: bool,
}

/// Values that requests must have: the key's place and the value's number.
type Conditions = Vec<(usize, u32)>;

/// Counts by key and value.
type Tally = Vec<Vec<Pair<u64>>>;

/// The search for what explains the difference.
pub(super) struct Search {
    keys: Vec<Key>,
    /// The values of each key in order; their places are their numbers.
    names: Vec<Vec<Value>>,
    rows: Vec<Row>,
    /// All rows, explained or not.
    totals: Tally,
    lengths: Lengths,
    /// What scores less is no difference.
    least: i64,
}

/// A value or a combination, with its score.
#[derive(Clone)]
struct Candidate {
    conditions: Conditions,
    score: i64,
}

impl Search {
    pub(super) fn new(keys: Vec<Key>, leaves: Vec<Leaf>, lengths: Lengths) -> Self {
        let names: Vec<Vec<Value>> = (0..keys.len())
            .map(|at| {
                let mut names: Vec<Value> = leaves.iter().filter_map(|leaf| leaf.values.get(at).cloned()).collect();
                names.sort_unstable();
                names.dedup();
                names
            })
            .collect();
        let mut rows: Vec<Row> = leaves.into_iter().map(|leaf| numbered(&names, leaf)).collect();
        // What requests were grouped by besides makes several rows of one.
        rows.sort_by(|a, b| a.values.cmp(&b.values));
        rows.dedup_by(|row, kept| row.values == kept.values && kept.absorb(row));
        let mut search = Search { keys, names, rows, totals: Tally::new(), lengths, least: LEAST };
        search.totals = search.tally(&[]);
        search
    }

    /// So many contrasts at most, the most surprising first.
    pub(super) fn contrasts(&mut self, most: usize) -> Vec<Contrast> {
        let mut found = Vec::new();
        while found.len() < most
            && let Some(contrast) = self.next()
        {
            found.push(contrast);
        }
        found.sort_by(|a, b| by_score(a.score, b.score));
        found
    }

    /// How many differences too weak to tell are left, counted up to `most`.
    pub(super) fn weaker(&mut self, most: usize) -> usize {
        self.least = 1;
        (0..most).take_while(|_| self.next().is_some()).count()
    }

    /// The next contrast; its requests are explained from then on.
    pub(super) fn next(&mut self) -> Option<Contrast> {
        let candidate = self.find()?;
        Some(self.take(&candidate))
    }

    /// The most surprising value or combination among what is not explained.
    fn find(&self) -> Option<Candidate> {
        let all = self.tally(&[]);
        let telling = |key, value, score| score >= NOTABLE || score >= self.least && self.is_one_sided(key, value);
        let single = self.best(&all, &[], telling);
        let single = single.map(|(condition, score)| Candidate { conditions: vec![condition], score });
        let single = single.map(|single| self.widened(self.narrowed(single)));
        // Where what one client does more and what it does less add up to nothing, only the combination shows.
        let row = self.best_row().filter(|row| {
            row.score >= NOTABLE && single.as_ref().is_none_or(|single| row.score > single.score / 10 * 11 + NOTABLE)
        });
        row.map(|row| self.widened(row)).or(single)
    }

    /// The value with the highest score that is acceptable; who asks goes before what is asked.
    fn best(
        &self,
        tally: &Tally,
        fixed: &[(usize, u32)],
        acceptable: impl Fn(usize, u32, i64) -> bool,
    ) -> Option<((usize, u32), i64)> {
        let mut best: Pair<Option<((usize, u32), i64)>> = [None, None];
        for (at, key) in self.keys.iter().enumerate().filter(|(at, _)| fixed.iter().all(|(key, _)| key != at)) {
            let best = &mut best[usize::from(!is_client(*key))];
            for (value, &count) in tally[at].iter().enumerate().filter(|(_, count)| **count != [0, 0]) {
                let score = self.lengths.score(count);
                let better = best.is_none_or(|(_, known)| score > known);
                if better && acceptable(at, value as u32, score) {
                    *best = Some(((at, value as u32), score));
                }
            }
        }
        let [client, other] = best;
        client.filter(|(_, score)| other.is_none_or(|(_, known)| score * 2 >= known)).or(other)
    }

    /// Whether a value is on one side only.
    fn is_one_sided(&self, key: usize, value: u32) -> bool {
        self.totals[key][value as usize].contains(&0)
    }

    /// The row with the highest score.
    fn best_row(&self) -> Option<Candidate> {
        let open = self.rows.iter().filter(|row| !row.explained);
        let scored = open.map(|row| (self.lengths.score(row.count), row));
        let (score, row) = scored.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        let conditions = row.values.iter().enumerate().map(|(key, &value)| (key, value)).collect();
        Some(Candidate { conditions, score })
    }

    /// Adds conditions as long as parts changed in different ways and one of them is a good part of the surprise.
    fn narrowed(&self, mut candidate: Candidate) -> Candidate {
        loop {
            let tally = self.tally(&candidate.conditions);
            let whole = sum(&tally);
            let splits: Vec<bool> =
                tally.iter().map(|parts| falls_apart(unlike(whole, parts), candidate.score)).collect();
            let part = self.best(&tally, &candidate.conditions, |key, _, score| {
                splits[key] && score >= NOTABLE && score * 4 >= candidate.score
            });
            let Some((condition, score)) = part else { return candidate };
            candidate.conditions.push(condition);
            candidate.score = score;
        }
    }

    /// Drops conditions as long as what comes in changed alike.
    fn widened(&self, mut candidate: Candidate) -> Candidate {
        let peak = candidate.score;
        loop {
            let wider = (0..candidate.conditions.len()).filter_map(|at| {
                let mut conditions = candidate.conditions.clone();
                let (key, _) = conditions.remove(at);
                let tally = self.tally(&conditions);
                let whole = sum(&tally);
                let score = self.lengths.score(whole);
                let alike = !falls_apart(unlike(whole, &tally[key]), score);
                let telling = score >= NOTABLE || !conditions.is_empty();
                (alike && telling && score >= self.least && score * 10 >= peak * 9)
                    .then_some(Candidate { conditions, score })
            });
            // Of equals the last key goes, so that the user stays.
            let wider = wider.reduce(|best, next| if next.score >= best.score { next } else { best });
            let Some(wider) = wider else { return candidate };
            candidate = wider;
        }
    }

    /// Counts of what is not explained and meets the conditions.
    fn tally(&self, conditions: &[(usize, u32)]) -> Tally {
        let mut tally: Tally = self.names.iter().map(|names| vec![[0, 0]; names.len()]).collect();
        for row in self.rows.iter().filter(|row| !row.explained && row.meets(conditions)) {
            for (counts, &value) in tally.iter_mut().zip(&row.values) {
                let count = &mut counts[value as usize];
                *count = add(*count, row.count);
            }
        }
        tally
    }

    /// Makes a contrast of a candidate.
    fn take(&mut self, candidate: &Candidate) -> Contrast {
        let conditions = &candidate.conditions;
        let tally = self.tally(conditions);
        let count = sum(&tally);
        let (mut first, mut last, mut besides) = (None, None, false);
        for row in self.rows.iter_mut().filter(|row| row.meets(conditions)) {
            besides |= row.explained;
            if !row.explained {
                first = first.into_iter().chain(row.first).min();
                last = last.into_iter().chain(row.last).max();
            }
            row.explained = true;
        }
        let traits = (0..self.keys.len()).map(|at| self.trait_of(at, conditions, &tally[at], count)).collect();
        let (expected, growth) = (self.lengths.expected(count), self.lengths.growth(count));
        let change = self.change(count);
        Contrast { change, score: candidate.score, count, expected, growth, first, last, traits, besides }
    }

    fn change(&self, count: Pair<u64>) -> Change {
        match count {
            [0, _] => Change::New,
            [_, 0] => Change::Gone,
            _ if self.lengths.rose(count) => Change::More,
            _ => Change::Less,
        }
    }

    /// The commonest value of a key, and what it has to do with the requests.
    fn trait_of(&self, at: usize, conditions: &[(usize, u32)], counts: &[Pair<u64>], whole: Pair<u64>) -> Trait {
        let all = whole[0] + whole[1];
        let present = counts.iter().enumerate().filter(|(_, count)| **count != [0, 0]);
        let distinct = present.clone().count();
        let (value, count) = present
            .max_by_key(|(value, count)| (count[0] + count[1], Reverse(*value)))
            .map_or((0, [0, 0]), |(v, c)| (v, *c));
        let own = count[0] + count[1];
        let role = match () {
            () if conditions.iter().any(|(key, _)| *key == at) => Role::Defines,
            () if distinct == 1 && self.totals[at][value] == count && self.names[at].len() > 1 => Role::Same,
            () if distinct == 1 => Role::All,
            () if own * 2 >= all => Role::Most,
            () => Role::Varied,
        };
        Trait { key: self.keys[at], value: self.names[at].get(value).cloned().flatten(), role, count: own, distinct }
    }
}

impl Row {
    fn meets(&self, conditions: &[(usize, u32)]) -> bool {
        conditions.iter().all(|&(key, value)| self.values[key] == value)
    }

    /// Takes in a row with the same values.
    fn absorb(&mut self, other: &Row) -> bool {
        self.count = add(self.count, other.count);
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
        true
    }
}

fn numbered(names: &[Vec<Value>], leaf: Leaf) -> Row {
    let number = |(names, value): (&Vec<Value>, &Value)| names.binary_search(value).unwrap_or_default() as u32;
    let values = names.iter().zip(&leaf.values).map(number).collect();
    Row { values, count: leaf.count, first: leaf.first, last: leaf.last, explained: false }
}

/// Whether a key tells who asks, rather than what is asked.
const fn is_client(key: Key) -> bool {
    matches!(key, Key::User | Key::As | Key::UserAgent | Key::SourceIp | Key::Node)
}

/// Every request has one value of every key.
fn sum(tally: &Tally) -> Pair<u64> {
    tally.first().map_or([0, 0], |counts| counts.iter().fold([0, 0], |sum, count| add(sum, *count)))
}

fn unlike(whole: Pair<u64>, parts: &[Pair<u64>]) -> i64 {
    unlikeness(whole, parts.iter().copied().filter(|part| *part != [0, 0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [Key; 4] = [Key::User, Key::Verb, Key::UserAgent, Key::SourceIp];

    fn leaf(values: &str, before: u64, after: u64) -> Leaf {
        let values = values.split(' ').map(|value| Some(value.as_bytes().to_vec())).collect();
        Leaf { values, count: [before, after], first: None, last: None }
    }

    fn told(leaves: Vec<Leaf>) -> Vec<String> {
        let mut search = Search::new(KEYS.to_vec(), leaves, Lengths::of([600, 600]));
        let text = |value: &Value| String::from_utf8(value.clone().unwrap_or_default()).unwrap();
        let shown = |contrast: Contrast| {
            let of = |role| contrast.traits.iter().filter(move |t| t.role == role).map(|t| text(&t.value));
            let defines: Vec<String> = of(Role::Defines).collect();
            let same: Vec<String> = of(Role::Same).collect();
            let [before, after] = contrast.count;
            format!("{} {before}>{after} {} ({})", contrast.change.name(), defines.join("+"), same.join(" "))
        };
        search.contrasts(10).into_iter().map(shown).collect()
    }

    #[test]
    fn a_client_is_one_contrast_whatever_it_does() {
        let leaves = vec![
            leaf("sync list sync/1 10.0.0.7", 150, 750),
            leaf("sync get sync/1 10.0.0.7", 50, 250),
            leaf("alice get kubectl 10.0.0.1", 30, 28),
            leaf("alice list curl 10.0.0.1", 0, 40),
            leaf("node patch kubelet 10.0.0.2", 400, 420),
            leaf("node list kubelet 10.0.0.2", 20, 21),
        ];
        assert_eq!(told(leaves), ["more 200>1000 sync (sync/1 10.0.0.7)", "new 0>40 curl ()"]);
    }

    #[test]
    fn one_address_for_all_hides_nobody() {
        let leaves = vec![
            leaf("sync list sync/1 127.0.0.1", 200, 1000),
            leaf("alice list curl 127.0.0.1", 0, 200),
            leaf("node list kubelet 127.0.0.1", 20, 20),
        ];
        assert_eq!(told(leaves), ["more 200>1000 sync (sync/1)", "new 0>200 alice (curl)"]);
    }

    #[test]
    fn what_all_clients_do_alike_is_told_once() {
        let mut leaves: Vec<Leaf> =
            (0..20).map(|i| leaf(&format!("user{i} list agent{i} 10.0.1.{i}"), 0, 30 + i % 3)).collect();
        leaves.extend((0..20).map(|i| leaf(&format!("user{i} get agent{i} 10.0.1.{i}"), 200, 200)));
        assert_eq!(told(leaves), ["new 0>619 list ()"]);
    }

    #[test]
    fn what_adds_up_to_nothing_shows_as_combination() {
        let leaves = vec![
            leaf("sync list sync/1 10.0.0.7", 500, 440),
            leaf("sync delete sync/1 10.0.0.7", 0, 60),
            leaf("node delete kubelet 10.0.0.2", 1000, 1000),
            leaf("node list kubelet 10.0.0.2", 1000, 1000),
        ];
        assert_eq!(told(leaves), ["new 0>60 sync+delete ()"]);
    }

    #[test]
    fn all_of_it_is_told_as_such() {
        let leaves = vec![leaf("a list x 10.0.0.1", 100, 300), leaf("b get y 10.0.0.2", 200, 610)];
        assert_eq!(told(leaves), ["more 300>910  ()"]);
        assert!(told(Vec::new()).is_empty());
    }

    #[test]
    fn a_single_new_value_is_told_unless_chance_makes_it() {
        let leaves = |count| vec![leaf("a list x 10.0.0.1", 100, 100), leaf("a list x 10.0.0.9", 0, count)];
        assert_eq!(told(leaves(4)), ["new 0>4 10.0.0.9 ()"]);
        assert!(told(leaves(3)).is_empty());
        let mut search = Search::new(KEYS.to_vec(), leaves(3), Lengths::of([600, 600]));
        assert_eq!((search.contrasts(10).len(), search.weaker(10)), (0, 1));
    }
}
