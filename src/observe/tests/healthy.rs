//! Ensembles in order, rich and plain.

use super::fake::{FIRST, Fake, FakeEnsemble, at, config, server, voters};
use super::*;
use crate::ensemble::{Mode, NoAnswer, PortState};
use crate::model::{Endpoint, Zxid};
use crate::observe::{ClientsOf, Identity, Source, Sourced};

/// Statically configured servers: no client address, only `srvr`.
fn plain(ids: &[i64]) -> Vec<Fake> {
    let lines: Vec<String> =
        ids.iter().map(|id| format!("server.{id}=10.0.0.{id}:2888:3888:participant")).collect();
    let lines = lines.join("\n");
    let mut servers = voters(ids, FIRST);
    for server in &mut servers {
        server.config = format!("{lines}\nversion={FIRST}");
        server.rich = false;
    }
    servers
}

#[test]
fn one_contact_shows_the_whole_ensemble_and_one_session_suffices() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let seen = seen(&fake, &contacts(&[1]));
    assert_eq!(seen.leader, Some(id(3)));
    assert_eq!(seen.leader_zxid, Some(Zxid::new(0x1_0000_0007)));
    assert_eq!(status(&seen, 1), ServerStatus::Following);
    assert_eq!(status(&seen, 2), ServerStatus::Following);
    assert_eq!(status(&seen, 3), ServerStatus::Leading);
    assert_eq!(seen.identity, Identity::NoneYet);
    assert!(seen.write_committed && !seen.reconfig_disabled && !seen.assumed);
    assert_eq!((fake.sessions.get(), fake.waited.get()), (1, millis(0)));
    let first = &seen.servers[&id(1)];
    assert_eq!(first.own_id.map(|value| value.source), Some(Source::Conf));
    assert_eq!(first.addresses, ["10.0.0.1"]);
    assert_eq!(first.data.bytes, Some(27));
    assert_eq!(
        (first.quorum_port, first.election_port),
        (Some(PortState::Open), Some(PortState::Open))
    );
}

#[test]
fn identity_is_read_where_there_is_one() {
    let fake = FakeEnsemble::of(voters(&[1], FIRST));
    fake.world.borrow_mut().identity = Some("prod-eu 7c1e");
    assert_eq!(seen(&fake, &contacts(&[1])).identity, Identity::Known("prod-eu 7c1e".into()));
}

#[test]
fn plain_servers_are_known_by_their_sessions() {
    let fake = FakeEnsemble::of(plain(&[1, 2, 3]));
    let seen = seen(&fake, &contacts(&[1, 2, 3]));
    assert_eq!(status(&seen, 1), ServerStatus::Following);
    assert_eq!(status(&seen, 3), ServerStatus::Leading);
    assert_eq!(seen.servers[&id(2)].own_id.map(|value| value.source), Some(Source::Session));
    // Each server's, and the one that is opened before it is known that words do not suffice.
    assert_eq!(fake.sessions.get(), 4);
}

#[test]
fn plain_members_are_tried_at_the_ports_of_the_others() {
    let mut servers = plain(&[1, 2, 3]);
    servers[1].at = Endpoint::plain(Host::new("10.0.0.2"), 9999);
    let fake = FakeEnsemble::of(servers);
    let seen = seen(&fake, &contacts(&[1]));
    assert_eq!(status(&seen, 3), ServerStatus::Leading);
    assert_eq!(status(&seen, 2), ServerStatus::NotAsked);
    assert!(has(&seen, &FindingKind::MemberNotAsked, Some(2)));
}

#[test]
fn a_guess_at_a_port_counts_only_for_the_member_meant() {
    let mut servers = plain(&[1, 3]);
    let mut other = server(1, Mode::Leader, &config(&[1], FIRST));
    (other.at, other.rich) = (Endpoint::plain(Host::new("10.0.0.2"), 2181), false);
    let members = "server.1=10.0.0.1:2888:3888:participant\n\
                   server.2=10.0.0.2:2888:3888:participant\n\
                   server.3=10.0.0.3:2888:3888:participant\nversion=100000000";
    for server in &mut servers {
        server.config = members.into();
    }
    servers.push(other);
    let seen = seen(&FakeEnsemble::of(servers), &contacts(&[1]));
    assert_eq!(seen.leader, Some(id(3)));
    assert_eq!(status(&seen, 2), ServerStatus::NotAsked);
    assert!(seen.strangers.is_empty());
}

#[test]
fn ids_above_a_byte_are_identified_by_a_unique_low_byte() {
    let fake = FakeEnsemble::of(plain(&[1, 258]));
    let seen = seen(&fake, &contacts(&[1, 258]));
    assert_eq!(status(&seen, 258), ServerStatus::Leading);
    let fake = FakeEnsemble::of(plain(&[2, 258, 3]));
    let both = super::seen(&fake, &contacts(&[2, 258, 3]));
    assert_eq!(both.servers[&id(258)].own_id, None);
}

#[test]
fn the_admin_server_reports_id_and_mode_if_words_do_not() {
    let mut servers = plain(&[1, 3]);
    servers[0].silent = Some(NoAnswer::NotWhitelisted);
    let fake = FakeEnsemble::of(servers);
    let mut question = wanting(contacts(&[3]), &[1, 3]);
    question.wanted.get_mut(&id(1)).expect("wanted").admin = Some("http://1".into());
    fake.world.borrow_mut().admins.extend([
        (("http://1", "zabstate"), serde_json::json!({ "myid": 1 })),
        (
            ("http://1", "server_stats"),
            serde_json::json!({ "version": "3.8.0-x", "server_stats":
                { "server_state": "follower", "last_processed_zxid": 4_294_967_303_u64 } }),
        ),
    ]);
    let seen = seen(&fake, &question);
    let first = &seen.servers[&id(1)];
    assert_eq!(first.own_id.map(|value| value.source), Some(Source::AdminServer));
    assert_eq!((first.mode, first.zxid), (Some(Mode::Follower), Some(Zxid::new(0x1_0000_0007))));
    // Its configuration is still unknown, so it does not count.
    assert_eq!(first.status, ServerStatus::Silent(NoAnswer::NotWhitelisted));
}

#[test]
fn the_admin_server_reports_the_bind_tries() {
    let tries = |properties: serde_json::Value| {
        let fake = FakeEnsemble::of(plain(&[1, 3]));
        let mut question = wanting(contacts(&[3]), &[1, 3]);
        question.wanted.get_mut(&id(1)).expect("wanted").admin = Some("http://1".into());
        let answer = (("http://1", "system_properties"), properties);
        fake.world.borrow_mut().admins.extend([answer]);
        seen(&fake, &question).servers[&id(1)].bind_tries
    };
    let set = "zookeeper.electionPortBindRetry";
    assert_eq!(tries(serde_json::json!({ "java.version": "17", set: "10" })), Some(10));
    assert_eq!(tries(serde_json::json!({ "java.version": "17", set: "-1" })), Some(3));
    assert_eq!(tries(serde_json::json!({ "java.version": "17" })), Some(3));
    assert_eq!(tries(serde_json::json!({ "error": "no such command" })), None);
}

#[test]
fn an_admin_server_of_another_server_is_not_trusted() {
    let fake = FakeEnsemble::of(plain(&[1, 3]));
    let mut question = wanting(contacts(&[]), &[1, 3]);
    question.wanted.get_mut(&id(1)).expect("wanted").admin = Some("http://9".into());
    let id_of_other = serde_json::json!({ "server_id": 9 });
    fake.world.borrow_mut().admins.insert(("http://9", "configuration"), id_of_other);
    let seen = seen(&fake, &question);
    assert_eq!(seen.servers[&id(1)].own_id.map(|value| value.source), Some(Source::Session));
    assert_eq!(status(&seen, 1), ServerStatus::Following);
}

#[test]
fn followers_of_a_fresh_leader_are_up_to_date_once_a_write_committed() {
    let mut servers = voters(&[1, 2, 3], FIRST);
    for follower in &mut servers[..2] {
        (follower.zxid, follower.zxid_after_write) = (0, Some(0x1_0000_0008));
    }
    let fake = FakeEnsemble::of(servers);
    let seen = seen(&fake, &contacts(&[1]));
    assert_eq!(status(&seen, 1), ServerStatus::Following);
    assert_eq!(fake.waited.get(), millis(0));
}

#[test]
fn observers_and_joiners_are_distinguished_from_voters() {
    let text = format!(
        "{}\nserver.7=10.0.0.7:2888:3888:observer;0.0.0.0:2181\nversion={FIRST}",
        fake::line(3)
    );
    let servers = [(3, Mode::Leader), (7, Mode::Observer), (4, Mode::Follower)];
    let fake = FakeEnsemble::of(servers.map(|(id, mode)| server(id, mode, &text)));
    let seen = seen(&fake, &wanting(contacts(&[3]), &[3, 4, 5]));
    assert_eq!(status(&seen, 7), ServerStatus::Observing);
    assert_eq!(status(&seen, 4), ServerStatus::FollowingWithoutVote);
    assert_eq!(status(&seen, 5), ServerStatus::Silent(NoAnswer::Refused));
    assert!(!has(&seen, &FindingKind::MemberSilent, Some(5)));
}

#[test]
fn a_contact_that_was_removed_leads_to_the_ensemble_and_is_a_stranger() {
    let mut servers = voters(&[2, 3], "100000009");
    servers.push(server(1, Mode::Follower, &config(&[2, 3], "100000009")));
    let seen = seen(&FakeEnsemble::of(servers), &contacts(&[1]));
    assert_eq!(seen.config.membership.ids(), ids(&[2, 3]));
    assert_eq!(seen.strangers.len(), 1);
    assert_eq!(seen.strangers[0].id, id(1));
    assert_eq!(seen.strangers[0].status, ServerStatus::FollowingWithoutVote);
}

#[test]
fn clients_are_counted_by_the_best_source() {
    let mut servers = voters(&[1, 2, 3], FIRST);
    servers[0].cons = " /10.9.9.9:4000[1](queued=0,recved=1,sent=1,sid=0x1000,lop=PING)\n\n \
                       /127.0.0.1:5000[0](queued=0,recved=1,sent=0)\n";
    (servers[1].rich, servers[1].connections) = (false, 4);
    let fake = FakeEnsemble::of(servers);
    let question = wanting(contacts(&[1]), &[3]);
    let question = Question { clients: ClientsOf::Leaving, ..question };
    let seen = seen(&fake, &question);
    let clients = |number| {
        let value = seen.servers[&id(number)].clients.clone();
        value.map(|Sourced { value, source }| {
            let from = value.sessions.into_iter().map(|one| one.from);
            (value.count, from.collect::<Vec<_>>(), source)
        })
    };
    assert_eq!(clients(1), Some((1, vec!["10.9.9.9:4000".to_owned()], Source::Cons)));
    assert_eq!(clients(2), Some((4, vec![], Source::Srvr)));
    assert_eq!(clients(3), None);
}

#[test]
fn clients_are_counted_by_the_admin_server_where_cons_is_off() {
    let mut servers = plain(&[1]);
    servers[0].connections = 9;
    let fake = FakeEnsemble::of(servers);
    let mut question = wanting(contacts(&[]), &[1]);
    question.clients = ClientsOf::EveryServer;
    question.wanted.get_mut(&id(1)).expect("wanted").admin = Some("http://1".into());
    let json = serde_json::json!({
        "connections": [{ "remote_socket_address": "10.9.9.9:4000", "session_id": 77 }],
        "secure_connections": []
    });
    fake.world.borrow_mut().admins.insert(("http://1", "connections"), json);
    let clients = seen(&fake, &question).servers[&id(1)].clients.clone().expect("clients");
    assert_eq!((clients.value.count, clients.source), (1, Source::AdminServer));
}

#[test]
fn a_server_reached_by_two_names_is_one() {
    let mut servers = voters(&[1, 2, 3], FIRST);
    let mut alias = servers[2].clone();
    alias.at = Endpoint::plain(Host::new("zk3"), 2181);
    servers.push(alias);
    let fake = FakeEnsemble::of(servers);
    let mut question = contacts(&[1]);
    question.contacts.push(Endpoint::plain(Host::new("zk3"), 2181));
    let seen = seen(&fake, &question);
    assert_eq!((seen.leader, fake.waited.get()), (Some(id(3)), millis(0)));
    assert!(seen.strangers.is_empty());
    assert_eq!(seen.servers[&id(3)].endpoint, Some(at(3)));
}
