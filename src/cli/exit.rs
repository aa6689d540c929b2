//! Exit codes. They are a contract: no code ever gets another meaning.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or nothing to do.
    Done,
    /// 1: an error without a code of its own.
    Error,
    /// 2: there are differences, and the caller asked to be told by the exit code.
    Differences,
    /// 3: unsafe: a law refuses, a standalone server, two histories.
    Unsafe,
    /// 10: unreachable, no quorum, reconfig disabled, not authorized.
    Unreachable,
    /// 64: the command line is wrong.
    Usage,
    /// 65: a spec, a plan file or another input is wrong.
    Data,
    /// 70: a bug in zkplan.
    Bug,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Differences => 2,
            Self::Unsafe => 3,
            Self::Unreachable => 10,
            Self::Usage => 64,
            Self::Data => 65,
            Self::Bug => 70,
        }
    }

    /// The worse of two: 70 > 65 > 64 > 10 > 1 > 3 > 2 > 0.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if self.gravity() < other.gravity() { other } else { self }
    }

    const fn gravity(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Differences => 1,
            Self::Unsafe => 2,
            Self::Error => 3,
            Self::Unreachable => 4,
            Self::Usage => 5,
            Self::Data => 6,
            Self::Bug => 7,
        }
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
    fn the_worst_of_many_is_the_gravest() {
        use Exit::{Bug, Data, Differences, Done, Error, Unreachable, Unsafe, Usage};
        let all = [Done, Differences, Unsafe, Error, Unreachable, Usage, Data, Bug];
        for pair in all.windows(2) {
            assert_eq!(pair[0].worse(pair[1]), pair[1]);
            assert_eq!(pair[1].worse(pair[0]), pair[1]);
        }
    }
}
