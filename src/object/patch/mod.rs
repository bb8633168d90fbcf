//! What a patch makes of an object: JSON patch, merge patch, strategic merge patch, server-side apply.
//!
//! A file for each that is more than a few lines. None of them guesses: where the result cannot be known the
//! answer is [`Impossible`], and what was assumed on the way is in the notes.

mod asked;
mod fields;
mod json;
mod kind;
mod server_side;
mod strategic;

use serde_json::{Map, Value};

use super::MAX_DEPTH;

pub use asked::asked;
pub(super) use fields::{Fields, Types};
pub use kind::{Recognised, patch_kind};

/// The four ways in which the API server lets an object be patched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PatchKind {
    /// A list of operations, RFC 6902.
    Json,
    /// Members to set, `null` to remove; lists are replaced. RFC 7386.
    Merge,
    /// The same, with lists merged by their keys, and directives.
    Strategic,
    /// All that the manager wants of the object; what it wanted before and no longer does goes away.
    Apply,
}

impl PatchKind {
    /// What Kubernetes calls it.
    pub fn name(self) -> &'static str {
        match self {
            PatchKind::Json => "JSON patch",
            PatchKind::Merge => "merge patch",
            PatchKind::Strategic => "strategic merge patch",
            PatchKind::Apply => "server-side apply",
        }
    }
}

/// Why the result of a patch cannot be known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Impossible(pub String);

impl std::fmt::Display for Impossible {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Impossible {}

/// A patch as it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Patch<'a> {
    /// Its kind; [`patch_kind`] tells it from the body.
    pub kind: PatchKind,
    /// The API group of the object (`apps`), empty for the core group.
    pub group: &'a str,
    /// The resource of the object (`deployments`).
    pub resource: &'a str,
    /// The subresource that was patched (`status`), empty for the object itself.
    pub subresource: &'a str,
    /// Who manages the fields (`fieldManager`), as far as it is known.
    pub manager: Option<&'a str>,
    /// What was sent.
    pub body: &'a Value,
}

/// What a patch made of an object.
#[derive(Clone, PartialEq, Debug)]
pub struct Patched {
    /// The object after it.
    pub object: Value,
    /// What had to be left open.
    pub notes: Vec<String>,
}

/// What a patch makes of `current`.
pub fn apply(patch: &Patch<'_>, current: &Value) -> Result<Patched, Impossible> {
    bounded(depth(current).max(depth(patch.body)))?;
    let exactly = |object| Patched { object, notes: Vec::new() };
    match patch.kind {
        PatchKind::Json => json::apply(current, patch.body).map(exactly),
        PatchKind::Merge => {
            object(patch.body, "patch")?;
            Ok(exactly(merge(current.clone(), patch.body)))
        }
        PatchKind::Strategic => {
            let members = object(current, "object")?.clone();
            let merged = strategic::apply(patch.resource, members, object(patch.body, "patch")?)?;
            Ok(exactly(Value::Object(merged)))
        }
        PatchKind::Apply => server_side::apply(patch, object(current, "object")?, object(patch.body, "patch")?),
    }
}

fn object<'v>(value: &'v Value, what: &str) -> Result<&'v Map<String, Value>, Impossible> {
    value.as_object().ok_or_else(|| Impossible(format!("the {what} is no JSON object")))
}

/// RFC 7386. Members keep their order, which is why `json-patch`'s own is not used.
fn merge(current: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut merged = match current {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    merged.retain(|name, _| !patch.get(name).is_some_and(Value::is_null));
    for (name, value) in patch {
        if !value.is_null() {
            let was = merged.get_mut(name).map(Value::take).unwrap_or_default();
            merged.insert(name.clone(), merge(was, value));
        }
    }
    Value::Object(merged)
}

/// How deep a value nests.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Refuses what nests deeper than anything the API server would have accepted.
fn bounded(levels: usize) -> Result<(), Impossible> {
    if levels > MAX_DEPTH { Err(Impossible("the patch nests too deep".to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(current: &Value, body: &Value) -> Value {
        let patch =
            Patch { kind: PatchKind::Merge, group: "", resource: "configmaps", subresource: "", manager: None, body };
        apply(&patch, current).unwrap().object
    }

    #[test]
    fn merge_patches_of_the_standard() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (current, patch, expected) in cases {
            assert_eq!(merged(&current, &patch).to_string(), expected.to_string(), "{current} {patch}");
        }
    }

    #[test]
    fn members_keep_their_order() {
        let current = json!({"a": 1, "b": 2, "c": 3, "d": 4});
        let result = merged(&current, &json!({"b": null, "a": 9}));
        assert_eq!(result.to_string(), r#"{"a":9,"c":3,"d":4}"#);
    }
}
