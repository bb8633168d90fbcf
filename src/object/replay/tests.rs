use serde_json::json;

use super::super::{DiffOptions, diff};
use super::*;

fn step(verb: &str, subresource: &str, request: Value, response: Value) -> Step {
    let some = |value: Value| (!value.is_null()).then_some(value);
    Step {
        verb: verb.to_owned(),
        subresource: subresource.to_owned(),
        code: Some(if verb == "create" { 201 } else { 200 }),
        request: some(request),
        response: some(response),
        ..Step::default()
    }
}

#[test]
fn what_was_not_answered_is_not_known_to_have_happened() {
    let object = json!({"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}});
    let unanswered = |verb: &str| Step { code: None, ..step(verb, "", Value::Null, Value::Null) };
    let created = step("create", "", object.clone(), object.clone());
    let read = step("get", "", Value::Null, object.clone());
    let steps = [created, unanswered("get"), unanswered("delete"), read, unanswered("update")];
    let versions = replay("", "configmaps", &steps);
    let known: Vec<bool> = versions.iter().map(|version| version.object.is_some()).collect();
    assert_eq!(known, [true, true, false, true, false]);
    assert!(versions.iter().all(|version| !version.gone));
}

#[test]
fn an_apply_takes_away_only_what_it_is_known_to_own() {
    let object =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data});
    let apply =
        |data: Value| with_query(step("patch", "", object(data), Value::Null), "fieldManager=kubectl&force=true");
    let update = step("update", "", object(json!({"a": "1", "c": "3"})), Value::Null);
    let by = |step: Step| Step { manager: Some("foo".to_owned()), ..step };
    let created = by(step("create", "", object(json!({"a": "1"})), Value::Null));
    let (first, second) = (apply(json!({"a": "1"})), apply(json!({"b": "2"})));
    let versions = replay("", "configmaps", &[created.clone(), first.clone(), second.clone()]);
    assert_eq!(versions[2].object.as_ref().unwrap()["data"], json!({"a": "1", "b": "2"}));
    let versions = replay("", "configmaps", &[created, first, by(update), second]);
    assert_eq!(versions[3].object.as_ref().unwrap()["data"], json!({"a": "1", "b": "2", "c": "3"}));
    assert!(matches!(&versions[3].source, Source::Reconstructed { how } if how.contains("managedFields")));
}

#[test]
fn the_status_of_a_custom_resource_is_kept_once_it_was_written_apart() {
    let object = |z: u32, phase: &str| json!({"kind": "Foo", "metadata": {"name": "x"}, "spec": {"z": z}, "status": {"phase": phase}});
    let created = step("create", "", object(0, "Ready"), object(0, "Ready"));
    let update = step("update", "", object(1, "Old"), Value::Null);
    let status = step("update", "status", object(0, "Ready"), Value::Null);
    let versions = replay("ex.io", "foos", &[created.clone(), update.clone()]);
    assert!(matches!(&versions[1].source, Source::Reconstructed { how } if how.contains("the status is assumed")));
    let versions = replay("ex.io", "foos", &[created, status, update]);
    assert_eq!(versions[2].object.as_ref().unwrap()["status"], json!({"phase": "Ready"}));
}

fn with_query(step: Step, query: &str) -> Step {
    Step { uri_query: query.to_owned(), ..step }
}

/// A deployment as the server would answer it.
fn answered(version: u32, spec: Value, metadata: Value, status: Value) -> Value {
    let mut all = json!({"name": "web", "namespace": "shop", "uid": "u-1", "resourceVersion": version.to_string(),
        "generation": version, "creationTimestamp": "2026-03-02T10:00:00Z"});
    all.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": all, "spec": spec, "status": status})
}

fn spec(replicas: u32, containers: Value) -> Value {
    json!({"replicas": replicas, "template": {"spec": {"containers": containers}}})
}

/// Everything that can happen to a deployment, each with what was sent and what was answered.
fn life() -> Vec<Step> {
    let sent = |spec: Value, metadata: Value| {
        let mut all = json!({"name": "web", "namespace": "shop"});
        all.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": all, "spec": spec})
    };
    let app = |image: &str| json!({"name": "app", "image": image});
    let side = json!({"name": "side", "image": "s:1"});
    let a = json!({"labels": {"a": "1"}});
    let ab = json!({"labels": {"a": "1", "b": "2"}});
    let bc = json!({"labels": {"a": "1", "c": "3"}});
    let ready = json!({"readyReplicas": 3, "conditions": [{"type": "Available", "status": "True"}]});
    vec![
        step(
            "create",
            "",
            sent(spec(1, json!([app("a:1")])), a.clone()),
            answered(1, spec(1, json!([app("a:1")])), a.clone(), json!({})),
        ),
        step(
            "update",
            "",
            sent(spec(2, json!([app("a:1")])), a.clone()),
            answered(2, spec(2, json!([app("a:1")])), a.clone(), json!({})),
        ),
        step(
            "patch",
            "",
            json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "a:2"}]),
            answered(3, spec(2, json!([app("a:2")])), a.clone(), json!({})),
        ),
        step(
            "patch",
            "",
            json!({"spec": {"replicas": 3}}),
            answered(4, spec(3, json!([app("a:2")])), a.clone(), json!({})),
        ),
        step(
            "patch",
            "",
            json!({"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "app"}, {"name": "side"}],
                "containers": [side]}}}}),
            answered(5, spec(3, json!([app("a:2"), side])), a.clone(), json!({})),
        ),
        with_query(
            step(
                "patch",
                "",
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"b": "2"}},
                    "spec": {"template": {"spec": {"containers": [app("a:3")]}}}}),
                answered(6, spec(3, json!([app("a:3"), side])), ab, json!({})),
            ),
            "fieldManager=argocd&force=true",
        ),
        with_query(
            step(
                "patch",
                "",
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"c": "3"}},
                    "spec": {"template": {"spec": {"containers": [app("a:3")]}}}}),
                answered(7, spec(3, json!([app("a:3"), side])), bc.clone(), json!({})),
            ),
            "fieldManager=argocd&force=true",
        ),
        step(
            "update",
            "scale",
            json!({"kind": "Scale", "spec": {"replicas": 5}}),
            json!({"kind": "Scale", "metadata": {}, "spec": {"replicas": 5}}),
        ),
        step("patch", "scale", json!({"spec": {"replicas": 4}}), Value::Null),
        step(
            "update",
            "status",
            json!({"metadata": {"labels": {}}, "spec": {}, "status": ready}),
            answered(10, spec(4, json!([app("a:3"), side])), bc.clone(), ready.clone()),
        ),
        step(
            "patch",
            "status",
            json!({"status": {"conditions": [{"type": "Progressing", "status": "False"}]}}),
            answered(
                11,
                spec(4, json!([app("a:3"), side])),
                bc,
                json!({"readyReplicas": 3, "conditions": [
                {"type": "Progressing", "status": "False"}, {"type": "Available", "status": "True"}]}),
            ),
        ),
        step("delete", "", Value::Null, json!({"kind": "Status", "status": "Success"})),
    ]
}

#[test]
fn what_was_sent_makes_what_was_answered() {
    let steps = life();
    let silent: Vec<Step> = steps.iter().map(|step| Step { response: None, ..step.clone() }).collect();
    let (recorded, made) = (replay("apps", "deployments", &steps), replay("apps", "deployments", &silent));
    for (index, (recorded, made)) in recorded.iter().zip(&made).enumerate() {
        assert_eq!(recorded.gone, made.gone, "{index}");
        assert!(matches!(made.source, Source::Reconstructed { .. }), "{index} {:?}", made.source);
        let (Some(recorded), Some(made)) = (&recorded.object, &made.object) else { continue };
        let mut recorded = recorded.as_ref().clone();
        if recorded["status"] == json!({}) {
            recorded = with_member(&recorded, "status", None);
        }
        let options = DiffOptions::default();
        assert_eq!(diff("deployments", made, &recorded, &options), [], "{index}");
    }
    assert!(made.last().unwrap().gone);
    assert_eq!(recorded.iter().filter(|version| version.source == Source::Recorded).count(), 10);
}

#[test]
fn what_did_not_happen_changes_nothing() {
    let object = json!({"metadata": {"name": "x"}, "data": {"a": "1"}});
    let mut replay = Replay::new("", "configmaps");
    replay.step(&step("create", "", object.clone(), object.clone()));
    let patch = json!({"data": {"a": "2"}});
    for nothing in [
        Step { code: Some(409), ..step("patch", "", patch.clone(), json!({"kind": "Status"})) },
        with_query(step("patch", "", patch.clone(), patch), "/api/v1/x?dryRun=All"),
        step("delete", "", json!({"kind": "DeleteOptions", "dryRun": ["All"]}), Value::Null),
        step("get", "", Value::Null, Value::Null),
        step("create", "exec", Value::Null, Value::Null),
    ] {
        let version = replay.step(&nothing);
        assert_eq!((version.object.as_deref(), version.gone), (Some(&object), false), "{nothing:?}");
    }
}

#[test]
fn what_was_not_logged_is_unknown_until_it_is_recorded_again() {
    let object = json!({"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}});
    let versions = replay(
        "",
        "configmaps",
        &[
            step("patch", "", json!({"data": {"a": "2"}}), Value::Null),
            step("update", "", object.clone(), Value::Null),
            step("update", "", Value::Null, Value::Null),
            step("get", "", Value::Null, object.clone()),
            step("patch", "", json!([{"op": "remove", "path": "/data/none"}]), Value::Null),
            step("patch", "finalizers", json!({}), Value::Null),
        ],
    );
    let known: Vec<bool> = versions.iter().map(|version| version.object.is_some()).collect();
    assert_eq!(known, [false, true, false, true, false, false]);
    let whys: Vec<String> = versions.iter().map(|version| format!("{:?}", version.source)).collect();
    assert!(whys[0].contains("not recorded before"), "{whys:?}");
    assert!(whys[2].contains("not logged"), "{whys:?}");
    assert!(whys[4].contains("could not be applied"), "{whys:?}");
}

#[test]
fn pods_are_bound_and_end_in_two_steps() {
    let pod = json!({"kind": "Pod", "metadata": {"name": "x"}, "spec": {}});
    let binding = json!({"kind": "Binding", "target": {"kind": "Node", "name": "node-1"}});
    let at_once = json!({"gracePeriodSeconds": 0});
    let eviction = json!({"kind": "Eviction", "deleteOptions": {}});
    let success = json!({"kind": "Status", "status": "Success"});
    let versions = replay(
        "",
        "pods",
        &[
            step("create", "", pod, Value::Null),
            step("create", "binding", binding, success.clone()),
            Step { time: Some("2026-03-02T10:00:00Z".to_owned()), ..step("create", "eviction", eviction, success) },
            step("delete", "", at_once, Value::Null),
        ],
    );
    let object = |index: usize| versions[index].object.as_deref().unwrap();
    assert_eq!(object(1)["spec"]["nodeName"], "node-1");
    assert_eq!(object(2)["metadata"]["deletionTimestamp"], "2026-03-02T10:00:00Z");
    assert!(!versions[2].gone && versions[3].gone);
}

#[test]
fn finalizers_hold_an_object() {
    let object = |finalizers: Value, deleted: bool| {
        let mut object = json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "x", "finalizers": finalizers}});
        if deleted {
            object["metadata"]["deletionTimestamp"] = "2026-03-02T10:00:00Z".into();
        }
        object
    };
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}});
    let steps = [
        step("create", "", object(json!(["a"]), false), object(json!(["a"]), false)),
        step("delete", "", Value::Null, object(json!(["a"]), true)),
        step("patch", "", patch, object(json!([]), true)),
        step("create", "", object(json!(["a"]), false), Value::Null),
    ];
    let gone = |steps: &[Step]| -> Vec<bool> {
        replay("", "persistentvolumeclaims", steps).iter().map(|version| version.gone).collect()
    };
    assert_eq!(gone(&steps), [false, false, true, false]);
    let silent = steps.map(|step| Step { response: None, time: Some("2026-03-02T10:00:00Z".to_owned()), ..step });
    assert_eq!(gone(&silent), [false, false, true, false]);
}

#[test]
fn what_takes_time_by_nature_is_not_gone_at_once() {
    let time = || Some("2026-03-02T10:00:00Z".to_owned());
    let gone = |resource: &str, options: Value| {
        let object = json!({"kind": if resource == "namespaces" { "Namespace" } else { "Deployment" }, "metadata": {"name": "x"}});
        let deleted = Step { time: time(), ..step("delete", "", options, Value::Null) };
        replay("", resource, &[step("create", "", object, Value::Null), deleted])[1].gone
    };
    assert!(!gone("namespaces", Value::Null));
    assert!(!gone("deployments", json!({"propagationPolicy": "Foreground"})));
    assert!(gone("deployments", json!({"propagationPolicy": "Background"})));
    assert!(gone("deployments", Value::Null));
    assert!(gone("pods", Value::Null), "it was never bound to a node");
}

#[test]
fn metadata_alone_is_of_use() {
    let object = json!({"kind": "Pod", "metadata": {"name": "x", "finalizers": ["a"]}, "spec": {"a": 1}});
    let partial = json!({"kind": "PartialObjectMetadata", "metadata": {"name": "x", "labels": {"l": "1"}}});
    let patch = json!({"metadata": {"finalizers": null}});
    let versions = replay("", "pods", &[step("create", "", Value::Null, object), step("patch", "", patch, partial)]);
    let expected = json!({"kind": "Pod", "metadata": {"name": "x", "labels": {"l": "1"}}, "spec": {"a": 1}});
    assert_eq!(versions[1].object.as_deref(), Some(&expected));
}
