//! Role-based access control as Kubernetes does it: rules, bindings, and whether they allow a request.
//!
//! This room knows neither events nor output: `aggregate` says what was asked of the server, `render`
//! writes what comes out. A request is what the authorizer sees ([`Request`]), a policy is what manifests
//! say ([`Policy`]), and [`least`] goes the other way, from requests to the least rules that allow them.
//! Semantics are those of the RBAC authorizer (`pkg/registry/rbac/validation`, `pkg/apis/rbac/v1`).

pub mod least;
pub mod manifest;
pub mod policy;
pub mod standard;
pub mod unused;

use std::collections::BTreeSet;
use std::fmt;

pub use policy::{Binding, Policy, Role, RoleReference};

/// The API group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// One rule of a role.
#[derive(Clone, PartialEq, Eq, Debug, Default, PartialOrd, Ord)]
pub struct Rule {
    /// API groups; the empty one is the core group.
    pub api_groups: Vec<String>,
    /// Resources, `pods` or `pods/exec`.
    pub resources: Vec<String>,
    /// Only these objects; none is all of them.
    pub resource_names: Vec<String>,
    /// Paths that are no resources, `/metrics`.
    pub non_resource_urls: Vec<String>,
    /// Verbs.
    pub verbs: Vec<String>,
}

/// What a request is about, as the authorizer sees it.
#[derive(Clone, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub enum Target {
    /// An object, or objects of a type.
    Resource {
        /// API group; empty is the core group.
        group: String,
        /// Resource, with its subresource: `pods/exec`.
        resource: String,
        /// The name in the URL; a request to create an object, to list or to delete many has none.
        name: Option<String>,
    },
    /// A path that is no resource.
    Url(String),
}

/// A request as the authorizer sees it, but for who makes it.
#[derive(Clone, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub struct Request {
    /// The namespace; none is all of them, or cluster scope.
    pub namespace: Option<String>,
    /// What it is about.
    pub target: Target,
    /// The verb.
    pub verb: String,
}

/// Who makes requests.
#[derive(Clone, PartialEq, Eq, Debug, Default, PartialOrd, Ord, Hash)]
pub struct User {
    /// User name.
    pub name: String,
    /// Groups, those included that the server implies.
    pub groups: BTreeSet<String>,
}

/// The group of everybody who is known.
pub const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const ANONYMOUS: &str = "system:anonymous";
const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";

impl User {
    /// A user of these groups. Those that the server gives to everybody of a kind are added, since not
    /// every log records groups.
    pub fn new(name: &str, groups: impl IntoIterator<Item = String>) -> Self {
        let mut groups: BTreeSet<String> = groups.into_iter().collect();
        let everybody = if name.is_empty() || name == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
        groups.insert(everybody.to_owned());
        if let Some((namespace, _)) = service_account(name) {
            groups.extend([SERVICE_ACCOUNTS.to_owned(), format!("{SERVICE_ACCOUNTS}:{namespace}")]);
        }
        User { name: name.to_owned(), groups }
    }
}

/// Namespace and name of the service account that a user name stands for.
pub fn service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

/// Who is bound to a role.
#[derive(Clone, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Subject {
    /// A user by name.
    User(String),
    /// Everybody in a group.
    Group(String),
    /// A service account. One without a namespace is of the binding's.
    ServiceAccount {
        /// Its namespace.
        namespace: Option<String>,
        /// Its name.
        name: String,
    },
}

impl Subject {
    /// The subject that stands for a user.
    pub fn of_user(name: &str) -> Self {
        match service_account(name) {
            Some((namespace, account)) => {
                Subject::ServiceAccount { namespace: Some(namespace.to_owned()), name: account.to_owned() }
            }
            None => Subject::User(name.to_owned()),
        }
    }

    /// The subject as a binding of this namespace means it.
    pub fn in_namespace(&self, binding_namespace: Option<&str>) -> Self {
        let mut subject = self.clone();
        if let Subject::ServiceAccount { namespace: namespace @ None, .. } = &mut subject {
            *namespace = binding_namespace.map(str::to_owned);
        }
        subject
    }

    /// Whether it means this user, in a binding of this namespace.
    pub fn is(&self, user: &User, binding_namespace: Option<&str>) -> bool {
        match self {
            Subject::User(name) => *name == user.name,
            Subject::Group(name) => user.groups.contains(name),
            Subject::ServiceAccount { namespace, name } => {
                let Some(namespace) = namespace.as_deref().or(binding_namespace) else { return false };
                service_account(&user.name) == Some((namespace, name))
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::User(name) => write!(f, "User {name}"),
            Subject::Group(name) => write!(f, "Group {name}"),
            Subject::ServiceAccount { namespace: Some(namespace), name } => {
                write!(f, "ServiceAccount {namespace}/{name}")
            }
            Subject::ServiceAccount { namespace: None, name } => write!(f, "ServiceAccount {name}"),
        }
    }
}

/// Stands for everything in lists of verbs, groups, resources and URLs.
pub const ALL: &str = "*";

impl Rule {
    /// Whether the rule allows a request in the namespaces where it holds.
    pub fn allows(&self, request: &Request) -> bool {
        has(&self.verbs, &request.verb) && self.covers(&request.target)
    }

    /// Whether the rule is about this, whatever the verb.
    pub fn covers(&self, target: &Target) -> bool {
        match target {
            Target::Resource { group, resource, name } => {
                has(&self.api_groups, group) && self.has_resource(resource) && self.has_name(name.as_deref())
            }
            Target::Url(path) => self.non_resource_urls.iter().any(|rule| url_matches(rule, path)),
        }
    }

    fn has_resource(&self, wanted: &str) -> bool {
        let subresource = wanted.split_once('/').map(|(_, sub)| sub);
        self.resources.iter().any(|rule| {
            rule == ALL || rule == wanted || rule.strip_prefix("*/").is_some_and(|sub| subresource == Some(sub))
        })
    }

    /// A request without a name is never one for particular objects.
    fn has_name(&self, wanted: Option<&str>) -> bool {
        self.resource_names.is_empty() || wanted.is_some_and(|name| self.resource_names.iter().any(|rule| rule == name))
    }
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|rule| rule == ALL || rule == wanted)
}

fn url_matches(rule: &str, path: &str) -> bool {
    rule == ALL || rule == path || rule.ends_with('*') && path.starts_with(rule.trim_end_matches('*'))
}

/// `get,list pods,secrets.apps (web) in API group…`: a rule in one line.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.verbs.join(","))?;
        let mut separator = "";
        for url in &self.non_resource_urls {
            write!(f, "{separator}{url}")?;
            separator = ",";
        }
        for resource in &self.resources {
            for group in &self.api_groups {
                write!(f, "{separator}{}", qualified(resource, group))?;
                separator = ",";
            }
        }
        if !self.resource_names.is_empty() {
            write!(f, " ({})", self.resource_names.join(","))?;
        }
        Ok(())
    }
}

/// `deployments.apps/scale`: a resource as kubectl spells it.
pub fn qualified(resource: &str, group: &str) -> String {
    if group.is_empty() {
        return resource.to_owned();
    }
    match resource.split_once('/') {
        Some((resource, sub)) => format!("{resource}.{group}/{sub}"),
        None => format!("{resource}.{group}"),
    }
}

/// Whether a namespace of that name can exist.
pub fn is_namespace(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && bytes.first().copied().is_some_and(plain)
        && bytes.last().copied().is_some_and(plain)
        && bytes.iter().all(|&byte| plain(byte) || byte == b'-')
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn list(words: &str) -> Vec<String> {
        words.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// A rule on resources; the core group is `core`.
    pub(crate) fn rule(verbs: &str, groups: &str, resources: &str, names: &str) -> Rule {
        let api_groups = groups.split(',').map(|group| group.replace("core", "")).collect();
        let (verbs, resources, resource_names) = (list(verbs), list(resources), list(names));
        Rule { api_groups, resources, resource_names, verbs, ..Rule::default() }
    }

    /// A request for a resource; empty text is absence.
    pub(crate) fn request(verb: &str, group: &str, resource: &str, namespace: &str, name: &str) -> Request {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let target = Target::Resource { group: group.to_owned(), resource: resource.to_owned(), name: some(name) };
        Request { namespace: some(namespace), target, verb: verb.to_owned() }
    }

    pub(crate) fn url(verb: &str, path: &str) -> Request {
        Request { namespace: None, target: Target::Url(path.to_owned()), verb: verb.to_owned() }
    }

    #[test]
    fn resources_match_exactly_by_star_or_by_any_sub() {
        let cases = [
            ("pods", "pods", true),
            ("pods", "pods/log", false),
            ("pods/log", "pods/log", true),
            ("pods/log", "pods", false),
            ("*", "pods/log", true),
            ("*/scale", "deployments/scale", true),
            ("*/scale", "deployments", false),
            ("*/scale", "scale", false),
            ("pods/*", "pods/log", false),
        ];
        for (of_rule, wanted, expected) in cases {
            let allowed = rule("get", "core", of_rule, "").allows(&request("get", "", wanted, "a", "x"));
            assert_eq!(allowed, expected, "{of_rule} for {wanted}");
        }
    }

    #[test]
    fn names_never_match_a_request_without_one() {
        let named = rule("*", "core", "pods", "web,db");
        assert!(named.allows(&request("get", "", "pods", "a", "web")));
        assert!(named.allows(&request("list", "", "pods", "a", "db")), "a field selector on the name");
        assert!(!named.allows(&request("list", "", "pods", "a", "")));
        assert!(!named.allows(&request("create", "", "pods", "a", "")));
        assert!(!named.allows(&request("get", "", "pods", "a", "other")));
    }

    #[test]
    fn verbs_and_groups_know_the_star() {
        assert!(rule("*", "*", "pods", "").allows(&request("foo", "apps", "pods", "", "")));
        assert!(!rule("get", "apps", "pods", "").allows(&request("get", "", "pods", "", "")));
        assert!(!rule("get", "core", "pods", "").allows(&request("GET", "", "pods", "", "")));
        assert!(!rule("", "core", "pods", "").allows(&request("get", "", "pods", "", "")));
    }

    #[test]
    fn urls_match_exactly_or_by_prefix() {
        let of = |rule: &str, path: &str| {
            let rule = Rule { verbs: list("get"), non_resource_urls: list(rule), ..Rule::default() };
            rule.allows(&url("get", path))
        };
        assert!(of("/metrics", "/metrics") && !of("/metrics", "/metrics/cadvisor"));
        assert!(of("/api/*", "/api/v1") && of("/api*", "/apis") && !of("/api/*", "/api"));
        assert!(of("*", "/anything") && !of("/healthz", "/livez"));
        assert!(!rule("get", "*", "*", "").allows(&url("get", "/metrics")), "a resource rule says nothing of paths");
    }

    #[test]
    fn subjects_are_users_groups_and_accounts() {
        let web = User::new("system:serviceaccount:shop:web", []);
        let account = |namespace: Option<&str>| Subject::ServiceAccount {
            namespace: namespace.map(str::to_owned),
            name: "web".to_owned(),
        };
        assert!(account(Some("shop")).is(&web, None));
        assert!(account(None).is(&web, Some("shop")));
        assert!(!account(None).is(&web, None) && !account(None).is(&web, Some("other")));
        for group in ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"] {
            assert!(Subject::Group(group.to_owned()).is(&web, None), "{group}");
        }
        assert!(Subject::User("system:serviceaccount:shop:web".to_owned()).is(&web, None));
        let nobody = User::new("system:anonymous", []);
        assert!(Subject::Group("system:unauthenticated".to_owned()).is(&nobody, None));
        assert!(!Subject::Group("system:authenticated".to_owned()).is(&nobody, None));
        assert_eq!(Subject::of_user("system:serviceaccount:a:b:c").to_string(), "User system:serviceaccount:a:b:c");
    }
}
