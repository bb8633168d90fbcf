//! Which files of a tree or archive are no logs, by their names.

/// Why a file is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Skip {
    /// It is hidden, which needs no words.
    Hidden,
    /// For this reason.
    Because(&'static str),
}

/// Endings of files that an OpenShift API server keeps beside its logs.
const MARKERS: [&str; 2] = [".terminating", ".lock"];

impl Skip {
    /// Whether the file with this path inside a tree or archive is left out.
    pub(super) fn of(path: &str) -> Option<Skip> {
        let mut parts = path.split('/').filter(|part| !matches!(*part, "" | "." | ".."));
        if parts.any(|part| part.starts_with('.')) {
            return Some(Skip::Hidden);
        }
        let is_marker = MARKERS.iter().any(|ending| path.ends_with(ending));
        is_marker.then_some(Skip::Because("a marker of the API server, not a log"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_and_markers() {
        for path in ["audit.log", "./a/b/audit.log", "../audit.log", "a/locks.log"] {
            assert_eq!(Skip::of(path), None, "{path}");
        }
        for path in [".terminating", "a/.git/x.log", "__MACOSX/._audit.log"] {
            assert_eq!(Skip::of(path), Some(Skip::Hidden), "{path}");
        }
        for path in ["a/master-0-audit.log.lock", "master-0.terminating"] {
            assert!(matches!(Skip::of(path), Some(Skip::Because(_))), "{path}");
        }
    }
}
