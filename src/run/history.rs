//! Runs `history`.

use super::Run;
use crate::aggregate::history::{History, Standing, Stories, Wanted};
use crate::cli::HistoryConfig;
use crate::exit::Exit;
use crate::render::history::{At, Telling};
use crate::render::human::counted;
use crate::render::sanitize;

impl Run {
    pub(super) fn history(&self, mut config: HistoryConfig) -> Exit {
        if let Err(exit) = self.resolve_last(&mut config.span) {
            return exit;
        }
        let HistoryConfig { objects, place, span, shown, reads, compare, .. } = config;
        let single = objects.is_single();
        let bodies = Wanted::new(compare.differences || compare.field.is_some() || config.at.is_some());
        let outcome = self.collect(&History { objects, place, span, shown, reads, bodies });
        let mut stories = outcome.partial.finish();
        if let Some(uid) = &config.uid {
            stories.objects.retain_mut(|story| story.keep_uid(uid));
        }
        let mut notes = nothing_found(&stories, single, config.uid.is_some());
        if let Some(moment) = config.at {
            let standing = |story: &crate::aggregate::history::Story| {
                story.standing(moment, compare.secrets, compare.managed_fields)
            };
            let objects: Vec<Standing> = stories.objects.iter().map(standing).collect();
            return self.give(&At { moment, objects }, config.form, &notes, &outcome.account);
        }
        let mut unknown = 0;
        for story in &mut stories.objects {
            story.compare(&compare);
            if compare.field.is_some() {
                unknown += story.keep_field();
            }
        }
        if unknown > 0 {
            let changes = counted(unknown as u64, "change");
            notes += &format!("auditq: note: {changes} left out, whose bodies do not tell whether the field changed\n");
        }
        let answer = Telling { stories: &stories, brief: config.brief, no_status: config.no_status, compare: &compare };
        self.give(&answer, config.form, &notes, &outcome.account)
    }
}

/// What must be said where there is nothing to show.
fn nothing_found(stories: &Stories, single: bool, uid: bool) -> String {
    if !stories.objects.is_empty() {
        return String::new();
    }
    let what = match (single, uid) {
        (_, true) => "no object of that name shows this uid",
        (true, _) => "no request in this log changed, or tried to change, the object",
        _ => "no request in this log changed, or tried to change, such an object",
    };
    let mut notes = format!("auditq: note: {what}\n");
    if !stories.collections.is_empty() {
        let requests = counted(stories.collections.len() as u64, "deletion");
        let users = authors(stories);
        notes += &format!("auditq: note: {requests} of whole collections may have held it, by {users}\n");
    }
    notes
}

fn authors(stories: &Stories) -> String {
    let mut users: Vec<String> = stories.collections.iter().map(|act| act.who()).collect();
    users.sort();
    users.dedup();
    sanitize::cell(&users.join(", ")).into_owned()
}
