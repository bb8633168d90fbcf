//! What is no arrangement known here, and what is hostile.

use super::*;

fn converted(object: &str) -> (bool, Vec<String>) {
    let (arena, mut found) = (Bump::new(), Vec::new());
    let known = convert(RawJson(object.as_bytes()), &arena, &mut |event, _| {
        found.push(String::from_utf8_lossy(event).into_owned());
    });
    (known, found)
}

#[test]
fn foreign_objects_are_left_alone() {
    for object in [
        "{}",
        r#"{"ts":1700000000.1,"caller":"a.go:1","msg":"x","v":0,"auditID":"x"}"#,
        r#"{"log":"{\"auditID\":1}\n","stream":"stdout","time":"2024-05-01T00:00:00Z"}"#,
        r#"{"level":"warn","ts":"2026-11-21T23:35:16.799728Z","logger":"etcd-client"}"#,
        r#"{"kind":"Event","apiVersion":"v1","involvedObject":{"kind":"Pod"}}"#,
        // Rancher's own audit log.
        r#"{"auditID":"a","requestURI":"/v3","sourceIPs":["::1"],"user":{"name":"u"},"verb":"GET","stage":"RequestReceived"}"#,
        r#"{"results":[{"_raw":"{}"}]}"#,
        r#"{"results":[["a"]],"tables":[1],"Response":{},"fields":{"a":1},"output_fields":{"proc.name":"sh"}}"#,
        r#"{"tables":[{"columns":[]}]}"#,
        r#"{"kubernetes":{"pod_name":"p"},"message":"x"}"#,
        r#"{"Entry":{"Payload":"text"}}"#,
        r#"{"k8s_audit_level":"Metadata","level":"default"}"#,
    ] {
        assert_eq!(converted(object), (false, Vec::new()), "{object}");
    }
}

#[test]
fn a_sound_event_is_not_written_anew() {
    let event = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a","stage":"Panic"}"#;
    assert_eq!(converted(event), (false, Vec::new()));
}

#[test]
fn rows_of_columns_somebody_selected() {
    let (_, found) =
        converted(r#"{"auditid":"a","verb":"get","Odd":1,"User":{"groups":"one","username":"u"},"SourceIps":"::1"}"#);
    let expected = concat!(
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","verb":"get","#,
        r#""user":{"username":"u","groups":["one"]},"sourceIPs":["::1"]}"#
    );
    assert_eq!(found, [expected]);
    let (_, found) = converted(r#"{"AuditId":"a","Stage":"Panic","RequestObject":"skipped-too-big-size-object"}"#);
    assert_eq!(found, [r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"Panic"}"#]);
}

#[test]
fn bodies_keep_their_bytes() {
    let body = r#"{"a":123456789012345678901234567890,"a":1.10,"b":"<\/&","c":[1e999]}"#;
    let row = format!(r#"{{"AuditId":"a","Stage":"Panic","RequestObject":{body}}}"#);
    assert!(converted(&row).1.concat().ends_with(&format!(r#""requestObject":{body}}}"#)));
    let entry =
        format!(r#"{{"protoPayload":{{"serviceName":"k8s.io","request":{{"@type":"t",{}}}}}"#, body.trim_matches('{'));
    assert!(converted(&entry).1.concat().contains(body));
}

#[test]
fn what_google_says_of_a_request() {
    let entry = |rest: &str| {
        let object = format!(
            r#"{{"protoPayload":{{"serviceName":"k8s.io",{rest}}},"insertId":"i","timestamp":"2024-05-01T00:00:00Z"}}"#
        );
        converted(&object).1.concat()
    };
    let denied = entry(r#""status":{"code":7,"message":"PERMISSION_DENIED"},"authorizationInfo":[{"granted":false}]"#);
    assert!(denied.contains(r#""responseStatus":{"metadata":{},"code":403}"#), "{denied}");
    assert!(denied.contains(r#""annotations":{"authorization.k8s.io/decision":"forbid"}"#), "{denied}");
    assert!(denied.contains(r#""stage":"ResponseComplete""#) && denied.contains(r#""auditID":"i""#), "{denied}");
    assert!(denied.contains(r#""stageTimestamp":"2024-05-01T00:00:00.000000Z""#), "{denied}");
    assert!(denied.contains(r#""requestReceivedTimestamp":"2024-05-01T00:00:00.000000Z""#), "{denied}");
    assert!(!denied.contains("level"), "{denied}");
    let told = entry(r#""status":{"code":10,"message":"pods \"x\" already exists"}"#);
    assert!(
        told.contains(r#""responseStatus":{"metadata":{},"message":"pods \"x\" already exists","code":409}"#),
        "{told}"
    );
    let unknown = entry(r#""status":{"code":2}"#);
    assert!(!unknown.contains("\"code\""), "{unknown}");
}

#[test]
fn entries_in_bigquery() {
    let (_, found) = converted(
        r#"{"protopayload_auditlog":{"serviceName":"k8s.io","methodName":"io.k8s.core.v1.pods.get","requestJson":"{\"@type\":\"t\",\"a\":1.0}","resourceName":"core/v1/namespaces/n/pods/p"},"labels":{"authorization_k8s_io_decision":"allow"},"operation":{"id":"i","first":"true","last":"true"},"timestamp":"2024-05-01 00:00:00.125 UTC"}"#,
    );
    let expected = concat!(
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"i","stage":"ResponseComplete","#,
        r#""requestURI":"/api/v1/namespaces/n/pods/p","verb":"get","#,
        r#""objectRef":{"resource":"pods","namespace":"n","name":"p","apiVersion":"v1"},"#,
        r#""responseStatus":{"metadata":{},"code":200},"requestObject":{"a":1.0},"#,
        r#""requestReceivedTimestamp":"2024-05-01T00:00:00.125000Z","stageTimestamp":"2024-05-01T00:00:00.125000Z","#,
        r#""annotations":{"authorization.k8s.io/decision":"allow"}}"#
    );
    assert_eq!(found, [expected]);
}

#[test]
fn the_stage_is_that_of_the_operation() {
    for (operation, stage) in [
        (r#"{"id":"i","first":true,"last":true}"#, Some("ResponseComplete")),
        (r#"{"id":"i","last":true}"#, Some("ResponseComplete")),
        (r#"{"id":"i","first":true}"#, Some("ResponseStarted")),
        (r#"{"id":"i"}"#, None),
        ("{}", Some("ResponseComplete")),
        ("null", Some("ResponseComplete")),
    ] {
        let entry = format!(r#"{{"operation":{operation},"protoPayload":{{"serviceName":"k8s.io"}}}}"#);
        let event: serde_json::Value = serde_json::from_str(&converted(&entry).1.concat()).expect("sound");
        assert_eq!(event["stage"].as_str(), stage, "{operation}");
    }
}

#[test]
fn texts_are_handed_on_with_their_origin() {
    let answers = [
        r#"{"tables":[{"columns":[{"name":"Category"},{"name":"log_s"},{"name":"pod_s"},{"name":"_ResourceId"}],"rows":[["kube-audit","{}\n","p","/c"],["guard","x","p","/c"]]}]}"#,
        r#"{"results":[[{"field":"@message","value":"{}"},{"field":"@logStream","value":"p"},{"field":"@log","value":"1:/aws/eks//c/cluster"}]]}"#,
        r#"{"results":[[{"field":"@message","value":"{}"},{"field":"@logStream","value":"p"},{"field":"@log","value":"1:/aws/eks/c/cluster"}]]}"#,
        r#"{"LogJson":"{}","Source":"p"}"#,
    ];
    let expected = [vec!["p", "/c"], vec!["p"], vec!["p", "c"], vec!["p"]];
    for (answer, expected) in answers.into_iter().zip(expected) {
        let (arena, mut found) = (Bump::new(), Vec::new());
        let known = convert(RawJson(answer.as_bytes()), &arena, &mut |text, origin| {
            assert_eq!(text, b"{}");
            found.extend(origin.names().map(|name| name.to_str_lossy().into_owned()));
        });
        assert!(known);
        assert_eq!(found, expected, "{answer}");
    }
}

/// Values of every type, and text that looks like more than it is.
const ODD: [&str; 14] = [
    "null",
    "true",
    "-1e999",
    "99999999999999999999999999",
    "\"\"",
    "\"x\"",
    r#""{\"a\"""#,
    r#""[1]""#,
    r#""\ud800""#,
    "[]",
    "{}",
    "[[],{}]",
    r#"{"a":[{"b":"\u0000"}],"a":1}"#,
    r#"[["a",null]]"#,
];

/// Objects of every arrangement.
fn samples() -> Vec<String> {
    let event = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"default","auditID":"a","stage":"Panic","verb":"get","user":"{\"username\":\"u\"}","sourceIPs":"[]","objectRef":{"name":"n"},"responseStatus":{"code":"200","details":{"name":"x"}},"annotations":{"a_b/c":"d"},"k8s_audit_level":"Request","openshift":{"cluster_id":"c"}}"#;
    vec![
        event.to_owned(),
        r#"{"protoPayload":{"serviceName":"k8s.io","methodName":"io.k8s.core.v1.pods.exec.create","resourceName":"core/v1/namespaces/n/pods/p/exec","status":{"code":2,"message":"M"},"authenticationInfo":{"principalEmail":"u"},"authorizationInfo":[{"granted":true}],"requestMetadata":{"callerIp":"::1"},"request":{"fields":{"a":{"Kind":{"ListValue":{"values":[]}}}}},"response":{"kind":"Status","code":1}},"operation":{"id":"i","first":true},"labels":{"a":"b"},"resource":{"labels":{"cluster_name":"c"}},"timestamp":"t"}"#.to_owned(),
        r#"{"tables":[{"columns":[{"name":"AuditId"},{"name":"Stage"},{"name":"User"}],"rows":[["a","Panic","{}"]]}]}"#.to_owned(),
        r#"{"tables":[{"columns":[{"name":"log_s"},{"name":"pod_s"}],"rows":[["a","p"]]}]}"#.to_owned(),
        r#"{"results":[[{"field":"@message","value":"x"}],[{"field":"auditID","value":"a"},{"field":"user.extra.a.0","value":"b"},{"field":"sourceIPs.0","value":"c"}]]}"#.to_owned(),
        r#"{"Response":{"Results":[{"LogJson":"{}","Source":"s","Time":1}]}}"#.to_owned(),
        format!(r#"{{"kubernetes":{{"audit":{event}}},"@timestamp":"t","host":{{"name":"h"}}}}"#),
        r#"{"_id":"x","fields":{"kubernetes.audit.auditID":["a"],"kubernetes.audit.user.groups":["b"],"kubernetes.audit.annotations.a_b/c":["d"]}}"#.to_owned(),
        r#"{"output_fields":{"ka.auditid":"a","ka.target.name":"n","ka.response.code":"1"},"time":"t"}"#.to_owned(),
    ]
}

/// All texts that differ from a sample in one value, up to some levels deep.
fn variants(value: &serde_json::Value, out: &mut dyn FnMut(serde_json::Value)) {
    for odd in ODD {
        // What serde cannot hold stands in a word, which is replaced in the text.
        out(serde_json::Value::from(format!("odd:{odd}")));
    }
    match value {
        serde_json::Value::Object(map) => {
            for (name, inner) in map {
                variants(inner, &mut |changed| {
                    let mut map = map.clone();
                    map.insert(name.clone(), changed);
                    out(map.into());
                });
            }
        }
        serde_json::Value::Array(list) => {
            for (at, inner) in list.iter().enumerate() {
                variants(inner, &mut |changed| {
                    let mut list = list.clone();
                    list[at] = changed;
                    out(list.into());
                });
            }
        }
        _ => {}
    }
}

#[test]
fn values_of_any_type_do_no_harm() {
    let mut tried = 0;
    for sample in samples() {
        assert!(converted(&sample).0, "{sample}");
        let sample: serde_json::Value = serde_json::from_str(&sample).expect("sound");
        variants(&sample, &mut |variant| {
            let mut text = variant.to_string();
            for odd in ODD {
                text = text.replace(&serde_json::Value::from(format!("odd:{odd}")).to_string(), odd);
            }
            for event in converted(&text).1.iter().filter(|event| event.starts_with("{\"kind\"")) {
                let mut scanner = crate::parse::json::Scanner::new(event.as_bytes(), 0);
                assert!(scanner.value().is_ok() && scanner.position() == event.len(), "{text}\n{event}");
            }
            tried += 1;
        });
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn nesting_has_no_bottom() {
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let text = serde_json::to_string(&deep).expect("text");
    for value in [&deep, &text] {
        let (known, found) =
            converted(&format!(r#"{{"AuditId":"a","Stage":"Panic","User":{value},"RequestObject":{value}}}"#));
        assert!(known && found.concat().contains(&deep));
    }
    let entry = r#"{"protoPayload":{"serviceName":"k8s.io","request":{"fields":{"a":"#;
    let open = r#"{"Kind":{"StructValue":{"fields":{"a":"#.repeat(5000);
    let whole = format!("{entry}{open}1{}{}", "}}}}".repeat(5000), "}}}}");
    assert!(converted(&whole).0);
}
