//! What a plan predicts, beside what an apply and an application measure.
//!
//! ```text
//! ZKPLAN_DATA_MB=200 cargo test --test zookeeper predicted -- --nocapture
//! ```

use serde_json::Value;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Witness};
use crate::ledger::is_at;
use crate::show;
use crate::zkplan::Desk;

const ZNODE_BYTES: usize = 10_000;

/// With less, a joiner may have copied it before anybody looks.
const MUCH: usize = 100;

/// What was measured of one kind, and what was predicted.
fn of<'a>(run: &'a Value, kind: &str) -> Option<&'a Value> {
    run["predictions"].as_array().expect("predictions").iter().find(|time| time["kind"] == kind)
}

/// Both in one line, with how much longer it took than predicted: by the nearer end of the span.
fn compared(what: &str, time: &Value) -> String {
    let ms = |value: &Value| value.as_f64().expect("milliseconds");
    let [from, to] = ["fromMs", "toMs"].map(|end| ms(&time["predicted"][end]));
    let measured = ms(&time["measuredMs"]);
    let ratio = measured / measured.clamp(from, to);
    format!("{what}: predicted {from} to {to} ms, measured {measured} ms, {ratio:.2} times that")
}

/// An ensemble with that much data, and how many MB that is.
fn filled() -> (usize, Ensemble) {
    let megabytes = crate::apply_syncing::asked("ZKPLAN_DATA_MB", 20);
    let heap = format!("{}m", 256 + 2 * megabytes);
    let ensemble = Builder::rich().heap(&heap).setting("initLimit", "1500").start();
    ensemble.administrator().fill("/data", megabytes * 1_000_000 / ZNODE_BYTES, ZNODE_BYTES);
    (megabytes, ensemble)
}

/// Every member is restarted, the leader last: its restart is the only gap.
#[test]
fn each_restart_takes_as_long_as_predicted() {
    let (megabytes, ensemble) = filled();
    let leader = ensemble.wait_leader();
    let spec = wanting(&ensemble, 1..=3, 1..=3);
    let desk = Desk::new();
    let plan = desk.planned(&spec, &["--restart", "all", "--out", "plan.json"]).0;
    let predicted = &plan["summary"]["prediction"];
    let witness = Witness::of(&ensemble, 1..=3);
    let mut apply = desk.apply("plan.json").with(&["--format", "json"]).start();
    let mut gaps = Vec::new();
    for id in (1..=3).filter(|id| *id != leader).chain([leader]) {
        apply.wait_said(&[&format!("Now: restart server {id}")]);
        let ((), gap) = witness.longest_gap(|| {
            ensemble.stop(id);
            ensemble.start_again(id);
            apply.wait_for("done", &format!("restart-{id}"));
        });
        gaps.push(gap);
    }
    let run = apply.ends().exits(0).json();
    witness.finish(&ensemble, 1..=3);

    let restarts = predicted["restarts"].as_array().expect("restarts");
    assert_eq!(restarts.last().expect("three")["gap"], predicted["leaderChange"]["gap"]);
    let times = run["predictions"].as_array().expect("predictions");
    let measured: Vec<&Value> = times.iter().filter(|time| time["kind"] == "restart").collect();
    assert_eq!(measured.len(), 3, "{run:#}");
    for ((time, planned), gap) in measured.iter().zip(restarts).zip(&gaps) {
        assert_eq!((&time["step"], &time["predicted"]), (&planned["step"], &planned["gap"]));
        let step = time["step"].as_str().expect("a step");
        show(&format!("{megabytes} MB, longest gap of a client {gap:?}, {}", compared(step, time)));
    }
    let text = run["text"].as_str().expect("text");
    assert!(text.contains(&format!("Restart of server {leader}: predicted ")), "{text}");
}

/// The times themselves depend on what else the machine has to do. That both are there, and that the
/// size is right, does not.
#[test]
fn a_joiner_takes_the_place_of_the_leader_as_long_as_predicted() {
    let (megabytes, ensemble) = filled();
    let leader = ensemble.wait_leader();
    ensemble.reserve(4);
    let wanted: Vec<u8> = (1..=4).filter(|id| *id != leader).collect();
    let spec = wanting(&ensemble, wanted.iter().copied(), 1..=3);

    let desk = Desk::new();
    let plan = desk.planned(&spec, &["--out", "plan.json"]).0;
    let prediction = &plan["summary"]["prediction"];
    let bytes = prediction["snapshotBytes"].as_u64().expect("mntr is allowed");
    let filled = megabytes as u64 * 1_000_000;
    assert!((filled..filled + filled / 10 + 100_000).contains(&bytes), "{bytes} bytes");
    let change = &prediction["leaderChange"];
    assert_eq!(change["step"], format!("leave-{leader}"));
    assert!(change["gap"]["toMs"].is_u64(), "{prediction:#}");
    let copies = prediction["copies"].as_array().expect("copies");
    assert_eq!(copies.iter().map(|copy| &copy["server"]).collect::<Vec<_>>(), [4]);
    assert_eq!(prediction["initLimits"].as_array().map(Vec::len), Some(3), "{prediction:#}");
    desk.run(["show", "plan.json"])
        .exits(0)
        .says(["Predicted: ", "a joiner that starts empty copies"]);

    let witness = Witness::of(&ensemble, 1..=3);
    let (outcome, gap) = witness.longest_gap(|| {
        let words = ["--approve", "cutover", "--format", "json"];
        let mut apply = desk.apply("plan.json").with(&words).start();
        apply.wait_for("waiting", "server 4");
        ensemble.start_joiner(4);
        apply.ends().exits(0)
    });
    is_at(&ensemble, &wanted);
    witness.finish(&ensemble, wanted);

    let run = outcome.json();
    let change = of(&run, "leaderChange").expect("the leader changed");
    assert_eq!(change["step"], format!("leave-{leader}"));
    assert_eq!(change["predicted"], prediction["leaderChange"]["gap"]);
    let says = run["text"].as_str().expect("text");
    let line = format!("Leader change (leave-{leader}): predicted ");
    assert!(says.contains(&line) && says.contains(", measured "), "{says}");
    show(&format!("{megabytes} MB, longest gap of a client {gap:?}"));
    show(&compared("leader change", change));
    let copy = of(&run, "copy");
    assert!(copy.is_some() || megabytes < MUCH, "{says}");
    if let Some(copy) = copy {
        assert_eq!(copy["server"], 4);
        assert_eq!(copy["predicted"], copies[0]["time"]);
        assert!(says.contains("Copy to server 4: predicted "), "{says}");
        show(&compared("copy", copy));
    }
}
