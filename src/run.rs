//! Runs a configuration: scan, then render. Reads as a list of what the tool can do.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

mod compare;
mod context;
mod denied;
mod disruptions;
mod gather;
mod history;
mod inspect;
mod live;
mod names;
mod query;
mod rbac;
mod sessions;
mod show;
mod summary;
mod views;

use crate::aggregate::evidence::Account;
use crate::aggregate::newest::Newest;
use crate::aggregate::notes::Noting;
use crate::aggregate::{Question, Seen};
use crate::cli::{Command, Config, Form, Output, completion_script};
use crate::event::Timestamp;
use crate::exit::Exit;
use crate::input::source::{Discovery, Source, discover};
use crate::query::Filter;
use crate::receive::{kubeconfig, receive};
use crate::render::answer::{self, AnswerFormat, Look};
use crate::render::color::headline;
use crate::render::sink::Sink;
use crate::render::{messages, progress};
use crate::scan::{Outcome, Progress, scan};

/// Does what was asked, and says on standard error what must be said.
pub fn run(config: Config) -> Exit {
    let Config { command, files, follow, stop, options, output, hints } = config;
    let ready = || {
        // What is followed is found when it is there.
        let inputs = if follow { Discovery::default() } else { discover(&files) };
        let progress = Progress { stop, ..Progress::default() };
        let run = Run { files, inputs, live: follow, progress, options, output };
        if output.notes {
            run.say(&(messages::hints(&hints) + &messages::skipped(&run.inputs)));
        }
        run
    };
    match command {
        Command::Query(config) => ready().query(config),
        Command::Names(config) => ready().names(config),
        Command::Summary(config) => ready().summary(config),
        Command::History(config) => ready().history(*config),
        Command::Denied(config) => ready().denied(config),
        Command::Rbac(config) => ready().rbac(*config),
        Command::Compare(config) => ready().compare(config),
        Command::Inspect(format) => ready().inspect(format),
        Command::Show(config) => ready().show(config),
        Command::Disruptions(config) => ready().disruptions(config),
        Command::Sessions(config) => ready().sessions(config),
        Command::Receive(config) => receive(&config),
        Command::Kubeconfig(target) => print(kubeconfig::text(&target).as_bytes()),
        Command::Completion(shell) => print(&completion_script(shell)),
    }
}

/// Prints an answer that needs no input.
fn print(text: &[u8]) -> Exit {
    let mut sink = Sink::answers();
    let _ = sink.write(text);
    let Some(failure) = sink.failure() else { return Exit::Complete };
    let _ = Sink::messages().write(messages::output_failed(&failure).as_bytes());
    Exit::Usage
}

struct Run {
    files: Vec<PathBuf>,
    inputs: Discovery,
    /// Whether the files are followed.
    live: bool,
    progress: Progress,
    options: crate::scan::Options,
    output: Output,
}

impl Run {
    fn say(&self, text: &str) {
        let _ = Sink::messages().write(text.as_bytes());
    }

    /// Scans with a progress bar where one is wanted.
    fn scan<Q: Question>(
        &self,
        question: &Q,
        emit: &mut (dyn FnMut(Q::Partial) -> ControlFlow<()> + Send),
    ) -> Outcome<Q::Partial> {
        let total = total_size(&self.inputs);
        self.progress.bytes.store(0, Ordering::Relaxed);
        progress::with_bar(self.output.progress, &self.progress, total, || {
            scan(&self.inputs, &self.options, question, &self.progress, emit)
        })
    }

    /// Scans for a question that is answered at the end.
    fn collect<Q: Question>(&self, question: &Q) -> Outcome<Q::Partial> {
        self.scan(question, &mut |_| ControlFlow::Continue(()))
    }

    /// `--last` counts back from the newest event, and `--around` may name a request, so these have to be
    /// found first.
    ///
    /// # Errors
    /// Fails when an input can be read only once, or there is no such request.
    fn resolve_last(&self, filter: &mut Filter) -> Result<(), Exit> {
        self.resolve_around(filter)?;
        let Some(length) = filter.last() else { return Ok(()) };
        if let Some(pipe) = self.inputs.sources.iter().find(|source| !source.is_rereadable()) {
            self.say(&messages::last_of_pipe(&pipe.name));
            return Err(Exit::Usage);
        }
        let account = self.collect(&Newest).account;
        let newest = account.sources.iter().filter_map(|source| source.evidence.last).max();
        if let Some(newest) = newest {
            filter.set_since(Timestamp(newest.0.saturating_sub(length)));
        }
        Ok(())
    }

    fn resolve_around(&self, filter: &mut Filter) -> Result<(), Exit> {
        let Some(around) = filter.around() else { return Ok(()) };
        if let Some(pipe) = self.inputs.sources.iter().find(|source| !source.is_rereadable()) {
            self.say(&messages::around_in_pipe(&pipe.name));
            return Err(Exit::Usage);
        }
        let note = |seen: &Seen<'_, '_>| Some((seen.event.start()?, seen.event.audit_id?.to_str_lossy().into_owned()));
        let named = Noting { filter: Filter::for_audit_id(&around.audit_id), note: &note };
        let outcome = self.collect(&named);
        let mut found: Vec<(Timestamp, String)> = outcome.partial.finish().into_iter().map(|(_, one)| one).collect();
        if found.iter().any(|(_, id)| *id == around.audit_id) {
            found.retain(|(_, id)| *id == around.audit_id);
        }
        let Some((middle, id)) = found.first() else {
            self.say(&messages::evidence(&outcome.account));
            self.say(&messages::no_such_request(&around.audit_id));
            return Err(Exit::Usage);
        };
        let same = found.iter().filter(|(_, other)| other == id).count();
        if self.output.notes {
            self.say(&messages::around(id, *middle, same, found.len() - same));
        }
        filter.set_around(*middle);
        Ok(())
    }

    /// Says what must be said about the evidence and gives the exit status.
    fn conclude(&self, account: &Account, failure: Option<String>) -> Exit {
        // With --limit reading stops when the rows are there; how far it had got by then says
        // nothing, so only what could not be opened counts.
        let opened = account.stopped.then(|| account.only_unreadable());
        let account = opened.as_ref().unwrap_or(account);
        if account.interrupted {
            self.say(&messages::interrupted(account, total_size(&self.inputs)));
        }
        self.say(&messages::evidence(account));
        if self.output.notes {
            self.say(&messages::remarks(account));
        }
        if let Some(failure) = failure {
            self.say(&messages::output_failed(&failure));
            return Exit::Usage;
        }
        if account.nothing_read() && !account.stopped {
            return Exit::Usage;
        }
        if account.is_complete() { Exit::Complete } else { Exit::Incomplete }
    }

    /// Scans for an answer. In a live run it is shown meanwhile where somebody can watch.
    fn answered<Q: Question<Partial: Clone>>(
        &self,
        question: &Q,
        format: AnswerFormat,
        write: &dyn Fn(Outcome<Q::Partial>) -> Answer,
    ) -> Answer {
        if !self.live {
            return write(self.collect(question));
        }
        let mut paint = |so_far| headline(&write(so_far).text, self.output.color).into_owned();
        let paint: Option<live::Paint<'_, _>> = if format.is_for_people() { Some(&mut paint) } else { None };
        write(self.follow(question, paint, &mut |_| ControlFlow::Continue(())))
    }

    /// Prints an answer in the form that is wanted, then `notes` and what there is to say about the evidence.
    fn give<A: answer::Answer>(&self, answer: &A, form: Form, notes: &str, account: &Account) -> Exit {
        let look = Look { format: form.format, headers: form.headers, zone: self.output.zone };
        let mut text = Vec::new();
        answer::write(answer, &look, account, self.output.terminal, &mut text);
        self.answer(&text, form.format, notes, account)
    }

    /// Prints an answer, then what there is to say about it.
    fn answer(&self, out: &[u8], format: AnswerFormat, notes: &str, account: &Account) -> Exit {
        let emphasised = format.is_for_people();
        let mut sink = Sink::answers();
        if !account.nothing_read() {
            let _ = sink.write(&headline(out, self.output.color && emphasised));
            // Of an input without any event that is all there is to say.
            if self.output.notes && !account.is_void() {
                self.say(notes);
            }
        }
        self.conclude(account, sink.failure())
    }
}

/// An answer, and what there is to say about it.
struct Answer {
    text: Vec<u8>,
    notes: String,
    account: Account,
}

/// So many groups a table shows unless told otherwise.
const TOP: usize = 20;

/// The value of the first key, which is the period where there is `--every`.
fn time_of(values: &[Option<Vec<u8>>]) -> Option<i64> {
    std::str::from_utf8(values.first()?.as_deref()?).ok()?.parse().ok()
}

/// The size of all inputs, where all are files.
fn total_size(inputs: &Discovery) -> Option<u64> {
    inputs.sources.iter().map(Source::size).sum()
}
