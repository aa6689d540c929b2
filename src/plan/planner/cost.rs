//! The cost of a whole plan, by which the planner compares candidates of different searches.

use std::cmp::Reverse;

use super::goal::Prefer;
use super::tally::Tolerance;

/// The cost of a plan, or of a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Whether the safety rules allow it, as far as the planner knows.
    pub(super) is_legal: bool,
    /// Risks that the operator must accept.
    pub(super) risks: usize,
    /// The lowest tolerance on the way.
    pub(super) worst: Tolerance,
    pub(super) reconfigs: usize,
    /// Moments at which the loss of a zone would stop writes.
    pub(super) windows: usize,
}

impl Cost {
    /// The cost of no step at all.
    pub(super) const NONE: Self =
        Self { is_legal: true, risks: 0, worst: Tolerance::MAX, reconfigs: 0, windows: 0 };

    /// The cost of both parts, one after the other.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            is_legal: self.is_legal && other.is_legal,
            risks: self.risks + other.risks,
            worst: self.worst.min(other.worst),
            reconfigs: self.reconfigs + other.reconfigs,
            windows: self.windows + other.windows,
        }
    }

    /// The key by which plans are ranked. The best plan has the highest key.
    pub(super) fn rank_key(&self, prefer: Prefer) -> impl Ord + use<> {
        let Self {
            is_legal,
            risks,
            worst: Tolerance { failures, with_zone_lost },
            reconfigs,
            windows,
        } = *self;
        let first = if prefer == Prefer::Fewest { reconfigs } else { 0 };
        let fewest = [first, reconfigs, windows].map(Reverse);
        ((is_legal, Reverse(risks), fewest[0]), (failures, with_zone_lost), (fewest[1], fewest[2]))
    }

    /// Whether it is no worse by any measure (Pareto). A dominated plan is never needed.
    pub(super) fn dominates(&self, other: &Self) -> bool {
        self.is_legal >= other.is_legal
            && self.risks <= other.risks
            && self.worst.min(other.worst) == other.worst
            && self.reconfigs <= other.reconfigs
            && self.windows <= other.windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerance_comes_before_reconfigs_unless_the_fewest_are_preferred() {
        let worst = |failures| Tolerance { failures, with_zone_lost: i64::MAX };
        let safe = Cost { worst: worst(1), reconfigs: 6, ..Cost::NONE };
        let short = Cost { worst: worst(0), reconfigs: 4, ..Cost::NONE };
        assert!(safe.rank_key(Prefer::Safest) > short.rank_key(Prefer::Safest));
        assert!(safe.rank_key(Prefer::Fewest) < short.rank_key(Prefer::Fewest));
        // No preference makes up for a broken safety rule.
        let broken = Cost { is_legal: false, ..Cost::NONE };
        assert!(
            Prefer::ALL.iter().all(|prefer| short.rank_key(*prefer) > broken.rank_key(*prefer))
        );
        // Neither is needless: each is better in one way.
        assert!(!safe.dominates(&short) && !short.dominates(&safe));
        assert!(safe.dominates(&Cost { windows: 1, ..safe }));
    }
}
