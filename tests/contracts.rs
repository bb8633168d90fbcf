//! What auditq promises whoever runs it: exit status, what goes where, no harm from hostile logs, answers before the
//! end of a stream, and the cases that the field's reference tool gets wrong.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{auditq, gzip, put, root, scratch, testdata};
use serde_json::{Value, json};

/// One event as a server writes it, with the members that matter to a test.
fn event(id: usize, verb: &str, uri: &str, rest: &str) -> String {
    let received =
        format!("2026-03-09T08:{:02}:{:02}.{:06}Z", id / 60_000_000 % 60, id / 1_000_000 % 60, id % 1_000_000);
    format!(
        "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"id-{id}\",\
        \"stage\":\"ResponseComplete\",\"requestURI\":\"{uri}\",\"verb\":\"{verb}\",\"user\":{{\"username\":\"alice\"}},\
        \"sourceIPs\":[\"10.0.0.1\"],\"userAgent\":\"kubectl\"{rest},\"responseStatus\":{{\"metadata\":{{}},\"code\":200}},\
        \"requestReceivedTimestamp\":\"{received}\",\"stageTimestamp\":\"{received}\"}}\n"
    )
}

fn pod(name: &str) -> String {
    format!(",\"objectRef\":{{\"resource\":\"pods\",\"namespace\":\"shop\",\"name\":\"{name}\",\"apiVersion\":\"v1\"}}")
}

fn spawn(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_auditq"))
        .args(arguments)
        .current_dir(root())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary under test runs")
}

/// The lines of a stream as they come.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Far more than it takes; only a program that waits for the end of its input needs so long.
const PATIENCE: Duration = Duration::from_secs(30);

// Exit status.

#[test]
fn status_0_when_all_was_read() {
    for command in ["query", "summary", "inspect"] {
        let output = auditq(&[command, "testdata/json/cluster.log"], b"");
        assert_eq!(output.code, Some(0), "{command}: {}", output.stderr);
    }
}

#[test]
fn status_1_when_a_question_is_answered_no() {
    let none = [
        "query",
        "--exit-status",
        "--user",
        "alice@example.com",
        "--verb",
        "deletecollection",
        "testdata/json/cluster.log",
    ];
    assert_eq!(auditq(&none, b"").code, Some(1));
    let some = ["query", "--exit-status", "--user", "alice@example.com", "testdata/json/cluster.log"];
    assert_eq!(auditq(&some, b"").code, Some(0));
}

#[test]
fn status_2_when_nothing_could_be_read_or_asked() {
    for arguments in [
        &["query", "testdata/no-such-file.log"][..],
        &["summary", "testdata/no-such-file.log", "testdata/nor-this"],
        &["inspect", "testdata/no-such-file.log"],
        &["query", "--no-such-flag"],
        &["query", "--stage", "Finished", "testdata/json/cluster.log"],
        &["query", "--level", "Everything", "testdata/json/cluster.log"],
        &["query", "--code", "many", "testdata/json/cluster.log"],
        &["query", "-o", "xml", "testdata/json/cluster.log"],
        &["summary", "--by", "colour", "testdata/json/cluster.log"],
        &["summary", "--every", "soon", "testdata/json/cluster.log"],
        &["query", "--threads", "0", "testdata/json/cluster.log"],
        &["query", "--sort-by", "colour", "testdata/json/cluster.log"],
    ] {
        let output = auditq(arguments, b"");
        assert_eq!(output.code, Some(2), "{arguments:?}: {}", output.stderr);
        assert_eq!(output.text(), "", "{arguments:?}: no answer");
        assert!(
            output.stderr.contains("auditq") || output.stderr.contains("error"),
            "{arguments:?}: {}",
            output.stderr
        );
    }
}

#[test]
fn status_3_when_some_input_could_not_be_read() {
    for arguments in [
        &["summary", "testdata/no-such-file.log", "testdata/json/cluster.log"][..],
        &["summary", "testdata/broken/torn.log"],
        &["summary", "testdata/broken/cut.log.gz"],
        &["query", "testdata/broken/cut.log.gz"],
        &["inspect", "testdata/broken/cut.log.gz"],
        &["summary", "testdata/broken/trailing-garbage.log.gz"],
    ] {
        let output = auditq(arguments, b"");
        assert_eq!(output.code, Some(3), "{arguments:?}: {}", output.stderr);
        assert_ne!(output.text(), "", "{arguments:?}: answered all the same");
        assert!(output.stderr.contains("evidence incomplete"), "{arguments:?}: {}", output.stderr);
    }
}

#[test]
fn a_missing_file_among_good_ones_costs_only_itself() {
    let good = auditq(&["summary", "--by", "user", "-o", "json", "testdata/json/cluster.log"], b"").json().remove(0);
    let output =
        auditq(&["summary", "--by", "user", "-o", "json", "testdata/nothing.log", "testdata/json/cluster.log"], b"");
    let answer = output.json().remove(0);
    assert_eq!(answer["groups"], good["groups"]);
    assert_eq!(answer["evidence"]["complete"], false);
    assert!(output.stderr.contains("testdata/nothing.log: no such file or directory"), "{}", output.stderr);
}

#[cfg(unix)]
#[test]
fn a_directory_without_permission_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch("contracts-permission");
    put(&folder, "open/audit.log", &testdata("json/v1beta1.log"));
    put(&folder, "closed/audit.log", &testdata("json/v1beta1.log"));
    let closed = folder.join("closed");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).expect("our own folder");
    let readable = std::fs::read_dir(&closed).is_ok();
    let output = auditq(&["summary", folder.to_str().expect("UTF-8")], b"");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).expect("our own folder");
    if readable {
        return; // The superuser may read everything.
    }
    assert_eq!(output.code, Some(3));
    assert!(output.stderr.contains("permission denied"), "{}", output.stderr);
}

#[test]
fn an_empty_input_is_no_fault() {
    for (arguments, stdin) in [
        (&["summary", "testdata/broken/empty.log"][..], &b""[..]),
        (&["summary"], b""),
        (&["query"], b""),
        (&["inspect"], b""),
        (&["query"], &gzip(b"")),
        (&["summary", "-o", "json", "-"], b"\n\n"),
    ] {
        let output = auditq(arguments, stdin);
        assert_eq!(output.code, Some(0), "{arguments:?}: {}", output.stderr);
    }
}

#[test]
fn the_unfinished_last_line_of_a_live_file_is_no_fault() {
    let log = testdata("broken/cut-tail.log");
    let folder = scratch("contracts-live");
    let live = put(&folder, "audit.log", &log);
    let rotated = put(&folder, "old/audit.log.1", &log);
    for (arguments, stdin, status) in
        [(&["summary", &live][..], &b""[..], 0), (&["summary", &rotated], b"", 3), (&["summary"], &log, 0)]
    {
        let output = auditq(arguments, stdin);
        assert_eq!(output.code, Some(status), "{arguments:?}: {}", output.stderr);
    }
}

// What goes where.

#[test]
fn standard_output_holds_only_the_answer() {
    let folder = scratch("contracts-stdout");
    put(&folder, "audit.log", &testdata("broken/torn.log"));
    put(&folder, "audit.log.gz", &gzip(&testdata("broken/torn.log")));
    let path = folder.to_str().expect("UTF-8");
    // Notes, hints and errors all at once.
    let output = auditq(
        &["query", "-o", "json", "--verb", "gte,get,list,create,patch,update,watch", path, "testdata/nothing.log"],
        b"",
    );
    assert!(output.stderr.contains("hint") && output.stderr.contains("left out"), "{}", output.stderr);
    assert!(output.json().iter().all(|event| event["kind"] == "Event"));
    let table = auditq(&["query", path], b"");
    let mut rows = table.text().lines();
    assert!(rows.next().is_some_and(|header| header.contains("USER") && header.contains("VERB")));
    assert!(rows.all(|row| row.contains("2026-03-09")), "{}", table.text());
    let quiet = auditq(&["query", "--quiet", path], b"");
    assert!(!quiet.stderr.contains("note") && !quiet.stderr.contains("hint"), "{}", quiet.stderr);
    assert!(quiet.stderr.contains("evidence incomplete"), "errors still show: {}", quiet.stderr);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = scratch("contracts-pipe");
    let log = testdata("json/cluster.log").repeat(40);
    let path = put(&folder, "audit.log", &log);
    for arguments in [&["query", "-o", "json", &path][..], &["query", &path], &["query", "--sort-by", "time", &path]] {
        let mut child = spawn(arguments);
        drop(child.stdin.take());
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("one line");
        drop(stdout);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!line.is_empty() && output.status.code().is_some(), "{arguments:?}: no signal");
        assert!(!said.contains("panic") && !said.contains("ipe"), "{arguments:?}: {said}");
    }
}

#[test]
fn the_first_row_of_a_stream_is_printed_before_its_end() {
    for (format, headers) in [("json", false), ("table", true), ("name", false)] {
        let mut child = spawn(&["query", "-o", format]);
        let mut stdin = child.stdin.take().expect("piped");
        let rows = lines(child.stdout.take().expect("piped"));
        for round in 0..3 {
            let name = format!("pod-{round}");
            let line = event(round, "get", &format!("/api/v1/namespaces/shop/pods/{name}"), &pod(&name));
            stdin.write_all(line.as_bytes()).expect("it reads");
            stdin.flush().expect("it reads");
            if round == 0 && headers {
                rows.recv_timeout(PATIENCE).expect("a header with the first row");
            }
            let row = rows.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("-o {format}: row {round} is held back"));
            assert!(row.contains(&name), "-o {format}: {row}");
        }
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
    }
}

#[test]
fn a_stream_of_pretty_printed_events_is_printed_as_it_comes() {
    let mut child = spawn(&["query", "-o", "json"]);
    let mut stdin = child.stdin.take().expect("piped");
    let rows = lines(child.stdout.take().expect("piped"));
    for round in 0..3 {
        let line = event(round, "get", "/api/v1/namespaces/shop/pods/web", &pod("web"));
        let value: Value = serde_json::from_str(&line).expect("an event");
        let pretty = serde_json::to_string_pretty(&value).expect("JSON") + "\n";
        stdin.write_all(pretty.as_bytes()).expect("it reads");
        let row = rows.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("row {round} is held back"));
        assert!(row.contains(&format!("id-{round}")), "{row}");
    }
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn limit_ends_a_stream_that_does_not() {
    let mut child = spawn(&["query", "-o", "json", "--limit", "2"]);
    let mut stdin = child.stdin.take().expect("piped");
    let rows = lines(child.stdout.take().expect("piped"));
    for round in 0..2 {
        let line = event(round, "get", "/api/v1/namespaces/shop/pods/web", &pod("web"));
        stdin.write_all(line.as_bytes()).expect("it reads");
        rows.recv_timeout(PATIENCE).expect("a row");
    }
    // The pipe is still open here; nothing more is needed for the answer.
    let _ = stdin.write_all(event(3, "get", "/", "").as_bytes());
    assert!(rows.recv_timeout(PATIENCE).is_err(), "two rows and no more");
    drop(stdin);
    child.wait().expect("it ends");
}

// Evidence.

#[test]
fn a_filter_does_not_change_the_account_of_the_evidence() {
    let folder = scratch("contracts-evidence");
    for log in ["json/cluster.log", "broken/torn.log", "broken/nul-block.log", "legacy/1.7.log", "json/klog-mixed.log"]
    {
        let path = put(&folder, "log", &testdata(log));
        let ask = |filter: &[&str]| {
            let all = [&["summary", "--by", "verb", "-o", "json"], filter, &[&path]].concat();
            auditq(&all, b"").json().remove(0)["evidence"].clone()
        };
        let whole = ask(&[]);
        for filter in [
            &["--verb", "delete"][..],
            &["--user", "nobody"],
            &["--failed"],
            &["--code", "200"],
            &["--since", "2030-01-01"],
            &["--events"],
            &["--stage", "Panic"],
            &["-r", "pods", "-n", "shop"],
        ] {
            assert_eq!(ask(filter), whole, "{log} with {filter:?}");
        }
    }
}

#[test]
fn the_account_adds_up_for_every_test_log() {
    for file in common::files_below(&root().join("testdata")) {
        let name = file.to_str().expect("UTF-8");
        let answer = auditq(&["inspect", "-o", "json", name], b"").json().remove(0);
        let files = answer["files"].as_array().expect("files");
        let mut sum = 0;
        for file in files {
            let buckets: u64 = file["bytesBy"].as_object().expect("buckets").values().filter_map(Value::as_u64).sum();
            assert_eq!(file["bytes"], buckets, "{name}");
            for bucket in ["event", "half", "other", "damaged", "blank"] {
                let (records, bytes) = (&file["records"][bucket], &file["bytesBy"][bucket]);
                assert_eq!(records == 0, bytes == 0, "{name}: {bucket}");
            }
            // A file of an archive has its own length.
            if file["compression"].is_null() && file["file"] == name && !name.contains("utf16") {
                assert_eq!(buckets, std::fs::metadata(name).expect("a file").len(), "{name}");
            }
            sum += buckets;
        }
        assert_eq!(answer["evidence"]["bytes"], sum, "{name}");
    }
}

// Hostile logs.

/// Whether text could do something to a terminal or to the reader of a line.
fn harmless(text: &str, what: &str) {
    for (at, character) in text.char_indices() {
        let bad = match character {
            '\n' => false,
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
                true
            }
            _ => false,
        };
        let line = || text.split_at(at).0.rsplit('\n').next().unwrap_or_default();
        assert!(!bad, "{what}: {character:?} behind {:?}", line());
    }
}

const PRINTERS: [&[&str]; 16] = [
    &["query"],
    &["query", "-o", "wide"],
    &["query", "-o", "csv"],
    &["query", "-o", "yaml"],
    &["query", "-o", "name"],
    &["query", "-o", "custom-columns=AGENT:.userAgent,URI:.requestURI,ID:.auditID,ALL:.user"],
    &["summary"],
    &["summary", "--by", "userAgent"],
    &["summary", "--by", "uri,user", "-o", "wide"],
    &["summary", "--by", "userAgent,uri,user,name", "-o", "csv"],
    &["summary", "--by", "group"],
    &["summary", "--by", "sourceIP,namespace,verb,resource"],
    &["summary", "--by", "stage,level,code", "-o", "csv"],
    &["inspect"],
    &["inspect", "-o", "csv"],
    &["query", "--sort-by", ".userAgent"],
];

#[test]
fn nothing_that_clients_choose_reaches_the_reader_unescaped() {
    for arguments in PRINTERS {
        for log in ["hostile", "invalid-utf8", "wrong-types", "duplicate-keys"] {
            let path = format!("testdata/broken/{log}.log");
            let output = auditq(&[arguments, &[&path]].concat(), b"");
            harmless(output.text(), &format!("{arguments:?} {log}"));
            harmless(&output.stderr, &format!("{arguments:?} {log}, messages"));
            assert_eq!(output.code, Some(0), "{arguments:?} {log}: {}", output.stderr);
        }
    }
}

#[test]
fn hostile_texts_in_the_text_formats_are_escaped_too() {
    let line = "2017-03-21T03:57:09.106841886-04:00 AUDIT: id=\"a\\x1b[2J\" stage=\"ResponseComplete\" ip=\"1.2.3.4\" \
        method=\"list\" user=\"\\x1b]0;x\\a=cmd\" groups=\"\\\"\\u202ea\\\"\" as=\"<self>\" asgroups=\"<lookup>\" \
        user-agent=\"\\n\\u2066x\\x9b31m\" namespace=\"\\u200bx\" uri=\"/api/v1/pods?\\x1b[1A\" response=\"200\"\n";
    for arguments in PRINTERS {
        let output = auditq(arguments, line.as_bytes());
        harmless(output.text(), &format!("{arguments:?}"));
        assert_eq!(output.code, Some(0), "{arguments:?}: {}", output.stderr);
    }
    let events = auditq(&["query", "-o", "json"], line.as_bytes()).json();
    assert_eq!(events[0]["user"]["username"], "\u{1b}]0;x\u{7}=cmd", "kept as data");
}

#[test]
fn names_of_files_and_values_of_flags_are_escaped_in_messages() {
    let output = auditq(&["query", "no\u{1b}[31m-such\u{202e}\nfile"], b"");
    harmless(&output.stderr, "a file name");
    assert_eq!(output.stderr.lines().filter(|line| line.starts_with("auditq:")).count(), output.stderr.lines().count());
    for flag in
        ["--verb", "--stage", "--user", "--code", "--since", "-o", "--sort-by", "--latency", "-r", "--source-ip"]
    {
        let output = auditq(&["query", flag, "x\u{1b}[2J\u{202e}y", "testdata/broken/empty.log"], b"");
        harmless(&output.stderr, flag);
    }
}

#[test]
fn a_spreadsheet_finds_no_formula() {
    let log: String = [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\\t=1",
        "\\r=1",
        " =1",
        "\\u003d1+1",
        "＝1",
        "=HYPERLINK(\\\"http://x\\\")",
    ]
    .iter()
    .enumerate()
    .map(|(id, text)| {
        event(id, text, &format!("/api/v1/pods/{text}"), "").replace("kubectl", text).replace("alice", text)
    })
    .collect();
    for arguments in [
        &["query", "-o", "csv"][..],
        &["summary", "--by", "user,verb,uri,userAgent", "-o", "csv"],
        &["summary", "--by", "group,name", "-o", "csv"],
    ] {
        let output = auditq(arguments, log.as_bytes());
        assert_eq!(output.code, Some(0));
        for cell in output.text().lines().flat_map(cells) {
            let start = cell.trim_start_matches(' ').chars().next().unwrap_or('x');
            let number = cell.parse::<f64>().is_ok();
            assert!(number || !"=+-@\t\r＝＋－＠".contains(start), "{arguments:?}: {cell}");
        }
    }
}

/// The cells of a CSV line (RFC 4180).
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                cells.last_mut().expect("a cell").push(characters.next().expect("a quote"))
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            _ => cells.last_mut().expect("a cell").push(character),
        }
    }
    cells
}

// Size.

#[test]
fn a_line_of_64_megabytes_is_answered() {
    let body = "x".repeat(64 << 20);
    let long = event(
        2,
        "create",
        "/api/v1/namespaces/shop/pods",
        &format!("{},\"requestObject\":{{\"a\":\"{body}\"}}", pod("big")),
    );
    let log = event(1, "get", "/api/v1/namespaces/shop/pods/a", &pod("a"))
        + &long
        + &event(3, "get", "/api/v1/namespaces/shop/pods/b", &pod("b"));
    let path = put(&scratch("contracts-long"), "audit.log", log.as_bytes());
    for (arguments, stdin) in [
        (&["summary", "--by", "name", "-o", "json", &path][..], &b""[..]),
        (&["summary", "--by", "name", "-o", "json"], log.as_bytes()),
    ] {
        let output = auditq(arguments, stdin);
        let answer = output.json().remove(0);
        assert_eq!(answer["totals"]["requests"], 3, "{}", output.stderr);
        assert_eq!(answer["evidence"]["bytes"], log.len());
        assert_eq!(output.code, Some(0));
    }
}

#[test]
fn a_thousand_files_are_answered() {
    let folder = scratch("contracts-files");
    for number in 0..1000 {
        let line = event(number, "get", "/api/v1/namespaces/shop/pods/a", &pod("a"));
        put(&folder, &format!("node-{number}/audit.log"), line.as_bytes());
    }
    for threads in ["1", "7"] {
        let output = auditq(
            &["summary", "--by", "verb", "-o", "json", "--threads", threads, folder.to_str().expect("UTF-8")],
            b"",
        );
        let answer = output.json().remove(0);
        assert_eq!((&answer["totals"]["requests"], &answer["evidence"]["files"]), (&json!(1000), &json!(1000)));
    }
}

// The cases the field's reference tool gets wrong (questions.md).

#[test]
fn case_01_a_line_of_70_kilobytes_loses_nothing() {
    let big = "y".repeat(70 << 10);
    let log: String = (0..1000)
        .map(|id| {
            let rest = if id == 500 { format!(",\"requestObject\":{{\"a\":\"{big}\"}}") } else { String::new() };
            event(id, "get", "/api/v1/namespaces/shop/pods/a", &(pod("a") + &rest))
        })
        .collect();
    let output = auditq(&["summary", "--by", "verb", "-o", "json"], log.as_bytes());
    assert_eq!(output.json()[0]["totals"]["events"], 1000);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
}

#[test]
fn case_02_many_distinct_uris_take_time_in_proportion() {
    let log: String = (0..40_000)
        .map(|id| {
            event(id, ["get", "list", "watch"][id % 3], &format!("/api/v1/namespaces/n{id}/pods/p{id}?x={id}"), "")
        })
        .collect();
    let output = auditq(&["summary", "--by", "verb", "-o", "json"], log.as_bytes());
    let answer = output.json().remove(0);
    let counts: Vec<_> = answer["groups"].as_array().expect("groups").iter().map(|group| &group["requests"]).collect();
    assert_eq!(counts, [13_334, 13_333, 13_333]);
    let by_uri = auditq(&["summary", "--by", "uri", "-o", "json"], log.as_bytes()).json().remove(0);
    assert_eq!(by_uri["groups"].as_array().expect("groups").len(), 40_000);
}

#[test]
fn case_03_a_needle_in_a_large_log_is_found_in_bounded_memory() {
    let filler: String = (0..2000)
        .map(|id| event(id, "get", "/api/v1/namespaces/shop/pods/a", &pod("a")).replace("alice", "bob"))
        .collect();
    let needle = event(999_999, "delete", "/api/v1/namespaces/shop/pods/a", &pod("needle"));
    let mut child = spawn(&["query", "--user", "alice", "--verb", "delete", "-o", "json", "--threads", "2"]);
    let mut stdin = child.stdin.take().expect("piped");
    let rows = lines(child.stdout.take().expect("piped"));
    for round in 0..60 {
        stdin.write_all(filler.as_bytes()).expect("it reads");
        if round == 30 {
            stdin.write_all(needle.as_bytes()).expect("it reads");
        }
    }
    stdin.flush().expect("it reads");
    let row = rows.recv_timeout(PATIENCE).expect("the needle");
    assert!(row.contains("needle"), "{row}");
    if let Some(peak) = peak_memory(child.id()) {
        assert!(peak < 150 << 10, "{peak} KiB for 56 MB read");
    }
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
}

/// The most memory a running process ever held, in KiB, where the system tells.
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn names(arguments: &[&str], log: &str) -> Vec<String> {
    let output = auditq(&[&["query", "-o", "json"], arguments].concat(), log.as_bytes());
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    output.json().iter().map(|event| event["auditID"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn case_04_subresources_of_cluster_scoped_objects_are_found() {
    let log = event(1, "get", "/api/v1/nodes/n1/proxy/pods", "") + &event(2, "get", "/api/v1/nodes/n1", "");
    for resource in ["nodes/proxy", "no/proxy", "*/proxy"] {
        assert_eq!(names(&["-r", resource], &log), ["id-1"], "{resource}");
    }
}

#[test]
fn case_05_a_resource_without_its_group_is_found() {
    let log =
        event(1, "get", "/apis/apps/v1/namespaces/shop/deployments/web", "") + &event(2, "get", "/api/v1/pods", "");
    for resource in ["deployments", "deploy", "deployment", "deployments.apps", "deploy/web"] {
        assert_eq!(names(&["--resource", resource], &log), ["id-1"], "{resource}");
    }
}

#[test]
fn case_06_the_creation_of_a_namespace_is_found_in_it() {
    let log = event(
        1,
        "create",
        "/api/v1/namespaces",
        ",\"objectRef\":{\"resource\":\"namespaces\",\"name\":\"team-a\",\"apiVersion\":\"v1\"}",
    ) + &event(
        2,
        "create",
        "/api/v1/namespaces",
        ",\"objectRef\":{\"resource\":\"namespaces\",\"namespace\":\"team-a\",\"name\":\"team-a\",\"apiVersion\":\"v1\"}",
    ) + &event(
        3,
        "create",
        "/api/v1/namespaces",
        ",\"objectRef\":{\"resource\":\"namespaces\",\"name\":\"team-b\",\"apiVersion\":\"v1\"}",
    );
    assert_eq!(names(&["-n", "team-a"], &log), ["id-1", "id-2"]);
    let story = auditq(
        &["query", "-n", "team-a", "--verb", "create", "-r", "namespaces", "-o", "json", "testdata/json/cluster.log"],
        b"",
    );
    assert_eq!(story.json().len(), 1);
}

#[test]
fn case_07_old_watch_paths_are_understood() {
    let log =
        event(1, "watch", "/api/v1/watch/namespaces/shop/pods", "") + &event(2, "watch", "/api/v1/watch/pods", "");
    assert_eq!(names(&["-n", "shop", "-r", "pods", "--verb", "watch"], &log), ["id-1"]);
    assert_eq!(names(&["-r", "pods"], &log), ["id-1", "id-2"]);
}

#[test]
fn case_08_a_session_still_open_is_shown() {
    let output = auditq(&["query", "-r", "pods/exec", "-o", "json", "testdata/json/cluster.log"], b"");
    assert!(output.json().iter().any(|event| event["stage"] == "ResponseStarted"), "{}", output.text());
}

#[test]
fn case_09_a_broken_escape_in_a_uri_is_data() {
    let log = event(1, "patch", "/api/v1/namespaces/shop/pods/a?fieldManager=%zz", "")
        + &event(2, "get", "/api/v1/namespaces/sh%op/pods/%zz", "");
    let output = auditq(&["summary", "--by", "user,uri,name", "-o", "json"], log.as_bytes());
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(output.json()[0]["groups"].as_array().expect("groups").len(), 2);
}

#[test]
fn case_10_codes_add_up_to_the_requests() {
    let answer = auditq(&["summary", "--by", "user", "-o", "json", "testdata/json/cluster.log"], b"").json().remove(0);
    let mut without = 0;
    for group in answer["groups"].as_array().expect("groups") {
        let codes: u64 = group["codes"].as_object().expect("codes").values().filter_map(Value::as_u64).sum();
        without += group["requests"].as_u64().expect("a count") - codes;
    }
    assert_eq!(without, 1, "only the patch whose completion never appears has no code");
}

#[test]
fn case_11_gzip_is_known_by_its_content() {
    let folder = scratch("contracts-gzip");
    let log = testdata("json/v1beta1.log");
    let path = put(&folder, "audit.log", &gzip(&log));
    let wrong = put(&folder, "plain.log.gz", &log);
    for path in [&path, &wrong] {
        let output = auditq(&["query", "--events", "-o", "json", path], b"");
        assert_eq!(output.stdout, log, "{path}");
        assert_eq!(output.code, Some(0));
    }
}

#[test]
fn case_12_a_file_beside_its_gzip_is_read_once() {
    let folder = scratch("contracts-twin");
    let log = testdata("json/v1beta1.log");
    put(&folder, "audit.log", &log);
    put(&folder, "audit.log.gz", &gzip(&log));
    let output = auditq(&["query", "--events", "-o", "json", folder.to_str().expect("UTF-8")], b"");
    assert_eq!(output.stdout, log);
    assert!(output.stderr.contains("left out"), "{}", output.stderr);
}

#[test]
fn case_13_standard_input_is_read() {
    let log = testdata("json/v1beta1.log");
    assert_eq!(auditq(&["query", "--events", "-o", "json", "-"], &log).stdout, log);
    assert_eq!(auditq(&["query", "--events", "-o", "json"], &log).stdout, log);
    let both = auditq(&["query", "--events", "-o", "json", "-", "testdata/json/v1alpha1.log"], &log);
    assert_eq!(both.stdout, [log, testdata("json/v1alpha1.log")].concat());
}

#[test]
fn case_14_what_can_match_nothing_is_said() {
    let hinted = auditq(&["query", "--verb", "lst", "testdata/json/cluster.log"], b"");
    assert!(hinted.stderr.contains("list"), "{}", hinted.stderr);
    let hinted = auditq(&["query", "-r", "deploymnets", "testdata/json/cluster.log"], b"");
    assert!(hinted.stderr.contains("deployments"), "{}", hinted.stderr);
    let missing = auditq(&["query", "no-such.log"], b"");
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("no such file"), "{}", missing.stderr);
    let bogus = auditq(&["query", "--decision", "bogus", "testdata/json/cluster.log"], b"");
    assert_eq!(bogus.code, Some(2), "{}", bogus.stderr);
}

#[test]
fn case_15_lists_and_relative_times_are_understood() {
    let rows = auditq(&["query", "-o", "json", "testdata/json/eventlist.json"], b"");
    assert!(rows.json().len() > 2, "{}", rows.text());
    for since in ["2h", "-2h", "2026-03-09", "yesterday"] {
        let output = auditq(&["query", "--since", since, "testdata/json/cluster.log"], b"");
        assert_eq!(output.code, Some(0), "--since {since}: {}", output.stderr);
    }
    let last = auditq(&["query", "--last", "2h", "-o", "json", "testdata/json/cluster.log"], b"");
    assert_eq!(last.json().len(), 220, "{}", last.stderr);
    assert!(Path::new("testdata/json/eventlist.json").exists());
}
