//! A case as sets of servers, one bit each, and the arithmetic of quorums: it counts majorities,
//! and tries every set if groups and weights decide.

use crate::world::{Case, Fate, Is, Moves};

/// A set of seats.
pub(crate) type Seats = u32;

/// Seats of a case at most.
pub(crate) const MOST: usize = 16;

/// Groups of a case at most.
const MOST_GROUPS: u8 = 4;

/// The constants of a whole plan.
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
    /// Those whose quorum address changes.
    pub(crate) quorum_movers: Seats,
    /// Those whose id moves to another machine.
    pub(crate) machines: Seats,
    pub(crate) zones: [Seats; 3],
    /// The group and the weight of each seat, where quorums are by groups.
    places: Option<[(u8, u8); MOST]>,
    /// For each server, those with a higher id.
    pub(crate) above: [Seats; MOST],
    /// The tolerance in the policy.
    pub(crate) asked: i32,
    /// The tolerance to keep: a base that is weaker must keep what it has.
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

const fn quorum(voters: Seats) -> i32 {
    voters.count_ones().cast_signed() / 2 + 1
}

/// How many of the voters that acknowledge may fail.
const fn spare_of_majority(voters: Seats, acking: Seats) -> i32 {
    (voters & acking).count_ones().cast_signed() - quorum(voters)
}

impl Ground {
    pub(crate) fn of(case: &Case) -> Self {
        let set = |holds: &dyn Fn(&Fate) -> bool| {
            let seats = case.seats.iter().enumerate();
            seats.filter(|(_, seat)| holds(&seat.fate)).fold(0, |all, (at, _)| all | 1 << at)
        };
        let members: Seats = set(&|fate| fate.was != Is::Out);
        let voters = set(&|fate| fate.was == Is::Voter);
        let live = set(&|fate| fate.was != Is::Out && fate.live);
        let wanted: Seats = set(&|fate| fate.wanted != Is::Out);
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
            places: places(case),
            asked: 0,
            tolerance: 0,
            floor: if case.rules.one_voter || voters.is_power_of_two() { 1 } else { 2 },
            strict: case.rules.strict,
            survives: false,
            shrinks: removed > added + case.rules.max_shrink,
            changes_per_step: case.rules.changes_per_step,
        };
        let base = ground.spare(voters, live);
        // A server that is down now stays down. A joiner is up.
        let target = ground.spare(wanted_voters, !(members & !live));
        ground.asked = match case.rules.tolerance {
            Some(count) => count.cast_signed(),
            None => base.max(0).min(target.max(0)),
        };
        ground.tolerance = ground.asked.min(base);
        ground.survives = ground.zone_spare(voters, live).is_some_and(|spare| spare >= 0);
        ground
    }

    /// How many acknowledging voters may fail. −1 if groups and weights decide and they are no
    /// quorum.
    pub(crate) fn spare(&self, voters: Seats, acking: Seats) -> i32 {
        let Some(places) = &self.places else { return spare_of_majority(voters, acking) };
        let up = voters & acking;
        let stuck = subsets(up).filter(|left| !is_quorum(places, voters, *left));
        let most = stuck.map(Seats::count_ones).max().unwrap_or(0);
        (up.count_ones() - most).cast_signed() - 1
    }

    /// Whether a quorum of the one set and one of the other may share no server.
    fn misses(&self, before: Seats, after: Seats) -> bool {
        let Some(places) = &self.places else {
            return quorum(before) + quorum(after) <= (before | after).count_ones().cast_signed();
        };
        subsets(before)
            .any(|ours| is_quorum(places, before, ours) && is_quorum(places, after, after & !ours))
    }

    /// The tolerance with the worst zone lost. `None` if no voter has a zone.
    pub(crate) fn zone_spare(&self, voters: Seats, live: Seats) -> Option<i32> {
        let present = self.zones.iter().filter(|zone| *zone & voters != 0);
        present.map(|zone| self.spare(voters, live & !zone)).min()
    }

    /// ZKQ8: whether every quorum of the one set and every one of the other share a server, if they
    /// must.
    pub(crate) fn overlaps(&self, before: Seats, after: Seats) -> bool {
        self.changes_per_step == 0 || before == after || !self.misses(before, after)
    }

    /// ZKQ11: whether the new voters alone would be a quorum.
    pub(crate) fn newcomers_decide(&self, before: Seats, after: Seats) -> bool {
        let newcomers = after & !before;
        newcomers != 0 && self.spare(after, newcomers) >= 0
    }

    /// Whether the base commits.
    pub(crate) fn commits(&self) -> bool {
        self.voters != 0 && self.spare(self.voters, self.live) >= 0
    }

    /// Whether anything is to change.
    pub(crate) fn changes(&self) -> bool {
        self.members != self.wanted || self.voters != self.wanted_voters || self.movers != 0
    }
}

fn places(case: &Case) -> Option<[(u8, u8); MOST]> {
    let mut places = [(0, 0); MOST];
    for (place, seat) in places.iter_mut().zip(&case.seats) {
        *place = seat.place;
    }
    case.seats.iter().any(|seat| seat.place.0 > 0).then_some(places)
}

/// Every set of seats of a set.
fn subsets(of: Seats) -> impl Iterator<Item = Seats> {
    let mut next = Some(of);
    std::iter::from_fn(move || {
        let set = next?;
        next = (set > 0).then(|| (set - 1) & of);
        Some(set)
    })
}

/// More than half of the groups with any weight, each with more than half of its weight.
fn is_quorum(places: &[(u8, u8); MOST], voters: Seats, acking: Seats) -> bool {
    let weigh = |seats: Seats, group: u8| -> u32 {
        let own =
            places.iter().enumerate().filter(|(at, (of, _))| *of == group && seats >> at & 1 == 1);
        own.map(|(_, (_, weight))| u32::from(*weight)).sum()
    };
    let groups =
        (1..=MOST_GROUPS).map(|group| [voters, acking & voters].map(|set| weigh(set, group)));
    let (mut counting, mut won) = (0, 0);
    for [all, acked] in groups.filter(|[all, _]| *all > 0) {
        counting += 1;
        won += u32::from(2 * acked > all);
    }
    2 * won > counting
}
