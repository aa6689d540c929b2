//! Where Java and ZooKeeper are, and the command that runs one of its main classes.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::DemoError;
use super::child::on_path;

/// What Debian's package installs; its manifest pulls the rest of the class path.
const DEBIAN_JAR: &str = "/usr/share/java/zookeeper.jar";

/// Not in that manifest: without the first the `AdminServer` silently stays off, without the second
/// nothing is logged, without the third no server takes connections through Netty, which TLS needs.
/// Java passes over those that are not installed.
const DEBIAN_EXTRAS: [&str; 3] = [
    "/usr/share/java/servlet-api.jar",
    "/usr/share/java/slf4j-simple.jar",
    "/usr/share/java/netty-codec.jar",
];

/// How the logger without a configuration writes a line. The last is for 3.5, which looks for the
/// logger that it was made with.
const SIMPLE_LOGGER: [&str; 4] = [
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.showLogName=false",
    "-Dzookeeper.jmx.log4j.disable=true",
];

/// Small heap, one compiler tier, one collector thread: a dozen servers fit beside each other on a
/// small machine, and six come up in seconds on two cores.
const LEAN: [&str; 6] = [
    "-Xms64m",
    "-Xmx64m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Xlog:cds=off",
];

/// The class that is a server of an ensemble.
pub const SERVER_CLASS: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";

/// A Java with a ZooKeeper.
pub struct Java {
    program: PathBuf,
    jars: Vec<PathBuf>,
    class_path: OsString,
    logging: Vec<String>,
}

impl Java {
    /// The Java and the ZooKeeper of this machine. `JAVA_HOME` and `ZOOKEEPER_HOME` name others.
    ///
    /// # Errors
    ///
    /// One of them is missing.
    pub fn installed() -> Result<Self, DemoError> {
        Self::found_by(|name| env::var_os(name))
    }

    /// The Java of this machine with the jars of a release, one of which is a logger without a
    /// configuration.
    ///
    /// # Errors
    ///
    /// There is no Java.
    pub fn with_jars(jars: Vec<PathBuf>) -> Result<Self, DemoError> {
        Self::of(program(&|name| env::var_os(name))?, jars, simple_logger())
    }

    /// The one that these environment variables lead to.
    fn found_by(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, DemoError> {
        let program = program(&variable)?;
        let (jars, logging) = match variable("ZOOKEEPER_HOME") {
            Some(home) => unpacked(Path::new(&home))?,
            None => packaged()?,
        };
        Self::of(program, jars, logging)
    }

    fn of(program: PathBuf, jars: Vec<PathBuf>, logging: Vec<String>) -> Result<Self, DemoError> {
        // Java has no way to name a folder with a colon.
        let class_path = env::join_paths(&jars).map_err(|cause| DemoError::Io {
            what: "the class path".to_owned(),
            cause: io::Error::other(cause),
        })?;
        Ok(Self { program, jars, class_path, logging })
    }

    /// The program `java`.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The jars of the class path.
    pub fn jars(&self) -> &[PathBuf] {
        &self.jars
    }

    /// The jars as Java takes them after `-cp`.
    pub fn class_path(&self) -> &OsStr {
        &self.class_path
    }

    /// The arguments of `java` up to the main class. These flags win over those that keep it small.
    pub fn arguments(&self, flags: &[String], main: &str) -> Vec<OsString> {
        let flags = LEAN.into_iter().chain(self.logging.iter().chain(flags).map(String::as_str));
        let rest = [OsStr::new("-cp"), &self.class_path, OsStr::new(main)];
        flags.map(OsStr::new).chain(rest).map(OsStr::to_owned).collect()
    }
}

/// The property by which a server knows the super user, as in operators' `java.env`.
pub fn super_digest_flag(digest: &str) -> String {
    format!("-Dzookeeper.DigestAuthenticationProvider.superDigest={digest}")
}

fn program(variable: &impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, DemoError> {
    let of_home = variable("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let of_path = || on_path("java", &variable("PATH").unwrap_or_default());
    of_home.filter(|java| java.is_file()).or_else(of_path).ok_or(DemoError::NoJava)
}

type JarsAndLogging = (Vec<PathBuf>, Vec<String>);

fn simple_logger() -> Vec<String> {
    SIMPLE_LOGGER.map(str::to_owned).to_vec()
}

/// Debian's package.
fn packaged() -> Result<JarsAndLogging, DemoError> {
    let jar = PathBuf::from(DEBIAN_JAR);
    if !jar.is_file() {
        return Err(DemoError::NoZooKeeper { jar });
    }
    let jars = [jar].into_iter().chain(DEBIAN_EXTRAS.map(PathBuf::from)).collect();
    Ok((jars, simple_logger()))
}

/// A release as Apache packs it.
fn unpacked(home: &Path) -> Result<JarsAndLogging, DemoError> {
    let lib = home.join("lib");
    let entries = fs::read_dir(&lib).map(|entries| entries.flatten().map(|entry| entry.path()));
    let mut jars: Vec<PathBuf> = entries
        .map(|paths| paths.filter(|path| path.extension() == Some(OsStr::new("jar"))).collect())
        .unwrap_or_default();
    jars.sort();
    let is_zookeeper = |jar: &PathBuf| {
        jar.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"zookeeper"))
    };
    if !jars.iter().any(is_zookeeper) {
        return Err(DemoError::NotAHome { lib });
    }
    // By name and not by a `conf` folder on the class path, with which Java would refuse a class
    // archive. 3.8 and later bring logback, earlier ones log4j; neither minds the other's property.
    let conf = home.join("conf");
    let logging = vec![
        format!("-Dlogback.configurationFile={}", conf.join("logback.xml").display()),
        format!("-Dlog4j.configuration=file:{}", conf.join("log4j.properties").display()),
        "-Dzookeeper.root.logger=INFO,CONSOLE".to_owned(),
    ];
    Ok((jars, logging))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A folder with these files, all empty.
    fn folder(files: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn find(variables: &[(&str, &Path)]) -> Result<Java, DemoError> {
        let value = |(_, value): &(&str, &Path)| value.as_os_str().to_owned();
        Java::found_by(|name| variables.iter().find(|(key, _)| *key == name).map(value))
    }

    #[test]
    fn what_is_missing_is_said() {
        let empty = folder(&[]);
        let missing = find(&[("PATH", empty.path()), ("JAVA_HOME", empty.path())]);
        assert!(missing.is_err_and(|error| error.is_not_installed()));
        let java = folder(&["java", "lib/jute.jar", "lib/zookeeper.txt"]);
        let error = find(&[("PATH", java.path()), ("ZOOKEEPER_HOME", java.path())]).err().unwrap();
        assert!(!error.is_not_installed());
        assert_eq!(
            error.to_string(),
            format!("ZOOKEEPER_HOME is set, but `{}/lib` has no ZooKeeper", java.path().display())
        );
    }

    #[test]
    fn homes_are_preferred_and_their_jars_make_the_class_path() {
        let path = folder(&["java"]);
        let home = folder(&["bin/java", "lib/zookeeper-3.9.3.jar", "lib/jute.jar", "lib/readme"]);
        let found = find(&[
            ("PATH", path.path()),
            ("JAVA_HOME", home.path()),
            ("ZOOKEEPER_HOME", home.path()),
        ]);
        let java = found.unwrap();
        assert_eq!(java.program(), home.path().join("bin/java"));
        assert_eq!(
            java.jars(),
            ["jute.jar", "zookeeper-3.9.3.jar"].map(|jar| home.path().join("lib").join(jar))
        );
        let arguments = java.arguments(&["-Xmx256m".to_owned()], SERVER_CLASS);
        let at = |wanted: &str| arguments.iter().position(|word| word == wanted).unwrap();
        assert!(at("-Xmx64m") < at("-Xmx256m"), "the last flag wins");
        assert_eq!(&arguments[at("-cp") + 1..], [java.class_path(), OsStr::new(SERVER_CLASS)]);
    }
}
