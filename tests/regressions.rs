//! Bugs that were found by use, each with the log that showed it.

mod common;

use common::auditq;

fn event(id: &str, user: &str, micros: usize, name: &str) -> String {
    format!(
        "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"{id}\",\
        \"stage\":\"ResponseComplete\",\"requestURI\":\"/api/v1/namespaces/n/secrets/{name}\",\"verb\":\"get\",\
        \"user\":{{\"username\":\"{user}\"}},\"objectRef\":{{\"resource\":\"secrets\",\"namespace\":\"n\",\"name\":\"{name}\",\
        \"apiVersion\":\"v1\"}},\"responseStatus\":{{\"metadata\":{{}},\"code\":200}},\
        \"requestReceivedTimestamp\":\"2026-01-01T00:00:00.{micros:06}Z\",\
        \"stageTimestamp\":\"2026-01-01T00:00:01.{micros:06}Z\"}}\n"
    )
}

/// Clients choose audit ids, and short ones that count up are the most natural choice.
#[test]
fn requests_with_short_ids_are_all_seen() {
    let log: String = (0..3000).map(|i| event(&i.to_string(), "u", i, "s")).collect();
    let answer = auditq(&["summary", "--by", "verb", "-o", "json"], log.as_bytes()).json().remove(0);
    assert_eq!(answer["totals"]["requests"], 3000);
    assert_eq!(answer["evidence"]["repeatedEvents"], 0);
}

/// One id, sent with two requests in the same microsecond, hides neither.
#[test]
fn a_shared_id_hides_no_request() {
    let log = [event("x", "alice", 1, "a"), event("x", "alice", 1, "b"), event("x", "bob", 1, "a")].concat();
    let output = auditq(&["query", "--no-headers", "-o", "name"], log.as_bytes());
    assert_eq!(output.text().lines().count(), 3);
}

/// A repeat of a request with another end leaves no trace, and a group of few requests stays exact however often
/// they are repeated.
#[test]
fn a_repeat_is_neither_the_longest_nor_the_last() {
    let first: String = (0..100).map(|i| event(&format!("id-{i}"), "u", i, "s")).collect();
    let later = first.replace("\"stageTimestamp\":\"2026-01-01T00:00:01.", "\"stageTimestamp\":\"2026-01-01T00:00:09.");
    let log = first.clone() + &later + &later;
    for command in [&["summary", "--by", "user"][..], &["summary"], &["summary", "--by", "group"]] {
        let answer = |log: &str, step: &str| {
            let more = ["-o", "json", "--chunk-size", step];
            let mut answer = auditq(&[command, &more].concat(), log.as_bytes()).json().remove(0);
            let repeats = answer["evidence"]["repeatedEvents"].as_u64();
            // What was read of a repeat stays with its request.
            answer["evidence"] = serde_json::Value::Null;
            ["bytes", "events"].into_iter().for_each(|sum| remove(&mut answer, sum));
            (answer, repeats)
        };
        let (expected, none) = answer(&first, "1000000");
        assert_eq!(none, Some(0));
        for step in ["500", "40000", "1000000"] {
            assert_eq!(answer(&log, step), (expected.clone(), Some(200)), "{command:?} in steps of {step}");
        }
    }
}

/// What speaks for a refusal was refused: a repeat with another end does not count, and is no example.
#[test]
fn an_example_is_of_a_request_that_counts() {
    let refused = |id: &str| {
        event(id, "alice", 1, "s")
            .replace("\"code\":200}", "\"reason\":\"Forbidden\",\"code\":403}")
            .replace("01Z\"}\n", "01Z\",\"annotations\":{\"authorization.k8s.io/decision\":\"forbid\"}}\n")
    };
    let log = [event("aaaa-1", "alice", 1, "s"), refused("aaaa-1"), refused("bbbb-2")].concat();
    for step in ["200", "1000000"] {
        let output = auditq(&["denied", "-o", "json", "--chunk-size", step], log.as_bytes());
        let answer = output.text();
        assert!(answer.contains("\"exampleAuditID\":\"bbbb-2\"") && !answer.contains("aaaa-1"), "{answer}");
    }
}

/// Removes a member wherever it is.
fn remove(value: &mut serde_json::Value, name: &str) {
    match value {
        serde_json::Value::Object(members) => {
            members.remove(name);
            members.values_mut().for_each(|value| remove(value, name));
        }
        serde_json::Value::Array(elements) => elements.iter_mut().for_each(|value| remove(value, name)),
        _ => {}
    }
}

/// However many threads are ahead when the last row is found.
#[test]
fn a_limit_is_never_exceeded() {
    let log: String = (0..400).map(|i| event(&format!("id-{i}"), "u", i, "s")).collect();
    let path = std::env::temp_dir().join(format!("auditq-limit-{}.log", std::process::id()));
    std::fs::write(&path, &log).expect("the temporary directory takes files");
    let name = path.to_string_lossy();
    for _ in 0..20 {
        let output = auditq(
            &["query", "--limit", "3", "--no-headers", "--threads", "8", "--chunk-size", "700", "-o", "json", &name],
            b"",
        );
        assert_eq!(output.text(), log.lines().take(3).map(|line| format!("{line}\n")).collect::<String>());
    }
    std::fs::remove_file(&path).expect("the file is there");
}

/// A list of groups is not the head of an EventList.
#[test]
fn a_pretty_event_cut_at_a_bracket_is_damage() {
    let pretty =
        "{\n  \"kind\": \"Event\",\n  \"apiVersion\": \"audit.k8s.io/v1\",\n  \"user\": {\n    \"groups\": [\n";
    let whole = event("y", "u", 1, "s");
    let output = auditq(&["summary", "-o", "json"], format!("{pretty}{whole}").as_bytes());
    let answer = output.json().remove(0);
    assert_eq!(answer["evidence"]["records"]["damaged"], 1);
    assert_eq!(answer["totals"]["events"], 1);
    assert_eq!(output.code, Some(3));
}

/// Items of a list, one on each line, make no damage of the list's head.
#[test]
fn a_list_with_an_item_a_line_is_whole() {
    let head = "{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\",\"items\":[\n";
    let items = format!("{},\n{}", event("a", "u", 1, "s").trim_end(), event("b", "u", 2, "s"));
    let output = auditq(&["summary", "-o", "json"], format!("{head}{items}]}}\n").as_bytes());
    assert_eq!(output.json().remove(0)["totals"]["events"], 2);
    assert_eq!(output.code, Some(0));
}

/// A corrupt or hostile time is no time, and breaks nothing.
#[test]
fn times_at_the_ends_of_the_world_do_no_harm() {
    for time in ["1677-09-21T00:12:44", "2262-04-11T23:47:16", "0001-01-01T00:00:00", "9999-12-31T23:59:59"] {
        let odd = event("a", "u", 1, "s").replace("2026-01-01T00:00:00", time).replace("2026-01-01T00:00:01", time);
        let log = format!("{odd}{}", event("b", "u", 2, "s"));
        for arguments in [&["summary"][..], &["inspect"], &["summary", "--by", "day"], &["summary", "--every", "1h"]] {
            let output = auditq(arguments, log.as_bytes());
            assert_eq!(output.code, Some(0), "{time} {arguments:?}");
        }
    }
}

/// Only failed authentication ends at ResponseStarted; a watch without a user goes on.
#[test]
fn a_watch_without_a_user_ends_when_it_is_complete() {
    let stage = |stage: &str, code: u16| {
        event("w", "u", 1, "s")
            .replace("{\"username\":\"u\"}", "{}")
            .replace("\"get\"", "\"watch\"")
            .replace("ResponseComplete", stage)
            .replace(":200}", &format!(":{code}}}"))
    };
    let log = [stage("RequestReceived", 200), stage("ResponseStarted", 200), stage("ResponseComplete", 200)].concat();
    let stages = ["query", "--no-headers", "-o", "jsonpath={.stage}"];
    assert_eq!(auditq(&stages, log.as_bytes()).text(), "ResponseComplete\n");
    let open = auditq(&["summary", "-o", "json"], stage("ResponseStarted", 200).as_bytes()).json().remove(0);
    assert_eq!(open["evidence"]["unfinishedRequests"], 1);
    let refused = auditq(&["summary", "-o", "json"], stage("ResponseStarted", 401).as_bytes()).json().remove(0);
    assert_eq!(refused["evidence"]["unfinishedRequests"], 0);
}

/// A key that is there and empty is not absent.
#[test]
fn an_empty_user_name_is_not_an_absent_one() {
    let empty = event("a", "", 1, "s");
    let absent = event("b", "u", 2, "s").replace("{\"username\":\"u\"}", "{}");
    let swapped = empty.replace("\"kind\":\"Event\",", "").replacen('{', "{\"kind\":\"Event\",\"x\":1,", 1);
    for log in [format!("{empty}{absent}"), format!("{swapped}{absent}")] {
        let answer = auditq(&["summary", "--by", "user", "-o", "json"], log.as_bytes()).json().remove(0);
        let users: Vec<_> = answer["groups"].as_array().expect("groups").iter().map(|g| g["user"].clone()).collect();
        assert_eq!(users, [serde_json::Value::Null, "".into()]);
    }
}
