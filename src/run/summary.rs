//! `summary`: what happened overall, and how much of what.

use super::{Answer, Run, TOP, time_of};
use crate::aggregate::key::Key;
use crate::aggregate::overview::{Overview, OverviewPartial};
use crate::aggregate::stats::Stats;
use crate::aggregate::summary::{Group, Order, Summary, SummaryPartial};
use crate::cli::SummaryConfig;
use crate::exit::Exit;
use crate::render::answer::{AnswerFormat, json_line};
use crate::render::human::counted;
use crate::render::sentences::sentences;
use crate::render::summary::{
    CHART_WIDTH, add_size_shares, brief, group_table, growth, noun, overview, overview_table,
};
use crate::render::{Table, TimeZoneChoice, document, render_csv, render_table};
use crate::scan::Outcome;

impl Run {
    pub(super) fn summary(&self, mut config: SummaryConfig) -> Exit {
        if let Err(exit) = self.resolve_last(&mut config.filter) {
            return exit;
        }
        if let Some(view) = config.view {
            return self.view(view, config);
        }
        let filter = config.filter.clone();
        let answer = if config.keys.is_empty() {
            self.answered(&Overview { filter }, config.form.format, &|outcome| self.overview(&config, outcome))
        } else {
            let question = Summary { filter, keys: config.keys.clone() };
            self.answered(&question, config.form.format, &|outcome| self.groups(&config, outcome))
        };
        self.answer(&answer.text, config.form.format, &answer.notes, &answer.account)
    }

    fn groups(&self, config: &SummaryConfig, outcome: Outcome<SummaryPartial>) -> Answer {
        let (mut notes, mut text) = (String::new(), Vec::new());
        let out = &mut text;
        let long_running = outcome.partial.long_running;
        let (total, mut groups) = outcome.partial.finish();
        config.order.sort(&mut groups);
        let table = config.form.format.is_for_people();
        let top = config.top.or((table && !config.over_time).then_some(TOP)).unwrap_or(usize::MAX);
        let hidden = groups.len().saturating_sub(top);
        groups.truncate(top);
        if config.over_time {
            groups.sort_by_key(|(values, _)| time_of(values));
        }
        let unit = self.options.unit;
        match config.form.format {
            AnswerFormat::Json => {
                let document = document::summary(&config.keys, unit, &total, long_running, &groups, &outcome.account);
                json_line(&document, self.output.terminal, out);
            }
            AnswerFormat::Csv => {
                let mut table = group_table(&config.keys, unit, &total, &groups, true);
                size_shares(config, &total, &groups, &mut table);
                render_csv(&table, config.form.headers, self.output.zone, out);
            }
            AnswerFormat::Table | AnswerFormat::Wide => {
                let wide = config.form.format == AnswerFormat::Wide;
                let mut table = group_table(&config.keys, unit, &total, &groups, wide);
                size_shares(config, &total, &groups, &mut table);
                render_table(&table, config.form.headers, self.output.zone, out);
                notes = self.group_notes(hidden, groups.len(), long_running, &config.keys);
                if config.order == Order::Size {
                    notes += &growth(&total);
                }
            }
        }
        Answer { text, notes, account: outcome.account }
    }

    /// What a table does not show by itself.
    fn group_notes(&self, hidden: usize, shown: usize, long_running: u64, keys: &[Key]) -> String {
        let mut notes = String::new();
        if hidden > 0 {
            let noun = if hidden == 1 { "group" } else { "groups" };
            notes += &format!("auditq: note: {hidden} more {noun}; --top {} shows all\n", hidden + shown);
        }
        if long_running > 0 {
            let noun = format!("long-running {}", noun(self.options.unit).trim_end_matches('s'));
            notes += &format!("auditq: note: {} counted without a latency\n", counted(long_running, &noun));
        }
        if keys.contains(&Key::Group) {
            notes += "auditq: note: a request counts in each of its user's groups, so shares add up to more than all\n";
        }
        notes
    }

    fn overview(&self, config: &SummaryConfig, outcome: Outcome<OverviewPartial>) -> Answer {
        let mut text = Vec::new();
        let out = &mut text;
        let answer = outcome.partial.finish(CHART_WIDTH);
        let unit = self.options.unit;
        match config.form.format {
            AnswerFormat::Json => {
                let plain = sentences(unit, &answer, TimeZoneChoice::Utc);
                let document = document::overview(unit, &answer, &plain, config.top, &outcome.account);
                json_line(&document, self.output.terminal, out);
            }
            AnswerFormat::Csv => {
                let table = overview_table(unit, &answer, config.top);
                render_csv(&table, config.form.headers, self.output.zone, out);
            }
            AnswerFormat::Table | AnswerFormat::Wide => {
                // The account knows how many there are in the input, not how many of them match.
                let unfinished = if config.filter.is_empty() { outcome.account.unfinished_requests } else { 0 };
                match config.brief {
                    true => brief(unit, &answer, unfinished, self.output.zone, out),
                    false => overview(unit, &answer, config.top, unfinished, self.output.zone, out),
                }
            }
        }
        Answer { text, notes: String::new(), account: outcome.account }
    }
}

/// Where groups are sorted by size, what share of it each has.
fn size_shares(config: &SummaryConfig, total: &Stats, groups: &[Group], table: &mut Table) {
    if config.order == Order::Size {
        add_size_shares(config.keys.len(), total, groups, table);
    }
}
