//! What the exit status says.

use std::process::ExitCode;

/// The outcome of a run, by its exit status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// 0: answered from complete evidence.
    Complete,
    /// 1: a yes/no question was answered no.
    No,
    /// 2: wrong usage, or nothing could be read.
    Usage,
    /// 3: answered, but some input could not be read, or reading was interrupted.
    Incomplete,
}

impl Exit {
    /// The status.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Complete => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_a_contract() {
        let all = [Exit::Complete, Exit::No, Exit::Usage, Exit::Incomplete];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3]);
    }
}
