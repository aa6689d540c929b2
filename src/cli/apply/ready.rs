//! What is known before anything of ours is made: the ensemble, its journal, and the plan.

use super::super::args::ApplyArgs;
use super::super::exit::Exit;
use super::super::journal::{self, Earlier, Open, Unread, Wanted, sessions_at};
use super::super::live::{self, nobody_answers};
use super::super::output::Output;
use super::super::plan;
use super::super::source::Source;
use super::refuse;
use crate::apply::driver::argv;
use crate::apply::journal::Run;
use crate::apply::position::implied;
use crate::apply::resume::Asked;
use crate::apply::stale::{Fresh, Now, fresh};
use crate::apply::{End, Stale};
use crate::check::{self, CheckedPlan};
use crate::ensemble::ZooKeeper;
use crate::model::{Endpoint, ServerId};
use crate::observe::{Facts, Observation};
use crate::plan::Done;
use crate::proposal::propose;
use crate::render::plan::SpecFile;
use crate::render::{Line, Style, Text, not_proven, refusal};
use crate::saved;
use crate::spec::Spec;
use crate::trust::FolderSeen;

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
    if let FolderSeen::Unproven(unproven) = &seen.folder {
        return Err(refuse((args, source), &End::Unproven(unproven.clone()), output));
    }
    let earlier = journal::read(port, &servers, spec, Wanted::LATEST)
        .await
        .map_err(|why| unread(&why, (args, source), output))?;
    if let Some(unproven) = earlier.journal.unproven() {
        return Err(refuse((args, source), &End::Unproven(unproven.clone()), output));
    }
    note_unproven(&earlier, output);
    let runs = &earlier.runs().latest[..];
    if let Some(number) = args.abandon
        && !runs.iter().any(|run| run.number == number && run.is_open())
    {
        return Err(refuse((args, source), &End::NotOpen { number }, output));
    }
    let facts = Facts::of(&seen, spec);
    let asked = match source {
        Source::Plan(checked) => Asked::Plan(checked),
        Source::Spec(spec) => Asked::Spec(spec, &args.accept),
    };
    let open = earlier.open(asked, &facts, args.abandon);
    let (checked, resumes) = match open {
        Some(Open { run, plan: Ok(checked) }) => (checked, Some(run.number)),
        Some(Open { run, plan: Err(why) }) => {
            let lock = earlier.journal.lock.as_ref();
            let end = match lock {
                Some(lock) => End::Locked(lock.text.clone()),
                None => End::OtherRun { number: run.number, why },
            };
            return Err(refuse((args, source), &end, output));
        }
        None => (planned((args, source), (&seen, &facts), output)?, None),
    };
    if let Some(server) = not_plain(&checked, args.no_hooks) {
        return Err(refuse((args, source), &End::HostNotPlain { server }, output));
    }
    let now = Now {
        plan_id: &saved::plan_id(checked.plan()),
        config: &seen.config,
        identity: &seen.identity,
        zxid: seen.leader_zxid,
        runs,
    };
    let Fresh { done, version_moved: _ } =
        fresh(checked.plan(), now, args.strict_version && resumes.is_none())
            .map_err(|stale| refuse_stale((args, source), stale, resumes, output))?;
    let done = implied(checked.plan(), &done);
    if resumes.is_none() {
        let gives_up = runs.iter().any(|run| run.is_open() && args.abandon == Some(run.number));
        if is_complete(&checked, &done) && !gives_up {
            return Ok(nothing_to_do(args, &checked, runs, output));
        }
        is_lawful_now((args, source), &checked, (&done, &facts), output)?;
    }
    Ok(Some(Ready { checked, seen, done, resumes, servers }))
}

/// The plan of the file, or the one that is made of the spec now.
fn planned(
    (args, source): (&ApplyArgs, &Source),
    (seen, facts): (&Observation, &Facts),
    output: &Output,
) -> Result<CheckedPlan, Exit> {
    let spec = match source {
        Source::Plan(checked) => return Ok((**checked).clone()),
        Source::Spec(spec) => spec,
    };
    propose(spec, facts, &args.accept).map_err(|refusal| {
        let path = args.file.display().to_string();
        output.aside(&refusal::screen(&refusal::Screen {
            spec: SpecFile { path: &path, spec },
            observation: Some(seen),
            refusal: &refusal,
            width: output.width,
        }));
        plan::exit_of_breaches(&refusal.breaches)
    })
}

/// A server whose host a command of the plan would be given, and must not be.
fn not_plain(checked: &CheckedPlan, no_hooks: bool) -> Option<ServerId> {
    let mut steps = checked.plan().steps().filter(|_| !no_hooks);
    steps.find_map(|step| argv(checked.plan(), step)?.err())
}

/// The plan does not start from what is there: where it is that of an open run, the run is what
/// stands in the way.
fn refuse_stale(
    (args, source): (&ApplyArgs, &Source),
    stale: Stale,
    resumes: Option<u64>,
    output: &Output,
) -> Exit {
    let end = match resumes {
        Some(number) => End::Overtaken { number, stale },
        None => End::Stale(stale),
    };
    refuse((args, source), &end, output)
}

fn note_unproven(earlier: &Earlier, output: &Output) {
    for unproven in &earlier.runs().unproven {
        output.note(&format!("not believed: {}", not_proven(unproven)));
    }
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
    let by = runs.iter().rev().find(|run| run.is_of(&plan_id) && !run.is_open());
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
            output.error(&format!("the journal cannot be read: {code}"), "nothing was changed");
            Exit::Unreachable
        }
    }
}
