//! Status codes and latencies: numbers and the ranges people write for them.

use super::error::QueryError;
use super::items::{Item, NONE};
use super::when::{DURATION_FORMS, parse_duration};
use crate::event::{Event, Stage};

const CODE_FORMS: &str = "write 403, 4xx, 500-599, '>=400' or '!2xx'";

/// A range of status codes, both ends inside.
type Range = (i32, i32);

/// What `--code` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Codes {
    positive: Vec<Range>,
    negative: Vec<Range>,
    absent: bool,
    not_absent: bool,
}

impl Codes {
    /// Compiles the items of the flag.
    pub(super) fn compile(items: &[Item<'_>]) -> Result<Self, QueryError> {
        let mut codes = Codes::default();
        for item in items {
            match (item.text == NONE, item.negated) {
                (true, false) => codes.absent = true,
                (true, true) => codes.not_absent = true,
                (false, false) => codes.positive.push(code_range(item)?),
                (false, true) => codes.negative.push(code_range(item)?),
            }
        }
        Ok(codes)
    }

    /// Whether a code passes; no code passes no range and every negation.
    pub(super) fn matches(&self, code: Option<i32>) -> bool {
        let within = |ranges: &[Range], code: i32| ranges.iter().any(|(low, high)| (*low..=*high).contains(&code));
        let asked = self.absent || !self.positive.is_empty();
        match code {
            Some(code) => (!asked || within(&self.positive, code)) && !within(&self.negative, code),
            None => (!asked || self.absent) && !self.not_absent,
        }
    }

    /// Whether several ranges, each with a meaning, together select every code: `>=400,<500` is
    /// such a slip, since items of one flag mean "or".
    pub(super) fn says_nothing(&self) -> bool {
        self.positive.len() > 1 && (100..600).all(|code| self.matches(Some(code)))
    }
}

fn code_range(item: &Item<'_>) -> Result<Range, QueryError> {
    let text = item.text;
    if text == "*" {
        return Ok((i32::MIN, i32::MAX));
    }
    if let Some((operator, number)) = comparison(text) {
        let code = code_number(&item.part(number))?;
        return Ok(match operator {
            ">=" => (code, i32::MAX),
            ">" => (code + 1, i32::MAX),
            "<=" => (i32::MIN, code),
            "<" => (i32::MIN, code - 1),
            _ => (code, code),
        });
    }
    if let Some((low, high)) = text.split_once('-') {
        let (low, high) = (code_number(&item.part(low.trim()))?, code_number(&item.part(high.trim()))?);
        if low > high {
            return Err(item.error(format!("the range {text} runs backwards")).with_help(CODE_FORMS));
        }
        return Ok((low, high));
    }
    let wildcards = text.bytes().rev().take_while(|b| matches!(b, b'x' | b'X')).count();
    if text.len() == 3 && (1..=2).contains(&wildcards) {
        let digits = text.trim_end_matches(['x', 'X']);
        let width = if wildcards == 1 { 10 } else { 100 };
        if let Some(low) = digits.parse::<i32>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit())) {
            return Ok((low * width, low * width + width - 1));
        }
    }
    let code = code_number(item)?;
    Ok((code, code))
}

fn code_number(item: &Item<'_>) -> Result<i32, QueryError> {
    let three_digits = item.text.len() == 3 && item.text.bytes().all(|b| b.is_ascii_digit());
    let code = item.text.parse().ok().filter(|_| three_digits);
    code.ok_or_else(|| item.error(format!("`{}` is not a status code", item.text)).with_help(CODE_FORMS))
}

/// Splits a comparison into its operator and what follows.
fn comparison(text: &str) -> Option<(&'static str, &str)> {
    let operators = [">=", "<=", ">", "<", "="];
    operators.into_iter().find_map(|operator| Some((operator, text.strip_prefix(operator)?.trim_start())))
}

/// What `--latency` says: every bound must hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    low: i64,
    high: i64,
}

impl Latency {
    /// Compiles the items of the flag; a duration alone means at least so long.
    pub(super) fn compile(items: &[Item<'_>]) -> Result<Self, QueryError> {
        let mut latency = Latency { low: 0, high: i64::MAX };
        for item in items {
            latency.narrow(item)?;
            if latency.low > latency.high {
                return Err(item.error("no latency is within all these bounds"));
            }
        }
        Ok(latency)
    }

    fn narrow(&mut self, item: &Item<'_>) -> Result<(), QueryError> {
        let (operator, text) = comparison(item.text).unwrap_or((">=", item.text));
        let Some(bound) = parse_duration(text).filter(|_| !item.negated && operator != "=") else {
            let fault = item.part(text).error(format!("`{}` is not a bound for a latency", item.text));
            return Err(fault.with_help(format!("write '>1s', '>=500ms' or '>1s,<5s'; {DURATION_FORMS}")));
        };
        match operator {
            ">" => self.low = self.low.max(bound.saturating_add(1)),
            "<" => self.high = self.high.min(bound - 1),
            "<=" => self.high = self.high.min(bound),
            _ => self.low = self.low.max(bound),
        }
        Ok(())
    }

    /// Whether the event took so long. Long-running requests, events whose format records no exact
    /// times and requests that have only just arrived have no latency and never match.
    pub(super) fn matches(&self, event: &Event<'_>) -> bool {
        let known = !event.is_long_running() && event.stage != Stage::RequestReceived;
        known && event.latency_ns().is_some_and(|taken| (self.low..=self.high).contains(&taken))
    }
}

#[cfg(test)]
mod tests {
    use super::super::items::split;
    use super::*;

    fn codes(value: &str) -> Result<Codes, QueryError> {
        Codes::compile(&split("--code", value)?)
    }

    #[test]
    fn code_ranges() {
        for (value, code, expected) in [
            ("403", Some(403), true),
            ("403", Some(404), false),
            ("4xx", Some(499), true),
            ("4XX", Some(500), false),
            ("40x", Some(409), true),
            ("500-599", Some(500), true),
            (">=400", Some(400), true),
            (">400", Some(400), false),
            ("<300", Some(299), true),
            ("<=300", Some(300), true),
            ("!2xx", Some(200), false),
            ("!2xx", None, true),
            ("4xx,!404", Some(404), false),
            ("4xx,!404", Some(403), true),
            ("409,5xx", Some(503), true),
            ("*", Some(200), true),
            ("*", None, false),
            ("<none>", None, true),
            ("<none>", Some(200), false),
            ("!<none>", None, false),
        ] {
            assert_eq!(codes(value).unwrap().matches(code), expected, "{value} {code:?}");
        }
    }

    #[test]
    fn bad_codes_are_pointed_at() {
        for (value, at) in
            [("403,4y", 4), ("4", 0), ("599-500", 0), (">=abc", 2), ("xxx", 0), ("500-", 4), ("~5", 0), ("+40", 0)]
        {
            let error = codes(value).unwrap_err();
            assert_eq!(error.at, at, "{value}");
            assert!(error.help.is_some());
        }
        assert!(codes(">=400,<500").unwrap().says_nothing());
        assert!(!codes("4xx,5xx").unwrap().says_nothing());
    }

    #[test]
    fn latency_bounds() {
        let bounds = |value| Latency::compile(&split("--latency", value).unwrap()).map(|l| (l.low, l.high));
        assert_eq!(bounds("1s"), Ok((1_000_000_000, i64::MAX)));
        assert_eq!(bounds(">1ms,<=2ms"), Ok((1_000_001, 2_000_000)));
        assert_eq!(bounds("<10us"), Ok((0, 9_999)));
        assert!(bounds("<1s,>2s").unwrap_err().message.contains("no latency"));
        for (bad, at) in [("5", 0), (">", 1), ("!1s", 1), ("1s,>x", 4)] {
            assert_eq!(bounds(bad).unwrap_err().at, at, "{bad}");
        }
    }
}
