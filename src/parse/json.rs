//! JSON as the log holds it: a scanner that proves each value sound without building anything.
//!
//! The scanner checks the whole grammar of RFC 8259 except UTF-8 (a patch body is copied byte for
//! byte by the server, so a line may hold bytes that are not text) and except control characters
//! inside strings. It never recurses: nesting is kept as one bit a level, and bounded.

use super::quote::special;
use crate::event::{RawJson, Text};

/// Deeper nesting than this is reported as damage. The server has been seen to log 2,000 levels.
pub const MAX_DEPTH: usize = 100_000;

/// Why a value could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The bytes end inside a string, where no line break can be.
    EndsInString(usize),
    /// The bytes end inside a value but outside a string: the next line may carry on.
    EndsInValue(usize),
    /// A byte that JSON does not allow there.
    Malformed(usize),
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep(usize),
}

impl Fault {
    /// Where: the offset in the scanned bytes.
    pub const fn at(self) -> usize {
        match self {
            Fault::EndsInString(at) | Fault::EndsInValue(at) | Fault::Malformed(at) | Fault::TooDeep(at) => at,
        }
    }
}

/// A position in bytes that hold JSON.
#[derive(Clone, Copy, Debug)]
pub struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Starts at `at`.
    pub const fn new(text: &'a [u8], at: usize) -> Self {
        Scanner { text, at }
    }

    /// The offset of the next byte.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// The next byte that is not white space, without taking it.
    #[inline]
    pub fn peek(&mut self) -> Result<u8, Fault> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(Fault::EndsInValue(self.at)),
            }
        }
    }

    /// Takes `byte`, or fails.
    #[inline]
    pub fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek()? != byte {
            return Err(Fault::Malformed(self.at));
        }
        self.at += 1;
        Ok(())
    }

    /// Takes a string.
    #[inline]
    pub fn string(&mut self) -> Result<Text<'a>, Fault> {
        if self.peek()? != b'"' {
            return Err(Fault::Malformed(self.at));
        }
        let start = self.at + 1;
        let (end, escaped) = string_end(self.text, start)?;
        self.at = end + 1;
        Ok(Text::json(&self.text[start..end], escaped))
    }

    /// Takes any value and proves it sound.
    #[inline]
    pub fn value(&mut self) -> Result<RawJson<'a>, Fault> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => {
                let (end, _) = string_end(self.text, start + 1)?;
                self.at = end + 1;
            }
            b'{' | b'[' => self.container()?,
            _ => self.scalar()?,
        }
        Ok(RawJson(&self.text[start..self.at]))
    }

    /// Inside an object, before a key or the closing brace: takes the next key and its colon.
    /// `first` tells whether no member has been read yet.
    #[inline]
    pub fn key(&mut self, first: bool) -> Result<Option<Text<'a>>, Fault> {
        match self.peek()? {
            b'}' => {
                self.at += 1;
                return Ok(None);
            }
            b',' if !first => self.at += 1,
            b'"' if first => {}
            _ => return Err(Fault::Malformed(self.at)),
        }
        let key = self.string()?;
        self.expect(b':')?;
        Ok(Some(key))
    }

    /// Takes a number or one of the three literals.
    fn scalar(&mut self) -> Result<(), Fault> {
        let rest = &self.text[self.at..];
        let length = match rest[0] {
            b't' => literal(rest, b"true"),
            b'f' => literal(rest, b"false"),
            b'n' => literal(rest, b"null"),
            _ => number(rest),
        };
        match length {
            Ok(length) => {
                self.at += length;
                Ok(())
            }
            Err(Cut) if rest.len() < 5 || rest.iter().all(|b| !matches!(b, b',' | b'}' | b']')) => {
                Err(Fault::EndsInValue(self.text.len()))
            }
            Err(Cut) => Err(Fault::Malformed(self.at)),
        }
    }

    /// Takes an object or array, iteratively.
    fn container(&mut self) -> Result<(), Fault> {
        let mut nesting = Nesting::default();
        loop {
            // Before a value.
            match self.peek()? {
                open @ (b'{' | b'[') => {
                    self.at += 1;
                    nesting.open(open == b'{').ok_or(Fault::TooDeep(self.at))?;
                    if !self.closes_at_once(&mut nesting)? {
                        continue;
                    }
                }
                b'"' => self.at = string_end(self.text, self.at + 1)?.0 + 1,
                _ => self.scalar()?,
            }
            // After a value: close what closes, then a comma leads to the next value.
            if self.after_value(&mut nesting)? {
                return Ok(());
            }
        }
    }

    /// After an opening bracket: an empty container closes here; an object's first key is taken.
    fn closes_at_once(&mut self, nesting: &mut Nesting) -> Result<bool, Fault> {
        let byte = self.peek()?;
        if byte == nesting.closer() {
            self.at += 1;
            nesting.close();
            return Ok(true);
        }
        if nesting.in_object() {
            self.string()?;
            self.expect(b':')?;
        }
        Ok(false)
    }

    /// After a value inside a container; `true` when the outermost container has closed.
    fn after_value(&mut self, nesting: &mut Nesting) -> Result<bool, Fault> {
        loop {
            if nesting.depth == 0 {
                return Ok(true);
            }
            let byte = self.peek()?;
            self.at += 1;
            if byte == nesting.closer() {
                nesting.close();
                continue;
            }
            if byte != b',' {
                return Err(Fault::Malformed(self.at - 1));
            }
            if nesting.in_object() {
                self.string()?;
                self.expect(b':')?;
            }
            return Ok(false);
        }
    }
}

/// The end of the string whose first byte is at `start`: the offset of its closing quote, and
/// whether it holds an escape. A raw line feed ends the search: no encoder writes one, so it can
/// only be a tear.
#[inline]
fn string_end(text: &[u8], start: usize) -> Result<(usize, bool), Fault> {
    let mut at = start;
    let mut escaped = false;
    loop {
        match special(text, at) {
            None => return Err(Fault::EndsInString(text.len())),
            Some(found) if text[found] == b'"' => return Ok((found, escaped)),
            Some(found) => {
                at = found + 2;
                escaped = true;
            }
        }
    }
}

/// The length of the number or literal that begins at `at`, whatever stands behind it.
#[inline]
pub(super) fn scalar_length(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let length = match rest.first()? {
        b't' => literal(rest, b"true"),
        b'f' => literal(rest, b"false"),
        b'n' => literal(rest, b"null"),
        _ => number(rest),
    };
    length.ok()
}

/// A literal or number that the bytes do not complete.
struct Cut;

fn literal(rest: &[u8], word: &[u8]) -> Result<usize, Cut> {
    if rest.starts_with(word) { Ok(word.len()) } else { Err(Cut) }
}

/// The length of the number that `rest` starts with (RFC 8259 section 6).
fn number(rest: &[u8]) -> Result<usize, Cut> {
    let mut at = usize::from(rest.first() == Some(&b'-'));
    let digits = |from: usize| rest[from.min(rest.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(at);
    if whole == 0 {
        return Err(Cut);
    }
    at += whole;
    if rest.get(at) == Some(&b'.') {
        let part = digits(at + 1);
        if part == 0 {
            return Err(Cut);
        }
        at += 1 + part;
    }
    if matches!(rest.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(rest.get(at + 1), Some(b'+' | b'-')));
        let part = digits(at + 1 + sign);
        if part == 0 {
            return Err(Cut);
        }
        at += 1 + sign + part;
    }
    Ok(at)
}

/// Which brackets are open: one bit a level (set for objects), the innermost 64 in a register.
#[derive(Default)]
struct Nesting {
    depth: usize,
    bits: u64,
    outer: Vec<u64>,
}

impl Nesting {
    fn open(&mut self, object: bool) -> Option<()> {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(object);
        self.depth += 1;
        Some(())
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.bits = self.outer.pop().unwrap_or_default();
        }
    }

    const fn in_object(&self) -> bool {
        self.bits & 1 == 1
    }

    const fn closer(&self) -> u8 {
        if self.in_object() { b'}' } else { b']' }
    }
}

/// Follows the nesting of one value over several lines, line by line, without proving it: enough
/// to find where a pretty-printed value ends.
#[derive(Default, Clone, Copy, Debug)]
pub struct Depth {
    open: usize,
}

/// Where one line left a value that spans lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineEnd {
    /// The value closed just before this offset in the line.
    Closed(usize),
    /// The value goes on.
    Open,
    /// The line breaks off inside a string.
    InString,
}

impl Depth {
    /// Reads one line (without its line feed) of the value.
    pub fn line(&mut self, line: &[u8]) -> LineEnd {
        let mut at = 0;
        while let Some(&byte) = line.get(at) {
            match byte {
                b'"' => match string_end(line, at + 1) {
                    Ok((end, _)) => at = end,
                    Err(_) => return LineEnd::InString,
                },
                b'{' | b'[' => self.open += 1,
                b'}' | b']' => {
                    self.open = self.open.saturating_sub(1);
                    if self.open == 0 {
                        return LineEnd::Closed(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        LineEnd::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Result<(), Fault> {
        let mut scanner = Scanner::new(text.as_bytes(), 0);
        scanner.value()?;
        if scanner.position() == text.len() { Ok(()) } else { Err(Fault::Malformed(scanner.position())) }
    }

    #[test]
    fn agrees_with_serde_json_on_what_is_sound() {
        let texts = [
            "{}",
            "[]",
            "[[]]",
            "{\"a\":{}}",
            "{\"a\":[1,2.5e-3,-0]}",
            "[true,false,null]",
            "\"x\"",
            "{\"a\":1,}",
            "[1,]",
            "[,1]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{1:2}",
            "[1 2]",
            "[1}",
            "{\"a\":1]",
            "tru",
            "[nul]",
            "-",
            "[1.]",
            "[1e]",
            "{\"a\":\"\\\"\"}",
            "[\"a\\\\\"]",
            " [ 1 , { \"k\" : [ ] } ] ",
            "[[[[[[]]]]]]",
            "{\"a\":1 \"b\":2}",
            "[1",
            "[\"a",
        ];
        for text in texts {
            let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(whole(text.trim()).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn nesting_beyond_a_register() {
        for depth in [1, 63, 64, 65, 128, 129, 2000, MAX_DEPTH] {
            let text = "[{\"a\":".repeat(depth / 2) + &"[".repeat(depth % 2) + &"]".repeat(depth % 2);
            let text = text.clone() + if depth > 1 && depth % 2 == 0 { "1" } else { "" } + &"}]".repeat(depth / 2);
            assert_eq!(whole(&text), Ok(()), "depth {depth}");
        }
        assert!(matches!(whole(&"[".repeat(MAX_DEPTH + 1)), Err(Fault::TooDeep(_))));
    }

    #[test]
    fn faults_tell_a_tear_from_an_open_value() {
        assert_eq!(whole("{\"a\":"), Err(Fault::EndsInValue(5)));
        assert_eq!(whole("{\"a\":\"x"), Err(Fault::EndsInString(7)));
        assert_eq!(whole("{\"a\":tr"), Err(Fault::EndsInValue(7)));
        assert_eq!(whole("{\"a\";1}"), Err(Fault::Malformed(4)));
    }

    #[test]
    fn depth_follows_lines() {
        let mut depth = Depth::default();
        assert_eq!(depth.line(b"{"), LineEnd::Open);
        assert_eq!(depth.line(b"  \"a\": [\"}\","), LineEnd::Open);
        assert_eq!(depth.line(b"  2]"), LineEnd::Open);
        assert_eq!(depth.line(b"}, {"), LineEnd::Closed(1));
    }
}
