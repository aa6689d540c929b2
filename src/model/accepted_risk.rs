//! Risks that can be accepted by name, and those that a spec accepts until a day.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::day::Day;

/// Safety rules of which a breach can be accepted, at one step.
const AT_A_STEP: [&str; 2] = ["ZKQ2", "ZKQ10"];

/// Findings for which no plan is made until they are accepted.
const FINDINGS: [&str; 6] = ["ZKF1", "ZKF2", "ZKF5", "ZKF13", "ZKF20", "ZKF24"];

/// How many safety rules there are.
const RULES: u32 = 15;

/// How many findings there are.
const ALL_FINDINGS: u32 = 28;

/// A risk that a spec accepts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedRisk {
    /// The code of the safety rule or finding.
    pub code: String,
    /// The step, if the code is that of a safety rule; else `null`.
    pub step: Option<String>,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is, in UTC.
    pub until: Day,
}

/// Splits `CODE` or `CODE:STEP`.
///
/// # Errors
///
/// Why that cannot be accepted, and what can.
pub fn risk_of(text: &str) -> Result<(String, Option<String>), String> {
    let (code, step) = match text.split_once(':') {
        Some((code, step)) => (code.to_ascii_uppercase(), Some(step.to_owned())),
        None => (text.to_ascii_uppercase(), None),
    };
    let number = |prefix: &str, last: u32| {
        let digits = code.strip_prefix(prefix)?;
        let number: u32 = digits.parse().ok().filter(|_| !digits.starts_with(['0', '+']))?;
        (number <= last).then_some(number)
    };
    let is_rule = number("ZKQ", RULES).is_some() || number("ZKU", 2).is_some();
    match (&*code, &step) {
        (known, None) if AT_A_STEP.contains(&known) => {
            Err(format!("{code} is accepted for one step, like {code}:join-2"))
        }
        (known, Some(step)) if AT_A_STEP.contains(&known) && step.is_empty() => {
            Err(format!("{code} is accepted for one step, like {code}:join-2"))
        }
        (known, Some(_)) if AT_A_STEP.contains(&known) => Ok((code, step)),
        (_, _) if is_rule => Err(format!("{code} cannot be accepted; see `zkplan explain {code}`")),
        (known, Some(_)) if FINDINGS.contains(&known) => {
            Err(format!("{code} is accepted without a step: {code}"))
        }
        (known, None) if FINDINGS.contains(&known) => Ok((code, step)),
        (_, _) if number("ZKF", ALL_FINDINGS).is_some() => {
            Err(format!("{code} blocks no plan: it needs no acceptance"))
        }
        (_, _) => Err(format!("`{code}` is not a code of a rule or finding; see `zkplan explain`")),
    }
}

/// The codes that can be accepted: those of rules, each at a step, then those of findings.
pub fn acceptable_codes() -> impl Iterator<Item = &'static str> {
    AT_A_STEP.into_iter().chain(FINDINGS)
}
