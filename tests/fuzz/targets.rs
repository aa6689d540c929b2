//! What is fuzzed: each target has seeds and says of an input whether it was accepted, or what it
//! broke.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zkplan::check::CheckedPlan;
use zkplan::document::{self, Document as _};
use zkplan::ensemble::four_letter::{
    Conf, Mntr, Srvr, parse_cons, parse_hash, refusal as refused_word,
};
use zkplan::import::{self, File, ServerFiles};
use zkplan::model::{EnsembleConfig, ServerId};
use zkplan::observe::Facts;
use zkplan::proposal::propose;
use zkplan::render::archives::{ArchiveFacts, archive_fault};
use zkplan::render::data_files::{FilesScreen, inspected, verified};
use zkplan::render::plan::{Origin, PlanFile, PlanScreen, SpecFile};
use zkplan::render::{Text, dot, plan, refusal};
use zkplan::report::{PlanDocument, read_plan};
use zkplan::saved::{self, ReadError};
use zkplan::snapshot::{
    ArchiveBytes, ArchiveFailure, ContentsWish, DataFiles, DataListing, DataSide, DataVerdict,
    IndexedArchive, ListedFile, inspect, read_archive, verify,
};
use zkplan::spec::{self, Spec};

/// One thing that reads what others wrote.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) seeds: fn() -> Vec<String>,
    pub(crate) run: fn(&str) -> Result<bool, String>,
}

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "config", seeds: configs, run: config },
    Target { name: "spec", seeds: specs, run: spec_text },
    Target { name: "words", seeds: words, run: word },
    Target { name: "zoo-cfg", seeds: zoo_cfgs, run: zoo_cfg },
    Target { name: "plan", seeds: pairs, run: planned },
    Target { name: "saved", seeds: saved_plans, run: saved_text },
    Target { name: "forged", seeds: saved_plans, run: forged },
    Target { name: "data-files", seeds: data_files, run: data_file },
    Target { name: "archives", seeds: archives, run: archive },
];

/// Parts the configuration from the spec in an input of the target `plan`.
const PART: &str = "\n=====\n";

fn texts(folder: &str, extension: &str) -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| extension.is_empty() || path.extension().is_some_and(|e| e == extension))
        .collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
}

fn specs() -> Vec<String> {
    let folders = ["plans", "tests/specs/good", "tests/specs/bad", "tests/specs/bad-in-meaning"];
    folders.iter().flat_map(|folder| texts(folder, "yaml")).collect()
}

fn words() -> Vec<String> {
    texts("src/ensemble/testdata", "")
}

fn configs() -> Vec<String> {
    let lived: Vec<String> = words()
        .iter()
        .filter_map(|answer| Some(answer.split_once("\nmembership:")?.1.trim().to_owned()))
        .collect();
    let made = [
        "server.1=a:1:2:participant;3\nserver.2=b:1:2:participant;3\nserver.3=c:1:2:participant;3\n\
         server.4=d:1:2:observer;3\ngroup.1=1:2\ngroup.2=3\nweight.1=2\nweight.2=0\nweight.3=1\n\
         version=100000004",
        "server.1=zk1:2888:3888:participant;0.0.0.0:2181\nserver.2=zk2:2888:3888:observer\n\
         server.3=[::1]:2888:3888:participant;[::1]:2181\nversion=100000004",
        "server.1=a:1:2|b:1:2:participant;0.0.0.0:3;0.0.0.0:4\nserver.0=c:1:2\nserver.300=d:1:2:observer;5\n\
         group.1=0:1\ngroup.2=300\nweight.0=2\nweight.1=1\nweight.300=0\nversion=1",
    ];
    lived.into_iter().chain(made.map(str::to_owned)).collect()
}

fn zoo_cfgs() -> Vec<String> {
    let plain = "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/var/lib/zookeeper\nclientPort=2181\n\
                 reconfigEnabled=true\nstandaloneEnabled=false\nserver.1=zk1:2888:3888\n\
                 server.2=zk2:2888:3888:observer\nserver.3=10.0.0.3:2888:3888;2182\n";
    let odd = "# a comment\nclientPortAddress = 10.0.0.1\nsecureClientPort: 2281\n\
               dataDir=C\\:\\\\zk\nserver.1=a:1:2 \\\n  ;3\ngroup.1=1\nweight.1=1\ndynamicConfigFile=/x/y.dynamic.1\n";
    vec![plain.to_owned(), odd.to_owned()]
}

/// A configuration and a spec for it.
fn pairs() -> Vec<String> {
    let line = |id: usize, rest: &str| format!("server.{id}=10.0.0.{id}:2888:3888{rest}");
    let lines = |ids: &[usize], rest: &str| -> Vec<String> {
        ids.iter().map(|id| line(*id, rest)).collect()
    };
    let config = |lines: &[String]| format!("{}\nversion=100000004", lines.join("\n"));
    let spec = |lines: &[String], more: &str| {
        let servers = lines.join("\n  - ");
        format!("apiVersion: zkplan/v1\nensemble: fuzzed\nservers:\n  - {servers}\n{more}")
    };
    let voters = |ids: &[usize]| lines(ids, ":participant;2181");
    let observers = |ids: &[usize]| lines(ids, ":observer;2181");
    let zones = "zones: { 1: a, 2: b, 3: c, 4: a, 5: b, 6: c }\n";
    let free = "policy: { minTolerance: 0, maxShrink: 9, standaloneEnabled: false, reuseIds: blank, \
                addAs: observer, clientPart: write, cutover: manual, zones: strict }\n";
    let moved: Vec<String> =
        voters(&[1, 2, 3]).iter().map(|line| line.replace("2888", "2889")).collect();
    let elsewhere: Vec<String> =
        voters(&[1, 2, 3]).iter().map(|line| line.replace("10.0.0.3", "10.0.9.3")).collect();
    let places = ["group.1=1:2:3", "group.2=4", "group.3=5", "weight.1=2"].map(str::to_owned);
    let grouped = [voters(&[1, 2, 3, 4, 5]), places.to_vec()].concat();
    let keyed = |servers: &[(usize, &str)]| -> Vec<String> {
        servers
            .iter()
            .map(|(id, more)| format!("{{ id: {id}, host: 10.0.0.{id}{more} }}"))
            .collect()
    };
    let stay = [(1, ""), (2, ""), (3, ""), (4, ""), (5, "")];
    let come = [(6, ", group: 2"), (7, ", group: 3, weight: 0"), (8, ", role: observer")];
    let cases = [
        (grouped.clone(), keyed(&[&stay[..], &come[..]].concat()), zones),
        (grouped, keyed(&[&stay[1..], &[(6, ", group: 1, weight: 2")]].concat()), free),
        (voters(&[1, 2, 3]), voters(&[4, 5, 6]), zones),
        (voters(&[1]), voters(&[1, 2, 3]), free),
        (voters(&[1, 2, 3, 4, 5]), voters(&[1]), free),
        (voters(&[1, 2, 3]), moved, zones),
        (voters(&[1, 2, 3]), elsewhere, free),
        ([voters(&[1, 2, 3]), observers(&[4, 5])].concat(), voters(&[1, 2, 4, 5]), zones),
        (voters(&[1, 2, 3, 4]), [voters(&[1, 2]), observers(&[3, 5])].concat(), free),
        (lines(&[1, 2, 3], ""), voters(&[1, 2, 3]), free),
    ];
    cases.iter().map(|(base, wanted, more)| config(base) + PART + &spec(wanted, more)).collect()
}

fn parted(input: &str) -> Option<(EnsembleConfig, Spec)> {
    let (config, spec) = input.split_once(PART)?;
    Some((EnsembleConfig::parse(config).ok()?, spec::parse("fuzz.yaml", spec).ok()?))
}

fn saved_plans() -> Vec<String> {
    let plan = |(config, spec): (EnsembleConfig, Spec)| {
        let target = spec.to_target();
        let checked = propose(&target, &Facts::assumed(config, &target), &[]).ok()?;
        Some([saved::write(&checked), PlanDocument::of(&checked).to_text()])
    };
    pairs().iter().filter_map(|input| plan(parted(input)?)).flatten().collect()
}

fn config(input: &str) -> Result<bool, String> {
    let Ok(config) = EnsembleConfig::parse(input) else { return Ok(false) };
    let printed = config.to_string();
    match EnsembleConfig::parse(&printed) {
        Ok(again) if again == config && again.to_string() == printed => {}
        other => return Err(format!("reads back as {other:?}")),
    }
    let half: BTreeSet<ServerId> = config.membership.ids().into_iter().take(3).collect();
    let _ = config.membership.is_quorum(&half);
    Ok(true)
}

fn spec_text(input: &str) -> Result<bool, String> {
    let spec = match spec::parse("fuzz.yaml", input) {
        Ok(spec) => spec,
        Err(errors) => {
            // Unlike all else it may show letters of any script, which are no commands.
            return on_screen(&Text::preformatted(&errors.render())).map(|()| false);
        }
    };
    let unplaced = |mut spec: Spec| {
        spec.servers.values_mut().for_each(|wanted| wanted.line = 0);
        spec
    };
    let written = spec::write(&spec, &["a remark".to_owned()]);
    match spec::parse("fuzz.yaml", &written) {
        Ok(again) if unplaced(again.clone()) == unplaced(spec.clone()) => Ok(true),
        Ok(_) => Err(format!("reads back as another spec:\n{written}")),
        Err(errors) => Err(format!("does not read back: {}", errors.render())),
    }
}

fn word(input: &str) -> Result<bool, String> {
    let (srvr, conf, mntr) = (Srvr::parse(input), Conf::parse(input), Mntr::parse(input));
    let (cons, hash) = (parse_cons(input), parse_hash(input));
    let _ = refused_word(input);
    let told_config = match &conf.config {
        Some(Ok(told)) => config(&told.to_string())?,
        _ => false,
    };
    let told = srvr != Srvr::default() || told_config || mntr != Mntr::default();
    Ok(told || !cons.is_empty() || !hash.is_empty())
}

fn zoo_cfg(input: &str) -> Result<bool, String> {
    let file = |name: &str| File { name: name.to_owned(), bytes: input.as_bytes().to_vec() };
    drop(import::dynamic_file_name(input.as_bytes()));
    let files = |id: Option<i64>| ServerFiles {
        id: id.map(ServerId::new),
        zoo_cfg: file("zoo.cfg"),
        dynamic: Some(file("zoo.cfg.dynamic")),
        next: None,
    };
    drop(import::from_zoo_cfgs("fuzzed", &[files(Some(1)), files(Some(2))]));
    let Ok(imported) = import::from_zoo_cfgs("fuzzed", &[files(None)]) else { return Ok(false) };
    let yaml = imported.to_yaml();
    if let Some(raw) = yaml.chars().find(|c| *c != '\n' && c.is_control()) {
        return Err(format!("{raw:?} in the spec"));
    }
    for note in &imported.notes {
        on_screen(&Text::preformatted(&note.to_string()))?;
    }
    Ok(spec::parse("import.yaml", &yaml).is_ok())
}

fn planned(input: &str) -> Result<bool, String> {
    let Some((config, spec)) = parted(input) else { return Ok(false) };
    let target = spec.to_target();
    let facts = Facts::assumed(config, &target);
    match propose(&target, &facts, &[]) {
        Ok(checked) => {
            shown(&checked)?;
            same_again(&checked)?;
        }
        Err(refused) => {
            let file = SpecFile { path: "fuzz.yaml", spec: &spec };
            let screen = refusal::RefusalScreen {
                spec: file,
                observation: None,
                refusal: &refused,
                again: "zkplan plan fuzz.yaml",
                width: 80,
            };
            on_screen(&refusal::screen(&screen))?;
            if refused.breaches.is_empty() {
                return Err("a refusal without a reason".to_owned());
            }
        }
    }
    Ok(true)
}

fn saved_text(input: &str) -> Result<bool, String> {
    read(input).map(|checked| checked.is_some())
}

/// The same, with digest and plan id made to fit.
fn forged(input: &str) -> Result<bool, String> {
    let Ok(Value::Object(mut map)) = serde_json::from_str(input) else { return Ok(false) };
    for _ in 0..2 {
        map.remove("digest");
        let whole = Value::Object(map.clone());
        let bytes = Sha256::digest(document::canonical(&whole, false).as_bytes());
        let digest = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        map.insert("digest".to_owned(), Value::String(digest));
        let text = document::canonical(&Value::Object(map.clone()), true);
        match saved::read(&text) {
            Err(ReadError::OtherId { made, .. }) => {
                map.insert("planId".to_owned(), Value::String(made));
            }
            _ => return read(&text).map(|checked| checked.is_some()),
        }
    }
    Ok(false)
}

fn read(text: &str) -> Result<Option<CheckedPlan>, String> {
    match read_plan(text) {
        Ok(checked) => {
            shown(&checked)?;
            same_again(&checked)?;
            Ok(Some(checked))
        }
        Err(error) => {
            on_screen(&Text::preformatted(&error.to_string()))?;
            if let ReadError::BreaksRules(breaches) = &error {
                on_screen(&refusal::breaches(breaches, &[], 80))?;
            }
            Ok(None)
        }
    }
}

fn same_again(checked: &CheckedPlan) -> Result<(), String> {
    let text = saved::write(checked);
    match saved::read(&text) {
        Ok(again) if again.plan() == checked.plan() && saved::write(&again) == text => {
            let document = PlanDocument::of(checked).to_text();
            read_plan(&document).map(drop).map_err(|error| format!("the plan file: {error}"))
        }
        Ok(_) => Err("the plan file reads back as another plan".to_owned()),
        Err(error) => Err(format!("the plan file does not read back: {error}")),
    }
}

fn shown(checked: &CheckedPlan) -> Result<(), String> {
    let plan_id = saved::plan_id(checked.plan());
    let origin = Origin::Read(PlanFile { path: "fuzz.json", plan_id: &plan_id });
    on_screen(&plan::screen(&PlanScreen {
        origin,
        observation: None,
        checked,
        resumed: None,
        width: 80,
    }))?;
    on_screen(&dot::dot(checked))
}

/// Nothing but printable ASCII reaches a terminal.
fn on_screen(text: &Text) -> Result<(), String> {
    let shown = text.to_string_with(false);
    let raw = shown.chars().find(|c| *c != '\n' && !matches!(c, ' '..='~'));
    raw.map_or(Ok(()), |raw| Err(format!("{raw:?} on the screen")))
}

/// The files of real servers, a character for each byte, without the zeros that they end with.
fn data_files() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data-directories");
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    let files = entries(&root).flat_map(|directory| entries(&directory.path()).collect::<Vec<_>>());
    let mut paths: Vec<_> = files.map(|file| file.path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let bytes = fs::read(path).ok()?;
        let end = bytes.iter().rposition(|byte| *byte != 0)? + 40;
        let bytes = &bytes[..end.min(bytes.len())];
        (bytes.len() > 16).then(|| bytes.iter().map(|byte| char::from(*byte)).collect())
    };
    paths.iter().filter_map(read).collect()
}

/// One file in a data directory.
struct OneFile(Vec<u8>);

impl DataFiles for OneFile {
    fn open(&self, _: &ListedFile) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(&self.0[..]))
    }

    fn last_bytes(&self, _: &ListedFile, count: usize) -> io::Result<Vec<u8>> {
        Ok(self.0[self.0.len().saturating_sub(count)..].to_vec())
    }

    fn length(&self, file: &ListedFile) -> io::Result<u64> {
        Ok(file.length)
    }
}

fn data_file(input: &str) -> Result<bool, String> {
    let byte = |c: char| u8::try_from(u32::from(c)).unwrap_or(b'?');
    let bytes: Vec<u8> = input.chars().map(byte).collect();
    let name = match bytes.get(..2) {
        Some([0x1f, 0x8b]) => "snapshot.5.gz",
        Some([0x82, _]) => "snapshot.5.snappy",
        Some(_) if bytes.starts_with(b"ZKL") => "log.1",
        _ => "snapshot.5",
    };
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let file = ListedFile { side: DataSide::Data, name: name.to_owned(), length, is_regular: true };
    let listing = DataListing { files: vec![file], ..DataListing::default() };
    let wish = ContentsWish { path: "/".to_owned(), depth: 2, most: 5 };
    let contents = inspect(&listing, &OneFile(bytes), &wish);
    let verification = &contents.verification;
    let paths = ["data".to_owned()];
    let screen =
        FilesScreen { paths: &paths, verification, typed: "data", archive: None, width: 80 };
    on_screen(&verified(&screen))?;
    on_screen(&inspected(&screen, &contents))?;
    Ok(verification.verdict != DataVerdict::Damaged
        || verification.logs.iter().any(|log| log.facts.records > 0))
}

/// A small archive of each directory of real servers, plain and compressed, a character for each byte.
fn archives() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data-directories");
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    let mut directories: Vec<_> =
        entries(&root).map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    directories.sort();
    let chars = |bytes: Vec<u8>| bytes.into_iter().map(char::from).collect::<String>();
    let mut seeds = Vec::new();
    for directory in directories {
        let mut builder = tar::Builder::new(Vec::new());
        let names = entries(&directory).map(|entry| entry.file_name());
        for name in names.filter(|name| name.to_string_lossy().starts_with("snapshot.")) {
            let from = directory.join(&name);
            builder.append_path_with_name(from, name).expect("memory");
        }
        let plain = builder.into_inner().expect("memory");
        seeds.push(chars(zstd::bulk::compress(&plain, 1).expect("memory")));
        seeds.push(chars(plain));
    }
    seeds
}

struct Bytes(Vec<u8>);

impl ArchiveBytes for Bytes {
    fn open(&self, at: u64) -> io::Result<Box<dyn Read + '_>> {
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(self.0.len());
        Ok(Box::new(&self.0[at..]))
    }
}

fn archive(input: &str) -> Result<bool, String> {
    let byte = |c: char| u8::try_from(u32::from(c)).unwrap_or(b'?');
    let bytes = Bytes(input.chars().map(byte).collect());
    let contents = match read_archive(&bytes.0[..], &mut ()) {
        Ok(contents) => contents,
        Err(ArchiveFailure::Fault(fault)) => {
            let mut text = Text::new();
            text.line(archive_fault(&fault));
            return on_screen(&text).map(|()| false);
        }
        Err(ArchiveFailure::Io(error)) => return Err(error.to_string()),
    };
    let seen = verify(&contents.listing(), &IndexedArchive::new(&bytes, &contents));
    let facts = ArchiveFacts::of("a.tar".to_owned(), &contents);
    let paths = ["a.tar".to_owned()];
    let (verification, archive) = (&seen, Some(&facts));
    let screen = FilesScreen { paths: &paths, verification, typed: "a.tar", archive, width: 80 };
    on_screen(&verified(&screen))?;
    Ok(true)
}
