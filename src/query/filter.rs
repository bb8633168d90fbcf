//! The compiled filter: a list of tests, the cheap ones first, all of which must pass.

use super::FilterSpec;
use super::address::Addresses;
use super::annotation::Annotations;
use super::cel::Where;
use super::code::{Codes, Latency};
use super::error::QueryError;
use super::items::{Item, NONE, split, split_all};
use super::pattern::Patterns;
use super::resource::Resources;
use super::when::{AroundRequest, Span, TimeFlags, around_request, check_span, duration};
use super::words::{DECISIONS, LEVELS, STAGES, check_word, verb_hint};
use crate::event::{Event, Stage, Text, Timestamp};

/// A checked filter, compiled once and asked by every thread. Only flags that were given cost time.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    tests: Vec<Test>,
    span: Span,
    last: Option<i64>,
    around: Option<AroundRequest>,
    source: Option<Patterns>,
}

#[derive(Clone, Debug)]
enum Test {
    Stage(Patterns),
    Verb(Patterns),
    Code(Codes),
    Failed,
    Level(Patterns),
    User(Patterns),
    AsUser(Patterns),
    Name(Patterns),
    Namespace(Patterns),
    Resource(Resources),
    AuditId(Patterns),
    Uri(Patterns),
    UserAgent(Patterns),
    Latency(Latency),
    Group(Patterns),
    SourceIp(Addresses),
    Decision(Patterns),
    Annotation(Annotations),
    Where(Where),
}

impl Filter {
    /// Whether every event matches.
    pub fn is_empty(&self) -> bool {
        let always = self.span.is_everything() && self.last.is_none() && self.around.is_none();
        always && self.tests.is_empty() && self.source.is_none()
    }

    /// Whether the event matches. Time first: it is read already and often decides.
    pub fn matches(&self, event: &Event<'_>) -> bool {
        (self.span.is_everything() || self.span.has(event.time())) && self.tests.iter().all(|test| test.matches(event))
    }

    /// Whether all sources match.
    #[inline]
    pub const fn is_any_source(&self) -> bool {
        self.source.is_none()
    }

    /// Whether one of these names is that of a source asked for: a file, host, pod, stream or cluster.
    pub fn matches_source<'t>(&self, names: impl Iterator<Item = Text<'t>> + Clone) -> bool {
        self.source.as_ref().is_none_or(|patterns| patterns.matches_any(names))
    }

    /// Whether stages were asked for, so that single events are wanted rather than requests.
    pub fn selects_stage(&self) -> bool {
        self.tests.iter().any(|test| matches!(test, Test::Stage(_)))
    }

    /// The users of whom one made every request that matches, if that can be told from the filter.
    pub fn users(&self) -> Option<Vec<&[u8]>> {
        self.tests.iter().find_map(|test| match test {
            Test::User(patterns) => patterns.words(),
            Test::Where(expression) => expression.users(),
            _ => None,
        })
    }

    /// How far back from the newest event to look, in nanoseconds. Whoever knows that event calls
    /// [`Filter::set_since`]; until then `matches` pays no heed to it.
    pub fn last(&self) -> Option<i64> {
        self.last
    }

    /// The filter that requests match whose audit id is or begins with this one, and no others.
    pub fn for_audit_id(audit_id: &str) -> Self {
        Filter { tests: vec![Test::AuditId(Patterns::of_beginning(audit_id))], ..Filter::default() }
    }

    /// The request whose time is the middle of the window, if one was named. Whoever finds it calls
    /// [`Filter::set_around`]; until then `matches` pays no heed to it.
    pub fn around(&self) -> Option<&AroundRequest> {
        self.around.as_ref()
    }

    /// Lets nothing match that is not in the window around `middle`.
    pub fn set_around(&mut self, middle: Timestamp) {
        if let Some(around) = self.around.take() {
            self.span.narrow_to(middle, around.width);
        }
    }

    /// Lets nothing before `since` match; a later bound that was given stays.
    pub fn set_since(&mut self, since: Timestamp) {
        self.span.raise_since(since);
    }

    /// Lets what is in `[since, until)` match, in place of the times that were given.
    pub fn set_span(&mut self, since: Option<Timestamp>, until: Option<Timestamp>) {
        self.span = Span { since, until };
    }

    /// The first moment that can match, if there is one.
    pub fn since(&self) -> Option<Timestamp> {
        self.span.since
    }

    /// The moment after the last that can match, if there is one.
    pub fn until(&self) -> Option<Timestamp> {
        self.span.until
    }

    /// Compiles the flags in the order they are documented, so that the first fault is the first seen.
    pub(super) fn compile(spec: &FilterSpec, now: Timestamp, hints: &mut Vec<String>) -> Result<Self, QueryError> {
        let mut tests = Vec::new();
        compile_words(spec, hints, &mut tests)?;
        compile_texts(spec, &mut tests)?;
        compile_numbers(spec, hints, &mut tests)?;
        if !spec.resource.is_empty() {
            let items = split_all("--resource", &spec.resource)?;
            tests.push(Test::Resource(Resources::compile(&items, hints)?));
        }
        if !spec.annotation.is_empty() {
            tests.push(Test::Annotation(Annotations::compile(&spec.annotation)?));
        }
        for expression in &spec.expressions {
            tests.push(Test::Where(Where::compile(expression)?));
        }
        tests.sort_by_key(Test::cost);
        let source = (!spec.source.is_empty()).then(|| Patterns::compile(&split_all("--source", &spec.source)?));
        let times = time_flags(spec);
        let around = around_request(times, now)?;
        let times = if around.is_some() { TimeFlags { around: None, window: None, ..times } } else { times };
        let span = check_span(times, now)?;
        if let Some(since) = span.since.filter(|since| *since > now) {
            hints.push(format!("the time asked for begins at {}, which is in the future", since.to_rfc3339()));
        }
        let last = spec.last.as_deref().map(|text| duration("--last", text)).transpose()?;
        Ok(Filter { tests, span, last, around, source: source.transpose()? })
    }
}

fn time_flags(spec: &FilterSpec) -> TimeFlags<'_> {
    TimeFlags {
        since: spec.since.as_deref(),
        until: spec.until.as_deref(),
        around: spec.around.as_deref(),
        window: spec.window.as_deref(),
    }
}

/// Flags whose words the API knows.
fn compile_words(spec: &FilterSpec, hints: &mut Vec<String>, tests: &mut Vec<Test>) -> Result<(), QueryError> {
    if !spec.verb.is_empty() {
        let items = split_all("--verb", &spec.verb)?;
        hints.extend(items.iter().filter_map(verb_hint));
        tests.push(Test::Verb(Patterns::compile(&items)?));
    }
    type Closed<'s> = (&'static str, &'s [String], &'static str, &'static [&'static str], fn(Patterns) -> Test);
    let closed: [Closed<'_>; 3] = [
        ("--stage", &spec.stage, "a stage", STAGES, Test::Stage),
        ("--level", &spec.level, "an audit level", LEVELS, Test::Level),
        ("--decision", &spec.decision, "a decision", DECISIONS, Test::Decision),
    ];
    for (flag, values, what, known, test) in closed {
        if values.is_empty() {
            continue;
        }
        let items = split_all(flag, values)?;
        items.iter().try_for_each(|item| check_word(item, what, known))?;
        tests.push(test(Patterns::compile(&items)?));
    }
    Ok(())
}

/// Flags with free text.
fn compile_texts(spec: &FilterSpec, tests: &mut Vec<Test>) -> Result<(), QueryError> {
    type Free<'s> = (&'static str, &'s [String], fn(Patterns) -> Test);
    let free: [Free<'_>; 7] = [
        ("--user", &spec.user, Test::User),
        ("--group", &spec.group, Test::Group),
        ("--as", &spec.as_user, Test::AsUser),
        ("--name", &spec.name, Test::Name),
        ("--user-agent", &spec.user_agent, Test::UserAgent),
        ("--uri", &spec.uri, Test::Uri),
        ("--audit-id", &spec.audit_id, Test::AuditId),
    ];
    for (flag, values, test) in free.into_iter().filter(|(_, values, _)| !values.is_empty()) {
        tests.push(test(Patterns::compile(&split_all(flag, values)?)?));
    }
    if !spec.namespace.is_empty() {
        let mut patterns = Patterns::default();
        for value in &spec.namespace {
            // Kubernetes writes "no namespace" as the empty string.
            let value = if value.trim().is_empty() { NONE } else { value };
            split("--namespace", value)?.iter().try_for_each(|item: &Item<'_>| patterns.add(item))?;
        }
        tests.push(Test::Namespace(patterns));
    }
    Ok(())
}

/// Flags that compare numbers and addresses.
fn compile_numbers(spec: &FilterSpec, hints: &mut Vec<String>, tests: &mut Vec<Test>) -> Result<(), QueryError> {
    if !spec.code.is_empty() {
        let codes = Codes::compile(&split_all("--code", &spec.code)?)?;
        if codes.says_nothing() {
            let value = spec.code.join(",");
            hints
                .push(format!("--code: `{value}` means any of these, which is every code; write a range like 400-499"));
        }
        tests.push(Test::Code(codes));
    }
    if spec.failed {
        tests.push(Test::Failed);
    }
    if !spec.latency.is_empty() {
        tests.push(Test::Latency(Latency::compile(&split_all("--latency", &spec.latency)?)?));
    }
    if !spec.source_ip.is_empty() {
        let items = split_all("--source-ip", &spec.source_ip)?;
        tests.push(Test::SourceIp(Addresses::compile(&items, hints)?));
    }
    Ok(())
}

impl Test {
    /// Rank by cost: fields that are there, then fields that may need decoding, then lists and maps.
    fn cost(&self) -> u8 {
        match self {
            Test::Stage(_) | Test::Verb(_) | Test::Code(_) | Test::Failed | Test::Level(_) => 0,
            Test::User(_) | Test::AsUser(_) | Test::Name(_) | Test::Namespace(_) | Test::Latency(_) => 1,
            Test::Resource(_) | Test::AuditId(_) | Test::Uri(_) | Test::UserAgent(_) => 2,
            Test::Group(_) | Test::SourceIp(_) | Test::Decision(_) | Test::Annotation(_) => 3,
            Test::Where(_) => 4,
        }
    }

    fn matches(&self, event: &Event<'_>) -> bool {
        match self {
            Test::Stage(patterns) => patterns.matches(Some(event.stage.text())),
            Test::Verb(patterns) => patterns.matches(event.verb),
            Test::Code(codes) => codes.matches(event.code()),
            Test::Failed => event.stage == Stage::Panic || event.code().is_some_and(|code| code >= 400),
            Test::Level(patterns) => patterns.matches(event.level),
            Test::User(patterns) => patterns.matches(event.user.username),
            Test::AsUser(patterns) => patterns.matches(event.impersonated_user.and_then(|user| user.username)),
            Test::Name(patterns) => patterns.matches(event.object_ref.and_then(|object| object.name)),
            Test::Namespace(patterns) => matches_namespace(patterns, event),
            Test::Resource(resources) => resources.matches(event),
            Test::AuditId(patterns) => patterns.matches(event.audit_id),
            Test::Uri(patterns) => patterns.matches(event.request_uri),
            Test::UserAgent(patterns) => patterns.matches(event.user_agent),
            Test::Latency(latency) => latency.matches(event),
            Test::Group(patterns) => {
                let groups = event.user.groups.into_iter().flat_map(|groups| groups.elements());
                patterns.matches_any(groups.filter_map(|group| group.as_text()))
            }
            Test::SourceIp(addresses) => addresses.matches(event),
            Test::Decision(patterns) => patterns.matches(event.decision()),
            Test::Annotation(annotations) => annotations.matches(event),
            Test::Where(expression) => expression.matches(event),
        }
    }
}

/// The object's namespace, and the name of an object that is itself a namespace: its creation
/// carries no namespace, and is the first thing to know about it.
fn matches_namespace(patterns: &Patterns, event: &Event<'_>) -> bool {
    let object = event.object_ref.unwrap_or_default();
    let is_namespace = object.resource.is_some_and(|resource| resource.eq_bytes(b"namespaces"))
        && object.api_group.is_none_or(Text::is_empty);
    let own = object.name.filter(|_| is_namespace);
    patterns.matches_any([object.namespace, own].into_iter().flatten())
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
