//! An ensemble in memory that is in the trouble that a folder describes.
//!
//! Every server has the configuration in `live` and answers every word; the highest voter that runs
//! leads, and where those that run are no quorum, nobody serves. Lines of `facts` change that:
//!
//! ```text
//! no-leader                servers run, and nobody leads
//! release 3.9.3            what everybody runs
//! only-srvr                no other word is whitelisted
//! unresolved zk-4          that name has no address
//! history OTHER 4 5        servers 4 and 5 have the configuration in the file OTHER; the last leads
//! 3 config OTHER           server 3 follows with the configuration in the file OTHER
//! 3 answers-as 1           server 3 takes itself for server 1
//! 3 standalone             server 3 knows of no ensemble
//! 3 frozen                 server 3 accepts connections and never answers
//! 3 hides                  server 3 does its part and answers no client
//! 3 differs                server 3 has other data than the leader at the same zxid
//! 3 ports 3888 2888        server 3 has these for quorum and election
//! 2 looks                  server 2 runs, and finds no leader
//! 1 reached at 10.0.0.1    server 1 has no address in its line, and clients reach it there
//! 4 stays at 10.0.0.4      server 4 is neither member nor wanted, and still follows
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use zkplan::ensemble::{
    ConfigRead, Ensemble, FolderRead, FourLetterWord, Mode, NoAnswer, PortState,
};
use zkplan::model::{Endpoint, EnsembleConfig, Host, Server, ServerId};
use zkplan::spec::Spec;

/// What everybody's last transaction is.
const ZXID: u64 = 0x1_0000_0080;

/// The port to it.
pub(super) struct Stage {
    actors: Vec<Actor>,
    only_srvr: bool,
    unresolved: BTreeSet<String>,
}

/// One server.
#[derive(Clone)]
struct Actor {
    at: Endpoint,
    id: ServerId,
    mode: Mode,
    config: String,
    silent: Option<NoAnswer>,
    release: String,
    digest: i64,
    ports: (u16, u16),
}

impl Stage {
    /// Reads a folder.
    pub(super) fn set(folder: &Path, spec: &Spec) -> Self {
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let live = read("live");
        let config = EnsembleConfig::parse(live.trim_end()).expect("`live` is a configuration");
        let (down, following) = (ids(&read("down")), ids(&read("following")));
        let mut actors: BTreeMap<ServerId, Actor> = BTreeMap::new();
        for server in config.membership.servers() {
            let mode = if server.votes() { Mode::Follower } else { Mode::Observer };
            actors.insert(server.id, actor(server, spec, mode, &live));
        }
        for wanted in spec.servers.values().filter(|w| !config.membership.contains(w.server.id)) {
            let mut joiner = actor(&wanted.server, spec, Mode::Follower, &live);
            let follows = following.contains(&wanted.server.id);
            joiner.silent = (!follows).then_some(NoAnswer::Refused);
            actors.insert(wanted.server.id, joiner);
        }
        for id in &down {
            actors.get_mut(id).expect("who is down is somebody").silent = Some(NoAnswer::Refused);
        }
        let mut stage = Self { actors: Vec::new(), only_srvr: false, unresolved: BTreeSet::new() };
        let mut play = Play { actors, leads: true, others: BTreeSet::new() };
        for line in read("facts").lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["only-srvr"] => stage.only_srvr = true,
                ["unresolved", host] => drop(stage.unresolved.insert((*host).to_owned())),
                words => play.fact(words, &read),
            }
        }
        stage.actors = play.cast(&config);
        stage
    }

    fn find(&self, at: &Endpoint) -> Result<&Actor, NoAnswer> {
        if self.unresolved.contains(at.host.as_str()) {
            return Err(NoAnswer::Unresolved);
        }
        // A re-addressed server does not listen at its next address yet.
        let actor = self.actors.iter().find(|actor| actor.at == *at).ok_or(NoAnswer::Refused)?;
        actor.silent.map_or(Ok(actor), Err)
    }
}

/// What is made of facts.
struct Play {
    actors: BTreeMap<ServerId, Actor>,
    leads: bool,
    /// Servers of another history.
    others: BTreeSet<ServerId>,
}

impl Play {
    fn fact(&mut self, words: &[&str], read: &dyn Fn(&str) -> String) {
        match words {
            ["no-leader"] => self.leads = false,
            ["release", release] => {
                for actor in self.actors.values_mut() {
                    (*release).clone_into(&mut actor.release);
                }
            }
            ["history", file, ids @ ..] => {
                let config = read(file);
                for id in ids {
                    let actor = self.actor(id);
                    actor.config.clone_from(&config);
                    actor.silent = None;
                }
                self.others.extend(ids.iter().map(|id| self::id(id)));
                self.actor(ids.last().expect("a server")).mode = Mode::Leader;
            }
            [id, "config", file] => {
                let config = read(file);
                let actor = self.actor(id);
                actor.config = config;
                actor.silent = None;
            }
            [id, "answers-as", other] => self.actor(id).id = self::id(other),
            [id, "standalone"] => {
                let actor = self.actor(id);
                (actor.mode, actor.silent) = (Mode::Standalone, None);
            }
            [id, "frozen"] => self.actor(id).silent = Some(NoAnswer::AnswerTimedOut),
            [id, "hides"] => self.actor(id).silent = Some(NoAnswer::NoRoute),
            [id, "looks"] => self.actor(id).silent = Some(NoAnswer::NotServing),
            [id, "reached", "at", host] => self.actor(id).at.host = Host::new(host),
            [id, "differs"] => self.actor(id).digest += 1,
            [id, "ports", quorum, election] => {
                let port = |text: &str| text.parse().expect("a port");
                self.actor(id).ports = (port(quorum), port(election));
            }
            [id, "stays", "at", host] => {
                let mut ghost = self.actors.values().next().expect("a member").clone();
                ghost.id = self::id(id);
                ghost.at.host = Host::new(host);
                self.actors.insert(ghost.id, ghost);
            }
            unknown => panic!("no fact: {}", unknown.join(" ")),
        }
    }

    fn actor(&mut self, id: &str) -> &mut Actor {
        self.actors.get_mut(&self::id(id)).unwrap_or_else(|| panic!("there is no server {id}"))
    }

    /// Gives the lead to somebody, or takes the service from everybody.
    fn cast(mut self, config: &EnsembleConfig) -> Vec<Actor> {
        let members = &config.membership;
        let does_its_part = |id: &ServerId, actor: &Actor| {
            let acts = actor.mode.in_ensemble() && !self.others.contains(id);
            acts && matches!(actor.silent, None | Some(NoAnswer::NoRoute))
        };
        let part = self.actors.iter().filter(|(id, actor)| does_its_part(id, actor));
        let part: BTreeSet<ServerId> = part.map(|(id, _)| *id).collect();
        let acting: BTreeSet<ServerId> = members.voters().intersection(&part).copied().collect();
        if self.leads && members.is_quorum(&acting) {
            let leader = acting.last().and_then(|id| self.actors.get_mut(id));
            leader.expect("a quorum is somebody").mode = Mode::Leader;
        } else {
            for id in &part {
                let actor = self.actors.get_mut(id).expect("one of them");
                actor.silent = actor.silent.or(Some(NoAnswer::NotServing));
            }
        }
        self.actors.into_values().collect()
    }
}

/// A server that runs, at the address that its line gives it, or the spec.
fn actor(server: &Server, spec: &Spec, mode: Mode, config: &str) -> Actor {
    let wanted = spec.servers.get(&server.id).and_then(|wanted| wanted.endpoint(false));
    let at = server.client_endpoint().or(wanted);
    let peer = server.peer();
    Actor {
        at: at.unwrap_or_else(|| Endpoint::plain(peer.host.clone(), 2181)),
        id: server.id,
        mode,
        config: config.trim_end().to_owned(),
        silent: None,
        release: "3.9.4".to_owned(),
        digest: 7,
        ports: (peer.quorum_port, peer.election_port),
    }
}

fn id(text: &str) -> ServerId {
    ServerId::new(text.parse().expect("a server id"))
}

fn ids(text: &str) -> BTreeSet<ServerId> {
    text.split_whitespace().map(id).collect()
}

impl Actor {
    fn answer(&self, word: FourLetterWord) -> String {
        let Self { at, id, mode, config, release, digest, ports: (quorum, election), .. } = self;
        match word {
            FourLetterWord::Srvr => format!(
                "Zookeeper version: {release}-0, built on 2025-01-01 00:00 UTC\nConnections: 1\n\
                 Zxid: {ZXID:#x}\nMode: {}\nNode count: {}\n",
                mode.word(),
                // With other data it has other znodes.
                digest - 2
            ),
            FourLetterWord::Conf if *mode == Mode::Standalone => {
                "clientPort=2181\nserverId=0\n".to_owned()
            }
            FourLetterWord::Conf => format!(
                "clientPort={}\ntickTime=2000\nserverId={id}\nelectionPort={election}\n\
                 quorumPort={quorum}\nmembership: \n{config}",
                at.port
            ),
            FourLetterWord::Mntr => {
                format!("zk_version\t{release}\nzk_approximate_data_size\t27\n")
            }
            FourLetterWord::Cons | FourLetterWord::Dump => String::new(),
            FourLetterWord::Hash => format!("{ZXID:x}: {digest}\n"),
        }
    }
}

impl Ensemble for Stage {
    async fn ask(&self, at: &Endpoint, word: FourLetterWord) -> Result<String, NoAnswer> {
        let actor = self.find(at)?;
        if self.only_srvr && word != FourLetterWord::Srvr {
            return Err(NoAnswer::NotWhitelisted);
        }
        Ok(actor.answer(word))
    }

    async fn read(&self, at: &Endpoint) -> Result<ConfigRead, NoAnswer> {
        let actor = self.find(at)?;
        let version = EnsembleConfig::parse(&actor.config).map(|config| config.version);
        let mzxid = version.map_or(0, |version| version.as_zxid().get());
        Ok(ConfigRead {
            server_id_byte: actor.id.get().to_le_bytes()[0],
            config: actor.config.clone(),
            config_data_version: -1,
            config_mzxid: i64::try_from(mzxid).expect("a version is no negative number"),
            folder: FolderRead::default(),
        })
    }

    async fn admin(&self, _base: &str, _command: &str) -> Result<serde_json::Value, NoAnswer> {
        Err(NoAnswer::Refused)
    }

    async fn check_port(&self, host: &Host, port: u16) -> PortState {
        let runs =
            |actor: &&Actor| actor.at.host == *host && actor.silent != Some(NoAnswer::Refused);
        let actor = self.actors.iter().find(runs);
        let listens = actor.is_some_and(|actor| {
            let leads = actor.mode == Mode::Leader && actor.ports.0 == port;
            leads || actor.ports.1 == port
        });
        if listens { PortState::Open } else { PortState::Refused }
    }

    /// Names have addresses of their own.
    async fn resolve(&self, host: &Host) -> Vec<IpAddr> {
        if self.unresolved.contains(host.as_str()) {
            return Vec::new();
        }
        let bytes = host.as_str().bytes();
        let [c, d] = bytes
            .fold(0_u16, |sum, b| sum.wrapping_mul(31).wrapping_add(u16::from(b)))
            .to_be_bytes();
        vec![host.literal().unwrap_or(Ipv4Addr::new(10, 9, c, d).into())]
    }

    async fn pause(&self, _time: Duration) {}
}
