//! A tree into a program: names are looked up, types compared, constants worked out. Everything that can be
//! known to be wrong before an event is seen is said here, and where it stands.

use regex::bytes::Regex;

use super::Wrong;
use super::fields::{self, Field, Type};
use super::functions::{FUNCTIONS, KINDS, Signature, Wanted, offset};
use super::program::{Constant, Each, Expr, Form};
use super::run;
use super::tree::{Kind, Node, Operator};
use super::value::Fault;
use crate::query::pattern::regex_fault;
use crate::query::suggest::closest;

/// Names of what is not a plain function, for suggestions.
const SPECIAL: [&str; 8] = ["has", "matches", "orValue", "all", "exists", "exists_one", "filter", "map"];

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

    fn name(&self, node: &Node, name: &str) -> Result<Typed, Wrong> {
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

    fn select(&mut self, of: &Node, name: &str, at: usize) -> Result<Typed, Wrong> {
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

    fn index(&mut self, of: &Node, index: &Node) -> Result<Typed, Wrong> {
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

    fn binary(
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

    fn call(
        &mut self,
        node: &Node,
        of: Option<&Node>,
        name: &str,
        at: usize,
        arguments: &[Node],
    ) -> Result<Typed, Wrong> {
        match (name, of, arguments) {
            ("has", None, [field]) => return self.has(field),
            ("has", None, _) => return Err(Wrong::new(at, "`has` takes one field, as in has(objectRef.name)")),
            ("matches", Some(text), [pattern]) | ("matches", None, [text, pattern]) => {
                return self.matches(text, pattern);
            }
            ("orValue", Some(of), [other]) => {
                let (of, other) = (self.value(of)?, self.value(other)?);
                let kind = if of.kind == other.kind { of.kind.clone() } else { Type::Any };
                return Ok(Typed::new(Expr::OrValue(of.boxed(), other.boxed()), kind));
            }
            (_, Some(of), _) => {
                if let Some(form) = form(name) {
                    return self.each(form, of, name, at, arguments);
                }
            }
            _ => {}
        }
        let signature = FUNCTIONS.iter().find(|known| known.name == name && known.method == of.is_some());
        let Some(signature) = signature else { return Err(unknown_function(name, at, of.is_some())) };
        self.function(node, signature, at, of, arguments)
    }

    fn function(
        &mut self,
        node: &Node,
        signature: &Signature,
        at: usize,
        of: Option<&Node>,
        arguments: &[Node],
    ) -> Result<Typed, Wrong> {
        let given: Vec<&Node> = of.into_iter().chain(arguments).collect();
        let least = signature.takes.iter().filter(|wanted| **wanted != Wanted::Zone).count();
        if !(least..=signature.takes.len()).contains(&given.len()) {
            let own = usize::from(of.is_some());
            let (wanted, found) = (least - own, given.len().saturating_sub(own));
            let noun = if wanted == 1 { "argument" } else { "arguments" };
            return Err(Wrong::new(at, format!("`{}` takes {wanted} {noun}, not {found}", signature.name)));
        }
        let mut parts = Vec::new();
        for (node, wanted) in given.iter().zip(signature.takes) {
            let typed = self.value(node)?;
            if !wanted.takes(&typed.kind) {
                let shown = self.shown(node);
                let message =
                    format!("`{shown}` is {}; `{}` wants {}", typed.kind.name(), signature.name, wanted.name());
                let wrong = Wrong::new(node.at, message);
                let list = signature.name == "contains" && matches!(typed.kind, Type::List(_));
                return Err(if list { wrong.with_help("write \"element\" in list") } else { wrong });
            }
            if let (Wanted::Zone, Expr::Constant(Constant::Text(zone))) = (wanted, &typed.expr)
                && std::str::from_utf8(zone).ok().and_then(offset).is_none()
            {
                let wrong = Wrong::new(node.at, format!("`{}` is no zone that is known here", self.shown(node)));
                return Err(wrong.with_help("write \"UTC\" or an offset such as \"+02:00\""));
            }
            parts.push(typed.expr);
        }
        self.fold(node, Typed::new(Expr::Call(signature.function, parts), signature.gives.clone()))
    }

    fn has(&mut self, field: &Node) -> Result<Typed, Wrong> {
        if !matches!(field.kind, Kind::Name(_) | Kind::Select(..) | Kind::Index(..)) {
            let wrong = Wrong::new(field.at, "`has` asks whether a field is there, and this is none");
            return Err(wrong.with_help("write has(objectRef.name)"));
        }
        let test = match self.any(field)?.expr {
            Expr::Field(field) => Expr::FieldThere(field),
            other => Expr::There(Box::new(other)),
        };
        Ok(Typed::new(test, Type::Bool))
    }

    fn matches(&mut self, text: &Node, pattern: &Node) -> Result<Typed, Wrong> {
        let (typed, regex) = (self.value(text)?, self.value(pattern)?);
        if !matches!(typed.kind, Type::Text | Type::Any) {
            let message = format!("`{}` is {}; `matches` wants text", self.shown(text), typed.kind.name());
            return Err(Wrong::new(text.at, message));
        }
        let Expr::Constant(Constant::Text(regex)) = &regex.expr else {
            // One from the log would be compiled for every event, and be of any size.
            return Err(Wrong::new(pattern.at, "the regular expression must be written out here"));
        };
        let regex = Regex::new(&String::from_utf8_lossy(regex)).map_err(|error| {
            let wrong = Wrong::new(pattern.at, format!("not a regular expression: {}", regex_fault(&error)));
            wrong.with_help("the syntax is that of the Rust crate regex; r\"…\" keeps backslashes as they are")
        })?;
        Ok(Typed::new(Expr::Matches(typed.boxed(), regex), Type::Bool))
    }

    fn each(&mut self, form: Form, of: &Node, name: &str, at: usize, arguments: &[Node]) -> Result<Typed, Wrong> {
        let (variable, condition, body) = match arguments {
            [variable, body] => (variable, None, body),
            [variable, condition, body] if form == Form::Map => (variable, Some(condition), body),
            _ => {
                let wrong = Wrong::new(at, format!("`{name}` takes a name for the element and what to ask of it"));
                return Err(wrong.with_help(format!("as in list.{name}(x, x.startsWith(\"a\"))")));
            }
        };
        let Kind::Name(variable) = &variable.kind else {
            return Err(Wrong::new(variable.at, format!("`{name}` takes a name for the element first")));
        };
        let range = self.value(of)?;
        let element = match &range.kind {
            Type::List(element) => (**element).clone(),
            Type::Map(_) | Type::Any => Type::Any,
            other => {
                let message = format!("`{}` is {}, not a list or map", self.shown(of), other.name());
                return Err(Wrong::new(of.at, message));
            }
        };
        self.variables.push((variable.clone(), element.clone()));
        let condition = condition.map(|condition| self.test(condition)).transpose();
        let body =
            if form == Form::Map { self.value(body) } else { self.test(body).map(|expr| Typed::new(expr, Type::Bool)) };
        self.variables.pop();
        let (condition, body) = (condition?, body?);
        let kind = match form {
            Form::Map => Type::List(Box::new(body.kind)),
            Form::Filter => Type::List(Box::new(element)),
            _ => Type::Bool,
        };
        let each = Each { form, range: range.expr, body: body.expr, condition };
        Ok(Typed::new(Expr::Each(Box::new(each)), kind))
    }

    /// Works out what asks nothing of an event. A fault in it would be one for every event.
    fn fold(&self, node: &Node, typed: Typed) -> Result<Typed, Wrong> {
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

fn form(name: &str) -> Option<Form> {
    Some(match name {
        "all" => Form::All,
        "exists" => Form::Exists,
        "exists_one" | "existsOne" => Form::ExistsOne,
        "filter" => Form::Filter,
        "map" => Form::Map,
        _ => return None,
    })
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

fn unknown_function(name: &str, at: usize, method: bool) -> Wrong {
    let call = if method { format!(".{name}(…)") } else { format!("{name}(…)") };
    let wrong = Wrong::new(at, format!("there is no function `{call}`"));
    let other = FUNCTIONS.iter().any(|known| known.name == name) || SPECIAL.contains(&name);
    if other {
        let shown = if method { format!("{name}(value)") } else { format!("value.{name}(…)") };
        return wrong.with_help(format!("write {shown}"));
    }
    let fitting = FUNCTIONS.iter().filter(|known| known.method == method).map(|known| known.name);
    let all = || fitting.clone().chain(SPECIAL);
    match closest(name, all()) {
        Some(near) => wrong.with_help(format!("did you mean `{near}`?")),
        None => wrong.with_help(format!("there are {}", all().collect::<Vec<_>>().join(", "))),
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

/// A field of the event's that holds text.
fn text_field(expr: &Expr) -> Option<Field> {
    match expr {
        Expr::Field(field) if field.kind() == Type::Text => Some(*field),
        _ => None,
    }
}

/// `field == "text"`, either way round.
fn text_is(one: &Expr, other: &Expr) -> Option<Expr> {
    match (one, other) {
        (Expr::Constant(_), Expr::Field(_)) => text_in(other, std::slice::from_ref(one)),
        _ => text_in(one, std::slice::from_ref(other)),
    }
}

/// `field in ["text", …]`.
fn text_in(of: &Expr, others: &[Expr]) -> Option<Expr> {
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
fn both(parts: Vec<Expr>) -> Expr {
    let parts = parts.into_iter().flat_map(|part| if let Expr::And(inner) = part { inner } else { vec![part] });
    Expr::And(parts.collect())
}

/// `||`; several texts for one field are one test.
fn either(parts: Vec<Expr>) -> Expr {
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
