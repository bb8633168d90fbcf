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

/// What a byte of an [outline](super::outline) can be, and what may follow it in compact JSON. One bit each, so
/// that a byte's own bit and the bits of what may follow the byte before it decide in one operation.
///
/// ```text
/// behind             may stand
/// {                  " }
/// [                  " { [ ] scalar
/// ,                  " { [ scalar       (in an object only "; that is not decided here)
/// :                  " { [ scalar
/// " (a string)       , : } ]
/// } ]                , } ]
/// scalar             scalar , } ]
/// ```
///
/// Any other ASCII byte passes for part of a scalar, whatever it is; no other byte may stand anywhere.
pub(super) struct Token;

impl Classes {
    /// The bytes that are any of these.
    #[inline(always)]
    const fn any(&self) -> u64 {
        self.quote | self.open | self.close | self.comma | self.colon
    }
}

impl Token {
    const QUOTE: u8 = 1;
    const OPEN: u8 = 2;
    const CLOSE_BRACE: u8 = 4;
    const CLOSE_BRACKET: u8 = 8;
    const COMMA: u8 = 16;
    const COLON: u8 = 32;
    const SCALAR: u8 = 64;
    /// Not a digit; beside [`Token::SCALAR`].
    const WORD: u8 = 128;

    const fn of(byte: u8) -> u8 {
        match byte {
            b'"' => Self::QUOTE,
            b'{' | b'[' => Self::OPEN,
            b'}' => Self::CLOSE_BRACE,
            b']' => Self::CLOSE_BRACKET,
            b',' => Self::COMMA,
            b':' => Self::COLON,
            b'0'..=b'9' => Self::SCALAR,
            _ => Self::SCALAR | Self::WORD,
        }
    }

    const fn behind(byte: u8) -> u8 {
        const CLOSE: u8 = Token::CLOSE_BRACE | Token::CLOSE_BRACKET;
        const VALUE: u8 = Token::QUOTE | Token::OPEN | Token::SCALAR;
        match Self::of(byte) {
            Self::OPEN if byte == b'{' => Self::QUOTE | Self::CLOSE_BRACE,
            Self::OPEN => VALUE | Self::CLOSE_BRACKET,
            Self::COMMA | Self::COLON => VALUE,
            Self::QUOTE => Self::COMMA | Self::COLON | CLOSE,
            Self::CLOSE_BRACE | Self::CLOSE_BRACKET => Self::COMMA | CLOSE,
            _ => Self::SCALAR | Self::COMMA | CLOSE,
        }
    }

    /// The same rule for sixty-four bytes whose classes are known; `before` is the byte before them.
    #[inline(always)]
    fn misplaced(classes: &Classes, before: u8) -> u64 {
        let behind = |bits: u64, token: u8| bits << 1 | u64::from(Self::of(before) & token != 0);
        let open = classes.open;
        let (open_brace, close_brace) = (open & classes.brace, classes.close & classes.brace);
        let scalar = !classes.any();
        let behind_open = behind(open, Self::OPEN);
        let behind_brace = open_brace << 1 | u64::from(before == b'{');
        let behind_separator = behind(classes.comma | classes.colon, Self::COMMA | Self::COLON);
        let behind_quote = behind(classes.quote, Self::QUOTE);
        let behind_close = behind(classes.close, Self::CLOSE_BRACE | Self::CLOSE_BRACKET);
        let behind_scalar = behind(scalar, Self::SCALAR);
        let behind_value = behind_quote | behind_close | behind_scalar;
        let value = behind_separator | behind_open & !behind_brace;
        classes.quote & !(behind_separator | behind_open)
            | open & !value
            | close_brace & !(behind_value | behind_brace)
            | (classes.close ^ close_brace) & !(behind_value | behind_open & !behind_brace)
            | classes.comma & !behind_value
            | classes.colon & !behind_quote
            | scalar & !(value | behind_scalar)
    }

    /// A table over the ASCII bytes.
    const fn table(behind: bool) -> [u8; 128] {
        let mut table = [0; 128];
        let mut byte = 0;
        while byte < 128 {
            table[byte] = if behind { Self::behind(byte as u8) } else { Self::of(byte as u8) };
            byte += 1;
        }
        table
    }
}

/// The token each ASCII byte is.
static TOKENS: [u8; 128] = Token::table(false);

/// What may follow each ASCII byte.
static FOLLOWERS: [u8; 128] = Token::table(true);

/// A way to classify bytes.
pub(super) trait Isa {
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

    /// The wanted bits, one behind the other from the lowest on.
    fn extract(bits: u64, wanted: u64) -> u64;

    /// Bit `n` of the result is the parity of bits `0..=n`.
    fn prefix_xor(bits: u64) -> u64;
}

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
mod x86 {
    use std::arch::x86_64::*;

    /// Parity of all lower bits, by a carry-less multiplication with all ones.
    #[inline(always)]
    pub(super) fn prefix_xor(bits: u64) -> u64 {
        // SAFETY: only reached through `at`, at a level whose processor has `pclmulqdq`.
        unsafe {
            _mm_cvtsi128_si64(_mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1))) as u64
        }
    }

    /// Bits gathered by the processor.
    #[inline(always)]
    pub(super) fn extract(bits: u64, wanted: u64) -> u64 {
        // SAFETY: registers only; only reached through `at`, at a level whose processor has BMI2.
        unsafe { _pext_u64(bits, wanted) }
    }

    /// Sixty-four bytes in one register.
    #[derive(Clone, Copy)]
    pub(super) struct Wide(__m512i);

    impl Wide {
        #[inline(always)]
        pub(super) fn load(block: &[u8; 64]) -> Self {
            // SAFETY: reads the 64 bytes of the array; only reached where the processor has AVX-512.
            unsafe { Wide(_mm512_loadu_si512(block.as_ptr().cast())) }
        }

        #[inline(always)]
        pub(super) fn equal(self, byte: u8) -> u64 {
            // SAFETY: registers only; only reached where the processor has AVX-512BW.
            unsafe { _mm512_cmpeq_epi8_mask(self.0, _mm512_set1_epi8(byte as i8)) }
        }

        /// The bytes with these bits set.
        #[inline(always)]
        pub(super) fn with(self, bits: u8) -> Self {
            // SAFETY: registers only; only reached where the processor has AVX-512.
            unsafe { Wide(_mm512_or_si512(self.0, _mm512_set1_epi8(bits as i8))) }
        }

        /// The bytes with this bit set.
        #[inline(always)]
        pub(super) fn has(self, bit: u8) -> u64 {
            // SAFETY: registers only; only reached where the processor has AVX-512BW.
            unsafe { _mm512_test_epi8_mask(self.0, _mm512_set1_epi8(bit as i8)) }
        }

        /// The wanted bytes, one behind the other, and zeros.
        #[inline(always)]
        pub(super) fn compress(self, wanted: u64, out: &mut [u8; 64]) {
            // SAFETY: writes the 64 bytes of the array; only reached where the processor has AVX-512 with VBMI2.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_maskz_compress_epi8(wanted, self.0)) }
        }

        /// What each byte is by a table over the ASCII bytes; others are looked up by their lower bits.
        #[inline(always)]
        pub(super) fn looked_up(self, table: &[u8; 128]) -> Self {
            // SAFETY: reads the 128 bytes of the table; only reached where the processor has AVX-512 with VBMI.
            unsafe {
                let half = table.as_ptr().cast::<__m512i>();
                let (low, high) = (_mm512_loadu_si512(half), _mm512_loadu_si512(half.add(1)));
                Wide(_mm512_permutex2var_epi8(low, self.0, high))
            }
        }

        /// The bytes that share no bit with those.
        #[inline(always)]
        pub(super) fn apart(self, others: Self) -> u64 {
            // SAFETY: registers only; only reached where the processor has AVX-512BW.
            unsafe { _mm512_testn_epi8_mask(self.0, others.0) }
        }

        /// The bytes with the highest bit set.
        #[inline(always)]
        pub(super) fn high(self) -> u64 {
            // SAFETY: registers only; only reached where the processor has AVX-512BW.
            unsafe { _mm512_movepi8_mask(self.0) }
        }
    }

    /// Sixty-four bytes in two registers.
    #[derive(Clone, Copy)]
    pub(super) struct Double(__m256i, __m256i);

    impl Double {
        #[inline(always)]
        pub(super) fn load(block: &[u8; 64]) -> Self {
            // SAFETY: reads the 64 bytes of the array; only reached where the processor has AVX2.
            unsafe {
                let first = block.as_ptr().cast::<__m256i>();
                Double(_mm256_loadu_si256(first), _mm256_loadu_si256(first.add(1)))
            }
        }

        #[inline(always)]
        pub(super) fn equal(self, byte: u8) -> u64 {
            // SAFETY: registers only; only reached where the processor has AVX2.
            unsafe {
                let wanted = _mm256_set1_epi8(byte as i8);
                let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(self.0, wanted)) as u32;
                let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(self.1, wanted)) as u32;
                u64::from(low) | u64::from(high) << 32
            }
        }

        /// The digits.
        #[inline(always)]
        pub(super) fn digits(self) -> u64 {
            // SAFETY: registers only; only reached where the processor has AVX2.
            unsafe {
                let (first, nine) = (_mm256_set1_epi8(b'0' as i8), _mm256_set1_epi8(9));
                let (low, high) = (_mm256_sub_epi8(self.0, first), _mm256_sub_epi8(self.1, first));
                let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(low, nine), low)) as u32;
                let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(high, nine), high)) as u32;
                u64::from(low) | u64::from(high) << 32
            }
        }

        /// The bytes beyond ASCII.
        #[inline(always)]
        pub(super) fn high(self) -> u64 {
            // SAFETY: registers only; only reached where the processor has AVX2.
            unsafe {
                let (low, high) = (_mm256_movemask_epi8(self.0) as u32, _mm256_movemask_epi8(self.1) as u32);
                u64::from(low) | u64::from(high) << 32
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Isa for Avx512 {
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
    };
}

#[cfg(target_arch = "x86_64")]
struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Isa for Avx2 {
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

/// Sixty-four bytes in eight words.
#[derive(Clone, Copy)]
struct Words([u64; 8]);

/// One bit for each byte, gathered from the highest bit of each byte of a word.
#[inline(always)]
const fn gather(high_bits: u64) -> u64 {
    (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

impl Words {
    #[inline(always)]
    fn load(block: &[u8; 64]) -> Self {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Words(words)
    }

    #[inline(always)]
    fn equal(self, byte: u8) -> u64 {
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        let wanted = u64::from(byte) * 0x0101_0101_0101_0101;
        self.0.iter().rev().fold(0, |bits, word| {
            let differs = word ^ wanted;
            // The high bit of each byte that is zero, without a carry from one byte to the next.
            let zero = !((differs & LOW).wrapping_add(LOW) | differs | LOW);
            bits << 8 | gather(zero)
        })
    }
}

impl Words {
    /// The digits.
    #[inline(always)]
    fn digits(self) -> u64 {
        const EACH: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x80 * EACH;
        let digits = |word: u64| {
            // The high bit of each byte that is at least "0", and of those beyond "9"; none beyond ASCII.
            let least = (word & !HIGH) + (0x80 - 0x30) * EACH;
            let beyond = (word & !HIGH) + (0x80 - 0x3a) * EACH;
            least & !beyond & !word & HIGH
        };
        self.0.iter().rev().fold(0, |bits, &word| bits << 8 | gather(digits(word)))
    }

    /// The bytes beyond ASCII.
    #[inline(always)]
    fn high(self) -> u64 {
        self.0.iter().rev().fold(0, |bits, word| bits << 8 | gather(word & 0x8080_8080_8080_8080))
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Classify<'b>(&'b [u8; 64], &'b [u8; 64]);

    impl Job for Classify<'_> {
        type Output = (Marks, Quotes, Classes, u64);

        #[inline(always)]
        fn run<I: Isa>(self) -> Self::Output {
            let classes = I::classes(self.0, self.1);
            assert_eq!(I::equal(self.0, b':'), classes.colon);
            (I::marks(self.0), I::quotes(self.0), classes, I::prefix_xor(classes.quote ^ classes.colon))
        }
    }

    fn find(block: &[u8; 64], wanted: &[u8]) -> u64 {
        block.iter().rev().fold(0, |bits, byte| bits << 1 | u64::from(wanted.contains(byte)))
    }

    /// What the classes of a block are by their definition.
    fn expected(block: &[u8; 64], before: &[u8; 64]) -> Classes {
        let find = |wanted: &[u8]| find(block, wanted);
        let misplaced = |(byte, last): (&u8, &u8)| !byte.is_ascii() || Token::of(*byte) & Token::behind(*last) == 0;
        Classes {
            quote: find(b"\""),
            open: find(b"{["),
            close: find(b"}]"),
            brace: find(b"{}"),
            comma: find(b","),
            colon: find(b":"),
            misplaced: block.iter().zip(before).rev().fold(0, |bits, pair| bits << 1 | u64::from(misplaced(pair))),
            word: !find(b"\"{}[],:0123456789"),
        }
    }

    /// The classes, but for what is of no account: of which kind a bracket is that is none, what a byte beyond
    /// ASCII is otherwise, and what may stand behind one.
    fn of_account(classes: Classes, block: &[u8; 64], before: &[u8; 64]) -> Classes {
        let beyond = |bytes: &[u8; 64]| bytes.iter().rev().fold(0, |bits, b| bits << 1 | u64::from(!b.is_ascii()));
        Classes {
            brace: classes.brace & (classes.open | classes.close),
            misplaced: classes.misplaced | beyond(before),
            word: classes.word | beyond(block),
            ..classes
        }
    }

    #[test]
    fn every_level_sees_every_byte_at_every_place() {
        let tokens = b"\"\\{}[],:0 a";
        for step in [1usize, 3, 7, 11] {
            for start in 0..=255usize {
                let mixed = |at: usize| (start + at * step) as u8;
                let dense = |at: usize| tokens[(start * 31 + at * step * 7 + at / 3) % tokens.len()];
                for bytes in [std::array::from_fn::<u8, 65, _>(mixed), std::array::from_fn(dense)] {
                    let (Some(before), Some(block)) = (bytes.first_chunk(), bytes.last_chunk()) else { continue };
                    let classes = expected(block, before);
                    let bits = classes.quote ^ classes.colon;
                    let parity = (0..64).fold(0, |sum, at| sum | u64::from((bits << (63 - at)).count_ones() % 2) << at);
                    let quotes =
                        Quotes { quote: find(block, b"\""), slash: find(block, b"\\"), line_feed: find(block, b"\n") };
                    let wanted = (find(block, b"\"\\\n"), quotes, of_account(classes, block, before), parity);
                    for level in Level::available() {
                        let found = at(level, Classify(block, before));
                        let found = (found.0, found.1, of_account(found.2, block, before), found.3);
                        assert_eq!(found, wanted, "{level:?} {start} {step}");
                    }
                }
            }
        }
    }

    struct Gather<'b>(&'b [u8; 64], u64);

    impl Job for Gather<'_> {
        type Output = ([u8; 64], u64);

        #[inline(always)]
        fn run<I: Isa>(self) -> Self::Output {
            let mut out = [0; 64];
            I::compress(self.0, self.1, &mut out);
            (out, I::extract(0x5a17_90c3_11ff_0275, self.1))
        }
    }

    #[test]
    fn wanted_bytes_and_bits_close_ranks() {
        let block: [u8; 64] = std::array::from_fn(|at| at as u8 + 1);
        for wanted in [0, 1, 1 << 63, u64::MAX, 0x8000_0000_0000_0001, 0x0f0f_1234_5678_9abc] {
            let places: Vec<u32> = (0..64).filter(|at| wanted >> at & 1 == 1).collect();
            for level in Level::available() {
                let (bytes, bits) = at(level, Gather(&block, wanted));
                let expected: Vec<u8> = places.iter().map(|at| *at as u8 + 1).collect();
                assert_eq!(bytes[..places.len()], expected, "{level:?} {wanted:x}");
                let of_place = |(to, at): (usize, &u32)| (0x5a17_90c3_11ff_0275u64 >> at & 1) << to;
                let expected = places.iter().enumerate().map(of_place).fold(0, |bits, bit| bits | bit);
                assert_eq!(bits, expected, "{level:?} {wanted:x}");
            }
        }
    }
}
