//! Resources in kubectl's words, matched against `objectRef`.

use regex::bytes::Regex;

use super::error::QueryError;
use super::items::{Item, NONE};
use super::pattern::{Set, compile_regex, has_glob};
use super::resource_table::{ALIASES, RESOURCES, Resource, SUBRESOURCE_ALIASES, SUBRESOURCES, WITHOUT_SUBRESOURCES};
use super::suggest::closest;
use crate::event::{Event, ObjectReference, Text};

/// The known resources that kubectl means by a word: a plural, a singular or a short name, in any
/// case. Several where groups share it, as with `events`.
pub fn known(word: &str) -> impl Iterator<Item = &'static Resource> {
    let word = word.to_lowercase();
    RESOURCES
        .iter()
        .filter(move |known| known.plural == word || known.singular == word || known.short.contains(&word.as_str()))
}

/// What `--resource` says.
///
/// `TYPE` is `resource`, `resource.group`, `resource.version` or `resource.version.group`; without
/// a group it means any group, and core is `pods.core` or `pods.v1.`. A type alone matches the
/// resource with any subresource or none, so that a write to `deployments/scale` is not missed
/// when `deployments` is asked for; `TYPE/` asks for those without, `TYPE/*` for those with one.
/// `TYPE/exec` is a subresource where the word is a known one, and else `TYPE/NAME`;
/// `TYPE/NAME/SUBRESOURCE` leaves no doubt. `*.GROUP` takes in the groups that end in `.GROUP`.
/// A `~` expression is matched against `resource.group/subresource`.
#[derive(Clone, Debug, Default)]
pub(super) struct Resources {
    positive: Vec<Rule>,
    negative: Vec<Rule>,
}

#[derive(Clone, Debug)]
enum Rule {
    /// Requests that are about no resource.
    Absent,
    Regex(Regex),
    Parts(Box<Parts>),
}

#[derive(Clone, Debug)]
struct Parts {
    kind: Kind,
    subresource: Subresource,
    name: Option<Set>,
}

#[derive(Clone, Debug)]
enum Subresource {
    Any,
    Absent,
    Some(Set),
}

impl Resources {
    /// Compiles the items of the flag.
    pub(super) fn compile(items: &[Item<'_>], hints: &mut Vec<String>) -> Result<Self, QueryError> {
        let mut resources = Resources::default();
        for item in items {
            let rule = match item.regex() {
                _ if item.text == NONE => Rule::Absent,
                Some(_) => Rule::Regex(compile_regex(item)?),
                None => Rule::Parts(Box::new(Parts::compile(item, hints)?)),
            };
            if item.negated { resources.negative.push(rule) } else { resources.positive.push(rule) }
        }
        Ok(resources)
    }

    /// Whether the event's resource passes.
    pub(super) fn matches(&self, event: &Event<'_>) -> bool {
        let object = event.object_ref.unwrap_or_default();
        (self.positive.is_empty() || self.positive.iter().any(|rule| rule.matches(&object)))
            && !self.negative.iter().any(|rule| rule.matches(&object))
    }
}

impl Rule {
    fn matches(&self, object: &ObjectReference<'_>) -> bool {
        let Some(resource) = object.resource.filter(|resource| !resource.is_empty()) else {
            return matches!(self, Rule::Absent);
        };
        match self {
            Rule::Absent => false,
            Rule::Regex(regex) => regex.is_match(&whole(resource, object)),
            Rule::Parts(parts) => parts.matches(resource, object),
        }
    }
}

/// `resource.group/subresource`, without what is not there.
fn whole(resource: Text<'_>, object: &ObjectReference<'_>) -> Vec<u8> {
    let mut whole = resource.decode().into_owned();
    for (mark, part) in [(b'.', object.api_group), (b'/', object.subresource)] {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            whole.push(mark);
            whole.extend_from_slice(&part.decode());
        }
    }
    whole
}

/// A type in kubectl's words: `resource`, `resource.group`, `resource.version` or `resource.version.group`.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    resource: Set,
    group: Option<Set>,
    version: Option<Set>,
}

impl Kind {
    /// Compiles the type that an item is.
    pub(super) fn compile(item: &Item<'_>) -> Result<Self, QueryError> {
        let (word, version, group) = split_type(item.text);
        if word.is_empty() {
            return Err(item
                .error("the resource type is missing")
                .with_help("write pods, deployments.apps or pods/exec"));
        }
        Ok(Kind {
            resource: resource_set(word),
            group: group.map(|group| group_set(word, group)),
            version: version.map(|version| Set::wild(&version.to_lowercase())),
        })
    }

    /// Whether an object is of this type.
    pub(super) fn matches(&self, resource: Text<'_>, object: &ObjectReference<'_>) -> bool {
        let part = |set: &Option<Set>, text: Option<Text<'_>>| {
            set.as_ref().is_none_or(|set| set.has(text.unwrap_or(Text::plain(b""))))
        };
        self.resource.has(resource) && part(&self.group, object.api_group) && part(&self.version, object.api_version)
    }
}

impl Parts {
    fn compile(item: &Item<'_>, hints: &mut Vec<String>) -> Result<Self, QueryError> {
        let (kind, tail) = item.text.split_once('/').map_or((item.text, None), |(kind, tail)| (kind, Some(tail)));
        let (word, _, group) = split_type(kind);
        let compiled = Kind::compile(&item.part(kind))?;
        let (subresource, name) = match tail {
            None => (Subresource::Any, None),
            Some(tail) => compile_tail(&item.part(tail), word, hints)?,
        };
        hints.extend(type_hint("--resource", word, group));
        Ok(Parts { kind: compiled, subresource, name })
    }

    fn matches(&self, resource: Text<'_>, object: &ObjectReference<'_>) -> bool {
        self.kind.matches(resource, object)
            && self.subresource.matches(object.subresource)
            && self.name.as_ref().is_none_or(|set| object.name.is_some_and(|name| !name.is_empty() && set.has(name)))
    }
}

impl Subresource {
    fn matches(&self, found: Option<Text<'_>>) -> bool {
        let found = found.filter(|found| !found.is_empty());
        match self {
            Subresource::Any => true,
            Subresource::Absent => found.is_none(),
            Subresource::Some(set) => found.is_some_and(|found| set.has(found)),
        }
    }
}

/// Splits `resource.version.group`, any of the last two absent.
pub(super) fn split_type(kind: &str) -> (&str, Option<&str>, Option<&str>) {
    let Some((word, rest)) = kind.split_once('.') else { return (kind, None, None) };
    match rest.split_once('.') {
        Some((version, group)) if is_version(version) => (word, Some(version), Some(group)),
        None if is_version(rest) => (word, Some(rest), None),
        _ => (word, None, Some(rest)),
    }
}

/// Whether a word has the shape of a Kubernetes API version: `v1`, `v1beta1`, `v2alpha1`.
fn is_version(word: &str) -> bool {
    let Some(rest) = word.strip_prefix(['v', 'V']) else { return false };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let stage = after.strip_prefix("alpha").or_else(|| after.strip_prefix("beta"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    after.len() < rest.len() && (after.is_empty() || stage.is_some_and(digits))
}

/// The names in `objectRef.resource` that a word stands for.
fn resource_set(word: &str) -> Set {
    let word = word.to_lowercase();
    if has_glob(&word) {
        return Set::wild(&word);
    }
    if let Some((_, plural)) = ALIASES.iter().find(|(alias, _)| *alias == word) {
        return Set::words([word.as_str(), plural]);
    }
    let mut plurals = known(&word).map(|known| known.plural).peekable();
    if plurals.peek().is_some() {
        return Set::words(plurals);
    }
    // A custom resource: what was typed, or its plural as Kubernetes forms it from a singular.
    let plural = match word.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if word.ends_with('s') => format!("{word}es"),
        None => format!("{word}s"),
    };
    Set::words([word.as_str(), &plural])
}

fn group_set(word: &str, group: &str) -> Set {
    let group = group.to_lowercase();
    let mut set = Set::default();
    match group.as_str() {
        "" | "core" => set.add_wild(""),
        _ => set.add_wild(&group),
    }
    // The `*` of `*.openshift.io` is read over the dots, as in any glob.
    if word.ends_with('*') && !group.is_empty() {
        set.add_wild(&format!("*.{group}"));
    }
    set
}

type Tail = (Subresource, Option<Set>);

/// Reads what follows the first `/`: nothing, a subresource, a name, or a name and a subresource.
fn compile_tail(item: &Item<'_>, word: &str, hints: &mut Vec<String>) -> Result<Tail, QueryError> {
    if let Some((name, sub)) = item.text.split_once('/') {
        if name.is_empty() {
            return Err(item.error("the name is missing").with_help("write TYPE/NAME/SUBRESOURCE or TYPE/SUBRESOURCE"));
        }
        let sub = subresource_word(sub, word, hints).unwrap_or(sub);
        let subresource = if sub.is_empty() { Subresource::Absent } else { Subresource::Some(Set::wild(sub)) };
        return Ok((subresource, Some(Set::wild(name))));
    }
    Ok(match item.text {
        "" => (Subresource::Absent, None),
        "*" => (Subresource::Some(Set::wild("*")), None),
        text => match subresource_word(text, word, hints).filter(|_| !only_has_names(word)) {
            Some(sub) => (Subresource::Some(Set::wild(sub)), None),
            None => {
                hints.extend(name_hint(text, word));
                (Subresource::Any, Some(Set::wild(text)))
            }
        },
    })
}

/// The subresource a word names, if it does.
fn subresource_word(text: &str, word: &str, hints: &mut Vec<String>) -> Option<&'static str> {
    if let Some(sub) = SUBRESOURCES.iter().find(|sub| **sub == text) {
        return Some(sub);
    }
    let (alias, sub) = SUBRESOURCE_ALIASES.iter().find(|(alias, _)| *alias == text && !only_has_names(word))?;
    hints.push(format!("--resource: `{word}/{alias}` is `{word}/{sub}` in the API and read so"));
    Some(sub)
}

fn only_has_names(word: &str) -> bool {
    let mut found = known(word).map(|known| WITHOUT_SUBRESOURCES.contains(&known.plural)).peekable();
    found.peek().is_some() && found.all(|without| without)
}

/// A hint where a name looks like a slip in a subresource.
fn name_hint(text: &str, word: &str) -> Option<String> {
    if only_has_names(word) || has_glob(text) || text.len() < 4 {
        return None;
    }
    let near = closest(text, SUBRESOURCES.iter().copied())?;
    Some(format!("--resource: `{text}` is read as the name of an object; did you mean `{word}/{near}`?"))
}

/// A hint where a type is known to nobody, or not in that group.
pub(super) fn type_hint(flag: &str, word: &str, group: Option<&str>) -> Option<String> {
    if has_glob(word) {
        return None;
    }
    let lower = word.to_lowercase();
    if let Some((_, plural)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
        return Some(format!("{flag}: `{word}` is read as `{plural}`; kubectl does not know the short name"));
    }
    if lower == "all" {
        return Some(format!("{flag}: `all` is no resource here; leave the flag out for every resource"));
    }
    let groups: Vec<_> = known(word).map(|known| known.group).collect();
    match group {
        Some(group) if !groups.is_empty() => group_hint(flag, word, &group.to_lowercase(), &groups),
        None if groups.is_empty() => {
            let words = RESOURCES.iter().flat_map(|known| [known.plural, known.singular]);
            let near = closest(&lower, words)?;
            let note = format!("{flag}: `{word}` is not a built-in resource and matched as typed");
            Some(format!("{note}; did you mean `{near}`?"))
        }
        _ => None,
    }
}

/// A hint where the group is a shortened or mistyped one of those that have the resource. Other
/// groups may well have a resource of that name: Knative has `services`.
fn group_hint(flag: &str, word: &str, group: &str, groups: &[&'static str]) -> Option<String> {
    let exact = groups.contains(&group) || has_glob(group) || matches!(group, "" | "core");
    let any_has = RESOURCES.iter().any(|known| known.group == group);
    if exact {
        return None;
    }
    let begun = groups.iter().copied().find(|known| known.split('.').next() == Some(group));
    let near = begun.or_else(|| closest(group, groups.iter().copied()));
    let near = near.or_else(|| groups.first().copied().filter(|_| any_has))?;
    let near = if near.is_empty() { "core" } else { near };
    Some(format!("{flag}: `{word}` is not in group `{group}`; did you mean `{word}.{near}`?"))
}

#[cfg(test)]
#[path = "resource_tests.rs"]
mod tests;
