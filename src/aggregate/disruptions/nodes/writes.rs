//! Who wrote which node how often.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Episode, Kind, Undone};
use crate::aggregate::Position;
use crate::aggregate::disruptions::note::{NodeVerb, Note, What};

/// How often a user wrote a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeWrites {
    /// The node.
    pub node: String,
    /// The user.
    pub user: String,
    /// Creations.
    pub create: u64,
    /// Updates of the object.
    pub update: u64,
    /// Patches of the object.
    pub patch: u64,
    /// Deletions.
    pub delete: u64,
    /// Writes of its status.
    pub status: u64,
    /// Cordons among them.
    pub cordon: u64,
    /// Uncordons among them.
    pub uncordon: u64,
    /// Pods evicted from it.
    pub evict: u64,
}

impl NodeWrites {
    fn changes(&self) -> u64 {
        self.update + self.patch
    }
}

/// How often a user wrote the status of a node, as it is counted while reading.
#[derive(Clone, Debug)]
pub(in crate::aggregate::disruptions) struct StatusWrites {
    pub(in crate::aggregate::disruptions) node: Arc<str>,
    pub(in crate::aggregate::disruptions) user: Arc<str>,
    pub(in crate::aggregate::disruptions) count: u64,
}

/// Who wrote which node how often, most first within a node.
pub(in crate::aggregate::disruptions) fn writes(
    notes: &[(Position, Note)],
    episodes: &[Episode],
    statuses: &[StatusWrites],
) -> Vec<NodeWrites> {
    let mut known: BTreeMap<(String, String), NodeWrites> = BTreeMap::new();
    for (_, note) in notes {
        let What::Node { node, verb, .. } = &note.what else { continue };
        if !note.wanted {
            continue;
        }
        let writes = entry(&mut known, node, &note.user);
        match verb {
            NodeVerb::Create => writes.create += 1,
            NodeVerb::Update => writes.update += 1,
            NodeVerb::Patch => writes.patch += 1,
            NodeVerb::Delete => writes.delete += 1,
        }
    }
    for StatusWrites { node, user, count } in statuses.iter().filter(|writes| writes.count > 0) {
        entry(&mut known, node, user).status += count;
    }
    for episode in episodes {
        let writes = entry(&mut known, &episode.node, &episode.user);
        writes.evict += episode.evicted;
        let cordons = matches!(episode.what, Kind::Cordon | Kind::Drain) && episode.taint.is_none();
        // Writes that are not asked about are not counted, not as cordons either.
        writes.cordon += u64::from(cordons && writes.changes() > 0);
        writes.uncordon += u64::from(episode.what == Kind::Uncordon && writes.changes() > 0);
        if let Some((Undone::Uncordoned | Undone::PresumablyUncordoned, user, _)) = &episode.undone
            && let Some(writes) = known.get_mut(&(episode.node.clone(), user.clone()))
        {
            writes.uncordon += u64::from(writes.changes() > 0);
        }
    }
    known.into_values().collect()
}

fn entry<'k>(known: &'k mut BTreeMap<(String, String), NodeWrites>, node: &str, user: &str) -> &'k mut NodeWrites {
    known.entry((node.to_owned(), user.to_owned())).or_insert_with(|| NodeWrites {
        node: node.to_owned(),
        user: user.to_owned(),
        ..NodeWrites::default()
    })
}
