//! An object's versions, one after each recorded request.
//!
//! Where the response holds the object, that is the version. Where it does not, the version is made from what
//! was sent: a body put in whole, a patch applied to the version before. What the API server fills in by itself
//! (defaults, timestamps, what admission changed) is then missing, and [`Source`] says how the version came
//! about. Where too little was recorded the version is unknown until the next one that was recorded.
//!
//! What a request asks and answers is read in `step`; `reconstruct` makes versions from what was sent, `deletion`
//! tells what a deletion leaves, and `managers` keeps account of who wants which fields.

mod deletion;
mod managers;
mod reconstruct;
mod step;

use std::sync::Arc;

use serde_json::{Map, Value};

use self::deletion::is_finished;
use self::reconstruct::with_recorded_metadata;
pub use self::step::Step;
use super::schema;
use crate::event::parameter;

/// Where a version comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// It was in the log.
    Recorded,
    /// It was made from what was sent.
    Reconstructed {
        /// How, as the end of a sentence: `merge patch applied to the version before`.
        how: String,
    },
    /// Nobody knows.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// The object after a request.
#[derive(Clone, Debug)]
pub struct Version {
    /// The object, if it is known and there is one.
    pub object: Option<Arc<Value>>,
    /// Whether it is no longer there. The last version of an object whose last finalizer was removed is `gone`
    /// and known.
    pub gone: bool,
    /// Where the version comes from. A request that changed nothing leaves it as it was.
    pub source: Source,
}

/// The versions of an object of `resource` in `group` after each of its requests.
pub fn replay(group: &str, resource: &str, steps: &[Step]) -> Vec<Version> {
    let mut replay = Replay::new(group, resource);
    steps.iter().map(|step| replay.step(step)).collect()
}

/// An object that requests happen to, one after the other.
#[derive(Clone, Debug)]
pub struct Replay {
    group: String,
    resource: String,
    object: Option<Arc<Value>>,
    gone: bool,
    source: Source,
    /// `managedFields` as far as they are known: an apply takes away what its manager wanted before.
    managed: Option<Vec<Value>>,
    /// Whether somebody wrote fields since, and nothing says which; every field may be theirs.
    shared: bool,
    /// Whether that was so before some apply.
    vague: bool,
    /// Whether its status was written apart, so that other requests leave it alone.
    has_status: bool,
}

/// What a request did to the object.
enum Effect {
    None,
    /// It is now this.
    Is(Value, String),
    Unknown(String),
}

impl Replay {
    /// An object of which nothing is known yet.
    pub fn new(group: &str, resource: &str) -> Replay {
        Replay {
            group: group.to_owned(),
            resource: resource.to_owned(),
            object: None,
            gone: false,
            source: Source::Unknown { why: "nothing of the object was recorded before".to_owned() },
            managed: None,
            shared: false,
            vague: false,
            has_status: schema::is_built_in(group),
        }
    }

    /// The object after one more request.
    pub fn step(&mut self, step: &Step) -> Version {
        if step.code.is_some_and(|code| !(200..300).contains(&code)) || step.is_dry_run() {
            return self.version();
        }
        if step.code.is_none() {
            self.unanswered(step);
            return self.version();
        }
        if self.shared && parameter(&step.uri_query, "fieldManager").is_some() && step.verb == "patch" {
            self.shared = false;
            self.share();
        }
        self.has_status |= step.subresource == "status" && step.changes();
        if step.is_deletion() {
            self.delete(step);
        } else if let Some(object) = step.recorded() {
            self.note_managers(step, Some(object));
            self.put(object.clone(), Source::Recorded);
        } else {
            let effect = with_recorded_metadata(self.effect(step), step);
            self.note_managers(step, None);
            self.take(effect);
        }
        self.version()
    }

    /// The object as it is now.
    pub fn version(&self) -> Version {
        Version { object: self.object.clone(), gone: self.gone, source: self.source.clone() }
    }

    fn unanswered(&mut self, step: &Step) {
        if step.may_change() && !(self.gone && step.is_deletion()) {
            self.managed = None;
            self.take(Effect::Unknown("a request has no answer in the log; it may have changed the object".to_owned()));
        }
    }

    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::None => {}
            Effect::Is(object, how) => self.put(without_server_fields(object), Source::Reconstructed { how }),
            Effect::Unknown(why) => {
                (self.object, self.gone, self.source) = (None, false, Source::Unknown { why });
            }
        }
    }

    fn put(&mut self, object: Value, source: Source) {
        self.gone = is_finished(&object);
        self.object = Some(Arc::new(object));
        self.source = source;
    }

    fn end(&mut self, source: Source) {
        (self.object, self.gone, self.source, self.managed) = (None, true, source, None);
    }

    fn current(&self) -> Option<&Value> {
        self.object.as_deref().filter(|_| !self.gone)
    }
}

fn metadata_mut(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.get_mut("metadata")?.as_object_mut()
}

/// The same object with this member, or without it.
fn with_member(object: &Value, name: &str, value: Option<&Value>) -> Value {
    let mut members = object.as_object().cloned().unwrap_or_default();
    match value {
        Some(value) => {
            members.insert(name.to_owned(), value.clone());
        }
        None => {
            members.shift_remove(name);
        }
    }
    Value::Object(members)
}

/// What a reconstruction cannot know: the server counts these with every change.
fn without_server_fields(mut object: Value) -> Value {
    if let Some(metadata) = metadata_mut(&mut object) {
        metadata.retain(|name, _| !matches!(name.as_str(), "generation" | "managedFields" | "resourceVersion"));
    }
    object
}

#[cfg(test)]
mod tests;
