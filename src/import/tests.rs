use super::*;
use crate::example;
use crate::model::EnsembleConfig;
use crate::observe::{Finding, ServerStatus, Source, Sourced};

/// What every file needs; behind the lines of a test, so that their numbers stay.
const REST: &str = "\ntickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/var/lib/zookeeper\n";

const STATIC: &str = "clientPort=2181\nreconfigEnabled=true\n\
    server.1=zk1.example:2888:3888\nserver.2=zk2.example:2888:3888\nserver.3=zk3.example:2888:3888:observer\n";

fn ids(numbers: &[i64]) -> Vec<ServerId> {
    numbers.iter().copied().map(ServerId::new).collect()
}

fn file(name: &str, text: &str) -> File {
    File { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
}

/// The files of one server; the first has [`REST`] behind it.
fn files(id: Option<i64>, text: &str, dynamic: Option<&str>) -> ServerFiles {
    ServerFiles {
        id: id.map(ServerId::new),
        zoo_cfg: file("zoo.cfg", &format!("{text}{REST}")),
        dynamic: dynamic.map(|text| file("zoo.cfg.dynamic", text)),
        next: None,
    }
}

fn from_zoo_cfg(text: &str, dynamic: Option<&str>) -> Result<Imported, ImportError> {
    from_zoo_cfgs("a", &[files(None, text, dynamic)])
}

fn at(file: &str, line: usize) -> Spot {
    Spot { file: file.to_owned(), line: Some(line) }
}

/// What the written spec says when it is read again.
fn read_back(imported: &Imported) -> Spec {
    let yaml = imported.to_yaml();
    spec::parse("imported.yaml", &yaml)
        .unwrap_or_else(|errors| panic!("{yaml}\n{}", errors.render()))
}

fn lines(imported: &Imported) -> Vec<String> {
    imported.servers.values().map(|wanted| wanted.server.to_string()).collect()
}

#[test]
fn a_static_file_gives_every_server_its_client_port() {
    let imported = from_zoo_cfg(STATIC, None).unwrap();
    assert_eq!(
        lines(&imported),
        [
            "server.1=zk1.example:2888:3888:participant;0.0.0.0:2181",
            "server.2=zk2.example:2888:3888:participant;0.0.0.0:2181",
            "server.3=zk3.example:2888:3888:observer;0.0.0.0:2181",
        ]
    );
    let assumed = Note::ClientPortAssumed { port: 2181, ids: ids(&[1, 2, 3]) };
    assert_eq!(imported.notes, [assumed, Note::StandaloneEnabled]);
    let spec = read_back(&imported);
    assert_eq!(spec.membership(), imported.to_spec().membership());
    assert_eq!(spec.connect.servers[2], "zk3.example:2181");
}

#[test]
fn the_written_spec_reads_well() {
    let imported = from_zoo_cfg(&STATIC.replace("reconfigEnabled=true\n", ""), None).unwrap();
    insta::assert_snapshot!(imported.to_yaml());
}

#[test]
fn a_dynamic_file_is_asked_for_and_read() {
    let zoo_cfg = "clientPort=2181\nstandaloneEnabled=FALSE\nreconfigEnabled=true\n\
                   dynamicConfigFile=/etc/zookeeper/zoo.cfg.dynamic.100000000\n";
    assert_eq!(
        dynamic_file_name(zoo_cfg.as_bytes()).as_deref(),
        Some("/etc/zookeeper/zoo.cfg.dynamic.100000000")
    );
    let needed = from_zoo_cfg(zoo_cfg, None).unwrap_err();
    assert!(matches!(&needed, ImportError::DynamicFileNeeded { at, .. } if at.line == Some(4)));
    let dynamic = "server.1=zk1:2888:3888:participant;2181\nserver.2=zk2:2888:3888";
    let imported = from_zoo_cfg(zoo_cfg, Some(dynamic)).unwrap();
    assert_eq!(imported.notes, [Note::ClientPortAssumed { port: 2181, ids: ids(&[2]) }]);
    assert_eq!(imported.standalone_enabled, StandaloneEnabled::False);
    assert_eq!(read_back(&imported).policy.standalone_enabled, StandaloneEnabled::False);
}

#[test]
fn what_zookeeper_refuses_is_refused_with_its_file_and_line() {
    let refused = |text: &str, dynamic| match from_zoo_cfg(text, dynamic) {
        Err(ImportError::Refused { at, why }) => (at, why),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(
        refused("dynamicConfigFile=d\nserver.1=a:1:2\n", Some("server.1=a:1:2")),
        (at("zoo.cfg", 2), ImportRefusal::MemberInStaticFile("server.1".to_owned()))
    );
    assert_eq!(
        refused("dynamicConfigFile=d\n", Some("\nclientPort=2181\n")),
        (at("zoo.cfg.dynamic", 2), ImportRefusal::UnknownParameter("clientPort".to_owned()))
    );
    assert_eq!(
        refused("# old\nserver.1=a:2888\n", None),
        (at("zoo.cfg", 2), ImportRefusal::Form("a:2888".to_owned()))
    );
    assert_eq!(
        refused("server.1=a:1:2\nclientPort=x\n", None),
        (at("zoo.cfg", 2), ImportRefusal::NotANumber("x".to_owned()))
    );
    let none = Spot { file: "zoo.cfg".to_owned(), line: None };
    assert_eq!(from_zoo_cfg("clientPort=2181\n", None), Err(ImportError::NoServer(none)));
}

#[test]
fn a_client_address_of_one_machine_stays_with_that_machine() {
    let text = "server.1=10.0.0.1:2888:3888\nserver.2=10.0.0.2:2888:3888\nclientPort=2181\n\
                clientPortAddress=10.0.0.2\nreconfigEnabled=true\nstandaloneEnabled=false\n";
    let imported = from_zoo_cfg(text, None).unwrap();
    assert_eq!(lines(&imported)[0], "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181");
    assert_eq!(lines(&imported)[1], "server.2=10.0.0.2:2888:3888:participant;10.0.0.2:2181");
    assert_eq!(imported.notes[0], Note::ClientAddressOfOne(Host::new("10.0.0.2")));
}

#[test]
fn what_a_spec_cannot_say_is_noted() {
    let text = "server.0=zk0:2888:3888;2181\nserver.300=0.0.0.0:2888:3888;2181\nserver.2=zk\u{1b}c:1:2;2181\n\
                server.2=zk\u{1b}d:1:2;2181\ngroup.1=0:300\ngroup.2=2\ngroup.3=9\nweight.9=2\n\
                reconfigEnabled=true\nstandaloneEnabled=false\n";
    let imported = from_zoo_cfg(text, None).unwrap();
    let repeated = Note::Repeated { key: "server.2".to_owned(), first: 3, last: at("zoo.cfg", 4) };
    let unknown = Note::HostUnknown(ids(&[300]));
    assert_eq!(
        imported.notes[..4],
        [repeated, unknown, Note::OddPlaces, Note::UnwantableIds(ids(&[0, 300]))]
    );
    let invalid: Vec<Option<ServerId>> = imported.notes[4..]
        .iter()
        .map(|note| match note {
            Note::NotValid { id, .. } => *id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(invalid, [Some(ServerId::new(2)), Some(ServerId::new(300))]);
    let yaml = imported.to_yaml();
    assert!(!yaml.contains('\u{1b}'), "{yaml}");
    let errors = spec::parse("a.yaml", &yaml).unwrap_err();
    assert_eq!(errors.complaints().len(), 2, "{}", errors.render());
}

#[test]
fn several_addresses_and_unknown_ports_stay_lines() {
    let text = "server.1=a:2888:3888|b:2888:3888;2181\nserver.2=c:2888:3888\nreconfigEnabled=true\n\
                standaloneEnabled=false\n";
    let imported = from_zoo_cfg(text, None).unwrap();
    let flag = Note::NeedsFlag { at: at("zoo.cfg", 1), id: ServerId::new(1) };
    assert_eq!(imported.notes, [flag, Note::ClientPortUnknown(ids(&[2]))]);
    let yaml = imported.to_yaml();
    assert!(
        yaml.contains("  - server.1=a:2888:3888|b:2888:3888:participant;0.0.0.0:2181\n"),
        "{yaml}"
    );
    assert!(yaml.contains("  - server.2=c:2888:3888:participant\n"), "{yaml}");
}

#[test]
fn a_file_with_nothing_but_a_secure_client_port_gives_a_spec_that_says_so() {
    let text = "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n\
                reconfigEnabled=true\nstandaloneEnabled=false\nsecureClientPort=2281\n";
    let imported = from_zoo_cfg(text, None).unwrap();
    let secure = Note::SecureClientPortAssumed { port: 2281, ids: ids(&[1, 2, 3]) };
    assert_eq!(imported.notes, [secure, Note::TlsOnly]);
    assert_eq!(imported.to_spec().connect.servers, ["a:2281", "b:2281", "c:2281"]);
    let yaml = imported.to_yaml();
    let spec = spec::parse("a.yaml", &yaml).unwrap();
    assert_eq!(spec.servers[&ServerId::new(2)].server.client_endpoint(), None, "{yaml}");
}

fn observed(id: i64, own_id: Option<i64>, endpoint: Endpoint) -> (ServerId, ServerObservation) {
    let shown = |id| Sourced { value: ServerId::new(id), source: Source::Conf };
    let observed = ServerObservation {
        endpoint: Some(endpoint),
        own_id: own_id.map(shown),
        ..ServerObservation::blank(ServerId::new(id), ServerStatus::IdUnknown)
    };
    (observed.id, observed)
}

fn observation(config: &str, servers: Vec<(ServerId, ServerObservation)>) -> Observation {
    let config = EnsembleConfig::parse(config).unwrap();
    let servers = servers.into_iter().collect();
    Observation { servers, ..example::seen::observation(config) }
}

#[test]
fn a_live_static_ensemble_gets_the_endpoints_that_answered() {
    let at = |host: &str, port| Endpoint::plain(Host::new(host), port);
    let tls = Endpoint { tls: true, ..at("d", 2281) };
    let config = "server.1=a:2888:3888:participant\nserver.2=b:2888:3888:participant\n\
                  server.3=c:2888:3888:participant\nserver.4=d:2888:3888:participant;0.0.0.0:2181\n\
                  version=0";
    let servers = vec![
        observed(1, Some(1), at("a", 2182)),
        observed(2, Some(2), at("clients.b", 2181)),
        observed(3, Some(7), at("c", 2181)),
        observed(4, Some(4), tls),
    ];
    let leads = |host: &str, to: &str| (host.to_owned(), vec![to.to_owned()]);
    let resolved = [leads("b", "10.0.0.2"), leads("clients.b", "10.0.9.2")].into_iter().collect();
    let seen = Observation { resolved, ..observation(config, servers) };
    let imported = from_observation("live", &seen);
    assert_eq!(
        lines(&imported),
        [
            "server.1=a:2888:3888:participant;0.0.0.0:2182",
            "server.2=b:2888:3888:participant;clients.b:2181",
            "server.3=c:2888:3888:participant",
            "server.4=d:2888:3888:participant;0.0.0.0:2181",
        ]
    );
    assert_eq!(imported.servers[&ServerId::new(4)].secure_client_port, Some(2281));
    let found = Note::ClientPortFound(ids(&[1, 2]));
    assert_eq!(imported.notes, [found, Note::ClientPortUnknown(ids(&[3]))]);
    assert_eq!(imported.to_spec().connect.servers, ["a:2182", "clients.b:2181", "d:2281"]);
}

#[test]
fn a_wildcard_gets_the_host_where_the_server_answered() {
    let at = |host: &str| Endpoint::plain(Host::new(host), 2181);
    let config = "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\n\
                  server.2=0.0.0.0:2888:3888:participant;0.0.0.0:2181\n\
                  server.3=[::]:2888:3888:participant;[::]:2181\nversion=100000000";
    let servers = vec![
        observed(1, Some(1), at("10.0.0.1")),
        observed(2, Some(2), at("10.0.0.2")),
        observed(3, None, at("10.0.0.3")),
    ];
    let imported = from_observation("live", &observation(config, servers));
    assert_eq!(lines(&imported)[1], "server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181");
    assert_eq!(imported.notes[0], Note::WildcardHost(ids(&[2])));
    let unknown = &imported.notes[1..];
    let of_3 =
        |note: &Note| matches!(note, Note::NotValid { id, .. } if *id == Some(ServerId::new(3)));
    assert!(!unknown.is_empty() && unknown.iter().all(of_3), "{unknown:?}");
    // Nothing leads to a wildcard: it would be asked on the machine that zkplan runs on.
    assert_eq!(imported.to_spec().connect.servers, ["10.0.0.1:2181", "10.0.0.2:2181"]);
}

/// Each member keeps such a line, and none of them is asked at it.
#[test]
fn clients_on_the_machine_of_each_server_can_stand_in_a_spec() {
    let line = |id| format!("server.{id}=10.0.0.{id}:2888:3888:participant;127.0.0.1:12181\n");
    let config = [1, 2].map(line).concat() + "version=100000000";
    let at = Endpoint::plain(Host::new("127.0.0.1"), 12181);
    let seen = observation(&config, vec![observed(1, Some(1), at)]);
    let imported = from_observation("live", &seen);
    let own =
        |id| Note::OwnClientAddress { id: ServerId::new(id), client: "127.0.0.1:12181".to_owned() };
    assert_eq!(imported.notes, [own(1), own(2)]);
    let spec = spec::parse("live.yaml", &imported.to_yaml()).unwrap();
    assert_eq!(spec.membership(), seen.config.membership);
    assert_eq!(spec.connect.servers, ["127.0.0.1:12181"]);
}

/// A service has the addresses of all its pods.
#[test]
fn a_name_of_several_servers_is_no_client_host() {
    let at = |host: &str| Endpoint::plain(Host::new(host), 2181);
    let config = "server.1=zk-1.zk:2888:3888:participant\n\
                  server.2=zk-2.zk:2888:3888:participant\nversion=100000000";
    let mut first = observed(1, Some(1), at("10.0.0.1"));
    first.1.reached_at = vec![at("10.0.0.1"), at("zk-1.zk")];
    let mut seen = observation(config, vec![first, observed(2, Some(2), at("zk"))]);
    let addresses = |all: &[&str]| all.iter().map(|at| (*at).to_owned()).collect::<Vec<_>>();
    seen.resolved.insert("zk".to_owned(), addresses(&["10.0.0.1", "10.0.0.2"]));
    seen.resolved.insert("zk-2.zk".to_owned(), addresses(&["10.0.0.2"]));
    let imported = from_observation("live", &seen);
    assert_eq!(
        lines(&imported),
        [
            "server.1=zk-1.zk:2888:3888:participant;0.0.0.0:2181",
            "server.2=zk-2.zk:2888:3888:participant;0.0.0.0:2181",
        ]
    );
    assert_eq!(imported.to_spec().connect.servers[0], "zk-1.zk:2181");
}

#[test]
fn groups_and_weights_are_those_of_the_voters() {
    let text = "server.1=zk1:2888:3888;2181\nserver.2=zk2:2888:3888;2181\n\
                server.3=zk3:2888:3888:observer;2181\ngroup.1=1\ngroup.7=2\nweight.2=3\n\
                reconfigEnabled=true\nstandaloneEnabled=false\n";
    let imported = from_zoo_cfg(text, None).unwrap();
    assert_eq!(imported.notes, []);
    let yaml = imported.to_yaml();
    let spec = spec::parse("a.yaml", &yaml).unwrap();
    assert_eq!(spec.membership(), imported.to_spec().membership());
    assert!(yaml.contains("    group: 7\n    weight: 3\n"), "{yaml}");
    let error = from_zoo_cfg(&text.replace("group.7=2", "group.7=2:x"), None).unwrap_err();
    let why = ImportRefusal::NotANumber("x".to_owned());
    assert_eq!(error, ImportError::Refused { at: at("zoo.cfg", 5), why });
}

#[test]
fn servers_with_other_files_are_named() {
    let config = "server.1=a:2888:3888:participant;2181\nversion=0";
    let mut seen = observation(config, Vec::new());
    let server = Some(ServerId::new(3));
    seen.findings = vec![Finding { kind: FindingKind::MemberDisagrees, server }];
    let notes = from_observation("live", &seen).notes;
    assert!(notes.contains(&Note::Disagree(ids(&[3]))), "{notes:?}");
}

/// Three containers, each with `0.0.0.0` in its own line and a client port of its own.
fn containers() -> Vec<ServerFiles> {
    let line = |id: i64, own: i64| {
        let host = if id == own { "0.0.0.0".to_owned() } else { format!("zoo{id}") };
        format!("server.{id}={host}:2888:3888\n")
    };
    let file = |own: i64| {
        let lines: String = (1..=3).map(|id| line(id, own)).collect();
        let more = "reconfigEnabled=true\nstandaloneEnabled=false\n";
        files(Some(own), &format!("{lines}clientPort=218{own}\n{more}"), None)
    };
    (1..=3).map(file).collect()
}

#[test]
fn several_files_give_each_server_its_own_port_and_its_true_host() {
    let imported = from_zoo_cfgs("a", &containers()).unwrap();
    assert_eq!(
        lines(&imported),
        [
            "server.1=zoo1:2888:3888:participant;0.0.0.0:2181",
            "server.2=zoo2:2888:3888:participant;0.0.0.0:2182",
            "server.3=zoo3:2888:3888:participant;0.0.0.0:2183",
        ]
    );
    let own = |id: i64, by: &[i64]| Note::OwnWildcard {
        id: ServerId::new(id),
        host: Host::new("0.0.0.0"),
        by: ids(by),
    };
    assert_eq!(imported.notes, [own(1, &[2, 3]), own(2, &[1, 3]), own(3, &[1, 2])]);
    read_back(&imported);
}

/// One file of a container does not say where its own server is, and the note says what does.
#[test]
fn a_host_that_no_file_has_is_asked_for() {
    let [first, second, _] = containers().try_into().expect("three files");
    let alone = from_zoo_cfgs("a", std::slice::from_ref(&first)).unwrap();
    assert!(alone.notes.contains(&Note::HostUnknown(ids(&[1]))), "{:?}", alone.notes);
    let of_two = from_zoo_cfgs("a", &[first, second]).unwrap();
    let is_asked = |note: &Note| matches!(note, Note::HostUnknown(_));
    assert!(!of_two.notes.iter().any(is_asked), "{:?}", of_two.notes);
}

#[test]
fn what_differs_between_files_is_said() {
    let file = |own: i64, more: &str| {
        let lines = "server.1=zk1:2888:3888\nserver.2=zk2:2888:3888\n";
        files(Some(own), &format!("{lines}{more}clientPort=2181\n"), None)
    };
    let third = "server.3=zk3:2888:3888\n";
    let moved = "server.3=zk9:2888:3888\n";
    let more = format!("{third}server.4=zk4:2888:3888\nreconfigEnabled=true\n");
    let all = [file(1, third), file(2, moved), file(3, third), file(4, &more)];
    let imported = from_zoo_cfgs("a", &all).unwrap();
    assert_eq!(imported.servers.len(), 3);
    let line = |host: &str| format!("{host}:2888:3888:participant");
    for note in [
        Note::MembersDiffer { by: ids(&[4]), ids: ids(&[1, 2, 3, 4]), taken: ids(&[1, 2, 3]) },
        Note::LinesDiffer {
            id: ServerId::new(3),
            taken: line("zk3"),
            by: ids(&[1, 3, 4]),
            other: line("zk9"),
            otherwise: ids(&[2]),
        },
        Note::ReconfigDisabledOn(ids(&[1, 2, 3])),
    ] {
        assert!(imported.notes.contains(&note), "{note:?}: {:?}", imported.notes);
    }
}

#[test]
fn the_newest_dynamic_file_counts() {
    let file = |own: i64, version: &str, lines: &str| {
        let text =
            format!("reconfigEnabled=true\ndynamicConfigFile=/c/zoo.cfg.dynamic.{version}\n");
        files(Some(own), &text, Some(lines))
    };
    let two = "server.1=zk1:2888:3888;2181\nserver.2=zk2:2888:3888;2181\n";
    let three = format!("{two}server.3=zk3:2888:3888;2181\n");
    let all = [file(1, "100000000", two), file(2, "10000000a", &three), file(3, "9", two)];
    assert!(matches!(
        from_zoo_cfgs("a", &all),
        Err(ImportError::NotListed { id, .. }) if id == ServerId::new(3)
    ));
    assert_eq!(from_zoo_cfgs("a", &all[..2]).unwrap().servers.len(), 3);
}

#[test]
fn of_several_files_each_needs_its_own_server() {
    let (one, other) = (files(Some(1), STATIC, None), files(None, STATIC, None));
    let whose = from_zoo_cfgs("a", &[one.clone(), other]);
    assert!(matches!(whose, Err(ImportError::WhoseFile(_))), "{whose:?}");
    let same = from_zoo_cfgs("a", &[one.clone(), one]);
    assert!(matches!(same, Err(ImportError::SameServer { .. })), "{same:?}");
}
