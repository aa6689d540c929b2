//! Machines on a bridge, servers on them, and the operator's own machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;

use crate::harness::{PATIENCE, lock, wait_until};
use crate::network::{self, Host};
use crate::sandbox::GROUND;
use crate::schedule::{HOSTS, Seat};
use crate::server::{Server, Setting};

/// The last byte of the operator's address.
const OPERATOR: u8 = 200;

/// Servers that run until this is dropped.
pub(crate) struct Lab {
    pub(crate) setting: Setting,
    pub(crate) operator: Arc<Host>,
    hosts: Vec<Arc<Host>>,
    servers: Mutex<BTreeMap<u8, Arc<Server>>>,
    folder: PathBuf,
}

impl Lab {
    pub(crate) fn new(setting: Setting) -> Self {
        let folder = Path::new(GROUND).join("soak");
        fs::create_dir_all(&folder).expect("memory takes files");
        let host = |number: usize| {
            let last = u8::try_from(number + 10).expect("there are few machines");
            Arc::new(Host::new(&format!("soak-{number}"), last))
        };
        let operator = Arc::new(Host::new("soak-operator", OPERATOR));
        let hosts = (0..HOSTS).map(host).collect();
        Self { setting, operator, hosts, servers: Mutex::default(), folder }
    }

    /// A file beside the servers' own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Starts the servers of the beginning, and waits until they serve.
    pub(crate) fn begin(&self, seats: &[Seat]) {
        let lines: Vec<String> = seats.iter().map(Seat::line).collect();
        for seat in seats {
            self.add(seat, lines.clone());
        }
        self.wait_serving();
    }

    /// Starts servers that are to join: each knows the members, and all joiners as observers, so
    /// that joiners never elect one among themselves.
    pub(crate) fn join<'a>(&self, members: &[Seat], joiners: impl IntoIterator<Item = &'a Seat>) {
        let joiners: Vec<&Seat> = joiners.into_iter().collect();
        let observers = joiners.iter().map(|seat| Seat { votes: false, ..(*seat).clone() });
        let lines: Vec<String> =
            members.iter().cloned().chain(observers).map(|s| s.line()).collect();
        for seat in joiners {
            self.add(seat, lines.clone());
        }
    }

    fn add(&self, seat: &Seat, lines: Vec<String>) {
        self.place(seat.id, seat.host, lines);
    }

    /// Starts a server on a machine, with the server lines of its first files.
    pub(crate) fn place(&self, id: u8, host: usize, lines: Vec<String>) {
        let host = &self.hosts[host];
        let server = Arc::new(Server::new(id, host, &self.folder, self.setting, lines));
        server.start();
        let known = lock(&self.servers).insert(id, server);
        assert!(known.is_none(), "server {id} is there already");
    }

    /// The machine of a server, started or not.
    pub(crate) fn machine(&self, seat: &Seat) -> &Host {
        &self.hosts[seat.host]
    }

    /// Takes a server away, with all that it had. It is gone on return, also where a thread that looks
    /// at all servers still has it in hand: the next one on its machine has the same addresses.
    pub(crate) fn remove(&self, id: u8) {
        if let Some(server) = lock(&self.servers).remove(&id) {
            server.kill();
        }
    }

    pub(crate) fn servers(&self) -> Vec<Arc<Server>> {
        lock(&self.servers).values().cloned().collect()
    }

    pub(crate) fn server(&self, id: u8) -> Arc<Server> {
        let servers = lock(&self.servers);
        Arc::clone(servers.get(&id).unwrap_or_else(|| panic!("there is no server {id}")))
    }

    /// The server that says it leads, if one does.
    pub(crate) fn leader(&self) -> Option<Arc<Server>> {
        self.servers().into_iter().find(|server| server.mode().as_deref() == Some("leader"))
    }

    /// The servers that do not lead.
    pub(crate) fn followers(&self) -> Vec<Arc<Server>> {
        let leader = self.leader().map(|leader| leader.id);
        self.servers().into_iter().filter(|server| Some(server.id) != leader).collect()
    }

    /// Waits until every server serves.
    pub(crate) fn wait_serving(&self) {
        self.wait("a leader, and all servers to serve", || {
            let modes: Option<Vec<String>> =
                self.servers().iter().map(|server| server.mode()).collect();
            modes?.iter().any(|mode| mode == "leader").then_some(())
        });
    }

    /// Waits; in vain, it shows where each server is.
    pub(crate) fn wait<T>(&self, what: &str, condition: impl FnMut() -> Option<T>) -> T {
        wait_until(InVain { what, lab: self }, PATIENCE, condition)
    }

    /// All machines, the operator's among them.
    pub(crate) fn everywhere(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.iter().chain([&self.operator])
    }

    /// Cuts a machine off from all others: what they send does not arrive, or what it sends, or
    /// both.
    pub(crate) fn isolate(&self, host: &Host, incoming: bool, outgoing: bool) {
        let others: Vec<&Arc<Host>> =
            self.everywhere().filter(|other| other.address != host.address).collect();
        if incoming {
            host.cut_from(others.iter().map(|other| other.address));
        }
        if outgoing {
            for other in others {
                other.cut_from([host.address]);
            }
        }
    }

    /// All links work again.
    pub(crate) fn heal_links(&self) {
        self.everywhere().for_each(|host| host.heal());
    }

    /// How many packets were dropped anywhere.
    pub(crate) fn dropped(&self) -> u64 {
        self.everywhere().map(|host| host.dropped()).sum()
    }

    /// How many bytes a server's machine has received at its client port from the operator, read by
    /// the server or not.
    pub(crate) fn received_from_operator(&self, server: &Server) -> u64 {
        let sockets = server.host().run("ss", &["--tcp", "--info", "-nHO"]);
        let (own, operator) = (server.client_address(), format!("{}]:", self.operator.address));
        let own = format!("{}]:{}", own.ip(), own.port());
        let lines = sockets.lines().filter(|line| line.contains(&own) && line.contains(&operator));
        let bytes = lines.filter_map(|line| {
            line.split("bytes_received:").nth(1)?.split(' ').next()?.parse::<u64>().ok()
        });
        bytes.sum()
    }

    /// Servers whose data are not the leader's, by a digest that both made from now on: older ones
    /// may be of a time at which a server was still being given its data.
    pub(crate) fn differing(&self) -> Vec<Arc<Server>> {
        let newest = |server: &Arc<Server>| server.digests().into_keys().max();
        let before = self.servers().iter().filter_map(newest).max();
        let differs = |server: &Arc<Server>| {
            self.wait(&format!("a digest that server {} and the leader made", server.id), || {
                let leader = self.leader()?.digests();
                let own = server.digests();
                let common = own.into_iter().rev().find(|(zxid, _)| leader.contains_key(zxid));
                let (zxid, digest) = common.filter(|(zxid, _)| Some(*zxid) > before)?;
                Some(leader[&zxid] != digest)
            })
        };
        self.servers().into_iter().filter(differs).collect()
    }

    /// Links, disks, clocks and processes work again.
    pub(crate) fn heal(&self) {
        self.heal_links();
        for server in self.servers() {
            server.free_disk();
            server.set_clock("+0");
            server.signal(Signal::CONT);
            server.start();
        }
    }

    /// Keeps all files in a folder that outlasts this run.
    pub(crate) fn keep(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("the target directory can be written to");
        let from = format!("{}/.", self.folder.display());
        network::run("cp", &["-a", "--sparse=always", &from, &folder.display().to_string()], "");
    }
}

/// What was waited for, and where each server is.
struct InVain<'a> {
    what: &'a str,
    lab: &'a Lab,
}

impl std::fmt::Display for InVain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const LINES: usize = 15;
        write!(f, "{}", self.what)?;
        for server in self.lab.servers() {
            let (mode, runs) = (server.mode(), server.is_running());
            write!(f, "\n--- server {} ({mode:?}, runs: {runs}), end of its log", server.id)?;
            let log = server.log();
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(LINES)..] {
                write!(f, "\n{line}")?;
            }
        }
        Ok(())
    }
}
