//! Where Java and ZooKeeper are, and the command that runs a server with them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::StageError;

/// What Debian's package installs; its manifest pulls the rest of the class path.
const DEBIAN_JAR: &str = "/usr/share/java/zookeeper.jar";

/// Not in that manifest; without it nothing is logged. It comes with what the package depends on.
const DEBIAN_LOGGER: &str = "/usr/share/java/slf4j-simple.jar";

/// How Debian's logger writes a line.
const DEBIAN_LOGGING: [&str; 3] = [
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.showLogName=false",
];

/// Small heap, one compiler tier, one collector thread, and the classes of Java itself mapped from
/// the archive that it brings: six servers come up in seconds on two cores.
const LEAN: [&str; 5] =
    ["-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto"];

/// The class that is a server of an ensemble.
const MAIN: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";

/// A Java with a ZooKeeper.
pub(super) struct Java {
    program: PathBuf,
    class_path: OsString,
    logging: Vec<String>,
    /// The program of util-linux that makes a child die with us, where it is there.
    setpriv: Option<PathBuf>,
}

impl Java {
    /// The one of this machine. `JAVA_HOME` and `ZOOKEEPER_HOME` name others.
    pub(super) fn find() -> Result<Self, StageError> {
        Self::find_by(|name| env::var_os(name))
    }

    /// The one that these environment variables lead to.
    fn find_by(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, StageError> {
        let path = variable("PATH").unwrap_or_default();
        let on_path =
            |program| env::split_paths(&path).map(|dir| dir.join(program)).find(|at| at.is_file());
        let of_home = variable("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
        let program = of_home.filter(|java| java.is_file()).or_else(|| on_path("java"));
        let program = program.ok_or(StageError::NoJava)?;
        let (jars, logging) = match variable("ZOOKEEPER_HOME") {
            Some(home) => unpacked(Path::new(&home))?,
            None => packaged()?,
        };
        // Java has no way to name a folder with a colon.
        let class_path = env::join_paths(&jars).map_err(|cause| StageError::Io {
            what: "the class path".to_owned(),
            cause: io::Error::other(cause),
        })?;
        Ok(Self { program, class_path, logging, setpriv: on_path("setpriv").filter(is_util_linux) })
    }

    /// The command that runs a server in `dir` from the file `zoo.cfg` there.
    pub(super) fn server(&self, dir: &Path, super_digest: &str) -> Command {
        let mut command = match &self.setpriv {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program);
                out_of_reach_of_ctrl_c(&mut command);
                command
            }
            // Then Ctrl-C had better reach the servers, too.
            None => Command::new(&self.program),
        };
        command
            .args(LEAN)
            .args(&self.logging)
            .arg(format!("-Dzookeeper.DigestAuthenticationProvider.superDigest={super_digest}"))
            .arg("-cp")
            .arg(&self.class_path)
            // With `./`, since ZooKeeper warns of relative paths that do not say so.
            .args([MAIN, "./zoo.cfg"])
            .current_dir(dir);
        command
    }
}

/// A terminal sends Ctrl-C to a whole process group. One of its own keeps the servers running, for
/// the one who handles it to end what is under way before the stage.
#[cfg(unix)]
fn out_of_reach_of_ctrl_c(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn out_of_reach_of_ctrl_c(_: &mut Command) {}

/// Busybox has a program of that name, too, which knows nothing of dying parents.
fn is_util_linux(setpriv: &PathBuf) -> bool {
    fs::canonicalize(setpriv).is_ok_and(|file| file.file_name() == Some(OsStr::new("setpriv")))
}

type JarsAndLogging = (Vec<PathBuf>, Vec<String>);

/// Debian's package.
fn packaged() -> Result<JarsAndLogging, StageError> {
    let jar = PathBuf::from(DEBIAN_JAR);
    if !jar.is_file() {
        return Err(StageError::NoZooKeeper { jar });
    }
    let logging = DEBIAN_LOGGING.map(str::to_owned).to_vec();
    Ok((vec![jar, PathBuf::from(DEBIAN_LOGGER)], logging))
}

/// A release as Apache packs it.
fn unpacked(home: &Path) -> Result<JarsAndLogging, StageError> {
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
        return Err(StageError::NotAHome { lib });
    }
    // 3.8 and later bring logback, earlier ones log4j; neither minds the other's property.
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

    fn find(variables: &[(&str, &Path)]) -> Result<Java, StageError> {
        let value = |(_, value): &(&str, &Path)| value.as_os_str().to_owned();
        Java::find_by(|name| variables.iter().find(|(key, _)| *key == name).map(value))
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
        let path = folder(&["java", "setpriv"]);
        let home = folder(&["bin/java", "lib/zookeeper-3.9.3.jar", "lib/jute.jar", "lib/readme"]);
        let found = find(&[
            ("PATH", path.path()),
            ("JAVA_HOME", home.path()),
            ("ZOOKEEPER_HOME", home.path()),
        ]);
        let java = found.unwrap();
        assert_eq!(java.program, home.path().join("bin/java"));
        let jars: Vec<_> = env::split_paths(&java.class_path).collect();
        assert_eq!(
            jars,
            ["jute.jar", "zookeeper-3.9.3.jar"].map(|jar| home.path().join("lib").join(jar))
        );
        let command = java.server(path.path(), "super:digest");
        assert_eq!(command.get_program(), path.path().join("setpriv"));
        assert_eq!(command.get_current_dir(), Some(path.path()));
    }
}
