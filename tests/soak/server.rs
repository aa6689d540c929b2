//! One server: its files, its disk, its clock and its process, in the namespace of its machine.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::Signal;
use zkplan::demo::SERVER_CLASS;

use crate::harness::Release;
use crate::harness::java::Java;
use crate::harness::{Builder, PATIENCE, Process, lock, transactions, wait_until};
use crate::members::{Config, Members, members};
use crate::network::{self, Host};
use crate::sandbox::faketime;
use crate::schedule::CLIENT_PORT;

/// Silence for so long counts as no answer.
const SILENCE: Duration = Duration::from_secs(1);

/// Room for the data of a run, and small enough to be filled at once.
const DISK: &str = "size=64m";

/// How every server of an ensemble is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) tick_ms: u64,
    /// How many ticks a leader waits for a follower that copies.
    pub(crate) init_limit: u64,
    /// How many ticks a leader waits for a follower.
    pub(crate) sync_limit: u64,
    /// Whether it waits for its disk before it acknowledges.
    pub(crate) force_sync: bool,
}

impl Setting {
    /// Followers are missed after two to five seconds.
    pub(crate) fn of_tick(tick_ms: u64) -> Self {
        let sync_limit = u64::max(5, 2000 / tick_ms);
        Self { tick_ms, init_limit: 50, sync_limit, force_sync: false }
    }
}

/// A server, running or not. Its process and its disk go when it is dropped.
pub(crate) struct Server {
    pub(crate) id: u8,
    host: Arc<Host>,
    directory: PathBuf,
    setting: Setting,
    first_members: Vec<String>,
    has_own_clock: AtomicBool,
    process: Mutex<Option<Process>>,
}

impl Server {
    /// Lays down the files of a server that has not been started yet.
    pub(crate) fn new(
        id: u8,
        host: &Arc<Host>,
        folder: &Path,
        setting: Setting,
        first_members: Vec<String>,
    ) -> Self {
        let directory = folder.join(format!("server.{id}"));
        let server = Self {
            id,
            host: Arc::clone(host),
            directory,
            setting,
            first_members,
            has_own_clock: AtomicBool::new(false),
            process: Mutex::new(None),
        };
        fs::create_dir_all(server.data()).expect("memory takes files");
        let data = server.data().display().to_string();
        network::run("mount", &["-t", "tmpfs", "-o", DISK, "none", &data], "");
        fs::write(server.data().join("myid"), format!("{id}\n")).expect("an empty disk has room");
        server.write_first_files();
        server
    }

    fn write_first_files(&self) {
        let Setting { tick_ms, init_limit, sync_limit, force_sync } = self.setting;
        let force_sync = if force_sync { "yes" } else { "no" };
        let text = format!(
            "dataDir={}\ntickTime={tick_ms}\ninitLimit={init_limit}\nsyncLimit={sync_limit}\n\
             minSessionTimeout=400\nmaxSessionTimeout=60000\nmaxClientCnxns=0\n\
             preAllocSize=64\nforceSync={force_sync}\n4lw.commands.whitelist=*\n\
             admin.enableServer=false\nstandaloneEnabled=false\nreconfigEnabled=true\n\
             dynamicConfigFile={}\n",
            self.data().display(),
            self.file("zoo.cfg.dynamic").display()
        );
        let members = self.first_members.join("\n") + "\n";
        fs::write(self.file("zoo.cfg"), text).expect("memory takes files");
        fs::write(self.file("zoo.cfg.dynamic"), members).expect("memory takes files");
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.file("data")
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        self.host.address
    }

    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Where clients reach it.
    pub(crate) fn client_address(&self) -> SocketAddr {
        (self.host.address, CLIENT_PORT).into()
    }

    /// Starts it from its files as they lie. One that is no member by its own files gets its first
    /// ones again, for ZooKeeper leaves a joiner's files without the joiner.
    pub(crate) fn start(&self) {
        let mut process = lock(&self.process);
        if process.as_mut().is_some_and(|process| process.ended().is_none()) {
            return;
        }
        if !self.on_disk().members.contains_key(&self.id) {
            self.write_first_files();
        }
        let log = OpenOptions::new().create(true).append(true).open(self.file("log"));
        let log = log.expect("memory takes files");
        let both = log.try_clone().expect("an open file can be duplicated");
        let java = Java::of(Release::Installed);
        let flags: Vec<String> = [Builder::server_flag()].into_iter().collect();
        let flags: Vec<String> = flags.into_iter().chain(java.archive_flag()).collect();
        *process = Some(java.run_behind(&self.host.prefix(), &flags, SERVER_CLASS, |command| {
            command.arg(self.file("zoo.cfg")).current_dir(&self.directory);
            command.stdout(log).stderr(both);
            if self.has_own_clock.load(Ordering::SeqCst) {
                command
                    .env("LD_PRELOAD", faketime())
                    .env("FAKETIME_TIMESTAMP_FILE", self.file("clock"))
                    .env("FAKETIME_CACHE_DURATION", "1")
                    .env("DONT_FAKE_MONOTONIC", "1")
                    .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                    // With it, Java's waits end at once, again and again.
                    .env("FAKETIME_FORCE_MONOTONIC_FIX", "0");
            }
        }));
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(&self) {
        if let Some(mut process) = lock(&self.process).take() {
            process.kill();
        }
    }

    /// Sends a signal if it runs; whether it does.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        lock(&self.process).as_mut().is_some_and(|process| process.try_signal(signal))
    }

    /// From now on each of its writes to disk takes that much longer, until what is returned is
    /// dropped.
    pub(crate) fn slow_disk(&self, longer: Duration) -> Process {
        let id = lock(&self.process).as_ref().map(Process::id).expect("it runs");
        let inject = format!("inject=fsync,fdatasync:delay_enter={}", longer.as_micros());
        let strace = Process::spawn("strace", |command| {
            command.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", &inject]);
            command.args(["-o", "/dev/null", "-p", &id.to_string()]);
        });
        wait_until("strace to hold the server", PATIENCE, || {
            let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
            status
                .lines()
                .any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
                .then_some(())
        });
        strace
    }

    pub(crate) fn is_running(&self) -> bool {
        lock(&self.process).as_mut().is_some_and(|process| process.ended().is_none())
    }

    /// Starts it again without its data, as one that was never started.
    pub(crate) fn start_blank(&self) {
        self.kill();
        fs::remove_dir_all(self.data().join("version-2")).expect("a server that has run has data");
        self.write_first_files();
        self.start();
    }

    /// From the next start on, its clock is its own.
    pub(crate) fn get_own_clock(&self) {
        self.set_clock("+0");
        self.has_own_clock.store(true, Ordering::SeqCst);
    }

    /// Has its own clock jump, like `+5h`, in the second that comes.
    pub(crate) fn set_clock(&self, text: &str) {
        fs::write(self.file("clock"), text).expect("memory takes files");
    }

    /// Fills its disk to the last byte.
    pub(crate) fn fill_disk(&self) {
        let Ok(mut file) = File::create(self.data().join("fill")) else { return };
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    /// Gives the room back.
    pub(crate) fn free_disk(&self) {
        fs::remove_file(self.data().join("fill")).ok();
    }

    /// The answer to a four-letter word.
    pub(crate) fn ask(&self, word: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.client_address(), SILENCE)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.write_all(word.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// What it does now, like `leader`; nothing if it does not serve or does not answer.
    pub(crate) fn mode(&self) -> Option<String> {
        let answer = self.ask("srvr").ok()?;
        answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// Digests of its data by zxid, one every 128 transactions.
    pub(crate) fn digests(&self) -> BTreeMap<u64, String> {
        let answer = self.ask("hash").unwrap_or_default();
        let digest = |line: &str| {
            let (zxid, digest) = line.split_once(':')?;
            Some((u64::from_str_radix(zxid, 16).ok()?, digest.trim().to_owned()))
        };
        answer.lines().filter_map(digest).collect()
    }

    /// The epoch of the leader that it last promised to follow, or to be.
    pub(crate) fn epoch(&self) -> Option<u64> {
        let text = fs::read_to_string(self.data().join("version-2/currentEpoch")).ok()?;
        text.trim().parse().ok()
    }

    /// The membership that it last wrote down, with version 0 where it has none.
    pub(crate) fn on_disk(&self) -> Config {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let zoo_cfg = read(&self.file("zoo.cfg"));
        let dynamic = zoo_cfg.lines().find_map(|line| line.strip_prefix("dynamicConfigFile="));
        let version =
            dynamic.and_then(|path| u64::from_str_radix(path.rsplit_once('.')?.1, 16).ok());
        let text = dynamic.map_or(String::new(), |path| read(Path::new(path)));
        Config { version: version.unwrap_or(0), members: members(text.lines()) }
    }

    /// The reconfigs in its transaction logs: version, and the members that it made.
    pub(crate) fn reconfigs(&self) -> Vec<(u64, Members)> {
        let logged = transactions::reconfigs(&self.data()).into_values();
        logged.map(|one| (one.version, members(one.members.iter().map(String::as_str)))).collect()
    }

    pub(crate) fn log(&self) -> String {
        fs::read(self.file("log"))
            .map_or_else(|_| String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let data = self.data().display().to_string();
        // What is left ends with the namespace that all of this lies in.
        std::process::Command::new("umount").args(["--lazy", &data]).output().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}
