//! Why a request was allowed or denied.

use super::{Section, View};
use crate::event::{Grant, Named};

impl View<'_> {
    pub(super) fn why(&self) -> Section {
        let reason = self.annotation("authorization.k8s.io/reason").unwrap_or_default();
        let lines = match self.annotation("authorization.k8s.io/decision") {
            Some("allow") => self.allowed(reason),
            Some("forbid") => self.denied(reason),
            Some(other) => vec![format!("the authorizer said {other}"), reason.to_owned()],
            None if reason == "internal error" => vec!["the authorizer failed: internal error".to_owned()],
            None => vec![self.undecided().to_owned()],
        };
        Section("Why", lines.into_iter().filter(|line| !line.is_empty()).collect())
    }

    fn allowed(&self, reason: &str) -> Vec<String> {
        if let Some(grant) = Grant::parse(reason) {
            return granted(&grant);
        }
        if !reason.is_empty() {
            return vec!["allowed".to_owned(), reason.to_owned()];
        }
        let user = self.effective_user();
        let groups = self.texts(if user.1 { "/impersonatedUser/groups" } else { "/user/groups" });
        let why = if groups.contains(&"system:masters") {
            "members of group system:masters may do everything; roles are not asked"
        } else if groups.contains(&"system:nodes") && user.0.starts_with("system:node:") {
            "the Node authorizer gives no reason, so probably it: kubelets may reach what belongs to their node"
        } else if self.object.resource.is_empty() {
            "no reason given: some paths, such as /healthz and /readyz, are open to everybody by default"
        } else {
            "no reason given, so not by RBAC: AlwaysAllow, a webhook, or an authorizer of a vendor"
        };
        vec!["allowed".to_owned(), why.to_owned()]
    }

    fn denied(&self, reason: &str) -> Vec<String> {
        let mut lines = vec![format!("denied: nothing allows {} to {}", self.effective_user().0, self.permission())];
        if !reason.is_empty() {
            lines.push(reason.to_owned());
        }
        lines
    }

    fn undecided(&self) -> &'static str {
        match self.code() {
            Some(401) => "never decided: authentication failed before",
            Some(429) => "not decided: the request was turned away before",
            None => "not decided yet at the last stage that is here",
            Some(_) => "the log does not say: the event has no authorization annotations",
        }
    }

    /// The user whose permissions count, and whether that is an impersonated one.
    fn effective_user(&self) -> (&str, bool) {
        match self.text("/impersonatedUser/username") {
            "" => (&self.last.user, false),
            other => (other, true),
        }
    }

    /// The permission that the request took, as a role would have it.
    fn permission(&self) -> String {
        let (verb, object) = (&self.last.verb, &self.object);
        if object.resource.is_empty() {
            return format!("{verb} path {}", self.object_in_words());
        }
        let sub = if object.subresource.is_empty() { String::new() } else { format!("/{}", object.subresource) };
        let mut text = format!("{verb} {}{sub} in API group \"{}\"", object.resource, object.api_group);
        if !object.name.is_empty() && verb != "create" {
            text += &format!(", name {}", object.name);
        }
        text += &match object.namespace.as_str() {
            "" => ", in the whole cluster".to_owned(),
            namespace => format!(", in namespace {namespace}"),
        };
        text
    }
}

/// What a binding gave to whom.
fn granted(grant: &Grant) -> Vec<String> {
    let Grant { authorizer, binding, role, subject } = grant;
    let mut lines =
        vec![format!("allowed by {authorizer}: {} gives {} to {}", named(binding), named(role), named(subject))];
    let everybody = match subject.name.as_str() {
        "system:authenticated" => "which is everybody who can log in",
        "system:unauthenticated" => "which is everybody who does not log in",
        "system:serviceaccounts" => "which is every service account",
        _ => "",
    };
    lines.push(everybody.to_owned());
    if role.kind == "ClusterRole" && role.name == "cluster-admin" {
        let where_to =
            binding.namespace.as_ref().map_or("everything".to_owned(), |n| format!("everything in namespace {n}"));
        lines.push(format!("cluster-admin allows {where_to}"));
    }
    lines
}

fn named(thing: &Named) -> String {
    match &thing.namespace {
        Some(namespace) if thing.kind != "Role" => format!("{} {} of namespace {namespace}", thing.kind, thing.name),
        _ => format!("{} {}", thing.kind, thing.name),
    }
}
