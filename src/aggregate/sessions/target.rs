//! Which requests are sessions, and what they reach: read from the object, the path and the query.

use super::pod::debug_container;
use crate::event::{Event, ObjectReference, RawJson, Text, Uri};

/// What kind of session it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A command in a container.
    Exec,
    /// The streams of a container's own process.
    Attach,
    /// Ports of a pod.
    PortForward,
    /// A debug container put into a pod.
    Debug,
    /// HTTP to a pod through the API server.
    PodProxy,
    /// HTTP to a service through the API server.
    ServiceProxy,
    /// HTTP to a kubelet through the API server: it can do all of the above.
    NodeProxy,
}

impl Kind {
    /// The name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Exec => "exec",
            Kind::Attach => "attach",
            Kind::PortForward => "port-forward",
            Kind::Debug => "debug",
            Kind::PodProxy => "pod-proxy",
            Kind::ServiceProxy => "service-proxy",
            Kind::NodeProxy => "node-proxy",
        }
    }
}

/// What a session reaches. What is not known is empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Target {
    /// The namespace of the pod or service.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The service, for a service proxy.
    pub service: String,
    /// The node, for a node proxy.
    pub node: String,
    /// The port that a proxy was told.
    pub port: String,
    /// The container.
    pub container: String,
    /// The command, for exec; image and command of a debug container.
    pub command: Vec<String>,
    /// The method and path of a proxied request.
    pub request: Option<String>,
    /// The ports to forward, as far as the query has them.
    pub ports: Vec<String>,
}

/// The kind of session that a request is; none for all other requests. Nothing is decoded for those.
pub(super) fn kind(event: &Event<'_>) -> Option<Kind> {
    let object = event.object_ref?;
    let resource = object.resource?.raw();
    let verb = event.verb.map_or(&b""[..], Text::raw);
    // A path of Kubernetes 1.9 and before: `/api/v1/proxy/nodes/…`.
    let proxy = verb == b"proxy" || object.subresource.is_some_and(|sub| sub.raw() == b"proxy");
    match (resource, object.subresource.map_or(&b""[..], Text::raw)) {
        (b"pods", b"exec") => Some(Kind::Exec),
        (b"pods", b"attach") => Some(Kind::Attach),
        (b"pods", b"portforward") => Some(Kind::PortForward),
        (b"pods", b"ephemeralcontainers") if matches!(verb, b"patch" | b"update") => Some(Kind::Debug),
        (b"pods", _) if proxy => Some(Kind::PodProxy),
        (b"services", _) if proxy => Some(Kind::ServiceProxy),
        (b"nodes", _) if proxy => Some(Kind::NodeProxy),
        _ => None,
    }
}

/// What a session of that kind reaches.
pub(super) fn target(event: &Event<'_>, kind: Kind, object: &ObjectReference<'_>, uri: &Uri) -> Target {
    let own = |text: Option<Text<'_>>| text.map(|text| text.to_str_lossy().into_owned()).unwrap_or_default();
    let mut target = Target { namespace: own(object.namespace), ..Target::default() };
    let name = own(object.name);
    target.container = uri.value("container").unwrap_or_default().to_owned();
    match kind {
        Kind::Exec | Kind::Attach => {
            target.pod = name;
            target.command = uri.values("command").map(str::to_owned).collect();
            of_options(event, &mut target);
        }
        Kind::PortForward => {
            target.pod = name;
            target.ports = uri.values("ports").flat_map(|ports| ports.split(',')).map(str::to_owned).collect();
        }
        Kind::Debug => {
            target.pod = name;
            (target.container, target.command) = debug_container(event).unwrap_or_default();
        }
        Kind::PodProxy | Kind::ServiceProxy | Kind::NodeProxy => {
            let (name, port) = host_and_port(&name);
            let place = match kind {
                Kind::PodProxy => &mut target.pod,
                Kind::ServiceProxy => &mut target.service,
                _ => &mut target.node,
            };
            (*place, target.port) = (name.to_owned(), port.to_owned());
            proxied(event, uri, &mut target);
        }
    }
    target
}

/// PodExecOptions of the body, where the URI does not have them: Google's records have no URI.
fn of_options(event: &Event<'_>, target: &mut Target) {
    let member = |name: &[u8]| event.request_object.and_then(|body| body.get(name));
    let own = |value: RawJson<'_>| value.as_text().map(|text| text.to_str_lossy().into_owned());
    if target.command.is_empty()
        && let Some(command) = member(b"command")
    {
        target.command = own(command).map_or_else(|| command.elements().filter_map(own).collect(), |one| vec![one]);
    }
    if target.container.is_empty() {
        target.container = member(b"container").and_then(own).unwrap_or_default();
    }
}

/// `[scheme:]name[:port]` taken apart.
fn host_and_port(name: &str) -> (&str, &str) {
    let mut parts = name.split(':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("http" | "https"), Some(name), port) => (name, port.unwrap_or_default()),
        (Some(name), port, _) => (name, port.unwrap_or_default()),
        (None, ..) => (name, ""),
    }
}

/// What was asked through a proxy. Of a kubelet it may be a command in a container.
fn proxied(event: &Event<'_>, uri: &Uri, target: &mut Target) {
    // `/api/v1/nodes/NAME/proxy/PATH`, and before 1.10 `/api/v1/proxy/nodes/NAME/PATH`.
    let path = match uri.path.contains("/v1/proxy/") {
        true => {
            uri.behind("nodes").or_else(|| uri.behind("pods")).or_else(|| uri.behind("services")).map(|mut path| {
                path.drain(..path.len().min(1));
                path
            })
        }
        false => uri.behind("proxy"),
    };
    let path = path.unwrap_or_default();
    if !target.node.is_empty()
        && let [act @ ("exec" | "run" | "attach" | "portForward"), namespace, pod, rest @ ..] =
            path.iter().map(String::as_str).collect::<Vec<_>>().as_slice()
    {
        target.namespace = (*namespace).to_owned();
        target.pod = (*pod).to_owned();
        // With a uid between them the container stands last.
        target.container = rest.last().copied().unwrap_or_default().to_owned();
        target.command = match *act {
            "exec" => uri.values("command").map(str::to_owned).collect(),
            "run" => uri.value("cmd").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
            _ => Vec::new(),
        };
    }
    let query = uri.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let query = if query.is_empty() { query } else { format!("?{query}") };
    target.request = Some(format!("{} /{}{query}", method(event), path.join("/")));
}

/// The HTTP method behind a verb.
fn method(event: &Event<'_>) -> String {
    let verb = event.verb.map(|verb| verb.to_str_lossy().into_owned()).unwrap_or_default();
    match verb.as_str() {
        "create" => "POST".to_owned(),
        "update" => "PUT".to_owned(),
        "list" | "watch" | "proxy" => "GET".to_owned(),
        "deletecollection" => "DELETE".to_owned(),
        other => other.to_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Format;

    fn of(verb: &'static str, resource: &'static str, name: &'static str, uri: &'static str) -> (Kind, Target) {
        let mut event = Event::empty(b"", Format::V1);
        event.verb = Some(verb.into());
        let object = ObjectReference {
            resource: Some(resource.into()),
            name: Some(name.into()),
            subresource: (verb != "proxy").then(|| "proxy".into()),
            ..ObjectReference::default()
        };
        event.object_ref = Some(object);
        let kind = kind(&event).unwrap();
        (kind, target(&event, kind, &object, &Uri::parse(uri.into())))
    }

    #[test]
    fn a_kubelet_runs_commands() {
        let uri = "/api/v1/nodes/https:n1:10250/proxy/exec/ops/logs-0/tail?command=cat&command=%2Fetc%2Fshadow";
        let (kind, target) = of("get", "nodes", "https:n1:10250", uri);
        assert_eq!((kind, target.node.as_str(), target.port.as_str()), (Kind::NodeProxy, "n1", "10250"));
        assert_eq!(
            (target.namespace.as_str(), target.pod.as_str(), target.container.as_str()),
            ("ops", "logs-0", "tail")
        );
        assert_eq!(target.command, ["cat", "/etc/shadow"]);
        let (_, target) = of("create", "nodes", "n1", "/api/v1/nodes/n1/proxy/run/ops/logs-0/uid/tail?cmd=id+-u");
        assert_eq!((target.container.as_str(), target.command), ("tail", vec!["id".to_owned(), "-u".to_owned()]));
        let (_, target) = of("get", "nodes", "n1", "/api/v1/nodes/n1/proxy/pods");
        assert_eq!((target.pod.as_str(), target.request.as_deref()), ("", Some("GET /pods")));
    }

    #[test]
    fn commands_of_bodies() {
        let mut event = Event::empty(b"", Format::V1);
        let body = r#"{"command":["tar","cf","-","/srv/keys"],"container":"api"}"#;
        event.request_object = Some(RawJson(body.as_bytes()));
        let object = ObjectReference { name: Some("web".into()), ..ObjectReference::default() };
        let of = |uri: &'static str| target(&event, Kind::Exec, &object, &Uri::parse(uri.into()));
        assert_eq!((of("").command.join(" "), of("").container), ("tar cf - /srv/keys".to_owned(), "api".to_owned()));
        let uri = of("/api/v1/namespaces/a/pods/web/exec?command=id&container=b");
        assert_eq!((uri.command.join(" "), uri.container), ("id".to_owned(), "b".to_owned()));
    }

    #[test]
    fn services_and_the_old_path() {
        let uri = "/api/v1/namespaces/m/services/http:grafana:3000/proxy/api/x?a=b%20c";
        let (kind, target) = of("create", "services", "http:grafana:3000", uri);
        assert_eq!((kind, target.service.as_str(), target.port.as_str()), (Kind::ServiceProxy, "grafana", "3000"));
        assert_eq!(target.request.as_deref(), Some("POST /api/x?a=b c"));
        let (kind, target) = of("proxy", "nodes", "n1", "/api/v1/proxy/nodes/n1/stats/summary");
        assert_eq!((kind, target.request.as_deref()), (Kind::NodeProxy, Some("GET /stats/summary")));
    }
}
