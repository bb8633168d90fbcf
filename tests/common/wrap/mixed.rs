//! All envelopes in one file: formats change where a log is moved from one tool to the next, and in the middle of it.

use super::{Envelope, Kept, Line, Wrapped, batches, envelopes};

pub(crate) const ENVELOPES: &[Envelope] = &[batches("mixed/all", usize::MAX / 2, mixed)];

/// Files that cannot stand in the middle of another: archives, other encodings, what is broken off, and this.
fn stands_in_a_stream(name: &str) -> bool {
    let apart = ["mixed/", "gather/", "plain/utf16", "plain/array-unclosed", "plain/byte-order", "cri/rotated"];
    !apart.iter().any(|apart| name.starts_with(apart)) && !name.ends_with("gzip-members")
}

/// A few events in each, one after the other.
fn mixed(events: &[Line]) -> Wrapped {
    let kinds: Vec<Envelope> = envelopes().into_iter().filter(|kind| stands_in_a_stream(kind.name)).collect();
    let each = events.len().div_ceil(kinds.len()).max(1);
    let (mut log, mut expected) = (Vec::new(), Vec::new());
    for (kind, events) in kinds.iter().zip(events.chunks(each)) {
        let wrapped = (kind.wrap)(events);
        log.extend(wrapped.joined());
        log.push(b'\n');
        expected.extend(wrapped.expected);
    }
    Wrapped::exact(log, expected).kept(Kept::Members)
}
