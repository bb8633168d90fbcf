//! Objects named on the command line: `deploy/web`, `deployments.apps/web*,cm/settings`.

use super::error::QueryError;
use super::items::{Item, split};
use super::pattern::{Set, has_glob};
use super::resource::{Kind, split_type, type_hint};
use crate::event::{ObjectReference, Text};

/// The objects a word or a comma list names.
///
/// `TYPE/NAME`: the type in kubectl's words, with its group or version where those are given, the name
/// exactly or as a glob.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    named: Vec<Named>,
}

#[derive(Clone, Debug)]
struct Named {
    kind: Kind,
    name: Set,
    exact: bool,
}

/// What a fault in the list is reported under.
const ARGUMENT: &str = "OBJECT";

/// What to type instead.
const HELP: &str = "write TYPE/NAME, then the files: auditq history deploy/nginx audit.log";

impl Objects {
    /// Reads the list; a type that nothing knows is taken as it is typed, and a hint says so.
    ///
    /// # Errors
    /// Fails on what is no `TYPE/NAME`, a file's path above all.
    pub fn parse(text: &str, hints: &mut Vec<String>) -> Result<Self, QueryError> {
        let mut objects = Objects::default();
        for item in split(ARGUMENT, text)? {
            objects.named.push(Named::parse(&item, hints)?);
        }
        Ok(objects)
    }

    /// Whether an object's type is one of those asked for, whatever its name.
    pub fn has_type(&self, object: &ObjectReference<'_>) -> bool {
        let resource = object.resource.filter(|resource| !resource.is_empty());
        resource.is_some_and(|resource| self.named.iter().any(|named| named.kind.matches(resource, object)))
    }

    /// Whether an object of that type and name is asked for.
    pub fn has(&self, object: &ObjectReference<'_>, name: Text<'_>) -> bool {
        let Some(resource) = object.resource.filter(|resource| !resource.is_empty()) else { return false };
        !name.is_empty() && self.named.iter().any(|named| named.kind.matches(resource, object) && named.name.has(name))
    }

    /// Whether one object of one type is named, so that not finding it means something.
    pub fn is_single(&self) -> bool {
        matches!(self.named.as_slice(), [named] if named.exact)
    }
}

impl Named {
    fn parse(item: &Item<'_>, hints: &mut Vec<String>) -> Result<Self, QueryError> {
        if item.negated || item.regex().is_some() {
            return Err(item.error("an object has a type and a name; `*` and `?` are globs").with_help(HELP));
        }
        if is_path(item.text) {
            return Err(item.error("a file stands where the object belongs").with_help(HELP));
        }
        let Some((kind, name)) = item.text.split_once('/') else {
            let fault = format!("`{}` is a type or a name without the other", item.text);
            return Err(item.error(fault).with_help(HELP));
        };
        let part = item.part(name);
        if name.is_empty() {
            return Err(part.error("the name is missing").with_help(HELP));
        }
        if let Some((name, _)) = name.split_once('/') {
            let help = format!("write {kind}/{name}; requests for subresources are part of its history");
            return Err(part.error("an object has a type and a name").with_help(help));
        }
        let compiled = Kind::compile(&item.part(kind))?;
        let (word, _, group) = split_type(kind);
        hints.extend(type_hint(ARGUMENT, word, group));
        Ok(Named { kind: compiled, name: Set::wild(name), exact: !has_glob(item.text) })
    }
}

/// Whether a text looks like a file rather than an object: objects' names can have dots, so only an
/// ending that no object's name is likely to have counts, and a path's beginning.
fn is_path(text: &str) -> bool {
    const ENDINGS: [&str; 7] = [".log", ".json", ".jsonl", ".gz", ".zst", ".txt", ".tar"];
    let begins = text.starts_with(['/', '.', '-']);
    let ends = ENDINGS.iter().any(|ending| text.ends_with(ending)) && text.split('/').count() != 2;
    begins || ends || text.split('/').count() > 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference<'a>(resource: &'a str, group: &'a str) -> ObjectReference<'a> {
        ObjectReference { resource: Some(resource.into()), api_group: Some(group.into()), ..ObjectReference::default() }
    }

    fn objects(text: &str) -> Objects {
        Objects::parse(text, &mut Vec::new()).unwrap()
    }

    #[test]
    fn types_in_kubectls_words_and_names_with_globs() {
        let web = objects("deploy/web*,cm/settings");
        let deployments = reference("deployments", "apps");
        assert!(web.has(&deployments, "web-2".into()) && !web.has(&deployments, "settings".into()));
        assert!(web.has(&reference("configmaps", ""), "settings".into()));
        assert!(web.has_type(&deployments) && !web.has_type(&reference("pods", "")));
        assert!(!web.is_single() && objects("deployments.apps/web").is_single());
        assert!(!objects("deployments.extensions/web").has(&deployments, "web".into()));
    }

    #[test]
    fn what_is_no_object_is_refused_before_a_file_is_opened() {
        for (text, at) in
            [("audit.log", 0), ("./a/b", 0), ("deploy", 0), ("deploy/", 7), ("po/a,pod/x/y", 9), ("!po/x", 1)]
        {
            assert_eq!(Objects::parse(text, &mut Vec::new()).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn a_mistyped_type_is_matched_as_typed_with_a_hint() {
        let mut hints = Vec::new();
        Objects::parse("deploymnt/web", &mut hints).unwrap();
        assert!(hints.concat().contains("did you mean `deployment`?"), "{hints:?}");
    }
}
