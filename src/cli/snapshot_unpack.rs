//! `zkplan snapshot unpack`: an archive becomes a data directory, whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};

use super::archive_error::archive_error;
use super::byte_progress::ByteProgress;
use super::data_directory::{VERSION, unreadable};
use super::error::{CommandError, unwritable};
use super::exit::Exit;
use super::formats::TextOrJson;
use super::output::Output;
use super::server_files::{ArchiveFile, Directory};
use super::shown_files::{Shown, opened};
use super::snapshot_args::UnpackArgs;
use super::unfinished::{Begun, Unfinished, until_interrupted};
use crate::document::Document as _;
use crate::joiner::{SEED_LIST, SeedList};
use crate::render::archives::ArchiveFacts;
use crate::render::packed::{ArchiveScreen, refused, unpacked};
use crate::render::words_for_shell;
use crate::report::data_files::SnapshotDocument;
use crate::report::error::CommandFailure;
use crate::snapshot::{
    ArchiveBytes as _, ArchiveContents, ArchiveFailure, ArchiveSink, DataVerdict, Verification,
    packed_verdict, plain_name, read_archive, sha256_of, verify, write_plain,
};

/// What may be in a data directory that is filled: the id of its server, what a file system makes, and the
/// list of an archive whose files were moved away.
const MAY_BE_THERE: [&str; 3] = ["myid", "lost+found", SEED_LIST];

/// How the name of the folder begins in which an archive is unpacked; the id of the process follows.
const PARTIAL: &str = ".zkplan-unpack.";

/// Where an archive comes from that is read from stdin.
const STDIN: &str = "-";

/// Unpacks, until a signal comes: the directory is then as it was before.
pub(super) fn run(args: &UnpackArgs, output: &Output) -> Result<Exit, CommandError> {
    let (args, output) = (args.clone(), output.clone());
    let nothing = format!("nothing was written to {}", args.out.display());
    until_interrupted(nothing, move |unfinished| unpack_and_say(&args, unfinished, &output))
}

fn unpack_and_say(
    args: &UnpackArgs,
    unfinished: &Unfinished,
    output: &Output,
) -> Result<Exit, CommandError> {
    let progress = ByteProgress::new();
    let input = Input::of(&args.archive)?;
    let place = Place::prepare(&args.out, unfinished)?;
    let contents = input.unpack(&place, &progress)?;
    progress.phase("verifying", None);
    let mut seen = place.verified(&contents)?;
    let is_taken = |seen: &Verification| match seen.verdict {
        DataVerdict::Whole => true,
        DataVerdict::NotProvable => args.accept_not_provable,
        DataVerdict::Damaged => false,
    };
    let mut plain = BTreeMap::new();
    if args.plain && is_taken(&seen) {
        plain = place.make_plain(&seen)?;
    }
    if !plain.is_empty() {
        seen = place.verified(&contents)?;
    }
    progress.clear();
    let archive = ArchiveFacts::of(args.archive.display().to_string(), &contents);
    let paths = [args.out.display().to_string()];
    let typed = words_for_shell(&paths[0]);
    let shown =
        Shown { paths: &paths, typed: &typed, archive: Some(&archive), format: args.format };
    if !is_taken(&seen) {
        return Ok(not_unpacked(args, &seen, &shown, output));
    }
    place.keep(&place.list(&contents, &plain)?)?;
    let files = shown.screen(&seen, output);
    let next = format!("zkplan snapshot inspect {typed}");
    let text = unpacked(&ArchiveScreen { files, archive: &archive, left_out: &[], next: &next });
    Ok(match args.format {
        TextOrJson::Text => output.screen(&text, Exit::Done),
        TextOrJson::Json => {
            let document = SnapshotDocument::of(&files, None, &text, Exit::Done.code());
            output.raw(&document.to_text(), Exit::Done)
        }
    })
}

/// Says why there is nothing in the directory.
fn not_unpacked(
    args: &UnpackArgs,
    seen: &Verification,
    shown: &Shown<'_>,
    output: &Output,
) -> Exit {
    let is_damaged = seen.verdict == DataVerdict::Damaged;
    let path = args.archive.display().to_string();
    let screen = Shown { paths: std::slice::from_ref(&path), ..*shown }.screen(seen, output);
    let text = refused(&screen, &format!("nothing was written to {}", args.out.display()));
    let exit = if is_damaged { Exit::Data } else { Exit::Unsafe };
    match args.format {
        TextOrJson::Text => output.screen(&text, exit),
        TextOrJson::Json => {
            let document = SnapshotDocument::of(&screen, None, &text, exit.code());
            output.raw(&document.to_text(), exit)
        }
    }
}

/// The archive: a file, or stdin.
struct Input {
    name: String,
    file: Option<File>,
}

impl Input {
    fn of(path: &Path) -> Result<Self, CommandError> {
        if path.as_os_str() == STDIN {
            return Ok(Self { name: "stdin".to_owned(), file: None });
        }
        if path.is_dir() {
            let what = format!("{} is a directory, and no archive", path.display());
            let hint = "zkplan snapshot pack makes an archive of it";
            return Err(CommandError::new(CommandFailure::FileNotUsable, what).hint(hint));
        }
        Ok(Self { name: path.display().to_string(), file: Some(opened(path)?) })
    }

    fn unpack(
        self,
        place: &Place<'_>,
        progress: &ByteProgress,
    ) -> Result<ArchiveContents, CommandError> {
        let mut sink = Files { place, open: None, failed: None };
        let name = self.name;
        let read = if let Some(file) = self.file {
            let length = file.metadata().map_err(|error| unreadable(Path::new(&name), &error))?;
            progress.phase("unpacking", Some(length.len()));
            let archive = ArchiveFile { file, progress };
            let stream = archive.open(0).map_err(ArchiveFailure::Io);
            stream.and_then(|stream| read_archive(stream, &mut sink))
        } else {
            progress.phase("unpacking", None);
            read_archive(Seen { inner: io::stdin().lock(), progress }, &mut sink)
        };
        if let Some(failed) = sink.failed {
            return Err(CommandError::new(CommandFailure::IoFailed, failed));
        }
        read.map_err(|failure| archive_error(&name, &failure))
    }
}

/// Shows how much is read.
struct Seen<'a, R> {
    inner: R,
    progress: &'a ByteProgress,
}

impl<R: Read> Read for Seen<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.progress.took(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

/// A directory that is filled. Until it is kept, everything is in a folder of its own, which goes with
/// this value.
struct Place<'a> {
    out: PathBuf,
    /// Whether the directory was made here.
    is_new: bool,
    /// The folder in it in which `version-2` is made.
    partial: PathBuf,
    begun: Begun<'a, ()>,
}

impl<'a> Place<'a> {
    fn prepare(out: &Path, unfinished: &'a Unfinished) -> Result<Self, CommandError> {
        let failed = |error: &io::Error| unwritable(out.display(), error);
        let is_new = match fs::read_dir(out) {
            Ok(entries) => {
                for entry in entries {
                    let name = entry.map_err(|error| failed(&error))?.file_name();
                    if !MAY_BE_THERE.iter().any(|known| name == *known) {
                        return Err(not_empty(out, &name.to_string_lossy()));
                    }
                }
                false
            }
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(error) => return Err(unreadable(out, &error)),
        };
        let partial = out.join(format!("{PARTIAL}{}", std::process::id()));
        let made = is_new.then_some(out);
        let create = || {
            made.map_or(Ok(()), fs::create_dir)?;
            fs::create_dir(&partial)?;
            fs::create_dir(partial.join(VERSION)).inspect_err(|_| drop(fs::remove_dir(&partial)))
        };
        let begun = unfinished.begin((&partial, made), create).map_err(|error| failed(&error))?;
        Ok(Self { out: out.to_owned(), is_new, partial, begun })
    }

    fn folder(&self) -> PathBuf {
        self.partial.join(VERSION)
    }

    /// What the files there are worth.
    fn verified(&self, contents: &ArchiveContents) -> Result<Verification, CommandError> {
        let directory = Directory::of(&self.partial, None);
        let seen = verify(&directory.listing()?, &directory);
        Ok(packed_verdict(seen, contents.manifest.as_ref()))
    }

    /// Stores compressed snapshots plain: the names that they had, and those that they have.
    fn make_plain(&self, seen: &Verification) -> Result<BTreeMap<String, String>, CommandError> {
        let mut made = BTreeMap::new();
        for snapshot in &seen.snapshots {
            let name = &snapshot.file.name;
            let (Some(plain), Some(facts)) = (plain_name(name), snapshot.state.whole()) else {
                continue;
            };
            let (from, to) = (self.folder().join(name), self.folder().join(&plain));
            let written = File::open(&from).and_then(|file| {
                let mut plain = File::create_new(&to)?;
                write_plain(name, file, facts.length, &mut plain)?;
                plain.sync_all()?;
                fs::remove_file(&from)
            });
            written.map_err(|error| unwritable(to.display(), &error))?;
            made.insert(name.clone(), plain);
        }
        Ok(made)
    }

    /// The list of the files: of each the hash that it has in the archive, unless it was made plain.
    fn list(
        &self,
        contents: &ArchiveContents,
        plain: &BTreeMap<String, String>,
    ) -> Result<SeedList, CommandError> {
        let mut files = Vec::new();
        for file in &contents.files {
            files.push(match plain.get(&file.name) {
                None => (file.name.clone(), file.sha256.clone()),
                Some(name) => {
                    let path = self.folder().join(name);
                    let hash = File::open(&path).and_then(sha256_of);
                    (name.clone(), hash.map_err(|error| unreadable(&path, &error))?)
                }
            });
        }
        Ok(SeedList::of(files))
    }

    /// Gives the files and their list their place, and the owner of the directory where it was there
    /// before.
    fn keep(&self, list: &SeedList) -> Result<(), CommandError> {
        let failed = |error| unwritable(self.out.display(), &error);
        let new_list = self.partial.join(SEED_LIST);
        let written = File::create_new(&new_list).and_then(|mut file| {
            file.write_all(list.to_text().as_bytes())?;
            file.sync_all()
        });
        written.map_err(failed)?;
        if !self.is_new {
            give_to_owner_of(&self.out, &self.folder()).map_err(failed)?;
            give_to_owner_of(&self.out, &self.partial).map_err(failed)?;
        }
        #[cfg(debug_assertions)]
        super::local::rehearsed_death(None, "unpacked");
        let name = || {
            // A list without files is that of no directory; files without their list count as used.
            fs::rename(&new_list, self.out.join(SEED_LIST))?;
            fs::rename(self.folder(), self.out.join(VERSION))?;
            File::open(&self.out)?.sync_all()
        };
        self.begun.finish(name).map_err(failed)
    }
}

fn not_empty(out: &Path, name: &str) -> CommandError {
    let what = format!("{} is not empty: it has {name}. Nothing was written", out.display());
    let hint = if name.starts_with(PARTIAL) {
        "another unpack is writing there, or one was killed: wait for it, or remove that folder"
    } else {
        "give a directory that is empty or not there yet; only myid may be in it"
    };
    CommandError::new(CommandFailure::FileNotUsable, what).hint(hint)
}

/// Gives files to the user to whom the directory belongs: that of the server, where root unpacks.
#[cfg(unix)]
fn give_to_owner_of(directory: &Path, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let (wanted, is) = (fs::metadata(directory)?, fs::metadata(folder)?);
    if (wanted.uid(), wanted.gid()) == (is.uid(), is.gid()) {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        chown(entry?.path(), Some(wanted.uid()), Some(wanted.gid()))?;
    }
    chown(folder, Some(wanted.uid()), Some(wanted.gid()))
}

#[cfg(not(unix))]
fn give_to_owner_of(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Writes the files of an archive to the folder.
struct Files<'a> {
    place: &'a Place<'a>,
    open: Option<File>,
    /// What cannot be written.
    failed: Option<String>,
}

impl Files<'_> {
    fn noted(&mut self, written: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &written {
            let out = self.place.out.display();
            self.failed = Some(format!("{out} cannot be written: {error}. Nothing is left there"));
        }
        written
    }
}

impl ArchiveSink for Files<'_> {
    fn room_for(&mut self, bytes: u64) -> io::Result<()> {
        let disk = rustix::fs::statvfs(&self.place.partial)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let too_little = || {
            let what = format!("the archive needs {bytes} bytes, and {free} are free");
            io::Error::other(what)
        };
        let room = if bytes <= free { Ok(()) } else { Err(too_little()) };
        self.noted(room)
    }

    fn begin(&mut self, name: &str) -> io::Result<()> {
        let made = File::create_new(self.place.folder().join(name));
        let made = made.map(|file| self.open = Some(file));
        self.noted(made)
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.open.as_mut().expect("a file begins before its bytes").write_all(bytes);
        self.noted(written)
    }

    fn end(&mut self) -> io::Result<()> {
        let ended = self.open.take().expect("a file begins before it ends").sync_all();
        self.noted(ended)
    }
}
