//! Two ensembles that know nothing of each other: wanted as one by mistake, and planned side by
//! side on purpose.

use crate::harness::{Builder, Ensemble, Witness};
use crate::spec::Spec;
use crate::zkplan::Desk;

on_both_profiles! { are_never_mixed }

fn are_never_mixed(builder: &Builder) {
    let old = builder.clone().start();
    let new = builder.clone().participants([4, 5, 6]).start();
    let desk = Desk::new();
    let spec = |own: &[u8], of_new: &[u8]| {
        let mut spec = Spec::of(&old, own.iter().copied());
        spec.servers.extend(Spec::of(&new, of_new.iter().copied()).servers);
        spec
    };

    // The newcomers were started as an ensemble of their own. Where both are contacts, nothing tells
    // which one is meant: both begin with the same version. The leaders and all members are shown.
    let both = [old.connect_string(), new.connect_string()].join(",");
    let about = |ensemble: &Ensemble, ids: [u8; 3]| {
        let address = |id| {
            let [quorum, election] = [ensemble.quorum_port(id), ensemble.election_port(id)];
            format!("{}:{quorum}:{election}:", ensemble.host())
        };
        let leader = format!("server {} at", ensemble.wait_leader());
        ids.map(address).into_iter().chain([leader]).collect::<Vec<_>>()
    };
    let shown = [about(&old, [1, 2, 3]), about(&new, [4, 5, 6])].concat();
    let mixed = spec(&[1, 2, 3], &[4]).connect(&both);
    desk.plan(&mixed, &[]).exits(3).says(["two different ensembles"]).says(&shown);
    a_target_before_the_merge(&desk, &old, &new, spec(&[1, 2, 3], &[4, 5, 6]));
    desk.run(["import", "--connect", &both])
        .exits(3)
        .says(["two different ensembles"])
        .says(&shown);

    // A single server that leads an ensemble of its own, at a port that is a contact as well.
    let alone = builder.clone().participants([8]).start();
    let mut joined = Spec::of(&old, [1, 2, 3]);
    joined.servers.extend(Spec::of(&alone, [8]).servers);
    desk.plan(&joined, &[]).exits(3).says(["two different ensembles", "server 8 at"]);

    // Many specs in one run: one table, and the exit code of the worst.
    old.reserve(7);
    let mut same = spec(&[1, 2, 3], &[]);
    "old".clone_into(&mut same.label);
    let mut grown = spec(&[1, 2, 3, 7], &[]).connect(&old.connect_string());
    "grown".clone_into(&mut grown.label);
    let mut other = spec(&[], &[4]).connect(&new.connect_string());
    "new".clone_into(&mut other.label);
    for (name, spec) in [("old.yaml", &same), ("grown.yaml", &grown), ("new.yaml", &other)] {
        desk.write(name, &spec.text());
    }
    desk.run(["plan", "--detailed-exitcode", "old.yaml", "new.yaml"]).exits(3).says([
        "old.yaml",
        "new.yaml",
        "No changes",
        "ZKQ9",
    ]);
    let mut gone = Spec::of(&old, [7]);
    "gone".clone_into(&mut gone.label);
    desk.write("gone.yaml", &gone.text());
    desk.run(["plan", "gone.yaml", "old.yaml", "new.yaml"]).exits(10).says([
        "gone.yaml",
        "old.yaml",
        "new.yaml",
        "No changes",
        "ZKQ9",
        "connection refused",
    ]);
    let json = desk.run(["plan", "--format", "json", "old.yaml", "new.yaml"]).exits(3).json();
    let documents = [0, 1].map(|at| &json["ensembles"][at]["document"]["format"]);
    assert_eq!(documents, ["zkplan/plan", "zkplan/refusal"], "{json:#}");
    // Two specs of one ensemble can only contradict each other.
    desk.run(["plan", "--detailed-exitcode", "old.yaml", "grown.yaml"])
        .exits(65)
        .says(["old.yaml and grown.yaml describe one ensemble"]);
}

/// Where only the old ones are contacts, the others are the target before the merge: it is stopped and
/// its data moved aside, unless somebody uses it.
fn a_target_before_the_merge(desk: &Desk, old: &Ensemble, new: &Ensemble, spec: Spec) {
    let spec = spec.connect(&old.connect_string());
    let leader = new.wait_leader();
    let runs = format!("its id {leader} at ");
    let said = ["are in the spec and run an ensemble of their own", &runs, "znodes", "clients"];
    let idle =
        ["Stop every server of the other ensemble", "Move version-2 out", "do not delete it"];
    desk.plan(&spec, &[]).exits(3).says(said).says(idle);
    let witness = Witness::of(new, [leader]);
    let used = desk.plan(&spec, &[]).exits(3).says(said).says(["Check the address"]);
    assert!(!used.stdout.contains("version-2") && !used.stderr.contains("version-2"), "{used}");
    witness.finish(new, [leader]);
}
