//! What machines read, as values: one serde type for each document, and a schema for each.
//!
//! A value here holds data, and beside them `text` for people. It knows no stream and no width. `cli`
//! fills and prints it.

pub mod error;
pub mod events;
pub mod history;
pub mod rehearsal;
pub mod run;
pub mod waits;

use serde_json::Value;

use crate::document::Document as _;

/// Makes the schema of a document.
pub type MakeSchema = fn() -> Value;

/// The schema of every document, by the name in its `format` key.
pub const SCHEMAS: &[(&str, MakeSchema)] = &[
    ("error", error::ErrorDocument::schema),
    ("events", events::EventLine::schema),
    ("run", run::RunDocument::schema),
    ("history", history::HistoryDocument::schema),
    ("rehearsal", rehearsal::RehearsalDocument::schema),
];
