//! Whether the files are there that `hooks.start` gets.

use std::fs;
use std::path::Path;

use super::super::args::ApplyArgs;
use super::super::error::{CommandError, next, sentence};
use super::super::output::Output;
use super::typed::again;
use crate::apply::command_line::joiner_folder;
use crate::check::CheckedPlan;
use crate::model::ServerId;
use crate::plan::{Action, Done};
use crate::render::{words_for_servers, words_for_shell};
use crate::report::error::CommandFailure;

/// Looks for the files of every joiner that a command is still to start, where that command names
/// `{joinerDir}`.
pub(super) fn with_joiner_files(
    args: &ApplyArgs,
    (checked, done): (&CheckedPlan, &Done),
    output: &Output,
) -> Result<(), CommandError> {
    let plan = checked.plan();
    if !plan.hooks.want_joiner_files() {
        return Ok(());
    }
    let left = plan.steps().filter(|step| !done.contains(&step.id));
    let starts = left.filter_map(|step| match step.action {
        Action::Start(id) => Some(id),
        _ => None,
    });
    let starts: Vec<ServerId> = starts.collect();
    if starts.is_empty() {
        return Ok(());
    }
    let path = args.file.display().to_string();
    let Some(dir) = &args.joiner_dir else {
        let what = format!(
            "hooks.start gets the files of {} as {{joinerDir}}, and --joiner-dir is not given; nothing \
             was changed",
            words_for_servers(&starts)
        );
        let hint = format!("write them, then: {} --joiner-dir joiners/", again(args, &path));
        let command = format!("zkplan joiner {} --all -o joiners/", words_for_shell(&path));
        return Err(wanted(&what, hint, &command, output));
    };
    for id in starts {
        let folder = joiner_folder(dir, id);
        let Some(why) = lacks(&folder, id) else { continue };
        let what = format!("{}: {why}; nothing was changed", folder.display());
        let hint = format!("write the files of server {id}, then: {}", again(args, &path));
        let dir = words_for_shell(&dir.display().to_string());
        let command = format!("zkplan joiner {} {id} -o {dir}", words_for_shell(&path));
        return Err(wanted(&what, hint, &command, output));
    }
    Ok(())
}

/// What is wrong with the folder of a joiner.
fn lacks(folder: &Path, id: ServerId) -> Option<String> {
    if !folder.join("zoo.cfg").is_file() {
        return Some(format!("there are no files of server {id}"));
    }
    let my_id = fs::read_to_string(folder.join("myid")).unwrap_or_default();
    (my_id.trim() != id.to_string()).then(|| format!("its myid is not that of server {id}"))
}

fn wanted(what: &str, hint: String, command: &str, output: &Output) -> CommandError {
    let mut screen = sentence(what, std::slice::from_ref(&hint), output.width);
    screen.append(next(command));
    CommandError::new(CommandFailure::JoinerFilesWanted, what).hint(hint).shown_as(screen)
}
