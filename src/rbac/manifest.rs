//! Reads roles and bindings from manifests: YAML or JSON, several documents, lists.
//!
//! Other kinds are no error, since folders hold whole applications; they are counted. What is a role or
//! binding but cannot be understood is an error that names the document.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::policy::{Operator, Selector};
use super::{Binding, Policy, Role, RoleReference, Rule, Subject};

/// What a file held.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Its roles and bindings.
    pub policy: Policy,
    /// How many objects of other kinds there were.
    pub others: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    metadata: Metadata,
    #[serde(default, deserialize_with = "or_empty")]
    rules: Vec<RuleAsWritten>,
    aggregation_rule: Option<Aggregation>,
    role_ref: Option<RoleRef>,
    #[serde(default, deserialize_with = "or_empty")]
    subjects: Vec<SubjectAsWritten>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleAsWritten {
    #[serde(default, deserialize_with = "or_empty")]
    api_groups: Vec<String>,
    #[serde(default, deserialize_with = "or_empty")]
    resources: Vec<String>,
    #[serde(default, deserialize_with = "or_empty")]
    resource_names: Vec<String>,
    #[serde(default, rename = "nonResourceURLs", deserialize_with = "or_empty")]
    non_resource_urls: Vec<String>,
    #[serde(default, deserialize_with = "or_empty")]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Aggregation {
    #[serde(default, deserialize_with = "or_empty")]
    cluster_role_selectors: Vec<SelectorAsWritten>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SelectorAsWritten {
    #[serde(default, deserialize_with = "or_empty")]
    match_labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_empty")]
    match_expressions: Vec<Expression>,
}

#[derive(Deserialize)]
struct Expression {
    key: String,
    operator: String,
    #[serde(default, deserialize_with = "or_empty")]
    values: Vec<String>,
}

#[derive(Deserialize)]
struct RoleRef {
    kind: String,
    name: String,
}

#[derive(Deserialize)]
struct SubjectAsWritten {
    kind: String,
    name: String,
    namespace: Option<String>,
}

/// `null` where a list or map is expected is an empty one, as for the API server.
fn or_empty<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Reads the text of one file.
///
/// # Errors
/// Tells which document cannot be understood, and why.
pub fn read(text: &str) -> Result<Manifests, String> {
    let mut found = Manifests::default();
    for (at, document) in serde_yaml_ng::Deserializer::from_str(text).enumerate() {
        let which = |error: &dyn std::fmt::Display| format!("document {}: {error}", at + 1);
        let value = Value::deserialize(document).map_err(|error| which(&error))?;
        take(value, &mut found).map_err(|error| which(&error))?;
    }
    Ok(found)
}

fn take(value: Value, found: &mut Manifests) -> Result<(), String> {
    if value.is_null() {
        return Ok(());
    }
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if kind.is_empty() {
        return Err("no manifest: it has no `kind`".to_owned());
    }
    if let Some(items) = value.get("items").and_then(Value::as_array).filter(|_| kind.ends_with("List")) {
        // The items of a typed list need not say what they are.
        let of_items = kind.strip_suffix("List").unwrap_or_default().to_owned();
        for (at, item) in items.iter().enumerate() {
            let mut item = item.clone();
            if let Some(members) = item.as_object_mut().filter(|_| !of_items.is_empty()) {
                members.entry("kind").or_insert_with(|| Value::from(of_items.as_str()));
                members.entry("apiVersion").or_insert_with(|| Value::from(version.as_str()));
            }
            take(item, found).map_err(|error| format!("item {}: {error}", at + 1))?;
        }
        return Ok(());
    }
    let ours = version.starts_with(super::GROUP)
        && matches!(kind.as_str(), "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding");
    if !ours {
        found.others += 1;
        return Ok(());
    }
    let object = Object::deserialize(value).map_err(|error| format!("{kind}: {error}"))?;
    let name = object.metadata.name.clone();
    add(&kind, object, &mut found.policy).map_err(|error| format!("{kind} {name}: {error}"))
}

fn add(kind: &str, object: Object, policy: &mut Policy) -> Result<(), String> {
    let Metadata { name, namespace, labels } = object.metadata;
    let namespace = match kind {
        // What `kubectl apply` would put there.
        "Role" | "RoleBinding" => Some(namespace.unwrap_or_else(|| "default".to_owned())),
        _ => None,
    };
    if kind.ends_with("Binding") {
        let role = object.role_ref.ok_or("it has no `roleRef`")?;
        let of_role = match role.kind.as_str() {
            "ClusterRole" => None,
            "Role" if namespace.is_some() => namespace.clone(),
            other => return Err(format!("`roleRef` is of kind {other}")),
        };
        let role = RoleReference { namespace: of_role, name: role.name };
        let subjects = object.subjects.into_iter().map(subject).collect::<Result<_, _>>()?;
        policy.bindings.push(Binding { namespace, name, role, subjects });
        return Ok(());
    }
    let selectors = object.aggregation_rule.map(|rule| rule.cluster_role_selectors).unwrap_or_default();
    let aggregates = selectors.into_iter().map(selector).collect::<Result<_, _>>()?;
    let rules = object.rules.into_iter().map(rule).collect();
    policy.roles.insert(RoleReference { namespace, name }, Role { rules, labels, aggregates });
    Ok(())
}

fn rule(written: RuleAsWritten) -> Rule {
    let RuleAsWritten { api_groups, resources, resource_names, non_resource_urls, verbs } = written;
    Rule { api_groups, resources, resource_names, non_resource_urls, verbs }
}

fn subject(written: SubjectAsWritten) -> Result<Subject, String> {
    let SubjectAsWritten { kind, name, namespace } = written;
    match kind.as_str() {
        "User" => Ok(Subject::User(name)),
        "Group" => Ok(Subject::Group(name)),
        "ServiceAccount" => Ok(Subject::ServiceAccount { namespace, name }),
        other => Err(format!("a subject is of kind {other}")),
    }
}

fn selector(written: SelectorAsWritten) -> Result<Selector, String> {
    let expression = |one: Expression| {
        let operator = match one.operator.as_str() {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            other => return Err(format!("a selector has the operator {other}")),
        };
        Ok((one.key, operator, one.values))
    };
    let expressions = written.match_expressions.into_iter().map(expression).collect::<Result<_, _>>()?;
    Ok(Selector { labels: written.match_labels, expressions })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_lists_and_other_kinds() {
        let text = r#"
# a comment, then nothing
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r, namespace: shop}
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [get]
---
{"apiVersion":"v1","kind":"List","items":[
  {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"b"},
   "roleRef":{"kind":"Role","name":"r","apiGroup":"rbac.authorization.k8s.io"},"subjects":null},
  {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleList
items:
- metadata: {name: admin}
  rules: null
  aggregationRule:
    clusterRoleSelectors:
    - matchLabels: {a: b}
      matchExpressions: [{key: c, operator: In, values: [d]}]
"#;
        let found = read(text).unwrap();
        assert_eq!((found.policy.roles.len(), found.policy.bindings.len(), found.others), (2, 1, 1));
        let binding = &found.policy.bindings[0];
        assert_eq!((binding.namespace.as_deref(), binding.kind()), (Some("default"), "RoleBinding"));
        let admin = RoleReference { namespace: None, name: "admin".to_owned() };
        assert_eq!(found.policy.roles[&admin].aggregates[0].expressions[0].1, Operator::In);
    }

    #[test]
    fn errors_name_the_document() {
        let head = "kind: ConfigMap\n---\napiVersion: rbac.authorization.k8s.io/v1\n";
        let told = |rest: &str| read(&format!("{head}{rest}")).unwrap_err();
        assert_eq!(told("kind: RoleBinding\nmetadata: {name: b}\n"), "document 2: RoleBinding b: it has no `roleRef`");
        assert!(told("kind: Role\nrules: []\n").starts_with("document 2: Role: missing field `metadata`"));
        let subjects = "kind: ClusterRoleBinding\nmetadata: {name: b}\nroleRef: {kind: ClusterRole, name: r}\n\
                        subjects: [{kind: Robot, name: x}]\n";
        assert_eq!(told(subjects), "document 2: ClusterRoleBinding b: a subject is of kind Robot");
        assert!(read("just text").unwrap_err().contains("no manifest"));
        assert!(read("a: [").unwrap_err().starts_with("document 1: "));
    }
}
