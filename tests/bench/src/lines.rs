//! One event as a line: JSON in the server's field order, one-line text, or two-line text.

use crate::bodies::{Bodies, Identity};
use crate::ops::{From, Op, Ops, Piece};
use crate::run::{Outcome, Profile, Request};
use crate::text::{Clock, go_escape, json_escape, number, uuid};
use crate::users::User;

/// A stage of a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs)]
pub enum Stage {
    RequestReceived,
    ResponseStarted,
    ResponseComplete,
    Panic,
}

impl Stage {
    /// As spelled in the log.
    pub fn name(self) -> &'static str {
        match self {
            Stage::RequestReceived => "RequestReceived",
            Stage::ResponseStarted => "ResponseStarted",
            Stage::ResponseComplete => "ResponseComplete",
            Stage::Panic => "Panic",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Metadata,
    Request,
    RequestResponse,
}

/// Everything lines are made from.
pub struct Writer {
    /// Operations and names.
    pub ops: Ops,
    /// Callers.
    pub users: Vec<User>,
    /// Objects.
    pub bodies: Bodies,
    /// Shape of the log.
    pub profile: Profile,
    clock: Clock,
    scratch: Vec<u8>,
}

/// The request with its texts looked up.
struct Seen<'a> {
    op: &'a Op,
    user: &'a User,
    namespace: &'a str,
    name: &'a str,
    container: &'a str,
}

impl Writer {
    /// Gathers the material.
    pub fn new(ops: Ops, users: Vec<User>, bodies: Bodies, profile: Profile) -> Writer {
        Writer { ops, users, bodies, profile, clock: Clock::default(), scratch: Vec::new() }
    }

    /// Appends the line of this stage, or nothing where the format has none.
    pub fn line(&mut self, out: &mut Vec<u8>, request: &Request, stage: Stage, at: i64) {
        match self.profile {
            Profile::Legacy => self.two_line(out, request, stage, at),
            Profile::Oneline => self.one_line(out, request, stage),
            _ => self.json(out, request, stage, at),
        }
    }

    fn json(&mut self, out: &mut Vec<u8>, request: &Request, stage: Stage, at: i64) {
        let mut clock = std::mem::take(&mut self.clock);
        let seen = self.seen(request);
        let level = level(self.profile, seen.op);
        out.extend_from_slice(b"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"");
        out.extend_from_slice(match level {
            Level::Metadata => b"Metadata",
            Level::Request => b"Request",
            Level::RequestResponse => b"RequestResponse",
        });
        out.extend_from_slice(b"\",\"auditID\":\"");
        uuid(out, request.id);
        put(out, &["\",\"stage\":\"", stage.name(), "\",\"requestURI\":\""]);
        uri(out, &seen, request, true);
        put(out, &["\",\"verb\":\"", seen.op.verb, "\","]);
        out.extend_from_slice(if request.outcome == Outcome::Unauthorized {
            b"\"user\":{},"
        } else {
            seen.user.json.as_bytes()
        });
        if let (Some(other), true) = (request.acting_as, stage != Stage::RequestReceived) {
            put(out, &["\"impersonatedUser\":", &self.users[usize::from(other)].json_impersonated, ","]);
        }
        out.extend_from_slice(seen.user.json_client.as_bytes());
        object_ref(out, &seen, request, stage);
        if stage != Stage::RequestReceived {
            response_status(out, &seen, request, stage);
            out.push(b',');
        }
        if matches!(stage, Stage::ResponseComplete | Stage::Panic) && level > Level::Metadata {
            self.objects(out, &seen, request, level);
        }
        out.extend_from_slice(b"\"requestReceivedTimestamp\":\"");
        clock.micros(out, request.received);
        out.extend_from_slice(b"\",\"stageTimestamp\":\"");
        clock.micros(out, if stage == Stage::RequestReceived { request.received } else { at });
        out.push(b'"');
        if stage != Stage::RequestReceived && request.outcome != Outcome::Unauthorized {
            annotations(out, &seen, request, stage, at);
        }
        out.extend_from_slice(b"}\n");
        self.clock = clock;
    }

    fn seen(&self, request: &Request) -> Seen<'_> {
        let op = &self.ops.ops[usize::from(request.op)];
        let user = &self.users[usize::from(request.user)];
        let pool = &self.ops.pools[op.names];
        let namespace = match &op.namespace {
            From::Any => &self.ops.namespaces[usize::from(request.namespace)],
            From::Own => &self.ops.namespaces[usize::from(user.home)],
            From::Fixed(name) => name,
            _ => "",
        };
        let name = match &op.name {
            From::Any | From::Body => &pool[request.name as usize % pool.len()],
            From::Own => &user.own,
            From::Fixed(name) => name,
            // A request to one Namespace has the namespace as its name.
            From::None if op.resource == "namespaces" => namespace,
            _ => "",
        };
        Seen { op, user, namespace, name, container: self.ops.containers[request.seed as usize % 16] }
    }

    fn objects(&self, out: &mut Vec<u8>, seen: &Seen<'_>, request: &Request, level: Level) {
        let op = seen.op;
        if op.resource.is_empty() || op.long || op.object.is_empty() {
            return;
        }
        let who = Identity {
            kind: if op.subresource == "token" { "TokenRequest" } else { op.object },
            group: op.group,
            version: op.version,
            name: seen.name,
            namespace: seen.namespace,
            seed: request.seed,
        };
        let refused = matches!(request.outcome, Outcome::Forbidden | Outcome::TooMany | Outcome::Unavailable);
        if !refused && matches!(op.verb, "create" | "update" | "patch" | "delete") {
            out.extend_from_slice(b"\"requestObject\":");
            match op.verb {
                "patch" => Bodies::patch(out, &who, op.subresource),
                "delete" => put(
                    out,
                    &["{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Background\"}"],
                ),
                verb => self.bodies.object(out, &who, verb == "create"),
            }
            out.push(b',');
        }
        if level < Level::RequestResponse {
            return;
        }
        out.extend_from_slice(b"\"responseObject\":");
        if request.outcome != Outcome::Success {
            put(out, &["{\"kind\":\"Status\",\"apiVersion\":\"v1\","]);
            let from = out.len();
            response_status(out, seen, request, Stage::ResponseComplete);
            // The same Status as above, without its `"responseStatus":{`.
            out.drain(from..from + "\"responseStatus\":{".len());
        } else if op.verb == "list" || op.verb == "deletecollection" {
            self.bodies.list(out, &who, request.items);
        } else if op.verb == "delete" && op.resource != "pods" {
            put(out, &["{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\"}"]);
        } else {
            self.bodies.object(out, &who, false);
        }
        out.push(b',');
    }

    fn one_line(&mut self, out: &mut Vec<u8>, request: &Request, stage: Stage) {
        let mut clock = std::mem::take(&mut self.clock);
        let mut scratch = std::mem::take(&mut self.scratch);
        let seen = self.seen(request);
        let nobody = request.outcome == Outcome::Unauthorized;
        clock.nanos(out, request.received, request.id[0] as u32 % 1000, 0, "Z");
        out.extend_from_slice(b" AUDIT: id=\"");
        uuid(out, request.id);
        put(out, &["\" stage=\"", stage.name(), "\" ip=\"", &seen.user.ip, "\" method=\"", seen.op.verb, "\" "]);
        put(out, &[if nobody { "user=\"<none>\" groups=\"<none>\"" } else { &seen.user.legacy_user }]);
        self.acting_as(out, request, stage != Stage::RequestReceived);
        put(out, &[" user-agent=", &seen.user.legacy_agent, " namespace=\"", or_none(seen.namespace), "\" uri=\""]);
        scratch.clear();
        uri(&mut scratch, &seen, request, false);
        out.extend_from_slice(&scratch);
        out.extend_from_slice(b"\" response=\"");
        if stage == Stage::RequestReceived {
            out.extend_from_slice(b"<deferred>");
        } else {
            number(out, u64::from(code(&seen, request)));
        }
        out.extend_from_slice(b"\"\n");
        self.clock = clock;
        self.scratch = scratch;
    }

    fn two_line(&mut self, out: &mut Vec<u8>, request: &Request, stage: Stage, at: i64) {
        let mut clock = std::mem::take(&mut self.clock);
        let seen = self.seen(request);
        let nanos = request.id[1] as u32 % 1000;
        let silent = matches!(request.outcome, Outcome::Unauthorized | Outcome::TooMany);
        let unanswered = seen.op.resource.is_empty()
            || matches!(seen.op.subresource, "exec" | "attach" | "portforward")
            || request.outcome == Outcome::Panic
            || request.seed % 100 < 4;
        let last = if seen.op.long { Stage::ResponseStarted } else { Stage::ResponseComplete };
        if stage == Stage::RequestReceived && !silent {
            clock.nanos(out, request.received, nanos, -14_400, "-04:00");
            out.extend_from_slice(b" AUDIT: id=\"");
            uuid(out, request.id);
            put(out, &["\" ip=\"", &seen.user.ip, "\" method=\"", seen.op.method, "\" ", &seen.user.legacy_user]);
            self.acting_as(out, request, true);
            put(out, &[" namespace=\"", or_none(seen.namespace), "\" uri=\""]);
            uri(out, &seen, request, false);
            out.extend_from_slice(b"\"\n");
        } else if stage == last && !silent && !unanswered {
            clock.nanos(out, at, nanos, -14_400, "-04:00");
            out.extend_from_slice(b" AUDIT: id=\"");
            uuid(out, request.id);
            out.extend_from_slice(b"\" response=\"");
            number(out, u64::from(code(&seen, request)));
            out.extend_from_slice(b"\"\n");
        }
        self.clock = clock;
    }

    fn acting_as(&self, out: &mut Vec<u8>, request: &Request, known: bool) {
        match request.acting_as {
            Some(other) if known => {
                let other = &self.users[usize::from(other)];
                out.extend_from_slice(b" as=\"");
                go_escape(out, &other.name);
                put(out, &["\" asgroups=", &other.legacy_groups]);
            }
            _ => out.extend_from_slice(b" as=\"<self>\" asgroups=\"<lookup>\""),
        }
    }
}

fn put(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "<none>" } else { text }
}

fn level(profile: Profile, op: &Op) -> Level {
    let write = matches!(op.verb, "create" | "update" | "patch" | "delete" | "deletecollection");
    match profile {
        Profile::Rr => Level::RequestResponse,
        Profile::Mixed if !write || matches!(op.resource, "secrets" | "configmaps" | "tokenreviews" | "leases") => {
            Level::Metadata
        }
        Profile::Mixed if matches!(op.resource, "pods" | "deployments" | "rolebindings" | "namespaces") => {
            Level::RequestResponse
        }
        Profile::Mixed => Level::Request,
        _ => Level::Metadata,
    }
}

fn uri(out: &mut Vec<u8>, seen: &Seen<'_>, request: &Request, json: bool) {
    let op = seen.op;
    if op.resource.is_empty() {
        put(out, &[op.path]);
    } else {
        put(out, &[&op.prefix]);
        if !seen.namespace.is_empty() && op.resource != "namespaces" {
            put(out, &["/namespaces/", seen.namespace]);
        }
        put(out, &["/", op.resource]);
        // A name that comes from a selector or a body is not in the path.
        let selected = matches!(op.verb, "list" | "watch" | "deletecollection");
        if !seen.name.is_empty() && op.name != From::Body && !selected {
            put(out, &["/", seen.name]);
        }
        if !op.subresource.is_empty() {
            put(out, &["/", op.subresource]);
        }
    }
    for piece in &op.query {
        match piece {
            Piece::Text { raw, json: escaped } => put(out, &[if json { escaped } else { raw }]),
            Piece::Name => put(out, &[seen.name]),
            Piece::Container => put(out, &[seen.container]),
            Piece::Seconds => number(out, 300 + request.seed % 300),
            Piece::ResourceVersion => number(out, 5_000_000 + request.seed % 90_000_000),
        }
    }
}

fn object_ref(out: &mut Vec<u8>, seen: &Seen<'_>, request: &Request, stage: Stage) {
    let op = seen.op;
    if op.resource.is_empty() {
        return;
    }
    put(out, &["\"objectRef\":{\"resource\":\"", op.resource, "\""]);
    if !seen.namespace.is_empty() {
        put(out, &[",\"namespace\":\"", seen.namespace, "\""]);
    }
    let unread = op.name == From::Body
        && (stage == Stage::RequestReceived || matches!(request.outcome, Outcome::Forbidden | Outcome::Unauthorized));
    if !seen.name.is_empty() && !unread {
        put(out, &[",\"name\":\"", seen.name, "\""]);
    }
    if op.verb == "update" && stage == Stage::ResponseComplete && request.outcome == Outcome::Success {
        out.extend_from_slice(b",\"uid\":\"");
        uuid(out, [u64::from(request.name).wrapping_mul(0x0101_0101_0101), u64::from(request.op) * 0x0303_0303]);
        put(out, &["\"", &op.json_version, ",\"resourceVersion\":\""]);
        number(out, 5_000_000 + request.seed % 90_000_000);
        out.push(b'"');
    } else {
        put(out, &[&op.json_version]);
    }
    if !op.subresource.is_empty() {
        put(out, &[",\"subresource\":\"", op.subresource, "\""]);
    }
    out.extend_from_slice(b"},");
}

fn code(seen: &Seen<'_>, request: &Request) -> u16 {
    match request.outcome {
        Outcome::Success if matches!(seen.op.subresource, "exec" | "attach" | "portforward") => 101,
        Outcome::Success if seen.op.verb == "create" => 201,
        Outcome::Success => 200,
        Outcome::Unauthorized => 401,
        Outcome::Forbidden => 403,
        Outcome::NotFound => 404,
        Outcome::Conflict => 409,
        Outcome::Invalid => 422,
        Outcome::TooMany => 429,
        Outcome::Internal | Outcome::Panic => 500,
        Outcome::Unavailable => 503,
        Outcome::Timeout => 504,
    }
}

fn response_status(out: &mut Vec<u8>, seen: &Seen<'_>, request: &Request, stage: Stage) {
    out.extend_from_slice(b"\"responseStatus\":{\"metadata\":{}");
    let op = seen.op;
    let code = code(seen, request);
    let reason = match request.outcome {
        Outcome::Success => {
            if op.verb == "delete" && op.resource != "pods" && stage == Stage::ResponseComplete {
                put(out, &[",\"status\":\"Success\""]);
                details(out, seen, "");
            }
            ""
        }
        Outcome::Unauthorized => "Unauthorized",
        Outcome::Forbidden => "Forbidden",
        Outcome::NotFound => "NotFound",
        Outcome::Conflict if op.verb == "create" => "AlreadyExists",
        Outcome::Conflict => "Conflict",
        Outcome::Invalid => "Invalid",
        Outcome::TooMany => "TooManyRequests",
        Outcome::Internal | Outcome::Panic => "InternalError",
        Outcome::Unavailable => "ServiceUnavailable",
        Outcome::Timeout => "Timeout",
    };
    if !reason.is_empty() {
        put(out, &[",\"status\":\"Failure\",\"message\":\""]);
        message(out, seen, request);
        put(out, &["\",\"reason\":\"", reason, "\""]);
        match request.outcome {
            Outcome::Invalid => details(
                out,
                seen,
                ",\"causes\":[{\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid value: -1: must be greater than or equal to 0\",\"field\":\"spec.replicas\"}]",
            ),
            Outcome::Forbidden if op.resource.is_empty() => put(out, &[",\"details\":{}"]),
            Outcome::Forbidden | Outcome::NotFound | Outcome::Conflict => details(out, seen, ""),
            Outcome::TooMany if op.subresource == "eviction" => put(
                out,
                &[
                    ",\"details\":{\"causes\":[{\"reason\":\"DisruptionBudget\",\"message\":\"The disruption budget web needs 2 healthy pods and has 2 currently\"}]}",
                ],
            ),
            _ => {}
        }
    }
    out.extend_from_slice(b",\"code\":");
    number(out, u64::from(code));
    out.push(b'}');
}

fn details(out: &mut Vec<u8>, seen: &Seen<'_>, more: &str) {
    out.extend_from_slice(b",\"details\":{");
    if !seen.name.is_empty() && !matches!(seen.op.name, From::Body) {
        put(out, &["\"name\":\"", seen.name, "\","]);
    }
    if !seen.op.group.is_empty() {
        put(out, &["\"group\":\"", seen.op.group, "\","]);
    }
    put(out, &["\"kind\":\"", seen.op.resource, "\"", more, "}"]);
}

fn message(out: &mut Vec<u8>, seen: &Seen<'_>, request: &Request) {
    let op = seen.op;
    let dot = if op.group.is_empty() { "" } else { "." };
    match request.outcome {
        Outcome::Unauthorized => put(out, &["Unauthorized"]),
        Outcome::Forbidden if op.resource.is_empty() => {
            put(
                out,
                &["forbidden: User \\\"", &seen.user.name, "\\\" cannot ", op.verb, " path \\\"", op.path, "\\\""],
            );
        }
        Outcome::Forbidden => {
            put(out, &[op.resource, dot, op.group]);
            if !seen.name.is_empty() && op.name != From::Body {
                put(out, &[" \\\"", seen.name, "\\\""]);
            }
            put(
                out,
                &[" is forbidden: User \\\"", &seen.user.name, "\\\" cannot ", op.verb, " resource \\\"", op.resource],
            );
            if !op.subresource.is_empty() {
                put(out, &["/", op.subresource]);
            }
            put(out, &["\\\" in API group \\\"", op.group, "\\\""]);
            if seen.namespace.is_empty() {
                put(out, &[" at the cluster scope"]);
            } else {
                put(out, &[" in the namespace \\\"", seen.namespace, "\\\""]);
            }
        }
        Outcome::NotFound => put(out, &[op.resource, dot, op.group, " \\\"", seen.name, "\\\" not found"]),
        Outcome::Conflict if op.verb == "create" => {
            put(out, &[op.resource, dot, op.group, " \\\"", seen.name, "\\\" already exists"]);
        }
        Outcome::Conflict => put(
            out,
            &[
                "Operation cannot be fulfilled on ",
                op.resource,
                dot,
                op.group,
                " \\\"",
                seen.name,
                "\\\": the object has been modified; please apply your changes to the latest version and try again",
            ],
        ),
        Outcome::Invalid => put(
            out,
            &[
                op.object,
                dot,
                op.group,
                " \\\"",
                seen.name,
                "\\\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            ],
        ),
        Outcome::TooMany if op.subresource == "eviction" => {
            put(out, &["Cannot evict pod as it would violate the pod's disruption budget."]);
        }
        Outcome::TooMany => put(out, &["Too many requests, please try again later."]),
        Outcome::Internal => put(
            out,
            &[
                "Internal error occurred: failed calling webhook \\\"validate.policy.example.com\\\": failed to call webhook: Post \\\"https://policy.security.svc:443/validate?timeout=10s\\\": context deadline exceeded",
            ],
        ),
        Outcome::Panic => {
            json_escape(out, "APIServer panic'd: runtime error: invalid memory address or nil pointer dereference")
        }
        Outcome::Unavailable => {
            put(out, &["error trying to reach service: dial tcp 10.96.0.44:443: connect: connection refused"])
        }
        Outcome::Timeout => put(out, &["Timeout: request did not complete within the allotted timeout"]),
        Outcome::Success => {}
    }
}

fn annotations(out: &mut Vec<u8>, seen: &Seen<'_>, request: &Request, stage: Stage, at: i64) {
    let op = seen.op;
    out.extend_from_slice(b",\"annotations\":{");
    let slow = at - request.received;
    if slow > 500_000 && !op.long && stage == Stage::ResponseComplete {
        for (key, part) in
            [("etcd", 0.71), ("response-write", 0.0004), ("serialize-response-object", 0.11), ("total", 1.0)]
        {
            put(out, &["\"apiserver.latency.k8s.io/", key, "\":\""]);
            let micros = (slow as f64 * part) as u64;
            if micros >= 1_000_000 {
                put(out, &[&format!("{}s", micros as f64 / 1e6), "\","]);
            } else {
                put(out, &[&format!("{}ms", micros as f64 / 1e3), "\","]);
            }
        }
    }
    if op.subresource == "token" && request.outcome == Outcome::Success {
        out.extend_from_slice(b"\"authentication.kubernetes.io/issued-credential-id\":\"JTI=");
        uuid(out, [request.id[1], request.id[0]]);
        out.extend_from_slice(b"\",");
    }
    let refused = request.outcome == Outcome::Forbidden;
    put(out, &["\"authorization.k8s.io/decision\":\"", if refused { "forbid" } else { "allow" }]);
    put(out, &["\",\"authorization.k8s.io/reason\":\"", if refused { "" } else { &seen.user.reason }, "\""]);
    if op.resource == "endpoints" {
        out.extend_from_slice(b",\"k8s.io/deprecated\":\"true\"");
    }
    if op.verb == "create" && op.resource == "pods" && op.subresource.is_empty() && !refused {
        out.extend_from_slice(b",\"pod-security.kubernetes.io/enforce-policy\":\"baseline:latest\"");
    }
    out.push(b'}');
}
