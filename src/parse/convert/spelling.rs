//! Values as Go's encoder spells them: its escapes, maps sorted by key, times with six digits.

use std::borrow::Cow;

use super::values::{decoded_name, time};
use crate::event::{RawJson, Text, Timestamp, write_string};

/// `null`, `""`, `[]` or `{}`: what Go's `omitempty` leaves out.
pub(super) fn is_empty(value: RawJson<'_>) -> bool {
    match value.0.first() {
        Some(b'[') => value.elements().next().is_none(),
        Some(b'{') => value.members().next().is_none(),
        _ => matches!(value.0, b"null" | b"\"\""),
    }
}

/// A comma, unless nothing stands before it in its object or list.
pub(super) fn separate(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
}

/// A list; where a collector kept one element as itself, the list of it.
pub(super) fn write_list(list: RawJson<'_>, out: &mut Vec<u8>) {
    out.push(b'[');
    for element in list.elements() {
        separate(out);
        write_value(element, out);
    }
    out.push(b']');
}

/// A map in the order of its keys, as Go writes it; the last of equal keys wins.
pub(super) fn write_map(map: RawJson<'_>, out: &mut Vec<u8>) {
    if map.0.first() != Some(&b'{') {
        return write_value(map, out);
    }
    let mut entries: Vec<(Cow<'_, [u8]>, RawJson<'_>)> =
        map.members().map(|(name, value)| (decoded_name(name), value)).collect();
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    out.push(b'{');
    for (at, (name, value)) in entries.iter().enumerate() {
        if entries.get(at + 1).is_some_and(|(next, _)| next == name) {
            continue;
        }
        separate(out);
        write_string(Text::plain(name), out);
        out.push(b':');
        write_value(*value, out);
    }
    out.push(b'}');
}

/// A time as the server writes it, if it can be read.
pub(super) fn write_time(value: RawJson<'_>, out: &mut Vec<u8>) {
    let own = value.0.len() == 29 && value.as_text().is_some_and(|text| is_own_time(text.raw()));
    match time(value).filter(|_| !own) {
        Some(time) => write_string(Text::plain(time.to_rfc3339().as_bytes()), out),
        None => write_value(value, out),
    }
}

fn is_own_time(text: &[u8]) -> bool {
    text.first_chunk().is_some_and(|text| Timestamp::parse_micros(text).is_some())
}

/// Copies a sound value without white space, its strings as Go spells them.
pub(super) fn write_value(value: RawJson<'_>, out: &mut Vec<u8>) {
    let mut rest = value.0;
    while let Some(&first) = rest.first() {
        let length = match first {
            b' ' | b'\t' | b'\r' | b'\n' => 1,
            b'"' => string_length(rest),
            _ => rest.iter().position(|b| matches!(b, b'"' | b' ' | b'\t' | b'\r' | b'\n')).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        match RawJson(token).as_text() {
            Some(text) => write_text(text, out),
            None if token.first().is_some_and(u8::is_ascii_whitespace) => {}
            None => out.extend_from_slice(token),
        }
        rest = after;
    }
}

/// The length of the sound string that `text` starts with, both quotes counted.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if text[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    text.len()
}

/// Writes a string as Go spells it. One that is spelled so already keeps its bytes, for Go has
/// written `\b` and `\f` in two ways.
pub(super) fn write_text(text: Text<'_>, out: &mut Vec<u8>) {
    if !is_go_spelling(text.raw()) {
        return write_string(text, out);
    }
    out.push(b'"');
    out.extend_from_slice(text.raw());
    out.push(b'"');
}

/// Whether the inside of a JSON string is what Go's encoder writes: no `<`, `>`, `&`, U+2028 or
/// U+2029 as they are, and no escape that was not needed.
fn is_go_spelling(raw: &[u8]) -> bool {
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|b| matches!(b, 0..0x20 | b'<' | b'>' | b'&' | b'\\' | 0xE2)) {
        let used = match rest.get(at..).unwrap_or_default() {
            [0xE2, 0x80, 0xA8 | 0xA9, ..] => return false,
            [0xE2, ..] => 1,
            [b'\\', b'"' | b'\\' | b'n' | b'r' | b't' | b'b' | b'f', ..] => 2,
            [b'\\', b'u', code @ ..] if is_needed(code) => 6,
            _ => return false,
        };
        rest = rest.get(at + used..).unwrap_or_default();
    }
    true
}

/// Whether the four hexadecimal digits behind `\u` name a character that Go escapes like this.
fn is_needed(code: &[u8]) -> bool {
    match code {
        [b'0', b'0', b'0', b'9' | b'a' | b'd', ..] => false,
        [b'0', b'0', b'0' | b'1', b'0'..=b'9' | b'a'..=b'f', ..] => true,
        [b'0', b'0', b'3', b'c' | b'e', ..] | [b'0', b'0', b'2', b'6', ..] => true,
        [b'2', b'0', b'2', b'8' | b'9', ..] | [b'f', b'f', b'f', b'd', ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_the_server_keep_their_bytes() {
        for kept in [r"a\u0026b", r"\u003c\u003e", r"\b\f", r"\u0008\u000c", r"\u2028\ufffd", "\u{202e}é", r#"\"\\\n"#]
        {
            let mut out = Vec::new();
            write_text(Text::json(kept.as_bytes(), true), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("\"{kept}\""));
        }
    }

    #[test]
    fn strings_of_others_are_spelled_as_go_spells() {
        let cases = [("a&b", r"a\u0026b"), (r"\/", "/"), (r"\u0041", "A"), (r"\u003C", r"\u003c"), (r"\u000a", r"\n")];
        for (given, expected) in cases.into_iter().chain([("\u{2028}", r"\u2028"), (r"\u00e9", "é")]) {
            let mut out = Vec::new();
            write_text(Text::json(given.as_bytes(), given.contains('\\')), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("\"{expected}\""));
        }
    }

    #[test]
    fn maps_are_sorted_and_the_last_of_equal_keys_wins() {
        let mut out = Vec::new();
        write_map(RawJson(br#"{"b": "1", "a":["x" , "y"],"b":"2" }"#), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), r#"{"a":["x","y"],"b":"2"}"#);
    }

    #[test]
    fn times_are_the_servers_where_they_can_be_read() {
        let cases = [
            (r#""2024-05-01T12:00:00.000001Z""#, r#""2024-05-01T12:00:00.000001Z""#),
            (r#""2024-05-01T12:00:00.0000010Z""#, r#""2024-05-01T12:00:00.000001Z""#),
            (r#""2024-05-01 12:00:00.38""#, r#""2024-05-01T12:00:00.380000Z""#),
            ("1714564800", r#""2024-05-01T12:00:00.000000Z""#),
            (r#""whenever""#, r#""whenever""#),
        ];
        for (given, expected) in cases {
            let mut out = Vec::new();
            write_time(RawJson(given.as_bytes()), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
