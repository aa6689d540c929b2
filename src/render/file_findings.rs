//! The words for what is found in the files of a data directory.

use super::phrases;
use crate::model::Zxid;
use crate::snapshot::{
    Damage, DamageKind, DigestDifference, FileFinding, FileFindingKind, RefusalToStart, ServerLine,
    ServerStart, StartVerdict,
};

/// As ZooKeeper prints it.
pub(super) fn zxid(zxid: u64) -> String {
    Zxid::new(zxid).to_string()
}

/// A finding, with its file and the place in it.
pub fn file_finding(finding: &FileFinding) -> String {
    let what = words(&finding.kind);
    let place = match (&finding.file, finding.offset) {
        (Some(file), Some(offset)) => format!("{file} at byte {offset}: "),
        (Some(file), None) => format!("{file}: "),
        (None, _) => String::new(),
    };
    place + &what
}

fn words(kind: &FileFindingKind) -> String {
    use FileFindingKind as Kind;
    match kind {
        Kind::Damaged(damage) => damaged(damage),
        Kind::Vanished => "the file was removed while the directory was read".to_owned(),
        Kind::Unreadable(why) => format!("the file cannot be read: {why}"),
        Kind::Growing => "a server is writing this file".to_owned(),
        Kind::Foreign => "no file of ZooKeeper's; a server does not read it".to_owned(),
        Kind::Misnamed { zxid: named } => format!(
            "no server writes this name, but each reads the file as one of zxid {}. Move it away",
            zxid(*named)
        ),
        Kind::WrongDirectory => {
            "this file is in the other directory: with dataLogDir set, logs are \
                                 there and snapshots in dataDir"
                .to_owned()
        }
        Kind::OtherFirst { named, first } => {
            format!("the first transaction is {}, the name says {}", zxid(*first), zxid(*named))
        }
        Kind::NoTransaction => "the log has no transaction".to_owned(),
        Kind::Torn => {
            "the log ends inside a record: a write was cut short, or the file was".to_owned()
        }
        Kind::CutAtRecord => {
            "the log ends behind a record, without the zeros that a server writes \
                              ahead: later records may have been cut off"
                .to_owned()
        }
        Kind::Gap { .. }
        | Kind::Repeated { .. }
        | Kind::Backwards { .. }
        | Kind::EpochEnd { .. } => order(kind),
        Kind::NoSnapshot => "no snapshot can be loaded, so the logs begin with nothing".to_owned(),
        Kind::Nothing => "there is no snapshot and no log".to_owned(),
        Kind::NotCovered { .. }
        | Kind::MaybeFuzzy
        | Kind::OlderThanName { .. }
        | Kind::NeedsDigestOff
        | Kind::AclMissing => of_snapshot(kind),
        Kind::NoDigest { .. }
        | Kind::OtherTree(_)
        | Kind::LettersUnclear(_)
        | Kind::OtherLog { .. }
        | Kind::DoesNotApply(_) => of_tree(kind),
        Kind::EpochGarbled => "the file has no number".to_owned(),
        Kind::EpochBehind { current, needed } => format!(
            "the epoch is {current}, and the last transaction is of epoch {needed}: a member does not \
             start"
        ),
        Kind::AcceptedBehind { accepted, current } => format!(
            "the accepted epoch is {accepted}, lower than currentEpoch {current}: a member does not start"
        ),
        Kind::EpochEmpty { current, last } => format!(
            "the epoch is {current}, and the last transaction is of epoch {last}. If a client has written \
             since the last election, a log is missing"
        ),
        Kind::NoLogs => "there are no logs. If zoo.cfg has dataLogDir, add --log-dir".to_owned(),
        Kind::PackedUnproven => {
            "when this archive was packed, the files of the server did not show that nothing was missing"
                .to_owned()
        }
        Kind::LongField { length } => format!(
            "a field has {length} bytes. A server loads it only with jute.maxbuffer set to more than that"
        ),
    }
}

fn order(kind: &FileFindingKind) -> String {
    match kind {
        FileFindingKind::Gap { after, next, is_needed } => {
            let why = if *is_needed {
                "A server starts without a warning and lacks them"
            } else {
                "The snapshot covers them"
            };
            format!("transactions are missing between {} and {}. {why}", zxid(*after), zxid(*next))
        }
        FileFindingKind::Repeated { first, last, count } => format!(
            "transactions between {} and {} are in the logs again, {count} in all, the same ones: a \
             server logs them again if it was cut off from its leader while it caught up",
            zxid(*first),
            zxid(*last)
        ),
        FileFindingKind::Backwards { after, next } => format!(
            "transaction {} comes behind {}: files of two servers or ensembles are mixed",
            zxid(*next),
            zxid(*after)
        ),
        FileFindingKind::EpochEnd { after, next } => format!(
            "the log of {} ends without zeros before epoch {}, and no digest shows that nothing is \
             missing between them",
            zxid(*after),
            next >> 32
        ),
        _ => unreachable!("no finding about the order of transactions"),
    }
}

fn of_snapshot(kind: &FileFindingKind) -> String {
    match kind {
        FileFindingKind::NotCovered { begun, needs, reached } => format!(
            "the snapshot was begun at {} and written until {}, and the logs end at {}: it mixes both \
             states. A server starts with it all the same",
            zxid(*begun),
            zxid(*needs),
            zxid(*reached)
        ),
        FileFindingKind::MaybeFuzzy => {
            "nothing shows whether later transactions are in the snapshot: \
                                        it has no digest of its zxid, and no log continues it"
                .to_owned()
        }
        FileFindingKind::OlderThanName { named, holds } => format!(
            "its name says zxid {}, and its data end at {}: it may be another snapshot under this name",
            zxid(*named),
            zxid(*holds)
        ),
        FileFindingKind::NeedsDigestOff => {
            "the snapshot has no digest, but a last zxid: releases from 3.6 on load it only with \
             zookeeper.digest.enabled=false"
                .to_owned()
        }
        FileFindingKind::AclMissing => {
            "a znode has an access control list that is not in the snapshot".to_owned()
        }
        _ => unreachable!("no finding about a snapshot"),
    }
}

fn of_tree(kind: &FileFindingKind) -> String {
    let both = |of: &DigestDifference| {
        format!(
            "the tree digest at {} is {:x} in the file and {:x} of the data",
            zxid(of.zxid),
            of.stored,
            of.computed
        )
    };
    match kind {
        FileFindingKind::NoDigest { zxid: at } => format!(
            "transaction {} has no digest that could prove the data (3.5, or zookeeper.digest.enabled=false)",
            zxid(*at)
        ),
        FileFindingKind::OtherTree(difference) => {
            format!("{}. Data are missing, changed, or of another ensemble", both(difference))
        }
        FileFindingKind::LettersUnclear(difference) => format!(
            "{}. Paths have letters outside ASCII, whose digest depends on file.encoding of the server",
            both(difference)
        ),
        FileFindingKind::OtherLog { zxid: at } => format!(
            "the snapshot and the log have different digests of {}: they are of different servers or \
             ensembles",
            zxid(*at)
        ),
        FileFindingKind::DoesNotApply(misfit) => format!(
            "transaction {} changes a znode that is not there, or creates one that is: the data before \
             it are not whole",
            zxid(misfit.zxid)
        ),
        _ => unreachable!("no finding about the tree"),
    }
}

fn damaged(damage: &Damage) -> String {
    let field = &damage.field;
    match &damage.kind {
        DamageKind::Truncated => format!("the file ends before the end of field `{field}`"),
        DamageKind::Value { value } => {
            format!("field `{field}` is {value}, which no server writes")
        }
        DamageKind::Length { length } => {
            format!("field `{field}` has length {length}, which no server takes")
        }
        DamageKind::Checksum { stored, computed } => format!(
            "the checksum of field `{field}` is {stored:x} in the file and {computed:x} of the data"
        ),
        DamageKind::Path { path } => format!("field `{field}` is not possible there: `{path}`"),
        DamageKind::Surplus => {
            format!("bytes follow field `{field}` where nothing may follow; no server reads them")
        }
        DamageKind::Compression { reason } => format!("the file cannot be unpacked: {reason}"),
    }
}

/// Which servers.
pub(super) fn releases(line: ServerLine) -> &'static str {
    match line {
        ServerLine::V35 => "3.5",
        ServerLine::V36 => "3.6 to 3.9.2",
        ServerLine::V393 => "3.9.3",
        ServerLine::V394 => "3.9.4 and later",
    }
}

/// What a server does with the directory.
pub fn server_start(start: &ServerStart) -> String {
    match &start.verdict {
        StartVerdict::Loads { snapshot } => format!("loads {snapshot} and the logs behind it"),
        StartVerdict::StartsWithHole { snapshot } => {
            format!("loads {snapshot}, starts, and lacks transactions")
        }
        StartVerdict::StartsEmpty => "starts with no data".to_owned(),
        StartVerdict::Refuses { reason } => format!("does not start: {}", refusal(reason)),
    }
}

fn refusal(reason: &RefusalToStart) -> String {
    match reason {
        RefusalToStart::WrongDirectory(file) => format!("{file} is in the other directory"),
        RefusalToStart::NoValidSnapshot => "it can load no snapshot".to_owned(),
        RefusalToStart::LogsAlone => {
            "there are logs and no snapshot that it takes for one".to_owned()
        }
        RefusalToStart::Log(file) => format!("it cannot read {file}"),
        RefusalToStart::NotTheNext(file) => {
            format!("a transaction in {file} is not the next one behind the one before it")
        }
        RefusalToStart::Epochs(file) => {
            format!("{file} does not fit the data, where it is a member of an ensemble")
        }
    }
}

/// A number of bytes, in full.
pub(super) fn bytes(bytes: u64) -> String {
    phrases::count(bytes, "byte")
}
