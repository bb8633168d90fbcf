//! What the log tells of pods besides what was done to them: where each ran, its labels, when it began.
//!
//! Kubelets write a pod's status many times, so this is kept once per pod rather than noted per request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::body::PodBody;
use crate::aggregate::Position;
use crate::event::Timestamp;

/// Names that many notes share.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    known: BTreeSet<Arc<str>>,
}

impl Names {
    /// The shared copy of a name.
    pub(super) fn share(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let shared: Arc<str> = name.into();
        self.known.insert(shared.clone());
        shared
    }
}

/// From when to when a pod was seen on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stay {
    node: Arc<str>,
    first: Timestamp,
    last: Timestamp,
}

/// What a pod's object says, with shared texts.
#[derive(Clone, Debug)]
struct Body {
    labels: Arc<str>,
    node: Option<Arc<str>>,
    grace: Option<i64>,
}

/// What is known about a pod of that name.
#[derive(Clone, Debug, Default)]
pub(super) struct Pod {
    stays: Vec<Stay>,
    /// The first body that was logged, by where it stands.
    body: Option<(Position, Body)>,
    /// When pods of this name were created or scheduled.
    born: Vec<Timestamp>,
    /// When they were scheduled.
    bound: Vec<Timestamp>,
    /// When a body said that one of them had finished.
    finished: Vec<Timestamp>,
}

impl Pod {
    fn stay(&mut self, node: Arc<str>, first: Timestamp, last: Timestamp) {
        match self.stays.iter_mut().find(|stay| stay.node == node) {
            Some(stay) => (stay.first, stay.last) = (stay.first.min(first), stay.last.max(last)),
            None => self.stays.push(Stay { node, first, last }),
        }
    }

    /// The node it ran on at that moment: where it was seen around it, else before it, else after it.
    pub(super) fn node(&self, at: Timestamp) -> Option<&Arc<str>> {
        let around = self.stays.iter().filter(|stay| stay.first <= at && at <= stay.last);
        let before = self.stays.iter().filter(|stay| stay.last < at);
        let after = self.stays.iter().filter(|stay| stay.first > at);
        let best = around
            .max_by(|a, b| (a.first, &a.node).cmp(&(b.first, &b.node)))
            .or_else(|| before.max_by(|a, b| (a.last, &a.node).cmp(&(b.last, &b.node))))
            .or_else(|| after.min_by(|a, b| (a.first, &a.node).cmp(&(b.first, &b.node))));
        best.map(|stay| &stay.node).or_else(|| self.body.as_ref()?.1.node.as_ref())
    }

    /// Its labels, `key=value`, one on a line.
    pub(super) fn labels(&self) -> Option<&str> {
        self.body.as_ref().map(|(_, body)| &*body.labels)
    }

    /// Its own grace period in seconds.
    pub(super) fn grace(&self) -> Option<i64> {
        self.body.as_ref()?.1.grace
    }

    /// Whether the server removes it at once when somebody deletes it then: it has finished, or was never bound
    /// to a node. `traces` says whether the log would show that it was.
    /// Source: the pod strategy's CheckGracefulDelete.
    pub(super) fn ends_at_once(&self, at: Timestamp, traces: bool) -> bool {
        let begun = self.born.iter().copied().filter(|born| *born <= at).max();
        let since = begun.unwrap_or(Timestamp(i64::MIN));
        let finished = self.finished.iter().any(|time| *time <= at && *time >= since);
        finished || traces && begun.is_some_and(|begun| self.never_bound(begun))
    }

    /// Whether the pod that began then was seen on no node.
    fn never_bound(&self, begun: Timestamp) -> bool {
        let next = self.born_between(begun, Timestamp(i64::MAX)).unwrap_or(Timestamp(i64::MAX));
        let stayed = self.stays.iter().any(|stay| stay.last >= begun && stay.first < next);
        let of_body = self.body.as_ref().is_some_and(|(_, body)| body.node.is_some());
        !stayed && !of_body && !self.bound.contains(&begun)
    }

    /// Whether a pod of this name began between two moments.
    pub(super) fn born_between(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        self.born.iter().copied().filter(|born| *born > after && *born <= until).min()
    }
}

/// All pods that anything is known of.
#[derive(Clone, Debug, Default)]
pub(super) struct Pods {
    namespaces: BTreeMap<Arc<str>, BTreeMap<Box<str>, Pod>>,
    /// Whether the log has bindings or kubelets' writes of statuses, so that a pod without them has no node.
    traces: bool,
}

impl Pods {
    /// The pod of that name.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Pod> {
        self.namespaces.get(namespace)?.get(name)
    }

    /// Whether a body that stands there would tell something new about the pod.
    pub(super) fn wants_body(&self, namespace: &str, name: &str, at: Position) -> bool {
        let known = self.get(namespace, name).and_then(|pod| pod.body.as_ref());
        known.is_none_or(|(position, _)| *position > at)
    }

    /// Whether anything is known of where pods run.
    pub(super) fn knows_nodes(&self) -> bool {
        self.namespaces
            .values()
            .flat_map(BTreeMap::values)
            .any(|pod| !pod.stays.is_empty() || pod.body.as_ref().is_some_and(|(_, body)| body.node.is_some()))
    }

    /// Whether the log would show that a pod was bound to a node.
    pub(super) fn has_traces(&self) -> bool {
        self.traces
    }

    /// The log has a binding, or a kubelet's write of a status.
    pub(super) fn trace(&mut self) {
        self.traces = true;
    }

    fn entry(&mut self, names: &mut Names, pod: (&str, &str)) -> &mut Pod {
        self.namespaces.entry(names.share(pod.0)).or_default().entry(pod.1.into()).or_default()
    }

    /// The pod was on that node.
    pub(super) fn on_node(&mut self, names: &mut Names, pod: (&str, &str), node: &str, time: Timestamp) {
        let known = self.namespaces.get_mut(pod.0).and_then(|pods| pods.get_mut(pod.1));
        if let Some(stay) = known.and_then(|pod| pod.stays.iter_mut().find(|stay| *stay.node == *node)) {
            (stay.first, stay.last) = (stay.first.min(time), stay.last.max(time));
            return;
        }
        let node = names.share(node);
        self.entry(names, pod).stay(node, time, time);
    }

    /// A pod of that name began.
    pub(super) fn born(&mut self, names: &mut Names, pod: (&str, &str), time: Timestamp) {
        self.entry(names, pod).born.push(time);
    }

    /// A pod of that name was given a node.
    pub(super) fn bound(&mut self, names: &mut Names, pod: (&str, &str), time: Timestamp) {
        let pod = self.entry(names, pod);
        pod.born.push(time);
        pod.bound.push(time);
        self.traces = true;
    }

    /// A pod of that name had finished by then.
    pub(super) fn finished(&mut self, names: &mut Names, pod: (&str, &str), time: Timestamp) {
        self.entry(names, pod).finished.push(time);
    }

    /// What the pod's object says. The node is not taken for a stay: which bodies are read depends on which
    /// were read before, and where a pod was seen must not.
    pub(super) fn body(&mut self, names: &mut Names, pod: (&str, &str), at: Position, body: &PodBody) {
        let labels = names.share(&body.labels);
        let node = body.node.as_deref().map(|node| names.share(node));
        self.entry(names, pod).body = Some((at, Body { labels, node, grace: body.grace }));
    }

    pub(super) fn merge(&mut self, from: Pods) {
        self.traces |= from.traces;
        for (namespace, pods) in from.namespaces {
            let into = self.namespaces.entry(namespace).or_default();
            for (name, pod) in pods {
                let known = into.entry(name).or_default();
                for Stay { node, first, last } in pod.stays {
                    known.stay(node, first, last);
                }
                known.born.extend(pod.born);
                known.bound.extend(pod.bound);
                known.finished.extend(pod.finished);
                if pod.body.as_ref().is_some_and(|(at, _)| known.body.as_ref().is_none_or(|(known, _)| at < known)) {
                    known.body = pod.body;
                }
            }
        }
    }
}
