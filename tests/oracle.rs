//! The slow, obvious reading of a log that the fast one must agree with, and proof that it is right itself.

mod common;

use std::path::Path;

use auditq::event::{Method, Rules, Text, request_info};
use common::{auditq, count_by, events, files_below, requests, shared_corpus, testdata, text};
use serde_json::Value;

#[test]
fn the_story_has_the_numbers_its_readme_tells() {
    let events = events(&testdata("json/cluster.log"));
    assert_eq!(events.len(), 440);
    let requests = requests(&events);
    assert_eq!(requests.len(), 220);
    let users = count_by(&requests, &["user", "username"]);
    assert_eq!(users["system:serviceaccount:monitoring:kube-state-metrics"], 176, "four of five");
    assert_eq!(users["<none>"], 4, "failed authentication has no user");
    let codes = count_by(&requests, &["responseStatus", "code"]);
    assert_eq!((codes["401"], codes["429"], codes["<none>"]), (4, 1, 1));
    let stages = count_by(&requests, &["stage"]);
    assert_eq!((stages["Panic"], stages["ResponseStarted"], stages["RequestReceived"]), (1, 6, 1));
}

#[test]
fn rotated_files_hold_the_story_once() {
    let files = ["audit-2026-03-09T08-02-34.423.log", "audit-2026-03-09T08-04-33.930.log", "audit.log"];
    let parts: Vec<u8> = files.iter().flat_map(|file| testdata(&format!("rotated/{file}"))).collect();
    assert!(testdata("json/cluster.log").ends_with(&parts), "all but the first part, which is compressed");
    assert_eq!(events(&parts).len(), 440 - 70);
}

#[test]
fn an_oracle_never_mistakes_damage_for_events() {
    assert_eq!(events(&testdata("broken/not-a-log.txt")).len(), 0);
    assert_eq!(events(&testdata("broken/cut-tail.log")).len(), 4);
    assert_eq!(events(&testdata("broken/hostile.log")).len(), 25);
}

#[test]
fn captured_logs_can_be_read_by_the_oracle() {
    let Some(corpus) = shared_corpus("captured_logs_can_be_read_by_the_oracle") else { return };
    let files = files_below(&corpus.join("events"));
    // Lines as a server wrote them; other files were rewritten by a collector, which renames keys.
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let lines = files
        .iter()
        .map(|file| (file, name(file)))
        .filter(|(_, name)| name.starts_with("v1") && name.ends_with(".jsonl"));
    let mut count = 0;
    for (file, _) in lines {
        for event in events(&std::fs::read(file).expect("a readable file")) {
            assert_ne!(text(&event, &["auditID"]), "<none>", "{}", file.display());
            count += 1;
        }
    }
    assert!(count > 0, "no event in {}", corpus.display());
}

/// Test and captured logs that are one JSON value a line, as the slow reading reads them.
fn json_lines() -> Vec<(String, Vec<u8>)> {
    let mut files = files_below(&common::root().join("testdata"));
    if let Some(corpus) = shared_corpus("json_lines") {
        files.extend(files_below(&corpus.join("events")));
    }
    let mut logs = Vec::new();
    for file in files {
        let log = std::fs::read(&file).expect("a readable file");
        let text = String::from_utf8_lossy(&log).into_owned();
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        // The slow reading has a recursion limit, and does not unwrap lists.
        let sound = lines.clone().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|value| is_event(&value)));
        if sound && lines.next().is_some() {
            logs.push((file.to_string_lossy().into_owned(), log));
        }
    }
    assert!(logs.len() >= 6, "{}", logs.len());
    logs
}

/// formats.md 0, rule 1 and 2.
fn is_event(value: &Value) -> bool {
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    let named = text("kind") == "Event" && text("apiVersion").starts_with("audit.k8s.io/");
    let stages = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];
    let levels = ["Metadata", "Request", "RequestResponse"];
    named || (value["auditID"].is_string() && stages.contains(&text("stage")) && levels.contains(&text("level")))
}

/// The value of a key as the JSON contract gives it.
fn key_of(event: &Value, key: &str) -> Value {
    let path: &[&str] = match key {
        "user" => &["user", "username"],
        "resource" => &["objectRef", "resource"],
        "namespace" => &["objectRef", "namespace"],
        "code" => &["responseStatus", "code"],
        "verb" => &["verb"],
        "stage" => &["stage"],
        "level" => &["level"],
        _ => panic!("{key}"),
    };
    let value = path.iter().fold(event, |value, step| &value[*step]);
    let absent = value == &Value::from("") && key != "verb" || value == &Value::from(0);
    if absent { Value::Null } else { value.clone() }
}

/// Counts by the keys, as a sorted list.
fn counted(events: &[Value], keys: &[&str]) -> Vec<(String, u64)> {
    let mut counts = std::collections::BTreeMap::new();
    for event in events {
        let values: Vec<Value> = keys.iter().map(|key| key_of(event, key)).collect();
        *counts.entry(Value::Array(values).to_string()).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

/// The groups of a summary, as a sorted list.
fn told(answer: &Value, keys: &[&str], unit: &str) -> Vec<(String, u64)> {
    let groups = answer["groups"].as_array().expect("groups");
    let mut groups: Vec<(String, u64)> = groups
        .iter()
        .map(|group| {
            let values: Vec<Value> = keys.iter().map(|key| group[*key].clone()).collect();
            (Value::Array(values).to_string(), group[unit].as_u64().expect("a count"))
        })
        .collect();
    groups.sort();
    groups
}

const KEYS: [&str; 7] = ["user", "verb", "resource", "stage", "level", "code", "namespace"];

#[test]
fn counts_of_events_are_those_of_the_slow_reading() {
    let mut sets: Vec<Vec<&str>> = KEYS.iter().map(|key| vec![*key]).collect();
    for (index, first) in KEYS.iter().enumerate() {
        sets.extend(KEYS[index + 1..].iter().map(|second| vec![*first, *second]));
    }
    sets.push(KEYS.to_vec());
    for (name, log) in json_lines() {
        let all = events(&log);
        for keys in &sets {
            let output = auditq(&["summary", "--events", "--by", &keys.join(","), "-o", "json", &name], b"");
            let answer = output.json().remove(0);
            assert_eq!(told(&answer, keys, "events"), counted(&all, keys), "{name} by {keys:?}");
            assert_eq!(answer["totals"]["events"], all.len(), "{name}");
            assert_eq!(answer["evidence"]["bytes"], log.len(), "{name}");
        }
    }
}

#[test]
fn counts_of_requests_are_those_of_the_slow_reading() {
    for (name, log) in json_lines() {
        if name.ends_with("duplicate-keys.log") || name.ends_with("hostile.log") {
            continue; // Their ids and times are odd on purpose; the slow reading compares them as text.
        }
        let all = events(&log);
        let slow = requests(&all);
        let output = auditq(&["summary", "--by", "user,verb,code,stage", "-o", "json", &name], b"");
        let answer = output.json().remove(0);
        assert_eq!(answer["totals"]["requests"], slow.len(), "{name}: distinct requests");
        assert_eq!(answer["totals"]["events"], all.len(), "{name}: every event belongs to a request");
        let keys = ["user", "verb", "code", "stage"];
        assert_eq!(told(&answer, &keys, "requests"), counted(&slow, &keys), "{name}");
    }
}

#[test]
fn latencies_are_those_of_the_slow_reading() {
    let log = testdata("json/cluster.log");
    let slow = requests(&events(&log));
    let micros = |event: &Value, key: &str| {
        let time = chrono::DateTime::parse_from_rfc3339(event[key].as_str().expect("a time")).expect("RFC 3339");
        time.timestamp_micros()
    };
    let long = |event: &Value| {
        let sub = event["objectRef"]["subresource"].as_str().unwrap_or_default();
        event["verb"] == "watch" || ["attach", "exec", "proxy", "log", "portforward"].contains(&sub)
    };
    let mut taken: Vec<i64> = slow
        .iter()
        .filter(|event| !long(event) && event["stage"] != "RequestReceived")
        .map(|event| micros(event, "stageTimestamp") - micros(event, "requestReceivedTimestamp"))
        .collect();
    taken.sort_unstable();
    let answer =
        auditq(&["summary", "--by", "format", "-o", "json", "testdata/json/cluster.log"], b"").json().remove(0);
    let told = &answer["groups"][0]["latencyUs"];
    assert_eq!(told["max"], *taken.last().expect("latencies"));
    for (name, percent) in [("p50", 50), ("p90", 90), ("p99", 99)] {
        let exact = taken[(taken.len() * percent).div_ceil(100) - 1];
        let found = told[name].as_i64().expect("a number");
        assert!(found >= exact && found - exact <= exact / 100, "{name}: {found} for {exact}");
    }
    let running = slow.iter().filter(|event| long(event)).count();
    assert_eq!(answer["totals"]["longRunning"], running);
}

#[test]
fn events_are_printed_as_the_bytes_they_were_read_as() {
    for (name, log) in json_lines() {
        let output = auditq(&["query", "--events", "-o", "json", &name], b"");
        let plain = log.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&log);
        let lines = plain.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        let expected: Vec<&[u8]> = lines.collect();
        let printed: Vec<&[u8]> = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
        assert_eq!(printed.len(), expected.len(), "{name}");
        for (printed, expected) in printed.iter().zip(&expected) {
            assert!(printed == expected, "{name}: {}", String::from_utf8_lossy(printed));
        }
        assert_eq!(output.code, Some(0), "{name}: {}", output.stderr);
    }
}

/// All events of a file, lists and pretty-printed values included, the slow way.
fn all_events(log: &[u8]) -> Vec<Value> {
    let log = log.strip_prefix(b"\xef\xbb\xbf").unwrap_or(log);
    let values = serde_json::Deserializer::from_slice(log).into_iter::<Value>();
    let values = values.map_while(Result::ok).flat_map(|value| match value["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![value],
    });
    values.filter(is_event).collect()
}

#[test]
fn objects_follow_from_the_url_as_the_server_recorded_them() {
    let mut files = vec![common::root().join("testdata/json/cluster.log")];
    if let Some(corpus) = shared_corpus("objects_follow_from_the_url") {
        files.extend(files_below(&corpus.join("events")));
        files.extend(
            files_below(&corpus.join("envelopes"))
                .into_iter()
                .filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("webhook"))),
        );
    }
    let mut compared = 0;
    for file in files {
        for event in all_events(&std::fs::read(&file).expect("a readable file")) {
            let (Some(uri), Some(verb)) = (event["requestURI"].as_str(), event["verb"].as_str()) else { continue };
            if !event["objectRef"].is_object() {
                continue;
            }
            compared += 1;
            compare_object(&event, uri, verb, &file.to_string_lossy());
        }
    }
    assert!(compared > 150, "{compared}");
}

fn compare_object(event: &Value, uri: &str, verb: &str, file: &str) {
    let http = match verb {
        "create" => "POST",
        "update" => "PUT",
        "patch" => "PATCH",
        "delete" | "deletecollection" => "DELETE",
        _ => "GET",
    };
    let arena = bumpalo::Bump::new();
    let method = Method::Http(Text::plain(http.as_bytes()));
    let info = request_info(method, Text::plain(uri.as_bytes()), Rules::Modern, &arena);
    let what = format!("{file}: {verb} {uri}");
    assert!(info.is_resource, "{what}");
    let shown = |text: Option<Text<'_>>| text.map(|text| text.to_str_lossy().into_owned()).unwrap_or_default();
    assert_eq!(shown(Some(info.verb)), verb, "{what}");
    let recorded = |key: &str| event["objectRef"][key].as_str().unwrap_or_default().to_owned();
    let (group, version) = (recorded("apiGroup"), recorded("apiVersion"));
    // 1.7 had no group of its own.
    let (group, version) = match version.rsplit_once('/') {
        Some((before, after)) => (before.to_owned(), after.to_owned()),
        None => (group, version),
    };
    let object = info.object;
    assert_eq!(shown(object.resource), recorded("resource"), "{what}");
    assert_eq!(shown(object.subresource), recorded("subresource"), "{what}");
    assert_eq!(shown(object.namespace), recorded("namespace"), "{what}");
    assert_eq!((shown(object.api_group), shown(object.api_version)), (group, version), "{what}");
    if verb != "create" || object.name.is_some() {
        assert_eq!(shown(object.name), recorded("name"), "{what}");
    }
}

#[test]
fn a_two_line_pair_is_one_request() {
    // formats.md A, as the documentation of Kubernetes 1.6 printed it.
    let log = br#"2017-03-21T03:57:09.106841886-04:00 AUDIT: id="c939d2a7-1c37-4ef1-b2f7-4ba9b1e43b53" ip="127.0.0.1" method="GET" user="admin" groups="\"system:masters\",\"system:authenticated\"" as="<self>" asgroups="<lookup>" namespace="default" uri="/api/v1/namespaces/default/pods"
2017-03-21T03:57:09.108403639-04:00 AUDIT: id="c939d2a7-1c37-4ef1-b2f7-4ba9b1e43b53" response="200"
"#;
    let event = auditq(&["query", "-o", "json"], log).json();
    assert_eq!(event.len(), 1);
    let event = &event[0];
    assert_eq!(event["verb"], "list");
    assert_eq!(event["objectRef"]["resource"], "pods");
    assert_eq!(event["objectRef"]["namespace"], "default");
    assert_eq!(event["responseStatus"]["code"], 200);
    assert_eq!(event["user"]["username"], "admin");
    assert_eq!(event["user"]["groups"], serde_json::json!(["system:masters", "system:authenticated"]));
    assert_eq!(event["annotations"]["auditq.io/format"], "legacy-two-line");
    assert_eq!(event["stage"], "ResponseComplete");
    let answer = auditq(&["summary", "--by", "verb,resource,namespace,code", "-o", "json"], log).json().remove(0);
    assert_eq!(answer["totals"]["requests"], 1);
    let group = &answer["groups"][0];
    assert_eq!((&group["verb"], &group["code"], &group["requests"]), (&"list".into(), &200.into(), &1.into()));
    assert_eq!(group["latencyUs"]["max"], 1561, "108403639 - 106841886 nanoseconds");
    assert_eq!(group["bytes"], log.len());
    for user_group in ["system:masters", "system:authenticated"] {
        let rows = auditq(&["query", "--group", user_group, "-o", "json"], log).json();
        assert_eq!(rows.len(), 1, "{user_group}");
    }
    let table = auditq(&["query", "-o", "wide"], log);
    assert!(table.text().contains("1.561"), "{}", table.text());
}

#[test]
fn captured_files_that_are_sound_are_read_without_damage() {
    let Some(corpus) = shared_corpus("captured_files_that_are_sound_are_read_without_damage") else { return };
    let mut files = files_below(&corpus.join("events"));
    files.extend(files_below(&corpus.join("legacy")));
    files.extend(files_below(&corpus.join("envelopes")).into_iter().filter(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("webhook") || name.starts_with("oc-")
    }));
    for file in files {
        let name = file.to_str().expect("UTF-8");
        let output = auditq(&["inspect", "-o", "json", name], b"");
        let answer = output.json().remove(0);
        assert_eq!(answer["evidence"]["damage"], serde_json::json!([]), "{name}");
        assert_eq!(output.code, Some(0), "{name}: {}", output.stderr);
        if !name.ends_with("fal_01_003.json") {
            assert_ne!(answer["files"][0]["events"], 0, "{name}");
        }
    }
}
