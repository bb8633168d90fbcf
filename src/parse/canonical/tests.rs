//! That it reads what the general reader reads, and nothing else.

use super::*;
use crate::parse::object::{self, Object};

const LOG: &str = include_str!("../../../testdata/json/cluster.log");

/// Where this reader answers, at any level, the general one gives the same; returns whether it
/// answered.
fn agrees(line: &[u8]) -> bool {
    let arena = Bump::new();
    let read = |level| {
        let mut event = Event::empty(&[], Format::V1);
        let end = Canonical::at(level).read(line, 0, line.len(), &arena, &mut event);
        (end == Some(line.len())).then_some(event)
    };
    let mut answers = Level::available().into_iter().map(read);
    let found = answers.next().flatten();
    assert!(answers.all(|answer| answer == found), "{}", String::from_utf8_lossy(line));
    if let Some(event) = found {
        match object::read(line, 0, &arena) {
            Ok((Object::Event(general), end)) if end == line.len() && general == event => {}
            other => panic!("{other:?}\n{event:?}\n{}", String::from_utf8_lossy(line)),
        }
    }
    found.is_some()
}

#[test]
fn never_reads_behind_its_line() {
    for line in LOG.lines().filter(|line| line.contains("\"responseObject\":{")) {
        for gap in ["\n", " \n", "\r\n", "\t", " "] {
            let text = line.replace("\"responseObject\":", &format!("\"responseObject\":{gap}"));
            let mut event = Event::empty(&[], Format::V1);
            let arena = Bump::new();
            let end = Canonical::default().read(text.as_bytes(), 0, text.len(), &arena, &mut event);
            assert_eq!(end, None, "{text}");
        }
    }
}

#[test]
fn strings_end_anywhere_among_blocks() {
    let line = LOG.lines().find(|line| line.contains("\"userAgent\":\"")).expect("one that tells its client");
    let (head, rest) = line.split_once("\"userAgent\":\"").expect("it does");
    let (_, tail) = rest.split_once('"').expect("it ends");
    for length in 0..1300 {
        for end in ["", "\\\"", "\\\\", "\\u0041x"] {
            let long = format!("{head}\"userAgent\":\"{}{end}\"{tail}", "a".repeat(length));
            assert!(agrees(long.as_bytes()), "{length} {end}");
            // More text stands behind it, as it does in a log, or only what its reader may not look at.
            let text = format!("{long}\n{line}\n{line}\n{line}\n");
            let (alone, arena) = (long.len(), Bump::new());
            for level in Level::available() {
                for limit in [alone, alone + 1, text.len()] {
                    let mut event = Event::empty(&[], Format::V1);
                    let found = Canonical::at(level).read(text.as_bytes(), 0, limit, &arena, &mut event);
                    assert_eq!(found, Some(alone), "{length} {end} {limit}");
                }
                let mut event = Event::empty(&[], Format::V1);
                assert_eq!(Canonical::at(level).read(text.as_bytes(), 0, alone - 1, &arena, &mut event), None);
            }
        }
    }
}

/// Damages lines in every way bytes get damaged, and tells how many results were still canonical.
fn damage(lines: &[&[u8]], rounds: usize, seed: u64) -> usize {
    let mut state = seed;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let bytes = b"\"\\{}[],: \n0aZ\x00\xff";
    let mut answered = 0;
    for round in 0..rounds {
        let mut line = lines[round % lines.len()].to_vec();
        for _ in 0..1 + random(2) {
            let at = random(line.len());
            match random(8) {
                0 | 1 => line[at] = bytes[random(bytes.len())],
                2 => line.insert(at, bytes[random(bytes.len())]),
                3 => drop(line.remove(at)),
                4 => drop(line.drain(at..(at + random(64)).min(line.len()))),
                5 => line[at] ^= 1 << random(8),
                6 => {
                    let other = lines[random(lines.len())];
                    line.truncate(at);
                    line.extend_from_slice(&other[random(other.len())..]);
                }
                _ => {
                    let piece = line[at..(at + random(40)).min(line.len())].to_vec();
                    let place = random(line.len());
                    line.splice(place..place, piece).for_each(drop);
                }
            }
            if line.is_empty() {
                line.push(b'{');
            }
        }
        answered += usize::from(agrees(&line));
    }
    answered
}

#[test]
fn reads_every_line_a_server_wrote() {
    for line in LOG.lines() {
        assert!(agrees(line.as_bytes()), "{line}");
    }
}

#[test]
fn agrees_on_damaged_lines() {
    let lines: Vec<&[u8]> = LOG.lines().map(str::as_bytes).collect();
    let answered = damage(&lines, 20_000, 7);
    assert!(answered > 2000, "most changes inside strings leave a line the server could have written");
}

/// `AUDITQ_SOAK=FILE:ROUNDS:SEED cargo test --release --lib soak -- --ignored` with any log.
#[test]
#[ignore = "takes as long as it is told to"]
fn soak() {
    let Ok(what) = std::env::var("AUDITQ_SOAK") else { panic!("AUDITQ_SOAK=FILE:ROUNDS:SEED") };
    let mut parts = what.split(':');
    let log = std::fs::read(parts.next().unwrap()).unwrap();
    let [rounds, seed] = [(); 2].map(|()| parts.next().unwrap().parse::<usize>().unwrap());
    let lines: Vec<&[u8]> = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    assert!(damage(&lines, rounds, seed as u64) > 0, "some of them are still canonical");
}

#[test]
fn agrees_on_lines_cut_and_members_swapped() {
    for line in LOG.lines().take(12) {
        for at in 0..line.len() {
            agrees(&line.as_bytes()[..at]);
        }
        for (a, b) in [("\"verb\"", "\"stage\""), ("\"uid\"", "\"username\""), ("\"resource\"", "\"name\"")] {
            agrees(line.replace(a, "\"#\"").replace(b, a).replace("\"#\"", b).as_bytes());
        }
    }
}
