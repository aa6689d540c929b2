//! The plan file: a checked plan as canonical JSON, and back.
//!
//! Out: text that a person can read and a repository can keep, with nothing secret in it. In: text
//! that is believed in nothing: its digest must fit, its plan id must follow from its content, its
//! steps must keep the laws on the facts that it was made from. Reading is the same [`check`] that
//! made the plan, so an edited file cannot become a plan that was never checked.

mod file;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use self::file::PlanFile;
use crate::check::{Breach, CheckedPlan, check};
use crate::document::canonical;
use crate::plan::Plan;

/// What the `format` key says.
const FORMAT: &str = "zkplan/plan";

/// The version that is written: a minor one adds keys, a major one is rejected by older readers.
const FORMAT_VERSION: (u32, u32) = (1, 5);

/// A plan file larger than this is not read; 255 servers need less than a tenth of it.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The text of a plan file.
pub fn write(checked: &CheckedPlan) -> String {
    canonical(&document(checked), true) + "\n"
}

/// The content of a plan file.
pub fn document(checked: &CheckedPlan) -> Value {
    let plan = checked.plan();
    let (major, minor) = FORMAT_VERSION;
    let file = PlanFile::of(checked, plan_id(plan), format!("{major}.{minor}"));
    let mut document = serde_json::to_value(file).unwrap_or(Value::Null);
    let digest = sha256(&canonical(&document, false));
    if let Value::Object(map) = &mut document {
        map.insert("digest".to_owned(), Value::String(digest));
    }
    document
}

/// The identity of a plan: a digest of what it means.
///
/// It covers the identity of the ensemble, base and target membership, the groups of steps with
/// their rules, accepted risks, policy and hooks. It leaves out versions, leader, liveness, figures,
/// time and lines, so that an approval survives whatever does not change the meaning.
pub fn plan_id(plan: &Plan) -> String {
    let meaning = file::meaning(plan);
    format!("sha256:{}", sha256(&canonical(&meaning, false)))
}

fn sha256(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('?'));
        }
    }
    hex
}

/// Reads a plan file and checks the plan in it.
pub fn read(text: &str) -> Result<CheckedPlan, ReadError> {
    if text.len() > MAX_BYTES {
        return Err(ReadError::TooLarge);
    }
    let document: Value = serde_json::from_str(text).map_err(|cause| {
        if cause.is_eof() && text.trim_start().starts_with('{') {
            ReadError::CutOff
        } else {
            ReadError::NoJson(cause.to_string())
        }
    })?;
    let Value::Object(mut map) = document else { return Err(ReadError::NoPlan) };
    if map.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(ReadError::NoPlan);
    }
    let version = map.get("format_version").and_then(Value::as_str).unwrap_or_default().to_owned();
    let major = version.split_once('.').and_then(|(major, _)| major.parse::<u32>().ok());
    match major {
        Some(major) if major == FORMAT_VERSION.0 => {}
        Some(major) if major > FORMAT_VERSION.0 => return Err(ReadError::Newer(version)),
        _ => return Err(ReadError::Malformed(format!("format version `{version}`"))),
    }
    let digest = map.remove("digest");
    let whole = Value::Object(map);
    if digest.as_ref().and_then(Value::as_str) != Some(sha256(&canonical(&whole, false)).as_str()) {
        return Err(ReadError::Edited);
    }
    let file: PlanFile =
        serde_json::from_value(whole).map_err(|cause| ReadError::Malformed(cause.to_string()))?;
    let claimed = file.plan_id.clone();
    let plan = file.into_plan().map_err(ReadError::Malformed)?;
    let made = plan_id(&plan);
    if claimed != made {
        return Err(ReadError::OtherId { claimed, made });
    }
    let facts = plan.facts.clone();
    check(plan, &facts).map_err(ReadError::Unlawful)
}

/// The JSON Schema of a plan file.
pub fn schema() -> Value {
    let generator = schemars::generate::SchemaSettings::draft07().into_generator();
    let schema = generator.into_root_schema_for::<PlanFile>();
    schema.to_value()
}

/// Why a file is no plan that can be trusted.
#[derive(Debug, Clone, Error)]
pub enum ReadError {
    /// It is far larger than any plan.
    #[error("the file is too large to be a plan")]
    TooLarge,
    /// It ends in the middle.
    #[error("the saved plan is incomplete: the file ends in the middle of it")]
    CutOff,
    /// It is no JSON.
    #[error("the file is not a saved plan: it is not JSON ({0})")]
    NoJson(String),
    /// It is JSON, but no plan.
    #[error("the file is not a zkplan plan")]
    NoPlan,
    /// A newer zkplan wrote it.
    #[error("the plan has format version {0}, which this version of zkplan cannot read")]
    Newer(String),
    /// Its digest does not fit its content.
    #[error("the file was changed after zkplan wrote it: its digest does not match")]
    Edited,
    /// A part of it cannot be read.
    #[error("the plan cannot be read: {0}")]
    Malformed(String),
    /// Its plan id does not follow from its content.
    #[error("the plan has the id {claimed}, but its content has {made}")]
    OtherId {
        /// What it says.
        claimed: String,
        /// What follows from it.
        made: String,
    },
    /// Its steps break the laws.
    #[error("the plan breaks a safety rule")]
    Unlawful(Vec<Breach>),
}
