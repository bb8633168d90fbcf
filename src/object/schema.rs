//! How lists of built-in types are merged: by key, as sets, or as a whole.
//!
//! Objects in a log carry no schema, so the few lists that matter stand in a table. It was read off the
//! Kubernetes API types (`k8s.io/api`, 1.33): the `patchStrategy` and `patchMergeKey` tags give the column of
//! strategic merge patches, the `listType` and `listMapKey` markers that of server-side apply. The two differ
//! for a few lists, ports above all. A list that is not in the table is atomic in both.

use serde_json::Value;

/// How two versions of a list are put together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListType {
    /// Elements are objects, told apart by these fields.
    Map(&'static [&'static str]),
    /// Elements are scalars, each there once.
    Set,
    /// The list is one value.
    Atomic,
}

/// Where a list of some name must stand for a row to be about it.
enum Place {
    /// In objects of this resource.
    Of(&'static str),
    /// Directly in one of these fields (or in an element of one of these lists).
    In(&'static [&'static str]),
}

struct Row {
    field: &'static str,
    place: Place,
    strategic: ListType,
    apply: ListType,
}

use ListType::{Atomic, Map, Set};
use Place::{In, Of};

const CONTAINERS: &[&str] = &["containers", "initContainers", "ephemeralContainers"];

const fn row(field: &'static str, place: Place, strategic: ListType, apply: ListType) -> Row {
    Row { field, place, strategic, apply }
}

/// A list that both merge by the same key.
const fn by(field: &'static str, place: Place, key: &'static [&'static str]) -> Row {
    row(field, place, Map(key), Map(key))
}

/// The first row that fits is the one that counts.
const ROWS: &[Row] = &[
    // Metadata.
    by("ownerReferences", In(&["metadata"]), &["uid"]),
    row("finalizers", In(&["metadata"]), Set, Set),
    // Pods and pod templates.
    by("containers", In(&["spec"]), &["name"]),
    by("initContainers", In(&["spec"]), &["name"]),
    by("ephemeralContainers", In(&["spec"]), &["name"]),
    by("volumes", In(&["spec"]), &["name"]),
    by("env", In(CONTAINERS), &["name"]),
    by("volumeMounts", In(CONTAINERS), &["mountPath"]),
    by("volumeDevices", In(CONTAINERS), &["devicePath"]),
    row("ports", In(CONTAINERS), Map(&["containerPort"]), Map(&["containerPort", "protocol"])),
    row("claims", In(&["resources"]), Atomic, Map(&["name"])),
    by("hostAliases", In(&["spec"]), &["ip"]),
    row("imagePullSecrets", Of("serviceaccounts"), Atomic, Atomic),
    by("imagePullSecrets", In(&["spec"]), &["name"]),
    row("topologySpreadConstraints", In(&["spec"]), Map(&["topologyKey"]), Map(&["topologyKey", "whenUnsatisfiable"])),
    by("schedulingGates", In(&["spec"]), &["name"]),
    by("resourceClaims", Of("pods"), &["name"]),
    by("resourceClaims", In(&["spec"]), &["name"]),
    by("resourceClaimStatuses", Of("pods"), &["name"]),
    by("podIPs", Of("pods"), &["ip"]),
    row("hostIPs", Of("pods"), Map(&["ip"]), Atomic),
    // Status of nearly everything.
    by("conditions", In(&["status"]), &["type"]),
    // Single resources.
    row("ports", Of("services"), Map(&["port"]), Map(&["port", "protocol"])),
    by("addresses", Of("nodes"), &["type"]),
    row("podCIDRs", Of("nodes"), Set, Set),
    by("secrets", Of("serviceaccounts"), &["name"]),
    by("drivers", Of("csinodes"), &["name"]),
    by("reservedFor", Of("resourceclaims"), &["uid"]),
    by("webhooks", Of("validatingwebhookconfigurations"), &["name"]),
    by("webhooks", Of("mutatingwebhookconfigurations"), &["name"]),
    by("matchConditions", In(&["webhooks", "spec"]), &["name"]),
    by("variables", Of("validatingadmissionpolicies"), &["name"]),
    by("variables", Of("mutatingadmissionpolicies"), &["name"]),
];

/// Objects that server-side apply replaces as a whole: selectors and references.
const ATOMIC_OBJECTS: &[&str] = &[
    "claimRef",
    "configMapKeyRef",
    "dataSource",
    "fieldRef",
    "involvedObject",
    "labelSelector",
    "namespaceSelector",
    "nodeSelector",
    "objectSelector",
    "podSelector",
    "regarding",
    "resourceFieldRef",
    "roleRef",
    "secretKeyRef",
    "secretRef",
    "selector",
    "targetRef",
];

/// Lists that are atomic for the API server but whose elements people tell apart by a name.
const NAMED_FOR_READERS: &[&[&str]] = &[&["name"], &["type"]];

/// The groups whose types are compiled into the API server, and which so understand strategic merge patches.
const BUILT_IN_GROUPS: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "settings.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Whether types of this API group are built into Kubernetes; those of other groups are custom resources or
/// come from aggregated servers.
pub fn is_built_in(group: &str) -> bool {
    BUILT_IN_GROUPS.contains(&group)
}

/// How a strategic merge patch treats the list `field` that stands in `parent` of an object of `resource`.
pub fn strategic(resource: &str, parent: &str, field: &str) -> ListType {
    find(resource, parent, field).map_or(Atomic, |row| row.strategic)
}

/// How server-side apply treats it.
pub fn apply(resource: &str, parent: &str, field: &str) -> ListType {
    find(resource, parent, field).map_or(Atomic, |row| row.apply)
}

/// Whether server-side apply replaces the object in this field as a whole.
pub(super) fn is_atomic_object(field: &str) -> bool {
    ATOMIC_OBJECTS.contains(&field)
}

/// Every way of telling the elements of this list apart that is worth trying when its changes are read,
/// the best first.
pub(super) fn readable(resource: &str, parent: &str, field: &str) -> Vec<ListType> {
    let named = NAMED_FOR_READERS.iter().map(|keys| Map(keys));
    find(resource, parent, field).map(|row| row.apply).filter(|&list| list != Atomic).into_iter().chain(named).collect()
}

fn find(resource: &str, parent: &str, field: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| {
        row.field == field
            && match row.place {
                Of(name) => name == resource,
                In(parents) => parents.contains(&parent),
            }
    })
}

/// What the API server fills in for a key that was left out.
fn default_of(key: &str) -> Option<&'static str> {
    (key == "protocol").then_some("TCP")
}

/// The value of one key of a list element, as text; nothing if it is not a scalar.
pub(super) fn key_text(element: &Value, key: &str) -> Option<String> {
    match element.as_object()?.get(key) {
        None | Some(Value::Null) => default_of(key).map(str::to_owned),
        Some(Value::String(text)) => Some(text.clone()),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Some(value.to_string()),
        Some(_) => None,
    }
}

/// What tells this element apart in a list with these keys.
pub(super) fn key_of(element: &Value, keys: &[&str]) -> Option<Vec<String>> {
    keys.iter().map(|key| key_text(element, key)).collect()
}

/// Whether a key with this value goes without saying.
pub(super) fn is_default(key: &str, text: &str) -> bool {
    default_of(key) == Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_known_by_where_they_stand() {
        assert_eq!(strategic("deployments", "containers", "ports"), Map(&["containerPort"]));
        assert_eq!(apply("deployments", "containers", "ports"), Map(&["containerPort", "protocol"]));
        assert_eq!(strategic("services", "spec", "ports"), Map(&["port"]));
        assert_eq!(strategic("networkpolicies", "ingress", "ports"), Atomic);
        assert_eq!(apply("serviceaccounts", "", "imagePullSecrets"), Atomic);
        assert_eq!(apply("pods", "spec", "imagePullSecrets"), Map(&["name"]));
        assert_eq!(apply("pods", "metadata", "finalizers"), Set);
        assert_eq!(apply("namespaces", "spec", "finalizers"), Atomic);
        assert_eq!(apply("pods", "spec", "tolerations"), Atomic);
        assert_eq!(apply("roles", "", "rules"), Atomic);
    }

    #[test]
    fn keys_have_defaults() {
        let keys = ["containerPort", "protocol"];
        assert_eq!(key_of(&json!({"containerPort": 80}), &keys).unwrap(), ["80", "TCP"]);
        assert_eq!(key_of(&json!({"containerPort": 80, "protocol": "UDP"}), &keys).unwrap(), ["80", "UDP"]);
        assert_eq!(key_of(&json!({"name": {}}), &["name"]), None);
        assert_eq!(key_of(&json!("x"), &["name"]), None);
    }
}
