//! Bodies of one object, kept small.
//!
//! A Lease is written every ten seconds and Endpoints at every change of a pod, and one body is like the
//! one before it. So the first body of an object is kept as it is, and those after it as what differs
//! from it. A list written 100,000 times takes a few hundred bytes for each of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

use super::compare::UNASKED;

/// A body as it was logged.
#[derive(Clone, Debug)]
pub struct Body(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Whole(Arc<[u8]>),
    Packed {
        bytes: Box<[u8]>,
        like: Arc<[u8]>,
        length: usize,
    },
    /// Only that it was there, and how long it was.
    Left {
        length: usize,
    },
}

impl Body {
    /// The bytes that were logged; none if they were not kept.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match &self.0 {
            Kept::Whole(bytes) => Some(bytes.to_vec()),
            Kept::Packed { bytes, like, length } => {
                Decompressor::with_dictionary(like).ok()?.decompress(bytes, *length).ok()
            }
            Kept::Left { .. } => None,
        }
    }

    /// The same without its bytes.
    pub(super) fn left(self) -> Body {
        Body(Kept::Left { length: self.len() })
    }

    /// Whether its bytes are there.
    pub(super) fn is_kept(&self) -> bool {
        !matches!(self.0, Kept::Left { .. })
    }

    /// How many that were.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Kept::Whole(bytes) => bytes.len(),
            Kept::Packed { length, .. } | Kept::Left { length } => *length,
        }
    }
}

/// Which bodies are alike: those of one object, requests and responses apart.
pub(super) type Family = u64;

/// How many bytes of each family are worth keeping. All parts of an answer count together, so that whether any
/// body of a family is left out does not depend on how the log was parted.
#[derive(Debug)]
pub struct Wanted {
    limit: usize,
    seen: Mutex<HashMap<Family, usize>>,
}

impl Wanted {
    /// All bodies, or as many as are compared without being asked for.
    pub fn new(all: bool) -> Wanted {
        Wanted { limit: if all { usize::MAX } else { UNASKED }, seen: Mutex::default() }
    }

    fn has_enough(&self, family: Family, length: usize) -> bool {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(family).or_default();
        *seen = seen.saturating_add(length);
        *seen > self.limit
    }
}

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

/// So many bytes of models at a time: a compressor takes a few times what it compares with.
const MODELS: usize = 8 << 20;

/// Bodies below this are not worth packing.
const SMALL: usize = 256;

/// The fastest level: what is alike is found at every one.
const LEVEL: i32 = 1;

impl Packer {
    /// Keeps a body, or of a family that has more bytes than are wanted only that it was there.
    pub(super) fn pack_wanted(&mut self, wanted: &Wanted, family: Family, bytes: &[u8]) -> Body {
        if wanted.has_enough(family, bytes.len()) {
            return Body(Kept::Left { length: bytes.len() });
        }
        self.pack(family, bytes)
    }

    fn pack(&mut self, family: Family, bytes: &[u8]) -> Body {
        if bytes.len() < SMALL {
            return Body(Kept::Whole(bytes.into()));
        }
        if let Some(body) = self.known.get_mut(&family).and_then(|model| model.pack(bytes)) {
            return body;
        }
        let models: usize = self.known.values().map(|model| model.like.len()).sum();
        if self.known.len() >= FAMILIES || models + bytes.len() > MODELS {
            self.known.clear();
        }
        let like: Arc<[u8]> = bytes.into();
        self.known.insert(family, Model { like: Arc::clone(&like), compressor: None });
        Body(Kept::Whole(like))
    }
}

/// By itself the fastest level looks back half a megabyte, and so sees nothing of a longer model.
fn compressor(like: &[u8]) -> Option<Compressor<'static>> {
    const FAR: usize = 128 << 10;
    let mut compressor = Compressor::with_dictionary(LEVEL, like).ok()?;
    if like.len() > FAR {
        let length_bits = usize::BITS - like.len().leading_zeros();
        compressor.set_parameter(CParameter::WindowLog((length_bits + 1).min(27))).ok()?;
        compressor.set_parameter(CParameter::HashLog((length_bits - 1).min(22))).ok()?;
    }
    Some(compressor)
}

impl Model {
    /// None if the body is too different, and is the model from now on.
    fn pack(&mut self, bytes: &[u8]) -> Option<Body> {
        if self.compressor.is_none() {
            self.compressor = compressor(&self.like);
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
    fn no_more_is_kept_than_is_wanted() {
        let wanted = Wanted { limit: 1_000, ..Wanted::new(false) };
        let pack = |_| Packer::default().pack_wanted(&wanted, 1, &[b'x'; 400]);
        let bodies: Vec<Body> = (0..4).map(pack).collect();
        assert_eq!(bodies.iter().filter(|body| body.bytes().is_some()).count(), 2);
        assert_eq!(bodies.iter().map(Body::len).sum::<usize>(), 1_600);
    }

    #[test]
    fn long_bodies_are_like_each_other() {
        let mut seed = 7_u64;
        let mut digit = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b'a' + (seed >> 33) as u8 % 26
        };
        for length in [100_000, 300_000, 700_000, 1_400_000] {
            let mut packer = Packer::default();
            let mut bytes: Vec<u8> = (0..length).map(|_| digit()).collect();
            packer.pack(1, &bytes);
            bytes[length / 2] = b'0';
            let body = packer.pack(1, &bytes);
            assert!(matches!(&body.0, Kept::Packed { bytes, .. } if bytes.len() < 2_000), "{length}");
            assert_eq!(body.bytes(), Some(bytes));
        }
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
