//! What a request was about, from the names that Google's audit entries have for it.
//!
//! `resourceName` is `group/version/[namespaces/NS/]resource[/name[/subresource[/…]]]`; the method is
//! `io.k8s.GROUP.VERSION.RESOURCE[.SUBRESOURCE].VERB`, whose group is written backwards and is
//! therefore of no use. A resource name of other shape is a bare path.

/// A request's verb and what it was about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Target<'a> {
    pub(super) verb: Option<&'a [u8]>,
    /// The path of a request that is about no resource, without its first slash.
    pub(super) path: Option<&'a [u8]>,
    pub(super) object: Option<Object<'a>>,
}

/// The parts of an object reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Object<'a> {
    pub(super) group: Option<&'a [u8]>,
    pub(super) version: &'a [u8],
    pub(super) resource: &'a [u8],
    pub(super) namespace: Option<&'a [u8]>,
    pub(super) name: Option<&'a [u8]>,
    pub(super) subresource: Option<&'a [u8]>,
}

/// What method and resource name say.
pub(super) fn target<'a>(method: Option<&'a [u8]>, resource: Option<&'a [u8]>) -> Target<'a> {
    let verb = method.and_then(|method| method.rsplit(|byte| *byte == b'.').next()).filter(|verb| !verb.is_empty());
    let Some(name) = resource.map(trim_slashes).filter(|name| !name.is_empty()) else {
        return Target { verb, ..Target::default() };
    };
    match object(method, name, verb) {
        Some(object) => Target { verb, path: None, object: Some(object) },
        None => Target { verb, path: Some(name), object: None },
    }
}

fn trim_slashes(name: &[u8]) -> &[u8] {
    let name = name.strip_prefix(b"/").unwrap_or(name);
    name.strip_suffix(b"/").unwrap_or(name)
}

fn object<'a>(method: Option<&'a [u8]>, name: &'a [u8], verb: Option<&[u8]>) -> Option<Object<'a>> {
    let mut parts = name.split(|byte| *byte == b'/');
    let (group, version) = (parts.next()?, parts.next()?);
    let rest: Vec<&[u8]> = parts.collect();
    if method.is_some_and(|method| !is_about_a_resource(method)) {
        return None;
    }
    let [of_method, sub_of_method] = method.map_or([None; 2], |method| method_parts(method, version));
    let mut object = Object { group: Some(group).filter(|group| *group != b"core"), version, ..Object::default() };
    match rest.as_slice() {
        [b"namespaces", name, rest @ ..] if is_namespace_itself(rest, of_method) => {
            object.resource = b"namespaces";
            // The server has no namespace in the path of a creation, and the name as both otherwise.
            object.namespace = Some(*name).filter(|_| verb != Some(b"create") || !rest.is_empty());
            object.name = Some(name);
            object.subresource = rest.first().copied();
        }
        [b"namespaces", namespace, resource, rest @ ..] => {
            object.namespace = Some(namespace);
            place(&mut object, resource, rest);
        }
        [resource, rest @ ..] => place(&mut object, resource, rest),
        [] => return None,
    }
    object.subresource = object.subresource.or(sub_of_method);
    Some(object).filter(|object| !object.resource.is_empty())
}

fn place<'a>(object: &mut Object<'a>, resource: &'a [u8], rest: &[&'a [u8]]) {
    object.resource = resource;
    object.name = rest.first().copied().filter(|name| !name.is_empty());
    object.subresource = rest.get(1).copied().filter(|name| !name.is_empty());
}

/// Whether what stands behind `namespaces/NS` leaves the namespace itself as the object.
fn is_namespace_itself(rest: &[&[u8]], of_method: Option<&[u8]>) -> bool {
    rest.is_empty() || of_method == Some(b"namespaces") && rest.len() == 1
}

/// Whether a method is about a resource; `io.k8s.get` is nothing but a verb.
fn is_about_a_resource(method: &[u8]) -> bool {
    method.iter().filter(|byte| **byte == b'.').count() > 2
}

/// Resource and subresource as the method has them, behind the version.
fn method_parts<'a>(method: &'a [u8], version: &[u8]) -> [Option<&'a [u8]>; 2] {
    let parts: Vec<&[u8]> = method.split(|byte| *byte == b'.').collect();
    let at = parts.iter().rposition(|part| *part == version);
    match at.and_then(|at| parts.get(at + 1..)) {
        Some([resource, _]) => [Some(resource), None],
        Some([resource, subresource, _]) => [Some(resource), Some(subresource)],
        _ => [None, None],
    }
}

impl Target<'_> {
    /// The path of the request, as far as it follows from its names; what its query was is not known.
    /// Nothing where a name would have had to be encoded, for clients differ in that.
    pub(super) fn request_path(&self) -> Option<Vec<u8>> {
        if let Some(path) = self.path {
            return is_plain(path).then(|| [b"/", path].concat());
        }
        let (object, verb) = (self.object?, self.verb?);
        let in_path = object.subresource.is_some() || names_one(verb)?;
        let mut path = match object.group {
            Some(group) => [b"/apis/", group].concat(),
            None => b"/api".to_vec(),
        };
        let namespace = object.namespace.filter(|_| object.resource != b"namespaces");
        let scope = namespace.map(|namespace| [&b"namespaces"[..], namespace]);
        let ends = [Some(object.resource), object.name.filter(|_| in_path), object.subresource.filter(|_| in_path)];
        for part in [object.version].into_iter().chain(scope.into_iter().flatten()).chain(ends.into_iter().flatten()) {
            path.push(b'/');
            path.extend_from_slice(part);
        }
        is_plain(&path).then_some(path)
    }
}

/// Whether the path of a request with that verb names its object; nothing for verbs not of this kind.
fn names_one(verb: &[u8]) -> Option<bool> {
    match verb {
        b"get" | b"update" | b"patch" | b"delete" => Some(true),
        b"list" | b"watch" | b"create" | b"deletecollection" => Some(false),
        _ => None,
    }
}

fn is_plain(path: &[u8]) -> bool {
    path.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~' | b':' | b'@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Group, version, resource, namespace, name, subresource, then the path.
    fn shown(method: &str, resource: &str) -> String {
        let target = target(Some(method.as_bytes()), Some(resource.as_bytes()));
        let text = |part: Option<&[u8]>| String::from_utf8_lossy(part.unwrap_or(b"-")).into_owned();
        let path = target.request_path();
        let path = text(path.as_deref());
        match target.object {
            Some(object) => {
                let parts = [object.group, Some(object.version), Some(object.resource)];
                let parts = parts.into_iter().chain([object.namespace, object.name, object.subresource]).map(text);
                format!("{} {} {path}", text(target.verb), parts.collect::<Vec<_>>().join(" "))
            }
            None => format!("{} {path}", text(target.verb)),
        }
    }

    #[test]
    fn names_become_objects_and_paths() {
        let cases = [
            ("core.v1.pods.create", "core/v1/namespaces/n/pods/p", "create - v1 pods n p - /api/v1/namespaces/n/pods"),
            ("core.v1.pods.create", "core/v1/namespaces/n/pods", "create - v1 pods n - - /api/v1/namespaces/n/pods"),
            ("core.v1.pods.list", "core/v1/pods", "list - v1 pods - - - /api/v1/pods"),
            (
                "core.v1.pods.exec.create",
                "core/v1/namespaces/n/pods/p/exec/p",
                "create - v1 pods n p exec /api/v1/namespaces/n/pods/p/exec",
            ),
            (
                "core.v1.pods.status.patch",
                "core/v1/namespaces/n/pods/p",
                "patch - v1 pods n p status /api/v1/namespaces/n/pods/p/status",
            ),
            ("core.v1.namespaces.create", "core/v1/namespaces/n", "create - v1 namespaces - n - /api/v1/namespaces"),
            ("core.v1.namespaces.delete", "core/v1/namespaces/n", "delete - v1 namespaces n n - /api/v1/namespaces/n"),
            ("core.v1.namespaces.list", "core/v1/namespaces", "list - v1 namespaces - - - /api/v1/namespaces"),
            (
                "core.v1.namespaces.finalize.update",
                "core/v1/namespaces/n/finalize",
                "update - v1 namespaces n n finalize /api/v1/namespaces/n/finalize",
            ),
            (
                "authorization.rbac.v1.clusterroles.create",
                "rbac.authorization.k8s.io/v1/clusterroles/c",
                "create rbac.authorization.k8s.io v1 clusterroles - c - /apis/rbac.authorization.k8s.io/v1/clusterroles",
            ),
            (
                "apps.v1.deployments.deletecollection",
                "apps/v1/namespaces/n/deployments",
                "deletecollection apps v1 deployments n - - /apis/apps/v1/namespaces/n/deployments",
            ),
            ("get", "readyz", "get /readyz"),
            ("get", "apis/apps/v1", "get /apis/apps/v1"),
            ("get", "/healthz/etcd", "get /healthz/etcd"),
            ("core.v1.pods.get", "core/v1/namespaces/n/pods/a%2Fb", "get - v1 pods n a%2Fb - -"),
            ("core.v1.pods.proxy", "core/v1/namespaces/n/pods/p", "proxy - v1 pods n p - -"),
        ];
        for (method, resource, expected) in cases {
            assert_eq!(shown(&format!("io.k8s.{method}"), resource), expected, "{method} {resource}");
        }
    }

    #[test]
    fn names_of_no_shape_do_no_harm() {
        for method in ["", ".", "...", "io.k8s.core.v1.pods.", "a.b.c.d.e.f.g", "io.k8s.v1.v1.v1.v1"] {
            for resource in [
                "",
                "/",
                "//",
                "///",
                "a",
                "a/b",
                "core/v1/",
                "core/v1/namespaces/",
                "core/v1//pods",
                "a/v1/b/c/d/e/f/g/h",
            ] {
                shown(method, resource);
            }
        }
        assert_eq!(target(None, None), Target::default());
    }

    #[test]
    fn rebuilt_paths_are_read_as_the_server_reads_them() {
        use crate::event::{Method, Rules, request_info};
        for (method, resource) in [
            ("io.k8s.core.v1.pods.exec.create", "core/v1/namespaces/n/pods/p/exec/p"),
            ("io.k8s.core.v1.namespaces.delete", "core/v1/namespaces/n"),
            ("io.k8s.apps.v1.deployments.scale.patch", "apps/v1/namespaces/n/deployments/d/scale"),
            ("io.k8s.core.v1.nodes.get", "core/v1/nodes/m"),
        ] {
            let arena = bumpalo::Bump::new();
            let target = target(Some(method.as_bytes()), Some(resource.as_bytes()));
            let path = target.request_path().expect("a path");
            let path = String::from_utf8(path).expect("text");
            let verb = Method::Verb("get".into());
            let found = request_info(verb, path.as_str().into(), Rules::Modern, &arena).object;
            let object = target.object.expect("an object");
            let raw = |text: Option<crate::event::Text<'_>>| text.map(|text| text.decode().into_owned());
            let own = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
            assert_eq!(raw(found.api_group), own(object.group));
            assert_eq!(raw(found.namespace), own(object.namespace));
            assert_eq!(raw(found.resource), own(Some(object.resource)));
            assert_eq!(raw(found.name), own(object.name));
            assert_eq!(raw(found.subresource), own(object.subresource));
        }
    }
}
