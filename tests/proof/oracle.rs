//! What no planner can beat: over all orders of whole single-server changes, each in each of its
//! ways, whoever leads at any moment, the largest worst spare, then the largest worst zone spare,
//! then the fewest reconfigs.
//!
//! An order is a sequence of changes. Whoever leads holds back its own change while others are to
//! come, so that the sets of done changes that an order reaches are its beginnings, and its
//! beginnings without one change of a server that may lead. What a change may do from a beginning is
//! therefore a matter of the set alone, and the best order is a best path through sets.

use std::cmp::Reverse;

use crate::ground::{Ground, Seats};
use crate::world::{Case, Is, Moves};

/// The best that any order comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Best {
    pub(crate) spare: i32,
    /// `NO_ZONE` where no voter ever has a zone.
    pub(crate) zone_spare: i32,
    pub(crate) reconfigs: u32,
    /// How often the next quorum needs the joiner itself: no more often than it must.
    pub(crate) risks: u32,
}

pub(crate) const NO_ZONE: i32 = i32::MAX;

/// A set of done changes.
type Set = usize;

/// Changes of votes at most; those of four to six servers on other machines are two each.
const MOST: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It gets a vote. `in_place`: it may get it where it observes.
    Gain { in_place: bool, listed: bool },
    /// It loses its vote.
    Lose,
    /// It comes back on another machine.
    Back,
    /// It moves.
    Move,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    seat: usize,
    kind: Kind,
}

/// One change, or two that no other comes between: an id leaves and is back. What a server has begun
/// is finished before another begins, unless the plan says that others come between.
#[derive(Debug, Clone, Copy)]
struct Turn {
    items: Set,
    /// Whether who gains its vote acknowledges at once.
    acks: bool,
}

/// What a change from a set comes to.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// The worst spare and the worst zone spare.
    spare: i32,
    zone: i32,
    /// Changes in which the next quorum needs the joiner itself.
    risky: Set,
}

/// Nothing where it is illegal.
type Outcome = Option<Figures>;

impl Figures {
    /// The worse of both.
    fn and(self, other: Self) -> Self {
        Self {
            spare: self.spare.min(other.spare),
            zone: self.zone.min(other.zone),
            risky: self.risky | other.risky,
        }
    }
}

/// Searches; its memory is used again.
#[derive(Default)]
pub(crate) struct Oracle {
    items: Vec<Item>,
    /// Voters and those who acknowledge, by set.
    votes: Vec<(Seats, Seats)>,
    /// What each change comes to from each set, in each way, whoever leads not looked at.
    single: Vec<Outcome>,
    /// What may come next.
    moves: Vec<Turn>,
    /// What each of those comes to from each set, under the worst leader.
    worst: Vec<Outcome>,
    /// Changes whose risk is taken.
    risks: Set,
    /// Sets of items of each server that may lead and hand over.
    held: Vec<Set>,
}

impl Oracle {
    /// Whether a case is small enough.
    pub(crate) fn knows(case: &Case) -> bool {
        let machines = case.seats.iter().filter(|seat| seat.fate.moves == Moves::Machine).count();
        case.seats.len() + machines <= MOST
    }

    /// The best order, or nothing where none is legal.
    pub(crate) fn best(&mut self, case: &Case, ground: &Ground, risk: bool) -> Option<Best> {
        if !ground.commits() || ground.shrinks {
            return None;
        }
        let beside = self.collect(case, ground);
        self.fill(ground);
        let items = self.items.len();
        let most = if risk { items } else { 0 };
        (0..=most).find_map(|risks| {
            let sets = (0..1 << items).filter(|set: &Set| set.count_ones() as usize == risks);
            let found = sets.filter_map(|set| {
                self.risks = set;
                self.best_with_risks(ground, beside)
            });
            found.max_by_key(|best| (best.spare, best.zone_spare, Reverse(best.reconfigs)))
        })
    }

    fn best_with_risks(&self, ground: &Ground, beside: u32) -> Option<Best> {
        let base_zone = ground.zone_spare(ground.voters, ground.live).unwrap_or(NO_ZONE);
        let base_spare = ground.spare(ground.voters, ground.live);
        let spare = self.widest(base_spare, |figures| Some(figures.spare))?;
        let zone_spare =
            self.widest(base_zone, |figures| (figures.spare >= spare).then_some(figures.zone))?;
        let fits = |figures: Figures| figures.spare >= spare && figures.zone >= zone_spare;
        let reconfigs = beside + self.shortest(fits)?;
        Some(Best { spare, zone_spare, reconfigs, risks: self.risks.count_ones() })
    }

    /// The best worst zone spare of any order, whatever else it costs.
    pub(crate) fn best_zone(&self, ground: &Ground) -> Option<i32> {
        let base = ground.zone_spare(ground.voters, ground.live).unwrap_or(NO_ZONE);
        self.widest(base, |figures| Some(figures.zone))
    }

    /// Collects the changes of votes; how many reconfigs change none comes back.
    fn collect(&mut self, case: &Case, ground: &Ground) -> u32 {
        self.items.clear();
        self.held.clear();
        let mut beside = 0;
        for (seat, fate) in case.seats.iter().map(|seat| seat.fate).enumerate() {
            let from = self.items.len();
            let mut add = |kind| self.items.push(Item { seat, kind });
            match (fate.was, fate.wanted, fate.moves) {
                (Is::Out, Is::Out, _)
                | (Is::Voter, Is::Voter, Moves::Stays)
                | (Is::Observer, Is::Observer, Moves::Stays) => {}
                (Is::Out, Is::Voter, _) => {
                    let listed = case.rules.observers_first;
                    beside += u32::from(listed);
                    add(Kind::Gain { in_place: listed, listed });
                }
                (Is::Observer, Is::Voter, _) => {
                    add(Kind::Gain { in_place: fate.live, listed: true });
                }
                (Is::Voter, Is::Out | Is::Observer, _) => add(Kind::Lose),
                (Is::Voter, Is::Voter, Moves::Machine) => {
                    add(Kind::Lose);
                    add(Kind::Back);
                }
                (Is::Voter, Is::Voter, Moves::Ports | Moves::Client) => add(Kind::Move),
                (Is::Observer, Is::Observer, Moves::Machine) => beside += 2,
                (Is::Observer, _, _) | (Is::Out, Is::Observer, _) => beside += 1,
            }
            let own = (from..self.items.len()).fold(0, |set, at| set | 1 << at);
            let leads = ground.voters & ground.live & 1 << seat != 0;
            let hands_over = fate.wanted != Is::Voter || ground.quorum_movers & 1 << seat != 0;
            if own != 0 && leads && hands_over {
                self.held.push(own);
            }
        }
        self.moves.clear();
        for (at, item) in self.items.iter().enumerate() {
            let alone = |acks| Turn { items: 1 << at, acks };
            self.moves.push(alone(true));
            match item.kind {
                Kind::Gain { in_place: true, .. } => self.moves.push(alone(false)),
                // It stands right before its return.
                Kind::Lose if ground.machines & 1 << item.seat != 0 => {
                    self.moves.push(Turn { items: 3 << at, acks: true });
                }
                _ => {}
            }
        }
        assert!(self.items.len() <= MOST, "{case} has too many changes");
        beside
    }

    fn fill(&mut self, ground: &Ground) {
        let sets = 1 << self.items.len();
        self.votes.clear();
        for set in 0..sets {
            self.votes.push(self.votes_of(ground, set));
        }
        self.single.clear();
        self.single.resize(sets * self.items.len() * 2, None);
        for set in 0..sets {
            for at in (0..self.items.len()).filter(|at| set & 1 << at == 0) {
                for acks in [false, true] {
                    let index = self.index(set, at, acks);
                    self.single[index] = self.take(ground, set, at, acks);
                }
            }
        }
        self.worst.clear();
        for set in 0..sets {
            for turn in &self.moves {
                let fits = set & turn.items == 0;
                self.worst.push(if fits { self.under_the_worst_leader(set, *turn) } else { None });
            }
        }
    }

    fn index(&self, set: Set, at: usize, acks: bool) -> usize {
        (set * self.items.len() + at) * 2 + usize::from(acks)
    }

    fn votes_of(&self, ground: &Ground, set: Set) -> (Seats, Seats) {
        let (mut voters, mut acking) = (ground.voters, ground.live);
        for (_, item) in self.items.iter().enumerate().filter(|(at, _)| set & 1 << at != 0) {
            let bit = 1 << item.seat;
            match item.kind {
                Kind::Gain { .. } | Kind::Back => {
                    voters |= bit;
                    acking |= bit;
                }
                Kind::Lose => voters &= !bit,
                Kind::Move => {}
            }
        }
        (voters, acking)
    }

    /// One change from one set, whoever leads.
    fn take(&self, ground: &Ground, set: Set, at: usize, acks: bool) -> Outcome {
        let item = self.items[at];
        let bit: Seats = 1 << item.seat;
        let (voters, acking) = self.votes[set];
        let (next, next_acking) = self.votes[set | 1 << at];
        let before = ground.spare(voters, acking);
        let after = ground.spare(next, next_acking);
        let mut during = after;
        let mut tolerance = ground.tolerance;
        let alone = ground.spare(next, next_acking & !bit);
        let mut risky = 0;
        match item.kind {
            Kind::Gain { in_place, listed } => {
                if !acks && !in_place {
                    return None;
                }
                let joins_now = acks || !listed;
                if !listed && self.is_overtaken(ground, set, item.seat) {
                    return None;
                }
                if !acks {
                    during = alone;
                }
                risky = Set::from(joins_now && acks && alone < 0) << at;
            }
            Kind::Back => {
                let left = self
                    .items
                    .iter()
                    .position(|other| other.seat == item.seat && other.kind == Kind::Lose)?;
                let gone = set & 1 << left != 0;
                if !acks || !gone {
                    return None;
                }
                risky = Set::from(alone < 0) << at;
            }
            Kind::Lose => {
                let healthy = ground.live & !ground.machines & bit != 0;
                let waiting = ground.wanted_voters & !ground.voters & !voters;
                if !acks || (healthy && waiting != 0) || next.count_ones() < ground.floor {
                    return None;
                }
            }
            Kind::Move => {
                if !acks {
                    return None;
                }
                during = alone;
                if before.min(after) < tolerance {
                    return None;
                }
                tolerance -= 1;
            }
        }
        if during < 0 || before.min(during).min(after) < tolerance {
            return None;
        }
        if voters != next && ground.misses(voters, next) {
            return None;
        }
        let zone = ground.zone_spare(next, next_acking);
        if ground.strict && ground.survives && zone.is_some_and(|zone| zone < 0) {
            return None;
        }
        Some(Figures { spare: during.min(after), zone: zone.unwrap_or(NO_ZONE), risky })
    }

    /// Whether a newcomer with a lower id has yet to join.
    fn is_overtaken(&self, ground: &Ground, set: Set, seat: usize) -> bool {
        self.items.iter().enumerate().any(|(other, item)| {
            set & 1 << other == 0
                && matches!(item.kind, Kind::Gain { listed: false, .. })
                && ground.above[item.seat] & 1 << seat != 0
        })
    }

    fn under_the_worst_leader(&self, set: Set, turn: Turn) -> Outcome {
        let mut worst = self.in_turn(set, turn.items, turn.acks)?;
        let mut also = |outcome: Outcome| {
            worst = worst.and(outcome?);
            Some(())
        };
        let after = set | turn.items;
        for own in &self.held {
            if own & turn.items == 0 && own & set != 0 {
                // The leader has held back its own, and this comes first.
                also(self.in_turn(set & !own, turn.items, turn.acks))?;
            }
            if own & after != 0 {
                // It held back its own until now.
                also(self.in_turn(after & !own, own & after, true))?;
            }
        }
        Some(worst)
    }

    /// The worst of some changes that follow each other.
    fn in_turn(&self, set: Set, items: Set, acks: bool) -> Outcome {
        let mut set = set;
        let mut worst = Figures { spare: i32::MAX, zone: NO_ZONE, risky: 0 };
        for at in (0..self.items.len()).filter(|at| items & 1 << at != 0) {
            worst = worst.and(self.single[self.index(set, at, acks)]?);
            set |= 1 << at;
        }
        Some(worst)
    }

    fn outcomes(&self, set: Set) -> impl Iterator<Item = (Turn, Figures)> + '_ {
        let from = set * self.moves.len();
        let outcomes = self.moves.iter().zip(&self.worst[from..from + self.moves.len()]);
        let outcomes = outcomes.filter_map(|(turn, outcome)| Some((*turn, (*outcome)?)));
        outcomes.filter(|(_, figures)| figures.risky & !self.risks == 0)
    }

    /// The largest worst figure of any path.
    fn widest(&self, base: i32, figure: impl Fn(Figures) -> Option<i32>) -> Option<i32> {
        let sets = self.votes.len();
        let mut best: Vec<Option<i32>> = vec![None; sets];
        best[0] = Some(base);
        for set in 0..sets {
            let Some(so_far) = best[set] else { continue };
            for (turn, outcome) in self.outcomes(set) {
                let Some(figure) = figure(outcome) else { continue };
                let next = &mut best[set | turn.items];
                *next = (*next).max(Some(so_far.min(figure)));
            }
        }
        best[sets - 1]
    }

    /// The fewest reconfigs of any path of such outcomes.
    fn shortest(&self, fits: impl Fn(Figures) -> bool) -> Option<u32> {
        let sets = self.votes.len();
        let mut fewest: Vec<Option<u32>> = vec![None; sets];
        fewest[0] = Some(0);
        for set in 0..sets {
            let Some(so_far) = fewest[set] else { continue };
            for (turn, _) in self.outcomes(set).filter(|(_, outcome)| fits(*outcome)) {
                let all = so_far + self.cost(turn);
                let next = &mut fewest[set | turn.items];
                *next = Some(next.map_or(all, |known| known.min(all)));
            }
        }
        fewest[sets - 1]
    }

    /// A member leaves before it comes back with a vote.
    fn cost(&self, turn: Turn) -> u32 {
        let comes_back = |at: &usize| {
            let listed = matches!(self.items[*at].kind, Kind::Gain { listed: true, .. });
            turn.items & 1 << at != 0 && listed && turn.acks
        };
        let again = (0..self.items.len()).filter(comes_back).count();
        turn.items.count_ones() + u32::from(again > 0)
    }
}
