//! Reading a log through the library, without a process: one region, a stream, blocks of a file, a whole scan.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auditq::aggregate::Question;
use auditq::aggregate::evidence::Evidence;
use auditq::event::{Event, write_json};
use auditq::input::block::{Block, Region};
use auditq::input::feed::StreamFeed;
use auditq::input::section::Section;
use auditq::input::source::{Discovery, Source};
use auditq::parse::legacy::{RequestHalf, ResponseHalf};
use auditq::parse::records::{Bucket, Carry, Place, Reason, RegionEnd, Visitor, read_region};
use auditq::scan::{Options, Outcome, Progress, Unit, scan};
use bumpalo::Bump;

/// Everything a reading tells: the account, and each event with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) evidence: Evidence,
    pub(crate) found: Vec<Found>,
}

/// One event or half, where it begins, what it is charged with, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) offset: usize,
    pub(crate) bytes: usize,
    pub(crate) text: String,
}

impl Reading {
    /// All bytes that were accounted for.
    pub(crate) fn bytes(&self) -> u64 {
        self.evidence.bytes()
    }

    /// The texts of all events.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.found.iter().map(|found| found.text.as_str()).collect()
    }

    /// How many damaged records there are.
    pub(crate) fn damaged(&self) -> u64 {
        self.evidence.bucket(Bucket::Damaged).records
    }

    fn append(&mut self, next: Reading) {
        self.evidence.append(next.evidence);
        self.found.extend(next.found);
    }
}

struct Collector<'r> {
    reading: &'r mut Reading,
    base: usize,
}

impl Collector<'_> {
    fn found(&mut self, offset: usize, bytes: usize, text: &[u8]) {
        let text = String::from_utf8_lossy(text).into_owned();
        self.reading.found.push(Found { offset: self.base + offset, bytes, text });
    }
}

impl<'a> Visitor<'a> for Collector<'_> {
    fn event(&mut self, event: &Event<'a>, record: &'a [u8], offset: usize, _: usize) {
        self.reading.evidence.event(event);
        let mut json = Vec::new();
        write_json(event, &mut json);
        if let Some(host) = event.origin.and_then(|origin| origin.host) {
            json.extend_from_slice(b" of ");
            json.extend_from_slice(host.raw());
        }
        // Of one that had to be unwrapped, only the record's end says where it ends.
        let is_as_it_stands = record.as_ptr_range().contains(&event.raw.as_ptr());
        let bytes = if is_as_it_stands { event.raw.len() } else { record.len() };
        self.found(offset, bytes, &json);
    }

    fn request_half(&mut self, half: RequestHalf<'a>, record: &'a [u8], offset: usize, _: usize) {
        self.reading.evidence.half(true, half.record.time());
        self.found(offset, record.len(), &[b"request ", half.id.raw()].concat());
    }

    fn response_half(&mut self, half: ResponseHalf<'a>, record: &'a [u8], offset: usize, _: usize) {
        self.reading.evidence.half(false, half.time);
        let code = format!("response {:?} ", half.code);
        self.found(offset, record.len(), &[code.as_bytes(), half.id.raw()].concat());
    }

    fn record(&mut self, bucket: Bucket, bytes: usize, counted: bool) {
        self.reading.evidence.record(bucket, bytes, counted);
    }

    fn lost(&mut self, events: u64) {
        self.reading.evidence.lost += events;
    }

    fn damage(&mut self, reason: Reason, _: usize, place: Place) {
        self.reading.evidence.damaged(reason, place);
    }
}

/// Reads one region; returns how many bytes were used.
fn region(bytes: &[u8], end: RegionEnd, base: usize, carry: &mut Carry, reading: &mut Reading) -> usize {
    let arena = Bump::new();
    read_region(bytes, end, carry, &arena, &mut Collector { reading, base })
}

/// Reads all of it at once.
pub(crate) fn whole(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let mut carry = Carry::default();
    let used = region(bytes, RegionEnd::Source, 0, &mut carry, &mut reading);
    assert_eq!(used, bytes.len(), "a source that has ended is used up");
    reading.evidence.lines = carry.lines;
    reading
}

/// Bytes that come in small steps, as from a pipe.
pub(crate) struct Steps {
    pub(crate) bytes: Vec<u8>,
    pub(crate) at: usize,
    pub(crate) step: usize,
}

impl Read for Steps {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let length = self.step.min(target.len()).min(self.bytes.len() - self.at);
        target[..length].copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

/// Reads it as a stream that gives `step` bytes at a time, in chunks of about `size`.
pub(crate) fn streamed(bytes: &[u8], live: bool, step: usize, size: usize) -> Reading {
    let steps = Steps { bytes: bytes.to_vec(), at: 0, step };
    let mut feed = StreamFeed::new(Box::new(steps), live);
    let (mut reading, mut buffer) = (Reading::default(), Vec::new());
    while let Some(chunk) = feed.next(&mut buffer, size) {
        let mut part = Reading::default();
        let mut carry = chunk.carry;
        let bytes = chunk.region(&buffer).bytes;
        let used = region(bytes, chunk.end, chunk.offset as usize, &mut carry, &mut part);
        assert_eq!(used, bytes.len(), "a chunk of a stream is used up");
        part.evidence.lines = carry.lines;
        reading.append(part);
    }
    reading
}

/// Reads a plain file block by block.
pub(crate) fn blocks(path: &Path, size: u64) -> Reading {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let length = file.metadata().expect("an open file has metadata").len();
    let file = Arc::new(Section::whole(file));
    let (mut reading, mut buffer) = (Reading::default(), Vec::new());
    for start in (0..length).step_by(size as usize) {
        let block = Block { file: Arc::clone(&file), start, end: (start + size).min(length), length };
        let mut part = Reading::default();
        let mut carry = Carry::default();
        let parse = |found: Region<'_>| region(found.bytes, found.end, found.offset as usize, &mut carry, &mut part);
        block.read(&mut buffer, parse).expect("a readable file");
        part.evidence.lines = carry.lines;
        reading.append(part);
    }
    reading
}

/// One source of that name, read from a path.
pub(crate) fn source(name: &str, path: PathBuf, live: bool) -> Source {
    Source::file(name, path, live)
}

/// These sources in this order.
pub(crate) fn sources(sources: Vec<Source>) -> Discovery {
    Discovery { sources, ..Discovery::default() }
}

/// How to drive a scan.
pub(crate) fn options(threads: usize, chunk: usize) -> Options {
    Options { threads, chunk, unit: Unit::Request, seek: None, sift: Some(0) }
}

/// Scans and gives what was handed on in order, and the outcome.
pub(crate) fn run<Q: Question>(
    inputs: &Discovery,
    options: &Options,
    question: &Q,
) -> (Vec<Q::Partial>, Outcome<Q::Partial>) {
    let mut handed_on = Vec::new();
    let outcome = scan(inputs, options, question, &Progress::default(), &mut |partial| {
        handed_on.push(partial);
        ControlFlow::Continue(())
    });
    (handed_on, outcome)
}
