//! `summary` for people: the table of groups, and the overview on one screen.

use super::chart::rate_chart;
use super::human::{self, TimeZoneChoice, number};
use super::sentences::sentences;
use super::table::{Cell, Column, Kind, Table, render_table};
use crate::aggregate::key::{Key, shown_value};
use crate::aggregate::overview::{OverviewAnswer, RANKED};
use crate::aggregate::stats::Stats;
use crate::aggregate::summary::Group;
use crate::event::Timestamp;
use crate::scan::Unit;

/// The plain name of what is counted.
pub const fn noun(unit: Unit) -> &'static str {
    match unit {
        Unit::Request => "requests",
        Unit::Event => "events",
    }
}

/// The table of groups; `wide` adds columns.
pub fn group_table(keys: &[Key], unit: Unit, total: &Stats, groups: &[Group], wide: bool) -> Table {
    let mut columns: Vec<Column> = keys.iter().map(|key| key_column(*key)).collect();
    columns.push(Column::number(noun(unit)));
    columns.push(Column::new("share", Kind::Share));
    columns.push(Column::new("size", Kind::Bytes));
    columns.extend(["p50", "p90", "p99", "max"].map(|name| Column::new(name, Kind::Duration)));
    columns.push(Column::text("codes"));
    if wide {
        columns.push(Column::new("first", Kind::Time));
        columns.push(Column::new("last", Kind::Time));
    }
    let mut table = Table::new(columns);
    table.rows = groups.iter().map(|group| group_row(keys, total, group, wide)).collect();
    table
}

/// Adds a column to a table of groups, behind that of sizes: what share of all bytes a group has.
pub fn add_size_shares(keys: usize, total: &Stats, groups: &[Group], table: &mut Table) {
    let at = keys + 3;
    table.columns.insert(at, Column::new("size-share", Kind::Share));
    for (row, (_, stats)) in table.rows.iter_mut().zip(groups) {
        row.insert(at, Cell::Share { part: stats.bytes, whole: total.bytes });
    }
}

/// How fast a log grows, as a note; nothing where it is too short to tell.
pub fn growth(total: &Stats) -> String {
    const DAY: u128 = 86_400_000_000_000;
    let span = total.span.first().zip(total.span.last()).map_or(0, |(first, last)| last.0.saturating_sub(first.0));
    let Some(span) = u128::try_from(span).ok().filter(|span| *span > 0) else { return String::new() };
    let daily = u64::try_from(u128::from(total.bytes) * DAY / span).unwrap_or(u64::MAX);
    format!(
        "auditq: note: {} in {}: {} a day at this rate\n",
        human::bytes(total.bytes),
        human::duration(span as i64),
        human::bytes(daily)
    )
}

pub(super) fn key_column(key: Key) -> Column {
    match key {
        Key::Time(_) | Key::Every(_) => Column::new(key.name(), Kind::Time),
        _ => Column::text(key.name()),
    }
}

fn group_row(keys: &[Key], total: &Stats, (values, stats): &Group, wide: bool) -> Vec<Cell> {
    let mut row: Vec<Cell> = keys.iter().zip(values).map(|(key, value)| key_cell(*key, value.as_deref())).collect();
    row.push(Cell::Number(stats.count));
    row.push(Cell::Share { part: stats.count, whole: total.count });
    row.push(Cell::Bytes(stats.bytes));
    match stats.latency.summary() {
        Some(latency) => {
            row.extend(
                [latency.p50, latency.p90, latency.p99, latency.max].map(|us| Cell::DurationNs((us * 1000) as i64)),
            );
        }
        None => row.extend([Cell::Missing, Cell::Missing, Cell::Missing, Cell::Missing]),
    }
    row.push(codes_cell(stats.codes.sorted()));
    if wide {
        row.extend([stats.span.first(), stats.span.last()].map(|time| time.map_or(Cell::Missing, Cell::Time)));
    }
    row
}

pub(super) fn key_cell(key: Key, value: Option<&[u8]>) -> Cell {
    match (key, value) {
        (_, None) => Cell::Missing,
        (Key::Time(_) | Key::Every(_), Some(value)) => {
            let nanos = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            nanos.map_or(Cell::Missing, |nanos| Cell::Time(Timestamp(nanos)))
        }
        (_, Some(value)) => Cell::Text(shown_value(key, value).into_owned()),
    }
}

/// `200:31 403:2`, most frequent first.
pub(super) fn codes_cell(codes: impl IntoIterator<Item = (i32, u64)>) -> Cell {
    let mut codes: Vec<(i32, u64)> = codes.into_iter().collect();
    codes.sort_by_key(|&(code, count)| (std::cmp::Reverse(count), code));
    if codes.is_empty() {
        return Cell::Missing;
    }
    let shown: Vec<String> = codes.iter().map(|(code, count)| format!("{code}:{}", number(*count))).collect();
    Cell::Text(shown.join(" "))
}

/// How many bars the chart has at most.
pub const CHART_WIDTH: usize = 60;

/// So many rows a ranking shows unless told otherwise.
const RANKS: usize = 5;

/// The overview in a few lines: what dominates and stands out, and of how much.
pub fn brief(unit: Unit, answer: &OverviewAnswer, unfinished: u64, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    for sentence in sentences(unit, answer, zone) {
        out.extend_from_slice(sentence.as_bytes());
        out.push(b'\n');
    }
    lines(extent(unit, answer, unfinished, zone), out);
}

/// The overview on one screen.
pub fn overview(
    unit: Unit,
    answer: &OverviewAnswer,
    top: Option<usize>,
    unfinished: u64,
    zone: TimeZoneChoice,
    out: &mut Vec<u8>,
) {
    for sentence in sentences(unit, answer, zone) {
        out.extend_from_slice(sentence.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
    totals(unit, answer, unfinished, zone, out);
    if answer.rate.1.len() > 1 {
        out.extend_from_slice(format!("\n{} over time\n", capitalised(noun(unit))).as_bytes());
        rate_chart(&answer.rate.1, CHART_WIDTH, zone, out);
    }
    for (key, values) in RANKED.iter().zip(&answer.ranks).filter(|(_, values)| !values.is_empty()) {
        out.push(b'\n');
        ranking(*key, unit, values, answer.total.count, top.unwrap_or(RANKS), zone, out);
    }
}

/// The rankings of the overview as one table: what is ranked, its value, how many. The first row is the total.
pub fn overview_table(unit: Unit, answer: &OverviewAnswer, top: Option<usize>) -> Table {
    let columns =
        vec![Column::text("key"), Column::text("value"), Column::number(noun(unit)), Column::new("share", Kind::Share)];
    let mut table = Table::new(columns);
    let whole = answer.total.count;
    let counts = |part| [Cell::Number(part), Cell::Share { part, whole }];
    table.rows.push([Cell::Text("total".to_owned()), Cell::Missing].into_iter().chain(counts(whole)).collect());
    for (key, values) in RANKED.iter().zip(&answer.ranks) {
        for (value, count) in values.iter().take(top.unwrap_or(usize::MAX)) {
            let named = [Cell::Text(key.name().to_owned()), key_cell(*key, value.as_deref())];
            table.rows.push(named.into_iter().chain(counts(*count)).collect());
        }
    }
    table
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// A line of totals: its name and its text.
type Line = (&'static str, String);

fn lines(lines: Vec<Line>, out: &mut Vec<u8>) {
    for (name, text) in lines {
        out.extend_from_slice(format!("{name:<10}{text}\n").as_bytes());
    }
}

/// Of what time and how many requests the answer is.
fn extent(unit: Unit, answer: &OverviewAnswer, unfinished: u64, zone: TimeZoneChoice) -> Vec<Line> {
    let total = &answer.total;
    let mut lines = vec![];
    if let (Some(first), Some(last)) = (total.span.first(), total.span.last()) {
        let length = human::duration(last.0.saturating_sub(first.0));
        let (first, last) = (human::time_seconds(first, zone), human::time_seconds(last, zone));
        lines.push(("Span", format!("{first} to {last} ({length})")));
    }
    match unit {
        Unit::Request => {
            let still = if unfinished > 0 { format!(", {} unfinished", number(unfinished)) } else { String::new() };
            lines.push(("Requests", format!("{} in {} events{still}", number(total.count), number(total.events))));
        }
        Unit::Event => lines.push(("Events", number(total.count))),
    }
    lines
}

fn totals(unit: Unit, answer: &OverviewAnswer, unfinished: u64, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let total = &answer.total;
    let mut all = extent(unit, answer, unfinished, zone);
    all.push(("Size", human::bytes(total.bytes)));
    if let Some(latency) = total.latency.summary() {
        let shown = |us: u64| human::duration((us * 1000) as i64);
        let left_out = match answer.long_running {
            0 => String::new(),
            n => format!(" ({} long-running left out)", number(n)),
        };
        let text = format!(
            "p50 {}, p90 {}, p99 {}, max {}{left_out}",
            shown(latency.p50),
            shown(latency.p90),
            shown(latency.p99),
            shown(latency.max)
        );
        all.push(("Latency", text));
    }
    lines(all, out);
}

fn ranking(
    key: Key,
    unit: Unit,
    values: &[(Option<Vec<u8>>, u64)],
    total: u64,
    top: usize,
    zone: TimeZoneChoice,
    out: &mut Vec<u8>,
) {
    let columns = vec![Column::number(noun(unit)), Column::new("share", Kind::Share), key_column(key)];
    let mut table = Table::new(columns);
    for (value, count) in values.iter().take(top) {
        let share = Cell::Share { part: *count, whole: total };
        table.rows.push(vec![Cell::Number(*count), share, key_cell(key, value.as_deref())]);
    }
    render_table(&table, true, zone, out);
    if values.len() > top {
        out.extend_from_slice(format!("… and {} more\n", number((values.len() - top) as u64)).as_bytes());
    }
}
