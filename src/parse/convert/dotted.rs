//! Events taken apart into dotted names: `user.username`, `sourceIPs.0`,
//! `annotations.authorization.k8s.io/decision`.
//!
//! Lists, maps and references are put together again. Bodies are not: where a key may hold dots
//! nobody can tell which of them separated names, so they stay absent.

use std::collections::BTreeMap;

use bumpalo::Bump;

use super::rebuild::{Member, Rebuilt, set_kept};
use crate::event::{RawJson, Text, write_string};

/// An event of which dotted names come in one by one.
pub(super) struct Dotted<'a> {
    arena: &'a Bump,
    event: Rebuilt<'a>,
    parts: Vec<(Member, &'a [u8], RawJson<'a>)>,
}

impl<'a> Dotted<'a> {
    pub(super) const fn new(arena: &'a Bump) -> Self {
        Dotted { arena, event: Rebuilt::new(arena), parts: Vec::new() }
    }

    /// Takes in one name and its value; returns whether it is one of an event.
    pub(super) fn put(&mut self, path: &'a [u8], value: RawJson<'a>) -> bool {
        let (head, rest) = match memchr::memchr(b'.', path) {
            Some(dot) => (path.get(..dot).unwrap_or_default(), path.get(dot + 1..).unwrap_or_default()),
            None => (path, b"".as_slice()),
        };
        let Some(member) = Member::named(head) else { return false };
        if value.is_null() || member.is_body() && !rest.is_empty() {
            return true;
        }
        if rest.is_empty() {
            let value = if member.is_container() { value } else { first(value) };
            set_kept(&mut self.event, member, value);
        } else if member.is_container() {
            self.parts.push((member, rest, value));
        }
        true
    }

    /// Whether enough is known for an event: which request it was, or who did what.
    pub(super) fn is_event(&self) -> bool {
        let has_name = self.parts.iter().any(|(member, name, _)| *member == Member::User && *name == b"username");
        let user = has_name || self.event.get(Member::User).is_some_and(|user| user.get(b"username").is_some());
        self.event.text(Member::AuditId).is_some_and(|id| !id.is_empty())
            || (user && self.event.text(Member::Verb).is_some())
    }

    /// The event as one line.
    pub(super) fn finish(mut self) -> &'a [u8] {
        for (member, _) in Member::all().filter(|(member, _)| member.is_container()) {
            let parts: Vec<_> = self.parts.iter().filter(|(of, ..)| *of == member).map(|(_, n, v)| (*n, *v)).collect();
            if parts.is_empty() {
                continue;
            }
            let mut out = Vec::new();
            match member {
                Member::SourceIps => write_list(&in_order(parts.iter().map(|(name, ip)| (index(name), *ip))), &mut out),
                Member::Annotations => write_map(parts.iter().map(|(key, value)| (*key, first(*value))), &mut out),
                _ => Tree::new(&parts).write(&mut out),
            }
            self.event.set(member, RawJson(self.arena.alloc_slice_copy(&out)));
        }
        self.event.finish()
    }
}

/// The only value that some stores keep in a list.
pub(super) fn first(value: RawJson<'_>) -> RawJson<'_> {
    if value.0.first() == Some(&b'[') { value.elements().next().unwrap_or(RawJson(b"null")) } else { value }
}

/// The number that a name is.
fn index(name: &[u8]) -> Option<u32> {
    let digits = !name.is_empty() && name.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(name).ok().filter(|_| digits)?.parse().ok()
}

/// A name and the place in a list at its end: `groups.0`.
fn split_index(name: &[u8]) -> (&[u8], Option<u32>) {
    if let Some(dot) = memchr::memrchr(b'.', name)
        && let Some(index) = index(name.get(dot + 1..).unwrap_or_default())
    {
        return (name.get(..dot).unwrap_or_default(), Some(index));
    }
    (name, None)
}

/// The elements of a list by their place.
fn in_order<'a>(elements: impl Iterator<Item = (Option<u32>, RawJson<'a>)>) -> Vec<RawJson<'a>> {
    let mut elements: Vec<_> = elements.collect();
    elements.sort_by_key(|(at, _)| *at);
    elements.into_iter().map(|(_, element)| element).collect()
}

/// An object whose members are values, lists, or maps one level deep.
#[derive(Default)]
struct Tree<'a> {
    plain: BTreeMap<&'a [u8], RawJson<'a>>,
    lists: BTreeMap<&'a [u8], Vec<(Option<u32>, RawJson<'a>)>>,
    maps: BTreeMap<&'a [u8], Tree<'a>>,
}

impl<'a> Tree<'a> {
    fn new(parts: &[(&'a [u8], RawJson<'a>)]) -> Self {
        let mut tree = Tree::default();
        for (name, value) in parts {
            tree.put(name, *value, false);
        }
        tree
    }

    fn put(&mut self, name: &'a [u8], value: RawJson<'a>, is_inner: bool) {
        for map in [&b"extra."[..], b"details.", b"metadata."] {
            if !is_inner && let Some(key) = name.strip_prefix(map) {
                let map = name.get(..map.len() - 1).unwrap_or_default();
                return self.maps.entry(map).or_default().put(key, value, true);
            }
        }
        match split_index(name) {
            (name, Some(at)) => self.lists.entry(name).or_default().push((Some(at), value)),
            (name, None) if matches!(name, b"groups") => {
                let elements = value.elements().map(|element| (None, element));
                self.lists.entry(name).or_default().extend(elements);
            }
            (name, None) => {
                self.plain.insert(name, value);
            }
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (name, value) in self.plain {
            // What is a list in an event keeps its list; all else has one value.
            begin(name, out);
            out.extend_from_slice(if name.contains(&b'/') { value.0 } else { first(value).0 });
        }
        for (name, elements) in self.lists {
            begin(name, out);
            write_list(&in_order(elements.into_iter()), out);
        }
        for (name, map) in self.maps {
            begin(name, out);
            map.write(out);
        }
        out.push(b'}');
    }
}

fn begin(name: &[u8], out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write_string(Text::plain(name), out);
    out.push(b':');
}

fn write_map<'a>(entries: impl Iterator<Item = (&'a [u8], RawJson<'a>)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (key, value) in entries {
        begin(key, out);
        out.extend_from_slice(value.0);
    }
    out.push(b'}');
}

fn write_list(elements: &[RawJson<'_>], out: &mut Vec<u8>) {
    out.push(b'[');
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(element.0);
    }
    out.push(b']');
}
