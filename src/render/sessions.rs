//! Sessions as a table and as a document.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::document::time;
use super::human::counted;
use super::table::{Cell, Column, Kind as Holds, Table};
use crate::aggregate::sessions::{Kind, Known, Session, State};
use crate::event::{Copy, shell_line};

/// The answer of `sessions`.
pub struct SessionsView {
    /// The sessions that are shown.
    pub sessions: Vec<Session>,
    /// Whether copies have their column in every table.
    pub copies: bool,
}

impl Answer for SessionsView {
    const KIND: &'static str = "Sessions";

    fn table(&self, wide: bool) -> Table {
        let mut columns = vec![Column::new("start", Holds::Time), Column::new("end", Holds::Time)];
        columns.push(Column::new("duration", Holds::Duration));
        let texts = ["user", "kind", "namespace", "target", "container", "command", "code", "host-access"];
        columns.extend(texts.map(Column::text));
        if self.copies || wide {
            columns.push(Column::text("copy"));
        }
        if wide {
            let more = ["reason", "streams", "protocol", "verb", "source-ips", "user-agent", "audit-id"];
            columns.extend(more.map(Column::text));
        }
        let mut table = Table::new(columns);
        table.rows = self.sessions.iter().map(|session| self.row(session, wide)).collect();
        table
    }

    fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let count = |what: &dyn Fn(&Session) -> bool| self.sessions.iter().filter(|session| what(session)).count();
        let totals = json!({
            "sessions": self.sessions.len(),
            "open": count(&|session| session.state == State::Open),
            "failed": count(&Session::failed),
            "copies": count(&|session| session.copy.is_some()),
        });
        members.insert("totals".to_owned(), totals);
        members.insert("sessions".to_owned(), self.sessions.iter().map(document).collect());
        members
    }
}

impl SessionsView {
    fn row(&self, session: &Session, wide: bool) -> Vec<Cell> {
        let target = &session.target;
        let mut row = vec![
            session.start.map_or(Cell::Missing, Cell::Time),
            end(session),
            session.duration_ns().map_or(Cell::Missing, Cell::DurationNs),
            text(&who(session)),
            text(session.kind.name()),
            text(&target.namespace),
            text(&target_name(session)),
            text(&target.container),
            text(&command(session)),
            session.code.map_or(Cell::Missing, |code| Cell::Text(code.to_string())),
            text(&access(session)),
        ];
        if self.copies || wide {
            row.push(text(&session.copy.as_ref().map(copy).unwrap_or_default()));
        }
        if wide {
            row.extend([&session.reason, &streams(session)].map(|value| text(value)));
            row.push(text(session.protocol().unwrap_or_default()));
            row.push(text(&session.verb));
            row.push(text(&session.source_ips.join(",")));
            row.extend([&session.user_agent, &session.audit_id].map(|value| text(value)));
        }
        row
    }

    /// What the table does not say by itself.
    pub fn notes(&self) -> String {
        let mut notes = String::new();
        let mut note = |count: usize, one: &str, many: &str| {
            if count > 0 {
                let number = counted(count as u64, "session");
                notes.push_str(&format!("auditq: note: {number} {}\n", if count == 1 { one } else { many }));
            }
        };
        let count = |what: &dyn Fn(&Session) -> bool| self.sessions.iter().filter(|session| what(session)).count();
        note(
            count(&|session| session.state == State::Open),
            "has no end in the log: still open, or it ended in another file",
            "have no end in the log: still open, or they ended in another file",
        );
        let unknown = |wanted: Known| count(&|session| session.access.as_ref() == Some(&wanted));
        note(
            unknown(Known::NotCreated),
            "is to a pod whose creation is not in the log, so its host access is unknown",
            "are to pods whose creation is not in the log, so their host access is unknown",
        );
        note(
            unknown(Known::NoBody),
            "is to a pod whose creation was logged without a body, so its host access is unknown",
            "are to pods whose creation was logged without a body, so their host access is unknown",
        );
        note(
            unknown(Known::DebugUnknown),
            "is to a pod with a debug container that was logged without a body, so its host access is unknown",
            "are to pods with debug containers that were logged without a body, so their host access is unknown",
        );
        notes
    }
}

fn text(value: &str) -> Cell {
    if value.is_empty() { Cell::Missing } else { Cell::Text(value.to_owned()) }
}

fn end(session: &Session) -> Cell {
    match (session.state, session.end) {
        (State::Ended, Some(end)) => Cell::Time(end),
        // A record can tell that it is over, and have no times.
        (State::Ended, None) => Cell::Text("ended".to_owned()),
        (State::Open, _) => Cell::Text("still open".to_owned()),
        (State::Answered, _) => Cell::Text("not logged".to_owned()),
        (State::Asked, _) => Cell::Text("no answer".to_owned()),
    }
}

fn who(session: &Session) -> String {
    match &session.impersonated {
        Some(other) => format!("{} as {other}", session.user),
        None => session.user.clone(),
    }
}

/// `web-1`, `node/worker-1`, `service/grafana:3000`: pods go without their type, for most sessions are to them.
fn target_name(session: &Session) -> String {
    let target = &session.target;
    let port = if target.port.is_empty() { String::new() } else { format!(":{}", target.port) };
    match session.kind {
        Kind::NodeProxy if target.pod.is_empty() => format!("node/{}{port}", target.node),
        Kind::NodeProxy => format!("{} on node/{}", target.pod, target.node),
        Kind::ServiceProxy => format!("service/{}{port}", target.service),
        _ => format!("{}{port}", target.pod),
    }
}

/// The command line, the proxied request, or the ports.
fn command(session: &Session) -> String {
    let target = &session.target;
    match &target.request {
        _ if !target.command.is_empty() => shell_line(target.command.iter().map(String::as_str)),
        Some(request) => request.clone(),
        None if !target.ports.is_empty() => format!("ports {}", target.ports.join(",")),
        None => String::new(),
    }
}

fn copy(copy: &Copy) -> String {
    match copy {
        Copy::Out(paths) => format!("out of {}", paths.join(" ")),
        Copy::In(Some(path)) => format!("into {path}"),
        Copy::In(None) => "into the working directory".to_owned(),
    }
}

/// `tty,stdin`: what makes it interactive.
fn streams(session: &Session) -> String {
    [(session.tty, "tty"), (session.stdin, "stdin")]
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, name)| name)
        .collect::<Vec<_>>()
        .join(",")
}

fn access(session: &Session) -> String {
    match &session.access {
        None => String::new(),
        Some(Known::Access(access)) => match access.names().join(",") {
            names if names.is_empty() => "ordinary".to_owned(),
            names => names,
        },
        Some(Known::NoBody | Known::DebugUnknown | Known::NotCreated) => "unknown".to_owned(),
    }
}

fn document(session: &Session) -> Value {
    let target = &session.target;
    let given = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    let state = match session.state {
        State::Ended => "ended",
        State::Open => "open",
        State::Answered => "answered",
        State::Asked => "unanswered",
    };
    json!({
        "kind": session.kind.name(),
        "start": time(session.start),
        "end": time(session.end),
        "state": state,
        "durationUs": session.duration_ns().map(|taken| taken / 1000),
        "user": given(&session.user),
        "impersonatedUser": session.impersonated,
        "namespace": given(&target.namespace),
        "pod": given(&target.pod),
        "service": given(&target.service),
        "node": given(&target.node),
        "port": given(&target.port),
        "container": given(&target.container),
        "command": target.command,
        "commandLine": given(&shell_line(target.command.iter().map(String::as_str))),
        "request": target.request,
        "ports": target.ports,
        "shell": session.shell,
        "tty": session.tty,
        "stdin": session.stdin,
        "copy": session.copy.as_ref().map(copy_document),
        "code": session.code,
        "reason": given(&session.reason),
        "verb": given(&session.verb),
        "protocol": session.protocol(),
        "hostAccess": session.access.as_ref().map(access_document),
        "sourceIPs": session.source_ips,
        "userAgent": given(&session.user_agent),
        "auditID": given(&session.audit_id),
    })
}

fn copy_document(copy: &Copy) -> Value {
    match copy {
        Copy::Out(paths) => json!({"direction": "out", "paths": paths}),
        Copy::In(path) => json!({"direction": "in", "paths": path.iter().collect::<Vec<_>>()}),
    }
}

fn access_document(known: &Known) -> Value {
    match known {
        Known::Access(access) => json!({
            "known": true,
            "privileged": access.privileged,
            "hostPID": access.host_pid,
            "hostNetwork": access.host_network,
            "hostIPC": access.host_ipc,
            "hostRoot": access.host_root(),
            "hostPaths": access.host_paths,
        }),
        Known::NoBody => json!({"known": false, "reason": "its creation was logged without a body"}),
        Known::DebugUnknown => json!({"known": false, "reason": "a debug container was logged without a body"}),
        Known::NotCreated => json!({"known": false, "reason": "its creation is not in the log"}),
    }
}
