//! The stage as a whole: set, used, struck.

use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::java::Java;
use super::ports::free_ports;
use super::script::{Script, endpoints};
use super::server::Running;
use super::{StageError, password};
use crate::ensemble::{Limits, Mode, ZooKeeper};
use crate::model::{Endpoint, Membership, ServerId};

/// How long servers may take to come up. Two seconds are usual; a machine may be busy.
const UP_LIMIT: Duration = Duration::from_secs(60);

/// How long to wait before a server is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// Six servers on loopback: 1, 2 and 3 are an ensemble, the spares 4, 5 and 6 follow it without a
/// vote.
///
/// Dropping it kills every server, waits until it is gone, and removes the stage's folder. Where
/// `setpriv` (of util-linux) is installed, as nearly everywhere, the servers also die when this process
/// dies, however it dies.
pub struct Stage {
    // Above the folder, and so dropped before it.
    cast: Cast,
    script: Script,
    password: String,
    dir: TempDir,
}

impl Stage {
    /// Sets the stage in a new folder below `dir`: starts servers 1, 2 and 3, waits until they
    /// serve, starts the spares, waits until they follow.
    ///
    /// Needs a tokio runtime with I/O and time. If the future is dropped, whatever it had started
    /// is gone.
    pub async fn set(dir: &Path) -> Result<Self, StageError> {
        let java = Java::installed()?;
        let script = Script::write(&free_ports(Script::ports()?)?)?;
        let password = password::fresh().map_err(|cause| StageError::Io {
            what: "random bytes for the password".to_owned(),
            cause: io::Error::other(cause),
        })?;
        let digest = password::super_digest(&password);
        let dir = tempfile::Builder::new()
            .prefix("zkplan-demo-")
            .tempdir_in(dir)
            .map_err(|cause| StageError::at(dir, cause))?;
        let mut stage = Self { cast: Cast(Vec::new()), script, password, dir };
        let present = stage.script.present.clone();
        stage.start(&java, &present, &present, &digest)?;
        stage.wait_until_up().await?;
        let (spares, first) = (stage.script.spares.clone(), stage.script.of_spares());
        stage.start(&java, &spares, &first, &digest)?;
        stage.wait_until_up().await?;
        Ok(stage)
    }

    /// The spec that asks for the spares in place of the servers that are there: the text of
    /// `plans/demo.yaml`, without its comments and with the ports of this stage.
    pub fn spec(&self) -> &str {
        &self.script.spec
    }

    /// The password of the user that the spec names. It is made for this stage and stands nowhere
    /// else; in particular not in the environment variable from which the spec takes it.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Where clients reach servers 1, 2 and 3.
    pub fn present(&self) -> Vec<Endpoint> {
        endpoints(&self.script.present)
    }

    /// Where clients reach the spares.
    pub fn spares(&self) -> Vec<Endpoint> {
        endpoints(&self.script.spares)
    }

    /// Where clients reach any of the six.
    pub fn addresses(&self) -> Vec<Endpoint> {
        [self.present(), self.spares()].concat()
    }

    /// The stage's own folder, with each server's files and log in `server.N`. It goes with the
    /// stage, and with it whatever the caller has put there.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Stops a server, as its operator does once no configuration names it; returns when it is
    /// gone. A server that does not run stays as it is.
    pub fn stop(&mut self, id: ServerId) {
        self.cast.0.retain(|server| server.id() != id);
    }

    /// Stops every server and removes the stage's folder. Dropping does the same, but cannot say
    /// that the folder is still there.
    pub fn strike(self) -> Result<(), StageError> {
        let Self { cast, dir, .. } = self;
        drop(cast);
        let path = dir.path().to_owned();
        dir.close().map_err(|cause| StageError::at(&path, cause))
    }

    fn start(
        &mut self,
        java: &Java,
        servers: &Membership,
        members: &Membership,
        super_digest: &str,
    ) -> Result<(), StageError> {
        for server in servers.servers() {
            let Some(client) = server.client_endpoint() else { continue };
            let who = (server.id, client);
            self.cast.0.push(Running::start(java, self.dir.path(), who, members, super_digest)?);
        }
        Ok(())
    }

    /// Waits until every server that was started leads or follows.
    async fn wait_until_up(&mut self) -> Result<(), StageError> {
        let port = ZooKeeper::new(Limits::default(), None).map_err(|cause| StageError::Io {
            what: "a way to ask servers".to_owned(),
            cause: io::Error::other(cause),
        })?;
        let began = Instant::now();
        loop {
            let mut late = None;
            // Each of them in every round: one that has ended explains why others wait.
            for server in &mut self.cast.0 {
                match server.mode(&port).await? {
                    Some(Mode::Leader | Mode::Follower) => {}
                    _ => late = Some((server.id(), server.log_tail())),
                }
            }
            let Some((id, log)) = late else { return Ok(()) };
            if began.elapsed() >= UP_LIMIT {
                return Err(StageError::Silent { id, waited_s: UP_LIMIT.as_secs(), log });
            }
            sleep(PAUSE).await;
        }
    }
}

/// The servers that run.
struct Cast(Vec<Running>);

impl Drop for Cast {
    fn drop(&mut self) {
        // All are killed before any is waited for, so that they end side by side.
        self.0.iter_mut().for_each(Running::kill);
        self.0.clear();
    }
}
