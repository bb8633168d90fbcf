//! The lives of objects, for people, programs and spreadsheets.

use serde_json::{Map, Value, json};

use super::answer::{Answer, AnswerFormat, Look};
use super::human::{TimeZoneChoice, time_seconds};
use super::sanitize;
use super::table::{Cell, Column, Kind, Table, render_table};
use crate::aggregate::history::{Act, Cause, Certainty, Life, Link, ObjectKey, Part, Stories, Story, Told};
use crate::event::Timestamp;

/// What `history` answers.
pub struct Telling<'s> {
    /// The stories.
    pub stories: &'s Stories,
    /// Whether changes of status are left out.
    pub no_status: bool,
}

impl Telling<'_> {
    fn shown<'t>(&'t self, story: &'t Story) -> impl Iterator<Item = &'t Told> {
        story.changes.iter().filter(|told| told.change.shown && !(self.no_status && &*told.act.subresource == "status"))
    }

    fn columns(wide: bool) -> Vec<Column> {
        let mut columns = vec![Column::new("time", Kind::Time)];
        columns.extend(["user", "verb", "code", "what"].map(Column::text));
        if wide {
            columns.extend(["source-ip", "user-agent", "audit-id"].map(Column::text));
        }
        columns
    }
}

impl Answer for Telling<'_> {
    const KIND: &'static str = "History";

    fn table(&self, wide: bool) -> Table {
        let mut columns = ["resource", "namespace", "name", "life"].map(Column::text).to_vec();
        columns.extend(Self::columns(wide));
        let mut table = Table::new(columns);
        for story in &self.stories.objects {
            for told in self.shown(story) {
                let key = &story.key;
                let mut row = vec![text(&key.kind()), text(&key.namespace), text(&key.name)];
                row.push(Cell::Number(told.life as u64 + 1));
                row.extend(cells(told, wide));
                table.rows.push(row);
            }
        }
        table
    }

    fn members(&self) -> Map<String, Value> {
        let objects: Vec<Value> = self.stories.objects.iter().map(|story| self.object(story)).collect();
        let mut members = Map::new();
        members.insert("objects".to_owned(), Value::Array(objects));
        members
    }

    fn people(&self, look: &Look, out: &mut Vec<u8>) {
        let wide = look.format == AnswerFormat::Wide;
        for (at, story) in self.stories.objects.iter().enumerate() {
            if at > 0 {
                out.push(b'\n');
            }
            line(out, &heading(&story.key));
            let mut table = Table::new(Self::columns(wide));
            table.rows = self.shown(story).map(|told| cells(told, wide)).collect();
            if !table.rows.is_empty() {
                render_table(&table, look.headers, look.zone, out);
            }
            for life in &story.lives {
                tell(life, look.zone, out);
            }
        }
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(b'\n');
}

/// `deployments.apps/web in namespace shop`.
fn heading(key: &ObjectKey) -> String {
    let place = if key.namespace.is_empty() { String::new() } else { format!(" in namespace {}", key.namespace) };
    sanitize::cell(&format!("{}{place}", key.path())).into_owned()
}

fn cells(told: &Told, wide: bool) -> Vec<Cell> {
    let act = &told.act;
    let verb = match &*act.subresource {
        "" => act.verb.to_string(),
        subresource => format!("{} /{subresource}", act.verb),
    };
    let mut cells = vec![
        act.time.map_or(Cell::Missing, Cell::Time),
        text(&user(act)),
        Cell::Text(verb),
        act.code.map_or(Cell::Missing, |code| Cell::Text(code.to_string())),
        text(&told.what),
    ];
    if wide {
        let change = &told.change;
        cells.extend([text(&change.source_ip), text(&change.user_agent), text(&act.audit_id)]);
    }
    cells
}

fn user(act: &Act) -> String {
    match &act.as_user {
        Some(other) => format!("{} as {other}", act.user),
        None => act.user.to_string(),
    }
}

/// The sentences about a life.
fn tell(life: &Life, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    for sentence in sentences(life, zone) {
        line(out, &sanitize::text_for_terminal(&sentence));
    }
}

fn sentences(life: &Life, zone: TimeZoneChoice) -> Vec<String> {
    let mut sentences: Vec<String> =
        life.origin.iter().chain(&life.end).map(|cause| capital(&sentence(&cause.sentence(), zone))).collect();
    if let Some(removed) = &life.removed {
        let when = removed.time.map_or(String::new(), |time| format!(" at {}", time_seconds(time, zone)));
        sentences.push(format!("Gone{when}, by {}", removed.who()));
    } else if life.lingers {
        sentences.push("The log does not show when it was gone".to_owned());
    } else if !life.touched {
        sentences.push("Nothing in this log changed it".to_owned());
    } else if life.end.is_none() {
        sentences.push("Not deleted in this log".to_owned());
    }
    sentences
}

fn sentence(parts: &[Part], zone: TimeZoneChoice) -> String {
    let piece = |part: &Part| match part {
        // A name is as long as a client likes it to be.
        Part::Text(text) => sanitize::cell(text).into_owned(),
        Part::Time(time) => time_seconds(*time, zone),
    };
    parts.iter().map(piece).collect()
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

impl Telling<'_> {
    fn object(&self, story: &Story) -> Value {
        let key = &story.key;
        json!({
            "resource": *key.resource,
            "apiGroup": *key.group,
            "namespace": present(&key.namespace),
            "name": *key.name,
            "lives": story.lives.iter().map(life).collect::<Vec<_>>(),
            "changes": self.shown(story).map(change).collect::<Vec<_>>(),
        })
    }
}

fn present(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::from(text) }
}

fn time(time: Option<Timestamp>) -> Value {
    time.map_or(Value::Null, |time| Value::from(time.to_rfc3339()))
}

fn life(life: &Life) -> Value {
    json!({
        "uid": life.uid,
        "origin": life.origin.as_ref().map(cause),
        "end": life.end.as_ref().map(cause),
        "removed": life.removed.as_ref().map(request),
        "lingers": life.lingers,
    })
}

fn cause(cause: &Cause) -> Value {
    json!({
        "kind": cause.kind.name(),
        "sentence": sentence(&cause.sentence(), TimeZoneChoice::Utc),
        "chain": cause.links.iter().map(link).collect::<Vec<_>>(),
    })
}

fn link(link: &Link) -> Value {
    let rests_on = match link.rests_on {
        Certainty::Recorded => "recorded",
        Certainty::Name => "name",
        Certainty::Order => "order",
    };
    json!({
        "clause": sentence(&link.clause, TimeZoneChoice::Utc),
        "restsOn": rests_on,
        "request": link.act.as_ref().map(request),
    })
}

fn request(act: &Act) -> Value {
    json!({
        "time": time(act.time),
        "auditID": *act.audit_id,
        "user": *act.user,
        "impersonatedUser": act.as_user.as_deref(),
        "verb": *act.verb,
        "resource": *act.object.resource,
        "apiGroup": *act.object.group,
        "namespace": present(&act.object.namespace),
        "name": present(&act.object.name),
        "subresource": present(&act.subresource),
        "code": act.code,
    })
}

fn change(told: &Told) -> Value {
    let (act, change) = (&told.act, &told.change);
    json!({
        "time": time(act.time),
        "auditID": *act.audit_id,
        "life": told.life,
        "user": *act.user,
        "impersonatedUser": act.as_user.as_deref(),
        "sourceIP": present(&change.source_ip),
        "userAgent": present(&change.user_agent),
        "level": *change.level,
        "verb": *act.verb,
        "subresource": present(&act.subresource),
        "code": act.code,
        "what": told.what,
    })
}
