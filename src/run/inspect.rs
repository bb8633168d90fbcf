//! Runs `inspect`.

use std::ops::ControlFlow;

use super::Run;
use crate::aggregate::Question;
use crate::aggregate::inspect::Inspect;
use crate::aggregate::inspect::coverage::LogFile;
use crate::event::Timestamp;
use crate::exit::Exit;
use crate::input::rotation::RotationKey;
use crate::input::source::{Inside, Source};
use crate::render::answer::{AnswerFormat, json_line};
use crate::render::{inspect, render_csv};

impl Run {
    pub(super) fn inspect(&self, format: AnswerFormat) -> Exit {
        let mut findings = Inspect.empty();
        let mut outcome = self.scan(&Inspect, &mut |partial| {
            Inspect.merge(&mut findings, partial);
            ControlFlow::Continue(())
        });
        // There are no rows here; a request that ended after it had been given up is in both counts.
        outcome.account.twice_in_rows = 0;
        let files: Vec<LogFile> = self.inputs.sources.iter().map(log_file).collect();
        let answer = findings.finish(&outcome.account, &files);
        let mut out = Vec::new();
        match format {
            AnswerFormat::Json => {
                let document = inspect::document(&answer, &self.inputs.skipped, &outcome.account);
                json_line(&document, self.output.terminal, &mut out);
            }
            AnswerFormat::Csv => {
                render_csv(&inspect::file_table(&answer, &outcome.account), true, self.output.zone, &mut out);
            }
            AnswerFormat::Table | AnswerFormat::Wide => {
                inspect::inspection(&answer, &outcome.account, self.output.zone, &mut out);
            }
        }
        self.answer(&out, format, "", &outcome.account)
    }
}

/// What a source's name tells of the log it belongs to.
fn log_file(source: &Source) -> LogFile {
    let host = source.origin.get().host.map(|host| host.to_str_lossy().into_owned());
    // A member of an archive has its name behind the archive's.
    let inner = if source.inside == Inside::Whole { source.name.as_str() } else { after_colon(&source.name) };
    let name = inner.rsplit('/').next().filter(|_| source.path.is_some()).unwrap_or_default().to_owned();
    if name.is_empty() {
        return LogFile { log: source.name.clone(), host, live: true, ..LogFile::default() };
    }
    let key = RotationKey::of(&name);
    let folder = source.name.strip_suffix(name.as_str()).unwrap_or_default();
    LogFile {
        log: format!("{folder}{}", key.family),
        host,
        number: key.number(),
        ended: key.stamp().and_then(end_of),
        live: key.is_live(),
    }
}

fn after_colon(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, inner)| inner)
}

/// The moment of a rotation from a name: `2021-03-09T00-12-19.834`, `20240501-120000`; of a date
/// alone, the end of that day.
fn end_of(stamp: &str) -> Option<Timestamp> {
    const DAY: i64 = 86_400_000_000_000;
    let digits: Vec<char> = stamp.chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize, to: usize| digits.get(from..to).map(|part| part.iter().collect::<String>());
    let date = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let Some(clock) = part(8, 14) else {
        let day = Timestamp::parse(format!("{date}T00:00:00Z").as_bytes())?;
        return Some(Timestamp(day.0.saturating_add(DAY)));
    };
    let (hour, rest) = clock.split_at_checked(2)?;
    let (minute, second) = rest.split_at_checked(2)?;
    let fraction = part(14, digits.len()).filter(|fraction| !fraction.is_empty()).unwrap_or_else(|| "0".to_owned());
    Timestamp::parse(format!("{date}T{hour}:{minute}:{second}.{fraction}Z").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_moments() {
        let shown = |stamp: &str| end_of(stamp).map(Timestamp::to_rfc3339);
        assert_eq!(shown("2021-03-09T00-12-19.834").as_deref(), Some("2021-03-09T00:12:19.834000Z"));
        assert_eq!(shown("20240501-120000").as_deref(), Some("2024-05-01T12:00:00.000000Z"));
        assert_eq!(shown("20240501").as_deref(), Some("2024-05-02T00:00:00.000000Z"));
        assert_eq!(shown("20249901"), None);
    }

    #[test]
    fn files_of_a_log_share_its_name() {
        let of = |name: &str| log_file(&Source::file(name, name.into(), false));
        let rotated = of("logs/audit-2021-03-09T00-12-19.834.log.gz");
        assert_eq!((rotated.log.as_str(), rotated.live, rotated.number), ("logs/audit.log", false, None));
        assert!(rotated.ended.is_some());
        assert_eq!(
            (of("logs/audit.log.2.gz").log, of("logs/audit.log.2.gz").number),
            ("logs/audit.log".to_owned(), Some(2))
        );
        assert!(of("logs/audit.log").live);
    }
}
