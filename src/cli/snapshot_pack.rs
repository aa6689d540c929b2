//! `zkplan snapshot pack`: the files of a server as an archive, verified before it has its name.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::archive_error::archive_error;
use super::byte_progress::ByteProgress;
use super::error::{CommandError, unwritable};
use super::exit::Exit;
use super::formats::TextOrJson;
use super::output::Output;
use super::paths::folder_of;
use super::server_files::{ArchiveFile, Directory, HeldFiles};
use super::shown_files::Shown;
use super::snapshot_args::{Compress, PackArgs};
use super::specs;
use super::unfinished::{Unfinished, until_interrupted};
use crate::document::Document as _;
use crate::model::{latin_1, trimmed};
use crate::render::archives::ArchiveFacts;
use crate::render::packed::{ArchiveScreen, packed, refused};
use crate::render::{Text, words_for_shell};
use crate::report::data_files::SnapshotDocument;
use crate::report::error::CommandFailure;
use crate::settings::value_in;
use crate::snapshot::{
    ArchiveBytes as _, ArchiveEncoder, ArchiveFailure, ArchiveManifest, ArchivePart,
    DataFiles as _, DataListing, DataVerdict, PackFailure, Verification, Wrapping, chosen,
    is_compressible, manifest_of, parts, read_archive, verify, write_archive,
};

/// How often files are chosen anew that a server removes or writes while they are read.
const MOST_LOOKS: usize = 10;

/// Writes of an archive are put together to this many bytes.
const BUFFER: usize = 256 * 1024;

/// Where an archive goes that is written to stdout.
const STDOUT: &str = "-";

/// Packs, until a signal comes: nothing that could be taken for an archive is left then.
pub(super) fn run(args: &PackArgs, output: &Output) -> Result<Exit, CommandError> {
    let (args, output) = (args.clone(), output.clone());
    let nothing = if args.out.as_os_str() == STDOUT {
        "what was written to stdout is no whole archive".to_owned()
    } else {
        format!("{} was not written", args.out.display())
    };
    until_interrupted(nothing, move |unfinished| pack_and_say(&args, unfinished, &output))
}

fn pack_and_say(
    args: &PackArgs,
    unfinished: &Unfinished,
    output: &Output,
) -> Result<Exit, CommandError> {
    let directory = directory(args)?;
    let to_stdout = args.out.as_os_str() == STDOUT;
    if to_stdout {
        pipe_is_right(args)?;
    } else if directory.reads(folder_of(&args.out)) {
        let what = format!("{} is in a folder whose files a server reads", args.out.display());
        let hint = "give another folder with -o";
        return Err(CommandError::new(CommandFailure::Usage, what).hint(hint));
    }
    let progress = ByteProgress::new();
    let ready = Ready::of(&directory, args.snapshots, &progress)?;
    let (paths, typed) = (directory.paths(), directory.typed());
    let shown = Shown { paths: &paths, typed: &typed, archive: None, format: args.format };
    let is_taken = match ready.seen.verdict {
        DataVerdict::Whole => true,
        DataVerdict::NotProvable => args.accept_not_provable,
        DataVerdict::Damaged => false,
    };
    if !is_taken {
        progress.clear();
        return Ok(not_packed(args, &ready.seen, &shown, output));
    }
    let archive = pack((args, unfinished), &directory, &ready, &progress)?;
    progress.clear();
    let path = archive.path.clone();
    let shown = Shown { paths: &[path], archive: Some(&archive), ..shown };
    Ok(say(args, &directory, &ready, (&archive, &shown), output))
}

/// The directories that are given, or those of a `zoo.cfg`.
fn directory(args: &PackArgs) -> Result<Directory, CommandError> {
    let Some(zoo_cfg) = &args.zoo_cfg else {
        let data = args.directory.as_ref().expect("clap requires one of both");
        return Ok(Directory::of(data, args.log_dir.as_deref()));
    };
    let text = latin_1(&specs::read_bytes(zoo_cfg)?);
    let value = |key| {
        let value = value_in(&text, key).map_err(|error| {
            let what = format!("{}: {error}", zoo_cfg.display());
            CommandError::new(CommandFailure::ConfigInvalid, what)
        })?;
        let value = value.map(|value| PathBuf::from(trimmed(&value)));
        Ok(value.filter(|path| !path.as_os_str().is_empty()))
    };
    let Some(data) = value("dataDir")? else {
        let what = format!("{} has no dataDir", zoo_cfg.display());
        let hint = "give the directory instead: zkplan snapshot pack DIR -o FILE";
        return Err(CommandError::new(CommandFailure::ConfigInvalid, what).hint(hint));
    };
    Ok(Directory::of(&data, value("dataLogDir")?.as_deref()))
}

fn pipe_is_right(args: &PackArgs) -> Result<(), CommandError> {
    let usage = |what: &str| Err(CommandError::new(CommandFailure::Usage, what));
    if args.format == TextOrJson::Json {
        return usage("stdout is taken by the archive: --format json needs -o FILE");
    }
    if io::stdout().is_terminal() {
        return usage("an archive is not written to a terminal: give -o FILE, or a pipe");
    }
    Ok(())
}

/// Verified files that are held open.
struct Ready<'a> {
    files: HeldFiles<'a>,
    listing: DataListing,
    seen: Verification,
    /// Snapshots that are newer and not whole.
    left_out: Vec<String>,
}

impl<'a> Ready<'a> {
    /// Chooses files and verifies them, until they are whole or do not change any more.
    fn of(
        directory: &Directory,
        count: usize,
        progress: &'a ByteProgress,
    ) -> Result<Self, CommandError> {
        progress.phase("verifying", None);
        let mut without = BTreeSet::new();
        let mut last: Option<Self> = None;
        for _ in 0..MOST_LOOKS {
            let listing = directory.listing()?;
            let Some(listing) = chosen(&listing, directory, count, &without) else {
                return Err(no_snapshot(directory));
            };
            let Some(files) = HeldFiles::open(directory, &listing, progress)? else { continue };
            let seen = verify(&listing, &files);
            let not_whole = seen
                .snapshots
                .iter()
                .filter(|snapshot| snapshot.is_growing || snapshot.state.whole().is_none());
            let not_whole: Vec<String> = not_whole.map(|of| of.file.name.clone()).collect();
            if !not_whole.is_empty() {
                without.extend(not_whole);
                continue;
            }
            let is_settled = last.as_ref().is_some_and(|last| {
                last.seen.findings == seen.findings && last.seen.last_zxid == seen.last_zxid
            });
            let is_whole = seen.verdict == DataVerdict::Whole;
            let left_out = without.iter().cloned().collect();
            let ready = Self { files, listing, seen, left_out };
            if is_whole || is_settled {
                return Ok(ready);
            }
            last = Some(ready);
        }
        last.ok_or_else(|| no_snapshot(directory))
    }
}

fn no_snapshot(directory: &Directory) -> CommandError {
    let what = format!("{} has no snapshot that is whole", directory.paths().join(" and "));
    CommandError::new(CommandFailure::FileNotUsable, what)
        .hint(format!("zkplan snapshot verify {} says why", directory.typed()))
}

/// Says why nothing was packed: the findings, and the way out where there is one.
fn not_packed(args: &PackArgs, seen: &Verification, shown: &Shown<'_>, output: &Output) -> Exit {
    let screen = shown.screen(seen, output);
    let text = refused(&screen, "nothing was packed");
    let is_damaged = seen.verdict == DataVerdict::Damaged;
    let exit = if is_damaged { Exit::Data } else { Exit::Unsafe };
    match args.format {
        TextOrJson::Text if args.out.as_os_str() == STDOUT => {
            output.aside(&text);
            exit
        }
        TextOrJson::Text => output.screen(&text, exit),
        TextOrJson::Json => {
            let document = SnapshotDocument::of(&screen, None, &text, exit.code());
            output.raw(&document.to_text(), exit)
        }
    }
}

/// Writes the archive. A file has its name only when it was read back.
fn pack(
    (args, unfinished): (&PackArgs, &Unfinished),
    directory: &Directory,
    ready: &Ready<'_>,
    progress: &ByteProgress,
) -> Result<ArchiveFacts, CommandError> {
    let parts = parts(&ready.seen);
    let total = parts.iter().map(|part| part.keep).sum();
    let unreadable = |failure| not_written(args, failure);
    progress.phase("hashing", Some(total));
    let epochs = args.with_epochs.then_some(&ready.listing);
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let release = env!("CARGO_PKG_VERSION");
    let from = (&*directory.paths(), release, &*now);
    let manifest =
        manifest_of(&ready.seen, (&parts, epochs), &ready.files, from).map_err(unreadable)?;
    let packing = Packing { parts: &parts, epochs, manifest: &manifest, ready };
    let (wrapping, is_worth_it) = packing.wrapping(args).map_err(unreadable)?;
    progress.phase("packing", Some(total));
    let write = |to: &mut dyn Write| packing.write(to, wrapping, is_worth_it).map_err(unreadable);
    let bytes = if args.out.as_os_str() == STDOUT {
        write(&mut io::stdout().lock())?;
        None
    } else {
        Some(to_file((&args.out, unfinished), &manifest, progress, write)?)
    };
    let path = args.out.display().to_string();
    Ok(ArchiveFacts { path, bytes, wrapping, manifest: Some(manifest), others: Vec::new() })
}

struct Packing<'a> {
    parts: &'a [ArchivePart],
    epochs: Option<&'a DataListing>,
    manifest: &'a ArchiveManifest,
    ready: &'a Ready<'a>,
}

impl Packing<'_> {
    /// How the archive is compressed, and whether its data are worth it.
    fn wrapping(&self, args: &PackArgs) -> Result<(Wrapping, bool), PackFailure> {
        let by_name = match args.out.extension().and_then(|end| end.to_str()) {
            Some("gz" | "tgz") => Some(Wrapping::Gzip),
            Some("zst" | "tzst") => Some(Wrapping::Zstd),
            Some("tar") => Some(Wrapping::None),
            _ => None,
        };
        Ok(match args.compress {
            Compress::None => (Wrapping::None, false),
            Compress::Gzip => (Wrapping::Gzip, true),
            Compress::Zstd => (Wrapping::Zstd, true),
            Compress::Auto => match (by_name, self.is_compressible()?) {
                (Some(wrapping), is_worth_it) => (wrapping, is_worth_it),
                (None, true) => (Wrapping::Zstd, true),
                (None, false) => (Wrapping::None, false),
            },
        })
    }

    /// Whether the largest file is.
    fn is_compressible(&self) -> Result<bool, PackFailure> {
        let Some(part) = self.parts.iter().max_by_key(|part| part.keep) else { return Ok(false) };
        let opened = self.ready.files.open(&part.file);
        let sample = opened.and_then(|file| is_compressible(io::Read::take(file, part.keep)));
        sample.map_err(|error| PackFailure::Read(part.file.name.clone(), error))
    }

    fn write(
        &self,
        to: &mut dyn Write,
        wrapping: Wrapping,
        is_worth_it: bool,
    ) -> Result<(), PackFailure> {
        let encoder = ArchiveEncoder::new(to, wrapping, is_worth_it).map_err(PackFailure::Write)?;
        let mut buffered = io::BufWriter::with_capacity(BUFFER, encoder);
        write_archive(&mut buffered, self.manifest, (self.parts, self.epochs), &self.ready.files)?;
        let encoder =
            buffered.into_inner().map_err(|error| PackFailure::Write(error.into_error()))?;
        encoder.finish().map(drop).map_err(PackFailure::Write)
    }
}

/// Writes a file beside the one that is wanted, reads it back, and gives it its name.
fn to_file(
    (out, unfinished): (&Path, &Unfinished),
    manifest: &ArchiveManifest,
    progress: &ByteProgress,
    write: impl Fn(&mut dyn Write) -> Result<(), CommandError>,
) -> Result<u64, CommandError> {
    // A link is followed: what it leads to is replaced, not the link.
    let out = &fs::canonicalize(out).unwrap_or_else(|_| out.to_owned());
    let name = out.file_name().unwrap_or(out.as_os_str()).to_string_lossy();
    // A command that is killed leaves this name, which no tool takes for an archive.
    let partial = folder_of(out).join(format!(".{name}.{}.partial", std::process::id()));
    let failed = |error| unwritable(out.display(), &error);
    let mut begun = unfinished.begin((&partial, None), || create(&partial)).map_err(failed)?;
    write(&mut begun.created)?;
    begun.created.sync_all().map_err(failed)?;
    let file = File::open(&partial).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    progress.phase("checking", Some(length));
    let archive = ArchiveFile { file, progress };
    let read = archive.open(0).map_err(ArchiveFailure::Io);
    let read = read.and_then(|file| read_archive(file, &mut ()));
    let read = read.map_err(|failure| archive_error(&out.display().to_string(), &failure))?;
    if read.manifest.as_ref() != Some(manifest) {
        let what = format!("{}: what was written is not what was read back", out.display());
        return Err(CommandError::new(CommandFailure::IoFailed, what));
    }
    #[cfg(debug_assertions)]
    super::local::rehearsed_death(None, "packed");
    begun.finish(|| fs::rename(&partial, out)).map_err(failed)?;
    Ok(length)
}

/// A new file that its owner alone reads: data can be secret.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn not_written(args: &PackArgs, failure: PackFailure) -> CommandError {
    match failure {
        PackFailure::Read(name, error) => {
            CommandError::new(CommandFailure::IoFailed, format!("{name} cannot be read: {error}"))
        }
        PackFailure::Changed(name) => {
            let what = format!("{name} was changed while it was packed; nothing was written");
            CommandError::new(CommandFailure::IoFailed, what).hint("run the command again")
        }
        PackFailure::Write(error) => unwritable(args.out.display(), &error),
    }
}

fn say(
    args: &PackArgs,
    directory: &Directory,
    ready: &Ready<'_>,
    (archive, shown): (&ArchiveFacts, &Shown<'_>),
    output: &Output,
) -> Exit {
    let to = directory.paths().swap_remove(0);
    let accept = if args.accept_not_provable { " --accept-not-provable" } else { "" };
    let next = format!(
        "zkplan snapshot unpack {} -o {}{accept}",
        words_for_shell(&archive.path),
        words_for_shell(&to)
    );
    let files = shown.screen(&ready.seen, output);
    let screen = ArchiveScreen { files, archive, left_out: &ready.left_out, next: &next };
    let text: Text = packed(&screen);
    match args.format {
        TextOrJson::Text if archive.path == STDOUT => {
            output.aside(&text);
            Exit::Done
        }
        TextOrJson::Text => output.screen(&text, Exit::Done),
        TextOrJson::Json => {
            let document = SnapshotDocument::of(&files, None, &text, Exit::Done.code());
            output.raw(&document.to_text(), Exit::Done)
        }
    }
}
