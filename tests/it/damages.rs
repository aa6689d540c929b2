//! Files of real servers, damaged at each place of their formats: `zkplan snapshot verify` names the file,
//! and never calls data whole that are not what the server had. `tests/damage/places.md` counts the damages;
//! `ZKPLAN_UPDATE=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use zkplan::snapshot::{DataVerdict, FileSeverity, Verification, verify};

use crate::damage::{Case, Directory, Way, cases, corpus, fields};

use FileSeverity::{Damaged, NotProvable, Note};

const INDEX: &str = "tests/damage/places.md";

/// The damages that are shown of those that are judged wrongly.
const SHOWN: usize = 20;

/// The same files without the snapshots behind the first: each log is needed.
fn from_the_first(whole: &Directory) -> Directory {
    let mut all = whole.clone();
    let first = all.names("snapshot").swap_remove(0);
    all.files.retain(|name, _| !name.starts_with("snapshot") || *name == first);
    all
}

/// A directory of another ensemble of the same kind.
fn other_than(whole: &Directory, all: &[Directory]) -> Directory {
    let is_alike = |other: &&Directory| other.has_digests() == whole.has_digests();
    let mut others = all.iter().filter(|other| other.name != whole.name).filter(is_alike);
    others.next().expect("another directory").clone()
}

/// A whole directory, and what verify says of it.
struct Scene {
    whole: Directory,
    before: Verification,
}

impl Scene {
    fn of(whole: Directory) -> Self {
        let before = verify(&whole.listing(), &whole);
        Self { whole, before }
    }

    /// Whether a server reads the file when it loads the directory.
    fn is_needed(&self, name: &str) -> bool {
        if !name.starts_with("log") {
            return self.before.base.as_deref() == Some(name);
        }
        let base = self.before.base.as_ref().and_then(|base| self.zxid(base)).unwrap_or_default();
        let logs = self.before.logs.iter();
        let first = logs.map(|log| log.zxid).filter(|zxid| *zxid <= base).max().unwrap_or_default();
        let log = self.before.logs.iter().find(|log| log.file.name == name);
        // The first of them can end before the base.
        log.is_some_and(|log| log.zxid >= first && log.facts.last > Some(base))
    }

    fn zxid(&self, snapshot: &str) -> Option<u64> {
        let of = self.before.snapshots.iter().find(|other| other.file.name == snapshot);
        of.map(|snapshot| snapshot.zxid)
    }

    /// The log behind that one.
    fn next(&self, name: &str) -> Option<&str> {
        let at = self.before.logs.iter().position(|log| log.file.name == name)?;
        self.before.logs.get(at + 1).map(|log| log.file.name.as_str())
    }

    /// Whether what is gone is the end of an epoch, so that no number shows it.
    fn ends_an_epoch(&self, case: &Case) -> bool {
        let mut logs = self.before.logs.iter().skip_while(|log| log.file.name != case.file);
        let last = logs.next().and_then(|log| log.facts.last);
        let next = logs.next().and_then(|log| log.facts.first);
        let takes_all_behind = matches!(case.way, Way::Cut | Way::CutAtRecord | Way::Zeroed);
        let is_last = case.record.is_some_and(|(record, count)| record + 1 >= count);
        (is_last || takes_all_behind)
            && last.zip(next).is_some_and(|(last, next)| last >> 32 != next >> 32)
    }

    /// What is wrong with what verify says of a damage.
    fn wrong(&self, case: &Case, seen: &Verification) -> Option<&'static str> {
        let names = |file: &str, least: FileSeverity| {
            let mut all = seen.findings.iter();
            all.any(|found| found.file.as_deref() == Some(file) && found.severity >= least)
        };
        let is_whole = seen.verdict == DataVerdict::Whole;
        let is_lower = seen.last_zxid < self.before.last_zxid;
        let (is_log, next) = (case.file.starts_with("log"), self.next(&case.file));
        let is_tail = is_log && next.is_none();
        let is_in_last = is_tail && case.record.is_some_and(|(record, count)| record + 1 >= count);
        if is_whole && is_lower && !is_tail {
            return Some("whole, with less");
        }
        let least = match case.way {
            Way::Flipped | Way::Inserted if case.is_in_zeros() => Some(Note),
            Way::Removed | Way::Cut if case.is_in_zeros() => None,
            Way::Flipped | Way::Inserted if is_in_last => Some(NotProvable),
            Way::Removed if is_log => Some(Note),
            Way::Cut if is_log || case.is_older_shape() => None,
            Way::Packed if self.has_same_content(seen) => None,
            Way::Epochs if case.is_no_number() => Some(Damaged),
            // A server applies it again, and has the same data.
            Way::RecordDoubled => Some(Note),
            Way::Copied => Some(NotProvable),
            Way::Swapped if !is_log => self.whole.has_digests().then_some(Note),
            Way::ForeignAdded if !is_log => None,
            Way::CutAtRecord
            | Way::Zeroed
            | Way::RecordZeroed
            | Way::RecordRemoved
            | Way::Resealed
            | Way::Missing
            | Way::Foreign
            | Way::Epochs => None,
            _ => Some(Damaged),
        };
        if least.is_some_and(|least| !names(&case.file, least)) {
            return Some("not named");
        }
        let takes_away = match case.way {
            Way::Cut | Way::CutAtRecord => is_log && !case.is_behind_all(),
            Way::Zeroed | Way::RecordZeroed | Way::RecordRemoved => true,
            _ => false,
        };
        let is_named = names(&case.file, Note) || next.is_some_and(|next| names(next, Note));
        if takes_away && !is_named && !is_lower && !self.ends_an_epoch(case) {
            return Some("neither the file nor the next one is named");
        }
        let is_first = self.zxid(&case.file) == Some(0);
        let is_other = match case.way {
            // The logs behind the first snapshot write over what is in it.
            Way::Resealed => case.is_in_digest && !is_first && !is_log && self.whole.has_digests(),
            Way::Removed => !case.is_in_zeros(),
            Way::Missing if is_log => true,
            // With an empty database, all ensembles begin alike.
            Way::Foreign => !is_first,
            Way::Zeroed | Way::RecordZeroed | Way::RecordRemoved => !is_tail || !is_lower,
            _ => takes_away,
        };
        let is_proven = self.ends_an_epoch(case) && seen.proven == seen.last_zxid;
        (is_other && is_whole && self.is_needed(&case.file) && !is_proven).then_some("whole")
    }
}

impl Scene {
    /// Whether the snapshots hold what they held before: bytes of a compressed file can be others.
    fn has_same_content(&self, seen: &Verification) -> bool {
        let facts = |of: &Verification| -> Vec<_> {
            of.snapshots.iter().map(|snapshot| snapshot.state.whole().cloned()).collect()
        };
        facts(seen) == facts(&self.before)
    }
}

/// How often each place was hit, and what was said of each way, by directory.
type Tally = BTreeMap<(String, String), usize>;

/// Damages the directories of the corpus, as they are or another way.
fn judged(from: fn(&Directory) -> Directory, kinds: &[&str]) -> Tally {
    let all = corpus();
    let (mut tally, mut wrong) = (Tally::new(), Vec::new());
    for whole in &all {
        let scene = Scene::of(from(whole));
        for case in cases(&scene.whole, &other_than(whole, &all), kinds) {
            let damaged = case.of(&scene.whole);
            let seen = verify(&damaged.listing(), &damaged);
            if let Some(what) = scene.wrong(&case, &seen) {
                wrong.push(format!(
                    "{}, {}: {what}: {:?}",
                    whole.name,
                    case.label(),
                    seen.findings
                ));
            }
            let mut count = |row: String| {
                *tally.entry((row, whole.name.clone())).or_default() += 1;
            };
            if let Some(field) = case.field.as_ref().filter(|_| case.way != Way::Epochs) {
                count(field.clone());
            }
            count(format!("{:?}", case.way));
        }
    }
    let shown = wrong.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} are wrong:\n{shown}", wrong.len());
    tally
}

/// Each place of the formats is hit in the files of each release that has it.
#[test]
fn damage_at_each_place_is_named() {
    let index = index(&judged(Clone::clone, &["snapshot", "log"]));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(INDEX);
    if std::env::var_os("ZKPLAN_UPDATE").is_some() {
        fs::write(&path, &index).expect("the table can be written");
    }
    let kept = fs::read_to_string(&path).expect("the table");
    assert!(kept == index, "{INDEX}: run the tests with ZKPLAN_UPDATE=1");
}

/// The same where a server has only its first snapshot, so that each log is needed.
#[test]
fn damage_to_logs_that_are_needed_is_never_whole() {
    judged(from_the_first, &["log"]);
}

fn index(tally: &Tally) -> String {
    let names: Vec<String> = corpus().into_iter().map(|directory| directory.name).collect();
    let mut text = "# Damages to the files of real servers\n\nWritten by `it damages`. Each row is a place \
                    of ZooKeeper's formats, or a way to damage a file; each figure is how many damages \
                    of it were done to the directory (`tests/data-directories`). `zkplan snapshot \
                    verify` names the file of each, or says why the files cannot tell. `-`: the files of \
                    that release have no such place.\n"
        .to_owned();
    let head = |text: &mut String, title: &str| {
        let line = "|---".repeat(names.len() + 1);
        write!(text, "\n| {title} | {} |\n{line}|\n", names.join(" | ")).expect("a string");
    };
    let row = |text: &mut String, key: &str| {
        let figure = |name: &String| tally.get(&(key.to_owned(), name.clone())).copied();
        let figures: Vec<_> = names.iter().map(figure).collect();
        let has_one = figures.iter().any(Option::is_some);
        assert!(has_one, "no directory has a place `{key}`");
        let shown = figures.iter().map(|figure| figure.map_or("-".to_owned(), |n| n.to_string()));
        writeln!(text, "| {key} | {} |", shown.collect::<Vec<_>>().join(" | ")).expect("a string");
    };
    head(&mut text, "place");
    for field in &fields() {
        row(&mut text, field);
    }
    head(&mut text, "way");
    let mut ways: Vec<&String> = tally.keys().map(|(key, _)| key).collect();
    ways.retain(|key| !key.contains(':'));
    ways.dedup();
    for way in ways {
        row(&mut text, way);
    }
    text
}
