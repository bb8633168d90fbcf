//! Runs `denied`.

use super::{Run, TOP};
use crate::aggregate::denied::Denied;
use crate::cli::DeniedConfig;
use crate::exit::Exit;
use crate::rbac::least::Grant;
use crate::render::answer::AnswerFormat;
use crate::render::denied::{DeniedAnswer, notes};
use crate::render::rbac::manifests;

impl Run {
    pub(super) fn denied(&self, mut config: DeniedConfig) -> Exit {
        if let Err(exit) = self.resolve_last(&mut config.filter) {
            return exit;
        }
        let outcome = self.collect(&Denied { filter: config.filter });
        let mut causes = outcome.partial.finish();
        let usual = (config.form.format.is_for_people() && !config.rules).then_some(TOP);
        let hidden = causes.len().saturating_sub(config.top.or(usual).unwrap_or(usize::MAX));
        causes.truncate(causes.len() - hidden);
        let answer = DeniedAnswer { causes, names: config.names };
        let notes = notes(&answer, hidden, config.rules);
        if !config.rules {
            return self.give(&answer, config.form, &notes, &outcome.account);
        }
        let grants: Vec<Grant> = answer.causes.iter().filter_map(|cause| cause.fix(config.names)).collect();
        let mut text = Vec::new();
        manifests(grants.iter().flat_map(Grant::manifests), &mut text);
        self.answer(&text, AnswerFormat::Json, &notes, &outcome.account)
    }
}
