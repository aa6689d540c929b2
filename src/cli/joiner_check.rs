//! `zkplan joiner --check`: what a data directory on this machine is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::data_directory::{VERSION, small, unreadable};
use super::error::CommandError;
use super::exit::Exit;
use super::formats::TextOrJson;
use super::joiner_args::JoinerArgs;
use super::live;
use super::output::Output;
use super::server_files::Directory;
use super::source::Source;
use crate::document::Document as _;
use crate::ensemble::Limits;
use crate::joiner::{
    DataDirectory, DataOrigin, DirectoryData, DirectoryListing, DirectoryState, EpochVerdict,
    SEED_LIST, SeedList, judge_epoch,
};
use crate::model::{Endpoint, Zxid};
use crate::observe::{Digests, LeaderData, NoLeaderData, leader_data};
use crate::render::data_directory::{DirectoryScreen, no_leader, screen};
use crate::render::words_for_shell;
use crate::report::data_directory::DirectoryDocument;
use crate::report::error::CommandFailure;
use crate::snapshot::{DataVerdict, Verification, sha256_of, verify};

/// What is read of a list, in bytes: some hundred for each file.
const LONGEST_LIST: u64 = 16 * 1024 * 1024;

/// Says what the directories are. Only a blank one and a seed of the ensemble exit as done: a server that
/// starts with the data of another ensemble may keep them beneath what it copies.
pub(super) fn check(args: &JoinerArgs, output: &Output) -> Result<Exit, CommandError> {
    let directories: Vec<PathBuf> = args.check.iter().map(|path| data_dir(path)).collect();
    if directories.len() > 2 {
        let what = "--check takes dataDir and, where it is another one, dataLogDir";
        return Err(CommandError::new(CommandFailure::Usage, what));
    }
    let listing = listing(&directories)?;
    let directory = DataDirectory::of(&listing);
    let has_data = directory.snapshot.is_some() || directory.log.is_some();
    let is_compared = args.leader.is_some() || args.file.is_some();
    let is_read = has_data && (is_compared || directory.state == DirectoryState::Unpacked);
    let seen = is_read.then(|| verified(&directories)).transpose()?;
    // Behind the files: what they hold is no newer than what the leader says then.
    let leader = match (&args.leader, &args.file) {
        (Some(at), _) => Some(live::block_on(asked(at.clone()))??),
        (None, Some(file)) => live::block_on(leader_of(file, output))??,
        (None, None) => None,
    };
    let last = seen.as_ref().and_then(|seen| seen.last_zxid);
    let compared = seen.as_ref().zip(last).zip(leader.as_ref());
    let origin =
        compared.map(|((seen, last), leader)| DataOrigin::of(&seen.listed_digests, last, leader));
    let directory = directory.judged(seen.as_ref().map(worth), origin);
    let leader_epoch = leader.as_ref().map(|leader| leader.zxid.epoch()).or(args.leader_epoch);
    let paths: Vec<String> = directories.iter().map(|path| path.display().to_string()).collect();
    let typed: Vec<String> = paths.iter().map(|path| words_for_shell(path)).collect();
    let of = DirectoryScreen {
        paths: &paths,
        typed: &typed,
        directory: &directory,
        data: seen.as_ref().map(worth),
        last_zxid: last.map(Zxid::new),
        leader: leader.as_ref(),
        origin,
        leader_epoch,
        epoch: judge_epoch(&directory, leader_epoch),
        width: output.width,
    };
    let exit = match directory.state {
        DirectoryState::Seed if of.epoch == EpochVerdict::TooHigh => Exit::Unsafe,
        DirectoryState::Blank | DirectoryState::Seed => Exit::Done,
        DirectoryState::Used | DirectoryState::Unpacked | DirectoryState::Alien => Exit::Unsafe,
        DirectoryState::Damaged => Exit::Data,
    };
    Ok(match args.format {
        TextOrJson::Text => output.screen(&screen(&of), exit),
        TextOrJson::Json => output.raw(&DirectoryDocument::of(&of, exit.code()).to_text(), exit),
    })
}

/// What the leader of the ensemble of a file says now; `None` where none is seen to lead.
async fn leader_of(file: &Path, output: &Output) -> Result<Option<LeaderData>, CommandError> {
    let source = Source::read(file, output)?;
    let target = source.target();
    let port = live::servers(&target, &source.named())?;
    let seen = live::look(&port, &target, output).await?;
    let leader = seen.leader.and_then(|id| seen.servers.get(&id)?.endpoint.clone());
    let (Some(at), Some(zxid)) = (leader, seen.leader_reached()) else { return Ok(None) };
    let said = leader_data(&port, &at).await;
    // It led a moment ago: its epoch is known, and its digests are not.
    Ok(Some(said.unwrap_or(LeaderData { at, zxid, digests: Digests::Unknown })))
}

/// What a server says that is said to lead.
async fn asked(at: Endpoint) -> Result<LeaderData, CommandError> {
    let port = live::servers_by(None, Limits::default(), "the address")?;
    leader_data(&port, &at).await.map_err(|error| {
        let (failure, hint) = match error {
            NoLeaderData::Silent(_) => (
                CommandFailure::NoAnswer,
                "give the client address of the leader; where it needs TLS, give the spec instead of \
                 --leader",
            ),
            NoLeaderData::NoLeader(_) => {
                (CommandFailure::Usage, "give the leader, or the spec instead of --leader")
            }
        };
        CommandError::new(failure, no_leader(&at, error)).hint(hint)
    })
}

/// Reads all files.
fn verified(directories: &[PathBuf]) -> Result<Verification, CommandError> {
    let [data, logs @ ..] = directories else { unreachable!("clap requires one") };
    let directory = Directory::of(data, logs.first().map(PathBuf::as_path));
    Ok(verify(&directory.listing()?, &directory))
}

fn worth(seen: &Verification) -> DirectoryData {
    match seen.verdict {
        DataVerdict::Whole => DirectoryData::Whole,
        DataVerdict::NotProvable => DirectoryData::NotProvable,
        DataVerdict::Damaged => DirectoryData::Damaged,
    }
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

/// What is in the directories, and how it is beside the lists that are there.
fn listing(directories: &[PathBuf]) -> Result<DirectoryListing, CommandError> {
    let mut listing = DirectoryListing::default();
    let (mut paths, mut list) = (BTreeMap::new(), None::<SeedList>);
    for directory in directories {
        let failed = |error: io::Error| unreadable(directory, &error);
        read(directory, (&mut listing, &mut paths)).map_err(failed)?;
        if let Some(found) = seed_list(directory).map_err(failed)? {
            list.get_or_insert_default().add(found);
        }
    }
    let Some(list) = list else { return Ok(listing) };
    let mut found: BTreeMap<String, Option<String>> =
        paths.keys().map(|name| (name.clone(), None)).collect();
    for name in list.names() {
        if let (Some(hash), Some(path)) = (found.get_mut(name), paths.get(name)) {
            let read = fs::File::open(path).and_then(sha256_of);
            *hash = Some(read.map_err(|error| unreadable(path, &error))?);
        }
    }
    listing.seed = Some(list.compare(&found));
    Ok(listing)
}

/// The list that `zkplan snapshot unpack` left; one that is damaged is none.
fn seed_list(directory: &Path) -> io::Result<Option<SeedList>> {
    match fs::File::open(directory.join(SEED_LIST)) {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(LONGEST_LIST).read_to_end(&mut bytes)?;
            Ok(SeedList::parse(&String::from_utf8_lossy(&bytes)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(
    directory: &Path,
    (into, paths): (&mut DirectoryListing, &mut BTreeMap<String, PathBuf>),
) -> io::Result<()> {
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
    paths.extend(names.iter().map(|name| (name.clone(), version.join(name))));
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
