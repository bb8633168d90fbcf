//! What becomes of requests that are given up, wherever chunks are cut.

use super::*;

/// Notes what counts, with the slot as its name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Events and bytes of what counts, and of what was amended, by slot.
    sums: std::collections::BTreeMap<u32, Amendment>,
    requests: u64,
    repeated_stages: u64,
}

impl Counts {
    fn add(&mut self, slot: Slot, sum: Amendment) {
        self.sums.entry(slot.0).or_default().add(sum);
    }
}

/// Requests that were given up have this slot.
const LATE: Slot = Slot(1000);

impl Listener for Counts {
    fn amend(&mut self, _: Owner, slot: Slot, amendment: Amendment) {
        self.add(slot, amendment);
    }

    fn repeat(&mut self, _: Owner, _: Slot) {}

    fn repeated_stages(&mut self, count: u64) {
        self.repeated_stages += count;
    }

    fn pair(&mut self, _: &Waiting, _: &Response, _: Position) -> (Owner, Slot) {
        unreachable!("no text is read here")
    }

    fn unfinished(&mut self, request: &Waiting, _: Position) -> Observed {
        let own = Measure { sum: request.sum(), ..Measure::default() };
        Observed { owner: Owner(0), slot: LATE, own, stages: request.stages() }
    }

    fn count(&mut self, observed: &Observed) {
        self.requests += 1;
        self.add(observed.slot, observed.own.sum);
    }

    fn void(&mut self, _: &Observed) {}
}

/// What happens to the only request, one behind the other.
#[derive(Clone, Copy)]
enum Step {
    Waits(Stage<'static>),
    Ends,
    /// So many other requests end.
    Others(u32),
}

const OWN: Amendment = Amendment { bytes: 10, events: 1 };

fn note(journal: &mut Journal, step: Step, counts: &mut Counts, other: &mut u64) {
    let (identity, position) = (Identity(1), Position::default());
    match step {
        Step::Waits(stage) => {
            let rank = stage.rank();
            let pending = Pending {
                kind: Kind::Event,
                rank,
                text: (0, 0),
                note: 0,
                origin: None,
                bytes: OWN.bytes,
                position,
                lasting: false,
            };
            counts.repeated_stages += journal.wait(identity, pending);
        }
        Step::Ends => {
            let (mut sum, mut stages) = (OWN, Stages::of(Stage::ResponseComplete.rank()));
            if let Some(earlier) = journal.take(identity) {
                sum.add(journal.taken(&earlier).sum());
                stages = stages.and(journal.taken(&earlier).stages());
            }
            journal.settle(identity, position, Slot(1), stages, Measure { sum, ..Measure::default() });
        }
        // Those far behind are not looked for again: it is enough that they are many.
        Step::Others(count) if (count as usize) < Window::SIZE => journal.pass(position, count),
        Step::Others(count) => {
            for _ in 0..count {
                *other += 1;
                let (identity, measure) = (Identity(hash::fold(*other, 7)), Measure::default());
                journal.settle(identity, position, Slot::NONE, Stages::default(), measure);
            }
        }
    }
}

/// What counts in the end, with a chunk for every so many steps.
fn counts(mut requests: Requests, steps: &[Step], chunk: usize) -> (Counts, Totals) {
    let (mut counts, mut other) = (Counts::default(), 0);
    for steps in steps.chunks(chunk) {
        let mut journal = Journal::default();
        steps.iter().for_each(|&step| note(&mut journal, step, &mut counts, &mut other));
        journal.keep(&[], &[]);
        let mut journal = journal.hand_on(Journal::default());
        requests.absorb(&mut journal, Owner(0), &mut counts);
        for Measured { slot, measure } in journal.take_settled().into_iter().filter(|one| one.slot != Slot::NONE) {
            counts.requests += 1;
            counts.add(slot, measure.sum);
        }
    }
    let totals = requests.finish(&mut counts);
    (counts, totals)
}

#[test]
fn what_is_given_up_is_counted_whole_and_once_wherever_chunks_are_cut() {
    use Step::{Ends, Others, Waits};
    let (received, started) = (Waits(Stage::RequestReceived), Waits(Stage::ResponseStarted));
    let long = Others(PATIENCE as u32 - 40_000);
    let far = Others(3 * Window::SIZE as u32);
    // Requests, events, repeats and how many are unfinished.
    let cases: [(&[Step], [u64; 4]); 8] = [
        (&[received, long, long], [1, 1, 0, 1]),
        (&[received, long, long, Ends], [1, 2, 0, 0]),
        (&[received, long, long, started, Ends], [1, 3, 0, 0]),
        (&[received, long, long, received, Ends], [1, 3, 1, 0]),
        (&[received, long, long, started, Others(9)], [1, 2, 0, 1]),
        // Forgotten by then, but not as one that may still end.
        (&[received, far, Ends, Others(100), Ends], [1, 3, 1, 0]),
        (&[received, far, started, Ends], [1, 3, 0, 0]),
        (&[received, far, received, long, long], [1, 2, 1, 1]),
    ];
    for (case, (steps, expected)) in cases.into_iter().enumerate() {
        for (chunk, several) in (1..=steps.len()).flat_map(|chunk| [(chunk, false), (chunk, true)]) {
            let requests = if several { Requests::of_several_logs() } else { Requests::default() };
            let (counts, totals) = counts(requests, steps, chunk);
            let sum = counts.sums.values().fold(Amendment::default(), |mut sum, one| {
                sum.add(*one);
                sum
            });
            let found = [counts.requests, sum.events, counts.repeated_stages, totals.unfinished_requests];
            assert_eq!(found, expected, "case {case} in chunks of {chunk}");
            assert_eq!(sum.bytes, sum.events * OWN.bytes);
            let slot = if expected[3] == 0 { 1 } else { LATE.0 };
            assert!(counts.sums.keys().all(|&one| one == slot), "case {case} in chunks of {chunk}: {counts:?}");
        }
    }
}
