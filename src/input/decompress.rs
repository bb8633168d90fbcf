//! Opens a byte stream by its content: gzip, zstd, bzip2, xz, UTF-16, or plain. Names prove nothing.
//!
//! All members of a multi-member file are read. What was decoded before an error is kept, and the
//! error is told in words.

use std::io::{self, BufReader, Chain, Cursor, Read};

use super::gzip::Members;

/// How an input was packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packing {
    /// Bytes as they are.
    Plain,
    /// gzip, RFC 1952.
    Gzip,
    /// zstd, RFC 8878.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
}

impl Packing {
    /// Recognises a packing by its first bytes.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            // A block, or the end of a stream without any.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, ..] => {
                Packing::Bzip2
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
            _ => Packing::Plain,
        }
    }

    /// Whether unpacking takes many times as long as parsing what comes out.
    pub const fn is_slow(self) -> bool {
        matches!(self, Packing::Bzip2 | Packing::Xz)
    }

    /// Its name in answers.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Packing::Plain => None,
            Packing::Gzip => Some("gzip"),
            Packing::Zstd => Some("zstd"),
            Packing::Bzip2 => Some("bzip2"),
            Packing::Xz => Some("xz"),
        }
    }
}

/// How many bytes tell the packing.
pub const MAGIC: usize = 6;

/// Layers of compression that are looked through.
const LAYERS: usize = 3;

/// Bytes of gzip that are read at once. A call of the decoder ends where they end and the next one
/// looks for its first 32 KiB of history in a copy, so there should be no more calls than chunks.
const GZIP_STEP: usize = 128 * 1024;

/// A stream of decompressed bytes.
pub type Stream = Box<dyn Read + Send>;

/// Opens a stream by its content and tells the outermost packing.
///
/// # Errors
/// Fails when the first bytes cannot be read or a decoder cannot be made.
pub fn open(reader: impl Read + Send + 'static) -> io::Result<(Stream, Packing)> {
    let mut stream: Stream = Box::new(reader);
    let mut outermost = Packing::Plain;
    for layer in 0..LAYERS {
        let (head, whole) = peek(stream)?;
        let packing = Packing::of(&head);
        if layer == 0 {
            outermost = packing;
        }
        if packing == Packing::Plain {
            return Ok((text(&head, whole), outermost));
        }
        stream = unpack(packing, whole)?;
    }
    Ok((stream, outermost))
}

type Peeked = Chain<Cursor<Vec<u8>>, Stream>;

fn peek(mut stream: Stream) -> io::Result<(Vec<u8>, Peeked)> {
    let mut head = Vec::with_capacity(MAGIC);
    // A decoder that fails at once must fail again when read, where the error is counted.
    let result = stream.by_ref().take(MAGIC as u64).read_to_end(&mut head);
    if let Err(error) = result
        && head.is_empty()
    {
        return Err(error);
    }
    Ok((head.clone(), Cursor::new(head).chain(stream)))
}

fn unpack(packing: Packing, stream: Peeked) -> io::Result<Stream> {
    Ok(match packing {
        Packing::Plain => Box::new(stream),
        Packing::Gzip => Box::new(Members::new(BufReader::with_capacity(GZIP_STEP, stream))),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(stream)?),
        Packing::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(stream)),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new(stream, true)),
    })
}

/// Whether bytes begin with the mark of UTF-16 text, as PowerShell's `>` writes it.
pub const fn is_utf16(head: &[u8]) -> bool {
    matches!(head, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
}

/// Whether bytes begin like something that must be unpacked or decoded.
pub fn is_packed(head: &[u8]) -> bool {
    Packing::of(head) != Packing::Plain || is_utf16(head)
}

fn text(head: &[u8], stream: Peeked) -> Stream {
    if is_utf16(head) {
        return Box::new(encoding_rs_io::DecodeReaderBytes::new(stream));
    }
    Box::new(stream)
}

/// A decoder's error in words that group well.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "compressed data ends early".to_owned(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
            format!("compressed data is damaged: {error}")
        }
        _ => super::source::plain_reason(error),
    }
}
