//! JSON as different writers write it, without a document model where bytes matter.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::Line;

/// The event as text. Bytes that are no UTF-8 become U+FFFD: that is what any JSON string makes of them.
pub(crate) fn text(line: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(line)
}

/// The lines as text, which is what comes back from a string.
pub(crate) fn texts(lines: &[Line]) -> Vec<Line> {
    lines.iter().map(|line| text(line).into_owned().into_bytes()).collect()
}

/// A JSON string that escapes only what it must.
pub(crate) fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}

/// A JSON string as Go writes it: `<`, `>`, `&` and two line separators escaped too.
pub(crate) fn quote_go(text: &str) -> String {
    let mut quoted = String::new();
    for sign in quote(text).chars() {
        match sign {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => quoted += &format!("\\u{:04x}", sign as u32),
            _ => quoted.push(sign),
        }
    }
    quoted
}

/// A JSON string as Python writes it: only ASCII.
pub(crate) fn quote_ascii(text: &str) -> String {
    ascii(&quote(text))
}

/// The same JSON with all text in ASCII, by escapes of surrogate pairs.
pub(crate) fn ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for sign in json.chars() {
        if sign.is_ascii() {
            ascii.push(sign);
            continue;
        }
        for unit in sign.encode_utf16(&mut [0; 2]) {
            ascii += &format!("\\u{unit:04x}");
        }
    }
    ascii
}

/// The members of an object in their order, values as they stand there.
pub(crate) fn members(object: &str) -> Vec<(String, String)> {
    let bytes = object.as_bytes();
    let mut members = Vec::new();
    let mut at = 1;
    while bytes[at] != b'}' {
        let colon = value_end(bytes, at);
        let key: String = serde_json::from_slice(&bytes[at..colon]).expect("a member's name");
        let end = value_end(bytes, colon + 1);
        let value = std::str::from_utf8(&bytes[colon + 1..end]).expect("text").to_owned();
        members.push((key, value));
        at = end + usize::from(bytes[end] == b',');
    }
    members
}

/// Where a value that begins at `at` ends, in JSON without spaces.
fn value_end(bytes: &[u8], mut at: usize) -> usize {
    let (mut depth, mut quoted) = (0u32, false);
    loop {
        match bytes[at] {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b',' | b':' | b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}

/// An object of these members.
pub(crate) fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(key, value)| format!("{}:{value}", quote(key))).collect();
    format!("{{{}}}", members.join(","))
}

/// The event without the members of these names.
pub(crate) fn without(event: &str, names: &[&str]) -> String {
    let mut kept = members(event);
    kept.retain(|(key, _)| !names.contains(&key.as_str()));
    object(&kept)
}

/// The event with all names in alphabetical order, at every level, as writers of sorted maps have it.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            members.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}

/// The value over several lines, each level indented by so many spaces.
pub(crate) fn pretty(value: &Value, indent: usize) -> String {
    let spaces = vec![b' '; indent];
    let mut text = Vec::new();
    let mut writer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(&spaces));
    serde::Serialize::serialize(value, &mut writer).expect("a value is JSON");
    String::from_utf8(text).expect("JSON is text")
}

/// The event as a value.
pub(crate) fn value(event: &[u8]) -> Value {
    serde_json::from_str(&text(event)).expect("an event is JSON")
}
