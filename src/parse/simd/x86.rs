//! The processor's own instructions, a function each.

use std::arch::x86_64::*;

/// Parity of all lower bits, by a carry-less multiplication with all ones.
#[inline(always)]
pub(super) fn prefix_xor(bits: u64) -> u64 {
    // SAFETY: only reached through `at`, at a level whose processor has `pclmulqdq`.
    unsafe { _mm_cvtsi128_si64(_mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1))) as u64 }
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
