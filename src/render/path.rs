//! Paths into an event, in the dialect of kubectl: `.user.username`, `.sourceIPs[0]`,
//! `.annotations.authorization\.k8s\.io/decision`, `.items[?(@.kind=="Pod")].name`.
//!
//! The dialect differs from RFC 9535 in the leading `$`, in member names (anything up to a dot, dots
//! escaped) and in the escapes of quoted names. It is translated, and the RFC's engine evaluates it.

use serde_json::Value;
use serde_json_path::JsonPath;

/// How deep brackets may nest in a path; the engine's parser recurses.
const MAX_DEPTH: usize = 16;
const MAX_CHARS: usize = 4096;

/// A checked path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    query: JsonPath,
    from_root: bool,
}

impl Path {
    /// Reads a path; the leading dot may be missing, and braces around it are understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text).trim();
        let translated = translate(inner).map_err(|error| format!("path `{text}`: {error}"))?;
        let query = JsonPath::parse(&translated).map_err(|error| format!("path `{text}`: {error}"))?;
        Ok(Path { query, from_root: inner.starts_with('$') })
    }

    /// The values at this path, seen from `current`; a path that starts with `$` is seen from `root`.
    pub fn values<'v>(&self, root: &'v Value, current: &'v Value) -> Vec<&'v Value> {
        self.query.query(if self.from_root { root } else { current }).all()
    }
}

/// Where `text` first has a character that `stop` accepts, outside quotes and brackets; its length if
/// nowhere, and `None` when quotes or brackets stay open.
pub(super) fn end_of(text: &str, stop: impl Fn(char) -> bool) -> Option<usize> {
    let (mut quote, mut depth, mut escaped) = (None, 0usize, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if quote == Some(character) => quote = None,
            _ if quote.is_some() => {}
            _ if depth == 0 && stop(character) => return Some(at),
            '\'' | '"' => quote = Some(character),
            '[' | '(' => depth += 1,
            ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    (quote.is_none() && depth == 0).then_some(text.len())
}

/// The value as kubectl prints it: strings bare, everything else as JSON. Not yet escaped.
pub(super) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The RFC 9535 query that the path means.
fn translate(text: &str) -> Result<String, String> {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() > MAX_CHARS {
        return Err(format!("longer than {MAX_CHARS} characters"));
    }
    let mut translator = Translator { characters, at: 0, out: String::from("$") };
    match translator.peek() {
        Some('$' | '@') => translator.at += 1,
        Some('.' | '[') => {}
        Some(_) => translator.name(false)?,
        None => return Err("is empty".to_owned()),
    }
    translator.segments(false, 0)?;
    Ok(translator.out)
}

struct Translator {
    characters: Vec<char>,
    at: usize,
    out: String,
}

impl Translator {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    /// Segments up to the end, or up to what ends an operand of a filter.
    fn segments(&mut self, in_filter: bool, depth: usize) -> Result<(), String> {
        while let Some(character) = self.peek() {
            match character {
                '.' => self.dot(in_filter)?,
                '[' => self.brackets(depth + 1)?,
                _ if in_filter => return Ok(()),
                _ => return Err(format!("unexpected `{character}` at character {}", self.at + 1)),
            }
        }
        Ok(())
    }

    fn dot(&mut self, in_filter: bool) -> Result<(), String> {
        self.at += 1;
        let descends = self.peek() == Some('.');
        if descends {
            self.at += 1;
            self.out.push_str("..");
        }
        match self.peek() {
            Some('[') => Ok(()),
            Some('*') => {
                self.at += 1;
                self.out.push_str("[*]");
                Ok(())
            }
            // A lone dot is the value itself.
            None if !descends && self.at == 1 => Ok(()),
            _ => self.name(in_filter),
        }
    }

    fn name(&mut self, in_filter: bool) -> Result<(), String> {
        let mut name = String::new();
        while let Some(character) = self.peek() {
            match character {
                '\\' => {
                    self.at += 1;
                    name.extend(self.peek());
                }
                '.' | '[' => break,
                _ if in_filter && " \t=!<>()&|,]".contains(character) => break,
                ']' | '"' | '\'' | '{' | '}' | '(' | ')' => break,
                _ if character.is_whitespace() => break,
                _ => name.push(character),
            }
            self.at += 1;
        }
        if name.is_empty() {
            return Err(format!("a name is missing at character {}", self.at + 1));
        }
        self.out.push('[');
        self.push_quoted(&name);
        self.out.push(']');
        Ok(())
    }

    fn brackets(&mut self, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("brackets nest deeper than {MAX_DEPTH}"));
        }
        self.at += 1;
        self.out.push('[');
        while let Some(character) = self.peek() {
            match character {
                '\'' | '"' => {
                    self.quoted(character)?;
                    continue;
                }
                '?' => {
                    self.filter(depth)?;
                    continue;
                }
                '[' | '(' => return Err(format!("unexpected `{character}` at character {}", self.at + 1)),
                _ => self.out.push(character),
            }
            self.at += 1;
            if character == ']' {
                return Ok(());
            }
        }
        Err("a bracket stays open".to_owned())
    }

    /// A filter, up to the bracket that closes it.
    fn filter(&mut self, depth: usize) -> Result<(), String> {
        let mut parentheses = 0usize;
        while let Some(character) = self.peek() {
            match character {
                ']' if parentheses == 0 => return Ok(()),
                '\'' | '"' => {
                    self.quoted(character)?;
                    continue;
                }
                '(' => parentheses += 1,
                ')' => parentheses = parentheses.saturating_sub(1),
                '[' => return Err(format!("unexpected `[` at character {}", self.at + 1)),
                _ => {}
            }
            if depth + parentheses > MAX_DEPTH {
                return Err(format!("brackets nest deeper than {MAX_DEPTH}"));
            }
            self.at += 1;
            self.out.push(character);
            if matches!(character, '@' | '$') {
                self.segments(true, depth + parentheses)?;
            }
        }
        Err("a bracket stays open".to_owned())
    }

    /// A quoted name or string; a backslash takes the next character as it is, except in `\n`, `\r`, `\t`.
    fn quoted(&mut self, quote: char) -> Result<(), String> {
        let mut text = String::new();
        self.at += 1;
        while let Some(mut character) = self.peek() {
            self.at += 1;
            if character == quote {
                self.push_quoted(&text);
                return Ok(());
            }
            if character == '\\' {
                let next = self.peek().ok_or("a quote stays open")?;
                self.at += 1;
                character = match next {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                };
            }
            text.push(character);
        }
        Err("a quote stays open".to_owned())
    }

    fn push_quoted(&mut self, text: &str) {
        self.out.push('\'');
        for character in text.chars() {
            match character {
                '\'' | '\\' => self.out.extend(['\\', character]),
                _ if character.is_ascii_control() => self.out.push_str(&format!("\\u{:04x}", u32::from(character))),
                _ => self.out.push(character),
            }
        }
        self.out.push('\'');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(path: &str, value: &Value) -> String {
        let texts: Vec<_> = Path::parse(path).unwrap().values(value, value).into_iter().map(value_text).collect();
        texts.join(" ")
    }

    #[test]
    fn kubectl_paths() {
        let event = json!({
            "user": {"username": "alice", "groups": ["a", "b"]},
            "annotations": {"authorization.k8s.io/decision": "allow", "it's": "odd"},
            "list": [{"k": "v", "n": 1, "x-y": {"a.b": 2}}, {"k": "w", "n": 2}],
        });
        let cases = [
            (".user.username", "alice"),
            ("user.username", "alice"),
            ("{.user.username}", "alice"),
            ("$.user.groups[1]", "b"),
            (".user.groups[*]", "a b"),
            (".user.groups[-1:]", "b"),
            (".user.groups", "[\"a\",\"b\"]"),
            (r".annotations.authorization\.k8s\.io/decision", "allow"),
            (r"['annotations']['authorization\.k8s\.io/decision']", "allow"),
            (r#".annotations["authorization.k8s.io/decision"]"#, "allow"),
            (r".annotations.it\'s", "odd"),
            (".list[?(@.k==\"v\")].n", "1"),
            (".list[?(@.k != 'v')].n", "2"),
            (".list[?(@.n>=1 && @.k=='w')].k", "w"),
            (r".list[?(@.x-y.a\.b==2)].k", "v"),
            (".list[*]['k','n']", "v 1 w 2"),
            ("..username", "alice"),
            (".list[*].*", "v 1 {\"a.b\":2} w 2"),
            (".none.such", ""),
        ];
        for (path, expected) in cases {
            assert_eq!(found(path, &event), expected, "{path}");
        }
        assert_eq!(found(".", &json!(7)), "7");
        assert_eq!(found("@", &json!(7)), "7");
    }

    #[test]
    fn wrong_paths_are_told() {
        for path in ["", ".a[", ".a['b]", ".a..", ".a b", ".a[0]b", ".a[(@.length-1)]", ".a[?(@.x==)]", ".a.", "a}"] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
        let deep = format!(".a[?({}@.b{})]", "(".repeat(5000), ")".repeat(5000));
        assert!(Path::parse(&deep).is_err());
        assert!(Path::parse(&format!(".{}", "[0]".repeat(2000))).is_err());
    }
}
