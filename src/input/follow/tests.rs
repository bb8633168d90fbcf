//! Rotations in every way and order, looked at at any moment: nothing is lost, nothing comes twice.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A folder with a log in it, its writer, and whoever follows.
struct Scene {
    folder: PathBuf,
    log: PathBuf,
    file: File,
    /// Where the writer writes next; an emptied file gets a hole before it.
    at: u64,
    written: u32,
    stamp: u32,
    follow: Follow,
    buffers: Buffers,
    seen: Vec<u8>,
}

/// Enough for what is only done after several looks.
const LOOKS: u32 = 8;

impl Scene {
    fn new(follows_folder: bool) -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("auditq-follow-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let log = folder.join("audit.log");
        let file = File::create(&log).expect("a log");
        let named = if follows_folder { folder.clone() } else { log.clone() };
        let follow = Follow::start(&[named], &Arc::default());
        Scene { folder, log, file, at: 0, written: 0, stamp: 0, follow, buffers: Buffers::default(), seen: Vec::new() }
    }

    fn look(&mut self) {
        for _ in 0..LOOKS {
            while let Some(chunk) = self.follow.next(&mut self.buffers, 4096) {
                self.seen.extend_from_slice(chunk.chunk.region(&self.buffers.chunk).bytes);
            }
        }
    }

    fn line(number: u32) -> String {
        format!("{{\"kind\":\"Event\",\"auditID\":\"{number:08}\",\"rest\":\"{}\"}}\n", "x".repeat(600))
    }

    fn put(&mut self, bytes: &[u8]) {
        self.file.write_all_at(bytes, self.at).expect("the disk takes it");
        self.at += bytes.len() as u64;
    }

    fn write(&mut self, lines: u32) {
        for number in self.written..self.written + lines {
            self.put(Scene::line(number).as_bytes());
        }
        self.written += lines;
    }

    /// As the API server does it.
    fn rename(&mut self) -> PathBuf {
        self.stamp += 1;
        let (second, milli) = (self.stamp / 1000, self.stamp % 1000);
        let rotated = self.folder.join(format!("audit-2026-01-01T00-00-{second:02}.{milli:03}.log"));
        fs::rename(&self.log, &rotated).expect("the log is there");
        self.create();
        rotated
    }

    fn create(&mut self) {
        self.file = File::create(&self.log).expect("a log");
        self.at = 0;
    }

    fn compress(path: &Path) {
        let text = fs::read(path).expect("the file is there");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&text).expect("memory takes all");
        let packed = PathBuf::from(format!("{}.gz", path.display()));
        fs::write(packed, encoder.finish().expect("memory takes all")).expect("the disk takes it");
        fs::remove_file(path).expect("the file is there");
    }

    /// As logrotate's copytruncate does it; `holes` if the writer goes on at its old place.
    fn copy_and_empty(&mut self, kept: u32, holes: bool) {
        let number = |n: u32| self.folder.join(format!("audit.log.{n}"));
        for n in (1..kept).rev() {
            let _ = fs::rename(number(n), number(n + 1));
        }
        fs::copy(&self.log, number(1)).expect("the log is there");
        OpenOptions::new().write(true).truncate(true).open(&self.log).expect("the log is there");
        if !holes {
            self.at = 0;
        }
    }

    /// Everything that was written has come, once and in order.
    fn check(mut self) {
        self.look();
        let text: String = String::from_utf8(self.seen).expect("text").replace('\0', "");
        let numbers: Vec<u32> = text
            .lines()
            .map(|line| line.get(27..35).and_then(|number| number.parse().ok()).expect("a number"))
            .collect();
        let wrong = numbers.iter().zip(0..).find(|(number, expected)| **number != *expected);
        assert_eq!((wrong, numbers.len() as u32), (None, self.written));
        fs::remove_dir_all(&self.folder).expect("the folder is there");
    }
}

#[test]
fn renamed_often_between_two_looks() {
    for follows_folder in [false, true] {
        let mut scene = Scene::new(follows_folder);
        scene.write(5);
        scene.look();
        for round in 0..12 {
            scene.write(3);
            let rotated = scene.rename();
            if round % 3 == 0 {
                Scene::compress(&rotated);
            }
        }
        scene.write(1);
        scene.check();
    }
}

#[test]
fn copied_and_emptied_often_between_two_looks() {
    for holes in [false, true] {
        let mut scene = Scene::new(true);
        scene.write(5);
        scene.look();
        for round in 0..12 {
            scene.write(3 + round % 4);
            scene.copy_and_empty(20, holes);
        }
        scene.write(100);
        scene.check();
    }
}

#[test]
fn a_copy_that_was_compressed_is_read_on() {
    let mut scene = Scene::new(false);
    scene.write(5);
    scene.look();
    scene.write(5);
    scene.copy_and_empty(2, false);
    Scene::compress(&scene.folder.join("audit.log.1"));
    scene.write(200);
    scene.check();
}

#[test]
fn a_file_emptied_without_a_copy_is_read_from_its_beginning() {
    let mut scene = Scene::new(false);
    scene.write(3);
    scene.look();
    File::create(&scene.log).expect("the log is there");
    scene.at = 0;
    scene.write(1);
    scene.look();
    assert_eq!(scene.follow.notes().len(), 1, "nobody knows whether something was lost");
    scene.check();
}

#[test]
fn deleted_and_made_again() {
    let mut scene = Scene::new(false);
    scene.write(3);
    scene.look();
    scene.write(2);
    fs::remove_file(&scene.log).expect("the log is there");
    scene.look();
    scene.create();
    scene.write(2);
    scene.check();
}

#[test]
fn a_writer_that_does_not_notice_the_renaming_is_followed() {
    let mut scene = Scene::new(false);
    scene.write(2);
    scene.look();
    fs::rename(&scene.log, scene.folder.join("audit.log.1")).expect("the log is there");
    let _empty = File::create(&scene.log).expect("a log");
    scene.look();
    scene.write(3);
    scene.check();
}

#[test]
fn a_file_that_appears_later_is_waited_for() {
    let mut scene = Scene::new(false);
    fs::remove_file(&scene.log).expect("the log is there");
    scene.follow = Follow::start(std::slice::from_ref(&scene.log), &Arc::default());
    scene.look();
    assert_eq!(scene.follow.notes().len(), 1);
    scene.create();
    scene.write(2);
    let rotated = scene.rename();
    Scene::compress(&rotated);
    scene.write(2);
    scene.check();
}

#[test]
fn of_a_folder_all_is_read_and_of_a_file_only_itself() {
    let mut scene = Scene::new(true);
    scene.write(4);
    scene.rename();
    scene.write(4);
    let rotated = scene.rename();
    Scene::compress(&rotated);
    scene.write(2);
    scene.follow = Follow::start(std::slice::from_ref(&scene.folder), &Arc::default());
    let mut other = Follow::start(std::slice::from_ref(&scene.log), &Arc::default());
    let mut length = 0;
    while let Some(chunk) = other.next(&mut scene.buffers, 4096) {
        length += chunk.chunk.length;
    }
    assert_eq!(length, 2 * Scene::line(0).len());
    scene.check();
}

#[test]
fn a_new_log_in_a_folder_is_followed_and_its_rotation_is_not_another_one() {
    let mut scene = Scene::new(true);
    scene.look();
    let other = scene.folder.join("other.log");
    fs::write(&other, Scene::line(0)).expect("the disk takes it");
    scene.look();
    fs::rename(&other, scene.folder.join("other.log.1")).expect("the log is there");
    fs::write(&other, Scene::line(1)).expect("the disk takes it");
    scene.look();
    scene.written = 2;
    scene.check();
}

#[test]
fn half_a_line_is_one_line_when_the_rest_has_come() {
    let mut scene = Scene::new(false);
    let line = Scene::line(0);
    let (first, second) = line.as_bytes().split_at(300);
    scene.put(first);
    scene.look();
    assert!(scene.seen.is_empty());
    scene.put(second);
    scene.written = 1;
    scene.look();
    scene.write(3);
    scene.check();
}

/// A long record that arrives in pieces is not looked at for every one of them, and still comes whole.
#[test]
fn a_line_of_megabytes_comes_whole() {
    let mut scene = Scene::new(false);
    scene.put(b"{\"kind\":\"Event\",\"auditID\":\"00000000\",\"rest\":\"");
    for _ in 0..40 {
        scene.put(&[b'x'; 100_000]);
        scene.look();
    }
    scene.put(b"\"}\n");
    scene.written = 1;
    scene.write(1);
    scene.check();
}

/// Small numbers that look like chance, the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(limit)) as u32
    }
}

#[test]
fn renaming_at_any_moment_loses_nothing() {
    for seed in 0..12 {
        let mut chance = Chance(seed);
        let mut scene = Scene::new(seed % 2 == 0);
        let mut rotated = Vec::new();
        for _ in 0..80 {
            match chance.below(6) {
                0 | 1 => scene.write(chance.below(20)),
                2 => scene.look(),
                3 => rotated.push(scene.rename()),
                4 if !rotated.is_empty() => Scene::compress(&rotated.remove(0)),
                _ => drop(scene.follow.next(&mut scene.buffers, 700).map(|chunk| {
                    scene.seen.extend_from_slice(chunk.chunk.region(&scene.buffers.chunk).bytes);
                })),
            }
        }
        scene.check();
    }
}

#[test]
fn copying_and_emptying_at_any_moment_loses_nothing() {
    for seed in 0..12 {
        let mut chance = Chance(seed);
        let mut scene = Scene::new(seed % 2 == 0);
        for _ in 0..80 {
            match chance.below(6) {
                0 | 1 => scene.write(1 + chance.below(20)),
                2 => scene.look(),
                3 => scene.copy_and_empty(100, seed % 3 == 0),
                _ => drop(scene.follow.next(&mut scene.buffers, 700).map(|chunk| {
                    scene.seen.extend_from_slice(chunk.chunk.region(&scene.buffers.chunk).bytes);
                })),
            }
        }
        scene.check();
    }
}
