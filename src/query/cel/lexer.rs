//! Text into tokens, each with its place.

use super::Wrong;

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    /// A name or a word such as `in`.
    Name(&'t str),
    /// A whole number without its sign; whether a `u` follows.
    Number(u64, bool),
    Double(f64),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Symbol(&'static str),
    End,
}

/// Longer ones first, where one begins with another.
const SYMBOLS: [&str; 24] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",", "(", ")", "[", "]",
    "{", "}",
];

/// What people write who come from other languages, and what it is called here.
const OTHERS: [(&str, &str); 6] = [
    ("=~", "write text.matches(\"…\") for a regular expression"),
    ("=", "write == to compare"),
    ("&", "write && for both"),
    ("|", "write || for either"),
    ("`", "write \"…\" or '…' around text"),
    ("$", "fields are written without $: user.username"),
];

/// Cuts an expression into tokens; the last is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, Wrong> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::new();
    loop {
        lexer.skip_space();
        let at = lexer.at;
        let token = lexer.token()?;
        let end = token == Token::End;
        found.push((at, token));
        if end {
            return Ok(found);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes characters as long as they are wanted.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|character| !wanted(character)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if !self.rest().starts_with("//") {
                return;
            }
            self.take_while(|character| character != '\n');
        }
    }

    fn token(&mut self) -> Result<Token<'t>, Wrong> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        if let Some(string) = self.string()? {
            return Ok(string);
        }
        let digit_behind = self.rest().chars().nth(1).is_some_and(|second| second.is_ascii_digit());
        if first.is_ascii_digit() || first == '.' && digit_behind {
            return self.number();
        }
        if first == '_' || first.is_ascii_alphabetic() {
            return Ok(Token::Name(self.take_while(|c| c == '_' || c.is_ascii_alphanumeric())));
        }
        if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| self.rest().starts_with(symbol)) {
            self.at += symbol.len();
            return Ok(Token::Symbol(symbol));
        }
        let other = OTHERS.into_iter().find(|(other, _)| self.rest().starts_with(other));
        let shown = other.map_or_else(|| first.to_string(), |(other, _)| other.to_owned());
        let wrong = Wrong::new(self.at, format!("`{shown}` is not part of the language"));
        Err(match other {
            Some((_, help)) => wrong.with_help(help),
            None => wrong,
        })
    }

    fn number(&mut self) -> Result<Token<'t>, Wrong> {
        let at = self.at;
        if self.rest().starts_with("0x") || self.rest().starts_with("0X") {
            self.at += 2;
            let digits = self.take_while(|c| c.is_ascii_hexdigit());
            return self.whole(at, u64::from_str_radix(digits, 16).ok());
        }
        self.take_while(|c| c.is_ascii_digit());
        let mut double = false;
        if self.rest().starts_with('.') && self.rest().chars().nth(1).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
            double = true;
        }
        let exponent = self.rest().trim_start_matches(['e', 'E']);
        let digits = exponent.trim_start_matches(['+', '-']);
        if exponent.len() + 1 == self.rest().len() && digits.starts_with(|c: char| c.is_ascii_digit()) {
            self.at += self.rest().len() - digits.len();
            self.take_while(|c| c.is_ascii_digit());
            double = true;
        }
        let text = self.text.get(at..self.at).unwrap_or_default();
        if double {
            let wrong = || Wrong::new(at, format!("`{text}` is not a number"));
            return text.parse().map(Token::Double).map_err(|_| wrong());
        }
        self.whole(at, text.parse().ok())
    }

    /// The end of a whole number: its `u`, and nothing that belongs to a name.
    fn whole(&mut self, at: usize, value: Option<u64>) -> Result<Token<'t>, Wrong> {
        let unsigned = self.rest().starts_with(['u', 'U']);
        self.at += usize::from(unsigned);
        let more = self.take_while(|c| c == '_' || c.is_ascii_alphanumeric());
        let text = self.text.get(at..self.at).unwrap_or_default();
        let Some(value) = value.filter(|_| more.is_empty()) else {
            let wrong = Wrong::new(at, format!("`{text}` is not a number"));
            let unit = matches!(more, "ns" | "us" | "ms" | "s" | "m" | "h" | "d" | "w");
            return Err(if unit { wrong.with_help(format!("write duration(\"{text}\")")) } else { wrong });
        };
        Ok(Token::Number(value, unsigned))
    }

    /// A string, if one begins here: `"…"`, `'…'`, three of either, with `r` for raw and `b` for bytes before it.
    fn string(&mut self) -> Result<Option<Token<'t>>, Wrong> {
        let rest = self.rest();
        let prefix = rest.trim_start_matches(['r', 'R', 'b', 'B']);
        let letters = rest.len() - prefix.len();
        let Some(quote) = prefix.chars().next().filter(|c| matches!(c, '"' | '\'') && letters <= 2) else {
            return Ok(None);
        };
        let has = |wanted: char| rest.chars().take(letters).any(|c| c.eq_ignore_ascii_case(&wanted));
        let (raw, bytes) = (has('r'), has('b'));
        let at = self.at;
        let three = [quote; 3].iter().collect::<String>();
        let fence = if prefix.starts_with(&three) { three } else { quote.to_string() };
        self.at += letters + fence.len();
        let mut value = Vec::new();
        while !self.rest().starts_with(&fence) {
            let Some(next) = self.peek().filter(|next| fence.len() == 3 || *next != '\n') else {
                let wrong = Wrong::new(at, "the text that begins here does not end");
                return Err(wrong.with_help(format!("close it with {fence}")));
            };
            if next == '\\' && !raw {
                self.escape(bytes, &mut value)?;
            } else {
                value.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
                self.at += next.len_utf8();
            }
        }
        self.at += fence.len();
        Ok(Some(if bytes { Token::Bytes(value) } else { Token::Text(value) }))
    }

    fn escape(&mut self, bytes: bool, value: &mut Vec<u8>) -> Result<(), Wrong> {
        let at = self.at;
        let letter = self.rest().chars().nth(1).unwrap_or('\\');
        self.at += 1 + letter.len_utf8();
        let plain = match letter {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' | '?' | '"' | '\'' | '`' => letter,
            'x' | 'X' => return self.code(at, 2, 16, bytes, value),
            'u' => return self.code(at, 4, 16, false, value),
            'U' => return self.code(at, 8, 16, false, value),
            '0'..='3' => {
                self.at -= 1;
                return self.code(at, 3, 8, bytes, value);
            }
            _ => {
                let wrong = Wrong::new(at, format!("`\\{letter}` is no escape"));
                return Err(wrong.with_help("double the backslash, or write r\"…\" for text without escapes"));
            }
        };
        value.push(plain as u8);
        Ok(())
    }

    /// A character by its number, or a byte.
    fn code(&mut self, at: usize, digits: usize, radix: u32, byte: bool, value: &mut Vec<u8>) -> Result<(), Wrong> {
        let text = self.rest().get(..digits).filter(|text| text.chars().all(|c| c.is_digit(radix)));
        let number = text.and_then(|text| u32::from_str_radix(text, radix).ok());
        let character = number.and_then(char::from_u32);
        match (byte, number, character) {
            (true, Some(number @ 0..=255), _) => value.push(number as u8),
            (false, _, Some(character)) => value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => return Err(Wrong::new(at, "this escape names no character")),
        }
        self.at += digits;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Token<'_>> {
        tokens(text).unwrap().into_iter().map(|(_, token)| token).collect()
    }

    fn text(value: &str) -> Token<'_> {
        Token::Text(value.as_bytes().to_vec())
    }

    #[test]
    fn numbers() {
        let found = all("12 0x1F 7u 1.5 .5 1e3 2.5E-1 18446744073709551615u // and so on");
        let expected = [
            Token::Number(12, false),
            Token::Number(31, false),
            Token::Number(7, true),
            Token::Double(1.5),
            Token::Double(0.5),
            Token::Double(1000.0),
            Token::Double(0.25),
            Token::Number(u64::MAX, true),
            Token::End,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn strings() {
        let found = all(r#"'a"b' "\n\x41\u00e9\101" r"\d" '''it's''' b"\xff" "#);
        let expected = [text("a\"b"), text("\nAéA"), text(r"\d"), text("it's"), Token::Bytes(vec![255]), Token::End];
        assert_eq!(found, expected);
    }

    #[test]
    fn faults_have_a_place() {
        for (wrong, at) in [
            ("a = 1", 2),
            ("a & b", 2),
            ("\"abc", 0),
            ("x == \"a\\q\"", 7),
            ("5m", 0),
            ("99999999999999999999", 0),
            ("a == é", 5),
            ("\"\\ud800\"", 1),
            ("0x", 0),
            ("'\\", 0),
        ] {
            assert_eq!(tokens(wrong).unwrap_err().at, at, "{wrong}");
        }
    }
}
