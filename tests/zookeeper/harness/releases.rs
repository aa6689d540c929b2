//! ZooKeeper releases as Apache publishes them, fetched by Maven into the target directory.
//!
//! Maven takes them from the repository that it is configured for. A release that cannot be had
//! fails its test: one that did not run must not look like one that passed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a server's software comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Release {
    /// That of this machine: Debian's package, or what `ZOOKEEPER_HOME` names.
    #[default]
    Installed,
    /// A release by its number, such as `3.9.5`.
    Apache(&'static str),
}

/// The jars of a release, fetched unless they are there already.
///
/// # Errors
/// What Maven said.
pub(super) fn jars(number: &str) -> Result<Vec<PathBuf>, String> {
    jars_of(&format!("zookeeper-{number}"), &pom(number))
}

/// The jars that a project of Maven's needs at run time, fetched into a folder of this name unless it is
/// there already.
///
/// # Errors
/// What Maven said.
pub(crate) fn jars_of(name: &str, pom: &str) -> Result<Vec<PathBuf>, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let home = target.join(name);
    if !home.exists() {
        fetch(name, pom, target, &home)?;
    }
    let entries = fs::read_dir(&home).map_err(|why| format!("{}: {why}", home.display()))?;
    let mut jars: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "jar"))
        .collect();
    jars.sort();
    Ok(jars)
}

fn fetch(name: &str, pom: &str, target: &Path, home: &Path) -> Result<(), String> {
    let workshop = tempfile::tempdir_in(target).map_err(|why| why.to_string())?;
    let failed = |why: &dyn std::fmt::Display| format!("{name} cannot be had: {why}");
    fs::write(workshop.path().join("pom.xml"), pom).map_err(|why| failed(&why))?;
    let said = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "dependency:copy-dependencies"])
        .args(["-DincludeScope=runtime", "-DoutputDirectory=jars"])
        .current_dir(workshop.path())
        .output()
        .map_err(|why| failed(&format!("`mvn` does not run ({why}): apt-get install maven")))?;
    if !said.status.success() {
        return Err(failed(&String::from_utf8_lossy(&said.stdout)));
    }
    // Whoever comes second finds it whole.
    match fs::rename(workshop.path().join("jars"), home) {
        Err(why) if !home.exists() => Err(failed(&why)),
        _ => Ok(()),
    }
}

/// What a server of a release runs with, with one logger in the place of the release's own: its
/// configuration would be another in every line.
///
/// The parent of a release tells the versions of what its `AdminServer` and its metrics need, which a
/// dependency on the server alone does not bring. That of 3.4 cannot be had, and has no `AdminServer`.
fn pom(number: &str) -> String {
    let is_old = number.starts_with("3.4.");
    let (parent, logger) = if is_old {
        ("<groupId>org.apache.zookeeper</groupId><version>1</version>".to_owned(), "1.7.25")
    } else {
        let parent = format!(
            "<parent><groupId>org.apache.zookeeper</groupId><artifactId>parent</artifactId>\
             <version>{number}</version><relativePath/></parent>"
        );
        (parent, "${slf4j.version}")
    };
    let exclusions: String = [
        ("log4j", "*"),
        ("ch.qos.logback", "*"),
        ("ch.qos.reload4j", "*"),
        ("org.slf4j", "slf4j-log4j12"),
        ("org.slf4j", "slf4j-reload4j"),
    ]
    .map(|(group, artifact)| format!("<exclusion>{}</exclusion>", named(group, artifact)))
    .concat();
    let server = format!(
        "<dependency>{}<version>{number}</version><exclusions>{exclusions}</exclusions></dependency>",
        named("org.apache.zookeeper", "zookeeper")
    );
    let logger = format!(
        "<dependency>{}<version>{logger}</version></dependency>",
        named("org.slf4j", "slf4j-simple")
    );
    let dependency = |(group, artifact): &(&str, &str)| {
        format!("<dependency>{}</dependency>", named(group, artifact))
    };
    let beside = beside(number).iter().map(dependency).collect::<Vec<_>>().concat();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>{parent}\
         <artifactId>release</artifactId><packaging>pom</packaging>\
         <dependencies>{server}{logger}{beside}</dependencies></project>\n"
    )
}

/// What a server needs at run time and leaves to whoever runs it.
fn beside(number: &str) -> &'static [(&'static str, &'static str)] {
    const OF_LATER: [(&str, &str); 5] = [
        ("org.eclipse.jetty", "jetty-server"),
        ("org.eclipse.jetty", "jetty-servlet"),
        ("com.fasterxml.jackson.core", "jackson-databind"),
        ("org.xerial.snappy", "snappy-java"),
        ("io.dropwizard.metrics", "metrics-core"),
    ];
    if number.starts_with("3.4.") {
        &[]
    } else if number.starts_with("3.5.") {
        // Its snapshots are not compressed, and its metrics are its own.
        &OF_LATER[..3]
    } else {
        &OF_LATER
    }
}

fn named(group: &str, artifact: &str) -> String {
    format!("<groupId>{group}</groupId><artifactId>{artifact}</artifactId>")
}
