//! Objects that are written most: by whom, how often, and which writes change nothing.
//!
//! A write that changes nothing leaves the object's resource version as it was. Response bodies tell that
//! directly. Without them updates do, for they carry the version they replace: if a later update still
//! replaced the same version, the one before it had changed nothing.
//!
//! Every write is kept, at some 60 bytes, for alternation and gaps need their order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use super::{Names, Values, gaps, median};
use crate::aggregate::Seen;
use crate::event::{Event, RawJson, Text, Timestamp};

/// An object must be written so often to be told of, unless told otherwise.
pub const LEAST: u64 = 2;

/// Each of two writers must write so often before taking turns is telling.
const TURNS: usize = 3;

/// A write to an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Write {
    time: Option<Timestamp>,
    code: Option<i32>,
    /// The version an update replaces; 0 is none.
    replaces: u64,
    /// The version of the object afterwards; 0 is not recorded.
    becomes: u64,
    /// The patch is recorded, and empty.
    empty: bool,
}

impl Write {
    /// Turned away before anybody looked at the object: not authenticated, not allowed, or at a bad time.
    fn is_refused(&self) -> bool {
        matches!(self.code, Some(401 | 403 | 429))
    }

    fn succeeded(&self) -> bool {
        self.code.is_some_and(|code| (200..300).contains(&code))
    }
}

/// Subresources that are asked to do something, and written no more than the object is.
pub const ACTIONS: [&[u8]; 8] =
    [b"token", b"eviction", b"binding", b"exec", b"attach", b"portforward", b"proxy", b"log"];

/// Picks writes to objects that have a name. Leases and events, which are written all the time by design, are
/// only looked at with `all`.
pub fn pick(all: bool, seen: &Seen<'_, '_>, names: &mut Names) -> Option<Write> {
    let event = seen.event;
    let verb = event.verb?;
    if !matches!(verb.raw(), b"create" | b"update" | b"patch" | b"apply") || event.is_long_running() {
        return None;
    }
    let object = event.object_ref?;
    let (resource, name) = (object.resource?, object.name.filter(|name| !name.is_empty())?);
    if !all && matches!(resource.raw(), b"leases" | b"events") {
        return None;
    }
    if object.subresource.is_some_and(|sub| ACTIONS.contains(&sub.raw())) {
        return None;
    }
    names.push(object.namespace);
    names.push(object.api_group);
    names.push(Some(resource));
    names.push(Some(name));
    names.push(object.subresource);
    names.push(event.user.username);
    names.push(Some(Text::from(manager(event).as_str())));
    Some(Write {
        time: event.time(),
        code: event.code(),
        replaces: object.resource_version.filter(|_| verb.raw() == b"update").and_then(number).unwrap_or(0),
        becomes: version_after(event).unwrap_or(0),
        empty: verb.raw() == b"patch" && event.request_object.is_some_and(is_empty),
    })
}

/// The field manager: as the request names it, else as the server does, by what stands before the first slash
/// of the user agent.
fn manager(event: &Event<'_>) -> String {
    let named = event.parameter("fieldManager");
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        let agent = event.user_agent.map(Text::to_str_lossy).unwrap_or_default();
        agent.split('/').next().unwrap_or_default().to_owned()
    })
}

fn number(text: Text<'_>) -> Option<u64> {
    std::str::from_utf8(text.raw()).ok()?.parse().ok()
}

fn version_after(event: &Event<'_>) -> Option<u64> {
    // The first of that name: looking for another one would mean to read all of the body.
    let (_, metadata) = event.response_object?.members().find(|(key, _)| key.raw() == b"metadata")?;
    let (_, version) = metadata.members().find(|(key, _)| key.raw() == b"resourceVersion")?;
    number(version.as_text()?)
}

fn is_empty(patch: RawJson<'_>) -> bool {
    let mut rest = patch.0.iter().filter(|byte| !byte.is_ascii_whitespace());
    let pair = (rest.next(), rest.next());
    matches!(pair, (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
}

/// Who writes an object: a user with a field manager.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Writer {
    /// The user.
    pub user: Option<String>,
    /// The field manager.
    pub manager: Option<String>,
    /// Its writes, those that failed included.
    pub writes: u64,
    /// Its writes that met another one (409).
    pub conflicts: u64,
    /// Its writes that are known to have changed nothing.
    pub unchanged: u64,
}

/// Two writers that take turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turns {
    /// Places among the object's writers.
    pub between: (usize, usize),
    /// How often the other one came next.
    pub turns: u64,
    /// Of so many of their writes that followed one another.
    pub of: u64,
}

/// An object that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChurnRow {
    /// Its namespace.
    pub namespace: Option<String>,
    /// `deployments.apps/status`.
    pub resource: String,
    /// Its name.
    pub name: String,
    /// All writes, those that failed included and those that were refused not.
    pub writes: u64,
    /// Writes that were refused (401, 403, 429).
    pub refused: u64,
    /// The median of the times between two writes that succeeded, in nanoseconds.
    pub gap_ns: Option<i64>,
    /// Writes of which it is known whether they changed something.
    pub judged: u64,
    /// Writes that are known to have changed nothing.
    pub unchanged: u64,
    /// Writes that met another one (409).
    pub conflicts: u64,
    /// Who writes it, most writes first.
    pub writers: Vec<Writer>,
    /// Two who take turns.
    pub turns: Option<Turns>,
    /// How they were answered.
    pub codes: BTreeMap<i32, u64>,
    /// The first write.
    pub first: Option<Timestamp>,
    /// The last one.
    pub last: Option<Timestamp>,
}

impl ChurnRow {
    /// From the first to the last write, in nanoseconds.
    pub fn span_ns(&self) -> i64 {
        self.first.zip(self.last).map_or(0, |(first, last)| last.0.saturating_sub(first.0))
    }
}

/// Objects that are written most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChurnAnswer {
    /// All writes looked at.
    pub writes: u64,
    /// To so many objects.
    pub objects: u64,
    /// Most writes first.
    pub rows: Vec<ChurnRow>,
}

/// Values that name the object; those after them name the writer.
const OBJECT: usize = 5;

/// A writer's key values, and its writes.
type Writes = (Values, Vec<Write>);

/// The answer, of objects with at least so many writes.
pub fn finish(groups: Vec<Writes>, least: u64) -> ChurnAnswer {
    let mut objects: Vec<(Values, Vec<Writes>)> = Vec::new();
    // Groups come in order, so the writers of an object are neighbours.
    for (mut object, writes) in groups {
        let writer = object.split_off(OBJECT.min(object.len()));
        match objects.last_mut().filter(|(known, _)| *known == object) {
            Some((_, writers)) => writers.push((writer, writes)),
            None => objects.push((object, vec![(writer, writes)])),
        }
    }
    let all: Vec<ChurnRow> = objects.into_iter().map(|(object, writers)| row(&object, writers)).collect();
    let count = all.iter().filter(|row| row.writes > 0).count() as u64;
    let writes = all.iter().map(|row| row.writes).sum();
    let mut rows: Vec<ChurnRow> = all.into_iter().filter(|row| row.writes >= least.max(1)).collect();
    rows.sort_by_cached_key(|row| (Reverse(row.writes), row.namespace.clone(), row.resource.clone(), row.name.clone()));
    ChurnAnswer { writes, objects: count, rows }
}

fn row(object: &Values, mut by_writer: Vec<Writes>) -> ChurnRow {
    let made = |writes: &[Write]| Reverse(writes.iter().filter(|write| !write.is_refused()).count());
    by_writer.sort_by(|(a, x), (b, y)| made(x).cmp(&made(y)).then_with(|| a.cmp(b)));
    let mut writes: Vec<(Write, usize)> = by_writer
        .iter()
        .enumerate()
        .flat_map(|(at, (_, writes))| writes.iter().map(move |write| (*write, at)))
        .collect();
    writes.sort_unstable();
    let all = writes.len();
    writes.retain(|(write, _)| !write.is_refused());
    let done: Vec<(Write, usize)> = writes.iter().copied().filter(|(write, _)| write.succeeded()).collect();
    let verdicts = verdicts(&done);
    let writers = writers(&by_writer, &done, &verdicts);
    let text = |at: usize| object.get(at).cloned().flatten().map(|value| String::from_utf8_lossy(&value).into_owned());
    let mut resource = text(2).unwrap_or_default();
    [('.', text(1)), ('/', text(4))].into_iter().for_each(|(mark, part)| {
        if let Some(part) = part {
            resource.push(mark);
            resource.push_str(&part);
        }
    });
    let mut codes = BTreeMap::new();
    writes.iter().filter_map(|(write, _)| write.code).for_each(|code| *codes.entry(code).or_default() += 1);
    let times: Vec<Timestamp> = done.iter().filter_map(|(write, _)| write.time).collect();
    ChurnRow {
        namespace: text(0),
        resource,
        name: text(3).unwrap_or_default(),
        writes: writes.len() as u64,
        refused: (all - writes.len()) as u64,
        gap_ns: median(&gaps(&times)),
        judged: verdicts.iter().flatten().count() as u64,
        unchanged: verdicts.iter().filter(|verdict| **verdict == Some(false)).count() as u64,
        conflicts: codes.get(&409).copied().unwrap_or(0),
        turns: turns(&done),
        writers,
        codes,
        first: writes.iter().filter_map(|(write, _)| write.time).min(),
        last: writes.iter().filter_map(|(write, _)| write.time).max(),
    }
}

fn writers(by_writer: &[Writes], done: &[(Write, usize)], verdicts: &[Option<bool>]) -> Vec<Writer> {
    let unchanged = |at: usize| {
        done.iter().zip(verdicts).filter(|((_, writer), verdict)| *writer == at && **verdict == Some(false)).count()
    };
    let text = |values: &Values, at: usize| {
        values.get(at).cloned().flatten().map(|value| String::from_utf8_lossy(&value).into_owned())
    };
    let writer = |(at, (values, writes)): (usize, &Writes)| Writer {
        user: text(values, 0),
        manager: text(values, 1),
        writes: writes.iter().filter(|write| !write.is_refused()).count() as u64,
        conflicts: writes.iter().filter(|write| write.code == Some(409)).count() as u64,
        unchanged: unchanged(at) as u64,
    };
    by_writer.iter().enumerate().map(writer).collect()
}

/// Whether each write changed the object, where that is known.
fn verdicts(done: &[(Write, usize)]) -> Vec<Option<bool>> {
    let mut replaced_later = HashSet::new();
    let mut verdicts: Vec<Option<bool>> = done
        .iter()
        .rev()
        .map(|(write, _)| {
            if write.replaces == 0 {
                return None;
            }
            let known = !replaced_later.is_empty();
            // Once a later update is known to have replaced a version, that version was there before it.
            let again = !replaced_later.insert(write.replaces);
            known.then_some(!again)
        })
        .collect();
    verdicts.reverse();
    let mut before = 0;
    for ((write, _), verdict) in done.iter().zip(&mut verdicts) {
        if write.empty || write.becomes != 0 && (write.becomes == write.replaces || write.becomes == before) {
            *verdict = Some(false);
        } else if write.becomes != 0 {
            *verdict = Some(true);
        }
        if write.becomes != 0 {
            before = write.becomes;
        }
    }
    verdicts
}

/// Whether the two who write most take turns: both write three times or more, and after every second of their
/// writes at least the other one comes.
fn turns(done: &[(Write, usize)]) -> Option<Turns> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    done.iter().for_each(|(_, writer)| *counts.entry(*writer).or_default() += 1);
    let mut most: Vec<(usize, usize)> = counts.into_iter().collect();
    most.sort_by_key(|&(writer, count)| (Reverse(count), writer));
    let [(one, _), (other, fewer), ..] = most.as_slice() else { return None };
    if *fewer < TURNS {
        return None;
    }
    let order: Vec<usize> =
        done.iter().map(|(_, writer)| *writer).filter(|writer| writer == one || writer == other).collect();
    let turns = order.iter().zip(order.iter().skip(1)).filter(|(a, b)| a != b).count();
    let of = order.len() - 1;
    (turns * 2 >= of).then_some(Turns { between: (*one, *other), turns: turns as u64, of: of as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(second: i64, replaces: u64, becomes: u64) -> Write {
        let time = Some(Timestamp(second * 1_000_000_000));
        Write { time, code: Some(200), replaces, becomes, empty: false }
    }

    #[test]
    fn bodies_tell_which_writes_change_nothing() {
        let done = [write(1, 0, 10), write(2, 0, 10), write(3, 10, 10), write(4, 10, 11), write(5, 0, 12)];
        let verdicts = verdicts(&done.map(|write| (write, 0)));
        assert_eq!(verdicts, [Some(true), Some(false), Some(false), Some(true), Some(true)]);
    }

    #[test]
    fn without_bodies_a_version_replaced_twice_tells() {
        let done = [write(1, 5, 0), write(2, 5, 0), write(3, 6, 0), write(4, 0, 0), write(5, 7, 0)];
        let verdicts = verdicts(&done.map(|write| (write, 0)));
        assert_eq!(verdicts, [Some(false), Some(true), Some(true), None, None]);
    }

    #[test]
    fn empty_patches_change_nothing() {
        for (patch, empty) in [("{}", true), (" [ ] ", true), ("{\"a\":1}", false), ("null", false)] {
            assert_eq!(is_empty(RawJson(patch.as_bytes())), empty, "{patch}");
        }
    }

    #[test]
    fn what_was_refused_is_no_write() {
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let group = |user: &str, codes: &[i32]| {
            let values = vec![None, None, text("pods"), text("web-1"), text("status"), text(user), text("kubectl")];
            let writes = codes.iter().zip(0..).map(|(&code, at)| Write { code: Some(code), ..write(at, 0, 0) });
            (values, writes.collect::<Vec<Write>>())
        };
        let answer = finish(vec![group("a", &[429, 429, 403, 200]), group("b", &[200, 409])], 2);
        let row = &answer.rows[0];
        assert_eq!((answer.writes, row.writes, row.refused, row.conflicts), (3, 3, 3, 1));
        assert_eq!(row.writers.iter().map(|writer| writer.writes).collect::<Vec<u64>>(), [2, 1]);
        assert!(finish(vec![group("a", &[429, 429])], 0).rows.is_empty());
    }

    #[test]
    fn who_takes_turns() {
        let of = |writers: &[usize]| {
            let done: Vec<(Write, usize)> =
                writers.iter().enumerate().map(|(at, writer)| (write(at as i64, 0, 0), *writer)).collect();
            turns(&done).map(|turns| (turns.turns, turns.of))
        };
        assert_eq!(of(&[0, 1, 0, 1, 0, 1]), Some((5, 5)));
        assert_eq!(of(&[0, 1, 2, 0, 1, 0, 1]), Some((5, 5)));
        assert_eq!(of(&[0, 0, 0, 1, 1, 1]), None);
        assert_eq!(of(&[0, 1, 0, 1]), None);
        assert_eq!(of(&[0, 0]), None);
    }
}
