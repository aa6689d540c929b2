//! Exit codes. They are a contract: no code ever gets another meaning.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or nothing to do.
    Done,
    /// 1: an error without a code of its own.
    Error,
    /// 2: there are differences, and the caller asked for an exit code that says so.
    Differences,
    /// 3: unsafe: a safety rule refuses, a standalone server, two histories.
    Unsafe,
    /// 4: the approval of the plan, or a backup, is missing or refused. A gate that stays closed is 7.
    NotApproved,
    /// 5: the plan is stale, or the ensemble is another one.
    Stale,
    /// 6: another apply holds the lock.
    Locked,
    /// 7: stopped in a safe place, as at a closed gate; can be resumed.
    Stopped,
    /// 9: a wait ran out.
    RanOut,
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
            Self::NotApproved => 4,
            Self::Stale => 5,
            Self::Locked => 6,
            Self::Stopped => 7,
            Self::RanOut => 9,
            Self::Unreachable => 10,
            Self::Usage => 64,
            Self::Data => 65,
            Self::Bug => 70,
        }
    }

    /// The worse of two: 70 > 65 > 64 > 10 > 1 > 3 > 5 > 9 > 7 > 6 > 4 > 2 > 0.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if self.gravity() < other.gravity() { other } else { self }
    }

    const fn gravity(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Differences => 1,
            Self::NotApproved => 2,
            Self::Locked => 3,
            Self::Stopped => 4,
            Self::RanOut => 5,
            Self::Stale => 6,
            Self::Unsafe => 7,
            Self::Error => 8,
            Self::Unreachable => 9,
            Self::Usage => 10,
            Self::Data => 11,
            Self::Bug => 12,
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

    const ALL: [Exit; 13] = [
        Exit::Done,
        Exit::Error,
        Exit::Differences,
        Exit::Unsafe,
        Exit::NotApproved,
        Exit::Stale,
        Exit::Locked,
        Exit::Stopped,
        Exit::RanOut,
        Exit::Unreachable,
        Exit::Usage,
        Exit::Data,
        Exit::Bug,
    ];

    #[test]
    fn the_worst_of_many_is_the_gravest() {
        let all = [0, 2, 4, 6, 7, 9, 5, 3, 1, 10, 64, 65, 70];
        let of = |code| ALL.into_iter().find(|exit| exit.code() == code).unwrap();
        let all = all.map(of);
        for pair in all.windows(2) {
            assert_eq!(pair[0].worse(pair[1]), pair[1]);
            assert_eq!(pair[1].worse(pair[0]), pair[1]);
        }
    }
}
