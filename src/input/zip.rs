//! What a zip archive holds, by its central directory.
//!
//! The directory is read by rawzip, entry by entry, so that its size does not matter. Contents are
//! unpacked here: deflate is gzip's, and what other methods leave is recognised like any other stream.

use std::fs::File;

use rawzip::{CompressionMethod, ErrorKind, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive, ZipFileHeaderRecord};

use super::archive::{Listing, Member};
use super::source::Inside;
use super::tar::Kind;

/// A member that is packed by deflate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deflated {
    /// Offset of its first packed byte in the archive.
    pub start: u64,
    /// How many packed bytes there are.
    pub length: u64,
    /// The checksum of what they unpack to.
    pub checksum: u32,
    /// And its length.
    pub size: u64,
}

/// Whether a zip archive begins like that: with a first file, or with nothing but its end.
pub(super) fn is_zip(head: &[u8]) -> bool {
    matches!(head, [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..])
}

/// What the archive holds.
pub(super) fn list(file: File) -> Listing {
    let mut listing = Listing::default();
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    if let Err(error) = read(file, &mut buffer, &mut listing) {
        listing.failure = Some(words(&error));
    }
    listing
}

fn read(file: File, buffer: &mut [u8], listing: &mut Listing) -> Result<(), rawzip::Error> {
    let archive = ZipArchive::from_file(file, buffer)?;
    let mut entries = archive.entries(buffer);
    while let Some(entry) = entries.next_entry()? {
        // Some writers on Windows separate by the other slash.
        let name = String::from_utf8_lossy(entry.file_path().as_bytes()).replace('\\', "/");
        let kind = match entry.mode() {
            _ if name.ends_with('/') => Kind::Other,
            mode if mode.is_symlink() => Kind::Link,
            _ => Kind::File,
        };
        if !listing.admits(&name, kind) {
            if listing.failure.is_some() {
                break;
            }
            continue;
        }
        match inside(&archive, &entry) {
            Ok(inside) => listing.members.push(Member { name, inside, head: None }),
            Err(reason) => listing.unreadable.push((name, reason)),
        }
    }
    Ok(())
}

fn inside<R: ReaderAt>(archive: &ZipArchive<R>, entry: &ZipFileHeaderRecord<'_>) -> Result<Inside, String> {
    if entry.flags().is_encrypted() {
        return Err("encrypted".to_owned());
    }
    let found = archive.get_entry(entry.wayfinder()).map_err(|error| words(&error))?;
    let (start, end) = found.compressed_data_range();
    let length = end.saturating_sub(start);
    match entry.compression_method() {
        CompressionMethod::DEFLATE => {
            let (checksum, size) = (entry.crc32(), entry.uncompressed_size_hint());
            Ok(Inside::Deflated(Deflated { start, length, checksum, size }))
        }
        // These streams say themselves how they are packed.
        CompressionMethod::STORE | CompressionMethod::BZIP2 | CompressionMethod::ZSTD | CompressionMethod::XZ => {
            Ok(Inside::Range { start, length })
        }
        method => Err(format!("packed by a method that is not read: {method}")),
    }
}

fn words(error: &rawzip::Error) -> String {
    match error.kind() {
        ErrorKind::MissingEndOfCentralDirectory => {
            "the zip archive ends early: its directory, which stands at the end, is missing".to_owned()
        }
        _ => format!("the zip archive is damaged: {error}"),
    }
}
