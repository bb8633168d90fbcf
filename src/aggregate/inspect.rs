//! The evidence itself: what the log covers, what it seems to leave out, and what is odd about it.
//!
//! Bytes, records and damage are in the account every run keeps ([`Evidence`](super::evidence::Evidence));
//! this question adds what only the requests tell. Its partials belong to one chunk each, so that a
//! repeat can be taken back exactly; joined, they are bounded whatever the log holds, by hashes and
//! never by what came first. Everything is counted in integers. Each finding has its own file below
//! this one; [`Findings::finish`] puts them together.

pub mod blind_spots;
pub mod capped;
pub mod clients;
pub mod coverage;
pub mod gaps;
pub mod marks;
pub mod resources;
mod sensitive;
pub mod skew;
pub mod unfinished;

use std::collections::BTreeMap;

use memchr::memmem;

use super::evidence::Account;
use super::requests::settles;
use super::{Amendment, Measure, Measured, Question, Seen, Slot};
use crate::event::Text;
use blind_spots::{BlindSpotRow, Ground, blind_spots};
use capped::{Capped, Sum};
use clients::{Client, Clients};
use coverage::{Coverage, HOSTS, LogFile, Span, coverage, host_key};
use marks::{Mark, MarkCounts};
use resources::{BODIES, Facts, ResourceCounts};
use skew::{IdFindings, Sightings};
use unfinished::{Open, OpenRow};

/// The question: what this log is worth as evidence.
pub struct Inspect;

/// What was found so far.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Requests over time by source, of events that name no host.
    own: BTreeMap<u32, Span>,
    /// The same by source and host, of events that name one.
    hosts: Capped<Span>,
    resources: Capped<ResourceCounts>,
    clients: Capped<Client>,
    open: Capped<Open>,
    marks: MarkCounts,
    sightings: Sightings,
    managed_fields: bool,
    /// What was counted for each request of the chunk, so that it can be taken back.
    slips: Vec<Slip>,
    /// For putting names together.
    name: Vec<u8>,
}

/// Where one request was counted.
#[derive(Clone, Copy, Debug)]
struct Slip {
    source: u32,
    host: Option<u32>,
    resource: u32,
    client: u32,
    facts: Facts,
}

/// So many resources are told apart.
const RESOURCES: usize = 2048;

impl Default for Findings {
    fn default() -> Self {
        Findings {
            own: BTreeMap::new(),
            hosts: Capped::new(HOSTS),
            resources: Capped::new(RESOURCES),
            clients: Capped::new(clients::LIMIT),
            open: Capped::new(unfinished::LIMIT),
            marks: MarkCounts::default(),
            sightings: Sightings::default(),
            managed_fields: false,
            slips: Vec::new(),
            name: Vec::new(),
        }
    }
}

impl Findings {
    /// Takes a request into account and returns where it was counted.
    fn observe(&mut self, seen: &Seen<'_, '_>) -> Slip {
        let (event, source) = (seen.event, seen.position.source);
        let mut name = std::mem::take(&mut self.name);
        let host = self.span(seen, &mut name);
        let facts = Facts::of(event);
        resources::name(event, &mut name);
        let resource = self.resources.place(&name);
        if let Some(counts) = self.resources.get_mut(resource) {
            counts.count(&facts, |count| *count += 1);
            if let Some(id) = event.audit_id.filter(|_| BODIES.iter().any(|&mark| facts.marks.has(mark))) {
                counts.examples.observe(&id.decode());
            }
        }
        clients::name(event.user_agent, &mut name);
        let client = self.clients.place(&name);
        if let Some(counts) = self.clients.get_mut(client) {
            counts.requests += 1;
            counts.users.observe(&event.user.username.map(Text::decode).unwrap_or_default());
        }
        self.marks.observe(facts.marks, || event.audit_id.map(|id| id.decode().into_owned()));
        if let Some(id) = event.audit_id.filter(|_| !settles(event)) {
            unfinished::kind(event, &mut name);
            let place = self.open.place(&name);
            if let Some(open) = self.open.get_mut(place) {
                open.observe(event, &id.decode());
            }
        }
        if facts.marks.has(Mark::SingleObject) && !self.managed_fields {
            let body = event.response_object.map_or(&b""[..], |body| body.0);
            self.managed_fields = memmem::find(body, b"\"managedFields\"").is_some();
        }
        self.name = name;
        Slip { source, host, resource, client, facts }
    }

    /// Finds out which host it is for, and who else may have seen it.
    fn span(&mut self, seen: &Seen<'_, '_>, name: &mut Vec<u8>) -> Option<u32> {
        let source = seen.position.source;
        let origin = seen.event.origin.and_then(|origin| origin.host.or(origin.pod));
        let host = origin.filter(|host| !host.is_empty()).map(Text::decode);
        self.sightings.observe(seen.event, source, host.as_deref());
        let Some(host) = host else {
            self.own.entry(source).or_default().observe(seen.event);
            return None;
        };
        host_key(source, &host, name);
        let place = self.hosts.place(name);
        if let Some(span) = self.hosts.get_mut(place) {
            span.observe(seen.event);
        }
        Some(place)
    }

    /// Counts when.
    fn count(&mut self, slip: Slip, measure: &Measure) {
        let span = match slip.host {
            Some(place) => self.hosts.get_mut(place),
            None => Some(self.own.entry(slip.source).or_default()),
        };
        if let Some(span) = span {
            span.count(measure);
        }
    }

    /// Takes a request back.
    fn retract(&mut self, slip: Slip) {
        if let Some(counts) = self.resources.get_mut(slip.resource) {
            counts.count(&slip.facts, |count| *count = count.saturating_sub(1));
        }
        if let Some(client) = self.clients.get_mut(slip.client) {
            client.requests = client.requests.saturating_sub(1);
        }
        self.marks.take(slip.facts.marks);
    }

    /// Puts the findings together with the account and what the names of the files tell.
    pub fn finish(self, account: &Account, files: &[LogFile]) -> Inspection {
        let coverage = coverage(self.own, self.hosts.finish(), account, files);
        let resources = self.resources.finish();
        let mut stages = [0; 5];
        for source in &account.sources {
            stages.iter_mut().zip(source.evidence.stages).for_each(|(sum, count)| *sum += count);
        }
        let ground = Ground {
            resources: &resources,
            marks: &self.marks,
            stages,
            managed_fields: self.managed_fields,
            logs: coverage.logs.iter().filter(|log| log.requests > 0).count(),
        };
        let blind_spots = blind_spots(&ground);
        let ids = skew::findings(self.sightings, |source, host| clock(&coverage, source, host));
        Inspection {
            blind_spots,
            ids,
            unfinished: unfinished::rows(self.open),
            bodies: bodies(resources.entries),
            clients: clients::rows(self.clients),
            marks: self.marks,
            stages,
            coverage,
        }
    }
}

/// Whose clock it is: the host's, or where that is not known the log's.
fn clock(coverage: &Coverage, source: u32, host: u64) -> Option<String> {
    let log = if host == 0 {
        *coverage.log_of_file.get(source as usize)?
    } else {
        *coverage.log_of_host.iter().find(|(name, _)| skew::host_hash(name) == host)?.1
    };
    let log = coverage.logs.get(log)?;
    Some(log.host.clone().unwrap_or_else(|| log.name.clone()))
}

/// The answer.
#[derive(Debug)]
pub struct Inspection {
    /// Which times the files and logs cover.
    pub coverage: Coverage,
    /// What seems to be left out.
    pub blind_spots: Vec<BlindSpotRow>,
    /// Requests without their end.
    pub unfinished: Vec<OpenRow>,
    /// Bodies that were removed or are missing, by resource.
    pub bodies: Vec<BodiesRow>,
    /// Programs and versions.
    pub clients: Clients,
    /// What audit ids tell: clocks, and ids of several users.
    pub ids: IdFindings,
    /// What is sensitive or not valid.
    pub marks: MarkCounts,
    /// Events by the rank of their stage.
    pub stages: [u64; 5],
}

/// Bodies of one resource that are not there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BodiesRow {
    /// The resource.
    pub resource: String,
    /// Requests by [`BODIES`].
    pub counts: [u64; BODIES.len()],
    /// Audit ids of some.
    pub examples: Vec<String>,
}

/// Most first.
fn bodies(resources: Vec<(Box<[u8]>, ResourceCounts)>) -> Vec<BodiesRow> {
    let lacking = resources.into_iter().filter(|(_, counts)| counts.bodies.iter().any(|count| *count > 0));
    let mut rows: Vec<BodiesRow> = lacking
        .map(|(name, counts)| BodiesRow {
            resource: String::from_utf8_lossy(&name).into_owned(),
            counts: counts.bodies,
            examples: counts.examples.ids(),
        })
        .collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.counts.iter().sum::<u64>()), row.resource.clone()));
    rows
}

impl Question for Inspect {
    type Partial = Findings;

    /// A request is taken back from the partial of its own chunk, which is at hand until it is handed on.
    const IN_ORDER: bool = true;

    const COUNTS: bool = true;

    fn empty(&self) -> Findings {
        Findings::default()
    }

    fn observe(&self, partial: &mut Findings, seen: &Seen<'_, '_>) -> Slot {
        let slip = partial.observe(seen);
        partial.slips.push(slip);
        Slot(partial.slips.len() as u32 - 1)
    }

    fn amend(&self, _: &mut Findings, _: Slot, _: Amendment) {}

    fn count(&self, partial: &mut Findings, requests: &[Measured]) {
        for Measured { slot, measure } in requests {
            if let Some(&slip) = partial.slips.get(slot.0 as usize) {
                partial.count(slip, measure);
            }
        }
    }

    fn retract(&self, partial: &mut Findings, slot: Slot) {
        if let Some(&slip) = partial.slips.get(slot.0 as usize) {
            partial.retract(slip);
        }
    }

    fn merge(&self, into: &mut Findings, from: Findings) {
        for (source, span) in from.own {
            into.own.entry(source).or_default().add(span);
        }
        into.hosts.merge(from.hosts);
        into.resources.merge(from.resources);
        into.clients.merge(from.clients);
        into.open.merge(from.open);
        into.marks.add(from.marks);
        into.sightings.add(from.sightings);
        into.managed_fields |= from.managed_fields;
        // What is joined can no longer be taken back, and places have changed.
        into.slips = Vec::new();
    }

    fn weight(&self, partial: &Findings) -> usize {
        const NAMED: usize = 512;
        let named = partial.hosts.len() + partial.resources.len() + partial.clients.len() + partial.open.len();
        partial.slips.len() * size_of::<Slip>() + partial.sightings.weight() + named * NAMED
    }
}
