//! The facts and findings for planning.

use std::collections::BTreeMap;

use super::fake::{FIRST, FakeEnsemble, at, config, server, voters};
use super::*;
use crate::ensemble::{FourLetterWord, Mode, NoAnswer, ServerVersion};
use crate::model::{
    AddAs, ClientAddress, Connect, Endpoint, EnsembleConfig, ReuseIds, Server, StandaloneEnabled,
    Target,
};
use crate::observe::{
    ByCounts, DataProof, Facts, Finding, Issue, JoinersRun, NoDigests, NotShown, Obstacle,
    OwnPorts, WithoutDigests, prove_data,
};

fn target(lines: &[&str]) -> Target {
    let servers = lines.iter().map(|line| Server::parse_line(line).expect("a server line"));
    let connect = Connect { servers: vec!["10.0.0.1:2181".into()], ..Connect::default() };
    Target { connect, ..Target::of("test", servers) }
}

fn wanted(numbers: &[i64]) -> Target {
    let lines: Vec<String> = numbers.iter().map(|number| fake::line(*number)).collect();
    target(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn facts(fake: &FakeEnsemble, target: &Target) -> Facts {
    Facts::of(&seen(fake, &Question::of(target)), target)
}

#[test]
fn healthy_members_and_joiners_are_counted() {
    let mut servers = voters(&[1, 2, 3], FIRST);
    servers.push(server(4, Mode::Follower, &config(&[1, 2, 3], FIRST)));
    let fake = FakeEnsemble::of(servers);
    fake.server(2, |server| server.zxid = 1);
    let facts = facts(&fake, &wanted(&[2, 3, 4, 5]));
    assert_eq!(facts.synced, ids(&[1, 3]));
    assert_eq!(facts.following, ids(&[4]));
    assert_eq!(facts.leader, Some(id(3)));
    assert_eq!((facts.obstacles, facts.assumed), (vec![], false));
    let even = Finding { kind: FindingKind::EvenVoters { voters: 4 }, server: None };
    assert!(facts.findings.contains(&even));
    assert_eq!(facts.resolved["10.0.0.5"], ["10.0.0.5"]);
}

#[test]
fn a_joiner_on_other_ports_or_elsewhere_cannot_be_named() {
    let joiner = || server(4, Mode::Follower, &config(&[1, 2, 3], FIRST));
    let mut elsewhere = joiner();
    elsewhere.at = Endpoint::plain(Host::new("10.0.0.77"), 2181);
    let mut target = wanted(&[4]);
    target.connect.servers.push("10.0.0.77:2181".into());
    let servers = voters(&[1, 2, 3], FIRST).into_iter();
    let fake = FakeEnsemble::of(servers.clone().chain([elsewhere]));
    assert_eq!(facts(&fake, &target).following, ids(&[]));
    let fake = FakeEnsemble::of(servers.chain([joiner()]));
    assert_eq!(facts(&fake, &target).following, ids(&[4]));
    fake.server(4, |server| server.election_port = 3999);
    let facts = facts(&fake, &target);
    assert_eq!(facts.following, ids(&[]));
    let own = OwnPorts { quorum: vec![2888], election: vec![3999] };
    let differ = Finding { kind: FindingKind::PortsDiffer { own }, server: Some(id(4)) };
    assert!(facts.findings.contains(&differ));
}

#[test]
fn reasons_against_any_plan_are_obstacles() {
    let mut servers = voters(&[1, 2, 3], "100000005");
    servers[0].config = config(&[1, 2, 3], "0");
    servers.push(server(4, Mode::Standalone, ""));
    let mut other = server(9, Mode::Follower, &config(&[1, 2, 3], "100000005"));
    other.at = at(5);
    servers.push(other);
    servers.push(server(6, Mode::Observer, &config(&[3, 6], "0")));
    let facts = facts(&FakeEnsemble::of(servers), &wanted(&[3, 4, 5, 6]));
    assert_eq!(
        facts.obstacles,
        [
            Obstacle::ReconfigDisabled(ids(&[1])),
            Obstacle::WantedStandalone(id(4)),
            Obstacle::WantedAnswersAs(id(5), id(9)),
            Obstacle::WantedElsewhere(id(6)),
        ]
    );
}

#[test]
fn a_server_that_takes_one_connection_is_an_obstacle() {
    let obstacles = |change: &dyn Fn(&FakeEnsemble)| {
        let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
        change(&fake);
        facts(&fake, &wanted(&[1, 3])).obstacles
    };
    // 0 is any number.
    for enough in [0, 2, 60] {
        let set = |fake: &FakeEnsemble| fake.server(2, |s| s.max_client_connections = enough);
        assert_eq!(obstacles(&set), [], "{enough}");
    }
    let found = obstacles(&|fake| fake.server(2, |server| server.max_client_connections = 1));
    assert_eq!(found, [Obstacle::TakesOneConnection(id(2), Some(1))]);
    // Clients of the same address have the others.
    let seen = obstacles(&|fake| fake.server(2, |server| server.takes_one = true));
    assert_eq!(seen, [Obstacle::TakesOneConnection(id(2), Some(60))]);
}

#[test]
fn a_member_with_another_id_is_an_obstacle() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(2, |server| server.id = 8);
    let facts = facts(&fake, &wanted(&[1, 3]));
    assert_eq!(facts.obstacles, [Obstacle::MemberAnswersAs(id(2), id(8))]);
}

#[test]
fn a_member_re_addressed_in_place_is_the_same_machine() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let moved = target(&["server.2=10.0.0.2:2999:3999:participant;2182"]);
    assert!(facts(&fake, &moved).other_machine.is_empty());
}

#[test]
fn a_second_process_with_the_same_id_is_another_machine() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let mut second = server(2, Mode::Follower, &config(&[1, 2, 3], FIRST));
    second.at = Endpoint::plain(Host::new("10.0.0.2"), 2182);
    fake.world.borrow_mut().servers.push(second);
    let moved = target(&["server.2=10.0.0.2:2999:3999:participant;2182"]);
    assert_eq!(facts(&fake, &moved).other_machine, ids(&[2]));
}

#[test]
fn another_host_is_another_machine_unless_it_resolves_alike() {
    let renamed = target(&["server.2=zk2:2888:3888:participant;2181"]);
    let at = |address: [u8; 4]| vec![address.into()];
    for (addresses, expected) in [(at([10, 0, 0, 2]), ids(&[])), (at([10, 0, 0, 77]), ids(&[2]))] {
        let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
        fake.world.borrow_mut().names.insert("zk2", addresses);
        assert_eq!(facts(&fake, &renamed).other_machine, expected);
    }
}

fn not_shown(facts: &Facts, number: i64) -> Option<NotShown> {
    facts.findings.iter().find_map(|finding| match finding.kind {
        FindingKind::MachineNotShown { because, .. } if finding.server == Some(id(number)) => {
            Some(because)
        }
        _ => None,
    })
}

/// Unknown is neither another machine nor the same: the operator must decide.
#[test]
fn where_a_name_does_not_resolve_the_machine_is_not_known() {
    let mut renamed = target(&["server.2=zk2:2888:3888:participant;2181"]);
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let unknown = facts(&fake, &renamed);
    assert_eq!(unknown.other_machine, ids(&[]));
    assert_eq!(not_shown(&unknown, 2), Some(NotShown::WantedHost));
    renamed.policy.reuse_ids = ReuseIds::Blank;
    let blank = facts(&fake, &renamed);
    assert_eq!((blank.other_machine.clone(), not_shown(&blank, 2)), (ids(&[2]), None));

    // A trailing dot marks a complete name.
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let dotted =
        |server: &mut fake::Fake| server.config = server.config.replace("10.0.0.2:", "zk2:");
    for number in [1, 2, 3] {
        fake.server(number, dotted);
    }
    fake.server(2, |server| server.at.host = Host::new("zk2"));
    let dot = facts(&fake, &target(&["server.2=zk2.:2888:3888:participant;2181"]));
    assert_eq!((dot.other_machine.clone(), not_shown(&dot, 2)), (ids(&[]), None));
}

/// The line of server 2 in a configuration that its own file gave to all servers.
fn with_wildcard() -> FakeEnsemble {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let wild = |server: &mut fake::Fake| {
        server.config = server.config.replace("10.0.0.2:2888", "0.0.0.0:2888");
    };
    for number in [1, 2, 3] {
        fake.server(number, wild);
    }
    fake
}

#[test]
fn who_answers_where_a_wildcard_is_to_get_its_host_stays_on_its_machine() {
    let target = wanted(&[1, 2, 3]);
    let follows = facts(&with_wildcard(), &target);
    assert_eq!((follows.other_machine.clone(), not_shown(&follows, 2)), (ids(&[]), None));

    // The other servers cannot connect to it, so it looks for a leader.
    let fake = with_wildcard();
    fake.server(2, |server| server.silent = Some(NoAnswer::NotServing));
    let looks = facts(&fake, &target);
    assert_eq!(looks.other_machine, ids(&[]));
    assert_eq!(not_shown(&looks, 2), Some(NotShown::NoAnswer));
    assert_eq!(looks.synced, ids(&[1, 3]));

    let fake = with_wildcard();
    fake.server(2, |server| (server.mode, server.config) = (Mode::Standalone, String::new()));
    assert_eq!(facts(&fake, &target).other_machine, ids(&[2]));
}

#[test]
fn a_member_that_follows_at_its_new_address_alone_is_the_same_machine() {
    let moved = target(&["server.2=10.0.0.77:2888:3888:participant;2181"]);
    let elsewhere = Endpoint::plain(Host::new("10.0.0.77"), 2181);
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(2, |server| server.at = elsewhere.clone());
    assert_eq!(facts(&fake, &moved).other_machine, ids(&[]));
    // At both, they may be two.
    let mut old = server(2, Mode::Follower, &config(&[1, 2, 3], FIRST));
    old.at = at(2);
    fake.world.borrow_mut().servers.push(old);
    assert_eq!(facts(&fake, &moved).other_machine, ids(&[2]));
}

#[test]
fn members_without_a_client_part_are_confirmed_where_they_answer() {
    let text = "server.1=10.0.0.1:2888:3888:participant\n\
                server.2=10.0.0.2:2888:3888:participant\nversion=100000000";
    let mut servers = vec![server(1, Mode::Leader, text), server(2, Mode::Follower, text)];
    for server in &mut servers {
        server.rich = false;
    }
    servers[1].at = Endpoint::plain(Host::new("10.0.0.2"), 2999);
    let facts = facts(&FakeEnsemble::of(servers), &wanted(&[1, 2]));
    assert_eq!(facts.client_confirmed, ids(&[1]));
    assert_eq!(facts.synced, ids(&[1]));
}

#[test]
fn unknown_zones_are_reported_if_any_is_known() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let mut target = wanted(&[3]);
    let unknown = |facts: &Facts| -> Vec<Option<ServerId>> {
        let findings = facts.findings.iter();
        findings.filter(|f| f.kind == FindingKind::ZoneUnknown).map(|f| f.server).collect()
    };
    assert_eq!(unknown(&facts(&fake, &target)), []);
    target.zones = [(id(3), "a".into()), (id(1), "b".into())].into();
    let facts = facts(&fake, &target);
    assert_eq!(unknown(&facts), [Some(id(2))]);
    assert_eq!(facts.zones.len(), 2);
}

#[test]
fn one_voter_is_possible_where_one_leads_alone_or_the_operator_knows() {
    let alone = FakeEnsemble::of(voters(&[1], FIRST));
    assert!(facts(&alone, &wanted(&[1])).standalone_disabled);
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let mut target = wanted(&[3]);
    assert!(!facts(&fake, &target).standalone_disabled);
    target.policy.standalone_enabled = StandaloneEnabled::False;
    assert!(facts(&fake, &target).standalone_disabled);
}

#[test]
fn a_configuration_from_a_file_is_assumed_to_be_healthy() {
    let base = EnsembleConfig::parse(&config(&[1, 2, 3], FIRST)).expect("a configuration");
    let moved = target(&[
        "server.1=10.0.0.9:2888:3888:participant;2181",
        "server.2=zk2:2888:3888:participant;2181",
        "server.4=10.0.0.4:2888:3888:participant;2181",
    ]);
    let facts = Facts::assumed(base, &moved);
    assert!(facts.assumed);
    assert_eq!((facts.leader, facts.synced), (None, ids(&[1, 2, 3])));
    assert_eq!((facts.following, facts.resolved.len()), (ids(&[]), 0));
    assert_eq!(facts.other_machine, ids(&[1]));
    let disabled = EnsembleConfig::parse(&config(&[1], "0")).expect("a configuration");
    assert_eq!(Facts::assumed(disabled, &moved).obstacles, [Obstacle::ReconfigDisabled(ids(&[]))]);
}

#[test]
fn a_question_asks_the_secure_port_where_certificates_are_given() {
    let mut target = wanted(&[4, 5]);
    let pem = |name: &str| name.into();
    target.connect.tls = Some(crate::model::Tls { ca: pem("ca.pem"), cert: None, key: None });
    target.servers.get_mut(&id(4)).expect("wanted").secure_client_port = Some(2281);
    target.servers.get_mut(&id(5)).expect("wanted").server.client =
        Some(ClientAddress::on_all_addresses(2181));
    let question = Question::of(&target);
    let asked = |number| question.wanted[&id(number)].endpoint.clone().expect("an endpoint");
    assert_eq!((asked(4).port, asked(4).tls), (2281, true));
    assert_eq!((asked(5).port, asked(5).tls), (2181, false));
    assert!(question.contacts[0].tls);
}

/// Apply gives it no vote, so its data are no risk to accept.
#[test]
fn other_data_of_a_joiner_are_an_obstacle_and_those_of_a_member_a_finding() {
    let mut servers = voters(&[1, 2, 3], FIRST);
    servers.push(server(4, Mode::Follower, &config(&[1, 2, 3], FIRST)));
    for server in &mut servers {
        server.hash = "100000080: 6\n";
    }
    let fake = FakeEnsemble::of(servers);
    for number in [1, 4] {
        fake.server(number, |server| (server.hash, server.znodes) = ("100000080: 77\n", 4));
    }
    let facts = facts(&fake, &wanted(&[1, 2, 3, 4]));
    assert_eq!(facts.obstacles, [Obstacle::WantedDataDiffer(id(4))]);
    let differ = facts.findings.iter().filter(|finding| finding.kind == FindingKind::DataDiffers);
    assert_eq!(differ.map(|finding| finding.server).collect::<Vec<_>>(), [Some(id(1))]);
}

/// A bug that every release of the line has is reported only if the change triggers it.
#[test]
fn a_bug_without_a_fix_is_reported_if_the_change_triggers_it() {
    let found = |named: bool, wants: &[i64]| -> Vec<Issue> {
        let mut servers = voters(&[1, 2, 3], FIRST);
        let name = |text: &str| text.replace("10.0.0.", "zk");
        let mut target = wanted(wants);
        if named {
            for server in &mut servers {
                server.config = name(&server.config);
                server.at.host = Host::new(&name(server.at.host.as_str()));
            }
            for wanted in target.servers.values_mut() {
                wanted.server.peers[0].host =
                    Host::new(&name(wanted.server.peers[0].host.as_str()));
            }
            target.connect.servers = vec!["zk1:2181".into()];
        }
        let facts = facts(&FakeEnsemble::of(servers), &target);
        let issues = facts.findings.into_iter().filter_map(|finding| match finding.kind {
            FindingKind::KnownBug { issue, .. } => Some(issue),
            _ => None,
        });
        issues.collect()
    };
    let cured = [Issue::Zk4785, Issue::Zk4846];
    let with = |more: &[Issue]| {
        let mut all = [&cured[..], more].concat();
        all.sort();
        all
    };
    assert_eq!(found(false, &[1, 2, 3]), cured, "nothing changes");
    assert_eq!(found(false, &[1, 2, 3, 4]), with(&[Issue::Zk4394, Issue::Zk4689]));
    assert_eq!(found(false, &[2, 3]), cured, "a follower leaves");
    // The leader, 3, goes.
    assert_eq!(found(false, &[1, 2]), with(&[Issue::Zk4712]));
    // A new voter that observes first is promoted without a restart.
    let mut by_way_of_observer = wanted(&[1, 2, 3, 4]);
    by_way_of_observer.policy.add_as = AddAs::Observer;
    let seen = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let findings = facts(&seen, &by_way_of_observer).findings;
    let is_reported = |finding: &Finding| {
        matches!(finding.kind, FindingKind::KnownBug { issue: Issue::Zk4925Observer, .. })
    };
    assert!(findings.iter().any(is_reported));
    // With host names, a leader may fail to resolve its own name when a reconfig commits.
    assert_eq!(found(true, &[1, 2, 3]), cured);
    assert_eq!(found(true, &[2, 3]), with(&[Issue::Zk4708]));
}

/// Members 1 to 3 and joiner 4, of these releases.
fn of_releases(members: &'static str, joiner: &'static str) -> FakeEnsemble {
    let mut servers = voters(&[1, 2, 3], FIRST);
    for server in &mut servers {
        server.version = members;
    }
    let mut new = server(4, Mode::Follower, &config(&[1, 2, 3], FIRST));
    new.version = joiner;
    servers.push(new);
    FakeEnsemble::of(servers)
}

/// The operator learns of it when planning, not in the middle of an apply.
#[test]
fn versions_that_a_plan_would_mix_are_found_before_it_is_applied() {
    let mixed = |members, joiner| {
        let facts = facts(&of_releases(members, joiner), &wanted(&[1, 2, 3, 4]));
        let mut found = facts.findings.into_iter().map(|finding| finding.kind);
        found.find_map(|kind| match kind {
            FindingKind::MixedVersions { joiners, .. } => Some(joiners),
            _ => None,
        })
    };
    assert_eq!(mixed("3.8.0-abc", "3.8.6-abc"), None);
    assert_eq!(mixed("3.8.0-abc", "3.9.5-abc"), Some(JoinersRun::Newer));
    assert_eq!(mixed("3.9.5-abc", "3.8.6-abc"), Some(JoinersRun::Older));
    let half = of_releases("3.8.0-abc", "3.9.5-abc");
    half.server(2, |server| server.version = "3.9.5-abc");
    let facts = facts(&half, &wanted(&[1, 2, 3, 4]));
    let (lowest, highest) = (ServerVersion::new(3, 8, 0), ServerVersion::new(3, 9, 5));
    let kind = FindingKind::MixedVersions { lowest, highest, joiners: JoinersRun::AsMembers };
    let all = facts.findings.iter().filter(|f| f.kind.code() == "ZKF2").collect::<Vec<_>>();
    assert_eq!(all, [&Finding { kind, server: None }], "said once");
}

/// Without digests on one side a joiner's data are never proven. The operator must accept that
/// before any request is sent.
#[test]
fn joiners_that_only_counts_can_compare_are_found_before_the_plan_is_applied() {
    let by_counts = |fake: &FakeEnsemble, wanted: &Target| {
        let mut found = facts(fake, wanted).findings.into_iter().map(|finding| finding.kind);
        found.find_map(|kind| match kind {
            FindingKind::JudgedByCounts { joiners, without } => Some((joiners, without)),
            _ => None,
        })
    };
    let without = |number, why| WithoutDigests { id: id(number), why };
    let four = wanted(&[1, 2, 3, 4, 5]);
    assert_eq!(by_counts(&of_releases("3.8.0-abc", "3.8.0-abc"), &four), None);
    let old = [3, 4].map(|number| without(number, NoDigests::OldRelease)).to_vec();
    let found = by_counts(&of_releases("3.5.10-abc", "3.5.10-abc"), &four);
    assert_eq!(found, Some((ids(&[4, 5]), old)), "server 5 is not there yet");
    let poor = of_releases("3.8.0-abc", "3.8.0-abc");
    poor.server(4, |server| server.rich = false);
    let own = vec![without(4, NoDigests::NotAllowed)];
    assert_eq!(by_counts(&poor, &four), Some((ids(&[4]), own)));
    // Nothing joins: there is nothing to compare.
    assert_eq!(by_counts(&of_releases("3.5.10-abc", "3.5.10-abc"), &wanted(&[1, 2, 3])), None);
}

/// The words that a survey sends to each server, with their number.
fn words_asked(fake: &FakeEnsemble, number: i64) -> BTreeMap<FourLetterWord, usize> {
    let mut count = BTreeMap::new();
    for (_, word) in fake.words.borrow().iter().filter(|(to, _)| *to == at(number)) {
        *count.entry(*word).or_default() += 1;
    }
    count
}

/// A pipeline nearly always observes an ensemble that already matches its spec.
#[test]
fn an_ensemble_that_matches_its_spec_is_asked_little() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3, 4, 5], FIRST));
    seen(&fake, &Question::of(&wanted(&[1, 2, 3, 4, 5])));
    let of_all = [(FourLetterWord::Srvr, 1), (FourLetterWord::Conf, 1)];
    for number in 1..=4 {
        assert_eq!(words_asked(&fake, number), of_all.into(), "server {number}");
    }
    let of_leader = of_all.into_iter().chain([(FourLetterWord::Mntr, 1)]);
    assert_eq!(words_asked(&fake, 5), of_leader.collect());
    assert_eq!(fake.sessions.get(), 1);
}

/// A change needs a lock, so the leader is asked which sessions it keeps. The finding does not depend on
/// whether a session of zkplan is open at that moment.
#[test]
fn where_a_line_changes_the_leader_is_asked_for_its_sessions() {
    let with_local_sessions = || {
        let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
        let dump = "SessionTracker dump:\nLocal Session Sets (0)/(0):\nGlobal Sessions(0):\n";
        fake.server(3, |server| server.dump = dump);
        fake
    };
    let found = FindingKind::LocalSessions { servers: ids(&[3]) };
    let observer = fake::line(1).replace("participant", "observer");
    let changed = target(&[&observer, &fake::line(2), &fake::line(3)]);
    let fake = with_local_sessions();
    assert!(has(&seen(&fake, &Question::of(&changed)), &found, None));
    assert_eq!(words_asked(&fake, 3).get(&FourLetterWord::Hash), None);
    let fake = with_local_sessions();
    fake.server(3, |server| server.local_sessions = 1);
    assert!(!has(&seen(&fake, &Question::of(&wanted(&[1, 2, 3]))), &found, None));
    assert_eq!(words_asked(&fake, 3).get(&FourLetterWord::Dump), None);
}

#[test]
fn where_a_server_joins_or_leaves_the_data_of_all_are_compared() {
    for target in [wanted(&[1, 2, 3, 4]), wanted(&[1, 2])] {
        let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
        seen(&fake, &Question::of(&target));
        for number in 1..=3 {
            assert_eq!(
                words_asked(&fake, number).get(&FourLetterWord::Hash),
                Some(&1),
                "server {number}"
            );
        }
    }
}

/// Counts can be equal although data differ: they count as proof only if the operator accepts that.
/// If the marker cannot be read, they never do.
#[test]
fn counts_prove_data_only_where_the_operator_accepts_that() {
    const IDENTITY: &str = "prod-eu 7c1e";
    let proof = |is_accepted: bool, marker: Option<&str>| {
        let fake = of_releases("3.5.10-abc", "3.5.10-abc");
        fake.world.borrow_mut().identity = Some(IDENTITY);
        let counts = ByCounts { is_accepted, ..ByCounts::default() };
        let joiners = BTreeMap::from([(id(4), at(4))]);
        let proofs = run(prove_data(&fake, &at(3), &joiners, &counts, marker));
        proofs[&id(4)].clone()
    };
    let old = Some(NoDigests::OldRelease);
    let refused = DataProof::NoDigests { leader: old, joiner: old };
    assert_eq!(proof(false, Some(IDENTITY)), refused);
    assert!(matches!(proof(true, Some(IDENTITY)), DataProof::Counts { .. }));
    assert_eq!(proof(true, Some("another ensemble")), DataProof::NoMarker);
    assert_eq!(proof(true, None), DataProof::NoMarker);
}
