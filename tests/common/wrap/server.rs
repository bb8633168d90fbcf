//! What the API server wrote: the story of `testdata/json/cluster.log` again and again, an hour later each time, with
//! events between its lines whose bodies are made to be hard on every envelope.

use chrono::{DateTime, TimeDelta};

use super::Line;
use crate::common::random::Random;
use crate::common::testdata;

/// Where a runtime cuts lines.
pub(crate) const PIECE: usize = 16 * 1024;
/// Where journald cuts lines.
pub(crate) const JOURNAL_PIECE: usize = 48 * 1024;

/// Pieces of text for bodies, as they stand inside a JSON string. Each imitates something that means a border.
const FRAGMENTS: [&str; 24] = [
    "plain words and more of them, ",
    "naïve café 漢字かな 🚀 ",
    "\\\"quoted\\\" and \\\\back\\\\slashed\\\\ ",
    "{\\\"kind\\\":\\\"Event\\\",\\\"apiVersion\\\":\\\"audit.k8s.io/v1\\\",\\\"auditID\\\":\\\"inner\\\"} ",
    "a\\u0026b\\u003cc\\u003e ",
    "$HOME ${x} $(y) %s %d ",
    "one,\\\"two\\\"\\nthree,four\\r\\n\\tfive ",
    "2026-03-09T08:00:00.123456789Z stdout F {} ",
    "2026-03-09T08:00:00.123456789Z ",
    "I0309 08:00:00.000001       1 main.go:1] not klog ",
    "}{][,: ",
    "\\u2028\\u0000\\u001b[31m ",
    "\u{202e}reversed\u{202c} ",
    "[pod/x/y] node-1 ",
    "AUDIT: id=\\\"x\\\" stage=\\\"Panic\\\" ",
    "[Truncated...] ",
    "\\ud83d\\ude80 ",
    "{\\\"log\\\":\\\"x\\\\n\\\",\\\"stream\\\":\\\"stdout\\\"} ",
    "''' \\\"\\\"\\\" `` ",
    "@timestamp,@message;\\\"\\\" ",
    "é\u{301}\u{85}\u{feff}ẞ ",
    "MESSAGE=x\\n__CURSOR=y ",
    "<134>1 - ",
    "\\/ \\b\\f ",
];

/// So many events in the order of the server's file.
pub(crate) fn events(count: usize) -> Vec<Line> {
    let story = testdata("json/cluster.log");
    let story: Vec<&str> = std::str::from_utf8(&story).expect("the story is text").lines().collect();
    let mut events = Vec::with_capacity(count);
    let (mut told, mut hard) = (0, 0);
    while events.len() < count {
        // All hard ones come early, so that a short log has them; later they are rare.
        let every = if events.len() < 400 { 20 } else { 100 };
        if events.len() % every == every - 1 {
            events.push(hard_event(hard));
            hard += 1;
        } else {
            events.push(retold(story[told % story.len()], told / story.len()));
            told += 1;
        }
    }
    events
}

/// A line of the story so many hours later, under another audit id.
fn retold(line: &str, round: usize) -> Line {
    if round == 0 {
        return line.as_bytes().to_vec();
    }
    let start = DateTime::from_timestamp(1_773_043_200, 0).expect("the story's time");
    let hour = (start + TimeDelta::hours(round as i64)).format("%Y-%m-%dT%H:").to_string();
    let line = line.replace("2026-03-09T08:", &hour);
    let (head, id) = line.split_once("\"auditID\":\"").expect("events have an id");
    let (_, id) = id.split_at_checked(6).expect("ids are long");
    format!("{head}\"auditID\":\"{round:06x}{id}").into_bytes()
}

/// The sizes that matter: within one piece, over it, over the journal's, far over all, and at the borders exactly.
fn hard_event(index: usize) -> Line {
    let random = &mut Random(0x9e37_79b9_7f4a_7c15 ^ (index as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
    let length = match index % 14 {
        0 => 20_000,
        1 => return patch_with_bytes(index),
        2 => 60_000,
        3 => PIECE,
        4 => 2 * PIECE,
        5 if index < 14 => 300_000,
        5 => 100_000,
        6 => JOURNAL_PIECE,
        7 => 2 * JOURNAL_PIECE,
        8 => PIECE + 1,
        9 => PIECE - 1,
        10 => 3_000,
        11 => JOURNAL_PIECE + 1,
        _ => 1_500 + random.below(40_000),
    };
    let mut filler = String::new();
    while filler.len() + 2_000 < length {
        filler += FRAGMENTS[random.below(FRAGMENTS.len())];
    }
    let bare = create(index, &filler);
    let missing = length.saturating_sub(bare.len());
    create(index, &(filler + &"x".repeat(missing))).into_bytes()
}

fn time_of(index: usize, micros: i64) -> String {
    let start = DateTime::from_timestamp(1_773_043_201, 0).expect("the story's time");
    let time = start + TimeDelta::seconds(index as i64 * 11) + TimeDelta::microseconds(micros);
    time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn head(index: usize, verb: &str, user: &str) -> String {
    let id = format!("{:08x}-0000-4000-8000-{:012x}", index.wrapping_mul(2_654_435_761) & 0xffff_ffff, index);
    let uri = match verb {
        "create" => "/api/v1/namespaces/demo/configmaps?fieldManager=kubectl\\u0026fieldValidation=Strict".to_owned(),
        _ => format!("/api/v1/namespaces/demo/configmaps/settings-{index}?fieldManager=a\\u0026force=true"),
    };
    format!(
        "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"RequestResponse\",\"auditID\":\"{id}\",\
         \"stage\":\"ResponseComplete\",\"requestURI\":\"{uri}\",\"verb\":\"{verb}\",\"user\":{{\"username\":\"{user}\",\
         \"groups\":[\"a,b\",\"c\\\"d\",\"system:authenticated\"]}},\"sourceIPs\":[\"192.0.2.7\",\"198.51.100.4\"],\
         \"userAgent\":\"kubectl/v1.33.1 (linux/amd64) kubernetes/8adc0f0\",\"objectRef\":{{\"resource\":\"configmaps\",\
         \"namespace\":\"demo\",\"name\":\"settings-{index}\",\"apiVersion\":\"v1\"}},"
    )
}

fn tail(index: usize) -> String {
    let (received, complete) = (time_of(index, 100), time_of(index, 7_345));
    format!(
        "\"requestReceivedTimestamp\":\"{received}\",\"stageTimestamp\":\"{complete}\",\"annotations\":{{\
         \"authorization.k8s.io/decision\":\"allow\",\"authorization.k8s.io/reason\":\
         \"RBAC: allowed by ClusterRoleBinding \\\"edit\\\" of ClusterRole \\\"edit\\\" to Group \\\"a,b\\\"\"}}}}"
    )
}

/// A ConfigMap is created, with that text in it.
fn create(index: usize, filler: &str) -> String {
    let applied = "{\\\"apiVersion\\\":\\\"v1\\\",\\\"kind\\\":\\\"ConfigMap\\\",\\\"data\\\":{\\\"q\\\":\\\"\\\\\\\"x\\\\\\\"\\\"}}\\n";
    format!(
        "{}\"responseStatus\":{{\"metadata\":{{}},\"code\":201}},\"requestObject\":{{\"kind\":\"ConfigMap\",\
         \"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"settings-{index}\",\"annotations\":{{\
         \"kubectl.kubernetes.io/last-applied-configuration\":\"{applied}\"}}}},\"data\":{{\"text\":\"{filler}\"}},\
         \"n\":[1,-2.5e-3,12345678901234567890,true,null]}},{}",
        head(index, "create", "erin@example.com"),
        tail(index)
    )
}

/// A patch whose body was copied byte for byte: it is no UTF-8, and names a key twice.
fn patch_with_bytes(index: usize) -> Line {
    let head = head(index, "patch", "zoë@example.com");
    let status = "\"responseStatus\":{\"metadata\":{},\"code\":200},";
    let body = b"\"requestObject\":{\"data\":{\"a\":\"\xff\xfe caf\xc3\"},\"data\":{\"a\":\"\xff\"}},";
    [head.as_bytes(), status.as_bytes(), body, tail(index).as_bytes()].concat()
}

/// What the API server says besides, on its other stream. None of it is an audit event.
pub(crate) fn klog(index: usize) -> &'static str {
    const SAID: [&str; 12] = [
        "I0309 08:00:00.000123       1 flags.go:64] FLAG: --audit-log-path=\"-\"",
        "W0309 08:00:01.000456       1 dispatcher.go:225] Failed calling webhook, failing open x: \"quoted\" {brace",
        "E0309 08:00:02.000789       1 status.go:71] \"Unhandled Error\" err=\"apiserver received an error\"",
        "Trace[1548645763]: \"List\" url:/api/v1/pods (09-Mar-2026 08:00:00.000) (total time: 612ms):",
        "Trace[1548645763]: ---\"Writing http response done\" count:412 500ms (08:00:00.612)",
        "[-]poststarthook/rbac/bootstrap-roles failed: not finished",
        "goroutine 1 [running]:",
        "\tk8s.io/apiserver/pkg/server.(*GenericAPIServer).Run(0xc000)",
        "2026/03/09 08:00:33 httputil: ReverseProxy read error during body copy: unexpected EOF",
        "{\"level\":\"warn\",\"ts\":\"2026-03-09T08:00:16.799728Z\",\"logger\":\"etcd-client\",\"msg\":\"retrying of unary invoker failed\"}",
        "{\"ts\":1773043200123.4,\"caller\":\"app/server.go:1\",\"msg\":\"started\",\"v\":0}",
        "I0309 08:00:03.000001       1 httplog.go:134] \"HTTP\" verb=\"GET\" URI=\"/readyz\" latency=\"1ms\" audit-ID=\"x\" resp=200",
    ];
    SAID[index % SAID.len()]
}
