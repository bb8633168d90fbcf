//! What every cluster grants to everybody: the roles that the API server itself keeps in place.
//!
//! Discovery and questions about oneself need no role of one's own, so least privilege leaves them out.
//! Source: the bootstrap policy of the API server, 1.14 and later.

use super::{AUTHENTICATED, Policy, Role, RoleReference, Rule, Subject, UNAUTHENTICATED};
use crate::rbac::Binding;

const DISCOVERY: [&str; 12] = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
    // Before 1.14.
    "/swagger*",
];

const PUBLIC: [&str; 5] = ["/healthz", "/livez", "/readyz", "/version", "/version/"];

/// The roles `system:discovery`, `system:basic-user` and `system:public-info-viewer`, bound as they are.
pub fn policy() -> Policy {
    let mut policy = Policy::default();
    add(&mut policy, "system:discovery", &[AUTHENTICATED], vec![paths(&DISCOVERY)]);
    add(&mut policy, "system:public-info-viewer", &[AUTHENTICATED, UNAUTHENTICATED], vec![paths(&PUBLIC)]);
    let reviews = [
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    ];
    let rules = reviews.map(|(group, resource)| Rule {
        api_groups: vec![group.to_owned()],
        resources: vec![resource.to_owned()],
        verbs: vec!["create".to_owned()],
        ..Rule::default()
    });
    add(&mut policy, "system:basic-user", &[AUTHENTICATED], rules.into());
    policy
}

fn paths(paths: &[&str]) -> Rule {
    let non_resource_urls = paths.iter().map(|&path| path.to_owned()).collect();
    Rule { verbs: vec!["get".to_owned()], non_resource_urls, ..Rule::default() }
}

fn add(policy: &mut Policy, name: &str, groups: &[&str], rules: Vec<Rule>) {
    let role = RoleReference { namespace: None, name: name.to_owned() };
    policy.roles.insert(role.clone(), Role { rules, ..Role::default() });
    let subjects = groups.iter().map(|&group| Subject::Group(group.to_owned())).collect();
    policy.bindings.push(Binding { namespace: None, name: name.to_owned(), role, subjects });
}

#[cfg(test)]
mod tests {
    use super::super::User;
    use super::super::tests::{request, url};
    use super::*;

    #[test]
    fn everybody_may_discover_and_ask_about_themselves() {
        let (policy, alice, nobody) = (policy(), User::new("alice", []), User::new("system:anonymous", []));
        assert!(policy.allows(&alice, &url("get", "/apis/apps/v1")));
        assert!(policy.allows(&alice, &request("create", "authorization.k8s.io", "selfsubjectaccessreviews", "", "")));
        assert!(!policy.allows(&alice, &url("get", "/metrics")));
        assert!(policy.allows(&nobody, &url("get", "/livez")) && !policy.allows(&nobody, &url("get", "/apis")));
    }
}
