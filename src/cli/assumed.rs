//! A configuration from a file, instead of from servers.

use std::path::Path;

use super::error::CommandError;
use super::output::Output;
use super::specs;
use crate::model::{ConfigParseError, EnsembleConfig};
use crate::report::error::CommandFailure;
use crate::spec::Spec;

/// The text of `/zookeeper/config` that a file holds, or the one in a folder that is named after the
/// ensemble.
pub(super) fn config(
    live: &Path,
    spec: &Spec,
    output: &Output,
) -> Result<EnsembleConfig, CommandError> {
    let is_folder = live.is_dir();
    let file = if is_folder { live.join(&spec.ensemble) } else { live.to_owned() };
    let text = specs::read_java_text(&file).inspect_err(|_| {
        if is_folder {
            output.note(&format!(
                "{} is a folder. It must have one file for each ensemble, named like the \
                 ensemble, here {}",
                live.display(),
                spec.ensemble
            ));
        }
    })?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    EnsembleConfig::parse_file(&name, &without_chatter(&text)).map_err(|error| {
        let why = format!("{}: {error}", file.display());
        let help = match error {
            ConfigParseError::ClickHouseKeeper => {
                "change a ClickHouse Keeper as its documentation describes: with `reconfig` in \
                 its client, or in its raft_configuration"
            }
            _ => "save the data of /zookeeper/config: zkCli.sh -server HOST:PORT config > FILE",
        };
        CommandError::new(CommandFailure::ConfigInvalid, why).hint(help)
    })
}

/// `zkCli.sh config` prints what its client does on stdout too.
fn without_chatter(text: &str) -> String {
    const CHATTER: [&str; 3] = ["Connecting to ", "WATCHER::", "WatchedEvent "];
    let is_data = |line: &&str| !CHATTER.iter().any(|start| line.starts_with(start));
    text.lines().filter(is_data).collect::<Vec<_>>().join("\n")
}
