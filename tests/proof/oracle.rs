//! The optimum that no planner can beat, over all orders of whole changes, each in each of its ways,
//! over all lawful ways to put equivalent changes into one request, and under any leader at any
//! moment: the highest worst tolerance, then the highest worst tolerance with a zone lost, then the
//! fewest reconfigs.
//!
//! Equivalent changes belong to one phase and do the same: all join, all get a vote in place, all are
//! removed and then promoted, all unreachable ones leave or become observers, all observers leave,
//! all healthy voters leave or become observers. An address change or a move to another machine is
//! always alone.
//!
//! An order is a sequence of requests. The leader's own request is deferred while others are left. So
//! the sets of finished changes of an order are its prefixes, and its prefixes without one request
//! that changes a server that may lead. Once the batches of those servers are fixed, the possible
//! requests depend only on the set of finished changes, and the best order is a best path through
//! sets.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::ground::{Ground, Seats};
use crate::script::bits;
use crate::world::{Case, Is, Moves};

/// The best of all orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Best {
    pub(crate) spare: i32,
    /// `NO_ZONE` where no voter ever has a zone.
    pub(crate) zone_spare: i32,
    pub(crate) reconfigs: u32,
    /// How often the next quorum needs the joiner itself: no more often than necessary.
    pub(crate) risks: u32,
}

pub(crate) const NO_ZONE: i32 = i32::MAX;

/// A set of done changes.
type Set = usize;

/// The limit on changes. Four to six servers on other machines count twice each.
const MOST: usize = 12;

/// Servers at most where one request may change several.
const MOST_TOGETHER: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It gets a vote. `in_place`: it may get it where it observes.
    Gain { in_place: bool, listed: bool },
    /// It loses its vote. For those that may lead, the batches are fixed in advance.
    Lose { leads: bool, leaves: bool },
    /// It is added as an observer.
    Seat,
    /// An observer that does not answer leaves.
    Out,
    /// It returns on another machine.
    Back,
    /// It moves.
    Move,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    seat: usize,
    kind: Kind,
}

/// The effect of one request, or of two with no other in between: an id leaves and returns. The
/// steps of one server are finished before those of another begin, unless the plan says otherwise.
#[derive(Debug, Clone, Copy)]
struct Turn {
    items: Set,
    /// Whether a server that gets its vote acknowledges at once.
    acks: bool,
}

/// Changes that one request may make together: all of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Join,
    InPlace,
    Relist,
    /// Unreachable servers, and whether they leave.
    Dead(bool),
    /// Servers that may lead, and whether they leave.
    Healthy(bool),
}

/// The figures of a change from a set.
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
    /// Voters and acknowledging servers, by set.
    votes: Vec<(Seats, Seats)>,
    /// The possible next requests.
    moves: Vec<Turn>,
    /// For servers that may lead, the change of each.
    of_leaders: Vec<usize>,
    /// The result of each from each set, whatever the leader.
    single: Vec<Outcome>,
    /// The batches of servers that may lead: every way, and the present one.
    splits: Vec<Vec<Set>>,
    split: usize,
    /// The result of each move from each set, under the worst leader.
    worst: Vec<Outcome>,
    /// Changes whose risk is taken.
    risks: Set,
    /// The items of each server that may lead and hand over, except those of the split.
    held: Vec<Set>,
}

impl Oracle {
    /// Whether a case is small enough. Ids that move to other machines are not interleaved if one
    /// request may change several servers.
    pub(crate) fn knows(case: &Case) -> bool {
        let machines = case.seats.iter().filter(|seat| seat.fate.moves == Moves::Machine).count();
        if case.together() > 1 {
            return machines == 0 && case.seats.len() <= MOST_TOGETHER;
        }
        case.seats.len() + machines <= MOST
    }

    /// The best order, or nothing where none is legal.
    pub(crate) fn best(&mut self, case: &Case, ground: &Ground, risk: bool) -> Option<Best> {
        if !ground.commits() || ground.shrinks {
            return None;
        }
        let beside = self.collect(case, ground);
        self.fill(ground);
        let merit = |best: &Best| {
            (Reverse(best.risks), best.spare, best.zone_spare, Reverse(best.reconfigs))
        };
        let bests: Vec<Best> = (0..self.splits.len())
            .filter_map(|split| self.best_of(split, ground, beside, risk))
            .collect();
        bests.into_iter().max_by_key(merit)
    }

    /// The best order of one split.
    fn best_of(&mut self, split: usize, ground: &Ground, beside: u32, risk: bool) -> Option<Best> {
        self.settle(split);
        let all: Set = self.votes.len() - 1;
        self.risks = if risk { all } else { 0 };
        let best = self.best_with_risks(ground, beside)?;
        if !risk {
            return Some(best);
        }
        (0..=self.items.len()).find_map(|risks| {
            let sets = (0..=all).filter(|set| set.count_ones() as usize == risks);
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

    /// The best tolerance with a zone lost of any order of the last case, whatever else it costs.
    pub(crate) fn best_zone(&mut self, ground: &Ground) -> Option<i32> {
        let base = ground.zone_spare(ground.voters, ground.live).unwrap_or(NO_ZONE);
        self.risks = 0;
        let best = (0..self.splits.len()).filter_map(|split| {
            if self.splits.len() > 1 {
                self.settle(split);
            }
            self.widest(base, |figures| Some(figures.zone))
        });
        best.max()
    }

    /// Collects the changes. Returns how many reconfigs there are beside them, in any order.
    fn collect(&mut self, case: &Case, ground: &Ground) -> u32 {
        self.items.clear();
        self.held.clear();
        let together = case.together();
        let mut beside = 0;
        let (mut listed_first, mut observers_leave) = (0, 0);
        for (seat, fate) in case.seats.iter().map(|seat| seat.fate).enumerate() {
            let from = self.items.len();
            let mut add = |kind| self.items.push(Item { seat, kind });
            let leads = ground.voters & ground.live & 1 << seat != 0;
            match (fate.was, fate.wanted, fate.moves) {
                (Is::Out, Is::Out, _)
                | (Is::Voter, Is::Voter, Moves::Stays)
                | (Is::Observer, Is::Observer, Moves::Stays) => {}
                (Is::Out, Is::Voter, _) => {
                    let listed = case.rules.observers_first;
                    listed_first += usize::from(listed);
                    add(Kind::Gain { in_place: listed, listed });
                }
                (Is::Observer, Is::Voter, _) => {
                    add(Kind::Gain { in_place: fate.live, listed: true });
                }
                (Is::Voter, Is::Out | Is::Observer, _) => {
                    add(Kind::Lose { leads, leaves: fate.wanted == Is::Out });
                }
                (Is::Voter, Is::Voter, Moves::Machine) => {
                    add(Kind::Lose { leads, leaves: true });
                    add(Kind::Back);
                }
                (Is::Voter, Is::Voter, Moves::Ports | Moves::Client) => add(Kind::Move),
                (Is::Observer, Is::Observer, Moves::Machine) => beside += 2,
                (Is::Out, Is::Observer, _) if case.rules.observers_first => listed_first += 1,
                (Is::Out, Is::Observer, _) if together > 1 => add(Kind::Seat),
                (Is::Observer, Is::Out, _) if fate.live => observers_leave += 1,
                (Is::Observer, Is::Out, _) if together > 1 => add(Kind::Out),
                (Is::Observer, _, _) | (Is::Out, Is::Observer, _) => beside += 1,
            }
            let own = (from..self.items.len()).fold(0, |set, at| set | 1 << at);
            let is_settled = fate.wanted != Is::Voter;
            if own != 0 && leads && !is_settled && ground.quorum_movers & 1 << seat != 0 {
                self.held.push(own);
            }
        }
        assert!(self.items.len() <= MOST, "{case} has too many changes");
        let requests = |changes: usize| u32::try_from(changes.div_ceil(together)).expect("few");
        self.collect_moves(case, ground);
        beside + requests(listed_first) + requests(observers_leave)
    }

    /// Collects the possible next requests, of one change or of several.
    fn collect_moves(&mut self, case: &Case, ground: &Ground) {
        self.moves.clear();
        self.splits.clear();
        let mut of_ways: Vec<(Way, Set)> = Vec::new();
        for (at, item) in self.items.iter().enumerate() {
            let on_machine = ground.machines & 1 << item.seat != 0;
            let ways = match item.kind {
                Kind::Gain { listed: false, .. } | Kind::Seat => vec![Way::Join],
                Kind::Gain { in_place, .. } => Some(Way::InPlace)
                    .filter(|_| in_place)
                    .into_iter()
                    .chain([Way::Relist])
                    .collect(),
                Kind::Lose { leads: true, leaves } if !on_machine => vec![Way::Healthy(leaves)],
                Kind::Lose { leaves, .. } if !on_machine => vec![Way::Dead(leaves)],
                Kind::Out => vec![Way::Dead(true)],
                Kind::Lose { .. } => {
                    // It comes right before its return.
                    self.moves.push(Turn { items: 3 << at, acks: true });
                    self.moves.push(Turn { items: 1 << at, acks: true });
                    continue;
                }
                Kind::Back | Kind::Move => {
                    self.moves.push(Turn { items: 1 << at, acks: true });
                    continue;
                }
            };
            for way in ways {
                match of_ways.iter_mut().find(|(known, _)| *known == way) {
                    Some((_, items)) => *items |= 1 << at,
                    None => of_ways.push((way, 1 << at)),
                }
            }
        }
        let most = case.together();
        self.splits.push(Vec::new());
        for (way, items) in of_ways {
            if let Way::Healthy(_) = way {
                let zone = |at: usize| case.seats[self.items[at].seat].zone;
                let all = partitions(items, most, &zone);
                let known = std::mem::take(&mut self.splits);
                let both =
                    known.iter().flat_map(|one| all.iter().map(|other| [&one[..], other].concat()));
                self.splits = both.collect();
                for request in all.into_iter().flatten() {
                    if !self.moves.iter().any(|turn| turn.items == request) {
                        self.moves.push(Turn { items: request, acks: true });
                    }
                }
                continue;
            }
            let acks = way != Way::InPlace;
            let some = subsets(items).filter(|some| some.count_ones() as usize <= most);
            self.moves.extend(some.map(|items| Turn { items, acks }));
        }
    }

    fn fill(&mut self, ground: &Ground) {
        let sets = 1 << self.items.len();
        self.votes.clear();
        for set in 0..sets {
            self.votes.push(self.votes_of(ground, set));
        }
        self.single.clear();
        for set in 0..sets {
            for turn in &self.moves {
                self.single.push(self.in_turn(ground, set, *turn));
            }
        }
        self.of_leaders.clear();
        self.of_leaders.resize(sets, usize::MAX);
        for (at, turn) in self.moves.iter().enumerate().filter(|(_, turn)| turn.acks) {
            self.of_leaders[turn.items] = at;
        }
    }

    /// Fixes the batches of servers that may lead.
    fn settle(&mut self, split: usize) {
        self.split = split;
        self.worst.clear();
        for set in 0..self.votes.len() {
            let is_reached = self.has_whole_requests(set);
            for (at, turn) in self.moves.iter().enumerate() {
                let fits = is_reached && set & turn.items == 0 && self.is_of_split(*turn);
                self.worst.push(if fits { self.under_the_worst_leader(set, at) } else { None });
            }
        }
    }

    /// Whether a set contains only whole batches.
    fn has_whole_requests(&self, set: Set) -> bool {
        let split = &self.splits[self.split];
        split.iter().all(|request| set & request == 0 || set & request == *request)
    }

    /// Whether the split contains that request, if it changes servers that may lead.
    fn is_of_split(&self, turn: Turn) -> bool {
        let split = &self.splits[self.split];
        split.iter().all(|request| turn.items & request == 0 || turn.items == *request)
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
                Kind::Lose { .. } => voters &= !bit,
                Kind::Move | Kind::Seat | Kind::Out => {}
            }
        }
        (voters, acking)
    }

    /// A turn from a set, under any leader.
    fn in_turn(&self, ground: &Ground, set: Set, turn: Turn) -> Outcome {
        if self.is_there_and_back(turn) {
            let first = 1 << turn.items.trailing_zeros();
            let leaves = self.take(ground, set, Turn { items: first, ..turn })?;
            let back = Turn { items: turn.items & !first, ..turn };
            return Some(leaves.and(self.take(ground, set | first, back)?));
        }
        self.take(ground, set, turn)
    }

    /// One request from one set, under any leader.
    fn take(&self, ground: &Ground, set: Set, turn: Turn) -> Outcome {
        if set & turn.items != 0 {
            return None;
        }
        let (voters, acking) = self.votes[set];
        let (next, next_acking) = self.votes[set | turn.items];
        // Servers that acknowledge their own change, and those that do not.
        let (mut joins, mut absent, mut moves): (Seats, Seats, Seats) = (0, 0, 0);
        let mut changes_votes = false;
        for at in bits(turn.items as u64) {
            let item = self.items[at];
            let bit: Seats = 1 << item.seat;
            changes_votes |= !matches!(item.kind, Kind::Seat | Kind::Out);
            match item.kind {
                Kind::Gain { listed, .. } => {
                    if !listed && self.is_overtaken(ground, set | turn.items, item.seat) {
                        return None;
                    }
                    *(if turn.acks { &mut joins } else { &mut absent }) |= bit;
                }
                Kind::Seat => {
                    if self.is_overtaken(ground, set | turn.items, item.seat) {
                        return None;
                    }
                }
                Kind::Back => {
                    // It has left right before.
                    if set & 1 << (at - 1) == 0 {
                        return None;
                    }
                    joins |= bit;
                }
                Kind::Lose { .. } => {
                    let healthy = ground.live & !ground.machines & bit != 0;
                    let waiting = ground.wanted_voters & !ground.voters & !voters;
                    if (healthy && waiting != 0) || next.count_ones() < ground.floor {
                        return None;
                    }
                }
                Kind::Move => {
                    absent |= bit;
                    moves |= bit;
                }
                Kind::Out => {}
            }
        }
        let after = ground.spare(next, next_acking);
        let during = ground.spare(next, next_acking & !absent);
        let zone = ground.zone_spare(next, next_acking);
        if ground.strict && ground.survives && zone.is_some_and(|zone| zone < 0) {
            return None;
        }
        let mut risky = 0;
        if changes_votes {
            let before = ground.spare(voters, acking);
            let moment = i32::from(moves != 0);
            if during < 0
                || before.min(after) < ground.tolerance
                || during < ground.tolerance - moment
                || !ground.overlaps(voters, next)
                || ground.newcomers_decide(voters, next)
            {
                return None;
            }
            if joins != 0 && ground.spare(next, next_acking & !absent & !joins) < 0 {
                // One risk a request.
                risky = 1 << turn.items.trailing_zeros();
            }
        }
        Some(Figures { spare: during.min(after), zone: zone.unwrap_or(NO_ZONE), risky })
    }

    /// Whether a newcomer with a lower id has yet to join.
    fn is_overtaken(&self, ground: &Ground, joined: Set, seat: usize) -> bool {
        self.items.iter().enumerate().any(|(other, item)| {
            joined & 1 << other == 0
                && matches!(item.kind, Kind::Gain { listed: false, .. } | Kind::Seat)
                && ground.above[item.seat] & 1 << seat != 0
        })
    }

    fn under_the_worst_leader(&self, set: Set, at: usize) -> Outcome {
        let turn = self.moves[at];
        let single = |set: Set, at: usize| self.single[set * self.moves.len() + at];
        let mut worst = single(set, at)?;
        let mut also = |outcome: Outcome| {
            worst = worst.and(outcome?);
            Some(())
        };
        let after = set | turn.items;
        for own in self.held.iter().chain(&self.splits[self.split]) {
            if own & turn.items == 0 && own & set != 0 {
                // The leader's own change is deferred, and this comes first.
                also(single(set & !own, at))?;
            }
            if own & after != 0 {
                // Its own change was deferred until now.
                also(single(after & !own, self.of_leaders[own & after]))?;
            }
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

    /// Members leave before they return with a vote, all by one request.
    fn cost(&self, turn: Turn) -> u32 {
        let first = self.items[turn.items.trailing_zeros() as usize];
        match first.kind {
            Kind::Gain { listed: true, .. } => 1 + u32::from(turn.acks),
            Kind::Lose { .. } if self.is_there_and_back(turn) => 2,
            _ => 1,
        }
    }

    /// Whether it is an id's leave and its return.
    fn is_there_and_back(&self, turn: Turn) -> bool {
        let first = turn.items.trailing_zeros() as usize;
        let is_back = |item: &Item| item.kind == Kind::Back;
        turn.items == 3 << first && self.items.get(first + 1).is_some_and(is_back)
    }
}

/// All subsets but the empty one.
fn subsets(of: Set) -> impl Iterator<Item = Set> {
    let mut next = of;
    std::iter::from_fn(move || {
        let some = next;
        next = next.wrapping_sub(1) & of;
        (some != 0).then_some(some)
    })
}

/// All ways to split a set into requests of limited size, one of those that differ only in which
/// equivalent servers share one.
fn partitions(of: Set, most: usize, kind: &dyn Fn(usize) -> u8) -> Vec<Vec<Set>> {
    let mut known: BTreeSet<Vec<Vec<u8>>> = BTreeSet::new();
    let mut all = Vec::new();
    split(of, most, &mut Vec::new(), &mut |requests: &[Set]| {
        let kinds = |request: &Set| {
            let mut kinds: Vec<u8> = bits(*request as u64).map(kind).collect();
            kinds.sort_unstable();
            kinds
        };
        let mut shape: Vec<Vec<u8>> = requests.iter().map(kinds).collect();
        shape.sort_unstable();
        if known.insert(shape) {
            all.push(requests.to_vec());
        }
    });
    all
}

fn split(of: Set, most: usize, requests: &mut Vec<Set>, take: &mut dyn FnMut(&[Set])) {
    if of == 0 {
        return take(requests);
    }
    let first = of & of.wrapping_neg();
    let rest = of & !first;
    for others in subsets(rest).chain([0]) {
        if (others.count_ones() as usize) < most {
            requests.push(first | others);
            split(rest & !others, most, requests, take);
            requests.pop();
        }
    }
}
