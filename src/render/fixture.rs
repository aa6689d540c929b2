//! Hand-made ensembles and specs, and real plans between them.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::CheckedPlan;
use crate::ensemble::NoAnswer;
use crate::example::healthy;
use crate::example::seen::{self, observation};
pub(super) use crate::example::{id, line};
use crate::model::{
    Connect, Endpoint, EnsembleConfig, Hooks, Policy, Role, Server, ServerId, WantedSettings, Zxid,
};
use crate::observe::DataProof;
use crate::observe::{
    Clients, DataFigures, Digests, Facts, Finding, FindingKind, Observation, ServerObservation,
    ServerStatus, Source, Sourced,
};
use crate::plan::{Acceptance, StepId};
use crate::proposal::{Refusal, propose};
use crate::render::plan::SpecFile;
use crate::spec::{Spec, WantedServer};

/// An ensemble, what was seen of it, and what is wanted.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) spec: Spec,
    pub(super) facts: Facts,
    pub(super) seen: Observation,
    pub(super) accepted: Vec<Acceptance>,
}

pub(super) fn lines(numbers: &[i64]) -> Vec<String> {
    numbers.iter().map(|number| line(*number)).collect()
}

impl Scene {
    /// An ensemble of these lines, all up, the lowest leads; wanted are those lines, all up.
    pub(super) fn new(live: &[String], wanted: &[String]) -> Self {
        let text = format!("{}\nversion=100000004", live.join("\n"));
        let base = EnsembleConfig::parse(&text).unwrap();
        let wanted: Vec<Server> = wanted.iter().map(|l| Server::parse_line(l).unwrap()).collect();
        let leader = base.membership.voters().first().copied();
        let joiners = wanted.iter().filter(|s| !base.membership.contains(s.id));
        let following: BTreeSet<ServerId> = joiners.map(|s| s.id).collect();
        let mut servers = BTreeMap::new();
        for server in base.membership.servers() {
            let status = match (Some(server.id) == leader, server.role) {
                (true, _) => ServerStatus::Leading,
                (false, Role::Participant) => ServerStatus::Following,
                (false, Role::Observer) => ServerStatus::Observing,
            };
            servers.insert(server.id, observed(server, status, 7));
        }
        for server in wanted.iter().filter(|server| following.contains(&server.id)) {
            servers.insert(server.id, observed(server, ServerStatus::FollowingWithoutVote, 0));
        }
        let facts =
            Facts { leader, following, standalone_disabled: false, ..healthy(base.clone()) };
        let seen = Observation { leader, servers, ..observation(base) };
        let spec = spec(wanted);
        Self { spec, facts, seen, accepted: Vec::new() }
    }

    /// Zones of servers, by id.
    pub(super) fn zones(mut self, zones: &[(i64, &str)]) -> Self {
        for (number, zone) in zones {
            self.facts.zones.insert(id(*number), (*zone).to_owned());
        }
        self
    }

    /// Servers that do not answer.
    pub(super) fn silent(mut self, numbers: &[i64]) -> Self {
        for number in numbers {
            let id = id(*number);
            if self.facts.synced.remove(&id) {
                self.finding(FindingKind::MemberSilent, Some(id));
            }
            self.facts.following.remove(&id);
            let observed = self.seen.servers.get_mut(&id).unwrap();
            *observed = ServerObservation {
                endpoint: observed.endpoint.clone(),
                ..ServerObservation::blank(id, ServerStatus::Silent(NoAnswer::ConnectTimedOut))
            };
        }
        self
    }

    pub(super) fn finding(&mut self, kind: FindingKind, server: Option<ServerId>) {
        let finding = Finding { kind, server };
        self.facts.findings.push(finding.clone());
        self.seen.findings.push(finding);
    }

    pub(super) fn accepting(mut self, code: &str, step: Option<&str>) -> Self {
        self.accepted.push(Acceptance { code: code.to_owned(), step: step.map(StepId::new) });
        self
    }

    pub(super) fn file(&self) -> SpecFile<'_> {
        SpecFile { path: "prod-eu.yaml", spec: &self.spec }
    }

    pub(super) fn plan(&self) -> CheckedPlan {
        propose(&self.spec.to_target(), &self.facts, &self.accepted).unwrap()
    }

    pub(super) fn refusal(&self) -> Refusal {
        *propose(&self.spec.to_target(), &self.facts, &self.accepted).unwrap_err()
    }
}

fn spec(wanted: Vec<Server>) -> Spec {
    let server = |(at, server): (usize, Server)| {
        let wanted = WantedServer {
            server,
            secure_client_port: None,
            zone: None,
            admin: None,
            line: 6 + at,
        };
        (wanted.server.id, wanted)
    };
    Spec {
        ensemble: "prod-eu".to_owned(),
        connect: Connect::default(),
        servers: wanted.into_iter().enumerate().map(server).collect(),
        leaving_zones: BTreeMap::new(),
        settings: WantedSettings::default(),
        policy: Policy::default(),
        accept: Vec::new(),
        hooks: Hooks::default(),
    }
}

fn observed(server: &Server, status: ServerStatus, clients: u64) -> ServerObservation {
    ServerObservation {
        clients: Some(Sourced { value: Clients::counted(clients), source: Source::Srvr }),
        data: DataFigures {
            digests: Digests::Listed(BTreeMap::from([(Zxid::new(0x1_0000_0000), 99)])),
            compared: Some(DataProof::Digest(Zxid::new(0x1_0000_0000))),
            ..DataFigures::default()
        },
        ..seen::server(server, status)
    }
}

/// Three servers onto three new ones, in three zones.
pub(super) fn three_zones() -> Scene {
    let zones = [(1, "az-1"), (2, "az-2"), (3, "az-3"), (4, "az-1"), (5, "az-2"), (6, "az-3")];
    Scene::new(&lines(&[1, 2, 3]), &lines(&[4, 5, 6])).zones(&zones)
}

pub(super) fn endpoint(host: &str) -> Endpoint {
    Endpoint::plain(crate::model::Host::new(host), 2181)
}
