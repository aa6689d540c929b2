//! A standalone server with data becomes the first voter, and then one of three.

use std::fs;

use serde_json::Value;

use crate::applying::{Apply, Applying, wanting};
use crate::harness::{Builder, Ensemble, Mode, PATIENCE, Witness, wait_until};
use crate::installing::{self, desk_with_token};
use crate::ledger::is_at;
use crate::show;
use crate::spec::Spec;
use crate::zkplan::{Desk, one_line, text};

const ALL: [u8; 3] = [1, 2, 3];

/// A standalone server that has no `myid`, and two more for which there is nothing but ports.
fn standalone() -> Ensemble {
    standalone_of(Builder::rich())
}

fn standalone_of(builder: Builder) -> Ensemble {
    let ensemble = builder.standalone().setting_of(1, "reconfigEnabled", "false").start();
    fs::remove_file(ensemble.file(1, "data/myid")).expect("a standalone server does not read it");
    ensemble.reserve(2);
    ensemble.reserve(3);
    ensemble
}

/// A spec that wants all three.
fn three(ensemble: &Ensemble) -> Spec {
    wanting(ensemble, ALL, [1]).session_timeout("10s")
}

/// The risk of the second server: from its join until that of the third, both must run.
const ACCEPTED: [&str; 2] = ["--accept", "ZKQ2:join-2"];

fn apply<'a>(desk: &'a Desk, spec: &Spec) -> Apply<'a> {
    desk.apply_spec(spec).with(&ACCEPTED)
}

/// What a program reads of the plan.
fn document(desk: &Desk, spec: &Spec) -> Value {
    let document = desk.plan(spec, &["--format", "json"]).exits(2).json();
    assert_eq!(document["format"], "zkplan/first-quorum");
    assert_eq!(document["next"], "zkplan apply spec.yaml --accept ZKQ2:join-2");
    document
}

/// The super user's line, as `zkplan digest` prints it.
fn super_digest(desk: &Desk) -> String {
    let printed = desk.run_as_super(&["digest"]).exits(0);
    let mut lines = printed.stderr.lines().map(str::trim);
    let line =
        lines.find_map(|line| line.strip_prefix("DigestAuthenticationProvider.superDigest="));
    line.expect("a line for zoo.cfg").to_owned()
}

/// The `zoo.cfg` of server 1 with the lines that zkplan asks for.
fn with_lines(zoo_cfg: &str, lines: impl IntoIterator<Item = String>) -> String {
    let mut all: Vec<String> = zoo_cfg.lines().map(str::to_owned).collect();
    for line in lines {
        let (key, _) = line.split_once('=').expect("a key and a value");
        all.retain(|known| known.split('=').next() != Some(key));
        all.push(line);
    }
    all.join("\n") + "\n"
}

fn write_zoo_cfg(ensemble: &Ensemble, text: &str) {
    fs::write(ensemble.file(1, "zoo.cfg"), text).expect("its zoo.cfg can be written");
}

/// The person: the files of the first quorum, written as zkplan shows them.
struct Person {
    my_id: (std::path::PathBuf, String),
    zoo_cfg: String,
    first_zoo_cfg: String,
}

impl Person {
    /// Reads the plan, and the file as it is.
    fn reads(ensemble: &Ensemble, desk: &Desk, spec: &Spec) -> Self {
        let document = document(desk, spec);
        let files = &document["files"];
        let digest = super_digest(desk);
        let lines = files["lines"].as_array().expect("lines").iter();
        let lines = lines.map(|line| text(line).replace("super:HASH", &digest));
        let first_zoo_cfg = fs::read_to_string(ensemble.file(1, "zoo.cfg")).expect("its zoo.cfg");
        let my_id = std::path::Path::new(text(&files["dataDir"])).join("myid");
        assert_eq!(my_id, ensemble.file(1, "data/myid"));
        Self {
            my_id: (my_id, text(&files["myId"]).to_owned()),
            zoo_cfg: with_lines(&first_zoo_cfg, lines),
            first_zoo_cfg,
        }
    }

    fn writes(&self, ensemble: &Ensemble) {
        write_zoo_cfg(ensemble, &self.zoo_cfg);
        fs::write(&self.my_id.0, &self.my_id.1).expect("its dataDir");
    }

    /// The restart.
    fn restarts(&self, ensemble: &Ensemble) {
        ensemble.stop(1);
        self.writes(ensemble);
        ensemble.start_again(1);
    }

    /// A restart with another `zoo.cfg`.
    fn restarts_with(&self, ensemble: &Ensemble, zoo_cfg: &str) {
        ensemble.stop(1);
        self.writes(ensemble);
        write_zoo_cfg(ensemble, zoo_cfg);
        ensemble.start_again(1);
    }
}

/// The one gap above half a second is the restart: what comes after it is ordinary.
#[test]
fn a_standalone_server_becomes_three_and_loses_nothing() {
    let ensemble = standalone();
    let witness = Witness::of(&ensemble, ALL);
    let (desk, spec) = (Desk::new(), three(&ensemble));
    let person = Person::reads(&ensemble, &desk, &spec);
    let screen = desk.plan(&spec, &[]).exits(2);
    screen
        .says(["runs standalone", "First quorum: one restart", "Do not start servers 2 and 3 yet"])
        .says(["standaloneEnabled=false", "reconfigEnabled=true", "The way back", "zkplan apply"]);
    let mut apply = apply(&desk, &spec).start();
    apply.wait_said(&["Now: restart server 1 with the files above"]);
    let ((), restart) = witness.longest_gap(|| {
        person.restarts(&ensemble);
        apply.wait_said(&["Server 1 leads alone", "every write made before"]);
    });
    let (outcome, joins) = witness.longest_gap(|| {
        ensemble.start_joiner(2);
        ensemble.start_joiner(3);
        apply.ends().exits(0)
    });
    show(&format!("{outcome}\nthe restart took {restart:?}, the longest gap after it {joins:?}"));
    is_at(&ensemble, &ALL);
    show(&witness.finish(&ensemble, ALL).to_string());
    assert!(joins < restart, "{joins:?} while servers joined, {restart:?} at the restart");
    desk.plan(&spec, &[]).exits(0).says(["No changes"]);
}

/// The files of the other two are written before the restart, for the quorum of one that it makes.
#[test]
fn the_others_start_from_files_that_were_written_before() {
    let ensemble = standalone();
    let (desk, spec) = (desk_with_token(&ensemble), three(&ensemble));
    let file = desk.write("spec.yaml", &spec.text());
    let write = ["joiner", &file, "--all", "-o", "joiners", "--token", "super.token"];
    let written =
        desk.run(write).exits(0).says(["only when zkplan apply says that server 1 leads"]);
    assert_eq!(written.next_lines(), ["zkplan apply spec.yaml --accept ZKQ2:join-2"]);
    let person = Person::reads(&ensemble, &desk, &spec);
    let mut apply = apply(&desk, &spec).start();
    apply.wait_said(&["Now: restart server 1 with the files above"]);
    person.restarts(&ensemble);
    apply.wait_said(&["Server 1 leads alone"]);
    for id in [2, 3] {
        installing::start(&desk, &ensemble, id);
    }
    apply.ends().exits(0);
    is_at(&ensemble, &ALL);
}

/// What `status` and `preflight` say of it, with and without a spec.
#[test]
fn every_look_says_what_it_is() {
    let ensemble = standalone();
    let (desk, spec) = (Desk::new(), three(&ensemble));
    let file = desk.write("spec.yaml", &spec.text());
    let status = desk.run(["status", &file]).exits(0);
    status.says(["runs standalone", "keeps its data", "Next: zkplan plan spec.yaml"]);
    let address = ensemble.client_address(1).to_string();
    let bare = desk.run(["status", "--connect", &address]).exits(0);
    bare.says(["runs standalone", "There is no spec", "Next: zkplan explain first-quorum"]);
    let zoo_cfg = format!("1={}", ensemble.file(1, "zoo.cfg").display());
    let preflight = desk.run_as_super(&["preflight", &file, "--zoo-cfg", &zoo_cfg]).exits(3);
    let diff = ["-reconfigEnabled=false", "+reconfigEnabled=true", "+standaloneEnabled=false"];
    let line = format!("+{};0.0.0.0:{}", line_of(&ensemble, 1), ensemble.client_address(1).port());
    preflight.says(diff).says([&line]);
    let other = spec.clone().with(1, |server| server.client_port = 1);
    let refused = desk.plan(&other, &[]).exits(3);
    refused.says(["no server at an address where it answers"]);
    let json = desk.plan(&other, &["--format", "json"]).exits(3).json();
    assert_eq!(
        (&json["possible"], &json["hindrances"][0]["code"]),
        (&false.into(), &"notInSpec".into())
    );
    assert_eq!(ensemble.mode(1), Some(Mode::Standalone), "nothing was changed");
}

fn line_of(ensemble: &Ensemble, id: u8) -> String {
    let (quorum, election) = (ensemble.quorum_port(id), ensemble.election_port(id));
    format!("server.{id}={}:{quorum}:{election}:participant", ensemble.host_of(id))
}

/// Two empty servers with the lines of three elect each other; the server with the data would take
/// theirs. zkplan refuses before, and the warning is honest: then everything is lost.
#[test]
fn the_naive_way_is_refused_and_loses_everything() {
    let ensemble = standalone();
    let witness = Witness::of(&ensemble, [1]);
    show(&witness.finish(&ensemble, [1]).to_string());
    let (desk, spec) = (Desk::new(), three(&ensemble));
    let person = Person::reads(&ensemble, &desk, &spec);
    let lines: Vec<String> = ALL
        .map(|id| format!("{};{}", line_of(&ensemble, id), ensemble.client_address(id).port()))
        .to_vec();
    let refused = |what: &str| {
        let words =
            ["Other servers of the spec run already", what, "copies their data and loses its own"];
        desk.plan(&spec, &[]).exits(3).says(words);
        desk.apply_spec(&spec).ends().exits(3).says(words);
        let file = desk.write("spec.yaml", &spec.text());
        desk.run(["status", &file]).exits(0).says(["Other servers of the spec run already"]);
    };
    ensemble.start_with_members(2, &lines);
    wait_until("server 2 to run", PATIENCE, || ensemble.ask(2, "srvr").ok());
    refused("server 2 runs and looks for a leader");
    ensemble.start_with_members(3, &lines);
    ensemble.wait_leader();
    ensemble.wait_following(if ensemble.wait_leader() == 2 { 3 } else { 2 });
    refused("serves as leader");

    let before = ensemble.zxid(1).expect("a zxid");
    assert!(before > 10, "it has data");
    person.restarts_with(&ensemble, &with_lines(&person.zoo_cfg, lines));
    ensemble.wait_following(1);
    let left = ensemble.administrator().tree("/witness");
    assert!(left.is_empty(), "the naive way kept the data: {left:?}");
}

/// Each mistake in its own words, on one server, until it is done right.
#[test]
fn each_mistake_is_named() {
    let ensemble = standalone();
    let witness = Witness::of(&ensemble, [1]);
    show(&witness.finish(&ensemble, [1]).to_string());
    let (desk, spec) = (Desk::new(), three(&ensemble));
    let person = Person::reads(&ensemble, &desk, &spec);
    let mut apply = apply(&desk, &spec).start();
    apply.wait_said(&["Now: restart server 1"]);
    let without = |key: &str| {
        let lines = person.zoo_cfg.lines().filter(|line| line.split('=').next() != Some(key));
        lines.map(|line| line.to_owned() + "\n").collect::<String>()
    };
    let wrong = |apply: &mut Applying<'_>, zoo_cfg: &str, says: &str| {
        person.restarts_with(&ensemble, zoo_cfg);
        apply.wait_said(&[says]);
    };
    wrong(
        &mut apply,
        &without("standaloneEnabled"),
        "Server 1 was restarted and runs standalone again",
    );
    let disabled = person.zoo_cfg.replace("reconfigEnabled=true\n", "");
    wrong(&mut apply, &disabled, "Server 1 leads, and /zookeeper/config is empty");

    ensemble.stop(1);
    person.writes(&ensemble);
    fs::remove_file(&person.my_id.0).expect("it was written");
    ensemble.start_again(1);
    apply.wait_said(&[
        "Server 1 refuses connections and does not come back",
        "myid file is missing",
    ]);
    let ended = ensemble.wait_ended(1);
    assert!(ensemble.log(1).contains("myid file is missing"), "{ended}");

    let port = ensemble.client_address(1).port();
    let ports = person.zoo_cfg.replace(
        &format!("clientPort={port}"),
        &format!("clientPort={}", ensemble.client_address(2).port()),
    );
    assert_ne!(ports, person.zoo_cfg);
    person.writes(&ensemble);
    write_zoo_cfg(&ensemble, &ports);
    ensemble.start_again(1);
    ensemble.wait_ended(1);
    assert!(ensemble.log(1).contains("client address for this server"), "as apply says");

    let other = ensemble.file(1, "other-data");
    fs::create_dir_all(&other).expect("a folder");
    fs::write(other.join("myid"), "1\n").expect("a file");
    let elsewhere = with_lines(&person.zoo_cfg, [format!("dataDir={}", other.display())]);
    write_zoo_cfg(&ensemble, &elsewhere);
    ensemble.start_again(1);
    apply.wait_said(&["Server 1 serves, and data that it had are missing"]);

    let bare = person.zoo_cfg.replace(&format!(";0.0.0.0:{port}"), "");
    assert_ne!(bare, person.zoo_cfg);
    wrong(&mut apply, &bare, "its line in the config has no client port");
    // As the screen says: in the file that zoo.cfg names now.
    let rewritten = fs::read_to_string(ensemble.file(1, "zoo.cfg")).expect("its zoo.cfg");
    let dynamic = rewritten.lines().find_map(|line| line.strip_prefix("dynamicConfigFile="));
    let dynamic = dynamic.expect("a dynamic file").to_owned();
    let own = fs::read_to_string(&dynamic).expect("its membership");
    ensemble.stop(1);
    fs::write(&dynamic, own.trim_end().to_owned() + &format!(";0.0.0.0:{port}\n")).expect("a file");
    ensemble.start_again(1);
    apply.wait_said(&["Server 1 leads alone"]);
    apply.interrupt();
    apply.ends().exits(7);
    let kept = ensemble.administrator().tree("/witness/written");
    assert!(kept.len() > 1, "the writes of the witness are there");

    ensemble.stop(1);
    write_zoo_cfg(&ensemble, &person.first_zoo_cfg);
    ensemble.start_again(1);
    ensemble.wait_serving();
    assert_eq!(ensemble.mode(1), Some(Mode::Standalone), "the way back");
}

/// Where a run is killed. The first two are before the restart.
const BOUNDARIES: [&str; 8] = [
    "restart shown",
    "restart waits",
    "restart down",
    "restart proven",
    "restart starts",
    "lock",
    "send join-2",
    "send join-3",
];

/// Killed at every boundary, and resumed as the killed apply said: nothing is lost, and the same three
/// servers come of it.
#[test]
fn killed_at_each_boundary_and_resumed() {
    let rounds = std::env::var("ZKPLAN_FIRST_QUORUM_ROUNDS").ok().and_then(|n| n.parse().ok());
    for boundary in BOUNDARIES.iter().cycle().take(rounds.unwrap_or(4)) {
        is_killed_and_resumed(boundary);
    }
}

fn is_killed_and_resumed(boundary: &str) {
    let ensemble = standalone();
    let witness = Witness::of(&ensemble, ALL);
    let (desk, spec) = (Desk::new(), three(&ensemble));
    let person = Person::reads(&ensemble, &desk, &spec);
    let mut killed = apply(&desk, &spec).at("KILL", boundary).start();
    let is_before = ["restart shown", "restart waits"].contains(&boundary);
    if !is_before {
        killed.wait_said(&["Now: restart server 1"]);
        person.restarts(&ensemble);
        ensemble.wait_leader();
        ensemble.start_joiner(2);
        ensemble.start_joiner(3);
    }
    let killed = killed.ends().was_killed();
    let said = one_line(&killed.stderr);
    let noted = said.split("--noted ").nth(1).and_then(|rest| rest.split(' ').next());
    let resumes: Vec<&str> = noted.into_iter().flat_map(|noted| ["--noted", noted]).collect();
    assert_eq!(resumes.is_empty(), boundary == "restart shown", "{said}");
    let mut apply = apply(&desk, &spec).with(&resumes).start();
    if is_before {
        apply.wait_said(&["Now: restart server 1"]);
        person.restarts(&ensemble);
        apply.wait_said(&["Server 1 leads alone"]);
        ensemble.start_joiner(2);
        ensemble.start_joiner(3);
    }
    apply.ends().exits(0);
    is_at(&ensemble, &ALL);
    show(&format!("{boundary}: {}", witness.finish(&ensemble, ALL)));
}
