//! Finds the inputs and puts them in order.
//!
//! Directories are walked, and so are archives; files of one log come oldest first, whatever order
//! they were named in, because a request may begin in one file and end in the next. What is there
//! twice is read once.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::archive::{self, Listing, Member};
use super::copies::{RAW_HEAD, begin_alike, head_of, tell_apart};
use super::origin;
use super::rotation::{RotationKey, without_compression};
use super::section::Section;
use super::skip::Skip;
use super::source::{Discovery, Inside, Source, plain_reason};

/// Finds the inputs that `arguments` name; none of them means standard input.
pub fn discover(arguments: &[PathBuf]) -> Discovery {
    let mut walk = Walk::default();
    for argument in arguments {
        if argument.as_os_str() == "-" {
            walk.standard_input();
        } else {
            walk.argument(argument);
        }
    }
    if arguments.is_empty() {
        walk.standard_input();
    }
    walk.drop_twins();
    walk.order();
    walk.finish()
}

struct Entry {
    source: Source,
    /// The file's name.
    file: String,
    /// Its path; archives stand in it as directories.
    trail: String,
    /// Index of the directory, in order of first appearance.
    directory: usize,
    key: RotationKey,
    /// How its content begins, if it was looked at already.
    head: Option<u64>,
}

#[derive(Default)]
struct Walk {
    found: Discovery,
    entries: Vec<Entry>,
    directories: HashMap<String, usize>,
    seen: HashSet<PathBuf>,
}

impl Walk {
    fn standard_input(&mut self) {
        let source =
            Source { name: "-".to_owned(), path: None, inside: Inside::Whole, live: true, origin: Default::default() };
        // No two of them are of one log.
        let directory = self.directory_of(&format!("-{}", self.entries.len()));
        let (file, trail) = ("-".to_owned(), "-".to_owned());
        self.entries.push(Entry { source, file, trail, directory, key: RotationKey::of("-"), head: None });
    }

    fn argument(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(data) if data.is_dir() => self.directory(path),
            Ok(_) => self.file(path),
            Err(error) => self.unreadable(path, plain_reason(&error)),
        }
    }

    fn unreadable(&mut self, path: &Path, reason: String) {
        self.found.unreadable.push((path.to_string_lossy().into_owned(), reason));
    }

    fn directory(&mut self, path: &Path) {
        // A link that leads back up would be walked for ever.
        if let Ok(real) = path.canonicalize()
            && !self.seen.insert(real)
        {
            return;
        }
        let entries = fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        match entries {
            Ok(entries) => {
                let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
                paths.sort();
                for path in &paths {
                    self.below(path);
                }
            }
            Err(error) => self.unreadable(path, plain_reason(&error)),
        }
    }

    /// What was found in a directory, unless it is no log by its name.
    fn below(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match Skip::of(&name) {
            None => self.argument(path),
            Some(Skip::Hidden) => {}
            Some(Skip::Because(why)) => {
                self.found.skipped.push((path.to_string_lossy().into_owned(), why.to_owned()));
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let is_file = real.is_file();
        if is_file && !self.seen.insert(real) {
            self.found.skipped.push((path.to_string_lossy().into_owned(), "named twice".to_owned()));
            return;
        }
        if is_file && let Some(listing) = archive::list(path) {
            return self.archive(path, listing);
        }
        let trail = path.to_string_lossy().into_owned();
        self.add(path, trail.clone(), trail, Inside::Whole, None);
    }

    fn archive(&mut self, path: &Path, listing: Listing) {
        let archive = path.to_string_lossy();
        let inner = |name: &str| name.trim_start_matches("./").to_owned();
        let named = |(name, reason): (String, String)| (format!("{archive}:{}", inner(&name)), reason);
        for Member { name, inside, head } in listing.members {
            let name = inner(&name);
            self.add(path, format!("{archive}:{name}"), format!("{archive}/{name}"), inside, head);
        }
        self.found.unreadable.extend(listing.unreadable.into_iter().map(named));
        self.found.skipped.extend(listing.skipped.into_iter().map(named));
        if let Some(link) = listing.first_link {
            let more = if listing.links > 1 { format!(" (one of {})", listing.links) } else { String::new() };
            self.found.skipped.push(named((link, format!("a link{more}; what it points to is read where it is"))));
        }
        self.found.unreadable.extend(listing.failure.map(|reason| (archive.into_owned(), reason)));
    }

    fn add(&mut self, path: &Path, name: String, trail: String, inside: Inside, head: Option<u64>) {
        let (parent, file) = trail.rsplit_once('/').unwrap_or(("", &trail));
        let (file, directory) = (file.to_owned(), self.directory_of(parent));
        let key = RotationKey::of(&file);
        let live = key.is_live() && without_compression(&file).len() == file.len();
        let source = Source { name, path: Some(path.to_owned()), inside, live, origin: Default::default() };
        self.entries.push(Entry { source, file, trail, directory, key, head });
    }

    fn directory_of(&mut self, path: &str) -> usize {
        let next = self.directories.len();
        *self.directories.entry(path.to_owned()).or_insert(next)
    }

    /// Leaves out a compressed file whose uncompressed twin is there too and begins alike.
    fn drop_twins(&mut self) {
        let by_name: HashMap<(usize, String), Source> =
            self.entries.iter().map(|entry| ((entry.directory, entry.file.clone()), entry.source.clone())).collect();
        let skipped = &mut self.found.skipped;
        self.entries.retain(|entry| {
            let plain = without_compression(&entry.file);
            if plain.len() == entry.file.len() {
                return true;
            }
            let twin = by_name.get(&(entry.directory, plain.to_owned()));
            let Some(twin) = twin.filter(|twin| begin_alike(&entry.source, twin)) else { return true };
            skipped.push((entry.source.name.clone(), format!("the same as {}", twin.name)));
            false
        });
    }

    /// Files of one log oldest first, at the place where the log first appeared.
    fn order(&mut self) {
        let mut families: HashMap<(usize, String), usize> = HashMap::new();
        let mut rank = |entry: &Entry| {
            let next = families.len();
            *families.entry((entry.directory, entry.key.family.clone())).or_insert(next)
        };
        let mut ranked: Vec<(usize, Entry)> =
            std::mem::take(&mut self.entries).into_iter().map(|entry| (rank(&entry), entry)).collect();
        ranked.sort_by(|(a, x), (b, y)| (a, &x.key, &x.trail).cmp(&(b, &y.key, &y.trail)));
        self.entries = ranked.into_iter().map(|(_, entry)| entry).collect();
    }

    /// Tells whose logs they are, and leaves out copies.
    fn finish(mut self) -> Discovery {
        let trails: Vec<String> = self.entries.iter().map(|entry| entry.trail.clone()).collect();
        let origins = origin::of_all(&trails);
        let headed = self.entries.into_iter().zip(origins).map(|(entry, origin)| {
            let source = Source { origin, ..entry.source };
            let head = entry.head.or_else(|| head(&source));
            (source, head)
        });
        let (sources, copies) = tell_apart(headed.collect());
        self.found.sources = sources;
        let reason = |(name, original)| (name, format!("the same as {original}"));
        self.found.skipped.extend(copies.into_iter().map(reason));
        self.found
    }
}

/// How the content of a file or of a stretch of one begins; a pipe is not touched.
fn head(source: &Source) -> Option<u64> {
    let path = source.path.as_ref().filter(|path| path.is_file())?;
    let mut raw = vec![0; RAW_HEAD];
    let count = match &source.inside {
        Inside::Range { start, length } => {
            let wanted = raw.len().min(usize::try_from(*length).unwrap_or(RAW_HEAD));
            Section::from(File::open(path).ok()?, *start).fill_at(&mut raw[..wanted], 0).ok()?
        }
        Inside::Whole => Section::whole(File::open(path).ok()?).fill_at(&mut raw, 0).ok()?,
        Inside::Deflated(_) => {
            use std::io::Read;
            raw.clear();
            source.raw().ok()?.take(RAW_HEAD as u64).read_to_end(&mut raw).ok()?
        }
        // Known from the list, or not worth unpacking for.
        Inside::Unpacked(_) => return None,
    };
    head_of(&raw[..count])
}
