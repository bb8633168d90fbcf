//! Live reading with the real program: a writer and its rotations on one side, the rows on the other.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

const ROTATIONS: u32 = 100;

/// An event of a request of its own.
fn event(number: u32) -> String {
    format!(
        "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"{number:08}\",\
        \"stage\":\"ResponseComplete\",\"requestURI\":\"/api/v1/namespaces/n/secrets/s\",\"verb\":\"get\",\
        \"user\":{{\"username\":\"u\"}},\"objectRef\":{{\"resource\":\"secrets\",\"namespace\":\"n\",\"name\":\"s\"}},\
        \"responseStatus\":{{\"code\":200}},\"requestReceivedTimestamp\":\"2026-01-01T00:00:00.000000Z\",\
        \"stageTimestamp\":\"2026-01-01T00:00:01.000000Z\"}}\n"
    )
}

/// A run that goes on.
struct Live {
    child: Child,
    lines: Receiver<String>,
}

/// The machine may be busy; nothing waits so long unless it waits for ever.
const PATIENCE: Duration = Duration::from_secs(120);

impl Live {
    fn start(arguments: &[&str]) -> Live {
        let mut child = Command::new(env!("CARGO_BIN_EXE_auditq"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary under test runs");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Live { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a row comes")
    }

    /// Interrupts it, and gives the rest of the answer, what it said, and the status.
    fn interrupt(self) -> (Vec<String>, String, Option<i32>) {
        let interrupted = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(interrupted.expect("kill runs").success());
        self.end()
    }

    fn end(mut self) -> (Vec<String>, String, Option<i32>) {
        let mut said = String::new();
        self.child.stderr.take().expect("stderr is piped").read_to_string(&mut said).expect("text");
        let status = self.child.wait().expect("it ends");
        (self.lines.iter().collect(), said, status.code())
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("auditq-live-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

const IDS: [&str; 6] = ["query", "-q", "-f", "--no-headers", "-o", "jsonpath={.auditID}"];

/// Follows a path, in which there is one event, while `write` writes and rotates; every event comes once,
/// in order.
fn follows(path: &Path, write: impl FnOnce() -> u32 + Send) {
    let shown = path.to_string_lossy();
    let live = Live::start(&[&IDS[..], &[&shown]].concat());
    assert_eq!(live.line(), "00000000");
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(write);
        writer.join().expect("the writer writes")
    });
    for number in 1..written {
        assert_eq!(live.line(), format!("{number:08}"));
    }
    let (rest, said, status) = live.interrupt();
    assert_eq!((rest, said.as_str(), status), (Vec::new(), "", Some(0)));
}

fn compress(path: &Path) {
    let text = fs::read(path).expect("the file is there");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&text).expect("memory takes all");
    fs::write(format!("{}.gz", path.display()), encoder.finish().expect("memory takes all")).expect("room on the disk");
    fs::remove_file(path).expect("the file is there");
}

#[test]
fn a_hundred_rotations_by_renaming() {
    let folder = folder("rename");
    let log = folder.join("audit.log");
    fs::write(&log, event(0)).expect("room on the disk");
    follows(&folder, || {
        let mut written = 1;
        for round in 0..ROTATIONS {
            let mut file = OpenOptions::new().append(true).create(true).open(&log).expect("a log");
            for _ in 0..150 {
                file.write_all(event(written).as_bytes()).expect("room on the disk");
                written += 1;
            }
            let rotated = folder.join(format!("audit-2026-01-01T00-00-{:02}.{:03}.log", round / 10, round));
            fs::rename(&log, &rotated).expect("the log is there");
            if round % 3 == 0 {
                compress(&rotated);
            }
        }
        written
    });
    fs::remove_dir_all(&folder).expect("the folder is there");
}

/// What is written between copying and emptying is lost by the rotation itself, so nothing is.
#[test]
fn a_hundred_rotations_by_copying_and_emptying() {
    for holes in [false, true] {
        let folder = folder(if holes { "holes" } else { "copy" });
        let log = folder.join("audit.log");
        File::create(&log).expect("a log");
        let mut file = File::options().write(true).append(!holes).open(&log).expect("a log");
        file.write_all(event(0).as_bytes()).expect("room on the disk");
        follows(&log, || {
            let mut written = 1;
            for _ in 0..ROTATIONS {
                for _ in 0..30 {
                    file.write_all(event(written).as_bytes()).expect("room on the disk");
                    written += 1;
                }
                let number = |n: u32| folder.join(format!("audit.log.{n}"));
                for n in (1..ROTATIONS).rev() {
                    let _ = fs::rename(number(n), number(n + 1));
                }
                fs::copy(&log, number(1)).expect("the log is there");
                File::options().write(true).truncate(true).open(&log).expect("the log is there");
            }
            file.write_all(event(written).as_bytes()).expect("room on the disk");
            written + 1
        });
        fs::remove_dir_all(&folder).expect("the folder is there");
    }
}

#[test]
fn a_row_of_a_pipe_comes_before_the_next_is_written() {
    let mut live = Live::start(&IDS);
    let mut pipe = live.child.stdin.take().expect("stdin is piped");
    for number in 0..50 {
        pipe.write_all(event(number).as_bytes()).expect("the pipe takes it");
        assert_eq!(live.line(), format!("{number:08}"));
    }
    drop(pipe);
    let (rest, said, status) = live.end();
    assert_eq!((rest, said.as_str(), status), (Vec::new(), "", Some(0)), "it ends with the pipe");
}

#[test]
fn an_interrupt_prints_the_answer_so_far_with_its_evidence() {
    let folder = folder("interrupt");
    let log = folder.join("audit.log");
    fs::write(&log, format!("{}{{\"kind\":\"Event\",\"auditID\":tr\n{}", event(0), event(1)))
        .expect("room on the disk");
    // A log of its own tells when all of the other has been read: they are read in turn.
    let mark = folder.join("mark.log");
    let shown = [log.to_string_lossy().into_owned(), mark.to_string_lossy().into_owned()];
    let live = Live::start(&["query", "-f", "--no-headers", "-o", "name", &shown[0], &shown[1]]);
    assert_eq!((live.line(), live.line()), ("secrets/s".to_owned(), "secrets/s".to_owned()));
    fs::write(&mark, event(2)).expect("room on the disk");
    assert_eq!(live.line(), "secrets/s");
    let (rest, said, status) = live.interrupt();
    assert!(rest.is_empty());
    assert!(said.contains("mark.log: does not exist yet"), "{said}");
    assert!(said.contains("audit.log:3:1: event ends inside"), "{said}");
    assert!(said.contains("evidence incomplete: 1 of 4 records could not be read"), "{said}");
    assert_eq!(status, Some(3));
    fs::remove_dir_all(&folder).expect("the folder is there");
}

/// Without --follow the input has an end, so what was read when it was interrupted is a part.
#[test]
fn an_interrupted_pipe_is_a_part() {
    let mut live = Live::start(&["query", "--no-headers", "-o", "name"]);
    let mut pipe = live.child.stdin.take().expect("stdin is piped");
    pipe.write_all(event(0).as_bytes()).expect("the pipe takes it");
    assert_eq!(live.line(), "secrets/s");
    let (rest, said, status) = live.interrupt();
    assert!(rest.is_empty());
    assert!(said.starts_with("auditq: interrupted: "), "{said}");
    assert_eq!(status, Some(3));
    drop(pipe);
}

#[test]
fn a_live_summary_without_a_terminal_is_one_answer_at_the_end() {
    let mut live = Live::start(&["summary", "-f", "--by", "verb", "-o", "csv", "--no-headers"]);
    let mut pipe = live.child.stdin.take().expect("stdin is piped");
    for number in 0..5 {
        pipe.write_all(event(number).as_bytes()).expect("the pipe takes it");
    }
    drop(pipe);
    let (rest, said, status) = live.end();
    assert_eq!((rest.len(), said.as_str(), status), (1, "", Some(0)));
    assert!(rest[0].starts_with("get,5,"), "{rest:?}");
}

/// `timeout` sends its signal to the program and to the group that it is in.
#[test]
fn an_interrupt_that_comes_twice_at_once_is_one() {
    let mut live = Live::start(&["summary", "-f", "--by", "verb", "-o", "csv", "--no-headers"]);
    let mut pipe = live.child.stdin.take().expect("stdin is piped");
    // More than the pipe holds, so that reading has begun when all is written.
    for number in 0..3000 {
        pipe.write_all(event(number).as_bytes()).expect("the pipe takes it");
    }
    let id = live.child.id().to_string();
    let interrupted = Command::new("kill").args(["-INT", &id, &id]).status();
    assert!(interrupted.expect("kill runs").success());
    let (rest, said, status) = live.end();
    assert_eq!((rest.len(), said.as_str(), status), (1, "", Some(0)));
}
