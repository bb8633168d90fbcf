//! Objects for requestObject and responseObject: a stock made once, copied many times.

use crate::ops::APPS;
use crate::random::Random;
use crate::text::{json, number};
use crate::users::random_uuid;

/// Ready pieces of objects.
pub struct Bodies {
    /// What follows `metadata` in an object of moderate size: spec, status and the closing brace.
    tails: Vec<String>,
    /// The same for small objects.
    small: Vec<String>,
    /// The same for nodes and other big objects.
    large: Vec<String>,
    /// Whole items of lists.
    items: Vec<String>,
}

/// What an object is called.
pub struct Identity<'a> {
    /// Kind.
    pub kind: &'a str,
    /// Group, empty for core.
    pub group: &'a str,
    /// Version.
    pub version: &'a str,
    /// Name, empty when generated.
    pub name: &'a str,
    /// Namespace or empty.
    pub namespace: &'a str,
    /// Number that makes its uid and resource version.
    pub seed: u64,
}

impl Bodies {
    /// Fills the stock.
    pub fn new(random: &mut Random) -> Bodies {
        let repeat = |count: usize, random: &mut Random, make: fn(&mut Random, usize) -> String| -> Vec<String> {
            (0..count).map(|at| make(random, at)).collect()
        };
        Bodies {
            tails: repeat(48, random, |random, at| pod_tail(random, 1 + at % 8 / 7)),
            small: repeat(24, random, |random, _| small_tail(random)),
            large: repeat(12, random, |random, at| large_tail(random, 15 + at * 8)),
            items: repeat(64, random, item),
        }
    }

    /// Appends one object; `before` leaves out what the server adds when it stores it.
    pub fn object(&self, out: &mut Vec<u8>, who: &Identity<'_>, before: bool) {
        kind(out, who, "");
        out.extend_from_slice(b",\"metadata\":{");
        if who.name.is_empty() {
            out.extend_from_slice(b"\"generateName\":\"web-\"");
        } else {
            out.extend_from_slice(b"\"name\":\"");
            out.extend_from_slice(who.name.as_bytes());
            out.push(b'"');
        }
        if !who.namespace.is_empty() {
            out.extend_from_slice(b",\"namespace\":\"");
            out.extend_from_slice(who.namespace.as_bytes());
            out.push(b'"');
        }
        if before {
            out.extend_from_slice(b",\"creationTimestamp\":null}");
        } else {
            out.extend_from_slice(b",\"uid\":\"");
            crate::text::uuid(out, [who.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), who.seed ^ 0x5555_aaaa]);
            out.extend_from_slice(b"\",\"resourceVersion\":\"");
            number(out, 5_000_000 + who.seed % 90_000_000);
            out.extend_from_slice(b"\",\"creationTimestamp\":\"2026-03-02T10:11:12Z\"}");
        }
        out.extend_from_slice(self.tail(who).as_bytes());
    }

    fn tail(&self, who: &Identity<'_>) -> &str {
        let stock = match who.kind {
            "Lease" | "Namespace" | "ServiceAccount" | "Event" | "RoleBinding" | "Endpoints" | "EndpointSlice" => {
                &self.small
            }
            "Node" | "Prometheus" | "Application" => &self.large,
            _ => &self.tails,
        };
        &stock[who.seed as usize % stock.len()]
    }

    /// Appends a list of `count` items.
    pub fn list(&self, out: &mut Vec<u8>, who: &Identity<'_>, count: u64) {
        kind(out, who, "List");
        out.extend_from_slice(b",\"metadata\":{\"resourceVersion\":\"");
        number(out, 5_000_000 + who.seed % 90_000_000);
        out.extend_from_slice(b"\"},\"items\":[");
        for at in 0..count {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(self.items[(who.seed.wrapping_add(at * 7)) as usize % self.items.len()].as_bytes());
        }
        out.extend_from_slice(b"]}");
    }

    /// Appends a small merge patch.
    pub fn patch(out: &mut Vec<u8>, who: &Identity<'_>, subresource: &str) {
        match (subresource, who.seed % 3) {
            ("scale", _) => {
                out.extend_from_slice(b"{\"spec\":{\"replicas\":");
                number(out, who.seed % 9);
                out.extend_from_slice(b"}}");
            }
            (_, 0) => {
                out.extend_from_slice(b"[{\"op\":\"replace\",\"path\":\"/metadata/annotations/build\",\"value\":\"");
                number(out, who.seed % 100_000);
                out.extend_from_slice(b"\"}]");
            }
            _ => {
                out.extend_from_slice(
                    b"{\"metadata\":{\"annotations\":{\"deployment.kubernetes.io/revision\":\"7\"}},\"spec\":{\"template\":{\"spec\":{\"$setElementOrder/containers\":[{\"name\":\"app\"}],\"containers\":[{\"image\":\"registry.example.com/shop/app:",
                );
                number(out, who.seed % 100_000);
                out.extend_from_slice(b"\",\"name\":\"app\"}]}}}}");
            }
        }
    }
}

fn kind(out: &mut Vec<u8>, who: &Identity<'_>, suffix: &str) {
    out.extend_from_slice(b"{\"kind\":\"");
    out.extend_from_slice(who.kind.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    out.extend_from_slice(b"\",\"apiVersion\":\"");
    if !who.group.is_empty() {
        out.extend_from_slice(who.group.as_bytes());
        out.push(b'/');
    }
    out.extend_from_slice(who.version.as_bytes());
    out.push(b'"');
}

fn small_tail(random: &mut Random) -> String {
    format!(
        ",\"spec\":{{\"holderIdentity\":\"{}\",\"leaseDurationSeconds\":40,\"acquireTime\":\"2026-03-02T10:11:12.345678Z\",\"renewTime\":\"2026-03-09T08:{:02}:{:02}.{:06}Z\",\"leaseTransitions\":{}}}}}",
        random_uuid(random),
        random.below(60),
        random.below(60),
        random.below(1_000_000),
        random.below(30),
    )
}

fn container(random: &mut Random) -> String {
    let app = APPS[random.below(16) as usize];
    let probe = json("if [ \"$(redis-cli ping)\" != \"PONG\" ]; then\n\texit 1 && echo <failed>\nfi");
    format!(
        "{{\"name\":\"{app}\",\"image\":\"registry.example.com/shop/{app}:v1.{}.{}\",\"args\":[\"--listen=:8080\",\"--log-level=info\",\"--endpoint=https://{app}.example.com/?a=1\\u0026b=2\"],\"ports\":[{{\"name\":\"http\",\"containerPort\":8080,\"protocol\":\"TCP\"}}],\"env\":[{{\"name\":\"POD_NAME\",\"valueFrom\":{{\"fieldRef\":{{\"apiVersion\":\"v1\",\"fieldPath\":\"metadata.name\"}}}}}},{{\"name\":\"DATABASE_PASSWORD\",\"valueFrom\":{{\"secretKeyRef\":{{\"name\":\"{app}-credentials\",\"key\":\"password\"}}}}}}],\"resources\":{{\"limits\":{{\"cpu\":\"{}m\",\"memory\":\"{}Mi\"}},\"requests\":{{\"cpu\":\"100m\",\"memory\":\"128Mi\"}}}},\"readinessProbe\":{{\"exec\":{{\"command\":[\"sh\",\"-c\",\"{probe}\"]}},\"timeoutSeconds\":1,\"periodSeconds\":10,\"successThreshold\":1,\"failureThreshold\":3}},\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"IfNotPresent\",\"securityContext\":{{\"capabilities\":{{\"drop\":[\"ALL\"]}},\"runAsNonRoot\":true,\"allowPrivilegeEscalation\":false}}}}",
        random.below(40),
        random.below(20),
        random.between(1, 20) * 100,
        random.between(1, 32) * 128,
    )
}

fn pod_tail(random: &mut Random, containers: usize) -> String {
    let list: Vec<String> = (0..containers).map(|_| container(random)).collect();
    format!(
        ",\"spec\":{{\"containers\":[{}],\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"serviceAccountName\":\"default\",\"nodeName\":\"worker-{:02}.prod.example.com\",\"securityContext\":{{}},\"schedulerName\":\"default-scheduler\",\"priority\":0}},\"status\":{{\"phase\":\"Running\",\"conditions\":[{{\"type\":\"Ready\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":\"2026-03-09T07:{:02}:02Z\"}}],\"hostIP\":\"10.0.1.20\",\"podIP\":\"10.244.3.{}\",\"qosClass\":\"Burstable\"}}}}",
        list.join(","),
        random.below(80),
        random.below(60),
        random.between(2, 250),
    )
}

fn large_tail(random: &mut Random, images: usize) -> String {
    let list: Vec<String> = (0..images)
        .map(|_| {
            format!(
                "{{\"names\":[\"registry.example.com/shop/{}@sha256:{:016x}{:016x}{:016x}{:016x}\"],\"sizeBytes\":{}}}",
                APPS[random.below(16) as usize],
                random.bits(),
                random.bits(),
                random.bits(),
                random.bits(),
                random.below(900_000_000)
            )
        })
        .collect();
    format!(
        ",\"spec\":{{\"podCIDR\":\"10.244.7.0/24\",\"providerID\":\"example://worker\"}},\"status\":{{\"capacity\":{{\"cpu\":\"32\",\"memory\":\"131915324Ki\",\"pods\":\"110\"}},\"images\":[{}]}}}}",
        list.join(",")
    )
}

fn item(random: &mut Random, at: usize) -> String {
    let app = APPS[at % 16];
    format!(
        "{{\"metadata\":{{\"name\":\"{app}-{at}\",\"namespace\":\"payments-prod\",\"uid\":\"{}\",\"resourceVersion\":\"{}\",\"creationTimestamp\":\"2026-03-02T10:11:12Z\",\"labels\":{{\"app\":\"{app}\",\"pod-template-hash\":\"{:08x}\"}},\"managedFields\":[{{\"manager\":\"kube-controller-manager\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"time\":\"2026-03-02T10:11:12Z\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{{\"f:metadata\":{{\"f:labels\":{{\".\":{{}},\"f:app\":{{}},\"f:pod-template-hash\":{{}}}}}},\"f:spec\":{{\"f:containers\":{{\"k:{{\\\"name\\\":\\\"{app}\\\"}}\":{{\".\":{{}},\"f:image\":{{}},\"f:name\":{{}}}}}}}}}}}}]}}{}",
        random_uuid(random),
        random.between(1_000_000, 90_000_000),
        random.bits() as u32,
        pod_tail(random, 1 + at % 2)
    )
}
