//! What each change changed: an object's versions, one after each request, compared.
//!
//! Bodies are unpacked one request at a time, and of two neighbours only the difference is kept, so the
//! memory this takes follows what is shown.

use std::sync::Arc;

use serde_json::Value;

use super::act::{Act, ObjectKey};
use super::bodies::Body;
use super::story::{Story, Told};
use crate::event::Timestamp;
use crate::object::replay::{Replay, Source, Step, Version};
use crate::object::{Change, DiffOptions, Path, diff, secret};

/// What is compared.
#[derive(Clone, Debug, Default)]
pub struct Compare {
    /// Whether every difference is kept, or only one line about it.
    pub differences: bool,
    /// Only changes of this field.
    pub field: Option<Path>,
    /// Whether changes of `metadata.managedFields` are told.
    pub managed_fields: bool,
    /// Whether the contents of Secrets are.
    pub secrets: bool,
}

/// What is known of a change by comparing.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Where the version after it comes from.
    pub source: Source,
    /// What changed; none if that cannot be told.
    pub changes: Option<Vec<Change>>,
    /// Why it cannot be told.
    pub why: Option<String>,
}

/// An object as it stood at some moment.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Which object.
    pub key: ObjectKey,
    /// The object, unless it was not there or is not known.
    pub object: Option<Arc<Value>>,
    /// Whether it was gone.
    pub gone: bool,
    /// Where that is known from.
    pub source: Source,
    /// The request it stood so after; none before the first.
    pub after: Option<Act>,
}

/// So many bytes of bodies of one object are compared though nobody asked for differences.
pub(super) const UNASKED: usize = 64 << 20;

/// So many bytes of objects are made from patches then: each takes time by the size of the object.
const UNASKED_WORK: usize = 256 << 20;

impl Story {
    /// Compares each version with the one before.
    pub fn compare(&mut self, options: &Compare) {
        let bodies: usize = self.changes.iter().map(Told::body_bytes).sum();
        let asked = options.differences || options.field.is_some();
        let kept = |told: &Told| [&told.change.request, &told.change.response].into_iter().flatten().all(Body::is_kept);
        if bodies == 0 || !self.changes.iter().all(kept) || !asked && (bodies > UNASKED || self.work() > UNASKED_WORK) {
            return;
        }
        let mut replay = Replay::new(&self.key.group, &self.key.resource);
        let mut before = replay.version();
        for told in &mut self.changes {
            let Some(step) = told.step() else { continue };
            let after = replay.step(&step);
            if told.act.succeeded() && is_write(&told.act) {
                told.compared(&self.key.resource, &before, &after, options);
            }
            // It is of no use any more, and a log may hold many.
            told.change.request = told.change.request.take().map(Body::left);
            told.change.response = told.change.response.take().map(Body::left);
            before = after;
        }
    }

    /// How many bytes of objects a comparison goes through: a patch of a few bytes takes as long as its object.
    fn work(&self) -> usize {
        let mut object = 0;
        let of_step = |told: &Told| {
            let bytes = told.body_bytes();
            object = if bytes > object / 2 { bytes } else { object };
            if bytes == 0 { 0 } else { object }
        };
        self.changes.iter().map(of_step).sum()
    }

    /// Leaves only changes of the field that was asked for; gives how many could not be compared.
    pub fn keep_field(&mut self) -> usize {
        let unknown = |told: &Told| {
            let tells = matches!(&*told.act.verb, "create" | "update" | "patch");
            tells && told.act.succeeded() && told.compared.as_ref().is_none_or(|compared| compared.changes.is_none())
        };
        let count = self.changes.iter().filter(|told| unknown(told) && &*told.act.subresource != "status").count();
        let changes = |told: &Told| {
            let changes = told.compared.as_ref().and_then(|compared| compared.changes.as_deref());
            changes.is_some_and(|changes| !changes.is_empty())
        };
        self.changes.retain(changes);
        count
    }

    /// The object as it stood at a moment.
    pub fn standing(&self, at: Timestamp, secrets: bool, managed_fields: bool) -> Standing {
        let mut replay = Replay::new(&self.key.group, &self.key.resource);
        let mut after = None;
        for told in self.changes.iter().take_while(|told| told.act.time.is_none_or(|time| time <= at)) {
            let Some(step) = told.step() else { continue };
            replay.step(&step);
            if told.act.succeeded() && is_write(&told.act) {
                after = Some(told.act.clone());
            }
        }
        let version = replay.version();
        let object = version.object.filter(|_| !version.gone).map(|object| {
            let mut object = (*object).clone();
            if !secrets {
                secret::mask(&mut object, &self.key.resource);
            }
            if !managed_fields && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.shift_remove("managedFields");
            }
            Arc::new(object)
        });
        Standing { key: self.key.clone(), object, gone: version.gone, source: version.source, after }
    }
}

fn is_write(act: &Act) -> bool {
    matches!(&*act.verb, "create" | "update" | "patch" | "delete" | "deletecollection")
}

impl Told {
    fn body_bytes(&self) -> usize {
        [&self.change.request, &self.change.response].into_iter().flatten().map(Body::len).sum()
    }

    /// The request as a step of the object's way; none if it may not have been about it.
    fn step(&self) -> Option<Step> {
        let (act, change) = (&self.act, &self.change);
        let collection = &*act.verb == "deletecollection";
        if collection && change.items.is_none() {
            return None;
        }
        let value = |body: &Option<Body>| serde_json::from_slice(&body.as_ref()?.bytes()?).ok();
        Some(Step {
            verb: if collection { "delete".to_owned() } else { act.verb.to_string() },
            subresource: act.subresource.to_string(),
            code: act.code,
            request: value(&change.request),
            response: if collection { None } else { value(&change.response) },
            manager: change.user_agent.split('/').next().filter(|name| !name.is_empty()).map(str::to_owned),
            uri_query: change.uri.to_string(),
            time: act.time.map(|time| time.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        })
    }

    /// Notes what changed from one version to the next.
    fn compared(&mut self, resource: &str, before: &Version, after: &Version, options: &Compare) {
        let ends = matches!(&*self.act.verb, "delete" | "deletecollection") || &*self.act.subresource == "eviction";
        let known = |version: &Version| version.object.clone().filter(|_| !version.gone);
        let both = match (known(before), known(after)) {
            (_, Some(after)) if self.act.is_new() => Some((Arc::new(Value::Null), after)),
            (Some(before), Some(after)) => Some((before, after)),
            _ => None,
        };
        let mut changes = both.map(|(before, after)| {
            let options = DiffOptions { managed_fields: options.managed_fields, ..DiffOptions::default() };
            let before = if before.is_null() { empty_like(&after) } else { before };
            diff(resource, &before, &after, &options)
        });
        let why = match (&changes, &after.source) {
            (Some(_), _) => None,
            (None, _) if ends || after.gone => None,
            (None, Source::Unknown { why }) => Some(why.clone()),
            (None, _) => Some("what it was before is not in the log".to_owned()),
        };
        if let (Some(field), Some(changes)) = (&options.field, &mut changes) {
            changes.retain(|change| Path::parse(&change.path).is_ok_and(|path| path.touches(field)));
            narrow(field, changes);
        }
        if let Some(changes) = &mut changes
            && !options.secrets
        {
            secret::mask_changes(changes, resource);
        }
        if let Some(line) = changes.as_deref().and_then(|changes| self.line(resource, changes)) {
            self.what = line;
        }
        changes.iter_mut().for_each(Vec::shrink_to_fit);
        if options.differences || options.field.is_some() {
            self.compared = Some(Compared { source: after.source.clone(), changes, why });
        }
    }

    /// One line about what changed, if that says more than is said already.
    fn line(&self, resource: &str, changes: &[Change]) -> Option<String> {
        let plain = matches!((&*self.act.verb, &*self.act.subresource), ("update" | "patch", "" | "scale"));
        if !plain || self.act.is_new() || self.change.terminating {
            return None;
        }
        let told: Vec<&Change> = changes.iter().filter(|change| !change.path.starts_with("status")).collect();
        Some(match told.as_slice() {
            [] if changes.is_empty() => "changed nothing".to_owned(),
            [] => return None,
            [one] => change_line(one, resource),
            [one, other] => format!("{}, {}", change_line(one, resource), change_line(other, resource)),
            [one, rest @ ..] => format!("{} and {} more fields", change_line(one, resource), rest.len()),
        })
    }
}

/// What a new object is compared with: what names it is told by the request itself.
fn empty_like(after: &Value) -> Arc<Value> {
    let mut empty = serde_json::Map::new();
    for name in ["kind", "apiVersion"] {
        if let Some(value) = after.get(name) {
            empty.insert(name.to_owned(), value.clone());
        }
    }
    let named = |name: &str| after.get("metadata").and_then(|metadata| metadata.get(name)).cloned();
    let metadata = ["name", "namespace"].into_iter().filter_map(|name| Some((name.to_owned(), named(name)?)));
    empty.insert("metadata".to_owned(), Value::Object(metadata.collect()));
    Arc::new(Value::Object(empty))
}

/// Where more than the field was added or taken away, leaves the field.
fn narrow(field: &Path, changes: &mut Vec<Change>) {
    changes.retain_mut(|change| {
        let Ok(path) = Path::parse(&change.path) else { return true };
        let below = field.segments().get(path.segments().len()..).unwrap_or_default();
        let Some(rest) = (!below.is_empty()).then(|| field.below(&path)).flatten() else { return true };
        let part =
            |value: &Option<Value>| value.as_ref().and_then(|value| rest.values(value).first().map(|v| (*v).clone()));
        (change.before, change.after) = (part(&change.before), part(&change.after));
        change.path = field.to_string();
        change.before != change.after
    });
}

/// `spec.replicas 3 → 5`, `metadata.labels.team added`, `spec.paused removed`.
fn change_line(change: &Change, resource: &str) -> String {
    let path = change.path.strip_prefix("spec.template.spec.").unwrap_or(&change.path);
    let hidden = secret::has_secrets(resource);
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => match (short(before), short(after)) {
            (Some(before), Some(after)) if !hidden => format!("{path} {before} → {after}"),
            _ => format!("{path} changed"),
        },
        (None, Some(after)) => match short(after).filter(|_| !hidden) {
            Some(after) => format!("{path} {after} added"),
            None => format!("{path} added"),
        },
        _ => format!("{path} removed"),
    }
}

/// A value that fits into a line.
fn short(value: &Value) -> Option<String> {
    const CHARS: usize = 60;
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(_) | Value::Array(_) => return None,
        other => other.to_string(),
    };
    (text.chars().count() <= CHARS).then_some(text)
}
