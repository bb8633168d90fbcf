//! Runs `sessions`.

use super::Run;
use crate::aggregate::sessions::{Sessions, State};
use crate::cli::SessionsConfig;
use crate::exit::Exit;
use crate::render::sessions::SessionsView;

impl Run {
    pub(super) fn sessions(&self, mut config: SessionsConfig) -> Exit {
        if let Err(exit) = self.resolve_last(&mut config.filter) {
            return exit;
        }
        let outcome = self.collect(&Sessions { filter: config.filter });
        let mut sessions = outcome.partial.finish();
        sessions.retain(|session| {
            (!config.open || session.state != State::Ended) && (!config.copies || session.copy.is_some())
        });
        let view = SessionsView { sessions, copies: config.copies };
        let mut notes = view.notes();
        if view.sessions.is_empty() {
            notes += "auditq: note: no such session; where a policy logs none of pods/exec and the like, there is nothing to see\n";
        }
        self.give(&view, config.form, &notes, &outcome.account)
    }
}
