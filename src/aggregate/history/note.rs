//! What is noted of a request.

use super::act::{Act, Name};
use super::bodies::{Body, Wanted};
use super::{HistoryPartial, Note};
use crate::aggregate::Seen;
use crate::event::{Event, ObjectReference, RawJson, Text};
use crate::hash::of_bytes;

/// What is known of a request about an object in question, beside who did it.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Whether it passes the filters.
    pub shown: bool,
    /// The audit level.
    pub level: Box<str>,
    /// The object's uid.
    pub uid: Option<Box<str>>,
    /// The first source address.
    pub source_ip: Box<str>,
    /// The user agent.
    pub user_agent: Box<str>,
    /// Why it was refused.
    pub reason: Option<Box<str>>,
    /// The request's URI.
    pub uri: Box<str>,
    /// What was sent.
    pub request: Option<Body>,
    /// What came back.
    pub response: Option<Body>,
    /// Whether the response shows an object that is about to go.
    pub terminating: bool,
    /// Whether something has to be done before it can.
    pub finalizers: bool,
    /// The seconds of grace it was given.
    pub grace: Option<i64>,
    /// The node that the request binds it to, runs it on, or comes from.
    pub node: Option<Name>,
    /// The names of what a collection held.
    pub items: Option<Box<[Box<str>]>>,
}

/// Whether a request may write.
pub(super) fn is_write(event: &Event<'_>) -> bool {
    event
        .verb
        .is_some_and(|verb| matches!(verb.raw(), b"create" | b"update" | b"patch" | b"delete" | b"deletecollection"))
}

/// Whether a write to this subresource can leave a trace in the object: it opens no session and issues no token.
pub(super) fn changes_something(object: &ObjectReference<'_>) -> bool {
    !object
        .subresource
        .is_some_and(|sub| matches!(sub.raw(), b"exec" | b"attach" | b"portforward" | b"proxy" | b"log" | b"token"))
}

/// The name of the object a request is about: as its reference has it, else as the server chose it.
pub(super) fn name<'a>(event: &Event<'a>, object: &ObjectReference<'a>) -> Option<Text<'a>> {
    if let Some(name) = object.name.filter(|name| !name.is_empty()) {
        return Some(name);
    }
    if event.verb.is_none_or(|verb| verb.raw() != b"create") {
        return None;
    }
    let chosen = event.response_object.and_then(|body| body.get(b"metadata")?.get(b"name")?.as_text());
    let refused = || event.response_status?.details?.get(b"name")?.as_text();
    chosen.or_else(refused).filter(|name| !name.is_empty())
}

/// Whether a write can be the reason for what happens to other objects.
pub(super) fn may_be_a_cause(event: &Event<'_>, object: &ObjectReference<'_>) -> bool {
    let Some((verb, resource)) = event.verb.zip(object.resource) else { return false };
    let subresource = object.subresource.map_or(b"".as_slice(), |sub| sub.raw());
    match (verb.raw(), subresource) {
        (b"delete", b"") => !matches!(resource.raw(), b"events" | b"leases"),
        (b"create", b"eviction") => true,
        (b"create" | b"update" | b"patch", b"" | b"scale") => owns_others(resource, object.api_group),
        _ => false,
    }
}

/// Whether objects of a type own others or carry them: workloads, nodes, namespaces, and everything whose
/// API is not Kubernetes' own.
fn owns_others(resource: Text<'_>, group: Option<Text<'_>>) -> bool {
    let known: &[&[u8]] = &[
        b"deployments",
        b"replicasets",
        b"statefulsets",
        b"daemonsets",
        b"jobs",
        b"cronjobs",
        b"replicationcontrollers",
        b"nodes",
        b"namespaces",
    ];
    let group = group.map_or(b"".as_slice(), |group| group.raw());
    known.contains(&resource.raw()) || group.contains(&b'.') && !group.ends_with(b".k8s.io")
}

impl HistoryPartial {
    /// Notes a write that may be a cause; one that failed is none.
    pub(super) fn context(&mut self, event: &Event<'_>, object: &ObjectReference<'_>) -> Option<Note> {
        if !event.code().is_some_and(|code| (200..300).contains(&code)) {
            return None;
        }
        let mut act = self.names.act(event, object, name(event, object));
        if act.dry_run || act.object.name.is_empty() {
            return None;
        }
        self.learn(&mut act, event);
        Some(Note { act, change: None })
    }

    /// Takes from the bodies what the act itself is to know.
    fn learn(&mut self, act: &mut Act, event: &Event<'_>) {
        let bodies = [event.response_object, event.request_object];
        if act.changes_spec() {
            act.replicas = bodies.into_iter().flatten().find_map(replicas);
        }
        if &*act.object.resource == "nodes" {
            act.cordons = event.request_object.and_then(cordons);
        }
        if &*act.verb == "create" && act.subresource.is_empty() {
            act.owner = bodies.into_iter().flatten().find_map(|body| self.names.owner(body.get(b"metadata")?));
        }
    }

    /// Notes a request about one of the objects.
    pub(super) fn change(
        &mut self,
        seen: &Seen<'_, '_>,
        object: &ObjectReference<'_>,
        name: Text<'_>,
        shown: bool,
        wanted: &Wanted,
    ) -> Note {
        let event = seen.event;
        let mut act = self.names.act(event, object, Some(name));
        self.learn(&mut act, event);
        let metadata = event.response_object.and_then(|body| body.get(b"metadata"));
        if act.owner.is_none() {
            act.owner = metadata.and_then(|metadata| self.names.owner(metadata));
        }
        let has = |name: &[u8]| metadata.and_then(|metadata| metadata.get(name)).is_some_and(|value| !value.is_null());
        let family = of_bytes(format!("{}\n{}", act.object.path(), act.object.namespace).as_bytes());
        let mut pack =
            |body: Option<RawJson<'_>>, family| body.map(|body| self.packer.pack_wanted(wanted, family, body.0));
        let own = |text: Option<Text<'_>>| text.map_or("".into(), |text| text.to_str_lossy().into());
        let change = Change {
            shown,
            level: own(event.level),
            uid: uid(event, object).map(|uid| uid.to_str_lossy().into()),
            source_ip: own(event.client_ip()),
            user_agent: own(event.user_agent),
            reason: reason(event).map(|reason| reason.to_str_lossy().into()),
            uri: own(event.request_uri),
            request: pack(event.request_object, family),
            response: pack(event.response_object.filter(|_| act.succeeded()), !family),
            terminating: has(b"deletionTimestamp"),
            finalizers: has(b"finalizers"),
            grace: grace(event, metadata),
            node: node(event, &act).map(|name| self.names.own(&name)),
            items: items(event),
        };
        Note { act, change: Some(Box::new(change)) }
    }
}

/// `spec.replicas` of an object or its scale.
fn replicas(body: RawJson<'_>) -> Option<i64> {
    std::str::from_utf8(body.get(b"spec")?.get(b"replicas")?.0).ok()?.parse().ok()
}

/// Whether what was sent marks a node as not to be used, or takes the mark away.
fn cordons(body: RawJson<'_>) -> Option<bool> {
    let mark = body.get(b"spec")?.get(b"unschedulable")?;
    Some(mark.0 == b"true")
}

/// The uid, from wherever a request shows it.
fn uid<'a>(event: &Event<'a>, object: &ObjectReference<'a>) -> Option<Text<'a>> {
    let metadata = |body: RawJson<'a>| body.get(b"metadata")?.get(b"uid")?.as_text();
    // What a deletion leaves is a Status that names it.
    let details = |body: RawJson<'a>| body.get(b"details")?.get(b"uid")?.as_text();
    let found = event.response_object.and_then(|body| metadata(body).or_else(|| details(body))).or(object.uid);
    let conflict = || event.response_status?.details?.get(b"uid")?.as_text();
    let asked = || event.request_object?.get(b"preconditions")?.get(b"uid")?.as_text();
    found.or_else(conflict).or_else(asked).filter(|uid| !uid.is_empty())
}

/// Why a request was refused: the server's word for it, else what it said.
fn reason<'a>(event: &Event<'a>) -> Option<Text<'a>> {
    let status = event.response_status?;
    status.code.filter(|code| *code >= 400)?;
    status.reason.or(status.message)
}

/// The grace a deletion gives: as the object says afterwards, else as it was asked for.
fn grace(event: &Event<'_>, metadata: Option<RawJson<'_>>) -> Option<i64> {
    let number = |value: RawJson<'_>| std::str::from_utf8(value.0).ok()?.parse().ok();
    let deletes = event.verb?.raw() == b"delete";
    let given = metadata.and_then(|metadata| number(metadata.get(b"deletionGracePeriodSeconds")?));
    let asked = || event.request_object.and_then(|body| number(body.get(b"gracePeriodSeconds")?));
    if deletes { given.or_else(asked) } else { None }
}

/// The node a pod is on, as far as this request shows it.
fn node(event: &Event<'_>, act: &Act) -> Option<String> {
    if &*act.object.resource != "pods" {
        return None;
    }
    if let Some(node) = act.user.strip_prefix("system:node:") {
        return Some(node.to_owned());
    }
    let text = |body: Option<RawJson<'_>>, path: [&[u8]; 2]| {
        Some(body?.get(path[0])?.get(path[1])?.as_text()?.to_str_lossy().into_owned())
    };
    if &*act.subresource == "binding" {
        return text(event.request_object, [b"target", b"name"]);
    }
    text(event.response_object, [b"spec", b"nodeName"])
}

/// What a deleted collection held, where the answer lists it.
fn items(event: &Event<'_>) -> Option<Box<[Box<str>]>> {
    let list = event.verb.filter(|verb| verb.raw() == b"deletecollection").and(event.response_object)?.get(b"items")?;
    let name = |item: RawJson<'_>| Some(item.get(b"metadata")?.get(b"name")?.as_text()?.to_str_lossy().into());
    Some(list.elements().filter_map(name).collect())
}
