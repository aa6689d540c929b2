//! What commands print for programs: one document each, as data, and beside it `text` for people.
//!
//! In: the values that screens show. Out: [`document::Document`](crate::document::Document)s. Nothing
//! here decides, and nothing knows of streams, widths and colours; sentences come from `render`, so
//! that a document and a screen say the same. What does not apply is `null`; what is a list is there,
//! even where it is empty.

mod breach;
mod changes;
pub mod clients;
pub mod data_directory;
pub mod data_files;
mod details;
pub mod drift;
mod earlier_status;
pub mod error;
pub mod events;
mod figures;
mod findings;
pub mod first_quorum;
mod fleet;
pub mod history;
mod no_return;
mod plan_document;
pub mod preflight;
pub mod rebase;
pub mod recovery;
mod refusal_document;
pub mod rehearsal;
mod remedy;
pub mod rollback;
pub mod run;
pub mod snapshot_diff;
pub mod status;
mod steps;
mod unproven;
mod version;
pub mod waits;

use serde_json::Value;

pub use breach::BreachEntry;
pub use changes::{AddressEntry, ChangeAction, ChangeEntry, ServerEntry};
pub use details::BreachDetails;
pub use earlier_status::{EarlierStatus, NotPlannable};
pub use figures::{PlanFigures, VoteFigures, ZoneFigures};
pub use findings::{FindingEntry, FindingsPart, Severity};
pub use fleet::{FleetCommand, FleetDocument, FleetMember, FleetSummary};
pub use no_return::{NoReturnEntry, NoReturnWord};
pub use plan_document::{PlanDocument, PlanSummary, ZoneWindow, read_plan};
pub use refusal_document::RefusalDocument;
pub use remedy::{RemedyChange, RemedyEntry};
pub use steps::{StepAction, StepChange, StepEntry};
pub use unproven::{UnprovenDocument, UnprovenNode};
pub use version::VersionDocument;

use crate::document::Document as _;
use crate::snapshot::ArchiveManifest;
use crate::spec;

/// Makes a JSON Schema.
pub type MakeSchema = fn() -> Value;

/// The schema of everything that has one, by the name that `zkplan schema` takes.
pub const SCHEMAS: &[(&str, MakeSchema)] = &[
    ("spec", spec::schema),
    ("plan", PlanDocument::schema),
    ("refusal", RefusalDocument::schema),
    ("findings", FindingsPart::schema),
    ("first-quorum", first_quorum::FirstQuorumDocument::schema),
    ("data-directory", data_directory::DirectoryDocument::schema),
    ("snapshot", data_files::SnapshotDocument::schema),
    ("snapshot-diff", snapshot_diff::SnapshotDiffDocument::schema),
    ("snapshot-archive", ArchiveManifest::schema),
    ("recover", recovery::RecoverDocument::schema),
    ("fleet", FleetDocument::schema),
    ("error", error::ErrorDocument::schema),
    ("events", events::EventLine::schema),
    ("run", run::RunDocument::schema),
    ("history", history::HistoryDocument::schema),
    ("preflight", preflight::PreflightDocument::schema),
    ("rehearsal", rehearsal::RehearsalDocument::schema),
    ("status", status::StatusDocument::schema),
    ("drift", drift::DriftDocument::schema),
    ("rebase", rebase::RebaseDocument::schema),
    ("rollback", rollback::RollbackDocument::schema),
    ("unproven", UnprovenDocument::schema),
    ("version", VersionDocument::schema),
];
