use super::super::{Checked, check};
use super::*;
use crate::event::{Format, ObjectReference, RawJson, ResponseStatus, User};

const NOW: &str = "2024-05-01T12:00:00Z";

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text.as_bytes()).unwrap()
}

fn some() -> Event<'static> {
    let mut event = Event::empty(b"", Format::V1);
    event.stage = Stage::ResponseComplete;
    event.level = Some("Metadata".into());
    event.audit_id = Some("id-1".into());
    event.verb = Some("patch".into());
    event.user.username = Some("alice".into());
    event.user.groups = Some(RawJson(br#"["devs","system:authenticated"]"#));
    event.impersonated_user = Some(User { username: Some("bob".into()), ..User::default() });
    event.source_ips = Some(RawJson(br#"["10.1.2.3"]"#));
    event.user_agent = Some("kubectl/v1.30.0 (linux/amd64)".into());
    event.request_uri = Some(Text::json(br"/apis/apps/v1/namespaces/shop/deployments/web?a=1\u0026b=2", true));
    event.object_ref = Some(ObjectReference {
        resource: Some("deployments".into()),
        api_group: Some("apps".into()),
        api_version: Some("v1".into()),
        namespace: Some("shop".into()),
        name: Some("web".into()),
        ..ObjectReference::default()
    });
    event.response_status = Some(ResponseStatus { code: Some(409), ..ResponseStatus::default() });
    event.annotations = Some(RawJson(br#"{"authorization.k8s.io/decision":"allow"}"#));
    event.request_received = Some(time("2024-05-01T11:00:00Z"));
    event.stage_timestamp = Some(time("2024-05-01T11:00:02Z"));
    event.exact_times = true;
    event
}

/// The spec with one flag set.
fn spec(flag: &str, value: &str) -> FilterSpec {
    let mut spec = FilterSpec::default();
    let one = |value: &str| Some(value.to_owned());
    match flag {
        "user" => spec.user.push(value.to_owned()),
        "group" => spec.group.push(value.to_owned()),
        "as" => spec.as_user.push(value.to_owned()),
        "verb" => spec.verb.push(value.to_owned()),
        "resource" => spec.resource.push(value.to_owned()),
        "namespace" => spec.namespace.push(value.to_owned()),
        "name" => spec.name.push(value.to_owned()),
        "stage" => spec.stage.push(value.to_owned()),
        "level" => spec.level.push(value.to_owned()),
        "code" => spec.code.push(value.to_owned()),
        "decision" => spec.decision.push(value.to_owned()),
        "source-ip" => spec.source_ip.push(value.to_owned()),
        "user-agent" => spec.user_agent.push(value.to_owned()),
        "uri" => spec.uri.push(value.to_owned()),
        "audit-id" => spec.audit_id.push(value.to_owned()),
        "annotation" => spec.annotation.push(value.to_owned()),
        "latency" => spec.latency.push(value.to_owned()),
        "since" => spec.since = one(value),
        "until" => spec.until = one(value),
        "around" => spec.around = one(value),
        "last" => spec.last = one(value),
        "failed" => spec.failed = true,
        _ => panic!("no flag {flag}"),
    }
    spec
}

fn checked(flag: &str, value: &str) -> Result<Checked, QueryError> {
    check(&spec(flag, value), time(NOW))
}

fn matches(flag: &str, value: &str, event: &Event<'_>) -> bool {
    checked(flag, value).unwrap().filter.matches(event)
}

/// Flag, a value that matches the event, a value that does not.
const PAIRS: &[(&str, &str, &str)] = &[
    ("user", "alice", "!alice"),
    ("group", "devs", "ops"),
    ("group", "!ops", "!devs"),
    ("as", "bob", "alice"),
    ("verb", "get,patch", "!patch"),
    ("resource", "deploy/web", "pods"),
    ("namespace", "shop", "sho"),
    ("name", "w*", "x*"),
    ("stage", "ResponseComplete", "Panic"),
    ("level", "Metadata", "Request"),
    ("code", "4xx", "5xx"),
    ("decision", "allow", "forbid"),
    ("source-ip", "10.0.0.0/8", "!10.0.0.0/8"),
    ("user-agent", "kubectl/*", "helm/*"),
    ("uri", "*a=1&b=2", "*a=1\\u0026b=2"),
    ("audit-id", "id-1", "id-2"),
    ("annotation", "authorization.k8s.io/decision=allow", "!authorization.k8s.io/decision"),
    ("latency", ">=2s", ">2s"),
    ("since", "1h", "30m"),
    ("until", "59m", "2024-05-01T11:00:02Z"),
    ("around", "2024-05-01T11:05:02Z", "2024-05-01T11:05:03Z"),
];

#[test]
fn every_flag_says_yes_and_no() {
    for (flag, yes, no) in PAIRS {
        assert!(matches(flag, yes, &some()), "--{flag} {yes}");
        assert!(!matches(flag, no, &some()), "--{flag} {no}");
    }
    assert!(matches("failed", "", &some()));
}

#[test]
fn an_empty_event_matches_only_negations() {
    let nothing = Event::empty(b"", Format::V1);
    for (flag, yes, no) in PAIRS {
        for value in [yes, no] {
            assert_eq!(matches(flag, value, &nothing), value.starts_with('!'), "--{flag} {value}");
        }
    }
    assert!(!matches("failed", "", &nothing));
}

#[test]
fn different_flags_mean_and() {
    let mut both = spec("user", "alice");
    both.verb = vec!["get".to_owned(), "patch".to_owned()];
    assert!(check(&both, time(NOW)).unwrap().filter.matches(&some()));
    both.code.push("200".to_owned());
    assert!(!check(&both, time(NOW)).unwrap().filter.matches(&some()));
}

#[test]
fn a_namespace_includes_its_own_object() {
    let mut event = some();
    let create =
        ObjectReference { resource: Some("namespaces".into()), name: Some("team-a".into()), ..Default::default() };
    event.object_ref = Some(create);
    assert!(matches("namespace", "team-a", &event));
    assert!(!matches("namespace", "!team-a", &event));
    assert!(!matches("namespace", "team-b", &event));
    event.object_ref = Some(ObjectReference { resource: Some("nodes".into()), name: Some("team-a".into()), ..create });
    assert!(!matches("namespace", "team-a", &event));
    assert!(matches("namespace", "", &event));
    assert!(matches("namespace", "<none>", &event));
    assert!(!matches("namespace", "", &some()));
}

#[test]
fn latency_needs_an_answered_short_request() {
    let mut event = some();
    event.verb = Some("watch".into());
    assert!(!matches("latency", "1ns", &event));
    event = some();
    event.stage = Stage::RequestReceived;
    assert!(!matches("latency", "<1h", &event));
    event = some();
    event.exact_times = false;
    assert!(!matches("latency", "<1h", &event));
}

#[test]
fn failed_counts_panics() {
    let mut event = some();
    event.response_status = None;
    assert!(!matches("failed", "", &event));
    event.stage = Stage::Panic;
    assert!(matches("failed", "", &event));
}

#[test]
fn what_the_driver_asks() {
    let empty = check(&FilterSpec::default(), time(NOW)).unwrap().filter;
    assert!(empty.is_empty() && empty.matches(&Event::empty(b"", Format::V1)));
    assert!(checked("stage", "Panic").unwrap().filter.selects_stage() && !empty.selects_stage());
    let mut last = checked("last", "2h").unwrap().filter;
    assert_eq!(last.last(), Some(7_200_000_000_000));
    assert!(!last.is_empty() && last.matches(&some()));
    last.set_since(time("2024-05-01T11:30:00Z"));
    last.set_since(time("2024-05-01T10:30:00Z"));
    assert!(!last.matches(&some()));
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&last);
}

#[test]
fn faults_and_hints() {
    for (flag, bad) in [
        ("decision", "deny"),
        ("stage", "responsecomplete"),
        ("level", "metadata"),
        ("code", "abc"),
        ("source-ip", "10.0.0.0/40"),
        ("since", "soon"),
        ("last", "x"),
        ("latency", "fast"),
        ("uri", "~["),
        ("user", ""),
    ] {
        let error = checked(flag, bad).unwrap_err();
        assert!(error.flag == format!("--{flag}") && error.help.is_some(), "{error}");
    }
    for (flag, odd) in [("verb", "delte"), ("resource", "deploymnts"), ("code", ">=400,<500"), ("since", "2030-01-01")]
    {
        assert_eq!(checked(flag, odd).unwrap().hints.len(), 1, "--{flag} {odd}");
    }
    assert_eq!(checked("verb", "delte,delte").unwrap().hints.len(), 1);
}
