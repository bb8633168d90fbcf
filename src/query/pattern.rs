//! Patterns over text: exact words, globs, regular expressions, and absence.
//!
//! Event values are compared exactly as the API spells them. A word without escapes is compared
//! with the raw bytes of the line, so the common filter allocates nothing.

use regex::bytes::Regex;

use super::error::QueryError;
use super::items::{Item, NONE};
use crate::event::Text;

/// Several patterns of which one must match.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    /// Sorted, so that a list of a thousand users costs ten comparisons.
    exact: Vec<Box<[u8]>>,
    globs: Vec<Box<[u8]>>,
    regexes: Vec<Regex>,
    absent: bool,
}

impl Set {
    /// The set of exactly these words, without globs.
    pub(super) fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        let mut set = Set::default();
        for word in words {
            set.add_exact(word);
        }
        set
    }

    /// The set of one word or glob.
    pub(super) fn wild(text: &str) -> Self {
        let mut set = Set::default();
        set.add_wild(text);
        set
    }

    /// Whether nothing can match.
    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.globs.is_empty() && self.regexes.is_empty() && !self.absent
    }

    /// Adds an item as typed: `<none>`, `~regex`, a glob or a word.
    pub(super) fn add(&mut self, item: &Item<'_>) -> Result<(), QueryError> {
        match item.regex() {
            _ if item.text == NONE => self.absent = true,
            Some(_) => self.regexes.push(compile_regex(item)?),
            None => self.add_wild(item.text),
        }
        Ok(())
    }

    pub(super) fn add_wild(&mut self, text: &str) {
        if has_glob(text) { self.globs.push(text.as_bytes().into()) } else { self.add_exact(text) }
    }

    fn add_exact(&mut self, word: &str) {
        if let Err(place) = self.exact.binary_search_by(|known| (**known).cmp(word.as_bytes())) {
            self.exact.insert(place, word.as_bytes().into());
        }
    }

    /// Whether a value that is there matches.
    pub(super) fn has(&self, text: Text<'_>) -> bool {
        let bytes = text.decode();
        self.exact.binary_search_by(|word| (**word).cmp(&*bytes)).is_ok()
            || self.globs.iter().any(|glob| glob_matches(glob, &bytes))
            || self.regexes.iter().any(|regex| regex.is_match(&bytes))
    }

    /// Whether one of the values matches; no value, or only empty ones, is `<none>`.
    pub(super) fn has_any<'a>(&self, values: impl Iterator<Item = Text<'a>>) -> bool {
        let mut found = false;
        for value in values.filter(|value| !value.is_empty()) {
            if self.has(value) {
                return true;
            }
            found = true;
        }
        !found && self.absent
    }
}

/// What one flag says: some of the positive patterns if there are any, none of the negative ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Patterns {
    positive: Set,
    negative: Set,
}

impl Patterns {
    /// Compiles the items of one flag.
    pub(super) fn compile(items: &[Item<'_>]) -> Result<Self, QueryError> {
        let mut patterns = Patterns::default();
        for item in items {
            patterns.add(item)?;
        }
        Ok(patterns)
    }

    /// What lets one word pass, whatever letters it has.
    pub(super) fn of_beginning(word: &str) -> Self {
        Patterns { positive: Set::wild(&format!("{word}*")), negative: Set::default() }
    }

    /// The words of which a value that passes must be one; none if others can pass too.
    pub(super) fn words(&self) -> Option<Vec<&[u8]>> {
        let Set { exact, globs, regexes, absent } = &self.positive;
        let closed = globs.is_empty() && regexes.is_empty() && !absent && !exact.is_empty();
        closed.then(|| exact.iter().map(|word| &**word).collect())
    }

    /// Adds one item on the side its `!` puts it.
    pub(super) fn add(&mut self, item: &Item<'_>) -> Result<(), QueryError> {
        if item.negated { self.negative.add(item) } else { self.positive.add(item) }
    }

    /// Whether a single value passes. Absence passes no positive pattern but `<none>`.
    pub(super) fn matches(&self, value: Option<Text<'_>>) -> bool {
        self.matches_any(value.into_iter())
    }

    /// Whether a list of values passes: any of them for the positive patterns, none for the negative.
    pub(super) fn matches_any<'a>(&self, values: impl Iterator<Item = Text<'a>> + Clone) -> bool {
        (self.positive.is_empty() || self.positive.has_any(values.clone()))
            && (self.negative.is_empty() || !self.negative.has_any(values))
    }
}

/// Whether the text asks for more than itself.
pub(super) fn has_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Compiles the regular expression of a `~` item; a fault is pointed at inside the value.
pub(super) fn compile_regex(item: &Item<'_>) -> Result<Regex, QueryError> {
    let pattern = item.regex().unwrap_or(item.text);
    Regex::new(pattern).map_err(|error| {
        let text = error.to_string();
        let mut fault = item.error(format!("not a regular expression: {}", regex_fault(&error)));
        fault.at = item.part(pattern).at + caret(&text, pattern);
        fault.with_help("the syntax is that of the Rust crate regex; without the leading `~` it is plain text")
    })
}

/// What the regex crate finds wrong, in one line.
pub(super) fn regex_fault(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or(&text).to_owned()
}

/// Where the regex crate's own caret line points, as a byte of the pattern.
fn caret(message: &str, pattern: &str) -> usize {
    let column = message
        .lines()
        .find(|line| line.contains('^') && line.trim_matches([' ', '^']).is_empty())
        .and_then(|line| line.find('^'));
    let column = column.map_or(0, |column| column.saturating_sub(4));
    pattern.char_indices().nth(column).map_or(pattern.len(), |(at, _)| at)
}

/// Whether a glob matches the whole text: `*` is any run of bytes, `/` and `.` too, and `?` is one
/// character. Backtracks to the last `*` only, so it never takes more than pattern times text.
pub(super) fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(b'?') => {
                g += 1;
                t += character_length(&text[t..]);
            }
            Some(byte) if *byte == text[t] => {
                g += 1;
                t += 1;
            }
            _ => {
                let Some((star_g, star_t)) = star else { return false };
                star = Some((star_g, star_t + 1));
                (g, t) = (star_g + 1, star_t + 1);
            }
        }
    }
    glob.get(g..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// The bytes of the first character; a stray byte counts as one.
fn character_length(text: &[u8]) -> usize {
    let more = match text.first() {
        Some(0xC0..) => text.iter().skip(1).take(3).take_while(|byte| (0x80..0xC0).contains(*byte)).count(),
        _ => 0,
    };
    1 + more
}

#[cfg(test)]
mod tests {
    use super::super::items::split;
    use super::*;

    fn matches(value: &str, text: Option<&str>) -> bool {
        Patterns::compile(&split("--user", value).unwrap()).unwrap().matches(text.map(Text::from))
    }

    #[test]
    fn words_globs_regexes_and_negation() {
        for (value, text, expected) in [
            ("alice", "alice", true),
            ("alice", "Alice", false),
            ("bob,alice", "alice", true),
            ("system:*", "system:node:n1", true),
            ("*:node:*", "system:node:n1", true),
            ("a?ice", "alice", true),
            ("?", "é", true),
            ("~^sys.*:n1$", "system:node:n1", true),
            ("~ODE", "system:node:n1", false),
            ("!alice", "bob", true),
            ("!alice", "alice", false),
            ("a*,!alice", "alice", false),
            ("a*,!alice", "anna", true),
            ("!~^sys", "system:x", false),
        ] {
            assert_eq!(matches(value, Some(text)), expected, "{value} {text}");
        }
    }

    #[test]
    fn absence() {
        assert!(!matches("*", None));
        assert!(!matches("~.*", None));
        assert!(matches("!alice", None));
        assert!(matches("<none>", None));
        assert!(matches("<none>", Some("")));
        assert!(!matches("!<none>", None));
        assert!(matches("!<none>", Some("alice")));
    }

    #[test]
    fn globs_against_a_slow_reading() {
        fn slow(glob: &[u8], text: &[u8]) -> bool {
            match (glob.split_first(), text.split_first()) {
                (None, _) => text.is_empty(),
                (Some((b'*', rest)), _) => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
                (Some((b'?', rest)), Some((_, text))) => slow(rest, text),
                (Some((byte, rest)), Some((first, text))) => byte == first && slow(rest, text),
                (Some(_), None) => false,
            }
        }
        let words = |letters: &[u8], length: u32| -> Vec<Vec<u8>> {
            let count = letters.len().pow(length);
            let nth = |n: usize| (0..length).map(|i| letters[n / letters.len().pow(i) % letters.len()]).collect();
            (0..count).map(nth).collect()
        };
        for glob in (0..5).flat_map(|length| words(b"a*?b", length)) {
            for text in (0..5).flat_map(|length| words(b"ab", length)) {
                assert_eq!(glob_matches(&glob, &text), slow(&glob, &text), "{glob:?} {text:?}");
            }
        }
    }

    #[test]
    fn a_broken_regex_is_pointed_at() {
        let items = split("--user", "bob,!~ab(c").unwrap();
        let error = Patterns::compile(&items).unwrap_err();
        assert_eq!((error.at, error.message.as_str()), (8, "not a regular expression: unclosed group"));
    }

    #[test]
    fn escapes_are_looked_through() {
        let set = Set::words(["a&b"]);
        assert!(set.has(Text::json(br"a\u0026b", true)));
    }
}
