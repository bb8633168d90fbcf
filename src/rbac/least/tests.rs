use super::super::tests::{list, request, rule, url};
use super::super::{Binding, Policy, Role, RoleReference, User};
use super::*;

fn used(user: &str, request: Request) -> Use {
    Use { user: user.to_owned(), request, evidence: Evidence { requests: 1, ..Evidence::default() } }
}

fn rules(grants: &[Grant]) -> Vec<String> {
    let scope = |grant: &Grant| grant.namespace.clone().unwrap_or_else(|| "*".to_owned());
    grants
        .iter()
        .flat_map(|grant| grant.rules.iter().map(move |(rule, _)| format!("{}: {rule}", scope(grant))))
        .collect()
}

/// The policy that the grants' own manifests make, read back.
fn applied(grants: &[Grant]) -> Policy {
    let mut policy = Policy::default();
    for document in grants.iter().flat_map(Grant::manifests) {
        let read = super::super::manifest::read(&document.to_string()).unwrap();
        assert_eq!(read.others, 0);
        policy.extend(read.policy);
    }
    policy
}

#[test]
fn rules_are_put_together_where_that_changes_nothing() {
    let uses = [
        request("get", "", "pods", "shop", ""),
        request("list", "", "pods", "shop", ""),
        request("list", "", "services", "shop", ""),
        request("get", "", "services", "shop", ""),
        request("get", "", "secrets", "shop", "one"),
        request("get", "", "secrets", "shop", "two"),
        request("update", "apps", "deployments/scale", "shop", "web"),
        url("get", "/metrics"),
    ];
    let found = least(uses.map(|request| used("alice", request)), Expand::default());
    assert_eq!(
        rules(&found.grants),
        [
            "*: get /metrics",
            "shop: get,list pods,services",
            "shop: get secrets (one,two)",
            "shop: update deployments.apps/scale (web)"
        ]
    );
}

#[test]
fn what_a_wider_right_covers_is_dropped() {
    let uses = [
        request("list", "", "pods", "", ""),
        request("list", "", "pods", "shop", ""),
        request("get", "", "pods", "shop", ""),
        request("get", "", "pods", "shop", "web"),
        request("get", "", "pods", "other", "web"),
    ];
    let found = least(uses.map(|request| used("alice", request)), Expand::default());
    assert_eq!(rules(&found.grants), ["*: list pods", "other: get pods (web)", "shop: get pods"]);
    assert_eq!(found.grants.iter().map(|grant| grant.evidence().requests).collect::<Vec<_>>(), [2, 1, 2]);
}

#[test]
fn names_namespaces_and_verbs_are_widened_when_asked() {
    let uses = || {
        [
            request("get", "", "secrets", "a", "one"),
            request("get", "", "secrets", "b", "two"),
            request("list", "", "pods", "a", ""),
            request("patch", "", "nodes", "", "n1"),
        ]
        .map(|request| used("alice", request))
    };
    let with = |expand| rules(&least(uses(), expand).grants);
    let names = Expand { names: true, ..Expand::default() };
    assert_eq!(
        with(names),
        ["*: patch nodes (n1)", "a: list pods", "a: get secrets (one)", "b: get secrets (two)"],
        "one name in each namespace"
    );
    let both = Expand { names: true, namespaces: true, verbs: false };
    assert_eq!(with(both), ["*: patch nodes (n1)", "*: get secrets", "a: list pods"]);
    let verbs = Expand { verbs: true, ..Expand::default() };
    assert_eq!(
        with(verbs),
        ["*: get,patch,update nodes (n1)", "a: get,list,watch pods", "a: get secrets (one)", "b: get secrets (two)"]
    );
}

#[test]
fn a_star_from_the_log_grants_nothing() {
    let uses = [
        request("get", "", "*", "a", ""),
        request("*", "", "pods", "a", ""),
        request("get", "*", "pods", "a", ""),
        request("get", "", "*/log", "a", "x"),
        request("get", "", "pods", "A b", ""),
        url("get", "/metrics*"),
    ];
    let found = least(uses.map(|request| used("alice", request)), Expand::default());
    assert_eq!(found, Least { grants: Vec::new(), left_out: 6 });
    let star = least([used("alice", request("get", "", "pods", "a", "*"))], Expand::default());
    assert_eq!(rules(&star.grants), ["a: get pods (*)"], "a name has no wildcards");
}

#[test]
fn names_of_roles_are_valid_and_differ() {
    let users = [
        "Alice@example.com",
        "alice-example-com",
        "system:serviceaccount:shop:web",
        "shop-web",
        "shop.web",
        "system:serviceaccount:shop-web:a",
        "system:serviceaccount:shop:web-a",
        "a-b",
        "a.b",
        "a-b-d0d4fc29",
        "漢字",
        &"x".repeat(300),
    ];
    let uses = users.map(|user| used(user, request("get", "", "pods", "a", "")));
    let found = least(uses, Expand::default());
    let names: BTreeSet<&str> = found.grants.iter().map(|grant| grant.name.as_str()).collect();
    assert_eq!(names.len(), users.len());
    assert!(names.contains("auditq-alice-example-com") && names.contains("auditq-shop.web"), "{names:?}");
    let is_valid = |name: &&str| name.len() < 70 && name.split(['-', '.']).all(is_namespace);
    assert!(names.iter().all(is_valid), "{names:?}");
    for user in users {
        let alone = least([used(user, request("get", "", "pods", "a", ""))], Expand::default());
        assert!(names.contains(alone.grants[0].name.as_str()), "{user}: whoever else is there");
    }
}

#[test]
fn manifests_say_who_where_and_why() {
    let evidence = Evidence {
        requests: 2,
        first: Timestamp::parse(b"2026-03-09T08:00:00Z"),
        last: Timestamp::parse(b"2026-03-09T09:00:00Z"),
        examples: BTreeSet::from([(None, "id-1".to_owned())]),
    };
    let user = "system:serviceaccount:shop:web".to_owned();
    let found = least([Use { user, request: request("get", "", "pods", "shop", ""), evidence }], Expand::default());
    let [role, binding] = found.grants[0].manifests();
    let annotations = &role["metadata"]["annotations"];
    assert_eq!((&role["kind"], &annotations["auditq.io/requests"]), (&json!("Role"), &json!("2")));
    assert_eq!(annotations["auditq.io/example-audit-ids"], json!("id-1"));
    assert_eq!(binding["subjects"], json!([{ "kind": "ServiceAccount", "name": "web", "namespace": "shop" }]));
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
}

/// A small generator: the same numbers in every run.
struct Random(u64);

impl Random {
    fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        words[(self.0 >> 33) as usize % words.len()]
    }
}

const VERBS: [&str; 6] = ["get", "list", "watch", "create", "update", "delete"];
const USERS: [&str; 3] = ["alice", "bob", "system:serviceaccount:a:web"];
const PLACES: [&str; 3] = ["", "a", "b"];
const NAMES: [&str; 3] = ["", "x", "y"];
const THINGS: [(&str, &str); 5] =
    [("", "pods"), ("", "pods/log"), ("", "secrets"), ("apps", "deployments"), ("apps", "pods")];

/// Everything that can be asked for in this small world.
fn all_requests() -> Vec<Request> {
    let mut all: Vec<Request> =
        ["/metrics", "/logs"].iter().flat_map(|path| VERBS.map(|verb| url(verb, path))).collect();
    for (group, resource) in THINGS {
        for verb in VERBS {
            let places = PLACES.iter().flat_map(|place| NAMES.map(|name| (*place, name)));
            all.extend(places.map(|(place, name)| request(verb, group, resource, place, name)));
        }
    }
    all
}

/// Whether what was used allows this, said without rules: by itself, or by the same without a name, or everywhere.
fn is_used(uses: &BTreeSet<(&str, Request)>, user: &str, wanted: &Request) -> bool {
    let mut forms = vec![wanted.clone()];
    forms.extend(wider(wanted));
    forms.into_iter().any(|form| uses.iter().any(|(who, request)| *who == user && *request == form))
}

#[test]
fn generated_rules_allow_exactly_what_was_used() {
    let (all, mut random) = (all_requests(), Random(7));
    for round in 0..300 {
        let mut uses = BTreeSet::new();
        for _ in 0..round % 40 {
            let (group, resource) = THINGS[random.pick(&["0", "1", "2", "3", "4"]).parse::<usize>().unwrap()];
            let one = request(random.pick(&VERBS), group, resource, random.pick(&PLACES), random.pick(&NAMES));
            uses.insert((random.pick(&USERS), if random.pick(&NAMES) == "x" { one } else { url("get", "/logs") }));
        }
        let found = least(uses.iter().map(|(user, request)| used(user, request.clone())), Expand::default());
        let policy = applied(&found.grants);
        for (name, wanted) in USERS.iter().flat_map(|user| all.iter().map(move |wanted| (*user, wanted))) {
            let allowed = policy.allows(&User::new(name, []), wanted);
            assert_eq!(allowed, is_used(&uses, name, wanted), "round {round}: {name} {wanted:?} of {uses:?}");
        }
    }
}

#[test]
fn expansion_only_adds_and_only_verbs_names_and_namespaces_of_what_was_used() {
    let (all, mut random) = (all_requests(), Random(11));
    for _ in 0..100 {
        let mut uses = BTreeSet::new();
        for _ in 0..12 {
            let (group, resource) = THINGS[random.pick(&["0", "1", "2", "3", "4"]).parse::<usize>().unwrap()];
            uses.insert((
                "alice",
                request(random.pick(&VERBS), group, resource, random.pick(&PLACES), random.pick(&NAMES)),
            ));
        }
        let expand = Expand { names: true, namespaces: true, verbs: false };
        let found = least(uses.iter().map(|(user, request)| used(user, request.clone())), expand);
        let (policy, alice) = (applied(&found.grants), User::new("alice", []));
        for wanted in &all {
            let allowed = policy.allows(&alice, wanted);
            let same = |(_, request): &(&str, Request)| {
                let blank = |request: &Request| {
                    let mut blank = Request { namespace: None, ..request.clone() };
                    take_name(&mut blank);
                    blank
                };
                blank(request) == blank(wanted)
            };
            assert!(allowed || !is_used(&uses, "alice", wanted), "lost {wanted:?} of {uses:?}");
            assert!(!allowed || uses.iter().any(same), "invented {wanted:?} of {uses:?}");
        }
    }
}

#[test]
fn a_role_read_back_is_the_role_written() {
    let written = Rule { verbs: list("get"), non_resource_urls: list("/metrics"), ..Rule::default() };
    let grant = Grant {
        user: "\u{202e}\n- x: y".to_owned(),
        namespace: None,
        name: "auditq-x".to_owned(),
        rules: vec![(written.clone(), Evidence::default()), (rule("get", "core", "pods", "a b"), Evidence::default())],
    };
    let policy = applied(&[grant]);
    let reference = RoleReference { namespace: None, name: "auditq-x".to_owned() };
    let Role { rules, .. } = &policy.roles[&reference];
    assert_eq!(rules[0], written);
    let Binding { subjects, .. } = &policy.bindings[0];
    assert_eq!(subjects, &[Subject::User("\u{202e}\n- x: y".to_owned())]);
}
