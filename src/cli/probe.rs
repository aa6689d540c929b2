//! `zkplan plan --probe`: has the leader check the next reconfig of a plan without carrying it out.

use super::args::Format;
use super::error::CommandError;
use super::exit::Exit;
use super::live;
use super::output::Output;
use crate::apply::access;
use crate::apply::access::Named;
use crate::check::CheckedPlan;
use crate::ensemble::{DryRun, ErrorCode, NoAnswer, TlsFailure};
use crate::model::{Endpoint, ServerId, Update};
use crate::observe::Observation;
use crate::plan::{Action, Plan, Step};
use crate::render::probe::{ProbeAnswer, ProbeScreen, screen};
use crate::spec::Spec;

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
            Next::Nothing => ProbeAnswer::NothingToSend,
            Next::Awaits(joiners) => ProbeAnswer::Awaits(joiners),
            Next::Reconfig(step) => match asked(spec, checked.plan(), step, seen) {
                Ok(answer) => answer,
                Err(failed) => {
                    output.error(&failed);
                    exit = exit.worse(failed.exit());
                    continue;
                }
            },
        };
        exit = exit.worse(exit_of(&answer));
        let plan = checked.plan();
        let mut text = screen(&ProbeScreen { plan, answer: &answer, width: output.width });
        match format {
            Format::Text => {
                let mut below = crate::render::Text::new();
                below.line("");
                below.append(text);
                text = below;
                exit = output.screen(&text, exit);
            }
            Format::Json
            | Format::Markdown
            | Format::Html
            | Format::Github
            | Format::Junit
            | Format::Mermaid
            | Format::Dot => output.aside(&text),
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
) -> Result<ProbeAnswer, CommandError> {
    let Some(change) = step.reconfig() else { return Ok(ProbeAnswer::NothingToSend) };
    let base = &plan.facts.base;
    let request = Update::of(&base.membership, change);
    let target = &spec.to_target();
    let port = live::servers(target, &Named::of(target, None))?;
    live::block_on(async {
        let step = step.id.clone();
        let mut wants_certificate = false;
        for at in leader_first(seen) {
            match port.dry_run(&at, &request, base.version).await {
                Ok(dry_run) => return ProbeAnswer::Checked { step, dry_run: Some(dry_run) },
                Err(NoAnswer::Tls(TlsFailure::CertificateWanted)) => wants_certificate = true,
                Err(_) => {}
            }
        }
        if wants_certificate {
            ProbeAnswer::WantsCertificate { step }
        } else {
            ProbeAnswer::Checked { step, dry_run: None }
        }
    })
}

/// Where a session can be had; first where no other server stands in between.
fn leader_first(seen: &Observation) -> Vec<Endpoint> {
    let mut serving = access::serving(seen, &std::collections::BTreeSet::new());
    serving.sort_by_key(|(id, _)| Some(*id) != seen.leader);
    serving.into_iter().map(|(_, at)| at).collect()
}

/// The exit code of what the leader said. A probe is an extra: where nothing was sent, the plan
/// stands as it stands without.
fn exit_of(answer: &ProbeAnswer) -> Exit {
    let dry_run = match answer {
        ProbeAnswer::NothingToSend
        | ProbeAnswer::Awaits(_)
        | ProbeAnswer::WantsCertificate { .. } => {
            return Exit::Done;
        }
        ProbeAnswer::Checked { dry_run: None, .. } => return Exit::Unreachable,
        ProbeAnswer::Checked { dry_run: Some(dry_run), .. } => dry_run,
    };
    match dry_run {
        DryRun::Sound | DryRun::OpenToAll | DryRun::NotSent(_) => Exit::Done,
        DryRun::NoAnswer
        | DryRun::Refused(ErrorCode::ReconfigDisabled | ErrorCode::ThrottledOp) => {
            Exit::Unreachable
        }
        DryRun::Refused(ErrorCode::BadVersion) => Exit::Stale,
        DryRun::Refused(
            ErrorCode::NewConfigNoQuorum
            | ErrorCode::ReconfigInProgress
            | ErrorCode::BadArguments
            | ErrorCode::MarshallingError
            | ErrorCode::Unimplemented,
        ) => Exit::Unsafe,
        DryRun::Refused(_) | DryRun::CarriedOut => Exit::Error,
    }
}
