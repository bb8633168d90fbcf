//! What names stand for: a variable, a field of the event, a member or an element of what stands before.

use super::{Checker, Typed};
use crate::query::cel::Wrong;
use crate::query::cel::fields::{self, Type};
use crate::query::cel::functions::KINDS;
use crate::query::cel::program::{Constant, Expr};
use crate::query::cel::tree::{Kind, Node};
use crate::query::suggest::closest;

impl Checker<'_> {
    pub(super) fn name(&self, node: &Node, name: &str) -> Result<Typed, Wrong> {
        let variable = self.variables.iter().rposition(|(known, _)| known == name);
        if let Some(slot) = variable {
            let kind = self.variables.get(slot).map_or(Type::Any, |(_, kind)| kind.clone());
            return Ok(Typed::new(Expr::Variable(slot), kind));
        }
        if let Some(field) = fields::find(name) {
            return Ok(Typed::new(Expr::Field(field), field.kind()));
        }
        if let Some(kind) = KINDS.into_iter().find(|kind| *kind == name) {
            return Ok(Typed::new(Expr::Constant(Constant::Kind(kind)), Type::Kind));
        }
        let wrong = Wrong::new(node.at, format!("an event has no field `{name}`"));
        Err(wrong.with_help(meant_field(name)))
    }

    pub(super) fn select(&mut self, of: &Node, name: &str, at: usize) -> Result<Typed, Wrong> {
        let typed = self.any(of)?;
        match &typed.kind {
            Type::Group(group) => group_field(group, name, at),
            Type::Map(value) => {
                let value = (**value).clone();
                Ok(Typed::new(Expr::Select(typed.boxed(), name.as_bytes().into()), value))
            }
            Type::Any => Ok(Typed::new(Expr::Select(typed.boxed(), name.as_bytes().into()), Type::Any)),
            Type::List(_) => {
                let wrong = Wrong::new(at, format!("`{}` is a list, which has no fields", self.shown(of)));
                Err(wrong.with_help("write [0] for its first element, or exists(x, …) for any of them"))
            }
            other => Err(Wrong::new(at, format!("`{}` is {}, which has no fields", self.shown(of), other.name()))),
        }
    }

    pub(super) fn index(&mut self, of: &Node, index: &Node) -> Result<Typed, Wrong> {
        let typed = self.any(of)?;
        let place = self.value(index)?;
        if let (Type::Group(group), Kind::Text(name)) = (&typed.kind, &index.kind) {
            return group_field(group, &String::from_utf8_lossy(name), index.at);
        }
        let (kind, fits) = match &typed.kind {
            Type::List(element) => ((**element).clone(), place.kind.is_number()),
            // The keys of a map from the log are text; one that is written here has what it has.
            Type::Map(value) => ((**value).clone(), !place.kind.is_number() || matches!(typed.expr, Expr::Map(_))),
            Type::Any => (Type::Any, true),
            _ => {
                self.value(of)?;
                let message = format!("`{}` is {}, which has no elements", self.shown(of), typed.kind.name());
                return Err(Wrong::new(index.at, message));
            }
        };
        if !fits && place.kind != Type::Any {
            let wanted = if matches!(typed.kind, Type::List(_)) { "its place, a number" } else { "its key, text" };
            let wrong = format!("`{}` is {}; write {wanted}", self.shown(of), typed.kind.name());
            return Err(Wrong::new(index.at, wrong));
        }
        Ok(Typed::new(Expr::Index(typed.boxed(), place.boxed()), kind))
    }
}

/// A field of a group; of the event itself, also one that has no type here.
fn group_field(group: &str, name: &str, at: usize) -> Result<Typed, Wrong> {
    let whole = group == "event";
    let path = if whole { name.to_owned() } else { format!("{group}.{name}") };
    if let Some(field) = fields::find(&path) {
        return Ok(Typed::new(Expr::Field(field), field.kind()));
    }
    if whole {
        return Ok(Typed::new(Expr::Member(name.into()), Type::Any));
    }
    let wrong = Wrong::new(at, format!("`{group}` has no field `{name}`"));
    Err(match closest(name, fields::below(group)) {
        Some(near) => wrong.with_help(format!("did you mean `{near}`?")),
        None => wrong.with_help(format!("it has {}", fields::below(group).collect::<Vec<_>>().join(", "))),
    })
}

/// What somebody meant who wrote a name that no field has: one that stands in a group, or one that is close.
fn meant_field(name: &str) -> String {
    let inner = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
    let paths = || fields::FIELDS.iter().map(|(path, _)| *path);
    let plain = |text: &str| text.replace('_', "").to_lowercase();
    let same = paths().find(|path| plain(path) == plain(name) || plain(inner(path)) == plain(name));
    let near = || closest(name, fields::below(""));
    let within = || paths().find(|path| closest(name, [inner(path)]).is_some());
    match same.or_else(near).or_else(within) {
        Some(path) => format!("did you mean `{path}`?"),
        None => {
            format!("its fields are {}; event.NAME reads any other", fields::below("").collect::<Vec<_>>().join(", "))
        }
    }
}
