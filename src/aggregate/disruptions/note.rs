//! What is noted of single requests: the few facts that the stories are told from.

use std::borrow::Cow;
use std::sync::Arc;

use super::body::{self, NodeChange, Refusal, at, integer, is_dry_run, requested_grace, text};
use crate::aggregate::Position;
use crate::event::{Event, RawJson, Timestamp};

/// A request that matters.
#[derive(Clone, Debug)]
pub(super) struct Note {
    /// When it was answered.
    pub(super) time: Timestamp,
    /// When it arrived.
    pub(super) start: Timestamp,
    /// Who is answerable for it.
    pub(super) user: Arc<str>,
    /// The controller of kube-controller-manager, or the scheduler, that sent it.
    pub(super) controller: Option<Arc<str>>,
    /// What it was.
    pub(super) what: What,
    /// Whether it is among the requests asked about; the others are context.
    pub(super) wanted: bool,
}

/// What a request was.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Somebody tried to evict a pod.
    Eviction { pod: PodName, outcome: Outcome, grace: Option<i64> },
    /// Somebody deleted a pod.
    Deletion {
        pod: PodName,
        outcome: Outcome,
        grace: Option<i64>,
        /// The grace period that the server gave it; zero where its answer shows that nothing of it ran.
        set: Option<i64>,
        node: Option<Box<str>>,
    },
    /// Somebody deleted all pods that match; which, if the response was logged.
    Collection { pods: Option<Vec<Collected>> },
    /// Somebody asked for the pods of a node.
    Listed { node: Arc<str> },
    /// A component wrote why it ends a pod.
    Target { pod: PodName, reason: String, message: String },
    /// Somebody wrote a node; without its body there is no change.
    Node { node: Arc<str>, verb: NodeVerb, change: Option<NodeChange> },
    /// The API server took an allowed eviction off a budget.
    Charge { namespace: Box<str>, budget: Box<str> },
    /// Somebody wrote a PodDisruptionBudget.
    Budget { namespace: String, name: String, write: BudgetWrite },
}

/// Namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PodName {
    pub(super) namespace: Box<str>,
    pub(super) name: Box<str>,
}

/// A pod that was deleted with others.
#[derive(Clone, Debug)]
pub(super) struct Collected {
    pub(super) pod: PodName,
    /// The grace period that the server gave it.
    pub(super) set: Option<i64>,
    pub(super) node: Option<Box<str>>,
}

/// How an eviction or a deletion was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It goes ahead.
    Allowed,
    /// With 429.
    Refused(Box<Refusal>),
    /// There is no such pod (any more).
    Gone,
    /// With another error.
    Failed { code: Option<i32>, message: Box<str> },
}

/// How a node was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeVerb {
    Create,
    Update,
    Patch,
    Delete,
}

impl NodeVerb {
    /// Whether it begins or ends the node rather than changing it.
    pub(super) const fn is_end(self) -> bool {
        matches!(self, NodeVerb::Create | NodeVerb::Delete)
    }
}

/// How a budget was written.
#[derive(Clone, Debug)]
pub(super) enum BudgetWrite {
    /// Created or changed; of a patch whose result was not logged, what it says about `spec`.
    Written { patch: Option<Box<[u8]>> },
    /// Deleted.
    Deleted,
    /// Refused as invalid, and what the server said.
    Rejected { message: String },
}

/// Who is answerable: the impersonated user, if there is one.
pub(super) fn user<'a>(event: &Event<'a>) -> Cow<'a, str> {
    let user = event.impersonated_user.and_then(|user| user.username).or(event.user.username);
    user.map(|user| user.to_str_lossy()).unwrap_or_default()
}

/// The controller behind a user of the control plane: the service account's name, or how the agent ends.
pub(super) fn controller<'a>(event: &Event<'a>) -> Option<Cow<'a, str>> {
    let user = event.user.username?.to_str_lossy();
    if let Some(name) = user.strip_prefix("system:serviceaccount:kube-system:") {
        return Some(Cow::Owned(name.to_owned()));
    }
    match &*user {
        "system:kube-scheduler" => Some(Cow::Borrowed("kube-scheduler")),
        "system:kube-controller-manager" => {
            let agent = event.user_agent?.to_str_lossy();
            Some(Cow::Owned(agent.rsplit(['/', ':']).next()?.to_owned()))
        }
        _ => None,
    }
}

/// Whether the server did what was asked for.
pub(super) fn succeeded(event: &Event<'_>) -> bool {
    event.code().is_some_and(|code| (200..300).contains(&code)) && !is_failure(event)
}

/// An eviction can be answered 201 with a Status that says `Failure`.
fn is_failure(event: &Event<'_>) -> bool {
    event.response_status.and_then(|status| status.status).is_some_and(|status| status.raw() == b"Failure")
}

/// The namespace and name of the object; of a created one, the name may stand in a body only.
pub(super) fn object<'a>(event: &Event<'a>) -> (Cow<'a, str>, Cow<'a, str>) {
    let object = event.object_ref.unwrap_or_default();
    let name = object.name.map(|name| name.to_str_lossy());
    let of_body = |body| text(at(body, &["metadata", "name"]));
    let name = name.or_else(|| of_body(event.response_object)).or_else(|| of_body(event.request_object));
    (object.namespace.map(|namespace| namespace.to_str_lossy()).unwrap_or_default(), name.unwrap_or_default())
}

/// The namespace of the object.
pub(super) fn namespace(event: &Event<'_>) -> Option<String> {
    Some(event.object_ref?.namespace?.to_str_lossy().into_owned())
}

fn pod_name(event: &Event<'_>) -> PodName {
    let (namespace, name) = object(event);
    PodName { namespace: namespace.into(), name: name.into() }
}

/// How it was answered; nothing if it was not.
fn outcome(event: &Event<'_>) -> Option<Outcome> {
    let code = event.code()?;
    Some(match code {
        200..300 if !is_failure(event) => Outcome::Allowed,
        429 => Outcome::Refused(Box::new(body::refusal(event))),
        404 => Outcome::Gone,
        _ => {
            let refusal = body::refusal(event);
            match refusal.budget {
                Some(_) => Outcome::Refused(Box::new(refusal)),
                None => Outcome::Failed { code: Some(code), message: refusal.message },
            }
        }
    })
}

/// A try to evict a pod.
pub(super) fn eviction(event: &Event<'_>) -> Option<What> {
    let outcome = outcome(event).unwrap_or(Outcome::Failed { code: None, message: "".into() });
    (!is_dry_run(event)).then(|| What::Eviction { pod: pod_name(event), outcome, grace: requested_grace(event) })
}

/// A deletion of a pod that was answered; others end nothing.
pub(super) fn deletion(event: &Event<'_>) -> Option<What> {
    let outcome = outcome(event).filter(|_| !is_dry_run(event))?;
    let pod = event.response_object;
    Some(What::Deletion {
        pod: pod_name(event),
        outcome,
        grace: requested_grace(event),
        set: set_grace(pod),
        node: text(at(pod, &["spec", "nodeName"])).map(|node| node.into()),
    })
}

/// The grace period that the server gave the pod. One that has finished or has no node gets none.
fn set_grace(pod: Option<RawJson<'_>>) -> Option<i64> {
    let over = |pod: RawJson<'_>| body::has_finished(pod) || body::is_unbound(pod);
    integer(at(pod, &["metadata", "deletionGracePeriodSeconds"])).or_else(|| pod.is_some_and(over).then_some(0))
}

/// A deletion of a collection of pods.
pub(super) fn collection(event: &Event<'_>) -> Option<What> {
    if !succeeded(event) || is_dry_run(event) {
        return None;
    }
    let items = at(event.response_object, &["items"]);
    let pods = items.map(|items| {
        let read = |item: RawJson<'_>| {
            let metadata = at(Some(item), &["metadata"]);
            let name = |key| text(at(metadata, &[key])).unwrap_or_default().into();
            let node = text(at(Some(item), &["spec", "nodeName"])).map(|node| node.into());
            let pod = PodName { namespace: name("namespace"), name: name("name") };
            Collected { pod, set: set_grace(Some(item)), node }
        };
        items.elements().map(read).collect()
    });
    Some(What::Collection { pods })
}

/// Why a component ends a pod, as it wrote into the pod's status.
pub(super) fn target(event: &Event<'_>) -> Option<What> {
    let (reason, message) = body::disruption_target(event.request_object?)?;
    succeeded(event).then(|| What::Target { pod: pod_name(event), reason, message })
}

/// A write of a node.
pub(super) fn node_write(event: &Event<'_>, node: Arc<str>) -> What {
    let verb = match event.verb.map_or(&b""[..], |verb| verb.raw()) {
        b"create" => NodeVerb::Create,
        b"update" => NodeVerb::Update,
        b"patch" => NodeVerb::Patch,
        _ => NodeVerb::Delete,
    };
    let changes = !verb.is_end() && !is_dry_run(event);
    let change = changes.then(|| body::node_change(event, verb == NodeVerb::Update)).flatten();
    let tried = is_dry_run(event).then(NodeChange::default);
    What::Node { node, verb, change: change.or(tried) }
}

/// The whole budgets in the bodies of a request that succeeded.
pub(super) fn budget_objects<'a>(event: &Event<'a>) -> Option<RawJson<'a>> {
    let has_spec = |body: &RawJson<'a>| body.get(b"spec").is_some();
    let written = || event.request_object.filter(|_| event.verb.is_some_and(|verb| verb.raw() != b"patch"));
    if event.verb.is_some_and(|verb| verb.raw() == b"delete") || is_dry_run(event) {
        return None;
    }
    event.response_object.filter(has_spec).or_else(|| written().filter(has_spec))
}

/// The API server's own write of a budget's status, by which it allows an eviction while it answers it.
/// Source: kube-apiserver's checkAndDecrement.
pub(super) fn charge(event: &Event<'_>) -> Option<What> {
    let subresource = event.object_ref?.subresource.is_some_and(|sub| sub.raw() == b"status");
    let own = event.user.username.is_some_and(|user| user.raw() == b"system:apiserver");
    if !subresource || !own || !succeeded(event) {
        return None;
    }
    let (namespace, budget) = object(event);
    Some(What::Charge { namespace: namespace.into(), budget: budget.into() })
}

/// A write of a budget by somebody; its status is the disruption controller's own affair.
pub(super) fn budget_write(event: &Event<'_>) -> Option<What> {
    let verb = event.verb?.raw();
    let writes = matches!(verb, b"create" | b"update" | b"patch" | b"delete");
    let subresource = event.object_ref.and_then(|object| object.subresource);
    if !writes || subresource.is_some() || is_dry_run(event) {
        return None;
    }
    let (namespace, name) = object(event);
    let (namespace, name) = (namespace.into_owned(), name.into_owned());
    let write = match event.code()? {
        200..300 if verb == b"delete" => BudgetWrite::Deleted,
        200..300 => {
            let alone = verb == b"patch" && event.response_object.is_none();
            let patch = event.request_object.and_then(|body| body.get(b"spec")).filter(|_| alone);
            BudgetWrite::Written { patch: patch.map(|spec| spec.0.into()) }
        }
        422 => {
            let message = body::refusal(event).message;
            let both = |body| at(body, &["spec", "minAvailable"]).and(at(body, &["spec", "maxUnavailable"])).is_some();
            let known = both(event.request_object) || message.contains("cannot be both set");
            let known = known.then(|| "minAvailable and maxUnavailable cannot be both set".to_owned());
            BudgetWrite::Rejected { message: known.unwrap_or_else(|| message.into()) }
        }
        _ => return None,
    };
    Some(What::Budget { namespace, name, write })
}

/// The notes in order of time, then of position.
pub(super) fn by_time(mut notes: Vec<(Position, Note)>) -> Vec<(Position, Note)> {
    notes.sort_by_key(|(position, note)| (note.time, *position));
    notes
}
