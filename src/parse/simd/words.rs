//! Eight bytes to a word: what every processor can do.

/// Sixty-four bytes in eight words.
#[derive(Clone, Copy)]
pub(super) struct Words([u64; 8]);

/// One bit for each byte, gathered from the highest bit of each byte of a word.
#[inline(always)]
const fn gather(high_bits: u64) -> u64 {
    (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

impl Words {
    #[inline(always)]
    pub(super) fn load(block: &[u8; 64]) -> Self {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Words(words)
    }

    #[inline(always)]
    pub(super) fn equal(self, byte: u8) -> u64 {
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        let wanted = u64::from(byte) * 0x0101_0101_0101_0101;
        self.0.iter().rev().fold(0, |bits, word| {
            let differs = word ^ wanted;
            // The high bit of each byte that is zero, without a carry from one byte to the next.
            let zero = !((differs & LOW).wrapping_add(LOW) | differs | LOW);
            bits << 8 | gather(zero)
        })
    }

    /// The digits.
    #[inline(always)]
    pub(super) fn digits(self) -> u64 {
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
    pub(super) fn high(self) -> u64 {
        self.0.iter().rev().fold(0, |bits, word| bits << 8 | gather(word & 0x8080_8080_8080_8080))
    }
}
