//! The policies below `plans/pipelines/rego`, as a pipeline has them judge: their own tests, and plans of this
//! zkplan. A key of the plan that is spelled otherwise would make a policy pass everything.
//!
//! A part of `tests/run long`, which has Go. OPA is built into the target directory once, by Go, from the
//! repository that Go is configured for. What cannot be had fails the suite.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

/// Its `go.mod` wants Go 1.23.
const OPA: &str = "1.6.0";

/// The policies, and beside each `NAME.rego` its tests, `NAME_test.rego`.
const POLICIES: [&str; 6] = ["additive", "backup", "leader_hours", "plans", "reasons", "tolerance"];

fn project_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn rego() -> PathBuf {
    project_file("plans/pipelines/rego")
}

/// The program, which is built where it is not there yet.
fn opa() -> Command {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("opa-{OPA}"));
        let program = folder.join("opa");
        if !program.is_file() {
            let mut build = Command::new("go");
            build.args(["install", &format!("github.com/open-policy-agent/opa@v{OPA}")]);
            // No other Go than the one that is installed.
            build.env("GOBIN", &folder).env("GOTOOLCHAIN", "local");
            let done = build.output().expect("go runs (apt-get install golang-go)");
            assert!(done.status.success(), "OPA {OPA} cannot be had\n{}", text(&done.stderr));
        }
        program
    });
    Command::new(&*PROGRAM)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn ends(command: &mut Command) -> Output {
    command.output().expect("it runs")
}

/// A folder with the policies, their business hours as wanted, and what is to be judged.
struct Desk(TempDir);

impl Desk {
    /// Business hours never are, or always.
    fn at_business_hours(is_business: bool) -> Self {
        let desk = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(desk.path("policies")).expect("a folder");
        for entry in fs::read_dir(rego()).expect("the policies") {
            let from = entry.expect("an entry").path();
            let name = from.file_name().expect("a name").to_string_lossy().into_owned();
            fs::copy(&from, desk.path("policies").join(name)).expect("a copy");
        }
        let to = if is_business { 24 } else { 0 };
        desk.edit(
            "leader_hours.rego",
            r#""from": 8, "to": 18"#,
            &format!(r#""from": 0, "to": {to}"#),
        );
        desk.edit("leader_hours.rego", r#"{"Saturday", "Sunday"}"#, "set()");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    /// Changes a policy as its user does.
    fn edit(&self, policy: &str, from: &str, to: &str) {
        let path = self.path("policies").join(policy);
        let text = fs::read_to_string(&path).expect("the policy");
        assert!(text.contains(from), "{policy} has no {from}");
        fs::write(path, text.replace(from, to)).expect("a file");
    }

    /// Plans for a spec from a configuration of `members` servers, with further words, into `plan.json`.
    fn plans(&self, members: u8, spec: &str, words: &[&str]) {
        let lines = (1..=members).map(|id| format!("server.{id}=10.0.0.{id}:2888:3888;2181\n"));
        self.write("live", &(lines.collect::<String>() + "version=100000004\n"));
        self.write("spec.yaml", spec);
        let planned =
            self.zkplan(&[&["spec.yaml", "--live", "live", "--out", "plan.json"], words].concat());
        assert!(planned.status.success(), "{}", text(&planned.stderr));
    }

    fn zkplan(&self, words: &[&str]) -> Output {
        let mut zkplan = Command::new(env!("CARGO_BIN_EXE_zkplan"));
        ends(zkplan.arg("plan").args(words).current_dir(self.0.path()).env_clear())
    }

    /// What the policies say against `plan.json` when a change is reviewed.
    fn review(&self) -> Vec<String> {
        self.judged("zkplan")
    }

    /// The same right before an apply.
    fn before_apply(&self) -> Vec<String> {
        self.judged("zkplan/now")
    }

    /// What is said, which is nothing where the plan is allowed.
    fn judged(&self, package: &str) -> Vec<String> {
        let said = self.decides(&format!("{package}/deny"), &[]);
        assert!(said.status.success(), "{said:?}");
        let said: Value = serde_json::from_slice(&said.stdout).expect("JSON");
        let said = said["result"][0]["result"].as_array().expect("a list");
        let said: Vec<String> =
            said.iter().map(|one| one.as_str().expect("text").to_owned()).collect();
        let allowed = self.decides(&format!("{package}/allow"), &["--fail"]);
        assert_eq!(allowed.status.success(), said.is_empty(), "{allowed:?}");
        said
    }

    fn decides(&self, decision: &str, further: &[&str]) -> Output {
        let words = ["exec", "--bundle", "policies", "--decision", decision];
        ends(opa().args(words).args(further).arg("plan.json").current_dir(self.0.path()))
    }
}

/// A spec of servers 1 to `last`, with further lines.
fn spec(label: &str, last: u8, further: &str) -> String {
    let servers = (1..=last).map(|id| format!("  - {{ id: {id}, host: 10.0.0.{id} }}\n"));
    let servers: String = servers.collect();
    format!("apiVersion: zkplan/v1\nensemble: {label}\nservers:\n{servers}{further}")
}

/// The day that comes that many days from now, in UTC.
fn day_in(days: u64) -> String {
    let then = SystemTime::now() + Duration::from_secs(24 * 3600 * days);
    humantime::format_rfc3339_seconds(then).to_string()[..10].to_owned()
}

/// That each denial has these words, in any order.
fn are(denials: &[String], wanted: &[&str]) {
    assert_eq!(denials.len(), wanted.len(), "{denials:#?}");
    for words in wanted {
        assert!(denials.iter().any(|one| one.contains(words)), "{words}: {denials:#?}");
    }
}

const BACKUP: &str = "policy: { backup: { maxAge: 24h } }\n";

#[test]
fn each_policy_has_tests_that_pass() {
    let mut files: Vec<String> = fs::read_dir(rego())
        .expect("the policies")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rego"))
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    files.sort();
    let named =
        POLICIES.iter().flat_map(|name| [format!("{name}.rego"), format!("{name}_test.rego")]);
    let mut named: Vec<String> = named.collect();
    named.sort();
    assert_eq!(files, named);
    let rego = rego();
    let folder = rego.to_str().expect("text");
    for words in [
        &["check", "--strict", folder][..],
        &["fmt", "--list", "--fail", folder],
        &["test", folder],
    ] {
        let done = ends(opa().args(words));
        assert!(
            done.status.success(),
            "opa {words:?}: {}{}",
            text(&done.stdout),
            text(&done.stderr)
        );
    }
    // Each test file is run, not only read.
    let done = ends(opa().args(["test", "--format", "json", folder]));
    let ran: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    for name in POLICIES {
        let file = format!("{name}_test.rego");
        let of =
            |one: &&Value| one["location"]["file"].as_str().is_some_and(|at| at.ends_with(&file));
        assert!(ran.as_array().expect("a list").iter().any(|one| of(&one)), "{file} has no test");
    }
}

#[test]
fn a_plan_that_keeps_every_policy_passes() {
    let desk = Desk::at_business_hours(false);
    desk.plans(3, &spec("prod-eu", 5, ""), &[]);
    assert_eq!(desk.review(), Vec::<String>::new());
}

/// Nothing but the ensemble's weakest moment is wrong with it: the risk has its reason and day.
#[test]
fn a_plan_without_tolerance_is_denied() {
    let desk = Desk::at_business_hours(false);
    let accept = format!(
        "accept: [{{ rule: \"ZKQ2:join-2\", reason: one voter to three, until: {} }}]\n",
        day_in(30)
    );
    desk.plans(1, &spec("small", 3, &accept), &[]);
    are(&desk.review(), &["small: tolerates 0 failures"]);
}

#[test]
fn an_acceptance_without_a_reason_or_with_a_day_far_ahead_is_denied() {
    let desk = Desk::at_business_hours(false);
    desk.edit("tolerance.rego", "least_tolerance := 1", "least_tolerance := 0");
    desk.plans(1, &spec("small", 3, ""), &["--accept", "ZKQ2:join-2"]);
    are(&desk.review(), &["small: ZKQ2:join-2 is accepted without a reason and a day"]);
    let accept = format!(
        "accept: [{{ rule: \"ZKQ2:join-2\", reason: one voter to three, until: {} }}]\n",
        day_in(200)
    );
    desk.plans(1, &spec("small", 3, &accept), &[]);
    are(&desk.review(), &["small: ZKQ2:join-2 is accepted until"]);
}

#[test]
fn a_plan_that_may_change_the_leader_is_denied_in_business_hours() {
    let shrinks = spec("eu", 4, BACKUP);
    let desk = Desk::at_business_hours(true);
    desk.plans(5, &shrinks, &[]);
    are(&desk.before_apply(), &["eu: the leader may change"]);
    assert_eq!(desk.review(), Vec::<String>::new(), "a change is reviewed in business hours");
    let desk = Desk::at_business_hours(false);
    desk.plans(5, &shrinks, &[]);
    assert_eq!(desk.before_apply(), Vec::<String>::new());
    // Outside of them the other policies still count.
    desk.plans(5, &spec("eu", 4, ""), &[]);
    are(&desk.before_apply(), &["eu: server 5 loses its vote"]);
}

#[test]
fn a_voter_that_leaves_without_a_backup_is_denied() {
    let desk = Desk::at_business_hours(false);
    desk.plans(5, &spec("eu", 4, ""), &[]);
    are(&desk.review(), &["eu: server 5 loses its vote (leave)"]);
}

/// The id of the plan, a reason and a day make it an exception.
#[test]
fn production_that_shrinks_is_denied_without_an_exception() {
    let desk = Desk::at_business_hours(false);
    desk.plans(5, &spec("prod-eu", 4, BACKUP), &[]);
    are(&desk.review(), &["prod-eu: leave-5", "prod-eu: stop-5"]);
    let plan: Value =
        serde_json::from_slice(&fs::read(desk.path("plan.json")).expect("a file")).expect("JSON");
    let id = plan["planId"].as_str().expect("text");
    let exception =
        format!("[{{ plan: \"{id}\", reason: the old machine goes, until: {} }}]", day_in(1));
    desk.edit("data.yaml", "exceptions: []", &format!("exceptions: {exception}"));
    assert_eq!(desk.review(), Vec::<String>::new());
}

/// Of several specs there is one document. A spec that is refused has no plan that could be judged.
#[test]
fn what_is_no_plan_is_denied_and_nothing_is_allowed_without_policies() {
    let desk = Desk::at_business_hours(false);
    desk.plans(3, &spec("eu", 5, ""), &[]);
    fs::create_dir(desk.path("lives")).expect("a folder");
    fs::copy(desk.path("live"), desk.path("lives/eu")).expect("a copy");
    desk.write("lives/small", "server.1=10.0.1.1:2888:3888;2181\nversion=100000000\n");
    desk.write("small.yaml", &spec("small", 3, "").replace("10.0.0", "10.0.1"));
    let words = ["spec.yaml", "small.yaml", "--live", "lives", "--format", "json"];
    desk.write("plan.json", text(&desk.zkplan(&words).stdout));
    are(&desk.review(), &["small: not a plan of format version 2: zkplan/refusal"]);
    fs::remove_dir_all(desk.path("policies")).expect("a folder");
    fs::create_dir(desk.path("policies")).expect("a folder");
    for decision in ["zkplan/allow", "zkplan/now/allow"] {
        let judged = desk.decides(decision, &["--fail"]);
        assert!(!judged.status.success(), "{judged:?}");
    }
}

/// The steps are comments, since they want OPA. Their lines are run as they stand there.
#[test]
fn the_steps_in_the_pipelines_pass_and_deny() {
    for (pipeline, judge) in
        [("github/plan.yaml", 2), ("github/apply.yaml", 2), ("gitlab-ci.yml", 4)]
    {
        let path = project_file("plans/pipelines").join(pipeline);
        let steps = fs::read_to_string(path).expect("the pipeline");
        let lines = steps.lines().map(|line| line.trim_start().trim_start_matches(['#', ' ', '-']));
        let lines: Vec<&str> = lines.filter(|line| line.starts_with("opa ")).collect();
        assert_eq!(lines.len(), judge, "{pipeline}");
        for (last, is_allowed) in [(6, true), (4, false)] {
            let desk = Desk::at_business_hours(false);
            desk.plans(5, &spec("prod", last, BACKUP), &[]);
            fs::create_dir(desk.path("saved")).expect("a folder");
            fs::copy(desk.path("plan.json"), desk.path("saved/prod.json")).expect("a copy");
            for pair in lines.chunks(2) {
                let folder = Path::new(opa().get_program()).parent().expect("a folder").to_owned();
                let path =
                    std::env::join_paths([&folder, Path::new("/usr/bin"), Path::new("/bin")]);
                let mut bash = Command::new("bash");
                bash.args(["-e", "-c", &pair.join("\n")]).env("PATH", path.expect("no colon"));
                let ran = ends(bash.current_dir(desk.0.path()));
                assert_eq!(ran.status.success(), is_allowed, "{pipeline}: {ran:?}");
                assert_eq!(text(&ran.stdout).contains("production only grows"), !is_allowed);
            }
        }
    }
}
