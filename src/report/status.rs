//! `zkplan/status`: what an ensemble is now, what a spec wants beyond that, and whether it can be
//! changed.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::changes::{ChangeEntry, changes};
use super::clients::SessionEntry;
use super::details;
use super::error::CommandFailure;
use super::figures::{VoteFigures, ZoneFigures};
use super::findings::{self, FindingEntry, findings as entries};
use super::history::RunOpener;
use super::waits::StatusWord;
use crate::apply::past_runs::RetiredSeen;
use crate::document::{Document, Format};
use crate::model::ServerId;
use crate::observe::{Beside, Identity, Lag, NotResumed, ObserveError, ServerObservation};
use crate::plan::{Acceptance, StepId};
use crate::proposal::acceptance;
use crate::render::status as words;
use crate::render::status::StatusScreen;
use crate::status::{
    Block, EnsembleStatus, JoinerLack, JoinerState, MigrationRow, RowState, SpecVerdict, WriteRate,
};

/// The status of an ensemble. Where it could not be observed, everything that was not seen is `null`
/// or empty, and `reasons` says why.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusDocument {
    /// The label of the ensemble.
    ensemble: String,
    /// The spec, as it was typed; `null` where none was given.
    spec: Option<String>,
    /// Whether the next reconfig could be made safely.
    may_change: bool,
    /// Why not; empty where it could.
    reasons: Vec<StatusReason>,
    /// What is seen; `null` where there is no ensemble to observe.
    seen: Option<StatusSeen>,
    /// What the spec wants beyond what is there; `null` without a spec.
    wanted: Option<StatusWanted>,
    /// The rows M1 to M15 of a migration onto new servers that apply.
    rows: Vec<StatusRow>,
    /// The command that comes next; `null` where nothing is to be done.
    next: Option<String>,
    /// The status in one line, for people.
    text: String,
}

impl Document for StatusDocument {
    const FORMAT: Format = Format { name: "status", major: 1, minor: 3 };
}

/// A reason why the next reconfig cannot be made safely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusReason {
    /// A code of `zkplan/error`, of a safety rule or of a finding. A minor version may add some.
    code: String,
    /// The servers that it is about; empty where it is about the whole ensemble.
    servers: BTreeSet<ServerId>,
    /// The same for people.
    text: String,
}

/// What is seen of an ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusSeen {
    /// When, by the clock of the machine that asked.
    at: String,
    /// The lines of `/zookeeper/config`, without the version.
    members: Vec<String>,
    /// The content of `/zkplan/id`; `null` before the first apply.
    identity_text: Option<String>,
    /// The identity that the first apply gave the ensemble; `null` before it.
    identity: Option<String>,
    /// The config version, in hex.
    config_version: String,
    /// The leader; `null` where it was not seen.
    leader: Option<ServerId>,
    /// Members and wanted servers.
    servers: Vec<StatusServer>,
    /// The votes now. Voters that were not seen in sync count as failed.
    votes: VoteFigures,
    /// The votes without each zone; empty where zones are unknown.
    without_zone: Vec<ZoneFigures>,
    /// Znodes on the leader; `null` where that is not known.
    znodes: Option<u64>,
    /// The approximate size of the data on the leader in bytes; `null` where that is not known.
    data_bytes: Option<u64>,
    /// Transactions that committed in a span of time; `null` where that was not measured.
    writes: Option<StatusWrites>,
    /// Whether the journal could be read. If not, a run may be open.
    is_journal_read: bool,
    /// The run that is open; `null` where none is.
    run: Option<StatusRun>,
    /// The lock; `null` where there is none.
    lock: Option<StatusLock>,
    /// Servers that runs retired in the last 30 days.
    retired: Vec<StatusRetired>,
    /// What wanted servers that are no members still lack.
    joiners: Vec<StatusJoiner>,
    /// What was found, the weightiest first.
    findings: Vec<FindingEntry>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusServer {
    /// Its id.
    id: ServerId,
    /// Whether it is a member.
    is_member: bool,
    /// The role of a member: `participant` or `observer`.
    role: Option<String>,
    /// The state that it reports, in ZooKeeper's word.
    mode: Option<String>,
    /// Its status. A minor version may add some.
    status: StatusWord,
    /// Whether it was seen in sync. Unknown is not in sync.
    in_sync: bool,
    /// Transactions behind the leader; `null` where that is not known.
    lag: Option<u64>,
    /// Clients connected to it; `null` where it does not report them.
    clients: Option<u64>,
    /// Its release.
    version: Option<String>,
    /// Its failure domain.
    zone: Option<String>,
    /// Where it was asked, `host:port`.
    address: Option<String>,
}

/// Transactions in a span of time. Each write is one, and so is each session that opens or closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusWrites {
    /// How many.
    transactions: u64,
    /// In how many milliseconds.
    over_ms: u64,
    /// How many a second, rounded.
    per_second: u64,
}

/// The run that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusRun {
    /// Its number.
    run: u64,
    /// The plan that it carries out; `null` where its header cannot be read.
    plan_id: Option<String>,
    /// Who opened it, as `user@host`.
    opened_by: Option<String>,
    /// When, as the clock of that host had it.
    opened_at: Option<String>,
    /// Whether it is proven that an operator opened it. An apply checks it.
    is_proven: bool,
    /// Why no apply of the spec resumes it; `null` where one does.
    not_resumed: Option<NotResumed>,
    /// Steps that are done; empty where its plan cannot be read.
    done: Vec<StepId>,
    /// Steps that are left; empty where its plan cannot be read.
    left: Vec<StepId>,
    /// The same for people.
    text: String,
}

/// The lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusLock {
    /// What names it to `zkplan unlock`.
    nonce: String,
    /// Who holds it; `null` where this version cannot read that.
    holder: Option<RunOpener>,
}

/// A server that a run retired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusRetired {
    /// Its id.
    id: ServerId,
    /// The run.
    run: u64,
    /// Where it was reached, `host:port`.
    address: Option<String>,
    /// What answers there.
    state: RetiredAnswer,
    /// Clients connected to it while it follows; `null` where that is not known.
    clients: Option<u64>,
    /// Each of them, where the server shows more than the number.
    sessions: Vec<SessionEntry>,
}

/// What answers at the address of a retired server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RetiredAnswer {
    /// No such server, within half a second.
    NoAnswer,
    /// It follows this ensemble without a vote.
    Follows,
    /// It serves old data outside this ensemble.
    Serves,
    /// A server, and it is not known whether it is the old one.
    NotKnown,
}

/// What a joiner still lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusJoiner {
    /// Its id.
    id: ServerId,
    /// What it lacks; empty where nothing is seen to be lacking.
    lacks: Vec<StatusLack>,
}

/// Something that a joiner lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusLack {
    /// What. A minor version may add some.
    code: LackCode,
    /// The same for people.
    text: String,
}

/// What a joiner can lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LackCode {
    /// An answer.
    Answer,
    /// Its id: it answers with another one, or shows none.
    Id,
    /// A place in this ensemble.
    Ensemble,
    /// A leader that it follows.
    Leader,
    /// Transactions.
    Transactions,
    /// The leader's data: its own differ.
    SameData,
    /// A proof that its data equal the leader's.
    DataProof,
    /// The ports of the spec.
    WantedPorts,
    /// An election port that can be reached.
    ElectionPort,
}

/// What a spec wants beyond what is there.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusWanted {
    /// What planning for it says.
    verdict: WantedVerdict,
    /// The changes, by server id.
    changes: Vec<ChangeEntry>,
    /// How many reconfigs the plan sends; `null` where no plan is safe.
    reconfigs: Option<usize>,
    /// The lowest tolerance on the way; `null` where no plan is safe.
    tolerates_failures: Option<i64>,
    /// The codes of what no plan keeps.
    breaches: Vec<String>,
    /// The same for people.
    text: String,
}

/// What comes of a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WantedVerdict {
    /// The members are those of the spec.
    NoChanges,
    /// There is a safe plan.
    Planned,
    /// An apply of the spec resumes the open run.
    Resumes,
    /// No plan keeps the safety rules.
    Refused,
}

/// A row of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusRow {
    /// Its name, M1 to M15.
    row: String,
    /// How far it is.
    state: StatusRowState,
    /// What shows that, for people.
    text: String,
}

/// How far a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StatusRowState {
    /// It is done.
    Done,
    /// It is under way.
    Waiting,
    /// It is not begun, or something stands in its way.
    NotYet,
    /// It cannot be seen without credentials.
    Unknown,
}

impl StatusDocument {
    /// The document of a status; `spec` is its path, as it was typed, and `at` the time in UTC.
    pub fn of(screen: &StatusScreen<'_>, spec: Option<&str>, at: String) -> Self {
        let status = screen.status;
        let known = &status.known;
        let wanted = known.wanted.map(|wanted| StatusWanted::of(wanted, spec.unwrap_or_default()));
        Self {
            ensemble: screen.ensemble.to_owned(),
            spec: spec.map(ToOwned::to_owned),
            may_change: status.may_change(),
            reasons: status.blocks.iter().map(|block| StatusReason::of(block, status)).collect(),
            seen: Some(StatusSeen::of(status, at)),
            wanted,
            rows: status.rows.iter().map(StatusRow::of).collect(),
            next: words::next(screen),
            text: words::one_line(status),
        }
    }

    /// The document where there is no ensemble to observe; `again` is the command that looks again.
    pub fn of_error(
        (ensemble, spec): (&str, Option<&str>),
        error: &ObserveError,
        again: String,
    ) -> Self {
        let failure = serde_json::to_value(CommandFailure::of_look(error)).unwrap_or_default();
        let code = failure.as_str().unwrap_or_default().to_owned();
        Self {
            ensemble: ensemble.to_owned(),
            spec: spec.map(ToOwned::to_owned),
            may_change: false,
            reasons: vec![StatusReason { code, servers: BTreeSet::new(), text: error.to_string() }],
            seen: None,
            wanted: None,
            rows: Vec::new(),
            next: Some(again),
            text: error.to_string(),
        }
    }
}

impl StatusReason {
    fn of(block: &Block, status: &EnsembleStatus<'_>) -> Self {
        let servers = match block {
            Block::Unhealthy(breach) => details::servers(&breach.detail, &status.findings),
            Block::ToAccept(finding)
            | Block::Retired(finding)
            | Block::FolderNotProven(finding) => findings::servers(finding),
            Block::Locked(_) | Block::OpenRun(_) | Block::JournalUnread => BTreeSet::new(),
        };
        Self { code: block.code().to_owned(), servers, text: words::block(block, status) }
    }
}

impl StatusSeen {
    fn of(status: &EnsembleStatus<'_>, at: String) -> Self {
        let known = &status.known;
        let seen = known.seen;
        let leader = seen.leader.and_then(|id| seen.servers.get(&id));
        let journal = known.journal;
        let identity_text = match &seen.identity {
            Identity::NoneYet => None,
            Identity::Known(text) => Some(text.clone()),
        };
        let lines = seen.config.membership.to_string();
        Self {
            at,
            members: lines.lines().map(ToOwned::to_owned).collect(),
            identity: identity_text.as_deref().map(crate::apply::journal::IdentityText::id_in),
            identity_text,
            config_version: seen.config.version.to_string(),
            leader: seen.leader,
            servers: seen
                .servers
                .values()
                .map(|observed| StatusServer::of(observed, status))
                .collect(),
            votes: (&status.tolerance.votes).into(),
            without_zone: status.tolerance.without_zone.iter().map(Into::into).collect(),
            znodes: leader.and_then(|leader| leader.data.znodes),
            data_bytes: leader.and_then(|leader| leader.data.bytes),
            writes: known.writes.map(Into::into),
            is_journal_read: journal.is_some(),
            run: status.run.as_ref().map(|_| StatusRun::of(status)),
            lock: journal.and_then(|journal| journal.lock.as_ref()).map(|lock| StatusLock {
                nonce: lock.nonce.clone(),
                holder: lock.text.as_ref().map(|text| RunOpener::of(&text.by, &text.cause)),
            }),
            retired: status.retired().map(StatusRetired::of).collect(),
            joiners: status.joiners.iter().map(StatusJoiner::of).collect(),
            findings: entries(&status.findings, &[]),
        }
    }
}

impl StatusServer {
    fn of(observed: &ServerObservation, status: &EnsembleStatus<'_>) -> Self {
        let known = &status.known;
        let member = known.seen.config.membership.get(observed.id);
        let lag = match known.seen.lag(observed) {
            Some(Lag::Transactions(behind)) => Some(behind),
            Some(Lag::EarlierEpoch) | None => None,
        };
        Self {
            id: observed.id,
            is_member: member.is_some(),
            role: member.map(|line| line.role.word().to_owned()),
            mode: observed.mode.map(|mode| mode.word().to_owned()),
            status: (&observed.status).into(),
            in_sync: observed.status.is_healthy(),
            lag: lag.filter(|_| observed.mode.is_some_and(crate::ensemble::Mode::in_ensemble)),
            clients: observed.clients.as_ref().map(|clients| clients.value.count),
            version: observed.version.map(|version| version.to_string()),
            zone: known.facts.zones.get(&observed.id).cloned(),
            address: observed.endpoint.as_ref().map(ToString::to_string),
        }
    }
}

impl From<WriteRate> for StatusWrites {
    fn from(rate: WriteRate) -> Self {
        let WriteRate { transactions, over_ms } = rate;
        Self { transactions, over_ms, per_second: rate.per_second() }
    }
}

impl StatusRun {
    fn of(status: &EnsembleStatus<'_>) -> Self {
        let run = status.run.as_ref().expect("the run is open");
        let position = status.known.journal.and_then(|journal| journal.position.as_ref());
        let steps = position.map(|position| {
            let ids = position.checked.plan().steps().map(|step| step.id.clone());
            ids.partition(|id| position.done.contains(id))
        });
        let (done, left) = steps.unwrap_or_default();
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            run: run.number,
            plan_id: some(&run.plan_id),
            opened_by: some(&run.opened_by),
            opened_at: some(&run.opened_at),
            is_proven: !run.is_masked,
            not_resumed: run.not_resumed,
            done,
            left,
            text: words::run(status),
        }
    }
}

impl StatusRetired {
    fn of(one: &RetiredSeen) -> Self {
        let state = match one.answer {
            None => RetiredAnswer::NoAnswer,
            Some(Beside::Follows) => RetiredAnswer::Follows,
            Some(Beside::Serves(_)) => RetiredAnswer::Serves,
            Some(Beside::NotKnown(_)) => RetiredAnswer::NotKnown,
        };
        let address = one.at.as_ref().map(ToString::to_string);
        let clients = one.clients.as_ref().map(|clients| clients.count);
        let sessions = one.clients.iter().flat_map(|clients| &clients.sessions);
        let sessions = sessions.map(SessionEntry::from).collect();
        Self { id: one.id, run: one.run, address, state, clients, sessions }
    }
}

impl StatusJoiner {
    fn of(joiner: &JoinerState) -> Self {
        let lack = |lack: &JoinerLack| StatusLack { code: lack.into(), text: words::lack(lack) };
        Self { id: joiner.id, lacks: joiner.lacks.iter().map(lack).collect() }
    }
}

impl From<&JoinerLack> for LackCode {
    fn from(lack: &JoinerLack) -> Self {
        match lack {
            JoinerLack::Answer => Self::Answer,
            JoinerLack::OwnId(_) | JoinerLack::KnownId => Self::Id,
            JoinerLack::Ensemble => Self::Ensemble,
            JoinerLack::Leader => Self::Leader,
            JoinerLack::Transactions(_) => Self::Transactions,
            JoinerLack::SameData => Self::SameData,
            JoinerLack::DataProof => Self::DataProof,
            JoinerLack::WantedPorts => Self::WantedPorts,
            JoinerLack::ElectionPort => Self::ElectionPort,
        }
    }
}

impl StatusWanted {
    fn of(wanted: &SpecVerdict, spec: &str) -> Self {
        let text = words::spec(wanted, spec);
        let (verdict, checked) = match wanted {
            SpecVerdict::Resumes(position) => (WantedVerdict::Resumes, &position.checked),
            SpecVerdict::Planned(checked) if checked.plan().is_empty() => {
                (WantedVerdict::NoChanges, &**checked)
            }
            SpecVerdict::Planned(checked) => (WantedVerdict::Planned, &**checked),
            SpecVerdict::Refused(refusal) => {
                let codes: BTreeSet<String> = refusal
                    .breaches
                    .iter()
                    .map(|breach| {
                        let Acceptance { code, step: _ } = acceptance(breach);
                        code
                    })
                    .collect();
                return Self {
                    verdict: WantedVerdict::Refused,
                    changes: changes(&refusal.nearest),
                    reconfigs: None,
                    tolerates_failures: None,
                    breaches: codes.into_iter().collect(),
                    text,
                };
            }
        };
        Self {
            verdict,
            changes: changes(checked.plan()),
            reconfigs: Some(checked.plan().reconfigs()),
            tolerates_failures: Some(checked.report().worst_spare),
            breaches: Vec::new(),
            text,
        }
    }
}

impl StatusRow {
    fn of(row: &MigrationRow) -> Self {
        let state = match row.state {
            RowState::Done => StatusRowState::Done,
            RowState::Waiting => StatusRowState::Waiting,
            RowState::NotYet => StatusRowState::NotYet,
            RowState::Unknown => StatusRowState::Unknown,
        };
        Self { row: format!("M{}", row.number), state, text: words::evidence(row) }
    }
}
