//! What can be typed behind `zkplan snapshot`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::formats::TextOrJson;
use super::values::znode_path;

const EXAMPLES: &str = "\
Examples:
  zkplan snapshot verify /var/lib/zookeeper
  zkplan snapshot verify /var/lib/zookeeper --log-dir /var/log/zookeeper-txn --format json
  zkplan snapshot inspect /var/lib/zookeeper --path /app --depth 2
More: zkplan explain snapshots";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SnapshotArgs {
    #[command(subcommand)]
    pub(super) command: SnapshotCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum SnapshotCommand {
    /// Check the snapshots and logs of a data directory: damage, gaps, and the digest of the data
    #[command(after_help = EXAMPLES)]
    Verify(VerifyArgs),
    /// Show what is in a data directory: znodes, sizes, sessions, memberships
    #[command(after_help = EXAMPLES)]
    Inspect(InspectArgs),
}

/// A data directory. It is only read: its server may run.
#[derive(Debug, Args)]
pub(super) struct DirectoryArgs {
    /// The dataDir of zoo.cfg, or version-2 in it. It is only read; its server may run
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,

    /// The dataLogDir of zoo.cfg, where it is another one
    #[arg(long, value_name = "DIR")]
    pub(super) log_dir: Option<PathBuf>,

    /// What to print
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    pub(super) of: DirectoryArgs,
}

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    #[command(flatten)]
    pub(super) of: DirectoryArgs,

    /// Show this znode and what is below it
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = znode_path)]
    pub(super) path: String,

    /// How many levels below the path have figures of their own
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) depth: usize,

    /// How many entries each list has at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) most: usize,
}

impl SnapshotCommand {
    /// The directory that it is about.
    pub(super) fn directory(&self) -> &DirectoryArgs {
        match self {
            Self::Verify(args) => &args.of,
            Self::Inspect(args) => &args.of,
        }
    }
}
