//! A genuine folder of which an administrator has opened a part, so that everybody could write
//! there, or in which a writer of the configuration has rewritten something.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};

use zkplan::apply::journal::{Entry, LeavingText, write};
use zkplan::check::check;
use zkplan::plan::Acceptance;
use zkplan::saved;
use zookeeper_client::CreateMode;

use super::person::{Znode, closed, open};
use super::scene::{FALSE_ID, FALSE_NONCE, Of, Operator, RUN, Scene, Stage};
use super::{BOSS, abandoned, believes_nothing, refused};
use crate::harness::Role;
use crate::ledger::Ledger;
use crate::zkplan::Outcome;

const ALL_APPROVED: [&str; 4] = ["--approve", "cutover", "--approve", "stop"];

pub(super) fn play(stage: &Stage) -> usize {
    let parts: [fn(&Stage); 16] = [
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
        a_lock_that_stays,
        the_runs_with_a_retired_server,
    ];
    let is_believed =
        |part: &usize| catch_unwind(AssertUnwindSafe(|| parts[*part](stage))).is_err();
    let believed: Vec<usize> = (0..parts.len()).filter(is_believed).collect();
    assert!(believed.is_empty(), "of {} forgeries these: {believed:?}", parts.len());
    parts.len()
}

/// A run of an operator's, which waits at the gate.
fn genuine(stage: &Stage) -> Scene<'_> {
    genuine_of(stage, Operator::Super)
}

fn genuine_of(stage: &Stage, operator: Operator) -> Scene<'_> {
    let scene = Scene::new(stage, operator, "/zkplan");
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
    let apply = scene.desk.apply_spec(&scene.spec).with(&ALL_APPROVED);
    // It is refused before a password is asked for.
    refused(scene, apply.environment("ZKPLAN_PASSWORD", None).ends());
    ledger.is_untouched();
    refused(scene, scene.desk.run(["history", "spec.yaml"]));
    let plan = scene.desk.run(["plan", "spec.yaml", "--out", "looked.json"]).exits(0);
    believes_nothing(scene, plan.says(["ZKF18", "cannot prove that only operators wrote"]));
    assert!(!scene.desk.read("looked.json").contains(FALSE_ID), "the plan has the identity");
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

/// A run that says that it took out a server: where that is said to be, nobody asks.
fn the_runs_with_a_retired_server(stage: &Stage) {
    let scene = genuine_of(stage, Operator::Writer);
    opened(&scene, &scene.paths.runs());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket can be told not to wait");
    let client = listener.local_addr().expect("it is bound").to_string();
    let mut nodes = scene.run(RUN, Of::Operator, &[Entry::Closed]);
    let mut header = scene.header(&scene.plan);
    let line = format!("server.9=127.0.0.1:1:2:participant;{client}");
    header.leaving = [(9, LeavingText { line, client: Some(client), tls: false })].into();
    nodes[0].data = write(&header);
    scene.lay_as_namesake(&nodes);
    next_refuses(&scene);
    let asked = listener.accept().map(|(_, from)| from);
    assert!(asked.is_err_and(|why| why.kind() == ErrorKind::WouldBlock), "it was asked");
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
    next_ends(&scene, &[], 7).says(["not used", &run, "--approve cutover"]);
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
    outcome.says([
        "not used",
        "run 1 of this plan is open and will be resumed",
        "--approve cutover",
    ]);
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
    outcome.says(["not used", "run 1 of this plan is open and will be resumed"]);
}

/// What reads the same is not believed either.
fn a_piece(stage: &Stage) {
    let scene = genuine(stage);
    let path = scene.paths.piece(1, 0);
    opened(&scene, &path);
    let piece = stage.anon.read(&path).expect("everybody reads") + "\n";
    stage.anon.write(&path, &piece).expect("it is open");
    next_ends(&scene, &[], 5).says(["damaged or not proven"]);
}

/// The lock of an apply that is at work: who holds it is not told in a stranger's words, and no
/// screen gives away how it is removed.
fn the_lock(stage: &Stage) {
    let scene = Scene::new(stage, Operator::Super, "/zkplan");
    let mut holder = scene.desk.apply_spec(&scene.spec).at("STOP", "send join-4").start();
    holder.wait_frozen();
    opened(&scene, &scene.paths.lock());
    stage.anon.write(&scene.paths.lock(), &scene.lock().data).expect("it is open");
    names_no_holder(&scene);
    holder.kill();
}

fn names_no_holder(scene: &Scene<'_>) {
    let ledger = Ledger::begin(&scene.stage.ensemble);
    let second = scene.desk.apply_spec(&scene.spec).with(&ALL_APPROVED);
    let second = second.with(&["--lock-timeout", "100ms"]).ends();
    let second = second.exits(6).says_nowhere(BOSS).says_nowhere(FALSE_NONCE);
    second.says_nowhere("zkplan unlock").says_nowhere("setAcl");
    believes_nothing(scene, scene.desk.run(["plan", "spec.yaml"]));
    let unlocked = scene.desk.run_as_super(&["unlock", "spec.yaml", FALSE_NONCE]);
    refused(scene, unlocked);
    ledger.is_untouched();
}

/// A lock that goes with no session, and is no apply's.
fn a_lock_that_stays(stage: &Stage) {
    let scene = genuine(stage);
    scene.lay(&stage.root, &[scene.lock().mode(CreateMode::Persistent)], &closed());
    names_no_holder(&scene);
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

/// Another plan, which wants what the operator wants, under the header of the operator's.
fn pieces_of_another_plan(stage: &Stage) {
    let scene = genuine(stage);
    let other = accepting(&scene);
    stage.root.write(&scene.paths.piece(1, 0), &other).expect("super may write anywhere");
    next_ends(&scene, &["--accept", "ZKF5"], 5).says(["damaged or not proven"]);
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
    next_ends(&scene, &[], 5).says(["does not match this spec: different servers"]);
}

fn other_commands(stage: &Stage) {
    let scene = rewritten(stage, |scene| scene.evil.clone());
    next_ends(&scene, &[], 5).says(["does not match this spec: different hooks"]);
}

fn another_policy(stage: &Stage) {
    let scene = rewritten(stage, |scene| {
        let drained = |mut spec: crate::spec::Spec| {
            spec.policy.retain(|(key, _)| *key != "cutover");
            spec.policy("cutover", "drained")
        };
        scene.variant(drained, &[])
    });
    next_ends(&scene, &[], 5).says(["does not match this spec: different policy"]);
}

fn more_accepted(stage: &Stage) {
    let scene = rewritten(stage, accepting);
    next_ends(&scene, &[], 5).says(["accepted risks (ZKF5)"]);
}

/// The operator's plan with a risk accepted.
fn accepting(scene: &Scene<'_>) -> String {
    let text = scene.variant(|spec| spec, &[]);
    let mut plan = saved::read(&text).expect("zkplan wrote it").plan().clone();
    plan.accepted.push(Acceptance { code: "ZKF5".into(), step: None });
    let facts = plan.facts.clone();
    saved::write(&check(plan, &facts).expect("it is lawful"))
}
