//! Events as rows, one format each: what `-o` chooses.
//!
//! A row depends on its event alone, so rows can be written by many threads and put together in order.
//! JSON and raw output are the bytes of the log when a program reads them; everything a person reads
//! is escaped, and so is everything whose shape is ours.

use super::columns::{self, CSV, Line, TABLE, WIDE, field_text};
use super::csv::csv_row;
use super::human::TimeZoneChoice;
use super::path::{Path, end_of, value_text};
use super::sanitize;
use super::table::ABSENT;
use super::template::Template;
use super::value::{json_value, write_yaml};
use crate::event::Event;
use crate::event::write_json;
use serde_json::Value;

const NAMES: [&str; 10] =
    ["table", "wide", "json", "yaml", "csv", "raw", "name", "names", "custom-columns", "jsonpath"];

/// The least width of a custom column.
const CUSTOM_WIDTH: usize = 16;

/// What a row needs to know beside its event.
#[derive(Clone, Copy, Debug)]
pub struct RowContext<'a> {
    /// The file the event came from.
    pub source: &'a str,
    /// The whole record as read, prefix and envelope included.
    pub raw_line: &'a [u8],
    /// Whether a terminal shows the output.
    pub terminal: bool,
    /// The zone that times are shown in.
    pub tz: TimeZoneChoice,
}

/// How events are printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RowFormat {
    /// Fixed columns: who did what to which object when, and the answer.
    Table,
    /// More columns.
    Wide,
    /// One line of JSON: the event's own bytes.
    Json,
    /// YAML documents.
    Yaml,
    /// Flat CSV.
    Csv,
    /// The records as read.
    Raw,
    /// `deployments.apps/nginx`.
    Name,
    /// Chosen columns, `HEADER:.path,…`.
    CustomColumns(Vec<(String, Path)>),
    /// A kubectl jsonpath template.
    JsonPath(Template),
}

impl RowFormat {
    /// Reads the value of `-o`. The message of a refusal says what would do.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, argument) = text.split_once('=').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let format = match (name, argument.filter(|argument| !argument.is_empty())) {
            ("custom-columns", Some(argument)) => RowFormat::CustomColumns(custom_columns(argument)?),
            ("jsonpath", Some(argument)) => RowFormat::JsonPath(Template::parse(argument).map_err(in_template)?),
            ("custom-columns", None) => {
                return Err("custom-columns needs columns, for example custom-columns=WHO:.user.username".to_owned());
            }
            ("jsonpath", None) => {
                return Err("jsonpath needs a template, for example jsonpath='{.user.username}'".to_owned());
            }
            ("table" | "", None) => RowFormat::Table,
            ("wide", None) => RowFormat::Wide,
            ("json", None) => RowFormat::Json,
            ("yaml", None) => RowFormat::Yaml,
            ("csv", None) => RowFormat::Csv,
            ("raw", None) => RowFormat::Raw,
            ("name", None) => RowFormat::Name,
            (name, _) if NAMES.contains(&name) => return Err(format!("output format `{name}` takes no `=`")),
            (name, _) => return Err(unknown_format(name)),
        };
        Ok(format)
    }

    /// Writes what comes before the first row, if anything does.
    pub fn header(&self, out: &mut Vec<u8>) {
        match self {
            RowFormat::Table => columns::write_header(TABLE, out),
            RowFormat::Wide => columns::write_header(WIDE, out),
            RowFormat::Csv => csv_row(CSV.iter().map(|&(name, _)| name), out),
            RowFormat::CustomColumns(columns) => {
                let mut line = Line::new(out);
                for (name, _) in columns {
                    line.cell(name, custom_width(name));
                }
                line.end();
            }
            _ => {}
        }
    }

    /// Writes one event.
    pub fn row(&self, event: &Event<'_>, context: &RowContext<'_>, out: &mut Vec<u8>) {
        match self {
            RowFormat::Table => columns::write_row(TABLE, event, context, out),
            RowFormat::Wide => columns::write_row(WIDE, event, context, out),
            RowFormat::Json => json_row(event, context.terminal, out),
            RowFormat::Yaml => write_yaml(&event_json(event), out),
            RowFormat::Csv => {
                csv_row(CSV.iter().map(|&(_, field)| field_text(field, event, context).unwrap_or_default()), out);
            }
            RowFormat::Raw => raw_row(context, out),
            RowFormat::Name => {
                out.extend_from_slice(sanitize::text_for_terminal(&columns::object_name(event)).as_bytes());
                out.push(b'\n');
            }
            RowFormat::CustomColumns(columns) => {
                custom_row(columns, &json_value(&event_json(event)).0, context.terminal, out);
            }
            RowFormat::JsonPath(template) => template.write(&json_value(&event_json(event)).0, out),
        }
    }
}

fn event_json(event: &Event<'_>) -> Vec<u8> {
    let mut json = Vec::with_capacity(event.raw.len());
    write_json(event, &mut json);
    json
}

fn json_row(event: &Event<'_>, terminal: bool, out: &mut Vec<u8>) {
    if terminal {
        sanitize::json_for_terminal(&event_json(event), out);
    } else {
        write_json(event, out);
    }
    out.push(b'\n');
}

fn raw_row(context: &RowContext<'_>, out: &mut Vec<u8>) {
    if context.terminal {
        sanitize::record_for_terminal(context.raw_line, out);
    } else {
        out.extend_from_slice(context.raw_line);
    }
    if context.raw_line.last() != Some(&b'\n') {
        out.push(b'\n');
    }
}

fn custom_width(name: &str) -> usize {
    name.chars().count().max(CUSTOM_WIDTH)
}

fn custom_row(columns: &[(String, Path)], value: &Value, terminal: bool, out: &mut Vec<u8>) {
    let mut line = Line::new(out);
    for (name, path) in columns {
        let found = path.values(value, value);
        let shown: Vec<String> = found.into_iter().filter(|value| !value.is_null()).map(value_text).collect();
        let text = shown.join(",");
        // Somebody asked for this very value: it is cut only where a terminal would drown in it.
        let cell = if terminal { sanitize::cell(&text) } else { sanitize::text_for_terminal(&text) };
        line.cell(if cell.is_empty() { ABSENT } else { &cell }, custom_width(name));
    }
    line.end();
}

/// `WHO:.user.username,IPS:.sourceIPs[*]`; a comma inside brackets or quotes belongs to its path.
fn custom_columns(text: &str) -> Result<Vec<(String, Path)>, String> {
    let mut columns = Vec::new();
    let mut rest = text;
    loop {
        let end = end_of(rest, |character| character == ',').ok_or("custom-columns: a quote or bracket stays open")?;
        let (column, after) = rest.split_at_checked(end).unwrap_or_default();
        let (name, path) = column
            .split_once(':')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| format!("custom-columns: `{column}` is not HEADER:.path"))?;
        let path = Path::parse(path).map_err(|error| format!("custom-columns: {error}"))?;
        columns.push((sanitize::cell(name).into_owned(), path));
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Ok(columns),
        }
    }
}

fn in_template(error: String) -> String {
    format!("jsonpath: {error}")
}

fn unknown_format(name: &str) -> String {
    let mut nearest: Vec<_> = NAMES.iter().map(|known| (strsim::osa_distance(name, known), *known)).collect();
    nearest.sort();
    let shown = sanitize::text_for_terminal(sanitize::bounded(name, 40).as_ref()).into_owned();
    match nearest.first() {
        Some(&(distance, known)) if distance <= 2 && distance < name.len() => {
            format!("unknown output format `{shown}`, did you mean `{known}`?")
        }
        _ => format!("unknown output format `{shown}`; there are {}", NAMES.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Format, ObjectReference, ResponseStatus, Stage, Text, Timestamp, User};

    const RAW: &[u8] = br#"{"auditID":"a-1","verb":"create","user":{"username":"alice"},"sourceIPs":["10.0.0.1","10.0.0.2"],"note":null}"#;

    fn sample() -> Event<'static> {
        let mut event = Event::empty(RAW, Format::V1);
        event.stage = Stage::ResponseComplete;
        event.level = Some("Metadata".into());
        event.audit_id = Some("a-1".into());
        event.verb = Some("create".into());
        event.request_uri = Some("/api/v1/namespaces/team-a/pods/web/exec?command=sh".into());
        event.user = User {
            username: Some("alice".into()),
            groups: Some(crate::event::RawJson(br#"["dev","system:authenticated"]"#)),
            extra: Some(crate::event::RawJson(br#"{"authentication.kubernetes.io/pod-name":["ci-0"]}"#)),
            ..User::default()
        };
        event.source_ips = Some(crate::event::RawJson(br#"["10.0.0.1","10.0.0.2"]"#));
        event.user_agent = Some(Text::json(br"=cmd\u001b[2J", true));
        event.object_ref = Some(ObjectReference {
            resource: Some("pods".into()),
            namespace: Some("team-a".into()),
            name: Some("web".into()),
            subresource: Some("exec".into()),
            ..ObjectReference::default()
        });
        event.response_status = Some(ResponseStatus { code: Some(101), ..ResponseStatus::default() });
        event.request_received = Timestamp::parse(b"2024-05-01T12:00:00.000000Z");
        event.stage_timestamp = Timestamp::parse(b"2024-05-01T12:00:00.001567Z");
        event.exact_times = true;
        event.annotations = Some(crate::event::RawJson(
            br#"{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: ok"}"#,
        ));
        event
    }

    fn context(raw_line: &[u8], terminal: bool) -> RowContext<'_> {
        RowContext { source: "audit.log", raw_line, terminal, tz: TimeZoneChoice::Utc }
    }

    fn row(format: &str, event: &Event<'_>, terminal: bool) -> String {
        let mut out = Vec::new();
        RowFormat::parse(format).unwrap().row(event, &context(RAW, terminal), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn header(format: &str) -> String {
        let mut out = Vec::new();
        RowFormat::parse(format).unwrap().header(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn formats_cross_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<RowFormat>();
    }

    #[test]
    fn table_rows() {
        let mut event = sample();
        assert_eq!(
            header("table") + &row("table", &event, false),
            "\
TIME                  USER                          VERB    RESOURCE              NAMESPACE         NAME                              CODE
2024-05-01T12:00:00Z  alice                         create  pods/exec             team-a            web                               101
"
        );
        event.impersonated_user = Some(User { username: Some("\u{202e}bob".into()), ..User::default() });
        event.object_ref = None;
        event.request_uri = Some("/healthz/a-rather-long-path/poststarthook?verbose=1".into());
        event.response_status = None;
        event.stage_timestamp = None;
        event.request_received = None;
        assert_eq!(
            row("table", &event, false),
            r"<none>                alice as \u{202e}bob          create  /healthz/a-rather-long-path/poststarthook  <none>  <none>                 <none>
"
        );
    }

    #[test]
    fn wide_rows() {
        let shown = row("wide", &sample(), false);
        let cells: Vec<_> = shown.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(
            cells,
            [
                "2024-05-01T12:00:00.001567Z",
                "alice",
                "create",
                "pods/exec",
                "team-a",
                "web",
                "101",
                "ResponseComplete",
                "1.567ms",
                "allow",
                "10.0.0.1,10.0.0.2",
                r"=cmd\x1b[2J",
                "ci-0",
                "a-1",
                "audit.log"
            ]
        );
        let mut event = sample();
        event.user_agent = Some(Text::plain(&[b'x'; 5000]));
        let shown = row("wide", &event, false);
        assert!(shown.contains(&format!("  {}…  ", "x".repeat(199))), "{shown}");
    }

    #[test]
    fn csv_rows() {
        assert_eq!(
            header("csv"),
            "time,stage,auditID,user,impersonatedUser,groups,verb,apiGroup,resource,subresource,namespace,name,code,\
             decision,reason,latencyUs,sourceIPs,userAgent,requestURI,level,format,source\n"
        );
        assert_eq!(
            row("csv", &sample(), false),
            "2024-05-01T12:00:00.001567Z,ResponseComplete,a-1,alice,,dev;system:authenticated,create,,pods,exec,team-a,\
             web,101,allow,RBAC: ok,1567,10.0.0.1;10.0.0.2,'=cmd\\x1b[2J,\
             /api/v1/namespaces/team-a/pods/web/exec?command=sh,Metadata,audit.k8s.io/v1,audit.log\n"
        );
    }

    #[test]
    fn json_and_raw_are_the_bytes() {
        let raw = "{\"a\":\"\u{202e}\"}".as_bytes();
        let event = Event::empty(raw, Format::V1);
        assert_eq!(row("json", &event, false), "{\"a\":\"\u{202e}\"}\n");
        assert_eq!(row("json", &event, true), "{\"a\":\"\\u202e\"}\n");
        let mut out = Vec::new();
        RowFormat::Raw.row(&event, &context(b"[pod/x] {\xff\x1b}\n", false), &mut out);
        assert_eq!(out, b"[pod/x] {\xff\x1b}\n");
        out.clear();
        RowFormat::Raw.row(&event, &context(b"[pod/x] {\x1b}", true), &mut out);
        assert_eq!(out, b"[pod/x] {\\x1b}\n");
    }

    #[test]
    fn names() {
        let mut event = sample();
        assert_eq!(row("name", &event, false), "pods/exec/web\n");
        event.object_ref = Some(ObjectReference {
            resource: Some("deployments".into()),
            api_group: Some("apps".into()),
            name: Some("nginx".into()),
            ..ObjectReference::default()
        });
        assert_eq!(row("name", &event, false), "deployments.apps/nginx\n");
        event.object_ref = None;
        assert_eq!(row("name", &event, false), "/api/v1/namespaces/team-a/pods/web/exec\n");
    }

    #[test]
    fn custom_columns_and_jsonpath() {
        let format = "custom-columns=WHO:.user.username,IPS:.sourceIPs[*],NONE:.note,ANY:.user['username','uid']";
        assert_eq!(
            header(format) + &row(format, &sample(), false),
            "\
WHO               IPS               NONE              ANY
alice             10.0.0.1,10.0.0.2  <none>           alice
"
        );
        assert_eq!(row(r#"jsonpath={.auditID}{"="}{.verb}"#, &sample(), true), "a-1=create\n");
        assert!(
            row("yaml", &sample(), false).starts_with("---\nauditID: a-1\nverb: create\nuser:\n  username: alice\n")
        );
    }

    #[test]
    fn wrong_formats_are_told() {
        let told = |text| RowFormat::parse(text).unwrap_err();
        assert_eq!(told("jsno"), "unknown output format `jsno`, did you mean `json`?");
        assert!(told("\x1b").starts_with(r"unknown output format `\x1b`; there are table, wide,"));
        assert_eq!(told("json=x"), "output format `json` takes no `=`");
        assert!(told("jsonpath").contains("needs a template"));
        assert!(told("custom-columns=A:.b,").contains("is not HEADER:.path"));
        assert!(told("custom-columns=A:.b[").contains("stays open"));
        assert!(told("jsonpath={.a").starts_with("jsonpath: "));
    }
}
