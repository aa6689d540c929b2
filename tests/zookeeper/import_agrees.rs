//! Import against ZooKeeper's own parser, `QuorumPeerConfig.parse` of the jar that is installed: both
//! see the same members, or both refuse, with the same reason.
//!
//! The files: those in `zoo_cfgs`, after the shapes of public charts, roles, operators and documents;
//! those of the cases; and some from seeds. One Java reads them all.

mod generator;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use zkplan::import::{self, File, ImportError, Imported, Note, ServerFiles};
use zkplan::model::{EnsembleConfig, Membership};
use zkplan::observe::Facts;
use zkplan::proposal::propose;
use zkplan::spec;

use crate::harness::Release;
use crate::harness::java::Java;
use crate::show;

/// Files that are made from seeds.
const SEEDS: u64 = 1000;

/// What one file is to both.
struct Case {
    name: String,
    zoo_cfg: Vec<u8>,
    dynamic: Option<(String, Vec<u8>)>,
}

/// What ZooKeeper made of a file.
#[derive(Debug, Default)]
struct Verdict {
    /// The membership, where a server with some id starts.
    took: Option<String>,
    /// The reasons of the ids with which it does not.
    reasons: Vec<String>,
}

/// Where both may differ, by name, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// A standalone server's file is nothing that zkplan could change.
    NoServer,
    /// One id in two spellings: which line counts hangs on Java's hash table.
    TwoSpellings,
    /// Port 0 and an empty host start, and name no place at which others reach the server.
    NoPlace,
    /// Servers start with `-Dzookeeper.multiAddress.enabled=true`; import says so.
    NeedsFlag,
    /// ZooKeeper 3.10 takes it; import says so.
    Needs310,
}

impl Difference {
    /// The difference that is known of an import that failed or succeeded.
    fn of(ours: &Result<Imported, ImportError>, theirs: &Verdict) -> Option<Self> {
        match (ours, &theirs.took) {
            (Err(ImportError::NoServer(_) | ImportError::EmptyDynamicFile(_)), _) => {
                Some(Self::NoServer)
            }
            (Err(ImportError::TwoSpellings { .. }), _) => Some(Self::TwoSpellings),
            (Err(ImportError::Line { .. }), Some(_)) => Some(Self::NoPlace),
            (Ok(imported), None) => {
                let has = |wanted: fn(&Note) -> bool| imported.notes.iter().any(wanted);
                let said = |words: &str| theirs.reasons.iter().all(|why| why.contains(words));
                if has(|note| matches!(note, Note::NeedsFlag { .. }))
                    && said("Multiple address feature is disabled")
                {
                    Some(Self::NeedsFlag)
                } else if has(|note| matches!(note, Note::Needs310 { .. }))
                    && said("does not have the form")
                {
                    Some(Self::Needs310)
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The files of a folder and of those in it whose names end so.
fn files(below: &Path, end: &str) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(below)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found
}

/// A file on disk, with the dynamic file that it names beside it.
fn written(path: &Path) -> Case {
    let zoo_cfg = fs::read(path).expect("a file");
    let dynamic = import::dynamic_file_name(&zoo_cfg).map(|name| {
        let beside = path.with_file_name(Path::new(&name).file_name().expect("a name"));
        let bytes = fs::read(&beside).expect("the dynamic file lies beside it");
        (beside.file_name().expect("a name").to_string_lossy().into_owned(), bytes)
    });
    let below = path.strip_prefix(folder("")).unwrap_or(path);
    Case { name: below.display().to_string().replace('/', "+"), zoo_cfg, dynamic }
}

fn made(seed: u64) -> Case {
    let made = generator::file(seed);
    let name = import::dynamic_file_name(made.zoo_cfg.as_bytes());
    let name =
        name.and_then(|name| Some(Path::new(&name).file_name()?.to_string_lossy().into_owned()));
    let name = name.unwrap_or_else(|| "zoo.cfg.dynamic".to_owned());
    let dynamic = made.dynamic.map(|text| (name, text.into_bytes()));
    Case { name: format!("seed-{seed:04}"), zoo_cfg: made.zoo_cfg.into_bytes(), dynamic }
}

/// The ids for which a file is tried: all numbers behind `server.` that are there.
fn ids(case: &Case) -> Vec<String> {
    let texts = [Some(&case.zoo_cfg), case.dynamic.as_ref().map(|(_, bytes)| bytes)];
    let mut ids: Vec<String> = Vec::new();
    for text in texts.into_iter().flatten().map(|bytes| String::from_utf8_lossy(bytes)) {
        for behind in text.split("server.").skip(1) {
            let behind = behind.trim_start_matches('+');
            let is_part = |c: &char| c.is_ascii_digit() || *c == '-';
            let id: String = behind.chars().take_while(is_part).collect();
            ids.extend(id.parse::<i64>().ok().map(|id| id.to_string()));
        }
    }
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        ids.push("none".to_owned());
    }
    ids
}

/// Has ZooKeeper read all of them.
fn verdicts(cases: &[Case]) -> BTreeMap<String, Verdict> {
    let desk = tempfile::tempdir().expect("a folder");
    let (all, data) = (desk.path().join("cases"), desk.path().join("data"));
    fs::create_dir(&data).expect("a folder");
    for case in cases {
        let own = all.join(&case.name);
        fs::create_dir_all(&own).expect("a folder");
        let here = |bytes: &[u8]| {
            let bytes = replaced(bytes, b"DATA", data.to_str().expect("a path").as_bytes());
            replaced(&bytes, b"DIR", own.to_str().expect("a path").as_bytes())
        };
        fs::write(own.join("zoo.cfg"), here(&case.zoo_cfg)).expect("a file");
        if let Some((name, bytes)) = &case.dynamic {
            fs::write(own.join(name), bytes).expect("a file");
        }
        fs::write(own.join("ids"), ids(case).join("\n")).expect("a file");
    }
    // No name is looked up anywhere but in this file.
    let hosts = desk.path().join("hosts");
    fs::write(&hosts, "127.0.0.1 localhost\n").expect("a file");
    let flags = [
        format!("-Djdk.net.hosts.file={}", hosts.display()),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=off".to_owned(),
        "-XX:+UseSerialGC".to_owned(),
        "-XX:TieredStopAtLevel=1".to_owned(),
    ];
    let source = folder("zookeeper/import_agrees/ZooCfgOracle.java");
    let told = Java::of(Release::Installed).run_source(&flags, &source, &[&all, &data]);
    let cases = told.split("\ncase ").skip(1).filter_map(|case| case.split_once('\n'));
    cases.map(|(name, answers)| (name.to_owned(), verdict(answers))).collect()
}

/// What was told of one file, id by id.
fn verdict(answers: &str) -> Verdict {
    let mut verdict = Verdict::default();
    let mut lines = answers.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(refused) = line.strip_prefix("refused ") {
            let (_, why) = refused.split_once(' ').expect("an id and a reason");
            verdict.reasons.push(why.to_owned());
        } else if let Some(id) = line.strip_prefix("took ") {
            let mut text = String::new();
            let is_answer = |line: &&str| line.starts_with("took ") || line.starts_with("refused ");
            while let Some(line) = lines.next_if(|line| !is_answer(line)) {
                text += line;
                text.push('\n');
            }
            // A server that its file does not list ends a little later (`QuorumPeer.start`).
            if id == "none" || text.contains(&format!("server.{id}=")) {
                verdict.took.get_or_insert(text);
            }
        }
    }
    verdict
}

fn replaced(bytes: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(what.len()).position(|window| window == what) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + what.len()..];
    }
    out.extend_from_slice(rest);
    out
}

fn imported(case: &Case) -> Result<Imported, ImportError> {
    let file = |name: &str, bytes: &[u8]| File { name: name.to_owned(), bytes: bytes.to_vec() };
    let files = ServerFiles {
        id: None,
        zoo_cfg: file("zoo.cfg", &case.zoo_cfg),
        dynamic: case.dynamic.as_ref().map(|(name, bytes)| file(name, bytes)),
        next: None,
    };
    import::from_zoo_cfgs("a", &[files])
}

/// Why two readings are not one membership; client addresses count where ZooKeeper shows them.
fn differ(imported: &Imported, text: &str) -> Option<String> {
    let theirs = match EnsembleConfig::parse(text) {
        Ok(config) => config.membership,
        Err(error) => return Some(format!("zkplan cannot read what ZooKeeper prints: {error}")),
    };
    let mut ours = Membership::of(imported.servers.values().map(|wanted| wanted.server.clone()));
    let places_apart = imported.notes.contains(&Note::OddPlaces);
    let mut seen = theirs.clone();
    for server in theirs.servers() {
        let Some(own) = ours.get(server.id).cloned() else { continue };
        let mut own = own;
        if server.client.is_none() {
            own.client = None;
        }
        let mut shown = server.clone();
        if places_apart {
            (own.place, shown.place) = (None, None);
        }
        ours.put(own);
        seen.put(shown);
    }
    let same = ours.servers().eq(seen.servers());
    (!same).then(|| format!("zkplan:\n{ours}ZooKeeper:\n{text}"))
}

/// Whether the written spec, planned against what the servers show, changes nothing; `false` where
/// the import says why it is no valid spec yet.
fn is_no_change(imported: &Imported, text: &str) -> Result<bool, String> {
    let said = |note: &Note| matches!(note, Note::NotValid { .. } | Note::ClientPortUnknown(_));
    let yaml = imported.to_yaml();
    let spec = match spec::parse("spec.yaml", &yaml) {
        Ok(spec) => spec,
        Err(_) if imported.notes.iter().any(said) => return Ok(false),
        Err(errors) => return Err(format!("an invalid spec, in silence: {}", errors.render())),
    };
    let config = EnsembleConfig::parse(text).map_err(|error| error.to_string())?;
    let target = spec.to_target();
    match propose(&target, &Facts::assumed(config, &target), &[]) {
        Ok(checked) if checked.plan().changes.is_empty() => Ok(true),
        Ok(checked) => Err(format!("{yaml}\nwould change {:?}", checked.plan().changes)),
        Err(refusal) => Err(format!("{yaml}\nis refused: {refusal:?}")),
    }
}

/// Whether both refuse for one reason. Where a file has two faults, ZooKeeper may come upon the other
/// one first: its keys are in a hash table.
fn same_reason(error: &ImportError, theirs: &Verdict) -> bool {
    let ImportError::Refused { why, .. } = error else { return true };
    let ours = why.to_string();
    let kind = ours.split([':', '"']).next().unwrap_or(&ours);
    // Addresses are printed by Java with slashes.
    let kind = kind.split(" is 0.0.0.0").next().unwrap_or(kind);
    let head: String = kind.chars().take(24).collect();
    theirs.reasons.iter().any(|reason| reason.contains(&head))
}

fn all() -> Vec<Case> {
    let written_ones = files(&folder("zookeeper/zoo_cfgs"), ".cfg");
    assert!(written_ones.len() >= 90, "only {} written files", written_ones.len());
    let of_cases = files(&folder("cases"), ".cfg");
    let numbered = (1..=3).flat_map(|n| files(&folder("cases"), &format!("zoo.cfg.{n}")));
    let paths = written_ones.into_iter().chain(of_cases).chain(numbered);
    paths.map(|path| written(&path)).chain((0..SEEDS).map(made)).collect()
}

#[test]
fn import_and_zookeeper_read_the_same_members_or_refuse_the_same_files() {
    let cases = all();
    let verdicts = verdicts(&cases);
    let mut wrong: Vec<String> = Vec::new();
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    let (mut other_words, mut refused) = (Vec::new(), 0_usize);
    for case in &cases {
        let (ours, theirs) = (imported(case), &verdicts[&case.name]);
        let outcome = match (&ours, &theirs.took) {
            _ if Difference::of(&ours, theirs).is_some() => {
                format!("{:?}", Difference::of(&ours, theirs))
            }
            (Ok(imported), Some(text)) => match differ(imported, text) {
                None => match is_no_change(imported, text) {
                    Ok(true) => "same members, and nothing to change".to_owned(),
                    Ok(false) => "same members, in no valid spec yet".to_owned(),
                    Err(how) => {
                        wrong.push(shown(case, &how));
                        continue;
                    }
                },
                Some(how) => {
                    wrong.push(shown(case, &how));
                    continue;
                }
            },
            (Err(error), None) => {
                refused += 1;
                if !same_reason(error, theirs) {
                    other_words.push(format!("{}: {error}\n  {:?}", case.name, theirs.reasons));
                }
                "both refuse".to_owned()
            }
            (Ok(_), None) => {
                wrong.push(shown(case, &format!("ZooKeeper refuses it: {:?}", theirs.reasons)));
                continue;
            }
            (Err(error), Some(_)) => {
                wrong.push(shown(case, &format!("zkplan alone refuses it: {error}")));
                continue;
            }
        };
        *tally.entry(outcome).or_default() += 1;
    }
    show(&format!(
        "{} files: {tally:?}; {} of {refused} reasons are other ones",
        cases.len(),
        other_words.len()
    ));
    assert!(wrong.is_empty(), "{} files\n{}", wrong.len(), wrong.join("\n----\n"));
    if std::env::var_os("ZKPLAN_SHOW").is_some() {
        show(&other_words.join("\n"));
    }
    assert!(other_words.len() * 10 < refused, "{}", other_words.join("\n"));
}

fn shown(case: &Case, how: &str) -> String {
    let text = String::from_utf8_lossy(&case.zoo_cfg);
    let dynamic = case
        .dynamic
        .as_ref()
        .map(|(name, bytes)| format!("--- {name}\n{}", String::from_utf8_lossy(bytes)));
    format!("{}: {how}\n{text}{}", case.name, dynamic.unwrap_or_default())
}
