//! No envelope, or hardly one: webhook bodies, lists, printed JSON, other encodings, what copying leaves behind.

use super::json::{pretty, text, texts, value};
use super::prefix::each;
use super::{Envelope, Kept, Line, Wrapped, batches, lines};

pub(crate) const ENVELOPES: &[Envelope] = &[
    batches("webhook/lines", 20, |events| webhook(events, "\n")),
    batches("webhook/concatenated", 20, |events| webhook(events, "")),
    batches("webhook/pretty", 20, webhook_pretty),
    lines("plain/jq", |events| printed(events, |value| pretty(value, 2) + "\n")),
    lines("plain/jq-tab", |events| printed(events, |value| pretty(value, 2).replace("\n  ", "\n\t") + "\n")),
    lines("plain/jq-compact", |events| printed(events, |value| format!("{value}\n"))),
    lines("plain/jq-sorted", |events| printed(events, |value| format!("{}\n", super::json::sorted(value)))),
    lines("plain/array", |events| Wrapped::exact(list(events, b"[", b",", b"]\n"), events.to_vec())),
    lines("plain/array-lines", |events| Wrapped::exact(list(events, b"[\n", b",\n", b"\n]\n"), events.to_vec())),
    lines("plain/array-trailing-comma", |events| {
        Wrapped::exact(list(events, b"[\n", b",\n", b",\n]\n"), events.to_vec())
    }),
    lines("plain/array-unclosed", |events| Wrapped::exact(list(events, b"[\n", b",\n", b"\n"), events.to_vec()).cut()),
    lines("plain/array-unclosed-comma", |events| {
        Wrapped::exact(list(events, b"[", b",\n", b",\n"), events.to_vec()).cut()
    }),
    lines("plain/array-pretty", array_pretty),
    lines("plain/comma-separated", |events| Wrapped::exact(list(events, b"", b",\n", b"\n"), events.to_vec())),
    lines("plain/concatenated", |events| Wrapped::exact(events.concat(), events.to_vec())),
    lines("plain/record-separators", |events| {
        Wrapped::exact(each(events, |_, line| [b"\x1e", line].concat()), events.to_vec())
    }),
    lines("plain/byte-order-mark", |events| {
        Wrapped::exact([b"\xef\xbb\xbf".to_vec(), list(events, b"", b"\n", b"\n")].concat(), events.to_vec())
    }),
    lines("plain/windows", |events| Wrapped::exact(list(events, b"", b"\r\n", b"\r\n"), events.to_vec())),
    lines("plain/blank-lines", |events| Wrapped::exact(list(events, b"\n\n", b"\n  \n\n", b"\n\n"), events.to_vec())),
    lines("plain/yaml-markers", |events| Wrapped::exact(list(events, b"---\n", b"\n---\n", b"\n"), events.to_vec())),
    lines("plain/nul-blocks", nul_blocks),
    lines("plain/utf16-little", |events| utf16(events, u16::to_le_bytes)),
    lines("plain/utf16-big", |events| utf16(events, u16::to_be_bytes)),
];

/// All events between these bytes.
fn list(events: &[Line], before: &[u8], between: &[u8], behind: &[u8]) -> Vec<u8> {
    [before, &events.join(between), behind].concat()
}

/// An event as an item of a list has neither kind nor version.
fn item(line: &[u8]) -> Line {
    let head = br#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","#;
    [b"{", line.strip_prefix(head).expect("an event of v1")].concat()
}

/// What the webhook backend posts, with as many items as there happened to be.
fn webhook(events: &[Line], between: &str) -> Wrapped {
    let items: Vec<Line> = events.iter().map(|line| item(line)).collect();
    let mut log = Vec::new();
    for items in items.chunks(20) {
        log.extend_from_slice(br#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#);
        log.extend(items.join(&b","[..]));
        log.extend([b"]}", between.as_bytes()].concat());
    }
    Wrapped { kept: Kept::Members, ..Wrapped::exact(log, items) }
}

fn webhook_pretty(events: &[Line]) -> Wrapped {
    let items: Vec<Line> = events.iter().map(|line| item(line)).collect();
    let mut log = String::new();
    for items in items.chunks(20) {
        let items: Vec<_> = items.iter().map(|item| value(item)).collect();
        let list = serde_json::json!({
            "kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items,
        });
        log += &(pretty(&list, 4) + "\n");
    }
    let items = texts(&items);
    Wrapped { kept: Kept::Members, ..Wrapped::exact(log.into_bytes(), items) }
}

/// Read and printed again, which keeps values but not the spelling.
fn printed(events: &[Line], print: impl Fn(&serde_json::Value) -> String) -> Wrapped {
    let log: String = events.iter().map(|line| print(&value(line))).collect();
    Wrapped::exact(log.into_bytes(), texts(events)).kept(Kept::Values)
}

fn array_pretty(events: &[Line]) -> Wrapped {
    let values: serde_json::Value = events.iter().map(|line| value(line)).collect();
    Wrapped::exact((pretty(&values, 2) + "\n").into_bytes(), texts(events)).kept(Kept::Values)
}

/// As `copytruncate` leaves them: one block at the beginning and some in the middle.
fn nul_blocks(events: &[Line]) -> Wrapped {
    let mut log = vec![0; 70_000];
    for (index, line) in events.iter().enumerate() {
        log.extend_from_slice(line);
        log.push(b'\n');
        if index % 50 == 7 {
            log.extend(std::iter::repeat_n(0, 4096 + index));
        }
    }
    Wrapped::exact(log, events.to_vec())
}

/// With a byte order mark, as some shells redirect.
fn utf16(events: &[Line], bytes: fn(u16) -> [u8; 2]) -> Wrapped {
    let mut log = bytes(0xfeff).to_vec();
    for line in events {
        log.extend(text(line).encode_utf16().flat_map(bytes));
        log.extend([u16::from(b'\r'), u16::from(b'\n')].into_iter().flat_map(bytes));
    }
    Wrapped::exact(log, texts(events))
}
