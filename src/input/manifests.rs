//! Finds and reads manifests: files as named, and `*.yaml`, `*.yml` and `*.json` below directories.

use std::fs;
use std::path::{Path, PathBuf};

use super::source::plain_reason;

/// The text of every manifest file that `paths` name, with its path, in order of names.
///
/// # Errors
/// Tells which file or directory cannot be read, and why.
pub fn read(paths: &[PathBuf]) -> Result<Vec<(String, String)>, String> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() { walk(path, &mut files)? } else { files.push(path.clone()) }
    }
    files.dedup();
    files.into_iter().map(|path| Ok((path.display().to_string(), text(&path)?))).collect()
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {}", path.display(), plain_reason(error))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries: Vec<PathBuf> =
        entries.map_err(|error| failed(folder, &error))?.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let manifest = path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
        if path.is_dir() && !path.is_symlink() {
            walk(&path, files)?;
        } else if manifest && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}
