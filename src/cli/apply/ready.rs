//! What is known before anything of ours is made: the ensemble, its journal, and the plan.

use super::super::args::ApplyArgs;
use super::super::exit::Exit;
use super::super::journal::{self, Journal, Unread, goes_on, sessions_at};
use super::super::live::{self, nobody_answers};
use super::super::output::Output;
use super::super::plan;
use super::super::source::Source;
use super::refuse;
use crate::apply::End;
use crate::apply::journal::Run;
use crate::apply::position::implied;
use crate::apply::reorder::{accepted_order, reordered};
use crate::apply::stale::{Fresh, Now, fresh};
use crate::check::{self, CheckedPlan};
use crate::ensemble::ZooKeeper;
use crate::model::Endpoint;
use crate::observe::{Facts, Observation};
use crate::plan::Done;
use crate::proposal::propose;
use crate::render::plan::SpecFile;
use crate::render::run::another_order;
use crate::render::{Line, Style, Text, refusal};
use crate::saved;
use crate::spec::Spec;

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
    let seen = live::look(port, spec, output).await?;
    let servers = sessions_at(&seen, spec);
    let Journal { runs, stored, lock } = journal::read(port, &servers, spec)
        .await
        .map_err(|why| unread(&why, (args, source), output))?;
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
    let now = Now {
        plan_id: &saved::plan_id(checked.plan()),
        config: &seen.config,
        identity: &seen.identity,
        zxid: seen.leader_zxid,
        runs: &runs,
    };
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
        is_lawful_now((args, source), &checked, (&done, &facts), output)?;
    }
    Ok(Some(Ready { checked, seen, done, resumes, servers }))
}

/// Whether the laws allow what is left, as things are now; where not, says why.
fn is_lawful_now(
    (args, source): (&ApplyArgs, &Source),
    checked: &CheckedPlan,
    (done, now): (&Done, &Facts),
    output: &Output,
) -> Result<(), Exit> {
    let breaches = check::recheck(checked, done, now);
    if breaches.is_empty() {
        return Ok(());
    }
    if let Some(order) = accepted_order(checked, done, now) {
        output.note(&another_order(&reordered(order.plan(), done, now)));
        return Ok(());
    }
    output.aside(&refusal::breaches(&breaches, output.width));
    output.error(
        "the laws stand against it as things are now; nothing was changed",
        &format!("{} shows the ensemble, and what would pass", source.plans(&args.file)),
    );
    Err(plan::exit_of_breaches(&breaches))
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

fn unread(why: &Unread, (args, source): (&ApplyArgs, &Source), output: &Output) -> Exit {
    match why {
        Unread::NoSession => nobody_answers(&source.plans(&args.file), output),
        Unread::Refused(code) => {
            output.error(
                &format!("the journal cannot be read: {code}"),
                "a newer zkplan may have written it; use that one",
            );
            Exit::Error
        }
    }
}
