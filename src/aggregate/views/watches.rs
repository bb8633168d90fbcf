//! Watches: how many, how long they last, and whether they end before the client asked for it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Names, Values, quantile, span_of};
use crate::aggregate::Seen;
use crate::aggregate::key::Key;
use crate::event::{Stage, Timestamp};

/// What watches are grouped by unless told otherwise.
pub const KEYS: [Key; 2] = [Key::Resource, Key::User];

const SECOND_US: u64 = 1_000_000;

/// A watch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Watch {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    /// How long it lasted, if it has ended and the log tells.
    lasted_us: Option<u64>,
    open: bool,
    /// `timeoutSeconds` of its URI.
    asked_s: Option<u64>,
    code: Option<i32>,
}

impl Watch {
    /// Whether it ended well, yet before its time: by more than a second and a twentieth of what was asked.
    fn ended_early(&self) -> bool {
        let (Some(lasted), Some(asked)) = (self.lasted_us, self.asked_s) else { return false };
        let asked = asked.saturating_mul(SECOND_US);
        self.code.is_none_or(|code| code < 400) && lasted.saturating_add(SECOND_US.max(asked / 20)) < asked
    }
}

/// Picks watches.
pub fn pick(seen: &Seen<'_, '_>, _: &mut Names) -> Option<Watch> {
    let event = seen.event;
    event.verb.filter(|verb| verb.raw() == b"watch")?;
    let ended = matches!(event.stage, Stage::ResponseComplete | Stage::Panic);
    let asked = event.parameter("timeoutSeconds");
    Some(Watch {
        start: event.start(),
        end: event.time(),
        lasted_us: event.latency_ns().filter(|_| ended).map(|ns| ns as u64 / 1000),
        open: !ended,
        asked_s: asked.and_then(|text| text.parse().ok()),
        code: event.code(),
    })
}

/// Watches of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRow {
    /// Its key values.
    pub values: Values,
    /// How many.
    pub watches: u64,
    /// How many have not ended.
    pub open: u64,
    /// How many ended before the time their client asked for.
    pub early: u64,
    /// How many asked for a time.
    pub asking: u64,
    /// What half of them asked for no more than, in seconds.
    pub asked_s: Option<u64>,
    /// How long those that ended lasted.
    pub lasted: Option<Lasted>,
    /// How they were answered.
    pub codes: BTreeMap<i32, u64>,
    /// When the first began.
    pub first: Option<Timestamp>,
    /// The last event of any.
    pub last: Option<Timestamp>,
}

/// How long watches lasted, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Lasted {
    /// The shortest.
    pub min: u64,
    /// Half lasted no longer.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// The longest.
    pub max: u64,
}

/// Watches by group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchesAnswer {
    /// All watches that match.
    pub watches: u64,
    /// From the first to the last event of any, in nanoseconds: what rates are over.
    pub span_ns: i64,
    /// Most watches first.
    pub rows: Vec<WatchRow>,
}

/// The answer; with periods of `period` nanoseconds rates are over one of them.
pub fn finish(groups: Vec<(Values, Vec<Watch>)>, period: Option<i64>) -> WatchesAnswer {
    let times = groups.iter().flat_map(|(_, watches)| watches).flat_map(|watch| [watch.start, watch.end]);
    let span_ns = period.unwrap_or_else(|| span_of(times.flatten()));
    let mut rows: Vec<WatchRow> = groups.into_iter().map(|(values, watches)| row(values, &watches)).collect();
    rows.sort_by_cached_key(|row| (Reverse(row.watches), row.values.clone()));
    WatchesAnswer { watches: rows.iter().map(|row| row.watches).sum(), span_ns, rows }
}

fn row(values: Values, watches: &[Watch]) -> WatchRow {
    let count = |is: fn(&Watch) -> bool| watches.iter().filter(|watch| is(watch)).count() as u64;
    let mut codes = BTreeMap::new();
    watches.iter().filter_map(|watch| watch.code).for_each(|code| *codes.entry(code).or_default() += 1);
    let mut asked: Vec<u64> = watches.iter().filter_map(|watch| watch.asked_s).collect();
    asked.sort_unstable();
    let mut lasted: Vec<u64> = watches.iter().filter_map(|watch| watch.lasted_us).collect();
    lasted.sort_unstable();
    let at = |percent| quantile(&lasted, percent).unwrap_or(0);
    WatchRow {
        values,
        watches: watches.len() as u64,
        open: count(|watch| watch.open),
        early: count(Watch::ended_early),
        asking: asked.len() as u64,
        asked_s: quantile(&asked, 50),
        lasted: lasted.first().map(|&min| Lasted { min, p50: at(50), p90: at(90), max: at(100) }),
        codes,
        first: watches.iter().filter_map(|watch| watch.start).min(),
        last: watches.iter().filter_map(|watch| watch.end).max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(lasted_s: u64, asked_s: Option<u64>, code: i32) -> Watch {
        let (start, end) = (Some(Timestamp(0)), Some(Timestamp(lasted_s as i64 * 1_000_000_000)));
        Watch { start, end, lasted_us: Some(lasted_s * SECOND_US), open: false, asked_s, code: Some(code) }
    }

    #[test]
    fn only_watches_that_asked_for_more_end_early() {
        let cases = [
            (watch(300, Some(300), 200), false),
            (watch(290, Some(300), 200), false),
            (watch(280, Some(300), 200), true),
            (watch(0, Some(1), 200), false),
            (watch(5, None, 200), false),
            (watch(0, Some(300), 410), false),
        ];
        for (watch, early) in cases {
            assert_eq!(watch.ended_early(), early, "{watch:?}");
        }
    }

    #[test]
    fn durations_are_of_those_that_ended() {
        let mut open = watch(0, Some(400), 200);
        (open.open, open.lasted_us) = (true, None);
        let answer = finish(vec![(vec![], vec![watch(10, None, 200), watch(20, Some(300), 200), open])], None);
        let row = &answer.rows[0];
        assert_eq!((row.watches, row.open, row.early, row.asking, row.asked_s), (3, 1, 1, 2, Some(300)));
        assert_eq!(row.lasted.map(|lasted| (lasted.min, lasted.max)), Some((10 * SECOND_US, 20 * SECOND_US)));
        assert_eq!(answer.span_ns, 20_000_000_000);
    }
}
