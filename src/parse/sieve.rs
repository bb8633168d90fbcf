//! Lines that cannot matter, told by their bytes.
//!
//! When all that is asked for is what a few users did, most lines need not be read: a line that holds
//! none of their names is no event of theirs. A line is only passed over if that is certain:
//!
//! - It begins as the server begins an event, and its user's name is there, whole and without escapes, so
//!   it is that user's event and the name is not one of those asked for (it would be found).
//! - None of the words stands anywhere else in the line either, so a second event, torn into the line,
//!   is not one of theirs. (Unless that event is torn or doubled into another's line and also writes the
//!   letters of its user's name as escapes, which no server does: that is not looked for.)
//! - It ends as an event ends, so it was not cut.
//!
//! Everything else is read as always. What a line says behind its user is not proved for a line that is
//! passed over.

use super::outline::padded;
use super::simd::{self, Isa, Job, Level};

/// Words of which a line must hold one to matter.
#[derive(Clone, Debug)]
pub struct Sieve {
    words: Vec<Word>,
    level: Level,
}

/// A word, and those of its bytes that are looked for: the first two, and the last that is not too far away.
#[derive(Clone, Debug)]
struct Word {
    bytes: Box<[u8]>,
    first: u8,
    second: u8,
    far: u8,
    distance: usize,
}

impl Word {
    fn new(bytes: &[u8]) -> Option<Self> {
        let &[first, second, ..] = bytes else { return None };
        let distance = (bytes.len() - 1).min(FARTHEST);
        Some(Word { bytes: bytes.into(), first, second, far: bytes[distance], distance })
    }
}

impl Sieve {
    /// A sieve for these words; none if one of them could be spelled in another way, or is so short that
    /// looking for it would not pay.
    pub fn new(words: &[&[u8]]) -> Option<Self> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:@".contains(byte);
        let fit = |word: &&[u8]| word.len() >= SHORTEST && word.iter().all(plain);
        let few = (1..=MOST).contains(&words.len());
        if !few || !words.iter().all(fit) {
            return None;
        }
        // Either one or MOST: a word looked for twice is no other question.
        let count = if words.len() == 1 { 1 } else { MOST };
        let words = words.iter().cycle().take(count).map(|word| Word::new(word)).collect::<Option<_>>()?;
        Some(Sieve { words, level: Level::best() })
    }

    /// Where the line ends that begins at `start`: at its line feed; none if it has none or holds one of the words.
    #[inline]
    pub(super) fn plain_line(&self, text: &[u8], start: usize) -> Option<usize> {
        match self.words.first_chunk::<MOST>() {
            Some(words) => simd::at(self.level, PlainLine { words, text, start }),
            None => simd::at(self.level, PlainLine { words: self.words.first_chunk::<1>()?, text, start }),
        }
    }
}

/// The end of a line without any of these words is wanted.
struct PlainLine<'s, const N: usize> {
    words: &'s [Word; N],
    text: &'s [u8],
    start: usize,
}

impl<const N: usize> Job for PlainLine<'_, N> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<I: Isa>(self) -> Self::Output {
        let mut at = self.start;
        loop {
            let (feeds, begins) = match self.places::<I>(at) {
                Some(places) => places,
                None => self.last_places::<I>(at)?,
            };
            if feeds | begins != 0 {
                // Only what stands before the line feed counts.
                let mut begins = begins & (feeds & feeds.wrapping_neg()).wrapping_sub(1);
                while begins != 0 {
                    if self.has_word(at + begins.trailing_zeros() as usize) {
                        return None;
                    }
                    begins &= begins - 1;
                }
                if feeds != 0 {
                    return Some(at + feeds.trailing_zeros() as usize);
                }
            }
            at += 64;
        }
    }
}

impl<const N: usize> PlainLine<'_, N> {
    /// The line feeds in the block at `at`, and where in it a word may begin; none if they cannot be told
    /// because the text ends.
    #[inline(always)]
    fn places<I: Isa>(&self, at: usize) -> Option<(u64, u64)> {
        let rest = self.text.get(at..)?.first_chunk::<{ 64 + FARTHEST }>()?;
        let block = |at: usize| rest.get(at..)?.first_chunk::<64>();
        let (here, next) = (block(0)?, block(1)?);
        let mut begins = 0;
        for word in self.words {
            let far = block(word.distance)?;
            begins |= I::equal(here, word.first) & I::equal(next, word.second) & I::equal(far, word.far);
        }
        Some((I::equal(here, b'\n'), begins))
    }

    /// The same near the end of the text, where a word may begin anywhere.
    fn last_places<I: Isa>(&self, at: usize) -> Option<(u64, u64)> {
        let rest = self.text.get(at..).filter(|rest| !rest.is_empty())?;
        Some((I::equal(&padded(rest, 0), b'\n'), u64::MAX))
    }

    fn has_word(&self, at: usize) -> bool {
        self.text.get(at..).is_some_and(|rest| self.words.iter().any(|word| rest.starts_with(&word.bytes)))
    }
}

/// So far behind the first byte of a word one more is looked for.
const FARTHEST: usize = 64;

/// Shorter words are too frequent.
const SHORTEST: usize = 4;

/// For more words than this, reading is as fast as looking for each of them.
const MOST: usize = 4;

/// Whether a line's last bytes are those of an event: it ends with an object whose last value is a
/// string or an object.
pub(super) fn ends_as_event(line: &[u8]) -> bool {
    matches!(line, [.., b'"' | b'}', b'}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_with_one_spelling() {
        for (words, fit) in [
            (&[&b"mallory@example.com"[..]][..], true),
            (&[b"system:serviceaccount:a:b", b"system:admin"], true),
            (&[b"bob"], false),
            (&[b"a/b/c/d"], false),
            (&[b"a&b&c"], false),
            (&["zo\u{e9}zo\u{e9}".as_bytes()], false),
            (&[], false),
        ] {
            assert_eq!(Sieve::new(words).is_some(), fit, "{words:?}");
        }
    }

    #[test]
    fn a_line_is_plain_up_to_its_feed_if_it_holds_none_of_the_words() {
        let (one, two) = (Sieve::new(&[b"anna"]).unwrap(), Sieve::new(&[b"mallory@example.com", b"anna"]).unwrap());
        let long = "mallory@example.com".repeat(5);
        let far = Sieve::new(&[long.as_bytes()]).unwrap();
        assert_eq!(one.plain_line(b"mallory@example.com\nanna", 0), Some(19));
        assert_eq!(one.plain_line(b"bert anna\n", 0), None);
        assert_eq!(
            far.plain_line(format!("{}{}\n", long.trim_start_matches('m'), "x".repeat(200)).as_bytes(), 0),
            Some(294)
        );
        assert_eq!(far.plain_line(format!("x{long}{}\n", "x".repeat(200)).as_bytes(), 0), None);
        for before in 0..140 {
            for (middle, plain) in
                [("mallory@example.com", false), ("anna", false), ("mallory@example.co", true), ("", true)]
            {
                for behind in [0, 1, 62, 63, 64, 130] {
                    let line = "m".repeat(before) + middle + &"a".repeat(behind);
                    let text = format!("x\n{line}\nanna mallory@example.com");
                    let found = two.plain_line(text.as_bytes(), 2);
                    assert_eq!(found, plain.then_some(2 + line.len()), "{text}");
                    let unfinished = format!("x\n{line}");
                    assert_eq!(two.plain_line(unfinished.as_bytes(), 2), None, "{unfinished}");
                }
            }
        }
    }
}
