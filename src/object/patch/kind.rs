//! What kind of patch a recorded body is.
//!
//! An audit event does not say with which content type a patch was sent, so it is told from what was sent and
//! from the query of the request.

use crate::event::parameter;
use std::collections::HashMap;

use serde_json::Value;

use super::super::schema::{self, ListType};
use super::{PatchKind, strategic};

/// The kind of a patch, and on what grounds where it might be another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recognised {
    /// The kind.
    pub kind: PatchKind,
    /// What was assumed, if another kind would have made something else of the object.
    pub assumed: Option<&'static str>,
}

/// Managers that `kubectl` names when it does not apply on the server's side.
const OTHER_MANAGERS: &[&str] = &[
    "kubectl-annotate",
    "kubectl-client-side-apply",
    "kubectl-edit",
    "kubectl-label",
    "kubectl-patch",
    "kubectl-replace",
    "kubectl-rollout",
    "kubectl-set",
    "kubectl-taint",
];

/// The kind of the patch with this body, asked for with this query (`fieldManager=x&force=true`) of an object of
/// `resource` in `group`.
pub fn patch_kind(body: &Value, uri_query: &str, group: &str, resource: &str) -> Recognised {
    let surely = |kind| Recognised { kind, assumed: None };
    if body.is_array() {
        return surely(PatchKind::Json);
    }
    if is_apply(body, uri_query) {
        return surely(PatchKind::Apply);
    }
    if !schema::is_built_in(group) {
        return surely(PatchKind::Merge);
    }
    if strategic::has_directive(body) {
        return surely(PatchKind::Strategic);
    }
    let assumed = matters(body, "", "", resource).then_some(
        "the log does not say whether lists were merged or replaced; kubectl's strategic merge patch is assumed",
    );
    Recognised { kind: PatchKind::Strategic, assumed }
}

impl Recognised {
    /// The kind, now that the object before the patch is known. A merge patch replaces lists, so what it sends of
    /// an element is all of it; a body that sends less most likely meant to merge. One that sends whole elements,
    /// but not all of them, is a merge patch, unless `kubectl patch` sent it, whose default is the other.
    pub(in super::super) fn settled(
        self,
        body: &Value,
        current: &Value,
        uri_query: &str,
        resource: &str,
    ) -> Recognised {
        if self.assumed.is_none() {
            return self;
        }
        let mut lists = Lists { resource, partial: false, missing: false };
        lists.look(current, body, Place { parent: "", field: "" });
        let by_kubectl = parameter(uri_query, "fieldManager").is_some_and(|manager| manager.starts_with("kubectl"));
        match (lists.partial, lists.missing) {
            // Both kinds make the same of it.
            (false, false) => Recognised { kind: PatchKind::Strategic, assumed: None },
            (true, _) => self,
            (false, true) if by_kubectl => self,
            (false, true) => Recognised {
                kind: PatchKind::Merge,
                assumed: Some(
                    "the log does not say whether lists were merged or replaced; replaced is assumed, for whole elements were sent",
                ),
            },
        }
    }
}

/// What a body sends of lists with keys that the object has.
struct Lists<'a> {
    resource: &'a str,
    /// Of some element, not all members.
    partial: bool,
    /// Not all elements.
    missing: bool,
}

/// The field a value stands in, and the one around that. Two texts handed down side by side, as arguments, came
/// out wrong where the compiler optimises: the inner one was still that of the top.
#[derive(Clone, Copy)]
struct Place<'a> {
    parent: &'a str,
    field: &'a str,
}

impl Lists<'_> {
    fn look(&mut self, current: &Value, body: &Value, place: Place<'_>) {
        match (current, body) {
            (Value::Object(current), Value::Object(body)) => {
                for (name, body) in body {
                    if let Some(current) = current.get(name) {
                        self.look(current, body, Place { parent: place.field, field: name });
                    }
                }
            }
            (Value::Array(current), Value::Array(body)) => {
                let list = schema::strategic(self.resource, place.parent, place.field);
                let sent: HashMap<String, &Value> =
                    body.iter().filter_map(|element| Some((key_of(list, element)?, element))).collect();
                for element in current {
                    let Some(key) = key_of(list, element) else { continue };
                    match sent.get(&key) {
                        Some(sent) => self.look_at_element(element, sent, place),
                        None => self.missing = true,
                    }
                }
            }
            _ => {}
        }
    }

    fn look_at_element(&mut self, current: &Value, sent: &Value, place: Place<'_>) {
        if let (Value::Object(current), Value::Object(sent)) = (current, sent) {
            self.partial |= current.keys().any(|name| !sent.contains_key(name));
        }
        self.look(current, sent, place);
    }
}

/// What tells an element apart in such a list; nothing where the list is one value, which both kinds replace.
fn key_of(list: ListType, element: &Value) -> Option<String> {
    match list {
        ListType::Map(keys) => schema::key_text(element, keys.first()?),
        ListType::Set => Some(element.to_string()),
        ListType::Atomic => None,
    }
}

/// An applied object names its type, and its manager is given; `force` is refused with anything else.
fn is_apply(body: &Value, uri_query: &str) -> bool {
    let is_text = |name: &str| body.get(name).is_some_and(Value::is_string);
    let typed = is_text("apiVersion") && is_text("kind") && body.get("metadata").is_some_and(Value::is_object);
    let manager = parameter(uri_query, "fieldManager");
    typed
        && match parameter(uri_query, "force") {
            Some(_) => true,
            None => manager.is_some_and(|manager| !OTHER_MANAGERS.contains(&manager.as_str())),
        }
}

/// Whether a strategic merge patch and a merge patch with this body differ: it holds a list that one of them
/// merges.
fn matters(value: &Value, parent: &str, field: &str, resource: &str) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| matters(value, field, name, resource)),
        Value::Array(elements) => {
            schema::strategic(resource, parent, field) != ListType::Atomic
                || elements.iter().any(|element| matters(element, parent, field, resource))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_are_told_apart() {
        let object =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {"replicas": 1}});
        let cases = [
            (json!([{"op": "add", "path": "/a", "value": 1}]), "", "apps", PatchKind::Json, false),
            (object.clone(), "fieldManager=argocd-controller&force=true", "apps", PatchKind::Apply, false),
            (object.clone(), "/apis/apps/v1/x?fieldManager=kubectl", "apps", PatchKind::Apply, false),
            (object.clone(), "fieldManager=kubectl-patch", "apps", PatchKind::Strategic, false),
            (object, "", "apps", PatchKind::Strategic, false),
            (json!({"spec": {"replicas": 1}}), "fieldManager=kubectl-patch", "apps", PatchKind::Strategic, false),
            (json!({"spec": {"template": {"spec": {"containers": []}}}}), "", "apps", PatchKind::Strategic, true),
            (json!({"spec": {"containers": [{"$patch": "delete", "name": "x"}]}}), "", "", PatchKind::Strategic, false),
            (json!({"spec": {"$retainKeys": ["a"]}}), "", "apps", PatchKind::Strategic, false),
            (json!({"spec": {"containers": []}}), "", "example.com", PatchKind::Merge, false),
            (json!({"spec": {"x": 1}}), "", "snapshot.storage.k8s.io", PatchKind::Merge, false),
        ];
        for (body, query, group, kind, assumed) in cases {
            let recognised = patch_kind(&body, query, group, "deployments");
            assert_eq!((recognised.kind, recognised.assumed.is_some()), (kind, assumed), "{body} {query} {group}");
        }
    }

    #[test]
    fn the_object_before_tells_more() {
        let containers = |list: Value| json!({"spec": {"template": {"spec": {"containers": list}}}});
        let current = containers(json!([{"name": "a", "image": "1", "args": []}, {"name": "b", "image": "1"}]));
        let cases = [
            (json!([{"name": "a", "image": "2"}]), "", PatchKind::Strategic, true),
            (json!([{"name": "a", "image": "2", "args": []}]), "", PatchKind::Merge, true),
            (json!([{"name": "b", "image": "2"}]), "fieldManager=kubectl-patch", PatchKind::Strategic, true),
            (
                json!([{"name": "a", "image": "2", "args": []}, {"name": "b", "image": "1"}]),
                "",
                PatchKind::Strategic,
                false,
            ),
        ];
        for (list, query, kind, assumed) in cases {
            let body = containers(list);
            let settled =
                patch_kind(&body, query, "apps", "deployments").settled(&body, &current, query, "deployments");
            assert_eq!((settled.kind, settled.assumed.is_some()), (kind, assumed), "{body} {query}");
        }
    }
}
