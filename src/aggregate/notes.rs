//! What is worth noting about single requests, kept until all are known.
//!
//! Questions about objects, sessions and incidents need a few facts of each request that matters,
//! side by side. [`Noting`] collects them in any order; [`Notes::finish`] gives them in the order of
//! the input, without repeats. Memory follows what is noted, so a note holds what is needed and no more.

use super::{Amendment, Position, Question, Seen, Slot};
use crate::query::Filter;

/// Takes a note of a request, if it is worth one.
pub type TakeNote<'q, T> = dyn Fn(&Seen<'_, '_>) -> Option<T> + Sync + 'q;

/// The question: what is there to note about the requests that match.
pub struct Noting<'q, T> {
    /// Which requests it is about.
    pub filter: Filter,
    /// What is noted of one.
    pub note: &'q TakeNote<'q, T>,
}

/// Notes of single requests: a partial answer.
#[derive(Clone, Debug)]
pub struct Notes<T> {
    notes: Vec<(Position, Option<T>)>,
}

impl<T> Default for Notes<T> {
    fn default() -> Self {
        Notes { notes: Vec::new() }
    }
}

impl<T> Notes<T> {
    /// Keeps a note about the request whose record stands at `position`.
    pub fn push(&mut self, position: Position, note: T) -> Slot {
        self.notes.push((position, Some(note)));
        Slot(self.notes.len() as u32 - 1)
    }

    /// Drops a note: its request repeats an earlier one.
    pub fn drop(&mut self, slot: Slot) {
        if let Some((_, note)) = self.notes.get_mut(slot.0 as usize) {
            *note = None;
        }
    }

    /// Adds the notes of another partial.
    pub fn merge(&mut self, from: Notes<T>) {
        self.notes.extend(from.notes);
    }

    /// The notes in the order of the input.
    pub fn finish(mut self) -> Vec<(Position, T)> {
        // Stable: notes on one record keep the order they were taken in, by one thread.
        self.notes.sort_by_key(|(position, _)| *position);
        self.notes.into_iter().filter_map(|(position, note)| Some((position, note?))).collect()
    }
}

impl<T: Send> Question for Noting<'_, T> {
    type Partial = Notes<T>;

    const IN_ORDER: bool = false;

    fn empty(&self) -> Notes<T> {
        Notes::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut Notes<T>, seen: &Seen<'_, '_>) -> Slot {
        if !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        (self.note)(seen).map_or(Slot::NONE, |note| partial.push(seen.position, note))
    }

    fn amend(&self, _: &mut Notes<T>, _: Slot, _: Amendment) {}

    fn retract(&self, partial: &mut Notes<T>, slot: Slot) {
        partial.drop(slot);
    }

    fn merge(&self, into: &mut Notes<T>, from: Notes<T>) {
        into.merge(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Position {
        Position { source: 0, offset }
    }

    #[test]
    fn notes_come_in_the_order_of_the_input_without_repeats() {
        let mut one = Notes::default();
        one.push(at(30), "c");
        let repeat = one.push(at(40), "d");
        let mut other = Notes::default();
        other.push(at(10), "a");
        other.push(at(30), "b");
        one.drop(repeat);
        one.drop(Slot::NONE);
        one.merge(other);
        let texts: Vec<&str> = one.finish().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["a", "c", "b"]);
    }
}
