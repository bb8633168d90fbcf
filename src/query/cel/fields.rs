//! The fields of an event that expressions know by name, as the API spells them, and what each holds.

use super::value::Value;
use crate::event::{Event, RawJson, Text, Timestamp, User};

/// What a value is, as far as that is known before an event is seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    /// Anything: what bodies hold, and what follows from it.
    Any,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Time,
    Duration,
    List(Box<Type>),
    /// A map by text, and what its values are.
    Map(Box<Type>),
    /// A group of fields, and where it stands in the event.
    Group(&'static str),
    /// What `type` gives.
    Kind,
}

impl Type {
    /// Its name, with an article.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Type::Any => "anything",
            Type::Null => "null",
            Type::Bool => "true or false",
            Type::Int | Type::Uint => "a whole number",
            Type::Double => "a number",
            Type::Text => "text",
            Type::Bytes => "bytes",
            Type::Time => "a time",
            Type::Duration => "a duration",
            Type::List(_) => "a list",
            Type::Map(_) => "a map",
            Type::Group(_) => "a group of fields",
            Type::Kind => "a type",
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Uint | Type::Double)
    }

    fn list_of_text() -> Self {
        Type::List(Box::new(Type::Text))
    }
}

/// A field of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    ApiVersion,
    Level,
    AuditId,
    Stage,
    RequestUri,
    Verb,
    User,
    Username,
    UserUid,
    UserGroups,
    UserExtra,
    As,
    AsUsername,
    AsUid,
    AsGroups,
    AsExtra,
    AuthenticationMetadata,
    SourceIps,
    UserAgent,
    Object,
    ObjectResource,
    ObjectNamespace,
    ObjectName,
    ObjectUid,
    ObjectApiGroup,
    ObjectApiVersion,
    ObjectResourceVersion,
    ObjectSubresource,
    Response,
    ResponseCode,
    ResponseStatus,
    ResponseReason,
    ResponseMessage,
    ResponseDetails,
    RequestObject,
    ResponseObject,
    Received,
    StageTime,
    Annotations,
    Latency,
    Whole,
}

/// All of them by their paths, in the order of an event.
pub(super) const FIELDS: [(&str, Field); 41] = [
    ("event", Field::Whole),
    ("apiVersion", Field::ApiVersion),
    ("level", Field::Level),
    ("auditID", Field::AuditId),
    ("stage", Field::Stage),
    ("requestURI", Field::RequestUri),
    ("verb", Field::Verb),
    ("user", Field::User),
    ("user.username", Field::Username),
    ("user.uid", Field::UserUid),
    ("user.groups", Field::UserGroups),
    ("user.extra", Field::UserExtra),
    ("impersonatedUser", Field::As),
    ("impersonatedUser.username", Field::AsUsername),
    ("impersonatedUser.uid", Field::AsUid),
    ("impersonatedUser.groups", Field::AsGroups),
    ("impersonatedUser.extra", Field::AsExtra),
    ("authenticationMetadata", Field::AuthenticationMetadata),
    ("sourceIPs", Field::SourceIps),
    ("userAgent", Field::UserAgent),
    ("objectRef", Field::Object),
    ("objectRef.resource", Field::ObjectResource),
    ("objectRef.namespace", Field::ObjectNamespace),
    ("objectRef.name", Field::ObjectName),
    ("objectRef.uid", Field::ObjectUid),
    ("objectRef.apiGroup", Field::ObjectApiGroup),
    ("objectRef.apiVersion", Field::ObjectApiVersion),
    ("objectRef.resourceVersion", Field::ObjectResourceVersion),
    ("objectRef.subresource", Field::ObjectSubresource),
    ("responseStatus", Field::Response),
    ("responseStatus.code", Field::ResponseCode),
    ("responseStatus.status", Field::ResponseStatus),
    ("responseStatus.reason", Field::ResponseReason),
    ("responseStatus.message", Field::ResponseMessage),
    ("responseStatus.details", Field::ResponseDetails),
    ("requestObject", Field::RequestObject),
    ("responseObject", Field::ResponseObject),
    ("requestReceivedTimestamp", Field::Received),
    ("stageTimestamp", Field::StageTime),
    ("annotations", Field::Annotations),
    ("latency", Field::Latency),
];

/// The field of that path.
pub(super) fn find(path: &str) -> Option<Field> {
    FIELDS.iter().find(|(known, _)| *known == path).map(|(_, field)| *field)
}

/// The names of the fields right below a group; of the event itself with an empty path.
pub(super) fn below(group: &str) -> impl Iterator<Item = &'static str> {
    FIELDS.iter().filter_map(move |(path, _)| {
        let name = if group.is_empty() { path } else { path.strip_prefix(group)?.strip_prefix('.')? };
        (!name.contains('.')).then_some(name)
    })
}

impl Field {
    /// What it holds.
    pub(super) fn kind(self) -> Type {
        match self {
            Field::User => Type::Group("user"),
            Field::As => Type::Group("impersonatedUser"),
            Field::Object => Type::Group("objectRef"),
            Field::Response => Type::Group("responseStatus"),
            Field::Whole => Type::Group("event"),
            Field::UserGroups | Field::AsGroups | Field::SourceIps => Type::list_of_text(),
            Field::UserExtra | Field::AsExtra => Type::Map(Box::new(Type::list_of_text())),
            Field::Annotations => Type::Map(Box::new(Type::Text)),
            Field::AuthenticationMetadata | Field::ResponseDetails | Field::RequestObject | Field::ResponseObject => {
                Type::Any
            }
            Field::ResponseCode => Type::Int,
            Field::Received | Field::StageTime => Type::Time,
            Field::Latency => Type::Duration,
            _ => Type::Text,
        }
    }

    /// The text it holds, if it is there.
    #[inline]
    pub(super) fn text<'v>(self, event: &Event<'v>) -> Option<Text<'v>> {
        let user = event.user;
        let acting = || event.impersonated_user;
        let object = || event.object_ref;
        let response = || event.response_status;
        match self {
            Field::ApiVersion => raw_member(event, "apiVersion")?.as_text(),
            Field::Level => event.level,
            Field::AuditId => event.audit_id,
            Field::Stage => Some(event.stage.text()),
            Field::RequestUri => event.request_uri,
            Field::Verb => event.verb,
            Field::Username => user.username,
            Field::UserUid => user.uid,
            Field::AsUsername => acting()?.username,
            Field::AsUid => acting()?.uid,
            Field::UserAgent => event.user_agent,
            Field::ObjectResource => object()?.resource,
            Field::ObjectNamespace => object()?.namespace,
            Field::ObjectName => object()?.name,
            Field::ObjectUid => object()?.uid,
            Field::ObjectApiGroup => object()?.api_group,
            Field::ObjectApiVersion => object()?.api_version,
            Field::ObjectResourceVersion => object()?.resource_version,
            Field::ObjectSubresource => object()?.subresource,
            Field::ResponseStatus => response()?.status,
            Field::ResponseReason => response()?.reason,
            Field::ResponseMessage => response()?.message,
            _ => None,
        }
    }

    /// What it holds, if it is there.
    pub(super) fn read<'v>(self, event: &Event<'v>) -> Option<Value<'v>> {
        if let Some(text) = self.text(event) {
            return Some(Value::Text(text));
        }
        let acting = event.impersonated_user;
        let time = |time: Option<Timestamp>| time.map(|time| Value::Time(time.0));
        match self {
            Field::UserGroups => event.user.groups.and_then(Value::list),
            Field::AsGroups => acting?.groups.and_then(Value::list),
            Field::SourceIps => event.source_ips.and_then(Value::list),
            Field::UserExtra => event.user.extra.and_then(Value::present),
            Field::AsExtra => acting?.extra.and_then(Value::present),
            Field::Annotations => event.annotations.and_then(Value::present),
            Field::AuthenticationMetadata => event.authentication_metadata.and_then(Value::present),
            Field::RequestObject => event.request_object.and_then(Value::present),
            Field::ResponseObject => event.response_object.and_then(Value::present),
            Field::ResponseDetails => event.response_status?.details.and_then(Value::present),
            Field::ResponseCode => event.code().map(|code| Value::Int(i64::from(code))),
            Field::Received => time(event.request_received),
            Field::StageTime => time(event.stage_timestamp),
            Field::Latency => event.latency_ns().filter(|_| !event.is_long_running()).map(Value::Duration),
            _ => None,
        }
    }

    /// Whether it is there. Groups are, whatever they hold.
    pub(super) fn is_there(self, event: &Event<'_>) -> bool {
        match self {
            Field::User => event.user != User::default(),
            Field::As => event.impersonated_user.is_some(),
            Field::Object => event.object_ref.is_some(),
            Field::Response => event.response_status.is_some(),
            Field::Whole => true,
            _ => self.read(event).is_some(),
        }
    }
}

/// A member of the event that no type of ours has. Only events that were written as JSON have any.
pub(super) fn raw_member<'v>(event: &Event<'v>, name: &str) -> Option<RawJson<'v>> {
    let raw = RawJson(event.raw.trim_ascii());
    if event.format.is_legacy() { None } else { raw.get(name.as_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Format;

    #[test]
    fn every_text_field_is_read_as_text() {
        let event = Event::empty(b"{}", Format::V1);
        for (path, field) in FIELDS {
            assert_eq!(find(path), Some(field), "{path}");
            let always = matches!(field, Field::Whole | Field::Stage);
            assert_eq!(field.is_there(&event), always, "{path}");
        }
    }
}
