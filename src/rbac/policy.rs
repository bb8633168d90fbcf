//! What manifests say together: which rules hold for whom, where.

use std::collections::{BTreeMap, BTreeSet};

use super::{Request, Rule, Subject, User};

/// Which role: a ClusterRole has no namespace.
#[derive(Clone, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub struct RoleReference {
    /// The Role's namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl RoleReference {
    /// `Role` or `ClusterRole`.
    pub fn kind(&self) -> &'static str {
        if self.namespace.is_some() { "Role" } else { "ClusterRole" }
    }
}

/// A Role or ClusterRole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Role {
    /// Its own rules.
    pub rules: Vec<Rule>,
    /// Its labels, by which others take its rules over.
    pub labels: BTreeMap<String, String>,
    /// It has the rules of all ClusterRoles that one of these selects.
    pub aggregates: Vec<Selector>,
}

/// A label selector.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selector {
    /// `matchLabels`.
    pub labels: BTreeMap<String, String>,
    /// `matchExpressions`: key, operator, values.
    pub expressions: Vec<(String, Operator, Vec<String>)>,
}

/// How a label is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    /// One of the values.
    In,
    /// None of the values, or no such label.
    NotIn,
    /// There is such a label.
    Exists,
    /// There is none.
    DoesNotExist,
}

impl Selector {
    fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let labels_match = self.labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        labels_match
            && self.expressions.iter().all(|(key, operator, values)| {
                let value = labels.get(key);
                match operator {
                    Operator::In => value.is_some_and(|value| values.contains(value)),
                    Operator::NotIn => !value.is_some_and(|value| values.contains(value)),
                    Operator::Exists => value.is_some(),
                    Operator::DoesNotExist => value.is_none(),
                }
            })
    }
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The RoleBinding's namespace; a ClusterRoleBinding holds in all of them.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The role that is bound.
    pub role: RoleReference,
    /// To whom.
    pub subjects: Vec<Subject>,
}

impl Binding {
    /// `RoleBinding` or `ClusterRoleBinding`.
    pub fn kind(&self) -> &'static str {
        if self.namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" }
    }

    /// Whether it says anything about requests in this namespace.
    pub fn holds_in(&self, namespace: Option<&str>) -> bool {
        self.namespace.as_deref().is_none_or(|mine| namespace == Some(mine))
    }
}

/// Roles and bindings together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Roles.
    pub roles: BTreeMap<RoleReference, Role>,
    /// Bindings, in the order given.
    pub bindings: Vec<Binding>,
}

impl Policy {
    /// Whether some binding allows the user this.
    pub fn allows(&self, user: &User, request: &Request) -> bool {
        self.bindings
            .iter()
            .filter(|binding| binding.holds_in(request.namespace.as_deref()))
            .filter(|binding| binding.subjects.iter().any(|subject| subject.is(user, binding.namespace.as_deref())))
            .any(|binding| self.rules(&binding.role).any(|rule| rule.allows(request)))
    }

    /// The rules of a role, with those it aggregates.
    pub fn rules(&self, role: &RoleReference) -> impl Iterator<Item = &Rule> {
        let mut taken = BTreeSet::new();
        self.aggregated(role, &mut taken);
        taken.into_iter().filter_map(|role| self.roles.get(role)).flat_map(|role| &role.rules)
    }

    /// A role and all whose rules it has. Aggregation goes through roles that aggregate themselves.
    fn aggregated<'p>(&'p self, role: &RoleReference, taken: &mut BTreeSet<&'p RoleReference>) {
        let Some((role, found)) = self.roles.get_key_value(role) else { return };
        if !taken.insert(role) {
            return;
        }
        for selector in &found.aggregates {
            let selected = self.roles.iter().filter(|(role, _)| role.namespace.is_none());
            for (other, _) in selected.filter(|(_, other)| selector.selects(&other.labels)) {
                self.aggregated(other, taken);
            }
        }
    }

    /// Adds another policy.
    pub fn extend(&mut self, other: Policy) {
        self.roles.extend(other.roles);
        self.bindings.extend(other.bindings);
    }

    /// Bindings to roles that are not given, once each.
    pub fn unknown_roles(&self) -> BTreeSet<&RoleReference> {
        self.bindings.iter().map(|binding| &binding.role).filter(|role| !self.roles.contains_key(role)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{request, rule, url};
    use super::*;

    fn role(namespace: Option<&str>, name: &str) -> RoleReference {
        RoleReference { namespace: namespace.map(str::to_owned), name: name.to_owned() }
    }

    fn bound(namespace: Option<&str>, role: RoleReference) -> Binding {
        let subjects = vec![Subject::User("alice".to_owned())];
        Binding { namespace: namespace.map(str::to_owned), name: "b".to_owned(), role, subjects }
    }

    fn with(rules: Vec<Rule>) -> Role {
        Role { rules, ..Role::default() }
    }

    #[test]
    fn a_role_binding_holds_in_its_namespace_only() {
        let alice = User::new("alice", []);
        let mut policy = Policy::default();
        policy.roles.insert(role(None, "view"), with(vec![rule("list", "core", "pods", "")]));
        policy.bindings.push(bound(Some("shop"), role(None, "view")));
        assert!(policy.allows(&alice, &request("list", "", "pods", "shop", "")));
        assert!(!policy.allows(&alice, &request("list", "", "pods", "other", "")));
        assert!(!policy.allows(&alice, &request("list", "", "pods", "", "")), "in all namespaces");
        assert!(!policy.allows(&User::new("bob", []), &request("list", "", "pods", "shop", "")));
        policy.bindings.push(bound(None, role(None, "view")));
        assert!(policy.allows(&alice, &request("list", "", "pods", "", "")));
    }

    #[test]
    fn paths_are_granted_by_cluster_role_bindings_only() {
        let paths =
            Rule { verbs: vec!["get".to_owned()], non_resource_urls: vec!["/metrics".to_owned()], ..Rule::default() };
        let mut policy = Policy::default();
        policy.roles.insert(role(None, "metrics"), with(vec![paths]));
        policy.bindings.push(bound(Some("shop"), role(None, "metrics")));
        assert!(!policy.allows(&User::new("alice", []), &url("get", "/metrics")));
        policy.bindings.push(bound(None, role(None, "metrics")));
        assert!(policy.allows(&User::new("alice", []), &url("get", "/metrics")));
    }

    #[test]
    fn roles_aggregate_through_each_other_and_in_circles() {
        let label = |key: &str| BTreeMap::from([(key.to_owned(), "true".to_owned())]);
        let selects = |key: &str| vec![Selector { labels: label(key), ..Selector::default() }];
        let mut policy = Policy::default();
        policy.roles.insert(role(None, "admin"), Role { aggregates: selects("to-admin"), ..Role::default() });
        let edit = Role { aggregates: selects("to-edit"), labels: label("to-admin"), ..Role::default() };
        policy.roles.insert(role(None, "edit"), edit);
        let mut pods = with(vec![rule("get", "core", "pods", "")]);
        pods.labels = label("to-edit");
        pods.aggregates = selects("to-admin");
        policy.roles.insert(role(None, "pods"), pods);
        policy.bindings.push(bound(None, role(None, "admin")));
        assert!(policy.allows(&User::new("alice", []), &request("get", "", "pods", "a", "x")));
        assert!(!policy.allows(&User::new("alice", []), &request("get", "", "nodes", "", "x")));
    }

    #[test]
    fn expressions_select() {
        let labels = BTreeMap::from([("tier".to_owned(), "web".to_owned())]);
        let selects = |operator, values: &[&str]| {
            let values = values.iter().map(|&value| value.to_owned()).collect();
            let expressions = vec![("tier".to_owned(), operator, values)];
            Selector { expressions, ..Selector::default() }
        };
        assert!(selects(Operator::In, &["db", "web"]).selects(&labels));
        assert!(!selects(Operator::NotIn, &["web"]).selects(&labels));
        assert!(selects(Operator::NotIn, &["web"]).selects(&BTreeMap::new()));
        assert!(selects(Operator::Exists, &[]).selects(&labels));
        assert!(!selects(Operator::DoesNotExist, &[]).selects(&labels));
        assert!(Selector::default().selects(&labels), "an empty selector selects all");
    }
}
