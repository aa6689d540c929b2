//! One server of a demo: its files, its process, what it says of itself.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::DemoError;
use super::child::{out_of_reach_of_ctrl_c, spawn_with_us};
use super::java::{Java, SERVER_CLASS, super_digest_flag};
use crate::ensemble::four_letter::Srvr;
use crate::ensemble::{Ensemble as _, FourLetterWord, Mode, ZooKeeper};
use crate::model::{Endpoint, Membership, ServerId};

/// The part of every `zoo.cfg` that is the same.
///
/// Paths count from the server's own folder, so that no character in the name of that folder can
/// matter. No fsync, since what a killed process has written is still in the page cache; small log
/// files (in KiB) for the same disk six times.
const ZOO_CFG: &str = "\
dataDir=./data
dynamicConfigFile=./zoo.cfg.dynamic
reconfigEnabled=true
standaloneEnabled=false
tickTime=500
initLimit=20
syncLimit=10
forceSync=no
preAllocSize=1024
maxClientCnxns=0
4lw.commands.whitelist=*
admin.enableServer=false
";

/// Lines of a log that tell why a server did not come up.
const LOG_LINES: usize = 20;

/// A server that was started. Its process is killed and waited for when this is dropped.
pub(super) struct Running {
    id: ServerId,
    client: Endpoint,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Lays the server's files down in a folder of its own below `dir`, and starts it.
    ///
    /// `members` is its first membership; `client` is where clients will find it.
    pub(super) fn start(
        java: &Java,
        dir: &Path,
        (id, client): (ServerId, Endpoint),
        members: &Membership,
        super_digest: &str,
    ) -> Result<Self, DemoError> {
        let dir = dir.join(format!("server.{id}"));
        let data = dir.join("data");
        fs::create_dir_all(&data).map_err(|cause| DemoError::at(&data, cause))?;
        let files = [
            (data.join("myid"), format!("{id}\n")),
            (dir.join("zoo.cfg"), ZOO_CFG.to_owned()),
            // A name whose last part is no hex number, which would count as the config version.
            (dir.join("zoo.cfg.dynamic"), members.to_string()),
        ];
        for (path, text) in files {
            fs::write(&path, text).map_err(|cause| DemoError::at(&path, cause))?;
        }
        let log = dir.join("server.log");
        let output = File::create(&log).and_then(|out| Ok((out.try_clone()?, out)));
        let (stdout, stderr) = output.map_err(|cause| DemoError::at(&log, cause))?;
        let arguments = java.arguments(&[super_digest_flag(super_digest)], SERVER_CLASS);
        let child = spawn_with_us(java.program(), |command| {
            out_of_reach_of_ctrl_c(command);
            // With `./`, since ZooKeeper warns of relative paths that do not say so.
            command.args(arguments).arg("./zoo.cfg").current_dir(&dir);
            command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        });
        let child =
            child.map_err(|cause| DemoError::Io { what: format!("server {id} of Java"), cause })?;
        Ok(Self { id, client, child, log })
    }

    /// Which server it is.
    pub(super) fn id(&self) -> ServerId {
        self.id
    }

    /// What it does now; nothing while it does not serve.
    ///
    /// # Errors
    ///
    /// It does not run any more.
    pub(super) async fn mode(&mut self, port: &ZooKeeper) -> Result<Option<Mode>, DemoError> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(DemoError::Ended { id: self.id, status, log: self.log_tail() });
        }
        let answer = port.ask(&self.client, FourLetterWord::Srvr).await;
        Ok(answer.ok().and_then(|answer| Srvr::parse(&answer).mode))
    }

    /// The last lines of its log.
    pub(super) fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Sends the kill without waiting for the end.
    pub(super) fn kill(&mut self) {
        // The only failure is that it has ended already.
        self.child.kill().ok();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        // The only failure is that there is nothing to wait for.
        self.child.wait().ok();
    }
}
