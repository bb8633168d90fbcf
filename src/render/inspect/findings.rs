//! What is unfinished, out of order, not valid, missing or sensitive, and who asked in which version.

use super::{section, sentences};
use crate::aggregate::evidence::Account;
use crate::aggregate::inspect::Inspection;
use crate::aggregate::inspect::clients::Distinct;
use crate::aggregate::inspect::marks::Mark;
use crate::aggregate::inspect::skew::Skew;
use crate::render::human::{self, TimeZoneChoice, counted, number};
use crate::render::table::{Cell, Column, Kind, Table};

/// What is sensitive: the mark, its name in JSON, and in words.
pub(super) const SENSITIVE: [(Mark, &str, &str); 11] = [
    (Mark::TokenInUri, "token-in-uri", "token in a URI"),
    (Mark::TokenInBody, "token-in-body", "JSON web token in a body"),
    (Mark::ServiceAccountToken, "service-account-token", "service account token that was issued"),
    (Mark::ReviewedToken, "reviewed-token", "token under review"),
    (Mark::SecretData, "secret-data", "values of a Secret"),
    (Mark::ConfigMapData, "configmap-data", "values of a ConfigMap"),
    (Mark::ExecArguments, "exec-arguments", "password or the like in a command of exec"),
    (Mark::OAuthTokenName, "oauth-token-name", "token as the name of an OAuth object"),
    (Mark::BasicAuth, "basic-auth", "user and password in a URL"),
    (Mark::PrivateKey, "private-key", "private key"),
    (Mark::CloudKey, "cloud-key", "access key id of a cloud"),
];

/// What no server writes: the mark, its name in JSON, and in words.
pub(super) const INVALID: [(Mark, &str, &str); 5] = [
    (Mark::UnknownLevel, "unknown-level", "unknown level"),
    (Mark::UnknownStage, "unknown-stage", "unknown stage"),
    (Mark::NoStatus, "no-status", "ResponseComplete without responseStatus"),
    (Mark::OtherObject, "other-object", "objectRef is not what requestURI names"),
    (Mark::StageBeforeArrival, "stage-before-arrival", "stage earlier than the request's arrival"),
];

/// Counts by what is so, with an example each.
fn marked(answer: &Inspection, marks: &[(Mark, &str, &str)], what: &str) -> Table {
    let mut table = Table::new(vec![Column::text(what), Column::number("requests"), Column::text("example")]);
    for &(mark, _, words) in marks {
        let count = answer.marks.of(mark);
        if count > 0 {
            let example = answer.marks.examples(mark).into_iter().next().unwrap_or_default();
            table.rows.push(vec![Cell::Text(words.to_owned()), Cell::Number(count), Cell::Text(example)]);
        }
    }
    table
}

/// What should not be shown around. The values themselves are never printed.
pub(super) fn sensitive(answer: &Inspection, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    section("Sensitive data", &marked(answer, &SENSITIVE, "what"), zone, out);
}

/// What points to tampering or to a converter.
pub(super) fn validity(answer: &Inspection, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let mut table = marked(answer, &INVALID, "what");
    if answer.ids.of_several_users > 0 {
        let example = answer.ids.examples.first().cloned().unwrap_or_default();
        let what = Cell::Text("audit ids that requests of different users share".to_owned());
        table.rows.push(vec![what, Cell::Number(answer.ids.of_several_users), Cell::Text(example)]);
    }
    section("Not as an API server writes it: tampering, or a converter", &table, zone, out);
}

/// Bodies that are missing, by resource.
pub(super) fn bodies(answer: &Inspection, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let columns = ["truncated", "skipped", "no-request-body", "no-response-body"].map(Column::number);
    let mut table = Table::new(vec![Column::text("resource")]);
    table.columns.extend(columns);
    table.columns.push(Column::text("example"));
    for row in answer.bodies.iter().take(ROWS) {
        let mut cells = vec![Cell::Text(row.resource.clone())];
        cells.extend(row.counts.map(Cell::Number));
        cells.push(Cell::Text(row.examples.first().cloned().unwrap_or_default()));
        table.rows.push(cells);
    }
    section("Bodies that should be there", &table, zone, out);
    more(answer.bodies.len(), "resource", out);
}

/// So many rows has a table of what can be many.
const ROWS: usize = 10;

fn more(all: usize, noun: &str, out: &mut Vec<u8>) {
    if all > ROWS {
        out.extend_from_slice(format!("and {} more\n", counted((all - ROWS) as u64, noun)).as_bytes());
    }
}

/// Requests without their end, those first that last by nature.
pub(super) fn unfinished(answer: &Inspection, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let mut table = Table::new(vec![
        Column::text("verb"),
        Column::text("last-stage"),
        Column::number("requests"),
        Column::text("lasting"),
        Column::new("oldest", Kind::Time),
        Column::text("example"),
    ]);
    for row in answer.unfinished.iter().take(ROWS) {
        let (oldest, id) = row.oldest.clone().map_or((Cell::Missing, String::new()), |(at, id)| (Cell::Time(at), id));
        table.rows.push(vec![
            Cell::Text(row.verb.clone()),
            Cell::Text(row.stage.clone()),
            Cell::Number(row.count),
            Cell::Text(if row.long_running { "yes" } else { "no" }.to_owned()),
            oldest,
            Cell::Text(id),
        ]);
    }
    section("Unfinished requests", &table, zone, out);
    more(answer.unfinished.len(), "kind", out);
}

/// Events that the API server could not write.
pub(super) fn losses(account: &Account, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let mut table = Table::new(vec![
        Column::text("first"),
        Column::number("events"),
        Column::text("plugin"),
        Column::text("reason"),
    ]);
    for source in &account.sources {
        for (plugin, reason, loss) in source.evidence.losses.iter() {
            let first = format!("{}:{}", source.name, loss.first.line + 1);
            table.rows.push(vec![
                Cell::Text(first),
                Cell::Number(loss.events),
                Cell::Text(plugin.to_owned()),
                Cell::Text(reason.to_owned()),
            ]);
        }
    }
    let kinds = table.rows.len();
    table.rows.truncate(ROWS);
    section("Events the API server says it lost", &table, zone, out);
    more(kinds, "kind", out);
}

/// Steps back in time, and clocks that differ.
pub(super) fn order(answer: &Inspection, account: &Account, out: &mut Vec<u8>) {
    let mut lines = Vec::new();
    let inversions: u64 = account.sources.iter().map(|source| source.evidence.inversions).sum();
    let worst = account.sources.iter().rev().max_by_key(|source| source.evidence.backward_ns_max);
    if let Some(worst) = worst.filter(|_| inversions > 0) {
        let events = if inversions == 1 { "1 event is" } else { &format!("{} events are", number(inversions)) };
        let back = human::duration(worst.evidence.backward_ns_max);
        lines.push(format!("{events} earlier than the one before, by at most {back} ({}).", worst.name));
    }
    lines.extend(answer.ids.skews.iter().map(skew));
    if answer.ids.skews.is_empty()
        && let Some(clocks) = several_clocks(answer)
    {
        lines.push(format!(
            "Whether the clocks of {clocks} agree cannot be told: none of {} looked at is in the logs of two.",
            counted(answer.ids.looked_at, "audit id")
        ));
    }
    sentences("Order and clocks", &lines, out);
}

/// The hosts, if there are several.
pub(super) fn several_clocks(answer: &Inspection) -> Option<String> {
    let logs = answer.coverage.logs.iter().filter(|log| log.requests > 0);
    let mut names: Vec<&str> = logs.map(|log| log.host.as_deref().unwrap_or(&log.name)).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [] | [_] => None,
        [a, b] => Some(format!("{a} and {b}")),
        [a, b, rest @ ..] => Some(format!("{a}, {b} and {}", counted(rest.len() as u64, "other"))),
    }
}

fn skew(skew: &Skew) -> String {
    let Skew { a, b, least, most, pairs } = skew;
    let rests = format!("{} that both have seen", counted(*pairs, "request"));
    if skew.is_contradictory() {
        return format!(
            "The clocks of {a} and {b}: what {rests} say contradicts itself; their difference seems to have changed."
        );
    }
    let (least, most) = (*least, *most);
    let range = |low: i64, high: i64| format!("{} to {}", human::duration(low), human::duration(high));
    let what = if least > 0 {
        format!("The clock of {b} is {} ahead of that of {a}", range(least, most))
    } else if most < 0 {
        format!("The clock of {b} is {} behind that of {a}", range(most.saturating_neg(), least.saturating_neg()))
    } else {
        format!(
            "The clocks of {a} and {b} agree within what can be told: {b} is at most {} behind or {} ahead",
            human::duration(least.saturating_neg()),
            human::duration(most)
        )
    };
    format!("{what} ({rests}).")
}

/// The programs with most requests, and the API server's own version.
pub(super) fn versions(answer: &Inspection, zone: TimeZoneChoice, out: &mut Vec<u8>) {
    let clients = &answer.clients;
    if clients.rows.iter().all(|row| row.component.is_none()) {
        return;
    }
    let mut table = Table::new(vec![
        Column::text("client"),
        Column::text("version"),
        Column::number("requests"),
        Column::text("users"),
    ]);
    for row in clients.rows.iter().take(ROWS) {
        let users =
            if row.users > Distinct::MOST { format!("more than {}", Distinct::MOST) } else { row.users.to_string() };
        table.rows.push(vec![
            Cell::Text(row.component.clone().unwrap_or_default()),
            Cell::Text(row.version.clone().unwrap_or_default()),
            Cell::Number(row.requests),
            Cell::Text(users),
        ]);
    }
    section("Versions, as the clients say", &table, zone, out);
    let shown: u64 = clients.rows.iter().take(ROWS).map(|row| row.requests).sum();
    let all: u64 = clients.rows.iter().map(|row| row.requests).sum::<u64>() + clients.others;
    if all > shown {
        let others = if clients.others > 0 { "many".to_owned() } else { number((clients.rows.len() - ROWS) as u64) };
        out.extend_from_slice(format!("and {others} more with {}\n", counted(all - shown, "request")).as_bytes());
    }
    let servers = clients.server_versions();
    if !servers.is_empty() {
        let versions = servers.iter().take(5).map(|v| crate::render::sanitize::cell(v)).collect::<Vec<_>>().join(", ");
        out.extend_from_slice(format!("API server: {versions}, by its requests to itself.\n").as_bytes());
    }
}
