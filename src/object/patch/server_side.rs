//! Server-side apply: what is applied is merged in, and what the same manager applied before and no longer
//! does goes away unless somebody else wants it too.
//!
//! Who wants what is in `metadata.managedFields` of the object. Where that was not recorded the merge is still
//! known, but what went away is not, and a note says so.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::fields::{Element, Fields, Merging, Types};
use super::{Impossible, Patch, Patched};

/// Merges an applied object into the current one.
pub(super) fn apply(
    patch: &Patch<'_>,
    current: &Map<String, Value>,
    applied: &Map<String, Value>,
) -> Result<Patched, Impossible> {
    let types = Types { group: patch.group, resource: patch.resource };
    let managers = Managers::of(current, patch);
    let known = managers.known();
    let mut notes = Vec::new();
    let merging = Apply { types };
    let mut object = merging.members("", current.clone(), applied, Some(&known))?;
    match &managers {
        Managers::Unknown => {
            notes.push("managedFields were not recorded, so what is no longer applied may still be shown".to_owned())
        }
        Managers::Known { own, others } => {
            let wanted = Fields::of_applied(patch.body, types, &known);
            let mut value = Value::Object(object);
            let others: Vec<&Fields> = others.iter().collect();
            let place = Site { types, parent: "", field: "", known: Some(&known) };
            remove(&mut value, own, Some(&wanted), &others, &place);
            object = if let Value::Object(members) = value { members } else { Map::new() };
        }
    }
    Ok(Patched { object: Value::Object(object), notes })
}

/// Who wants which fields of an object.
enum Managers {
    Known {
        /// What the one who applies wanted before.
        own: Fields,
        others: Vec<Fields>,
    },
    Unknown,
}

impl Managers {
    fn of(current: &Map<String, Value>, patch: &Patch<'_>) -> Managers {
        let entries =
            current.get("metadata").and_then(|metadata| metadata.get("managedFields")).and_then(Value::as_array);
        let (Some(entries), Some(manager)) = (entries, patch.manager) else { return Managers::Unknown };
        let (mut own, mut others) = (Fields::default(), Vec::new());
        for entry in entries {
            let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
            let fields = entry.get("fieldsV1").map(Fields::read).unwrap_or_default();
            if text("manager") == manager && text("operation") == "Apply" && text("subresource") == patch.subresource {
                own = fields;
            } else {
                others.push(fields);
            }
        }
        Managers::Known { own, others }
    }

    /// Every field that anybody wants.
    fn known(&self) -> Fields {
        let mut all = Fields::default();
        if let Managers::Known { own, others } = self {
            all.add(own);
            others.iter().for_each(|other| all.add(other));
        }
        all
    }
}

struct Apply<'a> {
    types: Types<'a>,
}

impl Apply<'_> {
    /// Merges what stands in `field`.
    fn members(
        &self,
        field: &str,
        mut merged: Map<String, Value>,
        applied: &Map<String, Value>,
        known: Option<&Fields>,
    ) -> Result<Map<String, Value>, Impossible> {
        for (name, value) in applied.iter().filter(|(_, value)| !value.is_null()) {
            let was = merged.get_mut(name).map(Value::take);
            let known = known.and_then(|known| known.get_member(name));
            let value = match (was, value) {
                (Some(Value::Object(was)), Value::Object(value)) if !self.types.is_whole(name) => {
                    Value::Object(self.members(name, was, value, known)?)
                }
                (Some(Value::Array(was)), Value::Array(value)) => {
                    Value::Array(self.elements(field, name, was, value, known)?)
                }
                (_, value) => value.clone(),
            };
            merged.insert(name.clone(), value);
        }
        Ok(merged)
    }

    fn elements(
        &self,
        parent: &str,
        field: &str,
        was: Vec<Value>,
        applied: &[Value],
        known: Option<&Fields>,
    ) -> Result<Vec<Value>, Impossible> {
        let merging = self.types.merging(parent, field, known);
        if merging == Merging::Whole {
            return Ok(applied.to_vec());
        }
        let key_of = |element: &Value| {
            Element::of(element, &merging).ok_or_else(|| Impossible(format!("an element of `{field}` lacks its key")))
        };
        let wanted: HashMap<String, usize> = places(applied, &key_of)?;
        let had: HashMap<String, usize> = places(&was, &key_of)?;
        let mut merged = Vec::with_capacity(was.len() + applied.len());
        let mut next = 0;
        let mut was: Vec<Option<Value>> = was.into_iter().map(Some).collect();
        for place in 0..was.len() {
            let Some(element) = was.get_mut(place).and_then(Option::take) else { continue };
            let Some(&until) = wanted.get(&text(&key_of(&element)?)) else {
                merged.push(element);
                continue;
            };
            // In the order that was applied: those in front of this one come first.
            if let Some(slot) = was.get_mut(place) {
                *slot = Some(element);
            }
            for applied in applied.get(next..=until).unwrap_or_default() {
                merged.push(self.element(field, &mut was, &had, applied, &key_of(applied)?, known)?);
            }
            next = next.max(until + 1);
        }
        for applied in applied.get(next..).unwrap_or_default() {
            merged.push(self.element(field, &mut was, &had, applied, &key_of(applied)?, known)?);
        }
        Ok(merged)
    }

    /// An applied element of a list, merged with the one of the same key.
    fn element(
        &self,
        field: &str,
        was: &mut [Option<Value>],
        had: &HashMap<String, usize>,
        applied: &Value,
        key: &Element,
        known: Option<&Fields>,
    ) -> Result<Value, Impossible> {
        let found = had.get(&text(key)).and_then(|&place| was.get_mut(place)).and_then(Option::take);
        match (found, applied) {
            (Some(Value::Object(was)), Value::Object(applied)) => {
                let known = known.and_then(|known| known.get(key));
                Ok(Value::Object(self.members(field, was, applied, known)?))
            }
            (_, applied) => Ok(applied.clone()),
        }
    }
}

/// Where each element stands, by what tells it apart.
fn places(
    elements: &[Value],
    key_of: &impl Fn(&Value) -> Result<Element, Impossible>,
) -> Result<HashMap<String, usize>, Impossible> {
    let mut places = HashMap::with_capacity(elements.len());
    for (place, element) in elements.iter().enumerate() {
        places.entry(text(&key_of(element)?)).or_insert(place);
    }
    Ok(places)
}

fn text(element: &Element) -> String {
    format!("{element:?}")
}

/// Where a value stands, for what its lists are like.
struct Site<'a> {
    types: Types<'a>,
    parent: &'a str,
    field: &'a str,
    known: Option<&'a Fields>,
}

/// Takes out of `value` what is in `own` and neither `wanted` any more nor anybody else's.
fn remove(value: &mut Value, own: &Fields, wanted: Option<&Fields>, others: &[&Fields], site: &Site<'_>) {
    let stays = |element: &Element, value: &mut Value, field: &str, parent: &str| {
        let Some(below) = own.get(element) else { return true };
        let still = wanted.and_then(|wanted| wanted.get(element));
        let theirs: Vec<&Fields> = others.iter().filter_map(|other| other.get(element)).collect();
        if still.is_none() && theirs.is_empty() {
            return false;
        }
        let known = site.known.and_then(|known| known.get(element));
        remove(value, below, still, &theirs, &Site { types: site.types, parent, field, known });
        true
    };
    match value {
        Value::Object(members) => {
            members.retain(|name, value| stays(&Element::Member(name.clone()), value, name, site.field));
        }
        Value::Array(elements) => {
            let merging = site.types.merging(site.parent, site.field, site.known);
            elements.retain_mut(|value| match Element::of(value, &merging) {
                Some(element) => stays(&element, value, site.field, site.parent),
                None => true,
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Patch, PatchKind, Patched, apply};
    use serde_json::{Value, json};

    fn applied(group: &str, resource: &str, current: &Value, body: &Value) -> Patched {
        let patch = Patch { kind: PatchKind::Apply, group, resource, subresource: "", manager: Some("me"), body };
        apply(&patch, current).unwrap()
    }

    fn managed(mut object: Value, entries: Value) -> Value {
        object["metadata"]["managedFields"] = entries;
        object
    }

    fn spec_after(group: &str, resource: &str, current: Value, body: Value) -> Value {
        applied(group, resource, &current, &json!({"metadata": {}, "spec": body})).object["spec"].clone()
    }

    #[test]
    fn what_is_applied_is_merged() {
        let current = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"name": "app", "image": "1", "imagePullPolicy": "Always"}, {"name": "side", "image": "1"}]}}}});
        let body = json!({"metadata": {"labels": {"b": "2"}}, "spec": {"template": {"spec": {"containers": [
            {"name": "new", "image": "1"}, {"name": "app", "image": "2", "args": null}]}}}});
        let result = applied("apps", "deployments", &current, &body);
        assert_eq!(
            result.object,
            json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"replicas": 1, "template": {"spec": {"containers": [
                {"name": "new", "image": "1"}, {"name": "app", "image": "2", "imagePullPolicy": "Always"}, {"name": "side", "image": "1"}]}}}})
        );
        assert_eq!(result.notes.len(), 1, "managedFields are missing");
    }

    #[test]
    fn what_is_no_longer_applied_goes_away() {
        let own = json!({"manager": "me", "operation": "Apply", "fieldsV1": {
            "f:metadata": {"f:labels": {"f:a": {}, "f:b": {}}, "f:finalizers": {"v:\"x\"": {}, "v:\"y\"": {}}},
            "f:spec": {"f:replicas": {}, "f:strategy": {"f:type": {}}, "f:containers": {
                "k:{\"name\":\"app\"}": {".": {}, "f:name": {}, "f:image": {}, "f:ports": {
                    "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}},
                "k:{\"name\":\"side\"}": {".": {}, "f:name": {}}}}}});
        let other = json!({"manager": "hpa", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
        let current = managed(
            json!({"metadata": {"labels": {"a": "1", "b": "1", "c": "1"}, "finalizers": ["x", "y", "z"]},
                "spec": {"replicas": 3, "strategy": {"type": "Recreate", "defaulted": 1}, "containers": [
                    {"name": "app", "image": "1", "ports": [{"containerPort": 80, "protocol": "TCP"}]}, {"name": "side"}, {"name": "injected"}]}}),
            json!([own, other]),
        );
        let body = json!({"metadata": {"labels": {"a": "2"}, "finalizers": ["x"]},
            "spec": {"containers": [{"name": "app", "image": "2"}]}});
        let mut result = applied("", "pods", &current, &body);
        result.object["metadata"].as_object_mut().unwrap().remove("managedFields");
        assert_eq!(
            result.object,
            json!({"metadata": {"labels": {"a": "2", "c": "1"}, "finalizers": ["x", "z"]},
                "spec": {"replicas": 3, "containers": [{"name": "app", "image": "2"}, {"name": "injected"}]}})
        );
        assert!(result.notes.is_empty());
    }

    #[test]
    fn lists_of_custom_resources_are_known_by_who_applied_them() {
        let entries = json!([{"manager": "x", "operation": "Apply", "fieldsV1": {"f:spec": {"f:rules": {"k:{\"host\":\"a\"}": {"f:host": {}}}}}}]);
        let rules = |list: Value| json!({"rules": list});
        let current = json!({"metadata": {}, "spec": rules(json!([{"host": "a", "port": 1}]))});
        assert_eq!(
            spec_after("example.com", "things", managed(current.clone(), entries), rules(json!([{"host": "b"}]))),
            rules(json!([{"host": "a", "port": 1}, {"host": "b"}]))
        );
        assert_eq!(
            spec_after("example.com", "things", current, rules(json!([{"host": "b"}]))),
            rules(json!([{"host": "b"}]))
        );
    }

    #[test]
    fn selectors_are_one_value() {
        let current = json!({"metadata": {}, "spec": {"selector": {"app": "a", "tier": "b"}}});
        assert_eq!(
            spec_after("", "services", current, json!({"selector": {"app": "c"}})),
            json!({"selector": {"app": "c"}})
        );
    }
}
