//! What stands outside the strings of a JSON text, and one quote for each string.
//!
//! Four fifths of a body are inside strings, where there is no grammar. Without them it is short, and what
//! is proved of it costs a fifth:
//!
//! ```text
//! {"kind":"Pod","metadata":{"name":"web","labels":{}},"ready":true}
//! {":",":{":",":{}},":true}
//! ```
//!
//! Line feeds are kept wherever they stand: no encoder writes one into a string, so it can only be a tear,
//! and where it stands in an outline nothing may stand. There are more of them behind the end of the text.

use super::simd::{Isa, Quotes, escaped};

/// Bytes classified at once.
const BATCH: usize = 6 * 64;

/// Bytes of an outline that are held at once.
const ROOM: usize = 2048;

/// Bytes of an outline that are looked at at once; as many of those before stay at hand.
const WINDOW: usize = 64;

/// Room for an outline, kept from one to the next.
pub(super) struct Room(Box<[u8; ROOM]>);

impl Default for Room {
    fn default() -> Self {
        Room(Box::new([0; ROOM]))
    }
}

/// The outline of a text from one of its bytes on, read as far as needed.
pub(super) struct Outline<'t, 'r> {
    text: &'t [u8],
    bytes: &'r mut [u8; ROOM],
    /// So many bytes of `bytes` are read.
    filled: usize,
    /// So many are looked at.
    done: usize,
    /// So many went before those in `bytes`.
    gone: usize,
    /// How far the text is read.
    strings: Strings,
    /// Where in text and outline the last batch begins.
    last: (Strings, usize),
    /// Where a batch begins before which everything is looked at.
    mark: (Strings, usize),
}

/// Where the strings of a text begin and end, known up to a byte.
#[derive(Clone, Copy)]
struct Strings {
    base: usize,
    /// All ones if that byte is inside a string.
    inside: u64,
    /// One if it is escaped.
    escaped: u64,
}

impl Strings {
    /// The bytes of the next block that belong to the outline.
    #[inline(always)]
    fn outline<I: Isa>(&mut self, block: &[u8; 64]) -> u64 {
        let Quotes { quote, slash, line_feed } = I::quotes(block);
        let quote = quote & !escaped(slash, &mut self.escaped);
        // From the opening quote to the last byte before the closing one.
        let inside = I::prefix_xor(quote) ^ self.inside;
        self.inside = ((inside as i64) >> 63) as u64;
        self.base += 64;
        !(inside ^ quote) | line_feed
    }
}

impl<'t, 'r> Outline<'t, 'r> {
    /// The outline behind the byte at `at`, which must be there and outside strings.
    #[inline(always)]
    pub(super) fn behind(text: &'t [u8], at: usize, room: &'r mut Room) -> Self {
        let start = (Strings { base: at + 1, inside: 0, escaped: 0 }, 1);
        let bytes = &mut *room.0;
        bytes[0] = text[at];
        Outline { text, bytes, filled: 1, done: 1, gone: 0, strings: start.0, last: start, mark: start }
    }

    /// Reads on; nothing when the text and some line feeds behind it are read.
    #[inline(always)]
    pub(super) fn read<I: Isa>(&mut self) -> Option<()> {
        if self.filled > ROOM - BATCH {
            self.move_on();
        }
        if self.gone + self.done >= self.last.1 {
            self.mark = self.last;
        }
        self.last = (self.strings, self.gone + self.filled);
        let rest = self.text.get(self.strings.base..).unwrap_or_default();
        match rest.first_chunk::<BATCH>() {
            Some(batch) => self.take::<I>(batch),
            // One batch of line feeds fills the last window.
            None if self.strings.base >= self.text.len() + BATCH => None,
            None => self.take::<I>(&padded(rest, b'\n')),
        }
    }

    #[inline(always)]
    fn take<I: Isa>(&mut self, batch: &[u8; BATCH]) -> Option<()> {
        for block in batch.as_chunks().0 {
            let wanted = self.strings.outline::<I>(block);
            I::compress(block, wanted, self.bytes.get_mut(self.filled..)?.first_chunk_mut()?);
            self.filled += wanted.count_ones() as usize;
        }
        Some(())
    }

    /// Drops what is looked at, but for the last [`WINDOW`].
    fn move_on(&mut self) {
        let from = self.done.saturating_sub(WINDOW);
        self.bytes.copy_within(from..self.filled, 0);
        self.filled -= from;
        self.done -= from;
        self.gone += from;
    }

    /// The next [`WINDOW`] bytes, if so many are read, and the byte before them.
    #[inline(always)]
    pub(super) fn window(&self) -> Option<&[u8; WINDOW + 1]> {
        if self.filled - self.done < WINDOW {
            return None;
        }
        self.bytes.get(self.done - 1..)?.first_chunk()
    }

    /// They are looked at.
    #[inline(always)]
    pub(super) fn pass(&mut self) {
        self.done += WINDOW;
    }

    /// All that is still at hand before byte `end` of the window.
    pub(super) fn before(&self, end: u32) -> &[u8] {
        &self.bytes[..self.done + end as usize]
    }

    /// Where in the text byte `index` of the window stands.
    #[inline(always)]
    pub(super) fn place<I: Isa>(&self, index: u32) -> Option<usize> {
        let wanted = self.gone + self.done + index as usize;
        let (mut strings, mut count) = if wanted >= self.last.1 { self.last } else { self.mark };
        loop {
            let base = strings.base;
            let rest = self.text.get(base..)?;
            let mut outline = strings.outline::<I>(rest.first_chunk().unwrap_or(&padded(rest, b'\n')));
            let more = outline.count_ones() as usize;
            if count + more > wanted {
                (count..wanted).for_each(|_| outline &= outline - 1);
                return Some(base + outline.trailing_zeros() as usize);
            }
            count += more;
        }
    }
}

/// The last bytes of a text, filled up.
#[inline]
pub(super) fn padded<const N: usize>(rest: &[u8], filler: u8) -> [u8; N] {
    let mut block = [filler; N];
    let length = rest.len().min(N);
    block[..length].copy_from_slice(&rest[..length]);
    block
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Job, Level, at};
    use super::*;

    /// The outline of a text behind its first byte, and where each of its bytes stands.
    struct Whole<'t>(&'t [u8]);

    impl Job for Whole<'_> {
        type Output = Vec<(u8, usize)>;

        #[inline(always)]
        fn run<I: Isa>(self) -> Self::Output {
            let mut room = Room::default();
            let mut outline = Outline::behind(self.0, 0, &mut room);
            let mut found = Vec::new();
            while outline.read::<I>().is_some() {
                while let Some(window) = outline.window() {
                    let bytes = *window;
                    for (index, byte) in bytes[1..].iter().enumerate() {
                        let place = outline.place::<I>(index as u32);
                        found.extend(place.filter(|&place| place < self.0.len()).map(|place| (*byte, place)));
                    }
                    outline.pass();
                }
            }
            found
        }
    }

    /// The same, byte by byte.
    fn expected(text: &[u8]) -> Vec<(u8, usize)> {
        let (mut inside, mut escaped, mut found) = (false, false, Vec::new());
        for (at, &byte) in text.iter().enumerate().skip(1) {
            let quote = byte == b'"' && !escaped;
            if byte == b'\n' || !inside {
                found.push((byte, at));
            }
            inside ^= quote;
            escaped = byte == b'\\' && !escaped;
        }
        found
    }

    #[test]
    fn every_byte_outside_strings_and_its_place() {
        let mut state = 11u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for round in 0..60 {
            let (length, rare) = ([3, 64, 65, 500, 3000][round % 5], [1, 4, 100][round % 3]);
            let text: Vec<u8> = std::iter::once(b'{')
                .chain((0..length).map(|_| if random(rare) == 0 { b"\"\"\"\\\\:,{}\n1"[random(11)] } else { b'x' }))
                .collect();
            let wanted = expected(&text);
            for level in Level::available() {
                let found = at(level, Whole(&text));
                assert_eq!(found, wanted, "{level:?} {}", String::from_utf8_lossy(&text));
            }
        }
    }
}
