//! What a patch makes of an object: JSON patch, merge patch, strategic merge patch, server-side apply.
//!
//! A file for each that is more than a few lines. None of them guesses: where the result cannot be known the
//! answer is [`Impossible`], and what was assumed on the way is in the notes.

mod json;

use serde_json::{Map, Value};

use super::MAX_DEPTH;

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

/// What `patch` makes of `current`, an object of `resource` (`deployments`) in `group` (`apps`).
pub fn apply(
    kind: PatchKind,
    _group: &str,
    _resource: &str,
    current: &Value,
    patch: &Value,
) -> Result<Value, Impossible> {
    let patched = match kind {
        PatchKind::Json => json::apply(current, patch)?,
        PatchKind::Merge => {
            object(patch)?;
            merge(current.clone(), patch)
        }
        PatchKind::Strategic | PatchKind::Apply => {
            return Err(Impossible(format!("a {} is not understood", kind.name())));
        }
    };
    Ok(patched)
}

/// The patch as the object it must be.
fn object(patch: &Value) -> Result<&Map<String, Value>, Impossible> {
    patch.as_object().ok_or_else(|| Impossible("the patch is no object".to_owned()))
}

/// RFC 7386. Members keep their order, which is why `json-patch`'s own is not used.
fn merge(current: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut merged = match current {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            merged.shift_remove(name);
        } else {
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
            let result = apply(PatchKind::Merge, "", "configmaps", &current, &patch).unwrap();
            assert_eq!(result.to_string(), expected.to_string(), "{current} {patch}");
        }
    }

    #[test]
    fn members_keep_their_order() {
        let current = json!({"a": 1, "b": 2, "c": 3, "d": 4});
        let result = apply(PatchKind::Merge, "", "x", &current, &json!({"b": null, "a": 9})).unwrap();
        assert_eq!(result.to_string(), r#"{"a":9,"c":3,"d":4}"#);
    }
}
