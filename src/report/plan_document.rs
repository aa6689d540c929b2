//! A plan as a document: what is kept of it, and what follows from that, for reviewers and policies.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::changes::{ChangeAction, ChangeEntry, changes};
use super::figures::{PlanFigures, ZoneFigures};
use super::findings::{FindingEntry, findings};
use super::no_return::NoReturnEntry;
use super::steps::{StepEntry, steps};
use crate::check::CheckedPlan;
use crate::document::{Document, Format, headed};
use crate::plan::StepId;
use crate::prediction::Prediction;
use crate::render::plan::in_short;
use crate::saved::{self, KeptPlan, ReadError};

/// A plan that zkplan made and checked.
///
/// `changes`, `steps`, `findings` and `summary` follow from the rest. They are there for reviewers and
/// policies. Who reads the plan back recomputes them and refuses a file in which they differ; `text` is
/// not compared.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanDocument {
    #[serde(flatten)]
    kept: KeptPlan,
    /// What changes, by server id.
    pub changes: Vec<ChangeEntry>,
    /// The steps in the order in which they go under the present leader.
    pub steps: Vec<StepEntry>,
    /// What was found, the weightiest first.
    pub findings: Vec<FindingEntry>,
    /// The plan in figures.
    pub summary: PlanSummary,
    /// SHA-256, in hex, of the document without this key, with sorted keys and without white space
    /// between values.
    digest: String,
}

/// A plan in figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// Servers that join.
    pub servers_added: usize,
    /// Servers that leave.
    pub servers_removed: usize,
    /// Servers that stay and change.
    pub servers_changed: usize,
    /// Steps.
    pub steps: usize,
    /// Steps that send a reconfig.
    pub reconfigs: usize,
    /// The lowest tolerance on the way: how many voters can fail at any moment of any order that the
    /// plan allows, under any leader, while writes continue.
    pub tolerates_failures: i64,
    /// The worst loss of one zone at any of these moments; `null` where zones are unknown or ignored.
    pub worst_zone: Option<ZoneFigures>,
    /// Steps after which, in some order that the plan allows, the loss of one zone would stop writes,
    /// and it would not now.
    pub zone_windows: Vec<ZoneWindow>,
    /// The ensemble before the first step.
    pub now: PlanFigures,
    /// The ensemble after the last step.
    pub end: PlanFigures,
    /// How often the leader changes if the present leader leads until its own change.
    pub leader_changes: usize,
    /// Whether the leader changes under some leader; never more than once.
    pub may_change_leader: bool,
    /// What the plan is expected to cost in time, by the size of the data when it was made.
    pub prediction: Prediction,
    /// The first step after which reconfigs alone do not lead back; `null` where there is none.
    pub point_of_no_return: Option<NoReturnEntry>,
    /// The same for people.
    pub text: String,
}

/// A step after which the loss of one zone would stop writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZoneWindow {
    /// The step.
    pub step: StepId,
    /// What it leaves.
    #[serde(flatten)]
    pub lost: ZoneFigures,
}

impl Document for PlanDocument {
    const FORMAT: Format = saved::FORMAT;
}

impl PlanDocument {
    /// The document of a plan.
    pub fn of(checked: &CheckedPlan) -> Self {
        let plan = checked.plan();
        let (changes, steps) = (changes(plan), steps(checked));
        let mut document = Self {
            kept: KeptPlan::of(checked),
            findings: findings(&plan.facts.findings, &plan.accepted),
            summary: PlanSummary::of(checked, &changes, &steps),
            changes,
            steps,
            digest: String::new(),
        };
        document.digest = saved::digest(&headed(Self::FORMAT, &document));
        document
    }
}

impl PlanSummary {
    fn of(checked: &CheckedPlan, changes: &[ChangeEntry], steps: &[StepEntry]) -> Self {
        let report = checked.report();
        let count = |is: fn(ChangeAction) -> bool| {
            changes.iter().filter(|change| is(change.action())).count()
        };
        let now = PlanFigures::from(&report.base);
        let windows = report.windows.iter();
        Self {
            servers_added: count(|action| action == ChangeAction::Join),
            servers_removed: count(|action| action == ChangeAction::Leave),
            servers_changed: count(|action| {
                !matches!(action, ChangeAction::Join | ChangeAction::Leave)
            }),
            steps: steps.len(),
            reconfigs: checked.plan().reconfigs(),
            tolerates_failures: report.worst_spare,
            worst_zone: report.worst_zone.as_ref().map(Into::into),
            zone_windows: windows
                .map(|(step, lost)| ZoneWindow { step: step.clone(), lost: lost.into() })
                .collect(),
            end: steps.last().map_or_else(|| now.clone(), |step| step.after().clone()),
            now,
            leader_changes: steps.iter().filter(|step| step.hands_over()).count(),
            may_change_leader: report.may_hand_over,
            prediction: Prediction::of(checked),
            point_of_no_return: checked.plan().no_return().as_ref().map(Into::into),
            text: in_short(checked),
        }
    }
}

/// What follows from the rest of a plan document.
const DERIVED: [&str; 4] = ["changes", "steps", "findings", "summary"];

/// Reads a plan file, checks the plan in it, and compares what is beside the plan with what follows
/// from it: a policy that was asked about the file was asked about the plan that is applied.
///
/// # Errors
///
/// Why it is no plan that can be trusted.
pub fn read_plan(text: &str) -> Result<CheckedPlan, ReadError> {
    let checked = saved::read(text)?;
    let file: Value =
        serde_json::from_str(text).map_err(|cause| ReadError::NoJson(cause.to_string()))?;
    let made = PlanDocument::of(&checked).to_value();
    let Some(theirs) = minor(&file) else {
        return Err(ReadError::Malformed(format!("format version {}", file["formatVersion"])));
    };
    for key in DERIVED {
        if let Some(place) = difference([&file[key], &made[key]], theirs, key) {
            return Err(ReadError::NotDerived(place));
        }
    }
    Ok(checked)
}

/// The minor version of a plan document.
fn minor(document: &Value) -> Option<u32> {
    document["formatVersion"].as_str()?.split_once('.')?.1.parse().ok()
}

/// Keys that follow from the rest of a plan document, each with the minor version that added it.
const ADDED: [(u32, &str); 3] =
    [(1, "summary.prediction"), (3, "summary.prediction.restarts"), (5, "summary.pointOfNoReturn")];

/// The place of the first value that is another. A minor version lacks the keys that a later one has
/// added, and a newer one may have more; sentences may be worded anew.
fn difference(both: [&Value; 2], theirs: u32, place: &str) -> Option<String> {
    match both {
        [Value::Object(said), Value::Object(made)] => {
            let lacking = made.keys().filter(|key| !said.contains_key(*key));
            let mut lacking = lacking.map(|key| format!("{place}.{key}"));
            let is_later =
                |at: &&str| ADDED.iter().any(|(minor, key)| key == at && *minor > theirs);
            if let Some(place) = lacking.find(|at| !is_later(&at.as_str())) {
                return Some(place);
            }
            let mut data = said.iter().filter(|(key, _)| *key != "text");
            data.find_map(|(key, said)| {
                let place = format!("{place}.{key}");
                match made.get(key) {
                    Some(made) => difference([said, made], theirs, &place),
                    None => (theirs <= PlanDocument::FORMAT.minor).then_some(place),
                }
            })
        }
        [Value::Array(said), Value::Array(made)] if said.len() == made.len() => {
            let mut pairs = said.iter().zip(made).enumerate();
            pairs.find_map(|(at, (said, made))| {
                difference([said, made], theirs, &format!("{place}[{at}]"))
            })
        }
        [said, made] => (said != made).then(|| place.to_owned()),
    }
}
