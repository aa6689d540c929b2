//! What a file is meant to be, by its text: a spec, a saved plan, or another document of zkplan's.

use super::error::CommandError;
use crate::render::words_for_shell;
use crate::report::error::CommandFailure;

/// What a text is meant to be, whole or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A saved plan.
    Plan,
    /// Another document that zkplan prints, by its format.
    Other(String),
    /// A spec, or nothing of zkplan's.
    Spec,
}

/// What a text is meant to be. A saved plan is JSON whose keys stand in canonical order, `accepted`
/// first, so that one that was cut off is known by its beginning.
pub(super) fn kind(text: &str) -> Kind {
    let Some(inside) = text.trim_start().strip_prefix('{') else { return Kind::Spec };
    // A spec may be JSON too, for JSON is YAML.
    if text.contains("\"apiVersion\"") {
        return Kind::Spec;
    }
    let format = inside.split("\"format\"").nth(1).and_then(|rest| rest.split('"').nth(1));
    let has_id = ["\"planId\"", "\"plan_id\""].iter().any(|key| text.contains(key));
    let plan = inside.trim_start().starts_with("\"accepted\"") || has_id;
    match format.filter(|format| format.starts_with("zkplan/")) {
        Some("zkplan/plan") => Kind::Plan,
        Some(other) => Kind::Other(other.to_owned()),
        None if plan => Kind::Plan,
        None => Kind::Spec,
    }
}

/// A spec was wanted and this is none; `None` where it may be one.
pub(super) fn not_a_spec(path: &str, text: &str) -> Option<CommandError> {
    let shell = words_for_shell(path);
    let (why, help) = match kind(text) {
        Kind::Spec => return None,
        Kind::Plan => (
            format!("{path} is a saved plan, not a spec"),
            format!("zkplan show {shell} shows it, zkplan apply {shell} applies it"),
        ),
        Kind::Other(format) => (
            format!("{path} is a zkplan document ({format}), not a spec"),
            "give a spec".to_owned(),
        ),
    };
    Some(CommandError::new(CommandFailure::FileNotUsable, why).hint(help))
}
