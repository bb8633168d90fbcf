//! Cuts a flag's value into its items: commas, negation, and where each item stands.

use super::error::QueryError;

/// What stands for absence, on the command line as in the tables.
pub(super) const NONE: &str = "<none>";

/// One item of a comma list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item<'v> {
    /// The flag, `--user`.
    pub(super) flag: &'static str,
    /// The whole value the item was cut from.
    pub(super) value: &'v str,
    /// Where `text` begins in `value`.
    pub(super) at: usize,
    /// The item without its `!`.
    pub(super) text: &'v str,
    /// Whether a `!` stood before it.
    pub(super) negated: bool,
}

impl<'v> Item<'v> {
    /// The item that a whole value is, commas and all.
    pub(super) fn whole(flag: &'static str, value: &'v str) -> Result<Self, QueryError> {
        Item::cut(flag, value, 0, value)
    }

    /// An error about this item.
    pub(super) fn error(&self, message: impl Into<String>) -> QueryError {
        QueryError::new(self.flag, self.value, self.at, message)
    }

    /// The regular expression after `~`, when the item is one.
    pub(super) fn regex(&self) -> Option<&'v str> {
        self.text.strip_prefix('~')
    }

    /// The same item with another text, which must be a part of this one's.
    pub(super) fn part(&self, text: &'v str) -> Self {
        let offset = (text.as_ptr() as usize).wrapping_sub(self.value.as_ptr() as usize);
        let at = if offset <= self.value.len() { offset } else { self.at };
        Item { at, text, ..*self }
    }

    fn cut(flag: &'static str, value: &'v str, at: usize, part: &'v str) -> Result<Self, QueryError> {
        let trimmed = if is_regex(part) { part.trim_start() } else { part.trim() };
        let start = at + part.len() - part.trim_start().len();
        let (text, negated) = match trimmed.strip_prefix('!') {
            Some(text) => (text, true),
            None => (trimmed, false),
        };
        let item = Item { flag, value, at: start + usize::from(negated), text, negated };
        if text.is_empty() {
            let help = format!("write '{NONE}' to select what has no value there");
            return Err(item.error("an empty value selects nothing").with_help(help));
        }
        Ok(item)
    }
}

/// The items of one value. A regular expression keeps its commas, so it takes the rest of the value.
pub(super) fn split<'v>(flag: &'static str, value: &'v str) -> Result<Vec<Item<'v>>, QueryError> {
    let mut items = Vec::new();
    let (mut at, mut rest) = (0, value);
    loop {
        let cut = if is_regex(rest) { None } else { rest.split_once(',') };
        let (part, after) = cut.map_or((rest, None), |(part, after)| (part, Some(after)));
        items.push(Item::cut(flag, value, at, part)?);
        let Some(after) = after else { return Ok(items) };
        at += part.len() + 1;
        rest = after;
    }
}

/// The items of all uses of a flag.
pub(super) fn split_all<'v>(flag: &'static str, values: &'v [String]) -> Result<Vec<Item<'v>>, QueryError> {
    let mut items = Vec::new();
    for value in values {
        items.extend(split(flag, value)?);
    }
    Ok(items)
}

fn is_regex(part: &str) -> bool {
    let part = part.trim_start();
    part.strip_prefix('!').unwrap_or(part).starts_with('~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(value: &str) -> Vec<(usize, &str, bool)> {
        split("--user", value).unwrap().iter().map(|item| (item.at, item.text, item.negated)).collect()
    }

    #[test]
    fn commas_negation_and_places() {
        assert_eq!(texts("a, !b,c "), [(0, "a", false), (4, "b", true), (6, "c", false)]);
        assert_eq!(texts("a,!~x{1,2},y"), [(0, "a", false), (3, "~x{1,2},y", true)]);
        for (empty, at) in [("", 0), ("a,", 2), ("!", 1), ("a,,b", 2)] {
            assert_eq!(split("--user", empty).unwrap_err().at, at, "{empty:?}");
        }
    }

    #[test]
    fn a_part_knows_its_place() {
        let item = Item::whole("--resource", "!deploy/nginx").unwrap();
        let (_, name) = item.text.split_once('/').unwrap();
        assert_eq!(item.part(name).at, 8);
    }
}
