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
mod rbac;
mod sessions;
mod show;
mod views;

use crate::aggregate::evidence::Account;
use crate::aggregate::key::Key;
use crate::aggregate::newest::Newest;
use crate::aggregate::notes::Noting;
use crate::aggregate::overview::{Overview, OverviewPartial};
use crate::aggregate::rows::{Rows, RowsPartial, SortKey, SortValue, WriteRow};
use crate::aggregate::stats::Stats;
use crate::aggregate::summary::{Group, Order, Summary, SummaryPartial};
use crate::aggregate::{Question, Seen};
use crate::cli::{Command, Config, Form, Output, QueryConfig, Sort, SummaryConfig, completion_script};
use crate::event::{Event, Text, Timestamp, write_json};
use crate::exit::Exit;
use crate::input::source::{Discovery, Source, discover, plain_reason};
use crate::query::Filter;
use crate::receive::{kubeconfig, receive};
use crate::render::answer::{self, AnswerFormat, Look, json_line};
use crate::render::color::headline;
use crate::render::human::counted;
use crate::render::sentences::sentences;
use crate::render::sink::Sink;
use crate::render::summary::{
    CHART_WIDTH, add_size_shares, brief, group_table, growth, noun, overview, overview_table,
};
use crate::render::{
    RowContext, Table, TimeZoneChoice, document, json_value, messages, progress, render_csv, render_table,
};
use crate::scan::{Outcome, Progress, scan};
use gather::{Kept, Wanted};

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

    fn query(mut self, mut config: QueryConfig) -> Exit {
        if config.limit.is_some() && self.inputs.sources.iter().any(|source| !source.is_rereadable()) {
            // With a second thread waiting for a pipe's next bytes, the last row would not end the run.
            self.options.threads = 1;
        }
        if let Err(exit) = self.resolve_last(&mut config.filter) {
            return exit;
        }
        let mut sink = Sink::answers();
        let mut header = Vec::new();
        if config.headers {
            config.format.header(&mut header);
        }
        sink.head(headline(&header, self.output.color).into_owned());
        let (format, output) = (config.format.clone(), self.output);
        let write: Box<WriteRow> = Box::new(move |seen: &Seen<'_, '_>, out: &mut Vec<u8>| {
            let context = RowContext {
                source: &seen.source.name,
                raw_line: seen.record,
                terminal: output.terminal,
                tz: output.zone,
            };
            format.row(seen.event, &context, out);
        });
        if let Some(reach) = config.context {
            return self.in_context(reach, &config, write, sink);
        }
        let by = config.sort.clone();
        let key = move |event: &Event<'_>| by.as_ref().map_or(SortValue::Absent, |sort| sort_value(sort, event));
        let sort: Option<&SortKey> = config.sort.is_some().then_some(&key);
        let rows = Rows { filter: config.filter.clone(), write, sort };
        let pipe = self.inputs.sources.iter().any(|source| !source.is_rereadable());
        if config.exit_status || pipe {
            // A script that relies on the status is told of all damage. And where nothing was found, all
            // is read once more, for which a pipe would be empty.
            self.options.sift = None;
        }
        let answered = match self.rows(&rows, &config, &mut sink) {
            Ok(answered) => answered,
            Err(exit) => return exit,
        };
        let (mut matched, mut account) = answered;
        if matched == 0 && account.passed() > 0 && !account.interrupted && sink.failure().is_none() {
            // That nothing was found must be certain: every line is proved.
            self.options.sift = None;
            (matched, account) = match self.rows(&rows, &config, &mut sink) {
                Ok(answered) => answered,
                Err(exit) => return exit,
            };
        }
        if !account.nothing_read() {
            let _ = sink.release();
        }
        let exit = self.conclude(&account, sink.failure());
        if exit == Exit::Complete && config.exit_status && matched == 0 { Exit::No } else { exit }
    }

    /// Prints the rows; gives how many match. Fails where they had to be put aside and could not be.
    fn rows(
        &self,
        rows: &Rows<'_>,
        config: &QueryConfig,
        sink: &mut Sink<std::io::Stdout>,
    ) -> Result<(u64, Account), Exit> {
        if config.sort.is_none() && config.tail.is_none() {
            return Ok(self.stream(rows, config, sink));
        }
        self.gather(rows, config, sink).map_err(|error| {
            self.say(&messages::spill_failed(&plain_reason(&error)));
            Exit::Usage
        })
    }

    /// Rows as they are read.
    fn stream(&self, rows: &Rows<'_>, config: &QueryConfig, sink: &mut Sink<std::io::Stdout>) -> (u64, Account) {
        let mut matched = 0u64;
        let limit = config.limit.unwrap_or(u64::MAX);
        let mut emit = |partial: RowsPartial| {
            let mut text = Vec::new();
            let full = partial.each(|row| {
                text.extend_from_slice(row);
                matched += 1;
                if matched >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if sink.write(&text).is_break() { ControlFlow::Break(()) } else { full }
        };
        let outcome = match self.live {
            true => self.follow(rows, None, &mut emit),
            false => self.scan(rows, &mut emit),
        };
        (matched, outcome.account)
    }

    /// Rows that can only be printed when all are known; of those, only what will be printed is kept.
    fn gather(
        &self,
        rows: &Rows<'_>,
        config: &QueryConfig,
        sink: &mut Sink<std::io::Stdout>,
    ) -> std::io::Result<(u64, Account)> {
        let mut matched = 0u64;
        let mut kept = Kept::new(Wanted {
            sorted: config.sort.is_some(),
            reverse: config.reverse,
            first: config.limit,
            last: config.tail.map(|rows| rows as u64),
        });
        let mut result = Ok(());
        let outcome = self.scan(rows, &mut |partial| {
            result = partial.take_each(|position, key, text| {
                matched += 1;
                kept.push(position, key, text)
            });
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        result?;
        kept.finish(|text| sink.write(text))?;
        Ok((matched, outcome.account))
    }

    fn summary(&self, mut config: SummaryConfig) -> Exit {
        if let Err(exit) = self.resolve_last(&mut config.filter) {
            return exit;
        }
        if let Some(view) = config.view {
            return self.view(view, config);
        }
        let filter = config.filter.clone();
        let answer = if config.keys.is_empty() {
            self.answered(&Overview { filter }, config.form.format, &|outcome| self.overview(&config, outcome))
        } else {
            let question = Summary { filter, keys: config.keys.clone() };
            self.answered(&question, config.form.format, &|outcome| self.groups(&config, outcome))
        };
        self.answer(&answer.text, config.form.format, &answer.notes, &answer.account)
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

    fn groups(&self, config: &SummaryConfig, outcome: Outcome<SummaryPartial>) -> Answer {
        let (mut notes, mut text) = (String::new(), Vec::new());
        let out = &mut text;
        let long_running = outcome.partial.long_running;
        let (total, mut groups) = outcome.partial.finish();
        config.order.sort(&mut groups);
        let table = config.form.format.is_for_people();
        let top = config.top.or((table && !config.over_time).then_some(TOP)).unwrap_or(usize::MAX);
        let hidden = groups.len().saturating_sub(top);
        groups.truncate(top);
        if config.over_time {
            groups.sort_by_key(|(values, _)| time_of(values));
        }
        let unit = self.options.unit;
        match config.form.format {
            AnswerFormat::Json => {
                let document = document::summary(&config.keys, unit, &total, long_running, &groups, &outcome.account);
                json_line(&document, self.output.terminal, out);
            }
            AnswerFormat::Csv => {
                let mut table = group_table(&config.keys, unit, &total, &groups, true);
                size_shares(config, &total, &groups, &mut table);
                render_csv(&table, config.form.headers, self.output.zone, out);
            }
            AnswerFormat::Table | AnswerFormat::Wide => {
                let wide = config.form.format == AnswerFormat::Wide;
                let mut table = group_table(&config.keys, unit, &total, &groups, wide);
                size_shares(config, &total, &groups, &mut table);
                render_table(&table, config.form.headers, self.output.zone, out);
                notes = self.group_notes(hidden, groups.len(), long_running, &config.keys);
                if config.order == Order::Size {
                    notes += &growth(&total);
                }
            }
        }
        Answer { text, notes, account: outcome.account }
    }

    /// What a table does not show by itself.
    fn group_notes(&self, hidden: usize, shown: usize, long_running: u64, keys: &[Key]) -> String {
        let mut notes = String::new();
        if hidden > 0 {
            let noun = if hidden == 1 { "group" } else { "groups" };
            notes += &format!("auditq: note: {hidden} more {noun}; --top {} shows all\n", hidden + shown);
        }
        if long_running > 0 {
            let noun = format!("long-running {}", noun(self.options.unit).trim_end_matches('s'));
            notes += &format!("auditq: note: {} counted without a latency\n", counted(long_running, &noun));
        }
        if keys.contains(&Key::Group) {
            notes += "auditq: note: a request counts in each of its user's groups, so shares add up to more than all\n";
        }
        notes
    }

    fn overview(&self, config: &SummaryConfig, outcome: Outcome<OverviewPartial>) -> Answer {
        let mut text = Vec::new();
        let out = &mut text;
        let answer = outcome.partial.finish(CHART_WIDTH);
        let unit = self.options.unit;
        match config.form.format {
            AnswerFormat::Json => {
                let plain = sentences(unit, &answer, TimeZoneChoice::Utc);
                let document = document::overview(unit, &answer, &plain, config.top, &outcome.account);
                json_line(&document, self.output.terminal, out);
            }
            AnswerFormat::Csv => {
                let table = overview_table(unit, &answer, config.top);
                render_csv(&table, config.form.headers, self.output.zone, out);
            }
            AnswerFormat::Table | AnswerFormat::Wide => {
                // The account knows how many there are in the input, not how many of them match.
                let unfinished = if config.filter.is_empty() { outcome.account.unfinished_requests } else { 0 };
                match config.brief {
                    true => brief(unit, &answer, unfinished, self.output.zone, out),
                    false => overview(unit, &answer, config.top, unfinished, self.output.zone, out),
                }
            }
        }
        Answer { text, notes: String::new(), account: outcome.account }
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

/// Where groups are sorted by size, what share of it each has.
fn size_shares(config: &SummaryConfig, total: &Stats, groups: &[Group], table: &mut Table) {
    if config.order == Order::Size {
        add_size_shares(config.keys.len(), total, groups, table);
    }
}

/// The value of the first key, which is the period where there is `--every`.
fn time_of(values: &[Option<Vec<u8>>]) -> Option<i64> {
    std::str::from_utf8(values.first()?.as_deref()?).ok()?.parse().ok()
}

/// The size of all inputs, where all are files.
fn total_size(inputs: &Discovery) -> Option<u64> {
    inputs.sources.iter().map(Source::size).sum()
}

fn sort_value(sort: &Sort, event: &Event<'_>) -> SortValue {
    let text =
        |text: Option<Text<'_>>| text.map_or(SortValue::Absent, |text| SortValue::Text(text.decode().into_owned()));
    let time = |time: Option<Timestamp>| time.map_or(SortValue::Absent, SortValue::Time);
    let object = event.object_ref;
    match sort {
        Sort::Time => time(event.time()),
        Sort::Start => time(event.start()),
        Sort::User => text(event.user.username),
        Sort::Verb => text(event.verb),
        Sort::Resource => text(object.and_then(|o| o.resource)),
        Sort::Namespace => text(object.and_then(|o| o.namespace)),
        Sort::Name => text(object.and_then(|o| o.name)),
        Sort::Code => event.code().map_or(SortValue::Absent, |code| SortValue::Number(i64::from(code))),
        Sort::Latency => event.latency_ns().map_or(SortValue::Absent, SortValue::Number),
        Sort::Path(path) => {
            let mut json = Vec::new();
            write_json(event, &mut json);
            let (value, _) = json_value(&json);
            path.values(&value, &value).first().map_or(SortValue::Absent, |value| json_sort_value(value))
        }
    }
}

fn json_sort_value(value: &serde_json::Value) -> SortValue {
    match value {
        serde_json::Value::Null => SortValue::Absent,
        serde_json::Value::Number(number) => number.as_i64().map_or(SortValue::Absent, SortValue::Number),
        serde_json::Value::String(text) => SortValue::Text(text.clone().into_bytes()),
        other => SortValue::Text(other.to_string().into_bytes()),
    }
}
