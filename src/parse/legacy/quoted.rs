//! Go's `%q`: values as the text formats quote them, and the JSON that lists of them become.
//!
//! A Go escape can stand for any byte, so decoded values need not be UTF-8. They are decoded into
//! the arena, and only when they hold a backslash. Nothing here knows what a key means.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use memchr::memchr;

use crate::event::{RawJson, Text, escape};
use crate::parse::quote::special;

/// The inside of a Go string literal, still escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quoted<'a> {
    pub(super) raw: &'a [u8],
    pub(super) escaped: bool,
}

impl<'a> Quoted<'a> {
    /// Reads the literal whose opening quote ends just before `text`, and tells how many bytes it took,
    /// closing quote included. None when it is not closed.
    pub(super) fn read(text: &'a [u8]) -> Option<(Self, usize)> {
        let (mut at, mut escaped) = (0, false);
        loop {
            at = special(text, at)?;
            if text.get(at) == Some(&b'"') {
                return Some((Quoted { raw: text.get(..at)?, escaped }, at + 1));
            }
            escaped = true;
            at += 2;
        }
    }

    /// The bytes meant.
    #[inline(always)]
    pub(super) fn bytes(self, arena: &'a Bump) -> &'a [u8] {
        if self.escaped { self.unescaped(arena) } else { self.raw }
    }

    #[cold]
    fn unescaped(self, arena: &'a Bump) -> &'a [u8] {
        let mut out = BumpVec::with_capacity_in(self.raw.len(), arena);
        unescape(self.raw, &mut |bytes| out.extend_from_slice_copy(bytes));
        out.into_bump_slice()
    }

    /// The text meant.
    #[inline(always)]
    pub(super) fn text(self, arena: &'a Bump) -> Text<'a> {
        Text::plain(self.bytes(arena))
    }

    /// The list inside a value that is quoted twice, as a JSON array: a comma-joined list of Go
    /// literals, quoted again. Names may hold commas and quotes, so it is never split at commas;
    /// text that is no literal is kept as one name. None when the list is empty.
    pub(super) fn list(self, arena: &'a Bump) -> Option<RawJson<'a>> {
        self.plain_list(arena).or_else(|| self.any_list(arena))
    }

    /// The list, when the inner quoting happens to be JSON already: names of plain ASCII.
    fn plain_list(self, arena: &'a Bump) -> Option<RawJson<'a>> {
        let mut out = BumpVec::with_capacity_in(self.raw.len() + 2, arena);
        out.push(b'[');
        let mut rest = self.raw;
        loop {
            rest = rest.strip_prefix(b"\\\"")?;
            let end = special(rest, 0)?;
            let (name, behind) = rest.split_at_checked(end)?;
            let plain = name.iter().fold(true, |plain, &b| plain & (b' '..0x7f).contains(&b));
            rest = behind.strip_prefix(b"\\\"").filter(|_| plain)?;
            out.push(b'"');
            out.extend_from_slice_copy(name);
            out.push(b'"');
            match rest.strip_prefix(b",") {
                Some(next) => {
                    out.push(b',');
                    rest = next;
                }
                None if rest.is_empty() => break,
                None => return None,
            }
        }
        out.push(b']');
        Some(RawJson(out.into_bump_slice()))
    }

    fn any_list(self, arena: &'a Bump) -> Option<RawJson<'a>> {
        let mut rest = self.bytes(arena);
        let mut out = BumpVec::with_capacity_in(rest.len() + 2, arena);
        loop {
            let skip = rest.iter().position(|b| !matches!(b, b',' | b' ')).unwrap_or(rest.len());
            rest = rest.get(skip..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let literal = rest.strip_prefix(b"\"").and_then(Quoted::read);
            let (name, used) =
                literal.map_or((Quoted { raw: rest, escaped: false }, rest.len()), |(name, n)| (name, n + 1));
            out.push(if out.is_empty() { b'[' } else { b',' });
            push_string(name.bytes(arena), &mut out);
            rest = rest.get(used..).unwrap_or_default();
        }
        (!out.is_empty()).then(|| {
            out.push(b']');
            RawJson(out.into_bump_slice())
        })
    }
}

/// Lists of groups as JSON, as far as read lately: few users make most of the requests.
#[derive(Debug, Default)]
pub struct Lists {
    /// One for each place that a literal may have.
    known: Vec<Known>,
}

/// A literal's inside and the list it is; at first neither.
#[derive(Debug, Default)]
struct Known {
    raw: Box<[u8]>,
    list: Box<[u8]>,
}

impl Lists {
    const PLACES: usize = 512;

    /// Literals longer than this are not worth remembering.
    const LONGEST: usize = 1024;

    /// [`Quoted::list`], remembered.
    #[inline]
    pub(super) fn list<'a>(&mut self, value: Quoted<'a>, arena: &'a Bump) -> Option<RawJson<'a>> {
        match self.known.get(place(value.raw)) {
            Some(known) if !known.list.is_empty() && *known.raw == *value.raw => {
                Some(RawJson(arena.alloc_slice_copy(&known.list)))
            }
            _ => self.list_anew(value, arena),
        }
    }

    #[cold]
    fn list_anew<'a>(&mut self, value: Quoted<'a>, arena: &'a Bump) -> Option<RawJson<'a>> {
        let list = value.list(arena)?;
        if value.raw.len() <= Self::LONGEST {
            self.known.resize_with(Self::PLACES, Default::default);
            self.known[place(value.raw)] = Known { raw: value.raw.into(), list: list.0.into() };
        }
        Some(list)
    }
}

/// The place of a literal, from its length, middle and end: what tells one list of groups from another.
#[inline]
fn place(raw: &[u8]) -> usize {
    let word =
        |at: usize| raw.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word));
    let sum = word(raw.len() / 2) ^ word(raw.len().saturating_sub(24)).rotate_left(29) ^ raw.len() as u64;
    (sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize % Lists::PLACES
}

/// A JSON array of one string, which is nearly always an address, and mostly one of IPv4.
#[inline]
pub(super) fn single<'a>(value: &[u8], arena: &'a Bump) -> RawJson<'a> {
    if let (Some(&first), Some(&last), 8..=15) = (value.first_chunk(), value.last_chunk(), value.len())
        && is_plain(first)
        && is_plain(last)
    {
        let out = arena.alloc([b'"'; 19]);
        out[0] = b'[';
        out[2..10].copy_from_slice(&first);
        out[value.len() - 6..value.len() + 2].copy_from_slice(&last);
        out[value.len() + 3] = b']';
        return RawJson(&out[..value.len() + 4]);
    }
    if value.iter().all(|b| matches!(b, b'0'..=b':' | b'a'..=b'f' | b'.')) {
        let out = arena.alloc_slice_fill_copy(value.len() + 4, b'"');
        out[2..value.len() + 2].copy_from_slice(value);
        (out[0], out[value.len() + 3]) = (b'[', b']');
        return RawJson(out);
    }
    let mut out = BumpVec::with_capacity_in(value.len() + 4, arena);
    out.push(b'[');
    push_string(value, &mut out);
    out.push(b']');
    RawJson(out.into_bump_slice())
}

/// Whether all bytes are digits, points, colons or slashes, which a JSON string holds as they are.
#[inline]
const fn is_plain(bytes: [u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let word = u64::from_le_bytes(bytes);
    // The high bit of each byte that is at least a point, and of those beyond a colon; no sum carries if none of
    // the bytes has its own.
    let least = (word & !HIGH) + (0x80 - b'.' as u64) * EACH;
    let beyond = (word & !HIGH) + (0x7f - b':' as u64) * EACH;
    (!least | beyond | word) & HIGH == 0
}

fn push_string(value: &[u8], out: &mut BumpVec<'_, u8>) {
    out.push(b'"');
    escape(value, &mut |bytes| out.extend_from_slice_copy(bytes));
    out.push(b'"');
}

/// Resolves Go's escapes. A broken one stays as it stands: the event is worth more than the character.
fn unescape(raw: &[u8], put: &mut impl FnMut(&[u8])) {
    let mut rest = raw;
    while let Some(at) = memchr(b'\\', rest) {
        let (before, after) = rest.split_at(at);
        put(before);
        let used = unescape_one(after, put);
        rest = after.get(used..).unwrap_or_default();
    }
    put(rest);
}

/// Resolves the escape that `text` starts with and tells its length.
fn unescape_one(text: &[u8], put: &mut impl FnMut(&[u8])) -> usize {
    let simple = match text.get(1) {
        Some(b'a') => 0x07,
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'v') => 0x0b,
        Some(&c @ (b'\\' | b'"' | b'\'')) => c,
        Some(b'x') => return unescape_hex(text, 2, put),
        Some(b'u') => return unescape_hex(text, 4, put),
        Some(b'U') => return unescape_hex(text, 8, put),
        _ => {
            put(b"\\");
            return 1;
        }
    };
    put(&[simple]);
    2
}

/// `\xhh` is a byte; `\uhhhh` and `\Uhhhhhhhh` are code points.
fn unescape_hex(text: &[u8], digits: usize, put: &mut impl FnMut(&[u8])) -> usize {
    let value = text
        .get(2..2 + digits)
        .and_then(|hex| hex.iter().try_fold(0u32, |value, &digit| Some((value << 4) | (digit as char).to_digit(16)?)));
    match value {
        None => {
            put(b"\\");
            return 1;
        }
        Some(byte) if digits == 2 => put(&[byte as u8]),
        Some(code) => {
            let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            put(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    2 + digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<u8> {
        let arena = Bump::new();
        let (quoted, used) = Quoted::read(text.as_bytes()).expect("closed");
        assert_eq!(used, text.len());
        quoted.bytes(&arena).to_vec()
    }

    fn list(text: &str) -> Option<String> {
        let arena = Bump::new();
        let (quoted, _) = Quoted::read(text.as_bytes()).expect("closed");
        quoted.list(&arena).map(|json| String::from_utf8(json.0.to_vec()).unwrap())
    }

    #[test]
    fn go_escapes_resolve() {
        for (text, expected) in [
            (r#"plain é"#, "plain é".as_bytes()),
            (r#"a\tb"#, b"a\tb"),
            (r#"\a\b\f\n\r\t\v\\\""#, b"\x07\x08\x0c\n\r\t\x0b\\\""),
            (r#"\x7f\xff"#, b"\x7f\xff"),
            (r#"\u00a0"#, "\u{a0}".as_bytes()),
            (r#"\U000e0001"#, "\u{e0001}".as_bytes()),
            (r#"caf\u00e9"#, "café".as_bytes()),
            (r#"\ud800 \Uffffffff"#, "\u{fffd} \u{fffd}".as_bytes()),
            (r#"\q \x4 \u12"#, br#"\q \x4 \u12"#),
        ] {
            assert_eq!(read(&format!("{text}\"")), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_closed() {
        for text in ["", "abc", r#"abc\""#, "abc\\"] {
            assert_eq!(Quoted::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_list_known_is_the_list() {
        let arena = Bump::new();
        let mut lists = Lists::default();
        for number in (0..2000).chain(0..2000) {
            let text = format!("\\\"group-{number}\\\"");
            let value = Quoted { raw: text.as_bytes(), escaped: true };
            for _ in 0..2 {
                assert_eq!(lists.list(value, &arena), value.list(&arena));
            }
        }
        assert_eq!(lists.list(Quoted { raw: b"", escaped: false }, &arena), None);
    }

    #[test]
    fn an_address_is_a_list_of_one() {
        let mut texts: Vec<String> = Vec::new();
        for text in
            ["10.0.0.1", "192.168.100.200", "1.2.3.4", "fe80::1", "2001:db8::ff00", "999.a", "", "x\"y", "<none>"]
        {
            texts.push(text.into());
            // Any other character in each place.
            for at in 0..text.len() {
                let others = (' '..='~').chain(['\u{7f}', '\u{80}', 'é', '中']);
                texts.extend(others.map(|other| {
                    text.chars().take(at).chain([other]).chain(text.chars().skip(at + 1)).collect::<String>()
                }));
            }
        }
        for text in texts {
            let arena = Bump::new();
            let expected = serde_json::to_string(&[&text]).unwrap();
            let expected = expected.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
            assert_eq!(single(text.as_bytes(), &arena).0, expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn lists_are_quoted_twice() {
        assert_eq!(list(r#"\"a,b\",\"c\\\"d\"""#).as_deref(), Some(r#"["a,b","c\"d"]"#));
        assert_eq!(list(r#"\"a\", \"b\"""#).as_deref(), Some(r#"["a","b"]"#));
        assert_eq!(
            list(r#"\"a\\\\b\",\"tab\\tgroup\",\"<&\\xff\"""#).as_deref(),
            Some("[\"a\\\\b\",\"tab\\tgroup\",\"\\u003c\\u0026\u{fffd}\"]")
        );
        assert_eq!(list(r#"bare, words""#).as_deref(), Some(r#"["bare, words"]"#));
        assert_eq!(list(r#"\"a\",\"open""#).as_deref(), Some(r#"["a","\"open"]"#));
        assert_eq!(list(r#"\"\"""#).as_deref(), Some(r#"[""]"#));
        assert_eq!(list("\""), None);
    }
}
