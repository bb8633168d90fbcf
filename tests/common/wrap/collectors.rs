//! Collectors that put the line, or the event, into an object of their own.

use super::json::{self, members, object, quote, text, texts};
use super::prefix::objects;
use super::{Envelope, Kept, Line, Wrapped, batches, clock, lines};

pub(crate) const ENVELOPES: &[Envelope] = &[
    lines("fluent/bit-log", |events| objects(events, |index, event| bit(index, &[("log", quote(event))]))),
    lines("fluent/bit-log-feed", |events| {
        objects(events, |index, event| bit(index, &[("log", quote(&format!("{event}\n")))]))
    }),
    lines("fluent/bit-processed", |events| {
        objects(events, |index, event| bit(index, &[("log_processed", event.to_owned())]))
    }),
    lines("fluent/bit-both", |events| {
        objects(events, |index, event| bit(index, &[("log", quote(event)), ("log_processed", event.to_owned())]))
    }),
    lines("fluent/bit-merged", |events| {
        objects(events, |index, event| merged(event, &bit(index, &[]))).kept(Kept::Members)
    }),
    batches("fluent/bit-array", 25, bit_array),
    lines("fluent/d-message", |events| objects(events, fluentd)),
    lines("vector/message", |events| objects(events, vector)),
    lines("vector/structured", |events| objects(events, vector_structured)),
    lines("filebeat/message", |events| objects(events, |index, event| filebeat(index, "message", &quote(event)))),
    lines("filebeat/json", |events| objects(events, |index, event| filebeat(index, "json", event))),
    lines("gelf/message", |events| objects(events, gelf)),
    lines("gelf/websocket", |events| {
        objects(events, |index, event| format!("{{\"message\":{}}}", quote(&gelf(index, event))))
    }),
    batches("otlp/logs", 10, otlp),
    lines("viaq/kube", |events| viaq(events, "kubeAPI", "k8s_audit_level", false)),
    lines("viaq/openshift", |events| viaq(events, "openshiftAPI", "openshift_audit_level", false)),
    lines("viaq/pretty", |events| viaq(events, "kubeAPI", "k8s_audit_level", true)),
];

/// A record of Fluent Bit.
fn bit(index: usize, more: &[(&str, String)]) -> String {
    let micros = clock::micros(index);
    let mut record = vec![
        ("date".to_owned(), format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)),
        ("stream".to_owned(), quote("stdout")),
        ("_p".to_owned(), quote("F")),
    ];
    record.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    let pod = "{\"pod_name\":\"kube-apiserver-cp1\",\"namespace_name\":\"kube-system\",\"annotations\":{\"a/b\":\"{}\"},\"host\":\"cp1\"}";
    record.push(("kubernetes".to_owned(), pod.to_owned()));
    object(&record)
}

/// The members of the event beside those of the collector.
fn merged(event: &str, record: &str) -> String {
    object(&[members(record), members(event)].concat())
}

/// The HTTP output: a list.
fn bit_array(events: &[Line]) -> Wrapped {
    let records: Vec<String> =
        events.iter().enumerate().map(|(index, line)| bit(index, &[("log", quote(&text(line)))])).collect();
    let lists: String = records.chunks(25).map(|records| format!("[{}]\n", records.join(","))).collect();
    Wrapped::exact(lists.into_bytes(), texts(events))
}

fn fluentd(index: usize, event: &str) -> String {
    format!(
        "{{\"message\":{},\"stream\":\"stdout\",\"docker\":{{\"container_id\":\"4fd1\"}},\"kubernetes\":{{\"host\":\"cp1\",\
         \"labels\":{{\"component\":\"kube-apiserver\"}}}},\"@timestamp\":\"{}\",\"tag\":\"kubernetes.audit\"}}",
        json::quote_ascii(event),
        clock::nanos(index)
    )
}

fn vector(index: usize, event: &str) -> String {
    format!(
        "{{\"file\":\"/var/log/kubernetes/audit/audit.log\",\"host\":\"cp1\",\"message\":{},\"source_type\":\"file\",\
         \"timestamp\":\"{}\"}}",
        quote(event),
        clock::nanos(index)
    )
}

/// Newer pipelines of OpenShift keep the whole event in a member of its own.
fn vector_structured(index: usize, event: &str) -> String {
    format!(
        "{{\"@timestamp\":\"{}\",\"hostname\":\"cp1\",\"level\":\"default\",\"log_source\":\"kubeAPI\",\"log_type\":\"audit\",\
         \"openshift\":{{\"cluster_id\":\"d24a\"}},\"structured\":{event}}}",
        clock::nanos(index)
    )
}

/// Here `log` is no line but an object.
fn filebeat(index: usize, member: &str, value: &str) -> String {
    format!(
        "{{\"@timestamp\":\"{}\",\"@metadata\":{{\"beat\":\"filebeat\",\"type\":\"_doc\",\"version\":\"8.13.0\"}},\
         \"log\":{{\"offset\":{index},\"file\":{{\"path\":\"/var/log/audit.log\"}}}},\"{member}\":{value},\
         \"input\":{{\"type\":\"filestream\"}},\"host\":{{\"name\":\"cp1\"}},\"agent\":{{\"name\":\"cp1\"}}}}",
        clock::fraction(index, 3)
    )
}

fn gelf(index: usize, event: &str) -> String {
    let millis = clock::millis(index);
    format!(
        "{{\"version\":\"1.1\",\"host\":\"cp1\",\"short_message\":{},\"timestamp\":{}.{:03},\"level\":6,\"_stream\":\"stdout\"}}",
        quote(event),
        millis / 1000,
        millis % 1000
    )
}

fn otlp(events: &[Line]) -> Wrapped {
    let mut log = String::new();
    for (number, batch) in events.chunks(10).enumerate() {
        let record = |(index, line): (usize, &Line)| {
            let nanos = format!("{}000", clock::micros(number * 10 + index));
            format!(
                "{{\"timeUnixNano\":\"{nanos}\",\"observedTimeUnixNano\":\"{nanos}\",\"body\":{{\"stringValue\":{}}},\
                 \"attributes\":[{{\"key\":\"k8s.audit.event.level\",\"value\":{{\"stringValue\":\"Metadata\"}}}},\
                 {{\"key\":\"k8s.audit.event.stage\",\"value\":{{\"stringValue\":\"ResponseComplete\"}}}}]}}",
                quote(&text(line))
            )
        };
        let records: Vec<String> = batch.iter().enumerate().map(record).collect();
        log += &format!(
            "{{\"resourceLogs\":[{{\"resource\":{{\"attributes\":[{{\"key\":\"k8s.node.name\",\"value\":{{\"stringValue\":\"cp1\"}}}}]}},\
             \"scopeLogs\":[{{\"scope\":{{}},\"logRecords\":[{}]}}]}}]}}\n",
            records.join(",")
        );
    }
    Wrapped::exact(log.into_bytes(), texts(events))
}

/// The event's members among the collector's, all sorted; the audit level is elsewhere, `&` is no longer escaped.
fn viaq(events: &[Line], source: &str, level_name: &str, pretty: bool) -> Wrapped {
    let mut log = String::new();
    for (index, line) in events.iter().enumerate() {
        let mut record = json::value(line);
        let level = record["level"].take();
        record["level"] = "default".into();
        record[level_name] = level;
        record["@timestamp"] = clock::nanos(index).into();
        record["timestamp"] = clock::nanos(index).into();
        record["hostname"] = "cp1".into();
        record["log_type"] = "audit".into();
        record["log_source"] = source.into();
        record["source_type"] = "file".into();
        record["tag"] = ".k8s-audit.log".into();
        record["openshift"] = serde_json::json!({"cluster_id": "d24a392b", "sequence": index});
        let record = json::sorted(&record);
        log += &if pretty { json::pretty(&record, 2) } else { record.to_string() };
        log.push('\n');
    }
    Wrapped::exact(log.into_bytes(), texts(events)).kept(Kept::Members)
}
