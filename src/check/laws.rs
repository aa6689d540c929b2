//! The laws of one step: what it may introduce, from which moment.

use std::collections::BTreeSet;

use super::addresses::Addresses;
use super::breach::{Detail, Law, Votes};
use super::quorum::Rule as Quorum;
use super::state::{Mark, State};
use super::table::{Change, Effect, Entry, Table, majority_spare};
use crate::model::ServerId;
use crate::plan::Action;

/// One step from one moment.
pub(super) struct Transition<'a> {
    table: &'a Table<'a>,
    position: usize,
    entry: &'a Entry<'a>,
    before: &'a State,
    after: &'a State,
    /// What is spare while it is under way.
    during: i64,
}

type Found = Option<(Law, Detail)>;

impl<'a> Transition<'a> {
    pub(super) fn new(
        table: &'a Table<'a>,
        position: usize,
        [before, after]: [&'a State; 2],
    ) -> Self {
        let entry = &table.steps[position];
        let during = match &table.quorum {
            Quorum::Majority => {
                let during = before.during(&entry.changes);
                majority_spare(during.voters, during.acking)
            }
            Quorum::Weighted(weighted) => {
                let [voters, acking] = during_sets(before, after, &entry.changes);
                weighted.spare(&voters, &acking)
            }
        };
        Self { table, position, entry, before, after, during }
    }

    /// What is spare at the worse of before, under way and after.
    pub(super) fn spare(&self) -> i64 {
        self.during.min(self.table.spare(self.before)).min(self.table.spare(self.after))
    }

    /// Every law that the step breaks, but that of zones and of who goes last.
    pub(super) fn broken(
        &self,
        addresses: &Addresses,
        is_done: &dyn Fn(usize) -> bool,
    ) -> Vec<(Law, Detail)> {
        if self.entry.changes.is_empty() {
            return self.broken_by_other().into_iter().collect();
        }
        let mut found: Vec<(Law, Detail)> = Vec::new();
        found.extend(self.next());
        found.extend(self.too_little_spare());
        found.extend(self.overlap());
        found.extend(self.two_participants());
        found.extend(self.blank_newcomers());
        found.extend(self.way_back());
        for change in &self.entry.changes {
            found.extend(self.joiners(change));
            found.extend(self.ascending(change));
            found.extend(self.new_voters_first(change));
            found.extend(self.same_machine(change));
            let step = (self.position, change);
            let taken = addresses.broken(self.table, step, self.after, is_done);
            found.extend(taken.into_iter().map(|detail| (Law::Addresses, detail)));
        }
        if self.entry.is_mislabelled {
            found.push((Law::Form, Detail::Mislabelled));
        }
        if self.overtakes(is_done) {
            found.push((Law::Form, Detail::OutOfTurn));
        }
        found
    }

    /// Whether an earlier request of one of its servers is still to come. What a request finds is
    /// read off the order of each server's own requests.
    fn overtakes(&self, is_done: &dyn Fn(usize) -> bool) -> bool {
        let earlier = |change: &Change<'_>| {
            let own = self.table.reconfigs[change.server].iter();
            own.take_while(|at| **at < self.position).any(|at| !is_done(*at))
        };
        self.entry.changes.iter().any(earlier)
    }

    /// Every law that a step breaks which sends no request.
    fn broken_by_other(&self) -> Found {
        let server = *self.entry.servers.first()?;
        let (before, id) = (self.before, self.table.ids[server]);
        match &self.entry.step.action {
            Action::AwaitJoiner(_) if before.has(server, Mark::MEMBER) => {
                Some((Law::Form, Detail::Mislabelled))
            }
            Action::Start(_) | Action::AwaitJoiner(_) => {
                self.not_blank(server).map(|detail| (Law::Identity, detail))
            }
            // ZKQ13.
            Action::Stop(_) | Action::AskToStop(_) if before.has(server, Mark::MEMBER) => {
                Some((Law::StopLast, Detail::StopsMember(id)))
            }
            Action::Stop(_) | Action::AskToStop(_) => {
                let proven = before.has(server, Mark::PROVEN_GONE);
                (!proven).then_some((Law::StopLast, Detail::StopsUnproven(id)))
            }
            Action::Reconfig { .. }
            | Action::Gate(_)
            | Action::AttestBlank(_)
            | Action::Prove(_) => None,
        }
    }

    /// ZKQ11: an id may be wanted on another machine only where its old process is stopped and the
    /// new machine has no data of its own.
    fn not_blank(&self, server: usize) -> Option<Detail> {
        let sure = self.before.has(server, Mark::STOPPED | Mark::BLANK);
        (self.table.replaced[server] && !sure).then(|| Detail::NotBlank(self.table.ids[server]))
    }

    /// Whether a vote is at stake: observers come, move and go without touching the quorum.
    pub(super) fn changes_votes(&self) -> bool {
        self.entry.changes.iter().any(|change| change.voted() || change.votes())
    }

    /// The votes of the next configuration while the step is under way.
    fn votes_during(&self) -> Votes {
        let [voters, acking] = during_sets(self.before, self.after, &self.entry.changes);
        self.table.votes_of(&voters, &acking)
    }

    /// ZKQ2.
    fn next(&self) -> Found {
        if !self.changes_votes() {
            return None;
        }
        if self.during < 0 {
            return Some((Law::Next, Detail::TooFewAcknowledge(self.votes_during())));
        }
        let needed: Vec<usize> = self
            .entry
            .changes
            .iter()
            .filter(|change| change.effect == Effect::Joins && self.before.acknowledges(change))
            .map(|change| change.server)
            .collect();
        if needed.is_empty() {
            return None;
        }
        let [voters, mut acking] = during_sets(self.before, self.after, &self.entry.changes);
        acking.retain(|server| !needed.contains(server));
        let without = self.table.votes_of(&voters, &acking);
        let joiners = needed.iter().map(|server| self.table.ids[*server]).collect();
        (without.spare() < 0).then_some((Law::Next, Detail::NeedsJoiners { joiners, without }))
    }

    /// ZKQ3. A re-address in place may spend one spare for its own step.
    fn too_little_spare(&self) -> Found {
        if !self.changes_votes() {
            return None;
        }
        let before = self.table.spare(self.before);
        let moves = self.entry.changes.iter().any(|change| change.effect == Effect::Moves);
        // What it spends is spent while it is under way, not before.
        let asked = self.table.tolerance;
        let while_it_moves = asked - i64::from(moves);
        if let Some(lowest) = self.table.lowest {
            return self.goes_lower(before, while_it_moves.max(lowest));
        }
        let is_weak_before = before < asked;
        let tolerance = if is_weak_before { asked } else { while_it_moves };
        (is_weak_before || self.during < while_it_moves).then(|| {
            let votes = if before < self.during {
                self.table.votes(self.before)
            } else {
                self.votes_during()
            };
            (Law::Spare, Detail::SpareTooSmall { votes, tolerance })
        })
    }

    /// ZKQ3 in another order than that of the plan: no step takes a moment below what was promised.
    /// From one that is below it already, no step goes lower, and none takes the vote of a voter that
    /// answers: those that add voters, and those that take unreachable ones out, mend it.
    fn goes_lower(&self, before: i64, promised: i64) -> Found {
        let after = self.table.spare(self.after);
        let worst = self.during.min(after);
        let takes_vote = self.entry.changes.iter().any(|change| {
            !change.votes() && self.before.has(change.server, Mark::VOTER | Mark::LIVE)
        });
        let is_kept = worst >= promised || worst > before || worst == before && !takes_vote;
        (!is_kept).then(|| {
            let votes = if after < self.during {
                self.table.votes(self.after)
            } else {
                self.votes_during()
            };
            (Law::Spare, Detail::SpareTooSmall { votes, tolerance: promised })
        })
    }

    /// ZKQ5. An observer that gets a vote where it stands was seen too, or it would only cost quorum.
    fn joiners(&self, change: &Change<'_>) -> Found {
        let named_blindly = match change.effect {
            Effect::Joins => !self.before.has(change.server, Mark::READY),
            Effect::GainsVote => !self.before.has(change.server, Mark::LIVE),
            _ => false,
        };
        named_blindly.then(|| (Law::Joiners, Detail::NotAwaited(self.table.ids[change.server])))
    }

    /// ZKQ7, first half. An observer that comes back with a vote, and an id on a new machine, are no
    /// newcomers.
    fn ascending(&self, change: &Change<'_>) -> Found {
        let server = change.server;
        if change.effect != Effect::Joins || self.table.base[server].is_some() {
            return None;
        }
        let after = self.before.highest_joined.filter(|highest| *highest > server)?;
        let leaves = |at: &usize| {
            self.table.steps[*at]
                .changes
                .iter()
                .any(|other| other.server == server && other.effect == Effect::Leaves)
        };
        let returns = self.table.reconfigs[server].iter().any(leaves);
        let id = |server: usize| self.table.ids[server];
        let detail = Detail::NotAscending { joins: id(server), after: id(after) };
        (!returns).then_some((Law::Order, detail))
    }

    /// ZKQ7, second half.
    fn new_voters_first(&self, change: &Change<'_>) -> Found {
        let server = change.server;
        let gives_up = matches!(change.effect, Effect::Leaves | Effect::LosesVote)
            && self.before.has(server, Mark::VOTER)
            && self.table.facts.live.contains(&self.table.ids[server])
            && !self.table.replaced[server];
        let all = self.table.new_voters.iter().filter(|new| **new).count();
        if !gives_up || self.before.new_voting == all {
            return None;
        }
        let waits = |server: &usize| {
            self.table.new_voters[*server] && !self.before.has(*server, Mark::VOTER)
        };
        let waiting: BTreeSet<ServerId> =
            (0..self.table.ids.len()).filter(waits).map(|s| self.table.ids[s]).collect();
        let leaves = self.table.ids[server];
        Some((Law::Order, Detail::LeavesTooEarly { leaves, waiting }))
    }

    /// ZKQ8. Without a bound on changes, it is traded for ZooKeeper's own commit by both quorums.
    fn overlap(&self) -> Found {
        let most = match self.table.plan.policy.changes_per_step {
            0 => return None,
            most => usize::try_from(most).unwrap_or(usize::MAX),
        };
        let changed = self.entry.changes.len();
        if changed > most {
            return Some((Law::Overlap, Detail::TooManyTogether { changed, most }));
        }
        let [before, after] = [self.before, self.after];
        let overlaps = match &self.table.quorum {
            Quorum::Majority => {
                let gained = |change: &&Change<'_>| change.votes() && !change.voted();
                let together = before.voters + self.entry.changes.iter().filter(gained).count();
                before.voters / 2 + 1 + after.voters / 2 + 1 > together
            }
            Quorum::Weighted(weighted) => {
                weighted.overlap(&before.all(Mark::VOTER), &after.all(Mark::VOTER))
            }
        };
        (!overlaps).then(|| {
            let [before, after] = [before, after].map(|state| self.table.votes(state).voters);
            (Law::Overlap, Detail::NoOverlap { before, after })
        })
    }

    /// ZKQ9.
    fn two_participants(&self) -> Found {
        let left = self.after.voters;
        let floor = if self.table.facts.standalone_disabled { 1 } else { 2 };
        (left < self.before.voters && left < floor)
            .then_some((Law::TwoParticipants, Detail::TooFewParticipants { left }))
    }

    /// ZKQ11: the servers that one request brings in are no quorum of what comes out.
    fn blank_newcomers(&self) -> Found {
        let gained = |change: &&Change<'_>| change.votes() && !change.voted();
        let newcomers: Vec<usize> =
            self.entry.changes.iter().filter(gained).map(|change| change.server).collect();
        if newcomers.is_empty() {
            return None;
        }
        let votes = self.table.votes_of(&self.after.all(Mark::VOTER), &newcomers);
        let named = votes.acking.clone();
        (votes.spare() >= 0)
            .then_some((Law::Identity, Detail::BlankQuorum { newcomers: named, need: votes.need }))
    }

    /// ZKQ11: an id that is wanted on another machine is never re-addressed to it, and comes back
    /// only to one that is attested blank.
    fn same_machine(&self, change: &Change<'_>) -> Found {
        let hosts = |line: Option<&crate::model::Server>| {
            let peers = line.into_iter().flat_map(|line| &line.peers);
            peers.map(|peer| peer.host.clone()).collect::<Vec<_>>()
        };
        let detail = match change.effect {
            Effect::Joins => self.not_blank(change.server),
            Effect::Leaves => None,
            _ => (self.table.replaced[change.server]
                && hosts(change.before) != hosts(change.after))
            .then(|| Detail::OtherMachine(self.table.ids[change.server])),
        };
        detail.map(|detail| (Law::Identity, detail))
    }

    /// ZKQ12: back to where the step came from, less what was dead there.
    fn way_back(&self) -> Found {
        let back = self.before.all(Mark::VOTER | Mark::LIVE);
        let left = |server: &usize| {
            // A server that left keeps following without a vote.
            self.after.has(*server, Mark::LIVE)
                || self
                    .entry
                    .changes
                    .iter()
                    .any(|change| change.server == *server && change.effect == Effect::Leaves)
        };
        let acking: Vec<usize> = back.iter().copied().filter(left).collect();
        let lost = back.is_empty() || acking.len() < back.len();
        let votes = lost.then(|| self.table.votes_of(&back, &acking))?;
        (votes.spare() < 0).then_some((Law::WayBack, Detail::NoWayBack(votes)))
    }
}

/// The voters after a step, and those of them that can acknowledge it while it is under way.
fn during_sets(before: &State, after: &State, changes: &[Change<'_>]) -> [Vec<usize>; 2] {
    let voters = after.all(Mark::VOTER);
    let acks = |server: &usize| match changes.iter().find(|change| change.server == *server) {
        Some(change) => before.acknowledges(change),
        None => before.has(*server, Mark::LIVE),
    };
    let acking = voters.iter().copied().filter(acks).collect();
    [voters, acking]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::model::EnsembleConfig;
    use crate::observe::Facts;
    use crate::proposal::propose;

    #[test]
    fn a_step_that_overtakes_another_of_its_server_is_found() {
        let line = |id: i64| format!("server.{id}=10.0.0.{id}:2888:3888:participant;2181\n");
        let config: String = (1..=4).map(line).chain(["version=100000000".to_owned()]).collect();
        let config = EnsembleConfig::parse(&config).unwrap();
        let text = "apiVersion: zkplan/v1\nensemble: test\nservers:\n\
                    - { id: 1, host: 10.0.0.1 }\n- { id: 3, host: 10.0.0.3 }\n\
                    - { id: 4, host: 10.0.0.4 }\n\
                    - { id: 2, host: 10.0.0.2, role: observer, quorumPort: 2889 }\n";
        let target = crate::spec::parse("spec.yaml", text).unwrap().to_target();
        let checked = propose(&target, &Facts::assumed(config, &target), &[]).unwrap();
        let plan = checked.plan();
        assert!(check(plan.clone(), &plan.facts).is_ok());

        let table = Table::new(plan, &plan.facts);
        let own = &table.reconfigs[1];
        let [demote, readdress] = own[..] else { panic!("two requests for server 2: {own:?}") };
        let base = State::base(&table);
        let found = |at: usize, done: &dyn Fn(usize) -> bool| {
            let found = Transition::new(&table, at, [&base, &base]);
            let found = found.broken(&Addresses::of(&table), done);
            found.iter().any(|(_, detail)| *detail == Detail::OutOfTurn)
        };
        assert!(found(readdress, &|_| false) && !found(readdress, &|at| at == demote));
        assert!(!found(demote, &|_| false));
    }
}
