//! EKS: what CloudWatch Logs hands out, by command line, subscription, export and query.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::json::{ascii, pretty, quote, text, texts, value};
use super::prefix::each;
use super::{Envelope, Kept, Line, Wrapped, batches, clock, lines};
use crate::common::gzip;

pub(crate) const ENVELOPES: &[Envelope] = &[
    batches("cloudwatch/filter-log-events", usize::MAX / 2, |events| pages(events, usize::MAX, &filter_page)),
    batches("cloudwatch/filter-pages", 10, |events| pages(events, 10, &filter_page)),
    batches("cloudwatch/get-log-events", 10, |events| pages(events, 10, &get_page)),
    batches("cloudwatch/compact-pages", 10, compact_pages),
    batches("cloudwatch/firehose", 7, |events| Wrapped::exact(deliveries(events).concat(), texts(events))),
    batches("cloudwatch/subscription-lines", 7, |events| {
        Wrapped::exact(deliveries(events).join(&b"\n"[..]), texts(events))
    }),
    batches("cloudwatch/firehose-gzip-members", 7, gzip_members),
    batches("cloudwatch/lambda", 7, lambda),
    lines("cloudwatch/s3-export", |events| {
        Wrapped::exact(
            each(events, |index, line| [clock::fraction(index, 3).as_bytes(), b" ", line].concat()),
            events.to_vec(),
        )
    }),
    batches("cloudwatch/insights", 10, insights),
    lines("cloudwatch/insights-csv", insights_csv),
    lines("cloudwatch/tail-detailed", |events| {
        Wrapped::exact(each(events, |index, line| [tail_head(index).as_bytes(), b" ", line].concat()), events.to_vec())
    }),
    lines("cloudwatch/tail-short", |events| Wrapped::exact(each(events, tail_short), events.to_vec())),
    lines("cloudwatch/tail-coloured", |events| Wrapped::exact(each(events, tail_coloured), events.to_vec())),
    lines("cloudwatch/tail-json", tail_json),
    lines("cloudwatch/tail-none", tail_none),
];

const STREAM: &str = "kube-apiserver-audit-0123456789abcdef0123456789abcdef";

/// Pages as the command line prints them: indented by four, text as it is.
fn pages(events: &[Line], size: usize, page: &dyn Fn(usize, &[Line]) -> Value) -> Wrapped {
    let mut log = String::new();
    for (number, batch) in events.chunks(size.min(events.len().max(1))).enumerate() {
        log += &pretty(&page(number * size.min(events.len()), batch), 4);
        log.push('\n');
    }
    Wrapped::exact(log.into_bytes(), texts(events))
}

fn filter_page(from: usize, batch: &[Line]) -> Value {
    let event = |(index, line): (usize, &Line)| {
        json!({
            "logStreamName": STREAM,
            "timestamp": clock::millis(from + index),
            "message": text(line),
            "ingestionTime": clock::millis(from + index) + 900,
            "eventId": format!("3767{:052}", from + index),
        })
    };
    let events: Vec<Value> = batch.iter().enumerate().map(event).collect();
    json!({"events": events, "searchedLogStreams": [], "nextToken": "Bxkq6kVGFtq2y_MoigeqscPOdhXVbhiVtLoAmXb5jCo"})
}

fn get_page(from: usize, batch: &[Line]) -> Value {
    let event = |(index, line): (usize, &Line)| {
        let at = clock::millis(from + index);
        json!({"timestamp": at, "message": text(line), "ingestionTime": at + 900})
    };
    let events: Vec<Value> = batch.iter().enumerate().map(event).collect();
    json!({"events": events, "nextForwardToken": format!("f/{from:056}/s"), "nextBackwardToken": format!("b/{from:056}/s")})
}

/// Pages of a program that prints them one after the other, each on one line, with an empty one between.
fn compact_pages(events: &[Line]) -> Wrapped {
    let mut log = String::new();
    for (number, batch) in events.chunks(10).enumerate() {
        log += &filter_page(number * 10, batch).to_string();
        log += "\n{\"events\":[],\"searchedLogStreams\":[]}\n";
    }
    Wrapped::exact(log.into_bytes(), texts(events))
}

/// What a subscription delivers, in batches, with the checks of its health between them.
fn deliveries(events: &[Line]) -> Vec<Vec<u8>> {
    let head = |kind: &str| {
        format!(
            "{{\"messageType\":\"{kind}\",\"owner\":\"123456789012\",\"logGroup\":\"/aws/eks/prod/cluster\",\
             \"logStream\":\"{STREAM}\",\"subscriptionFilters\":[\"all\"],\"logEvents\":["
        )
    };
    let mut objects = Vec::new();
    for (number, batch) in events.chunks(7).enumerate() {
        if number % 4 == 1 {
            let check = "{\"id\":\"\",\"timestamp\":1773043200000,\"message\":\"CWL CONTROL MESSAGE: Checking health of destination Firehose.\"}";
            objects.push(format!("{}{check}]}}", head("CONTROL_MESSAGE")).into_bytes());
        }
        let event = |(index, line): (usize, &Line)| {
            let at = clock::millis(number * 7 + index);
            format!("{{\"id\":\"38{:054}\",\"timestamp\":{at},\"message\":{}}}", number * 7 + index, quote(&text(line)))
        };
        let batch: Vec<String> = batch.iter().enumerate().map(event).collect();
        objects.push(format!("{}{}]}}", head("DATA_MESSAGE"), batch.join(",")).into_bytes());
    }
    objects
}

/// Every delivery is compressed by itself; the objects in the bucket are one member after the other.
fn gzip_members(events: &[Line]) -> Wrapped {
    let members: Vec<u8> = deliveries(events).iter().flat_map(|delivery| gzip(delivery)).collect();
    Wrapped::exact(members, texts(events))
}

/// What a Lambda function is called with: compressed, then base64.
fn lambda(events: &[Line]) -> Wrapped {
    let call = |delivery: &Vec<u8>| format!("{{\"awslogs\":{{\"data\":\"{}\"}}}}\n", STANDARD.encode(gzip(delivery)));
    let calls: String = deliveries(events).iter().map(call).collect();
    Wrapped::exact(calls.into_bytes(), texts(events))
}

/// The answer to a query, one list of fields per event.
fn insights(events: &[Line]) -> Wrapped {
    let row = |(index, line): (usize, &Line)| {
        json!([
            {"field": "@timestamp", "value": clock::pattern(index, "%Y-%m-%d %H:%M:%S%.3f")},
            {"field": "@message", "value": text(line)},
            {"field": "@ptr", "value": format!("CmEKJgoiMTIz{index:010}")},
        ])
    };
    let mut log = String::new();
    // A query gives 10,000 rows at most.
    for batch in events.chunks(10) {
        let rows: Vec<Value> = batch.iter().enumerate().map(row).collect();
        let statistics = json!({"recordsMatched": 10.0, "recordsScanned": 440.0, "bytesScanned": 1e6});
        let answer = json!({"results": rows, "statistics": statistics, "status": "Complete"});
        log += &pretty(&answer, 4);
        log.push('\n');
    }
    Wrapped::exact(log.into_bytes(), texts(events))
}

/// A field of a table: quoted, quotes doubled.
pub(crate) fn csv_field(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

fn insights_csv(events: &[Line]) -> Wrapped {
    let row = |(index, line): (usize, &Line)| {
        format!("{},{}\n", clock::pattern(index, "%Y-%m-%d %H:%M:%S%.3f"), csv_field(&text(line)))
    };
    let rows: String = events.iter().enumerate().map(row).collect();
    Wrapped::exact(format!("@timestamp,@message\n{rows}").into_bytes(), texts(events))
}

/// The first words of `aws logs tail`.
fn tail_head(index: usize) -> String {
    format!("{} {STREAM}", clock::pattern(index, "%Y-%m-%dT%H:%M:%S%.6f+00:00"))
}

fn tail_short(index: usize, line: &[u8]) -> Vec<u8> {
    [clock::pattern(index, "%Y-%m-%dT%H:%M:%S ").as_bytes(), line].concat()
}

fn tail_coloured(index: usize, line: &[u8]) -> Vec<u8> {
    let time = clock::pattern(index, "%Y-%m-%dT%H:%M:%S%.6f+00:00");
    [format!("\x1b[32m{time}\x1b[0m \x1b[36m{STREAM}\x1b[0m ").as_bytes(), line].concat()
}

/// `--format json` loads each message and prints it anew on the lines below, in ASCII.
fn tail_json(events: &[Line]) -> Wrapped {
    let mut log = String::new();
    for (index, line) in events.iter().enumerate() {
        let printed = pretty(&value(line), 2);
        log += &format!("{} \n{}\n", tail_head(index), ascii(&printed));
    }
    Wrapped::exact(log.into_bytes(), texts(events)).kept(Kept::Values)
}

/// `--format none` of newer versions: the records as they are, one a line.
fn tail_none(events: &[Line]) -> Wrapped {
    let log = each(events, |index, line| {
        let at = clock::millis(index);
        let message = quote(&text(line));
        format!(
            "{{\"logStreamName\": \"{STREAM}\", \"timestamp\": {at}, \"message\": {message}, \"ingestionTime\": {at}}}"
        )
        .into_bytes()
    });
    Wrapped::exact(log, texts(events))
}
