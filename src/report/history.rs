//! `zkplan/history`: the runs that an ensemble keeps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::run::{RunStatus, RunStep, RunSummary, StepEnd};
use crate::apply::journal::{Cause, Entry, GateOpenedBy, HookEnd, Illegible, Record, Run, Stamp};
use crate::document::{Document, Format};
use crate::plan::StepId;
use crate::prediction::Prediction;
use crate::render::history;

/// The runs that were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryDocument {
    /// The label of the ensemble in the file that was given.
    pub ensemble: String,
    /// Whether it is proven that an operator wrote this. Otherwise it looks so, and an apply checks
    /// it.
    pub proven: bool,
    /// The runs, oldest first.
    pub runs: Vec<HistoryRun>,
    /// Runs that are not believed, for people.
    pub not_used: Vec<String>,
    /// How many runs are not kept any more: the ensemble keeps the newest ones.
    pub removed: u64,
    /// How many runs are kept and not listed here, because there are too many newer ones.
    pub not_listed: usize,
    /// The command that comes next, where a run is open.
    pub next: Option<String>,
}

impl Document for HistoryDocument {
    const FORMAT: Format = Format { name: "history", major: 1, minor: 4 };
}

/// A run as the journal has it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryRun {
    /// The same keys as in `zkplan/run`.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// Who opened it, and when; `null` where its header is not understood.
    pub opened: Option<RunOpener>,
    /// What its plan was expected to cost in time, where one run was asked for; `null` where its plan
    /// cannot be read.
    pub prediction: Option<Prediction>,
    /// Its entries, spelled as the journal spells them (kebab-case words; its format is its own).
    pub records: Vec<Value>,
    /// Entries that this version does not understand, by their numbers; 0 is the header.
    pub not_understood: BTreeMap<u64, NotUnderstood>,
}

/// Who opened a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunOpener {
    /// The user.
    pub who: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// When, as the clock of that host had it.
    pub at: String,
    /// Who has it done, where that is said (`--by`, or the user of the pipeline); else `null`.
    pub actor: Option<String>,
    /// Why, where that is said (`--reason`); else `null`.
    pub reason: Option<String>,
}

/// Why something of the journal is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotUnderstood {
    /// The version of the journal's format that a newer zkplan wrote; `null` where it is no text of
    /// zkplan's.
    pub newer_format: Option<u32>,
}

impl From<&Illegible> for NotUnderstood {
    fn from(why: &Illegible) -> Self {
        let newer_format = match why {
            Illegible::Newer(version) => Some(*version),
            Illegible::Garbled => None,
        };
        Self { newer_format }
    }
}

impl HistoryRun {
    /// Of a run, and what its plan was expected to cost.
    pub fn of(run: &Run, prediction: Option<Prediction>) -> Self {
        let header = run.header.as_ref().ok();
        let header_lost = run.header.as_ref().err().map(|why| (0, why));
        let lost = header_lost.into_iter().chain(run.illegible.iter().map(|(n, why)| (*n, why)));
        let records = run.records.iter().map(serde_json::to_value);
        Self {
            summary: RunSummary {
                run: Some(run.number),
                ensemble: header.map(|header| header.ensemble.clone()),
                plan_id: header.map(|header| header.plan_id.clone()),
                state: state(run),
                steps: steps(&run.records),
                text: history::words_for_state(run),
            },
            opened: header.map(|header| RunOpener::of(&header.opened, &header.cause)),
            prediction,
            records: records.map(Result::unwrap_or_default).collect(),
            not_understood: lost.map(|(number, why)| (number, why.into())).collect(),
        }
    }
}

impl RunOpener {
    /// The user and the host, and for whom it is done, if it is said.
    pub fn for_whom(&self) -> String {
        let user = format!("{}@{}", self.who, self.host);
        match &self.actor {
            Some(actor) if *actor != self.who => format!("{actor} ({user})"),
            Some(_) | None => user,
        }
    }

    /// Of what it left in the ensemble.
    pub(super) fn of(by: &Stamp, Cause { actor, reason }: &Cause) -> Self {
        Self {
            who: by.who.clone(),
            host: by.host.clone(),
            pid: by.pid,
            at: by.at.clone(),
            actor: actor.clone(),
            reason: reason.clone(),
        }
    }
}

fn state(run: &Run) -> RunStatus {
    let ended = run.records.iter().find_map(|record| match record.entry {
        Entry::Closed => Some(RunStatus::Done),
        Entry::Withdrawn => Some(RunStatus::Withdrawn),
        Entry::Abandoned { .. } => Some(RunStatus::Abandoned),
        _ => None,
    });
    ended.unwrap_or(if run.is_open() { RunStatus::Open } else { RunStatus::NotStarted })
}

/// The steps that are done, by what was written of each last.
fn steps(records: &[Record]) -> Vec<RunStep> {
    let mut steps: Vec<RunStep> = Vec::new();
    for record in records {
        let Some((step, how)) = done(&record.entry) else { continue };
        let (version, known) = match &record.entry {
            Entry::Committed { version, known, .. } => {
                (Some(version.clone()), Some((*known).into()))
            }
            _ => (None, None),
        };
        steps.retain(|known| known.step != *step);
        let (step, at) = (step.clone(), record.at.clone());
        steps.push(RunStep { step, how, version, known, at, took_ms: None, gap_ms: None });
    }
    for measured in records.iter().filter_map(|record| record.measured.as_ref()) {
        if let Some(step) = steps.iter_mut().find(|known| known.step == measured.step) {
            step.gap_ms = Some(measured.gap_ms);
        }
    }
    steps
}

/// The step that an entry says is done.
fn done(entry: &Entry) -> Option<(&StepId, StepEnd)> {
    match entry {
        Entry::Committed { step, .. } => Some((step, StepEnd::Committed)),
        Entry::Passed { step, how: GateOpenedBy::Drained | GateOpenedBy::Approved, .. }
        | Entry::HookEnded { step, how: HookEnd::Succeeded }
        | Entry::Gone { step } => Some((step, StepEnd::Done)),
        Entry::Claimed { .. }
        | Entry::FenceIntent { .. }
        | Entry::Fenced { .. }
        | Entry::Intent { .. }
        | Entry::NotApplied { .. }
        | Entry::Disarmed { .. }
        | Entry::Attested { .. }
        | Entry::HookIntent { .. }
        | Entry::HookEnded { .. }
        | Entry::Stopped { .. }
        | Entry::Closed
        | Entry::Withdrawn
        | Entry::Abandoned { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::journal::{CommitEvidence, Header, MeasuredGap};

    fn run(entries: Vec<Entry>) -> Run {
        let stamp = Stamp {
            nonce: "ab".to_owned(),
            who: "ann".to_owned(),
            host: "ops".to_owned(),
            pid: 7,
            at: "2026-11-29T03:00:00Z".to_owned(),
        };
        let at = |entry| Record::new(entry, "ab".to_owned(), "2026-11-29T03:00:09Z".to_owned());
        let records: Vec<Record> = entries.into_iter().map(at).collect();
        let last = records.len() as u64;
        let mut header =
            Header::new("sha256:1".to_owned(), "prod".to_owned(), 1, BTreeMap::new(), stamp);
        header.cause.reason = Some("OPS-7".to_owned());
        Run { number: 3, header: Ok(header), records, illegible: BTreeMap::new(), last }
    }

    fn document(run: &Run) -> Value {
        let document = HistoryDocument {
            ensemble: "prod".to_owned(),
            proven: true,
            runs: vec![HistoryRun::of(run, None)],
            not_used: Vec::new(),
            removed: 0,
            not_listed: 0,
            next: None,
        };
        let document = document.to_value();
        let validator = jsonschema::validator_for(&HistoryDocument::schema()).expect("a schema");
        assert!(validator.is_valid(&document), "{document:#}");
        document["runs"][0].clone()
    }

    #[test]
    fn a_run_has_the_keys_of_an_apply_and_its_own_records_beside_them() {
        let step = StepId::new("join-4");
        let intent = Entry::Intent { step: step.clone(), version: "1".to_owned() };
        let (version, known) = ("2".to_owned(), CommitEvidence::ReadBack);
        let committed = Entry::Committed { step, version, known };
        let of = document(&run(vec![intent.clone(), committed, Entry::Closed]));
        assert_eq!((&of["run"], &of["state"]), (&3.into(), &"done".into()));
        assert_eq!(
            (&of["opened"]["who"], &of["opened"]["reason"]),
            (&"ann".into(), &"OPS-7".into())
        );
        let steps = of["steps"].as_array().expect("steps");
        assert_eq!(steps.len(), 1, "{of:#}");
        assert_eq!((&steps[0]["known"], &steps[0]["version"]), (&"readBack".into(), &"2".into()));
        assert_eq!(of["records"][1]["known"], "read-back", "the journal's own spelling");
        assert_eq!(document(&run(vec![intent]))["state"], "open");
    }

    #[test]
    fn a_measured_gap_stands_beside_its_step() {
        let step = StepId::new("join-4");
        let (version, known) = ("2".to_owned(), CommitEvidence::Reply);
        let committed = Entry::Committed { step: step.clone(), version, known };
        let mut run = run(vec![committed, Entry::Closed]);
        assert!(document(&run)["steps"][0]["gapMs"].is_null());
        run.records[1].measured = Some(MeasuredGap { step, gap_ms: 81 });
        assert_eq!(document(&run)["steps"][0]["gapMs"], 81);
    }

    #[test]
    fn what_is_not_understood_is_named_and_not_left_out() {
        let mut run = run(vec![Entry::Closed]);
        run.header = Err(Illegible::Garbled);
        run.illegible.insert(2, Illegible::Newer(9));
        let of = document(&run);
        assert!(of["planId"].is_null() && of["opened"].is_null(), "{of:#}");
        assert_eq!(of["notUnderstood"]["2"]["newerFormat"], 9);
        assert!(of["notUnderstood"]["0"]["newerFormat"].is_null(), "{of:#}");
    }
}
