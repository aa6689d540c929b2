//! What `zkplan snapshot verify` says that servers do with damaged files, against what servers do: the
//! server's own classes load each directory as a member of an ensemble does when it starts, many
//! directories in one Java. What verify calls whole is what the server had, to the last znode.
//!
//! The files are those of `tests/data-directories`, damaged as in `tests/damage`.

use std::collections::BTreeMap;
use std::path::Path;

use zkplan::snapshot::{
    DataVerdict, FileFindingKind, ServerLine, ServerStart, StartVerdict, Verification, verify,
};

use crate::damage::{Case, Directory, Way, cases, corpus};
use crate::harness::Release;
use crate::harness::java::Java;
use crate::show;

/// Directories that one Java loads before they are removed.
const AT_A_TIME: usize = 500;

/// Disagreements that are shown.
const SHOWN: usize = 30;

/// What a server made of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Loaded {
        zxid: u64,
        znodes: u64,
        /// A hash of what the tree digest covers.
        data: String,
        /// A hash of everything.
        all: String,
    },
    Refused(String),
}

/// A directory, what was done to it, and what verify says.
struct Asked {
    case: Option<Case>,
    files: Directory,
    seen: Verification,
}

impl Asked {
    fn of(case: Option<Case>, whole: &Directory) -> Self {
        let files = case.as_ref().map_or_else(|| whole.clone(), |case| case.of(whole));
        let seen = verify(&files.listing(), &files);
        Self { case, files, seen }
    }

    fn label(&self) -> String {
        let what = self.case.as_ref().map_or_else(|| "as it was".to_owned(), Case::label);
        format!("{}, {what}", self.files.name)
    }
}

/// Has a server's own classes load directories.
fn words(release: Release, asked: &[Asked], has_digests: bool) -> Vec<Word> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/zookeeper/files_agree/DataDirectoryOracle.java");
    let mut words = Vec::new();
    for some in asked.chunks(AT_A_TIME) {
        let folder = tempfile::tempdir().expect("a folder");
        for (number, one) in some.iter().enumerate() {
            one.files.write(&folder.path().join(format!("{number:04}/version-2")));
        }
        // As it was set where the files were written.
        let digest = format!("-Dzookeeper.digest.enabled={has_digests}");
        let flags = ["-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", &digest];
        let flags = flags.map(str::to_owned);
        let said = Java::of(release).run_source(&flags, &source, &[folder.path()]);
        words.extend(said.lines().map(word));
    }
    assert_eq!(words.len(), asked.len(), "each directory has an answer");
    words
}

fn word(line: &str) -> Word {
    let (_, line) = line.split_once(' ').expect("a number");
    if let Some(reason) = line.strip_prefix("refused ") {
        return Word::Refused(reason.to_owned());
    }
    let fields: Vec<&str> = line.split(' ').collect();
    let [_, zxid, znodes, data, all] = fields[..] else { panic!("{line}") };
    let zxid = u64::from_str_radix(zxid, 16).expect("a zxid");
    let znodes = znodes.parse().expect("a number");
    Word::Loaded { zxid, znodes, data: data.to_owned(), all: all.to_owned() }
}

fn line_of(release: Release) -> ServerLine {
    match release {
        Release::Apache(number) if number.starts_with("3.5.") => ServerLine::V35,
        Release::Apache("3.9.5") => ServerLine::V394,
        _ => ServerLine::V36,
    }
}

/// The files with the first snapshot alone, and the same with less and less of the last log.
fn histories(whole: &Directory) -> Vec<Asked> {
    let mut from_first = whole.clone();
    let first = whole.names("snapshot").swap_remove(0);
    from_first.files.retain(|name, _| !name.starts_with("snapshot") || *name == first);
    let last = whole.names("log").pop();
    let shorter = cases(&from_first, whole, &["log"]).into_iter();
    let shorter =
        shorter.filter(|case| case.way == Way::Zeroed && Some(&case.file) == last.as_ref());
    let shorter = shorter.map(|case| Asked::of(Some(case), &from_first));
    [Asked::of(None, &from_first)].into_iter().chain(shorter).collect()
}

/// Whether a length in a record is another one, and its checksum fits: no disk does that. What a server takes
/// for a field then is anything, and verify does not read on.
fn is_other_length(case: &Case) -> bool {
    let is_length = |field: &String| field.ends_with("length") || field.ends_with("count");
    case.way == Way::Resealed && case.field.as_ref().is_some_and(is_length)
}

/// What a server has at each zxid.
type History = BTreeMap<u64, (String, String)>;

/// What is wrong with what verify said.
fn disagreement(
    asked: &Asked,
    line: ServerLine,
    word: &Word,
    history: &History,
    lost: bool,
) -> Option<String> {
    let is_line = |start: &&ServerStart| start.releases == line;
    let is_whole = asked.seen.verdict == DataVerdict::Whole;
    if !is_whole && asked.case.as_ref().is_some_and(is_other_length) {
        return None;
    }
    let start = asked.seen.servers.iter().find(is_line).expect("each line is predicted");
    let wrong = |what: &str| Some(format!("{what}: predicted {:?}, {word:?}", start.verdict));
    let Word::Loaded { zxid, znodes, data, all } = word else {
        let is_refused = matches!(start.verdict, StartVerdict::Refuses { .. });
        return if is_refused { None } else { wrong("it refuses") };
    };
    match start.verdict {
        StartVerdict::Refuses { .. } => return wrong("it loads"),
        StartVerdict::StartsEmpty if *znodes > 5 => return wrong("it is not empty"),
        _ => {}
    }
    if !is_whole {
        return None;
    }
    if Some(*zxid) != asked.seen.last_zxid {
        return wrong("whole, and it ends elsewhere");
    }
    if lost {
        return None;
    }
    let Some((of_data, of_all)) = history.get(zxid) else { return wrong("whole at another zxid") };
    let is_resealed = asked.case.as_ref().is_some_and(|case| case.way == Way::Resealed);
    if data != of_data {
        return wrong("whole, and the data are others");
    }
    if all != of_all && !is_resealed {
        return wrong("whole, and lists or sessions are others");
    }
    None
}

/// Whether a release loses the multis of a directory: it does not know those in which a znode is made as by
/// newer clients (`create2`), and leaves them out when it reads them in a log of a server that does
/// (ZOOKEEPER-4026). Which of the znodes it has depends on the snapshot then.
fn loses_multis(release: Release, directory: &str) -> bool {
    const LOSE: [Release; 3] =
        [Release::Installed, Release::Apache("3.5.10"), Release::Apache("3.6.4")];
    directory == "3.7.2" && LOSE.contains(&release)
}

/// Damages of each way, that many of each directory, from all over the list.
fn sample(all: Vec<Case>, of_each: usize) -> Vec<Case> {
    let mut by_way: BTreeMap<Way, Vec<Case>> = BTreeMap::new();
    for case in all {
        by_way.entry(case.way).or_default().push(case);
    }
    let some = |cases: Vec<Case>| {
        let step = (cases.len() / of_each).max(1);
        cases.into_iter().skip(step / 2).step_by(step).take(of_each)
    };
    by_way.into_values().flat_map(some).collect()
}

/// What is wrong with what verify says of a directory and of damages to it, on a release.
fn disagreements(release: Release, whole: &Directory, of_each: usize) -> (usize, Vec<String>) {
    let all = corpus();
    let is_other =
        |other: &&Directory| other.name != whole.name && other.has_digests() == whole.has_digests();
    let other = all.iter().find(is_other).expect("another directory");
    let mut asked = vec![Asked::of(None, whole)];
    let mut first = histories(whole);
    let from_first = first[0].files.clone();
    let histories = first.len();
    let both = [(whole, &["snapshot", "log"][..]), (&from_first, &["log"])];
    for (files, kinds) in both {
        let damages = sample(cases(files, other, kinds), of_each).into_iter();
        asked.extend(damages.map(|case| Asked::of(Some(case), files)));
    }
    first.append(&mut asked);
    let words = words(release, &first, whole.has_digests());
    let mut history = History::new();
    for word in words.iter().take(histories) {
        // 3.5 does not start on compressed snapshots.
        if let Word::Loaded { zxid, data, all, .. } = word {
            history.insert(*zxid, (data.clone(), all.clone()));
        }
    }
    let lost = loses_multis(release, &whole.name);
    let wrong = first.iter().zip(&words).filter_map(|(one, word)| {
        let what = disagreement(one, line_of(release), word, &history, lost)?;
        Some(format!("{release:?}, {}: {what}", one.label()))
    });
    (first.len(), wrong.collect())
}

/// Holds verify against releases.
fn agrees(releases: &[Release], of_each: usize, least: usize) {
    let (mut count, mut wrong) = (BTreeMap::new(), Vec::new());
    for (release, whole) in
        releases.iter().flat_map(|release| corpus().into_iter().map(move |whole| (*release, whole)))
    {
        let (asked, of_this) = disagreements(release, &whole, of_each);
        *count.entry(release).or_insert(0) += asked;
        wrong.extend(of_this);
    }
    show(&format!("directories that were loaded: {count:?}, {} disagreements", wrong.len()));
    let shown = wrong.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} are wrong:\n{shown}", wrong.len());
    assert!(count.values().all(|asked| *asked >= least), "{count:?}");
}

/// One damage of each way to each directory.
#[test]
fn this_machines_release_does_what_verify_says() {
    agrees(&[Release::Installed], 1, 200);
}

/// The same on each release line: `tests/run long`.
#[test]
fn each_release_does_what_verify_says() {
    let releases = ["3.5.10", "3.6.4", "3.7.2", "3.8.6", "3.9.5"].map(Release::Apache);
    agrees(&[&[Release::Installed][..], &releases].concat(), 1, 200);
}

/// A snapshot that 3.9 wrote without a digest has a last zxid in its place, which servers take for one.
#[test]
fn a_snapshot_without_a_digest_may_need_the_setting_with_which_it_was_written() {
    let without = corpus().into_iter().filter(|whole| !whole.has_digests());
    let asked: Vec<Asked> = without.map(|whole| Asked::of(None, &whole)).collect();
    let words = words(Release::Installed, &asked, true);
    let refused = words.iter().map(|word| matches!(word, Word::Refused(_)));
    let found = asked.iter().map(|one| {
        let mut findings = one.seen.findings.iter();
        findings.any(|finding| finding.kind == FileFindingKind::NeedsDigestOff)
    });
    assert_eq!(found.collect::<Vec<_>>(), refused.collect::<Vec<_>>(), "{words:?}");
    assert!(words.iter().any(|word| matches!(word, Word::Refused(_))));
}
