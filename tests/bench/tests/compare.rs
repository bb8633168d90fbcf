//! `compare` runs from end to end on small logs, with tools that every machine has.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // It may be left from another run; logs of another generator must not be trusted.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// auditq as the tests of the repository build it; whoever has just run them says where it is with `AUDITQ_BUILT`.
fn auditq() -> PathBuf {
    if let Some(built) = std::env::var_os("AUDITQ_BUILT") {
        return built.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--bin", "auditq", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(root.join("target"))
        .status();
    assert!(built.unwrap().success(), "auditq does not build");
    root.join("target/debug/auditq")
}

fn compare(folder: &Path, auditq: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.args(["--size", "2MB", "--runs", "1", "--dir"]).arg(folder).arg("--auditq").arg(auditq);
    command.args(more).output().unwrap()
}

#[test]
fn every_task_is_checked_and_timed() {
    let folder = folder("every-task");
    let (json, markdown) = (folder.join("figures.json"), folder.join("page.md"));
    let marks = ["<!-- figures begin: written by compare --markdown -->", "<!-- figures end -->"];
    fs::write(&markdown, format!("above\n{}\n{}\nbelow\n", marks[0], marks[1])).unwrap();
    let files = ["--json", json.to_str().unwrap(), "--markdown", markdown.to_str().unwrap()];
    let output = compare(&folder, &auditq(), &[&["--peers", "wc,grep,gzip"], &files[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let figures: serde_json::Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let outcomes = figures["outcomes"].as_array().unwrap();
    for (task, rival) in [
        ("metadata-group-by", "wc -l"),
        ("metadata-rare", "grep -c"),
        ("metadata-window", "wc -l"),
        ("metadata-latency", "auditq group-by"),
        ("rr-group-by", "grep -c"),
        ("legacy-group-by", "grep -c"),
        ("gzip-one", "gzip -dc"),
        ("gzip-four", "auditq, one after another"),
        ("version", ""),
    ] {
        let found = outcomes.iter().find(|one| one["task"] == task && one["rival"] == rival);
        let found = found.unwrap_or_else(|| panic!("{task} against {rival} is missing"));
        assert!(found["mine"]["seconds"].as_f64().unwrap() > 0.0);
        assert!(found["mine"]["peak_bytes"].as_u64().unwrap() > 1_000_000);
    }
    assert!(figures["left_out"].as_array().unwrap().iter().any(|name| name == "DuckDB"));
    let page = fs::read_to_string(markdown).unwrap();
    assert!(page.starts_with("above\n") && page.ends_with("below\n") && page.contains("| rr-group-by"), "{page}");
}

#[test]
fn a_wrong_answer_stops_everything_before_a_time_is_taken() {
    let folder = folder("wrong-answer");
    let liar = folder.join("auditq");
    fs::write(&liar, "#!/bin/sh\necho '{\"groups\":[],\"evidence\":{\"records\":{\"event\":1}}}'\n").unwrap();
    fs::set_permissions(&liar, fs::Permissions::from_mode(0o755)).unwrap();
    let output = compare(&folder, &liar, &["--peers", "wc", "--tasks", "rr-group-by"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("answers differ\nrr-group-by, wc -l: auditq 1, the other"), "{said}");
    assert!(!said.contains("timing") && output.stdout.is_empty(), "{said}");
}
