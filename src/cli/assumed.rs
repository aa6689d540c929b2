//! What a file tells of an ensemble, instead of its servers.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::CommandError;
use super::output::Output;
use super::specs;
use crate::model::{ConfigParseError, EnsembleConfig, MembershipParseError, Millis, Target};
use crate::observe::Facts;
use crate::report::EarlierStatus;
use crate::report::error::CommandFailure;
use crate::spec::Spec;

/// How old a status may be where nothing else is said: one that is made each night is made again.
const MAX_AGE: Millis = Millis::from_secs(24 * 3600);

/// What a file tells of an ensemble, or the one in a folder that is named after the ensemble: the text
/// of `/zookeeper/config`, by which every server is assumed to be up, or a document of `zkplan status`.
pub(super) fn facts(
    (live, max_age): (&Path, Option<Millis>),
    (spec, target): (&Spec, &Target),
    output: &Output,
) -> Result<Facts, CommandError> {
    let (file, text) = read(live, spec, output)?;
    match EarlierStatus::read(&text) {
        Some(status) => {
            let unusable = |why: &dyn std::fmt::Display| {
                let what = format!("{}: {why}", file.display());
                CommandError::new(CommandFailure::ConfigInvalid, what).hint(AGAIN)
            };
            let status = status.map_err(|why| unusable(&why))?;
            if status.ensemble != spec.ensemble {
                return Err(unusable(&format!(
                    "a status of {}, and the spec is of {}",
                    status.ensemble, spec.ensemble
                )));
            }
            is_recent(&file, &status, max_age.unwrap_or(MAX_AGE), output)?;
            let EarlierStatus { config, identity, synced, .. } = status;
            Ok(Facts::seen_earlier(config, identity, synced, target))
        }
        None => Ok(Facts::assumed(config(&file, &text)?, target)),
    }
}

/// Makes a status that a plan can start from.
const AGAIN: &str =
    "make it anew where the servers can be reached: zkplan status SPEC --format json > FILE";

/// Says how old a status is, and refuses one that is too old or that shows an open run.
fn is_recent(
    file: &Path,
    status: &EarlierStatus,
    max_age: Millis,
    output: &Output,
) -> Result<(), CommandError> {
    let (file, at) = (file.display(), &status.at);
    let then = humantime::parse_rfc3339_weak(at).map_err(|why| {
        let what = format!("{file}: the time of the status, {at}: {why}");
        CommandError::new(CommandFailure::ConfigInvalid, what).hint(AGAIN)
    })?;
    // A clock that is ahead makes a status of now.
    let age = SystemTime::now().duration_since(then).unwrap_or_default();
    let age_text = humantime::format_duration(Duration::from_secs(age.as_secs()));
    if age > max_age.as_duration() {
        let what = format!("{file}: the status is of {at}, {age_text} ago, more than {max_age}");
        let hint = format!("{AGAIN}; or give --live-max-age");
        return Err(CommandError::new(CommandFailure::Stale, what).hint(hint));
    }
    if let Some(run) = status.open_run {
        let what = format!("{file}: run {run} was open at {at}");
        let hint = "finish it where the servers can be reached: zkplan apply SPEC";
        return Err(CommandError::new(CommandFailure::OtherRun, what).hint(hint));
    }
    output.note(&format!("{}: planned from the status of {at}, {age_text} ago", status.ensemble));
    if !status.is_journal_read {
        output.note(&format!(
            "{}: the journal could not be read then: a run may be open",
            status.ensemble
        ));
    }
    Ok(())
}

/// The file, and its text.
fn read(live: &Path, spec: &Spec, output: &Output) -> Result<(PathBuf, String), CommandError> {
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
    Ok((file, text))
}

fn config(file: &Path, text: &str) -> Result<EnsembleConfig, CommandError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    EnsembleConfig::parse_file(&name, &without_chatter(text)).map_err(|error| {
        let why = match quoted(text, &error) {
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
