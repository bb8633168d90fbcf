//! Who disturbed what runs: evictions and what refused them, cordons and drains, how pods ended.
//!
//! The question notes evictions, deletions of pods, writes of nodes and PodDisruptionBudgets, and keeps once per
//! pod where it ran and what its object says. [`DisruptionsPartial::finish`] puts them in order of time and reads
//! the stories off: [`evictions`], [`nodes`], [`terminations`] and [`budgets`], each a plain function of the notes.
//! Filters choose stories by the requests that make them, not what is read: who bound a pod, and which kubelet let
//! it go, must be known whoever is asked about.

mod body;
pub mod budgets;
pub mod evictions;
mod note;
pub mod nodes;
mod pods;
pub mod terminations;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::budgets::{Key, Snapshots};
use self::evictions::Eviction;
use self::nodes::{Episode, NodeWrites, StatusWrites};
use self::note::{Note, What};
use self::pods::{Names, Pods};
use self::terminations::Termination;
use super::notes::Notes;
use super::{Amendment, Position, Question, Seen, Slot};
use crate::event::{Event, Timestamp};
use crate::query::Filter;

/// The question: who disturbed what runs.
pub struct Disruptions {
    /// Which requests it is about.
    pub filter: Filter,
}

impl Disruptions {
    /// Other sources may be other clusters, so they are not even context.
    fn reads(&self, seen: &Seen<'_, '_>) -> bool {
        self.filter.is_any_source() || self.filter.matches_source(seen.source_names())
    }
}

/// A partial answer to [`Disruptions`].
#[derive(Clone, Default)]
pub struct DisruptionsPartial {
    notes: Notes<Note>,
    names: Names,
    pods: Pods,
    budgets: Snapshots,
    /// Budgets that requests asked about are about.
    wanted_budgets: BTreeSet<Key>,
    /// Writes of nodes' status by node and user: far too many to note each.
    statuses: Vec<StatusWrites>,
    status_index: BTreeMap<(Arc<str>, Arc<str>), u32>,
    last: Option<Timestamp>,
}

/// The answer to [`Disruptions`].
#[derive(Clone, Debug, Default)]
pub struct DisruptionsAnswer {
    /// The only node that was asked about.
    pub node: Option<String>,
    /// Whether a filter chose what is told.
    pub restricted: bool,
    /// Cordons, drains, taints and deletions of nodes, by when they began.
    pub nodes: Vec<Episode>,
    /// Evictions by pod and user, by when they were first tried.
    pub evictions: Vec<Eviction>,
    /// How pods ended, by when that began.
    pub terminations: Vec<Termination>,
    /// Pods that kubelets removed, without the request that ended them.
    pub ends_only: u64,
    /// Deletions of collections of pods that do not say which.
    pub unnamed_collections: u64,
    /// PodDisruptionBudgets, by namespace and name.
    pub budgets: Vec<evictions::BudgetStory>,
    /// Who wrote which node, how often.
    pub writes: Vec<NodeWrites>,
    /// What the log cannot tell.
    pub limits: Vec<String>,
    /// The time of the newest request.
    pub last: Option<Timestamp>,
}

/// Marks the slots of counted writes of nodes' status.
const STATUS: u32 = 1 << 31;

impl Question for Disruptions {
    type Partial = DisruptionsPartial;

    const IN_ORDER: bool = false;

    fn empty(&self) -> DisruptionsPartial {
        DisruptionsPartial::default()
    }

    fn observe(&self, partial: &mut DisruptionsPartial, seen: &Seen<'_, '_>) -> Slot {
        if !self.reads(seen) {
            return Slot::NONE;
        }
        partial.last = partial.last.max(seen.event.time());
        let Some(resource) = seen.event.object_ref.and_then(|object| object.resource) else { return Slot::NONE };
        let wanted = || self.filter.is_empty() || seen.matches(&self.filter);
        match resource.raw() {
            b"pods" => partial.pod(seen, &wanted),
            b"nodes" => partial.node(seen, &wanted),
            b"poddisruptionbudgets" => partial.budget(seen, &wanted),
            _ => Slot::NONE,
        }
    }

    fn amend(&self, _: &mut DisruptionsPartial, _: Slot, _: Amendment) {}

    fn retract(&self, partial: &mut DisruptionsPartial, slot: Slot) {
        if slot == Slot::NONE || slot.0 & STATUS == 0 {
            partial.notes.drop(slot);
        } else if let Some(writes) = partial.statuses.get_mut((slot.0 ^ STATUS) as usize) {
            writes.count = writes.count.saturating_sub(1);
        }
    }

    fn merge(&self, into: &mut DisruptionsPartial, from: DisruptionsPartial) {
        into.notes.merge(from.notes);
        into.pods.merge(from.pods);
        into.budgets.merge(from.budgets);
        into.wanted_budgets.extend(from.wanted_budgets);
        for StatusWrites { node, user, count } in from.statuses {
            into.count_status(node, user, count);
        }
        into.last = into.last.max(from.last);
    }
}

/// Whether the request at hand is among those asked about.
type Wanted<'w> = &'w dyn Fn() -> bool;

impl DisruptionsPartial {
    /// Counts writes of a node's status, and tells where.
    fn count_status(&mut self, node: Arc<str>, user: Arc<str>, count: u64) -> u32 {
        let next = self.statuses.len() as u32;
        let index = *self.status_index.entry((node.clone(), user.clone())).or_insert(next);
        match self.statuses.get_mut(index as usize) {
            Some(known) => known.count += count,
            None => self.statuses.push(StatusWrites { node, user, count }),
        }
        index
    }

    fn push(&mut self, seen: &Seen<'_, '_>, wanted: Wanted<'_>, what: What) -> Slot {
        let Some(time) = seen.event.time() else { return Slot::NONE };
        let user = self.names.share(&note::user(seen.event));
        let actor = note::controller(seen.event).map(|name| self.names.share(&name));
        let start = seen.event.start().unwrap_or(time);
        self.notes.push(seen.position, Note { time, start, user, controller: actor, what, wanted: wanted() })
    }

    fn pod(&mut self, seen: &Seen<'_, '_>, wanted: Wanted<'_>) -> Slot {
        let event = seen.event;
        let object = event.object_ref.unwrap_or_default();
        let subresource = object.subresource.map_or(&b""[..], |sub| sub.raw());
        match (event.verb.map_or(&b""[..], |verb| verb.raw()), subresource) {
            (b"create", b"eviction") => note::eviction(event).map_or(Slot::NONE, |what| self.push(seen, wanted, what)),
            (b"delete", b"") => {
                // A kubelet deletes the pods that it ran.
                self.on_kubelets_node(event);
                self.pod_body(seen);
                note::deletion(event).map_or(Slot::NONE, |what| self.push(seen, wanted, what))
            }
            (b"deletecollection", b"") => {
                note::collection(event).map_or(Slot::NONE, |what| self.push(seen, wanted, what))
            }
            (b"create", b"binding") => {
                self.bound(event);
                Slot::NONE
            }
            (b"list", b"") => self.list(seen, wanted),
            (b"patch" | b"update", b"status") => {
                if self.on_kubelets_node(event) {
                    self.pods.trace();
                }
                self.pod_body(seen);
                note::target(event).map_or(Slot::NONE, |what| self.push(seen, wanted, what))
            }
            (b"create", b"") => {
                self.on_kubelets_node(event);
                self.pod_body(seen);
                self.created(event);
                Slot::NONE
            }
            (verb @ (b"get" | b"patch" | b"update"), b"") => {
                if verb != b"get" {
                    self.on_kubelets_node(event);
                }
                self.pod_body(seen);
                Slot::NONE
            }
            _ => Slot::NONE,
        }
    }

    /// A pod that a kubelet writes runs on that kubelet's node: it may write no others. Gives whether one did.
    fn on_kubelets_node(&mut self, event: &Event<'_>) -> bool {
        let user = event.user.username.map(|user| user.to_str_lossy()).unwrap_or_default();
        let (Some(node), Some(time)) = (user.strip_prefix("system:node:"), event.time()) else { return false };
        let (namespace, name) = note::object(event);
        let writes = note::succeeded(event) && !name.is_empty();
        if writes {
            self.pods.on_node(&mut self.names, (&namespace, &name), node, time);
        }
        writes
    }

    /// Labels, node and grace period from the pod's object, where there is one.
    fn pod_body(&mut self, seen: &Seen<'_, '_>) {
        let event = seen.event;
        let response = event.response_object;
        if !note::succeeded(event) || response.is_none() && event.request_object.is_none() {
            return;
        }
        let (namespace, name) = note::object(event);
        if name.is_empty() {
            return;
        }
        if let (Some(time), true) = (event.time(), response.or(event.request_object).is_some_and(body::has_finished)) {
            self.pods.finished(&mut self.names, (&namespace, &name), time);
        }
        if !self.pods.wants_body(&namespace, &name, seen.position) {
            return;
        }
        if let Some(body) = response.or(event.request_object).and_then(body::pod) {
            self.pods.body(&mut self.names, (&namespace, &name), seen.position, &body);
        }
    }

    fn created(&mut self, event: &Event<'_>) {
        let (namespace, name) = note::object(event);
        if let Some(time) = event.time().filter(|_| note::succeeded(event) && !name.is_empty()) {
            self.pods.born(&mut self.names, (&namespace, &name), time);
        }
    }

    /// The scheduler gives a pod its node.
    fn bound(&mut self, event: &Event<'_>) {
        let (namespace, name) = note::object(event);
        let pod = (&*namespace, &*name);
        let Some(time) = event.time().filter(|_| note::succeeded(event) && !name.is_empty()) else { return };
        self.pods.bound(&mut self.names, pod, time);
        if let Some(node) = body::text(body::at(event.request_object, &["target", "name"])) {
            self.pods.on_node(&mut self.names, pod, &node, time);
        }
    }

    /// `kubectl drain` asks for the pods of the node; kubelets do so too, about themselves.
    fn list(&mut self, seen: &Seen<'_, '_>, wanted: Wanted<'_>) -> Slot {
        let event = seen.event;
        let uri = event.request_uri.map_or(&b""[..], |uri| uri.raw());
        if memchr::memmem::find(uri, b"spec.nodeName").is_none() || note::user(event).starts_with("system:node:") {
            return Slot::NONE;
        }
        let selector = event.parameter("fieldSelector").unwrap_or_default();
        let Some(node) = selector.split(',').find_map(|term| term.strip_prefix("spec.nodeName=")) else {
            return Slot::NONE;
        };
        let items = body::at(event.response_object, &["items"]);
        for item in items.into_iter().flat_map(|items| items.elements()) {
            let metadata = body::at(Some(item), &["metadata"]);
            let name = |key| body::text(body::at(metadata, &[key])).unwrap_or_default();
            let (namespace, name) = (name("namespace"), name("name"));
            if let Some(time) = event.time() {
                self.pods.on_node(&mut self.names, (&namespace, &name), node, time);
            }
            if self.pods.wants_body(&namespace, &name, seen.position)
                && let Some(body) = body::pod(item)
            {
                self.pods.body(&mut self.names, (&namespace, &name), seen.position, &body);
            }
        }
        let node = self.names.share(node);
        self.push(seen, wanted, What::Listed { node })
    }

    fn node(&mut self, seen: &Seen<'_, '_>, wanted: Wanted<'_>) -> Slot {
        let event = seen.event;
        let object = event.object_ref.unwrap_or_default();
        let Some(name) = object.name.map(|name| name.to_str_lossy()) else { return Slot::NONE };
        let verb = event.verb.map_or(&b""[..], |verb| verb.raw());
        if !matches!(verb, b"create" | b"update" | b"patch" | b"delete") || !note::succeeded(event) {
            return Slot::NONE;
        }
        match object.subresource.map_or(&b""[..], |sub| sub.raw()) {
            b"" => {
                let node = self.names.share(&name);
                let what = note::node_write(event, node);
                self.push(seen, wanted, what)
            }
            b"status" if event.time().is_some() && wanted() => {
                let (node, user) = (self.names.share(&name), self.names.share(&note::user(event)));
                Slot(self.count_status(node, user, 1) | STATUS)
            }
            _ => Slot::NONE,
        }
    }

    fn budget(&mut self, seen: &Seen<'_, '_>, wanted: Wanted<'_>) -> Slot {
        let event = seen.event;
        let Some(time) = event.time() else { return Slot::NONE };
        let when = (time, seen.position);
        let is_wanted = wanted();
        if note::succeeded(event) {
            let items = body::at(event.response_object, &["items"]).into_iter().flat_map(|items| items.elements());
            for object in items.chain(note::budget_objects(event)) {
                let metadata = body::at(Some(object), &["metadata"]);
                let name = |key| body::text(body::at(metadata, &[key])).map(|text| text.into_owned());
                if let (Some(namespace), Some(name), Some(budget)) =
                    (name("namespace").or(note::namespace(event)), name("name"), budgets::Budget::read(object))
                {
                    self.budgets.charged(&namespace, &name, when, object);
                    let key = (namespace, name);
                    if is_wanted && !self.wanted_budgets.contains(&key) {
                        self.wanted_budgets.insert(key.clone());
                    }
                    self.budgets.observe(key, when, &budget);
                }
            }
        }
        note::charge(event)
            .or_else(|| note::budget_write(event))
            .map_or(Slot::NONE, |what| self.push(seen, wanted, what))
    }

    /// The stories, of one node if that is wanted.
    pub fn finish(self, node: Option<&str>, restricted: bool) -> DisruptionsAnswer {
        let notes: Vec<(Position, Note)> = note::by_time(self.notes.finish());
        let pods = self.pods;
        let (mut terminations, tally) = terminations::tell(&notes, &pods, self.last);
        let budgets = evictions::Budgets::new(self.budgets, &notes);
        let mut evictions = evictions::tell(&notes, &pods, &budgets);
        let mut nodes = nodes::tell(&notes, &pods, &terminations, self.last);
        evictions.retain(|one| one.wanted);
        terminations.retain(|one| one.wanted);
        nodes.retain(|one| one.wanted);
        let mut stories = budgets.stories(&evictions);
        if restricted {
            let wanted = wanted_budgets(self.wanted_budgets, &notes);
            stories.retain(|story| story.evictions > 0 || wanted.iter().any(|key| story.is(key)));
        }
        let writes = nodes::writes(&notes, &nodes, &self.statuses);
        let answer = DisruptionsAnswer {
            node: None,
            restricted,
            budgets: stories,
            nodes,
            evictions,
            terminations,
            ends_only: tally.ends_only,
            unnamed_collections: tally.unnamed_collections,
            writes,
            limits: Vec::new(),
            last: self.last,
        };
        let mut answer = match node {
            Some(node) => answer.of_node(node),
            None => answer,
        };
        answer.limits = limits(&answer, &notes, &pods, &tally);
        answer
    }
}

/// The budgets that requests asked about are about.
fn wanted_budgets(mut of_bodies: BTreeSet<Key>, notes: &[(Position, Note)]) -> BTreeSet<Key> {
    for (_, note) in notes.iter().filter(|(_, note)| note.wanted) {
        if let What::Budget { namespace, name, .. } = &note.what {
            of_bodies.insert((namespace.clone(), name.clone()));
        }
    }
    of_bodies
}

impl DisruptionsAnswer {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.evictions.is_empty() && self.terminations.is_empty() && self.budgets.is_empty()
    }

    /// Whether that node was asked about.
    fn is_about(&self, node: &str) -> bool {
        self.node.as_deref().is_none_or(|only| only == node)
    }

    /// What happened on one node.
    fn of_node(mut self, node: &str) -> Self {
        self.nodes.retain(|episode| episode.node == node);
        self.writes.retain(|writes| writes.node == node);
        self.evictions.retain(|eviction| eviction.node.as_deref() == Some(node));
        self.terminations.retain(|termination| termination.node.as_deref() == Some(node));
        let evictions = &self.evictions;
        self.budgets.retain(|story| {
            evictions.iter().any(|one| one.refused > 0 && one.budget_key().is_some_and(|key| story.is(&key)))
        });
        self.node = Some(node.to_owned());
        self
    }
}

/// What the log cannot tell, in a sentence each.
fn limits(
    answer: &DisruptionsAnswer,
    notes: &[(Position, Note)],
    pods: &Pods,
    tally: &terminations::Tally,
) -> Vec<String> {
    let mut limits = Vec::new();
    let told = |node: &str| answer.nodes.iter().any(|episode| episode.node == *node);
    let bodyless = |note: &Note| match &note.what {
        What::Node { change: None, verb, node } => {
            !verb.is_end() && (note.wanted && answer.is_about(node) || told(node))
        }
        _ => false,
    };
    if notes.iter().any(|(_, note)| bodyless(note) && nodes::may_cordon(note)) {
        limits.push(
            "bodies of node writes were not all logged: there, cordons are told from the evictions that followed"
                .to_owned(),
        );
    }
    if answer.evictions.iter().any(|eviction| eviction.node.is_none()) {
        limits.push(match pods.knows_nodes() {
            true => "of some evicted pods the log does not tell the node".to_owned(),
            false => {
                "the log does not tell which node a pod ran on: no kubelet's writes, bindings or bodies".to_owned()
            }
        });
    }
    if answer.budgets.iter().any(|story| story.budget.is_none()) {
        limits.push("of some PodDisruptionBudgets no body was logged, so what they demand is not known".to_owned());
    }
    if !tally.kubelets && !answer.terminations.is_empty() {
        limits
            .push("no kubelet's deletions are in what was read, so how long pods took to end is not known".to_owned());
    }
    let assumed = answer.terminations.iter().filter(|one| one.is_past() && one.is_assumed()).count();
    if assumed > 0 {
        limits.push(format!(
            "of {assumed} that ran past it the grace period was not logged; 30s, the default, is assumed"
        ));
    }
    limits
}
