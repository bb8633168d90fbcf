//! What `receive` says on standard error: where it listens, what it could not do, what it did.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use super::human;
use super::sanitize::text_for_terminal;
use crate::receive::Totals;

/// The receiver is ready.
pub fn listening(address: SocketAddr, tls: bool, log: &Path) -> String {
    let scheme = if tls { "https" } else { "http" };
    format!("auditq: listening on {scheme}://{address}, writing to {}\n", shown(log))
}

/// Something that is needed from the start is not right.
pub fn cannot_start(reason: &str) -> String {
    format!("auditq: {}\n", text_for_terminal(reason))
}

/// The address cannot be had.
pub fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    format!("auditq: --listen {address}: {error}\n")
}

/// The directory cannot be written.
pub fn cannot_write(directory: &Path, reason: &str) -> String {
    format!("auditq: --out {}: {}\n", shown(directory), text_for_terminal(reason))
}

/// The last run ended in the middle of a line.
pub fn torn(log: &Path, bytes: u64) -> String {
    format!(
        "auditq: note: {}: cut off {} of half a line that was never confirmed; the API server sends it again\n",
        shown(log),
        human::counted(bytes, "byte")
    )
}

/// A file cannot be searched for repeats.
pub fn not_remembered(path: &Path, error: &io::Error) -> String {
    format!("auditq: {}: {error}; events in it are not recognised if they are sent again\n", shown(path))
}

/// Batches could not be written.
pub fn write_failed(error: &io::Error, times: u64) -> String {
    format!("auditq: events cannot be written, the API server is told to send them again: {error}{}\n", so_far(times))
}

/// The live file could not be rotated.
pub fn rotation_failed(error: &io::Error, times: u64) -> String {
    format!("auditq: audit.log cannot be rotated and grows on: {error}{}\n", so_far(times))
}

/// A rotated file could not be compressed or deleted.
pub fn not_kept(path: &Path, error: &io::Error, times: u64) -> String {
    format!("auditq: {}: cannot be compressed or deleted: {error}{}\n", shown(path), so_far(times))
}

/// A body was refused.
pub fn refused(peer: SocketAddr, reason: &str, times: u64) -> String {
    format!(
        "auditq: a request from {peer} was refused: {}{}\n  help: an API server gives such a batch up after five attempts\n",
        text_for_terminal(reason),
        so_far(times)
    )
}

/// A request came without the token.
pub fn denied(peer: SocketAddr, times: u64) -> String {
    format!("auditq: a request from {peer} was refused: no token, or a wrong one{}\n", so_far(times))
}

/// A connection never became one.
pub fn handshake_failed(peer: SocketAddr, reason: &str, times: u64) -> String {
    format!("auditq: no TLS with {peer}: {}{}\n", text_for_terminal(reason), so_far(times))
}

/// A connection could not be taken.
pub fn accept_failed(error: &io::Error, times: u64) -> String {
    format!("auditq: a connection could not be taken: {error}{}\n", so_far(times))
}

/// The last word.
pub fn stopped(totals: &Totals, refused: u64, left: usize) -> String {
    let mut text = format!(
        "auditq: stopped: {} in {} received, {} written in {}, {} sent again and dropped",
        human::counted(totals.events + totals.repeats, "event"),
        batches(totals.batches),
        human::bytes(totals.bytes),
        human::counted(totals.syncs, "sync"),
        human::counted(totals.repeats, "event"),
    );
    if refused > 0 {
        text += &format!(", {} refused", human::counted(refused, "request"));
    }
    if left > 0 {
        text += &format!(", {} cut off", human::counted(left as u64, "connection"));
    }
    text + "\n"
}

fn batches(count: u64) -> String {
    if count == 1 { "1 batch".to_owned() } else { format!("{} batches", human::number(count)) }
}

fn so_far(times: u64) -> String {
    if times > 1 { format!(" ({} times so far)", human::number(times)) } else { String::new() }
}

fn shown(path: &Path) -> String {
    text_for_terminal(&path.display().to_string()).into_owned()
}
