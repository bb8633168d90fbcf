//! The one typed event that every format becomes.
//!
//! An [`Event`] borrows from the bytes it was read from: strings stay escaped, bodies stay raw,
//! times are already exact. It knows nothing about files, threads or questions; `parse` makes it,
//! everybody else reads it. Fields and their meaning are those of the Kubernetes API type
//! `audit.k8s.io/v1 Event`; what older versions and the text formats lack is simply absent.

mod command;
mod controller;
mod grant;
mod origin;
mod request_info;
mod text;
mod time;
mod uri;
mod write;

pub use command::{Copy, is_shell, shell_line};
pub use controller::is_controller;
pub use grant::{Grant, Named};
pub use origin::{Origin, OwnedOrigin};
pub use request_info::{Method, RequestInfo, Rules, request_info};
pub use text::{Elements, Members, RawJson, Text, unescape_json};
pub use time::Timestamp;
pub use uri::{Uri, decoded, parameter};
pub(crate) use write::escape;
pub use write::{compact, compact_length, write_json, write_string};

/// Where an event came from: how it was written down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `audit.k8s.io/v1` JSON.
    #[default]
    V1,
    /// `audit.k8s.io/v1beta1` JSON.
    V1beta1,
    /// `audit.k8s.io/v1alpha1` JSON.
    V1alpha1,
    /// Event JSON without an `apiVersion` (list items, re-shippers).
    Unversioned,
    /// The two-line text format of Kubernetes 1.4 to 1.7 (a joined pair, or a lone request line).
    TwoLine,
    /// The one-line text format (`--audit-log-format=legacy`).
    OneLine,
}

impl Format {
    /// The name used in answers, for instance `audit.k8s.io/v1` or `legacy-two-line`.
    pub const fn name(self) -> &'static str {
        match self {
            Format::V1 => "audit.k8s.io/v1",
            Format::V1beta1 => "audit.k8s.io/v1beta1",
            Format::V1alpha1 => "audit.k8s.io/v1alpha1",
            Format::Unversioned => "event-without-version",
            Format::TwoLine => "legacy-two-line",
            Format::OneLine => "legacy-one-line",
        }
    }

    /// Whether the event was read from one of the text formats, so that its JSON is ours.
    pub const fn is_legacy(self) -> bool {
        matches!(self, Format::TwoLine | Format::OneLine)
    }
}

/// The stage of request handling at which an event was generated. Unknown stages are data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage<'a> {
    /// The request arrived; nothing was decided yet.
    RequestReceived,
    /// Response headers were sent (long-running requests, and failed authentication).
    ResponseStarted,
    /// The response was sent.
    ResponseComplete,
    /// The handler panicked.
    Panic,
    /// A stage this version does not know.
    Other(Text<'a>),
}

impl<'a> Stage<'a> {
    /// The stage of that name.
    pub fn from_text(text: Text<'a>) -> Self {
        match text.raw() {
            b"RequestReceived" => Stage::RequestReceived,
            b"ResponseStarted" => Stage::ResponseStarted,
            b"ResponseComplete" => Stage::ResponseComplete,
            b"Panic" => Stage::Panic,
            _ => Stage::Other(text),
        }
    }

    /// The API's spelling.
    pub fn text(self) -> Text<'a> {
        match self {
            Stage::RequestReceived => Text::plain(b"RequestReceived"),
            Stage::ResponseStarted => Text::plain(b"ResponseStarted"),
            Stage::ResponseComplete => Text::plain(b"ResponseComplete"),
            Stage::Panic => Text::plain(b"Panic"),
            Stage::Other(text) => text,
        }
    }

    /// Which of several stages stands for the whole request: the highest.
    pub const fn rank(self) -> u8 {
        match self {
            Stage::Other(_) => 0,
            Stage::RequestReceived => 1,
            Stage::ResponseStarted => 2,
            Stage::ResponseComplete => 3,
            Stage::Panic => 4,
        }
    }
}

/// `user` or `impersonatedUser`: a Kubernetes UserInfo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct User<'a> {
    /// `username`; absent after failed authentication.
    pub username: Option<Text<'a>>,
    /// `uid`.
    pub uid: Option<Text<'a>>,
    /// `groups`, a list of strings.
    pub groups: Option<RawJson<'a>>,
    /// `extra`, a map from string to list of strings.
    pub extra: Option<RawJson<'a>>,
}

/// `objectRef`: the object a resource request is about. For requests that carry none the
/// parser derives it from the URL (formats: RequestInfo algorithm).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectReference<'a> {
    /// Plural resource name, `pods`.
    pub resource: Option<Text<'a>>,
    /// Namespace; absent for cluster-scoped objects and all-namespace lists.
    pub namespace: Option<Text<'a>>,
    /// Object name.
    pub name: Option<Text<'a>>,
    /// Object uid.
    pub uid: Option<Text<'a>>,
    /// API group; absent means core.
    pub api_group: Option<Text<'a>>,
    /// API version without its group.
    pub api_version: Option<Text<'a>>,
    /// Resource version the client sent.
    pub resource_version: Option<Text<'a>>,
    /// Subresource, `exec`.
    pub subresource: Option<Text<'a>>,
}

/// `responseStatus`, the fields of metav1.Status that audit events carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseStatus<'a> {
    /// HTTP status code.
    pub code: Option<i32>,
    /// `Success` or `Failure`, when the server answered with a Status object.
    pub status: Option<Text<'a>>,
    /// Machine-readable reason, `Forbidden`.
    pub reason: Option<Text<'a>>,
    /// Human-readable message.
    pub message: Option<Text<'a>>,
    /// `details`, raw.
    pub details: Option<RawJson<'a>>,
}

/// One audit event: one stage of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// The bytes of the event as read, without prefix or envelope; for the text formats the line
    /// (of a pair, the request line).
    pub raw: &'a [u8],
    /// How it was written down.
    pub format: Format,
    /// `level`: `Metadata`, `Request`, `RequestResponse`, or anything else, kept.
    pub level: Option<Text<'a>>,
    /// `auditID`: chosen by the client if it sends the header; never assume a UUID.
    pub audit_id: Option<Text<'a>>,
    /// `stage`.
    pub stage: Stage<'a>,
    /// `requestURI`: path and raw query.
    pub request_uri: Option<Text<'a>>,
    /// `verb`: the Kubernetes verb, or the lower-cased HTTP method of non-resource requests. May be empty.
    pub verb: Option<Text<'a>>,
    /// `user`, the authenticated user.
    pub user: User<'a>,
    /// `impersonatedUser`.
    pub impersonated_user: Option<User<'a>>,
    /// `authenticationMetadata`, raw.
    pub authentication_metadata: Option<RawJson<'a>>,
    /// `sourceIPs`: the first is what the client claims, only the last is certain.
    pub source_ips: Option<RawJson<'a>>,
    /// `userAgent`, client-supplied.
    pub user_agent: Option<Text<'a>>,
    /// `objectRef`, recorded or derived.
    pub object_ref: Option<ObjectReference<'a>>,
    /// Whether `object_ref` was derived from the URL because the event carries none.
    pub object_ref_derived: bool,
    /// `responseStatus`.
    pub response_status: Option<ResponseStatus<'a>>,
    /// `requestObject`, raw.
    pub request_object: Option<RawJson<'a>>,
    /// `responseObject`, raw.
    pub response_object: Option<RawJson<'a>>,
    /// When the request reached the server: `requestReceivedTimestamp`, else the beta `timestamp`
    /// (whole seconds).
    pub request_received: Option<Timestamp>,
    /// When this stage was reached: `stageTimestamp`, else the beta `metadata.creationTimestamp`
    /// (whole seconds).
    pub stage_timestamp: Option<Timestamp>,
    /// Whether both times above have the API's own microseconds, so that their difference is a latency.
    pub exact_times: bool,
    /// `annotations`, a map from string to string.
    pub annotations: Option<RawJson<'a>>,
    /// What its line's prefix or envelope says about where it came from.
    pub origin: Option<&'a Origin<'a>>,
}

impl<'a> Event<'a> {
    /// An event of which nothing is known yet.
    pub const fn empty(raw: &'a [u8], format: Format) -> Self {
        Event {
            raw,
            format,
            level: None,
            audit_id: None,
            stage: Stage::Other(Text::plain(b"")),
            request_uri: None,
            verb: None,
            user: User { username: None, uid: None, groups: None, extra: None },
            impersonated_user: None,
            authentication_metadata: None,
            source_ips: None,
            user_agent: None,
            object_ref: None,
            object_ref_derived: false,
            response_status: None,
            request_object: None,
            response_object: None,
            request_received: None,
            stage_timestamp: None,
            exact_times: false,
            annotations: None,
            origin: None,
        }
    }

    /// Event time: when the stage was reached, else when the request arrived.
    pub fn time(&self) -> Option<Timestamp> {
        self.stage_timestamp.or(self.request_received)
    }

    /// When the request started, as far as the event knows.
    pub fn start(&self) -> Option<Timestamp> {
        self.request_received.or(self.stage_timestamp)
    }

    /// The HTTP status code.
    pub fn code(&self) -> Option<i32> {
        self.response_status.and_then(|status| status.code)
    }

    /// The value of one annotation.
    pub fn annotation(&self, key: &[u8]) -> Option<Text<'a>> {
        self.annotations?.get(key)?.as_text()
    }

    /// What the authorizer said: `allow`, `forbid`, or nothing.
    pub fn decision(&self) -> Option<Text<'a>> {
        self.annotation(b"authorization.k8s.io/decision")
    }

    /// The first source address: what the client claims to be.
    pub fn client_ip(&self) -> Option<Text<'a>> {
        self.source_ips?.elements().next()?.as_text()
    }

    /// The first value of a parameter of the request's URI, decoded; empty where it has none.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let uri = self.request_uri?;
        memchr::memchr(b'?', uri.raw())?;
        parameter(&uri.to_str_lossy(), name)
    }

    /// Whether the server treats the request as long-running: verb `watch` or `proxy`, subresource
    /// `attach`, `exec`, `proxy`, `log`, `portforward`, or a path under `/debug/pprof/`.
    /// Its duration says nothing about latency. Source: kube-apiserver's LongRunningFunc.
    pub fn is_long_running(&self) -> bool {
        if self.verb.is_some_and(|verb| matches!(verb.raw(), b"watch" | b"proxy")) {
            return true;
        }
        match self.object_ref {
            Some(object) => object
                .subresource
                .is_some_and(|sub| matches!(sub.raw(), b"attach" | b"exec" | b"proxy" | b"log" | b"portforward")),
            None => self.request_uri.is_some_and(|uri| uri.raw().starts_with(b"/debug/pprof/")),
        }
    }

    /// The latency in whole microseconds, where it says something about the server: not for
    /// long-running requests.
    pub fn latency_us(&self) -> Option<u64> {
        let taken = self.taken_us()?;
        (!self.is_long_running()).then_some(taken)
    }

    /// Time from arrival to this stage in whole microseconds, of any request.
    #[inline]
    pub fn taken_us(&self) -> Option<u64> {
        self.latency_ns().map(|taken| taken as u64 / 1000)
    }

    /// Time from arrival to this stage in nanoseconds, where the format records both exactly.
    pub fn latency_ns(&self) -> Option<i64> {
        if !self.exact_times || self.stage == Stage::RequestReceived {
            return None;
        }
        let taken = self.stage_timestamp?.0.checked_sub(self.request_received?.0)?;
        (taken >= 0).then_some(taken)
    }
}
