//! What commands can print.

use clap::ValueEnum;

/// What most commands can print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TextOrJson {
    /// For people
    Text,
    /// For machines
    Json,
}

/// What can be printed of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// The plan, the refusal or the error
    Json,
    /// The same as a comment for a pull request
    Markdown,
    /// A graph for Mermaid
    Mermaid,
    /// A graph for Graphviz
    Dot,
}
