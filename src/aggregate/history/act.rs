//! Who did what to which object, and when: what telling a story needs of a request, bodies apart.

use std::collections::HashSet;
use std::sync::Arc;

use crate::event::{Event, ObjectReference, RawJson, Text, Timestamp, is_controller};
use crate::query::known_resources;

/// A text that many requests share.
pub type Name = Arc<str>;

/// Which object, as far as its name goes. Ordered by type, then namespace and name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectKey {
    /// The plural, `deployments`.
    pub resource: Name,
    /// The API group; empty for core.
    pub group: Name,
    /// The namespace; empty for objects that live in none.
    pub namespace: Name,
    /// The name.
    pub name: Name,
}

impl ObjectKey {
    /// `deployments.apps`, or `pods`.
    pub fn kind(&self) -> String {
        if self.group.is_empty() { self.resource.to_string() } else { format!("{}.{}", self.resource, self.group) }
    }

    /// `deployments.apps/web`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.kind(), self.name)
    }

    /// Another object beside this one.
    pub(super) fn sibling(&self, resource: &str, group: &str, name: &str) -> ObjectKey {
        ObjectKey {
            resource: resource.into(),
            group: group.into(),
            namespace: Arc::clone(&self.namespace),
            name: name.into(),
        }
    }

    /// An object that lives in no namespace.
    pub(super) fn cluster(resource: &str, name: &str) -> ObjectKey {
        ObjectKey { resource: resource.into(), group: "".into(), namespace: "".into(), name: name.into() }
    }
}

/// The owner an object names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// Its plural, as far as it is known.
    pub resource: Name,
    /// Its API group.
    pub group: Name,
    /// Its name.
    pub name: Name,
}

/// One request that may have changed something.
#[derive(Clone, Debug)]
pub struct Act {
    /// Event time.
    pub time: Option<Timestamp>,
    /// Who asked; empty where nobody is known.
    pub user: Name,
    /// Whom they acted as.
    pub as_user: Option<Name>,
    /// The controller that asked, where it is one of Kubernetes' own.
    pub controller: Option<Name>,
    /// The verb.
    pub verb: Name,
    /// The object. A collection has no name.
    pub object: ObjectKey,
    /// The subresource; empty without one.
    pub subresource: Name,
    /// The status code.
    pub code: Option<i32>,
    /// Whether the request asked to change nothing.
    pub dry_run: bool,
    /// The owner that its bodies name.
    pub owner: Option<Box<Owner>>,
    /// The number of replicas its bodies show.
    pub replicas: Option<i64>,
    /// Of a node: whether it is to take no more pods afterwards, as far as its bodies show.
    pub cordons: Option<bool>,
    /// The audit id.
    pub audit_id: Box<str>,
}

impl Act {
    /// Whether it changed anything, as far as its code tells.
    pub fn succeeded(&self) -> bool {
        !self.dry_run && self.code.is_some_and(|code| (200..300).contains(&code))
    }

    /// Whether it created its object, as far as verb and code tell.
    pub(super) fn is_new(&self) -> bool {
        let creates = matches!(&*self.verb, "create") || self.code == Some(201);
        creates && self.subresource.is_empty() && matches!(&*self.verb, "create" | "update" | "patch")
    }

    /// Who did it, by the name they acted under: `alice`, `alice as bob`, or a controller by its own name.
    pub fn who(&self) -> String {
        let user = if self.user.is_empty() { "an unknown user" } else { &self.user };
        match (&self.controller, &self.as_user) {
            (_, Some(other)) => format!("{user} as {other}"),
            (Some(controller), None) => controller.to_string(),
            (None, None) => user.to_owned(),
        }
    }

    /// The name the request was made under: whoever was impersonated, else the user.
    pub(super) fn acting(&self) -> &Name {
        self.as_user.as_ref().unwrap_or(&self.user)
    }

    /// Whether a controller of this name did it.
    pub(super) fn is_by(&self, names: &[&str]) -> bool {
        self.controller.as_deref().is_some_and(|controller| names.contains(&controller))
    }

    /// Whether it writes the object itself or its scale, rather than what runs beside it.
    pub(super) fn changes_spec(&self) -> bool {
        matches!(&*self.verb, "create" | "update" | "patch") && matches!(&*self.subresource, "" | "scale")
    }
}

/// Texts that come again and again, kept once.
#[derive(Default)]
pub(super) struct Names {
    known: HashSet<Name>,
}

impl Names {
    pub(super) fn get(&mut self, text: Option<Text<'_>>) -> Name {
        self.own(&text.map_or_else(Default::default, Text::to_str_lossy))
    }

    pub(super) fn own(&mut self, text: &str) -> Name {
        if let Some(name) = self.known.get(text) {
            return Arc::clone(name);
        }
        let name: Name = text.into();
        // What clients choose could be without end; the names that matter come early and often.
        if self.known.len() < 65_536 {
            self.known.insert(Arc::clone(&name));
        }
        name
    }

    /// Notes a request about an object, whose name may stand elsewhere than in its reference.
    pub(super) fn act(&mut self, event: &Event<'_>, object: &ObjectReference<'_>, name: Option<Text<'_>>) -> Act {
        let namespace =
            object.namespace.filter(|_| object.resource.is_none_or(|resource| resource.raw() != b"namespaces"));
        let user = self.get(event.user.username);
        let as_user = event.impersonated_user.and_then(|user| user.username).map(|user| self.get(Some(user)));
        let acting = as_user.clone().unwrap_or_else(|| Arc::clone(&user));
        Act {
            time: event.time(),
            controller: controller(&acting, event.user_agent).map(|name| self.own(&name)),
            user,
            as_user,
            verb: self.get(event.verb),
            object: ObjectKey {
                resource: self.get(object.resource),
                group: self.get(object.api_group),
                namespace: self.get(namespace),
                name: name.map_or("".into(), |name| name.to_str_lossy().into()),
            },
            subresource: self.get(object.subresource),
            code: event.code(),
            dry_run: is_dry_run(event),
            owner: None,
            replicas: None,
            cordons: None,
            audit_id: event.audit_id.map_or("".into(), |id| id.to_str_lossy().into()),
        }
    }

    /// The owner that an object's metadata names: the one that controls it, else the first.
    pub(super) fn owner(&mut self, metadata: RawJson<'_>) -> Option<Box<Owner>> {
        let references = metadata.get(b"ownerReferences")?;
        let controls = |owner: &RawJson<'_>| owner.get(b"controller").is_some_and(|value| value.0 == b"true");
        let owner = references.elements().find(controls).or_else(|| references.elements().next())?;
        let text = |name: &[u8]| owner.get(name).and_then(RawJson::as_text);
        let (kind, version) = (text(b"kind")?.to_str_lossy(), text(b"apiVersion")?.to_str_lossy());
        let group = version.split_once('/').map_or("", |(group, _)| group);
        Some(Box::new(Owner {
            resource: self.own(&plural(&kind, group)),
            group: self.own(group),
            name: text(b"name")?.to_str_lossy().into(),
        }))
    }
}

/// The plural of a kind: as known, else as Kubernetes forms it.
fn plural(kind: &str, group: &str) -> String {
    if let Some(known) = known_resources(kind).find(|known| known.group == group) {
        return known.plural.to_owned();
    }
    let word = kind.to_lowercase();
    match word.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if word.ends_with('s') => format!("{word}es"),
        None => format!("{word}s"),
    }
}

/// Which of Kubernetes' own controllers a user is: by its service account, or, where all of them share
/// one user, by what the controller manager adds to its agent.
fn controller(user: &str, agent: Option<Text<'_>>) -> Option<String> {
    if let Some(account) = user.strip_prefix("system:serviceaccount:kube-system:") {
        return is_controller(account).then(|| account.to_owned());
    }
    if user != "system:kube-controller-manager" {
        return None;
    }
    let agent = agent?.to_str_lossy().into_owned();
    let last = agent.rsplit('/').next()?;
    let name = last.rsplit(':').next()?;
    let telling = is_controller(name) || name.ends_with("-controller") || name.ends_with("-collector");
    telling.then(|| name.to_owned())
}

/// Whether the server was asked to change nothing: by a parameter, or by the options of a deletion or eviction.
fn is_dry_run(event: &Event<'_>) -> bool {
    let some = |list: RawJson<'_>| list.elements().next().is_some();
    let verb = event.verb.map_or(b"".as_slice(), |verb| verb.raw());
    let subresource = event.object_ref.and_then(|object| object.subresource).map_or(b"".as_slice(), |sub| sub.raw());
    let options = match (verb, subresource) {
        (b"delete" | b"deletecollection", _) => event.request_object,
        (b"create", b"eviction") => event.request_object.and_then(|body| body.get(b"deleteOptions")),
        _ => None,
    };
    event.parameter("dryRun").is_some_and(|value| !value.is_empty())
        || options.and_then(|options| options.get(b"dryRun")).is_some_and(some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Format;

    #[test]
    fn controllers_are_known_by_account_or_agent() {
        let of = |user, agent: &'static str| controller(user, Some(agent.into()));
        let account = "system:serviceaccount:kube-system:replicaset-controller";
        assert_eq!(of(account, "").as_deref(), Some("replicaset-controller"));
        assert_eq!(of("system:serviceaccount:kube-system:tiller", ""), None);
        assert_eq!(of("system:serviceaccount:kube-system:aws-load-balancer-controller", ""), None);
        let shared = "kube-controller-manager/v1.33.1 (linux/amd64) kubernetes/8adc0f0/generic-garbage-collector";
        assert_eq!(of("system:kube-controller-manager", shared).as_deref(), Some("generic-garbage-collector"));
        assert_eq!(of("alice@example.com", shared), None, "agents are chosen by clients");
    }

    #[test]
    fn only_what_the_server_heeds_is_a_dry_run() {
        let dry = |verb: &'static str, sub: &'static str, uri: &'static str, body: Option<&'static str>| {
            let object = ObjectReference { subresource: Some(sub.into()), ..ObjectReference::default() };
            is_dry_run(&Event {
                verb: Some(verb.into()),
                object_ref: Some(object),
                request_uri: Some(uri.into()),
                request_object: body.map(|body| RawJson(body.as_bytes())),
                ..Event::empty(b"", Format::TwoLine)
            })
        };
        assert!(dry("patch", "", "/api/v1/pods/x?dryRun=All", None));
        assert!(dry("patch", "", "/api/v1/pods/x?dryRun=%41ll", None));
        assert!(!dry("delete", "", "/api/v1/pods/x?x=dryRun=All", None));
        assert!(!dry("patch", "", "/api/v1/pods/x?fieldManager=dryRun=All", None));
        assert!(dry("delete", "", "/api/v1/pods/x", Some(r#"{"dryRun":["All"]}"#)));
        assert!(dry("create", "eviction", "/e", Some(r#"{"deleteOptions":{"dryRun":["All"]}}"#)));
        assert!(!dry("create", "", "/e", Some(r#"{"dryRun":["All"]}"#)));
    }

    #[test]
    fn the_controlling_owner_comes_first() {
        let metadata = RawJson(
            br#"{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"a"},{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-1","controller":true}]}"#,
        );
        let owner = Names::default().owner(metadata).unwrap();
        assert_eq!((&*owner.resource, &*owner.group, &*owner.name), ("replicasets", "apps", "web-1"));
        assert_eq!(plural("Rollout", "argoproj.io"), "rollouts");
        assert_eq!(plural("Policy", "example.com"), "policies");
    }
}
