//! The JSON document of `disruptions`. `docs/output.md` is its contract.

use serde_json::{Map, Value, json};

use crate::aggregate::disruptions::DisruptionsAnswer;
use crate::aggregate::disruptions::evictions::{BudgetStory, Eviction};
use crate::aggregate::disruptions::nodes::{Episode, NodeWrites};
use crate::aggregate::disruptions::terminations::Termination;
use crate::event::Timestamp;

/// The members of the document.
pub(super) fn members(answer: &DisruptionsAnswer) -> Map<String, Value> {
    let mut members = Map::new();
    let mut set = |key: &str, value| _ = members.insert(key.to_owned(), value);
    set("node", json!(answer.node));
    set("totals", totals(answer));
    set("nodes", answer.nodes.iter().map(node).collect());
    set("evictions", answer.evictions.iter().map(eviction).collect());
    set("terminations", answer.terminations.iter().map(termination).collect());
    set("budgets", answer.budgets.iter().map(budget).collect());
    set("writes", answer.writes.iter().map(writes).collect());
    set("limits", json!(answer.limits));
    members
}

fn totals(answer: &DisruptionsAnswer) -> Value {
    json!({
        "nodes": answer.nodes.len(),
        "evictions": answer.evictions.len(),
        "terminations": answer.terminations.len(),
        "endsWithoutBeginning": answer.ends_only,
        "collectionsWithoutNames": answer.unnamed_collections,
        "budgets": answer.budgets.len(),
    })
}

fn node(one: &Episode) -> Value {
    let blocked = |(pod, budget): &(String, Option<String>)| json!({"pod": pod, "budget": budget});
    let undone = one
        .undone
        .as_ref()
        .map(|(how, user, time)| json!({"how": how.name(), "user": user, "time": time.to_rfc3339()}));
    json!({
        "node": one.node,
        "what": one.what.name(),
        "sure": one.sure,
        "user": one.user,
        "from": one.from.to_rfc3339(),
        "until": stamp(one.until),
        "taint": one.taint,
        "evicted": one.evicted,
        "deleted": one.deleted,
        "refused": one.refused,
        "blocked": one.blocked.iter().map(blocked).collect::<Vec<_>>(),
        "hangs": one.hangs,
        "undone": undone,
    })
}

fn eviction(one: &Eviction) -> Value {
    json!({
        "namespace": one.namespace,
        "pod": one.pod,
        "node": one.node,
        "user": one.user,
        "first": one.first.to_rfc3339(),
        "last": one.last.to_rfc3339(),
        "attempts": one.attempts,
        "refused": one.refused,
        "result": one.result.name(),
        "message": one.message,
        "budget": one.budget,
        "budgetFrom": one.budget_from.map(|from| from.name()),
        "limit": one.limit,
        "needs": one.needs,
        "has": one.has,
    })
}

fn termination(one: &Termination) -> Value {
    json!({
        "namespace": one.namespace,
        "pod": one.pod,
        "node": one.node,
        "user": one.user,
        "cause": one.cause.name(),
        "reason": one.reason,
        "began": one.began.to_rfc3339(),
        "ended": stamp(one.ended),
        "graceSeconds": one.grace,
        "graceFrom": one.grace_from.name(),
        "tookUs": one.took().map(|took| took / 1000),
        "end": one.end.name(),
        "forcedBy": one.forced_by,
    })
}

fn budget(story: &BudgetStory) -> Value {
    let budget = story.budget.as_ref();
    let rejected = |(user, time, message): &(String, Timestamp, String)| json!({"user": user, "time": time.to_rfc3339(), "message": message});
    let deleted = story.deleted.as_ref().map(|(user, time)| json!({"user": user, "time": time.to_rfc3339()}));
    json!({
        "namespace": story.namespace,
        "name": story.name,
        "minAvailable": budget.and_then(|budget| budget.min_available.clone()),
        "maxUnavailable": budget.and_then(|budget| budget.max_unavailable.clone()),
        "selector": budget.and_then(|budget| Some(budget.selector.as_ref()?.shown())),
        "unhealthyPodEvictionPolicy": budget.and_then(|budget| budget.unhealthy_policy.clone()),
        "disruptionsAllowed": budget.and_then(|budget| budget.allowed),
        "currentHealthy": budget.and_then(|budget| budget.current),
        "desiredHealthy": budget.and_then(|budget| budget.desired),
        "expectedPods": budget.and_then(|budget| budget.expected),
        "evictions": story.evictions,
        "refused": story.refused,
        "findings": story.findings,
        "rejected": story.rejected.iter().map(rejected).collect::<Vec<_>>(),
        "deleted": deleted,
    })
}

fn writes(one: &NodeWrites) -> Value {
    json!({
        "node": one.node,
        "user": one.user,
        "create": one.create,
        "update": one.update,
        "patch": one.patch,
        "delete": one.delete,
        "status": one.status,
        "cordon": one.cordon,
        "uncordon": one.uncordon,
        "evict": one.evict,
    })
}

fn stamp(time: Option<Timestamp>) -> Value {
    time.map_or(Value::Null, |time| Value::from(time.to_rfc3339()))
}
