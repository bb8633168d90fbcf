//! An object's versions, one after each recorded request.
//!
//! Where the response holds the object, that is the version. Where it does not, the version is made from what
//! was sent: a body put in whole, a patch applied to the version before. What the API server fills in by itself
//! (defaults, timestamps, what admission changed) is then missing, and [`Source`] says how the version came
//! about. Where too little was recorded the version is unknown until the next one that was recorded.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::patch::{self, Fields, Patch, PatchKind, Types, patch_kind};
use super::schema;
use crate::event::parameter;

/// One request on the object, in the order of the log.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The verb of the event: `create`, `patch`.
    pub verb: String,
    /// The subresource of the event (`status`), empty for the object itself.
    pub subresource: String,
    /// The status code of the response, if it is known.
    pub code: Option<i32>,
    /// `requestObject`.
    pub request: Option<Value>,
    /// `responseObject`.
    pub response: Option<Value>,
    /// Who manages the fields, if that is known otherwise than by `fieldManager` in the query.
    pub manager: Option<String>,
    /// The query of the request (`fieldManager=x&dryRun=All`), or its whole URI.
    pub uri_query: String,
    /// When it was, as the object would have it (`2026-03-02T10:00:00Z`).
    pub time: Option<String>,
}

impl Step {
    /// Whether the response alone tells what became of the object and of who manages which fields, so that the
    /// request need not be read.
    pub fn response_is_enough(&self) -> bool {
        let managed = |object: &Value| object.pointer("/metadata/managedFields").is_some_and(Value::is_array);
        let applies = self.verb == "patch" && parameter(&self.uri_query, "fieldManager").is_some();
        matches!(self.verb.as_str(), "update" | "patch" | "create")
            && recorded(self).is_some_and(|object| managed(object) || self.verb != "create" && !applies)
    }
}

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
        if step.code.is_some_and(|code| !(200..300).contains(&code)) || is_dry_run(step) {
            return self.version();
        }
        if step.code.is_none() {
            if may_change(step) && !(self.gone && is_deletion(step)) {
                self.managed = None;
                self.take(Effect::Unknown(
                    "a request has no answer in the log; it may have changed the object".to_owned(),
                ));
            }
            return self.version();
        }
        if self.shared && parameter(&step.uri_query, "fieldManager").is_some() && step.verb == "patch" {
            self.shared = false;
            self.share();
        }
        self.has_status |= step.subresource == "status" && changes(step);
        if is_deletion(step) {
            self.delete(step);
        } else if let Some(object) = recorded(step) {
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

    /// What a request did whose response is not the object.
    fn effect(&self, step: &Step) -> Effect {
        match (step.verb.as_str(), step.subresource.as_str()) {
            ("create", "binding") => self.bind(step),
            (_, "scale") if changes(step) => self.scale(step),
            (_, "finalize") if changes(step) => self.finalize(step),
            ("create", "") => created(step),
            ("update", "" | "status" | "approval" | "ephemeralcontainers" | "resize") => self.update(step),
            ("patch", "" | "status" | "approval" | "ephemeralcontainers" | "resize") => self.patch(step),
            // What is asked of a pod, a node or a service account leaves the object as it is.
            ("create", _) | ("get" | "list" | "watch" | "connect" | "head" | "options", _) => Effect::None,
            (verb, subresource) => Effect::Unknown(format!("what `{verb}` of `{subresource}` does is not known")),
        }
    }

    fn update(&self, step: &Step) -> Effect {
        let Some(body) = body(step).filter(|body| body.is_object()) else { return not_logged() };
        let how = "from the request; what the server filled in is missing".to_owned();
        let Some(current) = self.current() else { return Effect::Is(body.clone(), how) };
        if matches!(step.subresource.as_str(), "status" | "approval") {
            return Effect::Is(
                with_member(current, "status", body.get("status")),
                "status from the request".to_owned(),
            );
        }
        let (mut object, assumed) = self.with_status_of(body.clone(), current);
        keep_metadata(&mut object, current);
        Effect::Is(object, noted(how, assumed))
    }

    fn patch(&self, step: &Step) -> Effect {
        let Some(body) = body(step) else { return not_logged() };
        let recognised = patch_kind(body, &step.uri_query, &self.group, &self.resource);
        let name = recognised.kind.name();
        if recognised.kind == PatchKind::Apply && (step.code == Some(201) || self.gone) {
            return Effect::Is(body.clone(), format!("created by {name}; what the server filled in is missing"));
        }
        let Some(current) = self.current() else {
            return Effect::Unknown(format!("{name} of an object that was not recorded before"));
        };
        // What was made from requests alone lacks defaults, so whether elements were sent whole does not show.
        let recognised = match self.source {
            Source::Recorded => recognised.settled(body, current, &step.uri_query, &self.resource),
            _ => recognised,
        };
        let name = recognised.kind.name();
        let manager = manager(step);
        let asked = Patch {
            kind: recognised.kind,
            group: &self.group,
            resource: &self.resource,
            subresource: &step.subresource,
            manager: manager.as_deref(),
            body,
        };
        let patched = match patch::apply(&asked, &self.with_managed_fields(current, asked.kind)) {
            Ok(patched) => patched,
            Err(impossible) => return Effect::Unknown(format!("{name} could not be applied: {impossible}")),
        };
        let (object, status) = match step.subresource.as_str() {
            "status" | "approval" => (with_member(current, "status", patched.object.get("status")), None),
            _ => self.with_status_of(patched.object, current),
        };
        let notes = recognised.assumed.into_iter().chain(patched.notes.iter().map(String::as_str)).chain(status);
        let vague = (self.vague && asked.kind == PatchKind::Apply && self.managed.is_some()).then_some(
            "managedFields of other writes were not recorded, so what is no longer applied may still be shown",
        );
        let notes = notes.chain(vague);
        Effect::Is(object, noted(format!("{name} applied to the version before"), notes))
    }

    /// Where the status has a subresource of its own, as in built-in types, other requests leave it alone. What is
    /// assumed where that is not known is given too.
    fn with_status_of(&self, mut object: Value, current: &Value) -> (Value, Option<&'static str>) {
        let sent = object.get("status").filter(|status| status.is_object());
        if !self.has_status && sent.is_some() {
            let assumed = "the status is assumed to be as it was sent, for no request in the log wrote it apart";
            let changes = sent != current.get("status");
            return (object, changes.then_some(assumed));
        }
        match (object.as_object_mut(), current.get("status")) {
            (Some(members), Some(status)) if members.get("status") != Some(status) => {
                members.insert("status".to_owned(), status.clone());
            }
            (Some(members), None) => {
                members.shift_remove("status");
            }
            _ => {}
        }
        (object, None)
    }

    fn with_managed_fields<'v>(&self, current: &'v Value, kind: PatchKind) -> Cow<'v, Value> {
        if kind != PatchKind::Apply {
            return Cow::Borrowed(current);
        }
        let mut object = current.clone();
        if let Some(metadata) = metadata_mut(&mut object) {
            match &self.managed {
                Some(managed) => metadata.insert("managedFields".to_owned(), managed.clone().into()),
                None => metadata.shift_remove("managedFields"),
            };
        }
        Cow::Owned(object)
    }

    /// The subresource `scale` shows and changes one number of the object.
    fn scale(&self, step: &Step) -> Effect {
        let replicas = |scale: &Value| scale.pointer("/spec/replicas").cloned();
        let sent = || -> Option<Value> {
            let body = body(step)?;
            if step.verb == "update" {
                return replicas(body);
            }
            let scale = json!({"spec": {"replicas": self.current().and_then(replicas)}});
            let recognised = patch_kind(body, &step.uri_query, "autoscaling", "scales");
            let (group, resource) = ("autoscaling", "scales");
            let asked = Patch { kind: recognised.kind, group, resource, subresource: "scale", manager: None, body };
            patch::apply(&asked, &scale).ok().as_ref().and_then(|patched| replicas(&patched.object))
        };
        let Some(replicas) = step.response.as_ref().and_then(replicas).or_else(sent) else { return not_logged() };
        let Some(current) = self.current() else {
            return Effect::Unknown(format!("scaled to {replicas}, but the object was not recorded before"));
        };
        let mut spec = current.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
        spec.insert("replicas".to_owned(), replicas);
        Effect::Is(with_member(current, "spec", Some(&spec.into())), "replicas from the subresource scale".to_owned())
    }

    fn bind(&self, step: &Step) -> Effect {
        let Some(binding) = body(step) else { return not_logged() };
        let Some(node) = binding.pointer("/target/name").filter(|name| name.is_string()) else { return not_logged() };
        let Some(current) = self.current() else {
            return Effect::Unknown(format!("bound to {node}, but the object was not recorded before"));
        };
        let mut spec = current.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
        spec.insert("nodeName".to_owned(), node.clone());
        Effect::Is(with_member(current, "spec", Some(&spec.into())), "node from the binding".to_owned())
    }

    fn finalize(&self, step: &Step) -> Effect {
        let Some(finalizers) = body(step).map(|body| body.pointer("/spec/finalizers")) else { return not_logged() };
        let Some(current) = self.current() else {
            return Effect::Unknown("finalizers changed, but the object was not recorded before".to_owned());
        };
        let spec = current.get("spec").cloned().unwrap_or_else(|| json!({}));
        let spec = with_member(&spec, "finalizers", finalizers);
        Effect::Is(with_member(current, "spec", Some(&spec)), "finalizers from the request".to_owned())
    }

    fn delete(&mut self, step: &Step) {
        if let Some(object) = recorded(step).filter(|_| step.verb == "delete") {
            if is_waiting(object) {
                self.put(object.clone(), Source::Recorded);
            } else {
                self.end(Source::Recorded);
            }
            return;
        }
        let is_final = step.verb == "delete" && step.response.as_ref().is_some_and(is_status);
        let waits = self.current().is_some_and(has_finalizers) || (!is_final && self.is_graceful(step));
        if !waits {
            let how = if is_final { Source::Recorded } else { Source::Reconstructed { how: "deleted".to_owned() } };
            return self.end(how);
        }
        let effect = match self.current() {
            Some(current) => Effect::Is(terminating(current, &self.resource, step), "being deleted".to_owned()),
            None => Effect::Unknown("being deleted; the object was not recorded before".to_owned()),
        };
        self.take(effect);
    }

    /// Whether a deletion of which no result was recorded takes time by the nature of the object.
    fn is_graceful(&self, step: &Step) -> bool {
        match self.resource.as_str() {
            "namespaces" => true,
            "pods" => {
                let runs = self.current().is_none_or(|pod| pod.pointer("/spec/nodeName").is_some());
                runs && grace_period(step).as_ref().and_then(Value::as_u64) != Some(0)
            }
            _ => matches!(propagation(step).as_deref(), Some("Foreground" | "Orphan")),
        }
    }

    /// Counts every field that is there as somebody else's too, so that no apply takes it away.
    fn share(&mut self) {
        let Some(managed) = &mut self.managed else { return };
        let Some(object) = self.object.as_deref() else {
            self.managed = None;
            return;
        };
        let types = Types { group: &self.group, resource: &self.resource };
        let fields = Fields::of_applied(object, types, &Fields::default());
        managed.retain(|entry| entry.get("manager") != Some(&json!("")));
        managed.push(json!({"manager": "", "operation": "Update", "subresource": "", "fieldsV1": fields.write()}));
        self.vague = true;
    }

    /// Keeps account of who wants which fields, as far as it shows.
    fn note_managers(&mut self, step: &Step, recorded: Option<&Value>) {
        let of_object = |object: &Value| object.pointer("/metadata/managedFields").and_then(Value::as_array).cloned();
        if let Some(managed) = recorded.and_then(of_object) {
            self.managed = Some(managed);
            (self.shared, self.vague) = (false, false);
            return;
        }
        let Some(body) = body(step).filter(|_| changes(step)) else {
            self.shared |= matches!(step.verb.as_str(), "update" | "patch") && step.subresource != "status";
            return;
        };
        let is_apply = step.verb == "patch"
            && patch_kind(body, &step.uri_query, &self.group, &self.resource).kind == PatchKind::Apply;
        let creates = step.verb == "create" && step.subresource.is_empty() || (is_apply && step.code == Some(201));
        if creates {
            self.managed = Some(Vec::new());
            (self.shared, self.vague) = (false, false);
        }
        let manager = manager(step).filter(|_| creates || is_apply);
        let (Some(managed), Some(manager)) = (&mut self.managed, manager) else {
            self.shared |= step.subresource != "status";
            return;
        };
        let operation = if is_apply { "Apply" } else { "Update" };
        let fields =
            Fields::of_applied(body, Types { group: &self.group, resource: &self.resource }, &Fields::default());
        let entry = json!({"manager": manager, "operation": operation, "subresource": step.subresource, "fieldsV1": fields.write()});
        let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        managed.retain(|old| {
            ["manager", "operation", "subresource"].iter().any(|name| text(old, name) != text(&entry, name))
        });
        managed.push(entry);
    }
}

fn created(step: &Step) -> Effect {
    let Some(body) = body(step).filter(|body| body.is_object()) else { return not_logged() };
    let how = "from the request that created it; what the server filled in is missing".to_owned();
    Effect::Is(with_member(body, "status", None), how)
}

/// What a version was made of, with what was assumed on the way.
fn noted<'n>(mut how: String, notes: impl IntoIterator<Item = &'n str>) -> String {
    for note in notes {
        how.push_str("; ");
        how.push_str(note);
    }
    how
}

fn not_logged() -> Effect {
    Effect::Unknown("the body of the request was not logged".to_owned())
}

fn body(step: &Step) -> Option<&Value> {
    step.request.as_ref().filter(|body| !body.is_null())
}

fn changes(step: &Step) -> bool {
    matches!(step.verb.as_str(), "create" | "update" | "patch")
}

/// Whether a request would change the object if it succeeded.
fn may_change(step: &Step) -> bool {
    let creates = || matches!(step.subresource.as_str(), "" | "binding" | "scale" | "finalize");
    is_deletion(step) || matches!(step.verb.as_str(), "update" | "patch") || (step.verb == "create" && creates())
}

fn is_deletion(step: &Step) -> bool {
    matches!(
        (step.verb.as_str(), step.subresource.as_str()),
        ("delete" | "deletecollection", "") | ("create", "eviction")
    )
}

fn is_dry_run(step: &Step) -> bool {
    let in_body = delete_option(step, "dryRun").filter(|_| is_deletion(step)).and_then(Value::as_array);
    in_body.is_some_and(|list| !list.is_empty())
        || parameter(&step.uri_query, "dryRun").is_some_and(|run| !run.is_empty())
}

fn manager(step: &Step) -> Option<String> {
    parameter(&step.uri_query, "fieldManager").or_else(|| step.manager.clone())
}

/// The object, if that is what was answered.
fn recorded(step: &Step) -> Option<&Value> {
    let whole = matches!(
        (step.verb.as_str(), step.subresource.as_str()),
        ("create" | "update" | "patch" | "get" | "delete", "")
            | ("update" | "patch" | "get", "status" | "approval" | "finalize" | "ephemeralcontainers" | "resize")
    );
    let response = step.response.as_ref().filter(|_| whole)?;
    let kind = response.get("kind").and_then(Value::as_str).unwrap_or_default();
    let is_other =
        matches!(kind, "Status" | "Table" | "PartialObjectMetadata" | "Scale") || response.get("items").is_some();
    (!is_other && response.get("metadata").is_some_and(Value::is_object)).then_some(response)
}

/// Clients that ask for the metadata alone, such as the garbage collector, are answered with it.
fn with_recorded_metadata(effect: Effect, step: &Step) -> Effect {
    let response = step
        .response
        .as_ref()
        .filter(|response| response.get("kind").and_then(Value::as_str) == Some("PartialObjectMetadata"));
    match (effect, response.and_then(|response| response.get("metadata"))) {
        (Effect::Is(object, how), Some(metadata)) => Effect::Is(with_member(&object, "metadata", Some(metadata)), how),
        (effect, _) => effect,
    }
}

fn is_status(response: &Value) -> bool {
    response.get("kind").and_then(Value::as_str) == Some("Status")
}

fn has_finalizers(object: &Value) -> bool {
    let some = |path: &str| object.pointer(path).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    some("/metadata/finalizers")
        || (object.get("kind").and_then(Value::as_str) == Some("Namespace") && some("/spec/finalizers"))
}

/// Whether a deleted object is still there: something holds it, or it is given time.
fn is_waiting(object: &Value) -> bool {
    let grace = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    object.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string) && (has_finalizers(object) || grace > 0)
}

/// Whether nothing holds a deleted object any more.
fn is_finished(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string) && !is_waiting(object)
}

/// An object that was asked to go and has not gone: what keeps it is as far as it is not known what it usually is.
fn terminating(current: &Value, resource: &str, step: &Step) -> Value {
    let mut object = current.clone();
    if resource == "namespaces" && object.pointer("/spec/finalizers").is_none() {
        let spec = current.get("spec").cloned().unwrap_or_else(|| json!({}));
        object = with_member(&object, "spec", Some(&with_member(&spec, "finalizers", Some(&json!(["kubernetes"])))));
    }
    let grace = grace_period(step).or_else(|| current.pointer("/spec/terminationGracePeriodSeconds").cloned());
    let finalizer = match propagation(step).as_deref() {
        Some("Foreground") => Some("foregroundDeletion"),
        Some("Orphan") => Some("orphan"),
        _ => None,
    };
    let Some(metadata) = metadata_mut(&mut object) else { return object };
    if let Some(time) = &step.time {
        metadata.entry("deletionTimestamp").or_insert_with(|| time.as_str().into());
    }
    if resource == "pods" {
        metadata.entry("deletionGracePeriodSeconds").or_insert_with(|| grace.unwrap_or_else(|| json!(30)));
    }
    if let Some(finalizer) = finalizer
        && let Some(list) = metadata.entry("finalizers").or_insert_with(|| json!([])).as_array_mut()
    {
        list.push(finalizer.into());
    }
    object
}

/// The options of a deletion or eviction.
fn delete_option<'s>(step: &'s Step, name: &str) -> Option<&'s Value> {
    let request = step.request.as_ref()?;
    request.get("deleteOptions").unwrap_or(request).get(name)
}

fn grace_period(step: &Step) -> Option<Value> {
    let in_query = || parameter(&step.uri_query, "gracePeriodSeconds").and_then(|text| text.parse::<u64>().ok());
    delete_option(step, "gracePeriodSeconds")
        .filter(|value| value.is_u64())
        .cloned()
        .or_else(|| in_query().map(Value::from))
}

fn propagation(step: &Step) -> Option<String> {
    let in_body = delete_option(step, "propagationPolicy").and_then(Value::as_str).map(str::to_owned);
    in_body.or_else(|| parameter(&step.uri_query, "propagationPolicy"))
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

/// An update cannot change these, and need not send them.
fn keep_metadata(object: &mut Value, current: &Value) {
    let Some(metadata) = metadata_mut(object) else { return };
    for name in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        if let Some(value) = current.get("metadata").and_then(|metadata| metadata.get(name)) {
            metadata.insert(name.to_owned(), value.clone());
        }
    }
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
