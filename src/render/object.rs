//! Objects and what changed in them, for people.
//!
//! ```text
//! ~ spec.replicas: 2 → 5
//! + metadata.labels.tier: web
//! - spec.paused: true
//! ~ data["app.conf"]: 3 lines → 3 lines
//!     workers: 4
//!   - timeout: 10s
//!   + timeout: 30s
//! ```
//!
//! Everything here comes from bodies of requests, which clients write: it is escaped, and long values are cut.

use serde_json::Value;
use similar::{ChangeTag, DiffOp, TextDiff};

use super::sanitize::{CELL_CHARS, bounded, cell, json_for_terminal, text_for_terminal};
use super::value::safe_for_yaml;
use crate::object::Change;

/// Lines of one text that are compared; of longer ones only the number is told.
const MAX_LINES: usize = 2000;

/// Lines that the difference of one text may take.
const SHOWN_LINES: usize = 40;

/// Lines around a changed one.
const CONTEXT: usize = 1;

/// Characters shown in front of where two long texts begin to differ.
const LEAD: usize = 30;

/// Writes each change on a line of its own, `indent` spaces in; texts of several lines follow line by line.
pub fn changes(changes: &[Change], out: &mut Vec<u8>, indent: usize) {
    for change in changes {
        let path = if change.path.is_empty() { ".".into() } else { cell(&change.path) };
        let (mark, values, lines) = match (&change.before, &change.after) {
            (None, None) => continue,
            (None, Some(after)) => ('+', one_value(after), text_lines(&Value::Null, after)),
            (Some(before), None) => ('-', one_value(before), text_lines(before, &Value::Null)),
            (Some(before), Some(after)) => ('~', two_values(before, after), text_lines(before, after)),
        };
        push_line(out, indent, &format!("{mark} {path}: {values}"));
        for line in lines {
            push_line(out, indent + 2, &line);
        }
    }
}

/// Writes what was asked for in the same way, `= path: value`, and `- path` for what was to be taken away.
pub fn asked(asked: &[Change], out: &mut Vec<u8>, indent: usize) {
    for change in asked {
        let path = if change.path.is_empty() { ".".into() } else { cell(&change.path) };
        match &change.after {
            Some(after) => push_line(out, indent, &format!("= {path}: {}", one_value(after))),
            None => push_line(out, indent, &format!("- {path}")),
        }
    }
}

/// Writes an object as a YAML document.
pub fn object_yaml(value: &Value, out: &mut Vec<u8>) {
    match serde_yaml_ng::to_string(&safe_for_yaml(value.clone())) {
        Ok(text) => out.extend_from_slice(text.as_bytes()),
        Err(_) => {
            json_for_terminal(value.to_string().as_bytes(), out);
            out.push(b'\n');
        }
    }
}

/// A value on one line: a text as it is where that cannot be mistaken, everything else as JSON.
pub fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => cell(&text_of(text)).into_owned(),
        other => cell(&other.to_string()).into_owned(),
    }
}

fn one_value(value: &Value) -> String {
    lines_of(value).map_or_else(|| value_text(value), counted)
}

fn two_values(before: &Value, after: &Value) -> String {
    let (text_before, text_after) = (lines_of(before), lines_of(after));
    if text_before.is_some() || text_after.is_some() {
        return format!("{} → {}", one_value(before), one_value(after));
    }
    let (before, after) = (full_text(before), full_text(after));
    let from = if before.chars().nth(CELL_CHARS).is_some() || after.chars().nth(CELL_CHARS).is_some() {
        before.chars().zip(after.chars()).take_while(|(one, other)| one == other).count().saturating_sub(LEAD)
    } else {
        0
    };
    format!("{} → {}", part_of(&before, from), part_of(&after, from))
}

/// The text from this character on, and a mark if something is left out.
fn part_of(text: &str, from: usize) -> String {
    if from == 0 {
        return cell(text).into_owned();
    }
    let rest: String = text.chars().skip(from).collect();
    format!("…{}", cell(&rest))
}

fn full_text(value: &Value) -> String {
    match value {
        Value::String(text) => text_of(text),
        other => other.to_string(),
    }
}

/// A text without quotes, unless it would then look like another value or like nothing.
fn text_of(text: &str) -> String {
    let is_other = serde_json::from_str::<Value>(text).is_ok();
    if text.is_empty() || is_other || text != text.trim() { Value::from(text).to_string() } else { text.to_owned() }
}

/// The text of a value that has several lines.
fn lines_of(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| text.trim_end_matches('\n').contains('\n'))
}

fn counted(text: &str) -> String {
    format!("{} lines", text.lines().count())
}

/// What changed in texts of several lines, with a little of what stands around it.
fn text_lines(before: &Value, after: &Value) -> Vec<String> {
    if lines_of(before).is_none() && lines_of(after).is_none() {
        return Vec::new();
    }
    let (before, after) = (before.as_str().unwrap_or_default(), after.as_str().unwrap_or_default());
    if before.lines().count().max(after.lines().count()) > MAX_LINES {
        return vec![format!("  (not compared: more than {MAX_LINES} lines)")];
    }
    let compared = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for (place, group) in compared.grouped_ops(CONTEXT).iter().enumerate() {
        if place > 0 {
            lines.push("  …".to_owned());
        }
        lines.extend(group.iter().flat_map(|operation| operation_lines(&compared, operation)));
    }
    if lines.len() > SHOWN_LINES {
        let more = lines.len() - SHOWN_LINES;
        lines.truncate(SHOWN_LINES);
        lines.push(format!("  … {more} more lines"));
    }
    lines
}

fn operation_lines(compared: &TextDiff<'_, '_, str>, operation: &DiffOp) -> Vec<String> {
    let lines = compared.iter_changes(operation).map(|line| {
        let mark = match line.tag() {
            ChangeTag::Equal => ' ',
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        let text = line.value().trim_end_matches(['\n', '\r']);
        format!("{mark} {}", bounded(&text_for_terminal(text), CELL_CHARS))
    });
    lines.collect()
}

fn push_line(out: &mut Vec<u8>, indent: usize, text: &str) {
    out.resize(out.len() + indent, b' ');
    out.extend_from_slice(text.trim_end().as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(before: Value, after: Value) -> String {
        let some = |value: Value| (!value.is_null()).then_some(value);
        let change = Change { path: "a.b".to_owned(), before: some(before), after: some(after) };
        let mut out = Vec::new();
        changes(&[change], &mut out, 2);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn changes_are_lines() {
        let cases = [
            (json!(2), json!(5), "  ~ a.b: 2 → 5\n"),
            (json!(null), json!("web"), "  + a.b: web\n"),
            (json!(true), json!(null), "  - a.b: true\n"),
            (json!("5"), json!(5), "  ~ a.b: \"5\" → 5\n"),
            (json!(""), json!(" x"), "  ~ a.b: \"\" → \" x\"\n"),
            (json!({"k": ["v"]}), json!([]), "  ~ a.b: {\"k\":[\"v\"]} → []\n"),
            (json!("a\n"), json!("b\n"), "  ~ a.b: \"a\\n\" → \"b\\n\"\n"),
        ];
        for (before, after, expected) in cases {
            assert_eq!(shown(before, after), expected);
        }
    }

    #[test]
    fn texts_are_compared_line_by_line() {
        let before = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";
        let after = "one\ntwo\n3\nfour\nfive\nsix\nseven\neight\n";
        assert_eq!(
            shown(json!(before), json!(after)),
            "  ~ a.b: 7 lines → 8 lines\n      two\n    - three\n    + 3\n      four\n      …\n      seven\n    + eight\n"
        );
        assert_eq!(shown(json!(null), json!("x\ny")), "  + a.b: 2 lines\n    + x\n    + y\n");
        assert_eq!(shown(json!("x\ny"), json!("x")), "  ~ a.b: 2 lines → x\n    - x\n    - y\n    + x\n");
        let long: String = (0..100).map(|line| format!("line {line}\n")).collect();
        assert!(shown(json!(null), json!(long)).ends_with("    + line 39\n      … 60 more lines\n"));
        assert!(shown(json!("a\nb"), json!(long.repeat(30))).contains("not compared"));
    }

    #[test]
    fn long_values_are_cut_where_they_differ() {
        let long = "x".repeat(1000);
        let text = shown(json!(format!("{long}old")), json!(format!("{long}new")));
        assert!(text.contains("xold → …") && text.contains("xnew") && text.chars().count() < 120, "{text}");
        assert!(shown(json!(null), json!(long)).chars().count() < 220);
    }

    #[test]
    fn hostile_values_are_escaped() {
        let hostile = "\x1b[2J\u{202e}x";
        let change = |value: Value| Change { path: hostile.to_owned(), before: None, after: Some(value) };
        let mut out = Vec::new();
        changes(
            &[change(json!(hostile)), change(json!({hostile: hostile})), change(json!(format!("a\n{hostile}\r\nb")))],
            &mut out,
            0,
        );
        object_yaml(&json!({hostile: [hostile]}), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.chars().all(|c| c == '\n' || !super::super::sanitize::is_hazardous(c)), "{text:?}");
    }

    #[test]
    fn objects_are_yaml() {
        let mut out = Vec::new();
        object_yaml(&json!({"kind": "ConfigMap", "data": {"a": "x\ny\n", "b": "5"}}), &mut out);
        assert_eq!(out, b"kind: ConfigMap\ndata:\n  a: |\n    x\n    y\n  b: '5'\n");
    }
}
