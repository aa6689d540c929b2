use super::*;
use crate::model::EnsembleConfig;
use crate::observe::{Identity, Source, Standing, Told};
use crate::trust::FolderSeen;

const STATIC: &str = "tickTime=2000\ndataDir=/var/lib/zookeeper\nclientPort=2181\nreconfigEnabled=true\n\
    server.1=zk1.example:2888:3888\nserver.2=zk2.example:2888:3888\nserver.3=zk3.example:2888:3888:observer\n";

fn ids(numbers: &[i64]) -> Vec<ServerId> {
    numbers.iter().copied().map(ServerId::new).collect()
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
    let imported = from_zoo_cfg("legacy", STATIC, None).unwrap();
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
    let imported =
        from_zoo_cfg("legacy", &STATIC.replace("reconfigEnabled=true\n", ""), None).unwrap();
    insta::assert_snapshot!(imported.to_yaml());
}

#[test]
fn a_dynamic_file_is_asked_for_and_read() {
    let zoo_cfg = "clientPort=2181\nstandaloneEnabled=FALSE\nreconfigEnabled=true\n\
                   dynamicConfigFile=/etc/zookeeper/zoo.cfg.dynamic.100000000\n";
    assert_eq!(
        dynamic_file_name(zoo_cfg).as_deref(),
        Some("/etc/zookeeper/zoo.cfg.dynamic.100000000")
    );
    let needed = from_zoo_cfg("a", zoo_cfg, None).unwrap_err();
    assert!(matches!(needed, ImportError::DynamicFileNeeded { line: 4, .. }));
    let dynamic =
        "server.1=zk1:2888:3888:participant;2182\nserver.2=zk2:2888:3888\nversion=100000000";
    let imported = from_zoo_cfg("a", zoo_cfg, Some(dynamic)).unwrap();
    assert_eq!(imported.notes, [Note::ClientPortAssumed { port: 2181, ids: ids(&[2]) }]);
    assert_eq!(imported.standalone_enabled, StandaloneEnabled::False);
    assert_eq!(read_back(&imported).policy.standalone_enabled, StandaloneEnabled::False);
}

#[test]
fn what_zookeeper_refuses_is_refused_with_its_line() {
    let refused = |text: &str, dynamic| from_zoo_cfg("a", text, dynamic).unwrap_err();
    let in_static = "dynamicConfigFile=d\nserver.1=a:1:2\n";
    assert_eq!(
        refused(in_static, Some("server.1=a:1:2")),
        ImportError::MemberInStaticFile { line: 2, key: "server.1".to_owned() }
    );
    assert_eq!(
        refused("dynamicConfigFile=d\n", Some("\nclientPort=2181\n")),
        ImportError::UnknownMemberKey { line: 2, key: "clientPort".to_owned() }
    );
    assert!(matches!(
        refused("# old\nserver.1=a:2888\n", None),
        ImportError::Server { line: 2, .. }
    ));
    let wrong_port = "server.1=a:1:2\nclientPort=x\n";
    assert_eq!(refused(wrong_port, None), ImportError::Port { line: 2, key: "clientPort" });
    assert_eq!(refused("clientPort=2181\n", None), ImportError::NoServer);
}

#[test]
fn a_client_address_of_one_machine_stays_with_that_machine() {
    let text = "server.1=10.0.0.1:2888:3888\nserver.2=10.0.0.2:2888:3888\nclientPort=2181\n\
                clientPortAddress=10.0.0.2\nreconfigEnabled=true\nstandaloneEnabled=false\n";
    let imported = from_zoo_cfg("a", text, None).unwrap();
    assert_eq!(lines(&imported)[0], "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181");
    assert_eq!(lines(&imported)[1], "server.2=10.0.0.2:2888:3888:participant;10.0.0.2:2181");
    assert_eq!(imported.notes[0], Note::ClientAddressOfOne(Host::new("10.0.0.2")));
}

#[test]
fn what_a_spec_cannot_say_is_noted() {
    let text = "server.0=zk0:2888:3888;2181\nserver.300=0.0.0.0:2888:3888;2182\nserver.2=zk\u{1b}c:1:2;3\n\
                server.2=zk\u{1b}d:1:2;3\ngroup.1=0:300\nweight.0=2\nreconfigEnabled=yes\nstandaloneEnabled=false\n";
    let imported = from_zoo_cfg("a", text, None).unwrap();
    let wanted = [
        Note::Repeated { key: "server.2".to_owned(), first: 3, last: 4 },
        Note::OddPlaces,
        Note::ReconfigDisabled,
        Note::UnwantableId(ServerId::new(0)),
        Note::UnwantableHost { id: ServerId::new(2), host: Host::new("zk\u{1b}d") },
        Note::UnwantableId(ServerId::new(300)),
        Note::UnwantableHost { id: ServerId::new(300), host: Host::new("0.0.0.0") },
    ];
    assert_eq!(imported.notes, wanted);
    let yaml = imported.to_yaml();
    assert!(!yaml.contains('\u{1b}'), "{yaml}");
    let errors = spec::parse("a.yaml", &yaml).unwrap_err();
    assert_eq!(errors.complaints().len(), 4, "{}", errors.render());
}

#[test]
fn several_addresses_and_unknown_ports_stay_lines() {
    let text = "server.1=a:2888:3888|b:2888:3888;2181\nserver.2=c:2888:3888\nreconfigEnabled=true\n\
                standaloneEnabled=false\n";
    let imported = from_zoo_cfg("a", text, None).unwrap();
    assert_eq!(imported.notes, [Note::ClientPortUnknown(ids(&[2]))]);
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
    let imported = from_zoo_cfg("a", text, None).unwrap();
    let secure = Note::SecureClientPortAssumed { port: 2281, ids: ids(&[1, 2, 3]) };
    assert_eq!(imported.notes, [secure]);
    let yaml = imported.to_yaml();
    let spec = spec::parse("a.yaml", &yaml).unwrap();
    assert_eq!(spec.servers[&ServerId::new(2)].server.client_endpoint(), None, "{yaml}");
}

fn sight(id: i64, own_id: Option<i64>, endpoint: Endpoint) -> (ServerId, ServerSight) {
    let told = |id| Told { value: ServerId::new(id), source: Source::Conf };
    let sight = ServerSight {
        endpoint: Some(endpoint),
        own_id: own_id.map(told),
        ..ServerSight::blank(ServerId::new(id), Standing::IdUnknown)
    };
    (sight.id, sight)
}

fn observation(config: &str, servers: Vec<(ServerId, ServerSight)>) -> Observation {
    Observation {
        config: EnsembleConfig::parse(config).unwrap(),
        identity: Identity::NoneYet,
        folder: FolderSeen::Empty,
        leader: None,
        leader_zxid: None,
        servers: servers.into_iter().collect(),
        strangers: Vec::new(),
        silent_contacts: Vec::new(),
        elsewhere: Vec::new(),
        shared_names: BTreeMap::new(),
        wanted_at: BTreeMap::new(),
        resolved: BTreeMap::new(),
        write_committed: true,
        reconfig_disabled: false,
        findings: Vec::new(),
        assumed: false,
    }
}

#[test]
fn a_live_static_ensemble_gets_the_endpoints_that_answered() {
    let at = |host: &str, port| Endpoint::plain(Host::new(host), port);
    let tls = Endpoint { tls: true, ..at("d", 2281) };
    let config = "server.1=a:2888:3888:participant\nserver.2=b:2888:3888:participant\n\
                  server.3=c:2888:3888:participant\nserver.4=d:2888:3888:participant;0.0.0.0:2181\n\
                  version=0";
    let servers = vec![
        sight(1, Some(1), at("a", 2182)),
        sight(2, Some(2), at("clients.b", 2181)),
        sight(3, Some(7), at("c", 2181)),
        sight(4, Some(4), tls),
    ];
    let imported = from_observation("live", &observation(config, servers));
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
        sight(1, Some(1), at("10.0.0.1")),
        sight(2, Some(2), at("10.0.0.2")),
        sight(3, None, at("10.0.0.3")),
    ];
    let imported = from_observation("live", &observation(config, servers));
    assert_eq!(lines(&imported)[1], "server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181");
    let unknown = Note::UnwantableHost { id: ServerId::new(3), host: Host::new("::") };
    assert_eq!(imported.notes, [Note::WildcardHost(ids(&[2])), unknown]);
    // Nothing leads to a wildcard: it would be asked on the machine that zkplan runs on.
    assert_eq!(imported.to_spec().connect.servers, ["10.0.0.1:2181", "10.0.0.2:2181"]);
}

/// Each member keeps such a line, and none of them is asked at it.
#[test]
fn clients_on_the_machine_of_each_server_can_stand_in_a_spec() {
    let line = |id| format!("server.{id}=10.0.0.{id}:2888:3888:participant;127.0.0.1:12181\n");
    let config = [1, 2].map(line).concat() + "version=100000000";
    let at = Endpoint::plain(Host::new("127.0.0.1"), 12181);
    let seen = observation(&config, vec![sight(1, Some(1), at)]);
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
    let mut first = sight(1, Some(1), at("10.0.0.1"));
    first.1.reached_at = vec![at("10.0.0.1"), at("zk-1.zk")];
    let mut seen = observation(config, vec![first, sight(2, Some(2), at("zk"))]);
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
    let imported = from_zoo_cfg("a", text, None).unwrap();
    assert_eq!(imported.notes, []);
    let yaml = imported.to_yaml();
    let spec = spec::parse("a.yaml", &yaml).unwrap();
    assert_eq!(spec.membership(), imported.to_spec().membership());
    assert!(yaml.contains("    group: 7\n    weight: 3\n"), "{yaml}");
    let error = from_zoo_cfg("a", &text.replace("group.7=2", "group.7=2:x"), None).unwrap_err();
    assert_eq!(error, ImportError::Place { line: 5, key: "group.7".to_owned() });
}
