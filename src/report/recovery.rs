//! `zkplan/recover`: what the surviving directories mean, and what is written for a new ensemble.

use schemars::JsonSchema;
use serde::Serialize;

use super::data_files::VerdictWord;
use crate::document::{Document, Format};
use crate::model::{ServerId, Zxid};
use crate::recovery::{
    ConfigSource, LossBound, Losses, RecoveryPlan, RecoveryRefusal, Standing, Survivor, WayBack,
};
use crate::render::data_files::time;
use crate::render::file_findings::file_finding;
use crate::render::recovery::{RecoveryScreen, screen, summary, words};
use crate::snapshot::DataVerdict;

/// What the surviving directories of an ensemble mean, and what is written for a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoverDocument {
    /// The label of the ensemble.
    pub ensemble: String,
    /// What came of it.
    pub outcome: RecoveryOutcome,
    /// The same in one sentence, for people.
    pub summary: String,
    /// The configuration in force, as far as the files know.
    pub configuration: RecoveredConfig,
    /// The directories, by server.
    pub survivors: Vec<SurvivorEntry>,
    /// The servers to start, where they are a quorum; else empty.
    pub start: Vec<ServerId>,
    /// What would make the survivors a quorum again; `null` where they are one.
    pub way_back: Option<WayBackEntry>,
    /// What may be lost; `null` where nothing is recovered.
    pub losses: Option<LossEntry>,
    /// Why nothing can be written; `null` where it can, or need not.
    pub refusal: Option<RecoveryRefusalEntry>,
    /// What would be written, or was; `null` where nothing is.
    pub plan: Option<RecoveryPlanEntry>,
    /// The command that comes next.
    pub next: String,
    /// What the command exits with.
    pub exit_code: u8,
    /// The screen, for people.
    pub text: String,
}

impl Document for RecoverDocument {
    const FORMAT: Format = Format { name: "recover", major: 1, minor: 0 };
}

/// What came of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RecoveryOutcome {
    /// The survivors are a quorum: they are to be started.
    NothingToRecover,
    /// The plan is shown, and nothing was written.
    Planned,
    /// Nothing can be written.
    Refused,
    /// The files were written.
    Written,
}

/// A configuration and where it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveredConfig {
    /// Its version in hex; `null` where the source names none.
    pub version: Option<String>,
    /// The server in whose data it was read.
    pub from_data_of: Option<ServerId>,
    /// The `zoo.cfg` that it was read from. Where both are `null`, it is that of the spec.
    pub from_file: Option<String>,
    /// The lines of its members.
    pub servers: Vec<String>,
    /// The ids of its voters.
    pub voters: Vec<ServerId>,
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SurvivorEntry {
    /// The server that used it.
    pub server: ServerId,
    /// The directories: `dataDir`, and `dataLogDir` where it was given.
    pub directories: Vec<String>,
    /// What the files are worth.
    pub verdict: VerdictWord,
    /// The gravest finding, for people; `null` where the files are whole.
    pub finding: Option<String>,
    /// The epoch that counts in an election.
    pub epoch: Option<u64>,
    /// The epoch that the server has accepted last; `null` where there is no such file.
    pub accepted_epoch: Option<u64>,
    /// The last transaction.
    pub last_zxid: Option<String>,
    /// When that was, in UTC; `null` where no log tells.
    pub last_time: Option<String>,
    /// Whether a new ensemble begins with it.
    pub is_taken: bool,
}

/// What would make the survivors a quorum again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WayBackEntry {
    /// The voters without a usable directory.
    pub missing: Vec<ServerId>,
    /// Those of them each of which is enough.
    pub alone: Vec<ServerId>,
    /// How many are enough, in the order of their ids.
    pub enough: usize,
}

impl From<&WayBack> for WayBackEntry {
    fn from(way: &WayBack) -> Self {
        let WayBack { missing, alone, enough } = way;
        let [missing, alone] = [missing, alone].map(|ids| ids.iter().copied().collect());
        Self { missing, alone, enough: *enough }
    }
}

/// What may be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LossEntry {
    /// What is lost lies above this transaction: the last one of the directory that is taken.
    pub after_zxid: String,
    /// When that was, in UTC; `null` where no log tells.
    pub after_time: Option<String>,
    /// How much was lost at most.
    pub bound: LossBoundWord,
    /// A later epoch that a survivor has accepted: a leader of it may have committed writes.
    pub later_epoch: Option<u64>,
    /// Damaged directories that go further, by server.
    pub beyond: Vec<ServerId>,
}

/// How much was lost at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LossBoundWord {
    /// No acknowledged write: the missing voters alone were no quorum.
    NothingAcknowledged,
    /// No bound is known.
    Unknown,
}

impl From<&Losses> for LossEntry {
    fn from(lost: &Losses) -> Self {
        let bound = match lost.bound {
            LossBound::NothingAcknowledged => LossBoundWord::NothingAcknowledged,
            LossBound::Unknown => LossBoundWord::Unknown,
        };
        Self {
            after_zxid: Zxid::new(lost.after.zxid).to_string(),
            after_time: lost.after_time_ms.and_then(time),
            bound,
            later_epoch: lost.later_epoch,
            beyond: lost.beyond.iter().map(|(id, _)| *id).collect(),
        }
    }
}

/// Why nothing can be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryRefusalEntry {
    /// What it is.
    pub code: RecoveryRefusalCode,
    /// The servers that it is about.
    pub servers: Vec<ServerId>,
    /// The same for people.
    pub text: String,
}

/// What keeps files from being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RecoveryRefusalCode {
    /// Servers write to their files.
    Running,
    /// Two configurations of one version differ.
    TwoEnsembles,
    /// No directory is usable.
    NothingUsable,
    /// The highest directory is damaged: the first server; the second has the highest usable one.
    HighestDamaged,
    /// The directory that was asked for is damaged.
    TakenDamaged,
    /// The directory of the second server goes further than that of the first, which was asked for.
    TakenIsLower,
}

impl From<&RecoveryRefusal> for RecoveryRefusalEntry {
    fn from(refusal: &RecoveryRefusal) -> Self {
        let (code, servers) = match refusal {
            RecoveryRefusal::Running(servers) => {
                (RecoveryRefusalCode::Running, servers.iter().copied().collect())
            }
            RecoveryRefusal::TwoEnsembles(servers) => {
                (RecoveryRefusalCode::TwoEnsembles, servers.to_vec())
            }
            RecoveryRefusal::NothingUsable => (RecoveryRefusalCode::NothingUsable, Vec::new()),
            RecoveryRefusal::HighestDamaged { damaged, usable } => {
                (RecoveryRefusalCode::HighestDamaged, vec![*damaged, *usable])
            }
            RecoveryRefusal::TakenDamaged(id) => (RecoveryRefusalCode::TakenDamaged, vec![*id]),
            RecoveryRefusal::TakenIsLower { taken, highest } => {
                (RecoveryRefusalCode::TakenIsLower, vec![*taken, *highest])
            }
        };
        Self { code, servers, text: words(refusal) }
    }
}

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPlanEntry {
    /// The folder; `null` where none was given.
    pub folder: Option<String>,
    /// The id of the new first voter, which is the name of its folder, too.
    pub server: ServerId,
    /// Its line.
    pub line: String,
    /// `currentEpoch`: the epoch of the data.
    pub current_epoch: u64,
    /// `acceptedEpoch`: it leads in the next one.
    pub accepted_epoch: u64,
    /// The names of its files.
    pub files: Vec<String>,
    /// The files of its data.
    pub data: Vec<CopiedEntry>,
    /// The name of the spec.
    pub spec: String,
}

/// A file of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CopiedEntry {
    /// Its name in `version-2`.
    pub file: String,
    /// Its length in the copy, in bytes.
    pub bytes: u64,
}

impl From<&RecoveryPlan> for RecoveryPlanEntry {
    fn from(plan: &RecoveryPlan) -> Self {
        let RecoveryPlan { voter, files, copied, folder, spec } = plan;
        let data = copied.iter();
        let data = data.map(|file| CopiedEntry { file: file.name.clone(), bytes: file.bytes });
        Self {
            folder: folder.clone(),
            server: voter.server.id,
            line: voter.server.to_string(),
            current_epoch: voter.current_epoch,
            accepted_epoch: voter.accepted_epoch,
            files: files.files().iter().map(|file| file.name.to_owned()).collect(),
            data: data.collect(),
            spec: spec.clone(),
        }
    }
}

impl RecoverDocument {
    /// The document of what a screen shows.
    pub fn of(of: &RecoveryScreen<'_>, exit_code: u8) -> Self {
        let assessment = of.assessment;
        let (start, way_back, losses, chosen) = match &assessment.standing {
            Standing::Quorum { start } => (start.iter().copied().collect(), None, None, None),
            Standing::Lost { way_back, chosen, losses } => (
                Vec::new(),
                Some(way_back.into()),
                losses.as_ref().map(Into::into),
                chosen.filter(|_| assessment.refusal.is_none()),
            ),
        };
        let outcome = match (&assessment.standing, of.is_written) {
            _ if assessment.refusal.is_some() => RecoveryOutcome::Refused,
            (Standing::Quorum { .. }, _) => RecoveryOutcome::NothingToRecover,
            (Standing::Lost { .. }, true) => RecoveryOutcome::Written,
            (Standing::Lost { .. }, false) => RecoveryOutcome::Planned,
        };
        let survivor = |survivor: &Survivor| self::survivor(survivor, chosen == Some(survivor.id));
        Self {
            ensemble: of.ensemble.to_owned(),
            outcome,
            summary: summary(of).plain_text(),
            configuration: configuration(of),
            survivors: assessment.survivors.iter().map(survivor).collect(),
            start,
            way_back,
            losses,
            refusal: assessment.refusal.as_ref().map(Into::into),
            plan: of.plan.map(Into::into),
            next: of.next.to_owned(),
            exit_code,
            text: screen(of).to_string_with(false).trim_end().to_owned(),
        }
    }
}

fn configuration(of: &RecoveryScreen<'_>) -> RecoveredConfig {
    let config = &of.assessment.config;
    let (from_data_of, from_file) = match &config.source {
        ConfigSource::Data(id) => (Some(*id), None),
        ConfigSource::ZooCfg(name) => (None, Some(name.clone())),
        ConfigSource::Spec => (None, None),
    };
    RecoveredConfig {
        version: config.version.map(|version| version.to_string()),
        from_data_of,
        from_file,
        servers: config.members.servers().map(ToString::to_string).collect(),
        voters: config.members.voters().into_iter().collect(),
    }
}

fn survivor(of: &Survivor, is_taken: bool) -> SurvivorEntry {
    let verdict = match of.verdict {
        DataVerdict::Whole => VerdictWord::Whole,
        DataVerdict::NotProvable => VerdictWord::NotProvable,
        DataVerdict::Damaged => VerdictWord::Damaged,
    };
    let finding = of.finding.as_ref().filter(|_| of.verdict != DataVerdict::Whole);
    SurvivorEntry {
        server: of.id,
        directories: of.paths.clone(),
        verdict,
        finding: finding.map(file_finding),
        epoch: of.history.map(|history| history.epoch),
        accepted_epoch: of.accepted_epoch,
        last_zxid: of.history.map(|history| Zxid::new(history.zxid).to_string()),
        last_time: of.last_time_ms.and_then(time),
        is_taken,
    }
}
