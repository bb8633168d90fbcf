//! What a request is about, read from its method and URL: the API server's own RequestInfo algorithm.
//!
//! Text formats have no `objectRef`, and JSON events lack it where authentication failed, so the
//! object has to come from the URL. This module answers for one URL and knows no events. It follows
//! k8s.io/apiserver `pkg/endpoints/request/requestinfo.go`, oddities included: the path is decoded
//! before it is split (an encoded slash separates), inner double slashes count, and `namespaces/foo`
//! has both name and namespace `foo`.
//!
//! It runs once per event, so it borrows from the URL and touches the arena only for what is encoded.

use std::cmp::Ordering;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use memchr::{memchr, memchr2, memchr3, memmem};

use super::{ObjectReference, Text};

/// More segments than any rule looks at; the rest of a path never matters.
const SEGMENTS: usize = 10;

/// Which server's rules read the URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rules {
    /// Kubernetes up to 1.7: `redirect` is a special verb, an empty `watch` parameter means a list,
    /// selectors give no name, and OpenShift 3's `/oapi` is an API prefix.
    UpTo1_7,
    /// Kubernetes 1.11 and later: an empty `watch` parameter means a watch, and a field selector
    /// for one `metadata.name` names the object.
    Modern,
}

/// What is known of the method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method<'a> {
    /// An HTTP method: the verb follows from it and the URL.
    Http(Text<'a>),
    /// The Kubernetes verb, already decided by the server: it is kept, only the object is derived.
    Verb(Text<'a>),
}

/// The attributes of one request, as authorizers and audit policies see them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestInfo<'a> {
    /// Whether the request is about an API resource rather than a bare path.
    pub is_resource: bool,
    /// The verb: may be empty (`OPTIONS` on a resource), and is the lower-cased method for bare paths.
    pub verb: Text<'a>,
    /// The object, all absent for bare paths. An absent `api_group` is the core group.
    pub object: ObjectReference<'a>,
}

/// Reads method and URL as the API server does. `uri` may be the inside of a JSON string and may
/// name scheme and host. A special verb with nothing behind it (`/api/v1/watch`), which a server
/// refuses without auditing it, is read as a bare path.
pub fn request_info<'a>(method: Method<'a>, uri: Text<'a>, rules: Rules, arena: &'a Bump) -> RequestInfo<'a> {
    let mut segments: [&[u8]; SEGMENTS] = [b""; SEGMENTS];
    let (count, query) = cut_plain(uri, &mut segments).unwrap_or_else(|| {
        let (path, query) = split(uri, arena);
        (cut_path(path, &mut segments).len(), query)
    });
    let Some(found) = resource(segments.get(..count).unwrap_or_default(), method, rules) else {
        return RequestInfo { is_resource: false, verb: bare_verb(method, arena), object: ObjectReference::default() };
    };
    let mut object = found.object;
    let verb = match method {
        Method::Verb(verb) => {
            if object.name.is_none() && rules == Rules::Modern && matches!(verb.raw(), b"list" | b"watch") {
                object.name = query.options(arena).name(arena);
            }
            verb
        }
        Method::Http(http) => Text::plain(match found.special.unwrap_or_else(|| verb_of(http)) {
            b"get" if object.name.is_none() => {
                if rules == Rules::Modern && !query.rest.is_empty() {
                    object.name = query.options(arena).name(arena);
                }
                if wants_watch(query.value(b"watch", arena), rules) { b"watch" } else { b"list" }
            }
            b"delete" if object.name.is_none() => b"deletecollection",
            verb => verb,
        }),
    };
    RequestInfo { is_resource: true, verb, object }
}

/// A resource path taken apart, before the query has its say.
struct Resource<'a> {
    /// `watch`, `proxy` or `redirect`, where the path itself holds the verb.
    special: Option<&'a [u8]>,
    object: ObjectReference<'a>,
}

/// Takes a path's segments apart; none when the path is not about a resource.
fn resource<'a>(segments: &[&'a [u8]], method: Method<'_>, rules: Rules) -> Option<Resource<'a>> {
    if segments.len() < 3 {
        return None;
    }
    let (group, rest) = match segments {
        [b"api", rest @ ..] => (None, rest),
        [b"oapi", rest @ ..] if rules == Rules::UpTo1_7 => (None, rest),
        [b"apis", group, rest @ ..] if rest.len() >= 2 => (Some(*group), rest),
        _ => return None,
    };
    let (version, mut rest) = rest.split_first()?;
    let special = rest.first().copied().filter(|word| is_special(word, method, rules));
    if special.is_some() {
        rest = rest.get(1..).filter(|rest| !rest.is_empty())?;
    }
    let namespace = take_namespace(&mut rest);
    let part = |at: usize| rest.get(at).and_then(|part| filled(part));
    let has_subresource = !matches!(special, Some(b"proxy" | b"redirect"));
    let object = ObjectReference {
        resource: part(0),
        namespace,
        name: part(1),
        api_group: group.and_then(filled),
        api_version: filled(version),
        subresource: if has_subresource { part(2) } else { None },
        ..ObjectReference::default()
    };
    Some(Resource { special, object })
}

/// Whether the word after the version is a verb. A one-line log of 1.7 has the verb `redirect`
/// although newer rules read it.
fn is_special(word: &[u8], method: Method<'_>, rules: Rules) -> bool {
    match word {
        b"watch" | b"proxy" => true,
        b"redirect" => rules == Rules::UpTo1_7 || matches!(method, Method::Verb(verb) if verb.raw() == b"redirect"),
        _ => false,
    }
}

/// Takes `namespaces/x` off the front unless the namespace is itself the object.
fn take_namespace<'a>(rest: &mut &[&'a [u8]]) -> Option<Text<'a>> {
    let [b"namespaces", namespace, after @ ..] = *rest else {
        return None;
    };
    if !matches!(after.first(), None | Some(&b"status" | &b"finalize")) {
        *rest = after;
    }
    filled(namespace)
}

/// Empty strings are absent in an event.
fn filled(part: &[u8]) -> Option<Text<'_>> {
    (!part.is_empty()).then_some(Text::plain(part))
}

fn verb_of(http: Text<'_>) -> &'static [u8] {
    match http.raw() {
        b"GET" | b"HEAD" => b"get",
        b"POST" => b"create",
        b"PUT" => b"update",
        b"PATCH" => b"patch",
        b"DELETE" => b"delete",
        _ => b"",
    }
}

/// The verb of a bare path: the method in lower case.
fn bare_verb<'a>(method: Method<'a>, arena: &'a Bump) -> Text<'a> {
    match method {
        Method::Verb(verb) => verb,
        Method::Http(http) => match http.raw() {
            b"GET" => Text::plain(b"get"),
            b"POST" => Text::plain(b"post"),
            raw if !http.is_escaped() && !raw.iter().any(u8::is_ascii_uppercase) => http,
            _ => {
                let lower = arena.alloc_slice_copy(&http.decode());
                lower.make_ascii_lowercase();
                Text::plain(lower)
            }
        },
    }
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

/// A raw query, cut into parameters only when a list needs them.
#[derive(Clone, Copy)]
struct Query<'a> {
    rest: &'a [u8],
    /// Whether this is the inside of a JSON string, where `&` is mostly `\u0026`.
    escaped: bool,
}

/// The parameters that decide the name of a list; the first of several counts.
#[derive(Default)]
struct ListOptions<'a> {
    field_selector: Option<&'a [u8]>,
    limit: Option<&'a [u8]>,
    timeout_seconds: Option<&'a [u8]>,
}

impl<'a> Query<'a> {
    /// The value of a parameter: that of the first one that can be decoded.
    fn value(mut self, wanted: &[u8], arena: &'a Bump) -> Option<&'a [u8]> {
        while let Some(parameter) = self.next_parameter() {
            let at = memchr(b'=', parameter);
            let (key, value) = parameter.split_at(at.unwrap_or(parameter.len()));
            // Encoding only makes a key longer.
            let is_wanted = match key.len().cmp(&wanted.len()) {
                Ordering::Less => false,
                Ordering::Equal => key == wanted,
                Ordering::Greater => self.component(key, arena) == Some(wanted),
            };
            if is_wanted
                && memchr(b';', parameter).is_none()
                && let Some(value) = self.component(value.get(1..).unwrap_or_default(), arena)
            {
                return Some(value);
            }
        }
        None
    }

    fn options(mut self, arena: &'a Bump) -> ListOptions<'a> {
        let mut options = ListOptions::default();
        while let Some(parameter) = self.next_parameter() {
            let at = memchr(b'=', parameter);
            let (key, value) = parameter.split_at(at.unwrap_or(parameter.len()));
            // Go drops a parameter it cannot decode, and any with a semicolon.
            let Some(slot) = self.component(key, arena).and_then(|key| options.slot(key)) else { continue };
            if slot.is_none() && memchr(b';', parameter).is_none() {
                *slot = self.component(value.get(1..).unwrap_or_default(), arena);
            }
        }
        options
    }

    /// Takes the bytes up to the next `&`, however the log spells it.
    fn next_parameter(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest;
        if rest.is_empty() {
            return None;
        }
        let mut at = 0;
        let (end, separator) = loop {
            let tail = rest.get(at..).unwrap_or_default();
            let hit = if self.escaped { memchr2(b'&', b'\\', tail) } else { memchr(b'&', tail) };
            match hit.map(|hit| (at + hit, tail.get(hit..).unwrap_or_default())) {
                None => break (rest.len(), 0),
                Some((hit, found)) if found.first() == Some(&b'&') => break (hit, 1),
                Some((hit, found)) if found.starts_with(br"\u0026") => break (hit, 6),
                Some((hit, _)) => at = hit + 2,
            }
        };
        self.rest = rest.get(end + separator..).unwrap_or_default();
        rest.get(..end)
    }

    /// The bytes that a key or value stands for; none when its percent encoding is broken.
    fn component(self, raw: &'a [u8], arena: &'a Bump) -> Option<&'a [u8]> {
        let raw = if self.escaped && memchr(b'\\', raw).is_some() {
            arena.alloc_slice_copy(&Text::json(raw, true).decode())
        } else {
            raw
        };
        if memchr2(b'%', b'+', raw).is_none() {
            return Some(raw);
        }
        let (decoded, sound) = percent_decode(raw, true, arena);
        sound.then_some(decoded)
    }
}

/// Only `0`, `false` and absence mean a list, and before 1.8 the empty value.
fn wants_watch(watch: Option<&[u8]>, rules: Rules) -> bool {
    watch.is_some_and(|value| {
        let off = value == b"0" || value.eq_ignore_ascii_case(b"false");
        !off && (rules == Rules::Modern || !value.is_empty())
    })
}

impl<'a> ListOptions<'a> {
    fn slot(&mut self, key: &[u8]) -> Option<&mut Option<&'a [u8]>> {
        Some(match key {
            b"fieldSelector" => &mut self.field_selector,
            b"limit" => &mut self.limit,
            b"timeoutSeconds" => &mut self.timeout_seconds,
            _ => return None,
        })
    }

    /// The one object that the field selector allows. A server that cannot decode the options takes
    /// no name. Label selectors are not checked: a broken one only loses that refinement on a
    /// request the server answers with 400 anyway.
    fn name(&self, arena: &'a Bump) -> Option<Text<'a>> {
        let selector = self.field_selector?;
        let sound = |number: Option<&[u8]>| number.is_none_or(is_i64);
        if !sound(self.limit) || !sound(self.timeout_seconds) {
            return None;
        }
        let name = selected_name(selector, arena)?;
        let legal = !matches!(name, b"" | b"." | b"..") && memchr2(b'/', b'%', name).is_none();
        legal.then_some(Text::plain(name))
    }
}

fn is_i64(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<i64>().is_ok())
}

/// The value of the first `metadata.name=` term; none without one or when any term is broken.
fn selected_name<'a>(selector: &'a [u8], arena: &'a Bump) -> Option<&'a [u8]> {
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

/// Resolves percent encoding, and `+` in queries, into the arena; and whether all of it was sound.
/// A broken escape stays as it stands.
fn percent_decode<'a>(raw: &[u8], plus: bool, arena: &'a Bump) -> (&'a [u8], bool) {
    let mut out = BumpVec::with_capacity_in(raw.len(), arena);
    let (mut at, mut sound) = (0, true);
    while let Some(&byte) = raw.get(at) {
        at += 1;
        let digit = |at: usize| raw.get(at).and_then(|&b| (b as char).to_digit(16));
        match (byte, digit(at), digit(at + 1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'%', ..) => {
                out.push(b'%');
                sound = false;
            }
            (b'+', ..) if plus => out.push(b' '),
            _ => out.push(byte),
        }
    }
    (out.into_bump_slice(), sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(info: RequestInfo<'_>) -> String {
        let part = |text: Option<Text<'_>>| text.map_or("-".into(), |text| text.to_str_lossy().into_owned());
        let verb = info.verb.to_str_lossy().into_owned();
        if !info.is_resource {
            assert_eq!(info.object, ObjectReference::default());
            return format!("{verb} bare");
        }
        let o = info.object;
        let parts = [o.api_group, o.api_version, o.namespace, o.resource, o.subresource, o.name].map(part);
        format!("{verb} {}", parts.join(" "))
    }

    fn http(method: &str, uri: Text<'_>, rules: Rules) -> String {
        show(request_info(Method::Http(method.into()), uri, rules, &Bump::new()))
    }

    fn check(cases: &[(&str, &str, &str)], rules: Rules) {
        for (method, uri, expected) in cases {
            assert_eq!(http(method, (*uri).into(), rules), *expected, "{method} {uri}");
        }
    }

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

    /// verb group version namespace resource subresource name
    const ALWAYS: &[(&str, &str, &str)] = &[
        ("GET", "/api/v1/namespaces", "list - v1 - namespaces - -"),
        ("GET", "/api/v1/namespaces/other", "get - v1 other namespaces - other"),
        ("PUT", "/api/v1/namespaces/other/finalize", "update - v1 other namespaces finalize other"),
        ("PUT", "/api/v1/namespaces/other/status", "update - v1 other namespaces status other"),
        ("GET", "/api/v1/namespaces/other/pods", "list - v1 other pods - -"),
        ("HEAD", "/api/v1/pods", "list - v1 - pods - -"),
        ("GET", "/api/v1/pods?watch=1", "watch - v1 - pods - -"),
        ("GET", "/api/v1/pods?watch=false", "list - v1 - pods - -"),
        ("GET", "/api/v1/pods?watch=0", "list - v1 - pods - -"),
        ("GET", "/api/v1/pods?watch=False&watch=1", "list - v1 - pods - -"),
        ("GET", "/api/v1/pods/foo?watch=true", "get - v1 - pods - foo"),
        ("GET", "/api/v1/watch/namespaces/other/pods", "watch - v1 other pods - -"),
        ("GET", "/api/v1/proxy/namespaces/other/pods/foo/a/b", "proxy - v1 other pods - foo"),
        ("GET", "/api/v1/namespaces/other/pods/foo/proxy/x/y", "get - v1 other pods proxy foo"),
        ("GET", "/api/v1/pods?limit=x", "list - v1 - pods - -"),
        ("POST", "/api/v1/namespaces/other/pods", "create - v1 other pods - -"),
        ("POST", "/apis/apps/v1/namespaces/n/deployments/d/scale", "create apps v1 n deployments scale d"),
        ("DELETE", "/apis/extensions/v1/namespaces/other/pods", "deletecollection extensions v1 other pods - -"),
        ("DELETE", "/api/v1/namespaces/other/pods/foo", "delete - v1 other pods - foo"),
        ("GET", "/", "get bare"),
        ("GET", "", "get bare"),
        ("GET", "/api", "get bare"),
        ("GET", "/api/v1", "get bare"),
        ("GET", "/apis/apps/v1", "get bare"),
        ("GET", "/apis/apps/v1/", "get bare"),
        ("GET", "/healthz/etcd", "get bare"),
        ("GET", "/badprefix/v/r", "get bare"),
        ("OPTIONS", "/api/v1/pods", " - v1 - pods - -"),
        ("OPTIONS", "/version", "options bare"),
        ("GET", "/api/v1/watch", "get bare"),
        ("GET", "http://10.0.0.1:8080/api/v1/nodes/n?x=/y", "get - v1 - nodes - n"),
        ("GET", "http://10.0.0.1?x=/api/v1/pods", "get bare"),
        ("GET", "/api/v1/namespaces/n/secrets/a%2Fb", "get - v1 n secrets b a"),
        ("GET", "/api/v1/namespaces/n/secrets/%E2%98%83%zz", "get - v1 n secrets - ☃%zz"),
        ("GET", "//api//v1/pods", "get - - - v1 - pods"),
        ("GET", "/apis/a/b/c/d/e/f/g/h/i/j/k/l/m", "get a b - c e d"),
    ];

    #[test]
    fn vectors_of_every_version() {
        check(ALWAYS, Rules::Modern);
        check(ALWAYS, Rules::UpTo1_7);
    }

    #[test]
    fn vectors_that_differ_by_version() {
        let one = "/api/v1/namespaces/ns/configmaps?fieldSelector=metadata.name%3Dfoo&watch=true";
        let escaped = "/api/v1/pods?watch=&fieldSelector=metadata.name%3Da%5C%3Db";
        check(
            &[
                ("GET", "/api/v1/pods?watch=", "watch - v1 - pods - -"),
                ("GET", "/api/v1/pods?watch", "watch - v1 - pods - -"),
                ("GET", one, "watch - v1 ns configmaps - foo"),
                ("GET", escaped, "watch - v1 - pods - a=b"),
                ("GET", "/api/v1/redirect/nodes/n", "get - v1 - redirect n nodes"),
                ("GET", "/oapi/v1/builds", "get bare"),
            ],
            Rules::Modern,
        );
        check(
            &[
                ("GET", "/api/v1/pods?watch=", "list - v1 - pods - -"),
                ("GET", "/api/v1/pods?watch", "list - v1 - pods - -"),
                ("GET", one, "watch - v1 ns configmaps - -"),
                ("GET", "/api/v1/redirect/nodes/n/x", "redirect - v1 - nodes - n"),
                ("GET", "/oapi/v1/builds", "list - v1 - builds - -"),
            ],
            Rules::UpTo1_7,
        );
    }

    #[test]
    fn a_selector_names_only_what_it_must() {
        for (query, name) in [
            ("fieldSelector=metadata.name!%3Dfoo", "-"),
            ("fieldSelector=metadata.name=foo", "foo"),
            ("fieldSelector=metadata.name%3D%3Dfoo", "foo"),
            ("fieldSelector=spec.x!%3Dy%2Cmetadata.name%3Dfoo%2C", "foo"),
            ("fieldSelector=metadata.name%3Dfoo%2Cbroken", "-"),
            ("fieldSelector=metadata.name%3Dfoo%3Dbar", "-"),
            ("fieldSelector=metadata.name%3D..", "-"),
            ("fieldSelector=metadata.name%3Da%2Fb", "-"),
            ("fieldSelector=metadata.name%3D", "-"),
            ("fieldSelector=metadata.name%3Dfoo&limit=500", "foo"),
            ("fieldSelector=metadata.name%3Dfoo&limit=x", "-"),
            ("fieldSelector=metadata.name%3Dfoo&timeoutSeconds=", "-"),
            ("fieldSelector=metadata.name%3Dfoo;&limit=5", "-"),
            ("fieldSelector=metadata.name%3Dfoo%&a=1", "-"),
            ("field%53elector=metadata.name%3Da+b", "a b"),
        ] {
            let uri = format!("/api/v1/pods?{query}");
            assert_eq!(
                http("GET", uri.as_str().into(), Rules::Modern),
                format!("list - v1 - pods - {name}"),
                "{query}"
            );
        }
    }

    #[test]
    fn a_json_string_reads_like_its_meaning() {
        let query = br"/api/v1/pods?a=\\u0026\u0026fieldSelector=metadata.name%3Dx\u0026watch=true";
        assert_eq!(http("GET", Text::json(query, true), Rules::Modern), "watch - v1 - pods - x");
        let path = br"/api/v1/namespaces/a\u003cb/pods\u003fwatch=1";
        assert_eq!(http("GET", Text::json(path, true), Rules::Modern), "watch - v1 a<b pods - -");
    }

    #[test]
    fn a_known_verb_is_kept() {
        let read = |verb: &'static str, uri: &'static str| {
            show(request_info(Method::Verb(verb.into()), uri.into(), Rules::Modern, &Bump::new()))
        };
        assert_eq!(read("watch", "/api/v1/pods?fieldSelector=metadata.name%3Dx"), "watch - v1 - pods - x");
        assert_eq!(read("watch", "/api/v1/watch/pods"), "watch - v1 - pods - -");
        assert_eq!(read("proxy", "/api/v1/proxy/nodes/n/metrics"), "proxy - v1 - nodes - n");
        assert_eq!(read("redirect", "/api/v1/redirect/nodes/n"), "redirect - v1 - nodes - n");
        assert_eq!(read("create", "/api/v1/pods?fieldSelector=metadata.name%3Dx"), "create - v1 - pods - -");
        assert_eq!(
            read("deletecollection", "/api/v1/pods?fieldSelector=metadata.name%3Dx"),
            "deletecollection - v1 - pods - -"
        );
        assert_eq!(read("get", "/healthz"), "get bare");
    }

    #[test]
    fn borrows_when_nothing_is_encoded() {
        let arena = Bump::new();
        let uri = Text::json(br"/api/v1/namespaces/n/pods?a=1\u0026watch=1", true);
        request_info(Method::Http("GET".into()), uri, Rules::Modern, &arena);
        assert_eq!(arena.allocated_bytes(), 0);
    }
}
