//! The laws of partial answers: empty is neutral, grouping is irrelevant, any split equals the whole.

mod common;

use auditq::aggregate::evidence::{Account, Evidence, SourceAccount};
use auditq::aggregate::inspect::Inspect;
use auditq::aggregate::key::Key;
use auditq::aggregate::overview::Overview;
use auditq::aggregate::rows::{Rows, SortValue};
use auditq::aggregate::stats::{Latencies, Stats};
use auditq::aggregate::summary::Summary;
use auditq::aggregate::time_buckets::TimeBuckets;
use auditq::aggregate::views::deprecated::Deprecated;
use auditq::aggregate::views::slowest::Slowest;
use auditq::aggregate::views::trackers::Trackers;
use auditq::aggregate::views::{Pick, Picking, churn, watches};
use auditq::aggregate::{Amendment, Measure, Measured, Position, Question, Seen, Slot, SourceInfo};
use auditq::event::{Event, Timestamp};
use auditq::query::Filter;
use auditq::render::answer::Answer;
use auditq::render::sentences::sentences;
use auditq::render::views::{Grouped, Shown};
use auditq::render::{TimeZoneChoice, document, inspect};
use auditq::scan::Unit;
use bumpalo::Bump;
use common::testdata;

/// Events of several formats, as the parser gives them.
fn logs() -> Vec<Vec<u8>> {
    let names = ["json/cluster.log", "json/v1beta1.log", "legacy/oneline.log", "broken/hostile.log"];
    names.iter().map(|name| testdata(name)).collect()
}

fn events<'a>(logs: &'a [Vec<u8>], arena: &'a Bump) -> Vec<Event<'a>> {
    struct Take<'a>(Vec<Event<'a>>);
    impl<'a> auditq::parse::records::Visitor<'a> for Take<'a> {
        fn event(&mut self, event: &Event<'a>, _: &'a [u8], _: usize, _: usize) {
            self.0.push(*event);
        }
        fn request_half(&mut self, _: auditq::parse::legacy::RequestHalf<'a>, _: &'a [u8], _: usize, _: usize) {}
        fn response_half(&mut self, _: auditq::parse::legacy::ResponseHalf<'a>, _: &'a [u8], _: usize, _: usize) {}
        fn record(&mut self, _: auditq::parse::records::Bucket, _: usize, _: bool) {}
        fn lost(&mut self, _: u64) {}
        fn damage(&mut self, _: auditq::parse::records::Reason, _: usize, _: auditq::parse::records::Place) {}
    }
    let mut all = Take(Vec::new());
    for log in logs {
        let (end, mut carry) = (auditq::parse::records::RegionEnd::Source, Default::default());
        auditq::parse::records::read_region(log, end, &mut carry, arena, &mut all);
    }
    all.0
}

/// Shows a question some of the events, amends one in five, takes back one in seven and counts the others.
fn observed<Q: Question>(question: &Q, events: &[Event<'_>], from: usize) -> Q::Partial {
    let info = SourceInfo::default();
    let mut partial = question.empty();
    for (event, index) in events.iter().zip(from..) {
        let position = Position { source: index as u32 % 3, offset: index as u64 };
        let seen = Seen { event, record: event.raw, source: &info, position, bytes: event.raw.len() as u64, events: 1 };
        let slot = question.observe(&mut partial, &seen);
        if slot == Slot::NONE {
            continue;
        }
        if index % 5 == 0 {
            question.amend(&mut partial, slot, Amendment { bytes: 100, events: 2 });
        }
        let measure = Measure::of(event, Amendment { bytes: event.raw.len() as u64, events: 1 });
        if index % 7 == 0 {
            question.retract(&mut partial, slot);
        } else {
            question.count(&mut partial, &[Measured { slot, measure }]);
        }
    }
    partial
}

/// Checks the three laws for a question whose partials are compared by `show`.
fn holds<Q: Question>(question: &Q, events: &[Event<'_>], show: impl Fn(Q::Partial) -> String) {
    let part = |from: usize, to: usize| observed(question, &events[from..to], from);
    let join = |mut left: Q::Partial, right: Q::Partial| {
        question.merge(&mut left, right);
        left
    };
    let n = events.len();
    let whole = show(part(0, n));
    assert_eq!(show(join(question.empty(), part(0, n))), whole, "empty is neutral on the left");
    assert_eq!(show(join(part(0, n), question.empty())), whole, "empty is neutral on the right");
    for cut in [0, 1, 2, 7, 63, n / 3, n / 2, n - 1, n] {
        assert_eq!(show(join(part(0, cut), part(cut, n))), whole, "split at {cut}");
    }
    for (a, b) in [(1, 2), (10, 20), (n / 3, n / 2), (n / 4, n - 1)] {
        let left = join(join(part(0, a), part(a, b)), part(b, n));
        let right = join(part(0, a), join(part(a, b), part(b, n)));
        assert_eq!(show(left), whole, "grouped to the left at {a}, {b}");
        assert_eq!(show(right), whole, "grouped to the right at {a}, {b}");
        if !Q::IN_ORDER {
            let mixed = join(part(b, n), join(part(a, b), part(0, a)));
            assert_eq!(show(mixed), whole, "order is irrelevant at {a}, {b}");
        }
    }
    let singles = (0..n).map(|at| part(at, at + 1)).fold(question.empty(), join);
    assert_eq!(show(singles), whole, "one event at a time");
}

#[test]
fn views_obey_the_laws() {
    let mut logs = logs();
    logs.push(testdata("answers/load.log"));
    let arena = Bump::new();
    let events = events(&logs, &arena);
    let filter = Filter::default;
    let trackers = Trackers { filter: filter(), keys: vec![Key::Verb, Key::Resource] };
    let grouped = || Grouped { keys: vec![Key::Verb, Key::Resource], top: usize::MAX };
    holds(&trackers, &events, |partial| {
        serde_json::to_string(&Shown { answer: partial.finish(), grouped: grouped() }.members()).unwrap()
    });
    holds(&Slowest { filter: filter(), count: 9 }, &events, |partial| format!("{:?}", partial.finish(9)));
    let deprecated = Deprecated { filter: filter(), keys: vec![Key::User] };
    holds(&deprecated, &events, |partial| {
        serde_json::to_string(&Shown { answer: partial.finish(None), grouped: grouped() }.members()).unwrap()
    });
    let picking = Picking { filter: filter(), keys: vec![Key::User], pick: &watches::pick };
    holds(&picking, &events, |partial| format!("{:?}", watches::finish(partial.finish(), None)));
    let pick: &Pick<'_, churn::Write> = &|seen, names| churn::pick(true, seen, names);
    let picking = Picking { filter: filter(), keys: Vec::new(), pick };
    holds(&picking, &events, |partial| format!("{:?}", churn::finish(partial.finish(), 1)));
}

#[test]
fn laws_hold_for_summary() {
    let (logs, arena) = (logs(), Bump::new());
    let events = events(&logs, &arena);
    assert!(events.len() > 500);
    let all = [
        vec![],
        vec![Key::User],
        vec![Key::Group],
        vec![Key::Group, Key::Code],
        vec![Key::Verb, Key::Resource, Key::Namespace],
        vec![Key::Time(60_000_000_000), Key::SourceIp, Key::Decision],
    ];
    for keys in all {
        let question = Summary { filter: Filter::default(), keys: keys.clone() };
        holds(&question, &events, |partial| {
            let long_running = partial.long_running;
            let (total, groups) = partial.finish();
            let account = Account::default();
            let document = document::summary(&keys, Unit::Request, &total, long_running, &groups, &account);
            serde_json::to_string(&document).unwrap()
        });
    }
}

#[test]
fn laws_hold_for_overview() {
    let (logs, arena) = (logs(), Bump::new());
    let events = events(&logs, &arena);
    holds(&Overview { filter: Filter::default() }, &events, |partial| {
        let answer = partial.finish(60);
        let plain = sentences(Unit::Request, &answer, TimeZoneChoice::Utc);
        document::overview(Unit::Request, &answer, &plain, None, &Account::default()).to_string()
    });
}

#[test]
fn laws_hold_for_inspect() {
    let (logs, arena) = (logs(), Bump::new());
    let events = events(&logs, &arena);
    let name = |name: &str| SourceAccount { name: name.to_owned(), ..SourceAccount::default() };
    let account = Account { sources: ["one", "two", "three"].map(name).to_vec(), ..Account::default() };
    holds(&Inspect, &events, |partial| {
        let answer = partial.finish(&account, &[]);
        inspect::document(&answer, &[], &account).to_string()
    });
}

#[test]
fn laws_hold_for_rows() {
    let (logs, arena) = (logs(), Bump::new());
    let events = events(&logs, &arena);
    let key = |event: &Event<'_>| event.time().map_or(SortValue::Absent, SortValue::Time);
    let write = |seen: &Seen<'_, '_>, out: &mut Vec<u8>| {
        let id = seen.event.audit_id.map(|id| id.decode().into_owned()).unwrap_or_default();
        out.extend_from_slice(format!("{} {}\n", seen.position.offset, String::from_utf8_lossy(&id)).as_bytes());
    };
    let rows = Rows { filter: Filter::default(), write: Box::new(write), sort: Some(&key) };
    holds(&rows, &events, |partial| {
        let mut rows = Vec::new();
        let Ok(()) = partial.take_each(|position, key, text| -> Result<(), std::convert::Infallible> {
            rows.push((position, key, text.to_vec()));
            Ok(())
        });
        format!("{rows:?}")
    });
}

#[test]
fn laws_hold_for_stats() {
    let (logs, arena) = (logs(), Bump::new());
    let events = events(&logs, &arena);
    let of = |events: &[Event<'_>]| {
        let mut stats = Stats::default();
        events.iter().for_each(|event| stats.count(&Measure::of(event, Amendment { bytes: 3, events: 1 })));
        stats
    };
    let show = |stats: Stats| {
        let Stats { count, events, bytes, codes, latency, span } = stats;
        let (first, last) = (span.first(), span.last());
        format!("{count} {events} {bytes} {:?} {:?} {first:?} {last:?}", codes.sorted(), latency.summary())
    };
    let join = |mut left: Stats, right: Stats| {
        left.merge(right);
        left
    };
    let whole = show(of(&events));
    for cut in 0..=events.len() {
        let (left, right) = events.split_at(cut);
        assert_eq!(show(join(of(left), of(right))), whole, "split at {cut}");
        assert_eq!(show(join(of(right), of(left))), whole, "the other way round at {cut}");
    }
    let thirds: Vec<_> = events.chunks(events.len().div_ceil(3)).collect();
    let left = join(join(of(thirds[0]), of(thirds[1])), of(thirds[2]));
    let right = join(of(thirds[0]), join(of(thirds[1]), of(thirds[2])));
    assert_eq!(show(left), show(right));
}

#[test]
fn latencies_of_any_length_split_anywhere() {
    // Values beyond 32 bits (more than 71 minutes) are latencies too.
    let values = [0, 1, 5, 1000, 70_000_000, 4_294_967_295, 4_294_967_296, 10_000_000_000, 90_000_000_000];
    for repeats in [1, 20, 60] {
        let many: Vec<u64> = values.iter().copied().cycle().take(values.len() * repeats).collect();
        let mut whole = Latencies::default();
        many.iter().for_each(|&us| whole.record(us));
        for cut in 0..=many.len() {
            let (left, right) = many.split_at(cut);
            let (mut a, mut b) = (Latencies::default(), Latencies::default());
            left.iter().for_each(|&us| a.record(us));
            right.iter().for_each(|&us| b.record(us));
            a.merge(b);
            assert_eq!(a.summary(), whole.summary(), "{repeats} times, split at {cut}");
        }
    }
}

#[test]
fn a_median_beyond_an_hour_is_told_exactly() {
    let mut latencies = Latencies::default();
    latencies.record(90_000_000_000);
    let summary = latencies.summary().expect("one value");
    assert_eq!((summary.p50, summary.max), (90_000_000_000, 90_000_000_000), "25 hours");
}

#[test]
fn laws_hold_for_time_buckets() {
    let times: Vec<Timestamp> = (0..9_000i64)
        .map(|i| {
            Timestamp((i * 7_919_000_003 % 40_000_000_000_000) - if i % 1000 == 0 { 1_000_000_000_000 } else { 0 })
        })
        .collect();
    let of = |times: &[Timestamp]| {
        let mut buckets = TimeBuckets::default();
        times.iter().for_each(|&time| buckets.add(time));
        buckets
    };
    let whole = of(&times).finish();
    for cut in [0, 1, 4095, 4096, 4097, 8_999, 9_000] {
        let (left, right) = times.split_at(cut);
        for (first, second) in [(left, right), (right, left)] {
            let mut merged = of(first);
            merged.merge(of(second));
            assert_eq!(merged.finish(), whole, "split at {cut}");
        }
    }
    let mut empty = TimeBuckets::default();
    empty.merge(of(&times));
    assert_eq!(empty.finish(), whole);
}

#[test]
fn accounts_of_neighbours_join_to_the_account_of_both() {
    for name in ["broken/torn.log", "broken/nul-block.log", "json/klog-mixed.log", "legacy/1.6.log", "json/cluster.log"]
    {
        let log = testdata(name);
        let whole = common::library::whole(&log);
        let cuts: Vec<usize> = (0..log.len())
            .filter(|&at| log[at] == b'\n' && auditq::parse::records::is_definite_start(&log[at + 1..]))
            .map(|at| at + 1)
            .collect();
        for &cut in &cuts {
            let mut left = part(&log[..cut]);
            left.append(part(&log[cut..]));
            assert_eq!(left, whole.evidence, "{name} cut at {cut}");
        }
    }
    fn part(bytes: &[u8]) -> Evidence {
        let mut reading = common::library::whole(bytes).evidence;
        // Only the very end of a source can be an unfinished line; a cut at a record start is none.
        reading.lines = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        reading
    }
}
