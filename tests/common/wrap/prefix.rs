//! Words before the line: `kubectl logs`, stern, `oc adm node-logs`, system logs.

use super::server::{PIECE, klog};
use super::{Envelope, Line, Wrapped, clock, json, lines};

pub(crate) const ENVELOPES: &[Envelope] = &[
    lines("kubectl/plain", |events| Wrapped::exact(with_klog(events, |_, line| line.to_vec()), events.to_vec())),
    lines("kubectl/timestamps", |events| Wrapped::exact(with_klog(events, stamped), events.to_vec())),
    lines("kubectl/prefix", |events| Wrapped::exact(with_klog(events, prefixed), events.to_vec())),
    lines("kubectl/prefix-timestamps", |events| Wrapped::exact(with_klog(events, both), events.to_vec())),
    lines("kubectl/local-timestamps", |events| Wrapped::exact(with_klog(events, stamped_locally), events.to_vec())),
    lines("kubectl/docker-timestamps", |events| Wrapped::exact(with_klog(events, stamped_short), events.to_vec())),
    lines("stern/plain", |events| Wrapped::exact(with_klog(events, stern), events.to_vec())),
    lines("stern/coloured", |events| Wrapped::exact(with_klog(events, stern_coloured), events.to_vec())),
    lines("oc/node-logs", |events| Wrapped::exact(each(events, node), events.to_vec())),
    lines("syslog/rfc3164", |events| Wrapped::exact(each(events, rfc3164), events.to_vec())),
    lines("syslog/rfc3164-priority", |events| Wrapped::exact(each(events, rfc3164_priority), events.to_vec())),
    lines("syslog/rfc5424", |events| Wrapped::exact(each(events, rfc5424), events.to_vec())),
    lines("syslog/rfc5424-data", |events| Wrapped::exact(each(events, rfc5424_data), events.to_vec())),
];

/// Each line as `write` has it.
pub(crate) fn each(events: &[Line], write: impl Fn(usize, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut log = Vec::new();
    for (index, line) in events.iter().enumerate() {
        log.extend(write(index, line));
        log.push(b'\n');
    }
    log
}

/// Each line as `write` has it, with lines of the server's other stream between some of them.
fn with_klog(events: &[Line], write: impl Fn(usize, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut log = Vec::new();
    for (index, line) in events.iter().enumerate() {
        if index % 3 == 1 {
            log.extend(write(index, klog(index / 3).as_bytes()));
            log.push(b'\n');
        }
        log.extend(write(index, line));
        log.push(b'\n');
    }
    log
}

/// A timestamp before every piece of a line: what the runtime has cut is put together again without a thought.
fn with_stamps(index: usize, line: &[u8], stamp: fn(usize) -> String) -> Vec<u8> {
    let pieces = line.chunks(PIECE).enumerate();
    pieces.flat_map(|(piece, text)| [stamp(index + piece).as_bytes(), b" ", text].concat()).collect()
}

fn stamped(index: usize, line: &[u8]) -> Vec<u8> {
    with_stamps(index, line, clock::nanos)
}

fn stamped_locally(index: usize, line: &[u8]) -> Vec<u8> {
    with_stamps(index, line, clock::local)
}

/// `docker logs -t` and older kubelets cut zeros.
fn stamped_short(index: usize, line: &[u8]) -> Vec<u8> {
    with_stamps(index, line, clock::trimmed)
}

fn pod(index: usize) -> String {
    format!("[pod/kube-apiserver-cp{}/kube-apiserver] ", index % 3 + 1)
}

fn prefixed(index: usize, line: &[u8]) -> Vec<u8> {
    [pod(index).as_bytes(), line].concat()
}

fn both(index: usize, line: &[u8]) -> Vec<u8> {
    [pod(index).into_bytes(), stamped(index, line)].concat()
}

fn stern(index: usize, line: &[u8]) -> Vec<u8> {
    [format!("kube-apiserver-cp{} kube-apiserver ", index % 3 + 1).as_bytes(), line].concat()
}

fn stern_coloured(index: usize, line: &[u8]) -> Vec<u8> {
    let colour = 31 + index % 3;
    let words =
        format!("\x1b[{colour};1mkube-apiserver-cp{}\x1b[0m \x1b[{colour}mkube-apiserver\x1b[0m ", index % 3 + 1);
    [words.as_bytes(), line].concat()
}

fn node(index: usize, line: &[u8]) -> Vec<u8> {
    let node = ["ip-10-0-140-97.ec2.internal", "master-1", "cp3.example.com"][index % 3];
    [node.as_bytes(), b" ", line].concat()
}

fn rfc3164(index: usize, line: &[u8]) -> Vec<u8> {
    [format!("{} cp1 kube-apiserver[1234]: ", clock::syslog(index)).as_bytes(), line].concat()
}

fn rfc3164_priority(index: usize, line: &[u8]) -> Vec<u8> {
    [format!("<134>{} cp1.example.com kube-apiserver: ", clock::syslog(index)).as_bytes(), line].concat()
}

fn rfc5424(index: usize, line: &[u8]) -> Vec<u8> {
    let time = clock::fraction(index, 6);
    [format!("<134>1 {time} cp1 kube-apiserver 1234 - - ").as_bytes(), line].concat()
}

fn rfc5424_data(index: usize, line: &[u8]) -> Vec<u8> {
    let time = clock::fraction(index, 3);
    let data = format!("[meta sequenceId=\"{index}\" x=\"a\\\"b\\]{{c\"][origin ip=\"192.0.2.1\"]");
    [format!("<13>1 {time} cp1 kube-apiserver - audit {data} \u{feff}").as_bytes(), line].concat()
}

/// Lines in a string of JSON, one object per line.
pub(crate) fn objects(events: &[Line], write: impl Fn(usize, &str) -> String) -> Wrapped {
    let log = each(events, |index, line| write(index, &json::text(line)).into_bytes());
    Wrapped::exact(log, json::texts(events))
}
