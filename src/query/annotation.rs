//! Annotations: a key, or a key and its value.

use super::error::QueryError;
use super::items::Item;
use super::pattern::Set;
use crate::event::Event;

/// What `--annotation` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Annotations {
    positive: Vec<Rule>,
    negative: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    key: Set,
    /// Any value, where none was given.
    value: Option<Set>,
}

impl Annotations {
    /// Compiles the uses of the flag, which are not split at commas since values hold them.
    /// `KEY=!x` is `!KEY=x`: an event without the key passes.
    pub(super) fn compile(values: &[String]) -> Result<Self, QueryError> {
        let mut annotations = Annotations::default();
        for value in values {
            let (rule, negated) = Rule::compile(&Item::whole("--annotation", value)?)?;
            if negated { annotations.negative.push(rule) } else { annotations.positive.push(rule) }
        }
        Ok(annotations)
    }

    /// Whether the event's annotations pass.
    pub(super) fn matches(&self, event: &Event<'_>) -> bool {
        (self.positive.is_empty() || self.positive.iter().any(|rule| rule.matches(event)))
            && !self.negative.iter().any(|rule| rule.matches(event))
    }
}

impl Rule {
    /// The rule and whether it is negated.
    fn compile(item: &Item<'_>) -> Result<(Self, bool), QueryError> {
        let mut rule = Rule { key: Set::default(), value: None };
        let Some((key, value)) = item.text.split_once('=').filter(|_| item.regex().is_none()) else {
            rule.key.add(item)?;
            return Ok((rule, item.negated));
        };
        if key.is_empty() {
            return Err(item.error("the annotation's key is missing").with_help("write KEY or KEY=VALUE"));
        }
        rule.key.add(&item.part(key))?;
        let (value, inner) = value.strip_prefix('!').map_or((value, false), |value| (value, true));
        let mut set = Set::default();
        if value.is_empty() {
            set.add_wild("")
        } else {
            set.add(&item.part(value))?
        }
        rule.value = Some(set);
        Ok((rule, item.negated != inner))
    }

    fn matches(&self, event: &Event<'_>) -> bool {
        let Some(annotations) = event.annotations else { return false };
        annotations.members().any(|(key, value)| {
            self.key.has(key)
                && self.value.as_ref().is_none_or(|set| value.as_text().is_some_and(|value| set.has(value)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Format, RawJson};

    const SOME: &str = r#"{"authorization.k8s.io/decision":"forbid","authorization.k8s.io/reason":"","a/b":"x,\"y\""}"#;

    fn matches(values: &[&str], annotations: &str) -> bool {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        let mut event = Event::empty(b"", Format::V1);
        event.annotations = Some(RawJson(annotations.as_bytes()));
        Annotations::compile(&values).unwrap().matches(&event)
    }

    #[test]
    fn keys_and_values() {
        for (value, expected) in [
            ("a/b", true),
            ("a/c", false),
            ("a/*", true),
            ("!a/b", false),
            ("!a/c", true),
            ("authorization.k8s.io/decision=forbid", true),
            ("authorization.k8s.io/decision=!forbid", false),
            ("!authorization.k8s.io/decision=!forbid", true),
            ("authorization.k8s.io/decision=!allow", true),
            ("a/c=!x", true),
            ("*/decision=f*", true),
            ("authorization.k8s.io/reason=", true),
            ("authorization.k8s.io/decision=", false),
            ("a/b=~\"y\"$", true),
            ("a/b=x,\"y\"", true),
            ("~^a/", true),
        ] {
            assert_eq!(matches(&[value], SOME), expected, "{value}");
        }
        assert!(matches(&["a/c", "a/b"], SOME));
        assert!(!matches(&["a/b"], "null"));
    }

    #[test]
    fn faults() {
        let error = |value: &str| Annotations::compile(&[value.to_owned()]).unwrap_err();
        assert_eq!(error("=x").at, 0);
        assert_eq!(error("k=~(").at, 3);
        assert_eq!(error("").at, 0);
    }
}
