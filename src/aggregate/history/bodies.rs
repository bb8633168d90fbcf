//! Bodies of one object, kept small.
//!
//! A Lease is written every ten seconds and Endpoints at every change of a pod, and one body is like the
//! one before it. So the first body of an object is kept as it is, and those after it as what differs
//! from it. A list written 100,000 times takes a few hundred bytes for each of them.

use std::collections::HashMap;
use std::sync::Arc;

use zstd::bulk::{Compressor, Decompressor};

/// A body as it was logged.
#[derive(Clone, Debug)]
pub struct Body(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Whole(Arc<[u8]>),
    Packed { bytes: Box<[u8]>, like: Arc<[u8]>, length: usize },
}

impl Body {
    /// The bytes that were logged; none if they cannot be had again, which means that memory was damaged.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match &self.0 {
            Kept::Whole(bytes) => Some(bytes.to_vec()),
            Kept::Packed { bytes, like, length } => {
                Decompressor::with_dictionary(like).ok()?.decompress(bytes, *length).ok()
            }
        }
    }

    /// How many that were.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Kept::Whole(bytes) => bytes.len(),
            Kept::Packed { length, .. } => *length,
        }
    }
}

/// Which bodies are alike: those of one object, requests and responses apart.
pub(super) type Family = u64;

/// Packs bodies as they come.
#[derive(Default)]
pub(super) struct Packer {
    known: HashMap<Family, Model>,
}

/// What the bodies of a family are compared with.
struct Model {
    like: Arc<[u8]>,
    // Made for the second body: most objects are written once.
    compressor: Option<Compressor<'static>>,
}

/// So many families at a time: a compressor takes some hundred kilobytes.
const FAMILIES: usize = 24;

/// Bodies below this are not worth packing.
const SMALL: usize = 256;

/// The fastest level: what is alike is found at every one.
const LEVEL: i32 = 1;

impl Packer {
    /// Keeps a body.
    pub(super) fn pack(&mut self, family: Family, bytes: &[u8]) -> Body {
        if bytes.len() < SMALL {
            return Body(Kept::Whole(bytes.into()));
        }
        if let Some(body) = self.known.get_mut(&family).and_then(|model| model.pack(bytes)) {
            return body;
        }
        if self.known.len() >= FAMILIES {
            self.known.clear();
        }
        let like: Arc<[u8]> = bytes.into();
        self.known.insert(family, Model { like: Arc::clone(&like), compressor: None });
        Body(Kept::Whole(like))
    }
}

impl Model {
    /// None if the body is too different, and is the model from now on.
    fn pack(&mut self, bytes: &[u8]) -> Option<Body> {
        if self.compressor.is_none() {
            self.compressor = Compressor::with_dictionary(LEVEL, &self.like).ok();
        }
        let packed = self.compressor.as_mut()?.compress(bytes).ok()?;
        let small = packed.len() < bytes.len() / 2;
        small.then(|| Body(Kept::Packed { bytes: packed.into(), like: Arc::clone(&self.like), length: bytes.len() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(at: usize) -> Vec<u8> {
        let list: Vec<String> = (0..200).map(|i| format!("{{\"ip\":\"10.0.{i}.{}\"}}", (i * 7 + at) % 250)).collect();
        format!("{{\"version\":\"{at}\",\"addresses\":[{}]}}", list.join(",")).into_bytes()
    }

    #[test]
    fn what_is_packed_comes_back() {
        let mut packer = Packer::default();
        let mut kept = 0;
        for at in 0..50 {
            let bytes = endpoints(at / 10);
            let body = packer.pack(1, &bytes);
            kept += if let Kept::Packed { bytes, .. } = &body.0 { bytes.len() } else { bytes.len() };
            assert_eq!(body.bytes().as_deref(), Some(bytes.as_slice()));
        }
        assert!(kept < 25 * endpoints(0).len(), "{kept}");
        let small = packer.pack(2, b"{}");
        assert_eq!(small.bytes().as_deref(), Some(b"{}".as_slice()));
    }

    #[test]
    fn many_objects_take_turns() {
        let mut packer = Packer::default();
        for at in 0..200 {
            let bytes = endpoints(at);
            let body = packer.pack(at as u64, &bytes);
            assert_eq!(body.bytes().as_deref(), Some(bytes.as_slice()));
            assert!(packer.known.len() <= FAMILIES);
        }
    }
}
