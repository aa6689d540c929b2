//! Plans of restarts: settings brought about one server at a time, by commands or by a person.

use std::collections::BTreeSet;
use std::fs;

use crate::apply_hooks::Hook;
use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Witness};
use crate::ledger::Ledger;
use crate::spec::Spec;
use crate::zkplan::Desk;

/// What the operator wants of every server.
const WANTED: &str = "{ reconfigEnabled: true, initLimit: \">=50\" }";

/// Three servers without reconfigs and without the super user.
fn unprepared(profile: &Builder) -> Ensemble {
    profile
        .clone()
        .setting("initLimit", "40")
        .reconfig_enabled(false)
        .without_super_user(1..=3)
        .start()
}

/// The new lines in the file of a server.
fn edit(ensemble: &Ensemble, id: u8) {
    let file = ensemble.file(id, "zoo.cfg");
    let text = fs::read_to_string(&file).expect("its zoo.cfg");
    let text = text.replace("reconfigEnabled=false", "reconfigEnabled=true");
    fs::write(&file, text.replace("initLimit=40", "initLimit=50"))
        .expect("its zoo.cfg can be written");
    ensemble.tell_super_user(id);
}

fn restart(ensemble: &Ensemble, id: u8) {
    ensemble.stop(id);
    ensemble.start_again(id);
}

/// Followers in order of ids, then the leader.
fn order(leader: u8) -> Vec<u8> {
    (1..=3).filter(|id| *id != leader).chain([leader]).collect()
}

fn spec(ensemble: &Ensemble) -> Spec {
    wanting(ensemble, 1..=3, 1..=3).settings(WANTED)
}

on_both_profiles! {
    commands_restart_one_server_at_a_time_and_the_leader_last
    a_person_restarts_what_the_screen_names
    a_leader_that_dies_in_the_middle_is_no_way_back
}

/// The credential is among what the restarts bring. A client at work loses nothing.
fn commands_restart_one_server_at_a_time_and_the_leader_last(profile: &Builder) {
    let ensemble = unprepared(profile);
    let order = order(ensemble.wait_leader());
    let desk = Desk::accepting(&ensemble);
    let hook = Hook::new(&desk);
    let spec = hook.add_to(spec(&ensemble));
    let plan = desk.plan(&spec, &[]).exits(2);
    crate::show(&plan.stdout);
    plan.says(["restart 3 servers, one at a time", "the failure of any other voter stops writes"]);
    let witness = Witness::of(&ensemble, 1..=3);
    (1..=3).for_each(|id| edit(&ensemble, id));
    let apply = desk.apply_spec(&spec).start();
    for (at, id) in order.iter().enumerate() {
        let what = format!("restart {id}");
        hook.wait_asked(&what);
        assert_eq!(hook.asked().len(), at + 1, "one at a time, each once");
        let others = order.iter().filter(|other| *other != id);
        assert!(others.clone().all(|other| ensemble.mode(*other).is_some()), "the others serve");
        restart(&ensemble, *id);
        hook.did(&what);
    }
    let outcome = apply.ends().exits(0);
    crate::show(&outcome.stderr);
    crate::show(&outcome.stdout);
    outcome.says(["3 servers restarted and back in sync"]);
    crate::show(&witness.finish(&ensemble, 1..=3).to_string());
    desk.plan(&spec, &[]).exits(0).says(["No changes"]);
}

/// A saved plan, and no command: the person does what the screen says.
fn a_person_restarts_what_the_screen_names(profile: &Builder) {
    let ensemble = unprepared(profile);
    let leader = ensemble.wait_leader();
    let desk = Desk::accepting(&ensemble);
    desk.plan(&spec(&ensemble), &["--out", "plan.json"]).exits(2);
    let mut apply = desk.apply("plan.json").start();
    for id in order(leader) {
        let leads = if id == leader { " (it leads)" } else { "" };
        apply.wait_said(&[&format!("Now: restart server {id}{leads}")]);
        edit(&ensemble, id);
        restart(&ensemble, id);
    }
    apply.ends().exits(0);
    desk.run(["show", "plan.json"])
        .exits(0)
        .says(["What changes with the restarts", "reconfigEnabled: true"]);
}

/// zkplan is killed while each server is away: nothing is kept but what servers show. With the default
/// words alone a follower would not show it.
#[test]
fn an_apply_that_is_killed_at_each_restart_goes_on_from_what_it_sees() {
    let ensemble = unprepared(&Builder::rich());
    let order = order(ensemble.wait_leader());
    let desk = Desk::accepting(&ensemble);
    let hook = Hook::new(&desk);
    let spec = hook.add_to(spec(&ensemble));
    let witness = Witness::of(&ensemble, 1..=3);
    (1..=3).for_each(|id| edit(&ensemble, id));
    for id in &order {
        let apply = desk.apply_spec(&spec).start();
        let what = format!("restart {id}");
        hook.wait_asked(&what);
        ensemble.stop(*id);
        apply.kill();
        ensemble.start_again(*id);
        hook.did(&what);
        ensemble.wait_serving();
    }
    let outcome = desk.apply_spec(&spec).start().ends().exits(0);
    outcome.says(["Nothing to do"]);
    assert_eq!(hook.asked().len(), 3, "each was restarted once: {:?}", hook.asked());
    witness.finish(&ensemble, 1..=3);
}

/// The first follower has the new file when the leader dies. It comes back with its own, which was
/// edited before: that was its restart, and the roll is finished forward.
fn a_leader_that_dies_in_the_middle_is_no_way_back(profile: &Builder) {
    let ensemble = unprepared(profile);
    let leader = ensemble.wait_leader();
    let order = order(leader);
    let desk = Desk::accepting(&ensemble);
    let hook = Hook::new(&desk);
    let spec = hook.add_to(spec(&ensemble));
    let witness = Witness::of(&ensemble, 1..=3);
    (1..=3).for_each(|id| edit(&ensemble, id));
    let apply = desk.apply_spec(&spec).start();
    let [first, second] = [order[0], order[1]].map(|id| format!("restart {id}"));
    hook.wait_asked(&first);
    restart(&ensemble, order[0]);
    hook.did(&first);
    hook.wait_asked(&second);
    ensemble.kill(leader);
    ensemble.start_again(leader);
    ensemble.wait_serving();
    restart(&ensemble, order[1]);
    hook.did(&second);
    // The leader of then may be asked for once more: whether it is back was not seen in between.
    hook.did(&format!("restart {leader}"));
    let outcome = apply.ends();
    if !outcome.has_exited(0) {
        crate::show(&outcome.stderr);
    }
    outcome.exits(0);
    witness.finish(&ensemble, 1..=3);
    desk.plan(&spec, &[]).exits(0).says(["No changes"]);
}

/// For certificates and the like: nothing differs, and each is restarted all the same.
#[test]
fn members_are_restarted_because_it_is_asked_for() {
    let ensemble = Builder::rich().start();
    let leader = ensemble.wait_leader();
    let desk = Desk::new();
    let hook = Hook::new(&desk);
    let spec = hook.add_to(wanting(&ensemble, 1..=3, 1..=3));
    let ledger = Ledger::begin(&ensemble);
    desk.plan(&spec, &["--restart", "9"]).exits(64).says(["no member 9"]);
    desk.plan(&spec, &["--restart", "all", "--out", "plan.json"]).exits(2);
    let before: BTreeSet<u32> = (1..=3).map(|id| ensemble.process_id(id)).collect();
    let apply = desk.apply("plan.json").start();
    for id in order(leader) {
        let what = format!("restart {id}");
        hook.wait_asked(&what);
        restart(&ensemble, id);
        hook.did(&what);
    }
    apply.ends().exits(0);
    let after: BTreeSet<u32> = (1..=3).map(|id| ensemble.process_id(id)).collect();
    assert!(before.is_disjoint(&after), "each has another process");
    ledger.membership_is_unchanged();
}

/// The file was not edited, or another one is read: the next server is not touched.
#[test]
fn a_server_that_comes_back_with_the_old_file_ends_it() {
    let ensemble = Builder::rich().setting("initLimit", "40").start();
    let order = order(ensemble.wait_leader());
    let desk = Desk::new();
    let hook = Hook::new(&desk);
    let spec = hook.add_to(spec(&ensemble));
    let apply = desk.apply_spec(&spec).start();
    let what = format!("restart {}", order[0]);
    hook.wait_asked(&what);
    restart(&ensemble, order[0]);
    hook.did(&what);
    let outcome = apply.ends().exits(3);
    crate::show(&outcome.stderr);
    outcome.says([&format!("server {} came back with the old settings: initLimit", order[0])]);
    assert_eq!(hook.asked(), [what], "no other server was restarted");
}

/// With one of three down, every other restart would stop writes.
#[test]
fn no_restart_takes_the_quorum() {
    let ensemble = Builder::rich().setting("initLimit", "40").start();
    let order = order(ensemble.wait_leader());
    let desk = Desk::new();
    ensemble.stop(order[1]);
    let refused = desk.refused(&spec(&ensemble), 3, &[]);
    crate::show(&refused["text"].to_string());
    let codes: Vec<&str> = refused["breaches"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|breach| breach["code"].as_str().expect("a code"))
        .collect();
    assert!(codes.contains(&"ZKQ15"), "{codes:?}");
}

/// One server alone was given reconfigEnabled by hand, came to lead, and was reconfigured: the others keep
/// the configuration of their files at version 0, and acknowledge all the same.
#[test]
fn members_that_follow_with_the_configuration_of_their_files_are_restarted() {
    let builder = Builder::rich().reconfig_enabled(false);
    let ensemble = builder.setting_of(3, "reconfigEnabled", "true").start();
    let first = ensemble.wait_leader();
    if first != 3 {
        ensemble.stop(first);
        assert_eq!(ensemble.wait_leader(), 3, "the one with the highest id, at an equal zxid");
        ensemble.start_again(first);
        ensemble.wait_serving();
    }
    ensemble.administrator().change_nothing();
    let desk = Desk::new();
    let hook = Hook::new(&desk);
    let spec = wanting(&ensemble, 1..=3, 1..=3).settings("{ reconfigEnabled: true }");
    let spec = hook.add_to(spec);
    let plan = desk.plan(&spec, &[]);
    crate::show(&plan.stdout);
    crate::show(&plan.stderr);
    plan.exits(2).says(["restart 2 servers, one at a time"]);
    let witness = Witness::of(&ensemble, 1..=3);
    let mut apply = desk.apply_spec(&spec).start();
    for id in [1, 2] {
        let what = format!("restart {id}");
        apply.wait_said(&[&format!("restart-{id} runs")]);
        hook.wait_asked(&what);
        let file = ensemble.file(id, "zoo.cfg");
        let text = fs::read_to_string(&file).expect("its zoo.cfg");
        let text = text.replace("reconfigEnabled=false", "reconfigEnabled=true");
        fs::write(&file, text).expect("its zoo.cfg can be written");
        restart(&ensemble, id);
        hook.did(&what);
    }
    let outcome = apply.ends();
    crate::show(&outcome.stderr);
    outcome.exits(0).says(["2 servers restarted and back in sync"]);
    witness.finish(&ensemble, 1..=3);
    desk.plan(&spec, &[]).exits(0).says(["No changes"]);
}
