//! A whole JSON container proved sound, sixty-four bytes at a time.
//!
//! Bodies are most of a log, and nobody looks inside them before somebody asks. They must still be
//! proved sound, or a line torn inside a body would pass for an event. The proof here is the
//! whole grammar of compact JSON, as the [`Scanner`](super::json::Scanner) has it: whatever this
//! accepts, the scanner accepts and ends at the same byte. It gives up on anything else (white space
//! between tokens, nesting beyond [`DEEPEST`]), which is then read by the scanner.
//!
//! Every byte outside strings is one of seven things: an opening or closing bracket, a comma, a colon,
//! an opening or closing quote, or part of a scalar. With one bit for each byte, the grammar is:
//!
//! 1. Which of them may stand behind which is a table ([`Token`](super::simd::Token)).
//! 2. A string is a key if it begins behind `{`, or behind a comma inside an object. A colon stands
//!    behind every key and nowhere else, and inside an object nothing but a key stands behind a comma.
//! 3. Brackets close what they opened: a stack of one bit a level.
//! 4. Each scalar, taken alone, is a number or a literal.
//!
//! Rule 2 needs to know which commas are inside an object, and that needs the stack of rule 3; most
//! sixty-four bytes of a body are inside objects only and open no array, and then the stack need not be
//! followed bracket by bracket.

use super::json::scalar_length;
use super::simd::{Classes, Isa};

/// Levels of nesting that are followed.
pub(super) const DEEPEST: u32 = 64;

/// Where the container that opens at `at` ends, if it is sound, compact, and ends by `limit`.
#[inline(always)]
pub(super) fn container_end<I: Isa>(text: &[u8], at: usize, limit: usize) -> Option<usize> {
    if text.get(at..)?.starts_with(b"{}") {
        return (at + 2 <= limit).then_some(at + 2);
    }
    let mut proof = Proof::default();
    let mut base = at;
    while base < limit {
        // A container of an event is never the first byte of a text: a colon stands before it.
        let classes = match text.get(base.checked_sub(1)?..).and_then(|rest| rest.first_chunk::<65>()) {
            Some(bytes) => I::classes(bytes.last_chunk()?, bytes.first_chunk()?),
            None => I::classes(&padded(text.get(base..)?), &padded(text.get(base - 1..)?)),
        };
        if let Some(end) = proof.block::<I>(&classes, text, base)? {
            return (base + end <= limit).then_some(base + end);
        }
        base += 64;
    }
    None
}

/// The last bytes of a text, filled up with zeros.
#[inline]
pub(super) fn padded(rest: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    let length = rest.len().min(64);
    block[..length].copy_from_slice(&rest[..length]);
    block
}

/// What must be known of the bytes before a block. What begins with `last` is one if the last byte
/// before the block was such a byte.
#[derive(Default)]
struct Proof {
    /// All ones if the block begins inside a string.
    in_string: u64,
    /// One if the first byte is escaped.
    escaped: u64,
    /// One if the block begins inside a key.
    in_key: u64,
    /// Open containers, innermost lowest; one for objects.
    stack: u64,
    depth: u32,
    last_open_brace: u64,
    last_scalar: u64,
    last_object_comma: u64,
    last_key_end: u64,
}

/// The bits of the byte before each byte; `last` is that of the byte before the first. (An addition,
/// because a double shift is slow on half of all processors.)
#[inline(always)]
const fn behind(bits: u64, last: u64) -> u64 {
    (bits << 1).wrapping_add(last)
}

impl Proof {
    /// Takes the next block. `None`: not sound, or not for us; `Some(Some(end))`: the container ends.
    #[inline(always)]
    fn block<I: Isa>(&mut self, classes: &Classes, text: &[u8], base: usize) -> Option<Option<usize>> {
        let quote = classes.quote & !self.escaped_bytes(classes.slash);
        // From the opening quote to the last byte before the closing one.
        let inside = I::prefix_xor(quote) ^ self.in_string;
        // From the byte behind the opening quote to the closing one.
        let content = behind(inside, self.in_string & 1);
        self.in_string = ((inside as i64) >> 63) as u64;
        let open = classes.open & !inside;
        let close = classes.close & !inside;
        let comma = classes.comma & !inside;
        let colon = classes.colon & !inside;

        let (in_object, end) = self.follow::<I>(open, close, classes.brace)?;
        let open_brace = open & classes.brace;
        let object_comma = comma & in_object;
        let behind_object_comma = behind(object_comma, self.last_object_comma);
        // A key's first bit, added to the string's run of ones, comes out at its closing quote.
        let keys = quote & inside & (behind(open_brace, self.last_open_brace) | behind_object_comma);
        let (sum, over) = inside.overflowing_add(keys);
        let (sum, again) = sum.overflowing_add(self.in_key);
        self.in_key = u64::from(over) | u64::from(again);
        let key_end = sum & quote & !inside;

        // No encoder writes a line feed into a string: it can only be a tear.
        let wrong = classes.misplaced & !content
            | classes.line_feed
            | colon ^ behind(key_end, self.last_key_end)
            | behind_object_comma & !quote;
        let scalar = !(inside | quote | open | close | comma | colon);
        let first_of_scalar = scalar & !behind(scalar, self.last_scalar);
        self.last_open_brace = open_brace >> 63;
        self.last_scalar = scalar >> 63;
        self.last_object_comma = object_comma >> 63;
        self.last_key_end = key_end >> 63;

        // Behind the container's end nothing counts.
        let counts = end.map_or(u64::MAX, |end| u64::MAX >> (64 - end));
        if wrong & counts != 0 || !scalars_are_sound(text, base, first_of_scalar & counts) {
            return None;
        }
        Some(end.map(|end| end as usize))
    }

    /// The bytes that stand behind an odd number of backslashes.
    #[inline(always)]
    fn escaped_bytes(&mut self, slash: u64) -> u64 {
        if slash == 0 {
            return std::mem::take(&mut self.escaped);
        }
        // A run of backslashes that begins on an odd place is flipped by the subtraction, so that in
        // every run the bytes that are escaped, and the one behind it if it is, end up set.
        const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        let potential = slash & !self.escaped;
        let maybe_escaped = potential << 1;
        let codes = (maybe_escaped | ODD).wrapping_sub(potential) ^ ODD;
        let escaped = codes ^ (slash | self.escaped);
        self.escaped = (codes & slash) >> 63;
        escaped
    }

    /// Follows the brackets: which bytes are inside an object (counts for commas only), and where the
    /// container ends if it does, as a number of bytes.
    #[inline(always)]
    fn follow<I: Isa>(&mut self, open: u64, close: u64, brace: u64) -> Option<(u64, Option<u32>)> {
        // An empty object leaves everything as it was.
        let empty = open & brace & (close & brace) >> 1;
        let (open, close) = (open & !empty, close & !(empty << 1));
        let (opens, closes) = (open.count_ones(), close.count_ones());
        if (open | close) & !brace == 0 && closes < self.stack.trailing_ones() && self.depth + opens <= DEEPEST {
            // Inside objects only, whatever closes.
            self.depth = self.depth + opens - closes;
            self.stack = !(!(self.stack >> closes) << opens);
            return Some((u64::MAX, None));
        }
        self.follow_each::<I>(open, close, brace)
    }

    /// Follows the brackets one by one.
    #[inline(always)]
    fn follow_each<I: Isa>(&mut self, open: u64, close: u64, brace: u64) -> Option<(u64, Option<u32>)> {
        let mut left = open | close;
        let outermost = self.stack & 1;
        let in_object = |turns| I::prefix_xor(turns) ^ 0u64.wrapping_sub(outermost);
        let mut turns = 0;
        while left != 0 {
            let at = left.trailing_zeros();
            left &= left - 1;
            let object = brace >> at & 1;
            let before = self.stack & 1;
            if open >> at & 1 == 1 {
                if self.depth == DEEPEST {
                    return None;
                }
                self.depth += 1;
                self.stack = self.stack << 1 | object;
            } else {
                if before != object || self.depth == 0 {
                    return None;
                }
                self.depth -= 1;
                self.stack >>= 1;
                if self.depth == 0 {
                    return Some((in_object(turns), Some(at + 1)));
                }
            }
            turns |= ((before ^ self.stack) & 1) << at;
        }
        Some((in_object(turns), None))
    }
}

/// Whether every scalar that begins at one of these places is a number or a literal.
#[inline(always)]
fn scalars_are_sound(text: &[u8], base: usize, mut places: u64) -> bool {
    while places != 0 {
        let at = base + places.trailing_zeros() as usize;
        places &= places - 1;
        let end = scalar_length(text, at).map(|length| at + length);
        if !end.and_then(|end| text.get(end)).is_some_and(|byte| matches!(byte, b',' | b']' | b'}')) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::json::Scanner;
    use super::super::simd::{Job, Level, at};
    use super::*;

    struct End<'t>(&'t [u8]);

    impl Job for End<'_> {
        type Output = Option<usize>;

        #[inline(always)]
        fn run<I: Isa>(self) -> Self::Output {
            container_end::<I>(self.0, 1, self.0.len()).map(|end| end - 1)
        }
    }

    /// What every level of the processor says, which must be the same.
    fn proved(text: &[u8]) -> Option<usize> {
        let text = [b":", text].concat();
        let mut answers = Level::available().into_iter().map(|level| at(level, End(&text)));
        let first = answers.next().flatten();
        assert!(answers.all(|answer| answer == first), "{}", String::from_utf8_lossy(&text));
        first
    }

    fn scanned(text: &[u8]) -> Option<usize> {
        let mut scanner = Scanner::new(text, 0);
        scanner.value().ok().map(|_| scanner.position())
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit
        }

        fn string(&mut self, out: &mut Vec<u8>) {
            let pieces: [&[u8]; 12] =
                [b"a", b"{", b"}", b"[", b",", b":", b"\\\"", b"\\\\", b"\\n", b"longer words", b" ", b"\xc3\xa9"];
            out.push(b'"');
            for _ in 0..self.below(9) {
                out.extend_from_slice(pieces[self.below(12)]);
            }
            out.push(b'"');
        }

        fn value(&mut self, depth: usize, out: &mut Vec<u8>) {
            let scalars: [&[u8]; 6] = [b"1", b"-2.5e-3", b"true", b"false", b"null", b"0"];
            match self.below(if depth > 6 { 3 } else { 8 }) {
                0 => out.extend_from_slice(scalars[self.below(6)]),
                1 | 2 => self.string(out),
                3 => self.container(depth, false, out),
                _ => self.container(depth, true, out),
            }
        }

        fn container(&mut self, depth: usize, object: bool, out: &mut Vec<u8>) {
            out.push(if object { b'{' } else { b'[' });
            for index in 0..self.below(5) {
                if index > 0 {
                    out.push(b',');
                }
                if object {
                    self.string(out);
                    out.push(b':');
                }
                self.value(depth + 1, out);
            }
            out.push(if object { b'}' } else { b']' });
        }
    }

    #[test]
    fn accepts_all_that_is_compact_and_sound() {
        let mut random = Random(1);
        for _ in 0..4000 {
            let mut text = Vec::new();
            random.container(0, true, &mut text);
            let length = text.len();
            assert_eq!(proved(&text), Some(length), "{}", String::from_utf8_lossy(&text));
            text.extend_from_slice(b",\"next\":{}}");
            assert_eq!(proved(&text), Some(length), "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn accepts_nothing_the_scanner_does_not() {
        let mut random = Random(2);
        let bytes = b"\"\\{}[],:019-.etfnalsu \n\x00x";
        let mut refused = 0;
        for _ in 0..30_000 {
            let mut text = Vec::new();
            random.container(0, true, &mut text);
            for _ in 0..1 + random.below(2) {
                let place = random.below(text.len());
                match random.below(4) {
                    0 => text.insert(place, bytes[random.below(bytes.len())]),
                    1 if text.len() > 1 => drop(text.remove(place)),
                    2 => text.truncate(place + 1),
                    _ => text[place] = bytes[random.below(bytes.len())],
                }
            }
            let found = proved(&text);
            refused += usize::from(found.is_none());
            if found.is_some() {
                assert_eq!(found, scanned(&text), "{}", String::from_utf8_lossy(&text));
            } else if text.first() == Some(&b'{') && !text.iter().any(|byte| b" \n".contains(byte)) {
                assert_eq!(scanned(&text), None, "{}", String::from_utf8_lossy(&text));
            }
        }
        assert!(refused > 5_000, "most changes break something");
    }

    #[test]
    fn nesting_as_deep_as_the_stack() {
        for depth in [1, 2, 31, 32, 33, 63, 64] {
            for (open, close) in [("{\"a\":", "}"), ("[", "]")] {
                let text = open.repeat(depth) + "1" + &close.repeat(depth);
                assert_eq!(proved(text.as_bytes()), Some(text.len()), "{text}");
                assert_eq!(proved((text.clone() + "}").as_bytes()), Some(text.len()), "{text}");
                assert_eq!(proved(&text.as_bytes()[..text.len() - 1]), None, "{text}");
            }
        }
        assert_eq!(proved(("[".repeat(65) + &"]".repeat(65)).as_bytes()), None, "left to the scanner");
    }
}
