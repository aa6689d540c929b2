//! Servers with `reconfigEnabled` beside servers without it.
//!
//! A server with `reconfigEnabled=false` takes no configuration from others
//! (`QuorumPeer.processReconfig`), and stays at the version of its own file, which is 0. So two things
//! can keep a server away for good: [`Barred`].

use std::sync::Arc;

use super::config::Config;
use super::process::{PeerState, Process, ProcessId};
use super::server_file::ServerFile;
use super::tree::Tree;
use super::truth::{CommittedConfig, SimEvent};
use super::world::World;
use crate::model::{Server, ServerId};

/// Why a server that runs looks for a leader for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Barred {
    /// Its config version is higher than the leader's, which refuses it (`LearnerHandler`: "Follower
    /// is ahead of the leader (has a later activated configuration)").
    IsAhead,
    /// It has `reconfigEnabled=false` and hears of a higher version with another text than its own.
    /// It cannot take that on, and begins its election again each time
    /// (`FastLeaderElection.WorkerReceiver`).
    CannotAdopt,
}

impl World {
    /// The same ensemble, before anything has happened to it, where servers run with these files.
    /// One with `reconfigEnabled=false` is at version 0, and where the leader is one, all are.
    #[must_use]
    pub fn with_files(mut self, of: impl Fn(ServerId) -> ServerFile) -> Self {
        let bare = Config::new(0, self.config.config.membership.clone());
        for process in &mut self.processes {
            process.file = of(process.id());
            process.runs = process.file.clone();
        }
        let leads = self.term.map(|term| &self.processes[term.place.0]);
        let is_bare = leads.is_some_and(|leader| !leader.runs.reconfig_enabled);
        for process in &mut self.processes {
            if is_bare || !process.runs.reconfig_enabled {
                (process.config, process.seen) = (Arc::clone(&bare), Arc::clone(&bare));
            }
        }
        if is_bare {
            self.tree = Arc::new(Tree::new(&bare));
            let first = CommittedConfig { config: Arc::clone(&bare), base: -1, by: None, at_ms: 0 };
            self.truth.configs = vec![first];
            self.config = bare;
        }
        self
    }

    /// Lays down the first files of a process that does not run, as a tool does that knows nothing of
    /// what has changed since: `reconfigEnabled=false`, and no version.
    pub fn lay_first_files(&mut self, at: ProcessId) {
        let bare = Config::new(0, self.process(at).config.config.membership.clone());
        let process = self.process_mut(at);
        process.file.reconfig_enabled = false;
        (process.config, process.seen) = (Arc::clone(&bare), bare);
    }

    /// Why a process cannot come back as things are, if that is so.
    pub fn barred(&self, at: ProcessId) -> Option<Barred> {
        let process = self.process(at);
        if !process.is_up() || process.now != PeerState::Looking {
            return None;
        }
        let newest = self.newest_heard(process.side)?;
        let Some(own) = process.believes(newest) else { return Some(Barred::CannotAdopt) };
        let leader = self.leader_of(process.side).filter(|leader| *leader != at)?;
        let is_ahead = own.version() > self.process(leader).config.version();
        is_ahead.then_some(Barred::IsAhead)
    }

    /// The leader that is up on that side of the network.
    fn leader_of(&self, side: u8) -> Option<ProcessId> {
        let place = self.term?.place;
        let leader = self.process(place);
        (leader.is_up() && leader.side == side).then_some(place)
    }

    /// The newest configuration that those who look for a leader there hear of: from each other, and
    /// from the leader and its learners if there is one.
    pub(super) fn newest_heard(&self, side: u8) -> Option<&Arc<Config>> {
        let is_led = self.leader_of(side).is_some();
        let speaks = |process: &&Process| {
            let is_there = process.is_up() && process.side == side;
            is_there && (is_led || process.now == PeerState::Looking)
        };
        let all = self.processes.iter().filter(speaks);
        all.map(|process| &process.config).max_by_key(|config| config.version())
    }

    /// The configuration under which a winner leads. One with `reconfigEnabled=true` gives a
    /// configuration of version 0 the first version of its epoch (`Leader.lead`); one without leads
    /// under that of its own file.
    pub(super) fn leads_under(&mut self, winner: ProcessId, known: Arc<Config>, epoch: u64) {
        let is_enabled = |process: &Process| process.runs.reconfig_enabled;
        let raises = is_enabled(self.process(winner)) && known.version() == 0;
        let own =
            if raises { Config::new(epoch << 32, known.config.membership.clone()) } else { known };
        let has_none = self.config.version() == 0;
        let is_mixed = raises || has_none || !self.processes.iter().all(is_enabled);
        if !is_mixed || own.version() == self.config.version() {
            return;
        }
        Arc::make_mut(&mut self.tree).configure(&own);
        let (config, at_ms) = (Arc::clone(&own), self.now_ms);
        self.truth.configs.push(CommittedConfig { config, base: -1, by: None, at_ms });
        self.say(SimEvent::Reconfigured(own.version()));
        self.config = own;
    }
}

impl Process {
    /// The configuration with which it takes part in an election in which that one is the newest;
    /// `None` where it never comes to an end.
    pub(super) fn believes<'a>(&'a self, newest: &'a Arc<Config>) -> Option<&'a Arc<Config>> {
        if newest.version() <= self.config.version() {
            Some(&self.config)
        } else if self.runs.reconfig_enabled {
            Some(newest)
        } else {
            self.has_members_of(newest).then_some(&self.config)
        }
    }

    /// Whether its own file has the same members (`QuorumMaj.equals`). Where the file has client ports
    /// apart from the members, its own line gets the port when it is read
    /// (`QuorumPeerConfig.setupClientPort`), so no text of others is like it.
    fn has_members_of(&self, other: &Config) -> bool {
        let mut own = self.config.config.membership.clone();
        if let Some(line) = own.get(self.id()).filter(|line| line.client.is_none()).cloned() {
            own.put(Server { client: self.line.client.clone(), ..line });
        }
        own == other.config.membership
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClientAddress, Membership};
    use crate::simulator::{Rules, Timing};

    /// Three servers without `reconfigEnabled`, of which server 3 leads. `client` is the client part of
    /// their lines; without it each has its port in its own file.
    fn bare(client: &str) -> World {
        let line = |id: i64| {
            let text = format!("server.{id}=10.0.0.{id}:2888:3888:participant{client}");
            Server::parse_line(&text).expect("a line")
        };
        let members = Membership::of((1..=3).map(line));
        let off = ServerFile { reconfig_enabled: false, ..ServerFile::default() };
        let world = World::new(members, Timing::default(), Rules::default());
        let mut world = world.with_files(|_| off.clone());
        for at in 0..3 {
            let client = ClientAddress::on_all_addresses(2181);
            world.process_mut(ProcessId(at)).line.client = Some(client);
        }
        world
    }

    fn at(number: usize) -> ProcessId {
        ProcessId(number - 1)
    }

    fn settle(world: &mut World) {
        let then = world.now_ms() + 3000;
        world.advance(then);
    }

    fn enable(world: &mut World, number: usize) {
        world.process_mut(at(number)).file.reconfig_enabled = true;
    }

    fn restart(world: &mut World, number: usize) {
        world.kill(at(number));
        settle(world);
        assert!(world.start(at(number)));
        settle(world);
    }

    /// Has that server lead, with the third one away meanwhile.
    fn lead(world: &mut World, number: usize) {
        let leader = world.leader().expect("a leader");
        let third = (1..=3).map(at).find(|one| *one != leader && *one != at(number));
        let third = third.expect("a third server");
        world.kill(third);
        settle(world);
        assert!(world.write_many(1), "two of three are a quorum");
        world.kill(leader);
        world.start(third);
        settle(world);
        assert_eq!(world.leader(), Some(at(number)), "it has the latest log");
    }

    fn versions(world: &World) -> Vec<u64> {
        world.processes().map(|(_, process)| process.config().version()).collect()
    }

    #[test]
    fn a_leader_with_it_gives_the_configuration_its_first_version() {
        let mut world = bare(";2181");
        assert_eq!((world.config().version(), versions(&world)), (0, vec![0; 3]));
        enable(&mut world, 2);
        assert!(!world.process(at(2)).runs.reconfig_enabled, "read at the next start");
        restart(&mut world, 2);
        assert_eq!(versions(&world), vec![0; 3], "under a leader without it nothing shows");
        lead(&mut world, 2);
        let version = world.config().version();
        assert!(version > 0 && version.trailing_zeros() >= 32, "{version:x}");
        assert_eq!(versions(&world)[..2], [0, version], "server 1 keeps its own");
    }

    #[test]
    fn a_version_above_that_of_the_leader_keeps_a_server_away_until_the_others_have_it() {
        let mut world = bare(";2181");
        enable(&mut world, 2);
        restart(&mut world, 2);
        lead(&mut world, 2);
        world.start(at(3));
        settle(&mut world);
        let version = world.config().version();
        lead(&mut world, 1);
        assert_eq!(world.config().version(), 0);
        world.start(at(2));
        settle(&mut world);
        assert_eq!(world.barred(at(2)), Some(Barred::IsAhead));
        restart(&mut world, 2);
        assert_eq!(world.barred(at(2)), Some(Barred::IsAhead), "a restart alone is no cure");
        enable(&mut world, 3);
        restart(&mut world, 3);
        let leads = (world.leader(), world.config().version());
        assert_eq!(leads, (Some(at(3)), version), "server 3 has taken the version on");
        enable(&mut world, 1);
        restart(&mut world, 1);
        assert_eq!(versions(&world), vec![version; 3]);
        assert!(world.commits());
    }

    #[test]
    fn a_server_whose_file_is_not_the_text_never_ends_its_election() {
        let mut world = bare("");
        enable(&mut world, 2);
        restart(&mut world, 2);
        lead(&mut world, 2);
        world.start(at(3));
        settle(&mut world);
        assert_eq!(world.barred(at(3)), Some(Barred::CannotAdopt));
        restart(&mut world, 3);
        assert_eq!(world.barred(at(3)), Some(Barred::CannotAdopt));
        enable(&mut world, 3);
        restart(&mut world, 3);
        assert_eq!(world.barred(at(3)), None);
        let version = world.config().version();
        assert_eq!(versions(&world), [0, version, version]);
        restart(&mut world, 1);
        assert_eq!(world.barred(at(1)), Some(Barred::CannotAdopt), "it was in before");
    }

    #[test]
    fn the_first_files_of_all_but_the_leader_are_no_way_back() {
        let mut world = bare(";2181");
        for number in [1, 2, 3] {
            enable(&mut world, number);
            restart(&mut world, number);
        }
        assert!(world.config().version() > 0);
        world.kill(at(1));
        world.lay_first_files(at(1));
        world.start(at(1));
        settle(&mut world);
        assert_eq!(versions(&world)[0], 0);
        assert_eq!(world.barred(at(1)), None, "as long as a server with a version leads");
    }
}
