//! A genuine folder of which an administrator has opened a part, so that everybody could write
//! there, or in which a writer of the configuration has rewritten something.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zkplan::apply::journal::Entry;

use super::person::{Znode, closed, open};
use super::scene::{FALSE_NONCE, Of, Operator, RUN, Scene, Stage};
use super::{BOSS, abandoned, believes_nothing, refused};
use crate::harness::Role;
use crate::ledger::Ledger;
use crate::zkplan::Outcome;

const ALL_APPROVED: [&str; 4] = ["--approve", "cutover", "--approve", "stop"];

pub(super) fn play(stage: &Stage) -> usize {
    let parts: [fn(&Stage); 14] = [
        the_folder,
        the_runs,
        the_identity,
        a_run,
        an_entry,
        an_entry_away,
        a_piece,
        the_lock,
        everything_closed_anew,
        pieces_of_another_plan,
        another_target,
        other_commands,
        another_policy,
        more_accepted,
    ];
    let is_believed =
        |part: &usize| catch_unwind(AssertUnwindSafe(|| parts[*part](stage))).is_err();
    let believed: Vec<usize> = (0..parts.len()).filter(is_believed).collect();
    assert!(believed.is_empty(), "of {} forgeries these: {believed:?}", parts.len());
    parts.len()
}

/// A run of an operator's, which waits at the gate.
fn genuine(stage: &Stage) -> Scene<'_> {
    let scene = Scene::new(stage, Operator::Super, "/zkplan");
    scene.desk.apply_spec(&scene.spec).ends().exits(7).says(["--approve cutover"]);
    assert!(stage.root.read(&scene.paths.record(1, 1)).is_some(), "a run is open");
    scene
}

fn opened(scene: &Scene<'_>, path: &str) {
    scene.stage.root.set_list(path, &open()).expect("super may set any list");
}

/// The next apply refuses, whatever was approved, and sends nothing.
fn next_refuses(scene: &Scene<'_>) {
    let ledger = Ledger::begin(&scene.stage.ensemble);
    refused(scene, scene.desk.apply_spec(&scene.spec).with(&ALL_APPROVED).ends());
    ledger.is_untouched();
    let words = ["history", "spec.yaml"];
    refused(scene, scene.desk.run(words));
    refused(scene, scene.desk.run_as_super(&["unlock", "spec.yaml", FALSE_NONCE]));
}

/// The next apply ends like this, with nothing sent.
fn next_ends(scene: &Scene<'_>, flags: &[&str], code: i32) -> Outcome {
    let ledger = Ledger::begin(&scene.stage.ensemble);
    let outcome = scene.desk.apply_spec(&scene.spec).with(flags).ends().exits(code);
    ledger.membership_is_unchanged();
    believes_nothing(scene, outcome)
}

fn the_folder(stage: &Stage) {
    let scene = genuine(stage);
    opened(&scene, scene.paths.folder());
    scene.lay(&stage.anon, &[scene.lock()], &closed());
    next_refuses(&scene);
}

fn the_runs(stage: &Stage) {
    let scene = genuine(stage);
    opened(&scene, &scene.paths.runs());
    scene.lay(&stage.anon, &scene.run(RUN, Of::Another(&scene.evil), &scene.passed()), &open());
    next_refuses(&scene);
}

fn the_identity(stage: &Stage) {
    let scene = genuine(stage);
    opened(&scene, &scene.paths.identity());
    stage.anon.write(&scene.paths.identity(), &scene.identity().data).expect("it is open");
    next_refuses(&scene);
}

/// The run is not believed, and named: the next apply begins one of its own.
fn a_run(stage: &Stage) {
    let scene = genuine(stage);
    let run = scene.paths.run(1);
    opened(&scene, &run);
    let far = (100..).zip(scene.passed().into_iter().chain([Entry::Closed, abandoned()]));
    for (at, entry) in far {
        let forged = scene.run(1, Of::Operator, &[entry]).pop().expect("an entry");
        let path = scene.paths.record(1, at);
        scene.lay(&stage.anon, &[Znode { path, ..forged }], &closed());
    }
    next_ends(&scene, &[], 7).says(["not believed", &run, "--approve cutover"]);
}

/// Entries that say that the run is over, in the place of one that an operator wrote.
fn an_entry(stage: &Stage) {
    let scene = genuine(stage);
    for (at, entry) in [(1, Entry::Closed), (2, abandoned())] {
        let path = scene.paths.record(1, at);
        opened(&scene, &path);
        let forged = scene.run(1, Of::Operator, &[entry]).pop().expect("an entry");
        stage.anon.write(&path, &forged.data).expect("it is open");
    }
    let outcome = next_ends(&scene, &[], 7);
    outcome.says(["not believed", "run 1 of this plan is open and goes on", "--approve cutover"]);
}

/// An entry that an administrator opened and closed again.
fn an_entry_away(stage: &Stage) {
    let scene = genuine(stage);
    let path = scene.paths.record(1, 1);
    opened(&scene, &path);
    let forged = scene.run(1, Of::Operator, &[Entry::Closed]).pop().expect("an entry");
    stage.anon.write(&path, &forged.data).expect("it is open");
    stage.anon.set_list(&path, &closed()).expect("it is open");
    let outcome = next_ends(&scene, &[], 7);
    outcome.says(["not believed", "run 1 of this plan is open and goes on"]);
}

/// What reads the same is not believed either.
fn a_piece(stage: &Stage) {
    let scene = genuine(stage);
    let path = scene.paths.piece(1, 0);
    opened(&scene, &path);
    let piece = stage.anon.read(&path).expect("everybody reads") + "\n";
    stage.anon.write(&path, &piece).expect("it is open");
    next_ends(&scene, &ALL_APPROVED, 5).says(["damaged or not proven"]);
}

/// The lock of an apply that is at work: who holds it is not told in a stranger's words, and no
/// screen gives away how it is removed.
fn the_lock(stage: &Stage) {
    let scene = Scene::new(stage, Operator::Super, "/zkplan");
    let mut holder = scene.desk.apply_spec(&scene.spec).at("STOP", "send join-4").start();
    holder.wait_frozen();
    opened(&scene, &scene.paths.lock());
    stage.anon.write(&scene.paths.lock(), &scene.lock().data).expect("it is open");
    let ledger = Ledger::begin(&stage.ensemble);
    let second = scene.desk.apply_spec(&scene.spec).with(&["--lock-timeout", "100ms"]).ends();
    let second = second.exits(6).says_nowhere(BOSS).says_nowhere(FALSE_NONCE);
    second.says_nowhere("zkplan unlock").says_nowhere("setAcl");
    let unlocked = scene.desk.run_as_super(&["unlock", "spec.yaml", FALSE_NONCE]);
    refused(&scene, unlocked);
    ledger.is_untouched();
    holder.kill();
}

/// `setAcl -R`, as one does who hardens an ensemble: nobody can tell that from a forger's.
fn everything_closed_anew(stage: &Stage) {
    let scene = genuine(stage);
    stage.root.set_list_of_all(scene.paths.folder(), &closed());
    let outcome = scene.desk.apply_spec(&scene.spec).with(&ALL_APPROVED).ends().exits(3);
    outcome.says(["was set 1 time", "`folder: /zkplan-2`", "deleteall /zkplan)"]);
    let elsewhere = scene.spec.clone().folder("/zkplan-2");
    scene.desk.apply_spec(&elsewhere).ends().exits(7).says(["--approve cutover"]);
    stage.root.delete_all("/zkplan");
    scene.desk.apply_spec(&scene.spec).ends().exits(7).says(["--approve cutover"]);
}

/// Another plan, which wants what the spec wants, under the header of the operator's.
fn pieces_of_another_plan(stage: &Stage) {
    let scene = genuine(stage);
    let other = scene.variant(|spec| spec, &[]);
    assert_ne!(super::scene::id_of(&other), super::scene::id_of(&scene.plan));
    stage.root.write(&scene.paths.piece(1, 0), &other).expect("super may write anywhere");
    next_ends(&scene, &ALL_APPROVED, 5).says(["damaged or not proven"]);
}

/// A run that a writer of the configuration has given another plan, with the header that fits.
fn rewritten<'a>(stage: &'a Stage, plan: impl FnOnce(&Scene<'a>) -> String) -> Scene<'a> {
    let scene = genuine(stage);
    let (plan, path) = (plan(&scene), scene.paths.run(1));
    let piece = scene.paths.piece(1, 0);
    let old = super::scene::id_of(&stage.root.read(&piece).expect("a piece"));
    let header = stage.root.read(&path).expect("a header");
    let header = header.replace(&old, &super::scene::id_of(&plan));
    stage.root.write(&path, &header).expect("super may write anywhere");
    stage.root.write(&piece, &plan).expect("super may write anywhere");
    scene
}

fn another_target(stage: &Stage) {
    let scene = rewritten(stage, |scene| scene.variant(|spec| spec.role(4, Role::Observer), &[]));
    next_ends(&scene, &ALL_APPROVED, 5).says(["differs from this spec in its servers"]);
}

fn other_commands(stage: &Stage) {
    let scene = rewritten(stage, |scene| scene.evil.clone());
    next_ends(&scene, &ALL_APPROVED, 5).says(["differs from this spec in its hooks"]);
}

fn another_policy(stage: &Stage) {
    let scene = rewritten(stage, |scene| {
        let drained = |mut spec: crate::spec::Spec| {
            spec.policy.retain(|(key, _)| *key != "cutover");
            spec.policy("cutover", "drained")
        };
        scene.variant(drained, &[])
    });
    next_ends(&scene, &ALL_APPROVED, 5).says(["differs from this spec in its policy"]);
}

fn more_accepted(stage: &Stage) {
    let scene = rewritten(stage, |scene| scene.variant(|spec| spec, &["--accept", "ZKF5"]));
    next_ends(&scene, &ALL_APPROVED, 5).says(["risks that were accepted (ZKF5)"]);
}
