//! JSON patch, RFC 6902, by the crate `json-patch`; here are its limits and the order of members.

use json_patch::{
    PatchOperation,
    jsonptr::{Pointer, PointerBuf},
};
use serde_json::{Map, Value};

use super::{Impossible, bounded, depth};

/// The API server refuses patches with more operations.
const MAX_OPERATIONS: usize = 10_000;

/// How many values the operations of one patch may copy and move. A few bytes of `copy` double an object each
/// time; the API server has a limit too.
const MAX_COPIED: usize = 1_000_000;

pub(super) fn apply(current: &Value, patch: &Value) -> Result<Value, Impossible> {
    // The reader's own words would repeat values, which may be a Secret's.
    let operations: Vec<PatchOperation> = serde_json::from_value(patch.clone())
        .map_err(|_| Impossible("the JSON patch holds what is no operation".to_owned()))?;
    if operations.len() > MAX_OPERATIONS {
        return Err(Impossible(format!("the JSON patch has more than {MAX_OPERATIONS} operations")));
    }
    let mut patched = current.clone();
    let mut copied = 0;
    for (place, operation) in operations.into_iter().enumerate() {
        let operation = resolved(operation, &patched);
        limit(&operation, &patched, &mut copied)?;
        json_patch::patch(&mut patched, std::slice::from_ref(&operation)).map_err(|error| {
            let (path, kind) = (error.path, error.kind);
            Impossible(format!("operation {} of the JSON patch, at `{path}`: {kind}", place + 1))
        })?;
    }
    Ok(in_order_of(patched, current))
}

/// Refuses an operation that would make the object too deep or too large.
fn limit(operation: &PatchOperation, object: &Value, copied: &mut usize) -> Result<(), Impossible> {
    let (from, value, to) = match operation {
        PatchOperation::Add(add) => (None, Some(&add.value), &add.path),
        PatchOperation::Replace(replace) => (None, Some(&replace.value), &replace.path),
        PatchOperation::Move(moved) => (Some(&moved.from), object.pointer(moved.from.as_str()), &moved.path),
        PatchOperation::Copy(copy) => (Some(&copy.from), object.pointer(copy.from.as_str()), &copy.path),
        PatchOperation::Remove(remove) => (None, None, &remove.path),
        PatchOperation::Test(_) => return Ok(()),
    };
    *copied += pushed(object, to.as_str());
    if let Some(from) = from {
        *copied += value.map_or(0, size) + pushed(object, from.as_str());
    }
    if *copied > MAX_COPIED {
        return Err(Impossible("the JSON patch copies too much".to_owned()));
    }
    let Some(value) = value else { return Ok(()) };
    let to: &Pointer = to;
    bounded(to.count() + depth(value))
}

/// How many elements make room, or close the gap, where one is put into a list or taken out.
fn pushed(object: &Value, pointer: &str) -> usize {
    let Some((list, last)) = pointer.rsplit_once('/') else { return 0 };
    let list = object.pointer(list).and_then(Value::as_array);
    list.zip(last.parse::<usize>().ok()).map_or(0, |(list, index)| list.len().saturating_sub(index))
}

/// The API server counts negative indices from the end of a list, which the standard does not.
fn resolved(mut operation: PatchOperation, object: &Value) -> PatchOperation {
    let resolve = |pointer: &mut PointerBuf, adds: bool| {
        if let Some(found) = from_the_front(pointer.as_str(), object, adds) {
            *pointer = found;
        }
    };
    match &mut operation {
        PatchOperation::Add(add) => resolve(&mut add.path, true),
        PatchOperation::Remove(remove) => resolve(&mut remove.path, false),
        PatchOperation::Replace(replace) => resolve(&mut replace.path, false),
        PatchOperation::Test(test) => resolve(&mut test.path, false),
        PatchOperation::Copy(copy) => {
            resolve(&mut copy.from, false);
            resolve(&mut copy.path, true);
        }
        PatchOperation::Move(moved) => {
            resolve(&mut moved.from, false);
            // What is moved within a list is taken out first, which leaves one place less.
            let list = |pointer: &PointerBuf| pointer.as_str().rsplit_once('/').map(|(list, _)| list.to_owned());
            let same = list(&moved.from) == list(&moved.path);
            resolve(&mut moved.path, !same);
        }
    }
    operation
}

/// A pointer without negative indices; nothing if it has none that fit. In front of what is added there is one
/// place more to count.
fn from_the_front(pointer: &str, object: &Value, adds: bool) -> Option<PointerBuf> {
    if !pointer.contains("/-") {
        return None;
    }
    let mut found = String::new();
    let mut changed = false;
    let mut tokens = pointer.split('/').skip(1).peekable();
    while let Some(token) = tokens.next() {
        let list = token.strip_prefix('-').zip(object.pointer(&found).and_then(Value::as_array));
        let back = list.and_then(|(digits, list)| Some((digits.parse::<usize>().ok()?, list.len())));
        found.push('/');
        match back {
            Some((back, length)) => {
                let places = length + usize::from(adds && tokens.peek().is_none());
                found.push_str(&places.checked_sub(back)?.to_string());
                changed = true;
            }
            None => found.push_str(token),
        }
    }
    if changed { PointerBuf::parse(found).ok() } else { None }
}

/// How many values there are in a value.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(size).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// The same value with members in the order they have in `model`, new ones behind: removing a member moves the
/// last one into its place, and nobody wants to read that as a change.
fn in_order_of(value: Value, model: &Value) -> Value {
    match (value, model) {
        (Value::Object(mut members), Value::Object(model)) => {
            let mut ordered = Map::new();
            for (name, model) in model {
                if let Some(value) = members.get_mut(name).map(Value::take) {
                    ordered.insert(name.clone(), in_order_of(value, model));
                }
            }
            for (name, value) in members {
                ordered.entry(name).or_insert(value);
            }
            Value::Object(ordered)
        }
        (Value::Array(elements), Value::Array(model)) => {
            let models = model.iter().map(Some).chain(std::iter::repeat(None));
            let ordered = elements.into_iter().zip(models);
            Value::Array(ordered.map(|(value, model)| in_order_of(value, model.unwrap_or(&Value::Null))).collect())
        }
        (value, _) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_of_the_standard() {
        let cases = [
            (json!({"a": 1}), json!([{"op": "add", "path": "/b", "value": 2}]), json!({"a": 1, "b": 2})),
            (json!({"a": [1, 3]}), json!([{"op": "add", "path": "/a/1", "value": 2}]), json!({"a": [1, 2, 3]})),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), json!({"a": [1, 2]})),
            (json!({"a": 1, "b": 2}), json!([{"op": "remove", "path": "/a"}]), json!({"b": 2})),
            (json!({"a": [1, 2]}), json!([{"op": "remove", "path": "/a/0"}]), json!({"a": [2]})),
            (json!({"a": 1}), json!([{"op": "replace", "path": "/a", "value": null}]), json!({"a": null})),
            (
                json!({"a": {"x": 1}, "b": {}}),
                json!([{"op": "move", "from": "/a/x", "path": "/b/y"}]),
                json!({"a": {}, "b": {"y": 1}}),
            ),
            (
                json!({"a": {"x": 1}}),
                json!([{"op": "copy", "from": "/a", "path": "/b"}]),
                json!({"a": {"x": 1}, "b": {"x": 1}}),
            ),
            (
                json!({"a~b/c": 1}),
                json!([{"op": "test", "path": "/a~0b~1c", "value": 1}, {"op": "replace", "path": "/a~0b~1c", "value": 2}]),
                json!({"a~b/c": 2}),
            ),
            (json!({"a": 1}), json!([]), json!({"a": 1})),
            // What the API server understands beyond it.
            (json!({"a": [1, 2]}), json!([{"op": "remove", "path": "/a/-1"}]), json!({"a": [1]})),
            (json!({"a": [1, 2]}), json!([{"op": "replace", "path": "/a/-2", "value": 3}]), json!({"a": [3, 2]})),
            (json!({"a": [1, 2]}), json!([{"op": "add", "path": "/a/-1", "value": 3}]), json!({"a": [1, 2, 3]})),
            (json!({"a": [1, 2]}), json!([{"op": "add", "path": "/a/-2", "value": 3}]), json!({"a": [1, 3, 2]})),
            (json!({"a": [1, 2]}), json!([{"op": "move", "from": "/a/0", "path": "/a/-1"}]), json!({"a": [2, 1]})),
            (
                json!({"a": [{"b": [1]}, {"b": [2]}]}),
                json!([{"op": "remove", "path": "/a/-1/b/-1"}]),
                json!({"a": [{"b": [1]}, {"b": []}]}),
            ),
            (json!({"-1": 1}), json!([{"op": "remove", "path": "/-1"}]), json!({})),
        ];
        for (current, patch, expected) in cases {
            assert_eq!(apply(&current, &patch).unwrap(), expected, "{patch}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let current = json!({"a": 1, "l": [1]});
        for patch in [
            json!([{"op": "remove", "path": "/none"}]),
            json!([{"op": "replace", "path": "/none", "value": 1}]),
            json!([{"op": "test", "path": "/a", "value": 2}]),
            json!([{"op": "add", "path": "/l/7", "value": 2}]),
            json!([{"op": "add", "path": "/no/where", "value": 2}]),
            json!([{"op": "nonsense", "path": "/a"}]),
            json!([{"op": "remove", "path": "/l/-2"}]),
            json!([{"path": "/a"}]),
            json!({"a": 1}),
            json!("x"),
        ] {
            assert!(apply(&current, &patch).is_err(), "{patch}");
        }
    }

    #[test]
    fn members_keep_their_order() {
        let current = json!({"a": 1, "b": {"x": 1, "y": 2, "z": 3}, "c": 3, "d": 4});
        let patch = json!([{"op": "remove", "path": "/a"}, {"op": "remove", "path": "/b/x"}, {"op": "add", "path": "/e", "value": 5}]);
        assert_eq!(apply(&current, &patch).unwrap().to_string(), r#"{"b":{"y":2,"z":3},"c":3,"d":4,"e":5}"#);
    }

    #[test]
    fn long_lists_are_not_moved_again_and_again() {
        let long: Vec<usize> = (0..200_000).collect();
        let body = json!(vec![json!({"op": "remove", "path": "/l/0"}); 10_000]);
        assert!(apply(&json!({"l": long}), &body).is_err());
        assert!(apply(&json!({"l": vec![0; 400]}), &json!(body.as_array().unwrap()[..400])).is_ok());
    }

    #[test]
    fn patches_cannot_explode() {
        let copies: Vec<Value> =
            (0..64).map(|round| json!({"op": "copy", "from": "", "path": format!("/a{round}")})).collect();
        assert!(apply(&json!({"x": 1}), &json!(copies)).is_err());
        let nested: Vec<Value> =
            (1..1000).map(|round| json!({"op": "add", "path": "/a".repeat(round), "value": {}})).collect();
        assert!(apply(&json!({}), &json!(nested)).is_err());
        assert!(apply(&json!({}), &json!(vec![json!({"op": "remove", "path": "/a"}); 10_001])).is_err());
    }
}
