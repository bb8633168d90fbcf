//! Manifests as YAML.
//!
//! Unlike events, which are for reading, manifests are applied: a user called by control or bidirectional
//! characters must still be that user, so such text is quoted with escapes that mean the same. Strings are
//! plain only where no YAML reader can take them for anything else.

use serde_json::Value;

use crate::render::sanitize::is_hazardous;

/// Writes a document: objects, lists and strings, as manifests of roles have them.
pub(super) fn write(value: &Value, out: &mut Vec<u8>) {
    let mut text = String::new();
    block(value, 0, &mut text);
    out.extend_from_slice(text.as_bytes());
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let Some(members) = value.as_object() else { return };
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 {
            out.push_str(&"  ".repeat(depth));
        }
        scalar(key, out);
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                out.push_str(&"  ".repeat(depth + 1));
                block(value, depth + 1, out);
            }
            Value::Array(elements) if !elements.is_empty() => {
                out.push('\n');
                list(elements, depth, out);
            }
            other => {
                out.push(' ');
                leaf(other, out);
                out.push('\n');
            }
        }
    }
}

/// A list stands as deep as its key, as kubectl writes it.
fn list(elements: &[Value], depth: usize, out: &mut String) {
    for element in elements {
        out.push_str(&"  ".repeat(depth));
        out.push_str("- ");
        if element.is_object() {
            block(element, depth + 1, out);
        } else {
            leaf(element, out);
            out.push('\n');
        }
    }
}

fn leaf(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => scalar(text, out),
        other => out.push_str(&other.to_string()),
    }
}

fn scalar(text: &str, out: &mut String) {
    if is_plain(text) {
        return out.push_str(text);
    }
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            _ if is_hazardous(character) => out.push_str(&format!("\\U{:08x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}

fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let first = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/@".contains(&byte));
    first && rest && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_read_back_whatever_the_names() {
        let names = [
            "",
            "*",
            "true",
            "No",
            "~",
            "1e3",
            "0x10",
            "a: b",
            "- a",
            "# x",
            "'",
            "\"\\",
            "a\nb",
            "\u{202e}x",
            "\u{7}",
            "\u{e0041}",
            "漢字",
            "😀",
            " a ",
            "a:",
            "/metrics",
            "/api/*",
            "2026-03-09",
            "system:masters",
            "\u{85}",
            "\u{2028}",
        ];
        let document = json!({
            "kind": "Role",
            "metadata": { "name": "x", "labels": {}, "annotations": { "auditq.io/a": "1" } },
            "rules": [{ "resourceNames": names, "verbs": ["get"] }, { "verbs": [] }],
        });
        let mut out = Vec::new();
        write(&document, &mut out);
        let text = String::from_utf8(out).unwrap();
        let back: Value = serde_yaml_ng::from_str(&text).unwrap();
        assert_eq!(back, document, "{text}");
        assert!(!text.chars().any(|character| character != '\n' && is_hazardous(character)), "{text:?}");
        assert!(text.starts_with("kind: Role\nmetadata:\n  name: x\n  labels: {}\n"), "{text}");
    }
}
