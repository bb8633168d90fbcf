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

use memchr::memmem::Finder;

/// Words of which a line must hold one to matter.
#[derive(Clone, Debug)]
pub struct Sieve {
    finders: Vec<Finder<'static>>,
}

impl Sieve {
    /// A sieve for these words; none if one of them could be spelled in another way, or is so short that
    /// looking for it would not pay.
    pub fn new(words: &[&[u8]]) -> Option<Self> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:@".contains(byte);
        let fit = |word: &&[u8]| word.len() >= SHORTEST && word.iter().all(plain);
        let few = (1..=MOST).contains(&words.len());
        (few && words.iter().all(fit))
            .then(|| Sieve { finders: words.iter().map(|word| Finder::new(word).into_owned()).collect() })
    }

    /// Where the first of the words stands in `text` at or behind `from`; the text's length if none does.
    pub(super) fn next(&self, text: &[u8], from: usize) -> usize {
        let found = |finder: &Finder<'_>| Some(from + finder.find(text.get(from..)?)?);
        self.finders.iter().filter_map(found).min().unwrap_or(text.len())
    }
}

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
    fn the_nearest_of_several_words() {
        let sieve = Sieve::new(&[b"anna", b"bert"]).unwrap();
        let text = b"a bert and anna, anna";
        let places: Vec<_> = [0, 3, 12, 18].map(|from| sieve.next(text, from)).into();
        assert_eq!(places, [2, 11, 17, text.len()]);
    }
}
