//! Runs a compiled expression on one event.
//!
//! The work for one event is bounded by its size, so that a list somebody made long cannot make a nested
//! comprehension run for hours: what would take more is a fault.

use std::cmp::Ordering;

use super::fields::raw_member;
use super::program::{Constant, Each, Expr, Form};
use super::tree::Operator;
use super::value::{Fault, Value};
use crate::event::{Elements, Event, Format, Members};

/// So many times, in bytes looked at and values made, may an expression go through its event.
const TIMES: usize = 1000;

/// Counted on top of an event's own bytes, for small ones.
const LEAST: usize = 1000;

/// Values that hold values are compared to this depth.
const DEEPEST: usize = 64;

/// Whether the expression is true of the event; a fault is not.
pub(super) fn is_true(program: &Expr, event: &Event<'_>) -> bool {
    Run::new(event).test(program) == Ok(true)
}

/// The value of an expression that asks nothing of an event.
pub(super) fn constant(program: &Expr) -> Result<Option<Constant>, Fault> {
    let nothing = Event::empty(b"", Format::V1);
    let value = Run::new(&nothing).value(program)?;
    Ok(Constant::of(&value))
}

struct Run<'v> {
    event: &'v Event<'v>,
    /// The variables of the comprehensions around, the outermost first.
    variables: Vec<Value<'v>>,
    /// What may still be spent.
    left: usize,
}

impl<'v> Run<'v> {
    fn new(event: &'v Event<'v>) -> Self {
        let left = event.raw.len().saturating_add(LEAST).saturating_mul(TIMES);
        Run { event, variables: Vec::new(), left }
    }

    fn spend(&mut self, amount: usize) -> Result<(), Fault> {
        let left = self.left.checked_sub(amount);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Fault::TooMuch)
    }

    /// A yes or no.
    fn test(&mut self, program: &'v Expr) -> Result<bool, Fault> {
        match program {
            Expr::TextIn(field, words) => {
                let text = field.text(self.event).ok_or(Fault::Absent)?;
                Ok(match words.as_slice() {
                    [word] => text.eq_bytes(word),
                    _ => words.binary_search_by(|word| (**word).cmp(&text.decode())).is_ok(),
                })
            }
            Expr::And(parts) => self.unless(parts, false),
            Expr::Or(parts) => self.unless(parts, true),
            Expr::Not(of) => Ok(!self.test(of)?),
            Expr::FieldThere(field) => Ok(field.is_there(self.event)),
            Expr::There(of) => match self.value(of) {
                Ok(_) => Ok(true),
                Err(Fault::Absent) => Ok(false),
                Err(fault) => Err(fault),
            },
            Expr::IsNull(of) => match self.value(of) {
                Ok(value) => Ok(matches!(value, Value::Null)),
                Err(Fault::Absent) => Ok(true),
                Err(fault) => Err(fault),
            },
            Expr::Matches(text, regex) => {
                let text = self.value(text)?;
                let text = text.text().ok_or(Fault::Mismatch)?;
                Ok(regex.is_match(&text))
            }
            Expr::OneOf(of, others) => self.one_of(of, others),
            Expr::Each(each) if !matches!(each.form, Form::Filter | Form::Map) => self.quantify(each),
            Expr::Binary(operator, left, right) if operator_tests(*operator) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.compare(*operator, &left, &right)
            }
            Expr::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                if self.test(condition)? { self.test(yes) } else { self.test(no) }
            }
            _ => match self.value(program)? {
                Value::Bool(value) => Ok(value),
                _ => Err(Fault::Mismatch),
            },
        }
    }

    /// `&&` and `||`: the first part that decides does, whatever faults the others have.
    fn unless(&mut self, parts: &'v [Expr], decides: bool) -> Result<bool, Fault> {
        let mut fault = None;
        for part in parts {
            match self.test(part) {
                Ok(found) if found == decides => return Ok(decides),
                Ok(_) => {}
                Err(found) => fault = fault.or(Some(found)),
            }
        }
        fault.map_or(Ok(!decides), Err)
    }

    fn value(&mut self, program: &'v Expr) -> Result<Value<'v>, Fault> {
        Ok(match program {
            Expr::Constant(constant) => constant.value(),
            Expr::Field(field) => field.read(self.event).ok_or(Fault::Absent)?,
            Expr::Member(name) => {
                self.spend(self.event.raw.len())?;
                raw_member(self.event, name).map(Value::of_json).ok_or(Fault::Absent)?
            }
            Expr::Variable(slot) => {
                let value = self.variables.get(*slot).ok_or(Fault::Absent)?;
                let size = weight(value);
                let value = value.clone();
                self.spend(size)?;
                value
            }
            Expr::Select(of, name) => {
                let of = self.value(of)?;
                self.entry(of, &Value::Text(crate::event::Text::plain(name)))?
            }
            Expr::Index(of, index) => {
                let (of, index) = (self.value(of)?, self.value(index)?);
                self.element(of, &index)?
            }
            Expr::OrValue(of, other) => match self.value(of) {
                Err(Fault::Absent) => self.value(other)?,
                found => found?,
            },
            Expr::Negate(of) => match self.value(of)? {
                Value::Int(number) => Value::Int(number.checked_neg().ok_or(Fault::Range)?),
                Value::Double(number) => Value::Double(-number),
                Value::Duration(length) => Value::Duration(length.checked_neg().ok_or(Fault::Range)?),
                _ => return Err(Fault::Mismatch),
            },
            Expr::Binary(operator, left, right) if !operator_tests(*operator) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.spend(weight(&left) + weight(&right))?;
                calculate(*operator, left, right)?
            }
            Expr::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                if self.test(condition)? { self.value(yes)? } else { self.value(no)? }
            }
            Expr::List(parts) => Value::List(parts.iter().map(|part| self.value(part)).collect::<Result<_, Fault>>()?),
            Expr::Map(entries) => {
                let entry = |(key, value): &'v (Expr, Expr)| Ok((self.value(key)?, self.value(value)?));
                Value::Map(entries.iter().map(entry).collect::<Result<_, Fault>>()?)
            }
            Expr::Call(function, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(|part| self.value(part)).collect::<Result<_, Fault>>()?;
                self.spend(arguments.iter().map(weight).sum())?;
                function.call(arguments)?
            }
            Expr::Each(each) if matches!(each.form, Form::Filter | Form::Map) => self.build(each)?,
            _ => Value::Bool(self.test(program)?),
        })
    }

    fn one_of(&mut self, of: &'v Expr, others: &'v [Expr]) -> Result<bool, Fault> {
        let value = self.value(of)?;
        let mut fault = None;
        for other in others {
            match self.value(other).and_then(|other| self.equal(&value, &other, 0)) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(found) => fault = fault.or(Some(found)),
            }
        }
        fault.map_or(Ok(false), Err)
    }

    fn compare(&mut self, operator: Operator, left: &Value<'v>, right: &Value<'v>) -> Result<bool, Fault> {
        match operator {
            Operator::Equal => self.equal(left, right, 0),
            Operator::Unequal => self.equal(left, right, 0).map(|equal| !equal),
            Operator::In => self.is_in(left, right),
            Operator::Less => left.order(right).map(Ordering::is_lt),
            Operator::LessOrEqual => left.order(right).map(Ordering::is_le),
            Operator::Greater => left.order(right).map(Ordering::is_gt),
            _ => left.order(right).map(Ordering::is_ge),
        }
    }

    /// Whether something is an element of a list or a key of a map.
    fn is_in(&mut self, value: &Value<'v>, of: &Value<'v>) -> Result<bool, Fault> {
        for item in items(of.clone())? {
            self.spend(1 + weight(&item))?;
            if self.equal(value, &item, 0)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn equal(&mut self, left: &Value<'v>, right: &Value<'v>, depth: usize) -> Result<bool, Fault> {
        if let Some(equal) = left.plain_equal(right) {
            return Ok(equal);
        }
        if depth == DEEPEST {
            return Err(Fault::TooMuch);
        }
        self.spend(weight(left) + weight(right))?;
        let is_map = |value: &Value<'_>| matches!(value, Value::RawMap(_) | Value::Map(_));
        match (is_map(left), is_map(right)) {
            (false, false) => {
                let (left, right): (Vec<_>, Vec<_>) = (items(left.clone())?.collect(), items(right.clone())?.collect());
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(&right) {
                    if !self.equal(left, right, depth + 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (true, true) => self.equal_maps(left, right, depth),
            _ => Ok(false),
        }
    }

    fn equal_maps(&mut self, left: &Value<'v>, right: &Value<'v>, depth: usize) -> Result<bool, Fault> {
        let keys: Vec<_> = items(left.clone())?.collect();
        if keys.len() != items(right.clone())?.count() {
            return Ok(false);
        }
        for key in &keys {
            let (one, other) = (self.entry(left.clone(), key)?, self.entry(right.clone(), key));
            match other {
                Ok(other) if self.equal(&one, &other, depth + 1)? => {}
                Ok(_) | Err(Fault::Absent) => return Ok(false),
                Err(fault) => return Err(fault),
            }
        }
        Ok(true)
    }

    /// The value of a key.
    fn entry(&mut self, of: Value<'v>, key: &Value<'v>) -> Result<Value<'v>, Fault> {
        match of {
            Value::RawMap(map) => {
                self.spend(map.0.len())?;
                let key = key.text().ok_or(Fault::Absent)?;
                map.get(&key).map(Value::of_json).ok_or(Fault::Absent)
            }
            Value::Map(entries) => {
                self.spend(entries.len())?;
                let found = entries.into_iter().find(|(known, _)| known.plain_equal(key) == Some(true));
                found.map(|(_, value)| value).ok_or(Fault::Absent)
            }
            _ => Err(Fault::Mismatch),
        }
    }

    /// The value of a key, or at a place.
    fn element(&mut self, of: Value<'v>, index: &Value<'v>) -> Result<Value<'v>, Fault> {
        if matches!(of, Value::RawMap(_) | Value::Map(_)) {
            return self.entry(of, index);
        }
        let place = match index {
            Value::Int(place) => usize::try_from(*place).map_err(|_| Fault::Absent)?,
            Value::Uint(place) => usize::try_from(*place).map_err(|_| Fault::Absent)?,
            _ => return Err(Fault::Mismatch),
        };
        self.spend(weight(&of))?;
        match of {
            Value::RawList(list) => list.elements().nth(place).map(Value::of_json).ok_or(Fault::Absent),
            Value::List(list) => list.into_iter().nth(place).ok_or(Fault::Absent),
            _ => Err(Fault::Mismatch),
        }
    }

    /// `all`, `exists` and `exists_one`.
    fn quantify(&mut self, each: &'v Each) -> Result<bool, Fault> {
        let range = self.value(&each.range)?;
        let (mut fault, mut count) = (None, 0usize);
        for item in items(range)? {
            self.spend(1 + weight(&item))?;
            match (self.with(item, &each.body), each.form) {
                (Ok(true), Form::Exists) => return Ok(true),
                (Ok(false), Form::All) => return Ok(false),
                (Ok(found), _) => count += usize::from(found),
                (Err(Fault::TooMuch), _) => return Err(Fault::TooMuch),
                (Err(found), _) => fault = fault.or(Some(found)),
            }
        }
        match (fault, each.form) {
            (Some(fault), _) => Err(fault),
            (None, Form::ExistsOne) => Ok(count == 1),
            (None, form) => Ok(form == Form::All),
        }
    }

    /// `filter` and `map`.
    fn build(&mut self, each: &'v Each) -> Result<Value<'v>, Fault> {
        let range = self.value(&each.range)?;
        let mut list = Vec::new();
        for item in items(range)? {
            self.spend(1 + weight(&item))?;
            self.variables.push(item);
            let wanted = match (&each.condition, each.form) {
                (Some(condition), _) => self.test(condition),
                (None, Form::Filter) => self.test(&each.body),
                (None, _) => Ok(true),
            };
            let made = match (wanted, each.form) {
                (Ok(true), Form::Map) => self.value(&each.body).map(Some),
                (Ok(true), _) => Ok(self.variables.last().cloned()),
                (Ok(false), _) => Ok(None),
                (Err(fault), _) => Err(fault),
            };
            self.variables.pop();
            list.extend(made?);
        }
        Ok(Value::List(list))
    }

    fn with(&mut self, item: Value<'v>, body: &'v Expr) -> Result<bool, Fault> {
        self.variables.push(item);
        let result = self.test(body);
        self.variables.pop();
        result
    }
}

const fn operator_tests(operator: Operator) -> bool {
    !matches!(
        operator,
        Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder
    )
}

/// What looking at a value may cost.
fn weight(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.raw().len(),
        Value::Made(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::RawList(json) | Value::RawMap(json) => json.0.len(),
        Value::List(list) => list.iter().map(|value| 1 + weight(value)).sum(),
        Value::Map(entries) => entries.iter().map(|(key, value)| 1 + weight(key) + weight(value)).sum(),
        _ => 1,
    }
}

/// The elements of a list, or the keys of a map.
enum Items<'v> {
    Elements(Elements<'v>),
    Members(Members<'v>),
    List(std::vec::IntoIter<Value<'v>>),
    Map(std::vec::IntoIter<(Value<'v>, Value<'v>)>),
}

fn items(of: Value<'_>) -> Result<Items<'_>, Fault> {
    match of {
        Value::RawList(list) => Ok(Items::Elements(list.elements())),
        Value::RawMap(map) => Ok(Items::Members(map.members())),
        Value::List(list) => Ok(Items::List(list.into_iter())),
        Value::Map(entries) => Ok(Items::Map(entries.into_iter())),
        _ => Err(Fault::Mismatch),
    }
}

impl<'v> Iterator for Items<'v> {
    type Item = Value<'v>;

    fn next(&mut self) -> Option<Value<'v>> {
        match self {
            Items::Elements(elements) => elements.next().map(Value::of_json),
            Items::Members(members) => members.next().map(|(key, _)| Value::Text(key)),
            Items::List(list) => list.next(),
            Items::Map(entries) => entries.next().map(|(key, _)| key),
        }
    }
}

/// `+ - * / %`.
fn calculate<'v>(operator: Operator, left: Value<'v>, right: Value<'v>) -> Result<Value<'v>, Fault> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => whole(operator, a, b).map(Value::Int),
        (Value::Uint(a), Value::Uint(b)) => unsigned(operator, a, b).map(Value::Uint),
        (Value::Double(a), Value::Double(b)) => floating(operator, a, b).map(Value::Double),
        // Numbers of bodies are whole or not as they happen to be written.
        (Value::Double(a), Value::Int(b)) => floating(operator, a, b as f64).map(Value::Double),
        (Value::Int(a), Value::Double(b)) => floating(operator, a as f64, b).map(Value::Double),
        (Value::Time(a), Value::Duration(b)) => sum(operator, a, b).map(Value::Time),
        (Value::Duration(a), Value::Time(b)) if operator == Operator::Add => sum(operator, a, b).map(Value::Time),
        (Value::Time(a), Value::Time(b)) if operator == Operator::Subtract => sum(operator, a, b).map(Value::Duration),
        (Value::Duration(a), Value::Duration(b)) => sum(operator, a, b).map(Value::Duration),
        (left, right) if operator == Operator::Add => join(left, right),
        _ => Err(Fault::Mismatch),
    }
}

fn whole(operator: Operator, a: i64, b: i64) -> Result<i64, Fault> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        _ => a.checked_rem(b),
    };
    result.ok_or(Fault::Range)
}

fn unsigned(operator: Operator, a: u64, b: u64) -> Result<u64, Fault> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        _ => a.checked_rem(b),
    };
    result.ok_or(Fault::Range)
}

fn floating(operator: Operator, a: f64, b: f64) -> Result<f64, Fault> {
    match operator {
        Operator::Add => Ok(a + b),
        Operator::Subtract => Ok(a - b),
        Operator::Multiply => Ok(a * b),
        Operator::Divide => Ok(a / b),
        _ => Err(Fault::Mismatch),
    }
}

/// A sum or difference of times and durations.
fn sum(operator: Operator, a: i64, b: i64) -> Result<i64, Fault> {
    match operator {
        Operator::Add => a.checked_add(b).ok_or(Fault::Range),
        Operator::Subtract => a.checked_sub(b).ok_or(Fault::Range),
        _ => Err(Fault::Mismatch),
    }
}

/// Text, bytes and lists, one behind the other.
fn join<'v>(left: Value<'v>, right: Value<'v>) -> Result<Value<'v>, Fault> {
    if let (Some(a), Some(b)) = (left.text(), right.text()) {
        return Ok(Value::Made([&*a, &*b].concat()));
    }
    if let (Value::Bytes(a), Value::Bytes(b)) = (&left, &right) {
        return Ok(Value::Bytes([&**a, &**b].concat().into()));
    }
    let is_list = |value: &Value<'_>| matches!(value, Value::RawList(_) | Value::List(_));
    if !is_list(&left) || !is_list(&right) {
        return Err(Fault::Mismatch);
    }
    Ok(Value::List(items(left)?.chain(items(right)?).collect()))
}
