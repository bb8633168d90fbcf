//! Paths of fields: `spec.replicas`, `spec.template.spec.containers[name=app].image`,
//! `metadata.annotations["example.com/owner"]`.
//!
//! This is how changes are named and how people ask for one field, so what is printed can be typed. Elements
//! of lists are chosen by what tells them apart rather than by their place, which changes. The dialect of
//! `kubectl -o jsonpath` is understood as far as it names fields.

use std::fmt;

use serde_json::Value;

use super::schema::key_text;

/// The path of a field, or of several where it has `[*]`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Path {
    segments: Vec<Segment>,
}

/// One step down into a value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Segment {
    /// A member of an object.
    Field(String),
    /// An element of a list, counted from 0.
    Index(usize),
    /// The elements of a list whose fields have these values.
    Select(Vec<(String, String)>),
    /// Every element of a list, every member of an object.
    All,
}

/// Longest path that is read; names of fields are short.
const MAX_CHARS: usize = 4096;

impl Path {
    /// Reads a path. A leading dot, `{…}` around it, `['…']` and backslashes before dots are understood.
    pub fn parse(text: &str) -> Result<Path, String> {
        let told = |error: String| format!("path `{text}`: {error}");
        let trimmed = text.trim();
        let inner = trimmed.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(trimmed).trim();
        if inner.chars().count() > MAX_CHARS {
            return Err(format!("path is longer than {MAX_CHARS} characters"));
        }
        let inner = inner.strip_prefix('$').unwrap_or(inner);
        let mut reader = Reader { characters: inner.chars().collect(), at: 0 };
        let segments = reader.segments().map_err(told)?;
        Ok(Path { segments })
    }

    pub(super) fn new(segments: Vec<Segment>) -> Path {
        Path { segments }
    }

    /// The steps of this path.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The values at this path, in the order of the document.
    pub fn values<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![value];
        for segment in &self.segments {
            found = found.into_iter().flat_map(|value| segment.children(value)).collect();
        }
        found
    }

    /// Whether this is the path of `above` or of something in it.
    pub fn starts_with(&self, above: &Path) -> bool {
        above.segments.len() <= self.segments.len()
            && above.segments.iter().zip(&self.segments).all(|(above, below)| above.includes(below))
    }

    /// What is left of this path below another one; none if it is not in there.
    pub fn below(&self, above: &Path) -> Option<Path> {
        let rest = self.segments.get(above.segments.len()..).unwrap_or_default();
        self.starts_with(above).then(|| Path { segments: rest.to_vec() })
    }

    /// Whether a change of one of the two is a change of the other: the same field, or one within the other.
    pub fn touches(&self, other: &Path) -> bool {
        self.starts_with(other) || other.starts_with(self)
    }
}

impl Segment {
    fn children<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Segment::Field(name), Value::Object(members)) => members.get(name).into_iter().collect(),
            (Segment::Index(index), Value::Array(elements)) => elements.get(*index).into_iter().collect(),
            (Segment::Select(keys), Value::Array(elements)) => {
                elements.iter().filter(|element| is_selected(element, keys)).collect()
            }
            (Segment::All, Value::Array(elements)) => elements.iter().collect(),
            (Segment::All, Value::Object(members)) => members.values().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether whatever `below` chooses is chosen by this one too.
    pub(super) fn includes(&self, below: &Segment) -> bool {
        match (self, below) {
            (Segment::All, _) => true,
            (Segment::Select(keys), Segment::Select(more)) => keys.iter().all(|key| more.contains(key)),
            _ => self == below,
        }
    }
}

fn is_selected(element: &Value, keys: &[(String, String)]) -> bool {
    keys.iter().all(|(key, wanted)| key_text(element, key).is_some_and(|text| text == *wanted))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Field(name) if is_plain(name) && place == 0 => f.write_str(name)?,
                Segment::Field(name) if is_plain(name) => write!(f, ".{name}")?,
                Segment::Field(name) => write!(f, "[{}]", Quoted(name))?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Select(keys) => write_selection(keys, f)?,
                Segment::All => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

fn write_selection(keys: &[(String, String)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (place, (key, text)) in keys.iter().enumerate() {
        write!(f, "{}{key}=", if place == 0 { '[' } else { ',' })?;
        if text.is_empty() || text.chars().any(ends_bare_value) {
            write!(f, "{}", Quoted(text))?
        } else {
            f.write_str(text)?
        }
    }
    f.write_str("]")
}

/// A name or value in quotes.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{character}")?;
        }
        f.write_str("\"")
    }
}

/// Whether a name can stand in a path as it is.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "*" && !name.starts_with('$') && !name.chars().any(ends_name)
}

fn ends_name(character: char) -> bool {
    matches!(character, '.' | '[' | ']' | '"' | '\'' | '\\' | '{' | '}') || is_blank(character)
}

fn ends_bare_value(character: char) -> bool {
    matches!(character, ',' | ']' | '[' | '"' | '\'' | '\\') || is_blank(character)
}

fn is_blank(character: char) -> bool {
    character.is_whitespace() || character.is_control()
}

struct Reader {
    characters: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn segments(&mut self) -> Result<Vec<Segment>, String> {
        let mut segments = Vec::new();
        while let Some(character) = self.peek() {
            match character {
                '[' => segments.push(self.brackets()?),
                '.' => {
                    self.at += 1;
                    // `.['a']`, which kubectl understands, and the lone dot, which is the whole object.
                    match self.peek() {
                        Some('[') => {}
                        None if segments.is_empty() => {}
                        _ => segments.push(self.name()?),
                    }
                }
                _ if segments.is_empty() => segments.push(self.name()?),
                _ => return Err(format!("unexpected `{character}` at character {}", self.at + 1)),
            }
        }
        if segments.is_empty() && self.at == 0 { Err("is empty".to_owned()) } else { Ok(segments) }
    }

    fn name(&mut self) -> Result<Segment, String> {
        let mut name = String::new();
        let start = self.at;
        while let Some(character) = self.peek() {
            match character {
                '\\' => {
                    self.at += 1;
                    name.extend(self.peek());
                }
                _ if ends_name(character) => break,
                _ => name.push(character),
            }
            self.at += 1;
        }
        match name.as_str() {
            "" => Err(format!("a name is missing at character {}", self.at + 1)),
            "*" if self.at == start + 1 => Ok(Segment::All),
            _ => Ok(Segment::Field(name)),
        }
    }

    fn brackets(&mut self) -> Result<Segment, String> {
        self.at += 1;
        let segment = match self.peek() {
            Some('"' | '\'') => Segment::Field(self.quoted()?),
            Some('*') => {
                self.at += 1;
                Segment::All
            }
            Some(character) if character.is_ascii_digit() => Segment::Index(self.index()?),
            Some(_) => self.selection()?,
            None => return Err("a bracket stays open".to_owned()),
        };
        match self.peek() {
            Some(']') => self.at += 1,
            Some(character) => return Err(format!("unexpected `{character}` at character {}", self.at + 1)),
            None => return Err("a bracket stays open".to_owned()),
        }
        Ok(segment)
    }

    fn index(&mut self) -> Result<usize, String> {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.at += 1;
        }
        digits.parse().map_err(|_| format!("`{digits}` is too large for a place in a list"))
    }

    fn selection(&mut self) -> Result<Segment, String> {
        let mut keys = Vec::new();
        loop {
            let mut key = String::new();
            while let Some(character) = self.peek().filter(|&character| character != '=' && !ends_bare_value(character))
            {
                key.push(character);
                self.at += 1;
            }
            if key.is_empty() || !self.take('=') {
                return Err(format!("`key=value` is missing at character {}", self.at + 1));
            }
            keys.push((key, self.selected_value()?));
            if !self.take(',') {
                return Ok(Segment::Select(keys));
            }
        }
    }

    fn selected_value(&mut self) -> Result<String, String> {
        if matches!(self.peek(), Some('"' | '\'')) {
            return self.quoted();
        }
        let mut value = String::new();
        while let Some(character) = self.peek().filter(|&character| !ends_bare_value(character)) {
            value.push(character);
            self.at += 1;
        }
        Ok(value)
    }

    fn quoted(&mut self) -> Result<String, String> {
        let quote = self.peek();
        let mut text = String::new();
        self.at += 1;
        while let Some(mut character) = self.peek() {
            self.at += 1;
            if Some(character) == quote {
                return Ok(text);
            }
            if character == '\\' {
                character = self.peek().ok_or("a quote stays open")?;
                self.at += 1;
            }
            text.push(character);
        }
        Err("a quote stays open".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn paths_find_fields() {
        let object = json!({
            "metadata": {"annotations": {"a.b/c": "x", "it's \"odd\"\\": "y"}},
            "spec": {"replicas": 3, "containers": [
                {"name": "app", "image": "app:1", "ports": [
                    {"containerPort": 53, "protocol": "UDP", "name": "u"}, {"containerPort": 53, "name": "t"}]},
                {"name": "a,b]", "image": "odd:1"}]},
        });
        let cases = [
            ("spec.replicas", json!([3])),
            (".spec.replicas", json!([3])),
            ("{.spec.replicas}", json!([3])),
            ("$.spec.replicas", json!([3])),
            ("spec.containers[name=app].image", json!(["app:1"])),
            ("spec.containers[name='app'].image", json!(["app:1"])),
            ("spec.containers[name=\"a,b]\"].image", json!(["odd:1"])),
            ("spec.containers[1].image", json!(["odd:1"])),
            ("spec.containers[*].image", json!(["app:1", "odd:1"])),
            ("spec.containers[0].ports[containerPort=53,protocol=TCP].name", json!(["t"])),
            ("spec.containers[0].ports[containerPort=53].name", json!(["u", "t"])),
            ("metadata.annotations[\"a.b/c\"]", json!(["x"])),
            ("metadata.annotations['a.b/c']", json!(["x"])),
            (r"metadata.annotations.a\.b/c", json!(["x"])),
            (".metadata.*.*", json!(["x", "y"])),
            (r#"metadata.annotations["it's \"odd\"\\"]"#, json!(["y"])),
            ("spec.none.such", json!([])),
            ("spec.containers[9]", json!([])),
        ];
        for (text, expected) in cases {
            assert_eq!(json!(path(text).values(&object)), expected, "{text}");
            let shown = path(text).to_string();
            assert_eq!(path(&shown), path(text), "{shown}");
        }
        assert_eq!(path(".").values(&object), [&object]);
    }

    #[test]
    fn one_spelling() {
        for text in
            ["spec.replicas", "a[0][1].b", "a[name=x].b", "m[\"a.b/c\"]", "[\"a b\"].c", "a[*]", "a[k=\"\",l=\"x,\"]"]
        {
            assert_eq!(path(text).to_string(), text);
        }
        assert_eq!(path("{.a['b'].c}").to_string(), "a.b.c");
    }

    #[test]
    fn wrong_paths_are_told() {
        for text in
            ["", "a..b", "a.", "a[", "a[x]", "a[x=1", "a['b", "a[0", "a[0]b", "a b", "a[99999999999999999999]", "]"]
        {
            assert!(Path::parse(text).is_err(), "{text}");
        }
        assert!(Path::parse(&"a.".repeat(5000)).is_err());
    }

    #[test]
    fn above_and_below() {
        let cases = [
            ("spec.containers[name=app].image", "spec", true),
            ("spec.containers[name=app].image", "spec.containers[name=app]", true),
            ("spec.containers[name=app].image", "spec.containers[*].image", true),
            ("p[containerPort=53,protocol=UDP].name", "p[containerPort=53]", true),
            ("spec.containers[name=app].image", "spec.containers[name=web]", false),
            ("specific", "spec", false),
            ("spec", "spec.replicas", false),
        ];
        for (below, above, expected) in cases {
            assert_eq!(path(below).starts_with(&path(above)), expected, "{below} {above}");
        }
        assert!(path("spec").touches(&path("spec.replicas")));
    }

    #[test]
    fn every_name_survives() {
        const ALPHABET: [&str; 16] =
            [".", "[", "]", "\"", "'", "\\", "{", "}", " ", "=", ",", "*", "$", "a", "\n", "é"];
        for one in ALPHABET {
            for two in ALPHABET {
                let name = format!("{one}{two}");
                let whole = Path::new(vec![
                    Segment::Field(name.clone()),
                    Segment::Select(vec![("k".to_owned(), name.clone()), ("l".to_owned(), one.to_owned())]),
                    Segment::Field(name),
                ]);
                assert_eq!(path(&whole.to_string()), whole, "{whole}");
            }
        }
    }
}
