//! The answers of a server to four-letter words, in ZooKeeper's own format.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::in_flight::Route;
use super::process::{Condition, PeerState, Process, ProcessId};
use super::tree::Tree;
use super::world::World;
use crate::ensemble::{
    CONFIG, ConfigRead, FolderRead, FourLetterWord, IDENTITY_NAME, Kept, NoAnswer, Node, PortState,
};
use crate::model::{Folder, Host};

/// The release that every server reports.
const RELEASE: &str = "3.9.4-simulated, built on 2025-08-19 19:50 UTC";

/// The limit on listed digests.
const LISTED: usize = 8;

impl World {
    /// The answer of the server. `None` while no answer arrives.
    pub(super) fn word(
        &self,
        at: Option<ProcessId>,
        word: FourLetterWord,
    ) -> Option<Result<String, NoAnswer>> {
        let Some(at) = at else { return Some(Err(NoAnswer::Refused)) };
        let process = &self.processes[at.0];
        if process.hidden {
            return None;
        }
        match process.condition {
            Condition::Down => return Some(Err(NoAnswer::Refused)),
            Condition::Frozen => return None,
            Condition::Up => {}
        }
        // The whitelist is checked before anything else (`CommandExecutor`).
        Some(if word != FourLetterWord::Srvr && !process.runs.allows_words {
            Err(NoAnswer::NotWhitelisted)
        } else if process.now == PeerState::Looking {
            Err(NoAnswer::NotServing)
        } else {
            Ok(self.text(at, word))
        })
    }

    /// Why a server gave no answer in time.
    pub(super) fn silence(&self, at: Option<ProcessId>) -> NoAnswer {
        match at.map(|at| &self.processes[at.0]) {
            None => NoAnswer::Refused,
            Some(process) if process.hidden => NoAnswer::ConnectTimedOut,
            Some(_) => NoAnswer::AnswerTimedOut,
        }
    }

    fn text(&self, at: ProcessId, word: FourLetterWord) -> String {
        let process = &self.processes[at.0];
        let mut text = String::with_capacity(512);
        let written = match word {
            FourLetterWord::Srvr => {
                let mode = match process.now {
                    PeerState::Leading => "leader",
                    PeerState::Following | PeerState::Looking => "follower",
                    PeerState::Observing => "observer",
                };
                let (zxid, znodes) = (process.applied, self.shown(at).len());
                let connections = self.connected(at).count() + 1;
                write!(
                    text,
                    "Zookeeper version: {RELEASE}\nLatency min/avg/max: 0/0.0/0\n\
                     Connections: {connections}\nOutstanding: 0\nZxid: {zxid:#x}\nMode: {mode}\n\
                     Node count: {znodes}\n"
                )
            }
            FourLetterWord::Conf => self.conf(&mut text, process),
            FourLetterWord::Mntr => {
                let znodes = self.shown(at).len();
                let mismatches = u8::from(process.alien);
                let state = match process.now {
                    PeerState::Leading => "leading",
                    PeerState::Following | PeerState::Looking => "following",
                    PeerState::Observing => "observing",
                };
                let written = write!(
                    text,
                    "zk_version\t{RELEASE}\nzk_peer_state\t{state} - broadcast\n\
                     zk_znode_count\t{znodes}\nzk_approximate_data_size\t{}\n\
                     zk_digest_mismatches_count\t{mismatches}\nzk_quorum_size\t{}\n",
                    znodes * 64,
                    process.config.voters.len()
                );
                written.and_then(|()| self.learners(&mut text, at))
            }
            FourLetterWord::Cons => self.connected(at).try_for_each(|session| {
                writeln!(text, " /10.255.0.1:40000[1](queued=0,recved=1,sent=1,sid={session:#x})")
            }),
            FourLetterWord::Dump => writeln!(text, "SessionTracker dump:"),
            FourLetterWord::Hash => {
                let kept = self.digests.iter().rev();
                let kept = kept.filter(|zxid| **zxid <= process.applied);
                let mut kept = kept.filter(|zxid| **zxid > process.digests_from).take(LISTED);
                let salt = |zxid: u64| u64::from(process.alien || zxid <= process.fuzzy_to);
                kept.try_for_each(|zxid| writeln!(text, "{zxid:x}: {}", zxid * 31 + salt(*zxid)))
            }
        };
        if written.is_err() {
            unreachable!("a text takes whatever is written to it")
        }
        text
    }

    /// The settings of a server (`ConfCommand`).
    fn conf(&self, text: &mut String, process: &Process) -> std::fmt::Result {
        let (peer, timing) = (process.line.peer(), &self.timing);
        let client = process.line.client.as_ref().map_or(0, |client| client.port);
        let config = String::from_utf8_lossy(&process.config.text);
        let (election, quorum) = (peer.election_port, peer.quorum_port);
        let of_timing = [
            ("tickTime", timing.tick_ms),
            ("initLimit", timing.init_limit),
            ("syncLimit", timing.sync_limit),
        ];
        let of_timing = of_timing.map(|(key, number)| (key.to_owned(), number));
        let mut numbers = BTreeMap::from(of_timing);
        numbers.extend(process.runs.numbers.clone());
        write!(text, "clientPort={client}\nserverId={}\n", process.id())?;
        numbers.iter().try_for_each(|(key, number)| writeln!(text, "{key}={number}"))?;
        write!(text, "electionPort={election}\nquorumPort={quorum}\nmembership: \n{config}\n")
    }

    /// The figures of a leader about its learners (`Leader.getNonVotingFollowers`,
    /// `LeaderZooKeeperServer .dumpMonitorValues`): those of participant type, and how many of them
    /// have no vote.
    fn learners(&self, text: &mut String, at: ProcessId) -> std::fmt::Result {
        let process = &self.processes[at.0];
        if process.now != PeerState::Leading || self.term.is_none_or(|term| term.place != at) {
            return Ok(());
        }
        let mut synced = self.synced();
        synced.remove(&process.id());
        let getting = self.processes.iter().filter(|p| p.is_up() && p.syncing.is_some()).count();
        let observing = self
            .processes
            .iter()
            .filter(|p| p.is_up() && p.now == PeerState::Observing && p.epoch == process.epoch);
        let learners = synced.len() + observing.count() + getting;
        let without_vote = synced.iter().filter(|id| !process.config.voters.contains(id)).count();
        writeln!(
            text,
            "zk_learners\t{learners}\nzk_synced_followers\t{}\n\
             zk_synced_non_voting_followers\t{without_vote}",
            synced.len()
        )
    }

    /// The sessions that are connected to a server.
    fn connected(&self, at: ProcessId) -> impl Iterator<Item = i64> {
        let incarnation = self.processes[at.0].incarnation;
        let there = self.sessions.iter().filter(move |(_, held)| {
            held.kept && held.owner == at && held.incarnation == incarnation
        });
        there.map(|(id, _)| *id)
    }

    /// The result of a new session if the server answers at once: the session reads after three
    /// writes, which are its beginning, an empty transaction, and its end.
    pub(super) fn read_once(&mut self, at: ProcessId) -> Option<ConfigRead> {
        let lags = self.processes[at.0].lag_until > self.now_ms;
        if lags || self.route(at) != Route::Direct || !self.commits() {
            return None;
        }
        self.given += 3;
        let zxid = self.given;
        self.passed(zxid);
        Some(self.reading(at))
    }

    /// The configuration that a session reads there.
    pub(super) fn reading(&self, at: ProcessId) -> ConfigRead {
        let tree = self.shown(at);
        let text = |path| Some(String::from_utf8_lossy(&tree.get(path)?.data).into_owned());
        let config = tree.get(CONFIG);
        let [low, ..] = self.processes[at.0].id().get().to_le_bytes();
        ConfigRead {
            server_id_byte: low,
            config: text(CONFIG).unwrap_or_default(),
            config_data_version: config.as_ref().map_or(-1, |node| node.version),
            config_mzxid: config.map_or(0, |node| node.mzxid),
            folder: folder(tree),
        }
    }

    /// The result of a port check. Every server listens on its election port, only the leader on
    /// its quorum port (`Leader`, `QuorumCnxManager.Listener`).
    pub(super) fn port_state(&self, host: &Host, port: u16) -> PortState {
        let address = self.address(host);
        let mut here =
            self.processes.iter().filter(|process| process.address == address).peekable();
        if here.peek().is_some_and(|process| process.hidden) {
            return PortState::Unreachable;
        }
        let listens = here.any(|process| {
            let (peer, leads) = (process.line.peer(), process.now == PeerState::Leading);
            let client = process.line.client.as_ref().map(|client| client.port);
            process.condition != Condition::Down
                && (peer.election_port == port
                    || client == Some(port)
                    || leads && peer.quorum_port == port)
        });
        if listens { PortState::Open } else { PortState::Refused }
    }
}

/// The state that zkplan keeps in the tree.
fn folder(tree: &Tree) -> FolderRead {
    let folder = Folder::default();
    let identity = folder.child(IDENTITY_NAME);
    let text = |node: Node| node.text();
    let acl = tree.acl(folder.as_str());
    let is_empty = acl.as_ref().is_none_or(|acl| acl.children == 0);
    let acl = Ok(acl);
    let here = tree.acl(&identity).zip(tree.get(&identity).map(text));
    FolderRead {
        folder,
        config: tree.acl(CONFIG).map(|acl| acl.entries).unwrap_or_default(),
        is_empty,
        before: acl.clone(),
        identity: here.map_or(Kept::Absent, |(acl, text)| Kept::Here { acl, text }),
        after: acl,
    }
}
