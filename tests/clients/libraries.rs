//! The libraries of the clients, fetched into the target directory unless they are there already.
//!
//! Each tool takes them from the repository that it is configured for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use zkplan::demo::Java;

use crate::harness::releases::jars_of;

/// The last release of Kafka that runs with ZooKeeper is of this line.
const KAFKA: &str = "3.9.1";
const CURATOR: &str = "5.7.1";
const KAZOO: &str = "2.11.0";

/// What the clients run with.
pub(crate) struct Libraries {
    pub(crate) kafka: Java,
    pub(crate) curator: Java,
    /// A Python that has kazoo.
    pub(crate) python: PathBuf,
    /// The client with go-zookeeper, as a program.
    pub(crate) go: PathBuf,
}

impl Libraries {
    /// Those of this target directory.
    ///
    /// # Panics
    /// When one cannot be had: a story that left a client out must not look like one that passed.
    pub(crate) fn get() -> &'static Self {
        static ALL: LazyLock<Libraries> = LazyLock::new(|| {
            let all = Libraries::fetch();
            all.unwrap_or_else(|why| panic!("these stories run real clients, but {why}"))
        });
        &ALL
    }

    fn fetch() -> Result<Self, String> {
        let kafka = java(
            "kafka",
            KAFKA,
            &[("org.apache.kafka", "kafka_2.13", KAFKA), ("org.slf4j", "slf4j-reload4j", "1.7.36")],
        )?;
        let curator = java(
            "curator",
            CURATOR,
            &[
                ("org.apache.curator", "curator-recipes", CURATOR),
                ("org.slf4j", "slf4j-simple", "2.0.13"),
            ],
        )?;
        Ok(Self { kafka, curator, python: python()?, go: go()? })
    }
}

/// Where the source of a client lies.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A Java with these artifacts: group, name and version.
fn java(name: &str, version: &str, artifacts: &[(&str, &str, &str)]) -> Result<Java, String> {
    let dependency = |(group, artifact, version): &(&str, &str, &str)| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    let dependencies: String = artifacts.iter().map(dependency).collect();
    let pom = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>zkplan</groupId><artifactId>{name}</artifactId><version>1</version>\
         <packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>\n"
    );
    Java::with_jars(jars_of(&format!("{name}-{version}"), &pom)?).map_err(|why| why.to_string())
}

fn python() -> Result<PathBuf, String> {
    let home = target().join(format!("kazoo-{KAZOO}"));
    let python = home.join("bin/python");
    let ready = |python: &Path| runs(Command::new(python).args(["-c", "import kazoo"])).is_ok();
    if !ready(&python) {
        let made = runs(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
        made.map_err(|why| cannot_be_had("kazoo", &why, "python3-venv"))?;
        let pip = ["-m", "pip", "install", "--quiet", &format!("kazoo=={KAZOO}")];
        runs(Command::new(&python).args(pip))
            .map_err(|why| cannot_be_had("kazoo", &why, "python3-venv"))?;
    }
    Ok(python)
}

/// `go.mod` and `go.sum` hold the versions.
fn go() -> Result<PathBuf, String> {
    let program = target().join("go-zookeeper-client");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg(".").current_dir(source("go"));
    // No other Go than the one that is installed.
    runs(build.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=readonly"))
        .map_err(|why| cannot_be_had("go-zookeeper", &why, "golang-go"))?;
    Ok(program)
}

fn cannot_be_had(what: &str, why: &str, package: &str) -> String {
    format!("{what} cannot be had: {why} (apt-get install {package})")
}

/// Runs a command to its end, and says why it failed.
fn runs(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let done = command.output().map_err(|why| format!("`{name}` does not run: {why}"))?;
    let said = || String::from_utf8_lossy(&done.stderr).trim().to_owned();
    if done.status.success() { Ok(()) } else { Err(format!("`{name}` fails: {}", said())) }
}
