//! Ends that come from a pod's node: it was drained, deleted or lost.

use super::ends::deleted_by;
use super::{Cause, Certainty, Kind, Link, SOON, apart};
use crate::aggregate::history::act::{Act, ObjectKey};
use crate::aggregate::history::world::{Rank, World};
use crate::event::Timestamp;

/// Evictions by one user that are no further apart belong to one drain.
const TOGETHER: i64 = 5 * 60 * 1_000_000_000;

impl World<'_> {
    pub(super) fn eviction(&self, act: &Act, at: Rank, node: Option<&str>) -> Cause {
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

    pub(super) fn pod_collected(&self, act: &Act, at: Rank, node: Option<&str>) -> Cause {
        let first = deleted_by(act);
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
    pub(super) fn node_lost(&self, act: &Act, at: Rank, node: Option<&str>) -> Link {
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
}
