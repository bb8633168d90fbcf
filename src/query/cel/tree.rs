//! Tokens into a tree: the grammar of CEL, by recursive descent. Names and types are not looked at.
//!
//! Trees are shallow by rule, so that nothing that walks one can exhaust the stack; chains of `&&` and `||`
//! are one level, however long.

use super::Wrong;
use super::lexer::{Token, tokens};

/// A part of an expression.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where its text begins and ends.
    pub(super) at: usize,
    pub(super) end: usize,
    depth: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Name(String),
    /// `of.name`, and where the name stands.
    Select(Box<Node>, String, usize),
    Index(Box<Node>, Box<Node>),
    /// `name(…)`, or `of.name(…)`, and where the name stands.
    Call(Option<Box<Node>>, String, usize, Vec<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    /// An operator, and where it stands.
    Binary(Operator, usize, Box<Node>, Box<Node>),
    Choice(Box<[Node; 3]>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

const RELATIONS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<", Operator::Less),
    ("<=", Operator::LessOrEqual),
    (">", Operator::Greater),
    (">=", Operator::GreaterOrEqual),
];
const SUMS: [(&str, Operator); 2] = [("+", Operator::Add), ("-", Operator::Subtract)];
const PRODUCTS: [(&str, Operator); 3] =
    [("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)];

impl Operator {
    /// How it is written.
    pub(super) fn symbol(self) -> &'static str {
        let mut known = RELATIONS.iter().chain(&SUMS).chain(&PRODUCTS);
        known.find(|(_, operator)| *operator == self).map_or("in", |(symbol, _)| symbol)
    }
}

/// Deeper trees are refused.
const DEEPEST: usize = 64;

/// Longer expressions are refused.
const LONGEST: usize = 64 * 1024;

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Node, Wrong> {
    if text.len() > LONGEST {
        return Err(Wrong::new(0, format!("the expression is longer than {LONGEST} bytes")));
    }
    if text.trim().is_empty() {
        return Err(Wrong::new(0, "an empty expression selects nothing").with_help(super::EXAMPLE));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, open: 0, end: 0 };
    let node = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(node),
        _ => Err(parser.unexpected("the end, or an operator such as && or ==")),
    }
}

struct Parser<'t> {
    tokens: Vec<(usize, Token<'t>)>,
    next: usize,
    /// How many expressions are open around the next token.
    open: usize,
    /// Where the last token taken ends.
    end: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> &Token<'t> {
        self.tokens.get(self.next).map_or(&Token::End, |(_, token)| token)
    }

    fn place(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |(at, _)| *at)
    }

    fn take(&mut self) -> Token<'t> {
        let token = self.peek().clone();
        if self.next + 1 < self.tokens.len() {
            self.next += 1;
        }
        self.end = self.place();
        token
    }

    /// Takes a symbol if it is next.
    fn eat(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(next) if *next == symbol);
        if found {
            self.take();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Wrong> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> Wrong {
        let at = self.place();
        let found = match self.peek() {
            Token::End => "the expression ends".to_owned(),
            Token::Name(name) => format!("`{name}` stands"),
            Token::Symbol(symbol) => format!("`{symbol}` stands"),
            Token::Number(..) | Token::Double(_) => "a number stands".to_owned(),
            Token::Text(_) | Token::Bytes(_) => "text stands".to_owned(),
        };
        let wrong = Wrong::new(at, format!("{found} where {wanted} should be"));
        match self.peek() {
            Token::Name("and" | "AND") => wrong.with_help("write && for both"),
            Token::Name("or" | "OR") => wrong.with_help("write || for either"),
            Token::Name("not" | "NOT") => wrong.with_help("write ! for not"),
            _ => wrong,
        }
    }

    /// A node over what was read since `at`, one level above `below`.
    fn node(&self, at: usize, below: usize, kind: Kind) -> Result<Node, Wrong> {
        let depth = below + 1;
        if depth > DEEPEST {
            return Err(too_deep(at));
        }
        Ok(Node { at, end: self.end, depth, kind })
    }

    fn expression(&mut self) -> Result<Node, Wrong> {
        self.open += 1;
        if self.open > DEEPEST {
            return Err(too_deep(self.place()));
        }
        let at = self.place();
        let first = self.either()?;
        let node = if self.eat("?") {
            let yes = self.either()?;
            self.expect(":")?;
            let no = self.expression()?;
            let below = first.depth.max(yes.depth).max(no.depth);
            self.node(at, below, Kind::Choice(Box::new([first, yes, no])))?
        } else {
            first
        };
        self.open -= 1;
        Ok(node)
    }

    fn either(&mut self) -> Result<Node, Wrong> {
        self.chain("||", Parser::both, Kind::Or)
    }

    fn both(&mut self) -> Result<Node, Wrong> {
        self.chain("&&", Parser::relation, Kind::And)
    }

    /// Parts with the same symbol between them.
    fn chain(
        &mut self,
        symbol: &str,
        part: fn(&mut Self) -> Result<Node, Wrong>,
        kind: fn(Vec<Node>) -> Kind,
    ) -> Result<Node, Wrong> {
        let at = self.place();
        let first = part(self)?;
        if !self.eat(symbol) {
            return Ok(first);
        }
        let mut parts = vec![first, part(self)?];
        while self.eat(symbol) {
            parts.push(part(self)?);
        }
        let below = deepest(&parts);
        self.node(at, below, kind(parts))
    }

    fn relation(&mut self) -> Result<Node, Wrong> {
        let at = self.place();
        let mut left = self.sum()?;
        loop {
            let place = self.place();
            let operator = match self.peek() {
                Token::Name("in") => Operator::In,
                Token::Symbol(symbol) => match RELATIONS.iter().find(|(known, _)| known == symbol) {
                    Some((_, operator)) => *operator,
                    None => return Ok(left),
                },
                _ => return Ok(left),
            };
            self.take();
            let right = self.sum()?;
            left = self.binary(at, operator, place, left, right)?;
        }
    }

    fn sum(&mut self) -> Result<Node, Wrong> {
        self.operators(&SUMS, Parser::product)
    }

    fn product(&mut self) -> Result<Node, Wrong> {
        self.operators(&PRODUCTS, Parser::unary)
    }

    fn operators(
        &mut self,
        known: &[(&str, Operator)],
        part: fn(&mut Self) -> Result<Node, Wrong>,
    ) -> Result<Node, Wrong> {
        let at = self.place();
        let mut left = part(self)?;
        loop {
            let place = self.place();
            let found = known.iter().find(|(symbol, _)| matches!(self.peek(), Token::Symbol(next) if next == symbol));
            let Some((_, operator)) = found else { return Ok(left) };
            self.take();
            let right = part(self)?;
            left = self.binary(at, *operator, place, left, right)?;
        }
    }

    fn binary(&self, at: usize, operator: Operator, place: usize, left: Node, right: Node) -> Result<Node, Wrong> {
        let below = left.depth.max(right.depth);
        self.node(at, below, Kind::Binary(operator, place, Box::new(left), Box::new(right)))
    }

    fn unary(&mut self) -> Result<Node, Wrong> {
        let at = self.place();
        let not = self.eat("!");
        if !not && !self.eat("-") {
            return self.member();
        }
        if !not && let Token::Number(number, false) = *self.peek() {
            self.take();
            let value = 0i64.checked_sub_unsigned(number);
            let node = self.node(at, 0, Kind::Int(value.ok_or_else(|| too_large(at))?))?;
            return self.members(node);
        }
        self.open += 1;
        if self.open > DEEPEST {
            return Err(too_deep(at));
        }
        let of = Box::new(self.unary()?);
        self.open -= 1;
        self.node(at, of.depth, if not { Kind::Not(of) } else { Kind::Negate(of) })
    }

    fn member(&mut self) -> Result<Node, Wrong> {
        let first = self.primary()?;
        self.members(first)
    }

    /// What hangs on a value: `.name`, `.name(…)`, `[…]`.
    fn members(&mut self, mut node: Node) -> Result<Node, Wrong> {
        let at = node.at;
        loop {
            if self.eat(".") {
                self.eat("?");
                let (place, name) = (self.place(), self.name("a field's name")?);
                let (depth, of) = (node.depth, Box::new(node));
                let kind = if self.eat("(") {
                    Kind::Call(Some(of), name, place, self.list(")")?)
                } else {
                    Kind::Select(of, name, place)
                };
                let below = kind.below().max(depth);
                node = self.node(at, below, kind)?;
            } else if self.eat("[") {
                self.eat("?");
                let index = self.expression()?;
                self.expect("]")?;
                let below = node.depth.max(index.depth);
                node = self.node(at, below, Kind::Index(Box::new(node), Box::new(index)))?;
            } else {
                return Ok(node);
            }
        }
    }

    fn name(&mut self, wanted: &str) -> Result<String, Wrong> {
        let Token::Name(name) = *self.peek() else { return Err(self.unexpected(wanted)) };
        self.take();
        Ok(name.to_owned())
    }

    fn primary(&mut self) -> Result<Node, Wrong> {
        let at = self.place();
        let kind = match self.peek().clone() {
            Token::Symbol("(") => {
                self.take();
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(Node { at, end: self.end, ..inner });
            }
            Token::Symbol("[") => {
                self.take();
                Kind::List(self.list("]")?)
            }
            Token::Symbol("{") => {
                self.take();
                Kind::Map(self.entries()?)
            }
            Token::Symbol(".") if matches!(self.tokens.get(self.next + 1), Some((_, Token::Name(_)))) => {
                // CEL's way to name a field from the root; everything here is there.
                self.take();
                return self.primary();
            }
            Token::Name(name) => return self.named(at, name),
            Token::Number(number, unsigned) => {
                let value = if unsigned { Some(Kind::Uint(number)) } else { i64::try_from(number).ok().map(Kind::Int) };
                self.take();
                value.ok_or_else(|| too_large(at))?
            }
            Token::Double(value) => self.literal(Kind::Double(value)),
            Token::Text(value) => self.literal(Kind::Text(value)),
            Token::Bytes(value) => self.literal(Kind::Bytes(value)),
            _ => return Err(self.unexpected("a value")),
        };
        let below = kind.below();
        self.node(at, below, kind)
    }

    fn literal(&mut self, kind: Kind) -> Kind {
        self.take();
        kind
    }

    fn named(&mut self, at: usize, name: &str) -> Result<Node, Wrong> {
        if matches!(name, "in" | "not" | "NOT") {
            return Err(self.unexpected("a value"));
        }
        self.take();
        let kind = match name {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "null" => Kind::Null,
            _ if self.eat("(") => Kind::Call(None, name.to_owned(), at, self.list(")")?),
            _ => Kind::Name(name.to_owned()),
        };
        let below = kind.below();
        self.node(at, below, kind)
    }

    /// Expressions with commas between them, up to and with what closes them. A comma may end them.
    fn list(&mut self, close: &str) -> Result<Vec<Node>, Wrong> {
        let mut items = Vec::new();
        while !self.eat(close) {
            items.push(self.expression()?);
            if !self.eat(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(items)
    }

    fn entries(&mut self) -> Result<Vec<(Node, Node)>, Wrong> {
        let mut entries = Vec::new();
        while !self.eat("}") {
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(entries)
    }
}

impl Kind {
    /// The depth of what it holds in lists.
    fn below(&self) -> usize {
        match self {
            Kind::Call(_, _, _, nodes) | Kind::List(nodes) => deepest(nodes),
            Kind::Map(entries) => entries.iter().map(|(key, value)| key.depth.max(value.depth)).max().unwrap_or(0),
            _ => 0,
        }
    }
}

fn deepest(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| node.depth).max().unwrap_or(0)
}

fn too_deep(at: usize) -> Wrong {
    Wrong::new(at, format!("the expression is nested deeper than {DEEPEST} levels"))
}

fn too_large(at: usize) -> Wrong {
    Wrong::new(at, "the number is too large for 64 bits")
}
