//! The journal: JSON, export and short text, and docker's journald driver.

use super::prefix::each;
use super::server::{JOURNAL_PIECE, PIECE, klog};
use super::{Envelope, Line, Wrapped, clock, json, lines};

pub(crate) const ENVELOPES: &[Envelope] = &[
    lines("journald/json", |events| Wrapped::exact(journal(events, JOURNAL_PIECE, as_json), events.to_vec())),
    lines("journald/export", |events| short(events, as_export)),
    lines("journald/docker", |events| Wrapped::exact(journal(events, PIECE, as_docker_json), events.to_vec())),
    lines("journald/short", |events| short(events, |index, line| message(index, "%b %d %H:%M:%S", line))),
    lines("journald/short-iso", |events| short(events, |index, line| message(index, "%Y-%m-%dT%H:%M:%S+00:00", line))),
    lines("journald/short-precise", |events| short(events, |index, line| message(index, "%b %d %H:%M:%S%.6f", line))),
    lines("journald/cat", |events| short(events, |_, line| line.to_vec())),
];

/// A piece of a line in the journal.
struct Entry<'a> {
    index: usize,
    piece: usize,
    text: &'a [u8],
    last: bool,
    unit: &'a str,
}

/// All lines in pieces, with entries of another unit between them.
fn journal(events: &[Line], length: usize, write: fn(&Entry<'_>) -> Vec<u8>) -> Vec<u8> {
    let mut log = Vec::new();
    for (index, line) in events.iter().enumerate() {
        let count = line.len().div_ceil(length);
        for (piece, text) in line.chunks(length).enumerate() {
            let last = piece + 1 == count;
            log.extend(write(&Entry { index, piece, text, last, unit: "kube-apiserver.service" }));
            if (index + piece) % 4 == 2 {
                let text = klog(index).as_bytes();
                log.extend(write(&Entry { index, piece, text, last: true, unit: "kubelet.service" }));
            }
        }
    }
    log
}

/// Fields of an entry beside the message.
fn fields(entry: &Entry<'_>) -> Vec<(&'static str, String)> {
    let micros = clock::micros(entry.index) + entry.piece as i64;
    let own = entry.unit == "kube-apiserver.service";
    vec![
        ("__CURSOR", format!("s=739ad463348b4ceca5a9e69c95a3c93f;i={:x};b=6c7c;m=3;t=4;x=5", entry.index)),
        ("__REALTIME_TIMESTAMP", micros.to_string()),
        ("__MONOTONIC_TIMESTAMP", (micros - 1_773_043_000_000_000).to_string()),
        ("_BOOT_ID", "6c7c6013a26343b29e964691ff25d04c".to_owned()),
        ("PRIORITY", "6".to_owned()),
        ("_TRANSPORT", "stdout".to_owned()),
        ("_STREAM_ID", if own { "aaaa" } else { "bbbb" }.repeat(8)),
        ("SYSLOG_IDENTIFIER", if own { "kube-apiserver" } else { "kubelet" }.to_owned()),
        ("_SYSTEMD_UNIT", entry.unit.to_owned()),
        ("_HOSTNAME", "cp1".to_owned()),
        ("_PID", if own { "1234" } else { "77" }.to_owned()),
        ("_CMDLINE", "kube-apiserver --audit-log-path=- --x={\"a\":1}".to_owned()),
    ]
}

/// The message as `journalctl -o json --all` writes it: text if it is clean, else a list of bytes.
pub(crate) fn message_value(text: &[u8]) -> String {
    match clean(text) {
        Some(text) => json::quote(text),
        None => {
            let bytes: Vec<String> = text.iter().map(u8::to_string).collect();
            format!("[{}]", bytes.join(","))
        }
    }
}

/// The text if the journal holds it to be printable: UTF-8 without control characters, those of Latin-1 included.
fn clean(text: &[u8]) -> Option<&str> {
    let control = |sign: char| sign < ' ' && sign != '\t' && sign != '\n' || ('\u{7f}'..='\u{9f}').contains(&sign);
    std::str::from_utf8(text).ok().filter(|text| !text.contains(control))
}

/// An entry as one object. The order of members is the hash order of journalctl, so any will do.
fn json_entry(fields: &[(&str, String)], text: &[u8], message_at: usize) -> Vec<u8> {
    let mut members: Vec<(String, String)> =
        fields.iter().map(|(key, value)| ((*key).to_owned(), json::quote(value))).collect();
    members.insert(message_at % members.len(), ("MESSAGE".to_owned(), message_value(text)));
    let mut object = json::object(&members).into_bytes();
    object.push(b'\n');
    object
}

fn with_line_break(entry: &Entry<'_>) -> Vec<(&'static str, String)> {
    let mut fields = fields(entry);
    if !entry.last {
        fields.push(("_LINE_BREAK", "line-max".to_owned()));
    }
    fields
}

fn as_json(entry: &Entry<'_>) -> Vec<u8> {
    json_entry(&with_line_break(entry), entry.text, entry.index)
}

/// Fields are lines, and a blank one ends the entry.
fn as_export(index: usize, line: &[u8]) -> Vec<u8> {
    let entry = Entry { index, piece: 0, text: line, last: true, unit: "kube-apiserver.service" };
    let fields: String = fields(&entry).into_iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    [fields.as_bytes(), b"MESSAGE=", line, b"\n"].concat()
}

/// docker's own driver cuts at 16 KiB and marks all pieces but the last.
fn as_docker_json(entry: &Entry<'_>) -> Vec<u8> {
    let mut fields = fields(entry);
    let own = entry.unit == "kube-apiserver.service";
    let (name, id) = if own { ("k8s_kube-apiserver_cp1", "4fd1") } else { ("k8s_etcd_cp1", "99aa") };
    fields.push(("CONTAINER_NAME", name.to_owned()));
    fields.push(("CONTAINER_ID_FULL", id.repeat(16)));
    if own && (!entry.last || entry.piece > 0) {
        fields.push(("CONTAINER_PARTIAL_ID", format!("{:064x}", entry.index)));
        fields.push(("CONTAINER_PARTIAL_ORDINAL", (entry.piece + 1).to_string()));
        fields.push(("CONTAINER_PARTIAL_LAST", entry.last.to_string()));
    }
    if !entry.last {
        fields.push(("CONTAINER_PARTIAL_MESSAGE", "true".to_owned()));
    }
    json_entry(&fields, entry.text, entry.index)
}

fn message(index: usize, pattern: &str, line: &[u8]) -> Vec<u8> {
    [clock::pattern(index, pattern).as_bytes(), b" cp1 kube-apiserver[1234]: ", line].concat()
}

/// As text the journal shows only clean lines, and no mark where it has cut one: such events are not in it.
fn short(events: &[Line], write: impl Fn(usize, &[u8]) -> Vec<u8>) -> Wrapped {
    let whole = |line: &&Line| line.len() <= JOURNAL_PIECE && clean(line).is_some();
    let events: Vec<Line> = events.iter().filter(whole).cloned().collect();
    Wrapped::exact(each(&events, write), events)
}

/// `journalctl -o json` without `--all`: long messages are null. The lines that are left are expected.
pub(crate) fn without_all(events: &[Line]) -> Wrapped {
    let mut log = Vec::new();
    let mut expected = Vec::new();
    for (index, line) in events.iter().enumerate() {
        let entry = Entry { index, piece: 0, text: line, last: true, unit: "kube-apiserver.service" };
        let mut fields: Vec<(String, String)> =
            fields(&entry).into_iter().map(|(key, value)| (key.to_owned(), json::quote(&value))).collect();
        let value = if line.len() > 4096 { "null".to_owned() } else { message_value(line) };
        fields.push(("MESSAGE".to_owned(), value));
        log.extend(json::object(&fields).into_bytes());
        log.push(b'\n');
        if line.len() <= 4096 {
            expected.push(line.clone());
        }
    }
    Wrapped::exact(log, expected).cut()
}
