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

use memchr::arch::all::packedpair::Pair;

use super::canonical::HEAD;
use super::outline::padded;
use super::simd::{self, Isa, Job, Level};

/// Words of which a line must hold one to matter.
#[derive(Clone, Debug)]
pub struct Sieve {
    words: Vec<Word>,
    level: Level,
}

/// Lines that were passed over, one behind the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Passed {
    pub(super) lines: u32,
    /// Where the last of them begins.
    pub(super) last: usize,
    /// Where they end.
    pub(super) end: usize,
}

/// A word, and two of its bytes that are looked for: those that other text is least likely to have.
#[derive(Clone, Debug)]
struct Word {
    bytes: Box<[u8]>,
    first: u8,
    second: u8,
    /// Where in the word the first of them stands,
    offset: usize,
    /// and how far behind it the second.
    distance: usize,
}

impl Word {
    fn new(bytes: &[u8]) -> Option<Self> {
        let pair = Pair::new(&bytes[..bytes.len().min(FARTHEST)])?;
        let (one, other) = (usize::from(pair.index1()), usize::from(pair.index2()));
        let (offset, end) = (one.min(other), one.max(other));
        Some(Word { bytes: bytes.into(), first: bytes[offset], second: bytes[end], offset, distance: end - offset })
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

    /// Passes over the lines from `start` on, where one begins, up to the first that may matter. `has_user` tells
    /// whether a line is an event as the server writes it up to its user's name, and the name has no escapes.
    pub(super) fn pass(&self, text: &[u8], start: usize, has_user: &dyn Fn(&[u8]) -> bool) -> Passed {
        // Places are counted in 32 bits.
        let text = &text[..text.len().min(start.saturating_add(u32::MAX as usize))];
        match self.words.first_chunk::<MOST>() {
            Some(words) => simd::at(self.level, Passing { words, text, start, has_user }),
            None => match self.words.first_chunk::<1>() {
                Some(words) => simd::at(self.level, Passing { words, text, start, has_user }),
                None => Passed { lines: 0, last: start, end: start },
            },
        }
    }
}

/// Lines to be passed over that hold none of these words.
struct Passing<'s, const N: usize> {
    words: &'s [Word; N],
    text: &'s [u8],
    start: usize,
    has_user: &'s dyn Fn(&[u8]) -> bool,
}

impl<const N: usize> Job for Passing<'_, N> {
    type Output = Passed;

    #[inline(always)]
    fn run<I: Isa>(self) -> Passed {
        let mut passed = Passed { lines: 0, last: self.start, end: self.start };
        let rest = self.text.get(self.start..).unwrap_or_default();
        let blocks = Blocks::of(rest, self.words);
        let mut ends = Ends { next: 0, has_word: false, places: [0; MOST_LINES + 64 * AT_ONCE], count: 0 };
        // A few lines at first: if they matter, what was seen of more is seen again.
        let mut most = 1;
        while ends.next < blocks.count && !ends.has_word {
            self.find_ends::<I>(&blocks, &mut ends, most);
            for &end in &ends.places[..ends.count] {
                if !self.pass_line::<I>(self.start + end as usize, &mut passed) {
                    return passed;
                }
            }
            most = (2 * most).min(MOST_LINES);
        }
        // Near the end of the text a word may stand anywhere.
        for at in (64 * blocks.count..rest.len()).step_by(64).take_while(|_| !ends.has_word) {
            let feeds = I::equal(&padded(&rest[at..], 0), b'\n');
            if !self.pass_last_lines::<I>(self.start + at, feeds, &mut passed) {
                return passed;
            }
        }
        passed
    }
}

/// A text in blocks, and for each word the blocks that begin as much further on as the second byte of its pair
/// stands behind the first.
struct Blocks<'s, const N: usize> {
    here: &'s [[u8; 64]],
    pairs: [(u8, u8, &'s [[u8; 64]]); N],
    /// How many are at hand of each, a multiple of [`AT_ONCE`].
    count: usize,
}

impl<'s, const N: usize> Blocks<'s, N> {
    #[inline(always)]
    fn of(text: &'s [u8], words: &[Word; N]) -> Self {
        let pairs = words.each_ref().map(|word| {
            let ahead = text.get(word.distance..).unwrap_or_default().as_chunks::<64>().0;
            (word.first, word.second, ahead)
        });
        let count = pairs.iter().map(|(_, _, ahead)| ahead.len()).min().unwrap_or(0) / AT_ONCE * AT_ONCE;
        Blocks { here: text.as_chunks::<64>().0, pairs, count }
    }
}

/// Where lines end. They are found before they are looked at, so that no branch waits for it but those that nearly
/// always go the same way.
struct Ends {
    /// The next block.
    next: usize,
    /// Whether a word stands behind the last of them.
    has_word: bool,
    /// Counted from where the first line begins.
    places: [u32; MOST_LINES + 64 * AT_ONCE],
    count: usize,
}

impl Ends {
    /// Adds those in the blocks at `at`.
    #[inline(always)]
    fn add(&mut self, at: usize, feeds: &[u64; AT_ONCE]) {
        let (before, mut more) = (self.count, 0);
        for (index, feeds) in feeds.iter().enumerate() {
            self.places[self.count] = (at + 64 * index) as u32 + feeds.trailing_zeros();
            self.count += usize::from(*feeds != 0);
            more |= feeds & feeds.wrapping_sub(1);
        }
        if more != 0 {
            self.count = before;
            self.add_all(at, feeds);
        }
    }

    /// The same where several end in one block.
    #[inline(never)]
    fn add_all(&mut self, at: usize, feeds: &[u64; AT_ONCE]) {
        for (index, mut feeds) in feeds.iter().copied().enumerate() {
            while feeds != 0 {
                self.places[self.count] = (at + 64 * index) as u32 + feeds.trailing_zeros();
                self.count += 1;
                feeds &= feeds - 1;
            }
        }
    }
}

impl<const N: usize> Passing<'_, N> {
    /// Finds where `most` lines end, or a few more, or those before a word.
    #[inline(always)]
    fn find_ends<I: Isa>(&self, blocks: &Blocks<'_, N>, ends: &mut Ends, most: usize) {
        ends.count = 0;
        while ends.next < blocks.count && ends.count < most && !ends.has_word {
            let Some(here) = blocks.here[ends.next..].first_chunk::<AT_ONCE>() else { return };
            let (mut feeds, mut words) = ([0; AT_ONCE], [0; AT_ONCE]);
            for (first, second, ahead) in &blocks.pairs {
                let Some(ahead) = ahead[ends.next..].first_chunk::<AT_ONCE>() else { return };
                for (index, words) in words.iter_mut().enumerate() {
                    *words |= I::equal(&here[index], *first) & I::equal(&ahead[index], *second);
                }
            }
            for (block, feeds) in here.iter().zip(&mut feeds) {
                *feeds = I::equal(block, b'\n');
            }
            if words.iter().fold(0, |any, words| any | words) != 0 {
                ends.has_word = self.cut_at_word(self.start + 64 * ends.next, &words, &mut feeds);
            }
            ends.add(64 * ends.next, &feeds);
            ends.next += AT_ONCE;
        }
    }

    /// Whether there is a word in the blocks at `at`; line feeds behind it are taken away.
    #[inline(never)]
    fn cut_at_word(&self, at: usize, words: &[u64; AT_ONCE], feeds: &mut [u64; AT_ONCE]) -> bool {
        for (index, mut words) in words.iter().copied().enumerate() {
            while words != 0 {
                if self.has_word(at + 64 * index + words.trailing_zeros() as usize) {
                    feeds[index] &= (words & words.wrapping_neg()) - 1;
                    feeds[index + 1..].fill(0);
                    return true;
                }
                words &= words - 1;
            }
        }
        false
    }

    /// Passes over the lines that end at these line feeds of the block at `at`; false if one of them matters.
    #[inline(always)]
    fn pass_last_lines<I: Isa>(&self, at: usize, feeds: u64, passed: &mut Passed) -> bool {
        for place in at..at + 64 {
            let matters = match feeds >> (place - at) & 1 {
                0 => self.has_word(place),
                _ => !self.pass_line::<I>(place, passed),
            };
            if matters {
                return false;
            }
        }
        true
    }

    /// Passes over the line that holds none of the words and ends here; false if it may matter all the same.
    #[inline(always)]
    fn pass_line<I: Isa>(&self, end: usize, passed: &mut Passed) -> bool {
        let start = passed.end;
        let is_anothers = ends_as_event(&self.text[start..end])
            && (has_usual_user::<I>(self.text, start, end).is_some() || (self.has_user)(&self.text[start..end]));
        if is_anothers {
            *passed = Passed { lines: passed.lines + 1, last: start, end: end + 1 };
        }
        is_anothers
    }

    /// Whether a word has the first byte of its pair here.
    fn has_word(&self, at: usize) -> bool {
        let begins = |word: &Word| {
            let rest = at.checked_sub(word.offset).and_then(|start| self.text.get(start..));
            rest.is_some_and(|rest| rest.starts_with(&word.bytes))
        };
        self.words.iter().any(begins)
    }
}

/// Whether the line is an event up to its user's name, and the name has no escapes.
/// This is made for what nearly every event has: an audit ID that is a UUID, and no long names. None says nothing.
#[inline(always)]
fn has_usual_user<I: Isa>(text: &[u8], start: usize, end: usize) -> Option<()> {
    const UUID: usize = 36;
    let level = head_at(text, start, HEAD)?;
    // The three strings in front of the URI are in sixty-four bytes, with what stands between.
    let marks = marks_at::<I>(text, level)?;
    let length = marks.trailing_zeros() as usize;
    let id = head_at(text, level + length, b"\",\"auditID\":\"")?;
    let behind = id - level;
    if behind > 64 - UUID || marks >> behind & ((1 << UUID) - 1) != 0 {
        return None;
    }
    let stage = head_at(text, id + UUID, b"\",\"stage\":\"")?;
    let stage_end = stage + marks_at::<I>(text, stage)?.trailing_zeros() as usize;
    let uri = head_at(text, stage_end, b"\",\"requestURI\":\"")?;
    let uri_end = string_end::<I>(text, uri)?;
    let verb = head_at(text, uri_end, b"\",\"verb\":\"")?;
    let verb_end = verb + marks_at::<I>(text, verb)?.trailing_zeros() as usize;
    let name = head_at(text, verb_end, b"\",\"user\":{\"username\":\"")?;
    let marks = u128::from(marks_at::<I>(text, name)?) | u128::from(marks_at::<I>(text, name + 64)?) << 64;
    let name_end = name + marks.trailing_zeros() as usize;
    (name_end < end && text.get(name_end) == Some(&b'"')).then_some(())
}

/// Where these bytes end, if they stand here.
#[inline(always)]
fn head_at<const N: usize>(text: &[u8], at: usize, bytes: &[u8; N]) -> Option<usize> {
    (text.get(at..)?.first_chunk::<N>()? == bytes).then_some(at + N)
}

/// The quotes and backslashes in the sixty-four bytes from here on.
#[inline(always)]
fn marks_at<I: Isa>(text: &[u8], at: usize) -> Option<u64> {
    let block = text.get(at..)?.first_chunk::<64>()?;
    Some(I::equal(block, b'"') | I::equal(block, b'\\'))
}

/// The quotes in the sixty-four bytes from here on.
#[inline(always)]
fn quotes_at<I: Isa>(text: &[u8], at: usize) -> Option<u64> {
    let block = text.get(at..)?.first_chunk::<64>()?;
    Some(I::equal(block, b'"'))
}

/// Where the string ends that begins here, if no backslash stands before the first quote: servers write ampersands
/// as escapes, but hardly ever quotes.
#[inline(always)]
fn string_end<I: Isa>(text: &[u8], start: usize) -> Option<usize> {
    let mut end = start;
    loop {
        // Which of two blocks it is in nobody can foretell; more are rare.
        let quotes = u128::from(quotes_at::<I>(text, end)?) | u128::from(quotes_at::<I>(text, end + 64)?) << 64;
        end += quotes.trailing_zeros() as usize;
        if quotes != 0 {
            break;
        }
    }
    (text[end - 1] != b'\\').then_some(end)
}

/// So many lines are told apart before they are looked at.
const MOST_LINES: usize = 64;

/// So many blocks are looked at before it matters whether there is anything in them.
const AT_ONCE: usize = 4;

/// The two bytes of a word that are looked for stand less than this apart, and from its beginning.
const FARTHEST: usize = 64;

/// Shorter words are too frequent.
const SHORTEST: usize = 4;

/// For more words than this, reading is as fast as looking for each of them.
const MOST: usize = 4;

/// Whether a line's last bytes are those of an event: it ends with an object whose last value is a
/// string or an object.
fn ends_as_event(line: &[u8]) -> bool {
    matches!(line, [.., b'"' | b'}', b'}'])
}

#[cfg(test)]
mod tests {
    use super::super::canonical::Canonical;
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

    /// An event, as far as a line that is passed over must be one.
    fn event(id: &str, uri: &str, user: &str, rest: &str) -> String {
        format!(
            "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"{id}\",\
             \"stage\":\"ResponseComplete\",\"requestURI\":\"{uri}\",\"verb\":\"get\",\"user\":{{\"username\":\"{user}\"{rest}\"}}}}\n"
        )
    }

    /// What [`Canonical`] makes of a line.
    fn has_user(line: &[u8]) -> bool {
        Canonical::default().user(line, 0, line.len()).is_some_and(|user| !user.is_escaped())
    }

    const ID: &str = "00000000-0000-0000-0000-000000000000";

    /// How many bytes are passed over, which must be the same at every level of the processor.
    fn passed(words: &[&[u8]], text: &str, start: usize) -> usize {
        let mut found = Level::available().into_iter().map(|level| {
            let sieve = Sieve { level, ..Sieve::new(words).unwrap() };
            sieve.pass(text.as_bytes(), start, &has_user)
        });
        let first = found.next().unwrap();
        assert!(found.all(|other| other == first), "{text}");
        let lines: Vec<&str> = text.get(start..first.end).unwrap().split_inclusive('\n').collect();
        assert_eq!(first.lines as usize, lines.len());
        assert_eq!(first.last, first.end - lines.last().map_or(0, |line| line.len()));
        first.end - start
    }

    #[test]
    fn lines_are_passed_over_up_to_the_first_with_one_of_the_words() {
        let (one, two) = ([&b"anna"[..]], [&b"mallory@example.com"[..], b"anna"]);
        let long = "mallory@example.com".repeat(5);
        let far = [long.as_bytes()];
        let plain = event(ID, "/", "bert", "");
        assert_eq!(passed(&one, &plain.repeat(9), 0), plain.len() * 9);
        assert_eq!(passed(&one, &(plain.repeat(9) + &event(ID, "/", "anna", "")), 0), plain.len() * 9);
        for before in 0..140 {
            for (middle, is_plain) in [
                ("mallory@example.com", false),
                ("anna", false),
                ("mallory@example.co", true),
                ("", true),
                (&long, false),
            ] {
                for behind in [0, 1, 62, 63, 64, 130] {
                    let rest = format!("{}{middle}{}", "m".repeat(before), "a".repeat(behind));
                    let line = event(ID, "/", "bert", &rest);
                    let text = format!("x\n{line}{}", event(ID, "/", "anna", "mallory@example.com"));
                    assert_eq!(passed(&two, &text, 2), if is_plain { line.len() } else { 0 }, "{text}");
                    let expected = if middle == long { 0 } else { line.len() };
                    assert_eq!(passed(&far, &text, 2) >= line.len(), expected > 0, "{text}");
                    let unfinished = format!("x\n{}", line.trim_end());
                    assert_eq!(passed(&two, &unfinished, 2), 0, "{unfinished}");
                }
            }
        }
    }

    #[test]
    fn lines_are_passed_over_that_are_events_up_to_their_users_name() {
        let one = [&b"mallory"[..]];
        let behind = event(ID, "/", "bert", "").repeat(2);
        for length in 0..300 {
            for filler in ["x", "\\u0026", "\\\"", "\\\\"] {
                let long = filler.repeat(length);
                for (id, uri, user) in [(&*long, "/", "bert"), (ID, &*long, "bert"), (ID, "/", &*long)] {
                    let line = event(id, uri, user, "");
                    let expected = if has_user(line.trim_end().as_bytes()) { line.len() + behind.len() } else { 0 };
                    assert_eq!(passed(&one, &(line.clone() + &behind), 0), expected, "{line}");
                }
            }
        }
        let line = event(ID, "/api", "bert", "");
        for at in 0..line.len() - 1 {
            for byte in ["x", "\"", "\\", "\n", ""] {
                let damaged = [line.get(..at).unwrap(), byte, line.get(at + 1..).unwrap(), &behind].concat();
                let first = damaged.lines().next().unwrap_or_default().as_bytes();
                let is_passed = has_user(first) && ends_as_event(first);
                assert_eq!(passed(&one, &damaged, 0) > 0, is_passed, "{damaged}");
            }
        }
    }
}
