//! Who still uses deprecated or removed versions of the API.
//!
//! API servers since 1.19 say so themselves, with the annotations `k8s.io/deprecated` and
//! `k8s.io/removed-release`. Older ones do not, nor does a server that no longer knows the version and
//! answers 404: there, the removals of the Kubernetes deprecation guide tell.

use std::cmp::Reverse;

use super::{Names, Values};
use crate::aggregate::groups::Groups;
use crate::aggregate::key::Key;
use crate::aggregate::stats::Stats;
use crate::aggregate::{Amendment, Measured, Question, Seen, Slot};
use crate::event::{Event, Text};
use crate::query::Filter;

/// What uses are grouped by unless told otherwise.
pub const KEYS: [Key; 2] = [Key::User, Key::UserAgent];

/// A minor release of Kubernetes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Release(pub u32, pub u32);

impl Release {
    /// Reads `1.25`; `v1.25.3` means the same.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.all(|part| part.parse::<u32>().is_ok()).then_some(Release(major, minor))
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// A version of the API that is no longer served: group, version, its resources (all, if none is named), the
/// first minor release of Kubernetes 1 without it, and what to use instead.
type Removal = (&'static str, &'static str, &'static [&'static str], u32, &'static str);

/// The removals of built-in versions, from the Kubernetes deprecation guide. Where later releases brought the
/// version back for other resources, only those removed are named.
const REMOVALS: [Removal; 29] = [
    ("extensions", "v1beta1", &["daemonsets", "deployments", "replicasets"], 16, "apps/v1"),
    ("extensions", "v1beta1", &["networkpolicies"], 16, "networking.k8s.io/v1"),
    ("extensions", "v1beta1", &["podsecuritypolicies"], 16, "Pod Security admission"),
    ("extensions", "v1beta1", &["ingresses"], 22, "networking.k8s.io/v1"),
    ("apps", "v1beta1", &[], 16, "apps/v1"),
    ("apps", "v1beta2", &[], 16, "apps/v1"),
    (
        "admissionregistration.k8s.io",
        "v1beta1",
        &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
        22,
        "admissionregistration.k8s.io/v1",
    ),
    ("apiextensions.k8s.io", "v1beta1", &[], 22, "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io", "v1beta1", &[], 22, "apiregistration.k8s.io/v1"),
    ("authentication.k8s.io", "v1beta1", &["tokenreviews"], 22, "authentication.k8s.io/v1"),
    ("authorization.k8s.io", "v1beta1", &[], 22, "authorization.k8s.io/v1"),
    ("certificates.k8s.io", "v1beta1", &["certificatesigningrequests"], 22, "certificates.k8s.io/v1"),
    ("coordination.k8s.io", "v1beta1", &["leases"], 22, "coordination.k8s.io/v1"),
    ("networking.k8s.io", "v1beta1", &["ingresses", "ingressclasses"], 22, "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io", "v1beta1", &[], 22, "rbac.authorization.k8s.io/v1"),
    ("scheduling.k8s.io", "v1beta1", &["priorityclasses"], 22, "scheduling.k8s.io/v1"),
    (
        "storage.k8s.io",
        "v1beta1",
        &["csidrivers", "csinodes", "storageclasses", "volumeattachments"],
        22,
        "storage.k8s.io/v1",
    ),
    ("batch", "v1beta1", &[], 25, "batch/v1"),
    ("discovery.k8s.io", "v1beta1", &[], 25, "discovery.k8s.io/v1"),
    ("events.k8s.io", "v1beta1", &[], 25, "events.k8s.io/v1"),
    ("autoscaling", "v2beta1", &[], 25, "autoscaling/v2"),
    ("policy", "v1beta1", &["poddisruptionbudgets"], 25, "policy/v1"),
    ("policy", "v1beta1", &["podsecuritypolicies"], 25, "Pod Security admission"),
    ("node.k8s.io", "v1beta1", &[], 25, "node.k8s.io/v1"),
    ("autoscaling", "v2beta2", &[], 26, "autoscaling/v2"),
    ("flowcontrol.apiserver.k8s.io", "v1beta1", &[], 26, "flowcontrol.apiserver.k8s.io/v1"),
    ("storage.k8s.io", "v1beta1", &["csistoragecapacities"], 27, "storage.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io", "v1beta2", &[], 29, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io", "v1beta3", &[], 32, "flowcontrol.apiserver.k8s.io/v1"),
];

/// The removal of a version of a resource, if it is known.
fn removal(group: &[u8], version: &[u8], resource: &[u8]) -> Option<&'static Removal> {
    // Versions that were removed are betas; most requests are about others.
    memchr::memmem::find(version, b"beta")?;
    REMOVALS.iter().find(|(of, at, resources, ..)| {
        of.as_bytes() == group
            && at.as_bytes() == version
            && (resources.is_empty() || resources.iter().any(|name| name.as_bytes() == resource))
    })
}

/// How it is known that a version is deprecated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// The server says so.
    Annotation,
    /// By the version: it is one of those that were removed.
    Version,
}

impl Known {
    /// Its name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Known::Annotation => "annotation",
            Known::Version => "version",
        }
    }
}

/// The question: who uses deprecated versions.
pub struct Deprecated {
    /// Which requests count.
    pub filter: Filter,
    /// What uses are grouped by.
    pub keys: Vec<Key>,
}

/// A partial answer to [`Deprecated`].
#[derive(Clone, Default)]
pub struct DeprecatedPartial {
    names: Names,
    groups: Groups<Stats>,
}

/// Uses of a deprecated version by one group.
#[derive(Clone, Debug)]
pub struct DeprecatedRow {
    /// `policy`; empty is the core group.
    pub group: String,
    /// `v1beta1`.
    pub version: String,
    /// `poddisruptionbudgets`.
    pub resource: String,
    /// The first release without it, if a removal is known.
    pub removed_in: Option<Release>,
    /// What to use instead, if that is known.
    pub instead: Option<&'static str>,
    /// How it is known.
    pub known: Known,
    /// The key values of the group.
    pub values: Values,
    /// What is counted.
    pub stats: Stats,
}

/// Uses of deprecated versions: soonest removed first, then most requests.
#[derive(Clone, Debug)]
pub struct DeprecatedAnswer {
    /// How many requests.
    pub requests: u64,
    /// By version and group.
    pub rows: Vec<DeprecatedRow>,
}

impl DeprecatedPartial {
    /// The answer; with `removed_in` only what is gone in that release.
    pub fn finish(self, removed_in: Option<Release>) -> DeprecatedAnswer {
        let groups = self.groups.into_groups().filter(|(_, stats)| stats.count > 0);
        let mut rows: Vec<DeprecatedRow> = groups.filter_map(|(values, stats)| row(values, stats)).collect();
        if let Some(limit) = removed_in {
            rows.retain(|row| row.removed_in.is_some_and(|release| release <= limit));
        }
        rows.sort_by_cached_key(|row| {
            let never = row.removed_in.is_none();
            let api = (row.group.clone(), row.version.clone(), row.resource.clone());
            (never, row.removed_in, Reverse(row.stats.count), api, row.values.clone(), row.known.name())
        });
        DeprecatedAnswer { requests: rows.iter().map(|row| row.stats.count).sum(), rows }
    }
}

fn row(mut values: Values, stats: Stats) -> Option<DeprecatedRow> {
    let own = values.split_off(values.len().checked_sub(OWN)?);
    let text = |at: usize| own.get(at).cloned().flatten().map(|value| String::from_utf8_lossy(&value).into_owned());
    let (group, version, resource) =
        (text(0).unwrap_or_default(), text(1).unwrap_or_default(), text(2).unwrap_or_default());
    let by_version = removal(group.as_bytes(), version.as_bytes(), resource.as_bytes());
    let known = if text(4).is_some() { Known::Annotation } else { Known::Version };
    let removed_in = match known {
        Known::Annotation => text(3).and_then(|release| Release::parse(&release)),
        Known::Version => by_version.map(|removal| Release(1, removal.3)),
    };
    let instead = by_version.map(|removal| removal.4);
    Some(DeprecatedRow { group, version, resource, removed_in, instead, known, values, stats })
}

/// So many values name the version: group, version, resource, the server's release, and whether it said so.
const OWN: usize = 5;

/// The names in question need no escapes, so what has some is none of them.
fn raw<'a>(text: Option<Text<'a>>) -> &'a [u8] {
    text.map_or(b"", Text::raw)
}

/// Names the version of a request, if it is deprecated.
fn name(event: &Event<'_>, names: &mut Names) -> bool {
    let said = event.annotation(b"k8s.io/deprecated").is_some_and(|value| value.eq_bytes(b"true"));
    let Some(object) = event.object_ref else { return false };
    if !said && removal(raw(object.api_group), raw(object.api_version), raw(object.resource)).is_none() {
        return false;
    }
    names.push(object.api_group);
    names.push(object.api_version);
    names.push(object.resource);
    names.push(event.annotation(b"k8s.io/removed-release").filter(|_| said));
    names.push(said.then_some(Text::plain(b"true")));
    true
}

impl Question for Deprecated {
    type Partial = DeprecatedPartial;

    const IN_ORDER: bool = false;

    const COUNTS: bool = true;

    fn empty(&self) -> DeprecatedPartial {
        DeprecatedPartial::default()
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn observe(&self, partial: &mut DeprecatedPartial, seen: &Seen<'_, '_>) -> Slot {
        if !seen.matches(&self.filter) {
            return Slot::NONE;
        }
        let DeprecatedPartial { names, groups } = partial;
        names.clear();
        names.keys(&self.keys, seen);
        if !name(seen.event, names) {
            return Slot::NONE;
        }
        Slot(groups.find_encoded(&names.encoded))
    }

    fn amend(&self, partial: &mut DeprecatedPartial, slot: Slot, amendment: Amendment) {
        if let Some(stats) = partial.groups.get_mut(slot.0) {
            stats.amend(amendment);
        }
    }

    fn count(&self, partial: &mut DeprecatedPartial, requests: &[Measured]) {
        for Measured { slot, measure } in requests {
            if let Some(stats) = partial.groups.get_mut(slot.0) {
                stats.count(measure);
            }
        }
    }

    fn merge(&self, into: &mut DeprecatedPartial, from: DeprecatedPartial) {
        into.groups.merge(from.groups, Stats::merge);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_compare_by_number() {
        let parsed = ["1.25", "v1.9.3", "1.x", "25", ""].map(Release::parse);
        assert_eq!(parsed, [Some(Release(1, 25)), Some(Release(1, 9)), None, None, None]);
        assert!(Release(1, 9) < Release(1, 25));
    }

    #[test]
    fn removals_name_what_was_removed_and_nothing_newer() {
        let removed = |group: &str, version: &str, resource: &str| {
            removal(group.as_bytes(), version.as_bytes(), resource.as_bytes()).map(|removal| removal.3)
        };
        assert_eq!(removed("extensions", "v1beta1", "ingresses"), Some(22));
        assert_eq!(removed("policy", "v1beta1", "podsecuritypolicies"), Some(25));
        assert_eq!(removed("batch", "v1beta1", "cronjobs"), Some(25));
        assert_eq!(removed("batch", "v1", "cronjobs"), None);
        assert_eq!(removed("networking.k8s.io", "v1beta1", "ipaddresses"), None);
        assert_eq!(removed("storage.k8s.io", "v1beta1", "volumeattributesclasses"), None);
    }
}
