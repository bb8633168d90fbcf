//! Every road to the same answer: any number of threads, any chunk size, file or pipe, plain or packed, whole or in pieces.

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use auditq::aggregate::inspect::Inspect;
use auditq::aggregate::key::Key;
use auditq::aggregate::overview::Overview;
use auditq::aggregate::rows::Rows;
use auditq::aggregate::summary::Summary;
use auditq::aggregate::{Question, Seen};
use auditq::event::write_json;
use auditq::input::source::Discovery;
use auditq::parse::records::is_definite_start;
use auditq::query::Filter;
use auditq::render::sentences::sentences;
use auditq::render::{TimeZoneChoice, document, inspect};
use auditq::scan::{CHUNK, Options, Unit};
use common::library::{Reading, blocks, options, run, source, sources, streamed, whole};
use common::{auditq, bzip2, files_below, gzip, put, root, scratch, shared_corpus, testdata, zstd};
use serde_json::Value;

/// Test logs by name, content and whether they are small.
fn logs() -> Vec<(String, Vec<u8>)> {
    let folder = root().join("testdata");
    let mut files = files_below(&folder);
    // An archive is several files by one road and one by another: `tests/archives.rs`.
    files.retain(|path| {
        path.extension().is_none_or(|ending| ending != "md") && !path.starts_with(folder.join("archive"))
    });
    if let Some(corpus) = shared_corpus("roads") {
        files.extend(files_below(&corpus.join("legacy")));
        files.extend(
            files_below(&corpus.join("events"))
                .into_iter()
                .filter(|path| std::fs::metadata(path).is_ok_and(|data| data.len() < 100_000)),
        );
    }
    let name = |path: &Path| path.strip_prefix(&folder).unwrap_or(path).to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read(path).expect("a readable file"))).collect()
}

/// All answers to a scan, one below the other, as they would be printed.
fn answers(inputs: &Discovery, how: &Options) -> String {
    let keys = vec![Key::User, Key::Verb];
    let (_, grouped) = run(inputs, how, &Summary { filter: Filter::default(), keys: keys.clone() });
    let long_running = grouped.partial.long_running;
    let (total, groups) = grouped.partial.finish();
    let groups = document::summary(&keys, how.unit, &total, long_running, &groups, &grouped.account);
    let (_, outcome) = run(inputs, how, &Overview { filter: Filter::default() });
    let answer = outcome.partial.finish(60);
    let overview = document::overview(
        how.unit,
        &answer,
        &sentences(how.unit, &answer, TimeZoneChoice::Utc),
        None,
        &outcome.account,
    );
    assert_eq!(outcome.account, grouped.account, "the account does not depend on the question");
    let inspected = inspected(inputs, how);
    let rows = rows(inputs, how);
    let groups = serde_json::to_string(&groups).unwrap();
    format!("{groups}\n{overview}\n{inspected}{rows}")
}

fn inspected(inputs: &Discovery, how: &Options) -> String {
    let (partials, outcome) = run(inputs, how, &Inspect);
    let mut findings = outcome.partial;
    partials.into_iter().for_each(|partial| Inspect.merge(&mut findings, partial));
    let answer = findings.finish(&outcome.account, &[]);
    let mut document = inspect::document(&answer, &[], &outcome.account);
    for file in document["files"].as_array_mut().expect("files") {
        file["compression"] = Value::Null;
    }
    let mut shown = Vec::new();
    inspect::inspection(&answer, &outcome.account, TimeZoneChoice::Utc, &mut shown);
    let shown = String::from_utf8(shown).expect("answers are UTF-8");
    // Which of them was unpacked is told in the first table.
    let shown = shown.split_once("\nEvery byte").expect("the account").1;
    format!("{document}\n{shown}")
}

fn rows(inputs: &Discovery, how: &Options) -> String {
    let write = |seen: &Seen<'_, '_>, out: &mut Vec<u8>| {
        out.extend_from_slice(format!("{}:{}:", seen.position.source, seen.position.offset).as_bytes());
        write_json(seen.event, out);
        out.push(b'\n');
    };
    let rows = Rows { filter: Filter::default(), write: Box::new(write), sort: None };
    let (partials, outcome) = run(inputs, how, &rows);
    let mut text = Vec::new();
    for partial in partials {
        let _ = partial.each(|row| {
            text.extend_from_slice(row);
            ControlFlow::Continue(())
        });
    }
    assert_eq!(rows.weight(&outcome.partial), 0, "rows are handed on in order");
    String::from_utf8_lossy(&text).into_owned()
}

/// The first place where two texts differ.
fn difference(left: &str, right: &str) -> String {
    let at = left.bytes().zip(right.bytes()).position(|(a, b)| a != b).unwrap_or(left.len().min(right.len()));
    let show = |text: &str| {
        let bytes = text.as_bytes();
        String::from_utf8_lossy(&bytes[at.saturating_sub(200)..(at + 200).min(bytes.len())]).into_owned()
    };
    format!("\n{}\n--- is not\n{}\n", show(left), show(right))
}

fn same(left: &str, right: &str, what: &str) {
    assert!(left == right, "{what}: {}", difference(left, right));
}

/// One file by every road: plain and packed, by every number of threads and chunk size.
fn every_road(name: &str, log: &[u8], folder: &Path) {
    let plain = put(folder, "log", log);
    let packed =
        [put(folder, "log.1", &gzip(log)), put(folder, "log.2", &zstd(log)), put(folder, "log.3", &bzip2(log))];
    let one = |path: &str| sources(vec![source("log", path.into(), false)]);
    for unit in [Unit::Request, Unit::Event] {
        let how = |threads, chunk| Options { unit, ..options(threads, chunk) };
        let expected = answers(&one(&plain), &how(1, CHUNK));
        let small = log.len() < 6_000;
        for threads in [1, 2, 7] {
            for chunk in [1, 64, 1000, CHUNK] {
                if !small && (chunk == 1 || chunk < 1000 && log.len() > 100_000) {
                    continue;
                }
                let what = format!("{name}, {unit:?}, {threads} threads, chunks of {chunk}");
                same(&answers(&one(&plain), &how(threads, chunk)), &expected, &format!("{what}, plain"));
                // A stream gives a chunk to one thread at a time: packed once per chunk size will do.
                let road = &packed[(threads + chunk) % 3];
                same(&answers(&one(road), &how(threads, chunk)), &expected, &format!("{what}, {road}"));
            }
        }
    }
}

#[test]
fn what_is_inspected_is_the_same_in_any_pieces_with_damage_anywhere() {
    let folder = scratch("roads-inspect");
    let same_in_pieces = |inputs: &Discovery, what: &str| {
        let expected = inspected(inputs, &options(1, CHUNK));
        for (threads, chunk) in [(1, 700), (3, 64), (7, 4000)] {
            same(&inspected(inputs, &options(threads, chunk)), &expected, what);
        }
    };
    let pair = ["cp1", "cp2"].map(|name| {
        let path = root().join(format!("testdata/inspect/ha/{name}-audit.log"));
        source(name, path, false)
    });
    same_in_pieces(&sources(pair.to_vec()), "two hosts");
    for name in ["inspect/odd.log", "inspect/sensitive.log", "envelope/prefix.log"] {
        let log = testdata(name);
        for at in (0..log.len()).step_by(log.len() / 40) {
            let mut hurt = log.clone();
            hurt[at] ^= 0x15;
            let path = put(&folder, "log", &hurt);
            same_in_pieces(&sources(vec![source("log", path.into(), false)]), &format!("{name}, byte {at} changed"));
        }
    }
}

#[test]
fn threads_chunks_and_packing_do_not_change_any_answer() {
    let folder = scratch("roads-library");
    for (name, log) in logs() {
        every_road(&name, &log, &folder);
    }
}

#[test]
fn repeated_logs_read_the_same_by_every_road() {
    // The same lines again are repeats: a log shipped twice, or two files that overlap.
    let folder = scratch("roads-repeated");
    for name in [
        "legacy/1.6.log",
        "legacy/reversed.log",
        "legacy/1.5.log",
        "json/klog-mixed.log",
        "broken/joined.log",
        "legacy/oneline-1.7.log",
    ] {
        let log = testdata(name);
        every_road(&format!("{name} twice"), &log.repeat(2), &folder);
        // Every line twice in a row.
        let doubled: Vec<u8> =
            log.split_inclusive(|&byte| byte == b'\n').flat_map(|line| [line, line].concat()).collect();
        every_road(&format!("{name} with every line twice"), &doubled, &folder);
    }
    let story = testdata("json/cluster.log");
    let lines: Vec<&[u8]> = story.split_inclusive(|&byte| byte == b'\n').collect();
    let overlap = [&lines[..12], &lines[6..16], &lines[..3]].concat().concat();
    every_road("overlapping", &overlap, &folder);
}

#[test]
fn late_and_scattered_stages_read_the_same_by_every_road() {
    let folder = scratch("roads-late");
    let story = testdata("json/cluster.log");
    let lines: Vec<&[u8]> = story.split_inclusive(|&byte| byte == b'\n').take(30).collect();
    let reversed: Vec<&[u8]> = lines.iter().rev().copied().collect();
    every_road("reversed", &reversed.concat(), &folder);
    let mixed: Vec<&[u8]> = (0..lines.len()).map(|at| lines[at * 7 % lines.len()]).collect();
    every_road("mixed", &mixed.concat(), &folder);
    let legacy = testdata("legacy/1.7.log");
    let lines: Vec<&[u8]> = legacy.split_inclusive(|&byte| byte == b'\n').collect();
    let mixed: Vec<&[u8]> = (0..lines.len()).map(|at| lines[at * 7 % lines.len()]).collect();
    every_road("mixed halves", &mixed.concat(), &folder);
}

/// Puts `log` for the name under which a run saw its input.
fn without_name(output: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(output).into_owned();
    let quoted = serde_json::to_string(name).expect("a string");
    let inside = quoted.trim_matches('"');
    let log = inside.trim_end_matches(".gz").trim_end_matches(".zst");
    text.replace(&format!("\"file\":\"{inside}\""), "\"file\":\"log\"")
        .replace(&format!("\"log\":\"{log}\""), "\"log\":\"log\"")
        .replace(&format!("\"files\":[\"{inside}\"]"), "\"files\":[\"log\"]")
        .replace(&format!("\"first\":\"{inside}:"), "\"first\":\"log:")
        .replace("\"compression\":\"gzip\"", "\"compression\":null")
        .replace("\"compression\":\"zstd\"", "\"compression\":null")
}

#[test]
fn the_command_prints_the_same_bytes_by_every_road() {
    let folder = scratch("roads-command");
    let commands: [&[&str]; 5] = [
        &["summary", "-o", "json"],
        &["summary", "--by", "user,verb", "-o", "json"],
        &["query", "-o", "json"],
        &["query"],
        &["inspect", "-o", "json"],
    ];
    // An archive on a pipe is one source, elsewhere as many as it has members (`tests/archives.rs`).
    let is_archive = |(name, _): &(String, Vec<u8>)| name.starts_with("archive/");
    for (index, (name, log)) in logs().into_iter().filter(|log| !is_archive(log)).enumerate() {
        // The content alone tells how it is packed. An unfinished last line is a fault only in what is not live.
        let plain = put(&folder, "a.log", &log);
        let (packed, packed_z) = (put(&folder, "b.gz", &gzip(&log)), put(&folder, "c.zst", &zstd(&log)));
        let live = !matches!(log.last(), None | Some(b'\n'));
        for command in commands {
            let print = |name: &str, stdin: &[u8], how: &[&str]| {
                let output = auditq(&[command, how].concat(), stdin);
                (without_name(&output.stdout, name), output.code)
            };
            let expected = print(&plain, b"", &[&plain, "--threads", "1"]);
            let step = ["1", "64", "1000"][index % 3];
            let step = if log.len() > 20_000 { "1000" } else { step };
            for (what, got) in [
                ("file", print(&plain, b"", &["--threads", "7", "--chunk-size", step, &plain])),
                ("stdin", print("-", &log, &["--threads", "2", "--chunk-size", step])),
                ("stdin as -", print("-", &log, &["-", "--threads", "1"])),
                ("gzip", print(&packed, b"", &["--threads", "2", "--chunk-size", step, &packed])),
                ("zstd", print(&packed_z, b"", &[&packed_z])),
                ("gzip by stdin", print("-", &gzip(&log), &["--threads", "7", "--chunk-size", "64"])),
            ] {
                if live && what.contains("z") {
                    continue;
                }
                same(&got.0, &expected.0, &format!("{name}, {command:?}, {what}"));
                assert_eq!(got.1, expected.1, "{name}, {command:?}, {what}: exit status");
            }
        }
    }
}

/// What a reading in two files must not change.
fn counts(inputs: &Discovery) -> String {
    let how = options(2, 1000);
    let keys = vec![Key::User, Key::Verb, Key::Code, Key::Stage, Key::Resource];
    let (_, outcome) = run(inputs, &how, &Summary { filter: Filter::default(), keys });
    let account = outcome.account;
    let (total, groups) = outcome.partial.finish();
    let groups: Vec<String> = groups
        .into_iter()
        .map(|(values, stats)| {
            let values: Vec<_> =
                values.into_iter().map(|v| v.map(|v| String::from_utf8_lossy(&v).into_owned())).collect();
            format!(
                "{values:?} {} {} {} {:?} {:?}",
                stats.count,
                stats.events,
                stats.bytes,
                stats.codes.sorted(),
                stats.latency.summary()
            )
        })
        .collect();
    format!(
        "{} {} {}\n{}\n{} {} {} {} {}",
        total.count,
        total.events,
        total.bytes,
        groups.join("\n"),
        account.bytes(),
        account.unfinished_requests,
        account.unpaired_halves,
        account.extra_responses,
        account.repeats(),
    )
}

#[test]
fn a_log_split_into_two_files_gives_the_same_counts() {
    let folder = scratch("roads-split");
    for (name, log) in logs() {
        let packed =
            auditq::input::decompress::Packing::of(&log).name().is_some() || auditq::input::decompress::is_utf16(&log);
        if packed {
            continue;
        }
        let starts: Vec<usize> =
            (1..log.len()).filter(|&at| log[at - 1] == b'\n' && is_definite_start(&log[at..])).collect();
        let path = put(&folder, "whole", &log);
        let expected = counts(&sources(vec![source("log", path.into(), true)]));
        for &cut in starts.iter().step_by(starts.len().div_ceil(60).max(1)) {
            let older = put(&folder, "audit.log.1", &log[..cut]);
            let newer = put(&folder, "audit.log", &log[cut..]);
            let split = sources(vec![source("a", older.into(), false), source("b", newer.into(), true)]);
            same(&counts(&split), &expected, &format!("{name} split at {cut}"));
        }
    }
}

#[test]
fn several_packed_files_read_the_same_by_every_road() {
    let folder = scratch("roads-several");
    let log = testdata("json/cluster.log");
    let lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').collect();
    let parts: Vec<Vec<u8>> = lines.chunks(lines.len().div_ceil(5)).map(<[_]>::concat).collect();
    let pack = |index: usize, part: &[u8]| match index {
        0 | 4 => gzip(part),
        1 => zstd(part),
        2 => part.to_vec(),
        _ => bzip2(part),
    };
    let put = |packed: bool| {
        let paths = parts.iter().enumerate().map(|(index, part)| {
            let content = if packed { pack(index, part) } else { part.clone() };
            source(&index.to_string(), put(&folder, &format!("{packed}-{index}"), &content).into(), false)
        });
        sources(paths.collect())
    };
    let (plain, packed) = (put(false), put(true));
    let expected = answers(&plain, &options(1, CHUNK));
    for threads in [1, 2, 3, 7] {
        for chunk in [64, 1000, 20_000, CHUNK] {
            let what = format!("{threads} threads, chunks of {chunk}");
            same(&answers(&plain, &options(threads, chunk)), &expected, &format!("{what}, plain"));
            same(&answers(&packed, &options(threads, chunk)), &expected, &format!("{what}, packed"));
        }
    }
}

#[test]
fn files_named_in_the_wrong_order_are_read_in_the_right_one() {
    let files = [
        "audit-2026-03-09T08-00-43.005.log.gz",
        "audit-2026-03-09T08-02-34.423.log",
        "audit-2026-03-09T08-04-33.930.log",
        "audit.log",
    ];
    let paths: Vec<String> = files.iter().map(|file| format!("testdata/rotated/{file}")).collect();
    let forward: Vec<&str> = paths.iter().map(String::as_str).collect();
    let backward: Vec<&str> = forward.iter().rev().copied().collect();
    for command in [&["summary", "-o", "json"][..], &["query", "-o", "json"], &["inspect", "-o", "json"], &["query"]] {
        let expected = auditq(&[command, &forward].concat(), b"");
        let got = auditq(&[command, &backward].concat(), b"");
        same(got.text(), expected.text(), "files of one log, newest first");
        assert_eq!(expected.code, Some(0), "{}", expected.stderr);
    }
    let whole = auditq(&["query", "-o", "json", "testdata/json/cluster.log"], b"");
    let parts = auditq(&[&["query", "-o", "json"][..], &backward].concat(), b"");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(parts.text()), sorted(whole.text()), "the story, whole and in files");
}

#[test]
fn halves_in_files_of_other_names_meet_in_any_order() {
    let folder = scratch("roads-halves");
    let log = testdata("legacy/1.7.log");
    let feeds: Vec<usize> = (0..log.len()).filter(|&at| log[at] == b'\n').map(|at| at + 1).collect();
    for &cut in &feeds {
        let (a, b) = (put(&folder, "one.txt", &log[..cut]), put(&folder, "two.txt", &log[cut..]));
        // Of two responses to one request the one read first counts, so codes are left out.
        let ask = |first: &str, second: &str| {
            let output = auditq(&["summary", "--by", "verb,resource,stage", "-o", "json", first, second], b"");
            let answer = output.json().remove(0);
            let count = |group: &Value| (group["verb"].clone(), group["resource"].clone(), group["requests"].clone());
            let groups: Vec<_> = answer["groups"].as_array().expect("groups").iter().map(count).collect();
            (groups, answer["totals"]["requests"].clone(), answer["evidence"]["unpairedHalves"].clone())
        };
        assert_eq!(ask(&a, &b), ask(&b, &a), "cut at {cut}");
    }
}

#[test]
fn a_packed_twin_is_read_once() {
    let folder = scratch("roads-twin");
    let log = testdata("json/v1beta1.log");
    put(&folder, "audit.log", &log);
    put(&folder, "audit.log.gz", &gzip(&log));
    put(&folder, "more/audit.log.zst", &zstd(&log));
    put(&folder, "more/audit.log", &log);
    let output = auditq(&["summary", "--events", "--by", "file", "-o", "json", folder.to_str().expect("UTF-8")], b"");
    let answer = output.json().remove(0);
    assert_eq!(answer["totals"]["events"], 30, "the same thirty events four times");
    assert_eq!(answer["evidence"]["files"], 1);
    for copy in ["/audit.log.gz", "/more/audit.log.zst", "/more/audit.log"] {
        assert!(output.stderr.contains(&format!("{copy} left out: the same as ")), "it is said: {}", output.stderr);
    }
}

#[test]
fn blocks_meet_at_records_wherever_the_window_ends() {
    // A value that spans lines for more than eight megabytes, then lines: the window grows to just where a line begins.
    let folder = scratch("roads-window");
    let line = testdata("json/cluster.log").split_inclusive(|&byte| byte == b'\n').next().expect("a line").to_vec();
    let block = 1 << 20;
    for window in [8_519_680usize, 8_519_679, 8_519_676] {
        let mut log = Vec::new();
        while log.len() < window - 64 {
            log.extend_from_slice(b"{\n \"a\": 1\n}\n");
        }
        let left = window - log.len();
        log.extend_from_slice(format!("{{\n \"a\":{}1\n}}\n", " ".repeat(left - 11)).as_bytes());
        assert_eq!(log.len(), window);
        for _ in 0..3000 {
            log.extend_from_slice(&line);
        }
        let path = put(&folder, "log", &log);
        let expected = whole(&log);
        let got: Reading = blocks(path.as_ref(), block);
        assert_eq!(got.found.len(), expected.found.len(), "window {window}");
        assert_eq!(got.evidence, expected.evidence, "window {window}");
    }
}

#[test]
fn a_pipe_with_one_huge_value_is_not_read_again_for_every_piece() {
    let item = testdata("json/pretty.json");
    let mut list = b"{\n\"kind\": \"EventList\",\n\"apiVersion\": \"audit.k8s.io/v1\",\n\"items\": [\n".to_vec();
    let end = item.windows(3).position(|w| w == b"\n}\n").expect("an end") + 2;
    let mut count = 0;
    while list.len() < 48 << 20 {
        list.extend_from_slice(&item[..end]);
        list.extend_from_slice(b",\n");
        count += 1;
    }
    list.truncate(list.len() - 2);
    list.extend_from_slice(b"\n]\n}\n");
    let reading = streamed(&list, true, 65_536, CHUNK);
    assert_eq!(reading.found.len(), count);
    assert_eq!(reading.bytes(), list.len() as u64);
}

#[test]
fn stages_and_halves_in_any_order_read_the_same_by_every_road() {
    let folder = scratch("roads-patchwork");
    let lines: Vec<Vec<u8>> = pool();
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    for round in 0..1000 {
        // Few ids and many repeats, so that everything meets everything.
        let from = below(lines.len() - 12);
        let log: Vec<u8> = (0..2 + below(24)).flat_map(|_| lines[from + below(12)].clone()).collect();
        let path = put(&folder, "log", &log);
        let packed = put(&folder, "log.gz", &gzip(&log));
        let one = |path: &str| sources(vec![source("log", path.into(), false)]);
        let unit = if round % 4 == 0 { Unit::Event } else { Unit::Request };
        let expected = answers(&one(&path), &Options { unit, ..options(1, CHUNK) });
        for (threads, chunk, road) in
            [(1, 1 + below(3000), &path), (2, 1 + below(3000), &path), (1, 1 + below(3000), &packed)]
        {
            let how = Options { unit, ..options(threads, chunk) };
            let what = format!(
                "round {round}, {threads} threads, chunks of {chunk}, {road}\n{}",
                String::from_utf8_lossy(&log)
            );
            same(&answers(&one(road), &how), &expected, &what);
        }
    }
}

/// Lines of a few requests in all formats that are joined.
fn pool() -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for name in ["legacy/1.6.log", "legacy/1.7.log", "legacy/oneline.log", "json/cluster.log", "json/v1alpha1.log"] {
        let log = testdata(name);
        lines.extend(log.split_inclusive(|&byte| byte == b'\n').take(30).map(<[u8]>::to_vec));
    }
    lines
}
