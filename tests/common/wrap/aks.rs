//! AKS: diagnostic records in blobs and Event Hubs, and the tables of Log Analytics.

use serde_json::json;

use super::json::{members, object, quote, quote_go, text, texts, without};
use super::prefix::objects;
use super::{Envelope, Kept, Line, Wrapped, batches, clock, lines};

pub(crate) const ENVELOPES: &[Envelope] = &[
    lines("aks/blob", |events| objects(events, |index, text| record(index, &log_member(text)))),
    lines("aks/object-log", |events| objects(events, record)),
    batches("aks/event-hub", 9, event_hub),
    batches("aks/diagnostics-cli", 25, |events| rows(events, &diagnostics_row)),
    batches("aks/diagnostics-query-api", 10, diagnostics_tables),
    lines("aks/audit-lines", |events| audit(events, |rows| rows.join("\n") + "\n")),
    batches("aks/audit-cli", 25, |events| audit(events, |rows| format!("[\n  {}\n]\n", rows.join(",\n  ")))),
];

const CLUSTER: &str = "/SUBSCRIPTIONS/00000000-0000-4000-8000-000000000000/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD";

fn log_member(text: &str) -> String {
    quote_go(&format!("{text}\n"))
}

/// One diagnostic record. Its time has 0, 7 or 9 digits of a second.
fn record(index: usize, log: &str) -> String {
    let time = match index % 3 {
        0 => clock::pattern(index, "%Y-%m-%dT%H:%M:%SZ"),
        1 => clock::fraction(index, 7),
        _ => clock::fraction(index, 9),
    };
    format!(
        "{{\"operationName\":\"Microsoft.ContainerService/managedClusters/diagnosticLogs/Read\",\"category\":\"kube-audit\",\
         \"ccpNamespace\":\"5eb120ce57f96500011bde2d\",\"resourceId\":\"{CLUSTER}\",\"properties\":{{\"log\":{log},\
         \"stream\":\"stdout\",\"pod\":\"kube-apiserver-79599f95c7-qn557\",\"containerID\":\"0123abcd\"}},\"time\":\"{time}\",\
         \"Cloud\":\"AzureCloud\",\"Environment\":\"prod\"}}"
    )
}

/// A record of another category, which is no audit event.
fn foreign(index: usize) -> String {
    let log = quote("I0309 08:00:00.000123       1 trace.go:205] Trace[1]: x\n");
    record(index, &log).replace("\"kube-audit\"", "\"kube-apiserver\"")
}

fn event_hub(events: &[Line]) -> Wrapped {
    let mut log = String::new();
    for (number, batch) in events.chunks(8).enumerate() {
        let mut records: Vec<String> = batch
            .iter()
            .enumerate()
            .map(|(index, line)| record(number * 8 + index, &log_member(&text(line))))
            .collect();
        records.insert(number % records.len(), foreign(number));
        log += &format!("{{\"records\": [{}]}}\n", records.join(","));
    }
    Wrapped::exact(log.into_bytes(), texts(events))
}

/// A list of flat objects, as the command line prints the rows of a query.
fn rows(events: &[Line], row: &dyn Fn(usize, &str) -> String) -> Wrapped {
    let mut log = String::new();
    for (number, batch) in events.chunks(25).enumerate() {
        let batch: Vec<String> =
            batch.iter().enumerate().map(|(index, line)| row(number * 25 + index, &text(line))).collect();
        log += &format!("[\n  {}\n]\n", batch.join(",\n  "));
    }
    Wrapped::exact(log.into_bytes(), texts(events))
}

fn diagnostics_row(index: usize, text: &str) -> String {
    let members = [
        ("Category", quote("kube-audit")),
        ("OperationName", quote("Microsoft.ContainerService/managedClusters/diagnosticLogs/Read")),
        ("ResourceId", quote(CLUSTER)),
        ("TableName", quote("PrimaryResult")),
        ("TimeGenerated", quote(&clock::fraction(index, 7))),
        ("Type", quote("AzureDiagnostics")),
        ("log_s", log_member(text)),
        ("pod_s", quote("kube-apiserver-79599f95c7-qn557")),
        ("stream_s", quote("stdout")),
    ];
    object(&members.map(|(key, value)| (key.to_owned(), value)))
}

/// The query service's own answer: columns once, then rows.
fn diagnostics_tables(events: &[Line]) -> Wrapped {
    let columns = json!([
        {"name": "TimeGenerated", "type": "datetime"},
        {"name": "Category", "type": "string"},
        {"name": "log_s", "type": "string"},
        {"name": "pod_s", "type": "string"},
    ]);
    let mut log = String::new();
    for batch in events.chunks(10) {
        let row = |(index, line): (usize, &Line)| {
            let log = log_member(&text(line));
            format!("[\"{}\",\"kube-audit\",{log},\"kube-apiserver-1\"]", clock::fraction(index, 7))
        };
        let rows: Vec<String> = batch.iter().enumerate().map(row).collect();
        log += &format!(
            "{{\"tables\":[{{\"name\":\"PrimaryResult\",\"columns\":{columns},\"rows\":[{}]}}]}}\n",
            rows.join(",")
        );
    }
    Wrapped::exact(log.into_bytes(), texts(events))
}

/// The columns of table `AKSAudit` and the members they are made from.
const COLUMNS: [(&str, &str); 15] = [
    ("AuditId", "auditID"),
    ("Stage", "stage"),
    ("Level", "level"),
    ("RequestUri", "requestURI"),
    ("Verb", "verb"),
    ("User", "user"),
    ("SourceIps", "sourceIPs"),
    ("UserAgent", "userAgent"),
    ("ObjectRef", "objectRef"),
    ("ResponseStatus", "responseStatus"),
    ("RequestObject", "requestObject"),
    ("ResponseObject", "responseObject"),
    ("RequestReceivedTime", "requestReceivedTimestamp"),
    ("StageReceivedTime", "stageTimestamp"),
    ("Annotations", "annotations"),
];

/// Rows of `AKSAudit`: an event taken apart. Every second row has its dynamic columns as JSON text.
fn audit_row(index: usize, event: &str) -> String {
    let found = members(event);
    let mut row = vec![("TenantId".to_owned(), quote("00000000-0000-4000-8000-000000000001"))];
    row.push(("TimeGenerated".to_owned(), quote(&clock::fraction(index, 7))));
    for (column, member) in COLUMNS {
        let value = found.iter().find(|(key, _)| key == member).map_or("null", |(_, value)| value.as_str());
        let as_text = index % 2 == 1 && value.starts_with(['{', '[']);
        row.push((column.to_owned(), if as_text { quote(value) } else { value.to_owned() }));
    }
    for (column, value) in [("PodName", "kube-apiserver-1"), ("Type", "AKSAudit"), ("_ResourceId", CLUSTER)] {
        row.push((column.to_owned(), quote(value)));
    }
    object(&row)
}

/// What has no column does not come back.
fn audit(events: &[Line], arrange: impl Fn(&[String]) -> String) -> Wrapped {
    let rows: Vec<String> = events.iter().enumerate().map(|(index, line)| audit_row(index, &text(line))).collect();
    let log: String = rows.chunks(25).map(arrange).collect();
    let lost = ["kind", "apiVersion", "impersonatedUser", "authenticationMetadata"];
    let expected = events.iter().map(|line| without(&text(line), &lost).into_bytes()).collect();
    Wrapped::exact(log.into_bytes(), expected).kept(Kept::Members)
}
