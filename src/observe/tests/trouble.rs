//! Servers that do not answer, are behind, run alone, or are not the expected server.

use super::fake::{FIRST, Fake, FakeEnsemble, at, config, server, voters};
use super::*;
use crate::ensemble::{Mode, NoAnswer, PortState, ServerVersion};
use crate::model::{Endpoint, Zxid};
use crate::observe::{DataProof, Issue, JoinersRun, Tried};

#[test]
fn an_unreachable_contact_that_may_be_any_member_is_listed() {
    let silent_contacts = |voters: Vec<Fake>| {
        let fake = FakeEnsemble::of(voters);
        fake.server(2, |server| server.silent = Some(NoAnswer::AnswerTimedOut));
        seen(&fake, &contacts(&[1, 2, 3])).silent_contacts
    };
    let rich = voters(&[1, 2, 3], FIRST);
    let mut plain = rich.clone();
    for server in &mut plain {
        server.config = server.config.replace(";0.0.0.0:2181", "");
    }
    // With client addresses, the configuration shows which server each address belongs to.
    assert_eq!(silent_contacts(rich), []);
    let tried = Tried { endpoint: at(2), silence: NoAnswer::AnswerTimedOut };
    assert_eq!(silent_contacts(plain), [tried]);
}

#[test]
fn a_frozen_member_does_not_answer() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(2, |server| server.silent = Some(NoAnswer::AnswerTimedOut));
    let seen = seen(&fake, &contacts(&[1]));
    assert_eq!(status(&seen, 2), ServerStatus::Silent(NoAnswer::AnswerTimedOut));
    assert!(has(&seen, &FindingKind::MemberSilent, Some(2)));
    assert_eq!(fake.waited.get(), millis(0));
}

/// As servers do beyond `maxClientCnxns`.
#[test]
fn a_member_that_closes_connections_is_not_counted_and_not_called_down() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(2, |server| server.silent = Some(NoAnswer::Closed));
    let seen = seen(&fake, &contacts(&[1]));
    assert_eq!(status(&seen, 2), ServerStatus::Silent(NoAnswer::Closed));
    assert!(has(&seen, &FindingKind::MemberClosesConnections, Some(2)));
    assert!(!has(&seen, &FindingKind::MemberSilent, Some(2)));
}

#[test]
fn servers_that_keep_local_sessions_are_noted() {
    let found = |servers: &[i64]| FindingKind::LocalSessions { servers: ids(servers) };
    let look = |change: &dyn Fn(&FakeEnsemble)| {
        let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
        change(&fake);
        seen(&fake, &contacts(&[1]))
    };
    let none = look(&|_| {});
    assert!(!none.findings.iter().any(|f| matches!(f.kind, FindingKind::LocalSessions { .. })));
    // A server counts its clients' local sessions.
    let seen = look(&|fake| fake.server(2, |server| server.local_sessions = 1));
    assert!(has(&seen, &found(&[2]), None), "{:?}", seen.findings);
    // Without clients there, and before 3.6, the leader's `dump` shows them.
    let dump = "SessionTracker dump:\nLocal Session Sets (0)/(0):\nGlobal Sessions(0):\n";
    let seen = look(&|fake| fake.server(3, |server| server.dump = dump));
    assert!(has(&seen, &found(&[3]), None), "{:?}", seen.findings);
}

/// 206 MB that took a server 2.5 s to write: with 2 s for a learner, elections failed for 23.7 s.
#[test]
fn an_init_limit_that_is_too_low_for_the_data_is_found() {
    const MUCH: u64 = 206_000_000;
    let look = |bytes: u64, limits: [u64; 3], rich: bool| {
        let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
        for (id, limit) in (1..).zip(limits) {
            fake.server(id, |server| {
                (server.bytes, server.init_limit, server.tick_ms) = (bytes, limit, 200);
                (server.snapshot_ms, server.rich) = (bytes / 81_000, rich || id < 3);
            });
        }
        let found = seen(&fake, &contacts(&[1])).findings.into_iter().filter_map(|finding| {
            let FindingKind::InitLimitTooLow { servers, init_limit, needed, .. } = finding.kind
            else {
                return None;
            };
            Some((servers, init_limit, needed))
        });
        found.collect::<Vec<_>>()
    };
    let found = look(MUCH, [10, 85, 10], true);
    assert_eq!(found, [(ids(&[1, 3]), 10, 85)]);
    assert_eq!(look(MUCH, [10, 85, 20], true).len(), 2);
    assert_eq!(look(MUCH, [85, 85, 85], true), []);
    assert_eq!(look(20_000, [10, 10, 10], true), []);
    // The leader does not report how much there is.
    assert_eq!(look(MUCH, [10, 10, 10], false), []);
}

#[test]
fn a_member_that_looks_for_a_leader_does_not_serve() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(2, |server| server.silent = Some(NoAnswer::NotServing));
    assert_eq!(status(&seen(&fake, &contacts(&[1])), 2), ServerStatus::NotServing);
}

#[test]
fn a_lagging_follower_is_asked_again_before_it_is_behind() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| server.zxid = 0x1_0000_0001);
    fake.after(millis(20), |world| world.server(1, |server| server.zxid = 0x1_0000_0009));
    assert_eq!(status(&seen(&fake, &contacts(&[1])), 1), ServerStatus::Following);

    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| server.zxid = 0x1_0000_0001);
    assert_eq!(status(&seen(&fake, &contacts(&[1])), 1), ServerStatus::Behind);
    assert_eq!(fake.waited.get(), millis(400));
}

#[test]
fn a_higher_zxid_of_another_epoch_is_not_up_to_date() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| server.zxid = 0x2_0000_0001);
    assert_eq!(status(&seen(&fake, &contacts(&[1])), 1), ServerStatus::Behind);
}

#[test]
fn an_impostor_is_called_by_its_own_id() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(2, |server| server.at = at(99));
    let mut impostor = server(8, Mode::Follower, &config(&[1, 2, 3], FIRST));
    impostor.at = at(2);
    fake.world.borrow_mut().servers.push(impostor);
    let seen = seen(&fake, &contacts(&[1]));
    assert_eq!(status(&seen, 2), ServerStatus::AnswersAs(id(8)));
    assert_eq!(seen.strangers.len(), 1);
}

#[test]
fn a_voter_that_still_observes_is_not_counted() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| server.mode = Mode::Observer);
    assert_eq!(status(&seen(&fake, &contacts(&[1])), 1), ServerStatus::OtherConfiguration);
}

#[test]
fn a_server_that_keeps_its_id_to_itself_is_not_counted() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| {
        (server.rich, server.no_session) = (false, Some(NoAnswer::Closed));
    });
    assert_eq!(status(&seen(&fake, &contacts(&[1, 2])), 1), ServerStatus::Silent(NoAnswer::Closed));
}

#[test]
fn a_leader_that_lets_no_session_in_is_vouched_for_by_a_follower() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(3, |server| server.no_session = Some(NoAnswer::Closed));
    let seen = seen(&fake, &contacts(&[1]));
    assert!(seen.write_committed);
    assert_eq!(status(&seen, 3), ServerStatus::Leading);
}

#[test]
fn a_leader_without_a_quorum_commits_nothing() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    for number in [1, 2, 3] {
        fake.server(number, |server| server.no_session = Some(NoAnswer::AnswerTimedOut));
    }
    match look(&fake, &contacts(&[1])) {
        Err(ObserveError::NoCommit { leader, endpoint, tried }) => {
            assert_eq!((leader, endpoint, tried.len()), (id(3), at(3), 2));
            assert_eq!(fake.waited.get(), millis(0));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plain_leader_without_a_quorum_is_named_by_the_spec() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    for number in [1, 2, 3] {
        fake.server(number, |server| {
            (server.rich, server.no_session) = (false, Some(NoAnswer::AnswerTimedOut));
        });
    }
    let error = look(&fake, &wanting(contacts(&[1]), &[3])).expect_err("no ensemble");
    assert!(matches!(error, ObserveError::NoCommit { leader, .. } if leader == id(3)));
    let error = look(&fake, &contacts(&[1, 2])).expect_err("no ensemble");
    assert!(matches!(error, ObserveError::NoQuorum { tried, .. } if tried.len() == 2));
}

#[test]
fn followers_of_a_leader_out_of_reach_are_an_ensemble_where_writes_commit() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(3, |server| server.silent = Some(NoAnswer::ConnectTimedOut));
    let seen = seen(&fake, &contacts(&[1]));
    assert_eq!((seen.leader, seen.leader_zxid), (None, None));
    // No server's zxid can be compared.
    assert_eq!(status(&seen, 1), ServerStatus::Behind);
}

#[test]
fn nobody_answers() {
    let fake = FakeEnsemble::of([]);
    match look(&fake, &contacts(&[1, 2])) {
        Err(ObserveError::Unreachable { tried }) => {
            assert!(tried.iter().all(|one| one.silence == NoAnswer::Refused));
            assert_eq!(tried.len(), 2);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn servers_without_a_leader_are_no_quorum() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    for number in [1, 2, 3] {
        fake.server(number, |server| server.silent = Some(NoAnswer::NotServing));
    }
    let error = look(&fake, &contacts(&[1])).expect_err("no ensemble");
    assert!(matches!(error, ObserveError::NoQuorum { .. }));
}

#[test]
fn without_a_quorum_voters_are_distinguished_from_joiners() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| server.silent = Some(NoAnswer::NotServing));
    for number in [2, 3] {
        fake.server(number, |server| server.silent = Some(NoAnswer::Refused));
    }
    let seen = |question: &Question| match look(&fake, question) {
        Err(ObserveError::NoQuorum { tried, voteless, unclear }) => {
            assert!(tried.iter().any(|one| one.endpoint == at(4)), "{tried:?}");
            (voteless, unclear)
        }
        other => panic!("{other:?}"),
    };
    // No server serves, so only `connect` shows the members.
    let some = wanting(contacts(&[1, 2]), &[1, 2, 3, 4]);
    assert_eq!(seen(&some), (vec![], vec![at(3), at(4)]));
    // One server follows, and no leader commits: its configuration counts.
    fake.server(1, |server| {
        (server.silent, server.no_session) = (None, Some(NoAnswer::AnswerTimedOut));
    });
    assert_eq!(seen(&some), (vec![at(4)], vec![]));
}

#[test]
fn the_survey_waits_for_a_hand_over_without_a_serving_server() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    for number in [1, 2, 3] {
        fake.server(number, |server| server.silent = Some(NoAnswer::NotServing));
    }
    fake.after(millis(1000), |world| {
        for server in &mut world.servers {
            server.silent = None;
        }
        world.server(3, |server| server.no_session = Some(NoAnswer::Closed));
        world.server(1, |server| server.no_session = Some(NoAnswer::Closed));
    });
    fake.after(millis(1450), |world| world.server(3, |server| server.no_session = None));
    assert_eq!(seen(&fake, &contacts(&[1, 2, 3])).leader, Some(id(3)));
    is_noticed_after(&fake, 1450);
}

#[test]
fn a_release_before_reconfig_is_refused_by_its_number() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(2, |server| server.version = "3.4.14-4c25d480e66aadd371de8bd2fd8da255ac140bcf");
    let error = look(&fake, &contacts(&[1, 2, 3])).expect_err("no plan");
    let old = ServerVersion::new(3, 4, 14);
    assert!(matches!(error, ObserveError::TooOld { version, .. } if version == old), "{error}");
}

/// Another ensemble uses the same ids at other addresses, and has an older version than ours.
#[test]
fn a_contact_in_another_ensemble_with_the_same_ids_is_two_histories() {
    let mut servers = voters(&[1, 2, 3], "200000004");
    let theirs = config(&[1, 2, 3], FIRST).replace("10.0.0.", "10.9.0.");
    let mut stranger = server(2, Mode::Follower, &theirs);
    stranger.at = Endpoint::plain(Host::new("10.9.0.2"), 2181);
    let contact = stranger.at.clone();
    servers.push(stranger);
    let fake = FakeEnsemble::of(servers);
    let question = Question::of_contacts(vec![at(1), contact]);
    let error = look(&fake, &question).expect_err("two histories");
    assert!(matches!(error, ObserveError::TwoHistories { .. }), "{error}");
}

#[test]
fn a_standalone_contact_is_no_ensemble() {
    let fake = FakeEnsemble::of([server(1, Mode::Standalone, "")]);
    let error = look(&fake, &contacts(&[1])).expect_err("no ensemble");
    assert!(matches!(error, ObserveError::Standalone { endpoint } if endpoint == at(1)));
}

/// Two empty servers that elected each other with the lines of three are no ensemble of the server with
/// the data.
#[test]
fn empty_servers_beside_a_standalone_one_with_data_are_no_ensemble_of_its() {
    let mut servers = voters(&[1, 2, 3], FIRST);
    (servers[0].mode, servers[0].config, servers[0].znodes) =
        (Mode::Standalone, String::new(), 100);
    let fake = FakeEnsemble::of(servers);
    let met = |question: &Question| look(&fake, question).expect_err("no ensemble");
    let error = met(&contacts(&[1]));
    assert!(matches!(error, ObserveError::Standalone { endpoint } if endpoint == at(1)));
    // Once the others have data, the standalone one is a member with another file.
    for id in [2, 3] {
        fake.server(id, |server| server.znodes = 50);
    }
    let seen = seen(&fake, &contacts(&[1, 2]));
    assert_eq!(status(&seen, 1), ServerStatus::Standalone);
}

#[test]
fn a_standalone_member_or_joiner_is_just_not_healthy() {
    let mut servers = voters(&[1, 2, 3], FIRST);
    servers[0].mode = Mode::Standalone;
    servers.push(server(4, Mode::Standalone, ""));
    let fake = FakeEnsemble::of(servers);
    let seen = seen(&fake, &wanting(contacts(&[1, 2]), &[4]));
    assert_eq!(status(&seen, 1), ServerStatus::Standalone);
    assert_eq!(status(&seen, 4), ServerStatus::Standalone);
}

#[test]
fn a_read_only_server_is_not_healthy() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| server.mode = Mode::ReadOnly);
    assert_eq!(status(&seen(&fake, &contacts(&[1, 2])), 1), ServerStatus::ReadOnly);
}

#[test]
fn a_configuration_written_by_hand_is_found_and_not_believed() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    for (version, text) in [(0, "garbage"), (3, "server.9=evil:1:2\nversion=500000000")] {
        fake.world.borrow_mut().written = Some((version, text));
        let seen = seen(&fake, &contacts(&[1]));
        assert!(has(&seen, &FindingKind::ConfigWritten, None), "{text}");
        assert_eq!(seen.config.membership.ids(), ids(&[1, 2, 3]));
    }
}

#[test]
fn a_plain_ensemble_with_garbage_for_a_configuration_cannot_be_read() {
    let mut servers = voters(&[1, 2, 3], FIRST);
    for server in &mut servers {
        server.rich = false;
    }
    let fake = FakeEnsemble::of(servers);
    fake.world.borrow_mut().written = Some((0, "garbage"));
    let error = look(&fake, &contacts(&[1, 2, 3])).expect_err("no ensemble");
    assert!(matches!(error, ObserveError::UnreadableConfig { .. }));
}

#[test]
fn ports_are_checked() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.world.borrow_mut().knocks.extend([
        (("10.0.0.1".into(), 2888), PortState::Unreachable),
        (("10.0.0.2".into(), 2888), PortState::Refused),
        (("10.0.0.2".into(), 3888), PortState::Refused),
    ]);
    let seen = seen(&fake, &contacts(&[1]));
    assert!(has(&seen, &FindingKind::QuorumPortUnreachable, Some(1)));
    assert!(!has(&seen, &FindingKind::QuorumPortUnreachable, Some(2)));
    assert!(has(&seen, &FindingKind::ElectionPortClosed, Some(2)));
}

#[test]
fn data_that_differs_and_mismatches_are_found() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| (server.hash, server.digest_mismatches) = ("100000080: 77\n", 2));
    fake.server(2, |server| server.hash = "100000080: -5\n100000100: 6\n");
    fake.server(3, |server| server.hash = "100000080: -5\n");
    let seen = seen(&fake, &contacts(&[1]));
    assert!(has(&seen, &FindingKind::DataDiffers, Some(1)));
    assert!(has(&seen, &FindingKind::DigestMismatches { count: 2 }, Some(1)));
    assert!(!has(&seen, &FindingKind::DataDiffers, Some(2)));
}

/// A server that copied its data during writes lists wrong digests of that time. A survey cannot
/// distinguish them from other data, unless the figures at one zxid differ too.
#[test]
fn a_digest_that_differs_is_no_proof_if_the_figures_are_equal() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3, 4], FIRST));
    fake.server(1, |server| server.hash = "100000080: 77\n100000100: 6\n");
    fake.server(2, |server| server.hash = "100000080: -5\n100000100: 77\n");
    fake.server(3, |server| (server.hash, server.znodes) = ("100000100: 77\n", 4));
    fake.server(4, |server| server.hash = "100000080: -5\n100000100: 6\n");
    let seen = seen(&fake, &contacts(&[1]));
    let compared = |number| seen.servers[&id(number)].data.compared.clone();
    let zxid = Zxid::new(0x1_0000_0100);
    assert_eq!(compared(1), Some(DataProof::Digest(zxid)), "the newest decides");
    assert_eq!(compared(2), Some(DataProof::DigestDiffers(zxid)));
    assert_eq!(compared(3), Some(DataProof::Differ), "a znode is missing at the same zxid");
    for (number, differs) in [(1, false), (2, false), (3, true), (4, false)] {
        assert_eq!(has(&seen, &FindingKind::DataDiffers, Some(number)), differs, "{number}");
    }
}

/// It finished its sync while a reconfig committed: the configuration in its znode is not in force.
#[test]
fn a_configuration_that_is_not_in_force_is_distinguished_from_another_one() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], "100000009"));
    fake.server(1, |server| {
        server.held = Some(std::mem::replace(&mut server.config, config(&[1, 2, 3], FIRST)));
    });
    let seen = seen(&fake, &contacts(&[2]));
    assert_eq!(status(&seen, 1), ServerStatus::ConfigNotInForce);
    assert!(has(&seen, &FindingKind::ConfigNotInForce, Some(1)));
    assert!(!has(&seen, &FindingKind::MemberDisagrees, Some(1)));
}

/// The reconfig commits between reading `conf` and reading the znode: no server has missed
/// anything.
#[test]
fn a_server_that_activates_a_configuration_meanwhile_missed_none() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], "100000009"));
    let new = config(&[1, 2, 3], "100000009");
    fake.server(1, |server| {
        server.config = config(&[1, 2, 3], FIRST);
        server.config_after_read = Some(new);
    });
    assert_eq!(status(&seen(&fake, &contacts(&[2])), 1), ServerStatus::Following);
}

#[test]
fn releases_are_compared_and_known_bugs_named() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| server.version = "3.9.3-c26634f34490bb0ea7a09cc51e05ede3b4e320ee");
    let seen = seen(&fake, &contacts(&[1]));
    let (lowest, highest) = (ServerVersion::new(3, 8, 0), ServerVersion::new(3, 9, 3));
    assert!(has(
        &seen,
        &FindingKind::MixedVersions { lowest, highest, joiners: JoinersRun::AsMembers },
        None
    ));
    let bug = |version, issue| FindingKind::KnownBug { version, issue };
    assert!(has(&seen, &bug(highest, Issue::Zk4925), Some(1)));
    assert!(has(&seen, &bug(lowest, Issue::Zk4785), Some(2)));
}

#[test]
fn hostile_and_wildcard_hosts_and_strange_ids_are_found() {
    let hostile = Host::new("zk\u{1b}[2J");
    let wildcard = Host::new("0.0.0.0");
    let text = format!(
        "{}\nserver.0={hostile}:1:2:participant\nserver.9={wildcard}:1:2:participant\nversion={FIRST}",
        fake::line(1)
    );
    let fake = FakeEnsemble::of([server(1, Mode::Leader, &text)]);
    let seen = seen(&fake, &contacts(&[1]));
    assert!(has(&seen, &FindingKind::HostileName { host: hostile }, Some(0)));
    assert!(has(&seen, &FindingKind::UnwantableId, Some(0)));
    assert!(has(&seen, &FindingKind::WildcardHost { host: wildcard }, Some(9)));
}

/// After a change of leader every follower is away for a moment.
#[test]
fn a_member_that_is_away_for_a_moment_is_asked_once_more() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let question = contacts(&[1, 2, 3]);
    run(observe_confirmed(&fake, &question)).expect("an ensemble");
    assert_eq!(fake.waited.get(), Duration::ZERO, "all members are up");
    fake.server(2, |server| server.silent = Some(NoAnswer::Refused));
    fake.after(millis(500), |world| world.server(2, |server| server.silent = None));
    let seen = run(observe_confirmed(&fake, &question)).expect("an ensemble");
    assert_eq!(status(&seen, 2), ServerStatus::Following);
}
