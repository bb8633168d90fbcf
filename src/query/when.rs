//! Durations and moments as people type them. The present is an argument, never read here.

use super::error::QueryError;
use crate::event::Timestamp;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;
/// How far a window reaches to either side unless told.
const WINDOW: i64 = 300 * SECOND;

/// What can be written for a moment, for help lines.
pub(super) const MOMENT_FORMS: &str =
    "write 2024-05-01T12:00:00Z, 2024-05-01, '2024-05-01 12:00', 15m (ago), yesterday or @1714564800";
/// What can be written for a span, for help lines.
const SPAN_FORMS: &str =
    "write two times, as in 2024-05-01T12:00Z..2024-05-01T13:00Z; the second is the first moment outside";
/// What can be written for a duration, for help lines.
pub(super) const DURATION_FORMS: &str = "write a number with a unit: 500ms, 90s, 15m, 2h30m, 1d, 1w";

/// Reads a duration, in nanoseconds: numbers with units `ns us µs ms s m h d w`, decimals allowed,
/// joined as in Go (`1h30m`, `1.5h`). A number without a unit is no duration, save `0`.
pub fn parse_duration(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    if text.is_empty() {
        return None;
    }
    let (mut total, mut rest) = (0i128, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(end)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        total = total.checked_add(scaled(number, unit_ns(unit)?)?)?;
        rest = after;
    }
    i64::try_from(total).ok()
}

fn unit_ns(unit: &str) -> Option<i64> {
    Some(match unit {
        "ns" => 1,
        // Both code points that look like it: the micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return None,
    })
}

/// A decimal number times a unit, exactly; what is below a nanosecond is cut.
fn scaled(number: &str, unit: i64) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || fraction.len() > 20 {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
    let scale = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let parts = digits(fraction)?.checked_mul(i128::from(unit))? / scale;
    digits(whole)?.checked_mul(i128::from(unit))?.checked_add(parts)
}

/// The moment that a flag names, written as for `--since`.
///
/// # Errors
/// Fails on what is no moment.
pub fn read_moment(flag: &str, text: &str, now: Timestamp) -> Result<Timestamp, QueryError> {
    parse_moment(text, now).ok_or_else(|| QueryError::new(flag, text, 0, "not a moment").with_help(MOMENT_FORMS))
}

/// Reads a moment: RFC 3339 and its shorter forms (a date is its first moment in UTC, a time
/// without a zone is UTC), a duration ago with or without `-`, `now`, `today`, `yesterday`, or
/// `@` and Unix seconds.
pub(super) fn parse_moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    match text {
        "now" => return Some(now),
        "today" => return Some(now.floor(DAY)),
        "yesterday" => return now.floor(DAY).0.checked_sub(DAY).map(Timestamp),
        _ => {}
    }
    if let Some(unix) = text.strip_prefix('@') {
        return parse_unix(unix);
    }
    let ago = text.strip_prefix("now").unwrap_or(text);
    if let Some(ago) = parse_duration(ago.strip_prefix('-').unwrap_or(ago)) {
        return now.0.checked_sub(ago).map(Timestamp);
    }
    parse_date(text)
}

/// Unix seconds, with decimals if need be; a whole number that is too large for seconds is
/// milli-, micro- or nanoseconds.
fn parse_unix(text: &str) -> Option<Timestamp> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    if digits.contains('.') {
        return Some(Timestamp(i64::try_from(scaled(digits, SECOND)?).ok()? * sign));
    }
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    Timestamp::from_unix(digits.parse::<i64>().ok().filter(|_| all_digits)? * sign)
}

fn parse_date(text: &str) -> Option<Timestamp> {
    if let Some(time) = Timestamp::parse(text.as_bytes()) {
        return Some(time);
    }
    if text.len() == 10 {
        return Timestamp::parse(format!("{text}T00:00:00Z").as_bytes());
    }
    // `2024-05-01 12:00`, with or without a zone: the seconds are missing.
    let (head, zone) = text.split_at_checked(16)?;
    if !zone.starts_with(':') {
        return Timestamp::parse(format!("{head}:00{zone}").as_bytes());
    }
    None
}

/// The time that since, until, around and window together select: `[since, until)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// First moment inside.
    pub(super) since: Option<Timestamp>,
    /// First moment after it.
    pub(super) until: Option<Timestamp>,
}

impl Span {
    /// Whether every time is inside, and no time at all too.
    pub(super) fn is_everything(self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Whether the moment is inside; no time never is, unless everything is.
    pub(super) fn has(self, time: Option<Timestamp>) -> bool {
        match time {
            Some(time) => self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until),
            None => self.is_everything(),
        }
    }

    /// Moves the start forward; a later start that is there already stays.
    pub(super) fn raise_since(&mut self, since: Timestamp) {
        self.since = self.since.max(Some(since));
    }

    /// Keeps what is no further from `middle` than `width`.
    pub(super) fn narrow_to(&mut self, middle: Timestamp, width: i64) {
        self.raise_since(Timestamp(middle.0.saturating_sub(width)));
        // Both ends belong to the window, the span's end does not.
        self.lower_until(Timestamp(middle.0.saturating_add(width).saturating_add(1)));
    }

    fn lower_until(&mut self, until: Timestamp) {
        self.until = Some(self.until.map_or(until, |old| old.min(until)));
    }
}

/// The time flags as typed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TimeFlags<'v> {
    pub(super) since: Option<&'v str>,
    pub(super) until: Option<&'v str>,
    pub(super) around: Option<&'v str>,
    pub(super) window: Option<&'v str>,
}

/// The span that the time flags select together: all of them must agree.
pub(super) fn check_span(flags: TimeFlags<'_>, now: Timestamp) -> Result<Span, QueryError> {
    let mut span = Span::default();
    if let Some(text) = flags.since {
        span.since = Some(moment("--since", text, now)?);
    }
    if let Some(text) = flags.until {
        span.until = Some(moment("--until", text, now)?);
    }
    check_order(flags, span)?;
    let window = flags.window.map(|text| duration("--window", text)).transpose()?;
    match (flags.around, window) {
        (Some(text), window) => {
            let named = |error: QueryError| match error.help.as_deref() {
                Some(MOMENT_FORMS) => {
                    error.with_help(format!("{MOMENT_FORMS}; or an audit id, its first 8 characters at least"))
                }
                _ => error,
            };
            let (middle, width) = (moment("--around", text, now).map_err(named)?, window.unwrap_or(WINDOW));
            span.narrow_to(middle, width);
            let outside = span.since >= span.until;
            let error = QueryError::new("--around", text, 0, "the window lies outside --since and --until");
            if outside { Err(error) } else { Ok(span) }
        }
        (None, Some(_)) => {
            let error = QueryError::new("--window", flags.window.unwrap_or_default(), 0, "a window needs a middle");
            Err(error.with_help("add --around with a time"))
        }
        (None, None) => Ok(span),
    }
}

/// Reads a span of time, `[T1, T2)` written as `T1..T2`; relative times count back from `now`.
///
/// # Errors
/// Fails if that is not two times, the earlier first.
pub fn parse_span(flag: &str, text: &str, now: Timestamp) -> Result<(Timestamp, Timestamp), QueryError> {
    let error = |at, message: String| QueryError::new(flag, text, at, message);
    let Some((since, until)) = text.split_once("..") else {
        return Err(error(0, format!("`{text}` is not a span of time")).with_help(SPAN_FORMS));
    };
    let end = |at: usize, word: &str| {
        let wrong = || error(at, format!("`{word}` is not a time")).with_help(MOMENT_FORMS);
        parse_moment(word.trim(), now).ok_or_else(wrong)
    };
    let (first, last) = (end(0, since)?, end(since.len() + 2, until)?);
    if first >= last {
        return Err(error(0, "the span ends before it begins".to_owned()).with_help(SPAN_FORMS));
    }
    Ok((first, last))
}

/// What a window lies around, when that is a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AroundRequest {
    /// Its audit id.
    pub audit_id: String,
    /// How far the window reaches to either side, in nanoseconds.
    pub width: i64,
}

/// The request that `--around` names by its audit id, if it names no time.
pub(super) fn around_request(flags: TimeFlags<'_>, now: Timestamp) -> Result<Option<AroundRequest>, QueryError> {
    let named = flags.around.map(str::trim).filter(|text| is_audit_id(text) && parse_moment(text, now).is_none());
    let Some(audit_id) = named else { return Ok(None) };
    let width = flags.window.map(|text| duration("--window", text)).transpose()?;
    Ok(Some(AroundRequest { audit_id: audit_id.to_owned(), width: width.unwrap_or(WINDOW) }))
}

/// Whether a text looks like an audit id or its beginning, and not like a time that was mistyped. The API server makes
/// UUIDs; clients may send others. Digits alone are a date or Unix time that something is wrong with.
fn is_audit_id(text: &str) -> bool {
    let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if hex && text.len() >= 8 && text.bytes().any(|b| b.is_ascii_alphabetic()) {
        return true;
    }
    let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let (mut groups, digit) = (text.split('-'), text.bytes().any(|b| b.is_ascii_digit()));
    let year = |group: &str| group.len() == 4 && group.bytes().all(|b| b.is_ascii_digit());
    letters && digit && text.len() >= 8 && text.contains('-') && !groups.next().is_none_or(year)
}

fn check_order(flags: TimeFlags<'_>, span: Span) -> Result<(), QueryError> {
    let (Some(since), Some(until)) = (span.since, span.until) else { return Ok(()) };
    if since < until {
        return Ok(());
    }
    let shown = format!("{} is not before --until {}", since.to_rfc3339(), until.to_rfc3339());
    let help = "--until is exclusive and a date is its first moment, so a whole day ends with the next date";
    Err(QueryError::new("--since", flags.since.unwrap_or_default(), 0, shown).with_help(help))
}

fn moment(flag: &str, text: &str, now: Timestamp) -> Result<Timestamp, QueryError> {
    let trimmed = text.trim();
    parse_moment(trimmed, now).ok_or_else(|| {
        let error = QueryError::new(flag, text, 0, format!("`{trimmed}` is not a time"));
        let number = !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_digit());
        let small = number && trimmed.len() < 9;
        match number {
            true if small => error.with_help(format!("add a unit, as in {trimmed}m, for so long ago")),
            true => error.with_help(format!("did you mean @{trimmed}, Unix time?")),
            false => error.with_help(MOMENT_FORMS),
        }
    })
}

/// A duration as a flag's value, greater than zero; a `-` before it is overlooked.
pub(super) fn duration(flag: &str, text: &str) -> Result<i64, QueryError> {
    let trimmed = text.trim();
    let found = parse_duration(trimmed.strip_prefix('-').unwrap_or(trimmed)).filter(|ns| *ns > 0);
    let error = || QueryError::new(flag, text, 0, format!("`{trimmed}` is not a duration")).with_help(DURATION_FORMS);
    found.ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1ns", Some(1)),
            ("10us", Some(10_000)),
            ("10µs", Some(10_000)),
            ("500ms", Some(500_000_000)),
            ("2h30m", Some(9000 * SECOND)),
            ("1.5h", Some(5400 * SECOND)),
            (".5s", Some(SECOND / 2)),
            ("1d", Some(DAY)),
            ("1w2d", Some(9 * DAY)),
            ("0.1s", Some(100_000_000)),
            ("", None),
            ("15", None),
            ("m", None),
            (".s", None),
            ("1.2.3s", None),
            ("15M", None),
            ("-5m", None),
            ("1h 5m", None),
            ("99999999999999w", None),
            ("99999999999999999999999999999999999999999999s", None),
        ] {
            assert_eq!(parse_duration(text), expected, "{text}");
        }
    }

    #[test]
    fn moments() {
        let now = time("2024-05-01T12:34:56Z");
        for (text, expected) in [
            ("2024-05-01T12:00:00+02:00", "2024-05-01T10:00:00Z"),
            ("2024-05-01T12:00:00.5Z", "2024-05-01T12:00:00.5Z"),
            ("2024-05-01", "2024-05-01T00:00:00Z"),
            ("2024-05-01 12:00", "2024-05-01T12:00:00Z"),
            ("2024-05-01T12:00", "2024-05-01T12:00:00Z"),
            ("2024-05-01T12:00+02:00", "2024-05-01T10:00:00Z"),
            ("-15m", "2024-05-01T12:19:56Z"),
            ("15m", "2024-05-01T12:19:56Z"),
            ("now-1h", "2024-05-01T11:34:56Z"),
            ("now", "2024-05-01T12:34:56Z"),
            ("today", "2024-05-01T00:00:00Z"),
            ("yesterday", "2024-04-30T00:00:00Z"),
            ("@1714564800", "2024-05-01T12:00:00Z"),
            ("@1714564800.25", "2024-05-01T12:00:00.25Z"),
        ] {
            assert_eq!(parse_moment(text, now), Some(time(expected)), "{text}");
        }
        for text in ["", "tomorrow", "2024-13-01", "12:00", "@", "@x", "@+5", "1714564800", "2024-05-01T", "-", "é"] {
            assert_eq!(parse_moment(text, now), None, "{text}");
        }
    }

    #[test]
    fn spans() {
        let now = time("2024-05-01T12:00:00Z");
        let flags = TimeFlags { since: Some("1h"), until: Some("now"), ..Default::default() };
        let span = check_span(flags, now).unwrap();
        assert!(span.has(Some(time("2024-05-01T11:00:00Z"))) && !span.has(Some(now)) && !span.has(None));
        let around = TimeFlags { around: Some("2024-05-01T11:00"), window: Some("1m"), ..flags };
        let span = check_span(around, now).unwrap();
        assert!(span.has(Some(time("2024-05-01T11:01:00Z"))) && !span.has(Some(time("2024-05-01T10:59:59Z"))));
        assert!(Span::default().has(None));
    }

    #[test]
    fn spans_in_one_word() {
        let now = time("2024-05-01T12:00:00Z");
        let span = parse_span("--before", "2024-05-01..2024-05-01T06:00Z", now).unwrap();
        assert_eq!(span, (time("2024-05-01T00:00:00Z"), time("2024-05-01T06:00:00Z")));
        assert_eq!(parse_span("--after", "2h..1h", now).unwrap().0, time("2024-05-01T10:00:00Z"));
        for text in ["", "..", "1h", "1h..2h", "1h..", "x..1h", "1h..1h"] {
            assert!(parse_span("--after", text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn audit_ids_are_told_from_times() {
        let now = time("2024-05-01T12:00:00Z");
        let id = |text: &str| {
            let flags = TimeFlags { around: Some(text), window: Some("1m"), ..Default::default() };
            around_request(flags, now).unwrap().map(|around| (around.audit_id, around.width / SECOND))
        };
        for text in
            ["185ba663", "1dc07bf9-b995-4fd6-8865-a3798e079387", "20240501-b995-4fd6-8865-a3798e079387", "my-request_7"]
        {
            assert_eq!(id(text), Some((text.to_owned(), 60)), "{text}");
        }
        for text in [
            "20240501",
            "185ba66",
            "2024-05-01",
            "2024-13-01",
            "-15m",
            "1h30m",
            "yesterday",
            "tomorrow",
            "12:00",
            "@1714564800",
            "",
        ] {
            assert_eq!(id(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        let now = time("2024-05-01T12:00:00Z");
        let refused = |flags| check_span(flags, now).unwrap_err().to_string();
        let same = TimeFlags { since: Some("2024-05-01"), until: Some("2024-05-01"), ..Default::default() };
        assert!(refused(same).contains("next date"));
        assert!(refused(TimeFlags { window: Some("5m"), ..Default::default() }).contains("--around"));
        assert!(refused(TimeFlags { since: Some("1714564800"), ..Default::default() }).contains("@1714564800"));
        assert!(refused(TimeFlags { around: Some("now"), window: Some("x"), ..Default::default() }).contains("unit"));
        assert!(
            refused(TimeFlags { around: Some("now"), until: Some("1h"), ..Default::default() }).contains("outside")
        );
        assert!(duration("--last", "0").is_err());
        assert_eq!(duration("--last", "-2h"), Ok(7200 * SECOND));
    }
}
