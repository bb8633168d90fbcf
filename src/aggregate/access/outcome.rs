//! What became of a request, as far as access control goes.
//!
//! The code says that it was refused, the authorizer's annotation by whom: a 403 that the authorizer allowed
//! comes from admission, and one without the annotation from before the authorizer was asked, which is where
//! impersonation is refused. Logs of before 1.11 have no annotations; there the message tells.

use crate::event::{Event, Text};
use crate::rbac::{Request, Target};

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was allowed, whatever happened then.
    Allowed,
    /// It was refused.
    Refused(Refusal),
    /// The log does not say.
    Unknown,
}

/// Who refused a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Refusal {
    /// The server does not know who sent it: 401.
    Authentication,
    /// The sender may not act as somebody else.
    Impersonation,
    /// The authorizer.
    Authorization,
    /// What stands behind the authorizer: quota, pod security, webhooks, the protection against escalation.
    Admission,
}

/// What became of a request.
pub fn outcome(event: &Event<'_>) -> Outcome {
    let code = event.code();
    if code == Some(401) {
        return Outcome::Refused(Refusal::Authentication);
    }
    let decision = event.decision();
    match decision.map(Text::raw) {
        Some(b"forbid") if refuses_impersonation(event) => Outcome::Refused(Refusal::Impersonation),
        Some(b"forbid") => Outcome::Refused(Refusal::Authorization),
        Some(b"allow") if code == Some(403) => Outcome::Refused(Refusal::Admission),
        Some(b"allow") => Outcome::Allowed,
        _ => match code {
            Some(403) => Outcome::Refused(without_annotation(event)),
            Some(_) => Outcome::Allowed,
            None => Outcome::Unknown,
        },
    }
}

/// Whether the message of a refusal is about acting as somebody else. Names that clients choose stand in it too,
/// so it is read, not searched.
fn refuses_impersonation(event: &Event<'_>) -> bool {
    let message = event.response_status.and_then(|status| status.message).map(Text::to_str_lossy);
    message.and_then(|text| asked_in_message(&text)).is_some_and(|asked| asked.verb == "impersonate")
}

fn without_annotation(event: &Event<'_>) -> Refusal {
    let Some(message) = event.response_status.and_then(|status| status.message) else {
        return Refusal::Authorization;
    };
    let has = |words: &str| memchr::memmem::find(message.raw(), words.as_bytes()).is_some();
    if has(" cannot impersonate") {
        Refusal::Impersonation
    } else if has(" cannot ") || !has(" is forbidden: ") {
        Refusal::Authorization
    } else {
        Refusal::Admission
    }
}

/// What a refusal's message says was asked: `users "x" is forbidden: User "y" cannot impersonate resource "users" in
/// API group "" at the cluster scope`.
pub(in crate::aggregate) fn asked_in_message(message: &str) -> Option<Request> {
    let (head, tail) = message.split_once(" is forbidden: User ")?;
    let (_, tail) = quoted(tail)?;
    let (verb, tail) = tail.strip_prefix(" cannot ")?.split_once(" resource ")?;
    let (resource, tail) = quoted(tail)?;
    let (group, tail) = quoted(tail.strip_prefix(" in API group ")?)?;
    let namespace = match tail.strip_prefix(" in the namespace ") {
        Some(tail) => Some(quoted(tail)?.0),
        None => None,
    };
    let name = head.split_once(' ').and_then(|(_, name)| quoted(name)).map(|(name, _)| name);
    Some(Request { namespace, target: Target::Resource { group, resource, name }, verb: verb.to_owned() })
}

/// The text in quotes that `text` begins with, and what follows it. Go escapes quotes and backslashes.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut characters = text.strip_prefix('"')?.char_indices();
    let mut inside = String::new();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((inside, text.get(at + 2..)?)),
            '\\' => inside.push(characters.next()?.1),
            _ => inside.push(character),
        }
    }
    None
}

/// What stood against a request that the authorizer had allowed, in a few words, from the server's message.
pub(in crate::aggregate) fn admission(message: &str) -> String {
    let between = |from: &str, to: &str| Some(message.split_once(from)?.1.split_once(to)?.0);
    let named = [
        ("quota", between("exceeded quota: ", ",")),
        ("PodSecurity", between("violates PodSecurity \"", "\"")),
        ("webhook", between("admission webhook \"", "\"")),
        ("policy", between("ValidatingAdmissionPolicy '", "'")),
    ];
    if let Some((kind, name)) = named.iter().find_map(|(kind, name)| Some((kind, (*name)?))) {
        return format!("{kind} {name}");
    }
    let known = [
        ("attempting to grant RBAC permissions not currently held", "RBAC escalation"),
        ("because it is being terminated", "namespace terminating"),
        ("this namespace may not be deleted", "protected namespace"),
        ("unable to validate against any security context constraint", "SecurityContextConstraints"),
        ("is not allowed to modify", "NodeRestriction"),
        ("usage per ", "LimitRange"),
    ];
    let found = known.iter().find(|(words, _)| message.contains(words));
    found.map_or("admission", |(_, what)| what).to_owned()
}
