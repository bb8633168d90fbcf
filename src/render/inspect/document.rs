//! The JSON document of `inspect`. `docs/output.md` is its contract.

use serde_json::{Map, Value, json};

use super::blind_spots::sentence;
use super::coverage::part_of;
use super::findings::{INVALID, SENSITIVE};
use super::formats;
use crate::aggregate::evidence::{Account, SourceAccount};
use crate::aggregate::inspect::clients::{ClientRow, Distinct};
use crate::aggregate::inspect::coverage::{FileCoverage, LogCoverage};
use crate::aggregate::inspect::gaps::{Gap, MissingFile};
use crate::aggregate::inspect::marks::Mark;
use crate::aggregate::inspect::{BodiesRow, Inspection};
use crate::render::document::{SCHEMA, evidence, records, share, time};

/// The document.
pub fn inspection(answer: &Inspection, skipped: &[(String, String)], account: &Account) -> Value {
    let skipped: Vec<Value> = skipped.iter().map(|(file, reason)| json!({"file": file, "reason": reason})).collect();
    let coverage = &answer.coverage;
    let files: Vec<Value> =
        account.sources.iter().zip(&coverage.files).map(|(source, covered)| file(source, covered, answer)).collect();
    let name = |at: usize| account.sources.get(at).map(|source| source.name.as_str());
    json!({
        "schemaVersion": SCHEMA,
        "kind": "Inspection",
        "files": files,
        "skipped": skipped,
        "logs": coverage.logs.iter().map(|covered| log(covered, answer, account)).collect::<Vec<_>>(),
        "timeline": {
            "start": (coverage.timeline.periods > 0).then(|| coverage.timeline.start.to_rfc3339()),
            "periodSeconds": coverage.timeline.width / 1_000_000_000,
            "periods": coverage.timeline.periods,
        },
        "missingFiles": coverage.missing.iter().map(|hole| missing(hole, name)).collect::<Vec<_>>(),
        "stages": stages(answer),
        "blindSpots": answer
            .blind_spots
            .iter()
            .map(|row| json!({"id": row.what.id(), "count": row.count, "resources": row.names, "sentence": sentence(row)}))
            .collect::<Vec<_>>(),
        "unfinished": unfinished(answer),
        "validity": validity(answer),
        "clocks": clocks(answer),
        "bodies": answer.bodies.iter().map(bodies).collect::<Vec<_>>(),
        "sensitive": marked(answer, &SENSITIVE),
        "clients": clients(answer),
        "evidence": evidence(account),
    })
}

fn gap(gap: Gap) -> Value {
    json!({"from": gap.from.to_rfc3339(), "to": gap.to.to_rfc3339()})
}

fn file(source: &SourceAccount, covered: &FileCoverage, answer: &Inspection) -> Value {
    let evidence = &source.evidence;
    let (part, whole) = part_of(covered.covered, answer.coverage.span);
    let losses: Vec<Value> = evidence
        .losses
        .iter()
        .map(|(plugin, reason, loss)| {
            let first = format!("{}:{}", source.name, loss.first.line + 1);
            json!({"plugin": plugin, "reason": reason, "events": loss.events, "messages": loss.messages, "first": first})
        })
        .collect();
    json!({
        "file": source.name,
        "compression": source.compression,
        "unreadable": source.unreadable,
        "formats": formats(evidence),
        "bytes": evidence.bytes(),
        "bytesBy": records(|bucket| evidence.bucket(bucket).bytes),
        "records": records(|bucket| evidence.bucket(bucket).records),
        "events": evidence.events,
        "requests": covered.requests,
        "first": time(evidence.first),
        "last": time(evidence.last),
        "covered": share(part, whole),
        "timeline": covered.timeline,
        "damage": source.damage(),
        "gaps": covered.gaps.iter().map(|&silence| gap(silence)).collect::<Vec<_>>(),
        "orderInversions": evidence.inversions,
        "backwardUsMax": evidence.backward_ns_max / 1000,
        "repeatedEvents": evidence.repeats,
        "lostEvents": evidence.lost,
        "losses": losses,
    })
}

fn log(covered: &LogCoverage, answer: &Inspection, account: &Account) -> Value {
    let name = |at: usize| account.sources.get(at).map(|source| source.name.as_str());
    let (part, whole) = part_of(covered.covered, answer.coverage.span);
    let silences: Vec<Value> = covered
        .gaps
        .iter()
        .map(|&(silence, files)| {
            let (after, before) = files.unzip();
            let (from, to) = (silence.from.to_rfc3339(), silence.to.to_rfc3339());
            json!({"from": from, "to": to, "afterFile": after.and_then(name), "beforeFile": before.and_then(name)})
        })
        .collect();
    json!({
        "log": covered.name,
        "host": covered.host,
        "files": covered.files.iter().filter_map(|&at| name(at)).collect::<Vec<_>>(),
        "events": covered.events,
        "requests": covered.requests,
        "first": time(covered.first),
        "last": time(covered.last),
        "covered": share(part, whole),
        "timeline": covered.timeline,
        "gaps": silences,
    })
}

fn missing<'n>(hole: &MissingFile, name: impl Fn(usize) -> Option<&'n str>) -> Value {
    match hole {
        MissingFile::Numbers { log, from, to } => json!({"log": log, "fromNumber": from, "toNumber": to}),
        MissingFile::Between { log, before, after, gap } => json!({
            "log": log,
            "afterFile": name(*before),
            "beforeFile": name(*after),
            "from": gap.from.to_rfc3339(),
            "to": gap.to.to_rfc3339(),
        }),
    }
}

fn stages(answer: &Inspection) -> Value {
    let [other, received, started, complete, panic] = answer.stages;
    json!({
        "RequestReceived": received,
        "ResponseStarted": started,
        "ResponseComplete": complete,
        "Panic": panic,
        "other": other,
    })
}

fn unfinished(answer: &Inspection) -> Value {
    let rows = answer.unfinished.iter().map(|row| {
        let (oldest, id) = row.oldest.clone().unzip();
        json!({
            "verb": row.verb,
            "lastStage": row.stage,
            "requests": row.count,
            "longRunning": row.long_running,
            "oldest": time(oldest),
            "oldestAuditID": id,
            "examples": row.examples,
        })
    });
    rows.collect()
}

/// Counts and examples of what is so of some requests, by its name.
fn marked(answer: &Inspection, marks: &[(Mark, &str, &str)]) -> Vec<Value> {
    let met = marks.iter().filter(|(mark, ..)| answer.marks.of(*mark) > 0);
    met.map(
        |(mark, id, _)| json!({"id": id, "requests": answer.marks.of(*mark), "examples": answer.marks.examples(*mark)}),
    )
    .collect()
}

fn validity(answer: &Inspection) -> Value {
    let mut rows = marked(answer, &INVALID);
    if answer.ids.of_several_users > 0 {
        let ids = &answer.ids;
        rows.push(
            json!({"id": "audit-id-of-several-users", "auditIDs": ids.of_several_users, "examples": ids.examples}),
        );
    }
    Value::Array(rows)
}

fn clocks(answer: &Inspection) -> Value {
    let pairs = answer.ids.skews.iter().map(|skew| {
        json!({
            "a": skew.a,
            "b": skew.b,
            "aheadUsMin": skew.least / 1000,
            "aheadUsMax": skew.most / 1000,
            "requests": skew.pairs,
            "contradictory": skew.is_contradictory(),
        })
    });
    json!({
        "auditIDs": answer.ids.looked_at,
        "sampled": answer.ids.sampled,
        "pairs": pairs.collect::<Vec<_>>(),
    })
}

fn bodies(row: &BodiesRow) -> Value {
    let [truncated, skipped, request, response] = row.counts;
    json!({
        "resource": row.resource,
        "truncated": truncated,
        "skipped": skipped,
        "noRequestBody": request,
        "noResponseBody": response,
        "examples": row.examples,
    })
}

fn clients(answer: &Inspection) -> Value {
    let row = |row: &ClientRow| {
        let mut members = Map::new();
        members.insert("client".to_owned(), json!(row.component));
        members.insert("version".to_owned(), json!(row.version));
        members.insert("requests".to_owned(), json!(row.requests));
        members.insert("users".to_owned(), json!(row.users.min(Distinct::MOST)));
        members.insert("moreUsers".to_owned(), json!(row.users > Distinct::MOST));
        Value::Object(members)
    };
    json!({
        "rows": answer.clients.rows.iter().map(row).collect::<Vec<_>>(),
        "otherRequests": answer.clients.others,
        "apiServerVersions": answer.clients.server_versions(),
    })
}
