//! Whether the standalone server can become the first voter, and what that needs.

use std::collections::BTreeMap;

use super::answers::{Answered, StandaloneServer, WantedState};
use super::files::{FileEdits, NamedFile};
use super::hindrance::Hindrance;
use crate::model::{Role, Server, ServerId, Target};

/// A restart that makes a standalone server the only voter of an ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstQuorum {
    /// The line that the server gets.
    pub server: Server,
    /// What it shows of itself now, at its wanted address.
    pub now: StandaloneServer,
    /// The other wanted servers. None of them may run before the server leads.
    pub others: BTreeMap<ServerId, WantedState>,
    /// The files of the server.
    pub files: FileEdits,
}

/// What can be said of a standalone server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstQuorumAnswer {
    /// What was asked.
    pub answered: Answered,
    /// The restart, or all that is in its way.
    pub verdict: Result<FirstQuorum, Vec<Hindrance>>,
}

impl FirstQuorumAnswer {
    /// Judges the answers; `given` are the `zoo.cfg` files that the operator gave, by server.
    pub fn of(target: &Target, answered: Answered, given: &BTreeMap<ServerId, NamedFile>) -> Self {
        let verdict = FirstQuorum::of(target, &answered, given);
        Self { answered, verdict }
    }

    /// The standalone server as it is at its wanted address, or where it was reached.
    pub fn now(&self) -> &StandaloneServer {
        match &self.verdict {
            Ok(first) => &first.now,
            Err(_) => &self.answered.reached,
        }
    }
}

impl FirstQuorum {
    fn of(
        target: &Target,
        answered: &Answered,
        given: &BTreeMap<ServerId, NamedFile>,
    ) -> Result<Self, Vec<Hindrance>> {
        let id = the_server(target, answered)?;
        let server = target.line(id).expect("the spec has the server").clone();
        let now = answered.standalone.get(&id).expect("it answered").clone();
        let mut hindrances = Vec::new();
        let others: BTreeMap<ServerId, WantedState> = answered
            .wanted
            .iter()
            .filter(|(other, _)| **other != id)
            .map(|(k, v)| (*k, *v))
            .collect();
        let running: BTreeMap<ServerId, WantedState> = others
            .iter()
            .filter(|(_, beside)| beside.is_running())
            .map(|(k, v)| (*k, *v))
            .collect();
        if !running.is_empty() {
            hindrances.push(Hindrance::OthersRun(running));
        }
        if server.role != Role::Participant {
            hindrances.push(Hindrance::NotParticipant(id));
        }
        if server.client.is_none() {
            hindrances.push(Hindrance::NoClientPort(id));
        }
        let taken = answered.open_ports.get(&id).into_iter().flatten();
        hindrances.extend(taken.map(|port| Hindrance::PortTaken(id, *port)));
        let shown = (now.data_dir.as_deref(), now.tells_all);
        match FileEdits::of(target, &server, shown, given.get(&id)) {
            Ok(files) if hindrances.is_empty() => Ok(Self { server, now, others, files }),
            Ok(_) => Err(hindrances),
            Err(in_file) => Err(hindrances.into_iter().chain(in_file).collect()),
        }
    }

    /// The id of the server.
    pub const fn id(&self) -> ServerId {
        self.server.id
    }
}

/// The one wanted server that the standalone one is.
fn the_server(target: &Target, answered: &Answered) -> Result<ServerId, Vec<Hindrance>> {
    if target.servers.is_empty() {
        return Err(vec![Hindrance::NoSpec]);
    }
    let standalone: Vec<ServerId> = answered.standalone.keys().copied().collect();
    let hindrance = match standalone.as_slice() {
        [] => {
            let reach = target.reach().into_iter();
            Hindrance::NotInSpec { asked: reach.map(|(id, reach)| (id, reach.client)).collect() }
        }
        [id] if answered.reached_as.contains(id) => return Ok(*id),
        [id] => {
            let at = answered.standalone[id].at.clone();
            Hindrance::OtherServer { server: *id, at }
        }
        many => Hindrance::SeveralStandalone(many.to_vec()),
    };
    Err(vec![hindrance])
}
