//! Arbitrary bytes through the reader, whole and cut in two.

#![no_main]

use auditq::event::{Event, write_json};
use auditq::parse::legacy::{RequestHalf, ResponseHalf};
use auditq::parse::records::{Bucket, Carry, Place, Reason, RegionEnd, Visitor, is_definite_start, read_region};
use bumpalo::Bump;
use libfuzzer_sys::fuzz_target;

/// What was read: a line for each event and half, and the bytes and records of each bucket.
#[derive(Default, Debug, PartialEq)]
struct Reading {
    found: Vec<(usize, usize, Vec<u8>)>,
    bytes: [u64; 5],
    records: [u64; 5],
    base: usize,
}

impl<'a> Visitor<'a> for Reading {
    fn event(&mut self, event: Event<'a>, record: &'a [u8], offset: usize, bytes: usize) {
        assert!(bytes <= record.len().max(bytes));
        let mut json = Vec::new();
        write_json(&event, &mut json);
        assert!(!json.contains(&b'\n'), "an event is printed as one line");
        let _ = (event.latency_us(), event.client_ip(), event.decision(), event.is_long_running());
        self.found.push((self.base + offset, bytes, json));
    }

    fn request_half(&mut self, half: RequestHalf<'a>, record: &'a [u8], offset: usize, _: usize) {
        self.found.push((self.base + offset, record.len(), half.id.decode().into_owned()));
    }

    fn response_half(&mut self, half: ResponseHalf<'a>, record: &'a [u8], offset: usize, _: usize) {
        self.found.push((self.base + offset, record.len(), half.id.decode().into_owned()));
    }

    fn record(&mut self, bucket: Bucket, bytes: usize, counted: bool) {
        self.bytes[bucket as usize] += bytes as u64;
        self.records[bucket as usize] += u64::from(counted);
    }

    fn lost(&mut self, _: u64) {}

    fn damage(&mut self, _: Reason, _: usize, _: Place) {}
}

fn read(bytes: &[u8], end: RegionEnd, carry: &mut Carry, reading: &mut Reading) -> usize {
    let arena = Bump::new();
    let before: u64 = reading.bytes.iter().sum();
    let used = read_region(bytes, end, carry, &arena, reading);
    let after: u64 = reading.bytes.iter().sum();
    assert_eq!(after - before, used as u64, "buckets add up to what was used");
    assert!(end == RegionEnd::More || used == bytes.len(), "all is used where the end is known");
    used
}

fuzz_target!(|bytes: &[u8]| {
    let mut whole = Reading::default();
    read(bytes, RegionEnd::Source, &mut Carry::default(), &mut whole);

    // What is complete, then the rest: the same.
    let (mut parts, mut carry) = (Reading::default(), Carry::default());
    let used = read(bytes, RegionEnd::More, &mut carry, &mut parts);
    parts.base = used;
    read(&bytes[used..], RegionEnd::Source, &mut carry, &mut parts);
    parts.base = 0;
    assert_eq!(parts, whole);

    // Cut where a record must begin: the same.
    let starts = (1..bytes.len()).filter(|&at| bytes[at - 1] == b'\n' && is_definite_start(&bytes[at..]));
    for cut in starts.take(8) {
        let mut parts = Reading::default();
        read(&bytes[..cut], RegionEnd::RecordStart, &mut Carry::default(), &mut parts);
        parts.base = cut;
        read(&bytes[cut..], RegionEnd::Source, &mut Carry::default(), &mut parts);
        parts.base = 0;
        assert_eq!(parts, whole, "cut at {cut}");
    }
});
