//! `zkplan apply`: carry a plan out, or go on with one.

use std::path::Path;
use std::sync::Arc;

use super::args::{ApplyArgs, Approval};
use super::events::Events;
use super::exit::Exit;
use super::local::{self, Interrupts, Local};
use super::output::Output;
use super::source::Source;
use super::{live, plan, secret};
use crate::apply::driver::{Surroundings as _, Task, drive, known_endpoints, leaving_now};
use crate::apply::journal::{HookEnd, IdentityText, LockText, Run};
use crate::apply::judge::{Approved, Judge, Memory, Verdict};
use crate::apply::keeper::{Mine, latest_runs, read_lock, read_plan};
use crate::apply::machine::Options;
use crate::apply::position::implied;
use crate::apply::sight::{self, leaving};
use crate::apply::stale::{Fresh, Now, fresh};
use crate::apply::{End, Event, Stale};
use crate::check::{self, CheckedPlan};
use crate::diff::diff;
use crate::ensemble::{Control, Failure, Session, SessionTerms, ZooKeeper};
use crate::model::{Endpoint, ServerId};
use crate::observe::{Facts, Observation, Question, observe};
use crate::plan::{Action, Done, PhaseKind};
use crate::proposal::propose;
use crate::render::plan::{Origin, PlanFile, Screen, SpecFile, screen};
use crate::render::run::report;
use crate::render::{Line, Style, Text, ends, refusal, unreachable, words_for_shell};
use crate::saved;
use crate::spec::Spec;

/// So many of the latest runs tell who made a version.
const LATEST_RUNS: usize = 3;

/// Everything that is known before anything of ours is made.
struct Ready {
    checked: CheckedPlan,
    seen: Observation,
    done: Done,
    /// The run that is gone on with.
    resumes: Option<u64>,
    servers: Vec<Endpoint>,
}

pub(super) fn run(args: &ApplyArgs, output: &Output) -> Exit {
    let source = match Source::read(&args.file, output) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    if matches!(source, Source::Plan(_)) && !args.accept.is_empty() {
        output
            .error("--accept goes with a spec", "a saved plan holds the risks that were accepted");
        return Exit::Usage;
    }
    let apply = async {
        let interrupts = local::interrupts();
        apply_with(args, &source, None, (interrupts, output)).await
    };
    match live::block_on(output, apply) {
        Ok(Ok(exit) | Err(exit)) | Err(exit) => exit,
    }
}

/// Applies what a file holds, on a session of these terms; of those that the spec tells where there
/// are none.
pub(super) async fn apply_with(
    args: &ApplyArgs,
    source: &Source,
    terms: Option<SessionTerms>,
    (interrupts, output): (Interrupts, &Output),
) -> Result<Exit, Exit> {
    let spec = source.spec();
    let port = live::servers(spec.connect.tls.as_ref(), output)?;
    let agreed = async {
        let ready = agreed(args, source, &spec, &port, output).await?;
        let terms = match (terms, &ready) {
            (None, Some(_)) => Some(secret::terms(&spec.connect, output).await?),
            (terms, _) => terms,
        };
        Ok(ready.zip(terms))
    };
    // Until then nothing of ours is there, and nothing has to be put in order.
    let agreed = tokio::select! {
        agreed = agreed => agreed?,
        () = local::asked_to_stop(interrupts.clone(), 1) => {
            output.error("interrupted; nothing was changed", "");
            return Err(Exit::Stopped);
        }
    };
    match agreed {
        Some((ready, terms)) => carry_out(args, ready, &port, &terms, (interrupts, output)).await,
        None => Ok(Exit::Done),
    }
}

/// Everything that comes before the session of the run: look, plan, show, ask. `None` where there is
/// nothing to do.
async fn agreed(
    args: &ApplyArgs,
    source: &Source,
    spec: &Spec,
    port: &ZooKeeper,
    output: &Output,
) -> Result<Option<Ready>, Exit> {
    let Some(ready) = ready(args, source, spec, port, output).await? else { return Ok(None) };
    if wants_joiner_files(&args.file, &ready.checked, output) {
        return Err(Exit::Data);
    }
    show(args, source, spec, &ready, output);
    if let Some(end) = closed_gate(args, &ready, port).await {
        return Err(refuse(args, &end, output));
    }
    if !args.auto_approve {
        approve(&ready, output).await?;
    }
    let question = Question::of(spec);
    let wanted = question.wanted.into_values().filter_map(|wanted| wanted.endpoint);
    let servers: Vec<Endpoint> = ready.servers.iter().cloned().chain(wanted).collect();
    secret::may_travel(port, &spec.connect, &servers, args.allow_cleartext_auth, output).await?;
    Ok(Some(ready))
}

/// The gate that would stop the run before it has sent anything, so that nothing is held for it.
async fn closed_gate(args: &ApplyArgs, ready: &Ready, port: &ZooKeeper) -> Option<End> {
    let plan = ready.checked.plan();
    let next = plan.next_steps(&ready.done, ready.seen.leader);
    let gate = next.first().filter(|step| matches!(step.action, Action::Gate(_)))?;
    if !args.auto_approve && is_interactive() {
        return None;
    }
    let spec = sight::spec_of(plan);
    let mut sight = sight::sight(plan, &spec, &ready.seen);
    let known = known_endpoints(plan, &ready.seen);
    sight.leaving = leaving_now(port, &leaving(plan), &known, None).await;
    let judge = Judge {
        checked: &ready.checked,
        sight: &sight,
        memory: &Memory::default(),
        approved: &approved(args),
        no_hooks: args.no_hooks,
        now_ms: 0,
    };
    match judge.step(PhaseKind::Gate, gate) {
        Verdict::Ask(end) => Some(end),
        _ => None,
    }
}

fn approved(args: &ApplyArgs) -> Approved {
    let mut approved = Approved::default();
    for approval in &args.approve {
        match approval {
            Approval::Cutover => approved.cutover = true,
            Approval::Stop => approved.stop = true,
            Approval::Blank(id) => drop(approved.blank.insert(ServerId::new(*id))),
        }
    }
    approved
}

/// The options of a run, as the command line has them.
fn options(args: &ApplyArgs, mine: &Mine) -> Options {
    Options {
        plan_id: mine.lock.plan_id.clone(),
        nonce: mine.lock.by.nonce.clone(),
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

/// Whether somebody is there to be asked.
fn is_interactive() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Who applies which plan.
fn mine(plan_id: String, ensemble: &str, output: &Output) -> Result<Mine, Exit> {
    let (Some(by), Some(id)) = (local::stamp(), local::random(16)) else {
        output.error("this machine gives no random numbers", "");
        return Err(Exit::Error);
    };
    let lock = LockText { by, operation: "apply".to_owned(), plan_id };
    Ok(Mine { lock, identity: IdentityText { id, ensemble: ensemble.to_owned() } })
}

/// Opens the session and lets the executor work.
async fn carry_out(
    args: &ApplyArgs,
    ready: Ready,
    port: &ZooKeeper,
    terms: &SessionTerms,
    (interrupts, output): (Interrupts, &Output),
) -> Result<Exit, Exit> {
    let plan = ready.checked.plan();
    let events = args.events.as_deref().map(Events::create).transpose().map_err(|error| {
        output.error(&format!("the file for --events cannot be written: {error}"), "");
        Exit::Error
    })?;
    let mine = mine(saved::plan_id(plan), &plan.ensemble, output)?;
    let options = options(args, &mine);
    let path = args.file.display().to_string();
    let again = again(args, &path);
    let steps = plan.steps().count() - ready.done.len();
    let names = (path.clone(), again.clone());
    let mut local = Local::new(output, interrupts.clone(), events, steps, names);
    local.keep_secret(&plan.connect);
    let ensemble = plan.ensemble.clone();
    let end = match open(port, &ready.servers, terms).await {
        Ok(session) => {
            let task = Task { checked: Arc::new(ready.checked), options, mine, seen: ready.seen };
            let run = drive(port, &mut local, session, task);
            // Asked twice, the process ends where it stands.
            tokio::select! {
                end = run => Some(end),
                () = local::asked_to_stop(interrupts, 2) => None,
            }
        }
        Err(end) => Some(end),
    };
    local.clear();
    let end = end.unwrap_or_else(|| {
        let end = End::Interrupted { unknown: local.report.unknown.clone() };
        local.tell(&Event::Ended(end.clone()));
        if let Some(step) = &local.report.running_hook {
            output.note(&format!("the command of {step} was running and was ended"));
        }
        end
    });
    let finished = end == End::Finished;
    let exit = exit_of(&end);
    output.aside(&ends::screen(&ends::Screen {
        end: &end,
        again: &again,
        path: &path,
        width: output.width,
    }));
    if local.report.run.is_none() && !finished {
        return Ok(exit);
    }
    Ok(output.screen(&report(&local.report, &ensemble, finished, output.width), exit))
}

/// The command that goes on, as it is typed.
fn again(args: &ApplyArgs, path: &str) -> String {
    let accepted = args.accept.iter();
    let accepted: Vec<String> =
        accepted.map(|risk| format!(" --accept {}", plan::written(risk))).collect();
    format!("zkplan apply {}{}", words_for_shell(path), accepted.concat())
}

/// A session on the first server that gives one; servers that stay come first.
async fn open<P: Control>(
    port: &P,
    servers: &[Endpoint],
    terms: &SessionTerms,
) -> Result<P::Session, End> {
    for at in servers {
        match port.open(at, terms).await {
            Ok(session) => return Ok(session),
            Err(Failure::Refused(_)) => return Err(End::NotAuthorized),
            Err(_) => {}
        }
    }
    Err(End::Unreachable)
}

/// Looks, reads the journal, and makes or takes the plan; `None` where nothing is to be done.
async fn ready(
    args: &ApplyArgs,
    source: &Source,
    spec: &Spec,
    port: &ZooKeeper,
    output: &Output,
) -> Result<Option<Ready>, Exit> {
    let seen = observe(port, &Question::of(spec)).await.map_err(|error| {
        output.aside(&unreachable::screen(&spec.ensemble, &error, output.width));
        live::exit_of(&error)
    })?;
    let servers = sessions_at(&seen, spec);
    let Journal { runs, stored, lock } = journal(port, &servers, spec, output).await?;
    let open = runs.last().filter(|run| run.is_open() && args.abandon != Some(run.number));
    let facts = Facts::of(&seen, spec);
    let (checked, resumes) = match (source, open, stored) {
        (_, Some(run), Some(stored)) if goes_on(source, run, &stored, &facts, spec) => {
            // How the ensemble is reached, and as whom, is the business of whoever goes on.
            (stored.reached_by(&spec.connect, &spec.reach()), Some(run.number))
        }
        (_, Some(_), _) if lock.is_some() => return Err(refuse(args, &End::Locked(lock), output)),
        (_, Some(run), _) => {
            let plan_id = run.header.plan_id.clone();
            let end = End::OtherRun { number: run.number, plan_id };
            return Err(refuse(args, &end, output));
        }
        (Source::Plan(checked), None, _) => ((**checked).clone(), None),
        (Source::Spec(spec), None, _) => {
            let checked = propose(spec, &facts, &args.accept).map_err(|refusal| {
                let path = args.file.display().to_string();
                output.aside(&refusal::screen(&refusal::Screen {
                    spec: SpecFile { path: &path, spec },
                    observation: Some(&seen),
                    refusal: &refusal,
                    width: output.width,
                }));
                plan::exit_of_breaches(&refusal.breaches)
            })?;
            (checked, None)
        }
    };
    let now =
        Now { config: &seen.config, identity: &seen.identity, zxid: seen.leader_zxid, runs: &runs };
    let Fresh { done, version_moved: _ } =
        fresh(checked.plan(), now, args.strict_version && resumes.is_none())
            .map_err(|stale| refuse(args, &End::Stale(stale), output))?;
    let mut done = implied(checked.plan(), &done);
    if let Some(run) = open.filter(|_| resumes.is_some()) {
        done.extend(run.settled());
    }
    if resumes.is_none() {
        let gives_up = runs.iter().any(|run| run.is_open() && args.abandon == Some(run.number));
        if is_complete(&checked, &done) && !gives_up {
            return Ok(nothing_to_do(args, &checked, &runs, output));
        }
        let breaches = check::recheck(&checked, &done, &facts);
        if !breaches.is_empty() {
            output.aside(&refusal::breaches(&breaches, output.width));
            output.error(
                "the laws stand against it as things are now; nothing was changed",
                "zkplan plan shows the ensemble, and what would pass",
            );
            return Err(plan::exit_of_breaches(&breaches));
        }
    }
    Ok(Some(Ready { checked, seen, done, resumes, servers }))
}

/// Whether the open run is the one that is asked for: the same plan, or the same target.
fn goes_on(source: &Source, run: &Run, stored: &CheckedPlan, facts: &Facts, spec: &Spec) -> bool {
    match source {
        Source::Plan(checked) => saved::plan_id(checked.plan()) == run.header.plan_id,
        Source::Spec(_) => {
            let wanted = spec.membership();
            let part = spec.policy.client_part;
            let live = &facts.base.membership;
            let target = diff(live, &wanted, &facts.other_machine, part).target;
            // A command that stands in the journal alone is nobody's who goes on.
            target == stored.plan().target && spec.hooks == stored.plan().hooks
        }
    }
}

/// Where sessions can be had, members that stay first.
fn sessions_at(seen: &Observation, spec: &Spec) -> Vec<Endpoint> {
    let members = seen.config.membership.ids().into_iter();
    let leaving = members.filter(|id| !spec.servers.contains_key(id)).collect();
    sight::serving(seen, &leaving).into_iter().map(|(_, at)| at).collect()
}

fn is_complete(checked: &CheckedPlan, done: &Done) -> bool {
    let mut reconfigs = checked.plan().steps().filter(|step| step.reconfig().is_some());
    reconfigs.all(|step| done.contains(&step.id))
}

fn nothing_to_do(
    args: &ApplyArgs,
    checked: &CheckedPlan,
    runs: &[Run],
    output: &Output,
) -> Option<Ready> {
    let plan_id = saved::plan_id(checked.plan());
    let by = runs.iter().rev().find(|run| run.header.plan_id == plan_id && !run.is_open());
    let by = by.map(|run| format!(", done by run {}", run.number)).unwrap_or_default();
    let mut text = Text::new();
    let line = Line::new(Style::Green, "Nothing to do.").then(
        Style::Plain,
        format!(
            " Ensemble {} is as {} wants it{by}.",
            checked.plan().ensemble,
            args.file.display()
        ),
    );
    text.paragraph("", line, output.width);
    output.screen(&text, Exit::Done);
    None
}

/// What the ensemble tells of earlier applies.
struct Journal {
    runs: Vec<Run>,
    /// The plan of the last run, where it is open.
    stored: Option<CheckedPlan>,
    lock: Option<LockText>,
}

/// What the ensemble tells of earlier applies. Needs no password.
async fn journal<P: Control>(
    port: &P,
    servers: &[Endpoint],
    spec: &Spec,
    output: &Output,
) -> Result<Journal, Exit> {
    let nobody = secret::nobody(&spec.connect);
    let unreachable = || {
        output.error("no server takes a session", "zkplan plan shows who answers");
        Exit::Unreachable
    };
    let session = open(port, servers, &nobody).await.map_err(|_| unreachable())?;
    let read = async {
        let runs = latest_runs(&session, LATEST_RUNS).await?;
        let plan = match runs.last().filter(|run| run.is_open()) {
            Some(run) => read_plan(&session, run).await?,
            None => None,
        };
        let lock = read_lock(&session).await?.map(|(lock, _)| lock);
        let stored = plan.and_then(|text| saved::read(&text).ok());
        Ok::<_, Failure>(Journal { runs, stored, lock })
    };
    let read = read.await;
    session.close().await;
    read.map_err(|failure| match failure {
        Failure::Refused(code) => {
            output.error(
                &format!("the journal cannot be read: {code}"),
                "a newer zkplan may have written it; use that one",
            );
            Exit::Error
        }
        _ => unreachable(),
    })
}

fn refuse(args: &ApplyArgs, end: &End, output: &Output) -> Exit {
    let path = args.file.display().to_string();
    let again = again(args, &path);
    let screen = ends::Screen { end, again: &again, path: &path, width: output.width };
    output.aside(&ends::screen(&screen));
    exit_of(end)
}

/// Shows what will be done, on stderr: stdout is for what came of it.
fn show(args: &ApplyArgs, source: &Source, spec: &Spec, ready: &Ready, output: &Output) {
    let path = args.file.display().to_string();
    let plan_id = saved::plan_id(ready.checked.plan());
    let origin = match source {
        Source::Spec(_) => Origin::Applied(SpecFile { path: &path, spec }),
        Source::Plan(_) => Origin::Read(PlanFile { path: &path, plan_id: &plan_id }),
    };
    let seen = ready.resumes.is_none().then_some(&ready.seen);
    let view = Screen { origin, observation: seen, checked: &ready.checked, width: output.width };
    output.aside(&screen(&view));
    if let Some(run) = ready.resumes {
        let plan = ready.checked.plan();
        let done: Vec<String> = plan
            .steps()
            .filter(|step| matches!(step.action, Action::Reconfig { .. }))
            .filter(|step| ready.done.contains(&step.id))
            .map(|step| step.id.to_string())
            .collect();
        let done = if done.is_empty() { "none".to_owned() } else { done.join(", ") };
        output.note(&format!("run {run} of this plan is open and goes on; reconfigs done: {done}"));
    }
    for id in leaving(ready.checked.plan()) {
        let sight = ready.seen.servers.get(&id);
        if sight.is_some_and(|sight| sight.endpoint.is_none()) {
            output.note(&format!(
                "where clients reach server {id} is not known: its clients cannot be counted"
            ));
        }
    }
}

async fn approve(ready: &Ready, output: &Output) -> Result<(), Exit> {
    if !is_interactive() {
        output.error(
            "nobody is there to approve: there is no terminal",
            "add --auto-approve where the plan has been approved before; nothing was changed",
        );
        return Err(Exit::NotApproved);
    }
    let plan = ready.checked.plan();
    let count = plan.reconfigs();
    let question = format!("Apply {count} reconfigs to {}?", plan.ensemble);
    if local::yes(&question).await {
        return Ok(());
    }
    output.error("not approved; nothing was changed", "");
    Err(Exit::NotApproved)
}

/// The exit code of an end.
pub(super) fn exit_of(end: &End) -> Exit {
    match end {
        End::Finished => Exit::Done,
        End::Stale(
            Stale::Identity { .. }
            | Stale::ZxidBack { .. }
            | Stale::Members { .. }
            | Stale::Version { .. },
        )
        | End::OtherRun { .. }
        | End::Foreign { .. } => Exit::Stale,
        End::Locked(_) => Exit::Locked,
        End::NotOpen { .. } => Exit::Usage,
        End::NotAuthorized | End::ReconfigDisabled | End::Unreachable => Exit::Unreachable,
        End::OpenToOthers(_) | End::DataDiffer(_) | End::Unsafe(_) => Exit::Unsafe,
        End::LockLost { .. }
        | End::Interrupted { .. }
        | End::Gate { .. }
        | End::Hook {
            how: HookEnd::Failed(_) | HookEnd::NotStarted(_) | HookEnd::Unknown | HookEnd::Succeeded,
            ..
        } => Exit::Stopped,
        End::Hook { how: HookEnd::TimedOut, .. } | End::RanOut { .. } => Exit::RanOut,
        End::Refused { .. } => Exit::Error,
    }
}

/// Whether a plan wants something of a command that this version cannot give.
fn wants_joiner_files(path: &Path, checked: &CheckedPlan, output: &Output) -> bool {
    let hooks = &checked.plan().hooks;
    let words = hooks.start.iter().chain(&hooks.stop).flatten();
    let wants = words.into_iter().any(|word| word.contains("{joinerDir}"));
    if wants {
        output.error(
            &format!("{}: a command names {{joinerDir}}", path.display()),
            "this version writes no joiner files; take the lines from the plan's screen",
        );
    }
    wants
}
