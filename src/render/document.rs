//! The JSON documents of answers. `docs/output.md` is their contract.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::aggregate::evidence::Account;
use crate::aggregate::key::{Key, shown_value};
use crate::aggregate::overview::{OverviewAnswer, RANKED};
use crate::aggregate::stats::Stats;
use crate::aggregate::summary::Group;
use crate::event::Timestamp;
use crate::parse::records::Bucket;
use crate::scan::Unit;

/// The version of the documents.
pub(super) const SCHEMA: u32 = 1;

/// The name of what is counted.
const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Request => "request",
        Unit::Event => "event",
    }
}

/// The document of `summary --by`.
pub fn summary<'d>(
    keys: &'d [Key],
    unit: Unit,
    total: &'d Stats,
    long_running: u64,
    groups: &'d [Group],
    account: &Account,
) -> SummaryDocument<'d> {
    SummaryDocument {
        schema_version: SCHEMA,
        kind: "Summary",
        by: keys.iter().map(|key| key.name()).collect(),
        unit: unit_name(unit),
        totals: totals(unit, total, long_running),
        groups: groups.iter().map(|group| GroupDocument { keys, unit, total, group }).collect(),
        evidence: evidence(account),
    }
}

/// The document of `summary --by`, ready to be written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SummaryDocument<'d> {
    schema_version: u32,
    kind: &'static str,
    by: Vec<&'static str>,
    unit: &'static str,
    totals: Value,
    groups: Vec<GroupDocument<'d>>,
    evidence: Value,
}

/// One group. There can be very many, so they are written without a [`Value`] in between.
struct GroupDocument<'d> {
    keys: &'d [Key],
    unit: Unit,
    total: &'d Stats,
    group: &'d Group,
}

impl Serialize for GroupDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (values, stats) = self.group;
        let mut map = serializer.serialize_map(None)?;
        for (&key, value) in self.keys.iter().zip(values) {
            map.serialize_entry(key.name(), &KeyValue(key, value.as_deref()))?;
        }
        map.serialize_entry(counted(self.unit), &stats.count)?;
        map.serialize_entry("share", &share(stats.count, self.total.count))?;
        map.serialize_entry("bytes", &stats.bytes)?;
        map.serialize_entry("codes", &stats.codes.sorted())?;
        map.serialize_entry("latencyUs", &stats.latency.summary())?;
        map.serialize_entry("first", &stats.span.first().map(Timestamp::to_rfc3339))?;
        map.serialize_entry("last", &stats.span.last().map(Timestamp::to_rfc3339))?;
        map.end()
    }
}

/// The document of `summary` without keys: one group that holds everything, and the rankings.
pub fn overview(
    unit: Unit,
    answer: &OverviewAnswer,
    sentences: &[String],
    top: Option<usize>,
    account: &Account,
) -> Value {
    let all = (Vec::new(), answer.total.clone());
    let whole = json!(GroupDocument { keys: &[], unit, total: &answer.total, group: &all });
    let mut ranks = Map::new();
    for (key, values) in RANKED.iter().zip(&answer.ranks) {
        let rows = values.iter().take(top.unwrap_or(usize::MAX)).map(|(value, count)| {
            let mut row = Map::new();
            row.insert(key.name().to_owned(), json!(KeyValue(*key, value.as_deref())));
            row.insert(counted(unit).to_owned(), json!(count));
            row.insert("share".to_owned(), json!(share(*count, answer.total.count)));
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
        "sentence": sentences.first(),
        "sentences": sentences,
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
    map.insert("first".to_owned(), time(total.span.first()));
    map.insert("last".to_owned(), time(total.span.last()));
    Value::Object(map)
}

/// A group's value of a key: a number for status codes, text for all others.
pub(super) struct KeyValue<'d>(pub(super) Key, pub(super) Option<&'d [u8]>);

impl Serialize for KeyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.1.map(|value| shown_value(self.0, value));
        match text.as_deref().filter(|_| self.0 == Key::Code).and_then(|text| text.parse::<i32>().ok()) {
            Some(code) => code.serialize(serializer),
            None => text.serialize(serializer),
        }
    }
}

/// A share of the whole, to six decimals: the division is the last step, so it is the same everywhere.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    let millionths = (u128::from(part) * 2_000_000 + u128::from(whole)) / (u128::from(whole) * 2);
    millionths as f64 / 1e6
}

/// A time, or `null`.
pub(super) fn time(time: Option<Timestamp>) -> Value {
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

/// Something counted by bucket.
pub(super) fn records(count: impl Fn(Bucket) -> u64) -> Value {
    json!({
        "event": count(Bucket::Event),
        "half": count(Bucket::Half),
        "other": count(Bucket::Other),
        "damaged": count(Bucket::Damaged),
        "blank": count(Bucket::Blank),
    })
}
