//! A time window is found in a file without reading all of it, and the answer is the same.

mod common;

use std::fmt::Write;

use auditq::event::Timestamp;
use common::{auditq, put, scratch};
use serde_json::Value;

const SECOND: i64 = 1_000_000;

/// A stage of a request, as a line of a log.
struct Line {
    /// Where it stands, in microseconds.
    due: i64,
    text: String,
}

/// Draws that are the same every time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as i64
    }
}

fn time(us: i64) -> String {
    Timestamp((1_773_043_200 * SECOND + us) * 1000).to_rfc3339()
}

/// One stage of request number `id`.
fn stage(id: usize, verb: &str, resource: &str, stage: &str, received: i64, at: i64, padding: usize) -> Line {
    let code = if stage == "RequestReceived" { "" } else { r#""responseStatus":{"metadata":{},"code":200},"# };
    let text = format!(
        "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"id-{id:06}\",\
         \"stage\":\"{stage}\",\"requestURI\":\"/api/v1/{resource}\",\"verb\":\"{verb}\",\"user\":{{\"username\":\"u{}\"}},\
         \"userAgent\":\"{}\",\"objectRef\":{{\"resource\":\"{resource}\",\"apiVersion\":\"v1\"}},{code}\
         \"requestReceivedTimestamp\":\"{}\",\"stageTimestamp\":\"{}\"}}\n",
        id % 5,
        "x".repeat(padding),
        time(received),
        time(at),
    );
    Line { due: at, text }
}

/// A log of an hour, ordered but for `jitter`: short requests, watches of minutes, some requests
/// that never end, some long lines.
fn log(seed: u64, requests: usize, jitter: i64) -> Vec<Line> {
    let mut draw = Draw(seed * 2 + 1);
    let mut lines = Vec::new();
    for id in 0..requests {
        let received = id as i64 * 3600 * SECOND / requests as i64;
        let resource = ["pods", "secrets", "leases"][draw.below(3) as usize];
        let padding = if draw.below(200) == 0 { 20_000 } else { draw.below(60) as usize };
        let watches = draw.below(12) == 0;
        let verb = if watches { "watch" } else { "get" };
        let mut add = |name, at| lines.push(stage(id, verb, resource, name, received, at, padding));
        add("RequestReceived", received);
        let answered = received + 1000 + draw.below(2 * SECOND);
        if watches {
            add("ResponseStarted", answered);
        }
        let end = if watches { answered + draw.below(600 * SECOND) } else { answered };
        if draw.below(100) != 0 {
            add("ResponseComplete", end);
        }
    }
    lines.retain(|line| line.due < 3600 * SECOND);
    for line in &mut lines {
        line.due += draw.below(jitter);
    }
    lines.sort_by_key(|line| line.due);
    lines
}

fn text(lines: &[Line]) -> Vec<u8> {
    lines.iter().flat_map(|line| line.text.bytes()).collect()
}

/// The flags of a window in seconds.
fn window(from: i64, to: i64) -> [String; 4] {
    ["--since".to_owned(), time(from * SECOND), "--until".to_owned(), time(to * SECOND)]
}

/// How much was left out, from the document's account.
fn not_read(document: &Value) -> u64 {
    document["evidence"]["notRead"]["bytes"].as_u64().unwrap_or(0)
}

/// Asks with and without seeking by every road; returns how many bytes were left out.
fn same_answer(files: &[&str], flags: &[&str], what: &str) -> u64 {
    let mut left_out = 0;
    for unit in [&[][..], &["--events"]] {
        for threads in ["1", "3"] {
            let how = ["--seek-step", "4096", "--chunk-size", "3000", "--threads", threads];
            let ask =
                |command: &[&str], more: &[&str]| auditq(&[command, unit, flags, &how, more, files].concat(), b"");
            let rows = |more: &[&str]| ask(&["query", "-o", "json"], more);
            let (seeking, whole) = (rows(&[]), rows(&["--read-all"]));
            assert_eq!(seeking.text(), whole.text(), "{what}: rows, {unit:?} {threads} threads");
            for command in [&["summary", "-o", "json"][..], &["summary", "--by", "user,stage", "-o", "json"]] {
                let document = |more: &[&str]| ask(command, more).json().remove(0);
                let (mut seeking, mut whole) = (document(&[]), document(&["--read-all"]));
                assert_eq!(not_read(&whole), 0, "{what}: --read-all reads everything");
                let sum = seeking["evidence"]["bytes"].as_u64().unwrap() + not_read(&seeking);
                assert_eq!(Some(sum), whole["evidence"]["bytes"].as_u64(), "{what}: the account adds up");
                left_out = left_out.max(not_read(&seeking));
                seeking["evidence"].take();
                whole["evidence"].take();
                assert_eq!(seeking, whole, "{what}: {command:?}, {unit:?} {threads} threads");
            }
        }
    }
    left_out
}

#[test]
fn windows_of_ordered_logs() {
    let folder = scratch("seek-ordered");
    let mut draw = Draw(77);
    for (seed, jitter) in [(1, 1), (2, 200_000), (3, 3 * SECOND)] {
        let bytes = text(&log(seed, 700, jitter));
        let path = put(&folder, "audit.log", &bytes);
        let mut best = 0;
        for _ in 0..4 {
            let from = draw.below(3500);
            let flags = window(from, from + 1 + draw.below(200));
            let flags: Vec<&str> = flags.iter().map(String::as_str).chain(["--resource", "pods"]).collect();
            let left_out = same_answer(&[&path], &flags, &format!("jitter {jitter}, {flags:?}"));
            best = best.max(left_out);
        }
        assert!(best > bytes.len() as u64 / 3, "jitter {jitter}: only {best} of {} left out", bytes.len());
    }
}

#[test]
fn open_ended_windows_and_around() {
    let folder = scratch("seek-open");
    let path = put(&folder, "audit.log", &text(&log(4, 700, 1000)));
    let (early, since, until) = (time(600 * SECOND), time(3300 * SECOND), time(200 * SECOND));
    for flags in [
        &["--since", &since][..],
        &["--until", &until, "--verb", "get"],
        &["--around", &since, "--window", "20s"],
        &["--since", &since, "--failed"],
        &["--since", &early, "--resource", "pods"],
    ] {
        assert!(same_answer(&[&path], flags, &format!("{flags:?}")) > 0, "{flags:?}");
    }
}

#[test]
fn rotated_files() {
    let folder = scratch("seek-rotated");
    let lines = log(5, 900, 1000);
    let parts: Vec<String> = lines
        .chunks(lines.len().div_ceil(3))
        .enumerate()
        .map(|(at, part)| put(&folder, &format!("audit.log.{}", 3 - at), &text(part)))
        .collect();
    let files: Vec<&str> = parts.iter().map(String::as_str).collect();
    for (from, to) in [(300, 400), (1150, 1250), (1800, 1830), (3500, 3600)] {
        let flags = window(from, to);
        let flags: Vec<&str> = flags.iter().map(String::as_str).chain(["--resource", "secrets"]).collect();
        assert!(same_answer(&files, &flags, &format!("{from} to {to}")) > 0);
    }
}

#[test]
fn what_is_not_in_order_is_read_whole() {
    let folder = scratch("seek-disorder");
    let lines = log(6, 700, 1);
    let (first, second) = lines.split_at(lines.len() / 2);
    let swapped = [text(second), text(first)].concat();
    let repeated = [text(&lines), text(first)].concat();
    for (name, bytes) in [("swapped", swapped), ("repeated", repeated)] {
        let path = put(&folder, name, &bytes);
        let flags = window(600, 700);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        assert_eq!(same_answer(&[&path], &flags, name), 0, "{name}");
    }
}

#[test]
fn repeated_lines_foreign_lines_and_a_torn_end() {
    let folder = scratch("seek-odd");
    let mut odd = String::new();
    for (at, line) in log(7, 700, 1).iter().enumerate() {
        let _ = write!(odd, "{}", line.text);
        match at % 50 {
            7 => odd += &line.text,
            11 => odd += "I0309 08:00:00.000000       1 controller.go:1] text with \"auditID\":\"id-000001\" in it\n",
            23 => odd += "\n",
            _ => {}
        }
    }
    odd.truncate(odd.len() - 20);
    let path = put(&folder, "audit.log", odd.as_bytes());
    for (from, to) in [(100, 150), (1700, 1800), (3550, 3600)] {
        let flags = window(from, to);
        let flags: Vec<&str> = flags.iter().map(String::as_str).chain(["--resource", "pods"]).collect();
        assert!(same_answer(&[&path], &flags, &format!("{from} to {to}")) > 0);
    }
}

#[test]
fn pairs_and_pretty_printed_logs_are_read_whole() {
    let folder = scratch("seek-pairs");
    let pretty: String = log(8, 100, 1)
        .iter()
        .map(|line| serde_json::to_string_pretty(&serde_json::from_str::<Value>(&line.text).unwrap()).unwrap() + "\n")
        .collect();
    let pair = |at: i64| {
        format!(
            "{} AUDIT: id=\"{at}\" ip=\"10.0.0.1\" method=\"GET\" user=\"a\" groups=\"\\\"g\\\"\" as=\"<self>\" asgroups=\"<lookup>\" \
             namespace=\"default\" uri=\"/api/v1/namespaces/default/pods\"\n{} AUDIT: id=\"{at}\" response=\"200\"\n",
            time(at * SECOND),
            time(at * SECOND + 1000)
        )
    };
    let pairs: String = (0..600).map(|at| pair(at * 6)).collect();
    for (name, log) in [("pretty", pretty), ("pairs", pairs)] {
        let path = put(&folder, name, log.as_bytes());
        let flags = window(600, 900);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        assert_eq!(same_answer(&[&path], &flags, name), 0, "{name}");
    }
}

#[test]
fn damage_is_told_by_its_own_line() {
    let folder = scratch("seek-damage");
    let lines = log(9, 700, 1);
    let middle = lines.iter().position(|line| line.due > 1800 * SECOND).expect("half an hour");
    let mut bytes = text(&lines[..middle]);
    let line = lines[middle].text.as_bytes();
    bytes.extend_from_slice(&line[..line.len() / 2]);
    bytes.push(b'\n');
    bytes.extend(text(&lines[middle + 1..]));
    let path = put(&folder, "audit.log", &bytes);
    let how = ["--seek-step", "4096", "--chunk-size", "3000"];
    for (from, told) in [(1700, true), (3000, false)] {
        let flags = window(from, from + 200);
        let flags: Vec<&str> = flags.iter().map(String::as_str).chain(how).chain(["--events", &path]).collect();
        let seeking = auditq(&[&["query", "-o", "name"], &flags[..]].concat(), b"");
        let whole = auditq(&[&["query", "-o", "name", "--read-all"], &flags[..]].concat(), b"");
        assert_eq!(seeking.text(), whole.text());
        assert!(seeking.stderr.contains("not read: outside the time window"), "{}", seeking.stderr);
        let place = format!("audit.log:{}:", middle + 1);
        assert!(whole.stderr.contains(&place), "{}", whole.stderr);
        assert_eq!(seeking.stderr.contains(&place), told, "{}", seeking.stderr);
        assert_eq!(seeking.code, Some(if told { 3 } else { 0 }));
    }
}

#[test]
fn small_files_are_read_whole() {
    let folder = scratch("seek-small");
    let path = put(&folder, "audit.log", &text(&log(10, 700, 1)));
    let flags = window(600, 700);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let output = auditq(&[&["summary", "-o", "json", &path], &flags[..]].concat(), b"");
    assert!(output.json()[0]["evidence"].get("notRead").is_none());
    assert!(!output.stderr.contains("not read"), "{}", output.stderr);
}

#[test]
fn a_pipe_beside_a_file_is_read_once_and_whole() {
    let folder = scratch("seek-pipe");
    let lines: String = log(7, 400, 0).into_iter().map(|line| line.text).collect();
    let file = put(&folder, "audit.log", lines.as_bytes());
    let (since, until) = (time(1000 * SECOND), time(1300 * SECOND));
    let window = ["--since", &since, "--until", &until, "--seek-step", "1", "-o", "json"];
    for more in [&["summary", "--by", "user"][..], &["query"], &["query", "--user", "nobody@example.com"]] {
        let found = auditq(&[more, &window, &[&file, "-"]].concat(), lines.as_bytes());
        let all = auditq(&[more, &window, &["--read-all", &file, "-"]].concat(), lines.as_bytes());
        assert!(found.stdout == all.stdout, "{more:?}");
    }
    // Damage in a pipe is told although nothing was found, which is said only when all was read.
    let torn = [lines.as_bytes(), &lines.as_bytes()[..200], b"\n"].concat();
    let found = auditq(&["query", "--user", "nobody@example.com", "--seek-step", "1", &file, "-"], &torn);
    assert_eq!(found.code, Some(3), "{}", found.stderr);
}
