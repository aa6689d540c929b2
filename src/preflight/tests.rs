//! Each check where it passes, where it fails and where it is unknown.

use std::collections::BTreeSet;

use super::fixture::{Scene, at, id};
use super::{
    AdminAnswers, Check, CheckKind, CheckRemedy, CheckVerdict, CredentialWord, Evidence, is_blocked,
};
use crate::ensemble::four_letter::Mntr;
use crate::ensemble::{
    AuthDemand, ErrorCode, FourLetterWord, Mode, NoAnswer, PortState, ServerVersion,
};
use crate::model::{Bound, Host, Server, ServerId, SettingName, Zxid};
use crate::observe::{
    FindingKind, Issue, NotSeen, PlainPort, RetiredState, ServerObservation, ServerStatus,
    SettingValue, Source, Sourced, TargetProbe,
};
use crate::trust::FolderSeen;

type Change = fn(&mut Scene);

const PASS: Expected = (CheckVerdict::Pass, false);
const FAIL: Expected = (CheckVerdict::Fail, true);
const ADVICE: Expected = (CheckVerdict::Fail, false);
const UNKNOWN: Expected = (CheckVerdict::Unknown, false);

type Expected = (CheckVerdict, bool);

/// A check, the server that it is about (0 for the ensemble), what happens, and the verdict.
type Case = (CheckKind, i64, Expected, Change);

/// Where nothing happens to it, a check passes: see [`NEVER`].
const CASES: &[Case] = &[
    (CheckKind::ClientPort, 1, FAIL, |s| silent(s, 1, NoAnswer::ConnectTimedOut)),
    (CheckKind::ClientPort, 1, ADVICE, |s| {
        s.target.servers.remove(&id(1));
        silent(s, 1, NoAnswer::Refused);
    }),
    (CheckKind::ClientPort, 4, UNKNOWN, |s| s.not_started(4)),
    (CheckKind::ClientPort, 1, UNKNOWN, |s| s.observed(1).endpoint = None),
    (CheckKind::ElectionPort, 2, FAIL, |s| s.observed(2).election_port = Some(PortState::Refused)),
    (CheckKind::ElectionPort, 4, UNKNOWN, |s| s.not_started(4)),
    (CheckKind::QuorumPort, 3, PASS, |_| {}),
    (CheckKind::QuorumPort, 1, UNKNOWN, |_| {}),
    (CheckKind::QuorumPort, 3, ADVICE, |s| s.observed(3).quorum_port = Some(PortState::Refused)),
    (CheckKind::OtherAddress, 2, PASS, |s| other_address(s, PortState::Open)),
    (CheckKind::OtherAddress, 2, FAIL, |s| other_address(s, PortState::Refused)),
    (CheckKind::OtherAddress, 2, UNKNOWN, |s| other_address(s, PortState::Unreachable)),
    (CheckKind::OwnId, 1, FAIL, |s| s.observed(1).status = ServerStatus::AnswersAs(id(7))),
    (CheckKind::OwnId, 1, UNKNOWN, |s| s.observed(1).own_id = None),
    (CheckKind::InSync, 2, FAIL, |s| s.observed(2).status = ServerStatus::Behind),
    (CheckKind::InSync, 4, UNKNOWN, |s| s.observed(4).status = ServerStatus::Behind),
    (CheckKind::InSync, 4, UNKNOWN, |s| s.not_started(4)),
    (CheckKind::InSync, 2, ADVICE, |s| {
        s.target.servers.remove(&id(2));
        silent(s, 2, NoAnswer::Refused);
    }),
    (CheckKind::OneLeader, 0, FAIL, |s| {
        let mut other = s.observed(3).clone();
        other.endpoint = Some(at(9));
        s.seen.strangers.push(other);
    }),
    (CheckKind::OneLeader, 0, UNKNOWN, |s| {
        s.seen.leader = None;
        s.observed(3).mode = Some(Mode::Follower);
    }),
    (CheckKind::Addresses, 1, ADVICE, |s| {
        s.found(FindingKind::WildcardHost { host: Host::new("0.0.0.0") }, Some(1));
    }),
    (CheckKind::Addresses, 4, FAIL, |s| {
        s.not_started(4);
        let line = Server::parse_line("server.4=zk4:2888:3888;2181").expect("a line");
        s.target.servers.get_mut(&id(4)).expect("server 4").server = line;
    }),
    (CheckKind::Epoch, 4, FAIL, |s| s.observed(4).zxid = Some(Zxid::new(0x7_0000_0001))),
    (CheckKind::Epoch, 4, UNKNOWN, |s| {
        s.observed(4).status = ServerStatus::NotServing;
    }),
    (CheckKind::TlsOnly, 4, FAIL, |s| plain_port(s, PlainPort::Nowhere)),
    (CheckKind::TlsOnly, 4, UNKNOWN, |s| plain_port(s, PlainPort::Unknown)),
    (CheckKind::Retired, 0, FAIL, |s| s.earlier(retired(RetiredState::Serve))),
    (CheckKind::Retired, 0, ADVICE, |s| s.earlier(retired(RetiredState::Follow))),
    (CheckKind::Retired, 0, UNKNOWN, |s| s.answers.earlier = None),
    (CheckKind::Retired, 0, PASS, |s| {
        s.seen.folder = FolderSeen::Empty;
        s.answers.earlier = None;
    }),
    (CheckKind::EarlierRuns, 0, FAIL, |s| s.earlier(open_run(false))),
    (CheckKind::EarlierRuns, 0, PASS, |s| s.earlier(open_run(true))),
    (CheckKind::EarlierRuns, 0, UNKNOWN, |s| s.answers.earlier = None),
    (CheckKind::Release, 1, FAIL, |s| s.observed(1).version = Some(ServerVersion::new(3, 4, 14))),
    (CheckKind::Release, 1, UNKNOWN, |s| s.observed(1).version = None),
    (CheckKind::ReleaseLine, 0, FAIL, |s| {
        s.observed(4).version = Some(ServerVersion::new(3, 8, 6));
    }),
    (CheckKind::ReleaseLine, 0, UNKNOWN, |s| s.not_started(4)),
    (CheckKind::KnownBugs, 0, FAIL, |s| bug(s, Issue::Zk3911)),
    (CheckKind::KnownBugs, 0, ADVICE, |s| bug(s, Issue::Zk4785)),
    (CheckKind::ReconfigEnabled, 1, FAIL, |s| {
        let config = s.observed(1).config.as_mut().expect("its configuration");
        config.value.version = "0".parse().expect("a version");
    }),
    // With a leader that has it off, a follower that has it on shows version 0 all the same.
    (CheckKind::ReconfigEnabled, 1, UNKNOWN, |s| {
        s.of(3).reconfig = Some(Err(ErrorCode::ReconfigDisabled));
    }),
    (CheckKind::ReconfigEnabled, 3, FAIL, |s| {
        s.of(3).reconfig = Some(Err(ErrorCode::ReconfigDisabled));
    }),
    // Its file shows it where it shows nothing; behind a leader without it only that it has it not.
    (CheckKind::ReconfigEnabled, 1, PASS, |s| {
        s.shows_little(1);
        s.file(1, "reconfigEnabled=true\n");
    }),
    (CheckKind::ReconfigEnabled, 1, FAIL, |s| {
        s.shows_little(1);
        s.file(1, "tickTime=2000\n");
    }),
    (CheckKind::ReconfigEnabled, 1, UNKNOWN, |s| {
        s.of(3).reconfig = Some(Err(ErrorCode::ReconfigDisabled));
        s.file(1, "reconfigEnabled=true\n");
    }),
    (CheckKind::ReconfigEnabled, 1, FAIL, |s| {
        s.of(3).reconfig = Some(Err(ErrorCode::ReconfigDisabled));
        s.file(1, "tickTime=2000\n");
    }),
    (CheckKind::ReconfigEnabled, 4, PASS, |s| {
        s.not_started(4);
        s.file(4, "reconfigEnabled=true\n");
    }),
    // The znode is replicated, and the leader answers the probe of every server.
    (CheckKind::ReconfigEnabled, 1, UNKNOWN, |s| {
        s.observed(1).config.as_mut().expect("its configuration").source = Source::Session;
    }),
    (CheckKind::Credential, 2, FAIL, |s| s.of(2).credential = CredentialWord::Refused),
    (CheckKind::Credential, 4, UNKNOWN, |s| s.of(4).credential = CredentialWord::DataNotProven),
    (CheckKind::Credential, 1, UNKNOWN, |s| s.of(1).credential = CredentialWord::InClear),
    (CheckKind::Credential, 4, UNKNOWN, |s| s.not_started(4)),
    (CheckKind::Permissions, 0, FAIL, |s| s.of(3).without_rights = Some(Ok(()))),
    (CheckKind::Permissions, 0, UNKNOWN, |s| s.of(3).without_rights = None),
    (CheckKind::Permissions, 0, UNKNOWN, |s| {
        s.of(3).session = Some((AuthDemand::Sasl, None));
        s.of(3).without_rights = Some(Ok(()));
    }),
    (CheckKind::EnforcedAuth, 1, FAIL, |s| {
        s.of(1).session = Some((AuthDemand::Nothing, Some(NoAnswer::NeedsAuth)));
        s.of(1).credential = CredentialWord::NoAnswer;
    }),
    (CheckKind::EnforcedAuth, 1, PASS, |s| {
        s.of(1).session = Some((AuthDemand::Sasl, Some(NoAnswer::NeedsAuth)));
    }),
    (CheckKind::EnforcedAuth, 1, UNKNOWN, |s| s.of(1).session = None),
    (CheckKind::LocalSessions, 1, UNKNOWN, |s| s.of(1).local_sessions = Some(1)),
    (CheckKind::LocalSessions, 1, UNKNOWN, |s| s.of(1).local_sessions = None),
    (CheckKind::Connections, 1, FAIL, |s| limit(s, Some(1))),
    (CheckKind::Connections, 1, ADVICE, |s| limit(s, Some(2))),
    (CheckKind::Connections, 1, PASS, |s| limit(s, Some(0))),
    (CheckKind::Connections, 1, FAIL, |s| s.observed(1).takes_one_connection = true),
    (CheckKind::Connections, 1, UNKNOWN, |s| limit(s, None)),
    (CheckKind::Connections, 1, PASS, |s| by_file(s, "tickTime=2000\n")),
    (CheckKind::Connections, 1, ADVICE, |s| by_file(s, "maxClientCnxns=2\n")),
    (CheckKind::Connections, 1, UNKNOWN, |s| by_file(s, "maxClientCnxns=many\n")),
    (CheckKind::Connections, 1, PASS, |s| s.file(1, "maxClientCnxns=2\n")),
    (CheckKind::Words, 1, ADVICE, |s| s.of(1).missing = Some(vec![FourLetterWord::Hash])),
    (CheckKind::Words, 4, UNKNOWN, |s| s.not_started(4)),
    (CheckKind::Room, 4, UNKNOWN, |_| {}),
    (CheckKind::Room, 4, FAIL, |s| {
        s.of(1).mntr = Some(Mntr { bytes: Some(2 << 30), ..Mntr::default() });
    }),
    (CheckKind::TickSync, 1, FAIL, |s| ticks(s, 500, 1)),
    (CheckKind::TickSync, 1, ADVICE, |s| ticks(s, 500, 5)),
    (CheckKind::TickSync, 1, UNKNOWN, |s| s.of(1).conf = None),
    (CheckKind::TickSync, 1, PASS, |s| by_file(s, "tickTime=2000\nsyncLimit=5\n")),
    (CheckKind::TickSync, 1, FAIL, |s| by_file(s, "tickTime=500\nsyncLimit=1\n")),
    (CheckKind::TickSync, 1, UNKNOWN, |s| by_file(s, "tickTime=500\n")),
    (CheckKind::InitLimit, 1, FAIL, |s| data(s, 2_060_000_000, (0, 0))),
    (CheckKind::InitLimit, 1, FAIL, |s| data(s, 1000, (18_000, 9000))),
    (CheckKind::InitLimit, 1, ADVICE, |s| data(s, 206_000_000, (8000, 2500))),
    (CheckKind::InitLimit, 1, PASS, |s| data(s, 206_000_000, (5900, 2500))),
    (CheckKind::InitLimit, 1, UNKNOWN, |s| s.of(1).conf = None),
    (CheckKind::InitLimit, 1, FAIL, |s| {
        data(s, 2_060_000_000, (0, 0));
        by_file(s, "tickTime=2000\ninitLimit=10\n");
    }),
    (CheckKind::InitLimit, 4, PASS, |s| {
        s.not_started(4);
        s.file(4, "tickTime=2000\ninitLimit=10\n");
    }),
    (CheckKind::AdminServer, 1, ADVICE, |s| {
        s.shows(1, "zookeeper.DigestAuthenticationProvider.superDigest", "super:x");
    }),
    (CheckKind::AdminServer, 1, PASS, |s| s.shows(1, "zookeeper.ssl.keyStore.passwordPath", "/p")),
    (CheckKind::AdminServer, 1, UNKNOWN, |s| s.of(1).admin = AdminAnswers::NotNamed),
    (CheckKind::SecretFile, 1, UNKNOWN, |_| {}),
    (CheckKind::SecretFile, 1, PASS, |s| s.file(1, "ssl.keyStore.passwordPath=/p\n")),
    (CheckKind::SecretFile, 1, ADVICE, |s| {
        s.file(1, "DigestAuthenticationProvider.superDigest=super:x\n");
    }),
    (CheckKind::Template, 1, ADVICE, |s| s.shows(1, "zookeeper.server.7", "10.0.0.7:2888:3888")),
    (CheckKind::Template, 1, UNKNOWN, |s| s.of(1).admin = AdminAnswers::NotNamed),
    (CheckKind::Template, 1, PASS, |s| by_file(s, "dynamicConfigFile=/d/zoo.cfg.dynamic.1\n")),
    (CheckKind::Template, 1, PASS, |s| by_file(s, "server.1=a\nserver.2=b\nserver.3=c\n")),
    (CheckKind::Template, 1, ADVICE, |s| by_file(s, "server.1=a\nserver.7=b\n")),
    (CheckKind::Settings, 1, PASS, |s| init_limit(s, Some(30))),
    (CheckKind::Settings, 1, ADVICE, |s| init_limit(s, Some(10))),
    (CheckKind::Settings, 1, UNKNOWN, |s| init_limit(s, None)),
    (CheckKind::Settings, 4, UNKNOWN, |s| {
        init_limit(s, Some(10));
        s.not_started(4);
    }),
];

/// Verdicts that a check never has, each with the reason.
const NEVER: &[(CheckKind, CheckVerdict, &str)] = &[
    (CheckKind::Addresses, CheckVerdict::Unknown, "this machine resolves a host or does not"),
    (CheckKind::KnownBugs, CheckVerdict::Unknown, "an unknown release is another check"),
    (CheckKind::LocalSessions, CheckVerdict::Fail, "whether sessions are upgraded shows nowhere"),
    (CheckKind::Room, CheckVerdict::Pass, "no server shows the free space of its disk"),
];

/// The spec wants at least 30, and server 1 shows this.
fn init_limit(scene: &mut Scene, shown: Option<u64>) {
    scene.target.settings.numbers = [(SettingName::InitLimit, Bound::AtLeast(30))].into();
    let seen =
        shown.map(|number| Sourced { value: SettingValue::Number(number), source: Source::Conf });
    let seen = seen.ok_or(NotSeen::ConfNotAllowed);
    scene.observed(1).settings.set(SettingName::InitLimit, seen);
}

fn silent(scene: &mut Scene, number: i64, why: NoAnswer) {
    let endpoint = Some(at(number));
    let blank = ServerObservation::blank(id(number), ServerStatus::Silent(why));
    *scene.observed(number) = ServerObservation { endpoint, ..blank };
}

fn other_address(scene: &mut Scene, state: PortState) {
    scene.of(2).other_address = Some(("zk2.example:3888".to_owned(), state));
    let probe = TargetProbe { own_id: Some(id(2)), ..scene.seen.wanted_at[&id(4)].clone() };
    scene.seen.wanted_at.insert(id(2), probe);
}

fn plain_port(scene: &mut Scene, port: PlainPort) {
    let probe = scene.seen.wanted_at.get_mut(&id(4)).expect("server 4");
    (probe.plain_port, probe.endpoint.tls) = (port, true);
}

fn retired(state: RetiredState) -> FindingKind {
    FindingKind::RetiredAnswers { run: 1, state, servers: Vec::new() }
}

fn open_run(goes_on: bool) -> FindingKind {
    FindingKind::OpenRun {
        run: 1,
        plan_id: "p".to_owned(),
        opened_by: "a@b".to_owned(),
        opened_at: "then".to_owned(),
        locked_by: None,
        goes_on,
        because: None,
        masked: false,
    }
}

fn bug(scene: &mut Scene, issue: Issue) {
    let version = ServerVersion::new(3, 9, 5);
    scene.found(FindingKind::KnownBug { version, issue }, None);
}

fn limit(scene: &mut Scene, limit: Option<u32>) {
    scene.observed(1).max_client_connections = limit;
    scene.conf(1).max_client_connections = limit;
}

/// Server 1 shows little, and this is its file.
fn by_file(scene: &mut Scene, text: &str) {
    scene.shows_little(1);
    scene.file(1, text);
}

fn ticks(scene: &mut Scene, tick_ms: u64, sync_limit: u64) {
    let conf = scene.conf(1);
    (conf.tick_ms, conf.sync_limit) = (Some(tick_ms), Some(sync_limit));
}

fn data(scene: &mut Scene, bytes: u64, (load_ms, snapshot_ms): (u64, u64)) {
    scene.of(3).mntr = Some(Mntr {
        bytes: Some(bytes),
        load_ms: Some(load_ms),
        snapshot_ms: Some(snapshot_ms),
        ..Mntr::default()
    });
}

fn verdict(scene: &Scene, kind: CheckKind, server: i64) -> Option<Expected> {
    let own = |check: &Check| check.kind == kind && check.server.map_or(0, ServerId::get) == server;
    let check = scene.checks().into_iter().find(own)?;
    Some((check.verdict, check.blocks))
}

#[test]
fn each_check_passes_fails_and_is_unknown_where_it_should() {
    let mut shown: BTreeSet<(CheckKind, CheckVerdict)> = BTreeSet::new();
    let mut wrong = Vec::new();
    for (index, (kind, server, expected, change)) in CASES.iter().enumerate() {
        let mut scene = Scene::new();
        shown.extend(verdict(&scene, *kind, *server).map(|(verdict, _)| (*kind, verdict)));
        change(&mut scene);
        let found = verdict(&scene, *kind, *server);
        shown.extend(found.map(|(verdict, _)| (*kind, verdict)));
        if found != Some(*expected) {
            wrong.push(format!("case {index}, {kind:?}: {found:?} instead of {expected:?}"));
        }
    }
    for kind in CheckKind::ALL {
        for verdict in [CheckVerdict::Pass, CheckVerdict::Fail, CheckVerdict::Unknown] {
            let never = NEVER.iter().any(|(one, of, _)| (one, *of) == (kind, verdict));
            if shown.contains(&(*kind, verdict)) == never {
                wrong.push(format!("{kind:?}: {verdict:?} has no case, or should have none"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_healthy_ensemble_fails_nothing() {
    let checks = Scene::new().checks();
    let failed: Vec<&Check> =
        checks.iter().filter(|check| check.verdict == CheckVerdict::Fail).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(!is_blocked(&checks));
}

/// Nothing is wrong with a server that is to join and does not run yet.
#[test]
fn a_joiner_that_does_not_run_fails_nothing() {
    let mut scene = Scene::new();
    scene.not_started(4);
    let failed: Vec<Check> =
        scene.checks().into_iter().filter(|c| c.verdict == CheckVerdict::Fail).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// It runs: most checks are unknown as before, and it is not to be started once more.
#[test]
fn a_joiner_that_runs_and_does_not_serve_is_not_called_one_that_does_not_run() {
    let mut scene = Scene::new();
    scene.not_started(4);
    scene.observed(4).status = ServerStatus::NotServing;
    let checks = scene.checks();
    let is_of = |evidence: Evidence| checks.iter().filter(move |one| one.evidence == evidence);
    assert_eq!(is_of(Evidence::NotRunning).count(), 0, "{checks:#?}");
    let waiting = is_of(Evidence::LooksForLeader).filter(|one| one.server == Some(id(4))).count();
    assert!(waiting > 3, "{checks:#?}");
    let starts = |one: &&Check| one.remedy == Some(CheckRemedy::StartJoiner);
    assert_eq!(checks.iter().find(starts), None);
}

/// What the AdminServer shows to everyone goes no further.
#[test]
fn a_secret_is_named_and_not_shown() {
    let mut scene = Scene::new();
    scene.shows(1, "zookeeper.ssl.keyStore.password", "geheim");
    let checks = scene.checks();
    let shown = checks.iter().find_map(|check| match &check.evidence {
        Evidence::Shows { properties } if !properties.is_empty() => Some(properties),
        _ => None,
    });
    assert!(shown.expect("a finding").contains("zookeeper.ssl.keyStore.password"));
    assert!(!format!("{checks:?}").contains("geheim"));
}

/// Neither does a file that was given.
#[test]
fn a_secret_of_a_file_is_named_and_not_shown() {
    let mut scene = Scene::new();
    scene.file(1, "ssl.keyStore.password=geheim\n");
    let checks = scene.checks();
    let keys = checks.iter().find_map(|check| match &check.evidence {
        Evidence::SecretsInFile { keys } => Some(keys),
        _ => None,
    });
    assert!(keys.expect("a finding").contains("ssl.keyStore.password"));
    assert!(!format!("{checks:?}{:?}", scene.view()).contains("geheim"));
}
