//! `zkplan snapshot verify` and `inspect`: what the files of a data directory or of an archive are worth,
//! and what is in them.

use std::path::Path;

use super::archive_error::archive_error;
use super::byte_progress::ByteProgress;
use super::data_directory::unreadable;
use super::error::CommandError;
use super::exit::Exit;
use super::formats::TextOrJson;
use super::output::Output;
use super::server_files::{ArchiveFile, Directory};
use super::shown_files::{Shown, opened};
use super::snapshot_args::{DirectoryArgs, InspectArgs, SnapshotArgs, SnapshotCommand};
use super::{snapshot_diff, snapshot_pack, snapshot_unpack};
use crate::document::Document as _;
use crate::render::archives::ArchiveFacts;
use crate::render::data_files::{inspected, verified};
use crate::render::words_for_shell;
use crate::report::data_files::SnapshotDocument;
use crate::report::error::CommandFailure;
use crate::snapshot::{
    ArchiveBytes as _, ArchiveFailure, ArchiveManifest, ContentsWish, DataContents, DataFiles,
    DataListing, DataVerdict, IndexedArchive, Verification, inspect, packed_verdict, read_archive,
    verify,
};

pub(super) fn run(args: &SnapshotArgs, output: &Output) -> Result<Exit, CommandError> {
    match &args.command {
        SnapshotCommand::Verify(args) => look((&args.directory, &args.of), None, output),
        SnapshotCommand::Inspect(args) => {
            if let [a, b] = args.diff.as_slice() {
                return snapshot_diff::run([a.as_path(), b.as_path()], args, &wish(args), output);
            }
            let directory = args.directory.as_deref().expect("wanted where --diff is not given");
            look((directory, &args.of), Some(&wish(args)), output)
        }
        SnapshotCommand::Pack(args) => snapshot_pack::run(args, output),
        SnapshotCommand::Unpack(args) => snapshot_unpack::run(args, output),
    }
}

fn wish(args: &InspectArgs) -> ContentsWish {
    ContentsWish { path: args.path.clone(), depth: args.depth, most: args.most }
}

/// Reads a directory or an archive: a wish wants to know what is in it.
fn look(
    (path, args): (&Path, &DirectoryArgs),
    wish: Option<&ContentsWish>,
    output: &Output,
) -> Result<Exit, CommandError> {
    if path.is_file() {
        return look_into_archive((path, args), wish, output);
    }
    let directory = Directory::of(path, args.log_dir.as_deref());
    let listing = directory.listing()?;
    let seen = Looked::at(&listing, (&directory, None), wish);
    let (paths, typed) = (directory.paths(), directory.typed());
    let shown = Shown { paths: &paths, typed: &typed, archive: None, format: args.format };
    Ok(seen.show(&shown, output))
}

fn look_into_archive(
    (path, args): (&Path, &DirectoryArgs),
    wish: Option<&ContentsWish>,
    output: &Output,
) -> Result<Exit, CommandError> {
    if args.log_dir.is_some() {
        let what = "--log-dir is for a directory: an archive has snapshots and logs in one";
        return Err(CommandError::new(CommandFailure::Usage, what));
    }
    let progress = ByteProgress::new();
    let file = opened(path)?;
    let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
    let archive = ArchiveFile { file, progress: &progress };
    progress.phase("reading", Some(length));
    let name = path.display().to_string();
    let contents =
        archive.open(0).map_err(ArchiveFailure::Io).and_then(|file| read_archive(file, &mut ()));
    let contents = contents.map_err(|failure| archive_error(&name, &failure))?;
    progress.phase("verifying", None);
    let listing = contents.listing();
    let files = IndexedArchive::new(&archive, &contents);
    let seen = Looked::at(&listing, (&files, contents.manifest.as_ref()), wish);
    progress.clear();
    let facts = ArchiveFacts::of(name.clone(), &contents);
    let typed = words_for_shell(&name);
    let shown = Shown { paths: &[name], typed: &typed, archive: Some(&facts), format: args.format };
    Ok(seen.show(&shown, output))
}

/// What was seen.
enum Looked {
    Verified(Verification),
    Inspected(Box<DataContents>),
}

impl Looked {
    fn at(
        listing: &DataListing,
        (files, manifest): (&impl DataFiles, Option<&ArchiveManifest>),
        wish: Option<&ContentsWish>,
    ) -> Self {
        match wish {
            None => Self::Verified(packed_verdict(verify(listing, files), manifest)),
            Some(wish) => {
                let mut contents = inspect(listing, files, wish);
                contents.verification = packed_verdict(contents.verification, manifest);
                Self::Inspected(Box::new(contents))
            }
        }
    }

    fn show(&self, shown: &Shown<'_>, output: &Output) -> Exit {
        let (seen, contents) = match self {
            Self::Verified(seen) => (seen, None),
            Self::Inspected(contents) => (&contents.verification, Some(&**contents)),
        };
        let screen = shown.screen(seen, output);
        let text = contents.map_or_else(|| verified(&screen), |all| inspected(&screen, all));
        let exit = match seen.verdict {
            DataVerdict::Whole => Exit::Done,
            // What is in files can be shown without a proof that they are whole.
            DataVerdict::NotProvable if contents.is_some() => Exit::Done,
            DataVerdict::NotProvable => Exit::Unsafe,
            DataVerdict::Damaged => Exit::Data,
        };
        match shown.format {
            TextOrJson::Text => output.screen(&text, exit),
            TextOrJson::Json => {
                let document = SnapshotDocument::of(&screen, contents, &text, exit.code());
                output.raw(&document.to_text(), exit)
            }
        }
    }
}
