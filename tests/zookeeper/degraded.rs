//! An ensemble of three that loses one server after the other.

use crate::harness::{Builder, Ensemble, PATIENCE, wait_until};
use crate::spec::Spec;
use crate::zkplan::{Desk, Plan};

on_both_profiles! { an_ensemble_loses_its_servers }

fn an_ensemble_loses_its_servers(builder: &Builder) {
    let ensemble = builder.clone().start();
    ensemble.start_joiner(4);
    ensemble.wait_following(4);
    let leader = ensemble.wait_leader();
    let lost = if leader == 2 { 3 } else { 2 };
    let desk = Desk::accepting(&ensemble);

    ensemble.freeze(lost);
    is_taken_out_or_replaced(&ensemble, &desk, lost, "connected, but timed out");
    ensemble.thaw(lost);
    ensemble.kill(lost);
    is_taken_out_or_replaced(&ensemble, &desk, lost, "connection refused");

    // Two of three are gone: nothing can be done but to start them again.
    ensemble.kill(leader);
    let last = 6 - lost - leader;
    wait_until("the last server to miss the others", PATIENCE, || {
        ensemble.ask(last, "srvr").ok()?.contains("not currently serving").then_some(())
    });
    let all = addresses(&ensemble);
    for spec in [Spec::of(&ensemble, [1, 2, 3]), Spec::of(&ensemble, [last, 4])] {
        desk.plan(&spec.connect(&all), &[])
            .exits(10)
            .says(all.split(',').map(str::to_owned).chain(["no quorum".to_owned()]));
    }
    desk.run(["import", "--connect", &all]).exits(10).says(all.split(','));
}

fn addresses(ensemble: &Ensemble) -> String {
    [1, 2, 3].map(|id| ensemble.client_address(id).to_string()).join(",")
}

fn is_taken_out_or_replaced(ensemble: &Ensemble, desk: &Desk, lost: u8, why: &str) {
    let all = addresses(ensemble);
    let stay: Vec<u8> = (1..=3).filter(|id| *id != lost).collect();
    let leave = format!("leave-{lost}");
    let is_told = |plan: &Plan| {
        let live: Vec<u64> = stay.iter().map(|id| u64::from(*id)).collect();
        assert_eq!(plan.base("synced"), live);
        // Nothing is spare now, and nothing less than that at any moment.
        assert_eq!(plan.worst_spare(), 0);
    };

    // The members are those that are wanted; but the silent one is named, and no check is green.
    desk.plan(&Spec::of(ensemble, [1, 2, 3]).connect(&all), &[])
        .exits(2)
        .says(["No changes", &format!("server {lost} is a member and does not answer")]);
    let out = Spec::of(ensemble, stay.iter().copied()).connect(&all);
    let plan = desk.planned(&out, &[]);
    is_told(&plan);
    assert_eq!(plan.reconfigs(), [leave.as_str()]);
    // Where a static configuration does not tell whose it is, the silent address stands by itself.
    let address = ensemble.client_address(lost).to_string();
    desk.plan(&out, &[]).exits(2).says(["no answer", &format!("{address}: {why}")]);

    let replaced = Spec::of(ensemble, stay.iter().copied().chain([4])).connect(&all);
    let plan = desk.planned(&replaced, &[]);
    is_told(&plan);
    assert_eq!(plan.reconfigs(), [leave.as_str(), "join-4"]);
    assert_eq!(plan.base("following"), [4]);
}
