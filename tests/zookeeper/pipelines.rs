//! The pipelines below `plans/pipelines`, played on a real ensemble: their own scripts, in a clone of a bare
//! repository that stands for the forge. What is not played is what a forge does by itself: the checkout,
//! artifacts, approvals.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, SUPER_PASSWORD};
use crate::ledger::is_at;
use crate::spec::Spec;
use crate::zkplan::{Desk, text};

/// `gh`, as far as the pipelines use it: it keeps one comment and one issue in files.
const GH: &str = r#"#!/bin/sh
case "$1 $2" in
  "api --paginate") [ ! -e "$FORGE/comment" ] || echo 7 ;;
  "api --method")
    [ "$4" = "repos/team/ensembles/issues/comments/7" ] && cat "${7#body=@}" > "$FORGE/comment"
    echo updated >> "$FORGE/log" ;;
  "issue list") [ ! -e "$FORGE/issue" ] || echo 3 ;;
  "issue edit") cat "$5" > "$FORGE/issue"; echo "issue $3 edited" >> "$FORGE/log" ;;
  "issue create") cat "$8" > "$FORGE/issue"; echo "issue: $4" >> "$FORGE/log" ;;
  "pr comment") cat "$5" > "$FORGE/comment"; echo "made for $3" >> "$FORGE/log" ;;
  *) echo "gh $*" >&2; exit 1 ;;
esac
"#;

#[test]
fn a_pull_request_is_planned_commented_and_applied_after_the_merge() {
    let ensemble = Builder::rich().start_with([4]);
    let forge = Forge::with(&spec(&ensemble, 1..=3));
    let base = forge.commit_on("main", None);

    forge.commit_on("grow", Some(&spec(&ensemble, 1..=4)));
    let plan = Pipeline::read("github/plan.yaml");
    let context = [("github.base_ref", "main"), ("github.event.pull_request.number", "12")];
    plan.job("plan").plays(&forge, &context);
    let comment = forge.kept("comment");
    assert!(comment.starts_with("<!-- zkplan story -->"), "{comment}");
    assert!(comment.contains("join-4"), "{comment}");
    // The next push updates it.
    plan.job("plan").plays(&forge, &context);
    assert_eq!(forge.kept("log"), "made for 12\nupdated\n");

    forge.git(&["checkout", "-q", "main"]);
    forge.git(&["merge", "-q", "--ff-only", "grow"]);
    let apply = Pipeline::read("github/apply.yaml");
    apply.job("plan").plays(&forge, &[("github.event.before", &base)]);
    is_at(&ensemble, &[1, 2, 3]);
    let context = [("secrets.ZKPLAN_PASSWORD", SUPER_PASSWORD)];
    apply.job("apply").plays(&forge, &context);
    is_at(&ensemble, &[1, 2, 3, 4]);
    // Applied again, it is done already: the spec serves as well as the plan.
    let context = [context[0], ("inputs.spec", "ensembles/prod.yaml")];
    apply.job("pass-the-gate").plays(&forge, &context);
}

/// A refused plan fails the check, and the comment says why.
#[test]
fn a_pull_request_that_no_plan_can_reach_fails_with_its_comment() {
    let ensemble = Builder::rich().start();
    let forge = Forge::with(&spec(&ensemble, 1..=3));
    forge.commit_on("main", None);
    forge.commit_on("shrink", Some(&spec(&ensemble, 1..=1)));
    let plan = Pipeline::read("github/plan.yaml");
    let context = [("github.base_ref", "main"), ("github.event.pull_request.number", "13")];
    let last = plan.job("plan").ends(&forge, &context);
    assert_eq!(last.status.code(), Some(3), "{last:?}");
    assert!(forge.kept("comment").contains("ZKQ"), "{}", forge.kept("comment"));
}

/// An issue is opened when an ensemble differs from its spec, and kept up to date.
#[test]
fn drift_is_one_issue() {
    let ensemble = Builder::rich().start();
    let forge = Forge::with(&spec(&ensemble, 1..=3));
    let drift = Pipeline::read("github/drift.yaml");
    drift.job("drift").plays(&forge, &[]);
    assert!(!forge.desk.path("kept/issue").exists(), "nothing differs");
    let follower = if ensemble.wait_leader() == 2 { 3 } else { 2 };
    ensemble.administrator().remove(follower);
    drift.job("drift").plays(&forge, &[]);
    drift.job("drift").plays(&forge, &[]);
    let title = "issue: ZooKeeper ensembles differ from their specs\n";
    assert_eq!(forge.kept("log"), format!("{title}issue 3 edited\n"));
    let issue = forge.kept("issue");
    assert!(issue.contains(&format!("server.{follower}=")), "{issue}");
    assert!(issue.starts_with("<!-- zkplan ") && issue.contains("**Drift.**"), "{issue}");
}

#[test]
fn a_merge_request_is_planned_saved_and_applied() {
    let ensemble = Builder::rich().start_with([4]);
    let forge = Forge::with(&spec(&ensemble, 1..=3));
    let base = forge.commit_on("main", None);
    forge.commit_on("grow", Some(&spec(&ensemble, 1..=4)));
    let jobs = Pipeline::read("gitlab-ci.yml");
    let variables =
        [("CI_MERGE_REQUEST_DIFF_BASE_SHA", &base[..]), ("CI_COMMIT_BEFORE_SHA", &base)];
    jobs.scripts("plan").plays_with(&forge, &variables);
    assert!(forge.file("plan.md").contains("join-4"));
    assert!(forge.file("plan.xml").contains("<testsuite"));
    jobs.scripts("save").plays_with(&forge, &variables);
    jobs.scripts("apply").plays_with(&forge, &[("ZKPLAN_PASSWORD", SUPER_PASSWORD)]);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// The approver's key is no file of the repository. A plan of which one byte differs is not applied.
#[test]
fn only_a_signed_plan_that_was_committed_is_applied() {
    let ensemble = Builder::rich().start_with([4, 5]);
    let forge = Forge::with(&spec(&ensemble, 1..=4));
    let mut base = forge.commit_on("main", None);
    fs::create_dir(forge.work().join("signed")).expect("a folder");
    let openssl = |words: &str| {
        let key = "openssl ".to_owned() + words;
        let ran = forge.runs(&key, &BTreeMap::new());
        assert!(ran.status.success(), "{key}: {ran:?}");
    };
    openssl("genpkey -algorithm ed25519 -out ../approver.key");
    openssl("pkey -in ../approver.key -pubout -out ../approvers.pem");
    let key = forge.desk.read("approvers.pem");
    let file = forge.desk.path("approvers.pem").display().to_string();
    let github = Pipeline::read("github/apply-signed.yaml").job("apply");
    let gitlab = Pipeline::read("gitlab-ci.yml").scripts("apply-signed");

    // The pipelines have the commands of an approver as comments.
    let comment = fs::read_to_string(Pipeline::path("github/apply-signed.yaml"));
    let comment = comment.expect("the pipeline");
    let typed = |first: &str| {
        let mut lines = comment.lines().filter_map(|line| line.strip_prefix("#   "));
        lines.find(|line| line.starts_with(first)).expect("the command").to_owned()
    };
    let approves = |spec: &Spec| {
        forge.writes(spec);
        let plans = forge.runs(&typed("zkplan plan "), &BTreeMap::new());
        assert_eq!(plans.status.code(), Some(0), "{plans:?}");
        openssl(&typed("openssl ")["openssl ".len()..].replace("approver.key", "../approver.key"));
    };
    approves(&spec(&ensemble, 1..=4));
    let after = forge.commits(&["ensembles", "signed"]);
    let context = |base: &str| {
        [
            ("github.event.before", base.to_owned()),
            ("vars.ZKPLAN_APPROVERS", key.clone()),
            ("secrets.ZKPLAN_PASSWORD", SUPER_PASSWORD.to_owned()),
        ]
    };
    let plays = |base: &str| {
        let context = context(base);
        github.ends(&forge, &context.each_ref().map(|(name, value)| (*name, &value[..])))
    };
    let saved = forge.work().join("signed/prod.json");
    let signed = fs::read(&saved).expect("the plan");
    fs::write(&saved, [&signed[..], b" "].concat()).expect("a file");
    let refused = plays(&base);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    is_at(&ensemble, &[1, 2, 3]);
    fs::write(&saved, signed).expect("a file");
    assert!(plays(&base).status.success());
    is_at(&ensemble, &[1, 2, 3, 4]);

    base = after;
    approves(&spec(&ensemble, 1..=5));
    forge.commits(&["ensembles", "signed"]);
    let variables = [
        ("CI_COMMIT_BEFORE_SHA", &base[..]),
        ("ZKPLAN_APPROVERS", &file),
        ("ZKPLAN_PASSWORD", SUPER_PASSWORD),
    ];
    gitlab.plays_with(&forge, &variables);
    is_at(&ensemble, &[1, 2, 3, 4, 5]);
}

/// A job beside the servers leaves the status; the pipeline plans from it and asks no server.
#[test]
fn without_a_route_a_pull_request_is_planned_from_the_status_that_was_left() {
    let ensemble = Builder::rich().start_with([4]);
    let forge = Forge::with(&spec(&ensemble, 1..=3));
    forge.commit_on("main", None);
    forge.git(&["switch", "-q", "--orphan", "zkplan-status"]);
    forge.git(&["commit", "-q", "--allow-empty", "-m", "status"]);
    forge.git(&["push", "-q", "origin", "zkplan-status"]);
    forge.git(&["checkout", "-q", "main"]);
    let leaves_status = || {
        let job = Pipeline::read("no-route/status-cronjob.yaml").0;
        let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let named = list(&container["env"]).iter().filter(|one| one.get("value").is_some());
        let named =
            named.map(|one| (text(&one["name"]).to_owned(), text(&one["value"]).to_owned()));
        let mut environment: BTreeMap<String, String> = named.collect();
        let repository = forge.desk.path("forge.git").display().to_string();
        environment.insert("REPOSITORY".to_owned(), repository);
        let script = text(&list(&container["command"])[2]).replace("/specs/", "ensembles/");
        let ran = forge.runs(&script, &environment);
        assert!(ran.status.success(), "{ran:?}");
    };
    leaves_status();

    forge.commit_on("grow", Some(&spec(&ensemble, 1..=4)));
    let plan = Pipeline::read("no-route/plan.yaml");
    let context = [("github.base_ref", "main"), ("github.event.pull_request.number", "12")];
    plan.job("plan").plays(&forge, &context);
    let comment = forge.kept("comment");
    for words in
        ["join-4", "Assumes that every server is up", "> note: story: planned from the status of "]
    {
        assert!(comment.contains(words), "{words}\n{comment}");
    }

    // A member that was away then counts as down.
    let follower = if ensemble.wait_leader() == 2 { 3 } else { 2 };
    ensemble.stop(follower);
    leaves_status();
    plan.job("plan").ends(&forge, &context);
    let shown = forge.runs("zkplan plan ensembles/prod.yaml --live live", &BTreeMap::new());
    let screen = String::from_utf8_lossy(&shown.stdout);
    assert!(screen.contains("2 of 3 voters were in sync in the status"), "{screen}");
    ensemble.start_again(follower);
    ensemble.wait_following(follower);

    // What was planned outside is applied inside.
    leaves_status();
    plan.job("plan").plays(&forge, &context);
    let script = "zkplan plan ensembles/prod.yaml --live live --out plan.json";
    let saved = forge.runs(script, &BTreeMap::new());
    assert!(saved.status.success(), "{saved:?}");
    let password = BTreeMap::from([("ZKPLAN_PASSWORD".to_owned(), SUPER_PASSWORD.to_owned())]);
    let applied = forge.runs("zkplan apply plan.json --auto-approve", &password);
    assert!(applied.status.success(), "{applied:?}");
    is_at(&ensemble, &[1, 2, 3, 4]);
}

#[test]
fn a_job_in_the_cluster_applies_a_saved_plan() {
    let ensemble = Builder::rich().start_with([4]);
    let desk = Desk::new();
    let file = desk.write("prod.yaml", &spec(&ensemble, 1..=4).text());
    desk.run(["plan", &file, "--out", "plan.json"]).exits(0);
    desk.write("password", &format!("{SUPER_PASSWORD}\n"));
    let job = Pipeline::read("kubernetes-job.yaml").0;
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let mounted = |word: &Value| text(word).replace("/plan/", "").replace("/secret/", "");
    let words: Vec<String> = list(&container["command"]).iter().map(mounted).collect();
    assert_eq!(words[0], "zkplan");
    desk.run(&words[1..]).exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// A hook of pre-commit is given the changed files.
#[test]
fn a_hook_finds_a_mistake_before_it_is_committed() {
    let hooks = Pipeline::read("pre-commit-hooks.yaml").0;
    let hook = &hooks[0]["hooks"][0];
    assert_eq!(text(&hook["files"]), r"^ensembles/.*\.yaml$");
    let entry: Vec<&str> = text(&hook["entry"]).split(' ').collect();
    assert_eq!(entry[0], "zkplan");
    let desk = Desk::new();
    let good = desk.write("good.yaml", include_str!("../../plans/hot-migration.yaml"));
    let bad = desk.write("bad.yaml", "apiVersion: zkplan/v1\nensemble: prod\n");
    desk.run([&entry[1..], &[&good]].concat()).exits(0);
    desk.run([&entry[1..], &[&good, &bad]].concat()).exits(65).says(["bad.yaml", "servers"]);
}

fn spec(ensemble: &Ensemble, ids: impl IntoIterator<Item = u8>) -> Spec {
    wanting(ensemble, ids, 1..=3)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// A bare repository, a clone of it with a spec, and a folder of what the forge keeps.
struct Forge {
    desk: Desk,
}

impl Forge {
    fn with(spec: &Spec) -> Self {
        let forge = Self { desk: Desk::new() };
        for folder in ["kept", "bin"] {
            fs::create_dir(forge.desk.path(folder)).expect("a folder");
        }
        let gh = forge.desk.path("bin/gh");
        fs::write(&gh, GH).expect("a file");
        fs::set_permissions(&gh, fs::Permissions::from_mode(0o755)).expect("a program");
        forge.run_git(".", &["init", "-q", "--bare", "-b", "main", "forge.git"]);
        forge.run_git(".", &["clone", "-q", "forge.git", "work"]);
        fs::create_dir(forge.work().join("ensembles")).expect("a folder");
        forge.writes(spec);
        forge
    }

    fn work(&self) -> PathBuf {
        self.desk.path("work")
    }

    fn writes(&self, spec: &Spec) {
        let file = self.work().join("ensembles/prod.yaml");
        fs::write(file, spec.text()).expect("the clone can be written to");
    }

    /// Commits a spec, or what is there, on a branch, and returns the commit.
    fn commit_on(&self, branch: &str, spec: Option<&Spec>) -> String {
        self.git(&["checkout", "-q", "-B", branch]);
        if let Some(spec) = spec {
            self.writes(spec);
        }
        self.commits(&["ensembles"])
    }

    /// Commits what is there in these folders, and returns the commit.
    fn commits(&self, folders: &[&str]) -> String {
        self.git(&[&["add"], folders].concat());
        self.git(&["commit", "-q", "-m", "what is there"]);
        self.git(&["push", "-q", "origin", "HEAD"]);
        let commit = self.git(&["rev-parse", "HEAD"]);
        String::from_utf8_lossy(&commit.stdout).trim().to_owned()
    }

    fn git(&self, words: &[&str]) -> Output {
        self.run_git("work", words)
    }

    fn run_git(&self, folder: &str, words: &[&str]) -> Output {
        let mut git = Command::new("git");
        self.desk.furnish(&mut git);
        git.current_dir(self.desk.path(folder)).args(["-c", "user.name=team"]);
        let git = git.args(["-c", "user.email=team@example.org"]).args(words);
        let output = git.output().expect("git is installed");
        assert!(output.status.success(), "git {words:?}: {output:?}");
        output
    }

    /// A file of the clone.
    fn file(&self, name: &str) -> String {
        self.desk.read(&format!("work/{name}"))
    }

    /// What the forge was given.
    fn kept(&self, name: &str) -> String {
        self.desk.read(&format!("kept/{name}"))
    }

    /// Runs a script as a runner does.
    fn runs(&self, script: &str, environment: &BTreeMap<String, String>) -> Output {
        let binary = Path::new(env!("CARGO_BIN_EXE_zkplan"));
        let zkplan = binary.parent().expect("a binary lies in a folder");
        let path = [self.desk.path("bin"), zkplan.to_owned(), "/usr/bin".into(), "/bin".into()];
        let path = std::env::join_paths(path).expect("no colon in them");
        let mut bash = Command::new("bash");
        self.desk.furnish(&mut bash);
        bash.current_dir(self.work()).args(["-e", "-c", script]).env("PATH", path);
        bash.env("FORGE", self.desk.path("kept")).stdin(Stdio::null());
        bash.env("GITHUB_REPOSITORY", "team/ensembles");
        bash.env("GITHUB_STEP_SUMMARY", self.desk.path("kept/summary"));
        bash.envs(environment).output().expect("bash is installed")
    }
}

/// A file below `plans/pipelines`.
struct Pipeline(Value);

impl Pipeline {
    fn path(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/pipelines").join(name)
    }

    fn read(name: &str) -> Self {
        let file = fs::read_to_string(Self::path(name)).expect("the pipeline is there");
        Self(serde_saphyr::from_str(&file).expect("it is YAML"))
    }

    /// A job of GitHub Actions.
    fn job(&self, name: &str) -> Scripts {
        let steps = list(&self.0["jobs"][name]["steps"]);
        let scripts = steps.iter().filter(|step| step.get("run").is_some()).map(|step| {
            let environment = step["env"].as_object().into_iter().flatten();
            let environment =
                environment.map(|(name, value)| (name.clone(), text(value).to_owned()));
            (text(&step["run"]).to_owned(), environment.collect())
        });
        Scripts(scripts.collect())
    }

    /// A job of GitLab: its lines are one script.
    fn scripts(&self, job: &str) -> Scripts {
        let lines: Vec<&str> = list(&self.0[job]["script"]).iter().map(text).collect();
        Scripts(vec![(lines.join("\n"), BTreeMap::new())])
    }
}

/// The scripts of a job, in order, each with its environment.
struct Scripts(Vec<(String, BTreeMap<String, String>)>);

impl Scripts {
    /// Each ends with success.
    fn plays(&self, forge: &Forge, context: &[(&str, &str)]) {
        let last = self.ends(forge, context);
        assert!(last.status.success(), "{last:?}");
    }

    /// How the first one ended that failed, or else the last one. The forge fills in expressions.
    fn ends(&self, forge: &Forge, context: &[(&str, &str)]) -> Output {
        let filled = |(name, value): (&String, &String)| {
            let mut value = value.replace("${{ github.token }}", "a token");
            for (expression, text) in context {
                value = value.replace(&format!("${{{{ {expression} }}}}"), text);
            }
            assert!(!value.contains("${{"), "{name}: {value}");
            (name.clone(), value)
        };
        let mut last = None;
        for (script, environment) in &self.0 {
            assert!(
                !script.contains("${{"),
                "an expression in a script is run as a command\n{script}"
            );
            let output = forge.runs(script, &environment.iter().map(filled).collect());
            let has_failed = !output.status.success();
            last = Some(output);
            if has_failed {
                break;
            }
        }
        last.expect("a job has scripts")
    }

    fn plays_with(&self, forge: &Forge, variables: &[(&str, &str)]) {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables: BTreeMap<String, String> = variables.collect();
        for (script, _) in &self.0 {
            let output = forge.runs(script, &variables);
            assert!(output.status.success(), "{script}\n{output:?}");
        }
    }
}
