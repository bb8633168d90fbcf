//! Where audit ids are named and where lines end, found in one pass over bytes that are not read.

use super::outline::padded;
use super::simd::{self, Isa, Job, Level};

/// The key of an audit id, as every encoder writes it that escapes no letters.
pub const KEY: &[u8] = b"\"auditID\"";

/// Of its bytes these two, side by side, are looked for.
const PAIR: (usize, [u8; 2]) = (6, *b"ID");

/// Is told what stands where, in order.
pub trait Guide {
    /// The key of an audit id begins here.
    fn key(&mut self, at: usize);
    /// A line feed stands here. Whether to go on.
    fn line_feed(&mut self, at: usize) -> bool;
}

/// Looks for keys and line feeds; false if the guide ended it.
pub fn look_through(bytes: &[u8], guide: &mut impl Guide) -> bool {
    simd::at(Level::best(), Walk { bytes, guide })
}

struct Walk<'w, G> {
    bytes: &'w [u8],
    guide: &'w mut G,
}

impl<G: Guide> Job for Walk<'_, G> {
    type Output = bool;

    #[inline(always)]
    fn run<I: Isa>(mut self) -> bool {
        let mut at = 0;
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (feeds, pairs) = match rest.first_chunk::<65>() {
                Some(block) => places::<I>(block),
                None => places::<I>(&padded(rest, 0)),
            };
            if feeds | pairs != 0 && !self.tell(at, feeds, pairs) {
                return false;
            }
            at += 64;
        }
        true
    }
}

/// The line feeds in sixty-four bytes, and the pairs that begin in them.
#[inline(always)]
fn places<I: Isa>(block: &[u8; 65]) -> (u64, u64) {
    let (Some(here), Some(next)) = (block.first_chunk::<64>(), block.last_chunk::<64>()) else { return (0, 0) };
    let [first, second] = PAIR.1;
    (I::equal(here, b'\n'), I::equal(here, first) & I::equal(next, second))
}

impl<G: Guide> Walk<'_, G> {
    /// Tells the guide of what stands in the sixty-four bytes at `at`.
    fn tell(&mut self, at: usize, feeds: u64, pairs: u64) -> bool {
        let mut bits = feeds | pairs;
        while bits != 0 {
            let (bit, place) = (bits & bits.wrapping_neg(), at + bits.trailing_zeros() as usize);
            bits ^= bit;
            if feeds & bit != 0 {
                if !self.guide.line_feed(place) {
                    return false;
                }
            } else if let Some(key) = place.checked_sub(PAIR.0)
                && self.bytes[key..].starts_with(KEY)
            {
                self.guide.key(key);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys and line feeds that were found, and how many line feeds are wanted.
    struct Found(Vec<usize>, Vec<usize>, usize);

    impl Guide for Found {
        fn key(&mut self, at: usize) {
            self.0.push(at);
        }

        fn line_feed(&mut self, at: usize) -> bool {
            self.1.push(at);
            self.1.len() < self.2
        }
    }

    #[test]
    fn keys_and_line_feeds_are_found_wherever_they_stand() {
        for before in 0..140 {
            for behind in [0, 1, 7, 54, 55, 56, 57, 63, 64, 130] {
                let text = format!("{}\n\"auditID\"\"auditID\"{}\n\"auditI", "ID".repeat(before), "\"".repeat(behind));
                let (first, last) = (2 * before, 2 * before + 19 + behind);
                for level in Level::available() {
                    let mut found = Found(Vec::new(), Vec::new(), 9);
                    assert!(simd::at(level, Walk { bytes: text.as_bytes(), guide: &mut found }));
                    assert_eq!((found.0, found.1), (vec![first + 1, first + 10], vec![first, last]), "{text}");
                    let mut found = Found(Vec::new(), Vec::new(), 1);
                    assert!(!simd::at(level, Walk { bytes: text.as_bytes(), guide: &mut found }));
                    assert_eq!((found.0, found.1), (vec![], vec![first]), "{text}");
                }
            }
        }
        assert!(look_through(b"", &mut Found(Vec::new(), Vec::new(), 9)));
    }
}
