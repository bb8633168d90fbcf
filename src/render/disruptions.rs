//! Disruptions for people, as CSV and as a document.
//!
//! People see what is remarkable and how much else there is; `wide` shows all. A node's answer begins with what
//! was done to it, so that who cordoned it is in the first lines. The tables that people see are in `tables`, the
//! flat one of CSV in `happenings`, the document in `document`; what became of a thing they tell in the same words
//! (`words`).

mod document;
mod happenings;
mod tables;
mod words;

use std::fmt::Write as _;

use serde_json::{Map, Value};

use self::happenings::happenings;
use self::tables::{budget_table, eviction_table, node_table, termination_table, writes_table};
use super::answer::{Answer, AnswerFormat, Look};
use super::human::counted;
use super::sanitize::text_for_terminal;
use super::table::{Table, render_table};
use crate::aggregate::disruptions::DisruptionsAnswer;
use crate::aggregate::disruptions::evictions::{BudgetStory, Eviction, EvictionResult};
use crate::aggregate::disruptions::nodes::Kind;
use crate::aggregate::disruptions::terminations::{End, Termination};

impl Answer for DisruptionsAnswer {
    const KIND: &'static str = "Disruptions";

    fn table(&self, _: bool) -> Table {
        happenings(self)
    }

    fn members(&self) -> Map<String, Value> {
        document::members(self)
    }

    fn people(&self, look: &Look, out: &mut Vec<u8>) {
        let wide = look.format == AnswerFormat::Wide;
        let mut page = Page { look, wide, parts: Vec::new() };
        if self.node.is_none() {
            page.parts.push(sentence(self).into_bytes());
        }
        page.add(&node_table(self, look.zone), None);
        if self.node.is_some() && !wide {
            page.add(&writes_table(&self.writes), None);
        }
        page.evictions(&self.evictions);
        page.terminations(&self.terminations);
        page.budgets(&self.budgets);
        if wide {
            page.add(&writes_table(&self.writes), None);
        }
        out.extend(page.parts.join(&b'\n'));
    }
}

/// What people see: one table below the other, with an empty line between them.
struct Page<'l> {
    look: &'l Look,
    wide: bool,
    parts: Vec<Vec<u8>>,
}

impl Page<'_> {
    /// A table, if it has rows, and what is said below it.
    fn add(&mut self, table: &Table, more: Option<String>) {
        let mut text = Vec::new();
        if !table.rows.is_empty() {
            render_table(table, self.look.headers, self.look.zone, &mut text);
        }
        text.extend(more.unwrap_or_default().into_bytes());
        if !text.is_empty() {
            self.parts.push(text);
        }
    }

    fn evictions(&mut self, all: &[Eviction]) {
        let (shown, more) = choose(all, self.wide, Eviction::is_remarkable);
        let more = more.map(|more| rest(&shown, more, "eviction", "evictions") + ", allowed at once\n");
        self.add(&eviction_table(&shown, self.wide), more);
    }

    fn terminations(&mut self, all: &[Termination]) {
        let (shown, more) = choose(all, self.wide, Termination::is_remarkable);
        let unknown = all.iter().any(|one| one.end == End::Unknown);
        let more = more.map(|more| match (unknown, more) {
            (false, 1) => rest(&shown, more, "pod", "pods") + " that ended as it should, or may still\n",
            (false, _) => rest(&shown, more, "pod", "pods") + " that ended as they should, or may still\n",
            (true, _) => rest(&shown, more, "pod", "pods") + " with nothing wrong that was logged\n",
        });
        self.add(&termination_table(&shown, self.wide, self.look.zone), more);
    }

    fn budgets(&mut self, all: &[BudgetStory]) {
        let (shown, more) = choose(all, self.wide, BudgetStory::is_remarkable);
        let more = more.map(|more| rest(&shown, more, "budget", "budgets") + " that refused nothing\n");
        self.add(&budget_table(&shown, self.wide, self.look.zone), more);
    }
}

/// `… and 2 more evictions` below a table, `2 evictions` where there is none.
fn rest<T>(shown: &[T], more: u64, one: &str, many: &str) -> String {
    let noun = if more == 1 { one } else { many };
    if shown.is_empty() { format!("{more} {noun}") } else { format!("… and {more} more {noun}") }
}

/// The rows to show, and how many there are besides.
fn choose<T>(all: &[T], wide: bool, remarkable: fn(&T) -> bool) -> (Vec<&T>, Option<u64>) {
    let shown: Vec<&T> = all.iter().filter(|one| wide || remarkable(one)).collect();
    let more = (all.len() - shown.len()) as u64;
    (shown, (more > 0).then_some(more))
}

/// What is said on standard error: what the log cannot tell, and where nothing was found.
pub fn notes(answer: &DisruptionsAnswer) -> String {
    let mut notes = String::new();
    let [is, are] =
        if answer.restricted { ["matches", "match"] } else { ["is in what was read", "are in what was read"] };
    if let (Some(node), true) = (&answer.node, answer.nodes.is_empty() && answer.writes.is_empty()) {
        let known = if answer.evictions.is_empty() && answer.terminations.is_empty() { "nothing" } else { "no write" };
        notes += &format!("auditq: note: {known} of node {} {is}\n", text_for_terminal(node));
    } else if answer.node.is_none() && answer.is_empty() {
        notes += &format!("auditq: note: no evictions, drains, deletions of pods or PodDisruptionBudgets {are}\n");
    }
    for limit in &answer.limits {
        notes += &format!("auditq: note: {limit}\n");
    }
    notes
}

/// The totals in one sentence, without what there is nothing of.
fn sentence(answer: &DisruptionsAnswer) -> String {
    let kind = |kind: Kind| answer.nodes.iter().filter(move |episode| episode.what == kind);
    let end = |end: End| answer.terminations.iter().filter(|one| one.end == end).count();
    let open = kind(Kind::Drain).filter(|drain| !drain.blocked.is_empty()).count();
    let cordons = kind(Kind::Cordon).count() as u64;
    let evicted = answer.evictions.iter().filter(|one| one.result == EvictionResult::Allowed).count();
    let refused = answer.evictions.iter().filter(|one| one.refused > 0).count();
    let wrong = answer.budgets.iter().filter(|story| !story.findings.is_empty()).count();
    let tried = answer.evictions.len() as u64;
    let ended = answer.terminations.len() as u64;
    let parts = [
        part(kind(Kind::Drain).count() as u64, "drain", &[(open, "not finished")]),
        (cordons > 0).then(|| format!("{} without a drain", counted(cordons, "cordon"))),
        part(tried, "eviction", &[(evicted, "allowed in the end"), (refused, "refused at least once")]),
        part(
            ended,
            "termination",
            &[(end(End::Past), "past the grace period"), (end(End::Forced), "forced"), (end(End::Stuck), "not gone")],
        ),
        part(answer.budgets.len() as u64, "budget", &[(wrong, "questionable")]),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "No disruptions.\n".to_owned() } else { format!("{}.\n", parts.join("; ")) }
}

/// `3 drains, 1 not finished`; nothing of nothing.
fn part(count: u64, noun: &str, of_them: &[(usize, &str)]) -> Option<String> {
    let mut text = (count > 0).then(|| counted(count, noun))?;
    for (part, what) in of_them.iter().filter(|(part, _)| *part > 0) {
        _ = write!(text, ", {part} {what}");
    }
    Some(text)
}
