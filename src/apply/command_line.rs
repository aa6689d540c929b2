//! The commands that a plan has run on the operator's machine.

use crate::model::ServerId;
use crate::plan::{Action, Plan, Restart, Step};

/// The command of a step, with its server's id and host filled in.
///
/// # Errors
///
/// The server whose host is not plain. A live configuration may contain nearly any text as a host,
/// even a command line or an option.
pub fn argv(plan: &Plan, step: &Step) -> Option<Result<Vec<String>, ServerId>> {
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
    let word = |word: &String| word.replace("{id}", &id.to_string()).replace("{host}", host);
    Some(Ok(command.iter().map(word).collect()))
}
