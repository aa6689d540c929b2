//! `zkplan --version`: the version, and the commit that the binary was built from.

use clap::{Parser, ValueEnum};

use super::args::Color;
use super::exit::Exit;
use super::output::Output;
use crate::document::Document as _;
use crate::report::VersionDocument;

/// The commit that a binary was built from, as far as its build knew one.
///
/// A build for tests names none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Build {
    /// The hash of the commit, in full.
    pub commit: Option<&'static str>,
    /// When the commit was made (ISO 8601).
    pub date: Option<&'static str>,
    /// Whether the sources held changes that are in no commit.
    pub is_modified: bool,
}

/// How many digits of a commit are shown to people.
const SHORT: usize = 10;

/// What can be typed with `--version`.
#[derive(Debug, Parser)]
#[command(name = "zkplan", disable_version_flag = true)]
pub(super) struct VersionArgs {
    /// Print the version
    #[arg(short = 'V', long, required = true)]
    version: bool,

    /// How it is printed
    #[arg(long, value_enum, default_value_t = VersionFormat::Text)]
    format: VersionFormat,

    /// When to use colour
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VersionFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Prints the version.
pub(super) fn run(args: &VersionArgs, build: Build) -> Exit {
    let shown = match args.format {
        VersionFormat::Text => text(build) + "\n",
        VersionFormat::Json => document(build).to_text(),
    };
    Output::new(args.color).raw(&shown, Exit::Done)
}

/// `zkplan 0.2.0 (7f3a91c2b1 2026-11-28)`, as rustc and cargo write it.
fn text(build: Build) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let Some(commit) = build.commit else { return format!("zkplan {version}") };
    let mut text = format!("zkplan {version} ({}", commit.get(..SHORT).unwrap_or(commit));
    if let Some((day, _)) = build.date.and_then(|date| date.split_once('T')) {
        text = text + " " + day;
    }
    text + if build.is_modified { ", modified)" } else { ")" }
}

fn document(build: Build) -> VersionDocument {
    VersionDocument {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: build.commit.map(ToOwned::to_owned),
        commit_date: build.date.map(ToOwned::to_owned),
        modified: build.commit.map(|_| build.is_modified),
        text: text(build),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "7f3a91c2b1d0e4f5a6b7c8d9e0f1a2b3c4d5e6f7";

    #[test]
    fn the_version_names_commit_and_day_where_the_build_knew_them() {
        let version = env!("CARGO_PKG_VERSION");
        let plain = Build::default();
        let packaged = Build { commit: Some(COMMIT), ..plain };
        let known = Build { date: Some("2026-11-28T23:01:36+00:00"), ..packaged };
        let modified = Build { is_modified: true, ..known };
        assert_eq!(text(plain), format!("zkplan {version}"));
        assert_eq!(text(packaged), format!("zkplan {version} (7f3a91c2b1)"));
        assert_eq!(text(known), format!("zkplan {version} (7f3a91c2b1 2026-11-28)"));
        assert_eq!(text(modified), format!("zkplan {version} (7f3a91c2b1 2026-11-28, modified)"));
    }

    #[test]
    fn the_document_holds_what_is_known_and_null_for_the_rest() {
        let plain = document(Build::default()).to_value();
        for key in ["commit", "commitDate", "modified"] {
            assert!(plain[key].is_null(), "{plain}");
        }
        let known = document(Build { commit: Some(COMMIT), ..Build::default() }).to_value();
        assert_eq!(known["commit"], COMMIT);
        assert_eq!(known["modified"], false);
    }
}
