//! Captured samples that are not part of this repository: each holds the events its origin says it holds.
//!
//! The numbers were taken by reading the files with another JSON reader. Where the samples are absent the tests say
//! so aloud and pass.

mod common;

use common::{auditq, shared_corpus};
use serde_json::Value;

/// A sample: its path, how many events it holds, and the audit id, verb and user of the first.
type Sample = (&'static str, usize, [&'static str; 3]);

/// What stands for a value that is absent.
const NONE: &str = "<none>";

const EVENTS: [Sample; 27] = [
    (
        "events/falco/anonymous_creates_namespace_foo.json",
        1,
        ["841d3e6d-90d2-43df-8da4-684738bee3d5", "create", "system:anonymous"],
    ),
    ("events/falco/attach_pod.json", 1, ["14933b4e-7b09-4964-af09-b7987367e1ba", "create", "minikube-user"]),
    (
        "events/falco/create_configmap_sensitive_values.json",
        6,
        ["9a2bb12c-b9f7-4d34-809c-671e8c7e1e06", "create", "minikube-user"],
    ),
    ("events/falco/create_kube_system_secret.json", 1, ["263db4e4-f0bb-41b4-913d-c03815f49be5", "create", "admin"]),
    (
        "events/falco/create_nginx_pod_hostnetwork.json",
        1,
        ["24142dcc-7ad8-4fb8-8d3b-106ea474759d", "create", "system:serviceaccount:kube-system:replicaset-controller"],
    ),
    (
        "events/falco/create_nginx_pod_privileged.json",
        1,
        ["a362d22b-db3c-4590-9505-23782f12925f", "create", "system:serviceaccount:kube-system:replicaset-controller"],
    ),
    (
        "events/falco/create_nginx_service_nodeport.json",
        1,
        ["ceba9ec7-50b5-4bde-8b27-5909df9b35c9", "create", "minikube-user"],
    ),
    ("events/falco/create_secret.json", 1, ["55a81824-ab56-46c5-8b02-96336f5e78d7", "create", "minikube-user"]),
    ("events/falco/delete_serviceaccount.json", 1, ["9335a5a0-edc7-4ef0-9177-499c50f3d707", "delete", "minikube-user"]),
    ("events/falco/exec_pod.json", 1, ["ca1ed9f4-7bf4-4c85-81a8-1b11253d1ba6", "create", "minikube-user"]),
    ("events/falco/fal_01_003.json", 0, [NONE, NONE, NONE]),
    (
        "events/falco/modify_cluster_role_node_problem_detector.json",
        1,
        ["0eaf743e-1668-4de5-940b-0bb5d79aa4c9", "patch", "minikube-user"],
    ),
    ("events/panther-eks-normalized.jsonl", 19, ["abcde12345", NONE, "system:anonymous"]),
    ("events/v1-1.27-eks-splunk-example.jsonl", 1, ["582c31ab-4906-49bb-9ff9-872f980ccb84", "create", "k8s-test-user"]),
    ("events/v1-1.32-khi.jsonl", 1, ["7a816f5c-b093-4f2f-8124-0c6083e41cd4", "update", "system:kube-scheduler"]),
    ("events/v1-hybrid-audit2rbac-demo.jsonl", 37, ["033d17af-082d-4b24-aa22-627752e83d71", "list", "system:admin"]),
    (
        "events/v1-openshift-4.14-afcollins-pretty.json",
        1,
        ["532b1164-8b26-4b49-95f2-907424a80cac", "update", "system:node:ip-10-0-31-19.us-west-2.compute.internal"],
    ),
    ("events/v1-openshift-401-responsestarted.jsonl", 1, ["c771f01d-5995-40e4-9259-879773112159", "create", NONE]),
    (
        "events/v1-openshift-docs-4apiservers.jsonl",
        4,
        ["381acf6d-5f30-4c7d-8175-c9c317ae5893", "get", "system:serviceaccount:openshift-monitoring:prometheus-k8s"],
    ),
    (
        "events/v1-openshift-exporter-100-filtered.jsonl",
        9,
        ["413ccc8e-9bc3-449f-a3d7-883b55f87f15", "patch", "system:serviceaccount:openshift-network-operator:default"],
    ),
    (
        "events/v1-openshift-log5607-pretty.json",
        1,
        [
            "60f68506-a3fd-43fc-a715-8c678a8ccf1b",
            "update",
            "system:serviceaccount:open-cluster-management-agent-addon:config-policy-controller-sa",
        ],
    ),
    (
        "events/v1-openshift-raw_audit_kubernetes-pretty.json",
        1,
        ["ba8076fa-6f45-4392-bceb-7de0e9eaafe5", "get", "system:serviceaccount:openshift-cluster-version:default"],
    ),
    (
        "events/v1-openshift-raw_audit_oauth-apiserver-pretty.json",
        1,
        ["cebbfb7d-eeb1-4b57-8726-97b4da435600", "head", "system:anonymous"],
    ),
    (
        "events/v1-openshift-raw_audit_openshift-pretty.json",
        1,
        ["e1ef9db4-29ae-49a0-ac52-09acf126ac6f", "get", "system:aggregator"],
    ),
    (
        "events/v1-openshift-requestresponse-100.jsonl",
        100,
        ["b6560098-0bbb-4593-ad6a-9c0022e9dc87", "get", "system:apiserver"],
    ),
    ("events/v1beta1-1.8-k8s-docs.jsonl", 2, ["77e58433-d345-40ac-b2d8-9866bd355cea", "list", "kubecfg"]),
    ("events/v1beta1-audit2rbac-demo.jsonl", 37, ["033d17af-082d-4b24-aa22-627752e83d71", "list", "system:admin"]),
];

const LISTS_AND_PREFIXES: [Sample; 3] = [
    (
        "envelopes/webhook-eventlist-v1alpha1-1.7-k8s-docs.json",
        1,
        ["4faf711a-9094-400f-a876-d9188ceda548", "get", "system:apiserver"],
    ),
    (
        "envelopes/webhook-eventlist-v1beta1-1.8-k8s-docs.json",
        1,
        ["24f30caf-d7d4-45d5-b7bd-e7af300d7886", "get", "kubecfg"],
    ),
    (
        "envelopes/oc-adm-node-logs-prefixed-v1beta1.log",
        1,
        ["6e96c88b-ab6f-44d2-b62e-d1413efd676b", "get", "kube:admin"],
    ),
];

const AKS: [Sample; 4] = [
    (
        "envelopes/aks/eventhub-records.json",
        22,
        ["55ffceaa-b7c3-478e-98c6-e509cd2f0dd7", "get", "system:serviceaccount:kube-system:resourcequota-controller"],
    ),
    (
        "envelopes/aks/diagnostic-record-bom-pretty.json",
        1,
        ["4e2a4193-cb3d-4ff7-bf37-32c392fbc23b", "get", "system:serviceaccount:kube-system:generic-garbage-collector"],
    ),
    (
        "envelopes/aks/kubeauditlog-event-bom-pretty.json",
        1,
        ["71749feb-8e92-43e6-a72f-af6171f811ee", "update", "system:serviceaccount:kube-system:daemon-set-controller"],
    ),
    ("envelopes/aks/panther-diagnostic-records.jsonl", 34, [NONE, "create", "policy-admin@example.com"]),
];

const EKS: [Sample; 1] = [(
    "envelopes/eks/insights-get-query-results.json",
    1,
    ["8f7883c6-b3d5-42d7-967a-1121c6f22f01", "watch", "system:apiserver"],
)];

const OPENSHIFT: [Sample; 4] = [
    (
        "envelopes/openshift-logging/otlp_audit_kube.json",
        3,
        ["90aab58a-d0c7-4c4c-9cba-b28799b9cd7d", "watch", "system:multus:ip-10-0-74-191.ec2.internal"],
    ),
    (
        "envelopes/openshift-logging/otlp_audit_openshift.json",
        3,
        [
            "49dd24b1-c07d-4bc3-8d62-677c4f0c72eb",
            "get",
            "system:serviceaccount:openshift-console-operator:console-operator",
        ],
    ),
    (
        "envelopes/openshift-logging/viaq_audit_kubernetes.json",
        1,
        ["0aa7d5c9-1afd-4fc4-920c-e5d9e0b7befa", "watch", "system:apiserver"],
    ),
    (
        "envelopes/openshift-logging/viaq_audit_openshift.json",
        1,
        ["b38f72ea-4552-4cb4-8b63-7328d95b1a04", "get", "system:apiserver"],
    ),
];

const GKE: [Sample; 13] = [
    (
        "envelopes/gke/log_entries/attach_cluster_admin_role.json",
        1,
        ["75769369-6f53-4da5-883e-75a5c8b593fb", "create", "mark.stemm@sysdig.com"],
    ),
    (
        "envelopes/gke/log_entries/attach_pod.json",
        1,
        ["1d4969b5-9833-4bd0-b4c9-028ff02b8038", "create", "mark.stemm@sysdig.com"],
    ),
    (
        "envelopes/gke/log_entries/create_clusterrolebinding.json",
        1,
        ["b97e7b1c-4a08-4969-bd39-8f014c797f27", "create", "mark.stemm@sysdig.com"],
    ),
    (
        "envelopes/gke/log_entries/create_configmap.json",
        1,
        ["e1340b29-dc86-47a4-9099-15840e9977f8", "create", "mark.stemm@sysdig.com"],
    ),
    (
        "envelopes/gke/log_entries/create_namespace.json",
        1,
        ["50c27b45-f489-4921-8e74-97b0bdfe8857", "create", "mark.stemm@sysdig.com"],
    ),
    (
        "envelopes/gke/log_entries/create_serviceaccount.json",
        1,
        [
            "41a71bbf-d6ce-4948-b947-96f845305c06",
            "create",
            "system:serviceaccount:kube-system:service-account-controller",
        ],
    ),
    (
        "envelopes/gke/log_entries/create_vanilla_service.json",
        1,
        ["d98b4311-84d5-4d48-adcf-6389f7e967f9", "create", "mark.stemm@sysdig.com"],
    ),
    (
        "envelopes/gke/log_entries/delete_configmap.json",
        1,
        ["ee984a55-ec85-4e8c-82d8-3e3783a36a4c", "delete", "mark.stemm@sysdig.com"],
    ),
    (
        "envelopes/gke/log_entries/delete_service_failed_not_found.json",
        1,
        ["06c3df59-1360-43c7-99c9-dddbcc1c2548", "delete", "mark.stemm@sysdig.com"],
    ),
    (
        "envelopes/gke/log_entries/exec_pod.json",
        1,
        ["fc7b6727-7e61-4fc8-9a10-1287b3180d47", "create", "mark.stemm@sysdig.com"],
    ),
    // Of 57 entries 16 are of other services, or do not say of which.
    ("envelopes/gke/panther-logentries.jsonl", 41, [NONE, "create", "john.doe@company.com"]),
    (
        "envelopes/gke/khi-logentries.jsonl",
        3,
        ["85371f7c-2383-4041-96e8-dad63d2d1990", "create", "system:serviceaccount:kube-system:replicaset-controller"],
    ),
    ("envelopes/gke/khi-not-k8s-container-api-logentries.jsonl", 0, [NONE, NONE, NONE]),
];

/// What auditq reads of a sample: its events, and the first's audit id, verb and user.
fn read(path: &str) -> (usize, [String; 3]) {
    let output = auditq(&["query", "--events", "-o", "json", path], b"");
    let lines: Vec<&[u8]> = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    let first: Value = lines
        .first()
        .map_or(Value::Null, |line| serde_json::from_slice(line).unwrap_or_else(|error| panic!("{path}: {error}")));
    let text = |value: &Value| value.as_str().unwrap_or(NONE).to_owned();
    (lines.len(), [text(&first["auditID"]), text(&first["verb"]), text(&first["user"]["username"])])
}

fn holds(test: &str, samples: &[Sample]) {
    let Some(corpus) = shared_corpus(test) else { return };
    let mut failures = Vec::new();
    for (name, count, first) in samples {
        let path = corpus.join(name);
        let (got_count, got_first) = read(path.to_str().expect("a path in UTF-8"));
        if got_count != *count || got_first != *first {
            failures.push(format!("{name}: {got_count} events of {count}, the first {got_first:?} for {first:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn events_as_servers_and_tools_wrote_them() {
    holds("events_as_servers_and_tools_wrote_them", &EVENTS);
    assert_eq!(EVENTS.iter().map(|(_, count, _)| count).sum::<usize>(), 232, "as many as are known to be valid");
}

#[test]
fn lists_and_prefixes() {
    holds("lists_and_prefixes", &LISTS_AND_PREFIXES);
}

#[test]
fn azure_diagnostics() {
    holds("azure_diagnostics", &AKS);
}

#[test]
fn cloudwatch_queries() {
    holds("cloudwatch_queries", &EKS);
}

#[test]
fn openshift_logging() {
    holds("openshift_logging", &OPENSHIFT);
}

#[test]
fn google_cloud_logging() {
    holds("google_cloud_logging", &GKE);
}

#[test]
fn the_true_level_is_told_where_a_collector_overwrote_it() {
    let Some(corpus) = shared_corpus("the_true_level_is_told_where_a_collector_overwrote_it") else { return };
    for name in ["viaq_audit_kubernetes.json", "viaq_audit_openshift.json"] {
        let path = corpus.join("envelopes/openshift-logging").join(name);
        let path = path.to_str().expect("a path in UTF-8");
        let answer = auditq(&["summary", "--by", "level", "-o", "json", path], b"").json().remove(0);
        assert_eq!(answer["groups"][0]["level"], "Metadata", "{name}: {answer}");
    }
}

#[test]
fn every_sample_has_its_numbers() {
    let Some(corpus) = shared_corpus("every_sample_has_its_numbers") else { return };
    let known: Vec<&str> = [&EVENTS[..], &LISTS_AND_PREFIXES, &AKS, &EKS, &OPENSHIFT, &GKE]
        .concat()
        .into_iter()
        .map(|(name, _, _)| name)
        .collect();
    for folder in ["events", "envelopes"] {
        for path in common::files_below(&corpus.join(folder)) {
            let name = path.strip_prefix(&corpus).expect("below the corpus").to_string_lossy();
            // A converter's output for the entries of the same names, which are in the list.
            let converted = name.starts_with("envelopes/gke/k8s_audit_events/");
            assert!(converted || known.contains(&&*name), "{name} is not tested");
        }
    }
}

/// What audit2rbac makes of its own demo log: the role its README shows for alice, and for the others what its
/// options are documented to give. Verbs are always these three.
const DEMO_ROLES: [(&str, &[(&str, &str)]); 3] = [
    ("alice", &[("ns1", "configmaps"), ("ns1", "pods"), ("ns1", "secrets")]),
    ("bob", &[("", "nodes"), ("", "pods")]),
    ("system:serviceaccount:ns1:sa1", &[("", "nodes"), ("", "pods")]),
];

#[test]
fn roles_of_the_audit2rbac_demo_grant_what_audit2rbac_grants() {
    use auditq::rbac::{Request, Target, User, manifest};

    let Some(corpus) = shared_corpus("roles_of_the_audit2rbac_demo_grant_what_audit2rbac_grants") else { return };
    for log in ["v1beta1-audit2rbac-demo.jsonl", "v1-hybrid-audit2rbac-demo.jsonl"] {
        let path = corpus.join("events").join(log);
        let path = path.to_str().expect("a path in UTF-8");
        let like_audit2rbac = ["--include-denied", "--expand-verbs", "--expand-names", "--expand-namespaces"];
        let done = auditq(&[&["rbac", "generate", "-q"], &like_audit2rbac[..], &[path]].concat(), b"");
        let manifests = manifest::read(&String::from_utf8(done.stdout).expect("UTF-8")).expect("valid manifests");
        let mut granted = 0;
        for (user, known) in DEMO_ROLES {
            for verb in ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"] {
                for resource in ["pods", "pods/log", "configmaps", "secrets", "nodes", "services"] {
                    for namespace in ["", "default", "ns1", "other"] {
                        let target =
                            Target::Resource { group: String::new(), resource: resource.to_owned(), name: None };
                        let place = (!namespace.is_empty()).then(|| namespace.to_owned());
                        let request = Request { namespace: place, target, verb: verb.to_owned() };
                        let expected = ["get", "list", "watch"].contains(&verb)
                            && known
                                .iter()
                                .any(|(place, what)| *what == resource && (place.is_empty() || *place == namespace));
                        let allowed = manifests.policy.allows(&User::new(user, []), &request);
                        assert_eq!(allowed, expected, "{log}: {user} {request:?}");
                        granted += u32::from(allowed);
                    }
                }
            }
        }
        assert_eq!(granted, 9 + 24 + 24, "{log}");
        assert_eq!(manifests.policy.roles.len(), 3, "{log}: nobody else is granted anything");
    }
}
