//! The decisions on a standalone server, branch by branch.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::ensemble::{Mode, NoAnswer};
use crate::model::{Endpoint, EnsembleConfig, Host, Server, ServerId, Target, Zxid};

const NOTED: Noted = Noted { zxid: Zxid::new(0x16e), znodes: 100 };

fn id(number: i64) -> ServerId {
    ServerId::new(number)
}

fn line(number: i64) -> Server {
    let text = format!("server.{number}=10.0.0.{number}:2888:3888:participant;2181");
    Server::parse_line(&text).expect("a server line")
}

fn three() -> Target {
    Target::of("prod", [1, 2, 3].map(line))
}

fn at(number: i64) -> Endpoint {
    Endpoint::plain(Host::new(&format!("10.0.0.{number}")), 2181)
}

fn server(number: i64) -> StandaloneServer {
    StandaloneServer {
        at: at(number),
        version: None,
        noted: Some(NOTED),
        bytes: None,
        connections: None,
        data_dir: Some("/data".to_owned()),
        tells_all: true,
    }
}

/// Server 1 runs standalone, and nothing else runs.
fn answered() -> Answered {
    Answered {
        reached: server(1),
        wanted: [
            (id(1), WantedState::Standalone),
            (id(2), WantedState::Down),
            (id(3), WantedState::Down),
        ]
        .into(),
        standalone: [(id(1), server(1))].into(),
        reached_as: [id(1)].into(),
        open_ports: BTreeMap::new(),
    }
}

fn judged(target: &Target, answered: Answered) -> Result<FirstQuorum, Vec<Hindrance>> {
    FirstQuorumAnswer::of(target, answered, &BTreeMap::new()).verdict
}

fn hindrance(target: &Target, answered: Answered) -> HindranceCode {
    let all = judged(target, answered).expect_err("it is not possible");
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].code()
}

fn with_file(text: &str) -> Result<FirstQuorum, Vec<Hindrance>> {
    let given = NamedFile { name: "zoo.cfg".to_owned(), text: text.to_owned() };
    FirstQuorumAnswer::of(&three(), answered(), &[(id(1), given)].into()).verdict
}

#[test]
fn the_files_have_what_the_restart_needs_and_no_more() {
    let first = judged(&three(), answered()).expect("it is possible");
    assert_eq!((first.id(), first.files.my_id), (id(1), id(1)));
    assert_eq!(first.files.data_dir.as_deref(), Some("/data"));
    let lines: Vec<&str> = first.files.lines().collect();
    assert_eq!(
        lines,
        [
            "reconfigEnabled=true",
            "standaloneEnabled=false",
            "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181",
        ]
    );
    let edited = with_file("dataDir=/d\nclientPort=2181\nstandaloneEnabled=true\n");
    let edited = edited.expect("it is possible").files;
    assert_eq!(edited.data_dir.as_deref(), Some("/d"));
    assert!(edited.lines().next().is_none(), "a file was given");
    let after = edited.zoo_cfg.after;
    assert!(after.starts_with("dataDir=/d\nclientPort=2181\nstandaloneEnabled=false\n"), "{after}");
}

#[test]
fn what_is_in_the_way_is_named() {
    let code = |change: &dyn Fn(&mut Answered)| {
        let mut answered = answered();
        change(&mut answered);
        hindrance(&three(), answered)
    };
    let nowhere = code(&|seen| {
        seen.standalone.clear();
        seen.reached_as.clear();
    });
    assert_eq!(nowhere, HindranceCode::NotInSpec);
    assert_eq!(code(&|seen| seen.reached_as.clear()), HindranceCode::OtherServer);
    let two = code(&|seen| drop(seen.standalone.insert(id(2), server(2))));
    assert_eq!(two, HindranceCode::SeveralStandalone);
    for runs in [WantedState::Looks, WantedState::Serves(Mode::Leader), WantedState::Runs] {
        let others = code(&|seen| {
            seen.wanted.insert(id(2), runs);
        });
        assert_eq!(others, HindranceCode::OthersRun);
    }
    let taken = code(&|seen| drop(seen.open_ports.insert(id(1), [2888].into())));
    assert_eq!(taken, HindranceCode::PortTaken);

    let none = Target::of("prod", []);
    assert_eq!(hindrance(&none, answered()), HindranceCode::NoSpec);
    let with = |change: &dyn Fn(&mut Server)| {
        let mut target = three();
        change(&mut target.servers.get_mut(&id(1)).expect("server 1").server);
        hindrance(&target, answered())
    };
    let observer = with(&|line| *line = line.clone().observing());
    assert_eq!(observer, HindranceCode::NotParticipant);
    assert_eq!(with(&|line| line.client = None), HindranceCode::NoClientPort);
}

/// Nothing answers there: it may run, and a person has to see to it.
#[test]
fn a_server_that_cannot_be_reached_is_not_counted_as_down() {
    let mut seen = answered();
    let unknown = WantedState::Unknown(NoAnswer::ConnectTimedOut);
    seen.wanted.insert(id(3), unknown);
    let first = judged(&three(), seen).expect("it is possible");
    assert_eq!(first.others[&id(3)], unknown);
}

#[test]
fn a_file_with_which_the_server_would_not_start_is_refused() {
    let code = |text: &str| {
        let all = with_file(text).expect_err("it is not possible");
        all.iter().map(Hindrance::code).collect::<Vec<_>>()
    };
    assert_eq!(code("clientPort=2182\n"), [HindranceCode::OtherClientPort]);
    assert_eq!(code("clientPortAddress=10.0.0.1\n"), [HindranceCode::OtherClientAddress]);
    assert_eq!(code("server.2=b:2888:3888\n"), [HindranceCode::MembersInFile]);
    assert_eq!(code("dynamicConfigFile=/d/zoo.cfg.dynamic\n"), [HindranceCode::MembersInFile]);
    assert_eq!(code("dataDir=\\uXYZ\n"), [HindranceCode::Malformed]);
    assert!(with_file("clientPortAddress=0.0.0.0\nclientPort=2181\n").is_ok());
}

fn noted(zxid: u64, znodes: u64) -> Noted {
    Noted { zxid: Zxid::new(zxid), znodes }
}

fn config(lines: &[Server], version: &str) -> ConfigSeen {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let text = format!("{}\nversion={version}", lines.join("\n"));
    ConfigSeen::Seen(EnsembleConfig::parse(&text).expect("a config"))
}

/// Server 1 leads alone, with all its data.
fn leads() -> RestartSample {
    RestartSample::Serves(ServingServer {
        mode: Mode::Leader,
        noted: Some(Noted { zxid: Zxid::new(0x1_0000_0001), znodes: 100 }),
        own_id: 1,
        config: config(&[line(1)], "100000000"),
        comparison: Comparison::SessionSurvived,
    })
}

fn with(change: impl FnOnce(&mut ServingServer)) -> RestartSample {
    let RestartSample::Serves(mut server) = leads() else { unreachable!("it serves") };
    change(&mut server);
    RestartSample::Serves(server)
}

/// What comes of a restart that ends like that.
fn after(sample: &RestartSample) -> RestartState {
    let mut watch = RestartWatch::new(line(1), Some(NOTED));
    assert_eq!(watch.advance(0, &RestartSample::Standalone(Some(NOTED))), RestartState::Waits);
    assert_eq!(watch.advance(200, &RestartSample::Refused), RestartState::Down);
    assert_eq!(watch.advance(1200, &RestartSample::Looks), RestartState::Starts);
    watch.advance(2000, sample)
}

#[test]
fn a_leader_alone_with_its_data_is_proven() {
    let RestartState::Proven(proven) = after(&leads()) else { panic!("it is not proven") };
    assert_eq!((proven.gap_ms, proven.fewer_znodes()), (Some(2000), None));
    assert_eq!(proven.version.to_string(), format!("{:x}", NOTED.first_version()));
    let fewer = with(|server| server.noted = Some(noted(0x1_0000_0001, 97)));
    let RestartState::Proven(proven) = after(&fewer) else { panic!("its session survived") };
    assert_eq!(proven.fewer_znodes(), Some(3));
}

#[test]
fn each_mistake_is_recognized() {
    let wrong = |sample: &RestartSample| match after(sample) {
        RestartState::Wrong(mistake) => mistake,
        other => panic!("{other:?}"),
    };
    let alone = RestartSample::Standalone(Some(NOTED));
    assert_eq!(wrong(&alone), RestartMistake::StandaloneAgain);
    let empty = RestartSample::Standalone(Some(Noted { zxid: Zxid::new(1), znodes: 5 }));
    assert_eq!(wrong(&empty), RestartMistake::DataMissing);
    let disabled = [ConfigSeen::Empty, ConfigSeen::Unreadable, config(&[line(1)], "0")];
    for seen in disabled {
        let sample = with(|server| server.config = seen);
        assert_eq!(wrong(&sample), RestartMistake::ReconfigDisabled);
    }
    let bare = Server { client: None, ..line(1) };
    let bare = with(|server| server.config = config(&[bare], "100000000"));
    assert_eq!(wrong(&bare), RestartMistake::NoClientPart);
    let others = with(|server| server.config = config(&[line(1), line(2)], "100000000"));
    assert_eq!(wrong(&others), RestartMistake::OtherMembers(BTreeSet::from([id(2)])));
    assert_eq!(wrong(&with(|server| server.own_id = 7)), RestartMistake::OtherId(7));
    assert_eq!(wrong(&with(|server| server.mode = Mode::Follower)), RestartMistake::Follows);
    for comparison in [Comparison::SessionGone, Comparison::NotCompared] {
        let fewer = |znodes| {
            with(|server| {
                (server.noted, server.comparison) =
                    (Some(noted(0x1_0000_0001, znodes)), comparison);
            })
        };
        assert_eq!(wrong(&fewer(99)), RestartMistake::DataMissing);
        assert!(matches!(after(&fewer(100)), RestartState::Proven(_)));
    }
    let back = with(|server| server.noted = Some(noted(0x16d, 100)));
    assert_eq!(wrong(&back), RestartMistake::DataMissing);
}

#[test]
fn what_lasts_too_long_is_a_mistake_and_no_answer_proves_nothing() {
    let mut watch = RestartWatch::new(line(1), Some(NOTED));
    assert_eq!(watch.advance(0, &RestartSample::Silent), RestartState::Silent);
    let alone = RestartSample::Standalone(Some(NOTED));
    assert_eq!(watch.advance(1, &alone), RestartState::Waits, "it was not seen down");
    watch.advance(1000, &RestartSample::Refused);
    let late = watch.advance(16_000, &RestartSample::Refused);
    assert_eq!(late, RestartState::Wrong(RestartMistake::DoesNotStart));
    assert_eq!(watch.advance(17_000, &RestartSample::Looks), RestartState::Starts);
    let late = watch.advance(37_000, &RestartSample::Looks);
    assert_eq!(late, RestartState::Wrong(RestartMistake::WaitsForOthers));
    assert!(matches!(watch.advance(38_000, &leads()), RestartState::Proven(_)));
}

/// Writes go on until the server is stopped.
#[test]
fn what_is_noted_is_the_last_that_was_seen_before() {
    let mut watch = RestartWatch::new(line(1), Some(NOTED));
    let later = Noted { zxid: Zxid::new(0x200), znodes: 120 };
    watch.advance(0, &RestartSample::Standalone(Some(later)));
    assert_eq!(watch.noted(), Some(later));
}

#[test]
fn what_was_noted_is_read_as_it_is_printed() {
    assert_eq!(NOTED.to_string(), "0x16e:100");
    assert_eq!("0x16e:100".parse(), Ok(NOTED));
    for wrong in ["", "0x16e", "16e:100", "0x16e:", "0x16e:x"] {
        assert!(wrong.parse::<Noted>().is_err(), "{wrong}");
    }
    let once_a_member = Noted { zxid: Zxid::new(0x2_0000_0005), znodes: 5 };
    assert_eq!((once_a_member.first_version(), once_a_member.is_empty()), (3 << 32, true));
}
