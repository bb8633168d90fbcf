//! Whose log a file is, as far as its path tells.
//!
//! Ways in which logs are laid out: a must-gather's `audit_logs/<component>/<node>-audit.log`, the
//! kubelet's `/var/log/pods` and `/var/log/containers`, blobs of Azure, exports of CloudWatch,
//! `node=<name>`, and one directory for each host. What a path does not tell is not guessed.

use std::collections::{BTreeMap, BTreeSet};

use super::rotation::{RotationKey, without_compression};
use crate::event::{Origin, OwnedOrigin, Text};

/// Servers that keep an audit log; a directory of that name is no host.
const COMPONENTS: [&str; 9] = [
    "kube-apiserver",
    "openshift-apiserver",
    "openshift-kube-apiserver",
    "oauth-apiserver",
    "openshift-oauth-apiserver",
    "oauth-server",
    "oauth-openshift",
    "etcd",
    "apiserver",
];

/// What else stands before `-audit.log` and is no host.
const KINDS: [&str; 5] = ["kubernetes", "kube", "k8s", "openshift", "ocp"];

/// Endings of archives that are named after a host.
const ARCHIVES: [&str; 9] = [".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2", ".tbz2", ".txz", ".tar", ".zip"];

/// What a path tells.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Names<'p> {
    host: Option<&'p str>,
    pod: Option<&'p str>,
    container: Option<&'p str>,
    stream: Option<&'p str>,
    cluster: Option<&'p str>,
}

impl<'p> Names<'p> {
    /// What this path tells. Archives stand in it as directories.
    pub(super) fn of(path: &'p str) -> Self {
        let mut names = Names::default();
        let (directories, file) = split(path);
        for directory in &directories {
            names.directory(directory);
        }
        names.after("managedclusters", &directories);
        let parent = directories.last().copied();
        names.pod_directory(&directories);
        names.container_file(file);
        names.node_file(file);
        if names.container.is_none() {
            names.container = parent.filter(|parent| COMPONENTS.contains(parent));
        }
        let plain = without_compression(file);
        if plain.len() == 6 && plain.len() < file.len() && plain.bytes().all(|byte| byte.is_ascii_digit()) {
            names.stream = parent;
        }
        names
    }

    /// `node=cp1`, as tools that partition write it.
    fn directory(&mut self, directory: &'p str) {
        if let Some((key, value)) = directory.split_once('=')
            && matches!(key, "node" | "host" | "hostname")
            && !value.is_empty()
        {
            self.host = Some(value);
        }
    }

    /// The cluster, which follows a word in a resource's id.
    fn after(&mut self, word: &str, directories: &[&'p str]) {
        let at = directories.iter().position(|directory| directory.eq_ignore_ascii_case(word));
        self.cluster = at.and_then(|at| directories.get(at + 1)).copied();
    }

    /// `/var/log/pods/<namespace>_<pod>_<uid>/<container>/0.log`.
    fn pod_directory(&mut self, directories: &[&'p str]) {
        let [.., pods, container] = directories else { return };
        let mut parts = pods.split('_');
        if let (Some(_), Some(pod), Some(uid), None) = (parts.next(), parts.next(), parts.next(), parts.next())
            && uid.len() >= 32
        {
            self.pod(pod, container);
        }
    }

    /// `/var/log/containers/<pod>_<namespace>_<container>-<id>.log`.
    fn container_file(&mut self, file: &'p str) {
        let Some(name) = without_compression(file).strip_suffix(".log") else { return };
        let mut parts = name.split('_');
        if let (Some(pod), Some(_), Some(container), None) = (parts.next(), parts.next(), parts.next(), parts.next())
            && let Some((container, id)) = container.rsplit_once('-')
            && id.len() == 64
        {
            self.pod(pod, container);
        }
    }

    /// A pod that a node runs by itself is named after its container and the node.
    fn pod(&mut self, pod: &'p str, container: &'p str) {
        self.pod = Some(pod);
        self.container = Some(container);
        let node = pod.strip_prefix(container).and_then(|rest| rest.strip_prefix('-'));
        if COMPONENTS.contains(&container) && self.host.is_none() {
            self.host = node.filter(|node| !node.is_empty());
        }
    }

    /// `<node>-audit.log`, `<node>-audit-<stamp>.log.gz`; `kube-apiserver-audit.log` names the server.
    fn node_file(&mut self, file: &'p str) {
        let family = RotationKey::of(file).family;
        let Some(prefix) = family.strip_suffix("-audit.log").and_then(|prefix| file.get(..prefix.len())) else {
            return;
        };
        if COMPONENTS.contains(&prefix) {
            self.container = Some(prefix);
        } else if !prefix.is_empty() && !KINDS.contains(&prefix) {
            self.host = Some(prefix);
        }
    }
}

impl From<Names<'_>> for OwnedOrigin {
    fn from(names: Names<'_>) -> Self {
        let text = |name: Option<&'_ str>| name.map(|name| Box::<[u8]>::from(name.as_bytes()));
        let own = [names.host, names.pod, names.container, names.stream, names.cluster].map(text);
        let [host, pod, container, stream, cluster] = own.each_ref().map(|name| name.as_deref().map(Text::plain));
        Origin { host, pod, container, stream, cluster, time: None }.into()
    }
}

/// The directories of a path, and the file.
fn split(path: &str) -> (Vec<&str>, &str) {
    let mut parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let file = parts.pop().unwrap_or_default();
    (parts, file)
}

/// Which path, and the directories of it.
type Directories<'p> = (usize, Vec<&'p str>);

/// The origins of all paths together: where directories that differ in one part hold files of the same
/// name, and neither their paths nor anything else says whose they are, that part is the host.
pub(super) fn of_all(paths: &[String]) -> Vec<OwnedOrigin> {
    let mut names: Vec<Names<'_>> = paths.iter().map(|path| Names::of(path)).collect();
    let mut alike: BTreeMap<(usize, String), Vec<Directories<'_>>> = BTreeMap::new();
    for (at, path) in paths.iter().enumerate() {
        let (directories, file) = split(path);
        let Names { host, pod, container: _, stream, cluster } = &names[at];
        if [host, pod, stream, cluster].iter().all(|name| name.is_none()) {
            let group = (directories.len(), RotationKey::of(file).family);
            alike.entry(group).or_default().push((at, directories));
        }
    }
    for group in alike.values() {
        let Some(part) = differing(group) else { continue };
        for (at, directories) in group {
            names[*at].host = directories.get(part).map(|name| without_archive(name));
        }
    }
    names.into_iter().map(OwnedOrigin::from).collect()
}

/// The one part in which the directories differ, if its names can be hosts.
fn differing(group: &[Directories<'_>]) -> Option<usize> {
    let depth = group.first()?.1.len();
    let mut parts = (0..depth).filter(|&part| {
        let first = group.first().and_then(|(_, directories)| directories.get(part));
        group.iter().any(|(_, directories)| directories.get(part) != first)
    });
    let (part, None) = (parts.next()?, parts.next()) else { return None };
    let names: BTreeSet<&str> = group.iter().filter_map(|(_, directories)| directories.get(part).copied()).collect();
    names.iter().all(|name| may_be_host(without_archive(name))).then_some(part)
}

/// Dates and servers are no hosts.
fn may_be_host(name: &str) -> bool {
    name.bytes().any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'T' | b'Z'))
        && !name.contains('=')
        && !COMPONENTS.contains(&name)
}

fn without_archive(name: &str) -> &str {
    ARCHIVES.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str) -> [Option<&str>; 5] {
        let Names { host, pod, container, stream, cluster } = Names::of(path);
        [host, pod, container, stream, cluster]
    }

    #[test]
    fn one_path() {
        let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let uid = "0123456789abcdef0123456789abcdef";
        let server = Some("kube-apiserver");
        for (path, names) in [
            ("audit.log", [None; 5]),
            ("kube-apiserver-audit.log", [None, None, server, None, None]),
            ("/var/log/kubernetes-audit.log", [None; 5]),
            ("/var/log/kube-apiserver/audit.log", [None, None, server, None, None]),
            (
                "mg/audit_logs/kube-apiserver/m-0.example.com-audit-2026-03-09T08-02-34.423.log.gz",
                [Some("m-0.example.com"), None, server, None, None],
            ),
            ("mg/audit_logs/etcd/m-1-audit.log", [Some("m-1"), None, Some("etcd"), None, None]),
            ("m-1-audit.log", [Some("m-1"), None, None, None, None]),
            ("logs/node=cp1/audit.log", [Some("cp1"), None, None, None, None]),
            (
                &format!("/var/log/pods/kube-system_kube-apiserver-cp1_{uid}/kube-apiserver/0.log"),
                [Some("cp1"), Some("kube-apiserver-cp1"), server, None, None],
            ),
            (
                &format!("containers/kube-apiserver-cp1_kube-system_kube-apiserver-{id}.log"),
                [Some("cp1"), Some("kube-apiserver-cp1"), server, None, None],
            ),
            (&format!("containers/web-7f9c_shop_web-{id}.log"), [None, Some("web-7f9c"), Some("web"), None, None]),
            (
                "resourceId=/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD/y=2026/m=03/d=09/h=08/m=00/PT1H.json",
                [None, None, None, None, Some("PROD")],
            ),
            ("export/kube-apiserver-audit-0a1b/000000.gz", [None, None, None, Some("kube-apiserver-audit-0a1b"), None]),
            ("export/000000", [None; 5]),
        ] {
            assert_eq!(told(path), names, "{path}");
        }
    }

    fn hosts(paths: &[&str]) -> Vec<Option<String>> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let host =
            |origin: &OwnedOrigin| origin.get().host.map(|host| String::from_utf8_lossy(&host.decode()).into_owned());
        of_all(&paths).iter().map(host).collect()
    }

    #[test]
    fn a_directory_for_each_host() {
        let own =
            |names: &[&str]| -> Vec<Option<String>> { names.iter().map(|name| Some((*name).to_owned())).collect() };
        assert_eq!(hosts(&["d/cp1/audit.log", "d/cp1/audit.log.1", "d/cp2/audit.log"]), own(&["cp1", "cp1", "cp2"]));
        assert_eq!(hosts(&["cp1/var/log/audit.log", "cp2/var/log/audit.log"]), own(&["cp1", "cp2"]));
        assert_eq!(hosts(&["cp1.tar.gz/audit.log", "cp2.tgz/audit.log"]), own(&["cp1", "cp2"]));
        for none in [
            ["d/cp1/audit.log", "d/cp1/other.log"],
            ["audit.log", "cp2/audit.log"],
            ["d/2026-03-09/audit.log", "d/2026-03-10/audit.log"],
            ["log/kube-apiserver/audit.log", "log/openshift-apiserver/audit.log"],
            ["a/cp1/audit.log", "b/cp2/audit.log"],
        ] {
            assert_eq!(hosts(&none), [None, None], "{none:?}");
        }
    }
}
