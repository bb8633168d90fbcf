//! Percent encoding, as Go's `net/url` resolves it.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

/// Resolves percent encoding, and `+` in queries, into the arena; and whether all of it was sound.
/// A broken escape stays as it stands.
pub(super) fn percent_decode<'a>(raw: &[u8], plus: bool, arena: &'a Bump) -> (&'a [u8], bool) {
    let mut out = BumpVec::with_capacity_in(raw.len(), arena);
    let (mut at, mut sound) = (0, true);
    while let Some(&byte) = raw.get(at) {
        at += 1;
        let digit = |at: usize| raw.get(at).and_then(|&b| (b as char).to_digit(16));
        match (byte, digit(at), digit(at + 1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'%', ..) => {
                out.push(b'%');
                sound = false;
            }
            (b'+', ..) if plus => out.push(b' '),
            _ => out.push(byte),
        }
    }
    (out.into_bump_slice(), sound)
}
