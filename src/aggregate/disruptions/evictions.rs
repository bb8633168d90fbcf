//! Evictions by pod and user, and the PodDisruptionBudgets that allowed or refused them.

use std::collections::BTreeMap;

use super::body::Refusal;
use super::budgets::{Budget, Charges, Key, Snapshots, When};
use super::note::{BudgetWrite, Note, Outcome, PodName, What};
use super::pods::Pods;
use crate::aggregate::Position;
use crate::event::{RawJson, Timestamp};

/// All that one user did to evict one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// The pod's namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its node.
    pub node: Option<String>,
    /// Who tried.
    pub user: String,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// How often.
    pub attempts: u64,
    /// How often it was refused.
    pub refused: u64,
    /// How the last attempt was answered.
    pub result: EvictionResult,
    /// What the server said, where that is not about a budget's numbers.
    pub message: Option<String>,
    /// The budget that refused last, or that covers the pod.
    pub budget: Option<String>,
    /// How the budget is known.
    pub budget_from: Option<BudgetFrom>,
    /// What the budget demands.
    pub limit: Option<String>,
    /// How many healthy pods it needed at the last refusal.
    pub needs: Option<i64>,
    /// How many there were.
    pub has: Option<i64>,
    /// From when to when the server dealt with the attempt that it allowed.
    dealt: Option<(Timestamp, Timestamp)>,
    /// Whether an attempt is among the requests asked about.
    pub(super) wanted: bool,
}

impl Eviction {
    /// The namespace and name of its budget.
    pub(super) fn budget_key(&self) -> Option<Key> {
        Some((self.namespace.clone(), self.budget.clone()?))
    }

    /// Whether somebody should look at it.
    pub fn is_remarkable(&self) -> bool {
        self.refused > 0 || self.result != EvictionResult::Allowed
    }
}

/// How an attempt to evict was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionResult {
    /// The pod was told to end.
    Allowed,
    /// 429.
    Refused,
    /// The pod was gone already.
    Gone,
    /// Another error.
    Failed,
    /// No answer is in the log.
    Unanswered,
}

impl EvictionResult {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            EvictionResult::Allowed => "allowed",
            EvictionResult::Refused => "refused",
            EvictionResult::Gone => "gone",
            EvictionResult::Failed => "failed",
            EvictionResult::Unanswered => "unanswered",
        }
    }

    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Allowed => EvictionResult::Allowed,
            Outcome::Refused(_) => EvictionResult::Refused,
            Outcome::Gone => EvictionResult::Gone,
            Outcome::Failed { code: None, .. } => EvictionResult::Unanswered,
            Outcome::Failed { .. } => EvictionResult::Failed,
        }
    }
}

/// How the budget of an eviction is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetFrom {
    /// The refusal names it.
    Refusal,
    /// The API server took the eviction off it: the budget's status names the pod, or was written meanwhile.
    Status,
    /// Its selector matches the labels that the log has of the pod.
    Selector,
}

impl BudgetFrom {
    /// The name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            BudgetFrom::Refusal => "refusal",
            BudgetFrom::Status => "status",
            BudgetFrom::Selector => "selector",
        }
    }
}

/// Tells the evictions, by when they were first tried.
pub(super) fn tell(notes: &[(Position, Note)], pods: &Pods, budgets: &Budgets) -> Vec<Eviction> {
    let mut told: Vec<Eviction> = Vec::new();
    let mut latest: BTreeMap<(&PodName, &str), usize> = BTreeMap::new();
    for (_, note) in notes {
        let What::Eviction { pod, outcome, .. } = &note.what else { continue };
        let key = (pod, &*note.user);
        let open = latest.get(&key).copied().filter(|&at| told.get(at).is_some_and(|one| !is_over(one, note, pods)));
        let at = open.unwrap_or(told.len());
        if open.is_none() {
            latest.insert(key, at);
            told.push(begin(pod, note, pods));
        }
        if let Some(one) = told.get_mut(at) {
            one.attempt(note, outcome);
        }
    }
    for one in &mut told {
        one.attribute(pods, budgets);
    }
    told
}

/// Whether another pod of the name began after the eviction was allowed.
fn is_over(one: &Eviction, note: &Note, pods: &Pods) -> bool {
    one.result == EvictionResult::Allowed
        && pods.get(&one.namespace, &one.pod).is_some_and(|pod| pod.born_between(one.last, note.time).is_some())
}

fn begin(pod: &PodName, note: &Note, pods: &Pods) -> Eviction {
    let node = pods.get(&pod.namespace, &pod.name).and_then(|pod| pod.node(note.time));
    Eviction {
        namespace: pod.namespace.to_string(),
        pod: pod.name.to_string(),
        node: node.map(|node| node.to_string()),
        user: note.user.to_string(),
        first: note.time,
        last: note.time,
        attempts: 0,
        refused: 0,
        result: EvictionResult::Unanswered,
        message: None,
        budget: None,
        budget_from: None,
        limit: None,
        needs: None,
        has: None,
        dealt: None,
        wanted: false,
    }
}

impl Eviction {
    fn attempt(&mut self, note: &Note, outcome: &Outcome) {
        self.attempts += 1;
        self.wanted |= note.wanted;
        self.last = note.time;
        self.result = EvictionResult::of(outcome);
        self.message = None;
        match outcome {
            Outcome::Refused(refusal) => {
                self.refused += 1;
                self.refusal(refusal);
            }
            Outcome::Allowed => self.dealt = Some((note.start, note.time)),
            Outcome::Failed { code, message } if !message.is_empty() || code.is_some() => {
                let code = code.map(|code| format!("{code}")).unwrap_or_default();
                self.message = Some(format!("{code} {message}").trim().to_owned());
            }
            _ => {}
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        if let Some(budget) = &refusal.budget {
            if refusal.needs.is_some() || self.budget.as_deref() != Some(&**budget) {
                (self.needs, self.has) = (refusal.needs, refusal.has);
            }
            (self.budget, self.budget_from) = (Some(budget.to_string()), Some(BudgetFrom::Refusal));
        }
        if refusal.needs.is_none() && !refusal.message.is_empty() {
            self.message = Some(refusal.message.to_string());
        }
    }

    /// Finds the budget by the pod's labels where no refusal names it, and what it demands.
    fn attribute(&mut self, pods: &Pods, budgets: &Budgets) {
        if self.budget.is_none() {
            self.budget = budgets.charged(self, pods);
            self.budget_from = self.budget.is_some().then_some(BudgetFrom::Status);
        }
        if self.budget.is_none()
            && let Some(labels) = pods.get(&self.namespace, &self.pod).and_then(|pod| pod.labels())
        {
            let covering = budgets.covering(&self.namespace, labels);
            self.budget = (!covering.is_empty()).then(|| covering.join(","));
            self.budget_from = self.budget.is_some().then_some(BudgetFrom::Selector);
        }
        let known = self.budget_key().and_then(|key| budgets.known.get(&key)?.budget.as_ref());
        self.limit = known.and_then(Budget::limit);
    }
}

/// A budget and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetStory {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// As it was last seen, if any body was logged.
    pub budget: Option<Budget>,
    /// What is wrong with it.
    pub findings: Vec<String>,
    /// How many attempts to evict it refused.
    pub refused: u64,
    /// How many evictions it was asked about: those it refused, and those of pods that it covers.
    pub evictions: u64,
    /// By whom and when it was deleted.
    pub deleted: Option<(String, Timestamp)>,
    /// Writes that the server refused: by whom, when, why.
    pub rejected: Vec<(String, Timestamp, String)>,
}

impl BudgetStory {
    pub(super) fn is(&self, key: &Key) -> bool {
        self.namespace == key.0 && self.name == key.1
    }

    /// Whether somebody should look at it.
    pub fn is_remarkable(&self) -> bool {
        self.refused > 0 || !self.findings.is_empty() || !self.rejected.is_empty()
    }
}

/// All budgets that the log tells of.
pub(super) struct Budgets {
    known: BTreeMap<Key, BudgetStory>,
    /// The budgets of evicted pods, as budgets' statuses name them.
    charged: Charges,
    /// The API server's writes of budgets' statuses: namespace, from when to when, budget.
    charges: Vec<(Box<str>, Timestamp, Timestamp, Box<str>)>,
}

impl Budgets {
    pub(super) fn new(snapshots: Snapshots, notes: &[(Position, Note)]) -> Budgets {
        let mut whens: BTreeMap<Key, When> = BTreeMap::new();
        let mut known: BTreeMap<Key, BudgetStory> = BTreeMap::new();
        let mut charges = Vec::new();
        let (latest, charged) = snapshots.finish();
        for (key, (when, budget)) in latest {
            whens.insert(key.clone(), when);
            story(&mut known, &key).budget = Some(budget);
        }
        for (position, note) in notes {
            if let What::Charge { namespace, budget } = &note.what {
                charges.push((namespace.clone(), note.start, note.time, budget.clone()));
            }
            let What::Budget { namespace, name, write } = &note.what else { continue };
            let key = (namespace.clone(), name.clone());
            let later = whens.get(&key).is_none_or(|seen| *seen < (note.time, *position));
            story(&mut known, &key).write(note, write, later);
        }
        Budgets { known, charged, charges }
    }

    /// The budget that an allowed eviction was taken off.
    fn charged(&self, one: &Eviction, pods: &Pods) -> Option<String> {
        let (from, until) = one.dealt?;
        let marks = self.charged.get(&(one.namespace.clone(), one.pod.clone()));
        let since = marks.into_iter().flat_map(BTreeMap::values).filter(|((time, _), _)| *time >= from);
        if let Some(((time, _), budget)) = since.min_by_key(|(when, _)| *when) {
            // Not the mark of another pod of the name.
            let born = pods.get(&one.namespace, &one.pod).and_then(|pod| pod.born_between(until, *time));
            if born.is_none() {
                return Some(budget.clone());
            }
        }
        // Evictions at the same time may be of other budgets; only what can be no other counts.
        let first = self.charges.partition_point(|charge| charge.2 < from);
        let during = self.charges.iter().skip(first).take_while(|charge| charge.2 <= until);
        let mut names: Vec<&str> =
            during.filter(|charge| *charge.0 == *one.namespace && charge.1 >= from).map(|charge| &*charge.3).collect();
        names.dedup();
        match names.as_slice() {
            [only] => Some((*only).to_owned()),
            _ => None,
        }
    }

    /// The names of the budgets that cover a pod with these labels.
    fn covering(&self, namespace: &str, labels: &str) -> Vec<&str> {
        let covers = |story: &&BudgetStory| story.budget.as_ref().is_some_and(|budget| budget.covers(labels));
        let here = self.known.values().filter(|story| story.namespace == namespace && story.deleted.is_none());
        here.filter(covers).map(|story| story.name.as_str()).collect()
    }

    /// The stories, with what the evictions tell.
    pub(super) fn stories(self, evictions: &[Eviction]) -> Vec<BudgetStory> {
        let mut known = self.known;
        for eviction in evictions {
            let names = eviction.budget.iter().flat_map(|names| names.split(','));
            for name in names.filter(|name| !name.is_empty()) {
                let story = story(&mut known, &(eviction.namespace.clone(), name.to_owned()));
                story.evictions += 1;
                if eviction.budget_from == Some(BudgetFrom::Refusal) {
                    story.refused += eviction.refused;
                }
            }
        }
        for story in known.values_mut() {
            story.findings = story.budget.as_ref().map(Budget::findings).unwrap_or_default();
        }
        known.into_values().collect()
    }
}

fn story<'k>(known: &'k mut BTreeMap<Key, BudgetStory>, key: &Key) -> &'k mut BudgetStory {
    known.entry(key.clone()).or_insert_with(|| BudgetStory {
        namespace: key.0.clone(),
        name: key.1.clone(),
        ..BudgetStory::default()
    })
}

impl BudgetStory {
    /// Takes a write of the budget; `later` if it came after the budget was last seen whole.
    fn write(&mut self, note: &Note, write: &BudgetWrite, later: bool) {
        match write {
            BudgetWrite::Deleted if later => self.deleted = Some((note.user.to_string(), note.time)),
            BudgetWrite::Deleted => {}
            BudgetWrite::Rejected { message } => {
                self.rejected.push((note.user.to_string(), note.time, message.clone()));
            }
            BudgetWrite::Written { patch } => {
                if later {
                    self.deleted = None;
                }
                if let (Some(patch), Some(budget), true) = (patch, &mut self.budget, later) {
                    budget.change(RawJson(patch));
                }
            }
        }
    }
}
