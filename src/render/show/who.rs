//! Who made a request, and from where.

use std::net::IpAddr;

use serde_json::Value;

use super::{Section, View};

/// Keys of `extra` that are told in words; all others are listed.
const POD: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const NODE: &str = "authentication.kubernetes.io/node-name";
const NODE_UID: &str = "authentication.kubernetes.io/node-uid";
const CREDENTIAL: &str = "authentication.kubernetes.io/credential-id";

/// Keys of `extra` that say who somebody is outside the cluster.
const OUTSIDE: [(&str, &str); 8] = [
    ("canonicalArn", "AWS identity"),
    ("arn", "AWS session"),
    ("principalId", "AWS principal id"),
    ("sessionName", "AWS session name"),
    ("accessKeyId", "AWS access key id"),
    ("username", "name at the login"),
    ("principalid", "identity at the login"),
    ("scopes.authorization.openshift.io", "OpenShift token scopes"),
];

impl View<'_> {
    pub(super) fn who(&self) -> Section {
        let mut lines = Vec::new();
        if self.last.user.is_empty() {
            lines.push("nobody: authentication failed, so the log has no name".to_owned());
        }
        if let Some(user) = self.event.get("user") {
            person(user, self.text("/userAgent"), &mut lines);
        }
        if let Some(user) = self.event.get("impersonatedUser").filter(|user| user.is_object()) {
            let mut other = Vec::new();
            person(user, "", &mut other);
            let mut other = other.into_iter();
            lines.push(format!("acting as {}", other.next().unwrap_or_default()));
            lines.extend(other.map(|line| format!("  {line}")));
            lines.push("what is allowed is decided by the second name; the first may act as the second".to_owned());
        }
        if let Some(mode) =
            self.event.pointer("/authenticationMetadata/impersonationConstraint").and_then(Value::as_str)
        {
            lines.push(format!("impersonation by {mode}"));
        }
        Section("Who", lines)
    }

    /// From which addresses, and with what program.
    pub(super) fn from(&self) -> Section {
        let addresses = self.texts("/sourceIPs");
        let mut lines = Vec::new();
        for (at, address) in addresses.iter().enumerate() {
            let kind = kind_of(address).map_or_else(String::new, |kind| format!(", {kind}"));
            lines.push(match (at + 1 == addresses.len(), addresses.len()) {
                (true, 1) => format!("{address}{kind}: the connection came from there"),
                (true, _) => format!("{address}{kind}: the connection came from there; a proxy, if the above is true"),
                (false, _) => format!("{address}{kind}: as a header claims, which any client can write"),
            });
        }
        if lines.is_empty() {
            lines.push("the log has no address".to_owned());
        }
        lines.push(match self.text("/userAgent") {
            "" => "no user agent".to_owned(),
            agent => format!("as the client calls itself: {}", agent_in_words(agent)),
        });
        Section("From", lines)
    }
}

/// One user: name, what kind of user that is, groups, and what is behind it.
fn person(user: &Value, agent: &str, lines: &mut Vec<String>) {
    let name = user.get("username").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        return;
    }
    let kind = kind_of_user(name, agent);
    lines.push(kind.map_or_else(|| name.to_owned(), |kind| format!("{name}: {kind}")));
    let groups = list(user.get("groups"));
    if !groups.is_empty() {
        lines.push(format!("in groups {}", groups.join(", ")));
    }
    let uid = user.get("uid").and_then(Value::as_str).unwrap_or_default();
    if !uid.is_empty() {
        lines.push(format!("uid {uid}"));
    }
    if let Some(Value::Object(extra)) = user.get("extra") {
        behind(extra, lines);
    }
}

/// What kind of user a name is, where Kubernetes gives names a meaning.
fn kind_of_user(name: &str, agent: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("system:serviceaccount:") {
        let (namespace, account) = rest.split_once(':')?;
        let controller = namespace == "kube-system" && crate::event::is_controller(account);
        let what = if controller { ", a controller of kube-controller-manager" } else { "" };
        return Some(format!("service account {account} of namespace {namespace}{what}"));
    }
    if let Some(node) = name.strip_prefix("system:node:") {
        return Some(format!("the kubelet of node {node}"));
    }
    Some(match name {
        "system:anonymous" => "nobody in particular, no credentials were given".to_owned(),
        "system:apiserver" => "the API server itself".to_owned(),
        "system:kube-scheduler" => "the scheduler".to_owned(),
        "system:kube-proxy" => "kube-proxy of a node".to_owned(),
        "system:kube-controller-manager" => match controller(agent) {
            Some(controller) => format!("{controller} of kube-controller-manager, by its user agent"),
            None => "kube-controller-manager; which controller is not told".to_owned(),
        },
        _ => return None,
    })
}

/// The controller that a user agent of kube-controller-manager names behind the version.
fn controller(agent: &str) -> Option<&str> {
    let (_, behind) = agent.split_once(" kubernetes/")?;
    let (_, name) = behind.split_once('/')?;
    let name = name.rsplit(':').next()?;
    (!name.is_empty()).then_some(name)
}

/// What `extra` says about who or what is behind a user.
fn behind(extra: &serde_json::Map<String, Value>, lines: &mut Vec<String>) {
    let value = |key: &str| extra.get(key).map(|value| list(Some(value)).join(", ")).filter(|text| !text.is_empty());
    let with_uid = |name: String, uid: Option<String>| match uid {
        Some(uid) => format!("{name} (uid {uid})"),
        None => name,
    };
    match (value(POD), value(NODE)) {
        (Some(pod), node) => {
            let node = node.map_or_else(String::new, |node| format!(", on node {}", with_uid(node, value(NODE_UID))));
            lines.push(format!("behind it is pod {}{node}", with_uid(pod, value(POD_UID))));
        }
        (None, Some(node)) => lines.push(format!("from node {}", with_uid(node, value(NODE_UID)))),
        (None, None) => {}
    }
    for (key, words) in OUTSIDE {
        if let Some(value) = value(key) {
            lines.push(format!("{words}: {value}"));
        }
    }
    if let Some(id) = value(CREDENTIAL) {
        let kind = match id.split_once('=') {
            Some(("X509SHA256", _)) => "client certificate ",
            Some(("JTI", _)) => "token ",
            _ => "credential ",
        };
        lines.push(format!("by {kind}{id}"));
    }
    let told = |key: &String| {
        [POD, POD_UID, NODE, NODE_UID, CREDENTIAL].contains(&key.as_str())
            || OUTSIDE.iter().any(|(known, _)| known == key)
    };
    for (key, value) in extra.iter().filter(|(key, _)| !told(key)) {
        lines.push(format!("extra {key}: {}", list(Some(value)).join(", ")));
    }
}

fn list(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => vec![text],
        _ => Vec::new(),
    }
}

/// What kind of address it is.
fn kind_of(address: &str) -> Option<&'static str> {
    let address: IpAddr = address.parse().ok()?;
    let (private, link_local) = match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            (v4.is_private() || (first == 100 && (64..128).contains(&second)), v4.is_link_local())
        }
        IpAddr::V6(v6) => (v6.is_unique_local(), v6.is_unicast_link_local()),
    };
    Some(match () {
        () if address.is_loopback() => "the machine of the API server itself",
        () if private => "private",
        () if link_local => "link-local",
        () => "public",
    })
}

/// `kubectl v1.33.1 on darwin/arm64 (kubernetes 8adc0f0)`.
fn agent_in_words(agent: &str) -> String {
    let read = || {
        let (program, rest) = agent.split_once(" (")?;
        let (platform, rest) = rest.split_once(") kubernetes/")?;
        let (name, version) = program.split_once('/')?;
        let (build, behind) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        let behind = if behind.is_empty() { String::new() } else { format!(", {behind}") };
        (plain(name) && plain(version) && plain(platform) && plain(build))
            .then(|| format!("{name} {version} on {platform} (kubernetes {build}{behind})"))
    };
    read().unwrap_or_else(|| agent.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_read_where_they_have_the_known_shape() {
        let agent = "kubectl/v1.33.1 (darwin/arm64) kubernetes/8adc0f0";
        assert_eq!(agent_in_words(agent), "kubectl v1.33.1 on darwin/arm64 (kubernetes 8adc0f0)");
        assert_eq!(agent_in_words("curl/8.5.0"), "curl/8.5.0");
        assert_eq!(agent_in_words("x y/1 (a b) kubernetes/z"), "x y/1 (a b) kubernetes/z");
    }

    #[test]
    fn controllers_behind_the_manager() {
        let agent = "kube-controller-manager/v1.33.1 (linux/amd64) kubernetes/8adc0f0";
        assert_eq!(
            controller(&format!("{agent}/system:serviceaccount:kube-system:job-controller")),
            Some("job-controller")
        );
        assert_eq!(controller(&format!("{agent}/shared-informers")), Some("shared-informers"));
        assert_eq!(controller(agent), None);
    }

    #[test]
    fn addresses() {
        let kinds =
            ["10.1.2.3", "100.64.0.1", "203.0.113.9", "127.0.0.1", "::1", "fd00::1", "169.254.1.1", "x"].map(kind_of);
        let own = Some("the machine of the API server itself");
        let private = Some("private");
        assert_eq!(kinds, [private, private, Some("public"), own, own, private, Some("link-local"), None]);
    }
}
