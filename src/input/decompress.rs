//! Opens a byte stream by its content: gzip, zstd, bzip2, xz, UTF-16, or plain. Names prove nothing.
//!
//! All members of a multi-member file are read. What was decoded before an error is kept, and the
//! error is told in words. Of a tar archive that is a stream, the files are read one behind the other.

use std::io::{self, BufReader, Cursor, Read};

use super::gzip::Members;
use super::tar::{BLOCK, Contents, is_header};
use super::zip::is_zip;

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
const MAGIC: usize = 6;

/// Layers of compression that are looked through.
const LAYERS: usize = 3;

/// Bytes of gzip that are read at once. A call of the decoder ends where they end and the next one
/// looks for its first 32 KiB of history in a copy, so there should be no more calls than chunks.
const GZIP_STEP: usize = 128 * 1024;

/// Archives within archives that are looked through in a stream.
const ARCHIVES: usize = 3;

/// A stream of decompressed bytes.
pub type Stream = Box<dyn Read + Send>;

/// Opens a stream by its content and tells the outermost packing.
///
/// # Errors
/// Fails when the first bytes cannot be read, a decoder cannot be made, or it is an archive that
/// cannot be read as a stream.
pub fn open(reader: impl Read + Send + 'static) -> io::Result<(Stream, Packing)> {
    open_within(Box::new(reader), ARCHIVES)
}

/// Opens a stream in which so many archives may be in one another.
pub(super) fn open_within(stream: Stream, archives: usize) -> io::Result<(Stream, Packing)> {
    let (stream, packing) = unpack_all(stream)?;
    let (head, stream) = peek(stream, BLOCK, |head| !may_be_archive(head))?;
    if is_zip(&head) {
        return Err(told("a zip archive inside another archive or in a pipe cannot be read; unpack it first"));
    }
    if is_header(&head) {
        let archives = archives.checked_sub(1).ok_or_else(|| told("too many archives inside one another"))?;
        return Ok((Box::new(Contents::new(stream, archives)), packing));
    }
    if is_utf16(&head) {
        return Ok((Box::new(encoding_rs_io::DecodeReaderBytes::new(stream)), packing));
    }
    Ok((stream, packing))
}

/// Takes all compression off a stream and tells the outermost one.
pub(super) fn unpack_all(mut stream: Stream) -> io::Result<(Stream, Packing)> {
    let mut outermost = Packing::Plain;
    for layer in 0..LAYERS {
        let (head, whole) = peek(stream, MAGIC, |_| false)?;
        let packing = Packing::of(&head);
        if layer == 0 {
            outermost = packing;
        }
        stream = match packing {
            Packing::Plain => return Ok((whole, outermost)),
            packing => unpack(packing, whole)?,
        };
    }
    Ok((stream, outermost))
}

/// Whether what begins like that is read as it is: not packed, no archive, no UTF-16. To be told from
/// the first [`BLOCK`] bytes.
pub(super) fn is_plain(head: &[u8]) -> bool {
    Packing::of(head) == Packing::Plain && !is_utf16(head) && !is_header(head) && !is_zip(head)
}

/// Whether more must be seen to know that no archive begins like that. The first line of a log must
/// not wait for what follows it, and neither must a value of which no line feed has come yet.
fn may_be_archive(head: &[u8]) -> bool {
    !matches!(head.first(), Some(b'{' | b'[')) && memchr::memchr(b'\n', head).is_none()
}

/// The first `length` bytes, or fewer where `enough` says so, and the stream with them.
pub(super) fn peek(mut stream: Stream, length: usize, enough: impl Fn(&[u8]) -> bool) -> io::Result<(Vec<u8>, Stream)> {
    let mut head = vec![0; length];
    let mut filled = 0;
    while filled < length && (filled == 0 || !enough(&head[..filled])) {
        match stream.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if filled == 0 => return Err(error),
            // What stands before an error is read first.
            Err(error) => {
                head.truncate(filled);
                return Ok((head.clone(), Box::new(Cursor::new(head).chain(Fails(Some(error))))));
            }
        }
    }
    head.truncate(filled);
    Ok((head.clone(), Box::new(Cursor::new(head).chain(stream))))
}

/// Fails once, and has nothing more to read.
struct Fails(Option<io::Error>);

impl Read for Fails {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn unpack(packing: Packing, stream: Stream) -> io::Result<Stream> {
    Ok(match packing {
        Packing::Plain => stream,
        Packing::Gzip => Box::new(Members::new(BufReader::with_capacity(GZIP_STEP, stream))),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(stream)?),
        Packing::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(stream)),
        // It takes a read of no bytes, as readers of archives make, for the end of a block; a buffer makes none.
        Packing::Xz => Box::new(BufReader::new(lzma_rust2::XzReader::new(stream, true))),
    })
}

/// Whether bytes begin with the mark of UTF-16 text, as PowerShell's `>` writes it.
pub const fn is_utf16(head: &[u8]) -> bool {
    matches!(head, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
}

/// What is wrong, in words of our own, on its way through decoders that know nothing of it.
#[derive(Debug)]
struct Told(String);

impl std::fmt::Display for Told {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Told {}

/// An error that [`reason`] tells in these words.
pub(super) fn told(words: impl Into<String>) -> io::Error {
    io::Error::other(Told(words.into()))
}

/// A decoder's error in words that group well.
pub fn reason(error: &io::Error) -> String {
    if let Some(Told(words)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return words.clone();
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "compressed data ends early".to_owned(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
            format!("compressed data is damaged: {error}")
        }
        _ => super::source::plain_reason(error),
    }
}
