//! What a status concludes, branch by branch.

use std::collections::BTreeSet;

use super::{
    EnsembleStatus, JoinerLack, JournalSeen, Known, RowEvidence, RowState, RunPosition, SpecVerdict,
};
use crate::apply::journal_reader::StateLock;
use crate::apply::past_runs::RetiredSeen;
use crate::ensemble::{Mode, NoAnswer, PortState, ServerVersion};
use crate::example::seen::{self, observation};
use crate::example::{Example, at, config, id, servers};
use crate::model::{EnsembleConfig, ServerId, Zxid};
use crate::observe::{
    Beside, Clients, DataProof, Facts, Finding, FindingKind, NotResumed, Observation, Obstacle,
    RetiredState, ServerObservation, ServerStatus, Source, Sourced,
};
use crate::plan::StepId;
use crate::trust::{Doubt, Unproven};

/// What is known: server 3 leads, and every server does its part.
struct Scene {
    seen: Observation,
    facts: Facts,
    wanted: Option<SpecVerdict>,
    journal: Option<JournalSeen>,
}

type Change = fn(&mut Scene);

impl Scene {
    /// Of these servers to those.
    fn new(base: &str, wanted: &str) -> Self {
        let example = Example::new(base, wanted);
        let base = config(base);
        let mut seen = observation(base.clone());
        seen.leader = Some(id(3));
        for server in base.membership.servers() {
            let leads = server.id == id(3);
            let status = if leads { ServerStatus::Leading } else { ServerStatus::Following };
            let quorum_port = leads.then_some(PortState::Open);
            let observed = ServerObservation { quorum_port, ..seen::server(server, status) };
            seen.servers.insert(server.id, with_clients(observed, 2));
        }
        let joiners = servers(wanted).into_iter().filter(|s| !base.membership.contains(s.id));
        for server in joiners {
            let mut joiner = seen::server(&server, ServerStatus::FollowingWithoutVote);
            joiner.data.compared = Some(DataProof::Digest(seen::ZXID));
            seen.servers.insert(server.id, joiner);
        }
        Self {
            seen,
            facts: example.facts(),
            wanted: Some(SpecVerdict::Planned(Box::new(example.planned()))),
            journal: Some(JournalSeen::default()),
        }
    }

    fn status(&self) -> EnsembleStatus<'_> {
        let Self { seen, facts, wanted, journal } = self;
        let (wanted, journal) = (wanted.as_ref(), journal.as_ref());
        EnsembleStatus::of(Known { seen, facts, wanted, journal, writes: None })
    }

    fn observed(&mut self, number: i64) -> &mut ServerObservation {
        self.seen.servers.get_mut(&id(number)).expect("a server")
    }

    fn is(&mut self, number: i64, status: ServerStatus) {
        self.observed(number).status = status;
    }

    fn found(&mut self, kind: FindingKind) {
        self.facts.findings.push(Finding { kind, server: None });
    }

    fn journal(&mut self) -> &mut JournalSeen {
        self.journal.as_mut().expect("it was read")
    }

    /// The row of that number: how far it is, and what shows it.
    fn row(&self, number: u8) -> Option<(RowState, RowEvidence)> {
        let rows = self.status().rows.into_iter();
        let mut rows = rows.filter(|row| row.number == number);
        rows.next().map(|row| (row.state, row.evidence))
    }
}

fn with_clients(observed: ServerObservation, count: u64) -> ServerObservation {
    let value = Clients::counted(count);
    ServerObservation { clients: Some(Sourced { value, source: Source::Cons }), ..observed }
}

fn open_run(because: Option<NotResumed>) -> FindingKind {
    FindingKind::OpenRun {
        run: 4,
        plan_id: String::new(),
        opened_by: String::new(),
        opened_at: String::new(),
        locked_by: None,
        goes_on: because.is_none(),
        because,
        masked: false,
    }
}

fn retired(state: RetiredState) -> FindingKind {
    FindingKind::RetiredAnswers { run: 1, state, servers: Vec::new() }
}

/// What happens, and the codes of why nothing can be changed.
const BLOCKS: &[(Change, &[&str])] = &[
    (|_| {}, &[]),
    (|s| s.facts.synced = [id(3)].into(), &["noQuorum"]),
    (|s| s.facts.obstacles.push(Obstacle::NoCommit), &["noCommit"]),
    (|s| s.facts.obstacles.push(Obstacle::ReconfigDisabled([id(3)].into())), &["reconfigDisabled"]),
    (
        |s| s.facts.obstacles.push(Obstacle::TakesOneConnection(id(1), Some(1))),
        &["takesOneConnection"],
    ),
    (|s| s.facts.obstacles.push(Obstacle::MemberAnswersAs(id(1), id(7))), &["ZKQ1"]),
    (|s| s.found(FindingKind::ConfigWritten), &["ZKF5"]),
    (|s| s.found(FindingKind::MemberSilent), &[]),
    (|s| s.found(retired(RetiredState::Serve)), &["ZKF19"]),
    (|s| s.found(retired(RetiredState::Follow)), &[]),
    (
        |s| {
            let doubt = Doubt::Ephemeral;
            s.found(FindingKind::FolderNotProven(Unproven { path: "/zkplan".into(), doubt }));
        },
        &["folderNotProven"],
    ),
    (|s| s.journal().lock = Some(lock()), &["locked"]),
    (|s| s.found(open_run(None)), &[]),
    (|s| s.found(open_run(Some(NotResumed::OtherSpec))), &["otherRun"]),
    (
        |s| {
            s.wanted = None;
            s.found(open_run(None));
        },
        &["otherRun"],
    ),
    (|s| s.journal = None, &["journalUnreadable"]),
];

fn lock() -> StateLock {
    StateLock { text: None, nonce: "n".to_owned(), turn: 0, doubt: None }
}

#[test]
fn each_reason_against_a_change_has_its_code() {
    for (index, (change, expected)) in BLOCKS.iter().enumerate() {
        let mut scene = Scene::new("1 2 3", "1 2 3 4");
        change(&mut scene);
        let status = scene.status();
        let codes: Vec<&str> = status.blocks.iter().map(super::Block::code).collect();
        assert_eq!(codes, *expected, "case {index}");
        assert_eq!(status.may_change(), expected.is_empty(), "case {index}");
    }
}

/// What happens to joiner 4, and what it lacks then.
const LACKS: &[(Change, &[JoinerLack])] = &[
    (|_| {}, &[]),
    (|s| drop(s.seen.servers.remove(&id(4))), &[JoinerLack::Answer]),
    (|s| s.is(4, ServerStatus::Silent(NoAnswer::Refused)), &[JoinerLack::Answer]),
    (|s| s.is(4, ServerStatus::NotAsked), &[JoinerLack::Answer]),
    (|s| s.is(4, ServerStatus::AnswersAs(id(9))), &[JoinerLack::OwnId(ServerId::new(9))]),
    (|s| s.is(4, ServerStatus::IdUnknown), &[JoinerLack::KnownId]),
    (|s| s.is(4, ServerStatus::Standalone), &[JoinerLack::Ensemble]),
    (|s| s.is(4, ServerStatus::OtherConfiguration), &[JoinerLack::Ensemble]),
    (|s| s.is(4, ServerStatus::NotServing), &[JoinerLack::Leader]),
    (|s| s.is(4, ServerStatus::ReadOnly), &[JoinerLack::Leader]),
    (|s| s.observed(4).mode = None, &[JoinerLack::Leader]),
    (
        |s| s.observed(4).zxid = Some(Zxid::new(seen::ZXID.get() - 5)),
        &[JoinerLack::Transactions(Some(5))],
    ),
    (|s| s.observed(4).zxid = Some(Zxid::new(7)), &[JoinerLack::Transactions(None)]),
    (|s| s.observed(4).zxid = None, &[JoinerLack::Transactions(None)]),
    (|s| s.observed(4).data.compared = Some(DataProof::Differ), &[JoinerLack::SameData]),
    (|s| s.observed(4).data.compared = None, &[JoinerLack::DataProof]),
    (|s| s.observed(4).election_port = Some(PortState::Refused), &[JoinerLack::ElectionPort]),
];

#[test]
fn what_a_joiner_lacks_is_named() {
    for (index, (change, expected)) in LACKS.iter().enumerate() {
        let mut scene = Scene::new("1 2 3", "1 2 3 4");
        change(&mut scene);
        let joiners = scene.status().joiners;
        assert_eq!(joiners.len(), 1, "case {index}");
        assert_eq!(joiners[0].lacks, *expected, "case {index}");
    }
    let mut scene = Scene::new("1 2 3", "1 2 3 4");
    scene.wanted = None;
    assert!(scene.status().joiners.is_empty(), "without a spec none is wanted");
}

const DONE: RowState = RowState::Done;
const WAITING: RowState = RowState::Waiting;
const NOT_YET: RowState = RowState::NotYet;
const UNKNOWN: RowState = RowState::Unknown;

/// A row, what happens, and how far it is then. Server 1 leaves and server 4 joins.
const ROWS: &[(u8, RowState, Change)] = &[
    (1, DONE, |_| {}),
    (1, WAITING, |s| s.observed(4).version = None),
    (1, UNKNOWN, |s| s.observed(2).version = None),
    (1, NOT_YET, |s| s.observed(4).version = Some(ServerVersion::new(3, 9, 5))),
    (2, DONE, |_| {}),
    (2, NOT_YET, |s| s.observed(1).endpoint = None),
    (3, DONE, |_| {}),
    (3, WAITING, |s| s.observed(4).mode = None),
    (3, WAITING, |s| s.observed(4).election_port = None),
    (3, NOT_YET, |s| s.observed(2).election_port = Some(PortState::Refused)),
    (3, NOT_YET, |s| s.observed(3).quorum_port = Some(PortState::Unreachable)),
    (4, NOT_YET, |_| {}),
    (4, DONE, |s| s.found(open_run(None))),
    (5, UNKNOWN, |_| {}),
    (6, UNKNOWN, |_| {}),
    (6, NOT_YET, |s| {
        let off = EnsembleConfig { version: "0".parse().expect("a version"), ..config("1 2 3") };
        s.observed(1).config = Some(Sourced { value: off, source: Source::Conf });
    }),
    (7, DONE, |_| {}),
    (7, UNKNOWN, |s| s.observed(4).data.compared = None),
    (8, DONE, |_| {}),
    (8, NOT_YET, |s| s.is(4, ServerStatus::Silent(NoAnswer::Refused))),
    (9, DONE, |s| s.observed(1).endpoint = None),
    (10, UNKNOWN, |_| {}),
    (10, UNKNOWN, |s| committed(s, &["await-4"])),
    (10, DONE, |s| committed(s, &["await-4", "join-4"])),
    (11, NOT_YET, |_| {}),
    (11, DONE, |s| s.seen.config = config("1 2 3 4")),
    (11, NOT_YET, |s| s.seen.config = config("1 2 3 4o")),
    (12, DONE, |_| {}),
    (12, NOT_YET, |s| s.observed(4).data.compared = Some(DataProof::Differ)),
    (12, NOT_YET, |s| s.is(4, ServerStatus::Behind)),
    (13, WAITING, |_| {}),
    (13, DONE, |s| s.observed(1).clients.as_mut().expect("it tells").value.count = 0),
    (13, UNKNOWN, |s| s.observed(1).clients = None),
    (13, DONE, |s| s.is(1, ServerStatus::Silent(NoAnswer::Refused))),
    (14, NOT_YET, |_| {}),
    (14, DONE, removed),
    (15, NOT_YET, |_| {}),
    (15, DONE, removed),
    (15, WAITING, |s| {
        removed(s);
        let (answer, clients) = (Some(Beside::Follows), None);
        let old = RetiredSeen { run: 1, id: id(1), at: Some(at(1)), answer, clients };
        s.journal().retired.push(old);
    }),
    (15, WAITING, |s| {
        removed(s);
        let old = servers("1").remove(0);
        s.seen.strangers.push(seen::server(&old, ServerStatus::FollowingWithoutVote));
    }),
];

/// Server 1 is no member any more, and was not asked.
fn removed(scene: &mut Scene) {
    scene.seen.config = config("2 3 4");
    scene.seen.servers.remove(&id(1));
}

/// These steps of the plan are done.
fn committed(scene: &mut Scene, done: &[&str]) {
    let checked = Example::new("1 2 3", "2 3 4").planned();
    let done = done.iter().map(|step| StepId::new(*step)).collect();
    scene.journal().position = Some(RunPosition { run: 4, is_certain: true, checked, done });
}

#[test]
fn each_row_of_a_migration_is_as_far_as_something_shows() {
    let mut seen = BTreeSet::new();
    for (index, (number, expected, change)) in ROWS.iter().enumerate() {
        let mut scene = Scene::new("1 2 3", "2 3 4");
        change(&mut scene);
        let row = scene.row(*number);
        let state = row.as_ref().map(|(state, _)| *state);
        assert_eq!(state, Some(*expected), "case {index}, M{number}: {row:?}");
        seen.insert(*number);
    }
    assert_eq!(seen, (1..=15).collect(), "every row has a case");
}

/// A part that is done and a part that is not.
#[test]
fn rows_of_several_servers_wait_for_the_last() {
    let mut scene = Scene::new("1 2 3", "3 4 5");
    scene.is(5, ServerStatus::Silent(NoAnswer::Refused));
    scene.seen.config = config("1 3 4");
    scene.seen.servers.remove(&id(2));
    let states = [8, 11, 12, 14].map(|number| scene.row(number).map(|(state, _)| state));
    assert_eq!(states, [Some(WAITING); 4]);
    let (_, evidence) = scene.row(14).expect("a row");
    let expected = RowEvidence::Removed { removed: [id(2)].into(), left: [id(1)].into() };
    assert_eq!(evidence, expected);
}

/// The ports of a joiner that looks for a leader were tried as well, and it runs.
#[test]
fn the_ports_of_a_server_that_does_not_serve_were_tried() {
    let mut scene = Scene::new("1 2 3", "1 2 3 4");
    scene.is(4, ServerStatus::NotServing);
    let joiner = scene.observed(4);
    (joiner.mode, joiner.election_port) = (None, Some(PortState::Open));
    let (_, evidence) = scene.row(3).expect("a row");
    let RowEvidence::Ports { open, closed, untried } = evidence else { panic!("{evidence:?}") };
    assert!(open.contains(&id(4)) && closed.is_empty(), "{open:?} {closed:?} {untried:?}");
}

#[test]
fn only_the_rows_that_apply_are_shown() {
    let numbers = |base: &str, wanted: &str| -> Vec<u8> {
        Scene::new(base, wanted).status().rows.iter().map(|row| row.number).collect()
    };
    assert_eq!(numbers("1 2 3", "1 2 3"), [0; 0]);
    assert_eq!(numbers("1 2 3", "1 2 3 4"), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(numbers("1 2 3 4", "1 2 3"), [1, 2, 3, 4, 5, 6, 9, 10, 13, 14, 15]);
    let mut scene = Scene::new("1 2 3", "2 3 4");
    scene.wanted = None;
    assert!(scene.status().rows.is_empty(), "without a spec nothing moves");
    assert_eq!(scene.observed(1).mode, Some(Mode::Follower));
}
