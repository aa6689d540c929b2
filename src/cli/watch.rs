//! `zkplan preflight --watch`: follow a rolling restart that a person does.

use std::time::Duration;

use super::asker::{Asker, Looked};
use super::client_ports::ClientPorts;
use super::error::CommandError;
use super::exit::Exit;
use super::local::{self, Interrupts};
use super::output::Output;
use crate::preflight::{Roll, RollAdvice, RollSample, View, is_blocked};
use crate::render::Text;
use crate::render::preflight::watch::{advice, change};

/// From the end of one look to the next, while a server is on its way.
const SOON: Duration = Duration::from_secs(2);

/// From the end of one look to the next, while nothing happens: a look leaves lines in the logs of the
/// servers. A server that stops or runs again is looked at at once.
const BETWEEN: Duration = Duration::from_secs(15);

/// Looks again and again until nothing fails.
pub(super) async fn watch(
    asker: &Asker<'_>,
    interrupts: Interrupts,
    output: &Output,
) -> Result<(Exit, Option<Looked>), CommandError> {
    let ports = ClientPorts::default();
    tokio::select! {
        looked = looks(asker, &ports, output) => Ok((Exit::Done, Some(looked?))),
        () = ports.watch(asker.port) => Ok((Exit::Error, None)),
        () = local::asked_to_stop(interrupts, 1) => {
            output.note("the watch ends; nothing was changed. The same command resumes it");
            Ok((Exit::Stopped, None))
        }
    }
}

async fn looks(
    asker: &Asker<'_>,
    ports: &ClientPorts,
    output: &Output,
) -> Result<Looked, CommandError> {
    let mut roll = Roll::default();
    let mut said: Option<RollAdvice> = None;
    let mut is_silent = false;
    loop {
        ports.set_busy(true);
        let looked = asker.look(output).await;
        ports.set_busy(false);
        match looked {
            Ok(looked) => {
                is_silent = false;
                let (seen, answers) = (&looked.seen, &looked.answers);
                let view = View { target: asker.target, seen, answers, files: asker.files };
                let members = view.seen.servers.values();
                let members = members.filter(|s| view.seen.config.membership.contains(s.id));
                ports.set(members.filter_map(|one| Some((one.id, one.endpoint.clone()?))));
                let sample = RollSample::of(view, &looked.checks, &ports.take_refused());
                let (changes, now) = roll.advance(sample);
                let mut text = Text::new();
                for one in &changes {
                    text.paragraph("", change(one), output.width);
                }
                let is_set = now == RollAdvice::AllSet && !is_blocked(&looked.checks);
                if said.as_ref() != Some(&now) {
                    let news = !said.as_ref().is_some_and(RollAdvice::is_forward);
                    text.append(advice(&now, news, output.width));
                }
                output.screen(&text, Exit::Done);
                if is_set {
                    // The last look tries every port.
                    asker.port.forget_open_ports();
                    return asker.look(output).await;
                }
                said = Some(now);
            }
            // In the middle of a roll that passes; at the beginning there is nothing to watch.
            Err(error) if said.is_some() && error.exit() == Exit::Unreachable => {
                if !is_silent {
                    output.note(&format!("{}; looking again", error.message));
                }
                is_silent = true;
            }
            Err(error) => return Err(error),
        }
        let is_soon = is_silent || matches!(said, Some(RollAdvice::Wait { .. }));
        tokio::select! {
            () = tokio::time::sleep(if is_soon { SOON } else { BETWEEN }) => {}
            () = ports.changed() => {}
        }
    }
}
