//! Events that collectors took apart come back as the server wrote them.
//!
//! Each test takes the lines of a log apart as one collector does and compares what is rebuilt, byte
//! for byte, with the line; captured exports are compared with what they are known to mean.

mod common;

use std::collections::BTreeSet;

use auditq::event::{OwnedOrigin, RawJson};
use auditq::parse::convert::convert;
use bumpalo::Bump;
use common::{shared_corpus, testdata};
use serde_json::{Map, Value, json};

/// The events of an object with their origins; none if its kind is not known.
fn converted(object: &str) -> Option<Vec<(String, OwnedOrigin)>> {
    let arena = Bump::new();
    let mut found = Vec::new();
    let known = convert(RawJson(object.as_bytes()), &arena, &mut |event, origin| {
        found.push((String::from_utf8(event.to_vec()).expect("UTF-8"), OwnedOrigin::from(origin)));
    });
    known.then_some(found)
}

fn only(object: &str) -> String {
    let mut events = converted(object).unwrap_or_else(|| panic!("not known: {object}"));
    assert_eq!(events.len(), 1, "{object}");
    events.remove(0).0
}

/// The lines of a test log.
fn lines(log: &str) -> Vec<String> {
    String::from_utf8(testdata(log)).expect("UTF-8").lines().map(str::to_owned).collect()
}

/// The members of a line as they stand there.
fn members(line: &str) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    RawJson(line.as_bytes()).members().map(|(name, value)| (text(name.raw()), text(value.0))).collect()
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn is_body(name: &str) -> bool {
    matches!(name, "requestObject" | "responseObject")
}

fn is_container(value: &str) -> bool {
    value.starts_with(['{', '['])
}

/// The value with all keys sorted and every string spelled anew, as a re-encoder in another language does.
fn encoded_anew(value: &str) -> String {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
                entries.sort_by(|one, other| one.0.cmp(&other.0));
                Value::Object(entries.into_iter().collect())
            }
            Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
            other => other,
        }
    }
    sorted(serde_json::from_str(value).expect("sound")).to_string()
}

/// Takes every line of a log apart and compares what is rebuilt with it.
fn round_trip(log: &str, least: usize, take_apart: impl Fn(&str) -> Option<String>) {
    let mut count = 0;
    for line in lines(log) {
        let Some(apart) = take_apart(&line) else { continue };
        assert_eq!(only(&apart), line, "{apart}");
        count += 1;
    }
    assert!(count >= least, "{log}: {count}");
}

#[test]
fn openshift_logging_overwrites_the_level_and_sorts() {
    let viaq = |line: &str| {
        let mut found = members(line);
        for (name, value) in &mut found {
            if !is_body(name) {
                *value = encoded_anew(value);
            }
        }
        let level = found.iter_mut().find(|(name, _)| name == "level").expect("a level");
        let kept = std::mem::replace(&mut level.1, "\"default\"".to_owned());
        found.push(("k8s_audit_level".to_owned(), kept));
        found.retain(|(name, _)| name != "timestamp");
        for name in ["@timestamp", "timestamp"] {
            found.push((name.to_owned(), "\"2026-03-09T08:00:00.123456789Z\"".to_owned()));
        }
        for name in ["hostname", "log_type", "log_source", "tag", "viaq_index_name", "source_type"] {
            found.push((name.to_owned(), "\"x\"".to_owned()));
        }
        found.push(("openshift".to_owned(), r#"{"cluster_id":"shop","sequence":1}"#.to_owned()));
        found.push(("kubernetes".to_owned(), r#"{"pod_name":"p"}"#.to_owned()));
        found.sort();
        Some(object(&found))
    };
    round_trip("json/cluster.log", 400, viaq);
    assert!(
        lines("json/cluster.log").iter().any(|line| line.contains("\"causes\"")),
        "lists of objects are sorted too"
    );
}

#[test]
fn alibaba_turns_lists_and_maps_into_text() {
    let sls = |line: &str| {
        let mut found = members(line);
        for (_, value) in found.iter_mut().filter(|(_, value)| is_container(value)) {
            *value = quoted(value);
        }
        for (name, value) in [("__time__", "\"1773043200\""), ("__source__", "\"10.0.0.9\""), ("__topic__", "\"\"")] {
            found.push((name.to_owned(), value.to_owned()));
        }
        found.sort();
        Some(object(&found))
    };
    round_trip("json/cluster.log", 400, sls);
    round_trip("json/v1beta1.log", 20, sls);
}

#[test]
fn tencent_wraps_the_text() {
    round_trip("json/cluster.log", 400, |line| {
        Some(format!(r#"{{"__SOURCE__":"10.0.0.9","LogJson":{}}}"#, quoted(line)))
    });
}

/// A line as columns of Log Analytics: names in another case, seven digits, no version.
fn columns(line: &str) -> Vec<(String, String)> {
    let mut found = members(line);
    found.retain(|(name, _)| name != "kind" && name != "apiVersion");
    for (name, value) in &mut found {
        *name = match name.as_str() {
            "auditID" => "AuditId".to_owned(),
            "requestURI" => "RequestUri".to_owned(),
            "sourceIPs" => "SourceIps".to_owned(),
            "requestReceivedTimestamp" => "RequestReceivedTime".to_owned(),
            "stageTimestamp" => "StageReceivedTime".to_owned(),
            name => name.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(name.chars().skip(1)).collect(),
        };
        if name.ends_with("Time") {
            *value = value.replace("Z\"", "0Z\"");
        }
    }
    found.insert(0, ("TenantId".to_owned(), "\"t\"".to_owned()));
    found.push(("PodName".to_owned(), "\"kube-apiserver-1\"".to_owned()));
    found.push(("Type".to_owned(), "\"AKSAudit\"".to_owned()));
    found
}

#[test]
fn azure_renames_columns() {
    round_trip("json/cluster.log", 400, |line| Some(object(&columns(line))));
    let as_text = |line: &str| {
        let mut found = columns(line);
        found.iter_mut().filter(|(_, value)| is_container(value)).for_each(|(_, value)| *value = quoted(value));
        Some(object(&found))
    };
    round_trip("json/cluster.log", 400, as_text);
}

#[test]
fn azure_answers_in_tables() {
    let all: Vec<String> = lines("json/cluster.log");
    let rows: Vec<Vec<(String, String)>> = all.iter().map(|line| columns(line)).collect();
    let names: BTreeSet<&str> = rows.iter().flatten().map(|(name, _)| name.as_str()).collect();
    let cell = |row: &[(String, String)], name: &str| {
        let value = row.iter().find(|(column, _)| column == name).map_or("null", |(_, value)| value);
        if is_container(value) { quoted(value) } else { value.to_owned() }
    };
    let cells = |row: &Vec<(String, String)>| names.iter().map(|name| cell(row, name)).collect::<Vec<_>>().join(",");
    let rows: Vec<String> = rows.iter().map(|row| format!("[{}]", cells(row))).collect();
    let columns: Vec<Value> = names.iter().map(|name| json!({"name": name, "type": "string"})).collect();
    let answer = format!(
        r#"{{"tables":[{{"name":"PrimaryResult","columns":{},"rows":[{}]}}]}}"#,
        Value::from(columns),
        rows.join(",\n")
    );
    let events: Vec<String> = converted(&answer).expect("known").into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, all);
}

#[test]
fn elastic_takes_the_dots_of_annotations() {
    let elastic = |line: &str| {
        let mut found = members(line);
        for (_, value) in found.iter_mut().filter(|(name, _)| name == "annotations") {
            let map: Map<String, Value> = serde_json::from_str(value).expect("a map");
            if map.keys().any(|key| key.split_once('/').is_some_and(|(_, name)| name.contains('.'))) {
                return None;
            }
            let map: Map<String, Value> = map.into_iter().map(|(key, value)| (key.replace('.', "_"), value)).collect();
            *value = Value::from(map).to_string();
        }
        found.sort();
        Some(format!(
            r#"{{"@timestamp":"2026-03-09T08:00:00Z","kubernetes":{{"audit":{}}},"user":{{"name":"x"}}}}"#,
            object(&found)
        ))
    };
    round_trip("json/cluster.log", 400, elastic);
}

/// The members of a line without bodies under dotted names, every value a string; and the line
/// without its bodies. None where dots could not say what they separate.
fn dotted(line: &str) -> Option<(Vec<(String, String)>, String)> {
    fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| flatten(&below(key), value, out)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(at, value)| flatten(&below(&at.to_string()), value, out))
            }
            Value::String(text) => out.push((path.to_owned(), text.clone())),
            other => out.push((path.to_owned(), other.to_string())),
        }
    }
    let mut found = members(line);
    found.retain(|(name, _)| !is_body(name));
    let without = object(&found);
    let mut flat = Vec::new();
    flatten("", &serde_json::from_str(&without).expect("sound"), &mut flat);
    let is_lossy = flat.iter().any(|(name, value)| value.is_empty() || name.contains("causes"));
    (!is_lossy && !without.contains("retryAfterSeconds") && !without.contains("\"user\":{}")).then_some((flat, without))
}

#[test]
fn dotted_names_are_put_together_again() {
    let mut count = 0;
    for (flat, line) in lines("json/cluster.log").iter().filter_map(|line| dotted(line)) {
        let fields: Vec<Value> =
            flat.iter().rev().map(|(name, value)| json!({"field": name, "value": value})).collect();
        assert_eq!(only(&json!({"results": [fields]}).to_string()), line);
        let prefixed = |value: fn(&String) -> Value| -> Map<String, Value> {
            flat.iter().map(|(name, text)| (format!("kubernetes.audit.{name}"), value(text))).collect()
        };
        assert_eq!(only(&Value::from(prefixed(|text| Value::from(text.clone()))).to_string()), line);
        let lists = prefixed(|text| json!([text]));
        if !flat.iter().any(|(name, _)| name.ends_with(".0")) {
            assert_eq!(only(&json!({"_id": "x", "fields": lists}).to_string()), line);
        }
        count += 1;
    }
    assert!(count > 200, "{count}");
}

/// An exported file as objects, whether it is an array, one object, or lines.
fn objects(log: &str) -> Vec<String> {
    let whole = RawJson(log.trim().as_bytes());
    let text = |value: RawJson<'_>| String::from_utf8(value.0.to_vec()).expect("UTF-8");
    match log.trim().as_bytes() {
        [b'[', ..] => whole.elements().map(text).collect(),
        _ if serde_json::from_str::<Value>(log).is_ok() => vec![text(whole)],
        _ => log.lines().map(str::to_owned).collect(),
    }
}

#[test]
fn exports_in_testdata_hold_lines_of_the_log() {
    let all: BTreeSet<String> = lines("json/cluster.log").into_iter().collect();
    for name in ["aks-audit", "aks-query", "sls", "cls", "elastic", "viaq", "insights"] {
        let export = String::from_utf8(testdata(&format!("envelope/{name}.json"))).expect("UTF-8");
        let events: Vec<_> = objects(&export).iter().filter_map(|object| converted(object)).flatten().collect();
        let same = events.iter().filter(|(event, _)| all.contains(event)).count();
        // Half of the answer of Insights is dotted, where bodies cannot be known, and CLS has whole texts.
        assert_eq!((events.len(), same), (8, if name == "insights" { 4 } else { 8 }), "{name}");
        assert!(events.iter().filter(|(_, origin)| origin.get().is_named()).count() >= 4, "{name}");
    }
}

#[test]
fn entries_of_gke_and_alerts_of_falco_agree_with_the_log() {
    let log: Vec<Value> =
        lines("json/cluster.log").iter().map(|line| serde_json::from_str(line).expect("sound")).collect();
    for (name, count, paths) in [
        (
            "gke",
            8,
            &[
                "/auditID",
                "/verb",
                "/stage",
                "/userAgent",
                "/objectRef",
                "/responseStatus/code",
                "/annotations",
                "/requestObject",
                "/responseObject",
                "/stageTimestamp",
                "/user/username",
                "/sourceIPs/0",
            ][..],
        ),
        ("falco", 3, &["/auditID", "/verb", "/user/username", "/objectRef/name", "/responseStatus/code"][..]),
    ] {
        let export = lines(&format!("envelope/{name}.json"));
        let events: Vec<_> = export.iter().filter_map(|entry| converted(entry)).flatten().collect();
        assert_eq!(events.len(), count, "{name}");
        for (event, origin) in &events {
            let event: Value = serde_json::from_str(event).expect("sound");
            let same = |one: &&Value| one["auditID"] == event["auditID"] && one["stage"] == "ResponseComplete";
            let expected = log.iter().find(same).expect("in the log");
            for path in paths {
                assert_eq!(event.pointer(path), expected.pointer(path), "{name} {path}");
            }
            assert!(origin.get().is_named() && origin.get().time.is_some());
        }
    }
}

/// A captured file.
fn captured(test: &str, path: &str) -> Option<String> {
    let corpus = shared_corpus(test)?;
    Some(std::fs::read_to_string(corpus.join(path)).unwrap_or_else(|error| panic!("{path}: {error}")))
}

#[test]
fn captured_gke_entries_agree_with_another_converter() {
    let Some(corpus) = shared_corpus("captured_gke_entries_agree_with_another_converter") else { return };
    let folder = corpus.join("envelopes/gke");
    let mut count = 0;
    for path in common::files_below(&folder.join("log_entries")) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let entry = std::fs::read_to_string(&path).expect("a readable file");
        let theirs = std::fs::read_to_string(folder.join("k8s_audit_events").join(&name)).expect("its pair");
        // Once by the text of the record, once by the structure that the Go client printed.
        let mut dumped: Value = serde_json::from_str(&entry).expect("sound");
        dumped.as_object_mut().expect("an object").remove("AuditPayload");
        for entry in [entry.trim().to_owned(), dumped.to_string(), dumped["Entry"].to_string()] {
            let ours: Value = serde_json::from_str(&only(&entry)).expect("sound");
            let theirs: Value = serde_json::from_str(&theirs).expect("sound");
            assert_eq!(normal(ours, true), normal(theirs, false), "{name}");
            count += 1;
        }
    }
    assert_eq!(count, 30);
}

/// An event without what the other converter decides otherwise than formats.md.
fn normal(mut event: Value, is_ours: bool) -> Value {
    let remove = |value: &mut Value, name: &str| {
        value.as_object_mut().and_then(|map| map.remove(name));
    };
    // v1beta1 for what is v1; a level that it always invents; the resource name for a URI, where ours
    // is a path; the one time twice, which would be a latency of nothing.
    for name in ["apiVersion", "level", "requestURI", "requestReceivedTimestamp"] {
        remove(&mut event, name);
    }
    // An attach that ended is for it one that started.
    if event["responseStatus"]["code"] == 101 {
        remove(&mut event, "stage");
    }
    let status = &mut event["responseStatus"];
    // It infers words for codes, and has kind and version of the Status that the server answered with.
    if status["message"].as_str().is_some_and(|text| text.ends_with("(inferred)")) {
        remove(status, "status");
        remove(status, "message");
    }
    remove(status, "kind");
    remove(status, "apiVersion");
    // The server leaves the core group out.
    if event["objectRef"]["apiGroup"] == "core" {
        remove(&mut event["objectRef"], "apiGroup");
    }
    for body in ["requestObject", "responseObject"] {
        assert!(!is_ours || event[body].get("@type").is_none(), "the type is Google's");
        if event[body].is_object() {
            remove(&mut event[body], "@type");
        }
    }
    event
}

#[test]
fn captured_entries_of_other_apis_are_no_events() {
    const PATH: &str = "envelopes/gke/khi-not-k8s-container-api-logentries.jsonl";
    let Some(log) = captured("captured_entries_of_other_apis_are_no_events", PATH) else { return };
    for line in log.lines() {
        assert_eq!(converted(line).expect("known").len(), 0);
    }
}

#[test]
fn captured_entries_in_the_shape_of_the_api() {
    let test = "captured_entries_in_the_shape_of_the_api";
    let Some(log) = captured(test, "envelopes/gke/khi-logentries.jsonl") else { return };
    let found: Vec<_> = log.lines().map(only).collect();
    assert_eq!(found.len(), 3);
    let first: Value = serde_json::from_str(found.first().expect("three")).expect("sound");
    assert_eq!(first["requestURI"], "/api/v1/namespaces/1-2-deployment-update/pods");
    assert_eq!(first["responseStatus"], json!({"metadata": {}, "code": 201}));
    assert_eq!(first["level"], "RequestResponse");
    assert_eq!(first["annotations"].as_object().expect("labels").len(), 5);
    let patch: Value = serde_json::from_str(found.get(1).expect("three")).expect("sound");
    assert_eq!(patch["objectRef"]["subresource"], "status");
    assert_eq!((patch["verb"].as_str(), patch.get("level")), (Some("patch"), None));

    let panther = captured(test, "envelopes/gke/panther-logentries.jsonl").expect("the same corpus");
    let (mut events, mut foreign) = (0, 0);
    for line in panther.lines() {
        let entry: Value = serde_json::from_str(line).expect("sound");
        let service = entry["protoPayload"]["serviceName"].as_str();
        let expected = service == Some("k8s.io");
        let found = converted(line).expect("known").len();
        assert_eq!(found, usize::from(expected), "{line}");
        if expected { events += 1 } else { foreign += 1 }
    }
    assert!(events > 30 && foreign > 5, "{events} {foreign}");
}

#[test]
fn captured_documents_of_openshift_logging() {
    for component in ["kubernetes", "openshift"] {
        let path = format!("envelopes/openshift-logging/viaq_audit_{component}.json");
        let Some(log) = captured("captured_documents_of_openshift_logging", &path) else { return };
        let (event, origin) = converted(log.trim()).expect("known").remove(0);
        let order = members(&event).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let expected = "kind apiVersion level auditID stage requestURI verb user sourceIPs userAgent objectRef \
                        responseStatus requestReceivedTimestamp stageTimestamp annotations";
        assert_eq!(order.join(" "), expected);
        assert!(event.contains(r#""level":"Metadata""#) && !event.contains('\n'));
        let origin = origin.get();
        assert_eq!(origin.cluster.expect("a cluster").to_str_lossy(), "d24a392b-dd87-4eb8-a1a9-7384423567e3");
        assert_eq!(origin.host.expect("a host").to_str_lossy(), "ip-10-0-187-180.us-east-2.compute.internal");
    }
}

#[test]
fn a_captured_answer_of_insights() {
    let Some(log) = captured("a_captured_answer_of_insights", "envelopes/eks/insights-get-query-results.json") else {
        return;
    };
    let answer: Value = serde_json::from_str(&log).expect("sound");
    assert_eq!(only(log.trim()), answer["results"][0][0]["value"].as_str().expect("a message"));
}
