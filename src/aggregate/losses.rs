//! Events that are missing from the log because the API server could not write them, as its own log says:
//! `Error in audit plugin 'buffered' affecting 400 audit events: audit buffer queue blocked`.

use std::collections::BTreeMap;

use memchr::{memchr, memmem};

use crate::parse::records::Place;

/// Messages of one plugin with one reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loss {
    /// How many events.
    pub events: u64,
    /// In how many messages.
    pub messages: u64,
    /// Where the first stands.
    pub first: Place,
}

/// Losses by plugin and reason. Of too many, the first in order of the alphabet are kept, which is the
/// same however the log was cut.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Losses(BTreeMap<(String, String), Loss>);

/// So many kinds are kept.
const KINDS: usize = 64;

/// And so much of a reason.
const REASON: usize = 160;

impl Losses {
    /// Takes a message into account.
    pub fn observe(&mut self, line: &[u8], first: Place) {
        if let Some((plugin, events, reason)) = read(line) {
            self.insert((plugin, reason), Loss { events, messages: 1, first });
        }
    }

    fn insert(&mut self, kind: (String, String), loss: Loss) {
        let sum = self.0.entry(kind).or_insert(Loss { events: 0, messages: 0, ..loss });
        sum.events = sum.events.saturating_add(loss.events);
        sum.messages += loss.messages;
        if self.0.len() > KINDS {
            self.0.pop_last();
        }
    }

    /// Joins the losses of the stretch that follows, which begins behind so many line feeds.
    pub fn append(&mut self, next: &Losses, lines: u64) {
        for (kind, loss) in &next.0 {
            let first = Place { line: loss.first.line + lines, ..loss.first };
            self.insert(kind.clone(), Loss { first, ..*loss });
        }
    }

    /// So many line feeds stand before what was read.
    pub fn shift_lines(&mut self, feeds: u64) {
        self.0.values_mut().for_each(|loss| loss.first.line += feeds);
    }

    /// Plugin, reason and what was lost, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Loss)> {
        self.0.iter().map(|((plugin, reason), loss)| (plugin.as_str(), reason.as_str(), loss))
    }
}

/// Plugin, number of events and reason. Numbers in the reason differ from message to message.
fn read(line: &[u8]) -> Option<(String, u64, String)> {
    const START: &[u8] = b"Error in audit plugin '";
    const MIDDLE: &[u8] = b"' affecting ";
    let rest = line.get(memmem::find(line, START)? + START.len()..)?;
    let middle = memmem::find(rest, MIDDLE)?;
    let plugin = rest.get(..middle.min(64))?;
    let rest = rest.get(middle + MIDDLE.len()..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let events = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
    let reason = memchr(b':', rest).and_then(|colon| rest.get(colon + 1..)).unwrap_or_default().trim_ascii();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((text(plugin), events, without_numbers(&text(reason.get(..REASON).unwrap_or(reason)))))
}

/// Runs of digits as `N`.
fn without_numbers(reason: &str) -> String {
    let mut out = String::new();
    for character in reason.chars() {
        match character {
            digit if digit.is_ascii_digit() => {
                if !out.ends_with('N') {
                    out.push('N');
                }
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(&str, u64)]) -> Losses {
        let mut losses = Losses::default();
        lines.iter().for_each(|(line, at)| losses.observe(line.as_bytes(), Place { line: *at, byte: 0 }));
        losses
    }

    const BLOCKED: &str = "E0309 1 metrics.go:96] Error in audit plugin 'buffered' affecting 400 audit events: audit buffer queue blocked";
    const LONG: &str =
        "Error in audit plugin 'log' affecting 1 audit events: write length 79213 exceeds maximum file size 1048576";

    #[test]
    fn by_plugin_and_reason() {
        let mut all = of(&[(BLOCKED, 3), (LONG, 5)]);
        all.append(&of(&[(LONG, 1), ("Error in audit plugin '", 2)]), 10);
        let shown: Vec<_> =
            all.iter().map(|(plugin, reason, loss)| (plugin, reason, loss.events, loss.first.line)).collect();
        assert_eq!(
            shown,
            [
                ("buffered", "audit buffer queue blocked", 400, 3),
                ("log", "write length N exceeds maximum file size N", 2, 5)
            ]
        );
    }

    #[test]
    fn of_too_many_kinds_the_same_are_kept_in_any_order() {
        let line = |n: usize| {
            format!(
                "Error in audit plugin 'p{}' affecting 1 audit events: x",
                ["a", "b"].repeat(9).concat() + &"z".repeat(n)
            )
        };
        let (mut forwards, mut backwards) = (Losses::default(), Losses::default());
        (0..44).for_each(|n| forwards.observe(line(n).as_bytes(), Place { line: 0, byte: 0 }));
        (0..44).rev().for_each(|n| backwards.observe(line(n).as_bytes(), Place { line: 0, byte: 0 }));
        assert_eq!(forwards, backwards);
        let many = |n: usize| format!("Error in audit plugin 'p' affecting 1 audit events: {}", "x".repeat(n));
        (0..200).for_each(|n| forwards.observe(many(n).as_bytes(), Place { line: 0, byte: 0 }));
        (0..200).rev().for_each(|n| backwards.observe(many(n).as_bytes(), Place { line: 0, byte: 0 }));
        assert_eq!(forwards, backwards);
        assert_eq!(forwards.iter().count(), KINDS);
    }
}
