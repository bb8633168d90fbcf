//! Who owns an object: as its bodies say, else as its name lets one tell.
//!
//! Controllers name what they make after the owner: ReplicaSet `web-7c9d8f6b5d` of Deployment `web`, pod
//! `web-7c9d8f6b5d-tn4lx` of that ReplicaSet, Job `backup-29548800` of CronJob `backup`. A name is no proof,
//! so whoever uses it says so.

use super::act::ObjectKey;
use super::world::World;

/// What a statement rests on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Certainty {
    /// The log has it.
    Recorded,
    /// The name of an object tells.
    Name,
    /// One thing came after the other.
    Order,
}

/// Letters and digits that the server makes names of: no vowels, and nothing that looks like them.
const SAFE: &str = "bcdfghjklmnpqrstvwxz2456789";

impl World<'_> {
    /// The owner of an object, and how that is known.
    pub(super) fn owner(&self, key: &ObjectKey) -> Option<(ObjectKey, Certainty)> {
        let recorded = self.acts_on(key).find_map(|(_, act)| act.owner.as_deref());
        if let Some(owner) = recorded {
            let cluster = matches!((&*owner.resource, &*owner.group), ("nodes" | "namespaces", ""));
            let sibling = key.sibling(&owner.resource, &owner.group, &owner.name);
            let key = if cluster { ObjectKey::cluster(&owner.resource, &owner.name) } else { sibling };
            return Some((key, Certainty::Recorded));
        }
        self.owner_by_name(key).map(|owner| (owner, Certainty::Name))
    }

    fn owner_by_name(&self, key: &ObjectKey) -> Option<ObjectKey> {
        let (head, tail) = key.name.rsplit_once('-')?;
        match &*key.resource {
            "pods" => self.owner_of_pod(key, head, tail),
            "replicasets" => is_hash(tail).then(|| key.sibling("deployments", "apps", head)),
            "jobs" => (tail.len() >= 8 && is_number(tail)).then(|| key.sibling("cronjobs", "batch", head)),
            "endpointslices" => is_suffix(tail).then(|| key.sibling("services", "", head)),
            _ => None,
        }
    }

    fn owner_of_pod(&self, key: &ObjectKey, head: &str, tail: &str) -> Option<ObjectKey> {
        let by = |controller: &str| self.acts_on(key).any(|(_, act)| act.is_by(&[controller]));
        if is_number(tail) && tail.len() < 6 {
            let owner = key.sibling("statefulsets", "apps", head);
            return (by("statefulset-controller") || self.knows(&owner)).then_some(owner);
        }
        if !is_suffix(tail) {
            return None;
        }
        let others = [
            ("jobs", "batch", "job-controller"),
            ("daemonsets", "apps", "daemon-set-controller"),
            ("replicationcontrollers", "", "replication-controller"),
        ];
        for (resource, group, controller) in others {
            let owner = key.sibling(resource, group, head);
            if by(controller) || self.knows(&owner) {
                return Some(owner);
            }
        }
        let looks = head.rsplit_once('-').is_some_and(|(_, hash)| is_hash(hash));
        let owner = key.sibling("replicasets", "apps", head);
        (looks || by("replicaset-controller") || self.knows(&owner)).then_some(owner)
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The five characters behind a generated name.
fn is_suffix(text: &str) -> bool {
    text.len() == 5 && text.chars().all(|character| SAFE.contains(character))
}

/// The hash of a pod template.
fn is_hash(text: &str) -> bool {
    (6..=10).contains(&text.len()) && text.chars().all(|character| SAFE.contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(resource: &str, group: &str, name: &str) -> Option<String> {
        let key = ObjectKey::cluster("", "").sibling(resource, group, name);
        World::default().owner(&key).map(|(owner, _)| owner.path())
    }

    #[test]
    fn names_tell_the_owner() {
        assert_eq!(owner("pods", "", "web-7c9d8f6b5d-tn4lx").as_deref(), Some("replicasets.apps/web-7c9d8f6b5d"));
        assert_eq!(owner("replicasets", "apps", "web-7c9d8f6b5d").as_deref(), Some("deployments.apps/web"));
        assert_eq!(owner("jobs", "batch", "backup-29548800").as_deref(), Some("cronjobs.batch/backup"));
        assert_eq!(owner("pods", "", "debug-shell"), None);
        assert_eq!(owner("pods", "", "web-0"), None, "without a sign of a StatefulSet");
        assert_eq!(owner("deployments", "apps", "web-frontend"), None);
    }
}
