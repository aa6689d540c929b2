//! A case in sets of seats: one bit a server, and the arithmetic of majorities.

use crate::world::{Case, Fate, Is, Moves};

/// A set of seats.
pub(crate) type Seats = u32;

/// Seats of a case at most.
pub(crate) const MOST: usize = 16;

/// What is fixed over a whole plan.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    pub(crate) members: Seats,
    pub(crate) voters: Seats,
    /// Members that are up and in sync.
    pub(crate) live: Seats,
    pub(crate) wanted: Seats,
    pub(crate) wanted_voters: Seats,
    /// Members that get other addresses.
    pub(crate) movers: Seats,
    /// Those of them whose quorum address changes.
    pub(crate) quorum_movers: Seats,
    /// Those of them whose id goes to another machine.
    pub(crate) machines: Seats,
    pub(crate) zones: [Seats; 3],
    /// Of each seat, those with a higher id.
    pub(crate) above: [Seats; MOST],
    /// What the policy asks for.
    pub(crate) asked: i32,
    /// What must be spare: a base that is weaker is held to what it has.
    pub(crate) tolerance: i32,
    /// The fewest participants.
    pub(crate) floor: u32,
    /// Whether a state that does not survive the loss of a zone is illegal.
    pub(crate) strict: bool,
    /// Whether the base survives the loss of any one zone.
    pub(crate) survives: bool,
    /// Whether more is removed than `maxShrink` allows.
    pub(crate) shrinks: bool,
    /// How many servers one request may change; 0 where there is no bound.
    pub(crate) changes_per_step: u32,
}

pub(crate) const fn quorum(voters: Seats) -> i32 {
    voters.count_ones().cast_signed() / 2 + 1
}

/// How many of the voters that acknowledge may fail.
pub(crate) const fn spare(voters: Seats, acking: Seats) -> i32 {
    (voters & acking).count_ones().cast_signed() - quorum(voters)
}

impl Ground {
    pub(crate) fn of(case: &Case) -> Self {
        let set = |holds: &dyn Fn(&Fate) -> bool| {
            let seats = case.seats.iter().enumerate();
            seats.filter(|(_, seat)| holds(&seat.fate)).fold(0, |all, (at, _)| all | 1 << at)
        };
        let members = set(&|fate| fate.was != Is::Out);
        let voters = set(&|fate| fate.was == Is::Voter);
        let live = set(&|fate| fate.was != Is::Out && fate.live);
        let wanted = set(&|fate| fate.wanted != Is::Out);
        let wanted_voters = set(&|fate| fate.wanted == Is::Voter);
        let mut zones = [0; 3];
        let mut above = [0; MOST];
        for (at, seat) in case.seats.iter().enumerate() {
            if seat.zone > 0 {
                zones[usize::from(seat.zone) - 1] |= 1 << at;
            }
            for (other, _) in case.seats.iter().enumerate().filter(|(_, o)| o.id > seat.id) {
                above[at] |= 1 << other;
            }
        }
        let base = spare(voters, live);
        // Who is down now still is; who joins is up.
        let target = spare(wanted_voters, !(members & !live));
        let asked = match case.rules.tolerance {
            Some(count) => count.cast_signed(),
            None => base.max(0).min(target.max(0)),
        };
        let removed = (members & !wanted).count_ones();
        let added = (wanted & !members).count_ones();
        let mut ground = Self {
            members,
            voters,
            live,
            wanted,
            wanted_voters,
            movers: set(&|fate| fate.moves != Moves::Stays),
            quorum_movers: set(&|fate| matches!(fate.moves, Moves::Ports | Moves::Machine)),
            machines: set(&|fate| fate.moves == Moves::Machine),
            zones,
            above,
            asked,
            tolerance: asked.min(base),
            floor: if case.rules.one_voter || voters.is_power_of_two() { 1 } else { 2 },
            strict: case.rules.strict,
            survives: false,
            shrinks: removed > added + case.rules.max_shrink,
            changes_per_step: case.rules.changes_per_step,
        };
        ground.survives = ground.zone_spare(voters, live).is_some_and(|spare| spare >= 0);
        ground
    }

    /// What is spare at the worst loss of one zone; nothing where no voter has a zone.
    pub(crate) fn zone_spare(&self, voters: Seats, live: Seats) -> Option<i32> {
        let present = self.zones.iter().filter(|zone| *zone & voters != 0);
        present.map(|zone| spare(voters, live & !zone)).min()
    }

    /// ZKQ8: whether any quorum of these voters and any of those share a server, where they must.
    pub(crate) fn overlaps(&self, before: Seats, after: Seats) -> bool {
        let all = (before | after).count_ones().cast_signed();
        self.changes_per_step == 0 || quorum(before) + quorum(after) > all
    }

    /// ZKQ11: whether those who gain a vote would be a quorum of all by themselves.
    pub(crate) const fn newcomers_decide(before: Seats, after: Seats) -> bool {
        (after & !before).count_ones().cast_signed() >= quorum(after)
    }

    /// Whether the base commits.
    pub(crate) fn commits(&self) -> bool {
        self.voters != 0 && spare(self.voters, self.live) >= 0
    }

    /// Whether anything is to change.
    pub(crate) fn changes(&self) -> bool {
        self.members != self.wanted || self.voters != self.wanted_voters || self.movers != 0
    }
}
