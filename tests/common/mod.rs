//! What the test programs share: running auditq, a slow and obvious reading of a log, and where logs are.

#![allow(dead_code, reason = "every test program uses a part of this")]

pub(crate) mod library;
pub(crate) mod random;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a run of auditq left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    /// The exit status; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
}

impl Output {
    /// Standard output as text, which every answer is.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("answers are UTF-8")
    }

    /// Standard output as JSON lines.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

/// Runs auditq at the root of the repository, away from the caller's environment.
pub(crate) fn auditq(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_auditq"))
        .args(arguments)
        .current_dir(root())
        .env_clear()
        .env("NO_COLOR", "1")
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary under test runs");
    let mut pipe = child.stdin.take().expect("stdin is piped");
    let output = std::thread::scope(|scope| {
        // Written beside the reading, or two full pipes would wait for each other for ever.
        // A run that refuses its flags never reads: a closed pipe is no failure of the test.
        scope.spawn(move || drop(pipe.write_all(stdin)));
        child.wait_with_output().expect("the binary under test ends")
    });
    Output {
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        code: output.status.code(),
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of `testdata/`.
pub(crate) fn testdata(name: &str) -> Vec<u8> {
    let path = root().join("testdata").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below a folder, in order.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Captured logs that are not part of this repository, if they are beside it: `../shared/corpus`.
/// A test that needs them says so aloud and passes when they are absent.
pub(crate) fn shared_corpus(test: &str) -> Option<PathBuf> {
    let corpus = root().join("../shared/corpus");
    if corpus.is_dir() {
        return Some(corpus);
    }
    // Not by a macro: the harness would hide it, since the test passes.
    writeln!(std::io::stderr(), "SKIPPED {test}: no captured logs in {}", corpus.display()).expect("stderr is open");
    None
}

/// A folder for one test's own files, empty at first.
pub(crate) fn scratch(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder
}

/// Writes a file below a folder and gives its path as an argument.
pub(crate) fn put(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap_or(folder)).expect("a folder to write to");
    std::fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// The content as one gzip member.
pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// What the content unpacks to if it is gzip, else the content.
pub(crate) fn unzipped(content: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match content.starts_with(&[0x1f, 0x8b]) {
        true => std::io::copy(&mut flate2::read::MultiGzDecoder::new(content), &mut plain).map(drop),
        false => std::io::copy(&mut &content[..], &mut plain).map(drop),
    }
    .expect("sound gzip");
    plain
}

/// The content as a zstd frame.
pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(content, 1).expect("memory takes all")
}

/// The content as bzip2.
pub(crate) fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(content).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// Every line that is JSON, read the slow way; other lines are left out.
pub(crate) fn events(log: &[u8]) -> Vec<Value> {
    log.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// One event per request, in order of the request's first event: Panic stands for it before ResponseComplete,
/// ResponseStarted and RequestReceived. A request is an audit ID and the time it was received, with its
/// user, verb and URI, which all stages share: a client may send one ID with several requests.
pub(crate) fn requests(events: &[Value]) -> Vec<Value> {
    let mut order: Vec<(String, String)> = Vec::new();
    let mut last: BTreeMap<(String, String), Value> = BTreeMap::new();
    let shared = [&["requestReceivedTimestamp"][..], &["user", "username"], &["verb"], &["requestURI"]];
    for (index, event) in events.iter().enumerate() {
        let mut key = (text(event, &["auditID"]), shared.map(|path| text(event, path)).join("\n"));
        if event["auditID"].is_null() {
            key.0 = format!("<none> {index}"); // Nothing can be joined to it.
        }
        match last.get(&key) {
            None => order.push(key.clone()),
            Some(known) if rank(known) >= rank(event) => continue,
            Some(_) => {}
        }
        last.insert(key, event.clone());
    }
    order.iter().map(|key| last[key].clone()).collect()
}

fn rank(event: &Value) -> Option<usize> {
    let stages = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];
    stages.iter().position(|stage| event["stage"] == *stage)
}

/// How many events have each value at a path of keys, such as `["user", "username"]`; absence is `<none>`.
pub(crate) fn count_by(events: &[Value], path: &[&str]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(text(event, path)).or_insert(0) += 1;
    }
    counts
}

/// The value at a path of keys as text: strings without quotes, absence and null as `<none>`.
pub(crate) fn text(event: &Value, path: &[&str]) -> String {
    let value = path.iter().fold(event, |value, key| &value[*key]);
    match value {
        Value::Null => "<none>".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
