//! Lines that cannot be in the answer are passed over, and the answer is the same.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{auditq, put, root, scratch};

const LOGS: [&str; 12] = [
    "testdata/json/cluster.log",
    "testdata/json/array.json",
    "testdata/json/pretty.json",
    "testdata/json/klog-mixed.log",
    "testdata/legacy/1.7.log",
    "testdata/legacy/oneline.log",
    "testdata/broken/joined.log",
    "testdata/broken/torn.log",
    "testdata/broken/hostile.log",
    "testdata/broken/nul-block.log",
    "testdata/envelope/prefix.log",
    "testdata/rotated/audit.log",
];

/// Rows about one user, with all that is said of the evidence left out: it is less by what was passed over.
fn rows(file: &str, user: &str, more: &[&str]) -> Vec<u8> {
    let fixed = ["query", "--user", user, "-o", "json", "-q", file];
    auditq(&[&fixed[..], more].concat(), b"").stdout
}

/// Users of a log, as far as lines name them.
fn users(log: &str) -> BTreeSet<&str> {
    let name = |part| str::split(part, '"').next().filter(|name| name.len() > 3 && !name.contains('\\'));
    log.split("\"username\":\"").skip(1).filter_map(name).take(60).collect()
}

fn same(folder: &Path, log: &[u8], user: &str) {
    let file = put(folder, "audit.log", log);
    let expected = rows(&file, user, &["--read-all", "--threads", "1"]);
    for how in [&["--threads", "1"][..], &["--threads", "2", "--chunk-size", "700"], &["--chunk-size", "1"]] {
        // The hidden step makes small files worth passing over lines.
        let how = [how, &["--seek-step", "1"]].concat();
        assert!(rows(&file, user, &how) == expected, "{user} {how:?}\n{}", String::from_utf8_lossy(log));
    }
}

#[test]
fn rows_of_every_user_of_every_log() {
    let folder = scratch("sieve-logs");
    for path in LOGS {
        let log = std::fs::read(root().join(path)).unwrap();
        for user in users(&String::from_utf8_lossy(&log)).into_iter().take(3) {
            same(&folder, &log, user);
        }
        same(&folder, &log, "nobody@example.com");
    }
}

#[test]
fn rows_of_a_damaged_log() {
    let folder = scratch("sieve-damage");
    let log = std::fs::read(root().join("testdata/json/cluster.log")).unwrap();
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').take(30).collect();
    let log = lines.concat();
    let text = String::from_utf8_lossy(&log);
    let user = users(&text).into_iter().next().unwrap().to_owned();
    let mut state = 11u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..30 {
        let mut damaged = log.clone();
        let at = random(damaged.len());
        match round % 5 {
            0 => damaged.truncate(at),
            1 => drop(damaged.drain(at..(at + 300).min(log.len()))),
            2 => damaged[at] = b"\"\\{}\n\0"[random(6)],
            3 => damaged.splice(at..at, log[..700].iter().copied()).for_each(drop),
            _ => damaged[at..].iter_mut().take(200).for_each(|byte| *byte = 0),
        }
        same(&folder, &damaged, &user);
    }
}

#[test]
fn other_spellings_of_a_name_are_found() {
    let line = |user: &str| {
        let id = user.len();
        format!(
            "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"{id}\",\
             \"stage\":\"ResponseComplete\",\"requestURI\":\"/\",\"verb\":\"get\",\"user\":{{\"username\":\"{user}\"}},\
             \"requestReceivedTimestamp\":\"2026-03-09T08:00:00.000000Z\",\"stageTimestamp\":\"2026-03-09T08:00:00.000001Z\"}}\n"
        )
    };
    let log = [line("mallory"), line("m\\u0061llory"), line("anna"), line("mallory2")].concat();
    let folder = scratch("sieve-spellings");
    let found = rows(&put(&folder, "audit.log", log.as_bytes()), "mallory", &["--seek-step", "1"]);
    assert_eq!(found.iter().filter(|byte| **byte == b'\n').count(), 2, "{}", String::from_utf8_lossy(&found));
    same(&folder, log.as_bytes(), "mallory");
}

#[test]
fn nothing_found_is_only_said_when_all_was_read() {
    let torn = std::fs::read(root().join("testdata/broken/torn.log")).unwrap();
    let file = put(&scratch("sieve"), "torn.log", &torn);
    for more in [&["--exit-status"][..], &[]] {
        let found = auditq(&[&["query", "--user", "nobody", "--seek-step", "1"], more, &[&file]].concat(), b"");
        assert_eq!(found.code, Some(3), "{}", found.stderr);
        assert!(found.stderr.contains("not valid JSON in `user`"), "{}", found.stderr);
    }
}
