//! `summary --slowest N`.

use serde_json::{Map, Value, json};

use super::{note, text_cell, us_cell};
use crate::aggregate::views::slowest::{SlowRequest, SlowestAnswer};
use crate::render::answer::Answer;
use crate::render::document::time;
use crate::render::human::duration;
use crate::render::table::{Cell, Column, Kind, Table};

impl SlowestAnswer {
    /// What the table does not say by itself.
    pub fn notes(&self) -> String {
        match self.timed {
            0 => note("no request that matches has a latency; long-running ones have none"),
            _ => String::new(),
        }
    }
}

/// `etcd 4.1s`: the longest part of a request.
fn mostly(request: &SlowRequest) -> Option<String> {
    request.mostly.as_ref().map(|(name, time)| format!("{name} {}", duration(*time)))
}

fn row(request: &SlowRequest, wide: bool) -> Vec<Cell> {
    let mut cells = vec![
        request.start.map_or(Cell::Missing, Cell::Time),
        us_cell(Some(request.latency_us)),
        text_cell(request.user.as_deref()),
        text_cell(request.verb.as_deref()),
        text_cell(request.namespace.as_deref()),
        text_cell(Some(&request.object)),
        request.code.map_or(Cell::Missing, |code| Cell::Text(code.to_string())),
        text_cell(mostly(request).as_deref()),
        text_cell(request.audit_id.as_deref()),
    ];
    if wide {
        let parts: Vec<String> =
            request.trackers.iter().map(|(name, time)| format!("{name}={}", duration(*time))).collect();
        cells.push(Cell::Text(parts.join(" ")));
        cells.push(text_cell(request.user_agent.as_deref()));
        cells.push(text_cell(request.uri.as_deref()));
    }
    cells
}

fn members(request: &SlowRequest) -> Value {
    let trackers: Map<String, Value> =
        request.trackers.iter().map(|(name, time)| (name.clone(), json!(time / 1000))).collect();
    json!({
        "auditID": request.audit_id,
        "start": time(request.start),
        "latencyUs": request.latency_us,
        "user": request.user,
        "verb": request.verb,
        "namespace": request.namespace,
        "object": request.object,
        "code": request.code,
        "userAgent": request.user_agent,
        "requestURI": request.uri,
        "longest": request.mostly.as_ref().map(|(name, _)| name),
        "trackersUs": trackers,
    })
}

impl Answer for SlowestAnswer {
    const KIND: &'static str = "SlowestRequests";

    fn table(&self, wide: bool) -> Table {
        let mut columns = vec![Column::new("start", Kind::Time), Column::new("latency", Kind::Duration)];
        columns.extend(["user", "verb", "namespace", "object", "code", "mostly", "audit-id"].map(Column::text));
        if wide {
            columns.extend(["trackers", "userAgent", "uri"].map(Column::text));
        }
        let mut table = Table::new(columns);
        table.rows = self.requests.iter().map(|request| row(request, wide)).collect();
        table
    }

    fn members(&self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("timed".to_owned(), json!(self.timed));
        document.insert("requests".to_owned(), self.requests.iter().map(members).collect());
        document
    }
}
