//! Where nothing may be sent: no rights, another ensemble than the plan's, or two of them.

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Mode, PATIENCE, Role, SUPER_PASSWORD, wait_until};
use crate::hostile::HOST;
use crate::ledger::{Ledger, is_at};
use crate::spec::Spec;
use crate::zkplan::Desk;

/// A password that must be nowhere.
const CANARY: &str = "canary-7f3a";

#[test]
fn without_the_right_nothing_of_ours_is_created() {
    let ensemble = Builder::rich().start_with([4]);
    let ledger = Ledger::begin(&ensemble);
    let spec = wanting(&ensemble, 1..=4, 1..=4);

    let outcome = Desk::new().apply_spec(&spec).password(CANARY).ends().exits(10);
    outcome.says(["super"]).says_nowhere(CANARY);
    // Nor without anybody's name.
    let mut nobody = spec.clone();
    nobody.connect_with.retain(|line| !line.contains("auth"));
    Desk::new().apply_spec(&nobody).ends().exits(10);
    assert_eq!(ensemble.administrator().znode("/zkplan"), None);
    ledger.is_untouched();
}

#[test]
fn where_reconfig_is_disabled_nothing_of_ours_is_created() {
    let ensemble = Builder::rich().reconfig_enabled(false).start();
    ensemble.reserve(4);
    let spec = wanting(&ensemble, 1..=4, 1..=3).role(4, Role::Observer);
    Desk::new().apply_spec(&spec).ends().exits(10).says(["reconfigEnabled=true"]);
    assert_eq!(ensemble.administrator().znode("/zkplan"), None);
}

/// What `DigestAuthenticationProvider` makes of `admin:` and the password of these ensembles.
pub(crate) const ADMIN: &str = "admin:eh+qNxdfTU/Bcm+XJeMBtUGwQx8=";

/// An operator who is not super, by a line in the ACL of the configuration, which goes away midway.
#[test]
fn rights_taken_away_midway_stop_it_in_a_safe_place() {
    let ensemble = Builder::rich().start_with([4, 5]);
    let administrator = ensemble.administrator();
    administrator.let_reconfigure(Some(ADMIN));
    let spec = wanting(&ensemble, 1..=5, 1..=5).auth("admin");
    let ledger = Ledger::begin(&ensemble);
    let desk = Desk::new();

    let mut apply = desk.apply_spec(&spec).at("STOP", "send join-5").start();
    apply.wait_frozen();
    administrator.let_reconfigure(None);
    apply.thaw();
    apply.ends().exits(10).says(["NoAuth", "connect.auth"]);
    ledger.has_steps(1);
    is_at(&ensemble, &[1, 2, 3, 4]);

    administrator.let_reconfigure(Some(ADMIN));
    desk.apply_spec(&spec).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4, 5]);
    ledger.has_steps(2);
}

/// Makes a plan that adds an observer, kept in `plan.json`.
fn save_a_plan(ensemble: &Ensemble, desk: &Desk) -> Spec {
    let spec = wanting(ensemble, 1..=4, 1..=4).role(4, Role::Observer);
    desk.plan(&spec, &["--out", "plan.json"]).exits(2);
    spec
}

#[test]
fn a_stale_plan_is_not_applied() {
    let ensemble = Builder::rich().start_with([4]);
    let administrator = ensemble.administrator();
    let desk = Desk::new();
    save_a_plan(&ensemble, &desk);

    let removed = (1..=3).find(|id| *id != ensemble.wait_leader()).expect("there are two");
    administrator.remove(removed);
    let ledger = Ledger::begin(&ensemble);
    let gone = format!("-server.{removed}=");
    desk.apply("plan.json").ends().exits(5).says(["stale", &gone]);
    ledger.is_untouched();
    assert_eq!(administrator.znode("/zkplan"), None);

    // Changed and changed back: somebody was here, and it is up to the user what that means.
    administrator.add(&ensemble.server_line(removed));
    let ledger = Ledger::begin(&ensemble);
    desk.apply("plan.json").with(&["--strict-version"]).ends().exits(5).says(["version"]);
    ledger.is_untouched();
    desk.apply("plan.json").ends().exits(0).says(["version"]);
    ledger.has_steps(1);
    // Once more: what it would do is done.
    let ledger = Ledger::begin(&ensemble);
    desk.apply("plan.json").ends().exits(0);
    ledger.is_untouched();
}

/// The machines are the same, the addresses are, even the config version is; the data are not.
#[test]
fn a_rebuilt_ensemble_is_another_one() {
    let ensemble = Builder::rich().start_with([4]);
    let desk = Desk::new();
    // Before there is an identity, only the zxid tells.
    ensemble.administrator().write_below("/before", 50);
    save_a_plan(&ensemble, &desk);
    let version = ensemble.administrator().config().version;
    rebuild(&ensemble);
    assert_eq!(ensemble.administrator().config().version, version);
    let ledger = Ledger::begin(&ensemble);
    desk.apply("plan.json").ends().exits(5).says(["zxid"]);
    ledger.is_untouched();
    assert_eq!(ensemble.administrator().znode("/zkplan"), None);

    // With an identity: the plan's is not the one that is found.
    let spec = save_a_plan(&ensemble, &desk);
    desk.apply("plan.json").ends().exits(0);
    Desk::new().apply_spec(&wanting(&ensemble, 1..=3, 1..=4)).ends().exits(0);
    save_a_plan(&ensemble, &desk);
    rebuild(&ensemble);
    let ledger = Ledger::begin(&ensemble);
    desk.apply("plan.json").ends().exits(5);
    ledger.is_untouched();
    // And one that has got an identity of its own meanwhile.
    Desk::new().apply_spec(&spec).ends().exits(0);
    Desk::new().apply_spec(&wanting(&ensemble, 1..=3, 1..=4)).ends().exits(0);
    ensemble.administrator().write_below("/before", 200);
    let ledger = Ledger::begin(&ensemble);
    desk.apply("plan.json").ends().exits(5).says(["identity"]);
    ledger.is_untouched();
}

/// All data are gone, all files are as they were at first.
fn rebuild(ensemble: &Ensemble) {
    for id in 1..=4 {
        ensemble.stop(id);
        ensemble.wipe(id);
        ensemble.restore_first_files(id);
    }
    (1..=3).for_each(|id| ensemble.start_again(id));
    ensemble.wait_serving();
    ensemble.start_again(4);
    ensemble.wait_following(4);
}

/// Configuration management puts the first files back, and the three that were left behind elect a
/// leader of their own.
#[test]
fn an_old_trio_that_was_started_again_is_a_second_history() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let spec = wanting(&ensemble, 4..=6, 1..=6);
    Desk::new().apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
    for id in 1..=3 {
        ensemble.stop(id);
        ensemble.restore_first_files(id);
    }
    (1..=3).for_each(|id| ensemble.start_again(id));
    ensemble.wait_serving();
    let histories = wait_until("two leaders", PATIENCE, || {
        let leads = |id: &u8| ensemble.mode(*id) == Some(Mode::Leader);
        let leaders: Vec<u8> = (1..=6).filter(leads).collect();
        (leaders.len() == 2).then_some(leaders)
    });

    let logged = ensemble.reconfigs().len();
    let shown: Vec<String> = histories.iter().map(|id| format!("server {id} at")).collect();
    let desk = Desk::new();
    desk.plan(&spec, &[]).exits(3).says(["two different ensembles"]).says(&shown);
    let back = wanting(&ensemble, 1..=3, 1..=6);
    for spec in [&spec, &back] {
        desk.apply_spec(spec).ends().exits(3).says(["two different ensembles"]).says(&shown);
    }
    assert_eq!(ensemble.reconfigs().len(), logged, "nothing is sent to either");
}

/// A name that would take over a terminal, in an ensemble that is changed, and in the journal of
/// that.
#[test]
fn hostile_names_are_escaped_wherever_they_are_told() {
    let ensemble = Builder::rich().start();
    let line = format!("server.9={HOST}:2888:3888:observer;2181");
    ensemble.administrator().add(&line);
    let desk = Desk::new();
    let spec = wanting(&ensemble, 1..=3, 1..=3);
    // Every output here is held to printable ASCII.
    desk.apply_spec(&spec).ends().exits(0).says(["evil"]);
    is_at(&ensemble, &[1, 2, 3]);
    let run = desk.run_as_super(&["history", "spec.yaml"]).exits(0).last_run();
    desk.run_as_super(&["history", "spec.yaml", &run]).exits(0).says(["evil"]);
    // No secret lies in the ensemble, in whatever form.
    let left = ensemble.administrator().tree("/zkplan");
    assert!(left.contains_key("/zkplan/id"), "{left:#?}");
    for (path, text) in left {
        let secret = [SUPER_PASSWORD, CANARY].iter().any(|word| text.contains(word));
        assert!(!secret, "a password is in {path}: {text}");
    }
}
