//! The simulation: requests arrive, their stages wait in a queue ordered by time, lines come out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use crate::bodies::Bodies;
use crate::lines::{Stage, Writer};
use crate::ops::{From, Kind, Op, Ops};
use crate::random::{Random, Weighted};
use crate::users::cast;

/// Shape of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// JSON, everything at Metadata level.
    Metadata,
    /// JSON, everything at RequestResponse level.
    Rr,
    /// JSON, a policy as people write it: bodies of writes, not of secrets.
    Mixed,
    /// Two lines of text per request, as Kubernetes 1.6 wrote them.
    Legacy,
    /// One line of text per stage.
    Oneline,
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Outcome {
    Success,
    Unauthorized,
    Forbidden,
    NotFound,
    Conflict,
    Invalid,
    TooMany,
    Internal,
    Unavailable,
    Timeout,
    Panic,
}

/// One request; texts are looked up when a line is written.
#[derive(Clone, Copy)]
pub struct Request {
    /// Bits of the audit ID.
    pub id: [u64; 2],
    /// Caller.
    pub user: u16,
    /// Operation.
    pub op: u16,
    /// Namespace, where the operation takes any.
    pub namespace: u16,
    /// Impersonated user.
    pub acting_as: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// Object name, where the operation takes any.
    pub name: u32,
    /// Items of a list.
    pub items: u64,
    /// Choices left to the writer.
    pub seed: u64,
    /// Microseconds since 1970.
    pub received: i64,
}

/// What to generate.
pub struct Plan {
    /// Shape.
    pub profile: Profile,
    /// Bytes to reach; the last line is whole.
    pub size: u64,
    /// Seed.
    pub seed: u64,
    /// Whether RequestReceived is written.
    pub all_stages: bool,
}

const FLUSH: usize = 1 << 20;
const PER_GIGABYTE: u64 = 5;

/// Writes the log and returns the number of bytes.
pub fn run(plan: &Plan, sink: &mut dyn Write) -> io::Result<u64> {
    let mut world = World::new(plan);
    let mut out = Vec::with_capacity(FLUSH * 3);
    let mut written = 0;
    while written + (out.len() as u64) < plan.size {
        world.step(&mut out, written, plan.size);
        if out.len() >= FLUSH {
            sink.write_all(&out)?;
            written += out.len() as u64;
            out.clear();
        }
    }
    sink.write_all(&out)?;
    sink.flush()?;
    Ok(written + out.len() as u64)
}

/// A line that waits for its time; the number keeps the order total.
type Waiting = Reverse<(i64, u64, Stage, i64, u32, bool)>;

struct World {
    writer: Writer,
    random: Random,
    by_weight: Weighted,
    now: i64,
    count: u64,
    queue: BinaryHeap<Waiting>,
    requests: Vec<Request>,
    free: Vec<u32>,
    all_stages: bool,
    intrusions: Vec<u64>,
    people: Vec<u16>,
}

impl World {
    fn new(plan: &Plan) -> World {
        let mut random = Random::new(plan.seed);
        let users = cast(&mut random);
        let ops = Ops::new(&mut random);
        let bodies = Bodies::new(&mut random);
        let by_weight = Weighted::new(users.iter().map(|user| user.weight));
        let people = (0..users.len() as u16).filter(|&at| users[usize::from(at)].kind == Kind::Person).collect();
        let intrusions = (plan.size * PER_GIGABYTE).div_ceil(1_000_000_000).max(1);
        let part = plan.size / intrusions;
        // One at a drawn place in each part of the log, the last first, so that the next is popped.
        let intrusions = (0..intrusions).rev().map(|at| at * part + part / 4 + random.below(part / 2 + 1)).collect();
        World {
            writer: Writer::new(ops, users, bodies, plan.profile),
            random,
            by_weight,
            // 2026-03-09T08:00:00Z, or March 2017 for the old format.
            now: if plan.profile == Profile::Legacy { 1_490_083_029_106_841 } else { 1_773_043_200_000_000 },
            count: 0,
            queue: BinaryHeap::new(),
            requests: Vec::new(),
            free: Vec::new(),
            all_stages: plan.all_stages,
            intrusions,
            people,
        }
    }

    /// One more request arrives; every line due before it is written.
    fn step(&mut self, out: &mut Vec<u8>, written: u64, size: u64) {
        // About 40 requests a second, in bursts: most gaps are short, some are long.
        let reach = 1 << self.random.between(10, 18);
        self.now += 1 + self.random.below(reach) as i64;
        while let Some(&Reverse((due, _, stage, at, slot, last))) = self.queue.peek() {
            if due > self.now {
                break;
            }
            self.queue.pop();
            if written + out.len() as u64 >= size {
                return;
            }
            if self.all_stages || stage != Stage::RequestReceived {
                self.writer.line(out, &self.requests[slot as usize], stage, at);
            }
            if last {
                self.free.push(slot);
            }
        }
        let due = self.intrusions.last().is_some_and(|&at| at <= written + out.len() as u64);
        let user = if due {
            self.intrusions.pop();
            self.writer.users.len() - 1
        } else {
            self.by_weight.draw(&mut self.random)
        };
        self.arrive(user as u16);
    }

    fn arrive(&mut self, user: u16) {
        let random = &mut self.random;
        let caller = &self.writer.users[usize::from(user)];
        let op_at = self.writer.ops.draw(caller.kind, random);
        let op = &self.writer.ops.ops[op_at];
        let outcome = outcome(op, caller.refused, caller.kind, random);
        let acting = caller.kind == Kind::Person && random.chance(20_000);
        let request = Request {
            id: [random.bits(), random.bits()],
            user,
            op: op_at as u16,
            namespace: random.below(self.writer.ops.namespaces.len() as u64) as u16,
            acting_as: acting.then(|| self.people[random.below(self.people.len() as u64) as usize]),
            outcome,
            name: random.bits() as u32,
            items: items(random),
            seed: random.bits() >> 1,
            received: self.now,
        };
        let stages = stages(op, outcome, self.now, random);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.requests.push(request);
            self.requests.len() as u32 - 1
        });
        self.requests[slot as usize] = request;
        let last = stages.iter().flatten().count();
        for (number, (stage, at)) in stages.into_iter().flatten().enumerate() {
            self.count += 1;
            // The writer is not quite in step with the clock.
            let due = at + self.random.below(100) as i64;
            self.queue.push(Reverse((due, self.count, stage, at, slot, number + 1 == last)));
        }
    }
}

/// Which stages are written, and when.
fn stages(op: &Op, outcome: Outcome, now: i64, random: &mut Random) -> [Option<(Stage, i64)>; 3] {
    let received = Some((Stage::RequestReceived, now + random.between(60, 700) as i64));
    let answered = now + latency(op, random);
    if outcome == Outcome::Unauthorized {
        return [Some((Stage::ResponseStarted, answered)), None, None];
    }
    if outcome == Outcome::Panic {
        return [received, Some((Stage::Panic, answered)), None];
    }
    // Lost by the server, or never finished while the log lasts.
    let lost = random.chance(400);
    if !op.long {
        return [received, (!lost).then_some((Stage::ResponseComplete, answered)), None];
    }
    let started = Some((Stage::ResponseStarted, answered));
    let duration = match (outcome, op.subresource) {
        (Outcome::Success, "exec" | "attach" | "portforward") => random.between(2_000_000, 900_000_000),
        (Outcome::Success, "log" | "proxy") => random.between(5_000, 30_000_000),
        (Outcome::Success, _) => random.between(300_000_000, 600_000_000),
        _ => random.between(20, 400),
    };
    [received, started, (!lost).then_some((Stage::ResponseComplete, answered + duration as i64))]
}

/// Microseconds until the response: a few milliseconds, with a long tail.
fn latency(op: &Op, random: &mut Random) -> i64 {
    let base = match op.verb {
        "get" | "watch" => 900,
        "list" => 2_500,
        _ => 3_500,
    };
    let spread = base + random.below(base * 2);
    let slow = match random.below(10_000) {
        0..=3 => 400,
        4..=40 => 60,
        41..=400 => 8,
        _ => 1,
    };
    700 + (spread * slow) as i64
}

fn outcome(op: &Op, refused: u64, kind: Kind, random: &mut Random) -> Outcome {
    if kind == Kind::Intruder {
        return Outcome::Success;
    }
    let open = matches!(op.path, "/livez" | "/readyz" | "/healthz");
    if kind == Kind::Anonymous {
        return if open { Outcome::Success } else { Outcome::Forbidden };
    }
    if random.chance(2_500) && matches!(kind, Kind::Person | Kind::App | Kind::Node) {
        return Outcome::Unauthorized;
    }
    if !op.resource.is_empty() && random.chance(refused) {
        return Outcome::Forbidden;
    }
    let named = matches!(op.name, From::Any | From::Own);
    match random.below(1_000_000) {
        0..=24_999 if named && matches!(op.verb, "get" | "delete" | "patch") => Outcome::NotFound,
        0..=11_999 if matches!(op.verb, "update" | "create") && !op.long && op.subresource != "binding" => {
            Outcome::Conflict
        }
        25_000..=26_999 if matches!(op.verb, "update" | "create" | "patch") && op.subresource.is_empty() => {
            Outcome::Invalid
        }
        30_000..=30_799 => Outcome::TooMany,
        31_000..=400_000 if op.subresource == "eviction" => Outcome::TooMany,
        500_000..=500_299 if !op.long => Outcome::Internal,
        600_000..=600_199 if !op.long => Outcome::Unavailable,
        700_000..=700_199 if !op.long => Outcome::Timeout,
        800_000..=800_004 => Outcome::Panic,
        _ => Outcome::Success,
    }
}

/// Items in a list: mostly few, sometimes a whole cluster's worth.
fn items(random: &mut Random) -> u64 {
    match random.below(1000) {
        0..=649 => random.below(2),
        650..=899 => random.between(2, 4),
        900..=931 => random.between(8, 40),
        932..=942 => random.between(60, 200),
        _ => random.between(200, 430),
    }
}
