//! Hashes of bytes, good for this run only.
//!
//! Requests are told apart by hashes alone. The secrets are drawn anew for every run, so nobody can
//! write a log in which one request hides behind another.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use rapidhash::v3::{DEFAULT_RAPID_SECRETS, RapidSecrets, rapidhash_v3_micro_inline};

use crate::event::{Text, unescape_json};

static SECRETS: LazyLock<RapidSecrets> = LazyLock::new(RapidSecrets::random);

/// The hash of these bytes. The last mixing is left out: it would spread hashes over a table, which [`fold`] does too
/// for all that is told apart by several. But it would also tell lengths below four apart, of which the rest sees
/// the first, the middle and the last byte.
#[inline]
pub(crate) fn of_bytes(bytes: &[u8]) -> u64 {
    rapidhash_v3_micro_inline::<false, true>(bytes, &SECRETS) ^ bytes.len() as u64
}

/// The hash of these bytes that is the same in every run: it decides what is kept of too much, so that the
/// same log gives the same answer. Whoever writes the log can foresee it, so it tells nothing apart.
#[inline]
pub(crate) fn for_samples(bytes: &[u8]) -> u64 {
    rapidhash_v3_micro_inline::<true, true>(bytes, &DEFAULT_RAPID_SECRETS)
}

/// The hash of several hashes, in their order.
#[inline]
pub(crate) fn of_hashes<const N: usize>(hashes: [u64; N]) -> u64 {
    of_bytes(hashes.map(u64::to_le_bytes).as_flattened())
}

/// The hash of what a text stands for. `scratch` is for resolving escapes.
#[inline]
pub(crate) fn of_text(text: Text<'_>, scratch: &mut Vec<u8>) -> u64 {
    if !text.is_escaped() {
        return of_bytes(text.raw());
    }
    scratch.clear();
    unescape_json(text.raw(), scratch);
    of_bytes(scratch)
}

/// Takes one more hash into a running one, by the multiplication the hashes themselves are made with.
#[inline]
pub(crate) fn fold(running: u64, next: u64) -> u64 {
    let secrets = &SECRETS.secrets;
    let product = u128::from(running ^ secrets[0]) * u128::from(next ^ secrets[1]);
    product as u64 ^ (product >> 64) as u64
}

/// For tables whose keys are hashes already.
pub(crate) type AsIs = BuildHasherDefault<Same>;

/// Gives a number as its own hash.
#[derive(Default)]
pub(crate) struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn short_texts_and_those_of_one_byte_repeated_are_told_apart() {
        let few = b"\0\x011bdu\xff";
        let mut texts = vec![Vec::new()];
        let mut from = 0;
        for _ in 0..4 {
            let longer: Vec<Vec<u8>> =
                texts[from..].iter().flat_map(|text| few.iter().map(|&byte| [text, &[byte][..]].concat())).collect();
            from = texts.len();
            texts.extend(longer);
        }
        texts.extend(few.iter().flat_map(|&byte| (5..200).map(move |length| vec![byte; length])));
        let hashes: HashSet<u64> = texts.iter().map(|text| of_bytes(text)).collect();
        let samples: HashSet<u64> = texts.iter().map(|text| for_samples(text)).collect();
        let folded: HashSet<u64> = texts.iter().map(|text| fold(7, of_bytes(text))).collect();
        assert_eq!([hashes.len(), samples.len(), folded.len()], [texts.len(); 3]);
    }
}
