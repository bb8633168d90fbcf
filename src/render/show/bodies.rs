//! The bodies of a request, for people, without the secrets in them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::super::human::counted;
use super::super::value::yaml_text;
use super::{View, push_line};

impl View<'_> {
    /// Writes both bodies as YAML.
    pub(super) fn bodies(&self, out: &mut Vec<u8>) {
        for (title, member) in [("Request body", "requestObject"), ("Response body", "responseObject")] {
            out.push(b'\n');
            let Some(body) = self.event.get(member) else {
                push_line(&format!("{title}: not logged"), out);
                continue;
            };
            push_line(title, out);
            let mut body = body.clone();
            if !self.look.secrets {
                let secret = self.object.resource == "secrets" && self.object.api_group.is_empty();
                hide(&mut body, secret);
                self.hide_tokens(&mut body);
            }
            leave_out_managed_fields(&mut body);
            for line in yaml_text(body).lines() {
                push_line(&format!("  {line}"), out);
            }
        }
    }

    /// Tokens that are sent to be checked, and those that are issued.
    fn hide_tokens(&self, body: &mut Value) {
        let of_token = self.object.resource == "tokenreviews" || self.object.subresource == "token";
        let kind = body.get("kind").and_then(Value::as_str).unwrap_or_default();
        if of_token || matches!(kind, "TokenReview" | "TokenRequest") {
            for pointer in ["/spec/token", "/status/token"] {
                if let Some(token) = body.pointer_mut(pointer) {
                    hide_value(token);
                }
            }
        }
    }
}

/// Hides the values of secrets: in the body, in the items of a list, and in a JSON patch.
fn hide(body: &mut Value, secret: bool) {
    match body {
        Value::Object(members) => {
            let kind = members.get("kind").and_then(Value::as_str);
            let secret = kind.map_or(secret, |kind| kind == "Secret" || (secret && kind != "Status"));
            if secret {
                hide_data(members);
            }
            let of_list = kind_of_list(members) || secret;
            if let Some(Value::Array(items)) = members.get_mut("items") {
                items.iter_mut().for_each(|item| hide(item, of_list));
            }
            // kubectl asks for tables, whose rows have the objects beside what is printed.
            for object in objects_of_rows(members) {
                hide(object, secret);
            }
        }
        Value::Array(steps) if secret => {
            for step in steps {
                let path = step.get("path").and_then(Value::as_str).unwrap_or_default();
                let harmless = ["/metadata/labels", "/metadata/finalizers", "/metadata/ownerReferences", "/type"];
                if !harmless.iter().any(|start| path.starts_with(start))
                    && let Some(value) = step.get_mut("value")
                {
                    hide_value(value);
                }
            }
        }
        _ => {}
    }
}

/// The objects of a Table.
fn objects_of_rows(members: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    let rows = members.get_mut("rows").and_then(Value::as_array_mut);
    rows.into_iter().flatten().filter_map(|row| row.get_mut("object"))
}

fn kind_of_list(members: &Map<String, Value>) -> bool {
    members.get("kind").and_then(Value::as_str) == Some("SecretList")
}

/// Hides `data` and `stringData` of a secret, and the copy of them that `kubectl apply` keeps.
fn hide_data(members: &mut Map<String, Value>) {
    for name in ["data", "stringData"] {
        match members.get_mut(name) {
            Some(Value::Object(values)) => values.values_mut().for_each(hide_value),
            Some(other) => hide_value(other),
            None => {}
        }
    }
    let annotations = members.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(Value::Object(annotations)) = annotations
        && let Some(applied) = annotations.get_mut("kubectl.kubernetes.io/last-applied-configuration")
    {
        hide_value(applied);
    }
}

/// Says how long a value is instead of what it is. `null`, which removes a key in a patch, stays.
fn hide_value(value: &mut Value) {
    let length = match *value {
        Value::Null => return,
        Value::String(ref text) => STANDARD.decode(text.as_bytes()).map_or(text.len(), |bytes| bytes.len()),
        ref other => other.to_string().len(),
    };
    *value = Value::String(format!("<hidden, {}>", counted(length as u64, "byte")));
}

/// Who manages which field is longer than the object, and nobody reads it here.
fn leave_out_managed_fields(body: &mut Value) {
    if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
        metadata.shift_remove("managedFields");
    }
    if let Some(Value::Array(items)) = body.get_mut("items") {
        items.iter_mut().for_each(leave_out_managed_fields);
    }
    if let Value::Object(members) = body {
        objects_of_rows(members).for_each(leave_out_managed_fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hidden(mut body: Value, secret: bool) -> Value {
        hide(&mut body, secret);
        body
    }

    #[test]
    fn secrets_are_hidden_wherever_they_are() {
        let secret = json!({"kind": "Secret", "data": {"a": "aHVudGVyMg=="}, "stringData": {"b": "x!"}, "metadata":
            {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "other": "stays"}}});
        let shown = hidden(secret.clone(), false);
        assert_eq!(shown["data"]["a"], "<hidden, 7 bytes>");
        assert_eq!(shown["stringData"]["b"], "<hidden, 2 bytes>");
        assert_eq!(shown["metadata"]["annotations"]["other"], "stays");
        assert!(!shown.to_string().contains("{}"));
        let list = json!({"kind": "List", "items": [secret, {"kind": "ConfigMap", "data": {"a": "stays"}}]});
        let shown = hidden(list, false);
        assert_eq!(shown["items"][0]["data"]["a"], "<hidden, 7 bytes>");
        assert_eq!(shown["items"][1]["data"]["a"], "stays");
        let bare = json!({"kind": "SecretList", "items": [{"data": {"a": "aHVudGVyMg=="}}]});
        assert_eq!(hidden(bare, false)["items"][0]["data"]["a"], "<hidden, 7 bytes>");
    }

    #[test]
    fn tables_of_secrets_are_hidden() {
        let applied = "kubectl.kubernetes.io/last-applied-configuration";
        let of_kind = |kind: &str| {
            json!({"kind": "Table", "rows": [{"cells": ["db"], "object": {"kind": kind, "data": {"a": "hunter2"},
                "metadata": {"managedFields": [], "annotations": {applied: "hunter2"}}}}]})
        };
        for (kind, of_secrets) in [("PartialObjectMetadata", true), ("Secret", true), ("Secret", false)] {
            let mut shown = hidden(of_kind(kind), of_secrets);
            leave_out_managed_fields(&mut shown);
            let text = shown.to_string();
            assert!(!text.contains("hunter2") && !text.contains("managedFields"), "{shown}");
        }
        assert!(hidden(of_kind("ConfigMap"), false).to_string().contains("hunter2"));
    }

    #[test]
    fn patches_of_secrets_are_hidden() {
        let merge = hidden(json!({"data": {"a": "eA==", "gone": null}, "metadata": {"labels": {"b": "c"}}}), true);
        assert_eq!(merge["data"], json!({"a": "<hidden, 1 byte>", "gone": null}));
        assert_eq!(merge["metadata"]["labels"]["b"], "c");
        let steps = json!([{"op": "add", "path": "/data/a", "value": "eA=="},
            {"op": "replace", "path": "", "value": {"data": {}}},
            {"op": "add", "path": "/metadata/labels/x", "value": "y"}]);
        let shown = hidden(steps, true);
        assert_eq!(shown[0]["value"], "<hidden, 1 byte>");
        assert_eq!(shown[1]["value"], "<hidden, 11 bytes>");
        assert_eq!(shown[2]["value"], "y");
    }
}
