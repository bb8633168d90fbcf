//! Bytes as bits: sixty-four bytes at a time become one word for each class of byte.
//!
//! This is the crate's one module with `unsafe` code. Two things are proved here, and nothing else
//! is needed: vector instructions only run on a processor that has them, and they only read and
//! write the arrays they are given.
//!
//! - Each load takes a reference to an array of as many bytes as it reads (sixteen, sixty-four, or the 128 of a
//!   table), and the one store a mutable reference to sixty-four; none of them needs alignment. Everything
//!   else works on registers.
//! - An [`Isa`] is only ever named in [`at`], inside a function that enables its features, and that
//!   function is only called for a [`Level`] that [`Level::best`] or [`Level::available`] found on the
//!   running processor. The types [`Avx512`] and [`Avx2`] are private, so nobody else can name them.
//!
//! What it buys is written in `docs/performance.md`.
#![allow(unsafe_code)]

#[cfg(test)]
mod tests;
mod token;
mod words;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(super) use token::Token;
use token::{FOLLOWERS, TOKENS};
use words::Words;

/// Where a string may end in sixty-four bytes: quotes, backslashes and line feeds. Bit `n` stands for
/// byte `n`.
pub(super) type Marks = u64;

/// Which of sixty-four bytes are what; bit `n` stands for byte `n`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Classes {
    pub(super) quote: u64,
    /// `{` and `[`.
    pub(super) open: u64,
    /// `}` and `]`.
    pub(super) close: u64,
    /// `{` and `}`; counts only where a bracket is.
    pub(super) brace: u64,
    pub(super) comma: u64,
    pub(super) colon: u64,
    /// Bytes that cannot stand where they stand: see [`Token`].
    pub(super) misplaced: u64,
    /// Neither any of these nor digits.
    pub(super) word: u64,
}

/// Which of sixty-four bytes tell where strings are; bit `n` stands for byte `n`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Quotes {
    pub(super) quote: u64,
    pub(super) slash: u64,
    pub(super) line_feed: u64,
}

impl Classes {
    /// The bytes that are any of these.
    #[inline(always)]
    const fn any(&self) -> u64 {
        self.quote | self.open | self.close | self.comma | self.colon
    }
}

/// A way to classify bytes.
pub(super) trait Isa {
    /// Whether finding marks takes so little that they are best found before they are wanted: nobody waits for them
    /// then, but those behind the end of a line are found in vain.
    const LOOKS_AHEAD: bool;

    /// The quotes, backslashes and line feeds.
    fn marks(block: &[u8; 64]) -> Marks;

    /// The bytes that are this one.
    fn equal(block: &[u8; 64], byte: u8) -> u64;

    /// The bytes that tell where strings are.
    fn quotes(block: &[u8; 64]) -> Quotes;

    /// All the bytes that make JSON's structure. `before` is the block one byte earlier.
    fn classes(block: &[u8; 64], before: &[u8; 64]) -> Classes;

    /// Writes the wanted bytes of a block one behind the other; what `out` holds behind them is of no account.
    fn compress(block: &[u8; 64], wanted: u64, out: &mut [u8; 64]);

    /// Writes where the bits stand, counted from `base`; what `out` holds behind them is of no account.
    fn places(bits: u64, base: u16, out: &mut [u16; 64]);

    /// The wanted bits, one behind the other from the lowest on.
    fn extract(bits: u64, wanted: u64) -> u64;

    /// Bit `n` of the result is the parity of bits `0..=n`.
    fn prefix_xor(bits: u64) -> u64;
}

/// The bytes that stand behind an odd number of backslashes. `carry` is one if the first byte is escaped by
/// the block before, and then if the first byte of the next block is.
#[inline(always)]
pub(super) const fn escaped(slashes: u64, carry: &mut u64) -> u64 {
    let behind = slashes << 1 | *carry;
    if slashes & behind == 0 {
        // None of them stands behind another.
        *carry = slashes >> 63;
        return behind;
    }
    // A run of backslashes that begins on an odd place is flipped by the subtraction, so that in
    // every run the bytes that are escaped, and the one behind it if it is, end up set.
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let potential = slashes & !*carry;
    let codes = (potential << 1 | ODD).wrapping_sub(potential) ^ ODD;
    let escaped = codes ^ (slashes | *carry);
    *carry = (codes & slashes) >> 63;
    escaped
}

/// The bytes of a block, by their place.
#[cfg(target_arch = "x86_64")]
static BYTES: [u8; 64] = {
    let mut bytes = [0; 64];
    let mut at = 0;
    while at < 64 {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

/// Work that is compiled once for each way to classify bytes.
pub(super) trait Job {
    /// What it gives.
    type Output;

    /// Does it. Must be `#[inline(always)]`, or it is compiled without the processor's features.
    fn run<I: Isa>(self) -> Self::Output;
}

/// What the running processor can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Level(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Level {
    /// The best level of the running processor. Cheap: the answer is kept by the standard library.
    #[inline]
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512() {
                return Level(Kind::Avx512);
            }
            if has_avx2() {
                return Level(Kind::Avx2);
            }
        }
        Level(Kind::Portable)
    }

    /// All levels the running processor has.
    #[cfg(test)]
    pub(super) fn available() -> Vec<Self> {
        let mut levels = vec![Level(Kind::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(has_avx2().then_some(Level(Kind::Avx2)));
            levels.extend(has_avx512().then_some(Level(Kind::Avx512)));
        }
        levels
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2")
}

/// Does a job at a level.
#[inline]
pub(super) fn at<J: Job>(level: Level, job: J) -> J::Output {
    match level.0 {
        // SAFETY: a `Level` of this kind is only made where the processor has these features.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { with_avx512(job) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { with_avx2(job) },
        Kind::Portable => job.run::<Portable>(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
fn with_avx512<J: Job>(job: J) -> J::Output {
    job.run::<Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
fn with_avx2<J: Job>(job: J) -> J::Output {
    job.run::<Avx2>()
}

#[cfg(target_arch = "x86_64")]
struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Isa for Avx512 {
    const LOOKS_AHEAD: bool = true;

    #[inline(always)]
    fn marks(block: &[u8; 64]) -> Marks {
        let bytes = x86::Wide::load(block);
        bytes.equal(b'"') | bytes.equal(b'\\') | bytes.equal(b'\n')
    }

    #[inline(always)]
    fn equal(block: &[u8; 64], byte: u8) -> u64 {
        x86::Wide::load(block).equal(byte)
    }

    #[inline(always)]
    fn quotes(block: &[u8; 64]) -> Quotes {
        let bytes = x86::Wide::load(block);
        Quotes { quote: bytes.equal(b'"'), slash: bytes.equal(b'\\'), line_feed: bytes.equal(b'\n') }
    }

    #[inline(always)]
    fn classes(block: &[u8; 64], before: &[u8; 64]) -> Classes {
        const BRACE: u8 = 0x20;
        let bytes = x86::Wide::load(block);
        // Braces differ from brackets in one bit.
        let braces = bytes.with(BRACE);
        let tokens = bytes.looked_up(&TOKENS);
        let followers = x86::Wide::load(before).looked_up(&FOLLOWERS);
        Classes {
            quote: bytes.equal(b'"'),
            open: braces.equal(b'{'),
            close: braces.equal(b'}'),
            brace: bytes.has(BRACE),
            comma: bytes.equal(b','),
            colon: bytes.equal(b':'),
            misplaced: tokens.apart(followers) | bytes.high(),
            // The highest bit of a token.
            word: tokens.high(),
        }
    }

    #[inline(always)]
    fn compress(block: &[u8; 64], wanted: u64, out: &mut [u8; 64]) {
        x86::Wide::load(block).compress(wanted, out);
    }

    #[inline(always)]
    fn places(bits: u64, base: u16, out: &mut [u16; 64]) {
        let mut places = [0; 64];
        x86::Wide::load(&BYTES).compress(bits, &mut places);
        for (to, place) in out.iter_mut().zip(places) {
            *to = base.wrapping_add(place.into());
        }
    }

    #[inline(always)]
    fn extract(bits: u64, wanted: u64) -> u64 {
        x86::extract(bits, wanted)
    }

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        x86::prefix_xor(bits)
    }
}

/// `classes` and `marks` from a type that finds one byte.
macro_rules! by_equality {
    ($bytes:ty) => {
        #[inline(always)]
        fn marks(block: &[u8; 64]) -> Marks {
            let bytes = <$bytes>::load(block);
            bytes.equal(b'"') | bytes.equal(b'\\') | bytes.equal(b'\n')
        }

        #[inline(always)]
        fn equal(block: &[u8; 64], byte: u8) -> u64 {
            <$bytes>::load(block).equal(byte)
        }

        #[inline(always)]
        fn classes(block: &[u8; 64], before: &[u8; 64]) -> Classes {
            let bytes = <$bytes>::load(block);
            let (open_brace, close_brace) = (bytes.equal(b'{'), bytes.equal(b'}'));
            let mut classes = Classes {
                quote: bytes.equal(b'"'),
                open: open_brace | bytes.equal(b'['),
                close: close_brace | bytes.equal(b']'),
                brace: open_brace | close_brace,
                comma: bytes.equal(b','),
                colon: bytes.equal(b':'),
                misplaced: bytes.high(),
                word: 0,
            };
            classes.misplaced |= Token::misplaced(&classes, before[0]);
            classes.word = !(classes.any() | bytes.digits());
            classes
        }

        #[inline(always)]
        fn quotes(block: &[u8; 64]) -> Quotes {
            let bytes = <$bytes>::load(block);
            Quotes { quote: bytes.equal(b'"'), slash: bytes.equal(b'\\'), line_feed: bytes.equal(b'\n') }
        }

        #[inline(always)]
        fn compress(block: &[u8; 64], wanted: u64, out: &mut [u8; 64]) {
            compress_each(block, wanted, out);
        }

        #[inline(always)]
        fn places(mut bits: u64, base: u16, out: &mut [u16; 64]) {
            for to in out {
                if bits == 0 {
                    break;
                }
                *to = base.wrapping_add(bits.trailing_zeros() as u16);
                bits &= bits - 1;
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Isa for Avx2 {
    const LOOKS_AHEAD: bool = false;

    by_equality!(x86::Double);

    #[inline(always)]
    fn extract(bits: u64, wanted: u64) -> u64 {
        x86::extract(bits, wanted)
    }

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        x86::prefix_xor(bits)
    }
}

/// Eight bytes to a word, for every other processor.
struct Portable;

impl Isa for Portable {
    const LOOKS_AHEAD: bool = false;

    by_equality!(Words);

    #[inline(always)]
    fn extract(bits: u64, mut wanted: u64) -> u64 {
        let (mut extracted, mut place) = (0, 0);
        while wanted != 0 {
            extracted |= (bits >> wanted.trailing_zeros() & 1) << place;
            wanted &= wanted - 1;
            place += 1;
        }
        extracted
    }

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        [1, 2, 4, 8, 16, 32].iter().fold(bits, |bits, shift| bits ^ bits << shift)
    }
}

/// What [`Isa::compress`] does, byte by byte.
#[inline(always)]
fn compress_each(block: &[u8; 64], mut wanted: u64, out: &mut [u8; 64]) {
    for to in out {
        if wanted == 0 {
            break;
        }
        *to = block[wanted.trailing_zeros() as usize];
        wanted &= wanted - 1;
    }
}

/// One bit for each of sixteen bytes that is a quote or a backslash.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[inline]
pub(super) fn marks_of_sixteen(chunk: &[u8; 16]) -> u32 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8};
    // SAFETY: reads the sixteen bytes of the array, and needs no more than SSE2, which the `cfg`
    // above says the target has.
    unsafe {
        let bytes = _mm_loadu_si128(chunk.as_ptr().cast());
        let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let slashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        _mm_movemask_epi8(_mm_or_si128(quotes, slashes)) as u32
    }
}

/// One bit for each of sixteen bytes that is a quote or a backslash.
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
#[inline]
pub(super) fn marks_of_sixteen(chunk: &[u8; 16]) -> u32 {
    chunk.iter().rev().fold(0, |bits, &byte| bits << 1 | u32::from(byte == b'"' || byte == b'\\'))
}
