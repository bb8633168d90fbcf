//! Values as expressions see them: borrowed from the event where they can be.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::event::{RawJson, Text};

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A field, key or place that is not there.
    Absent,
    /// What an operator or function cannot work with.
    Mismatch,
    /// A number, time or duration that cannot be represented, or a division by zero.
    Range,
    /// Too much work for one event.
    TooMuch,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value<'v> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    /// Text of the event or the expression.
    Text(Text<'v>),
    /// Text that was made.
    Made(Vec<u8>),
    Bytes(Cow<'v, [u8]>),
    /// Nanoseconds since 1970.
    Time(i64),
    /// Nanoseconds.
    Duration(i64),
    /// A list or map of the event.
    RawList(RawJson<'v>),
    RawMap(RawJson<'v>),
    List(Vec<Value<'v>>),
    Map(Vec<(Value<'v>, Value<'v>)>),
    Kind(&'static str),
}

impl<'v> Value<'v> {
    /// A JSON value.
    pub(super) fn of_json(json: RawJson<'v>) -> Self {
        match json.0.first() {
            Some(b'"') => json.as_text().map_or(Value::Null, Value::Text),
            Some(b'{') => Value::RawMap(json),
            Some(b'[') => Value::RawList(json),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'-' | b'0'..=b'9') => number(json.0),
            _ => Value::Null,
        }
    }

    /// A JSON value that is there: not `null`.
    pub(super) fn present(json: RawJson<'v>) -> Option<Self> {
        (!json.is_null()).then(|| Value::of_json(json))
    }

    /// A field that the API has a list in; some shippers write its only element.
    pub(super) fn list(json: RawJson<'v>) -> Option<Self> {
        (!json.is_null()).then_some(Value::RawList(json))
    }

    /// The text it is.
    pub(super) fn text(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Value::Text(text) => Some(text.decode()),
            Value::Made(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    /// The name of its type in CEL.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null_type",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::Text(_) | Value::Made(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::Time(_) => "google.protobuf.Timestamp",
            Value::Duration(_) => "google.protobuf.Duration",
            Value::RawList(_) | Value::List(_) => "list",
            Value::RawMap(_) | Value::Map(_) => "map",
            Value::Kind(_) => "type",
        }
    }

    /// The order of two values of a kind that has one.
    pub(super) fn order(&self, other: &Value<'_>) -> Result<Ordering, Fault> {
        if let Some(order) = number_order(self, other) {
            // Only NaN has no order; what compares with it is never so.
            return order.ok_or(Fault::Range);
        }
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Ok(a.cmp(b)),
            (Value::Time(a), Value::Time(b)) | (Value::Duration(a), Value::Duration(b)) => Ok(a.cmp(b)),
            (Value::Bytes(a), Value::Bytes(b)) => Ok(a.cmp(b)),
            _ => match (self.text(), other.text()) {
                (Some(a), Some(b)) => Ok(a.cmp(&b)),
                _ => Err(Fault::Mismatch),
            },
        }
    }

    /// Whether two values that hold no others are equal; none if one of them holds others.
    pub(super) fn plain_equal(&self, other: &Value<'_>) -> Option<bool> {
        let holds =
            |value: &Value<'_>| matches!(value, Value::RawList(_) | Value::RawMap(_) | Value::List(_) | Value::Map(_));
        if holds(self) && holds(other) {
            return None;
        }
        if let Some(order) = number_order(self, other) {
            return Some(order == Some(Ordering::Equal));
        }
        Some(match (self, other) {
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Time(a), Value::Time(b)) | (Value::Duration(a), Value::Duration(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Kind(a), Value::Kind(b)) => a == b,
            _ => matches!((self.text(), other.text()), (Some(a), Some(b)) if a == b),
        })
    }
}

/// A JSON number: whole if it is written so and fits, else floating.
fn number<'v>(text: &[u8]) -> Value<'v> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let whole = text.parse().map(Value::Int).or_else(|_| text.parse().map(Value::Uint));
    whole.unwrap_or_else(|_| text.parse().map_or(Value::Null, Value::Double))
}

/// The order of two numbers, across their types and without rounding; the outer option is none where
/// one is no number.
fn number_order(a: &Value<'_>, b: &Value<'_>) -> Option<Option<Ordering>> {
    let whole = |value: &Value<'_>| match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Uint(number) => Some(i128::from(*number)),
        _ => None,
    };
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => Some(a.partial_cmp(b)),
        (Value::Double(a), b) => Some(whole_order(whole(b)?, *a).map(Ordering::reverse)),
        (a, Value::Double(b)) => Some(whole_order(whole(a)?, *b)),
        (a, b) => Some(Some(whole(a)?.cmp(&whole(b)?))),
    }
}

fn whole_order(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // Beyond 64 bits the cast stops at the ends of 128, which orders as it should.
    let cut = double.trunc() as i128;
    Some(whole.cmp(&cut).then_with(|| 0.0.partial_cmp(&double.fract()).unwrap_or(Ordering::Equal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_across_types() {
        for (a, b, expected) in [
            (Value::Int(1), Value::Double(1.0), Some(Ordering::Equal)),
            (Value::Int(1), Value::Double(1.5), Some(Ordering::Less)),
            (Value::Int(-1), Value::Double(-1.5), Some(Ordering::Greater)),
            (Value::Uint(u64::MAX), Value::Double(18_446_744_073_709_551_616.0), Some(Ordering::Less)),
            (Value::Int(-1), Value::Uint(1), Some(Ordering::Less)),
            (Value::Double(1e300), Value::Int(i64::MAX), Some(Ordering::Greater)),
            (Value::Double(f64::NAN), Value::Int(0), None),
        ] {
            assert_eq!(number_order(&a, &b), Some(expected), "{a:?} {b:?}");
        }
    }

    #[test]
    fn json_numbers() {
        let of = |text: &'static str| format!("{:?}", Value::of_json(RawJson(text.as_bytes())));
        assert_eq!(of("-3"), "Int(-3)");
        assert_eq!(of("18446744073709551615"), "Uint(18446744073709551615)");
        assert_eq!(of("1e3"), "Double(1000.0)");
        assert_eq!(of("99999999999999999999"), "Double(1e20)");
    }
}
