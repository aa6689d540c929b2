//! Screens: values in, [`Text`] out. No file, no socket, no clock.
//!
//! Everything that a person reads goes through one sink, [`Text::to_string_with`], which lets
//! nothing but printable ASCII through, whatever stands in a live configuration, a spec or an error.
//! Sentences are made here and nowhere else; what they are made from are the typed values of
//! `observe`, `plan`, `check`, `proposal` and `status`.

mod approval;
pub mod archives;
pub mod backup;
pub mod changes;
mod clients;
pub mod commands;
mod complaints;
pub mod data_directory;
pub mod data_files;
pub mod dot;
pub mod drift;
pub mod ends;
pub mod explained_steps;
pub mod file_findings;
mod files;
mod findings;
pub mod first_quorum;
#[cfg(test)]
mod fixture;
pub mod fleet;
mod gates;
mod head;
pub mod hints;
pub mod history;
pub mod joiner_files;
mod law;
pub mod mermaid;
mod next;
mod no_return;
mod open_run;
pub mod other;
pub mod packed;
mod phrases;
pub mod plan;
mod predicted;
pub mod preflight;
mod present;
pub mod probe;
pub mod rebase;
pub mod recovery;
pub mod refusal;
pub mod rehearse;
pub mod remedies;
mod restarts;
pub mod restarts_done;
mod retired;
pub mod rollback;
pub mod run;
mod sessions;
pub mod settings;
pub mod signing_in;
pub mod snapshot_diff;
mod start;
pub mod status;
mod status_rows;
pub mod steps;
pub mod summary;
pub mod super_digest;
mod table;
pub mod text;
pub mod trust;
pub mod uncounted;
pub mod unreachable;
mod waits;
mod why;

pub use approval::{beyond_approval, unexpected_plan};
pub use complaints::complaints;
pub use findings::finding as words_for_finding;
pub use no_return::words as words_for_no_return;
pub use open_run::progress as words_for_progress;
pub use phrases::{
    AS_FAR_AS_SEEN, acceptance as words_for_acceptance, count_of as words_for_count,
    folder_not_proven as not_proven, list as words_in_a_row, servers as words_for_servers,
    shell as words_for_shell,
};
pub use predicted::below as words_for_prediction;
pub use table::{Align, Column, Table};
pub use text::{Line, Style, Text, escape};
pub use why::{
    edge_phrase as words_for_edge, phrase_in as words_for_reason, step as words_for_step,
};
