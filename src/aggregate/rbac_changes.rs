//! Who changed roles and bindings, and what they then granted.
//!
//! The typed fields say who, when and which; what was granted is in the bodies, which are only there at
//! level Request or above. A patch is told by the object that came of it.

use serde::Deserialize;
use serde_json::Value;

use super::Seen;
use crate::event::{Event, RawJson, Text, Timestamp};

/// A change of a role or binding, wanted or made.
#[derive(Clone, Debug)]
pub struct Change {
    /// When it was asked for.
    pub time: Option<Timestamp>,
    /// By whom.
    pub user: Option<String>,
    /// As whom.
    pub impersonated: Option<String>,
    /// The verb.
    pub verb: String,
    /// Which type: `clusterroles.rbac.authorization.k8s.io`.
    pub resource: String,
    /// Its group.
    pub group: String,
    /// The object's namespace.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: Option<String>,
    /// The status code.
    pub code: Option<i32>,
    /// Its user agent.
    pub agent: Option<String>,
    /// Its audit id.
    pub audit_id: Option<String>,
    /// What the object grants; none where no body says so.
    pub grants: Option<Grants>,
}

/// What a role or binding says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// A role: its rules, each in a line.
    Rules(Vec<String>),
    /// A binding: the role, and the subjects.
    Binding(String, Vec<String>),
}

const GROUPS: [&[u8]; 2] = [b"rbac.authorization.k8s.io", b"authorization.openshift.io"];
const RESOURCES: [&[u8]; 4] = [b"roles", b"rolebindings", b"clusterroles", b"clusterrolebindings"];

/// Takes a note of a request that changes roles or bindings, done or refused.
pub fn note(seen: &Seen<'_, '_>) -> Option<Change> {
    let event = seen.event;
    let (object, verb) = (event.object_ref?, event.verb?);
    let writes = matches!(verb.raw(), b"create" | b"update" | b"patch" | b"delete" | b"deletecollection");
    let (group, resource) = (object.api_group?, object.resource?);
    if !writes || !GROUPS.contains(&group.raw()) || !RESOURCES.contains(&resource.raw()) {
        return None;
    }
    let text = |text: Option<Text<'_>>| text.map(|text| text.to_str_lossy().into_owned());
    Some(Change {
        time: event.start(),
        user: text(event.user.username),
        impersonated: text(event.impersonated_user.and_then(|user| user.username)),
        verb: verb.to_str_lossy().into_owned(),
        resource: resource.to_str_lossy().into_owned(),
        group: group.to_str_lossy().into_owned(),
        namespace: text(object.namespace),
        name: text(object.name),
        code: event.code(),
        agent: text(event.user_agent),
        audit_id: text(event.audit_id),
        grants: grants(event),
    })
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    rules: Option<Vec<Value>>,
    subjects: Option<Vec<Value>>,
    role_ref: Option<Value>,
}

/// What the object says after the change, else what was sent.
fn grants(event: &Event<'_>) -> Option<Grants> {
    let bodies = [event.response_object, event.request_object];
    bodies.into_iter().flatten().find_map(of_body)
}

fn of_body(body: RawJson<'_>) -> Option<Grants> {
    let body: Body = serde_json::from_slice(body.0).ok()?;
    if let Some(role) = body.role_ref {
        let subjects = body.subjects.unwrap_or_default().iter().map(subject).collect();
        return Some(Grants::Binding(format!("{} {}", word(&role, "kind"), word(&role, "name")), subjects));
    }
    Some(Grants::Rules(body.rules?.iter().map(rule).collect()))
}

fn word(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn subject(value: &Value) -> String {
    let (kind, name, namespace) = (word(value, "kind"), word(value, "name"), word(value, "namespace"));
    if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}

fn rule(value: &Value) -> String {
    let list = |key: &str| {
        let words = value.get(key).and_then(Value::as_array).into_iter().flatten();
        words.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let rule = crate::rbac::Rule {
        api_groups: list("apiGroups"),
        resources: list("resources"),
        resource_names: list("resourceNames"),
        non_resource_urls: list("nonResourceURLs"),
        verbs: list("verbs"),
    };
    rule.to_string()
}
