//! Three members that work, and servers that want to join them: some that follow already, one that
//! is not started.

use crate::harness::{Builder, Ensemble, Role};
use crate::spec::Spec;
use crate::zkplan::Desk;

on_both_profiles! { are_planned_for }

fn are_planned_for(builder: &Builder) {
    let ensemble = builder.clone().start();
    // The server with the highest id leads at first; one in the middle makes a better story.
    ensemble.stop(3);
    ensemble.wait_serving();
    ensemble.start_again(3);
    ensemble.wait_following(3);
    for id in [4, 5, 6] {
        ensemble.start_joiner(id);
    }
    for id in [4, 5, 6] {
        ensemble.wait_following(id);
    }
    ensemble.reserve(7);
    let desk = Desk::accepting(&ensemble);

    a_joiner_that_follows(&ensemble, &desk);
    a_joiner_that_is_not_started(&ensemble, &desk);
    an_observer(&ensemble, &desk);
    three_to_five(&ensemble, &desk);
    three_onto_new_servers(&ensemble, &desk);
}

fn spec(ensemble: &Ensemble, ids: &[u8]) -> Spec {
    let members = [1, 2, 3].map(|id| ensemble.client_address(id).to_string());
    Spec::of(ensemble, ids.iter().copied()).connect(&members.join(","))
}

fn a_joiner_that_follows(ensemble: &Ensemble, desk: &Desk) {
    let spec = spec(ensemble, &[1, 2, 3, 4]);
    let plan = desk.planned(&spec, &[]);
    assert_eq!(plan.steps(), ["await-4", "join-4", "prove"]);
    let join = &plan.step("join-4")["action"];
    let line = join["joining"][0].as_str().expect("a line");
    let [quorum, election] = [ensemble.quorum_port(4), ensemble.election_port(4)];
    let client = ensemble.client_address(4).port();
    let address = format!("server.4={}:{quorum}:{election}:participant;", ensemble.host());
    assert!(line.starts_with(&address) && line.ends_with(&format!(":{client}")), "{line}");
    assert_eq!(join["leaving"], serde_json::json!([]));
    assert_eq!((plan.base("synced"), plan.base("following")), (vec![1, 2, 3], vec![4]));
    assert_eq!(plan.worst_spare(), 1);
    // Who it says it is and how it told, that it follows without a vote, and how far.
    let source = if ensemble.server_line(1).contains(';') { "conf" } else { "a session" };
    desk.plan(&spec, &[]).exits(2).says([
        &format!("id 4 from {source}"),
        "follows without a vote",
        "zxid",
        "no vote yet",
    ]);
}

fn a_joiner_that_is_not_started(ensemble: &Ensemble, desk: &Desk) {
    let spec = spec(ensemble, &[1, 2, 3, 7]);
    let plan = desk.planned(&spec, &[]);
    assert_eq!(plan.steps(), ["await-7", "join-7", "prove"]);
    assert_eq!((plan.base("synced"), plan.base("following")), (vec![1, 2, 3], vec![]));
    desk.plan(&spec, &[]).exits(2).says([
        "Before apply: server 7",
        "no answer",
        "connection refused",
        "zkplan joiner spec.yaml --all -o joiners/",
    ]);
}

fn an_observer(ensemble: &Ensemble, desk: &Desk) {
    let plan = desk.planned(&spec(ensemble, &[1, 2, 3, 4]).role(4, Role::Observer), &[]);
    assert_eq!(plan.reconfigs(), ["join-4"]);
    assert_eq!((plan.windows(), plan.worst_spare()), (vec![], 1));
}

fn three_to_five(ensemble: &Ensemble, desk: &Desk) {
    let zones = [(1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "b")];
    let plan = desk.planned(&spec(ensemble, &[1, 2, 3, 4, 5]).zones(zones), &[]);
    assert_eq!(plan.steps(), ["await-4", "await-5", "join-4", "join-5", "prove"]);
    assert_eq!((plan.windows(), plan.worst_spare()), (vec!["join-4"], 1));
}

fn three_onto_new_servers(ensemble: &Ensemble, desk: &Desk) {
    let leader = ensemble.wait_leader();
    assert_ne!(leader, 3, "the story is better so");
    let zones = [(1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "b"), (6, "c")];
    let spec = spec(ensemble, &[4, 5, 6]).zones(zones);
    let plan = desk.planned(&spec, &[]);

    let mut old: Vec<u8> = (1..=3).filter(|id| *id != leader).collect();
    old.push(leader);
    let leaves = old.iter().map(|id| format!("leave-{id}"));
    let joins = (4..=6).map(|id| format!("join-{id}"));
    assert_eq!(plan.reconfigs(), joins.chain(leaves).collect::<Vec<_>>());
    assert_eq!(plan.phases(), ["await", "join", "gate", "remove", "prove", "retire"]);
    // In three zones there is always such a moment on the way in, and one on the way out.
    assert_eq!(plan.windows(), ["join-4", &format!("leave-{}", old[1])]);
    assert_eq!((plan.worst_spare(), plan.base("following")), (1, vec![4, 5, 6]));
    assert_eq!(plan.hand_overs(), [format!("leave-{leader}")]);
    // The zone whose loss would hurt is named.
    let screen = desk.plan(&spec, &["--out", "plan.json"]).exits(2);
    let order = plan.steps().into_iter().map(|id| screen.stdout.find(&format!("  {id}  ")));
    let order: Vec<usize> = order.map(|place| place.expect("every step is printed")).collect();
    assert!(order.is_sorted(), "{screen}");
    screen.says(["after join-4, losing zone", &format!("after leave-{}, losing zone", old[1])]);

    // The same question has the same answer; the saved plan is that answer too.
    let json = || timeless(desk.plan(&spec, &["--format", "json"]).exits(2).json());
    assert_eq!(json(), json());
    let saved: serde_json::Value =
        serde_json::from_str(&desk.read("plan.json")).expect("a plan file is JSON");
    assert_eq!(timeless(saved), timeless(plan.0));
    let strict = desk.refused(&spec.policy("zones", "strict"), 3, &[]);
    assert_eq!(strict["breaches"][0]["code"], "ZKQ4", "{strict:#}");
}

/// A plan without what the look itself moves on: the leader's zxid, and with it the digest of the
/// file. What the plan means is in its id.
fn timeless(mut plan: serde_json::Value) -> serde_json::Value {
    let zxid = plan["base"].as_object_mut().and_then(|base| base.remove("leaderZxid"));
    assert!(zxid.is_some(), "a plan holds how far the leader was");
    plan.as_object_mut().and_then(|plan| plan.remove("digest"));
    plan
}
