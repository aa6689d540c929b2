//! What a row plays: an operator who imports, plans, rehearses, probes and applies while an
//! application writes.

use std::time::Duration;

use crate::applying::wanting;
use crate::harness::{Ensemble, Role, Witness};
use crate::ledger::is_at;
use crate::rows::{Length, Row};
use crate::say;
use crate::seeding::begins_with_a_seed;
use crate::spec::Spec;
use crate::upgrades;
use crate::zkplan::{Desk, Outcome};

/// The steps of the whole story.
const WHOLE: [&str; 10] = [
    "import",
    "finding",
    "rehearse",
    "probe",
    "killed",
    "3 to 3",
    "observer in",
    "observer out",
    "3 to 5",
    "5 to 3",
];

/// Those of a short one.
const SHORT: [&str; 6] = ["import", "finding", "rehearse", "probe", "killed", "3 to 3"];

/// Those of a pair.
const PAIR: [&str; 7] =
    ["import", "finding", "rehearse", "probe", "killed", "3 to 3", "one version"];

/// That of a release that is too old.
const REFUSAL: [&str; 1] = ["refused"];

/// Of a joiner with an archive of a running server.
const SEED: [&str; 4] = ["checked", "installed", "only the difference", "proven"];

/// What came of a story.
pub(crate) struct Played {
    pub(crate) steps: Vec<&'static str>,
    /// The longest time between two acknowledged writes, where somebody wrote.
    pub(crate) longest_gap: Option<Duration>,
}

/// Plays a row.
///
/// # Panics
/// Where anything is not as it should be, a step that was left out included.
pub(crate) fn play(row: &Row) -> Played {
    let played = match row.length {
        Length::Refusal => is_refused(row),
        Length::Whole | Length::Short | Length::Pair => moves(row),
        Length::Start => upgrades::starts(row),
        Length::Seed => is_seeded(row),
        Length::Roll => upgrades::rolls(row),
        Length::Chain(releases) => upgrades::is_upgraded(row, releases),
        Length::Migration(way, begin) => upgrades::migrates(row, way, begin),
    };
    let wanted: &[&str] = match row.length {
        Length::Whole => &WHOLE,
        Length::Short => &SHORT,
        Length::Pair => &PAIR,
        Length::Refusal => &REFUSAL,
        Length::Start => &upgrades::START,
        Length::Seed => &SEED,
        Length::Roll => &upgrades::ROLL,
        Length::Chain(_) => &upgrades::CHAIN,
        Length::Migration(_, begin) => upgrades::migration(begin),
    };
    assert_eq!(played.steps, wanted, "a step was left out");
    played
}

fn is_seeded(row: &Row) -> Played {
    begins_with_a_seed(row.builder(), &row.accepts(), |_, _, _| {});
    Played { steps: SEED.to_vec(), longest_gap: None }
}

/// An ensemble, its operator, and what was done.
struct Story<'a> {
    row: &'a Row,
    ensemble: &'a Ensemble,
    desk: Desk,
    steps: Vec<&'static str>,
}

fn moves(row: &Row) -> Played {
    let ensemble = row.builder().start_with([4, 5, 6]);
    let witness = Witness::of(&ensemble, 1..=6);
    let mut story = Story { row, ensemble: &ensemble, desk: Desk::new(), steps: Vec::new() };
    story.imports();
    let plan = story.plans();
    story.rehearses(&plan);
    story.probes();
    story.moves_though_killed(&plan);
    match row.length {
        Length::Whole => story.changes_roles_and_sizes(),
        Length::Pair => story.has_one_version(),
        Length::Short
        | Length::Refusal
        | Length::Start
        | Length::Seed
        | Length::Roll
        | Length::Chain(_)
        | Length::Migration(..) => {}
    }
    let left: &[u8] = if row.length == Length::Pair { &[4, 5, 6] } else { &[1, 2, 3, 4, 5, 6] };
    let steps = story.steps;
    let figures = witness.finish(&ensemble, left.iter().copied());
    say(&format!("   {figures}"));
    assert!(figures.acknowledged > 0 && figures.lost == 0, "{figures}");
    Played { steps, longest_gap: Some(figures.longest_gap) }
}

impl Story<'_> {
    fn did(&mut self, step: &'static str) {
        say(&format!("   {step}"));
        self.steps.push(step);
    }

    fn wanting(&self, ids: &[u8]) -> Spec {
        wanting(self.ensemble, ids.iter().copied(), 1..=6)
    }

    /// The flags that accept what the plan of a row has to have accepted.
    fn accepting(&self) -> Vec<&'static str> {
        self.row.accepts().into_iter().flat_map(|code| ["--accept", code]).collect()
    }

    /// Import, then plan, says that nothing is to be changed; preflight finds the members ready but for
    /// bugs of their release.
    fn imports(&mut self) {
        let contacts: Vec<String> =
            [1, 2, 3].map(|id| self.ensemble.client_address(id).to_string()).into();
        let contacts = contacts.join(",");
        let spec = self.desk.run(["import", "--connect", &contacts]).exits(0).stdout;
        let spec = self.desk.write("imported.yaml", &spec);
        self.desk.run(["plan", &spec, "--detailed-exitcode"]).exits(0).says(["No changes"]);
        let spec = self.desk.write("preflight.yaml", &self.wanting(&[1, 2, 3]).text());
        let words = ["preflight", &spec, "--format", "json"];
        let document = self.desk.run_as_super(&words).exits_with_one_of(&[0, 3]).json();
        let checks = document["checks"].as_array().expect("checks").iter();
        let accepts =
            |check: &&serde_json::Value| check["code"] == "ZKP17" && check["verdict"] == "pass";
        assert_eq!(checks.clone().filter(accepts).count(), 3, "{document:#}");
        let blocks: Vec<String> = checks
            .clone()
            .filter(|check| check["blocks"] == true)
            .map(|check| check["code"].to_string())
            .collect();
        assert!(blocks.iter().all(|code| code.contains("ZKP15")), "{blocks:?}: {document:#}");
        self.did("import");
    }

    /// What has to be accepted stops the plan and not the run, and what the screen names passes.
    fn plans(&mut self) -> String {
        let spec = self.wanting(&[4, 5, 6]);
        let codes = self.row.accepts();
        if !codes.is_empty() {
            let refused = self.desk.refused(&spec, 3, &[]);
            let named = refused["remedies"].as_array().expect("what would pass").iter();
            let named: Vec<&str> = named.filter_map(|remedy| remedy["exact"].as_str()).collect();
            let flags: Vec<String> = codes.iter().map(|code| format!("--accept {code}")).collect();
            assert_eq!(named, flags, "{refused:#}");
        }
        let file = "plan.json";
        let flags = [&["--out", file], &self.accepting()[..]].concat();
        let planned = self.desk.plan(&spec, &flags).exits(2).says(["Simulated: "]);
        assert_eq!(planned.next_lines(), [format!("zkplan apply {file}")], "{planned}");
        is_told_once(&planned);
        self.did("finding");
        file.to_owned()
    }

    fn rehearses(&mut self, plan: &str) {
        self.desk.run(["rehearse", plan]).exits(0).says(["apply finishes in all of them."]);
        self.did("rehearse");
    }

    fn probes(&mut self) {
        let probe = self.desk.probe(&self.wanting(&[4, 5, 6])).with(&self.accepting());
        probe.ends().exits(0).says(["would accept join-4"]);
        self.did("probe");
    }

    /// The first apply dies in the middle; the next one goes on with its plan and asks nothing more.
    fn moves_though_killed(&mut self, plan: &str) {
        let cutover = ["--approve", "cutover"];
        let spent = Desk::apply(&self.desk, plan).with(&cutover).at("KILL", "send join-5");
        spent.ends().was_killed();
        self.did("killed");
        self.desk.apply(plan).with(&cutover).ends().exits(0).says(["resumed"]);
        is_at(self.ensemble, &[4, 5, 6]);
        self.is_done(&[4, 5, 6]);
        self.did("3 to 3");
    }

    fn is_done(&self, ids: &[u8]) {
        // A server whose role has just changed may be away for a moment.
        self.is_done_as(&self.wanting(ids));
    }

    fn is_done_as(&self, spec: &Spec) {
        let plan = self.desk.plan(spec, &[]);
        plan.exits_with_one_of(&[0, 2]).says(["No changes"]);
    }

    fn applies(&self, spec: &Spec) {
        let apply = self.desk.apply_spec(spec).with(&self.accepting());
        apply.with(&["--approve", "cutover"]).ends().exits(0);
        self.is_done_as(spec);
    }

    fn changes_roles_and_sizes(&mut self) {
        let with_observer = self.wanting(&[4, 5, 6, 1]).role(1, Role::Observer);
        self.applies(&with_observer);
        self.did("observer in");
        self.applies(&self.wanting(&[4, 5, 6]));
        self.did("observer out");
        self.applies(&self.wanting(&[4, 5, 6, 1, 2]));
        self.did("3 to 5");
        self.applies(&self.wanting(&[4, 5, 6]));
        is_at(self.ensemble, &[4, 5, 6]);
        self.did("5 to 3");
    }

    /// The servers of the first release are stopped: what is left is of one release, and no finding
    /// says anything else.
    fn has_one_version(&mut self) {
        for id in [1, 2, 3] {
            self.ensemble.stop(id);
        }
        let spec = wanting(self.ensemble, [4, 5, 6], [4, 5, 6]);
        let plan = self.desk.plan(&spec, &[]).exits_with_one_of(&[0, 2]).says(["No changes"]);
        plan.says_nowhere("ZKF2 ");
        self.did("one version");
    }
}

/// One warning a fact: no bug is said of one server after the other.
fn is_told_once(screen: &Outcome) {
    let findings = screen.stdout.split("Findings").nth(1).unwrap_or_default();
    let findings = findings.split("Changes").next().unwrap_or_default();
    let words = findings.split_whitespace().collect::<Vec<_>>().join(" ");
    for issue in words.split("(ZOOKEEPER-").skip(1) {
        let issue = issue.split(')').next().unwrap_or_default();
        let name = format!("(ZOOKEEPER-{issue})");
        // 4925 is two bugs.
        let most = if issue == "4925" { 2 } else { 1 };
        assert!(words.matches(&name).count() <= most, "{name} is repeated\n{screen}");
    }
}

/// A release without reconfig is refused in words that name the way up.
fn is_refused(row: &Row) -> Played {
    let ensemble = row.builder().start();
    let desk = Desk::new();
    let contacts = ensemble.connect_string();
    let way = ["runs ZooKeeper 3.4.14", "to the newest 3.5 or 3.6 release", "rolling restart"];
    desk.run(["import", "--connect", &contacts]).exits(3).says(way);
    let spec = wanting(&ensemble, [1, 2, 3], [1, 2, 3]);
    desk.plan(&spec, &[]).exits(3).says(way);
    say("   refused");
    Played { steps: vec!["refused"], longest_gap: None }
}
