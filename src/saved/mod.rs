//! The plan as it is kept: a checked plan as canonical JSON, and back.
//!
//! Out: text that the journal keeps, with nothing secret in it; the plan file (`report`) is the same
//! with what follows from it. In: text that is believed in nothing: its digest must fit, its plan id
//! must follow from its content, its steps must keep the safety rules on the facts that it was made from.
//! Reading is the same [`check`] that made the plan, so an edited file cannot become a plan that was
//! never checked.

mod digest;
mod file;
mod former;
pub mod signature;

use serde_json::{Map, Value};
use thiserror::Error;

use self::digest::DIGEST;
pub use self::digest::digest;
pub use self::file::{KeptPlan, plan_id};
use crate::check::{Breach, CheckedPlan, check};
use crate::document::{Format, canonical, headed};

/// The format of plan files and of the plans that the journal keeps.
pub const FORMAT: Format = Format { name: "plan", major: 2, minor: 6 };

/// A plan file larger than this is not read; a move of 127 servers needs a quarter of it.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The text of a plan as the journal keeps it.
pub fn write(checked: &CheckedPlan) -> String {
    let mut document = headed(FORMAT, &KeptPlan::of(checked));
    let digest = digest(&document);
    if let Value::Object(map) = &mut document {
        map.insert(DIGEST.to_owned(), Value::String(digest));
    }
    canonical(&document, true) + "\n"
}

/// Reads a plan and checks it. What a plan file has beside it is not read.
///
/// # Errors
///
/// Why it is no plan that can be trusted.
pub fn read(text: &str) -> Result<CheckedPlan, ReadError> {
    let document = parsed(text)?;
    match version(&document) {
        (_, Some(major)) if major == FORMAT.major => checked(document),
        (version, Some(former::MAJOR)) => Err(ReadError::Former(version)),
        (version, Some(major)) if major > FORMAT.major => Err(ReadError::Newer(version)),
        (version, _) => Err(ReadError::Malformed(format!("format version `{version}`"))),
    }
}

/// The same of a plan that the journal keeps, where a former zkplan may have written it: its run can
/// then be finished, and the servers that it retired are known.
///
/// # Errors
///
/// Why it is no plan that can be trusted.
pub fn read_kept(text: &str) -> Result<CheckedPlan, ReadError> {
    let document = parsed(text)?;
    match version(&document) {
        (_, Some(former::MAJOR)) => {
            let is_whole = is_whole(&document);
            checked_as(former::renewed(document), is_whole)
        }
        _ => read(text),
    }
}

fn parsed(text: &str) -> Result<Map<String, Value>, ReadError> {
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
    let is_plan = document["format"].as_str() == Some(&FORMAT.key());
    match document {
        Value::Object(map) if is_plan => Ok(map),
        _ => Err(ReadError::NoPlan),
    }
}

/// What a document says of its format version, and the major one of it.
fn version(document: &Map<String, Value>) -> (String, Option<u32>) {
    let version = document.get("formatVersion").or_else(|| document.get(former::VERSION_KEY));
    let version = version.and_then(Value::as_str).unwrap_or_default();
    let major = version.split_once('.').and_then(|(major, _)| major.parse().ok());
    (version.to_owned(), major)
}

/// Whether the digest of a document fits it.
fn is_whole(document: &Map<String, Value>) -> bool {
    let claimed = document.get(DIGEST).and_then(Value::as_str);
    claimed == Some(&digest(&Value::Object(document.clone())))
}

fn checked(document: Map<String, Value>) -> Result<CheckedPlan, ReadError> {
    let is_whole = is_whole(&document);
    checked_as(document, is_whole)
}

fn checked_as(document: Map<String, Value>, is_whole: bool) -> Result<CheckedPlan, ReadError> {
    if !is_whole {
        return Err(ReadError::Edited);
    }
    let kept: KeptPlan = serde_json::from_value(Value::Object(document))
        .map_err(|cause| ReadError::Malformed(cause.to_string()))?;
    let claimed = kept.plan_id.clone();
    let plan = kept.into_plan().map_err(ReadError::Malformed)?;
    let made = plan_id(&plan);
    if claimed != made {
        return Err(ReadError::OtherId { claimed, made });
    }
    let facts = plan.facts.clone();
    check(plan, &facts).map_err(ReadError::BreaksRules)
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
    /// A former zkplan wrote it.
    #[error("the plan has format version {0}, of an older zkplan")]
    Former(String),
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
    /// What it says beside the plan does not follow from the plan.
    #[error("the file was changed after zkplan wrote it: `{0}` does not follow from its steps")]
    NotDerived(String),
    /// Its steps break safety rules.
    #[error("the plan breaks a safety rule")]
    BreaksRules(Vec<Breach>),
}
