//! Made-up disasters: what survives of ensembles that elected, wrote and failed at random.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{ConfigVersion, EnsembleConfig, Membership, Server, ServerId};
use crate::snapshot::DataVerdict;

const MAJORITY: &str = "server.1=h1:2888:3888:participant;2181\n\
                        server.2=h2:2888:3888:participant;2181\n\
                        server.3=h3:2888:3888:participant;2181\n";

fn members(text: &str) -> Membership {
    Membership::parse(text).expect("server lines")
}

/// The lines of voters 1 to `count`.
fn voters(count: usize) -> String {
    let line = |id| format!("server.{id}=h{id}:2888:3888:participant;2181\n");
    (1..=count).map(line).collect::<Vec<_>>().concat()
}

fn ids(ids: &[i64]) -> BTreeSet<ServerId> {
    ids.iter().copied().map(ServerId::new).collect()
}

fn survivor(id: i64, epoch: u64, zxid: u64) -> Survivor {
    Survivor {
        id: ServerId::new(id),
        my_id: None,
        paths: vec![format!("zk{id}")],
        verdict: DataVerdict::Whole,
        finding: None,
        is_written: false,
        history: Some(History { epoch, zxid }),
        last_time_ms: None,
        highest_epoch: epoch,
        accepted_epoch: Some(epoch),
        config: None,
        left_out: BTreeSet::new(),
        parts: Vec::new(),
    }
}

fn assess(survivors: Vec<Survivor>, text: &str) -> Assessment {
    Assessment::of(survivors, Vec::new(), &members(text), None)
}

fn lost(of: &Assessment) -> (&WayBack, ServerId, &Losses) {
    match &of.standing {
        Standing::Lost { way_back, chosen: Some(chosen), losses: Some(losses) } => {
            (way_back, *chosen, losses)
        }
        other => panic!("{other:?}"),
    }
}

/// The epoch counts before the zxid: the tail of an older epoch may have been given up by the next leader.
#[test]
fn the_highest_epoch_wins_and_then_the_highest_zxid() {
    let five = voters(5);
    let of = assess(vec![survivor(1, 5, 0x5_0000_0090), survivor(2, 6, 0x5_0000_0010)], &five);
    let (way_back, chosen, losses) = lost(&of);
    assert_eq!((chosen, losses.bound), (ServerId::new(2), LossBound::Unknown));
    assert_eq!(losses.after, History { epoch: 6, zxid: 0x5_0000_0010 });
    assert_eq!((way_back.missing.clone(), way_back.enough), (ids(&[3, 4, 5]), 1));
    assert_eq!(way_back.alone, ids(&[3, 4, 5]));
    let of = assess(vec![survivor(1, 5, 7), survivor(2, 5, 8)], &five);
    assert_eq!(lost(&of).1, ServerId::new(2));
}

#[test]
fn survivors_that_are_a_quorum_are_started_and_weights_count() {
    let of = assess(vec![survivor(1, 1, 9), survivor(3, 1, 7)], MAJORITY);
    assert_eq!((&of.standing, &of.refusal), (&Standing::Quorum { start: ids(&[1, 3]) }, &None));
    let weighted = format!("{MAJORITY}group.1=1:2:3\nweight.1=3\nweight.2=1\nweight.3=1\n");
    let of = assess(vec![survivor(1, 1, 9)], &weighted);
    assert_eq!(of.standing, Standing::Quorum { start: ids(&[1]) });
    let of = assess(vec![survivor(2, 1, 9), survivor(3, 1, 9)], &weighted);
    let (way_back, ..) = lost(&of);
    assert_eq!(way_back.alone, ids(&[1]));
}

/// Two of four are no quorum, and neither are the other two: each acknowledged write is here.
#[test]
fn a_bound_is_said_where_the_missing_could_not_commit_alone() {
    let four = format!("{MAJORITY}server.4=h4:2888:3888:participant;2181\n");
    let of = assess(vec![survivor(1, 1, 9), survivor(3, 1, 7)], &four);
    assert_eq!(lost(&of).2.bound, LossBound::NothingAcknowledged);
    let unproven = Survivor { verdict: DataVerdict::NotProvable, ..survivor(3, 1, 7) };
    let of = assess(vec![survivor(1, 1, 9), unproven], &four);
    assert_eq!(lost(&of).2.bound, LossBound::Unknown);
    assert_eq!(lost(&assess(vec![survivor(1, 1, 9)], MAJORITY)).2.bound, LossBound::Unknown);
}

/// A later version in one directory is in force: a reconfiguration needs a quorum of those before it.
#[test]
fn the_configuration_with_the_highest_version_counts() {
    let config = |version: &str, text: &str| {
        let version: ConfigVersion = version.parse().expect("a version");
        Some(EnsembleConfig { version, membership: members(text) })
    };
    let small = "server.1=h1:2888:3888:participant;2181\n";
    let first = Survivor { config: config("100000000", MAJORITY), ..survivor(1, 1, 9) };
    let of = assess(vec![first.clone()], small);
    assert_eq!(of.config.source, ConfigSource::Data(ServerId::new(1)));
    assert!(matches!(of.standing, Standing::Lost { .. }));
    let later = Survivor { config: config("100000007", small), ..survivor(1, 1, 9) };
    let old = Survivor { config: config("100000000", MAJORITY), ..survivor(2, 1, 6) };
    let of = assess(vec![later, old], MAJORITY);
    assert!(matches!(of.standing, Standing::Quorum { .. }));
    let other = Survivor { config: config("100000000", small), ..survivor(2, 1, 6) };
    let of = assess(vec![first, other], MAJORITY);
    let both = [1, 2].map(ServerId::new);
    assert_eq!(of.refusal, Some(RecoveryRefusal::TwoEnsembles(both)));
}

#[test]
fn a_damaged_directory_that_goes_further_is_not_passed_over_in_silence() {
    let five = voters(5);
    let damaged = Survivor { verdict: DataVerdict::Damaged, ..survivor(2, 1, 12) };
    let both = vec![survivor(1, 1, 9), damaged.clone()];
    let of = assess(both.clone(), &five);
    let [one, two] = [1, 2].map(ServerId::new);
    let refusal = RecoveryRefusal::HighestDamaged { damaged: two, usable: one };
    assert_eq!(of.refusal, Some(refusal));
    let taking = |id| Assessment::of(both.clone(), Vec::new(), &members(&five), Some(id));
    assert_eq!(taking(one).refusal, None);
    assert_eq!(lost(&taking(one)).2.beyond, [(two, History { epoch: 1, zxid: 12 })]);
    assert_eq!(taking(two).refusal, Some(RecoveryRefusal::TakenDamaged(two)));
    assert_eq!(assess(vec![damaged], &five).refusal, Some(RecoveryRefusal::NothingUsable));
    let lower = vec![survivor(1, 1, 9), survivor(2, 1, 12)];
    let of = Assessment::of(lower, Vec::new(), &members(&five), Some(one));
    assert_eq!(of.refusal, Some(RecoveryRefusal::TakenIsLower { taken: one, highest: two }));
}

fn first_voter(line: Option<&str>) -> Result<FirstVoter, MeetsOldServers> {
    let old = members(MAJORITY);
    let mut of = assess(vec![survivor(1, 5, 0x5_0000_0009)], MAJORITY);
    of.survivors[0].highest_epoch = 7;
    let line = line.map(|line| Server::parse_line(line).expect("a line"));
    FirstVoter::of(&of, &of.survivors[0], &[&old], line)
}

/// With an old id, or below an old id at an old election address, old servers and the new one adopt each
/// other's configuration; both were seen on 3.8.0.
#[test]
fn old_servers_cannot_meet_the_new_one() {
    let voter = first_voter(None).expect("a voter");
    assert_eq!(voter.server.to_string(), "server.4=h1:2888:3888:participant;0.0.0.0:2181");
    assert_eq!((voter.current_epoch, voter.accepted_epoch, voter.epoch()), (5, 0x1_ffff, 0x2_0000));
    let wrong = |line| first_voter(Some(line)).expect_err(line);
    let old_id = wrong("server.2=h9:2888:3888:participant;2181");
    assert!(matches!(old_id, MeetsOldServers::OldId(..)), "{old_id}");
    assert!(first_voter(Some("server.0=h1:2889:3889:participant;2181")).is_ok());
    let old_place = wrong("server.0=H1:2889:3888:participant;2181");
    assert!(matches!(old_place, MeetsOldServers::OldAddress(..)), "{old_place}");
    let no_client = wrong("server.7=h9:2888:3888:participant");
    assert!(matches!(no_client, MeetsOldServers::NoClient(_)), "{no_client}");
}

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).expect("small")).expect("small")
    }
}

/// A server of a made-up ensemble: its current and accepted epoch, and the zxids in its log.
#[derive(Debug, Clone, Default)]
struct Made {
    epoch: u64,
    accepted: u64,
    log: Vec<u64>,
}

/// Rounds of an election by a quorum, its synchronisation, and writes that servers log up to where they
/// fail. Returns the servers, and what was acknowledged.
fn history(config: &Membership, dice: &mut Dice) -> (BTreeMap<ServerId, Made>, BTreeSet<u64>) {
    let all: Vec<ServerId> = config.voters().into_iter().collect();
    let mut servers: BTreeMap<ServerId, Made> =
        all.iter().map(|id| (*id, Made::default())).collect();
    let mut acknowledged = BTreeSet::new();
    for _ in 0..=dice.below(6) {
        let up: BTreeSet<ServerId> = all.iter().copied().filter(|_| dice.below(3) > 0).collect();
        if !config.is_quorum(&up) {
            continue;
        }
        let vote = |id: &ServerId| (servers[id].epoch, servers[id].log.last().copied(), *id);
        let leader = up.iter().map(vote).max().expect("a quorum").2;
        let epoch = up.iter().map(|id| servers[id].accepted).max().expect("a quorum") + 1;
        let log = servers[&leader].log.clone();
        let synced: BTreeSet<ServerId> = up
            .iter()
            .copied()
            .filter(|id| {
                servers.get_mut(id).expect("a server").accepted = epoch;
                *id == leader || dice.below(8) > 0
            })
            .collect();
        if !config.is_quorum(&synced) {
            continue;
        }
        let writes = dice.below(9);
        let mut logged: BTreeMap<u64, BTreeSet<ServerId>> = BTreeMap::new();
        for id in synced {
            let server = servers.get_mut(&id).expect("a server");
            (server.epoch, server.log) = (epoch, log.clone());
            let until = if dice.below(2) == 0 { writes } else { dice.below(writes + 1) };
            for count in 1..=u64::try_from(until).expect("small") {
                let zxid = (epoch << 32) | count;
                server.log.push(zxid);
                logged.entry(zxid).or_default().insert(id);
            }
        }
        acknowledged.extend(
            logged.into_iter().filter(|(_, by)| config.is_quorum(by)).map(|(zxid, _)| zxid),
        );
    }
    (servers, acknowledged)
}

/// 2,000 disasters: the choice is the highest, what was acknowledged and is lost lies above the bound that is
/// said, and where it is said that nothing is lost, nothing is.
#[test]
fn what_is_lost_lies_above_the_bound() {
    let (mut dice, mut with_loss, mut bounded) = (Dice(0x5eed), 0, 0);
    for round in 0..2000 {
        let count = 3 + dice.below(4);
        let mut text = voters(count);
        if round % 4 == 0 {
            let group: Vec<String> = (1..=count).map(|id| id.to_string()).collect();
            let weight = |id| format!("weight.{id}={}\n", 1 + dice.below(3));
            let weights: Vec<String> = (1..=count).map(weight).collect();
            text = format!("{text}group.1={}\n{}", group.join(":"), weights.concat());
        }
        let config = members(&text);
        let (servers, acknowledged) = history(&config, &mut dice);
        let left = servers.iter().filter(|_| dice.below(2) == 0);
        let left: Vec<Survivor> = left
            .map(|(id, made)| Survivor {
                accepted_epoch: Some(made.accepted),
                ..survivor(id.get(), made.epoch, made.log.last().copied().unwrap_or_default())
            })
            .collect();
        let best = left.iter().filter_map(|survivor| survivor.history).max();
        let of = assess(left, &text);
        let Standing::Lost { chosen: Some(chosen), losses: Some(losses), .. } = &of.standing else {
            continue;
        };
        assert_eq!(of.survivor(*chosen).and_then(|survivor| survivor.history), best, "{round}");
        let there: BTreeSet<u64> = servers[chosen].log.iter().copied().collect();
        let missing: Vec<&u64> = acknowledged.difference(&there).collect();
        let is_above = missing.iter().all(|zxid| **zxid > losses.after.zxid);
        assert!(is_above, "{round}: {missing:x?} {losses:x?} {servers:x?}");
        if losses.bound == LossBound::NothingAcknowledged {
            assert!(missing.is_empty(), "{round}: {missing:x?} {servers:x?}");
            bounded += 1;
        }
        with_loss += usize::from(!missing.is_empty());
    }
    assert!(with_loss > 100 && bounded > 50, "{with_loss} with losses, {bounded} bounded");
}
