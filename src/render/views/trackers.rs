//! `summary --trackers`.

use serde_json::{Map, Value, json};

use super::{Shown, note, us_cell};
use crate::aggregate::views::trackers::{TOTAL, Times, TrackerRow, TrackersAnswer};
use crate::render::answer::{Answer, Look};
use crate::render::human::{counted, number};
use crate::render::sanitize::bounded;
use crate::render::summary::codes_cell;
use crate::render::table::{Cell, Column, Kind, Table, render_table};

/// A table has columns for so many trackers, of those with most time.
const TRACKERS: usize = 5;

/// A wide one for so many.
const WIDE_TRACKERS: usize = 16;

impl Shown<TrackersAnswer> {
    /// What the table does not say by itself.
    pub fn notes(&self) -> String {
        let mut notes = self.grouped.hidden(self.answer.rows.len(), "group");
        notes += &note(&match (self.answer.tracked, self.answer.requests) {
            (_, 0) => "no request matches".to_owned(),
            (0, _) => "no request has latency trackers; API servers since 1.24 add them to what takes more than 500ms"
                .to_owned(),
            (tracked, all) => format!(
                "trackers: {} of {}; API servers add them to what takes more than 500ms",
                number(tracked),
                counted(all, "request")
            ),
        });
        notes
    }

    fn shown_trackers(&self, wide: bool) -> impl Iterator<Item = &Times> {
        self.answer.trackers.iter().take(if wide { WIDE_TRACKERS } else { TRACKERS })
    }

    /// What each tracker says of all requests.
    fn totals(&self) -> Table {
        let mut table = Table::new(vec![
            Column::text("tracker"),
            Column::number("requests"),
            Column::new("time", Kind::Duration),
            Column::new("share", Kind::Share),
            Column::new("p50", Kind::Duration),
            Column::new("p90", Kind::Duration),
            Column::new("max", Kind::Duration),
        ]);
        let whole = self.answer.total();
        let share = |part: i64| match whole {
            Some(whole) => Cell::Share { part: part.max(0) as u64, whole: whole.max(0) as u64 },
            None => Cell::Missing,
        };
        for times in self.shown_trackers(true) {
            let name = Cell::Text(times.name.clone());
            let [p50, p90, max] = [times.p50, times.p90, times.max].map(Cell::DurationNs);
            let requests = Cell::Number(times.requests);
            table.rows.push(vec![name, requests, Cell::DurationNs(times.sum), share(times.sum), p50, p90, max]);
        }
        if let Some(rest) = self.answer.rest() {
            table.rows.push(vec![
                Cell::Text("(no tracker)".to_owned()),
                Cell::Missing,
                Cell::DurationNs(rest),
                share(rest),
            ]);
        }
        table
    }

    fn row(&self, row: &TrackerRow, wide: bool) -> Vec<Cell> {
        let mut cells = self.grouped.cells(&row.values);
        cells.push(Cell::Number(row.stats.count));
        let latency = row.stats.latency.summary();
        let quantiles = latency.map(|latency| [latency.p50, latency.p90, latency.p99, latency.max]);
        (0..4).for_each(|at| cells.push(us_cell(quantiles.map(|quantiles| quantiles[at]))));
        cells.push(Cell::Number(row.tracked));
        for tracker in self.shown_trackers(wide) {
            let times = row.time(&tracker.name);
            let time = |of: fn(&Times) -> i64| times.map_or(Cell::Missing, |times| Cell::DurationNs(of(times)));
            cells.push(time(|times| times.sum));
            if wide {
                cells.extend([time(|times| times.p90), time(|times| times.max)]);
            }
        }
        if wide {
            cells.push(codes_cell(row.stats.codes.sorted()));
        }
        cells
    }

    fn row_members(&self, row: &TrackerRow) -> Value {
        let mut members = self.grouped.members(&row.values);
        members.insert("requests".to_owned(), json!(row.stats.count));
        members.insert("codes".to_owned(), json!(row.stats.codes.sorted()));
        members.insert("latencyUs".to_owned(), json!(row.stats.latency.summary()));
        members.insert("tracked".to_owned(), json!(row.tracked));
        let trackers: Map<String, Value> =
            row.times.iter().map(|times| (times.name.clone(), times_value(times))).collect();
        members.insert("trackers".to_owned(), Value::Object(trackers));
        Value::Object(members)
    }
}

fn times_value(times: &Times) -> Value {
    json!({
        "requests": times.requests,
        "sumUs": times.sum / 1000,
        "p50Us": times.p50 / 1000,
        "p90Us": times.p90 / 1000,
        "maxUs": times.max / 1000,
    })
}

impl Answer for Shown<TrackersAnswer> {
    const KIND: &'static str = "LatencyTrackers";

    fn table(&self, wide: bool) -> Table {
        let mut columns = self.grouped.columns();
        columns.push(Column::number("requests"));
        columns.extend(["p50", "p90", "p99", "max"].map(|name| Column::new(name, Kind::Duration)));
        columns.push(Column::number("tracked"));
        for times in self.shown_trackers(wide) {
            let name = bounded(&times.name, 60);
            columns.push(Column::new(&name, Kind::Duration));
            if wide {
                columns.extend(["p90", "max"].map(|of| Column::new(&format!("{name}-{of}"), Kind::Duration)));
            }
        }
        if wide {
            columns.push(Column::text("codes"));
        }
        let mut table = Table::new(columns);
        table.rows = self.answer.rows.iter().take(self.grouped.top).map(|row| self.row(row, wide)).collect();
        table
    }

    fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("by".to_owned(), json!(self.grouped.names()));
        members.insert("requests".to_owned(), json!(self.answer.requests));
        members.insert("tracked".to_owned(), json!(self.answer.tracked));
        let trackers: Map<String, Value> =
            self.answer.trackers.iter().map(|times| (times.name.clone(), times_value(times))).collect();
        members.insert("trackers".to_owned(), Value::Object(trackers));
        members.insert("untrackedUs".to_owned(), json!(self.answer.rest().map(|rest| rest / 1000)));
        let rows = self.answer.rows.iter().take(self.grouped.top);
        members.insert("groups".to_owned(), rows.map(|row| self.row_members(row)).collect());
        members
    }

    fn people(&self, look: &Look, out: &mut Vec<u8>) {
        if self.answer.trackers.iter().any(|times| times.name == TOTAL) || self.answer.tracked > 0 {
            render_table(&self.totals(), look.headers, look.zone, out);
            out.push(b'\n');
        }
        let wide = look.format == crate::render::answer::AnswerFormat::Wide;
        render_table(&self.table(wide), look.headers, look.zone, out);
    }
}
