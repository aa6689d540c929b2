//! Whether an archive is a backup of an ensemble: what `apply` asks before it changes voters.
//!
//! In: what the files of the archive say ([`DataTraces`]), and what the ensemble says of itself
//! ([`LiveTraces`]). Out: what passed, or the first reason why it is none. No I/O, and time is an argument.
//!
//! Names, labels and membership texts prove nothing: a new ensemble on the same hosts has them too. What
//! two ensembles do not share is which transaction created a znode at which millisecond. Each znode that
//! the ensemble has, and that is not newer than the archive, has to be in the archive with the same
//! transactions; at least one has to be there.

use std::collections::BTreeMap;

use crate::model::{BackupPolicy, Millis, Policy, Role, Zxid};
use crate::plan::{ChangeVerb, Done, Plan, ServerChange, Step};
use crate::snapshot::{DataTraces, DataVerdict, ZnodeTrace};

/// What the clock of a leader and that of this machine may differ by: 5 minutes, as Kerberos has it.
const CLOCKS_DIFFER_BY: Millis = Millis::from_secs(300);

/// What an ensemble says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveTraces {
    /// The zxid that the leader has reached at least; `None` where it did not say.
    pub leader_zxid: Option<u64>,
    /// The version of its configuration, which is the zxid of the reconfig that made it. Where no reconfig
    /// did, the lower half is 0, or all of it.
    pub config_version: u64,
    /// Znodes that it has, by path.
    pub znodes: BTreeMap<String, ZnodeTrace>,
}

/// An archive that is a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvenBackup {
    /// The last transaction in it.
    pub zxid: u64,
    /// When that was, in milliseconds since 1970, as the clock of the leader had it.
    pub time_ms: i64,
    /// How many znodes of the ensemble are in it with the transactions that they have there.
    pub znodes: usize,
}

/// Why an archive is no backup of the ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupFault {
    /// It is damaged, or files are missing.
    Damaged,
    /// It does not show that nothing is missing.
    NotProvable,
    /// A znode of the ensemble that is older than the end of the archive has other transactions there, or
    /// is not there.
    OtherZnode {
        /// Its path.
        path: String,
        /// What the archive has.
        archived: Option<ZnodeTrace>,
        /// What the ensemble has.
        live: ZnodeTrace,
    },
    /// The ensemble has a configuration from before the end of the archive, and the archive another one.
    OtherConfig {
        /// The version in the archive.
        archived: Option<u64>,
        /// The version in the ensemble.
        live: u64,
    },
    /// It ends behind the last transaction of the leader.
    Ahead {
        /// Its last transaction.
        archived: u64,
        /// That of the leader.
        leader: u64,
    },
    /// The leader did not say how far it is.
    LeaderUnknown,
    /// The ensemble has no znode that is as old as the archive, and could show whose it is.
    NotShown {
        /// Its last transaction.
        archived: u64,
    },
    /// No transaction in it tells its time.
    NoTime,
    /// Its last transaction is in the future.
    Future {
        /// By how much.
        ahead: Millis,
    },
    /// Its last transaction was too long ago.
    TooOld {
        /// How long ago.
        age: Millis,
        /// How long ago it may be.
        most: Millis,
    },
}

/// What is asked of a backup before the steps of a plan that are left: by the plan, and by the spec that it
/// is applied from now. The stricter one counts. Nothing is asked where no step that is left changes
/// voters, and where the plan takes a run back.
pub fn asked(plan: &Plan, done: &Done, now: &Policy) -> Option<BackupPolicy> {
    let asked = plan.policy.backup.into_iter().chain(now.backup);
    let is_gated = plan.takes_back.is_none() && changes_voters(plan, done);
    asked.min_by_key(|policy| policy.max_age).filter(|_| is_gated)
}

/// Whether a step that is left changes who votes, or where a voter is reached by the others.
fn changes_voters(plan: &Plan, done: &Done) -> bool {
    let left = plan.steps().filter(|step| !done.contains(&step.id));
    left.into_iter().any(|step| step.parts().iter().any(|part| is_of_voter(plan, step, *part)))
}

fn is_of_voter(plan: &Plan, step: &Step, ServerChange { server, change }: ServerChange) -> bool {
    let base = plan.facts.base.membership.get(server);
    let joining = step.reconfig().into_iter().flat_map(|request| &request.joining);
    let votes = joining.filter(|line| line.id == server).chain(base);
    let mut votes = votes.map(|line| line.role == Role::Participant);
    match change {
        ChangeVerb::Promote | ChangeVerb::Demote => true,
        ChangeVerb::Join | ChangeVerb::Leave | ChangeVerb::Readdress { quorum: true } => {
            votes.any(|votes| votes)
        }
        ChangeVerb::Unlist | ChangeVerb::Readdress { quorum: false } => false,
    }
}

/// Judges an archive. Its age is how long ago its last transaction was: when it was packed says nothing of
/// what is in it.
///
/// # Errors
///
/// Why it is no backup of that ensemble; the gravest reason first.
pub fn judge(
    archive: &DataTraces,
    live: &LiveTraces,
    most: Option<Millis>,
    now_ms: u64,
) -> Result<ProvenBackup, BackupFault> {
    match archive.verification.verdict {
        DataVerdict::Whole => {}
        DataVerdict::NotProvable => return Err(BackupFault::NotProvable),
        DataVerdict::Damaged => return Err(BackupFault::Damaged),
    }
    let zxid = archive.verification.last_zxid.unwrap_or_default();
    let znodes = is_of((archive, zxid), live)?;
    let time_ms = archive.last_time_ms.ok_or(BackupFault::NoTime)?;
    let backup = ProvenBackup { zxid, time_ms, znodes };
    backup.is_young(most, now_ms)?;
    Ok(backup)
}

/// How many znodes show that an archive with this end is of the ensemble.
fn is_of((archive, end): (&DataTraces, u64), live: &LiveTraces) -> Result<usize, BackupFault> {
    let mut same = 0;
    for (path, here) in live.znodes.iter().filter(|(_, here)| here.czxid <= end) {
        let archived = archive.znodes.get(path).copied();
        let is_same = archived.is_some_and(|there| {
            let is_born_alike = (there.czxid, there.ctime_ms) == (here.czxid, here.ctime_ms);
            is_born_alike && (here.mzxid > end || here.mzxid == there.mzxid)
        });
        if !is_same {
            let (path, live) = (path.clone(), *here);
            return Err(BackupFault::OtherZnode { path, archived, live });
        }
        same += 1;
    }
    let version = live.config_version;
    let is_of_reconfig = version & 0xffff_ffff != 0;
    if is_of_reconfig && version <= end && archive.config_version != Some(version) {
        let archived = archive.config_version;
        return Err(BackupFault::OtherConfig { archived, live: version });
    }
    let leader = live.leader_zxid.ok_or(BackupFault::LeaderUnknown)?;
    if end > leader {
        return Err(BackupFault::Ahead { archived: end, leader });
    }
    if same == 0 {
        return Err(BackupFault::NotShown { archived: end });
    }
    Ok(same)
}

impl ProvenBackup {
    /// Whether it is not too old at that time.
    ///
    /// # Errors
    ///
    /// How old it is, or that no clock can have its time yet.
    pub fn is_young(&self, most: Option<Millis>, now_ms: u64) -> Result<(), BackupFault> {
        let Some(most) = most else { return Ok(()) };
        let time_ms = u64::try_from(self.time_ms).map_err(|_| BackupFault::NoTime)?;
        let ahead = time_ms.saturating_sub(now_ms);
        if ahead > CLOCKS_DIFFER_BY.0 {
            return Err(BackupFault::Future { ahead: Millis(ahead) });
        }
        let age = Millis(now_ms.saturating_sub(time_ms));
        if age > most { Err(BackupFault::TooOld { age, most }) } else { Ok(()) }
    }

    /// Its last transaction, as ZooKeeper prints it.
    pub fn last_zxid(&self) -> Zxid {
        Zxid::new(self.zxid)
    }
}

#[cfg(test)]
mod tests;
