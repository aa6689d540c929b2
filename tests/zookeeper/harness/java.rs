//! Where Java and ZooKeeper are, and the flags with which they start fast.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::thread;

use super::process::Process;
use super::releases::{self, Release};
use super::{Builder, lock};

/// Small heap, one compiler tier, no parallel collector: twelve servers fit beside each other on a
/// small machine. Together with the class archive they make three servers start in two thirds of
/// the time.
const LEAN: [&str; 6] = [
    "-Xms64m",
    "-Xmx64m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Xlog:cds=off",
];

/// What Debian's package installs; its manifest pulls the rest of the class path.
const DEBIAN_JAR: &str = "/usr/share/java/zookeeper.jar";

/// Not in that manifest: without the first the `AdminServer` silently stays off, without the second
/// nothing is logged, without the third no server takes connections through Netty, which TLS needs.
const DEBIAN_EXTRAS: [&str; 3] = [
    "/usr/share/java/servlet-api.jar",
    "/usr/share/java/slf4j-simple.jar",
    "/usr/share/java/netty-codec.jar",
];

/// A Java with a ZooKeeper.
pub(crate) struct Java {
    program: String,
    class_path: Vec<PathBuf>,
    logging: Vec<String>,
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
        let program = env::var("JAVA_HOME")
            .map_or_else(|_| "java".to_owned(), |home| format!("{home}/bin/java"));
        let version = Command::new(&program).arg("-version").output();
        let version = version.map_err(|why| format!("`{program}` does not run ({why})"))?.stderr;
        let (class_path, logging) = match (release, env::var_os("ZOOKEEPER_HOME")) {
            (Release::Apache(number), _) => (releases::jars(number)?, simple_logger()),
            (Release::Installed, Some(home)) => of_home(Path::new(&home))?,
            (Release::Installed, None) => of_debian()?,
        };
        let mut hasher = DefaultHasher::new();
        version.hash(&mut hasher);
        for jar in &class_path {
            let about = fs::metadata(jar).and_then(|about| about.modified()).ok();
            (jar, about).hash(&mut hasher);
        }
        let (fingerprint, archive) = (hasher.finish(), OnceLock::new());
        Ok(Self { program, class_path, logging, release, fingerprint, archive })
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
        let class_path =
            env::join_paths(&self.class_path).expect("jars have no colon in their names");
        let words: Vec<&String> = before.iter().chain([&self.program]).collect();
        Process::spawn(words[0], |command| {
            command.args(&words[1..]).args(LEAN).args(&self.logging).args(flags);
            command.arg("-cp").arg(class_path).arg(main);
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
        let class_path =
            env::join_paths(&self.class_path).expect("jars have no colon in their names");
        let mut command = Command::new(&self.program);
        command.args(flags).arg("-cp").arg(class_path).arg(source).args(arguments);
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

fn of_debian() -> Result<(Vec<PathBuf>, Vec<String>), String> {
    if !Path::new(DEBIAN_JAR).exists() {
        return Err(format!("`{DEBIAN_JAR}` is missing and `ZOOKEEPER_HOME` is not set"));
    }
    let class_path = [DEBIAN_JAR].into_iter().chain(DEBIAN_EXTRAS).map(PathBuf::from).collect();
    Ok((class_path, simple_logger()))
}

/// How the logger without a configuration writes a line. The last is for 3.5, which looks for the
/// logger that it was made with.
fn simple_logger() -> Vec<String> {
    let flags = [
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        "-Dorg.slf4j.simpleLogger.showLogName=false",
        "-Dzookeeper.jmx.log4j.disable=true",
    ];
    flags.map(str::to_owned).to_vec()
}

fn of_home(home: &Path) -> Result<(Vec<PathBuf>, Vec<String>), String> {
    let lib = home.join("lib");
    let entries =
        fs::read_dir(&lib).map_err(|why| format!("`{}` cannot be read ({why})", lib.display()))?;
    let mut jars: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension() == Some(OsStr::new("jar")))
        .collect();
    jars.sort();
    if !jars.iter().any(|jar| jar.to_string_lossy().contains("zookeeper")) {
        return Err(format!("`{}` holds no ZooKeeper jar", lib.display()));
    }
    // By name and not by a `conf` directory on the class path, with which Java would refuse the
    // class archive. The file goes by the logging library that the version brings.
    let conf = home.join("conf").display().to_string();
    let logging = [
        format!("-Dlogback.configurationFile={conf}/logback.xml"),
        format!("-Dlog4j.configuration=file:{conf}/log4j.properties"),
        "-Dzookeeper.root.logger=INFO,CONSOLE".to_owned(),
    ];
    Ok((jars, logging.to_vec()))
}
