//! `zkplan preflight --watch`: follow a rolling restart that a person does.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use super::asker::{Asker, Looked};
use super::error::CommandError;
use super::exit::Exit;
use super::local::{self, Interrupts};
use super::output::Output;
use crate::ensemble::{Ensemble as _, PortState, ZooKeeper};
use crate::model::{Endpoint, ServerId};
use crate::preflight::{Roll, RollAdvice, RollSample, View, is_blocked};
use crate::render::Text;
use crate::render::preflight::watch::{advice, change};

/// From the end of one look to the next.
const BETWEEN: Duration = Duration::from_secs(2);

/// From one connection to a client port to the next: a server that is restarted refuses for a second
/// at least, while its Java starts.
const PORTS: Duration = Duration::from_millis(200);

/// Which client ports are watched, and which refused since they were last asked for.
#[derive(Default)]
struct Refused {
    ports: RefCell<BTreeMap<ServerId, Endpoint>>,
    seen: RefCell<BTreeSet<ServerId>>,
}

/// Looks again and again until nothing fails.
pub(super) async fn watch(
    asker: &Asker<'_>,
    interrupts: Interrupts,
    output: &Output,
) -> Result<(Exit, Option<Looked>), CommandError> {
    let refused = Refused::default();
    tokio::select! {
        looked = looks(asker, &refused, output) => Ok((Exit::Done, Some(looked?))),
        () = refused.watch(asker.port) => Ok((Exit::Error, None)),
        () = local::asked_to_stop(interrupts, 1) => {
            output.note("the watch ends; nothing was changed. The same command resumes it");
            Ok((Exit::Stopped, None))
        }
    }
}

async fn looks(
    asker: &Asker<'_>,
    refused: &Refused,
    output: &Output,
) -> Result<Looked, CommandError> {
    let mut roll = Roll::default();
    let mut said: Option<RollAdvice> = None;
    let is_silent = Cell::new(false);
    loop {
        match asker.look(output).await {
            Ok(looked) => {
                is_silent.set(false);
                let view =
                    View { target: asker.target, seen: &looked.seen, answers: &looked.answers };
                let members = view.seen.servers.values();
                let members = members.filter(|s| view.seen.config.membership.contains(s.id));
                let ports =
                    members.filter_map(|observed| Some((observed.id, observed.endpoint.clone()?)));
                refused.ports.borrow_mut().extend(ports);
                let since = refused.seen.take();
                let sample = RollSample::of(view, &looked.checks, &since);
                let (changes, now) = roll.advance(sample);
                let mut text = Text::new();
                for one in &changes {
                    text.line(change(one));
                }
                if said.as_ref() != Some(&now) {
                    let news = !said.as_ref().is_some_and(RollAdvice::is_forward);
                    text.append(advice(&now, news, output.width));
                }
                output.screen(&text, Exit::Done);
                if now == RollAdvice::AllSet && !is_blocked(&looked.checks) {
                    return Ok(looked);
                }
                said = Some(now);
            }
            // In the middle of a roll that passes; at the beginning there is nothing to watch.
            Err(error) if said.is_some() && error.exit() == Exit::Unreachable => {
                if !is_silent.replace(true) {
                    output.note(&format!("{}; looking again", error.message));
                }
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

impl Refused {
    /// Connects to each client port now and then. Never ends.
    async fn watch(&self, port: &ZooKeeper) {
        loop {
            let ports = self.ports.borrow().clone();
            join_all(ports.iter().map(|(id, at)| async {
                if port.check_port(&at.host, at.port).await == PortState::Refused {
                    self.seen.borrow_mut().insert(*id);
                }
            }))
            .await;
            tokio::time::sleep(PORTS).await;
        }
    }
}
