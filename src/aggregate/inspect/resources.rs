//! What is recorded about each resource: with which verbs it was used, at which levels, with which bodies.

use bumpalo::Bump;
use memchr::memmem;

use super::capped::{Examples, Sum};
use super::marks::{Mark, Marks};
use crate::event::{Event, Method, ObjectReference, RawJson, RequestInfo, Rules, Stage, Text, request_info};

/// The verbs that are told apart, in the order of [`ResourceCounts::verbs`]; the last counts all others.
pub const VERBS: [&str; 9] =
    ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "other"];

/// The levels that are told apart, in the order of [`ResourceCounts::levels`]; the last counts all others.
pub const LEVELS: [&str; 4] = ["Metadata", "Request", "RequestResponse", "none or unknown"];

/// The marks that are counted by resource, in the order of [`ResourceCounts::bodies`].
pub const BODIES: [Mark; 4] = [Mark::Truncated, Mark::Skipped, Mark::NoRequestBody, Mark::NoResponseBody];

/// Counts of one resource.
#[derive(Clone, Debug, Default)]
pub struct ResourceCounts {
    /// Requests by verb.
    pub verbs: [u64; VERBS.len()],
    /// Requests by level.
    pub levels: [u64; LEVELS.len()],
    /// Requests whose bodies were removed or are missing.
    pub bodies: [u64; BODIES.len()],
    /// Some of those.
    pub examples: Examples,
}

/// What of a request is counted by resource.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    verb: u8,
    level: u8,
    /// What is so of it.
    pub marks: Marks,
}

impl ResourceCounts {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.levels.iter().sum()
    }

    /// Counts one more, or one less.
    pub fn count(&mut self, facts: &Facts, step: impl Fn(&mut u64)) {
        step(&mut self.verbs[usize::from(facts.verb)]);
        step(&mut self.levels[usize::from(facts.level)]);
        for (count, mark) in self.bodies.iter_mut().zip(BODIES) {
            if facts.marks.has(mark) {
                step(count);
            }
        }
    }
}

impl Sum for ResourceCounts {
    fn add(&mut self, other: Self) {
        let pairs = self.verbs.iter_mut().zip(other.verbs);
        let pairs = pairs.chain(self.levels.iter_mut().zip(other.levels));
        pairs.chain(self.bodies.iter_mut().zip(other.bodies)).for_each(|(mine, theirs)| *mine += theirs);
        self.examples.add(other.examples);
    }
}

impl Facts {
    /// What is so of a request.
    pub fn of(event: &Event<'_>) -> Self {
        let place = |names: &[&str], text: Option<Text<'_>>| {
            let place = text.and_then(|text| names.iter().position(|name| text.raw() == name.as_bytes()));
            place.unwrap_or(names.len() - 1) as u8
        };
        let mut facts =
            Facts { verb: place(&VERBS, event.verb), level: place(&LEVELS, event.level), marks: Marks::default() };
        facts.bodies(event);
        facts.circumstances(event);
        facts.validity(event);
        who(event, &mut facts.marks);
        super::sensitive::marks(event, &mut facts.marks);
        facts
    }

    fn is_verb(&self, names: &[&str]) -> bool {
        names.contains(&VERBS[usize::from(self.verb)])
    }

    /// Which bodies are there, and which are missing although level, verb and result say they should be.
    fn bodies(&mut self, event: &Event<'_>) {
        const SKIPPED: RawJson<'static> = RawJson(b"\"skipped-too-big-size-object\"");
        let objects = [event.request_object, event.response_object];
        let skipped = objects.contains(&Some(SKIPPED));
        let truncated = event.annotations.is_some_and(|all| memmem::find(all.0, b"audit.k8s.io/truncated").is_some());
        let mut set = |mark, is_so| self.marks.set(mark, is_so);
        set(Mark::Skipped, skipped);
        set(Mark::Truncated, truncated);
        set(Mark::Body, objects.iter().any(Option::is_some));
        let success = event.code().is_some_and(|code| (200..=202).contains(&code));
        let plain = event.object_ref.is_some_and(|object| has_bodies(&object)) && !event.is_long_running();
        if skipped || truncated || !success || !plain || event.stage != Stage::ResponseComplete {
            return;
        }
        let writes = self.is_verb(&["create", "update", "patch"]);
        let reads = self.is_verb(&["get", "list"]);
        let (request, all) = (self.level == 1 || self.level == 2, self.level == 2);
        self.marks.set(Mark::NoRequestBody, request && writes && objects[0].is_none());
        self.marks.set(Mark::NoResponseBody, all && (writes || reads) && objects[1].is_none());
        let one = self.is_verb(&["get", "create", "update", "patch"]);
        self.marks.set(Mark::SingleObject, one && objects[1].is_some_and(|body| body.0.len() > 300));
    }

    fn circumstances(&mut self, event: &Event<'_>) {
        let mut set = |mark, is_so| self.marks.set(mark, is_so);
        set(Mark::LongRunning, event.is_long_running());
        set(Mark::Unauthorized, event.code() == Some(401));
        set(Mark::TextFormat, event.format.is_legacy());
        set(Mark::Annotated, event.annotations.is_some_and(|all| all.members().next().is_some()));
        set(Mark::UserAgent, event.user_agent.is_some());
        set(Mark::NonResource, event.object_ref.is_none_or(|object| object.resource.is_none()));
    }

    /// What no server writes.
    fn validity(&mut self, event: &Event<'_>) {
        if event.format.is_legacy() {
            return;
        }
        let known = event.level.is_none() || usize::from(self.level) + 1 < LEVELS.len();
        let mut set = |mark, is_so| self.marks.set(mark, is_so);
        set(Mark::UnknownLevel, !known);
        set(Mark::UnknownStage, matches!(event.stage, Stage::Other(_)));
        set(Mark::NoStatus, event.stage == Stage::ResponseComplete && event.response_status.is_none());
        set(Mark::StageBeforeArrival, event.exact_times && event.stage_timestamp < event.request_received);
        set(Mark::OtherObject, is_other_object(event));
    }
}

/// Whether the recorded object is not the one that the URI names.
fn is_other_object(event: &Event<'_>) -> bool {
    let (Some(object), Some(uri), Some(verb)) = (event.object_ref, event.request_uri, event.verb) else { return false };
    if event.object_ref_derived || uri.is_empty() {
        return false;
    }
    let arena = Bump::new();
    let rules = if uri.raw().starts_with(b"/oapi/") { Rules::UpTo1_7 } else { Rules::Modern };
    let RequestInfo { is_resource, object: named, .. } = request_info(Method::Verb(verb), uri, rules, &arena);
    !is_resource || differs(object, named)
}

/// Names are compared only where both sides have one: that of a create comes from the body.
fn differs(object: ObjectReference<'_>, named: ObjectReference<'_>) -> bool {
    let same = |a: Option<Text<'_>>, b: Option<Text<'_>>| {
        a.filter(|text| !text.is_empty()) == b.filter(|text| !text.is_empty())
    };
    let named_alike = match (object.name, named.name) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    !(same(object.resource, named.resource)
        && same(object.subresource, named.subresource)
        && same(object.namespace, named.namespace)
        && same(object.api_group, named.api_group)
        && named_alike)
}

/// Who makes the request, of those that every cluster has.
fn who(event: &Event<'_>, marks: &mut Marks) {
    let Some(user) = event.user.username else { return };
    let Some(system) = user.raw().strip_prefix(b"system:") else { return };
    let account = system.strip_prefix(b"serviceaccount:");
    let of_system = account.and_then(|account| account.strip_prefix(b"kube-system:"));
    marks.set(Mark::ServiceAccount, account.is_some());
    marks.set(Mark::Node, system.starts_with(b"node:"));
    marks.set(Mark::KubeProxy, system == b"kube-proxy" || of_system == Some(b"kube-proxy"));
    marks.set(Mark::Scheduler, system == b"kube-scheduler");
    // It mostly acts by one account for each of its controllers.
    let of_controller = of_system.is_some_and(|account| account.ends_with(b"-controller"));
    marks.set(Mark::ControllerManager, system == b"kube-controller-manager" || of_controller);
}

/// Whether requests about it have bodies: those that connect to a container have none.
fn has_bodies(object: &ObjectReference<'_>) -> bool {
    const WITHOUT: [&[u8]; 5] = [b"exec", b"attach", b"portforward", b"proxy", b"log"];
    object.resource.is_some() && object.subresource.is_none_or(|sub| !WITHOUT.contains(&sub.raw()))
}

/// The resource's name as kubectl writes it, `deployments.apps/scale`; empty for bare paths.
pub fn name(event: &Event<'_>, out: &mut Vec<u8>) {
    out.clear();
    let Some(object) = event.object_ref else { return };
    for (separator, part) in [(&b""[..], object.resource), (b".", object.api_group), (b"/", object.subresource)] {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            out.extend_from_slice(separator);
            out.extend_from_slice(&part.decode());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Format, ResponseStatus};

    fn event(verb: &'static str, level: &'static str, code: i32) -> Event<'static> {
        let mut event = Event::empty(b"", Format::V1);
        event.stage = Stage::ResponseComplete;
        event.verb = Some(Text::from(verb));
        event.level = Some(Text::from(level));
        event.response_status = Some(ResponseStatus { code: Some(code), ..ResponseStatus::default() });
        event.request_uri = Some(Text::from("/apis/apps/v1/namespaces/a/deployments/b"));
        event.object_ref = Some(ObjectReference {
            resource: Some(Text::from("deployments")),
            api_group: Some(Text::from("apps")),
            namespace: Some(Text::from("a")),
            name: Some(Text::from("b")),
            ..ObjectReference::default()
        });
        event
    }

    fn has(event: &Event<'_>, mark: Mark) -> bool {
        Facts::of(event).marks.has(mark)
    }

    #[test]
    fn bodies_are_missed_where_there_should_be_some() {
        let update = event("update", "Request", 200);
        assert!(has(&update, Mark::NoRequestBody) && !has(&update, Mark::NoResponseBody));
        assert!(has(&event("get", "RequestResponse", 200), Mark::NoResponseBody));
        assert!(!has(&event("update", "RequestResponse", 403), Mark::NoRequestBody), "refused before it was read");
        assert!(!has(&event("update", "Metadata", 200), Mark::NoRequestBody));
        let mut whole = event("update", "Request", 200);
        whole.request_object = Some(RawJson(b"{}"));
        assert!(has(&whole, Mark::Body) && !has(&whole, Mark::NoRequestBody));
        whole.request_object = Some(RawJson(b"\"skipped-too-big-size-object\""));
        assert!(has(&whole, Mark::Skipped));
        let mut truncated = event("update", "Request", 200);
        truncated.annotations = Some(RawJson(br#"{"audit.k8s.io/truncated":"true"}"#));
        assert!(has(&truncated, Mark::Truncated) && !has(&truncated, Mark::NoRequestBody));
    }

    #[test]
    fn what_no_server_writes() {
        let sound = event("get", "Metadata", 200);
        let marks = [Mark::UnknownLevel, Mark::UnknownStage, Mark::NoStatus, Mark::OtherObject];
        assert!(marks.iter().all(|&mark| !has(&sound, mark)));
        assert!(has(&event("get", "Everything", 200), Mark::UnknownLevel));
        let mut other = sound;
        other.request_uri = Some(Text::from("/apis/apps/v1/namespaces/z/deployments/b"));
        assert!(has(&other, Mark::OtherObject));
        other.object_ref_derived = true;
        assert!(!has(&other, Mark::OtherObject));
        let mut early = sound;
        (early.exact_times, early.request_received, early.stage_timestamp) =
            (true, crate::event::Timestamp::from_unix(20), crate::event::Timestamp::from_unix(10));
        assert!(has(&early, Mark::StageBeforeArrival));
        let mut bare = sound;
        bare.response_status = None;
        assert!(has(&bare, Mark::NoStatus));
    }

    #[test]
    fn names_are_those_of_kubectl() {
        let mut out = Vec::new();
        let mut scale = event("get", "Metadata", 200);
        name(&scale, &mut out);
        assert_eq!(out, b"deployments.apps");
        if let Some(object) = &mut scale.object_ref {
            object.subresource = Some(Text::from("scale"));
        }
        name(&scale, &mut out);
        assert_eq!(out, b"deployments.apps/scale");
        scale.object_ref = None;
        name(&scale, &mut out);
        assert_eq!(out, b"");
    }
}
