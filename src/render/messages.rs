//! What is said on standard error: errors with their places, hints, and the line about the evidence.

use super::human;
use super::sanitize::text_for_terminal;
use crate::aggregate::evidence::{Account, DamageRow};
use crate::event::Timestamp;
use crate::input::source::Discovery;
use crate::parse::records::{Bucket, UNFINISHED_LAST_LINE};

/// So many reasons are told by name.
const REASONS: usize = 8;

/// One line for each hint.
pub fn hints(hints: &[String]) -> String {
    hints.iter().map(|hint| format!("auditq: hint: {}\n", text_for_terminal(hint))).collect()
}

/// `--last` was asked of an input that can be read only once.
pub fn last_of_pipe(name: &str) -> String {
    format!(
        "auditq: --last: {} is a pipe, and counting back from its newest event means reading it twice\n  \
         help: read from files, or give --since\n",
        text_for_terminal(name)
    )
}

/// `--around` names a request, which must be found first, and an input can be read only once.
pub fn around_in_pipe(name: &str) -> String {
    format!(
        "auditq: --around: {} is a pipe, and finding a request and what is around it means reading it twice\n  \
         help: read from files, or give --around with a time\n",
        text_for_terminal(name)
    )
}

/// `--around` names a request that is not there.
pub fn no_such_request(audit_id: &str) -> String {
    format!(
        "auditq: --around: no request has an audit id that is or begins with `{}`, which is no time either\n  \
         help: `-o wide` shows audit ids; times are written as in 2024-05-01T12:00:00Z\n",
        text_for_terminal(audit_id)
    )
}

/// What time `--around` means by a request; `requests` have its audit id, and so many `others` one that begins with
/// what was typed.
pub fn around(audit_id: &str, time: Timestamp, requests: usize, others: usize) -> String {
    let id = text_for_terminal(audit_id);
    let several = if requests > 1 { format!(", the first of {requests} with that audit id") } else { String::new() };
    let others = match others {
        0 => String::new(),
        _ => format!(", the first of {} whose audit id begins like that", human::counted(others as u64 + 1, "request")),
    };
    format!("auditq: note: around {}, when {id} arrived{several}{others}\n", time.to_rfc3339())
}

/// Reading was interrupted; `total` is the size of the input where that is known.
pub fn interrupted(account: &Account, total: Option<u64>) -> String {
    let total = total.filter(|_| account.sources.iter().all(|source| source.compression.is_none()));
    let of = total.map_or_else(String::new, |total| format!(" of {}", human::bytes(total)));
    format!("auditq: interrupted: {}{of} read; this is the answer so far\n", human::bytes(account.bytes()))
}

/// No event has the audit id, or begins with it unless it is too `short` for that.
pub fn no_such_id(id: &str, short: bool) -> String {
    let shown = text_for_terminal(id);
    if short {
        return format!(
            "auditq: note: no event has the audit id {shown}; to find one by how it begins, 4 characters or more are needed\n"
        );
    }
    format!(
        "auditq: note: no event whose audit id is or begins with {shown}; the policy may not have logged it, or another file has it\n"
    )
}

/// Manifests of roles cannot be read.
pub fn wrong_roles(failure: &str) -> String {
    let safe = text_for_terminal(failure);
    format!(
        "auditq: --roles: {safe}\n  help: give manifests of roles and bindings, as kubectl get -o yaml prints them\n"
    )
}

/// Standard output cannot be written.
pub fn output_failed(failure: &str) -> String {
    format!("auditq: standard output: {failure}\n")
}

/// Rows that are to be sorted do not fit in memory, and cannot be put aside either.
pub fn spill_failed(failure: &str) -> String {
    format!(
        "auditq: rows to be sorted do not fit in memory, and the temporary file for them failed: {}\n  \
         help: TMPDIR names the directory of temporary files; or ask for fewer rows with --limit or a filter\n",
        text_for_terminal(failure)
    )
}

/// Something that happened to a file that is followed.
pub fn note(file: &str, note: &str) -> String {
    format!("auditq: note: {}: {}\n", text_for_terminal(file), text_for_terminal(note))
}

/// What was left out on purpose.
pub fn skipped(inputs: &Discovery) -> String {
    left_out(&inputs.skipped)
}

/// The same, of files by path and reason.
pub fn left_out(files: &[(String, String)]) -> String {
    let line = |(path, reason): &(String, String)| {
        format!("auditq: note: {} left out: {}\n", text_for_terminal(path), text_for_terminal(reason))
    };
    files.iter().map(line).collect()
}

/// What could not be read, reason by reason, and one line that sums it up; empty when all was read.
pub fn evidence(account: &Account) -> String {
    let mut text = String::new();
    for source in account.sources.iter().filter(|source| source.unreadable) {
        let reason = source.evidence.failures.first().map_or("cannot be read", String::as_str);
        text += &format!("auditq: {}: {}\n", text_for_terminal(&source.name), text_for_terminal(reason));
    }
    let unreadable = account.sources.iter().filter(|source| source.unreadable).count();
    let damage: Vec<DamageRow> = damage_read(account);
    for row in damage.iter().take(REASONS) {
        text += &damage_message(row);
    }
    if damage.len() > REASONS {
        text +=
            &format!("auditq: … and {} more kinds of damage; `auditq inspect` lists them\n", damage.len() - REASONS);
    }
    if !account.is_complete() {
        text += &summary_line(account, unreadable);
    }
    text
}

/// The damage of sources that could be read.
fn damage_read(account: &Account) -> Vec<DamageRow> {
    let readable = Account {
        sources: account.sources.iter().filter(|source| !source.unreadable).cloned().collect(),
        ..Account::default()
    };
    readable.damage().into_iter().filter(|row| row.reason != UNFINISHED_LAST_LINE).collect()
}

fn damage_message(row: &DamageRow) -> String {
    let times = if row.count > 1 { format!(" ({} times)", human::number(row.count)) } else { String::new() };
    let first = text_for_terminal(&row.first);
    let reason = text_for_terminal(&row.reason);
    format!("auditq: {first}: {reason}{times}\n{}", help(&row.reason))
}

/// What to do about a reason.
fn help(reason: &str) -> &'static str {
    if reason.starts_with("event ends inside") || reason == "last line is cut off" {
        "  help: the file may have been cut by rotation or a crash; the next file may hold the rest\n"
    } else if reason.starts_with("compressed data") {
        "  help: what was decompressed before this place is in the answer; fetch the file again for the rest\n"
    } else {
        ""
    }
}

fn summary_line(account: &Account, unreadable: usize) -> String {
    let records: u64 =
        (0..5).map(|at| account.sources.iter().map(|s| s.evidence.buckets[at].records).sum::<u64>()).sum();
    let unfinished: u64 =
        account.damage().iter().filter(|row| row.reason == UNFINISHED_LAST_LINE).map(|row| row.count).sum();
    let damaged = account.bucket(Bucket::Damaged).records - unfinished;
    let mut parts = Vec::new();
    if damaged > 0 {
        parts.push(format!("{} of {} could not be read", human::number(damaged), human::counted(records, "record")));
    }
    let cut = account.sources.iter().filter(|s| !s.unreadable && !s.evidence.failures.is_empty()).count();
    if cut > 0 {
        parts.push(format!(
            "{cut} of {} could not be read to the end",
            human::counted(account.sources.len() as u64, "input")
        ));
    }
    if unreadable > 0 {
        parts.push(format!(
            "{unreadable} of {} could not be read at all",
            human::counted(account.sources.len() as u64, "input")
        ));
    }
    if parts.is_empty() {
        // It was interrupted, which is told by itself.
        return String::new();
    }
    format!("auditq: evidence incomplete: {}\n", parts.join(", "))
}

/// What a complete account still gives reason to say: events the server dropped, repeats, nothing found.
pub fn remarks(account: &Account) -> String {
    let mut text = String::new();
    let lost = account.lost();
    if lost > 0 {
        text += &format!(
            "auditq: note: the API server's own log says that it dropped {} before writing\n",
            human::counted(lost, "audit event")
        );
    }
    if account.repeats() > 0 {
        text += &format!(
            "auditq: note: {} seen before, each request counted once; `auditq inspect` counts them by file\n",
            human::counted(account.repeats(), "event")
        );
    }
    if account.twice_in_rows > 0 {
        text += &format!(
            "auditq: note: {} ended so late that they had been given up: they have a row without an end, and one with it\n",
            human::counted(account.twice_in_rows, "request")
        );
    }
    text += &not_read(account);
    for source in account.sources.iter().filter(|source| source.out_of_order) {
        text += &format!(
            "auditq: note: {} is not in order of time, so rows may lack; --read-all reads all of it\n",
            text_for_terminal(&source.name)
        );
    }
    text += &passed(account);
    if account.is_void() {
        let other = account.bucket(Bucket::Other).records;
        text += &format!(
            "auditq: note: no audit event in {} of input ({})\n",
            human::bytes(account.bytes()),
            human::counted(other, "other record")
        );
    }
    text
}

/// What was not read to its end because it cannot be in the answer.
fn passed(account: &Account) -> String {
    let events = account.passed();
    if events == 0 || account.stopped || account.interrupted {
        return String::new();
    }
    format!(
        "auditq: note: {} of other users told by name and read no further; --read-all proves every line\n",
        human::counted(events, "event")
    )
}

/// What was left out of files because it lies outside the time window.
fn not_read(account: &Account) -> String {
    let bytes = account.not_read();
    if bytes == 0 || account.stopped || account.interrupted {
        return String::new();
    }
    let probes: u64 = account.sources.iter().filter_map(|source| source.part).map(|part| part.probes).sum();
    format!(
        "auditq: note: {} of {} not read: outside the time window, by the order of the log, which was looked at in {}; \
         --read-all reads everything\n",
        human::bytes(bytes),
        human::bytes(bytes + account.bytes()),
        human::counted(probes, "place")
    )
}
