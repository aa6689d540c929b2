//! What is said of the backup that an apply asks for.

use super::data_files::time;
use super::file_findings::{file_finding, zxid};
use super::text::Text;
use crate::apply::journal::BackupNote;
use crate::backup::{BackupFault, ProvenBackup, asked};
use crate::model::{BackupPolicy, Millis};
use crate::plan::{Done, Plan};
use crate::snapshot::{Verification, ZnodeTrace};

/// The name of the file in commands that are shown.
pub const EXAMPLE: &str = "backup.tar.gz";

/// The command that makes a backup, where the files of a server are.
pub const PACKS: &str =
    "zkplan snapshot pack --zoo-cfg /etc/zookeeper/conf/zoo.cfg -o backup.tar.gz";

/// Where that command is run.
pub const WHERE: &str = "on a server of this ensemble, and bring the file here";

/// The backup that an apply of a plan asks for, in one sentence; nothing where it asks for none.
pub fn words(plan: &Plan, done: &Done) -> Option<String> {
    let BackupPolicy { max_age } = asked(plan, done, &plan.policy)?;
    Some(format!(
        "Apply asks for a backup (policy.backup): an archive that zkplan snapshot pack made of this \
         ensemble, with its last transaction at most {max_age} ago."
    ))
}

/// The same below a plan.
pub(super) fn below(plan: &Plan, done: Option<&Done>, width: usize) -> Text {
    let mut text = Text::new();
    let none = Done::new();
    if let Some(said) = words(plan, done.unwrap_or(&none)) {
        text.paragraph("", said, width);
    }
    text
}

/// The flag for the backup in the command that applies a plan.
pub(super) fn flag(plan: &Plan) -> String {
    let asked = asked(plan, &Done::new(), &plan.policy);
    asked.map(|_| format!(" --backup {EXAMPLE}")).unwrap_or_default()
}

/// That none was given.
pub fn missing(asked: BackupPolicy) -> String {
    let most = asked.max_age;
    format!("voters change, and policy.backup asks for a backup of at most {most}: none was given")
}

/// Why an archive is no backup; one sentence without its end.
pub fn fault(file: &str, fault: &BackupFault, seen: &Verification) -> String {
    let finding = || seen.findings.first().map(file_finding).unwrap_or_default();
    match fault {
        BackupFault::Damaged => format!("{file} is damaged or incomplete: {}", finding()),
        BackupFault::NotProvable => format!(
            "{file} does not show that nothing is missing in it, although nothing damaged was found: {}",
            finding()
        ),
        BackupFault::OtherZnode { path, archived, live } => other(file, path, (*archived, *live)),
        BackupFault::OtherConfig { archived, live } => {
            let there = archived.map_or_else(|| "none".to_owned(), zxid);
            format!(
                "{file} is not of this ensemble: its config version is {there}, and here it has been {} \
                 since before its end",
                zxid(*live)
            )
        }
        BackupFault::Ahead { archived, leader } => format!(
            "{file} is not of this ensemble: it ends at zxid {}, and the leader is at {}",
            zxid(*archived),
            zxid(*leader)
        ),
        BackupFault::LeaderUnknown => {
            format!(
                "whether {file} is of this ensemble is not known: the leader did not say its zxid"
            )
        }
        BackupFault::NotShown { archived } => format!(
            "nothing shows that {file} is of this ensemble: no znode that was found here is as old as its \
             end, zxid {}",
            zxid(*archived)
        ),
        BackupFault::NoTime => {
            format!("the age of {file} is not known: no transaction tells its time")
        }
        BackupFault::Future { ahead } => format!(
            "the age of {file} is not known: its last transaction is {} ahead of the clock of this machine",
            long(*ahead)
        ),
        BackupFault::TooOld { age, most } => format!(
            "{file} is too old: its last transaction was {} ago, and policy.backup allows {most}",
            long(*age)
        ),
    }
}

/// A znode that tells the archive from the ensemble.
fn other(file: &str, path: &str, (archived, live): (Option<ZnodeTrace>, ZnodeTrace)) -> String {
    let lead = format!("{file} is not of this ensemble");
    let created = |trace: ZnodeTrace| {
        let at = time(trace.ctime_ms).map(|at| format!(" at {at}")).unwrap_or_default();
        format!("{}{at}", zxid(trace.czxid))
    };
    match archived {
        None => format!(
            "{lead}: it has no {path}, which was created here by {}, before its end",
            created(live)
        ),
        Some(there) if (there.czxid, there.ctime_ms) == (live.czxid, live.ctime_ms) => format!(
            "{lead}, or of a past that this one has left: {path} was set last by {} there, and by {} here",
            zxid(there.mzxid),
            zxid(live.mzxid)
        ),
        Some(there) => format!(
            "{lead}: {path} was created by {} there, and by {} here",
            created(there),
            created(live)
        ),
    }
}

/// What passed, and what showed it.
pub fn passed(file: &str, backup: &ProvenBackup, now_ms: u64) -> String {
    let ago = u64::try_from(backup.time_ms).map(|then| Millis(now_ms.saturating_sub(then)));
    let ago = ago.map(|ago| format!(", {} ago", long(ago))).unwrap_or_default();
    format!(
        "backup: {file} is whole up to zxid {}{ago}; znodes that show that it is of this ensemble: {}",
        backup.last_zxid(),
        backup.znodes
    )
}

/// What the journal has of it.
pub fn noted(note: &BackupNote) -> String {
    let BackupNote { file, zxid, at, sha256 } = note;
    format!("backup {file} up to zxid {zxid} of {at}, SHA-256 {sha256}")
}

/// A length of time in the two largest units.
fn long(time: Millis) -> String {
    let seconds = time.0 / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m {seconds}s"),
        _ => format!("{hours}h {minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Example;
    use crate::model::Policy;
    use crate::snapshot::{DataVerdict, FileFinding, FileFindingKind, FileSeverity};

    #[test]
    fn a_length_is_said_in_two_units() {
        for (ms, said) in [
            (0, "0s"),
            (59_999, "59s"),
            (61_000, "1m 1s"),
            (3_600_000, "1h 0m"),
            (90_000_000, "25h 0m"),
        ] {
            assert_eq!(long(Millis(ms)), said);
        }
    }

    fn seen(findings: Vec<FileFinding>) -> Verification {
        Verification {
            verdict: DataVerdict::Whole,
            findings,
            snapshots: Vec::new(),
            logs: Vec::new(),
            base: None,
            last_zxid: None,
            proven: None,
            replayed: 0,
            listed_digests: std::collections::BTreeMap::new(),
            servers: Vec::new(),
        }
    }

    #[test]
    fn each_refusal_names_the_file_and_what_is_wrong_with_it() {
        let trace = |czxid, mzxid, ctime_ms| ZnodeTrace { czxid, mzxid, ctime_ms };
        let (here, day) = (trace(0x1_0000_0005, 0x1_0000_0009, 0), 86_400_000);
        let other = |archived| {
            let path = "/app".to_owned();
            fault(
                "b.tar",
                &BackupFault::OtherZnode { path, archived, live: here },
                &seen(Vec::new()),
            )
        };
        let of = |why| {
            let kind = FileFindingKind::NoDigest { zxid: 0x2a };
            let finding =
                FileFinding { severity: FileSeverity::NotProvable, file: None, offset: None, kind };
            fault("b.tar", &why, &seen(vec![finding]))
        };
        let most = Millis::from_secs(3600);
        let all = [
            of(BackupFault::NotProvable),
            of(BackupFault::Damaged),
            other(Some(trace(7, 7, day))),
            other(Some(trace(0x1_0000_0005, 0x1_0000_0008, 0))),
            other(None),
            of(BackupFault::OtherConfig { archived: Some(7), live: 0x1_0000_0007 }),
            of(BackupFault::Ahead { archived: 9, leader: 8 }),
            of(BackupFault::LeaderUnknown),
            of(BackupFault::NotShown { archived: 9 }),
            of(BackupFault::NoTime),
            of(BackupFault::Future { ahead: Millis(400_000) }),
            of(BackupFault::TooOld { age: Millis(90_060_000), most }),
            missing(BackupPolicy { max_age: most }),
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
        b.tar does not show that nothing is missing in it, although nothing damaged was found: transaction 0x2a has no digest that could prove the data (3.5, or zookeeper.digest.enabled=false)
        b.tar is damaged or incomplete: transaction 0x2a has no digest that could prove the data (3.5, or zookeeper.digest.enabled=false)
        b.tar is not of this ensemble: /app was created by 0x7 at 1970-01-02T00:00:00Z there, and by 0x100000005 at 1970-01-01T00:00:00Z here
        b.tar is not of this ensemble, or of a past that this one has left: /app was set last by 0x100000008 there, and by 0x100000009 here
        b.tar is not of this ensemble: it has no /app, which was created here by 0x100000005 at 1970-01-01T00:00:00Z, before its end
        b.tar is not of this ensemble: its config version is 0x7, and here it has been 0x100000007 since before its end
        b.tar is not of this ensemble: it ends at zxid 0x9, and the leader is at 0x8
        whether b.tar is of this ensemble is not known: the leader did not say its zxid
        nothing shows that b.tar is of this ensemble: no znode that was found here is as old as its end, zxid 0x9
        the age of b.tar is not known: no transaction tells its time
        the age of b.tar is not known: its last transaction is 6m 40s ahead of the clock of this machine
        b.tar is too old: its last transaction was 25h 1m ago, and policy.backup allows 1h
        voters change, and policy.backup asks for a backup of at most 1h: none was given
        ");
    }

    #[test]
    fn a_plan_says_that_apply_asks_for_a_backup_only_where_it_does() {
        let of = |wanted: &str| {
            let backup = Some(BackupPolicy { max_age: Millis::from_secs(24 * 3600) });
            let example =
                Example::new("1 2 3", wanted).policy(|own: &mut Policy| own.backup = backup);
            words(example.planned().plan(), &Done::new())
        };
        assert!(of("1 2 3 4").expect("a sentence").contains("at most 24h ago"));
        assert_eq!(of("1 2 3 4o"), None);
    }
}
