//! The members of one event, put back into the server's own order and spelling.
//!
//! Collectors sort members, spell strings anew and write times in their own way; what they did not
//! change in meaning comes out as the API server wrote it, in its member order and in the spelling
//! of [`spelling`](super::spelling). Bodies are the client's and keep their bytes, without white
//! space. Source of the order: the API type `audit.k8s.io/v1 Event` and its beta ancestor.

use bumpalo::Bump;

use super::spelling::{is_empty, separate, write_list, write_map, write_text, write_time, write_value};
use super::values::{container, number, string};
use crate::event::{RawJson, Text, compact};

/// The members of an event in the order of the server; `metadata` and `timestamp` are those of the beta versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Member {
    Kind,
    ApiVersion,
    Metadata,
    Level,
    Timestamp,
    AuditId,
    Stage,
    RequestUri,
    Verb,
    User,
    ImpersonatedUser,
    AuthenticationMetadata,
    SourceIps,
    UserAgent,
    ObjectRef,
    ResponseStatus,
    RequestObject,
    ResponseObject,
    RequestReceived,
    StageTimestamp,
    Annotations,
}

/// Names in the same order.
const NAMES: [(Member, &str); 21] = [
    (Member::Kind, "kind"),
    (Member::ApiVersion, "apiVersion"),
    (Member::Metadata, "metadata"),
    (Member::Level, "level"),
    (Member::Timestamp, "timestamp"),
    (Member::AuditId, "auditID"),
    (Member::Stage, "stage"),
    (Member::RequestUri, "requestURI"),
    (Member::Verb, "verb"),
    (Member::User, "user"),
    (Member::ImpersonatedUser, "impersonatedUser"),
    (Member::AuthenticationMetadata, "authenticationMetadata"),
    (Member::SourceIps, "sourceIPs"),
    (Member::UserAgent, "userAgent"),
    (Member::ObjectRef, "objectRef"),
    (Member::ResponseStatus, "responseStatus"),
    (Member::RequestObject, "requestObject"),
    (Member::ResponseObject, "responseObject"),
    (Member::RequestReceived, "requestReceivedTimestamp"),
    (Member::StageTimestamp, "stageTimestamp"),
    (Member::Annotations, "annotations"),
];

impl Member {
    /// The member of exactly that name.
    pub(super) fn named(name: &[u8]) -> Option<Member> {
        NAMES.iter().find(|(_, known)| known.as_bytes() == name).map(|(member, _)| *member)
    }

    /// All members with their names.
    pub(super) fn all() -> impl Iterator<Item = (Member, &'static str)> {
        NAMES.into_iter()
    }

    /// Whether the value is the client's own, kept byte for byte.
    pub(super) const fn is_body(self) -> bool {
        matches!(self, Member::RequestObject | Member::ResponseObject)
    }

    /// Whether the value is an object or a list.
    pub(super) const fn is_container(self) -> bool {
        use Member::{
            Annotations, AuthenticationMetadata, ImpersonatedUser, Metadata, ObjectRef, ResponseStatus, SourceIps, User,
        };
        self.is_body()
            || matches!(
                self,
                Metadata
                    | User
                    | ImpersonatedUser
                    | AuthenticationMetadata
                    | SourceIps
                    | ObjectRef
                    | ResponseStatus
                    | Annotations
            )
    }

    /// Whether the server writes the member even when it is empty.
    const fn is_always_written(self) -> bool {
        use Member::{AuditId, Level, Metadata, RequestUri, Stage, User, Verb};
        matches!(self, Level | AuditId | Stage | RequestUri | Verb | User | Metadata) || self.is_body()
    }
}

const USER: [&str; 4] = ["username", "uid", "groups", "extra"];
const OBJECT: [&str; 8] =
    ["resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion", "subresource"];
const STATUS: [&str; 6] = ["metadata", "status", "message", "reason", "details", "code"];
const DETAILS: [&str; 6] = ["name", "group", "kind", "uid", "causes", "retryAfterSeconds"];
const CAUSE: [&str; 3] = ["reason", "message", "field"];

/// Whether a text is a level that a server writes.
pub(super) fn is_level(level: Text<'_>) -> bool {
    matches!(level.raw(), b"Metadata" | b"Request" | b"RequestResponse")
}

/// An event being rebuilt: what is known of each member, as sound JSON.
pub(super) struct Rebuilt<'a> {
    arena: &'a Bump,
    members: [Option<RawJson<'a>>; NAMES.len()],
    /// Members that no version known here has; they are kept, behind the others.
    others: Vec<(Text<'a>, RawJson<'a>)>,
}

impl<'a> Rebuilt<'a> {
    pub(super) const fn new(arena: &'a Bump) -> Self {
        Rebuilt { arena, members: [None; NAMES.len()], others: Vec::new() }
    }

    /// Sets a member; `null` is absence, and takes nothing back.
    pub(super) fn set(&mut self, member: Member, value: RawJson<'a>) {
        if !value.is_null() {
            self.members[member as usize] = Some(value);
        }
    }

    /// Sets a member to a string.
    pub(super) fn set_text(&mut self, member: Member, text: &[u8]) {
        self.members[member as usize] = Some(string(text, self.arena));
    }

    /// Forgets a member.
    pub(super) fn clear(&mut self, member: Member) {
        self.members[member as usize] = None;
    }

    /// Keeps a member of another name.
    pub(super) fn keep(&mut self, name: Text<'a>, value: RawJson<'a>) {
        self.others.push((name, value));
    }

    /// Forgets the members of other names.
    pub(super) fn drop_others(&mut self) {
        self.others.clear();
    }

    pub(super) const fn get(&self, member: Member) -> Option<RawJson<'a>> {
        self.members[member as usize]
    }

    pub(super) fn text(&self, member: Member) -> Option<Text<'a>> {
        self.get(member)?.as_text()
    }

    /// Whether the source itself says that this is an audit event.
    pub(super) fn names_itself(&self) -> bool {
        self.text(Member::Kind).is_some_and(|kind| kind.raw() == b"Event")
            && self.text(Member::ApiVersion).is_some_and(|version| version.raw().starts_with(b"audit.k8s.io/"))
    }

    /// Writes the event. Where the collector dropped `kind` and `apiVersion`, which say nothing
    /// about the request, they are those of today's servers.
    pub(super) fn finish(mut self) -> &'a [u8] {
        if !self.names_itself() {
            self.set_text(Member::Kind, b"Event");
            self.set_text(Member::ApiVersion, b"audit.k8s.io/v1");
        }
        let mut out = Vec::with_capacity(1024);
        out.push(b'{');
        for (member, name) in Member::all() {
            let Some(value) = self.get(member) else { continue };
            if is_empty(value) && !member.is_always_written() {
                continue;
            }
            begin(name.as_bytes(), &mut out);
            self.write(member, value, &mut out);
        }
        for (name, value) in &self.others {
            separate(&mut out);
            write_text(*name, &mut out);
            out.push(b':');
            write_value(*value, &mut out);
        }
        out.push(b'}');
        self.arena.alloc_slice_copy(&out)
    }

    fn write(&self, member: Member, value: RawJson<'a>, out: &mut Vec<u8>) {
        match member {
            Member::User | Member::ImpersonatedUser => write_user(value, out),
            Member::ObjectRef => write_ordered(value, &OBJECT, out, |_, value, out| write_value(value, out)),
            Member::ResponseStatus => write_status(value, out),
            Member::SourceIps => write_list(value, out),
            Member::Annotations => write_map(value, out),
            Member::RequestObject | Member::ResponseObject => compact(value.0, out),
            Member::RequestReceived | Member::StageTimestamp => write_time(value, out),
            _ => write_value(value, out),
        }
    }
}

/// Begins the next member of an object.
fn begin(name: &[u8], out: &mut Vec<u8>) {
    separate(out);
    out.push(b'"');
    out.extend_from_slice(name);
    out.extend_from_slice(b"\":");
}

/// Writes an object's members in the given order, then the others in theirs; empty ones go.
fn write_ordered<'a>(
    object: RawJson<'a>,
    order: &[&str],
    out: &mut Vec<u8>,
    mut write: impl FnMut(&[u8], RawJson<'a>, &mut Vec<u8>),
) {
    if object.0.first() != Some(&b'{') {
        return write_value(object, out);
    }
    out.push(b'{');
    for name in order {
        if let Some(value) = object.get(name.as_bytes()).filter(|value| !is_empty(*value)) {
            begin(name.as_bytes(), out);
            write(name.as_bytes(), value, out);
        }
    }
    for (name, value) in object.members() {
        if !order.iter().any(|known| name.eq_bytes(known.as_bytes())) {
            separate(out);
            write_text(name, out);
            out.push(b':');
            write_value(value, out);
        }
    }
    out.push(b'}');
}

fn write_user(user: RawJson<'_>, out: &mut Vec<u8>) {
    write_ordered(user, &USER, out, |name, value, out| match name {
        b"extra" => write_map(value, out),
        b"groups" => write_list(value, out),
        _ => write_value(value, out),
    });
}

/// A status always begins with its empty `metadata`, which some collectors drop.
fn write_status(status: RawJson<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    write_ordered(status, &STATUS, out, |name, value, out| match name {
        b"code" => match number(value) {
            Some(code) => out.extend_from_slice(code.to_string().as_bytes()),
            None => write_value(value, out),
        },
        b"details" => write_ordered(value, &DETAILS, out, |name, value, out| match name {
            b"causes" => write_causes(value, out),
            _ => write_value(value, out),
        }),
        _ => write_value(value, out),
    });
    if out.get(start) == Some(&b'{') && status.get(b"metadata").is_none_or(is_empty) {
        let rest = out.split_off(start + 1);
        out.extend_from_slice(br#""metadata":{}"#);
        if rest.first() != Some(&b'}') {
            out.push(b',');
        }
        out.extend_from_slice(&rest);
    }
}

fn write_causes(causes: RawJson<'_>, out: &mut Vec<u8>) {
    out.push(b'[');
    for cause in causes.elements() {
        separate(out);
        write_ordered(cause, &CAUSE, out, |_, value, out| write_value(value, out));
    }
    out.push(b']');
}

/// Sets a member to a value that the collector may have turned into text; returns whether it had.
pub(super) fn set_kept<'a>(event: &mut Rebuilt<'a>, member: Member, value: RawJson<'a>) -> bool {
    if !member.is_container() || value.as_text().is_none() {
        event.set(member, value);
        return false;
    }
    match container(value, event.arena) {
        Some(inner) => event.set(member, inner),
        // Text where a body was: a mark that the body was left out, which is what absence says.
        None if member.is_body() => {}
        None => {
            event.set(member, value);
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_at_their_own_place() {
        for (at, (member, name)) in Member::all().enumerate() {
            assert_eq!(member as usize, at, "{name}");
            assert_eq!(Member::named(name.as_bytes()), Some(member));
        }
    }

    #[test]
    fn a_status_has_its_metadata_and_a_number() {
        let cases = [
            (r#"{"code":"200"}"#, r#"{"metadata":{},"code":200}"#),
            (r#"{}"#, r#"{"metadata":{}}"#),
            (r#"{"code":404,"metadata":{},"reason":"NotFound"}"#, r#"{"metadata":{},"reason":"NotFound","code":404}"#),
            (r#"{"metadata":{"a":1},"code":{}}"#, r#"{"metadata":{"a":1}}"#),
            (r#""odd""#, r#""odd""#),
        ];
        for (given, expected) in cases {
            let mut out = Vec::new();
            write_status(RawJson(given.as_bytes()), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
