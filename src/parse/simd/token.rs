//! The grammar of an outline, as far as it is about two bytes that stand beside each other.

use super::Classes;

/// What a byte of an [outline](super::super::outline) can be, and what may follow it in compact JSON. One bit each, so
/// that a byte's own bit and the bits of what may follow the byte before it decide in one operation.
///
/// ```text
/// behind             may stand
/// {                  " }
/// [                  " { [ ] scalar
/// ,                  " { [ scalar       (in an object only "; that is not decided here)
/// :                  " { [ scalar
/// " (a string)       , : } ]
/// } ]                , } ]
/// scalar             scalar , } ]
/// ```
///
/// Any other ASCII byte passes for part of a scalar, whatever it is; no other byte may stand anywhere.
pub(in crate::parse) struct Token;

impl Token {
    const QUOTE: u8 = 1;
    const OPEN: u8 = 2;
    const CLOSE_BRACE: u8 = 4;
    const CLOSE_BRACKET: u8 = 8;
    const COMMA: u8 = 16;
    const COLON: u8 = 32;
    const SCALAR: u8 = 64;
    /// Not a digit; beside [`Token::SCALAR`].
    const WORD: u8 = 128;

    pub(super) const fn of(byte: u8) -> u8 {
        match byte {
            b'"' => Self::QUOTE,
            b'{' | b'[' => Self::OPEN,
            b'}' => Self::CLOSE_BRACE,
            b']' => Self::CLOSE_BRACKET,
            b',' => Self::COMMA,
            b':' => Self::COLON,
            b'0'..=b'9' => Self::SCALAR,
            _ => Self::SCALAR | Self::WORD,
        }
    }

    pub(super) const fn behind(byte: u8) -> u8 {
        const CLOSE: u8 = Token::CLOSE_BRACE | Token::CLOSE_BRACKET;
        const VALUE: u8 = Token::QUOTE | Token::OPEN | Token::SCALAR;
        match Self::of(byte) {
            Self::OPEN if byte == b'{' => Self::QUOTE | Self::CLOSE_BRACE,
            Self::OPEN => VALUE | Self::CLOSE_BRACKET,
            Self::COMMA | Self::COLON => VALUE,
            Self::QUOTE => Self::COMMA | Self::COLON | CLOSE,
            Self::CLOSE_BRACE | Self::CLOSE_BRACKET => Self::COMMA | CLOSE,
            _ => Self::SCALAR | Self::COMMA | CLOSE,
        }
    }

    /// The same rule for sixty-four bytes whose classes are known; `before` is the byte before them.
    #[inline(always)]
    pub(super) fn misplaced(classes: &Classes, before: u8) -> u64 {
        let behind = |bits: u64, token: u8| bits << 1 | u64::from(Self::of(before) & token != 0);
        let open = classes.open;
        let (open_brace, close_brace) = (open & classes.brace, classes.close & classes.brace);
        let scalar = !classes.any();
        let behind_open = behind(open, Self::OPEN);
        let behind_brace = open_brace << 1 | u64::from(before == b'{');
        let behind_separator = behind(classes.comma | classes.colon, Self::COMMA | Self::COLON);
        let behind_quote = behind(classes.quote, Self::QUOTE);
        let behind_close = behind(classes.close, Self::CLOSE_BRACE | Self::CLOSE_BRACKET);
        let behind_scalar = behind(scalar, Self::SCALAR);
        let behind_value = behind_quote | behind_close | behind_scalar;
        let value = behind_separator | behind_open & !behind_brace;
        classes.quote & !(behind_separator | behind_open)
            | open & !value
            | close_brace & !(behind_value | behind_brace)
            | (classes.close ^ close_brace) & !(behind_value | behind_open & !behind_brace)
            | classes.comma & !behind_value
            | classes.colon & !behind_quote
            | scalar & !(value | behind_scalar)
    }

    /// A table over the ASCII bytes.
    const fn table(behind: bool) -> [u8; 128] {
        let mut table = [0; 128];
        let mut byte = 0;
        while byte < 128 {
            table[byte] = if behind { Self::behind(byte as u8) } else { Self::of(byte as u8) };
            byte += 1;
        }
        table
    }
}

/// The token each ASCII byte is.
pub(super) static TOKENS: [u8; 128] = Token::table(false);

/// What may follow each ASCII byte.
pub(super) static FOLLOWERS: [u8; 128] = Token::table(true);
