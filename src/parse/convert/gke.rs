//! Google Kubernetes Engine: audit entries of Cloud Logging, as its API and exports write them, as
//! BigQuery names them, and as a Go client dumps them.
//!
//! The entry has names of its own for everything; the groups of the user, the level, the query of
//! the request and one of its two times are not kept. Entries of other services are no events of a
//! cluster's API server, the container API's among them.

use bumpalo::Bump;

use super::Take;
use super::gke_names::{Target, target};
use super::rebuild::{Member, Rebuilt};
use super::struct_value;
use super::values::{collect, container, decoded, decoded_name, is_true, number, string, text, time};
use crate::event::{Origin, RawJson, Text, write_string};

/// Rebuilds the event of an entry, if it is one of Kubernetes.
pub(super) fn convert<'a>(object: RawJson<'a>, arena: &'a Bump, take: Take<'_, 'a>) -> bool {
    let Some(entry) = Entry::find(object, arena) else { return false };
    if entry.is_kubernetes() {
        let origin = entry.origin();
        take(entry.event(), origin);
    }
    true
}

/// An entry, member by member.
struct Entry<'a> {
    arena: &'a Bump,
    insert_id: Option<RawJson<'a>>,
    operation: Option<RawJson<'a>>,
    labels: Option<RawJson<'a>>,
    resource: Option<RawJson<'a>>,
    timestamp: Option<RawJson<'a>>,
    seen: Option<RawJson<'a>>,
    record: Record<'a>,
}

/// The audit record in an entry, member by member.
struct Record<'a> {
    service: Option<Text<'a>>,
    method: Option<&'a [u8]>,
    resource_name: Option<&'a [u8]>,
    status: Option<RawJson<'a>>,
    authentication: Option<RawJson<'a>>,
    authorization: Option<RawJson<'a>>,
    metadata: Option<RawJson<'a>>,
    request: Option<RawJson<'a>>,
    response: Option<RawJson<'a>>,
}

impl<'a> Record<'a> {
    fn read(record: RawJson<'a>, arena: &'a Bump) -> Option<Self> {
        let [service, method, resource_name, status, authentication] =
            collect(record, ["serviceName", "methodName", "resourceName", "status", "authenticationInfo"]);
        let [authorization, metadata, request, response, request_text, response_text] = collect(
            record,
            ["authorizationInfo", "requestMetadata", "request", "response", "requestJson", "responseJson"],
        );
        if service.is_none() && method.is_none() {
            return None;
        }
        let granted = authorization.and_then(|list| list.elements().next()).and_then(|first| first.get(b"resource"));
        let named = text(resource_name).or(text(granted));
        let body = |body: Option<RawJson<'a>>, text: Option<RawJson<'a>>| {
            without_type(body.or_else(|| container(text?, arena))?, arena)
        };
        Some(Record {
            service: text(service),
            method: text(method).map(|method| decoded(method, arena)),
            resource_name: named.map(|name| decoded(name, arena)),
            status,
            authentication,
            authorization,
            metadata,
            request: body(request, request_text),
            response: body(response, response_text),
        })
    }
}

impl<'a> Entry<'a> {
    fn find(object: RawJson<'a>, arena: &'a Bump) -> Option<Self> {
        let [dumped, as_text] = collect(object, ["Entry", "AuditPayload"]);
        let entry = dumped.unwrap_or(object);
        let [insert_id, operation, labels, resource, timestamp, seen] =
            collect(entry, ["insertId", "operation", "labels", "resource", "timestamp", "receiveTimestamp"]);
        let [record, of_table, dumped] = collect(entry, ["protoPayload", "protopayload_auditlog", "payload"]);
        // What the Go client dumps has bodies in another arrangement; its text has them as they are.
        let as_text = as_text.and_then(|text| container(text, arena));
        let record = Record::read(as_text.or(record).or(of_table).or(dumped)?, arena)?;
        Some(Entry { arena, insert_id, operation, labels, resource, timestamp, seen, record })
    }

    /// Whether the entry is of a cluster's API server. Its method proves nothing: the group in it is
    /// the cluster's choice.
    fn is_kubernetes(&self) -> bool {
        let operation = self.operation.map(|operation| collect(operation, ["producer"]));
        let producer = operation.and_then(|[producer]| text(producer));
        self.record.service.or(producer).is_some_and(|name| name.eq_bytes(b"k8s.io"))
    }

    fn origin(&self) -> Origin<'a> {
        let labels = self.resource.and_then(|resource| resource.get(b"labels"));
        let cluster = labels.and_then(|labels| text(labels.get(b"cluster_name")));
        Origin { cluster, time: self.seen.or(self.timestamp).and_then(time), ..Origin::NONE }
    }

    fn event(self) -> &'a [u8] {
        let arena = self.arena;
        let mut event = Rebuilt::new(arena);
        let about = target(self.record.method, self.record.resource_name);
        self.identity(&mut event);
        if let Some(verb) = about.verb {
            event.set_text(Member::Verb, verb);
        }
        if let Some(path) = about.request_path() {
            event.set_text(Member::RequestUri, &path);
        }
        if about.object.is_some() {
            event.set(Member::ObjectRef, object_ref(&about, arena));
        }
        // Without a body the level cannot be told from a body that was left out.
        if self.record.response.is_some() {
            event.set_text(Member::Level, b"RequestResponse");
        }
        event.set(Member::ResponseStatus, self.response_status(&about));
        event.set(Member::Annotations, self.annotations());
        if let Some(at) = self.timestamp.and_then(time) {
            // One time stands for both; whoever reads the event makes no latency of it.
            event.set_text(Member::RequestReceived, at.to_rfc3339().as_bytes());
            event.set_text(Member::StageTimestamp, at.to_rfc3339().as_bytes());
        }
        for (member, body) in
            [(Member::RequestObject, self.record.request), (Member::ResponseObject, self.record.response)]
        {
            if let Some(body) = body {
                event.set(member, body);
            }
        }
        event.finish()
    }

    /// Who asked, from where, and which request it was.
    fn identity(&self, event: &mut Rebuilt<'a>) {
        let [id, first, last] = self.operation.map_or([None; 3], |all| collect(all, ["id", "first", "last"]));
        let has_id = text(id).is_some();
        if let Some(id) = id.filter(|_| has_id).or(self.insert_id) {
            event.set(Member::AuditId, id);
        }
        let is = |flag: Option<RawJson<'_>>| flag.is_some_and(is_true);
        // An entry that is part of no operation is the whole of its request; one in the middle of an
        // operation is of no stage that could be told.
        match (is(first), is(last)) {
            (_, true) => event.set_text(Member::Stage, b"ResponseComplete"),
            (true, false) => event.set_text(Member::Stage, b"ResponseStarted"),
            (false, false) if !has_id => event.set_text(Member::Stage, b"ResponseComplete"),
            (false, false) => {}
        }
        if let Some([name]) = self.record.authentication.map(|who| collect(who, ["principalEmail"])) {
            event.set(Member::User, object(&[("username", name)], self.arena));
        }
        if let Some([ip, agent]) = self.record.metadata.map(|how| collect(how, ["callerIp", "callerSuppliedUserAgent"]))
        {
            if let Some(ip) = ip {
                event.set(Member::SourceIps, ip);
            }
            if let Some(agent) = agent {
                event.set(Member::UserAgent, agent);
            }
        }
    }

    /// The server's own answer where it was kept, else the code that stands for Google's.
    fn response_status(&self, about: &Target<'_>) -> RawJson<'a> {
        let [code, message] = self.record.status.map_or([None; 2], |status| collect(status, ["code", "message"]));
        let google = code.and_then(number).unwrap_or(0);
        let http = http_code(google, about).map(|code| RawJson(self.arena.alloc_str(&code.to_string()).as_bytes()));
        if let Some(answer) = self.record.response {
            let [kind, status, message, reason, details, code] =
                collect(answer, ["kind", "status", "message", "reason", "details", "code"]);
            if text(kind).is_some_and(|kind| kind.eq_bytes(b"Status")) {
                let code = code.filter(|code| number(*code).is_some_and(|code| code != 0)).or(http);
                let kept = [("status", status), ("message", message), ("reason", reason), ("details", details)];
                return object(&[&kept[..], &[("code", code)]].concat(), self.arena);
            }
        }
        let message = message.filter(|message| google != 0 && !is_name_of_a_code(*message));
        object(&[("message", message), ("code", http)], self.arena)
    }

    /// The entry's labels are the event's annotations. Where they lack the decision, the record has it.
    fn annotations(&self) -> RawJson<'a> {
        const DECISION: &str = "authorization.k8s.io/decision";
        let mut out = b"{".to_vec();
        let mut is_decided = false;
        for (name, value) in self.labels.into_iter().flat_map(RawJson::members) {
            let name = decoded_name(name);
            let name: &[u8] = match &*name {
                b"authorization_k8s_io_decision" => DECISION.as_bytes(),
                b"authorization_k8s_io_reason" => b"authorization.k8s.io/reason",
                name => name,
            };
            is_decided |= name == DECISION.as_bytes();
            member(name, value, &mut out);
        }
        if let Some(decision) = self.decision().filter(|_| !is_decided) {
            member(DECISION.as_bytes(), RawJson(decision), &mut out);
        }
        out.push(b'}');
        RawJson(self.arena.alloc_slice_copy(&out))
    }

    fn decision(&self) -> Option<&'static [u8]> {
        let granted = self.record.authorization?.elements().filter_map(|one| collect(one, ["granted"])[0]);
        granted.fold(None, |sum, granted| match granted.0 {
            b"false" | b"\"false\"" => Some(b"\"forbid\"".as_slice()),
            b"true" | b"\"true\"" => sum.or(Some(b"\"allow\"".as_slice())),
            _ => sum,
        })
    }
}

fn member(name: &[u8], value: RawJson<'_>, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write_string(Text::plain(name), out);
    out.push(b':');
    out.extend_from_slice(value.0);
}

/// An object of the members that are there.
fn object<'a>(members: &[(&str, Option<RawJson<'a>>)], arena: &'a Bump) -> RawJson<'a> {
    let mut out = b"{".to_vec();
    for (name, value) in members {
        if let Some(value) = value {
            member(name.as_bytes(), *value, &mut out);
        }
    }
    out.push(b'}');
    RawJson(arena.alloc_slice_copy(&out))
}

fn object_ref<'a>(about: &Target<'_>, arena: &'a Bump) -> RawJson<'a> {
    let found = about.object.unwrap_or_default();
    let part = |part: Option<&[u8]>| part.map(|part| string(part, arena));
    let members = [
        ("resource", part(Some(found.resource))),
        ("namespace", part(found.namespace)),
        ("name", part(found.name)),
        ("apiGroup", part(found.group)),
        ("apiVersion", part(Some(found.version))),
        ("subresource", part(found.subresource)),
    ];
    object(&members, arena)
}

/// A body without the type that Google adds to it.
fn without_type<'a>(body: RawJson<'a>, arena: &'a Bump) -> Option<RawJson<'a>> {
    if let Some(unwrapped) = struct_value::unwrap(body, arena) {
        return unwrapped;
    }
    if body.0.first() != Some(&b'{') {
        return Some(body);
    }
    let mut out = b"{".to_vec();
    for (name, value) in body.members().filter(|(name, _)| !name.eq_bytes(b"@type")) {
        if out.len() > 1 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.raw());
        out.extend_from_slice(b"\":");
        out.extend_from_slice(value.0);
    }
    out.push(b'}');
    Some(RawJson(arena.alloc_slice_copy(&out)))
}

/// The HTTP code that the server must have answered with. Google has no code for what `Unknown`
/// stands for, but where a connection is upgraded it is a success.
/// Source of the others: `google.rpc.Code`, which names the HTTP code of each.
fn http_code(google: i64, about: &Target<'_>) -> Option<i64> {
    let subresource = about.object.and_then(|object| object.subresource);
    let is_upgrade = matches!(subresource, Some(b"exec" | b"attach" | b"portforward"));
    Some(match google {
        0 | 2 if is_upgrade => 101,
        0 if about.verb == Some(b"create") => 201,
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        13 | 15 => 500,
        14 => 503,
        16 => 401,
        100..=599 => google,
        _ => return None,
    })
}

/// Whether a message only names Google's code, as `NOT_FOUND`, and is nothing the server said.
fn is_name_of_a_code(message: RawJson<'_>) -> bool {
    message.as_text().is_some_and(|text| text.raw().iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_'))
}
