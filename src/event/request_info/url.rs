//! The URL of a request, cut into the segments of its path and its query.
//!
//! Nearly all paths are plain, so those are cut in one go while the query is looked for ([`cut_plain`]); any other is
//! first split from its query and decoded, and then cut by the general rule ([`cut_path`]).

use bumpalo::Bump;
use memchr::{memchr, memchr2, memchr3, memmem};

use super::percent::percent_decode;
use super::query::Query;
use crate::event::Text;

/// More segments than any rule looks at; the rest of a path never matters.
pub(super) const SEGMENTS: usize = 10;

/// Cuts a URL, and tells how many segments its path has.
#[inline]
pub(super) fn cut<'a>(uri: Text<'a>, segments: &mut [&'a [u8]; SEGMENTS], arena: &'a Bump) -> (usize, Query<'a>) {
    cut_plain(uri, segments).unwrap_or_else(|| {
        let (path, query) = split(uri, arena);
        (cut_path(path, segments).len(), query)
    })
}

/// The percent-decoded path and the query of a URL.
#[inline]
fn split<'a>(uri: Text<'a>, arena: &'a Bump) -> (&'a [u8], Query<'a>) {
    let raw = uri.raw();
    let mark = if uri.is_escaped() { memchr3(b'?', b'%', b'\\', raw) } else { memchr2(b'?', b'%', raw) };
    let (path, query) = raw.split_at(mark.unwrap_or(raw.len()));
    match query {
        [] | [b'?', ..] => {
            let rest = query.get(1..).unwrap_or_default();
            (without_host(path), Query { rest, escaped: uri.is_escaped() })
        }
        _ => split_encoded(uri, arena),
    }
}

/// As [`split`], where the path may hold something encoded.
#[cold]
fn split_encoded<'a>(uri: Text<'a>, arena: &'a Bump) -> (&'a [u8], Query<'a>) {
    let (mut raw, mut escaped) = (uri.raw(), uri.is_escaped());
    let mut end = if escaped { memchr2(b'?', b'\\', raw) } else { memchr(b'?', raw) };
    if end.is_some_and(|at| raw.get(at) == Some(&b'\\')) {
        // An escape in the path, where nearly no URL has one: read the whole anew.
        raw = arena.alloc_slice_copy(&uri.decode());
        escaped = false;
        end = memchr(b'?', raw);
    }
    let (path, query) = raw.split_at(end.unwrap_or(raw.len()));
    let query = Query { rest: query.get(1..).unwrap_or_default(), escaped };
    let path = without_host(path);
    let path = if memchr(b'%', path).is_some() { percent_decode(path, false, arena).0 } else { path };
    (path, query)
}

/// Proxied requests are logged with scheme and host (`http://host/path`).
fn without_host(path: &[u8]) -> &[u8] {
    if path.first() == Some(&b'/') {
        return path;
    }
    let Some(host) = memmem::find(path, b"://").and_then(|at| path.get(at + 3..)) else {
        return path;
    };
    memchr(b'/', host).and_then(|at| host.get(at..)).unwrap_or_default()
}

/// Splits a URL and cuts its path in one go, where it is as nearly all are: a path with one slash before it
/// and none behind it, and nothing encoded. Tells how many segments there are; none says nothing.
#[inline]
fn cut_plain<'a>(uri: Text<'a>, segments: &mut [&'a [u8]; SEGMENTS]) -> Option<(usize, Query<'a>)> {
    let raw = uri.raw();
    if uri.is_escaped() || !raw.starts_with(b"/") || raw.len() < 8 {
        return None;
    }
    let (mut from, mut count) = (1, 0);
    let mut at = 0;
    let end = loop {
        let word = word_at(raw, at);
        let stops = bytes_equal(word, b'?') | bytes_equal(word, b'%');
        // From the lowest stop on it is no path any more.
        let mut slashes = bytes_equal(word, b'/') & stops.wrapping_sub(1);
        if at == 0 {
            slashes &= !0xff;
        }
        while slashes != 0 {
            let slash = at + slashes.trailing_zeros() as usize / 8;
            *segments.get_mut(count)? = raw.get(from..slash)?;
            (from, count) = (slash + 1, count + 1);
            slashes &= slashes - 1;
        }
        if stops != 0 {
            break at + stops.trailing_zeros() as usize / 8;
        }
        at += 8;
        if at >= raw.len() {
            break raw.len();
        }
    };
    if raw.get(end) == Some(&b'%') || from >= end || raw.get(1) == Some(&b'/') {
        return None;
    }
    *segments.get_mut(count)? = raw.get(from..end)?;
    Some((count + 1, Query { rest: raw.get(end + 1..).unwrap_or_default(), escaped: false }))
}

/// Eight bytes from `at` on; behind the text, which has at least eight, come zeros.
#[inline]
fn word_at(text: &[u8], at: usize) -> u64 {
    if let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        return u64::from_le_bytes(*word);
    }
    let last = text.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
    let missing = at + 8 - text.len();
    last.checked_shr(8 * missing as u32).unwrap_or_default()
}

/// Cuts a path at its slashes, outer ones trimmed, into as many segments as the rules can see.
fn cut_path<'s, 'a>(path: &'a [u8], segments: &'s mut [&'a [u8]; SEGMENTS]) -> &'s [&'a [u8]] {
    let start = path.iter().position(|&b| b != b'/').unwrap_or(path.len());
    let end = path.iter().rposition(|&b| b != b'/').map_or(start, |at| at + 1);
    let path = path.get(start..end).unwrap_or_default();
    if path.is_empty() {
        return &[];
    }
    let (words, tail) = path.as_chunks();
    let mut last = [0; 8];
    last[..tail.len()].copy_from_slice(tail);
    let (mut from, mut count) = (0, 0);
    for (index, word) in words.iter().chain([&last]).enumerate() {
        let mut slashes = bytes_equal(u64::from_le_bytes(*word), b'/');
        while slashes != 0 {
            let at = index * 8 + slashes.trailing_zeros() as usize / 8;
            let (Some(slot), Some(segment)) = (segments.get_mut(count), path.get(from..at)) else { return segments };
            *slot = segment;
            (from, count) = (at + 1, count + 1);
            slashes &= slashes - 1;
        }
    }
    let (Some(slot), Some(segment)) = (segments.get_mut(count), path.get(from..)) else { return segments };
    *slot = segment;
    segments.get(..=count).unwrap_or_default()
}

/// The highest bit of every byte that is this one. Paths are short: a search would cost more for each
/// slash than looking at eight bytes does.
#[inline]
const fn bytes_equal(word: u64, byte: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let other = word ^ u64::from_le_bytes([byte; 8]);
    // No byte's sum carries into the next one.
    !(((other & LOW) + LOW) | other | LOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_in_one_go_gives_what_two_steps_give() {
        let (arena, alphabet) = (Bump::new(), b"/?%a/b");
        let (mut state, mut answered) = (1u64, 0);
        for length in (0..60).cycle().take(60_000) {
            let mut text = b"/a".to_vec();
            for _ in 0..length {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let pick = (state >> 33) as usize;
                // Few of the bytes that end a path.
                let bytes: &[u8] = if pick.is_multiple_of(5) { alphabet } else { b"abc/" };
                text.push(bytes[pick / 8 % bytes.len()]);
            }
            let (mut one, mut two) = ([&b""[..]; SEGMENTS], [&b""[..]; SEGMENTS]);
            let Some((count, query)) = cut_plain(Text::plain(&text), &mut one) else { continue };
            let (path, other) = split(Text::plain(&text), &arena);
            assert_eq!(one[..count], *cut_path(path, &mut two), "{}", String::from_utf8_lossy(&text));
            assert_eq!((query.rest, query.escaped), (other.rest, other.escaped));
            answered += 1;
        }
        assert!(answered > 10_000, "{answered}");
    }
}
