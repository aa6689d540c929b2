//! A healthy ensemble with a joiner, and what can happen to it.

use std::collections::BTreeMap;

use super::{
    AdminAnswers, Answers, Check, CredentialWord, GivenFile, GivenFiles, ServerAnswers, View,
    checks,
};
use crate::ensemble::four_letter::{Conf, Mntr};
use crate::ensemble::{AuthDemand, ErrorCode, Mode, NoAnswer, PortState, ServerVersion};
use crate::model::{Endpoint, EnsembleConfig, Host, Server, ServerId, Target, Zxid};
use crate::observe::{
    Finding, FindingKind, Identity, Observation, PlainPort, ServerObservation, ServerStatus,
    Source, Sourced, TargetProbe,
};
use crate::trust::FolderSeen;

/// Three members, of which server 3 leads, and joiner 4, which follows with proven data.
pub(crate) struct Scene {
    pub(crate) target: Target,
    pub(crate) seen: Observation,
    pub(crate) answers: Answers,
    pub(crate) files: GivenFiles,
}

pub(super) fn id(number: i64) -> ServerId {
    ServerId::new(number)
}

fn line(number: i64) -> Server {
    let line = format!("server.{number}=10.0.0.{number}:2888:3888:participant;0.0.0.0:2181");
    Server::parse_line(&line).expect("a line")
}

pub(super) fn at(number: i64) -> Endpoint {
    Endpoint::plain(Host::new(&format!("10.0.0.{number}")), 2181)
}

fn conf(number: i64) -> Conf {
    Conf {
        server_id: Some(id(number)),
        tick_ms: Some(2000),
        init_limit: Some(10),
        sync_limit: Some(5),
        max_client_connections: Some(60),
        ..Conf::default()
    }
}

fn observation(number: i64, config: &EnsembleConfig) -> ServerObservation {
    let status = match number {
        3 => ServerStatus::Leading,
        4 => ServerStatus::FollowingWithoutVote,
        _ => ServerStatus::Following,
    };
    let mut observed = ServerObservation::blank(id(number), status);
    observed.endpoint = Some(at(number));
    observed.mode = Some(if number == 3 { Mode::Leader } else { Mode::Follower });
    observed.own_id = Some(Sourced { value: id(number), source: Source::Conf });
    observed.version = Some(ServerVersion::new(3, 9, 5));
    observed.zxid = Some(Zxid::new(0x1_0000_0080));
    observed.config = Some(Sourced { value: config.clone(), source: Source::Conf });
    observed.quorum_port = Some(PortState::Open);
    observed.election_port = Some(PortState::Open);
    observed.tick_ms = Some(2000);
    observed.max_client_connections = Some(60);
    observed
}

impl Scene {
    pub(crate) fn new() -> Self {
        let [one, two, three] = [1, 2, 3].map(line);
        let text = format!("{one}\n{two}\n{three}\nversion=100000004");
        let config = EnsembleConfig::parse(&text).expect("a configuration");
        let servers = (1..=4).map(|n| (id(n), observation(n, &config))).collect();
        let probe = TargetProbe {
            endpoint: at(4),
            silence: None,
            own_id: Some(id(4)),
            mode: Some(Mode::Follower),
            plain_port: PlainPort::At(2181),
        };
        let answers = |number: i64| ServerAnswers {
            conf: Some(conf(number)),
            mntr: Some(Mntr { bytes: Some(1000), ..Mntr::default() }),
            missing: Some(Vec::new()),
            admin: AdminAnswers::Properties(BTreeMap::new(), Some(1 << 30)),
            other_address: None,
            session: Some((AuthDemand::Nothing, None)),
            session_id: Some(0x0100_0000_0000_0000),
            without_rights: Some(Err(ErrorCode::NoAuth)),
            local_sessions: Some(0),
            reconfig: Some(Ok(())),
            credential: CredentialWord::Accepted,
        };
        Self {
            target: Target::of("prod", (1..=4).map(line)),
            seen: Observation {
                config,
                identity: Identity::NoneYet,
                folder: FolderSeen::Closed(None),
                leader: Some(id(3)),
                leader_zxid: Some(Zxid::new(0x1_0000_0080)),
                servers,
                strangers: Vec::new(),
                silent_contacts: Vec::new(),
                elsewhere: Vec::new(),
                shared_names: BTreeMap::new(),
                wanted_at: BTreeMap::from([(id(4), probe)]),
                resolved: BTreeMap::new(),
                write_committed: true,
                reconfig_disabled: false,
                findings: Vec::new(),
                assumed: false,
            },
            answers: Answers {
                servers: (1..=4).map(|n| (id(n), answers(n))).collect(),
                user: Some("super".to_owned()),
                earlier: Some(Vec::new()),
            },
            files: GivenFiles::new(),
        }
    }

    pub(crate) fn observed(&mut self, number: i64) -> &mut ServerObservation {
        self.seen.servers.get_mut(&id(number)).expect("a server")
    }

    pub(crate) fn of(&mut self, number: i64) -> &mut ServerAnswers {
        self.answers.servers.get_mut(&id(number)).expect("a server")
    }

    pub(crate) fn conf(&mut self, number: i64) -> &mut Conf {
        self.of(number).conf.as_mut().expect("an answer")
    }

    pub(crate) fn found(&mut self, kind: FindingKind, server: Option<i64>) {
        self.seen.findings.push(Finding { kind, server: server.map(id) });
    }

    pub(crate) fn earlier(&mut self, kind: FindingKind) {
        self.answers.earlier = Some(vec![Finding { kind, server: None }]);
    }

    /// It is to join and does not run yet.
    pub(crate) fn not_started(&mut self, number: i64) {
        let status = ServerStatus::Silent(NoAnswer::Refused);
        let mut observed = ServerObservation::blank(id(number), status);
        observed.endpoint = Some(at(number));
        observed.election_port = Some(PortState::Refused);
        *self.observed(number) = observed;
        self.seen.wanted_at.clear();
        let answers = self.of(number);
        (answers.conf, answers.mntr, answers.missing) = (None, None, None);
        (answers.session, answers.without_rights, answers.reconfig) = (None, None, None);
        (answers.admin, answers.credential) =
            (AdminAnswers::NotNamed, CredentialWord::NotFollowing);
    }

    pub(crate) fn shows(&mut self, number: i64, name: &str, value: &str) {
        let shown = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        self.of(number).admin = AdminAnswers::Properties(shown, None);
    }

    pub(crate) fn checks(&self) -> Vec<Check> {
        checks(self.view())
    }

    pub(crate) fn view(&self) -> View<'_> {
        let Self { target, seen, answers, files } = self;
        View { target, seen, answers, files }
    }

    /// The operator gave this file.
    pub(crate) fn file(&mut self, number: i64, text: &str) {
        self.files.insert(id(number), GivenFile::read(text).expect("a file"));
    }

    /// The server answers `srvr` alone.
    pub(crate) fn shows_little(&mut self, number: i64) {
        self.of(number).conf = None;
        self.of(number).admin = AdminAnswers::NotNamed;
        let observed = self.observed(number);
        (observed.tick_ms, observed.max_client_connections) = (None, None);
        observed.config.as_mut().expect("its configuration").source = Source::Session;
    }
}
