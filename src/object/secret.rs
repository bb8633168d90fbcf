//! What must not be shown: the contents of Secrets, and tokens.
//!
//! A hidden value becomes `<hidden, 24 bytes>`. Two of the same length then look alike, so changes are found
//! first and masked after ([`mask_changes`]): that something changed stays visible, what it is does not.
//! `kubectl apply` repeats a Secret in an annotation, which is hidden as well.

use serde_json::Value;

use super::diff::{Change, LAST_APPLIED};
use super::path::{Path, Segment};

/// Hides what an object of this resource (`secrets`) must not show.
pub fn mask(value: &mut Value, resource: &str) {
    for rule in rules(resource) {
        hide(value, &rule);
    }
}

/// Hides it in the changes of such an object.
pub fn mask_changes(changes: &mut [Change], resource: &str) {
    let rules = rules(resource);
    for change in changes.iter_mut().filter(|_| !rules.is_empty()) {
        let values = change.before.iter_mut().chain(&mut change.after);
        let path = match Path::parse(&change.path) {
            Ok(path) => path.segments().to_vec(),
            Err(_) if change.path.is_empty() => Vec::new(),
            // Too long to be read: nobody knows what it is.
            Err(_) => {
                values.for_each(|value| hide(value, &[]));
                continue;
            }
        };
        for rule in &rules {
            let shared =
                path.iter().zip(rule).take_while(|(step, rule)| rule.includes(step) || step.includes(rule)).count();
            if shared == path.len() || shared == rule.len() {
                let rest = rule.get(shared..).unwrap_or_default();
                change.before.iter_mut().chain(&mut change.after).for_each(|value| hide(value, rest));
            }
        }
    }
}

/// Whether objects of this resource have something to hide.
pub fn has_secrets(resource: &str) -> bool {
    !rules(resource).is_empty()
}

/// Where what is hidden stands in objects of this resource, and in lists and tables of them.
fn rules(resource: &str) -> Vec<Vec<Segment>> {
    let paths: &[&[&str]] = match resource {
        "secrets" => &[&["data", "*"], &["stringData", "*"], &["metadata", "annotations", LAST_APPLIED]],
        "serviceaccounts" | "tokenrequests" => &[&["status", "token"]],
        "tokenreviews" => &[&["spec", "token"]],
        _ => &[],
    };
    let step = |&name: &&str| if name == "*" { Segment::All } else { Segment::Field(name.to_owned()) };
    let one = paths.iter().map(|path| path.iter().map(step).collect::<Vec<_>>());
    let field = |name: &str| Segment::Field(name.to_owned());
    let listed = one.clone().map(|path| [field("items"), Segment::All].into_iter().chain(path).collect());
    // kubectl asks for tables, whose rows have the objects beside what is printed.
    let rows = [field("rows"), Segment::All, field("object")];
    let in_tables = one.clone().map(|path| rows.clone().into_iter().chain(path).collect());
    one.chain(listed).chain(in_tables).collect()
}

fn hide(value: &mut Value, rule: &[Segment]) {
    let Some((step, rest)) = rule.split_first() else {
        *value = Value::String(marker(value));
        return;
    };
    match (step, value) {
        (Segment::Field(name), Value::Object(members)) => {
            if let Some(value) = members.get_mut(name) {
                hide(value, rest);
            }
        }
        (Segment::All, Value::Object(members)) => members.values_mut().for_each(|value| hide(value, rest)),
        (Segment::All, Value::Array(elements)) => elements.iter_mut().for_each(|value| hide(value, rest)),
        // Where the API has an object and the body a text, the text is what would have been in it.
        (Segment::All, value @ Value::String(_)) if rest.is_empty() => hide(value, rest),
        _ => {}
    }
}

fn marker(value: &Value) -> String {
    match value {
        Value::String(text) if is_marker(text) => text.clone(),
        Value::String(text) => format!("<hidden, {} bytes>", text.len()),
        other => format!("<hidden, {} bytes>", other.to_string().len()),
    }
}

fn is_marker(text: &str) -> bool {
    let inner = text.strip_prefix("<hidden, ").and_then(|text| text.strip_suffix(" bytes>"));
    inner.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::{DiffOptions, diff};
    use super::*;
    use serde_json::json;

    fn secret(password: &str) -> Value {
        json!({
            "kind": "Secret",
            "metadata": {"name": "db", "annotations": {LAST_APPLIED: format!("{{\"data\":\"{password}\"}}"), "team": "shop"}},
            "type": "Opaque",
            "data": {"password": password},
            "stringData": {"password": password},
        })
    }

    #[test]
    fn what_stands_too_deep_to_be_named_is_hidden() {
        let name = "n".repeat(5_000);
        let (before, after) = (json!({"data": {name.clone(): "first"}}), json!({"data": {name: "second"}}));
        let mut changes = diff("secrets", &before, &after, &DiffOptions::default());
        mask_changes(&mut changes, "secrets");
        assert!(!format!("{changes:?}").contains("first"), "{changes:?}");
        assert!(!format!("{changes:?}").contains("second"), "{changes:?}");
    }

    #[test]
    fn secrets_are_hidden() {
        let mut value = secret("aHVudGVyMg==");
        mask(&mut value, "secrets");
        assert!(!value.to_string().contains("aHVudGVyMg"), "{value}");
        assert_eq!(value["data"]["password"], "<hidden, 12 bytes>");
        assert_eq!((&value["type"], &value["metadata"]["annotations"]["team"]), (&json!("Opaque"), &json!("shop")));
        let once = value.clone();
        mask(&mut value, "secrets");
        assert_eq!(value, once);
    }

    #[test]
    fn lists_and_odd_bodies_are_hidden() {
        for mut value in [
            json!({"items": [{"data": {"a": "hunter2"}}]}),
            json!({"rows": [{"object": {"data": {"a": "hunter2"}, "metadata": {"annotations": {LAST_APPLIED: "hunter2"}}}}]}),
            json!({"data": ["hunter2"]}),
            json!({"data": "hunter2"}),
            json!({"data": {"a": {"b": "hunter2"}}}),
        ] {
            mask(&mut value, "secrets");
            assert!(!value.to_string().contains("hunter2"), "{value}");
        }
        let mut token = json!({"kind": "TokenRequest", "status": {"token": "hunter2"}});
        mask(&mut token, "serviceaccounts");
        assert_eq!(token["status"]["token"], "<hidden, 7 bytes>");
        let mut map = json!({"data": {"a": "b"}});
        mask(&mut map, "configmaps");
        assert_eq!(map["data"]["a"], "b");
    }

    #[test]
    fn a_change_stays_visible() {
        let options = DiffOptions { last_applied: true, ..DiffOptions::default() };
        let masked = |before: &Value, after: &Value| {
            let mut changes = diff("secrets", before, after, &options);
            mask_changes(&mut changes, "secrets");
            changes
        };
        let changes = masked(&secret("hunter2"), &secret("hunter3"));
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        let last_applied = format!("metadata.annotations[\"{LAST_APPLIED}\"]");
        assert_eq!(paths, [last_applied.as_str(), "data.password", "stringData.password"]);
        assert!(!format!("{changes:?}").contains("hunter"), "{changes:?}");
        for (before, after) in
            [(json!({}), secret("hunter2")), (secret("hunter2"), json!({})), (json!(1), secret("hunter2"))]
        {
            let changes = masked(&before, &after);
            assert!(!changes.is_empty() && !format!("{changes:?}").contains("hunter"), "{changes:?}");
        }
        assert!(masked(&secret("hunter2"), &secret("hunter2")).is_empty());
        for path in ["[*].password", "data[*]", "*.*", "data"] {
            let after = Some(if path == "data" { json!({"a": "hunter2"}) } else { json!("hunter2") });
            let mut changes = [Change { path: path.to_owned(), before: None, after }];
            mask_changes(&mut changes, "secrets");
            assert!(!format!("{changes:?}").contains("hunter"), "{changes:?}");
        }
    }
}
