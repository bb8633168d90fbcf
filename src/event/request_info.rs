//! What a request is about, read from its method and URL: the API server's own RequestInfo algorithm.
//!
//! Text formats have no `objectRef`, and JSON events lack it where authentication failed, so the
//! object has to come from the URL. This module answers for one URL and knows no events. It follows
//! k8s.io/apiserver `pkg/endpoints/request/requestinfo.go`, oddities included: the path is decoded
//! before it is split (an encoded slash separates), inner double slashes count, and `namespaces/foo`
//! has both name and namespace `foo`.
//!
//! It runs once per event, so it borrows from the URL and touches the arena only for what is encoded. `url` cuts
//! the path into segments, which are read here; `query` has the parameters, and `selector` the name that a field
//! selector gives a list.

mod percent;
mod query;
mod selector;
mod url;

use bumpalo::Bump;

use self::query::wants_watch;
use self::url::{SEGMENTS, cut};
use super::{ObjectReference, Text};

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
    let (count, query) = cut(uri, &mut segments, arena);
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

#[cfg(test)]
mod tests;
