//! PodDisruptionBudgets as the log shows them: the latest of each, whom it selects, and what is wrong with it.

use std::collections::BTreeMap;

use super::body::{at, int_or_percent, integer, text};
use crate::aggregate::Position;
use crate::event::{RawJson, Timestamp};

/// A budget as it was when it was last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// `spec.minAvailable`, a number or a percentage.
    pub min_available: Option<String>,
    /// `spec.maxUnavailable`, a number or a percentage.
    pub max_unavailable: Option<String>,
    /// `spec.unhealthyPodEvictionPolicy`.
    pub unhealthy_policy: Option<String>,
    /// `spec.selector`; absent selects nothing.
    pub selector: Option<Selector>,
    /// Whether the object is of `policy/v1beta1`, where an empty selector selects nothing.
    pub beta: bool,
    /// `status.disruptionsAllowed`.
    pub allowed: Option<i64>,
    /// `status.currentHealthy`.
    pub current: Option<i64>,
    /// `status.desiredHealthy`.
    pub desired: Option<i64>,
    /// `status.expectedPods`.
    pub expected: Option<i64>,
}

impl Budget {
    /// Reads a budget object; nothing if it is something else.
    pub(super) fn read(object: RawJson<'_>) -> Option<Budget> {
        let spec = at(Some(object), &["spec"])?;
        let mut budget = Budget {
            beta: text(object.get(b"apiVersion")).as_deref() == Some("policy/v1beta1"),
            allowed: integer(at(Some(object), &["status", "disruptionsAllowed"])),
            current: integer(at(Some(object), &["status", "currentHealthy"])),
            desired: integer(at(Some(object), &["status", "desiredHealthy"])),
            expected: integer(at(Some(object), &["status", "expectedPods"])),
            ..Budget::default()
        };
        budget.change(spec);
        Some(budget)
    }

    /// Applies what a merge patch says about `spec`; `null` removes.
    pub(super) fn change(&mut self, spec: RawJson<'_>) {
        if let Some(value) = spec.get(b"minAvailable") {
            self.min_available = int_or_percent(Some(value));
        }
        if let Some(value) = spec.get(b"maxUnavailable") {
            self.max_unavailable = int_or_percent(Some(value));
        }
        if let Some(value) = spec.get(b"unhealthyPodEvictionPolicy") {
            self.unhealthy_policy = text(Some(value)).map(|text| text.into_owned());
        }
        if let Some(value) = spec.get(b"selector") {
            self.selector = (!value.is_null()).then(|| Selector::read(value));
        }
    }

    /// Its limit in words: `minAvailable 2`.
    pub fn limit(&self) -> Option<String> {
        let min = self.min_available.as_ref().map(|value| format!("minAvailable {value}"));
        let max = self.max_unavailable.as_ref().map(|value| format!("maxUnavailable {value}"));
        let limits: Vec<String> = min.into_iter().chain(max).collect();
        (!limits.is_empty()).then(|| limits.join(", "))
    }

    /// Whether it covers a pod with these labels (`key=value`, one on a line).
    pub(super) fn covers(&self, labels: &str) -> bool {
        let Some(selector) = &self.selector else { return false };
        if selector.is_empty() { !self.beta } else { selector.matches(labels) }
    }

    /// What is wrong with it.
    pub(super) fn findings(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.max_unavailable.is_some() && self.min_available.is_some() {
            found.push("minAvailable and maxUnavailable are both set, which the API refuses".to_owned());
        }
        if let Some(max) = self.max_unavailable.as_ref().filter(|max| percent_or_number(max) == Some(0)) {
            found.push(format!("allows no eviction ever: maxUnavailable is {max}"));
        }
        let all = self.min_available.as_ref().filter(|min| min.ends_with('%'));
        if let Some(min) = all.filter(|min| percent_or_number(min).is_some_and(|percent| percent >= 100)) {
            found.push(format!("allows no eviction ever: minAvailable is {min}"));
        } else if found.is_empty() {
            found.extend(self.needs_all());
        }
        match &self.selector {
            None => found.push("has no selector, so it covers no pod".to_owned()),
            Some(selector) if selector.is_empty() && self.beta => {
                found.push("its selector is empty, which covers no pod in policy/v1beta1".to_owned());
            }
            Some(selector) if selector.is_empty() => {
                found.push("its selector is empty, so it covers every pod of the namespace".to_owned());
            }
            Some(_) if self.expected == Some(0) => found.push("covers no pod: expectedPods is 0".to_owned()),
            Some(_) => {}
        }
        found
    }

    /// A budget that needs as many healthy pods as there are allows no eviction either.
    fn needs_all(&self) -> Option<String> {
        let (expected, min) = (self.expected.filter(|pods| *pods > 0)?, self.min_available.as_ref()?);
        let desired = self.desired.or_else(|| min.parse().ok())?;
        (desired >= expected).then(|| {
            let needs = match expected {
                _ if desired > expected => format!("more than the {expected} that there are"),
                1 => "its only pod".to_owned(),
                _ => format!("all of its {expected} pods"),
            };
            format!("allows no eviction while it covers no more pods: minAvailable {min} needs {needs}")
        })
    }
}

/// The number before a `%`, or the number.
fn percent_or_number(value: &str) -> Option<i64> {
    value.strip_suffix('%').unwrap_or(value).parse().ok()
}

/// A label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// `matchLabels`, sorted.
    labels: Vec<(String, String)>,
    /// `matchExpressions`: key, operator, values.
    expressions: Vec<(String, String, Vec<String>)>,
}

impl Selector {
    fn read(value: RawJson<'_>) -> Selector {
        let owned = |value: Option<RawJson<'_>>| text(value).unwrap_or_default().into_owned();
        let mut labels: Vec<(String, String)> = at(Some(value), &["matchLabels"])
            .into_iter()
            .flat_map(RawJson::members)
            .map(|(key, value)| (key.to_str_lossy().into_owned(), owned(Some(value))))
            .collect();
        labels.sort();
        let expressions = at(Some(value), &["matchExpressions"])
            .into_iter()
            .flat_map(RawJson::elements)
            .map(|expression| {
                let values = expression.get(b"values").into_iter().flat_map(RawJson::elements);
                let values = values.map(|value| owned(Some(value))).collect();
                (owned(expression.get(b"key")), owned(expression.get(b"operator")), values)
            })
            .collect();
        Selector { labels, expressions }
    }

    fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.expressions.is_empty()
    }

    /// Whether labels (`key=value`, one on a line) match. Source: apimachinery's LabelSelectorAsSelector.
    fn matches(&self, labels: &str) -> bool {
        let value = |key: &str| labels.lines().filter_map(|label| label.split_once('=')).find(|(k, _)| *k == key);
        let value = |key: &str| value(key).map(|(_, value)| value);
        self.labels.iter().all(|(key, wanted)| value(key) == Some(wanted))
            && self.expressions.iter().all(|(key, operator, values)| {
                let found = value(key);
                let among = found.is_some_and(|found| values.iter().any(|value| value == found));
                match operator.as_str() {
                    "In" => among,
                    "NotIn" => !among,
                    "Exists" => found.is_some(),
                    "DoesNotExist" => found.is_none(),
                    _ => false,
                }
            })
    }

    /// As kubectl writes selectors.
    pub fn shown(&self) -> String {
        let labels = self.labels.iter().map(|(key, value)| format!("{key}={value}"));
        let expressions = self.expressions.iter().map(|(key, operator, values)| match operator.as_str() {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.clone(),
            "DoesNotExist" => format!("!{key}"),
            _ => format!("{key} {operator} ({})", values.join(",")),
        });
        labels.chain(expressions).collect::<Vec<_>>().join(",")
    }
}

/// Namespace and name.
pub(super) type Key = (String, String);

/// When something was so.
pub(super) type When = (Timestamp, Position);

/// The latest of each budget that was seen whole: what it demands, and what its status was.
///
/// The two are kept apart, as what is written by people has no status, and so that what is known in the end
/// does not depend on the order in which parts of the log are joined.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshots {
    specs: BTreeMap<Key, (When, Budget)>,
    statuses: BTreeMap<Key, (When, Budget)>,
    charged: Charges,
}

/// Which budgets evicted pods were taken off, by namespace and name of the pod. A name can be evicted many
/// times, so each mark in `disruptedPods` is kept by its text, with when it was first seen.
pub(super) type Charges = BTreeMap<Key, BTreeMap<Box<str>, (When, String)>>;

impl Snapshots {
    /// Takes a budget that was so at that moment.
    pub(super) fn observe(&mut self, key: Key, when: When, budget: &Budget) {
        if budget.expected.is_some() {
            keep_latest(&mut self.statuses, key.clone(), when, budget.clone());
        }
        keep_latest(&mut self.specs, key, when, budget.clone());
    }

    /// Takes what a budget's status says about evicted pods: `disruptedPods`.
    pub(super) fn charged(&mut self, namespace: &str, budget: &str, when: When, object: RawJson<'_>) {
        let pods = at(Some(object), &["status", "disruptedPods"]);
        for (pod, mark) in pods.into_iter().flat_map(RawJson::members) {
            let key = (namespace.to_owned(), pod.to_str_lossy().into_owned());
            let mark = text(Some(mark)).unwrap_or_default();
            self.charge(key, mark.into(), when, budget.to_owned());
        }
    }

    fn charge(&mut self, pod: Key, mark: Box<str>, when: When, budget: String) {
        let marks = self.charged.entry(pod).or_default();
        if marks.get(&mark).is_none_or(|(known, _)| *known > when) {
            marks.insert(mark, (when, budget));
        }
    }

    pub(super) fn merge(&mut self, from: Snapshots) {
        for (pod, marks) in from.charged {
            for (mark, (when, budget)) in marks {
                self.charge(pod.clone(), mark, when, budget);
            }
        }
        for (key, (when, budget)) in from.specs {
            keep_latest(&mut self.specs, key, when, budget);
        }
        for (key, (when, budget)) in from.statuses {
            keep_latest(&mut self.statuses, key, when, budget);
        }
    }

    /// Each budget with its latest status, and when what it demands was seen; and the budgets of evicted pods.
    pub(super) fn finish(self) -> (BTreeMap<Key, (When, Budget)>, Charges) {
        let mut latest = self.specs;
        for (key, (_, status)) in self.statuses {
            if let Some((_, budget)) = latest.get_mut(&key) {
                (budget.allowed, budget.current) = (status.allowed, status.current);
                (budget.desired, budget.expected) = (status.desired, status.expected);
            }
        }
        (latest, self.charged)
    }
}

fn keep_latest(map: &mut BTreeMap<Key, (When, Budget)>, key: Key, when: When, budget: Budget) {
    if map.get(&key).is_none_or(|(known, _)| *known < when) {
        map.insert(key, (when, budget));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(json: &'static str) -> Budget {
        Budget::read(RawJson(json.as_bytes())).unwrap()
    }

    #[test]
    fn impossible_budgets_are_pointed_out() {
        let findings = |json| budget(json).findings().join("; ");
        let selector = r#""selector":{"matchLabels":{"app":"db"}}"#;
        let of = |spec: &str| -> &'static str {
            Box::leak(
                format!(r#"{{"spec":{{{spec},{selector}}},"status":{{"expectedPods":3,"desiredHealthy":3}}}}"#).into(),
            )
        };
        assert_eq!(findings(of(r#""maxUnavailable":0"#)), "allows no eviction ever: maxUnavailable is 0");
        assert_eq!(findings(of(r#""maxUnavailable":"0%""#)), "allows no eviction ever: maxUnavailable is 0%");
        assert_eq!(findings(of(r#""minAvailable":"100%""#)), "allows no eviction ever: minAvailable is 100%");
        assert!(findings(of(r#""minAvailable":"67%""#)).contains("needs all of its 3 pods"));
        let more = r#"{"spec":{"minAvailable":5,"selector":{"matchLabels":{"app":"db"}}},"status":{"expectedPods":3,"desiredHealthy":5}}"#;
        assert!(findings(more).contains("minAvailable 5 needs more than the 3 that there are"));
        assert!(findings(of(r#""minAvailable":1,"maxUnavailable":1"#)).contains("both set"));
        assert_eq!(findings(of(r#""maxUnavailable":"25%""#)), "");
    }

    #[test]
    fn selectors_match_as_the_api_says() {
        let json = r#"{"spec":{"selector":{"matchLabels":{"app":"web"},"matchExpressions":[
            {"key":"tier","operator":"In","values":["a","b"]},{"key":"old","operator":"DoesNotExist"}]}}}"#;
        let selective = budget(json);
        assert_eq!(selective.selector.as_ref().unwrap().shown(), "app=web,tier in (a,b),!old");
        assert!(selective.covers("app=web\ntier=b"));
        assert!(!selective.covers("app=web\nold=1\ntier=b"));
        assert!(!selective.covers("app=web"));
        assert!(budget(r#"{"spec":{"selector":{}}}"#).covers("x=y"));
        assert!(!budget(r#"{"apiVersion":"policy/v1beta1","spec":{"selector":{}}}"#).covers("x=y"));
        assert!(!budget(r#"{"spec":{}}"#).covers("x=y"));
    }
}
