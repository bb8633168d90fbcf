//! What a change was, in one line, as far as it shows without comparing bodies.

use super::act::Act;
use super::note::Change;
use crate::event::parameter;

/// One line about a change. `replicas` is their number before it, where that is known.
pub(super) fn what(act: &Act, change: &Change, replicas: Option<i64>) -> String {
    if let Some(failed) = failure(act, change) {
        return failed;
    }
    match (&*act.verb, &*act.subresource) {
        ("create", "") => "created".to_owned(),
        ("create", "binding") => match &change.node {
            Some(node) => format!("bound to node {node}"),
            None => "bound to a node".to_owned(),
        },
        ("create", "eviction") => "evicted".to_owned(),
        ("update" | "patch", "status") => "status only".to_owned(),
        ("update" | "patch", "scale") => scaled(act.replicas, replicas),
        ("update" | "patch", "finalize") => "finalizers changed".to_owned(),
        ("update" | "patch", "ephemeralcontainers") => "debug containers changed".to_owned(),
        ("update" | "patch", "") => changed(act, change, replicas),
        ("delete", "") => deleted(act, change),
        ("deletecollection", _) => collection(act, change),
        ("get" | "list" | "watch", "") => "read, changed nothing".to_owned(),
        (verb @ ("get" | "create"), session @ ("exec" | "attach" | "portforward" | "proxy" | "log" | "token")) => {
            let _ = verb;
            format!("{session}, changed nothing")
        }
        ("get", _) => "read, changed nothing".to_owned(),
        (_, "") => String::new(),
        (verb, subresource) => format!("{verb} of {subresource}"),
    }
}

/// Why a request changed nothing, if that is so.
fn failure(act: &Act, change: &Change) -> Option<String> {
    let Some(code) = act.code else { return Some("no response in the log".to_owned()) };
    let reason = change.reason.as_deref().unwrap_or_default();
    let with = |text: &str| if reason.is_empty() { text.to_owned() } else { format!("{text}: {reason}") };
    Some(match code {
        200..300 if act.dry_run => "dry run, changed nothing".to_owned(),
        _ if code < 400 => return None,
        401 | 403 => with("refused"),
        404 => "not there".to_owned(),
        409 if &*act.verb == "create" && reason == "AlreadyExists" => "refused: it was there already".to_owned(),
        409 => "refused: it had been changed meanwhile (conflict)".to_owned(),
        422 => with("refused, not valid"),
        429 if &*act.subresource == "eviction" => "eviction refused by a disruption budget".to_owned(),
        429 => "refused: too many requests".to_owned(),
        _ => with(&format!("failed with {code}")),
    })
}

fn scaled(after: Option<i64>, before: Option<i64>) -> String {
    match (before, after) {
        (Some(before), Some(after)) if before != after => format!("replicas {before} → {after}"),
        (_, Some(after)) => format!("scaled to {after}"),
        (_, None) => "scaled".to_owned(),
    }
}

/// A write whose bodies nobody has compared yet.
fn changed(act: &Act, change: &Change, replicas: Option<i64>) -> String {
    if act.code == Some(201) {
        return "created".to_owned();
    }
    if change.terminating && !change.finalizers {
        return "last finalizer taken away, gone".to_owned();
    }
    match (replicas, act.replicas) {
        (Some(before), Some(after)) if before != after => format!("replicas {before} → {after}"),
        _ => "changed".to_owned(),
    }
}

fn deleted(act: &Act, change: &Change) -> String {
    if act.user.starts_with("system:node:") {
        return "removed by its kubelet".to_owned();
    }
    let grace = change.grace.filter(|grace| *grace > 0);
    match grace {
        Some(grace) => format!("deleted, {grace}s of grace"),
        None if change.terminating && change.finalizers => "deleted, finalizers are waited for".to_owned(),
        None => "deleted".to_owned(),
    }
}

fn collection(act: &Act, change: &Change) -> String {
    let all = whole(act, &change.uri);
    match change.items {
        Some(_) => format!("deleted with {all}"),
        None => format!("may have deleted it with {all}"),
    }
}

/// What the deletion of a collection was about.
pub(super) fn whole(act: &Act, uri: &str) -> String {
    let selects = |name| parameter(uri, name).is_some_and(|selector| !selector.is_empty());
    let part = if selects("labelSelector") || selects("fieldSelector") { " that a selector picks" } else { "" };
    match &*act.object.namespace {
        "" => format!("all {}{part}", act.object.resource),
        namespace => format!("the {} of {namespace}{part}", act.object.resource),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::history::act::ObjectKey;

    fn act(verb: &str, subresource: &str, code: i32) -> Act {
        Act {
            time: None,
            user: "alice".into(),
            as_user: None,
            controller: None,
            verb: verb.into(),
            object: ObjectKey::cluster("pods", "web"),
            subresource: subresource.into(),
            code: Some(code),
            dry_run: false,
            owner: None,
            replicas: None,
            cordons: None,
            audit_id: "".into(),
        }
    }

    #[test]
    fn each_request_says_what_it_was() {
        let change = Change::default();
        let cases = [
            (act("create", "", 201), "created"),
            (act("patch", "status", 200), "status only"),
            (act("create", "eviction", 429), "eviction refused by a disruption budget"),
            (act("delete", "", 404), "not there"),
            (act("patch", "", 403), "refused"),
            (act("delete", "", 200), "deleted"),
            (act("create", "exec", 101), "exec, changed nothing"),
            (act("deletecollection", "", 200), "may have deleted it with all pods"),
            (Act { dry_run: true, ..act("patch", "", 200) }, "dry run, changed nothing"),
            (Act { code: None, ..act("patch", "", 200) }, "no response in the log"),
            (Act { replicas: Some(5), ..act("patch", "scale", 200) }, "replicas 3 → 5"),
            (Act { replicas: Some(3), ..act("patch", "scale", 200) }, "scaled to 3"),
        ];
        for (act, expected) in cases {
            assert_eq!(what(&act, &change, Some(3)), expected);
        }
    }
}
