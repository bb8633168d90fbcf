use super::*;
use crate::event::{Format, ObjectReference, RawJson, ResponseStatus, Stage, Text, Timestamp, User};

const RAW: &[u8] = br#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","vendor":{"zone":"b"}}"#;
const BODY: &str = r#"{"spec":{"replicas":0,"ratio":0.5,"template":null,"containers":[
    {"name":"web","image":"registry.example/web:1","privileged":true},
    {"name":"log","image":"registry.example/log:1"}],"empty":[],"a/b":"x\u0026y"}}"#;

fn some() -> Event<'static> {
    let mut event = Event::empty(RAW, Format::V1);
    event.stage = Stage::ResponseComplete;
    event.verb = Some("patch".into());
    event.user.username = Some("system:node:w1".into());
    event.user.groups = Some(RawJson(br#"["system:nodes","a\u0026b"]"#));
    event.user.extra = Some(RawJson(br#"{"scopes":["x","y"]}"#));
    event.source_ips = Some(RawJson(br#""10.0.0.1""#));
    event.user_agent = Some(Text::json(br"K\u00fcbe/1.2", true));
    event.object_ref = Some(ObjectReference {
        resource: Some("deployments".into()),
        name: Some("web".into()),
        ..ObjectReference::default()
    });
    event.response_status = Some(ResponseStatus { code: Some(409), ..ResponseStatus::default() });
    event.request_object = Some(RawJson(BODY.as_bytes()));
    event.annotations = Some(RawJson(br#"{"authorization.k8s.io/decision":"allow"}"#));
    event.request_received = Timestamp::parse(b"2026-03-01T23:30:00.000000Z");
    event.stage_timestamp = Timestamp::parse(b"2026-03-01T23:30:02.500000Z");
    event.exact_times = true;
    event
}

fn matches(text: &str) -> bool {
    Where::compile(text).unwrap_or_else(|error| panic!("{error}")).matches(&some())
}

fn fault(text: &str) -> QueryError {
    Where::compile(text).map(|_| ()).expect_err(text)
}

#[test]
fn what_is_true() {
    for text in [
        // Fields, text and lists.
        r#"verb == "patch" && 'patch' == verb"#,
        r#"verb != "get""#,
        r#"verb in ["get", "patch"] && !(verb in ["get"])"#,
        r#"verb == "get" || verb == "patch""#,
        r#"user.username.startsWith("system:") && user.username.endsWith("w1") && user["username"].contains("node")"#,
        r#"user.username > "system" && "a" < "b""#,
        r#""a&b" in user.groups && user.groups[1] == "a&b" && user.groups.size() == 2"#,
        r#"user.groups == ["system:nodes", "a&b"]"#,
        r#"userAgent == "Kübe/1.2" && size(userAgent) == 8"#,
        r#"userAgent.lowerAscii().matches(r"^kübe/\d")"#,
        r#"sourceIPs[0] == "10.0.0.1" && size(sourceIPs) == 1"#,
        r#"user.extra.scopes.exists(s, s == "y")"#,
        r#"annotations["authorization.k8s.io/decision"] == "allow""#,
        r#""authorization.k8s.io/decision" in annotations"#,
        r#"annotations.all(key, key.contains("/"))"#,
        r#"event.kind == "Event" && event.vendor.zone == "b" && event.verb == "patch""#,
        r#"apiVersion.startsWith("audit.k8s.io/")"#,
        // Numbers.
        "responseStatus.code >= 400 && responseStatus.code < 500",
        "responseStatus.code / 100 == 4 && responseStatus.code % 100 == 9",
        "1 == 1.0 && 1u == 1 && -1 < 0u && 0.1 + 0.2 > 0.3",
        "-9223372036854775808 < 0 && 0xff == 255 && 1e3 == 1000.0",
        r#"int("5") == 5 && double("1.5") == 1.5 && string(409) == "409" && uint(5) == 5u && bool("true")"#,
        // Bodies.
        "requestObject.spec.replicas == 0 && requestObject.spec.ratio < 1",
        r#"requestObject.spec["a/b"] == "x&y""#,
        "requestObject.spec.containers.exists(c, c.privileged == true)",
        r#"requestObject.spec.containers.filter(c, c.name == "web").size() == 1"#,
        r#"requestObject.spec.containers.map(c, c.name) == ["web", "log"]"#,
        r#"requestObject.spec.containers.map(c, c.name == "log", c.image)[0].endsWith(":1")"#,
        r#"requestObject.spec.containers.exists_one(c, c.name.startsWith("w"))"#,
        r#"requestObject.spec.containers.all(c, c.image.startsWith("registry.example/"))"#,
        r#"requestObject.spec.containers[0] == {"name": "web", "image": "registry.example/web:1", "privileged": true}"#,
        "requestObject.spec.empty.all(x, x > 1) && !requestObject.spec.empty.exists(x, x > 1)",
        // Times.
        r#"requestReceivedTimestamp >= timestamp("2026-03-01") && stageTimestamp < timestamp("2026-03-02T00:00:00Z")"#,
        r#"latency == duration("2.5s") && stageTimestamp - requestReceivedTimestamp == latency"#,
        r#"requestReceivedTimestamp + duration("1h") > timestamp("2026-03-02T00:00:00Z")"#,
        r#"requestReceivedTimestamp.getHours() == 23 && requestReceivedTimestamp.getHours("+02:00") == 1"#,
        "requestReceivedTimestamp.getDayOfWeek() == 0 && requestReceivedTimestamp.getMonth() == 2",
        "requestReceivedTimestamp.getDayOfMonth() == 0 && requestReceivedTimestamp.getDate() == 1",
        r#"latency.getMilliseconds() == 500 && int(requestReceivedTimestamp) > 1700000000"#,
        // Absence.
        "has(user.username) && !has(user.uid) && has(objectRef) && !has(impersonatedUser.username)",
        "has(requestObject.spec.template) && !has(requestObject.status.phase) && !has(responseObject)",
        r#"has(annotations["authorization.k8s.io/decision"])"#,
        "objectRef.namespace == null && impersonatedUser == null && objectRef != null",
        "requestObject.spec.template == null && requestObject.spec.nothing == null && null == null",
        r#"objectRef.namespace.orValue("none") == "none" && objectRef.?name.orValue("") == "web""#,
        // Faults that do not decide.
        r#"objectRef.namespace == "shop" || verb == "patch""#,
        r#"!(objectRef.namespace == "shop" && verb == "get")"#,
        "requestObject.spec.containers.exists(c, c.privileged)",
        // Types, choices, and the rest.
        r#"type(verb) == string && type(1) == int && type([]) == list && type(requestObject) == map"#,
        r#"verb == "patch" ? true : responseStatus.code / 0 == 1"#,
        r#"{"a": 1}["a"] == 1 && {"a": 1}.a == 1 && [1, 2][1] == 2 && 2 in [1, 2]"#,
        r#""a" + "b" == "ab" && [1] + [2] == [1, 2]"#,
        r#"requestObject.spec.replicas != "0""#,
        "true // and a comment",
        r#"b"\x61" == bytes("a")"#,
        "[[1, 2], [3]].exists(l, l.exists(x, x == 3))",
        r#".verb == "patch""#,
    ] {
        assert!(matches(text), "{text}");
    }
}

#[test]
fn what_is_false_or_a_fault() {
    for text in [
        r#"verb == "get""#,
        // What is not there is a fault, however it is turned.
        r#"objectRef.namespace == "shop""#,
        r#"objectRef.namespace != "shop""#,
        r#"!(objectRef.namespace == "shop")"#,
        "responseObject.spec.replicas == 0",
        r#"objectRef.namespace == "shop" || verb == "get""#,
        r#"objectRef.namespace == "shop" && verb == "patch""#,
        "requestObject.spec.containers.all(c, c.privileged)",
        r#"requestObject.spec.containers.filter(c, c.privileged).size() >= 0"#,
        "user.groups[2] == \"x\" || user.groups[-1] == \"x\"",
        // What does not go together.
        "requestObject.spec.replicas < \"1\"",
        "requestObject.spec.replicas.startsWith(\"0\")",
        "requestObject.spec.replicas",
        "requestObject",
        "responseStatus.code / (responseStatus.code - 409) == 1",
        "responseStatus.code + 9223372036854775807 > 0",
        "int(verb) == 0",
    ] {
        assert!(!matches(text), "{text}");
    }
}

#[test]
fn faults_point() {
    for (text, at, message) in [
        ("user.username > 5", 14, "`user.username` is text and `5` is a whole number: `>` does not go with them"),
        ("verb == \"a\" && usr.name == 1", 15, "an event has no field `usr`"),
        ("user.usernme == \"x\"", 5, "`user` has no field `usernme`"),
        ("verb.startswith(\"x\")", 5, "there is no function `.startswith(…)`"),
        ("verb", 0, "`verb` is text, not a yes or no"),
        ("verb == \"x\" || \"y\"", 15, "`\"y\"` is text, not a yes or no"),
        ("user", 0, "`user` is a group of fields, not a value"),
        ("verb == \"x\" &&\nstage", 15, "`stage` is text, not a yes or no"),
        ("1 / 0 == 1", 0, "`1 / 0` has no value"),
        ("verb.matches(\"a(\")", 13, "not a regular expression: unclosed group"),
        ("userAgent.matches(verb)", 18, "the regular expression must be written out here"),
        ("verb.size(1) == 1", 5, "`size` takes 0 arguments, not 1"),
        ("user.groups.exists(\"g\", true)", 19, "`exists` takes a name for the element first"),
        ("(verb == \"x\"", 12, "the expression ends where `)` should be"),
        ("verb == 99999999999999999999", 8, "`99999999999999999999` is not a number"),
        ("verb == 'x' verb", 12, "`verb` stands where the end, or an operator such as && or == should be"),
    ] {
        let error = fault(text);
        assert_eq!((error.at, error.message.as_str()), (at, message), "{text}");
    }
}

#[test]
fn faults_say_what_was_meant() {
    for (text, help) in [
        ("username == \"x\"", "did you mean `user.username`?"),
        ("namespace.startsWith(\"x\")", "did you mean `objectRef.namespace`?"),
        ("code > 3", "did you mean `responseStatus.code`?"),
        ("user_agent == \"x\"", "did you mean `userAgent`?"),
        ("latency > 5", "write a duration with its unit: duration(\"1s\")"),
        ("stageTimestamp > \"2026-03-01\"", "write timestamp(\"2026-03-01\")"),
        ("responseStatus.code == \"403\"", "write numbers without quotes"),
        ("verb = \"x\"", "write == to compare"),
        ("verb == \"x\" and true", "write && for both"),
        ("not true", "write ! for not"),
        ("user.groups.contains(\"x\")", "write \"element\" in list"),
        ("latency > 5s", "write duration(\"5s\")"),
    ] {
        assert_eq!(fault(text).help.as_deref(), Some(help), "{text}");
    }
}

#[test]
fn users_are_told_from_conditions() {
    let users = |text: &str| -> Option<Vec<String>> {
        let compiled = Where::compile(text).unwrap();
        Some(compiled.users()?.iter().map(|user| String::from_utf8_lossy(user).into_owned()).collect())
    };
    let some = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
    assert_eq!(users(r#"user.username == "a""#), some(&["a"]));
    assert_eq!(users(r#"verb == "get" && (true && user.username in ["b", "a"])"#), some(&["a", "b"]));
    assert_eq!(users(r#"user.username == "b" || user.username == "a""#), some(&["a", "b"]));
    assert_eq!(users(r#"user.username == "b" || verb == "get""#), None);
    assert_eq!(users(r#"user.username != "b""#), None);
    assert_eq!(users(r#"!(user.username == "b")"#), None);
}

#[test]
fn deep_and_long_expressions_are_refused_or_harmless() {
    for (open, close) in
        [("(", ")"), ("!", ""), ("-", ""), ("[", "]"), ("size(", ")"), ("{1:", "}"), ("true ? 1 : ", "")]
    {
        let text = format!("{}1{}", open.repeat(5000), close.repeat(5000));
        let error = fault(&text).message;
        assert!(error.contains("deeper") || error.contains("longer"), "{open}: {error}");
    }
    for chain in [" + 1", ".a", "[0]", ".orValue(1)", " == 1", " in [1]"] {
        let text = format!("requestObject{}", chain.repeat(3000));
        assert!(fault(&text).message.contains("deeper"), "{chain}");
    }
    for chain in [" || verb == \"x\"", " && verb == \"patch\""] {
        let text = format!("verb == \"patch\"{}", chain.repeat(3000));
        assert!(matches(&text), "{chain}");
    }
    assert!(fault(&"a".repeat(100_000)).message.contains("longer"));
}

#[test]
fn work_on_one_event_is_bounded() {
    let list = format!("{{\"l\":[{}0]}}", "0,".repeat(2000));
    let mut event = some();
    event.request_object = Some(RawJson(list.as_bytes()));
    let nested = "requestObject.l.all(a, requestObject.l.all(b, requestObject.l.all(c, \
                  requestObject.l.all(d, a + b + c + d == 0))))";
    assert!(!Where::compile(nested).unwrap().matches(&event));
    assert!(Where::compile("requestObject.l.all(a, a == 0)").unwrap().matches(&event));
    let doubling = "requestObject.l.map(a, requestObject.l.map(b, requestObject.l)).size() > 0";
    assert!(!Where::compile(doubling).unwrap().matches(&event));
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn nothing_made_of_tokens_panics() {
    let tokens = [
        "user",
        "username",
        "requestObject",
        "spec",
        "containers",
        "verb",
        "annotations",
        "latency",
        "x",
        "c",
        "event",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ".",
        ",",
        ":",
        "?",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "in",
        "1",
        "0",
        "2u",
        "1.5",
        "9223372036854775807",
        "\"a\"",
        "'",
        "b\"z\"",
        "r\"(\"",
        "true",
        "null",
        "has(",
        ".size()",
        ".exists(x, ",
        ".map(c, ",
        ".matches(\"a\")",
        "timestamp(",
        "duration(",
        "int(",
        "string(",
        "\\",
        "é",
        "\u{202e}",
        " ",
        ".orValue(",
        ".getHours(\"+01:00\")",
        "[0]",
        "requestObject.spec.containers",
    ];
    let (mut random, event, mut compiled) = (Random(42), some(), 0);
    for _ in 0..30_000 {
        let length = 1 + random.below(12);
        let text: String = (0..length).map(|_| tokens[random.below(tokens.len())]).collect();
        match Where::compile(&text) {
            Ok(found) => {
                compiled += 1;
                found.matches(&event);
                found.matches(&Event::empty(b"", Format::TwoLine));
            }
            Err(error) => assert!(error.at <= text.len() && !error.to_string().is_empty(), "{text}"),
        }
    }
    assert!(compiled > 20, "{compiled}");
}

#[test]
fn expressions_made_by_the_grammar_run() {
    fn make(random: &mut Random, depth: usize) -> String {
        if depth == 0 {
            let leaves = [
                "1",
                "-2",
                "1.5",
                "\"a\"",
                "verb",
                "requestObject.spec.containers",
                "requestObject.spec",
                "true",
                "null",
                "user.groups",
                "latency",
                "stageTimestamp",
                "annotations",
                "dyn(1)",
                "[]",
                "2u",
            ];
            return leaves[random.below(leaves.len())].to_owned();
        }
        let (a, b) = (make(random, depth - 1), make(random, depth - 1));
        match random.below(12) {
            0 => format!("({a} + {b})"),
            1 => format!("({a} == {b})"),
            2 => format!("(dyn({a}) < dyn({b}))"),
            3 => format!("[{a}, {b}]"),
            4 => format!("{{{a}: {b}}}"),
            5 => format!("(dyn({a}) && dyn({b}))"),
            6 => format!("dyn({a}).exists(x, dyn(x) == {b})"),
            7 => format!("dyn({a}).map(x, {b})"),
            8 => format!("(dyn({a}) ? {b} : {a})"),
            9 => format!("(dyn({a}) in dyn({b}))"),
            10 => format!("dyn({a})[dyn({b})]"),
            _ => format!("(dyn({a}) - dyn({b}))"),
        }
    }
    let (mut random, event, mut compiled) = (Random(7), some(), 0);
    for _ in 0..5_000 {
        let depth = 1 + random.below(3);
        let text = format!("dyn({})", make(&mut random, depth));
        if let Ok(found) = Where::compile(&text) {
            compiled += 1;
            found.matches(&event);
        }
    }
    assert!(compiled > 1000, "{compiled}");
}

#[test]
fn an_impersonated_user_is_read() {
    let mut event = some();
    event.impersonated_user = Some(User { username: Some("bob".into()), ..User::default() });
    assert!(Where::compile("impersonatedUser.username == \"bob\"").unwrap().matches(&event));
    assert!(!Where::compile("has(impersonatedUser.uid)").unwrap().matches(&event));
}

#[test]
fn keys_that_are_numbers_and_times_as_text() {
    assert!(super::Where::compile("{1: 2}[1] == 2").is_ok());
    assert!(super::Where::compile("annotations[1] == 'x'").is_err());
    assert!(super::Where::compile("string(timestamp('2026-03-09T08:00:00Z')) == '2026-03-09T08:00:00Z'").is_ok());
    assert_eq!(super::functions::time_text(1_500_000_000), "1970-01-01T00:00:01.5Z");
    assert_eq!(super::functions::time_text(10_000_000_000), "1970-01-01T00:00:10Z");
}

#[test]
fn faults_of_long_expressions_and_of_zones_are_pointed_at() {
    let refused = |text: &str| super::Where::compile(text).unwrap_err();
    let long = format!("{}verb = 1 || {}true", "level == \"é\" || ".repeat(30), "false || ".repeat(40));
    let error = refused(&long);
    assert!(error.value.chars().count() < 210 && error.value.starts_with('…') && error.value.ends_with('…'), "{error}");
    let zone = refused("requestReceivedTimestamp.getHours(\"Europe/Berlin\") == 9");
    assert!(zone.message.contains("no zone") && zone.help.unwrap().contains("+02:00"));
    assert!(super::Where::compile("requestReceivedTimestamp.getHours(\"-05:30\") == 9").is_ok());
}
