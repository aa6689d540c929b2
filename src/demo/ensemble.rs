//! The ensemble as a whole: started, used, removed.

use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::java::Java;
use super::layout::{DemoLayout, endpoints};
use super::ports::free_ports;
use super::server::Running;
use super::{DemoError, password};
use crate::ensemble::{Limits, Mode, ZooKeeper};
use crate::model::{Endpoint, Membership, ServerId};

/// How long servers may take to come up. Two seconds are usual; a machine may be busy.
const UP_LIMIT: Duration = Duration::from_secs(60);

/// How long to wait before a server is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// Six servers on loopback: 1, 2 and 3 are an ensemble, the joiners 4, 5 and 6 follow it without a
/// vote.
///
/// Dropping it kills every server, waits until it is gone, and removes the ensemble's folder. Where
/// `setpriv` (of util-linux) is installed, as nearly everywhere, the servers also die when this process
/// dies, however it dies.
pub struct DemoEnsemble {
    // Above the folder, and so dropped before it.
    processes: Processes,
    layout: DemoLayout,
    password: String,
    dir: TempDir,
}

impl DemoEnsemble {
    /// Makes a new folder below `dir`, starts servers 1, 2 and 3, waits until they
    /// serve, starts the joiners, waits until they follow.
    ///
    /// Needs a tokio runtime with I/O and time. If the future is dropped, whatever it had started
    /// is gone.
    pub async fn start(dir: &Path) -> Result<Self, DemoError> {
        let java = Java::installed()?;
        let layout = DemoLayout::with_ports(&free_ports(DemoLayout::ports()?)?)?;
        let password = password::fresh().map_err(|cause| DemoError::Io {
            what: "random bytes for the password".to_owned(),
            cause: io::Error::other(cause),
        })?;
        let digest = password::super_digest(&password);
        let dir = tempfile::Builder::new()
            .prefix("zkplan-demo-")
            .tempdir_in(dir)
            .map_err(|cause| DemoError::at(dir, cause))?;
        let mut ensemble = Self { processes: Processes(Vec::new()), layout, password, dir };
        let present = ensemble.layout.present.clone();
        ensemble.start_servers(&java, &present, &present, &digest)?;
        ensemble.wait_until_up().await?;
        let (joiners, first) =
            (ensemble.layout.joiners.clone(), ensemble.layout.first_lines_of_joiners());
        ensemble.start_servers(&java, &joiners, &first, &digest)?;
        ensemble.wait_until_up().await?;
        Ok(ensemble)
    }

    /// The spec that asks for the joiners in place of the servers that are there: the text of
    /// `plans/demo.yaml`, without its comments and with the ports of this ensemble.
    pub fn spec(&self) -> &str {
        &self.layout.spec
    }

    /// The password of the user that the spec names. It is made for this ensemble and stands nowhere
    /// else; in particular not in the environment variable from which the spec takes it.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Where clients reach servers 1, 2 and 3.
    pub fn present(&self) -> Vec<Endpoint> {
        endpoints(&self.layout.present)
    }

    /// Where clients reach the joiners.
    pub fn joiners(&self) -> Vec<Endpoint> {
        endpoints(&self.layout.joiners)
    }

    /// Where clients reach any of the six.
    pub fn addresses(&self) -> Vec<Endpoint> {
        [self.present(), self.joiners()].concat()
    }

    /// The ensemble's own folder, with each server's files and log in `server.N`. It goes with the
    /// ensemble, and with it whatever the caller has put there.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Stops a server, as its operator does once no configuration names it; returns when it is
    /// gone. A server that does not run stays as it is.
    pub fn stop(&mut self, id: ServerId) {
        self.processes.0.retain(|server| server.id() != id);
    }

    /// Stops every server and removes the ensemble's folder. Dropping does the same, but cannot say
    /// that the folder is still there.
    pub fn remove(self) -> Result<(), DemoError> {
        let Self { processes, dir, .. } = self;
        drop(processes);
        let path = dir.path().to_owned();
        dir.close().map_err(|cause| DemoError::at(&path, cause))
    }

    fn start_servers(
        &mut self,
        java: &Java,
        servers: &Membership,
        members: &Membership,
        super_digest: &str,
    ) -> Result<(), DemoError> {
        for server in servers.servers() {
            let Some(client) = server.client_endpoint() else { continue };
            let who = (server.id, client);
            self.processes.0.push(Running::start(
                java,
                self.dir.path(),
                who,
                members,
                super_digest,
            )?);
        }
        Ok(())
    }

    /// Waits until every server that was started leads or follows.
    async fn wait_until_up(&mut self) -> Result<(), DemoError> {
        let port = ZooKeeper::new(Limits::default(), None).map_err(|cause| DemoError::Io {
            what: "a way to ask servers".to_owned(),
            cause: io::Error::other(cause),
        })?;
        let began = Instant::now();
        loop {
            let mut late = None;
            // Each of them in every round: one that has ended explains why others wait.
            for server in &mut self.processes.0 {
                match server.mode(&port).await? {
                    Some(Mode::Leader | Mode::Follower) => {}
                    _ => late = Some((server.id(), server.log_tail())),
                }
            }
            let Some((id, log)) = late else { return Ok(()) };
            if began.elapsed() >= UP_LIMIT {
                return Err(DemoError::Silent { id, waited_s: UP_LIMIT.as_secs(), log });
            }
            sleep(PAUSE).await;
        }
    }
}

/// The servers that run.
struct Processes(Vec<Running>);

impl Drop for Processes {
    fn drop(&mut self) {
        // All are killed before any is waited for, so that they end side by side.
        self.0.iter_mut().for_each(Running::kill);
        self.0.clear();
    }
}
