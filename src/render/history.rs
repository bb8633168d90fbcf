//! The lives of objects, for people, programs and spreadsheets.

use serde_json::{Map, Value, json};

use super::answer::{Answer, AnswerFormat, Look};
use super::human::{TimeZoneChoice, time_seconds};
use super::sanitize;
use super::table::{Cell, Column, Kind, Table, render_table};
use crate::aggregate::history::{
    Act, Cause, Certainty, Compare, Compared, Life, Link, ObjectKey, Part, Standing, Stories, Story, Told,
};
use crate::event::Timestamp;
use crate::object::Change;
use crate::object::replay::Source;

/// What `history` answers.
pub struct Telling<'s> {
    /// The stories.
    pub stories: &'s Stories,
    /// Whether only beginnings and ends are told to people.
    pub brief: bool,
    /// Whether changes of status are left out.
    pub no_status: bool,
    /// What was compared.
    pub compare: &'s Compare,
}

/// Objects as they stood at a moment.
pub struct At {
    /// The moment.
    pub moment: Timestamp,
    /// The objects.
    pub objects: Vec<Standing>,
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
            table.rows = self.shown(story).filter(|_| !self.brief).map(|told| cells(told, wide)).collect();
            if !table.rows.is_empty() {
                let mut text = Vec::new();
                render_table(&table, look.headers, look.zone, &mut text);
                self.with_differences(story, &text, look.headers, out);
            }
            if let Some(limit) = self.limit(story) {
                line(out, &limit);
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
    let mut cells = vec![
        act.time.map_or(Cell::Missing, Cell::Time),
        text(&user(act)),
        Cell::Text(verb(act)),
        act.code.map_or(Cell::Missing, |code| Cell::Text(code.to_string())),
        text(&told.what),
    ];
    if wide {
        let change = &told.change;
        cells.extend([text(&change.source_ip), text(&change.user_agent), text(&act.audit_id)]);
    }
    cells
}

/// `patch`, or `patch /scale`.
fn verb(act: &Act) -> String {
    match &*act.subresource {
        "" => act.verb.to_string(),
        subresource => format!("{} /{subresource}", act.verb),
    }
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

/// A sentence as people read it.
pub fn sentence(parts: &[Part], zone: TimeZoneChoice) -> String {
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
    fn compares(&self) -> bool {
        self.compare.differences || self.compare.field.is_some()
    }

    /// The rows of a table, and below each what it changed.
    fn with_differences(&self, story: &Story, table: &[u8], headers: bool, out: &mut Vec<u8>) {
        let mut lines = table.split_inclusive(|&byte| byte == b'\n');
        if headers {
            out.extend_from_slice(lines.next().unwrap_or_default());
        }
        for (told, row) in self.shown(story).zip(lines) {
            out.extend_from_slice(row);
            if let Some(compared) = told.compared.as_ref().filter(|_| self.compares()) {
                difference(compared, told, self.compare.field.is_some(), out);
            }
        }
    }

    /// What the bodies of a story cannot tell.
    fn limit(&self, story: &Story) -> Option<String> {
        if !self.compares() {
            return None;
        }
        let logged = |told: &Told| told.change.request.is_some() || told.change.response.is_some();
        if !story.changes.iter().any(logged) && !story.changes.is_empty() {
            return Some("Bodies were not logged, so what changed is not known".to_owned());
        }
        let field = self.compare.field.as_ref()?;
        let none = match story.untold {
            0 => format!("No change of {field} in this log"),
            1 => format!("Whether {field} changed is not known: of 1 change no body was logged that tells"),
            many => format!("Whether {field} changed is not known: of {many} changes no body was logged that tells"),
        };
        story.changes.is_empty().then(|| sanitize::cell(&none).into_owned())
    }

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
        "version": told.compared.as_ref().map(|compared| version(&compared.source)),
        "why": told.compared.as_ref().and_then(|compared| why(compared)),
        "diff": told.compared.as_ref().and_then(|compared| compared.changes.as_deref()).map(differences),
        "asked": told.compared.as_ref().filter(|compared| !compared.asked.is_empty()).map(asked),
    })
}

/// `recorded`, `reconstructed` or `unknown`.
fn version(source: &Source) -> &'static str {
    match source {
        Source::Recorded => "recorded",
        Source::Reconstructed { .. } => "reconstructed",
        Source::Unknown { .. } => "unknown",
    }
}

/// How a version was made, or why nothing is known of it.
fn why(compared: &Compared) -> Option<&str> {
    match (&compared.why, &compared.source) {
        (Some(why), _) => Some(why),
        (None, Source::Reconstructed { how }) => Some(how),
        (None, Source::Unknown { why }) => Some(why),
        (None, Source::Recorded) => None,
    }
}

fn differences(changes: &[Change]) -> Value {
    let one = |change: &Change| json!({ "path": change.path, "before": change.before, "after": change.after });
    changes.iter().map(one).collect()
}

/// What a patch asked for; `null` for what it takes away.
fn asked(compared: &Compared) -> Value {
    let one = |change: &Change| json!({ "path": change.path, "value": change.after });
    compared.asked.iter().map(one).collect()
}

/// What a change changed, below its row.
fn difference(compared: &Compared, told: &Told, field: bool, out: &mut Vec<u8>) {
    // A new object is all new; what is in it `--at` shows.
    if let Some(changes) = compared.changes.as_deref().filter(|_| field || told.what != "created") {
        super::object::changes(changes, out, INDENT);
    }
    super::object::asked(&compared.asked, out, INDENT);
    let remark = match &compared.source {
        _ if !compared.asked.is_empty() => why(compared).map(|why| format!("as asked for; not known: {why}")),
        _ if compared.why.is_some() => why(compared).map(|why| format!("not known: {why}")),
        Source::Reconstructed { how } if compared.changes.is_some() => Some(format!("reconstructed: {how}")),
        _ => None,
    };
    if let Some(remark) = remark {
        let indent = " ".repeat(INDENT);
        line(out, &format!("{indent}({})", sanitize::cell(&remark)));
    }
}

/// How far differences stand in.
const INDENT: usize = 4;

impl Answer for At {
    const KIND: &'static str = "HistoryAt";

    fn table(&self, _: bool) -> Table {
        let mut columns = ["resource", "namespace", "name", "state", "version"].map(Column::text).to_vec();
        columns.push(Column::new("after", Kind::Time));
        columns.extend(["user", "audit-id"].map(Column::text));
        let mut table = Table::new(columns);
        for standing in &self.objects {
            let key = &standing.key;
            let mut row = vec![text(&key.kind()), text(&key.namespace), text(&key.name)];
            row.extend([text(state(standing)), text(version(&standing.source))]);
            if let Some(act) = &standing.after {
                let time = act.time.map_or(Cell::Missing, Cell::Time);
                row.extend([time, text(&user(act)), text(&act.audit_id)]);
            }
            table.rows.push(row);
        }
        table
    }

    fn members(&self) -> Map<String, Value> {
        let objects: Vec<Value> = self.objects.iter().map(standing).collect();
        let mut members = Map::new();
        members.insert("at".to_owned(), time(Some(self.moment)));
        members.insert("objects".to_owned(), Value::Array(objects));
        members
    }

    /// YAML documents, each with what it rests on as a comment.
    fn people(&self, look: &Look, out: &mut Vec<u8>) {
        for (at, standing) in self.objects.iter().enumerate() {
            if at > 0 {
                line(out, "---");
            }
            let when = time_seconds(self.moment, look.zone);
            line(out, &format!("# {} at {when}: {}", heading(&standing.key), rests_on(standing)));
            if let Some(act) = &standing.after {
                let time = act.time.map_or(String::new(), |time| format!(" at {}", time_seconds(time, look.zone)));
                let text = format!("# after {} by {}{time}, audit id {}", verb(act), user(act), act.audit_id);
                line(out, &sanitize::text_for_terminal(&text));
            }
            if let Some(object) = &standing.object {
                super::object::object_yaml(object, out);
            }
        }
    }
}

fn state(standing: &Standing) -> &'static str {
    match (&standing.object, standing.gone) {
        (_, true) => "gone",
        (Some(_), false) => "there",
        (None, false) => "unknown",
    }
}

/// What a standing rests on, in words.
fn rests_on(standing: &Standing) -> String {
    let text = match (&standing.source, standing.gone) {
        (_, true) => "it was not there any more".to_owned(),
        (Source::Recorded, _) => "recorded".to_owned(),
        (Source::Reconstructed { how }, _) => format!("reconstructed: {how}"),
        (Source::Unknown { why }, _) => format!("not known: {why}"),
    };
    sanitize::cell(&text).into_owned()
}

fn standing(standing: &Standing) -> Value {
    let key = &standing.key;
    json!({
        "resource": *key.resource,
        "apiGroup": *key.group,
        "namespace": present(&key.namespace),
        "name": *key.name,
        "state": state(standing),
        "version": version(&standing.source),
        "why": match &standing.source {
            Source::Recorded => None,
            Source::Reconstructed { how } => Some(how),
            Source::Unknown { why } => Some(why),
        },
        "after": standing.after.as_ref().map(request),
        "object": standing.object.as_deref(),
    })
}
