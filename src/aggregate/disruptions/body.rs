//! What bodies say: options of deletions, refusals, taints, and the facts about a pod.
//!
//! Bodies are walked as they stand in the line; nothing of them is built up but what is noted.

use std::borrow::Cow;

use crate::event::{Event, RawJson};

/// The value at a path of member names.
pub(super) fn at<'a>(value: Option<RawJson<'a>>, path: &[&str]) -> Option<RawJson<'a>> {
    path.iter().try_fold(value?, |value, name| value.get(name.as_bytes())).filter(|value| !value.is_null())
}

/// The text of a string.
pub(super) fn text(value: Option<RawJson<'_>>) -> Option<Cow<'_, str>> {
    value?.as_text().map(|text| text.to_str_lossy())
}

/// A whole number.
pub(super) fn integer(value: Option<RawJson<'_>>) -> Option<i64> {
    std::str::from_utf8(value?.0).ok()?.parse().ok()
}

/// A number or a percentage, as it is written.
pub(super) fn int_or_percent(value: Option<RawJson<'_>>) -> Option<String> {
    match text(value) {
        Some(text) => Some(text.into_owned()),
        None => integer(value).map(|number| number.to_string()),
    }
}

/// Whether a write was only tried out.
pub(super) fn is_dry_run(event: &Event<'_>) -> bool {
    let body = event.request_object;
    let options = at(body, &["dryRun"]).or_else(|| at(body, &["deleteOptions", "dryRun"]));
    options.is_some_and(|list| list.elements().next().is_some()) || event.parameter("dryRun").is_some()
}

/// The grace period a deletion or an eviction asks for.
pub(super) fn requested_grace(event: &Event<'_>) -> Option<i64> {
    let body = event.request_object;
    integer(at(body, &["gracePeriodSeconds"]))
        .or_else(|| integer(at(body, &["deleteOptions", "gracePeriodSeconds"])))
        .or_else(|| event.parameter("gracePeriodSeconds")?.parse().ok())
        .filter(|grace| *grace >= 0)
}

/// Why an eviction was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The PodDisruptionBudget that refused.
    pub(super) budget: Option<Box<str>>,
    /// How many healthy pods it needs.
    pub(super) needs: Option<i64>,
    /// How many there were.
    pub(super) has: Option<i64>,
    /// What the server said.
    pub(super) message: Box<str>,
}

/// Reads a refusal from the status of the response, or from the Status that is its body.
pub(super) fn refusal(event: &Event<'_>) -> Refusal {
    let status = event.response_status.unwrap_or_default();
    let body = event.response_object;
    let details = status.details.or_else(|| at(body, &["details"]));
    let said = status.message.map(|text| text.to_str_lossy()).or_else(|| text(at(body, &["message"])));
    let message = said.unwrap_or_default();
    let cause = at(details, &["causes"])
        .into_iter()
        .flat_map(RawJson::elements)
        .find(|cause| text(at(Some(*cause), &["reason"])).as_deref() == Some("DisruptionBudget"))
        .and_then(|cause| text(at(Some(cause), &["message"])));
    match cause {
        Some(cause) => of_cause(&cause),
        // "pdb disruptions allowed is negative" is a refusal of the budget object itself.
        None if text(at(details, &["kind"])).as_deref() == Some("poddisruptionbudget") => Refusal {
            budget: text(at(details, &["name"])).map(|name| name.into()),
            message: message.into(),
            ..Refusal::default()
        },
        None => Refusal { message: message.into(), ..Refusal::default() },
    }
}

/// Reads `The disruption budget NAME needs 3 healthy pods and has 3 currently` and its relatives.
fn of_cause(message: &str) -> Refusal {
    let Some((name, rest)) = message.strip_prefix("The disruption budget ").and_then(|rest| rest.split_once(' '))
    else {
        return Refusal { message: message.into(), ..Refusal::default() };
    };
    let numbers = rest.strip_prefix("needs ").and_then(|rest| {
        let (needs, rest) = rest.split_once(" healthy pods and has ")?;
        Some((needs.parse().ok()?, rest.split(' ').next()?.parse().ok()?))
    });
    Refusal {
        budget: Some(name.into()),
        needs: numbers.map(|(needs, _)| needs),
        has: numbers.map(|(_, has)| has),
        message: rest.into(),
    }
}

/// What a write of a node says about whether it takes pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeChange {
    /// What `spec.unschedulable` is set to; absent if the write does not say.
    pub(super) unschedulable: Option<bool>,
    /// Whether it is the whole object, so that it may only repeat what was so before.
    pub(super) whole: bool,
    /// All taints that the node has after the write, if it says so.
    pub(super) taints: Option<Vec<String>>,
    /// What `spec.unschedulable` is after the write, according to the response.
    pub(super) after: Option<bool>,
}

/// Reads what a write of a node changes; nothing where its body was not logged.
pub(super) fn node_change(event: &Event<'_>, whole: bool) -> Option<NodeChange> {
    let body = event.request_object.filter(|body| !body.is_null());
    let response = at(event.response_object, &["spec"]);
    if body.is_none() && response.is_none() {
        return None;
    }
    let mut change = NodeChange { whole, ..NodeChange::default() };
    match body {
        Some(patch) if patch.0.first() == Some(&b'[') => {
            patch.elements().for_each(|step| apply_step(step, &mut change))
        }
        Some(object) => {
            let spec = at(Some(object), &["spec"]);
            let stated = spec.and_then(|spec| spec.get(b"unschedulable"));
            change.unschedulable = stated.map(|value| value.0 == b"true").or(whole.then_some(false));
            let listed = spec.and_then(|spec| spec.get(b"taints"));
            change.taints = listed.map(taints).or(whole.then(Vec::new));
        }
        None => {}
    }
    if let Some(spec) = response {
        change.after = Some(spec.get(b"unschedulable").is_some_and(|value| value.0 == b"true"));
        change.taints = Some(spec.get(b"taints").map(taints).unwrap_or_default());
    }
    Some(change)
}

/// One step of a JSON patch.
fn apply_step(step: RawJson<'_>, change: &mut NodeChange) {
    let removes = text(step.get(b"op")).as_deref() == Some("remove");
    match text(step.get(b"path")).as_deref() {
        Some("/spec/unschedulable") => {
            change.unschedulable = Some(!removes && step.get(b"value").is_some_and(|value| value.0 == b"true"));
        }
        Some("/spec/taints") => change.taints = Some(step.get(b"value").map(taints).unwrap_or_default()),
        _ => {}
    }
}

/// `key=value:Effect` of each taint, without those that only prefer other nodes.
fn taints(list: RawJson<'_>) -> Vec<String> {
    if list.is_null() {
        return Vec::new();
    }
    let shown = |taint: RawJson<'_>| {
        let key = text(taint.get(b"key"))?;
        let effect = text(taint.get(b"effect"))?;
        let value = text(taint.get(b"value")).filter(|value| !value.is_empty());
        (effect != "PreferNoSchedule").then(|| match value {
            Some(value) => format!("{key}={value}:{effect}"),
            None => format!("{key}:{effect}"),
        })
    };
    let mut found: Vec<String> = list.elements().filter_map(shown).collect();
    found.sort();
    found.dedup();
    found
}

/// What a pod object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PodBody {
    /// `key=value` of each label, sorted, one on a line.
    pub(super) labels: String,
    /// `spec.nodeName`.
    pub(super) node: Option<String>,
    /// `spec.terminationGracePeriodSeconds`.
    pub(super) grace: Option<i64>,
}

/// Reads a pod object; nothing if it is something else, such as a Status.
pub(super) fn pod(object: RawJson<'_>) -> Option<PodBody> {
    let spec = at(Some(object), &["spec"])?;
    let metadata = at(Some(object), &["metadata"]);
    let mut labels: Vec<String> = at(metadata, &["labels"])
        .into_iter()
        .flat_map(RawJson::members)
        .filter_map(|(key, value)| Some(format!("{}={}", key.to_str_lossy(), text(Some(value))?)))
        .collect();
    labels.sort();
    Some(PodBody {
        labels: labels.join("\n"),
        node: text(at(Some(spec), &["nodeName"])).filter(|node| !node.is_empty()).map(Cow::into_owned),
        grace: integer(at(Some(spec), &["terminationGracePeriodSeconds"])),
    })
}

/// Whether a pod, or a patch of one, says that all its containers have ended for good.
pub(super) fn has_finished(pod: RawJson<'_>) -> bool {
    let says = |phase: &[u8]| memchr::memmem::find(pod.0, phase).is_some();
    (says(b"\"Succeeded\"") || says(b"\"Failed\""))
        && matches!(text(at(Some(pod), &["status", "phase"])).as_deref(), Some("Succeeded" | "Failed"))
}

/// Whether a whole pod is bound to no node.
pub(super) fn is_unbound(pod: RawJson<'_>) -> bool {
    let node = |spec| text(at(Some(spec), &["nodeName"])).is_some_and(|node| !node.is_empty());
    at(Some(pod), &["spec"]).is_some_and(|spec| spec.get(b"containers").is_some() && !node(spec))
}

/// The reason and message of a pod's `DisruptionTarget` condition, where a body has one that says so.
pub(super) fn disruption_target(body: RawJson<'_>) -> Option<(String, String)> {
    memchr::memmem::find(body.0, b"DisruptionTarget")?;
    let conditions = at(Some(body), &["status", "conditions"])?;
    conditions.elements().find_map(|condition| {
        (text(condition.get(b"type"))? == "DisruptionTarget").then_some(())?;
        let reason = text(condition.get(b"reason"))?.into_owned();
        Some((reason, text(condition.get(b"message")).unwrap_or_default().into_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_name_the_budget_and_its_numbers() {
        let full = of_cause("The disruption budget zk-pdb needs 3 healthy pods and has 3 currently");
        assert_eq!((full.budget.as_deref(), full.needs, full.has), (Some("zk-pdb"), Some(3), Some(3)));
        let busy = of_cause("The disruption budget zk-pdb is still being processed by the server.");
        assert_eq!((busy.budget.as_deref(), busy.needs), (Some("zk-pdb"), None));
        assert_eq!(&*busy.message, "is still being processed by the server.");
        assert_eq!(of_cause("something else").budget, None);
    }

    #[test]
    fn taints_and_cordons_are_read_from_every_kind_of_patch() {
        let read = |body: &'static str| {
            let mut event = Event::empty(b"", crate::event::Format::V1);
            event.request_object = Some(RawJson(body.as_bytes()));
            node_change(&event, false).unwrap()
        };
        assert_eq!(read(r#"{"spec":{"unschedulable":true}}"#).unschedulable, Some(true));
        assert_eq!(read(r#"{"spec":{"unschedulable":null}}"#).unschedulable, Some(false));
        assert_eq!(read(r#"[{"op":"remove","path":"/spec/unschedulable"}]"#).unschedulable, Some(false));
        assert_eq!(read(r#"{"metadata":{"labels":{"a":"b"}}}"#).unschedulable, None);
        let tainted = read(
            r#"{"spec":{"taints":[{"key":"a","value":"b","effect":"NoExecute"},{"key":"c","effect":"PreferNoSchedule"}]}}"#,
        );
        assert_eq!(tainted.taints.unwrap(), ["a=b:NoExecute"]);
    }
}
