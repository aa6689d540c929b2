//! Rehearsed plans: the outcome of failures. Simulator and checker must agree on how many may fail.

use zkplan::apply::{RestartMissing, Wait};
use zkplan::check::CheckedPlan;
use zkplan::observe::{Facts, Obstacle};
use zkplan::proposal::{propose, propose_restarts};
use zkplan::rehearsal::{
    ApplyResult, Barred, Failure, Recovery, Rehearsal, RehearsalLimits, StuckServer, TargetKind,
    Unrehearsed, Writes, rehearse, summary,
};

use crate::example::{Example, Zones, id, lines, planned};

fn rehearsed(example: &Example) -> Rehearsal {
    rehearse(&example.planned(), RehearsalLimits::default()).expect("a rehearsal")
}

/// The outcome of the failure of one server at one moment.
fn failure<'a>(rehearsal: &'a Rehearsal, after: Option<&str>, server: i64) -> &'a Failure {
    let found = rehearsal.all().find(|(moment, failure)| {
        moment.after.as_ref().map(zkplan::plan::StepId::as_str) == after
            && !matches!(failure.who.what, TargetKind::Zone(_))
            && failure.who.servers.contains(&id(server))
    });
    found.expect("a failure that was rehearsed").1
}

fn waits_at(failure: &Failure) -> Option<&str> {
    match &failure.apply_result {
        ApplyResult::Waits { at, .. } => at.as_ref().map(zkplan::plan::StepId::as_str),
        _ => None,
    }
}

#[test]
fn a_joiner_that_dies_is_awaited_and_an_old_voter_that_dies_leaves_first() {
    let rehearsal = rehearsed(&Example::new("1 2 3", "4 5 6"));
    assert_eq!((rehearsal.moments.len(), rehearsal.played()), (7, 42));
    let joiner = failure(&rehearsal, None, 4);
    assert_eq!((joiner.writes, waits_at(joiner)), (Writes::Uninterrupted, Some("await-4")));
    let follower = failure(&rehearsal, Some("join-4"), 1);
    assert_eq!(
        (follower.writes, &follower.apply_result),
        (Writes::Uninterrupted, &ApplyResult::Completes)
    );
    let leader = failure(&rehearsal, Some("join-6"), 3);
    assert_eq!(leader.who.what, TargetKind::Leader);
    assert_eq!(
        (leader.writes, &leader.apply_result),
        (Writes::AfterElection, &ApplyResult::Completes)
    );
    assert_eq!(failure(&rehearsal, Some("leave-1"), 1).apply_result, ApplyResult::Completes);
    assert!(rehearsal.always_ends(), "{rehearsal:?}");
}

#[test]
fn a_voter_that_stays_and_dies_holds_up_the_removal_of_one_that_answers() {
    let rehearsal = rehearsed(&Example::new("1 2 3", "1 2 4"));
    let stays = failure(&rehearsal, Some("join-4"), 1);
    assert_eq!((stays.writes, waits_at(stays)), (Writes::Uninterrupted, Some("leave-3")));
    let ApplyResult::Waits { waits, .. } = &stays.apply_result else { panic!("{stays:?}") };
    assert!(waits.iter().any(|wait| matches!(wait, Wait::Down { server, .. } if *server == id(1))));
    assert!(rehearsal.always_ends(), "{rehearsal:?}");
}

#[test]
fn the_second_of_two_voters_takes_the_writes_with_it_and_brings_them_back() {
    let rehearsal = rehearsed(&Example::new("1", "1 2"));
    let joiner = failure(&rehearsal, Some("join-2"), 2);
    assert_eq!((joiner.writes, &joiner.recovery), (Writes::Stop, &Recovery::Resumed));
    assert_eq!(failure(&rehearsal, None, 2).writes, Writes::Uninterrupted);
}

#[test]
fn a_zone_of_one_server_of_three_can_be_cut_off() {
    let rehearsal = rehearsed(&Example::new("1 2 3", "1 2 4").zones(Zones::Three));
    let zones: Vec<&Failure> = rehearsal
        .all()
        .map(|(_, failure)| failure)
        .filter(|failure| matches!(failure.who.what, TargetKind::Zone(_)))
        .collect();
    assert_eq!(zones.len(), 9, "three zones at three moments");
    // Server 1 and joiner 4 share a zone: as two voters of four they are too many.
    let stops = zones.iter().filter(|failure| failure.writes == Writes::Stop).count();
    assert!(stops > 0, "{zones:?}");
    assert!(rehearsal.always_ends(), "{rehearsal:?}");
}

/// Checker and simulator share no arithmetic. Where the checker tolerates no failure, the failure
/// of some single voter stops writes in the simulator, and nowhere else. The same holds for zones.
#[test]
fn where_writes_go_on_apply_gets_its_session_from_those_that_are_left() {
    let rehearsal = rehearsed(&Example::new("1 2 3", "4 5 6").zones(Zones::Three));
    for (moment, failure) in rehearsal.all() {
        let ApplyResult::Waits { waits, .. } = &failure.apply_result else { continue };
        let has_session = !waits.contains(&Wait::Connection);
        assert_eq!(has_session, failure.writes != Writes::Stop, "{:?}: {failure:?}", moment.after);
    }
}

#[test]
fn a_server_that_is_down_and_moves_is_waited_for() {
    let checked = Example::new("1 2 3", "1p 2 3").down("1").planned();
    let rehearsed = rehearse(&checked, RehearsalLimits::default());
    assert_eq!(rehearsed, Err(Unrehearsed::Awaits([id(1)].into())));
}

#[test]
fn the_simulator_agrees_with_the_checker_at_every_moment() {
    let mut moments = 0;
    for (base, wanted, down) in [
        ("1 2 3", "4 5 6", ""),
        ("1 2 3", "1 2 4", "3"),
        ("1 2 3", "1 2", "3"),
        ("1 2 3", "1 2", ""),
        ("1 2", "1 2 3", ""),
        ("1", "1 2", ""),
        ("1", "1 2 3", ""),
        ("1 2 3 4 5", "1 2 3", "4 5"),
        ("1 2 3 4o", "1 2 3 4", ""),
        ("1 2 3", "1 2 3 4 5", ""),
        ("1 2 3", "1 2p 3", ""),
        ("1 2 3", "1 2 3o", ""),
        ("1g1 2g1 3g1 4g2 5g3", "1g1 2g1 3g1 4g2 5g3 6g2", ""),
        ("1g1 2g1 3g1 4g2 5g3", "1g1 2g1 6g1 4g2 5g3", ""),
        ("1g1 2g1 3g1 4g2 5g3", "2g1 3g1 4g2 5g3", "1"),
        ("1g1 2g1 3g1 4g2 5g2 6g2", "1g1 2g1 3g1 4g2 5g2 6g2 7g3", ""),
        ("1g1w3 2g1 3g1 4g1", "1g1w3 2g1 3g1 4g1 5g1w2", ""),
        ("1g1 2g1 3g1 4g1w0", "1g1 2g1 3g1 4g1w0 5g1w0", ""),
        ("1g1 2g1 3g1 4g1w0", "1g1 2g1 3g1", ""),
    ] {
        for zones in [Zones::None, Zones::Three] {
            let example = Example::new(base, wanted).down(down).zones(zones);
            let checked = example.planned();
            let rehearsal = rehearse(&checked, RehearsalLimits::default()).expect("a rehearsal");
            let what = format!("{base} -> {wanted}, {down} down, {zones:?}");
            assert!(rehearsal.always_ends(), "{what}: {rehearsal:?}");
            assert_eq!(rehearsal.played(), rehearsal.failures, "{what}");
            let report = checked.report();
            for moment in &rehearsal.moments {
                moments += 1;
                let row = report.rows.iter().find(|row| Some(&row.step) == moment.after.as_ref());
                let figures = row.map_or(&report.base, |row| &row.figures);
                let of_zone = |f: &&Failure| matches!(f.who.what, TargetKind::Zone(_));
                let stops = |zone: bool| {
                    let of = moment.failures.iter().filter(|f| of_zone(f) == zone);
                    of.filter(|failure| failure.writes == Writes::Stop).count() > 0
                };
                let here = format!("{what}, after {:?}: {moment:?}", moment.after);
                assert_eq!(stops(false), figures.votes.spare() == 0, "{here}");
                if let Some(window) = &figures.zone {
                    assert_eq!(stops(true), window.votes.spare() < 0, "{here}");
                }
            }
        }
    }
    assert!(moments > 60, "{moments} moments");
}

/// Server 4 has the highest id and weight 0: it leads after a hand-over, but no election makes it
/// the leader.
#[test]
fn in_a_weighted_ensemble_only_servers_with_weight_are_elected_and_needed() {
    let example = Example::new("1g1 2g1 3g1 4g1w0", "1g1 2g1 3g1 4g1w0 5g1");
    for leader in [None, Some(id(4))] {
        let facts = Facts { leader, ..example.facts() };
        let checked = propose(&example.target(), &facts, &[]).expect("a plan");
        let rehearsal = rehearse(&checked, RehearsalLimits::default()).expect("a rehearsal");
        let leads = leader.unwrap_or(id(3));
        assert_eq!(rehearsal.leader, Some(leads));
        for server in [3, 4] {
            let what = if id(server) == leads { TargetKind::Leader } else { TargetKind::Follower };
            let writes = if what == TargetKind::Leader {
                Writes::AfterElection
            } else {
                Writes::Uninterrupted
            };
            let failure = failure(&rehearsal, None, server);
            assert_eq!((&failure.who.what, failure.writes), (&what, writes), "{server}");
        }
        assert!(rehearsal.always_ends(), "{rehearsal:?}");
    }
    // Two groups: without the only server of the second one, one group is left.
    let rehearsal = rehearsed(&Example::new("1g1 2g1 3g1 4g2", "1g1 2g1 3g1 4g2 5g3"));
    let (alone, of_three) = (failure(&rehearsal, None, 4), failure(&rehearsal, None, 1));
    assert_eq!((alone.writes, of_three.writes), (Writes::Stop, Writes::Uninterrupted));
    assert_eq!(alone.recovery, Recovery::Resumed);
    assert_eq!(failure(&rehearsal, Some("join-5"), 4).writes, Writes::AfterElection);
}

#[test]
fn what_is_left_out_is_counted() {
    let checked = Example::new("1 2 3 4 5", "6 7 8 9 10").planned();
    let limits = RehearsalLimits { moments: 3, work: 1000 };
    let some = rehearse(&checked, limits).expect("a rehearsal");
    assert_eq!((some.of_moments, some.failures), (11, 110));
    assert!(some.played() < some.failures && some.moments.len() <= 3, "{some:?}");
    let beside = summary(&checked, 4000).expect("a part of a rehearsal");
    assert_eq!((beside.of_moments, beside.failures), (11, 110));
    assert!(beside.played() > 4 && beside.played() < beside.failures, "{beside:?}");
    assert_eq!(summary(&checked, 200), Err(Unrehearsed::TooMuch));
}

#[test]
#[expect(clippy::print_stdout, reason = "the time is its result")]
fn a_rehearsal_is_the_same_every_time() {
    let checked = Example::new("1 2 3", "4 5 6").planned();
    let began = std::time::Instant::now();
    let once = rehearse(&checked, RehearsalLimits::default());
    println!("3 onto new servers: {:?}", began.elapsed());
    assert_eq!(once, rehearse(&checked, RehearsalLimits::default()));
}

/// Servers without reconfigs, of which the last one leads, and the plan that switches them on. Without
/// a client part in the lines each server has its port in its own file.
fn switched_on(servers: i64, client: &str) -> CheckedPlan {
    let all = |client: &str| -> String {
        let line = |id| format!("server.{id}=10.0.0.{id}:2888:3888:participant{client}\n");
        (1..=servers).map(line).collect()
    };
    let (mut target, mut facts) = lines(all(client).trim(), &all(";2181"));
    target.settings.reconfig_enabled = true;
    facts.base.version = "0".parse().expect("a version");
    facts.leader = Some(id(servers));
    facts.obstacles = vec![Obstacle::ReconfigDisabled(facts.base.membership.ids())];
    planned(&target, &facts)
}

#[test]
fn restarts_wait_for_a_server_that_fails_and_are_finished_when_it_is_back() {
    for (servers, client) in [(3, ";2181"), (3, ""), (5, ";2181"), (5, "")] {
        let checked = switched_on(servers, client);
        let rehearsal = rehearse(&checked, RehearsalLimits::default()).expect("a rehearsal");
        let what = format!("{servers} servers, `{client}`: {rehearsal:?}");
        let count = usize::try_from(servers).expect("few");
        assert!(rehearsal.is_of_restarts && rehearsal.always_ends(), "{what}");
        let (moments, all) = (rehearsal.moments.len(), rehearsal.played());
        assert_eq!((moments, all, rehearsal.failures), (count + 1, all, all), "{what}");
        assert_eq!(all, count * (count + 1), "{what}");
        let stops = rehearsal.all().any(|(_, failure)| failure.writes == Writes::Stop);
        assert!(!stops, "one of them may fail between two restarts: {what}");
        let first = failure(&rehearsal, Some("restart-1"), 2);
        assert_eq!(waits_at(first), Some("restart-2"), "{first:?}");
        let ApplyResult::Waits { waits, .. } = &first.apply_result else { panic!("{first:?}") };
        let missing = RestartMissing::Role;
        assert_eq!(*waits, [Wait::Restart { server: Some(id(2)), missing }], "{first:?}");
        assert_eq!(first.recovery, Recovery::Resumed);
        let last = failure(&rehearsal, Some(&format!("restart-{servers}")), 1);
        assert_eq!(last.apply_result, ApplyResult::Completes);
    }
}

/// The followers have the new file when the leader dies: one of them leads, and the configuration gets
/// a version that the old file of the leader is not like.
#[test]
fn a_server_that_its_old_file_keeps_away_is_brought_back_by_its_restart() {
    let rehearsed = |client: &str| {
        let checked = switched_on(3, client);
        rehearse(&checked, RehearsalLimits::default()).expect("a rehearsal")
    };
    let own_ports = rehearsed("");
    let leader = failure(&own_ports, Some("restart-2"), 3);
    let stuck = StuckServer { server: id(3), why: Barred::CannotAdopt, is_cured: true };
    assert_eq!((&leader.stuck, &leader.recovery), (&vec![stuck], &Recovery::Resumed));
    assert_eq!(leader.writes, Writes::AfterElection);
    // With the same text it comes back, at version 0.
    assert!(rehearsed(";2181").all().all(|(_, failure)| failure.stuck.is_empty()));
}

#[test]
fn restarts_for_other_reasons_are_rehearsed_as_well() {
    let example = Example::new("1 2 3", "1 2 3").zones(Zones::Three);
    let all = example.facts().base.membership.ids();
    let checked = propose_restarts(&example.target(), &example.facts(), &[], &all);
    let checked = checked.expect("restarts").expect("a plan");
    let rehearsal = rehearse(&checked, RehearsalLimits::default()).expect("a rehearsal");
    assert_eq!((rehearsal.moments.len(), rehearsal.failures), (4, 24));
    assert!(rehearsal.always_ends(), "{rehearsal:?}");
    let beside = summary(&checked, 1000).expect("a part of a rehearsal");
    assert!(beside.played() > 4, "{beside:?}");
}
