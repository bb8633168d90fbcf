//! The body of a webhook request as lines of a log.
//!
//! The API server posts an `EventList` whose items have neither `kind` nor `apiVersion`; its log
//! backend writes both in front of every event. What comes out here is what the log backend would
//! have written, byte for byte. Nothing of an item is looked at beyond its being a sound object:
//! what we do not understand is kept.

use bumpalo::Bump;
use sha2::{Digest, Sha256};

use super::recent::Key;
use crate::event::{Format, RawJson, compact};
use crate::parse::json::Fault;
use crate::parse::object::{self, Object};

/// Lines of a log, each with its line feed.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// All of them.
    pub(super) text: Vec<u8>,
    /// Where each ends, behind its line feed.
    pub(super) ends: Vec<usize>,
    /// What each is known by.
    pub(super) keys: Vec<Key>,
}

impl Lines {
    /// Each line with what it is known by.
    pub(super) fn each(&self) -> impl Iterator<Item = (&[u8], Key)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).zip(&self.keys).map(|((start, &end), &key)| (&self.text[start..end], key))
    }

    fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        write(&mut self.text);
        self.keys.push(key(&self.text[start..]));
        self.text.push(b'\n');
        self.ends.push(self.text.len());
    }
}

/// Why a body was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// It is no sound JSON, from this byte on (counted from 1).
    Malformed(usize),
    /// It ends before the list does.
    CutOff,
    /// It is sound JSON, or nothing at all, but no `EventList` of `audit.k8s.io`.
    NoList,
    /// Something stands behind the list.
    Trailing(usize),
    /// The item with this number (counted from 1) is no object, or has a line feed in a string.
    Item(usize),
    /// The items are so many and so small that they cannot be events.
    Crumbs,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Malformed(at) => write!(f, "not JSON at byte {at}"),
            Refusal::CutOff => f.write_str("the list is cut off"),
            Refusal::NoList => f.write_str("not an EventList of audit.k8s.io"),
            Refusal::Trailing(at) => write!(f, "something stands behind the list, at byte {at}"),
            Refusal::Item(number) => {
                write!(f, "item {number} of the list is no object, or has a line feed in a string")
            }
            Refusal::Crumbs => f.write_str("the items are too small to be events"),
        }
    }
}

/// What a line, without its line feed, is known by.
///
/// Clients choose most of what stands in an event. With a hash that can be made to collide, somebody
/// could have an event taken for a repeat of another one, and so keep it out of the log.
pub(super) fn key(line: &[u8]) -> Key {
    let digest = Sha256::digest(line);
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    Key::from_ne_bytes(half)
}

/// Turns a body into lines.
///
/// # Errors
/// Fails when the body is not one `EventList` of `audit.k8s.io`.
pub(super) fn lines(body: &[u8]) -> Result<Lines, Refusal> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Refusal::NoList);
    }
    let arena = Bump::new();
    let (object, end) = object::read(body, 0, &arena).map_err(|broken| match broken.fault {
        Fault::EndsInString(_) | Fault::EndsInValue(_) => Refusal::CutOff,
        Fault::Malformed(at) | Fault::TooDeep(at) => Refusal::Malformed(at + 1),
    })?;
    if let Some(at) = body[end..].iter().position(|byte| !byte.is_ascii_whitespace()) {
        return Err(Refusal::Trailing(end + at + 1));
    }
    let Object::List(items, format) = object else { return Err(Refusal::NoList) };
    if !items.0.starts_with(b"[") && !items.is_null() {
        return Err(Refusal::NoList);
    }
    let version = version(body, format).ok_or(Refusal::NoList)?;
    let mut head = br#"{"kind":"Event","apiVersion":""#.to_vec();
    head.extend_from_slice(version);
    head.push(b'"');
    let most = longest(body.len());
    let mut lines = Lines { text: Vec::with_capacity(most), ..Lines::default() };
    for (item, number) in items.elements().zip(1..) {
        if !item.0.starts_with(b"{") {
            return Err(Refusal::Item(number));
        }
        let start = lines.text.len();
        lines.push_with(|out| write(item, &head, out));
        // Between tokens none is left. JSON allows none in a string, and it would make two lines of one.
        if memchr::memchr(b'\n', &lines.text[start..lines.text.len() - 1]).is_some() {
            return Err(Refusal::Item(number));
        }
        if lines.text.len() > most {
            return Err(Refusal::Crumbs);
        }
    }
    Ok(lines)
}

/// How long the lines of a body of this length may be.
///
/// What each item gains makes a body of empty items many times longer. No event is smaller than twice
/// what it gains, so the lines of real events stay below this; only small bodies may do as they like.
const fn longest(body: usize) -> usize {
    body + body / 2 + (1 << 12)
}

/// The list's version as it stands in the body; a version we do not know is kept like any other.
fn version(body: &[u8], format: Format) -> Option<&[u8]> {
    match format {
        Format::V1 => Some(b"audit.k8s.io/v1"),
        Format::V1beta1 => Some(b"audit.k8s.io/v1beta1"),
        Format::V1alpha1 => Some(b"audit.k8s.io/v1alpha1"),
        _ => {
            let version = RawJson(body.trim_ascii_start()).get(b"apiVersion")?.as_text()?.raw();
            version.starts_with(b"audit.k8s.io/").then_some(version)
        }
    }
}

/// Writes an item as one line, without its end.
fn write(item: RawJson<'_>, head: &[u8], out: &mut Vec<u8>) {
    let inner = item.0[1..].trim_ascii_start();
    // Other senders than the API server may leave the items of a list whole.
    let whole = (inner.starts_with(b"\"kind\"") || inner.starts_with(b"\"apiVersion\""))
        && item.get(b"kind").is_some()
        && item.get(b"apiVersion").is_some();
    let rest = if whole {
        item.0
    } else {
        out.extend_from_slice(head);
        if !inner.starts_with(b"}") {
            out.push(b',');
        }
        inner
    };
    if memchr::memchr2(b'\n', b'\r', rest).is_some() { compact(rest, out) } else { out.extend_from_slice(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str) -> String {
        String::from_utf8(lines(body.as_bytes()).expect("a list").text).expect("text")
    }

    fn refused(body: &str) -> Refusal {
        lines(body.as_bytes()).expect_err("no list")
    }

    #[test]
    fn an_item_becomes_what_the_log_backend_writes() {
        let body = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[{"level":"Metadata","x":"\u0026"},{"level":"Request"}]}"#;
        assert_eq!(
            text(&format!("{body}\n")),
            "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"x\":\"\\u0026\"}\n\
             {\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Request\"}\n"
        );
    }

    #[test]
    fn every_version_is_kept_as_it_is() {
        for version in ["v1", "v1beta1", "v1alpha1", "v7"] {
            let body = format!(r#"{{"items":[{{}}],"apiVersion":"audit.k8s.io/{version}","kind":"EventList"}}"#);
            assert_eq!(text(&body), format!("{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/{version}\"}}\n"));
        }
    }

    #[test]
    fn a_whole_event_is_not_given_a_second_head() {
        let event = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata"}"#;
        let body = format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{event}]}}"#);
        assert_eq!(text(&body), format!("{event}\n"));
    }

    #[test]
    fn an_event_is_one_line_however_the_list_was_printed() {
        let body = "{\"kind\":\"EventList\",\r\n\"apiVersion\":\"audit.k8s.io/v1\",\n\"items\":[\n {\n  \"a\": \"x y\"\r\n }\n]}";
        assert_eq!(text(body), "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"a\":\"x y\"}\n");
    }

    #[test]
    fn an_empty_list_has_no_lines() {
        for items in ["[]", "null", "[ ]"] {
            let body = format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":{items}}}"#);
            assert_eq!(text(&body), "");
        }
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_reason() {
        assert_eq!(refused(""), Refusal::NoList);
        assert_eq!(refused("[]"), Refusal::NoList);
        assert_eq!(refused(r#"{"kind":"EventList","items":[]}"#), Refusal::NoList);
        assert_eq!(refused(r#"{"kind":"EventList","apiVersion":"v1","items":[]}"#), Refusal::NoList);
        assert_eq!(refused(r#"{"kind":"PodList","apiVersion":"audit.k8s.io/v1","items":[]}"#), Refusal::NoList);
        assert_eq!(refused(r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1"}"#), Refusal::NoList);
        assert_eq!(refused(r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":"x"}"#), Refusal::NoList);
        assert_eq!(refused(r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[1]}"#), Refusal::Item(1));
        let line_feed = "{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\",\"items\":[{\"a\":\"x\ny\"}]}";
        assert_eq!(refused(line_feed), Refusal::Item(1));
        assert_eq!(
            refused(r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{]}"#),
            Refusal::Malformed(62)
        );
        assert_eq!(refused(r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"#), Refusal::CutOff);
        assert_eq!(
            refused(r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[]}{}"#),
            Refusal::Trailing(63)
        );
    }

    #[test]
    fn crumbs_do_not_become_a_mountain() {
        let body = |item: &str, count: usize| {
            let items = vec![item; count].join(",");
            format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{items}]}}"#)
        };
        assert_eq!(refused(&body("{}", 1000)), Refusal::Crumbs);
        let event = format!(r#"{{"level":"Metadata","auditID":"{}"}}"#, "a".repeat(70));
        assert_eq!(lines(body(&event, 1000).as_bytes()).expect("a list").ends.len(), 1000);
    }

    #[test]
    fn lines_and_keys_go_together() {
        let body = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"a":1},{"a":2},{"a":1}]}"#;
        let lines = lines(body.as_bytes()).expect("a list");
        let keys: Vec<_> = lines.each().map(|(line, found)| (key(line.trim_ascii_end()) == found, found)).collect();
        assert!(keys.iter().all(|(same, _)| *same));
        assert_eq!(keys[0].1, keys[2].1);
        assert_ne!(keys[0].1, keys[1].1);
    }
}
