//! The commands that a plan has run on the operator's machine.

use std::path::{Path, PathBuf};

use crate::model::ServerId;
use crate::plan::{Action, Plan, Restart, Step};

/// The folder of the files of a joiner, below the one that holds those of all joiners.
pub fn joiner_folder(above: &Path, server: ServerId) -> PathBuf {
    above.join(server.to_string())
}

/// The command of a step, with its server's id and host filled in, and the folder of its files, where
/// one is given that holds those of all joiners.
///
/// # Errors
///
/// The server whose host is not plain. A live configuration may contain nearly any text as a host,
/// even a command line or an option.
pub fn argv(
    plan: &Plan,
    step: &Step,
    joiner_dir: Option<&Path>,
) -> Option<Result<Vec<String>, ServerId>> {
    let (command, id, members) = match step.action {
        Action::Restart(Restart { server, .. }) => {
            (plan.hooks.restart.as_ref()?, server, &plan.target)
        }
        Action::Start(id) => (plan.hooks.start.as_ref()?, id, &plan.target),
        Action::Stop(id) => (plan.hooks.stop.as_ref()?, id, &plan.facts.base.membership),
        _ => return None,
    };
    let host = &members.get(id)?.peer().host;
    let names_host = command.iter().any(|word| word.contains("{host}"));
    if names_host && !host.is_argument() {
        return Some(Err(id));
    }
    let host = host.as_str();
    let folder = joiner_dir.map(|above| joiner_folder(above, id).display().to_string());
    let word = |word: &String| {
        let word = word.replace("{id}", &id.to_string()).replace("{host}", host);
        // Last: the folder is the operator's, and may contain anything.
        folder.as_ref().map_or_else(|| word.clone(), |folder| word.replace("{joinerDir}", folder))
    };
    Some(Ok(command.iter().map(word).collect()))
}
