//! Events whose members stand side by side, as columns: rows of Log Analytics, entries of Alibaba's
//! and Tencent's log services, documents of OpenShift logging.
//!
//! Names may be in another case, lists and maps may be text, the level may be overwritten, and the
//! collector's own columns stand between the event's.

use bumpalo::Bump;

use super::Take;
use super::rebuild::{Member, Rebuilt, is_level, set_kept};
use super::values::{alike, collect, container, decoded, decoded_name, text, time};
use crate::event::{Origin, RawJson, Stage, Text};

/// Whether a member's name gives away a row that may hold an event.
pub(super) fn is_telling(name: &[u8]) -> bool {
    matches!(name, b"k8s_audit_level" | b"openshift_audit_level") || alike(name, "auditID")
}

/// Rebuilds the event of one row.
pub(super) fn convert<'a>(object: RawJson<'a>, arena: &'a Bump, take: Take<'_, 'a>) -> bool {
    let mut row = Row::new(arena);
    for (name, value) in object.members() {
        row.column(name, value);
    }
    match row.finish() {
        Some((event, origin)) => {
            take(event, origin);
            true
        }
        None => false,
    }
}

/// Tencent's log service: entries whose text is in `LogJson`, alone or as the results of a search.
pub(super) fn convert_log_json<'a>(object: RawJson<'a>, arena: &'a Bump, take: Take<'_, 'a>) -> bool {
    let entries = object.get(b"Response").unwrap_or(object).get(b"Results").unwrap_or(object);
    for entry in entries.elements() {
        let [log, source, host, file, at] = collect(entry, ["LogJson", "Source", "HostName", "FileName", "Time"]);
        let origin =
            Origin { host: text(host).or(text(source)), stream: text(file), time: at.and_then(time), ..Origin::NONE };
        let Some(log) = log else { continue };
        let inner = container(log, arena);
        let converted = inner.is_some_and(|inner| convert(inner, arena, &mut |event, own| take(event, own.or(origin))));
        if !converted && let Some(text) = text(Some(log)) {
            take(decoded(text, arena).trim_ascii(), origin);
        }
    }
    true
}

/// What is known of one row.
pub(super) struct Row<'a> {
    event: Rebuilt<'a>,
    origin: Origin<'a>,
    /// The event's level, where `level` is the collector's.
    level: Option<RawJson<'a>>,
    /// When a collector of OpenShift saw it, for telling its `timestamp` from the event's.
    seen: Option<RawJson<'a>>,
    /// Whether names are spelled as no server spells them, so that it is a table of known columns.
    is_table: bool,
    /// Whether a value had become text.
    has_text: bool,
}

impl<'a> Row<'a> {
    pub(super) const fn new(arena: &'a Bump) -> Self {
        Row {
            event: Rebuilt::new(arena),
            origin: Origin::NONE,
            level: None,
            seen: None,
            is_table: false,
            has_text: false,
        }
    }

    /// Takes in one column.
    pub(super) fn column(&mut self, name: Text<'a>, value: RawJson<'a>) {
        let spelled = decoded_name(name);
        if self.collectors_own(&spelled, value) {
            return;
        }
        if let Some(member) = Member::named(&spelled) {
            self.has_text |= set_kept(&mut self.event, member, value);
        } else if let Some(member) = column_of_a_table(&spelled) {
            self.is_table |= member == Member::AuditId;
            self.has_text |= set_kept(&mut self.event, member, value);
        } else {
            self.event.keep(name, value);
        }
    }

    /// Whether a column is the collector's; some say where the event came from.
    fn collectors_own(&mut self, name: &[u8], value: RawJson<'a>) -> bool {
        let origin = &mut self.origin;
        match name {
            b"k8s_audit_level" | b"openshift_audit_level" => self.level = Some(value),
            b"@timestamp" => {
                self.seen = Some(value);
                origin.time = time(value).or(origin.time);
            }
            b"__time__" | b"__TIMESTAMP__" | b"TimeGenerated" => origin.time = time(value).or(origin.time),
            b"hostname" | b"__tag__:__hostname__" | b"__HOSTNAME__" => origin.host = text(Some(value)),
            b"__source__" | b"__SOURCE__" => origin.host = origin.host.or(text(Some(value))),
            b"__FILENAME__" | b"__tag__:__path__" => origin.stream = text(Some(value)),
            b"PodName" => origin.pod = text(Some(value)),
            b"_ResourceId" => origin.cluster = text(Some(value)),
            b"openshift" => origin.cluster = text(value.get(b"cluster_id")),
            [b'_' | b'@', ..] => {}
            _ => return OPENSHIFT.contains(&name),
        }
        true
    }

    /// The event as one line and its origin, if the row holds one that was changed.
    pub(super) fn finish(mut self) -> Option<(&'a [u8], Origin<'a>)> {
        let level = self.level.filter(|level| level.as_text().is_some_and(is_level));
        if let Some(level) = level {
            self.event.set(Member::Level, level);
        }
        let changed = level.is_some() || self.is_table || self.has_text;
        if !changed || !self.is_event() {
            return None;
        }
        if self.seen.is_some() && self.seen == self.event.get(Member::Timestamp) {
            self.event.clear(Member::Timestamp);
        }
        if self.is_table {
            self.event.drop_others();
        }
        Some((self.event.finish(), self.origin))
    }

    /// A row is an event if it says so, or has what no look-alike has; of a table, which anybody may
    /// have selected columns of, less will do.
    fn is_event(&self) -> bool {
        let event = &self.event;
        let has = |member| event.text(member).is_some_and(|text| !text.is_empty());
        if event.names_itself() {
            return true;
        }
        let stage = event.text(Member::Stage).is_some_and(|stage| Stage::from_text(stage).rank() > 0);
        let level = event.text(Member::Level).is_some_and(is_level);
        has(Member::AuditId)
            && ((stage && level) || (self.is_table && (stage || has(Member::Verb) || has(Member::RequestUri))))
    }
}

/// What collectors of OpenShift put beside the event.
const OPENSHIFT: [&[u8]; 13] = [
    b"log_type",
    b"log_source",
    b"tag",
    b"viaq_index_name",
    b"viaq_msg_id",
    b"kubernetes",
    b"pipeline_metadata",
    b"source_type",
    b"file",
    b"host",
    b"docker",
    b"systemd",
    b"message",
];

/// The member that a column of Log Analytics holds, whose names differ in case, and two in more.
fn column_of_a_table(name: &[u8]) -> Option<Member> {
    if alike(name, "requestReceivedTime") {
        return Some(Member::RequestReceived);
    }
    if alike(name, "stageReceivedTime") {
        return Some(Member::StageTimestamp);
    }
    Member::all().find(|(_, known)| alike(name, known)).map(|(member, _)| member)
}
