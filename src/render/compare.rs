//! `compare` in every form.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Look};
use super::human::{self, TimeZoneChoice, counted, number, percent};
use super::sanitize::{bounded, text_for_terminal};
use super::summary::noun;
use super::table::{ABSENT, Cell, Column, Kind, Table, render_table};
use crate::aggregate::compare::contrasts::{Change, Contrast, Role, Trait};
use crate::aggregate::compare::score::LEAST;
use crate::aggregate::compare::slower::Slower;
use crate::aggregate::compare::{Comparison, Pair, WEAKER, Window};
use crate::aggregate::key::{Key, shown_value};
use crate::aggregate::stats::LatencySummary;
use crate::event::Timestamp;
use crate::scan::Unit;

/// The differences between two sides.
pub struct Differences {
    /// What was found.
    pub comparison: Comparison,
    /// What the sides are called, where they are inputs.
    pub names: Option<Pair<String>>,
    /// What is counted.
    pub unit: Unit,
}

/// What the scores in the table are.
const SCORE: &str = "Score: 2·(A·ln(A/a) + B·ln(B/b)) for A before and B after, where a and b are what A+B would divide \
                     into, had the rate changed by no more than half.";

impl Answer for Differences {
    const KIND: &'static str = "Comparison";

    /// Everything in one table; what does not apply to a row is absent.
    fn table(&self, wide: bool) -> Table {
        let found = &self.comparison;
        let mut table = self.contrasts(wide, &Per::PROGRAMS);
        for slower in &found.slower {
            let mut row = vec![Cell::Text("slower".to_owned())];
            row.extend(slower.count.map(Cell::Number));
            row.extend([Cell::Missing, Cell::Missing, tenths(slower.score, 1000)]);
            row.push(Cell::Text(kind(slower)));
            row.resize(table.columns.len(), Cell::Missing);
            row.extend(quantiles(slower));
            table.rows.push(row);
        }
        if wide {
            table.columns.extend(QUANTILES.map(|name| Column::new(name, Kind::Duration)));
        }
        table
    }

    fn members(&self) -> Map<String, Value> {
        let found = &self.comparison;
        let mut members = Map::new();
        members.insert("by".to_owned(), found.keys.iter().map(|key| key.name()).collect());
        members.insert("unit".to_owned(), json!(noun(self.unit).trim_end_matches('s')));
        members.insert("before".to_owned(), self.side(0));
        members.insert("after".to_owned(), self.side(1));
        members.insert("differences".to_owned(), found.contrasts.iter().map(|row| self.difference(row)).collect());
        members.insert("more".to_owned(), json!(found.more));
        members.insert("weaker".to_owned(), json!(found.weaker));
        members.insert("slower".to_owned(), found.slower.iter().map(slow).collect());
        members
    }

    fn people(&self, look: &Look, out: &mut Vec<u8>) {
        self.sides(look.zone, out);
        let wide = look.format == super::answer::AnswerFormat::Wide;
        out.push(b'\n');
        if self.comparison.contrasts.is_empty() {
            out.extend_from_slice(b"No rate changed by more than half, beyond what chance explains.\n");
        } else {
            render_table(&self.contrasts(wide, &self.per()), look.headers, look.zone, out);
            out.extend_from_slice(format!("\n{SCORE}\n").as_bytes());
        }
        if !self.comparison.slower.is_empty() {
            out.extend_from_slice(b"\nSlower\n");
            render_table(&self.slow_table(), look.headers, look.zone, out);
        }
    }
}

/// What there is to say besides.
pub fn notes(found: &Comparison, top: usize) -> String {
    let mut notes = String::new();
    if found.lengths().is_none() && found.count != [0, 0] {
        notes += "auditq: note: how long the sides are is not known of both, so counts are compared as they are\n";
    }
    for (side, count) in ["before", "after"].into_iter().zip(found.count) {
        if count == 0 {
            notes += &format!("auditq: note: nothing matches on the side {side}\n");
        }
    }
    if found.more {
        notes += &format!("auditq: note: there are more differences; --top {} looks for more\n", top.saturating_mul(2));
    }
    if found.weaker > 0 {
        let count = if found.weaker == WEAKER { format!("{WEAKER} or more") } else { found.weaker.to_string() };
        let noun = if found.weaker == 1 { "difference" } else { "differences" };
        let least = one_decimal(LEAST.unsigned_abs() / 100);
        notes +=
            &format!("auditq: note: {count} weaker {noun} left out, with a score below {least}: chance makes such\n");
    }
    notes
}

impl Differences {
    /// The two lines about the sides.
    fn sides(&self, zone: TimeZoneChoice, out: &mut Vec<u8>) {
        let (found, per) = (&self.comparison, self.per());
        for (side, name) in ["Before", "After"].into_iter().enumerate() {
            let mut line = format!("{name:<8}");
            if let Some(names) = &self.names {
                line += &format!("{}, ", bounded(&text_for_terminal(&names[side]), 120));
            }
            if let Some(span) = span(&found.windows[side], zone) {
                line += &format!("{span}: ");
            }
            line += &counted(found.count[side], noun(self.unit).trim_end_matches('s'));
            if let Some(lengths) = found.lengths() {
                line += &format!(", {}/{}", per.rate(found.count[side], lengths[side]), per.name);
            }
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
    }

    /// The table of contrasts; `wide` adds columns.
    fn contrasts(&self, wide: bool, per: &Per) -> Table {
        let found = &self.comparison;
        let mut columns = vec![Column::text("change")];
        columns.extend(["before", "after"].map(Column::number));
        columns.extend(["before", "after"].map(|side| Column::number(&format!("{side}/{}", per.name))));
        columns.push(Column::number("score"));
        columns.push(Column::text("what"));
        if wide {
            columns.extend(["first", "last"].map(|name| Column::new(name, Kind::Time)));
            columns.extend(found.keys.iter().map(|key| Column::text(key.name())));
        }
        let mut table = Table::new(columns);
        table.rows = found.contrasts.iter().map(|row| self.row(row, wide, per)).collect();
        table
    }

    fn row(&self, contrast: &Contrast, wide: bool, per: &Per) -> Vec<Cell> {
        let mut row = vec![Cell::Text(change(contrast))];
        row.extend(contrast.count.map(Cell::Number));
        row.extend((0..2).map(|side| {
            let lengths = self.comparison.lengths();
            lengths.map_or(Cell::Missing, |lengths| Cell::Text(per.rate(contrast.count[side], lengths[side])))
        }));
        row.push(tenths(contrast.score, 1000));
        row.push(Cell::Text(what(contrast)));
        if wide {
            row.extend([contrast.first, contrast.last].map(|time| time.map_or(Cell::Missing, Cell::Time)));
            row.extend(contrast.traits.iter().map(|one| {
                match one.role {
                    Role::Most | Role::Varied => Cell::Text("*".to_owned()),
                    _ => one
                        .value
                        .as_deref()
                        .map_or(Cell::Missing, |value| Cell::Text(shown_value(one.key, value).into_owned())),
                }
            }));
        }
        row
    }

    /// What rates are per: one request of the longer side does not show as 0.0.
    fn per(&self) -> Per {
        let longest = self.comparison.lengths().map_or(0, |lengths| lengths[0].max(lengths[1]));
        let fits = |per: &&Per| longest <= per.length * 20;
        Per::PEOPLE.iter().find(fits).unwrap_or(&Per::PEOPLE[Per::PEOPLE.len() - 1]).clone()
    }

    fn slow_table(&self) -> Table {
        let mut columns = vec![Column::text("what")];
        columns.extend(["before", "after"].map(Column::number));
        columns.extend(QUANTILES.map(|name| Column::new(name, Kind::Duration)));
        columns.extend([Column::number("score"), Column::text("why")]);
        let mut table = Table::new(columns);
        for slower in &self.comparison.slower {
            let mut row = vec![Cell::Text(kind(slower))];
            row.extend(slower.count.map(Cell::Number));
            row.extend(quantiles(slower));
            row.push(tenths(slower.score, 1000));
            row.push(Cell::Text(format!(
                "{} after took longer than p{} before, {} expected",
                number(slower.longer),
                slower.percent,
                one_decimal(slower.count[1] * (100 - slower.percent) / 10),
            )));
            table.rows.push(row);
        }
        table
    }

    fn side(&self, side: usize) -> Value {
        let found = &self.comparison;
        let window = found.windows[side];
        let time = |time: Option<Timestamp>| time.map(Timestamp::to_rfc3339);
        json!({
            "inputs": self.names.as_ref().map(|names| names[side].as_str()),
            "since": time(window.since),
            "until": time(window.until),
            "lengthUs": window.length().map(|length| length / 1000),
            self.counted(): found.count[side],
            "perMinute": found.lengths().map(|lengths| per_minute(found.count[side], lengths[side])),
        })
    }

    const fn counted(&self) -> &'static str {
        noun(self.unit)
    }

    fn difference(&self, row: &Contrast) -> Value {
        let lengths = self.comparison.lengths();
        let rate = |side: usize| lengths.map(|lengths| per_minute(row.count[side], lengths[side]));
        let side = |side: usize| {
            json!({
                self.counted(): row.count[side],
                "perMinute": rate(side),
                "expected": (row.expected[side] * 10.0).round() / 10.0,
            })
        };
        let values: Map<String, Value> =
            row.traits.iter().map(|one| (one.key.name().to_owned(), trait_document(row, one))).collect();
        json!({
            "change": row.change.name(),
            "ratio": row.growth.map(|growth| decimal(growth, 100)),
            "score": decimal(row.score.unsigned_abs(), 1000),
            "before": side(0),
            "after": side(1),
            "first": row.first.map(Timestamp::to_rfc3339),
            "last": row.last.map(Timestamp::to_rfc3339),
            "remainder": row.besides,
            "values": values,
        })
    }
}

fn trait_document(row: &Contrast, one: &Trait) -> Value {
    let value = one.value.as_deref().map(|value| shown_value(one.key, value));
    let number = value.as_deref().filter(|_| one.key == Key::Code).and_then(|text| text.parse::<i32>().ok());
    json!({
        "value": number.map_or_else(|| json!(value), |code| json!(code)),
        "role": one.role.name(),
        "share": super::document::share(one.count, row.count[0] + row.count[1]),
        "distinct": one.distinct,
    })
}

fn slow(slower: &Slower) -> Value {
    let text =
        |at: usize| slower.values.get(at).cloned().flatten().map(|value| String::from_utf8_lossy(&value).into_owned());
    let side = |side: usize| json!({"count": slower.count[side], "latencyUs": slower.latency[side]});
    json!({
        "verb": text(0),
        "resource": text(1),
        "subresource": text(2),
        "before": side(0),
        "after": side(1),
        "percentile": slower.percent,
        "longer": slower.longer,
        "score": decimal(slower.score.unsigned_abs(), 1000),
    })
}

/// The quantiles of what is slower.
const QUANTILES: [&str; 4] = ["p50-before", "p50-after", "p90-before", "p90-after"];

fn quantiles(slower: &Slower) -> [Cell; 4] {
    let [before, after]: Pair<LatencySummary> = slower.latency;
    [before.p50, after.p50, before.p90, after.p90].map(|us| Cell::DurationNs((us * 1000) as i64))
}

/// `list pods`, `create pods/exec`.
fn kind(slower: &Slower) -> String {
    let text = |at: usize| slower.values.get(at).and_then(|value| value.as_deref()).map(String::from_utf8_lossy);
    let mut kind = text(0).unwrap_or(ABSENT.into()).into_owned();
    if let Some(resource) = text(1) {
        kind += &format!(" {resource}");
    }
    if let Some(subresource) = text(2) {
        kind += &format!("/{subresource}");
    }
    kind
}

/// `new`, `gone`, `5.0×`, `0.2×`.
fn change(contrast: &Contrast) -> String {
    match (contrast.change, contrast.growth) {
        (Change::More | Change::Less, Some(growth)) if growth < 10 => format!("0.{growth:02}×"),
        (Change::More | Change::Less, Some(growth)) => format!("{}×", one_decimal((growth + 5) / 10)),
        (change, _) => change.name().to_owned(),
    }
}

/// What the requests are, in one line: what defines them, by which other names they go, what they have in common.
fn what(contrast: &Contrast) -> String {
    let with = |role| contrast.traits.iter().filter(move |one| one.role == role);
    let named = |one: &Trait| format!("{}={}", one.key.name(), shown(one));
    let list = |role| with(role).map(named).collect::<Vec<_>>().join(" ");
    let mut text = match (list(Role::Defines), contrast.besides) {
        (defined, false) if defined.is_empty() => "all requests".to_owned(),
        (defined, true) if defined.is_empty() => "all other requests".to_owned(),
        (defined, _) => defined,
    };
    let same = list(Role::Same);
    if !same.is_empty() {
        text += &format!(" ({same})");
    }
    let all = contrast.count[0] + contrast.count[1];
    let common: Vec<String> = contrast
        .traits
        .iter()
        .filter_map(|one| match one.role {
            Role::All => Some(named(one)),
            Role::Most => Some(format!("{} {}", percent(one.count, all), named(one))),
            _ => None,
        })
        .collect();
    if !common.is_empty() {
        text += &format!("; {}", common.join(", "));
    }
    text
}

fn shown(one: &Trait) -> String {
    let value = one.value.as_deref().map(|value| shown_value(one.key, value));
    value.map_or_else(|| ABSENT.to_owned(), |value| bounded(&value, 80).into_owned())
}

fn span(window: &Window, zone: TimeZoneChoice) -> Option<String> {
    let (since, until) = window.since.zip(window.until)?;
    let length = human::duration(window.length()? / 1_000_000_000 * 1_000_000_000);
    Some(format!("{} to {} ({length})", human::time_seconds(since, zone), human::time_seconds(until, zone)))
}

/// What rates are per, and how they are written.
#[derive(Clone, Debug)]
struct Per {
    name: &'static str,
    /// In nanoseconds.
    length: i64,
    decimals: usize,
}

impl Per {
    /// The longer the sides, the longer the unit; it is the same for all of a table.
    const PEOPLE: [Per; 3] = [
        Per { name: "min", length: MINUTE, decimals: 1 },
        Per { name: "hour", length: 60 * MINUTE, decimals: 1 },
        Per { name: "day", length: 24 * 60 * MINUTE, decimals: 1 },
    ];

    /// Programs always get the same columns.
    const PROGRAMS: Per = Per { name: "min", length: MINUTE, decimals: DECIMALS };

    /// So many in the unit.
    fn rate(&self, count: u64, length: i64) -> String {
        let scale = 10u128.pow(self.decimals as u32);
        let parts = parts(count, length, self.length as u128 * scale);
        format!("{}.{:02$}", parts / scale, parts % scale, self.decimals)
    }
}

const MINUTE: i64 = 60_000_000_000;

/// Rates per minute for programs have so many decimals: one request in a day is 0.0007.
const DECIMALS: usize = 4;

/// So many in a minute, for JSON.
fn per_minute(count: u64, length: i64) -> f64 {
    parts(count, length, MINUTE as u128 * 10_000) as f64 / 10_000.0
}

/// So many in a unit, rounded.
fn parts(count: u64, length: i64, unit: u128) -> u128 {
    let length = length.max(1) as u128;
    (u128::from(count) * unit + length / 2) / length
}

fn one_decimal(tenths: u64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A number in so many parts of one, with one decimal.
fn tenths(value: i64, parts: u64) -> Cell {
    Cell::Text(one_decimal((value.unsigned_abs() * 10 + parts / 2) / parts))
}

/// The same for JSON: the division is the last step, so it is the same everywhere.
fn decimal(value: u64, parts: u64) -> f64 {
    value as f64 / parts as f64
}
