//! How many bytes a second the readers take, one thread, everything in memory.
//!
//! `cargo bench --manifest-path tests/bench/Cargo.toml`
//!
//! Each log is about 1 MB, so that it stays in the cache of one processor and only reading counts.
//! `serde` reads the same lines into a typed struct that ignores bodies: what a careful program
//! without a parser of its own would do.

use auditq::event::Event;
use auditq::parse::legacy::{RequestHalf, ResponseHalf};
use auditq::parse::records::{Bucket, Carry, Place, Reason, RegionEnd, Visitor, read_region};
use auditq_bench::run::{Plan, Profile, run};
use bumpalo::Bump;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serde::Deserialize;
use serde_json::{Map, Value};

fn main() {
    divan::main();
}

const SIZE: u64 = 1_000_000;

/// What is read.
#[derive(Clone, Copy, Debug)]
enum Lines {
    /// JSON at Metadata level, as the server writes it.
    Metadata,
    /// JSON at RequestResponse level, as the server writes it.
    Rr,
    /// The first with its members in order of name, which only the general reader reads.
    MetadataSorted,
    /// The second likewise.
    RrSorted,
    /// Two lines of text per request.
    Legacy,
    /// One line of text per stage.
    Oneline,
}

const JSON: [Lines; 4] = [Lines::Metadata, Lines::Rr, Lines::MetadataSorted, Lines::RrSorted];
const ALL: [Lines; 6] =
    [Lines::Metadata, Lines::Rr, Lines::MetadataSorted, Lines::RrSorted, Lines::Legacy, Lines::Oneline];

impl Lines {
    fn log(self) -> Vec<u8> {
        match self {
            Lines::Metadata => log(Profile::Metadata),
            Lines::Rr => log(Profile::Rr),
            Lines::MetadataSorted => sorted(&log(Profile::Metadata)),
            Lines::RrSorted => sorted(&log(Profile::Rr)),
            Lines::Legacy => log(Profile::Legacy),
            Lines::Oneline => log(Profile::Oneline),
        }
    }
}

fn log(profile: Profile) -> Vec<u8> {
    let mut out = Vec::new();
    let plan = Plan { profile, size: SIZE, seed: 1, all_stages: true };
    run(&plan, &mut out).expect("memory takes everything");
    out
}

/// The same lines, compact, with the top-level members in order of name.
fn sorted(log: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(log.len());
    for line in log.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let members: Map<String, Value> = serde_json::from_slice(line).expect("the generator writes JSON");
        let mut members: Vec<_> = members.into_iter().collect();
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let members: Map<String, Value> = members.into_iter().collect();
        serde_json::to_writer(&mut out, &members).expect("memory takes everything");
        out.push(b'\n');
    }
    out
}

/// auditq's own reading: records are recognised, read and accounted for.
#[divan::bench(args = ALL)]
fn auditq(bencher: Bencher<'_, '_>, lines: Lines) {
    let log = lines.log();
    assert_eq!(read(&log, &mut Bump::new()).damaged, 0);
    let mut arena = Bump::new();
    bencher.counter(BytesCount::of_slice(&log)).bench_local(|| read(black_box(&log), &mut arena));
}

fn read(log: &[u8], arena: &mut Bump) -> Seen {
    arena.reset();
    let mut seen = Seen::default();
    let used = read_region(log, RegionEnd::Source, &mut Carry::default(), arena, &mut seen);
    assert_eq!(used, log.len());
    seen
}

/// What came out, so that nothing can be left out.
#[derive(Default)]
struct Seen {
    codes: u64,
    events: u64,
    halves: u64,
    damaged: u64,
}

impl<'a> Visitor<'a> for Seen {
    fn event(&mut self, event: &Event<'a>, _: &'a [u8], _: usize, _: usize) {
        self.events += 1;
        self.codes += event.code().map_or(0, |code| code.unsigned_abs().into());
        black_box(event);
    }

    fn request_half(&mut self, half: RequestHalf<'a>, _: &'a [u8], _: usize, _: usize) {
        self.halves += 1;
        black_box(half);
    }

    fn response_half(&mut self, half: ResponseHalf<'a>, _: &'a [u8], _: usize, _: usize) {
        self.halves += 1;
        black_box(half);
    }

    fn record(&mut self, _: Bucket, _: usize, _: bool) {}

    fn lost(&mut self, _: u64) {}

    fn damage(&mut self, _: Reason, _: usize, _: Place) {
        self.damaged += 1;
    }
}

/// serde_json into a struct that borrows where derived code can, and skips bodies.
#[divan::bench(args = JSON)]
fn serde(bencher: Bencher<'_, '_>, lines: Lines) {
    let log = lines.log();
    bencher.counter(BytesCount::of_slice(&log)).bench_local(|| {
        let lines = black_box(&log).split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        for line in lines {
            black_box(serde_json::from_slice::<Typed<'_>>(line).expect("the generator writes events"));
        }
    });
}

/// The members that auditq's event has too.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "what is read is the point, not what is done with it")]
struct Typed<'a> {
    level: &'a str,
    #[serde(rename = "auditID")]
    audit_id: &'a str,
    stage: &'a str,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: &'a str,
    user: TypedUser<'a>,
    #[serde(rename = "sourceIPs", default)]
    source_ips: Vec<&'a str>,
    #[serde(default)]
    user_agent: String,
    #[serde(borrow)]
    object_ref: Option<TypedObject<'a>>,
    response_status: Option<TypedStatus>,
    request_received_timestamp: &'a str,
    stage_timestamp: &'a str,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct TypedUser<'a> {
    username: Option<&'a str>,
    #[serde(borrow, default)]
    groups: Vec<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "as above")]
struct TypedObject<'a> {
    resource: Option<&'a str>,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    api_group: Option<&'a str>,
    subresource: Option<&'a str>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct TypedStatus {
    code: Option<i32>,
}
