//! `query`: rows as they are read, or in order.

use std::ops::ControlFlow;

use super::Run;
use super::gather::{Kept, Wanted};
use crate::aggregate::Seen;
use crate::aggregate::evidence::Account;
use crate::aggregate::rows::{Rows, RowsPartial, SortKey, SortValue, WriteRow};
use crate::cli::{QueryConfig, Sort};
use crate::event::{Event, Text, Timestamp, write_json};
use crate::exit::Exit;
use crate::input::source::plain_reason;
use crate::render::color::headline;
use crate::render::sink::Sink;
use crate::render::{RowContext, json_value, messages};

impl Run {
    pub(super) fn query(mut self, mut config: QueryConfig) -> Exit {
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
