//! Every forgery that a client without rights can put where zkplan keeps its state, played on real
//! servers with zkplan's own writer: none is believed.
//!
//! `person` is who forges, `scene` what is forged, `rows` the table, `levels` what an administrator
//! has opened or rewritten in a genuine folder, `hosts` what a writer of the configuration may say.
//! `checks.md` lists the checks of zkplan, and what fails here without each.

mod hosts;
mod levels;
mod person;
mod rows;
mod scene;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;

use zkplan::apply::journal::{Entry, write};
use zookeeper_client::{Acl, CreateMode, Error};

use self::person::{Znode, closed, open};
use self::rows::{Row, rows};
use self::scene::{BOSS, FALSE_ID, FALSE_NONCE, Of, Operator, RUN, Scene, Stage};
use crate::applying::wanting;
use crate::harness::{Builder, SUPER_PASSWORD};
use crate::ledger::Ledger;
use crate::show;
use crate::zkplan::Outcome;

/// How an apply ends that believes nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// It refuses, and names both ways out.
    Refused,
    /// It makes the folder its own, joins server 4, and stops at the gate that nobody approved.
    AtTheGate,
    /// Either, for the forger is at work meanwhile.
    Either,
}

/// Servers that let a client set every kind of list.
fn stage() -> Stage {
    const AUTH: &str = "org.apache.zookeeper.server.auth";
    let builder = Builder::rich()
        .setting("extendedTypesEnabled", "true")
        .setting("authProvider.sasl", &format!("{AUTH}.SASLAuthenticationProvider"));
    Stage::new(builder.start_with([4]))
}

#[test]
fn no_forgery_is_believed() {
    let stage = stage();
    let rows = rows();
    let mut believed = Vec::new();
    for row in &rows {
        show(&format!("=== {}", row.name));
        // Each is told, and not the first alone.
        if catch_unwind(AssertUnwindSafe(|| play(&stage, row))).is_err() {
            believed.push(&row.name);
        }
    }
    assert!(believed.is_empty(), "of {} forgeries these: {believed:#?}", rows.len());
    show(&format!("{} forgeries, none believed", rows.len()));
}

#[test]
fn what_an_administrator_has_opened_or_rewritten_is_not_believed() {
    let stage = stage();
    show(&format!("{} forgeries, none believed", levels::play(&stage)));
}

#[test]
fn no_host_of_the_configuration_becomes_a_command() {
    let stage = stage();
    show(&format!("{} hosts, no command", hosts::play(&stage)));
}

/// Of a run that strangers left open, neither commands nor requests are taken (a spec names them,
/// and an older zkplan took those of the run).
#[test]
fn a_run_that_others_left_open_has_none_of_its_commands_run() {
    let stage = stage();
    for operator in [Operator::Super, Operator::Writer] {
        let scene = Scene::new(&stage, operator, "/zkplan");
        let nodes = scene.tale(Of::Another(&scene.evil), &scene.passed());
        match operator {
            Operator::Super => scene.lay_and_close(&nodes, &closed()),
            _ => scene.lay_as_namesake(&nodes),
        }
        let ledger = Ledger::begin(&stage.ensemble);
        let flags = ["--approve", "cutover", "--approve", "stop"];
        let outcome = scene.desk.apply_spec(&scene.spec).with(&flags).ends();
        refused(&scene, outcome);
        ledger.is_untouched();
    }
}

/// A gate that waits for clients to leave is not passed because a run of the same plan, given up by
/// whoever wrote it, says that they were somewhere else. The configuration tells no client ports
/// here: only the header would.
#[test]
fn no_header_tells_where_clients_are() {
    let ensemble = Builder::plain().start_with([4, 5, 6]);
    let leader = ensemble.wait_leader();
    let follower = (1..=3).find(|id| *id != leader).expect("there are two");
    // Clients are on a server that the spec does not name.
    let stage = Stage::with_clients_on(ensemble, follower);
    let contacts = (1..=3).filter(|id| *id != follower);
    let spec = wanting(&stage.ensemble, 4..=6, contacts).policy("cutover", "drained");
    let scene = Scene::of(&stage, spec, "/zkplan");
    scene.desk.write("plan.json", &scene.plan);
    let nodes =
        scene.tale(Of::Operator, &[Entry::Claimed { who: BOSS.into(), backup: None }, abandoned()]);
    let nodes: Vec<Znode> = nodes.into_iter().filter(|it| it.path != scene.paths.lock()).collect();
    scene.lay_and_close(&nodes, &closed());
    let ledger = Ledger::begin(&stage.ensemble);
    refused(&scene, scene.desk.apply("plan.json").ends());
    ledger.is_untouched();
    // The same where nothing is forged: the gate stays shut.
    stage.root.delete_all("/zkplan");
    scene.desk.apply("plan.json").ends().exits(7).says(["--approve cutover"]);
    let members = stage.ensemble.administrator().config().ids();
    // The one whose clients are not known leaves first, as a dead one does; the gate holds the others.
    assert!((1..=3).all(|id| id == follower || members.contains(&id)), "{members:?}");
}

/// What a session without credentials cannot tell from an operator's run is gone when the session
/// looks: its plan is not carried out. It says that a server left whose machine the forger names.
#[test]
fn a_run_that_is_gone_when_the_lock_is_taken_has_no_say() {
    let stage = stage();
    let administrator = stage.ensemble.administrator();
    stage.clean(Operator::Writer);
    administrator.add("server.9=forger.example:2888:3888:observer;2181");
    let scene = Scene::with_members_as_they_are(&stage, Operator::Writer, "/zkplan");
    administrator.remove(9);
    scene.lay_as_namesake(&scene.everything());
    let flags = ["--approve", "cutover", "--approve", "stop", "--timeout", "10s"];
    let mut apply =
        scene.desk.apply_spec(&scene.spec).with(&flags).at("STOP", "permission").start();
    apply.wait_frozen();
    stage.namesakes[0].delete_all("/zkplan");
    apply.thaw();
    let outcome = apply.ends();
    let asked = scene.asked();
    assert!(asked.iter().all(|it| !it.contains("forger")), "{asked:?}\n{outcome}");
    outcome.exits(5).says(["zkplan apply spec.yaml"]);
}

/// Both ways out that the screen names.
#[test]
fn both_ways_out_lead_out() {
    let stage = stage();
    for operator in [Operator::Super, Operator::Writer] {
        let scene = Scene::new(&stage, operator, "/zkplan");
        scene.lay_and_close(&scene.everything(), &closed());
        refused(&scene, scene.desk.apply_spec(&scene.spec).ends());

        // Elsewhere. Nothing of the first folder is touched.
        let elsewhere = scene.spec.clone().folder("/zkplan-2");
        let ledger = Ledger::begin(&stage.ensemble);
        let outcome = scene.desk.apply_spec(&elsewhere).ends().exits(7);
        outcome.says(["--approve cutover"]).says_nowhere(BOSS);
        ledger.has_steps(1);
        assert!(stage.root.read("/zkplan-2/id").is_some_and(|id| !id.contains(FALSE_ID)));
        assert!(stage.root.read("/zkplan/lock").is_some_and(|lock| lock.contains(BOSS)));

        // A copy is kept, an operator with rights deletes it, and all begins anew.
        let scene = Scene::new(&stage, operator, "/zkplan");
        scene.lay_and_close(&scene.everything(), &closed());
        scene.desk.write("spec.yaml", &scene.spec.text());
        let words = ["history", "spec.yaml", "--unproven", "--format", "json"];
        let kept = scene.desk.run(words).exits(0);
        let copy = kept.json();
        assert_eq!(
            (&copy["format"], &copy["folder"]),
            (&"zkplan/unproven".into(), &"/zkplan".into())
        );
        for path in stage.root.below("/zkplan") {
            assert!(kept.stdout.contains(&format!("\"{path}\"")), "{path} is not kept\n{kept}");
        }
        assert!(kept.stdout.contains(BOSS) && kept.stdout.contains(FALSE_ID), "{kept}");
        stage.ensemble.zkcli_session(
            stage.ensemble.wait_leader(),
            &["addauth digest super:zkplan-test", "deleteall /zkplan"],
        );
        let ledger = Ledger::begin(&stage.ensemble);
        let outcome = scene.desk.apply_spec(&scene.spec).ends().exits(7);
        outcome.says(["--approve cutover"]).says_nowhere(BOSS);
        ledger.has_steps(1);
    }
}

fn abandoned() -> Entry {
    Entry::Abandoned { who: format!("{BOSS}@h") }
}

fn play(stage: &Stage, row: &Row) {
    let scene = Scene::new(stage, row.operator, row.folder);
    let ledger = Ledger::begin(&stage.ensemble);
    let file = if row.is_plan {
        scene.desk.write("plan.json", &scene.plan)
    } else {
        scene.desk.write("spec.yaml", &scene.spec.text())
    };
    let mut apply = scene.desk.apply(&file);
    if row.end == End::Refused && row.moment.is_none() && !row.is_masked {
        // It is refused before a password is asked for.
        apply = apply.environment("ZKPLAN_PASSWORD", None);
    }
    let outcome = match row.moment {
        Some("all along") => {
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        (row.forge)(&scene);
                    }
                });
                let outcome = apply.ends();
                stop.store(true, Ordering::Relaxed);
                outcome
            })
        }
        Some("password") => {
            // Whoever reads a pipe waits for whoever writes it.
            let pipe = scene.desk.path("pipe");
            drop(std::fs::remove_file(&pipe));
            let made = std::process::Command::new("mkfifo").arg(&pipe).status();
            assert!(made.is_ok_and(|made| made.success()), "a named pipe can be made");
            let apply = apply.with(&["--password-file", "pipe"]).start();
            let mut pipe = std::fs::File::options().write(true).open(pipe).expect("it is read");
            (row.forge)(&scene);
            pipe.write_all(SUPER_PASSWORD.as_bytes()).expect("it is read");
            drop(pipe);
            apply.ends().says_nowhere("session on")
        }
        Some(moment) => {
            let mut apply = apply.at("STOP", moment).start();
            apply.wait_frozen();
            (row.forge)(&scene);
            apply.thaw();
            apply.ends()
        }
        None => {
            (row.forge)(&scene);
            apply.ends()
        }
    };
    let is_refused = match row.end {
        End::Refused => true,
        End::AtTheGate => false,
        End::Either => outcome.has_exited(3),
    };
    if is_refused {
        refused(&scene, outcome);
        ledger.is_untouched();
    } else {
        at_the_gate(&scene, outcome);
        ledger.has_steps(1);
    }
    if row.end == End::Refused {
        looks(&scene, &file, row.is_masked);
        ledger.is_untouched();
    }
}

/// Panics unless an apply took nothing from the folder and named both ways out.
fn refused(scene: &Scene<'_>, outcome: Outcome) {
    let folder = scene.paths.folder();
    let deleted = format!("deleteall {folder})");
    let ways =
        ["cannot prove that only operators wrote", "`folder: /zkplan-2`", "--unproven", &deleted];
    believes_nothing(scene, outcome.exits(3).says(ways));
}

/// Panics unless an apply joined server 4 and stopped at the gate.
fn at_the_gate(scene: &Scene<'_>, outcome: Outcome) {
    let outcome = outcome.exits(7).says(["--approve cutover"]);
    believes_nothing(scene, outcome);
    let members = scene.stage.ensemble.administrator().config().ids();
    assert_eq!(members, [1, 2, 3, 4]);
    let root = &scene.stage.root;
    let id = root.read(&scene.paths.identity()).expect("the ensemble got an identity");
    assert!(!id.contains(FALSE_ID), "{id}");
    assert!(root.read(&scene.paths.run(1)).is_some(), "the first run has the first number");
}

/// Panics if anything on the screen is a forger's word, or a command was run.
///
/// What servers mask for a session without credentials is said to be so; the session of the apply
/// finds out.
fn believes_nothing(scene: &Scene<'_>, mut outcome: Outcome) -> Outcome {
    let masked = format!("as far as zkplan can see without credentials, run {RUN}");
    outcome.stderr = outcome.stderr.replace(&masked, "");
    assert!(!scene.mark().exists(), "a command was run that the file does not hold\n{outcome}");
    assert_eq!(scene.asked(), Vec::<String>::new(), "a gate was passed\n{outcome}");
    let run = format!("run {RUN}");
    let words = [&run, BOSS, FALSE_ID, FALSE_NONCE, "zkplan unlock", "setAcl", "holds the lock"];
    words.into_iter().fold(outcome, Outcome::says_nowhere)
}

/// The commands that look: of a list that is masked for them they say so.
fn looks(scene: &Scene<'_>, file: &str, is_masked: bool) {
    scene.desk.write("spec.yaml", &scene.spec.text());
    let desk = scene.desk;
    let unlock = || {
        let words = ["unlock", file, FALSE_NONCE];
        // It is refused before a password is asked for, where it can be.
        if is_masked { desk.run_as_super(&words) } else { desk.run(words) }
    };
    let plan = ["plan", "spec.yaml", "--detailed-exitcode", "--out", "looked.json"];
    // They wait for servers most of the time.
    let (unlocked, plan, history) = std::thread::scope(|scope| {
        let (unlocked, plan) = (scope.spawn(unlock), scope.spawn(|| desk.run(plan)));
        let history = desk.run(["history", "spec.yaml"]);
        let ended = |command: ScopedJoinHandle<'_, Outcome>| command.join().expect("it ends");
        (ended(unlocked), ended(plan), history)
    });
    refused(scene, unlocked);
    let plan = plan.exits(2);
    if is_masked {
        plan.says(["as far as zkplan can see without credentials"]);
        history.says(["as far as zkplan can see without credentials"]);
    } else {
        believes_nothing(scene, plan.says(["ZKF18", "cannot prove that only operators wrote"]));
        assert!(!scene.desk.read("looked.json").contains(FALSE_ID), "the plan has the identity");
        refused(scene, history);
    }
}
