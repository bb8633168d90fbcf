//! kubectl's jsonpath templates: `{.user.username}{"\t"}{.verb}{"\n"}`, `{range .sourceIPs[*]}{@} {end}`.
//!
//! Text outside braces and in quotes is written as it stands. Values are escaped, so that a line end in
//! the output is always the template's own. A missing value prints nothing, as in kubectl.

use serde_json::Value;

use super::path::{Path, end_of, value_text};
use super::sanitize::text_for_terminal;

const MAX_DEPTH: usize = 16;

/// A checked template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template {
    pieces: Vec<Piece>,
    writes_line_ends: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Text(String),
    Values(Path),
    Range(Path, Vec<Piece>),
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { open: Vec::new(), pieces: Vec::new(), writes_line_ends: false };
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            parser.text(literal);
            let end = end_of(after, |character| character == '}').ok_or("a quote or bracket stays open")?;
            let (action, after) = after.split_at_checked(end).unwrap_or_default();
            rest = after.strip_prefix('}').ok_or_else(|| format!("`{{{action}` lacks its `}}`"))?;
            parser.action(action.trim())?;
        }
        parser.text(rest);
        if !parser.open.is_empty() {
            return Err("{range} lacks its {end}".to_owned());
        }
        Ok(Template { pieces: parser.pieces, writes_line_ends: parser.writes_line_ends })
    }

    /// Writes the template filled from `value`, with a line end unless the template has written its own.
    pub fn write(&self, value: &Value, out: &mut Vec<u8>) {
        let start = out.len();
        write_pieces(&self.pieces, value, value, out);
        let ended = if out.len() == start { self.writes_line_ends } else { out.last() == Some(&b'\n') };
        if !ended {
            out.push(b'\n');
        }
    }
}

fn write_pieces(pieces: &[Piece], root: &Value, current: &Value, out: &mut Vec<u8>) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Values(path) => {
                let shown: Vec<String> = path.values(root, current).into_iter().map(value_text).collect();
                out.extend_from_slice(text_for_terminal(&shown.join(" ")).as_bytes());
            }
            Piece::Range(path, inner) => {
                for element in path.values(root, current) {
                    write_pieces(inner, root, element, out);
                }
            }
        }
    }
}

struct Parser {
    /// The ranges not yet ended, each with the pieces that came before it.
    open: Vec<(Path, Vec<Piece>)>,
    pieces: Vec<Piece>,
    writes_line_ends: bool,
}

impl Parser {
    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.writes_line_ends |= text.contains('\n');
            self.pieces.push(Piece::Text(text.to_owned()));
        }
    }

    /// What stands between two braces: a range, its end, or any number of paths and quoted strings.
    fn action(&mut self, action: &str) -> Result<(), String> {
        if action == "end" {
            let (path, before) = self.open.pop().ok_or("{end} without {range}")?;
            let inner = std::mem::replace(&mut self.pieces, before);
            self.pieces.push(Piece::Range(path, inner));
            return Ok(());
        }
        if let Some(path) = action.strip_prefix("range").filter(|rest| rest.starts_with([' ', '\t', '.', '$', '['])) {
            if self.open.len() >= MAX_DEPTH {
                return Err(format!("ranges nest deeper than {MAX_DEPTH}"));
            }
            let path = Path::parse(path)?;
            self.open.push((path, std::mem::take(&mut self.pieces)));
            return Ok(());
        }
        self.items(action)
    }

    fn items(&mut self, action: &str) -> Result<(), String> {
        if action.is_empty() {
            return Err("{} is empty".to_owned());
        }
        let mut rest = action;
        while let Some(first) = rest.chars().next() {
            let quoted = matches!(first, '"' | '\'');
            let end = if quoted { end_of_quoted(rest, first) } else { end_of(rest, is_item_end) };
            let (item, after) =
                end.and_then(|end| rest.split_at_checked(end)).ok_or("a quote or bracket stays open")?;
            if quoted {
                self.text(&unquoted(item))
            } else {
                self.pieces.push(Piece::Values(Path::parse(item)?))
            }
            rest = after.trim_start();
        }
        Ok(())
    }
}

fn is_item_end(character: char) -> bool {
    character.is_whitespace() || matches!(character, '"' | '\'')
}

/// The length of the quoted string that `text` starts with, both quotes counted.
fn end_of_quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The string without its quotes and escapes. An escape that is none stands for its character.
fn unquoted(item: &str) -> String {
    let mut text = String::new();
    let mut characters = item.chars().skip(1).take(item.chars().count().saturating_sub(2));
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        let digits = |characters: &mut dyn Iterator<Item = char>, count| {
            u32::from_str_radix(&characters.take(count).collect::<String>(), 16).ok().and_then(char::from_u32)
        };
        match characters.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('x') => text.push(digits(&mut characters, 2).unwrap_or(char::REPLACEMENT_CHARACTER)),
            Some('u') => text.push(digits(&mut characters, 4).unwrap_or(char::REPLACEMENT_CHARACTER)),
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(template: &str) -> String {
        let event = json!({
            "verb": "get\n\u{202e}",
            "user": {"username": "alice"},
            "sourceIPs": ["10.0.0.1", "10.0.0.2"],
            "items": [{"n": 1, "l": [1, 2]}, {"n": 2, "l": []}],
        });
        let mut out = Vec::new();
        Template::parse(template).unwrap().write(&event, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn templates() {
        let cases = [
            ("{.user.username}", "alice\n"),
            (r#"{.user.username}{"\t"}{.sourceIPs[*]}{"\n"}"#, "alice\t10.0.0.1 10.0.0.2\n"),
            ("who: {.user.username}, what: {.verb}", "who: alice, what: get\\n\\u{202e}\n"),
            ("{range .items[*]}{.n}={$.user.username};{end}", "1=alice;2=alice;\n"),
            ("{range .items[*]}{range .l[*]}{@},{end}{'\\n'}{end}", "1,2,\n\n"),
            (r#"{range .items[?(@.n==2)]}{.n "x" .l}{end}"#, "2x[]\n"),
            ("{.sourceIPs}", "[\"10.0.0.1\",\"10.0.0.2\"]\n"),
            ("{.missing}", "\n"),
            ("{range .missing[*]}{@}{\"\\n\"}{end}", ""),
            ("plain", "plain\n"),
            (r#"{"a}b"}{"\u00e9\x41"}"#, "a}béA\n"),
            ("{range}", "\n"),
        ];
        for (template, expected) in cases {
            assert_eq!(shown(template), expected, "{template}");
        }
    }

    #[test]
    fn wrong_templates_are_told() {
        for template in ["{.a", "{", "{}", "{range .a[*]}x", "{end}", "{\"x}", "{.a[}", "{.a.}"] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
        assert!(Template::parse(&"{range .a[*]}".repeat(1000)).is_err());
    }
}
