//! Disasters at random: an ensemble of three or five under load whose servers die and come back at random
//! moments, until all die and some of the disks are lost for good. What `zkplan recover` takes is held against
//! the servers' own files and against what a client was answered; then the old servers come back.
//!
//! `ZKPLAN_RECOVER_ROUNDS` is how many (1), `ZKPLAN_RECOVER_SEED` the seed of the first (1).

use std::fs;
use std::path::Path;

use crate::apply_syncing::asked;
use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Mode, PATIENCE, transactions, wait_until};
use crate::recovered::{Disaster, Writer, epoch, loaded, members_at};
use crate::show;
use crate::zkplan::{Desk, text};

/// Writes between two events, at most.
const MOST_WRITES: usize = 60;

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn of(seed: usize) -> Self {
        let seed = u64::try_from(seed).expect("a number");
        // Seeds that are neighbours are to have other rounds.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        for shift in [13, 7, 17] {
            self.0 ^= if shift == 7 { self.0 >> shift } else { self.0 << shift };
        }
        let limit = u64::try_from(limit).expect("small");
        usize::try_from((self.0 >> 16) % limit).expect("small")
    }

    fn take(&mut self, of: &mut Vec<u8>) -> u8 {
        let at = self.below(of.len());
        of.remove(at)
    }
}

/// Servers die and come back while a client writes; a quorum is up until all others die at once.
fn disaster(count: u8, dice: &mut Dice) -> Disaster {
    let snapshots = ["40", "100", "100000"][dice.below(3)];
    let builder = Builder::rich().servers(count).setting("preAllocSize", "64");
    let ensemble = builder.setting("snapCount", snapshots).start();
    let desk = Desk::accepting(&ensemble);
    let spec = wanting(&ensemble, 1..=count, 1..=count);
    let spec = desk.write("old.yaml", &spec.text());
    let writer = Writer::begin(&ensemble);
    writer.wait_for(1);
    let (mut up, mut down): (Vec<u8>, Vec<u8>) = ((1..=count).collect(), Vec::new());
    let quorum = usize::from(count / 2 + 1);
    for _ in 0..2 + dice.below(4) {
        writer.wait_for(dice.below(MOST_WRITES));
        if up.len() > quorum {
            let id = dice.take(&mut up);
            ensemble.kill(id);
            down.push(id);
        } else {
            let id = dice.take(&mut down);
            ensemble.start_again(id);
            // It may be in the middle of its sync when the next one dies.
            if dice.below(3) > 0 {
                wait_until(format!("server {id} to serve"), PATIENCE, || ensemble.mode(id));
            }
            up.push(id);
        }
    }
    writer.wait_for(dice.below(MOST_WRITES));
    while !up.is_empty() {
        ensemble.kill(dice.take(&mut up));
    }
    let acknowledged = writer.finish();
    Disaster { ensemble, desk, spec, acknowledged }
}

/// How far a server's files go, in the order of elections: read without the code that recovers.
fn reached(ensemble: &Ensemble, id: u8) -> (u64, u64) {
    let data = ensemble.file(id, "data");
    let files = data.join("version-2");
    let zxid = |mut transaction: transactions::Bytes<'_>| {
        let (_session, _cxid) = (transaction.long()?, transaction.int()?);
        u64::try_from(transaction.long()?).ok()
    };
    let logged = transactions::logged(&data, zxid).into_iter().max().unwrap_or_default();
    let entries = fs::read_dir(&files).expect("a data directory");
    let sealed = entries.filter_map(|entry| sealed_at(&entry.expect("an entry").path()));
    let zxid = sealed.fold(logged, u64::max);
    let current = fs::read_to_string(files.join("currentEpoch")).expect("it was a member");
    (current.trim().parse().expect("an epoch"), zxid)
}

/// The zxid of a snapshot that has its seal.
fn sealed_at(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let zxid = u64::from_str_radix(name.strip_prefix("snapshot.")?, 16).ok()?;
    let bytes = fs::read(path).ok()?;
    bytes.ends_with(&[0, 0, 0, 1, b'/']).then_some(zxid)
}

/// One disaster, and the recovery from it.
fn round(seed: usize) {
    let mut dice = Dice::of(seed);
    let count = [3, 5][dice.below(2)];
    let of = disaster(count, &mut dice);
    let mut all: Vec<u8> = (1..=count).collect();
    let left = 1 + dice.below(usize::from(count / 2));
    let mut survivors: Vec<u8> = (0..left).map(|_| dice.take(&mut all)).collect();
    survivors.sort_unstable();
    let ensemble = &of.ensemble;
    let history = |id: &u8| (reached(ensemble, *id), std::cmp::Reverse(*id));
    let chosen = *survivors.iter().max_by_key(|id| history(id)).expect("a survivor");
    show(&format!("seed {seed}: {count} servers, {survivors:?} are left, {chosen} is highest"));
    let new = count + 1;
    let done = of.recovers(&survivors, chosen, new);
    let taken = done["survivors"].as_array().expect("a list").iter();
    let taken: Vec<u64> = taken
        .filter(|entry| entry["isTaken"] == true)
        .filter_map(|entry| entry["server"].as_u64())
        .collect();
    assert_eq!(taken, [u64::from(chosen)], "seed {seed}: {done:#}");
    let after = text(&done["losses"]["afterZxid"]).trim_start_matches("0x").to_owned();
    let after = u64::from_str_radix(&after, 16).expect("a zxid");
    assert_eq!(after, reached(ensemble, chosen).1, "seed {seed}: {done:#}");
    let address = ensemble.client_address(chosen).to_string();
    of.lost_only_above(&address, &done);
    let old: Vec<u8> = (1..=count).filter(|id| *id != chosen).collect();
    the_old_stay_apart(&of, &old, (chosen, new));
}

/// The old servers come back all at once: they may be a quorum of their own, and none of them meets the new
/// server.
fn the_old_stay_apart(of: &Disaster, old: &[u8], (chosen, new): (u8, u8)) {
    let ensemble = &of.ensemble;
    let address = ensemble.client_address(chosen).to_string();
    let there = loaded(&address);
    for id in old {
        ensemble.start_again(*id);
    }
    // All but one are a majority.
    wait_until("the old servers to lead each other", PATIENCE, || {
        old.iter().any(|id| ensemble.mode(*id) == Some(Mode::Leader)).then_some(())
    });
    for id in old {
        wait_until(format!("server {id} to serve"), PATIENCE, || ensemble.mode(*id));
        assert!(epoch(ensemble, *id) < 0x1_0000, "server {id} is in the new ensemble");
        assert!(!members_at(&ensemble.client_address(*id).to_string()).contains(&new));
    }
    // It is at the addresses of the one whose data it has.
    assert_eq!(ensemble.mode(chosen), Some(Mode::Leader), "the new server leads on");
    assert_eq!(members_at(&address), [new], "an old server is a member");
    assert!(epoch(ensemble, chosen) >= 0x2_0000);
    assert_eq!(loaded(&address), there, "old servers have changed the data");
}

#[test]
fn what_is_recovered_is_the_highest_and_the_old_servers_stay_apart() {
    let (rounds, first) = (asked("ZKPLAN_RECOVER_ROUNDS", 1), asked("ZKPLAN_RECOVER_SEED", 1));
    for seed in first..first + rounds {
        round(seed);
    }
}
