//! Ends: which request deleted an object, and what the controller behind it followed.

use super::{Cause, Certainty, DEPTH, Kind, Link, Part, is_near, unknown};
use crate::aggregate::history::act::{Act, ObjectKey};
use crate::aggregate::history::what::whole;
use crate::aggregate::history::world::{Rank, World, is_end};

impl World<'_> {
    /// Why an object went: `at` is the request that ended it, `node` where it ran.
    pub(in crate::aggregate::history) fn why_deleted(&self, key: &ObjectKey, at: Rank, node: Option<&str>) -> Cause {
        self.deletion(key, at, node, DEPTH)
    }

    fn deletion(&self, key: &ObjectKey, at: Rank, node: Option<&str>, depth: usize) -> Cause {
        let Some(act) = self.act(at) else { return unknown(Kind::Removed, "removed") };
        let plain = |kind| Cause::new(kind, deleted_by(act));
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
                let text = "its owner keeps no more old ones (revisionHistoryLimit, or history limits of a CronJob)";
                plain(Kind::HistoryLimit).then([Link::missing(", because ", text.to_owned())])
            }
            Some(_) => self.by_owner(key, act, at, depth),
            None => self.by_client(key, act, at),
        }
    }

    /// Deleted by no controller: to make place, by a kubelet for somebody else, or because somebody wanted it.
    fn by_client(&self, key: &ObjectKey, act: &Act, at: Rank) -> Cause {
        let plain = |kind| Cause::new(kind, deleted_by(act));
        if &**act.acting() == "system:kube-scheduler" {
            let place = Link::missing(", because ", "a pod of higher priority needed its place".to_owned());
            return plain(Kind::Preempted).then([place]);
        }
        if !act.acting().starts_with("system:node:") {
            return plain(Kind::Deleted);
        }
        if self.is_going(&key.namespace, act, at) {
            return plain(Kind::NamespaceDeleted).then([self.namespace_gone(key, at)]);
        }
        plain(Kind::Removed).then([Link::missing("; ", "who asked for that is not in the log".to_owned())])
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
    pub(in crate::aggregate::history) fn collection(&self, at: Rank, uri: &str) -> Option<Cause> {
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
            if let Some((rank, _)) = self.last_before(&owner, at, is_end) {
                let links = self.deletion(&owner, rank, None, depth.saturating_sub(1)).links;
                let whose = if below == *key { "its owner" } else { "the owner of that," };
                return told_of(links, whose, &owner, rests_on);
            }
            nearest.get_or_insert_with(|| owner.clone());
            below = owner;
        }
        vec![self.owner_unexplained(nearest, at)]
    }

    /// What is said where the log has no deletion of an owner.
    fn owner_unexplained(&self, nearest: Option<ObjectKey>, at: Rank) -> Link {
        match nearest {
            Some(owner) if self.acts_on(&owner).any(|(rank, act)| rank > at && act.succeeded() && !act.is_new()) => {
                let text = format!("its owner, by name {}, is still there: the log does not show why", owner.path());
                Link::missing("; ", text)
            }
            Some(owner) => Link::missing(
                ", because ",
                format!("its owner {} must have been gone; the log does not show its deletion", owner.path()),
            ),
            None => Link::missing(", because ", "its owner was gone, which the log does not name".to_owned()),
        }
    }

    /// Who deleted the namespace.
    pub(in crate::aggregate::history) fn namespace_gone(&self, key: &ObjectKey, at: Rank) -> Link {
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

    /// Deleted by the controller of its owner: what was done to the owner?
    fn by_owner(&self, key: &ObjectKey, act: &Act, at: Rank, depth: usize) -> Cause {
        let first = deleted_by(act);
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
}

pub(super) fn deleted_by(act: &Act) -> Link {
    Link::of(act, "", format!("deleted by {}", act.who()), Certainty::Recorded)
}

/// The way back from an object as that of what it belonged to.
fn told_of(mut links: Vec<Link>, whose: &str, owner: &ObjectKey, rests_on: Certainty) -> Vec<Link> {
    let by_name = if rests_on == Certainty::Name { " (by name)" } else { "" };
    if let Some(first) = links.first_mut() {
        first.joint = ", because ";
        first.rests_on = rests_on;
        first.clause.insert(0, Part::Text(format!("{whose} {}{by_name} was ", owner.path())));
    }
    links
}
