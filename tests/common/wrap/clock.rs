//! Times for envelopes: what a collector would have stamped on the line of that index.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

/// When the collector saw line `index`. No two are alike, and fractions have digits in every place.
pub(crate) fn at(index: usize) -> DateTime<Utc> {
    let base = DateTime::from_timestamp(1_773_043_200, 123_456_789).expect("a time of 2026");
    base + TimeDelta::microseconds(index as i64 * 37_013)
}

/// With nine digits always, as the kubelet writes it.
pub(crate) fn nanos(index: usize) -> String {
    at(index).format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()
}

/// As Go's RFC3339Nano: zeros at the end of the fraction are cut, and so may be the fraction.
pub(crate) fn trimmed(index: usize) -> String {
    let time = at(index);
    // Every few lines the fraction is short or absent.
    let nanos = match index % 7 {
        3 => 0,
        5 => 500_000_000,
        6 => 120_000_000,
        _ => time.timestamp_subsec_nanos(),
    };
    let seconds = time.format("%Y-%m-%dT%H:%M:%S");
    let fraction = format!("{nanos:09}");
    match fraction.trim_end_matches('0') {
        "" => format!("{seconds}Z"),
        digits => format!("{seconds}.{digits}Z"),
    }
}

/// With nine digits, in a zone 5½ hours ahead.
pub(crate) fn local(index: usize) -> String {
    let zone = FixedOffset::east_opt(5 * 3600 + 1800).expect("a zone");
    at(index).with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%.9f%:z").to_string()
}

/// With that many digits and `Z`.
pub(crate) fn fraction(index: usize, digits: usize) -> String {
    let time = at(index);
    let nanos = format!("{:09}", time.timestamp_subsec_nanos());
    let digits: String = nanos.chars().take(digits).collect();
    format!("{}.{digits}Z", time.format("%Y-%m-%dT%H:%M:%S"))
}

/// As the message's first words in a classic system log.
pub(crate) fn syslog(index: usize) -> String {
    at(index).format("%b %e %H:%M:%S").to_string()
}

/// In any other pattern.
pub(crate) fn pattern(index: usize, pattern: &str) -> String {
    at(index).format(pattern).to_string()
}

/// Milliseconds of Unix time.
pub(crate) fn millis(index: usize) -> i64 {
    at(index).timestamp_millis()
}

/// Microseconds of Unix time.
pub(crate) fn micros(index: usize) -> i64 {
    at(index).timestamp_micros()
}
