//! `zkplan plan --probe`: has the leader check the next reconfig of a plan without carrying it out.

use super::args::Format;
use super::exit::Exit;
use super::live;
use super::output::Output;
use super::specs::Loaded;
use crate::apply::sight;
use crate::check::CheckedPlan;
use crate::ensemble::{Code, DryRun};
use crate::model::{Endpoint, ServerId, Update};
use crate::observe::Observation;
use crate::plan::{Action, Plan, Step};
use crate::render::probe::{Answer, Screen, screen};
use crate::spec::Spec;

/// Whether a spec has a certificate that would tell who we are; says so.
pub(super) fn would_prove_somebody(loaded: &[Loaded], output: &Output) -> bool {
    let has_certificate = |spec: &Spec| spec.connect.tls.as_ref().is_some_and(|t| t.cert.is_some());
    let proving = loaded.iter().find(|file| file.spec.as_ref().is_ok_and(has_certificate));
    if let Some(file) = proving {
        output.error(
            &format!(
                "--probe takes a session that proves nobody, and connect.tls.cert of {} proves \
                 somebody",
                file.path
            ),
            "plan without --probe: with that certificate the leader might carry the request out",
        );
    }
    proving.is_some()
}

/// Probes every plan, and prints what came of it: behind the plan where people read it, else beside.
pub(super) fn run<'a>(
    planned: impl Iterator<Item = (&'a Spec, &'a CheckedPlan, &'a Observation)>,
    format: Format,
    output: &Output,
) -> Exit {
    let mut exit = Exit::Done;
    for (spec, checked, seen) in planned {
        #[cfg(debug_assertions)]
        super::local::rehearsed_death(None, "probe");
        let answer = match next(checked.plan()) {
            Next::Nothing => Answer::NothingToSend,
            Next::Awaits(joiners) => Answer::Awaits(joiners),
            Next::Reconfig(step) => match asked(spec, checked.plan(), step, seen, output) {
                Ok(answer) => answer,
                Err(failed) => {
                    exit = exit.worse(failed);
                    continue;
                }
            },
        };
        exit = exit.worse(exit_of(&answer));
        let plan = checked.plan();
        let mut text = screen(&Screen { plan, answer: &answer, width: output.width });
        match format {
            Format::Text => {
                let mut below = crate::render::Text::new();
                below.line("");
                below.append(text);
                text = below;
                exit = output.screen(&text, exit);
            }
            Format::Json | Format::Dot => output.aside(&text),
        }
    }
    exit
}

/// What a plan sends first.
enum Next<'a> {
    Nothing,
    /// These are awaited before, and do not follow yet.
    Awaits(Vec<ServerId>),
    Reconfig(&'a Step),
}

fn next(plan: &Plan) -> Next<'_> {
    let mut missing = Vec::new();
    for (_, step) in plan.schedule() {
        match step.action {
            Action::AwaitJoiner(id) if !plan.facts.following.contains(&id) => missing.push(id),
            Action::Reconfig { .. } if missing.is_empty() => return Next::Reconfig(step),
            Action::Reconfig { .. } => return Next::Awaits(missing),
            _ => {}
        }
    }
    Next::Nothing
}

fn asked(
    spec: &Spec,
    plan: &Plan,
    step: &Step,
    seen: &Observation,
    output: &Output,
) -> Result<Answer, Exit> {
    let Some(change) = step.reconfig() else { return Ok(Answer::NothingToSend) };
    let base = &plan.facts.base;
    let request = Update::of(&base.membership, change);
    let port = live::servers(&spec.connect, output)?;
    let dry_run = live::block_on(output, async {
        for at in leader_first(seen) {
            if let Ok(dry_run) = port.dry_run(&at, &request, base.version).await {
                return Some(dry_run);
            }
        }
        None
    })?;
    Ok(Answer::Told { step: step.id.clone(), dry_run })
}

/// Where a session can be had; first where no other server stands in between.
fn leader_first(seen: &Observation) -> Vec<Endpoint> {
    let mut serving = sight::serving(seen, &std::collections::BTreeSet::new());
    serving.sort_by_key(|(id, _)| Some(*id) != seen.leader);
    serving.into_iter().map(|(_, at)| at).collect()
}

/// The exit code of what the leader said. A probe is an extra: where nothing was sent, the plan
/// stands as it stands without.
fn exit_of(answer: &Answer) -> Exit {
    let dry_run = match answer {
        Answer::NothingToSend | Answer::Awaits(_) => return Exit::Done,
        Answer::Told { dry_run: None, .. } => return Exit::Unreachable,
        Answer::Told { dry_run: Some(dry_run), .. } => dry_run,
    };
    match dry_run {
        DryRun::Sound | DryRun::OpenToAll | DryRun::NotSent(_) => Exit::Done,
        DryRun::NoAnswer | DryRun::Refused(Code::ReconfigDisabled | Code::ThrottledOp) => {
            Exit::Unreachable
        }
        DryRun::Refused(Code::BadVersion) => Exit::Stale,
        DryRun::Refused(
            Code::NewConfigNoQuorum
            | Code::ReconfigInProgress
            | Code::BadArguments
            | Code::MarshallingError
            | Code::Unimplemented,
        ) => Exit::Unsafe,
        DryRun::Refused(_) | DryRun::CarriedOut => Exit::Error,
    }
}
