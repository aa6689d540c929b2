//! The rows of a migration onto new servers, by evidence.
//!
//! A row is done where something shows it, and unknown where nothing can be seen without
//! credentials. No row is inferred from another one.

use std::collections::{BTreeMap, BTreeSet};

use super::known::{Known, OpenRunSeen};
use crate::apply::run_view::leaving;
use crate::ensemble::{PortState, ServerVersion};
use crate::model::{ConfigVersion, ServerId};
use crate::observe::{Beside, DataProof, FindingKind, ServerObservation, ServerStatus, Sourced};
use crate::plan::Plan;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationRow {
    /// Its number, 1 for M1.
    pub number: u8,
    /// How far it is.
    pub state: RowState,
    /// What shows that.
    pub evidence: RowEvidence,
}

/// How far a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowState {
    /// It is done.
    Done,
    /// It is under way: a part is done, or it waits for others.
    Waiting,
    /// It is not begun, or something stands in its way.
    NotYet,
    /// It cannot be seen without credentials.
    Unknown,
}

/// What shows how far a row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowEvidence {
    /// M1: the releases of members and joiners, and the servers whose release is unknown.
    Versions {
        /// Of members and joiners.
        releases: BTreeSet<ServerVersion>,
        /// Whose release is unknown.
        unknown: BTreeSet<ServerId>,
    },
    /// M2 and M9: the configuration that was read, and the members whose client address it lacks.
    Configuration {
        /// Its version.
        version: ConfigVersion,
        /// Members without a known client address.
        without_address: BTreeSet<ServerId>,
    },
    /// M3: the ports that were tried from this machine.
    Ports {
        /// Servers whose ports are open: the election port, and the quorum port of the leader.
        open: BTreeSet<ServerId>,
        /// Servers that run, with a port that is not open.
        closed: BTreeSet<ServerId>,
        /// Servers that do not run yet, or were not tried.
        untried: BTreeSet<ServerId>,
    },
    /// M4: the run.
    Run(Option<u64>),
    /// M5: whether the credential is accepted on every server.
    Credential,
    /// M6: the members that run with `reconfigEnabled=false`.
    Settings(BTreeSet<ServerId>),
    /// M7: the joiners that have the leader's data already.
    Archive(BTreeSet<ServerId>),
    /// M8, M11 and M12: servers for which it is so, and those for which it is not yet.
    Joining {
        /// It is so.
        yes: BTreeSet<ServerId>,
        /// It is not so yet.
        no: BTreeSet<ServerId>,
    },
    /// M10: the run, and how many reconfigs it has committed. Each proves that its user was
    /// accepted.
    Committed(Option<(u64, usize)>),
    /// M13: clients on servers that leave, and the servers that do not report them.
    Clients {
        /// How many on each.
        on: BTreeMap<ServerId, u64>,
        /// Not known.
        unknown: BTreeSet<ServerId>,
    },
    /// M14: servers that leave.
    Removed {
        /// No members any more.
        removed: BTreeSet<ServerId>,
        /// Still members.
        left: BTreeSet<ServerId>,
    },
    /// M15: servers that were removed.
    Stopped {
        /// Those that still answer.
        answering: BTreeSet<ServerId>,
        /// Those that do not, or were not asked.
        silent: BTreeSet<ServerId>,
        /// Servers that are still to be removed.
        members: BTreeSet<ServerId>,
    },
}

/// The servers that a migration is about.
struct Movement<'a> {
    known: &'a Known<'a>,
    run: Option<&'a OpenRunSeen>,
    /// Wanted servers that were no members at first.
    joining: BTreeSet<ServerId>,
    /// Members at first that are not wanted.
    leaving: BTreeSet<ServerId>,
}

/// The rows that apply.
pub(super) fn rows(known: &Known<'_>, run: Option<&OpenRunSeen>) -> Vec<MigrationRow> {
    let Some(wanted) = known.wanted else { return Vec::new() };
    let plan: &Plan = wanted.plan();
    let base = &plan.facts.base.membership;
    let joining = plan.target.ids().into_iter().filter(|id| !base.contains(*id)).collect();
    let movement = Movement { known, run, joining, leaving: leaving(plan) };
    if movement.joining.is_empty() && movement.leaving.is_empty() {
        return Vec::new();
    }
    movement.rows()
}

impl Movement<'_> {
    fn rows(&self) -> Vec<MigrationRow> {
        let mut rows = vec![self.versions(), self.configuration(2), self.ports(), self.run_row()];
        rows.push(row(5, RowState::Unknown, RowEvidence::Credential));
        rows.push(self.settings());
        let (joins, leaves) = (!self.joining.is_empty(), !self.leaving.is_empty());
        if joins {
            rows.extend([self.archive(), self.following()]);
        }
        rows.extend([self.configuration(9), self.committed()]);
        if joins {
            rows.extend([self.added(), self.data()]);
        }
        if leaves {
            rows.extend([self.clients(), self.removed(), self.stopped()]);
        }
        rows
    }

    fn is_member(&self, id: ServerId) -> bool {
        self.known.seen.config.membership.contains(id)
    }

    fn observed(&self, id: ServerId) -> Option<&ServerObservation> {
        self.known.seen.servers.get(&id)
    }

    /// Members, and servers that are to join them.
    fn all(&self) -> BTreeSet<ServerId> {
        self.known.seen.config.membership.ids().union(&self.joining).copied().collect()
    }

    fn versions(&self) -> MigrationRow {
        let version = |id: &ServerId| self.observed(*id).and_then(|observed| observed.version);
        let all = self.all();
        let releases: BTreeSet<ServerVersion> = all.iter().filter_map(version).collect();
        let unknown: BTreeSet<ServerId> =
            all.into_iter().filter(|id| version(id).is_none()).collect();
        let lines: BTreeSet<_> = releases.iter().map(|release| release.line()).collect();
        let are_joiners = unknown.iter().all(|id| !self.is_member(*id));
        let state = match (lines.len(), unknown.is_empty()) {
            (1, true) => RowState::Done,
            (0 | 1, _) if are_joiners => RowState::Waiting,
            (0 | 1, _) => RowState::Unknown,
            (_, _) => RowState::NotYet,
        };
        row(1, state, RowEvidence::Versions { releases, unknown })
    }

    fn configuration(&self, number: u8) -> MigrationRow {
        let config = &self.known.seen.config;
        let has_address =
            |id: &ServerId| self.observed(*id).is_some_and(|observed| observed.endpoint.is_some());
        let without_address: BTreeSet<ServerId> =
            config.membership.ids().into_iter().filter(|id| !has_address(id)).collect();
        let is_whole = number != 2 || without_address.is_empty();
        let state = if is_whole { RowState::Done } else { RowState::NotYet };
        let version = config.version;
        row(number, state, RowEvidence::Configuration { version, without_address })
    }

    fn ports(&self) -> MigrationRow {
        let state = |id: ServerId| {
            let observed = self.observed(id)?;
            let leads = self.known.seen.leader == Some(id);
            let tried =
                observed.election_port.into_iter().chain(observed.quorum_port.filter(|_| leads));
            let tried: Vec<PortState> = tried.collect();
            let runs = observed.mode.is_some() || observed.status == ServerStatus::NotServing;
            (runs && !tried.is_empty()).then(|| tried.iter().all(|port| *port == PortState::Open))
        };
        let of = |wanted: Option<bool>| -> BTreeSet<ServerId> {
            self.all().into_iter().filter(|id| state(*id) == wanted).collect()
        };
        let [open, closed, untried] = [Some(true), Some(false), None].map(of);
        let so_far = match (closed.is_empty(), untried.is_empty()) {
            (false, _) => RowState::NotYet,
            (true, false) => RowState::Waiting,
            (true, true) => RowState::Done,
        };
        row(3, so_far, RowEvidence::Ports { open, closed, untried })
    }

    fn run_row(&self) -> MigrationRow {
        let run = self.run.map(|run| run.number);
        let state = if run.is_some() { RowState::Done } else { RowState::NotYet };
        row(4, state, RowEvidence::Run(run))
    }

    fn settings(&self) -> MigrationRow {
        let disabled = self.known.seen.reconfig_disabled_on();
        let state = if disabled.is_empty() { RowState::Unknown } else { RowState::NotYet };
        row(6, state, RowEvidence::Settings(disabled))
    }

    /// Whether a server that joins has the leader's data, as far as a look can show.
    fn has_data(&self, id: ServerId) -> bool {
        self.observed(id).is_some_and(|observed| {
            let is_equal = matches!(observed.data.compared, Some(DataProof::Digest(_)));
            observed.status.is_healthy() && (self.is_member(id) || is_equal)
        })
    }

    fn archive(&self) -> MigrationRow {
        let [have, lack] = split(&self.joining, |id| self.has_data(id));
        let state = if lack.is_empty() { RowState::Done } else { RowState::Unknown };
        row(7, state, RowEvidence::Archive(have))
    }

    fn following(&self) -> MigrationRow {
        let follows = |id| self.observed(id).is_some_and(|observed| observed.status.is_healthy());
        joining_row(8, split(&self.joining, follows))
    }

    fn committed(&self) -> MigrationRow {
        let position = self.known.journal.and_then(|journal| journal.position.as_ref());
        let committed = position.map(|position| {
            let steps = position.checked.plan().steps();
            let done =
                steps.filter(|step| step.reconfig().is_some() && position.done.contains(&step.id));
            (position.run, done.count())
        });
        let committed = committed.filter(|(_, reconfigs)| *reconfigs > 0);
        let state = if committed.is_some() { RowState::Done } else { RowState::Unknown };
        row(10, state, RowEvidence::Committed(committed))
    }

    fn added(&self) -> MigrationRow {
        let target = self.known.wanted.map(|wanted| &wanted.plan().target);
        let members = &self.known.seen.config.membership;
        let is_added = |id: ServerId| {
            let wanted = target.and_then(|target| target.get(id)).map(|line| line.role);
            members.get(id).map(|line| line.role).is_some_and(|role| Some(role) == wanted)
        };
        joining_row(11, split(&self.joining, is_added))
    }

    fn data(&self) -> MigrationRow {
        joining_row(12, split(&self.joining, |id| self.has_data(id)))
    }

    fn clients(&self) -> MigrationRow {
        // One that refuses the connection has none.
        let is_gone = |id: ServerId| match self.observed(id) {
            Some(observed) => {
                matches!(observed.status, ServerStatus::Silent(crate::ensemble::NoAnswer::Refused))
            }
            None => !self.answers(id),
        };
        let mut on = BTreeMap::new();
        let mut unknown = BTreeSet::new();
        for id in self.leaving.iter().copied().filter(|id| !is_gone(*id)) {
            let observed = self.observed(id).or_else(|| self.stranger(id));
            match observed.and_then(|observed| observed.clients.as_ref()) {
                Some(Sourced { value, .. }) => drop(on.insert(id, value.count)),
                None => drop(unknown.insert(id)),
            }
        }
        let state = match (on.values().sum::<u64>(), unknown.is_empty()) {
            (0, true) => RowState::Done,
            (0, false) => RowState::Unknown,
            (_, _) => RowState::Waiting,
        };
        row(13, state, RowEvidence::Clients { on, unknown })
    }

    fn stranger(&self, id: ServerId) -> Option<&ServerObservation> {
        self.known.seen.strangers.iter().find(|observed| observed.id == id)
    }

    /// Whether a server that is no member any more was seen to answer.
    fn answers(&self, id: ServerId) -> bool {
        let retired = self.known.journal.iter().flat_map(|journal| &journal.retired);
        let found = self.known.journal.iter().flat_map(|journal| &journal.findings);
        let is_named = found.into_iter().any(|finding| match &finding.kind {
            FindingKind::RetiredAnswers { servers, .. } => servers.iter().any(|one| one.id == id),
            _ => false,
        });
        let answer = retired.filter(|one| one.id == id).find_map(|one| one.answer);
        let does = |answer: Beside| match answer {
            Beside::Follows | Beside::Serves(_) | Beside::NotKnown(_) => true,
        };
        is_named
            || answer.is_some_and(does)
            || self.stranger(id).is_some_and(|it| it.mode.is_some())
    }

    fn removed(&self) -> MigrationRow {
        let [left, removed] = split(&self.leaving, |id| self.is_member(id));
        row(14, so_far(&removed, &left), RowEvidence::Removed { removed, left })
    }

    fn stopped(&self) -> MigrationRow {
        let [members, removed] = split(&self.leaving, |id| self.is_member(id));
        let [answering, silent] = split(&removed, |id| self.answers(id));
        let state = match (members.is_empty(), answering.is_empty()) {
            (false, _) => RowState::NotYet,
            (true, false) => RowState::Waiting,
            (true, true) => RowState::Done,
        };
        row(15, state, RowEvidence::Stopped { answering, silent, members })
    }
}

/// Those for which it is so, and the others.
fn split(ids: &BTreeSet<ServerId>, is_so: impl Fn(ServerId) -> bool) -> [BTreeSet<ServerId>; 2] {
    let (yes, no) = ids.iter().copied().partition(|id| is_so(*id));
    [yes, no]
}

/// A row of servers for which it is so, and of those for which it is not yet.
fn joining_row(number: u8, [yes, no]: [BTreeSet<ServerId>; 2]) -> MigrationRow {
    let state = so_far(&yes, &no);
    row(number, state, RowEvidence::Joining { yes, no })
}

/// How far a row is of which a part may be done.
fn so_far(done: &BTreeSet<ServerId>, left: &BTreeSet<ServerId>) -> RowState {
    match (done.is_empty(), left.is_empty()) {
        (_, true) => RowState::Done,
        (true, false) => RowState::NotYet,
        (false, false) => RowState::Waiting,
    }
}

const fn row(number: u8, state: RowState, evidence: RowEvidence) -> MigrationRow {
    MigrationRow { number, state, evidence }
}
