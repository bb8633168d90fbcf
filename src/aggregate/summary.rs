//! Requests grouped by any combination of keys.

mod order;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::hint::black_box;

use hashbrown::{HashMap, HashTable};

pub use order::Order;

use super::stats::Stats;
use super::{Amendment, Measured, Question, Seen, Slot};
use crate::event::{RawJson, Text, Timestamp};
use crate::hash;
use crate::query::Filter;

/// What requests can be grouped by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Key {
    /// `user.username`.
    User,
    /// Each of `user.groups`: a request counts in every group of its user.
    Group,
    /// `impersonatedUser.username`.
    As,
    /// `verb`.
    Verb,
    /// `objectRef.resource`.
    Resource,
    /// `objectRef.subresource`.
    Subresource,
    /// `objectRef.apiGroup`; absent for the core group and non-resource requests.
    ApiGroup,
    /// `objectRef.namespace`.
    Namespace,
    /// `objectRef.name`.
    Name,
    /// `responseStatus.code`.
    Code,
    /// The authorizer's decision.
    Decision,
    /// `stage` (of the event that stands for the request).
    Stage,
    /// `level`.
    Level,
    /// `userAgent`.
    UserAgent,
    /// The first of `sourceIPs`: who the client claims to be.
    SourceIp,
    /// `requestURI`, whole.
    Uri,
    /// `requestURI` without its query.
    Path,
    /// The node the client runs on: of a node's own user, or of the pod behind a service account.
    Node,
    /// The host whose log it is: from the line's prefix or the file's name.
    Host,
    /// Where it came from: the host, pod, stream or cluster its line names, else the host its path names,
    /// else the file.
    Source,
    /// The pod that wrote the line.
    Pod,
    /// The log stream it came by.
    Stream,
    /// The cluster it came from.
    Cluster,
    /// The file.
    File,
    /// How the event was written down.
    Format,
    /// Event time cut to periods of this many nanoseconds; the name is given by [`Key::name`].
    Time(i64),
    /// The same for `--every`: its name is `time`, whatever the length.
    Every(i64),
}

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// All keys by name; `time`, which `--every` adds, is none that can be asked for.
const KEYS: [(&str, Key); 28] = [
    ("user", Key::User),
    ("group", Key::Group),
    ("as", Key::As),
    ("verb", Key::Verb),
    ("resource", Key::Resource),
    ("subresource", Key::Subresource),
    ("apiGroup", Key::ApiGroup),
    ("namespace", Key::Namespace),
    ("name", Key::Name),
    ("code", Key::Code),
    ("decision", Key::Decision),
    ("stage", Key::Stage),
    ("level", Key::Level),
    ("userAgent", Key::UserAgent),
    ("sourceIP", Key::SourceIp),
    ("uri", Key::Uri),
    ("path", Key::Path),
    ("node", Key::Node),
    ("source", Key::Source),
    ("host", Key::Host),
    ("pod", Key::Pod),
    ("stream", Key::Stream),
    ("cluster", Key::Cluster),
    ("file", Key::File),
    ("format", Key::Format),
    ("minute", Key::Time(MINUTE)),
    ("hour", Key::Time(HOUR)),
    ("day", Key::Time(DAY)),
];

impl Key {
    /// The key of that name, in any case; `agent`, `ip`, `ns` and other short forms are understood.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        let full = match word.as_str() {
            "agent" => "useragent",
            "ip" => "sourceip",
            "ns" => "namespace",
            "impersonateduser" => "as",
            "requesturi" => "uri",
            other => other,
        };
        KEYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(full)).map(|&(_, key)| key)
    }

    /// All names, for messages.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KEYS.iter().map(|&(name, _)| name)
    }

    /// The name in answers.
    pub fn name(self) -> &'static str {
        KEYS.iter().find(|&&(_, key)| key == self).map_or("time", |&(name, _)| name)
    }

    /// The key's value for a request; `group` is that of [`Key::Group`].
    #[inline]
    fn value_or<'a>(
        self,
        group: Option<Text<'a>>,
        seen: &'a Seen<'_, 'a>,
        scratch: &'a mut String,
    ) -> Option<Text<'a>> {
        if self == Key::Group { group } else { self.value(seen, scratch) }
    }

    /// The key's value for a request; absent is `None`. [`Key::Group`] has many and is not asked here.
    pub(super) fn value<'a>(self, seen: &'a Seen<'_, 'a>, scratch: &'a mut String) -> Option<Text<'a>> {
        let event = seen.event;
        let object = event.object_ref;
        match self {
            Key::User => event.user.username,
            Key::Group => None,
            Key::As => event.impersonated_user.and_then(|user| user.username),
            Key::Verb => event.verb,
            Key::Resource => object.and_then(|o| o.resource),
            Key::Subresource => object.and_then(|o| o.subresource),
            Key::ApiGroup => object.and_then(|o| o.api_group),
            Key::Namespace => object.and_then(|o| o.namespace),
            Key::Name => object.and_then(|o| o.name),
            Key::Code => event.code().map(|code| written_code(scratch, code)),
            Key::Decision => event.decision(),
            Key::Stage => Some(event.stage.text()),
            Key::Level => event.level,
            Key::UserAgent => event.user_agent,
            Key::SourceIp => event.client_ip(),
            Key::Uri => event.request_uri,
            Key::Path => event.request_uri.map(path_of),
            Key::Node => node_of(seen),
            Key::Host => seen.origin().host,
            Key::Source => seen.source_names().next(),
            Key::Pod => seen.origin().pod,
            Key::Stream => seen.origin().stream,
            Key::Cluster => seen.origin().cluster,
            Key::File => Some(Text::from(seen.source.name.as_str())),
            Key::Format => Some(Text::from(event.format.name())),
            Key::Time(width) | Key::Every(width) => event.time().map(|time| written(scratch, time.floor(width).0)),
        }
    }
}

/// A status code in digits; those of HTTP have three.
fn written_code(scratch: &mut String, code: i32) -> Text<'_> {
    if !(100..1000).contains(&code) {
        return written(scratch, code);
    }
    scratch.clear();
    scratch.extend([code / 100, code / 10 % 10, code % 10].map(|digit| char::from(b'0' + digit as u8)));
    Text::plain(scratch.as_bytes())
}

fn written(scratch: &mut String, value: impl std::fmt::Display) -> Text<'_> {
    use std::fmt::Write;
    scratch.clear();
    let _ = write!(scratch, "{value}");
    Text::plain(scratch.as_bytes())
}

fn path_of(uri: Text<'_>) -> Text<'_> {
    let raw = uri.raw();
    let end = memchr::memchr(b'?', raw).unwrap_or(raw.len());
    Text::json(&raw[..end], uri.is_escaped())
}

fn node_of<'a>(seen: &Seen<'_, 'a>) -> Option<Text<'a>> {
    let user = seen.event.user;
    let name =
        user.username.and_then(|name| Some(Text::json(name.raw().strip_prefix(b"system:node:")?, name.is_escaped())));
    name.or_else(|| user.extra?.get(b"authentication.kubernetes.io/node-name")?.elements().next()?.as_text())
}

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
        let Groups { counted, .. } = &mut self.groups;
        let groups = || {
            let known = |request: &Measured| counted.get(request.slot.0 as usize);
            requests.iter().filter_map(move |request| Some((known(request)?, &request.measure)))
        };
        // The sums mean nothing; they are made so that everything is read.
        black_box(groups().fold(0, |sum, (group, _)| sum ^ group.0.visit()));
        black_box(groups().fold(0, |sum, (group, measure)| sum ^ group.0.visit_behind(measure)));
        for Measured { slot, measure } in requests {
            if let Some(group) = counted.get_mut(slot.0 as usize) {
                group.0.count(measure);
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
            self.groups.counted.iter().for_each(|group| total.add_sums(&group.0));
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

/// A key value as people and programs read it: a time for the time keys, text for the others.
pub fn shown_value(key: Key, value: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(value);
    match key {
        Key::Time(_) | Key::Every(_) => text.parse().map(|ns| Timestamp(ns).to_rfc3339()).unwrap_or_default().into(),
        _ => text,
    }
}
