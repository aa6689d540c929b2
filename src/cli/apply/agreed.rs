//! What is shown and agreed on before the session of a run is opened.

use clap::ValueEnum as _;

use super::super::args::{ApplyArgs, Approval, AutoApprove};
use super::super::error::CommandError;
use super::super::output::Output;
use super::super::source::Source;
use super::super::{local, secret};
use super::backup;
use super::ready::{Ready, ready};
use super::typed::{refuse, typed, with_next};
use crate::apply::access::{Recipient, Signer};
use crate::apply::judge::{Approved, Judge, RunState, Verdict};
use crate::apply::leaving::{known_endpoints, leaving_now};
use crate::apply::run_view::{self, awaited, leaving};
use crate::apply::{ApprovalScope, Outcome};
use crate::ensemble::ZooKeeper;
use crate::model::{ServerId, Target};
use crate::observe::Facts;
use crate::plan::{Acceptance, Action, PhaseKind};
use crate::render::commands::question;
use crate::render::explained_steps::{all_explained, explained};
use crate::render::plan::{Origin, PlanFile, PlanScreen, Resumed, SpecFile, screen};
use crate::render::signing_in::announced;
use crate::render::{beyond_approval, words_for_acceptance};
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
    let ready = Box::pin(ready(args, source, target, port, output)).await?;
    let Some(ready) = ready else { return Ok(None) };
    show(args, source, target, &ready, output);
    note_accepted_in_advance(args, &ready, output);
    if let Some(what) = args.auto_approve {
        covered(what, args, &ready, output)?;
    }
    let backup = backup::checked((args, source), (&ready, target), port, output).await?;
    announce(args, source, target, (&ready, port), output).await?;
    if let Some(end) = closed_gate(args, &ready, port).await {
        return Err(refuse((args, source), &end, output));
    }
    if args.auto_approve.is_none() {
        approve(args, &ready, output).await?;
    }
    if let Some(backup) = &backup {
        backup.is_still_young(args, output)?;
    }
    let backup = backup.map(|passed| passed.note);
    Ok(Some(Ready { backup, ..ready }))
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
    if args.auto_approve.is_none() && is_interactive() {
        return None;
    }
    let mut view = run_view::run_view(plan, &plan.to_target(), &ready.seen);
    let known = known_endpoints(plan, &ready.seen);
    view.leaving = leaving_now(port, &leaving(plan), &known, None).await;
    let judge = Judge {
        checked: &ready.checked,
        view: &view,
        memory: &RunState::default(),
        approved: &approved(args, &ready.accepted),
        no_hooks: args.no_hooks,
        now_ms: 0,
    };
    match judge.step(PhaseKind::Gate, gate) {
        Verdict::Ask(end) => Some(end),
        _ => None,
    }
}

pub(super) fn approved(args: &ApplyArgs, accepted: &[Acceptance]) -> Approved {
    let keeps_leader = args.auto_approve.is_some_and(AutoApprove::keeps_leader);
    let accepted = accepted.to_vec();
    let mut approved = Approved { keeps_leader, accepted, ..Approved::default() };
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
        accepted: &ready.accepted,
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

/// Refuses a plan that does more than is approved without a question.
fn covered(
    what: AutoApprove,
    args: &ApplyArgs,
    ready: &Ready,
    output: &Output,
) -> Result<(), CommandError> {
    let scope = ApprovalScope::from(what);
    let beyond = scope.beyond(&ready.checked, &ready.done, ready.seen.leader);
    if beyond.is_empty() {
        return Ok(());
    }
    let word = what.to_possible_value().expect("no value is hidden").get_name().to_owned();
    let error = CommandError::new(
        CommandFailure::BeyondApproval,
        beyond_approval(&word, scope, &beyond, ready.seen.leader),
    );
    Err(with_next(error, &typed(args, &args.file.display().to_string()), output))
}

/// Asks for approval until there is an answer that is no question.
async fn approve(args: &ApplyArgs, ready: &Ready, output: &Output) -> Result<(), CommandError> {
    let missing = |error: CommandError, command: &str| with_next(error, command, output);
    if !is_interactive() {
        let what = "approval is required, but there is no terminal";
        let error = CommandError::new(CommandFailure::ApprovalMissing, what)
            .hint("add --auto-approve if the plan was approved before; nothing was changed");
        return Err(missing(
            error,
            &format!("{} --auto-approve", typed(args, &args.file.display().to_string())),
        ));
    }
    let what = question(ready.checked.plan(), &ready.done, args.no_hooks);
    let question = format!(
        "{what} Type \"yes\" to apply this plan, \"details\" or \"why N\" to have all steps or step \
         N explained. Anything else cancels:"
    );
    loop {
        match Answer::of(&local::answer(&question, output.width).await) {
            Answer::Yes => return Ok(()),
            Answer::Details => {
                output.aside(&all_explained(&ready.checked, &ready.done, output.width));
            }
            Answer::Why(number) => {
                output.aside(&explained(&ready.checked, &ready.done, number, output.width));
            }
            Answer::Other => break,
        }
    }
    let error =
        CommandError::new(CommandFailure::ApprovalRefused, "cancelled; nothing was changed")
            .hint("run the same command to be asked again");
    Err(missing(error, &typed(args, &args.file.display().to_string())))
}

/// What was answered to the question whether a plan is to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    Details,
    Why(usize),
    Other,
}

impl Answer {
    /// Only `yes` approves, as it stands.
    fn of(text: &str) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["yes"] => Self::Yes,
            ["details"] => Self::Details,
            ["why", number] => number.parse().map_or(Self::Other, Self::Why),
            _ => Self::Other,
        }
    }
}

/// Whether there is a person to ask.
pub(super) fn is_interactive() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    fn nothing_but_yes_approves() {
        assert_eq!(Answer::of("yes"), Answer::Yes);
        for text in ["", "y", "Yes", "yes please", "ok", "why", "why x", "details 1"] {
            assert_eq!(Answer::of(text), Answer::Other, "{text}");
        }
        assert_eq!(Answer::of("why 12"), Answer::Why(12));
        assert_eq!(Answer::of("details"), Answer::Details);
    }
}
