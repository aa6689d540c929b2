//! What holds for every spec and for every text.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use jsonschema::Validator;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use zkplan::import::{self, File, Note, ServerFiles};
use zkplan::model::{
    AcceptedRisk, AddAs, Auth, AuthScheme, BackupPolicy, Bound, ClientAddress, ClientPart, Connect,
    Cutover, FOUR_LETTER_WORDS, Folder, Hooks, Host, Millis, MinTolerance, PasswordSource,
    PeerAddress, Policy, ReuseIds, Role, Server, ServerId, ServerVersion, SettingName,
    StandaloneEnabled, Timeouts, Tls, VoteWeight, WantedSettings, ZonePolicy,
};
use zkplan::spec::{self, Spec, WantedServer};

/// Hosts that differ between servers, whatever the ports.
fn host(id: i64) -> impl Strategy<Value = String> {
    prop_oneof![
        Just(format!("10.0.{}.{}", id / 200, id % 200)),
        Just(format!("2001:db8::{id:x}")),
        Just(format!("{id}e5.Zk_{id}")),
        "[a-z][a-z0-9-]{0,8}".prop_map(move |name| format!("{name}.z{id}")),
    ]
}

fn zone() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z0-9._-]{1,12}", Just("true".to_owned()), Just("1".to_owned())]
}

/// Where a vote counts; by default it weighs 1.
fn place() -> impl Strategy<Value = VoteWeight> {
    let weight = prop_oneof![2 => Just(1_i64), 1 => 0_i64..=9, 1 => Just(i64::from(u32::MAX))];
    (prop_oneof![3 => 0_i64..5, 1 => Just(i64::from(u32::MAX))], weight)
        .prop_map(|(group, weight)| VoteWeight { group, weight })
}

fn server(id: i64) -> impl Strategy<Value = WantedServer> {
    let role = prop_oneof![3 => Just(Role::Participant), 1 => Just(Role::Observer)];
    // Ports that can neither meet each other nor the hosts of another server.
    let ports = (2000_u16..3000, 3000_u16..4000, 1000_u16..2000, option::of(4000_u16..5000));
    let extra = (
        option::of(zone()),
        option::weighted(0.2, Just(())),
        0_usize..3,
        any::<bool>(),
        option::weighted(0.3, place()),
    );
    (host(id), role, ports, extra).prop_map(move |(host, role, ports, extra)| {
        let (quorum_port, election_port, client_port, secure_client_port) = ports;
        let (zone, admin, form, bound, place) = extra;
        let peer = |host: &str| PeerAddress { host: Host::new(host), quorum_port, election_port };
        let mut peers = vec![peer(&host)];
        // One in three has several addresses and so is a line.
        let line = form == 0;
        if line {
            peers.push(peer(&format!("second.z{id}")));
        }
        let client = if bound {
            ClientAddress { host: Host::new(&host), port: client_port }
        } else {
            ClientAddress::on_all_addresses(client_port)
        };
        let secure_client_port = secure_client_port.filter(|_| !line);
        // Some serve clients in TLS alone.
        let is_tls_alone = secure_client_port.is_some_and(|port| port % 3 == 0);
        let admin_url = || format!("http://{}:8080", Host::new(&host));
        WantedServer {
            server: Server {
                id: ServerId::new(id),
                peers,
                role,
                client: Some(client).filter(|_| !is_tls_alone),
                secure_client: None,
                place: place.filter(|_| !line && role == Role::Participant),
            },
            secure_client_port,
            zone,
            admin: admin.filter(|()| !line).map(|()| admin_url()),
            line: 0,
        }
    })
}

fn servers() -> impl Strategy<Value = BTreeMap<ServerId, WantedServer>> {
    prop::sample::subsequence((1_i64..=254).collect::<Vec<_>>(), 1..8)
        .prop_flat_map(|ids| ids.into_iter().map(server).collect::<Vec<_>>())
        .prop_map(|mut servers| {
            // Somebody has to vote.
            servers[0].server.role = Role::Participant;
            servers.into_iter().map(|wanted| (wanted.server.id, wanted)).collect()
        })
}

fn millis() -> impl Strategy<Value = Millis> {
    (1_u64..3_600_000).prop_map(Millis)
}

fn connect() -> impl Strategy<Value = Connect> {
    let password = prop_oneof![
        "[A-Z][A-Z0-9_]{0,10}".prop_map(PasswordSource::Env),
        "[ -~äß漢]{1,20}".prop_map(|path| PasswordSource::File(PathBuf::from(path))),
    ];
    let scheme = prop_oneof![Just(AuthScheme::Digest), Just(AuthScheme::Sasl)];
    let auth = (scheme, "[ -9;-~]{1,10}", password)
        .prop_map(|(scheme, user, password)| Auth::of(scheme, user, password));
    let pair = || ("[ -~]{1,10}", "[a-z/.]{1,10}");
    let tls = ("[ -~]{1,10}", option::of(pair())).prop_map(|(ca, pair)| {
        let (cert, key) = pair.unzip();
        Tls { ca: ca.into(), cert: cert.map(PathBuf::from), key: key.map(PathBuf::from) }
    });
    let servers = vec(prop_oneof![Just("[::1]:2181".to_owned()), "[a-z]{1,5}:[1-9]{4}"], 0..3);
    let folder = prop_oneof![
        Just(Folder::default()),
        "(/[a-y_.-][a-z]{1,4}){1,3}".prop_map(|path| folder(&path))
    ];
    let answers = (1_u64..60_000, 1_u64..60_000);
    let timeouts = option::of(answers).prop_map(|given| match given {
        Some((connect, answer)) => {
            Timeouts::Fixed { connect: Millis(connect), answer: Millis(answer) }
        }
        None => Timeouts::Auto,
    });
    (servers, option::of(auth), option::of(tls), millis(), folder, timeouts).prop_map(
        |(servers, auth, tls, session_timeout, folder, timeouts)| Connect {
            servers,
            auth,
            tls,
            session_timeout,
            folder,
            timeouts,
        },
    )
}

fn folder(path: &str) -> Folder {
    Folder::parse(path).expect("a path of plain names")
}

fn policy() -> impl Strategy<Value = Policy> {
    let tolerance =
        prop_oneof![Just(MinTolerance::Auto), (0_u32..=127).prop_map(MinTolerance::AtLeast)];
    let zones =
        prop::sample::select(vec![ZonePolicy::Best, ZonePolicy::Strict, ZonePolicy::Ignore]);
    let cutover =
        prop::sample::select(vec![Cutover::Auto, Cutover::Manual, Cutover::Drained, Cutover::None]);
    let standalone = prop::sample::select(vec![
        StandaloneEnabled::Unknown,
        StandaloneEnabled::True,
        StandaloneEnabled::False,
    ]);
    let backup = option::of(
        (1_u64..9000).prop_map(|secs| BackupPolicy { max_age: Millis::from_secs(secs) }),
    );
    (tolerance, zones, cutover, standalone, any::<[bool; 4]>(), 0_u32..9, millis(), backup)
        .prop_map(
            |(
                min_tolerance,
                zones,
                cutover,
                standalone_enabled,
                words,
                count,
                stable_for,
                backup,
            )| Policy {
                min_tolerance,
                zones,
                changes_per_step: count,
                add_as: if words[0] { AddAs::Participant } else { AddAs::Observer },
                cutover,
                stable_for,
                max_shrink: count,
                standalone_enabled,
                reuse_ids: if words[1] { ReuseIds::Never } else { ReuseIds::Blank },
                client_part: if words[2] { ClientPart::Keep } else { ClientPart::Write },
                require_saved_plan: words[3],
                backup,
            },
        )
}

fn accept() -> impl Strategy<Value = Vec<AcceptedRisk>> {
    let rule =
        prop::sample::subsequence(vec!["ZKF1", "ZKF13", "ZKQ2:join-2", "ZKQ10:leave-1,4..7"], 0..4);
    (rule, "[ -~äß]{0,20}[a-z]", 1_u8..=28).prop_map(|(rules, reason, day)| {
        let accepted = |rule: &str| {
            let (code, step) = zkplan::model::risk_of(rule).expect("a risk");
            let until = format!("2026-02-{day:02}").parse().expect("a day");
            AcceptedRisk { code, step, reason: reason.clone(), until }
        };
        rules.into_iter().map(accepted).collect()
    })
}

fn hooks() -> impl Strategy<Value = Hooks> {
    let argument = || prop_oneof!["[ -z|~äß漢\n\t]{1,12}", Just("{host}".to_owned())];
    let hook = || option::of(vec(argument(), 1..4));
    (hook(), hook(), hook()).prop_map(|(start, stop, restart)| Hooks { start, stop, restart })
}

fn settings() -> impl Strategy<Value = WantedSettings> {
    let words = prop::sample::subsequence(FOUR_LETTER_WORDS.to_vec(), 0..5)
        .prop_map(|words| words.into_iter().map(str::to_owned).collect());
    let bound = (1_u32..=Bound::LARGEST, any::<bool>())
        .prop_map(|(number, exact)| (if exact { Bound::Exactly } else { Bound::AtLeast })(number));
    let numbers = btree_map(prop::sample::select(SettingName::NUMBERS.to_vec()), bound, 0..4);
    let version = (0_u16..10_000, 0_u16..12, 0_u16..12)
        .prop_map(|(major, minor, patch)| ServerVersion::new(major, minor, patch));
    (any::<[bool; 2]>(), words, numbers, option::of(version)).prop_map(
        |(flags, four_letter_words, numbers, version)| WantedSettings {
            reconfig_enabled: flags[0],
            superuser: flags[1],
            four_letter_words,
            numbers,
            version,
        },
    )
}

fn spec() -> impl Strategy<Value = Spec> {
    let label = "[a-z0-9][a-z0-9.-]{0,20}";
    let former = btree_map((1_i64..=254).prop_map(ServerId::new), zone(), 0..3);
    (label, connect(), servers(), former, settings(), policy(), accept(), hooks()).prop_map(
        |(ensemble, connect, servers, mut leaving_zones, settings, policy, accept, hooks)| {
            leaving_zones.retain(|id, _| !servers.contains_key(id));
            Spec { ensemble, connect, servers, leaving_zones, settings, policy, accept, hooks }
        },
    )
}

/// What an editing hand may leave behind.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "", " ", ":", "-", ".", "/", "[", "]", "'", "\"", "#", "~", "null", "true", "|", ";",
            "=",
        ])
        .prop_map(str::to_owned),
        "[0-9]{1,6}",
        "[a-zA-Z]{1,2}",
        "\\PC",
    ]
}

/// Text that is nearly a spec.
fn near_yaml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "apiVersion: zkplan/v1\n",
            "ensemble: a\n",
            "servers:\n",
            "  - ",
            "id: ",
            "1",
            "host: ",
            "zk1",
            "server.1=a:1:2;3",
            "|",
            "[",
            "]",
            "{",
            "}",
            "\n",
            ": ",
            ", ",
            "\"",
            "'",
            "&a ",
            "*a",
            "<<: ",
            "zones: ",
            "group: ",
            "weight: ",
            "connect: ",
            "password: ",
            "hooks: ",
            "policy: ",
            "settings: ",
            "initLimit: ",
            ">=30",
            "# ",
            "\r\n",
            "\t",
            "---\n",
            "!x ",
            "? ",
            ">\n",
            "\u{202e}",
            "\u{1b}",
            "9999999999",
            "-1",
            "1.5",
            "~",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,3}",
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

static GOOD: LazyLock<Vec<(String, String)>> = LazyLock::new(|| super::files("tests/specs/good"));

static VALIDATOR: LazyLock<Validator> = LazyLock::new(super::validator);

proptest! {
    #[test]
    fn what_is_written_reads_the_same(spec in spec(), remark in "\\PC{0,200}") {
        let text = spec::write(&spec, &[remark]);
        let mut read = spec::parse("written.yaml", &text)
            .map_err(|errors| TestCaseError::fail(format!("{text}\n{}", errors.render())))?;
        prop_assert_eq!(super::schema_complaints(&VALIDATOR, &text), Some(Vec::new()), "{}", text);
        read.servers.values_mut().for_each(|wanted| wanted.line = 0);
        prop_assert_eq!(read, spec, "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in prop_oneof![near_yaml(), any::<String>()]) {
        if let Err(errors) = spec::parse("any.yaml", &text) {
            let shown = errors.render();
            prop_assert!(!errors.complaints().is_empty());
            let hostile = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}".contains(c);
            prop_assert!(!shown.contains(hostile), "{:?}", shown);
            for complaint in errors.complaints() {
                prop_assert!(complaint.line >= 1 && complaint.column >= 1);
                prop_assert!(complaint.line <= text.lines().count() + 1);
            }
        }
    }

    #[test]
    fn what_the_parser_takes_the_schema_takes(
        which in any::<prop::sample::Index>(),
        edits in vec((any::<prop::sample::Index>(), 0_usize..4, word()), 1..3),
    ) {
        let (name, text) = which.get(&GOOD);
        let mut text = text.clone();
        for (at, cut, word) in edits {
            let start = at.index(text.len());
            let Some(rest) = text.get(start..) else { continue };
            let end = rest.char_indices().nth(cut).map_or(text.len(), |(byte, _)| start + byte);
            text.replace_range(start..end, &word);
        }
        if spec::parse(name, &text).is_ok() {
            let complaints = super::schema_complaints(&VALIDATOR, &text);
            prop_assert_eq!(complaints, Some(Vec::new()), "{}:\n{}", name, text);
        }
    }

    #[test]
    fn no_zoo_cfg_makes_the_import_panic(text in any::<String>(), lines in near_yaml()) {
        for text in [text.clone(), format!("server.1=a:1:2\n{text}"), lines] {
            let text = format!("{text}\ndataDir=/d\ninitLimit=5\nsyncLimit=2\n");
            drop(import::dynamic_file_name(text.as_bytes()));
            let file = || File { name: "zoo.cfg".to_owned(), bytes: text.clone().into_bytes() };
            let files =
                ServerFiles { id: None, zoo_cfg: file(), dynamic: Some(file()), next: None };
            if let Ok(imported) = import::from_zoo_cfgs("a", &[files]) {
                let valid = spec::parse("imported.yaml", &imported.to_yaml()).is_ok();
                let said = imported.notes.iter().any(|note| {
                    matches!(note, Note::NotValid { .. } | Note::ClientPortUnknown(_))
                });
                prop_assert_eq!(valid, !said, "{}", imported.to_yaml());
            }
        }
    }
}

/// Files made to keep a parser busy.
fn busy_files() -> Vec<(&'static str, String)> {
    const HEAD: &str = "apiVersion: zkplan/v1\nensemble: a\nservers:\n";
    let many =
        |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let bomb = many(30, &|n| match n {
        0 => "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(),
        _ => format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(",")),
    });
    vec![
        ("empty list", format!("{HEAD}  []\n")),
        ("alias bomb", bomb),
        ("brackets", "[".repeat(100_000)),
        ("dashes", "- ".repeat(100_000)),
        ("questions", "? ".repeat(100_000)),
        ("one megabyte", "x y: z\n".repeat(150_000)),
        ("one line", format!("a: \"{}", "\\u0041".repeat(40_000))),
        (
            "ten thousand servers",
            format!("{HEAD}{}", many(10_000, &|n| format!("  - {{ id: {n} }}\n"))),
        ),
        ("many lines", format!("{HEAD}{}", many(5_400, &|n| format!("  - server.{n}=h:1:2\n")))),
        ("many keys", many(2_700, &|n| format!("clientprt{n}: 1\n"))),
        ("many zones", format!("zones:\n{}", many(2_700, &|n| format!("  {n}: a\n")))),
        ("many addresses", format!("{HEAD}  - server.1={};1\n", vec!["h:1:2"; 40_000].join("|"))),
        ("many hosts", format!("{HEAD}  - host: {}\n", "a.".repeat(100_000))),
        ("many braces", format!("hooks: {{ stop: [\"{}\"] }}\n", "{x}".repeat(60_000))),
        ("long key", format!("{}: 1\n", "clientPort".repeat(90))),
        ("secrets", "password: x\n".repeat(2_700)),
    ]
}

/// A loose bound, for any machine; on an idle one each takes less than 0.2 s in a debug build.
#[test]
fn busy_files_are_refused_soon_and_shortly() {
    for (name, text) in busy_files() {
        let start = Instant::now();
        let errors = spec::parse("busy.yaml", &text).expect_err(name);
        let shown = errors.render();
        let took = start.elapsed();
        assert!(took < Duration::from_secs(2), "{name} took {took:?}");
        assert!(shown.len() < 60_000, "{name} shows {} bytes", shown.len());
        assert!(errors.complaints().len() <= 50, "{name}");
    }
}
