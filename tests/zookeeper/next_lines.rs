//! From every state in which an apply can leave an ensemble, a person types the command that the
//! screen's `Next:` line names, then the one that the next screen names, and comes to the target.
//!
//! A shell takes each line, exactly as it was printed, in the same folder and the same environment.
//! There is no terminal: what a person would be asked has to be in the command. Beside that the
//! person does one thing at most, and only once a screen has named it: what a screen can only ask
//! for in words, such as to start a server.
//!
//! Of the boundaries at which an apply is killed, each kind is taken once, `send join-4` for every
//! `send join-…`: `apply_kills` takes every single one, with the command that it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::apply_locks::wait_until_unlocked;
use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, PATIENCE, Role, wait_until};
use crate::ledger::is_at;
use crate::show;
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome};

/// More commands than this between a state and the target are a circle, or as good as one.
const MOST: usize = 6;

/// A person who types what the screens name.
struct Person<'a> {
    desk: &'a Desk,
    /// The folder below the desk in which they work.
    folder: &'static str,
    /// What a screen asks for in words, and only a person can do.
    chore: Option<Chore<'a>>,
}

/// Something that only a person can do.
struct Chore<'a> {
    /// What the screen that asks for it says.
    asked: String,
    work: Box<dyn FnOnce() + 'a>,
}

impl<'a> Person<'a> {
    fn at(desk: &'a Desk) -> Self {
        Self { desk, folder: ".", chore: None }
    }

    fn in_folder(self, folder: &'static str) -> Self {
        Self { folder, ..self }
    }

    /// Does this once, when a screen says that.
    fn will(self, asked: &str, work: impl FnOnce() + 'a) -> Self {
        let chore = Chore { asked: asked.to_owned(), work: Box::new(work) };
        Self { chore: Some(chore), ..self }
    }

    fn types(&self, line: &str) -> Outcome {
        let outcome = self.desk.line(line).in_folder(self.folder).ends();
        show(&format!("typed: {line} -> exit {:?}", outcome.code()));
        outcome
    }

    /// Types this command, then what each screen names, and comes to the target.
    fn comes_from(mut self, first: &str, to: (&Ensemble, &str, &[u8])) {
        let outcome = self.types(first);
        self.walks(first, outcome);
        self.is_there(to);
    }

    /// The same from the screen of an apply that was typed already.
    fn goes_on_from(mut self, outcome: Outcome, to: (&Ensemble, &str, &[u8])) {
        self.walks("zkplan apply", outcome);
        self.is_there(to);
    }

    /// Nothing is left of a spec: its members are there, and plan says so.
    fn is_there(&self, (ensemble, spec, target): (&Ensemble, &str, &[u8])) {
        is_at(ensemble, target);
        let left = self.types(&format!("zkplan plan {spec} --detailed-exitcode"));
        left.exits(0).says(["No changes."]);
    }

    /// Types what each screen names, until an apply has done everything, or there is nothing to do.
    fn walks(&mut self, first: &str, mut outcome: Outcome) {
        let mut typed = vec![first.to_owned()];
        let mut since_help = BTreeSet::from([first.to_owned()]);
        let is_done = |line: &str, outcome: &Outcome| {
            let is_apply = line.starts_with("zkplan apply");
            outcome.has_exited(0) && (is_apply || outcome.has_said(&["No changes. Ensemble"]))
        };
        while !is_done(&typed[typed.len() - 1], &outcome) {
            assert!(typed.len() < MOST, "{MOST} commands and no end: {typed:#?}\n{outcome}");
            if let Some(chore) = self.chore.take_if(|chore| outcome.has_said(&[&chore.asked])) {
                (chore.work)();
                since_help.clear();
            }
            let next = named(&outcome);
            assert!(
                since_help.insert(next.clone()),
                "a circle: {next} after {typed:#?}\n{outcome}"
            );
            outcome = self.types(&next);
            typed.push(next);
        }
        assert!(self.chore.is_none(), "no screen asked for what was missing: {typed:#?}");
        show(&format!("{} commands: {}", typed.len(), typed.join("; ")));
    }
}

/// The one command that a screen names.
fn named(outcome: &Outcome) -> String {
    let lines = outcome.next_lines();
    let [line] = lines[..] else {
        panic!("{} commands are named: {lines:?}\n{outcome}", lines.len())
    };
    assert!(line.starts_with("zkplan "), "no command: {line}\n{outcome}");
    line.to_owned()
}

/// A spec as the walks have it: no wait but for facts, and ghosts that are soon gone.
fn spec(ensemble: &Ensemble, wanted: impl IntoIterator<Item = u8>, contacts: &[u8]) -> Spec {
    wanting(ensemble, wanted, contacts.iter().copied()).session_timeout("1s")
}

/// Makes folders below a desk.
fn folders(desk: &Desk, names: &[&str]) {
    for name in names {
        fs::create_dir(desk.path(name)).expect("the temporary directory can be written to");
    }
}

/// The boundaries of an apply by kind, which is their name without the number of a server.
fn kinds(outcome: &Outcome) -> BTreeMap<String, String> {
    let outputs = outcome.events.outputs().into_iter();
    let kind = |output: &str| output.chars().filter(|char| !char.is_ascii_digit()).collect();
    outputs.map(|output| (kind(output), output.to_owned())).collect()
}

/// Outputs that an apply may come without: how often it looks, pauses, moves, and needs a marker
/// differs from one time to the next.
const AS_IT_COMES: [&str; 5] = ["look", "mark", "move", "pause", "settle"];

/// An apply is killed at an output, and a person comes to its target from this command.
fn is_killed_at(output: &str, ensemble: &Ensemble, target: [u8; 3], first: &str) {
    let desk = Desk::new();
    let apply = desk.apply_spec(&spec(ensemble, target, &FOUR)).at("KILL", output).ends();
    if AS_IT_COMES.contains(&output) && apply.has_exited(0) {
        show(&format!("{output}: did not come this time"));
    } else {
        apply.was_killed();
    }
    show(&format!("killed at {output}"));
    Person::at(&desk).comes_from(first, (ensemble, "spec.yaml", &target));
}

const FOUR: [u8; 4] = [1, 2, 3, 4];

/// Server 4 comes and 1 leaves, or the other way round.
const THERE: [u8; 3] = [2, 3, 4];
const BACK: [u8; 3] = [1, 2, 3];

/// The same output where 4 comes and 1 leaves as where 1 comes and 4 leaves.
fn on_the_way_there(output: &str) -> String {
    let other = |char: char| match char {
        '1' => '4',
        '4' => '1',
        char => char,
    };
    output.chars().map(other).collect()
}

#[test]
fn killed_at_every_kind_of_boundary() {
    let first_lines = ["zkplan plan spec.yaml", "zkplan apply spec.yaml"];
    let ensemble = Builder::rich().start_with([4]);
    let whole = |target| Desk::new().apply_spec(&spec(&ensemble, target, &FOUR)).ends().exits(0);
    let first = kinds(&whole(THERE));
    let later = kinds(&whole(BACK));
    assert!(later.len() > 12, "far fewer kinds than an apply has: {later:?}");
    for (number, output) in later.values().enumerate() {
        let first_line = first_lines[number / 2 % 2];
        if number % 2 == 0 {
            is_killed_at(&on_the_way_there(output), &ensemble, THERE, first_line);
        } else {
            is_killed_at(output, &ensemble, BACK, first_line);
        }
    }
    // What only the first apply to an ensemble does.
    let once = first.iter().filter(|(kind, _)| !later.contains_key(*kind));
    for ((_, output), first_line) in once.zip(first_lines.into_iter().cycle()) {
        let ensemble = Builder::rich().start_with([4]);
        is_killed_at(output, &ensemble, THERE, first_line);
    }
    show(&format!("killed at {:?}", first.keys().chain(later.keys()).collect::<BTreeSet<_>>()));
}

/// What it is, and how it is done.
type Foreign = (&'static str, fn(&Ensemble));

/// What an administrator does between two steps that add 4 and 5 and remove 1.
const FOREIGN: [Foreign; 3] = [
    ("adds an observer", |ensemble| {
        ensemble.administrator().add(&ensemble.server_line_as(9, Role::Observer));
    }),
    ("removes a server that the plan removes", |ensemble| {
        ensemble.administrator().remove(1);
    }),
    ("changes a role", |ensemble| {
        ensemble.administrator().add(&ensemble.server_line_as(4, Role::Observer));
    }),
];

const FIVE: [u8; 5] = [1, 2, 3, 4, 5];

fn with_five() -> Ensemble {
    let ensemble = Builder::rich().start_with([4, 5]);
    ensemble.reserve(9);
    ensemble
}

fn back_to_three(ensemble: &Ensemble) {
    let apply = Desk::new();
    let apply = apply.apply_spec(&spec(ensemble, 1..=3, &FIVE));
    apply.with(&["--approve", "cutover"]).ends().exits(0);
}

/// The apply lives through the first two, and is dead when the third one comes.
#[test]
fn a_foreign_reconfig_in_the_middle_with_a_spec() {
    let ensemble = with_five();
    let to = (&ensemble, "spec.yaml", &[2, 3, 4, 5][..]);
    for (number, (what, foreign)) in FOREIGN.into_iter().enumerate() {
        show(what);
        let desk = Desk::new();
        let apply = desk.apply_spec(&spec(&ensemble, 2..=5, &FIVE));
        if number < 2 {
            let mut apply = apply.at("STOP", "send join-5").start();
            apply.wait_frozen();
            foreign(&ensemble);
            apply.thaw();
            Person::at(&desk).goes_on_from(apply.ends().exits_with_one_of(&[5, 7]), to);
        } else {
            apply.at("KILL", "send join-5").ends().was_killed();
            foreign(&ensemble);
            Person::at(&desk).comes_from("zkplan plan spec.yaml", to);
        }
        back_to_three(&ensemble);
    }
}

/// The plan lies in another folder than the spec, and the person works in a third one.
#[test]
fn a_foreign_reconfig_in_the_middle_with_a_plan_file() {
    let ensemble = with_five();
    for (number, (what, foreign)) in FOREIGN.into_iter().enumerate() {
        show(what);
        let desk = Desk::new();
        folders(&desk, &["work", "specs", "the plans"]);
        desk.write("specs/spec.yaml", &spec(&ensemble, 2..=5, &FIVE).text());
        desk.run(["plan", "specs/spec.yaml", "--out", "the plans/plan.json"]).exits(0);
        let apply = desk.apply("the plans/plan.json");
        let apply = apply.at(if number == 0 { "STOP" } else { "KILL" }, "send join-5");
        let person = Person::at(&desk).in_folder("work");
        let target = &[2, 3, 4, 5];
        let mut apply = apply.start();
        if number == 0 {
            apply.wait_frozen();
            foreign(&ensemble);
            apply.thaw();
            // It was started one folder up.
            let outcome = apply.ends().exits_with_one_of(&[5, 7]);
            Person::at(&desk).goes_on_from(outcome, (&ensemble, "specs/spec.yaml", target));
        } else {
            apply.ends().was_killed();
            foreign(&ensemble);
            person.comes_from(
                "zkplan apply '../the plans/plan.json'",
                (&ensemble, "../specs/spec.yaml", target),
            );
        }
        back_to_three(&ensemble);
    }
}

#[test]
fn a_server_without_the_credential_and_a_joiner_that_is_down() {
    let ensemble = Builder::rich().without_super_user([1, 4]).start_with([4]);
    ensemble.reserve(5);
    let contacts = [1, 2, 3];
    let desk = Desk::new();
    desk.write("spec.yaml", &spec(&ensemble, 1..=4, &contacts).text());
    let restart = || {
        ensemble.stop(4);
        ensemble.tell_super_user(4);
        ensemble.restore_first_files(4);
        ensemble.start_again(4);
        ensemble.wait_following(4);
    };
    let refused = format!("server 4 ({}) refused user \"super\"", ensemble.client_address(4));
    let first = "zkplan apply spec.yaml --auto-approve --timeout 2s";
    let person = Person::at(&desk).will(&refused, restart);
    person.comes_from(first, (&ensemble, "spec.yaml", &[1, 2, 3, 4]));

    desk.write("more.yaml", &spec(&ensemble, 1..=5, &contacts).text());
    let first = "zkplan apply more.yaml --auto-approve --timeout 2s";
    let address = ensemble.client_address(5).to_string();
    let start = || {
        ensemble.start_joiner(5);
        ensemble.wait_following(5);
    };
    let person = Person::at(&desk).will(&address, start);
    person.comes_from(first, (&ensemble, "more.yaml", &[1, 2, 3, 4, 5]));
}

/// A joiner without the word `hash` comes up in the middle of a run that nobody has accepted that for.
#[test]
fn a_finding_that_comes_up_in_the_middle() {
    let ensemble = Builder::rich().setting_of(4, "4lw.commands.whitelist", "srvr").start();
    ensemble.reserve(4);
    let desk = Desk::new();
    // A command has run, so that the run stays open; a person starts the server all the same.
    let spec = spec(&ensemble, 1..=4, &[1, 2, 3]).hook("start", ["true"]);
    desk.write("spec.yaml", &spec.text());
    let start = || {
        ensemble.start_joiner(4);
        ensemble.wait_following(4);
    };
    let first = "zkplan apply spec.yaml --auto-approve --timeout 2s";
    let person = Person::at(&desk).will(&ensemble.client_address(4).to_string(), start);
    person.comes_from(first, (&ensemble, "spec.yaml", &[1, 2, 3, 4]));
    let marks = ensemble.administrator().znode("/zkplan/runs/1/mark");
    assert!(marks.is_none_or(|mark| mark.is_empty()), "nothing was written to be compared");
}

/// The file names no user, and the environment has the password.
#[test]
fn a_file_that_names_no_user() {
    let ensemble = Builder::rich().start_with([4]);
    let desk = Desk::new();
    let mut nobody = spec(&ensemble, 1..=4, &[1, 2, 3]);
    nobody.connect_with.retain(|line| !line.contains("auth"));
    desk.write("spec.yaml", &nobody.text());
    let person = Person::at(&desk);
    person.comes_from("zkplan plan spec.yaml", (&ensemble, "spec.yaml", &[1, 2, 3, 4]));
}

/// The spec in one folder, the plan in another, the person in a third; the names are those that a
/// shell takes apart.
#[test]
fn a_plan_file_in_another_folder() {
    let ensemble = Builder::rich().start_with([4]);
    let desk = Desk::new();
    folders(&desk, &["work", "specs", "the plans"]);
    desk.write("specs/the team's.yaml", &spec(&ensemble, 1..=4, &FOUR).text());
    let saves = "zkplan plan \"../specs/the team's.yaml\" --out '../the plans/plan.json'";
    let team = "\"../specs/the team's.yaml\"";
    Person::at(&desk).in_folder("work").comes_from(saves, (&ensemble, team, &[1, 2, 3, 4]));

    desk.write("specs/the team's.yaml", &spec(&ensemble, 2..=4, &FOUR).text());
    let person = || Person::at(&desk).in_folder("work");
    person().types(saves).exits(0);
    let apply = desk.apply("../the plans/plan.json").in_folder("work");
    let mut apply = apply.at("STOP", "send leave-1").start();
    apply.wait_frozen();
    apply.interrupt();
    apply.thaw();
    let outcome = apply.ends().exits_with_one_of(&[0, 7]);
    person().goes_on_from(outcome, (&ensemble, team, &[2, 3, 4]));

    // Once more, and killed: the plan is stale to whoever has kept it.
    desk.write("specs/the team's.yaml", &spec(&ensemble, 1..=3, &FOUR).text());
    person().types(saves).exits(0);
    let apply = desk.apply("../the plans/plan.json").in_folder("work");
    apply.at("KILL", "send leave-4").ends().was_killed();
    let again = "zkplan apply '../the plans/plan.json'";
    person().comes_from(again, (&ensemble, team, &[1, 2, 3]));
    desk.write("specs/the team's.yaml", &spec(&ensemble, [1, 3, 4], &FOUR).text());
    person().types(saves).exits(0);
    ensemble.administrator().remove(2);
    ensemble.administrator().add(&ensemble.server_line_as(4, Role::Observer));
    person().comes_from(again, (&ensemble, team, &[1, 3, 4]));
}

/// The owner of the plan file has deleted it, and another one has nothing but the spec; then an
/// administrator deletes what the ensemble keeps of the plan.
#[test]
fn a_run_whose_plan_is_lost() {
    let ensemble = Builder::rich().start_with([4]);
    let begun = |wanted: [u8; 3], output: &str| {
        let owner = Desk::new();
        owner.plan(&spec(&ensemble, wanted, &FOUR), &["--out", "plan.json"]).exits(2);
        owner.apply("plan.json").at("KILL", output).ends().was_killed();
        let desk = Desk::new();
        desk.write("spec.yaml", &spec(&ensemble, wanted, &FOUR).text());
        desk
    };
    let desk = begun([2, 3, 4], "send leave-1");
    let first = "zkplan plan spec.yaml";
    Person::at(&desk).comes_from(first, (&ensemble, "spec.yaml", &[2, 3, 4]));

    for (wanted, output, first) in [
        ([1, 2, 3], "send leave-4", "zkplan apply spec.yaml --auto-approve"),
        ([2, 3, 4], "send leave-1", "zkplan plan spec.yaml"),
        ([1, 2, 3], "send leave-4", "zkplan history spec.yaml"),
    ] {
        let desk = begun(wanted, output);
        let kept = ensemble.administrator().tree("/zkplan/runs");
        let run = kept.keys().rfind(|path| path.contains("/plan-"));
        let run = run.expect("the plan of the last run").clone();
        ensemble.administrator().delete(&run);
        Person::at(&desk).comes_from(first, (&ensemble, "spec.yaml", &wanted));
    }

    // Another spec than that of the run, and no file of the run is left.
    let desk = begun([2, 3, 4], "send leave-1");
    desk.write("spec.yaml", &spec(&ensemble, [1, 2, 4], &FOUR).text());
    Person::at(&desk).comes_from(first, (&ensemble, "spec.yaml", &[1, 2, 4]));
}

/// The run accepts a risk, and the plan that says so is lost.
#[test]
fn a_run_that_accepts_a_risk_and_whose_plan_is_lost() {
    let ensemble = Builder::rich().servers(1).start_with([2]);
    let owner = Desk::new();
    let wanted = spec(&ensemble, 1..=2, &[1, 2]);
    owner.plan(&wanted, &["--accept", "ZKQ2:join-2", "--out", "plan.json"]).exits(2);
    owner.apply("plan.json").at("KILL", "send join-2").ends().was_killed();
    let desk = Desk::new();
    desk.write("spec.yaml", &wanted.text());
    let person = Person::at(&desk);
    person.comes_from("zkplan apply spec.yaml", (&ensemble, "spec.yaml", &[1, 2]));
}

#[test]
fn the_leader_of_the_leaving_side_is_dead() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let leader = ensemble.wait_leader();
    let first = (1..=3).find(|id| *id != leader).expect("three servers");
    let desk = Desk::new();
    let wanted = spec(&ensemble, 4..=6, &[1, 2, 3, 4, 5, 6]);
    desk.plan(&wanted, &["--out", "plan.json"]).exits(2);
    let apply = desk.apply("plan.json").with(&["--approve", "cutover"]);
    apply.at("KILL", &format!("record committed leave-{first}")).ends().was_killed();
    ensemble.kill(leader);
    wait_until("another leader", PATIENCE, || ensemble.leader_id().filter(|id| *id != leader));
    let person = Person::at(&desk);
    person.comes_from("zkplan plan spec.yaml", (&ensemble, "spec.yaml", &[4, 5, 6]));
}

/// No order of what is left is granted while a voter that stays is dead: the run is given up for a
/// plan without it, of the spec that the plan file was made from.
#[test]
fn a_voter_that_stays_is_dead() {
    let ensemble = Builder::rich().start_with([4]);
    let leader = ensemble.wait_leader();
    let stays = if leader == 1 { 2 } else { 1 };
    let desk = Desk::new();
    folders(&desk, &["work", "out"]);
    let mut target = [leader, stays, 4];
    target.sort_unstable();
    desk.write("spec.yaml", &spec(&ensemble, target, &FOUR).text());
    desk.run(["plan", "spec.yaml", "--out", "out/plan.json"]).exits(0);
    let apply = desk.apply("../out/plan.json").in_folder("work").with(&["--timeout", "3s"]);
    let mut apply = apply.at("STOP", "record committed join-4").start();
    apply.wait_frozen();
    ensemble.kill(stays);
    apply.thaw();
    let mut person = Person::at(&desk).in_folder("work");
    person.walks("zkplan apply", apply.ends().exits(3));
    ensemble.start_again(stays);
    ensemble.wait_serving();
    person.is_there((&ensemble, "../spec.yaml", &target));
}

#[test]
fn a_gate_and_the_lock_of_a_dead_apply() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let all = [1, 2, 3, 4, 5, 6];
    let desk = Desk::new();
    let manual = spec(&ensemble, 4..=6, &all).policy("cutover", "manual");
    desk.write("spec.yaml", &manual.text());
    let mut person = Person::at(&desk);
    let closed = person.types("zkplan apply spec.yaml --auto-approve").exits(7);
    person.walks("zkplan apply spec.yaml --auto-approve", closed);
    person.is_there((&ensemble, "spec.yaml", &[4, 5, 6]));

    let locks = |timeout: &str, target: [u8; 3]| {
        let long = spec(&ensemble, target, &all).session_timeout(timeout);
        let apply = desk.apply_spec(&long).with(&["--approve", "cutover"]);
        apply.at("KILL", &format!("send join-{}", target[0])).ends().was_killed();
        assert!(ensemble.administrator().znode("/zkplan/lock").is_some(), "its lock is there");
    };
    locks("3s", [1, 2, 3]);
    Person::at(&desk).comes_from("zkplan plan spec.yaml", (&ensemble, "spec.yaml", &[1, 2, 3]));

    // One that does not wait is told what to wait for.
    locks("6s", [4, 5, 6]);
    let first = "zkplan apply spec.yaml --auto-approve --lock-timeout 100ms";
    let person =
        Person::at(&desk).will("another apply holds the lock", || wait_until_unlocked(&ensemble));
    person.comes_from(first, (&ensemble, "spec.yaml", &[4, 5, 6]));
}
