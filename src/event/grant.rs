//! Why a request was allowed, as the authorizer put it.
//!
//! RBAC names the binding, the role and the subject in one sentence; [`Grant::parse`] takes it apart. Source:
//! kubernetes `plugin/pkg/auth/authorizer/rbac/rbac.go`. Authorizers of vendors that write the same
//! sentence behind a name of their own (EKS access policies) are understood too.

/// Something of RBAC that has a kind and a name: a binding, a role or a subject.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Named {
    /// `ClusterRoleBinding`, `Role`, `Group` and so on.
    pub kind: String,
    /// The namespace; absent for what has none, and for roles, whose sentence does not give it: a Role is
    /// in the namespace of its binding.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

/// Who was given what by which binding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Grant {
    /// The authorizer: `RBAC`, `EKS Access Policy`.
    pub authorizer: String,
    /// The binding.
    pub binding: Named,
    /// The role it gives.
    pub role: Named,
    /// Whom it gives it to.
    pub subject: Named,
}

impl Grant {
    /// Reads `RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to Group "g"`, the value of the
    /// annotation `authorization.k8s.io/reason`.
    pub fn parse(reason: &str) -> Option<Self> {
        let (authorizer, rest) = reason.split_once(": allowed by ")?;
        let (binding, rest) = named(rest)?;
        let (mut role, rest) = named(rest.strip_prefix(" of ")?)?;
        let (subject, rest) = named(rest.strip_prefix(" to ")?)?;
        if role.kind == "Role" {
            role.namespace = binding.namespace.clone();
        }
        rest.is_empty().then(|| Grant { authorizer: authorizer.to_owned(), binding, role, subject })
    }
}

/// A kind and a quoted name, and what follows them.
fn named(text: &str) -> Option<(Named, &str)> {
    let (kind, rest) = text.split_once(" \"")?;
    let (name, rest) = unquote(rest)?;
    let namespaced = matches!(kind, "RoleBinding" | "ServiceAccount");
    // Neither part can hold a slash, and the namespace stands last.
    let (name, namespace) = match name.rsplit_once('/').filter(|_| namespaced) {
        Some((name, namespace)) => (name.to_owned(), Some(namespace.to_owned())),
        None => (name, None),
    };
    (!kind.contains(' ')).then(|| (Named { kind: kind.to_owned(), namespace, name }, rest))
}

/// What stands before the closing quote of a Go string, and what follows it. Names of users and groups
/// may hold anything; escapes other than of quotes and backslashes stay as they are.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => return Some((value, text.get(at + 1..)?)),
            (_, '\\') => match characters.next()?.1 {
                quoted @ ('"' | '\\') => value.push(quoted),
                other => value.extend(['\\', other]),
            },
            (_, character) => value.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: &str, namespace: Option<&str>, name: &str) -> Named {
        Named { kind: kind.to_owned(), namespace: namespace.map(str::to_owned), name: name.to_owned() }
    }

    #[test]
    fn cluster_bindings() {
        let grant =
            Grant::parse(r#"RBAC: allowed by ClusterRoleBinding "dev" of ClusterRole "edit" to Group "oidc:dev""#);
        let expected = Grant {
            authorizer: "RBAC".to_owned(),
            binding: name("ClusterRoleBinding", None, "dev"),
            role: name("ClusterRole", None, "edit"),
            subject: name("Group", None, "oidc:dev"),
        };
        assert_eq!(grant, Some(expected));
    }

    #[test]
    fn namespaces_stand_behind_a_slash_where_there_can_be_one() {
        let grant = Grant::parse(
            r#"RBAC: allowed by RoleBinding "ci/shop" of Role "deploy" to ServiceAccount "builder/ci-system""#,
        )
        .unwrap();
        assert_eq!(grant.binding, name("RoleBinding", Some("shop"), "ci"));
        assert_eq!(grant.role, name("Role", Some("shop"), "deploy"));
        assert_eq!(grant.subject, name("ServiceAccount", Some("ci-system"), "builder"));
        let user =
            r#"EKS Access Policy: allowed by ClusterRoleBinding "arn:a/b" of ClusterRole "r" to User "x/y \"z\\""#;
        let grant = Grant::parse(user).unwrap();
        assert_eq!((grant.authorizer.as_str(), grant.binding.name.as_str()), ("EKS Access Policy", "arn:a/b"));
        assert_eq!(grant.subject, name("User", None, r#"x/y "z\"#));
    }

    #[test]
    fn other_sentences_are_none() {
        for reason in [
            "",
            "RBAC: allowed by ClusterRoleBinding system:public-info-viewer",
            r#"RBAC: allowed by ClusterRoleBinding "a" of ClusterRole "b" to Group "c" and more"#,
            r#"RBAC: allowed by ClusterRoleBinding "a" of ClusterRole "b"#,
            "node 'a' cannot get unknown pod x/y",
        ] {
            assert_eq!(Grant::parse(reason), None, "{reason}");
        }
    }
}
