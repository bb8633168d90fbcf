//! CSV rows: RFC 4180 quoting with LF line ends, safe to open in a spreadsheet.
//!
//! A spreadsheet runs a cell that starts like a formula, and clients choose what the log says; such
//! a cell gets a leading `'`. Control characters are escaped as for a terminal, so a row is always one line.

use std::borrow::Cow;

use super::sanitize::text_for_terminal;

/// Writes one row. Absence is an empty cell.
pub fn csv_row<T: AsRef<str>>(cells: impl IntoIterator<Item = T>, out: &mut Vec<u8>) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_cell(cell.as_ref(), out);
    }
    out.push(b'\n');
}

fn write_cell(text: &str, out: &mut Vec<u8>) {
    let safe = defused(text);
    if !needs_quotes(&safe) {
        out.extend_from_slice(safe.as_bytes());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(safe.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

fn needs_quotes(text: &str) -> bool {
    text.starts_with(' ') || text.ends_with(' ') || text.bytes().any(|byte| matches!(byte, b'"' | b','))
}

/// The sanitised text, with a leading `'` where a spreadsheet would take it for a formula.
fn defused(text: &str) -> Cow<'_, str> {
    // Tab and carriage return also start formulas, and disappear only with sanitising: look before.
    let risky =
        text.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let safe = text_for_terminal(text);
    if risky && !is_number(text) { Cow::Owned(format!("'{safe}")) } else { safe }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> String {
        let mut out = Vec::new();
        csv_row(cells, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quoting() {
        assert_eq!(row(&["a", "", "b,c", "say \"hi\"", " x"]), "a,,\"b,c\",\"say \"\"hi\"\"\",\" x\"\n");
        assert_eq!(row(&["line\nbreak\u{202e}", "\x1b[2J"]), "line\\nbreak\\u{202e},\\x1b[2J\n");
    }

    #[test]
    fn formulas_are_defused() {
        assert_eq!(row(&["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0"]), "'=1+1,'@SUM(A1),'+cmd|' /C calc'!A0\n");
        assert_eq!(row(&["-x", "-5", "-5.25", "+7", "-", "-5-5"]), "'-x,-5,-5.25,+7,'-,'-5-5\n");
        assert_eq!(row(&["\t=1", "\r=1", "＝1"]), "'\\t=1,'\\r=1,'＝1\n");
        assert_eq!(row(&["=HYPERLINK(\"http://x\",\"y\")"]), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"\n");
    }
}
