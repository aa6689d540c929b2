//! `zkplan snapshot`: what the files of a data directory are worth, and what is in them.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::data_directory::{VERSION, small, unreadable};
use super::error::CommandError;
use super::exit::Exit;
use super::formats::TextOrJson;
use super::output::Output;
use super::snapshot_args::{DirectoryArgs, SnapshotArgs, SnapshotCommand};
use crate::document::Document as _;
use crate::render::data_files::{FilesScreen, inspected, verified};
use crate::render::words_for_shell;
use crate::report::data_files::SnapshotDocument;
use crate::snapshot::{
    ContentsWish, DataContents, DataFiles, DataListing, DataSide, DataVerdict, ListedFile,
    Verification, inspect, verify,
};

pub(super) fn run(args: &SnapshotArgs, output: &Output) -> Result<Exit, CommandError> {
    let of = args.command.directory();
    let directory = Directory::of(of);
    let listing = directory.listing()?;
    match &args.command {
        SnapshotCommand::Verify(_) => {
            let seen = verify(&listing, &directory);
            Ok(show(of, &directory, (&seen, None), output))
        }
        SnapshotCommand::Inspect(args) => {
            let wish = ContentsWish { path: args.path.clone(), depth: args.depth, most: args.most };
            let contents = inspect(&listing, &directory, &wish);
            Ok(show(of, &directory, (&contents.verification, Some(&contents)), output))
        }
    }
}

fn show(
    args: &DirectoryArgs,
    directory: &Directory,
    (seen, contents): (&Verification, Option<&DataContents>),
    output: &Output,
) -> Exit {
    let paths = directory.paths();
    let typed = typed(args);
    let screen =
        FilesScreen { paths: &paths, verification: seen, typed: &typed, width: output.width };
    let text = contents.map_or_else(|| verified(&screen), |all| inspected(&screen, all));
    let exit = match seen.verdict {
        DataVerdict::Whole => Exit::Done,
        // What is in files can be shown without a proof that they are whole.
        DataVerdict::NotProvable if contents.is_some() => Exit::Done,
        DataVerdict::NotProvable => Exit::Unsafe,
        DataVerdict::Damaged => Exit::Data,
    };
    match args.format {
        TextOrJson::Text => output.screen(&text, exit),
        TextOrJson::Json => {
            let document = SnapshotDocument::of(&screen, contents, &text, exit.code());
            output.raw(&document.to_text(), exit)
        }
    }
}

/// The directories as they are typed.
fn typed(args: &DirectoryArgs) -> String {
    let word = |path: &Path| words_for_shell(&path.display().to_string());
    let logs = args.log_dir.as_ref().map(|path| format!(" --log-dir {}", word(path)));
    word(&args.directory) + &logs.unwrap_or_default()
}

/// The directories on this machine. Nothing in them is written.
struct Directory {
    data: PathBuf,
    logs: Option<PathBuf>,
}

impl Directory {
    fn of(args: &DirectoryArgs) -> Self {
        let real = |path: &Path| fs::canonicalize(path).ok();
        // The same directory twice is no directory of its own.
        let logs = args.log_dir.as_ref().filter(|logs| {
            let logs = real(logs);
            logs.is_none() || logs != real(&args.directory)
        });
        Self { data: args.directory.clone(), logs: logs.cloned() }
    }

    fn paths(&self) -> Vec<String> {
        let paths = [Some(&self.data), self.logs.as_ref()];
        paths.into_iter().flatten().map(|path| path.display().to_string()).collect()
    }

    fn listing(&self) -> Result<DataListing, CommandError> {
        let mut files = Vec::new();
        let sides = [(DataSide::Data, Some(&self.data)), (DataSide::Logs, self.logs.as_ref())];
        for (side, path) in sides {
            let Some(path) = path else { continue };
            list(path, side, &mut files).map_err(|error| unreadable(path, &error))?;
        }
        files.sort_by(|a, b| (a.side, &a.name).cmp(&(b.side, &b.name)));
        let epoch = |name: &str| {
            let path = with_files(&self.data).join(name);
            small(&path).map_err(|error| unreadable(&path, &error))
        };
        Ok(DataListing {
            files,
            has_log_dir: self.logs.is_some(),
            accepted_epoch: epoch("acceptedEpoch")?,
            current_epoch: epoch("currentEpoch")?,
            next_epoch: epoch("currentEpoch.tmp")?,
        })
    }

    fn path(&self, file: &ListedFile) -> PathBuf {
        let directory = match (file.side, &self.logs) {
            (DataSide::Logs, Some(logs)) => logs,
            (DataSide::Data, _) | (DataSide::Logs, None) => &self.data,
        };
        with_files(directory).join(&file.name)
    }

    fn opened(&self, file: &ListedFile) -> io::Result<File> {
        // A pipe would wait for ever.
        if !file.is_regular {
            return Err(io::Error::other("it is no regular file"));
        }
        File::open(self.path(file))
    }
}

/// Where the files are: in `version-2`, or in the directory itself where it is that one or a copy of it.
fn with_files(directory: &Path) -> PathBuf {
    let inside = directory.join(VERSION);
    let is_copy = || {
        let names = fs::read_dir(directory).into_iter().flatten().flatten();
        names.map(|entry| entry.file_name()).any(|name| {
            let name = name.to_string_lossy();
            name.starts_with("snapshot.") || name.starts_with("log.")
        })
    };
    let is_itself = directory.file_name().is_some_and(|name| name == VERSION);
    if is_itself || !inside.exists() && is_copy() { directory.to_owned() } else { inside }
}

/// Adds the files of `version-2`. A directory without one is empty; one that is not there is an error,
/// for the path may be wrong.
fn list(directory: &Path, side: DataSide, into: &mut Vec<ListedFile>) -> io::Result<()> {
    fs::read_dir(directory)?;
    let entries = match fs::read_dir(with_files(directory)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let facts = match fs::metadata(entry.path()) {
            Ok(facts) => facts,
            // It went meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        let (length, is_regular) = (facts.len(), facts.is_file());
        into.push(ListedFile { side, name, length, is_regular });
    }
    Ok(())
}

impl DataFiles for Directory {
    fn open(&self, file: &ListedFile) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.opened(file)?))
    }

    fn last_bytes(&self, file: &ListedFile, count: usize) -> io::Result<Vec<u8>> {
        let mut opened = self.opened(file)?;
        let length = opened.metadata()?.len();
        let wanted = u64::try_from(count).unwrap_or(u64::MAX);
        opened.seek(SeekFrom::Start(length.saturating_sub(wanted)))?;
        let mut last = Vec::new();
        opened.take(wanted).read_to_end(&mut last)?;
        Ok(last)
    }

    fn length(&self, file: &ListedFile) -> io::Result<u64> {
        fs::metadata(self.path(file)).map(|facts| facts.len())
    }
}
