//! A running ensemble, and what a test can do to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use zookeeper_client::{Client, Connector, TlsOptions};

use super::administrator::Administrator;
use super::builder::{Builder, Role};
use super::java::Java;
use super::process::Process;
use super::releases::Release;
use super::server::{Mode, Server};
use super::transactions::{Logged, reconfigs};
use super::{PATIENCE, lock, wait_until};

/// Servers that run until this is dropped.
///
/// Every method that names a server by its id panics if there is none.
pub(crate) struct Ensemble {
    builder: Builder,
    servers: Mutex<BTreeMap<u8, Arc<Server>>>,
    /// Servers that are started without the super user's digest.
    without_super: Mutex<BTreeSet<u8>>,
    /// Releases that were installed since.
    installed: Mutex<BTreeMap<u8, Release>>,
    // After the servers, for fields are dropped in order: first the processes go, then their files.
    directory: TempDir,
}

impl Ensemble {
    pub(super) fn start(builder: Builder) -> Self {
        let directory = tempfile::Builder::new().prefix("zkplan-ensemble-").tempdir();
        let directory = directory.expect("the temporary directory can be written to");
        let without_super = builder.first_without_super_user().iter().copied().collect();
        let without_super = Mutex::new(without_super);
        let (servers, installed) = (Mutex::default(), Mutex::default());
        let ensemble = Self { builder, servers, without_super, installed, directory };
        for (id, role) in ensemble.builder.first_members() {
            ensemble.add(id, role, false);
        }
        let servers = ensemble.all();
        let lines = servers.iter().map(|server| ensemble.line_written(server, server.role()));
        let members: Vec<String> =
            lines.chain(ensemble.builder.first_places().iter().cloned()).collect();
        for server in &servers {
            server.lay_down(ensemble.builder.files(server, &members));
        }
        for server in &servers {
            ensemble.run(server);
        }
        ensemble.wait_serving();
        ensemble
    }

    /// Waits until every started server serves, and one of them leads (or serves alone).
    pub(crate) fn wait_serving(&self) {
        self.wait("a leader, and all servers to serve", || {
            let modes: Option<Vec<Mode>> =
                self.running().iter().map(|server| server.serves()).collect();
            let first = |mode: &Mode| matches!(mode, Mode::Leader | Mode::Standalone);
            modes?.iter().any(first).then_some(())
        });
    }

    /// Makes known a server that is wanted as a participant but not started, and picks its ports.
    pub(crate) fn reserve(&self, id: u8) {
        self.add(id, Role::Participant, true);
    }

    /// Starts a server that wants to join: it knows the present members, and itself and all other
    /// joiners as observers, so that joiners can never elect one among themselves. It is reserved
    /// first if it was not yet.
    ///
    /// It becomes a non-voting follower, see [`Ensemble::wait_following`].
    pub(crate) fn start_joiner(&self, id: u8) {
        if !lock(&self.servers).contains_key(&id) {
            self.reserve(id);
        }
        let mut members = self.present_membership();
        for joiner in self.all().iter().filter(|server| server.is_joiner()) {
            let key = format!("server.{}=", joiner.id());
            if !members.iter().any(|line| line.starts_with(&key)) {
                members.push(self.line_written(joiner, Role::Observer));
            }
        }
        self.start_with_members(id, &members);
    }

    /// Starts a reserved server whose first configuration has exactly these lines of members.
    pub(crate) fn start_with_members(&self, id: u8, members: &[String]) {
        let server = self.server(id);
        server.lay_down(self.builder.files(&server, members));
        self.run(&server);
    }

    /// Starts a reserved server from the files that were put into its directory: `zoo.cfg`,
    /// `zoo.cfg.dynamic` and `data/myid`.
    pub(crate) fn start_installed(&self, id: u8) {
        let server = self.server(id);
        let names = ["data/myid", "zoo.cfg", "zoo.cfg.dynamic"];
        let read = |name| (name, fs::read_to_string(server.file(name)).expect("it was installed"));
        server.lay_down(names.map(read).to_vec());
        self.run(&server);
    }

    /// Waits until a server serves as a follower, voting or not: it has then received all that the
    /// leader had.
    pub(crate) fn wait_following(&self, id: u8) {
        let server = self.server(id);
        self.wait(&format!("server {id} to follow"), || {
            (server.serves()? == Mode::Follower).then_some(())
        });
    }

    /// Stops a joiner in the middle of its sync: it has got the leader's data, and writes them to its
    /// disk before it acknowledges them (between NEWLEADER and UPTODATE).
    pub(crate) fn freeze_while_it_writes_what_it_got(&self, id: u8) {
        let server = self.server(id);
        self.wait(&format!("server {id} to write a snapshot"), || {
            server.has_begun_a_snapshot().then_some(())
        });
        self.freeze(id);
    }

    /// Waits until a server's log holds a text more often than that many times.
    pub(crate) fn wait_logged(&self, id: u8, text: &str, times: usize) {
        let server = self.server(id);
        self.wait(&format!("server {id} to log `{text}`"), || {
            (server.log().matches(text).count() > times).then_some(())
        });
    }

    /// Waits until a server ends by itself, and says how; it can be started again then.
    pub(crate) fn wait_ended(&self, id: u8) -> String {
        let server = self.server(id);
        let what = format!("server {id} to end by itself");
        let how = wait_until(InVain { what: &what, ensemble: self }, PATIENCE, || {
            server.ended_by_itself()
        });
        // Nothing is left to kill; from here on the server counts as not started.
        self.kill(id);
        how
    }

    /// Stops a server from running until [`Ensemble::thaw`]; connections to it stay open, and
    /// silent.
    pub(crate) fn freeze(&self, id: u8) {
        self.server(id).process().get().freeze();
    }

    /// Freezes all of these but the one that leads, and says whom.
    pub(crate) fn freeze_followers(&self, of: impl IntoIterator<Item = u8>) -> Vec<u8> {
        let leader = self.wait_leader();
        let followers: Vec<u8> = of.into_iter().filter(|id| *id != leader).collect();
        for id in &followers {
            self.freeze(*id);
        }
        followers
    }

    /// Lets a frozen server go on.
    pub(crate) fn thaw(&self, id: u8) {
        self.server(id).process().get().thaw();
    }

    /// SIGKILL; returns when the server is gone.
    pub(crate) fn kill(&self, id: u8) {
        self.server(id).process().end(Process::kill);
    }

    /// SIGTERM; returns when the server is gone.
    pub(crate) fn stop(&self, id: u8) {
        self.server(id).process().end(Process::stop);
    }

    /// Starts a stopped or killed server from its files as they lie now. Does not wait for it to
    /// serve.
    pub(crate) fn start_again(&self, id: u8) {
        self.run(&self.server(id));
    }

    /// Puts back the configuration with which a server was started first, as a restored backup
    /// does; data stay.
    pub(crate) fn restore_first_files(&self, id: u8) {
        self.server(id).restore_first_files();
    }

    /// Gives a server a certificate of another authority, and has it trust that one alone, when it is
    /// started next.
    pub(crate) fn renew_certificate(&self, id: u8, authority: &super::Authority) {
        let super::Certificate { certificate, key } = authority.server(&["127.0.0.1", "localhost"]);
        let server = self.server(id);
        for (name, text) in
            [("server.pem", format!("{key}{certificate}")), ("ca.pem", authority.pem().to_owned())]
        {
            let written = fs::write(server.file(name), text);
            written.expect("the temporary directory can be written to");
        }
    }

    /// Deletes the data of a stopped or killed server, as a replaced disk does; configuration
    /// stays.
    pub(crate) fn wipe(&self, id: u8) {
        self.server(id).wipe();
    }

    /// Has a server know the super user when it is started next.
    pub(crate) fn tell_super_user(&self, id: u8) {
        lock(&self.without_super).remove(&id);
    }

    /// Installs another release on a server's machine: it runs when the server is started next.
    pub(crate) fn install(&self, id: u8, release: Release) {
        lock(&self.installed).insert(id, release);
    }

    fn release_at(&self, id: u8) -> Release {
        let installed = lock(&self.installed).get(&id).copied();
        installed.unwrap_or_else(|| self.builder.release_at(id))
    }

    /// How many credentials a server was sent, over all its starts, by its own log.
    pub(crate) fn credentials_sent_to(&self, id: u8) -> usize {
        self.log(id).matches("got auth packet").count()
    }

    /// Whether a server is started, and was neither stopped nor killed since.
    pub(crate) fn is_started(&self, id: u8) -> bool {
        self.server(id).is_running()
    }

    /// Everything a server has logged, over all its starts.
    pub(crate) fn log(&self, id: u8) -> String {
        self.server(id).log()
    }

    /// A file of a server's directory, such as `zoo.cfg` or `data/myid`.
    pub(crate) fn file(&self, id: u8, name: &str) -> PathBuf {
        self.server(id).file(name)
    }

    /// The id of a server's process, while it is started.
    pub(crate) fn process_id(&self, id: u8) -> u32 {
        self.server(id).process().get().id()
    }

    /// Where clients reach a server.
    pub(crate) fn client_address(&self, id: u8) -> SocketAddr {
        self.server(id).client_address()
    }

    /// Where clients reach a server in TLS, where the ensemble was built with that.
    pub(crate) fn secure_address(&self, id: u8) -> Option<SocketAddr> {
        Some((Ipv4Addr::LOCALHOST, self.server(id).ports().secure?).into())
    }

    /// How the harness itself connects, and where: in TLS where there is nothing else.
    pub(super) fn connector(&self, id: u8) -> (Connector, String) {
        let (connector, at) = (Client::connector(), self.client_address(id));
        let Some((authority, client)) = self.builder.identity_where_tls_alone() else {
            return (connector, at.to_string());
        };
        let tls = TlsOptions::new().with_pem_ca(authority.pem());
        let tls = tls.and_then(|tls| tls.with_pem_identity(&client.certificate, &client.key));
        (connector.with_tls(tls.expect("certificates made here")), format!("tcp+tls://{at}"))
    }

    /// The port for what the leader tells its followers.
    pub(crate) fn quorum_port(&self, id: u8) -> u16 {
        self.server(id).ports().quorum
    }

    /// The port for votes.
    pub(crate) fn election_port(&self, id: u8) -> u16 {
        self.server(id).ports().election
    }

    /// The port of a server's `AdminServer`, if the ensemble was built with it.
    pub(crate) fn admin_port(&self, id: u8) -> Option<u16> {
        self.server(id).ports().admin
    }

    /// The name or address under which the servers know each other, where that is one for all.
    pub(crate) fn host(&self) -> &str {
        self.builder.host_name()
    }

    /// The name or address under which the others know a server.
    pub(crate) fn host_of(&self, id: u8) -> String {
        self.builder.host_of(id)
    }

    /// The addresses of all started servers as clients take them, `host:port,…` by id.
    pub(crate) fn connect_string(&self) -> String {
        let addresses =
            self.running().into_iter().map(|server| server.client_address().to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// The `server.N=…` line that ZooKeeper prints when the server is a member: a joiner as
    /// participant, others in the role they first had.
    pub(crate) fn server_line(&self, id: u8) -> String {
        self.server_line_as(id, self.server(id).role())
    }

    /// [`Ensemble::server_line`] with another role.
    pub(crate) fn server_line_as(&self, id: u8, role: Role) -> String {
        self.builder.line_printed(id, role, self.server(id).ports())
    }

    /// What a server does now; nothing if it does not serve or does not answer.
    pub(crate) fn mode(&self, id: u8) -> Option<Mode> {
        self.server(id).mode()
    }

    /// The server that says it leads, if one does.
    pub(crate) fn leader_id(&self) -> Option<u8> {
        self.running()
            .iter()
            .find(|server| server.mode() == Some(Mode::Leader))
            .map(|server| server.id())
    }

    /// Waits for a server that says it leads.
    pub(crate) fn wait_leader(&self) -> u8 {
        self.wait("a leader", || self.leader_id())
    }

    /// The answer to a four-letter word. The plain profile answers `srvr` only.
    ///
    /// # Errors
    /// When the server does not listen, or is silent for a second.
    pub(crate) fn ask(&self, id: u8, word: &str) -> io::Result<String> {
        self.server(id).ask(word)
    }

    /// The newest membership that a started server has written to disk, line by line.
    pub(crate) fn present_membership(&self) -> Vec<String> {
        let known = self.running().into_iter().map(|server| server.membership_on_disk());
        known.max_by_key(|(version, _)| *version).expect("a started server").1
    }

    /// The last transaction that a server has, as it says itself: epoch in the upper half.
    pub(crate) fn zxid(&self, id: u8) -> Option<u64> {
        let answer = self.ask(id, "srvr").ok()?;
        let zxid = answer.lines().find_map(|line| line.strip_prefix("Zxid: 0x"))?;
        u64::from_str_radix(zxid, 16).ok()
    }

    /// How many times a leader has begun to lead.
    pub(crate) fn epoch(&self) -> u64 {
        self.wait("a leader with a zxid", || self.zxid(self.leader_id()?)) >> 32
    }

    /// Every reconfig in the transaction logs of all servers, in the order of their versions.
    pub(crate) fn reconfigs(&self) -> Vec<Logged> {
        let logs = self.all().into_iter().map(|server| reconfigs(&server.file("data")));
        logs.fold(BTreeMap::new(), |all, log| all.into_iter().chain(log).collect())
            .into_values()
            .collect()
    }

    /// Somebody with all rights, who changes things by hand.
    pub(crate) fn administrator(&self) -> Administrator<'_> {
        Administrator(self)
    }

    /// Has ZooKeeper's own command line run one command on a server, such as `["config", "-s"]`.
    ///
    /// # Panics
    /// When it does not come to an end.
    pub(crate) fn zkcli(&self, id: u8, command: &[&str]) -> Output {
        self.run_zkcli(id, command, "")
    }

    /// Has ZooKeeper's own command line run commands on a server, all in one session.
    ///
    /// # Panics
    /// When it does not come to an end.
    pub(crate) fn zkcli_session(&self, id: u8, commands: &[&str]) -> Output {
        self.run_zkcli(id, &[], &format!("{}\nquit\n", commands.join("\n")))
    }

    fn run_zkcli(&self, id: u8, command: &[&str], script: &str) -> Output {
        let output = tempfile::tempdir_in(&self.directory)
            .expect("the temporary directory can be written to");
        let file = |name| {
            File::create_new(output.path().join(name))
                .expect("the temporary directory can be written to")
        };
        let read =
            |name| fs::read(output.path().join(name)).expect("a file just written can be read");
        fs::write(output.path().join("stdin"), script)
            .expect("the temporary directory can be written to");
        let script =
            File::open(output.path().join("stdin")).expect("a file just written can be read");
        let java = Java::of(self.release_at(id));
        let flags: Vec<String> = java.archive_flag().into_iter().collect();
        let mut process = java.run(&flags, "org.apache.zookeeper.ZooKeeperMain", |cli| {
            cli.args(["-server", &self.client_address(id).to_string()]).args(command);
            cli.stdin(script).stdout(file("stdout")).stderr(file("stderr"));
        });
        let status = wait_until(format!("zkCli {command:?} to end"), PATIENCE, || process.ended());
        Output { status, stdout: read("stdout"), stderr: read("stderr") }
    }

    fn add(&self, id: u8, role: Role, joiner: bool) {
        let server = Server::new(id, role, joiner, &self.builder, self.directory.path());
        let known = lock(&self.servers).insert(id, Arc::new(server));
        assert!(known.is_none(), "server {id} is named twice");
    }

    fn server(&self, id: u8) -> Arc<Server> {
        let servers = lock(&self.servers);
        Arc::clone(servers.get(&id).unwrap_or_else(|| panic!("there is no server {id}")))
    }

    fn all(&self) -> Vec<Arc<Server>> {
        lock(&self.servers).values().cloned().collect()
    }

    fn running(&self) -> Vec<Arc<Server>> {
        self.all().into_iter().filter(|server| server.is_running()).collect()
    }

    fn line_written(&self, server: &Server, role: Role) -> String {
        self.builder.line_written(server.id(), role, server.ports())
    }

    fn run(&self, server: &Server) {
        let knows_super_user = !lock(&self.without_super).contains(&server.id());
        let java = Java::of(self.release_at(server.id()));
        server.start(java, knows_super_user, self.flags(java));
    }

    /// Whether clients can come by SASL.
    pub(super) fn has_sasl(&self) -> bool {
        self.builder.sasl_flag().is_some()
    }

    /// Java's flags for a server, beside those that every one has.
    fn flags(&self, java: &Java) -> Vec<String> {
        let archive = self.builder.archive().cloned().or_else(|| java.archive_flag());
        let further = [self.builder.heap_flag(), self.builder.sasl_flag()];
        archive.into_iter().chain(further.into_iter().flatten()).collect()
    }

    /// Waits, but not for servers that have ended by themselves (a port taken by another process, a
    /// refused configuration), and shows the logs if in vain.
    fn wait<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        wait_until(InVain { what, ensemble: self }, PATIENCE, || {
            if let Some(end) = self.running().iter().find_map(|server| server.ended_by_itself()) {
                panic!("{end}, while waiting for {}", InVain { what, ensemble: self });
            }
            condition()
        })
    }
}

/// What was waited for, and the end of each server's log.
struct InVain<'a> {
    what: &'a str,
    ensemble: &'a Ensemble,
}

impl fmt::Display for InVain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LINES: usize = 25;
        write!(f, "{}", self.what)?;
        for server in self.ensemble.all().iter().filter(|server| server.was_started()) {
            write!(f, "\n--- end of the log of server {} ({:?})", server.id(), server.ports())?;
            let log = server.log();
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(LINES)..] {
                write!(f, "\n{line}")?;
            }
        }
        Ok(())
    }
}
