//! The controllers of kube-controller-manager.

/// Their service accounts in namespace `kube-system`, which are also their names. Read off the bootstrap policy of
/// Kubernetes (`plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go`, 1.33), with the token
/// controller and names that older and newer releases use. Others have accounts there too, whatever these are
/// called, so only a list can tell.
const CONTROLLERS: &[&str] = &[
    "attachdetach-controller",
    "certificate-controller",
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "device-taint-eviction-controller",
    "disruption-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "endpointslicemirroring-controller",
    "ephemeral-volume-controller",
    "expand-controller",
    "generic-garbage-collector",
    "horizontal-pod-autoscaler",
    "job-controller",
    "kube-apiserver-serving-clustertrustbundle-publisher",
    "legacy-service-account-token-cleaner",
    "namespace-controller",
    "node-controller",
    "node-lifecycle-controller",
    "persistent-volume-binder",
    "pod-garbage-collector",
    "podcertificaterequestcleaner-controller",
    "pv-protection-controller",
    "pvc-protection-controller",
    "replicaset-controller",
    "replication-controller",
    "resource-claim-controller",
    "resourcequota-controller",
    "root-ca-cert-publisher",
    "route-controller",
    "selinux-warning-controller",
    "service-account-controller",
    "service-cidrs-controller",
    "service-controller",
    "statefulset-controller",
    "storage-version-migrator-controller",
    "storageversion-garbage-collector",
    "taint-eviction-controller",
    "tokens-controller",
    "ttl-after-finished-controller",
    "ttl-controller",
    "validatingadmissionpolicy-status-controller",
    "volumeattributesclass-protection-controller",
    "vac-protection-controller",
];

/// Whether a service account of `kube-system` is one of kube-controller-manager's controllers.
pub fn is_controller(account: &str) -> bool {
    CONTROLLERS.contains(&account)
}
