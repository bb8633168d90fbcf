//! Sets of fields, as `managedFields` has them (`FieldsV1`): `f:name` is a member, `k:{…}` the element of a
//! list with these keys, `v:…` a value in a set.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::schema::{self, ListType};

/// Fields of an object, and the fields in them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in super::super) struct Fields(BTreeMap<Element, Fields>);

/// One step down into a value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Element {
    Member(String),
    /// The names of keys and the texts of their values, by name.
    Keyed(Vec<(String, String)>),
    /// A scalar, as JSON.
    InSet(String),
}

/// How server-side apply merges a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Merging {
    Keyed(Vec<String>),
    Set,
    Whole,
}

/// What is known of the types in an object of this resource.
#[derive(Clone, Copy)]
pub(in super::super) struct Types<'a> {
    pub(in super::super) group: &'a str,
    pub(in super::super) resource: &'a str,
}

impl Types<'_> {
    /// How the list `field` in `parent` is merged. The schemas of custom resources are not in a log, but what was
    /// applied before (`known`) shows which of their lists have keys.
    pub(super) fn merging(&self, parent: &str, field: &str, known: Option<&Fields>) -> Merging {
        if schema::is_built_in(self.group) {
            return match schema::apply(self.resource, parent, field) {
                ListType::Map(keys) => Merging::Keyed(keys.iter().map(|&key| key.to_owned()).collect()),
                ListType::Set => Merging::Set,
                ListType::Atomic => Merging::Whole,
            };
        }
        match known.and_then(|known| known.0.keys().next()) {
            Some(Element::Keyed(keys)) => Merging::Keyed(keys.iter().map(|(key, _)| key.clone()).collect()),
            Some(Element::InSet(_)) => Merging::Set,
            _ => Merging::Whole,
        }
    }

    /// Whether the object in this field is one value.
    pub(super) fn is_whole(&self, field: &str) -> bool {
        schema::is_built_in(self.group) && schema::is_atomic_object(field)
    }
}

impl Element {
    fn read(text: &str) -> Option<Element> {
        match text.split_once(':')? {
            ("f", name) => Some(Element::Member(name.to_owned())),
            ("v", value) => Some(Element::InSet(serde_json::from_str::<Value>(value).ok()?.to_string())),
            ("k", keys) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
                let keys = keys.into_iter().map(|(key, value)| (key, scalar_text(&value)));
                let mut keys: Vec<(String, String)> = keys.collect();
                keys.sort();
                Some(Element::Keyed(keys))
            }
            _ => None,
        }
    }

    fn write(&self) -> String {
        match self {
            Element::Member(name) => format!("f:{name}"),
            Element::InSet(value) => format!("v:{value}"),
            Element::Keyed(keys) => {
                let keys: Map<String, Value> =
                    keys.iter().map(|(key, text)| (key.clone(), text.as_str().into())).collect();
                format!("k:{}", Value::Object(keys))
            }
        }
    }

    /// What tells this element of a list apart.
    pub(super) fn of(element: &Value, merging: &Merging) -> Option<Element> {
        match merging {
            Merging::Keyed(keys) => {
                let text = |key: &String| Some((key.clone(), schema::key_text(element, key)?));
                let mut keys: Vec<(String, String)> = keys.iter().map(text).collect::<Option<_>>()?;
                keys.sort();
                Some(Element::Keyed(keys))
            }
            Merging::Set => Some(Element::InSet(element.to_string())),
            Merging::Whole => None,
        }
    }
}

fn scalar_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Fields {
    /// Reads `fieldsV1`; what is not understood is left out.
    pub(super) fn read(fields: &Value) -> Fields {
        let Value::Object(members) = fields else { return Fields::default() };
        let read = members.iter().filter_map(|(name, below)| Some((Element::read(name)?, Fields::read(below))));
        Fields(read.collect())
    }

    /// Writes it back. Keys become texts, which is how they are compared.
    pub(in super::super) fn write(&self) -> Value {
        Value::Object(self.0.iter().map(|(element, below)| (element.write(), below.write())).collect())
    }

    /// The fields that somebody wants who applies this object.
    pub(in super::super) fn of_applied(object: &Value, types: Types<'_>, known: &Fields) -> Fields {
        let mut fields = Fields::of(object, types, "", "", Some(known));
        for name in ["apiVersion", "kind"] {
            fields.0.remove(&Element::Member(name.to_owned()));
        }
        if let Some(metadata) = fields.0.get_mut(&Element::Member("metadata".to_owned())) {
            for name in ["name", "namespace", "creationTimestamp"] {
                metadata.0.remove(&Element::Member(name.to_owned()));
            }
        }
        fields
    }

    fn of(value: &Value, types: Types<'_>, parent: &str, field: &str, known: Option<&Fields>) -> Fields {
        let known_below = |element: &Element| known.and_then(|known| known.get(element));
        match value {
            Value::Object(members) if !types.is_whole(field) => {
                let below = members.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
                    let element = Element::Member(name.clone());
                    let below = Fields::of(value, types, field, name, known_below(&element));
                    (element, below)
                });
                Fields(below.collect())
            }
            Value::Array(elements) => {
                let merging = types.merging(parent, field, known);
                let below = elements.iter().filter_map(|value| {
                    let element = Element::of(value, &merging)?;
                    let below = Fields::of(value, types, parent, field, known_below(&element));
                    Some((element, below))
                });
                Fields(below.collect())
            }
            _ => Fields::default(),
        }
    }

    pub(super) fn get(&self, element: &Element) -> Option<&Fields> {
        self.0.get(element)
    }

    pub(super) fn get_member(&self, name: &str) -> Option<&Fields> {
        self.0.get(&Element::Member(name.to_owned()))
    }

    /// Adds all of these fields.
    pub(super) fn add(&mut self, other: &Fields) {
        for (element, below) in &other.0 {
            self.0.entry(element.clone()).or_default().add(below);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_read_and_written() {
        let fields = json!({
            "f:metadata": {"f:finalizers": {".": {}, "v:\"a/b\"": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:image": {}}}, "i:0": {}},
        });
        let read = Fields::read(&fields);
        assert_eq!(
            read.write(),
            json!({
                "f:metadata": {"f:finalizers": {"v:\"a/b\"": {}}},
                "f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {"f:image": {}}}},
            })
        );
        assert_eq!(Fields::read(&read.write()), read);
        assert_eq!(Fields::read(&json!({"k:nonsense": {}, "x": {}, "v:[": {}})), Fields::default());
    }

    #[test]
    fn the_fields_of_an_applied_object() {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "finalizers": ["a/b"]},
            "spec": {"nodeSelector": {"a": "b"}, "containers": [{"name": "app", "args": ["x"],
                "ports": [{"containerPort": 80}]}]}});
        let types = Types { group: "", resource: "pods" };
        assert_eq!(
            Fields::of_applied(&object, types, &Fields::default()).write(),
            json!({
                "f:metadata": {"f:finalizers": {"v:\"a/b\"": {}}},
                "f:spec": {"f:nodeSelector": {}, "f:containers": {"k:{\"name\":\"app\"}": {"f:name": {}, "f:args": {},
                    "f:ports": {"k:{\"containerPort\":\"80\",\"protocol\":\"TCP\"}": {"f:containerPort": {}}}}}},
            })
        );
    }
}
