//! `zkplan apply`: carry a plan out, or go on with one.
//!
//! `ready` finds out what there is to do, `agreed` shows it and asks, and here the session is opened
//! and the executor works.

mod agreed;
mod ready;
mod steady;

use std::sync::Arc;

use clap::ValueEnum as _;

use self::agreed::{agreed, approved, is_interactive};
use self::ready::Ready;
use self::steady::Patience;
use super::args::{AccessArgs, ApplyArgs, Approval, DEFAULT_TIMEOUT, TextOrJson};
use super::error::{CommandError, exit_of_end, interrupted, no_randomness, unwritable};
use super::events::Events;
use super::exit::Exit;
use super::local::{self, Interrupts, Local};
use super::output::Output;
use super::source::{Source, accepts};
use super::{live, secret};
use crate::apply::access::{Access, Signer};
use crate::apply::driver::{RunHost as _, Task, drive};
use crate::apply::executor::Options;
use crate::apply::journal::{IdentityText, LockText};
use crate::apply::run_store::ApplyIdentity;
use crate::apply::run_view::leaving;
use crate::apply::{Event, Outcome};
use crate::document::Document as _;
use crate::ensemble::{HeldSession, RequestError, SessionFactory, SessionTerms, ZooKeeper};
use crate::model::{Endpoint, Target};
use crate::observe::Observation;
use crate::plan::Plan;
use crate::render::run::report;
use crate::render::{Text, ends, words_for_shell};
use crate::report::error::CommandFailure;
use crate::report::run::{RunDocument, RunEnd};
use crate::saved;
use crate::trust::OwnIds;

/// What to do where a command wants the files of a joiner.
pub(super) const WITHOUT_JOINER_FILES: &str = "this version writes no files for joiners. Write \
                                               zoo.cfg with the lines that zkplan plan shows, and \
                                               myid with the id, before the apply, and let the \
                                               command start the server from them. {host} and \
                                               {id} say which server";

pub(super) fn run(args: &ApplyArgs, output: &Output) -> Result<Exit, CommandError> {
    let source = Source::read(&args.file, output)?.reached(&args.access)?;
    if source.target().hooks.want_joiner_files() {
        let what = format!("{}: a command names {{joinerDir}}", args.file.display());
        return Err(
            CommandError::new(CommandFailure::JoinerFilesWanted, what).hint(WITHOUT_JOINER_FILES)
        );
    }
    let apply = async {
        let interrupts = local::interrupts();
        Box::pin(apply_with(args, &source, None, (interrupts, output))).await
    };
    live::block_on(apply)?
}

/// Applies what a file holds, on a session of these terms; of those that the spec tells where there
/// are none.
pub(super) async fn apply_with(
    args: &ApplyArgs,
    source: &Source,
    terms: Option<SessionTerms>,
    (interrupts, output): (Interrupts, &Output),
) -> Result<Exit, CommandError> {
    let spec = source.target();
    let port = live::servers(&spec, &source.named())?;
    let agreed = async {
        let ready = agreed(args, source, &spec, &port, output).await?;
        let terms = match (terms, &ready) {
            (None, Some(_)) => {
                let in_clear = secret::in_clear(&args.access);
                Some(secret::terms(&spec.connect, in_clear, output).await?)
            }
            (terms, _) => terms,
        };
        Ok::<_, CommandError>(ready.zip(terms))
    };
    // Until then nothing of ours is there, and nothing has to be put in order.
    let agreed = tokio::select! {
        agreed = agreed => agreed?,
        () = local::asked_to_stop(interrupts.clone(), 1) => return Err(interrupted()),
    };
    match agreed {
        Some((ready, terms)) => {
            carry_out((args, source), ready, &port, terms, (interrupts, output)).await
        }
        None => Ok(Exit::Done),
    }
}

/// The options of a run, as the command line has them.
fn options(args: &ApplyArgs, mine: &ApplyIdentity) -> Options {
    Options {
        plan_id: mine.lock.plan_id.clone(),
        who: format!("{}@{}", mine.lock.by.who, mine.lock.by.host),
        approved: approved(args),
        interactive: !args.auto_approve && is_interactive(),
        no_hooks: args.no_hooks,
        timeout_ms: args.timeout.0,
        lock_timeout_ms: args.lock_timeout.map(|time| time.0),
        abandon: args.abandon,
        strict_version: args.strict_version,
    }
}

/// Who applies which plan.
fn mine(plan: &Plan, own: OwnIds) -> Result<ApplyIdentity, CommandError> {
    let (Some(by), Some(id)) = (local::stamp(), local::random(16)) else {
        return Err(no_randomness());
    };
    Ok(ApplyIdentity {
        lock: LockText::new(by, "apply", saved::plan_id(plan)),
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
    let mine = mine(plan, own)?;
    let options = options(args, &mine);
    let plan_id = options.plan_id.clone();
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
        plans: &source.plans(&args.file),
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
    Ok(ended(args, &local, (&ensemble, &plan_id), (&end, screen), output))
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
    (ensemble, plan_id): (&str, &str),
    (outcome, mut screen): (&Outcome, Text),
    output: &Output,
) -> Exit {
    let exit = exit_of_end(outcome);
    let is_finished = *outcome == Outcome::Finished;
    let report = report(&local.report, ensemble, is_finished, output.width);
    if args.format == TextOrJson::Text {
        return output.screen(&report, exit);
    }
    screen.section(report);
    let text = screen.to_string_with(false);
    let (exit_code, elapsed_ms) = (exit.code(), local.now_ms());
    let text = text.trim_end();
    let end = RunEnd { ensemble, plan_id, outcome, exit_code, elapsed_ms, text };
    output.raw(&RunDocument::of(&local.log, &local.report, end).to_text(), exit)
}

/// The command that resumes, as it is typed.
///
/// What was approved, and which run was given up, is left out: it was said of that moment, and
/// the next apply checks again.
fn again(args: &ApplyArgs, path: &str) -> String {
    let accepted: String = args.accept.iter().map(accepts).collect();
    format!("zkplan apply {}{accepted}{}", words_for_shell(path), kept(args))
}

/// The command that applies what the spec wants now, as it is typed: that of the file, or of the
/// spec that a saved plan was made from, where that is there.
fn anew(args: &ApplyArgs, source: &Source) -> Option<String> {
    let spec = source.spec_path(&args.file)?;
    let more = args.accept.iter().filter(|risk| !source.accepted().contains(risk));
    let accepted: String = source.accepted().iter().chain(more).map(accepts).collect();
    Some(format!("zkplan apply {spec}{accepted}{}", kept(args)))
}

/// The command as it was typed, but for who approves: where nothing came of it yet.
fn typed(args: &ApplyArgs) -> String {
    let approved = args.approve.iter().map(|approval| match approval {
        Approval::Cutover => " --approve cutover".to_owned(),
        Approval::Stop => " --approve stop".to_owned(),
        Approval::Blank(id) => format!(" --approve attest-{id}"),
    });
    let abandoned = args.abandon.map(|number| format!(" --abandon {number}"));
    let further: String = approved.chain(abandoned).collect();
    again(args, &args.file.display().to_string()) + &further
}

/// The flags that hold for another try too.
fn kept(args: &ApplyArgs) -> String {
    let flag = |is_given: bool, flag: &str| is_given.then(|| format!(" {flag}"));
    let timeout = Some(args.timeout).filter(|time| *time != DEFAULT_TIMEOUT);
    let flags = timeout
        .map(|time| format!(" --timeout {time}"))
        .into_iter()
        .chain(args.lock_timeout.map(|time| format!(" --lock-timeout {time}")))
        .chain(flag(args.no_hooks, "--no-hooks"))
        .chain(flag(args.strict_version, "--strict-version"))
        .chain(accessed(&args.access));
    flags.collect()
}

/// How the ensemble is reached, as it is typed.
fn accessed(args: &AccessArgs) -> impl Iterator<Item = String> {
    let AccessArgs { connect, auth, user, password_file, allow_cleartext_auth } = args;
    let connect = (!connect.is_empty()).then(|| format!(" --connect {}", connect.join(",")));
    let auth =
        auth.and_then(|auth| Some(format!(" --auth {}", auth.to_possible_value()?.get_name())));
    let user = user.as_ref().map(|user| format!(" --user {}", words_for_shell(user)));
    let path = password_file.as_ref().map(|path| path.display().to_string());
    let path = path.map(|path| format!(" --password-file {}", words_for_shell(&path)));
    let clear = allow_cleartext_auth.then(|| " --allow-cleartext-auth".to_owned());
    [connect, auth, user, path, clear].into_iter().flatten()
}

/// The session of the run, on a server that a look has shown just before: the one before the prompt
/// may be old by now.
async fn signed_in(
    port: &ZooKeeper,
    access: &Access,
    ready: &Ready,
    spec: &Target,
    output: &Output,
) -> Result<Result<(HeldSession, Observation), Outcome>, CommandError> {
    let seen = if access.user().is_some() {
        live::look(port, spec, output).await?
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

/// A session without credentials, on the first server that gives one; servers that stay come first.
pub(super) async fn open<P: SessionFactory>(
    port: &P,
    servers: &[Endpoint],
    terms: &SessionTerms,
) -> Result<P::Session, Outcome> {
    for at in servers {
        match port.open(at, terms).await {
            Ok(session) => return Ok(session),
            Err(RequestError::Refused(_)) => {
                return Err(Outcome::NotAuthorized { by: Vec::new(), signer: Signer::Anonymous });
            }
            Err(_) => {}
        }
    }
    Err(Outcome::Unreachable)
}

pub(super) fn refuse(
    (args, source): (&ApplyArgs, &Source),
    end: &Outcome,
    output: &Output,
) -> CommandError {
    let path = args.file.display().to_string();
    let again = again(args, &path);
    CommandError::of_end(&ends::EndScreen {
        end,
        again: &again,
        path: &path,
        plans: &source.plans(&args.file),
        anew: anew(args, source).as_deref(),
        run: None,
        width: output.width,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::args::{ApplyArgs, Cli, Command};

    fn args(words: &str) -> ApplyArgs {
        let typed = format!("zkplan apply plan.yaml{words}");
        let cli = Cli::try_parse_from(typed.split_whitespace()).expect("a command line");
        let Command::Apply(args) = cli.command else { panic!("{typed}") };
        args
    }

    fn again(words: &str) -> String {
        super::again(&args(words), "plan.yaml")
    }

    #[test]
    fn the_next_command_keeps_what_still_holds() {
        let kept = " --accept ZKQ2:join-2 --timeout 90s --lock-timeout 1m --no-hooks \
                    --strict-version --connect zk1:2181,zk2:2181 --auth sasl --user super --password-file pw \
                    --allow-cleartext-auth";
        assert_eq!(again(kept), format!("zkplan apply plan.yaml{kept}"));
        let said_once = " --approve cutover --auto-approve --abandon 3 --events e --timeout 10m";
        assert_eq!(again(said_once), "zkplan apply plan.yaml");
        let typed = |words: &str| super::typed(&args(words));
        let asked = " --timeout 90s --approve cutover --approve attest-4 --abandon 3";
        assert_eq!(typed(&format!("{asked} --events e")), format!("zkplan apply plan.yaml{asked}"));
    }
}
