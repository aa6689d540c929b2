//! The journal keeps the newest runs. What is removed is gone whole, wherever an apply is killed, and what
//! is not zkplan's stays.

use std::collections::BTreeMap;

use zkplan::apply::old_runs::KEPT;

use crate::apply_locks::wait_until_unlocked;
use crate::applying::wanting;
use crate::harness::{Builder, Ensemble};
use crate::ledger::is_at;
use crate::zkplan::Desk;

const RUNS: &str = "/zkplan/runs";

/// The runs of an ensemble by number, each with its znodes and their data.
fn runs(ensemble: &Ensemble) -> BTreeMap<u64, BTreeMap<String, String>> {
    let mut runs: BTreeMap<u64, BTreeMap<String, String>> = BTreeMap::new();
    for (path, data) in ensemble.administrator().tree(RUNS) {
        let Some(below) = path.strip_prefix("/zkplan/runs/") else { continue };
        let (run, name) = below.split_once('/').unwrap_or((below, ""));
        if let Ok(number) = run.parse() {
            runs.entry(number).or_default().insert(name.to_owned(), data);
        }
    }
    runs
}

/// Copies of the first run, so that it is followed by `count` others.
fn age(ensemble: &Ensemble, count: u64) {
    let first = runs(ensemble).remove(&1).expect("a run");
    let copy = |number: u64| {
        let name = move |name: &str| format!("{RUNS}/{number:010}/{name}");
        first
            .iter()
            .map(move |(below, data)| (name(below).trim_end_matches('/').to_owned(), data.clone()))
    };
    let nodes: Vec<(String, String)> = (2..=count + 1).flat_map(copy).collect();
    ensemble.administrator().make_closed(&nodes);
}

#[test]
fn the_newest_are_kept_and_none_is_left_in_part() {
    let ensemble = Builder::rich().start_with([4]);
    let (with, without) = (wanting(&ensemble, 1..=4, 1..=4), wanting(&ensemble, 1..=3, 1..=4));
    let desk = Desk::new();
    desk.apply_spec(&with).ends().exits(0);
    age(&ensemble, 103);
    let foreign = [format!("{RUNS}/notes"), format!("{RUNS}/0000000002/notes")];
    let nodes = foreign.clone().map(|path| (path, "a person's".to_owned()));
    ensemble.administrator().make_closed(&nodes);
    ensemble.administrator().open(&format!("{RUNS}/0000000003/plan-0"));
    let before = runs(&ensemble);
    assert_eq!(before.len(), 104);

    // Run 105 is recorded, and the first run removed.
    desk.apply_spec(&without).at("KILL", "prune 2").ends().was_killed();
    is_at(&ensemble, &[1, 2, 3]);
    let mut left = runs(&ensemble);
    assert!(left.remove(&105).is_some_and(|run| run.values().any(|data| data.contains("closed"))));
    assert!(left.iter().eq(before.iter().skip(1)), "{:?}", left.keys());
    let history = desk.run_as_super(&["history", "spec.yaml"]).exits(0);
    let history = history.says(["Older runs are not kept. Removed so far: 1."]);
    assert_eq!((history.last_run(), history.open_run()), ("105".to_owned(), None));

    // The next one removes what the first would have removed, and what has become old since.
    wait_until_unlocked(&ensemble);
    desk.apply_spec(&with).ends().exits(0);
    let mut left = runs(&ensemble);
    let kept: Vec<u64> = [2, 3].into_iter().chain(7..=106).collect();
    assert!(left.keys().copied().eq(kept.iter().copied()), "{:?}", left.keys());
    assert_eq!(left.len(), KEPT + 2, "those that others have changed are beside them");
    left.retain(|number, _| *number < 105);
    assert!(left.iter().all(|(number, run)| before[number] == *run), "they are as they were");
    for path in foreign {
        assert_eq!(ensemble.administrator().znode(&path).as_deref(), Some("a person's"));
    }
    let listed = desk.run_as_super(&["history", "spec.yaml", "--format", "json"]).exits(0).json();
    assert_eq!((&listed["removed"], &listed["notListed"]), (&4.into(), &0.into()));
    let gone = desk.run_as_super(&["history", "spec.yaml", "5"]);
    gone.exits(1).says(["run 5 is not kept any more", "zkplan history spec.yaml lists the runs"]);
    desk.run_as_super(&["history", "spec.yaml", "7"]).exits(0).says(["run 7 of"]);
}
