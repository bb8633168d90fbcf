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

/// What an export of CloudWatch leaves where it writes.
const PROBE: &str = "aws-logs-write-test";

impl Skip {
    /// Whether the file with this path inside a tree or archive is left out.
    pub(super) fn of(path: &str) -> Option<Skip> {
        let mut parts = path.split('/').filter(|part| !matches!(*part, "" | "." | ".."));
        if parts.any(|part| part.starts_with('.')) {
            return Some(Skip::Hidden);
        }
        if MARKERS.iter().any(|ending| path.ends_with(ending)) {
            return Some(Skip::Because("a marker of the API server, not a log"));
        }
        let is_probe = path.rsplit('/').next() == Some(PROBE);
        is_probe.then_some(Skip::Because("written by CloudWatch to see whether it may write"))
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
        for path in ["a/master-0-audit.log.lock", "master-0.terminating", "export/aws-logs-write-test"] {
            assert!(matches!(Skip::of(path), Some(Skip::Because(_))), "{path}");
        }
    }
}
