//! `zkplan preflight`: what it says of servers is true, and it changes nothing.

use std::fs;

use serde_json::Value;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, SUPER_PASSWORD};
use crate::ledger::Ledger;
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome};

/// A preflight of that spec, with the password at hand.
pub(crate) fn preflight(desk: &Desk, spec: &Spec, further: &[&str]) -> Outcome {
    let file = desk.write("preflight.yaml", &spec.text());
    desk.run_as_super(&[&["preflight", &file], further].concat())
}

/// The verdicts of one check, by server in order of ids; of the ensemble where there is one.
pub(crate) fn verdicts(document: &Value, code: &str) -> Vec<String> {
    let checks = document["checks"].as_array().expect("a list");
    let own = checks.iter().filter(|check| check["code"] == code);
    own.map(|check| check["verdict"].as_str().expect("a word").to_owned()).collect()
}

/// Everything that a preflight must leave as it is.
fn state(ensemble: &Ensemble) -> impl PartialEq + std::fmt::Debug {
    let administrator = ensemble.administrator();
    let tree = administrator.tree("/zookeeper");
    (tree, administrator.lists("/"), administrator.config().members)
}

on_both_profiles! {
    a_healthy_ensemble_fails_nothing_and_is_left_as_it_is
    a_member_without_the_super_user_is_named
    a_watch_leads_through_a_rolling_restart
}

fn a_healthy_ensemble_fails_nothing_and_is_left_as_it_is(profile: &Builder) {
    let ensemble = profile.clone().start();
    ensemble.administrator().write_below("/data", 3);
    let (before, ledger) = (state(&ensemble), Ledger::begin(&ensemble));
    let spec = wanting(&ensemble, 1..=3, 1..=3);
    let desk = Desk::new();
    let text = preflight(&desk, &spec, &["--all"]).exits(0);
    crate::show(&text.stdout);
    text.says(["No check failed", "accepts user \"super\""])
        .says_nowhere("Fails")
        .says_nowhere(SUPER_PASSWORD);
    let document = preflight(&desk, &spec, &["--format", "json"]).exits(0).json();
    assert_eq!(document["mayChange"], true);
    assert_eq!(verdicts(&document, "ZKP17"), ["pass"; 3]);
    assert_eq!(verdicts(&document, "ZKP18"), ["pass"]);
    for id in 1..=3 {
        assert!(ensemble.credentials_sent_to(id) > 0, "each member is asked: {id}");
    }
    ledger.is_untouched();
    assert_eq!(state(&ensemble), before);
}

fn a_member_without_the_super_user_is_named(profile: &Builder) {
    let ensemble = profile.clone().without_super_user([2]).start();
    let spec = wanting(&ensemble, 1..=3, 1..=3);
    let desk = Desk::new();
    let document = preflight(&desk, &spec, &["--format", "json"]).exits(3).json();
    assert_eq!(verdicts(&document, "ZKP17"), ["pass", "fail", "pass"]);
    let text = preflight(&desk, &spec, &[]).exits(3);
    crate::show(&text.stdout);
    text.says(["server 2: refused user \"super\"", "zkplan digest", "1 check failed"]);
}

/// The procedure's true start.
#[test]
fn static_files_without_reconfig_and_super_user_fail() {
    let ensemble = Builder::plain().reconfig_enabled(false).without_super_user(1..=3).start();
    let spec = wanting(&ensemble, 1..=3, 1..=3);
    let text = preflight(&Desk::new(), &spec, &[]).exits(3);
    crate::show(&text.stdout);
    let refused = "servers 1, 2 and 3: refused user \"super\"";
    text.says([refused, "reconfigEnabled=false", "the leader last", "zkplan preflight"]);
}

/// Its data have to be proven before it is sent the password; a password is sent to nothing else.
#[test]
fn a_joiner_is_asked_once_its_data_are_proven() {
    let ensemble = Builder::rich().start_with([4]);
    ensemble.reserve(5);
    let spec = wanting(&ensemble, 1..=5, 1..=3);
    let desk = Desk::new();
    let document = preflight(&desk, &spec, &["--format", "json"]).exits(0).json();
    assert_eq!(verdicts(&document, "ZKP17"), ["pass", "pass", "pass", "unknown", "unknown"]);
    assert_eq!(ensemble.credentials_sent_to(4), 0, "its data were not proven");
    // A digest is kept every 128 transactions.
    ensemble.administrator().write_below("/data", 300);
    let text = preflight(&desk, &spec, &[]).exits(0);
    crate::show(&text.stdout);
    let document = preflight(&desk, &spec, &["--format", "json"]).exits(0).json();
    assert_eq!(verdicts(&document, "ZKP17"), ["pass", "pass", "pass", "pass", "unknown"]);
    assert!(ensemble.credentials_sent_to(4) > 0);
}

#[test]
fn one_connection_fails_and_two_are_an_advice() {
    for (limit, code, verdict) in [("1", 3, "blocks"), ("2", 0, "advice")] {
        let ensemble = Builder::rich().setting("maxClientCnxns", limit).start();
        let spec = wanting(&ensemble, 1..=3, 1..=3);
        let outcome = preflight(&Desk::new(), &spec, &["--format", "json"]).exits(code);
        let document = outcome.json();
        assert_eq!(verdicts(&document, "ZKP21"), ["fail"; 3], "{verdict}");
        assert_eq!(verdicts(&document, "ZKP17"), ["pass"; 3], "{verdict}");
    }
}

/// Scheme digest is enforced: what is public is enough to look, and the user is asked as elsewhere.
#[test]
fn enforced_digest_is_seen_and_is_no_obstacle() {
    let ensemble = Builder::rich()
        .setting("enforce.auth.enabled", "true")
        .setting("enforce.auth.schemes", "digest")
        .start();
    let spec = wanting(&ensemble, 1..=3, 1..=3);
    let outcome = preflight(&Desk::new(), &spec, &["--all"]).exits(0);
    outcome.says(["enforces scheme digest", "accepts user \"super\""]);
}

#[test]
fn without_a_password_everything_else_is_checked() {
    let ensemble = Builder::rich().start();
    let spec = wanting(&ensemble, 1..=3, 1..=3);
    let desk = Desk::new();
    let file = desk.write("preflight.yaml", &spec.text());
    let outcome = desk.run(["preflight", &file]).exits(0);
    outcome.says(["not asked: no password was given", "Not known: ", "ZKPLAN_PASSWORD"]);
    assert_eq!((1..=3).map(|id| ensemble.credentials_sent_to(id)).sum::<usize>(), 0);
}

/// What the operator does to one server: the new lines in its file, and a restart.
fn restart_with_new_settings(ensemble: &Ensemble, id: u8) {
    ensemble.stop(id);
    let file = ensemble.file(id, "zoo.cfg");
    let text = fs::read_to_string(&file).expect("its zoo.cfg");
    let text = text.replace("reconfigEnabled=false", "reconfigEnabled=true");
    fs::write(&file, text).expect("its zoo.cfg can be written");
    ensemble.tell_super_user(id);
    ensemble.start_again(id);
}

/// Each server is restarted when the watch says so, and no sooner: it ends when all is set.
fn a_watch_leads_through_a_rolling_restart(profile: &Builder) {
    let ensemble = profile.clone().reconfig_enabled(false).without_super_user(1..=3).start();
    let leader = ensemble.wait_leader();
    let spec = wanting(&ensemble, 1..=3, 1..=3);
    let desk = Desk::new();
    let mut watch = desk.watch(&spec).start();
    let mut order: Vec<u8> = (1..=3).filter(|id| *id != leader).collect();
    order.push(leader);
    let next = |id: u8| {
        let last = if id == leader { ", the leader, last" } else { "" };
        format!("Now: restart server {id}{last}, with the new settings")
    };
    // The first one is restarted with its old file at first.
    watch.wait_printed(&[&next(order[0])]);
    ensemble.stop(order[0]);
    ensemble.start_again(order[0]);
    watch.wait_printed(&["was restarted with the old settings: it still fails credential"]);
    for id in &order {
        watch.wait_printed(&[&next(*id)]);
        restart_with_new_settings(&ensemble, *id);
    }
    let outcome = watch.ends().exits(0);
    crate::show(&outcome.stdout);
    let printed = crate::zkplan::one_line(&outcome.stdout);
    let place =
        |words: &str| printed.find(words).unwrap_or_else(|| panic!("{words} was not printed"));
    for pair in order.windows(2) {
        let restarted = place(&format!("server {} was restarted: ", pair[0]));
        assert!(place(&next(pair[0])) < restarted && restarted < place(&next(pair[1])));
    }
    outcome.says(["Do not go back", "All set", "No check failed"]);
    let enabled = preflight(&desk, &spec, &["--format", "json"]).exits(0).json();
    assert_eq!(verdicts(&enabled, "ZKP17"), ["pass"; 3]);
}

#[test]
fn a_watch_that_is_interrupted_ends_with_7() {
    let ensemble = Builder::rich().without_super_user([1]).start();
    let spec = wanting(&ensemble, 1..=3, 1..=3);
    let desk = Desk::new();
    let mut watch = desk.watch(&spec).start();
    watch.wait_printed(&["Now: restart server 1"]);
    watch.interrupt();
    watch.ends().exits(7).says(["nothing was changed"]);
}
