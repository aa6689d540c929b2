//! The files of a server on this machine. Nothing here writes.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::byte_progress::ByteProgress;
use super::data_directory::{VERSION, small, unreadable};
use super::error::CommandError;
use crate::render::words_for_shell;
use crate::snapshot::{ArchiveBytes, DataFiles, DataListing, DataSide, ListedFile};

/// From one look at the end of a log to the next, where a server may be in the middle of a record.
const BETWEEN_WRITES: Duration = Duration::from_millis(100);

/// The directories of a server.
pub(super) struct Directory {
    data: PathBuf,
    logs: Option<PathBuf>,
}

impl Directory {
    /// Those of `dataDir` and `dataLogDir`.
    pub(super) fn of(data: &Path, logs: Option<&Path>) -> Self {
        let real = |path: &Path| fs::canonicalize(path).ok();
        // The same directory twice is no directory of its own.
        let logs = logs.filter(|logs| {
            let logs = real(logs);
            logs.is_none() || logs != real(data)
        });
        Self { data: data.to_owned(), logs: logs.map(Path::to_owned) }
    }

    fn both(&self) -> impl Iterator<Item = &PathBuf> {
        [Some(&self.data), self.logs.as_ref()].into_iter().flatten()
    }

    /// Their paths, for people.
    pub(super) fn paths(&self) -> Vec<String> {
        self.both().map(|path| path.display().to_string()).collect()
    }

    /// The same as they are typed.
    pub(super) fn typed(&self) -> String {
        let word = |path: &Path| words_for_shell(&path.display().to_string());
        let logs = self.logs.as_ref().map(|path| format!(" --log-dir {}", word(path)));
        word(&self.data) + &logs.unwrap_or_default()
    }

    /// Whether servers read files in that folder.
    pub(super) fn reads(&self, folder: &Path) -> bool {
        let real = |path: &Path| fs::canonicalize(path).ok();
        let folder = real(folder);
        folder.is_some() && self.both().any(|path| real(&with_files(path)) == folder)
    }

    /// Whether a path is in them, or one of them.
    pub(super) fn holds(&self, path: &Path) -> bool {
        let real = |path: &Path| fs::canonicalize(path).ok();
        self.both().any(|own| real(own).is_some_and(|own| path.starts_with(own)))
    }

    /// What is in them now.
    pub(super) fn listing(&self) -> Result<DataListing, CommandError> {
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

    /// A file of them.
    pub(super) fn opened(&self, file: &ListedFile) -> io::Result<File> {
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

/// The last bytes of an open file.
fn last_of(mut opened: impl Read + io::Seek, length: u64, count: usize) -> io::Result<Vec<u8>> {
    let wanted = u64::try_from(count).unwrap_or(u64::MAX);
    opened.seek(SeekFrom::Start(length.saturating_sub(wanted)))?;
    let mut last = Vec::new();
    opened.take(wanted).read_to_end(&mut last)?;
    Ok(last)
}

impl DataFiles for Directory {
    fn open(&self, file: &ListedFile) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.opened(file)?))
    }

    fn last_bytes(&self, file: &ListedFile, count: usize) -> io::Result<Vec<u8>> {
        let opened = self.opened(file)?;
        let length = opened.metadata()?.len();
        last_of(opened, length, count)
    }

    fn length(&self, file: &ListedFile) -> io::Result<u64> {
        fs::metadata(self.path(file)).map(|facts| facts.len())
    }

    fn wait_for_writer(&self) -> bool {
        thread::sleep(BETWEEN_WRITES);
        true
    }
}

/// Files that are kept open: a server can remove their names, and they are read all the same.
pub(super) struct HeldFiles<'a> {
    files: Vec<(ListedFile, File)>,
    progress: &'a ByteProgress,
}

impl<'a> HeldFiles<'a> {
    /// Opens all of them; `None` where one is gone already.
    pub(super) fn open(
        directory: &Directory,
        listing: &DataListing,
        progress: &'a ByteProgress,
    ) -> Result<Option<Self>, CommandError> {
        let mut files = Vec::new();
        for file in &listing.files {
            match directory.opened(file) {
                Ok(opened) => files.push((file.clone(), opened)),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(unreadable(&directory.path(file), &error)),
            }
        }
        Ok(Some(Self { files, progress }))
    }

    fn of(&self, file: &ListedFile) -> io::Result<&File> {
        let found = self.files.iter().find(|(held, _)| held == file);
        found.map(|(_, opened)| opened).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl DataFiles for HeldFiles<'_> {
    fn open(&self, file: &ListedFile) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(OwnPlace { file: self.of(file)?, at: 0, progress: self.progress }))
    }

    fn last_bytes(&self, file: &ListedFile, count: usize) -> io::Result<Vec<u8>> {
        let opened = self.of(file)?;
        last_of(opened, opened.metadata()?.len(), count)
    }

    fn length(&self, file: &ListedFile) -> io::Result<u64> {
        Ok(self.of(file)?.metadata()?.len())
    }

    fn wait_for_writer(&self) -> bool {
        thread::sleep(BETWEEN_WRITES);
        true
    }
}

/// The file of an archive.
pub(super) struct ArchiveFile<'a> {
    pub(super) file: File,
    pub(super) progress: &'a ByteProgress,
}

impl ArchiveBytes for ArchiveFile<'_> {
    fn open(&self, at: u64) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(OwnPlace { file: &self.file, at, progress: self.progress }))
    }
}

/// Reads an open file from a place of its own: others read it, too.
struct OwnPlace<'a> {
    file: &'a File,
    at: u64,
    progress: &'a ByteProgress,
}

impl Read for OwnPlace<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = read_at(self.file, into, self.at)?;
        let bytes = u64::try_from(count).unwrap_or(u64::MAX);
        self.at = self.at.saturating_add(bytes);
        self.progress.took(bytes);
        Ok(count)
    }
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    use std::os::unix::fs::FileExt as _;
    file.read_at(into, at)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    file.read(into)
}
