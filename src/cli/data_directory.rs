//! `zkplan joiner --check`: what a data directory on this machine is.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::error::CommandError;
use super::exit::Exit;
use super::formats::TextOrJson;
use super::joiner_args::JoinerArgs;
use super::live;
use super::output::Output;
use super::source::Source;
use crate::document::Document as _;
use crate::joiner::{DataDirectory, DirectoryListing, DirectoryState, judge_epoch};
use crate::render::data_directory::{DirectoryScreen, screen};
use crate::report::data_directory::DirectoryDocument;
use crate::report::error::CommandFailure;

/// The folder that ZooKeeper makes in `dataDir` and in `dataLogDir` (`FileTxnSnapLog.version`).
pub(super) const VERSION: &str = "version-2";

/// What is read of a small file, in bytes.
const LONGEST: usize = 64;

/// Says what the directories are. A used one exits as unsafe: a server that starts with the data of
/// another ensemble may keep them beneath what it copies.
pub(super) fn check(args: &JoinerArgs, output: &Output) -> Result<Exit, CommandError> {
    let directories: Vec<PathBuf> = args.check.iter().map(|path| data_dir(path)).collect();
    if directories.len() > 2 {
        let what = "--check takes dataDir and, where it is another one, dataLogDir";
        return Err(CommandError::new(CommandFailure::Usage, what));
    }
    let mut listing = DirectoryListing::default();
    for directory in &directories {
        read(directory, &mut listing).map_err(|error| unreadable(directory, &error))?;
    }
    let directory = DataDirectory::of(&listing);
    let leader_epoch = match &args.file {
        Some(file) => live::block_on(live_epoch(file, output))??,
        None => args.leader_epoch,
    };
    let paths: Vec<String> = directories.iter().map(|path| path.display().to_string()).collect();
    let of = DirectoryScreen {
        paths: &paths,
        directory: &directory,
        leader_epoch,
        epoch: judge_epoch(&directory, leader_epoch),
        width: output.width,
    };
    let exit = match directory.state {
        DirectoryState::Blank => Exit::Done,
        DirectoryState::Used => Exit::Unsafe,
    };
    Ok(match args.format {
        TextOrJson::Text => output.screen(&screen(&of), exit),
        TextOrJson::Json => output.raw(&DirectoryDocument::of(&of, exit.code()).to_text(), exit),
    })
}

/// The epoch in which the ensemble of a file is led now.
async fn live_epoch(file: &Path, output: &Output) -> Result<Option<u64>, CommandError> {
    let source = Source::read(file, output)?;
    let target = source.target();
    let port = live::servers(&target, &source.named())?;
    let seen = live::look(&port, &target, output).await?;
    Ok(seen.leader_reached().map(crate::model::Zxid::epoch))
}

/// The directory itself, where `version-2` in it was given.
fn data_dir(path: &Path) -> PathBuf {
    let is_inside = path.file_name().is_some_and(|name| name == VERSION);
    match path.parent().filter(|_| is_inside) {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}

fn read(directory: &Path, into: &mut DirectoryListing) -> io::Result<()> {
    // A directory that is not there is no blank one: the path may be wrong.
    fs::read_dir(directory)?;
    let version = directory.join(VERSION);
    let names = match fs::read_dir(&version) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<BTreeSet<String>>>()?,
        Err(error) if error.kind() == ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => return Err(error),
    };
    into.files.extend(names);
    let keep = |known: &mut Option<String>, path: PathBuf| -> io::Result<()> {
        if let Some(text) = small(&path)? {
            known.get_or_insert(text);
        }
        Ok(())
    };
    keep(&mut into.my_id, directory.join("myid"))?;
    keep(&mut into.accepted_epoch, version.join("acceptedEpoch"))?;
    keep(&mut into.current_epoch, version.join("currentEpoch"))
}

/// The text of a small file that may be missing.
pub(super) fn small(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => {
            let bytes = bytes.get(..LONGEST).unwrap_or(&bytes);
            Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn unreadable(directory: &Path, error: &io::Error) -> CommandError {
    let hint = match error.kind() {
        ErrorKind::NotFound => {
            "check the path. A directory that does not exist yet is blank: install.sh makes it"
        }
        ErrorKind::PermissionDenied => "run it as the user that runs ZooKeeper, or as root",
        ErrorKind::NotADirectory => "give dataDir of zoo.cfg",
        _ => "",
    };
    let what = format!("{} cannot be read: {error}", directory.display());
    CommandError::new(CommandFailure::IoFailed, what).hint(hint)
}
