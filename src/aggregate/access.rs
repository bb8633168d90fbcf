//! What was asked of the authorizer, by whom, and what it said: requests grouped by what access control
//! looks at.
//!
//! Every request is some right used or refused; those who act as somebody else use two, their own to
//! impersonate and the other's to do it. `rbac` asks about rights used, [`super::denied`] about refusals.

mod outcome;

use hashbrown::HashMap;

use super::groups::Groups;
use super::{Amendment, Measure, Measured, Question, Seen, Slot};
use crate::event::{Event, RawJson, Text, Timestamp, decoded};
use crate::query::Filter;
use crate::rbac::least::Evidence;
use crate::rbac::{Request, Target, User};

pub use outcome::{Outcome, Refusal, outcome};
pub(super) use outcome::{admission, asked_in_message};

/// How often something was requested, and when.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// The earliest start.
    pub first: Option<Timestamp>,
    /// The latest start.
    pub last: Option<Timestamp>,
    /// The audit id of the earliest.
    pub example: Option<Example>,
}

/// A request's start and audit id.
pub type Example = (Option<Timestamp>, Vec<u8>);

impl Tally {
    /// Counts a request.
    pub fn count(&mut self, measure: &Measure) {
        self.count += 1;
        self.first = self.first.into_iter().chain(measure.start).min();
        self.last = self.last.max(measure.start);
    }

    /// Takes the earliest for an example.
    fn offer(&mut self, example: Example) {
        if self.example.as_ref().is_none_or(|earliest| example < *earliest) {
            self.example = Some(example);
        }
    }

    /// Joins two.
    pub fn merge(&mut self, other: Tally) {
        self.count += other.count;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.max(other.last);
        self.example = self.example.take().into_iter().chain(other.example).min();
    }

    /// As what speaks for a right.
    pub fn evidence(self) -> Evidence {
        let text = |id: Vec<u8>| String::from_utf8_lossy(&id).into_owned();
        let examples = self.example.into_iter().map(|(time, id)| (time, text(id))).collect();
        Evidence { requests: self.count, first: self.first, last: self.last, examples }
    }
}

/// Tallies of groups. A request that may be an example has a slot of its own until it is known whether it counts.
#[derive(Clone, Default)]
pub(super) struct Tallies {
    pub(super) groups: Groups<Tally>,
    candidates: HashMap<u32, (u32, Example)>,
    next: u32,
}

/// The slots of requests that may be examples have this bit; the others are those of groups.
const CANDIDATE: u32 = 1 << 31;

impl Tallies {
    /// Notes a request with these values.
    pub(super) fn note(&mut self, values: &[Option<Text<'_>>], event: &Event<'_>) -> Slot {
        let group = self.groups.find_values(values);
        let known = self.groups.get(group).and_then(|tally| tally.example.as_ref());
        let start = event.start();
        let is_earlier = |id: &[u8]| known.is_none_or(|(earliest, known)| (start, id) < (*earliest, known));
        let Some(id) = event.audit_id.map(Text::decode).filter(|id| is_earlier(id)) else { return Slot(group) };
        let slot = CANDIDATE | self.next;
        self.next = (self.next + 1) % (CANDIDATE - 1);
        self.candidates.insert(slot, (group, (start, id.into_owned())));
        Slot(slot)
    }

    /// Counts requests.
    pub(super) fn count(&mut self, requests: &[Measured]) {
        for Measured { slot, measure } in requests.iter().filter(|request| request.slot != Slot::NONE) {
            let candidate = self.candidates.remove(&slot.0);
            let group = candidate.as_ref().map_or(slot.0, |(group, _)| *group);
            let Some(tally) = self.groups.get_mut(group) else { continue };
            tally.count(measure);
            if let Some((_, example)) = candidate {
                tally.offer(example);
            }
        }
    }

    /// A request is a repeat, and no example.
    pub(super) fn retract(&mut self, slot: Slot) {
        self.candidates.remove(&slot.0);
    }

    /// Joins two.
    pub(super) fn merge(&mut self, other: Tallies) {
        self.groups.merge(other.groups, Tally::merge);
    }
}

/// What access control looks at in a request: so many values, in this order.
pub(super) const FIELDS: usize = 13;

/// The values of a request. Names that are not in the URL are left out: the authorizer does not see them.
pub(super) fn fields<'a>(event: &Event<'a>) -> [Option<Text<'a>>; FIELDS] {
    let raw = |json: Option<RawJson<'a>>| json.map(|json| Text::plain(json.0));
    let (user, other, object) = (event.user, event.impersonated_user, event.object_ref);
    let subresource = object.and_then(|object| object.subresource);
    let create = event.verb.is_some_and(|verb| verb.eq_bytes(b"create"));
    let name = object.and_then(|object| object.name).filter(|_| !create || subresource.is_some());
    let path = event.request_uri.filter(|_| object.is_none()).map(without_query);
    [
        user.username,
        raw(user.groups),
        other.and_then(|other| other.username),
        raw(other.and_then(|other| other.groups)),
        raw(other.and_then(|other| other.extra)),
        other.and_then(|other| other.uid),
        event.verb,
        object.and_then(|object| object.api_group),
        object.and_then(|object| object.resource),
        subresource,
        object.and_then(|object| object.namespace),
        name,
        path,
    ]
}

fn without_query(uri: Text<'_>) -> Text<'_> {
    let raw = uri.raw();
    let end = memchr::memchr(b'?', raw).unwrap_or(raw.len());
    Text::json(&raw[..end], uri.is_escaped())
}

/// What [`fields`] gave, as it comes back from a group.
pub(super) struct Fields(Vec<Option<String>>);

impl Fields {
    pub(super) fn new(values: Vec<Option<Vec<u8>>>) -> Self {
        let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
        Fields(values.into_iter().map(|value| value.map(text)).collect())
    }

    /// A value behind those of [`fields`].
    pub(super) fn extra(&self, at: usize) -> Option<&str> {
        self.get(FIELDS + at)
    }

    fn get(&self, at: usize) -> Option<&str> {
        self.0.get(at)?.as_deref().filter(|text| !text.is_empty())
    }

    pub(super) fn user(&self) -> Option<&str> {
        self.get(0)
    }

    pub(super) fn impersonated(&self) -> Option<&str> {
        self.get(2)
    }

    /// Who sent the request.
    fn sender(&self) -> User {
        User::new(self.get(0).unwrap_or_default(), strings(self.get(1)))
    }

    /// Whose rights count.
    fn effective(&self) -> User {
        match self.get(2) {
            Some(name) => User::new(name, strings(self.get(3))),
            None => self.sender(),
        }
    }

    /// What the authorizer was asked.
    pub(super) fn request(&self) -> Request {
        let text = |at| self.get(at).unwrap_or_default().to_owned();
        let target = match self.get(8) {
            Some(resource) => {
                let resource = match self.get(9) {
                    Some(sub) => format!("{resource}/{sub}"),
                    None => resource.to_owned(),
                };
                Target::Resource { group: text(7), resource, name: self.get(11).map(str::to_owned) }
            }
            None => Target::Url(decoded(&text(12), false)),
        };
        Request { namespace: self.get(10).map(str::to_owned), target, verb: text(6) }
    }

    /// The rights that acting as somebody takes: to impersonate the user, each group that the server would not
    /// add by itself, the uid, and each extra value.
    fn impersonations(&self) -> Vec<Request> {
        let Some(name) = self.get(2) else { return Vec::new() };
        let implied = User::new(name, []).groups;
        let ask = |namespace: Option<&str>, group: &str, resource: String, name: &str| Request {
            namespace: namespace.map(str::to_owned),
            target: Target::Resource { group: group.to_owned(), resource, name: Some(name.to_owned()) },
            verb: "impersonate".to_owned(),
        };
        let mut asked = vec![match crate::rbac::service_account(name) {
            Some((namespace, account)) => ask(Some(namespace), "", "serviceaccounts".to_owned(), account),
            None => ask(None, "", "users".to_owned(), name),
        }];
        let groups = strings(self.get(3)).filter(|group| !implied.contains(group));
        asked.extend(groups.map(|group| ask(None, "", "groups".to_owned(), &group)));
        const OWN: &str = "authentication.k8s.io";
        asked.extend(self.get(5).map(|uid| ask(None, OWN, "uids".to_owned(), uid)));
        let extra = self.get(4).map(|raw| RawJson(raw.as_bytes()));
        for (key, values) in extra.into_iter().flat_map(RawJson::members) {
            let resource = format!("userextras/{}", key.to_str_lossy());
            let texts = values.elements().filter_map(RawJson::as_text);
            asked.extend(texts.map(|text| ask(None, OWN, resource.clone(), &text.to_str_lossy())));
        }
        asked
    }
}

/// The strings of a raw JSON list.
fn strings(raw: Option<&str>) -> impl Iterator<Item = String> {
    let list = raw.map(|raw| RawJson(raw.as_bytes()));
    list.into_iter()
        .flat_map(RawJson::elements)
        .filter_map(RawJson::as_text)
        .map(|text| text.to_str_lossy().into_owned())
}

/// The question: who used which rights, and who was refused which.
pub struct Access {
    /// Which requests count.
    pub filter: Filter,
}

/// A partial answer to [`Access`].
#[derive(Clone, Default)]
pub struct AccessPartial {
    tallies: Tallies,
}

impl Question for Access {
    type Partial = AccessPartial;

    const IN_ORDER: bool = false;

    const COUNTS: bool = true;

    fn empty(&self) -> AccessPartial {
        AccessPartial::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut AccessPartial, seen: &Seen<'_, '_>) -> Slot {
        if !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        let event = seen.event;
        let word = match outcome(event) {
            Outcome::Allowed => "allowed",
            Outcome::Refused(Refusal::Authorization) => "denied",
            // The right was there; what was asked for broke a rule of another kind.
            Outcome::Refused(Refusal::Admission) => "allowed",
            // Nobody's right was asked about, or nobody knows what was said.
            Outcome::Refused(Refusal::Authentication) | Outcome::Unknown => return Slot::NONE,
            Outcome::Refused(Refusal::Impersonation) => "impersonation",
        };
        let refused = word == "impersonation";
        let message = event.response_status.and_then(|status| status.message).filter(|_| refused);
        // Applying what is not there creates it, which takes that right too.
        let created = matches!(event.verb.map(Text::raw), Some(b"patch" | b"update")) && event.code() == Some(201);
        let mut values = [None; FIELDS + 3];
        values[..FIELDS].copy_from_slice(&fields(event));
        values[FIELDS] = Some(Text::from(word));
        values[FIELDS + 1] = message;
        values[FIELDS + 2] = created.then_some(Text::from("created"));
        partial.tallies.note(&values, event)
    }

    fn amend(&self, _: &mut AccessPartial, _: Slot, _: Amendment) {}

    fn count(&self, partial: &mut AccessPartial, requests: &[Measured]) {
        partial.tallies.count(requests);
    }

    fn retract(&self, partial: &mut AccessPartial, slot: Slot) {
        partial.tallies.retract(slot);
    }

    fn merge(&self, into: &mut AccessPartial, from: AccessPartial) {
        into.tallies.merge(from.tallies);
    }
}

/// A right that was used or refused.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whose right it is.
    pub user: User,
    /// What was asked for.
    pub request: Request,
    /// Whether the authorizer allowed it.
    pub allowed: bool,
    /// How often, when.
    pub evidence: Evidence,
}

impl AccessPartial {
    /// All rights that were asked for, by user, request and outcome.
    pub fn finish(self) -> Vec<Asked> {
        let mut asked = Vec::new();
        for (values, tally) in self.tallies.groups.into_groups().filter(|(_, tally)| tally.count > 0) {
            let (fields, evidence) = (Fields::new(values), tally.evidence());
            add(&fields, evidence, &mut asked);
        }
        let key = |one: &Asked| (one.user.clone(), one.request.clone(), one.allowed);
        asked.sort_by_cached_key(key);
        asked.dedup_by(|one, kept| {
            let same = (&one.user, &one.request, one.allowed) == (&kept.user, &kept.request, kept.allowed);
            if same {
                kept.evidence.join(std::mem::take(&mut one.evidence));
            }
            same
        });
        asked
    }
}

/// The rights behind a group of requests.
fn add(fields: &Fields, evidence: Evidence, asked: &mut Vec<Asked>) {
    let mut push = |user: User, request: Request, allowed: bool| {
        asked.push(Asked { user, request, allowed, evidence: evidence.clone() });
    };
    if fields.extra(0) == Some("impersonation") {
        if let Some(request) = fields.extra(1).and_then(asked_in_message) {
            push(fields.sender(), request, false);
        }
        return;
    }
    for request in fields.impersonations() {
        push(fields.sender(), request, true);
    }
    let (user, request) = (fields.effective(), fields.request());
    let allowed = fields.extra(0) == Some("allowed");
    if fields.extra(2).is_some() {
        push(user.clone(), Request { verb: "create".to_owned(), ..request.clone() }, allowed);
    }
    push(user, request, allowed);
}

/// Users who need no role, by what they are: the authorizer for roles is not asked about them.
pub fn is_above_rbac(user: &User) -> Option<&'static str> {
    if user.groups.contains("system:masters") {
        return Some("members of system:masters");
    }
    // Not every log records groups.
    let node = user.groups.contains("system:nodes") || user.name.starts_with("system:node:");
    node.then_some("nodes")
}

#[cfg(test)]
mod tests;
