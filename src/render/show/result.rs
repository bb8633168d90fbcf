//! The answer, the times, and the stages that tell of them.

use serde_json::Value;

use super::super::human::{duration, time_micros};
use super::{Section, View};
use crate::query::parse_duration;

/// Annotations with the server's own latencies begin like this.
pub(super) const LATENCY: &str = "apiserver.latency.k8s.io/";

impl View<'_> {
    pub(super) fn result(&self) -> Section {
        let mut lines = Vec::new();
        match self.code() {
            Some(code) => lines.push(format!("{code} {}", status_name(code))),
            None => lines.push("not in the log: no event of it has a response".to_owned()),
        }
        let (reason, message) = (self.text("/responseStatus/reason"), self.text("/responseStatus/message"));
        let name = self.code().map_or("", status_name);
        if !reason.is_empty() && reason != name.replace(' ', "") {
            lines.push(format!("reason: {reason}"));
        }
        if !message.is_empty() && message != name {
            lines.push(format!("message: {message}"));
        }
        let details = self.event.pointer("/responseStatus/details");
        if let Some(Value::Array(causes)) = details.and_then(|details| details.get("causes")) {
            lines.extend(causes.iter().map(cause));
        }
        if let Some(seconds) = details.and_then(|details| details.get("retryAfterSeconds")) {
            lines.push(format!("retry after {seconds} s"));
        }
        Section("Result", lines)
    }

    /// When it arrived, when each stage was reached, and what took how long.
    pub(super) fn when(&self) -> Section {
        let zone = self.look.zone;
        let mut lines = Vec::new();
        if let Some(received) = self.last.received {
            lines.push(format!("{}  received", time_micros(received, zone)));
        }
        for event in self.request.events.iter().filter(|event| event.rank != 1) {
            let Some(time) = event.time else { continue };
            let after = event.latency_ns.map_or_else(String::new, |taken| format!(", after {}", duration(taken)));
            lines.push(format!("{}  {}{after}", time_micros(time, zone), event.stage));
        }
        if self.last.long_running {
            lines.push("a long-running request: how long it took says nothing about the server".to_owned());
        }
        let latencies = self.latencies();
        if !latencies.is_empty() {
            lines.push(format!("of which by the server's own account: {}", latencies.join(", ")));
        }
        if lines.is_empty() {
            lines.push("the log has no time".to_owned());
        }
        Section("When", lines)
    }

    /// The server's own latencies, largest first.
    fn latencies(&self) -> Vec<String> {
        let Some(Value::Object(annotations)) = self.event.get("annotations") else { return Vec::new() };
        let mut found: Vec<(Option<i64>, &str, &str)> = annotations
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(LATENCY)?, value.as_str()?)))
            .map(|(part, text)| (parse_duration(text), part, text))
            .collect();
        found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        found.into_iter().map(|(_, part, text)| format!("{part} {text}")).collect()
    }

    /// Which stages there are, and why others are not.
    pub(super) fn stages(&self) -> Section {
        let has = |rank: u8| self.request.events.iter().any(|event| event.rank == rank);
        let seen: Vec<&str> = self.request.events.iter().map(|event| event.stage.as_str()).collect();
        let mut lines = vec![seen.join(", ")];
        let (received, started, ended) = (has(1), has(2), has(3) || has(4));
        let refused_early = !received && started && !ended && matches!(self.code(), Some(400 | 401));
        let text_format = self.last.format.starts_with("legacy");
        if refused_early {
            lines.push("a request that fails before it is known who makes it has this stage alone".to_owned());
        } else if !received && !text_format {
            lines.push("RequestReceived is not here: the policy omits it, or it is in another file".to_owned());
        }
        if !ended && !refused_early {
            lines.push(match (self.last.long_running, started) {
                (true, true) => "no end: it was still open, or its end is in another file".to_owned(),
                _ => "no end: it was not answered when the log ended, or that is in another file".to_owned(),
            });
        }
        if ended && self.last.long_running && !started && !text_format {
            lines.push("ResponseStarted is not here: the policy omits it, or it is in another file".to_owned());
        }
        lines.push(self.level());
        Section("Stages", lines)
    }

    /// What the level let into the log.
    fn level(&self) -> String {
        let has = |member: &str| self.event.get(member).is_some();
        let truncated = self.annotation("audit.k8s.io/truncated") == Some("true");
        let bodies = match (has("requestObject"), has("responseObject")) {
            _ if truncated => "the bodies were too large and were left out",
            (true, true) => "with both bodies",
            (true, false) => "with the body of the request",
            (false, true) => "with the body of the answer",
            (false, false) => "without bodies",
        };
        match self.text("/level") {
            "" => format!("no level, {bodies}"),
            level => format!("level {level}, {bodies}"),
        }
    }
}

/// One cause of a refusal: which field, and what is wrong with it.
fn cause(cause: &Value) -> String {
    let text = |name: &str| cause.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("field") {
        "" => format!("cause: {}", text("message")),
        field => format!("cause: {field}: {}", text("message")),
    }
}

/// The name of a status code, as HTTP has it.
pub(super) fn status_name(code: i64) -> &'static str {
    match code {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
