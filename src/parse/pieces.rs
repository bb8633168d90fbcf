//! Lines that come in pieces, put together again.
//!
//! Container runtimes cut long lines at 16 KiB, journald at 48, and what other streams write may stand
//! between the pieces. What is put together here are the pieces of one stretch of input. A stretch may
//! begin in the middle of a line, so the first line of each stream is never known to be whole: it is
//! *loose*, and handed on to whoever knows what came before; so is a line of which the last piece has
//! not come. One that knows what came before, and that is nothing, has no loose ends.

use hashbrown::HashMap;

use crate::event::{Origin, OwnedOrigin};

/// A piece of a line.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'p> {
    /// Which stream it belongs to: pieces of one line follow each other in one stream.
    pub stream: &'p [u8],
    /// Its share of the line.
    pub text: &'p [u8],
    /// Whether more of the line follows.
    pub more: bool,
    /// Bytes of input it took.
    pub bytes: usize,
    /// Where it came from, as far as what it is wrapped in tells.
    pub origin: Origin<'p>,
}

/// Pieces of one line, joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// The stream.
    pub stream: Box<[u8]>,
    /// What the pieces say together.
    pub text: Vec<u8>,
    /// Bytes of input they took.
    pub bytes: usize,
    /// Whether more of the line follows.
    pub more: bool,
    /// Where the last of them came from.
    pub origin: OwnedOrigin,
}

impl Joined {
    fn begin(stream: &[u8]) -> Self {
        Joined { stream: stream.into(), more: true, ..Joined::default() }
    }

    fn add(&mut self, text: &[u8], bytes: usize, more: bool, origin: OwnedOrigin) {
        self.origin = origin;
        self.text.extend_from_slice(text);
        self.bytes += bytes;
        self.more = more;
    }
}

/// What has become of a piece.
#[derive(Debug, PartialEq, Eq)]
pub enum Pieced {
    /// It is a whole line.
    Whole,
    /// It waits for the rest of its line.
    Kept,
    /// It ends this line.
    Ends(Joined),
    /// It ends a line of which it is not known where it began.
    Loose(Joined),
}

/// Open lines that are longer than this together are taken as they are.
const MOST_HELD: usize = 256 << 20;

/// The lines of some streams, as far as they are known.
#[derive(Debug, Default)]
pub struct Pieces {
    /// In order of first appearance.
    streams: Vec<Stream>,
    /// Where in `streams` one of that name is.
    index: HashMap<Box<[u8]>, usize>,
    /// Bytes of text in open lines.
    held: usize,
}

#[derive(Debug)]
struct Stream {
    /// The line at hand.
    open: Option<Joined>,
    /// Whether it is known where the line at hand began.
    known: bool,
}

impl Pieces {
    /// Takes a piece of which the beginning may have been before this stretch.
    pub fn add(&mut self, piece: &Piece<'_>) -> Pieced {
        let stream = self.stream(piece.stream);
        if stream.open.is_none() && !piece.more && stream.known {
            return Pieced::Whole;
        }
        let open = stream.open.get_or_insert_with(|| Joined::begin(piece.stream));
        open.add(piece.text, piece.bytes, piece.more, piece.origin.into());
        self.held += piece.text.len();
        if piece.more && self.held < MOST_HELD {
            return Pieced::Kept;
        }
        let stream = self.stream(piece.stream);
        let known = std::mem::replace(&mut stream.known, true);
        match self.take(piece.stream) {
            Some(line) if known => Pieced::Ends(line),
            Some(line) => Pieced::Loose(line),
            None => Pieced::Kept,
        }
    }

    /// Takes a loose end, given that nothing of its stream came between it and what was added before.
    /// Gives the line if that is all of it.
    pub fn join(&mut self, loose: Joined) -> Option<Joined> {
        let (name, more) = (loose.stream.clone(), loose.more);
        self.held += loose.text.len();
        let stream = self.stream(&name);
        match &mut stream.open {
            Some(open) => open.add(&loose.text, loose.bytes, more, loose.origin),
            None => stream.open = Some(loose),
        }
        if more && self.held < MOST_HELD { None } else { self.take(&name) }
    }

    fn take(&mut self, name: &[u8]) -> Option<Joined> {
        let line = self.stream(name).open.take()?;
        self.held = self.held.saturating_sub(line.text.len());
        Some(line)
    }

    /// Takes out all lines that have not ended, in order of their streams' first appearance.
    pub fn rest(&mut self) -> Vec<Joined> {
        self.held = 0;
        self.index.clear();
        self.streams.drain(..).filter_map(|stream| stream.open).collect()
    }

    /// Whether no line is open.
    pub fn is_empty(&self) -> bool {
        self.streams.iter().all(|stream| stream.open.is_none())
    }

    fn stream(&mut self, name: &[u8]) -> &mut Stream {
        if let Some(&index) = self.index.get(name) {
            return &mut self.streams[index];
        }
        self.index.insert(name.into(), self.streams.len());
        self.streams.push(Stream { open: None, known: false });
        let last = self.streams.len() - 1;
        &mut self.streams[last]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece<'p>(stream: &'p str, text: &'p str, more: bool) -> Piece<'p> {
        Piece { stream: stream.as_bytes(), text: text.as_bytes(), more, bytes: text.len() + 1, origin: Origin::NONE }
    }

    /// The lines of a stretch and what is left, joined as a reader of several stretches does.
    fn lines(stretches: &[&[Piece<'_>]]) -> Vec<String> {
        let (mut before, mut lines) = (Pieces::default(), Vec::new());
        for stretch in stretches {
            let mut pieces = Pieces::default();
            for piece in *stretch {
                let line = match pieces.add(piece) {
                    Pieced::Whole => Some(piece.text.to_vec()),
                    Pieced::Kept => None,
                    Pieced::Ends(line) => Some(line.text),
                    Pieced::Loose(line) => before.join(line).map(|line| line.text),
                };
                lines.extend(line.map(|line| String::from_utf8(line).unwrap()));
            }
            for rest in pieces.rest() {
                assert_eq!(before.join(rest), None);
            }
        }
        lines.extend(before.rest().into_iter().map(|line| format!("open {}", String::from_utf8(line.text).unwrap())));
        lines
    }

    #[test]
    fn the_same_lines_wherever_a_stretch_is_cut() {
        let all = [
            piece("out", "a", true),
            piece("err", "x", false),
            piece("out", "b", true),
            piece("err", "y", true),
            piece("out", "c", false),
            piece("out", "d", false),
            piece("err", "z", false),
            piece("out", "e", true),
        ];
        let whole = lines(&[&all]);
        assert_eq!(whole, ["x", "abc", "d", "yz", "open e"]);
        for first in 0..=all.len() {
            for second in first..=all.len() {
                assert_eq!(lines(&[&all[..first], &all[first..second], &all[second..]]), whole, "{first} {second}");
            }
        }
    }
}
