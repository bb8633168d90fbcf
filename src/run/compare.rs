//! Runs `compare`.

use std::path::PathBuf;

use super::Run;
use crate::aggregate::Question;
use crate::aggregate::compare::{Compare, ComparePartial, Pair, Sides, Window};
use crate::cli::{CompareConfig, Division};
use crate::event::Timestamp;
use crate::exit::Exit;
use crate::input::source::discover;
use crate::query::Filter;
use crate::render::compare::{Differences, notes};
use crate::render::messages;
use crate::scan::Outcome;

impl Run {
    pub(super) fn compare(mut self, mut config: CompareConfig) -> Exit {
        if let Err(exit) = self.resolve_last(&mut config.filter) {
            return exit;
        }
        let asked = Window { since: config.filter.since(), until: config.filter.until() };
        let after = names(&self.files);
        let (outcome, windows, names) = match std::mem::replace(&mut config.division, Division::Previous) {
            Division::Files(before) => {
                let names = Some([names(&before), after]);
                match self.two_inputs(&config, &before, asked) {
                    Ok((outcome, windows)) => (outcome, windows, names),
                    Err(exit) => return exit,
                }
            }
            Division::Windows(windows) => (self.two_windows(&config, windows), windows, None),
            Division::Previous => {
                let windows = [before(asked, config.filter.last()), asked];
                (self.two_windows(&config, windows), windows, None)
            }
        };
        let windows = match &names {
            Some(_) => windows,
            None => windows.map(|window| window.covered(&outcome.account)),
        };
        let comparison = outcome.partial.finish(windows, config.top);
        let notes = notes(&comparison, config.top);
        let answer = Differences { comparison, names, unit: self.options.unit };
        self.give(&answer, config.form, &notes, &outcome.account)
    }

    /// One scan for each side. They share no requests: what is in both logs counts in both.
    ///
    /// # Errors
    /// Fails when nothing of a side can be read: then there is nothing to compare with.
    fn two_inputs(
        &mut self,
        config: &CompareConfig,
        before: &[PathBuf],
        asked: Window,
    ) -> Result<(Outcome<ComparePartial>, Pair<Window>), Exit> {
        let question = |side| Compare::new(config.filter.clone(), config.keys.clone(), Sides::Whole(side));
        let after = std::mem::replace(&mut self.inputs, discover(before));
        if self.output.notes {
            self.say(&messages::skipped(&self.inputs));
        }
        let mut first = self.collect(&question(0));
        self.inputs = after;
        let second = self.collect(&question(1));
        if let Some(empty) = [&first.account, &second.account].into_iter().find(|account| account.nothing_read()) {
            return Err(self.conclude(empty, None));
        }
        let windows = [asked.covered(&first.account), asked.covered(&second.account)];
        question(1).merge(&mut first.partial, second.partial);
        first.account.join(second.account);
        Ok((first, windows))
    }

    /// One scan for both.
    fn two_windows(&self, config: &CompareConfig, windows: Pair<Window>) -> Outcome<ComparePartial> {
        let mut filter: Filter = config.filter.clone();
        let [before, after] = windows;
        filter.set_span(before.since.min(after.since), before.until.zip(after.until).map(|(a, b)| a.max(b)));
        self.collect(&Compare::new(filter, config.keys.clone(), Sides::Windows(windows)))
    }
}

/// As much time right before a window; of `--last` the length is known from where it begins.
fn before(window: Window, last: Option<i64>) -> Window {
    // Both ends of --around belong to it, which makes it a nanosecond longer than anybody means.
    let length = last.or(window.length()).unwrap_or_default() / 1000 * 1000;
    Window { since: window.since.map(|since| Timestamp(since.0.saturating_sub(length))), until: window.since }
}

/// Inputs as they were named.
fn names(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(" ") }
}
