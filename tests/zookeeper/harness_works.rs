//! The harness itself: every other test against real ZooKeeper stands on what is shown here.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use crate::harness::{
    Builder, Ensemble, Mode, PATIENCE, Release, Role, SUPER_PASSWORD, Witness, wait_until,
};
use crate::show;

fn modes(ensemble: &Ensemble, ids: &[u8]) -> Vec<Mode> {
    let mut modes: Vec<Mode> = ids.iter().filter_map(|&id| ensemble.mode(id)).collect();
    modes.sort_by_key(|mode| format!("{mode:?}"));
    modes
}

fn super_auth() -> String {
    format!("addauth digest super:{SUPER_PASSWORD}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn three_rich_servers_have_the_membership_that_the_harness_says() {
    let ensemble = Builder::rich().start();

    assert_eq!(modes(&ensemble, &[1, 2, 3]), [Mode::Follower, Mode::Follower, Mode::Leader]);
    let conf = ensemble.ask(1, "conf").expect("the rich profile answers `conf`");
    for id in 1..=3 {
        let line = ensemble.server_line(id);
        assert!(conf.contains(&line), "`{line}` is not in\n{conf}");
        assert!(ensemble.present_membership().contains(&line));
    }
    let [quorum, election] = [ensemble.quorum_port(1), ensemble.election_port(1)];
    assert!(conf.contains(&format!("electionPort={election}\nquorumPort={quorum}\n")), "{conf}");
    assert_eq!(ensemble.host(), "127.0.0.1");
    assert_eq!(ensemble.admin_port(1), None);
    let addresses = [1, 2, 3].map(|id| ensemble.client_address(id).to_string());
    assert_eq!(ensemble.connect_string(), addresses.join(","));
}

#[test]
fn three_plain_servers_hide_their_client_ports_and_most_words() {
    let ensemble = Builder::plain().start();

    assert_eq!(modes(&ensemble, &[1, 2, 3]), [Mode::Follower, Mode::Follower, Mode::Leader]);
    let answer = ensemble.ask(1, "conf").expect("the server answers");
    assert!(answer.contains("not in the whitelist"), "{answer}");
    assert_eq!(ensemble.host(), "localhost");
    for id in 1..=3 {
        let line = ensemble.server_line(id);
        assert!(line.ends_with(":participant"), "{line}");
        assert!(ensemble.present_membership().contains(&line));
    }
}

#[test]
fn a_rich_joiner_becomes_a_non_voting_follower_and_can_be_added() {
    let ensemble = Builder::rich().servers(2).start();
    ensemble.reserve(4);
    ensemble.reserve(5);

    ensemble.start_joiner(4);
    ensemble.wait_following(4);
    let first = fs::read_to_string(ensemble.file(4, "zoo.cfg.dynamic"))
        .expect("the first configuration stays");
    for id in [4, 5] {
        let own = format!("server.{id}={}:{}:", ensemble.host(), ensemble.quorum_port(id));
        let line =
            first.lines().find(|line| line.starts_with(&own)).expect("all joiners are listed");
        assert!(line.contains(":observer;"), "{line}");
    }
    let mntr = ensemble.ask(4, "mntr").expect("the rich profile answers `mntr`");
    assert!(mntr.contains("following - broadcast"), "{mntr}");
    assert!(!ensemble.present_membership().contains(&ensemble.server_line(4)));

    // Whatever zkplan does, ZooKeeper's own command line can do it here.
    let add = format!("reconfig -add {}", ensemble.server_line(4));
    let output = ensemble.zkcli_session(1, &[&super_auth(), &add]);
    assert!(text(&output.stdout).contains("Committed new configuration"), "{output:?}");
    assert!(ensemble.present_membership().contains(&ensemble.server_line(4)));
}

#[test]
fn a_plain_joiner_becomes_a_non_voting_follower_and_needs_its_first_files_to_restart() {
    let ensemble = Builder::plain().start();

    ensemble.start_joiner(4);
    ensemble.wait_following(4);
    let output = ensemble.zkcli(4, &["config"]);
    assert!(text(&output.stdout).contains(&ensemble.server_line(1)), "{output:?}");
    assert!(!text(&output.stdout).contains("server.4="), "{output:?}");

    // ZooKeeper has meanwhile taken the joiner out of its own files.
    ensemble.stop(4);
    ensemble.start_again(4);
    let how = ensemble.wait_ended(4);
    assert!(ensemble.log(4).contains("My id 4 not in the peer list"), "{how}\n{}", ensemble.log(4));
    ensemble.restore_first_files(4);
    ensemble.start_again(4);
    ensemble.wait_following(4);
}

#[test]
fn a_frozen_server_is_silent_until_it_is_thawed() {
    let ensemble = Builder::rich().start();
    let frozen = ensemble.wait_leader();

    ensemble.freeze(frozen);
    assert!(ensemble.ask(frozen, "srvr").is_err());
    assert_ne!(ensemble.wait_leader(), frozen);
    ensemble.thaw(frozen);
    ensemble.wait_following(frozen);

    // A frozen server can be ended as well, by either signal.
    ensemble.freeze(frozen);
    ensemble.stop(frozen);
    ensemble.start_again(frozen);
    ensemble.wait_serving();
    ensemble.freeze(frozen);
    ensemble.kill(frozen);
    ensemble.wipe(frozen);
    ensemble.start_again(frozen);
    ensemble.wait_serving();
}

#[test]
fn observers_settings_and_the_admin_server_are_as_asked_for() {
    let ensemble = Builder::rich()
        .participants([7])
        .observers([9])
        .host("localhost")
        .reconfig_enabled(false)
        .admin_server()
        .setting("maxSessionTimeout", "12345")
        .setting_of(9, "maxSessionTimeout", "23456")
        .start();

    assert_eq!((ensemble.leader_id(), ensemble.mode(9)), (Some(7), Some(Mode::Observer)));
    assert_eq!(ensemble.server_line(9), ensemble.server_line_as(9, Role::Observer));
    assert_ne!(ensemble.server_line(9), ensemble.server_line_as(9, Role::Participant));
    for (id, timeout) in [(7, "12345"), (9, "23456")] {
        let conf = ensemble.ask(id, "conf").expect("the rich profile answers `conf`");
        assert!(conf.contains(&format!("maxSessionTimeout={timeout}\n")), "{conf}");
        let page =
            http_get(ensemble.admin_port(id).expect("it was asked for"), "/commands/configuration");
        assert!(page.contains(&format!("\"max_session_timeout\" : {timeout}")), "{page}");
    }
    let output = ensemble.zkcli_session(7, &[&super_auth(), "reconfig -remove 9"]);
    assert!(text(&output.stderr).contains("Reconfig is disabled"), "{output:?}");
}

#[test]
fn a_standalone_server_says_so() {
    for builder in [Builder::rich(), Builder::plain()] {
        assert_eq!(builder.standalone().start().mode(1), Some(Mode::Standalone));
    }
    let allowed = Builder::rich().servers(1).setting("standaloneEnabled", "true").start();
    assert_eq!((allowed.mode(1), allowed.leader_id()), (Some(Mode::Standalone), None));
}

#[test]
fn nine_servers_start() {
    let ensemble = Builder::rich().servers(6).observers(7..=9).start();
    let members = ensemble.present_membership();
    assert_eq!(members.len(), 9, "{members:?}");
}

#[test]
fn a_server_whose_port_is_taken_ends_and_says_so() {
    let ensemble = Builder::rich().servers(1).start();
    ensemble.reserve(2);
    let taken = TcpListener::bind(ensemble.client_address(2)).expect("a reserved port is free");

    ensemble.start_joiner(2);
    let how = ensemble.wait_ended(2);
    assert!(ensemble.log(2).contains("Address already in use"), "{how}\n{}", ensemble.log(2));
    drop(taken);
    ensemble.start_again(2);
    ensemble.wait_following(2);
}

#[test]
fn nothing_is_left_behind() {
    // Started in a thread that ends before the ensemble does: the kernel must not take that for the
    // end of all.
    let ensemble =
        std::thread::spawn(|| Builder::rich().servers(2).start()).join().expect("it starts");
    ensemble.reserve(3);
    let mut members = ensemble.present_membership();
    members.push(ensemble.server_line(3));
    ensemble.start_with_members(3, &members);
    ensemble.wait_following(3);
    let files = ensemble.file(1, "zoo.cfg");
    let processes = [1, 2, 3].map(|id| format!("/proc/{}", ensemble.process_id(id)));
    ensemble.freeze(1);
    assert!(files.exists() && processes.iter().all(|process| Path::new(process).exists()));

    drop(ensemble);
    assert!(!files.exists() && !processes.iter().any(|process| Path::new(process).exists()));
}

#[test]
fn a_witness_loses_nothing_when_the_leader_is_removed_by_hand() {
    let ensemble = Builder::rich().start();
    for id in [4, 5] {
        ensemble.start_joiner(id);
        ensemble.wait_following(id);
    }
    let all = 1..=5;
    let witness = Witness::of(&ensemble, all.clone());
    let administrator = ensemble.administrator();
    let first = administrator.config();
    assert_eq!((first.ids(), first.version), (vec![1, 2, 3], 0x1_0000_0000));

    let (joined, calm) = witness.longest_gap(|| administrator.add(&ensemble.server_line(4)));
    assert_eq!(joined.line(4), Some(ensemble.server_line(4).as_str()));
    let leader = ensemble.wait_leader();
    let epoch = ensemble.epoch();
    let (removed, handed_over) = witness.longest_gap(|| administrator.remove(leader));
    assert!(!removed.ids().contains(&leader), "{removed:?}");
    assert_ne!(ensemble.wait_leader(), leader);
    ensemble.wait_following(leader);
    assert_eq!(ensemble.epoch(), epoch + 1);
    // And back in again, as it runs.
    administrator.add(&ensemble.server_line(leader));

    // The logs tell of exactly these, with the versions that the replies told.
    let logged = ensemble.reconfigs();
    let members: Vec<usize> = logged.iter().map(|logged| logged.members.len()).collect();
    assert_eq!(members, [4, 3, 4], "{logged:#?}");
    assert_eq!(
        (logged[0].version, logged[1].version),
        (joined.version, removed.version),
        "{logged:#?}"
    );
    assert_ne!(logged[0].session, logged[1].session);

    let figures = witness.finish(&ensemble, all);
    show(&format!("{figures}; gap of an addition {calm:?}, of a hand-over {handed_over:?}"));
    assert!(calm < handed_over, "only the hand-over cuts connections");
}

#[test]
#[should_panic(expected = "acknowledged writes, server 2 lacks")]
fn a_witness_finds_what_is_lost() {
    let ensemble = Builder::rich().start();
    let witness = Witness::of(&ensemble, [1, 2, 3]);
    // An ensemble of its own answers where a server of ours should be.
    let other = Builder::rich().servers(1).start();
    Witness::of(&other, [1]).finish(&other, [1]);
    witness.finish_at(vec![(1, ensemble.client_address(1)), (2, other.client_address(1))]);
}

fn http_get(port: u16, path: &str) -> String {
    // The AdminServer starts beside the server, and may come a moment later.
    let mut stream =
        wait_until("the AdminServer", PATIENCE, || TcpStream::connect(("127.0.0.1", port)).ok());
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("the AdminServer takes a request");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("the AdminServer answers in text");
    page
}

/// No test on real ZooKeeper is left out because its release is not there.
#[test]
fn a_release_that_cannot_be_had_fails() {
    let start = || {
        drop(Builder::rich().servers(1).release_of([1], Release::Apache("0.0.0")).start());
    };
    let why = std::panic::catch_unwind(start).expect_err("there is none");
    let why = why.downcast::<String>().expect("a text");
    assert!(why.contains("zookeeper-0.0.0 cannot be had"), "{why}");
}
