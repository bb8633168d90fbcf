//! Hashes of bytes, good for this run only.
//!
//! Requests are told apart by hashes alone. The secrets are drawn anew for every run, so nobody can
//! write a log in which one request hides behind another.

use std::sync::LazyLock;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_micro_inline};

static SECRETS: LazyLock<RapidSecrets> = LazyLock::new(RapidSecrets::random);

/// The hash of these bytes.
#[inline]
pub(crate) fn of_bytes(bytes: &[u8]) -> u64 {
    rapidhash_v3_micro_inline::<true, true>(bytes, &SECRETS)
}

/// The hash of several hashes, in their order.
#[inline]
pub(crate) fn of_hashes<const N: usize>(hashes: [u64; N]) -> u64 {
    of_bytes(hashes.map(u64::to_le_bytes).as_flattened())
}

/// Takes one more hash into a running one. Good enough for a table that compares keys, not for
/// telling requests apart.
#[inline]
pub(crate) const fn fold(running: u64, next: u64) -> u64 {
    let product = (running ^ 0x9e37_79b9_7f4a_7c15) as u128 * (next ^ 0xe703_7ed1_a0b4_28db) as u128;
    product as u64 ^ (product >> 64) as u64
}
