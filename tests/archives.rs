//! Archives and trees: the same answer as from the files themselves, whatever they are packed in, and what is told when
//! an archive is damaged.

mod common;

use std::path::Path;

use common::{auditq, bzip2, files_below, gzip, put, root, scratch, testdata, zstd};
use serde_json::Value;

type Files = Vec<(String, Vec<u8>)>;

/// The rotated logs by their names, in reading order.
fn rotated() -> Files {
    let folder = root().join("testdata/rotated");
    let name = |path: &Path| path.strip_prefix(&folder).expect("below the folder").to_string_lossy().into_owned();
    files_below(&folder).iter().map(|path| (name(path), std::fs::read(path).expect("a readable file"))).collect()
}

/// The files below a folder whose name is long enough for an extension of the header.
fn deep(files: &Files) -> Files {
    let folder =
        "must-gather.local.1234567890/quay-io-openshift-release-dev-ocp-v4.0-art-dev-sha256-0123456789abcdef/logs";
    files.iter().map(|(name, content)| (format!("{folder}/{name}"), content.clone())).collect()
}

fn header(length: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(length as u64);
    header.set_mode(0o644);
    header
}

fn tar(files: &Files) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        builder.append_data(&mut header(content.len()), name, &content[..]).expect("memory takes all");
    }
    builder.into_inner().expect("memory takes all")
}

fn zip(files: &Files, deflate: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, content) in files {
        let method = if deflate { rawzip::CompressionMethod::DEFLATE } else { rawzip::CompressionMethod::STORE };
        let start = archive.new_file(name.as_str()).compression_method(method).start();
        let (mut entry, config) = start.expect("memory takes all");
        let descriptor = if deflate {
            let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast());
            let mut writer = config.wrap(encoder);
            std::io::copy(&mut &content[..], &mut writer).expect("memory takes all");
            let (encoder, descriptor) = writer.finish().expect("memory takes all");
            encoder.finish().expect("memory takes all");
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            std::io::copy(&mut &content[..], &mut writer).expect("memory takes all");
            writer.finish().expect("memory takes all").1
        };
        entry.finish(descriptor).expect("memory takes all");
    }
    archive.finish().expect("memory takes all");
    bytes
}

/// An answer without the account, which names files.
fn answer(document: &str) -> Value {
    let mut document: Value = serde_json::from_str(document).expect("a JSON document");
    let bytes = document["evidence"]["bytes"].clone();
    document["evidence"] = bytes;
    document
}

fn summary(path: &str) -> Value {
    let output = auditq(&["summary", "-o", "json", "--threads", "1", path], b"");
    assert_eq!(output.code, Some(0), "{path}: {}", output.stderr);
    let more = auditq(&["summary", "-o", "json", "--threads", "3", path], b"");
    assert_eq!(output.text(), more.text(), "{path}: any number of threads");
    answer(output.text())
}

/// What is told of each file, under the name it has below `prefix`.
fn inspected(path: &str, prefix: &str) -> Vec<String> {
    let output = auditq(&["inspect", "-o", "csv", path], b"");
    output.text().lines().map(|line| line.strip_prefix(prefix).unwrap_or(line).to_owned()).collect()
}

#[test]
fn every_archive_is_the_directory_it_was_made_of() {
    let folder = scratch("archives-roads");
    // Logs without an event in common: of repeats, the first to be read counts.
    let mut files: Files = rotated().into_iter().filter(|(name, _)| !name.contains('/')).collect();
    files.push(("legacy/1.6.log".to_owned(), testdata("legacy/1.6.log")));
    let files = deep(&files);
    let plain = folder.join("plain");
    for (name, content) in &files {
        put(&plain, name, content);
    }
    let plain = plain.to_str().expect("a path in UTF-8");
    let mut backwards = files.clone();
    backwards.reverse();
    let archives = [
        ("logs.tar", tar(&files)),
        ("logs.tar.gz", gzip(&tar(&files))),
        ("backwards.tgz", gzip(&tar(&backwards))),
        ("no-ending", zstd(&tar(&backwards))),
        ("logs.tar.bz2", bzip2(&tar(&files))),
        ("deflated.zip", zip(&files, true)),
        ("stored.zip", zip(&files, false)),
        ("two.tar", [tar(&files[..3].to_vec()), tar(&files[3..].to_vec())].concat()),
    ];
    let expected = summary(plain);
    for (name, content) in archives {
        let archive = put(&folder, name, &content);
        assert_eq!(summary(&archive), expected, "{name}");
        let listed = inspected(&archive, &format!("{archive}:"));
        assert_eq!(listed.len(), 6, "{name}: a line for each file and the header");
        // Families come in the order of the archive.
        let order = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        assert_eq!(order(listed), order(inspected(plain, &format!("{plain}/"))), "{name}");
    }
}

#[test]
fn rotated_files_of_an_archive_come_oldest_first() {
    let mut files: Files = rotated().into_iter().filter(|(name, _)| !name.contains('/')).collect();
    files.reverse();
    let archive = put(&scratch("archives-order"), "logs.tar.gz", &gzip(&tar(&files)));
    let listed = inspected(&archive, &format!("{archive}:"));
    let names: Vec<&str> = listed.iter().skip(1).filter_map(|line| line.split(',').next()).collect();
    let expected = [
        "audit-2026-03-09T08-00-43.005.log.gz",
        "audit-2026-03-09T08-02-34.423.log",
        "audit-2026-03-09T08-04-33.930.log",
        "audit.log",
    ];
    assert_eq!(names, expected);
}

#[test]
fn an_archive_on_a_pipe_is_its_contents_one_behind_the_other() {
    let files: Files = ["audit.log.10.gz", "audit.log.2.gz", "audit.log.1", "audit.log"]
        .iter()
        .map(|name| ((*name).to_owned(), testdata(&format!("rotated/logrotate/{name}"))))
        .collect();
    let expected = summary("testdata/rotated/logrotate");
    let archive = tar(&files);
    for packed in [archive.clone(), gzip(&archive), zstd(&gzip(&archive))] {
        let output = auditq(&["summary", "-o", "json"], &packed);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert_eq!(answer(output.text()), expected);
    }
    // What has no last line feed does not run into the next file.
    let cut: Files = files.iter().map(|(name, _)| (name.clone(), testdata("json/cluster.log"))).collect();
    let cut: Files = cut.into_iter().map(|(name, log)| (name, log.trim_ascii_end().to_vec())).collect();
    let output = auditq(&["inspect", "-o", "json"], &tar(&cut));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let evidence = &output.json()[0]["evidence"];
    assert_eq!(evidence["records"]["damaged"], 0, "{evidence}");
}

#[test]
fn damage_in_a_member_is_told_with_its_place() {
    let files: Files = ["broken/torn.log", "json/cluster.log"].map(|name| (name.to_owned(), testdata(name))).to_vec();
    let folder = scratch("archives-places");
    for (name, content) in [
        ("a.tar", tar(&files)),
        ("a.tar.gz", gzip(&tar(&files))),
        ("a.zip", zip(&files, true)),
        ("b.zip", zip(&files, false)),
    ] {
        let archive = put(&folder, name, &content);
        let output = auditq(&["summary", &archive], b"");
        assert_eq!(output.code, Some(3));
        let place = format!("auditq: {archive}:broken/torn.log:2:393: not valid JSON in `user`\n");
        assert!(output.stderr.contains(&place), "{}", output.stderr);
    }
}

/// How many events were read, and the exit status.
fn read(path: &str, stdin: &[u8]) -> (u64, Option<i32>, String) {
    let output = auditq(&["inspect", "-o", "json", path], stdin);
    let events = output
        .stdout
        .first()
        .map_or(0, |_| output.json()[0]["evidence"]["records"]["event"].as_u64().expect("a number"));
    (events, output.code, output.stderr)
}

#[test]
fn of_a_cut_archive_what_came_before_is_kept_and_the_rest_is_told() {
    let files: Files = rotated().into_iter().filter(|(name, _)| name.ends_with(".log")).collect();
    let folder = scratch("archives-cut");
    let plain = tar(&files);
    for (name, content) in [("a.tar", plain.clone()), ("a.tar.gz", gzip(&plain)), ("a.zip", zip(&files, true))] {
        let (all, code, said) = read(&put(&folder, name, &content), b"");
        assert_eq!((all > 300, code), (true, Some(0)), "{said}");
        let mut last = 0;
        for part in 1..12 {
            let cut = &content[..content.len() * part / 12 / 512 * 512 + part % 2 * 100];
            let (events, code, said) = read(&put(&folder, name, cut), b"");
            assert!(matches!(code, Some(2 | 3)) && !said.is_empty(), "{name} cut at {}: {code:?} {said}", cut.len());
            assert!(events >= last && (events < all || code == Some(3)), "{name} cut at {}", cut.len());
            last = events;
            if !name.contains("zip") {
                let (piped, code, said) = read("-", cut);
                assert!(matches!(code, Some(2 | 3)), "{name} cut at {}: {said}", cut.len());
                assert_eq!(piped, events, "{name} cut at {}", cut.len());
            }
        }
        assert!(last > 200 || name.contains("zip"), "{name}: {last}");
    }
}

#[test]
fn a_damaged_member_costs_no_other() {
    let good = testdata("json/cluster.log");
    let cut = testdata("broken/cut.log.gz");
    let files: Files = vec![
        ("a/cut.log.gz".to_owned(), cut),
        ("b/audit.log".to_owned(), good.clone()),
        ("c.log".to_owned(), b"{}\n".to_vec()),
    ];
    let folder = scratch("archives-member");
    let (alone, _, _) = read(&put(&folder, "good.log", &good), b"");
    let (with_cut, _, _) = read("testdata/broken/cut.log.gz", b"");
    let archive = tar(&files);
    for (name, content) in [("a.tar", archive.clone()), ("a.tar.gz", gzip(&archive)), ("a.zip", zip(&files, true))] {
        let (events, code, said) = read(&put(&folder, name, &content), b"");
        assert_eq!((events, code), (alone + with_cut, Some(3)), "{name}: {said}");
    }
    let (events, code, said) = read("-", &archive);
    assert_eq!((events, code), (alone + with_cut, Some(3)), "{said}");
    assert!(said.contains("compressed data ends early (in a/cut.log.gz)"), "{said}");
    // A header that is none ends the list, and is told.
    let mut broken = archive;
    let second = 512 + files[0].1.len().next_multiple_of(512);
    broken[second + 148] ^= 1;
    let (events, code, said) = read(&put(&folder, "broken.tar", &broken), b"");
    assert_eq!((events, code), (with_cut, Some(3)), "{said}");
    assert!(said.contains("broken.tar: the archive is damaged"), "{said}");
    // A zip archive has a checksum for every file.
    let mut wrong = zip(&vec![("audit.log".to_owned(), good)], true);
    let at = wrong.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").expect("a directory");
    wrong[at + 16] ^= 1;
    let (events, code, said) = read(&put(&folder, "wrong.zip", &wrong), b"");
    assert_eq!((events, code), (alone, Some(3)), "{said}");
    assert!(said.contains("matching checksum"), "{said}");
}

#[test]
fn what_cannot_be_read_in_an_archive_is_told_and_what_is_no_log_is_left_out() {
    let log = testdata("json/v1beta1.log");
    let folder = scratch("archives-skipped");
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: &str, kind: tar::EntryType, content: &[u8]| {
        let mut header = header(content.len());
        header.set_entry_type(kind);
        if kind.is_symlink() {
            builder.append_link(&mut header, name, "elsewhere").expect("memory takes all");
        } else {
            builder.append_data(&mut header, name, content).expect("memory takes all");
        }
    };
    add("./logs/", tar::EntryType::Directory, b"");
    add("./logs/audit.log", tar::EntryType::Regular, &log);
    add("./logs/.audit.log.swp", tar::EntryType::Regular, &log);
    add("./logs/node-audit.log.lock", tar::EntryType::Regular, b"");
    add("./logs/latest.log", tar::EntryType::Symlink, b"");
    add("./logs/holes.log", tar::EntryType::GNUSparse, &log);
    let archive = put(&folder, "a.tar", &builder.into_inner().expect("memory takes all"));
    let output = auditq(&["summary", "--by", "file", "-o", "csv", &archive], b"");
    assert_eq!(output.code, Some(3));
    let files: Vec<_> = output.text().lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(files, [format!("{archive}:logs/audit.log")]);
    let told = [
        format!("note: {archive}:logs/node-audit.log.lock left out: a marker of the API server, not a log\n"),
        format!("note: {archive}:logs/latest.log left out: a link; what it points to"),
        format!("auditq: {archive}:logs/holes.log: a sparse file is not read\n"),
    ];
    for line in told {
        assert!(output.stderr.contains(&line), "{line}{}", output.stderr);
    }
    assert!(!output.stderr.contains("swp"), "{}", output.stderr);
    // A zip archive may be encrypted.
    let mut locked =
        zip(&vec![("a.log".to_owned(), log.clone()), ("b.log".to_owned(), testdata("json/cluster.log"))], true);
    let at = locked.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("a directory");
    locked[at + 8] |= 1;
    let (events, code, said) = read(&put(&folder, "locked.zip", &locked), b"");
    assert_eq!((events > 100, code), (true, Some(3)), "{said}");
    assert!(said.contains("locked.zip:a.log: encrypted\n"), "{said}");
}

#[test]
fn archives_inside_archives() {
    let log = testdata("json/cluster.log");
    let (all, _, _) = read("testdata/json/cluster.log", b"");
    let inner: Files = vec![("deep/audit.log".to_owned(), log)];
    let nested = |name: &str, content: Vec<u8>| -> Files { vec![(name.to_owned(), content)] };
    let folder = scratch("archives-nested");
    for (name, content) in [
        ("tar-in-zip.zip", zip(&nested("a.tar", tar(&inner)), true)),
        ("tar-in-stored-zip.zip", zip(&nested("a.tar", tar(&inner)), false)),
        ("tgz-in-tar.tar", tar(&nested("a.tar.gz", gzip(&tar(&inner))))),
        ("tar-in-tgz.tgz", gzip(&tar(&nested("a.tar", tar(&inner))))),
    ] {
        let (events, code, said) = read(&put(&folder, name, &content), b"");
        assert_eq!((events, code), (all, Some(0)), "{name}: {said}");
    }
    let (events, code, said) = read("-", &gzip(&tar(&nested("a.tar", tar(&inner)))));
    assert_eq!((events, code), (all, Some(0)), "{said}");
    let zipped = tar(&[nested("a.zip", zip(&inner, true)), inner].concat());
    let (events, code, said) = read(&put(&folder, "zip-in-tar.tar", &zipped), b"");
    assert_eq!((events, code), (all, Some(3)), "{said}");
    assert!(said.contains("zip-in-tar.tar:a.zip: a zip archive inside another archive"), "{said}");
}

#[test]
fn copies_are_read_once_wherever_they_are() {
    let folder = scratch("archives-copies");
    let log = testdata("json/cluster.log");
    put(&folder, "cp1/audit-2026-03-09T09-00-00.000.log", &log);
    put(&folder, "saved/again.gz", &gzip(&log));
    put(&folder, "saved/logs.tar.gz", &gzip(&tar(&vec![("x/audit.log".to_owned(), log.clone())])));
    // Another end is another log.
    let other = [&log[..], &testdata("json/v1beta1.log")[..]].concat();
    put(&folder, "saved/longer.log", &other);
    let path = folder.to_str().expect("a path in UTF-8");
    let output = auditq(&["summary", "--by", "file", "-o", "csv", path], b"");
    let files: Vec<_> = output.text().lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    let original = format!("{path}/cp1/audit-2026-03-09T09-00-00.000.log");
    assert_eq!(files, [original.clone(), format!("{path}/saved/longer.log")]);
    for copy in ["saved/again.gz", "saved/logs.tar.gz:x/audit.log"] {
        let note = format!("auditq: note: {path}/{copy} left out: the same as {original}\n");
        assert!(output.stderr.contains(&note), "{}", output.stderr);
    }
}

#[test]
fn paths_tell_the_host() {
    let lines: Vec<Vec<u8>> =
        testdata("json/cluster.log").split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let part = |at: usize| lines[at * 20..(at + 1) * 20].concat();
    let gathered: Files = vec![
        ("must-gather/audit_logs/kube-apiserver/m-0-audit.log.gz".to_owned(), gzip(&part(0))),
        ("must-gather/audit_logs/kube-apiserver/m-0-audit-2026-03-09T08-02-34.423.log.gz".to_owned(), gzip(&part(1))),
        ("must-gather/audit_logs/openshift-apiserver/m-1-audit.log".to_owned(), part(2)),
    ];
    let each: Files = vec![("cp1/log/audit.log".to_owned(), part(3)), ("cp2/log/audit.log".to_owned(), part(4))];
    let folder = scratch("archives-hosts");
    for (name, content) in [("gathered.tar", tar(&gathered)), ("each.zip", zip(&each, true))] {
        put(&folder, name, &content);
    }
    let hosts = |name: &str| -> Vec<String> {
        let path = folder.join(name);
        let output = auditq(&["summary", "--by", "host", "-o", "csv", path.to_str().expect("a path in UTF-8")], b"");
        let mut hosts: Vec<String> =
            output.text().lines().skip(1).filter_map(|line| line.split(',').next()).map(str::to_owned).collect();
        hosts.sort();
        hosts
    };
    assert_eq!(hosts("gathered.tar"), ["m-0", "m-1"]);
    assert_eq!(hosts("each.zip"), ["cp1", "cp2"]);
}
