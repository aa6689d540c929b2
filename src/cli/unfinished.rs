//! What a command has not finished is removed, also where a signal ends the command.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::CommandError;
use super::exit::Exit;
use super::live;
use super::local::{asked_to_stop, interrupts};
use crate::report::error::CommandFailure;

/// How far the work is.
#[derive(Default)]
enum Progress {
    /// Nothing was written yet.
    #[default]
    Nothing,
    /// This was begun and is not whole.
    Begun(Leftover),
    /// The result has its name, or what was begun is removed.
    Finished,
    /// A signal came first.
    Interrupted,
}

/// What has to go where the work does not end well.
struct Leftover {
    /// A file, or a folder with all that is in it.
    partial: PathBuf,
    /// A folder that was made for the result. It goes only if it is empty.
    made: Option<PathBuf>,
}

impl Leftover {
    fn remove(&self) {
        if self.partial.is_dir() {
            // Under another name first: the work may be creating files in it.
            let mut gone = self.partial.clone().into_os_string();
            gone.push(".removed");
            let is_renamed = fs::rename(&self.partial, &gone).is_ok();
            drop(fs::remove_dir_all(if is_renamed { Path::new(&gone) } else { &self.partial }));
        } else {
            drop(fs::remove_file(&self.partial));
        }
        if let Some(made) = &self.made {
            drop(fs::remove_dir(made));
        }
    }
}

/// Something that is written beside its place. It is removed unless it was finished.
#[derive(Clone, Default)]
pub(super) struct Unfinished(Arc<Mutex<Progress>>);

impl Unfinished {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins: `create` makes what `partial` names. `made` is a folder that was made for the result.
    pub(super) fn begin<T>(
        &self,
        (partial, made): (&Path, Option<&Path>),
        create: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<Begun<'_, T>> {
        let mut progress = self.lock();
        if matches!(*progress, Progress::Interrupted) {
            return Err(io::Error::other("interrupted"));
        }
        let leftover = Leftover { partial: partial.to_owned(), made: made.map(Path::to_owned) };
        let created = create()?;
        *progress = Progress::Begun(leftover);
        Ok(Begun { unfinished: self, created })
    }

    /// Removes what was begun, because a signal came. `false` where the work is finished.
    fn interrupt(&self) -> bool {
        let mut progress = self.lock();
        match &*progress {
            Progress::Finished => return false,
            Progress::Begun(leftover) => leftover.remove(),
            Progress::Nothing | Progress::Interrupted => {}
        }
        *progress = Progress::Interrupted;
        true
    }
}

/// What was begun. Where it goes out of scope before it is finished, it is removed.
pub(super) struct Begun<'a, T> {
    unfinished: &'a Unfinished,
    /// What was created.
    pub(super) created: T,
}

impl<T> Begun<'_, T> {
    /// Gives the result its name, which no signal interrupts.
    pub(super) fn finish(&self, name: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut progress = self.unfinished.lock();
        if matches!(*progress, Progress::Interrupted) {
            return Err(io::Error::other("interrupted"));
        }
        name()?;
        if let Progress::Begun(leftover) = std::mem::replace(&mut *progress, Progress::Finished) {
            leftover.remove();
        }
        Ok(())
    }
}

impl<T> Drop for Begun<'_, T> {
    fn drop(&mut self) {
        let mut progress = self.unfinished.lock();
        if let Progress::Begun(leftover) = &*progress {
            leftover.remove();
            *progress = Progress::Finished;
        }
    }
}

/// Does work that SIGINT, SIGTERM and SIGHUP end at any moment. `nothing` says what there is not then.
pub(super) fn until_interrupted(
    nothing: String,
    work: impl FnOnce(&Unfinished) -> Result<Exit, CommandError> + Send + 'static,
) -> Result<Exit, CommandError> {
    let unfinished = Unfinished::default();
    let of_work = unfinished.clone();
    live::block_on(async move {
        let interrupts = interrupts();
        let mut work = tokio::task::spawn_blocking(move || work(&of_work));
        let ended = tokio::select! {
            ended = &mut work => ended,
            () = asked_to_stop(interrupts, 1) => {
                if unfinished.interrupt() {
                    let what = format!("interrupted; {nothing}");
                    return Err(CommandError::new(CommandFailure::Interrupted, what)
                        .hint("run the command again"));
                }
                work.await
            }
        };
        ended.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    })?
}
