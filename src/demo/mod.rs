//! The ensemble and the client of `zkplan demo`: real ZooKeeper servers on loopback, and a client that writes.
//!
//! ```text
//! DemoEnsemble::start -> servers 1, 2, 3 serve; joiners 4, 5, 6 follow -> spec() can be planned
//! Writer::start -> a write, its acknowledgement, the next write -> Writer::finish: what was lost
//! DemoEnsemble::remove, or drop -> every server is killed and its files are gone
//! ```
//!
//! In reading order: [`DemoEnsemble`] (what is set up, and how it ends), `layout` (from the template
//! `plans/demo.yaml` to the spec and the server lines of this ensemble), `server` (one process and its
//! files), `password`; then [`Writer`] and what its thread does in `writing`. Below them is
//! what the tests' real servers stand on, too: [`Java`] (where Java and ZooKeeper are), [`free_ports`], and
//! [`spawn_with_us`].
//!
//! This is the one place where servers are run. Nothing listens beyond loopback, nothing outlives
//! the [`DemoEnsemble`], and nothing is printed.

mod child;
mod ensemble;
mod java;
mod layout;
mod password;
mod ports;
mod report;
mod server;
mod writer;
mod writing;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use thiserror::Error;

pub use child::spawn_with_us;
pub use ensemble::DemoEnsemble;
pub use java::{Java, SERVER_CLASS, super_digest_flag};
pub use ports::free_ports;
pub use report::{WriterError, WriterReport};
pub use writer::Writer;

use crate::model::ServerId;
use crate::spec::SpecErrors;

/// The one command that installs what a [`DemoEnsemble`] needs, on Debian and its descendants.
pub const INSTALL: &str =
    "sudo apt-get install -y --no-install-recommends default-jre-headless zookeeper";

/// Why the ensemble could not be started. Whatever had been started is gone again.
#[derive(Debug, Error)]
pub enum DemoError {
    /// There is no Java; [`INSTALL`] installs one.
    #[error("there is no `java` on the PATH or in JAVA_HOME")]
    NoJava,
    /// There is no ZooKeeper; [`INSTALL`] installs one.
    #[error("`{}` is missing and ZOOKEEPER_HOME is not set", jar.display())]
    NoZooKeeper {
        /// Where Debian's package puts it.
        jar: PathBuf,
    },
    /// `ZOOKEEPER_HOME` names a place without a ZooKeeper.
    #[error("ZOOKEEPER_HOME is set, but `{}` has no ZooKeeper", lib.display())]
    NotAHome {
        /// The folder that should hold its jars.
        lib: PathBuf,
    },
    /// A server ended instead of coming up.
    #[error("server {id} exited ({status})")]
    Ended {
        /// Which.
        id: ServerId,
        /// How.
        status: ExitStatus,
        /// The last lines of its log: text from outside.
        log: String,
    },
    /// A server runs but does not serve.
    #[error("server {id} does not serve after {waited_s} s")]
    Silent {
        /// Which.
        id: ServerId,
        /// How long it was given, in seconds.
        waited_s: u64,
        /// The last lines of its log: text from outside.
        log: String,
    },
    /// There are not enough free ports on loopback.
    #[error("there are no {wanted} free ports on 127.0.0.1")]
    NoPorts {
        /// How many were looked for.
        wanted: usize,
    },
    /// The template that was built in cannot be used, which is a bug.
    #[error("the demo's own spec cannot be used")]
    Template(SpecErrors),
    /// A file or a process could not be had.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        cause: io::Error,
    },
}

impl DemoError {
    /// An error with a file or folder.
    fn at(path: &Path, cause: io::Error) -> Self {
        Self::Io { what: format!("`{}`", path.display()), cause }
    }

    /// The last lines of the log of the server that did not come up; text from outside.
    pub fn log(&self) -> Option<&str> {
        match self {
            Self::Ended { log, .. } | Self::Silent { log, .. } => Some(log),
            Self::NoJava
            | Self::NoZooKeeper { .. }
            | Self::NotAHome { .. }
            | Self::NoPorts { .. }
            | Self::Template(_)
            | Self::Io { .. } => None,
        }
    }

    /// Whether [`INSTALL`] is what helps.
    pub const fn is_not_installed(&self) -> bool {
        matches!(self, Self::NoJava | Self::NoZooKeeper { .. })
    }
}
