//! `zkplan/run`: what one apply did, and the part of it that the journal keeps too.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::clients::{ClientStrings, ServerClients};
use super::error::CommandFailure;
use super::events::KnownBy;
use super::waits::WaitEntry;
use crate::apply::report::RunReport;
use crate::apply::{Event, Outcome};
use crate::document::{Document, Format};
use crate::model::ServerId;
use crate::observe::TimeSpan;
use crate::plan::StepId;
use crate::prediction::Prediction;

/// What `apply` and `history` both say of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Its number; `null` where no run was opened.
    pub run: Option<u64>,
    /// The label of the ensemble, where it is known.
    pub ensemble: Option<String>,
    /// The plan, where it is known.
    pub plan_id: Option<String>,
    /// Where it stands.
    pub state: RunStatus,
    /// The steps that are done, in order.
    pub steps: Vec<RunStep>,
    /// The same for people.
    pub text: String,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RunStatus {
    /// There is none: nothing was to be done, or another run was abandoned and no more.
    None,
    /// Steps are left. `zkplan apply` resumes it.
    Open,
    /// Everything is done.
    Done,
    /// It closed itself: nothing but the fence was sent.
    Withdrawn,
    /// It was abandoned.
    Abandoned,
    /// It has a number and nothing else.
    NotStarted,
}

/// A step that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunStep {
    /// The step.
    pub step: StepId,
    /// In which way.
    pub how: StepEnd,
    /// The version that it made, of a reconfig.
    pub version: Option<String>,
    /// How that is known, of a reconfig.
    pub known: Option<KnownBy>,
    /// When it was done (RFC 3339, UTC), by the clock of the machine that applied.
    pub at: String,
    /// From the request to the reply, where this apply sent it.
    pub took_ms: Option<u64>,
    /// The longest time without a committed write of zkplan around it, where that is known.
    pub gap_ms: Option<u64>,
}

/// In which way a step is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StepEnd {
    /// Its reconfig has committed.
    Committed,
    /// It has no request, and its goal is reached.
    Done,
    /// Its goal was reached already, or its server does not answer.
    Skipped,
}

/// What one apply did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunDocument {
    /// The run.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// Whether an earlier apply opened the run.
    pub resumed: bool,
    /// The run that was abandoned first.
    pub abandoned_run: Option<u64>,
    /// Why it stopped before everything was done, as in `zkplan/error`; `null` where all is done.
    #[schemars(with = "Option<String>")]
    pub code: Option<CommandFailure>,
    /// Whether the same command may succeed later.
    pub retryable: bool,
    /// The exit code of the command.
    pub exit_code: u8,
    /// How long the apply was at work.
    pub elapsed_ms: u64,
    /// What was waited for, and how long.
    pub waits: Vec<RunWait>,
    /// Changes of leader.
    pub leader_changes: Vec<LeaderChange>,
    /// The longest time without a committed write of zkplan.
    pub longest_gap_ms: Option<u64>,
    /// What took time and was measured, beside what the plan was expected to cost.
    pub predictions: Vec<MeasuredTime>,
    /// The request whose outcome is not known.
    pub unknown_step: Option<StepId>,
    /// Servers that a person is to stop.
    pub stop_by_hand: BTreeSet<ServerId>,
    /// The clients that hold a gate shut, or that are on servers which a person is to stop.
    pub clients: Vec<ServerClients>,
    /// The addresses that clients need; empty where clients were not asked for.
    pub connect_strings: ClientStrings,
    /// Retired servers that do not answer. They must never start with their old data.
    pub not_answering: BTreeSet<ServerId>,
}

impl Document for RunDocument {
    const FORMAT: Format = Format { name: "run", major: 1, minor: 3 };
}

/// Something that was waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunWait {
    /// What it was, as it was seen last.
    #[serde(flatten)]
    pub wait: WaitEntry,
    /// When it was first waited for (RFC 3339, UTC).
    pub since: String,
    /// For how long, in all.
    pub total_ms: u64,
}

/// A change of leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeaderChange {
    /// The leader before.
    pub from: ServerId,
    /// The leader after.
    pub to: ServerId,
    /// The step that handed over; `null` if it was not planned.
    pub step: Option<StepId>,
}

/// A time that was measured, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeasuredTime {
    /// What took it.
    #[serde(flatten)]
    pub of: MeasuredKind,
    /// What was expected when the plan was made; `null` where that was not known.
    pub predicted: Option<TimeSpan>,
    /// What this apply measured.
    pub measured_ms: u64,
}

/// What took time, by `kind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum MeasuredKind {
    /// The leader change: from the request until a write of zkplan committed again.
    LeaderChange {
        /// The step.
        step: StepId,
    },
    /// A restart: the longest time without a committed write of zkplan, from when its client port closed
    /// until the server was back.
    Restart {
        /// The step.
        step: StepId,
        /// The server.
        server: ServerId,
    },
    /// The copy to a joiner: from when it was first seen running without serving until its data were
    /// proven.
    Copy {
        /// The joiner.
        server: ServerId,
    },
}

/// What was measured, beside what was expected.
fn measured(report: &RunReport, prediction: &Prediction) -> Vec<MeasuredTime> {
    let change = report.leader_change().map(|(step, measured_ms)| MeasuredTime {
        of: MeasuredKind::LeaderChange { step: step.clone() },
        predicted: prediction.leader_change.as_ref().and_then(|change| change.gap),
        measured_ms,
    });
    let copies = report.copies.iter().map(|(server, measured_ms)| MeasuredTime {
        of: MeasuredKind::Copy { server: *server },
        predicted: prediction.copy_of(*server),
        measured_ms: *measured_ms,
    });
    let restarts = prediction.restarts.iter().filter_map(|time| {
        let measured_ms = *report.restarts.get(&time.step)?;
        let of = MeasuredKind::Restart { step: time.step.clone(), server: time.server };
        Some(MeasuredTime { of, predicted: time.gap, measured_ms })
    });
    change.into_iter().chain(restarts).chain(copies).collect()
}

/// The clients that are in the way at the end.
fn clients(report: &RunReport, outcome: &Outcome) -> Vec<ServerClients> {
    let at_gate = ServerClients::at_gate(outcome);
    if !at_gate.is_empty() {
        return at_gate;
    }
    let all = report.stop_by_hand.iter();
    all.map(|(server, clients)| ServerClients::of(*server, clients.as_ref(), 0)).collect()
}

/// What an apply has done so far, collected from its events.
#[derive(Debug, Clone, Default)]
pub struct RunLog {
    steps: Vec<RunStep>,
    waits: Vec<RunWait>,
    /// Waits that go on: the place in the list, and when it was counted last.
    open: BTreeMap<usize, u64>,
}

/// How an apply came to its end.
#[derive(Debug, Clone, Copy)]
pub struct RunEnd<'a> {
    /// The label of the ensemble.
    pub ensemble: &'a str,
    /// The plan.
    pub plan_id: &'a str,
    /// What the plan was expected to cost.
    pub prediction: &'a Prediction,
    /// How it ended.
    pub outcome: &'a Outcome,
    /// The exit code.
    pub exit_code: u8,
    /// How long it was at work.
    pub elapsed_ms: u64,
    /// What people read.
    pub text: &'a str,
}

impl RunLog {
    /// Records an event that happened now: at this time of day, so long after the beginning.
    pub fn take(&mut self, at: &str, elapsed_ms: u64, event: &Event) {
        match event {
            Event::Committed { step, version, known } => {
                let (version, known) = (Some(version.clone()), Some((*known).into()));
                self.done(step, StepEnd::Committed, at);
                if let Some(last) = self.steps.last_mut() {
                    (last.version, last.known) = (version, known);
                }
                self.wait(&[], at, elapsed_ms);
            }
            Event::Done { step } => {
                self.done(step, StepEnd::Done, at);
                self.wait(&[], at, elapsed_ms);
            }
            Event::NotNeeded { step } | Event::NoAnswer { step, .. } => {
                self.done(step, StepEnd::Skipped, at);
            }
            Event::Waiting(waits) => {
                let waits: Vec<WaitEntry> = waits.iter().map(WaitEntry::of).collect();
                self.wait(&waits, at, elapsed_ms);
            }
            Event::Sent { .. } | Event::Ended(_) => self.wait(&[], at, elapsed_ms),
            _ => {}
        }
    }

    fn done(&mut self, step: &StepId, how: StepEnd, at: &str) {
        self.steps.push(RunStep {
            step: step.clone(),
            how,
            version: None,
            known: None,
            at: at.to_owned(),
            took_ms: None,
            gap_ms: None,
        });
    }

    /// Counts the time since what is awaited was counted last; what is awaited no more is over.
    fn wait(&mut self, waits: &[WaitEntry], at: &str, elapsed_ms: u64) {
        for (index, last_ms) in std::mem::take(&mut self.open) {
            self.waits[index].total_ms += elapsed_ms.saturating_sub(last_ms);
        }
        for wait in waits {
            let same = |known: &RunWait| known.wait.subject() == wait.subject();
            let index = self.waits.iter().position(same).unwrap_or(self.waits.len());
            match self.waits.get_mut(index) {
                Some(known) => known.wait = wait.clone(),
                None => self.waits.push(RunWait {
                    wait: wait.clone(),
                    since: at.to_owned(),
                    total_ms: 0,
                }),
            }
            self.open.insert(index, elapsed_ms);
        }
    }
}

impl RunDocument {
    /// Of an apply that came to its end.
    pub fn of(log: &RunLog, report: &RunReport, end: RunEnd<'_>) -> Self {
        let RunEnd { ensemble, plan_id, prediction, outcome, exit_code, elapsed_ms, text } = end;
        let code = CommandFailure::of_end(outcome);
        let state = match (report.run, report.left_open()) {
            (None, _) => RunStatus::None,
            (Some(_), None) => RunStatus::Withdrawn,
            (Some(_), Some(_)) if code.is_none() => RunStatus::Done,
            (Some(_), Some(_)) => RunStatus::Open,
        };
        let mut steps = log.steps.clone();
        for commit in &report.commits {
            let mut own = steps.iter_mut().filter(|step| step.how == StepEnd::Committed);
            if let Some(step) = own.find(|step| step.step == commit.step) {
                (step.took_ms, step.gap_ms) = (commit.took_ms, commit.gap_ms);
            }
        }
        let changes = report.hand_overs.iter();
        let changes = changes.map(|(from, to, step)| LeaderChange {
            from: *from,
            to: *to,
            step: step.clone(),
        });
        Self {
            summary: RunSummary {
                run: report.run.map(|(number, _)| number),
                ensemble: Some(ensemble.to_owned()),
                plan_id: Some(plan_id.to_owned()),
                state,
                steps,
                text: text.to_owned(),
            },
            resumed: report.run.is_some_and(|(_, resumed)| resumed),
            abandoned_run: report.abandoned,
            code,
            retryable: code.is_some_and(CommandFailure::is_retryable),
            exit_code,
            elapsed_ms,
            waits: log.waits.clone(),
            leader_changes: changes.collect(),
            longest_gap_ms: report.longest_gap().map(|(_, gap)| gap),
            predictions: measured(report, prediction),
            unknown_step: report.unknown.clone(),
            stop_by_hand: report.stop_by_hand.keys().copied().collect(),
            clients: clients(report, outcome),
            connect_strings: (&report.strings).into(),
            not_answering: report.silent_leavers.iter().copied().collect(),
        }
    }

    /// Of an apply that had nothing to do.
    pub fn without_changes(ensemble: &str, plan_id: &str, text: &str) -> Self {
        let end = RunEnd {
            ensemble,
            plan_id,
            prediction: &Prediction::default(),
            outcome: &Outcome::Finished,
            exit_code: 0,
            elapsed_ms: 0,
            text,
        };
        Self::of(&RunLog::default(), &RunReport::default(), end)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::apply::Wait;
    use crate::apply::journal::CommitEvidence;
    use crate::check::{Breach, BreachKind, Law};

    fn document(events: &[(u64, Event)], outcome: &Outcome) -> Value {
        let (mut log, mut report) = (RunLog::default(), RunReport::default());
        for (ms, event) in events {
            log.take(&format!("2026-11-29T03:00:{:02}Z", ms / 1000), *ms, event);
            report.take(*ms, event);
        }
        let end = RunEnd {
            ensemble: "prod",
            plan_id: "sha256:1",
            prediction: &Prediction::default(),
            outcome,
            exit_code: 9,
            elapsed_ms: 20_000,
            text: "stopped",
        };
        let document = RunDocument::of(&log, &report, end).to_value();
        let validator = jsonschema::validator_for(&RunDocument::schema()).expect("a schema");
        assert!(validator.is_valid(&document), "{document:#}");
        document
    }

    #[test]
    fn a_wait_that_comes_back_is_one_wait_with_its_whole_time() {
        let up = |server| Wait::StillUp { server: ServerId::new(server) };
        let outcome = Outcome::RanOut { waits: vec![up(1)], unknown: None };
        let events = [
            (1_000, Event::Waiting(vec![up(1), up(2)])),
            (2_000, Event::Waiting(vec![up(1)])),
            (4_000, Event::Done { step: StepId::new("stop-1") }),
            (9_000, Event::Waiting(vec![up(1)])),
            (10_000, Event::Ended(outcome.clone())),
        ];
        let document = document(&events, &outcome);
        let waits: Vec<(i64, u64)> = document["waits"]
            .as_array()
            .expect("waits")
            .iter()
            .map(|wait| {
                (wait["server"].as_i64().expect("an id"), wait["totalMs"].as_u64().expect("ms"))
            })
            .collect();
        assert_eq!(waits, [(1, 4_000), (2, 1_000)]);
        assert_eq!(document["waits"][0]["since"], "2026-11-29T03:00:01Z");
        assert_eq!((&document["code"], &document["retryable"]), (&"timedOut".into(), &true.into()));
    }

    /// Servers that a rule is about, rules of one step, and ports of one server.
    #[test]
    fn waits_for_different_things_are_different_waits() {
        let law = |law, detail| {
            let step = Some(StepId::new("join-4"));
            Wait::Law(Breach { law, step, path: Vec::new(), detail })
        };
        let disagrees = |id| law(Law::Now, BreachKind::MemberDisagrees(ServerId::new(id)));
        let taken = |port| Wait::PortTaken { server: ServerId::new(4), port };
        let few = law(Law::TwoParticipants, BreachKind::TooFewParticipants { left: 1 });
        let all = vec![disagrees(2), disagrees(3), few, taken(2888), taken(3888)];
        let outcome = Outcome::RanOut { waits: all.clone(), unknown: None };
        let events = [(1_000, Event::Waiting(all)), (4_000, Event::Ended(outcome.clone()))];
        let document = document(&events, &outcome);
        let waits = document["waits"].as_array().expect("waits");
        let about = |wait: &Value| {
            ["code", "servers", "port"].map(|key| wait[key].clone()).map(|value| value.to_string())
        };
        let about: Vec<String> = waits.iter().map(|wait| about(wait).join(" ")).collect();
        assert_eq!(
            about,
            [
                r#""ZKQ1" [2] null"#,
                r#""ZKQ1" [3] null"#,
                r#""ZKQ9" [] null"#,
                "null null 2888",
                "null null 3888"
            ]
        );
        assert!(waits.iter().all(|wait| wait["totalMs"] == 3_000), "{document:#}");
    }

    #[test]
    fn a_run_that_stopped_is_open_with_what_it_has_done() {
        let step = StepId::new("join-4");
        let events = [
            (0, Event::Run { number: 3, plan_id: "sha256:1".to_owned(), resumed: true }),
            (1_000, Event::Sent { step: step.clone(), version: "1".to_owned() }),
            (
                1_250,
                Event::Committed { step, version: "2".to_owned(), known: CommitEvidence::Reply },
            ),
        ];
        let document = document(&events, &Outcome::Interrupted { unknown: None });
        assert_eq!((&document["run"], &document["state"]), (&3.into(), &"open".into()));
        assert_eq!(document["resumed"], true);
        let done = &document["steps"][0];
        assert_eq!((&done["step"], &done["how"]), (&"join-4".into(), &"committed".into()));
        assert_eq!((&done["version"], &done["tookMs"]), (&"2".into(), &250.into()));
    }

    #[test]
    fn a_run_that_was_abandoned_is_named_where_no_other_was_opened() {
        let outcome = Outcome::RunGone { number: 3 };
        let events = [(1_000, Event::Abandoned { run: 3 }), (2_000, Event::Ended(outcome.clone()))];
        let document = document(&events, &outcome);
        assert_eq!((&document["abandonedRun"], &document["state"]), (&3.into(), &"none".into()));
        assert!(document["run"].is_null() && document["code"].is_string(), "{document:#}");
    }
}
