//! Beginnings: who created an object, for which owner, and in whose place.

use super::changes::own_controller;
use super::{Cause, Certainty, DEPTH, Kind, Link, apart, unknown};
use crate::aggregate::history::act::{Act, ObjectKey};
use crate::aggregate::history::world::{Rank, World};

impl World<'_> {
    /// Why an object came: `at` is the request that created it.
    pub(in crate::aggregate::history) fn why_created(&self, key: &ObjectKey, at: Rank) -> Cause {
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

    /// What is known of the beginning of an object whose creation the log does not name.
    pub(in crate::aggregate::history) fn before_log(&self, key: &ObjectKey, first: Rank) -> Cause {
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
}
