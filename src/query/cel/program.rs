//! What an expression is compiled to: names looked up, constants worked out, regular expressions built.

use regex::bytes::Regex;

use super::fields::Field;
use super::functions::Function;
use super::tree::Operator;
use super::value::Value;
use crate::event::Text;

/// A compiled expression.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Constant(Constant),
    Field(Field),
    /// A member of the event that has no type here.
    Member(Box<str>),
    /// The variable of the comprehension at this depth.
    Variable(usize),
    /// Whether a field is one of these texts, which are sorted.
    TextIn(Field, Vec<Box<[u8]>>),
    Select(Box<Expr>, Box<[u8]>),
    Index(Box<Expr>, Box<Expr>),
    FieldThere(Field),
    /// Whether there is such a value.
    There(Box<Expr>),
    /// Whether it is `null`, or not there.
    IsNull(Box<Expr>),
    /// The second where the first is not there.
    OrValue(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// Whether the first is one of the others.
    OneOf(Box<Expr>, Vec<Expr>),
    Choice(Box<[Expr; 3]>),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Matches(Box<Expr>, Regex),
    Call(Function, Vec<Expr>),
    Each(Box<Each>),
}

/// A comprehension.
#[derive(Clone, Debug)]
pub(super) struct Each {
    pub(super) form: Form,
    pub(super) range: Expr,
    /// Of each element: the condition; of `map`, what it becomes.
    pub(super) body: Expr,
    /// Of `map` with three arguments, the condition.
    pub(super) condition: Option<Expr>,
}

/// What a comprehension asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

/// A value that is known before any event is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Box<[u8]>),
    Bytes(Box<[u8]>),
    Time(i64),
    Duration(i64),
    Kind(&'static str),
}

impl Constant {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Constant::Null => Value::Null,
            Constant::Bool(value) => Value::Bool(*value),
            Constant::Int(value) => Value::Int(*value),
            Constant::Uint(value) => Value::Uint(*value),
            Constant::Double(value) => Value::Double(*value),
            Constant::Text(value) => Value::Text(Text::plain(value)),
            Constant::Bytes(value) => Value::Bytes(value.as_ref().into()),
            Constant::Time(value) => Value::Time(*value),
            Constant::Duration(value) => Value::Duration(*value),
            Constant::Kind(value) => Value::Kind(value),
        }
    }

    /// The value as a constant; none for lists and maps.
    pub(super) fn of(value: &Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Null => Constant::Null,
            Value::Bool(value) => Constant::Bool(*value),
            Value::Int(value) => Constant::Int(*value),
            Value::Uint(value) => Constant::Uint(*value),
            Value::Double(value) => Constant::Double(*value),
            Value::Text(_) | Value::Made(_) => Constant::Text(value.text()?.as_ref().into()),
            Value::Bytes(value) => Constant::Bytes(value.as_ref().into()),
            Value::Time(value) => Constant::Time(*value),
            Value::Duration(value) => Constant::Duration(*value),
            Value::Kind(value) => Constant::Kind(value),
            Value::RawList(_) | Value::RawMap(_) | Value::List(_) | Value::Map(_) => return None,
        })
    }
}
