//! What can be typed behind `zkplan recover`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::formats::TextOrJson;
use crate::model::{Server, ServerId};

const EXAMPLES: &str = "\
Examples:
  zkplan recover prod.yaml --data 1=/var/lib/zookeeper
  zkplan recover prod.yaml --data 1=/mnt/zk1 --data 2=/mnt/zk2:/mnt/zk2-logs --zoo-cfg zk1.cfg
  zkplan recover prod.yaml --data 1=/mnt/zk1 --zoo-cfg zk1.cfg -o recovered/
More: zkplan explain recover";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RecoverArgs {
    /// The spec of the ensemble as it was
    #[arg(value_name = "SPEC")]
    pub(super) spec: PathBuf,

    /// The dataDir of a server that is left, with its id, and its dataLogDir where it has one; give the
    /// flag once for each server. The servers must not run. The directories are only read
    #[arg(long, value_name = "ID=DIR[:LOGDIR]", required = true, value_parser = data)]
    pub(super) data: Vec<DataArg>,

    /// The zoo.cfg of an old server. Its settings are taken over, and its members count
    #[arg(long, value_name = "FILE")]
    pub(super) zoo_cfg: Option<PathBuf>,

    /// Begin with the data of this server, although damaged files of another one go further
    #[arg(long, value_name = "ID", value_parser = id)]
    pub(super) take: Option<ServerId>,

    /// The line of the new first voter [default: the addresses of the server whose data are taken, with
    /// the next free id]
    #[arg(long, value_name = "LINE", value_parser = line)]
    pub(super) server: Option<Server>,

    /// A file with the superDigest of the super user, `user:hash`, as zkplan digest prints it
    #[arg(long, value_name = "FILE")]
    pub(super) token: Option<PathBuf>,

    /// Where zoo.cfg is on the new server [default: as for zkplan joiner]
    #[arg(long, value_name = "DIR")]
    pub(super) conf_dir: Option<String>,

    /// The dataDir of the new server [default: that of --zoo-cfg, else /var/lib/zookeeper, with -ID
    /// behind it]
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<String>,

    /// Write the files of a new first voter and a spec to this folder, which is empty or not there yet
    #[arg(short, long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// Write them without a question
    #[arg(long, requires = "out")]
    pub(super) auto_approve: bool,

    /// What to print
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
}

/// The directories of a server.
#[derive(Debug, Clone)]
pub(super) struct DataArg {
    pub(super) id: ServerId,
    pub(super) data: PathBuf,
    pub(super) logs: Option<PathBuf>,
    /// As it was typed.
    pub(super) typed: String,
}

fn data(text: &str) -> Result<DataArg, String> {
    let form = || "give ID=DIR or ID=DIR:LOGDIR".to_owned();
    let (number, paths) = text.split_once('=').ok_or_else(form)?;
    let id = id(number)?;
    // A colon may be a part of a path that is there.
    let two = paths.rsplit_once(':').filter(|_| !Path::new(paths).exists());
    let (data, logs) = two.map_or((paths, None), |(data, logs)| (data, Some(logs)));
    if data.is_empty() || logs.is_some_and(str::is_empty) {
        return Err(form());
    }
    Ok(DataArg { id, data: data.into(), logs: logs.map(PathBuf::from), typed: text.to_owned() })
}

fn id(text: &str) -> Result<ServerId, String> {
    text.parse().map(ServerId::new).map_err(|_| format!("`{text}` is no server id"))
}

fn line(text: &str) -> Result<Server, String> {
    let server = Server::parse_line(text).map_err(|error| error.to_string())?;
    if !server.id.is_valid_in_spec() {
        return Err("a new server has an id from 1 to 254".to_owned());
    }
    Ok(server)
}
