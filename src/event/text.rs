//! Text as it stands in a log line: borrowed, and decoded only when somebody asks.
//!
//! A JSON string keeps its escapes (`\u0026`) until a filter compares or a renderer prints it, so a
//! scan that never looks at a field never pays for it. Lists and maps stay raw in the same way.
//! Nothing here validates: `parse` has proved the JSON sound before it hands out any of these.

use std::borrow::Cow;

use memchr::memchr;

/// A string of the log: either plain bytes, or the inside of a JSON string with escapes.
///
/// Bytes need not be UTF-8 (bodies and user agents are not always); decode lossily for people.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Text<'a> {
    /// Text that means exactly its bytes.
    pub const fn plain(raw: &'a [u8]) -> Self {
        Text { raw, escaped: false }
    }

    /// The inside of a JSON string (without its quotes), where `escaped` tells whether it holds a backslash.
    pub const fn json(raw: &'a [u8], escaped: bool) -> Self {
        Text { raw, escaped }
    }

    /// The bytes as they stand in the log, escapes and all.
    pub const fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Whether decoding changes the bytes.
    pub const fn is_escaped(self) -> bool {
        self.escaped
    }

    /// Whether the text is the empty string.
    pub const fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// The bytes the text stands for. Borrowed unless there was an escape to resolve.
    pub fn decode(self) -> Cow<'a, [u8]> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut out = Vec::with_capacity(self.raw.len());
        unescape_json(self.raw, &mut out);
        Cow::Owned(out)
    }

    /// The text for people: invalid UTF-8 becomes U+FFFD.
    pub fn to_str_lossy(self) -> Cow<'a, str> {
        match self.decode() {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }),
        }
    }

    /// Whether the decoded text equals `other`.
    pub fn eq_bytes(self, other: &[u8]) -> bool {
        if self.escaped { *self.decode() == *other } else { self.raw == other }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.escaped || other.escaped { self.decode() == other.decode() } else { self.raw == other.raw }
    }
}

impl Eq for Text<'_> {}

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.to_str_lossy())
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text::plain(text.as_bytes())
    }
}

/// A JSON value left as it stands in the log, proved sound by the parser.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawJson<'a>(pub &'a [u8]);

impl<'a> RawJson<'a> {
    /// The string inside, when the value is a string.
    pub fn as_text(self) -> Option<Text<'a>> {
        let inner = self.0.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(Text::json(inner, memchr(b'\\', inner).is_some()))
    }

    /// Whether the value is `null`.
    pub fn is_null(self) -> bool {
        self.0 == b"null"
    }

    /// The elements of an array; a value that is no array is its own only element (some shippers
    /// write a string where the API has a list), and `null` has none.
    pub fn elements(self) -> Elements<'a> {
        match self.0.first() {
            Some(b'[') => Elements { rest: self.0.get(1..).unwrap_or_default(), single: None },
            Some(_) if !self.is_null() => Elements { rest: b"", single: Some(self) },
            _ => Elements { rest: b"", single: None },
        }
    }

    /// The members of an object in their order; none for any other value.
    pub fn members(self) -> Members<'a> {
        Members { rest: self.0.strip_prefix(b"{").unwrap_or_default() }
    }

    /// The last member of that name (the last wins, as in Go).
    pub fn get(self, name: &[u8]) -> Option<RawJson<'a>> {
        self.members().filter(|(key, _)| key.eq_bytes(name)).last().map(|(_, value)| value)
    }
}

impl std::fmt::Debug for RawJson<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0))
    }
}

/// Iterator over the elements of a raw JSON array.
#[derive(Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
    single: Option<RawJson<'a>>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = RawJson<'a>;

    fn next(&mut self) -> Option<RawJson<'a>> {
        if let Some(single) = self.single.take() {
            return Some(single);
        }
        next_value(&mut self.rest)
    }
}

/// Iterator over the members of a raw JSON object.
#[derive(Clone)]
pub struct Members<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Members<'a> {
    type Item = (Text<'a>, RawJson<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = next_value(&mut self.rest)?.as_text()?;
        let value = next_value(&mut self.rest)?;
        Some((key, value))
    }
}

/// Takes the next value off a sound sequence, past white space, commas and colons.
fn next_value<'a>(rest: &mut &'a [u8]) -> Option<RawJson<'a>> {
    let skip = rest.iter().position(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':'))?;
    let text = rest.get(skip..)?;
    let length = value_length(text)?;
    let (value, after) = text.split_at_checked(length)?;
    *rest = after;
    Some(RawJson(value))
}

/// The length of the sound JSON value that `text` starts with; none where a container ends instead.
fn value_length(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'"' => string_length(text),
        b'{' | b'[' => container_length(text),
        b'}' | b']' => None,
        _ => Some(
            text.iter()
                .position(|b| matches!(b, b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n'))
                .unwrap_or(text.len()),
        ),
    }
}

/// The length of the JSON string that `text` starts with, both quotes counted.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn container_length(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0usize);
    loop {
        match text.get(at)? {
            b'"' => {
                at += string_length(text.get(at..)?)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Resolves JSON escapes (RFC 8259 section 7). A lone surrogate becomes U+FFFD, and a broken
/// escape stays as it stands: the event is worth more than the character.
pub fn unescape_json(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr(b'\\', rest) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        rest = unescape_one(after, out);
    }
    out.extend_from_slice(rest);
}

/// Resolves the escape that `text` starts with and returns what follows it.
fn unescape_one<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let simple = match text.get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(c @ (b'"' | b'\\' | b'/')) => *c,
        Some(b'u') => return unescape_unicode(text, out),
        _ => {
            out.push(b'\\');
            return &text[1..];
        }
    };
    out.push(simple);
    &text[2..]
}

fn unescape_unicode<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    // Go's way of writing `<`, `>` and `&`, which URIs are full of.
    if let Some([b'0', b'0', tens @ b'0'..=b'7', ones @ (b'0'..=b'9' | b'a'..=b'f')]) = text.get(2..6) {
        let ones = if *ones <= b'9' { ones - b'0' } else { ones - b'a' + 10 };
        out.push((tens - b'0') << 4 | ones);
        return &text[6..];
    }
    let Some(first) = hex4(text, 2) else {
        out.push(b'\\');
        return &text[1..];
    };
    let mut used = 6;
    let mut code = first;
    if (0xD800..0xDC00).contains(&first)
        && text.get(6..8) == Some(b"\\u")
        && let Some(low) = hex4(text, 8).filter(|low| (0xDC00..0xE000).contains(low))
    {
        code = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
        used = 12;
    }
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    &text[used..]
}

fn hex4(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, &digit| Some(value * 16 + (digit as char).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &str) -> String {
        Text::json(raw.as_bytes(), true).to_str_lossy().into_owned()
    }

    #[test]
    fn escapes_resolve() {
        assert_eq!(decoded(r"a\u0026b\n\t\\\/\u00e9"), "a&b\n\t\\/é");
        assert_eq!(decoded(r"\ud83d\ude00"), "😀");
        assert_eq!(decoded(r"\ud83dx\udc00"), "\u{fffd}x\u{fffd}");
        assert_eq!(decoded(r"broken \q \u12"), r"broken \q \u12");
        assert_eq!(decoded("trailing\\"), "trailing\\");
    }

    #[test]
    fn raw_json_iterates() {
        let list = RawJson(br#"[ "a,\"]b" , {"x":[1,2]}, 3 ]"#);
        let found: Vec<_> = list.elements().map(|e| String::from_utf8_lossy(e.0).into_owned()).collect();
        assert_eq!(found, [r#""a,\"]b""#, r#"{"x":[1,2]}"#, "3"]);
        assert_eq!(RawJson(b"\"one\"").elements().count(), 1);
        assert_eq!(RawJson(b"null").elements().count(), 0);
        let map = RawJson(br#"{"k":1,"l":{"m":"}"},"k":2}"#);
        assert_eq!(map.get(b"k"), Some(RawJson(b"2")));
        assert_eq!(map.get(b"l").unwrap().get(b"m"), Some(RawJson(b"\"}\"")));
        assert_eq!(map.get(b"none"), None);
    }

    #[test]
    fn comparisons_look_through_escapes() {
        assert!(Text::json(br"a\u0026b", true).eq_bytes(b"a&b"));
        assert_eq!(Text::json(br"a\u0026b", true), Text::plain(b"a&b"));
    }
}
