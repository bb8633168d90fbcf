//! One JSON object: an audit Event, a list of them, or something else.
//!
//! This is the general reader: it takes members in any order, tolerates wrong types in fields that
//! do not matter, lets the last of duplicate keys win (as Go does), and decides what the object is
//! only when it has seen all of it. Source of the fields and of the recognition rules: the
//! Kubernetes API type `audit.k8s.io/v1 Event` and its alpha and beta ancestors.

use bumpalo::Bump;

use super::json::{Fault, Scanner};
use crate::event::{
    Event, Format, Method, ObjectReference, RawJson, ResponseStatus, Rules, Stage, Text, Timestamp, User, compact,
    request_info,
};

/// What a sound JSON object turned out to be.
#[derive(Debug)]
// The event is the common case and moves once; boxing it would cost an allocation a line.
#[allow(clippy::large_enum_variant)]
pub enum Object<'a> {
    /// An audit event.
    Event(Event<'a>),
    /// An `EventList`: its items, raw, and the format its version gives them.
    List(RawJson<'a>, Format),
    /// An event some of whose members a collector has changed: its level overwritten, its objects turned
    /// into text.
    Reshipped(Event<'a>),
    /// Sound JSON that is no audit event; it may hold some.
    Other(RawJson<'a>),
}

/// Why an object could not be read, and inside which of its members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken {
    /// What went wrong, and where.
    pub fault: Fault,
    /// The last top-level member begun, when it is one of the API's own.
    pub member: Option<&'static str>,
}

/// Reads the object that starts at `at` and returns it with the offset behind it.
///
/// # Errors
/// Fails when the object is not sound JSON or does not end within `text`.
pub fn read<'a>(text: &'a [u8], at: usize, arena: &'a Bump) -> Result<(Object<'a>, usize), Broken> {
    let mut fields = Fields::new();
    let mut scanner = Scanner::new(text, at);
    let mut member = None;
    if let Err(fault) = fields.members(&mut scanner, &mut member) {
        return Err(Broken { fault, member });
    }
    let end = scanner.position();
    Ok((fields.decide(&text[at..end], arena), end))
}

/// The members of interest, as found.
struct Fields<'a> {
    event: Event<'a>,
    kind: Option<Text<'a>>,
    api_version: Option<Text<'a>>,
    items: Option<RawJson<'a>>,
    stage: Option<Text<'a>>,
    metadata: Option<RawJson<'a>>,
    timestamp: Option<RawJson<'a>>,
    object_ref: Option<RawJson<'a>>,
    reshipped: bool,
}

impl<'a> Fields<'a> {
    const fn new() -> Self {
        Fields {
            event: Event::empty(b"", Format::Unversioned),
            kind: None,
            api_version: None,
            items: None,
            stage: None,
            metadata: None,
            timestamp: None,
            object_ref: None,
            reshipped: false,
        }
    }

    fn members(&mut self, scanner: &mut Scanner<'a>, member: &mut Option<&'static str>) -> Result<(), Fault> {
        scanner.expect(b'{')?;
        let mut first = true;
        while let Some(key) = scanner.key(first)? {
            first = false;
            if key.is_escaped() {
                let decoded = key.decode();
                self.member(&decoded, scanner, member)?;
            } else {
                self.member(key.raw(), scanner, member)?;
            }
        }
        Ok(())
    }

    fn member(
        &mut self,
        key: &[u8],
        scanner: &mut Scanner<'a>,
        member: &mut Option<&'static str>,
    ) -> Result<(), Fault> {
        *member = known_name(key);
        let value = scanner.value()?;
        self.reshipped |= is_reshipped(key, value);
        let event = &mut self.event;
        match key {
            b"kind" => self.kind = value.as_text(),
            b"apiVersion" => self.api_version = value.as_text(),
            b"items" => self.items = Some(value),
            b"level" => event.level = value.as_text(),
            b"auditID" => event.audit_id = value.as_text(),
            b"stage" => self.stage = value.as_text(),
            b"requestURI" => event.request_uri = value.as_text(),
            b"verb" => event.verb = value.as_text(),
            b"user" => event.user = user(value),
            b"impersonatedUser" => event.impersonated_user = (!value.is_null()).then(|| user(value)),
            b"authenticationMetadata" => event.authentication_metadata = present(value),
            b"sourceIPs" => event.source_ips = present(value),
            b"userAgent" => event.user_agent = value.as_text(),
            b"objectRef" => self.object_ref = present(value),
            b"responseStatus" => event.response_status = (!value.is_null()).then(|| response_status(value)),
            b"requestObject" => event.request_object = present(value),
            b"responseObject" => event.response_object = present(value),
            b"requestReceivedTimestamp" => event.request_received = timestamp(value),
            b"stageTimestamp" => event.stage_timestamp = timestamp(value),
            b"annotations" => event.annotations = present(value),
            b"metadata" => self.metadata = present(value),
            b"timestamp" => self.timestamp = present(value),
            _ => {}
        }
        Ok(())
    }

    fn decide(self, raw: &'a [u8], arena: &'a Bump) -> Object<'a> {
        let ours = self.api_version.is_some_and(|v| v.raw().starts_with(b"audit.k8s.io/"));
        let kind = self.kind.map(Text::raw);
        if kind == Some(b"EventList") && (ours || self.api_version.is_none()) {
            let format = self.format();
            return self.items.map_or(Object::Other(RawJson(raw)), |items| Object::List(items, format));
        }
        if (ours && kind == Some(b"Event")) || self.looks_like_event() {
            let reshipped = self.reshipped;
            let event = self.finish(raw, arena);
            return if reshipped { Object::Reshipped(event) } else { Object::Event(event) };
        }
        Object::Other(RawJson(raw))
    }

    fn format(&self) -> Format {
        format_of(self.api_version)
    }

    /// Items of a list and re-shipped events have no `apiVersion`; these three members together are
    /// what no look-alike has.
    fn looks_like_event(&self) -> bool {
        self.event.audit_id.is_some()
            && self.stage.is_some_and(|stage| Stage::from_text(stage).rank() > 0)
            && self.event.level.is_some_and(|l| matches!(l.raw(), b"Metadata" | b"Request" | b"RequestResponse"))
    }

    fn finish(self, raw: &'a [u8], arena: &'a Bump) -> Event<'a> {
        let format = self.format();
        let mut event = self.event;
        event.raw = raw;
        event.format = format;
        event.stage = Stage::from_text(self.stage.unwrap_or(Text::plain(b"")));
        event.exact_times = event.request_received.is_some() && event.stage_timestamp.is_some();
        if event.request_received.is_none() {
            event.request_received = self.timestamp.and_then(timestamp);
        }
        if event.stage_timestamp.is_none() {
            event.stage_timestamp = self.metadata.and_then(|m| m.get(b"creationTimestamp")).and_then(timestamp);
        }
        event.object_ref = self.object_ref.map(object_reference);
        if event.object_ref.is_none() {
            derive_object(&mut event, arena);
        }
        event
    }
}

/// The format of that `apiVersion`.
pub(super) fn format_of(api_version: Option<Text<'_>>) -> Format {
    match api_version.map(Text::raw) {
        Some(b"audit.k8s.io/v1") => Format::V1,
        Some(b"audit.k8s.io/v1beta1") => Format::V1beta1,
        Some(b"audit.k8s.io/v1alpha1") => Format::V1alpha1,
        _ => Format::Unversioned,
    }
}

/// Whether a member is not as a server writes it: one that collectors add when they take `level` for their
/// own, or one of the API's objects and lists as text.
#[inline]
fn is_reshipped(key: &[u8], value: RawJson<'_>) -> bool {
    match key {
        b"k8s_audit_level"
        | b"openshift_audit_level"
        | b"@timestamp"
        | b"kubernetes"
        | b"date"
        | b"_p"
        | b"__SOURCE__"
        | b"__source__"
        | b"__TIMESTAMP__"
        | b"source_type" => true,
        b"user" | b"objectRef" | b"responseStatus" | b"annotations" | b"sourceIPs" => {
            matches!(value.0, [b'"', b'{' | b'[', ..])
        }
        _ => false,
    }
}

/// An event without the members that are not the API's, which a collector put among them.
pub fn bare<'a>(event: RawJson<'a>, arena: &'a Bump) -> &'a [u8] {
    let mut bare = Vec::with_capacity(event.0.len());
    for (key, value) in event.members().filter(|(key, _)| known_name(key.raw()).is_some()) {
        bare.push(if bare.is_empty() { b'{' } else { b',' });
        bare.push(b'"');
        bare.extend_from_slice(key.raw());
        bare.extend_from_slice(b"\":");
        compact(value.0, &mut bare);
    }
    bare.push(b'}');
    arena.alloc_slice_copy(&bare)
}

/// Reads an object that was cut off by whatever carried it: what its whole members say is one event, written
/// into the arena as an object of its own.
pub fn salvage<'a>(text: &[u8], arena: &'a Bump) -> Option<Event<'a>> {
    let mut scanner = Scanner::new(text, 0);
    scanner.expect(b'{').ok()?;
    let mut end = 1;
    let mut first = true;
    while let Ok(Some(_)) = scanner.key(first) {
        first = false;
        // A number that ends with the bytes may have had more digits.
        let Ok(RawJson(_)) = scanner.value() else { break };
        if scanner.position() == text.len() {
            break;
        }
        end = scanner.position();
    }
    let whole = arena.alloc_slice_fill_copy(end + 1, b'}');
    whole[..end].copy_from_slice(text.get(..end)?);
    match read(whole, 0, arena) {
        // A head that does not say which request it is about is worth nothing.
        Ok((Object::Event(event), _)) => Some(event).filter(|event| event.audit_id.is_some()),
        _ => None,
    }
}

/// Fills `object_ref` from the URL of a resource request that carries none.
pub(crate) fn derive_object<'a>(event: &mut Event<'a>, arena: &'a Bump) {
    let Some(uri) = event.request_uri.filter(|uri| uri.raw().starts_with(b"/api") || uri.raw().starts_with(b"/oapi"))
    else {
        return;
    };
    let verb = event.verb.unwrap_or(Text::plain(b""));
    let info = request_info(Method::Verb(verb), uri, Rules::Modern, arena);
    if info.is_resource {
        event.object_ref = Some(info.object);
        event.object_ref_derived = true;
    }
}

/// The API's own top-level members, for saying where a broken event breaks off.
pub(super) fn known_name(key: &[u8]) -> Option<&'static str> {
    const NAMES: [&str; 23] = [
        "kind",
        "apiVersion",
        "items",
        "level",
        "auditID",
        "stage",
        "requestURI",
        "verb",
        "user",
        "impersonatedUser",
        "authenticationMetadata",
        "sourceIPs",
        "userAgent",
        "objectRef",
        "responseStatus",
        "requestObject",
        "responseObject",
        "requestReceivedTimestamp",
        "stageTimestamp",
        "annotations",
        "metadata",
        "timestamp",
        "status",
    ];
    NAMES.into_iter().find(|name| name.as_bytes() == key)
}

fn present(value: RawJson<'_>) -> Option<RawJson<'_>> {
    (!value.is_null()).then_some(value)
}

fn non_empty(value: RawJson<'_>) -> Option<Text<'_>> {
    value.as_text().filter(|text| !text.is_empty())
}

fn timestamp(value: RawJson<'_>) -> Option<Timestamp> {
    match value.as_text() {
        Some(text) => Timestamp::parse(&text.decode()),
        None => Timestamp::from_unix(std::str::from_utf8(value.0).ok()?.parse().ok()?),
    }
}

/// Calls `take` with each member of a sound object.
fn each_member<'a>(value: RawJson<'a>, mut take: impl FnMut(&[u8], RawJson<'a>)) {
    for (key, value) in value.members() {
        if key.is_escaped() { take(&key.decode(), value) } else { take(key.raw(), value) }
    }
}

fn user(value: RawJson<'_>) -> User<'_> {
    let mut user = User::default();
    each_member(value, |key, value| match key {
        b"username" => user.username = value.as_text(),
        b"uid" => user.uid = non_empty(value),
        b"groups" => user.groups = present(value),
        b"extra" => user.extra = present(value),
        _ => {}
    });
    user
}

fn response_status(value: RawJson<'_>) -> ResponseStatus<'_> {
    let mut status = ResponseStatus::default();
    each_member(value, |key, value| match key {
        b"code" => status.code = code(value),
        b"status" => status.status = non_empty(value),
        b"reason" => status.reason = non_empty(value),
        b"message" => status.message = non_empty(value),
        b"details" => status.details = present(value),
        _ => {}
    });
    status
}

/// A status code; shippers that keep only text write it as a string.
fn code(value: RawJson<'_>) -> Option<i32> {
    let digits = value.as_text().map_or(value.0, Text::raw);
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|&code| code != 0)
}

fn object_reference(value: RawJson<'_>) -> ObjectReference<'_> {
    let mut object = ObjectReference::default();
    each_member(value, |key, value| match key {
        b"resource" => object.resource = non_empty(value),
        b"namespace" => object.namespace = non_empty(value),
        b"name" => object.name = non_empty(value),
        b"uid" => object.uid = non_empty(value),
        b"apiGroup" => object.api_group = non_empty(value),
        b"apiVersion" => object.api_version = non_empty(value),
        b"resourceVersion" => object.resource_version = non_empty(value),
        b"subresource" => object.subresource = non_empty(value),
        _ => {}
    });
    split_group(&mut object);
    object
}

/// v1alpha1 has no `apiGroup`: `apiVersion` is `group/version`, where 1.7 wrote `/v1` for core.
fn split_group(object: &mut ObjectReference<'_>) {
    let Some(version) = object.api_version else { return };
    let Some(slash) = memchr::memrchr(b'/', version.raw()) else { return };
    let (group, rest) = version.raw().split_at(slash);
    object.api_version = Some(Text::json(&rest[1..], version.is_escaped()));
    if object.api_group.is_none() && !group.is_empty() {
        object.api_group = Some(Text::json(group, version.is_escaped()));
    }
}
