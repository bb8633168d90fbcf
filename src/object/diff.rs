//! What changed between two versions of an object, field by field.
//!
//! Lists are matched as Kubernetes tells their elements apart (containers by name, conditions by type), so
//! that a container in front of others is one addition and not a change of all. Where a list has no keys,
//! what both versions begin and end with is left out and the rest is compared by place.
//!
//! A field that is `null` counts as absent. Nothing is masked here: whoever shows it does that.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::path::{Path, Segment};
use super::schema::{self, ListType};

/// One field that is not what it was.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// Where, as [`Path`] spells it.
    pub path: String,
    /// What it was; nothing if it was added.
    pub before: Option<Value>,
    /// What it is; nothing if it was removed.
    pub after: Option<Value>,
}

/// What is told beyond what people set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DiffOptions {
    /// Changes of `metadata.managedFields`.
    pub managed_fields: bool,
    /// Changes of what the API server counts along: `resourceVersion`, `generation`, `uid`, …
    pub server_fields: bool,
    /// Changes of the annotation in which `kubectl apply` repeats the object.
    pub last_applied: bool,
}

/// The annotation in which `kubectl apply` keeps what it was given.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The members of `metadata` that the API server alone writes.
const SERVER_FIELDS: &[&str] = &["creationTimestamp", "generation", "resourceVersion", "selfLink", "uid"];

/// Lists with keys in which the order means something all the same.
const ORDERED: &[&str] = &["env", "initContainers"];

/// The changes from `before` to `after`, two versions of an object of `resource` (`deployments`): in the order
/// of `after`, what was removed from a part behind what is still in it.
pub fn diff(resource: &str, before: &Value, after: &Value, options: &DiffOptions) -> Vec<Change> {
    let mut walk = Walk { resource, options, changes: Vec::new() };
    walk.value(&Place { above: None, step: Step::Root, parent: "", field: "" }, Some(before), Some(after));
    walk.changes
}

/// Where the walk is, without owning anything: most places have no change, and need no text.
struct Place<'a> {
    above: Option<&'a Place<'a>>,
    step: Step<'a>,
    /// The name of the field around this one; elements of a list are in that list.
    parent: &'a str,
    /// The name of this field; elements of a list have the name of the list.
    field: &'a str,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
    Select(&'a [&'static str], &'a [String]),
}

impl<'a> Place<'a> {
    fn member(&'a self, name: &'a str) -> Place<'a> {
        Place { above: Some(self), step: Step::Field(name), parent: self.field, field: name }
    }

    fn element(&'a self, step: Step<'a>) -> Place<'a> {
        Place { above: Some(self), step, parent: self.parent, field: self.field }
    }

    fn path(&self) -> Path {
        let mut segments = Vec::new();
        let mut here = Some(self);
        while let Some(place) = here {
            segments.extend(place.step.segment());
            here = place.above;
        }
        segments.reverse();
        Path::new(segments)
    }

    /// Whether this is a member of the object's own metadata, at `depth` below the top.
    fn is_at(&self, names: &[&str]) -> bool {
        let mut here = self;
        for &name in names.iter().rev() {
            match (here.step, here.above) {
                (Step::Field(field), Some(above)) if field == name => here = above,
                _ => return false,
            }
        }
        here.above.is_none()
    }
}

impl Step<'_> {
    fn segment(self) -> Option<Segment> {
        match self {
            Step::Root => None,
            Step::Field(name) => Some(Segment::Field(name.to_owned())),
            Step::Index(index) => Some(Segment::Index(index)),
            Step::Select(keys, texts) => Some(Segment::Select(selection(keys, texts))),
        }
    }
}

/// The keys worth saying: those that are not what goes without saying, and one at least.
fn selection(keys: &[&'static str], texts: &[String]) -> Vec<(String, String)> {
    let pairs = keys.iter().zip(texts).enumerate();
    pairs
        .filter(|(place, (key, text))| *place == 0 || !schema::is_default(key, text))
        .map(|(_, (&key, text))| (key.to_owned(), text.clone()))
        .collect()
}

struct Walk<'o> {
    resource: &'o str,
    options: &'o DiffOptions,
    changes: Vec<Change>,
}

impl Walk<'_> {
    fn value(&mut self, place: &Place<'_>, before: Option<&Value>, after: Option<&Value>) {
        let (before, after) = (present(before), present(after));
        if self.is_hidden(place) {
            return;
        }
        match (before, after) {
            (None, None) => {}
            (Some(Value::Object(before)), Some(Value::Object(after))) => self.members(place, before, after),
            (Some(Value::Array(before)), Some(Value::Array(after))) => self.elements(place, before, after),
            (Some(before), Some(after)) if same(before, after) => {}
            // These two are told member by member, for some of their members are not told at all.
            (None, Some(Value::Object(after))) if is_opened(place) => self.members(place, &Map::new(), after),
            (Some(Value::Object(before)), None) if is_opened(place) => self.members(place, before, &Map::new()),
            _ => self.change(place, before.cloned(), after.cloned()),
        }
    }

    fn change(&mut self, place: &Place<'_>, before: Option<Value>, after: Option<Value>) {
        self.changes.push(Change { path: place.path().to_string(), before, after });
    }

    fn is_hidden(&self, place: &Place<'_>) -> bool {
        let Step::Field(name) = place.step else { return false };
        match name {
            "managedFields" => !self.options.managed_fields && place.is_at(&["metadata", name]),
            LAST_APPLIED => !self.options.last_applied && place.is_at(&["metadata", "annotations", name]),
            "observedGeneration" => !self.options.server_fields && place.is_at(&["status", name]),
            _ => !self.options.server_fields && SERVER_FIELDS.contains(&name) && place.is_at(&["metadata", name]),
        }
    }

    fn members(&mut self, place: &Place<'_>, before: &Map<String, Value>, after: &Map<String, Value>) {
        for (name, value) in after {
            self.value(&place.member(name), before.get(name), Some(value));
        }
        for (name, value) in before {
            if !after.contains_key(name) {
                self.value(&place.member(name), Some(value), None);
            }
        }
    }

    fn elements(&mut self, place: &Place<'_>, before: &[Value], after: &[Value]) {
        for list in schema::readable(self.resource, place.parent, place.field) {
            match list {
                ListType::Map(keys) => {
                    if let (Some(before_keys), Some(after_keys)) = (keys_of(before, keys), keys_of(after, keys)) {
                        let (before, after) = (Keyed(before, &before_keys), Keyed(after, &after_keys));
                        return self.keyed(place, keys, &before, &after);
                    }
                }
                ListType::Set if before.iter().chain(after).all(Value::is_string) => {
                    return self.set(place, before, after);
                }
                _ => {}
            }
        }
        self.by_place(place, before, after);
    }

    fn keyed(&mut self, place: &Place<'_>, keys: &[&'static str], before: &Keyed<'_>, after: &Keyed<'_>) {
        let (old, new) = (before.places(), after.places());
        for (value, key) in after.iter() {
            let was = old.get(key).and_then(|&index| before.0.get(index));
            self.value(&place.element(Step::Select(keys, key)), was, Some(value));
        }
        for (value, key) in before.iter().filter(|(_, key)| !new.contains_key(key)) {
            self.value(&place.element(Step::Select(keys, key)), Some(value), None);
        }
        let order = |list: &Keyed<'_>, other: &HashMap<&[String], usize>| -> Vec<Value> {
            list.1.iter().filter(|key| other.contains_key(key.as_slice())).map(|key| key.join("/").into()).collect()
        };
        if ORDERED.contains(&place.field) {
            let (was, is) = (order(before, &new), order(after, &old));
            if was != is {
                self.change(place, Some(was.into()), Some(is.into()));
            }
        }
    }

    fn set(&mut self, place: &Place<'_>, before: &[Value], after: &[Value]) {
        let texts =
            |list: &[Value]| -> HashSet<String> { list.iter().filter_map(Value::as_str).map(str::to_owned).collect() };
        let (old, new) = (texts(before), texts(after));
        let missing = |set: &HashSet<String>, value: &Value| value.as_str().is_some_and(|text| !set.contains(text));
        for (index, value) in after.iter().enumerate().filter(|(_, value)| missing(&old, value)) {
            self.value(&place.element(Step::Index(index)), None, Some(value));
        }
        for (index, value) in before.iter().enumerate().filter(|(_, value)| missing(&new, value)) {
            self.value(&place.element(Step::Index(index)), Some(value), None);
        }
    }

    /// Leaves out what both begin and end with. If as many elements are left in both, each is compared with the
    /// one in its place; otherwise those of one were taken out and those of the other put in.
    fn by_place(&mut self, place: &Place<'_>, before: &[Value], after: &[Value]) {
        let head = before.iter().zip(after).take_while(|(before, after)| same(before, after)).count();
        let (before, after) = (before.get(head..).unwrap_or_default(), after.get(head..).unwrap_or_default());
        let tail =
            before.iter().rev().zip(after.iter().rev()).take_while(|(before, after)| same(before, after)).count();
        let before = before.get(..before.len() - tail).unwrap_or_default();
        let after = after.get(..after.len() - tail).unwrap_or_default();
        if before.len() == after.len() {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                self.value(&place.element(Step::Index(head + index)), Some(before), Some(after));
            }
            return;
        }
        for (index, value) in after.iter().enumerate() {
            self.value(&place.element(Step::Index(head + index)), None, Some(value));
        }
        for (index, value) in before.iter().enumerate() {
            self.value(&place.element(Step::Index(head + index)), Some(value), None);
        }
    }
}

/// A list and what tells its elements apart.
struct Keyed<'a>(&'a [Value], &'a [Vec<String>]);

impl Keyed<'_> {
    fn iter(&self) -> impl Iterator<Item = (&Value, &[String])> {
        self.0.iter().zip(self.1.iter().map(Vec::as_slice))
    }

    fn places(&self) -> HashMap<&[String], usize> {
        self.1.iter().enumerate().map(|(index, key)| (key.as_slice(), index)).collect()
    }
}

/// The keys of all elements, if each has one of its own.
fn keys_of(elements: &[Value], keys: &[&str]) -> Option<Vec<Vec<String>>> {
    let found: Vec<Vec<String>> =
        elements.iter().map(|element| schema::key_of(element, keys)).collect::<Option<_>>()?;
    let distinct: HashSet<&Vec<String>> = found.iter().collect();
    (distinct.len() == found.len()).then_some(found)
}

fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

fn is_opened(place: &Place<'_>) -> bool {
    place.is_at(&["metadata"]) || place.is_at(&["metadata", "annotations"]) || place.is_at(&["metadata", "labels"])
}

/// Whether two values mean the same: a `null` member is one that is absent, and `1` is `1.0`.
fn same(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let within = |one: &Map<String, Value>, other: &Map<String, Value>, deep: bool| {
                one.iter().all(|(name, value)| match present(other.get(name)) {
                    None => value.is_null(),
                    Some(found) => !deep || same(value, found),
                })
            };
            within(before, after, true) && within(after, before, false)
        }
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(before, after)| same(before, after))
        }
        (Value::Number(one), Value::Number(other)) => {
            one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
        }
        _ => before == after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The changes as lines: `+ path: after`, `- path: before`, `~ path: before -> after`.
    fn lines(resource: &str, before: &Value, after: &Value, options: &DiffOptions) -> Vec<String> {
        let line = |change: Change| match (change.before, change.after) {
            (None, Some(after)) => format!("+ {}: {after}", change.path),
            (Some(before), None) => format!("- {}: {before}", change.path),
            (before, after) => format!("~ {}: {} -> {}", change.path, before.unwrap(), after.unwrap()),
        };
        diff(resource, before, after, options).into_iter().map(line).collect()
    }

    fn told(resource: &str, before: Value, after: Value) -> Vec<String> {
        lines(resource, &before, &after, &DiffOptions::default())
    }

    #[test]
    fn fields() {
        assert_eq!(
            told(
                "deployments",
                json!({"spec": {"replicas": 2, "paused": true, "a": null, "n": 1}}),
                json!({"spec": {"replicas": 5, "minReadySeconds": 3, "n": 1.0}})
            ),
            ["~ spec.replicas: 2 -> 5", "+ spec.minReadySeconds: 3", "- spec.paused: true"]
        );
        let same = json!({"a": [1, {"b": []}], "c": {}});
        assert!(told("x", same.clone(), same).is_empty());
        assert_eq!(told("x", json!(1), json!({})), ["~ : 1 -> {}"]);
    }

    #[test]
    fn lists_with_keys() {
        assert_eq!(
            told(
                "pods",
                json!({"spec": {"containers": [
                    {"name": "app", "image": "a:1", "ports": [{"containerPort": 53}], "env": [{"name": "A", "value": "1"}]}]}}),
                json!({"spec": {"containers": [
                    {"name": "side", "image": "s:1"},
                    {"name": "app", "image": "a:2", "ports": [{"containerPort": 53, "protocol": "TCP"},
                        {"containerPort": 53, "protocol": "UDP"}], "env": [{"name": "B", "value": "2"}]}]}})
            ),
            [
                r#"+ spec.containers[name=side]: {"name":"side","image":"s:1"}"#,
                r#"~ spec.containers[name=app].image: "a:1" -> "a:2""#,
                r#"+ spec.containers[name=app].ports[containerPort=53].protocol: "TCP""#,
                r#"+ spec.containers[name=app].ports[containerPort=53,protocol=UDP]: {"containerPort":53,"protocol":"UDP"}"#,
                r#"+ spec.containers[name=app].env[name=B]: {"name":"B","value":"2"}"#,
                r#"- spec.containers[name=app].env[name=A]: {"name":"A","value":"1"}"#,
            ]
        );
    }

    #[test]
    fn order_is_told_where_it_means_something() {
        let pod = |field: &str, names: [&str; 2]| json!({"spec": {field: [{"name": names[0]}, {"name": names[1]}]}});
        assert!(told("pods", pod("containers", ["a", "b"]), pod("containers", ["b", "a"])).is_empty());
        assert_eq!(
            told("pods", pod("initContainers", ["a", "b"]), pod("initContainers", ["b", "a"])),
            [r#"~ spec.initContainers: ["a","b"] -> ["b","a"]"#]
        );
    }

    #[test]
    fn lists_without_keys() {
        let args = |list: Value| json!({"args": list});
        let cases = [
            (json!(["a", "b"]), json!(["a", "x", "b"]), vec![r#"+ args[1]: "x""#]),
            (json!(["a", "x", "b"]), json!(["a", "b"]), vec![r#"- args[1]: "x""#]),
            (json!(["a", "x", "b"]), json!(["a", "y", "b"]), vec![r#"~ args[1]: "x" -> "y""#]),
            (json!(["a", "b"]), json!(["x"]), vec![r#"+ args[0]: "x""#, r#"- args[0]: "a""#, r#"- args[1]: "b""#]),
            (json!([{"v": [1]}]), json!([{"v": [2]}]), vec!["~ args[0].v[0]: 1 -> 2"]),
            (json!([{"name": "a"}, {"name": "a"}]), json!([{"name": "a"}]), vec![r#"- args[1]: {"name":"a"}"#]),
        ];
        for (before, after, expected) in cases {
            assert_eq!(told("x", args(before), args(after)), expected);
        }
    }

    #[test]
    fn sets_have_no_order() {
        let object = |list: Value| json!({"metadata": {"finalizers": list}});
        assert!(told("pods", object(json!(["a", "b"])), object(json!(["b", "a"]))).is_empty());
        assert_eq!(
            told("pods", object(json!(["a", "b"])), object(json!(["c", "b"]))),
            [r#"+ metadata.finalizers[0]: "c""#, r#"- metadata.finalizers[0]: "a""#]
        );
    }

    #[test]
    fn what_the_server_counts_is_hidden_until_asked_for() {
        let before = json!({"metadata": {"name": "x", "resourceVersion": "1", "generation": 1}, "spec": {"uid": 1}});
        let after = json!({"metadata": {"name": "x", "resourceVersion": "2", "generation": 2, "managedFields": [],
            "annotations": {LAST_APPLIED: "{}", "a": "b"}}, "status": {"observedGeneration": 2}, "spec": {"uid": 2}});
        assert_eq!(
            told("x", before.clone(), after.clone()),
            [r#"+ metadata.annotations.a: "b""#, r#"+ status: {"observedGeneration":2}"#, "~ spec.uid: 1 -> 2"]
        );
        let all = DiffOptions { managed_fields: true, server_fields: true, last_applied: true };
        assert_eq!(lines("x", &before, &after, &all).len(), 7);
    }

    #[test]
    fn changed_paths_are_paths() {
        let before = json!({"a.b": {"c": 1}, "l": [{"name": "x]"}]});
        let after = json!({"a.b": {"c": 2}, "l": [{"name": "x]", "v": 1}]});
        for change in diff("x", &before, &after, &DiffOptions::default()) {
            let path = Path::parse(&change.path).unwrap();
            assert_eq!(path.values(&after), [change.after.as_ref().unwrap()], "{path}");
        }
    }

    #[test]
    fn long_lists_are_matched_in_linear_time() {
        let list = |from: usize| -> Value { (from..from + 50_000).map(|name| json!({"name": name})).collect() };
        let (before, after) = (json!({"l": list(0)}), json!({"l": list(25_000)}));
        assert_eq!(told("x", before, after).len(), 50_000);
    }
}
