//! What was done to nodes: cordons, drains, taints that evict, deletions, and who wrote them how often.
//!
//! A drain is a cordon (or a taint) followed by evictions of the node's pods by the same user. Where bodies were
//! not logged, a write of the node by somebody who then evicts its pods is taken for the cordon, and marked so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::body::NodeChange;
use super::note::{NodeVerb, Note, Outcome, PodName, What};
use super::pods::Pods;
use super::terminations::{Cause, Termination};
use crate::aggregate::Position;
use crate::event::Timestamp;

/// A stretch of time in which a node was cordoned, drained or tainted, or a moment in which it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The node.
    pub node: String,
    /// What was done.
    pub what: Kind,
    /// By whom.
    pub user: String,
    /// When it began.
    pub from: Timestamp,
    /// When the last pod was evicted, or was gone.
    pub until: Option<Timestamp>,
    /// Whether a body says so, rather than what followed.
    pub sure: bool,
    /// The taint, where that was what began it.
    pub taint: Option<String>,
    /// How many pods were evicted.
    pub evicted: u64,
    /// How many pods were deleted without asking a budget.
    pub deleted: u64,
    /// How many attempts to evict were refused.
    pub refused: u64,
    /// Pods that could not be evicted to the last, with the budget that refused.
    pub blocked: Vec<(String, Option<String>)>,
    /// Whether attempts went on to the end of the log.
    pub hangs: bool,
    /// How it was undone, by whom, when.
    pub undone: Option<(Undone, String, Timestamp)>,
    /// Whether a request of it is among those asked about.
    pub(super) wanted: bool,
}

/// What was done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Closed to new pods.
    Cordon,
    /// Closed to new pods, and emptied.
    Drain,
    /// Opened again, though the log does not show it closed.
    Uncordon,
    /// Given a taint that evicts.
    Taint,
    /// Pods were evicted from it, though the log does not show it closed.
    Evictions,
    /// Deleted.
    Deletion,
    /// Changed, and what was changed was not logged.
    Write,
}

impl Kind {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Cordon => "cordon",
            Kind::Drain => "drain",
            Kind::Uncordon => "uncordon",
            Kind::Taint => "taint",
            Kind::Evictions => "evictions",
            Kind::Deletion => "deletion",
            Kind::Write => "write",
        }
    }
}

/// How a cordon or a taint was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The node was opened again.
    Uncordoned,
    /// Probably so: the write's body was not logged.
    PresumablyUncordoned,
    /// The taint was removed.
    Untainted,
    /// The node was deleted.
    NodeDeleted,
}

impl Undone {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Undone::Uncordoned => "uncordoned",
            Undone::PresumablyUncordoned => "presumably-uncordoned",
            Undone::Untainted => "untainted",
            Undone::NodeDeleted => "node-deleted",
        }
    }
}

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
pub(super) struct StatusWrites {
    pub(super) node: Arc<str>,
    pub(super) user: Arc<str>,
    pub(super) count: u64,
}

/// Attempts that ended less than this before the log does are taken to go on.
const RETRIES: i64 = 60_000_000_000;

/// A write is taken for the cordon of evictions that come within this time.
const PRESUMED: i64 = 3_600_000_000_000;

/// Whether a write of a node whose body was not logged may be somebody's cordon.
pub(super) fn may_cordon(note: &Note) -> bool {
    !note.user.starts_with("system:")
}

/// Tells what was done to nodes, by when it began.
pub(super) fn tell(
    notes: &[(Position, Note)],
    pods: &Pods,
    terminations: &[Termination],
    last: Option<Timestamp>,
) -> Vec<Episode> {
    let mut teller = Teller::new(pods);
    for (_, note) in notes {
        teller.take(note);
    }
    teller.finish(terminations, last)
}

/// What is known of a node so far.
#[derive(Default)]
struct State {
    cordon: Option<usize>,
    taints: BTreeMap<String, usize>,
    known_taints: Option<Vec<String>>,
    unschedulable: Option<bool>,
    unknown: Vec<Write>,
    evictions: BTreeMap<Arc<str>, usize>,
}

/// A write of a node whose body was not logged.
struct Write {
    time: Timestamp,
    user: Arc<str>,
    wanted: bool,
}

/// How a pod of an episode was answered last.
struct Tried {
    time: Timestamp,
    result: Result<(), Option<String>>,
}

struct Teller<'n> {
    pods: &'n Pods,
    episodes: Vec<Episode>,
    tried: Vec<BTreeMap<&'n PodName, Tried>>,
    nodes: BTreeMap<Arc<str>, State>,
    listed: BTreeMap<&'n str, Arc<str>>,
}

impl<'n> Teller<'n> {
    fn new(pods: &'n Pods) -> Self {
        let (nodes, listed) = (BTreeMap::new(), BTreeMap::new());
        Teller { pods, episodes: Vec::new(), tried: Vec::new(), nodes, listed }
    }

    fn take(&mut self, note: &'n Note) {
        match &note.what {
            What::Listed { node } => {
                self.listed.insert(&note.user, node.clone());
                self.presume(node, note);
            }
            What::Eviction { pod, outcome, .. } => self.eviction(note, pod, outcome),
            What::Deletion { pod, outcome: Outcome::Allowed, node, .. } => {
                self.deletion(note, pod, node.as_deref());
            }
            What::Node { node, verb: NodeVerb::Delete, .. } => self.node_deleted(node, note),
            What::Node { node, verb: NodeVerb::Create, .. } => _ = self.nodes.insert(node.clone(), State::default()),
            What::Node { node, change: Some(change), .. } => {
                self.cordon(node, note, change);
                self.taints(node, note, change);
            }
            What::Node { node, change: None, .. } => self.unknown_write(node, note),
            _ => {}
        }
    }

    fn open(&mut self, what: Kind, node: &str, by: &Write) -> usize {
        self.episodes.push(Episode::begin(what, node, by));
        self.tried.push(BTreeMap::new());
        self.episodes.len() - 1
    }

    fn undo(&mut self, at: usize, how: Undone, note: &Note) {
        if let Some(episode) = self.episodes.get_mut(at) {
            episode.undone = Some((how, note.user.to_string(), note.time));
            episode.wanted |= note.wanted;
        }
    }

    fn state(&mut self, node: &Arc<str>) -> &mut State {
        self.nodes.entry(node.clone()).or_default()
    }

    fn cordon(&mut self, node: &Arc<str>, note: &Note, change: &NodeChange) {
        let state = self.state(node);
        let (before, open) = (state.unschedulable, state.cordon);
        state.unschedulable = change.after.or(change.unschedulable).or(before);
        match change.unschedulable {
            Some(true) if open.is_none() && !(change.whole && before == Some(true)) => {
                let at = self.open(Kind::Cordon, node, &Write::of(note));
                // A whole object may repeat what was so before the log began.
                self.episodes[at].sure = !(change.whole && before.is_none());
                self.state(node).cordon = Some(at);
            }
            Some(false) => match open {
                Some(at) => {
                    self.undo(at, Undone::Uncordoned, note);
                    self.state(node).cordon = None;
                }
                None if !change.whole => _ = self.open(Kind::Uncordon, node, &Write::of(note)),
                None => {}
            },
            _ => {}
        }
    }

    fn taints(&mut self, node: &Arc<str>, note: &Note, change: &NodeChange) {
        let Some(taints) = &change.taints else { return };
        let state = self.state(node);
        let before = state.known_taints.replace(taints.clone()).unwrap_or_default();
        let open = state.taints.clone();
        for taint in taints.iter().filter(|taint| !before.contains(taint) && begins_something(taint)) {
            let at = self.open(Kind::Taint, node, &Write::of(note));
            self.episodes[at].taint = Some(taint.clone());
            self.state(node).taints.insert(taint.clone(), at);
        }
        for (taint, at) in open.into_iter().filter(|(taint, _)| !taints.contains(taint)) {
            self.undo(at, Undone::Untainted, note);
            self.state(node).taints.remove(&taint);
        }
    }

    fn node_deleted(&mut self, node: &Arc<str>, note: &Note) {
        let state = self.nodes.remove(node).unwrap_or_default();
        for at in state.cordon.into_iter().chain(state.taints.into_values()) {
            self.undo(at, Undone::NodeDeleted, note);
        }
        self.open(Kind::Deletion, node, &Write::of(note));
    }

    /// A write whose body was not logged: perhaps a cordon, or after evictions an uncordon.
    fn unknown_write(&mut self, node: &Arc<str>, note: &Note) {
        if note.user.starts_with("system:node:") {
            return;
        }
        let open = self.state(node).cordon;
        let presumed = open.filter(|&at| !self.episodes[at].sure && !self.tried[at].is_empty());
        match presumed.filter(|_| may_cordon(note)) {
            Some(at) => {
                self.undo(at, Undone::PresumablyUncordoned, note);
                self.state(node).cordon = None;
            }
            None => self.state(node).unknown.push(Write::of(note)),
        }
    }

    /// Takes the user's last unknown write for a cordon, if nothing else is one.
    fn presume(&mut self, node: &Arc<str>, note: &Note) {
        let state = self.state(node);
        if state.cordon.is_some() {
            return;
        }
        let recent = |write: &Write| write.user == note.user && note.time.0 - write.time.0 <= PRESUMED;
        let Some(found) = state.unknown.iter().rposition(recent) else { return };
        let write = state.unknown.remove(found);
        let at = self.open(Kind::Cordon, node, &write);
        self.episodes[at].sure = false;
        self.state(node).cordon = Some(at);
    }

    fn eviction(&mut self, note: &'n Note, pod: &'n PodName, outcome: &Outcome) {
        let known = self.pods.get(&pod.namespace, &pod.name).and_then(|pod| pod.node(note.time));
        let sure = known.or_else(|| self.listed.get(&*note.user)).cloned();
        let Some(node) = sure.clone().or_else(|| self.only_cordon(&note.user)) else { return };
        self.presume(&node, note);
        let at = self.episode_of(&node, note);
        self.episodes[at].sure &= sure.is_some();
        let episode = &mut self.episodes[at];
        episode.wanted |= note.wanted;
        let result = match outcome {
            Outcome::Allowed => Ok(()),
            Outcome::Gone => return,
            Outcome::Refused(refusal) => {
                episode.refused += 1;
                Err(refusal.budget.as_ref().map(|budget| format!("{}/{budget}", pod.namespace)))
            }
            Outcome::Failed { .. } => Err(None),
        };
        self.tried[at].insert(pod, Tried { time: note.time, result });
    }

    /// The only node that a user has cordoned: where nothing tells a pod's node, it is probably that one.
    fn only_cordon(&self, user: &str) -> Option<Arc<str>> {
        let by_user = |state: &State| state.cordon.is_some_and(|at| self.episodes[at].user == user);
        let mut nodes = self.nodes.iter().filter(|(_, state)| by_user(state)).map(|(node, _)| node);
        nodes.next().filter(|_| nodes.next().is_none()).cloned()
    }

    /// The cordon, else the taint, that the same user began, else evictions without either.
    fn episode_of(&mut self, node: &Arc<str>, note: &Note) -> usize {
        let state = self.nodes.entry(node.clone()).or_default();
        let begun = state.cordon.into_iter().chain(state.taints.values().copied());
        let by_user = begun.into_iter().find(|&at| self.episodes[at].user == *note.user);
        if let Some(at) = by_user.or_else(|| state.evictions.get(&note.user).copied()) {
            return at;
        }
        let at = self.open(Kind::Evictions, node, &Write::of(note));
        self.state(node).evictions.insert(note.user.clone(), at);
        at
    }

    /// A pod of a cordoned node that the same user deletes, or that a taint drives away.
    fn deletion(&mut self, note: &Note, pod: &PodName, node: Option<&str>) {
        let known = self.pods.get(&pod.namespace, &pod.name).and_then(|pod| pod.node(note.time)).cloned();
        let Some(node) = node.map(Arc::from).or(known) else { return };
        let Some(state) = self.nodes.get(&node) else { return };
        let evicts = |at: &usize| self.episodes[*at].taint.as_ref().is_some_and(|taint| taint.ends_with(":NoExecute"));
        let at = match Cause::of_deletion(note.controller.as_deref()) {
            Cause::Taint => state.taints.values().copied().filter(evicts).max(),
            _ => state.cordon.filter(|&at| self.episodes[at].user == *note.user),
        };
        if let Some(episode) = at.and_then(|at| self.episodes.get_mut(at)) {
            episode.deleted += 1;
            episode.wanted |= note.wanted;
            episode.until = Some(note.time);
        }
    }

    fn finish(mut self, terminations: &[Termination], last: Option<Timestamp>) -> Vec<Episode> {
        let ends: BTreeMap<(&str, &str, Timestamp), Timestamp> =
            terminations.iter().filter_map(|one| Some(((&*one.namespace, &*one.pod, one.began), one.ended?))).collect();
        for (episode, tried) in self.episodes.iter_mut().zip(&self.tried) {
            episode.conclude(tried, &ends, last);
        }
        let mut told = self.episodes;
        for (node, state) in self.nodes {
            told.extend(unknown_writes(&node, &state.unknown));
        }
        told.retain(Episode::is_told);
        told.sort_by(|a, b| (a.from, &a.node, &a.user, a.what.name()).cmp(&(b.from, &b.node, &b.user, b.what.name())));
        told
    }
}

impl Write {
    fn of(note: &Note) -> Write {
        Write { time: note.time, user: note.user.clone(), wanted: note.wanted }
    }
}

impl Episode {
    fn begin(what: Kind, node: &str, by: &Write) -> Episode {
        Episode {
            node: node.to_owned(),
            what,
            user: by.user.to_string(),
            from: by.time,
            until: None,
            sure: true,
            taint: None,
            evicted: 0,
            deleted: 0,
            refused: 0,
            blocked: Vec::new(),
            hangs: false,
            undone: None,
            wanted: by.wanted,
        }
    }

    fn conclude(
        &mut self,
        tried: &BTreeMap<&PodName, Tried>,
        ends: &BTreeMap<(&str, &str, Timestamp), Timestamp>,
        last: Option<Timestamp>,
    ) {
        if tried.is_empty() && (self.what != Kind::Cordon || self.deleted == 0) {
            return;
        }
        if matches!(self.what, Kind::Cordon | Kind::Taint) {
            self.what = Kind::Drain;
        }
        for (pod, tried) in tried {
            let ended = ends.get(&(&*pod.namespace, &*pod.name, tried.time)).copied();
            self.until = self.until.max(Some(tried.time)).max(ended);
            match &tried.result {
                Ok(()) => self.evicted += 1,
                Err(budget) => self.blocked.push((format!("{}/{}", pod.namespace, pod.name), budget.clone())),
            }
        }
        let blocked = tried.values().filter(|tried| tried.result.is_err()).map(|tried| tried.time).max();
        let recent = blocked.zip(last).is_some_and(|(blocked, last)| last.0 - blocked.0 <= RETRIES);
        self.hangs = recent && self.undone.is_none();
    }

    /// Single evictions from open nodes are told as evictions, and harmless taints not at all.
    fn is_told(&self) -> bool {
        match self.what {
            Kind::Evictions => self.evicted as usize + self.blocked.len() > 1,
            Kind::Taint => self.taint.as_ref().is_some_and(|taint| taint.ends_with(":NoExecute")),
            _ => true,
        }
    }
}

/// Writes of people of which nobody knows what they changed.
fn unknown_writes(node: &str, unknown: &[Write]) -> Vec<Episode> {
    let people = unknown.iter().filter(|write| !write.user.starts_with("system:"));
    people.map(|write| Episode { sure: false, ..Episode::begin(Kind::Write, node, write) }).collect()
}

/// Whether a taint can begin a drain or an eviction. The echo of a cordon and a node's role cannot.
fn begins_something(taint: &str) -> bool {
    !taint.starts_with("node.kubernetes.io/unschedulable") && !taint.starts_with("node-role.kubernetes.io/")
}

/// Who wrote which node how often, most first within a node.
pub(super) fn writes(notes: &[(Position, Note)], episodes: &[Episode], statuses: &[StatusWrites]) -> Vec<NodeWrites> {
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
