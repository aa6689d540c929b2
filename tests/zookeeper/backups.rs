//! Voters change only behind a backup of this ensemble, where the spec wants one.

use std::fs;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble};
use crate::ledger::{Ledger, is_at};
use crate::show;
use crate::spec::Spec;
use crate::zkplan::{Desk, text};

const GIVEN: &[&str] = &["--backup", "backup.tar.gz"];

/// Packs the files of a server that runs.
fn packs(desk: &Desk, (ensemble, server): (&Ensemble, u8), out: &str) {
    let config = ensemble.file(server, "zoo.cfg").display().to_string();
    desk.run(["snapshot", "pack", "--zoo-cfg", &config, "-o", out]).exits(0).says(["Whole up to"]);
}

/// Every archive that is none of this ensemble, whole and young is refused by name, and nothing is sent.
fn others_are_refused(desk: &Desk, ensemble: &Ensemble, wanted: &Spec) {
    let ledger = Ledger::begin(ensemble);
    let refused = desk.apply("plan.json").ends().exits(4);
    refused.says([
        "voters change",
        "none was given",
        "zkplan apply plan.json --backup backup.tar.gz",
    ]);

    // Another ensemble with a znode of that name.
    let other = Builder::rich().start();
    other.administrator().fill("/app", 100, 100);
    packs(desk, (&other, other.wait_leader()), "other.tar.gz");
    let refused = desk.apply("plan.json").with(&["--backup", "other.tar.gz"]).ends().exits(5);
    let refused = refused.says(["other.tar.gz is not of this ensemble: /app"]);
    show(&refused.to_string());

    // One letter of the data of the right one.
    packs(desk, (ensemble, ensemble.wait_leader()), "damaged.tar");
    let mut damaged = fs::read(desk.path("damaged.tar")).expect("an archive");
    let at = damaged.windows(4).position(|bytes| bytes == b"/app").expect("its data");
    damaged[at + 1] ^= 0x10;
    fs::write(desk.path("damaged.tar"), damaged).expect("a file");
    let refused = desk.apply("plan.json").with(&["--backup", "damaged.tar"]).ends().exits(65);
    refused.says(["damaged.tar: version-2/", "its SHA-256 is not that of the manifest"]);

    // The right one is too old for this spec.
    let strict = wanted.clone().policy("backup", "{ maxAge: 1ms }");
    let refused = desk.apply_spec(&strict).with(GIVEN).ends().exits(4);
    refused.says(["backup.tar.gz is too old: its last transaction was", "allows 1ms"]);
    // A backup that is given is checked, whatever the spec says.
    let free = wanting(ensemble, 1..=5, 1..=5);
    desk.apply_spec(&free).with(&["--backup", "other.tar.gz"]).ends().exits(5);
    ledger.is_untouched();
    assert_eq!(ensemble.administrator().znode("/zkplan"), None, "nothing of ours is left");
}

#[test]
fn voters_change_only_behind_a_backup_of_this_ensemble() {
    let ensemble = Builder::rich().start_with([4, 5]);
    ensemble.administrator().fill("/app", 5, 100);
    let desk = Desk::new();
    let wanted = wanting(&ensemble, 1..=5, 1..=5).policy("backup", "{ maxAge: 1h }");
    let planned = desk.plan(&wanted, &["--out", "plan.json"]).exits(2);
    let planned = planned.says(["Apply asks for a backup (policy.backup)", "at most 1h ago"]);
    assert_eq!(planned.next_lines(), ["zkplan apply plan.json --backup backup.tar.gz"]);
    packs(&desk, (&ensemble, ensemble.wait_leader()), "backup.tar.gz");
    others_are_refused(&desk, &ensemble, &wanted);

    // The right one passes, and a run that is resumed asks again.
    let mut apply = desk.apply("plan.json").with(GIVEN).start();
    apply.wait_for("sent", "join-4");
    apply.interrupt();
    let stopped = apply.ends().exits(7);
    stopped.says(["backup.tar.gz is whole up to zxid", "zkplan apply plan.json --backup"]);
    desk.apply("plan.json").ends().exits(4).says(["voters change", "none was given"]);
    // A follower knows the same znodes.
    let leader = ensemble.wait_leader();
    let follower = (1..=3).find(|id| *id != leader).expect("a follower");
    packs(&desk, (&ensemble, follower), "later.tar.zst");
    desk.apply("plan.json").with(&["--backup", "later.tar.zst"]).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4, 5]);

    // Both archives are in the journal.
    let run = desk.run(["history", "plan.json", "1", "--format", "json"]).exits(0).json();
    let records = run["runs"][0]["records"].as_array().expect("records").clone();
    let noted: Vec<&str> = records.iter().filter_map(|of| of["backup"]["file"].as_str()).collect();
    assert_eq!(noted, ["backup.tar.gz", "later.tar.zst"], "{run:#}");
    let hash = records.iter().find_map(|of| of["backup"]["sha256"].as_str()).expect("a hash");
    let history = desk.run(["history", "plan.json", "1"]).exits(0);
    // A screen breaks the hash into lines.
    history.says(["with backup backup.tar.gz up to zxid", &hash[..40]]);
    show(&format!("noted: {}", text(&run["runs"][0]["text"])));
}
