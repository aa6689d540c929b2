//! What is known before anything of ours is made: the ensemble, its journal, and the plan.

use super::super::args::ApplyArgs;
use super::super::exit::Exit;
use super::super::history::nobody_answers;
use super::super::output::Output;
use super::super::source::Source;
use super::super::{live, plan, secret};
use super::{open, refuse};
use crate::apply::End;
use crate::apply::journal::{LockText, Run};
use crate::apply::keeper::{latest_runs, read_lock, read_plan};
use crate::apply::position::implied;
use crate::apply::sight;
use crate::apply::stale::{Fresh, Now, fresh};
use crate::check::{self, CheckedPlan};
use crate::diff::diff;
use crate::ensemble::{Control, Failure, Session, ZooKeeper};
use crate::model::Endpoint;
use crate::observe::{Facts, Observation, Question, observe};
use crate::plan::Done;
use crate::proposal::propose;
use crate::render::plan::SpecFile;
use crate::render::unreachable::{self, Reached};
use crate::render::{Line, Style, Text, refusal};
use crate::saved;
use crate::spec::Spec;
/// So many of the latest runs tell who made a version.
const LATEST_RUNS: usize = 3;

/// Everything that is known before anything of ours is made.
pub(super) struct Ready {
    pub(super) checked: CheckedPlan,
    pub(super) seen: Observation,
    pub(super) done: Done,
    /// The run that is gone on with.
    pub(super) resumes: Option<u64>,
    pub(super) servers: Vec<Endpoint>,
}

/// Looks, reads the journal, and makes or takes the plan; `None` where nothing is to be done.
pub(super) async fn ready(
    args: &ApplyArgs,
    source: &Source,
    spec: &Spec,
    port: &ZooKeeper,
    output: &Output,
) -> Result<Option<Ready>, Exit> {
    let seen = observe(port, &Question::of(spec)).await.map_err(|error| {
        output.aside(&unreachable::screen(&spec.ensemble, &error, Reached::BySpec, output.width));
        live::exit_of(&error)
    })?;
    let servers = sessions_at(&seen, spec);
    let Journal { runs, stored, lock } =
        journal(port, &servers, spec, (&source.plans(&args.file), output)).await?;
    if let Some(number) = args.abandon
        && !runs.iter().any(|run| run.number == number && run.is_open())
    {
        return Err(refuse((args, source), &End::NotOpen { number }, output));
    }
    let open = runs.last().filter(|run| run.is_open() && args.abandon != Some(run.number));
    let facts = Facts::of(&seen, spec);
    let (checked, resumes) = match (source, open, stored) {
        (_, Some(run), Some(stored)) if goes_on(source, run, &stored, &facts, spec) => {
            // How the ensemble is reached, and as whom, is the business of whoever goes on.
            (stored.reached_by(&spec.connect, &spec.reach()), Some(run.number))
        }
        (_, Some(_), _) if lock.is_some() => {
            return Err(refuse((args, source), &End::Locked(lock), output));
        }
        (_, Some(run), _) => {
            let plan_id = run.header.plan_id.clone();
            let end = End::OtherRun { number: run.number, plan_id };
            return Err(refuse((args, source), &end, output));
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
            .map_err(|stale| refuse((args, source), &End::Stale(stale), output))?;
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
                &format!("{} shows the ensemble, and what would pass", source.plans(&args.file)),
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
            // A gate that the spec asks for now is not passed over, and a command that stands in the
            // journal alone is nobody's who goes on.
            target == stored.plan().target
                && spec.hooks == stored.plan().hooks
                && spec.policy == stored.plan().policy
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
    (plans, output): (&str, &Output),
) -> Result<Journal, Exit> {
    let nobody = secret::nobody(&spec.connect);
    let unreachable = || nobody_answers(plans, output);
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
