//! Rights that are granted and not used.
//!
//! A rule is a product: each of its verbs on each of its resources, by name where it has names. What is used
//! is told cell by cell. A cell with a wildcard that is used at all is used as something: that is told too.

use std::collections::{BTreeMap, BTreeSet};

use super::{ALL, Binding, Policy, Request, Rule, Subject, Target, User, qualified};

/// What of one rule, for one subject of one binding, was not used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unused<'p> {
    /// The binding.
    pub binding: &'p Binding,
    /// One of its subjects.
    pub subject: &'p Subject,
    /// The rule.
    pub rule: &'p Rule,
    /// Requests that used the rule, counted by what was asked.
    pub used: usize,
    /// The parts never used, as rules; all of it if nothing was.
    pub never: Vec<Rule>,
    /// What wildcards were used as.
    pub only: Vec<Rule>,
}

/// What was not used of what a policy grants, in its order. `uses` are what users were allowed.
pub fn unused<'p>(policy: &'p Policy, uses: &[(&User, &Request)]) -> Vec<Unused<'p>> {
    let mut found = Vec::new();
    for binding in &policy.bindings {
        let of_binding: Vec<_> =
            uses.iter().filter(|(_, request)| binding.holds_in(request.namespace.as_deref())).collect();
        for subject in &binding.subjects {
            let theirs: BTreeSet<&Request> = of_binding
                .iter()
                .filter(|(user, _)| subject.is(user, binding.namespace.as_deref()))
                .map(|(_, request)| *request)
                .collect();
            let parts = policy.rules(&binding.role).filter_map(|rule| of_rule(binding, subject, rule, &theirs));
            found.extend(parts);
        }
    }
    found
}

fn of_rule<'p>(
    binding: &'p Binding,
    subject: &'p Subject,
    rule: &'p Rule,
    uses: &BTreeSet<&Request>,
) -> Option<Unused<'p>> {
    let used: Vec<&Request> = uses.iter().copied().filter(|request| rule.allows(request)).collect();
    // A RoleBinding grants no paths.
    let cells = cells(rule).filter(|cell| binding.namespace.is_none() || cell.non_resource_urls.is_empty());
    let (mut never, mut wild) = (Vec::new(), BTreeSet::new());
    for cell in cells {
        let mut of_cell = used.iter().filter(|request| cell.allows(request)).peekable();
        if of_cell.peek().is_none() {
            never.push(cell);
        } else if has_wildcard(&cell) {
            wild.extend(of_cell.map(|request| as_rule(request)));
        }
    }
    if never.is_empty() && wild.is_empty() {
        return None;
    }
    let never = if used.is_empty() { vec![rule.clone()] } else { put_together(never) };
    Some(Unused { binding, subject, rule, used: used.len(), never, only: put_together(wild) })
}

/// The rule for each verb, resource, name or path by itself.
fn cells(rule: &Rule) -> impl Iterator<Item = Rule> + '_ {
    let one = |word: &String| vec![word.clone()];
    let urls = rule.non_resource_urls.iter().map(move |url| Rule { non_resource_urls: one(url), ..Rule::default() });
    let objects = rule.api_groups.iter().flat_map(move |group| {
        rule.resources.iter().map(move |resource| Rule {
            api_groups: one(group),
            resources: one(resource),
            ..Rule::default()
        })
    });
    let names: Vec<Vec<String>> = match rule.resource_names.as_slice() {
        [] => vec![Vec::new()],
        names => names.iter().map(one).collect(),
    };
    let objects = objects.flat_map(move |cell| {
        let named = names.clone().into_iter().map(move |resource_names| Rule { resource_names, ..cell.clone() });
        named.collect::<Vec<_>>()
    });
    urls.chain(objects)
        .flat_map(move |cell| rule.verbs.iter().map(move |verb| Rule { verbs: one(verb), ..cell.clone() }))
}

fn has_wildcard(cell: &Rule) -> bool {
    let words = [&cell.verbs, &cell.api_groups, &cell.resources].into_iter().flatten();
    words.into_iter().any(|word| word == ALL || word.starts_with("*/"))
        || cell.non_resource_urls.iter().any(|url| url.ends_with('*'))
}

/// What was asked, as a rule; names would tell no more about a wildcard.
fn as_rule(request: &Request) -> Rule {
    let verbs = vec![request.verb.clone()];
    match &request.target {
        Target::Resource { group, resource, .. } => {
            Rule { api_groups: vec![group.clone()], resources: vec![resource.clone()], verbs, ..Rule::default() }
        }
        Target::Url(path) => Rule { non_resource_urls: vec![path.clone()], verbs, ..Rule::default() },
    }
}

/// Cells with the same verbs, names and group in one rule.
fn put_together(cells: impl IntoIterator<Item = Rule>) -> Vec<Rule> {
    type Things = (Vec<String>, Vec<String>, Vec<String>, Vec<String>);
    let mut verbs = BTreeMap::<Things, BTreeSet<String>>::new();
    for cell in cells {
        let thing = (cell.api_groups, cell.resources, cell.non_resource_urls, cell.resource_names);
        verbs.entry(thing).or_default().extend(cell.verbs);
    }
    let mut things = BTreeMap::<(Vec<String>, bool, Vec<String>, BTreeSet<String>), BTreeSet<String>>::new();
    for ((groups, resources, urls, names), verbs) in verbs {
        let is_url = !urls.is_empty();
        things.entry((groups, is_url, names, verbs)).or_default().extend(resources.into_iter().chain(urls));
    }
    let rules = things.into_iter().map(|((api_groups, is_url, resource_names, verbs), words)| {
        let words: Vec<String> = words.into_iter().collect();
        let (resources, non_resource_urls) = if is_url { (Vec::new(), words) } else { (words, Vec::new()) };
        Rule { api_groups, resources, resource_names, non_resource_urls, verbs: verbs.into_iter().collect() }
    });
    rules.collect()
}

/// `pods,services.apps (web)`: what a rule is about, without its verbs.
pub fn things(rule: &Rule) -> String {
    let resources =
        rule.resources.iter().flat_map(|resource| rule.api_groups.iter().map(move |group| qualified(resource, group)));
    resources.chain(rule.non_resource_urls.iter().cloned()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{list, request, rule, url};
    use super::super::{Role, RoleReference};
    use super::*;

    fn found(rules: Vec<Rule>, namespace: Option<&str>, uses: &[Request]) -> Vec<String> {
        let role = RoleReference { namespace: None, name: "r".to_owned() };
        let mut policy = Policy::default();
        policy.roles.insert(role.clone(), Role { rules, ..Role::default() });
        let subjects = vec![Subject::Group("dev".to_owned())];
        policy.bindings.push(Binding { namespace: namespace.map(str::to_owned), name: "b".to_owned(), role, subjects });
        let alice = User::new("alice", ["dev".to_owned()]);
        let uses: Vec<_> = uses.iter().map(|request| (&alice, request)).collect();
        let line = |rules: &[Rule]| rules.iter().map(Rule::to_string).collect::<Vec<_>>().join("; ");
        unused(&policy, &uses)
            .iter()
            .map(|one| format!("never {} / only {}", line(&one.never), line(&one.only)))
            .collect()
    }

    #[test]
    fn cells_that_were_not_used_are_told() {
        let rules = || vec![rule("get,list", "core", "pods,services", "")];
        let uses = [request("get", "", "pods", "a", "x"), request("list", "", "pods", "a", "")];
        assert_eq!(found(rules(), None, &uses), ["never get,list services / only "]);
        assert_eq!(found(rules(), Some("b"), &uses), ["never get,list pods,services / only "], "another namespace");
        let named = vec![rule("get", "core", "secrets", "one,two")];
        assert_eq!(
            found(named, None, &[request("get", "", "secrets", "a", "one")]),
            ["never get secrets (two) / only "]
        );
        assert_eq!(found(vec![rule("get", "core", "pods", "")], None, &uses), [""; 0]);
    }

    #[test]
    fn wildcards_were_used_as_something() {
        let uses = [request("get", "", "pods", "a", "x"), request("list", "apps", "deployments", "a", "")];
        let all = vec![rule("*", "*", "*", "")];
        assert_eq!(found(all, None, &uses), ["never  / only get pods; list deployments.apps"]);
        let paths = Rule { verbs: list("get"), non_resource_urls: list("/logs/*,/metrics"), ..Rule::default() };
        let read = [url("get", "/logs/a")];
        assert_eq!(found(vec![paths.clone()], None, &read), ["never get /metrics / only get /logs/a"]);
        assert_eq!(found(vec![paths], Some("a"), &read), [""; 0], "a RoleBinding grants no paths");
    }
}
