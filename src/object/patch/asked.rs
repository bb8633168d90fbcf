//! What a patch asks for, read without the object it was sent to.

use serde_json::{Map, Value};

use super::super::diff::{Change, LAST_APPLIED};
use super::super::path::{Path, Segment};
use super::super::schema::{self, ListType};
use super::{PatchKind, patch_kind};

/// The fields that a patch with this body sets, each with `after`, and those that it takes away, without. `before`
/// is never known. What names the object is left out, and what `kubectl apply` notes for itself.
pub fn asked(body: &Value, uri_query: &str, group: &str, resource: &str) -> Vec<Change> {
    let kind = patch_kind(body, uri_query, group, resource).kind;
    if let Value::Array(operations) = body {
        // What is moved or copied is not in the patch, and the rest would be half of it.
        let takes = |operation: &Value| operation.get("from").is_some();
        return if operations.iter().any(takes) {
            Vec::new()
        } else {
            operations.iter().filter_map(operation).collect()
        };
    }
    let mut walk = Walk { kind, resource, here: Vec::new(), changes: Vec::new() };
    walk.value("", "", body);
    walk.changes
}

/// An operation of a JSON patch.
fn operation(operation: &Value) -> Option<Change> {
    let text = |name: &str| operation.get(name).and_then(Value::as_str);
    let after = match text("op")? {
        "add" | "replace" => Some(operation.get("value")?.clone()),
        "remove" => None,
        _ => return None,
    };
    Some(Change { path: pointed(text("path")?).to_string(), before: None, after })
}

fn pointed(pointer: &str) -> Path {
    let segment = |text: &str| match text.parse() {
        Ok(index) => Segment::Index(index),
        Err(_) => Segment::Field(text.replace("~1", "/").replace("~0", "~")),
    };
    Path::new(pointer.split('/').skip(1).map(segment).collect())
}

/// The members of metadata that say which object is meant.
const NAMING: &[&str] =
    &["name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"];

struct Walk<'a> {
    kind: PatchKind,
    resource: &'a str,
    here: Vec<Segment>,
    changes: Vec<Change>,
}

impl Walk<'_> {
    fn value(&mut self, parent: &str, field: &str, value: &Value) {
        match value {
            Value::Null => self.change(None),
            Value::Object(members) if members.get("$patch").and_then(Value::as_str) == Some("delete") => {
                self.change(None);
            }
            Value::Object(members) if !members.is_empty() => self.members(field, members, &[]),
            Value::Array(elements) => self.elements(parent, field, elements),
            other if !self.here.is_empty() => self.change(Some(other.clone())),
            _ => {}
        }
    }

    fn change(&mut self, after: Option<Value>) {
        self.changes.push(Change { path: Path::new(self.here.clone()).to_string(), before: None, after });
    }

    fn members(&mut self, field: &str, members: &Map<String, Value>, keys: &[&str]) {
        for (name, value) in members {
            let names_it = match self.here.as_slice() {
                [] => matches!(name.as_str(), "kind" | "apiVersion"),
                [Segment::Field(metadata)] if metadata == "metadata" => NAMING.contains(&name.as_str()),
                [Segment::Field(metadata), Segment::Field(_)] if metadata == "metadata" => name == LAST_APPLIED,
                _ => false,
            };
            let orders = name.starts_with("$setElementOrder/") || name == "$retainKeys" || name == "$patch";
            if names_it || orders || keys.contains(&name.as_str()) {
                continue;
            }
            self.here.push(Segment::Field(name.clone()));
            self.value(field, name, value);
            self.here.pop();
        }
    }

    /// Elements that are told apart by a key one by one, every other list as one value.
    fn elements(&mut self, parent: &str, field: &str, elements: &[Value]) {
        let list = match self.kind {
            PatchKind::Strategic => schema::strategic(self.resource, parent, field),
            PatchKind::Apply => schema::apply(self.resource, parent, field),
            _ => ListType::Atomic,
        };
        let whole = || Value::Array(elements.to_vec());
        let ListType::Map(keys) = list else { return self.change(Some(whole())) };
        let named: Option<Vec<Vec<String>>> =
            elements.iter().map(|element| schema::key_of(element, keys).filter(|_| element.is_object())).collect();
        let Some(named) = named else { return self.change(Some(whole())) };
        for (element, texts) in elements.iter().zip(named) {
            let pairs = keys.iter().map(|&key| key.to_owned()).zip(texts).collect();
            self.here.push(Segment::Select(pairs));
            self.element(field, keys, element);
            self.here.pop();
        }
    }

    fn element(&mut self, field: &str, keys: &[&str], element: &Value) {
        let Value::Object(members) = element else { return };
        if members.get("$patch").and_then(Value::as_str) == Some("delete") {
            return self.change(None);
        }
        let before = self.changes.len();
        self.members(field, members, keys);
        if self.changes.len() == before {
            self.change(Some(element.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::secret::mask_changes;
    use super::*;
    use serde_json::json;

    fn told(body: Value, group: &str, resource: &str) -> Vec<String> {
        let mut changes = asked(&body, "", group, resource);
        mask_changes(&mut changes, resource);
        let line = |change: &Change| match &change.after {
            Some(after) => format!("{}={after}", change.path),
            None => format!("-{}", change.path),
        };
        changes.iter().map(line).collect()
    }

    #[test]
    fn fields_are_told_leaf_by_leaf() {
        assert_eq!(told(json!({"spec": {"unschedulable": true}}), "", "nodes"), ["spec.unschedulable=true"]);
        let image = json!({"metadata": {"name": "web", "labels": {"a": null}},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}],
            "$setElementOrder/containers": [{"name": "web"}]}}}});
        let expected = ["-metadata.labels.a", "spec.template.spec.containers[name=web].image=\"web:2\""];
        assert_eq!(told(image, "apps", "deployments"), expected);
        assert!(told(json!({}), "", "nodes").is_empty());
        assert_eq!(told(json!({"spec": {"list": [1]}}), "example.com", "things"), ["spec.list=[1]"]);
    }

    #[test]
    fn operations_are_told_one_by_one() {
        let patch = json!([
            {"op": "test", "path": "/spec/replicas", "value": 1},
            {"op": "replace", "path": "/spec/replicas", "value": 2},
            {"op": "remove", "path": "/metadata/annotations/a~1b"},
            {"op": "bad"}, 7,
        ]);
        assert_eq!(told(patch, "apps", "deployments"), ["spec.replicas=2", "-metadata.annotations.a/b"]);
    }

    #[test]
    fn secrets_stay_hidden() {
        for body in [
            json!({"data": {"0": "aHVudGVyMg==", "b": "aHVudGVyMg=="}, "stringData": "hunter2"}),
            json!([{"op": "add", "path": "/data/0", "value": "hunter2"}, {"op": "add", "path": "", "value": {"data": {"a": "hunter2"}}}]),
            json!([{"op": "add", "path": "/metadata/annotations", "value": {LAST_APPLIED: "hunter2"}}]),
        ] {
            let told = told(body, "", "secrets").join(" ");
            assert!(told.contains("hidden") && !told.contains("hunter2") && !told.contains("aHVu"), "{told}");
        }
    }
}
