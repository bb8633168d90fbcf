//! The lives of all pods of one name, told from the requests about them in their order.

use std::collections::BTreeMap;

use super::{Cause, End, GraceFrom, Tally, Termination};
use crate::aggregate::Position;
use crate::aggregate::disruptions::note::{Collected, NodeVerb, Note, Outcome, PodName, What};
use crate::aggregate::disruptions::pods::{Pod, Pods};
use crate::event::Timestamp;

/// The grace period of a pod that names none.
const DEFAULT_GRACE: i64 = 30;

/// A step towards a pod's end.
pub(super) struct Step<'n> {
    note: &'n Note,
    how: How<'n>,
}

enum How<'n> {
    /// Evicted, deleted, or deleted with others.
    Asked(Asked<'n>),
    /// Its kubelet let it go.
    LetGo,
    /// It was not there.
    Missing,
}

/// What a request for a pod's end says of it.
struct Asked<'n> {
    /// The grace period that was asked for.
    grace: Option<i64>,
    /// The one that the server set.
    set: Option<i64>,
    node: Option<&'n str>,
    evicted: bool,
}

/// Takes the steps of a request.
pub(super) fn collect<'n>(note: &'n Note, steps: &mut BTreeMap<&'n PodName, Vec<Step<'n>>>, tally: &mut Tally) {
    let mut push = |pod: &'n PodName, how| steps.entry(pod).or_default().push(Step { note, how });
    match &note.what {
        What::Eviction { pod, outcome: Outcome::Allowed, grace } => {
            push(pod, How::Asked(Asked { grace: *grace, set: None, node: None, evicted: true }));
        }
        What::Deletion { pod, outcome: Outcome::Allowed, grace, set, node } => {
            let kubelet = note.user.starts_with("system:node:");
            tally.kubelets |= kubelet;
            // The pod garbage collector always forces; its body need not have been logged.
            let forces = note.controller.as_deref() == Some("pod-garbage-collector");
            let grace = grace.or(forces.then_some(0));
            let asked = Asked { grace, set: *set, node: node.as_deref(), evicted: false };
            push(pod, if kubelet { How::LetGo } else { How::Asked(asked) });
        }
        What::Eviction { pod, outcome: Outcome::Gone, .. } | What::Deletion { pod, outcome: Outcome::Gone, .. } => {
            push(pod, How::Missing);
        }
        What::Collection { pods: Some(pods) } => {
            for Collected { pod, set, node } in pods {
                let asked = Asked { grace: None, set: *set, node: node.as_deref(), evicted: false };
                push(pod, How::Asked(asked));
            }
        }
        What::Collection { pods: None } => tally.unnamed_collections += u64::from(note.wanted),
        _ => {}
    }
}

/// What is known besides the steps.
pub(super) struct Known<'n> {
    pods: &'n Pods,
    lost: BTreeMap<&'n str, &'n Note>,
    reasons: BTreeMap<&'n PodName, Vec<&'n Note>>,
    end: Timestamp,
    kubelets: bool,
}

impl<'n> Known<'n> {
    pub(super) fn of(notes: &'n [(Position, Note)], pods: &'n Pods, last: Option<Timestamp>, kubelets: bool) -> Self {
        let end = last.unwrap_or(Timestamp(i64::MIN));
        let mut known = Known { pods, lost: BTreeMap::new(), reasons: BTreeMap::new(), end, kubelets };
        for (_, note) in notes {
            match &note.what {
                What::Node { node, verb: NodeVerb::Delete, .. } => _ = known.lost.insert(node, note),
                What::Target { pod, .. } => known.reasons.entry(pod).or_default().push(note),
                _ => {}
            }
        }
        known
    }

    /// Tells the ends of all pods of one name; gives how many ended without a beginning.
    pub(super) fn life(&self, pod: &PodName, steps: &[Step<'_>], told: &mut Vec<Termination>) -> u64 {
        let (mut open, mut ends_only): (Option<Termination>, u64) = (None, 0);
        for step in steps {
            if let Some(before) = open.take_if(|one| self.replaced(one, step.note.time)) {
                told.push(before);
            }
            match (&step.how, open.as_mut()) {
                (How::Asked(asked), None) => {
                    let begun = self.begin(pod, step.note, asked);
                    let over = begun.ended.is_some();
                    if over { told.push(begun) } else { open = Some(begun) }
                }
                (How::Asked(asked), Some(one)) => {
                    self.asked_again(pod, one, step.note, asked);
                    told.extend(open.take_if(|one| one.ended.is_some()));
                }
                (How::LetGo, Some(one)) => {
                    one.let_go(step.note.start.max(one.began));
                    told.extend(open.take());
                }
                (How::LetGo, None) => {
                    ends_only += u64::from(step.note.wanted && !forced_just_before(told, pod));
                }
                (How::Missing, Some(one)) => {
                    one.end = End::Gone;
                    told.extend(open.take());
                }
                (How::Missing, None) => {}
            }
        }
        told.extend(open.map(|one| self.leave_open(one)));
        ends_only
    }

    fn begin(&self, pod: &PodName, note: &Note, asked: &Asked<'_>) -> Termination {
        let facts = self.pods.get(&pod.namespace, &pod.name);
        let at_once = facts.is_some_and(|pod| pod.ends_at_once(note.time, self.pods.has_traces()));
        let (seconds, grace_from) = grace_period(asked, facts, at_once);
        let known = facts.and_then(|pod| pod.node(note.time));
        let node = asked.node.map(str::to_owned).or_else(|| known.map(|node| node.to_string()));
        let cause = if asked.evicted { Cause::Eviction } else { Cause::of_deletion(note.controller.as_deref()) };
        let mut begun = Termination {
            namespace: pod.namespace.to_string(),
            pod: pod.name.to_string(),
            began: note.time,
            user: note.user.to_string(),
            reason: self.reason(pod, note, node.as_deref(), cause),
            node,
            cause,
            grace: seconds,
            grace_from,
            due: after(note.time, seconds),
            ended: None,
            end: End::Running,
            forced_by: None,
            automatic: clears_away(cause, note.controller.as_deref()),
            wanted: note.wanted,
        };
        // What the pod garbage collector forces it has often marked as failed itself.
        if asked.grace == Some(0) && (!at_once || cause == Cause::PodGarbageCollection) {
            begun.force(note);
        } else if seconds == 0 {
            (begun.ended, begun.end) = (Some(note.time), End::AtOnce);
        }
        begun
    }

    /// Somebody asks for an end that has begun.
    fn asked_again(&self, pod: &PodName, one: &mut Termination, note: &Note, asked: &Asked<'_>) {
        one.ask_again(note, asked.set.or(asked.grace));
        if one.end == End::Forced {
            let cause = Cause::of_deletion(note.controller.as_deref());
            let reason = self.reason(pod, note, one.node.as_deref(), cause);
            one.add_reason(reason);
        }
    }

    /// What a component wrote into the pod's status before, or what had happened to its node.
    fn reason(&self, pod: &PodName, note: &Note, node: Option<&str>, cause: Cause) -> Option<String> {
        let written = self.reasons.get(pod).into_iter().flatten().rfind(|reason| reason.time <= note.time);
        let written = written.and_then(|written| match &written.what {
            What::Target { reason, message, .. } if message.is_empty() => Some(reason.clone()),
            What::Target { message, .. } => Some(message.clone()),
            _ => None,
        });
        let lost = node.filter(|_| cause == Cause::PodGarbageCollection).and_then(|node| self.lost.get(node));
        let lost = lost.filter(|lost| lost.time <= note.time);
        // Who deleted the node says more than that it no longer exists.
        lost.map(|lost| format!("node deleted by {} at {}", lost.user, lost.time.to_rfc3339())).or(written)
    }

    /// Whether another pod of its name began in the meantime.
    fn replaced(&self, one: &mut Termination, until: Timestamp) -> bool {
        let born = self.pods.get(&one.namespace, &one.pod).and_then(|pod| pod.born_between(one.began, until));
        if born.is_some() {
            one.end = End::Gone;
        }
        born.is_some()
    }

    fn leave_open(&self, mut one: Termination) -> Termination {
        if self.replaced(&mut one, self.end) {
            return one;
        }
        // What the server gave time to end was running.
        let may_have_finished = one.automatic && one.grace_from != GraceFrom::Response;
        one.end = match self.kubelets {
            false => End::Unknown,
            true if self.end > one.due && may_have_finished => End::Unknown,
            true if self.end > one.due => End::Stuck,
            true => End::Running,
        };
        one
    }
}

impl Termination {
    fn force(&mut self, note: &Note) {
        (self.ended, self.end, self.forced_by) = (Some(note.time), End::Forced, Some(note.user.to_string()));
    }

    /// Adds a reason that is not yet among those known.
    fn add_reason(&mut self, reason: Option<String>) {
        let Some(reason) = reason else { return };
        match &mut self.reason {
            Some(known) if known.contains(&reason) => {}
            Some(known) => known.extend(["; ", &reason]),
            None => self.reason = Some(reason),
        }
    }

    /// Somebody asks for an end that has begun: it can only come sooner.
    fn ask_again(&mut self, note: &Note, grace: Option<i64>) {
        self.wanted |= note.wanted;
        match grace {
            Some(0) => self.force(note),
            // The kubelet begins the shorter period when it hears of it.
            Some(grace) if grace < self.grace => {
                (self.grace, self.due) = (grace, self.due.min(after(note.time, grace)));
            }
            _ => {}
        }
    }

    /// Its kubelet let it go.
    fn let_go(&mut self, time: Timestamp) {
        self.ended = Some(time);
        self.end = if time >= self.due { End::Past } else { End::InTime };
    }
}

/// The grace period that a pod is given, and how that is known.
fn grace_period(asked: &Asked<'_>, facts: Option<&Pod>, at_once: bool) -> (i64, GraceFrom) {
    match (asked.set, asked.grace, facts.and_then(|pod| pod.grace())) {
        (Some(set), ..) => (set, GraceFrom::Response),
        (None, ..) if at_once => (0, GraceFrom::Pod),
        (None, Some(grace), _) => (grace, GraceFrom::Request),
        (None, None, Some(own)) => (own, GraceFrom::Pod),
        (None, None, None) => (DEFAULT_GRACE, GraceFrom::Default),
    }
}

fn after(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp(time.0.saturating_add(seconds.saturating_mul(1_000_000_000)))
}

/// A kubelet that had begun to let a pod go may finish after it was forced.
fn forced_just_before(told: &[Termination], pod: &PodName) -> bool {
    let last = told.last();
    last.is_some_and(|one| {
        one.namespace == *pod.namespace && one.pod == *pod.name && matches!(one.end, End::Forced | End::AtOnce)
    })
}

/// Whether the pods that such a deletion meets have often finished before: those of jobs above all.
fn clears_away(cause: Cause, controller: Option<&str>) -> bool {
    matches!(cause, Cause::GarbageCollection | Cause::NamespaceDeletion)
        || matches!(controller, Some("ttl-after-finished-controller" | "job-controller" | "cronjob-controller"))
}
