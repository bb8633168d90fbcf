//! What a pod may do to its node, as its creation tells.

use serde::Deserialize;

use crate::event::{Event, Timestamp};
use crate::hash;

/// So many paths of a node are kept of one pod.
const PATHS: usize = 8;

/// What a pod may do to its node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HostAccess {
    /// A container is privileged.
    pub privileged: bool,
    /// It sees the node's processes.
    pub host_pid: bool,
    /// It uses the node's network.
    pub host_network: bool,
    /// It uses the node's IPC.
    pub host_ipc: bool,
    /// The node's directories that it mounts, sorted; 8 at most.
    pub host_paths: Vec<String>,
}

impl HostAccess {
    /// Whether it mounts the root of the node's file system.
    pub fn host_root(&self) -> bool {
        self.host_paths.iter().any(|path| path.bytes().all(|byte| byte == b'/'))
    }

    /// The API's names of what it may do; none for an ordinary pod.
    pub fn names(&self) -> Vec<String> {
        let flags = [
            (self.privileged, "privileged"),
            (self.host_pid, "hostPID"),
            (self.host_network, "hostNetwork"),
            (self.host_ipc, "hostIPC"),
        ];
        let named = flags.into_iter().filter(|(is, _)| *is).map(|(_, name)| name.to_owned());
        named.chain(self.host_paths.iter().map(|path| format!("hostPath:{path}"))).collect()
    }

    fn add(&mut self, other: &HostAccess) {
        self.privileged |= other.privileged;
        self.host_pid |= other.host_pid;
        self.host_network |= other.host_network;
        self.host_ipc |= other.host_ipc;
        self.host_paths.extend(other.host_paths.iter().cloned());
        self.host_paths.sort();
        self.host_paths.dedup();
        self.host_paths.truncate(PATHS);
    }
}

/// A pod was created, or got a debug container. Ordered by pod, then time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Change {
    /// The pod's namespace and name. There can be very many pods, of which few matter.
    pod: u64,
    at: Option<Timestamp>,
    /// Whether this was the creation.
    created: bool,
    access: Option<Box<HostAccessKey>>,
}

/// As [`HostAccess`], in an order of its own so that changes have a total one.
type HostAccessKey = (bool, bool, bool, bool, Vec<String>);

/// What is known about a session's pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Known {
    /// Its creation was logged with a body.
    Access(HostAccess),
    /// Its creation was logged without a body that can be read.
    NoBody,
    /// It got a debug container, of which no body that can be read was logged.
    DebugUnknown,
    /// Its creation is not in the log.
    NotCreated,
}

/// The key of a pod.
pub(super) fn key(namespace: &[u8], name: &[u8]) -> u64 {
    hash::of_hashes([hash::of_bytes(namespace), hash::of_bytes(name)])
}

impl Change {
    /// What a request that succeeded changed about a pod; none if it is about something else.
    pub(super) fn of(event: &Event<'_>) -> Option<Self> {
        let object = event.object_ref?;
        if object.resource.is_none_or(|resource| resource.raw() != b"pods") {
            return None;
        }
        let created = object.subresource.is_none_or(|sub| sub.is_empty());
        let verb = event.verb.map_or(&b""[..], |verb| verb.raw());
        let matters = match created {
            true => verb == b"create",
            false => matches!(verb, b"patch" | b"update") && object.subresource?.raw() == b"ephemeralcontainers",
        };
        let stored = || event.code().is_some_and(|code| (200..300).contains(&code)) && !is_dry_run(event);
        if !matters || !stored() {
            return None;
        }
        let body = [event.response_object, event.request_object].into_iter().flatten();
        let body = body.filter_map(|body| read(body.0)).find(|pod| pod.spec.is_some());
        let namespace = object.namespace.map(|text| text.decode()).unwrap_or_default();
        // With `generateName` only the answer has the name.
        let given = body.as_ref().and_then(|pod| pod.metadata.as_ref()?.name.as_ref());
        let pod = match (object.name, given) {
            (Some(name), _) => key(&namespace, &name.decode()),
            (None, Some(name)) => key(&namespace, name.as_bytes()),
            (None, None) => return None,
        };
        let access = body.and_then(|pod| pod.spec).map(|spec| Box::new(spec.access()));
        Some(Change { pod, at: event.start(), created, access })
    }
}

fn is_dry_run(event: &Event<'_>) -> bool {
    event.parameter("dryRun").is_some_and(|value| !value.is_empty())
}

/// What is known about a pod at a time, from all changes, sorted: the last creation before it, and the debug
/// containers since.
pub(super) fn known(changes: &[Change], pod: u64, at: Option<Timestamp>) -> Known {
    let from = changes.partition_point(|change| change.pod < pod);
    let own = changes.get(from..).unwrap_or_default();
    let own: Vec<&Change> = own.iter().take_while(|change| change.pod == pod && change.at <= at).collect();
    let Some(creation) = own.iter().rposition(|change| change.created) else { return Known::NotCreated };
    let mut access = HostAccess::default();
    for change in own.get(creation..).unwrap_or_default() {
        // A debug container of which nothing is known may do anything.
        let Some(found) = &change.access else {
            return if change.created { Known::NoBody } else { Known::DebugUnknown };
        };
        let (privileged, host_pid, host_network, host_ipc, host_paths) = (**found).clone();
        access.add(&HostAccess { privileged, host_pid, host_network, host_ipc, host_paths });
    }
    Known::Access(access)
}

/// As much of a pod as matters. A patch has parts of it.
#[derive(Deserialize)]
struct Pod {
    metadata: Option<Metadata>,
    spec: Option<Spec>,
}

#[derive(Deserialize)]
struct Metadata {
    name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "hostPID")]
    host_pid: Option<bool>,
    host_network: Option<bool>,
    #[serde(rename = "hostIPC")]
    host_ipc: Option<bool>,
    volumes: Option<Vec<Volume>>,
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    host_path: Option<HostPath>,
}

#[derive(Deserialize)]
struct HostPath {
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: Option<String>,
    image: Option<String>,
    command: Option<Vec<String>>,
    args: Option<Vec<String>>,
    security_context: Option<SecurityContext>,
}

#[derive(Deserialize)]
struct SecurityContext {
    privileged: Option<bool>,
}

impl Spec {
    fn access(self) -> HostAccessKey {
        let containers = [&self.containers, &self.init_containers, &self.ephemeral_containers];
        let privileged = |container: &Container| {
            container.security_context.as_ref().is_some_and(|context| context.privileged == Some(true))
        };
        let privileged = containers.into_iter().flatten().flatten().any(privileged);
        let volumes = self.volumes.unwrap_or_default();
        let mut paths: Vec<String> = volumes.into_iter().filter_map(|volume| volume.host_path?.path).collect();
        paths.sort();
        paths.dedup();
        paths.truncate(PATHS);
        let is = |flag: Option<bool>| flag == Some(true);
        (privileged, is(self.host_pid), is(self.host_network), is(self.host_ipc), paths)
    }
}

/// A pod, a patch that is part of one, or the debug containers that a JSON patch adds.
fn read(body: &[u8]) -> Option<Pod> {
    if body.first() != Some(&b'[') {
        return serde_json::from_slice(body).ok();
    }
    const PLACE: &str = "/spec/ephemeralContainers";
    let mut added = Vec::new();
    for step in serde_json::from_slice::<Vec<Step>>(body).ok()? {
        match step.path.strip_prefix(PLACE) {
            Some("") => added.extend(serde_json::from_value::<Vec<Container>>(step.value).ok()?),
            // One of the list, and nothing within one.
            Some(place) if place.rfind('/') == Some(0) => added.push(serde_json::from_value(step.value).ok()?),
            Some(_) => return None,
            None => {}
        }
    }
    let spec = Spec { ephemeral_containers: Some(added).filter(|added| !added.is_empty()), ..Spec::default() };
    Some(Pod { metadata: None, spec: spec.ephemeral_containers.is_some().then_some(spec) })
}

/// One step of a JSON patch.
#[derive(Deserialize)]
struct Step {
    path: String,
    #[serde(default)]
    value: serde_json::Value,
}

/// The debug container that a request adds, as far as its body tells: name, image, and command.
pub(super) fn debug_container(event: &Event<'_>) -> Option<(String, Vec<String>)> {
    let pod = read(event.request_object?.0)?;
    // An update has all of them, and the new one comes last.
    let container = pod.spec?.ephemeral_containers?.pop()?;
    let words = [container.command, container.args].into_iter().flatten().flatten();
    Some((container.name.unwrap_or_default(), container.image.into_iter().chain(words).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(spec: &str) -> HostAccess {
        let (privileged, host_pid, host_network, host_ipc, host_paths) =
            serde_json::from_str::<Spec>(spec).unwrap().access();
        HostAccess { privileged, host_pid, host_network, host_ipc, host_paths }
    }

    #[test]
    fn what_a_pod_may_do() {
        let plain = access(r#"{"containers":[{"name":"a","securityContext":{"privileged":false}}],"volumes":null}"#);
        assert!(plain.names().is_empty());
        let all = access(
            r#"{"hostPID":true,"hostNetwork":true,"hostIPC":true,"initContainers":[{"securityContext":{"privileged":true}}],
            "volumes":[{"hostPath":{"path":"/var/log"}},{"emptyDir":{}},{"hostPath":{"path":"/"}}]}"#,
        );
        let names = ["privileged", "hostPID", "hostNetwork", "hostIPC", "hostPath:/", "hostPath:/var/log"];
        assert_eq!(all.names(), names);
        assert!(all.host_root() && !plain.host_root());
    }

    #[test]
    fn debug_containers_of_json_patches_count_and_unknown_ones_too() {
        let add = |path: &str, value: &str| format!(r#"[{{"op":"add","path":"{path}","value":{value}}}]"#);
        let privileged = r#"{"name":"d","image":"i","securityContext":{"privileged":true}}"#;
        let of = |body: String| read(body.as_bytes()).and_then(|pod| pod.spec).map(|spec| spec.access().0);
        assert_eq!(of(add("/spec/ephemeralContainers/-", privileged)), Some(true));
        assert_eq!(of(add("/spec/ephemeralContainers", &format!("[{privileged}]"))), Some(true));
        assert_eq!(of(add("/spec/ephemeralContainers/0/image", "\"x\"")), None);
        assert_eq!(of(add("/metadata/labels/a", "\"x\"")), None);
        let change = |at, created, access| Change { pod: 7, at: Some(Timestamp(at)), created, access };
        let plain = || Some(Box::new((false, false, false, false, vec![])));
        let changes = [change(10, true, plain()), change(20, false, None)];
        assert_eq!(known(&changes, 7, Some(Timestamp(15))), Known::Access(HostAccess::default()));
        assert_eq!(known(&changes, 7, Some(Timestamp(25))), Known::DebugUnknown);
    }

    #[test]
    fn the_last_creation_before_counts_and_debug_containers_since() {
        let change = |at, created, privileged| Change {
            pod: 7,
            at: Some(Timestamp(at)),
            created,
            access: Some(Box::new((privileged, false, false, false, vec![]))),
        };
        let mut changes = vec![change(30, true, false), change(10, true, true), change(40, false, true)];
        changes.push(Change { pod: 3, at: Some(Timestamp(0)), created: true, access: None });
        changes.sort();
        let at = |at| known(&changes, 7, Some(Timestamp(at)));
        let is = |privileged| Known::Access(HostAccess { privileged, ..HostAccess::default() });
        assert_eq!(
            [at(9), at(10), at(30), at(39), at(40)],
            [Known::NotCreated, is(true), is(false), is(false), is(true)]
        );
        assert_eq!(known(&changes, 3, Some(Timestamp(5))), Known::NoBody);
        assert_eq!(known(&changes, 9, Some(Timestamp(5))), Known::NotCreated);
    }
}
