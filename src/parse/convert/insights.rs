//! Answers of CloudWatch Logs Insights: rows of fields, which hold the event's text or its members
//! under dotted names, as the query had it. A row that counts something holds no event.

use bumpalo::Bump;

use super::Take;
use super::dotted::Dotted;
use super::values::{decoded, text, time};
use crate::event::{Origin, RawJson, Text};

/// Whether the results are lists of fields; other programs' results are objects.
pub(super) fn is_result(results: RawJson<'_>) -> bool {
    let row = if results.0.first() == Some(&b'[') { results.elements().next() } else { None };
    let field = row.filter(|row| row.0.first() == Some(&b'[')).and_then(|row| row.elements().next());
    field.is_some_and(|field| field.get(b"field").is_some())
}

/// Rebuilds the events of all rows.
pub(super) fn convert<'a>(answer: RawJson<'a>, arena: &'a Bump, take: Take<'_, 'a>) -> bool {
    let Some(results) = answer.get(b"results") else { return false };
    for row in results.elements() {
        convert_row(row, arena, take);
    }
    true
}

fn convert_row<'a>(row: RawJson<'a>, arena: &'a Bump, take: Take<'_, 'a>) {
    let (mut event, mut message, mut origin) = (Dotted::new(arena), None, Origin::NONE);
    for field in row.elements() {
        let (Some(name), Some(value)) = (text(field.get(b"field")), field.get(b"value")) else { continue };
        match decoded(name, arena) {
            b"@message" => message = text(Some(value)),
            b"@logStream" => origin.stream = text(Some(value)),
            b"@log" => origin.cluster = text(Some(value)).and_then(cluster),
            b"@timestamp" => origin.time = time(value),
            // An empty field was not there: Insights has no other word for it.
            name if text(Some(value)).is_some() => {
                event.put(name, value);
            }
            _ => {}
        }
    }
    if let Some(message) = message {
        take(decoded(message, arena).trim_ascii(), origin);
    } else if event.is_event() {
        take(event.finish(), origin);
    }
}

/// The cluster in the name of its log group: `123456789012:/aws/eks/CLUSTER/cluster`.
fn cluster(group: Text<'_>) -> Option<Text<'_>> {
    let at = memchr::memmem::find(group.raw(), b"/aws/eks/")?;
    let name = group.raw().get(at + b"/aws/eks/".len()..)?.split(|byte| *byte == b'/').next()?;
    (!name.is_empty()).then_some(Text::json(name, group.is_escaped()))
}
