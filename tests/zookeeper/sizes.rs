//! Ensembles of one, two and five: rows of `tests/common-changes.md` that three servers cannot
//! tell.

use crate::harness::Builder;
use crate::spec::Spec;
use crate::zkplan::Desk;

on_both_profiles! { one_becomes_three two_become_three five_shrink_and_are_mended }

/// The second voter is needed at once: that is a risk to be taken knowingly.
fn one_becomes_three(builder: &Builder) {
    let ensemble = builder.clone().servers(1).start_with([2, 3]);
    let desk = Desk::accepting(&ensemble);
    let spec = Spec::of(&ensemble, [1, 2, 3]);

    let refusal = desk.refused(&spec, 3, &[]);
    assert_eq!(refusal["breaches"][0]["code"], "ZKQ2", "{refusal:#}");
    assert_eq!(refusal["breaches"][0]["step"], "join-2", "{refusal:#}");
    desk.plan(&spec, &[]).exits(3).says(["--accept ZKQ2:join-2"]);

    let plan = desk.planned(&spec, &["--accept", "ZKQ2:join-2"]);
    assert_eq!(plan.reconfigs(), ["join-2", "join-3"]);
    assert_eq!(plan.worst_spare(), 0);
    let accepted = plan.0["accepted"].as_array().expect("a list");
    assert!(accepted.iter().any(|risk| risk["step"] == "join-2"), "{:#}", plan.0);
    assert_eq!(plan.0["base"]["standaloneDisabled"], true);
}

fn two_become_three(builder: &Builder) {
    let ensemble = builder.clone().servers(2).start_with([3]);
    let plan = Desk::accepting(&ensemble).planned(&Spec::of(&ensemble, [1, 2, 3]), &[]);
    assert_eq!((plan.reconfigs(), plan.worst_spare()), (vec!["join-3"], 0));
}

fn five_shrink_and_are_mended(builder: &Builder) {
    let ensemble = builder.clone().servers(5).start_with([6, 7]);
    let desk = Desk::accepting(&ensemble);
    let leader = ensemble.wait_leader();
    // Those that go, with the leader last; as things are, it is among them.
    let mut go: Vec<u8> = [4, 5].into_iter().filter(|id| *id != leader).collect();
    go.extend((4..=5).filter(|id| *id == leader));
    let all = ensemble.connect_string();
    let plan = desk.planned(&Spec::of(&ensemble, [1, 2, 3]).connect(&all), &[]);
    assert_eq!(plan.reconfigs(), go.iter().map(|id| format!("leave-{id}")).collect::<Vec<_>>());
    assert_eq!(plan.worst_spare(), 1);

    let [first, second] = if leader == 4 { [3, 5] } else { [3, 4] };
    ensemble.kill(first);
    ensemble.kill(second);
    let stay: Vec<u8> = (1..=5).filter(|id| ![first, second].contains(id)).collect();
    let wanted: Vec<u8> = stay.iter().copied().chain([6, 7]).collect();
    let plan = desk.planned(&Spec::of(&ensemble, wanted).connect(&all), &[]);
    let out = [format!("leave-{first}"), format!("leave-{second}")];
    let mend = [&out[..], &["join-6".to_owned(), "join-7".to_owned()]].concat();
    assert_eq!(plan.reconfigs(), mend);
    assert_eq!(plan.worst_spare(), 0);
    let live: Vec<u64> = stay.iter().map(|id| u64::from(*id)).collect();
    assert_eq!((plan.base("synced"), plan.base("following")), (live, vec![6, 7]));
    let plan = desk.planned(&Spec::of(&ensemble, stay).connect(&all), &[]);
    assert_eq!(
        (plan.reconfigs(), plan.worst_spare()),
        (out.iter().map(String::as_str).collect(), 0)
    );
}
