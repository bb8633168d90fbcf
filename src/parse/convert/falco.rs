//! Alerts of Falco about audit events: what the rule's output had of the event, and nothing else.
//!
//! An alert has the fields that somebody chose to print. Enough for an event is its audit id, or
//! the user and the verb; stage and level are never known.

use bumpalo::Bump;

use super::Take;
use super::dotted::Dotted;
use super::values::{decoded_name, text, time};
use crate::event::{Origin, RawJson};

/// The fields whose meaning is that of one member.
const FIELDS: [(&[u8], &[u8]); 8] = [
    (b"ka.auditid", b"auditID"),
    (b"ka.verb", b"verb"),
    (b"ka.user.name", b"user.username"),
    (b"ka.target.resource", b"objectRef.resource"),
    (b"ka.target.namespace", b"objectRef.namespace"),
    (b"ka.target.name", b"objectRef.name"),
    (b"ka.target.subresource", b"objectRef.subresource"),
    (b"ka.response.code", b"responseStatus.code"),
];

/// Rebuilds what an alert has of the event.
pub(super) fn convert<'a>(alert: RawJson<'a>, arena: &'a Bump, take: Take<'_, 'a>) -> bool {
    let Some(fields) = alert.get(b"output_fields") else { return false };
    let mut event = Dotted::new(arena);
    for (name, value) in fields.members() {
        let name = decoded_name(name);
        let known = FIELDS.iter().find(|(field, _)| *field == &*name);
        // Falco's word for a field that the event did not have.
        let is_there = !value.as_text().is_some_and(|text| text.eq_bytes(b"<NA>"));
        if let Some((_, member)) = known.filter(|_| is_there) {
            event.put(member, value);
        }
    }
    if !event.is_event() {
        return false;
    }
    let origin = Origin { host: text(alert.get(b"hostname")), time: alert.get(b"time").and_then(time), ..Origin::NONE };
    take(event.finish(), origin);
    true
}
