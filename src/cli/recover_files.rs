//! The folder of a new ensemble: files, a copy of the data, and a spec, whole or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::data_directory::{VERSION, unreadable};
use super::error::{CommandError, unwritable};
use super::joiner::put;
use super::server_files::Directory;
use crate::apply::command_line::joiner_folder;
use crate::recovery::{RecoveryPlan, Survivor};
use crate::report::error::CommandFailure;
use crate::snapshot::{ArchivePart, DataVerdict, verify};
use crate::spec::{self, Spec};

/// What a new ensemble begins with.
pub(super) struct Begun<'a> {
    pub(super) plan: &'a RecoveryPlan,
    pub(super) spec: &'a Spec,
    /// The directory that is taken, and what is known of it.
    pub(super) from: &'a Directory,
    pub(super) survivor: &'a Survivor,
}

/// Whether the folder can be filled: it is empty or not there, and in none of the old directories.
pub(super) fn may_write<'a>(
    out: &Path,
    old: impl IntoIterator<Item = &'a Directory>,
) -> Result<(), CommandError> {
    let unusable = |what: String| {
        CommandError::new(CommandFailure::FileNotUsable, what)
            .hint("give a folder that is empty or not there yet: -o DIR")
    };
    match fs::read_dir(out) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(unusable(format!(
                    "{} is not empty. Nothing was written",
                    out.display()
                )));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(unreadable(out, &error)),
    }
    let whole = std::path::absolute(out).map_err(|error| unwritable(out.display(), &error))?;
    let there = whole.ancestors().find_map(|path| fs::canonicalize(path).ok());
    if there.is_some_and(|there| old.into_iter().any(|directory| directory.holds(&there))) {
        let what = format!(
            "{} is in the data directory of an old server, which is only read. Nothing was written",
            out.display()
        );
        return Err(unusable(what));
    }
    Ok(())
}

/// What was begun goes with this value, unless it is kept.
struct Partial {
    folder: PathBuf,
    /// The folder above it, where it was made here.
    made: Option<PathBuf>,
}

impl Drop for Partial {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
        if let Some(made) = &self.made {
            // Only what is empty is removed.
            drop(fs::remove_dir(made));
        }
    }
}

/// Writes everything: the copy is read back before it gets its name, and the spec comes last.
pub(super) fn lay_down(out: &Path, begun: &Begun<'_>) -> Result<(), CommandError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| unwritable(&path, &error)
    };
    let made = match fs::create_dir(out) {
        Ok(()) => Some(out.to_owned()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => None,
        Err(error) => return Err(unwritable(out.display(), &error)),
    };
    let folder = out.join(format!(".zkplan-recover.{}", std::process::id()));
    let mut partial = Partial { folder: folder.clone(), made };
    let data = folder.join(VERSION);
    fs::create_dir(&folder).map_err(failed(&folder))?;
    fs::create_dir(&data).map_err(failed(&data))?;
    for part in &begun.survivor.parts {
        let to = data.join(&part.file.name);
        copy(begun.from, part, &to).map_err(failed(&to))?;
    }
    let voter = &begun.plan.voter;
    for (name, epoch) in
        [("currentEpoch", voter.current_epoch), ("acceptedEpoch", voter.accepted_epoch)]
    {
        let to = data.join(name);
        write(&to, epoch.to_string().as_bytes()).map_err(failed(&to))?;
    }
    for file in begun.plan.files.files() {
        let to = folder.join(file.name);
        put(&to, &file).map_err(failed(&to))?;
    }
    is_the_same(&folder, begun.survivor)?;
    let own = joiner_folder(out, voter.server.id);
    fs::rename(&folder, &own).map_err(failed(&own))?;
    partial.made = None;
    let spec = out.join(&begun.plan.spec);
    let remarks = [format!(
        "Written by zkplan recover. The first voter is server {}, with the data of server {}. Add servers \
         with ids above {}; then zkplan joiner, plan and apply.",
        voter.server.id, begun.survivor.id, voter.server.id
    )];
    write(&spec, spec::write(begun.spec, &remarks).as_bytes()).map_err(failed(&spec))?;
    File::open(out).and_then(|out| out.sync_all()).map_err(failed(out))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Copies the part of a file that is needed.
fn copy(from: &Directory, part: &ArchivePart, to: &Path) -> io::Result<()> {
    let mut file = File::create_new(to)?;
    let copied = io::copy(&mut from.opened(&part.file)?.take(part.keep), &mut file)?;
    if copied != part.keep {
        return Err(io::Error::other(format!("{} has changed meanwhile", part.file.name)));
    }
    io::copy(&mut io::repeat(0).take(part.zeros), &mut file)?;
    file.sync_all()
}

/// Reads the copy back: it has to be worth what the old directory is worth.
fn is_the_same(folder: &Path, survivor: &Survivor) -> Result<(), CommandError> {
    let copy = Directory::of(folder, None);
    let seen = verify(&copy.listing()?, &copy);
    let is_as_good = match survivor.verdict {
        DataVerdict::Whole => seen.verdict == DataVerdict::Whole,
        DataVerdict::NotProvable | DataVerdict::Damaged => seen.verdict != DataVerdict::Damaged,
    };
    let last = survivor.history.map(|history| history.zxid);
    if is_as_good && seen.last_zxid == last {
        return Ok(());
    }
    let what = "the copy of the data is not what was read before. Nothing was written";
    Err(CommandError::new(CommandFailure::IoFailed, what)
        .hint("check that no server writes to the directory, and the disk; then run it again"))
}
