//! Refused requests, grouped by cause.
//!
//! A cause is who was refused what, and by whom: what one rule, or one fixed client, would put right. Objects'
//! names are counted and not told apart, since rights are rarely given by name. Failed authentication has no
//! user, so there the cause is where it came from. Agents, addresses and names are part of the groups until
//! all is known, so that a request taken back takes its own with it. What was asked without credentials is counted, and not
//! told apart.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::access::{FIELDS, Fields, Outcome, Refusal, Tallies, admission, asked_in_message, fields, outcome};
use super::{Amendment, Measured, Question, Seen, Slot};
use crate::event::{Event, Text};
use crate::query::Filter;
use crate::rbac::least::{Evidence, Expand, Grant, Use, least, short_hash, slug};
use crate::rbac::{Request, Target};

/// The question: what was refused, and why.
pub struct Denied {
    /// Which requests count.
    pub filter: Filter,
}

/// A partial answer to [`Denied`].
#[derive(Clone, Default)]
pub struct DeniedPartial {
    tallies: Tallies,
    text: String,
}

/// What stands behind the fields of a request: why, the code, the agent, the address, the path.
const EXTRA: usize = 5;

/// Where the name is among the fields of a request.
const NAME: usize = 11;

impl Question for Denied {
    type Partial = DeniedPartial;

    const IN_ORDER: bool = false;

    const COUNTS: bool = true;

    fn empty(&self) -> DeniedPartial {
        DeniedPartial::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut DeniedPartial, seen: &Seen<'_, '_>) -> Slot {
        let event = seen.event;
        // The authorizer's word alone is no refusal: the code is what the client got.
        if !matches!(event.code(), Some(401 | 403)) || !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        let Outcome::Refused(refusal) = outcome(event) else { return Slot::NONE };
        let (why, code) = reason(event, refusal);
        partial.text.clear();
        partial.text.push_str(&why);
        let mut values = [None; FIELDS + EXTRA];
        match refusal {
            Refusal::Authentication => {
                values[..FIELDS].copy_from_slice(&fields(event));
                // As whom is claimed by nobody known, and names are as many as one cares to try.
                (values[2], values[4], values[5], values[NAME]) = (None, None, None, None);
            }
            Refusal::Impersonation => values[..2].copy_from_slice(&fields(event)[..2]),
            _ => values[..FIELDS].copy_from_slice(&fields(event)),
        }
        // Groups do not change what would help.
        (values[1], values[3]) = (None, None);
        values[FIELDS] = Some(Text::from(word(refusal)));
        values[FIELDS + 1] = Some(Text::plain(partial.text.as_bytes()));
        values[FIELDS + 2] = Some(Text::from(code));
        values[FIELDS + 3] = event.user_agent;
        values[FIELDS + 4] = event.client_ip();
        partial.tallies.note(&values, event)
    }

    fn amend(&self, _: &mut DeniedPartial, _: Slot, _: Amendment) {}

    fn count(&self, partial: &mut DeniedPartial, requests: &[Measured]) {
        partial.tallies.count(requests);
    }

    fn retract(&self, partial: &mut DeniedPartial, slot: Slot) {
        partial.tallies.retract(slot);
    }

    fn merge(&self, into: &mut DeniedPartial, from: DeniedPartial) {
        into.tallies.merge(from.tallies);
    }
}

const WORDS: [(&str, Refusal); 4] = [
    ("authentication", Refusal::Authentication),
    ("impersonation", Refusal::Impersonation),
    ("authorization", Refusal::Authorization),
    ("admission", Refusal::Admission),
];

/// The name of a refusal in answers.
pub fn word(refusal: Refusal) -> &'static str {
    WORDS.iter().find(|(_, known)| *known == refusal).map_or("", |(word, _)| word)
}

/// Why, as far as it tells causes apart, and the code.
fn reason(event: &Event<'_>, refusal: Refusal) -> (String, &'static str) {
    let message = event.response_status.and_then(|status| status.message);
    let message = message.map(|text| text.to_str_lossy().into_owned()).unwrap_or_default();
    let said = || event.annotation(b"authorization.k8s.io/reason").map(|text| text.to_str_lossy().into_owned());
    match refusal {
        Refusal::Authentication => (message, "401"),
        Refusal::Impersonation => (message, "403"),
        Refusal::Authorization => (said().unwrap_or_default(), "403"),
        Refusal::Admission => (admission(&message), "403"),
    }
}

/// Values with how often each came, the most frequent first.
pub type Ranked = Vec<(Option<String>, u64)>;

/// Requests that were refused for one cause.
#[derive(Clone, Debug)]
pub struct Cause {
    /// Who sent them; none after failed authentication.
    pub user: Option<String>,
    /// As whom.
    pub impersonated: Option<String>,
    /// What was asked for, without names; after failed authentication what was asked for most.
    pub request: Option<Request>,
    /// How many other things were asked for, which only failed authentication does not tell apart.
    pub other_requests: usize,
    /// Names of objects, those of requests without one left out.
    pub names: Ranked,
    /// The status code.
    pub code: u16,
    /// Who refused.
    pub refusal: Refusal,
    /// What the server said about it.
    pub reason: String,
    /// How often, when.
    pub evidence: Evidence,
    /// User agents.
    pub agents: Ranked,
    /// Source addresses.
    pub sources: Ranked,
}

/// What tells causes apart.
type Key = (Option<String>, Option<String>, Option<Request>, String, String, Option<(Option<String>, Option<String>)>);

#[derive(Default)]
struct Sum {
    evidence: Evidence,
    asked: BTreeMap<Request, u64>,
    names: BTreeMap<Option<String>, u64>,
    agents: BTreeMap<Option<String>, u64>,
    sources: BTreeMap<Option<String>, u64>,
}

impl DeniedPartial {
    /// The causes, those of most requests first.
    pub fn finish(self) -> Vec<Cause> {
        let mut causes = BTreeMap::<Key, Sum>::new();
        for (values, tally) in self.tallies.groups.into_groups().filter(|(_, tally)| tally.count > 0) {
            let (fields, count) = (Fields::new(values), tally.count);
            let own = |at| fields.extra(at).map(str::to_owned);
            let (key, name) = key_of(&fields);
            let knocked = key.2.is_none().then(|| fields.request());
            let sum = causes.entry(key).or_default();
            if let Some(request) = knocked.filter(|_| fields.extra(0) == Some("authentication")) {
                *sum.asked.entry(request).or_default() += count;
            }
            sum.evidence.join(tally.evidence());
            *sum.names.entry(name).or_default() += count;
            *sum.agents.entry(own(3)).or_default() += count;
            *sum.sources.entry(own(4)).or_default() += count;
        }
        let mut causes: Vec<Cause> = causes.into_iter().map(|(key, sum)| cause(key, sum)).collect();
        causes.sort_by_key(|cause| Reverse(cause.evidence.requests));
        causes
    }
}

/// Which cause a group belongs to, and the name it is about.
fn key_of(fields: &Fields) -> (Key, Option<String>) {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let (word, why) = (text(fields.extra(0)).unwrap_or_default(), text(fields.extra(1)).unwrap_or_default());
    let (user, other) = (text(fields.user()), text(fields.impersonated()));
    match word.as_str() {
        "authentication" => {
            let from = Some((text(fields.extra(4)), text(fields.extra(3))));
            ((user, None, None, word, why, from), None)
        }
        "impersonation" => {
            let asked = asked_in_message(&why);
            let whom = asked.as_ref().and_then(whom);
            ((user, whom, asked, word, why, None), None)
        }
        _ => {
            let mut request = fields.request();
            let name = name_of(&request);
            if let Target::Resource { name, .. } = &mut request.target {
                *name = None;
            }
            ((user, other, Some(request), word, why, None), name)
        }
    }
}

/// As whom somebody wanted to act.
fn whom(asked: &Request) -> Option<String> {
    let Target::Resource { resource, name: Some(name), .. } = &asked.target else { return None };
    Some(match (resource.as_str(), &asked.namespace) {
        ("serviceaccounts", Some(namespace)) => format!("system:serviceaccount:{namespace}:{name}"),
        ("users", _) => name.clone(),
        (other, _) => format!("{other} {name}"),
    })
}

fn name_of(request: &Request) -> Option<String> {
    match &request.target {
        Target::Resource { name, .. } => name.clone(),
        Target::Url(_) => None,
    }
}

fn cause((user, impersonated, request, word, reason, _): Key, sum: Sum) -> Cause {
    let mut asked: Vec<(Request, u64)> = sum.asked.into_iter().collect();
    asked.sort_by_key(|(_, count)| Reverse(*count));
    let other_requests = asked.len().saturating_sub(1);
    let request = request.or_else(|| asked.into_iter().next().map(|(request, _)| request));
    let refusal = WORDS.iter().find(|(known, _)| *known == word).map_or(Refusal::Admission, |&(_, refusal)| refusal);
    let mut names = sum.names;
    names.remove(&None);
    Cause {
        user,
        impersonated,
        request,
        other_requests,
        names: ranked(names),
        code: if refusal == Refusal::Authentication { 401 } else { 403 },
        refusal,
        reason,
        evidence: sum.evidence,
        agents: ranked(sum.agents),
        sources: ranked(sum.sources),
    }
}

fn ranked(counts: BTreeMap<Option<String>, u64>) -> Ranked {
    let mut ranked: Ranked = counts.into_iter().collect();
    ranked.sort_by_key(|(_, count)| Reverse(*count));
    ranked
}

impl Cause {
    /// Requests per minute, in thousandths, over the time from the first to the last; none for one request.
    pub fn per_minute(&self) -> Option<u64> {
        let span = self.evidence.last?.0.checked_sub(self.evidence.first?.0).filter(|&span| span > 0)?;
        let intervals = u128::from(self.evidence.requests.checked_sub(1)?);
        let rate = intervals * 60_000 * 1_000_000_000 / u128::try_from(span).ok()?;
        u64::try_from(rate).ok().filter(|&rate| rate > 0)
    }

    /// Whose right is missing.
    pub fn subject(&self) -> Option<&str> {
        let other = self.impersonated.as_deref().filter(|_| self.refusal != Refusal::Impersonation);
        other.or(self.user.as_deref())
    }

    /// The smallest role and binding that would have allowed exactly this; none where no rule would have helped.
    /// With `names`, only the objects that were asked for.
    pub fn fix(&self, names: bool) -> Option<Grant> {
        let helps = matches!(self.refusal, Refusal::Authorization | Refusal::Impersonation);
        let (user, request) = self.subject().zip(self.request.as_ref()).filter(|_| helps)?;
        let mut requests = vec![request.clone()];
        let unnamed: u64 = self.evidence.requests - self.names.iter().map(|(_, count)| count).sum::<u64>();
        if names && unnamed == 0 {
            requests = self.names.iter().filter_map(|(name, _)| named(request, name.as_deref()?)).collect();
        }
        let uses = requests.into_iter().enumerate().map(|(at, request)| {
            // Together they speak once.
            let evidence = if at == 0 { self.evidence.clone() } else { Evidence::default() };
            Use { user: user.to_owned(), request, evidence }
        });
        let grant = least(uses, Expand::default()).grants.pop()?;
        let what = format!("{user} {request:?}");
        Some(Grant { name: format!("auditq-{}-{:08x}", slug(user), short_hash(&what)), ..grant })
    }
}

fn named(request: &Request, wanted: &str) -> Option<Request> {
    let mut request = request.clone();
    let Target::Resource { name, .. } = &mut request.target else { return None };
    *name = Some(wanted.to_owned());
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;

    fn refused(refusal: Refusal, requests: u64, seconds: i64, resource: &str) -> Cause {
        let target = Target::Resource { group: String::new(), resource: resource.to_owned(), name: None };
        let request = Request { namespace: Some("shop".to_owned()), target, verb: "get".to_owned() };
        let (first, last) = (Some(Timestamp(0)), Some(Timestamp(seconds * 1_000_000_000)));
        Cause {
            user: Some("bob".to_owned()),
            impersonated: Some("alice".to_owned()),
            request: Some(request),
            other_requests: 0,
            names: vec![(Some("one".to_owned()), 2), (Some("two".to_owned()), 1)],
            code: 403,
            refusal,
            reason: String::new(),
            evidence: Evidence { requests, first, last, ..Evidence::default() },
            agents: Vec::new(),
            sources: Vec::new(),
        }
    }

    #[test]
    fn the_rate_is_that_of_the_time_between() {
        let rate = |requests, seconds| refused(Refusal::Authorization, requests, seconds, "pods").per_minute();
        assert_eq!(rate(31, 300), Some(6000), "every ten seconds");
        assert_eq!(rate(2, 86_400), None, "less than can be said");
        assert_eq!((rate(1, 0), rate(5, 0)), (None, None));
    }

    #[test]
    fn a_rule_is_for_whose_right_is_missing_and_only_where_it_helps() {
        let fix = |cause: &Cause, names| {
            let grant = cause.fix(names)?;
            let rules: Vec<String> = grant.rules.iter().map(|(rule, _)| rule.to_string()).collect();
            Some((grant.user, rules.join("; ")))
        };
        let cause = refused(Refusal::Authorization, 3, 60, "secrets");
        assert_eq!(fix(&cause, false), Some(("alice".to_owned(), "get secrets".to_owned())));
        assert_eq!(fix(&cause, true), Some(("alice".to_owned(), "get secrets (one,two)".to_owned())));
        let some_without_a_name = refused(Refusal::Authorization, 4, 60, "secrets");
        assert_eq!(fix(&some_without_a_name, true), Some(("alice".to_owned(), "get secrets".to_owned())));
        assert_eq!(
            fix(&refused(Refusal::Impersonation, 3, 60, "users"), false).map(|fix| fix.0),
            Some("bob".to_owned())
        );
        for refusal in [Refusal::Admission, Refusal::Authentication] {
            assert_eq!(fix(&refused(refusal, 3, 60, "secrets"), false), None);
        }
        assert_eq!(fix(&refused(Refusal::Authorization, 3, 60, "*"), false), None);
    }
}
