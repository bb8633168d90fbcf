//! The kubeconfig that tells the API server where to send: what `--audit-webhook-config-file` reads.
//!
//! It names files on the control plane node and holds no secret itself.

use serde::Serialize;

use crate::render::sanitize::text_for_terminal;

/// What the kubeconfig must fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Where the API server sends to.
    pub server: String,
    /// The authority of the receiver's certificate, as a file of the control plane node.
    pub server_ca: Option<String>,
    /// Whether the receiver wants a client certificate.
    pub client_cert: bool,
    /// Whether the receiver wants a token.
    pub token: bool,
}

const AUTHORITY: &str = "/etc/kubernetes/audit/receiver-ca.crt";
const CERTIFICATE: &str = "/etc/kubernetes/audit/client.crt";
const KEY: &str = "/etc/kubernetes/audit/client.key";
const TOKEN: &str = "/etc/kubernetes/audit/token";

/// Both the cluster and the user of the only context.
const NAME: &str = "auditq";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kubeconfig<'a> {
    api_version: &'a str,
    kind: &'a str,
    clusters: [NamedCluster<'a>; 1],
    users: [NamedUser<'a>; 1],
    contexts: [NamedContext<'a>; 1],
    #[serde(rename = "current-context")]
    current_context: &'a str,
}

#[derive(Serialize)]
struct NamedCluster<'a> {
    name: &'a str,
    cluster: Cluster<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster<'a> {
    server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority: Option<&'a str>,
}

#[derive(Serialize)]
struct NamedUser<'a> {
    name: &'a str,
    user: User<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct User<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_key: Option<&'a str>,
    #[serde(rename = "tokenFile", skip_serializing_if = "Option::is_none")]
    token_file: Option<&'a str>,
}

#[derive(Serialize)]
struct NamedContext<'a> {
    name: &'a str,
    context: Context<'a>,
}

#[derive(Serialize)]
struct Context<'a> {
    cluster: &'a str,
    user: &'a str,
}

/// The kubeconfig, with what must be on the control plane node told in comments.
#[expect(clippy::expect_used, reason = "names and texts are always YAML")]
pub fn text(target: &Target) -> String {
    let is_tls = target.server.starts_with("https:");
    let authority = is_tls.then(|| target.server_ca.as_deref().unwrap_or(AUTHORITY));
    let kubeconfig = Kubeconfig {
        api_version: "v1",
        kind: "Config",
        clusters: [NamedCluster {
            name: NAME,
            cluster: Cluster { server: &target.server, certificate_authority: authority },
        }],
        users: [NamedUser {
            name: "kube-apiserver",
            user: User {
                client_certificate: target.client_cert.then_some(CERTIFICATE),
                client_key: target.client_cert.then_some(KEY),
                token_file: target.token.then_some(TOKEN),
            },
        }],
        contexts: [NamedContext { name: NAME, context: Context { cluster: NAME, user: "kube-apiserver" } }],
        current_context: NAME,
    };
    let yaml = serde_yaml_ng::to_string(&kubeconfig).expect("a kubeconfig is always YAML");
    comments(target, authority) + &yaml
}

fn comments(target: &Target, authority: Option<&str>) -> String {
    let mut lines = vec!["Give this file to kube-apiserver with --audit-webhook-config-file.".to_owned()];
    let mut files = Vec::new();
    if let Some(path) = authority {
        files.push((path, "the authority that signed the receiver's certificate"));
    }
    if target.client_cert {
        files.push((CERTIFICATE, "a client certificate of the authority given with --client-ca"));
        files.push((KEY, "its private key"));
    }
    if target.token {
        files.push((TOKEN, "the receiver's --token-file"));
    }
    if !files.is_empty() {
        lines.push(
            "These files must be on every control plane node, readable in kube-apiserver's container:".to_owned(),
        );
        lines.extend(files.iter().map(|(path, what)| format!("  {}  {what}", text_for_terminal(path))));
    }
    lines.iter().map(|line| format!("# {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_break_out_of_its_place() {
        let target = Target {
            server: "https://a:1/".to_owned(),
            server_ca: Some("x\nkind: Evil".to_owned()),
            client_cert: true,
            token: true,
        };
        let text = text(&target);
        let value: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).expect("YAML");
        assert_eq!(value["kind"], "Config");
        assert_eq!(value["clusters"][0]["cluster"]["certificate-authority"], "x\nkind: Evil");
        assert_eq!(value["users"][0]["user"]["tokenFile"], TOKEN);
        assert_eq!(value["contexts"][0]["context"]["user"], value["users"][0]["name"]);
        assert_eq!(value["contexts"][0]["name"], value["current-context"]);
    }
}
