//! An event as a JSON value, for the formats that look inside it, and as YAML.

use serde_json::{Map, Value};

use super::sanitize::{is_hazardous, json_for_terminal, push_visible};
use crate::event::RawJson;

/// How deep the careful reading below goes; `serde_json` itself stops at 128.
const MAX_DEPTH: usize = 100;

/// The JSON as a value, and whether that is the whole of it.
///
/// Where the strict reader refuses what the log's parser let through (nesting, lone surrogates, bytes
/// that are no UTF-8, numbers out of range), a lenient one takes over: invalid text becomes U+FFFD, and
/// a number out of range or a container nested too deep becomes the string of its JSON.
pub fn json_value(json: &[u8]) -> (Value, bool) {
    match serde_json::from_slice(json) {
        Ok(value) => (value, true),
        Err(_) => {
            let mut whole = true;
            let value = lenient(RawJson(json.trim_ascii()), MAX_DEPTH, &mut whole);
            (value, whole)
        }
    }
}

fn lenient(raw: RawJson<'_>, depth: usize, whole: &mut bool) -> Value {
    let as_string = || Value::String(String::from_utf8_lossy(raw.0).into_owned());
    match raw.0.first() {
        Some(b'"') => raw.as_text().map_or_else(as_string, |text| Value::String(text.to_str_lossy().into_owned())),
        Some(b'{' | b'[') if depth == 0 => {
            *whole = false;
            as_string()
        }
        Some(b'{') => {
            let members = raw.members();
            let read = members.map(|(key, value)| (key.to_str_lossy().into_owned(), lenient(value, depth - 1, whole)));
            Value::Object(read.collect())
        }
        Some(b'[') => Value::Array(raw.elements().map(|element| lenient(element, depth - 1, whole)).collect()),
        _ => serde_json::from_slice(raw.0).unwrap_or_else(|_| as_string()),
    }
}

/// Writes the JSON as one YAML document.
///
/// What nests too deep for the reader is printed as it stands, which is a YAML flow document.
pub(super) fn write_yaml(json: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"---\n");
    let (value, whole) = json_value(json);
    match serde_yaml_ng::to_string(&safe_for_yaml(value)) {
        Ok(text) if whole => out.extend_from_slice(text.as_bytes()),
        _ => {
            json_for_terminal(json, out);
            out.push(b'\n');
        }
    }
}

/// The value as YAML, without the mark of a document.
pub(super) fn yaml_text(value: Value) -> String {
    let safe = safe_for_yaml(value);
    serde_yaml_ng::to_string(&safe).unwrap_or_else(|_| safe.to_string())
}

/// The value with the characters escaped that a YAML emitter would pass on to the terminal.
pub(super) fn safe_for_yaml(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(safe_yaml_text(text)),
        Value::Array(elements) => Value::Array(elements.into_iter().map(safe_for_yaml).collect()),
        Value::Object(members) => {
            let safe = members.into_iter().map(|(key, value)| (safe_yaml_text(key), safe_for_yaml(value)));
            Value::Object(safe.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// Line ends and control characters are left alone: YAML has blocks for the former, and its emitter
/// quotes and escapes the latter without loss. The bidirectional and invisible ones it would pass on.
fn safe_yaml_text(text: String) -> String {
    let hazardous = |character: char| is_hazardous(character) && !character.is_control();
    if text.is_ascii() || !text.chars().any(hazardous) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hazardous(character) { push_visible(character, &mut safe) } else { safe.push(character) }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn yaml(json: &str) -> String {
        let mut out = Vec::new();
        write_yaml(json.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lenient_where_the_reader_is_strict() {
        let (value, whole) = json_value(b"{\"a\":\"x\\ud800\",\"b\":1e999,\"c\":\"\xff\",\"d\":[null,true,7]}");
        assert_eq!(value, json!({"a": "x\u{fffd}", "b": "1e999", "c": "\u{fffd}", "d": [null, true, 7]}));
        assert!(whole);
    }

    #[test]
    fn nesting_has_no_end_and_we_do() {
        let deep = format!("{{\"user\":\"a\",\"deep\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
        let (value, whole) = json_value(deep.as_bytes());
        assert_eq!(value["user"], "a");
        assert!(!whole);
        assert_eq!(yaml(&deep), format!("---\n{deep}\n"));
    }

    #[test]
    fn yaml_documents_are_safe_and_read_back() {
        let text = "{\"b\":{\"x\":[1,\"yes\"]},\"a\":\"one\\ntwo\\n\",\"e\":\"\\u001b[2J\\r\\u009b\\u0085\\u007f\\n-\",\"k\\u202e\":null}";
        let shown = yaml(text);
        assert!(shown.starts_with("---\nb:\n  x:\n  - 1\n  - yes\na: |\n  one\n  two\ne: \""), "{shown}");
        assert!(shown.chars().all(|c| c == '\n' || !is_hazardous(c)), "{shown:?}");
        let back: Value = serde_yaml_ng::from_str(&shown).unwrap();
        assert_eq!(back["e"], "\u{1b}[2J\r\u{9b}\u{85}\u{7f}\n-");
        assert_eq!(back.as_object().unwrap().keys().next_back().unwrap(), r"k\u{202e}");
    }

    #[test]
    fn every_awkward_string_survives_yaml() {
        const ALPHABET: [&str; 17] =
            ["\n", " ", "\t", "\r", "\u{85}", "\u{a0}", "-", ":", "#", "'", "\"", "\\", "\x1b", "a", "|", "😀", "{"];
        for one in ALPHABET {
            for two in ALPHABET {
                for three in ALPHABET {
                    let value = json!({ "k": format!("{one}{two}{three}") });
                    let shown = yaml(&value.to_string());
                    assert!(shown.chars().all(|c| c == '\n' || !is_hazardous(c)), "{shown:?}");
                    assert_eq!(serde_yaml_ng::from_str::<Value>(&shown).unwrap(), value, "{shown:?}");
                }
            }
        }
    }
}
