//! What stands out: a rise of load, refusals, failures, and writers that cannot stop.
//!
//! Everything is found in the groups of the overview and the periods each of them has. What is told
//! must be worth it: the least counts and shares stand here, each with its reason.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::lanes::Lane;
use super::{Dominant, RANKED};
use crate::aggregate::key::Key;
use crate::event::Timestamp;

/// A value of a key.
pub type Value = Option<Vec<u8>>;

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its beginning.
    pub since: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Stretch {
    /// Its length in nanoseconds.
    pub fn length(&self) -> i64 {
        self.until.0.saturating_sub(self.since.0).max(1)
    }
}

/// So many requests in so many nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub count: u64,
    /// Nanoseconds.
    pub length: i64,
}

/// A stretch in which there were far more requests than outside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spike {
    /// When.
    pub stretch: Stretch,
    /// The rate outside of it.
    pub outside: Rate,
    /// The rate in it.
    pub inside: Rate,
    /// What most of the rise has in common.
    pub cause: Vec<(Key, Value)>,
    /// How much of the rise that is, in thousandths.
    pub share: u64,
}

/// A user who is refused again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who and what: verb and resource are the commonest.
    pub requests: Dominant,
    /// How many resources it asks for.
    pub resources: usize,
    /// When, or if that is long, the stretch that holds nine tenths of them.
    pub stretch: Stretch,
    /// How many are in it.
    pub inside: u64,
    /// Other users who are refused.
    pub others: usize,
}

/// One user who writes one object over and over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotLoop {
    /// Who.
    pub user: Value,
    /// The verb.
    pub verb: Value,
    /// The resource.
    pub resource: Value,
    /// The namespace.
    pub namespace: Value,
    /// The object's name, with the subresource behind a slash.
    pub name: Vec<u8>,
    /// How often.
    pub count: u64,
    /// First and last time.
    pub times: (Timestamp, Timestamp),
}

/// Requests the server could not serve, or would not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// Whether they were turned away (429) rather than failed (5xx).
    pub throttled: bool,
    /// How many there are.
    pub count: u64,
    /// By status code, most first.
    pub codes: Vec<(Vec<u8>, u64)>,
    /// When, or if that is long, the stretch that holds nine tenths of them.
    pub stretch: Stretch,
    /// How many are in it.
    pub inside: u64,
    /// All requests in it.
    pub all: u64,
    /// Who made most of them, and how many that are.
    pub user: (Value, u64),
}

/// What stands out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incidents {
    /// The largest rise of load.
    pub spike: Option<Spike>,
    /// The user who is refused most.
    pub refused: Option<Refused>,
    /// The object that is written most often by one user.
    pub hot_loop: Option<HotLoop>,
    /// Failures, then refusals for lack of capacity.
    pub failures: Vec<Failures>,
}

/// A group with its values.
pub(super) type Group = (Vec<Value>, Lane);

/// Counts by period.
type Series = BTreeMap<i64, u64>;

const SECOND: i64 = 1_000_000_000;

/// Load is looked at in so many steps.
const STEPS: i64 = 240;
/// In fewer steps nothing rises that was not always there.
const FEWEST_STEPS: i64 = 8;
/// Outside of a rise there are requests in one of so many steps, or nothing is known of what is usual.
const BUSY: usize = 10;
/// A rise adds so many requests at least, or it may be chance.
const RISE: u64 = 50;
/// So many times the load outside is a rise.
const TIMES: u64 = 3;
/// A storm is so many refusals at least, …
const REFUSALS: u64 = 20;
/// … and one in so many nanoseconds: what is refused now and then is no storm.
const REFUSAL_EVERY: i64 = 10 * SECOND;
/// A loop is so many writes of one object, …
const WRITES: u64 = 20;
/// … one in so many nanoseconds.
const WRITE_EVERY: i64 = 10 * SECOND;
/// So many requests that fail are worth telling, …
const FAILED: u64 = 10;
/// … if they are so large a part of the requests of their time, in percent.
const FAILED_PERCENT: u64 = 2;

/// What stands out of these groups, whose periods are so long.
pub(super) fn incidents(groups: &[Group], width: i64) -> Incidents {
    let all = series(groups.iter());
    let failing = |code: &[u8]| code.len() == 3 && code.first() == Some(&b'5');
    let failures =
        [failures(groups, &all, width, false, failing), failures(groups, &all, width, true, |c| c == b"429")];
    Incidents {
        spike: spike(groups, &all, width),
        refused: refused(groups, width),
        hot_loop: hot_loop(groups),
        failures: failures.into_iter().flatten().collect(),
    }
}

/// The value of a ranked key.
fn value((values, _): &Group, key: Key) -> Option<&[u8]> {
    let at = RANKED.iter().position(|ranked| *ranked == key)?;
    values.get(at)?.as_deref()
}

fn series<'g>(groups: impl Iterator<Item = &'g Group>) -> Series {
    let mut series = Series::new();
    for &(period, count) in groups.flat_map(|(_, lane)| &lane.periods).filter(|(_, count)| *count > 0) {
        *series.entry(period).or_default() += count;
    }
    series
}

fn between(series: &Series, stretch: Stretch, width: i64) -> u64 {
    series.range(stretch.since.0.div_euclid(width)..stretch.until.0.div_euclid(width)).map(|(_, count)| count).sum()
}

/// All the time of what is counted; if that is much longer, the shortest stretch that holds nine tenths of it.
fn stretch_of(series: &Series, width: i64) -> Option<Stretch> {
    let stretch = |(first, last)| Stretch { since: Timestamp(first * width), until: Timestamp((last + 1) * width) };
    let whole = stretch((*series.keys().next()?, *series.keys().next_back()?));
    let dense = stretch(densest(series)?);
    Some(if whole.length() / 3 > dense.length() / 2 { dense } else { whole })
}

/// The first and last period of the shortest stretch that holds nine tenths of what is counted.
fn densest(series: &Series) -> Option<(i64, i64)> {
    let counts: Vec<(i64, u64)> = series.iter().map(|(&period, &count)| (period, count)).collect();
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    let (mut start, mut inside, mut best) = (0, 0, None::<(i64, i64)>);
    for &(last, count) in &counts {
        inside += count;
        while let Some(&(_, leaving)) = counts.get(start)
            && (inside - leaving) * 10 >= total * 9
        {
            inside -= leaving;
            start += 1;
        }
        let first = counts.get(start)?.0;
        if inside * 10 >= total * 9 && best.is_none_or(|(from, to)| last - first < to - from) {
            best = Some((first, last));
        }
    }
    best
}

/// The largest rise of load, if there is one.
fn spike(groups: &[Group], all: &Series, width: i64) -> Option<Spike> {
    let (&first, &last) = (all.keys().next()?, all.keys().next_back()?);
    let periods = last - first + 1;
    let step = (periods - 1) / STEPS + 1;
    let mut steps = vec![0u64; ((periods - 1) / step + 1) as usize];
    all.iter().for_each(|(period, count)| steps[((period - first) / step) as usize] += count);
    if (steps.len() as i64) < FEWEST_STEPS {
        return None;
    }
    let (from, to) = rising(&mut steps)?;
    let (since, until) = (first + from as i64 * step, (first + (to as i64 + 1) * step).min(last + 1));
    let (since, until) = core(all, since, until)?;
    let stretch = Stretch { since: Timestamp(since * width), until: Timestamp(until * width) };
    let inside = Rate { count: between(all, stretch, width), length: stretch.length() };
    let total: u64 = all.values().sum();
    let outside = Rate { count: total - inside.count, length: periods * width - stretch.length() };
    let rise = excess(inside.count, outside.count, inside.length, outside.length);
    let steep = u128::from(inside.count) * outside.length.max(0) as u128
        >= u128::from(outside.count) * u128::from(TIMES) * inside.length as u128;
    // What lasts for most of the log is how things are, and what adds little explains nothing.
    if outside.length < inside.length || !steep || rise < RISE as i64 || rise * 50 < total as i64 {
        return None;
    }
    let (cause, share) = cause(groups, stretch, width, (rise, outside.length));
    Some(Spike { stretch, outside, inside, cause, share })
}

/// The highest stretch of steps, if what is outside of it tells that it rose: it does not begin with the log, there
/// are requests all the time, and no other stretch is as high.
fn rising(steps: &mut [u64]) -> Option<(usize, usize)> {
    let total = steps.iter().sum();
    let (from, to, height) = peak(steps, total);
    let all = steps.len();
    steps.get_mut(from..=to)?.fill(0);
    let busy = steps.iter().filter(|count| **count > 0).count();
    let (.., other) = peak(steps, total);
    (from > 0 && busy * BUSY >= all - (to + 1 - from) && other * 4 < height * 3).then_some((from, to))
}

/// The stretch of steps that has the most above one and a half times the average, and how much that is: what such a
/// stretch adds counts, not how high it is at one moment.
fn peak(steps: &[u64], total: u64) -> (usize, usize, i128) {
    let bar = 3 * i128::from(total);
    let above = |count: u64| i128::from(count) * 2 * steps.len() as i128 - bar;
    let (mut best, mut found, mut sum, mut start) = (0, (0, 0), 0, 0);
    for (at, &count) in steps.iter().enumerate() {
        if sum <= 0 {
            (sum, start) = (0, at);
        }
        sum += above(count);
        if sum > best {
            (best, found) = (sum, (start, at));
        }
    }
    (found.0, found.1, best)
}

/// The part of a stretch in which more than half of its own rate is: steps are longer than what rises may be.
fn core(all: &Series, since: i64, until: i64) -> Option<(i64, i64)> {
    let (length, total) = (i128::from(until - since), i128::from(all.range(since..until).map(|(_, n)| n).sum::<u64>()));
    let (mut best, mut found, mut sum, mut start, mut next) = (0, None, 0, since, since);
    for (&at, &count) in all.range(since..until) {
        sum -= total * i128::from(at - next);
        if sum <= 0 {
            (sum, start) = (0, at);
        }
        sum += i128::from(count) * 2 * length - total;
        next = at + 1;
        if sum > best {
            (best, found) = (sum, Some((start, next)));
        }
    }
    found
}

/// How many more there are inside than there would be at the rate outside.
fn excess(inside: u64, outside: u64, length: i64, other: i64) -> i64 {
    let usual = i128::from(outside) * i128::from(length) / i128::from(other.max(1));
    i64::try_from(i128::from(inside) - usual).unwrap_or(i64::MAX)
}

/// What most of a rise has in common, and its part of it in thousandths: the user if one stands out,
/// then what else does among what is left.
fn cause(groups: &[Group], stretch: Stretch, width: i64, (rise, other): (i64, i64)) -> (Vec<(Key, Value)>, u64) {
    let range = stretch.since.0.div_euclid(width)..stretch.until.0.div_euclid(width);
    let counted: Vec<(&Group, u64, u64)> = groups
        .iter()
        .map(|group| {
            let inside = group.1.periods.iter().filter(|(period, _)| range.contains(period)).map(|(_, n)| n).sum();
            let all: u64 = group.1.periods.iter().map(|(_, count)| count).sum();
            (group, inside, all - inside)
        })
        .collect();
    let (mut cause, mut part): (Vec<(Key, Value)>, i64) = (Vec::new(), rise);
    for (key, least) in [(Key::User, 30), (Key::Verb, 60), (Key::Resource, 60), (Key::Code, 60)] {
        let mut sums: BTreeMap<Option<&[u8]>, (u64, u64)> = BTreeMap::new();
        let fits = |group: &Group| cause.iter().all(|(key, wanted)| value(group, *key) == wanted.as_deref());
        for (group, inside, outside) in counted.iter().filter(|(group, ..)| fits(group)) {
            let sum = sums.entry(value(group, key)).or_default();
            *sum = (sum.0 + inside, sum.1 + outside);
        }
        let risen = sums.into_iter().map(|(value, (inside, outside))| {
            (excess(inside, outside, stretch.length(), other), value.map(<[u8]>::to_vec))
        });
        let top = risen.reduce(|best, next| if next.0 > best.0 { next } else { best });
        if let Some((more, value)) = top.filter(|(more, _)| more * 100 >= part * least) {
            cause.push((key, value));
            part = more.min(part);
        }
    }
    let share = if cause.is_empty() { 0 } else { (part * 1000 / rise.max(1)).clamp(0, 1000) as u64 };
    (cause, share)
}

/// The user with the most refusals, if they come as a storm.
fn refused(groups: &[Group], width: i64) -> Option<Refused> {
    let mut users: BTreeMap<Option<&[u8]>, Vec<&Group>> = BTreeMap::new();
    for group in groups.iter().filter(|group| value(group, Key::Code) == Some(b"403")) {
        users.entry(value(group, Key::User)).or_default().push(group);
    }
    let count = |groups: &[&Group]| groups.iter().map(|(_, lane)| lane.count).sum::<u64>();
    let (user, theirs) = users.iter().max_by_key(|(user, groups)| (count(groups), Reverse(**user)))?;
    let requests = count(theirs);
    let times = series(theirs.iter().copied());
    let stretch = stretch_of(&times, width)?;
    let inside = between(&times, stretch, width);
    if requests < REFUSALS || stretch.length() / REFUSAL_EVERY > inside as i64 {
        return None;
    }
    let top = |key| commonest(theirs, key);
    let resources: BTreeSet<Option<&[u8]>> = theirs.iter().map(|group| value(group, Key::Resource)).collect();
    let user = user.map(<[u8]>::to_vec);
    let code = Some((b"403".to_vec(), requests));
    let requests = Dominant { user, requests, verb: top(Key::Verb), resource: top(Key::Resource), code };
    Some(Refused { requests, resources: resources.len(), stretch, inside, others: users.len() - 1 })
}

/// The commonest value of a key, absence aside.
fn commonest(groups: &[&Group], key: Key) -> Option<(Vec<u8>, u64)> {
    let mut counts: BTreeMap<&[u8], u64> = BTreeMap::new();
    for group in groups {
        if let Some(value) = value(group, key) {
            *counts.entry(value).or_default() += group.1.count;
        }
    }
    let top = counts.into_iter().max_by_key(|(value, count)| (*count, Reverse(*value)))?;
    Some((top.0.to_vec(), top.1))
}

/// The object written most often by one user, if that is often.
fn hot_loop(groups: &[Group]) -> Option<HotLoop> {
    type Target<'g> = ([Option<&'g [u8]>; 4], &'g [u8]);
    let mut written: BTreeMap<Target<'_>, super::lanes::Object> = BTreeMap::new();
    for group in groups {
        let keys = [Key::User, Key::Verb, Key::Resource, Key::Namespace].map(|key| value(group, key));
        for object in group.1.objects() {
            let empty = || super::lanes::Object { name: object.name.clone(), count: 0, times: None };
            let sum = written.entry((keys, &object.name)).or_insert_with(empty);
            sum.count += object.count;
            sum.widen(object.times);
        }
    }
    let often = |object: &super::lanes::Object| {
        let length = object.times.map_or(0, |(first, last)| last.0.saturating_sub(first.0));
        object.count >= WRITES && length / WRITE_EVERY < object.count as i64
    };
    let (([user, verb, resource, namespace], _), object) = written
        .into_iter()
        .filter(|(_, object)| often(object))
        .reduce(|best, next| if next.1.count > best.1.count { next } else { best })?;
    let [user, verb, resource, namespace] = [user, verb, resource, namespace].map(|v| v.map(<[u8]>::to_vec));
    Some(HotLoop { user, verb, resource, namespace, name: object.name, count: object.count, times: object.times? })
}

/// Requests with such codes, if they are a good part of the requests of their time.
fn failures(
    groups: &[Group],
    all: &Series,
    width: i64,
    throttled: bool,
    is_meant: impl Fn(&[u8]) -> bool,
) -> Option<Failures> {
    let failed: Vec<&Group> = groups.iter().filter(|group| value(group, Key::Code).is_some_and(&is_meant)).collect();
    let times = series(failed.iter().copied());
    let stretch = stretch_of(&times, width)?;
    let (inside, around) = (between(&times, stretch, width), between(all, stretch, width));
    let count = failed.iter().map(|(_, lane)| lane.count).sum();
    if count < FAILED || inside * 100 < around * FAILED_PERCENT {
        return None;
    }
    let (mut codes, mut users) = (BTreeMap::<&[u8], u64>::new(), BTreeMap::<Option<&[u8]>, u64>::new());
    for group in &failed {
        *codes.entry(value(group, Key::Code).unwrap_or_default()).or_default() += group.1.count;
        *users.entry(value(group, Key::User)).or_default() += group.1.count;
    }
    let mut codes: Vec<(Vec<u8>, u64)> = codes.into_iter().map(|(code, count)| (code.to_vec(), count)).collect();
    codes.sort_by_key(|(code, count)| (Reverse(*count), code.clone()));
    let (user, made) = users.into_iter().max_by_key(|(user, count)| (*count, Reverse(*user)))?;
    let user = (user.map(<[u8]>::to_vec), made);
    Some(Failures { throttled, count, codes, stretch, inside, all: around, user })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group: user, verb, resource, code, and how many requests in each second from `start` on.
    fn group(what: &str, start: i64, counts: &[u64]) -> Group {
        let words: Vec<Value> = what.split(' ').map(|word| Some(word.as_bytes().to_vec())).collect();
        let [user, verb, resource, code] = words.try_into().unwrap();
        let values = vec![user, verb, resource, None, code, None, None];
        let periods = (start..).zip(counts.iter().copied()).filter(|(_, count)| *count > 0).collect();
        (values, Lane::of(periods))
    }

    #[test]
    fn a_rise_is_told_with_its_cause() {
        let groups = [
            group("node update leases 200", 0, &[20; 100]),
            group("metrics list pods 200", 0, &[1; 40]),
            group("metrics list pods 403", 40, &[200; 20]),
            group("alice get pods 200", 45, &[15; 10]),
        ];
        let found = incidents(&groups, SECOND);
        let spike = found.spike.unwrap();
        assert_eq!(spike.stretch, Stretch { since: Timestamp(40 * SECOND), until: Timestamp(60 * SECOND) });
        let words: Vec<String> =
            spike.cause.iter().map(|(_, value)| String::from_utf8(value.clone().unwrap()).unwrap()).collect();
        assert_eq!((words.join(" ").as_str(), spike.share), ("metrics list pods 403", 963));
        let refused = found.refused.unwrap();
        assert_eq!((refused.requests.requests, refused.others), (4000, 0));
        assert_eq!(refused.stretch.length(), 20 * SECOND);
    }

    #[test]
    fn what_is_always_so_is_no_rise() {
        assert_eq!(incidents(&[group("a list pods 200", 0, &[100; 100])], SECOND), Incidents::default());
        assert_eq!(incidents(&[group("a list pods 200", 0, &[9, 1, 1, 1, 1, 1, 1, 1, 1])], SECOND).spike, None);
        assert_eq!(incidents(&[], SECOND), Incidents::default());
    }

    #[test]
    fn bursts_and_beginnings_are_no_rise() {
        let burst = |start| group("cron list pods 200", start, &[10; 6]);
        let hourly: Vec<Group> = (0..10).map(|hour| burst(hour * 3600)).collect();
        assert_eq!(incidents(&hourly, SECOND).spike, None);
        let late = [group("u get pods 200", 0, &[1; 600]), group("u get pods 200", 30 * 86_400, &[1])];
        assert_eq!(incidents(&late, SECOND).spike, None);
        let base = || group("node update leases 200", 0, &[2; 300]);
        let storm = |start| group("m list pods 403", start, &[50; 20]);
        assert_eq!(incidents(&[base(), storm(0)], SECOND).spike, None, "how it was before is not known");
        assert_eq!(incidents(&[base(), storm(40), storm(200)], SECOND).spike, None, "twice alike");
        assert!(incidents(&[base(), storm(40)], SECOND).spike.is_some());
    }

    #[test]
    fn a_rise_is_as_long_as_it_is() {
        let base: Vec<u64> = (0..7200).map(|second| u64::from(second % 7 == 0)).collect();
        let groups = [group("node update leases 200", 0, &base), group("m list pods 403", 3605, &[100; 10])];
        let stretch = incidents(&groups, SECOND).spike.unwrap().stretch;
        assert_eq!(stretch, Stretch { since: Timestamp(3605 * SECOND), until: Timestamp(3615 * SECOND) });
    }

    #[test]
    fn failures_are_told_with_their_share() {
        let groups = [
            group("a list pods 200", 0, &[10; 60]),
            group("a list pods 503", 20, &[5; 10]),
            group("b create pods 429", 20, &[2; 4]),
        ];
        let found = incidents(&groups, SECOND).failures;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].count, found[0].inside, found[0].all), (50, 50, 158));
        assert_eq!(found[0].codes, [(b"503".to_vec(), 50)]);
    }
}
