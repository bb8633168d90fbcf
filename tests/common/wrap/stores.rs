//! Log stores that are asked for what they hold: Elasticsearch, Loki, Alibaba SLS, Tencent CLS.

use super::json::{members, object, quote, text, texts};
use super::prefix::objects;
use super::{Envelope, Kept, Line, Wrapped, batches, clock, lines};

pub(crate) const ENVELOPES: &[Envelope] = &[
    batches("elasticsearch/search", 10, |events| search(events, hit)),
    batches("elasticsearch/search-message", 10, |events| {
        search(events, |index, event| hit(index, &message_source(index, event)))
    }),
    lines("elasticsearch/flat-hits", |events| objects(events, hit)),
    lines("elasticsearch/message-hits", |events| {
        objects(events, |index, event| hit(index, &message_source(index, event)))
    }),
    lines("elasticsearch/original-hits", |events| {
        objects(events, |index, event| hit(index, &original_source(index, event)))
    }),
    lines("elasticsearch/integration", |events| {
        objects(events, |index, event| hit(index, &integration(index, event))).kept(Kept::Values)
    }),
    lines("loki/raw", |events| Wrapped::exact(super::prefix::each(events, |_, line| line.to_vec()), events.to_vec())),
    lines("loki/jsonl", |events| objects(events, loki_line)),
    lines("loki/default", |events| Wrapped::exact(super::prefix::each(events, loki_default), events.to_vec())),
    batches("loki/api", 10, loki_api),
    batches("loki/grafana", 10, grafana),
    lines("sls/logs", |events| objects(events, sls).kept(Kept::Members)),
    lines("cls/logjson", |events| objects(events, cls)),
    lines("cls/fields", |events| objects(events, cls_fields).kept(Kept::Members)),
];

/// A document that was found.
fn hit(index: usize, source: &str) -> String {
    format!(
        "{{\"_index\":\"audit-2026.03.09\",\"_type\":\"_doc\",\"_id\":\"Xq{index}\",\"_score\":null,\"_source\":{source},\
         \"sort\":[{}]}}",
        clock::millis(index)
    )
}

fn search(events: &[Line], hit: impl Fn(usize, &str) -> String) -> Wrapped {
    let mut log = String::new();
    for (number, batch) in events.chunks(10).enumerate() {
        let hits: Vec<String> =
            batch.iter().enumerate().map(|(index, line)| hit(number * 10 + index, &text(line))).collect();
        log += &format!(
            "{{\"took\":5,\"timed_out\":false,\"_shards\":{{\"total\":1,\"successful\":1}},\"hits\":{{\"total\":{{\"value\":{},\
             \"relation\":\"eq\"}},\"max_score\":null,\"hits\":[{}]}}}}\n",
            events.len(),
            hits.join(",")
        );
    }
    Wrapped::exact(log.into_bytes(), texts(events))
}

fn message_source(index: usize, event: &str) -> String {
    let time = clock::fraction(index, 3);
    format!(
        "{{\"@timestamp\":\"{time}\",\"message\":{},\"host\":{{\"name\":\"cp1\"}},\"tags\":[\"k8s\"]}}",
        quote(event)
    )
}

fn original_source(index: usize, event: &str) -> String {
    let time = clock::fraction(index, 3);
    format!(
        "{{\"@timestamp\":\"{time}\",\"event\":{{\"kind\":\"event\",\"module\":\"kubernetes\",\"original\":{}}},\
         \"ecs\":{{\"version\":\"8.11.0\"}}}}",
        quote(event)
    )
}

/// The vendor's own integration: members below `kubernetes.audit`, dots in the names of annotations become underscores.
fn integration(index: usize, event: &str) -> String {
    let mut audit = members(event);
    for (key, value) in &mut audit {
        if key == "annotations" {
            let mut annotations = members(value);
            annotations.iter_mut().for_each(|(key, _)| *key = key.replace('.', "_"));
            *value = object(&annotations);
        }
    }
    let time = clock::fraction(index, 3);
    format!(
        "{{\"@timestamp\":\"{time}\",\"kubernetes\":{{\"audit\":{}}},\"client\":{{\"ip\":\"192.0.2.7\"}},\
         \"user\":{{\"name\":\"someone\"}},\"event\":{{\"dataset\":\"kubernetes.audit_logs\",\"kind\":\"event\"}},\
         \"input\":{{\"type\":\"filestream\"}}}}",
        object(&audit)
    )
}

/// Labels may hold anything that a border is made of.
const LABELS: [(&str, &str); 3] =
    [("app", "kube-apiserver"), ("filename", "/var/log/{a}=\"b\", c/audit.log"), ("stream", "stdout")];

fn labels_object() -> String {
    object(&LABELS.map(|(key, value)| (key.to_owned(), quote(value))))
}

fn loki_line(index: usize, event: &str) -> String {
    let time = clock::trimmed(index);
    format!("{{\"labels\":{},\"line\":{},\"timestamp\":\"{time}\"}}", labels_object(), quote(event))
}

fn loki_default(index: usize, line: &[u8]) -> Vec<u8> {
    let labels: Vec<String> = LABELS.iter().map(|(key, value)| format!("{key}={}", quote(value))).collect();
    let labels = if index % 4 == 3 { String::new() } else { labels.join(", ") };
    [format!("{} {{{labels}}} ", clock::trimmed(index)).as_bytes(), line].concat()
}

fn loki_api(events: &[Line]) -> Wrapped {
    let mut log = String::new();
    for (number, batch) in events.chunks(10).enumerate() {
        let value = |(index, line): (usize, &Line)| {
            format!("[\"{}000\",{}]", clock::micros(number * 10 + index), quote(&text(line)))
        };
        let values: Vec<String> = batch.iter().enumerate().map(value).collect();
        // The second stream has the rest.
        let (left, right) = values.split_at(values.len() / 2);
        let stream =
            |values: &[String]| format!("{{\"stream\":{},\"values\":[{}]}}", labels_object(), values.join(","));
        log += &format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"streams\",\"result\":[{},{}],\"stats\":{{\"summary\":{{\"lines\":1}}}}}}}}\n",
            stream(left),
            stream(right)
        );
    }
    Wrapped::exact(log.into_bytes(), texts(events))
}

/// The download button: a list over several lines.
fn grafana(events: &[Line]) -> Wrapped {
    let row = |(index, line): (usize, &Line)| {
        let (time, micros) = (clock::fraction(index, 3), clock::micros(index));
        format!(
            "  {{\n    \"line\": {},\n    \"timestamp\": \"{micros}000\",\n    \"date\": \"{time}\",\n    \"fields\": {{\n      \"app\": \"kube-apiserver\"\n    }}\n  }}",
            quote(&text(line))
        )
    };
    let rows: Vec<String> = events.iter().enumerate().map(row).collect();
    let lists = rows.chunks(50).map(|rows| format!("[\n{}\n]\n", rows.join(",\n")));
    Wrapped::exact(lists.collect::<String>().into_bytes(), texts(events))
}

/// SLS: whatever is no scalar is JSON text.
fn sls(index: usize, event: &str) -> String {
    let mut log = vec![
        ("__time__".to_owned(), (clock::millis(index) / 1000).to_string()),
        ("__topic__".to_owned(), quote("")),
        ("__source__".to_owned(), quote("192.0.2.1")),
        ("__tag__:__hostname__".to_owned(), quote("cp1")),
    ];
    for (key, value) in members(event) {
        log.push((key, if value.starts_with(['{', '[']) { quote(&value) } else { value }));
    }
    object(&log)
}

fn cls(index: usize, event: &str) -> String {
    format!(
        "{{\"__TIMESTAMP__\":{},\"__SOURCE__\":\"192.0.2.1\",\"__FILENAME__\":\"/var/log/audit.log\",\"LogJson\":{}}}",
        clock::millis(index),
        quote(event)
    )
}

/// CLS took the first level apart: values below are text or objects.
fn cls_fields(index: usize, event: &str) -> String {
    let mut log = vec![
        ("__TIMESTAMP__".to_owned(), clock::millis(index).to_string()),
        ("__SOURCE__".to_owned(), quote("192.0.2.1")),
        ("__FILENAME__".to_owned(), quote("/var/log/audit.log")),
    ];
    for (key, value) in members(event) {
        let as_text = index.is_multiple_of(2) && value.starts_with(['{', '[']);
        log.push((key, if as_text { quote(&value) } else { value }));
    }
    object(&log)
}
