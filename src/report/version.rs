//! `zkplan/version`: the version, and the commit that the binary was built from.

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::{Document, Format};

/// The version of a binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionDocument {
    /// The version of the release.
    pub version: String,
    /// The hash of the commit, in full; `null` where the build knew none.
    pub commit: Option<String>,
    /// When the commit was made (ISO 8601); `null` where the build did not know.
    pub commit_date: Option<String>,
    /// Whether the sources held changes that are in no commit; `null` where the commit is not known.
    pub modified: Option<bool>,
    /// The same for people.
    pub text: String,
}

impl Document for VersionDocument {
    const FORMAT: Format = Format { name: "version", major: 1, minor: 0 };
}
