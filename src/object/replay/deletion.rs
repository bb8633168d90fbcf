//! Deletion: whether the object is gone at once, or is given time or held by finalizers.

use serde_json::{Value, json};

use super::{Effect, Replay, Source, Step, metadata_mut, with_member};

impl Replay {
    pub(super) fn delete(&mut self, step: &Step) {
        if let Some(object) = step.recorded().filter(|_| step.verb == "delete") {
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
                runs && step.grace_period().as_ref().and_then(Value::as_u64) != Some(0)
            }
            _ => matches!(step.propagation().as_deref(), Some("Foreground" | "Orphan")),
        }
    }
}

/// Whether nothing holds a deleted object any more.
pub(super) fn is_finished(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string) && !is_waiting(object)
}

/// Whether a deleted object is still there: something holds it, or it is given time.
fn is_waiting(object: &Value) -> bool {
    let grace = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    object.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string) && (has_finalizers(object) || grace > 0)
}

fn has_finalizers(object: &Value) -> bool {
    let some = |path: &str| object.pointer(path).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    some("/metadata/finalizers")
        || (object.get("kind").and_then(Value::as_str) == Some("Namespace") && some("/spec/finalizers"))
}

fn is_status(response: &Value) -> bool {
    response.get("kind").and_then(Value::as_str) == Some("Status")
}

/// An object that was asked to go and has not gone: what keeps it is as far as it is not known what it usually is.
fn terminating(current: &Value, resource: &str, step: &Step) -> Value {
    let mut object = current.clone();
    if resource == "namespaces" && object.pointer("/spec/finalizers").is_none() {
        let spec = current.get("spec").cloned().unwrap_or_else(|| json!({}));
        object = with_member(&object, "spec", Some(&with_member(&spec, "finalizers", Some(&json!(["kubernetes"])))));
    }
    let grace = step.grace_period().or_else(|| current.pointer("/spec/terminationGracePeriodSeconds").cloned());
    let finalizer = match step.propagation().as_deref() {
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
