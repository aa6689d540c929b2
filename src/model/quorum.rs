//! Quorum arithmetic of majority ensembles.

/// How many of `voters` must acknowledge: ⌊voters/2⌋+1 (`QuorumMaj`).
pub const fn quorum_of(voters: usize) -> usize {
    voters / 2 + 1
}

/// The figures of one voter set under majority quorums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Majority {
    /// Voters in the configuration.
    pub voters: usize,
    /// Those of them that can acknowledge now.
    pub live: usize,
}

impl Majority {
    /// How many must acknowledge.
    pub const fn quorum(self) -> usize {
        quorum_of(self.voters)
    }

    /// How many of the live voters may fail before writes stop. Negative if they have stopped.
    pub fn spare(self) -> i64 {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        count(self.live) - count(self.quorum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_small_ensembles() {
        let spare = |voters, live| Majority { voters, live }.spare();
        assert_eq!([1, 2, 3, 4, 5, 6, 7].map(|n| spare(n, n)), [0, 0, 1, 1, 2, 2, 3]);
        assert_eq!(spare(3, 1), -1);
    }
}
