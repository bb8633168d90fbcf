//! Runs the views of `summary`.

use super::{Run, TOP, time_of};
use crate::aggregate::evidence::Account;
use crate::aggregate::key::Key;
use crate::aggregate::views::deprecated::Deprecated;
use crate::aggregate::views::slowest::Slowest;
use crate::aggregate::views::trackers::Trackers;
use crate::aggregate::views::{Pick, Picking, Values, View, churn, lists, pollers, watches};
use crate::cli::SummaryConfig;
use crate::exit::Exit;
use crate::query::Filter;
use crate::render::views::{Grouped, Shown};

impl Run {
    pub(super) fn view(&self, view: View, config: SummaryConfig) -> Exit {
        let form = config.form;
        let keys = if config.keys.is_empty() { view.keys().to_vec() } else { config.keys };
        let over_time = config.over_time;
        let usual = (form.format.is_for_people() && !over_time).then_some(TOP);
        let top = config.top.or(usual).unwrap_or(usize::MAX);
        let (filter, grouped) = (config.filter, Grouped { keys: keys.clone(), top });
        match view {
            View::Trackers => {
                let found = self.collect(&Trackers { filter, keys });
                let mut answer = found.partial.finish();
                in_time(over_time, &mut answer.rows, |row| &row.values);
                let shown = Shown { answer, grouped };
                self.give(&shown, form, &shown.notes(), &found.account)
            }
            View::Slowest(count) => {
                let found = self.collect(&Slowest { filter, count });
                let answer = found.partial.finish(count);
                self.give(&answer, form, &answer.notes(), &found.account)
            }
            View::Churn { least, all } => {
                let (groups, account) = self.picked(filter, keys, &|seen, names| churn::pick(all, seen, names));
                let shown = Shown { answer: churn::finish(groups, least), grouped };
                self.give(&shown, form, &shown.notes(all), &account)
            }
            View::Watches => {
                let period = keys.iter().find_map(|key| if let Key::Every(width) = key { Some(*width) } else { None });
                let (groups, account) = self.picked(filter, keys, &watches::pick);
                let mut answer = watches::finish(groups, period);
                in_time(over_time, &mut answer.rows, |row| &row.values);
                let shown = Shown { answer, grouped };
                self.give(&shown, form, &shown.notes(), &account)
            }
            View::Lists => {
                let (groups, account) = self.picked(filter, keys, &lists::pick);
                let mut answer = lists::finish(groups);
                in_time(over_time, &mut answer.rows, |row| &row.values);
                let shown = Shown { answer, grouped };
                self.give(&shown, form, &shown.notes(), &account)
            }
            View::Pollers { least, all } => {
                let (groups, account) = self.picked(filter, keys, &|seen, names| pollers::pick(all, seen, names));
                let shown = Shown { answer: pollers::finish(groups, least), grouped };
                self.give(&shown, form, &shown.notes(), &account)
            }
            View::Deprecated(removed_in) => {
                let found = self.collect(&Deprecated { filter, keys });
                let mut answer = found.partial.finish(removed_in);
                in_time(over_time, &mut answer.rows, |row| &row.values);
                let shown = Shown { answer, grouped };
                self.give(&shown, form, &shown.notes(), &found.account)
            }
        }
    }

    fn picked<T: Send + Ord>(
        &self,
        filter: Filter,
        keys: Vec<Key>,
        pick: &Pick<'_, T>,
    ) -> (Vec<(Values, Vec<T>)>, Account) {
        let found = self.collect(&Picking { filter, keys, pick });
        (found.partial.finish(), found.account)
    }
}

/// Rows of periods come in their order.
fn in_time<T>(over_time: bool, rows: &mut [T], values: impl Fn(&T) -> &Values) {
    if over_time {
        rows.sort_by_key(|row| time_of(values(row)));
    }
}
