//! Splunk: events as they are sent to it, and what a search exports.

use super::cloudwatch::csv_field;
use super::json::{quote, text, texts};
use super::prefix::objects;
use super::{Envelope, Line, Wrapped, batches, clock, lines};

pub(crate) const ENVELOPES: &[Envelope] = &[
    lines("splunk/hec-text-lines", |events| objects(events, |index, text| hec(index, &quote(text)))),
    lines("splunk/hec-object-lines", |events| objects(events, hec)),
    lines("splunk/hec-text", |events| concatenated(events, |index, text| hec(index, &quote(text)))),
    lines("splunk/hec-object", |events| concatenated(events, hec)),
    lines("splunk/export", |events| objects(events, export)),
    batches("splunk/results", 10, results),
    lines("splunk/csv", csv),
];

/// What is posted to the HTTP event collector.
fn hec(index: usize, event: &str) -> String {
    let time = clock::millis(index);
    format!(
        "{{\"time\":{}.{:03},\"host\":\"cp1\",\"source\":\"/var/log/kubernetes/audit/audit.log\",\
         \"sourcetype\":\"kube:apiserver-audit\",\"index\":\"k8s\",\"event\":{event},\"fields\":{{\"cluster\":\"prod\"}}}}",
        time / 1000,
        time % 1000
    )
}

/// Nothing between the objects of one post.
fn concatenated(events: &[Line], write: impl Fn(usize, &str) -> String) -> Wrapped {
    let log: String = events.iter().enumerate().map(|(index, line)| write(index, &text(line))).collect();
    Wrapped::exact(log.into_bytes(), texts(events))
}

fn export(index: usize, event: &str) -> String {
    let time = clock::pattern(index, "%Y-%m-%dT%H:%M:%S%.3f+00:00");
    format!(
        "{{\"preview\":false,\"offset\":{index},\"result\":{{\"_bkt\":\"k8s~1~A\",\"_raw\":{},\"_time\":\"{time}\",\
         \"host\":\"cp1\",\"linecount\":\"1\",\"source\":\"audit\"}}}}",
        quote(event)
    )
}

fn results(events: &[Line]) -> Wrapped {
    let mut log = String::new();
    for batch in events.chunks(10) {
        let row = |line: &Line| format!("{{\"_raw\":{},\"_serial\":\"0\",\"host\":\"cp1\"}}", quote(&text(line)));
        let rows: Vec<String> = batch.iter().map(row).collect();
        log += &format!(
            "{{\"preview\":false,\"init_offset\":0,\"messages\":[],\"fields\":[{{\"name\":\"_raw\"}}],\"results\":[{}]}}\n",
            rows.join(",")
        );
    }
    Wrapped::exact(log.into_bytes(), texts(events))
}

/// `_raw` among other columns, all quoted.
fn csv(events: &[Line]) -> Wrapped {
    let mut log = "\"_serial\",\"_time\",\"_raw\",host,source\n".to_owned();
    for (index, line) in events.iter().enumerate() {
        let time = clock::pattern(index, "%Y-%m-%dT%H:%M:%S%.3f+0000");
        log += &format!("{index},\"{time}\",{},cp1,\"a \"\"b\"\", c\"\n", csv_field(&text(line)));
    }
    Wrapped::exact(log.into_bytes(), texts(events))
}
