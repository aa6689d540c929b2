//! Directories that joiners begin with, beside the leader of an ensemble: a seed, that of another ensemble, one
//! with a gap.

use std::fs;
use std::path::Path;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble};
use crate::installing::{desk_with_token, said};
use crate::ledger::is_at;
use crate::seeding::{DIFF, begins_with_a_seed, checked, installed, seed_of};
use crate::show;
use crate::zkplan::{Desk, text};

/// The joiner gets only what was written since, as the check says before, and apply proves that its data are
/// those of the leader. The spec leads to the same leader. Beside another ensemble the directory is alien.
#[test]
fn a_seeded_joiner_gets_only_the_difference() {
    let other = Builder::rich().start();
    other.administrator().fill("/filled", 1600, 10);
    let seen = begins_with_a_seed(Builder::rich(), &[], |desk, ensemble, seed| {
        let screen = desk.run(["joiner", "spec.yaml", "--check", seed]).exits(0);
        screen.says(["Seed of this ensemble.", "(DIFF)"]).fit_to_show();
        // Where the other one needed more elections, this one has not reached its zxids.
        let alien = if other.epoch() > ensemble.epoch() {
            let alien = seed_of(desk, &other, other.wait_leader(), "alien");
            checked(desk, &alien, ensemble, 3)
        } else {
            checked(desk, seed, &other, 3)
        };
        assert_eq!(text(&alien["state"]), "alien", "{alien:#}");
    });
    show(&format!("{}; at the check {}", text(&seen["lastZxid"]), seen["catchUp"]));
}

/// The leader does not allow `hash`: the archive is never called a seed, and another one is still known
/// by a zxid that the leader has not reached.
#[test]
fn without_digests_of_the_leader_no_directory_is_called_a_seed() {
    let [one, other] = [(); 2].map(|()| Builder::plain().start());
    one.administrator().write_below("/few", 150);
    let zxid = |ensemble: &Ensemble| ensemble.zxid(ensemble.wait_leader());
    let (ahead, behind) = if zxid(&one) > zxid(&other) { (one, other) } else { (other, one) };
    let (desk, leader) = (Desk::new(), ahead.wait_leader());
    let seed = seed_of(&desk, &ahead, leader, "seed");
    let seen = checked(&desk, &seed, &ahead, 3);
    let origin = &seen["origin"];
    assert_eq!((text(&seen["state"]), text(&origin["verdict"])), ("unpacked", "unknown"));
    assert_eq!(text(&origin["why"]), "hashNotAllowed", "{seen:#}");
    let seen = checked(&desk, &seed, &behind, 3);
    assert_eq!((text(&seen["state"]), text(&seen["origin"]["verdict"])), ("alien", "ahead"));
    // A server that does not lead is not taken for a leader.
    let follower = [1, 2, 3].into_iter().find(|id| *id != leader).expect("one of three");
    let follower = ahead.client_address(follower).to_string();
    let refused = desk.run(["joiner", "--check", &seed, "--leader", &follower]).exits(64);
    refused.says(["does not lead: its mode is follower"]);
}

/// Takes the newest snapshots and a log behind the oldest one away.
fn with_a_gap(version: &Path) {
    let number = |name: &str, kind: &str| u64::from_str_radix(name.strip_prefix(kind)?, 16).ok();
    let names: Vec<String> = fs::read_dir(version)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let sorted = |kind: &str| {
        let mut all: Vec<u64> = names.iter().filter_map(|name| number(name, kind)).collect();
        all.sort_unstable();
        all
    };
    let (snapshots, logs) = (sorted("snapshot."), sorted("log."));
    let oldest = *snapshots.first().expect("a snapshot");
    for newer in snapshots.iter().filter(|zxid| **zxid > oldest) {
        fs::remove_file(version.join(format!("snapshot.{newer:x}"))).expect("removed");
    }
    let behind: Vec<u64> = logs.into_iter().filter(|zxid| *zxid > oldest + 1).collect();
    assert!(behind.len() > 1, "a log in the middle is needed: {names:?}");
    fs::remove_file(version.join(format!("log.{:x}", behind[0]))).expect("removed");
}

/// It is seen by the check and by install.sh; a server that starts with it all the same follows at the
/// leader's zxid, and apply does not give it a vote.
#[test]
fn a_seed_with_a_gap_gets_no_vote() {
    let builder = Builder::rich().setting("preAllocSize", "64").setting("snapCount", "60");
    let ensemble = builder.start();
    ensemble.administrator().write_below("/load", 600);
    ensemble.reserve(4);
    let desk = desk_with_token(&ensemble);
    let spec = wanting(&ensemble, 1..=4, 1..=3);
    let file = desk.write("spec.yaml", &spec.text());
    desk.run(["joiner", &file, "4", "-o", "joiners", "--token", "super.token"]).exits(0);
    let seed = seed_of(&desk, &ensemble, ensemble.wait_leader(), "seed");
    with_a_gap(&desk.path("seed/version-2"));
    let seen = checked(&desk, &seed, &ensemble, 65);
    assert_eq!((text(&seen["state"]), text(&seen["data"])), ("damaged", "damaged"), "{seen:#}");
    let refused = installed(&desk, &ensemble, 4, &seed);
    assert!(!refused.status.success(), "{}", said(&refused));
    assert!(said(&refused).contains("is not as it was unpacked"), "{}", said(&refused));

    // By hand, without the list: the check reads the files.
    let data = ensemble.file(4, "data");
    fs::create_dir_all(&data).expect("a folder");
    fs::rename(desk.path("seed/version-2"), data.join("version-2")).expect("one file system");
    let by_hand = checked(&desk, &data.display().to_string(), &ensemble, 65);
    assert_eq!(text(&by_hand["state"]), "damaged", "{by_hand:#}");
    ensemble.start_joiner(4);
    ensemble.wait_following(4);
    let log = ensemble.log(4);
    assert!(log.contains(DIFF), "{log}");
    // Digests that both list come with the next writes.
    ensemble.administrator().write_below("/load", 300);
    let outcome = desk.apply_spec(&spec).with(&["--timeout", "5s"]).ends();
    let outcome = outcome.exits_with_one_of(&[3, 7, 9]).says(["server 4"]);
    // Where the two list no common zxid, only counts are left, and those differ.
    let named = ["its data differ", "ZKF20: data can be compared only by counts"];
    assert!(named.iter().any(|words| outcome.has_said(&[*words])), "{}", outcome.stderr);
    is_at(&ensemble, &[1, 2, 3]);
}
