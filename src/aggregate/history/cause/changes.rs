//! What was done to an owner so that something followed from it, and for whom it was done above that.

use super::{Certainty, Link, is_near};
use crate::aggregate::history::act::{Act, ObjectKey};
use crate::aggregate::history::world::{Rank, World};

impl World<'_> {
    /// Who changed an owner so that something followed from it: the last write before `at` that is not its
    /// own controller's; where a controller wrote for an owner above, on to that.
    pub(super) fn why_changed(
        &self,
        after: &Act,
        owner: &ObjectKey,
        known: Certainty,
        at: Rank,
        depth: usize,
    ) -> Vec<Link> {
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

    /// How a write changed the number of replicas, in words, and whether it did.
    pub(super) fn scaling(&self, act: &Act) -> (String, bool) {
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
}

fn joint(later: &Act, earlier: &Act) -> &'static str {
    if is_near(later, earlier) { ", because " } else { ", after " }
}

/// The controller that writes to objects of a type because they were written to.
pub(super) fn own_controller(resource: &str) -> &'static str {
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
