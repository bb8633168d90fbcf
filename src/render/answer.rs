//! Answers in every form: for people, as a table, as a document.
//!
//! A command that answers a question implements [`Answer`]; how it is asked for and where it goes is
//! the same for all of them.

use serde_json::{Map, Value, json};

use super::document::{SCHEMA, evidence};
use super::human::TimeZoneChoice;
use super::table::{Table, render_csv, render_table};
use crate::aggregate::evidence::Account;

/// How an answer that is not rows of events is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnswerFormat {
    /// For people.
    Table,
    /// With more columns.
    Wide,
    /// One JSON document.
    Json,
    /// CSV.
    Csv,
}

impl AnswerFormat {
    /// Whether a person reads it.
    pub const fn is_for_people(self) -> bool {
        matches!(self, AnswerFormat::Table | AnswerFormat::Wide)
    }
}

/// How an answer is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The format.
    pub format: AnswerFormat,
    /// Whether tables have headers.
    pub headers: bool,
    /// The zone times are shown in, but for JSON.
    pub zone: TimeZoneChoice,
}

/// An answer that can be shown in every form.
pub trait Answer {
    /// The `kind` of its document.
    const KIND: &'static str;

    /// The table behind it. With `wide` it has all columns; CSV always asks for them.
    fn table(&self, wide: bool) -> Table;

    /// The members of its document, but for `schemaVersion`, `kind` and `evidence`.
    fn members(&self) -> Map<String, Value>;

    /// Writes it for people: the table, unless there is a better way to tell it.
    fn people(&self, look: &Look, out: &mut Vec<u8>) {
        let wide = look.format == AnswerFormat::Wide;
        render_table(&self.table(wide), look.headers, look.zone, out);
    }
}

/// Writes an answer the way it is wanted; for a terminal, JSON is escaped.
pub fn write<A: Answer>(answer: &A, look: &Look, account: &Account, terminal: bool, out: &mut Vec<u8>) {
    match look.format {
        AnswerFormat::Table | AnswerFormat::Wide => answer.people(look, out),
        AnswerFormat::Csv => render_csv(&answer.table(true), look.headers, look.zone, out),
        AnswerFormat::Json => json_line(&document(answer, account), terminal, out),
    }
}

/// The document of an answer.
fn document<A: Answer>(answer: &A, account: &Account) -> Value {
    let mut document = Map::new();
    document.insert("schemaVersion".to_owned(), json!(SCHEMA));
    document.insert("kind".to_owned(), json!(A::KIND));
    document.extend(answer.members());
    document.insert("evidence".to_owned(), evidence(account));
    Value::Object(document)
}

/// Writes a document on one line.
#[expect(clippy::expect_used, reason = "documents have text for keys, and a list of bytes takes whatever is written")]
pub fn json_line(document: &impl serde::Serialize, terminal: bool, out: &mut Vec<u8>) {
    if terminal {
        let text = serde_json::to_vec(document).expect("a document is always JSON");
        super::sanitize::json_for_terminal(&text, out);
    } else {
        serde_json::to_writer(&mut *out, document).expect("a document is always JSON");
    }
    out.push(b'\n');
}
