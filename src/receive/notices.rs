//! What is said while the receiver runs, without flooding standard error: of each kind the first
//! time, then the tenth, the hundredth and so on, with the count.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::render::sink::Sink;

/// Kinds of notices.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A body was no list.
    Body,
    /// A request had no right to be here.
    Denied,
    /// A TLS handshake failed.
    Handshake,
    /// A batch could not be written.
    Write,
    /// A file could not be rotated, compressed or deleted.
    Rotation,
    /// A connection could not be taken.
    Accept,
}

/// Counts by kind, and how the writing goes.
#[derive(Default)]
pub(super) struct Notices {
    counts: [AtomicU64; 6],
    sick: AtomicBool,
}

impl Notices {
    /// Says something, if it is time to; `text` is given how often it has happened.
    pub(super) fn say(&self, kind: Kind, text: impl FnOnce(u64) -> String) {
        let times = self.counts[kind as usize].fetch_add(1, Ordering::Relaxed) + 1;
        if is_told(times) {
            tell(&text(times));
        }
    }

    /// How often something of this kind happened.
    pub(super) fn count(&self, kind: Kind) -> u64 {
        self.counts[kind as usize].load(Ordering::Relaxed)
    }

    /// Remembers whether the last batch could be written.
    pub(super) fn healthy(&self, well: bool) {
        self.sick.store(!well, Ordering::Relaxed);
    }

    /// Whether the last batch could be written.
    pub(super) fn is_healthy(&self) -> bool {
        !self.sick.load(Ordering::Relaxed)
    }
}

/// Says something whatever was said before.
pub(super) fn tell(text: &str) {
    let _ = Sink::messages().write(text.as_bytes());
}

const fn is_told(mut times: u64) -> bool {
    while times >= 10 && times.is_multiple_of(10) {
        times /= 10;
    }
    times == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten_are_told() {
        let told: Vec<u64> = (1..=1000).filter(|&times| is_told(times)).collect();
        assert_eq!(told, [1, 10, 100, 1000]);
    }
}
