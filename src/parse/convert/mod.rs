//! Collectors that take an event apart and keep it in an arrangement of their own: rebuilds the event.
//!
//! An envelope that holds the event as a whole is not dealt with here; what is dealt with has lost
//! the event's shape: an audit entry of Cloud Logging, a row of Log Analytics, a document whose
//! members are text or dotted names. What the collector kept comes out as the server wrote it,
//! member for member and byte for byte; what it did not keep stays absent, for a filter must not
//! match what nobody logged. One file per arrangement finds the values; `rebuild` and `spelling`
//! write them.

mod dotted;
mod elastic;
mod falco;
mod gke;
mod gke_names;
mod insights;
mod rebuild;
mod row;
mod spelling;
mod struct_value;
mod tables;
mod values;

use bumpalo::Bump;

use crate::event::{Origin, RawJson};

/// Receives one event as one line of JSON, and what is known of its origin.
type Take<'t, 'a> = &'t mut dyn FnMut(&'a [u8], Origin<'a>);

/// So many members of an object are looked at before it is given up: no arrangement known here has
/// as many columns, and a foreign object must not cost more than a glance.
const GLANCE: usize = 96;

/// Rebuilds the events of an object in a collector's own arrangement.
///
/// Calls `take` with each as one line of JSON in the server's own member order and with what is
/// known of its origin; returns false if the object is of no kind known here. An object of a known
/// kind may hold no event at all. Where a collector kept the event's text whole, that text is
/// handed on as it is, and may be anything.
pub fn convert<'a>(object: RawJson<'a>, arena: &'a Bump, take: &mut dyn FnMut(&'a [u8], Origin<'a>)) -> bool {
    if is_plainly_foreign(object) {
        return false;
    }
    for (name, value) in object.members().take(GLANCE) {
        if let Some(kind) = Kind::of(name.raw(), value) {
            return kind.convert(object, arena, take);
        }
    }
    false
}

/// The first name of what most foreign lines are: other programs' logs, and envelopes of text. Their
/// one long string is not even passed over.
fn is_plainly_foreign(object: RawJson<'_>) -> bool {
    const FIRST: [&[u8]; 6] = [b"log\":\"", b"ts\":", b"msg\":", b"MESSAGE\":\"", b"_raw\":\"", b"line\":\""];
    let Some(first) = object.0.strip_prefix(b"{\"") else { return false };
    FIRST.iter().any(|name| first.starts_with(name))
}

/// The arrangements known here, each by the member that gives it away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    CloudLogging,
    Tables,
    Insights,
    Row,
    LogJson,
    Elastic,
    Falco,
}

impl Kind {
    /// What a member gives away.
    fn of(name: &[u8], value: RawJson<'_>) -> Option<Kind> {
        let within = |name: &[u8]| value.get(name).is_some();
        let kind = match name {
            b"protoPayload" | b"protopayload_auditlog" | b"Entry" | b"AuditPayload" | b"InsertID" => Kind::CloudLogging,
            b"tables" => Kind::Tables,
            b"results" if insights::is_result(value) => Kind::Insights,
            b"LogJson" => Kind::LogJson,
            b"Response" if within(b"Results") => Kind::LogJson,
            b"kubernetes" if within(b"audit") => Kind::Elastic,
            b"fields" if elastic::is_dotted(value) => Kind::Elastic,
            b"output_fields" => Kind::Falco,
            _ if elastic::is_prefixed(name) => Kind::Elastic,
            _ if row::is_telling(name) => Kind::Row,
            _ => return None,
        };
        Some(kind)
    }

    fn convert<'a>(self, object: RawJson<'a>, arena: &'a Bump, take: Take<'_, 'a>) -> bool {
        match self {
            Kind::CloudLogging => gke::convert(object, arena, take),
            Kind::Tables => tables::convert(object, arena, take),
            Kind::Insights => insights::convert(object, arena, take),
            Kind::Row => row::convert(object, arena, take),
            Kind::LogJson => row::convert_log_json(object, arena, take),
            Kind::Elastic => elastic::convert(object, arena, take),
            Kind::Falco => falco::convert(object, arena, take),
        }
    }
}

#[cfg(test)]
mod tests;
