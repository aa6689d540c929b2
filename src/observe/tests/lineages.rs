//! One ensemble, or two.

use super::fake::{FIRST, Fake, FakeEnsemble, at, config, server, voters};
use super::*;
use crate::ensemble::{Mode, NoAnswer};
use crate::observe::{Lineage, TargetEnsemble};

fn two(fake: &FakeEnsemble, question: &Question) -> [Lineage; 2] {
    match look(fake, question) {
        Err(ObserveError::TwoHistories { histories, .. }) => *histories,
        other => panic!("not two histories: {other:?}"),
    }
}

fn target(fake: &FakeEnsemble, question: &Question) -> (Lineage, TargetEnsemble) {
    match look(fake, question) {
        Err(ObserveError::TargetRuns { present, target }) => (*present, *target),
        other => panic!("no target before the merge: {other:?}"),
    }
}

fn sides(histories: &[Lineage; 2]) -> Vec<(Vec<i64>, bool)> {
    let members = |history: &Lineage| {
        history.config.membership.ids().into_iter().map(ServerId::get).collect()
    };
    let mut sides: Vec<_> = histories.iter().map(|h| (members(h), h.commits)).collect();
    sides.sort();
    sides
}

#[test]
fn an_old_leader_may_say_so_for_a_tick_after_a_hand_over() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| server.mode = Mode::Leader);
    fake.after(millis(200), |world| world.server(1, |server| server.mode = Mode::Follower));
    assert_eq!(seen(&fake, &contacts(&[1])).leader, Some(id(3)));
    is_noticed_after(&fake, 200);
}

#[test]
fn two_leaders_that_outlast_two_ticks_are_two_histories() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| {
        (server.mode, server.no_session) = (Mode::Leader, Some(NoAnswer::AnswerTimedOut));
    });
    let histories = two(&fake, &contacts(&[1]));
    assert_eq!(fake.waited.get(), millis(400));
    let leaders = histories.map(|h| (h.leader.and_then(|(id, _)| id), h.commits));
    assert_eq!(leaders, [(Some(id(1)), false), (Some(id(3)), true)]);
}

#[test]
fn a_fresh_ensemble_of_the_wanted_servers_is_the_target_before_the_merge() {
    let fake =
        FakeEnsemble::of(voters(&[1, 2, 3], FIRST).into_iter().chain(voters(&[4, 5, 6], FIRST)));
    let (present, target) = target(&fake, &wanting(contacts(&[1]), &[4, 5, 6]));
    let both = [present.clone(), target.history.clone()];
    assert_eq!(sides(&both), [(vec![1, 2, 3], true), (vec![4, 5, 6], true)]);
    assert_eq!((present.answered.len(), target.history.answered.len()), (3, 3));
    assert_eq!(target.wanted, [4, 5, 6].map(|number| (id(number), at(number))));
    assert_eq!(target.history.leader, Some((Some(id(6)), at(6))));
    assert_eq!((target.znodes, target.clients), (Some(5), Some(0)));
    // If both are contacts, nothing shows which one is meant.
    let both = two(&fake, &wanting(contacts(&[1, 4]), &[4, 5, 6]));
    assert_eq!(sides(&both), [(vec![1, 2, 3], true), (vec![4, 5, 6], true)]);
}

/// Servers 1 to 3 run an ensemble of their own at the addresses at which 4 to 6 are wanted.
fn with_former_life() -> FakeEnsemble {
    let mut own = voters(&[1, 2, 3], "200000007");
    for server in &mut own {
        server.at = at(server.id + 3);
        for number in [1, 2, 3] {
            server.config = server
                .config
                .replace(&format!("10.0.0.{number}:"), &format!("10.0.0.{}:", number + 3));
        }
    }
    FakeEnsemble::of(voters(&[1, 2, 3], FIRST).into_iter().chain(own))
}

#[test]
fn a_target_with_a_life_of_its_own_has_other_ids() {
    let fake = with_former_life();
    let question = wanting(contacts(&[1]), &[4, 5, 6]);
    let (_, alone) = target(&fake, &question);
    assert_eq!(alone.wanted.len(), 3);
    assert_eq!(alone.history.leader, Some((Some(id(3)), at(6))));
    fake.world.borrow_mut().servers[4].cons = " /10.1.1.1:4000[1](queued=0,sid=0x10,lop=PING)\n";
    let (_, used) = target(&fake, &question);
    assert_eq!(used.clients, Some(1));
}

/// An ensemble and its own retired servers have one identity: neither is the other's target.
#[test]
fn two_ensembles_of_one_identity_are_two_histories() {
    let fake = with_former_life();
    fake.world.borrow_mut().identity = Some("one");
    two(&fake, &wanting(contacts(&[1]), &[4, 5, 6]));
}

#[test]
fn a_resurrected_ensemble_may_have_the_higher_version() {
    let old = voters(&[1, 2, 3], "300000009");
    let fake = FakeEnsemble::of(voters(&[4, 5, 6], "200000001").into_iter().chain(old));
    let histories = two(&fake, &wanting(contacts(&[1, 2, 3]), &[4, 5, 6]));
    assert_eq!(sides(&histories), [(vec![1, 2, 3], true), (vec![4, 5, 6], true)]);
}

#[test]
fn joiners_that_elected_among_themselves_are_found_by_their_text() {
    // 4 and 5 got {3,4,5} and elected 5, which cannot be reached. 3 leads the real ensemble.
    let mut servers = voters(&[1, 2, 3], FIRST);
    servers.push(server(4, Mode::Follower, &config(&[3, 4, 5], FIRST)));
    let fake = FakeEnsemble::of(servers);
    let histories = two(&fake, &wanting(contacts(&[1]), &[4]));
    assert_eq!(sides(&histories), [(vec![1, 2, 3], true), (vec![3, 4, 5], true)]);
    assert_eq!(fake.waited.get(), millis(400));
}

#[test]
fn a_follower_of_a_leader_out_of_sight_is_another_history_where_it_cannot_follow_ours() {
    let mut servers = voters(&[1, 2, 3], "200000000");
    servers.push(server(4, Mode::Follower, &config(&[4, 5], FIRST)));
    let fake = FakeEnsemble::of(servers);
    let (_, target) = target(&fake, &wanting(contacts(&[1]), &[4]));
    assert_eq!((target.history.leader, target.wanted), (None, vec![(id(4), at(4))]));
}

#[test]
fn a_member_ahead_of_its_leader_is_of_another_history() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| server.config = config(&[1, 2, 3, 4], "100000009"));
    two(&fake, &contacts(&[1]));
}

#[test]
fn a_member_that_has_yet_to_activate_a_version_is_waited_for() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], "100000005"));
    fake.server(1, |server| server.config = config(&[1, 2, 3, 4], FIRST));
    fake.after(millis(100), |world| {
        world.server(1, |server| server.config = config(&[1, 2, 3], "100000005"));
    });
    let seen = seen(&fake, &contacts(&[1]));
    assert_eq!(status(&seen, 1), ServerStatus::Following);
    is_noticed_after(&fake, 100);
}

#[test]
fn a_member_that_never_activates_it_disagrees() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], "100000005"));
    fake.server(1, |server| server.config = config(&[1, 2, 3, 4], FIRST));
    let seen = seen(&fake, &contacts(&[1]));
    assert_eq!(status(&seen, 1), ServerStatus::OtherConfiguration);
    assert!(has(&seen, &FindingKind::MemberDisagrees, Some(1)));
    assert_eq!(seen.config.version.to_string(), "100000005");
    assert_eq!(fake.waited.get(), millis(400));
}

#[test]
fn a_member_without_reconfig_stays_at_version_zero() {
    let together = || {
        let all = voters(&[1, 2, 3], "100000005").into_iter();
        FakeEnsemble::of(
            all.map(|server| Fake { commits_with: Some(1), ..server }).collect::<Vec<_>>(),
        )
    };
    let fake = together();
    fake.server(2, |server| server.config = config(&[1, 2, 3], "0"));
    let seen = seen(&fake, &contacts(&[1]));
    assert!(seen.reconfig_disabled);
    assert_eq!(status(&seen, 2), ServerStatus::OwnFile);
    assert!(has(&seen, &FindingKind::MemberKeepsItsFile, Some(2)));
    // Its leader may be another one, out of sight.
    let fake = together();
    fake.server(2, |server| {
        server.config = config(&[1, 2, 3], "0");
        server.commits_with = None;
    });
    assert_eq!(status(&super::seen(&fake, &contacts(&[1])), 2), ServerStatus::Behind);
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], "0"));
    let all = super::seen(&fake, &contacts(&[1]));
    assert!(all.reconfig_disabled);
    assert_eq!(status(&all, 2), ServerStatus::Following);
}

#[test]
fn a_reconfig_during_the_survey_is_observed() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let newer: &'static str = config(&[1, 2, 3, 4], "100000005").leak();
    fake.world.borrow_mut().written = Some((-1, newer));
    // The words never catch up. The survey gives up and believes the servers.
    let seen = seen(&fake, &contacts(&[1]));
    assert_eq!(seen.config.version.to_string(), FIRST);
    assert_eq!(fake.sessions.get(), 3);
}

#[test]
fn a_second_leader_that_shows_no_configuration_does_not_count() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| {
        (server.mode, server.rich) = (Mode::Leader, false);
        server.no_session = Some(NoAnswer::AnswerTimedOut);
    });
    let seen = seen(&fake, &contacts(&[2]));
    assert_eq!(seen.leader, Some(id(3)));
    assert_eq!(status(&seen, 1), ServerStatus::Silent(NoAnswer::AnswerTimedOut));
}
