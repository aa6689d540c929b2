//! What can be typed behind `zkplan joiner`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::formats::TextOrJson;
use super::values::leader;
use crate::model::Endpoint;

const EXAMPLES: &str = "\
Examples:
  zkplan joiner prod.yaml --all -o joiners/
  zkplan joiner prod.yaml 4 5 -o joiners/ --zoo-cfg zk1.cfg --token super.token
  zkplan joiner --check /var/lib/zookeeper --leader zk1.example:2181
More: zkplan explain joiner";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("what").args(["ids", "all", "check"]).required(true))]
pub(super) struct JoinerArgs {
    /// A spec or a saved plan; with --check, the ensemble whose leader the data are compared with
    #[arg(value_name = "PLAN|SPEC", required_unless_present = "check")]
    pub(super) file: Option<PathBuf>,

    /// The servers whose files are written, by id
    #[arg(value_name = "ID", conflicts_with = "all")]
    pub(super) ids: Vec<i64>,

    /// Write the files of every server that is to join
    #[arg(long)]
    pub(super) all: bool,

    /// The folder to write to: the files of server 4 go to DIR/4. No file is overwritten
    #[arg(long, short, value_name = "DIR", required_unless_present = "check")]
    pub(super) out: Option<PathBuf>,

    /// The zoo.cfg of a running server. Its settings are taken over, and the edit is shown as a diff
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub(super) zoo_cfg: Option<PathBuf>,

    /// A file with the superDigest of the super user, `user:hash`, as zkplan digest prints it
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub(super) token: Option<PathBuf>,

    /// Where zoo.cfg is on the joiners; {id} is the server's id [default: beside the dynamic file of
    /// --zoo-cfg, else /etc/zookeeper/conf]
    #[arg(long, value_name = "DIR", conflicts_with = "check")]
    pub(super) conf_dir: Option<String>,

    /// The dataDir of the joiners; {id} is the server's id [default: that of --zoo-cfg, else
    /// /var/lib/zookeeper]
    #[arg(long, value_name = "DIR", conflicts_with = "check")]
    pub(super) data_dir: Option<String>,

    /// Check a data directory on this machine, before a server is started with it; where logs are
    /// elsewhere, give the flag a second time with dataLogDir. Changes nothing
    #[arg(long, value_name = "DIR", conflicts_with_all = ["ids", "all", "out"])]
    pub(super) check: Vec<PathBuf>,

    /// With --check: the epoch of the ensemble's leader, which is acceptedEpoch in the data directory of
    /// each of its servers
    #[arg(long, value_name = "N", requires = "check", conflicts_with_all = ["file", "leader"])]
    pub(super) leader_epoch: Option<u64>,

    /// With --check: the client address of the ensemble's leader, to see whether the data are those of
    /// this ensemble. The files are read then
    #[arg(long, value_name = "HOST[:PORT]", requires = "check", conflicts_with = "file", value_parser = leader)]
    pub(super) leader: Option<Endpoint>,

    /// With --check: what to print
    #[arg(long, value_enum, default_value_t = TextOrJson::Text, requires = "check")]
    pub(super) format: TextOrJson,
}
