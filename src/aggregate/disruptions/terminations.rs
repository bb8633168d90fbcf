//! How pods ended: the grace period each was given, against the time until its kubelet let it go.
//!
//! A pod begins to end with the first deletion or eviction that is allowed, and is gone when its kubelet deletes
//! it with a grace period of zero, or somebody else does. What took the whole grace period was probably killed.

use std::collections::BTreeMap;

use super::note::{Collected, NodeVerb, Note, Outcome, PodName, What};
use super::pods::Pods;
use crate::aggregate::Position;
use crate::event::Timestamp;

/// The grace period of a pod that names none.
const DEFAULT_GRACE: i64 = 30;

/// A pod that was told to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its node.
    pub node: Option<String>,
    /// When it was told to end.
    pub began: Timestamp,
    /// By whom.
    pub user: String,
    /// Why.
    pub cause: Cause,
    /// What is known of the reason beyond that.
    pub reason: Option<String>,
    /// Its grace period in seconds.
    pub grace: i64,
    /// How the grace period is known.
    pub grace_from: GraceFrom,
    /// When that is over.
    pub due: Timestamp,
    /// When it was gone.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub end: End,
    /// Who forced it.
    pub forced_by: Option<String>,
    /// Whether it was a controller that mostly deletes what has finished.
    automatic: bool,
    /// Whether a request for its end is among those asked about.
    pub(super) wanted: bool,
}

/// Why a pod ends, by who asked for it and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Evicted through the API.
    Eviction,
    /// Deleted.
    Deletion,
    /// Its node has a taint that it does not tolerate.
    Taint,
    /// Cleared away by the pod garbage collector.
    PodGarbageCollection,
    /// Made way for a more important pod.
    Preemption,
    /// Its owner is gone.
    GarbageCollection,
    /// Its namespace was deleted.
    NamespaceDeletion,
}

impl Cause {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Eviction => "eviction",
            Cause::Deletion => "deletion",
            Cause::Taint => "taint",
            Cause::PodGarbageCollection => "pod-garbage-collection",
            Cause::Preemption => "preemption",
            Cause::GarbageCollection => "garbage-collection",
            Cause::NamespaceDeletion => "namespace-deletion",
        }
    }

    /// Why somebody deletes a pod.
    pub(super) fn of_deletion(controller: Option<&str>) -> Cause {
        match controller {
            Some("taint-eviction-controller" | "node-controller") => Cause::Taint,
            Some("pod-garbage-collector") => Cause::PodGarbageCollection,
            Some("kube-scheduler") => Cause::Preemption,
            Some("generic-garbage-collector") => Cause::GarbageCollection,
            Some("namespace-controller") => Cause::NamespaceDeletion,
            _ => Cause::Deletion,
        }
    }
}

/// How a grace period is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraceFrom {
    /// The server said so in its response.
    Response,
    /// The request asked for it.
    Request,
    /// The pod's own, seen elsewhere in the log; none if it had finished or had no node.
    Pod,
    /// Not known; the default.
    Default,
}

impl GraceFrom {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            GraceFrom::Response => "response",
            GraceFrom::Request => "request",
            GraceFrom::Pod => "pod",
            GraceFrom::Default => "assumed",
        }
    }
}

/// How a pod ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Within its grace period.
    InTime,
    /// It took its grace period or longer.
    Past,
    /// Somebody deleted it with a grace period of zero.
    Forced,
    /// At once: it did not run.
    AtOnce,
    /// It was gone when somebody asked again, or another pod of its name was there.
    Gone,
    /// Not yet, and there is time left.
    Running,
    /// Not yet, though its grace period is over.
    Stuck,
    /// The log does not tell: it has no kubelets' deletions, or the pod may have finished before, when none is due.
    Unknown,
}

impl End {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            End::InTime => "in-time",
            End::Past => "past-grace",
            End::Forced => "forced",
            End::AtOnce => "at-once",
            End::Gone => "gone",
            End::Running => "terminating",
            End::Stuck => "stuck",
            End::Unknown => "unknown",
        }
    }
}

impl Termination {
    /// From the first request until it was gone, in nanoseconds.
    pub fn took(&self) -> Option<i64> {
        Some((self.ended?.0 - self.began.0).max(0))
    }

    /// Whether it took its grace period or longer.
    pub fn is_past(&self) -> bool {
        self.end == End::Past
    }

    /// Whether its grace period is not known.
    pub fn is_assumed(&self) -> bool {
        self.grace_from == GraceFrom::Default
    }

    /// Whether somebody should look at it.
    pub fn is_remarkable(&self) -> bool {
        matches!(self.end, End::Past | End::Forced | End::Stuck)
            || matches!(self.cause, Cause::Taint | Cause::PodGarbageCollection | Cause::Preemption)
    }
}

/// What was seen beside the terminations.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) ends_only: u64,
    pub(super) unnamed_collections: u64,
    /// Whether any kubelet let a pod go.
    pub(super) kubelets: bool,
}

/// A step towards a pod's end.
struct Step<'n> {
    note: &'n Note,
    how: How<'n>,
}

enum How<'n> {
    /// Evicted, deleted, or deleted with others.
    Asked { grace: Option<i64>, set: Option<i64>, node: Option<&'n str>, evicted: bool },
    /// Its kubelet let it go.
    LetGo,
    /// It was not there.
    Missing,
}

/// Tells how pods ended.
pub(super) fn tell(notes: &[(Position, Note)], pods: &Pods, last: Option<Timestamp>) -> (Vec<Termination>, Tally) {
    let mut tally = Tally::default();
    let mut steps: BTreeMap<&PodName, Vec<Step<'_>>> = BTreeMap::new();
    let mut lost: BTreeMap<&str, &Note> = BTreeMap::new();
    let mut reasons: BTreeMap<&PodName, Vec<&Note>> = BTreeMap::new();
    for (_, note) in notes {
        collect(note, &mut steps, &mut tally);
        match &note.what {
            What::Node { node, verb: NodeVerb::Delete, .. } => _ = lost.insert(node, note),
            What::Target { pod, .. } => reasons.entry(pod).or_default().push(note),
            _ => {}
        }
    }
    let end = last.unwrap_or(Timestamp(i64::MIN));
    let known = Known { pods, lost, reasons, end, kubelets: tally.kubelets };
    let mut told = Vec::new();
    for (pod, steps) in steps {
        tally.ends_only += known.life(pod, &steps, &mut told);
    }
    told.sort_by(|a, b| (a.began, &a.namespace, &a.pod).cmp(&(b.began, &b.namespace, &b.pod)));
    (told, tally)
}

/// Takes the steps of a request.
fn collect<'n>(note: &'n Note, steps: &mut BTreeMap<&'n PodName, Vec<Step<'n>>>, tally: &mut Tally) {
    let mut push = |pod: &'n PodName, how| steps.entry(pod).or_default().push(Step { note, how });
    match &note.what {
        What::Eviction { pod, outcome: Outcome::Allowed, grace } => {
            push(pod, How::Asked { grace: *grace, set: None, node: None, evicted: true });
        }
        What::Deletion { pod, outcome: Outcome::Allowed, grace, set, node } => {
            let kubelet = note.user.starts_with("system:node:");
            tally.kubelets |= kubelet;
            // The pod garbage collector always forces; its body need not have been logged.
            let forces = note.controller.as_deref() == Some("pod-garbage-collector");
            let grace = grace.or(forces.then_some(0));
            let asked = How::Asked { grace, set: *set, node: node.as_deref(), evicted: false };
            push(pod, if kubelet { How::LetGo } else { asked });
        }
        What::Eviction { pod, outcome: Outcome::Gone, .. } | What::Deletion { pod, outcome: Outcome::Gone, .. } => {
            push(pod, How::Missing);
        }
        What::Collection { pods: Some(pods) } => {
            for Collected { pod, set, node } in pods {
                push(pod, How::Asked { grace: None, set: *set, node: node.as_deref(), evicted: false });
            }
        }
        What::Collection { pods: None } => tally.unnamed_collections += u64::from(note.wanted),
        _ => {}
    }
}

/// What is known besides the steps.
struct Known<'n> {
    pods: &'n Pods,
    lost: BTreeMap<&'n str, &'n Note>,
    reasons: BTreeMap<&'n PodName, Vec<&'n Note>>,
    end: Timestamp,
    kubelets: bool,
}

impl Known<'_> {
    /// Tells the ends of all pods of one name; gives how many ended without a beginning.
    fn life(&self, pod: &PodName, steps: &[Step<'_>], told: &mut Vec<Termination>) -> u64 {
        let (mut open, mut ends_only): (Option<Termination>, u64) = (None, 0);
        for step in steps {
            if let Some(before) = open.take_if(|one| self.replaced(one, step.note.time)) {
                told.push(before);
            }
            match (&step.how, open.as_mut()) {
                (How::Asked { grace, set, node, evicted }, None) => {
                    let begun = self.begin(pod, step.note, (*grace, *set), *node, *evicted);
                    let over = begun.ended.is_some();
                    if over { told.push(begun) } else { open = Some(begun) }
                }
                (How::Asked { grace, set, .. }, Some(one)) => {
                    one.ask_again(step.note, set.or(*grace));
                    if one.end == End::Forced {
                        let cause = Cause::of_deletion(step.note.controller.as_deref());
                        let reason = self.reason(pod, step.note, one.node.as_deref(), cause);
                        one.add_reason(reason);
                    }
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

    fn begin(
        &self,
        pod: &PodName,
        note: &Note,
        (grace, set): (Option<i64>, Option<i64>),
        node: Option<&str>,
        evicted: bool,
    ) -> Termination {
        let facts = self.pods.get(&pod.namespace, &pod.name);
        let at_once = facts.is_some_and(|pod| pod.ends_at_once(note.time, self.pods.has_traces()));
        let (seconds, grace_from) = match (set, grace, facts.and_then(|pod| pod.grace())) {
            (Some(set), ..) => (set, GraceFrom::Response),
            (None, ..) if at_once => (0, GraceFrom::Pod),
            (None, Some(grace), _) => (grace, GraceFrom::Request),
            (None, None, Some(own)) => (own, GraceFrom::Pod),
            (None, None, None) => (DEFAULT_GRACE, GraceFrom::Default),
        };
        let known = facts.and_then(|pod| pod.node(note.time));
        let node = node.map(str::to_owned).or_else(|| known.map(|node| node.to_string()));
        let cause = if evicted { Cause::Eviction } else { Cause::of_deletion(note.controller.as_deref()) };
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
        if grace == Some(0) && (!at_once || cause == Cause::PodGarbageCollection) {
            begun.force(note);
        } else if seconds == 0 {
            (begun.ended, begun.end) = (Some(note.time), End::AtOnce);
        }
        begun
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

#[cfg(test)]
mod tests {
    use super::super::pods::Names;
    use super::*;
    use crate::aggregate::Position;

    fn note(second: i64, user: &str, what: What) -> (Position, Note) {
        let time = Timestamp(second * 1_000_000_000);
        let note = Note { time, start: time, user: user.into(), controller: None, what, wanted: true };
        (Position { source: 0, offset: second as u64 }, note)
    }

    fn deletion(grace: Option<i64>) -> What {
        let pod = PodName { namespace: "shop".into(), name: "db-0".into() };
        What::Deletion { pod, outcome: Outcome::Allowed, grace, set: None, node: None }
    }

    fn ends(notes: &[(Position, Note)]) -> Vec<(End, Option<i64>)> {
        let (told, _) = tell(notes, &Pods::default(), Some(Timestamp(500_000_000_000)));
        told.iter().map(|one| (one.end, one.took().map(|took| took / 1_000_000_000))).collect()
    }

    #[test]
    fn what_takes_its_grace_period_is_past_it() {
        let of = |grace, took: i64| {
            let notes = [note(10, "alice", deletion(grace)), note(10 + took, "system:node:a", deletion(Some(0)))];
            ends(&notes)
        };
        assert_eq!(of(Some(10), 9), [(End::InTime, Some(9))]);
        assert_eq!(of(Some(10), 10), [(End::Past, Some(10))]);
        assert_eq!(of(None, 29), [(End::InTime, Some(29))]);
        assert_eq!(of(None, 31), [(End::Past, Some(31))]);
    }

    fn told(seconds: &[(i64, &str)], controller: Option<&str>, pods: impl Fn(&mut Pods, &mut Names)) -> End {
        let (mut known, mut names) = (Pods::default(), Names::default());
        pods(&mut known, &mut names);
        let mut notes: Vec<_> = seconds.iter().map(|(at, user)| note(*at, user, deletion(None))).collect();
        notes[0].1.controller = controller.map(Into::into);
        notes.push((notes[0].0, Note { what: other_pods_end(), ..note(1, "system:node:b", deletion(None)).1 }));
        tell(&notes, &known, Some(Timestamp(500_000_000_000))).0[0].end
    }

    /// So that the log has kubelets' deletions.
    fn other_pods_end() -> What {
        let pod = PodName { namespace: "shop".into(), name: "other".into() };
        What::Deletion { pod, outcome: Outcome::Allowed, grace: None, set: None, node: None }
    }

    #[test]
    fn what_has_finished_or_was_never_bound_is_gone_at_once() {
        const POD: (&str, &str) = ("shop", "db-0");
        let second = |second: i64| Timestamp(second * 1_000_000_000);
        let alice = [(20, "alice")];
        assert_eq!(told(&alice, None, |_, _| {}), End::Stuck);
        assert_eq!(told(&alice, None, |pods, names| pods.finished(names, POD, second(9))), End::AtOnce);
        assert_eq!(told(&alice, None, |pods, names| pods.finished(names, POD, second(21))), End::Stuck);
        let again = |pods: &mut Pods, names: &mut Names| {
            pods.finished(names, POD, second(9));
            pods.born(names, POD, second(10));
        };
        assert_eq!(told(&alice, None, again), End::Stuck, "another pod of the name");
        let traced = |pods: &mut Pods, names: &mut Names| {
            again(pods, names);
            pods.trace();
        };
        assert_eq!(told(&alice, None, traced), End::AtOnce, "no binding, where there are others");
        let bound = |pods: &mut Pods, names: &mut Names| {
            traced(pods, names);
            pods.bound(names, POD, second(11));
        };
        assert_eq!(told(&alice, None, bound), End::Stuck);
        let ran = |pods: &mut Pods, names: &mut Names| {
            traced(pods, names);
            pods.on_node(names, POD, "a", second(15));
        };
        assert_eq!(told(&alice, None, ran), End::Stuck);
    }

    #[test]
    fn a_shorter_grace_period_runs_from_when_it_was_asked_for() {
        let of = |end: i64| {
            let notes = [note(0, "bob", deletion(Some(60))), note(20, "eve", deletion(Some(5)))];
            let end = note(end, "system:node:a", deletion(Some(0)));
            ends(&[notes[0].clone(), notes[1].clone(), end])
        };
        assert_eq!(of(23), [(End::InTime, Some(23))]);
        assert_eq!(of(25), [(End::Past, Some(25))]);
    }

    #[test]
    fn what_a_controller_clears_away_is_not_told_to_be_stuck() {
        let collector = Some("generic-garbage-collector");
        assert_eq!(told(&[(20, "gc")], collector, |_, _| {}), End::Unknown);
        assert_eq!(told(&[(20, "gc"), (25, "system:node:a")], collector, |_, _| {}), End::InTime);
    }

    #[test]
    fn a_name_can_end_more_than_once_and_be_forced() {
        let kubelet = || deletion(Some(0));
        let notes = [
            note(10, "alice", deletion(Some(30))),
            note(12, "system:node:a", kubelet()),
            note(20, "alice", deletion(Some(30))),
            note(25, "bob", deletion(Some(0))),
            note(26, "system:node:a", kubelet()),
            note(40, "alice", deletion(Some(30))),
        ];
        assert_eq!(ends(&notes), [(End::InTime, Some(2)), (End::Forced, Some(5)), (End::Stuck, None)]);
        let (told, tally) = tell(&notes[..1], &Pods::default(), None);
        assert_eq!((told[0].end, tally.kubelets), (End::Unknown, false));
    }
}
