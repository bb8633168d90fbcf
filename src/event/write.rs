//! An event as one line of JSON.
//!
//! What was JSON stays its original bytes, unknown fields and all; only line breaks of
//! pretty-printed input go. What was text becomes the `audit.k8s.io/v1` event that the server would
//! have written at level `Metadata`, in its field order and with Go's escaping, so that other tools
//! can read old logs. Nothing here chooses events or ends lines.

use memchr::memchr;

use super::{Event, ObjectReference, RawJson, Text, User};

/// Writes the event as one line of JSON, without the newline.
pub fn write_json(event: &Event<'_>, out: &mut Vec<u8>) {
    if event.format.is_legacy() {
        write_legacy(event, out);
    } else if memchr(b'\n', event.raw).is_some() {
        compact(event.raw, out);
    } else {
        out.extend_from_slice(event.raw);
    }
}

/// Copies sound JSON without the white space between its tokens.
pub fn compact(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(&first) = rest.first() {
        let token = match first {
            b' ' | b'\t' | b'\r' | b'\n' => {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            b'"' => string_length(rest),
            _ => rest.iter().position(|b| matches!(b, b'"' | b' ' | b'\t' | b'\r' | b'\n')).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(token);
        out.extend_from_slice(token);
        rest = after;
    }
}

/// The length of sound JSON without the white space between its tokens and at its ends.
pub fn compact_length(raw: &[u8]) -> usize {
    if memchr(b'\n', raw).is_none() {
        return raw.trim_ascii().len();
    }
    let mut compacted = Vec::with_capacity(raw.len());
    compact(raw, &mut compacted);
    compacted.len()
}

/// Writes a text as a JSON string, quotes included, escaped as Go does: `<`, `>`, `&`, U+2028 and
/// U+2029 as `\u`, and invalid UTF-8 as U+FFFD.
pub fn write_string(text: Text<'_>, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(&text.decode(), &mut |bytes| out.extend_from_slice(bytes));
    out.push(b'"');
}

/// Hands the inside of the JSON string for `bytes` to `put`, piece by piece.
pub(crate) fn escape(bytes: &[u8], put: &mut impl FnMut(&[u8])) {
    for chunk in bytes.utf8_chunks() {
        escape_valid(chunk.valid().as_bytes(), put);
        if !chunk.invalid().is_empty() {
            put("\u{fffd}".as_bytes());
        }
    }
}

fn escape_valid(text: &[u8], put: &mut impl FnMut(&[u8])) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&b| needs_escape(b)) {
        let (before, after) = rest.split_at(at);
        put(before);
        let mut used = 1;
        match after {
            [b'"', ..] => put(br#"\""#),
            [b'\\', ..] => put(br"\\"),
            [b'\n', ..] => put(br"\n"),
            [b'\r', ..] => put(br"\r"),
            [b'\t', ..] => put(br"\t"),
            [0xE2, 0x80, last @ (0xA8 | 0xA9), ..] => {
                put(if *last == 0xA8 { br"\u2028" } else { br"\u2029" });
                used = 3;
            }
            [0xE2, ..] => put(&[0xE2]),
            [byte, ..] => put(&[b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
            [] => {}
        }
        rest = after.get(used..).unwrap_or_default();
    }
    put(rest);
}

/// Whether a byte may not stand in a string as it is. `E2` starts U+2028 and U+2029, among others.
const fn needs_escape(byte: u8) -> bool {
    matches!(byte, 0..0x20 | b'"' | b'\\' | b'<' | b'>' | b'&' | 0xE2)
}

/// The length of the string that `text` starts with; all of it when the quote never closes.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn write_legacy(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"kind":"Event","apiVersion":"audit.k8s.io/v1""#);
    string_member("level", event.level, out);
    string_member("auditID", event.audit_id, out);
    string_member("stage", Some(event.stage.text()), out);
    string_member("requestURI", event.request_uri, out);
    string_member("verb", event.verb, out);
    user_member("user", &event.user, out);
    if let Some(user) = &event.impersonated_user {
        user_member("impersonatedUser", user, out);
    }
    raw_member("sourceIPs", event.source_ips, out);
    string_member("userAgent", event.user_agent, out);
    if let Some(object) = &event.object_ref {
        object_member(object, out);
    }
    if let Some(code) = event.code() {
        out.extend_from_slice(format!(r#","responseStatus":{{"metadata":{{}},"code":{code}}}"#).as_bytes());
    }
    for (key, time) in [("requestReceivedTimestamp", event.request_received), ("stageTimestamp", event.stage_timestamp)]
    {
        if let Some(time) = time {
            string_member(key, Some(time.to_rfc3339().as_str().into()), out);
        }
    }
    out.extend_from_slice(br#","annotations":{"auditq.io/format":""#);
    out.extend_from_slice(event.format.name().as_bytes());
    out.extend_from_slice(br#""}}"#);
}

fn user_member(key: &str, user: &User<'_>, out: &mut Vec<u8>) {
    object(key, out, |out| {
        string_member("username", user.username, out);
        string_member("uid", user.uid, out);
        raw_member("groups", user.groups, out);
        raw_member("extra", user.extra, out);
    });
}

fn object_member(reference: &ObjectReference<'_>, out: &mut Vec<u8>) {
    object("objectRef", out, |out| {
        string_member("resource", reference.resource, out);
        string_member("namespace", reference.namespace, out);
        string_member("name", reference.name, out);
        string_member("uid", reference.uid, out);
        string_member("apiGroup", reference.api_group, out);
        string_member("apiVersion", reference.api_version, out);
        string_member("resourceVersion", reference.resource_version, out);
        string_member("subresource", reference.subresource, out);
    });
}

fn object(key: &str, out: &mut Vec<u8>, members: impl FnOnce(&mut Vec<u8>)) {
    begin_member(key, out);
    out.push(b'{');
    members(out);
    out.push(b'}');
}

fn string_member(key: &str, value: Option<Text<'_>>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        begin_member(key, out);
        write_string(value, out);
    }
}

fn raw_member(key: &str, value: Option<RawJson<'_>>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        begin_member(key, out);
        out.extend_from_slice(value.0);
    }
}

/// Writes the key, after a comma unless the object has just begun.
fn begin_member(key: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

#[cfg(test)]
mod tests {
    use super::super::{Format, ResponseStatus, Stage, Timestamp};
    use super::*;

    fn written(event: &Event<'_>) -> String {
        let mut out = Vec::new();
        write_json(event, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_keeps_its_bytes() {
        let raw = r#"{ "kind":"Event",  "x":"a  b" }"#;
        assert_eq!(written(&Event::empty(raw.as_bytes(), Format::V1)), raw);
    }

    #[test]
    fn pretty_printed_json_becomes_one_line() {
        let raw = "{\r\n  \"a b\" : [ 1,\t2.5e3 , \"x \\\" \\\\\" ],\n  \"c\": null\n}\n";
        assert_eq!(written(&Event::empty(raw.as_bytes(), Format::V1)), r#"{"a b":[1,2.5e3,"x \" \\"],"c":null}"#);
    }

    #[test]
    fn compact_survives_anything() {
        let raw = b"{\"a\": \"b\\\"\n c\\";
        for end in 0..=raw.len() {
            compact(&raw[..end], &mut Vec::new());
        }
    }

    #[test]
    fn strings_escape_as_in_go() {
        let mut out = Vec::new();
        write_string(Text::plain(b"<a>&\"\\\n\x1b\x7f\xc3\xa9\xe2\x80\xa8\xe2\x80\xaf\xff\xe2\x82"), &mut out);
        let expected = "\"\\u003ca\\u003e\\u0026\\\"\\\\\\n\\u001b\x7fé\\u2028\u{202f}\u{fffd}\u{fffd}\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn json_text_is_decoded_first() {
        let mut out = Vec::new();
        write_string(Text::json(br"a\u0026\/", true), &mut out);
        assert_eq!(out, br#""a\u0026/""#);
    }

    #[test]
    fn text_becomes_a_v1_event() {
        let event = Event {
            level: Some("Metadata".into()),
            audit_id: Some("id-1".into()),
            stage: Stage::ResponseComplete,
            request_uri: Some("/api/v1/pods?a=1&b=2".into()),
            verb: Some("list".into()),
            user: User { username: Some("jane".into()), groups: Some(RawJson(br#"["dev"]"#)), ..User::default() },
            source_ips: Some(RawJson(br#"["127.0.0.1"]"#)),
            object_ref: Some(ObjectReference {
                resource: Some("pods".into()),
                api_version: Some("v1".into()),
                ..ObjectReference::default()
            }),
            response_status: Some(ResponseStatus { code: Some(200), ..ResponseStatus::default() }),
            request_received: Some(Timestamp(1_000)),
            ..Event::empty(b"line", Format::TwoLine)
        };
        assert_eq!(
            written(&event),
            concat!(
                r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"id-1","#,
                r#""stage":"ResponseComplete","requestURI":"/api/v1/pods?a=1\u0026b=2","verb":"list","#,
                r#""user":{"username":"jane","groups":["dev"]},"sourceIPs":["127.0.0.1"],"#,
                r#""objectRef":{"resource":"pods","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"#,
                r#""requestReceivedTimestamp":"1970-01-01T00:00:00.000001Z","#,
                r#""annotations":{"auditq.io/format":"legacy-two-line"}}"#
            )
        );
    }

    #[test]
    fn an_event_without_anything_is_sound() {
        let json: serde_json::Value =
            serde_json::from_str(&written(&Event::empty(b"line", Format::OneLine))).expect("sound JSON");
        assert_eq!(json["user"], serde_json::json!({}));
        assert_eq!(json["annotations"]["auditq.io/format"], "legacy-one-line");
    }
}
