//! Which times the files and logs cover, as tables and as a timeline.

use super::section;
use crate::aggregate::evidence::Account;
use crate::aggregate::inspect::Inspection;
use crate::aggregate::inspect::coverage::LogCoverage;
use crate::aggregate::inspect::gaps::MissingFile;
use crate::event::Timestamp;
use crate::render::chart::bars;
use crate::render::human::{self, TimeZoneChoice, number};
use crate::render::sanitize::{bounded, cell};
use crate::render::table::{Cell, Column, Kind, Table};

/// One row per log, where logs are something else than files.
pub(super) fn logs(answer: &Inspection, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let logs = &answer.coverage.logs;
    let tells = logs.iter().any(|log| log.host.is_some() || log.files.len() > 1);
    let mut table = Table::new(vec![
        Column::text("log"),
        Column::text("host"),
        Column::number("files"),
        Column::number("events"),
        Column::number("requests"),
        Column::new("first", Kind::Time),
        Column::new("last", Kind::Time),
        Column::new("covered", Kind::Share),
        Column::number("gaps"),
    ]);
    if tells {
        table.rows = logs.iter().map(|log| log_row(log, answer.coverage.span)).collect();
    }
    section("Logs", &table, zone, out);
    if answer.coverage.more_hosts {
        out.extend_from_slice(
            b"There are more hosts than are told apart; requests of the others are not in this table.\n",
        );
    }
}

fn log_row(log: &LogCoverage, span: Option<(Timestamp, Timestamp)>) -> Vec<Cell> {
    let time = |time: Option<Timestamp>| time.map_or(Cell::Missing, Cell::Time);
    vec![
        Cell::Text(log.name.clone()),
        Cell::Text(log.host.clone().unwrap_or_default()),
        Cell::Number(log.files.len() as u64),
        log.events.map_or(Cell::Missing, Cell::Number),
        Cell::Number(log.requests),
        time(log.first),
        time(log.last),
        covered(log.covered, span),
        Cell::Number(log.gaps.len() as u64),
    ]
}

/// The part of the input's time that is covered.
fn covered(covered: i64, span: Option<(Timestamp, Timestamp)>) -> Cell {
    let (part, whole) = part_of(covered, span);
    Cell::Share { part, whole }
}

/// The same in nanoseconds. Periods are rounded to whole ones, so a part may seem larger than the whole.
pub(super) fn part_of(covered: i64, span: Option<(Timestamp, Timestamp)>) -> (u64, u64) {
    let whole = span.map_or(0, |(first, last)| last.0.saturating_sub(first.0)).max(0).unsigned_abs();
    (covered.max(0).unsigned_abs().min(whole), whole)
}

/// So many rows has the timeline.
const ROWS: usize = 20;

/// So long are the names in it.
const NAME: usize = 60;

/// One row of bars per file, or per log where files are too many or hold several.
pub(super) fn timeline(answer: &Inspection, account: &Account, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let coverage = &answer.coverage;
    if coverage.timeline.periods < 3 {
        return;
    }
    let files = || account.sources.iter().map(|source| source.name.as_str()).zip(&coverage.files);
    let by_log = coverage.logs.len() > coverage.files.len() || coverage.files.len() > ROWS;
    let rows: Vec<(&str, &[u64])> = if by_log {
        coverage.logs.iter().map(|log| (log.name.as_str(), &*log.timeline)).collect()
    } else {
        files().map(|(name, file)| (name, &*file.timeline)).collect()
    };
    let rows: Vec<_> = rows.into_iter().filter(|(_, row)| row.iter().any(|count| *count > 0)).collect();
    let peak = rows.iter().flat_map(|(_, row)| row.iter().copied()).max().unwrap_or_default();
    let names: Vec<String> = rows.iter().map(|(name, _)| bounded(&cell(name), NAME).into_owned()).collect();
    let width = names.iter().take(ROWS).map(|name| name.chars().count()).max().unwrap_or_default();
    let mut text = String::from("\nTimeline\n");
    for (name, (_, row)) in names.iter().zip(&rows).take(ROWS) {
        text += &format!("{name:width$}   {}\n", bars(row, peak));
    }
    if rows.len() > ROWS {
        text += &format!("and {} more\n", human::counted((rows.len() - ROWS) as u64, "row"));
    }
    let periods = i64::try_from(coverage.timeline.periods).unwrap_or_default();
    let end = Timestamp(coverage.timeline.start.0.saturating_add(coverage.timeline.width.saturating_mul(periods)));
    text += &format!(
        "{} to {}, {} per bar, the highest is {}\n",
        human::time_seconds(coverage.timeline.start, zone),
        human::time_seconds(end, zone),
        human::duration(coverage.timeline.width),
        human::counted(peak, "request"),
    );
    out.extend_from_slice(text.as_bytes());
}

/// So many silences are listed.
const GAPS: usize = 10;

/// The longest silences of all logs.
pub(super) fn silences(answer: &Inspection, account: &Account, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let mut all: Vec<_> =
        answer.coverage.logs.iter().flat_map(|log| log.gaps.iter().map(move |gap| (log, gap))).collect();
    all.sort_by_key(|(_, (gap, _))| std::cmp::Reverse(gap.length()));
    let mut table = Table::new(vec![
        Column::new("from", Kind::Time),
        Column::new("to", Kind::Time),
        Column::new("length", Kind::Duration),
        Column::text("log"),
        Column::text("between"),
    ]);
    let between_files = all.iter().any(|(_, (_, files))| files.is_some());
    if !between_files {
        table.columns.pop();
    }
    let name = |at: usize| account.sources.get(at).map_or("", |source| source.name.as_str());
    for (log, (gap, files)) in all.iter().take(GAPS) {
        let files = files.map_or(Cell::Missing, |(a, b)| Cell::Text(format!("{} and {}", name(a), name(b))));
        let length = Cell::DurationNs(gap.length());
        table.rows.push(vec![Cell::Time(gap.from), Cell::Time(gap.to), length, Cell::Text(log.name.clone()), files]);
    }
    section("Longest silences", &table, zone, out);
    if all.len() > GAPS {
        out.extend_from_slice(format!("and {} shorter\n", number((all.len() - GAPS) as u64)).as_bytes());
    }
}

/// Rotated files that seem to be missing.
pub(super) fn missing(answer: &Inspection, account: &Account, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let lines: Vec<String> = answer.coverage.missing.iter().map(|hole| sentence(hole, account, zone)).collect();
    super::sentences("Missing files", &lines, out);
}

fn sentence(hole: &MissingFile, account: &Account, zone: TimeZoneChoice) -> String {
    let name = |at: usize| account.sources.get(at).map_or("", |source| source.name.as_str());
    match hole {
        MissingFile::Numbers { log, from, to } if from == to => {
            format!("{log}.{from} is not here, though files before and behind it are.")
        }
        MissingFile::Numbers { log, from, to } => format!(
            "{log}.{from} to {log}.{to} are not here ({}), though files before and behind them are.",
            human::counted(to - from + 1, "file")
        ),
        MissingFile::Between { before, after, gap, .. } => format!(
            "A rotated file seems to be missing between {} and {}: the first ends at {}, the next begins {} later.",
            name(*before),
            name(*after),
            human::time_seconds(gap.from, zone),
            human::duration(gap.length()),
        ),
    }
}
