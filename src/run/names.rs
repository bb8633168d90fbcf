//! `query -o names`: whom and what to look at next.

use super::Run;
use crate::aggregate::names::Names;
use crate::cli::NamesConfig;
use crate::exit::Exit;
use crate::render::human::counted;
use crate::render::names::NamesAnswer;

impl Run {
    pub(super) fn names(&self, mut config: NamesConfig) -> Exit {
        if let Err(exit) = self.resolve_last(&mut config.filter) {
            return exit;
        }
        let outcome = self.collect(&Names { filter: config.filter });
        let answer = NamesAnswer { names: outcome.partial.finish() };
        let (left_out, nothing) = (answer.left_out(), answer.names.is_empty());
        let mut notes = String::new();
        if left_out > 0 && config.form.format.is_for_people() {
            notes = format!("auditq: note: {} more; -o names=csv has all\n", counted(left_out as u64, "name"));
        }
        let exit = self.give(&answer, config.form, &notes, &outcome.account);
        if exit == Exit::Complete && config.exit_status && nothing { Exit::No } else { exit }
    }
}
