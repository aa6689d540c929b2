//! A configuration from a file, instead of from servers.

use std::path::Path;

use super::error::CommandError;
use super::output::Output;
use super::specs;
use crate::model::{ConfigParseError, EnsembleConfig, MembershipParseError};
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
        let why = match quoted(&text, &error) {
            Some((number, error)) => format!("{}:{number}: {error}", file.display()),
            None => format!("{}: {error}", file.display()),
        };
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

/// The line that cannot be read, with its number and as it stands in the file.
fn quoted(text: &str, error: &ConfigParseError) -> Option<(usize, ConfigParseError)> {
    let is_it = |line: &str| EnsembleConfig::parse(line).is_err_and(|of| of == *error);
    let (number, line) = text.lines().enumerate().find(|(_, line)| is_data(line) && is_it(line))?;
    let line = line.trim().to_owned();
    let error = match error {
        ConfigParseError::Membership(MembershipParseError::Line(_)) => {
            MembershipParseError::Line(line)
        }
        ConfigParseError::Membership(MembershipParseError::Server { cause, .. }) => {
            MembershipParseError::Server { line, cause: cause.clone() }
        }
        _ => return None,
    };
    Some((number + 1, error.into()))
}

/// `zkCli.sh config` prints what its client does on stdout too.
fn without_chatter(text: &str) -> String {
    text.lines().filter(|line| is_data(line)).collect::<Vec<_>>().join("\n")
}

/// Whether a line is not one that `zkCli.sh` and its libraries print beside the data. The log goes
/// to stdout by default, each line behind its time.
fn is_data(line: &str) -> bool {
    const CHATTER: [&str; 7] = [
        "Connecting to ",
        "WATCHER::",
        "WatchedEvent ",
        "Welcome to ZooKeeper!",
        "JLine support is ",
        "SLF4J",
        "log4j:",
    ];
    let is_log = {
        let like = |(c, form): (u8, u8)| if form == b'0' { c.is_ascii_digit() } else { c == form };
        let time = b"0000-00-00 00:00:00";
        line.len() > time.len() && line.bytes().zip(time.iter().copied()).all(like)
    };
    !is_log && !CHATTER.iter().any(|start| line.starts_with(start))
}
