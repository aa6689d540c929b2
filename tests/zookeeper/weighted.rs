//! Quorums by groups and weights: every change is a whole list, and nothing is lost on the way.

use std::collections::BTreeSet;

use zkplan::model::{EnsembleConfig, Membership, ServerId, VoteWeight};

use crate::applying::{Apply, wanting};
use crate::harness::{Builder, Ensemble, Role, Witness};
use crate::ledger::Ledger;
use crate::show;
use crate::spec::Spec;
use crate::zkplan::{Desk, Plan};

/// Three voters in one group, one in each of two others, and an observer.
const PLACES: [&str; 4] = ["group.1=1:2:3", "group.2=4", "group.3=5", "weight.1=1"];
const ALL: [u8; 7] = [1, 2, 3, 4, 5, 6, 7];

fn weighted() -> Ensemble {
    let ensemble = Builder::rich().servers(5).observers([7]).places(PLACES).start();
    ensemble.reserve(6);
    ensemble
}

/// Somebody comes into a group, by the lines on the screen; another gets a vote; the leader goes.
#[test]
fn groups_change_as_planned() {
    let ensemble = weighted();
    let witness = Witness::of(&ensemble, ALL);
    as_it_is_imported(&ensemble);
    without_a_group_nobody_comes_in(&ensemble);
    one_joins(&ensemble);
    an_observer_is_promoted(&ensemble);
    the_leader_is_replaced(&ensemble);
    let figures = witness.finish(&ensemble, ALL);
    show(&figures.to_string());
    assert!(figures.acknowledged > 0 && figures.lost == 0);
}

fn as_it_is_imported(ensemble: &Ensemble) {
    let desk = Desk::new();
    let contacts = ensemble.connect_string();
    let spec = desk.run(["import", "--connect", &contacts]).exits(0);
    assert!(spec.stdout.contains("group: 3"), "{spec}");
    let file = desk.write("imported.yaml", &spec.stdout);
    let same = desk.run(["plan", &file, "--detailed-exitcode"]).exits(0);
    same.says(["No changes", "quorum by groups"]);
}

fn without_a_group_nobody_comes_in(ensemble: &Ensemble) {
    let spec = wanting(ensemble, ALL, 1..=5);
    let refusal = Desk::new().refused(&spec, 3, &[]);
    assert_eq!(refusal["breaches"][0]["code"], "ZKU1", "{refusal:#}");
    Desk::new().plan(&spec, &[]).exits(3).says(["Server 6 has no group"]);
}

fn one_joins(ensemble: &Ensemble) {
    let desk = Desk::new();
    let spec = wanting(ensemble, ALL, 1..=5).place(6, 3, 1);
    desk.plan(&spec, &[]).exits(2).says(["add server 6, group 3, weight 1"]);
    let lines = start_lines(&desk);
    assert!(lines.contains(&"group.3=5".to_owned()), "{lines:?}");
    ensemble.start_with_members(6, &lines);
    ensemble.wait_following(6);
    let ledger = Ledger::begin(ensemble);
    let sound = [
        "would accept join-6",
        "every check except the last one, permission",
        "Nothing was changed",
    ];
    desk.plan(&spec, &["--probe"]).exits(2).says(sound);
    ledger.is_untouched();
    let plan = desk.planned(&spec, &[]);
    assert_eq!((plan.reconfigs(), plan.worst_spare()), (vec!["join-6"], 1));
    applies(ensemble, &plan, desk.apply_spec(&spec));
    assert_eq!(places(ensemble), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 3), (6, 3)]);
}

fn an_observer_is_promoted(ensemble: &Ensemble) {
    let spec = wanting(ensemble, ALL, 1..=5).role(7, Role::Participant).place(7, 2, 1);
    let plan = Desk::new().planned(&spec, &[]);
    // Where it stands, it would cost its group the quorum until it acknowledges.
    assert_eq!((plan.reconfigs(), plan.worst_spare()), (vec!["unlist-7", "promote-7"], 1));
    applies(ensemble, &plan, Desk::new().apply_spec(&spec));
    assert_eq!(places(ensemble), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 3), (6, 3), (7, 2)]);
}

/// One that leads goes last, killed right after its request; the next one comes to the end.
fn the_leader_is_replaced(ensemble: &Ensemble) {
    let leader = ensemble.wait_leader();
    let other = if leader == 1 { 2 } else { 1 };
    let wanted: Vec<u8> = ALL.into_iter().filter(|id| ![leader, other].contains(id)).collect();
    let spec = wanting(ensemble, wanted, ALL).role(7, Role::Participant).session_timeout("1s");
    let plan = Desk::new().planned(&spec, &[]);
    let [first, last] = [other, leader].map(|id| format!("leave-{id}"));
    assert_eq!(plan.reconfigs(), [&first, &last]);
    let ledger = Ledger::begin(ensemble);
    let boundary = format!("record committed {first}");
    let killed = Desk::new().apply_spec(&spec).at("KILL", &boundary).ends().was_killed();
    let outcome = Desk::new().apply_spec(&spec).ends().exits(0);
    ledger.has_steps(2);
    assert_eq!(ledger.hand_overs(), 1, "{outcome}");
    // Of the two that began, each sent the whole list as it was.
    assert!(ledger.fences() > 0, "{killed}\n{outcome}");
    is_never_worse(ensemble, &ledger, plan.worst_spare());
    assert!(places(ensemble).iter().all(|(id, _)| ![leader, other].contains(id)));
}

/// The members in the first configuration of server 6, as zkplan writes it.
fn start_lines(desk: &Desk) -> Vec<String> {
    desk.run(["joiner", "spec.yaml", "--all", "-o", "joiners"]).exits(0);
    desk.read("joiners/6/zoo.cfg.dynamic").lines().map(str::to_owned).collect()
}

/// Applies what was shown: the same reconfigs in the same order, and no moment worse.
fn applies(ensemble: &Ensemble, plan: &Plan, apply: Apply<'_>) {
    let ledger = Ledger::begin(ensemble);
    let outcome = apply.ends().exits(0);
    let committed = outcome.events.committed();
    let steps: Vec<&str> = committed.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, plan.reconfigs(), "{outcome}");
    ledger.has_steps(steps.len());
    assert_eq!(ledger.fences(), 1, "{outcome}");
    is_never_worse(ensemble, &ledger, plan.worst_spare());
}

/// By ZooKeeper's own rule, over every way in which servers may fail.
fn is_never_worse(ensemble: &Ensemble, ledger: &Ledger<'_>, shown: i64) {
    let spares = ledger.steps().into_iter().map(|step| {
        let config = EnsembleConfig::parse(&step.text).expect("a configuration");
        spare(&config.membership, ensemble)
    });
    let spares: Vec<i64> = spares.collect();
    show(&format!("worst spare shown {shown}, in the logs {spares:?}"));
    assert!(spares.iter().all(|spare| *spare >= shown));
}

fn spare(members: &Membership, ensemble: &Ensemble) -> i64 {
    let is_up = |id: &ServerId| ensemble.mode(u8::try_from(id.get()).expect("an id")).is_some();
    let up: Vec<ServerId> = members.voters().into_iter().filter(is_up).collect();
    let left = |failed: u32| -> BTreeSet<ServerId> {
        let stays = |(at, _): &(usize, &ServerId)| failed >> at & 1 == 0;
        up.iter().enumerate().filter(stays).map(|(_, id)| *id).collect()
    };
    let stops = (0..1_u32 << up.len()).filter(|failed| !members.is_quorum(&left(*failed)));
    let fewest = stops.map(u32::count_ones).min().expect("nobody is no quorum");
    i64::from(fewest) - 1
}

/// Where each vote counts, by what the ensemble's own configuration says; all weigh 1.
fn places(ensemble: &Ensemble) -> Vec<(u8, i64)> {
    let text = ensemble.administrator().znode("/zookeeper/config").expect("a configuration");
    let members = EnsembleConfig::parse(&text).expect("a configuration").membership;
    assert!(!members.has_odd_places(), "{text}");
    let place = |id: ServerId| {
        let VoteWeight { group, weight } = members.place(id).expect("a place");
        assert_eq!(weight, 1, "{text}");
        (u8::try_from(id.get()).expect("an id"), group)
    };
    members.voters().into_iter().map(place).collect()
}

/// A lock that nobody holds is unlocked, and what was sent before is refused: by the whole list, sent
/// as it was.
#[test]
fn the_dead_are_fenced_off_in_a_weighted_ensemble() {
    let ensemble = weighted();
    ensemble.start_joiner(6);
    ensemble.wait_following(6);
    let before = places(&ensemble);
    let spec: Spec = wanting(&ensemble, ALL, 1..=5).place(6, 2, 1).session_timeout("20s");
    let desk = Desk::new();
    let mut apply = desk.apply_spec(&spec).at("STOP", "send join-6").start();
    apply.wait_frozen();
    let lock = ensemble.administrator().znode("/zkplan/lock").expect("a lock");
    let lock: serde_json::Value = serde_json::from_str(&lock).expect("a lock");
    let ledger = Ledger::begin(&ensemble);
    let nonce = lock["nonce"].as_str().expect("a nonce");
    desk.run_as_super(&["unlock", "spec.yaml", nonce]).exits(0);
    assert_eq!((ledger.fences(), ledger.steps().len()), (1, 0));
    assert_eq!(places(&ensemble), before);
    apply.thaw();
    apply.ends().exits_with_one_of(&[6, 7]);
    ledger.membership_is_unchanged();
    Desk::new().apply_spec(&spec).ends().exits(0);
    assert_eq!(places(&ensemble).last(), Some(&(6, 2)));
}

/// Whoever weighs nothing is in nobody's vote, whatever its id; a leader that leaves may hand over to
/// one all the same, and then it leads.
#[test]
fn nobody_elects_a_server_that_weighs_nothing() {
    const WEIGHTS: [&str; 3] = ["group.1=1:2:3:4:5", "weight.1=0", "weight.5=0"];
    let ensemble = Builder::rich().servers(5).places(WEIGHTS).start();
    for _ in 0..3 {
        let leader = ensemble.wait_leader();
        assert!((2..=4).contains(&leader), "server {leader} leads");
        ensemble.kill(leader);
        ensemble.wait_serving();
        let next = ensemble.wait_leader();
        assert!((2..=4).contains(&next) && next != leader, "server {next} leads");
        ensemble.start_again(leader);
        ensemble.wait_serving();
    }
    let leader = ensemble.wait_leader();
    let rest = (1..=5).filter(|id| *id != leader);
    let spec = wanting(&ensemble, rest, 1..=5);
    let ledger = Ledger::begin(&ensemble);
    Desk::new().apply_spec(&spec).ends().exits(0);
    assert_eq!(ledger.hand_overs(), 1);
    show(&format!("server {leader} left, and server {} leads", ensemble.wait_leader()));
}
