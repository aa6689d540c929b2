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

/// What can be printed of a plan that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// The plan, the refusal or the error
    Json,
    /// The same as a comment for a pull request
    Markdown,
    /// The same as a page, complete in itself: with pictures of the steps and of single failures
    Html,
    /// Annotations for GitHub Actions; also the step summary and the outputs `verdict`, `changes`,
    /// `plan_id` and `exit`
    Github,
    /// A test report with a case for each spec
    Junit,
    /// A graph for Mermaid
    Mermaid,
    /// A graph for Graphviz
    Dot,
}

/// What can be printed of a saved plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ShowFormat {
    /// For people
    Text,
    /// The plan or the error
    Json,
    /// The same as a comment for a pull request
    Markdown,
    /// The same as a page, complete in itself: with pictures of the steps and of single failures
    Html,
    /// A graph for Mermaid
    Mermaid,
    /// A graph for Graphviz
    Dot,
}

/// What can be printed of how ensembles differ from their specs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DriftFormat {
    /// For people
    Text,
    /// What differs, or the error
    Json,
    /// The same as a comment or an issue of a forge
    Markdown,
    /// The same as a page
    Html,
    /// Annotations for GitHub Actions; also the step summary and the outputs `verdict`, `changes` (how
    /// many things differ) and `exit`
    Github,
    /// A test report with a case for each spec; drift is a failure
    Junit,
}

/// What can be printed of whether specs are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ValidateFormat {
    /// For people
    Text,
    /// Nothing if all are valid, else a zkplan/error with every place
    Json,
    /// Annotations for GitHub Actions; also the step summary and the outputs `verdict` and `exit`
    Github,
    /// A test report with a case for each spec
    Junit,
}

/// What can be printed of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum HistoryFormat {
    /// For people
    Text,
    /// For machines
    Json,
    /// The record of a run to keep: steps, approvals, clients that were passed, all entries
    Markdown,
}
