//! What arrives is what the API server's log backend would have written, once.

use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::channel;
use std::sync::{Condvar, Mutex};

use crate::common::{auditq, scratch, testdata};
use crate::webhook::{Client, PATIENCE, Server, event, files, list, log, post};

#[test]
fn the_output_is_the_servers_own_log() {
    let directory = scratch("receive-log").join("new");
    let server = Server::start(&directory, &[]);
    let own = String::from_utf8(testdata("json/cluster.log")).expect("text");
    let events: Vec<&str> = own.lines().collect();
    let mut client = Client::connect(server.address).expect("a connection");
    for batch in events.chunks(100) {
        assert_eq!(client.post(&list(batch)).expect("an answer"), (200, String::new()));
    }
    let said = server.stop();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("auditq: stopped: 440 events in 5 batches received"), "{said:?}");
    assert_eq!(std::fs::read_to_string(directory.join("audit.log")).expect("the log"), own);
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&directory.join("audit.log"))), (0o700, 0o600));
    let ours = auditq(&["query", "--code", "4xx", directory.to_str().expect("UTF-8")], b"");
    let theirs = auditq(&["query", "--code", "4xx", "testdata/json/cluster.log"], b"");
    assert_eq!((ours.code, ours.text()), (Some(0), theirs.text()));
}

#[test]
fn single_events_on_many_connections_are_each_there_once() {
    let directory = scratch("receive-blocking");
    let server = Server::start(&directory, &[]);
    let address = server.address;
    std::thread::scope(|scope| {
        for connection in 0..16 {
            scope.spawn(move || {
                let mut client = Client::connect(address).expect("a connection");
                for number in 0..50 {
                    let body = list(&[event(connection * 1000 + number)]);
                    assert_eq!(client.post(&body).expect("an answer").0, 200);
                }
            });
        }
    });
    let said = server.stop();
    assert!(said[0].contains("800 events in 800 batches received"), "{said:?}");
    let mut expected: Vec<String> = (0..16).flat_map(|c| (0..50).map(move |n| event(c * 1000 + n))).collect();
    let mut found = log(&directory);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_batch_sent_again_adds_nothing_before_and_after_a_restart() {
    let directory = scratch("receive-again");
    let server = Server::start(&directory, &[]);
    let batch: Vec<String> = (0..20).map(event).collect();
    post(&server, &list(&batch), 200);
    post(&server, &list(&batch), 200);
    let said = server.stop();
    assert!(said[0].contains("40 events in 2 batches received"), "{said:?}");
    assert!(said[0].contains("20 events sent again and dropped"), "{said:?}");
    let server = Server::start(&directory, &[]);
    post(&server, &list(&batch), 200);
    post(&server, &list(&[event(20)]), 200);
    drop(server);
    assert_eq!(log(&directory), (0..21).map(event).collect::<Vec<_>>());
}

#[test]
fn events_that_share_id_and_stage_are_both_kept() {
    let directory = scratch("receive-same-id");
    let server = Server::start(&directory, &[]);
    let one = event(1);
    let other = one.replace("alice", "bob");
    post(&server, &list(&[&one]), 200);
    post(&server, &list(&[&other]), 200);
    // And the API server sent these as two events, so two they are.
    post(&server, &list(&[event(2), event(2)]), 200);
    drop(server);
    assert_eq!(log(&directory), [one, other, event(2), event(2)]);
}

#[test]
fn what_a_killed_receiver_had_written_of_a_batch_is_made_whole() {
    let directory = scratch("receive-part");
    let batch: Vec<String> = (0..10).map(event).collect();
    // Four events and a half, as after SIGKILL in the middle of a write.
    let half = format!("{}\n{}", batch[..4].join("\n"), batch[4].split_at(40).0);
    std::fs::write(directory.join("audit.log"), half).expect("a file");
    let server = Server::start(&directory, &[]);
    assert_eq!(server.before.len(), 1);
    assert!(server.before[0].contains("cut off 40 bytes of half a line"), "{:?}", server.before);
    post(&server, &list(&batch), 200);
    let said = server.stop();
    assert!(said[0].contains("4 events sent again and dropped"), "{said:?}");
    assert_eq!(log(&directory), batch);
}

/// Where the receiver is now, for clients that have lost it.
struct Whereabouts {
    address: Mutex<(usize, std::net::SocketAddr)>,
    moved: Condvar,
}

impl Whereabouts {
    fn now(&self) -> (usize, std::net::SocketAddr) {
        *self.address.lock().expect("no panic")
    }

    fn after(&self, run: usize) -> (usize, std::net::SocketAddr) {
        let guard = self.address.lock().expect("no panic");
        let (guard, waited) = self.moved.wait_timeout_while(guard, PATIENCE, |now| now.0 <= run).expect("no panic");
        assert!(!waited.timed_out(), "the receiver never came back");
        *guard
    }
}

/// Sends batches over one connection, each until it is taken.
fn send_all(batches: Vec<Vec<u8>>, place: &Whereabouts, taken: &std::sync::mpsc::Sender<()>) {
    let (mut run, mut address) = place.now();
    let mut client = None;
    for (number, body) in batches.iter().enumerate() {
        loop {
            let connected = client.take().map_or_else(|| Client::connect(address), Ok);
            let outcome = connected.and_then(|mut open| open.post(body).map(|answer| (open, answer)));
            if let Ok((open, (status, text))) = outcome {
                assert_eq!(status, 200, "{text}");
                client = Some(open);
                break;
            }
            (run, address) = place.after(run);
        }
        let _ = taken.send(());
        if number % 5 == 0 {
            // An answer that got lost on the way: the batch comes again although it was taken.
            client = client.and_then(|mut open| open.post(body).ok().map(|_| open));
        }
    }
}

#[test]
fn killed_again_and_again_in_mid_load_every_event_is_there_once() {
    const CLIENTS: usize = 8;
    const BATCHES: usize = 60;
    let directory = scratch("receive-kill");
    let flags = ["--max-size", "1", "--compress"];
    let mut server = Some(Server::start(&directory, &flags));
    let first = server.as_ref().map(|server| server.address).expect("it runs");
    let place = Whereabouts { address: Mutex::new((0, first)), moved: Condvar::new() };
    let numbers = |client: usize, batch: usize| {
        // From single events, as in blocking mode, to lists of forty.
        let size = if client.is_multiple_of(2) { 1 } else { 40 };
        (0..size).map(move |item| (client * BATCHES + batch) * 40 + item)
    };
    let (taken, took) = channel();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let batches = (0..BATCHES).map(|batch| list(&numbers(client, batch).map(event).collect::<Vec<_>>()));
            let (batches, taken, place) = (batches.collect(), taken.clone(), &place);
            scope.spawn(move || send_all(batches, place, &taken));
        }
        for run in 1..=6 {
            (0..60).for_each(|_| took.recv_timeout(PATIENCE).expect("batches are taken"));
            server.take().expect("it runs").kill();
            let next = Server::start(&directory, &flags);
            *place.address.lock().expect("no panic") = (run, next.address);
            server = Some(next);
            place.moved.notify_all();
        }
    });
    drop(taken);
    assert_eq!(took.iter().count(), CLIENTS * BATCHES - 6 * 60);
    server.expect("it runs").stop();
    let all = (0..CLIENTS).flat_map(|client| (0..BATCHES).flat_map(move |batch| numbers(client, batch)));
    let mut expected: Vec<String> = all.map(event).collect();
    let mut found = log(&directory);
    expected.sort();
    found.sort();
    assert_eq!(found.len(), expected.len());
    assert!(found == expected, "an event was lost or doubled");
    assert!(files(&directory).len() > 3, "{:?}", files(&directory));
}
