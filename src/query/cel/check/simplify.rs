//! What need not be left to the program: constants are worked out, and tests of one field for several texts
//! become one.

use super::{Checker, Typed};
use crate::query::cel::fields::{Field, Type};
use crate::query::cel::program::{Constant, Expr};
use crate::query::cel::tree::{Kind, Node};
use crate::query::cel::value::Fault;
use crate::query::cel::{Wrong, run};

impl Checker<'_> {
    /// Works out what asks nothing of an event. A fault in it would be one for every event.
    pub(super) fn fold(&self, node: &Node, typed: Typed) -> Result<Typed, Wrong> {
        let constant = |expr: &Expr| matches!(expr, Expr::Constant(_));
        let all = match &typed.expr {
            Expr::Not(of) | Expr::Negate(of) => constant(of),
            Expr::Binary(_, left, right) => constant(left) && constant(right),
            Expr::Call(_, parts) => parts.iter().all(constant),
            _ => false,
        };
        if !all {
            return Ok(typed);
        }
        match run::constant(&typed.expr) {
            Ok(Some(value)) => Ok(Typed::new(Expr::Constant(value), typed.kind)),
            Ok(None) => Ok(typed),
            Err(fault) => Err(self.never(node, fault)),
        }
    }

    fn never(&self, node: &Node, fault: Fault) -> Wrong {
        let shown = self.shown(node);
        let wrong = match fault {
            Fault::Range => Wrong::new(node.at, format!("`{shown}` has no value")),
            _ => Wrong::new(node.at, format!("`{shown}` cannot be evaluated")),
        };
        match &node.kind {
            Kind::Call(_, name, ..) if name == "timestamp" => {
                wrong.with_help("write a time as in timestamp(\"2024-05-01T12:00:00Z\")")
            }
            Kind::Call(_, name, ..) if name == "duration" => {
                wrong.with_help("write a number with a unit: duration(\"500ms\"), duration(\"1h30m\")")
            }
            _ => wrong,
        }
    }
}

/// `field == "text"`, either way round.
pub(super) fn text_is(one: &Expr, other: &Expr) -> Option<Expr> {
    match (one, other) {
        (Expr::Constant(_), Expr::Field(_)) => text_in(other, std::slice::from_ref(one)),
        _ => text_in(one, std::slice::from_ref(other)),
    }
}

/// `field in ["text", …]`.
pub(super) fn text_in(of: &Expr, others: &[Expr]) -> Option<Expr> {
    let field = text_field(of)?;
    let word = |expr: &Expr| match expr {
        Expr::Constant(Constant::Text(word)) => Some(word.clone()),
        _ => None,
    };
    let mut words = others.iter().map(word).collect::<Option<Vec<_>>>()?;
    words.sort();
    words.dedup();
    Some(Expr::TextIn(field, words))
}

/// `&&`; parentheses around some of the parts change nothing.
pub(super) fn both(parts: Vec<Expr>) -> Expr {
    let parts = parts.into_iter().flat_map(|part| if let Expr::And(inner) = part { inner } else { vec![part] });
    Expr::And(parts.collect())
}

/// `||`; several texts for one field are one test.
pub(super) fn either(parts: Vec<Expr>) -> Expr {
    let Some(Expr::TextIn(field, _)) = parts.first() else { return Expr::Or(parts) };
    let field = *field;
    if !parts.iter().all(|part| matches!(part, Expr::TextIn(other, _) if *other == field)) {
        return Expr::Or(parts);
    }
    let of_part = |part: Expr| if let Expr::TextIn(_, words) = part { words } else { Vec::new() };
    let mut words: Vec<_> = parts.into_iter().flat_map(of_part).collect();
    words.sort();
    words.dedup();
    Expr::TextIn(field, words)
}

/// A field of the event's that holds text.
fn text_field(expr: &Expr) -> Option<Field> {
    match expr {
        Expr::Field(field) if field.kind() == Type::Text => Some(*field),
        _ => None,
    }
}
