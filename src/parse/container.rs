//! A whole JSON container proved sound, sixty-four bytes at a time.
//!
//! Bodies are most of a log, and nobody looks inside them before somebody asks. They must still be
//! proved sound, or a line torn inside a body would pass for an event. The proof here is the
//! whole grammar of compact JSON, as the [`Scanner`](super::json::Scanner) has it: whatever this
//! accepts, the scanner accepts and ends at the same byte. It gives up on anything else (white space
//! between tokens, nesting near [`DEEPEST`]), which is then read by the scanner.
//!
//! What is proved is the [`Outline`]: strings are one quote each. Every byte of it is one of six
//! things: an opening or closing bracket, a comma, a colon, a string, or part of a scalar. With one bit
//! for each byte, the grammar is:
//!
//! 1. Which of them may stand behind which is a table ([`Token`](super::simd::Token)).
//! 2. A colon stands behind a string that itself stands behind `{` or a comma; and behind a string behind `{`
//!    stands a colon.
//! 3. Brackets close what they opened, and a comma is inside an object if a string and a colon follow it, and
//!    inside an array if not ([`Nesting`]).
//! 4. Each scalar, taken alone, is a number or a literal. (Digits alone are, whatever they are.)

use super::json::scalar_length;
use super::nesting::{Nesting, Turns};
use super::outline::{Outline, Room};
use super::simd::{Classes, Isa};

/// Levels of nesting that are followed.
pub(super) const DEEPEST: u32 = 64;

/// Where the container that opens at `at` ends, if it is sound, compact, and ends by `limit`.
#[inline(always)]
pub(super) fn container_end<I: Isa>(text: &[u8], at: usize, limit: usize, room: &mut Room) -> Option<usize> {
    let text = text.get(..limit)?;
    let object = match text.get(at..)? {
        [b'{', b'}', ..] => return Some(at + 2),
        [b'{', ..] => true,
        [b'[', ..] => false,
        _ => return None,
    };
    let mut outline = Outline::behind(text, at, room);
    let mut proof = Proof::inside(object);
    loop {
        outline.read::<I>()?;
        while let Some(window) = outline.window() {
            let classes = I::classes(window.last_chunk()?, window.first_chunk()?);
            if let Some(end) = proof.window::<I>(&classes, &outline)? {
                return Some(outline.place::<I>(end - 1)? + 1);
            }
            outline.pass();
        }
    }
}

/// What must be known of the bytes before a window. What begins with `last` is one if the last byte
/// before the window was such a byte.
struct Proof {
    /// Open containers.
    depth: u32,
    /// Whether the outermost is an object.
    object: bool,
    nesting: Nesting,
    last_brace_open: u64,
    last_open: u64,
    last_close: u64,
    last_brace: u64,
    last_comma: u64,
    last_scalar: u64,
    /// It is a string behind `{`, or behind a comma.
    last_first: u64,
    last_later: u64,
    /// It is within a scalar that is not all digits.
    last_word: bool,
}

/// The bits of the byte before each byte; `last` is that of the byte before the first. (An addition,
/// because a double shift is slow on half of all processors.)
#[inline(always)]
const fn behind(bits: u64, last: u64) -> u64 {
    (bits << 1).wrapping_add(last)
}

impl Proof {
    /// Inside a container, which is matched by itself, and not by the nesting.
    const fn inside(object: bool) -> Self {
        Proof {
            depth: 1,
            object,
            nesting: Nesting::inside(object),
            last_brace_open: object as u64,
            last_open: 0,
            last_close: 0,
            last_brace: 0,
            last_comma: 0,
            last_scalar: 0,
            last_first: 0,
            last_later: 0,
            last_word: false,
        }
    }

    /// Takes the next window. `None`: not sound, or not for us; `Some(Some(end))`: the container ends
    /// before that byte of it.
    #[inline(always)]
    fn window<I: Isa>(&mut self, classes: &Classes, outline: &Outline<'_, '_>) -> Option<Option<u32>> {
        let &Classes { quote: string, open, close, brace, comma, colon, misplaced, word } = classes;
        let brace_open = open & brace;
        let behind_comma = behind(comma, self.last_comma);
        let first = string & behind(brace_open, self.last_brace_open);
        let later = string & behind_comma;
        let (behind_first, behind_later) = (behind(first, self.last_first), behind(later, self.last_later));
        let wrong = misplaced | behind_first & !colon | colon & !(behind_first | behind_later);

        // Of which kind a comma is, is known at the byte behind it, or behind the string behind it. So
        // every turn is noted one byte behind the one that makes it.
        let (opened, closed) = (behind(open, self.last_open), behind(close, self.last_close));
        let turns = Turns {
            open: opened,
            close: closed,
            mark: behind_later | behind_comma & !string,
            object: (opened | closed) & behind(brace, self.last_brace) | behind_later & colon,
        };
        let scalar = !(string | open | close | comma | colon);
        let scalar_ends = behind(scalar, self.last_scalar) & !scalar;
        let words = word & scalar;
        let has_words = words != 0 || self.last_word;

        self.last_brace_open = brace_open >> 63;
        self.last_open = open >> 63;
        self.last_close = close >> 63;
        self.last_brace = brace >> 63;
        self.last_comma = comma >> 63;
        self.last_scalar = scalar >> 63;
        self.last_first = first >> 63;
        self.last_later = later >> 63;
        self.last_word = has_words && self.last_scalar != 0;

        let end = self.end(open, close, brace)?;
        // Behind the container's end nothing counts.
        let counts = end.map_or(u64::MAX, |end| u64::MAX >> (64 - end));
        let sound = wrong & counts == 0
            && (!has_words || scalars_are_sound(outline, scalar_ends & counts))
            && self.nesting.take::<I>(turns.within(counts))
            && (end.is_none() || self.nesting.settle::<I>());
        sound.then_some(end)
    }

    /// Counts the brackets; where the outermost container ends, if it does, as a number of bytes.
    #[inline(always)]
    fn end(&mut self, open: u64, close: u64, brace: u64) -> Option<Option<u32>> {
        let deepest = self.depth + open.count_ones();
        let closes = close.count_ones();
        if deepest > DEEPEST {
            return None;
        }
        if closes < self.depth {
            self.depth = deepest - closes;
            return Some(None);
        }
        let mut left = close;
        for gone in 1..=closes {
            let at = left.trailing_zeros();
            left &= left - 1;
            if self.depth + (open & !(u64::MAX << at)).count_ones() == gone {
                let object = brace >> at & 1 == 1;
                return (object == self.object).then_some(Some(at + 1));
            }
        }
        self.depth = deepest - closes;
        Some(None)
    }
}

/// Whether the scalars that end before these bytes of the window are numbers or literals.
#[inline(never)]
fn scalars_are_sound(outline: &Outline<'_, '_>, mut ends: u64) -> bool {
    while ends != 0 {
        let before = outline.before(ends.trailing_zeros());
        ends &= ends - 1;
        let structural = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':');
        // One so long that its beginning is gone is left to the scanner.
        let Some(start) = before.iter().rposition(structural) else { return false };
        if scalar_length(before, start + 1) != Some(before.len() - start - 1) {
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
            container_end::<I>(self.0, 1, self.0.len(), &mut Room::default()).map(|end| end - 1)
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
    fn each_part_of_the_grammar() {
        for sound in
            ["{}", "[]", "{\"a\":1}", "[1]", "[\"a\"]", "{\"a\":\"b\"}", "[[]]", "{\"a\":{}}", "[1,\"a\",{},[],true]"]
        {
            assert_eq!(proved(sound.as_bytes()), Some(sound.len()), "{sound}");
        }
        for broken in [
            "{\"a\"}",
            "{1}",
            "[1,]",
            "{\"a\":1,}",
            "[\"a\":1]",
            "{\"a\":1,\"b\"}",
            "[1,\"b\":2]",
            "{]",
            "[[}]",
            "[tru]",
            "{\"a\":{}]",
        ] {
            assert_eq!(proved(broken.as_bytes()), None, "{broken}");
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

    /// A value whose tokens stand anywhere in windows and batches, between strings of any length.
    fn stretched(random: &mut Random) -> Vec<u8> {
        let (mut text, members) = (b"{\"\":[".to_vec(), random.below(120));
        let longest = [1, 20, 200, 3000][random.below(4)];
        for _ in 0..members {
            let string = "y\\\\\\\"".repeat(random.below(longest) / 5);
            text.extend_from_slice(format!("\"{string}\",").as_bytes());
            random.container(5, true, &mut text);
            text.extend_from_slice(&b",-1.5e3,true,["[..[1, 8, 13, 14][random.below(4)]]);
            if text.ends_with(b"[") {
                random.container(6, false, &mut text);
                text.extend_from_slice(b"],");
            }
        }
        text.extend_from_slice(b"0]}");
        text
    }

    #[test]
    fn long_ones_wherever_windows_end() {
        let mut random = Random(3);
        for _ in 0..300 {
            let mut text = stretched(&mut random);
            let length = text.len();
            assert_eq!(proved(&text), Some(length), "{}", String::from_utf8_lossy(&text));
            let places: Vec<usize> = (0..length).filter(|&at| b"{}[],:.e".contains(&text[at])).collect();
            let place = places[random.below(places.len())];
            text[place] = b"{}[],:1\"\\"[random.below(9)];
            let found = proved(&text);
            assert!(found.is_none() || found == scanned(&text), "{}", String::from_utf8_lossy(&text));
        }
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
