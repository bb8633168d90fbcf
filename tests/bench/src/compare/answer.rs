//! Answers in one form, whoever gave them: rows of a key and its numbers, in order.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::Fallible;

/// What the rows of an answer hold.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Members that name a row.
    pub keys: &'static [&'static str],
    /// Members that are numbers; if there are none, equal rows are counted.
    pub measures: &'static [&'static str],
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rows(BTreeMap<Vec<String>, Vec<Option<u64>>>);

impl Rows {
    /// From one JSON object per line: what other tools print, and the events of `auditq query`.
    ///
    /// # Errors
    ///
    /// When a line is no JSON; likewise below.
    pub fn of_lines(text: &[u8], shape: Shape) -> Fallible<Rows> {
        let mut rows = Rows::default();
        for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let row: Value = serde_json::from_slice(line).map_err(|error| format!("a line is no JSON: {error}"))?;
            rows.add(&row, shape, |name| number(&row[name]));
        }
        Ok(rows)
    }

    /// From the document of `auditq summary`; `unit` is what it counts.
    pub fn of_summary(text: &[u8], shape: Shape, unit: &str) -> Fallible<Rows> {
        let document = document(text)?;
        let mut rows = Rows::default();
        for group in document["groups"].as_array().ok_or("the summary has no groups")? {
            rows.add(group, shape, |name| match name {
                "count" => number(&group[unit]),
                percentile => number(&group["latencyUs"][percentile]),
            });
        }
        Ok(rows)
    }

    fn add(&mut self, row: &Value, shape: Shape, measure: impl Fn(&str) -> Option<u64>) {
        let key = shape.keys.iter().map(|name| row[name].as_str().unwrap_or_default().to_owned()).collect();
        if !shape.measures.is_empty() {
            self.0.insert(key, shape.measures.iter().map(|name| measure(name)).collect());
        } else if let Some(count) = self.0.entry(key).or_insert_with(|| vec![Some(0)])[0].as_mut() {
            *count += 1;
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares auditq's answer with another's, which is exact.
    ///
    /// # Errors
    ///
    /// When they differ, with the first differences.
    pub fn same(&self, other: &Rows) -> Fallible<()> {
        let keys = self.0.keys().chain(other.0.keys().filter(|key| !self.0.contains_key(*key)));
        let differ: Vec<_> = keys.filter(|key| !agree(self.0.get(*key), other.0.get(*key))).collect();
        if differ.is_empty() {
            return Ok(());
        }
        let mut text = format!("{} of {} rows differ", differ.len(), self.len().max(other.len()));
        for key in differ.iter().take(3) {
            let (mine, theirs) = (shown(self.0.get(*key)), shown(other.0.get(*key)));
            let _ = write!(text, "; {}: auditq {mine}, the other {theirs}", key.join(" "));
        }
        Err(text)
    }
}

/// Counts are equal; a percentile of auditq is not below the exact one and at most one percent
/// above, as docs/output.md promises.
fn agree(mine: Option<&Vec<Option<u64>>>, theirs: Option<&Vec<Option<u64>>>) -> bool {
    let (Some(mine), Some(theirs)) = (mine, theirs) else { return false };
    mine.first() == theirs.first()
        && mine.len() == theirs.len()
        && mine.iter().zip(theirs).skip(1).all(|pair| match pair {
            (Some(mine), Some(exact)) => (*exact..=exact + exact / 100).contains(mine),
            (mine, theirs) => mine == theirs,
        })
}

fn shown(numbers: Option<&Vec<Option<u64>>>) -> String {
    let Some(numbers) = numbers else { return "nothing".to_owned() };
    numbers.iter().map(|n| n.map_or("null".to_owned(), |n| n.to_string())).collect::<Vec<_>>().join("/")
}

/// A whole number, also where an engine writes it as text or with a fraction of nothing.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().map(|float| float as u64)),
        _ => None,
    }
}

fn document(text: &[u8]) -> Fallible<Value> {
    serde_json::from_slice(text).map_err(|error| format!("the summary is no JSON: {error}"))
}

/// How many records of a log a summary rests on.
///
/// # Errors
///
/// When it does not say.
pub fn records(text: &[u8]) -> Fallible<u64> {
    let document = document(text)?;
    let records = document["evidence"]["records"].as_object().ok_or("the summary has no account")?;
    Ok(records.values().filter_map(Value::as_u64).sum())
}

/// The number that a line counter prints first.
///
/// # Errors
///
/// When there is none.
pub fn first_number(text: &[u8]) -> Fallible<u64> {
    let text = String::from_utf8_lossy(text);
    let number = text.split_whitespace().next().and_then(|word| word.parse().ok());
    number.ok_or_else(|| format!("no number in {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: Shape = Shape { keys: &["verb"], measures: &["count", "p50"] };

    fn rows(text: &str) -> Rows {
        Rows::of_lines(text.as_bytes(), LATENCY).unwrap()
    }

    #[test]
    fn counts_are_exact_and_percentiles_within_one_percent_above() {
        let exact = rows("{\"verb\":\"get\",\"count\":7,\"p50\":1000}\n");
        for good in [1000, 1010] {
            rows(&format!("{{\"verb\":\"get\",\"count\":7,\"p50\":{good}}}")).same(&exact).unwrap();
        }
        for bad in ["7,\"p50\":999", "7,\"p50\":1011", "8,\"p50\":1000", "7,\"p50\":null"] {
            assert!(rows(&format!("{{\"verb\":\"get\",\"count\":{bad}}}")).same(&exact).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_row_that_only_one_has_is_a_difference() {
        let one = rows("{\"verb\":\"get\",\"count\":7}");
        let difference = one.same(&Rows::default()).unwrap_err();
        assert_eq!(difference, "1 of 1 rows differ; get: auditq 7/null, the other nothing");
        assert!(Rows::default().same(&one).is_err());
    }

    #[test]
    fn equal_hits_are_counted() {
        let shape = Shape { keys: &["auditID"], measures: &[] };
        let hits = |text: &str| Rows::of_lines(text.as_bytes(), shape).unwrap();
        assert!(hits("{\"auditID\":\"a\"}\n{\"auditID\":\"a\"}\n").same(&hits("{\"auditID\":\"a\"}\n")).is_err());
    }

    #[test]
    fn a_summary_and_lines_meet() {
        let summary = br#"{"groups":[{"verb":"get","events":7,"latencyUs":{"p50":1000}},{"verb":null,"events":1,"latencyUs":null}]}"#;
        let lines =
            rows("{\"verb\":\"get\",\"count\":\"7\",\"p50\":1000.0}\n{\"verb\":\"\",\"count\":1,\"p50\":null}\n");
        Rows::of_summary(summary, LATENCY, "events").unwrap().same(&lines).unwrap();
    }
}
