//! Field selectors, as far as they name an object: `metadata.name=x`, read as `k8s.io/apimachinery` does.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use memchr::memchr;

/// The value of the first `metadata.name=` term; none without one or when any term is broken.
pub(super) fn selected_name<'a>(selector: &'a [u8], arena: &'a Bump) -> Option<&'a [u8]> {
    let (mut found, mut rest) = (None, selector);
    while !rest.is_empty() {
        let end = term_length(rest);
        let (term, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        if term.is_empty() {
            continue;
        }
        let at = memchr(b'=', term)?;
        let (left, right) = term.split_at(at);
        let right = right.strip_prefix(b"==").or_else(|| right.strip_prefix(b"="))?;
        let value = selector_value(right, arena)?;
        if left == b"metadata.name" && found.is_none() {
            found = Some(value);
        }
    }
    found
}

/// The length of a field selector's first term: up to a comma that no backslash guards.
fn term_length(selector: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = selector.get(at) {
        match byte {
            b',' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    selector.len()
}

/// A selector's value without its guarding backslashes; none where Go refuses it.
fn selector_value<'a>(raw: &'a [u8], arena: &'a Bump) -> Option<&'a [u8]> {
    if !raw.iter().any(|b| matches!(b, b'\\' | b'=' | b',')) {
        return Some(raw);
    }
    let mut out = BumpVec::with_capacity_in(raw.len(), arena);
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        out.push(match byte {
            b'=' | b',' => return None,
            b'\\' => *bytes.next().filter(|b| matches!(b, b'\\' | b'=' | b','))?,
            _ => byte,
        });
    }
    Some(out.into_bump_slice())
}
