//! What callers do: a table of operations, and the texts of each, ready to copy.

use crate::random::{Random, Weighted};
use crate::text::json;
use crate::users::{namespaces, pod_suffix};

/// A kind of caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Kind {
    Apiserver,
    Scheduler,
    Manager,
    Controller,
    Node,
    Operator,
    App,
    Ci,
    Person,
    Anonymous,
    Intruder,
}

const KINDS: [(&str, Kind); 11] = [
    ("apiserver", Kind::Apiserver),
    ("scheduler", Kind::Scheduler),
    ("manager", Kind::Manager),
    ("controller", Kind::Controller),
    ("node", Kind::Node),
    ("operator", Kind::Operator),
    ("app", Kind::App),
    ("ci", Kind::Ci),
    ("person", Kind::Person),
    ("anonymous", Kind::Anonymous),
    ("intruder", Kind::Intruder),
];

/// Columns: kind, weight, verb, group/version:resource/subresource or :/path, namespace, name, query.
///
/// Namespace: `*` any, `own` the caller's, `-` none, else itself.
/// Name: `*` any, `own` the caller's, `body` only in the body, `generated` never in the event, `-` none, else itself.
/// Query: `$n` name, `$s` seconds, `$r` resource version, `$c` container.
const TABLE: &str = "
apiserver 14 get coordination.k8s.io/v1:leases kube-system apiserver-ozsn4kvbbzybeqgkbp7nk6hcui -
apiserver 14 update coordination.k8s.io/v1:leases kube-system apiserver-ozsn4kvbbzybeqgkbp7nk6hcui -
apiserver 10 get v1:namespaces default - -
apiserver 10 get v1:services default kubernetes -
apiserver 10 get v1:endpoints default kubernetes -
apiserver 6 update v1:endpoints default kubernetes -
apiserver 4 list v1:resourcequotas * - -
apiserver 3 watch v1:secrets - - allowWatchBookmarks=true&resourceVersion=$r&timeout=7m24s&timeoutSeconds=$s&watch=true
apiserver 3 watch rbac.authorization.k8s.io/v1:clusterroles - - allowWatchBookmarks=true&resourceVersion=$r&timeout=9m3s&timeoutSeconds=$s&watch=true
apiserver 3 watch networking.k8s.io/v1:servicecidrs - kubernetes allowWatchBookmarks=true&fieldSelector=metadata.name%3Dkubernetes&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&timeout=7m24s&timeoutSeconds=$s&watch=true
apiserver 6 create authorization.k8s.io/v1:subjectaccessreviews - - -
scheduler 60 update coordination.k8s.io/v1:leases kube-system kube-scheduler timeout=5s
scheduler 60 get coordination.k8s.io/v1:leases kube-system kube-scheduler timeout=5s
scheduler 14 create v1:pods/binding * * -
scheduler 8 create events.k8s.io/v1:events * generated -
scheduler 9 patch v1:pods/status * * -
scheduler 3 watch v1:pods - - allowWatchBookmarks=true&fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed&resourceVersion=$r&timeoutSeconds=$s&watch=true
scheduler 3 watch v1:nodes - - allowWatchBookmarks=true&resourceVersion=$r&timeout=5m59s&timeoutSeconds=$s&watch=true
manager 40 update coordination.k8s.io/v1:leases kube-system kube-controller-manager timeout=5s
manager 40 get coordination.k8s.io/v1:leases kube-system kube-controller-manager timeout=5s
manager 10 create v1:serviceaccounts/token kube-system * -
manager 8 get :/api - - timeout=32s
manager 8 get :/apis - - timeout=32s
controller 12 get apps/v1:replicasets * * -
controller 14 update apps/v1:replicasets/status * * -
controller 12 update apps/v1:deployments/status * * -
controller 8 create v1:pods * generated -
controller 5 delete v1:pods * * -
controller 8 create v1:events * generated -
controller 6 patch v1:events * * -
controller 14 update discovery.k8s.io/v1:endpointslices * * -
controller 8 update v1:endpoints * * -
controller 8 list v1:configmaps * - resourceVersion=$r
controller 4 deletecollection v1:pods * - -
controller 4 list v1:limitranges * - -
controller 6 update v1:namespaces/status * - -
controller 10 get v1:serviceaccounts kube-system * -
controller 6 create v1:serviceaccounts/token kube-system * -
controller 8 watch apps/v1:deployments - - allowWatchBookmarks=true&resourceVersion=$r&timeout=8m39s&timeoutSeconds=$s&watch=true
controller 5 watch argoproj.io/v1alpha1:applications - - allowWatchBookmarks=true&resourceVersion=$r&timeoutSeconds=$s&watch=true
controller 4 update batch/v1:cronjobs/status * * -
controller 4 create batch/v1:jobs * body -
node 40 update coordination.k8s.io/v1:leases kube-node-lease own timeout=10s
node 22 get v1:nodes - own resourceVersion=0&timeout=10s
node 16 patch v1:nodes/status - own timeout=10s
node 20 patch v1:pods/status * * -
node 16 get v1:pods * * -
node 8 create v1:serviceaccounts/token * * -
node 8 create v1:events * generated -
node 5 patch v1:events * * -
node 10 watch v1:configmaps * kube-root-ca.crt allowWatchBookmarks=true&fieldSelector=metadata.name%3Dkube-root-ca.crt&resourceVersion=$r&timeout=6m32s&timeoutSeconds=$s&watch=true
node 6 watch v1:secrets * * allowWatchBookmarks=true&fieldSelector=metadata.name%3D$n&resourceVersion=$r&timeout=9m1s&timeoutSeconds=$s&watch=true
node 4 list v1:configmaps * kube-root-ca.crt fieldSelector=metadata.name%3Dkube-root-ca.crt&limit=500&resourceVersion=0
node 4 delete v1:pods * * -
node 4 get storage.k8s.io/v1:csinodes - own -
node 3 create authorization.k8s.io/v1:subjectaccessreviews - - -
node 2 create authentication.k8s.io/v1:tokenreviews - - -
operator 20 update coordination.k8s.io/v1:leases own own -
operator 20 get coordination.k8s.io/v1:leases own own -
operator 8 list v1:pods * - limit=500&resourceVersion=0
operator 5 list v1:nodes - - -
operator 8 list apps/v1:deployments - - limit=500&resourceVersion=$r
operator 6 list v1:secrets * - labelSelector=owner%3Dhelm&limit=500
operator 8 watch v1:pods - - allowWatchBookmarks=true&resourceVersion=$r&timeout=5m15s&timeoutSeconds=$s&watch=true
operator 5 watch networking.k8s.io/v1:ingresses - - allowWatchBookmarks=true&resourceVersion=$r&timeout=6m55s&timeoutSeconds=$s&watch=true
operator 12 update monitoring.coreos.com/v1:prometheuses/status * * -
operator 8 patch argoproj.io/v1alpha1:applications * * -
operator 5 update cert-manager.io/v1:certificates/status * * -
operator 4 create v1:secrets * body -
operator 6 patch apps/v1:deployments * * fieldManager=argocd-controller&force=true
operator 2 patch apps/v1:deployments/scale * * -
operator 4 get :/apis/apps/v1 - - timeout=32s
operator 3 get :/metrics - - -
operator 2 create v1:pods/eviction * * -
app 16 get v1:configmaps own * -
app 8 get v1:secrets own * -
app 16 update coordination.k8s.io/v1:leases own own -
app 14 get coordination.k8s.io/v1:leases own own -
app 8 list v1:pods own - labelSelector=app%3D$c
app 5 list v1:endpoints own - -
app 8 watch v1:configmaps own - allowWatchBookmarks=true&resourceVersion=$r&timeout=5m15s&timeoutSeconds=$s&watch=true
app 4 get v1:pods own * -
app 3 create authorization.k8s.io/v1:selfsubjectaccessreviews - - -
app 2 get :/openapi/v2 - - timeout=32s
ci 14 patch apps/v1:deployments own * fieldManager=helm&fieldValidation=Strict
ci 12 get apps/v1:deployments own * -
ci 8 get v1:secrets own * -
ci 5 create v1:secrets own body fieldManager=helm
ci 4 update v1:secrets own * fieldManager=helm
ci 3 delete v1:secrets own * -
ci 6 patch v1:services own * fieldManager=helm
ci 5 patch v1:configmaps own * fieldManager=helm
ci 8 list apps/v1:replicasets own - labelSelector=app%3D$c
ci 1 create v1:namespaces - body fieldManager=helm
ci 1 delete v1:namespaces * - -
ci 3 create batch/v1:jobs own body fieldManager=kubectl-create&fieldValidation=Strict
person 30 list v1:pods * - limit=500
person 18 get v1:pods * * -
person 8 get v1:pods/log * * container=$c&follow=true&tailLines=200
person 12 get :/api - - timeout=32s
person 12 get :/apis - - timeout=32s
person 8 list apps/v1:deployments * - limit=500
person 4 get v1:secrets * * -
person 4 list v1:events * - fieldSelector=involvedObject.name%3D$n%2CinvolvedObject.namespace%3Ddefault&limit=500
person 3 get v1:pods/exec * * command=sh&command=-c&command=ps+aux+%7C+grep+%22java%22&container=$c&stdin=true&stdout=true&tty=true
person 2 create v1:pods/exec * * command=%2Fbin%2Fbash&container=$c&stderr=true&stdin=true&stdout=true&tty=true
person 2 get v1:pods/portforward * * ports=8080
person 1 create v1:pods/attach * * container=$c&stdin=true&stdout=true
person 3 patch apps/v1:deployments/scale * * -
person 5 patch apps/v1:deployments * * fieldManager=kubectl-client-side-apply&fieldValidation=Strict
person 4 delete v1:pods * * -
person 2 create rbac.authorization.k8s.io/v1:rolebindings * body fieldManager=kubectl-create&fieldValidation=Strict
person 3 create authorization.k8s.io/v1:selfsubjectaccessreviews - - -
person 2 patch v1:nodes - * fieldManager=kubectl-cordon
person 2 create v1:pods/eviction * * -
person 5 list metrics.k8s.io/v1beta1:pods * - -
person 1 get v1:services/proxy * * -
anonymous 30 get :/livez - - -
anonymous 30 get :/readyz - - verbose=true
anonymous 8 get :/healthz - - -
anonymous 6 get :/ - - -
anonymous 8 list v1:pods default - -
anonymous 4 get v1:secrets kube-system * -
intruder 1 delete v1:secrets * * -
";

/// A piece of a query string.
#[allow(missing_docs)]
pub enum Piece {
    Text { raw: String, json: String },
    Name,
    Seconds,
    ResourceVersion,
    Container,
}

/// Where a namespace or a name comes from.
#[allow(missing_docs)]
#[derive(PartialEq, Eq)]
pub enum From {
    None,
    Any,
    Own,
    Fixed(String),
    Body,
    Generated,
}

impl From {
    fn read(text: &str) -> From {
        match text {
            "-" => From::None,
            "*" => From::Any,
            "own" => From::Own,
            "body" => From::Body,
            "generated" => From::Generated,
            _ => From::Fixed(text.to_owned()),
        }
    }
}

/// One operation.
pub struct Op {
    /// Kubernetes verb.
    pub verb: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// API group, empty for core.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Resource, empty for a non-resource path.
    pub resource: &'static str,
    /// Subresource or empty.
    pub subresource: &'static str,
    /// Path of a non-resource request.
    pub path: &'static str,
    /// `/api/v1` or `/apis/group/version`.
    pub prefix: String,
    /// Namespace.
    pub namespace: From,
    /// Object name.
    pub name: From,
    /// Query string with its `?`, empty if none.
    pub query: Vec<Piece>,
    /// `,"apiGroup":…` tail of objectRef between name and subresource.
    pub json_version: String,
    /// Kind of the resource, as in `Pod`.
    pub object: &'static str,
    /// Pool of names.
    pub names: usize,
    /// Gets a ResponseStarted and may last.
    pub long: bool,
}

/// All operations and what they draw from.
pub struct Ops {
    /// The table.
    pub ops: Vec<Op>,
    by_kind: Vec<(Vec<usize>, Weighted)>,
    /// Pools of object names.
    pub pools: Vec<Vec<String>>,
    /// Namespaces.
    pub namespaces: Vec<String>,
    /// Containers.
    pub containers: Vec<&'static str>,
}

/// Application names, also used as container names.
pub const APPS: [&str; 16] = [
    "api",
    "worker",
    "web",
    "gateway",
    "ledger",
    "indexer",
    "redis",
    "postgres",
    "scheduler",
    "notifier",
    "billing",
    "auth",
    "catalog",
    "cart",
    "reports",
    "importer",
];

impl Ops {
    /// Reads the table.
    pub fn new(random: &mut Random) -> Ops {
        let mut ops = Vec::new();
        let mut weights: Vec<(Vec<usize>, Vec<u64>)> = KINDS.iter().map(|_| Default::default()).collect();
        let mut resources: Vec<&'static str> = Vec::new();
        for line in TABLE.lines().filter(|line| !line.is_empty()) {
            let columns: Vec<&'static str> = line.split(' ').collect();
            let kind = KINDS.iter().position(|(name, _)| *name == columns[0]).expect("a kind of caller");
            weights[kind].0.push(ops.len());
            weights[kind].1.push(columns[1].parse().expect("a weight"));
            ops.push(read(&columns[2..], &mut resources));
        }
        let pools = resources.iter().map(|resource| pool(resource, random)).collect();
        let by_kind = weights.into_iter().map(|(ids, weights)| (ids, Weighted::new(weights))).collect();
        Ops { ops, by_kind, pools, namespaces: namespaces(), containers: APPS.to_vec() }
    }

    /// Draws an operation for a caller.
    pub fn draw(&self, kind: Kind, random: &mut Random) -> usize {
        let at = KINDS.iter().position(|(_, known)| *known == kind).expect("every kind is listed");
        let (ids, weights) = &self.by_kind[at];
        ids[weights.draw(random)]
    }
}

fn read(columns: &[&'static str], resources: &mut Vec<&'static str>) -> Op {
    let [verb, target, namespace, name, query] = *columns else { panic!("five columns: {columns:?}") };
    let (api, path) = target.split_once(':').expect("a colon");
    let (group, version) = api.rsplit_once('/').unwrap_or(("", api));
    let (resource, subresource) = if api.is_empty() { ("", "") } else { path.split_once('/').unwrap_or((path, "")) };
    let names = resources.iter().position(|known| *known == resource).unwrap_or_else(|| {
        resources.push(resource);
        resources.len() - 1
    });
    let group_json = if group.is_empty() { String::new() } else { format!(",\"apiGroup\":\"{group}\"") };
    Op {
        verb,
        method: match verb {
            "create" => "POST",
            "update" => "PUT",
            "patch" => "PATCH",
            "delete" | "deletecollection" => "DELETE",
            _ => "GET",
        },
        group,
        version,
        resource,
        subresource,
        path: if api.is_empty() { path } else { "" },
        prefix: if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") },
        namespace: From::read(namespace),
        name: From::read(name),
        query: pieces(query),
        json_version: format!("{group_json},\"apiVersion\":\"{version}\""),
        object: object(resource),
        names,
        long: verb == "watch" || matches!(subresource, "exec" | "attach" | "portforward" | "log" | "proxy"),
    }
}

fn pieces(query: &str) -> Vec<Piece> {
    if query == "-" {
        return Vec::new();
    }
    let mut pieces = Vec::new();
    for (number, part) in format!("?{query}").split('$').enumerate() {
        let text = if number == 0 { part } else { part.get(1..).unwrap_or("") };
        match part.chars().next() {
            _ if number == 0 => {}
            Some('n') => pieces.push(Piece::Name),
            Some('s') => pieces.push(Piece::Seconds),
            Some('r') => pieces.push(Piece::ResourceVersion),
            Some('c') => pieces.push(Piece::Container),
            other => panic!("unknown placeholder {other:?} in {query}"),
        }
        if !text.is_empty() {
            pieces.push(Piece::Text { raw: text.to_owned(), json: json(text) });
        }
    }
    pieces
}

fn object(resource: &str) -> &'static str {
    match resource {
        "pods" => "Pod",
        "leases" => "Lease",
        "namespaces" => "Namespace",
        "services" => "Service",
        "endpoints" => "Endpoints",
        "resourcequotas" => "ResourceQuota",
        "secrets" => "Secret",
        "clusterroles" => "ClusterRole",
        "servicecidrs" => "ServiceCIDR",
        "events" => "Event",
        "nodes" => "Node",
        "replicasets" => "ReplicaSet",
        "deployments" => "Deployment",
        "endpointslices" => "EndpointSlice",
        "configmaps" => "ConfigMap",
        "limitranges" => "LimitRange",
        "serviceaccounts" => "ServiceAccount",
        "applications" => "Application",
        "cronjobs" => "CronJob",
        "jobs" => "Job",
        "csinodes" => "CSINode",
        "ingresses" => "Ingress",
        "prometheuses" => "Prometheus",
        "certificates" => "Certificate",
        "rolebindings" => "RoleBinding",
        "subjectaccessreviews" => "SubjectAccessReview",
        "selfsubjectaccessreviews" => "SelfSubjectAccessReview",
        "tokenreviews" => "TokenReview",
        _ => "",
    }
}

fn pool(resource: &str, random: &mut Random) -> Vec<String> {
    let size = if resource == "pods" || resource == "events" { 4000 } else { 200 };
    (0..size)
        .map(|number| {
            let app = APPS[number % APPS.len()];
            match resource {
                "pods" => format!("{app}-{}", pod_suffix(random)),
                "events" => format!("{app}-{}.{:016x}", pod_suffix(random), 0x1800_0000_0000_0000 | random.bits() >> 8),
                "nodes" | "csinodes" => format!("worker-{:02}.prod.example.com", number % 80),
                "secrets" => format!("{app}-{}", ["credentials", "tls", "token", "registry"][number / 16 % 4]),
                "configmaps" if number % 8 == 0 => "kube-root-ca.crt".to_owned(),
                "replicasets" => format!("{app}-{}", &pod_suffix(random)[..10]),
                _ if number < 16 => app.to_owned(),
                _ => format!("{app}-{}", number / 16),
            }
        })
        .collect()
}
