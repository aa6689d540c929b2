//! The releases of ZooKeeper that tests run, and the class archives with which they start fast.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::thread;

use zkplan::demo;

use super::process::Process;
use super::releases::{self, Release};
use super::{Builder, lock};

/// A Java with a ZooKeeper.
pub(crate) struct Java {
    with: demo::Java,
    release: Release,
    /// Changes with the Java and with every jar: a class archive fits only those it was made from.
    fingerprint: u64,
    archive: OnceLock<Option<String>>,
}

impl Java {
    /// The one of this machine with a release. `JAVA_HOME` names another Java, and `ZOOKEEPER_HOME` (a
    /// directory with `lib/*.jar`) another installed release.
    ///
    /// # Panics
    /// When there is none: a test against real ZooKeeper that did not run must not look like one
    /// that passed.
    pub(crate) fn of(release: Release) -> &'static Self {
        static ALL: Mutex<BTreeMap<Release, &Java>> = Mutex::new(BTreeMap::new());
        lock(&ALL).entry(release).or_insert_with(|| match Self::find(release) {
            // Few, and for as long as the tests run.
            Ok(java) => Box::leak(Box::new(java)),
            Err(what) => panic!(
                "these tests start real ZooKeeper servers, but {what}: run \
                 `apt-get install zookeeper default-jre-headless`"
            ),
        })
    }

    fn find(release: Release) -> Result<Self, String> {
        let with = match release {
            Release::Apache(number) => demo::Java::with_jars(releases::jars(number)?),
            Release::Installed => demo::Java::installed(),
        };
        let with = with.map_err(|why| why.to_string())?;
        let program = with.program();
        let version = Command::new(program).arg("-version").output();
        let version =
            version.map_err(|why| format!("`{}` does not run ({why})", program.display()))?.stderr;
        let mut hasher = DefaultHasher::new();
        version.hash(&mut hasher);
        for jar in with.jars() {
            let about = fs::metadata(jar).and_then(|about| about.modified()).ok();
            (jar, about).hash(&mut hasher);
        }
        let (fingerprint, archive) = (hasher.finish(), OnceLock::new());
        Ok(Self { with, release, fingerprint, archive })
    }

    /// Starts a ZooKeeper main class; `complete` adds its arguments and redirections.
    pub(super) fn run(
        &self,
        flags: &[String],
        main: &str,
        complete: impl FnOnce(&mut Command),
    ) -> Process {
        self.run_behind(&[], flags, main, complete)
    }

    /// [`Java::run`] as the command of another program, given with its arguments, which must
    /// replace itself by its command.
    pub(crate) fn run_behind(
        &self,
        before: &[String],
        flags: &[String],
        main: &str,
        complete: impl FnOnce(&mut Command),
    ) -> Process {
        let before = before.iter().map(OsStr::new);
        let words: Vec<&OsStr> = before.chain([self.with.program().as_os_str()]).collect();
        Process::spawn(words[0], |command| {
            command.args(&words[1..]).args(self.with.arguments(flags, main));
            complete(command);
        })
    }

    /// Runs a Java source file of one class with ZooKeeper on its class path, and returns what it
    /// prints. Debian's Java runtime compiles it, without a JDK.
    ///
    /// # Panics
    /// When it fails.
    pub(crate) fn run_source(
        &self,
        flags: &[String],
        source: &Path,
        arguments: &[&Path],
    ) -> String {
        let mut command = Command::new(self.with.program());
        command.args(flags).arg("-cp").arg(self.with.class_path()).arg(source).args(arguments);
        let done = command.output().expect("Java runs");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{} fails: {said}", source.display());
        String::from_utf8(done.stdout).expect("UTF-8")
    }

    /// The flag that maps ZooKeeper's classes ready to run.
    ///
    /// Made once for a target directory, by a server that starts and stops. Without it everything
    /// only takes longer.
    pub(crate) fn archive_flag(&self) -> Option<String> {
        let path = || {
            let archive = Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("zookeeper-{:016x}.jsa", self.fingerprint));
            let made = archive.exists() || {
                let (goal, release) = (archive.clone(), self.release);
                // In a thread of its own, so that a failure in there stays there.
                thread::spawn(move || make_archive(&goal, release)).join().is_ok()
            };
            made.then(|| format!("-XX:SharedArchiveFile={}", archive.display()))
        };
        self.archive.get_or_init(path).clone()
    }
}

fn make_archive(goal: &Path, release: Release) {
    let directory = goal.parent().expect("the archive is in a directory");
    let workshop = tempfile::tempdir_in(directory).expect("the target directory can be written to");
    let fresh = workshop.path().join("fresh.jsa");
    let server = Builder::plain().release(release).servers(1).making_archive(&fresh).start();
    server.stop(1);
    // Whoever comes second replaces a whole archive by a whole archive; a Java that has mapped the
    // first one keeps it.
    fs::rename(&fresh, goal).expect("Java leaves the archive when it ends");
}
