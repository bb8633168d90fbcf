//! Escaping what reaches a terminal.
//!
//! Clients choose their user agent, their request path and the names in bodies. Control characters
//! could move the cursor or retitle the window, bidirectional and invisible ones could make one name
//! look like another; all of them are shown as visible escapes. A backslash stays as it is: the
//! escapes are for reading, not for parsing back.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The characters a table cell may have, the mark of a cut included.
pub const CELL_CHARS: usize = 200;

/// The text with every control, bidirectional and invisible character as `\n`, `\x1b` or `\u{202e}`.
pub fn text_for_terminal(text: &str) -> Cow<'_, str> {
    if is_plain(text.as_bytes()) || !text.chars().any(is_hazardous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        push_visible(character, &mut safe);
    }
    Cow::Owned(safe)
}

/// As [`text_for_terminal`], for bytes: what is no UTF-8 becomes U+FFFD.
pub fn bytes_for_terminal(bytes: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => text_for_terminal(text),
        Cow::Owned(text) => Cow::Owned(text_for_terminal(&text).into_owned()),
    }
}

/// A record as read, for a terminal: line ends and tabs stay (a record may be pretty-printed or a
/// pair of lines), everything else hazardous is escaped.
pub fn record_for_terminal(record: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(record);
    let mut safe = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' | '\t' => safe.push(character),
            '\r' if characters.peek().is_none_or(|&next| next == '\n') => {}
            _ => push_visible(character, &mut safe),
        }
    }
    out.extend_from_slice(safe.as_bytes());
}

/// Sound JSON text for a terminal: the same value, with hazardous characters inside strings as
/// `\u202e` (surrogate pairs beyond the basic plane) and line ends between tokens as spaces.
pub fn json_for_terminal(json: &[u8], out: &mut Vec<u8>) {
    if is_plain(json) {
        out.extend_from_slice(json);
        return;
    }
    let mut safe = String::with_capacity(json.len() + 16);
    let (mut in_string, mut escaped) = (false, false);
    for character in String::from_utf8_lossy(json).chars() {
        match character {
            _ if is_hazardous(character) && in_string => push_json_escape(character, &mut safe),
            _ if is_hazardous(character) => safe.push(' '),
            _ => safe.push(character),
        }
        in_string ^= character == '"' && !escaped;
        escaped = in_string && character == '\\' && !escaped;
    }
    out.extend_from_slice(safe.as_bytes());
}

/// The text cut to at most `max_chars` characters, the last of them `…` when something was cut.
pub fn bounded(text: &str, max_chars: usize) -> Cow<'_, str> {
    if text.len() <= max_chars || text.chars().nth(max_chars).is_none() {
        return Cow::Borrowed(text);
    }
    let mut cut: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    cut.push('…');
    Cow::Owned(cut)
}

/// The text as a table cell: sanitised, and bounded to [`CELL_CHARS`].
pub fn cell(text: &str) -> Cow<'_, str> {
    if text.len() <= CELL_CHARS && is_plain(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    // One character more than fits is enough to know about the cut; the rest need not be escaped.
    let head: String = text.chars().take(CELL_CHARS + 1).collect();
    Cow::Owned(bounded(&text_for_terminal(&head), CELL_CHARS).into_owned())
}

/// Whether a character is one that a terminal obeys, that reorders its neighbours, or that nobody sees.
///
/// The Unicode categories Cc, Cf, Zl and Zp, the tag and variation plane (used to smuggle text), and
/// the blank Hangul letters. Source: Unicode 16, DerivedGeneralCategory.txt.
pub fn is_hazardous(character: char) -> bool {
    if character < '\u{ad}' {
        return character.is_control();
    }
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Appends a character, visibly when it is hazardous.
pub(super) fn push_visible(character: char, out: &mut String) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\0'..='\u{7f}' if character.is_control() => {
            push_formatted(out, format_args!("\\x{:02x}", u32::from(character)))
        }
        _ if is_hazardous(character) => push_formatted(out, format_args!("\\u{{{:x}}}", u32::from(character))),
        _ => out.push(character),
    }
}

fn push_json_escape(character: char, out: &mut String) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        push_formatted(out, format_args!("\\u{unit:04x}"));
    }
}

fn push_formatted(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = out.write_fmt(text);
}

fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| (0x20..0x7f).contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        let mut out = Vec::new();
        json_for_terminal(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_text_is_borrowed() {
        for text in ["", "kubectl/v1.30 (linux)", r"back\slash", "é 漢字 😀"] {
            assert!(matches!(text_for_terminal(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn controls_become_visible() {
        assert_eq!(text_for_terminal("\x1b]0;owned\x07\r\n\tx\0"), r"\x1b]0;owned\x07\r\n\tx\x00");
        assert_eq!(text_for_terminal("a\u{7f}b\u{9b}31m"), r"a\x7fb\u{9b}31m");
        assert_eq!(text_for_terminal("\u{202e}nimda\u{2066}\u{200f}\u{61c}"), r"\u{202e}nimda\u{2066}\u{200f}\u{61c}");
        assert_eq!(text_for_terminal("a\u{200b}\u{feff}\u{2028}\u{e0041}"), r"a\u{200b}\u{feff}\u{2028}\u{e0041}");
        assert_eq!(bytes_for_terminal(b"\xff\x1b"), "\u{fffd}\\x1b");
    }

    #[test]
    fn json_keeps_its_value() {
        let text = "{\"a\\\\\":\"x\u{202e}\u{e0041}\u{7f}\\\"\u{200b}\",\r\n\"b\":1}";
        let shown = json(text);
        assert_eq!(shown, "{\"a\\\\\":\"x\\u202e\\udb40\\udc41\\u007f\\\"\\u200b\",  \"b\":1}");
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(text).unwrap(), serde_json::from_str(&shown).unwrap());
        assert_eq!(before, after);
    }

    #[test]
    fn records_keep_their_lines() {
        let mut out = Vec::new();
        record_for_terminal(b"{\r\n\t\"a\": \"\x1b[2J\rx\"\n}\r", &mut out);
        assert_eq!(out, b"{\n\t\"a\": \"\\x1b[2J\\rx\"\n}");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(bounded("abcdef", 6), "abcdef");
        assert_eq!(bounded("abcdefg", 6), "abcde…");
        assert_eq!(bounded("ééé", 3), "ééé");
        let long = "\x1b".repeat(1000);
        assert_eq!(cell(&long).chars().count(), CELL_CHARS);
        assert!(cell(&long).ends_with('…'));
        assert_eq!(cell(&"a".repeat(CELL_CHARS)), "a".repeat(CELL_CHARS));
    }
}
