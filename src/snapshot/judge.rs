//! What the facts about files mean.

use super::damage::Damage;
use super::files::{DataListing, DataSide};
use super::finding::{FileFinding, FileFindingKind, FileSeverity};
use super::log_file::LogEnd;
use super::names::{FileRole, begins_like, is_written_by_servers, role_of};
use super::replay::{Base, DigestDifference, Replayed};
use super::scan::{FileState, Jump, RepeatedTransactions, Scan, ScannedSnapshot, follows};
use super::snapshot_file::SnapshotFacts;

/// What a server takes at most for one field by default: `jute.maxbuffer` and `jute.maxbuffer.extrasize`.
const LONGEST_FIELD: u64 = 0xf_ffff + 0xf_ffff;

use FileSeverity::{Damaged, NotProvable, Note};

/// What names say.
pub(super) fn names(listing: &DataListing) -> Vec<FileFinding> {
    let mut findings = Vec::new();
    for file in &listing.files {
        let mut found = |severity, kind| {
            findings.push(FileFinding::new(severity, Some(&file.name), kind));
        };
        let other = match file.side {
            DataSide::Data => "log",
            DataSide::Logs => "snapshot",
        };
        if listing.has_log_dir && begins_like(&file.name, other) {
            found(Damaged, FileFindingKind::WrongDirectory);
        } else if !is_written_by_servers(&file.name) {
            match role_of(&file.name) {
                FileRole::Snapshot { zxid, .. } | FileRole::Log { zxid } => {
                    found(NotProvable, FileFindingKind::Misnamed { zxid });
                }
                FileRole::Epoch | FileRole::Other => found(Note, FileFindingKind::Foreign),
            }
        }
    }
    findings
}

/// What became of reading a file, where that is worth a finding. A file that a server is writing is
/// nothing wrong; `if_gone` is what one means that it has removed meanwhile.
fn state<T>(
    state: &FileState<T>,
    name: &str,
    is_growing: bool,
    if_gone: FileSeverity,
) -> Option<FileFinding> {
    let finding = |severity, kind| Some(FileFinding::new(severity, Some(name), kind));
    match state {
        FileState::Whole(_) | FileState::Damaged(_) if is_growing => {
            finding(Note, FileFindingKind::Growing)
        }
        FileState::Whole(_) => None,
        FileState::Damaged(damage) => {
            let Damage { offset, .. } = *damage;
            finding(Damaged, FileFindingKind::Damaged(damage.clone())).map(|found| found.at(offset))
        }
        FileState::Vanished => finding(if_gone, FileFindingKind::Vanished),
        FileState::Unreadable(why) => {
            finding(NotProvable, FileFindingKind::Unreadable(why.clone()))
        }
    }
}

/// What each snapshot says by itself, and beside the logs.
pub(super) fn snapshots(scan: &Scan, base: Option<&ScannedSnapshot>) -> Vec<FileFinding> {
    let mut findings = Vec::new();
    for snapshot in &scan.snapshots {
        let name = &snapshot.file.name;
        findings.extend(state(&snapshot.state, name, snapshot.is_growing, Note));
        let Some(facts) = snapshot.state.whole() else { continue };
        let found = |severity, kind| FileFinding::new(severity, Some(name), kind);
        let stored = facts.stored_digest.filter(|stored| stored.zxid != 0);
        let of_name = stored.filter(|stored| stored.zxid == snapshot.zxid);
        if let Some(holds) = older_than_name(snapshot, facts, scan) {
            let kind = FileFindingKind::OlderThanName { named: snapshot.zxid, holds };
            findings.push(found(Note, kind));
        }
        if let Some(stored) = of_name {
            let logged = scan.digests.get(&snapshot.zxid);
            if logged.is_some_and(|logged| *logged != stored.value) {
                findings.push(found(Damaged, FileFindingKind::OtherLog { zxid: snapshot.zxid }));
            }
            // The base is held against what follows. Another one may lack its last transaction.
            let is_base = base.is_some_and(|base| base.file == snapshot.file);
            if stored.value != facts.digest && !is_base && facts.newest <= snapshot.zxid {
                let finding = of_digest(snapshot, facts, stored.value);
                findings.push(FileFinding { severity: NotProvable, ..finding });
            }
        }
        if facts.stored_digest.is_none() && facts.last_zxid.is_some() {
            findings.push(found(Note, FileFindingKind::NeedsDigestOff));
        }
        if facts.longest_field > LONGEST_FIELD {
            findings.push(found(Note, FileFindingKind::LongField { length: facts.longest_field }));
        }
        if let Some(offset) = facts.without_acl.filter(|_| of_name.is_some()) {
            findings.push(found(Damaged, FileFindingKind::AclMissing).at(offset));
        }
    }
    findings
}

/// Where the data of a snapshot end, if that is before its name. A new leader may name one after a zxid that
/// no transaction has: the last one before it is of an older epoch. A server that has processed no transaction
/// since it started writes no digest.
fn older_than_name(snapshot: &ScannedSnapshot, facts: &SnapshotFacts, scan: &Scan) -> Option<u64> {
    let stored = facts.stored_digest.map_or(0, |stored| stored.zxid);
    let is_of_name = stored >= snapshot.zxid || begins_an_epoch(snapshot.zxid);
    let is_other = if stored > 0 {
        !is_of_name
    } else {
        let logged = scan.digests.get(&snapshot.zxid);
        logged.is_some_and(|logged| *logged != facts.digest)
    };
    let holds = stored.max(facts.newest);
    (is_other && holds < snapshot.zxid).then_some(holds)
}

/// Whether no transaction has that zxid, for it is what a new leader begins its epoch with.
fn begins_an_epoch(zxid: u64) -> bool {
    zxid << 32 == 0
}

/// A snapshot whose digest is not that of its tree.
fn of_digest(snapshot: &ScannedSnapshot, facts: &SnapshotFacts, stored: u64) -> FileFinding {
    let difference = DigestDifference {
        zxid: snapshot.zxid,
        file: snapshot.file.name.clone(),
        offset: None,
        stored,
        computed: facts.digest,
    };
    other_tree(difference, facts.other_letters > 0)
}

/// A digest that differs, which is no proof of damage where a path has letters whose digest depends on
/// the JVM.
fn other_tree(difference: DigestDifference, has_other_letters: bool) -> FileFinding {
    let (name, offset) = (difference.file.clone(), difference.offset);
    let (severity, kind) = if has_other_letters {
        (NotProvable, FileFindingKind::LettersUnclear(difference))
    } else {
        (Damaged, FileFindingKind::OtherTree(difference))
    };
    FileFinding { offset, ..FileFinding::new(severity, Some(&name), kind) }
}

/// What each log says by itself, and how they follow one another from the base on.
pub(super) fn logs(scan: &Scan, base: Option<u64>) -> Vec<FileFinding> {
    let mut findings = Vec::new();
    let count = scan.logs.len();
    for (at, log) in scan.logs.iter().enumerate() {
        let name = &log.file.name;
        findings.extend(state(&log.state, name, log.is_growing, NotProvable));
        let is_last = at + 1 == count;
        let mut found = |severity, offset, kind| {
            findings.push(FileFinding::new(severity, Some(name), kind).at(offset));
        };
        if let Some(first) = log.facts.first.filter(|first| *first != log.zxid) {
            found(Damaged, 16, FileFindingKind::OtherFirst { named: log.zxid, first });
        }
        if log.state.whole().is_none() || log.is_growing {
            continue;
        }
        if let Some(again) = log.facts.repeated {
            let RepeatedTransactions { offset, first, last, count } = again;
            found(Note, offset, FileFindingKind::Repeated { first, last, count });
        }
        let severity = if is_last { NotProvable } else { Note };
        match (log.facts.end, log.facts.first) {
            (LogEnd::Torn, _) => found(severity, log.facts.end_offset, FileFindingKind::Torn),
            (_, None) => found(severity, 16, FileFindingKind::NoTransaction),
            (LogEnd::AtRecord, Some(_)) if is_last => {
                found(severity, log.facts.end_offset, FileFindingKind::CutAtRecord);
            }
            (LogEnd::AtRecord | LogEnd::Padded, Some(_)) => {}
        }
    }
    if scan.logs.is_empty() && base.is_some_and(|base| base > 0) {
        findings.push(FileFinding::new(Note, None, FileFindingKind::NoLogs));
    }
    findings.extend(scan.jumps.iter().filter_map(|jump| jump_finding(scan, *jump, base)));
    findings
}

/// What a jump means. One that ends at the base is filled by it.
fn jump_finding(scan: &Scan, jump: Jump, base: Option<u64>) -> Option<FileFinding> {
    let Jump { log, offset, after, next, .. } = jump;
    let finding = |severity, kind| {
        let name = scan.logs.get(log).map(|log| log.file.name.as_str());
        Some(FileFinding::new(severity, name, kind).at(offset))
    };
    if let Some(after) = after.filter(|after| *after >= next) {
        return finding(Damaged, FileFindingKind::Backwards { after, next });
    }
    let reached = after.max(base)?;
    let is_needed = is_needed(jump, base?);
    match after {
        _ if is_needed => {
            finding(Damaged, FileFindingKind::Gap { after: reached, next, is_needed })
        }
        Some(after) => finding(Note, FileFindingKind::Gap { after, next, is_needed }),
        None => None,
    }
}

/// Whether transactions behind that snapshot are missing.
pub(super) fn is_needed(jump: Jump, base: u64) -> bool {
    let reached = jump.after.map_or(base, |after| after.max(base));
    jump.next > base && jump.next > reached && !follows(reached, jump.next)
}

/// Why there is no snapshot to begin with.
pub(super) fn no_base(scan: &Scan) -> FileFinding {
    let is_empty = scan.snapshots.is_empty() && scan.logs.is_empty();
    let kind = if is_empty { FileFindingKind::Nothing } else { FileFindingKind::NoSnapshot };
    FileFinding::new(Damaged, None, kind)
}

/// Whether the logs reach to the end of the base.
pub(super) fn cover(snapshot: &ScannedSnapshot, base: Base, last: u64) -> Option<FileFinding> {
    let reached = last.max(base.zxid);
    let needs = Some(base.reaches).filter(|reaches| *reaches > reached)?;
    let kind = FileFindingKind::NotCovered { begun: base.zxid, needs, reached };
    Some(FileFinding::new(Damaged, Some(&snapshot.file.name), kind))
}

/// What a snapshot without transactions behind it proves. Nothing is found where its digest is right.
pub(super) fn alone(
    snapshot: &ScannedSnapshot,
    facts: &SnapshotFacts,
    logged: Option<u64>,
) -> Option<FileFinding> {
    let name = Some(snapshot.file.name.as_str());
    let stored = facts.stored_digest.filter(|stored| stored.zxid != 0);
    // A new leader's snapshot has the digest of the last transaction of the epoch before.
    let of_tree = stored.filter(|stored| {
        let is_of_name = stored.zxid == snapshot.zxid
            || stored.zxid < snapshot.zxid && begins_an_epoch(snapshot.zxid);
        is_of_name && stored.version == super::digest::DIGEST_VERSION
    });
    let is_empty = snapshot.zxid == 0 && facts.newest == 0;
    let is_proven = of_tree.is_some_and(|stored| stored.value == facts.digest)
        || logged == Some(facts.digest)
        || is_empty;
    if is_proven {
        return None;
    }
    match of_tree.filter(|stored| stored.zxid == snapshot.zxid) {
        Some(stored) => Some(of_digest(snapshot, facts, stored.value)),
        None => Some(FileFinding::new(NotProvable, name, FileFindingKind::MaybeFuzzy)),
    }
}

/// The end of an epoch where a log ends without the zeros that a server writes ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct EpochBorder {
    pub(super) after: u64,
    pub(super) next: u64,
}

/// The ends of epochs behind a snapshot that only a digest can show to be whole.
pub(super) fn epoch_ends(scan: &Scan, base: u64) -> Vec<EpochBorder> {
    let mut borders = Vec::new();
    let mut before: Option<(u64, LogEnd)> = None;
    for scanned in &scan.logs {
        let facts = &scanned.facts;
        if let (Some((after, end)), Some(next)) = (before, facts.first)
            && after >> 32 != next >> 32
            && next > base
            && end != LogEnd::Padded
            && !follows(base, next)
        {
            borders.push(EpochBorder { after, next });
        }
        if let Some(last) = facts.last {
            before = Some((last, facts.end));
        }
    }
    borders
}

/// The ends of epochs that no digest has shown to be whole.
pub(super) fn epoch_findings(borders: &[EpochBorder], replayed: &Replayed) -> Vec<FileFinding> {
    let open = borders.iter().filter(|border| !replayed.proven_of.contains(&border.next));
    let finding = |border: &EpochBorder| {
        let kind = FileFindingKind::EpochEnd { after: border.after, next: border.next };
        FileFinding::new(NotProvable, None, kind)
    };
    open.map(finding).collect()
}

/// What the replay found.
pub(super) fn replayed(replayed: &Replayed, has_other_letters: bool) -> Vec<FileFinding> {
    let mut findings = Vec::new();
    if let Some(difference) = &replayed.difference {
        findings.push(other_tree(difference.clone(), has_other_letters));
    }
    if let Some(misfit) = &replayed.misfit {
        let kind = FileFindingKind::DoesNotApply(misfit.clone());
        findings.push(FileFinding::new(Damaged, Some(&misfit.file), kind).at(misfit.offset));
    }
    findings
}

/// The number that a server reads in an epoch file: its first line, without blanks
/// (`QuorumPeer.readLongFromFile`).
fn epoch_in(text: &str) -> Option<i64> {
    text.split(['\n', '\r']).next().and_then(|line| line.parse().ok())
}

/// What the epoch files say beside the last transaction (`QuorumPeer.loadDataBase`).
pub(super) fn epochs(listing: &DataListing, last: Option<u64>) -> Vec<FileFinding> {
    let mut findings = Vec::new();
    let mut number = |name, text: &Option<String>| {
        let text = text.as_deref()?;
        let number = epoch_in(text);
        if number.is_none() {
            findings.push(FileFinding::new(Damaged, Some(name), FileFindingKind::EpochGarbled));
        }
        number
    };
    let accepted = number("acceptedEpoch", &listing.accepted_epoch);
    let current = number("currentEpoch", &listing.current_epoch);
    let next = listing.next_epoch.as_deref().and_then(epoch_in);
    let needed = last.unwrap_or_default() >> 32;
    let is_behind = |epoch: i64| u64::try_from(epoch).unwrap_or_default() < needed;
    let is_ahead = |epoch: &i64| u64::try_from(*epoch).is_ok_and(|epoch| epoch > needed);
    if let Some(current) = current.filter(|current| last.is_some() && is_ahead(current)) {
        let kind = FileFindingKind::EpochEmpty { current, last: needed };
        findings.push(FileFinding::new(NotProvable, Some("currentEpoch"), kind));
    }
    if let Some(current) = current.filter(|current| is_behind(*current))
        && next.is_none_or(is_behind)
    {
        let kind = FileFindingKind::EpochBehind { current, needed };
        findings.push(FileFinding::new(Damaged, Some("currentEpoch"), kind));
    }
    if let (Some(accepted), Some(current)) = (accepted, current)
        && accepted < current
    {
        let kind = FileFindingKind::AcceptedBehind { accepted, current };
        findings.push(FileFinding::new(Damaged, Some("acceptedEpoch"), kind));
    }
    findings
}
