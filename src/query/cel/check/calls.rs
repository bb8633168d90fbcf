//! Calls: functions with their arguments, and the forms that are none (`has`, `matches`, `orValue`, and the
//! comprehensions `all`, `exists`, `exists_one`, `filter`, `map`).

use regex::bytes::Regex;

use super::{Checker, Typed};
use crate::query::cel::Wrong;
use crate::query::cel::fields::Type;
use crate::query::cel::functions::{FUNCTIONS, Signature, Wanted, offset};
use crate::query::cel::program::{Constant, Each, Expr, Form};
use crate::query::cel::tree::{Kind, Node};
use crate::query::pattern::regex_fault;
use crate::query::suggest::closest;

/// Names of what is not a plain function, for suggestions.
const SPECIAL: [&str; 8] = ["has", "matches", "orValue", "all", "exists", "exists_one", "filter", "map"];

impl Checker<'_> {
    pub(super) fn call(
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
        for (node, wanted) in given.into_iter().zip(signature.takes) {
            parts.push(self.argument(node, *wanted, signature)?);
        }
        self.fold(node, Typed::new(Expr::Call(signature.function, parts), signature.gives.clone()))
    }

    fn argument(&mut self, node: &Node, wanted: Wanted, signature: &Signature) -> Result<Expr, Wrong> {
        let typed = self.value(node)?;
        if !wanted.takes(&typed.kind) {
            let shown = self.shown(node);
            let message = format!("`{shown}` is {}; `{}` wants {}", typed.kind.name(), signature.name, wanted.name());
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
        Ok(typed.expr)
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
        let element = self.element(of, &range.kind)?;
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

    /// What the variable of a comprehension over this is.
    fn element(&self, of: &Node, range: &Type) -> Result<Type, Wrong> {
        match range {
            Type::List(element) => Ok((**element).clone()),
            Type::Map(_) | Type::Any => Ok(Type::Any),
            other => {
                let message = format!("`{}` is {}, not a list or map", self.shown(of), other.name());
                Err(Wrong::new(of.at, message))
            }
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
