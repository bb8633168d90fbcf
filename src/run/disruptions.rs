//! Runs `disruptions`.

use super::Run;
use crate::aggregate::disruptions::Disruptions;
use crate::cli::DisruptionsConfig;
use crate::exit::Exit;
use crate::render::disruptions::notes;

impl Run {
    pub(super) fn disruptions(&self, mut config: DisruptionsConfig) -> Exit {
        if let Err(exit) = self.resolve_last(&mut config.filter) {
            return exit;
        }
        let restricted = !config.filter.is_empty();
        let outcome = self.collect(&Disruptions { filter: config.filter });
        let answer = outcome.partial.finish(config.node.as_deref(), restricted);
        self.give(&answer, config.form, &notes(&answer), &outcome.account)
    }
}
