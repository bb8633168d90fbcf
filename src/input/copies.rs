//! Finds inputs whose content is that of another one, wherever the two lie and however they are packed.
//!
//! Only inputs that begin alike are looked at any closer, and then they are compared byte by byte:
//! what is left out must be certain to be a copy. The first line of a log holds an id of its own, so
//! inputs that begin alike and are no copies are rare.

use std::collections::HashMap;
use std::io::{self, Cursor, Read};

use super::decompress::{Packing, Stream, unpack_all};
use super::source::Source;
use crate::hash;

/// So much of a file is looked at to know how its content begins.
pub(super) const RAW_HEAD: usize = 8 * 1024;

/// So much of the content counts as its beginning.
const HEAD: usize = 1024;

/// So many inputs that begin alike are compared with one more; without a bound, many small files
/// that differ at their ends would be read over and over.
const MOST_COMPARED: usize = 8;

/// Bytes that are compared at once.
const STEP: usize = 64 * 1024;

/// How a content begins, from the first bytes of the file, packed or not; none without content.
pub(super) fn head_of(raw: &[u8]) -> Option<u64> {
    if raw.is_empty() {
        return None;
    }
    let mut head = Vec::new();
    // Of a large block nothing can be unpacked before all of it is there: such files are known by
    // their packed bytes.
    if Packing::of(raw) != Packing::Bzip2
        && let Ok((stream, _)) = unpack_all(Box::new(Cursor::new(raw.to_vec())))
    {
        let _ = stream.take(HEAD as u64).read_to_end(&mut head);
    }
    Some(hash::of_bytes(if head.is_empty() { raw } else { &head }))
}

/// The sources that are no copies of earlier ones, and the others, each with its original's name.
pub(super) fn tell_apart(sources: Vec<(Source, Option<u64>)>) -> (Vec<Source>, Vec<(String, String)>) {
    let (mut kept, mut copies): (Vec<Source>, _) = (Vec::new(), Vec::new());
    let mut by_head: HashMap<u64, Vec<usize>> = HashMap::new();
    for (source, head) in sources {
        let alike = head.map(|head| by_head.entry(head).or_default());
        let original = alike.as_ref().and_then(|alike| alike.iter().find(|&&at| are_same(&kept[at], &source)));
        if let Some(&original) = original {
            copies.push((source.name, kept[original].name.clone()));
            continue;
        }
        if let Some(alike) = alike.filter(|alike| alike.len() < MOST_COMPARED) {
            alike.push(kept.len());
        }
        kept.push(source);
    }
    (kept, copies)
}

/// Whether both can be read to their ends, and hold the same.
fn are_same(a: &Source, b: &Source) -> bool {
    let same = || -> io::Result<bool> { same_bytes(a.content()?, b.content()?) };
    same().unwrap_or(false)
}

fn same_bytes(mut a: Stream, mut b: Stream) -> io::Result<bool> {
    let (mut mine, mut theirs) = (vec![0; STEP], vec![0; STEP]);
    loop {
        let (count, other) = (fill(&mut a, &mut mine)?, fill(&mut b, &mut theirs)?);
        if mine[..count] != theirs[..other] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
}

fn fill(stream: &mut Stream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether a packed file's content begins as the file's it is named after: then it is a copy of it,
/// perhaps an interrupted one. A log that was rotated in place has another beginning and must be read.
pub(super) fn begin_alike(packed: &Source, plain: &Source) -> bool {
    let head = |source: &Source| -> Option<Vec<u8>> {
        let mut head = Vec::new();
        // A cut-off stream still gives what was decoded before the error.
        let _ = source.content().ok()?.take(STEP as u64).read_to_end(&mut head);
        Some(head)
    };
    let (Some(mine), Some(theirs)) = (head(packed), head(plain)) else { return false };
    let length = mine.len().min(theirs.len());
    mine[..length] == theirs[..length]
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_head_is_that_of_the_content() {
        let text: Vec<u8> = (0..2000_u32).flat_map(|n| format!("{n} {}\n", n * 7919 % 1009).into_bytes()).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&text).expect("memory takes all");
        let packed = gzip.finish().expect("memory takes all");
        let cut = |bytes: &[u8]| bytes[..bytes.len().min(RAW_HEAD)].to_vec();
        assert!(packed.len() > 4096);
        assert_eq!(head_of(&cut(&packed)), head_of(&cut(&text)));
        assert_eq!(head_of(&text[..HEAD]), head_of(&text));
        assert_ne!(head_of(&text[1..]), head_of(&text));
        assert_eq!(head_of(b""), None);
    }
}
