//! Refusals in every form.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::document::time;
use super::human::counted;
use super::table::{Cell, Column, Kind, Table};
use crate::aggregate::access::Refusal;
use crate::aggregate::denied::{Cause, Ranked, word};
use crate::rbac::least::Grant;
use crate::rbac::{Request, Target, qualified};

/// The causes of refusals.
pub struct DeniedAnswer {
    /// The causes, those of most requests first.
    pub causes: Vec<Cause>,
    /// Whether rules name objects.
    pub names: bool,
}

/// So many values of each kind are in the document.
const LISTED: usize = 10;

impl Answer for DeniedAnswer {
    const KIND: &'static str = "Denied";

    fn table(&self, wide: bool) -> Table {
        let mut columns = vec![
            Column::number("count"),
            Column { right: true, ..Column::text("per-minute") },
            Column::text("user"),
            Column::text("verb"),
            Column::text("what"),
            Column::text("namespace"),
            Column::text("name"),
            Column::text("code"),
            Column::text("cause"),
            Column::new("first", Kind::Time),
            Column::new("last", Kind::Time),
            Column::text("source"),
            Column::text("agent"),
        ];
        if wide {
            columns.extend([Column::text("rule"), Column::text("audit-id")]);
        }
        let mut table = Table::new(columns);
        table.rows = self.causes.iter().map(|cause| self.row(cause, wide)).collect();
        table
    }

    fn members(&self) -> Map<String, Value> {
        let requests: u64 = self.causes.iter().map(|cause| cause.evidence.requests).sum();
        let causes: Vec<Value> = self.causes.iter().map(|cause| self.value(cause)).collect();
        Map::from_iter([("requests".to_owned(), json!(requests)), ("causes".to_owned(), Value::Array(causes))])
    }
}

impl DeniedAnswer {
    fn row(&self, cause: &Cause, wide: bool) -> Vec<Cell> {
        let request = cause.request.as_ref();
        let text = |text: Option<&str>| text.map_or(Cell::Missing, |text| Cell::Text(text.to_owned()));
        let agent = match wide {
            true => most(&cause.agents, str::to_owned),
            false => most(&cause.agents, |agent| agent.split(' ').next().unwrap_or_default().to_owned()),
        };
        let mut row = vec![
            Cell::Number(cause.evidence.requests),
            cause.per_minute().map_or(Cell::Missing, |rate| Cell::Text(rate_text(rate))),
            who(cause),
            text(request.map(|request| request.verb.as_str())),
            request.map_or(Cell::Missing, |request| Cell::Text(asked(request, cause.other_requests))),
            text(request.and_then(|request| request.namespace.as_deref())),
            most(&cause.names, str::to_owned),
            Cell::Text(cause.code.to_string()),
            Cell::Text(why(cause)),
            cause.evidence.first.map_or(Cell::Missing, Cell::Time),
            cause.evidence.last.map_or(Cell::Missing, Cell::Time),
            most(&cause.sources, str::to_owned),
            agent,
        ];
        if wide {
            let rule = cause.fix(self.names).map(|grant| rule_line(&grant));
            row.extend([text(rule.as_deref()), text(cause.evidence.audit_ids().next())]);
        }
        row
    }

    fn value(&self, cause: &Cause) -> Value {
        let (request, evidence) = (cause.request.as_ref(), &cause.evidence);
        let (group, resource, path) = match request.map(|request| &request.target) {
            Some(Target::Resource { group, resource, .. }) => (Some(group), Some(resource), None),
            Some(Target::Url(path)) => (None, None, Some(path)),
            None => (None, None, None),
        };
        let (resource, subresource) = match resource.and_then(|resource| resource.split_once('/')) {
            Some((resource, subresource)) => (Some(resource), Some(subresource)),
            None => (resource.map(String::as_str), None),
        };
        json!({
            "requests": evidence.requests,
            "perMinute": cause.per_minute().map(|rate| rate as f64 / 1000.0),
            "user": cause.user,
            "impersonatedUser": cause.impersonated,
            "verb": request.map(|request| &request.verb),
            "apiGroup": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": request.and_then(|request| request.namespace.as_ref()),
            "path": path,
            "otherRequests": cause.other_requests,
            "names": listed(&cause.names),
            "code": cause.code,
            "refusedBy": word(cause.refusal),
            "reason": (!cause.reason.is_empty()).then_some(&cause.reason),
            "first": time(evidence.first),
            "last": time(evidence.last),
            "sourceIPs": listed(&cause.sources),
            "userAgents": listed(&cause.agents),
            "exampleAuditID": evidence.audit_ids().next(),
            "rules": cause.fix(self.names).map_or_else(Vec::new, |grant| grant.manifests().to_vec()),
        })
    }
}

/// Who it was, and as whom.
fn who(cause: &Cause) -> Cell {
    match (&cause.user, &cause.impersonated) {
        (Some(user), Some(other)) => Cell::Text(format!("{user} as {other}")),
        (user, _) => user.as_ref().map_or(Cell::Missing, |user| Cell::Text(user.clone())),
    }
}

/// What was asked for: the resource or the path.
fn what(request: &Request) -> String {
    match &request.target {
        Target::Resource { group, resource, .. } => qualified(resource, group),
        Target::Url(path) => path.clone(),
    }
}

/// The same, and how much else was asked for.
fn asked(request: &Request, others: usize) -> String {
    let what = what(request);
    if others == 0 { what } else { format!("{what} +{others}") }
}

/// Who refused it, and on what ground where that is known.
fn why(cause: &Cause) -> String {
    match cause.refusal {
        Refusal::Admission => cause.reason.clone(),
        Refusal::Authentication if !cause.reason.is_empty() => format!("authentication: {}", cause.reason),
        refusal => word(refusal).to_owned(),
    }
}

/// The most frequent value, and how many others there are.
fn most(ranked: &Ranked, shown: impl Fn(&str) -> String) -> Cell {
    let Some((first, _)) = ranked.first() else { return Cell::Missing };
    let first = first.as_deref().map_or_else(|| "<none>".to_owned(), shown);
    match ranked.len() - 1 {
        0 => Cell::Text(first),
        others => Cell::Text(format!("{first} +{others}")),
    }
}

fn listed(ranked: &Ranked) -> Value {
    let most: Vec<Value> =
        ranked.iter().take(LISTED).map(|(value, count)| json!({ "value": value, "requests": count })).collect();
    json!({ "distinct": ranked.len(), "most": most })
}

/// `12.3`: thousandths with one decimal, small rates with as many as they need.
fn rate_text(thousandths: u64) -> String {
    match thousandths {
        0..100 => format!("0.{thousandths:03}"),
        _ => format!("{}.{}", thousandths / 1000, thousandths % 1000 / 100),
    }
}

/// A role in a few words: where it holds and what it allows.
fn rule_line(grant: &Grant) -> String {
    let scope = match &grant.namespace {
        Some(namespace) => format!("Role in {namespace}"),
        None => "ClusterRole".to_owned(),
    };
    let rules: Vec<String> = grant.rules.iter().map(|(rule, _)| rule.to_string()).collect();
    format!("{scope}: {}", rules.join("; "))
}

/// What the answer does not show by itself.
pub fn notes(answer: &DeniedAnswer, hidden: usize, rules: bool) -> String {
    let mut notes = String::new();
    let mut note = |text: &str| notes.push_str(&format!("auditq: note: {text}\n"));
    if hidden > 0 {
        let more = counted(hidden as u64, "more cause");
        note(&format!("{more}; --top {} shows all", hidden + answer.causes.len()));
    }
    if answer.causes.is_empty() {
        note("no request that matches was refused (code 401 or 403)");
        return notes;
    }
    let helpless: u64 =
        answer.causes.iter().filter(|cause| cause.fix(false).is_none()).map(|cause| cause.evidence.requests).sum();
    if rules && helpless > 0 {
        let refused = counted(helpless, "request");
        note(&format!(
            "no rule is given for {refused}: not authenticated, refused by admission, or only a wildcard would help"
        ));
    }
    notes
}
