//! Runs `history`.

use super::Run;
use crate::aggregate::history::{History, Stories};
use crate::cli::HistoryConfig;
use crate::exit::Exit;
use crate::render::history::Telling;

impl Run {
    pub(super) fn history(&self, mut config: HistoryConfig) -> Exit {
        if let Err(exit) = self.resolve_last(&mut config.span) {
            return exit;
        }
        let HistoryConfig { objects, place, span, shown, reads, .. } = config;
        let single = objects.is_single();
        let outcome = self.collect(&History { objects, place, span, shown, reads });
        let mut stories = outcome.partial.finish();
        if let Some(uid) = &config.uid {
            stories.objects.retain_mut(|story| story.keep_uid(uid));
        }
        let notes = notes(&stories, single, config.uid.is_some());
        let answer = Telling { stories: &stories, no_status: config.no_status };
        self.give(&answer, config.form, &notes, &outcome.account)
    }
}

/// What must be said where there is nothing to show.
fn notes(stories: &Stories, single: bool, uid: bool) -> String {
    if !stories.objects.is_empty() {
        return String::new();
    }
    let what = match (single, uid) {
        (_, true) => "no object of that name shows this uid",
        (true, _) => "no request in this log is about the object",
        _ => "no request in this log is about such an object",
    };
    let mut notes = format!("auditq: note: {what}\n");
    if !stories.collections.is_empty() {
        let (count, users) = (stories.collections.len(), authors(stories));
        notes += &format!(
            "auditq: note: {count} deletion{} of whole collections may have held it, by {users}\n",
            if count == 1 { "" } else { "s" }
        );
    }
    notes
}

fn authors(stories: &Stories) -> String {
    let mut users: Vec<String> = stories.collections.iter().map(|act| act.who()).collect();
    users.sort();
    users.dedup();
    crate::render::sanitize::cell(&users.join(", ")).into_owned()
}
