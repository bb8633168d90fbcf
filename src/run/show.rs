//! Runs `show`.

use super::Run;
use crate::aggregate::Position;
use crate::aggregate::show::{Request, SHORTEST, Show, ShowAnswer};
use crate::cli::{ShowConfig, ShowFormat};
use crate::exit::Exit;
use crate::render::answer::AnswerFormat;
use crate::render::human::counted;
use crate::render::messages;
use crate::render::show::{ShowLook, ambiguous, events, requests};

impl Run {
    pub(super) fn show(&self, mut config: ShowConfig) -> Exit {
        if let Err(exit) = self.resolve_last(&mut config.filter) {
            return exit;
        }
        let outcome = self.collect(&Show { filter: config.filter.clone(), id: config.id.clone() });
        let account = &outcome.account;
        let (found, left_out) = match outcome.partial.finish() {
            ShowAnswer::Requests(found, left_out) => (found, left_out),
            ShowAnswer::Ambiguous(ids, more) => {
                self.say(&ambiguous(&config.id, &ids, more));
                return Exit::Usage;
            }
            ShowAnswer::Nothing => (Vec::new(), 0),
        };
        let mut text = Vec::new();
        match config.format {
            ShowFormat::Text => {
                let look = ShowLook { zone: self.output.zone, bodies: config.bodies, secrets: config.secrets };
                requests(&found, &self.lines_of(&found), &look, &mut text);
            }
            ShowFormat::Json | ShowFormat::Yaml => {
                events(&found, config.format == ShowFormat::Yaml, self.output.terminal, &mut text);
            }
        }
        // Events are no answer with a headline.
        let format = if config.format == ShowFormat::Text { AnswerFormat::Table } else { AnswerFormat::Json };
        let exit = self.answer(&text, format, &notes(&config, &found, left_out), account);
        if exit == Exit::Complete && found.is_empty() { Exit::No } else { exit }
    }

    /// The line that each event stands on, where its source can be read once more.
    fn lines_of(&self, requests: &[Request]) -> Vec<Option<u64>> {
        let mut places: Vec<Position> = requests.iter().flat_map(|r| &r.events).map(|event| event.position).collect();
        let asked = places.clone();
        places.sort_unstable();
        places.dedup();
        let mut lines = Vec::new();
        for own in places.chunk_by(|a, b| a.source == b.source) {
            let offsets: Vec<u64> = own.iter().map(|place| place.offset).collect();
            let source = own.first().and_then(|place| self.inputs.sources.get(place.source as usize));
            let known = source.and_then(|source| source.lines_at(&offsets)).unwrap_or_default();
            lines.extend(own.iter().copied().zip(known));
        }
        let line = |place| lines.binary_search_by_key(&place, |&(known, _)| known).ok().and_then(|at| lines.get(at));
        asked.into_iter().map(|place| line(place).map(|&(_, line)| line)).collect()
    }
}

fn notes(config: &ShowConfig, found: &[Request], left_out: u64) -> String {
    let mut notes = String::new();
    if found.is_empty() {
        notes += &messages::no_such_id(&config.id, config.id.len() < SHORTEST);
    }
    if left_out > 0 {
        notes += &format!("auditq: note: {} more with this audit id; clients choose it\n", counted(left_out, "event"));
    }
    notes
}
