//! What is no list, too long, or cannot be written.

use std::process::Command;

use crate::common::scratch;
use crate::webhook::{Client, Server, arguments, event, head, list, log, post};

/// Sends a request without a body.
fn ask(server: &Server, request: &str) -> (u16, String) {
    let mut client = Client::connect(server.address).expect("a connection");
    client.send(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).expect("sent");
    client.answer().expect("an answer")
}

#[test]
fn only_lists_of_audit_events_are_taken() {
    let directory = scratch("receive-no-list");
    let server = Server::start(&directory, &[]);
    let body = list(&[event(1)]);
    for wrong in
        [&b""[..], b"{}", b"\xff\xfe", b"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[]}", &body[..90]]
    {
        post(&server, wrong, 400);
    }
    let with = |headers: &str| {
        Client::connect(server.address).and_then(|mut client| client.post_with(&body, headers)).expect("an answer").0
    };
    assert_eq!(with("Content-Type: text/plain\r\n"), 415);
    assert_eq!(with(""), 415);
    assert_eq!(with("Content-Type: application/json\r\nContent-Encoding: gzip\r\n"), 415);
    assert_eq!(with("Content-Type: application/json; charset=utf-8\r\n"), 200);
    assert_eq!(ask(&server, "GET /").0, 405);
    assert_eq!(ask(&server, "GET /healthz"), (200, "ok\n".to_owned()));
    post(&server, b"{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\",\"items\":[]}", 200);
    let said = server.stop();
    assert!(said[0].contains("was refused: not an EventList of audit.k8s.io"), "{said:?}");
    assert!(said.last().is_some_and(|last| last.ends_with("5 requests refused")), "{said:?}");
    assert_eq!(log(&directory), [event(1)]);
}

#[test]
fn a_body_that_is_too_long_is_not_read() {
    let directory = scratch("receive-long");
    let server = Server::start(&directory, &["--max-body", "1"]);
    let mut client = Client::connect(server.address).expect("a connection");
    client.send(&head("Content-Type: application/json\r\n", (1 << 20) + 1)).expect("sent");
    assert_eq!(client.answer().expect("an answer before the body").0, 413);
    // In pieces of unknown number, so that only reading shows it.
    let mut client = Client::connect(server.address).expect("a connection");
    client
        .send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        .expect("sent");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(1 << 16));
    // It may have hung up before all is sent.
    let _ = (0..17).try_for_each(|_| client.send(chunk.as_bytes()));
    assert_eq!(client.answer().expect("an answer").0, 413);
    post(&server, &list(&(0..1000).map(event).collect::<Vec<_>>()), 200);
    assert_eq!(log(&directory).len(), 1000);
}

#[test]
fn what_cannot_be_written_leaves_no_trace_and_is_sent_again() {
    let directory = scratch("receive-full");
    // No file may grow beyond 64 or 128 KiB, as the shell counts: a disk that is full, as far as writing goes.
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_auditq")]).args(arguments(&directory, &["--max-size", "0"]));
    let server = Server::run(&mut command);
    post(&server, &list(&[event(1)]), 200);
    let large = list(&(100..600).map(event).collect::<Vec<_>>());
    assert!(large.len() > 1 << 18);
    let mut client = Client::connect(server.address).expect("a connection");
    assert_eq!(client.post(&large).expect("an answer").0, 503);
    assert_eq!(ask(&server, "GET /healthz").0, 503);
    assert_eq!(log(&directory), [event(1)]);
    assert_eq!(client.post(&list(&[event(2)])).expect("an answer").0, 200);
    assert_eq!(ask(&server, "GET /healthz").0, 200);
    server.stop();
    let server = Server::start(&directory, &[]);
    post(&server, &large, 200);
    server.stop();
    let expected: Vec<String> = [1, 2].into_iter().chain(100..600).map(event).collect();
    assert_eq!(log(&directory), expected);
}
