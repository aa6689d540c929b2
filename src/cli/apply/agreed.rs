//! What is shown and agreed on before the session of a run is opened.

use super::super::args::{ApplyArgs, Approval};
use super::super::error::{CommandError, next};
use super::super::output::Output;
use super::super::source::Source;
use super::super::{local, secret};
use super::ready::{Ready, ready};
use super::typed::{refuse, typed};
use crate::apply::Outcome;
use crate::apply::access::{Recipient, Signer};
use crate::apply::judge::{Approved, Judge, RunState, Verdict};
use crate::apply::leaving::{known_endpoints, leaving_now};
use crate::apply::run_view::{self, awaited, leaving};
use crate::ensemble::ZooKeeper;
use crate::model::{ServerId, Target};
use crate::observe::Facts;
use crate::plan::{Action, PhaseKind};
use crate::render::commands::question;
use crate::render::plan::{Origin, PlanFile, PlanScreen, Resumed, SpecFile, screen};
use crate::render::signing_in::announced;
use crate::render::words_for_acceptance;
use crate::report::error::CommandFailure;
use crate::saved;

/// Everything that comes before the session of the run: look, plan, show, ask. `None` where there is
/// nothing to do.
pub(super) async fn agreed(
    args: &ApplyArgs,
    source: &Source,
    target: &Target,
    port: &ZooKeeper,
    output: &Output,
) -> Result<Option<Ready>, CommandError> {
    let Some(ready) = ready(args, source, target, port, output).await? else { return Ok(None) };
    show(args, source, target, &ready, output);
    note_accepted_in_advance(args, &ready, output);
    announce(args, source, target, (&ready, port), output).await?;
    if let Some(end) = closed_gate(args, &ready, port).await {
        return Err(refuse((args, source), &end, output));
    }
    if !args.auto_approve {
        approve(args, &ready, output).await?;
    }
    Ok(Some(ready))
}

/// What is accepted beside the plan is shown before it counts.
fn note_accepted_in_advance(args: &ApplyArgs, ready: &Ready, output: &Output) {
    let held = &ready.checked.plan().accepted;
    let more = args.accept.iter().filter(|risk| !held.contains(risk));
    let more: Vec<String> = more.map(words_for_acceptance).collect();
    if !more.is_empty() {
        output.note(&format!("accepted in advance, for this command only: {}", more.join(", ")));
    }
}

/// Says which servers are sent the password, before the approval.
async fn announce(
    args: &ApplyArgs,
    source: &Source,
    target: &Target,
    (ready, port): (&Ready, &ZooKeeper),
    output: &Output,
) -> Result<(), CommandError> {
    let signer = Signer::of(&target.connect);
    if !signer.has_password() {
        return Ok(());
    }
    let (plan, named) = (ready.checked.plan(), source.named());
    let members = named.recipients(&ready.seen, &leaving(plan));
    if members.is_empty() {
        let end = Outcome::NoRecipient { unnamed: named.unnamed(&ready.seen) };
        return Err(refuse((args, source), &end, output));
    }
    let live = &ready.seen.config.membership;
    let joiners = awaited(plan).into_iter().filter(|id| !live.contains(*id));
    let tls = target.connect.tls.is_some();
    let joiner = |id| {
        let at = target.servers.get(&id)?.endpoint(tls)?;
        Some(Recipient { server: id, at })
    };
    let joiners: Vec<Recipient> = joiners.filter_map(joiner).collect();
    let in_clear = secret::in_clear(&args.access);
    if signer.sends_password() {
        secret::may_travel(port, in_clear, members.iter().chain(&joiners)).await?;
    }
    output.note(&announced(&signer, &members, &joiners));
    Ok(())
}

/// The gate that would stop the run before it has sent anything, so that nothing is held for it.
async fn closed_gate(args: &ApplyArgs, ready: &Ready, port: &ZooKeeper) -> Option<Outcome> {
    let plan = ready.checked.plan();
    let next = plan.next_steps(&ready.done, ready.seen.leader);
    let gate = next.first().filter(|step| matches!(step.action, Action::Gate(_)))?;
    if !args.auto_approve && is_interactive() {
        return None;
    }
    let mut view = run_view::run_view(plan, &plan.to_target(), &ready.seen);
    let known = known_endpoints(plan, &ready.seen);
    view.leaving = leaving_now(port, &leaving(plan), &known, None).await;
    let judge = Judge {
        checked: &ready.checked,
        view: &view,
        memory: &RunState::default(),
        approved: &approved(args),
        no_hooks: args.no_hooks,
        now_ms: 0,
    };
    match judge.step(PhaseKind::Gate, gate) {
        Verdict::Ask(end) => Some(end),
        _ => None,
    }
}

pub(super) fn approved(args: &ApplyArgs) -> Approved {
    let mut approved = Approved { accepted: args.accept.clone(), ..Approved::default() };
    for approval in &args.approve {
        match approval {
            Approval::Cutover => approved.cutover = true,
            Approval::Host(host) => drop(approved.hosts.insert(*host)),
            Approval::Stop => approved.stop = true,
            Approval::Blank(id) => drop(approved.blank.insert(ServerId::new(*id))),
        }
    }
    approved
}

/// Shows what will be done, on stderr: stdout is for what came of it.
fn show(args: &ApplyArgs, source: &Source, target: &Target, ready: &Ready, output: &Output) {
    let path = args.file.display().to_string();
    let plan_id = saved::plan_id(ready.checked.plan());
    let now = Facts::of(&ready.seen, target);
    let origin = match source {
        Source::Spec(spec) => Origin::Applied(SpecFile { path: &path, spec }),
        Source::Plan(_) => {
            Origin::AppliedPlan { file: PlanFile { path: &path, plan_id: &plan_id }, now: &now }
        }
    };
    let seen = Some(&ready.seen);
    let (done, is_certain) = (&ready.done, ready.is_certain);
    let resumed = ready.resumes.map(|run| Resumed {
        run,
        is_certain,
        done,
        now: &now,
        accepted: &args.accept,
    });
    let checked = &ready.checked;
    let view = PlanScreen { origin, observation: seen, checked, resumed, width: output.width };
    output.aside(&screen(&view));
    for id in leaving(ready.checked.plan()) {
        let observed = ready.seen.servers.get(&id);
        if observed.is_some_and(|observed| observed.endpoint.is_none()) {
            output.note(&format!(
                "the client address of server {id} is not known: zkplan cannot count its clients"
            ));
        }
    }
}

async fn approve(args: &ApplyArgs, ready: &Ready, output: &Output) -> Result<(), CommandError> {
    let missing = |error: CommandError, command: &str| {
        let mut text = error.to_text(output.width);
        text.append(next(command));
        error.hint(command).shown_as(text)
    };
    if !is_interactive() {
        let what = "approval is required, but there is no terminal";
        let error = CommandError::new(CommandFailure::ApprovalMissing, what)
            .hint("add --auto-approve if the plan was approved before; nothing was changed");
        return Err(missing(error, &format!("{} --auto-approve", typed(args))));
    }
    let what = question(ready.checked.plan(), &ready.done, args.no_hooks);
    let question = format!("{what} Type \"yes\" to apply this plan. Anything else cancels:");
    if local::yes(&question, output.width).await {
        return Ok(());
    }
    let error =
        CommandError::new(CommandFailure::ApprovalRefused, "cancelled; nothing was changed")
            .hint("run the same command to be asked again");
    Err(missing(error, &typed(args)))
}

/// Whether there is a person to ask.
pub(super) fn is_interactive() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
