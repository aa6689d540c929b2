//! What a whole plan costs, so that candidates that no single search holds are judged by one measure.

use std::cmp::Reverse;

use super::order::Prefer;
use super::votes::Tolerance;

/// What a plan, or a part of one, comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Whether the laws allow it, as far as the planner knows.
    pub(super) is_legal: bool,
    /// Risks to be accepted.
    pub(super) risks: usize,
    /// Its worst moment.
    pub(super) worst: Tolerance,
    pub(super) reconfigs: usize,
    /// Moments that would not survive the loss of a zone.
    pub(super) windows: usize,
}

impl Cost {
    /// That of no step at all.
    pub(super) const NONE: Self =
        Self { is_legal: true, risks: 0, worst: Tolerance::MAX, reconfigs: 0, windows: 0 };

    /// Both parts, one after the other.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            is_legal: self.is_legal && other.is_legal,
            risks: self.risks + other.risks,
            worst: self.worst.min(other.worst),
            reconfigs: self.reconfigs + other.reconfigs,
            windows: self.windows + other.windows,
        }
    }

    /// What the best plan has most of.
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

    /// Whether it is no worse by any measure, so that no plan needs the other.
    pub(super) fn dominates(&self, other: &Self) -> bool {
        self.is_legal >= other.is_legal
            && self.risks <= other.risks
            && self.worst.min(other.worst) == other.worst
            && self.reconfigs <= other.reconfigs
            && self.windows <= other.windows
    }
}
