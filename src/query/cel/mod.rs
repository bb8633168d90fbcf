//! `--where`: an expression in CEL, the Common Expression Language, over one event.
//!
//! [`Where::compile`] reads the text (`lexer`, `tree`), looks up names and checks types (`check`), and leaves
//! a program over the event's own fields (`program`), which is run for each event that passes the other
//! filters (`run`). Fields are compared where they stand in the line; of bodies only what is asked for is
//! looked up, and nothing of them is built.
//!
//! The language is that of the CEL specification, with its two rules for what cannot be evaluated: a fault
//! (a field that is not there, a division by zero, a number where text should be) is the result of whatever
//! it stands in, and `&&`, `||`, `exists` and `all` get over it if their other parts decide. An expression
//! with a fault for a result does not match. Beyond the specification, a field that is not there equals
//! `null`, `orValue` replaces it, and `has` takes any field.
//!
//! A crate for CEL was looked at and left: what it evaluates are values it owns, so each event would have to
//! be built for it, and its parser names a line and column rather than what was meant. The grammar is small.

mod check;
mod fields;
mod functions;
mod lexer;
mod program;
mod run;
mod tree;
mod value;

use super::error::QueryError;
use crate::event::Event;
use program::Expr;

/// The flag that holds expressions.
const FLAG: &str = "--where";

/// What an expression looks like, for help lines.
const EXAMPLE: &str = "for example: user.username.startsWith(\"system:\") && responseStatus.code >= 400";

/// A compiled expression.
#[derive(Clone, Debug)]
pub(super) struct Where {
    program: Expr,
}

impl Where {
    /// Compiles what was typed.
    pub(super) fn compile(text: &str) -> Result<Self, QueryError> {
        let program = tree::parse(text).and_then(|tree| check::check(text, &tree));
        match program {
            Ok(program) => Ok(Where { program }),
            Err(wrong) => {
                // One line, so that the caret stands under the place.
                let shown: String = text.chars().map(|c| if c.is_ascii_whitespace() { ' ' } else { c }).collect();
                let (shown, at) = around(&shown, wrong.at);
                let error = QueryError::new(FLAG, &shown, at, wrong.message);
                Err(match wrong.help {
                    Some(help) => error.with_help(help),
                    None => error,
                })
            }
        }
    }

    /// Whether the expression is true of the event.
    pub(super) fn matches(&self, event: &Event<'_>) -> bool {
        run::is_true(&self.program, event)
    }

    /// The users of whom one made every request that matches, if that can be told.
    pub(super) fn users(&self) -> Option<Vec<&[u8]>> {
        let conditions = match &self.program {
            Expr::And(parts) => parts.as_slice(),
            single => std::slice::from_ref(single),
        };
        conditions.iter().find_map(|condition| match condition {
            Expr::TextIn(fields::Field::Username, words) => Some(words.iter().map(|word| &**word).collect()),
            _ => None,
        })
    }
}

/// A long expression's part around a place, and the place in it.
fn around(text: &str, at: usize) -> (String, usize) {
    let places: Vec<usize> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
    let fault = places.partition_point(|place| *place < at);
    let start = places.get(fault.saturating_sub(SHOWN)).copied().unwrap_or(0);
    let end = places.get(fault + SHOWN).copied().unwrap_or(text.len());
    let head = if start == 0 { "" } else { "…" };
    let tail = if end == text.len() { "" } else { "…" };
    (format!("{head}{}{tail}", text.get(start..end).unwrap_or_default()), at.saturating_sub(start) + head.len())
}

/// So many characters of an expression are shown on either side of a fault.
const SHOWN: usize = 100;

/// What is wrong with an expression, and where.
#[derive(Clone, Debug)]
struct Wrong {
    at: usize,
    message: String,
    help: Option<String>,
}

impl Wrong {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Wrong { at, message: message.into(), help: None }
    }

    fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

#[cfg(test)]
mod tests;
