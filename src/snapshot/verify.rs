//! Whether a data directory is whole.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{DataFiles, DataListing};
use super::finding::{FileFinding, FileFindingKind, FileSeverity};
use super::judge;
use super::replay::{Base, Replay, Replayed};
use super::scan::{FileState, Scan, ScannedLog, ScannedSnapshot, read_into, scan};
use super::server_start::{ServerStart, server_starts};
use super::snapshot_file::{SnapshotFacts, SnapshotSink, ZnodeRecord};
use super::touched::TouchedPaths;
use super::tree::{Tree, Znode};

/// What the files of a data directory are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataVerdict {
    /// They are whole, and the digest of the tree shows it.
    Whole,
    /// Nothing is seen to be wrong, and the files do not show that nothing is missing.
    NotProvable,
    /// Something is damaged or missing.
    Damaged,
}

/// A verified directory.
#[derive(Debug)]
pub struct Verification {
    /// What the files are worth.
    pub verdict: DataVerdict,
    /// What was found, gravest first.
    pub findings: Vec<FileFinding>,
    /// The snapshots, newest first.
    pub snapshots: Vec<ScannedSnapshot>,
    /// The logs, oldest first.
    pub logs: Vec<ScannedLog>,
    /// The snapshot that the data begin with, by its name.
    pub base: Option<String>,
    /// The last transaction in the files.
    pub last_zxid: Option<u64>,
    /// The transaction up to which the digest shows that the tree is what it was on the server.
    pub proven: Option<u64>,
    /// Digests that a server wrote into its logs, by zxid: the newest of those that servers list at the
    /// four-letter word `hash`, too.
    pub listed_digests: BTreeMap<u64, u64>,
    /// How many transactions were replayed onto the snapshot.
    pub replayed: u64,
    /// What servers would do with the directory.
    pub servers: Vec<ServerStart>,
}

/// Gets each znode of the tree that a server would have, once, in no order. The root is empty.
pub(super) type Visit<'a> = dyn FnMut(&[u8], &Znode) + 'a;

/// A verified directory, and what a server would have with it.
pub(super) struct Loaded {
    pub(super) verification: Verification,
    /// Sessions and the membership. `None` where no tree could be loaded: what was visited is not all then.
    pub(super) tree: Option<Tree>,
    pub(super) replayed: Replayed,
}

/// Verifies the files of a data directory. Memory grows with the znodes that the transactions behind the
/// newest whole snapshot change, and with the ephemeral ones: about 150 bytes and the path for each.
pub fn verify(listing: &DataListing, files: &impl DataFiles) -> Verification {
    load(listing, files, None).verification
}

/// Verifies the files, and visits every znode where that is wanted.
pub(super) fn load(
    listing: &DataListing,
    files: &impl DataFiles,
    visit: Option<&mut Visit<'_>>,
) -> Loaded {
    let scan = scan(listing, files);
    let mut findings = judge::names(listing);
    let base = scan.base();
    let last_logged = scan.logs.iter().filter_map(|log| log.facts.last).max();
    let last_zxid = last_logged.max(base.map(|(snapshot, _)| snapshot.zxid));
    findings.extend(judge::snapshots(&scan, base.map(|(snapshot, _)| snapshot)));
    findings.extend(judge::logs(&scan, base.map(|(snapshot, _)| snapshot.zxid)));
    let (mut tree, mut replayed, mut proven) = (None, Replayed::default(), None);
    match base {
        None => findings.push(judge::no_base(&scan)),
        Some((snapshot, facts)) => {
            let of_base = of_base(&scan, (snapshot, facts), files, visit);
            findings.extend(of_base.findings);
            (tree, replayed, proven) = (of_base.tree, of_base.replayed, of_base.proven);
        }
    }
    findings.extend(judge::epochs(listing, last_zxid));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let verdict = match findings.first().map(|finding| finding.severity) {
        Some(FileSeverity::Damaged) => DataVerdict::Damaged,
        Some(FileSeverity::NotProvable) => DataVerdict::NotProvable,
        Some(FileSeverity::Note) | None => DataVerdict::Whole,
    };
    let servers = server_starts(listing, &scan, &findings);
    let base = base.map(|(snapshot, _)| snapshot.file.name.clone());
    let Scan { snapshots, logs, listed_digests, .. } = scan;
    let verification = Verification {
        verdict,
        findings,
        snapshots,
        logs,
        base,
        last_zxid,
        proven,
        listed_digests,
        replayed: replayed.transactions,
        servers,
    };
    Loaded { verification, tree, replayed }
}

struct OfBase {
    findings: Vec<FileFinding>,
    tree: Option<Tree>,
    replayed: Replayed,
    proven: Option<u64>,
}

/// What the snapshot that the data begin with, and the logs behind it, say of each other.
fn of_base(
    scan: &Scan,
    (snapshot, facts): (&ScannedSnapshot, &SnapshotFacts),
    files: &impl DataFiles,
    visit: Option<&mut Visit<'_>>,
) -> OfBase {
    let logged = scan.digests.get(&snapshot.zxid).copied();
    let base = Base::of(snapshot.zxid, facts);
    let last = scan.logs.iter().filter_map(|log| log.facts.last).max().unwrap_or_default();
    let mut findings: Vec<FileFinding> = judge::cover(snapshot, base, last).into_iter().collect();
    let mut of_base =
        OfBase { findings: Vec::new(), tree: None, replayed: Replayed::default(), proven: None };
    let has_more = last > snapshot.zxid;
    if has_more || visit.is_some() {
        let mut loading = Loading { touched: &scan.touched, tree: Tree::default(), visit };
        let again = read_into((&snapshot.file, snapshot.compression), files, &mut loading);
        let Loading { mut tree, visit, .. } = loading;
        if again.whole() != Some(facts) {
            let kind = match again {
                FileState::Vanished => FileFindingKind::Vanished,
                FileState::Unreadable(why) => FileFindingKind::Unreadable(why),
                FileState::Whole(_) => FileFindingKind::Growing,
                FileState::Damaged(damage) => FileFindingKind::Damaged(damage),
            };
            let severity = match kind {
                FileFindingKind::Damaged(_) => FileSeverity::Damaged,
                _ => FileSeverity::NotProvable,
            };
            findings.push(FileFinding::new(severity, Some(&snapshot.file.name), kind));
            of_base.findings = findings;
            return of_base;
        }
        let ends = judge::epoch_ends(scan, snapshot.zxid);
        let asked: BTreeSet<u64> = ends.iter().map(|end| end.next).collect();
        let mut replay = Replay::new(base, last, &asked);
        for log in needed(scan, snapshot.zxid) {
            if replay.log(&mut tree, &log.file, files).is_err() && log.state.whole().is_some() {
                let kind = FileFindingKind::Growing;
                let severity = FileSeverity::NotProvable;
                findings.push(FileFinding::new(severity, Some(&log.file.name), kind));
            }
        }
        let replayed = replay.end(&tree);
        let other_letters = tree.other_letters() > 0 || facts.other_letters > 0;
        findings.extend(judge::replayed(&replayed, other_letters));
        findings.extend(judge::epoch_findings(&ends, &replayed));
        if let Some(visit) = visit {
            tree.znodes().for_each(|(path, znode)| visit(path, znode));
        }
        of_base.tree = Some(tree);
        of_base.replayed = replayed;
    }
    if has_more {
        of_base.proven = of_base.replayed.proven;
        let is_proven = of_base.proven.is_some() && of_base.proven == of_base.replayed.last;
        let zxid = of_base.replayed.last.unwrap_or(last);
        let differs = of_base.replayed.difference.is_some();
        findings.extend((!is_proven && !differs).then(|| {
            FileFinding::new(FileSeverity::NotProvable, None, FileFindingKind::NoDigest { zxid })
        }));
    } else if findings.is_empty() {
        let alone = judge::alone(snapshot, facts, logged);
        of_base.proven = alone.is_none().then_some(snapshot.zxid);
        findings.extend(alone);
    }
    of_base.findings = findings;
    of_base
}

/// Loads a snapshot: what no transaction touches is visited at once, and not kept.
struct Loading<'a, 'b> {
    touched: &'a TouchedPaths,
    tree: Tree,
    visit: Option<&'a mut Visit<'b>>,
}

impl SnapshotSink for Loading<'_, '_> {
    fn session(&mut self, id: i64, timeout_ms: i32) {
        self.tree.session(id, timeout_ms);
    }

    fn znode(&mut self, znode: &ZnodeRecord<'_>) {
        if self.touched.may_have(znode.path) {
            self.tree.take_in(znode);
            return;
        }
        self.tree.count_in(znode);
        if let Some(visit) = &mut self.visit {
            visit(znode.path, &Znode::of(znode));
        }
    }
}

/// The logs that a server reads behind a snapshot: the last one that does not begin behind it, and all
/// later ones.
fn needed(scan: &Scan, zxid: u64) -> impl Iterator<Item = &ScannedLog> {
    let begins = scan.logs.iter().map(|log| log.zxid).filter(|begins| *begins <= zxid).max();
    scan.logs.iter().filter(move |log| log.zxid >= begins.unwrap_or_default())
}
