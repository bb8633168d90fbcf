//! The functions of expressions: what they take, what they give, what they do.

use chrono::{DateTime, Datelike, FixedOffset, Timelike};

use super::fields::Type;
use super::value::{Fault, Value};
use crate::event::Timestamp;
use crate::query::when::parse_duration;

const SECOND: i64 = 1_000_000_000;

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    LowerAscii,
    UpperAscii,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Bool,
    Timestamp,
    Duration,
    Dyn,
    Kind,
    Year,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Anything,
    Text,
    /// Text, bytes, a list or a map.
    Sized,
    /// A time, or a duration.
    Moment,
    Time,
    /// A zone such as `"+02:00"`, which may be left out.
    Zone,
}

impl Wanted {
    /// Whether something of that type will do.
    pub(super) fn takes(self, found: &Type) -> bool {
        match self {
            _ if *found == Type::Any => true,
            Wanted::Anything => true,
            Wanted::Text | Wanted::Zone => *found == Type::Text,
            Wanted::Sized => matches!(found, Type::Text | Type::Bytes | Type::List(_) | Type::Map(_)),
            Wanted::Moment => matches!(found, Type::Time | Type::Duration),
            Wanted::Time => *found == Type::Time,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Wanted::Anything => "a value",
            Wanted::Text => "text",
            Wanted::Sized => "text, a list or a map",
            Wanted::Moment => "a time or a duration",
            Wanted::Time => "a time",
            Wanted::Zone => "a zone such as \"+02:00\"",
        }
    }
}

/// How a function is called.
pub(super) struct Signature {
    pub(super) name: &'static str,
    /// Called on a value, `text.name()`, rather than with it.
    pub(super) method: bool,
    pub(super) takes: &'static [Wanted],
    pub(super) gives: Type,
    pub(super) function: Function,
}

const fn method(name: &'static str, takes: &'static [Wanted], gives: Type, function: Function) -> Signature {
    Signature { name, method: true, takes, gives, function }
}

const fn of_any(name: &'static str, gives: Type, function: Function) -> Signature {
    Signature { name, method: false, takes: &[Wanted::Anything], gives, function }
}

const fn part(name: &'static str, function: Function) -> Signature {
    method(name, &[Wanted::Time, Wanted::Zone], Type::Int, function)
}

const fn clock(name: &'static str, function: Function) -> Signature {
    method(name, &[Wanted::Moment, Wanted::Zone], Type::Int, function)
}

/// All functions but those that look at more than values: `has`, `matches`, `orValue` and comprehensions.
pub(super) static FUNCTIONS: [Signature; 27] = [
    Signature { name: "size", method: false, takes: &[Wanted::Sized], gives: Type::Int, function: Function::Size },
    method("size", &[Wanted::Sized], Type::Int, Function::Size),
    method("startsWith", &[Wanted::Text, Wanted::Text], Type::Bool, Function::StartsWith),
    method("endsWith", &[Wanted::Text, Wanted::Text], Type::Bool, Function::EndsWith),
    method("contains", &[Wanted::Text, Wanted::Text], Type::Bool, Function::Contains),
    method("lowerAscii", &[Wanted::Text], Type::Text, Function::LowerAscii),
    method("upperAscii", &[Wanted::Text], Type::Text, Function::UpperAscii),
    of_any("int", Type::Int, Function::Int),
    of_any("uint", Type::Uint, Function::Uint),
    of_any("double", Type::Double, Function::Double),
    of_any("string", Type::Text, Function::Text),
    of_any("bytes", Type::Bytes, Function::Bytes),
    of_any("bool", Type::Bool, Function::Bool),
    of_any("timestamp", Type::Time, Function::Timestamp),
    of_any("duration", Type::Duration, Function::Duration),
    of_any("dyn", Type::Any, Function::Dyn),
    of_any("type", Type::Kind, Function::Kind),
    part("getFullYear", Function::Year),
    part("getMonth", Function::Month),
    part("getDate", Function::Date),
    part("getDayOfMonth", Function::DayOfMonth),
    part("getDayOfWeek", Function::DayOfWeek),
    part("getDayOfYear", Function::DayOfYear),
    clock("getHours", Function::Hours),
    clock("getMinutes", Function::Minutes),
    clock("getSeconds", Function::Seconds),
    clock("getMilliseconds", Function::Milliseconds),
];

/// Names that stand for types, as `type` gives them.
pub(super) const KINDS: [&str; 8] = ["bool", "int", "uint", "double", "string", "bytes", "list", "map"];

impl Function {
    /// Works it out.
    pub(super) fn call<'v>(self, mut arguments: Vec<Value<'v>>) -> Result<Value<'v>, Fault> {
        let second = if arguments.len() > 1 { arguments.pop() } else { None };
        let first = arguments.pop().ok_or(Fault::Mismatch)?;
        match (self, second) {
            (Function::Dyn, _) => Ok(first),
            (Function::Kind, _) => Ok(Value::Kind(first.kind())),
            (Function::Size, _) => size(&first).map(Value::Int),
            (Function::StartsWith | Function::EndsWith | Function::Contains, Some(second)) => {
                let (text, part) = (first.text().ok_or(Fault::Mismatch)?, second.text().ok_or(Fault::Mismatch)?);
                Ok(Value::Bool(match self {
                    Function::StartsWith => text.starts_with(&part),
                    Function::EndsWith => text.ends_with(&part),
                    _ => memchr::memmem::find(&text, &part).is_some(),
                }))
            }
            (Function::LowerAscii, _) => Ok(Value::Made(first.text().ok_or(Fault::Mismatch)?.to_ascii_lowercase())),
            (Function::UpperAscii, _) => Ok(Value::Made(first.text().ok_or(Fault::Mismatch)?.to_ascii_uppercase())),
            (Function::Int, _) => to_int(&first).map(Value::Int),
            (Function::Uint, _) => to_uint(&first).map(Value::Uint),
            (Function::Double, _) => to_double(&first).map(Value::Double),
            (Function::Text, _) => to_text(first),
            (Function::Bytes, _) => match first {
                Value::Bytes(_) => Ok(first),
                _ => Ok(Value::Bytes(first.text().ok_or(Fault::Mismatch)?.into_owned().into())),
            },
            (Function::Bool, _) => to_bool(&first).map(Value::Bool),
            (Function::Timestamp, _) => to_time(&first).map(Value::Time),
            (Function::Duration, _) => to_duration(&first).map(Value::Duration),
            (part, zone) => time_part(part, &first, zone.as_ref()).map(Value::Int),
        }
    }
}

/// How many characters, bytes, elements or entries.
fn size(value: &Value<'_>) -> Result<i64, Fault> {
    let count = match value {
        Value::Bytes(bytes) => bytes.len(),
        Value::RawList(list) => list.elements().count(),
        Value::RawMap(map) => map.members().count(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => String::from_utf8_lossy(&value.text().ok_or(Fault::Mismatch)?).chars().count(),
    };
    Ok(count as i64)
}

fn parsed<T: std::str::FromStr>(value: &Value<'_>) -> Result<T, Fault> {
    let text = value.text().ok_or(Fault::Mismatch)?;
    std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).ok_or(Fault::Range)
}

fn to_int(value: &Value<'_>) -> Result<i64, Fault> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Uint(number) => i64::try_from(*number).map_err(|_| Fault::Range),
        // Towards zero; the ends of 64 bits are no numbers that a double holds exactly.
        Value::Double(number) if number.abs() < 9.2e18 => Ok(*number as i64),
        Value::Double(_) => Err(Fault::Range),
        Value::Time(time) => Ok(time.div_euclid(SECOND)),
        _ => parsed(value),
    }
}

fn to_uint(value: &Value<'_>) -> Result<u64, Fault> {
    match value {
        Value::Uint(number) => Ok(*number),
        Value::Int(number) => u64::try_from(*number).map_err(|_| Fault::Range),
        Value::Double(number) if *number >= 0.0 && *number < 1.8e19 => Ok(*number as u64),
        Value::Double(_) => Err(Fault::Range),
        _ => parsed(value),
    }
}

fn to_double(value: &Value<'_>) -> Result<f64, Fault> {
    match value {
        Value::Double(number) => Ok(*number),
        Value::Int(number) => Ok(*number as f64),
        Value::Uint(number) => Ok(*number as f64),
        _ => parsed(value),
    }
}

fn to_bool(value: &Value<'_>) -> Result<bool, Fault> {
    if let Value::Bool(value) = value {
        return Ok(*value);
    }
    match &*value.text().ok_or(Fault::Mismatch)? {
        b"true" | b"True" | b"TRUE" | b"t" | b"1" => Ok(true),
        b"false" | b"False" | b"FALSE" | b"f" | b"0" => Ok(false),
        _ => Err(Fault::Range),
    }
}

/// As the specification has it: no fraction of zeros.
pub(super) fn time_text(time: i64) -> String {
    let text = Timestamp(time).to_rfc3339();
    format!("{}Z", text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.'))
}

fn to_text(value: Value<'_>) -> Result<Value<'_>, Fault> {
    let text = match &value {
        Value::Text(_) | Value::Made(_) => return Ok(value),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Time(time) => time_text(*time),
        Value::Duration(length) => format!("{}s", *length as f64 / SECOND as f64),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).map_err(|_| Fault::Range)?.to_owned(),
        _ => return Err(Fault::Mismatch),
    };
    Ok(Value::Made(text.into_bytes()))
}

fn to_time(value: &Value<'_>) -> Result<i64, Fault> {
    match value {
        Value::Time(time) => Ok(*time),
        Value::Int(seconds) => seconds.checked_mul(SECOND).ok_or(Fault::Range),
        _ => {
            let text = value.text().ok_or(Fault::Mismatch)?;
            // A date is its first moment, as everywhere on the command line.
            let date = if text.len() == 10 { Timestamp::parse(&[&*text, b"T00:00:00Z"].concat()) } else { None };
            date.or_else(|| Timestamp::parse(&text)).map(|time| time.0).ok_or(Fault::Range)
        }
    }
}

fn to_duration(value: &Value<'_>) -> Result<i64, Fault> {
    if let Value::Duration(length) = value {
        return Ok(*length);
    }
    let text = value.text().ok_or(Fault::Mismatch)?;
    let text = std::str::from_utf8(&text).map_err(|_| Fault::Range)?;
    let (sign, length) = text.strip_prefix('-').map_or((1, text), |length| (-1, length));
    Ok(sign * parse_duration(length).ok_or(Fault::Range)?)
}

fn time_part(part: Function, value: &Value<'_>, zone: Option<&Value<'_>>) -> Result<i64, Fault> {
    let time = match value {
        Value::Time(time) => zoned(*time, zone)?,
        Value::Duration(length) => return duration_part(part, *length),
        _ => return Err(Fault::Mismatch),
    };
    Ok(i64::from(match part {
        Function::Year => time.year(),
        Function::Month => time.month0() as i32,
        Function::Date => time.day() as i32,
        Function::DayOfMonth => time.day0() as i32,
        Function::DayOfWeek => time.weekday().num_days_from_sunday() as i32,
        Function::DayOfYear => time.ordinal0() as i32,
        Function::Hours => time.hour() as i32,
        Function::Minutes => time.minute() as i32,
        Function::Seconds => time.second() as i32,
        _ => time.timestamp_subsec_millis() as i32,
    }))
}

/// The whole hours, minutes or seconds of a duration; of milliseconds what is left of the second.
fn duration_part(part: Function, length: i64) -> Result<i64, Fault> {
    match part {
        Function::Hours => Ok(length / (3600 * SECOND)),
        Function::Minutes => Ok(length / (60 * SECOND)),
        Function::Seconds => Ok(length / SECOND),
        Function::Milliseconds => Ok(length % SECOND / 1_000_000),
        _ => Err(Fault::Mismatch),
    }
}

fn zoned(time: i64, zone: Option<&Value<'_>>) -> Result<DateTime<FixedOffset>, Fault> {
    let offset = match zone {
        None => FixedOffset::east_opt(0),
        Some(zone) => {
            let text = zone.text().ok_or(Fault::Mismatch)?;
            std::str::from_utf8(&text).ok().and_then(offset)
        }
    };
    Ok(Timestamp(time).to_utc().with_timezone(&offset.ok_or(Fault::Range)?))
}

/// `UTC`, `+02:00`, `-05:30` or `02:00`.
pub(super) fn offset(text: &str) -> Option<FixedOffset> {
    if text == "UTC" {
        return FixedOffset::east_opt(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let digits = |text: &str| text.parse::<u8>().ok().filter(|_| text.len() == 2).map(i32::from);
    FixedOffset::east_opt(sign * (digits(hours)? * 3600 + digits(minutes)? * 60))
}
