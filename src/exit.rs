//! How a run ends, as an exit code, and how two results combine.

use std::process::ExitCode;

/// The end of a run. The order is the order of strength: the greater one wins when two meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done, or nothing to do.
    Done,
    /// 2: changes or drift are present, and the command was asked to say so.
    Changes,
    /// 3: at least one account could not be read or failed; the rest is done and reported.
    Partial,
    /// 4: refused by a guard, a stale plan, or a held lock.
    Refused,
    /// 1: bad input, wrong usage, no credentials, or nothing could be read.
    Error,
    /// 130: stopped by a signal.
    Interrupted,
    /// The exit code of the command that `sandbox run` ran.
    Command(u8),
}

impl Exit {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Changes => 2,
            Self::Partial => 3,
            Self::Refused => 4,
            Self::Interrupted => 130,
            Self::Command(code) => code,
        }
    }

    /// The end of a run that ended both ways.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_wins_over_changes_and_a_refusal_over_partial() {
        assert_eq!(Exit::Changes.and(Exit::Partial), Exit::Partial);
        assert_eq!(Exit::Partial.and(Exit::Refused), Exit::Refused);
        assert_eq!(Exit::Done.and(Exit::Changes), Exit::Changes);
        assert_eq!(Exit::Interrupted.and(Exit::Error), Exit::Interrupted);
    }
}
