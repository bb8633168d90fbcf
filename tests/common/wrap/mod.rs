//! Wraps audit events into every envelope that logs arrive in.
//!
//! Each generator is given events as the lines an API server wrote and makes of them what a runtime, a collector or a
//! cloud service would hand out. They are written from the descriptions of those formats and never from the parser, so
//! that the two can disagree. A generator also tells what a perfect reader gets back: most envelopes keep the bytes,
//! JSON strings cost what is no UTF-8, and collectors that take an event apart keep only its values.

#![allow(dead_code, reason = "every test program uses a part of this")]

pub(crate) mod aks;
pub(crate) mod clock;
pub(crate) mod cloudwatch;
pub(crate) mod collectors;
pub(crate) mod gather;
pub(crate) mod journal;
pub(crate) mod json;
pub(crate) mod plain;
pub(crate) mod prefix;
pub(crate) mod runtime;
pub(crate) mod server;
pub(crate) mod splunk;
pub(crate) mod stores;

/// One event as the server wrote it, without the line feed.
pub(crate) type Line = Vec<u8>;

/// How much of an event an envelope keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The event comes back byte for byte.
    Bytes,
    /// It comes back with the same members and values.
    Values,
    /// It comes back with these members and values, perhaps with others of the collector's own.
    Members,
}

/// Events in an envelope.
pub(crate) struct Wrapped {
    /// File names and contents, in the order in which they were written; most envelopes are one file.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// What a perfect reader gets back, one line per event.
    pub(crate) expected: Vec<Line>,
    /// How exactly.
    pub(crate) kept: Kept,
    /// Whether every byte is in order, so that nothing may count as damaged.
    pub(crate) sound: bool,
    /// Whether the order of files says nothing about the order of events.
    pub(crate) shuffled: bool,
}

impl Wrapped {
    /// One file whose reader gets exactly these lines back.
    pub(crate) fn exact(content: Vec<u8>, expected: Vec<Line>) -> Self {
        let files = vec![("log".to_owned(), content)];
        Wrapped { files, expected, kept: Kept::Bytes, sound: true, shuffled: false }
    }

    /// The same, but only so much is kept.
    pub(crate) fn kept(self, kept: Kept) -> Self {
        Wrapped { kept, ..self }
    }

    /// The same, but the input is broken off, so that something may be told as damaged.
    pub(crate) fn cut(self) -> Self {
        Wrapped { sound: false, ..self }
    }

    /// All files one behind the other, as `zcat -f` gives them.
    pub(crate) fn joined(&self) -> Vec<u8> {
        match &self.files[..] {
            [(_, content)] => content.clone(),
            files => files.iter().flat_map(|(_, content)| crate::common::unzipped(content)).collect(),
        }
    }
}

/// A kind of envelope.
#[derive(Clone, Copy)]
pub(crate) struct Envelope {
    /// Its family and name, such as `cri/rotated`.
    pub(crate) name: &'static str,
    /// How many events one damaged byte may cost: those of one record.
    pub(crate) unit: usize,
    /// Its generator.
    pub(crate) wrap: fn(&[Line]) -> Wrapped,
}

/// An envelope of lines, each of which has one event.
pub(crate) const fn lines(name: &'static str, wrap: fn(&[Line]) -> Wrapped) -> Envelope {
    // A damaged line feed costs two lines.
    Envelope { name, unit: 2, wrap }
}

/// An envelope whose records hold this many events at most.
pub(crate) const fn batches(name: &'static str, unit: usize, wrap: fn(&[Line]) -> Wrapped) -> Envelope {
    Envelope { name, unit: 2 * unit, wrap }
}

/// Every envelope there is a generator for.
pub(crate) fn envelopes() -> Vec<Envelope> {
    [
        prefix::ENVELOPES,
        runtime::ENVELOPES,
        journal::ENVELOPES,
        cloudwatch::ENVELOPES,
        aks::ENVELOPES,
        splunk::ENVELOPES,
        stores::ENVELOPES,
        collectors::ENVELOPES,
        plain::ENVELOPES,
        gather::ENVELOPES,
    ]
    .concat()
}

/// The envelopes of a family: those whose name begins with it and a slash.
pub(crate) fn family(name: &str) -> Vec<Envelope> {
    let found: Vec<Envelope> = envelopes().into_iter().filter(|e| e.name.split('/').next() == Some(name)).collect();
    assert!(!found.is_empty(), "no envelope is of family {name}");
    found
}
