//! One server: its ports, its files, its process, and what it says to `srvr`.

use std::fs;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};
use zkplan::demo::SERVER_CLASS;

use super::builder::{Builder, Role};
use super::java::Java;
use super::process::Process;
use super::{lock, ports};

/// Silence for so long counts as no answer; a healthy server on a busy machine needs a few
/// milliseconds.
const SILENCE: Duration = Duration::from_secs(1);

/// The same in TLS: the first handshake of a server takes seconds.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Where a server listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) client: u16,
    pub(super) quorum: u16,
    pub(super) election: u16,
    pub(super) admin: Option<u16>,
    /// For clients in TLS; equal to `client` where there is no other client port.
    pub(super) secure: Option<u16>,
}

/// What a server says that it does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Leads the ensemble.
    Leader,
    /// Follows, with a vote or (a non-voting follower) without: `srvr` does not tell these apart.
    Follower,
    /// Follows as an observer.
    Observer,
    /// Serves alone.
    Standalone,
    /// Serves reads without a leader, where that is switched on.
    ReadOnly,
}

/// A server, running or not.
pub(super) struct Server {
    id: u8,
    role: Role,
    /// Not of the first membership.
    joiner: bool,
    ports: Ports,
    /// How it is asked at its secure client port.
    words: Option<Arc<ClientConfig>>,
    directory: PathBuf,
    first_files: Mutex<Vec<(&'static str, String)>>,
    process: Mutex<Option<Process>>,
}

impl Server {
    pub(super) fn new(id: u8, role: Role, joiner: bool, of: &Builder, ensemble: &Path) -> Self {
        let [client, quorum, election, admin, secure] = ports::free();
        let client = if of.is_tls_alone() { secure } else { client };
        let admin = of.admin_server_wanted().then_some(admin);
        let secure = of.has_secure_ports().then_some(secure);
        Self {
            id,
            role,
            joiner,
            ports: Ports { client, quorum, election, admin, secure },
            words: of.words_over_tls(),
            directory: ensemble.join(format!("server.{id}")),
            first_files: Mutex::new(Vec::new()),
            process: Mutex::new(None),
        }
    }

    pub(super) fn id(&self) -> u8 {
        self.id
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn is_joiner(&self) -> bool {
        self.joiner
    }

    pub(super) fn ports(&self) -> &Ports {
        &self.ports
    }

    pub(super) fn client_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.client).into()
    }

    /// A file of this server's own directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Lays down the files from which the server starts for the first time.
    pub(super) fn lay_down(&self, files: Vec<(&'static str, String)>) {
        *lock(&self.first_files) = files;
        self.restore_first_files();
    }

    pub(super) fn restore_first_files(&self) {
        let files = lock(&self.first_files);
        assert!(!files.is_empty(), "server {} was never started", self.id);
        fs::create_dir_all(self.file("data")).expect("the temporary directory can be written to");
        for (name, text) in files.iter() {
            fs::write(self.file(name), text).expect("the temporary directory can be written to");
        }
    }

    /// Forgets all data, as a replaced disk does; id and configuration stay.
    pub(super) fn wipe(&self) {
        assert!(!self.is_running(), "server {} runs: it would write its data again", self.id);
        fs::remove_dir_all(self.file("data/version-2")).expect("a server that has run has data");
    }

    /// Starts the server from the files as they lie.
    pub(super) fn start(&self, java: &Java, knows_super_user: bool, flags: Vec<String>) {
        let mut process = lock(&self.process);
        assert!(process.is_none(), "server {} is already started", self.id);
        assert!(self.was_started(), "server {} has no files yet", self.id);
        let log = OpenOptions::new().create(true).append(true).open(self.file("server.log"));
        let log = log.expect("the temporary directory can be written to");
        let both = log.try_clone().expect("an open file can be duplicated");
        let digest = knows_super_user.then(Builder::server_flag);
        let flags: Vec<String> = digest.into_iter().chain(flags).collect();
        *process = Some(java.run(&flags, SERVER_CLASS, |command| {
            command.arg(self.file("zoo.cfg")).current_dir(&self.directory);
            command.stdout(log).stderr(both);
        }));
    }

    /// Whether it has been started once, even if it does not run now.
    pub(super) fn was_started(&self) -> bool {
        !lock(&self.first_files).is_empty()
    }

    /// Whether it is started and neither stopped nor killed by the test.
    pub(super) fn is_running(&self) -> bool {
        lock(&self.process).is_some()
    }

    /// The running process, to do something with.
    ///
    /// # Panics
    /// When the server is not started.
    pub(super) fn process(&self) -> RunningProcess<'_> {
        let guard = lock(&self.process);
        assert!(guard.is_some(), "server {} is not started", self.id);
        RunningProcess(guard)
    }

    /// How the process ended, if it was started and ended by itself.
    pub(super) fn ended_by_itself(&self) -> Option<String> {
        let status = lock(&self.process).as_mut()?.ended()?;
        Some(format!("server {} ended by itself ({status})", self.id))
    }

    /// Whether clients can come in TLS, where they shall: the first handshake after a start takes
    /// seconds on a busy machine. A certificate that the harness does not take is an answer too.
    fn speaks_tls(&self) -> bool {
        match &self.words {
            Some(words) if self.ports.secure != Some(self.ports.client) => {
                let said = self.ask_over_tls(words, "srvr");
                said.map_or_else(|why| why.kind() == io::ErrorKind::InvalidData, |_| true)
            }
            Some(_) | None => true,
        }
    }

    /// What it does now, once all its client ports answer.
    pub(super) fn serves(&self) -> Option<Mode> {
        self.mode().filter(|_| self.speaks_tls())
    }

    /// What it does now; nothing if it does not serve or does not answer.
    pub(super) fn mode(&self) -> Option<Mode> {
        let answer = self.ask("srvr").ok()?;
        match answer.lines().find_map(|line| line.strip_prefix("Mode: "))? {
            "leader" => Some(Mode::Leader),
            "follower" => Some(Mode::Follower),
            "observer" => Some(Mode::Observer),
            "standalone" => Some(Mode::Standalone),
            "read-only" => Some(Mode::ReadOnly),
            other => panic!("server {} is in an unknown mode `{other}`", self.id),
        }
    }

    /// The answer to a four-letter word.
    pub(super) fn ask(&self, word: &str) -> io::Result<String> {
        match &self.words {
            Some(words) if self.ports.secure == Some(self.ports.client) => {
                self.ask_over_tls(words, word)
            }
            Some(_) | None => {
                let mut stream = TcpStream::connect_timeout(&self.client_address(), SILENCE)?;
                stream.set_read_timeout(Some(SILENCE))?;
                said(&mut stream, word)
            }
        }
    }

    fn ask_over_tls(&self, words: &Arc<ClientConfig>, word: &str) -> io::Result<String> {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.secure.unwrap_or_default()));
        let stream = TcpStream::connect_timeout(&at, SILENCE)?;
        stream.set_read_timeout(Some(HANDSHAKE))?;
        let tls = ClientConnection::new(Arc::clone(words), at.ip().into());
        said(&mut StreamOwned::new(tls.map_err(io::Error::other)?, stream), word)
    }

    /// The membership as the server last wrote it down, `server.N=…` lines and all, with its config
    /// version (0 if none).
    pub(super) fn membership_on_disk(&self) -> (u64, Vec<String>) {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let zoo_cfg = read(&self.file("zoo.cfg"));
        let dynamic = zoo_cfg.lines().find_map(|line| line.strip_prefix("dynamicConfigFile="));
        let version =
            dynamic.and_then(|path| u64::from_str_radix(path.rsplit_once('.')?.1, 16).ok());
        let text = dynamic.map_or(zoo_cfg.clone(), |path| read(Path::new(path)));
        let is_of_members = |line: &&str| {
            ["server.", "group.", "weight."].iter().any(|kind| line.starts_with(kind))
        };
        let members = text.lines().filter(is_of_members).map(str::to_owned);
        (version.unwrap_or(0), members.collect())
    }

    /// Whether it has begun to write a snapshot of what it got from a leader: the one that it writes
    /// before that is of no transaction.
    pub(super) fn has_begun_a_snapshot(&self) -> bool {
        let files = fs::read_dir(self.file("data/version-2")).into_iter().flatten();
        let names = files.filter_map(Result::ok).map(|file| file.file_name());
        names
            .filter_map(|name| Some(name.to_str()?.strip_prefix("snapshot.")?.to_owned()))
            .any(|zxid| zxid != "0")
    }

    pub(super) fn log(&self) -> String {
        fs::read(self.file("server.log"))
            .map_or_else(|_| String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }
}

/// What a server answers to a word.
fn said(stream: &mut (impl Read + Write), word: &str) -> io::Result<String> {
    stream.write_all(word.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    // In TLS a server may hang up without a word for that.
    if answer.is_empty() {
        end?;
    }
    String::from_utf8(answer).map_err(io::Error::other)
}

/// The lock on a server's process, which is there.
pub(super) struct RunningProcess<'a>(MutexGuard<'a, Option<Process>>);

impl RunningProcess<'_> {
    pub(super) fn get(&mut self) -> &mut Process {
        self.0.as_mut().expect("looked at when the lock was taken")
    }

    /// Ends it by `how`, after which the server can be started again.
    pub(super) fn end(mut self, how: impl FnOnce(&mut Process)) {
        how(self.get());
        *self.0 = None;
    }
}
