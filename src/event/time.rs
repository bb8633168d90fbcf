//! Exact times: nanoseconds since 1970 in UTC, read by position where the server's own shape allows it.

use chrono::{DateTime, Utc};

const SECOND: i64 = 1_000_000_000;

/// A moment in UTC, in nanoseconds since the Unix epoch. Times that are read lie in the years 1900 to 2149.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads a time as logs write it: RFC 3339 with any number of fraction digits and any offset,
    /// lower-case `t` and `z`, a space for the `T`, or no zone at all (UTC). Returns `None` for
    /// anything else, including dates that do not exist.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (value, used) = Self::parse_prefix(text)?;
        (used == text.len()).then_some(value)
    }

    /// Reads exactly `2006-01-02T15:04:05.000000Z`, as the API server writes every time.
    #[inline]
    pub fn parse_micros(text: &[u8; 27]) -> Option<Self> {
        const SHAPE: &[u8; 27] = b"0000-00-00T00:00:00.000000Z";
        // All digits at once: each byte must be its place's separator, or a digit.
        let mut sound = true;
        for (&byte, &place) in text.iter().zip(SHAPE) {
            sound &= if place == b'0' { byte.wrapping_sub(b'0') < 10 } else { byte == place };
        }
        if !sound {
            return None;
        }
        let pair = |at: usize| i64::from(text[at] - b'0') * 10 + i64::from(text[at + 1] - b'0');
        let (year, month, day) = (pair(0) * 100 + pair(2), pair(5), pair(8));
        let (hour, minute, second) = (pair(11), pair(14), pair(17));
        if month == 0 || month > 12 || day == 0 || day > i64::from(days_in_month(year, month as u32)) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let micros = pair(20) * 10_000 + pair(22) * 100 + pair(24);
        let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        seconds.checked_mul(SECOND)?.checked_add(micros * 1000).map(Timestamp)?.within_reason()
    }

    /// Reads `text` in the shape of [`Timestamp::parse_micros`], given that this is the time of
    /// `known`: within the same second only the fraction has to be read.
    #[inline(always)]
    pub fn parse_near(self, known: &[u8; 27], text: &[u8; 27]) -> Option<Self> {
        if text[..20] != known[..20] || text[26] != b'Z' {
            return Self::parse_micros(text);
        }
        let micros = six_digits(text.last_chunk()?)?;
        Some(Timestamp(self.floor(SECOND).0 + micros * 1000))
    }

    /// Reads the time that `text` starts with and tells how many bytes it took.
    pub fn parse_prefix(text: &[u8]) -> Option<(Self, usize)> {
        let head: &[u8; 19] = text.first_chunk()?;
        if head[4] != b'-' || head[7] != b'-' || !matches!(head[10], b'T' | b't' | b' ') {
            return None;
        }
        if head[13] != b':' || head[16] != b':' {
            return None;
        }
        let year = i64::from(two(head[0], head[1])?) * 100 + i64::from(two(head[2], head[3])?);
        let (month, day) = (two(head[5], head[6])?, two(head[8], head[9])?);
        let (hour, minute, second) = (two(head[11], head[12])?, two(head[14], head[15])?, two(head[17], head[18])?);
        if month == 0 || month > 12 || day == 0 || day > days_in_month(year, month) {
            return None;
        }
        // Second 60 is a leap second; the next second is the only moment it can name.
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let days = days_from_civil(year, i64::from(month), i64::from(day));
        let seconds = days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        let (nanos, mut used) = fraction(text, 19)?;
        let (offset, zone) = zone(text.get(used..).unwrap_or_default())?;
        used += zone;
        let value = (seconds - offset).checked_mul(SECOND)?.checked_add(nanos)?;
        Some((Timestamp(value).within_reason()?, used))
    }

    /// Reads a number as a Unix time in seconds, milliseconds, microseconds or nanoseconds,
    /// told apart by size (seconds up to the year 5138).
    pub fn from_unix(number: i64) -> Option<Self> {
        let scale = match number.unsigned_abs() {
            0..100_000_000_000 => SECOND,
            100_000_000_000..100_000_000_000_000 => 1_000_000,
            100_000_000_000_000..100_000_000_000_000_000 => 1_000,
            _ => 1,
        };
        number.checked_mul(scale).map(Timestamp)?.within_reason()
    }

    /// Times outside the years 1900 to 2149 are taken for nonsense: no audit log is that old, and the
    /// distance of any two others can be counted in nanoseconds.
    const fn within_reason(self) -> Option<Self> {
        const FROM: i64 = days_from_civil(1900, 1, 1) * 86_400 * SECOND;
        const TO: i64 = days_from_civil(2150, 1, 1) * 86_400 * SECOND;
        if self.0 >= FROM && self.0 < TO { Some(self) } else { None }
    }

    /// The moment as chrono knows it.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0)
    }

    /// `2024-05-01T12:00:00.123456Z`: microseconds, as the API writes them; nanoseconds where the
    /// log had them.
    pub fn to_rfc3339(self) -> String {
        let (seconds, nanos) = (self.0.div_euclid(SECOND), self.0.rem_euclid(SECOND));
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let second = seconds.rem_euclid(86_400);
        let mut text = String::with_capacity(30);
        let mut number = |value: i64, width: u32, behind: char| {
            for place in (0..width).rev() {
                text.push(char::from(b'0' + (value / 10i64.pow(place) % 10) as u8));
            }
            text.push(behind);
        };
        number(year, 4, '-');
        number(month, 2, '-');
        number(day, 2, 'T');
        number(second / 3600, 2, ':');
        number(second / 60 % 60, 2, ':');
        number(second % 60, 2, '.');
        if nanos % 1000 == 0 {
            number(nanos / 1000, 6, 'Z')
        } else {
            number(nanos, 9, 'Z')
        }
        text
    }

    /// The start of the period of `width` nanoseconds that holds this moment, counted from the epoch.
    pub const fn floor(self, width: i64) -> Self {
        Timestamp(self.0 - self.0.rem_euclid(width))
    }
}

/// The number that the six bytes in the middle write, all at once: each byte of a word is a digit.
#[inline]
const fn six_digits(text: &[u8; 8]) -> Option<i64> {
    const EACH: u64 = 0x0101_0101_0101;
    let bytes = u64::from_le_bytes(*text) >> 8 & (0xff * EACH);
    let digits = bytes ^ (0x30 * EACH);
    // What is no digit has one of its upper four bits set, or gets one by adding six.
    if (digits | (digits + 0x06 * EACH)) & (0xf0 * EACH) != 0 {
        return None;
    }
    // Each digit becomes the tens of the next one; three pairs are left.
    let pairs = digits * 10 + (digits >> 8);
    Some(((pairs & 0xff) * 10_000 + (pairs >> 16 & 0xff) * 100 + (pairs >> 32 & 0xff)) as i64)
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a Gregorian date. Source: Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms".
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The Gregorian date of a day counted from 1970-01-01: year, month, day. Source as above.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// The fraction at `at`, if there is one, in nanoseconds (digits beyond the ninth are cut), and
/// where it ends.
fn fraction(text: &[u8], at: usize) -> Option<(i64, usize)> {
    if text.get(at) != Some(&b'.') {
        return Some((0, at));
    }
    let digits = text[at + 1..].iter().take_while(|b| b.is_ascii_digit());
    let (mut nanos, mut count) = (0i64, 0usize);
    for digit in digits {
        if count < 9 {
            nanos = nanos * 10 + i64::from(digit - b'0');
        }
        count += 1;
    }
    for _ in count.min(9)..9 {
        nanos *= 10;
    }
    (count > 0).then_some((nanos, at + 1 + count))
}

/// The zone's offset in seconds and its length; no zone is UTC.
fn zone(text: &[u8]) -> Option<(i64, usize)> {
    let sign = match text.first() {
        Some(b'Z' | b'z') => return Some((0, 1)),
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Some((0, 0)),
    };
    let hours = i64::from(two(*text.get(1)?, *text.get(2)?)?);
    let (minutes, used) = match (text.get(3), text.get(4), text.get(5)) {
        (Some(b':'), Some(&tens), Some(&ones)) => (i64::from(two(tens, ones)?), 6),
        (Some(&tens), Some(&ones), _) if tens.is_ascii_digit() => (i64::from(two(tens, ones)?), 5),
        _ => (0, 3),
    };
    (hours <= 23 && minutes <= 59).then_some((sign * (hours * 3600 + minutes * 60), used))
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;

    use super::*;

    fn shown(text: &str) -> Option<String> {
        Timestamp::parse(text.as_bytes()).map(Timestamp::to_rfc3339)
    }

    #[test]
    fn every_shape_of_time() {
        let cases = [
            ("2017-03-21T03:57:09.106841886-04:00", "2017-03-21T07:57:09.106841886Z"),
            ("2024-05-01T12:00:00.000001Z", "2024-05-01T12:00:00.000001Z"),
            ("2024-05-01T12:00:00Z", "2024-05-01T12:00:00.000000Z"),
            ("2024-05-01t12:00:00.1z", "2024-05-01T12:00:00.100000Z"),
            ("2022-11-29 00:09:04.38", "2022-11-29T00:09:04.380000Z"),
            ("2023-05-16T11:59:16.123000+00:00", "2023-05-16T11:59:16.123000Z"),
            ("2026-11-22T05:04:14.440560926+0530", "2026-11-21T23:34:14.440560926Z"),
            ("2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000000Z"),
            ("2024-05-01T12:00:00.123456789123Z", "2024-05-01T12:00:00.123456789Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "1677-09-21T00:12:44Z",
            "2262-04-11T23:47:16Z",
            "null",
            "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-05-01T24:00:00Z",
            "2024-05-01T12:00:00Zx",
            "2024-05-01T12:00:00.",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn agrees_with_chrono() {
        for step in 0..3000i64 {
            let moment = Timestamp(-2_000_000_000_000_000_000 + step * 2_345_678_901_234_567);
            assert_eq!(Timestamp::parse(moment.to_rfc3339().as_bytes()), Some(moment));
            let format = if moment.0 % 1000 == 0 { SecondsFormat::Micros } else { SecondsFormat::Nanos };
            assert_eq!(moment.to_rfc3339(), moment.to_utc().to_rfc3339_opts(format, true));
            let micros = Timestamp(moment.0.div_euclid(1000) * 1000);
            let text = micros.to_rfc3339();
            assert_eq!(Timestamp::parse_micros(text.as_bytes().first_chunk().unwrap()), Some(micros));
        }
    }

    #[test]
    fn near_a_known_time_is_the_same_time() {
        let known = b"2024-05-01T12:00:00.250000Z";
        let base = Timestamp::parse_micros(known).unwrap();
        let mut text = *known;
        for place in 19..27 {
            for byte in 0..=255 {
                text[place] = byte;
                assert_eq!(base.parse_near(known, &text), Timestamp::parse_micros(&text), "{place} {byte}");
            }
            text[place] = b"00123456789Z"[place - 15];
        }
        for micros in (0..1_000_000).step_by(997) {
            let text = format!("2024-05-01T12:00:00.{micros:06}Z");
            let near = base.parse_near(known, text.as_bytes().first_chunk().unwrap());
            assert_eq!(near, Some(Timestamp(base.0 - 250_000_000 + micros * 1000)), "{text}");
        }
    }

    #[test]
    fn unix_numbers_by_size() {
        let expected = Timestamp::parse(b"2024-05-01T12:00:00Z");
        for number in [1_714_564_800, 1_714_564_800_000, 1_714_564_800_000_000, 1_714_564_800_000_000_000] {
            assert_eq!(Timestamp::from_unix(number), expected);
        }
    }
}
