//! Who comes in when: the part of a plan that can go in the most orders.
//!
//! The dead go first, or take turns with the others (`kinds` says when). Healthy voters go after every
//! new voter votes (ZKQ7). In between, newcomers, observers that get a vote, ids that go to other
//! machines and addresses that move may take turns, and each observer may get its vote where it
//! stands or by way of a non-voting follower.

use std::ops::Range;

use super::cost::Cost;
use super::kinds::{
    Kind, What, dead_take_turns, gives_up, gives_up_vote, kinds, late_ones, leaves_and_comes_back,
    readdressed, votes_now, votes_wanted, without_dead,
};
use super::lattice::{Edge, Lattice, Price};
use super::order::{Goal, Prefer, fixed_tolerance, is_healthy, observes_first};
use super::removal::{Removal, removals};
use super::together::{choices, may_go_together, most};
use super::votes::{Electorate, Vote, Worth};
use crate::diff::{Change, ChangeKind};
use crate::model::Server;

/// More combinations than this are not searched: then observers get their votes after everybody has
/// come in, one zone after the other.
pub(super) const MOST_NODES: usize = 20_000;

/// The same where one request may take several changes, so that there are more ways from each.
pub(super) const MOST_NODES_TOGETHER: usize = 1000;

/// What comes in by one request, or the moment at which addresses move.
#[derive(Debug, Clone)]
pub(super) enum Bring<'a> {
    Join(Vec<&'a Change>),
    /// Where they stand.
    Promote(Vec<&'a Change>),
    /// By way of non-voting followers.
    Relist(Vec<&'a Change>),
    Replace(&'a Change),
    Readdress,
    /// The dead give up their votes, or their places.
    Bury(Vec<&'a Change>),
}

/// Everything that comes in, in the best order.
pub(super) struct Way<'a> {
    pub(super) steps: Vec<Bring<'a>>,
    /// Who goes then.
    pub(super) removal: Removal<'a>,
    /// That of both.
    cost: Cost,
}

/// The best way to bring everybody in.
///
/// Some voters whose ids go to other machines may take turns with those that leave; and who goes with
/// whom, where requests take several out, may be worth more requests or not.
pub(super) fn bring_in(goal: &Goal) -> Way<'_> {
    let electorate = Electorate::new(&goal.facts, &goal.diff.target, &goal.policy);
    let [now, wanted] = [votes_now, votes_wanted].map(|votes| votes(goal, &electorate));
    let most = electorate.worth(&now).min(electorate.worth(&wanted));
    let mut best: Option<Way<'_>> = None;
    for late in late_ones(goal, &electorate) {
        let cannot_gain = |known: &Way<'_>| {
            known.cost.is_legal && known.cost.risks == 0 && known.cost.worst.min(most) == most
        };
        if best.as_ref().is_some_and(cannot_gain) {
            break;
        }
        for removal in removals(goal, &late) {
            let next = way(goal, &late, removal);
            let merit = |way: &Way<'_>| way.cost.merit(goal.prefer);
            if best.as_ref().is_none_or(|known| merit(&next) > merit(known)) {
                best = Some(next);
            }
        }
    }
    best.unwrap_or_else(|| unreachable!("servers go in some way"))
}

fn way<'a>(goal: &'a Goal, late: &[&'a Change], removal: Removal<'a>) -> Way<'a> {
    let search = Search::new(goal, late, removal.cost.worst);
    let mut lattice = search.lattice();
    lattice.keep_legal();
    lattice.shortest(|price| price.risks);
    let rest = search.rest;
    if goal.prefer == Prefer::Fewest {
        lattice.shortest(|price| price.reconfigs);
    }
    lattice.widest(rest.spare, |price| price.spare);
    lattice.widest(rest.zone, |price| price.zone);
    lattice.shortest(|price| price.reconfigs);
    lattice.shortest(|price| price.windows);
    let mut cost = Cost { worst: rest, ..Cost::NONE }.and(removal.cost);
    let steps = lattice.way().into_iter().map(|(step, price)| {
        cost = cost.and(price.cost());
        step
    });
    let steps: Vec<Bring<'_>> = steps.collect();
    cost.worst = cost.worst.min(search.worst_if_held(&steps, &removal));
    Way { steps, removal, cost }
}

struct Search<'a> {
    goal: &'a Goal,
    electorate: Electorate,
    /// The votes once the dead are out, where they go first.
    base: Vec<Vote>,
    /// Whether the base survives the loss of a zone.
    survives_zones: bool,
    tolerance: i64,
    kinds: Vec<Kind<'a>>,
    /// The worst of all moments on which this search has no influence.
    rest: Worth,
}

impl<'a> Search<'a> {
    fn new(goal: &'a Goal, late: &[&'a Change], removal: Worth) -> Self {
        let electorate = Electorate::new(&goal.facts, &goal.diff.target, &goal.policy);
        let first = votes_now(goal, &electorate);
        let now = electorate.worth(&first);
        let base =
            if dead_take_turns(goal) { first } else { without_dead(goal, &electorate, first) };
        let mut search = Self {
            kinds: kinds(goal, &electorate, late),
            survives_zones: electorate.has_zones() && now.zone >= 0,
            tolerance: i64::from(fixed_tolerance(goal)).min(now.spare),
            goal,
            electorate,
            base,
            rest: now,
        };
        search.rest = search.worst_of_the_rest(late, now.min(removal));
        search
    }

    /// The base, every moment of the removal, and the leader's own change in the end.
    fn worst_of_the_rest(&self, late: &[&Change], now: Worth) -> Worth {
        let mut votes = self.base.clone();
        for kind in &self.kinds {
            for change in &kind.servers {
                self.bring(&mut votes, kind.what, change);
            }
        }
        let mut worst = now.min(self.electorate.worth(&votes));
        for change in gives_up(self.goal) {
            self.take(&mut votes, change);
        }
        self.bring_all(&mut votes, What::Replace, late);
        // Whoever leads goes last.
        for change in &self.goal.diff.changes {
            let mut away = votes.clone();
            match change.kind {
                ChangeKind::Readdress(fields) if fields.quorum && is_healthy(self.goal, change) => {
                    self.leave(&mut away, What::Readdress, change);
                    worst.spare = worst.spare.min(self.electorate.spare(&away));
                }
                ChangeKind::Replace if leaves_and_comes_back(self.goal, change) => {
                    self.leave(&mut away, What::Replace, change);
                    worst = worst.min(self.electorate.worth(&away));
                }
                _ => {}
            }
        }
        worst
    }

    /// A voter whose id goes to another machine and that leads when it is its turn may go at any
    /// later moment: whenever another is elected.
    fn worst_if_held(&self, steps: &[Bring<'_>], removal: &Removal<'_>) -> Worth {
        let mut votes = self.base.clone();
        let mut worst = self.rest;
        let mut held: Vec<&Change> = Vec::new();
        let mut look = |votes: &[Vote], held: &[&Change]| {
            for change in held {
                let mut away = votes.to_vec();
                self.leave(&mut away, What::Replace, change);
                worst = worst.min(self.electorate.worth(&away));
            }
        };
        for step in steps {
            match step {
                Bring::Join(changes) => self.bring_all(&mut votes, What::Join, changes),
                Bring::Promote(changes) | Bring::Relist(changes) => {
                    self.bring_all(&mut votes, What::Promote, changes);
                }
                Bring::Replace(change) => {
                    self.bring(&mut votes, What::Replace, change);
                    held.extend(leaves_and_comes_back(self.goal, change).then_some(*change));
                }
                Bring::Readdress => {}
                Bring::Bury(changes) => {
                    self.bring_all(&mut votes, What::Bury { leave: true }, changes);
                }
            }
            look(&votes, &held);
        }
        for request in &removal.order {
            for change in request {
                if change.kind == ChangeKind::Replace {
                    self.bring(&mut votes, What::Replace, change);
                } else {
                    self.take(&mut votes, change);
                }
            }
            look(&votes, &held);
        }
        worst
    }

    fn take(&self, votes: &mut [Vote], change: &Change) {
        votes[self.electorate.number(change.id)].votes = false;
    }

    /// A server that moves does not answer for a moment, one that goes to another machine leaves.
    fn leave(&self, votes: &mut [Vote], what: What, change: &Change) {
        let vote = &mut votes[self.electorate.number(change.id)];
        vote.up = false;
        if what == What::Replace {
            vote.votes = false;
        }
    }

    fn bring_all(&self, votes: &mut [Vote], what: What, changes: &[&Change]) {
        for change in changes {
            self.bring(votes, what, change);
        }
    }

    fn bring(&self, votes: &mut [Vote], what: What, change: &Change) {
        let vote = &mut votes[self.electorate.number(change.id)];
        match what {
            What::Join => {
                let votes = change.after.as_ref().is_some_and(Server::votes);
                *vote = Vote { votes: votes && !observes_first(self.goal, change), up: true };
            }
            What::Replace | What::Promote => {
                let votes = change.after.as_ref().is_some_and(Server::votes);
                *vote = Vote { votes, up: true };
            }
            What::Readdress => {}
            What::Bury { .. } => vote.votes = false,
        }
    }

    fn lattice(&self) -> Lattice<Bring<'a>> {
        let sizes: Vec<usize> = self.kinds.iter().map(Kind::steps).collect();
        let product = sizes
            .iter()
            .try_fold(1_usize, |all, size| all.checked_mul(size + 1))
            .unwrap_or(usize::MAX);
        let most_nodes = if most(self.goal) > 1 { MOST_NODES_TOGETHER } else { MOST_NODES };
        let mut edges = Vec::new();
        if product <= most_nodes {
            for node in 0..product {
                let done = digits(node, &sizes);
                let votes = self.votes_at(&done);
                for choice in self.choices(&done, 0..sizes.len()) {
                    let step = |at: usize| choice[at] * stride(&sizes, at);
                    let to = node + (0..sizes.len()).map(step).sum::<usize>();
                    self.add_edges(&mut edges, [node, to], &votes, (&done, &choice));
                }
            }
            return Lattice::new(product, edges);
        }
        let mut done = vec![0; sizes.len()];
        let mut node = 0;
        for at in 0..sizes.len() {
            while done[at] < sizes[at] {
                let votes = self.votes_at(&done);
                for choice in self.choices(&done, at..at + 1) {
                    let to = node + choice[at];
                    self.add_edges(&mut edges, [node, to], &votes, (&done, &choice));
                }
                done[at] += 1;
                node += 1;
            }
        }
        Lattice::new(node + 1, edges)
    }

    /// How many of each kind may come next, by one request: only of those kinds, and only of like
    /// ones.
    fn choices(&self, done: &[usize], of: Range<usize>) -> Vec<Vec<usize>> {
        let mut all = Vec::new();
        let mut at = of.start;
        while at < of.end {
            let what = self.kinds[at].what;
            let like = self.kinds[at..of.end].iter().take_while(|kind| kind.what == what).count();
            let left = |kind: usize| self.kinds[kind].steps() - done[kind];
            let left: Vec<usize> = (at..at + like).map(left).collect();
            let most = match what {
                What::Join | What::Promote | What::Bury { .. } => most(self.goal),
                What::Replace | What::Readdress => 1,
            };
            for some in choices(&left, most) {
                let mut choice = vec![0; done.len()];
                choice[at..at + like].copy_from_slice(&some);
                all.push(choice);
            }
            at += like;
        }
        all
    }

    fn votes_at(&self, done: &[usize]) -> Vec<Vote> {
        let mut votes = self.base.clone();
        for (kind, done) in self.kinds.iter().zip(done) {
            for change in kind.servers.iter().take(*done) {
                self.bring(&mut votes, kind.what, change);
            }
        }
        votes
    }

    fn add_edges(
        &self,
        edges: &mut Vec<Edge<Bring<'a>>>,
        [from, to]: [usize; 2],
        votes: &[Vote],
        (done, choice): (&[usize], &[usize]),
    ) {
        let Some(first) = choice.iter().position(|count| *count > 0) else { return };
        let what = self.kinds[first].what;
        let of_kind = |at: usize| self.kinds[at].servers.iter().skip(done[at]).take(choice[at]);
        let mut changes: Vec<&Change> = (first..choice.len()).flat_map(of_kind).copied().collect();
        changes.sort_by_key(|change| change.id);
        // Who comes in as an observer is promoted when all are in.
        let is_in = |change: &&Change| votes[self.electorate.number(change.id)].up;
        let observes_first = |change: &&Change| observes_first(self.goal, change);
        if what == What::Promote && changes.iter().any(observes_first) {
            let mut joins = self.kinds.iter().filter(|kind| kind.what == What::Join);
            if !joins.all(|kind| kind.servers.iter().all(is_in)) {
                return;
            }
        }
        let mut add = |what, price| edges.push(Edge { from, to, what, price });
        match (what, changes.as_slice()) {
            (What::Join, all) => {
                let price = self.joins(votes, What::Join, all);
                add(Bring::Join(changes), price);
            }
            (What::Promote, all) => {
                add(Bring::Promote(all.to_vec()), self.get_votes_in_place(votes, all));
                let mut price = self.joins(votes, What::Promote, all);
                price.reconfigs += 1;
                price.windows += self.window(self.electorate.worth(votes).zone);
                add(Bring::Relist(changes), price);
            }
            (What::Replace, all) => {
                for change in all.iter().filter(|change| !self.is_to_be_buried(change, done)) {
                    add(Bring::Replace(change), self.replaces(votes, change));
                }
            }
            (What::Readdress, _) => add(Bring::Readdress, self.moves(votes)),
            (What::Bury { .. }, all) => {
                let price = self.buries(votes, all);
                add(Bring::Bury(changes), price);
            }
        }
    }

    /// Whether a dead server has yet to leave before it comes back.
    fn is_to_be_buried(&self, change: &Change, done: &[usize]) -> bool {
        self.kinds.iter().zip(done).any(|(kind, done)| {
            matches!(kind.what, What::Bury { .. })
                && kind.servers.iter().skip(*done).any(|other| other.id == change.id)
        })
    }

    /// Servers that follow without a vote get one, or become observers.
    fn joins(&self, votes: &[Vote], what: What, changes: &[&Change]) -> Price {
        let mut after = votes.to_vec();
        self.bring_all(&mut after, what, changes);
        let mut without = after.clone();
        let mut any_votes = false;
        for change in changes {
            let server = self.electorate.number(change.id);
            any_votes |= after[server].votes;
            without[server].up &= !after[server].votes;
        }
        let is_needed = any_votes && self.electorate.spare(&without) < 0;
        let mut price = self.price(votes, [&after, &after], any_votes, usize::from(is_needed));
        price.is_legal &= may_go_together(self.goal, &self.electorate, [votes, &after]);
        price
    }

    /// An observer does not acknowledge its own promotion (`Leader.isQuorumSynced`).
    fn get_votes_in_place(&self, votes: &[Vote], changes: &[&Change]) -> Price {
        let mut after = votes.to_vec();
        self.bring_all(&mut after, What::Promote, changes);
        let mut during = after.clone();
        let servers = changes.iter().map(|change| self.electorate.number(change.id));
        servers.clone().for_each(|server| during[server].up = false);
        let mut price = self.price(votes, [&during, &after], true, 0);
        price.is_legal &= servers.into_iter().all(|server| votes[server].up);
        price.is_legal &= may_go_together(self.goal, &self.electorate, [votes, &after]);
        price
    }

    /// The votes of servers that do not answer go.
    fn buries(&self, votes: &[Vote], changes: &[&Change]) -> Price {
        let mut after = votes.to_vec();
        self.bring_all(&mut after, What::Bury { leave: true }, changes);
        let changes_votes = changes.iter().any(|change| gives_up_vote(change));
        let mut price = self.price(votes, [&after, &after], changes_votes, 0);
        let least = if self.goal.facts.one_voter_possible { 1 } else { 2 };
        price.is_legal &= after.iter().filter(|vote| vote.votes).count() >= least;
        price.is_legal &= may_go_together(self.goal, &self.electorate, [votes, &after]);
        price
    }

    fn replaces(&self, votes: &[Vote], change: &Change) -> Price {
        let mut left = votes.to_vec();
        self.leave(&mut left, What::Replace, change);
        let back = self.joins(&left, What::Replace, &[change]);
        if !is_healthy(self.goal, change) {
            return back;
        }
        let voted = votes[self.electorate.number(change.id)].votes;
        let leaving = self.price(votes, [&left, &left], voted, 0);
        Price {
            is_legal: leaving.is_legal && back.is_legal,
            risks: back.risks,
            spare: leaving.spare.min(back.spare),
            zone: leaving.zone.min(back.zone),
            windows: leaving.windows + back.windows,
            reconfigs: 2,
        }
    }

    /// All addresses move in one phase, each server away for a moment.
    fn moves(&self, votes: &[Vote]) -> Price {
        let mut all = self.price(votes, [votes, votes], false, 0);
        all.reconfigs = 0;
        for change in readdressed(self.goal) {
            let mut away = votes.to_vec();
            self.leave(&mut away, What::Readdress, change);
            let voted = votes[self.electorate.number(change.id)].votes;
            let spare = self.electorate.spare(&away);
            all.is_legal &= !voted || spare >= 0 && spare + 1 >= self.tolerance;
            all.spare = all.spare.min(spare);
            all.reconfigs += 1;
            all.windows += self.window(all.zone);
        }
        all
    }

    fn price(
        &self,
        before: &[Vote],
        [during, after]: [&[Vote]; 2],
        changes_votes: bool,
        risks: usize,
    ) -> Price {
        let overlaps = self.goal.policy.changes_per_step == 0
            || !changes_votes
            || self.electorate.overlaps(before, after);
        let [was, during] = [before, during].map(|votes| self.electorate.spare(votes));
        let after = self.electorate.worth(after);
        let is_legal =
            !changes_votes || overlaps && during >= 0 && was.min(during) >= self.tolerance;
        let spare = was.min(during).min(after.spare);
        let windows = self.window(after.zone);
        Price { is_legal, risks, spare, zone: after.zone, windows, reconfigs: 1 }
    }

    fn window(&self, zone: i64) -> usize {
        usize::from(self.survives_zones && zone < 0)
    }
}

/// How much of each kind is done at a node.
pub(super) fn digits(mut node: usize, sizes: &[usize]) -> Vec<usize> {
    let mut digits = vec![0; sizes.len()];
    for (digit, size) in digits.iter_mut().zip(sizes).rev() {
        *digit = node % (size + 1);
        node /= size + 1;
    }
    digits
}

pub(super) fn stride(sizes: &[usize], at: usize) -> usize {
    sizes[at + 1..].iter().map(|size| size + 1).product()
}
