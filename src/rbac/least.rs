//! The least rules that allow what was used.
//!
//! Each use becomes a right of its own; rights are widened only as far as asked ([`Expand`]); one that
//! another covers is dropped; what is left is written with as few rules as say exactly the same. No rule
//! has a wildcard, so a request for something called `*` gets none.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{ALL, GROUP, Request, Rule, Subject, Target, is_namespace, service_account};
use crate::event::Timestamp;
use crate::hash;

/// What speaks for a right.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Evidence {
    /// Requests that used it.
    pub requests: u64,
    /// The earliest start of one.
    pub first: Option<Timestamp>,
    /// The latest.
    pub last: Option<Timestamp>,
    /// When and under which audit id: the earliest few.
    pub examples: BTreeSet<(Option<Timestamp>, String)>,
}

/// So many audit ids are kept.
const EXAMPLES: usize = 3;

impl Evidence {
    /// Adds other evidence for the same.
    pub fn join(&mut self, other: Evidence) {
        self.requests += other.requests;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
        self.examples.extend(other.examples);
        while self.examples.len() > EXAMPLES {
            self.examples.pop_last();
        }
    }

    /// The audit ids, the earliest first.
    pub fn audit_ids(&self) -> impl Iterator<Item = &str> {
        self.examples.iter().map(|(_, id)| id.as_str())
    }
}

/// A right that somebody used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Use {
    /// Whose right it is: a user name.
    pub user: String,
    /// What was requested.
    pub request: Request,
    /// How often, when.
    pub evidence: Evidence,
}

/// How far rights are widened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Expand {
    /// Objects of several names become all objects.
    pub names: bool,
    /// Several namespaces become all namespaces.
    pub namespaces: bool,
    /// Reading one way allows all ways of reading, and one way of changing an object the other.
    pub verbs: bool,
}

/// A role and its binding, for one subject in one scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The user name it is for.
    pub user: String,
    /// The namespace; none is the whole cluster.
    pub namespace: Option<String>,
    /// What role and binding are called.
    pub name: String,
    /// The rules, each with what speaks for it.
    pub rules: Vec<(Rule, Evidence)>,
}

/// What [`least`] found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Least {
    /// Roles and bindings, by user and namespace, that of the cluster first.
    pub grants: Vec<Grant>,
    /// Requests that no rule without a wildcard, in a namespace that can exist, allows.
    pub left_out: u64,
}

type Rights = BTreeMap<Request, Evidence>;

/// The least roles and bindings for these uses.
pub fn least(uses: impl IntoIterator<Item = Use>, expand: Expand) -> Least {
    let mut by_user = BTreeMap::<String, Rights>::new();
    let mut found = Least::default();
    for one in uses {
        if one.user.is_empty() || !can_be_granted(&one.request) {
            found.left_out += one.evidence.requests;
            continue;
        }
        by_user.entry(one.user).or_default().entry(one.request).or_default().join(one.evidence);
    }
    for (user, rights) in by_user {
        let name = role_name(&user);
        let rights = drop_covered(widen(rights, expand));
        let mut scopes = BTreeMap::<Option<String>, Rights>::new();
        for (request, evidence) in rights {
            scopes.entry(request.namespace.clone()).or_default().insert(request, evidence);
        }
        found.grants.extend(scopes.into_iter().map(|(namespace, rights)| Grant {
            user: user.clone(),
            namespace,
            name: name.clone(),
            rules: compact(rights),
        }));
    }
    found
}

/// Whether a rule without a wildcard can allow it.
fn can_be_granted(request: &Request) -> bool {
    let plain = |word: &str| !word.is_empty() && word != ALL;
    let target = match &request.target {
        Target::Resource { group, resource, .. } => group != ALL && plain(resource) && !resource.starts_with("*/"),
        Target::Url(path) => path.starts_with('/') && !path.ends_with('*'),
    };
    target && plain(&request.verb) && request.namespace.as_deref().is_none_or(is_namespace)
}

fn widen(mut rights: Rights, expand: Expand) -> Rights {
    if expand.names {
        let alike = |request: &Request| {
            let mut alike = request.clone();
            // The same object in two namespaces has one name, and keeps it.
            alike.namespace = alike.namespace.filter(|_| !expand.namespaces);
            let name = take_name(&mut alike)?;
            Some((alike, name))
        };
        rights = widen_where_several(rights, alike, |request| drop(take_name(request)));
    }
    if expand.namespaces {
        let alike = |request: &Request| {
            let mut alike = request.clone();
            let namespace = alike.namespace.take()?;
            Some((alike, namespace))
        };
        rights = widen_where_several(rights, alike, |request| request.namespace = None);
    }
    if expand.verbs {
        let added: Vec<Request> = rights.keys().flat_map(with_other_verbs).collect();
        for request in added {
            rights.entry(request).or_default();
        }
    }
    rights
}

fn take_name(request: &mut Request) -> Option<String> {
    match &mut request.target {
        Target::Resource { name, .. } => name.take(),
        Target::Url(_) => None,
    }
}

/// Widens requests of which several differ only in one value: `alike` gives what they share, and the value.
fn widen_where_several(
    rights: Rights,
    alike: impl Fn(&Request) -> Option<(Request, String)>,
    widen: impl Fn(&mut Request),
) -> Rights {
    let mut values = BTreeMap::<Request, BTreeSet<String>>::new();
    for (shared, value) in rights.keys().filter_map(&alike) {
        values.entry(shared).or_default().insert(value);
    }
    let mut widened = Rights::new();
    for (mut request, evidence) in rights {
        if alike(&request).is_some_and(|(shared, _)| values.get(&shared).is_some_and(|values| values.len() > 1)) {
            widen(&mut request);
        }
        widened.entry(request).or_default().join(evidence);
    }
    widened
}

/// Those who may do the one mostly need the other: what audit2rbac adds too.
fn with_other_verbs(request: &Request) -> Vec<Request> {
    let others: &[&str] = match (request.verb.as_str(), &request.target) {
        (_, Target::Url(_)) => &[],
        ("watch", _) => &["get", "list"],
        ("list", _) => &["get", "watch"],
        ("update", _) => &["get", "patch"],
        ("patch", _) => &["get", "update"],
        _ => &[],
    };
    others.iter().map(|&verb| Request { verb: verb.to_owned(), ..request.clone() }).collect()
}

/// Drops rights that a wider one covers; what speaks for them speaks for that.
fn drop_covered(mut rights: Rights) -> Rights {
    let narrow: Vec<Request> = rights.keys().filter(|request| wider(request).next().is_some()).cloned().collect();
    for request in narrow {
        let Some(covering) = wider(&request).find(|wider| rights.contains_key(wider)) else { continue };
        let Some(evidence) = rights.remove(&request) else { continue };
        rights.entry(covering).or_default().join(evidence);
    }
    rights
}

/// The wider rights that cover a request, the widest first.
fn wider(request: &Request) -> impl Iterator<Item = Request> + use<> {
    let unnamed = match &request.target {
        Target::Resource { group, resource, name: Some(_) } => {
            let target = Target::Resource { group: group.clone(), resource: resource.clone(), name: None };
            Some(Request { target, ..request.clone() })
        }
        _ => None,
    };
    let everywhere =
        |request: &Request| request.namespace.is_some().then(|| Request { namespace: None, ..request.clone() });
    let both = unnamed.as_ref().and_then(everywhere);
    [both, everywhere(request), unnamed].into_iter().flatten()
}

/// Rules that say exactly the same: verbs of one thing, then names, then resources are put together.
fn compact(rights: Rights) -> Vec<(Rule, Evidence)> {
    type Words = BTreeSet<String>;
    let mut things = BTreeMap::<Target, (Words, Evidence)>::new();
    for (request, evidence) in rights {
        let (verbs, sum) = things.entry(request.target).or_default();
        verbs.insert(request.verb);
        sum.join(evidence);
    }
    let mut urls = BTreeMap::<Words, (Words, Evidence)>::new();
    let mut objects = BTreeMap::<(String, String, Words, bool), (Words, Evidence)>::new();
    for (target, (verbs, evidence)) in things {
        let (words, sum) = match &target {
            Target::Url(_) => urls.entry(verbs).or_default(),
            Target::Resource { group, resource, name } => {
                objects.entry((group.clone(), resource.clone(), verbs, name.is_some())).or_default()
            }
        };
        match target {
            Target::Url(word) | Target::Resource { name: Some(word), .. } => drop(words.insert(word)),
            Target::Resource { name: None, .. } => {}
        }
        sum.join(evidence);
    }
    let mut resources = BTreeMap::<(String, Words, Words), (Words, Evidence)>::new();
    for ((group, resource, verbs, _), (names, evidence)) in objects {
        let (words, sum) = resources.entry((group, names, verbs)).or_default();
        words.insert(resource);
        sum.join(evidence);
    }
    let list = |words: Words| words.into_iter().collect::<Vec<_>>();
    let of_resources = resources.into_iter().map(|((group, names, verbs), (resources, evidence))| {
        let (resources, resource_names, verbs) = (list(resources), list(names), list(verbs));
        (Rule { api_groups: vec![group], resources, resource_names, verbs, ..Rule::default() }, evidence)
    });
    let of_urls = urls.into_iter().map(|(verbs, (urls, evidence))| {
        (Rule { non_resource_urls: list(urls), verbs: list(verbs), ..Rule::default() }, evidence)
    });
    let mut rules: Vec<_> = of_resources.chain(of_urls).collect();
    rules.sort_by(|(one, _), (other, _)| one.cmp(other));
    rules
}

/// The longest part of a name that comes from the user's: a label's length is kept, though names may be longer.
const SLUG: usize = 48;

/// What the roles of a user are called, whoever else is there: if it took turns, applying what another run prints
/// would take away rights. Where the words alone could be another user's too, a hash goes behind them.
fn role_name(user: &str) -> String {
    let is_plain = |text: &str| slug(text) == text;
    match service_account(user) {
        // No other name has a dot.
        Some((namespace, name)) if is_plain(namespace) && is_plain(name) => format!("auditq-{namespace}.{name}"),
        None if is_plain(user) && !ends_like_a_hash(user) => format!("auditq-{user}"),
        _ => hashed_name("auditq", user, user),
    }
}

/// A name with what is readable of the user, and a hash of what it stands for.
fn hashed_name(first: &str, user: &str, whole: &str) -> String {
    let hash = format!("{:08x}", short_hash(whole));
    [first, &slug(user), &hash].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// Whether a name could be one with a hash behind it.
fn ends_like_a_hash(name: &str) -> bool {
    let last = name.rsplit('-').next().unwrap_or_default();
    last.len() == 8 && last.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The text as part of a DNS name: lower case letters, digits, and single hyphens for all else.
pub fn slug(text: &str) -> String {
    let text = match service_account(text) {
        Some((namespace, name)) => format!("{namespace}-{name}"),
        None => text.to_owned(),
    };
    let mut slug = String::new();
    for character in text.chars().map(|character| character.to_ascii_lowercase()) {
        match character {
            'a'..='z' | '0'..='9' => slug.push(character),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(SLUG);
    slug.trim_matches('-').to_owned()
}

/// A few digits that tell names apart, the same in every run.
pub fn short_hash(text: &str) -> u32 {
    hash::for_samples(text.as_bytes()) as u32
}

impl Grant {
    /// The same by a name of its own: it is to stand beside the roles that are there, whatever made them.
    #[must_use]
    pub fn beside_others(self) -> Self {
        let rules: Vec<&Rule> = self.rules.iter().map(|(rule, _)| rule).collect();
        let name = hashed_name("auditq-missing", &self.user, &format!("{} {rules:?}", self.user));
        Grant { name, ..self }
    }

    /// What speaks for all its rules.
    pub fn evidence(&self) -> Evidence {
        let mut sum = Evidence::default();
        self.rules.iter().for_each(|(_, evidence)| sum.join(evidence.clone()));
        sum
    }

    /// The role and its binding as manifests.
    pub fn manifests(&self) -> [Value; 2] {
        let (kind, binding) = match self.namespace {
            Some(_) => ("Role", "RoleBinding"),
            None => ("ClusterRole", "ClusterRoleBinding"),
        };
        let mut role = self.head(kind);
        role.insert("rules".to_owned(), self.rules.iter().map(|(rule, _)| rule_value(rule)).collect());
        let mut bound = self.head(binding);
        bound.insert("roleRef".to_owned(), json!({ "apiGroup": GROUP, "kind": kind, "name": self.name }));
        bound.insert("subjects".to_owned(), json!([subject_value(&Subject::of_user(&self.user))]));
        [Value::Object(role), Value::Object(bound)]
    }

    fn head(&self, kind: &str) -> Map<String, Value> {
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), json!(self.name));
        if let Some(namespace) = &self.namespace {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        metadata.insert("labels".to_owned(), json!({ "auditq.io/generated": "true" }));
        metadata.insert("annotations".to_owned(), Value::Object(annotations(&self.evidence())));
        let mut head = Map::new();
        head.insert("apiVersion".to_owned(), json!(format!("{GROUP}/v1")));
        head.insert("kind".to_owned(), json!(kind));
        head.insert("metadata".to_owned(), Value::Object(metadata));
        head
    }
}

fn annotations(evidence: &Evidence) -> Map<String, Value> {
    let time = |time: Option<Timestamp>| time.map(Timestamp::to_rfc3339);
    let ids: Vec<&str> = evidence.audit_ids().collect();
    let known = [
        ("requests", Some(evidence.requests.to_string())),
        ("first-seen", time(evidence.first)),
        ("last-seen", time(evidence.last)),
        ("example-audit-ids", (!ids.is_empty()).then(|| ids.join(","))),
    ];
    known.into_iter().filter_map(|(key, value)| Some((format!("auditq.io/{key}"), json!(value?)))).collect()
}

/// A rule as its manifest has it.
pub fn rule_value(rule: &Rule) -> Value {
    let mut value = Map::new();
    let mut put = |key: &str, list: &[String]| drop(value.insert(key.to_owned(), json!(list)));
    if rule.non_resource_urls.is_empty() {
        put("apiGroups", &rule.api_groups);
        put("resources", &rule.resources);
    } else {
        put("nonResourceURLs", &rule.non_resource_urls);
    }
    if !rule.resource_names.is_empty() {
        put("resourceNames", &rule.resource_names);
    }
    put("verbs", &rule.verbs);
    Value::Object(value)
}

fn subject_value(subject: &Subject) -> Value {
    match subject {
        Subject::User(name) => json!({ "apiGroup": GROUP, "kind": "User", "name": name }),
        Subject::Group(name) => json!({ "apiGroup": GROUP, "kind": "Group", "name": name }),
        Subject::ServiceAccount { namespace: Some(namespace), name } => {
            json!({ "kind": "ServiceAccount", "name": name, "namespace": namespace })
        }
        Subject::ServiceAccount { namespace: None, name } => json!({ "kind": "ServiceAccount", "name": name }),
    }
}

#[cfg(test)]
mod tests;
