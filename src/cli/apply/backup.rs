//! The backup that an apply asks for, or that it is given: read, held against the ensemble and judged
//! before anything is sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::anonymous::open_anonymous;
use super::super::archive_error::archive_error;
use super::super::args::ApplyArgs;
use super::super::byte_progress::ByteProgress;
use super::super::data_directory::unreadable;
use super::super::error::CommandError;
use super::super::journal::sessions_at;
use super::super::live;
use super::super::output::Output;
use super::super::server_files::ArchiveFile;
use super::super::shown_files::opened;
use super::super::source::Source;
use super::ready::Ready;
use super::typed::{typed, with_next};
use crate::apply::journal::BackupNote;
use crate::backup::{BackupFault, LiveTraces, ProvenBackup, asked, judge};
use crate::ensemble::{
    HeldSession, IDENTITY_NAME, RequestError, Session as _, ZnodeBirth, ZooKeeper,
};
use crate::model::{Folder, Millis, Target, Zxid};
use crate::observe::Observation;
use crate::render::archives::archive_fault;
use crate::render::backup::{EXAMPLE, PACKS, WHERE, fault, missing, passed};
use crate::render::data_files::time;
use crate::report::error::CommandFailure;
use crate::snapshot::{
    ArchiveBytes as _, ArchiveFailure, DataTraces, IndexedArchive, Verification, ZnodeTrace,
    packed_verdict, read_archive, sha256_of, traces,
};

/// Znodes below the root that are compared at most.
const MOST_ZNODES: usize = 500;

/// A backup that passed.
pub(super) struct PassedBackup {
    proven: ProvenBackup,
    most: Option<Millis>,
    file: String,
    verification: Verification,
    pub(super) note: BackupNote,
}

/// An archive that was read.
struct ReadArchive {
    traces: DataTraces,
    sha256: String,
}

/// The backup, where one is asked for or given.
pub(super) async fn checked(
    (args, source): (&ApplyArgs, &Source),
    (ready, target): (&Ready, &Target),
    port: &ZooKeeper,
    output: &Output,
) -> Result<Option<PassedBackup>, CommandError> {
    let wanted = asked(ready.checked.plan(), &ready.done, &target.policy);
    let Some(path) = &args.backup else {
        let Some(wanted) = wanted else { return Ok(None) };
        let error =
            CommandError::new(CommandFailure::BackupMissing, nothing_changed(&missing(wanted)));
        return Err(pack_again(args, error, output));
    };
    let live = live(port, target, &ready.seen).await.map_err(|why| not_read(why, source, args))?;
    let paths: Vec<String> = live.znodes.keys().cloned().collect();
    let at = path.clone();
    let read = tokio::task::spawn_blocking(move || read(&at, &paths)).await;
    let read = read.map_err(|error| CommandError::new(CommandFailure::Bug, error.to_string()))?;
    let ReadArchive { traces, sha256 } = read.map_err(|failure| match failure {
        NotRead::Wrong(what) => {
            let error = CommandError::new(CommandFailure::BackupDamaged, nothing_changed(&what));
            pack_again(args, error, output)
        }
        NotRead::Failed(error) => *error,
    })?;
    let (file, most) = (path.display().to_string(), wanted.map(|policy| policy.max_age));
    let now = now_ms();
    let judged = judge(&traces, &live, most, now);
    let proven =
        judged.map_err(|why| refused(args, (&file, &why, &traces.verification), output))?;
    output.note(&passed(&file, &proven, now));
    let note = BackupNote {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        zxid: proven.last_zxid().to_string(),
        at: time(proven.time_ms).unwrap_or_default(),
        sha256,
    };
    Ok(Some(PassedBackup { proven, most, file, verification: traces.verification, note }))
}

impl PassedBackup {
    /// Refuses it where it has become too old: a question may stand for long.
    pub(super) fn is_still_young(
        &self,
        args: &ApplyArgs,
        output: &Output,
    ) -> Result<(), CommandError> {
        let young = self.proven.is_young(self.most, now_ms());
        young.map_err(|why| refused(args, (&self.file, &why, &self.verification), output))
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn nothing_changed(what: &str) -> String {
    format!("{what}. Nothing was changed")
}

fn refused(
    args: &ApplyArgs,
    (file, why, seen): (&str, &BackupFault, &Verification),
    output: &Output,
) -> CommandError {
    let (code, hint) = match why {
        BackupFault::Damaged => (CommandFailure::BackupDamaged, ""),
        BackupFault::NotProvable => (
            CommandFailure::BackupNotProven,
            "servers of 3.5, and those with zookeeper.digest.enabled=false, write no proof: zkplan explain \
             backup",
        ),
        BackupFault::OtherZnode { .. }
        | BackupFault::OtherConfig { .. }
        | BackupFault::Ahead { .. } => (CommandFailure::BackupOfOther, ""),
        BackupFault::LeaderUnknown => {
            (CommandFailure::BackupNotProven, "zkplan status shows what the leader answers")
        }
        BackupFault::NotShown { .. } => (
            CommandFailure::BackupNotProven,
            "an archive that is packed now has the znodes that are here now; in an ensemble without any, \
             create one before",
        ),
        BackupFault::NoTime => (CommandFailure::BackupNotProven, ""),
        BackupFault::Future { .. } => (
            CommandFailure::BackupNotProven,
            "compare the clocks of the servers with that of this machine",
        ),
        BackupFault::TooOld { .. } => (CommandFailure::BackupTooOld, ""),
    };
    let error = CommandError::new(code, nothing_changed(&fault(file, why, seen))).hint(hint);
    pack_again(args, error, output)
}

/// The error with the commands that make a backup and apply with it.
fn pack_again(args: &ApplyArgs, error: CommandError, output: &Output) -> CommandError {
    let again = ApplyArgs { backup: Some(PathBuf::from(EXAMPLE)), ..args.clone() };
    let again = typed(&again, &args.file.display().to_string());
    let hint = format!("make a backup {WHERE}, then: {again}");
    with_next(error.hint(hint), PACKS, output)
}

fn not_read(why: RequestError, source: &Source, args: &ApplyArgs) -> CommandError {
    match why {
        RequestError::Refused(code) => {
            let what = format!("the znodes that a backup is compared with cannot be read: {code}");
            CommandError::new(CommandFailure::RequestRefused, what)
        }
        _ => live::no_server(&source.plans(&args.file)),
    }
}

/// What the ensemble says of itself, read on a session without credentials.
async fn live(
    port: &ZooKeeper,
    target: &Target,
    seen: &Observation,
) -> Result<LiveTraces, RequestError> {
    let session = open_anonymous(port, &sessions_at(seen, target), &target.connect).await;
    let session = session.map_err(|_| RequestError::NotSent)?;
    let znodes = births(&session, &target.connect.folder).await;
    session.close().await;
    Ok(LiveTraces {
        leader_zxid: seen.leader_reached().map(Zxid::get),
        config_version: seen.config.version.as_zxid().get(),
        znodes: znodes?,
    })
}

/// Where the znodes below the root come from, and those of zkplan. Those below `/zookeeper` are made by
/// each server for itself.
async fn births(
    session: &HeldSession,
    folder: &Folder,
) -> Result<BTreeMap<String, ZnodeTrace>, RequestError> {
    let below = match session.children("/").await {
        // What of the root may not be listed is not compared.
        Err(RequestError::Refused(_)) => Vec::new(),
        below => below?,
    };
    let own = [folder.to_string(), format!("{folder}/{IDENTITY_NAME}")];
    let below = below.iter().filter(|name| *name != "zookeeper").take(MOST_ZNODES);
    let paths: Vec<String> = below.map(|name| format!("/{name}")).chain(own).collect();
    let found = session.births(&paths).await?;
    let trace = |(path, birth): (String, Option<ZnodeBirth>)| {
        let ZnodeBirth { czxid, mzxid, ctime_ms } = birth?;
        let [czxid, mzxid] = [czxid, mzxid].map(i64::cast_unsigned);
        Some((path, ZnodeTrace { czxid, mzxid, ctime_ms }))
    };
    Ok(paths.into_iter().zip(found).filter_map(trace).collect())
}

/// Why an archive was not read.
enum NotRead {
    /// It is wrong.
    Wrong(String),
    /// Of the file nothing is known.
    Failed(Box<CommandError>),
}

/// Reads an archive twice, without unpacking it to a disk: once to its end, once as data files.
fn read(path: &Path, paths: &[String]) -> Result<ReadArchive, NotRead> {
    let name = path.display().to_string();
    let failed = |error: CommandError| NotRead::Failed(Box::new(error));
    let wrong = |failure: ArchiveFailure| match &failure {
        ArchiveFailure::Fault(fault) => NotRead::Wrong(format!("{name}: {}", archive_fault(fault))),
        ArchiveFailure::Io(_) => failed(archive_error(&name, &failure)),
    };
    let progress = ByteProgress::new();
    let file = opened(path).map_err(failed)?;
    let facts = file.metadata().map_err(|error| failed(unreadable(path, &error)))?;
    if !facts.is_file() {
        let what = format!("{name} is no file: --backup takes an archive of zkplan snapshot pack");
        return Err(failed(CommandError::new(CommandFailure::FileNotUsable, what)));
    }
    let archive = ArchiveFile { file, progress: &progress };
    progress.phase("reading", Some(facts.len()));
    let hash = archive.open(0).and_then(sha256_of);
    let sha256 = hash.map_err(|error| wrong(ArchiveFailure::Io(error)))?;
    let whole = archive.open(0).map_err(ArchiveFailure::Io);
    let contents = whole.and_then(|file| read_archive(file, &mut ())).map_err(wrong)?;
    progress.phase("verifying", None);
    let files = IndexedArchive::new(&archive, &contents);
    let mut traces = traces(&contents.listing(), &files, paths);
    traces.verification = packed_verdict(traces.verification, contents.manifest.as_ref());
    progress.clear();
    Ok(ReadArchive { traces, sha256 })
}
