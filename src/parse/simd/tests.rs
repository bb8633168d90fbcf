use super::*;

struct Classify<'b>(&'b [u8; 64], &'b [u8; 64]);

impl Job for Classify<'_> {
    type Output = (Marks, Quotes, Classes, u64);

    #[inline(always)]
    fn run<I: Isa>(self) -> Self::Output {
        let classes = I::classes(self.0, self.1);
        assert_eq!(I::equal(self.0, b':'), classes.colon);
        (I::marks(self.0), I::quotes(self.0), classes, I::prefix_xor(classes.quote ^ classes.colon))
    }
}

fn find(block: &[u8; 64], wanted: &[u8]) -> u64 {
    block.iter().rev().fold(0, |bits, byte| bits << 1 | u64::from(wanted.contains(byte)))
}

/// What the classes of a block are by their definition.
fn expected(block: &[u8; 64], before: &[u8; 64]) -> Classes {
    let find = |wanted: &[u8]| find(block, wanted);
    let misplaced = |(byte, last): (&u8, &u8)| !byte.is_ascii() || Token::of(*byte) & Token::behind(*last) == 0;
    Classes {
        quote: find(b"\""),
        open: find(b"{["),
        close: find(b"}]"),
        brace: find(b"{}"),
        comma: find(b","),
        colon: find(b":"),
        misplaced: block.iter().zip(before).rev().fold(0, |bits, pair| bits << 1 | u64::from(misplaced(pair))),
        word: !find(b"\"{}[],:0123456789"),
    }
}

/// The classes, but for what is of no account: of which kind a bracket is that is none, what a byte beyond
/// ASCII is otherwise, and what may stand behind one.
fn of_account(classes: Classes, block: &[u8; 64], before: &[u8; 64]) -> Classes {
    let beyond = |bytes: &[u8; 64]| bytes.iter().rev().fold(0, |bits, b| bits << 1 | u64::from(!b.is_ascii()));
    Classes {
        brace: classes.brace & (classes.open | classes.close),
        misplaced: classes.misplaced | beyond(before),
        word: classes.word | beyond(block),
        ..classes
    }
}

#[test]
fn every_level_sees_every_byte_at_every_place() {
    let tokens = b"\"\\{}[],:0 a";
    for step in [1usize, 3, 7, 11] {
        for start in 0..=255usize {
            let mixed = |at: usize| (start + at * step) as u8;
            let dense = |at: usize| tokens[(start * 31 + at * step * 7 + at / 3) % tokens.len()];
            for bytes in [std::array::from_fn::<u8, 65, _>(mixed), std::array::from_fn(dense)] {
                let (Some(before), Some(block)) = (bytes.first_chunk(), bytes.last_chunk()) else { continue };
                let classes = expected(block, before);
                let bits = classes.quote ^ classes.colon;
                let parity = (0..64).fold(0, |sum, at| sum | u64::from((bits << (63 - at)).count_ones() % 2) << at);
                let quotes =
                    Quotes { quote: find(block, b"\""), slash: find(block, b"\\"), line_feed: find(block, b"\n") };
                let wanted = (find(block, b"\"\\\n"), quotes, of_account(classes, block, before), parity);
                for level in Level::available() {
                    let found = at(level, Classify(block, before));
                    let found = (found.0, found.1, of_account(found.2, block, before), found.3);
                    assert_eq!(found, wanted, "{level:?} {start} {step}");
                }
            }
        }
    }
}

struct Gather<'b>(&'b [u8; 64], u64);

impl Job for Gather<'_> {
    type Output = ([u8; 64], u64);

    #[inline(always)]
    fn run<I: Isa>(self) -> Self::Output {
        let mut out = [0; 64];
        I::compress(self.0, self.1, &mut out);
        (out, I::extract(0x5a17_90c3_11ff_0275, self.1))
    }
}

#[test]
fn wanted_bytes_and_bits_close_ranks() {
    let block: [u8; 64] = std::array::from_fn(|at| at as u8 + 1);
    for wanted in [0, 1, 1 << 63, u64::MAX, 0x8000_0000_0000_0001, 0x0f0f_1234_5678_9abc] {
        let places: Vec<u32> = (0..64).filter(|at| wanted >> at & 1 == 1).collect();
        for level in Level::available() {
            let (bytes, bits) = at(level, Gather(&block, wanted));
            let expected: Vec<u8> = places.iter().map(|at| *at as u8 + 1).collect();
            assert_eq!(bytes[..places.len()], expected, "{level:?} {wanted:x}");
            let of_place = |(to, at): (usize, &u32)| (0x5a17_90c3_11ff_0275u64 >> at & 1) << to;
            let expected = places.iter().enumerate().map(of_place).fold(0, |bits, bit| bits | bit);
            assert_eq!(bits, expected, "{level:?} {wanted:x}");
        }
    }
}

struct Places(u64, u16);

impl Job for Places {
    type Output = [u16; 64];

    #[inline(always)]
    fn run<I: Isa>(self) -> Self::Output {
        let mut places = [0; 64];
        I::places(self.0, self.1, &mut places);
        places
    }
}

#[test]
fn every_level_lists_the_same_places() {
    let mut bits = 1u64;
    for step in 0..2000u16 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = [bits, bits & bits << 7, bits | bits >> 9, 0, u64::MAX][usize::from(step % 5)];
        let base = if step % 7 == 0 { 65_472 } else { step };
        let expected: Vec<u16> = (0..64).filter(|at| bits >> at & 1 == 1).map(|at| base + at).collect();
        for level in Level::available() {
            assert_eq!(at(level, Places(bits, base))[..expected.len()], expected, "{bits:x} {level:?}");
        }
    }
}
