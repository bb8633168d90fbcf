//! A tree into a program: names are looked up, types compared, constants worked out. Everything that can be
//! known to be wrong before an event is seen is said here, and where it stands.
//!
//! What a part is and what its parts must be is decided here; what names stand for is in `names`, what goes with
//! an operator in `operators`, with a function in `calls`, and what need not be left to the program in `simplify`.

mod calls;
mod names;
mod operators;
mod simplify;

use self::simplify::{both, either};
use super::Wrong;
use super::fields::{self, Type};
use super::program::{Constant, Expr};
use super::tree::{Kind, Node};

/// Compiles a tree; its result must be a yes or no.
pub(super) fn check(text: &str, tree: &Node) -> Result<Expr, Wrong> {
    let mut checker = Checker { text, variables: Vec::new() };
    let typed = checker.value(tree)?;
    checker.want_bool(tree, &typed.kind).map_err(|wrong| match wrong.help {
        Some(_) => wrong,
        None => wrong.with_help("compare it with something"),
    })?;
    Ok(typed.expr)
}

/// An expression, and what it gives.
struct Typed {
    expr: Expr,
    kind: Type,
}

impl Typed {
    const fn new(expr: Expr, kind: Type) -> Self {
        Typed { expr, kind }
    }

    fn boxed(self) -> Box<Expr> {
        Box::new(self.expr)
    }
}

struct Checker<'t> {
    text: &'t str,
    /// The variables of the comprehensions around, the outermost first.
    variables: Vec<(String, Type)>,
}

impl Checker<'_> {
    /// The text of a part.
    fn shown(&self, node: &Node) -> String {
        let text = self.text.get(node.at..node.end).unwrap_or_default().trim_end();
        text.chars().map(|c| if c.is_ascii_whitespace() { ' ' } else { c }).collect()
    }

    /// A part whose value is used: no group of fields.
    fn value(&mut self, node: &Node) -> Result<Typed, Wrong> {
        let typed = self.any(node)?;
        let Type::Group(group) = typed.kind else { return Ok(typed) };
        let wrong = Wrong::new(node.at, format!("`{}` is a group of fields, not a value", self.shown(node)));
        let names: Vec<_> = fields::below(if group == "event" { "" } else { group }).collect();
        Err(wrong.with_help(format!("name one of its fields: {}", names.join(", "))))
    }

    fn any(&mut self, node: &Node) -> Result<Typed, Wrong> {
        Ok(match &node.kind {
            Kind::Null => Typed::new(Expr::Constant(Constant::Null), Type::Null),
            Kind::Bool(value) => Typed::new(Expr::Constant(Constant::Bool(*value)), Type::Bool),
            Kind::Int(value) => Typed::new(Expr::Constant(Constant::Int(*value)), Type::Int),
            Kind::Uint(value) => Typed::new(Expr::Constant(Constant::Uint(*value)), Type::Uint),
            Kind::Double(value) => Typed::new(Expr::Constant(Constant::Double(*value)), Type::Double),
            Kind::Text(value) => Typed::new(Expr::Constant(Constant::Text(value.as_slice().into())), Type::Text),
            Kind::Bytes(value) => Typed::new(Expr::Constant(Constant::Bytes(value.as_slice().into())), Type::Bytes),
            Kind::Name(name) => self.name(node, name)?,
            Kind::Select(of, name, at) => self.select(of, name, *at)?,
            Kind::Index(of, index) => self.index(of, index)?,
            Kind::Call(of, name, at, arguments) => self.call(node, of.as_deref(), name, *at, arguments)?,
            Kind::Not(of) => {
                let typed = self.test(of)?;
                self.fold(node, Typed::new(Expr::Not(Box::new(typed)), Type::Bool))?
            }
            Kind::Negate(of) => self.negate(node, of)?,
            Kind::And(parts) => Typed::new(both(self.tests(parts)?), Type::Bool),
            Kind::Or(parts) => Typed::new(either(self.tests(parts)?), Type::Bool),
            Kind::Binary(operator, at, left, right) => self.binary(node, *operator, *at, left, right)?,
            Kind::Choice(parts) => self.choice(parts)?,
            Kind::List(parts) => {
                let (parts, kind) = self.list(parts)?;
                Typed::new(Expr::List(parts), Type::List(Box::new(kind)))
            }
            Kind::Map(entries) => self.map(entries)?,
        })
    }

    fn want_bool(&self, node: &Node, kind: &Type) -> Result<(), Wrong> {
        if matches!(kind, Type::Bool | Type::Any) {
            return Ok(());
        }
        Err(Wrong::new(node.at, format!("`{}` is {}, not a yes or no", self.shown(node), kind.name())))
    }

    fn test(&mut self, node: &Node) -> Result<Expr, Wrong> {
        let typed = self.value(node)?;
        self.want_bool(node, &typed.kind)?;
        Ok(typed.expr)
    }

    fn tests(&mut self, nodes: &[Node]) -> Result<Vec<Expr>, Wrong> {
        nodes.iter().map(|node| self.test(node)).collect()
    }

    fn negate(&mut self, node: &Node, of: &Node) -> Result<Typed, Wrong> {
        let typed = self.value(of)?;
        if !matches!(typed.kind, Type::Int | Type::Double | Type::Duration | Type::Any) {
            let message = format!("`{}` is {}, which cannot be negative", self.shown(of), typed.kind.name());
            return Err(Wrong::new(of.at, message));
        }
        let kind = typed.kind.clone();
        self.fold(node, Typed::new(Expr::Negate(typed.boxed()), kind))
    }

    fn choice(&mut self, parts: &[Node; 3]) -> Result<Typed, Wrong> {
        let [condition, yes, no] = parts;
        let (condition, yes, no) = (self.test(condition)?, self.value(yes)?, self.value(no)?);
        let kind = if yes.kind == no.kind { yes.kind } else { Type::Any };
        Ok(Typed::new(Expr::Choice(Box::new([condition, yes.expr, no.expr])), kind))
    }

    /// The elements of a list, and what they are if they are all of one type.
    fn list(&mut self, nodes: &[Node]) -> Result<(Vec<Expr>, Type), Wrong> {
        let mut parts = Vec::new();
        let mut kind = None;
        for node in nodes {
            let typed = self.value(node)?;
            kind = match kind {
                None => Some(typed.kind),
                Some(known) if known == typed.kind => Some(known),
                Some(_) => Some(Type::Any),
            };
            parts.push(typed.expr);
        }
        Ok((parts, kind.unwrap_or(Type::Any)))
    }

    fn map(&mut self, entries: &[(Node, Node)]) -> Result<Typed, Wrong> {
        let mut parts = Vec::new();
        for (key, value) in entries {
            parts.push((self.value(key)?.expr, self.value(value)?.expr));
        }
        Ok(Typed::new(Expr::Map(parts), Type::Map(Box::new(Type::Any))))
    }
}
