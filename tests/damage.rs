//! Damage: logs cut, flipped, joined and attacked. Nothing panics, every byte stays accounted for, and the good
//! events around the damage are still told.

mod common;

use auditq::parse::records::{Bucket, is_definite_start};
use common::library::{Reading, blocks, streamed, whole};
use common::random::Random;
use common::{auditq, files_below, gzip, put, root, scratch, shared_corpus, testdata};

/// All test logs as they lie there, compressed ones too: as plain bytes they are garbage, which is welcome here.
fn logs() -> Vec<(String, Vec<u8>)> {
    let folder = root().join("testdata");
    let mut files = files_below(&folder);
    if let Some(corpus) = shared_corpus("damage") {
        files.extend(files_below(&corpus.join("legacy")));
        files.extend(files_below(&corpus.join("envelopes")));
    }
    let name = |path: &std::path::Path| path.to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read(path).expect("a readable file"))).collect()
}

/// Every byte is in one bucket, and every event lies within the bytes.
fn sound(reading: &Reading, length: usize, what: &str) {
    assert_eq!(reading.bytes(), length as u64, "{what}: buckets add up to the input");
    for found in &reading.found {
        assert!(found.offset < length && found.bytes <= length, "{what}: an event at {} of {length}", found.offset);
    }
    let damaged = reading.evidence.bucket(Bucket::Damaged);
    let told: u64 = reading.evidence.damage.values().map(|damage| damage.count).sum();
    assert_eq!(told, damaged.records, "{what}: each damaged record has a reason");
    assert_eq!(damaged.records == 0, damaged.bytes == 0, "{what}: damage has bytes");
}

/// Offsets to damage a log at: all of a small log, evenly spread ones of a large one.
fn samples(length: usize, most: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(length.div_ceil(most).max(1))
}

/// The physical line around an offset.
fn line_around(bytes: &[u8], at: usize) -> (usize, usize) {
    let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1);
    let end = bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |feed| at + feed + 1);
    (start, end)
}

#[test]
fn cut_anywhere_the_events_before_are_still_told() {
    for (name, log) in logs() {
        let all = whole(&log);
        let most = if log.len() > 100_000 { 150 } else { 1500 };
        for cut in samples(log.len(), most) {
            let reading = whole(&log[..cut]);
            sound(&reading, cut, &format!("{name} cut at {cut}"));
            if name.contains("eventlist") {
                continue; // Items begin where their list does, which is cut open.
            }
            let (line, _) = line_around(&log, cut);
            let before: Vec<_> = all.found.iter().filter(|found| found.offset + found.bytes <= line).collect();
            let kept: Vec<_> = reading.found.iter().take(before.len()).collect();
            assert_eq!(kept, before, "{name} cut at {cut}");
        }
    }
}

#[test]
fn cut_at_the_front_the_events_behind_are_still_told() {
    for (name, log) in logs() {
        let all = whole(&log);
        let most = if log.len() > 100_000 { 50 } else { 400 };
        for cut in samples(log.len(), most) {
            let reading = whole(&log[cut..]);
            sound(&reading, log.len() - cut, &format!("{name} from {cut}"));
            let (_, line) = line_around(&log, cut);
            // What begins behind the line at hand, and is not within a value that was cut open.
            let clean = (line..log.len()).find(|&at| log[at - 1] == b'\n' && is_definite_start(&log[at..]));
            let Some(clean) = clean else { continue };
            let behind: Vec<_> = all.found.iter().filter(|found| found.offset >= clean).map(|f| &f.text).collect();
            let told: Vec<_> = reading.found.iter().map(|f| &f.text).collect();
            assert!(told.ends_with(&behind), "{name} from {cut}");
        }
    }
}

#[test]
fn a_changed_byte_harms_only_its_own_line() {
    for (name, log) in logs() {
        let all = whole(&log);
        // In logs of lines a record is a line; where a value spans lines, all of it may be lost.
        let lines = log.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let of_lines = lines.clone().count() > 1 && lines.clone().all(is_definite_start);
        let most = if log.len() > 100_000 { 40 } else { 250 };
        for at in samples(log.len(), most) {
            for new in [log[at] ^ 1, log[at] ^ 0x20, log[at] ^ 0x80, 0, b'\n', b'"', b'{', b'}', b'\\', b' ', b'['] {
                if log[at] == new {
                    continue;
                }
                let mut bad = log.clone();
                bad[at] = new;
                let what = format!("{name} with {new:#x} at {at}");
                let reading = whole(&bad);
                sound(&reading, bad.len(), &what);
                if !of_lines || log[at] == b'\n' {
                    continue;
                }
                let (start, end) = line_around(&log, at);
                let before: Vec<_> = all.found.iter().filter(|f| f.offset < start).map(|f| &f.text).collect();
                let behind: Vec<_> = all.found.iter().filter(|f| f.offset >= end).map(|f| &f.text).collect();
                let told: Vec<_> = reading.found.iter().map(|f| &f.text).collect();
                assert!(told.starts_with(&before), "{what}: events before it");
                assert!(told.ends_with(&behind), "{what}: events behind it");
            }
        }
    }
}

#[test]
fn lines_that_were_joined_are_both_told() {
    for name in
        ["json/cluster.log", "json/v1beta1.log", "legacy/1.6.log", "legacy/oneline.log", "legacy/lost-spaces.log"]
    {
        let log = testdata(name);
        let all = whole(&log);
        let feeds: Vec<usize> = (0..log.len() - 1).filter(|&at| log[at] == b'\n').collect();
        for &feed in feeds.iter().step_by(feeds.len().div_ceil(60)) {
            let mut bad = log.clone();
            bad.remove(feed);
            let what = format!("{name} without the line feed at {feed}");
            let reading = whole(&bad);
            sound(&reading, bad.len(), &what);
            assert_eq!(reading.texts(), all.texts(), "{what}");
            assert_eq!(reading.damaged(), 0, "{what}");
        }
    }
}

#[test]
fn blocks_of_nul_bytes_cost_at_most_the_line_they_stand_in() {
    for name in ["json/cluster.log", "legacy/1.6.log", "legacy/oneline.log", "envelope/prefix.log"] {
        let log = testdata(name);
        let all = whole(&log);
        for at in samples(log.len(), 60) {
            for length in [1, 7, 4096, 10_000] {
                let mut bad = log.clone();
                bad.splice(at..at, std::iter::repeat_n(0, length));
                let what = format!("{name} with {length} NUL bytes at {at}");
                let reading = whole(&bad);
                sound(&reading, bad.len(), &what);
                assert!(reading.found.len() + 1 >= all.found.len(), "{what}");
                let (line, _) = line_around(&log, at);
                if line == at {
                    assert_eq!(reading.texts(), all.texts(), "{what}: between lines nothing is lost");
                    assert_eq!(reading.damaged(), 0, "{what}: between lines nothing is damaged");
                }
            }
        }
    }
}

#[test]
fn half_an_event_before_a_whole_one_costs_only_the_half() {
    let log = testdata("json/cluster.log");
    let lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').take(6).collect();
    // Of the first byte alone nothing can be told: it is a prefix like any other.
    for cut in 2..lines[1].len() - 1 {
        let torn = [lines[0], &lines[1][..cut], lines[2], lines[3]].concat();
        let reading = whole(&torn);
        let what = format!("torn at {cut}");
        sound(&reading, torn.len(), &what);
        assert_eq!(reading.found.len(), 3, "{what}: {:?}", reading.evidence.damage);
        assert_eq!(reading.damaged(), 1, "{what}");
        // And with the tear at the end of its own line.
        let torn = [lines[0], &lines[1][..cut], b"\n", lines[2], lines[3]].concat();
        let reading = whole(&torn);
        sound(&reading, torn.len(), &what);
        assert_eq!(reading.found.len(), 3, "{what}, with a line feed");
    }
}

#[test]
fn a_damaged_value_that_spans_lines_costs_no_other() {
    let log = testdata("json/pretty.json");
    let all = whole(&log);
    assert_eq!(all.found.len(), 8);
    let third = &all.found[2];
    let closing = third.offset + log[third.offset..].windows(3).position(|w| w == b"\n}\n").expect("its end") + 1;
    for (what, bad) in [
        ("without its last brace", [&log[..closing], &log[closing + 2..]].concat()),
        ("with a brace too many inside", [&log[..third.offset + 2], b"{", &log[third.offset + 2..]].concat()),
        ("cut in its middle", [&log[..third.offset + 400], b"\n", &log[closing + 2..]].concat()),
    ] {
        let reading = whole(&bad);
        sound(&reading, bad.len(), what);
        assert_eq!(reading.found.len(), 7, "{what}: {:?}", reading.evidence);
        assert_eq!(reading.damaged(), 1, "{what}");
    }
}

#[test]
fn every_cut_into_chunks_reads_the_same() {
    let folder = scratch("damage-chunks");
    for (name, log) in logs() {
        // Damage in the middle, or the file as it is.
        for at in [None, Some(log.len() / 2)] {
            let mut bytes = log.clone();
            if let Some(at) = at.filter(|&at| at < bytes.len()) {
                bytes.splice(at..(at + 40).min(log.len()), *b"\0\0 \n{");
            }
            let all = whole(&bytes);
            sound(&all, bytes.len(), &name);
            if !matches!(auditq::input::decompress::Packing::of(&bytes), auditq::input::decompress::Packing::Plain)
                || auditq::input::decompress::is_utf16(&bytes)
            {
                continue;
            }
            let path = put(&folder, "log", &bytes);
            let sizes: &[usize] = if bytes.len() > 100_000 { &[1000, 65_536] } else { &[1, 64, 1000, 20_000] };
            for &size in sizes {
                let what = format!("{name}, damaged at {at:?}, chunks of {size}");
                assert_eq!(streamed(&bytes, false, 4096, size), all, "{what}, a stream");
                assert_eq!(streamed(&bytes, true, size.max(64), size), all, "{what}, a live stream");
                if bytes.len() < 20_000 || size > 64 {
                    assert_eq!(blocks(path.as_ref(), size as u64), all, "{what}, a file");
                }
            }
        }
    }
}

#[test]
fn garbage_without_a_line_feed_is_no_event_and_no_harm() {
    let log = testdata("json/cluster.log");
    let lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').take(4).collect();
    let mut state = 7u32;
    let garbage: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .filter(|&byte| byte != b'\n')
    .take(64 * 1024)
    .collect();
    for (what, bytes, events) in [
        ("alone", garbage.clone(), 0),
        ("at the end", [lines[0], lines[1], &garbage].concat(), 2),
        ("on a line", [lines[0], &garbage, b"\n", lines[1]].concat(), 2),
        ("in front of an event", [lines[0], &garbage, lines[1], lines[2]].concat(), 3),
    ] {
        let reading = whole(&bytes);
        sound(&reading, bytes.len(), what);
        assert_eq!(reading.found.len(), events, "{what}");
        assert_eq!(streamed(&bytes, true, 1000, 1000), reading, "{what}");
    }
}

#[test]
fn a_line_of_megabytes_is_an_event_like_any_other() {
    let log = testdata("json/cluster.log");
    let lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').take(3).collect();
    let body = "x".repeat(3 << 20);
    let close = lines[1].len() - 2;
    let long = [&lines[1][..close], b",\"requestObject\":{\"a\":\"", body.as_bytes(), b"\"}}\n"].concat();
    let bytes = [lines[0], &long, lines[2]].concat();
    let reading = whole(&bytes);
    assert_eq!((reading.found.len(), reading.damaged()), (3, 0));
    assert_eq!(reading.found[1].bytes + 1, long.len(), "all but the line feed");
    assert_eq!(streamed(&bytes, true, 65_536, 1000), reading);
    assert_eq!(streamed(&bytes, false, 65_536, 1 << 20), reading);
    let folder = scratch("damage-long");
    let path = put(&folder, "log", &bytes);
    for size in [100_000, 1 << 20] {
        assert_eq!(blocks(path.as_ref(), size), reading);
    }
}

#[test]
fn deep_nesting_is_read_or_reported_and_never_recursed_into() {
    let log = testdata("json/cluster.log");
    let lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').take(3).collect();
    let close = lines[1].len() - 2;
    for (depth, damaged) in [(2_000, 0), (200_000, 1)] {
        for (open, inner, shut) in [("[", "", "]"), ("{\"a\":", "1", "}")] {
            let body = open.repeat(depth) + inner + &shut.repeat(depth);
            let deep = [&lines[1][..close], b",\"responseObject\":", body.as_bytes(), b"}\n"].concat();
            let bytes = [lines[0], &deep, lines[2]].concat();
            let reading = whole(&bytes);
            sound(&reading, bytes.len(), "deep");
            assert_eq!(reading.damaged(), damaged, "{depth} of {open}");
            assert_eq!(reading.found.len() as u64, 3 - damaged, "{depth} of {open}");
            // Left open, the nesting may only cost its own line.
            let open = [lines[0], &deep[..close + 20 + depth], b"\n", lines[2]].concat();
            let reading = whole(&open);
            sound(&reading, open.len(), "open");
            assert_eq!(reading.found.len(), 2, "{depth} left open");
        }
    }
}

/// Inputs made to be read again and again. Each must take time in proportion to its length: a reader that goes over
/// the rest for every piece needs hours for these.
fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    let begin = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","a":"#;
    let half = r#"AUDIT: id="x" response="200" "#;
    let repeated = |piece: &str, length: usize| piece.repeat(length / piece.len()).into_bytes();
    vec![
        ("beginnings of events on one line", repeated(begin, 2 << 20)),
        ("beginnings of events in a string", format!("{{\"a\":\"{}", begin.replace('"', "\\\"").repeat(40_000)).into()),
        ("whole events on one line", repeated(&format!("{begin}1}}"), 4 << 20)),
        (
            "whole events and a tear on one line",
            [repeated(&format!("{begin}1}}"), 2 << 20), repeated(begin, 2 << 20)].concat(),
        ),
        ("open lines", repeated("{\"a\":\n", 600_000)),
        ("open lines that begin with a space", repeated(" {\"a\":\n", 2 << 20)),
        ("open braces, one a line", repeated("{\n", 2 << 20)),
        ("open braces and strings", repeated("{\n\"\n", 2 << 20)),
        ("open brackets", repeated("[", 1 << 20)),
        ("open brackets, one a line", repeated("[\n", 2 << 20)),
        ("brackets that do not match", [repeated("[\n", 1 << 20), repeated("}\n", 1 << 20)].concat()),
        ("an object left open over many lines", [b"{\n".to_vec(), repeated("  1,\n", 4 << 20)].concat()),
        ("an object left open over many halves", [b"{\n".to_vec(), repeated(" AUDIT: id=\"\n", 4 << 20)].concat()),
        (
            "an object left open over many damaged halves",
            [b"{\n".to_vec(), repeated(" AUDIT: id=\"\"\n", 4 << 20)].concat(),
        ),
        (
            "an object left open over many whole halves",
            [b"{\n".to_vec(), repeated(&format!(" {half}\n"), 4 << 20)].concat(),
        ),
        (
            "an object left open over many beginnings",
            [b"{\n".to_vec(), repeated(&format!(" {begin}\n"), 4 << 20)].concat(),
        ),
        ("halves on one line", repeated(half, 4 << 20)),
        ("halves without an id on one line", repeated("AUDIT: a=\"\" ", 4 << 20)),
        ("marks on one line", repeated("AUDIT:", 4 << 20)),
        ("marks and spaces on one line", [repeated("AUDIT:", 1 << 20), repeated(" ", 1 << 20)].concat()),
        ("marks with long keys on one line", repeated("AUDIT: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=", 4 << 20)),
        ("an open quote and marks", [b"AUDIT: id=\"".to_vec(), repeated("AUDIT: id=\\\"", 2 << 20)].concat()),
        ("objects on one line", repeated("{}", 4 << 20)),
        ("objects with text between them", repeated("{} x", 4 << 20)),
        ("empty events on one line", repeated(r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1"}"#, 4 << 20)),
        ("spanning objects, each beginning where one ends", repeated("{\n}", 4 << 20)),
        ("NUL bytes between braces", repeated("{\0\n\0", 4 << 20)),
        ("single NUL bytes", repeated("\0\n", 4 << 20)),
        ("lists in lists", repeated(r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":["#, 1 << 20)),
        ("spaces", repeated(" ", 4 << 20)),
        ("quotes", repeated("{\"\"", 4 << 20)),
        ("backslashes", [b"{\"".to_vec(), repeated("\\", 4 << 20)].concat()),
        ("numbers", [b"{\"a\":".to_vec(), repeated("1", 4 << 20)].concat()),
        ("klog braces", repeated("I0101 {\"", 4 << 20)),
        ("klog events", repeated(&format!("I0101 {begin}"), 4 << 20)),
    ]
}

#[test]
fn attacks_on_the_reader_end_and_add_up() {
    for (what, bytes) in attacks() {
        let reading = whole(&bytes);
        sound(&reading, bytes.len(), what);
    }
}

/// Reads a log by every road, and returns how many events were told, the exit status, and the messages
/// without the log's name.
fn by_every_road(folder: &std::path::Path, log: &[u8]) -> (usize, Option<i32>, String) {
    let path = put(folder, "audit.log.gz", log);
    let read = |input: &str, stdin: &[u8], how: &[&str]| {
        let output = auditq(&[&["query", "--events", "-o", "json", input], how].concat(), stdin);
        (output.text().lines().count(), output.code, output.stderr.replace(input, "LOG").replace("<stdin>", "LOG"))
    };
    let first = read(&path, b"", &["--threads", "1"]);
    for size in ["1", "100", "5000", "524288"] {
        assert_eq!(read(&path, b"", &["--threads", "3", "--chunk-size", size]), first, "chunks of {size}");
    }
    let piped = read("-", log, &[]);
    assert_eq!((piped.0, piped.1), (first.0, first.1), "{}", piped.2);
    first
}

#[test]
fn a_gzip_member_with_a_wrong_checksum_is_told_and_costs_no_other() {
    let (folder, log) = (scratch("damage-checksum"), testdata("json/cluster.log"));
    let (all, code, said) = by_every_road(&folder, &gzip(&log));
    assert_eq!((all > 300, code), (true, Some(0)), "{said}");
    let lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').collect();
    let ends = [100, 300, lines.len()];
    let members = |wrong: usize, byte: usize| {
        let mut packed: Vec<u8> = Vec::new();
        for (index, from) in [0, ends[0], ends[1]].into_iter().enumerate() {
            packed.extend(gzip(&lines[from..ends[index]].concat()));
            let end = packed.len();
            packed[end - byte] ^= u8::from(index == wrong);
        }
        packed
    };
    for wrong in 0..ends.len() {
        // The checksum, and the length behind it.
        for byte in [8, 4] {
            let (events, code, said) = by_every_road(&folder, &members(wrong, byte));
            assert_eq!((events, code), (all, Some(3)), "member {wrong}: {said}");
            let told = "1: compressed data is damaged: corrupt gzip stream does not have a matching checksum";
            assert!(said.contains(&format!("LOG:{}:{told}", lines.len() + 1)), "member {wrong}: {said}");
        }
    }
    assert_eq!(by_every_road(&folder, &members(3, 8)).1, Some(0));
    // Many short members, of which one is wrong.
    let mut packed: Vec<Vec<u8>> = lines.iter().map(|line| gzip(line)).collect();
    let end = packed[200].len();
    packed[200][end - 8] ^= 1;
    let (events, code, said) = by_every_road(&folder, &packed.concat());
    assert_eq!((events, code), (all, Some(3)), "{said}");
    assert!(said.contains("compressed data is damaged"), "{said}");
}

#[test]
fn attacks_through_a_pipe_end_and_add_up() {
    for (what, bytes) in attacks() {
        let reading = streamed(&bytes, true, 65_536, 512 * 1024);
        assert_eq!(reading.bytes(), bytes.len() as u64, "{what}");
    }
}

#[test]
fn attacks_in_a_file_end_and_add_up() {
    let folder = scratch("damage-attacks");
    for (what, bytes) in attacks() {
        let path = put(&folder, "log", &bytes);
        let reading = blocks(path.as_ref(), 512 * 1024);
        assert_eq!(reading.bytes(), bytes.len() as u64, "{what}");
    }
}

/// A short log put together from pieces that mean something to the reader.
fn patchwork(random: &mut Random) -> Vec<u8> {
    const EVENT: &str =
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a","stage":"Panic"}"#;
    const PRETTY: &str = "{\n  \"kind\": \"Event\",\n  \"apiVersion\": \"audit.k8s.io/v1\",\n  \"auditID\": \"b\",\n  \"a\": [\n    1\n  ]\n}";
    const PIECES: [&str; 46] = [
        EVENT,
        EVENT,
        PRETTY,
        PRETTY,
        "\n",
        "\n",
        "\n",
        "\r\n",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        " ",
        "\0",
        "\0\0\n\0",
        "{\n",
        "}\n",
        "[\n",
        "]\n",
        "  1,\n",
        "{\"a\":",
        "{\"items\":[",
        r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":["#,
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/"#,
        "AUDIT: id=\"x\" response=\"200\"",
        "2017-03-21T03:57:09Z AUDIT: id=\"x\" ip=\"::1\" method=\"GET\" user=\"u\" as=\"<self>\" namespace=\"n\" uri=\"/api/v1/pods\"",
        "AUDIT:",
        "AUDIT: id=\"",
        "true",
        "null",
        "fals",
        "12",
        "2017-",
        "[pod/x/y] ",
        "node-1 ",
        "---\n",
        "\u{feff}",
        "\u{1e}",
        "I0101 00:00:00.000000 1 x.go:1] Error in audit plugin 'log' affecting 3 audit events: x\n",
        "}{",
        "}, {",
        "\t",
    ];
    let count = 1 + random.below(24);
    let mut log = Vec::new();
    for _ in 0..count {
        let piece = random.of(&PIECES);
        let piece = if random.below(8) == 0 {
            piece.split_at(piece.floor_char_boundary(random.below(piece.len()))).0
        } else {
            piece
        };
        log.extend_from_slice(piece.as_bytes());
        if random.below(3) == 0 {
            log.push(b'\n');
        }
    }
    log
}

#[test]
fn patchwork_reads_the_same_in_pieces() {
    let folder = scratch("damage-patchwork");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..50_000 {
        let log = patchwork(&mut random);
        let what = || format!("round {round}: {:?}", String::from_utf8_lossy(&log));
        let all = whole(&log);
        sound(&all, log.len(), &what());
        let (step, size) = (1 + random.below(40), 1 + random.below(60));
        for live in [true, false] {
            let pieces = streamed(&log, live, step, size);
            assert!(pieces == all, "{}\nlive {live}, steps of {step}, chunks of {size}\n{pieces:?}\n{all:?}", what());
        }
        if round % 20 == 0 && !auditq::input::decompress::is_utf16(&log) {
            let path = put(&folder, "log", &log);
            let pieces = blocks(path.as_ref(), size as u64);
            assert!(pieces == all, "{}\nblocks of {size}\n{pieces:?}\n{all:?}", what());
        }
    }
}
