//! What a time window needs of the log besides the window itself.
//!
//! A request is shown by its last stage, so one whose latest stage in the window matches is only
//! known to belong there once it is known that no later one follows: reading goes on behind the
//! window until every such request has ended. And what is counted of a request, its events and
//! bytes, includes stages before the window: where a request in the answer arrived before the part
//! that was read, the part is read again from its arrival on. Rows of events need neither.

use std::sync::Arc;

use bumpalo::Bump;
use hashbrown::HashSet;

use super::observer::event_of_waiting;
use super::skim::Skim;
use super::{Options, Unit};
use crate::aggregate::Question;
use crate::aggregate::evidence::Account;
use crate::aggregate::requests::{Identity, Requests, Waiting};
use crate::event::{Event, Timestamp};
use crate::input::seek::Seek;
use crate::input::source::{Discovery, Source};
use crate::query::Filter;

/// Requests that are counted are looked for from so long before the window on: most requests are
/// short, so that what arrived before the window and ended in it need not be read for twice.
const LEAD: i64 = 5_000_000_000;

/// A request that is not long-running by nature and has not ended after so long in the log never
/// does: the API server ends such requests itself, after a minute unless told otherwise.
const ENDS_WITHIN: i64 = 600_000_000_000;

/// What to read of the input, and what of that is only looked through.
#[derive(Clone, Debug)]
pub(super) struct Sought {
    pub(super) seek: Seek,
    /// Where each source was read from before, and the requests whose earlier stages are missing.
    pub(super) before: Option<(Vec<u64>, Arc<Skim>)>,
    second: bool,
    /// If more bytes than this are read before it shows that earlier ones are needed, the beginnings
    /// of files are not left out at all: reading most of the input twice is no gain.
    most: u64,
}

/// A request in the answer that arrived before what was read.
#[derive(Clone, Debug)]
pub(super) struct Early {
    start: Timestamp,
    id: Box<[u8]>,
    is_json: bool,
}

impl Early {
    /// The event's request, if it arrived before `since`.
    pub(super) fn of(event: &Event<'_>, since: Option<Timestamp>) -> Option<Self> {
        let start = event.start().filter(|start| since.is_some_and(|since| *start < since))?;
        Some(Early { start, id: event.audit_id?.raw().into(), is_json: !event.format.is_legacy() })
    }
}

/// The times to look for, if the question is about a window of time and may be answered from parts.
pub(super) fn sought<Q: Question>(inputs: &Discovery, options: &Options, question: &Q) -> Option<Sought> {
    let (step, filter) = (options.seek?, question.filter()?);
    if filter.since().is_none() && filter.until().is_none() {
        return None;
    }
    // What is left out may have to be read after all, and a pipe is empty then.
    if inputs.sources.iter().any(|source| !source.is_rereadable()) {
        return None;
    }
    let lead = if counts_requests::<Q>(options) { LEAD } else { 0 };
    let since = filter.since().map(|since| Timestamp(since.0.saturating_sub(lead)));
    let most = inputs.sources.iter().filter_map(Source::size).sum::<u64>() / 4;
    Some(Sought { seek: Seek { step, since, until: filter.until() }, before: None, second: false, most })
}

/// Whether what is shown of a request includes how many events and bytes it has.
pub(super) const fn counts_requests<Q: Question>(options: &Options) -> bool {
    matches!(options.unit, Unit::Request) && !Q::IN_ORDER
}

impl Sought {
    /// Whether it is known already which requests arrived before the window.
    pub(super) const fn is_second(&self) -> bool {
        self.second
    }

    /// Whether so much has been read that all must be, if anything must be read again.
    pub(super) const fn is_too_much(&self, bytes: u64) -> bool {
        !self.second && bytes > self.most
    }

    /// The same from the earliest of these requests on, if anything before was left out.
    pub(super) fn further_back(self, early: Vec<Early>, account: &Account) -> Option<Self> {
        let starts: Vec<u64> = account.sources.iter().map(|source| source.part.map_or(0, |part| part.start)).collect();
        if starts.iter().all(|start| *start == 0) {
            return None;
        }
        let since = early.iter().map(|early| early.start).min()?;
        if account.bytes() > self.most {
            let seek = Seek { since: None, ..self.seek };
            return Some(Sought { seek, before: None, second: true, ..self });
        }
        let is_json = early.iter().all(|early| early.is_json);
        let skim = Arc::new(Skim::new(early.into_iter().map(|early| early.id)));
        let before = is_json.then_some((starts, skim));
        Some(Sought { seek: Seek { since: Some(since), ..self.seek }, before, second: true, ..self })
    }
}

/// Whether to read on behind the window.
#[derive(Clone, Debug)]
pub(super) enum ReadOn {
    /// Everything that matters is known.
    No,
    /// Everything.
    All,
    /// Only for the ends of these requests.
    Skim(Arc<Skim>),
}

/// The requests that match as far as they are known and have not ended.
#[derive(Debug, Default)]
pub(super) struct Open {
    wanted: Wanted,
    /// Whether they can be looked for without parsing.
    is_json: bool,
    ids: Vec<Box<[u8]>>,
    /// Those that arrived before what was read.
    pub(super) early: Vec<Early>,
}

impl Open {
    /// Of all requests that wait for their end. `now` is the newest event's time, if what has waited
    /// for too long by then can be taken for unfinished.
    pub(super) fn of<'w>(
        waiting: impl Iterator<Item = (Identity, &'w Waiting)>,
        filter: &Filter,
        since: Option<Timestamp>,
        now: Option<Timestamp>,
    ) -> Open {
        let mut open = Open { is_json: true, ..Open::default() };
        for (identity, request) in waiting {
            let arena = Bump::new();
            let Some(event) = event_of_waiting(request, &arena).filter(|event| filter.matches(event)) else { continue };
            let age = now.zip(event.time()).map_or(0, |(now, time)| now.0.saturating_sub(time.0));
            if request.lasting() || age < ENDS_WITHIN {
                open.wanted.undecided.push(identity);
            }
            open.wanted.matching.insert(identity);
            open.is_json &= !event.format.is_legacy();
            open.ids.extend(event.audit_id.map(|id| id.raw().into()));
            open.early.extend(Early::of(&event, since));
        }
        open
    }

    /// How to read on for them. Of further sources nothing is known, so what comes before them is read.
    pub(super) fn read_on(self, last_source: bool) -> (ReadOn, Option<Wanted>) {
        match self.wanted.undecided.is_empty() {
            true => (ReadOn::No, None),
            false if self.is_json && last_source => (ReadOn::Skim(Arc::new(Skim::new(self.ids))), Some(self.wanted)),
            false => (ReadOn::All, None),
        }
    }
}

/// The requests whose ends are looked for behind the window.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    matching: HashSet<Identity>,
    /// Those of them that may still end.
    undecided: Vec<Identity>,
}

impl Wanted {
    /// Whether it is one of them. Behind the window none begins.
    pub(super) fn holds(&self, identity: Identity) -> bool {
        self.matching.contains(&identity)
    }

    /// Whether all have ended that may. Asked after every chunk, so only as many are looked at as have ended.
    pub(super) fn have_ended(&mut self, requests: &Requests) -> bool {
        while self.undecided.pop_if(|identity| !requests.is_open(*identity)).is_some() {}
        self.undecided.is_empty()
    }
}
