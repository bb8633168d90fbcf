//! What is wrong with a filter value, and where.

use std::fmt;

/// A filter value that cannot be understood. Found before any file is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// The flag as typed, `--code`.
    pub flag: String,
    /// The value of that one use of the flag, as typed.
    pub value: String,
    /// The byte in `value` where the fault is.
    pub at: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl QueryError {
    /// An error at byte `at` of a flag's value.
    pub fn new(flag: &str, value: &str, at: usize, message: impl Into<String>) -> Self {
        QueryError { flag: flag.to_owned(), value: value.to_owned(), at, message: message.into(), help: None }
    }

    /// The same error with a line that says what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Three or four lines: the fault, the flag with its value, a caret under the place, the help.
impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.value.char_indices().take_while(|(at, _)| *at < self.at).count();
        let indent = self.flag.chars().count() + 1 + before;
        write!(f, "{}: {}\n  {} {}\n  {:indent$}^", self.flag, self.message, self.flag, self.value, "")?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for QueryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_fault() {
        let error = QueryError::new("--code", "403,4y", 4, "`4y` is not a status code").with_help("write 403");
        let expected = "--code: `4y` is not a status code\n  --code 403,4y\n             ^\n  help: write 403";
        assert_eq!(error.to_string(), expected);
    }
}
