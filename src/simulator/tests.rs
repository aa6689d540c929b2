//! The rules, one by one.

use std::collections::BTreeSet;

use super::*;
use crate::ensemble::four_letter::Mntr;
use crate::ensemble::{
    Ensemble, ErrorCode, FourLetterWord, Lifetime, NoAnswer, Op, RequestError, Session,
    SessionFactory, SessionTerms,
};
use crate::model::{
    ConfigVersion, Endpoint, Membership, Millis, Reconfig, Server, ServerId, Update,
};

fn server(word: &str) -> Server {
    let (id, role) = match word.strip_suffix('o') {
        Some(id) => (id, "observer"),
        None => (word, "participant"),
    };
    Server::parse_line(&format!("server.{id}=zk{id}:2888:3888:{role};2181")).expect("a line")
}

fn id(number: i64) -> ServerId {
    ServerId::new(number)
}

fn world(members: &str) -> World {
    let members = Membership::of(members.split_whitespace().map(server));
    World::new(members, Timing::default(), Rules::default())
}

fn with_joiners(members: &str, joiners: &str) -> Simulated {
    let mut world = world(members);
    for joiner in joiners.split_whitespace() {
        world.place(server(joiner));
    }
    world.advance(1000);
    Simulated::new(world)
}

fn at(number: i64) -> Endpoint {
    server(&number.to_string()).client_endpoint().expect("a client address")
}

fn place(port: &Simulated, number: i64) -> ProcessId {
    port.world().place_of(id(number)).expect("a process")
}

fn now(port: &Simulated, number: i64) -> PeerState {
    let place = place(port, number);
    port.world().process(place).now
}

fn open(port: &Simulated, number: i64) -> SimulatedSession {
    let terms = SessionTerms { timeout: Millis(4000), auth: None };
    port.run(port.open(&at(number), &terms)).expect("a client that lives").expect("a session")
}

fn version(port: &Simulated) -> ConfigVersion {
    port.world().config().config.version
}

fn send(
    port: &Simulated,
    session: &SimulatedSession,
    change: &Reconfig,
) -> Result<(), RequestError> {
    let version = version(port);
    let request = Update::of(&port.world().config().config.membership, change);
    port.run(session.reconfig(&request, version)).expect("a client that lives").map(|_| ())
}

fn write(port: &Simulated, session: &SimulatedSession, path: &str) -> Result<(), RequestError> {
    port.run(session.create(path, b"", &[])).expect("a client that lives")
}

fn leave(number: i64) -> Reconfig {
    Reconfig::leave(id(number))
}

fn join(word: &str) -> Reconfig {
    Reconfig::join(server(word))
}

#[test]
fn a_joiner_follows_without_a_vote_and_then_with_one() {
    let port = with_joiners("1 2 3", "4");
    let joiner = place(&port, 4);
    assert!(port.world().process(joiner).is_without_vote());
    let session = open(&port, 1);
    assert_eq!(send(&port, &session, &join("4")), Ok(()));
    assert!(!port.world().process(joiner).is_without_vote());
    assert_eq!(port.world().config().voters.len(), 4);
    assert_eq!(now(&port, 3), PeerState::Leading);
}

#[test]
fn the_checks_of_a_reconfig_come_in_zookeepers_order() {
    let mut closed = world("1 2 3");
    let leader = closed.leader().expect("a leader");
    closed.process_mut(leader).set_up(|file| file.reconfig_enabled = false);
    closed.rules.needs_auth = true;
    let refused = |world: World, change: &Reconfig, base: i64| {
        let code = world.reconfigured(&Update::Incremental(change.clone()), base, 0, Ok(()));
        code.map(|_| ()).unwrap_err()
    };
    assert_eq!(refused(closed.clone(), &leave(9), 7), ErrorCode::ReconfigDisabled);
    let mut open = closed;
    open.process_mut(leader).set_up(|file| file.reconfig_enabled = true);
    assert_eq!(refused(open.clone(), &leave(9), 7), ErrorCode::BadVersion);
    let mut bare = join("4");
    bare.joining[0].client = None;
    assert_eq!(refused(open.clone(), &bare, -1), ErrorCode::BadArguments);
    let mut taken = join("4");
    taken.joining[0].peers = server("1").peers;
    assert_eq!(refused(open.clone(), &taken, -1), ErrorCode::BadArguments);
    let all = Reconfig { joining: vec![], leaving: vec![id(1), id(2)] };
    assert_eq!(refused(open.clone(), &all, -1), ErrorCode::BadArguments);
    let ghosts = Reconfig { joining: ["4", "5", "6"].map(server).to_vec(), leaving: vec![] };
    assert_eq!(refused(open.clone(), &ghosts, -1), ErrorCode::NewConfigNoQuorum);
    // A reconfig with two unreachable voters is accepted. A session without permission gets all
    // other errors first.
    let two = Reconfig { joining: ["4", "5"].map(server).to_vec(), leaving: vec![] };
    assert_eq!(refused(open, &two, -1), ErrorCode::NoAuth);
}

#[test]
fn a_removal_without_effect_raises_the_version_and_disarms_earlier_requests() {
    let port = with_joiners("1 2 3", "");
    let session = open(&port, 1);
    let before = version(&port);
    assert_eq!(send(&port, &session, &leave(200)), Ok(()));
    assert!(version(&port) > before);
    let old = port
        .run(session.reconfig(&Update::Incremental(leave(1)), before))
        .expect("a client that lives");
    assert_eq!(old, Err(RequestError::Refused(ErrorCode::BadVersion)));
    port.world().rules.fences = false;
    let old = port
        .run(session.reconfig(&Update::Incremental(leave(1)), before))
        .expect("a client that lives");
    assert!(old.is_ok());
}

#[test]
fn observers_do_not_count_and_those_without_a_vote_do() {
    let promote = Reconfig { joining: ["4", "5", "6"].map(server).to_vec(), leaving: vec![] };
    let observed = with_joiners("1 2 3 4o 5o 6o", "");
    let session = open(&observed, 1);
    let refusal = Err(RequestError::Refused(ErrorCode::NewConfigNoQuorum));
    assert_eq!(send(&observed, &session, &promote), refusal);
    let following = with_joiners("1 2 3", "4 5 6");
    let session = open(&following, 1);
    assert_eq!(send(&following, &session, &promote), Ok(()));
}

#[test]
fn a_frozen_joiner_counts_as_synced_and_the_reconfig_is_stuck_without_it() {
    let port = with_joiners("1 2", "3 4");
    let session = open(&port, 1);
    for joiner in [3, 4] {
        let joiner = place(&port, joiner);
        port.world().freeze(joiner);
    }
    let both = Reconfig { joining: ["3", "4"].map(server).to_vec(), leaving: vec![] };
    assert_eq!(send(&port, &session, &both), Err(RequestError::Unknown));
    // Errors are proposals: behind it nothing is answered, and the leader gives up.
    assert!(port.world().pending().is_some());
    let version = version(&port);
    let other = port
        .run(session.reconfig(&Update::Incremental(leave(9)), version))
        .expect("a client that lives");
    assert!(matches!(other, Err(RequestError::Unknown | RequestError::NotSent)), "{other:?}");
    let later = port.world().now_ms() + 10_000;
    port.world().advance(later);
    assert_eq!(port.world().leader(), None);
    // The next leader completes it once a quorum of both is there.
    let three = place(&port, 3);
    port.world().thaw(three);
    let later = port.world().now_ms() + 2000;
    port.world().advance(later);
    assert!(port.world().leader().is_some());
    assert_eq!(port.world().config().voters.len(), 4);
    assert!(port.world().truth.lost.is_empty());
}

#[test]
fn a_proposal_that_a_minority_holds_is_forgotten_without_it() {
    let port = with_joiners("1 2 3", "");
    let session = open(&port, 3);
    let others = [place(&port, 1), place(&port, 2)];
    port.world().cut(&others, 1, false);
    assert_eq!(write(&port, &session, "/lost"), Err(RequestError::Unknown));
    let later = port.world().now_ms() + 5000;
    port.world().advance(later);
    let leads = port.world().leader().expect("a leader on the other side");
    assert!(others.contains(&leads));
    let all = [place(&port, 1), place(&port, 2), place(&port, 3)];
    port.world().cut(&all, 0, false);
    let later = port.world().now_ms() + 5000;
    port.world().advance(later);
    let found = port.run(open(&port, 1).read(&["/lost"])).expect("a client that lives");
    assert_eq!(found, Ok(vec![None]));
    assert!(port.world().truth.log.iter().any(|h| matches!(h, SimEvent::Forgotten(1))));
}

#[test]
fn the_leader_hands_over_when_it_leaves_and_for_nothing_else() {
    let port = with_joiners("1 2 3", "4");
    let session = open(&port, 3);
    assert_eq!(send(&port, &session, &join("4")), Ok(()));
    assert_eq!(send(&port, &session, &leave(1)), Ok(()));
    let led = |port: &Simulated| {
        port.world().truth.log.iter().any(|h| matches!(h, SimEvent::HandedOver(..)))
    };
    assert!(!led(&port));
    assert_eq!(send(&port, &session, &leave(3)), Ok(()));
    assert!(led(&port) && port.world().leader().is_none());
    // For up to a tick the old leader still claims to lead.
    assert_eq!(now(&port, 3), PeerState::Leading);
    let later = port.world().now_ms() + 1000;
    port.world().advance(later);
    assert!(port.world().leader().is_some());
    let old = place(&port, 3);
    assert!(port.world().process(old).is_without_vote());
}

#[test]
fn a_server_that_follows_shows_the_old_configuration_for_a_while() {
    let port = with_joiners("1 2 3", "4");
    let (session, lags) = (open(&port, 1), place(&port, 2));
    port.world().lag(lags, 500);
    assert_eq!(send(&port, &session, &join("4")), Ok(()));
    assert_eq!(port.world().process(lags).config().voters.len(), 3);
    let later = port.world().now_ms() + 500;
    port.world().advance(later);
    assert_eq!(port.world().process(lags).config().voters.len(), 4);
}

#[test]
fn a_session_moves_and_what_was_sent_before_is_refused() {
    let port = with_joiners("1 2 3", "");
    let mut session = open(&port, 1);
    let frozen = place(&port, 1);
    port.world().freeze(frozen);
    assert_eq!(write(&port, &session, "/late"), Err(RequestError::Unknown));
    port.run(session.attach(&at(2))).expect("a client that lives").expect("an attachment");
    port.world().thaw(frozen);
    let later = port.world().now_ms() + 100;
    port.world().advance(later);
    let found = port.run(session.read(&["/late"])).expect("a client that lives");
    assert_eq!(found, Ok(vec![None]));
}

#[test]
fn a_request_in_a_frozen_server_arrives_after_the_thaw() {
    let port = with_joiners("1 2 3", "");
    let (late, other, frozen) = (open(&port, 1), open(&port, 2), place(&port, 1));
    port.world().freeze(frozen);
    {
        // Its client does not wait for the answer.
        let mut sent = std::pin::pin!(late.create("/late", b"", &[]));
        assert!(port.poll(sent.as_mut()).is_pending());
    }
    let later = port.world().now_ms() + 1000;
    port.world().advance(later);
    port.world().thaw(frozen);
    let found = port.run(other.read(&["/late"])).expect("a client that lives");
    assert!(found.expect("an answer")[0].is_some());
}

#[test]
fn an_abandoned_session_expires_with_its_znodes() {
    let port = with_joiners("1 2 3", "");
    let (dying, other) = (open(&port, 1), open(&port, 2));
    let lifetime = Lifetime::Ephemeral;
    let lock = [Op::Create { path: "/lock", data: b"", lifetime, acl: &[] }];
    port.run(dying.transact(&lock)).expect("a client that lives").expect("a lock");
    let owner = dying.id();
    drop(dying);
    let there = |port: &Simulated| {
        let read = port.run(other.read(&["/lock"])).expect("a client that lives");
        read.expect("an answer")[0].as_ref().map(|node| node.owner)
    };
    assert_eq!(there(&port), Some(owner));
    let later = port.world().now_ms() + 4000;
    port.world().advance(later);
    assert_eq!(there(&port), None);
    // A connected client keeps its session.
    assert!(port.world().sessions().any(|(id, _)| id == other.id()));
}

#[test]
fn a_transaction_is_carried_out_as_a_whole_or_not_at_all() {
    let port = with_joiners("1 2 3", "");
    let session = open(&port, 1);
    let lifetime = Lifetime::Persistent;
    let made = Op::Create { path: "/made", data: b"", lifetime, acl: &[] };
    let ops = [made, Op::Check { path: "/nowhere", version: 0 }];
    let answer = port.run(session.transact(&ops)).expect("a client that lives");
    assert_eq!(answer, Err(RequestError::Refused(ErrorCode::BadVersion)));
    assert_eq!(port.run(session.read(&["/made"])), Some(Ok(vec![None])));
    assert_eq!(write(&port, &session, "/made"), Ok(()));
    assert_eq!(write(&port, &session, "/made"), Err(RequestError::Refused(ErrorCode::NodeExists)));
}

#[test]
fn a_part_of_a_transaction_sees_what_those_before_it_did() {
    let port = with_joiners("1 2 3", "");
    let session = open(&port, 1);
    let all = |ops: &[Op<'_>]| port.run(session.transact(ops)).expect("a client that lives");
    let refused = |code| Err(RequestError::Refused(code));
    let make = |path, lifetime| Op::Create { path, data: b"", lifetime, acl: &[] };
    let (made, lives) = (make("/p", Lifetime::Persistent), make("/e", Lifetime::Ephemeral));
    let (child, of_mortal) =
        (make("/p/q", Lifetime::Persistent), make("/e/x", Lifetime::Persistent));
    let (set, gone) = (Op::Set { path: "/p", data: b"" }, Op::Delete { path: "/p" });
    let check = |version| Op::Check { path: "/p", version };
    assert_eq!(all(&[made, child, check(0), set, check(1)]), Ok(()));
    assert_eq!(all(&[lives, of_mortal]), refused(ErrorCode::NoChildrenForEphemerals));
    assert_eq!(all(&[set, check(1)]), refused(ErrorCode::BadVersion));
    assert_eq!(all(&[Op::Delete { path: "/p/q" }, gone, set]), refused(ErrorCode::NoNode));
    // The refused transaction has no effect.
    assert_eq!(all(&[check(1), gone]), refused(ErrorCode::NotEmpty));
    assert_eq!(all(&[Op::Delete { path: "/p/q" }, gone, made, check(0)]), Ok(()));
    let read = port.run(session.read(&["/e", "/p/q"])).expect("a client that lives");
    assert_eq!(read, Ok(vec![None, None]));
}

#[test]
fn a_leader_counts_its_followers_with_a_vote_and_without() {
    let port = with_joiners("1 2 3 5o", "4");
    let figures = |number: i64| {
        let text =
            port.run(port.ask(&at(number), FourLetterWord::Mntr)).expect("a client that lives");
        let mntr = Mntr::parse(&text.expect("an answer"));
        let synced = (mntr.synced_followers, mntr.synced_non_voting_followers);
        (mntr.peer_state.expect("a state"), synced, mntr.quorum_size)
    };
    let leads = ("leading - broadcast".to_owned(), (Some(3), Some(1)), Some(3));
    assert_eq!(figures(3), leads);
    assert_eq!(figures(4), ("following - broadcast".to_owned(), (None, None), Some(3)));
    assert_eq!(figures(5).0, "observing - broadcast");
}

#[test]
fn words_are_answered_by_serving_servers() {
    let port = with_joiners("1 2 3", "");
    let ask = |port: &Simulated, number: i64, word| {
        port.run(port.ask(&at(number), word)).expect("a client that lives")
    };
    assert!(ask(&port, 3, FourLetterWord::Srvr).is_ok_and(|text| text.contains("Mode: leader")));
    assert!(ask(&port, 1, FourLetterWord::Conf).is_ok_and(|text| text.contains("serverId=1")));
    let (one, two) = (place(&port, 1), place(&port, 2));
    port.world().process_mut(one).set_up(|file| file.allows_words = false);
    assert_eq!(ask(&port, 1, FourLetterWord::Conf), Err(NoAnswer::NotWhitelisted));
    port.world().freeze(two);
    assert_eq!(ask(&port, 2, FourLetterWord::Srvr), Err(NoAnswer::AnswerTimedOut));
    port.world().kill(two);
    assert_eq!(ask(&port, 2, FourLetterWord::Srvr), Err(NoAnswer::Refused));
    port.world().kill(one);
    let later = port.world().now_ms() + 500;
    port.world().advance(later);
    assert_eq!(ask(&port, 3, FourLetterWord::Srvr), Err(NoAnswer::NotServing));
}

#[test]
fn a_quorum_by_groups_decides_where_there_are_groups() {
    let text = ["1", "2", "3", "4", "5", "6"].map(|word| server(word).to_string()).join("\n");
    let groups = "\ngroup.1=1:2\ngroup.2=3:4\ngroup.3=5:6\n";
    let members = Membership::parse(&(text + groups)).expect("a membership");
    let port = Simulated::new(World::new(members.clone(), Timing::default(), Rules::default()));
    let session = open(&port, 6);
    // Four of six are a majority. They are no quorum if every group but one lacks a server.
    for down in [1, 3] {
        let down = place(&port, down);
        port.world().kill(down);
    }
    assert_eq!(write(&port, &session, "/held"), Err(RequestError::Unknown));
    let one = place(&port, 1);
    port.world().start(one);
    let later = port.world().now_ms() + 5000;
    port.world().advance(later);
    assert!(port.world().leader().is_some());
    let change = Update::Incremental(leave(1));
    assert_eq!(port.world().administer(&change), Err(ErrorCode::BadArguments));
    assert_eq!(port.world().administer(&Update::Full(members)), Ok(()));
}

#[test]
fn no_election_brings_back_less_than_a_quorum_has() {
    let port = with_joiners("1 2 3 4 5", "");
    let session = open(&port, 1);
    let mut alive: BTreeSet<i64> = (1..=5).collect();
    for (round, down) in [5, 4, 3, 2].into_iter().enumerate() {
        let place = place(&port, down);
        port.world().kill(place);
        alive.remove(&down);
        let later = port.world().now_ms() + 3000;
        port.world().advance(later);
        assert_eq!(port.world().leader().is_some(), alive.len() >= 3, "{round}");
    }
    drop(session);
    for number in 2..=5 {
        let place = place(&port, number);
        assert!(port.world().start(place));
    }
    let later = port.world().now_ms() + 3000;
    port.world().advance(later);
    assert!(port.world().leader().is_some());
    assert!(port.world().truth.lost.is_empty() && port.world().truth.rivals.is_empty());
}

#[test]
fn a_removed_server_does_not_start_again() {
    let port = with_joiners("1 2 3 4", "");
    let session = open(&port, 1);
    assert_eq!(send(&port, &session, &leave(2)), Ok(()));
    let removed = place(&port, 2);
    assert!(port.world().process(removed).is_without_vote());
    port.world().kill(removed);
    assert!(!port.world().start(removed));
}

#[test]
fn a_server_of_weight_0_is_not_elected_but_may_get_a_hand_over() {
    let members = [1, 1, 1, 0].into_iter().zip(1_i64..).map(|(weight, number)| {
        let place = Some(crate::model::VoteWeight { group: 1, weight });
        Server { place, ..server(&number.to_string()) }
    });
    let world = World::new(Membership::of(members), Timing::default(), Rules::default());
    let port = Simulated::new(world.clone());
    assert_eq!(now(&port, 3), PeerState::Leading);
    let dies = place(&port, 3);
    port.world().kill(dies);
    let later = port.world().now_ms() + 3000;
    port.world().advance(later);
    assert_eq!((now(&port, 2), now(&port, 4)), (PeerState::Leading, PeerState::Following));

    let mut next = BTreeSet::new();
    for bias in 0..16 {
        let port = Simulated::new(World { bias, ..world.clone() });
        let session = open(&port, 3);
        assert_eq!(send(&port, &session, &leave(3)), Ok(()));
        let later = port.world().now_ms() + 3000;
        port.world().advance(later);
        let leads = port.world().leader().expect("a leader");
        next.insert(port.world().process(leads).id());
    }
    assert_eq!(next, [1, 2, 4].map(id).into());
}

/// A world of three in which joiner 4 is between NEWLEADER and UPTODATE.
fn with_joiner_that_syncs() -> Simulated {
    let members = Membership::of(["1", "2", "3"].map(server));
    let timing = Timing { sync_ms: 2000, ..Timing::default() };
    let mut world = World::new(members, timing, Rules::default());
    world.place(server("4"));
    world.advance(500);
    Simulated::new(world)
}

#[test]
fn a_reconfig_that_commits_while_a_server_finishes_its_sync_is_not_activated_there() {
    let port = with_joiner_that_syncs();
    let session = open(&port, 1);
    assert_eq!(send(&port, &session, &leave(9)), Ok(()));
    assert_eq!(now(&port, 4), PeerState::Looking);
    let later = port.world().now_ms() + 3000;
    port.world().advance(later);
    assert_eq!(now(&port, 4), PeerState::Following);
    let joiner = place(&port, 4);
    let known = |port: &Simulated| port.world().process(joiner).config().version();
    let committed = |port: &Simulated| port.world().config().version();
    assert!(known(&port) < committed(&port));
    // The next one is.
    assert_eq!(send(&port, &session, &leave(9)), Ok(()));
    assert_eq!(known(&port), committed(&port));
}

#[test]
fn the_leader_counts_a_learner_that_finishes_its_sync() {
    let port = with_joiner_that_syncs();
    let learners = |port: &Simulated| {
        let answer = port.run(port.ask(&at(3), FourLetterWord::Mntr)).expect("a client that lives");
        Mntr::parse(&answer.expect("an answer")).learners
    };
    assert_eq!((learners(&port), now(&port, 4)), (Some(3), PeerState::Looking));
    let later = port.world().now_ms() + 3000;
    port.world().advance(later);
    assert_eq!((learners(&port), now(&port, 4)), (Some(3), PeerState::Following));
}
