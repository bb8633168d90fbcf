//! What a request does, in words.

use serde_json::Value;

use super::{Section, View};
use crate::event::{Copy, Text, Uri, is_shell, shell_line};

/// What is done, as in `… deleted X` and `… tried to delete X`.
pub(super) struct Deed {
    pub(super) past: String,
    pub(super) plain: String,
    /// Where it is scaled, to how many replicas.
    pub(super) replicas: Option<u64>,
}

/// Verb, what was done, and to do.
const VERBS: [(&str, &str, &str); 13] = [
    ("get", "read", "read"),
    ("list", "listed", "list"),
    ("watch", "watched", "watch"),
    ("create", "created", "create"),
    ("update", "replaced", "replace"),
    ("patch", "patched", "patch"),
    ("delete", "deleted", "delete"),
    ("deletecollection", "deleted all", "delete all"),
    ("post", "posted to", "post to"),
    ("put", "put", "put"),
    ("head", "asked for the headers of", "ask for the headers of"),
    ("options", "asked for the options of", "ask for the options of"),
    ("proxy", "reached through the API server", "reach through the API server"),
];

/// Verb (any if empty), resource (any if empty), subresource, what was done, and to do.
const SUBRESOURCES: [(&str, &str, &str, &str, &str); 22] = [
    ("", "pods", "exec", "ran a command in", "run a command in"),
    ("", "pods", "attach", "attached to a container of", "attach to a container of"),
    ("", "pods", "portforward", "forwarded ports to", "forward ports to"),
    ("", "pods", "log", "read the log of", "read the log of"),
    ("", "pods", "eviction", "evicted", "evict"),
    ("", "pods", "binding", "bound to a node", "bind to a node"),
    ("", "pods", "ephemeralcontainers", "added a debug container to", "add a debug container to"),
    ("", "pods", "resize", "resized the containers of", "resize the containers of"),
    ("", "", "proxy", "reached through the API server", "reach through the API server"),
    ("get", "", "scale", "read the scale of", "read the scale of"),
    ("", "", "scale", "scaled", "scale"),
    ("get", "", "status", "read the status of", "read the status of"),
    ("", "", "status", "changed the status of", "change the status of"),
    ("", "serviceaccounts", "token", "issued a token for", "issue a token for"),
    ("", "namespaces", "finalize", "finished the removal of", "finish the removal of"),
    ("", "certificatesigningrequests", "approval", "approved or denied", "approve or deny"),
    ("", "nodes", "metrics", "read the metrics of", "read the metrics of"),
    ("", "nodes", "stats", "read the statistics of", "read the statistics of"),
    ("", "nodes", "log", "read the logs of", "read the logs of"),
    ("", "nodes", "spec", "read the specification of", "read the specification of"),
    ("", "nodes", "configz", "read the configuration of", "read the configuration of"),
    ("", "nodes", "healthz", "asked for the health of", "ask for the health of"),
];

/// Built-in resources without a namespace.
const CLUSTER: [&str; 22] = [
    "nodes",
    "namespaces",
    "persistentvolumes",
    "componentstatuses",
    "clusterroles",
    "clusterrolebindings",
    "storageclasses",
    "csidrivers",
    "csinodes",
    "volumeattachments",
    "priorityclasses",
    "ingressclasses",
    "runtimeclasses",
    "customresourcedefinitions",
    "apiservices",
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "certificatesigningrequests",
    "flowschemas",
    "prioritylevelconfigurations",
];

/// Parameters that get a line of their own.
const TOLD: [&str; 3] = ["command", "dryRun", "fieldManager"];

impl Deed {
    fn new(past: &str, plain: &str) -> Deed {
        Deed { past: past.to_owned(), plain: plain.to_owned(), replicas: None }
    }

    pub(super) fn of(view: &View<'_>) -> Deed {
        let (verb, object) = (view.last.verb.as_str(), &view.object);
        let deed = Deed::new;
        if object.subresource == "exec" && view.is_shell() {
            return deed("opened a shell in", "open a shell in");
        }
        if object.resource.ends_with("reviews") && verb == "create" {
            return deed("had checked", "have checked");
        }
        if let Some(told) = view.told_by_body() {
            return told;
        }
        let fits = |known: &str, own: &str| known.is_empty() || known == own;
        let sub = SUBRESOURCES.iter().find(|(known, resource, subresource, ..)| {
            *subresource == object.subresource && fits(known, verb) && fits(resource, &object.resource)
        });
        if let Some((.., past, plain)) = sub {
            return deed(past, plain);
        }
        match VERBS.iter().find(|(known, ..)| *known == verb) {
            Some((_, past, plain)) => deed(past, plain),
            None => deed(&format!("made a request `{verb}` on"), &format!("make a request `{verb}` on")),
        }
    }
}

impl View<'_> {
    /// A write whose body sets one well-known thing and nothing else.
    fn told_by_body(&self) -> Option<Deed> {
        let deed = |past, plain| Some(Deed::new(past, plain));
        let scaled = |replicas| Some(Deed { replicas: Some(replicas), ..Deed::new("scaled", "scale") });
        let object = &self.object;
        let body = self.event.get("requestObject")?;
        match (self.last.verb.as_str(), object.resource.as_str(), object.subresource.as_str()) {
            ("patch", "nodes", "") if object.api_group.is_empty() => match only_set(body, "unschedulable")? {
                Value::Bool(true) => deed("cordoned", "cordon"),
                Value::Bool(false) | Value::Null => deed("uncordoned", "uncordon"),
                _ => None,
            },
            ("patch", _, "" | "scale") => only_set(body, "replicas")?.as_u64().and_then(scaled),
            ("update", _, "scale") => body.pointer("/spec/replicas")?.as_u64().and_then(scaled),
            _ => None,
        }
    }

    /// `pods/web in namespace shop`, `secrets in all namespaces`, or the path of what is no object.
    pub(super) fn object_in_words(&self) -> String {
        let object = &self.object;
        if object.resource.is_empty() {
            return Uri::parse(Text::from(self.last.uri.as_str())).path;
        }
        let known = Deed::tells_subresource(&object.resource, &object.subresource);
        let mut words = object.resource.clone();
        if !object.api_group.is_empty() {
            words = format!("{words}.{}", object.api_group);
        }
        if !object.name.is_empty() {
            words = format!("{words}/{}", object.name);
        }
        if !known && !object.subresource.is_empty() {
            words = format!("{} of {words}", object.subresource);
        }
        let own_namespace = object.resource == "namespaces" && object.name == object.namespace;
        if !object.namespace.is_empty() && !own_namespace {
            words += &format!(" in namespace {}", object.namespace);
        } else if object.name.is_empty() && self.is_of_all_namespaces() {
            words += " in all namespaces";
        }
        words
    }

    fn is_of_all_namespaces(&self) -> bool {
        let object = &self.object;
        let built_in = !object.api_group.contains('.') || object.api_group.ends_with(".k8s.io");
        let collection = matches!(self.last.verb.as_str(), "list" | "watch" | "deletecollection");
        collection && built_in && object.namespace.is_empty() && !CLUSTER.contains(&object.resource.as_str())
    }

    pub(super) fn is_dry_run(&self) -> bool {
        let uri = Uri::parse(Text::from(self.last.uri.as_str()));
        uri.value("dryRun").is_some() || !self.texts("/requestObject/dryRun").is_empty()
    }

    fn is_shell(&self) -> bool {
        let uri = Uri::parse(Text::from(self.last.uri.as_str()));
        is_shell(&uri.values("command").collect::<Vec<_>>())
    }

    /// What was asked, and with what parameters.
    pub(super) fn what(&self) -> Section {
        let uri = Uri::parse(Text::from(self.last.uri.as_str()));
        let verb = if self.last.verb.is_empty() { "no verb" } else { &self.last.verb };
        let mut lines = vec![format!("{verb} {}", uri.path)];
        let command: Vec<&str> = uri.values("command").collect();
        if !command.is_empty() {
            lines.push(format!("command: {}", shell_line(command.iter().copied())));
        }
        match Copy::of(&command) {
            Some(Copy::Out(paths)) => lines.push(format!("as kubectl cp does to copy {} out", paths.join(" and "))),
            Some(Copy::In(path)) => {
                lines.push(format!(
                    "as kubectl cp does to copy into {}",
                    path.unwrap_or_else(|| "the container".into())
                ));
            }
            None => {}
        }
        if is_shell(&command) {
            lines.push("what was typed there is not in an audit log".to_owned());
        }
        let rest: Vec<String> = uri
            .parameters
            .iter()
            .filter(|(name, _)| !TOLD.contains(&name.as_str()))
            .map(|(name, value)| if value.is_empty() { name.clone() } else { format!("{name}={value}") })
            .collect();
        if !rest.is_empty() {
            lines.push(format!("with {}", rest.join(", ")));
        }
        if self.is_dry_run() {
            lines.push("a dry run: checked and answered, never stored".to_owned());
        }
        if let Some(manager) = uri.value("fieldManager") {
            lines.push(format!("field manager: {manager}"));
        }
        Section("What", lines)
    }

    /// The object as the API names it.
    pub(super) fn about(&self) -> Section {
        let object = &self.object;
        if object.resource.is_empty() {
            return Section("Object", vec!["none: the request is about a path".to_owned()]);
        }
        let group = if object.api_group.is_empty() { "core" } else { &object.api_group };
        let version = if object.api_version.is_empty() { String::new() } else { format!("/{}", object.api_version) };
        let sub = if object.subresource.is_empty() { String::new() } else { format!("/{}", object.subresource) };
        let mut lines = vec![format!("{}{sub} of API {group}{version}", object.resource)];
        let mut named = Vec::new();
        for (what, value) in [("namespace", &object.namespace), ("name", &object.name)] {
            if !value.is_empty() {
                named.push(format!("{what} {value}"));
            }
        }
        if !named.is_empty() {
            lines.push(named.join(", "));
        }
        lines.extend(self.identity_of_object());
        if self.event.get("objectRef").is_none() {
            lines.push("the event has no objectRef: this is what its URI says".to_owned());
        }
        Section("Object", lines)
    }

    /// The uid and the resource version, sent or given.
    fn identity_of_object(&self) -> Option<String> {
        let answered = self.text("/responseObject/kind") != "Status";
        let of_answer = |pointer: &str| self.text(pointer).to_owned();
        let mut parts = Vec::new();
        match (self.object.uid.as_str(), of_answer("/responseObject/metadata/uid")) {
            ("", uid) if !uid.is_empty() && answered => parts.push(format!("uid {uid} (of the answer)")),
            ("", _) => {}
            (uid, _) => parts.push(format!("uid {uid}")),
        }
        if !self.object.resource_version.is_empty() {
            parts.push(format!("resourceVersion {} sent", self.object.resource_version));
        }
        let version = of_answer("/responseObject/metadata/resourceVersion");
        if !version.is_empty() && answered {
            parts.push(format!("resourceVersion {version} answered"));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// What a patch sets this field of `spec` to, if it sets nothing else. Removed is `null`.
fn only_set<'b>(patch: &'b Value, field: &str) -> Option<&'b Value> {
    match patch {
        Value::Array(steps) => {
            let [step] = steps.as_slice() else { return None };
            let path = step.get("path")?.as_str()?.strip_prefix("/spec/")?;
            match step.get("op")?.as_str()? {
                _ if path != field => None,
                "remove" => Some(&Value::Null),
                "add" | "replace" => step.get("value"),
                _ => None,
            }
        }
        Value::Object(members) if members.len() == 1 => {
            let spec = members.get("spec")?.as_object()?;
            spec.get(field).filter(|_| spec.len() == 1)
        }
        _ => None,
    }
}

impl Deed {
    /// Whether the words for what is done name the subresource already.
    fn tells_subresource(resource: &str, subresource: &str) -> bool {
        SUBRESOURCES.iter().any(|(_, of, known, ..)| *known == subresource && (of.is_empty() || *of == resource))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_that_sets_one_thing() {
        let set = |patch: Value| only_set(&patch, "unschedulable").cloned();
        assert_eq!(set(json!({"spec": {"unschedulable": true}})), Some(json!(true)));
        assert_eq!(set(json!({"spec": {"unschedulable": null}})), Some(Value::Null));
        assert_eq!(set(json!([{"op": "remove", "path": "/spec/unschedulable"}])), Some(Value::Null));
        assert_eq!(set(json!([{"op": "add", "path": "/spec/unschedulable", "value": true}])), Some(json!(true)));
        assert_eq!(set(json!({"spec": {"unschedulable": true, "taints": []}})), None);
        assert_eq!(set(json!({"spec": {"unschedulable": true}, "metadata": {}})), None);
        assert_eq!(set(json!([{"op": "test", "path": "/spec/unschedulable", "value": true}])), None);
    }
}
