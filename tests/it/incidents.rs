//! Folders of `tests/incidents`: what has broken ensembles of others, and what zkplan says to it.
//!
//! A folder is named after the number of its incident. It holds:
//!
//! * `why`: what was done, what broke, what zkplan says to it;
//! * `live`: the text of `/zookeeper/config`;
//! * `spec.yaml`: what was wanted;
//! * `down`: ids of servers that do not run; wanted servers that are no members do not either;
//! * `following`: ids of wanted servers that follow without a vote;
//! * `facts`: one a line, see [`stage`];
//! * `accept`: risks that are accepted, `CODE:STEP` or `CODE`;
//! * `verdict`: what must come of it, whatever the screen looks like;
//! * `expected`: exit code and screen, 100 columns wide. `ZKPLAN_UPDATE=1` writes it anew, for a
//!   person to read before it is committed.
//!
//! Unlike with `--live`, servers are asked: an ensemble in memory answers in ZooKeeper's own words.
//!
//! The first line of a verdict is one of
//!
//! ```text
//! planned join-4 leave-3 worst spare 1
//! nothing to do
//! acceptance ZKQ2:join-2
//! refused ZKQ2 ZKQ9
//! no ensemble two-histories
//! spec refused
//! ```
//!
//! Further lines, only where there is something to tell: `awaits 4 5` (joiners that do not follow
//! yet), `stops 1 2` (processes to be stopped at the end), `strangers 9` (who answers and is neither
//! member nor wanted), `findings ZKF8` (but for mere notes).

mod stage;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use zkplan::check::CheckedPlan;
use zkplan::cli::{Exit, exit_of_breaches, exit_of_error};
use zkplan::model::ServerId;
use zkplan::observe::{Facts, Finding, Level, Observation, ObserveError, Question, observe};
use zkplan::plan::{Acceptance, Action, StepId};
use zkplan::proposal::{Refusal, Remedy, propose};
use zkplan::render::plan::{Origin, PlanScreen, SpecFile};
use zkplan::render::{plan, refusal, unreachable};
use zkplan::spec::{self, Spec};

use self::stage::Stage;
use crate::documents;

const FOLDERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/incidents");

const WIDTH: usize = 100;

#[test]
#[expect(clippy::print_stdout, reason = "which incidents are covered is the result")]
fn every_incident_is_refused_or_planned_safely() {
    let mut folders: Vec<PathBuf> = fs::read_dir(FOLDERS)
        .expect("the incidents")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort();
    let mut wrong = String::new();
    for folder in &folders {
        let name = folder.file_name().expect("a name").to_string_lossy();
        let number = name.split('-').next().and_then(|number| number.parse::<u8>().ok());
        assert!(number.is_some_and(|n| (1..=72).contains(&n)), "{name} names no incident");
        assert!(!read(folder, "why").trim().is_empty(), "{name} does not say why");
        let (verdict, screen) = outcome(folder);
        println!("{name}: {}", verdict.lines().next().unwrap_or_default());
        let wanted = read(folder, "verdict");
        if verdict != wanted {
            writeln!(wrong, "{name}: the verdict is\n{verdict}instead of\n{wanted}").expect("text");
        }
        let expected = folder.join("expected");
        if std::env::var_os("ZKPLAN_UPDATE").is_some() {
            fs::write(&expected, &screen).expect("a file");
        }
        let was = read(folder, "expected");
        if was != screen {
            writeln!(wrong, "{name}: the screen is\n{screen}instead of\n{was}").expect("text");
        }
    }
    println!("{} incidents", folders.len());
    assert!(folders.len() >= 50, "folders are missing");
    assert!(wrong.is_empty(), "{wrong}");
}

/// The table names every folder, and a test or a reason where there is none.
#[test]
fn the_table_of_incidents_is_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let table = fs::read_to_string(root.join("incidents.md")).expect("the table");
    for folder in fs::read_dir(FOLDERS).expect("the incidents") {
        let folder = folder.expect("an entry").path();
        let name = folder.file_name().expect("a name").to_string_lossy();
        let row = format!(" | {name} | {} |", read(&folder, "verdict").trim().replace('\n', ", "));
        assert!(table.contains(&row), "the table lacks `{row}`");
    }
    for number in 1..=72 {
        assert!(table.contains(&format!("\n| {number} | ")), "incident {number} has no row");
    }
    for row in table.lines().filter(|row| row.starts_with("| ") && !row.starts_with("| # ")) {
        let held_by = row.split(" | ").nth(2).expect("a column");
        let is_folder = Path::new(FOLDERS).join(held_by).is_dir();
        let is_said = held_by.contains("::") || held_by.starts_with("no tool can");
        assert!(is_folder || is_said, "nothing holds {row}");
    }
    for named in table.split('`').skip(1).step_by(2).filter(|named| named.contains("::")) {
        let (suite, test) = named.split_once(' ').expect("a suite and a test");
        let (file, name) = test.split_once("::").expect("a file and a test");
        let file = fs::read_to_string(root.join(suite).join(format!("{file}.rs")));
        assert!(file.expect("a file").contains(&format!("fn {name}(")), "there is no test {named}");
    }
}

/// A file of a folder; nothing where there is none.
fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

/// The verdict, and exit code and screen.
fn outcome(folder: &Path) -> (String, String) {
    let spec = match spec::parse("spec.yaml", &read(folder, "spec.yaml")) {
        Ok(spec) => spec,
        Err(errors) => return said("spec refused\n".to_owned(), Exit::Data, &errors.render()),
    };
    let stage = Stage::set(folder, &spec);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let target = spec.to_target();
    let seen = match runtime.block_on(observe(&stage, &Question::of(&target))) {
        Ok(seen) => seen,
        Err(error) => {
            let screen =
                unreachable::screen(&spec.ensemble, &error, unreachable::Reached::BySpec, WIDTH);
            let verdict = format!("no ensemble {}\n", word(&error));
            return said(verdict, exit_of_error(&error), &screen.to_string_with(false));
        }
    };
    let facts = Facts::of(&seen, &target);
    match propose(&target, &facts, &accepted(folder)) {
        Ok(checked) => {
            documents::of_plan(&checked);
            planned(&spec, &seen, &checked)
        }
        Err(refusal) => {
            documents::of_refusal(&refusal);
            refused(&spec, &seen, &refusal)
        }
    }
}

fn said(verdict: String, exit: Exit, screen: &str) -> (String, String) {
    (verdict, format!("exit code {}\n{screen}", exit.code()))
}

fn accepted(folder: &Path) -> Vec<Acceptance> {
    let accept = read(folder, "accept");
    let risk = |line: &str| match line.split_once(':') {
        Some((code, step)) => Acceptance { code: code.to_owned(), step: Some(StepId::new(step)) },
        None => Acceptance { code: line.to_owned(), step: None },
    };
    accept.lines().map(risk).collect()
}

fn planned(spec: &Spec, seen: &Observation, checked: &CheckedPlan) -> (String, String) {
    let plan = checked.plan();
    let schedule = plan.schedule();
    let reconfigs = schedule.iter().filter(|(_, step)| step.reconfig().is_some());
    let reconfigs: Vec<&str> = reconfigs.map(|(_, step)| step.id.as_str()).collect();
    let mut verdict = if plan.is_empty() {
        "nothing to do\n".to_owned()
    } else {
        let spare = checked.report().worst_spare;
        format!("planned {} worst spare {spare}\n", reconfigs.join(" "))
    };
    let of = |kind: fn(&Action) -> Option<ServerId>| -> BTreeSet<ServerId> {
        plan.steps().filter_map(|step| kind(&step.action)).collect()
    };
    let awaited = of(|action| match action {
        Action::AwaitJoiner(id) => Some(*id),
        _ => None,
    });
    let stopped = of(|action| match action {
        Action::Stop(id) | Action::AskToStop(id) => Some(*id),
        _ => None,
    });
    add(&mut verdict, "awaits", awaited.difference(&plan.facts.following));
    add(&mut verdict, "stops", &stopped);
    add(&mut verdict, "strangers", seen.strangers.iter().map(|stranger| stranger.id));
    add_findings(&mut verdict, &plan.facts.findings);
    let flags: Vec<String> = Vec::new();
    let spec = SpecFile { path: "spec.yaml", spec };
    let origin = Origin::Made { spec, saved: None, flags: &flags, rehearsed: None };
    let screen =
        PlanScreen { origin, observation: Some(seen), checked, resumed: None, width: WIDTH };
    said(verdict, Exit::Done, &plan::screen(&screen).to_string_with(false))
}

fn refused(spec: &Spec, seen: &Observation, refusal: &Refusal) -> (String, String) {
    let accepts: Option<Vec<String>> = refusal.remedies.iter().map(acceptance).collect();
    let mut verdict = if let Some(risks) = accepts.filter(|risks| !risks.is_empty()) {
        format!("acceptance {}\n", risks.join(" "))
    } else {
        let grave = refusal.breaches.iter().filter(|breach| !breach.detail.is_acceptable());
        let laws: BTreeSet<_> = grave.map(|breach| breach.law).collect();
        let laws: Vec<&str> = laws.iter().map(|law| law.code()).collect();
        format!("refused {}\n", laws.join(" "))
    };
    add_findings(&mut verdict, &refusal.nearest.facts.findings);
    let screen = refusal::screen(&refusal::RefusalScreen {
        spec: SpecFile { path: "spec.yaml", spec },
        observation: Some(seen),
        refusal,
        again: "zkplan plan spec.yaml",
        width: WIDTH,
    });
    said(verdict, exit_of_breaches(&refusal.breaches), &screen.to_string_with(false))
}

fn acceptance(remedy: &Remedy) -> Option<String> {
    match remedy {
        Remedy::Accept(Acceptance { code, step: Some(step) }) => Some(format!("{code}:{step}")),
        Remedy::Accept(Acceptance { code, step: None }) => Some(code.clone()),
        _ => None,
    }
}

/// A further line, where there is something to tell.
fn add<T: ToString>(verdict: &mut String, what: &str, ids: impl IntoIterator<Item = T>) {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    if !ids.is_empty() {
        writeln!(verdict, "{what} {}", ids.join(" ")).expect("text");
    }
}

fn add_findings(verdict: &mut String, findings: &[Finding]) {
    let grave = findings.iter().filter(|finding| finding.kind.level() > Level::Note);
    let codes: BTreeSet<&str> = grave.map(|finding| finding.kind.code()).collect();
    add(verdict, "findings", codes);
}

const fn word(error: &ObserveError) -> &'static str {
    match error {
        ObserveError::Unreachable { .. } => "unreachable",
        ObserveError::NoQuorum { .. } => "no-quorum",
        ObserveError::NoCommit { .. } => "no-commit",
        ObserveError::NeedsAuth { .. } => "needs-auth",
        ObserveError::TooOld { .. } => "too-old",
        ObserveError::Standalone { .. } => "standalone",
        ObserveError::TwoHistories { .. } => "two-histories",
        ObserveError::TargetRuns { .. } => "target-runs",
        ObserveError::UnreadableConfig { .. } => "unreadable-config",
    }
}
