//! Emphasis on a terminal that wants it. Nothing that comes from the log is ever coloured by the log:
//! it is escaped before it gets here.

use std::borrow::Cow;

/// Makes the first line of an answer bold: the headers of a table, or the overview's sentence.
pub fn headline(text: &[u8], color: bool) -> Cow<'_, [u8]> {
    let Some(end) = text.iter().position(|&byte| byte == b'\n').filter(|&end| color && end > 0) else {
        return Cow::Borrowed(text);
    };
    let (first, rest) = text.split_at(end);
    Cow::Owned([b"\x1b[1m", first, b"\x1b[0m", rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_and_only_when_wanted() {
        assert_eq!(*headline(b"A B\n1 2\n", true), *b"\x1b[1mA B\x1b[0m\n1 2\n");
        assert_eq!(*headline(b"A B\n1 2\n", false), *b"A B\n1 2\n");
        assert_eq!(*headline(b"\n", true), *b"\n");
    }
}
