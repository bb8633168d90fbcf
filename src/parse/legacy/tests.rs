//! Lines of every version, and what damage makes of them.

use super::*;
use crate::event::write_json;

const TAIL: &str = r#"groups="\"system:masters\",\"system:authenticated\"" as="<self>" asgroups="<lookup>" namespace="default" uri="/api/v1/namespaces/default/pods""#;
const ONE: &str = r#"2026-11-22T05:04:14.44+05:30 AUDIT: id="3c" stage="ResponseComplete" ip="10.0.0.9" method="create" user="o'brien \"the boss\" <ob@x>" groups="\"a\\\\b\",\"tab\\tgroup\"" as="alice" asgroups="\"dev\",\"system:authenticated\"" user-agent="evil \xff stage=\"Panic\" AUDIT: id=\"x\" 中" namespace="dev" uri="/api/v1/namespaces/dev/pods/web/exec?command=ls&stdin=true" response="101""#;

fn request_line() -> String {
    format!(r#"2017-03-21T03:57:09.106841886-04:00 AUDIT: id="c939" ip="127.0.0.1" method="GET" user="admin" {TAIL}"#)
}

const RESPONSE: &str = r#"2017-03-21T03:57:09.108403639-04:00 AUDIT: id="c939" response="200""#;

fn event<'a>(line: &'a str, arena: &'a Bump) -> Event<'a> {
    match read(line.as_bytes(), arena) {
        Some(Ok(Line::Event(record))) => whole(&record, arena),
        other => panic!("{line}: {other:?}"),
    }
}

fn whole<'a>(record: &Record<'a>, arena: &'a Bump) -> Event<'a> {
    let mut event = Event::empty(record.line, Format::OneLine);
    record.event(&mut event, None, arena);
    event
}

fn json(event: &Event<'_>) -> serde_json::Value {
    let mut out = Vec::new();
    write_json(event, &mut out);
    serde_json::from_slice(&out).expect("sound JSON")
}

fn problem(line: &str) -> (&'static str, usize) {
    match read(line.as_bytes(), &Bump::new()) {
        Some(Err(problem)) => (problem.reason, problem.at),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn two_lines_make_one_request() {
    let (arena, request) = (Bump::new(), request_line());
    let Some(Ok(Line::Request(half))) = read(request.as_bytes(), &arena) else { panic!("a request line") };
    let Some(Ok(Line::Response(answer))) = read(RESPONSE.as_bytes(), &arena) else { panic!("a response line") };
    assert_eq!((half.id, answer.id), ("c939".into(), "c939".into()));
    let pair = event_of_pair(half.record.line, Some((answer.code, answer.time)), &arena).expect("a pair");
    assert_eq!(pair.latency_ns(), Some(1_561_753));
    assert_eq!(pair.raw, request.as_bytes());
    assert!(pair.object_ref_derived);
    assert_eq!(
        json(&pair),
        serde_json::json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "c939",
            "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/default/pods", "verb": "list",
            "user": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
            "sourceIPs": ["127.0.0.1"],
            "objectRef": {"resource": "pods", "namespace": "default", "apiVersion": "v1"},
            "responseStatus": {"metadata": {}, "code": 200},
            "requestReceivedTimestamp": "2017-03-21T07:57:09.106841886Z",
            "stageTimestamp": "2017-03-21T07:57:09.108403639Z",
            "annotations": {"auditq.io/format": "legacy-two-line"}
        })
    );
}

#[test]
fn a_request_without_its_response() {
    let (arena, request) = (Bump::new(), request_line());
    let alone = event_of_pair(request.as_bytes(), None, &arena).expect("a request");
    assert_eq!((alone.stage, alone.code(), alone.latency_ns()), (Stage::RequestReceived, None, None));
    assert_eq!(alone.time(), alone.request_received);
    assert!(event_of_pair(RESPONSE.as_bytes(), None, &arena).is_none());
    assert!(event_of_pair(ONE.as_bytes(), None, &arena).is_none());
    assert!(event_of_pair(b"other", None, &arena).is_none());
}

#[test]
fn one_line_is_one_event() {
    let arena = Bump::new();
    let event = event(ONE, &arena);
    assert_eq!((event.stage_timestamp, event.exact_times, event.latency_ns()), (None, false, None));
    let agent = event.user_agent.expect("a user agent");
    assert!(agent.raw().starts_with(b"evil \xff stage=\"Panic\" AUDIT: id=\"x\""));
    assert_eq!(
        json(&event),
        serde_json::json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "3c",
            "stage": "ResponseComplete",
            "requestURI": "/api/v1/namespaces/dev/pods/web/exec?command=ls&stdin=true", "verb": "create",
            "user": {"username": "o'brien \"the boss\" <ob@x>", "groups": ["a\\b", "tab\tgroup"]},
            "impersonatedUser": {"username": "alice", "groups": ["dev", "system:authenticated"]},
            "sourceIPs": ["10.0.0.9"],
            "userAgent": "evil \u{fffd} stage=\"Panic\" AUDIT: id=\"x\" 中",
            "objectRef": {
                "resource": "pods", "namespace": "dev", "name": "web", "apiVersion": "v1", "subresource": "exec"
            },
            "responseStatus": {"metadata": {}, "code": 101},
            "requestReceivedTimestamp": "2026-11-21T23:34:14.440000Z",
            "annotations": {"auditq.io/format": "legacy-one-line"}
        })
    );
}

#[test]
fn placeholders_are_absence() {
    let line = r#"2026-11-21T23:09:37Z AUDIT: id="a" stage="RequestReceived" ip="<unknown>" method="get" user="<none>" groups="<none>" as="<self>" asgroups="<lookup>" user-agent="" namespace="<none>" uri="/version" response="<deferred>""#;
    let arena = Bump::new();
    let event = event(line, &arena);
    assert_eq!(event.user, User::default());
    assert_eq!((event.impersonated_user, event.source_ips), (None, None));
    assert_eq!((event.object_ref, event.object_ref_derived), (None, false));
    assert_eq!((event.response_status, event.user_agent), (None, None));
    assert_eq!(event.stage, Stage::RequestReceived);
}

#[test]
fn impersonation_with_and_without_groups() {
    for (groups, expected) in [("", None), ("<lookup>", None), (r#"\"a\", \"b\""#, Some(r#"["a","b"]"#))] {
        let line = format!(r#"AUDIT: id="a" ip="<nil>" method="POST" user="u" as="bob" asgroups="{groups}" uri="/x""#);
        let arena = Bump::new();
        let event = event_of_pair(line.as_bytes(), None, &arena).expect("a request");
        let bob = event.impersonated_user.expect("an impersonated user");
        assert_eq!(bob.username, Some("bob".into()));
        assert_eq!(bob.groups.map(|groups| std::str::from_utf8(groups.0).unwrap()), expected);
        assert_eq!((event.verb, event.source_ips), (Some("post".into()), None));
    }
}

#[test]
fn lost_spaces_other_orders_and_unknown_keys() {
    let line = r#"AUDIT:uri="/api/v1/nodes/n"method="get"new-key="AUDIT: id=\"no\""response="200"namespace="ns"id="a" (copied)"#;
    let arena = Bump::new();
    let event = event(line, &arena);
    // A 1.7 development build wrote no stage.
    assert_eq!((event.stage, event.code()), (Stage::ResponseComplete, Some(200)));
    assert_eq!((event.audit_id, event.time()), (Some("a".into()), None));
    // The URL names no namespace, so the line's own word stands.
    assert_eq!(event.object_ref.and_then(|object| object.namespace), Some("ns".into()));
}

#[test]
fn hosts_and_glog_headers() {
    let arena = Bump::new();
    let line = format!("master-0 {ONE}");
    assert_eq!(event(&line, &arena).origin.and_then(|origin| origin.host), Some("master-0".into()));
    let line = format!("I0406 12:34:56.789012   12345 audit.go:45] AUDIT: {}", ONE.split_once("AUDIT: ").unwrap().1);
    assert_eq!((event(&line, &arena).origin, event(&line, &arena).time()), (None, None));
    // A user agent before the real record is somebody else's line.
    let line = format!(r#"AUDIT: is enabled, AUDIT: {}"#, ONE.split_once("AUDIT: ").unwrap().1);
    assert_eq!(event(&line, &arena).code(), Some(101));
}

#[test]
fn what_is_no_record() {
    for line in [
        "",
        "I0406 12:34:56.789012 12345 audit.go:45] starting AUDIT: module",
        "AUDIT:",
        "AUDIT: id",
        r#"{"userAgent":"AUDIT: id=\"x\" method=\"GET\""}"#,
        r#"AUDIT: ="x""#,
    ] {
        assert!(read(line.as_bytes(), &Bump::new()).is_none(), "{line}");
    }
}

#[test]
fn problems_say_where() {
    assert_eq!(problem(r#"x AUDIT: method="GET""#), ("audit line without id", 2));
    assert_eq!(problem(r#"AUDIT: id="a" ip="b""#), ("audit line has neither method nor response", 0));
    assert_eq!(problem(r#"AUDIT: id="a" method="GET""#), ("audit line without uri", 0));
    assert_eq!(problem(r#"AUDIT: id="a" stage="Panic" response="500""#), ("audit line without method", 0));
    assert_eq!(problem(r#"AUDIT: id="a" uri="/x\""#), ("quoted value is not closed", 18));
    assert_eq!(problem(r#"AUDIT: id="a" method="GET" uri="/x" respo"#), ("audit line ends inside a key", 36));
    assert_eq!(problem("2017-03-21T03:57:09Z AUDIT: i"), ("audit line ends inside a key", 28));
    assert_eq!(problem("2017-03-21T03:57:09Z AUDIT:"), ("audit line without id", 21));
}

#[test]
fn two_records_on_one_line_can_be_parted() {
    let joined = format!("{RESPONSE}{ONE}");
    let (reason, at) = problem(&joined);
    assert_eq!((reason, at), (JOINED, RESPONSE.len()));
    let arena = Bump::new();
    let (first, second) = joined.split_at(at);
    assert!(matches!(read(first.as_bytes(), &arena), Some(Ok(Line::Response(_)))));
    assert_eq!(event(second, &arena).time(), Timestamp::parse(b"2026-11-21T23:34:14.44Z"));
}

/// No cut and no flipped byte may panic, and what is still read writes sound JSON.
#[test]
fn damage_never_panics() {
    let request = request_line();
    let samples = [request.as_str(), RESPONSE, ONE];
    let mut arena = Bump::new();
    for sample in samples {
        let sample = sample.as_bytes();
        for at in 0..sample.len() {
            check(&sample[..at], &arena);
            check(&sample[at..], &arena);
            for flip in [0x01, 0x20, 0x80, b'"' ^ sample[at], b'\\' ^ sample[at], b'%' ^ sample[at]] {
                let mut damaged = sample.to_vec();
                damaged[at] ^= flip;
                check(&damaged, &arena);
                arena.reset();
            }
        }
    }
}

/// What is read from lines in the server's own layout is what is read from any line.
#[test]
fn the_servers_layout_is_read_like_any_other() {
    let request = request_line();
    let mut answered = 0;
    for sample in [request.as_str(), RESPONSE, ONE] {
        for at in 0..sample.len() {
            for byte in *b"\"\\\n =\t0Z-a\x00\xff" {
                let mut text = format!("{sample}\n{RESPONSE}\n").into_bytes();
                text[at] = byte;
                answered += usize::from(agrees(&text));
                text.insert(at, b'"');
                agrees(&text);
                text.truncate(at);
                agrees(&text);
            }
        }
    }
    assert!(answered > 3000, "most changes inside values leave a line the server could have written");
}

fn agrees(text: &[u8]) -> bool {
    let arena = Bump::new();
    let answers = Level::available().into_iter().map(|level| {
        let mut reader = Reader { level, ..Reader::default() };
        // The second time the reader knows the second.
        let answers = [(); 2].map(|()| reader.read_own(text, &arena).map(|(line, end)| (format!("{line:?}"), end)));
        assert_eq!(answers[0], answers[1]);
        answers[0].clone()
    });
    let answers: Vec<_> = answers.collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "every level");
    let Some((found, end)) = answers[0].clone() else { return false };
    assert_eq!(memchr::memchr(b'\n', text), Some(end));
    assert_eq!(format!("{:?}", read(&text[..end], &arena).unwrap().unwrap()), found);
    true
}

fn check(line: &[u8], arena: &Bump) {
    if let Some(event) = event_of_pair(line, Some((Some(200), None)), arena) {
        json(&event);
    }
    match read(line, arena) {
        Some(Ok(Line::Event(record))) => {
            json(&whole(&record, arena));
        }
        Some(Err(problem)) => assert!(problem.at <= line.len()),
        _ => {}
    }
}
