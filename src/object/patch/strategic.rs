//! Strategic merge patch: a merge patch that knows which lists have keys, and understands directives.
//!
//! As `k8s.io/apimachinery/pkg/util/strategicpatch` does it. `$patch` replaces or deletes what it stands in,
//! `$retainKeys` names the members that may stay, `$deleteFromPrimitiveList/x` takes values out of list `x`,
//! `$setElementOrder/x` orders it. Elements of the list that the patch does not mention keep their order and
//! stand among the others as they did.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::super::schema::{self, ListType};
use super::Impossible;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// Whether a body holds a directive that only strategic merge patches have.
pub(super) fn has_directive(body: &Value) -> bool {
    match body {
        Value::Object(members) => members.iter().any(|(name, value)| is_directive(name) || has_directive(value)),
        Value::Array(elements) => elements.iter().any(has_directive),
        _ => false,
    }
}

fn is_directive(name: &str) -> bool {
    name == DIRECTIVE || name == RETAIN_KEYS || name.starts_with(SET_ORDER) || name.starts_with(DELETE_FROM)
}

/// Merges the members of a patch into those of an object of `resource`.
pub(super) fn apply(
    resource: &str,
    current: Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>, Impossible> {
    Merging { resource }.members("", current, patch)
}

struct Merging<'a> {
    resource: &'a str,
}

impl Merging<'_> {
    /// Merges what stands in `field`.
    fn members(
        &self,
        field: &str,
        mut merged: Map<String, Value>,
        patch: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Impossible> {
        match patch.get(DIRECTIVE).map(Value::as_str) {
            None | Some(Some("merge")) => {}
            Some(Some("replace")) => return Ok(without_directives(patch)),
            Some(Some("delete")) => return Ok(Map::new()),
            Some(_) => return Err(Impossible(format!("`{DIRECTIVE}` has a value that is not known"))),
        }
        if let Some(kept) = patch.get(RETAIN_KEYS) {
            let kept = list(kept, RETAIN_KEYS)?;
            let kept: HashSet<&str> = kept.iter().filter_map(Value::as_str).collect();
            merged.retain(|name, _| kept.contains(name.as_str()));
        }
        // The order of what the patch does not name is that of before the merge.
        let ordered_lists = patch.iter().filter_map(|(name, order)| Some((name.strip_prefix(SET_ORDER)?, order)));
        let before: Vec<(&str, &Value, Option<Value>)> =
            ordered_lists.map(|(name, order)| (name, order, merged.get(name).cloned())).collect();
        merged.retain(|name, _| !patch.get(name).is_some_and(Value::is_null));
        for (name, value) in patch {
            if let Some(name) = name.strip_prefix(DELETE_FROM) {
                self.delete_from(&mut merged, name, value)?;
            } else if !is_directive(name) && !value.is_null() {
                self.member(field, &mut merged, name, value)?;
            }
        }
        for (name, order, had) in before {
            let had = had.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            self.set_order(field, &mut merged, name, list(order, SET_ORDER)?, had);
        }
        Ok(merged)
    }

    fn member(
        &self,
        field: &str,
        merged: &mut Map<String, Value>,
        name: &str,
        patch: &Value,
    ) -> Result<(), Impossible> {
        let value = match (merged.get_mut(name).map(Value::take), patch) {
            (Some(Value::Object(was)), Value::Object(patch)) => Value::Object(self.members(name, was, patch)?),
            (_, Value::Object(patch)) => Value::Object(self.members(name, Map::new(), patch)?),
            (was, Value::Array(patch)) => {
                let was = if let Some(Value::Array(was)) = was { was } else { Vec::new() };
                Value::Array(self.elements(field, name, was, patch)?)
            }
            (_, patch) => patch.clone(),
        };
        merged.insert(name.to_owned(), value);
        Ok(())
    }

    fn elements(&self, parent: &str, field: &str, was: Vec<Value>, patch: &[Value]) -> Result<Vec<Value>, Impossible> {
        match schema::strategic(self.resource, parent, field) {
            ListType::Map([key, ..]) => self.keyed(field, key, was, patch),
            ListType::Set => {
                let mut merged = was.clone();
                let known: HashSet<String> = was.iter().map(Value::to_string).collect();
                merged.extend(patch.iter().filter(|value| !known.contains(&value.to_string())).cloned());
                Ok(ordered(merged, patch, &was, Value::to_string))
            }
            _ => Ok(patch.iter().filter(|element| !is_special(element)).map(cleaned).collect()),
        }
    }

    /// Merges a list of objects that are told apart by `key`.
    fn keyed(&self, field: &str, key: &str, mut was: Vec<Value>, patch: &[Value]) -> Result<Vec<Value>, Impossible> {
        let key_of = |element: &Value| {
            let found = element.get(key).map(Value::to_string);
            found.ok_or_else(|| Impossible(format!("an element of `{field}` has no `{key}`")))
        };
        let mut deleted = HashSet::new();
        for element in patch {
            match element.get(DIRECTIVE).map(Value::as_str) {
                Some(Some("delete")) => {
                    deleted.insert(key_of(element)?);
                }
                Some(Some("replace")) => {
                    return Ok(patch.iter().filter(|element| !is_special(element)).map(cleaned).collect());
                }
                Some(_) => return Err(Impossible(format!("`{DIRECTIVE}` has a value that is not known"))),
                None => {}
            }
        }
        was.retain(|element| key_of(element).is_ok_and(|key| !deleted.contains(&key)));
        let mut places = HashMap::new();
        for (place, element) in was.iter().enumerate() {
            places.entry(key_of(element)?).or_insert(place);
        }
        let mut merged = was.clone();
        let wanted: Vec<&Value> = patch.iter().filter(|element| !is_special(element)).collect();
        for element in &wanted {
            let members = element.as_object().ok_or_else(|| Impossible(format!("`{field}` holds no objects")))?;
            match places.get(&key_of(element)?).and_then(|&place| merged.get_mut(place)) {
                Some(Value::Object(found)) => *found = self.members(field, std::mem::take(found), members)?,
                _ => {
                    places.insert(key_of(element)?, merged.len());
                    merged.push(Value::Object(self.members(field, Map::new(), members)?));
                }
            }
        }
        let wanted: Vec<Value> = wanted.into_iter().cloned().collect();
        Ok(ordered(merged, &wanted, &was, |element| key_of(element).unwrap_or_default()))
    }

    fn delete_from(&self, merged: &mut Map<String, Value>, name: &str, gone: &Value) -> Result<(), Impossible> {
        let gone: HashSet<String> = list(gone, DELETE_FROM)?.iter().map(Value::to_string).collect();
        if let Some(Value::Array(elements)) = merged.get_mut(name) {
            elements.retain(|element| !gone.contains(&element.to_string()));
        }
        Ok(())
    }

    fn set_order(&self, parent: &str, merged: &mut Map<String, Value>, name: &str, order: &[Value], had: &[Value]) {
        let Some(Value::Array(elements)) = merged.get_mut(name) else { return };
        let merged = std::mem::take(elements);
        *elements = match schema::strategic(self.resource, parent, name) {
            ListType::Map([key, ..]) => {
                let key_of = |element: &Value| element.get(key).map(Value::to_string).unwrap_or_default();
                ordered(merged, order, had, key_of)
            }
            ListType::Set => ordered(merged, order, had, Value::to_string),
            _ => merged,
        };
    }
}

/// The elements in the order that the patch gives to those it names; the others in the order they had, each in
/// front of the first it stood in front of before.
fn ordered<K: Fn(&Value) -> String>(merged: Vec<Value>, patch: &[Value], was: &[Value], key_of: K) -> Vec<Value> {
    let places = |list: &[Value]| -> HashMap<String, usize> {
        list.iter().enumerate().rev().map(|(place, element)| (key_of(element), place)).collect()
    };
    let (wanted, had) = (places(patch), places(was));
    let (mut named, others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|element| wanted.contains_key(&key_of(element)));
    named.sort_by_key(|element| wanted.get(&key_of(element)).copied());
    let mut all = Vec::with_capacity(named.len() + others.len());
    let mut others = others.into_iter().peekable();
    for element in named {
        let place = had.get(&key_of(&element));
        while let Some(other) = others
            .next_if(|other| matches!((had.get(&key_of(other)), place), (Some(other), Some(place)) if other < place))
        {
            all.push(other);
        }
        all.push(element);
    }
    all.extend(others);
    all
}

fn list<'v>(value: &'v Value, directive: &str) -> Result<&'v [Value], Impossible> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| Impossible(format!("`{directive}` holds no list")))
}

fn is_special(element: &Value) -> bool {
    element.get(DIRECTIVE).is_some()
}

fn without_directives(members: &Map<String, Value>) -> Map<String, Value> {
    let kept = members.iter().filter(|(name, value)| !is_directive(name) && !value.is_null());
    kept.map(|(name, value)| (name.clone(), cleaned(value))).collect()
}

/// A value that the patch puts in whole, without what it only says to the server.
fn cleaned(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(without_directives(members)),
        Value::Array(elements) => Value::Array(elements.iter().map(cleaned).collect()),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Impossible, Patch, PatchKind, Patched, apply};
    use serde_json::{Value, json};

    fn result(resource: &str, current: &Value, body: &Value) -> Result<Patched, Impossible> {
        let kind = PatchKind::Strategic;
        apply(&Patch { kind, group: "", resource, subresource: "", manager: None, body }, current)
    }

    fn patched(resource: &str, current: Value, patch: Value) -> Value {
        result(resource, &current, &patch).unwrap().object
    }

    fn spec(spec: Value) -> Value {
        json!({"spec": spec})
    }

    #[test]
    fn lists_with_keys_are_merged() {
        let current =
            json!([{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "1"}]);
        let cases = [
            (json!([{"name": "b", "image": "2"}]), json!([current[0], {"name": "b", "image": "2"}])),
            (json!([{"name": "c"}]), json!([{"name": "c"}, current[0], current[1]])),
            (json!([{"name": "a", "$patch": "delete"}]), json!([current[1]])),
            (json!([{"$patch": "replace"}, {"name": "c"}]), json!([{"name": "c"}])),
            (json!([{"name": "b", "image": null}]), json!([current[0], {"name": "b"}])),
            (
                json!([{"name": "a", "env": [{"name": "X", "value": "2"}]}]),
                json!([{"name": "a", "image": "1", "env": [{"name": "X", "value": "2"}]}, current[1]]),
            ),
        ];
        for (patch, expected) in cases {
            let result = patched("pods", spec(json!({"containers": current})), spec(json!({"containers": patch})));
            assert_eq!(result, spec(json!({"containers": expected})), "{patch}");
        }
    }

    #[test]
    fn the_order_asked_for_is_kept() {
        let current = json!([{"name": "a"}, {"name": "b"}, {"name": "c"}]);
        let patch = json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "d"}, {"name": "a"}], "containers": [{"name": "d", "image": "1"}]});
        let result = patched("pods", spec(json!({"containers": current})), spec(patch));
        let names: Vec<_> =
            result["spec"]["containers"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["b", "c", "d", "a"]);
    }

    #[test]
    fn scalars_are_merged_or_replaced() {
        let object = |list: Value| json!({"metadata": {"finalizers": list}});
        assert_eq!(
            patched("pods", object(json!(["a", "b"])), object(json!(["c", "b"]))),
            object(json!(["c", "a", "b"]))
        );
        let patch =
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["b"]}});
        assert_eq!(patched("pods", object(json!(["a", "b"])), patch), object(json!(["b"])));
        assert_eq!(
            patched("pods", spec(json!({"args": ["a", "b"]})), spec(json!({"args": ["c"]}))),
            spec(json!({"args": ["c"]}))
        );
    }

    #[test]
    fn directives_on_objects() {
        let current = spec(json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}));
        assert_eq!(
            patched(
                "deployments",
                current.clone(),
                spec(json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}))
            ),
            spec(json!({"strategy": {"type": "Recreate"}}))
        );
        assert_eq!(
            patched(
                "deployments",
                current.clone(),
                spec(json!({"strategy": {"$patch": "replace", "type": "Recreate"}}))
            ),
            spec(json!({"strategy": {"type": "Recreate"}}))
        );
        assert_eq!(
            patched("deployments", current.clone(), spec(json!({"strategy": {"$patch": "delete"}}))),
            spec(json!({"strategy": {}}))
        );
        assert_eq!(patched("deployments", current, json!({"spec": {"strategy": null}})), spec(json!({})));
    }

    #[test]
    fn ports_have_one_key() {
        let current = spec(json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 80}]}));
        assert_eq!(
            patched("services", current, spec(json!({"ports": [{"port": 80, "targetPort": 8080}]}))),
            spec(json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 80, "targetPort": 8080}]}))
        );
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for patch in [
            json!({"spec": {"containers": [{"image": "x"}]}}),
            json!({"spec": {"containers": ["x"]}}),
            json!({"spec": {"$patch": "explode"}}),
            json!({"spec": {"$retainKeys": 1}}),
            json!({"$setElementOrder/x": 1}),
            json!([]),
        ] {
            assert!(result("pods", &json!({"spec": {}}), &patch).is_err(), "{patch}");
        }
    }
}
