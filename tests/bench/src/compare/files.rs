//! The logs, made once and kept under names that say what they are.
//!
//! A file gets its name only when it is whole, so an interrupted run leaves nothing that a later one
//! would trust.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Fallible;
use crate::run::{Plan, Profile, run};

/// jq reads some 50 MB a second: it gets a log of this size, and its time is scaled.
pub const JQ_SIZE: u64 = 50_000_000;

/// The logs that questions are asked of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Log {
    /// JSON at Metadata level.
    Metadata,
    /// JSON at RequestResponse level.
    Rr,
    /// Two lines of text per request.
    Legacy,
}

impl Log {
    fn plan(self, size: u64) -> Plan {
        let (profile, seed) = match self {
            Log::Metadata => (Profile::Metadata, 1),
            Log::Rr => (Profile::Rr, 2),
            Log::Legacy => (Profile::Legacy, 3),
        };
        Plan { profile, size, seed, all_stages: true }
    }

    /// As in the names of files and tasks.
    pub fn name(self) -> &'static str {
        match self {
            Log::Metadata => "metadata",
            Log::Rr => "rr",
            Log::Legacy => "legacy",
        }
    }
}

/// A folder of logs of one size.
pub struct Files {
    folder: PathBuf,
    /// Bytes of each log.
    pub size: u64,
}

impl Files {
    /// Keeps logs in `folder`.
    ///
    /// # Errors
    ///
    /// When there can be no such folder.
    pub fn in_folder(folder: &Path, size: u64) -> Fallible<Files> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Files { folder: folder.to_owned(), size })
    }

    /// The log.
    ///
    /// # Errors
    ///
    /// When it cannot be written; likewise below.
    pub fn log(&self, log: Log) -> Fallible<PathBuf> {
        self.log_of(log, self.size)
    }

    /// The log for jq: the same profile and seed, but small.
    pub fn small_log(&self, log: Log) -> Fallible<PathBuf> {
        self.log_of(log, self.size.min(JQ_SIZE))
    }

    fn log_of(&self, log: Log, size: u64) -> Fallible<PathBuf> {
        let plan = log.plan(size);
        let name = format!("{}-{size}-seed{}.log", log.name(), plan.seed);
        self.once(&name, |path| run(&plan, &mut File::create(path)?).map(drop))
    }

    /// The log in one gzip file.
    pub fn gzip(&self, log: Log) -> Fallible<PathBuf> {
        let plain = self.log(log)?;
        self.once(&beside(&plain, ".gz"), |path| compress(File::open(&plain)?, path))
    }

    /// The log in four gzip files that follow each other, cut at line ends.
    pub fn gzip_quarters(&self, log: Log) -> Fallible<Vec<PathBuf>> {
        let plain = self.log(log)?;
        let cuts = quarters(&plain).map_err(|error| format!("{}: {error}", plain.display()))?;
        let quarter = |(at, ends): (usize, &[u64])| {
            self.once(&beside(&plain, &format!(".part{}.gz", at + 1)), |path| {
                let mut file = File::open(&plain)?;
                file.seek(SeekFrom::Start(ends[0]))?;
                compress(file.take(ends[1] - ends[0]), path)
            })
        };
        cuts.windows(2).enumerate().map(quarter).collect()
    }

    /// A file made from `log` by `make`, and the seconds that took when it was made.
    pub fn converted(
        &self,
        log: Log,
        ending: &str,
        make: impl Fn(&Path, &Path) -> Fallible<f64>,
    ) -> Fallible<(PathBuf, f64)> {
        let plain = self.log(log)?;
        let path = self.once(&beside(&plain, ending), |path| {
            let seconds = make(&plain, path).map_err(io::Error::other)?;
            fs::write(self.folder.join(beside(&plain, &format!("{ending}.seconds"))), seconds.to_string())
        })?;
        let told = fs::read_to_string(self.folder.join(beside(&path, ".seconds")));
        let seconds = told.ok().and_then(|text| text.parse().ok());
        Ok((path, seconds.ok_or("the time of a conversion is lost; remove the converted file")?))
    }

    fn once(&self, name: &str, make: impl Fn(&Path) -> io::Result<()>) -> Fallible<PathBuf> {
        let path = self.folder.join(name);
        if path.exists() {
            return Ok(path);
        }
        eprintln!("making {name}");
        let unfinished = self.folder.join(format!("{name}.unfinished"));
        let made = make(&unfinished).and_then(|()| fs::rename(&unfinished, &path));
        made.map(|()| path).map_err(|error| format!("{name}: {error}"))
    }
}

/// Bytes of a file.
///
/// # Errors
///
/// When it is not there.
pub fn bytes(path: &Path) -> Fallible<u64> {
    fs::metadata(path).map(|data| data.len()).map_err(|error| format!("{}: {error}", path.display()))
}

/// A stretch of one percent in the middle of a log: the stage times of the lines that follow its
/// half and 51 % of its bytes.
///
/// # Errors
///
/// When the log cannot be read or has no times there.
pub fn window(path: &Path) -> Fallible<(String, String)> {
    let size = bytes(path)?;
    let since = time_after(path, size / 2, "")?;
    let until = time_after(path, size / 2 + size / 100, &since)?;
    Ok((since, until))
}

/// The stage time of the first whole line behind `offset` that is later than `than`.
fn time_after(path: &Path, offset: u64, than: &str) -> Fallible<String> {
    const KEY: &str = "\"stageTimestamp\":\"";
    let lines = lines_behind(path, offset).map_err(|error| format!("{}: {error}", path.display()))?;
    let time = |line: String| Some(line[line.rfind(KEY)? + KEY.len()..].split('"').next()?.to_owned());
    let mut times = lines.map_while(Result::ok).filter_map(time);
    times.find(|time| time.as_str() > than).ok_or_else(|| format!("{}: no time behind {offset}", path.display()))
}

fn lines_behind(path: &Path, offset: u64) -> io::Result<io::Lines<BufReader<File>>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::new(file);
    reader.skip_until(b'\n')?;
    Ok(reader.lines())
}

/// Where four parts of about the same size begin and end.
fn quarters(path: &Path) -> io::Result<Vec<u64>> {
    let size = fs::metadata(path)?.len();
    let mut cuts = vec![0];
    for at in 1..4 {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(size / 4 * at))?;
        let rest = BufReader::new(file).skip_until(b'\n')? as u64;
        cuts.push(size / 4 * at + rest);
    }
    cuts.push(size);
    Ok(cuts)
}

fn compress(mut from: impl Read, path: &Path) -> io::Result<()> {
    let mut encoder = GzEncoder::new(BufWriter::new(File::create(path)?), Compression::new(6));
    io::copy(&mut from, &mut encoder)?;
    encoder.finish()?.flush()
}

/// The file name with more behind it.
fn beside(path: &Path, ending: &str) -> String {
    format!("{}{ending}", path.file_name().unwrap_or_default().display())
}
