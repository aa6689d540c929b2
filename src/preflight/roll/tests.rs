//! Rolls, sample by sample.

use super::super::fixture::Scene;
use super::*;
use crate::ensemble::NoAnswer;
use crate::model::{Membership, Server};
use crate::observe::{ServerObservation, ServerStatus};

fn id(number: i64) -> ServerId {
    ServerId::new(number)
}

/// Three servers that lack the user; server 3 leads, without reconfigs.
fn start() -> RollSample {
    let own = |number: i64| Sampled {
        status: if number == 3 { StateWord::Leads } else { StateWord::Follows },
        lacks: [CheckKind::Credential].into(),
        has: BTreeSet::new(),
        credential: CredentialWord::Refused,
        refused: false,
        tracker: Some(1),
        commits: true,
    };
    let mut sample = RollSample {
        servers: (1..=3).map(|number| (id(number), own(number))).collect(),
        leader: Some(id(3)),
        leader_enabled: Some(false),
        others: BTreeSet::new(),
        is_blocked: true,
    };
    of(&mut sample, 3).lacks.insert(CheckKind::ReconfigEnabled);
    sample
}

fn of(sample: &mut RollSample, number: i64) -> &mut Sampled {
    sample.servers.get_mut(&id(number)).expect("a server")
}

/// It is away: its port refuses.
fn down(sample: &RollSample, number: i64) -> RollSample {
    let mut sample = sample.clone();
    let own = of(&mut sample, number);
    (own.status, own.refused, own.commits) = (StateWord::NoAnswer, true, false);
    (own.tracker, own.credential) = (None, CredentialWord::NotFollowing);
    own.lacks.clear();
    sample
}

/// It is back with the new file.
fn renewed(sample: &RollSample, number: i64) -> RollSample {
    let mut sample = sample.clone();
    let own = of(&mut sample, number);
    (own.tracker, own.credential) = (Some(2), CredentialWord::Accepted);
    own.lacks.clear();
    own.has.insert(CheckKind::Credential);
    sample
}

fn next(advice: &RollAdvice) -> Option<(i64, bool, bool)> {
    match advice {
        RollAdvice::Restart { server, leads, forward, .. } => {
            Some((server.get(), *leads, *forward))
        }
        _ => None,
    }
}

fn missing(advice: &RollAdvice) -> Option<(Option<i64>, RollMissing)> {
    match advice {
        RollAdvice::Wait { server, missing, .. } => Some((server.map(ServerId::get), *missing)),
        _ => None,
    }
}

/// The servers that were restarted, what shows it, and whether with the old settings.
fn restarted(changes: &[RollChange]) -> Vec<(i64, RestartShownBy, bool)> {
    let restarted = changes.iter().filter_map(|change| match change {
        RollChange::Restarted { server, by, is_old, .. } => Some((server.get(), *by, *is_old)),
        RollChange::State { .. } => None,
    });
    restarted.collect()
}

#[test]
fn followers_come_first_and_the_next_waits_until_the_last_is_back() {
    let mut roll = Roll::default();
    let first = start();
    let (changes, advice) = roll.advance(first.clone());
    assert_eq!(changes.len(), 3, "the first sample names every server");
    assert_eq!(next(&advice), Some((1, false, false)));

    let (_, advice) = roll.advance(down(&first, 1));
    let away = RollMissing::Role(StateWord::NoAnswer);
    assert_eq!(missing(&advice), Some((Some(1), away)));

    let one = renewed(&first, 1);
    let mut mute = one.clone();
    of(&mut mute, 1).commits = false;
    let (changes, advice) = roll.advance(mute);
    assert_eq!(restarted(&changes), [(1, RestartShownBy::Refused, false)]);
    assert_eq!(missing(&advice), Some((Some(1), RollMissing::Commit)));
    let (_, advice) = roll.advance(one.clone());
    assert_eq!(missing(&advice), Some((Some(1), RollMissing::Again)));
    let (_, advice) = roll.advance(one.clone());
    assert_eq!(next(&advice), Some((2, false, true)), "the roll goes forward only");

    let two = renewed(&one, 2);
    roll.advance(down(&one, 2));
    roll.advance(two.clone());
    let (_, advice) = roll.advance(two.clone());
    assert_eq!(next(&advice), Some((3, true, true)), "the leader last");

    let mut three = renewed(&two, 3);
    of(&mut three, 2).status = StateWord::Leads;
    of(&mut three, 3).status = StateWord::Follows;
    (three.leader, three.leader_enabled, three.is_blocked) = (Some(id(2)), Some(true), false);
    let mut election = down(&two, 3);
    election.leader = None;
    let (_, advice) = roll.advance(election);
    assert_eq!(missing(&advice), Some((None, RollMissing::Leader)));
    roll.advance(three.clone());
    let (_, advice) = roll.advance(three);
    assert_eq!(advice, RollAdvice::AllSet);
}

/// It would be waited for in vain. While another server is away it may be needed for the quorum.
#[test]
fn a_server_that_came_back_without_the_setting_is_restarted_once_more() {
    let mut sample = renewed(&renewed(&start(), 2), 3);
    (sample.leader, sample.leader_enabled) = (Some(id(3)), Some(true));
    let own = of(&mut sample, 1);
    own.status = StateWord::OtherConfiguration;
    own.lacks = [CheckKind::ReconfigEnabled].into();
    let (_, advice) = Roll::default().advance(sample.clone());
    assert_eq!(next(&advice), Some((1, false, true)));
    let (_, advice) = Roll::default().advance(down(&sample, 2));
    let away = RollMissing::Role(StateWord::NoAnswer);
    assert_eq!(missing(&advice), Some((Some(2), away)));
    let own = of(&mut sample, 2);
    own.status = StateWord::OtherConfiguration;
    own.lacks = [CheckKind::ReconfigEnabled].into();
    let (_, advice) = Roll::default().advance(sample);
    assert_eq!(next(&advice), None, "both may acknowledge writes");
}

/// One that has the setting came to lead: the others acknowledge, with the server lines of their files.
#[test]
fn servers_that_follow_with_their_own_files_are_restarted_one_by_one() {
    let mut sample = renewed(&start(), 3);
    (sample.leader, sample.leader_enabled) = (Some(id(3)), Some(true));
    for number in [1, 2] {
        let own = of(&mut sample, number);
        own.status = StateWord::OwnFile;
        own.lacks.insert(CheckKind::ReconfigEnabled);
    }
    let (_, advice) = Roll::default().advance(sample);
    assert_eq!(next(&advice), Some((1, false, true)));
}

/// The superDigest was there before: nothing shows whether a follower has the new file while the
/// leader has the old one, but that it was restarted.
#[test]
fn a_follower_whose_file_does_not_show_is_restarted_once() {
    let mut first = start();
    for number in 1..=3 {
        let own = of(&mut first, number);
        own.lacks.remove(&CheckKind::Credential);
        own.credential = CredentialWord::Accepted;
    }
    let mut roll = Roll::default();
    assert_eq!(next(&roll.advance(first.clone()).1), Some((1, false, false)));
    roll.advance(down(&first, 1));
    let back = renewed(&first, 1);
    roll.advance(back.clone());
    assert_eq!(next(&roll.advance(back).1), Some((2, false, true)));
}

/// A watch that begins in the middle of a roll: what the first server has shows that it has the
/// new file.
#[test]
fn a_watch_that_begins_in_the_middle_goes_on_from_there() {
    let mut roll = Roll::default();
    let (_, advice) = roll.advance(renewed(&start(), 1));
    assert_eq!(next(&advice), Some((2, false, true)));
}

/// One of three is down and leaves: a restart of another one would take the quorum. Of five
/// servers, one that is down takes none.
#[test]
fn no_restart_is_advised_that_takes_the_quorum() {
    let mut scene = Scene::new();
    scene.target.servers.remove(&id(1));
    let silent = ServerStatus::Silent(NoAnswer::Refused);
    *scene.observed(1) = ServerObservation::blank(id(1), silent);
    let sampled = |scene: &Scene| RollSample::of(scene.view(), &scene.checks(), &BTreeSet::new());
    let sample = sampled(&scene);
    let (_, advice) = Roll::default().advance(sample);
    let away = RollMissing::Role(StateWord::NoAnswer);
    assert_eq!(missing(&advice), Some((Some(1), away)));

    for number in [5, 6] {
        let line = format!("server.{number}=10.0.0.{number}:2888:3888:participant;2181");
        let line = Server::parse_line(&line).expect("a line");
        let members = scene.seen.config.membership.servers().cloned().chain([line]);
        scene.seen.config.membership = Membership::of(members.collect::<Vec<_>>());
        let mut observed = scene.observed(2).clone();
        observed.id = id(number);
        scene.seen.servers.insert(id(number), observed);
    }
    assert!(!sampled(&scene).servers.contains_key(&id(1)), "four of five are up");
}

/// One lost connection is no restart: the session tracker is the same.
#[test]
fn a_refused_connection_alone_is_no_restart() {
    let mut roll = Roll::default();
    let first = start();
    roll.advance(first.clone());
    let mut refused = first.clone();
    of(&mut refused, 1).refused = true;
    let (changes, _) = roll.advance(refused);
    assert_eq!(changes, []);
    roll.advance(first.clone());
    assert_eq!(next(&roll.advance(first).1), Some((1, false, false)));
}

#[test]
fn what_no_restart_mends_is_named() {
    let mut sample = start();
    for own in sample.servers.values_mut() {
        own.lacks.clear();
    }
    (sample.leader_enabled, sample.others) =
        (Some(true), BTreeSet::from([CheckKind::ElectionPort]));
    let (_, advice) = Roll::default().advance(sample);
    let fail = BTreeSet::from([CheckKind::ElectionPort]);
    assert_eq!(advice, RollAdvice::Otherwise { fail });
}

/// The file was not edited, or another one counts: that is said, and the server is restarted again.
#[test]
fn a_server_that_came_back_with_the_old_settings_is_named() {
    let mut roll = Roll::default();
    let first = start();
    roll.advance(first.clone());
    roll.advance(down(&first, 1));
    let mut same = first.clone();
    of(&mut same, 1).tracker = Some(2);
    let (changes, _) = roll.advance(same.clone());
    assert_eq!(restarted(&changes), [(1, RestartShownBy::Refused, true)]);
    let (_, advice) = roll.advance(same.clone());
    assert_eq!(next(&advice), Some((1, false, false)), "nothing binds the roll to its end");

    roll.advance(down(&same, 1));
    let mut renewed = renewed(&same, 1);
    of(&mut renewed, 1).tracker = Some(3);
    let (changes, _) = roll.advance(renewed);
    assert_eq!(restarted(&changes), [(1, RestartShownBy::Refused, false)]);
}

/// It was restarted too quickly for its port to be seen closed, and looked for a leader before it followed.
#[test]
fn a_setting_that_came_while_it_was_away_shows_a_restart() {
    let mut roll = Roll::default();
    let first = start();
    roll.advance(first.clone());
    let mut away = first.clone();
    let own = of(&mut away, 1);
    own.status = StateWord::NotServing;
    own.lacks.clear();
    own.has.clear();
    roll.advance(away);
    let (changes, _) = roll.advance(renewed(&first, 1));
    assert_eq!(restarted(&changes), [(1, RestartShownBy::Setting, false)]);
}

/// A look takes time: it may end after a server was stopped that it had seen before.
#[test]
fn a_refusal_in_the_look_that_still_saw_the_server_is_no_restart() {
    let mut roll = Roll::default();
    let first = start();
    let mut unsure = first.clone();
    of(&mut unsure, 1).tracker = None;
    roll.advance(unsure);
    let mut refused = first.clone();
    of(&mut refused, 1).refused = true;
    let (changes, _) = roll.advance(refused);
    let by = |change: &RollChange| matches!(change, RollChange::Restarted { .. });
    assert!(!changes.iter().any(by), "{changes:?}");
    let (changes, _) = roll.advance(renewed(&first, 1));
    assert!(changes.iter().any(by), "{changes:?}");
}

/// The time without a listener was missed; the command has succeeded, and the tracker is another.
#[test]
fn a_command_that_succeeded_and_another_tracker_show_a_restart() {
    let mut roll = Roll::of_servers([id(1)].into());
    let first = start();
    roll.advance(first.clone());
    roll.was_commanded(id(1));
    roll.advance(first.clone());
    assert!(roll.restarted().is_empty(), "the command did nothing");
    roll.advance(renewed(&first, 1));
    assert_eq!(*roll.restarted(), [id(1)].into());
}
