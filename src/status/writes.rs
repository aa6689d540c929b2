//! Writes a second, from two readings of the leader's zxid.

use crate::model::Zxid;

/// One reading of the leader's last zxid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZxidReading {
    /// The zxid.
    pub zxid: Zxid,
    /// When it was read, in milliseconds of any one clock.
    pub at_ms: u64,
}

/// Transactions that committed in a span of time. Each write is one, and so is each session that
/// opens or closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteRate {
    /// How many.
    pub transactions: u64,
    /// In how many milliseconds.
    pub over_ms: u64,
}

impl WriteRate {
    /// The shortest span that is measured, in milliseconds.
    pub const SHORTEST_MS: u64 = 1000;

    /// The rate between two readings of one server. `None` if the epoch changed between them, which
    /// starts the counter again, or if they are less than a second apart.
    pub fn between(first: ZxidReading, second: ZxidReading) -> Option<Self> {
        let over_ms =
            second.at_ms.checked_sub(first.at_ms).filter(|ms| *ms >= Self::SHORTEST_MS)?;
        let is_one_epoch = first.zxid.epoch() == second.zxid.epoch();
        let transactions = second.zxid.get().checked_sub(first.zxid.get());
        Some(Self { transactions: transactions.filter(|_| is_one_epoch)?, over_ms })
    }

    /// Transactions a second, rounded.
    pub const fn per_second(self) -> u64 {
        (self.transactions.saturating_mul(1000) + self.over_ms / 2) / self.over_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(first: (u64, u64), second: (u64, u64)) -> Option<(u64, u64)> {
        let [first, second] =
            [first, second].map(|(zxid, at_ms)| ZxidReading { zxid: Zxid::new(zxid), at_ms });
        WriteRate::between(first, second).map(|rate| (rate.transactions, rate.per_second()))
    }

    #[test]
    fn a_rate_counts_one_epoch_over_a_second_or_more() {
        assert_eq!(rate((0x1_0000_0005, 0), (0x1_0000_0005, 1000)), Some((0, 0)));
        assert_eq!(rate((0x1_0000_0005, 7), (0x1_0000_005f, 2007)), Some((90, 45)));
        assert_eq!(rate((0x1_0000_0000, 0), (0x1_0000_0001, 999)), None, "too short");
        // The counter starts again with each leader.
        assert_eq!(rate((0x1_0000_0005, 0), (0x2_0000_0007, 1000)), None);
        assert_eq!(rate((0x1_0000_0005, 0), (0x1_0000_0004, 1000)), None);
    }
}
