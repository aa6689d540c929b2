//! `zkplan snapshot inspect --diff`: what differs between two sets of data files.

use std::path::Path;

use super::archive_error::archive_error;
use super::byte_progress::ByteProgress;
use super::data_directory::unreadable;
use super::error::CommandError;
use super::exit::Exit;
use super::formats::TextOrJson;
use super::output::Output;
use super::server_files::{ArchiveFile, Directory};
use super::shown_files::opened;
use super::snapshot_args::InspectArgs;
use crate::document::Document as _;
use crate::render::file_findings::file_finding;
use crate::render::snapshot_diff::{DiffScreen, differences};
use crate::render::words_for_shell;
use crate::report::error::CommandFailure;
use crate::report::snapshot_diff::SnapshotDiffDocument;
use crate::snapshot::{
    ArchiveBytes as _, ArchiveFailure, ContentsWish, DataListing, DataVerdict, IndexedArchive,
    LoadedData, difference, is_snapshot_name, load_data, packed_verdict, read_archive,
};

/// Compares two directories, snapshots or archives.
pub(super) fn run(
    [a, b]: [&Path; 2],
    args: &InspectArgs,
    wish: &ContentsWish,
    output: &Output,
) -> Result<Exit, CommandError> {
    let progress = ByteProgress::new();
    let both = [loaded(a, &progress)?, loaded(b, &progress)?];
    progress.clear();
    let is_damaged = |side: &LoadedData| side.verification.verdict == DataVerdict::Damaged;
    // What is in files can be compared without a proof that they are whole.
    let exit = if both.iter().any(is_damaged) { Exit::Data } else { Exit::Done };
    let [before, after] = both;
    let found = difference(before, after, wish);
    let names = [a, b].map(|path| path.display().to_string());
    let paths = [&*names[0], &*names[1]];
    let screen = DiffScreen { paths, found: &found, width: output.width };
    let text = differences(&screen);
    Ok(match args.of.format {
        TextOrJson::Text => output.screen(&text, exit),
        TextOrJson::Json => {
            let document = SnapshotDiffDocument::of(&screen, &text, exit.code());
            output.raw(&document.to_text(), exit)
        }
    })
}

/// One side; an error where it has no tree.
fn loaded(path: &Path, progress: &ByteProgress) -> Result<LoadedData, CommandError> {
    let name = path.display().to_string();
    let is_snapshot =
        path.file_name().is_some_and(|name| is_snapshot_name(&name.to_string_lossy()));
    let side = match (path.is_file(), is_snapshot) {
        (true, true) => snapshot(path)?,
        (true, false) => archive(path, &name, progress)?,
        (false, _) => {
            let directory = Directory::of(path, None);
            load_data(&directory.listing()?, &directory)
        }
    };
    if side.verification.base.is_some() {
        return Ok(side);
    }
    let first = side.verification.findings.first().map(file_finding).unwrap_or_default();
    let what = format!("{name}: there is nothing to compare: {first}");
    let hint = format!("zkplan snapshot verify {}", words_for_shell(&name));
    Err(CommandError::new(CommandFailure::FileNotUsable, what).hint(hint))
}

/// One snapshot alone, without logs.
fn snapshot(path: &Path) -> Result<LoadedData, CommandError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let directory = Directory::of(folder.unwrap_or(Path::new(".")), None);
    let mut listing = directory.listing()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    listing.files.retain(|file| *file.name == *name);
    let listing = DataListing { files: listing.files, ..DataListing::default() };
    Ok(load_data(&listing, &directory))
}

fn archive(path: &Path, name: &str, progress: &ByteProgress) -> Result<LoadedData, CommandError> {
    let file = opened(path)?;
    let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
    let archive = ArchiveFile { file, progress };
    progress.phase("reading", Some(length));
    let whole = archive.open(0).map_err(ArchiveFailure::Io);
    let contents = whole.and_then(|file| read_archive(file, &mut ()));
    let contents = contents.map_err(|failure| archive_error(name, &failure))?;
    progress.phase("comparing", None);
    let files = IndexedArchive::new(&archive, &contents);
    let mut side = load_data(&contents.listing(), &files);
    side.verification = packed_verdict(side.verification, contents.manifest.as_ref());
    Ok(side)
}
