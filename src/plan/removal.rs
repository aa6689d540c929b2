//! Who goes when: in any order, or, where the loss of a zone or the weight of a vote tells voters
//! apart and that is better, in the best one.
//!
//! Whoever leads goes last, so that an order of removals is worth what it is with any one of them
//! held back.

use std::collections::BTreeMap;

use super::Rule;
use super::lattice::{Edge, Lattice, Price};
use super::order::Goal;
use super::search::{MOST_NODES, digits, gives_up, stride, votes_now, without_dead};
use super::together::{go_together, most};
use super::votes::{Electorate, Vote, Worth};
use crate::diff::{Change, ChangeKind};
use crate::model::Server;

/// Voters that go, request after request, and whether in that order.
pub(super) struct Removal<'a> {
    pub(super) order: Vec<Vec<&'a Change>>,
    pub(super) rule: Rule,
    /// The worst moment, whoever is held back.
    pub(super) worst: Worth,
    /// Risks to be accepted.
    pub(super) risks: usize,
}

/// Healthy voters that leave or become observers; with those whose ids go to other machines among
/// them, where these are to take turns.
pub(super) fn removal<'a>(goal: &'a Goal, returning: &[&'a Change]) -> Removal<'a> {
    let mut any = gives_up(goal);
    any.extend(returning);
    any.sort_by_key(|change| (leaves(change), change.id));
    let electorate = Electorate::new(&goal.facts, &goal.diff.target, &goal.policy);
    if most(goal) > 1 {
        return together(goal, &electorate, any);
    }
    let is_weighted = goal.facts.base.membership.is_weighted();
    let going = Going::new(&electorate, votes_before(goal, &electorate), &any);
    let tells_apart = any.len() > 1 && (electorate.has_zones() || is_weighted);
    let ordered = (tells_apart || !returning.is_empty()).then(|| {
        let order = going.best_order();
        (going.in_order(&order), order)
    });
    let any_order = || if is_weighted { going.at_any_node() } else { Some(going.in_any_order()) };
    let unordered = returning.is_empty().then(any_order).flatten();
    match (ordered, unordered) {
        (Some((worth, order)), None) => going.removal(order, &worth),
        (Some((worth, order)), Some(other)) if worth.merit() > other.merit() => {
            going.removal(order, &worth)
        }
        (_, other) => {
            let other = other.unwrap_or(Moments::none());
            let order = any.into_iter().map(|change| vec![change]).collect();
            Removal { order, rule: Rule::LeaderLast, worst: other.worst, risks: 0 }
        }
    }
}

/// More requests than this are not looked at in every order.
const MOST_SUBSETS: usize = 10;

/// The same where one request takes several out: those that become observers, then those that leave.
fn together<'a>(goal: &'a Goal, electorate: &Electorate, any: Vec<&'a Change>) -> Removal<'a> {
    let votes = votes_before(goal, electorate);
    let voters = votes.iter().filter(|vote| vote.votes).count();
    let (leaving, demoted) = any.into_iter().partition(|change| leaves(change));
    let order = go_together(goal, voters, vec![demoted, leaving]);
    let worth = |gone: &mut dyn Iterator<Item = &Vec<&Change>>| {
        let mut votes = votes.clone();
        for change in gone.flatten() {
            votes[electorate.number(change.id)].votes = false;
        }
        electorate.worth(&votes)
    };
    let mut worst = Moments::none().worst;
    if order.len() <= MOST_SUBSETS {
        for some in 1..1_usize << order.len() {
            let is_gone = |(at, _): &(usize, &Vec<&Change>)| some >> at & 1 == 1;
            let mut gone = order.iter().enumerate().filter(is_gone).map(|(_, request)| request);
            worst = worst.min(worth(&mut gone));
        }
    } else {
        for count in 1..=order.len() {
            worst = worst.min(worth(&mut order.iter().take(count)));
        }
    }
    Removal { order, rule: Rule::LeaderLast, worst, risks: 0 }
}

fn leaves(change: &Change) -> bool {
    change.after.is_none()
}

/// The votes when everybody is in.
fn votes_before(goal: &Goal, electorate: &Electorate) -> Vec<Vote> {
    let mut votes = without_dead(goal, electorate, votes_now(goal, electorate));
    for change in &goal.diff.changes {
        if change.after.as_ref().is_some_and(Server::votes) {
            let moves = matches!(change.kind, ChangeKind::Readdress(_));
            let vote = &mut votes[electorate.number(change.id)];
            *vote = Vote { votes: true, up: vote.up || !moves };
        }
    }
    votes
}

/// Voters that go, those that are alike as one class.
struct Going<'e, 'a> {
    electorate: &'e Electorate,
    votes: Vec<Vote>,
    classes: Vec<Vec<&'a Change>>,
    sizes: Vec<usize>,
}

impl<'e, 'a> Going<'e, 'a> {
    fn new(electorate: &'e Electorate, votes: Vec<Vote>, going: &[&'a Change]) -> Self {
        let mut classes: BTreeMap<_, Vec<&Change>> = BTreeMap::new();
        for change in going {
            let server = electorate.number(change.id);
            let returns = change.kind == ChangeKind::Replace;
            let place = (electorate.zone(server), electorate.weight(server));
            let class = (returns, leaves(change), place);
            classes.entry(class).or_default().push(change);
        }
        let classes: Vec<Vec<&Change>> = classes.into_values().collect();
        let sizes = classes.iter().map(Vec::len).collect();
        Self { electorate, votes, classes, sizes }
    }

    fn removal(&self, order: Vec<usize>, worth: &Moments) -> Removal<'a> {
        let mut queues: Vec<_> = self.classes.iter().map(|class| class.iter()).collect();
        let order = order.into_iter().filter_map(|class| queues[class].next().copied());
        let order = order.map(|change| vec![change]).collect();
        let (worst, risks) = (worth.worst, worth.risks);
        Removal { order, rule: Rule::InOrder, worst, risks }
    }

    /// Whether its servers come back on another machine.
    fn returns(&self, class: usize) -> bool {
        self.classes[class][0].kind == ChangeKind::Replace
    }

    /// Who votes when so many of each class are gone.
    fn votes(&self, gone: &[usize]) -> Vec<Vote> {
        let mut votes = self.votes.clone();
        for class in (0..gone.len()).filter(|class| !self.returns(*class)) {
            for change in self.classes[class].iter().take(gone[class]) {
                votes[self.electorate.number(change.id)].votes = false;
            }
        }
        votes
    }

    /// What is left when one of that class has gone, at worst, if any one of all may be held back.
    fn worth(&self, class: usize, gone: &[usize]) -> Worth {
        let mut worst = self.worth_without(gone, self.returns(class).then_some(class));
        let mut held = gone.to_vec();
        for other in (0..gone.len()).filter(|other| gone[*other] > 0) {
            if self.returns(other) {
                // It led when it was its turn, and goes only now.
                worst = worst.min(self.worth_without(gone, Some(other)));
                continue;
            }
            held[other] -= 1;
            let away = self.returns(class).then_some(class);
            worst = worst.min(self.worth_without(&held, away));
            held[other] += 1;
        }
        worst
    }

    /// What is left when so many are gone and, for now, one that returns.
    fn worth_without(&self, gone: &[usize], away: Option<usize>) -> Worth {
        let mut votes = self.votes(gone);
        if let Some(class) = away {
            votes[self.electorate.number(self.classes[class][0].id)].votes = false;
        }
        self.electorate.worth(&votes)
    }

    /// What is left at the end when one that returns leads, and so goes last.
    fn worst_end(&self) -> Worth {
        let returning = (0..self.classes.len()).filter(|class| self.returns(*class));
        let worths = returning.map(|class| self.worth(class, &self.sizes));
        worths.fold(Moments::none().worst, Worth::min)
    }

    /// Whether the quorum needs the very server that comes back.
    fn risks(&self, class: usize, gone: &[usize]) -> usize {
        let mut votes = self.votes(gone);
        votes[self.electorate.number(self.classes[class][0].id)].up = false;
        usize::from(self.returns(class) && self.electorate.spare(&votes) < 0)
    }

    fn nodes(&self) -> Option<usize> {
        let product = self.sizes.iter().try_fold(1_usize, |all, size| all.checked_mul(size + 1))?;
        (product <= MOST_NODES).then_some(product)
    }

    /// The class that goes next, step by step.
    fn best_order(&self) -> Vec<usize> {
        let Some(nodes) = self.nodes() else { return self.good_order() };
        let mut edges = Vec::new();
        for from in 0..nodes {
            let mut gone = digits(from, &self.sizes);
            for class in 0..self.sizes.len() {
                if gone[class] == self.sizes[class] {
                    continue;
                }
                gone[class] += 1;
                let worth = self.worth(class, &gone);
                let price = Price {
                    is_legal: self.meets(class, &gone),
                    risks: self.risks(class, &gone),
                    spare: worth.spare,
                    zone: worth.zone,
                    windows: usize::from(worth.zone < 0),
                    reconfigs: 1,
                };
                let to = from + stride(&self.sizes, class);
                edges.push(Edge { from, to, what: class, price });
                gone[class] -= 1;
            }
        }
        let mut lattice = Lattice::new(nodes, edges);
        lattice.keep_legal();
        lattice.shortest(|price| price.risks);
        let end = self.worst_end();
        lattice.widest(end.spare, |price| price.spare);
        lattice.widest(end.zone, |price| price.zone);
        lattice.shortest(|price| price.windows);
        lattice.way().into_iter().map(|(class, _)| class).collect()
    }

    /// Whether quorums before and after one of that class has gone meet, if any one of the others may
    /// have been held back, and goes only later or only now.
    fn meets(&self, class: usize, gone: &[usize]) -> bool {
        if !self.electorate.is_weighted() {
            return true;
        }
        let without = |gone: &[usize], class: usize| {
            let mut fewer = gone.to_vec();
            fewer[class] -= 1;
            fewer
        };
        let meet = |class: usize, gone: &[usize]| {
            let before = without(gone, class);
            self.electorate.overlaps(&self.votes(&before), &self.votes(gone))
        };
        let may_be_held = |other: &usize| gone[*other] > usize::from(*other == class);
        meet(class, gone)
            && (0..gone.len())
                .filter(may_be_held)
                .all(|other| meet(class, &without(gone, other)) && meet(other, gone))
    }

    /// At each step the class that leaves most behind; of those, the one of the fullest zone.
    ///
    /// Of voters that differ in their zones alone this is best at every step: what is left is worth
    /// what its fullest zone leaves of it.
    fn good_order(&self) -> Vec<usize> {
        let mut gone = vec![0; self.sizes.len()];
        let mut order = Vec::new();
        loop {
            let left = (0..gone.len()).filter(|class| gone[*class] < self.sizes[*class]);
            let best = left.max_by_key(|class| {
                let mut next = gone.clone();
                next[*class] += 1;
                let worth = self.worth(*class, &next);
                let full = self.sizes[*class] - gone[*class];
                (worth.spare, worth.zone, full, std::cmp::Reverse(*class))
            });
            let Some(best) = best else { return order };
            gone[best] += 1;
            order.push(best);
        }
    }

    fn in_order(&self, order: &[usize]) -> Moments {
        let mut gone = vec![0; self.sizes.len()];
        let mut merit = Moments::none();
        for class in order {
            gone[*class] += 1;
            merit.add(self.worth(*class, &gone));
            merit.risks += self.risks(*class, &gone);
        }
        merit
    }

    /// At each size what is worst: those that stand elsewhere go first, zone by zone. Those that
    /// become observers go before those that leave.
    fn in_any_order(&self) -> Moments {
        let total: usize = self.sizes.iter().sum();
        let mut worst: Vec<Option<Worth>> = vec![None; total];
        for last in 0..self.classes.len() {
            let zone = |class: &usize| {
                let server = self.electorate.number(self.classes[*class][0].id);
                (self.electorate.zone(server), self.electorate.weight(server))
            };
            let mut order: Vec<usize> = (0..self.classes.len()).collect();
            order
                .sort_by_key(|class| (leaves(self.classes[*class][0]), zone(class) == zone(&last)));
            let mut gone = vec![0; self.sizes.len()];
            let mut count = 0;
            for class in order {
                for _ in 0..self.sizes[class] {
                    gone[class] += 1;
                    let worth = self.worth(class, &gone);
                    worst[count] = Some(worst[count].map_or(worth, |known| known.min(worth)));
                    count += 1;
                }
            }
        }
        let mut merit = Moments::none();
        worst.into_iter().flatten().for_each(|worth| merit.add(worth));
        merit
    }

    /// The same where weights count, which no order of classes is worst for: whatever may be gone.
    /// Nothing where quorums could miss each other in some order.
    fn at_any_node(&self) -> Option<Moments> {
        let total: usize = self.sizes.iter().sum();
        let mut worst: Vec<Option<Worth>> = vec![None; total + 1];
        for node in 1..self.nodes()? {
            let gone = digits(node, &self.sizes);
            let count: usize = gone.iter().sum();
            for class in (0..gone.len()).filter(|class| gone[*class] > 0) {
                if !self.meets(class, &gone) {
                    return None;
                }
                let worth = self.worth(class, &gone);
                worst[count] = Some(worst[count].map_or(worth, |known| known.min(worth)));
            }
        }
        let mut merit = Moments::none();
        worst.into_iter().flatten().for_each(|worth| merit.add(worth));
        Some(merit)
    }
}

/// What an order of removals is worth.
struct Moments {
    worst: Worth,
    /// Moments that would not survive the loss of a zone.
    windows: usize,
    risks: usize,
}

impl Moments {
    const fn none() -> Self {
        Self { worst: Worth { spare: i64::MAX, zone: i64::MAX }, windows: 0, risks: 0 }
    }

    fn add(&mut self, worth: Worth) {
        self.worst = self.worst.min(worth);
        self.windows += usize::from(worth.zone < 0);
    }

    /// Larger is better.
    fn merit(&self) -> impl Ord + use<> {
        (self.worst.spare, self.worst.zone, std::cmp::Reverse(self.windows))
    }
}
