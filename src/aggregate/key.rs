//! What requests are grouped by, and its values.

use std::borrow::Cow;

use super::Seen;
use crate::event::{Text, Timestamp};

/// What requests can be grouped by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Key {
    /// `user.username`.
    User,
    /// Each of `user.groups`: a request counts in every group of its user.
    Group,
    /// `impersonatedUser.username`.
    As,
    /// `verb`.
    Verb,
    /// `objectRef.resource`.
    Resource,
    /// `objectRef.subresource`.
    Subresource,
    /// `objectRef.apiGroup`; absent for the core group and non-resource requests.
    ApiGroup,
    /// `objectRef.namespace`.
    Namespace,
    /// `objectRef.name`.
    Name,
    /// `responseStatus.code`.
    Code,
    /// The authorizer's decision.
    Decision,
    /// `stage` (of the event that stands for the request).
    Stage,
    /// `level`.
    Level,
    /// `userAgent`.
    UserAgent,
    /// The first of `sourceIPs`: who the client claims to be.
    SourceIp,
    /// `requestURI`, whole.
    Uri,
    /// `requestURI` without its query.
    Path,
    /// The node the client runs on: of a node's own user, or of the pod behind a service account.
    Node,
    /// The host whose log it is: from the line's prefix or the file's name.
    Host,
    /// Where it came from: the host, pod, stream or cluster its line names, else the host its path names,
    /// else the file.
    Source,
    /// The pod that wrote the line.
    Pod,
    /// The log stream it came by.
    Stream,
    /// The cluster it came from.
    Cluster,
    /// The file.
    File,
    /// How the event was written down.
    Format,
    /// Event time cut to periods of this many nanoseconds; the name is given by [`Key::name`].
    Time(i64),
    /// The same for `--every`: its name is `time`, whatever the length.
    Every(i64),
}

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// All keys by name; `time`, which `--every` adds, is none that can be asked for.
const KEYS: [(&str, Key); 28] = [
    ("user", Key::User),
    ("group", Key::Group),
    ("as", Key::As),
    ("verb", Key::Verb),
    ("resource", Key::Resource),
    ("subresource", Key::Subresource),
    ("apiGroup", Key::ApiGroup),
    ("namespace", Key::Namespace),
    ("name", Key::Name),
    ("code", Key::Code),
    ("decision", Key::Decision),
    ("stage", Key::Stage),
    ("level", Key::Level),
    ("userAgent", Key::UserAgent),
    ("sourceIP", Key::SourceIp),
    ("uri", Key::Uri),
    ("path", Key::Path),
    ("node", Key::Node),
    ("source", Key::Source),
    ("host", Key::Host),
    ("pod", Key::Pod),
    ("stream", Key::Stream),
    ("cluster", Key::Cluster),
    ("file", Key::File),
    ("format", Key::Format),
    ("minute", Key::Time(MINUTE)),
    ("hour", Key::Time(HOUR)),
    ("day", Key::Time(DAY)),
];

impl Key {
    /// The key of that name, in any case; `agent`, `ip`, `ns` and other short forms are understood.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        let full = match word.as_str() {
            "agent" => "useragent",
            "ip" => "sourceip",
            "ns" => "namespace",
            "impersonateduser" => "as",
            "requesturi" => "uri",
            other => other,
        };
        KEYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(full)).map(|&(_, key)| key)
    }

    /// All names, for messages.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KEYS.iter().map(|&(name, _)| name)
    }

    /// The name in answers.
    pub fn name(self) -> &'static str {
        KEYS.iter().find(|&&(_, key)| key == self).map_or("time", |&(name, _)| name)
    }

    /// The key's value for a request; `group` is that of [`Key::Group`].
    #[inline]
    pub(super) fn value_or<'a>(
        self,
        group: Option<Text<'a>>,
        seen: &'a Seen<'_, 'a>,
        scratch: &'a mut String,
    ) -> Option<Text<'a>> {
        if self == Key::Group { group } else { self.value(seen, scratch) }
    }

    /// The key's value for a request; absent is `None`. [`Key::Group`] has many and is not asked here.
    pub(super) fn value<'a>(self, seen: &'a Seen<'_, 'a>, scratch: &'a mut String) -> Option<Text<'a>> {
        let event = seen.event;
        let object = event.object_ref;
        match self {
            Key::User => event.user.username,
            Key::Group => None,
            Key::As => event.impersonated_user.and_then(|user| user.username),
            Key::Verb => event.verb,
            Key::Resource => object.and_then(|o| o.resource),
            Key::Subresource => object.and_then(|o| o.subresource),
            Key::ApiGroup => object.and_then(|o| o.api_group),
            Key::Namespace => object.and_then(|o| o.namespace),
            Key::Name => object.and_then(|o| o.name),
            Key::Code => event.code().map(|code| written_code(scratch, code)),
            Key::Decision => event.decision(),
            Key::Stage => Some(event.stage.text()),
            Key::Level => event.level,
            Key::UserAgent => event.user_agent,
            Key::SourceIp => event.client_ip(),
            Key::Uri => event.request_uri,
            Key::Path => event.request_uri.map(path_of),
            Key::Node => node_of(seen),
            Key::Host => seen.origin().host,
            Key::Source => seen.source_names().next(),
            Key::Pod => seen.origin().pod,
            Key::Stream => seen.origin().stream,
            Key::Cluster => seen.origin().cluster,
            Key::File => Some(Text::from(seen.source.name.as_str())),
            Key::Format => Some(Text::from(event.format.name())),
            Key::Time(width) | Key::Every(width) => event.time().map(|time| written(scratch, time.floor(width).0)),
        }
    }
}

/// A status code in digits; those of HTTP have three.
fn written_code(scratch: &mut String, code: i32) -> Text<'_> {
    if !(100..1000).contains(&code) {
        return written(scratch, code);
    }
    scratch.clear();
    scratch.extend([code / 100, code / 10 % 10, code % 10].map(|digit| char::from(b'0' + digit as u8)));
    Text::plain(scratch.as_bytes())
}

fn written(scratch: &mut String, value: impl std::fmt::Display) -> Text<'_> {
    use std::fmt::Write;
    scratch.clear();
    let _ = write!(scratch, "{value}");
    Text::plain(scratch.as_bytes())
}

fn path_of(uri: Text<'_>) -> Text<'_> {
    let raw = uri.raw();
    let end = memchr::memchr(b'?', raw).unwrap_or(raw.len());
    Text::json(&raw[..end], uri.is_escaped())
}

fn node_of<'a>(seen: &Seen<'_, 'a>) -> Option<Text<'a>> {
    let user = seen.event.user;
    let name =
        user.username.and_then(|name| Some(Text::json(name.raw().strip_prefix(b"system:node:")?, name.is_escaped())));
    name.or_else(|| user.extra?.get(b"authentication.kubernetes.io/node-name")?.elements().next()?.as_text())
}

/// A key value as people and programs read it: a time for the time keys, text for the others.
pub fn shown_value(key: Key, value: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(value);
    match key {
        Key::Time(_) | Key::Every(_) => text.parse().map(|ns| Timestamp(ns).to_rfc3339()).unwrap_or_default().into(),
        _ => text,
    }
}
