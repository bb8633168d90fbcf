//! Finds the end of a JSON string, sixteen bytes at a time.
//!
//! Most strings of an event are short, and a call into a general search costs more than they do.
//! The first bytes are compared here, inline; long strings go to `memchr`.
//!
//! This is the crate's one module with `unsafe` code: the vector instructions of [`mask`]. What must
//! be proved is only that the processor has them, for they touch no memory: SSE2 is part of the
//! x86-64 baseline, and the function exists only where the compiler already assumes it. It buys a
//! fifth of the time of a metadata log against the byte-wise form.
#![allow(unsafe_code)]

use memchr::memchr2;

/// Strings longer than this are handed to `memchr`.
const INLINE: usize = 64;

/// The offset, at or behind `at`, of the first quote or backslash.
#[inline]
pub(super) fn special(text: &[u8], at: usize) -> Option<usize> {
    let mut from = at;
    while from < at + INLINE {
        let Some(chunk) = text.get(from..).and_then(|rest| rest.first_chunk::<16>()) else { break };
        let found = mask(chunk);
        if found != 0 {
            return Some(from + found.trailing_zeros() as usize);
        }
        from += 16;
    }
    memchr2(b'"', b'\\', text.get(from..)?).map(|found| from + found)
}

/// One bit for each byte that is a quote or a backslash.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[inline]
fn mask(chunk: &[u8; 16]) -> u32 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8};
    let whole = u128::from_le_bytes(*chunk);
    // SAFETY: these instructions work on registers only, and need no more than SSE2, which the
    // `cfg` above says the target has.
    unsafe {
        let bytes = _mm_set_epi64x((whole >> 64) as i64, whole as i64);
        let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let slashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        _mm_movemask_epi8(_mm_or_si128(quotes, slashes)) as u32
    }
}

/// One bit for each byte that is a quote or a backslash.
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
#[inline]
fn mask(chunk: &[u8; 16]) -> u32 {
    chunk.iter().rev().fold(0, |bits, &byte| bits << 1 | u32::from(byte == b'"' || byte == b'\\'))
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
