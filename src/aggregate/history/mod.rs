//! One object's life: every change with its author, what brought it about and what ended it.
//!
//! One pass notes two things. Requests about the objects in question are kept with their bodies
//! (`bodies`), because what changed can only be told when all are in order. Of everything else,
//! writes that can be the reason for a change, deletions, evictions, and writes to what owns other
//! objects, are noted without bodies (`act`): memory follows their number, some 200 bytes each.
//! [`Notes`] joins both; `story` puts them in order and cuts them into lives, `cause` follows each
//! end and beginning back to whoever started it, `what` says of each change what it was, and `compare`
//! finds by the bodies what it changed.

mod act;
mod bodies;
mod cause;
mod compare;
mod note;
mod owners;
mod story;
mod what;
mod world;

pub use act::{Act, Name, ObjectKey};
pub use bodies::Wanted;
pub use cause::{Cause, Certainty, Kind, Link, Part};
pub use compare::{Compare, Compared, Standing};
pub use note::Change;
pub use story::{Life, Stories, Story, Told};

use act::Names;
use bodies::Packer;

use std::sync::Arc;

use super::notes::Notes;
use super::{Amendment, Question, Seen, Slot};
use crate::event::{Event, ObjectReference, Text};
use crate::query::{Filter, Objects};

/// The question: what happened to these objects?
pub struct History {
    /// The objects.
    pub objects: Objects,
    /// Where they live.
    pub place: Filter,
    /// What is read at all: sources.
    pub span: Filter,
    /// Which changes are shown.
    pub shown: Filter,
    /// Whether requests that change nothing are part of it.
    pub reads: bool,
    /// Whether all bodies are wanted, or only as many as are compared without being asked for.
    pub bodies: Wanted,
}

/// What was noted so far: a partial answer.
#[derive(Default)]
pub struct HistoryPartial {
    notes: Notes<Note>,
    names: Names,
    packer: Packer,
}

/// One request that matters.
pub(super) struct Note {
    act: Act,
    /// What else is known of it, if it is about one of the objects.
    change: Option<Box<Change>>,
}

impl Note {
    /// Of what a deleted collection held, leaves what is asked for.
    fn keep_items(&mut self, asked: impl Fn(&str) -> bool) {
        if let Some(items) = self.change.as_mut().and_then(|change| change.items.as_mut()) {
            Arc::make_mut(items).retain(|name| asked(name));
        }
    }
}

impl HistoryPartial {
    /// Everything that was noted, told in order.
    pub fn finish(self) -> Stories {
        Stories::new(self.notes.finish())
    }
}

impl History {
    /// The object's name, where the request is about one that is asked for.
    fn sought<'a>(&self, event: &Event<'a>, object: &ObjectReference<'a>) -> Option<Text<'a>> {
        if !self.objects.has_type(object) || !self.place.matches(event) {
            return None;
        }
        let collection = event.verb.is_some_and(|verb| verb.raw() == b"deletecollection");
        if collection {
            return Some(Text::plain(b""));
        }
        let name = note::name(event, object)?;
        self.objects.has(object, name).then_some(name)
    }

    fn is_context(&self, event: &Event<'_>, object: &ObjectReference<'_>) -> bool {
        note::may_be_a_cause(event, object)
            && (object.namespace.is_none_or(|namespace| namespace.is_empty())
                || object.resource.is_some_and(|resource| resource.raw() == b"namespaces")
                || self.place.matches(event))
    }
}

impl Question for History {
    type Partial = HistoryPartial;

    const IN_ORDER: bool = false;

    fn empty(&self) -> HistoryPartial {
        HistoryPartial::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.span)
    }

    fn observe(&self, partial: &mut HistoryPartial, seen: &Seen<'_, '_>) -> Slot {
        let event = seen.event;
        let Some(object) = event.object_ref else { return Slot::NONE };
        // The verb decides most of a log, and costs nothing.
        if !note::is_write(event) && !self.reads || !seen.matches(&self.span) {
            return Slot::NONE;
        }
        if let Some(name) = self.sought(event, &object)
            && (self.reads || note::changes_something(&object))
        {
            let mut note = partial.change(seen, &object, name, seen.matches(&self.shown), &self.bodies);
            note.keep_items(|name| self.objects.has(&object, Text::plain(name.as_bytes())));
            return partial.notes.push(seen.position, note);
        }
        if !note::is_write(event) || !self.is_context(event, &object) {
            return Slot::NONE;
        }
        match partial.context(event, &object) {
            Some(note) => partial.notes.push(seen.position, note),
            None => Slot::NONE,
        }
    }

    fn amend(&self, _: &mut HistoryPartial, _: Slot, _: Amendment) {}

    fn retract(&self, partial: &mut HistoryPartial, slot: Slot) {
        partial.notes.drop(slot);
    }

    fn merge(&self, into: &mut HistoryPartial, from: HistoryPartial) {
        into.notes.merge(from.notes);
    }
}
