//! What goes wrong with a server in the middle of a migration: zkplan stops in a safe place, what it says is
//! true, and the command that it names comes to the end once that is mended. What goes wrong between machines
//! is in `soak goes_wrong`.

use std::fs;

use crate::apply_joiners::copy;
use crate::applying::wanting;
use crate::harness::{Builder, Witness};
use crate::ledger::{Ledger, is_at};
use crate::show;
use crate::zkplan::Desk;

/// A joiner led an ensemble of its own, and was restarted there: its epoch is higher than that of the
/// ensemble that it is to join, and it refuses to follow. Only its host can show that.
#[test]
fn a_joiner_that_was_used_before_and_has_a_higher_epoch() {
    let other = Builder::rich().participants([4]).start();
    other.administrator().write_below("/theirs", 3);
    for _ in 0..2 {
        other.stop(4);
        other.start_again(4);
        other.wait_leader();
    }
    let ensemble = Builder::rich().start();
    assert!(other.epoch() > ensemble.epoch());
    let witness = Witness::of(&ensemble, 1..=3);
    ensemble.reserve(4);
    other.stop(4);
    let data = ensemble.file(4, "data/version-2");
    copy(&other.file(4, "data/version-2"), &data);
    ensemble.start_joiner(4);
    ensemble.wait_logged(4, "is less than accepted epoch", 0);

    let desk = Desk::new();
    let spec = wanting(&ensemble, 1..=4, 1..=3);
    let ledger = Ledger::begin(&ensemble);
    desk.plan(&spec, &[]).exits(2).says(["not serving", "It runs: wait until it follows"]);
    let mut apply = desk.apply_spec(&spec).start();
    apply.wait_said(&[
        "server 4 does not follow yet",
        "its data directory is from another ensemble with a higher epoch",
        "move version-2 out of its dataDir",
    ]);
    apply.interrupt();
    let ended = apply.ends().exits(7);
    ledger.membership_is_unchanged();
    let dir = ensemble.file(4, "data").display().to_string();
    let checked = desk.run(["joiner", "spec.yaml", "--check", &dir]).exits(3);
    checked.says(["It can never join: acceptedEpoch 3 is higher than"]);

    // As the screen says.
    ensemble.stop(4);
    fs::rename(&data, ensemble.file(4, "moved-away")).expect("one folder has both");
    ensemble.restore_first_files(4);
    ensemble.start_again(4);
    let [next] = ended.next_lines()[..] else { panic!("one command comes next\n{ended}") };
    desk.line(&format!("{next} --auto-approve")).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    show(&format!("the application {}", witness.finish(&ensemble, 1..=4)));
}
