//! `plan --probe`: the leader itself says whether it would take the next reconfig, and nothing
//! changes.

use std::fmt::Write as _;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, PATIENCE, wait_until};
use crate::ledger::Ledger;
use crate::zkplan::Desk;

on_both_profiles! { the_next_reconfig_is_rehearsed_and_nothing_changes permissions_are_not_asked_for }

/// What the configuration's znode is: its text and version, and who may do what to it.
fn znode(ensemble: &Ensemble) -> String {
    let cli = |words: &[&str]| {
        let output = ensemble.zkcli(ensemble.wait_leader(), words);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mut all = String::new();
    for words in [&["get", "-s", "/zookeeper/config"][..], &["getAcl", "/zookeeper/config"]] {
        // What the client says of its own connection differs from call to call.
        let is_told = |line: &&str| line.contains(['=', ':']) && !line.contains("WATCHER");
        for line in cli(words).lines().filter(is_told).filter(|line| !line.contains("Connecting")) {
            writeln!(all, "{line}").expect("a String takes all text");
        }
    }
    assert!(all.contains("mZxid") && all.contains("server.1="), "{all}");
    all
}

fn the_next_reconfig_is_rehearsed_and_nothing_changes(builder: &Builder) {
    let ensemble = builder.clone().start();
    ensemble.reserve(4);
    let (desk, ledger, before) =
        (Desk::accepting(&ensemble), Ledger::begin(&ensemble), znode(&ensemble));
    let joined = wanting(&ensemble, [1, 2, 3, 4], [1, 2, 3]);

    // Nobody waits for a joiner that is not there, and nothing is asked of the leader then.
    desk.plan(&joined, &["--probe"])
        .exits(2)
        .says(["nothing was sent", "first waits for server 4"]);
    desk.plan(&wanting(&ensemble, [1, 2, 3], [1, 2, 3]), &["--probe"])
        .exits(0)
        .says(["No changes", "the plan has no reconfig"]);

    ensemble.start_joiner(4);
    ensemble.wait_following(4);
    let sound = [
        "would accept join-4",
        "every check except the last one, permission",
        "Nothing was changed",
    ];
    // Behind the plan, which is shown as ever.
    desk.plan(&joined, &["--probe"]).exits(2).says(sound).says(["Plan: 1 join in 1 reconfig"]);

    // A plan for a program stays a plan: what was probed is told beside.
    let outcome = desk.plan(&joined, &["--probe", "--format", "json"]).exits(2);
    assert_eq!(outcome.json()["format"], "zkplan/plan");
    assert!(outcome.stderr.contains("would accept join-4"), "{outcome}");

    let leader = ensemble.wait_leader();
    let stay: Vec<u8> = (1..=3).filter(|id| *id != leader).collect();
    desk.plan(&wanting(&ensemble, stay, [1, 2, 3]), &["--probe"])
        .exits(2)
        .says([format!("would accept leave-{leader}")]);

    ledger.is_untouched();
    assert_eq!(znode(&ensemble), before);
}

/// With `skipACL=yes` the rehearsal would be the change itself.
fn permissions_are_not_asked_for(builder: &Builder) {
    let ensemble = builder.clone().setting("skipACL", "yes").start_with([4]);
    let (desk, ledger, before) =
        (Desk::accepting(&ensemble), Ledger::begin(&ensemble), znode(&ensemble));
    let joined = wanting(&ensemble, [1, 2, 3, 4], [1, 2, 3]);

    let open = ["join-4 was not sent", "skipACL=yes", "would carry it out"];
    desk.plan(&joined, &["--probe"]).exits(2).says(open).says_nowhere("would accept");
    ledger.is_untouched();
    assert_eq!(znode(&ensemble), before);

    // It would have been: the very same request of a session that proves nobody.
    let line = ensemble.server_line(4);
    let port = ensemble.client_address(4).port();
    let line = if line.contains(';') { line } else { format!("{line};{port}") };
    ensemble.zkcli(ensemble.wait_leader(), &["reconfig", "-add", &line]);
    assert_eq!(ensemble.administrator().config().ids(), [1, 2, 3, 4]);
}

/// An ACL that lets anybody write does the same, without `skipACL`.
#[test]
fn anybody_may_write_the_configuration() {
    let ensemble = Builder::rich().start_with([4]);
    let open = ["addauth digest super:zkplan-test", "setAcl /zookeeper/config world:anyone:rw"];
    ensemble.zkcli_session(ensemble.wait_leader(), &open);
    let (desk, ledger) = (Desk::new(), Ledger::begin(&ensemble));
    let joined = wanting(&ensemble, [1, 2, 3, 4], [1, 2, 3]);
    desk.plan(&joined, &["--probe"]).exits(2).says(["join-4 was not sent"]);
    ledger.is_untouched();
}

/// Between the look and the probe the joiner stops, or somebody else is faster.
#[test]
fn the_leader_would_refuse() {
    let ensemble = Builder::rich().servers(1).start_with([2]);
    let ledger = Ledger::begin(&ensemble);
    let joined = wanting(&ensemble, [1, 2], [1]);
    let accept = ["--accept", "ZKQ2:join-2"];

    let desk = Desk::new();
    let mut plan = desk.probe(&joined).with(&accept).at("STOP", "probe").start();
    plan.wait_frozen();
    ensemble.kill(2);
    wait_until("the leader to miss server 2", PATIENCE, || {
        let said = ensemble.ask(1, "mntr").ok()?;
        let none = |line: &str| line.split_whitespace().eq(["zk_learners", "0"]);
        said.lines().any(none).then_some(())
    });
    plan.thaw();
    plan.ends().exits(3).says(["would refuse join-2", "NewConfigNoQuorum", "Nothing was changed"]);
    ledger.is_untouched();

    // Its own configuration has forgotten it: it only ever followed.
    ensemble.restore_first_files(2);
    ensemble.start_again(2);
    ensemble.wait_following(2);
    let mut plan = desk.probe(&joined).with(&accept).at("STOP", "probe").start();
    plan.wait_frozen();
    ensemble.administrator().remove(99);
    let ledger = Ledger::begin(&ensemble);
    plan.thaw();
    plan.ends().exits(5).says(["would refuse join-2", "BadVersion", "plan again"]);
    ledger.is_untouched();
}
