//! `inspect` for people: what each input is, what it holds, what is wrong with it.

use super::human::{self, TimeZoneChoice, number};
use super::sanitize::text_for_terminal;
use super::table::{Cell, Column, Kind, Table, render_table};
use crate::aggregate::evidence::{Account, Evidence, SourceAccount};
use crate::aggregate::inspect::Gap;
use crate::event::Format;
use crate::parse::records::Bucket;

/// What was found out about one input.
pub struct Inspected<'a> {
    /// Its account.
    pub source: &'a SourceAccount,
    /// Requests settled in it.
    pub requests: u64,
    /// Its silences.
    pub gaps: Vec<Gap>,
}

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
pub fn file_table(inputs: &[Inspected<'_>]) -> Table {
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
    table.rows = inputs.iter().map(file_row).collect();
    table
}

fn file_row(input: &Inspected<'_>) -> Vec<Cell> {
    let evidence = &input.source.evidence;
    let mut format = formats(evidence).join("+");
    if let Some(compression) = input.source.compression {
        format = format!("{format} ({compression})");
    }
    if input.source.unreadable {
        format = "unreadable".to_owned();
    }
    vec![
        Cell::Text(input.source.name.clone()),
        if format.is_empty() { Cell::Missing } else { Cell::Text(format) },
        Cell::Number(evidence.events),
        Cell::Number(input.requests),
        Cell::Bytes(evidence.bytes()),
        evidence.first.map_or(Cell::Missing, Cell::Time),
        evidence.last.map_or(Cell::Missing, Cell::Time),
        Cell::Number(evidence.bucket(Bucket::Other).records),
        Cell::Number(evidence.bucket(Bucket::Damaged).records),
        Cell::Number(input.gaps.len() as u64),
        Cell::Number(evidence.inversions),
        Cell::Number(evidence.repeats),
    ]
}

/// The whole account for people.
pub fn inspection(inputs: &[Inspected<'_>], account: &Account, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    render_table(&file_table(inputs), true, zone, out);
    out.extend_from_slice(b"\nEvery byte\n");
    render_table(&bucket_table(account), true, zone, out);
    damage(account, zone, out);
    gaps(inputs, zone, out);
    out.extend_from_slice(conclusion(account).as_bytes());
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
    let rows = account.damage();
    if rows.is_empty() {
        return;
    }
    out.extend_from_slice(b"\nDamage\n");
    let mut table = Table::new(vec![Column::text("first"), Column::number("count"), Column::text("reason")]);
    table.rows = rows
        .into_iter()
        .map(|row| vec![Cell::Text(row.first), Cell::Number(row.count), Cell::Text(row.reason)])
        .collect();
    render_table(&table, true, zone, out);
}

/// So many silences are listed.
const GAPS: usize = 10;

fn gaps(inputs: &[Inspected<'_>], zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let mut all: Vec<(&str, Gap)> =
        inputs.iter().flat_map(|input| input.gaps.iter().map(|gap| (input.source.name.as_str(), *gap))).collect();
    if all.is_empty() {
        return;
    }
    all.sort_by_key(|(_, gap)| std::cmp::Reverse(gap.to.0 - gap.from.0));
    out.extend_from_slice(b"\nLongest silences\n");
    let columns = vec![
        Column::new("from", Kind::Time),
        Column::new("to", Kind::Time),
        Column::new("length", Kind::Duration),
        Column::text("file"),
    ];
    let mut table = Table::new(columns);
    for (name, gap) in all.iter().take(GAPS) {
        let length = Cell::DurationNs(gap.to.0 - gap.from.0);
        table.rows.push(vec![Cell::Time(gap.from), Cell::Time(gap.to), length, Cell::Text((*name).to_owned())]);
    }
    render_table(&table, true, zone, out);
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
