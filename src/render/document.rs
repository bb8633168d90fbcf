//! The JSON documents of answers. `docs/output.md` is their contract.

use serde_json::{Map, Value, json};

use crate::aggregate::evidence::{Account, SourceAccount};
use crate::aggregate::inspect::Gap;
use crate::aggregate::overview::{OverviewAnswer, RANKED};
use crate::aggregate::stats::Stats;
use crate::aggregate::summary::{Group, Key, shown_value};
use crate::event::Timestamp;
use crate::parse::records::Bucket;
use crate::scan::Unit;

/// The version of the documents.
const SCHEMA: u32 = 1;

/// The name of what is counted.
const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Request => "request",
        Unit::Event => "event",
    }
}

/// The document of `summary --by`.
pub fn summary(
    keys: &[Key],
    unit: Unit,
    total: &Stats,
    long_running: u64,
    groups: &[Group],
    account: &Account,
) -> Value {
    let groups: Vec<Value> = groups.iter().map(|group| group_value(keys, unit, total, group)).collect();
    json!({
        "schemaVersion": SCHEMA,
        "kind": "Summary",
        "by": keys.iter().map(|key| key.name()).collect::<Vec<_>>(),
        "unit": unit_name(unit),
        "totals": totals(unit, total, long_running),
        "groups": groups,
        "evidence": evidence(account),
    })
}

/// The document of `summary` without keys: one group that holds everything, and the rankings.
pub fn overview(unit: Unit, answer: &OverviewAnswer, sentence: &str, top: Option<usize>, account: &Account) -> Value {
    let whole = group_value(&[], unit, &answer.total, &(Vec::new(), answer.total.clone()));
    let mut ranks = Map::new();
    for (key, values) in RANKED.iter().zip(&answer.ranks) {
        let rows = values.iter().take(top.unwrap_or(usize::MAX)).map(|(value, count)| {
            let mut row = Map::new();
            row.insert(key.name().to_owned(), key_value(*key, value.as_deref()));
            row.insert(counted(unit).to_owned(), json!(count));
            row.insert("share".to_owned(), share(*count, answer.total.count));
            Value::Object(row)
        });
        ranks.insert(key.name().to_owned(), rows.collect());
    }
    let rate: Vec<Value> =
        answer.rate.1.iter().map(|(at, count)| json!({"start": at.to_rfc3339(), counted(unit): count})).collect();
    json!({
        "schemaVersion": SCHEMA,
        "kind": "Summary",
        "by": [],
        "unit": unit_name(unit),
        "totals": totals(unit, &answer.total, answer.long_running),
        "groups": [whole],
        "top": ranks,
        "rate": {"periodSeconds": answer.rate.0 / 1_000_000_000, "periods": rate},
        "sentence": sentence,
        "evidence": evidence(account),
    })
}

/// `requests` or `events`, whichever is counted.
const fn counted(unit: Unit) -> &'static str {
    match unit {
        Unit::Request => "requests",
        Unit::Event => "events",
    }
}

fn totals(unit: Unit, total: &Stats, long_running: u64) -> Value {
    let mut map = Map::new();
    if unit == Unit::Request {
        map.insert("requests".to_owned(), json!(total.count));
    }
    map.insert("events".to_owned(), json!(total.events));
    map.insert("bytes".to_owned(), json!(total.bytes));
    map.insert("longRunning".to_owned(), json!(long_running));
    map.insert("first".to_owned(), time(total.first));
    map.insert("last".to_owned(), time(total.last));
    Value::Object(map)
}

fn group_value(keys: &[Key], unit: Unit, total: &Stats, (values, stats): &Group) -> Value {
    let mut map = Map::new();
    for (key, value) in keys.iter().zip(values) {
        map.insert(key.name().to_owned(), key_value(*key, value.as_deref()));
    }
    map.insert(counted(unit).to_owned(), json!(stats.count));
    map.insert("share".to_owned(), share(stats.count, total.count));
    map.insert("bytes".to_owned(), json!(stats.bytes));
    let codes = stats.codes.sorted().into_iter().map(|(code, count)| (code.to_string(), json!(count)));
    map.insert("codes".to_owned(), Value::Object(codes.collect()));
    map.insert("latencyUs".to_owned(), json!(stats.latency.summary()));
    map.insert("first".to_owned(), time(stats.first));
    map.insert("last".to_owned(), time(stats.last));
    Value::Object(map)
}

fn key_value(key: Key, value: Option<&[u8]>) -> Value {
    let Some(value) = value else { return Value::Null };
    let text = shown_value(key, value);
    match key {
        Key::Code => text.parse::<i32>().map_or_else(|_| json!(text), |code| json!(code)),
        _ => json!(text),
    }
}

/// A share of the whole, to six decimals: the division is the last step, so it is the same everywhere.
fn share(part: u64, whole: u64) -> Value {
    if whole == 0 {
        return json!(0.0);
    }
    let millionths = (u128::from(part) * 2_000_000 + u128::from(whole)) / (u128::from(whole) * 2);
    json!(millionths as f64 / 1e6)
}

fn time(time: Option<Timestamp>) -> Value {
    time.map_or(Value::Null, |time| json!(time.to_rfc3339()))
}

/// The account of the evidence.
pub fn evidence(account: &Account) -> Value {
    let mut document = json!({
        "complete": account.is_complete(),
        "bytes": account.bytes(),
        "files": account.sources.len(),
        "records": records(|bucket| account.bucket(bucket).records),
        "damage": account.damage(),
        "unfinishedRequests": account.unfinished_requests,
        "unpairedHalves": account.unpaired_halves,
        "extraResponses": account.extra_responses,
        "repeatedEvents": account.repeats(),
        "lostEvents": account.lost(),
    });
    // Only where there is something to tell: most runs read everything.
    if let (Value::Object(members), Some(not_read)) = (&mut document, not_read(account)) {
        members.insert("notRead".to_owned(), not_read);
    }
    document
}

/// What was left out because it lies outside the time window, if anything.
fn not_read(account: &Account) -> Option<Value> {
    let parts = account.sources.iter().filter_map(|source| Some((source, source.part?)));
    let files: Vec<Value> = parts
        .map(|(source, part)| json!({"file": source.name, "bytes": source.not_read(), "probes": part.probes}))
        .collect();
    (!files.is_empty()).then(|| {
        json!({
            "bytes": account.not_read(),
            "reason": "outside the time window, by the order of the log",
            "files": files,
        })
    })
}

fn records(count: impl Fn(Bucket) -> u64) -> Value {
    json!({
        "event": count(Bucket::Event),
        "half": count(Bucket::Half),
        "other": count(Bucket::Other),
        "damaged": count(Bucket::Damaged),
        "blank": count(Bucket::Blank),
    })
}

/// The document of `inspect`.
pub fn inspection(files: &[Value], skipped: &[(String, String)], account: &Account) -> Value {
    let skipped: Vec<Value> = skipped.iter().map(|(file, reason)| json!({"file": file, "reason": reason})).collect();
    json!({
        "schemaVersion": SCHEMA,
        "kind": "Inspection",
        "files": files,
        "skipped": skipped,
        "evidence": evidence(account),
    })
}

/// One file of `inspect`.
pub fn inspected_file(source: &SourceAccount, requests: u64, gaps: &[Gap]) -> Value {
    let evidence = &source.evidence;
    let gaps: Vec<Value> =
        gaps.iter().map(|gap| json!({"from": gap.from.to_rfc3339(), "to": gap.to.to_rfc3339()})).collect();
    json!({
        "file": source.name,
        "compression": source.compression,
        "unreadable": source.unreadable,
        "formats": super::inspect::formats(evidence),
        "bytes": evidence.bytes(),
        "bytesBy": records(|bucket| evidence.bucket(bucket).bytes),
        "records": records(|bucket| evidence.bucket(bucket).records),
        "events": evidence.events,
        "requests": requests,
        "first": time(evidence.first),
        "last": time(evidence.last),
        "damage": source.damage(),
        "gaps": gaps,
        "orderInversions": evidence.inversions,
        "repeatedEvents": evidence.repeats,
        "lostEvents": evidence.lost,
    })
}
