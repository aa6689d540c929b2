//! Three servers with much data move onto three that have none.
//!
//! A gigabyte in place of some megabytes:
//!
//! ```text
//! ZKPLAN_DATA_MB=1024 cargo test --test zookeeper much_data -- --nocapture
//! ```

use std::time::{Duration, Instant};

use crate::applying::wanting;
use crate::harness::{Builder, Witness};
use crate::ledger::is_at;
use crate::show;
use crate::zkplan::Desk;

const ZNODE_BYTES: usize = 10_000;

/// zkplan holds words and configurations, never data: so many MiB whatever the servers hold.
const MOST_MIB: u64 = 48;

#[test]
fn three_with_much_data_move_onto_three_that_copy_it() {
    let megabytes = crate::apply_syncing::asked("ZKPLAN_DATA_MB", 20);
    let heap = format!("{}m", 256 + 2 * megabytes);
    let ensemble = Builder::rich().heap(&heap).setting("initLimit", "1500").start();
    ensemble.administrator().fill("/data", megabytes * 1_000_000 / ZNODE_BYTES, ZNODE_BYTES);
    let witness = Witness::of(&ensemble, 1..=3);

    let began = Instant::now();
    for id in 4..=6 {
        ensemble.start_joiner(id);
    }
    for id in 4..=6 {
        ensemble.wait_following(id);
    }
    let copied = began.elapsed();

    let desk = Desk::new();
    let spec = wanting(&ensemble, 4..=6, 1..=3);
    let leader = ensemble.wait_leader();
    let (file, last) = (desk.write("spec.yaml", &spec.text()), format!("send leave-{leader}"));
    let ((took, peak), gap) = witness.longest_gap(|| {
        let began = Instant::now();
        let mut apply = desk.apply(&file).with(&["--approve", "cutover"]).at("STOP", &last).start();
        apply.wait_frozen();
        let peak = apply.peak_mib();
        apply.thaw();
        apply.ends().exits(0);
        (began.elapsed(), peak)
    });
    is_at(&ensemble, &[4, 5, 6]);
    let figures = witness.finish(&ensemble, 4..=6);
    let [copied, took, gap] = [copied, took, gap].map(|time: Duration| time.as_secs_f64());
    show(&format!(
        "{megabytes} MB in znodes of 10 kB: three joiners copied it in {copied:.1} s, apply took \
         {took:.1} s, longest gap {gap:.1} s, zkplan's peak {peak} MiB; {figures}"
    ));
    assert!(peak <= MOST_MIB, "{peak} MiB");
}
