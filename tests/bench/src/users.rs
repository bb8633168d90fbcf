//! Who calls the API: controllers, nodes, operators, applications, people, and one rare intruder.

use crate::text::{go_quote, json, uuid};
use crate::{ops::Kind, random::Random};

/// A caller with every text of it ready to copy.
pub struct User {
    /// What it does.
    pub kind: Kind,
    /// The name as it is.
    pub name: String,
    /// Home namespace index, for service accounts.
    pub home: u16,
    /// Object name that the user acts on as "itself": node name, lease name.
    pub own: String,
    /// `"user":{…},`
    pub json: String,
    /// The same without the key and comma, for `impersonatedUser`.
    pub json_impersonated: String,
    /// `"sourceIPs":[…],"userAgent":"…",`
    pub json_client: String,
    /// First source address.
    pub ip: String,
    /// `user="…" groups="…"` of the text formats.
    pub legacy_user: String,
    /// Value of `asgroups`, when somebody acts as this user.
    pub legacy_groups: String,
    /// User agent quoted by `%q`.
    pub legacy_agent: String,
    /// The RBAC reason as JSON string content.
    pub reason: String,
    /// Draws of a million requests that are refused.
    pub refused: u64,
    /// Relative frequency.
    pub weight: u64,
}

/// Namespaces of the cluster; the first ones are the platform's.
pub fn namespaces() -> Vec<String> {
    let mut all: Vec<String> = [
        "default",
        "kube-system",
        "kube-node-lease",
        "kube-public",
        "monitoring",
        "ingress-nginx",
        "cert-manager",
        "argocd",
    ]
    .map(str::to_owned)
    .into();
    let teams = ["payments", "search", "checkout", "identity", "ledger", "mobile", "data", "platform", "risk", "media"];
    for team in teams {
        for tier in ["dev", "staging", "prod", "batch", "sandbox"] {
            all.push(format!("{team}-{tier}"));
        }
    }
    all
}

const CONTROLLERS: [&str; 24] = [
    "generic-garbage-collector",
    "resourcequota-controller",
    "namespace-controller",
    "replicaset-controller",
    "deployment-controller",
    "endpointslice-controller",
    "endpoint-controller",
    "job-controller",
    "cronjob-controller",
    "statefulset-controller",
    "daemon-set-controller",
    "service-account-controller",
    "disruption-controller",
    "horizontal-pod-autoscaler",
    "node-controller",
    "persistent-volume-binder",
    "attachdetach-controller",
    "certificate-controller",
    "clusterrole-aggregation-controller",
    "expand-controller",
    "pod-garbage-collector",
    "pvc-protection-controller",
    "root-ca-cert-publisher",
    "ttl-after-finished-controller",
];

const OPERATORS: [(&str, &str); 12] = [
    ("monitoring", "prometheus-k8s"),
    ("monitoring", "kube-state-metrics"),
    ("monitoring", "prometheus-operator"),
    ("argocd", "argocd-application-controller"),
    ("argocd", "argocd-server"),
    ("cert-manager", "cert-manager"),
    ("cert-manager", "cert-manager-cainjector"),
    ("ingress-nginx", "ingress-nginx"),
    ("kube-system", "coredns"),
    ("kube-system", "cluster-autoscaler"),
    ("kube-system", "metrics-server"),
    ("kube-system", "csi-provisioner"),
];

const PEOPLE: [&str; 20] = [
    "amelia", "bruno", "chen", "dalia", "elif", "farid", "grace", "hiro", "ines", "jonas", "kavya", "lars", "mei",
    "noor", "olga", "pablo", "quinn", "rosa", "sven", "zoë",
];

/// The cast in order of frequency class; the last one is the intruder.
pub fn cast(random: &mut Random) -> Vec<User> {
    let spaces = namespaces();
    let home = |name: &str| spaces.iter().position(|space| space == name).unwrap_or(0) as u16;
    let mut makers: Vec<Maker> = Vec::new();
    makers.push(Maker::component(
        "system:apiserver",
        &["system:authenticated", "system:masters"],
        Kind::Apiserver,
        "::1",
    ));
    makers.push(Maker::component("system:kube-scheduler", &["system:authenticated"], Kind::Scheduler, "10.0.0.11"));
    makers.push(Maker::component(
        "system:kube-controller-manager",
        &["system:authenticated"],
        Kind::Manager,
        "10.0.0.11",
    ));
    for name in CONTROLLERS {
        makers.push(Maker::controller(name, home("kube-system")));
    }
    for number in 0..80 {
        makers.push(Maker::node(number));
    }
    for (space, name) in OPERATORS {
        makers.push(Maker::account(space, name, home(space), Kind::Operator, random));
    }
    for number in 0..150 {
        let at = 8 + number % (spaces.len() - 8);
        let name = ["api", "worker", "web"][number / 50].to_owned();
        makers.push(Maker::account(&spaces[at], &name, at as u16, Kind::App, random));
    }
    for number in 0..100 {
        let name =
            format!("{}.{}@example.com", PEOPLE[number % 20], ["a", "berg", "costa", "dumont", "eze"][number / 20]);
        makers.push(Maker::person(&name, number as u64));
    }
    for number in 0..20 {
        let at = 8 + number * 2;
        makers.push(Maker::account(&spaces[at], "ci-deployer", at as u16, Kind::Ci, random));
    }
    makers.push(Maker::component("system:anonymous", &["system:unauthenticated"], Kind::Anonymous, "10.0.0.250"));
    // A Zipf law over the whole cast, in an order that mixes the kinds: busy controllers first,
    // but a noisy application or person can outrank a quiet controller.
    let mut order: Vec<usize> = (0..makers.len()).collect();
    for at in 3..order.len() {
        let reach = (order.len() - at).min(60) as u64;
        order.swap(at, at + random.below(reach) as usize);
    }
    let mut cast: Vec<User> = Vec::with_capacity(makers.len() + 1);
    let mut weights = vec![0; makers.len()];
    for (rank, &at) in order.iter().enumerate() {
        weights[at] = 10_000_000 / (rank as u64 + 3);
    }
    for (maker, weight) in makers.into_iter().zip(weights) {
        cast.push(maker.make(weight, random));
    }
    let mut intruder = Maker::person("mallory@example.com", 666);
    intruder.kind = Kind::Intruder;
    cast.push(intruder.make(0, random));
    cast
}

struct Maker {
    kind: Kind,
    name: String,
    uid: bool,
    groups: Vec<String>,
    extra: Vec<(String, String)>,
    ips: Vec<String>,
    agent: String,
    own: String,
    home: u16,
    reason: String,
    refused: u64,
}

impl Maker {
    fn component(name: &str, groups: &[&str], kind: Kind, ip: &str) -> Maker {
        let own = name.trim_start_matches("system:").to_owned();
        let agent = match kind {
            Kind::Apiserver => "kube-apiserver/v1.33.4 (linux/amd64) kubernetes/74cdb42".to_owned(),
            Kind::Anonymous => "kube-probe/1.33".to_owned(),
            _ => format!("{own}/v1.33.4 (linux/amd64) kubernetes/74cdb42/leader-election"),
        };
        let reason = match kind {
            Kind::Apiserver => String::new(),
            Kind::Anonymous => {
                "RBAC: allowed by ClusterRoleBinding \"system:public-info-viewer\" of ClusterRole \"system:public-info-viewer\" to Group \"system:unauthenticated\"".to_owned()
            }
            _ => format!("RBAC: allowed by ClusterRoleBinding \"{name}\" of ClusterRole \"{name}\" to User \"{name}\""),
        };
        Maker {
            kind,
            name: name.to_owned(),
            uid: kind == Kind::Apiserver,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            extra: Vec::new(),
            ips: vec![ip.to_owned()],
            agent,
            own,
            home: 1,
            reason,
            refused: if kind == Kind::Anonymous { 300_000 } else { 0 },
        }
    }

    fn controller(name: &str, home: u16) -> Maker {
        let mut maker = Maker::component("x", &[], Kind::Controller, "10.0.0.11");
        maker.name = format!("system:serviceaccount:kube-system:{name}");
        maker.uid = true;
        maker.groups = service_account_groups("kube-system");
        maker.agent = format!(
            "kube-controller-manager/v1.33.4 (linux/amd64) kubernetes/74cdb42/system:serviceaccount:kube-system:{name}"
        );
        maker.own = name.to_owned();
        maker.home = home;
        maker.reason = format!(
            "RBAC: allowed by ClusterRoleBinding \"system:controller:{name}\" of ClusterRole \"system:controller:{name}\" to ServiceAccount \"{name}/kube-system\""
        );
        maker
    }

    fn node(number: usize) -> Maker {
        let own = format!("worker-{:02}.prod.example.com", number);
        let mut maker = Maker::component("x", &["system:nodes", "system:authenticated"], Kind::Node, "");
        maker.name = format!("system:node:{own}");
        maker.ips = vec![format!("10.0.{}.{}", 1 + number / 40, 10 + number % 40 * 5)];
        maker.agent = "kubelet/v1.33.4 (linux/amd64) kubernetes/74cdb42".to_owned();
        maker.own = own;
        maker.reason = String::new();
        maker
    }

    fn account(space: &str, name: &str, home: u16, kind: Kind, random: &mut Random) -> Maker {
        let mut maker = Maker::component("x", &[], kind, "");
        maker.name = format!("system:serviceaccount:{space}:{name}");
        maker.uid = true;
        maker.groups = service_account_groups(space);
        maker.extra = vec![
            (
                "authentication.kubernetes.io/node-name".to_owned(),
                format!("worker-{:02}.prod.example.com", random.below(80)),
            ),
            ("authentication.kubernetes.io/node-uid".to_owned(), random_uuid(random)),
            ("authentication.kubernetes.io/pod-name".to_owned(), format!("{name}-{}", pod_suffix(random))),
            ("authentication.kubernetes.io/pod-uid".to_owned(), random_uuid(random)),
        ];
        maker.ips = vec![format!("10.244.{}.{}", random.below(80), random.between(2, 250))];
        maker.agent = match kind {
            Kind::Operator => format!("{name}/v0.14.2 (linux/amd64) kubernetes/$Format"),
            Kind::Ci => "Helm/3.16.2".to_owned(),
            _ => "Go-http-client/2.0".to_owned(),
        };
        maker.own = name.to_owned();
        maker.home = home;
        maker.reason = format!(
            "RBAC: allowed by RoleBinding \"{name}/{space}\" of ClusterRole \"{name}\" to ServiceAccount \"{name}/{space}\""
        );
        maker.refused = if random.chance(80_000) { 700_000 } else { 4_000 };
        maker
    }

    fn person(name: &str, number: u64) -> Maker {
        let mut maker = Maker::component("x", &["oidc:developers", "system:authenticated"], Kind::Person, "");
        maker.name = name.to_owned();
        if number.is_multiple_of(11) {
            maker.groups.insert(0, "oidc:cluster-admins".to_owned());
        }
        maker.ips = vec![format!("203.0.113.{}", number % 250 + 1), "10.0.0.5".to_owned()];
        maker.agent = [
            "kubectl/v1.33.1 (darwin/arm64) kubernetes/8adc0f0",
            "kubectl/v1.30.9 (linux/amd64) kubernetes/9c4d3b8",
            "k9s/v0.50.6 (linux/amd64) kubernetes/$Format",
            "kubectl1.32.3/v1.32.3 (windows/amd64) kubernetes/32cc146",
        ][number as usize % 4]
            .to_owned();
        maker.own = name.split('@').next().unwrap_or(name).to_owned();
        maker.reason =
            "RBAC: allowed by ClusterRoleBinding \"developers\" of ClusterRole \"edit\" to Group \"oidc:developers\""
                .to_owned();
        maker.refused = 30_000;
        maker
    }

    fn make(mut self, weight: u64, random: &mut Random) -> User {
        if !matches!(self.kind, Kind::Apiserver | Kind::Anonymous) {
            let id = if self.uid {
                format!("JTI={}", random_uuid(random))
            } else {
                format!(
                    "X509SHA256={:016x}{:016x}{:016x}{:016x}",
                    random.bits(),
                    random.bits(),
                    random.bits(),
                    random.bits()
                )
            };
            self.extra.insert(0, ("authentication.kubernetes.io/credential-id".to_owned(), id));
        }
        let body = self.json_body(random);
        let list: Vec<String> = self.groups.iter().map(|group| go_quote(group)).collect();
        let groups = go_quote(&list.join(","));
        let ips: Vec<String> = self.ips.iter().map(|ip| format!("\"{ip}\"")).collect();
        User {
            json: format!("\"user\":{{{body}}},"),
            json_impersonated: format!("{{{body}}}"),
            json_client: format!("\"sourceIPs\":[{}],\"userAgent\":\"{}\",", ips.join(","), json(&self.agent)),
            legacy_user: format!("user={} groups={groups}", go_quote(&self.name)),
            legacy_groups: groups,
            legacy_agent: go_quote(&self.agent),
            reason: json(&self.reason),
            ip: self.ips.swap_remove(0),
            kind: self.kind,
            name: self.name,
            home: self.home,
            own: self.own,
            refused: self.refused,
            weight,
        }
    }

    fn json_body(&self, random: &mut Random) -> String {
        let mut body = format!("\"username\":\"{}\"", json(&self.name));
        if self.uid {
            body += &format!(",\"uid\":\"{}\"", random_uuid(random));
        }
        let groups: Vec<String> = self.groups.iter().map(|group| format!("\"{}\"", json(group))).collect();
        body += &format!(",\"groups\":[{}]", groups.join(","));
        if !self.extra.is_empty() {
            let extra: Vec<String> = self.extra.iter().map(|(key, value)| format!("\"{key}\":[\"{value}\"]")).collect();
            body += &format!(",\"extra\":{{{}}}", extra.join(","));
        }
        body
    }
}

fn service_account_groups(space: &str) -> Vec<String> {
    vec![
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{space}"),
        "system:authenticated".to_owned(),
    ]
}

/// A version 4 UUID as text.
pub fn random_uuid(random: &mut Random) -> String {
    let mut out = Vec::new();
    uuid(&mut out, [random.bits(), random.bits()]);
    String::from_utf8(out).expect("hexadecimal")
}

/// The two random parts of a pod name, from the alphabet Kubernetes uses.
pub fn pod_suffix(random: &mut Random) -> String {
    let alphabet = b"bcdfghjklmnpqrstvwxz2456789";
    let mut draw = |count: usize| -> String {
        (0..count).map(|_| char::from(alphabet[random.below(alphabet.len() as u64) as usize])).collect()
    };
    let set = draw(10);
    format!("{set}-{}", draw(5))
}
