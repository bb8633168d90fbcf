//! Elastic's integration for Kubernetes audit logs: the event below `kubernetes.audit`, nested, under
//! dotted names, or as the `fields` of a search.
//!
//! The keys of annotations had to give up their dots, and empty values were dropped. The domain in
//! front of a key's slash can have no underscore, so its dots come back; behind the slash an
//! underscore may always have been one.

use std::borrow::Cow;

use bumpalo::Bump;

use super::Take;
use super::dotted::{Dotted, first};
use super::rebuild::{Member, Rebuilt, set_kept};
use super::values::{decoded, decoded_name, text, time};
use crate::event::{Origin, RawJson, Text, write_string};

const PREFIX: &[u8] = b"kubernetes.audit.";

/// Whether a name is one of an event's, dotted.
pub(super) fn is_prefixed(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
}

/// Whether the `fields` of a search are those of an event.
pub(super) fn is_dotted(fields: RawJson<'_>) -> bool {
    fields.members().any(|(name, _)| is_prefixed(name.raw()))
}

/// Rebuilds the event of one document.
pub(super) fn convert<'a>(document: RawJson<'a>, arena: &'a Bump, take: Take<'_, 'a>) -> bool {
    let nested = document.get(b"kubernetes").and_then(|kubernetes| kubernetes.get(b"audit"));
    if let Some(audit) = nested {
        return convert_nested(audit, document, arena, take);
    }
    let fields = document.get(b"fields").filter(|fields| is_dotted(*fields)).unwrap_or(document);
    let mut event = Dotted::new(arena);
    for (name, value) in fields.members() {
        if let Some(path) = decoded(name, arena).strip_prefix(PREFIX) {
            event.put(undotted(path, arena), value);
        }
    }
    if !event.is_event() {
        return false;
    }
    take(event.finish(), origin(fields));
    true
}

fn convert_nested<'a>(audit: RawJson<'a>, document: RawJson<'a>, arena: &'a Bump, take: Take<'_, 'a>) -> bool {
    let mut event = Rebuilt::new(arena);
    for (name, value) in audit.members() {
        match Member::named(&decoded_name(name)) {
            Some(Member::Annotations) => event.set(Member::Annotations, with_dots(value, arena)),
            Some(member) => {
                set_kept(&mut event, member, value);
            }
            None => event.keep(name, value),
        }
    }
    if !event.names_itself() && event.text(Member::AuditId).is_none() {
        return false;
    }
    take(event.finish(), origin(document));
    true
}

/// Annotations with the dots of their domains.
fn with_dots<'a>(annotations: RawJson<'a>, arena: &'a Bump) -> RawJson<'a> {
    if annotations.0.first() != Some(&b'{') {
        return annotations;
    }
    let mut out = b"{".to_vec();
    for (name, value) in annotations.members() {
        if out.len() > 1 {
            out.push(b',');
        }
        write_string(Text::plain(&with_dots_before_slash(&decoded_name(name))), &mut out);
        out.push(b':');
        out.extend_from_slice(value.0);
    }
    out.push(b'}');
    RawJson(arena.alloc_slice_copy(&out))
}

fn with_dots_before_slash(key: &[u8]) -> Cow<'_, [u8]> {
    match memchr::memchr(b'/', key).filter(|slash| key.iter().take(*slash).any(|byte| *byte == b'_')) {
        Some(slash) => {
            let mut key = key.to_vec();
            key.iter_mut().take(slash).filter(|byte| **byte == b'_').for_each(|byte| *byte = b'.');
            Cow::Owned(key)
        }
        None => Cow::Borrowed(key),
    }
}

/// The dotted name of an annotation with the dots of its domain; any other as it is.
fn undotted<'a>(path: &'a [u8], arena: &'a Bump) -> &'a [u8] {
    const ANNOTATIONS: &[u8] = b"annotations.";
    let Some(key) = path.strip_prefix(ANNOTATIONS) else { return path };
    match with_dots_before_slash(key) {
        Cow::Borrowed(_) => path,
        Cow::Owned(key) => arena.alloc_slice_copy(&[ANNOTATIONS, &key].concat()),
    }
}

/// What a document says about its origin, nested or dotted.
fn origin<'a>(document: RawJson<'a>) -> Origin<'a> {
    let at = |path: &[&[u8]]| -> Option<Text<'a>> {
        let nested = path.iter().try_fold(document, |value, name| value.get(name));
        text(nested.or_else(|| document.get(&path.join(&b'.'))).map(first))
    };
    Origin {
        host: at(&[b"host", b"name"]).or_else(|| at(&[b"agent", b"name"])),
        stream: at(&[b"log", b"file", b"path"]),
        cluster: at(&[b"orchestrator", b"cluster", b"name"]),
        time: document.get(b"@timestamp").map(first).and_then(time),
        ..Origin::NONE
    }
}
