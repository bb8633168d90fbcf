//! Text as Go writes it: JSON strings, `%q` quoting, times, UUIDs, numbers.

/// Appends `text` escaped as Go's `encoding/json` does inside a string.
pub fn json_escape(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '&' | '<' | '>' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// `text` as the inside of a JSON string.
pub fn json(text: &str) -> String {
    let mut out = Vec::new();
    json_escape(&mut out, text);
    String::from_utf8(out).expect("escaping keeps UTF-8")
}

/// Appends `text` as the inside of a Go `%q` literal (printable characters stay as they are).
pub fn go_escape(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// `text` as a whole Go `%q` literal.
pub fn go_quote(text: &str) -> String {
    let mut out = vec![b'"'];
    go_escape(&mut out, text);
    out.push(b'"');
    String::from_utf8(out).expect("escaping keeps UTF-8")
}

/// Appends a decimal number.
pub fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a version 4 UUID made of these bits.
pub fn uuid(out: &mut Vec<u8>, bits: [u64; 2]) {
    let high = (bits[0] & !0xf000) | 0x4000;
    let low = (bits[1] & !(0b11 << 62)) | (0b10 << 62);
    let mut text = [b'-'; 36];
    let bytes = [high.to_be_bytes(), low.to_be_bytes()];
    let mut at = 0;
    for byte in bytes.as_flattened() {
        if matches!(at, 8 | 13 | 18 | 23) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    out.extend_from_slice(&text);
}

/// Lower-case hexadecimal of these bits, for tests and certificates.
pub fn hex(bits: u64) -> String {
    format!("{bits:016x}")
}

/// Writes times fast: the part down to the second is remembered between calls.
pub struct Clock {
    second: i64,
    text: [u8; 19],
}

impl Default for Clock {
    fn default() -> Self {
        Clock { second: i64::MIN, text: [0; 19] }
    }
}

impl Clock {
    fn seconds(&mut self, second: i64) -> &[u8] {
        if second != self.second {
            self.second = second;
            self.text = civil(second);
        }
        &self.text
    }

    /// Appends `2006-01-02T15:04:05.000000Z` for microseconds since 1970.
    pub fn micros(&mut self, out: &mut Vec<u8>, micros: i64) {
        out.extend_from_slice(self.seconds(micros.div_euclid(1_000_000)));
        let mut fraction = micros.rem_euclid(1_000_000) as u32;
        let mut text = *b".000000Z";
        for digit in text[1..7].iter_mut().rev() {
            *digit = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
        out.extend_from_slice(&text);
    }

    /// Appends whole seconds: `2006-01-02T15:04:05Z`.
    pub fn whole(&mut self, out: &mut Vec<u8>, micros: i64) {
        out.extend_from_slice(self.seconds(micros.div_euclid(1_000_000)));
        out.push(b'Z');
    }

    /// Appends Go's RFC3339Nano (trailing zeros cut) with a fixed zone: `offset` seconds, spelled `zone`.
    pub fn nanos(&mut self, out: &mut Vec<u8>, micros: i64, nanos: u32, offset: i64, zone: &str) {
        let local = micros + offset * 1_000_000;
        out.extend_from_slice(self.seconds(local.div_euclid(1_000_000)));
        let mut fraction = local.rem_euclid(1_000_000) as u32 * 1000 + nanos % 1000;
        let mut text = *b".000000000";
        for digit in text[1..].iter_mut().rev() {
            *digit = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
        let kept = text.iter().rposition(|&byte| byte != b'0').map_or(0, |at| at + 1);
        out.extend_from_slice(if kept > 1 { &text[..kept] } else { b"" });
        out.extend_from_slice(zone.as_bytes());
    }
}

/// `2006-01-02T15:04:05` from seconds since 1970, by Howard Hinnant's days-to-civil algorithm.
fn civil(second: i64) -> [u8; 19] {
    let (days, clock) = (second.div_euclid(86_400), second.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let text = format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", clock / 3600, clock / 60 % 60, clock % 60);
    text.as_bytes().try_into().expect("19 characters for years of four digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_spelled_as_the_server_does() {
        let mut clock = Clock::default();
        assert_eq!(written(|out| clock.micros(out, 1_741_507_200_000_042)), "2025-03-09T08:00:00.000042Z");
        assert_eq!(written(|out| clock.micros(out, 951_782_399_999_999)), "2000-02-28T23:59:59.999999Z");
        assert_eq!(written(|out| clock.micros(out, 951_782_400_000_000)), "2000-02-29T00:00:00.000000Z");
        assert_eq!(
            written(|out| clock.nanos(out, 1_490_083_029_106_840, 0, -14_400, "-04:00")),
            "2017-03-21T03:57:09.10684-04:00"
        );
        assert_eq!(written(|out| clock.nanos(out, 1_490_083_029_000_000, 0, 0, "Z")), "2017-03-21T07:57:09Z");
    }

    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(json("a=1&b=<\"\\\n\x1b"), "a=1\\u0026b=\\u003c\\\"\\\\\\n\\u001b");
        assert_eq!(go_quote("\"system:masters\""), "\"\\\"system:masters\\\"\"");
    }

    #[test]
    fn uuids_have_version_four() {
        assert_eq!(written(|out| uuid(out, [u64::MAX, u64::MAX])), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(written(|out| uuid(out, [0, 0])), "00000000-0000-4000-8000-000000000000");
    }
}
