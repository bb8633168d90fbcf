//! Why an object came or went: from the request that did it back to whoever started it.
//!
//! Controllers act because something else changed. Which controller it was says what that must have been:
//! the garbage collector follows owners, the ReplicaSet controller what was written to the ReplicaSet,
//! pod garbage collection nodes that are gone. Each step back is a [`Link`], with what it rests on: an
//! owner reference or the request itself, the name of the owner, or no more than the order of time.

use super::act::{Act, ObjectKey};
pub use super::owners::Certainty;
use super::what::whole;
use super::world::{Rank, World, is_end};
use crate::event::Timestamp;

/// What brought about the beginning or the end of an object.
#[derive(Clone, Debug)]
pub struct Cause {
    /// In one word.
    pub kind: Kind,
    /// From the request that did it to whoever started it.
    pub links: Vec<Link>,
}

/// One step of the way back.
#[derive(Clone, Debug)]
pub struct Link {
    /// The request, where there is one.
    pub act: Option<Act>,
    /// What it did, as a part of a sentence.
    pub clause: Vec<Part>,
    /// How it goes on from the step before.
    pub joint: &'static str,
    /// What the step rests on.
    pub rests_on: Certainty,
}

/// A piece of a sentence. Times are shown in the reader's zone, so they stay times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// Text, with what the log says in it.
    Text(String),
    /// A moment.
    Time(Timestamp),
}

/// Beginnings and ends, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Somebody created it.
    Created,
    /// A controller created it for its owner.
    CreatedForOwner,
    /// A controller created it in place of another.
    Replaced,
    /// It was there before the log, or the log does not name its creation.
    NotInLog,
    /// Somebody deleted it.
    Deleted,
    /// Somebody deleted it with all others of its type.
    CollectionDeleted,
    /// It was evicted.
    Evicted,
    /// It was evicted because its node was drained.
    Drained,
    /// A pod of higher priority needed its place.
    Preempted,
    /// Its node was deleted.
    NodeDeleted,
    /// Its node was tainted or did not answer.
    NodeLost,
    /// Pod garbage collection, for another reason.
    PodCollected,
    /// Its owner was deleted.
    OwnerDeleted,
    /// Its namespace was deleted.
    NamespaceDeleted,
    /// The time it was to stay after it had finished was over.
    Ttl,
    /// Its owner got another template.
    Rollout,
    /// Its owner was scaled down.
    ScaledDown,
    /// Its owner was changed.
    OwnerChanged,
    /// Its owner keeps no more old ones.
    HistoryLimit,
    /// The kubelet removed it; who asked for that is not in the log.
    Removed,
}

impl Kind {
    /// The word in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Created => "created",
            Kind::CreatedForOwner => "created-for-owner",
            Kind::Replaced => "replacement",
            Kind::NotInLog => "not-in-log",
            Kind::Deleted => "deleted",
            Kind::CollectionDeleted => "collection-deleted",
            Kind::Evicted => "evicted",
            Kind::Drained => "drained",
            Kind::Preempted => "preempted",
            Kind::NodeDeleted => "node-deleted",
            Kind::NodeLost => "node-lost",
            Kind::PodCollected => "pod-collected",
            Kind::OwnerDeleted => "owner-deleted",
            Kind::NamespaceDeleted => "namespace-deleted",
            Kind::Ttl => "ttl",
            Kind::Rollout => "rollout",
            Kind::ScaledDown => "scaled-down",
            Kind::OwnerChanged => "owner-changed",
            Kind::HistoryLimit => "history-limit",
            Kind::Removed => "removed",
        }
    }
}

impl Cause {
    fn new(kind: Kind, first: Link) -> Self {
        Cause { kind, links: vec![first] }
    }

    fn then(mut self, links: impl IntoIterator<Item = Link>) -> Self {
        self.links.extend(links);
        self
    }

    /// The same, where the log does not show that the object was in the collection.
    pub(super) fn doubted(mut self) -> Self {
        if self.kind == Kind::CollectionDeleted
            && let Some(first) = self.links.first_mut()
        {
            first.clause.insert(0, Part::Text("probably ".to_owned()));
            first.rests_on = Certainty::Order;
        }
        self
    }

    /// The whole way as one sentence.
    pub fn sentence(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        for link in &self.links {
            parts.push(Part::Text(link.joint.to_owned()));
            parts.extend(link.clause.iter().cloned());
        }
        parts
    }
}

impl Link {
    /// A step that is a request: `{before}{who}`, its time.
    fn of(act: &Act, joint: &'static str, before: String, rests_on: Certainty) -> Self {
        let mut clause = vec![Part::Text(before)];
        clause.extend(at(act));
        Link { act: Some(act.clone()), clause, joint, rests_on }
    }

    /// A step of which the log has no request.
    fn missing(joint: &'static str, text: String) -> Self {
        Link { act: None, clause: vec![Part::Text(text)], joint, rests_on: Certainty::Order }
    }
}

fn at(act: &Act) -> Vec<Part> {
    act.time.map_or(Vec::new(), |time| vec![Part::Text(" at ".to_owned()), Part::Time(time)])
}

/// How far back a chain is followed: pod, ReplicaSet, Deployment, and owners of other kinds above it.
const DEPTH: usize = 8;

/// Longer ago than this, a change is not called the reason: nanoseconds.
const SOON: i64 = 15 * 60 * 1_000_000_000;

/// Evictions by one user that are no further apart belong to one drain.
const TOGETHER: i64 = 5 * 60 * 1_000_000_000;

fn apart(one: &Act, other: &Act) -> i64 {
    one.time.zip(other.time).map_or(0, |(one, other)| one.0.abs_diff(other.0).min(i64::MAX as u64) as i64)
}

/// Whether one of two acts may be the reason for the other, as far as the time between them goes.
pub(super) fn is_near(one: &Act, other: &Act) -> bool {
    apart(one, other) <= SOON
}

fn joint(later: &Act, earlier: &Act) -> &'static str {
    if is_near(later, earlier) { ", because " } else { ", after " }
}

impl World<'_> {
    /// Why an object went: `at` is the request that ended it, `node` where it ran.
    pub(super) fn why_deleted(&self, key: &ObjectKey, at: Rank, node: Option<&str>) -> Cause {
        self.deletion(key, at, node, DEPTH)
    }

    fn deletion(&self, key: &ObjectKey, at: Rank, node: Option<&str>, depth: usize) -> Cause {
        let Some(act) = self.act(at) else { return unknown(Kind::Removed, "removed") };
        let plain =
            |kind| Cause::new(kind, Link::of(act, "", format!("deleted by {}", act.who()), Certainty::Recorded));
        match act.controller.as_deref() {
            _ if &*act.verb == "deletecollection" => self.with_collection(key, act, at),
            _ if &*act.subresource == "eviction" => self.eviction(act, at, node),
            Some("generic-garbage-collector") => plain(Kind::OwnerDeleted).then(self.owner_gone(key, at, depth)),
            Some("namespace-controller") => plain(Kind::NamespaceDeleted).then([self.namespace_gone(key, at)]),
            Some("ttl-after-finished-controller") => {
                let over = Link::missing(", because ", "its ttlSecondsAfterFinished had passed".to_owned());
                plain(Kind::Ttl).then([over])
            }
            Some("pod-garbage-collector") => self.pod_collected(act, at, node),
            Some("node-controller" | "node-lifecycle-controller" | "taint-eviction-controller") => {
                plain(Kind::NodeLost).then([self.node_lost(act, at, node)])
            }
            Some("deployment-controller" | "cronjob-controller") if &*key.resource != "pods" => {
                plain(Kind::HistoryLimit).then([Link::missing(
                    ", because ",
                    "its owner keeps no more old ones (revisionHistoryLimit, or history limits of a CronJob)"
                        .to_owned(),
                )])
            }
            Some(_) => self.by_owner(key, act, at, depth),
            None if &**act.acting() == "system:kube-scheduler" => {
                let place = Link::missing(", because ", "a pod of higher priority needed its place".to_owned());
                plain(Kind::Preempted).then([place])
            }
            None if act.acting().starts_with("system:node:") => {
                if self.is_going(&key.namespace, act, at) {
                    return plain(Kind::NamespaceDeleted).then([self.namespace_gone(key, at)]);
                }
                plain(Kind::Removed).then([Link::missing("; ", "who asked for that is not in the log".to_owned())])
            }
            None => plain(Kind::Deleted),
        }
    }

    /// Deleted with everything of its type in its namespace.
    fn with_collection(&self, key: &ObjectKey, act: &Act, at: Rank) -> Cause {
        let text = format!("deleted with other {} in one request by {}", key.resource, act.who());
        let first = Link::of(act, "", text, Certainty::Recorded);
        if act.is_by(&["namespace-controller"]) {
            // It deletes all that there is.
            return Cause::new(Kind::NamespaceDeleted, first).then([self.namespace_gone(key, at)]);
        }
        Cause::new(Kind::CollectionDeleted, first)
    }

    /// A deletion of a whole collection, told of what may have been in it.
    pub(super) fn collection(&self, at: Rank, uri: &str) -> Option<Cause> {
        let act = self.act(at).filter(|act| act.succeeded())?;
        let text = format!("{} deleted {}", act.who(), whole(act, uri));
        let cause = Cause::new(Kind::CollectionDeleted, Link::of(act, "", text, Certainty::Recorded));
        let emptied = act.is_by(&["namespace-controller"]);
        Some(cause.then(emptied.then(|| self.namespace_gone(&act.object, at))))
    }

    /// Whether a namespace had been deleted shortly before an act in it, and not made again.
    fn is_going(&self, namespace: &str, act: &Act, at: Rank) -> bool {
        let key = ObjectKey::cluster("namespaces", namespace);
        let last = self.last_before(&key, at, |act| act.is_new() || &*act.verb == "delete");
        last.is_some_and(|(_, last)| &*last.verb == "delete" && is_near(act, last))
    }

    /// Why the owner that garbage collection missed is gone.
    fn owner_gone(&self, key: &ObjectKey, at: Rank, depth: usize) -> Vec<Link> {
        let mut below = key.clone();
        let mut rests_on = Certainty::Recorded;
        let mut nearest = None;
        for _ in 0..depth {
            let Some((owner, known)) = self.owner(&below) else { break };
            rests_on = rests_on.max(known);
            let ended = |act: &Act| is_end(act);
            if let Some((rank, _)) = self.last_before(&owner, at, ended) {
                let mut cause = self.deletion(&owner, rank, None, depth.saturating_sub(1));
                let whose = if below == *key { "its owner" } else { "the owner of that," };
                let by_name = if rests_on == Certainty::Name { " (by name)" } else { "" };
                if let Some(first) = cause.links.first_mut() {
                    first.joint = ", because ";
                    first.rests_on = rests_on;
                    first.clause.insert(0, Part::Text(format!("{whose} {}{by_name} was ", owner.path())));
                }
                return cause.links;
            }
            nearest.get_or_insert_with(|| owner.clone());
            below = owner;
        }
        vec![match nearest {
            Some(owner) if self.acts_on(&owner).any(|(rank, act)| rank > at && act.succeeded() && !act.is_new()) => {
                let text = format!("its owner, by name {}, is still there: the log does not show why", owner.path());
                Link::missing("; ", text)
            }
            Some(owner) => Link::missing(
                ", because ",
                format!("its owner {} must have been gone; the log does not show its deletion", owner.path()),
            ),
            None => Link::missing(", because ", "its owner was gone, which the log does not name".to_owned()),
        }]
    }

    /// Who deleted the namespace.
    pub(super) fn namespace_gone(&self, key: &ObjectKey, at: Rank) -> Link {
        let namespace = ObjectKey::cluster("namespaces", &key.namespace);
        match self.last_before(&namespace, at, |act| &*act.verb == "delete") {
            Some((_, act)) => {
                let text = format!("namespace {} was deleted by {}", key.namespace, act.who());
                Link::of(act, ", because ", text, Certainty::Recorded)
            }
            None => Link::missing(
                ", because ",
                format!("namespace {} was being deleted; who asked for that is not in the log", key.namespace),
            ),
        }
    }

    fn eviction(&self, act: &Act, at: Rank, node: Option<&str>) -> Cause {
        let first = Link::of(act, "", format!("evicted by {}", act.who()), Certainty::Recorded);
        let same = |other: &Act| other.acting() == act.acting() && apart(act, other) <= SOON;
        let nodes = ObjectKey::cluster("nodes", "");
        let marked = |key: &ObjectKey| self.last_before(key, at, |other| same(other) && other.cordons != Some(false));
        let cordon = match node {
            Some(node) => marked(&ObjectKey::cluster("nodes", node)),
            None => self.of_type("nodes", "", &nodes).filter_map(|(key, _)| marked(key)).max_by_key(|(rank, _)| *rank),
        };
        if let Some((_, cordon)) = cordon {
            let did = if cordon.cordons == Some(true) { "cordoned" } else { "patched" };
            let text = format!("in a drain: the same user had {did} node {}", cordon.object.name);
            let certainty = if node.is_some() { Certainty::Recorded } else { Certainty::Order };
            let drain = Link::of(cordon, ", ", text, certainty);
            return Cause::new(Kind::Drained, first).then([drain]);
        }
        let others = self.others_evicted(act);
        if others < 2 {
            return Cause::new(Kind::Evicted, first);
        }
        let text = format!("in what looks like a drain: the same user evicted {others} other pods within five minutes");
        Cause::new(Kind::Drained, first).then([Link::missing(", ", text)])
    }

    /// How many other pods the same user evicted about that time.
    fn others_evicted(&self, act: &Act) -> usize {
        let Some(time) = act.time else { return 0 };
        let (from, to) = (Timestamp(time.0.saturating_sub(TOGETHER)), Timestamp(time.0.saturating_add(TOGETHER)));
        let own = |other: &Act| {
            other.succeeded()
                && &*other.subresource == "eviction"
                && other.acting() == act.acting()
                && other.time.is_some_and(|time| (from..=to).contains(&time))
        };
        let own = self.acts_on(&act.object).filter(|(_, other)| own(other)).count();
        self.evictions_by(act.acting(), from, to).saturating_sub(own)
    }

    fn pod_collected(&self, act: &Act, at: Rank, node: Option<&str>) -> Cause {
        let first = Link::of(act, "", format!("deleted by {}", act.who()), Certainty::Recorded);
        let gone = node
            .and_then(|node| self.last_before(&ObjectKey::cluster("nodes", node), at, |act| &*act.verb == "delete"));
        if let Some((_, deletion)) = gone {
            let text = format!("its node {} was deleted by {}", deletion.object.name, deletion.who());
            return Cause::new(Kind::NodeDeleted, first).then([Link::of(
                deletion,
                ", because ",
                text,
                Certainty::Recorded,
            )]);
        }
        let text = match node {
            Some(node) => format!(
                "the deletion of its node {node} is not in the log; it may have finished, or its node may be gone"
            ),
            None => "its node is not known from the log; it may have finished, or its node may be gone".to_owned(),
        };
        Cause::new(Kind::PodCollected, first).then([Link::missing("; ", text)])
    }

    /// A pod that was deleted for a taint: by a person who set it, or because the node did not answer.
    fn node_lost(&self, act: &Act, at: Rank, node: Option<&str>) -> Link {
        let Some(node) = node else {
            return Link::missing(
                ", because ",
                "its node was tainted; which node that was is not in the log".to_owned(),
            );
        };
        let by_person = |other: &Act| other.controller.is_none() && !other.acting().starts_with("system:node:");
        let key = ObjectKey::cluster("nodes", node);
        match self.last_before(&key, at, |other| other.changes_spec() && by_person(other) && apart(act, other) <= SOON)
        {
            Some((_, other)) => {
                Link::of(other, ", because ", format!("{} changed its node {node}", other.who()), Certainty::Order)
            }
            None => Link::missing(", because ", format!("its node {node} was tainted or did not answer")),
        }
    }

    /// Deleted by the controller of its owner: what was done to the owner?
    fn by_owner(&self, key: &ObjectKey, act: &Act, at: Rank, depth: usize) -> Cause {
        let first = Link::of(act, "", format!("deleted by {}", act.who()), Certainty::Recorded);
        let Some((owner, known)) = self.owner(key) else { return Cause::new(Kind::Deleted, first) };
        let links = self.why_changed(act, &owner, known, at, depth);
        let kind = self.kind_of_change(&links, at);
        Cause::new(kind, first).then(links)
    }

    /// What the change that is at the bottom of it was: another template, or fewer replicas.
    fn kind_of_change(&self, links: &[Link], at: Rank) -> Kind {
        let Some(root) = links.iter().rev().find_map(|link| link.act.as_ref()) else { return Kind::OwnerChanged };
        let (_, scaled) = self.scaling(root);
        if scaled {
            return Kind::ScaledDown;
        }
        if matches!(&*root.object.resource, "statefulsets" | "daemonsets") || self.rolled_out(root, at) {
            return Kind::Rollout;
        }
        Kind::OwnerChanged
    }

    /// Whether a Deployment got a new ReplicaSet between a change and what followed from it.
    fn rolled_out(&self, change: &Act, at: Rank) -> bool {
        let group = if &*change.object.group == "extensions" { "extensions" } else { "apps" };
        let made = |ranks: &[Rank]| {
            ranks.iter().filter(|rank| **rank < at).filter_map(|rank| self.act(*rank)).any(|act| {
                &*act.verb == "create" && act.succeeded() && act.subresource.is_empty() && act.time >= change.time
            })
        };
        self.of_type("replicasets", group, &change.object)
            .any(|(key, ranks)| made(ranks) && self.owner(key).is_some_and(|(owner, _)| owner == change.object))
    }

    /// How a write changed the number of replicas, in words, and whether it did.
    fn scaling(&self, act: &Act) -> (String, bool) {
        let before = self.acts_on(&act.object).rev().find_map(|(_, other)| {
            let earlier = other.succeeded() && other.time < act.time;
            other.replicas.filter(|_| earlier)
        });
        match (before, act.replicas) {
            (Some(before), Some(after)) if before != after => (format!("from {before} to {after} "), true),
            (_, Some(after)) if &*act.subresource == "scale" => (format!("to {after} "), true),
            _ => (String::new(), &*act.subresource == "scale"),
        }
    }

    /// Who changed an owner so that something followed from it: the last write before `at` that is not its
    /// own controller's; where a controller wrote for an owner above, on to that.
    fn why_changed(&self, after: &Act, owner: &ObjectKey, known: Certainty, at: Rank, depth: usize) -> Vec<Link> {
        let own = own_controller(&owner.resource);
        let change = self.last_before(owner, at, |act| act.changes_spec() && !act.is_by(&[own]));
        let above = || (depth > 0).then(|| self.owner(owner)).flatten();
        let Some((rank, act)) = change else {
            return match above() {
                Some((above, named)) => self.why_changed(after, &above, named.max(known), at, depth - 1),
                None => Vec::new(),
            };
        };
        let by_name = if known == Certainty::Name { " (owner by name)" } else { "" };
        let text = format!("{}{by_name}", self.did(act));
        let mut links = vec![Link::of(act, joint(after, act), text, known.max(Certainty::Order))];
        if act.controller.is_some()
            && let Some((above, named)) = above()
        {
            links.extend(self.why_changed(act, &above, named, rank, depth - 1));
        }
        links
    }

    /// What somebody did to an object, as a clause.
    fn did(&self, act: &Act) -> String {
        let (how, scaled) = self.scaling(act);
        let path = act.object.path();
        match &*act.verb {
            "create" if act.subresource.is_empty() => format!("{} created {path}", act.who()),
            _ if scaled => format!("{} scaled {path} {how}", act.who()).trim_end().to_owned(),
            _ => format!("{} changed {path}", act.who()),
        }
    }

    /// Why an object came: `at` is the request that created it.
    pub(super) fn why_created(&self, key: &ObjectKey, at: Rank) -> Cause {
        let Some(act) = self.act(at) else { return unknown(Kind::NotInLog, "created") };
        let first = Link::of(act, "", format!("created by {}", act.who()), Certainty::Recorded);
        let Some((owner, known)) = self.owner(key).filter(|_| act.acting().starts_with("system:")) else {
            return Cause::new(Kind::Created, first);
        };
        if let Some(link) = self.replaced(key, &owner, act, at) {
            return Cause::new(Kind::Replaced, first).then([link]);
        }
        let links = self.why_changed(act, &owner, known, at, DEPTH);
        Cause::new(Kind::CreatedForOwner, first).then(links)
    }

    /// The pod whose place another took, if that ended after the last change of their owner.
    fn replaced(&self, key: &ObjectKey, owner: &ObjectKey, act: &Act, at: Rank) -> Option<Link> {
        const AT_ONCE: i64 = 2 * 60 * 1_000_000_000;
        if &*key.resource != "pods" {
            return None;
        }
        let own = own_controller(&owner.resource);
        let changed = self.last_before(owner, at, |act| act.changes_spec() && !act.is_by(&[own]));
        let (_, ended) = self
            .ended_pods_before(owner, at)
            .take_while(|(rank, other)| apart(act, other) <= AT_ONCE && changed.is_none_or(|(last, _)| *rank > last))
            .find(|(_, other)| other.object != *key)?;
        let did = if &*ended.subresource == "eviction" { "evicted" } else { "deleted" };
        let text = format!("{} was {did} by {}", ended.object.path(), ended.who());
        Some(Link::of(ended, ", because ", text, Certainty::Order))
    }

    /// What is known of the beginning of an object whose creation the log does not name.
    pub(super) fn before_log(&self, key: &ObjectKey, first: Rank) -> Cause {
        let text = "its creation is not in the log, or not under its name".to_owned();
        let cause = Cause::new(Kind::NotInLog, Link::missing("", text));
        let Some((owner, known)) = self.owner(key) else { return cause };
        let by_name = if known == Certainty::Name { " by its name" } else { "" };
        let belongs = Link::missing("; ", format!("it belongs{by_name} to {}", owner.path()));
        let Some(act) = self.act(first) else { return cause.then([belongs]) };
        // A pod is new when it is bound; anything else it may have gone through long after it was made.
        let replaced = (&*act.subresource == "binding").then(|| self.replaced(key, &owner, act, first)).flatten();
        let mut links = match replaced {
            Some(link) => vec![link],
            None => self.why_changed(act, &owner, known, first, DEPTH),
        };
        if let Some(link) = links.first_mut() {
            link.joint = "; before it was seen first, ";
        }
        cause.then([belongs]).then(links)
    }
}

fn unknown(kind: Kind, text: &str) -> Cause {
    Cause::new(kind, Link::missing("", text.to_owned()))
}

/// The controller that writes to objects of a type because they were written to.
fn own_controller(resource: &str) -> &'static str {
    match resource {
        "deployments" => "deployment-controller",
        "replicasets" => "replicaset-controller",
        "replicationcontrollers" => "replication-controller",
        "statefulsets" => "statefulset-controller",
        "daemonsets" => "daemon-set-controller",
        "jobs" => "job-controller",
        "cronjobs" => "cronjob-controller",
        _ => "generic-garbage-collector",
    }
}
