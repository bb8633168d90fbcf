//! The framing of gzip, RFC 1952: headers, checksums, one member behind another; and what a zip
//! archive has instead.
//!
//! Headers and inflating are flate2's. Its own reader of members computes the checksum with
//! zlib-rs, which takes a sixth of the time that inflating takes; crc32fast needs a fifth of that.
//! And it drops what a call has decoded before it finds the data damaged; here that is kept, however
//! much is decoded in one call. Members behind one with a wrong checksum are read like all others:
//! each stands for itself.

use std::io::{self, BufRead, ErrorKind, Read};

use crc32fast::Hasher;
use flate2::bufread::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

/// Reads the members of a gzip file as one stream.
pub(super) struct Members<R> {
    reader: R,
    inflate: Decompress,
    checksum: Hasher,
    /// Decompressed bytes of the member, as its trailer counts them.
    length: u32,
    state: State,
    /// Checksum and length of the one body, where they do not stand behind it.
    known: Option<(u32, u32)>,
    /// Whether a member was not what its trailer says.
    is_wrong: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Body,
    Trailer,
    /// What stood before the damage was handed out.
    Damaged,
    End,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(reader: R) -> Self {
        let (inflate, checksum) = (Decompress::new(false), Hasher::new());
        Members { reader, inflate, checksum, length: 0, state: State::Header, known: None, is_wrong: false }
    }

    /// Reads a single body without header or trailer, of which checksum and length are known.
    pub(super) fn bare(reader: R, checksum: u32, length: u64) -> Self {
        Members { state: State::Body, known: Some((checksum, length as u32)), ..Members::new(reader) }
    }

    fn begin(&mut self) -> io::Result<()> {
        // Nothing is read behind an error.
        self.state = State::End;
        read_header(&mut self.reader)?;
        self.inflate.reset(false);
        self.checksum.reset();
        self.length = 0;
        self.state = State::Body;
        Ok(())
    }

    /// Inflates once; 0 where more input is needed first, or the body has ended.
    fn inflate(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let input = self.reader.fill_buf()?;
        let at_end = input.is_empty();
        let flush = if at_end { FlushDecompress::Finish } else { FlushDecompress::None };
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let result = self.inflate.decompress(input, target, flush);
        let used = (self.inflate.total_in() - before.0) as usize;
        let got = (self.inflate.total_out() - before.1) as usize;
        self.reader.consume(used);
        self.checksum.update(&target[..got]);
        self.length = self.length.wrapping_add(got as u32);
        match result {
            Ok(Status::StreamEnd) => self.state = State::Trailer,
            Ok(_) if got == 0 && at_end => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(_) => self.state = State::Damaged,
        }
        Ok(got)
    }

    fn end(&mut self) -> io::Result<()> {
        self.state = State::End;
        let seen = (self.checksum.clone().finalize(), self.length);
        self.is_wrong |= self.known.map_or_else(|| self.trailer(), Ok)? != seen;
        if self.known.is_none() && !self.reader.fill_buf()?.is_empty() {
            self.state = State::Header;
        }
        Ok(())
    }
}

impl<R: BufRead> Members<R> {
    /// Checksum and length as they stand behind a member's body.
    fn trailer(&mut self) -> io::Result<(u32, u32)> {
        let mut trailer = [0; 8];
        self.reader.read_exact(&mut trailer)?;
        let [a, b, c, d, length @ ..] = trailer;
        Ok((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(length)))
    }

    fn read_on(&mut self, target: &mut [u8]) -> io::Result<usize> {
        while !target.is_empty() {
            match self.state {
                State::Header => self.begin()?,
                State::Body => {
                    let got = self.inflate(target)?;
                    if got > 0 {
                        return Ok(got);
                    }
                }
                State::Trailer => self.end()?,
                State::Damaged => return Err(io::Error::new(ErrorKind::InvalidInput, "corrupt deflate stream")),
                State::End => break,
            }
        }
        Ok(0)
    }
}

impl<R: BufRead> Read for Members<R> {
    /// A wrong checksum is told at the end, or instead of what else ends the reading.
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let result = self.read_on(target);
        let is_over = match &result {
            Ok(got) => *got == 0 && !target.is_empty(),
            Err(error) => error.kind() != ErrorKind::Interrupted,
        };
        if is_over && std::mem::take(&mut self.is_wrong) {
            return Err(io::Error::new(ErrorKind::InvalidInput, MISMATCH));
        }
        result
    }
}

/// What is told of a member that is not what its trailer says.
const MISMATCH: &str = "corrupt gzip stream does not have a matching checksum";

/// Reads a member's header. flate2's decoder does that when it is made, and only then.
fn read_header(reader: &mut impl BufRead) -> io::Result<()> {
    let mut decoder = GzDecoder::new(reader);
    if decoder.header().is_some() {
        return Ok(());
    }
    // What was wrong comes out when it is read.
    decoder.read(&mut [0]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::read::MultiGzDecoder;
    use flate2::{Compression, GzBuilder};

    use super::*;

    fn member(content: &[u8], builder: GzBuilder) -> Vec<u8> {
        let mut encoder = builder.write(Vec::new(), Compression::default());
        encoder.write_all(content).expect("memory takes all");
        encoder.finish().expect("memory takes all")
    }

    /// Three members, one of them empty and one with everything a header can hold.
    fn three() -> (Vec<u8>, Vec<u8>) {
        let text: Vec<u8> = (0..150_u32).flat_map(|n| format!("{} {n}\n", n * n % 97).into_bytes()).collect();
        let full = GzBuilder::new().filename("audit.log").comment("a comment").extra(vec![7; 20]).mtime(1);
        let packed = [member(&text, full), member(b"", GzBuilder::new()), member(&text[..99], GzBuilder::new())];
        (packed.concat(), [&text[..], &text[..99]].concat())
    }

    /// All that can be read in steps of `step`, and the error behind it.
    fn drain(mut reader: impl Read, step: usize) -> (Vec<u8>, Option<String>) {
        let (mut all, mut buffer) = (Vec::new(), vec![0; step]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return (all, None),
                Ok(got) => all.extend_from_slice(&buffer[..got]),
                Err(error) => return (all, Some(crate::input::decompress::reason(&error))),
            }
        }
    }

    #[test]
    fn members_are_one_stream() {
        let (packed, text) = three();
        for step in [1, 7, 100_000] {
            assert_eq!(drain(Members::new(&packed[..]), step), (text.clone(), None));
        }
    }

    #[test]
    fn a_wrong_checksum_costs_no_other_member() {
        let (mut packed, text) = three();
        let first = packed.windows(2).skip(1).position(|bytes| bytes == [0x1f, 0x8b]).expect("another member") + 1;
        packed[first - 8] ^= 1;
        for step in [1, 7, 100_000] {
            let (all, error) = drain(Members::new(&packed[..]), step);
            assert_eq!(all, text);
            assert!(error.is_some_and(|words| words.ends_with(MISMATCH)), "told once all is read");
        }
    }

    #[test]
    fn damage_is_told_as_flate2_tells_it_and_what_stands_before_it_is_kept() {
        let (packed, text) = three();
        for at in 0..packed.len() {
            let mut flipped = packed.clone();
            flipped[at] ^= 0x55;
            let garbage = [&packed[..], &packed[at..(at + 9).min(packed.len())]].concat();
            let zeros = [&packed[..], &vec![0; at % 20]].concat();
            for damaged in [&packed[..at], &flipped, &garbage, &zeros] {
                let (whole, error) = drain(Members::new(damaged), 4096);
                assert_eq!(drain(Members::new(damaged), 1), (whole.clone(), error.clone()), "changed at {at}");
                // Byte by byte, flate2 drops no more than the last.
                let (expected, told) = drain(MultiGzDecoder::new(damaged), 1);
                assert!(whole.starts_with(&expected), "changed at {at}");
                let more = &whole[expected.len()..];
                // Behind a member that is only wrong it does not read on: what it lacks are those that follow.
                let is_wrong = error.as_ref().is_some_and(|words| words.ends_with(MISMATCH));
                let follows = is_wrong && (0..2).any(|lost| more.get(lost..).is_some_and(|rest| text.ends_with(rest)));
                assert!(more.len() < 2 || follows, "changed at {at}");
                assert_eq!(error, told, "changed at {at}");
            }
        }
    }
}
