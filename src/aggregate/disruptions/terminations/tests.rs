use super::super::note::{Outcome, What};
use super::super::pods::Names;
use super::*;

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
