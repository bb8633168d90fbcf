//! Numbers, sizes, durations, shares and times as people read them.
//!
//! All arithmetic is on integers, so the same number prints the same everywhere.

use chrono::{DateTime, FixedOffset, Local, SecondsFormat, TimeZone};

use crate::event::Timestamp;

/// The zone that times are shown in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimeZoneChoice {
    /// UTC, shown as `Z`.
    #[default]
    Utc,
    /// The zone of the machine.
    Local,
    /// A fixed offset from UTC.
    Fixed(FixedOffset),
}

impl TimeZoneChoice {
    /// Reads `UTC`, `local` or an offset such as `+05:30`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "utc" | "z" => Some(TimeZoneChoice::Utc),
            "local" => Some(TimeZoneChoice::Local),
            _ => text.parse().ok().map(TimeZoneChoice::Fixed),
        }
    }
}

/// `2024-05-01T12:00:00Z`: whole seconds, cut.
pub fn time_seconds(time: Timestamp, zone: TimeZoneChoice) -> String {
    time_text(time, zone, SecondsFormat::Secs)
}

/// `2024-05-01T12:00:00.123456Z`: microseconds, cut.
pub fn time_micros(time: Timestamp, zone: TimeZoneChoice) -> String {
    time_text(time, zone, SecondsFormat::Micros)
}

fn time_text(time: Timestamp, zone: TimeZoneChoice, format: SecondsFormat) -> String {
    fn shown<Z: TimeZone<Offset: std::fmt::Display>>(time: DateTime<Z>, format: SecondsFormat) -> String {
        time.to_rfc3339_opts(format, true)
    }
    let time = time.to_utc();
    match zone {
        TimeZoneChoice::Utc => shown(time, format),
        TimeZoneChoice::Local => shown(time.with_timezone(&Local), format),
        TimeZoneChoice::Fixed(offset) => shown(time.with_timezone(&offset), format),
    }
}

/// `1,234,567`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 event`, `1,234 events`: a number and what it counts, whose plural takes an `s`.
pub fn counted(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(value), if value == 1 { "" } else { "s" })
}

/// `512 B`, `1.2 GiB`: one decimal, rounded, in powers of 1024.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if value < 1024 {
        return format!("{value} B");
    }
    let mut unit = 1u128 << 10;
    for name in UNITS {
        let tenths = (u128::from(value) * 10 + unit / 2) / unit;
        if tenths < 10_240 || name == "EiB" {
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
        unit <<= 10;
    }
    unreachable!("the last unit always returns")
}

/// A duration in nanoseconds: `850ns`, `12.5µs`, `1.567ms`, `3.2s`, `12m3s`, `2h5m`, `2d4h`; cut, not rounded.
pub fn duration(nanoseconds: i64) -> String {
    const MICRO: u64 = 1_000;
    const MILLI: u64 = 1_000_000;
    const SECOND: u64 = 1_000_000_000;
    const MINUTE: u64 = 60 * SECOND;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let value = nanoseconds.unsigned_abs();
    let text = match value {
        0 => "0s".to_owned(),
        1..MICRO => format!("{value}ns"),
        MICRO..MILLI => decimal(value, MICRO, "µs"),
        MILLI..SECOND => decimal(value, MILLI, "ms"),
        SECOND..MINUTE => decimal(value, SECOND, "s"),
        MINUTE..HOUR => pair(value, (MINUTE, "m"), (SECOND, "s")),
        HOUR..DAY => pair(value, (HOUR, "h"), (MINUTE, "m")),
        _ => pair(value, (DAY, "d"), (HOUR, "h")),
    };
    if nanoseconds < 0 { format!("-{text}") } else { text }
}

/// Three decimals at most, without trailing zeros.
fn decimal(value: u64, unit: u64, name: &str) -> String {
    let (whole, thousandths) = (value / unit, value % unit * 1000 / unit);
    if thousandths == 0 {
        return format!("{whole}{name}");
    }
    let fraction = format!("{thousandths:03}");
    format!("{whole}.{}{name}", fraction.trim_end_matches('0'))
}

fn pair(value: u64, large: (u64, &str), small: (u64, &str)) -> String {
    let (first, second) = (value / large.0, value % large.0 / small.0);
    if second == 0 { format!("{first}{}", large.1) } else { format!("{first}{}{second}{}", large.1, small.1) }
}

/// `81%` of the whole: rounded, but `0%` only for nothing, `100%` only for all, `<1%` and `>99%` close to them.
pub fn percent(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0%".to_owned();
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    if part * 100 < whole {
        return "<1%".to_owned();
    }
    let rounded = (part * 200 + whole) / (whole * 2);
    if rounded == 100 && part < whole { ">99%".to_owned() } else { format!("{rounded}%") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes() {
        let numbers = [0, 999, 1000, 1_234_567, u64::MAX].map(number);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567", "18,446,744,073,709,551,615"]);
        let sizes = [0, 1023, 1024, 1_288_490_189, 1_048_575, u64::MAX].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.2 GiB", "1.0 MiB", "16.0 EiB"]);
    }

    #[test]
    fn durations() {
        let cases = [
            (0, "0s"),
            (850, "850ns"),
            (12_500, "12.5µs"),
            (1_567_000, "1.567ms"),
            (2_000_000, "2ms"),
            (3_040_000_000, "3.04s"),
            (723_000_000_000, "12m3s"),
            (720_000_000_000, "12m"),
            (7_500_000_000_000, "2h5m"),
            (187_200_000_000_000, "2d4h"),
            (-1_567_000, "-1.567ms"),
            (i64::MIN, "-106751d23h"),
        ];
        for (value, expected) in cases {
            assert_eq!(duration(value), expected);
        }
    }

    #[test]
    fn shares_do_not_lie() {
        let cases = [(0, 5), (1, 1000), (1, 100), (81, 100), (999, 1000), (5, 5), (0, 0), (u64::MAX - 1, u64::MAX)];
        let shown = cases.map(|(part, whole)| percent(part, whole));
        assert_eq!(shown, ["0%", "<1%", "1%", "81%", ">99%", "100%", "0%", ">99%"]);
    }

    #[test]
    fn times_in_zones() {
        let time = Timestamp::parse(b"2024-05-01T12:00:00.123456789Z").unwrap();
        assert_eq!(time_seconds(time, TimeZoneChoice::Utc), "2024-05-01T12:00:00Z");
        assert_eq!(time_micros(time, TimeZoneChoice::Utc), "2024-05-01T12:00:00.123456Z");
        let zone = TimeZoneChoice::parse("+05:30").unwrap();
        assert_eq!(time_seconds(time, zone), "2024-05-01T17:30:00+05:30");
        assert_eq!(TimeZoneChoice::parse("UTC"), Some(TimeZoneChoice::Utc));
        assert_eq!(TimeZoneChoice::parse("local"), Some(TimeZoneChoice::Local));
        assert_eq!(TimeZoneChoice::parse("Mars"), None);
    }
}
