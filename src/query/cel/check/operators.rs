//! What operators take and give, and the help where two sides do not go together.

use super::simplify::{text_in, text_is};
use super::{Checker, Typed};
use crate::query::cel::Wrong;
use crate::query::cel::fields::Type;
use crate::query::cel::program::Expr;
use crate::query::cel::tree::{Kind, Node, Operator};

impl Checker<'_> {
    pub(super) fn binary(
        &mut self,
        node: &Node,
        operator: Operator,
        at: usize,
        left: &Node,
        right: &Node,
    ) -> Result<Typed, Wrong> {
        if matches!(operator, Operator::Equal | Operator::Unequal)
            && let Some(found) = self.compare_with_null(operator, left, right)?
        {
            return Ok(found);
        }
        let one = self.value(left)?;
        if operator == Operator::In {
            return self.is_in(at, (left, one), right);
        }
        let other = self.value(right)?;
        let kind = match operator {
            Operator::Equal | Operator::Unequal => equality(&one.kind, &other.kind),
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                order(&one.kind, &other.kind)
            }
            _ => arithmetic(operator, &one.kind, &other.kind),
        };
        let Some(kind) = kind else {
            return Err(self.mismatch(operator, at, (left, &one.kind), (right, &other.kind)));
        };
        if let (Operator::Equal | Operator::Unequal, Some(test)) = (operator, text_is(&one.expr, &other.expr)) {
            let test = if operator == Operator::Equal { test } else { Expr::Not(Box::new(test)) };
            return Ok(Typed::new(test, Type::Bool));
        }
        self.fold(node, Typed::new(Expr::Binary(operator, one.boxed(), other.boxed()), kind))
    }

    /// `x == null`: whether there is no x.
    fn compare_with_null(&mut self, operator: Operator, left: &Node, right: &Node) -> Result<Option<Typed>, Wrong> {
        let of = match (&left.kind, &right.kind) {
            (Kind::Null, Kind::Null) => return Ok(None),
            (_, Kind::Null) => left,
            (Kind::Null, _) => right,
            _ => return Ok(None),
        };
        let is_null = match self.any(of)?.expr {
            Expr::Field(field) => Expr::Not(Box::new(Expr::FieldThere(field))),
            other => Expr::IsNull(Box::new(other)),
        };
        let test = if operator == Operator::Equal { is_null } else { Expr::Not(Box::new(is_null)) };
        Ok(Some(Typed::new(test, Type::Bool)))
    }

    fn is_in(&mut self, at: usize, (left, one): (&Node, Typed), right: &Node) -> Result<Typed, Wrong> {
        if let Kind::List(parts) = &right.kind {
            let (others, kind) = self.list(parts)?;
            if equality(&one.kind, &kind).is_none() {
                return Err(self.never_in(at, (left, &one.kind), &kind));
            }
            let test = text_in(&one.expr, &others).unwrap_or_else(|| Expr::OneOf(one.boxed(), others));
            return Ok(Typed::new(test, Type::Bool));
        }
        let other = self.value(right)?;
        match &other.kind {
            Type::List(kind) if equality(&one.kind, kind).is_none() => Err(self.never_in(at, (left, &one.kind), kind)),
            Type::List(_) | Type::Map(_) | Type::Any => {
                Ok(Typed::new(Expr::Binary(Operator::In, one.boxed(), other.boxed()), Type::Bool))
            }
            kind => {
                let wrong = Wrong::new(right.at, format!("`{}` is {}, not a list", self.shown(right), kind.name()));
                let text = *kind == Type::Text;
                Err(if text { wrong.with_help("write text.contains(\"part\") for a part of text") } else { wrong })
            }
        }
    }

    fn never_in(&self, at: usize, (node, kind): (&Node, &Type), element: &Type) -> Wrong {
        let shown = self.shown(node);
        Wrong::new(at, format!("`{shown}` is {}, and the list holds {}: never in it", kind.name(), element.name()))
    }

    fn mismatch(&self, operator: Operator, at: usize, one: (&Node, &Type), other: (&Node, &Type)) -> Wrong {
        let told = |(node, kind): (&Node, &Type)| format!("`{}` is {}", self.shown(node), kind.name());
        let message = format!("{} and {}: `{}` does not go with them", told(one), told(other), operator.symbol());
        let wrong = Wrong::new(at, message);
        let pair = |a: &Type, b: &Type| (one.1 == a && other.1 == b) || (one.1 == b && other.1 == a);
        let literal = if matches!(other.0.kind, Kind::Text(_)) { other.0 } else { one.0 };
        let shown = self.shown(literal);
        if pair(&Type::Time, &Type::Text) {
            return wrong.with_help(format!("write timestamp({shown})"));
        }
        if pair(&Type::Duration, &Type::Text) {
            return wrong.with_help(format!("write duration({shown})"));
        }
        if pair(&Type::Duration, &Type::Int) {
            return wrong.with_help("write a duration with its unit: duration(\"1s\")");
        }
        if pair(&Type::Int, &Type::Text) && matches!(literal.kind, Kind::Text(_)) {
            return wrong.with_help("write numbers without quotes");
        }
        wrong
    }
}

/// What comparing for equality gives; none where the answer could never be yes.
fn equality(one: &Type, other: &Type) -> Option<Type> {
    let comparable = match (one, other) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::List(one), Type::List(other)) => equality(one, other).is_some(),
        (Type::Map(_), Type::Map(_)) => true,
        _ => one == other || one.is_number() && other.is_number(),
    };
    comparable.then_some(Type::Bool)
}

fn order(one: &Type, other: &Type) -> Option<Type> {
    let ordered = |kind: &Type| !matches!(kind, Type::List(_) | Type::Map(_) | Type::Null | Type::Kind);
    if ordered(one) && ordered(other) { equality(one, other) } else { None }
}

fn arithmetic(operator: Operator, one: &Type, other: &Type) -> Option<Type> {
    let (add, subtract) = (operator == Operator::Add, operator == Operator::Subtract);
    match (one, other) {
        (Type::Any, _) | (_, Type::Any) => Some(Type::Any),
        (Type::Double, Type::Double) if operator == Operator::Remainder => None,
        (Type::Int, Type::Int) | (Type::Uint, Type::Uint) | (Type::Double, Type::Double) => Some(one.clone()),
        (Type::Int, Type::Double) | (Type::Double, Type::Int) if operator != Operator::Remainder => Some(Type::Double),
        (Type::Text, Type::Text) | (Type::Bytes, Type::Bytes) if add => Some(one.clone()),
        (Type::List(a), Type::List(b)) if add => Some(Type::List(if a == b { a.clone() } else { Box::new(Type::Any) })),
        (Type::Time, Type::Duration) if add || subtract => Some(Type::Time),
        (Type::Duration, Type::Time) if add => Some(Type::Time),
        (Type::Duration, Type::Duration) if add || subtract => Some(Type::Duration),
        (Type::Time, Type::Time) if subtract => Some(Type::Duration),
        _ => None,
    }
}
