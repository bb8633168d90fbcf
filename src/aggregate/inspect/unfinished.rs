//! Requests whose end is not in the log, by what they are about to do.

use super::capped::{Capped, Examples, Kept, Sum};
use crate::event::{Event, Timestamp};

/// Requests of one kind that did not end.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// How many.
    pub count: u64,
    /// Whether they last by nature.
    pub long_running: bool,
    /// When the oldest arrived, and its audit id.
    pub oldest: Option<(Timestamp, Box<[u8]>)>,
    /// Some of them.
    pub examples: Examples,
}

impl Open {
    /// Counts one.
    pub fn observe(&mut self, event: &Event<'_>, id: &[u8]) {
        self.count += 1;
        self.long_running |= event.is_long_running();
        self.examples.observe(id);
        if let Some(start) = event.start() {
            let id = id.get(..256).unwrap_or(id);
            let mine = (start, Box::from(id));
            self.oldest = [self.oldest.take(), Some(mine)].into_iter().flatten().min();
        }
    }
}

impl Sum for Open {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.long_running |= other.long_running;
        self.oldest = [self.oldest.take(), other.oldest].into_iter().flatten().min();
        self.examples.add(other.examples);
    }
}

/// So many kinds are told apart.
pub const LIMIT: usize = 64;

/// What the request does, in one word, and the last stage that was seen. Exec and the like have verb
/// `create` or `get`, which says nothing.
pub fn kind(event: &Event<'_>, out: &mut Vec<u8>) {
    out.clear();
    let subresource = event.object_ref.and_then(|object| object.subresource);
    let connects = event.is_long_running() && event.verb.is_none_or(|verb| verb.raw() != b"watch");
    if let Some(word) = subresource.filter(|_| connects).or(event.verb) {
        out.extend_from_slice(&word.decode());
    }
    out.push(0);
    out.extend_from_slice(&event.stage.text().decode());
}

/// One row of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRow {
    /// The verb, or what is connected to.
    pub verb: String,
    /// The last stage seen.
    pub stage: String,
    /// How many.
    pub count: u64,
    /// Whether they last by nature, so that most may simply be running.
    pub long_running: bool,
    /// When the oldest arrived, and its audit id.
    pub oldest: Option<(Timestamp, String)>,
    /// Audit ids of some.
    pub examples: Vec<String>,
}

/// The rows: long-running requests first, then most first.
pub fn rows(open: Capped<Open>) -> Vec<OpenRow> {
    let Kept { entries, rest } = open.finish();
    let rest = rest.map(|rest| (Box::from(&b"others\0"[..]), rest));
    let mut rows: Vec<OpenRow> = entries.into_iter().chain(rest).map(|(name, open)| row(&name, open)).collect();
    rows.sort_by(|a, b| {
        (b.long_running, b.count, &a.verb, &a.stage).cmp(&(a.long_running, a.count, &b.verb, &b.stage))
    });
    rows
}

fn row(name: &[u8], open: Open) -> OpenRow {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut parts = name.splitn(2, |&byte| byte == 0);
    OpenRow {
        verb: text(parts.next().unwrap_or_default()),
        stage: text(parts.next().unwrap_or_default()),
        count: open.count,
        long_running: open.long_running,
        oldest: open.oldest.map(|(start, id)| (start, text(&id))),
        examples: open.examples.ids(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Format, ObjectReference, Stage, Text};

    #[test]
    fn long_running_ones_come_first() {
        let mut open: Capped<Open> = Capped::new(LIMIT);
        let mut name = Vec::new();
        let mut add = |verb: &'static str, sub: Option<&'static str>, second: i64, id: &str| {
            let mut event = Event::empty(b"", Format::V1);
            event.stage = Stage::RequestReceived;
            event.verb = Some(Text::from(verb));
            event.request_received = Timestamp::from_unix(second);
            event.object_ref = Some(ObjectReference { subresource: sub.map(Text::from), ..ObjectReference::default() });
            kind(&event, &mut name);
            let place = open.place(&name);
            open.get_mut(place).unwrap().observe(&event, id.as_bytes());
        };
        add("get", None, 30, "a");
        add("get", None, 20, "b");
        add("get", Some("exec"), 40, "c");
        let rows = rows(open);
        let shown: Vec<_> = rows.iter().map(|row| (row.verb.as_str(), row.count, row.long_running)).collect();
        assert_eq!(shown, [("exec", 1, true), ("get", 2, false)]);
        assert_eq!(rows[1].oldest, Some((Timestamp::from_unix(20).unwrap(), "b".to_owned())));
        assert_eq!(rows[1].stage, "RequestReceived");
    }
}
