//! `inspect` for people: what each input is, what it covers and leaves out, what is odd about it.
//!
//! Sections appear only where they have something to say.

mod blind_spots;
mod coverage;
mod document;
mod findings;

use super::human::{self, TimeZoneChoice, number};
use super::sanitize::text_for_terminal;
use super::table::{Cell, Column, Kind, Table, render_table};
use crate::aggregate::evidence::{Account, Evidence, SourceAccount};
use crate::aggregate::inspect::Inspection;
use crate::aggregate::inspect::coverage::FileCoverage;
use crate::event::Format;
use crate::parse::records::Bucket;
pub use document::inspection as document;

const FORMATS: [Format; 6] =
    [Format::V1, Format::V1beta1, Format::V1alpha1, Format::Unversioned, Format::TwoLine, Format::OneLine];

/// The formats met, most frequent first.
pub fn formats(evidence: &Evidence) -> Vec<&'static str> {
    let mut met: Vec<(u64, &str)> = FORMATS
        .iter()
        .map(|&format| (evidence.formats[format as usize], format.name()))
        .filter(|(n, _)| *n > 0)
        .collect();
    met.sort_by_key(|&(count, name)| (std::cmp::Reverse(count), name));
    met.into_iter().map(|(_, name)| name).collect()
}

/// One row per input.
pub fn file_table(answer: &Inspection, account: &Account) -> Table {
    let mut table = Table::new(vec![
        Column::text("file"),
        Column::text("format"),
        Column::number("events"),
        Column::number("requests"),
        Column::new("size", Kind::Bytes),
        Column::new("first", Kind::Time),
        Column::new("last", Kind::Time),
        Column::number("other"),
        Column::number("damaged"),
        Column::number("gaps"),
        Column::number("inversions"),
        Column::number("repeats"),
    ]);
    table.rows = account.sources.iter().zip(&answer.coverage.files).map(|(s, file)| file_row(s, file)).collect();
    table
}

fn file_row(source: &SourceAccount, file: &FileCoverage) -> Vec<Cell> {
    let evidence = &source.evidence;
    let mut format = formats(evidence).join("+");
    if let Some(compression) = source.compression {
        format = format!("{format} ({compression})");
    }
    if source.unreadable {
        format = "unreadable".to_owned();
    }
    vec![
        Cell::Text(source.name.clone()),
        if format.is_empty() { Cell::Missing } else { Cell::Text(format) },
        Cell::Number(evidence.events),
        Cell::Number(file.requests),
        Cell::Bytes(evidence.bytes()),
        evidence.first.map_or(Cell::Missing, Cell::Time),
        evidence.last.map_or(Cell::Missing, Cell::Time),
        Cell::Number(evidence.bucket(Bucket::Other).records),
        Cell::Number(evidence.bucket(Bucket::Damaged).records),
        Cell::Number(file.gaps.len() as u64),
        Cell::Number(evidence.inversions),
        Cell::Number(evidence.repeats),
    ]
}

/// The whole answer for people.
pub fn inspection(answer: &Inspection, account: &Account, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    render_table(&file_table(answer, account), true, zone, out);
    coverage::logs(answer, zone, out);
    coverage::timeline(answer, account, zone, out);
    section("Every byte", &bucket_table(account), zone, out);
    damage(account, zone, out);
    coverage::silences(answer, account, zone, out);
    coverage::missing(answer, account, zone, out);
    findings::losses(account, zone, out);
    blind_spots::blind_spots(answer, out);
    findings::unfinished(answer, zone, out);
    findings::order(answer, account, out);
    findings::validity(answer, zone, out);
    findings::bodies(answer, zone, out);
    findings::sensitive(answer, zone, out);
    findings::versions(answer, zone, out);
    out.extend_from_slice(conclusion(account).as_bytes());
}

/// A table below its title; nothing at all if it has no rows.
fn section(title: &str, table: &Table, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    if !table.rows.is_empty() {
        out.extend_from_slice(format!("\n{title}\n").as_bytes());
        render_table(table, true, zone, out);
    }
}

/// Sentences below their title; nothing at all if there are none.
fn sentences(title: &str, lines: &[String], out: &mut Vec<u8>) {
    if !lines.is_empty() {
        out.extend_from_slice(format!("\n{title}\n").as_bytes());
    }
    for line in lines {
        out.extend_from_slice(format!("- {}\n", text_for_terminal(line)).as_bytes());
    }
}

fn bucket_table(account: &Account) -> Table {
    let columns = vec![
        Column::text("records"),
        Column::number("count"),
        Column::number("bytes"),
        Column::new("share", Kind::Share),
    ];
    let mut table = Table::new(columns);
    let total = account.bytes();
    let rows = [
        ("event", Bucket::Event),
        ("half of a two-line pair", Bucket::Half),
        ("other", Bucket::Other),
        ("damaged", Bucket::Damaged),
        ("blank", Bucket::Blank),
    ];
    for (name, bucket) in rows {
        let count = account.bucket(bucket);
        let share = Cell::Share { part: count.bytes, whole: total };
        table.rows.push(vec![
            Cell::Text(name.to_owned()),
            Cell::Number(count.records),
            Cell::Number(count.bytes),
            share,
        ]);
    }
    let records = (0..5).map(|at| account.sources.iter().map(|s| s.evidence.buckets[at].records).sum::<u64>()).sum();
    let whole = Cell::Share { part: total, whole: total };
    table.rows.push(vec![Cell::Text("all".to_owned()), Cell::Number(records), Cell::Number(total), whole]);
    table
}

fn damage(account: &Account, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let mut table = Table::new(vec![Column::text("first"), Column::number("count"), Column::text("reason")]);
    table.rows = account
        .damage()
        .into_iter()
        .map(|row| vec![Cell::Text(row.first), Cell::Number(row.count), Cell::Text(row.reason)])
        .collect();
    section("Damage", &table, zone, out);
}

/// The last lines: what is open, lost or repeated, and whether everything was read.
fn conclusion(account: &Account) -> String {
    let counts = [
        (
            account.unfinished_requests,
            "request without its final stage: still running, cut off, or its end was not logged",
            "requests without their final stage: still running, cut off, or their end was not logged",
        ),
        (account.unpaired_halves, "half of a two-line pair lacks the other", "halves of two-line pairs lack the other"),
        (
            account.extra_responses,
            "response line comes after the first of its request",
            "response lines come after the first of their request",
        ),
        (
            account.repeats(),
            "event repeats an earlier one: the same stage of the same request",
            "events repeat earlier ones: the same stage of the same request",
        ),
        (
            account.lost(),
            "event was dropped by the API server, as its own log says",
            "events were dropped by the API server, as its own log says",
        ),
    ];
    let mut text = String::from("\n");
    for (count, one, several) in counts.iter().filter(|(count, ..)| *count > 0) {
        text += &format!("{} {}.\n", number(*count), if *count == 1 { one } else { several });
    }
    let size = human::bytes(account.bytes());
    let inputs = account.sources.len();
    let noun = if inputs == 1 { "input" } else { "inputs" };
    text += &if account.is_complete() {
        format!("Everything was read: {size} in {inputs} {noun}.\n")
    } else {
        let broken: Vec<_> = account.sources.iter().filter(|s| s.unreadable || !s.evidence.is_complete()).collect();
        let names: Vec<_> = broken.iter().take(5).map(|s| text_for_terminal(&s.name).into_owned()).collect();
        let more = if broken.len() > 5 { format!(" and {} more", broken.len() - 5) } else { String::new() };
        format!("Not everything could be read: {}{more}.\n", names.join(", "))
    };
    text
}
