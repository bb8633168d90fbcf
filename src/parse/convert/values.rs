//! Values as collectors keep them: names in another case, JSON inside text, times in many shapes.

use std::borrow::Cow;

use bumpalo::Bump;

use crate::event::{RawJson, Text, Timestamp, write_string};
use crate::parse::json::Scanner;

/// A member's name, decoded.
pub(super) fn decoded_name(name: Text<'_>) -> Cow<'_, [u8]> {
    if name.is_escaped() { name.decode() } else { Cow::Borrowed(name.raw()) }
}

/// Whether two names differ in nothing but case and underscores: `callerIP`, `callerIp` and `caller_ip`.
pub(super) fn alike(one: &[u8], other: &str) -> bool {
    let letters = |name: &[u8]| name.len() - name.iter().filter(|byte| **byte == b'_').count();
    let folded = |byte: &&u8| **byte != b'_';
    letters(one) == letters(other.as_bytes())
        && one.iter().filter(folded).zip(other.as_bytes().iter().filter(folded)).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// The members of these names in one pass over the object, spelled in any way; `null` is absence.
pub(super) fn collect<'a, const N: usize>(object: RawJson<'a>, names: [&str; N]) -> [Option<RawJson<'a>>; N] {
    let mut found = [None; N];
    for (name, value) in object.members() {
        let name = decoded_name(name);
        if let Some(at) = names.iter().position(|wanted| alike(&name, wanted))
            && !value.is_null()
        {
            found[at] = Some(value);
        }
    }
    found
}

/// The string inside a member, if there is one and it says something.
pub(super) fn text(value: Option<RawJson<'_>>) -> Option<Text<'_>> {
    value?.as_text().filter(|text| !text.is_empty())
}

/// The bytes a text stands for, for as long as the arena lives.
pub(super) fn decoded<'a>(text: Text<'a>, arena: &'a Bump) -> &'a [u8] {
    match text.decode() {
        Cow::Borrowed(bytes) => bytes,
        Cow::Owned(bytes) => arena.alloc_slice_copy(&bytes),
    }
}

/// The object or list that a value is, or that it holds as text. Text is proved sound first.
pub(super) fn container<'a>(value: RawJson<'a>, arena: &'a Bump) -> Option<RawJson<'a>> {
    let Some(text) = value.as_text() else {
        return matches!(value.0.first(), Some(b'{' | b'[')).then_some(value);
    };
    if !begins_like_json(text.raw()) {
        return None;
    }
    let text = decoded(text, arena).trim_ascii();
    let mut scanner = Scanner::new(text, 0);
    let inner = scanner.value().ok()?;
    (scanner.position() == text.len() && matches!(inner.0.first(), Some(b'{' | b'['))).then_some(inner)
}

/// Whether a string can hold JSON: tells before anything is decoded. White space may be escaped.
fn begins_like_json(raw: &[u8]) -> bool {
    matches!(raw.trim_ascii_start().first(), Some(b'{' | b'[' | b'\\'))
}

/// Bytes as a JSON string.
pub(super) fn string<'a>(bytes: &[u8], arena: &'a Bump) -> RawJson<'a> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    write_string(Text::plain(bytes), &mut out);
    RawJson(arena.alloc_slice_copy(&out))
}

/// A time however it is written: as logs write it, with ` UTC` behind it, or as a number since 1970.
pub(super) fn time(value: RawJson<'_>) -> Option<Timestamp> {
    let bytes = value.as_text().map_or(Cow::Borrowed(value.0), Text::decode);
    let bytes = bytes.trim_ascii();
    let plain = bytes.strip_suffix(b" UTC").unwrap_or(bytes);
    Timestamp::parse(plain).or_else(|| unix_time(plain))
}

/// A number since 1970; seconds may have a fraction.
fn unix_time(digits: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(digits).ok()?;
    let Some((whole, fraction)) = text.split_once('.') else {
        return Timestamp::from_unix(text.parse().ok()?);
    };
    if fraction.is_empty() || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = nanos.fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let second = whole.parse::<u32>().ok()?;
    Some(Timestamp(Timestamp::from_unix(i64::from(second))?.0 + nanos))
}

/// The number of a status code, which may be kept as text.
pub(super) fn number(value: RawJson<'_>) -> Option<i64> {
    let digits = value.as_text().map_or(value.0, Text::raw);
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether a value says yes, as a literal or as text.
pub(super) fn is_true(value: RawJson<'_>) -> bool {
    matches!(value.0, b"true" | b"\"true\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_whatever_their_case() {
        for name in ["callerIp", "callerIP", "caller_ip", "CallerIp", "_caller_ip_"] {
            assert!(alike(name.as_bytes(), "callerIp"), "{name}");
        }
        for name in ["callerI", "callerIpx", "caller-ip", ""] {
            assert!(!alike(name.as_bytes(), "callerIp"), "{name}");
        }
    }

    #[test]
    fn text_is_proved_before_it_counts_as_json() {
        let arena = Bump::new();
        let inner = |text: &str| {
            let raw = serde_json::to_string(text).expect("a string");
            container(RawJson(arena.alloc_str(&raw).as_bytes()), &arena)
        };
        assert_eq!(inner(" {\"a\": \"b\\n\"}\n"), Some(RawJson(br#"{"a": "b\n"}"#)));
        assert_eq!(inner("[1]"), Some(RawJson(b"[1]")));
        for text in ["", "plain", "{\"a\"", "{} {}", "[1,]", "12", "\"a\"", "\\"] {
            assert_eq!(inner(text), None, "{text}");
        }
        assert_eq!(container(RawJson(b"{}"), &arena), Some(RawJson(b"{}")));
        assert_eq!(container(RawJson(b"12"), &arena), None);
    }

    #[test]
    fn times_in_every_dress() {
        let shown = |raw: &str| time(RawJson(raw.as_bytes())).map(Timestamp::to_rfc3339);
        let expected = Some("2024-05-01T12:00:00.125000Z".to_owned());
        for raw in [
            "\"2024-05-01T12:00:00.1250000Z\"",
            "\"2024-05-01 12:00:00.125\"",
            "\"2024-05-01 12:00:00.125000 UTC\"",
            "1714564800.125",
            "\"1714564800.125\"",
            "1714564800125",
            "\"1714564800125000000\"",
        ] {
            assert_eq!(shown(raw), expected, "{raw}");
        }
        for raw in
            ["null", "\"\"", "\"soon\"", "1.7e9", "99999999999999999999", "1714564800.", "\"1714564800.-5\"", "{}"]
        {
            assert_eq!(shown(raw), None, "{raw}");
        }
    }
}
