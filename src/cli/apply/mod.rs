//! `zkplan apply`: carry a plan out, or go on with one.
//!
//! `ready` finds out what there is to do, `agreed` shows it and asks, and here the session is opened
//! and the executor works.

mod agreed;
mod backup;
mod first_restart;
mod joiner_files;
mod ready;
mod restarts;
mod steady;
mod typed;

use std::path::PathBuf;
use std::sync::Arc;

use self::agreed::{agreed, approved, is_interactive};
use self::ready::Ready;
use self::steady::Patience;
use self::typed::{again, anew};
use super::args::{ApplyArgs, TextOrJson};
use super::error::{CommandError, exit_of_end, interrupted, no_randomness, unwritable};
use super::events::Events;
use super::exit::Exit;
use super::local::{self, Interrupts, Local};
use super::output::Output;
use super::source::Source;
use super::{live, secret, signature, specs};
use crate::apply::access::Access;
use crate::apply::driver::{RunHost as _, Task, drive};
use crate::apply::executor::Options;
use crate::apply::journal::{Cause, IdentityText, LockText};
use crate::apply::run_store::ApplyIdentity;
use crate::apply::run_view::leaving;
use crate::apply::{Event, Outcome};
use crate::document::Document as _;
use crate::ensemble::{HeldSession, RequestError, SessionTerms, ZooKeeper};
use crate::model::Target;
use crate::observe::Observation;
use crate::plan::Plan;
use crate::prediction::Prediction;
use crate::render::run::report;
use crate::render::{Text, ends};
use crate::report::error::CommandFailure;
use crate::report::run::{RunDocument, RunEnd};
use crate::saved;
use crate::trust::OwnIds;

pub(super) fn run(args: &ApplyArgs, output: &Output) -> Result<Exit, CommandError> {
    let text = specs::read_text(&args.file)?;
    signature::verified(&args.file, &text, &args.signed)?;
    let source = Source::of(&args.file, &text, output)?.reached(&args.access)?;
    let applied = async {
        let interrupts = local::interrupts();
        Box::pin(apply(args, &source, (interrupts, output))).await
    };
    live::block_on(applied)?
}

/// Applies what a file holds.
async fn apply(
    args: &ApplyArgs,
    source: &Source,
    (interrupts, output): (Interrupts, &Output),
) -> Result<Exit, CommandError> {
    let target = source.target();
    let port = live::servers(&target, &source.named())?;
    let agreed = async {
        first_restart::resumed((args, source), (&port, &target), output).await?;
        let ready = match Box::pin(agreed(args, source, &target, &port, output)).await {
            Err(error) if error.is(CommandFailure::Standalone) => {
                first_restart::watched((args, source), (&port, &target), error, output).await?;
                Box::pin(agreed(args, source, &target, &port, output)).await?
            }
            ready => ready?,
        };
        let Some(ready) = ready else {
            return Ok(None);
        };
        // The credential may be what the restarts bring.
        if ready.checked.plan().restarts_servers() {
            return Ok(Some((ready, None)));
        }
        let in_clear = secret::in_clear(&args.access);
        let terms = secret::terms(&target.connect, in_clear, output).await?;
        Ok::<_, CommandError>(Some((ready, Some(terms))))
    };
    // Until then nothing of ours is there, and nothing has to be put in order.
    let agreed = tokio::select! {
        agreed = agreed => agreed?,
        () = local::asked_to_stop(interrupts.clone(), 1) => return Err(interrupted()),
    };
    match agreed {
        Some((ready, None)) => {
            Box::pin(restarts::carry_out((args, source), ready, &port, (interrupts, output))).await
        }
        Some((ready, Some(terms))) => {
            carry_out((args, source), ready, &port, terms, (interrupts, output)).await
        }
        None => Ok(Exit::Done),
    }
}

/// The folder that holds those of the files of joiners, whatever folder a command changes to.
fn joiner_dir(args: &ApplyArgs) -> Option<PathBuf> {
    let dir = args.joiner_dir.as_deref()?;
    Some(std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()))
}

/// The options of a run, as the command line has them.
fn options(args: &ApplyArgs, ready: &Ready, mine: &ApplyIdentity) -> Options {
    Options {
        plan_id: mine.lock.plan_id.clone(),
        who: mine.lock.by.for_whom(&mine.lock.cause),
        approved: approved(args, &ready.accepted),
        interactive: args.auto_approve.is_none() && is_interactive(),
        no_hooks: args.no_hooks,
        joiner_dir: joiner_dir(args),
        timeout_ms: args.timeout.0,
        lock_timeout_ms: args.lock_timeout.map(|time| time.0),
        abandon: args.abandon,
        strict_version: args.strict_version,
        backup: ready.backup.clone(),
    }
}

/// Who applies which plan.
fn mine(args: &ApplyArgs, plan: &Plan, own: OwnIds) -> Result<ApplyIdentity, CommandError> {
    let (Some(by), Some(id)) = (local::stamp(), local::random(16)) else {
        return Err(no_randomness());
    };
    let mut lock = LockText::new(by, "apply", saved::plan_id(plan));
    let actor = local::actor(args.by.as_deref(), |name| std::env::var(name).ok());
    lock.cause = Cause { actor, reason: args.reason.clone() };
    Ok(ApplyIdentity {
        lock,
        identity: IdentityText::new(id, plan.ensemble.clone()),
        folder: plan.connect.folder.clone(),
        own,
    })
}

/// Opens the session and lets the executor work.
async fn carry_out(
    (args, source): (&ApplyArgs, &Source),
    ready: Ready,
    port: &ZooKeeper,
    terms: SessionTerms,
    (interrupts, output): (Interrupts, &Output),
) -> Result<Exit, CommandError> {
    let own = OwnIds::of(terms.auth.as_ref());
    let access = Access::new(terms, source.named());
    let plan = ready.checked.plan();
    let events =
        args.events.as_deref().map(|path| Events::create(path, &plan.ensemble)).transpose();
    let events = events.map_err(|error| unwritable("the file for --events", &error))?;
    let mine = mine(args, plan, own)?;
    let options = options(args, &ready, &mine);
    let plan_id = options.plan_id.clone();
    let prediction = Prediction::of(&ready.checked);
    let path = args.file.display().to_string();
    let again = again(args, &path);
    let steps = plan.steps().count() - ready.done.len();
    let mut local = Local::new(output, interrupts.clone(), events, steps);
    local.keep_secret(&plan.connect);
    let ensemble = plan.ensemble.clone();
    let mut patience = Patience::of(&plan.policy);
    let session = loop {
        match signed_in(port, &access, &ready, &source.target(), output).await? {
            Err(Outcome::Unreachable)
                if patience.is_left("no server accepts a session", output).await => {}
            session => break session,
        }
    };
    let end = match session {
        Ok((session, seen)) => {
            let plan_of = ready.resumes.filter(|_| matches!(source, Source::Spec(_)));
            let checked = Arc::new(ready.checked);
            let task = Task { checked, options, mine, seen, access, plan_of };
            let run = drive(port, &mut local, session, task);
            let mut run = Box::pin(run);
            let mut is_stopping = false;
            // Asked twice, the process ends where it stands.
            loop {
                tokio::select! {
                    end = &mut run => break Some(end),
                    () = local::asked_to_stop(interrupts.clone(), 2) => break None,
                    () = local::asked_to_stop(interrupts.clone(), 1), if !is_stopping => {
                        is_stopping = true;
                        output.interrupted();
                    }
                }
            }
        }
        Err(end) => Some(end),
    };
    local.clear();
    let end = end.unwrap_or_else(|| interrupted_twice(&mut local, output));
    let finished = end == Outcome::Finished;
    let anew = anew(args, source);
    let view = ends::EndScreen {
        end: &end,
        again: &again,
        path: &path,
        plans: &source.plans_after(&end, &args.file),
        anew: anew.as_deref(),
        run: local.report.left_open(),
        width: output.width,
    };
    // Progress has said that a run was abandoned; a document has to say it.
    let is_said = args.format == TextOrJson::Text || local.report.abandoned.is_none();
    if local.report.run.is_none() && !finished && is_said {
        return Err(CommandError::of_end(&view));
    }
    let screen = ends::screen(&view);
    output.aside(&screen);
    let status = source.spec_path(&args.file).map(|spec| format!("zkplan status {spec}"));
    let of = (&ensemble[..], &plan_id[..], &prediction, status.as_deref());
    Ok(ended(args, &local, of, (&end, screen), output))
}

/// The end of an apply that does not wait for a safe place.
fn interrupted_twice(local: &mut Local<'_>, output: &Output) -> Outcome {
    let end = Outcome::Interrupted { unknown: local.report.unknown.clone() };
    local.tell(&Event::Ended(end.clone()));
    if let Some(step) = &local.report.running_hook {
        output.note(&format!("the command of {step} was running and was killed"));
    }
    end
}

/// Prints what came of the apply.
fn ended(
    args: &ApplyArgs,
    local: &Local<'_>,
    (ensemble, plan_id, prediction, status): (&str, &str, &Prediction, Option<&str>),
    (outcome, mut screen): (&Outcome, Text),
    output: &Output,
) -> Exit {
    let exit = exit_of_end(outcome);
    let is_finished = *outcome == Outcome::Finished;
    let of = (ensemble, is_finished, status);
    let report = report(&local.report, prediction, of, output.width);
    if args.format == TextOrJson::Text {
        return output.screen(&report, exit);
    }
    screen.section(report);
    let text = screen.to_string_with(false);
    let (exit_code, elapsed_ms) = (exit.code(), local.now_ms());
    let text = text.trim_end();
    let end = RunEnd { ensemble, plan_id, prediction, outcome, exit_code, elapsed_ms, text };
    output.raw(&RunDocument::of(&local.log, &local.report, end).to_text(), exit)
}

/// The session of the run, on a server that a look has shown just before: the one before the prompt
/// may be old by now.
async fn signed_in(
    port: &ZooKeeper,
    access: &Access,
    ready: &Ready,
    target: &Target,
    output: &Output,
) -> Result<Result<(HeldSession, Observation), Outcome>, CommandError> {
    let seen = if access.user().is_some() {
        live::brief_look(port, target, output).await?
    } else {
        ready.seen.clone()
    };
    // It can have been made since the journal was read: no password is sent for what is not an
    // operator's.
    if let Some(unproven) = seen.folder.unproven() {
        return Ok(Err(Outcome::Unproven(unproven.clone())));
    }
    let recipients = access.recipients(&seen, &leaving(ready.checked.plan()));
    if recipients.is_empty() && access.user().is_some() {
        return Ok(Err(Outcome::NoRecipient { unnamed: access.unnamed(&seen) }));
    }
    Ok(match access.open(port, &seen, &recipients).await {
        Ok(session) => Ok((session, seen)),
        Err(RequestError::InClear) => {
            return Err(secret::in_the_clear("a server that is not on this machine"));
        }
        Err(RequestError::Refused(_)) => {
            Err(Outcome::NotAuthorized { by: recipients, signer: access.signer() })
        }
        Err(_) => Err(Outcome::Unreachable),
    })
}
