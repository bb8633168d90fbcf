//! Who manages which fields: an apply takes away what its manager wanted before and wants no more, so an account is
//! kept of it, as far as it shows.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Replay, Step, metadata_mut};
use crate::object::patch::{Fields, PatchKind, Types, patch_kind};

impl Replay {
    /// Keeps account of who wants which fields, as far as it shows.
    pub(super) fn note_managers(&mut self, step: &Step, recorded: Option<&Value>) {
        let of_object = |object: &Value| object.pointer("/metadata/managedFields").and_then(Value::as_array).cloned();
        if let Some(managed) = recorded.and_then(of_object) {
            self.managed = Some(managed);
            (self.shared, self.vague) = (false, false);
            return;
        }
        let Some(body) = step.body().filter(|_| step.changes()) else {
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
        let manager = step.field_manager().filter(|_| creates || is_apply);
        let (Some(managed), Some(manager)) = (&mut self.managed, manager) else {
            self.shared |= step.subresource != "status";
            return;
        };
        let operation = if is_apply { "Apply" } else { "Update" };
        let fields =
            Fields::of_applied(body, Types { group: &self.group, resource: &self.resource }, &Fields::default());
        let entry = json!({"manager": manager, "operation": operation, "subresource": step.subresource, "fieldsV1": fields.write()});
        replace_entry(managed, entry);
    }

    /// Counts every field that is there as somebody else's too, so that no apply takes it away.
    pub(super) fn share(&mut self) {
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

    /// The version that a patch is applied to: for an apply with the account, whatever it has itself.
    pub(super) fn with_managed_fields<'v>(&self, current: &'v Value, kind: PatchKind) -> Cow<'v, Value> {
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
}

/// Adds what a manager wants now, in place of what it wanted before.
fn replace_entry(managed: &mut Vec<Value>, entry: Value) {
    let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    managed
        .retain(|old| ["manager", "operation", "subresource"].iter().any(|name| text(old, name) != text(&entry, name)));
    managed.push(entry);
}
