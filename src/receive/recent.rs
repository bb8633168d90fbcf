//! Which events were written lately, so that a batch that is sent again adds nothing.
//!
//! The API server sends a batch again, byte for byte, when it saw no answer: after a timeout, a lost
//! connection, or a receiver that was killed between writing and answering. An event is known by the
//! hash of its line, not by its audit id and stage: clients choose audit ids, and two events that
//! share both are both kept. Events are remembered rather than batches, because after a kill the log
//! is all that is left, and the log has lines; a batch of which only a part was written is then made
//! whole by writing the other part.

use hashbrown::HashSet;

use crate::hash::AsIs;

/// What a line is known by.
pub(super) type Key = u128;

/// How many events one generation holds: what fits a table of 2^20 places, 18 MB.
///
/// Between two attempts of the API server lie at most its timeout of 30 s and a pause of 41 s.
/// A generation covers that up to 12,000 events a second.
pub(super) const GENERATION: usize = (1 << 20) / 8 * 7;

/// The last events, at least [`GENERATION`] of them and at most twice as many.
#[derive(Default)]
pub(super) struct Recent {
    current: HashSet<Key, AsIs>,
    previous: HashSet<Key, AsIs>,
}

impl Recent {
    /// Whether the event was written lately.
    pub(super) fn contains(&self, key: Key) -> bool {
        self.current.contains(&key) || self.previous.contains(&key)
    }

    /// Remembers an event from now on, one seen before as well: it may come a third time.
    pub(super) fn insert(&mut self, key: Key) {
        if self.current.len() >= GENERATION {
            std::mem::swap(&mut self.current, &mut self.previous);
            self.current.clear();
        }
        self.current.insert(key);
    }

    /// Forgets events that were not written after all.
    pub(super) fn forget(&mut self, keys: &[Key]) {
        for key in keys {
            self.current.remove(key);
            self.previous.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(number: usize) -> Key {
        super::super::list::key(&number.to_le_bytes())
    }

    #[test]
    fn a_generation_at_least_is_remembered_and_two_at_most() {
        let mut recent = Recent::default();
        let last = GENERATION * 2 + GENERATION / 2;
        (0..last).for_each(|number| recent.insert(spread(number)));
        assert!((last - GENERATION..last).all(|number| recent.contains(spread(number))));
        assert!((0..last - 2 * GENERATION).all(|number| !recent.contains(spread(number))));
    }

    #[test]
    fn what_was_not_written_is_forgotten() {
        let mut recent = Recent::default();
        (0..10).for_each(|number| recent.insert(spread(number)));
        recent.forget(&[spread(3)]);
        assert!(!recent.contains(spread(3)) && recent.contains(spread(4)));
    }
}
