//! The same events in every envelope give the same answers as the server's own file.
//!
//! The generators are in `tests/common/wrap`. `AUDITQ_ENVELOPE_EVENTS=100000` wraps more events than the few hundred
//! of an ordinary run; `AUDITQ_ENVELOPE=cri` wraps only into envelopes with that word in their name.

mod common;
// Not part of `common`, so that only the tests of envelopes are built with it.
#[path = "common/wrap/mod.rs"]
mod wrap;

use std::collections::BTreeMap;
use std::path::Path;

use common::{Output, auditq, put, scratch, unzipped};
use serde_json::Value;
use wrap::server::{self, PIECE};
use wrap::{Envelope, Kept, Line, Wrapped, envelopes, family, json};

/// How many events are wrapped: all kinds of hard ones are among the first few hundred.
fn count() -> usize {
    let count = std::env::var("AUDITQ_ENVELOPE_EVENTS").ok();
    count.map_or(300, |count| count.parse().expect("AUDITQ_ENVELOPE_EVENTS is a number"))
}

/// A way to the same answer: from standard input or by path, with these flags.
struct Road {
    stdin: bool,
    flags: &'static [&'static str],
}

const ROADS: [Road; 5] = [
    Road { stdin: false, flags: &["--threads", "1"] },
    Road { stdin: false, flags: &["--threads", "2", "--chunk-size", "1000"] },
    Road { stdin: true, flags: &["--threads", "1", "--chunk-size", "64"] },
    Road { stdin: false, flags: &["--threads", "2"] },
    Road { stdin: true, flags: &["--threads", "2"] },
];

const BY: [&str; 5] = ["summary", "--by", "user,verb,resource,code", "-o", "json"];
const OVERVIEW: [&str; 3] = ["summary", "-o", "json"];
const QUERY: [&str; 4] = ["query", "--events", "-o", "json"];

/// What must not differ: all but the evidence. Where only values are kept, events weigh what their new spelling does.
fn comparable(output: &Output, kept: Kept) -> String {
    let mut answer: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    answer.as_object_mut().map(|answer| answer.remove("evidence"));
    if kept != Kept::Bytes {
        remove_bytes(&mut answer);
    }
    answer.to_string()
}

fn remove_bytes(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("bytes");
            members.values_mut().for_each(remove_bytes);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_bytes),
        _ => {}
    }
}

/// The place where two texts begin to differ.
fn difference(got: &[u8], expected: &[u8]) -> String {
    let at = got.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(got.len().min(expected.len()));
    let show = |text: &[u8]| {
        let around = text[at.saturating_sub(120).min(text.len())..(at + 120).min(text.len())].to_vec();
        String::from_utf8_lossy(&around).into_owned()
    };
    format!(
        "at byte {at} of {} and {}\n  got      {}\n  expected {}",
        got.len(),
        expected.len(),
        show(got),
        show(expected)
    )
}

/// Whether a printed event is the one that was wrapped, as far as the envelope keeps it.
fn is_same(got: &[u8], expected: &[u8], kept: Kept) -> bool {
    match kept {
        Kept::Bytes => got == expected,
        Kept::Values => parsed(got) == parsed(expected),
        Kept::Members => match (parsed(got), parsed(expected)) {
            (Some(got), Some(expected)) => {
                expected.as_object().is_some_and(|members| members.iter().all(|(key, value)| got[key] == *value))
            }
            _ => false,
        },
    }
}

fn parsed(line: &[u8]) -> Option<Value> {
    serde_json::from_str(&json::text(line)).ok()
}

/// The printed events against those that were wrapped; says what is wrong with the first that differs.
fn compare_events(output: &Output, wrapped: &Wrapped) -> Result<(), String> {
    let mut got: Vec<&[u8]> = output.stdout.split(|&byte| byte == b'\n').collect();
    got.pop_if(|last| last.is_empty());
    let mut expected: Vec<&[u8]> = wrapped.expected.iter().map(Line::as_slice).collect();
    if wrapped.shuffled {
        got.sort();
        expected.sort();
    }
    for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
        if !is_same(got, expected, wrapped.kept) {
            return Err(format!("event {index} differs {}", difference(got, expected)));
        }
    }
    match got.len() == expected.len() {
        true => Ok(()),
        false => Err(format!("{} events instead of {}", got.len(), expected.len())),
    }
}

/// Nothing may be told as damaged where nothing is.
fn compare_evidence(output: &Output, wrapped: &Wrapped) -> Result<(), String> {
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let evidence = &answer["evidence"];
    if wrapped.sound && (evidence["complete"] != true || output.code != Some(0)) {
        return Err(format!("evidence is incomplete, exit status {:?}: {evidence}", output.code));
    }
    match answer["totals"]["events"] == wrapped.expected.len() {
        true => Ok(()),
        false => Err(format!("{} events of {}", answer["totals"]["events"], wrapped.expected.len())),
    }
}

/// Everything a road must give, with `plain` for the file of the server.
fn check(road: &Road, path: &str, wrapped: &Wrapped, plain: &[String; 2]) -> Result<(), String> {
    let joined = if road.stdin { wrapped.joined() } else { Vec::new() };
    let run = |command: &[&str]| {
        let input = if road.stdin { "-" } else { path };
        auditq(&[command, road.flags, &[input]].concat(), &joined)
    };
    let summary = run(&BY);
    compare_evidence(&summary, wrapped)?;
    compare_events(&run(&QUERY), wrapped)?;
    for (got, expected) in [(summary, &plain[0]), (run(&OVERVIEW), &plain[1])] {
        let got = comparable(&got, wrapped.kept);
        if got != *expected {
            return Err(format!("the summary differs {}", difference(got.as_bytes(), expected.as_bytes())));
        }
    }
    Ok(())
}

/// Writes an envelope's files below a folder and gives the path to read.
fn put_all(folder: &Path, wrapped: &Wrapped) -> String {
    let paths: Vec<String> = wrapped.files.iter().map(|(name, content)| put(folder, name, content)).collect();
    match &paths[..] {
        [path] => path.clone(),
        _ => folder.to_str().expect("a path in UTF-8").to_owned(),
    }
}

/// What the server's own file answers, by envelope: what was lost on the way is not in it either.
fn plain_answers(folder: &Path, wrapped: &Wrapped) -> [String; 2] {
    let path = put(folder, "expected.log", &[wrapped.expected.join(&b'\n'), b"\n".to_vec()].concat());
    [&BY[..], &OVERVIEW].map(|command| comparable(&auditq(&[command, &[path.as_str()]].concat(), b""), wrapped.kept))
}

/// Wraps events into each envelope of a family and reads them by every road.
fn family_reads_the_same(name: &str) {
    let only = std::env::var("AUDITQ_ENVELOPE").unwrap_or_default();
    let events = server::events(count());
    let mut failures = Vec::new();
    for envelope in family(name) {
        if envelope.name.contains(&only) {
            failures.extend(failures_of(envelope, &events));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn failures_of(envelope: Envelope, events: &[Line]) -> Option<String> {
    let folder = scratch(&format!("envelopes-{}", envelope.name.replace('/', "-")));
    let wrapped = (envelope.wrap)(events);
    let plain = plain_answers(&folder, &wrapped);
    let path = put_all(&folder.join("wrapped"), &wrapped);
    // Of many events two roads are enough: what differs by road shows with few.
    let roads = if events.len() > 2000 { &ROADS[3..] } else { &ROADS };
    for road in roads {
        // Parts of a tree are files of several nodes, packed and plain: as one stream they are no log.
        if road.stdin && wrapped.files.len() > 1 && wrapped.shuffled {
            continue;
        }
        // An archive by a pipe is one stream.
        if let Err(what) = check(road, &path, &wrapped, &plain) {
            let how = if road.stdin { "stdin" } else { "file" };
            return Some(format!("{} from {how} with {:?}: {what}", envelope.name, road.flags));
        }
    }
    None
}

#[test]
fn kubectl_logs() {
    family_reads_the_same("kubectl");
}

#[test]
fn stern_and_node_logs() {
    family_reads_the_same("stern");
    family_reads_the_same("oc");
}

#[test]
fn system_logs() {
    family_reads_the_same("syslog");
}

#[test]
fn container_runtime_files() {
    family_reads_the_same("cri");
}

#[test]
fn docker_files() {
    family_reads_the_same("docker");
}

#[test]
fn the_journal() {
    family_reads_the_same("journald");
}

#[test]
fn cloudwatch() {
    family_reads_the_same("cloudwatch");
}

#[test]
fn azure() {
    family_reads_the_same("aks");
}

#[test]
fn splunk() {
    family_reads_the_same("splunk");
}

#[test]
fn elasticsearch() {
    family_reads_the_same("elasticsearch");
}

#[test]
fn loki() {
    family_reads_the_same("loki");
}

#[test]
fn alibaba_and_tencent() {
    family_reads_the_same("sls");
    family_reads_the_same("cls");
}

#[test]
fn fluentd_and_fluent_bit() {
    family_reads_the_same("fluent");
}

#[test]
fn vector_filebeat_and_gelf() {
    family_reads_the_same("vector");
    family_reads_the_same("filebeat");
    family_reads_the_same("gelf");
}

#[test]
fn open_telemetry() {
    family_reads_the_same("otlp");
}

#[test]
fn openshift_logging() {
    family_reads_the_same("viaq");
}

#[test]
fn webhook_bodies() {
    family_reads_the_same("webhook");
}

#[test]
fn plain_arrangements() {
    family_reads_the_same("plain");
}

#[test]
fn must_gather() {
    family_reads_the_same("gather");
}

#[test]
fn messages_the_journal_left_out_are_told() {
    let wrapped = wrap::journal::without_all(&server::events(100));
    let log = &wrapped.files[0].1;
    let answer = auditq(&BY, log).json().remove(0);
    assert_eq!(answer["totals"]["events"], wrapped.expected.len(), "what was left is read");
    let (whole, left) = (100, wrapped.expected.len());
    assert!(left < whole, "some messages are null");
    let evidence = &answer["evidence"];
    assert_eq!(evidence["complete"], false, "a null message may have been an event: {evidence}");
    assert_eq!(evidence["records"]["damaged"], whole - left, "{evidence}");
    assert!(evidence["damage"].to_string().contains("--all"), "what to do is said: {evidence}");
}

/// The generators themselves, checked with a reader that knows nothing of auditq.
mod generators {
    use super::*;

    #[test]
    fn the_server_wrote_json_with_every_length_that_matters() {
        let events = server::events(440);
        for line in &events {
            let event = json::value(line);
            assert_eq!(event["kind"], "Event");
            assert!(!line.contains(&b'\n'), "one line each");
        }
        let lengths: Vec<usize> = events.iter().map(Vec::len).collect();
        for length in [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE, 3 * PIECE + 1, 6 * PIECE, 300_000] {
            assert!(lengths.contains(&length), "an event of {length} bytes: {lengths:?}");
        }
        assert!(events.iter().any(|line| std::str::from_utf8(line).is_err()), "one is no UTF-8");
        let ids: BTreeMap<(String, String), usize> = events.iter().enumerate().map(id_of).collect();
        assert_eq!(ids.len(), events.len(), "no event comes twice");
        assert_eq!(server::events(1000)[..440], events, "more events begin with the same");
    }

    fn id_of((index, line): (usize, &Line)) -> ((String, String), usize) {
        let event = json::value(line);
        ((event["auditID"].to_string(), event["stage"].to_string()), index)
    }

    #[test]
    fn members_are_taken_apart_and_put_together() {
        for line in server::events(100) {
            let event = json::text(&line);
            assert_eq!(json::object(&json::members(&event)), event);
        }
        assert_eq!(json::without(r#"{"a":[1,{"b":2}],"c":"}\","}"#, &["a"]), r#"{"c":"}\","}"#);
        assert_eq!(json::quote_ascii("é🚀\""), r#""\u00e9\ud83d\ude80\"""#);
        assert_eq!(json::quote_go("<&>"), r#""\u003c\u0026\u003e""#);
    }

    /// Strings that hold an event, wherever they are.
    fn strings(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) if text.starts_with("{\"kind\":\"Event\"") => found.push(text.trim_end().to_owned()),
            Value::Object(members) => members.values().for_each(|value| strings(value, found)),
            Value::Array(items) => items.iter().for_each(|value| strings(value, found)),
            _ => {}
        }
    }

    #[test]
    fn json_envelopes_hold_what_is_expected() {
        let events = server::events(120);
        let named = [
            "cloudwatch/filter",
            "cloudwatch/get",
            "cloudwatch/compact",
            "cloudwatch/firehose-",
            "cloudwatch/sub",
            "cloudwatch/insights",
            "cloudwatch/tail-none",
            "aks/blob",
            "aks/event-hub",
            "aks/diagnostics",
            "splunk/hec-text",
            "splunk/export",
            "splunk/results",
            "elasticsearch/message",
            "elasticsearch/original",
            "loki/jsonl",
            "loki/api",
            "loki/grafana",
            "cls/logjson",
            "fluent/bit-log",
            "fluent/bit-array",
            "fluent/d-message",
            "vector/message",
            "filebeat/message",
            "gelf/message",
            "otlp",
        ];
        let mut checked = 0;
        for envelope in envelopes() {
            if !named.iter().any(|name| envelope.name.starts_with(name)) || envelope.name.ends_with("csv") {
                continue;
            }
            let wrapped = (envelope.wrap)(&events);
            let log = unzipped(&wrapped.files[0].1);
            let mut found = Vec::new();
            for value in serde_json::Deserializer::from_slice(&log).into_iter::<Value>() {
                strings(&value.unwrap_or_else(|error| panic!("{}: {error}", envelope.name)), &mut found);
            }
            let expected: Vec<String> = wrapped.expected.iter().map(|line| json::text(line).into_owned()).collect();
            assert!(found == expected, "{}: {} of {}", envelope.name, found.len(), expected.len());
            checked += 1;
        }
        assert!(checked >= named.len(), "{checked} envelopes");
    }

    #[test]
    fn runtimes_cut_lines_and_put_them_together_again() {
        let events = server::events(120);
        for envelope in family("cri") {
            let wrapped = (envelope.wrap)(&events);
            let log: Vec<u8> = wrapped.files.iter().flat_map(|(_, content)| unzipped(content)).collect();
            let (mut found, mut open, mut partials) = (Vec::new(), Vec::new(), 0);
            for record in log.split(|&byte| byte == b'\n').filter(|record| !record.is_empty()) {
                let words: Vec<&[u8]> = record.splitn(4, |&byte| byte == b' ').collect();
                let partial = words[2].starts_with(b"P");
                assert!(words[3].len() <= PIECE);
                if words[1] == b"stdout" {
                    partials += usize::from(partial);
                    open.extend_from_slice(words[3]);
                    if !partial {
                        found.push(std::mem::take(&mut open));
                    }
                }
            }
            assert!(found == wrapped.expected, "{}", envelope.name);
            assert!(partials > 20, "{}", envelope.name);
        }
    }

    /// The values of a log of JSON objects.
    fn values(log: &[u8]) -> impl Iterator<Item = Value> {
        serde_json::Deserializer::from_slice(log).into_iter::<Value>().map(|value| value.expect("sound JSON"))
    }

    #[test]
    fn docker_records_make_whole_lines() {
        let events = server::events(120);
        for envelope in family("docker") {
            let wrapped = (envelope.wrap)(&events);
            let audit = values(&wrapped.files[0].1).filter(|record| record["stream"] == "stdout");
            let text: String = audit.map(|record| record["log"].as_str().expect("a text").to_owned()).collect();
            let expected: Vec<_> = wrapped.expected.iter().map(|line| json::text(line)).collect();
            assert!(text.lines().eq(expected.iter().map(AsRef::as_ref)), "{}", envelope.name);
        }
    }

    #[test]
    fn journal_entries_make_whole_lines() {
        let events = server::events(120);
        for envelope in
            family("journald").into_iter().filter(|e| ["journald/json", "journald/docker"].contains(&e.name))
        {
            let wrapped = (envelope.wrap)(&events);
            let (mut found, mut open, mut arrays) = (Vec::new(), Vec::new(), 0);
            for entry in values(&wrapped.files[0].1).filter(|entry| entry["_SYSTEMD_UNIT"] == "kube-apiserver.service")
            {
                match &entry["MESSAGE"] {
                    Value::String(text) => open.extend_from_slice(text.as_bytes()),
                    Value::Array(bytes) => {
                        arrays += 1;
                        open.extend(bytes.iter().map(|byte| byte.as_u64().expect("a byte") as u8));
                    }
                    other => panic!("{other}"),
                }
                if entry["_LINE_BREAK"].is_null() && entry["CONTAINER_PARTIAL_MESSAGE"].is_null() {
                    found.push(std::mem::take(&mut open));
                }
            }
            assert!(found == events, "{}", envelope.name);
            assert!(arrays > 3, "{}", envelope.name);
        }
    }

    #[test]
    fn rows_of_tables_hold_what_is_expected() {
        let events = server::events(120);
        for (name, column) in [("cloudwatch/insights-csv", 1), ("splunk/csv", 2)] {
            let envelope = envelopes().into_iter().find(|envelope| envelope.name == name).expect("it exists");
            let wrapped = (envelope.wrap)(&events);
            let table = String::from_utf8(wrapped.files[0].1.clone()).expect("text");
            let found: Vec<Line> = table.lines().skip(1).map(|row| field(row, column).into_bytes()).collect();
            assert!(found == wrapped.expected, "{name}");
        }
    }

    /// A field of a row in which quotes are doubled.
    fn field(row: &str, column: usize) -> String {
        let (mut fields, mut quoted) = (vec![String::new()], false);
        for sign in row.replace("\"\"", "\u{1}").chars() {
            match sign {
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                _ => fields.last_mut().expect("one field").push(sign),
            }
        }
        fields.swap_remove(column).replace('\u{1}', "\"")
    }

    #[test]
    fn timestamps_stand_before_each_piece() {
        let events = server::events(120);
        let [envelope] =
            &family("kubectl").into_iter().filter(|e| e.name.ends_with("/timestamps")).collect::<Vec<_>>()[..]
        else {
            panic!("one envelope")
        };
        let wrapped = (envelope.wrap)(&events);
        let lines = wrapped.files[0].1.split(|&byte| byte == b'\n');
        let stamp = "2026-03-09T08:00:00.123456789Z ".len();
        let whole =
            lines.map(|line| line.chunks(stamp + PIECE).flat_map(|piece| &piece[stamp.min(piece.len())..]).copied());
        let whole: Vec<Line> =
            whole.map(Iterator::collect).filter(|line: &Line| line.starts_with(b"{\"kind")).collect();
        assert!(whole == events);
    }

    #[test]
    fn names_of_envelopes_are_their_own() {
        let mut names: Vec<&str> = envelopes().iter().map(|envelope| envelope.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        // Each family has a test above; what is new needs one.
        let source = include_str!("envelopes.rs");
        for name in names {
            let (family, _) = name.split_once('/').expect("a family and a name");
            assert!(source.contains(&format!("family_reads_the_same(\"{family}\")")), "{family} has a test");
        }
    }
}

/// Writes a file per envelope, so that reading each can be timed beside the server's own file:
/// `AUDITQ_ENVELOPE_FOLDER=/data AUDITQ_ENVELOPE_EVENTS=100000 cargo test --release --test envelopes -- --ignored`.
#[test]
#[ignore = "writes gigabytes for measurements"]
fn files_to_measure() {
    let folder = std::env::var("AUDITQ_ENVELOPE_FOLDER").expect("AUDITQ_ENVELOPE_FOLDER is a folder");
    let folder = Path::new(&folder);
    let events = server::events(count());
    put(folder, "plain.log", &[events.join(&b'\n'), b"\n".to_vec()].concat());
    for envelope in envelopes() {
        let wrapped = (envelope.wrap)(&events);
        let name = envelope.name.replace('/', "-");
        let several = wrapped.files.len() > 1;
        for (file, content) in &wrapped.files {
            put(folder, &if several { format!("{name}/{file}") } else { name.clone() }, content);
        }
    }
}
