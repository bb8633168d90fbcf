//! The fields of an event as columns: what each is called and what it says.
//!
//! Rows stream, so widths are fixed: the same event prints the same line whatever came before it. A
//! cell that is too long pushes its neighbours on, and later columns fall back into place if they can.

use std::borrow::Cow;

use super::human;
use super::lines::RowContext;
use super::sanitize;
use super::table::ABSENT;
use crate::event::{Event, ObjectReference, RawJson, Text};

/// One thing to say about an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    TimeSeconds,
    TimeMicros,
    Stage,
    AuditId,
    /// `alice`, or `alice as bob`.
    Who,
    User,
    ImpersonatedUser,
    Groups,
    Verb,
    /// `deployments.apps/scale`, or the path of a non-resource request.
    ResourceOrPath,
    ApiGroup,
    Resource,
    Subresource,
    Namespace,
    Name,
    Code,
    Decision,
    Reason,
    Duration,
    LatencyUs,
    SourceIps(char),
    UserAgent,
    RequestUri,
    Level,
    Format,
    Pod,
    Source,
}

/// A column of streamed rows: header, field, width.
pub(super) type FixedColumn = (&'static str, Field, usize);

/// The default table.
pub(super) const TABLE: &[FixedColumn] = &[
    ("TIME", Field::TimeSeconds, 20),
    ("USER", Field::Who, 28),
    ("VERB", Field::Verb, 6),
    ("RESOURCE", Field::ResourceOrPath, 20),
    ("NAMESPACE", Field::Namespace, 16),
    ("NAME", Field::Name, 32),
    ("CODE", Field::Code, 6),
];

/// The table of `-o wide`.
pub(super) const WIDE: &[FixedColumn] = &[
    ("TIME", Field::TimeMicros, 27),
    ("USER", Field::Who, 28),
    ("VERB", Field::Verb, 6),
    ("RESOURCE", Field::ResourceOrPath, 20),
    ("NAMESPACE", Field::Namespace, 16),
    ("NAME", Field::Name, 32),
    ("CODE", Field::Code, 6),
    ("STAGE", Field::Stage, 16),
    ("DURATION", Field::Duration, 9),
    ("DECISION", Field::Decision, 8),
    ("SOURCE-IPS", Field::SourceIps(','), 15),
    ("USER-AGENT", Field::UserAgent, 40),
    ("POD", Field::Pod, 32),
    ("AUDIT-ID", Field::AuditId, 36),
    ("SOURCE", Field::Source, 0),
];

/// The flat columns of `-o csv`.
pub(super) const CSV: &[(&str, Field)] = &[
    ("time", Field::TimeMicros),
    ("stage", Field::Stage),
    ("auditID", Field::AuditId),
    ("user", Field::User),
    ("impersonatedUser", Field::ImpersonatedUser),
    ("groups", Field::Groups),
    ("verb", Field::Verb),
    ("apiGroup", Field::ApiGroup),
    ("resource", Field::Resource),
    ("subresource", Field::Subresource),
    ("namespace", Field::Namespace),
    ("name", Field::Name),
    ("code", Field::Code),
    ("decision", Field::Decision),
    ("reason", Field::Reason),
    ("latencyUs", Field::LatencyUs),
    ("sourceIPs", Field::SourceIps(';')),
    ("userAgent", Field::UserAgent),
    ("requestURI", Field::RequestUri),
    ("level", Field::Level),
    ("format", Field::Format),
    ("source", Field::Source),
];

/// What the event says, not yet escaped; nothing when it does not say, or says the empty string.
pub(super) fn field_text<'a>(field: Field, event: &Event<'a>, context: &RowContext<'a>) -> Option<Cow<'a, str>> {
    let object = event.object_ref;
    let text = match field {
        Field::TimeSeconds => return event.time().map(|time| human::time_seconds(time, context.tz).into()),
        Field::TimeMicros => return event.time().map(|time| human::time_micros(time, context.tz).into()),
        Field::Code => return event.code().map(|code| code.to_string().into()),
        Field::Duration => return event.latency_ns().map(|latency| human::duration(latency).into()),
        Field::LatencyUs => return event.latency_ns().map(|latency| (latency / 1000).to_string().into()),
        Field::Format => return Some(event.format.name().into()),
        Field::Source => return Some(context.source.into()).filter(|source: &Cow<'_, str>| !source.is_empty()),
        Field::Who => return who(event),
        Field::ResourceOrPath => return resource_or_path(event),
        Field::Groups => return event.user.groups.and_then(|groups| joined(groups, ';')),
        Field::SourceIps(separator) => return event.source_ips.and_then(|ips| joined(ips, separator)),
        Field::Pod => event.user.extra?.get(b"authentication.kubernetes.io/pod-name")?.elements().next()?.as_text(),
        Field::Stage => Some(event.stage.text()),
        Field::AuditId => event.audit_id,
        Field::User => event.user.username,
        Field::ImpersonatedUser => event.impersonated_user?.username,
        Field::Verb => event.verb,
        Field::ApiGroup => object?.api_group,
        Field::Resource => object?.resource,
        Field::Subresource => object?.subresource,
        Field::Namespace => object?.namespace,
        Field::Name => object?.name,
        Field::Decision => event.decision(),
        Field::Reason => event.annotation(b"authorization.k8s.io/reason"),
        Field::UserAgent => event.user_agent,
        Field::RequestUri => event.request_uri,
        Field::Level => event.level,
    };
    said(text)
}

/// `deployments.apps/nginx`, `pods/exec/web`, or the path of a non-resource request.
pub(super) fn object_name(event: &Event<'_>) -> String {
    let resource = resource_or_path(event).unwrap_or(Cow::Borrowed(ABSENT));
    let name = said(event.object_ref.filter(|object| has_resource(object)).and_then(|object| object.name));
    name.map_or_else(|| resource.to_string(), |name| format!("{resource}/{name}"))
}

fn said(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.filter(|text| !text.is_empty()).map(Text::to_str_lossy)
}

fn who<'a>(event: &Event<'a>) -> Option<Cow<'a, str>> {
    let user = said(event.user.username);
    match said(event.impersonated_user.and_then(|user| user.username)) {
        Some(other) => Some(format!("{} as {other}", user.as_deref().unwrap_or(ABSENT)).into()),
        None => user,
    }
}

fn has_resource(object: &ObjectReference<'_>) -> bool {
    object.resource.is_some_and(|resource| !resource.is_empty())
}

fn resource_or_path<'a>(event: &Event<'a>) -> Option<Cow<'a, str>> {
    let Some(object) = event.object_ref.filter(has_resource) else {
        let uri = said(event.request_uri)?;
        return Some(match uri.split_once('?') {
            Some((path, _)) => path.to_owned().into(),
            None => uri,
        });
    };
    let resource = said(object.resource)?;
    let (group, subresource) = (said(object.api_group), said(object.subresource));
    if group.is_none() && subresource.is_none() {
        return Some(resource);
    }
    let mut text = resource.into_owned();
    for (mark, part) in [('.', group), ('/', subresource)] {
        if let Some(part) = part {
            text.push(mark);
            text.push_str(&part);
        }
    }
    Some(text.into())
}

fn joined(list: RawJson<'_>, separator: char) -> Option<Cow<'_, str>> {
    let mut texts = list.elements().map(|element| match element.as_text() {
        Some(text) => text.to_str_lossy(),
        None => String::from_utf8_lossy(element.0),
    });
    let first = texts.next()?;
    let Some(second) = texts.next() else { return Some(first) };
    let mut text = first.into_owned();
    for next in std::iter::once(second).chain(texts) {
        text.push(separator);
        text.push_str(&next);
    }
    Some(text.into())
}

/// Writes the header of fixed columns.
pub(super) fn write_header(columns: &[FixedColumn], out: &mut Vec<u8>) {
    let mut line = Line::new(out);
    for &(name, _, width) in columns {
        line.cell(name, width);
    }
    line.end();
}

/// Writes one event in fixed columns.
pub(super) fn write_row(columns: &[FixedColumn], event: &Event<'_>, context: &RowContext<'_>, out: &mut Vec<u8>) {
    let mut line = Line::new(out);
    for &(_, field, width) in columns {
        match field_text(field, event, context) {
            Some(text) => line.cell(&sanitize::cell(&text), width),
            None => line.cell(ABSENT, width),
        }
    }
    line.end();
}

/// A line of cells, each starting at its column or two spaces after its neighbour. Spaces are written
/// only before a cell, so none trail.
pub(super) struct Line<'o> {
    out: &'o mut Vec<u8>,
    written: usize,
    column: usize,
}

impl<'o> Line<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Line { out, written: 0, column: 0 }
    }

    /// Writes a cell, already escaped, of which the column takes `width` characters.
    pub(super) fn cell(&mut self, text: &str, width: usize) {
        if self.column > 0 {
            let spaces = self.column.saturating_sub(self.written).max(2);
            self.out.resize(self.out.len() + spaces, b' ');
            self.written += spaces;
        }
        self.out.extend_from_slice(text.as_bytes());
        self.written += text.chars().count();
        self.column += width + 2;
    }

    pub(super) fn end(self) {
        self.out.push(b'\n');
    }
}
