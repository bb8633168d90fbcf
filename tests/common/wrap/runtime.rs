//! Files of container runtimes: CRI and docker. Both cut long lines and keep the streams of a container apart.

use super::server::{PIECE, klog};
use super::{Envelope, Line, Wrapped, clock, json, lines};
use crate::common::gzip;

pub(crate) const ENVELOPES: &[Envelope] = &[
    lines("cri/one-stream", |events| Wrapped::exact(cri(events, &PLAIN, false).concat(), events.to_vec())),
    lines("cri/two-streams", |events| Wrapped::exact(cri(events, &PLAIN, true).concat(), events.to_vec())),
    lines("cri/local-offset", |events| Wrapped::exact(cri(events, &LOCAL, true).concat(), events.to_vec())),
    lines("cri/empty-final", |events| Wrapped::exact(cri(events, &EMPTY_FINAL, true).concat(), events.to_vec())),
    lines("cri/rotated", rotated),
    lines("docker/json-file", |events| docker(events, false)),
    lines("docker/two-streams", |events| docker(events, true)),
    lines("docker/with-attributes", docker_attributes),
];

/// How a runtime writes a CRI file.
struct Cri {
    stamp: fn(usize) -> String,
    partial: &'static str,
    last: &'static str,
    /// Whether a line that fills its last piece gets an empty one behind it.
    empty_final: bool,
}

const PLAIN: Cri = Cri { stamp: clock::trimmed, partial: "P", last: "F", empty_final: false };
const LOCAL: Cri = Cri { stamp: clock::local, partial: "P:x", last: "F:y:z", empty_final: false };
const EMPTY_FINAL: Cri = Cri { stamp: clock::nanos, partial: "P", last: "F", empty_final: true };

/// The records of a CRI file, one after the other.
fn cri(events: &[Line], how: &Cri, both: bool) -> Vec<Vec<u8>> {
    let mut log = Vec::new();
    // A line of the other stream that is cut itself, with pieces between the pieces of audit lines.
    let long = format!("I0309 08:00:04.000001       1 dump.go:1] {{\"text\": \"{}\"}}", "y".repeat(3 * PIECE));
    let mut other = Vec::new();
    for (index, line) in events.iter().enumerate() {
        for record in records(index, "stdout", line, how) {
            log.push(record);
            if !both {
                continue;
            }
            if other.is_empty() {
                let text = if index % 5 == 0 { &long } else { klog(index) };
                other = records(index, "stderr", text.as_bytes(), how);
                other.reverse();
            }
            log.extend(other.pop());
        }
    }
    log.extend(other.into_iter().rev());
    log
}

/// A line as records of a stream.
fn records(index: usize, stream: &str, line: &[u8], how: &Cri) -> Vec<Vec<u8>> {
    let mut pieces: Vec<&[u8]> = line.chunks(PIECE).collect();
    if how.empty_final && line.len().is_multiple_of(PIECE) {
        pieces.push(b"");
    }
    let last = pieces.len() - 1;
    let record = |(piece, text): (usize, &&[u8])| {
        let tag = if piece == last { how.last } else { how.partial };
        [format!("{} {stream} {tag} ", (how.stamp)(index + piece)).as_bytes(), text, b"\n"].concat()
    };
    pieces.iter().enumerate().map(record).collect()
}

/// The kubelet rotated twice, each time between two pieces of a line.
fn rotated(events: &[Line]) -> Wrapped {
    let records = cri(events, &PLAIN, true);
    let is_partial = |record: &[u8]| record.split(|&byte| byte == b' ').nth(2) == Some(b"P");
    let cut_behind = |from: usize| {
        let partial = records[from..].iter().position(|record| is_partial(record));
        partial.map_or(records.len(), |at| from + at + 1)
    };
    let first = cut_behind(records.len() / 4);
    let second = cut_behind(first.max(records.len() / 2));
    let file =
        |name: &str, content: Vec<u8>| (format!("kube-system_kube-apiserver-cp1_1/kube-apiserver/{name}"), content);
    let files = vec![
        file("0.log.20260309-080100.gz", gzip(&records[..first].concat())),
        file("0.log.20260309-080500", records[first..second].concat()),
        file("0.log", records[second..].concat()),
    ];
    Wrapped { files, ..Wrapped::exact(Vec::new(), events.to_vec()) }
}

/// The pieces of a line as docker writes them: each is made text by itself, so that a letter cut in two is lost.
fn docker_pieces(line: &[u8]) -> Vec<String> {
    let mut pieces: Vec<String> = line.chunks(PIECE).map(|piece| json::text(piece).into_owned()).collect();
    if let Some(last) = pieces.last_mut() {
        last.push('\n');
    }
    pieces
}

fn docker_record(index: usize, stream: &str, text: &str, more: &str) -> String {
    let (log, time) = (json::quote_go(text), clock::trimmed(index));
    format!("{{\"log\":{log},\"stream\":\"{stream}\"{more},\"time\":\"{time}\"}}\n")
}

/// What comes back of a line that was made text piece by piece.
fn docker_expected(events: &[Line]) -> Vec<Line> {
    let line = |line: &Line| {
        let mut text = docker_pieces(line).concat();
        text.pop();
        text.into_bytes()
    };
    events.iter().map(line).collect()
}

fn docker(events: &[Line], both: bool) -> Wrapped {
    let mut log = String::new();
    for (index, line) in events.iter().enumerate() {
        for (piece, text) in docker_pieces(line).iter().enumerate() {
            log += &docker_record(index + piece, "stdout", text, "");
            if both {
                log += &docker_record(index + piece, "stderr", &format!("{}\n", klog(index + piece)), "");
            }
        }
    }
    Wrapped::exact(log.into_bytes(), docker_expected(events))
}

/// With `--log-opt labels=…`, which adds a member.
fn docker_attributes(events: &[Line]) -> Wrapped {
    let mut log = String::new();
    let attributes = ",\"attrs\":{\"io.kubernetes.pod.name\":\"kube-apiserver-cp1\",\"tag\":\"{x}\"}";
    for (index, line) in events.iter().enumerate() {
        for (piece, text) in docker_pieces(line).iter().enumerate() {
            log += &docker_record(index + piece, "stdout", text, attributes);
        }
    }
    Wrapped::exact(log.into_bytes(), docker_expected(events))
}
