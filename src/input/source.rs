//! Finds the inputs and puts them in order.
//!
//! Directories are walked; files of one log come oldest first, whatever order they were named in,
//! because a request may begin in one file and end in the next. A compressed file beside the file
//! it was made from is read once.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::decompress;
use super::rotation::{RotationKey, without_compression};

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is called in answers: the path as given or found, `-` for standard input.
    pub name: String,
    /// Where it is; none for standard input.
    pub path: Option<PathBuf>,
    /// Whether its last line may still be being written.
    pub live: bool,
    /// The host whose log it is, as far as its path tells.
    pub host: Option<String>,
}

impl Source {
    /// Whether it can be read a second time: files can, pipes and standard input cannot.
    pub fn is_rereadable(&self) -> bool {
        self.path.as_ref().is_some_and(|path| fs::metadata(path).is_ok_and(|data| data.is_file()))
    }
}

/// The inputs of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// In reading order.
    pub sources: Vec<Source>,
    /// What could not even be looked at: path and reason.
    pub unreadable: Vec<(String, String)>,
    /// Files left out because another file has the same content: path and reason.
    pub skipped: Vec<(String, String)>,
}

/// Finds the inputs that `arguments` name; none of them means standard input.
pub fn discover(arguments: &[PathBuf]) -> Discovery {
    let mut found = Discovery::default();
    let mut walk = Walk::default();
    for argument in arguments {
        if argument.as_os_str() == "-" {
            walk.entries.push(Entry { path: None, directory: walk.entries.len(), key: RotationKey::of("-") });
        } else {
            walk.argument(argument, &mut found);
        }
    }
    if arguments.is_empty() {
        walk.entries.push(Entry { path: None, directory: 0, key: RotationKey::of("-") });
    }
    walk.drop_twins(&mut found);
    walk.order();
    found.sources = walk.entries.into_iter().map(Entry::into_source).collect();
    found
}

#[derive(Debug)]
struct Entry {
    path: Option<PathBuf>,
    /// Index of the directory, in order of first appearance.
    directory: usize,
    key: RotationKey,
}

impl Entry {
    fn into_source(self) -> Source {
        let Some(path) = self.path else {
            return Source { name: "-".to_owned(), path: None, live: true, host: None };
        };
        let name = path.to_string_lossy().into_owned();
        let plain = path.file_name().is_none_or(|file| {
            let file = file.to_string_lossy();
            without_compression(&file).len() == file.len()
        });
        Source { live: self.key.is_live() && plain, host: host_of(&path), name, path: Some(path) }
    }
}

#[derive(Default)]
struct Walk {
    entries: Vec<Entry>,
    directories: Vec<PathBuf>,
    seen: HashSet<PathBuf>,
}

impl Walk {
    fn argument(&mut self, path: &Path, found: &mut Discovery) {
        match fs::metadata(path) {
            Ok(data) if data.is_dir() => self.directory(path, found),
            Ok(_) => self.file(path, found),
            Err(error) => found.unreadable.push((path.to_string_lossy().into_owned(), plain_reason(&error))),
        }
    }

    fn directory(&mut self, path: &Path, found: &mut Discovery) {
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
                for path in paths.iter().filter(|path| !is_hidden(path)) {
                    self.argument(path, found);
                }
            }
            Err(error) => found.unreadable.push((path.to_string_lossy().into_owned(), plain_reason(&error))),
        }
    }

    fn file(&mut self, path: &Path, found: &mut Discovery) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if real.is_file() && !self.seen.insert(real) {
            found.skipped.push((path.to_string_lossy().into_owned(), "named twice".to_owned()));
            return;
        }
        let parent = path.parent().unwrap_or(Path::new("")).to_owned();
        let known = self.directories.iter().position(|directory| *directory == parent);
        let directory = known.unwrap_or_else(|| {
            self.directories.push(parent);
            self.directories.len() - 1
        });
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.entries.push(Entry { path: Some(path.to_owned()), directory, key: RotationKey::of(&name) });
    }

    /// Leaves out a compressed file whose uncompressed twin is there too and begins alike.
    fn drop_twins(&mut self, found: &mut Discovery) {
        let paths: HashSet<PathBuf> = self.entries.iter().filter_map(|entry| entry.path.clone()).collect();
        self.entries.retain(|entry| {
            let Some(path) = &entry.path else { return true };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let plain = without_compression(&name);
            let twin = path.with_file_name(plain);
            if plain.len() == name.len() || !paths.contains(&twin) || !begin_alike(path, &twin) {
                return true;
            }
            let reason = format!("the same as {}", twin.to_string_lossy());
            found.skipped.push((path.to_string_lossy().into_owned(), reason));
            false
        });
    }

    /// Files of one log oldest first, at the place where the log first appeared.
    fn order(&mut self) {
        let mut families: Vec<(usize, String)> = Vec::new();
        let mut rank = |entry: &Entry| {
            let family = (entry.directory, entry.key.family.clone());
            let known = families.iter().position(|other| *other == family);
            known.unwrap_or_else(|| {
                families.push(family);
                families.len() - 1
            })
        };
        let mut ranked: Vec<(usize, Entry)> =
            std::mem::take(&mut self.entries).into_iter().map(|entry| (rank(&entry), entry)).collect();
        ranked.sort_by(|(a, x), (b, y)| (a, &x.key, &x.path).cmp(&(b, &y.key, &y.path)));
        self.entries = ranked.into_iter().map(|(_, entry)| entry).collect();
    }
}

/// Whether a compressed file's content begins as its twin does: then it is a copy of it, perhaps an
/// interrupted one. A log that was rotated in place has another beginning and must be read.
fn begin_alike(compressed: &Path, plain: &Path) -> bool {
    const PROBE: usize = 64 * 1024;
    let head = |path: &Path| -> Option<Vec<u8>> {
        let (reader, _) = decompress::open(fs::File::open(path).ok()?).ok()?;
        let mut head = Vec::new();
        // A cut-off stream still gives what was decoded before the error.
        let _ = reader.take(PROBE as u64).read_to_end(&mut head);
        Some(head)
    };
    let (Some(mine), Some(theirs)) = (head(compressed), head(plain)) else { return false };
    let length = mine.len().min(theirs.len());
    mine[..length] == theirs[..length]
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// The node in a must-gather's file name: `<node>-audit.log.gz`, `<node>-audit-<stamp>.log.gz`.
pub(super) fn host_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    let key = RotationKey::of(&name);
    let host = key.family.strip_suffix("-audit.log")?;
    (!host.is_empty()).then(|| host.to_owned())
}

/// An I/O error in words, without the number.
pub(crate) fn plain_reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
