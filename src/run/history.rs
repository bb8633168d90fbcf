//! Runs `history`.

use super::Run;
use crate::aggregate::history::{History, Standing, Stories, Story, Wanted};
use crate::cli::HistoryConfig;
use crate::exit::Exit;
use crate::render::history::{At, Telling, sentence};
use crate::render::human::counted;
use crate::render::sanitize;

impl Run {
    pub(super) fn history(&self, mut config: HistoryConfig) -> Exit {
        if let Err(exit) = self.resolve_last(&mut config.shown) {
            return exit;
        }
        let HistoryConfig { objects, place, span, shown, reads, compare, .. } = config;
        let single = objects.is_single();
        let bodies = Wanted::new(compare.differences || compare.field.is_some() || config.at.is_some());
        let outcome = self.collect(&History { objects, place, span, shown, reads, bodies });
        let mut stories = outcome.partial.finish();
        if let Some(uid) = &config.uid {
            if !stories.objects.is_empty() {
                stories.collections.clear();
            }
            stories.objects.retain_mut(|story| story.keep_uid(uid));
        }
        let mut notes = self.nothing_found(&stories, single, config.uid.is_some());
        if let Some(moment) = config.at {
            let standing = |story: &Story| story.standing(moment, compare.secrets, compare.managed_fields);
            let objects: Vec<Standing> = stories.objects.iter().map(standing).collect();
            return self.give(&At { moment, objects }, config.form, &notes, &outcome.account);
        }
        notes += &left_out(&mut stories, single);
        let mut unknown = 0;
        for story in &mut stories.objects {
            story.compare(&compare);
            if let Some(field) = &compare.field {
                unknown += story.keep_field(field);
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

/// Leaves the objects of which a change passes the filters, and the one that was asked for; says what is missing.
fn left_out(stories: &mut Stories, single: bool) -> String {
    let none = |story: &Story| !story.changes.iter().any(|told| told.change.shown);
    if stories.objects.is_empty() || !stories.objects.iter().all(none) {
        stories.objects.retain(|story| !none(story));
        return String::new();
    }
    let changes: usize = stories.objects.iter().map(|story| story.changes.len()).sum();
    let changes = match changes {
        1 => "the 1 change of it does not pass".to_owned(),
        changes => format!("none of the {changes} changes in this log passes"),
    };
    if !single {
        stories.objects.clear();
    }
    format!("auditq: note: {changes} the filters\n")
}

/// So many deletions of collections are told one by one.
const TOLD: usize = 5;

impl Run {
    /// What must be said where there is nothing to show.
    fn nothing_found(&self, stories: &Stories, single: bool, uid: bool) -> String {
        if !stories.objects.is_empty() {
            return String::new();
        }
        let what = match (single, uid) {
            (_, true) => "no object of that name shows this uid",
            (true, _) => "no request in this log changed, or tried to change, the object",
            _ => "no request in this log changed, or tried to change, such an object",
        };
        let mut notes = format!("auditq: note: {what}\n");
        let among = if single { "it may have been among them" } else { "such an object may have been among them" };
        for cause in stories.collections.iter().take(TOLD) {
            let told = sentence(&cause.sentence(), self.output.zone);
            notes += &format!("auditq: note: {}; {among}\n", sanitize::text_for_terminal(&told));
        }
        let more = stories.collections.len().saturating_sub(TOLD);
        if more > 0 {
            let more = counted(more as u64, "more deletion");
            notes += &format!("auditq: note: and {more} of whole collections\n");
        }
        notes
    }
}
