//! Episodes told from the requests about nodes and their pods, in their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Episode, Kind, Tried, Undone, Write, may_cordon};
use crate::aggregate::disruptions::body::NodeChange;
use crate::aggregate::disruptions::note::{NodeVerb, Note, Outcome, PodName, What};
use crate::aggregate::disruptions::pods::Pods;
use crate::aggregate::disruptions::terminations::{Cause, Termination};
use crate::event::Timestamp;

/// A write is taken for the cordon of evictions that come within this time.
const PRESUMED: i64 = 3_600_000_000_000;

pub(super) struct Teller<'n> {
    pods: &'n Pods,
    episodes: Vec<Episode>,
    tried: Vec<BTreeMap<&'n PodName, Tried>>,
    nodes: BTreeMap<Arc<str>, State>,
    listed: BTreeMap<&'n str, Arc<str>>,
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

impl<'n> Teller<'n> {
    pub(super) fn new(pods: &'n Pods) -> Self {
        let (nodes, listed) = (BTreeMap::new(), BTreeMap::new());
        Teller { pods, episodes: Vec::new(), tried: Vec::new(), nodes, listed }
    }

    pub(super) fn take(&mut self, note: &'n Note) {
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

    pub(super) fn finish(mut self, terminations: &[Termination], last: Option<Timestamp>) -> Vec<Episode> {
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

/// Writes of people of which nobody knows what they changed.
fn unknown_writes(node: &str, unknown: &[Write]) -> Vec<Episode> {
    let people = unknown.iter().filter(|write| !write.user.starts_with("system:"));
    people.map(|write| Episode { sure: false, ..Episode::begin(Kind::Write, node, write) }).collect()
}

/// Whether a taint can begin a drain or an eviction. The echo of a cordon and a node's role cannot.
fn begins_something(taint: &str) -> bool {
    !taint.starts_with("node.kubernetes.io/unschedulable") && !taint.starts_with("node-role.kubernetes.io/")
}
