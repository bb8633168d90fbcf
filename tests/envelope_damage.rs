//! Damaged envelopes: cut, changed, with pieces of lines lost on the way. Nothing panics, every byte stays accounted
//! for, and the events that were not touched are still told.

mod common;
#[path = "common/wrap/mod.rs"]
mod wrap;

use std::collections::BTreeMap;

use auditq::parse::records::Bucket;
use common::auditq;
use common::library::{Reading, streamed, whole};
use common::random::Random;
use serde_json::Value;
use wrap::server;
use wrap::{Envelope, Line, envelopes, family};

/// Events enough for every kind of hard one, few enough to be read again and again.
const EVENTS: usize = 60;

/// Events without the longest, which would only make reading slow.
fn events() -> Vec<Line> {
    server::events(EVENTS).into_iter().filter(|line| line.len() < 70_000).collect()
}

/// Every byte is in one bucket, and each damaged record has a reason.
fn sound(reading: &Reading, length: usize, what: &str) {
    assert_eq!(reading.bytes(), length as u64, "{what}: buckets add up to the input");
    for found in &reading.found {
        assert!(found.offset < length && found.bytes <= length, "{what}: an event at {} of {length}", found.offset);
    }
    let damaged = reading.evidence.bucket(Bucket::Damaged);
    let told: u64 = reading.evidence.damage.values().map(|damage| damage.count).sum();
    assert_eq!(told, damaged.records, "{what}: each damaged record has a reason");
}

/// Envelopes that are one stream of text, with what is in them.
fn streams() -> Vec<(Envelope, Vec<u8>)> {
    let events = events();
    let is_text = |content: &[u8]| !content.starts_with(&[0x1f, 0x8b]) && !auditq::input::decompress::is_utf16(content);
    let wrapped = envelopes().into_iter().map(|envelope| (envelope, (envelope.wrap)(&events)));
    wrapped
        .filter(|(_, wrapped)| wrapped.files.len() == 1 && is_text(&wrapped.files[0].1))
        .filter(|(envelope, _)| !envelope.name.starts_with("gather/"))
        .map(|(envelope, mut wrapped)| (envelope, wrapped.files.remove(0).1))
        .collect()
}

/// How often each event is told.
fn texts(reading: &Reading) -> BTreeMap<&str, i64> {
    let mut texts = BTreeMap::new();
    for text in reading.texts() {
        *texts.entry(text).or_insert(0) += 1;
    }
    texts
}

/// How many of the events of one reading the other lacks.
fn missing(all: &Reading, reading: &Reading) -> usize {
    let found = texts(reading);
    let lacks = |(text, count): (&str, i64)| (count - found.get(text).copied().unwrap_or(0)).max(0) as usize;
    texts(all).into_iter().map(lacks).sum()
}

/// Fails with all that is wrong, the first of each envelope.
fn none_of(failures: &BTreeMap<&str, String>) {
    let told: Vec<String> = failures.iter().map(|(name, what)| format!("{name}: {what}")).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn cut_anywhere_only_the_last_record_is_lost() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut failures = BTreeMap::new();
    for (envelope, log) in streams() {
        let all = whole(&log);
        for _ in 0..12 {
            let cut = random.below(log.len());
            let what = format!("cut at {cut} of {}", log.len());
            let reading = whole(&log[..cut]);
            sound(&reading, cut, &format!("{} {what}", envelope.name));
            let before = all.found.iter().filter(|found| found.offset + found.bytes <= cut).count();
            let told = reading.found.len();
            if told.saturating_add(envelope.unit) < before {
                failures.entry(envelope.name).or_insert(format!("{what}: {told} events of {before}"));
            }
        }
    }
    none_of(&failures);
}

#[test]
fn a_changed_byte_costs_the_record_it_is_in() {
    let mut random = Random(0x0fed_cba9_8765_4321);
    let mut failures = BTreeMap::new();
    for (envelope, log) in streams() {
        let all = whole(&log);
        for round in 0..24 {
            let at = random.below(log.len());
            let signs = [log[at] ^ 1, log[at] ^ 0x20, log[at] ^ 0x80, 0, b'"', b'{', b'}', b'\\', b' ', b'['];
            let mut bad = log.clone();
            bad[at] = signs[round % signs.len()];
            let what = format!("{:#x} at {at}", bad[at]);
            let reading = whole(&bad);
            sound(&reading, bad.len(), &format!("{}, {what}", envelope.name));
            let missing = missing(&all, &reading);
            if missing > envelope.unit {
                let damage = &reading.evidence.damage;
                failures.entry(envelope.name).or_insert(format!("{what}: {missing} events are lost, {damage:?}"));
            }
        }
    }
    none_of(&failures);
}

#[test]
fn damaged_envelopes_read_the_same_in_pieces() {
    let mut random = Random(0x5555_aaaa_3333_cccc);
    for (envelope, log) in streams() {
        for round in 0..3 {
            let mut bad = log.clone();
            let at = random.below(bad.len());
            match round {
                0 => drop(bad.splice(at..(at + 300).min(bad.len()), *b"\0\0 \n{")),
                1 => bad[at] = b'"',
                _ => bad.truncate(at.max(1)),
            }
            let all = whole(&bad);
            let (step, size) = (1 + random.below(5000), 1 + random.below(20_000));
            let pieces = streamed(&bad, false, step, size);
            assert!(pieces == all, "{} damaged at {at} ({round}), steps of {step}, chunks of {size}", envelope.name);
        }
    }
}

#[test]
fn a_lost_piece_costs_the_line_it_belongs_to() {
    let mut random = Random(0x7777_1111_9999_dddd);
    let mut failures = BTreeMap::new();
    let events = events();
    for envelope in ["cri", "docker", "journald"].into_iter().flat_map(family) {
        let wrapped = (envelope.wrap)(&events);
        let [(_, log)] = &wrapped.files[..] else { continue };
        let all = whole(log);
        let lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').collect();
        for _ in 0..40 {
            let lost = random.below(lines.len());
            let bad = [&lines[..lost], &lines[lost + 1..]].concat().concat();
            let what = format!("without line {lost} of {}", lines.len());
            let reading = whole(&bad);
            sound(&reading, bad.len(), &format!("{} {what}", envelope.name));
            let missing = missing(&all, &reading);
            if missing > 1 {
                let damage = &reading.evidence.damage;
                failures.entry(envelope.name).or_insert(format!("{what}: {missing} events are lost, {damage:?}"));
            }
        }
    }
    none_of(&failures);
}

/// The event as CloudWatch keeps it when it is too long.
fn truncated(line: &[u8], length: usize) -> String {
    let text = String::from_utf8_lossy(line).into_owned();
    let end = text.floor_char_boundary(length.min(text.len() - 1));
    let (head, _) = text.split_at(end);
    format!("{head}[Truncated...]")
}

/// Envelopes of a message, each with sound events around it.
fn around(message: &str, sound: &[Line]) -> Vec<(&'static str, Vec<u8>)> {
    let quoted = wrap::json::quote(message);
    let text = |line: &Line| wrap::json::text(line).into_owned();
    let event = |quoted: &str| format!("{{\"id\":\"1\",\"timestamp\":1773043200000,\"message\":{quoted}}}");
    let (before, behind) = (event(&wrap::json::quote(&text(&sound[0]))), event(&wrap::json::quote(&text(&sound[1]))));
    let list = format!("[{before},{},{behind}]", event(&quoted));
    let delivery =
        format!("{{\"messageType\":\"DATA_MESSAGE\",\"logGroup\":\"g\",\"logStream\":\"s\",\"logEvents\":{list}}}");
    let tail = |text: &str| format!("2026-03-09T08:00:00.123000+00:00 kube-apiserver-audit-0123 {text}\n");
    let tails = [tail(&text(&sound[0])), tail(message), tail(&text(&sound[1]))].concat();
    vec![
        ("filter-log-events", format!("{{\"events\":{list},\"searchedLogStreams\":[]}}\n").into_bytes()),
        ("a delivery", delivery.into_bytes()),
        ("logs tail", tails.into_bytes()),
    ]
}

#[test]
fn what_the_head_of_a_truncated_message_says_is_salvaged() {
    let events = server::events(60);
    let long = events.iter().find(|line| line.len() > 50_000).expect("a long event");
    let original: Value = wrap::json::value(long);
    for length in [1_500, 20_000, long.len() - 40] {
        let message = truncated(long, length);
        for (what, log) in around(&message, &events[..2]) {
            let what = format!("{what}, cut at {length}");
            let answer = auditq(&["summary", "--events", "-o", "json"], &log).json().remove(0);
            let evidence = &answer["evidence"];
            assert!(evidence.to_string().contains("truncated in transit"), "{what}: the reason is told: {evidence}");
            let rows = auditq(&["query", "--events", "-o", "json"], &log).json();
            let ids: Vec<&Value> = rows.iter().map(|row| &row["auditID"]).collect();
            let salvaged = rows.iter().find(|row| row["auditID"] == original["auditID"]);
            let salvaged = salvaged.unwrap_or_else(|| panic!("{what}: the event is among {ids:?}"));
            for member in ["auditID", "stage", "verb", "user", "requestURI", "level", "objectRef", "sourceIPs"] {
                assert_eq!(salvaged[member], original[member], "{what}: {member}");
            }
            assert_eq!(rows.len(), 3, "{what}: and those around it: {ids:?}");
        }
    }
}

#[test]
fn a_message_cut_before_it_says_anything_is_damaged_and_no_event() {
    let events = server::events(2);
    for length in [1, 2, 20, 60] {
        let message = truncated(&events[0], length);
        for (what, log) in around(&message, &events) {
            let what = format!("{what}, cut at {length}");
            let answer = auditq(&["summary", "--events", "-o", "json"], &log).json().remove(0);
            assert_eq!(answer["totals"]["events"], 2, "{what}: those around it: {answer}");
            assert_eq!(answer["evidence"]["complete"], false, "{what}: {answer}");
        }
    }
}

#[test]
fn envelopes_within_envelopes_end() {
    // Strings in strings: each level escapes the one below, so few levels are megabytes.
    let mut text = String::from_utf8(server::events(1).remove(0)).expect("the first event is text");
    for level in 0..12 {
        let log = format!("{text}\n").into_bytes();
        let reading = whole(&log);
        sound(&reading, log.len(), &format!("{level} envelopes"));
        if level <= 2 {
            assert_eq!(reading.found.len(), 1, "{level} envelopes");
        }
        text = format!("{{\"message\":{}}}", wrap::json::quote(&text));
    }
    // Objects in objects cost nothing to write.
    for depth in [10, 10_000, 200_000] {
        let log = format!("{}1{}\n", "{\"event\":".repeat(depth), "}".repeat(depth)).into_bytes();
        sound(&whole(&log), log.len(), &format!("{depth} objects"));
    }
}
