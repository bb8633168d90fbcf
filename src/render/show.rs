//! One request read aloud: what happened, who started it, from where, the answer, and why it was allowed.
//!
//! The sections are the questions that somebody asks of a single event. Each is a few plain lines; the
//! files below have one section or two each. A line says what the event says or what follows from it, and
//! where the event does not say, it says so. Everything is escaped at the end, line by line.

mod admission;
mod bodies;
mod deed;
mod result;
mod who;
mod why;

use serde_json::Value;

use super::human::{TimeZoneChoice, counted, number};
use super::sanitize::{bounded, text_for_terminal};
use super::value::{json_value, write_yaml};
use crate::aggregate::show::{Object, Request, Specimen};
use deed::Deed;

/// What of a request is read aloud, and how.
#[derive(Clone, Copy, Debug)]
pub struct ShowLook {
    /// The zone times are shown in.
    pub zone: TimeZoneChoice,
    /// Whether bodies are shown.
    pub bodies: bool,
    /// Whether secret values in them are.
    pub secrets: bool,
}

/// The longest line, in characters.
const LINE: usize = 4096;

/// The width of the titles.
const TITLE: usize = 11;

/// A request, opened for reading.
struct View<'v> {
    request: &'v Request,
    /// The event that stands for it.
    last: &'v Specimen,
    /// That event's JSON.
    event: Value,
    object: Object,
    look: ShowLook,
    /// The line each event stands on, where that is known.
    lines: &'v [Option<u64>],
}

/// A section: a title and its lines.
struct Section(&'static str, Vec<String>);

/// Writes requests for people. `lines` has the line number of each event, in their order.
pub fn requests(requests: &[Request], lines: &[Option<u64>], look: &ShowLook, out: &mut Vec<u8>) {
    let mut rest = lines;
    for (at, request) in requests.iter().enumerate() {
        let (own, behind) = rest.split_at_checked(request.events.len()).unwrap_or((rest, &[]));
        rest = behind;
        if at > 0 {
            out.push(b'\n');
        }
        if requests.len() > 1 {
            push_line(&format!("Request {} of {} with audit id {}", at + 1, requests.len(), request.id), out);
            out.push(b'\n');
        }
        write_request(&View::new(request, own, *look), out);
    }
}

/// Writes the events as they are: one line of JSON each, or YAML documents.
pub fn events(requests: &[Request], yaml: bool, terminal: bool, out: &mut Vec<u8>) {
    for event in requests.iter().flat_map(|request| &request.events) {
        if yaml {
            write_yaml(&event.json, out);
        } else {
            match terminal {
                true => super::sanitize::json_for_terminal(&event.json, out),
                false => out.extend_from_slice(&event.json),
            }
            out.push(b'\n');
        }
    }
}

/// The ids that begin like what was asked for.
pub fn ambiguous(id: &str, ids: &[(String, u64)], more: bool) -> String {
    let mut text = format!("auditq: {}: several audit ids begin like that; give more of one\n", text_for_terminal(id));
    for (id, events) in ids {
        text += &format!("  {}  {}\n", bounded(&text_for_terminal(id), 200), counted(*events, "event"));
    }
    if more {
        text += "  … and more\n";
    }
    text
}

fn write_request(view: &View<'_>, out: &mut Vec<u8>) {
    push_line(&view.headline(), out);
    out.push(b'\n');
    let sections = [
        view.what(),
        view.who(),
        view.from(),
        view.about(),
        view.result(),
        view.when(),
        view.why(),
        view.admission(),
        view.stages(),
        view.place(),
    ];
    for Section(title, lines) in sections {
        for (at, line) in lines.iter().enumerate() {
            let title = if at == 0 { title } else { "" };
            push_line(&format!("{title:TITLE$}{line}"), out);
        }
    }
    if view.look.bodies {
        view.bodies(out);
    }
}

fn push_line(line: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(bounded(&text_for_terminal(line.trim_end()), LINE).as_bytes());
    out.push(b'\n');
}

impl<'v> View<'v> {
    fn new(request: &'v Request, lines: &'v [Option<u64>], look: ShowLook) -> Self {
        let last = request.last();
        let mut view = View {
            request,
            last,
            event: json_value(&last.json).0,
            object: last.object.clone().unwrap_or_default(),
            look,
            lines,
        };
        if view.object.name.is_empty() {
            // With `generateName` only the answer knows the name.
            view.object.name = view.text("/responseStatus/details/name").to_owned();
            if view.last.verb == "create" && view.text("/responseObject/kind") != "Status" {
                view.object.name = view.text("/responseObject/metadata/name").to_owned();
            }
        }
        view
    }

    /// The text at a JSON pointer; empty where there is none.
    fn text(&self, pointer: &str) -> &str {
        self.event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The texts of a list at a JSON pointer. A single text is a list of one.
    fn texts(&self, pointer: &str) -> Vec<&str> {
        match self.event.pointer(pointer) {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(text)) => vec![text],
            _ => Vec::new(),
        }
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.event.get("annotations")?.get(key)?.as_str()
    }

    fn code(&self) -> Option<i64> {
        self.event.pointer("/responseStatus/code").and_then(Value::as_i64)
    }

    /// Who acts, both when it is somebody in another's name.
    fn actor(&self) -> String {
        let user = if self.last.user.is_empty() { "somebody" } else { &self.last.user };
        match self.text("/impersonatedUser/username") {
            "" => user.to_owned(),
            other => format!("{user} as {other}"),
        }
    }

    /// One sentence: who did what, and with what result.
    fn headline(&self) -> String {
        let (actor, deed, object) = (self.actor(), Deed::of(self), self.object_in_words());
        let to = deed.replicas.map(|replicas| format!(" to {}", counted(replicas, "replica"))).unwrap_or_default();
        let object = if object.is_empty() { to } else { format!(" {object}{to}") };
        let open = self.last.long_running && self.last.rank < 3;
        match self.code() {
            _ if self.last.rank == 4 => format!("{actor} tried to {}{object}, and the API server panicked", deed.plain),
            None => format!("{actor} asked to {}{object}; the log does not have the answer", deed.plain),
            Some(401) => format!("{actor} tried to {}{object}, and authentication failed", deed.plain),
            Some(403) => format!("{actor} tried to {}{object}, and was denied", deed.plain),
            Some(code) if code >= 400 => {
                let (reason, status) = (self.text("/responseStatus/reason"), result::status_name(code));
                let name = if reason.is_empty() { status } else { reason };
                format!("{actor} tried to {}{object}, and it failed: {code} {name}", deed.plain)
            }
            Some(_) if self.is_dry_run() => {
                format!("{actor} asked to {}{object} as a dry run; nothing was stored", deed.plain)
            }
            Some(_) if open => format!("{actor} {}{object}; its end is not in the log", deed.past),
            Some(_) => format!("{actor} {}{object}", deed.past),
        }
    }

    /// Where the events stand.
    fn place(&self) -> Section {
        let place = |(event, line): (&Specimen, Option<&Option<u64>>)| match line.copied().flatten() {
            Some(line) => format!("{}:{line} ({})", event.source, event.stage),
            None => {
                let source = if event.source == "-" { "standard input" } else { &event.source };
                format!("{source}, {} bytes in ({})", number(event.position.offset), event.stage)
            }
        };
        let numbers = self.lines.iter().map(Some).chain(std::iter::repeat(None));
        let mut lines: Vec<String> = self.request.events.iter().zip(numbers).map(place).collect();
        if let Some(origin) = &self.last.origin {
            lines.push(format!("written by {origin}"));
        }
        if self.request.repeats > 0 {
            lines.push(
                format!("and again: {} of the same", counted(self.request.repeats, "copy")).replace("copys", "copies"),
            );
        }
        if self.last.format != "audit.k8s.io/v1" {
            lines.push(format!("read from {}", self.last.format));
        }
        Section("In", lines)
    }
}
