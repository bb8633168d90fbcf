//! Finds the end of a JSON string, sixteen bytes at a time.
//!
//! Most strings of an event are short, and a call into a general search costs more than they do.
//! The first bytes are compared here, inline; long strings go to `memchr`.

use memchr::memchr2;

use super::simd::marks_of_sixteen;

/// Strings longer than this are handed to `memchr`.
const INLINE: usize = 64;

/// The offset, at or behind `at`, of the first quote or backslash.
#[inline]
pub(super) fn special(text: &[u8], at: usize) -> Option<usize> {
    let mut from = at;
    while from < at + INLINE {
        let Some(chunk) = text.get(from..).and_then(|rest| rest.first_chunk::<16>()) else { break };
        let found = marks_of_sixteen(chunk);
        if found != 0 {
            return Some(from + found.trailing_zeros() as usize);
        }
        from += 16;
    }
    memchr2(b'"', b'\\', text.get(from..)?).map(|found| from + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_obvious_search() {
        for length in 0..200usize {
            for mark in [b'"', b'\\', 0xa2, b'x'] {
                for place in [0, length / 3, length / 2, length.saturating_sub(1)] {
                    let mut text = vec![b'.'; length];
                    if let Some(byte) = text.get_mut(place) {
                        *byte = mark;
                    }
                    let expected = text.iter().position(|&b| b == b'"' || b == b'\\');
                    assert_eq!(special(&text, 0), expected, "{length} {mark} {place}");
                }
            }
        }
    }
}
