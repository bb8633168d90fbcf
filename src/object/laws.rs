//! What holds for any two objects and any patch, tried on many that a generator makes up. It knows the words
//! that matter (lists with keys, directives), so that it meets what random words would not.

use serde_json::{Map, Value, json};

use super::patch::{self, Patch, PatchKind};
use super::replay::{Replay, Step};
use super::{DiffOptions, Path, diff, secret};

const NAMES: &[&str] = &[
    "metadata",
    "spec",
    "status",
    "containers",
    "env",
    "ports",
    "name",
    "finalizers",
    "conditions",
    "type",
    "data",
    "a",
    "a.b/c",
    "",
    "annotations",
    "managedFields",
    "containerPort",
    "selector",
    "replicas",
    "items",
];
const DIRECTIVES: &[&str] = &[
    "$patch",
    "$retainKeys",
    "$setElementOrder/containers",
    "$deleteFromPrimitiveList/finalizers",
    "$setElementOrder/finalizers",
];
const TEXTS: &[&str] = &["x", "y", "delete", "replace", "merge", "", "a]b", "TCP"];
const ALL: DiffOptions = DiffOptions { managed_fields: true, server_fields: true, last_applied: true };

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn value(&mut self, depth: usize, directives: bool) -> Value {
        match self.below(if depth == 0 { 4 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.below(3)),
            2 | 3 => json!(self.pick(TEXTS)),
            4 | 5 => (0..self.below(4)).map(|_| self.value(depth - 1, directives)).collect(),
            _ => Value::Object(self.members(depth - 1, directives)),
        }
    }

    fn members(&mut self, depth: usize, directives: bool) -> Map<String, Value> {
        let mut members = Map::new();
        for _ in 0..self.below(5) {
            let name = if directives && self.below(8) == 0 { self.pick(DIRECTIVES) } else { self.pick(NAMES) };
            members.insert(name.to_owned(), self.value(depth, directives));
        }
        members
    }

    fn object(&mut self, directives: bool) -> Value {
        Value::Object(self.members(5, directives))
    }

    fn pointer(&mut self) -> String {
        (0..self.below(4)).map(|_| format!("/{}", self.pick(&["metadata", "spec", "a", "0", "-", "a~1b"]))).collect()
    }

    fn operations(&mut self) -> Value {
        let operation = |dice: &mut Dice| {
            json!({"op": dice.pick(&["add", "remove", "replace", "move", "copy", "test"]), "path": dice.pointer(),
                "from": dice.pointer(), "value": dice.value(2, false)})
        };
        (0..self.below(4)).map(|_| operation(self)).collect()
    }
}

fn patched(kind: PatchKind, current: &Value, body: &Value) -> Option<Value> {
    let patch = Patch { kind, group: "", resource: "pods", subresource: "", manager: Some("x"), body };
    patch::apply(&patch, current).ok().map(|patched| patched.object)
}

#[test]
fn differences_are_found_and_only_those() {
    let mut dice = Dice(1);
    for _ in 0..4_000 {
        let (before, after) = (dice.object(false), dice.object(false));
        assert_eq!(diff("pods", &before, &before, &ALL), []);
        for change in diff("pods", &before, &after, &ALL) {
            let path = Path::parse(&change.path).unwrap_or_else(|_| Path::parse(".").unwrap());
            assert_eq!(path.to_string(), change.path, "{before} {after}");
            for (value, object) in [(&change.before, &before), (&change.after, &after)] {
                let Some(value) = value else { continue };
                let is_order = path.to_string().ends_with("env") && value.is_array();
                assert!(is_order || path.values(object).contains(&value), "{path} {object}");
            }
        }
    }
}

#[test]
fn a_merge_patch_changes_what_it_names_and_repeats_to_nothing() {
    let mut dice = Dice(2);
    for _ in 0..4_000 {
        let (current, patch) = (dice.object(false), dice.object(false));
        let once = patched(PatchKind::Merge, &current, &patch).unwrap();
        assert_eq!(patched(PatchKind::Merge, &once, &patch).unwrap(), once);
        let named: Vec<Value> = patch.as_object().unwrap().keys().map(|name| json!(name)).collect();
        for change in diff("things", &current, &once, &ALL) {
            let path = Path::parse(&change.path).unwrap();
            let top = match path.segments().first() {
                Some(super::path::Segment::Field(name)) => json!(name),
                other => panic!("{other:?}"),
            };
            assert!(named.contains(&top), "{path} {patch}");
        }
    }
}

#[test]
fn applying_twice_is_applying_once() {
    let mut dice = Dice(3);
    let mut applied = 0;
    for _ in 0..4_000 {
        let (current, body) = (dice.object(false), dice.object(false));
        let Some(once) = patched(PatchKind::Apply, &current, &body) else { continue };
        let Some(twice) = patched(PatchKind::Apply, &once, &body) else { continue };
        assert_eq!(diff("pods", &once, &twice, &ALL), [], "{current} {body}");
        applied += 1;
    }
    assert!(applied > 2_000, "{applied}");
}

#[test]
fn no_body_makes_it_panic() {
    let mut dice = Dice(4);
    for round in 0..4_000 {
        let current = dice.object(false);
        let body = if round % 3 == 0 { dice.operations() } else { dice.object(round % 2 == 0) };
        for kind in [PatchKind::Json, PatchKind::Merge, PatchKind::Strategic, PatchKind::Apply] {
            if let Some(mut object) = patched(kind, &current, &body) {
                diff("pods", &current, &object, &DiffOptions::default());
                secret::mask(&mut object, "secrets");
            }
        }
    }
}

#[test]
fn no_story_makes_it_panic() {
    let mut dice = Dice(5);
    let verbs = ["create", "update", "patch", "patch", "delete", "get", "deletecollection", "odd"];
    let subresources = ["", "", "", "status", "scale", "eviction", "binding", "finalize", "odd"];
    for _ in 0..500 {
        let mut replay = Replay::new(dice.pick(&["", "example.com"]), dice.pick(&["pods", "namespaces", "things"]));
        for _ in 0..20 {
            let mut body = |chance: usize| (dice.below(chance) > 0).then(|| dice.object(true));
            let (request, response) = (body(5), body(2));
            let version = replay.step(&Step {
                verb: dice.pick(&verbs).to_owned(),
                subresource: dice.pick(&subresources).to_owned(),
                code: Some([200, 201, 409][dice.below(3)]),
                request,
                response,
                uri_query: dice.pick(&["", "fieldManager=x&force=true", "dryRun=All"]).to_owned(),
                ..Step::default()
            });
            assert!(!version.gone || version.object.is_none() || version.object.as_ref().unwrap().is_object());
        }
    }
}
