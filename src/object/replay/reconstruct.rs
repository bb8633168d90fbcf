//! A version made from what was sent, where the response does not hold it: a body put in whole, a patch applied to
//! the version before, or the one member that a subresource changes.

use serde_json::{Value, json};

use super::{Effect, Replay, Source, Step, metadata_mut, with_member};
use crate::object::patch::{self, Patch, PatchKind, Patched, Recognised, patch_kind};

impl Replay {
    /// What a request did whose response is not the object.
    pub(super) fn effect(&self, step: &Step) -> Effect {
        match (step.verb.as_str(), step.subresource.as_str()) {
            ("create", "binding") => self.bind(step),
            (_, "scale") if step.changes() => self.scale(step),
            (_, "finalize") if step.changes() => self.finalize(step),
            ("create", "") => created(step),
            ("update", "" | "status" | "approval" | "ephemeralcontainers" | "resize") => self.update(step),
            ("patch", "" | "status" | "approval" | "ephemeralcontainers" | "resize") => self.patch(step),
            // What is asked of a pod, a node or a service account leaves the object as it is.
            ("create", _) | ("get" | "list" | "watch" | "connect" | "head" | "options", _) => Effect::None,
            (verb, subresource) => Effect::Unknown(format!("what `{verb}` of `{subresource}` does is not known")),
        }
    }

    fn update(&self, step: &Step) -> Effect {
        let Some(body) = step.body().filter(|body| body.is_object()) else { return not_logged() };
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
        let Some(body) = step.body() else { return not_logged() };
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
        let manager = step.field_manager();
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
        self.patched(step, current, patched, &recognised)
    }

    /// The object after a patch, with what was assumed on the way.
    fn patched(&self, step: &Step, current: &Value, patched: Patched, recognised: &Recognised) -> Effect {
        let kind = recognised.kind;
        let (object, status) = match step.subresource.as_str() {
            "status" | "approval" => (with_member(current, "status", patched.object.get("status")), None),
            _ => self.with_status_of(patched.object, current),
        };
        let notes = recognised.assumed.into_iter().chain(patched.notes.iter().map(String::as_str)).chain(status);
        let vague = (self.vague && kind == PatchKind::Apply && self.managed.is_some()).then_some(
            "managedFields of other writes were not recorded, so what is no longer applied may still be shown",
        );
        let notes = notes.chain(vague);
        Effect::Is(object, noted(format!("{} applied to the version before", kind.name()), notes))
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

    /// The subresource `scale` shows and changes one number of the object.
    fn scale(&self, step: &Step) -> Effect {
        let replicas = |scale: &Value| scale.pointer("/spec/replicas").cloned();
        let sent = || -> Option<Value> {
            let body = step.body()?;
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
        let Some(binding) = step.body() else { return not_logged() };
        let Some(node) = binding.pointer("/target/name").filter(|name| name.is_string()) else { return not_logged() };
        let Some(current) = self.current() else {
            return Effect::Unknown(format!("bound to {node}, but the object was not recorded before"));
        };
        let mut spec = current.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
        spec.insert("nodeName".to_owned(), node.clone());
        Effect::Is(with_member(current, "spec", Some(&spec.into())), "node from the binding".to_owned())
    }

    fn finalize(&self, step: &Step) -> Effect {
        let Some(finalizers) = step.body().map(|body| body.pointer("/spec/finalizers")) else { return not_logged() };
        let Some(current) = self.current() else {
            return Effect::Unknown("finalizers changed, but the object was not recorded before".to_owned());
        };
        let spec = current.get("spec").cloned().unwrap_or_else(|| json!({}));
        let spec = with_member(&spec, "finalizers", finalizers);
        Effect::Is(with_member(current, "spec", Some(&spec)), "finalizers from the request".to_owned())
    }
}

fn created(step: &Step) -> Effect {
    let Some(body) = step.body().filter(|body| body.is_object()) else { return not_logged() };
    let how = "from the request that created it; what the server filled in is missing".to_owned();
    Effect::Is(with_member(body, "status", None), how)
}

/// Clients that ask for the metadata alone, such as the garbage collector, are answered with it.
pub(super) fn with_recorded_metadata(effect: Effect, step: &Step) -> Effect {
    let response = step
        .response
        .as_ref()
        .filter(|response| response.get("kind").and_then(Value::as_str) == Some("PartialObjectMetadata"));
    match (effect, response.and_then(|response| response.get("metadata"))) {
        (Effect::Is(object, how), Some(metadata)) => Effect::Is(with_member(&object, "metadata", Some(metadata)), how),
        (effect, _) => effect,
    }
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

/// An update cannot change these, and need not send them.
fn keep_metadata(object: &mut Value, current: &Value) {
    let Some(metadata) = metadata_mut(object) else { return };
    for name in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        if let Some(value) = current.get("metadata").and_then(|metadata| metadata.get(name)) {
            metadata.insert(name.to_owned(), value.clone());
        }
    }
}
