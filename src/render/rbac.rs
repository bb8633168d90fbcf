//! Roles and bindings for people and programs: manifests, and what is used, missing, in vain or changed.

mod yaml;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::document::time;
use super::human::{TimeZoneChoice, counted, number, time_seconds};
use super::sanitize::text_for_terminal;
use super::table::{Cell, Column, Kind, Table};
use crate::aggregate::evidence::Account;
use crate::aggregate::rbac_changes::{Change, Grants};
use crate::event::Timestamp;
use crate::rbac::least::{Evidence, Grant, rule_value};
use crate::rbac::unused::{Unused, things};
use crate::rbac::{ALL, Policy, Rule, Subject, qualified};

/// Writes manifests as YAML documents. Whatever the log had for a name is quoted where it must be.
pub fn manifests(documents: impl IntoIterator<Item = Value>, out: &mut Vec<u8>) {
    for document in documents {
        out.extend_from_slice(b"---\n");
        yaml::write(&document, out);
    }
}

/// What generated roles do not count, in requests.
#[derive(Clone, Debug, Default)]
pub struct LeftOut {
    /// Of users of whom the authorizer is not asked, by who they are.
    pub above: BTreeMap<&'static str, u64>,
    /// What everybody may do.
    pub default: u64,
    /// What was refused.
    pub denied: u64,
    /// What only a rule with a wildcard would allow.
    pub cannot: u64,
}

impl LeftOut {
    /// Told in notes; `nothing` is what to say where no role was left.
    pub fn notes(&self, nothing: Option<&str>) -> String {
        let mut notes = String::new();
        let mut note = |text: &str| notes.push_str(&format!("auditq: note: {text}\n"));
        for (who, &requests) in &self.above {
            let requests = counted(requests, "request");
            note(&format!("{requests} of {who} left out: they need no role; --user counts them"));
        }
        let sums = [
            (self.default, "allowed to everybody (system:discovery, system:basic-user); --include-default counts them"),
            (self.denied, "refused; --include-denied counts them"),
            (self.cannot, "no rule without a wildcard, in a namespace that can exist, fits"),
        ];
        for (requests, why) in sums.iter().filter(|(requests, _)| *requests > 0) {
            note(&format!("{} left out: {why}", counted(*requests, "request")));
        }
        if let Some(nothing) = nothing {
            note(nothing);
        }
        notes
    }
}

/// What is to be said about given manifests.
pub fn about_roles(policy: &Policy, others: usize) -> String {
    let mut notes = String::new();
    let mut note = |text: &str| notes.push_str(&format!("auditq: note: {}\n", text_for_terminal(text)));
    if others > 0 {
        note(&format!("--roles: {} of other kinds passed over", counted(others as u64, "object")));
    }
    if policy.bindings.is_empty() {
        note("--roles: no RoleBinding or ClusterRoleBinding, so nobody is granted anything");
    }
    let unknown: Vec<String> =
        policy.unknown_roles().iter().map(|role| format!("{} {}", role.kind(), role.name)).collect();
    if !unknown.is_empty() {
        note(&format!("--roles: bound but not given, so taken as empty: {}", unknown.join(", ")));
    }
    notes
}

/// Generated rules.
pub struct Rules {
    /// The roles they stand in.
    pub grants: Vec<Grant>,
}

impl Answer for Rules {
    const KIND: &'static str = "RbacRules";

    fn table(&self, wide: bool) -> Table {
        let mut columns =
            ["subject", "namespace", "api-group", "resources", "names", "verbs"].map(Column::text).to_vec();
        columns.push(Column::number("requests"));
        columns.extend([Column::new("first", Kind::Time), Column::new("last", Kind::Time)]);
        if wide {
            columns.extend([Column::text("role"), Column::text("audit-ids")]);
        }
        let mut table = Table::new(columns);
        for grant in &self.grants {
            table.rows.extend(grant.rules.iter().map(|(rule, evidence)| rule_row(grant, rule, evidence, wide)));
        }
        table
    }

    fn members(&self) -> Map<String, Value> {
        let manifests: Vec<Value> = self.grants.iter().flat_map(Grant::manifests).collect();
        Map::from_iter([("manifests".to_owned(), Value::Array(manifests))])
    }
}

fn rule_row(grant: &Grant, rule: &Rule, evidence: &Evidence, wide: bool) -> Vec<Cell> {
    let moment = |time: Option<Timestamp>| time.map_or(Cell::Missing, Cell::Time);
    let things = if rule.resources.is_empty() { &rule.non_resource_urls } else { &rule.resources };
    let mut row = vec![
        Cell::Text(Subject::of_user(&grant.user).to_string()),
        grant.namespace.as_ref().map_or(Cell::Missing, |namespace| Cell::Text(namespace.clone())),
        Cell::Text(rule.api_groups.join(",")),
        Cell::Text(things.join(",")),
        Cell::Text(rule.resource_names.join(",")),
        Cell::Text(rule.verbs.join(",")),
        Cell::Number(evidence.requests),
        moment(evidence.first),
        moment(evidence.last),
    ];
    if wide {
        row.push(Cell::Text(grant.name.clone()));
        row.push(Cell::Text(evidence.audit_ids().collect::<Vec<_>>().join(",")));
    }
    row
}

/// Rights that are granted and were not used.
pub struct UnusedRights<'p> {
    /// By binding, subject and rule.
    pub rights: Vec<Unused<'p>>,
}

impl Answer for UnusedRights<'_> {
    const KIND: &'static str = "RbacUnused";

    fn table(&self, _: bool) -> Table {
        let columns = ["subject", "binding", "role", "never-used", "wildcards-used-as"].map(Column::text);
        let mut table = Table::new(columns.to_vec());
        let lines = |rules: &[Rule]| Cell::Text(rules.iter().map(Rule::to_string).collect::<Vec<_>>().join("; "));
        for right in &self.rights {
            let (binding, role) = (right.binding, &right.binding.role);
            let only = match right.only.is_empty() {
                true => Cell::Missing,
                false => Cell::Text(wildcards(right)),
            };
            table.rows.push(vec![
                Cell::Text(right.subject.in_namespace(binding.namespace.as_deref()).to_string()),
                Cell::Text(placed(binding.kind(), binding.namespace.as_deref(), &binding.name)),
                Cell::Text(placed(role.kind(), role.namespace.as_deref(), &role.name)),
                lines(&right.never),
                only,
            ]);
        }
        table
    }

    fn members(&self) -> Map<String, Value> {
        let rules = |rules: &[Rule]| Value::Array(rules.iter().map(rule_value).collect());
        let right = |right: &Unused<'_>| {
            let (binding, role) = (right.binding, &right.binding.role);
            json!({
                "subject": subject_value(right.subject, binding.namespace.as_deref()),
                "binding": { "kind": binding.kind(), "namespace": binding.namespace, "name": binding.name },
                "role": { "kind": role.kind(), "namespace": role.namespace, "name": role.name },
                "rule": rule_value(right.rule),
                "used": right.used > 0,
                "neverUsed": rules(&right.never),
                "wildcardsUsedAs": rules(&right.only),
            })
        };
        Map::from_iter([("rights".to_owned(), Value::Array(self.rights.iter().map(right).collect()))])
    }
}

/// `Role shop/web`.
fn placed(kind: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

/// `* pods: get,list`: a rule with a wildcard, and what it was used for.
fn wildcards(right: &Unused<'_>) -> String {
    let verbs_alone = right.rule.verbs.iter().any(|verb| verb == ALL);
    let head = if verbs_alone { right.rule.verbs.join(",") } else { things(right.rule) };
    let used: Vec<String> = right.only.iter().map(Rule::to_string).collect();
    format!("{head} used only as {}", used.join("; "))
}

fn subject_value(subject: &Subject, binding_namespace: Option<&str>) -> Value {
    match subject.in_namespace(binding_namespace) {
        Subject::User(name) => json!({ "kind": "User", "namespace": null, "name": name }),
        Subject::Group(name) => json!({ "kind": "Group", "namespace": null, "name": name }),
        Subject::ServiceAccount { namespace, name } => {
            json!({ "kind": "ServiceAccount", "namespace": namespace, "name": name })
        }
    }
}

/// What must be said where rights are called unused.
pub fn unused_notes(answer: &UnusedRights<'_>, policy: &Policy, account: &Account, zone: TimeZoneChoice) -> String {
    let first = account.sources.iter().filter_map(|source| source.evidence.first).min();
    let last = account.sources.iter().filter_map(|source| source.evidence.last).max();
    let mut notes = String::new();
    if answer.rights.is_empty() && !policy.bindings.is_empty() {
        notes += "auditq: note: every right that these roles grant was used\n";
    }
    if let (Some(first), Some(last)) = (first, last) {
        let (first, last) = (time_seconds(first, zone), time_seconds(last, zone));
        notes += &format!(
            "auditq: note: unused in this log, from {first} to {last}: what is done more rarely, or is left out by the \
             audit policy or a filter, looks unused\n"
        );
    }
    notes
}

/// Changes of roles and bindings.
pub struct Changes {
    /// In order of time.
    pub changes: Vec<Change>,
}

impl Answer for Changes {
    const KIND: &'static str = "RbacChanges";

    fn table(&self, wide: bool) -> Table {
        let mut columns = vec![Column::new("time", Kind::Time)];
        columns.extend(["user", "verb", "resource", "namespace", "name", "code", "grants"].map(Column::text));
        if wide {
            columns.extend([Column::text("agent"), Column::text("audit-id")]);
        }
        let mut table = Table::new(columns);
        table.rows = self.changes.iter().map(|change| change_row(change, wide)).collect();
        table
    }

    fn members(&self) -> Map<String, Value> {
        Map::from_iter([("changes".to_owned(), Value::Array(self.changes.iter().map(change_value).collect()))])
    }
}

impl Changes {
    /// What the answer does not show by itself.
    pub fn notes(&self) -> String {
        if self.changes.is_empty() {
            return "auditq: note: no request that matches changes a role or binding\n".to_owned();
        }
        // What a deletion takes away stood in the object before.
        let silent = |change: &&Change| change.grants.is_none() && !change.verb.starts_with("delete");
        match self.changes.iter().filter(silent).count() as u64 {
            0 => String::new(),
            silent => format!(
                "auditq: note: of {} of {} the log has no body, so not what they grant\n",
                number(silent),
                counted(self.changes.len() as u64, "change")
            ),
        }
    }
}

fn change_row(change: &Change, wide: bool) -> Vec<Cell> {
    let text = |text: &Option<String>| text.as_ref().map_or(Cell::Missing, |text| Cell::Text(text.clone()));
    let user = match (&change.user, &change.impersonated) {
        (Some(user), Some(other)) => Cell::Text(format!("{user} as {other}")),
        (user, _) => text(user),
    };
    let mut row = vec![
        change.time.map_or(Cell::Missing, Cell::Time),
        user,
        Cell::Text(change.verb.clone()),
        Cell::Text(match change.group.as_str() {
            crate::rbac::GROUP => change.resource.clone(),
            other => qualified(&change.resource, other),
        }),
        text(&change.namespace),
        text(&change.name),
        change.code.map_or(Cell::Missing, |code| Cell::Text(code.to_string())),
        match &change.grants {
            None => Cell::Missing,
            Some(Grants::Rules(rules)) => Cell::Text(rules.join("; ")),
            Some(Grants::Binding(role, subjects)) => Cell::Text(format!("{role} to {}", subjects.join(", "))),
        },
    ];
    if wide {
        row.extend([text(&change.agent), text(&change.audit_id)]);
    }
    row
}

fn change_value(change: &Change) -> Value {
    let (rules, role, subjects) = match &change.grants {
        None => (None, None, None),
        Some(Grants::Rules(rules)) => (Some(rules), None, None),
        Some(Grants::Binding(role, subjects)) => (None, Some(role), Some(subjects)),
    };
    json!({
        "time": time(change.time),
        "user": change.user,
        "impersonatedUser": change.impersonated,
        "verb": change.verb,
        "apiGroup": change.group,
        "resource": change.resource,
        "namespace": change.namespace,
        "name": change.name,
        "code": change.code,
        "rules": rules,
        "role": role,
        "subjects": subjects,
        "userAgent": change.agent,
        "auditID": change.audit_id,
    })
}
