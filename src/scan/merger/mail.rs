//! What the merger tells threads.

use std::sync::Mutex;

use crate::aggregate::{Measured, Question, Slot};
use crate::scan::lock;

/// What the merger tells a thread about requests it observed: they were repeats, or they count. The thread reads it
/// after every chunk, so it never grows long.
#[derive(Default)]
pub(in crate::scan) struct Mailbox(Mutex<Mail>);

#[derive(Default)]
struct Mail {
    repeats: Vec<Slot>,
    settled: Vec<Vec<Measured>>,
}

impl Mailbox {
    /// This request was a repeat.
    pub(super) fn repeat(&self, slot: Slot) {
        lock(&self.0).repeats.push(slot);
    }

    /// These requests count.
    pub(super) fn settled(&self, requests: Vec<Measured>) {
        lock(&self.0).settled.push(requests);
    }

    /// Counts what counts, and gives one of the lists it stood in, to be written again.
    pub(in crate::scan) fn open<Q: Question>(&self, question: &Q, partial: &mut Q::Partial) -> Vec<Measured> {
        let Mail { repeats, mut settled } = std::mem::take(&mut *lock(&self.0));
        for slot in repeats {
            question.retract(partial, slot);
        }
        for requests in &settled {
            question.count(partial, requests);
        }
        let mut spare = settled.pop().unwrap_or_default();
        spare.clear();
        spare
    }
}
