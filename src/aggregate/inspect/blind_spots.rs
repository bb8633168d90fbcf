//! What the audit policy, or whatever stands between the server and this log, seems to leave out.
//!
//! A log cannot show what is not in it, so each of these is inferred: something that every cluster has
//! is not here, although the log is large enough to expect it. The count each one rests on is told.

use super::capped::Kept;
use super::marks::{Mark, MarkCounts};
use super::resources::{ResourceCounts, VERBS};
use crate::event::Stage;

/// Something that seems to be left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlindSpot {
    /// Every request is at level Metadata.
    BodiesNotRecorded,
    /// No request is at level RequestResponse.
    ResponsesNotRecorded,
    /// These resources are at Metadata although others have bodies.
    MetadataOnly,
    /// The text formats hold neither level, bodies nor annotations.
    TextFormat,
    /// No RequestReceived.
    RequestReceivedOmitted,
    /// No ResponseStarted, though there are requests that have one.
    ResponseStartedOmitted,
    /// No ResponseComplete.
    ResponseCompleteOmitted,
    /// No get, list or watch at all.
    NoReads,
    /// No get, list or watch of these resources.
    NoReadsOf,
    /// No create, update, patch or delete at all.
    NoWrites,
    /// These resources do not occur.
    NeverSeen,
    /// No failed authentication.
    NoFailedAuthentication,
    /// No paths that are no resources, such as `/healthz`.
    NoNonResource,
    /// No kubelet.
    NoNodes,
    /// No kube-proxy.
    NoKubeProxy,
    /// No scheduler.
    NoScheduler,
    /// No controller manager.
    NoControllerManager,
    /// No service account.
    NoServiceAccounts,
    /// No annotations.
    NoAnnotations,
    /// No user agents.
    NoUserAgents,
    /// No managed fields in bodies.
    ManagedFieldsOmitted,
    /// All requests are from one API server.
    OneApiServer,
}

impl BlindSpot {
    /// Its name in JSON, which does not change.
    pub const fn id(self) -> &'static str {
        match self {
            BlindSpot::BodiesNotRecorded => "bodies-not-recorded",
            BlindSpot::ResponsesNotRecorded => "responses-not-recorded",
            BlindSpot::MetadataOnly => "metadata-only",
            BlindSpot::TextFormat => "text-format",
            BlindSpot::RequestReceivedOmitted => "request-received-omitted",
            BlindSpot::ResponseStartedOmitted => "response-started-omitted",
            BlindSpot::ResponseCompleteOmitted => "response-complete-omitted",
            BlindSpot::NoReads => "no-reads",
            BlindSpot::NoReadsOf => "no-reads-of",
            BlindSpot::NoWrites => "no-writes",
            BlindSpot::NeverSeen => "never-seen",
            BlindSpot::NoFailedAuthentication => "no-failed-authentication",
            BlindSpot::NoNonResource => "no-non-resource",
            BlindSpot::NoNodes => "no-nodes",
            BlindSpot::NoKubeProxy => "no-kube-proxy",
            BlindSpot::NoScheduler => "no-scheduler",
            BlindSpot::NoControllerManager => "no-controller-manager",
            BlindSpot::NoServiceAccounts => "no-service-accounts",
            BlindSpot::NoAnnotations => "no-annotations",
            BlindSpot::NoUserAgents => "no-user-agents",
            BlindSpot::ManagedFieldsOmitted => "managed-fields-omitted",
            BlindSpot::OneApiServer => "one-api-server",
        }
    }
}

/// A blind spot and what it rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlindSpotRow {
    /// What seems to be left out.
    pub what: BlindSpot,
    /// How many requests (for stages, events) it rests on.
    pub count: u64,
    /// The resources it is about.
    pub names: Vec<String>,
}

/// What blind spots are inferred from.
pub struct Ground<'a> {
    /// Counts by resource.
    pub resources: &'a Kept<ResourceCounts>,
    /// Counts of everything.
    pub marks: &'a MarkCounts,
    /// Events by the rank of their stage.
    pub stages: [u64; 5],
    /// Whether managed fields were seen.
    pub managed_fields: bool,
    /// How many logs there are.
    pub logs: usize,
}

/// From so many requests on it is expected that whatever happens all the time happened.
pub const LARGE: u64 = 1000;

/// From so many on, that what every request has was seen.
pub const SOME: u64 = 20;

/// Resources worth asking after, because secrets, rights and shells are what an incident is about.
const WATCHED: [&str; 6] = [
    "secrets",
    "configmaps",
    "pods/exec",
    "serviceaccounts/token",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
];

/// Everything that seems to be left out.
pub fn blind_spots(ground: &Ground<'_>) -> Vec<BlindSpotRow> {
    let mut found = Vec::new();
    levels(ground, &mut found);
    stages(ground, &mut found);
    verbs(ground, &mut found);
    who_and_what(ground, &mut found);
    fields(ground, &mut found);
    found
}

fn tell(found: &mut Vec<BlindSpotRow>, what: BlindSpot, count: u64, is_so: bool) {
    if is_so {
        found.push(BlindSpotRow { what, count, names: Vec::new() });
    }
}

impl Ground<'_> {
    fn total(&self, pick: impl Fn(&ResourceCounts) -> u64) -> u64 {
        let rest = self.resources.rest.iter();
        self.resources.entries.iter().map(|(_, counts)| counts).chain(rest).map(pick).sum()
    }

    fn requests(&self) -> u64 {
        self.total(ResourceCounts::requests)
    }

    fn level(&self, at: usize) -> u64 {
        self.total(|counts| counts.levels[at])
    }

    /// The counts of a resource; zero if it does not occur.
    fn of(&self, name: &str) -> ResourceCounts {
        let found = self.resources.entries.iter().find(|(known, _)| **known == *name.as_bytes());
        found.map(|(_, counts)| counts.clone()).unwrap_or_default()
    }
}

/// Requests with verbs that read, and with verbs that write.
fn reads_and_writes(counts: &ResourceCounts) -> (u64, u64) {
    let sum = |names: &[&str]| {
        VERBS.iter().zip(counts.verbs).filter(|(verb, _)| names.contains(verb)).map(|(_, count)| count).sum()
    };
    (sum(&["get", "list", "watch"]), sum(&["create", "update", "patch", "delete", "deletecollection"]))
}

fn levels(ground: &Ground<'_>, found: &mut Vec<BlindSpotRow>) {
    let (metadata, request, whole) = (ground.level(0), ground.level(1), ground.level(2));
    let known = metadata + request + whole;
    let text = ground.marks.of(Mark::TextFormat);
    tell(found, BlindSpot::TextFormat, text, text > 0);
    if known >= SOME && request + whole == 0 {
        return tell(found, BlindSpot::BodiesNotRecorded, known, true);
    }
    tell(found, BlindSpot::ResponsesNotRecorded, known, known >= SOME && request > 0 && whole == 0);
    let only_metadata = |counts: &ResourceCounts| {
        let (_, writes) = reads_and_writes(counts);
        counts.levels[0] > 0 && counts.levels[1] + counts.levels[2] == 0 && writes > 0
    };
    let named: Vec<_> =
        ground.resources.entries.iter().filter(|(name, counts)| has_bodies(name) && only_metadata(counts)).collect();
    if request + whole > 0 && !named.is_empty() {
        let count = named.iter().map(|(_, counts)| counts.requests()).sum();
        let mut names: Vec<(u64, String)> = named
            .iter()
            .map(|(name, counts)| (counts.requests(), String::from_utf8_lossy(name).into_owned()))
            .collect();
        // Those that matter most first, then the most frequent.
        names.sort_by_key(|(count, name)| (!WATCHED.contains(&name.as_str()), std::cmp::Reverse(*count), name.clone()));
        let names = names.into_iter().map(|(_, name)| name).collect();
        found.push(BlindSpotRow { what: BlindSpot::MetadataOnly, count, names });
    }
}

/// Whether requests for a resource of that name have bodies: those that connect to a container have none.
fn has_bodies(name: &[u8]) -> bool {
    const WITHOUT: [&[u8]; 5] = [b"/exec", b"/attach", b"/portforward", b"/proxy", b"/log"];
    !name.is_empty() && !WITHOUT.iter().any(|ending| name.ends_with(ending))
}

fn stages(ground: &Ground<'_>, found: &mut Vec<BlindSpotRow>) {
    let seen = |stage: Stage<'_>| ground.stages[usize::from(stage.rank())];
    let all: u64 = ground.stages.iter().sum();
    let (arrived, started, ended) =
        (seen(Stage::RequestReceived), seen(Stage::ResponseStarted), seen(Stage::ResponseComplete));
    tell(found, BlindSpot::RequestReceivedOmitted, all, all >= SOME && arrived == 0);
    let lasting = ground.marks.of(Mark::LongRunning);
    tell(found, BlindSpot::ResponseStartedOmitted, lasting, lasting >= SOME && started == 0 && ended > 0);
    tell(found, BlindSpot::ResponseCompleteOmitted, all, all >= SOME && ended == 0);
}

fn verbs(ground: &Ground<'_>, found: &mut Vec<BlindSpotRow>) {
    let all = ground.requests();
    let (reads, writes) = (ground.total(|c| reads_and_writes(c).0), ground.total(|c| reads_and_writes(c).1));
    tell(found, BlindSpot::NoReads, all, all >= SOME && reads == 0);
    tell(found, BlindSpot::NoWrites, all, all >= LARGE && writes == 0);
    let unread = |name: &&&str| {
        let counts = ground.of(name);
        counts.requests() >= SOME && reads_and_writes(&counts).0 == 0
    };
    let names: Vec<&&str> = WATCHED[..2].iter().filter(unread).collect();
    if reads > 0 && !names.is_empty() {
        let count = names.iter().map(|name| ground.of(name).requests()).sum();
        let names = names.into_iter().map(|name| (*name).to_owned()).collect();
        found.push(BlindSpotRow { what: BlindSpot::NoReadsOf, count, names });
    }
}

fn who_and_what(ground: &Ground<'_>, found: &mut Vec<BlindSpotRow>) {
    let all = ground.requests();
    if all < LARGE {
        return;
    }
    let never: Vec<String> =
        WATCHED.iter().filter(|name| ground.of(name).requests() == 0).map(|name| (*name).to_owned()).collect();
    if !never.is_empty() {
        found.push(BlindSpotRow { what: BlindSpot::NeverSeen, count: all, names: never });
    }
    for (what, mark) in [
        (BlindSpot::NoFailedAuthentication, Mark::Unauthorized),
        (BlindSpot::NoNonResource, Mark::NonResource),
        (BlindSpot::NoNodes, Mark::Node),
        (BlindSpot::NoKubeProxy, Mark::KubeProxy),
        (BlindSpot::NoScheduler, Mark::Scheduler),
        (BlindSpot::NoControllerManager, Mark::ControllerManager),
        (BlindSpot::NoServiceAccounts, Mark::ServiceAccount),
    ] {
        tell(found, what, all, ground.marks.of(mark) == 0);
    }
    tell(found, BlindSpot::OneApiServer, all, ground.logs == 1);
}

fn fields(ground: &Ground<'_>, found: &mut Vec<BlindSpotRow>) {
    let events = ground.requests().saturating_sub(ground.marks.of(Mark::TextFormat));
    tell(found, BlindSpot::NoAnnotations, events, events >= SOME && ground.marks.of(Mark::Annotated) == 0);
    tell(found, BlindSpot::NoUserAgents, events, events >= SOME && ground.marks.of(Mark::UserAgent) == 0);
    let objects = ground.marks.of(Mark::SingleObject);
    tell(found, BlindSpot::ManagedFieldsOmitted, objects, objects >= SOME && !ground.managed_fields);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(resources: &[(&str, ResourceCounts)], stages: [u64; 5], logs: usize) -> Vec<(&'static str, u64)> {
        let entries = resources.iter().map(|(name, counts)| (Box::from(name.as_bytes()), counts.clone())).collect();
        let resources = Kept { entries, rest: None };
        let marks = MarkCounts::default();
        let ground = Ground { resources: &resources, marks: &marks, stages, managed_fields: false, logs };
        blind_spots(&ground).into_iter().map(|row| (row.what.id(), row.count)).collect()
    }

    fn counts(get: u64, update: u64, level: usize) -> ResourceCounts {
        let mut counts = ResourceCounts::default();
        (counts.verbs[0], counts.verbs[4], counts.levels[level]) = (get, update, get + update);
        counts
    }

    #[test]
    fn a_small_log_says_nothing() {
        assert_eq!(ids(&[("pods", counts(2, 2, 0))], [0, 0, 0, 4, 0], 1), []);
    }

    #[test]
    fn levels_and_stages() {
        let found = ids(&[("pods", counts(20, 20, 0))], [0, 0, 0, 40, 0], 1);
        assert!(found.contains(&("bodies-not-recorded", 40)), "{found:?}");
        assert!(found.contains(&("request-received-omitted", 40)), "{found:?}");
        let mixed = [("pods", counts(20, 20, 2)), ("secrets", counts(1, 5, 0)), ("pods/exec", counts(0, 5, 0))];
        let found = ids(&mixed, [0, 46, 0, 46, 0], 1);
        assert!(found.contains(&("metadata-only", 6)) && !found.iter().any(|(id, _)| *id == "bodies-not-recorded"));
        assert!(ids(&[("pods", counts(30, 1, 1))], [0, 1, 0, 30, 0], 1).contains(&("responses-not-recorded", 31)));
    }

    #[test]
    fn verbs_that_are_missing() {
        let found = ids(&[("pods", counts(0, 40, 1))], [0, 40, 0, 40, 0], 1);
        assert!(found.contains(&("no-reads", 40)), "{found:?}");
        let found = ids(&[("pods", counts(10, 40, 1)), ("secrets", counts(0, 30, 1))], [0, 40, 0, 40, 0], 1);
        assert!(found.contains(&("no-reads-of", 30)), "{found:?}");
        assert!(ids(&[("pods", counts(2000, 0, 1))], [0, 40, 0, 40, 0], 2).contains(&("no-writes", 2000)));
    }

    #[test]
    fn only_a_large_log_tells_who_is_missing() {
        let found = ids(&[("pods", counts(999, 0, 1))], [0, 999, 0, 999, 0], 1);
        assert!(!found.iter().any(|(id, _)| id.starts_with("no-node")), "{found:?}");
        let found = ids(&[("pods", counts(999, 1, 1))], [0, 999, 0, 999, 0], 1);
        for id in ["no-nodes", "no-kube-proxy", "no-failed-authentication", "never-seen", "one-api-server"] {
            assert!(found.contains(&(id, 1000)), "{id} in {found:?}");
        }
        let found = ids(&[("pods", counts(999, 1, 1))], [0, 999, 0, 999, 0], 2);
        assert!(!found.iter().any(|(id, _)| *id == "one-api-server"));
    }
}
