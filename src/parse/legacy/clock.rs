//! The server's own time at the start of a line.
//!
//! Lines come in order of time, so most stand in the same second as the one before: then only the
//! fraction has to be read.

use crate::event::Timestamp;

const SECOND: i64 = 1_000_000_000;

/// Reads times that are near each other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock(Option<Second>);

/// The second read last.
#[derive(Clone, Copy, Debug)]
struct Second {
    /// Date and time up to the point before the fraction.
    text: [u8; 20],
    /// The zone behind the fraction and a space, and the bytes of a word that they take.
    tail: u64,
    mask: u64,
    zone_length: usize,
    /// The moment it begins.
    start: i64,
}

impl Clock {
    /// Reads the time that `text` starts with, and tells how many bytes it took. A space must follow.
    #[inline]
    pub(super) fn read(&mut self, text: &[u8]) -> Option<(Timestamp, usize)> {
        let near = self.0.as_ref().and_then(|second| second.read(text.first_chunk()?));
        near.or_else(|| self.read_anew(text))
    }

    /// Reads any time, and remembers its second if it has a fraction.
    #[cold]
    fn read_anew(&mut self, text: &[u8]) -> Option<(Timestamp, usize)> {
        let (time, used) = Timestamp::parse_prefix(text)?;
        if text.get(used) != Some(&b' ') {
            return None;
        }
        self.0 = Second::of(text, time, used).or(self.0);
        Some((time, used))
    }
}

impl Second {
    fn of(text: &[u8], time: Timestamp, used: usize) -> Option<Self> {
        let second: &[u8; 20] = text.first_chunk().filter(|second| second[19] == b'.')?;
        let digits = text.get(20..used)?.iter().take_while(|b| b.is_ascii_digit()).count();
        let zone_length = used - 20 - digits;
        let behind: &[u8; 8] = text.get(20 + digits..)?.first_chunk()?;
        let mask = u64::MAX >> (8 * 7usize.checked_sub(zone_length)?);
        let tail = u64::from_le_bytes(*behind) & mask;
        Some(Second { text: *second, tail, mask, zone_length, start: time.floor(SECOND).0 })
    }

    /// Reads a time within this second.
    #[inline]
    fn read(&self, text: &[u8; 40]) -> Option<(Timestamp, usize)> {
        if text[..20] != self.text {
            return None;
        }
        let (nanos, length) = fraction(text)?;
        let behind = text[20 + length..].first_chunk()?;
        let is_same = u64::from_le_bytes(*behind) & self.mask == self.tail;
        is_same.then_some((Timestamp(self.start + nanos), 20 + length + self.zone_length))
    }
}

/// The fraction at its place in a time, in nanoseconds, and how many digits it has: one to nine.
#[inline]
fn fraction(text: &[u8; 40]) -> Option<(i64, usize)> {
    let digits: &[u8; 8] = text[20..].first_chunk()?;
    let last = text[28].wrapping_sub(b'0');
    if last < 10
        && let Some(eight) = eight_digits(*digits)
    {
        return Some((eight * 10 + i64::from(last), 9));
    }
    let (mut nanos, mut count) = (0, 0);
    while count < 8 && text[20 + count].is_ascii_digit() {
        nanos = nanos * 10 + i64::from(text[20 + count] - b'0');
        count += 1;
    }
    (count > 0).then_some((nanos * POWERS[9 - count], count))
}

const POWERS: [i64; 10] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, SECOND];

/// The number that eight digits are, if all are digits. They are read at once: neighbours are
/// joined to pairs, pairs to fours, fours to the whole.
#[inline]
fn eight_digits(digits: [u8; 8]) -> Option<i64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    let word = u64::from_le_bytes(digits);
    // A digit has a high half of 3, and still has when 6 is added.
    if word & HIGH != ZEROS || word.wrapping_add(0x0606_0606_0606_0606) & HIGH != ZEROS {
        return None;
    }
    let ones = word & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = ones.wrapping_mul(10 << 8 | 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(10_000 << 32 | 1) >> 32) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn general(text: &[u8]) -> Option<(Timestamp, usize)> {
        Timestamp::parse_prefix(text).filter(|&(_, used)| text.get(used) == Some(&b' '))
    }

    const TIMES: [&str; 14] = [
        "2017-03-21T03:57:09.106841886-04:00 AUDIT: id=",
        "2017-03-21T03:57:09.000000001-04:00 AUDIT: id=",
        "2017-03-21T03:57:09.1068-04:00 AUDIT: id=",
        "2017-03-21T03:57:09.10684188-04:00 AUDIT: id=",
        "2017-03-21T03:57:09-04:00 AUDIT: id=",
        "2017-03-21T03:57:09.106841886-0400 AUDIT: id=",
        "2017-03-21T03:57:09.106841886+04:00 AUDIT: id=",
        "2017-03-21T03:57:09.106841886Z AUDIT: id=",
        "2017-03-21T03:57:09.1Z AUDIT: id=",
        "2017-03-21T03:57:09.1068418861234Z AUDIT: id=",
        "2017-03-21T03:57:09.106841886 AUDIT: id=",
        "2017-03-21 03:57:09.106841886-04 AUDIT: id=",
        "2017-03-21T03:57:60.999999999-04:00 AUDIT: id=",
        "1900-01-01T00:00:00.5Z AUDIT: id=",
    ];

    #[test]
    fn agrees_with_the_general_reading_whatever_came_before() {
        for before in TIMES {
            for text in TIMES {
                let mut clock = Clock::default();
                clock.read(before.as_bytes());
                assert_eq!(clock.read(text.as_bytes()), general(text.as_bytes()), "{text} after {before}");
                assert_eq!(clock.read(text.as_bytes()), general(text.as_bytes()), "{text} twice");
            }
        }
    }

    #[test]
    fn agrees_with_a_byte_changed() {
        for text in TIMES {
            for at in 0..text.len() {
                for byte in *b"0179-+.:Z \x00\xb0/" {
                    let mut clock = Clock::default();
                    clock.read(text.as_bytes());
                    let mut mutant = text.as_bytes().to_vec();
                    mutant[at] = byte;
                    let shown = String::from_utf8_lossy(&mutant).into_owned();
                    assert_eq!(clock.read(&mutant), general(&mutant), "{shown} after {text}");
                }
                assert_eq!(Clock::default().read(&text.as_bytes()[..at]), general(&text.as_bytes()[..at]));
            }
        }
    }
}
