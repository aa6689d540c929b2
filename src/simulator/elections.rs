//! Time and its effects: learners are given up, leaders fall, elections, joins.
//!
//! A simplification of `FastLeaderElection` and the phases after it. The servers that look for a
//! leader on one side of the network exchange their committed configurations. The one with the
//! latest log wins. It leads if those servers are a quorum of the configuration that it knows. Not
//! modelled: two lineages from forgotten `zoo.cfg.dynamic.next` files.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::in_flight::Proposal;
use super::process::{Condition, PeerState, ProcessId};
use super::truth::SimEvent;
use super::world::{Leadership, World};
use crate::model::ServerId;

impl World {
    /// Lets time pass until then.
    pub fn advance(&mut self, to_ms: u64) {
        while let Some(due) = self.due().filter(|due| *due <= to_ms) {
            // A session that is alive now is alive until its new deadline.
            let due = due.max(self.now_ms);
            self.touch();
            self.now_ms = due;
            self.touch();
            self.fire();
        }
        if to_ms > self.now_ms {
            self.now_ms = to_ms;
            self.touch();
        }
    }

    /// When something happens next by itself.
    pub fn due(&self) -> Option<u64> {
        let sync_ms = self.timing.sync_limit * self.timing.tick_ms;
        let of_processes = self.processes.iter().flat_map(|process| {
            let lag = (process.lag_until > 0).then_some(process.lag_until);
            let out = process.out_since.map(|since| since + sync_ms);
            let awake = process.is_up();
            [lag, out, process.turns_at.filter(|_| awake), process.exits_at.filter(|_| awake)]
        });
        let falls = self.term.and_then(|term| term.falls_at);
        let election = self.election.map(|(at, _)| at);
        let mail = self.mail.iter().map(|mail| mail.due_ms).filter(|due| *due > self.now_ms).min();
        let admin_actions = self.admin_actions.iter().map(|(at, _)| *at).min();
        let rest = [falls, election, mail, admin_actions, self.next_expiry()];
        of_processes.chain(rest).flatten().min()
    }

    fn fire(&mut self) {
        let (now, sync_ms) = (self.now_ms, self.timing.sync_limit * self.timing.tick_ms);
        for at in (0..self.processes.len()).map(ProcessId) {
            let process = &mut self.processes[at.0];
            if process.lag_until > 0 && process.lag_until <= now {
                process.lag_until = 0;
                if self.is_in_touch(at) {
                    self.catch_up(at);
                }
            }
            let process = &mut self.processes[at.0];
            if process.out_since.is_some_and(|since| since + sync_ms <= now) {
                process.look();
            }
            let process = &mut self.processes[at.0];
            if process.is_up() && process.turns_at.is_some_and(|at| at <= now) {
                process.turns_at = None;
                let now = process.now;
                match now {
                    PeerState::Leading if self.term.is_none_or(|term| term.place != at) => {
                        self.processes[at.0].look();
                    }
                    PeerState::Looking if self.barred(at).is_some() => {}
                    PeerState::Looking if self.begins_sync(at) => {}
                    PeerState::Looking => self.join(at),
                    _ => {}
                }
            }
            let process = &mut self.processes[at.0];
            if process.is_up() && process.exits_at.is_some_and(|at| at <= now) {
                process.exits_at = None;
                process.condition = Condition::Down;
                process.incarnation += 1;
                self.say(SimEvent::Unbound(at));
            }
        }
        self.check_leadership();
        if self.term.is_some_and(|term| term.falls_at.is_some_and(|at| at <= now)) {
            self.end_leadership();
        }
        if let Some((_, to)) = self.election.filter(|(at, _)| *at <= now) {
            self.election = None;
            self.elect(to);
        }
        self.expire_due();
        let admin_actions: Vec<_> =
            self.admin_actions.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, action) in admin_actions {
            self.does(action);
        }
        self.refresh();
    }

    /// Draws the consequences of whatever changed.
    pub(super) fn refresh(&mut self) {
        self.check_leadership();
        self.commit_tail();
        if !self.mail.is_empty() {
            self.deliver();
        }
        self.prepare();
    }

    /// Which servers reach each other, and whether the leader still has a quorum.
    pub(super) fn check_leadership(&mut self) {
        self.acknowledged = None;
        let Some(term) = self.term else { return };
        let leader = &self.processes[term.place.0];
        if leader.condition == Condition::Down || leader.now != PeerState::Leading {
            self.end_leadership();
            return;
        }
        let awake = leader.is_up();
        for at in (0..self.processes.len()).map(ProcessId) {
            let (touch, process) = (self.is_in_touch(at), &mut self.processes[at.0]);
            if at == term.place || !process.learns() || process.epoch != term.epoch {
                if touch {
                    process.view = None;
                }
                continue;
            }
            if process.condition == Condition::Down {
                process.look();
            } else if touch {
                process.out_since = None;
                if process.lag_until == 0 && process.view.is_some() {
                    self.catch_up(at);
                }
            } else if process.out_since.is_none() {
                process.out_since = Some(self.now_ms);
                let tree = Arc::clone(&self.tree);
                process.view.get_or_insert(tree);
            }
        }
        if awake {
            let synced = self.synced();
            let pending = self.tail.iter().find_map(Proposal::config);
            let holds = self.config.is_quorum(&synced)
                && pending.is_none_or(|pending| pending.is_quorum(&synced));
            // `Leader.lead` checks every half tick.
            let falls_at = self.now_ms + self.timing.tick_ms / 2;
            if let Some(term) = &mut self.term {
                term.falls_at = if holds { None } else { Some(term.falls_at.unwrap_or(falls_at)) };
            }
        }
    }

    /// A process receives everything that has committed meanwhile.
    pub(super) fn catch_up(&mut self, at: ProcessId) {
        let (committed, end) = (self.committed, self.end_of_tail());
        let process = &mut self.processes[at.0];
        process.view = None;
        process.lag_until = 0;
        process.applied = committed;
        if process.now == PeerState::Following {
            process.logged = end;
        } else {
            process.logged = committed;
        }
        self.adopt(at);
    }

    fn end_of_tail(&self) -> u64 {
        self.tail.last().map_or(self.committed, |last| last.zxid)
    }

    /// The leader stops leading. Servers that notice look for another.
    fn end_leadership(&mut self) {
        let Some(term) = self.term else { return };
        self.say(SimEvent::SteppedDown(term.place));
        for at in (0..self.processes.len()).map(ProcessId) {
            let heard = self.processes[term.place.0].side == self.processes[at.0].side;
            let process = &mut self.processes[at.0];
            if process.learns() && process.is_up() && heard && process.epoch == term.epoch {
                process.look();
            }
        }
        let leader = &mut self.processes[term.place.0];
        if leader.is_up() {
            leader.look();
        }
        self.term = None;
        self.acknowledged = None;
    }

    /// Plans the end of the election, if servers are looking for a leader.
    fn prepare(&mut self) {
        self.retire_thawed();
        if !self.processes.iter().any(|p| p.is_up() && p.now == PeerState::Looking) {
            return;
        }
        let led = self.term.map(|term| &self.processes[term.place.0]);
        let led = led.filter(|leader| leader.is_up()).map(|leader| leader.side);
        let soon = self.now_ms + self.timing.join_ms;
        for process in &mut self.processes {
            let looks = process.is_up() && process.now == PeerState::Looking;
            if looks && Some(process.side) == led {
                process.turns_at.get_or_insert(soon);
            }
        }
        if self.election.is_none()
            && self.sides().any(|side| Some(side) != led && self.winner(side, None).is_some())
        {
            self.election = Some((self.now_ms + self.timing.election_ms, None));
        }
    }

    /// A deposed leader that was frozen notices soon.
    fn retire_thawed(&mut self) {
        let (epoch, term) = (self.term.map(|term| term.epoch), self.term.map(|term| term.place));
        let soon = self.now_ms + self.timing.tick_ms / 2;
        for (at, process) in self.processes.iter_mut().enumerate() {
            if process.now == PeerState::Leading && Some(ProcessId(at)) != term {
                process.turns_at.get_or_insert(soon);
            } else if process.learns()
                && process.is_up()
                && process.out_since.is_none()
                && epoch != Some(process.epoch)
            {
                // The leader that it knew is no more.
                process.look();
            }
        }
    }

    /// The sides of the network on which a server looks for a leader.
    fn sides(&self) -> impl Iterator<Item = u8> {
        let looking = self.processes.iter().filter(|p| p.is_up() && p.now == PeerState::Looking);
        looking.map(|process| process.side).collect::<BTreeSet<u8>>().into_iter()
    }

    /// The winner among the servers that look on that side, if they are enough.
    fn winner(&self, side: u8, handed: Option<ProcessId>) -> Option<ProcessId> {
        let looking = || {
            self.processes().filter(|(_, process)| {
                process.is_up() && process.now == PeerState::Looking && process.side == side
            })
        };
        // Notifications carry the committed configuration, and a newer one is taken on
        // (`FastLeaderElection.WorkerReceiver`), or keeps a server from voting.
        let newest = self.newest_heard(side)?;
        let voting = || looking().filter(|(_, process)| process.believes(newest).is_some());
        let candidates = voting().filter(|(at, process)| {
            let votes = newest.voters.contains(&process.id())
                || process.seen.version() > newest.version() && process.votes();
            votes && (newest.is_electable(process.id()) || Some(*at) == handed)
        });
        let best =
            candidates.max_by_key(|(at, p)| (Some(*at) == handed, p.epoch, p.logged, p.id()));
        let (best, process) = best?;
        let own = process.believes(newest)?;
        let all: Vec<ProcessId> = voting().map(|(at, _)| at).collect();
        let there = self.voting_for(best, &all);
        let there: BTreeSet<ServerId> = there.iter().map(|at| self.process(*at).id()).collect();
        // A proposed configuration needs its quorum too (`QuorumPeer.getLastSeenQuorumVerifier`).
        let enough = own.is_quorum(&there)
            && (process.seen.version() <= own.version() || process.seen.is_quorum(&there));
        enough.then_some(best)
    }

    fn elect(&mut self, handed: Option<ProcessId>) {
        let led = self.term.map(|term| &self.processes[term.place.0]);
        let led = led.filter(|leader| leader.is_up()).map(|leader| leader.side);
        let sides: Vec<u8> = self.sides().filter(|side| Some(*side) != led).collect();
        for side in sides {
            if let Some(winner) = self.winner(side, handed) {
                self.crown(winner, side);
                return;
            }
        }
    }

    fn crown(&mut self, winner: ProcessId, side: u8) {
        if let Some(term) = self.term {
            if self.leader().is_some() && self.config.is_quorum(&self.acknowledging()) {
                let (one, other) = (self.process(term.place).id(), self.process(winner).id());
                self.truth.rivals.push((one, other));
                self.say(SimEvent::TwoLeaders(term.place, winner));
            }
            let tick = usize::try_from(self.timing.tick_ms).unwrap_or(usize::MAX);
            let noticed = self.now_ms + 1 + self.choose(tick) as u64;
            self.retire(term.place, noticed);
        }
        let looking: Vec<ProcessId> = self
            .processes()
            .filter(|(_, p)| p.is_up() && p.now == PeerState::Looking && p.side == side)
            .map(|(at, _)| at)
            .collect();
        let voting = self.voting_for(winner, &looking);
        let known =
            self.newest_heard(side).and_then(|newest| self.process(winner).believes(newest));
        let known = known.cloned().unwrap_or_else(|| Arc::clone(&self.config));
        let epochs = looking.iter().map(|at| self.processes[at.0].epoch);
        let epoch = epochs.max().unwrap_or(0).max(self.given >> 32) + 1;
        let logged = self.processes[winner.0].logged;
        if logged < self.committed {
            self.truth.lost.push(self.committed);
            self.say(SimEvent::Lost(self.committed));
        }
        self.forget_beyond(logged);
        self.given = epoch << 32;
        self.term = Some(Leadership { place: winner, epoch, falls_at: None });
        self.say(SimEvent::Elected(winner, epoch));
        self.touch_all();
        let end = self.end_of_tail();
        let leader = &mut self.processes[winner.0];
        leader.now = PeerState::Leading;
        leader.epoch = epoch;
        leader.turns_at = None;
        leader.view = None;
        leader.applied = self.committed;
        leader.logged = end;
        self.leads_under(winner, known, epoch);
        self.adopt(winner);
        for at in voting {
            let id = self.processes[at.0].id();
            let next = self.tail.iter().find_map(Proposal::config);
            let votes = self.config.voters.contains(&id);
            if at != winner && (votes || next.is_some_and(|next| next.voters.contains(&id))) {
                self.admit(at);
            }
        }
        self.acknowledged = None;
        if !self.config.voters.contains(&self.processes[winner.0].id()) {
            let acknowledged = self.acknowledging();
            self.hand_over(&acknowledged);
        }
    }

    /// Whether a process begins to write the data that it received. This takes time: it does not
    /// serve meanwhile, and new commits are sent afterwards.
    fn begins_sync(&mut self, at: ProcessId) -> bool {
        let Some(term) = self.term.filter(|_| self.timing.sync_ms > 0) else { return false };
        let leader = &self.processes[term.place.0];
        let is_there = leader.is_up() && leader.side == self.processes[at.0].side;
        let process = &mut self.processes[at.0];
        if !is_there || process.logged > 0 || process.syncing.is_some() {
            return false;
        }
        process.syncing = Some((Arc::clone(&self.config), self.committed));
        process.turns_at = Some(self.now_ms + self.timing.sync_ms);
        true
    }

    /// Of those that look for a leader, the ones that end the election with it and that it admits.
    fn voting_for(&self, winner: ProcessId, looking: &[ProcessId]) -> Vec<ProcessId> {
        let Some(newest) = self.newest_heard(self.process(winner).side) else { return Vec::new() };
        let version = |at: ProcessId| Some(self.process(at).believes(newest)?.version());
        let own = version(winner);
        looking.iter().copied().filter(|at| version(*at).is_some_and(|v| Some(v) <= own)).collect()
    }

    /// A process that has found the leader connects to it.
    fn join(&mut self, at: ProcessId) {
        if self.barred(at).is_none() {
            self.admit(at);
        }
    }

    /// A process follows the leader, with its data (`Learner.syncWithLeader`).
    fn admit(&mut self, at: ProcessId) {
        let syncing = self.processes[at.0].syncing.take();
        let Some(term) = self.term else { return };
        let leader = &self.processes[term.place.0];
        if !leader.is_up() || leader.side != self.processes[at.0].side || at == term.place {
            return;
        }
        let committed = self.committed;
        let process = &mut self.processes[at.0];
        if process.logged == 0 {
            process.digests_from = syncing.as_ref().map_or(committed, |(_, zxid)| *zxid);
            process.fuzzy_to = committed;
        }
        if let Some((known, zxid)) = syncing {
            // A reconfig is activated between NEWLEADER and UPTODATE only if it is the first
            // proposal of that time (`packetsNotCommitted.peekFirst`). The process knows every
            // configuration that was proposed.
            let version = self.config.version();
            if version > zxid + 1 && version != known.version() {
                (process.config, process.seen) = (known, Arc::clone(&self.config));
                process.missed = Some(version);
            }
        }
        process.epoch = term.epoch;
        process.out_since = None;
        process.turns_at = None;
        // The learner type follows from the leader's configuration.
        self.adopt(at);
        let process = &mut self.processes[at.0];
        process.now = process.learner();
        process.turns_at = None;
        self.catch_up(at);
        self.acknowledged = None;
        self.say(SimEvent::Joined(at));
    }
}
