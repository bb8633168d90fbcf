//! Verbs, stages, levels and decisions: the words of the API, and what people type instead.

use super::error::QueryError;
use super::items::{Item, NONE};
use super::pattern::has_glob;
use super::suggest::closest;

/// The verbs the API server writes: those of resources, then the HTTP methods of other paths.
pub static VERBS: &[&str] = &[
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "proxy",
    "head",
    "options",
    "post",
    "put",
    "connect",
    "trace",
];

/// The stages of request handling.
pub static STAGES: &[&str] = &["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];

/// The audit levels that events carry.
pub static LEVELS: &[&str] = &["Metadata", "Request", "RequestResponse"];

/// What the authorizer says.
pub static DECISIONS: &[&str] = &["allow", "forbid"];

/// Words from kubectl or RBAC that are no verb of a request, and what to ask for instead.
static NOT_VERBS: &[(&str, &str)] = &[
    ("annotate", "--verb patch"),
    ("apply", "--verb patch,create"),
    ("attach", "--resource pods/attach"),
    ("cordon", "--verb patch --resource nodes"),
    ("drain", "--resource pods/eviction"),
    ("edit", "--verb patch"),
    ("evict", "--resource pods/eviction"),
    ("exec", "--resource pods/exec"),
    ("impersonate", "--as '*'"),
    ("label", "--verb patch"),
    ("log", "--resource pods/log"),
    ("logs", "--resource pods/log"),
    ("port-forward", "--resource pods/portforward"),
    ("portforward", "--resource pods/portforward"),
    ("replace", "--verb update"),
    ("rollout", "--verb patch"),
    ("scale", "--resource '*/scale'"),
];

/// A hint for a verb that no request has; the verb is still matched as typed.
pub(super) fn verb_hint(item: &Item<'_>) -> Option<String> {
    let word = literal(item)?;
    if VERBS.contains(&word) {
        return None;
    }
    if let Some((_, instead)) = NOT_VERBS.iter().find(|(known, _)| *known == word) {
        return Some(format!("--verb: no request has the verb `{word}`; try {instead}"));
    }
    match closest(word, VERBS.iter().copied()) {
        Some(near) => Some(format!("--verb: no request has the verb `{word}`; did you mean `{near}`?")),
        None => Some(format!("--verb: `{word}` is not a verb the API server writes; it is matched as typed")),
    }
}

/// Refuses a word that is not one of `known`, exactly as the API spells it. Globs and regular
/// expressions are free, for what later versions may add.
pub(super) fn check_word(item: &Item<'_>, what: &str, known: &[&'static str]) -> Result<(), QueryError> {
    let Some(word) = literal(item).filter(|word| !known.contains(word)) else { return Ok(()) };
    let error = item.error(format!("`{word}` is not {what}"));
    Err(match meant(word, known) {
        Some(near) => error.with_help(format!("did you mean {near}?")),
        None => error.with_help(format!("write one of {}", known.join(", "))),
    })
}

/// The known word that was meant: close, or begun, or another word for it.
fn meant(word: &str, known: &[&'static str]) -> Option<&'static str> {
    let lower = word.to_lowercase();
    let synonym = match lower.as_str() {
        "deny" | "denied" | "forbidden" | "reject" | "rejected" => Some("forbid"),
        "allowed" | "permit" | "accept" => Some("allow"),
        "received" | "started" | "complete" | "completed" => {
            let stem = lower.strip_suffix("d").filter(|stem| *stem == "complete").unwrap_or(&lower);
            known.iter().copied().find(|known| known.to_lowercase().ends_with(stem))
        }
        _ => None,
    };
    synonym.filter(|word| known.contains(word)).or_else(|| closest(word, known.iter().copied()))
}

/// The item when it is a plain word.
fn literal<'v>(item: &Item<'v>) -> Option<&'v str> {
    (item.regex().is_none() && !has_glob(item.text) && item.text != NONE).then_some(item.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(word: &str, known: &[&'static str]) -> Option<String> {
        let item = Item::whole("--stage", word).unwrap();
        check_word(&item, "a stage", known).err().map(|error| error.help.unwrap_or_default())
    }

    #[test]
    fn words_are_exact() {
        assert_eq!(help("ResponseComplete", STAGES), None);
        assert_eq!(help("Response*", STAGES), None);
        assert_eq!(help("~^R", STAGES), None);
        assert_eq!(help("responsecomplete", STAGES).as_deref(), Some("did you mean ResponseComplete?"));
        assert_eq!(help("completed", STAGES).as_deref(), Some("did you mean ResponseComplete?"));
        assert_eq!(help("started", STAGES).as_deref(), Some("did you mean ResponseStarted?"));
        assert_eq!(help("deny", DECISIONS).as_deref(), Some("did you mean forbid?"));
        assert_eq!(help("metadata", LEVELS).as_deref(), Some("did you mean Metadata?"));
        assert_eq!(help("xyz", LEVELS).as_deref(), Some("write one of Metadata, Request, RequestResponse"));
    }

    #[test]
    fn verbs_get_hints() {
        let hint = |word| verb_hint(&Item::whole("--verb", word).unwrap()).unwrap_or_default();
        assert_eq!(hint("delete"), "");
        assert_eq!(hint("del*"), "");
        assert_eq!(hint("<none>"), "");
        assert!(hint("delte").ends_with("did you mean `delete`?"));
        assert!(hint("DELETE").ends_with("did you mean `delete`?"));
        assert!(hint("exec").ends_with("--resource pods/exec"));
        assert!(hint("frobnicate").ends_with("as typed"));
    }
}
