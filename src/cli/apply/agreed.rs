//! What is shown and agreed on before the session of a run is opened.

use super::super::args::{ApplyArgs, Approval};
use super::super::exit::Exit;
use super::super::output::Output;
use super::super::source::Source;
use super::super::{local, secret};
use super::ready::{Ready, ready};
use super::refuse;
use crate::apply::End;
use crate::apply::driver::{known_endpoints, leaving_now};
use crate::apply::judge::{Approved, Judge, Memory, Verdict};
use crate::apply::sight::{self, leaving};
use crate::ensemble::ZooKeeper;
use crate::model::{Endpoint, ServerId};
use crate::observe::{Facts, Question};
use crate::plan::{Action, PhaseKind};
use crate::render::commands::question;
use crate::render::plan::{Origin, PlanFile, Screen, SpecFile, screen};
use crate::render::{AS_FAR_AS_SEEN, words_for_acceptance};
use crate::saved;
use crate::spec::Spec;
/// Everything that comes before the session of the run: look, plan, show, ask. `None` where there is
/// nothing to do.
pub(super) async fn agreed(
    args: &ApplyArgs,
    source: &Source,
    spec: &Spec,
    port: &ZooKeeper,
    output: &Output,
) -> Result<Option<Ready>, Exit> {
    let Some(ready) = ready(args, source, spec, port, output).await? else { return Ok(None) };
    show(args, source, spec, &ready, output);
    note_accepted_in_advance(args, &ready, output);
    if let Some(end) = closed_gate(args, &ready, port).await {
        return Err(refuse((args, source), &end, output));
    }
    if !args.auto_approve {
        approve(args, &ready, output).await?;
    }
    let question = Question::of(spec);
    let wanted = question.wanted.into_values().filter_map(|wanted| wanted.endpoint);
    let servers: Vec<Endpoint> = ready.servers.iter().cloned().chain(wanted).collect();
    secret::may_travel(port, &spec.connect, &servers, args.allow_cleartext_auth, output).await?;
    Ok(Some(ready))
}

/// What is accepted beside the plan is shown before it counts.
fn note_accepted_in_advance(args: &ApplyArgs, ready: &Ready, output: &Output) {
    let held = &ready.checked.plan().accepted;
    let more = args.accept.iter().filter(|risk| !held.contains(risk));
    let more: Vec<String> = more.map(words_for_acceptance).collect();
    if !more.is_empty() {
        output.note(&format!("accepted in advance, by this command alone: {}", more.join(", ")));
    }
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

pub(super) fn approved(args: &ApplyArgs) -> Approved {
    let mut approved = Approved { accepted: args.accept.clone(), ..Approved::default() };
    for approval in &args.approve {
        match approval {
            Approval::Cutover => approved.cutover = true,
            Approval::Stop => approved.stop = true,
            Approval::Blank(id) => drop(approved.blank.insert(ServerId::new(*id))),
        }
    }
    approved
}

/// Shows what will be done, on stderr: stdout is for what came of it.
fn show(args: &ApplyArgs, source: &Source, spec: &Spec, ready: &Ready, output: &Output) {
    let path = args.file.display().to_string();
    let plan_id = saved::plan_id(ready.checked.plan());
    let now = Facts::of(&ready.seen, spec);
    let origin = match source {
        Source::Spec(_) => Origin::Applied(SpecFile { path: &path, spec }),
        Source::Plan(_) => {
            Origin::AppliedPlan { file: PlanFile { path: &path, plan_id: &plan_id }, now: &now }
        }
    };
    if let Some(run) = ready.resumes {
        // The screen of the plan is that of its beginning.
        let (done, left): (Vec<_>, Vec<_>) = ready
            .checked
            .plan()
            .steps()
            .filter(|step| step.reconfig().is_some())
            .map(|step| step.id.to_string())
            .partition(|id| ready.done.iter().any(|step| step.as_str() == id));
        let list = |ids: &[String]| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
        let seen = if ready.is_certain { "" } else { AS_FAR_AS_SEEN };
        output.note(&format!(
            "{seen}run {run} of this plan is open and goes on; reconfigs done: {}; left: {}",
            list(&done),
            list(&left)
        ));
        return;
    }
    let seen = Some(&ready.seen);
    let view = Screen { origin, observation: seen, checked: &ready.checked, width: output.width };
    output.aside(&screen(&view));
    for id in leaving(ready.checked.plan()) {
        let sight = ready.seen.servers.get(&id);
        if sight.is_some_and(|sight| sight.endpoint.is_none()) {
            output.note(&format!(
                "where clients reach server {id} is not known: its clients cannot be counted"
            ));
        }
    }
}

async fn approve(args: &ApplyArgs, ready: &Ready, output: &Output) -> Result<(), Exit> {
    if !is_interactive() {
        output.error(
            "nobody is there to approve: there is no terminal",
            "add --auto-approve where the plan has been approved before; nothing was changed",
        );
        return Err(Exit::NotApproved);
    }
    let what = question(ready.checked.plan(), &ready.done, args.no_hooks);
    let question = format!("{what} Type yes, anything else leaves: ");
    if local::yes(&question).await {
        return Ok(());
    }
    output.error("not approved; nothing was changed", "the same command asks again");
    Err(Exit::NotApproved)
}

/// Whether somebody is there to be asked.
pub(super) fn is_interactive() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
