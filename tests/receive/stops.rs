//! Rotation, stopping, and directories that are not there alone for one receiver.

use std::net::TcpStream;
use std::path::Path;

use crate::common::{auditq, scratch};
use crate::webhook::{Client, Server, arguments, event, files, head, list, log, post};

const MIB: u64 = 1 << 20;

fn send(server: &Server, first: usize, count: usize) {
    let mut client = Client::connect(server.address).expect("a connection");
    for start in (first..first + count).step_by(100) {
        let body = list(&(start..start + 100).map(event).collect::<Vec<_>>());
        assert_eq!(client.post(&body).expect("an answer").0, 200);
    }
}

#[test]
fn files_are_rotated_before_they_grow_too_long_and_read_back_in_order() {
    let directory = scratch("receive-rotation");
    let server = Server::start(&directory, &["--max-size", "1"]);
    send(&server, 0, 5000);
    server.stop();
    let rotated = files(&directory);
    assert!(rotated.len() >= 4, "{rotated:?}");
    for path in &rotated {
        let length = std::fs::metadata(path).expect("it is there").len();
        assert!(length > 0 && length <= MIB, "{}: {length}", path.display());
    }
    assert_eq!(log(&directory), (0..5000).map(event).collect::<Vec<_>>());
    let summary = auditq(&["inspect", "-o", "json", directory.to_str().expect("UTF-8")], b"");
    assert_eq!(summary.code, Some(0), "{}", summary.stderr);
    let document: serde_json::Value = serde_json::from_slice(&summary.stdout).expect("JSON");
    assert_eq!(document["files"].as_array().expect("files").len(), rotated.len());
}

#[test]
fn old_files_are_compressed_and_too_many_deleted() {
    let directory = scratch("receive-keep");
    let server = Server::start(&directory, &["--max-size", "1", "--max-backups", "2", "--compress"]);
    send(&server, 0, 6000);
    // The keeper works beside the writer: the next run finishes what is left of its work.
    server.stop();
    let done = |files: &[std::path::PathBuf]| {
        files.len() == 3 && files[..2].iter().all(|path| path.extension().is_some_and(|end| end == "gz"))
    };
    let server = Server::start(&directory, &["--max-size", "1", "--max-backups", "2", "--compress"]);
    let deadline = std::time::Instant::now() + crate::webhook::PATIENCE;
    while !done(&files(&directory)) {
        assert!(std::time::Instant::now() < deadline, "{:?}", files(&directory));
        std::thread::yield_now();
    }
    server.stop();
    let kept = log(&directory);
    assert!(kept.len() < 6000);
    assert_eq!(kept, (6000 - kept.len()..6000).map(event).collect::<Vec<_>>());
}

#[test]
fn repeats_are_known_from_compressed_files_as_well() {
    let directory = scratch("receive-compressed");
    let batch: Vec<String> = (0..50).map(event).collect();
    let packed = crate::common::gzip((batch.join("\n") + "\n").as_bytes());
    crate::common::put(&directory, "audit-2026-03-09T08-00-00.655.log.gz", &packed);
    let server = Server::start(&directory, &[]);
    post(&server, &list(&batch), 200);
    server.stop();
    assert_eq!(log(&directory), batch);
}

#[test]
fn a_file_that_others_move_away_or_empty_costs_nothing() {
    let directory = scratch("receive-moved");
    let server = Server::start(&directory, &[]);
    send(&server, 0, 100);
    std::fs::rename(directory.join("audit.log"), directory.join("audit.log.1")).expect("it can be moved");
    send(&server, 100, 100);
    std::fs::copy(directory.join("audit.log"), directory.join("audit.log.2")).expect("it can be copied");
    std::fs::File::options()
        .write(true)
        .open(directory.join("audit.log"))
        .expect("it opens")
        .set_len(0)
        .expect("it empties");
    send(&server, 200, 100);
    server.stop();
    let mut found = log(&directory);
    let mut expected: Vec<String> = (0..300).map(event).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let directory = scratch("receive-graceful");
    let server = Server::start(&directory, &[]);
    let body = list(&[event(1)]);
    let mut client = Client::connect(server.address).expect("a connection");
    client.send(&head("Content-Type: application/json\r\n", body.len())).expect("sent");
    client.send(&body[..20]).expect("sent");
    // The head is known to have arrived when a request sent after it has been answered.
    post(&server, &list(&[event(2)]), 200);
    server.terminate();
    while TcpStream::connect(server.address).is_ok() {
        std::thread::yield_now();
    }
    client.send(&body[20..]).expect("sent");
    assert_eq!(client.answer().expect("an answer").0, 200);
    let (code, said) = server.wait();
    assert_eq!(code, Some(0), "{said:?}");
    assert!(said[0].starts_with("auditq: stopped: 2 events in 2 batches received"), "{said:?}");
    assert_eq!(log(&directory), [event(2), event(1)]);
}

fn refused(directory: &Path, flags: &[&str]) -> (Option<i32>, String) {
    let output = auditq(&arguments(directory, flags), b"");
    (output.code, output.stderr)
}

#[test]
fn a_directory_belongs_to_one_receiver() {
    let directory = scratch("receive-twice");
    let server = Server::start(&directory, &[]);
    let (code, said) = refused(&directory, &[]);
    assert_eq!(code, Some(2));
    assert!(said.ends_with("another receiver writes there\n"), "{said}");
    server.kill();
    drop(Server::start(&directory, &[]));
}

#[test]
fn what_cannot_work_is_told_at_the_start() {
    let directory = scratch("receive-start");
    let file = crate::common::put(&directory, "file", b"");
    let (code, said) = refused(Path::new(&file), &[]);
    assert_eq!(code, Some(2));
    assert!(said.starts_with("auditq: --out "), "{said}");
    let (code, said) = refused(&directory, &["--tls-cert", &file, "--tls-key", &file]);
    assert_eq!(code, Some(2));
    assert!(said.contains("no certificate in it"), "{said}");
    assert!(!directory.join("audit.log").exists(), "nothing is made before all is right");
}
