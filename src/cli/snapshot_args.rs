//! What can be typed behind `zkplan snapshot`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::formats::TextOrJson;
use super::values::znode_path;

const EXAMPLES: &str = "\
Examples:
  zkplan snapshot verify /var/lib/zookeeper
  zkplan snapshot verify /var/lib/zookeeper --log-dir /var/log/zookeeper-txn --format json
  zkplan snapshot inspect data.tar.gz --path /app --depth 2
  zkplan snapshot inspect --diff old.tar.gz /var/lib/zookeeper
  zkplan snapshot pack --zoo-cfg /etc/zookeeper/conf/zoo.cfg -o data.tar.gz
  zkplan snapshot unpack data.tar.gz -o /var/lib/zookeeper
More: zkplan explain snapshots";

const PACK_EXAMPLES: &str = "\
Examples:
  zkplan snapshot pack --zoo-cfg /etc/zookeeper/conf/zoo.cfg -o data.tar.gz
  zkplan snapshot pack /var/lib/zookeeper -n 2 -o data.tar
  zkplan snapshot pack /var/lib/zookeeper -o - | ssh zk4 zkplan snapshot unpack - -o /var/lib/zookeeper
More: zkplan explain snapshots";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SnapshotArgs {
    #[command(subcommand)]
    pub(super) command: SnapshotCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum SnapshotCommand {
    /// Check the snapshots and logs of a directory or an archive: damage, gaps, the digest of the data
    #[command(after_help = EXAMPLES)]
    Verify(VerifyArgs),
    /// Show what is in a data directory or an archive: znodes, sizes, sessions, memberships
    #[command(after_help = EXAMPLES)]
    Inspect(InspectArgs),
    /// Pack the newest snapshot of a server and the logs that make it whole; the server may run
    #[command(after_help = PACK_EXAMPLES)]
    Pack(PackArgs),
    /// Unpack an archive into an empty data directory, and verify what is there then
    #[command(after_help = PACK_EXAMPLES)]
    Unpack(UnpackArgs),
}

/// How a data directory or an archive is read and shown.
#[derive(Debug, Args)]
pub(super) struct DirectoryArgs {
    /// The dataLogDir of zoo.cfg, where it is another one
    #[arg(long, value_name = "DIR")]
    pub(super) log_dir: Option<PathBuf>,

    /// What to print
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The dataDir of zoo.cfg, version-2 in it, or an archive. It is only read; a server may run
    #[arg(value_name = "DIR|ARCHIVE")]
    pub(super) directory: PathBuf,

    #[command(flatten)]
    pub(super) of: DirectoryArgs,
}

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The dataDir of zoo.cfg, version-2 in it, or an archive. It is only read; a server may run
    #[arg(value_name = "DIR|ARCHIVE", required_unless_present = "diff")]
    pub(super) directory: Option<PathBuf>,

    #[command(flatten)]
    pub(super) of: DirectoryArgs,

    /// Show which znodes and sessions differ between two directories, snapshots or archives
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["directory", "log_dir"])]
    pub(super) diff: Vec<PathBuf>,

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

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Compress {
    /// As the name of the file says, and not at all where that saves less than a tenth
    Auto,
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
    /// Not at all
    None,
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("from").required(true).args(["directory", "zoo_cfg"]))]
pub(super) struct PackArgs {
    /// The dataDir of zoo.cfg. It is only read; its server may run
    #[arg(value_name = "DIR")]
    pub(super) directory: Option<PathBuf>,

    /// The dataLogDir of zoo.cfg, where it is another one
    #[arg(long, value_name = "DIR", conflicts_with = "zoo_cfg")]
    pub(super) log_dir: Option<PathBuf>,

    /// Take dataDir and dataLogDir from this zoo.cfg
    #[arg(long, value_name = "FILE")]
    pub(super) zoo_cfg: Option<PathBuf>,

    /// How many snapshots to pack, the newest first, with the logs from the oldest of them on
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub(super) snapshots: usize,

    /// The archive to write; - for stdout
    #[arg(short, long, value_name = "FILE")]
    pub(super) out: PathBuf,

    /// How to compress it
    #[arg(long, value_enum, default_value_t = Compress::Auto)]
    pub(super) compress: Compress,

    /// Pack acceptedEpoch and currentEpoch, too: for a copy of this server, not for a new one
    #[arg(long)]
    pub(super) with_epochs: bool,

    /// Pack files that cannot be proven to be whole, as those of 3.5
    #[arg(long)]
    pub(super) accept_not_provable: bool,

    /// What to print
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
}

#[derive(Debug, Clone, Args)]
pub(super) struct UnpackArgs {
    /// The archive; - for stdin
    #[arg(value_name = "ARCHIVE")]
    pub(super) archive: PathBuf,

    /// The dataDir to fill: empty (myid may be there), or not there yet
    #[arg(short, long, value_name = "DIR")]
    pub(super) out: PathBuf,

    /// Store snapshots without compression, for a server of 3.5
    #[arg(long)]
    pub(super) plain: bool,

    /// Unpack files that cannot be proven to be whole, as those of 3.5
    #[arg(long)]
    pub(super) accept_not_provable: bool,

    /// What to print
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a number from 1 on".to_owned()),
        Ok(count) => Ok(count),
    }
}

impl SnapshotCommand {
    /// What it prints.
    pub(super) fn format(&self) -> TextOrJson {
        match self {
            Self::Verify(args) => args.of.format,
            Self::Inspect(args) => args.of.format,
            Self::Pack(args) => args.format,
            Self::Unpack(args) => args.format,
        }
    }
}
